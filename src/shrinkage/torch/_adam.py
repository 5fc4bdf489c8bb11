"""Adam's moments and metric: one formula for the optimizers that are Adam with something after it."""

import math
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam

from shrinkage._errors import ArgumentError
from shrinkage.torch._local import is_sharded, local, root_mean_squares, sums_over_all_parts
from shrinkage.torch._metrics import longest_step
from shrinkage.torch._optimizer import check_count, check_lr, check_number, check_tensor_settings, number, refuse_sparse
from shrinkage.torch._precision import LOW, put_back, widened
from shrinkage.training import adam_corrections, is_free


@dataclass(frozen=True)
class Moments:
    """Parameters of one group with what Adam knows of them, as lists of one length; tensors are local parts."""

    parameters: list[Tensor]
    states: list[dict[str, Any]]
    weights: list[Tensor]
    gradients: list[Tensor]
    exp_avgs: list[Tensor]
    exp_avg_sqs: list[Tensor]
    max_exp_avg_sqs: list[Tensor]

    def widened(self) -> "Moments":
        """Return the same with float32 copies of what has low precision."""
        names = ("weights", "gradients", "exp_avgs", "exp_avg_sqs", "max_exp_avg_sqs")
        return replace(self, **{name: widened(getattr(self, name)) for name in names})

    def put_back(self, values: "Moments", stochastic: bool) -> None:
        """Round what `values`, made by `widened`, has become into these tensors."""
        put_back(self.weights, values.weights, stochastic)
        for name in ("exp_avgs", "exp_avg_sqs", "max_exp_avg_sqs"):
            put_back(getattr(self, name), getattr(values, name))

    def part(self, members: list[int]) -> "Moments":
        """Return some of the parameters."""
        return Moments(*([values[k] for k in members] if values else [] for values in vars(self).values()))

    def lists(self) -> tuple[list[Tensor], ...]:
        """Return the lists of tensors that a step reads or writes."""
        return self.weights, self.gradients, self.exp_avgs, self.exp_avg_sqs, self.max_exp_avg_sqs


@dataclass(frozen=True)
class Direction:
    """Where Adam would step: `displacements` -lr·m̂/d in the metric d, `steps` lr/d (0 where no gradient was met)."""

    displacements: list[Tensor]
    steps: list[Tensor]


def check_adam(lr: Any, betas: Any, eps: float, weight_decay: float) -> None:
    """Refuse arguments outside their ranges."""
    check_lr(lr)
    check_number("eps", eps)
    check_number("weight_decay", weight_decay)
    if not isinstance(betas, (tuple, list)) or len(betas) != 2 or not all(_is_share(beta) for beta in betas):
        raise ArgumentError(f"betas must be two numbers in [0, 1); got {betas!r}")


def check_settings(group: dict[str, Any]) -> None:
    """Refuse settings outside their ranges that the penalized optimizers with Adam's metric share."""
    check_adam(group["lr"], group["betas"], group["eps"], group["weight_decay"])
    check_tensor_settings(group)
    check_number("metric_floor", group["metric_floor"])
    check_count("warmup_steps", group["warmup_steps"])


def _is_share(beta: Any) -> bool:
    if isinstance(beta, Tensor) and beta.numel() != 1:
        return False
    return not isinstance(beta, bool) and isinstance(beta, (Real, Tensor)) and 0 <= float(beta) < 1


