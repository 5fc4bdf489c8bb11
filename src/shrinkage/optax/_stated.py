"""Penalties on a pytree as what a solver asks of them: one prox, the distance from optimality, a bound of the gap."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from shrinkage._errors import ArgumentError
from shrinkage.optax._leaves import one_per_leaf
from shrinkage.optax._penalties import ByPath
from shrinkage.optax._trees import kind_of
from shrinkage.penalties import Convex
from shrinkage.training import check_penalty, misfit

Tree = Any
Array = Any


def is_penalty(value: Any) -> bool:
    """Say whether a value is a penalty, or None, which stands for a leaf that has none."""
    return value is None or (callable(getattr(value, "prox", None)) and hasattr(value, "with_alpha"))


@dataclass(frozen=True)
class Stated:
    """g(params) = Σ over leaves of the leaf's penalty; None stands for 0.

    Attributes
    ----------
    penalties : pytree of Penalty or None, or what `by_path` returns
        A prefix of the parameters' structure.
    """

    penalties: Tree

    def __post_init__(self) -> None:
        if isinstance(self.penalties, ByPath):
            return
        for one in jax.tree.leaves(self.penalties, is_leaf=is_penalty):
            check_penalty("prox", one)

    def strengths(self, hyperparams: Any, params: Tree) -> list[Any]:
        """Return one alpha per leaf: `hyperparams`, a prefix of the parameters, or where it is None the penalty's own.

        Raises
        ------
        ArgumentError
            If a structure or a penalty does not fit the parameters.
        """
        own = self._own(params)
        for penalty, leaf in zip(own, jax.tree.leaves(params), strict=True):
            if penalty is not None and (problem := misfit(penalty, jnp.shape(leaf))):
                raise ArgumentError(f"prox does not fit a leaf of shape {jnp.shape(leaf)}: {problem}")
        if hyperparams is None:
            return [None if penalty is None else penalty.alpha for penalty in own]
        given = one_per_leaf("hyperparams_prox", hyperparams, params, is_leaf=lambda value: value is None)
        return [
            None if penalty is None else penalty.alpha if alpha is None else alpha
            for penalty, alpha in zip(own, given, strict=True)
        ]

    def _own(self, params: Tree) -> list[Any]:
        said = self.penalties(params) if isinstance(self.penalties, ByPath) else self.penalties
        return one_per_leaf("prox", said, params, is_leaf=is_penalty)

    def _each(self, alphas: list[Any], params: Tree) -> list[Any]:
        pairs = zip(self._own(params), alphas, strict=True)
        return [None if penalty is None else penalty.with_alpha(alpha) for penalty, alpha in pairs]

    def prox(self, params: Tree, alphas: list[Any], step: Array) -> Tree:
        """Return argmin over u of step · g(u) + ½‖u - params‖²."""
        leaves, structure = jax.tree.flatten(params)
        pairs = zip(self._each(alphas, params), leaves, strict=True)
        return jax.tree.unflatten(structure, [v if g is None else g.prox(v, step) for g, v in pairs])

    def violation(self, params: Tree, alphas: list[Any], gradient: Tree) -> Array:
        """Return the largest coordinate of the vector from the subdifferential of g to -gradient."""
        largest = []
        for g, w, slope in zip(
            self._each(alphas, params), jax.tree.leaves(params), jax.tree.leaves(gradient), strict=True
        ):
            distance = jnp.abs(slope) if g is None else g.violation(w, -slope)
            largest.append(jnp.max(distance, initial=0.0))
        return jnp.max(jnp.stack([jnp.asarray(one, kind_of(params)) for one in largest]))

    def gap(self, params: Tree, alphas: list[Any], value: Array, gradient: Tree, lower: float) -> Array:
        """Return an upper bound of F(params) - min F, for a convex f of this value and gradient; inf if none is known.

        With z = -∇f(w), c the largest number in [0, 1] for which g*(c z) is finite, and f >= `lower`,

            F(w) - F(u) <= ⟨∇f(w), w⟩ + g(w) + g*(c z) / c + (1/c - 1) (F(w) - lower)    for all u with F(u) <= F(w),

        since f(u) >= f(w) + ⟨∇f(w), u - w⟩ and ⟨z, u⟩ - g(u) <= g*(c z) / c + (1/c - 1) g(u). A `lower` of -inf
        needs c = 1; a leaf without a penalty needs a gradient of 0.
        """
        each = self._each(alphas, params)
        rows = list(zip(each, jax.tree.leaves(params), jax.tree.leaves(gradient), strict=True))
        kind = kind_of(params)
        if not all(g is None or isinstance(g, Convex) for g in each):
            return jnp.asarray(jnp.inf, kind)
        scales = [jnp.asarray(g.dual_scale(-slope), kind) for g, _, slope in rows if g is not None]
        c = jnp.min(jnp.stack([jnp.ones((), kind), *scales]))
        c = jnp.where(c < 1.0, c * (1.0 - 8.0 * jnp.finfo(kind).eps), c)
        total, penalty = jnp.zeros((), kind), jnp.zeros((), kind)
        for g, w, slope in rows:
            total = total + jnp.vdot(slope, w).astype(kind)
            if g is None:
                total = total + jnp.where(jnp.any(slope != 0), jnp.inf, 0.0).astype(kind)
                continue
            penalty = penalty + jnp.asarray(g.value(w), kind)
            total = total + jnp.asarray(g.conjugate(c.astype(w.dtype) * -slope), kind) / c
        above = value + penalty - lower
        excess = total + penalty + jnp.where(c < 1.0, (1.0 / c - 1.0) * above, 0.0)
        return jnp.where(jnp.isnan(excess), jnp.inf, jnp.maximum(excess, 0.0)).astype(kind)


def as_prox(prox: Any) -> tuple[Callable[..., Tree], Stated | None]:
    """Return a prox of jaxopt's signature, and the penalties where `prox` names some.

    Parameters
    ----------
    prox : callable (params, hyperparams, scaling) -> pytree, Penalty, pytree of Penalty and None, or a `by_path`
    """
    if callable(prox) and not isinstance(prox, ByPath):
        return prox, None
    stated = Stated(prox)
    return stated.prox, stated
