"""The prox of a penalty, applied in place to lists of tensors."""

import math
from typing import Any

import torch
from torch import Tensor

from shrinkage.penalties import L1, L1L2, L2, BlockSeparable
from shrinkage.torch._group_prox import group_prox_
from shrinkage.torch._local import is_sharded, needs_whole, part_of, prox_in_parts, whole_and_back

Steps = list[Any]
"""For each tensor the prox step: a number, a 0-d tensor, or a tensor with one step per weight."""


def is_elementwise(penalty: Any) -> bool:
    """Say whether a penalty is the elastic net with one strength for the whole tensor, which has fast twins."""
    return isinstance(penalty, (L1, L2, L1L2)) and penalty.factors is None and isinstance(penalty.alpha, (int, float))


def strengths(penalty: Any) -> tuple[float, float]:
    """Return the multipliers αρ of |w| and α(1-ρ) of ½ w² of a penalty that `is_elementwise`."""
    return penalty.alpha * penalty.l1_ratio, penalty.alpha * (1.0 - penalty.l1_ratio)


def prox_(penalty: Any, weights: list[Tensor], steps: Steps, like: list[Tensor], keep: int = 0) -> None:
    """Set each of `weights` to its prox; `like` are the parameters whose local parts they are.

    Parameters
    ----------
    keep : int
        The least number of weights (of groups, for a penalty on groups) of each tensor that stay as they are, the
        largest ones, where the prox would leave fewer; 0 is the pure prox.
    """
    before = [w.clone() for w in weights] if keep else []
    if is_elementwise(penalty):
        soft_threshold_(weights, steps, *strengths(penalty))
    else:
        here = [k for k, p in enumerate(like) if not (is_sharded(p) and needs_whole(penalty, p))]
        done = group_prox_(penalty, [weights[k] for k in here], [steps[k] for k in here])
        done = {here[k] for k in done}
        for k, (w, step, p) in enumerate(zip(weights, steps, like, strict=True)):
            if k not in done:
                w.copy_(prox_in_parts(penalty, p, w, step))
    for w, z, p in zip(weights, before, like, strict=False):
        w.copy_(with_survivors(penalty, w, z, p, keep))


def soft_threshold_(weights: list[Tensor], steps: Steps, l1: float, l2: float) -> None:
    """Set w to (w - clip(w, -step l1, step l1)) / (1 + step l2): w - w is exactly 0, and never -0."""
    arrays = isinstance(steps[0], Tensor)
    if l1:
        if arrays:
            limits = torch._foreach_mul(steps, l1)
            clipped = torch._foreach_minimum(weights, limits)
            torch._foreach_neg_(limits)
            torch._foreach_maximum_(clipped, limits)
        else:
            clipped = torch._foreach_clamp_max(weights, [step * l1 for step in steps])
            torch._foreach_clamp_min_(clipped, [-step * l1 for step in steps])
        torch._foreach_sub_(weights, clipped)
    if l2:
        if arrays:
            divisors = torch._foreach_mul(steps, l2)
            torch._foreach_add_(divisors, 1.0)
        else:
            divisors = [1.0 + step * l2 for step in steps]
        torch._foreach_div_(weights, divisors)


def with_survivors(penalty: Any, w: Tensor, z: Tensor, like: Tensor, keep: int) -> Tensor:
    """`w`, with the `keep` largest weights or groups of `z` put back where fewer are left."""
    if is_sharded(like):
        whole = with_survivors(penalty, whole_and_back(like, w), whole_and_back(like, z), _plain_like(w), keep)
        return part_of(like, whole)
    if enough_left(penalty, w, keep):
        return w
    if not isinstance(penalty, BlockSeparable):
        top = torch.topk(z.abs().flatten(), min(keep, z.numel())).indices
        kept = torch.zeros(z.numel(), dtype=torch.bool, device=z.device)
        kept[top] = True
        return torch.where(kept.reshape(z.shape), z, w)
    group = getattr(penalty, "group", penalty)
    norms = group.norms(z).flatten()
    top = torch.topk(norms, min(keep, norms.numel())).indices
    return torch.where(_members(group, z, top), z, w)


def enough_left(penalty: Any, w: Tensor, keep: int) -> bool:
    """Say whether a tensor has `keep` weights (groups, for a penalty on groups) that are not 0."""
    if not w.numel():
        return True
    alone = not isinstance(penalty, BlockSeparable)
    return int(torch.count_nonzero(w if alone else getattr(penalty, "group", penalty).norms(w))) >= keep


def _members(group: Any, z: Tensor, chosen: Tensor) -> Tensor:
    """Return which weights are in one of the `chosen` groups."""
    if group.axis is not None:
        axes = {axis % z.ndim for axis in (group.axis if isinstance(group.axis, tuple) else (group.axis,))}
        kept = torch.zeros(math.prod(z.shape[k] for k in axes), dtype=torch.bool, device=z.device)
        kept[chosen] = True
        return kept.reshape([n if k in axes else 1 for k, n in enumerate(z.shape)]).expand_as(z)
    kept = torch.zeros(z.numel(), dtype=torch.bool, device=z.device)
    for place in chosen.tolist():
        kept[list(group.groups[place])] = True
    return kept.reshape(z.shape)


def _plain_like(w: Tensor) -> Tensor:
    return w
