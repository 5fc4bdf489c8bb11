"""How far each of torch's optimizers moves a weight for every unit of gradient: the step of its prox.

Each function, called right after a step, returns h with (new weight) = (old weight) - h · g, had every gradient so
far been g. Read from torch's `_single_tensor_*` functions, whose formulas its other implementations share.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from shrinkage.torch._local import local, root_mean_squares
from shrinkage.torch._optimizer import number
from shrinkage.torch._precision import widened
from shrinkage.training import (
    adagrad_scale,
    adam_corrections,
    momentum_scale,
    nadam_scale,
    radam_scale,
    steady_scale,
    step_scale,
)
from shrinkage.training import longest_step as longest

SCALE = "momentum_scale"
"""State of ours: the momentum buffer, had every gradient been 1; a number, for RMSprop one per weight."""

State = dict[str, Any]
Lengths = list[Any]


def step_lengths(kind: type, group: State, parameters: list[Tensor], states: list[State], alive: Any) -> Lengths:
    """Return the step of the prox for each parameter, and count the step in what momentum remembers.

    Parameters
    ----------
    kind : type
        One of `KNOWN`.
    alive : True or 0-d tensor
        False where a step of mixed precision was skipped on the device.

    Returns
    -------
    list
        Numbers or 0-d tensors where all weights of a tensor have one step, else local tensors; 0 for a tensor under a
        metric that has met no gradient.
    """
    return KNOWN[kind](group, parameters, states, alive)


def remembers(group: State) -> bool:
    """Say whether the optimizer's buffer is not normalized, so that its scale must be counted at every step."""
    return number(group.get("momentum", 0.0)) != 0


def ready_scale(kind: type, group: State, state: State) -> None:
    """Before a step: forget the scale of a buffer that is gone, and give one of unknown age that of a long run."""
    if not remembers(group):
        return
    if state.get("momentum_buffer") is None:
        state.pop(SCALE, None)
    elif SCALE not in state:
        steady = steady_scale(number(group["momentum"]), group.get("dampening", 0.0))
        if kind is torch.optim.RMSprop:
            inverse = _inverse_metric_rmsprop(group, [state["square_avg"]], [state])[0]
            _scale_of(state).copy_(inverse.mul_(steady))
        else:
            state[SCALE] = steady


def exact(value: Any, device: torch.device) -> Tensor:
    """Return a number or 0-d tensor as a 0-d tensor of the widest floating type of a device."""
    return torch.as_tensor(value, dtype=torch.float32 if device.type == "mps" else torch.float64, device=device)


def _sgd(group: State, parameters: list[Tensor], states: list[State], alive: Any) -> Lengths:
    lr, momentum = number(group["lr"]), number(group["momentum"])
    if momentum == 0:
        return [lr] * len(parameters)
    lengths = []
    for state in states:
        before = state.get(SCALE)
        scale = momentum_scale(before, momentum, group["dampening"])
        if isinstance(alive, Tensor):
            known = 0.0 if before is None else before
            scale = torch.where(alive, exact(scale, alive.device), exact(known, alive.device))
        state[SCALE] = scale
        lengths.append(lr * step_scale(scale, momentum, group["nesterov"]))
    return lengths


def _adam(group: State, parameters: list[Tensor], states: list[State], alive: Any) -> Lengths:
    beta1, beta2 = (number(beta) for beta in group["betas"])
    second = _wide(states, "max_exp_avg_sq" if group["amsgrad"] else "exp_avg_sq")
    corrections = [adam_corrections(_count(s), beta1, beta2)[1] for s in states]
    return _over_metric(parameters, second, [number(group["lr"])] * len(states), group["eps"], corrections)


def _nadam(group: State, parameters: list[Tensor], states: list[State], alive: Any) -> Lengths:
    beta1, beta2 = (number(beta) for beta in group["betas"])
    lr, lengths, corrections = number(group["lr"]), [], []
    for state in states:
        t = _count(state)
        lengths.append(lr * nadam_scale(t, number(state["mu_product"]), beta1, group["momentum_decay"]))
        corrections.append(adam_corrections(t, beta1, beta2)[1])
    return _over_metric(parameters, _wide(states, "exp_avg_sq"), lengths, group["eps"], corrections)


