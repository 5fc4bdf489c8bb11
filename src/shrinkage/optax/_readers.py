"""The steps that single links of optax take: each read from the link's settings and state, as `_links` follows them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import optax

from shrinkage._errors import ArgumentError
from shrinkage.training import adam_corrections, velocity_length


@dataclass(frozen=True)
class Step:
    """What the links so far make of a gradient of 1, had every gradient been 1: number / metric.

    Attributes
    ----------
    number : number or 0-d array
        The factor of all weights of a tensor; negative once a link has turned the direction.
    metric : array or None
        d, what each weight is divided by, such as √v̂ + ε.
    size : 0-d array or None
        Root mean square of √v̂ over the tensor.
    momentum : number
        The share of itself that a mean or a buffer of gradients keeps.
    fired : bool or 0-d array
        Whether this step is taken at all.
    arrived : array, CHANGED or None
        What arrives at the next link, as far as that is known: links that clip need its norm. None: none clips.
    """

    number: Any = 1.0
    metric: Any = None
    size: Any = None
    momentum: Any = 0.0
    fired: Any = True
    arrived: Any = None


CHANGED = object()
"""Stands for a gradient that a link has changed in a way that is not followed."""


@dataclass
class Buffers:
    """The scales of momentum buffers, one array for each link with one, with one number for each tensor.

    Attributes
    ----------
    known : tuple of arrays, or None
        Those of the last step; None asks what there will be.
    new : list of arrays
        Those of this step.
    """

    known: tuple[Any, ...] | None
    new: list[Any] = field(default_factory=list)

    def advance(self, numbers: list[Any], after: Callable[[Any, Any], Any]) -> list[Any]:
        """Return `after(number, last)` for every tensor, and remember it."""
        place = len(self.new)
        kind = jnp.result_type(float)
        last = jnp.zeros(len(numbers), kind) if self.known is None else self.known[place]
        now = [after(number, last[k]) for k, number in enumerate(numbers)]
        self.new.append(jnp.stack([jnp.asarray(x, last.dtype) for x in now]) if now else last)
        return now

    def keep_unless(self, fired: Any, start: int) -> None:
        """Undo what was remembered from `start` on where a step was not taken."""
        if self.known is None:
            return
        for k in range(start, len(self.new)):
            self.new[k] = jnp.where(fired, self.new[k], self.known[k])


# What moves weights itself. Each reader takes (settings, steps, state before, state after, buffers).


def _same(cells: Any, steps: list[Step], before: Any, after: Any, buffers: Buffers) -> list[Step]:
    return steps


def _changed(cells: Any, steps: list[Step], before: Any, after: Any, buffers: Buffers) -> list[Step]:
    return arriving(steps, lambda g: CHANGED)


def _no_nans(cells: Any, steps: list[Step], before: Any, after: Any, buffers: Buffers) -> list[Step]:
    return arriving(steps, lambda g: jnp.where(jnp.isnan(g), jnp.zeros_like(g), g))


def _clip(cells: Any, steps: list[Step], before: Any, after: Any, buffers: Buffers) -> list[Step]:
    _refuse_after(steps, "a link that clips", "on the gradient, before the links that make a step of it")
    return arriving(steps, lambda g: CHANGED)


def _clip_norm(cells: Any, steps: list[Step], before: Any, after: Any, buffers: Buffers) -> list[Step]:
    """All that arrives times min(1, most / its norm), and so is the step."""
    gradients = _to_clip(steps)
    if not gradients:
        return steps
    norm = optax.tree.norm(gradients)
    factor = jnp.where(norm < cells["max_norm"], 1.0, cells["max_norm"] / norm)
    return [_times(step, factor) for step in steps]


def _clip_rms(cells: Any, steps: list[Step], before: Any, after: Any, buffers: Buffers) -> list[Step]:
    """Each tensor times min(1, most / its root mean square)."""
    _to_clip(steps)
    found = []
    for step in steps:
        if step.arrived is None:
            found.append(step)
            continue
        rms = jnp.sqrt(jnp.mean(step.arrived**2))
        found.append(_times(step, 1.0 / jnp.maximum(1.0, rms / cells["threshold"])))
    return found


def _to_clip(steps: list[Step]) -> list[Any]:
    """What arrives at a link that clips by a norm, which must be known."""
    _refuse_after(steps, "a link that clips", "on the gradient, before the links that make a step of it")
    if any(step.arrived is CHANGED for step in steps):
        raise ArgumentError(
            "a link that clips by a norm shortens the prox's step as well, and prox knows the norm of the gradient "
            "itself alone: put the clipping before the links that add to it"
        )
    return [step.arrived for step in steps if step.arrived is not None]


def arriving(steps: list[Step], change: Callable[[Any], Any]) -> list[Step]:
    """The steps with what arrives at the next link changed, where anything is known of it."""
    return [
        step if step.arrived is None or step.arrived is CHANGED else replace(step, arrived=change(step.arrived))
        for step in steps
    ]


def _times(step: Step, factor: Any) -> Step:
    arrived = step.arrived
    if arrived is not None and arrived is not CHANGED:
        arrived = arrived * factor
    return replace(step, number=step.number * factor, arrived=arrived)


def _none(cells: Any, steps: list[Step], before: Any, after: Any, buffers: Buffers) -> list[Step]:
    return [replace(step, number=0.0) for step in steps]


def _scale(cells: Any, steps: list[Step], before: Any, after: Any, buffers: Buffers) -> list[Step]:
    return [_times(step, cells["step_size"]) for step in steps]


def _schedule(cells: Any, steps: list[Step], before: Any, after: Any, buffers: Buffers) -> list[Step]:
    factor = cells["step_size_fn"](before.count)
    return [_times(step, factor) for step in steps]


def _trace(cells: Any, steps: list[Step], before: Any, after: Any, buffers: Buffers) -> list[Step]:
    if any(step.metric is not None for step in steps):
        raise ArgumentError(
            "a momentum buffer behind a metric, as in optax.rmsprop(momentum=...), mixes the metrics of many steps, "
            "and prox does not follow it: put optax.trace before the metric, or use optax.adam"
        )
    decay = cells["decay"]
    numbers = [step.number for step in steps]
    numbers = buffers.advance(numbers, lambda number, last: velocity_length(last, decay, number))
    if cells["nesterov"]:
        numbers = [step.number + decay * number for step, number in zip(steps, numbers, strict=True)]
    return [replace(step, number=number, momentum=decay) for step, number in zip(steps, numbers, strict=True)]


def _moment(cells: Any, count: Any) -> tuple[Any, Any, Any]:
    """Return c, b1 and √(1 - b2ᵗ) of a link like Adam: it moves a weight by c g / d, had every gradient been g."""
    step = jnp.maximum(count, 1)
    b1 = cells["b1"]
    first, second = adam_corrections(step, b1, cells["b2"])
    c: Any = 1.0
    if cells.get("nesterov"):
        later, _ = adam_corrections(step + 1, b1, cells["b2"])
        c = b1 * first / later + (1.0 - b1) / first
    return c, b1, second


def _adam(cells: Any, steps: list[Step], before: Any, after: Any, buffers: Buffers) -> list[Step]:
    _refuse_after(steps, "a link with Adam's metric", "behind nothing that has a memory or a metric itself")
    c, b1, second = _moment(cells, after.count)
    return _over(steps, after.nu, second, cells["eps_root"], cells["eps"], c, b1)


def _belief(cells: Any, steps: list[Step], before: Any, after: Any, buffers: Buffers) -> list[Step]:
    return _adam({**cells, "eps_root": 0.0}, steps, before, after, buffers)  # it is in nu already


def _adamax(cells: Any, steps: list[Step], before: Any, after: Any, buffers: Buffers) -> list[Step]:
    _refuse_after(steps, "a link with Adam's metric", "behind nothing that has a memory or a metric itself")
    largest = jax.tree.map(lambda v: v * v, after.nu)  # of |g| itself, not of its square
    return _over(steps, largest, 1.0, 0.0, 0.0, 1.0, cells["b1"])


def _amsgrad(cells: Any, steps: list[Step], before: Any, after: Any, buffers: Buffers) -> list[Step]:
    _refuse_after(steps, "a link with Adam's metric", "behind nothing that has a memory or a metric itself")
    b1 = cells["b1"]
    c = 1.0 if cells["bias_correction_mu"] else adam_corrections(jnp.maximum(after.count, 1), b1, 0.0)[0]
    return _over(steps, after.nu_max, 1.0, cells["eps_root"], cells["eps"], c, b1)


def _rms(cells: Any, steps: list[Step], before: Any, after: Any, buffers: Buffers) -> list[Step]:
    return _mean_square(cells, steps, after.nu, _correction(cells, after))


def _stddev(cells: Any, steps: list[Step], before: Any, after: Any, buffers: Buffers) -> list[Step]:
    second = _correction(cells, after)
    # With s² = 1 - decayᵗ, v / s² - (m / s²)² is (v - (m / s)²) / s².
    centered = jax.tree.map(lambda v, m: jnp.maximum(v - (m / second) ** 2, 0.0).astype(v.dtype), after.nu, after.mu)
    return _mean_square(cells, steps, centered, second)


def _correction(cells: Any, after: Any) -> Any:
    """√(1 - decayᵗ) of a mean square that is corrected for bias, else 1."""
    return adam_corrections(jnp.maximum(after.count, 1), 0.0, cells["decay"])[1] if cells["bias_correction"] else 1.0


def _mean_square(cells: Any, steps: list[Step], squares: Any, second: Any) -> list[Step]:
    _refuse_after(steps, "a link with a metric", "behind nothing that has a memory or a metric itself")
    inside, outside = (cells["eps"], 0.0) if cells["eps_in_sqrt"] else (0.0, cells["eps"])
    return _over(steps, squares, second, inside, outside, 1.0, 0.0)


def _rss(cells: Any, steps: list[Step], before: Any, after: Any, buffers: Buffers) -> list[Step]:
    _refuse_after(steps, "a link with a metric", "behind nothing that has a memory or a metric itself")
    return _over(steps, after.sum_of_squares, 1.0, cells["eps"], 0.0, 1.0, 0.0)


def _over(steps: list[Step], squares: Any, second: Any, inside: Any, outside: Any, c: Any, b1: Any) -> list[Step]:
    """The steps times c, divided by d = √(v / second² + inside) + outside, with v = `squares`."""
    found = []
    for step, v in zip(steps, jax.tree.leaves(squares), strict=True):
        wide = v.astype(jnp.promote_types(v.dtype, jnp.float32))
        mean = wide * (1.0 / (second * second))
        exact = isinstance(inside, (int, float)) and inside == 0
        metric = (jnp.sqrt(mean) if exact else jnp.sqrt(mean + inside)) + outside
        size = jnp.sqrt(_mean(wide)) / second
        found.append(replace(step, number=step.number * c, metric=metric, size=size, momentum=b1))
    return found


def _mean(v: Any) -> Any:
    """The mean, over the finite numbers alone where others are among them."""
    if not v.size:
        return jnp.zeros([], v.dtype)
    mean = jnp.mean(v)
    rest = lambda: jnp.mean(jnp.where(jnp.isfinite(v), v, 0.0))  # noqa: E731
    return jax.lax.cond(jnp.isfinite(mean), lambda: mean, rest)


def _refuse_after(steps: list[Step], what: str, where: str) -> None:
    if any(step.metric is not None or not _is_zero(step.momentum) for step in steps):
        raise ArgumentError(f"prox follows {what} only {where}: another order makes a step that it does not know")


def _is_zero(number: Any) -> bool:
    return isinstance(number, (int, float)) and number == 0


READERS: dict[str, Callable[..., list[Step]]] = {
    **dict.fromkeys(["identity", "snapshot", "monitor"], _same),
    **dict.fromkeys(["add_decayed_weights", "add_noise"], _changed),
    "zero_nans": _no_nans,
    "clip": _clip,
    "clip_by_global_norm": _clip_norm,
    "clip_by_block_rms": _clip_rms,
    "set_to_zero": _none,
    "scale": _scale,
    "scale_by_schedule": _schedule,
    "trace": _trace,
    **dict.fromkeys(["scale_by_adam", "scale_by_yogi"], _adam),
    "scale_by_belief": _belief,
    "scale_by_adamax": _adamax,
    "scale_by_amsgrad": _amsgrad,
    "scale_by_rms": _rms,
    "scale_by_stddev": _stddev,
    "scale_by_rss": _rss,
    "l1_decay": _changed,
}
