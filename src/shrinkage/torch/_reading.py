"""What the state of an optimizer says of one parameter: its metric, its last step, its mean gradient, its decay.

Every optimizer here moves a weight by lr · pull · g / d per step when its gradient stays g; `Reading` holds these two,
d and pull, as of the last step. Classes that are not listed are not guessed at.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from shrinkage._errors import ArgumentError
from shrinkage.torch._adam import floors_of
from shrinkage.torch._dual import is_grouped
from shrinkage.torch._local import is_sharded, local, needs_whole, part_of, whole_and_back
from shrinkage.torch._optimizer import number
from shrinkage.torch._plan import Plan
from shrinkage.training import (
    adagrad_scale,
    adam_corrections,
    decay_share,
    from_plain,
    is_free,
    nadam_parts,
    nadam_scale,
    one_step_per_group,
    radam_scale,
    steady_scale,
    step_scale,
)

State = dict[str, Any]


@dataclass(frozen=True)
class Reading:
    """One parameter as its optimizer sees it.

    Attributes
    ----------
    group : int
        Place of its parameter group.
    lr, peak_lr : float
        Learning rate now, and the largest that the group remembers (`initial_lr`, `max_lr`, `base_lr`).
    penalty : Penalty or None
        Of the group, or of a `Proximal` that follows the optimizer.
    by_metric : bool
        Whether the prox takes the optimizer's own step; False where a `Proximal` with decoupled semantics takes lr.
    weight_decay : float
    decay : str or None
        "coupled" (added to the gradient), "decoupled" (weights are multiplied); None where nobody knows.
    share : float or None
        A decoupled step multiplies the weights by 1 - share.
    step : int or None
    readable : bool
        Whether metric and pull are known.
    pull : float
    terms : tuple of (tensor, coefficient, divided)
        The last step is lr · Σ coefficient · tensor, divided by d where `divided`; empty where unknown.
    average : (tensor, coefficient) or None
        coefficient · tensor is the mean gradient, coupled decay included.
    second, correction, eps, floor, mean
        d = max(√(second - mean²) / correction + eps, floor); second None stands for d = 1.
    shared : tuple or None
        Penalty and parameter of an optimizer that gives each group of weights one d, until `settled`.
    common : tensor or None
        d itself, of a flattened local part, once it is settled.
    momentum : tuple or None
        μ, dampening and Nesterov of a buffer that is not normalized, under which coupled decay repeats.
    sign : float
        -1 where the optimizer maximizes.
    """

    group: int
    lr: float
    peak_lr: float
    penalty: Any
    weight_decay: float
    decay: str | None
    share: float | None
    step: int | None
    readable: bool = False
    pull: float = 1.0
    terms: tuple[tuple[Tensor, float, bool], ...] = ()
    average: tuple[Tensor, float] | None = None
    second: Tensor | None = None
    correction: float = 1.0
    eps: float = 0.0
    floor: Tensor | None = None
    mean: Tensor | None = None
    shared: tuple[Any, Tensor] | None = None
    common: Tensor | None = None
    momentum: tuple[float, float, bool] | None = None
    sign: float = 1.0
    by_metric: bool = True

    def penalty_step(self, metric: Tensor | float) -> Tensor | float | None:
        """Return the prox step of each weight, which the slope of the penalty is multiplied by; None where unknown."""
        if not self.by_metric:
            return self.lr
        return self.lr * self.pull / metric if self.readable else None

    def settled(self) -> "Reading":
        """Return the reading with one d for each group where the optimizer takes it so, which needs whole groups."""
        if self.shared is None:
            return self
        penalty, p = self.shared
        metric = torch.as_tensor(self.metric(slice(None)))
        step = torch.where(metric > 0, metric.reciprocal(), 0.0).reshape(local(p).shape)
        gathered = is_sharded(p) and needs_whole(penalty, p)
        step = whole_and_back(p, step) if gathered else step
        _, step = one_step_per_group(penalty, torch.zeros_like(step), step)
        step = part_of(p, step) if gathered else step
        return replace(self, shared=None, common=step.reciprocal().reshape(-1))

    def metric(self, part: Any) -> Tensor | float:
        """Return d at a slice or at indices of the flattened local tensor; 1 for plain gradient steps."""
        if self.common is not None:
            return self.common[part]
        if self.second is None:
            return 1.0
        second = flat(self.second)[part].to(torch.promote_types(self.second.dtype, torch.float32))
        if self.mean is not None:
            second = (second - flat(self.mean)[part].square()).clamp_min(0.0)
        metric = second.sqrt()
        if self.correction != 1.0:
            metric = metric / self.correction
        metric = metric + self.eps
        return metric if self.floor is None else torch.maximum(metric, self.floor.to(metric))

    def last_step(self, part: slice, metric: Tensor | float) -> Tensor | None:
        """Return what the last step took from the weights because of gradients; None where unknown."""
        total = None
        for tensor, coefficient, divided in self.terms:
            term = (self.lr * coefficient) * flat(tensor)[part].to(torch.promote_types(tensor.dtype, torch.float32))
            term = term / metric if divided else term
            total = term if total is None else total + term
        return total


def plan_of(model: Any, optimizer: Any, plan: Plan | None) -> Plan:
    """Return the plan that says roles and rules: the one given, the optimizer's, or a fresh one."""
    if plan is not None and not isinstance(plan, Plan):
        raise ArgumentError(f"plan must be a Plan or None; got {type(plan).__name__}")
    if not isinstance(model, (Plan, torch.nn.Module)):
        raise ArgumentError(f"model must be a Module or a Plan; got {type(model).__name__}")
    if isinstance(model, Plan):
        return model
    if plan is not None:
        return plan
    own = getattr(optimizer, "plan", None)
    return own if isinstance(own, Plan) else Plan(model)


