"""What the links with a penalty share: their settings, their state, and the step that they hand to a formula."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from shrinkage._check import check_fraction, check_nonnegative
from shrinkage._errors import ArgumentError
from shrinkage.optax._links import buffers_at_start, steps_of
from shrinkage.optax._penalties import penalties_of
from shrinkage.optax._readers import Buffers, Step
from shrinkage.training import longest_step, momentum_scale, step_scale

NO_PARAMS = "a penalty acts on the parameters themselves: call update(gradients, state, params)"


class PenaltyState(NamedTuple):
    """State of a link with a penalty.

    Attributes
    ----------
    count : 0-d array of int32
        Steps that were taken.
    metric_rms : array, one number for each tensor
        Root mean square of the metric over the tensor at the last step that was taken; -1 before the first.
    buffers : tuple of arrays
        For each link with momentum the scale of its buffer, one number for each tensor.
    memory : tuple of pytrees
        What the formula remembers of each weight; empty for a prox.
    """

    count: Any
    metric_rms: Any
    buffers: tuple[Any, ...]
    memory: tuple[Any, ...]


@dataclass(frozen=True)
class Settings:
    """Arguments that all links with a penalty have; `momentum` is None where a chain tells it."""

    penalty: Any
    learning_rate: Any
    mask: Any
    momentum: Any
    nesterov: bool
    strength: Any
    warmup_steps: Any
    metric_floor: Any

    def check(self) -> None:
        """Refuse numbers outside their ranges; arrays that JAX traces are taken as they are."""
        for name in ("learning_rate", "strength"):
            value = getattr(self, name)
            if value is not None and not callable(value):
                check_nonnegative(name, value)
        for name in ("warmup_steps", "metric_floor"):
            check_nonnegative(name, getattr(self, name))
        if isinstance(self.momentum, (int, float)):
            check_fraction("momentum", self.momentum)
        if self.momentum is not None and self.learning_rate is None:
            raise ArgumentError("momentum says how gradient descent steps, and needs its learning_rate, which is None")


@dataclass(frozen=True)
class Leaf:
    """One penalized tensor in a step, in at least float32.

    Attributes
    ----------
    penalty : Penalty
    weight, moved : arrays
        The weights, and what the links before would add to them.
    step : array or 0-d array
        How far they move a weight for every unit of gradient.
    active : bool or 0-d array
        Whether the penalty acts at all by now.
    fired : bool or 0-d array
        Whether this step is taken.
    moves : bool or 0-d array
        Whether its length is anything but 0.
    """

    penalty: Any
    weight: Any
    moved: Any
    step: Any
    active: Any
    fired: Any
    moves: Any


Formula = Callable[[Leaf, tuple[Any, ...]], tuple[Any, tuple[Any, ...]]]
"""From a leaf and what is remembered of it to the new weights and the new memory."""


class Behind(NamedTuple):
    """What a chain calls in place of `init` and `update`, since it knows the links before."""

    init: Callable[..., Any]
    update: Callable[..., Any]


def penalty_link(
    settings: Settings, formula: Formula, memory: Callable[[Any, list[Any]], tuple[Any, ...]]
) -> optax.GradientTransformationExtraArgs:
    """Return a link that moves each penalized leaf to where a formula says.

    Parameters
    ----------
    formula : callable
    memory : callable (params, penalties of the leaves) -> tuple of pytrees
        What the formula remembers at the start.
    """
    settings.check()

    def start(params: Any, buffers: tuple[Any, ...]) -> PenaltyState:
        penalties = penalties_of(settings.penalty, settings.mask, params) if jax.tree.leaves(params) else []
        unknown = jnp.full(len(jax.tree.leaves(params)), -1.0, jnp.result_type(float))
        return PenaltyState(jnp.zeros([], jnp.int32), unknown, buffers, memory(params, penalties))

    def behind_init(before: Any, state: Any, params: Any) -> PenaltyState:
        return start(params, buffers_at_start(before, state, params))

    def behind_update(
        updates: Any, state: PenaltyState, params: Any, before: Any, states: tuple[Any, Any], gradients: Any
    ) -> tuple[Any, PenaltyState]:
        if params is None:
            raise ArgumentError(NO_PARAMS)
        buffers = Buffers(state.buffers)
        steps = steps_of(before, *states, params, buffers, gradients)
        _agree(settings.learning_rate, before, steps)
        return _apply(settings, formula, updates, state, params, (steps, tuple(buffers.new)))

    def init(params: Any) -> PenaltyState:
        n = len(jax.tree.leaves(params))
        return start(params, () if settings.momentum is None else (jnp.zeros(n, jnp.result_type(float)),))

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, PenaltyState]:
        if params is None:
            raise ArgumentError(NO_PARAMS)
        return _apply(settings, formula, updates, state, params, _told(settings, state, params))

    update.behind = Behind(behind_init, behind_update)  # type: ignore[attr-defined]
    return optax.GradientTransformationExtraArgs(init, update)


def _told(settings: Settings, state: PenaltyState, params: Any) -> tuple[list[Step], tuple[Any, ...]]:
    """The steps of a gradient descent that the link was told of, since optax's own chain tells it nothing."""
    if settings.momentum is None:
        raise ArgumentError(
            "a link in optax.chain does not see the links before it, so this one cannot know how far they step: use "
            "shrinkage.optax.chain in its place, or, behind plain gradient descent, give learning_rate and momentum "
            "(0 for none)"
        )
    rate: Any = settings.learning_rate
    rate = rate(state.count) if callable(rate) else rate
    scale = momentum_scale(state.buffers[0], settings.momentum)
    numbers = -rate * step_scale(scale, settings.momentum, settings.nesterov)
    momentum = settings.momentum
    return [Step(numbers[k], momentum=momentum) for k in range(len(jax.tree.leaves(params)))], (scale,)


