"""Tensors that several processes hold in parts: the part that lies here, and sums over all parts.

A sharded parameter (`DTensor`, as FSDP2 makes them) is stepped part by part: what acts on each weight alone needs no
message, a sum over the tensor needs one number from each process, and a penalty whose groups a shard splits needs the
tensor.
"""

import math
import sys
from typing import Any

import torch
from torch import Tensor

from shrinkage.penalties import BlockSeparable


def is_sharded(tensor: Tensor) -> bool:
    """Say whether a tensor is a DTensor (asked without importing `torch.distributed.tensor`)."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def local(tensor: Any) -> Tensor:
    """Return the part of a tensor that lies in this process, sharing its memory."""
    return tensor.to_local() if is_sharded(tensor) else tensor


def sums_over_all_parts(sums: list[Tensor], tensors: list[Tensor]) -> list[Tensor]:
    """Return sums over whole tensors from sums over their local parts: one message for each mesh dimension."""
    sharded: dict[Any, list[int]] = {}
    for k, tensor in enumerate(tensors):
        for group in _shard_groups(tensor):
            sharded.setdefault(group, []).append(k)
    totals = list(sums)
    for group, members in sharded.items():
        stacked = torch.stack([totals[k] for k in members])
        torch.distributed.all_reduce(stacked, group=group)
        for k, total in zip(members, stacked.unbind(), strict=True):
            totals[k] = total
    return totals


def prox_in_parts(penalty: Any, like: Tensor, values: Tensor, step: Tensor | float) -> Tensor:
    """Return the local part of the prox of a tensor that is laid out as `like`; `values`, `step` are local parts."""
    if not is_sharded(like) or not needs_whole(penalty, like):
        return penalty.prox(values, step) if values.numel() else values
    whole = _whole(like, values)
    if isinstance(step, Tensor) and step.ndim > 0:
        step = _whole(like, step)
    return part_of(like, penalty.prox(whole, step))


def whole_and_back(like: Tensor, values: Tensor) -> Tensor:
    """Return the whole tensor of which `values` is the local part, in every process."""
    return _whole(like, values) if is_sharded(like) else values


def part_of(like: Any, whole: Tensor) -> Tensor:
    """Return the local part of a whole tensor that every process holds."""
    if not is_sharded(like):
        return whole
    distributed = sys.modules["torch.distributed.tensor"]
    replicated = [distributed.Replicate()] * like.device_mesh.ndim
    spread = distributed.DTensor.from_local(whole, like.device_mesh, replicated, run_check=False)
    return spread.redistribute(placements=like.placements).to_local()


def _whole(like: Any, values: Tensor) -> Tensor:
    distributed = sys.modules["torch.distributed.tensor"]
    shaped = {"shape": like.shape, "stride": like.stride()}
    return distributed.DTensor.from_local(
        values, like.device_mesh, like.placements, run_check=False, **shaped
    ).full_tensor()


def _shard_groups(tensor: Any) -> list[Any]:
    if not is_sharded(tensor):
        return []
    mesh = tensor.device_mesh
    return [mesh.get_group(k) for k, placement in enumerate(tensor.placements) if placement.is_shard()]


def needs_whole(penalty: Any, tensor: Any) -> bool:
    """Say whether this penalty needs more than the local part: cut groups, or one number per weight or group."""
    factors = [getattr(part, "factors", None) for part in (penalty, getattr(penalty, "elementwise", None))]
    if any(f is not None for f in factors) or not isinstance(penalty.alpha, (int, float)):
        return True
    if not isinstance(penalty, BlockSeparable):
        return False
    axes = _group_axes(penalty, tensor.ndim)
    cut = {placement.dim % tensor.ndim for placement in tensor.placements if placement.is_shard()}
    return axes is None or not cut <= axes


def _group_axes(penalty: Any, ndim: int) -> set[int] | None:
    """Axes along which each index has groups of its own; None where groups are lists or have weights one by one."""
    group = getattr(penalty, "group", penalty)
    if group.axis is None or not isinstance(group.weights, str):
        return None
    axes = group.axis if isinstance(group.axis, tuple) else (group.axis,)
    return {axis % ndim for axis in axes}


def root_mean_squares(norms: list[Tensor], tensors: list[Tensor]) -> list[Tensor]:
    """Return the root mean square of whole tensors from the norms of their local parts."""
    if any(is_sharded(t) for t in tensors):
        norms = [s.sqrt() for s in sums_over_all_parts([n.square() for n in norms], tensors)]
    return [n / math.sqrt(max(t.numel(), 1)) for n, t in zip(norms, tensors, strict=True)]
