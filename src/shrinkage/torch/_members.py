"""What trainers share: models with their strengths, random numbers that a seed and a step decide, snapshots."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils import _pytree as pytree

from shrinkage._errors import ArgumentError
from shrinkage.torch._task import Task

_MULTIPLIER, _WORD = 0x9E3779B97F4A7C15, 2**63


@dataclass
class Member:
    """One strength in training."""

    strength: float
    model: nn.Module
    optimizer: Optimizer
    scheduler: Any


def make_template(task: Task, seed: int) -> nn.Module:
    """Return the model that a seed means; the random numbers of the rest of the program stay as they are."""
    with own_random_numbers():
        torch.manual_seed(seed)
        return task.model_fn()


def check_strengths(strengths: Sequence[float]) -> tuple[float, ...]:
    """Return the strengths as numbers; refuse none at all and the same one twice."""
    found = tuple(float(strength) for strength in strengths)
    if not found or len(set(found)) < len(found):
        raise ArgumentError(f"strengths must be one or more different numbers; got {list(found)}")
    return found


def copy_of(model: nn.Module) -> nn.Module:
    """Return a deep copy of a model."""
    return copy.deepcopy(model)


def make_scheduler(task: Task, optimizer: Optimizer) -> Any:
    """Return a task's scheduler of an optimizer; None where there is none."""
    return None if task.make_scheduler is None else task.make_scheduler(optimizer)


def step_scheduler(scheduler: Any, loss: float | None) -> None:
    """Step a scheduler; one that waits for a plateau looks at the training loss."""
    if isinstance(scheduler, ReduceLROnPlateau):
        if loss is None:
            raise ArgumentError('ReduceLROnPlateau reads an epoch\'s loss: use scheduler_every="epoch"')
        scheduler.step(loss)
    elif scheduler is not None:
        scheduler.step()


def apply(model: Any, x: Any) -> Any:
    """Return a model's output: of a tensor, of a tuple or list of arguments, or of a dict of named ones."""
    if isinstance(x, (tuple, list)):
        return model(*x)
    return model(**x) if isinstance(x, dict) else model(x)


@contextmanager
def own_random_numbers() -> Iterator[None]:
    """Give torch's random numbers back as they were."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        yield


def set_stream(seed: int, step: int, of_data: bool = False) -> None:
    """Make torch's next random numbers those of a step, for every strength the same; those of the data are others."""
    word = (seed * _MULTIPLIER + 2 * step + of_data) % _WORD
    if torch.cuda.is_initialized():
        torch.manual_seed(word)
    else:
        torch.default_generator.manual_seed(word)


def modes_of(model: nn.Module) -> list[bool]:
    """Return which modules are in training mode."""
    return [module.training for module in model.modules()]


@contextmanager
def in_mode(models: Sequence[nn.Module], modes: Sequence[bool] | None) -> Iterator[None]:
    """Put models in evaluation mode (None) or in modes that `modes_of` returned, and back."""
    before = [modes_of(model) for model in models]
    try:
        for model, own in zip(models, before, strict=True):
            _set_modes(model, [False] * len(own) if modes is None else modes)
        yield
    finally:
        for model, own in zip(models, before, strict=True):
            _set_modes(model, own)


def _set_modes(model: nn.Module, modes: Sequence[bool]) -> None:
    for module, training in zip(model.modules(), modes, strict=True):
        module.training = training


def row_count(y: Tensor) -> int:
    """Return the rows of a batch."""
    return len(y) if y.ndim else 1


def tensors_of(model: nn.Module) -> dict[str, dict[str, Tensor]]:
    """Return copies of all parameters and buffers by name, also of buffers that a state_dict leaves out."""
    named = {"parameters": model.named_parameters(), "buffers": model.named_buffers()}
    return {kind: {name: t.detach().clone() for name, t in values} for kind, values in named.items()}


def put_tensors(model: nn.Module, stored: dict[str, dict[str, Tensor]]) -> None:
    """Copy what `tensors_of` returned into a model."""
    here = {"parameters": dict(model.named_parameters()), "buffers": dict(model.named_buffers())}
    for kind, values in here.items():
        if values.keys() != stored[kind].keys():
            raise ArgumentError(f"snapshot must be of this model; its {kind} are {sorted(stored[kind])}")
        with torch.no_grad():
            for name, tensor in values.items():
                tensor.copy_(stored[kind][name])


def detached_copy(values: Any) -> Any:
    """Return a nest of dicts and lists with copies of its tensors, each with a memory of its own."""
    return pytree.tree_map(lambda x: x.detach().clone() if isinstance(x, Tensor) else copy.deepcopy(x), values)


def member_snapshot(member: Member, scheduler: Any = None) -> dict[str, Any]:
    """Return all that a member has to go on from; `scheduler` is one that serves several."""
    scheduler = member.scheduler if scheduler is None else scheduler
    return {
        "strength": member.strength,
        **tensors_of(member.model),
        "optimizer": detached_copy(member.optimizer.state_dict()),
        "scheduler": None if scheduler is None else detached_copy(scheduler.state_dict()),
    }


def restore_member(member: Member, stored: dict[str, Any]) -> None:
    """Go on from what `member_snapshot` returned."""
    put_tensors(member.model, stored)
    member.optimizer.load_state_dict(detached_copy(stored["optimizer"]))
    if member.scheduler is not None and stored["scheduler"] is not None:
        member.scheduler.load_state_dict(detached_copy(stored["scheduler"]))


def stored_members(snapshot: dict[str, Any], strengths: Sequence[float]) -> list[dict[str, Any]]:
    """Return a snapshot's members in the order of `strengths`, and refuse one that lacks any of them."""
    known = {member["strength"]: member for member in snapshot["members"]}
    missing = [strength for strength in strengths if strength not in known]
    if missing:
        raise ArgumentError(f"snapshot must hold the strengths in training; it lacks {missing}")
    return [known[strength] for strength in strengths]


def share_of_zeros(member: Member) -> float:
    """Return the share of exact zeros among penalized weights; among matrices where nothing is penalized."""
    penalized, matrices = [], []
    for group in member.optimizer.param_groups:
        for p in group["params"]:
            (penalized if _shrinks(group, member.optimizer, p) else matrices).append(p)
    counted = penalized or [p for p in matrices if p.ndim > 1] or matrices
    total = sum(p.numel() for p in counted)
    return sum(p.numel() - int(torch.count_nonzero(p)) for p in counted) / max(total, 1)


def _shrinks(group: dict[str, Any], optimizer: Optimizer, p: Tensor) -> bool:
    return group.get("penalty") is not None or bool(group.get("l1_decay"))