def applies_penalties(inner: torch.optim.Optimizer) -> bool:
    """Say whether penalties act: in our optimizers, and through a `Proximal` on torch's."""
    return type(inner).__module__.startswith("shrinkage.torch.") or follower_of(inner) is not None


def follower_of(inner: torch.optim.Optimizer) -> Any:
    """Return the `Proximal` that follows an optimizer, None where there is none."""
    owners = [getattr(hook, "__self__", None) for hook in inner._optimizer_step_post_hooks.values()]
    return next((owner for owner in owners if type(owner).__module__ == "shrinkage.torch._proximal"), None)


def flat(tensor: Any) -> Tensor:
    """Return the local part as a vector, a view where memory allows."""
    return local(tensor).detach().reshape(-1)


def unwrapped(optimizer: Any) -> torch.optim.Optimizer:
    """Return the optimizer inside wrappers that keep it as `.optimizer`."""
    while not isinstance(optimizer, torch.optim.Optimizer) or _is_wrapper(optimizer):
        inner = getattr(optimizer, "optimizer", None)
        if inner is None:
            raise ArgumentError(f"optimizer must be a torch.optim.Optimizer; got {type(optimizer).__name__}")
        optimizer = inner
    return optimizer


def _is_wrapper(optimizer: Any) -> bool:
    """Whether this is accelerate's or Lightning's wrapper, which look like the optimizers inside."""
    return any(kind.__name__ in ("AcceleratedOptimizer", "LightningOptimizer") for kind in type(optimizer).__mro__)


def kind_of(optimizer: torch.optim.Optimizer) -> str | None:
    """Return the name of the optimizer whose step it takes, where its state is known; None for all others.

    A child of a known class that defines its own `step` is another optimizer.
    """
    if type(optimizer).__module__.startswith("shrinkage.torch."):
        name = type(optimizer).__name__
        return f"our {name}" if name == "AdamW" else name
    owner = next(kind for kind in type(optimizer).__mro__ if "step" in vars(kind))
    return owner.__name__ if owner.__module__.startswith("torch.optim") else None


