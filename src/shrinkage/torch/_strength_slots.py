"""Where the strengths of an optimizer are: in its groups, or in the Proximal behind its hooks."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from shrinkage._errors import ArgumentError
from shrinkage.torch._adamw import AdamW
from shrinkage.torch._local import local
from shrinkage.torch._optimizer import PenalizedOptimizer
from shrinkage.torch._proximal import Proximal
from shrinkage.torch._tally import Tally, read
from shrinkage.training import from_plain

MOST = 1e30


class _Slots:
    """Where the strengths of an optimizer are."""

    most: float = MOST

    def strengths(self) -> list[Any]:
        raise NotImplementedError

    def assign(self, strengths: list[Any]) -> None:
        raise NotImplementedError

    def penalized(self) -> list[tuple[Tensor, Any]]:
        raise NotImplementedError

    def parameters(self) -> list[Tensor]:
        return [p for p, _ in self.penalized()]

    def size(self) -> int:
        return sum(p.numel() for p in self.parameters())

    @torch.no_grad()
    def density(self) -> float:
        tallies = []
        for p in self.parameters():
            tally = Tally(p)
            tally.add("alive", torch.count_nonzero(local(p)))
            tallies.append(tally)
        size = sum(tally.parameter.numel() for tally in tallies)
        return sum(found["alive"] for found in read(tallies)) / max(size, 1)


class _InGroups(_Slots):
    """Strengths of penalties, or decays, in the groups of an optimizer of ours."""

    def __init__(self, optimizer: Any, key: str) -> None:
        self.optimizer, self.key = optimizer, key
        self.most = 0.999 if key == "l1_decay" else MOST

    def _groups(self) -> list[dict[str, Any]]:
        groups = self.optimizer.param_groups
        if self.key == "l1_decay":
            self._known = getattr(self, "_known", None) or [k for k, group in enumerate(groups) if group[self.key] > 0]
            return [groups[k] for k in self._known]
        for group in groups:
            group["penalty"] = from_plain(group["penalty"])  # loading leaves plain data there
        return [group for group in groups if group["penalty"] is not None]

    def strengths(self) -> list[Any]:
        return [group["l1_decay"] if self.key == "l1_decay" else group["penalty"].alpha for group in self._groups()]

    def penalized(self) -> list[tuple[Tensor, Any]]:
        return [(p, group["penalty"]) for group in self._groups() for p in group["params"]]

    def assign(self, strengths: list[Any]) -> None:
        for group, strength in zip(self._groups(), strengths, strict=True):
            group[self.key] = strength if self.key == "l1_decay" else group["penalty"].with_alpha(strength)


class _InHooks(_Slots):
    """Strengths of the penalties of a Proximal."""

    def __init__(self, proximal: Proximal) -> None:
        self.proximal = proximal

    def strengths(self) -> list[Any]:
        return [penalty.alpha for penalty in self.proximal.penalties]

    def penalized(self) -> list[tuple[Tensor, Any]]:
        return list(self.proximal.penalized)

    def assign(self, strengths: list[Any]) -> None:
        pairs = zip(self.proximal.penalties, strengths, strict=True)
        made = {id(penalty): penalty.with_alpha(strength) for penalty, strength in pairs}
        exchange: Callable[[Any], Any] = lambda penalty: made[id(penalty)]  # noqa: E731
        self.proximal._assigned.exchange(exchange)


def slots_of(optimizer: torch.optim.Optimizer) -> _InGroups | _InHooks:
    """Where the strengths of an optimizer are; refuses one that has none."""
    if isinstance(optimizer, AdamW):
        if not any(group["l1_decay"] > 0 for group in optimizer.param_groups):
            raise ArgumentError("AdamW makes zeros by l1_decay alone: give l1_decay > 0, such as 0.01, where to begin")
        return _InGroups(optimizer, "l1_decay")
    if isinstance(optimizer, PenalizedOptimizer):
        if all(group["penalty"] is None for group in optimizer.param_groups):
            raise ArgumentError(
                f"{type(optimizer).__name__} has no penalty that could be steered: make it from Plan(model, L1(1e-4))"
            )
        return _InGroups(optimizer, "penalty")
    proximal = Proximal.of(optimizer)
    if proximal is None:
        raise ArgumentError(
            f"{type(optimizer).__name__} makes no zeros by itself: attach Proximal(optimizer, plan) before"
        )
    return _InHooks(proximal)
