"""What the compiled steps in one pass over memory know of a penalty: slopes, factors, how it bends."""

from typing import Any

import torch
from torch import Tensor

from shrinkage.penalties import MCP, SCAD
from shrinkage.torch._slopes import is_elastic_net

_BENDS = {MCP: "mcp", SCAD: "scad"}


def has_one_pass(penalty: Any) -> bool:
    """Say whether a penalty acts on each weight alone in a way that the compiled steps of Adam have."""
    return is_elastic_net(penalty) or type(penalty) in _BENDS


def slopes(penalty: Any) -> tuple[float, float]:
    """Return the multipliers of |w| (at 0) and of ½ w²; 1 stands for strengths one by one, which are `factors_for`."""
    alpha = penalty.alpha if isinstance(penalty.alpha, (int, float)) else 1.0
    ratio = 1.0 if type(penalty) in _BENDS else penalty.l1_ratio
    return alpha * ratio, alpha * (1.0 - ratio)


def bend_of(penalty: Any) -> dict[str, Any]:
    """Return the arguments of the step that say how a penalty goes on from |w|."""
    kind = _BENDS.get(type(penalty))
    return {} if kind is None else {"bend": kind, "gamma": float(penalty.gamma)}


def factors_for(penalty: Any, weights: list[Tensor]) -> list[Tensor | None]:
    """Return for each tensor the float32 multipliers of `slopes`, laid out as it is, or None where all are 1."""
    found: Any = None if isinstance(penalty.alpha, (int, float)) else torch.as_tensor(penalty.alpha)
    if penalty.factors is not None:
        factors = torch.as_tensor(penalty.factors)
        found = factors if found is None else found * factors
    if found is None:
        return [None] * len(weights)
    return [_laid_out(found, w) for w in weights]


def _laid_out(values: Tensor, like: Tensor) -> Tensor:
    alike = values.dtype is torch.float32 and values.device == like.device
    if alike and values.shape == like.shape and values.stride() == like.stride() and values.is_contiguous():
        return values.detach()
    return torch.empty_like(like, dtype=torch.float32).copy_(values)
