"""Optimizer steps of many members: their own optimizers one by one, or the same numbers in few calls on stacks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from shrinkage.torch._fused import is_plain
from shrinkage.torch._members import Member

_HOOKS = ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks")
_OTHER_WAYS = ("capturable", "differentiable", "stochastic_rounding", "keep")


class NotTogetherError(Exception):
    """These steps can't be taken together."""


@dataclass(frozen=True)
class Slot:
    """One parameter of all members: its stack, and for each member the parameter itself, its group, its state."""

    name: str
    stack: Tensor
    parameters: Sequence[Tensor]
    groups: list[dict[str, Any]]
    states: list[dict[str, Any]]

    @property
    def size(self) -> int:
        """Numbers of one member."""
        return self.stack[0].numel()

    def stack_state(self, key: str) -> Tensor:
        """Put a state of the parameter's size of all members into one stack; their own become its members."""
        found = torch.zeros_like(self.stack, memory_format=torch.contiguous_format)
        for k, state in enumerate(self.states):
            if key in state:
                found[k].copy_(state[key])
                state[key] = found[k]
        return found


def slots_of(members: Sequence[Member], stacks: dict[str, Tensor]) -> list[Slot]:
    """Return what optimizers step of those stacks that have a gradient."""
    named = [dict(member.model.named_parameters()) for member in members]
    grouped = [{p: group for group in member.optimizer.param_groups for p in group["params"]} for member in members]
    slots = []
    for name, stack in stacks.items():
        parameters = [known[name] for known in named]
        stepped = [p in groups for p, groups in zip(parameters, grouped, strict=True)]
        if any(stepped) != all(stepped):
            raise NotTogetherError(f"not every optimizer steps {name}")
        if all(stepped):
            each = list(zip(members, parameters, grouped, strict=True))
            groups = [known[p] for _, p, known in each]
            slots.append(Slot(name, stack, parameters, groups, [m.optimizer.state[p] for m, p, _ in each]))
    return slots


def refuse_other_ways(members: Sequence[Member], slots: Sequence[Slot], kinds: Sequence[type]) -> type:
    """Return the one kind of the optimizers; refuse others, hooks, and settings that the compiled steps don't have."""
    kind = type(members[0].optimizer)
    if kind not in kinds or any(type(member.optimizer) is not kind for member in members):
        raise NotTogetherError(f"{kind.__name__} is not known")
    for member in members:
        if any(getattr(member.optimizer, hooks, None) for hooks in _HOOKS):
            raise NotTogetherError("hooks")
    for slot in slots:
        if slot.stack.dtype is not torch.float32 or not is_plain(slot.stack):
            raise NotTogetherError("only float32 on the CPU")
        if any(group.get(way) for group in slot.groups for way in _OTHER_WAYS):
            raise NotTogetherError("settings of another way")
    return kind


def one(values: Sequence[Any]) -> Any:
    """Return the value that all have."""
    if any(value != values[0] for value in values):
        raise NotTogetherError("members differ in more than strengths")
    return values[0]


class OneByOne:
    """Steps members by their own optimizers, whatever these are."""

    def __init__(self, members: Sequence[Member], stacks: dict[str, Tensor]) -> None:
        self.members = members
        self.gradients = {name: torch.zeros_like(stack) for name, stack in stacks.items()}
        for k, member in enumerate(members):
            named = dict(member.model.named_parameters())
            for name, stack in self.gradients.items():
                named[name].grad = stack[k]

    def step(self, gradients: dict[str, Tensor]) -> None:
        """Take one step."""
        for name, gradient in gradients.items():
            self.gradients[name].copy_(gradient)
        for member in self.members:
            member.optimizer.step()

    def refresh(self) -> None:
        """Nothing is known of settings."""

    def sync(self) -> None:
        """Everything is in the optimizers already."""

    def extra(self) -> dict[str, Tensor]:
        """Return what optimizers don't know."""
        return {}


Maker = Callable[[Sequence[Member], dict[str, Tensor], dict[str, Tensor]], Any]


def make_stepper(
    members: Sequence[Member], stacks: dict[str, Tensor], extra: dict[str, Tensor], makers: Sequence[Maker]
) -> Any:
    """Return the first stepper that takes these optimizers, or the one that takes any."""
    for maker in makers:
        try:
            return maker(members, stacks, extra)
        except NotTogetherError:
            continue
    return OneByOne(members, stacks)
