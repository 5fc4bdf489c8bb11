"""How far each of Keras' optimizers moves a weight for every unit of gradient: the step of its prox.

Each function, asked right after a step, returns h with (new weight) = (old weight) - h · g, had every gradient so far
been g. Read from `update_step` of Keras' optimizers, which differ from torch's: Adam adds ε before the correction for
bias, Adagrad and RMSprop add it under the root, and the learning rate is inside the velocity of SGD and RMSprop.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shrinkage._arrays import namespace_of
from shrinkage._errors import ArgumentError
from shrinkage.keras._values import held, ops, value
from shrinkage.training import adam_corrections, longest_step, nadam_scale, steady_scale, velocity_length

WRAPPERS = ("LossScaleOptimizer", "MultiOptimizer", "Proximal")


@dataclass(frozen=True)
class Length:
    """The step of each weight, and the longest that it may be.

    Attributes
    ----------
    step : 0-d tensor, or tensor of one step per weight
    most : 0-d tensor, number or None
        Above it the weight is put back to a part of its way; None where there is no bound.
    """

    step: Any
    most: Any


@dataclass(frozen=True)
class Metric:
    """step = lr · number / d; rms is the root mean square of d without its ε."""

    number: Any
    d: Any
    rms: Any


def kind_of(optimizer: Any) -> str:
    """Return the name of an optimizer whose step is known; refuse every other one in a sentence."""
    kind = type(optimizer)
    of_keras = kind.__module__.partition(".")[0] == "keras"
    if of_keras and kind.__name__ in _METRICS:
        return kind.__name__
    if kind.__name__ in WRAPPERS:
        raise ArgumentError(
            f"optimizer must be the one that steps; got a {kind.__name__}, which holds others: wrap those inside it, "
            f"as in LossScaleOptimizer(Proximal(Adam(), plan))"
        )
    whose = "" if of_keras else f" of {kind.__module__}, which may step in its own way"
    raise ArgumentError(
        f"optimizer must be one of {', '.join(_METRICS)} of Keras, whose step for every unit of gradient is known and "
        f"so the threshold of the prox; got {kind.__name__}{whose}"
    )


def remembers(optimizer: Any) -> bool:
    """Say whether an optimizer has a velocity, in which the learning rates of earlier steps live on."""
    return kind_of(optimizer) in ("SGD", "RMSprop") and optimizer.momentum > 0


def is_adaptive(optimizer: Any) -> bool:
    """Say whether each weight has a step of its own."""
    return kind_of(optimizer) != "SGD"


def momentum_of(optimizer: Any) -> float:
    """Return the share of itself that the optimizer's mean or velocity of gradients keeps."""
    return float(getattr(optimizer, "beta_1", getattr(optimizer, "momentum", 0.0)))


def length_of(optimizer: Any, place: int, penalty: Any, lr: Any, velocity: Any, metric_floor: float) -> Length:
    """Return the step that the variable at `place` has just taken; count it in `velocity`.

    Parameters
    ----------
    optimizer : of one of the known kinds
        Its state is that after the step, its count of steps that before.
    lr : 0-d tensor
        In the type that is computed in.
    velocity : keras.Variable or None
        What `velocity_length` remembers, where the optimizer `remembers`.
    metric_floor : float
        No weight has a metric below metric_floor · (root mean square of the metric over the tensor).
    """
    kind = kind_of(optimizer)
    most = longest_step(penalty, momentum_of(optimizer))
    if kind == "SGD":
        if velocity is None:
            return Length(lr, most)
        step = _advance(velocity, optimizer.momentum, lr)
        return Length(velocity_length(step, optimizer.momentum, lr) if optimizer.nesterov else step, most)
    metric = metric_of(optimizer, place, ops.cast(optimizer.iterations + 1, lr.dtype))
    number = lr * metric.number
    step, reach = number / metric.d, number
    if velocity is not None:
        step, reach = _advance(velocity, optimizer.momentum, step), number * steady_scale(optimizer.momentum)
    floor = ops.where(ops.isfinite(metric.rms), metric_floor * metric.rms, ops.zeros_like(metric.rms))
    bounded = floor > 0
    infinite = ops.zeros_like(floor) + float("inf")
    bound = ops.where(bounded, reach / ops.where(bounded, floor, ops.ones_like(floor)), infinite)
    bound = bound if most is None else ops.minimum(bound, most)
    # A tensor that has met no gradient is left alone: with ε as its only metric the penalty would erase it at once.
    return Length(step, ops.where(metric.rms == 0, ops.zeros_like(bound), bound))


