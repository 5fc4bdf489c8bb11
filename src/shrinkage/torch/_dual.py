"""Dual averaging of one tensor: what `DualAdam` and `DualSGD` do after the gradient has said where to."""

from typing import Any

import torch
from torch import Tensor

from shrinkage.penalties import GroupL2, SparseGroup
from shrinkage.torch._group_prox import dual_group_step_
from shrinkage.torch._local import is_sharded, local, needs_whole, part_of, whole_and_back
from shrinkage.torch._optimizer import number
from shrinkage.torch._precision import LOW
from shrinkage.torch._prox import enough_left, is_elementwise, with_survivors
from shrinkage.training import dual_group_step, dual_step, one_step_per_group

STATE = ("dual", "threshold", "group_threshold")


def is_grouped(penalty: Any) -> bool:
    """Say whether a penalty acts on groups."""
    return isinstance(penalty, (GroupL2, SparseGroup))


def ready_duals(penalty: Any, parameters: list[Tensor], states: list[dict[str, Any]], one_step: bool) -> None:
    """Make z (where w is 0) and Γ of each parameter, anew where they are of another kind of penalty.

    They are at least float32, since Γ is a long sum; where one Γ serves a whole tensor it is float64.

    Parameters
    ----------
    one_step : bool
        Whether all weights of a tensor have steps of one length, so that one Γ serves them under a simple penalty.
    """
    wanted = {"dual"}
    if not isinstance(penalty, GroupL2):
        wanted.add("threshold")
    if is_grouped(penalty):
        wanted.add("group_threshold")
    one_gamma = one_step and is_elementwise(penalty)
    for p, state in zip(parameters, states, strict=True):
        here = {name for name in STATE if name in state}
        if here == wanted and ("threshold" not in wanted or state["threshold"].shape == (() if one_gamma else p.shape)):
            continue
        forget([state])
        dtype = torch.float32 if p.dtype in LOW else p.dtype
        for name in sorted(wanted):
            if name == "threshold" and one_gamma:
                state[name] = torch.zeros((), dtype=torch.float64)
            else:
                state[name] = torch.zeros_like(p, dtype=dtype, memory_format=torch.preserve_format)


def forget(states: list[dict[str, Any]]) -> None:
    """Drop z and Γ of parameters whose penalty is off: their weights move freely, and it will start anew."""
    for state in states:
        for name in STATE:
            state.pop(name, None)


def dual_(
    penalty: Any,
    p: Tensor,
    state: dict[str, Any],
    w: Tensor,
    displacement: Tensor,
    step: Any,
    memory: float,
    keep: int = 0,
) -> None:
    """Take the step in `w`, the local part of `p` or a wider copy of it, and in the state.

    Parameters
    ----------
    step : number, or tensor of the shape of `w`
        The length of the step: lr · s, or lr / d.
    keep : int
        The least number of weights (of groups, for a penalty on groups) that stay.
    """
    before = w.clone() if keep else w
    (_groups_ if is_grouped(penalty) else _weights_)(penalty, p, state, w, displacement, step, memory)
    if keep:
        _keep_(penalty, p, state, w, before, displacement, step, keep)


def _weights_(
    penalty: Any, p: Tensor, state: dict[str, Any], w: Tensor, displacement: Tensor, step: Any, memory: float
) -> None:
    z, gamma = local(state["dual"]), local(state["threshold"])
    l1, l2 = penalty.alpha * penalty.l1_ratio, penalty.alpha * (1.0 - penalty.l1_ratio)
    if penalty.factors is not None:
        step = step * _factors(penalty.factors, p, w)
    known = number(gamma) if gamma.ndim == 0 else gamma
    new, dual, grown = dual_step(w, z, known, displacement, step * l1, step * l2, memory)
    if p.dtype is torch.float16:  # a weight too small for it is at the edge of the zeros, not amid them
        dual = torch.where((new != 0) & (new.half() == 0), torch.sign(new) * grown, dual)
    w.copy_(new)
    z.copy_(dual)
    if gamma.ndim == 0 and torch.compiler.is_compiling():
        state["threshold"] = grown.clone()  # AOTAutograd loses what is written into a 0-d tensor here
    else:
        gamma.copy_(grown) if isinstance(grown, Tensor) else gamma.fill_(grown)


def _groups_(
    penalty: Any, p: Tensor, state: dict[str, Any], w: Tensor, displacement: Tensor, step: Any, memory: float
) -> None:
    gathered = is_sharded(p) and needs_whole(penalty, p)
    names = [name for name in ("threshold", "group_threshold") if name in state]
    if not gathered:
        thresholds = (local(state["threshold"]) if "threshold" in state else None, local(state["group_threshold"]))
        if dual_group_step_(penalty, w, local(state["dual"]), thresholds, displacement, step, memory):
            return

    def whole(x: Any) -> Any:
        return whole_and_back(p, x) if gathered and isinstance(x, Tensor) and x.ndim > 0 else x

    known = {name: whole(local(state[name])) for name in names}
    displacement, step = whole(displacement), whole(step)
    if isinstance(step, Tensor) and step.ndim > 0:
        displacement, step = one_step_per_group(penalty, displacement, step)
    thresholds = (known.get("threshold", 0.0), known["group_threshold"])
    new, dual, grown = dual_group_step(
        penalty, whole(w), whole(local(state["dual"])), thresholds, displacement, step, memory
    )
    results = {"dual": dual, "threshold": grown[0], "group_threshold": grown[1]}
    w.copy_(part_of(p, new) if gathered else new)
    for name in ("dual", *names):
        local(state[name]).copy_(part_of(p, results[name]) if gathered else results[name])


def _keep_(
    penalty: Any,
    p: Tensor,
    state: dict[str, Any],
    w: Tensor,
    before: Tensor,
    displacement: Tensor,
    step: Any,
    keep: int,
) -> None:
    """Put the largest weights or groups where the gradient alone takes them, should too few be left; z starts anew."""
    left = whole_and_back(p, w)
    if enough_left(penalty, left, keep):
        return
    before, displacement = whole_and_back(p, before), whole_and_back(p, displacement)
    if is_grouped(penalty) and isinstance(step, Tensor) and step.ndim > 0:
        displacement, _ = one_step_per_group(penalty, displacement, whole_and_back(p, step))
    w.copy_(part_of(p, with_survivors(penalty, left, before + displacement, left, keep)))
    local(state["dual"]).masked_fill_(w != 0, 0.0)


def _factors(factors: Any, p: Tensor, w: Tensor) -> Tensor:
    """The multipliers of the strength at the local part of `p`."""
    factors = torch.as_tensor(factors, dtype=w.dtype, device=w.device)
    return part_of(p, factors.expand(p.shape).contiguous()) if is_sharded(p) else factors
