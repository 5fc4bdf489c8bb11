"""How far the links of a chain move a weight for every unit of its gradient, read from the links and their states.

optax keeps the settings of a link in the closure of its `update` and nowhere else, so that is where they are read, by
their names; what a link remembers is read from its state. A link that is not in the table below is refused: nothing is
guessed.
"""

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
    """

    number: Any = 1.0
    metric: Any = None
    size: Any = None
    momentum: Any = 0.0
    fired: Any = True


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


def steps_of(transformation: Any, before: Any, after: Any, params: Any, buffers: Buffers) -> list[Step]:
    """Return the step of every leaf of `params`, between two states of a transformation.

    Raises
    ------
    ArgumentError
        If a link is not known, or links stand in an order whose step is not known.
    """
    start = [Step() for _ in jax.tree.leaves(params)]
    return _follow(transformation, start, before, after, params, buffers)


def buffers_at_start(transformation: Any, state: Any, params: Any) -> tuple[Any, ...]:
    """Return the scales that `steps_of` begins with; refuses the transformations that it refuses."""
    buffers = Buffers(None)

    def shapes() -> tuple[Any, ...]:
        steps_of(transformation, state, state, params, buffers)
        return tuple(buffers.new)

    return tuple(jnp.zeros(x.shape, x.dtype) for x in jax.eval_shape(shapes))


def _follow(tx: Any, steps: list[Step], before: Any, after: Any, params: Any, buffers: Buffers) -> list[Step]:
    if isinstance(getattr(tx.update, "__self__", None), optax.MultiSteps):
        return _multi_steps(tx.update.__self__, steps, before, after, params, buffers)
    name = _name(tx)
    inside, reader = _COMBINERS.get(name), _READERS.get(name)
    cells = _settings(tx.update)
    if inside is not None:
        return inside(cells, steps, before, after, params, buffers)
    if reader is None:
        raise ArgumentError(
            f"prox cannot tell how far the link {name!r} moves a weight for every unit of its gradient, so it does not "
            f"know its threshold; it knows {', '.join(sorted(_READERS))}, and "
            f"{', '.join(sorted((*_COMBINERS, 'MultiSteps')))} of them"
        )
    return reader(cells, steps, before, after, buffers)


def _name(tx: Any) -> str:
    """The function of optax, or of ours, that made a link; else the whole name, which no table holds."""
    update = tx.update
    module, name = getattr(update, "__module__", ""), getattr(update, "__qualname__", repr(update))
    known = module.partition(".")[0] == "optax" or module.startswith("shrinkage.optax.")
    return name.partition(".")[0] if known else f"{module}.{name}"


def _settings(function: Any) -> dict[str, Any]:
    code, cells = getattr(function, "__code__", None), getattr(function, "__closure__", None) or ()
    return {name: cell.cell_contents for name, cell in zip(getattr(code, "co_freevars", ()), cells, strict=False)}


# What holds other transformations.


def _chain(cells: Any, steps: list[Step], before: Any, after: Any, params: Any, buffers: Buffers) -> list[Step]:
    for update, one, other in zip(cells["update_fns"], before, after, strict=True):
        link = optax.GradientTransformationExtraArgs(optax.identity().init, update)
        steps = _follow(link, steps, one, other, params, buffers)
    return steps


def _named_chain(cells: Any, steps: list[Step], before: Any, after: Any, params: Any, buffers: Buffers) -> list[Step]:
    for name, link in cells["transforms"]:
        steps = _follow(link, steps, before[name], after[name], params, buffers)
    return steps


def _extra_args(cells: Any, steps: list[Step], before: Any, after: Any, params: Any, buffers: Buffers) -> list[Step]:
    return _follow(cells["tx"], steps, before, after, params, buffers)


def _masked(cells: Any, steps: list[Step], before: Any, after: Any, params: Any, buffers: Buffers) -> list[Step]:
    return _behind_mask(cells["inner"], cells["mask"], steps, before, after, params, buffers)


def _behind_mask(
    inner: Any, mask: Any, steps: list[Step], before: Any, after: Any, params: Any, buffers: Buffers
) -> list[Step]:
    if not steps:
        return _follow(inner, steps, before.inner_state, after.inner_state, params, buffers)
    made = mask(params) if _is_callable(mask) else mask
    flags = jax.tree.leaves(jax.tree.map(lambda on, part: jax.tree.map(lambda _: bool(on), part), made, params))
    part = jax.tree.map(lambda on, part: part if on else optax.MaskedNode(), made, params)
    chosen = [step for step, on in zip(steps, flags, strict=True) if on]
    found = iter(_follow(inner, chosen, before.inner_state, after.inner_state, part, buffers))
    return [next(found) if on else step for step, on in zip(steps, flags, strict=True)]


def _is_callable(mask: Any) -> bool:
    found = jax.tree.leaves(jax.tree.map(callable, mask))
    return bool(found) and all(found)


def _partition(cells: Any, steps: list[Step], before: Any, after: Any, params: Any, buffers: Buffers) -> list[Step]:
    labels = cells["param_labels"]
    labels = labels(params) if callable(labels) and steps else labels
    for group, inner in cells["transforms"].items():
        mask = jax.tree.map(lambda label, group=group: label == group, labels) if steps else True
        one, other = before.inner_states[group], after.inner_states[group]
        steps = _behind_mask(inner, mask, steps, one, other, params, buffers)
    return steps


def _inject(cells: Any, steps: list[Step], before: Any, after: Any, params: Any, buffers: Buffers) -> list[Step]:
    inner = cells["inner_factory"](**cells["other_hps"], **after.hyperparams)
    return _follow(inner, steps, before.inner_state, after.inner_state, params, buffers)


def _if_finite(cells: Any, steps: list[Step], before: Any, after: Any, params: Any, buffers: Buffers) -> list[Step]:
    fired = jnp.logical_or(after.last_finite, after.notfinite_count > cells["max_consecutive_errors"])
    return _gated(cells["inner"], steps, (before.inner_state, after.inner_state), params, buffers, fired)


def _multi_steps(owner: Any, steps: list[Step], before: Any, after: Any, params: Any, buffers: Buffers) -> list[Step]:
    fired = after.gradient_step != before.gradient_step
    states = before.inner_opt_state, after.inner_opt_state
    return _gated(owner.inner_opt, steps, states, params, buffers, fired)


def _gated(
    inner: Any, steps: list[Step], states: tuple[Any, Any], params: Any, buffers: Buffers, fired: Any
) -> list[Step]:
    start = len(buffers.new)
    steps = _follow(inner, steps, *states, params, buffers)
    buffers.keep_unless(fired, start)
    return [replace(step, fired=jnp.logical_and(fired, step.fired)) for step in steps]


_COMBINERS: dict[str, Callable[..., list[Step]]] = {
    "chain": _chain,
    "named_chain": _named_chain,
    "with_extra_args_support": _extra_args,
    "masked": _masked,
    "partition": _partition,
    "inject_hyperparams": _inject,
    "apply_if_finite": _if_finite,
}


# What moves weights itself. Each reader takes (settings, steps, state before, state after, buffers).


def _same(cells: Any, steps: list[Step], before: Any, after: Any, buffers: Buffers) -> list[Step]:
    return steps


def _clip(cells: Any, steps: list[Step], before: Any, after: Any, buffers: Buffers) -> list[Step]:
    _refuse_after(steps, "a link that clips", "on the gradient, before the links that make a step of it")
    return steps


def _none(cells: Any, steps: list[Step], before: Any, after: Any, buffers: Buffers) -> list[Step]:
    return [replace(step, number=0.0) for step in steps]


def _scale(cells: Any, steps: list[Step], before: Any, after: Any, buffers: Buffers) -> list[Step]:
    return [replace(step, number=step.number * cells["step_size"]) for step in steps]


def _schedule(cells: Any, steps: list[Step], before: Any, after: Any, buffers: Buffers) -> list[Step]:
    factor = cells["step_size_fn"](before.count)
    return [replace(step, number=step.number * factor) for step in steps]


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


_READERS: dict[str, Callable[..., list[Step]]] = {
    **dict.fromkeys(["identity", "add_decayed_weights", "add_noise", "zero_nans", "snapshot", "monitor"], _same),
    **dict.fromkeys(["clip", "clip_by_global_norm", "clip_by_block_rms", "adaptive_grad_clip"], _clip),
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
    "l1_decay": _same,
}
