"""Dual averaging as the last link of a chain: exact zeros that last under mini-batch noise."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from shrinkage.optax._penalized import Leaf, Settings, penalty_link, strengths_of
from shrinkage.penalties import GroupL2, SparseGroup
from shrinkage.training import check_dual, check_memory, dual_group_step, dual_step, one_step_per_group


def dual_averaging(
    penalty: Any,
    learning_rate: Any = None,
    *,
    memory: Any = 0.999,
    mask: Any = None,
    momentum: Any = None,
    nesterov: bool = False,
    strength: Any = 1.0,
    warmup_steps: Any = 0,
    metric_floor: Any = 0.01,
) -> optax.GradientTransformationExtraArgs:
    r"""Dual averaging behind the links of `shrinkage.optax.chain`: zeros that last under mini-batch noise.

    A weight is zero while its gradients so far do not outweigh its penalties so far. Where the links before move
    weight j by u_j, and by h_j for every unit of gradient (`prox` says what that is), from z = w and Γ = 0,

        z ← β z + u          Γ ← β Γ + h · αρ          w = sign(z) max(|z| - Γ, 0) / (1 + h · α(1-ρ))

    where z starts anew from w + sign(w) Γ after every step that leaves w ≠ 0. A prox sees one noisy gradient and
    lets weights flicker; z and Γ remember all of them. On groups, w = z max(1 - Γ / ‖z‖, 0) with one metric d for each
    group, the root mean square of its weights' d. The fixed points are those of `prox`.

    Parameters
    ----------
    penalty : Penalty, pytree of Penalty and None that is a prefix of the parameters', or callable params -> such a tree
        `L1`, `L2`, `L1L2`, `GroupL2` or their sum `SparseGroup`, with a number as strength, or one that JAX traces.
    learning_rate, mask, momentum, nesterov, strength, warmup_steps, metric_floor
        As in `prox`.
    memory : float in (0, 1], default 0.999
        β. What counts is about the last 1 / (1 - β) steps. 1 is dual averaging proper, which never forgets; below .99
        zeros get fewer.

    Returns
    -------
    optax.GradientTransformationExtraArgs
        The last link. Its state holds z and Γ (for `SparseGroup` two) of each penalized weight.

    Raises
    ------
    ArgumentError
        As `prox`; at `init`, if the penalty is of another kind, for which dual averaging has no closed form.

    Notes
    -----
    At strength 0, updates pass unchanged, bit for bit, and z and Γ start anew. Where lr = 0 nothing moves.

    References
    ----------
    Xiao (2010), J. Mach. Learn. Res. 11, Algorithm 1, https://jmlr.org/papers/v11/xiao10a.html; with momentum and an
    adaptive metric: Huang et al. (2024), RAMDA, Algorithm 1, https://arxiv.org/abs/2403.14398.

    Examples
    --------
    >>> import jax, jax.numpy as jnp, optax
    >>> from shrinkage import L1
    >>> from shrinkage.optax import chain, dual_averaging
    >>> X = jax.random.normal(jax.random.key(0), (200, 10))
    >>> y = 3 * X[:, 0] - 2 * X[:, 1] + jax.random.normal(jax.random.key(1), (200,))
    >>> optimizer = chain(optax.adam(0.02), dual_averaging(L1(0.3)))
    >>> @jax.jit
    ... def step(w, state, rows):
    ...     loss = lambda w: 0.5 * jnp.mean((X[rows] @ w - y[rows]) ** 2)
    ...     updates, state = optimizer.update(jax.grad(loss)(w), state, w)
    ...     return optax.apply_updates(w, updates), state
    >>> w = jnp.zeros(10)
    >>> state = optimizer.init(w)
    >>> for k in range(1000):
    ...     w, state = step(w, state, jax.random.choice(jax.random.key(k), 200, (20,)))
    >>> [int(k) for k in jnp.flatnonzero(w)]
    [0, 1]
    """
    if isinstance(memory, (bool, int, float, str)):
        check_memory(memory)
    settings = Settings(penalty, learning_rate, mask, momentum, nesterov, strength, warmup_steps, metric_floor)
    return penalty_link(settings, _Formula(memory), _memory)


@dataclass(frozen=True)
class _Formula:
    beta: Any

    def __call__(self, leaf: Leaf, memory: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
        dual, threshold, group_threshold = memory
        if isinstance(leaf.penalty, (GroupL2, SparseGroup)):
            new, z, grown = _grouped(leaf, dual, (threshold, group_threshold), self.beta)
        else:
            step = jnp.broadcast_to(leaf.step, leaf.weight.shape)
            l1, l2 = strengths_of(leaf.penalty, leaf.weight)
            shrink = 0.0 if isinstance(l2, float) and l2 == 0 else step * l2  # 0 divides nothing
            new, z, gamma = dual_step(leaf.weight, dual, threshold, leaf.moved, step * l1, shrink, self.beta)
            grown = gamma, group_threshold
        new = jnp.where(leaf.moves, new, leaf.weight)  # or rounding would move groups
        return new, tuple(_kept(leaf, *pair) for pair in zip(memory, (z, *grown), strict=True))


def _grouped(leaf: Leaf, dual: Any, thresholds: tuple[Any, Any], beta: Any) -> tuple[Any, Any, tuple[Any, Any]]:
    moved, step = leaf.moved, leaf.step
    if step.ndim:
        moved, step = one_step_per_group(leaf.penalty, moved, step)
    known = tuple(0.0 if isinstance(x, optax.MaskedNode) else x for x in thresholds)
    new, z, grown = dual_group_step(leaf.penalty, leaf.weight, dual, (known[0], known[1]), moved, step, beta)
    return new, z, grown


def _kept(leaf: Leaf, old: Any, new: Any) -> Any:
    """The memory after a step: as it was where the step was not taken, 0 where the penalty does not act."""
    if isinstance(old, optax.MaskedNode):
        return old
    taken = jnp.logical_and(leaf.fired, leaf.moves)
    return jnp.where(taken, jnp.where(leaf.active, new, 0.0), old).astype(old.dtype)


def _memory(params: Any, penalties: list[Any]) -> tuple[Any, ...]:
    """z, Γ of weights and Γ of groups; where one of them is not needed, nothing."""
    leaves, structure = jax.tree.flatten(params)
    if not leaves:
        return params, params, params  # a stand-in for parameters, by which optax finds out what is shaped as they are
    for penalty in penalties:
        check_dual(_at_a_number(penalty), "prox")
    grouped = [isinstance(penalty, (GroupL2, SparseGroup)) for penalty in penalties]
    some = [penalty is not None for penalty in penalties]
    single = [penalty is not None and not isinstance(penalty, GroupL2) for penalty in penalties]
    return tuple(
        jax.tree.unflatten(
            structure, [_zeros(w) if on else optax.MaskedNode() for w, on in zip(leaves, flags, strict=True)]
        )
        for flags in (some, single, grouped)
    )


def _at_a_number(penalty: Any) -> Any:
    """A penalty at strength 1 where its strength is one that JAX traces, whose value nobody knows."""
    if penalty is None or isinstance(penalty.alpha, (int, float)) or jnp.ndim(penalty.alpha):
        return penalty
    return penalty.with_alpha(1.0)


def _zeros(w: Any) -> Any:
    return jnp.zeros(jnp.shape(w), jnp.promote_types(jnp.result_type(w), jnp.float32))
