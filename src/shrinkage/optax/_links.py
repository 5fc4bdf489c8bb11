"""How far the links of a chain move a weight for every unit of its gradient, read from the links and their states.

optax keeps the settings of a link in the closure of its `update` and nowhere else, so that is where they are read, by
their names; what a link remembers is read from its state. A link that is not in the table below is refused: nothing is
guessed.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import optax

from shrinkage._errors import ArgumentError
from shrinkage.optax._readers import CHANGED, READERS, Buffers, Step, arriving


def steps_of(
    transformation: Any, before: Any, after: Any, params: Any, buffers: Buffers, gradients: Any = None
) -> list[Step]:
    """Return the step of every leaf of `params`, between two states of a transformation.

    Without the `gradients` that it was called with, links that clip are taken as if they did not.

    Raises
    ------
    ArgumentError
        If a link is not known, or links stand in an order whose step is not known.
    """
    leaves, structure = jax.tree.flatten(params)
    arrived = [None] * len(leaves) if gradients is None else structure.flatten_up_to(gradients)
    start = [Step(arrived=gradient) for gradient in arrived]
    return _follow(transformation, start, before, after, params, buffers)


def buffers_at_start(transformation: Any, state: Any, params: Any) -> tuple[Any, ...]:
    """Return the scales that `steps_of` begins with; refuses the transformations that it refuses."""
    buffers = Buffers(None)

    def shapes() -> tuple[Any, ...]:
        gradients = jax.tree.map(lambda w: jnp.zeros(jnp.shape(w), jnp.result_type(float)), params)
        steps_of(transformation, state, state, params, buffers, gradients)
        return tuple(buffers.new)

    return tuple(jnp.zeros(x.shape, x.dtype) for x in jax.eval_shape(shapes))


def _follow(tx: Any, steps: list[Step], before: Any, after: Any, params: Any, buffers: Buffers) -> list[Step]:
    if isinstance(getattr(tx.update, "__self__", None), optax.MultiSteps):
        return _multi_steps(tx.update.__self__, steps, before, after, params, buffers)
    name = _name(tx)
    inside, reader = _COMBINERS.get(name), READERS.get(name)
    cells = _settings(tx.update)
    if inside is not None:
        return inside(cells, steps, before, after, params, buffers)
    if reader is None:
        raise ArgumentError(
            f"prox cannot tell how far the link {name!r} moves a weight for every unit of its gradient, so it does not "
            f"know its threshold; it knows {', '.join(sorted(READERS))}, and "
            f"{', '.join(sorted((*_COMBINERS, 'MultiSteps')))} of them"
        )
    return reader(cells, steps, before, after, buffers)


def _name(tx: Any) -> str:
    """The function of optax, or of ours, that made a link; else the whole name, which no table holds."""
    update = tx.update
    module, name = getattr(update, "__module__", ""), getattr(update, "__qualname__", repr(update))
    known = module.partition(".")[0] == "optax" or module.startswith("shrinkage.optax.")
    return name.partition(".")[0] if known else f"{module}.{name}"


class _Settings(dict[str, Any]):
    """What a link's `update` closes over, by name."""

    def __missing__(self, name: str) -> Any:
        raise ArgumentError(
            f"a link has no setting {name!r} where optax {optax.__version__} was expected to keep it, so the step is "
            "not known: install a release of optax from 0.2.5 to 0.2.8"
        )


def _settings(function: Any) -> dict[str, Any]:
    code, cells = getattr(function, "__code__", None), getattr(function, "__closure__", None) or ()
    names = getattr(code, "co_freevars", ())
    return _Settings((name, cell.cell_contents) for name, cell in zip(names, cells, strict=False))


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
    sums = jax.tree.leaves(before.acc_grads)
    if len(sums) == len(steps):
        at = iter(sums)
        steps = arriving(steps, lambda g: owner._acc_update(g, next(at), n_acc=before.mini_step))
    else:
        steps = arriving(steps, lambda g: CHANGED)
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