def _radam(group: State, parameters: list[Tensor], states: list[State], alive: Any) -> Lengths:
    beta1, beta2 = (number(beta) for beta in group["betas"])
    lr = number(group["lr"])
    rectified = [radam_scale(_count(s), beta2) for s in states]
    # Here ε is added before the correction for bias: d = (√v + ε) / √(1 - β₂ᵗ).
    scales = [lr * r * adam_corrections(_count(s), beta1, beta2)[1] for s, r in zip(states, rectified, strict=True)]
    second = _wide(states, "exp_avg_sq")
    lengths = _over_metric(parameters, second, scales, group["eps"])
    if all(isinstance(r, float) and r > 0 for r in rectified):
        return lengths
    # The first steps are not divided by a metric at all.
    norms = root_mean_squares(list(torch._foreach_norm(second)), parameters)
    return [
        torch.where(torch.as_tensor(r > 0, device=h.device), h, lr * _gate(norm))
        for h, r, norm in zip(lengths, rectified, norms, strict=True)
    ]


def _adagrad(group: State, parameters: list[Tensor], states: list[State], alive: Any) -> Lengths:
    lr = number(group["lr"])
    lengths = [lr * adagrad_scale(_count(s), group["lr_decay"]) for s in states]
    return _over_metric(parameters, _wide(states, "sum"), lengths, group["eps"])


def _rmsprop(group: State, parameters: list[Tensor], states: list[State], alive: Any) -> Lengths:
    inverse, lr = _inverse_metric_rmsprop(group, parameters, states), number(group["lr"])
    if remembers(group):
        # The buffer takes b ← μ b + g / d with the metric of its day, so its scale does too, weight by weight.
        scales = [_scale_of(state) for state in states]
        torch._foreach_mul_(scales, number(group["momentum"]))
        torch._foreach_add_(scales, inverse)
        return list(torch._foreach_mul(scales, lr))
    torch._foreach_mul_(inverse, lr)
    return inverse


def _scale_of(state: State) -> Tensor:
    """The local part of RMSprop's scale, one number for each weight, at least float32."""
    if SCALE not in state:
        wide = torch.promote_types(state["square_avg"].dtype, torch.float32)
        state[SCALE] = torch.zeros_like(state["square_avg"], dtype=wide)
    return local(state[SCALE])


def _inverse_metric_rmsprop(group: State, parameters: list[Tensor], states: list[State]) -> list[Tensor]:
    second, mean = _wide(states, "square_avg"), None
    if group["centered"]:
        mean = _wide(states, "grad_avg")
    return _over_metric(parameters, second, [1.0] * len(states), group["eps"], mean=mean)


def _over_metric(
    parameters: list[Tensor],
    second: list[Tensor],
    scales: list[Any],
    eps: float,
    corrections: list[Any] | None = None,
    mean: list[Tensor] | None = None,
) -> list[Tensor]:
    """Return scale / d for each tensor, d = √(v - m²) / correction + ε with v = `second`, m = `mean`.

    Where v is 0 no gradient was ever met, and with ε alone the step would be so long that the penalty erased the
    weight at once. Nothing but the penalty moves it, so that any metric has the right fixed point, and it gets the
    root mean square of √v over the tensor. A tensor that has met no gradient at all gets 0.
    """
    typical = root_mean_squares([v.sum().sqrt() for v in second], parameters)
    unmet = [number(v.amin()) == 0 if v.numel() else False for v in second]
    scales = [scale * _gate(rms) for scale, rms in zip(scales, typical, strict=True)]
    found: list[Tensor] = [torch.empty(0)] * len(second)
    for members, (v, *m), place in pieces([second] if mean is None else [second, mean]):
        metric = torch._foreach_sqrt(v)
        if m:
            metric = torch._foreach_addcmul(v, m[0], m[0], -1.0)
            torch._foreach_clamp_min_(metric, 0.0)
            torch._foreach_sqrt_(metric)
        for d, one, k in zip(metric, v, members, strict=True):
            if unmet[k] is not False:
                d.masked_fill_(one == 0, typical[k].to(d.dtype))
        if corrections is not None:
            torch._foreach_div_(metric, [corrections[k] for k in members])
        torch._foreach_add_(metric, eps)
        torch._foreach_reciprocal_(metric)
        torch._foreach_mul_(metric, [scales[k] for k in members])
        place(found, metric)
    return found