def readings(optimizer: torch.optim.Optimizer) -> dict[int, Reading]:
    """Return the reading of every parameter of an optimizer, by the parameter's id: one transfer from the device."""
    kind = kind_of(optimizer)
    parameters = [(k, p) for k, group in enumerate(optimizer.param_groups) for p in group["params"]]
    scalars = _scalars(optimizer.state.get(p, {}) for _, p in parameters)
    follower = follower_of(optimizer)
    assigned = {} if follower is None else {id(p): penalty for p, penalty in follower.penalized}
    found = {}
    for (k, p), numbers in zip(parameters, scalars, strict=True):
        group = optimizer.param_groups[k]
        known = {**optimizer.state.get(p, {}), **numbers}
        details = _READERS[kind](group, known, p) if kind in _READERS else {}
        reading = Reading(**_common(k, group, kind, numbers), **details)
        if follower is not None:
            by_metric = follower.semantics == "penalty"
            reading = replace(reading, penalty=assigned.get(id(p)), by_metric=by_metric)
        found[id(p)] = reading
    return found


def _common(k: int, group: dict[str, Any], kind: str | None, numbers: dict[str, float]) -> dict[str, Any]:
    lr, decay = float(group.get("lr", 0.0)), _decay_kind(group, kind)
    weight_decay = float(group.get("weight_decay", 0.0) or 0.0)
    remembered = ("initial_lr", "max_lr", "base_lr")
    peak = max([lr, *(float(group[key]) for key in remembered if group.get(key) is not None)])
    step = numbers.get("step")
    base = max(lr, float(group.get("base_lr") or 0.0))
    share = decay_share(lr, weight_decay, group.get("coupling", "lr") if base else "lr", base)
    return {
        "group": k,
        "lr": lr,
        "peak_lr": peak,
        "penalty": from_plain(group.get("penalty")),
        "weight_decay": weight_decay,
        "decay": decay,
        "share": share if decay == "decoupled" else None,
        "step": None if step is None else int(step),
        "sign": -1.0 if group.get("maximize") else 1.0,
    }


_DECOUPLED = {"AdamW", "our AdamW", "Adafactor", "Muon"}
_COUPLED = {"SGD", "Adagrad", "Adadelta", "RMSprop", "Adamax", "ASGD"} | {"ProxSGD", "DualSGD"}
_EITHER = {"Adam", "NAdam", "RAdam", "ProxAdam", "DualAdam"}


def _decay_kind(group: dict[str, Any], kind: str | None) -> str | None:
    if kind in _DECOUPLED or (kind in _EITHER and group.get("decoupled_weight_decay")):
        return "decoupled"
    return "coupled" if kind in _COUPLED | _EITHER else None


def _scalars(states: Iterable[State]) -> list[dict[str, float]]:
    """The 0-d entries of every state as numbers: those of one device travel together."""
    states = list(states)
    found: list[dict[str, float]] = [{} for _ in states]
    places: dict[torch.device, list[tuple[int, str, Tensor]]] = {}
    for row, state in enumerate(states):
        for key in ("step", "mu_product", "momentum_scale"):
            value = state.get(key)
            if isinstance(value, Tensor) and value.ndim == 0:
                places.setdefault(local(value).device, []).append((row, key, local(value)))
            elif isinstance(value, (int, float)):
                found[row][key] = float(value)
    for entries in places.values():
        values = torch.stack([value.detach().double() for *_, value in entries]).tolist()
        for (row, key, _), value in zip(entries, values, strict=True):
            found[row][key] = value
    return found


def _sgd(group: dict[str, Any], state: State, p: Tensor) -> State:
    mu, buffer = float(group.get("momentum", 0.0)), state.get("momentum_buffer")
    scale = state.get("momentum_scale")
    nesterov = bool(group.get("nesterov"))
    grad = None if p.grad is None else (p.grad, -1.0 if group.get("maximize") else 1.0)
    if not mu:
        return {"readable": True, "terms": ((*grad, False),) if grad else ()}
    damped = float(group.get("dampening", 0.0))
    pull = step_scale(scale or steady_scale(mu, damped), mu, nesterov)
    terms: tuple[Any, ...] = ()
    if buffer is not None and nesterov:
        terms = ((*grad, False), (buffer, mu, False)) if grad and not group["weight_decay"] else ()
    elif buffer is not None:
        terms = ((buffer, 1.0, False),)
    average = (buffer, 1.0 / scale) if buffer is not None and scale else None
    momentum = (mu, damped, nesterov)
    return {"readable": mu < 1, "pull": pull, "terms": terms, "average": average, "momentum": momentum}


