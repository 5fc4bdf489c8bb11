"""Steps of SGD, ProxSGD and DualSGD of all members in one pass over their stacks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from shrinkage import _core
from shrinkage.torch._dual_sgd import DualSGD
from shrinkage.torch._members import Member
from shrinkage.torch._one_pass import factors_for, slopes
from shrinkage.torch._prox import is_elementwise
from shrinkage.torch._prox_sgd import ProxSGD
from shrinkage.torch._slopes import is_elastic_net
from shrinkage.torch._stacked_step import NotTogetherError, Slot, one, refuse_other_ways, slots_of
from shrinkage.training import is_free

_KINDS = (torch.optim.SGD, ProxSGD, DualSGD)
_L1, _L2, _KEPT, _FIRST, _LR, _DECAY = range(6)
_SHARED = ("momentum", "dampening", "nesterov", "maximize")


class SGDStepper:
    """Steps members whose optimizers are gradient descent with something after it."""

    def __init__(self, members: Sequence[Member], stacks: dict[str, Tensor], extra: dict[str, Tensor]) -> None:
        slots = slots_of(members, stacks)
        kind = refuse_other_ways(members, slots, _KINDS)
        alike: dict[Any, list[Slot]] = {}
        for slot in slots:
            alike.setdefault(_shared(kind, slot), []).append(slot)
        self.parts = [_Part(kind, shared, some) for shared, some in alike.items()]

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
        """Return what optimizers don't know."""
        return {}


def _shared(kind: type, slot: Slot) -> Any:
    """Return the settings that one pass has for all its tensors, and whether it takes duals and a momentum."""
    penalties = [group.get("penalty") for group in slot.groups]
    acting = [penalty for penalty in penalties if not is_free(penalty)]
    takes = is_elementwise if kind is DualSGD else is_elastic_net
    if not all(takes(penalty) for penalty in acting):
        raise NotTogetherError("penalties of another kind")
    for group, state, penalty in zip(slot.groups, slot.states, penalties, strict=True):
        waits = group.get("warmup_steps", 0)
        if penalty is not None and waits and float(state.get("step", 0.0)) <= waits:
            raise NotTogetherError("warm-up")
        if group["momentum"] != 0 and state.get("momentum_buffer") is None:
            raise NotTogetherError("a state is missing")
        if kind is DualSGD and not is_free(penalty) and "dual" not in state:
            raise NotTogetherError("a state is missing")
    dual = one([group["memory"] for group in slot.groups]) if kind is DualSGD and acting else None
    return one([group["momentum"] for group in slot.groups]) != 0, dual, *_settings(slot.groups)[1:]


def _settings(groups: list[dict[str, Any]]) -> tuple[Any, ...]:
    return tuple(one([group[key] for group in groups]) for key in _SHARED)


class _Part:
    """Slots that take one call; numbers of tensors lie slot after slot, member after member."""

    def __init__(self, kind: type, shared: Any, slots: list[Slot]) -> None:
        self.kind, self.slots, self.members = kind, slots, len(slots[0].parameters)
        has_momentum, self.memory = shared[:2]
        self.groups = [group for slot in slots for group in slot.groups]
        self.states = [state for slot in slots for state in slot.states]
        self.rows = np.zeros((6, len(self.groups)))
        self.buffers = [slot.stack_state("momentum_buffer") for slot in slots] if has_momentum else []
        self.duals = [slot.stack_state("dual") for slot in slots] if self.memory is not None else []
        self.scales = np.array([float(state.get("momentum_scale", 0.0)) for state in self.states])
        self.thresholds = np.array([float(state.get("threshold", 0.0)) for state in self.states])
        self.counts = np.array([float(state.get("step", 0.0)) for state in self.states])
        self.refresh()
        stacks = ([slot.stack for slot in slots], self.buffers, self.duals)
        self.places = [[stack.data_ptr() for stack in each] for each in stacks]

    def refresh(self) -> None:
        """Read rates and strengths from the groups."""
        self.momentum, self.dampening, self.nesterov, self.maximize = _settings(self.groups)
        if (self.momentum != 0) != bool(self.buffers):
            raise NotTogetherError("momentum comes or goes")
        self.rows[_LR] = [float(group["lr"]) for group in self.groups]
        self.rows[_DECAY] = [float(group["weight_decay"]) for group in self.groups]
        penalties = [group.get("penalty") for group in self.groups]
        both = [(0.0, 0.0) if is_free(penalty) else slopes(penalty) for penalty in penalties]
        self.l1, self.l2 = np.array(both).T
        self.acting = np.array([not is_free(penalty) for penalty in penalties])
        parameters = [p.detach() for slot in self.slots for p in slot.parameters]
        self.held: list[Tensor | None] = []
        for p, penalty in zip(parameters, penalties, strict=True):
            self.held += [None] if is_free(penalty) else factors_for(penalty, [p])
        places = [0 if factor is None else factor.data_ptr() for factor in self.held]
        self.factors = places if any(places) else []

    def step(self, gradients: dict[str, Tensor]) -> None:
        """Take one step."""
        rows, lr = self.rows, self.rows[_LR]
        lengths = lr
        if self.momentum != 0:
            self.scales = self.momentum * self.scales + (1.0 - self.dampening)  # past the first step
            lengths = lr * (1.0 + self.momentum * self.scales if self.nesterov else self.scales)
        self.counts += 1
        rows[_L1], rows[_L2] = lengths * self.l1, lengths * self.l2
        memory = 1.0 if self.memory is None else self.memory
        if self.duals:
            rows[_KEPT] = np.where(lr != 0, memory, 1.0) * self.thresholds
            self.thresholds = rows[_KEPT] + rows[_L1]
        held = [gradients[slot.name].contiguous() for slot in self.slots]
        params, buffers, duals = self.places
        _core.sgd_step_stacked(
            params, [g.data_ptr() for g in held], buffers, duals, [slot.size for slot in self.slots], self.members,
            rows, momentum=self.momentum, dampening=self.dampening, nesterov=self.nesterov, maximize=self.maximize,
            memory=memory, threads=torch.get_num_threads(), factors=self.factors,
        )  # fmt: skip

    def sync(self) -> None:
        """Write counts, scales and thresholds into the states."""
        for at, state in enumerate(self.states):
            for key, value in (("step", self.counts), ("momentum_scale", self.scales), ("threshold", self.thresholds)):
                if key in state and (key != "threshold" or self.acting[at]):
                    state[key].fill_(value[at])