def ready_state(optimizer: Any, p: Tensor, group: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a parameter, made as torch's Adam makes it at the first step."""
    state = optimizer.state[p]
    if "exp_avg" not in state:
        on_device = group["capturable"] or group["fused"]
        scalar = torch.float64 if torch.get_default_dtype() is torch.float64 and not group["fused"] else torch.float32
        state["step"] = torch.zeros((), dtype=scalar, device=p.device if on_device else "cpu")
        state["exp_avg"] = torch.zeros_like(p, memory_format=torch.preserve_format)
        state["exp_avg_sq"] = torch.zeros_like(p, memory_format=torch.preserve_format)
    if group["amsgrad"] and "max_exp_avg_sq" not in state:
        state["max_exp_avg_sq"] = torch.zeros_like(p, memory_format=torch.preserve_format)
    return state


def split_by_penalty(optimizer: Any, group: dict[str, Any]) -> tuple[list[Tensor], list[Tensor]]:
    """Return the parameters that step as in torch, and those that a penalty acts on now; all have a gradient."""
    free, penalized = [], []
    warmup = group["warmup_steps"]
    for p in group["params"]:
        if p.grad is None:
            continue
        refuse_sparse(p)
        state = ready_state(optimizer, p, group)
        done = number(state["step"]) if warmup else warmup
        waits = not isinstance(done, Tensor) and done < warmup  # counts on a device are not read: `advance` waits there
        (free if waits or is_free(group["penalty"]) else penalized).append(p)
    return free, penalized


def moments_of(optimizer: Any, group: dict[str, Any], parameters: list[Tensor]) -> Moments:
    """Return the lists of one group."""
    states = [optimizer.state[p] for p in parameters]
    largest = [local(s["max_exp_avg_sq"]) for s in states] if group["amsgrad"] else []
    return Moments(
        parameters,
        states,
        [local(p) for p in parameters],
        [local(p.grad) for p in parameters],
        [local(s["exp_avg"]) for s in states],
        [local(s["exp_avg_sq"]) for s in states],
        largest,
    )


def torch_adam(group: dict[str, Any], m: Moments, weight_decay: float, decoupled: bool = False) -> None:
    """Take the step of torch's Adam, by torch's own function."""
    if not m.weights:
        return
    beta1, beta2 = group["betas"]
    adam(
        m.weights,
        m.gradients,
        m.exp_avgs,
        m.exp_avg_sqs,
        m.max_exp_avg_sqs,
        [s["step"] for s in m.states],
        foreach=group["foreach"],
        capturable=group["capturable"],
        differentiable=group["differentiable"],
        fused=group["fused"],
        has_complex=any(w.is_complex() for w in m.weights),
        decoupled_weight_decay=decoupled,
        amsgrad=group["amsgrad"],
        beta1=beta1,
        beta2=beta2,
        lr=group["lr"],
        weight_decay=weight_decay,
        eps=group["eps"],
        maximize=group["maximize"],
    )


def advance(group: dict[str, Any], m: Moments, coupled_decay: float) -> Direction:
    """Count the step, update the moments (of `m`, in place), and return the direction in the floored metric.

    d = max(√v̂ + ε, floor), with the floor of `floors_of`, rms the root mean square of √v̂ over the tensor one step
    before.
    """
    beta1, beta2 = (number(beta) for beta in group["betas"])
    metric_before(group, m, coupled_decay)
    torch._foreach_add_([s["step"] for s in m.states], 1.0)
    corrections = [adam_corrections(number(s["step"]), beta1, beta2) for s in m.states]
    gradients = m.gradients
    if group["maximize"]:
        gradients = list(torch._foreach_neg(gradients))
    if coupled_decay:
        gradients = torch._foreach_add(gradients, m.weights, alpha=coupled_decay)
    _average_(m, gradients, beta1, beta2)
    second = m.exp_avg_sqs
    if group["amsgrad"]:
        torch._foreach_maximum_(m.max_exp_avg_sqs, m.exp_avg_sqs)
        second = m.max_exp_avg_sqs
    metric = torch._foreach_sqrt(second)
    torch._foreach_div_(metric, [c[1] for c in corrections])
    gates = _begun(group, m, _floor_(group, m, list(metric)))
    displacements = torch._foreach_div(m.exp_avgs, metric)
    lr = number(group["lr"])
    torch._foreach_mul_(displacements, [-(lr / c[0]) for c in corrections])
    steps = torch._foreach_reciprocal(metric)
    torch._foreach_mul_(steps, [lr * gate for gate in gates])
    return Direction(list(displacements), list(steps))


def _average_(m: Moments, gradients: Any, beta1: Any, beta2: Any) -> None:
    """Update the moments; betas on a device are not waited for."""
    torch._foreach_mul_(m.exp_avg_sqs, beta2)
    if not isinstance(beta1, Tensor):
        torch._foreach_lerp_(m.exp_avgs, gradients, 1.0 - beta1)
        torch._foreach_addcmul_(m.exp_avg_sqs, gradients, gradients, 1.0 - beta2)
        return
    for first, second, g in zip(m.exp_avgs, m.exp_avg_sqs, gradients, strict=True):
        first.lerp_(g, (1.0 - beta1).to(first))
        second.add_(g.square().mul_(1.0 - beta2))


def _floor_(group: dict[str, Any], m: Moments, metric: list[Tensor]) -> list[Any]:
    """Add ε to √v̂ and raise it to its floor; return 1 for tensors that have met a gradient, else 0."""
    now = root_mean_squares(finite_norms(metric), m.parameters)
    last = []
    for state, rms in zip(m.states, now, strict=True):
        last.append(number(state["metric_rms"].clone()))
        state["metric_rms"].copy_(rms)
    torch._foreach_add_(metric, group["eps"])
    floors = floors_of(group, last)
    if all(isinstance(floor, float) for floor in floors):
        if any(floors):
            torch._foreach_clamp_min_(metric, floors)
    else:
        torch._foreach_maximum_(metric, floors)
    return [float(rms != 0) if isinstance(rms, float) else (rms != 0).to(metric[0].dtype) for rms in last]


def _begun(group: dict[str, Any], m: Moments, gates: list[Any]) -> list[Any]:
    """Return the gates, closed on the device for tensors in their warm-up whose counts of steps are there."""
    if not group["warmup_steps"]:
        return gates
    counts = [number(state["step"]) for state in m.states]
    return [
        torch.where(count > group["warmup_steps"], gate, 0.0) if isinstance(count, Tensor) else gate
        for count, gate in zip(counts, gates, strict=True)
    ]


def floors_of(group: dict[str, Any], last: list[Any]) -> list[Any]:
    """Return the floors of d, from the root mean squares of √v̂ of the step before; numbers where these are.

    metric_floor · rms, none where rms is not finite; and under a penalty that is not convex at least so much that no
    step lr/d is longer than `longest_step`.
    """
    longest = longest_step(group["penalty"], group)
    least: Any = 0.0 if longest is None else number(group["lr"]) / longest
    floors = []
    for rms in last:
        if isinstance(rms, float):
            floor = group["metric_floor"] * rms if math.isfinite(rms) else 0.0
            floors.append(max(floor, least) if isinstance(least, float) else least.clamp_min(floor))
        else:
            floor = torch.where(torch.isfinite(rms), group["metric_floor"] * rms, 0.0)
            floors.append(floor.clamp_min(least) if isinstance(least, float) else torch.maximum(floor, least.to(floor)))
    return floors


def finite_norms(tensors: list[Tensor]) -> list[Tensor]:
    """Return the norm of each tensor, over those of its numbers whose squares are finite."""
    if torch.compiler.is_compiling() or any(tensor.device.type != "cpu" for tensor in tensors):
        return list(torch._foreach_norm([_squarable(tensor) for tensor in tensors]))
    norms = list(torch._foreach_norm(tensors))
    for k, norm in enumerate(norms):
        if not math.isfinite(float(norm)):
            norms[k] = torch.linalg.vector_norm(_squarable(tensors[k]))
    return norms


def _squarable(tensor: Tensor) -> Tensor:
    return torch.where(torch.isfinite(tensor * tensor), tensor, 0.0)


def _finite(tensor: Tensor) -> Tensor:
    return torch.nan_to_num(tensor, nan=0.0, posinf=0.0, neginf=0.0)


def metric_before(group: dict[str, Any], m: Moments, coupled_decay: float) -> None:
    """Where it is missing, set the rms of √v̂ to that of the last step, at a tensor's first step to that of |g|."""
    sign = -1.0 if group["maximize"] else 1.0
    for k, state in enumerate(m.states):
        if "metric_rms" in state:
            continue
        done = number(state["step"])
        if isinstance(done, Tensor) or done == 0:
            values, scale = m.gradients[k].to(at_least_float32(m.gradients[k])), 1.0
            if coupled_decay:
                values = values.add(m.weights[k], alpha=sign * coupled_decay)
        else:
            second = m.max_exp_avg_sqs[k] if group["amsgrad"] else m.exp_avg_sqs[k]
            values = second.to(at_least_float32(second)).sqrt()
            scale = adam_corrections(done, 0.0, float(group["betas"][1]))[1]
        state["metric_rms"] = root_mean_squares(finite_norms([values]), [m.parameters[k]])[0].div_(scale)


def at_least_float32(tensor: Tensor) -> torch.dtype:
    """Return the type in which a tensor is computed with."""
    return torch.float32 if tensor.dtype in LOW else tensor.dtype


def fused_step(group: dict[str, Any], m: Moments, kernel: Any, strengths: tuple[float, float], **more: Any) -> None:
    """Take the step in one pass over memory, by a function of `_fused`; `more` are its further arguments.

    Tensors that have met no gradient are stepped without the penalty.
    """
    metric_before(group, m, group["weight_decay"])
    torch._foreach_add_([s["step"] for s in m.states], 1.0)
    last = [float(state["metric_rms"]) for state in m.states]
    l1, l2 = ([strength if rms != 0 else 0.0 for rms in last] for strength in strengths)
    sums = kernel(
        m.weights,
        m.gradients,
        m.exp_avgs,
        m.exp_avg_sqs,
        m.max_exp_avg_sqs,
        steps=[float(s["step"]) for s in m.states],
        floors=floors_of(group, last),
        lr=float(group["lr"]),
        beta1=float(group["betas"][0]),
        beta2=float(group["betas"][1]),
        eps=group["eps"],
        weight_decay=group["weight_decay"],
        l1=l1,
        l2=l2,
        maximize=group["maximize"],
        **more,
    )
    note_metric(group, m, sums)


def note_metric(group: dict[str, Any], m: Moments, sums: list[float]) -> None:
    """Keep, after the fused step, the rms of √v̂ from the sums of v̂; over finite numbers where a sum is not."""
    seconds = m.max_exp_avg_sqs if group["amsgrad"] else m.exp_avg_sqs
    for k in [k for k, total in enumerate(sums) if not math.isfinite(total)]:
        correction = adam_corrections(float(m.states[k]["step"]), 0.0, float(group["betas"][1]))[1]
        sums[k] = float(_finite(seconds[k]).sum(dtype=torch.float64)) / correction**2
    if any(is_sharded(p) for p in m.parameters):
        sums = [float(t) for t in sums_over_all_parts([torch.tensor(total) for total in sums], m.parameters)]
    for state, total, p in zip(m.states, sums, m.parameters, strict=True):
        state["metric_rms"].fill_(math.sqrt(total / max(p.numel(), 1)))
