"""Penalties in Keras 3, on each of its backends: regularizers, plans, and optimizers that make exact zeros."""
