"""Penalties in JAX: links for an optax chain, proximal operators and a proximal gradient solver."""
