"""How hard a penalty pulls at each weight that is not zero, and how far a tensor is from being optimal under it."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from shrinkage.penalties import HasKernel
from shrinkage.torch._local import is_sharded, local, part_of, whole_and_back


@dataclass(frozen=True)
class Slope:
    """∂g/∂w where w is not zero, of a flattened local part: sign(w) l1 + l2 w, or a tensor of its own.

    Attributes
    ----------
    l1, l2 : float or tensor
    fixed : tensor or None
        The derivative itself, of penalties that are not the elastic net; 0 where w is 0.
    """

    l1: float | Tensor
    l2: float | Tensor
    fixed: Tensor | None = None

    def at(self, w: Tensor, part: slice) -> Tensor:
        """Return the derivative at a slice of the weights, 0 where a weight is 0."""
        if self.fixed is not None:
            return self.fixed[part].to(w)
        return self.l1_of(part) * torch.sign(w) + self.l2_of(part) * w

    def l1_of(self, part: slice) -> float | Tensor:
        """Return l1 of a slice."""
        return self.l1[part] if isinstance(self.l1, Tensor) else self.l1

    def l2_of(self, part: slice) -> float | Tensor:
        """Return l2 of a slice."""
        return self.l2[part] if isinstance(self.l2, Tensor) else self.l2


def is_elastic_net(penalty: Any) -> bool:
    """Say whether a penalty is Σ l1 |w| + ½ l2 w², with strengths that may differ from weight to weight."""
    return isinstance(penalty, HasKernel) and penalty.kernel == "l1l2"


def slope_of(penalty: Any, parameter: Tensor) -> Slope:
    """Return the slope of a penalty on a parameter's local part."""
    if is_elastic_net(penalty):
        strength = _strength(penalty, parameter)
        return Slope(strength * penalty.l1_ratio, strength * (1.0 - penalty.l1_ratio))
    w = _wide(whole_and_back(parameter, local(parameter).detach()))
    fixed = part_of(parameter, _derivative(penalty, w)).reshape(-1)
    l1 = _strength(penalty, parameter) if _is_concave(penalty) else 0.0
    return Slope(l1, 0.0, fixed)


@dataclass(frozen=True)
class Residuals:
    """Distances from optimality of a whole tensor: largest at zeros, sum and count elsewhere, largest anywhere."""

    zero: Tensor | None
    nonzero: Tensor
    count: Tensor
    violation: Tensor


def residuals_of(penalty: Any, parameter: Tensor, gradient: Tensor) -> Residuals:
    """Return the residuals of a penalty that is not the elastic net; tensors are gathered whole, as its prox does.

    Parameters
    ----------
    gradient : tensor
        Local part, of the shape of the parameter's local part; any coupled decay is in it.
    """
    w = _wide(whole_and_back(parameter, local(parameter).detach()))
    g = whole_and_back(parameter, gradient)
    distance = penalty.violation(w, -g)
    alpha = torch.as_tensor(penalty.alpha, dtype=w.dtype, device=w.device)
    if getattr(penalty, "elementwise", None) is not None:
        alive = w != 0
        nonzero = (distance / alpha)[alive].sum()
        return Residuals(None, nonzero, alive.sum(), distance.max())
    if _is_concave(penalty):
        strength = alpha * _factors(penalty, w)
        alive = w != 0
        at_zero = torch.where(alive | (strength <= 0), 0.0, g.abs() / strength.clamp_min(1e-45))
        nonzero = torch.where(alive & (strength > 0), distance / strength.clamp_min(1e-45), 0.0).sum()
        return Residuals(at_zero.max(), nonzero, alive.sum(), distance.max())
    lengths = penalty.norms(w)
    strength = alpha * _group_weights(penalty, w, lengths)
    alive, pulled = lengths != 0, strength > 0
    safe = torch.where(pulled, strength, 1.0)
    at_zero = torch.where(alive | ~pulled, 0.0, penalty.norms(g) / safe)
    nonzero = torch.where(alive & pulled, penalty.norms(distance) / safe, 0.0).sum()
    return Residuals(at_zero.max(), nonzero, (alive & pulled).sum(), distance.max())


def _derivative(penalty: Any, w: Tensor) -> Tensor:
    """The derivative of a penalty at weights that are not zero, by differentiating its value where it is smooth."""
    alive = w != 0
    with torch.enable_grad():
        at = w.detach().clone().requires_grad_()
        (found,) = torch.autograd.grad(penalty.value(at), at)
    return torch.where(alive, found, 0.0)


def _is_concave(penalty: Any) -> bool:
    return type(penalty).__name__ in ("MCP", "SCAD")


def _wide(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _factors(penalty: Any, w: Tensor) -> Tensor | float:
    factors = getattr(penalty, "factors", None)
    return 1.0 if factors is None else torch.as_tensor(factors, dtype=w.dtype, device=w.device)


def _group_weights(penalty: Any, w: Tensor, lengths: Tensor) -> Tensor | float:
    if isinstance(penalty.weights, str):
        return penalty.norms(torch.ones_like(w)) if penalty.weights == "sqrt" else 1.0
    return torch.as_tensor(penalty.weights, dtype=w.dtype, device=w.device).reshape(lengths.shape)


def _strength(penalty: Any, parameter: Tensor) -> float | Tensor:
    """α f as one number, or as a vector over the local part."""
    factors = getattr(penalty, "factors", None)
    if factors is None and isinstance(penalty.alpha, (int, float)):
        return float(penalty.alpha)
    like = local(parameter)
    kind = {"dtype": torch.promote_types(like.dtype, torch.float32), "device": like.device}
    whole = torch.as_tensor(penalty.alpha, **kind) * (1.0 if factors is None else torch.as_tensor(factors, **kind))
    whole = whole.expand(tuple(parameter.shape))
    return (part_of(parameter, whole) if is_sharded(parameter) else whole).reshape(-1)