def _agree(learning_rate: Any, before: Any, steps: list[Step]) -> None:
    """Refuse a learning rate that contradicts the links, where all of them are numbers."""
    if not isinstance(learning_rate, (int, float)) or not steps:
        return
    for step in steps:
        known = isinstance(step.number, (int, float))
        if known and step.number != 0 and abs(step.number + learning_rate) > 1e-6 * learning_rate:
            raise ArgumentError(
                f"learning_rate is {learning_rate}, and the links before step by {-step.number} times the gradient: "
                "leave learning_rate out, the chain knows it"
            )


def _apply(
    settings: Settings,
    formula: Formula,
    updates: Any,
    state: PenaltyState,
    params: Any,
    known: tuple[list[Step], tuple[Any, ...]],
) -> tuple[Any, PenaltyState]:
    steps, buffers = known
    leaves, structure = jax.tree.flatten(params)
    moves = structure.flatten_up_to(updates)
    penalties = penalties_of(settings.penalty, settings.mask, params)
    memories = [structure.flatten_up_to(tree) for tree in state.memory]
    warmup = settings.warmup_steps
    begun = (isinstance(warmup, int) and warmup == 0) or state.count >= warmup
    strength: Any = settings.strength
    factor: Any = strength(state.count) if callable(strength) else strength
    factor = jnp.maximum(factor, 0.0) if callable(strength) else factor
    new_moves, new_memories, sizes = [], [list(kept) for kept in memories], []
    for k, (w, u, step, penalty) in enumerate(zip(leaves, moves, steps, penalties, strict=True)):
        last = state.metric_rms[k]
        if penalty is None or u is None or _is_off(penalty, factor):
            new_moves.append(u)
            sizes.append(last)
            continue
        w, u = jnp.asarray(w), jnp.asarray(u)
        leaf, size = _leaf(settings, _scaled(penalty, factor), w, u, step, last, begun)
        new, kept = formula(leaf, tuple(each[k] for each in memories))
        new_moves.append(_difference(leaf, new, u, w))
        for place, value in enumerate(kept):
            new_memories[place][k] = value
        sizes.append(jnp.where(step.fired, size, last))
    rms = jnp.stack([jnp.asarray(x, state.metric_rms.dtype) for x in sizes]) if sizes else state.metric_rms
    memory = tuple(jax.tree.unflatten(structure, each) for each in new_memories)
    count = jnp.where(_any_fired(steps), optax.safe_increment(state.count), state.count)
    return jax.tree.unflatten(structure, new_moves), PenaltyState(count, rms, buffers, memory)


