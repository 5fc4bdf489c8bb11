"""Forward and backward of many models at once: recorded as a list of plain operations, checked, and run again.

`torch.func` says what the operations on stacks are; what it costs to find out is paid once for each shape of a batch.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap
from torch.utils import _pytree as pytree

from shrinkage._errors import ArgumentError
from shrinkage.torch._members import apply, copy_of, set_stream
from shrinkage.torch._stacked_tape import Recorder, Replay
from shrinkage.torch._task import Task

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_CLOSE = 1e-2


class CannotStackError(ArgumentError):
    """Says why a model's trainings cannot be stacked."""


@dataclass(frozen=True)
class Stacks:
    """Parameters and buffers of all members, (members, ...), by name; the first member is k = 0."""

    template: nn.Module
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]

    def inputs(self) -> list[Tensor]:
        """Return all stacks in one order."""
        return [*self.parameters.values(), *self.buffers.values()]

    def member(self, k: int) -> nn.Module:
        """Return a copy of a member's model."""
        model = copy_of(self.template)
        here = {**dict(model.named_parameters()), **dict(model.named_buffers())}
        with torch.no_grad():
            for name, stack in {**self.parameters, **self.buffers}.items():
                here[name].copy_(stack[k])
        return model


def signature(x: Any, y: Tensor) -> Any:
    """Return what decides which graph a batch needs."""
    if isinstance(x, Tensor):
        return x.shape, x.dtype, y.shape, y.dtype
    leaves, spec = pytree.tree_flatten(x)
    return spec, *((leaf.shape, leaf.dtype) if isinstance(leaf, Tensor) else leaf for leaf in (*leaves, y))


def refuse_unstackable(model: nn.Module) -> None:
    """Refuse what can be seen to be no function of weights, buffers and a batch."""
    for name, module in model.named_modules():
        if any(getattr(module, hooks, None) for hooks in _HOOKS):
            raise CannotStackError(f"the model has hooks, on {name or 'itself'!r}: they would not run")
    for name, p in model.named_parameters():
        if isinstance(p, nn.parameter.UninitializedParameter):
            raise CannotStackError(f"parameter {name!r} has no shape before a first batch")
        if p._backward_hooks or getattr(p, "_post_accumulate_grad_hooks", None):
            raise CannotStackError(f"parameter {name!r} has a hook, which would not run")
        if p.layout is not torch.strided or p.is_complex():
            raise CannotStackError(f"parameter {name!r} is not a dense real tensor")


def training_graph(task: Task, stacks: Stacks, seed: int, x: Any, y: Tensor) -> tuple[Replay, list[bool]]:
    """Return the graph (stacks, x's leaves, y) -> (losses, *gradients), and which parameters have a gradient.

    Raises
    ------
    CannotStackError
        If the model is no function that the operations of one batch describe, or they give other numbers.
    """
    x, y = _distinct(x), y.clone()
    losses, gradients, buffers = _by_itself(task, stacks, seed, x, y)
    used = [g is not None for g in gradients]

    def one(parameters: list[Tensor], members: list[Tensor]) -> Tensor:
        return task.loss(_called(stacks, parameters, members, x), y)

    def all_members(parameters: list[Tensor], members: list[Tensor]) -> list[Tensor]:
        found, value = vmap(grad_and_value(one), in_dims=(0, 0), randomness="same")(parameters, members)
        return [value, *(g for g, yes in zip(found, used, strict=True) if yes)]

    replay = _recorded(stacks, seed, x, y, all_members)
    fresh = [stack.clone() for stack in stacks.inputs()]
    set_stream(seed, 0)
    value, *found = replay(*fresh, *leaves_of(x), y)
    right = [losses, *(g for g in gradients if g is not None)]
    _check_alike([value[0], *(g[0] for g in found)], right)
    _check_alike([b[0] for b in fresh[len(stacks.parameters) :]], buffers)
    return replay, used


def rows_graph(task: Task, stacks: Stacks, x: Any, y: Tensor) -> Replay:
    """Return the graph (stacks, x's leaves, y) -> losses of rows, (members, n); the template is in evaluation mode."""
    x, y = _distinct(x), y.clone()

    def all_members(parameters: list[Tensor], members: list[Tensor]) -> list[Tensor]:
        def one(ps: list[Tensor], bs: list[Tensor]) -> Tensor:
            return task.rows(_called(stacks, ps, bs, x), y)

        return [vmap(one, in_dims=(0, 0), randomness="same")(parameters, members)]

    replay = _recorded(stacks, 0, x, y, all_members)
    found = replay(*(stack.clone() for stack in stacks.inputs()), *leaves_of(x), y)[0]
    _check_alike([found[0]], [task.rows(apply(stacks.member(0), x), y)])
    return replay


