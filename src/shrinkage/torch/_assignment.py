"""Which penalty each parameter of an optimizer has: a plan's, one for all, or its groups' own."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from shrinkage._errors import ArgumentError
from shrinkage.torch._metrics import KNOWN
from shrinkage.torch._optimizer import PenalizedOptimizer, check_penalized, check_penalty, number
from shrinkage.torch._plan import Plan
from shrinkage.torch._reading import follower_of, unwrapped
from shrinkage.training import from_plain, has_l2, misfit, to_plain

Member = tuple[dict[str, Any], Tensor, Any]


class Assignment:
    """Penalties of the parameters of an optimizer that is not ours; asked anew at every step, as groups may be added.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    source : Plan, Penalty or None
        None reads the groups' entries "penalty".
    """

    def __init__(self, optimizer: torch.optim.Optimizer, source: Any) -> None:
        self.optimizer = optimizer
        self._planned = _planned(source, optimizer) if isinstance(source, Plan) else None
        self._everywhere = None if isinstance(source, Plan) else source
        check_penalty(self._everywhere)
        self._in_groups = source is None
        self._fits: dict[Tensor, Any] = {}
        self.decode()
        try:
            self._check()
        except ArgumentError:
            self.encode()
            raise

    def members(self) -> list[Member]:
        """Return every penalized parameter, with its group and its penalty."""
        found = ((group, p, self._of(group, p)) for group in self.optimizer.param_groups for p in group["params"])
        return [member for member in found if member[2] is not None]

    def check_new(self) -> None:
        """Refuse a penalty that cannot act on its parameter, where groups or penalties are new since the last call."""
        for _, p, penalty in self.members():
            if self._fits.get(p) is not penalty:
                check_fit(penalty, p)
                self._fits[p] = penalty

    def exchange(self, other: Callable[[Any], Any]) -> None:
        """Put other(penalty) in the place of every penalty."""
        if self._planned is not None:
            self._planned = {p: other(penalty) for p, penalty in self._planned.items()}
        elif not self._in_groups:
            self._everywhere = other(self._everywhere)
        else:
            for group in self.optimizer.param_groups:
                if group.get("penalty") is not None:
                    group["penalty"] = other(group["penalty"])

    def decode(self) -> None:
        """Make penalties of the groups' plain data, where those are in use."""
        if self._in_groups:
            for group in self.optimizer.param_groups:
                if group.get("penalty") is not None:
                    group["penalty"] = from_plain(group["penalty"])
                    check_penalty(group["penalty"])

    def encode(self) -> None:
        """Make plain data of the groups' penalties again."""
        if self._in_groups:
            for group in self.optimizer.param_groups:
                if "penalty" in group:
                    group["penalty"] = as_plain(group["penalty"])

    def warn_of_double_decay(self) -> None:
        """Warn, once, where the optimizer's weight decay and an L2 part of a penalty both shrink."""
        for group, _, penalty in self.members():
            if number(group.get("weight_decay") or 0.0) != 0 and has_l2(penalty):
                warnings.warn(
                    f"weights decay twice: by {penalty} and by weight_decay={group['weight_decay']} of "
                    f"{type(self.optimizer).__name__}. Set weight_decay=0 for them, or take a penalty without L2 part",
                    UserWarning,
                    stacklevel=3,
                )
                return

    def _of(self, group: dict[str, Any], p: Tensor) -> Any:
        if self._planned is not None:
            return self._planned.get(p)
        return group.get("penalty") if self._in_groups else self._everywhere

    def _check(self) -> None:
        members = self.members()
        kind = type(self.optimizer).__name__
        if not members:
            raise ArgumentError(
                f"no parameter of this {kind} has a penalty: pass a plan or a penalty, or make the optimizer from "
                "plan.param_groups()"
            )
        for group, p, penalty in members:
            check_fit(penalty, p)
            if group.get("differentiable"):
                raise ArgumentError("differentiable=True cannot pass through a prox, which changes tensors in place")
            if "lr" not in group:
                raise ArgumentError(f"{kind} keeps no learning rate 'lr' in its groups, and a prox needs its step")


def check_fit(penalty: Any, p: Tensor) -> None:
    """Refuse a parameter that a penalty cannot act on."""
    check_penalized(p)
    reason = misfit(penalty, tuple(p.shape))
    if reason is not None:
        raise ArgumentError(f"{type(penalty).__name__} cannot act on a parameter of shape {tuple(p.shape)}: {reason}")


def as_plain(penalty: Any) -> Any:
    """Return a penalty as plain data, if it is not that already."""
    return penalty if isinstance(penalty, dict) else to_plain(penalty)


def _planned(plan: Plan, optimizer: torch.optim.Optimizer) -> dict[Tensor, Any]:
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    missing = [name for name in plan.penalized if id(plan.parameters[name]) not in held]
    if missing:
        shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        raise ArgumentError(
            f"the optimizer does not hold {len(missing)} of the {len(plan.penalized)} parameters that the plan "
            f"penalizes: {shown}. Make both from the same model, or exclude these from the plan"
        )
    return {plan.parameters[row.name]: row.penalty for row in plan.rows if row.penalty is not None}


def followable(optimizer: Any, semantics: str) -> torch.optim.Optimizer:
    """Return the optimizer, out of its wrappers; refuse those after which no prox is right."""
    optimizer = unwrapped(optimizer)
    kind = type(optimizer)
    if isinstance(optimizer, PenalizedOptimizer):
        raise ArgumentError(
            f"shrinkage.torch.{kind.__name__} is no optimizer of torch's: its constructor takes the plan"
        )
    if follower_of(optimizer) is not None:
        raise ArgumentError(
            f"this {kind.__name__} already has a Proximal, and two shrink twice: remove() the first, which is "
            "Proximal.of(optimizer)"
        )
    if issubclass(kind, torch.optim.LBFGS):
        raise ArgumentError(
            "LBFGS evaluates its closure many times within a step, before any prox could act: no prox after it is right"
        )
    if issubclass(kind, torch.optim.SparseAdam):
        raise ArgumentError(
            "SparseAdam takes sparse gradients, and a prox needs dense ones: use nn.Embedding(sparse=False) with Adam"
        )
    if semantics == "penalty" and kind not in KNOWN:
        names = ", ".join(known.__name__ for known in KNOWN)
        raise ArgumentError(
            f"how far {kind.__module__}.{kind.__qualname__} moves for a unit of gradient is not known, so neither is "
            f"the step of its prox; known are torch's {names}. To shrink by lr · alpha all the same, minimizing no "
            "objective, pass semantics='decoupled'"
        )
    return optimizer
