"""What the state of a Keras optimizer says about each variable: the next penalty's step, the last gradient's step."""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from shrinkage._errors import ArgumentError
from shrinkage.keras import _lengths
from shrinkage.keras._plan import Plan
from shrinkage.keras._proximal import Proximal
from shrinkage.penalties import GroupL2, SparseGroup
from shrinkage.training import (
    StepReading,
    adam_corrections,
    longest_step,
    nadam_parts,
    one_step_per_group,
    steady_scale,
    velocity_length,
    wide,
)


def numbers_of(array: Any) -> np.ndarray:
    """Return a tensor or a variable as a NumPy array of its own type."""
    value = array.value if isinstance(array, keras.Variable) else array
    with warnings.catch_warnings():  # torch's and TensorFlow's arrays do not know NumPy's word `copy` yet
        warnings.simplefilter("ignore", DeprecationWarning)
        return np.asarray(keras.ops.convert_to_numpy(value))


def number_of(value: Any) -> float:
    """Return a 0-d tensor, a variable or a number as a number."""
    return float(value) if isinstance(value, (int, float)) else float(numbers_of(value))


def around(optimizer: Any) -> tuple[Any, Proximal | None]:
    """Return the optimizer that steps, and the `Proximal` around it, if there is one.

    Raises
    ------
    ArgumentError
        If it is no optimizer of Keras.
    """
    proximal = None
    while hasattr(optimizer, "inner_optimizer"):
        proximal = optimizer if isinstance(optimizer, Proximal) else proximal
        optimizer = optimizer.inner_optimizer
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise ArgumentError(f"optimizer must be an optimizer of Keras; got {type(optimizer).__name__}")
    return optimizer, proximal


def plan_of(model: Any, optimizer: Any, plan: Plan | None) -> Plan:
    """Return the plan that says roles and rules: the one given, the optimizer's, or a fresh one."""
    if plan is not None and not isinstance(plan, Plan):
        raise ArgumentError(f"plan must be a Plan or None; got {type(plan).__name__}")
    if isinstance(model, Plan):
        return model
    if not isinstance(model, keras.layers.Layer):
        raise ArgumentError(f"model must be a Keras model or a Plan; got {type(model).__name__}")
    if plan is not None:
        return plan
    proximal = None if optimizer is None else around(optimizer)[1]
    own = None if proximal is None else proximal.plan
    return own if isinstance(own, Plan) else Plan(model)


def readings(optimizer: Any, gradients: dict[int, np.ndarray]) -> dict[int, StepReading]:
    """Return the reading of every variable of an optimizer that is built, by the variable's id."""
    inner, proximal = around(optimizer)
    if not inner.built:
        return {}
    lr, step = number_of(inner.learning_rate), int(number_of(inner.iterations))
    known = is_known(inner)
    members = {} if proximal is None else {id(one.variable): one for one in proximal.acting}
    found = {}
    for place, variable in enumerate(inner._trainable_variables):
        member, details = members.get(id(variable)), {}
        if known and step:
            metric = _metric(inner, place, step)
            velocity = None if member is None else member.velocity
            details = _details(inner, place, lr, step, metric, velocity, gradients.get(id(variable)))
            if member is not None:
                details |= _bounded(inner, lr, metric, details, member.penalty, proximal)
        found[id(variable)] = StepReading(**_common(inner, variable, lr, step), **details)
    return found


def is_known(inner: Any) -> bool:
    """Say whether the step of an optimizer is known."""
    try:
        _lengths.kind_of(inner)
    except ArgumentError:
        return False
    return True


def _common(inner: Any, variable: Any, lr: float, step: int) -> dict[str, Any]:
    decay = float(inner.weight_decay or 0.0) if _decays(inner, variable) else 0.0
    own = type(inner)._apply_weight_decay
    ours = getattr(own, "__module__", "").partition(".")[0] == "keras"
    return {
        "lr": lr,
        "peak_lr": max(lr, _largest_rate(inner)),
        "weight_decay": decay,
        "decay": "decoupled" if ours else None,
        "share": lr * decay if ours else None,
        "step": step,
    }


def _decays(inner: Any, variable: Any) -> bool:
    """Say whether the optimizer's weight decay is for this variable."""
    if not inner.weight_decay:
        return False
    return bool(inner._use_weight_decay(variable))


def _largest_rate(inner: Any) -> float:
    """The largest learning rate that is written down: of a schedule what it starts from or warms up to."""
    schedule = getattr(inner, "_learning_rate", None)
    names = ("initial_learning_rate", "warmup_target")
    rates = [getattr(schedule, name, None) for name in names]
    return max([float(rate) for rate in rates if isinstance(rate, (int, float))], default=0.0)