def _any_fired(steps: list[Step]) -> Any:
    fired: Any = not steps
    for step in steps:
        fired = jnp.logical_or(fired, step.fired)
    return fired


def _leaf(settings: Settings, penalty: Any, w: Any, u: Any, step: Step, last: Any, begun: Any) -> tuple[Leaf, Any]:
    """Return a tensor with its step in the floored metric, and the root mean square of the metric."""
    kind = jnp.promote_types(jnp.promote_types(w.dtype, u.dtype), jnp.float32)
    weight, moved = w.astype(kind), u.astype(kind)
    length: Any = -step.number
    if isinstance(length, (int, float)) and length < 0:
        raise ArgumentError(
            f"the links before move weights along their gradients, by {-length} times them: a minimizer moves against "
            "them; scale by a negative number, as optax.scale_by_learning_rate does"
        )
    size = last
    if step.metric is not None:
        size = step.size.astype(last.dtype)
        before = jnp.where(last < 0, size, last)
        floor = jnp.where(jnp.isfinite(before), settings.metric_floor * before, 0.0).astype(kind)
        metric = step.metric.astype(kind)
        moved = moved * jnp.where(metric < floor, metric * (1.0 / floor), 1.0)
        length = jnp.where(before != 0, length, 0.0).astype(kind) / jnp.maximum(metric, floor)
    longest = longest_step(penalty, step.momentum)
    if longest is not None:
        moved = jnp.where(length > longest, moved * (longest / jnp.maximum(length, longest)), moved)
        length = jnp.minimum(length, longest)
    active = _both(begun, _is_positive(penalty.alpha))
    return Leaf(penalty, weight, moved, jnp.asarray(length, kind), active, step.fired, _is_nonzero(step.number)), size


def _both(one: Any, other: Any) -> Any:
    """`one` and `other`, as Python's truth where that decides."""
    if one is True or other is True:
        return other if one is True else one
    return jnp.logical_and(one, other)


def _is_positive(alpha: Any) -> Any:
    return alpha > 0 if isinstance(alpha, (int, float)) else jnp.any(jnp.asarray(alpha) > 0)


def _is_nonzero(number: Any) -> Any:
    return number != 0 if isinstance(number, (int, float)) else jnp.asarray(number) != 0


def _difference(leaf: Leaf, new: Any, u: Any, w: Any) -> Any:
    """What to add to the weights so that they become `new`, minus the weights exactly where that is 0; u when off."""
    kind = jnp.promote_types(u.dtype, w.dtype)
    on = _both(leaf.active, leaf.fired)
    change = (new - leaf.weight).astype(kind)
    return change if on is True else jnp.where(on, change, u.astype(kind))


def _is_off(penalty: Any, factor: Any) -> bool:
    return any(isinstance(x, (int, float)) and x == 0 for x in (penalty.alpha, factor))


def _scaled(penalty: Any, factor: Any) -> Any:
    if isinstance(factor, (int, float)) and factor == 1:
        return penalty
    return penalty.with_alpha(penalty.alpha * factor)


def strengths_of(penalty: Any, like: Any) -> tuple[Any, Any]:
    """The multipliers of |w| and of ½ w² of an elastic net; a Python number where that is one."""
    strength = penalty.alpha if isinstance(penalty.alpha, (int, float)) else jnp.asarray(penalty.alpha, like.dtype)
    if penalty.factors is not None:
        strength = strength * jnp.asarray(penalty.factors, like.dtype)
    ratio = float(penalty.l1_ratio)
    return (0.0 if ratio == 0 else strength * ratio), (0.0 if ratio == 1 else strength * (1.0 - ratio))
