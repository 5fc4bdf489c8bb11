"""Gradient descent with momentum: one formula for the optimizers that are it with something after."""

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

import torch
from torch import Tensor
from torch.optim.sgd import sgd

from shrinkage._errors import ArgumentError
from shrinkage.torch._local import local
from shrinkage.torch._optimizer import check_count, check_lr, check_number, number, refuse_sparse
from shrinkage.torch._precision import put_back, widened
from shrinkage.training import is_free, momentum_scale, steady_scale, step_scale


@dataclass(frozen=True)
class Momenta:
    """Parameters of one group as lists of one length; tensors are local parts."""

    parameters: list[Tensor]
    states: list[dict[str, Any]]
    weights: list[Tensor]
    gradients: list[Tensor]

    buffers: list[Tensor]

    def lists(self) -> tuple[list[Tensor], ...]:
        """Return the lists of tensors that a step reads or writes."""
        return self.weights, self.gradients, self.buffers


def check_sgd(group: dict[str, Any]) -> None:
    """Refuse settings of SGD outside their ranges."""
    check_lr(group["lr"])
    momentum, dampening, nesterov = group["momentum"], group["dampening"], group["nesterov"]
    check_number("momentum", momentum)
    check_number("weight_decay", group["weight_decay"])
    check_count("warmup_steps", group["warmup_steps"])
    if isinstance(dampening, bool) or not isinstance(dampening, Real) or not math.isfinite(dampening):
        raise ArgumentError(f"dampening must be a finite number; got {dampening!r}")
    if nesterov and (momentum <= 0 or dampening != 0):
        raise ArgumentError(
            f"nesterov needs momentum > 0 and dampening = 0; got momentum={momentum}, dampening={dampening}"
        )


def split_sgd(optimizer: Any, group: dict[str, Any]) -> tuple[list[Tensor], list[Tensor]]:
    """Return the parameters that step as in torch, and those that a penalty acts on now; all have a gradient."""
    free, penalized = [], []
    for p in group["params"]:
        if p.grad is None:
            continue
        if group["penalty"] is None:
            free.append(p)
            continue
        refuse_sparse(p)
        state, waits = optimizer.state[p], False
        if group["warmup_steps"]:
            done = state.setdefault("step", torch.zeros((), dtype=torch.float32))
            waits = bool(done < group["warmup_steps"])
            done += 1
        (free if waits or is_free(group["penalty"]) else penalized).append(p)
    return free, penalized


def momenta_of(optimizer: Any, group: dict[str, Any], parameters: list[Tensor]) -> Momenta:
    """Return the lists of one group."""
    states = [optimizer.state[p] for p in parameters]
    buffers = [local(state["momentum_buffer"]) for state in states] if group["momentum"] != 0 else []
    return Momenta(parameters, states, [local(p) for p in parameters], [local(p.grad) for p in parameters], buffers)


def torch_sgd(optimizer: Any, group: dict[str, Any], parameters: list[Tensor]) -> None:
    """Take the step of torch's SGD, by torch's own function; scales are kept for penalties that begin later."""
    if not parameters:
        return
    states = [optimizer.state[p] for p in parameters]
    if group["momentum"] != 0 and group["penalty"] is not None:
        set_steady_scales(group, states)
        advance_lengths(group, states)
    buffers = [state.get("momentum_buffer") for state in states]
    gradients: list[Any] = [p.grad for p in parameters]
    sgd(
        parameters,
        gradients,
        buffers,
        has_sparse_grad=any(g.is_sparse for g in gradients),
        foreach=group["foreach"],
        fused=group["fused"],
        weight_decay=group["weight_decay"],
        momentum=group["momentum"],
        lr=group["lr"],
        dampening=group["dampening"],
        nesterov=group["nesterov"],
        maximize=group["maximize"],
    )
    if group["momentum"] != 0:
        for state, buffer in zip(states, buffers, strict=True):
            state["momentum_buffer"] = buffer


def ready_momenta(group: dict[str, Any], parameters: list[Tensor], states: list[dict[str, Any]]) -> list[bool]:
    """Make buffers and their scales where they are missing, and return who is at its first step."""
    if group["momentum"] == 0:
        return [False] * len(parameters)
    set_steady_scales(group, states)
    for p, state in zip(parameters, states, strict=True):
        if state.get("momentum_buffer") is None:
            state["momentum_buffer"] = torch.zeros_like(p, memory_format=torch.preserve_format)
            state["momentum_scale"] = torch.zeros((), dtype=torch.float64)
    return [bool(number(state["momentum_scale"]) == 0) for state in states]


def set_steady_scales(group: dict[str, Any], states: list[dict[str, Any]]) -> None:
    """Give buffers without a scale that of a long run: from torch's own SGD, or from before there was a penalty.

    Where the run was short, the error of this guess fades by the momentum at every step.
    """
    for state in states:
        if state.get("momentum_buffer") is not None and "momentum_scale" not in state:
            steady = steady_scale(group["momentum"], group["dampening"])
            state["momentum_scale"] = torch.tensor(steady, dtype=torch.float64)


def advance_lengths(group: dict[str, Any], states: list[dict[str, Any]]) -> list[Any]:
    """Count a step in the momentum scales and return how many times g each step moves, were all gradients g."""
    lr, momentum = number(group["lr"]), group["momentum"]
    if momentum == 0:
        return [lr] * len(states)
    lengths = []
    for state in states:
        known = state.setdefault("momentum_scale", torch.zeros((), dtype=torch.float64))
        scale = momentum_scale(number(known) or None, momentum, group["dampening"])
        known.fill_(scale)
        lengths.append(lr * step_scale(scale, momentum, group["nesterov"]))
    return lengths


def fused_arguments(group: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of the one-pass steps that are settings of the group."""
    names = ("momentum", "dampening", "nesterov", "weight_decay", "maximize")
    return {name: group[name] for name in names} | {"lr": float(group["lr"])}


def displacements(group: dict[str, Any], m: Momenta, weights: list[Tensor], first: list[bool]) -> list[Tensor]:
    """Update the momentum buffers; return what the gradient adds to `weights`: -lr b, with Nesterov -lr (g + μ b)."""
    gradients: Any = widened(m.gradients)
    if group["maximize"]:
        gradients = torch._foreach_neg(gradients)
    if group["weight_decay"]:
        gradients = torch._foreach_add(gradients, weights, alpha=group["weight_decay"])
    moved = gradients
    if group["momentum"] != 0:
        buffers = widened(m.buffers)
        torch._foreach_mul_(buffers, group["momentum"])
        shares = [1.0 if is_first else 1.0 - group["dampening"] for is_first in first]
        torch._foreach_add_(buffers, torch._foreach_mul(gradients, shares))
        put_back(m.buffers, buffers)
        moved = torch._foreach_add(gradients, buffers, alpha=group["momentum"]) if group["nesterov"] else buffers
    return list(torch._foreach_mul(moved, -number(group["lr"])))