@dataclass(frozen=True)
class _Metric:
    """step = lr · number / d; rms is the root mean square of d without its ε. Of SGD d is 1."""

    number: float = 1.0
    d: Any = 1.0
    rms: float = math.inf


def _metric(inner: Any, place: int, step: int) -> _Metric:
    if _lengths.kind_of(inner) == "SGD":
        return _Metric()
    found = _lengths.metric_of(inner, place, keras.ops.convert_to_tensor(float(step)))
    return _Metric(number_of(found.number), wide(numbers_of(found.d)), number_of(found.rms))


def _details(
    inner: Any, place: int, lr: float, step: int, metric: _Metric, velocity: Any, gradient: np.ndarray | None
) -> dict[str, Any]:
    """Step, mean gradient and last movement by the kind of the optimizer."""
    kind = _lengths.kind_of(inner)
    if kind == "SGD":
        return _sgd(inner, place, lr, step, velocity, gradient)
    length = lr * metric.number / metric.d
    found: dict[str, Any] = {"length": length}
    if kind == "Adagrad":
        return found | {"second": numbers_of(inner._accumulators[place])} | _moved_by(length, gradient)
    found["second"] = numbers_of(inner._velocities[place])
    if kind == "RMSprop":
        return found | _rmsprop(inner, place, step, length, velocity, gradient)
    mean = wide(numbers_of(inner._momentums[place]))
    found["average"] = mean / adam_corrections(step, inner.beta_1, inner.beta_2)[0]
    if kind != "Nadam":
        return found | {"moved": length * found["average"]}
    on_gradient, on_mean = nadam_parts(step, number_of(inner._u_product), inner.beta_1, 1.0)
    return found if gradient is None else found | {"moved": lr * (on_gradient * gradient + on_mean * mean) / metric.d}


def _moved_by(step: Any, gradient: np.ndarray | None) -> dict[str, Any]:
    return {} if gradient is None else {"moved": step * gradient}


def _sgd(inner: Any, place: int, lr: float, step: int, velocity: Any, gradient: np.ndarray | None) -> dict[str, Any]:
    mu = float(inner.momentum)
    if not mu:
        return {"length": lr} | _moved_by(lr, gradient)
    # Of a velocity whose learning rates nobody counted: as if they had all been today's.
    reach = lr * (1.0 - mu**step) * steady_scale(mu) if velocity is None else number_of(velocity)
    buffer = wide(numbers_of(inner.momentums[place]))
    found: dict[str, Any] = {"average": -buffer / reach} if reach else {}
    if not inner.nesterov:
        return found | {"length": reach, "moved": -buffer}
    found["length"] = velocity_length(reach, mu, lr)
    return found if gradient is None else found | {"moved": lr * gradient - mu * buffer}


def _rmsprop(
    inner: Any, place: int, step: int, length: np.ndarray, velocity: Any, gradient: np.ndarray | None
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if inner.centered:
        found["average"] = wide(numbers_of(inner._average_gradients[place])) / (1.0 - inner.rho**step)
    if not inner.momentum:
        return found | _moved_by(length, gradient)
    reach = length * steady_scale(inner.momentum) if velocity is None else wide(numbers_of(velocity))
    return found | {"length": reach, "moved": wide(numbers_of(inner._momentums[place]))}


def _bounded(
    inner: Any, lr: float, metric: _Metric, details: dict[str, Any], penalty: Any, proximal: Proximal
) -> dict[str, Any]:
    """The step as `Proximal` takes it: not beyond the metric's floor, one for each group under dual averaging."""
    length, most = np.asarray(details["length"]), longest_step(penalty, _lengths.momentum_of(inner))
    bound = math.inf if most is None else most
    if _lengths.is_adaptive(inner):
        reach = lr * metric.number * (steady_scale(inner.momentum) if _lengths.remembers(inner) else 1.0)
        floor = float(proximal.metric_floor) * metric.rms
        bound = 0.0 if metric.rms == 0 else min(bound, reach / floor) if floor > 0 else bound
    short = np.minimum(length, bound)
    found: dict[str, Any] = {}
    if details.get("moved") is not None and bound < math.inf:
        found["moved"] = details["moved"] * np.where(length > 0, short / np.where(length > 0, length, 1.0), 1.0)
    if proximal.dual and isinstance(penalty, (GroupL2, SparseGroup)) and short.ndim:
        _, short = one_step_per_group(penalty, np.zeros_like(short), short)
    return found | {"length": short}
