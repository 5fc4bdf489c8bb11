"""What a torch module says about its parameters: names without wrappers, aliases, roles."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.utils import parametrize

from shrinkage._errors import ArgumentError
from shrinkage.training import ROLES, Facts, is_vector, role_by_name, role_by_own_name, role_by_structure

WRAPPERS = {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
_NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
_RECURRENT = (nn.RNNBase, nn.RNNCellBase)


@dataclass(frozen=True, slots=True)
class Named:
    """One parameter as the plan knows it; `module` is its owner, None where only names are known."""

    facts: Facts
    parameter: torch.Tensor
    module: nn.Module | None


def facts_of(model: Any) -> list[Named]:
    """Return every parameter once, in the order of `named_parameters()`.

    Parameters
    ----------
    model : nn.Module, or iterable of (name, parameter)

    Raises
    ------
    ArgumentError
        If `model` is something else, or a parameter is lazy, flattened, or two tensors share a clean name.
    """
    found = _of_module(model) if isinstance(model, nn.Module) else _of_pairs(model)
    groups: dict[int, list[Named]] = {}
    for named in found:
        _check_parameter(named)
        groups.setdefault(id(named.parameter), []).append(named)
    merged = [_merge(same) for same in groups.values()]
    seen: dict[str, int] = {}
    for named in merged:
        for name in (named.facts.name, *named.facts.aliases):
            if seen.setdefault(name, id(named.parameter)) != id(named.parameter):
                raise ArgumentError(f"model has two parameters named {name!r} once the names of wrappers are removed")
    return merged


def _merge(same: list[Named]) -> Named:
    """One row for a tensor of several names: a role that is not penalized by default outweighs one that is."""
    first = same[0]
    names = list(dict.fromkeys(named.facts.name for named in same))
    free = next((named.facts for named in same if ROLES[named.facts.role] != "weights"), first.facts)
    axis = first.facts.output_axis if free is first.facts else free.output_axis
    reason = free.reason
    if free is not first.facts:
        reason = f"{reason}, tied as {free.name!r}"
    facts = replace(
        first.facts, name=names[0], aliases=tuple(names[1:]), role=free.role, reason=reason, output_axis=axis
    )
    return replace(first, facts=facts)


def _check_parameter(named: Named) -> None:
    name, parameter = named.facts.name, named.parameter
    if name.rpartition(".")[2] == "_flat_param":
        raise ArgumentError(
            f"model holds {name!r}, into which FSDP flattened many parameters, so roles and groups are lost: "
            "use fully_shard, or FullyShardedDataParallel(..., use_orig_params=True)"
        )
    if not isinstance(parameter, torch.Tensor):
        raise ArgumentError(f"model must yield tensors; {name!r} is a {type(parameter).__name__}")


def _of_pairs(pairs: Any) -> Iterator[Named]:
    if not isinstance(pairs, Iterable):
        raise ArgumentError(f"model must be a module or its named_parameters(); got {type(pairs).__name__}")
    listed = list(pairs)
    for pair in listed:
        if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)):
            raise ArgumentError(
                "model must be a module or pairs of (name, parameter), as named_parameters() yields; "
                f"got an item of type {type(pair).__name__}"
            )
    names = [[part for part in name.split(".") if part not in WRAPPERS] for name, _ in listed]
    while names and all(len(parts) > 1 and parts[0] == "module" for parts in names):  # the shell of DDP around it all
        names = [parts[1:] for parts in names]
    for parts, (_, parameter) in zip(names, listed, strict=True):
        name = ".".join(parts)
        shape = _shape(name, parameter, None)
        role, reason = role_by_name(name, shape)
        yield Named(_facts(name, parameter, shape, role, reason, None), parameter, None)


def _of_module(model: nn.Module) -> Iterator[Named]:
    modules = dict(model.named_modules(remove_duplicate=False))
    clean = {"": ""}
    for raw, module in modules.items():
        if raw:
            above, _, last = raw.rpartition(".")
            hidden = last in WRAPPERS or (last == "module" and _wraps(modules[above]))
            clean[raw] = clean[above] if hidden else f"{clean[above]}.{last}".lstrip(".")
        for own, parameter in module._parameters.items():
            if parameter is None:
                continue
            name = f"{clean[raw]}.{own}".lstrip(".")
            shape = _shape(name, parameter, module)
            role, reason, axis = _role(modules, raw, own, shape)
            if role == "matrix" and getattr(parameter, "_no_weight_decay", False):  # as state-space models mark theirs
                role, reason = "gain", "marked _no_weight_decay"
            yield Named(_facts(name, parameter, shape, role, reason, axis), parameter, module)


def _wraps(module: nn.Module) -> bool:
    """Say whether a module is a shell around its child `module`, as DDP, DataParallel and averaged models are."""
    return list(module._modules) == ["module"] and not any(p is not None for p in module._parameters.values())


def _shape(name: str, parameter: Any, module: nn.Module | None) -> tuple[int, ...]:
    if nn.parameter.is_lazy(parameter):
        where = "" if module is None else f" of {type(module).__name__}"
        raise ArgumentError(f"model has no shape yet for {name!r}{where}: run one forward pass before making the plan")
    return tuple(getattr(parameter, "shape", ()))


def _facts(
    name: str, parameter: torch.Tensor, shape: tuple[int, ...], role: str, reason: str, axis: int | None
) -> Facts:
    trainable = bool(getattr(parameter, "requires_grad", False))
    return Facts(name, shape, prod(shape), role, reason, trainable, (), axis)


def _role(modules: dict[str, nn.Module], raw: str, own: str, shape: tuple[int, ...]) -> tuple[str, str, int | None]:
    """Return (role, reason, output axis): by class of the owner, by its structure, by name and ndim."""
    module = modules[raw]
    if isinstance(module, parametrize.ParametrizationList):
        return _role_of_parametrized(modules, raw, own, shape)
    if own.endswith("_orig") and hasattr(module, own[: -len("_orig")]):
        role, reason, axis = _role(modules, raw, own[: -len("_orig")], shape)
        return role, f"{reason}, as {own}", axis
    if own.endswith(("_g", "_v")) and {f"{own[:-2]}_g", f"{own[:-2]}_v"} <= module._parameters.keys():
        if own.endswith("_g"):
            return "gain", f"magnitude of weight_norm of {own[:-2]}", None
        role, reason, axis = _role(modules, raw, own[:-2], shape)
        return role, f"{reason}, direction of weight_norm", axis
    kind = _class_name(module)
    above = raw.rpartition(".")[0]
    if raw and own == "weight" and isinstance(module, nn.Linear) and isinstance(modules[above], nn.MultiheadAttention):
        return "attention", f"{_class_name(modules[above])} {raw.rpartition('.')[2]}.{own}", 0
    by_class = _by_class(module, own)
    if by_class is not None:
        role, axis = by_class
        if role == "norm":
            return role, f"norm by class {kind}", None
        return role, f"{kind} {own}", axis
    if isinstance(module, (nn.ParameterList, nn.ParameterDict)):
        own = f"{raw.rpartition('.')[2]}_{own}"
    else:
        by_structure = _by_structure(module, kind, own, shape)
        if by_structure is not None:
            return (*by_structure, None)
    return (*role_by_own_name(own, shape), None)


def _role_of_parametrized(
    modules: dict[str, nn.Module], raw: str, own: str, shape: tuple[int, ...]
) -> tuple[str, str, int | None]:
    """Role of `fc.parametrizations.weight.original0`: what `fc.weight` is for, and which part of it this is."""
    *above, target = raw.split(".")
    owner = ".".join(above[:-1])
    kinds = [type(step).__name__.strip("_") for step in modules[raw].children()]
    if own == "original0" and kinds == ["WeightNorm"]:
        return "gain", f"magnitude of weight_norm of {target}", None
    role, reason, axis = _role(modules, owner, target, shape)
    if kinds == ["WeightNorm"]:
        return role, f"{reason}, direction of weight_norm", axis
    return role, f"{reason}, {own} under {', '.join(kinds)}", axis


def _class_name(module: nn.Module) -> str:
    """Name of a module's class; parametrized, sharded and scripted modules have classes of their own on top of it."""
    if isinstance(module, torch.jit.ScriptModule):
        return str(module.original_name)
    found = type(module).__name__
    for prefix in ("FSDP", "Parametrized"):
        plain = found.removeprefix(prefix)
        if plain != found and any(base.__name__ == plain for base in type(module).__mro__[1:]):
            found = plain
    return found