def leaves_of(x: Any) -> list[Tensor]:
    """Return the tensors of a batch's inputs."""
    return [leaf for leaf in pytree.tree_leaves(x) if isinstance(leaf, Tensor)]


def _distinct(x: Any) -> Any:
    """Return a batch's inputs with one tensor at one place, as each is known by its identity."""
    return pytree.tree_map(lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf, x)


def _called(stacks: Stacks, parameters: Sequence[Tensor], buffers: Sequence[Tensor], x: Any) -> Any:
    named = dict(zip(stacks.parameters, parameters, strict=True)) | dict(zip(stacks.buffers, buffers, strict=True))
    args, kwargs = (tuple(x), {}) if isinstance(x, (tuple, list)) else ((), x) if isinstance(x, dict) else ((x,), {})
    return functional_call(stacks.template, named, args, kwargs)


def _recorded(stacks: Stacks, seed: int, x: Any, y: Tensor, function: Callable[..., list[Tensor]]) -> Replay:
    count = len(stacks.parameters)
    fresh = [stack.clone() for stack in stacks.inputs()]
    set_stream(seed, 0)
    recorder = Recorder()
    try:
        with recorder:
            outputs = function(fresh[:count], fresh[count:])
    except CannotStackError:
        raise
    except Exception as error:  # whatever a model does under torch.func
        first = str(error).strip().splitlines() or [type(error).__name__]
        raise CannotStackError(f"torch.func cannot batch the model: {first[0][:200]}") from error
    return recorder.replay([*fresh, *leaves_of(x), y], outputs)


def _by_itself(
    task: Task, stacks: Stacks, seed: int, x: Any, y: Tensor
) -> tuple[Tensor, list[Tensor | None], list[Tensor]]:
    """Train the first member alone on a batch; return loss, gradients, buffers; refuse hidden changes."""
    model = stacks.member(0)
    for module, own in zip(model.modules(), stacks.template.modules(), strict=True):
        module.training = own.training
    before, chance = _hidden(model), _chance()
    set_stream(seed, 0)
    loss = task.loss(apply(model, x), y)
    parameters = dict(model.named_parameters())
    found = torch.autograd.grad(loss, [parameters[name] for name in stacks.parameters], allow_unused=True)
    changed = [name for name, value in _hidden(model).items() if before.get(name) != value]
    if changed:
        raise CannotStackError(f"the model changes {changed[0]!r} as it runs, which stacked models do not see")
    if chance != _chance():
        raise CannotStackError("the model or the loss draws random numbers outside torch")
    buffers = dict(model.named_buffers())
    return loss.detach(), list(found), [buffers[name].detach() for name in stacks.buffers]


def _hidden(model: nn.Module) -> dict[str, Any]:
    """What a model keeps beside parameters and buffers, and which tensors its buffers are."""
    found: dict[str, Any] = {f"{name} (buffer)": id(b) for name, b in model.named_buffers()}
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if name.startswith("_") and name in nn.Module().__dict__:
                continue
            where = f"{path}.{name}" if path else name
            if isinstance(value, Tensor):
                found[where] = (id(value), value._version)
            elif isinstance(value, (int, float, str, bytes, bool, type(None))):
                found[where] = value
            elif isinstance(value, (list, tuple, dict, set)):
                found[where] = len(value), repr(value) if len(value) < 32 else ""
    return found


def _chance() -> Any:
    state: Any = np.random.get_state(legacy=True)  # noqa: NPY002 - the stream that models may use
    return hash(random.getstate()), hash(state[1].tobytes()), state[2]


def _check_alike(found: Sequence[Tensor], right: Sequence[Tensor]) -> None:
    """Refuse other numbers than those of a model alone, but for rounding."""
    pairs = [(f.detach().double(), r.detach().double()) for f, r in zip(found, right, strict=True)]
    whole = math.sqrt(sum(float(r.nan_to_num(0.0, 0.0, 0.0).square().sum()) for _, r in pairs))
    for f, r in pairs:
        finite = torch.isfinite(r)
        apart = float(torch.linalg.vector_norm((f - r)[finite]))
        size = float(torch.linalg.vector_norm(r[finite]))
        if f.shape != r.shape or apart > _CLOSE * size + 1e-4 * whole + 1e-12:
            raise CannotStackError("stacked, the model gives other numbers than alone")