def _adam(group: dict[str, Any], state: State, p: Tensor) -> State:
    if not state.get("step") or "exp_avg" not in state:
        return {}
    beta1, beta2 = (float(beta) for beta in group["betas"])
    first, second = adam_corrections(state["step"], beta1, beta2)
    metric = state.get("max_exp_avg_sq") if group.get("amsgrad") else None
    rms = state.get("metric_rms")
    return {
        "readable": True,
        "second": state["exp_avg_sq"] if metric is None else metric,
        "correction": second,
        "eps": float(group["eps"]),
        "floor": None if rms is None else _tensor(floors_of(group, [number(rms)])[0], p),
        "terms": ((state["exp_avg"], 1.0 / first, True),),
        "average": (state["exp_avg"], 1.0 / first),
    }


def _tensor(floor: Any, p: Tensor) -> Tensor:
    return torch.as_tensor(floor, device=local(p).device)


def _dual_adam(group: dict[str, Any], state: State, p: Tensor) -> State:
    read = _adam(group, state, p)
    penalty = from_plain(group.get("penalty"))
    return read | {"shared": (penalty, p)} if read and is_grouped(penalty) and not is_free(penalty) else read


def _nadam(group: dict[str, Any], state: State, p: Tensor) -> State:
    read = _adam(group, state, p)
    if not read:
        return {}
    beta1, t = float(group["betas"][0]), state["step"]
    known = (t, state["mu_product"], beta1, group["momentum_decay"])
    read["pull"] = nadam_scale(*known)
    read["terms"] = ()
    if p.grad is not None and not (group["weight_decay"] and not group.get("decoupled_weight_decay")):
        on_grad, on_average = nadam_parts(*known)
        sign = -1.0 if group.get("maximize") else 1.0
        read["terms"] = ((p.grad, sign * on_grad, True), (state["exp_avg"], on_average, True))
    return read


def _radam(group: dict[str, Any], state: State, p: Tensor) -> State:
    read = _adam(group, state, p)
    if not read:
        return {}
    rectified = radam_scale(state["step"], float(group["betas"][1]))
    tensor, coefficient, _ = read["terms"][0]
    if not rectified:
        return read | {"second": None, "terms": ((tensor, coefficient, False),)}
    terms = ((tensor, coefficient * rectified, True),)
    return read | {"eps": read["eps"] / read["correction"], "pull": rectified, "terms": terms}


def _adagrad(group: dict[str, Any], state: State, p: Tensor) -> State:
    if "sum" not in state or not state.get("step"):
        return {}
    pull = adagrad_scale(state["step"], float(group["lr_decay"]))
    sign = -1.0 if group.get("maximize") else 1.0
    terms = ((p.grad, sign * pull, True),) if p.grad is not None and not group["weight_decay"] else ()
    return {"readable": True, "second": state["sum"], "eps": float(group["eps"]), "pull": pull, "terms": terms}


def _rmsprop(group: dict[str, Any], state: State, p: Tensor) -> State:
    if "square_avg" not in state or not state.get("step"):
        return {}
    momentum, sign = float(group["momentum"]), -1.0 if group.get("maximize") else 1.0
    terms: tuple[Any, ...] = ((p.grad, sign, True),) if p.grad is not None and not group["weight_decay"] else ()
    if momentum:
        terms = ((state["momentum_buffer"], 1.0, False),)
    return {
        "readable": momentum < 1,
        "second": state["square_avg"],
        "mean": state.get("grad_avg") if group["centered"] else None,
        "eps": float(group["eps"]),
        "pull": 1.0 / (1.0 - momentum) if momentum < 1 else 1.0,
        "terms": terms,
    }


_READERS: dict[str | None, Callable[[dict[str, Any], State, Tensor], State]] = {
    "SGD": _sgd,
    "ProxSGD": _sgd,
    "DualSGD": _sgd,
    "Adam": _adam,
    "AdamW": _adam,
    "our AdamW": _adam,
    "ProxAdam": _adam,
    "DualAdam": _dual_adam,
    "NAdam": _nadam,
    "RAdam": _radam,
    "Adagrad": _adagrad,
    "RMSprop": _rmsprop,
}

READABLE = frozenset(_READERS)
"""The optimizers whose metric is known."""