def longest_step(penalty: Any, group: dict[str, Any]) -> Any:
    """Return `shrinkage.training.longest_step` under the momentum (for Adam β₁) of a group."""
    return longest(penalty, number(group["betas"][0] if "betas" in group else group.get("momentum", 0.0)))


def starts_of(penalty: Any, group: State, weights: list[Tensor]) -> list[Any]:
    """Return what `shorten_` needs of weights before a step."""
    return [None if longest_step(penalty, group) is None else w.clone() for w in weights]


def shorten_(penalty: Any, group: State, starts: list[Any], weights: list[Tensor], steps: Lengths) -> Lengths:
    """Put weights that went too far for the prox of a penalty that is not convex back to a part of the way.

    Parameters
    ----------
    starts : list of tensors or None
        Where the weights were before the step; needed where `longest_step` is a number.
    steps : list
        As `step_lengths` returns them.

    Returns
    -------
    list
        The steps that the weights have now taken, none above `longest_step`.
    """
    most = longest_step(penalty, group)
    if most is None:
        return steps
    taken = []
    for start, w, h in zip(starts, weights, steps, strict=True):
        if start is None or (not isinstance(h, Tensor) and h <= most):
            taken.append(h)
            continue
        h = torch.as_tensor(h, device=w.device)
        part = (most / h).clamp_max(1.0)
        w.copy_(torch.where(h > most, start + (w - start) * part, w))
        taken.append(h.clamp_max(most))
    return taken


def pieces(lists: list[list[Tensor]]) -> Iterator[tuple[list[int], list[list[Tensor]], Callable[..., None]]]:
    """Cut large tensors of the CPU into pieces that stay in its cache from one operation to the next.

    Yields
    ------
    members, parts, place
        Which tensors; for each list their parts; a function (found, parts) that puts parts together in a list of
        whole tensors. Tensors that are not cut come all at once.
    """
    together = []
    for k, tensors in enumerate(zip(*lists, strict=True)):
        if not all(t.device.type == "cpu" and t.numel() > _PIECE and t.is_contiguous() for t in tensors):
            together.append(k)
            continue
        for at, parts in enumerate(zip(*(t.view(-1).split(_PIECE) for t in tensors), strict=True)):
            yield [k], [[part] for part in parts], partial(_place_piece, k, at * _PIECE, tensors[0])
    if together:
        yield together, [[each[k] for k in together] for each in lists], partial(_place_whole, together)


_PIECE = 1 << 16


def _place_piece(k: int, start: int, like: Tensor, found: list[Tensor], parts: list[Tensor]) -> None:
    if start == 0:
        found[k] = torch.empty_like(like)
    found[k].view(-1)[start : start + parts[0].numel()] = parts[0]


def _place_whole(members: list[int], found: list[Tensor], values: list[Tensor]) -> None:
    for k, value in zip(members, values, strict=True):
        found[k] = value


def _gate(rms: Tensor) -> Any:
    known = number(rms)
    return known.gt(0).to(known.dtype) if isinstance(known, Tensor) else float(known > 0)


def _count(state: State) -> Any:
    """The steps taken; 1 where a fused step was skipped before the first, so that no correction divides by 0."""
    step = number(state["step"])
    return step.clamp_min(1) if isinstance(step, Tensor) else max(step, 1)


def _wide(states: list[State], key: str) -> list[Tensor]:
    return widened([local(state[key]) for state in states])


KNOWN: dict[type, Callable[[State, list[Tensor], list[State], Any], Lengths]] = {
    torch.optim.SGD: _sgd,
    torch.optim.Adam: _adam,
    torch.optim.AdamW: _adam,
    torch.optim.NAdam: _nadam,
    torch.optim.RAdam: _radam,
    torch.optim.Adagrad: _adagrad,
    torch.optim.RMSprop: _rmsprop,
}
"""The optimizers whose step is known; their children are other optimizers."""
