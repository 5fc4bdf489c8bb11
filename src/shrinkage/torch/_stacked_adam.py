"""Steps of Adam, AdamW, ProxAdam and DualAdam of all members in one pass over their stacks."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from shrinkage import _core
from shrinkage.torch._adamw import AdamW, _factor, _raise_base_lr
from shrinkage.torch._dual_adam import DualAdam
from shrinkage.torch._members import Member
from shrinkage.torch._metrics import longest_step
from shrinkage.torch._one_pass import bend_of, factors_for, has_one_pass, slopes
from shrinkage.torch._prox_adam import ProxAdam
from shrinkage.torch._slopes import is_elastic_net
from shrinkage.torch._stacked_groups import (
    dual_of_members,
    elementwise_part,
    is_sparse_group,
    prox_of_members,
    takes_groups,
)
from shrinkage.torch._stacked_step import NotTogetherError, Slot, one, refuse_other_ways, slots_of
from shrinkage.training import is_free

_KINDS = (torch.optim.Adam, torch.optim.AdamW, AdamW, ProxAdam, DualAdam)
_STEPS, _FLOORS, _L1, _L2, _LR, _DECAY, _SHRINK, _SUMS = range(8)


class AdamStepper:
    """Steps members whose optimizers are Adam with something after it."""

    def __init__(self, members: Sequence[Member], stacks: dict[str, Tensor], extra: dict[str, Tensor]) -> None:
        slots = slots_of(members, stacks)
        kind = refuse_other_ways(members, slots, _KINDS)
        alike: dict[Any, list[Slot]] = {}
        for slot in slots:
            alike.setdefault(_shared(kind, slot), []).append(slot)
        for slot in slots:
            if any("exp_avg" not in state for state in slot.states):
                raise NotTogetherError("a state is missing")
        self.parts = [
            (_GroupPart if shared[-1] else _Part)(kind, shared[:-1], some, extra) for shared, some in alike.items()
        ]

    def step(self, gradients: dict[str, Tensor]) -> None:
        """Take one step."""
        for part in self.parts:
            part.step(gradients)

    def refresh(self) -> None:
        """Read the settings anew."""
        for part in self.parts:
            part.refresh()

    def sync(self) -> None:
        """Write into the optimizers' states what is known here."""
        for part in self.parts:
            part.sync()

    def extra(self) -> dict[str, Tensor]:
        """Return the scales of metrics, to the bit."""
        return {slot.name: torch.from_numpy(part.rms_of(j)) for part in self.parts for j, slot in enumerate(part.slots)}


def _shared(kind: type, slot: Slot) -> Any:
    """Return the settings that one pass has for all its tensors."""
    groups = slot.groups
    penalties = [group.get("penalty") for group in groups]
    acting = [penalty for penalty in penalties if not is_free(penalty)]
    grouped = bool(acting) and all(takes_groups(penalty, slot.stack[0]) for penalty in acting)
    if not grouped and any(not (is_elastic_net if kind is DualAdam else has_one_pass)(penalty) for penalty in acting):
        raise NotTogetherError("penalties of another kind")
    bend = one([bend_of(penalty) for penalty in acting]) if acting and not grouped else {}
    memory = one([group["memory"] for group in groups]) if kind is DualAdam and acting else None
    betas = one([tuple(float(beta) for beta in group["betas"]) for group in groups])
    settings = tuple(one([group[key] for group in groups]) for key in ("eps", "maximize", "amsgrad"))
    return betas, settings, tuple(sorted(bend.items())), memory, grouped