def metric_of(optimizer: Any, place: int, count: Any) -> Metric:
    """Return the metric of the variable at `place` as of step number `count`, a 0-d tensor; SGD has none."""
    return _METRICS[kind_of(optimizer)](optimizer, place, count)


def steady_velocity(optimizer: Any, place: int, lr: Any) -> Any:
    """Return the velocity's length after a long run of one learning rate, for a velocity of unknown age."""
    length = lr * steady_scale(optimizer.momentum)
    if kind_of(optimizer) == "SGD":
        return length
    return length / _rmsprop(optimizer, place, 1).d


def clip_parts(optimizer: Any, gradients: Any) -> list[Any]:
    """Return by which number clipping by a norm multiplies each gradient; None where nothing clips by a norm."""
    if optimizer.clipnorm:
        return [None if g is None else _part(optimizer.clipnorm, ops.sum(ops.square(held(g)))) for g in gradients]
    if not optimizer.global_clipnorm:
        return [None] * len(gradients)
    squares = [ops.sum(ops.square(held(g))) for g in gradients if g is not None]
    part = _part(optimizer.global_clipnorm, sum(squares[1:], squares[0])) if squares else None
    return [part] * len(gradients)


def _part(largest: float, square: Any) -> Any:
    clips = square > largest**2
    return ops.where(clips, largest / ops.sqrt(ops.where(clips, square, ops.ones_like(square))), ops.ones_like(square))


def shortened(start: Any, now: Any, length: Length) -> tuple[Any, Any]:
    """Return weights and steps, with those that went further than `length.most` put back to that part of their way."""
    step, most = length.step, length.most
    if most is None:
        return now, step
    too_far = step > most
    xp = namespace_of(step)  # Keras' own minimum and where round float64 to float32 on torch
    part = most / xp.where(too_far, step, xp.ones_like(step))
    return xp.where(too_far, start + (now - start) * part, now), xp.where(too_far, xp.zeros_like(step) + most, step)


def _advance(velocity: Any, momentum: float, lr: Any) -> Any:
    now = velocity_length(ops.cast(value(velocity), lr.dtype), momentum, lr)
    velocity.assign(ops.cast(now, velocity.dtype))
    return now


def _adam(optimizer: Any, place: int, count: Any) -> Metric:
    second = held((optimizer._velocity_hats if optimizer.amsgrad else optimizer._velocities)[place])
    correction = adam_corrections(count, optimizer.beta_1, optimizer.beta_2)[1]
    return Metric(1.0, (ops.sqrt(second) + optimizer.epsilon) / correction, _rms(second) / correction)


def _nadam(optimizer: Any, place: int, count: Any) -> Metric:
    second = held(optimizer._velocities[place])
    correction = adam_corrections(count, optimizer.beta_1, optimizer.beta_2)[1]
    product = ops.cast(value(optimizer._u_product), count.dtype)
    number = nadam_scale(count, product, optimizer.beta_1, momentum_decay=1.0)
    return Metric(number, ops.sqrt(second) / correction + optimizer.epsilon, _rms(second) / correction)


def _adagrad(optimizer: Any, place: int, count: Any) -> Metric:
    second = held(optimizer._accumulators[place])
    return Metric(1.0, ops.sqrt(second + optimizer.epsilon), _rms(second))


def _rmsprop(optimizer: Any, place: int, count: Any) -> Metric:
    second = held(optimizer._velocities[place])
    if optimizer.centered:
        second = second - ops.square(held(optimizer._average_gradients[place]))
    return Metric(1.0, ops.sqrt(second + optimizer.epsilon), _rms(ops.maximum(second, 0.0)))


def _sgd(optimizer: Any, place: int, count: Any) -> Metric:
    raise AssertionError("SGD has no metric")


def _rms(second: Any) -> Any:
    return ops.sqrt(ops.mean(second))


_METRICS: dict[str, Callable[[Any, int, Any], Metric]] = {
    "SGD": _sgd,
    "Adam": _adam,
    "AdamW": _adam,
    "Nadam": _nadam,
    "Adagrad": _adagrad,
    "RMSprop": _rmsprop,
}