def _by_class(module: nn.Module, own: str) -> tuple[str, int | None] | None:
    """Return (role, output axis) of the parameters that torch's own classes define; None for every other one."""
    bias = own.startswith("bias") or own == "in_proj_bias"
    if isinstance(module, nn.MultiheadAttention):
        if bias:
            return "bias", None
        return ("attention", 0) if own.endswith("_proj_weight") else None
    if isinstance(module, _RECURRENT):
        if bias:
            return "bias", None
        return ("recurrent", 0) if own.startswith("weight_") else None
    role: tuple[str, int | None] | None = None
    if isinstance(module, _ConvNd):
        role = "conv", 1 if isinstance(module, _ConvTransposeNd) else 0
    elif isinstance(module, (nn.Linear, nn.Bilinear)):
        role = "linear", 0
    elif isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        role = "embedding", None
    elif isinstance(module, _NORMS):
        role = "norm", None
    elif isinstance(module, nn.PReLU):
        role = "gain", None
    if role is None:
        return None
    return ("bias", None) if own == "bias" else role if own == "weight" else None


def _by_structure(module: nn.Module, kind: str, own: str, shape: tuple[int, ...]) -> tuple[str, str] | None:
    """Return (role, reason) of a norm or an embedding of somebody's own, told by its make; None for anything else."""
    siblings = {name: tuple(p.shape) for name, p in module._parameters.items() if p is not None}
    return role_by_structure(kind, own, shape, siblings, _holds_a_matrix(module))


def _holds_a_matrix(module: nn.Module) -> bool:
    return any(not is_vector(tuple(p.shape)) for p in module.parameters() if not nn.parameter.is_lazy(p))