class _Part:
    """Slots that take one call; numbers of tensors lie slot after slot, member after member."""

    def __init__(self, kind: type, shared: Any, slots: list[Slot], extra: dict[str, Tensor]) -> None:
        self.kind, self.slots, self.members = kind, slots, len(slots[0].parameters)
        (self.betas, (self.eps, self.maximize, self.amsgrad), bend, self.memory) = shared
        self.bend = dict(bend)
        self.groups = [group for slot in slots for group in slot.groups]
        self.states = [state for slot in slots for state in slot.states]
        self.sizes = np.repeat([float(slot.size) for slot in slots], self.members)
        self.rows = np.zeros((8, len(self.groups)))
        self.rows[_STEPS] = [float(state["step"]) for state in self.states]
        self.first = [slot.stack_state("exp_avg") for slot in slots]
        self.second = [slot.stack_state("exp_avg_sq") for slot in slots]
        self.largest = [slot.stack_state("max_exp_avg_sq") for slot in slots] if self.amsgrad else []
        dual = self.memory is not None
        self.stacked = {name: [slot.stack_state(name) for slot in slots] for name in self._dual_names() if dual}
        self.rms = self._first_rms(extra)
        self.refresh()
        self.places = [
            _places(each) for each in ([slot.stack for slot in slots], self.first, self.second, self.largest)
        ]

    def _dual_names(self) -> tuple[str, ...]:
        return ("dual", "threshold")

    def _first_rms(self, extra: dict[str, Tensor]) -> Any:
        found = np.zeros(len(self.states), dtype=np.float32)
        for j, slot in enumerate(self.slots):
            here = slice(j * self.members, (j + 1) * self.members)
            if slot.name in extra:
                found[here] = extra[slot.name].numpy()
            else:
                found[here] = [self._rms(j, k) for k in range(self.members)]
        return found

    def _rms(self, j: int, k: int) -> float:
        """Return the root mean square of √v̂ after the last step, over finite numbers."""
        state = self.slots[j].states[k]
        if "metric_rms" in state:
            return float(state["metric_rms"])
        second = (self.largest or self.second)[j][k]
        total = float(torch.nan_to_num(second, nan=0.0, posinf=0.0, neginf=0.0).sum(dtype=torch.float64))
        correction = 1.0 - self.betas[1] ** self.rows[_STEPS, j * self.members + k]
        return float(np.sqrt(total / correction / max(second.numel(), 1)))

    def refresh(self) -> None:
        """Read rates and strengths from the groups."""
        if any(_shared(self.kind, slot)[1] != (self.eps, self.maximize, self.amsgrad) for slot in self.slots):
            raise NotTogetherError("settings changed on the way")
        self.betas = one([tuple(float(beta) for beta in group["betas"]) for group in self.groups])
        known: dict[int, tuple[float, ...]] = {}
        for group in self.groups:
            if id(group) not in known:
                known[id(group)] = _numbers(self.kind, group, self._strengths)
        numbers = np.array([known[id(group)] for group in self.groups]).T
        self.rows[_LR], self.rows[_DECAY], self.rows[_SHRINK], self.l1, self.l2 = numbers[:5]
        self.acting, self.relative, self.least, self.warmup = numbers[5].astype(bool), *numbers[6:]
        self.rows[_L1], self.rows[_L2] = self.l1, self.l2
        self.factors = self._factors()

    def _strengths(self, penalty: Any) -> tuple[float, float]:
        return slopes(penalty)

    def _factors(self) -> list[int]:
        self.held: list[Tensor | None] = []
        for slot in self.slots:
            for p, group in zip(slot.parameters, slot.groups, strict=True):
                penalty = group.get("penalty")
                self.held += [None] if is_free(penalty) else factors_for(penalty, [p.detach()])
        places = [0 if factor is None else factor.data_ptr() for factor in self.held]
        return places if any(places) else []

    def step(self, gradients: dict[str, Tensor]) -> None:
        """Take one step."""
        self._advance()
        duals = [_places(self.stacked.get(name, ())) for name in ("dual", "threshold")]
        self._call(gradients, *duals)

    def _advance(self) -> Any:
        """Count the step, set what the penalty needs, and return where it acts."""
        rows = self.rows
        rows[_STEPS] += 1
        acting = self.acting & (rows[_STEPS] > self.warmup)
        if self.acting.any():
            floors = np.where(np.isfinite(self.rms), self.relative * self.rms, 0.0)
            rows[_FLOORS] = np.where(acting, np.maximum(floors, self.least), 0.0)
            met = acting & (self.rms != 0)
            rows[_L1], rows[_L2] = np.where(met, self.l1, 0.0), np.where(met, self.l2, 0.0)
        return acting

    def _call(self, gradients: dict[str, Tensor], duals: list[int], thresholds: list[int]) -> None:
        held = [gradients[slot.name].contiguous() for slot in self.slots]
        params, first, second, largest = self.places
        _core.adam_step_stacked(
            params, _places(held), first, second, largest, duals, thresholds,
            [slot.size for slot in self.slots], self.members, self.rows,
            beta1=self.betas[0], beta2=self.betas[1], eps=self.eps, maximize=self.maximize,
            in_metric=self.kind is not AdamW, memory=1.0 if self.memory is None else self.memory,
            threads=torch.get_num_threads(), factors=self.factors, **self.bend,
        )  # fmt: skip
        if self.acting.any():
            self._note_sums()

    def _note_sums(self) -> None:
        sums = self.rows[_SUMS]
        for at in np.flatnonzero(~np.isfinite(sums)):
            second = (self.largest or self.second)[at // self.members][at % self.members]
            total = float(torch.nan_to_num(second, nan=0.0, posinf=0.0, neginf=0.0).sum(dtype=torch.float64))
            sums[at] = total / (1.0 - self.betas[1] ** self.rows[_STEPS, at])
        self.rms = np.sqrt(sums / np.maximum(self.sizes, 1.0)).astype(np.float32)

    def sync(self) -> None:
        """Write steps, scales and duals into the states."""
        active = self.acting & (self.rows[_STEPS] > self.warmup)
        for at, state in enumerate(self.states):
            state["step"].fill_(self.rows[_STEPS, at])
            if not active[at]:
                continue
            state.setdefault("metric_rms", torch.zeros((), dtype=torch.float32)).fill_(float(self.rms[at]))
            j, k = divmod(at, self.members)
            for name, stacks in self.stacked.items():
                state[name] = stacks[j][k]

    def rms_of(self, j: int) -> Any:
        """Return the scales of a slot's metrics."""
        return self.rms[j * self.members : (j + 1) * self.members].copy()


class _GroupPart(_Part):
    """Slots whose penalties act on groups: moments in one pass, then the metric on stacks, then all groups."""

    def _dual_names(self) -> tuple[str, ...]:
        sparse = any(is_sparse_group(group.get("penalty")) for group in self.groups)
        return ("dual", "group_threshold", *(("threshold",) if sparse else ()))

    def _strengths(self, penalty: Any) -> tuple[float, float]:
        return elementwise_part(penalty)

    def _factors(self) -> list[int]:
        return []

    def step(self, gradients: dict[str, Tensor]) -> None:
        """Take one step: by the formulas of `advance` in `_adam`, with a member's numbers along the first axis."""
        acting, met, floors = self._advance(), self.rms != 0, self.rows[_FLOORS].copy()
        rates = self.rows[_LR].copy()
        self.rows[_LR] = 0.0  # so that only the moments move
        self._call(gradients, [], [])
        self.rows[_LR] = rates
        corrections = [1.0 - beta ** self.rows[_STEPS] for beta in self.betas]
        for j, slot in enumerate(self.slots):
            here = slice(j * self.members, (j + 1) * self.members)
            metric = (self.largest or self.second)[j].sqrt()
            metric.div_(self._column(slot, np.sqrt(corrections[1][here]))).add_(self.eps)
            torch.maximum(metric, self._column(slot, floors[here]), out=metric)
            moved = self.first[j] / metric
            moved.mul_(self._column(slot, -rates[here] / corrections[0][here]))
            lengths = metric.reciprocal_().mul_(self._column(slot, np.where(met[here], rates[here], 0.0)))
            self._shrink(j, slot, acting[here] & (rates[here] != 0), moved, lengths)

    def _column(self, slot: Slot, numbers: Any) -> Tensor:
        return torch.tensor(numbers, dtype=torch.float32).reshape(-1, *[1] * (slot.stack.ndim - 1))

    def _shrink(self, j: int, slot: Slot, acting: Any, moved: Tensor, lengths: Tensor) -> None:
        """Move the weights of a slot, and shrink those groups that a penalty acts on."""
        penalties = [group.get("penalty") if on else None for group, on in zip(slot.groups, acting, strict=True)]
        if self.memory is None:
            slot.stack.add_(moved)
            prox_of_members(penalties, slot.stack, lengths)
            return
        for k in np.flatnonzero(~acting):
            slot.stack[k].add_(moved[k])
        states = {name: stacks[j] for name, stacks in self.stacked.items()}
        dual_of_members(penalties, slot.stack, states, moved, lengths, self.memory)


def _places(stacks: Sequence[Tensor]) -> list[int]:
    return [stack.data_ptr() for stack in stacks]


def _numbers(kind: type, group: dict[str, Any], strengths: Any) -> tuple[float, ...]:
    """Return lr, decay, shrink, l1, l2, whether a penalty acts, its relative and its least floor, its warm-up."""
    lr, decay = float(group["lr"]), float(group["weight_decay"])
    if kind is AdamW:
        if group["coupling"] == "independent":
            _raise_base_lr(group)
        return lr, 0.0, float(_factor(group)), group["l1_decay"], 0.0, 0.0, 0.0, 0.0, 0.0
    if group.get("decoupled_weight_decay"):
        return lr, 0.0, 1.0 - lr * decay, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    penalty = group.get("penalty")
    if is_free(penalty):
        return lr, decay, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    longest = longest_step(penalty, group)
    least = 0.0 if longest is None else lr / max(float(longest), sys.float_info.min)
    return lr, decay, 1.0, *strengths(penalty), 1.0, group["metric_floor"], least, group["warmup_steps"]
