"""Arithmetic on pytrees, and functions made free of what they close over."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Tree = Any
Array = Any


def hoisted(function: Callable, *examples: Any) -> tuple[Callable, list]:
    """`function` with what it closes over as its first argument, which can be differentiated by, and those values."""
    pure, closed = jax.closure_convert(function, *examples)
    return (lambda closed, *args: pure(*args, *closed)), closed


def floating_tree(params: Tree) -> Tree:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(leaf, 0.0)), params)


def kind_of(params: Tree) -> Any:
    return jnp.result_type(*[leaf.dtype for leaf in jax.tree.leaves(params)])


def real_type(value: Any) -> Any:
    return jnp.result_type(value, 0.0)


def no_tangent(leaf: Array) -> Any:
    real = jnp.issubdtype(leaf.dtype, jnp.floating)
    return jnp.zeros_like(leaf) if real else jnp.zeros(leaf.shape, jax.dtypes.float0)


def minus(one: Tree, other: Tree) -> Tree:
    return jax.tree.map(jnp.subtract, one, other)


def plus(one: Tree, scale: Array, other: Tree) -> Tree:
    return jax.tree.map(lambda a, b: a + scale.astype(a.dtype) * b, one, other)


def dot(one: Tree, other: Tree) -> Array:
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return sum((jnp.vdot(a, b) for a, b in pairs), start=jnp.zeros((), kind_of(one)))
