"""Penalties on groups of weights of all members in one call of the compiled core."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from shrinkage import _core
from shrinkage.penalties import SparseGroup
from shrinkage.torch._group_prox import _layout, _strengths


def takes_groups(penalty: Any, weights: Tensor) -> bool:
    """Say whether the core takes a penalty on groups of these weights."""
    strengths = _strengths(penalty)
    return strengths is not None and _layout(strengths[0], weights) is not None


def is_sparse_group(penalty: Any) -> bool:
    """Say whether a penalty on groups has a part on single weights."""
    return isinstance(penalty, SparseGroup)


def elementwise_part(penalty: Any) -> tuple[float, float]:
    """Return the multipliers of |w| and of ½ w² beside the groups."""
    strengths = _strengths(penalty)
    return (0.0, 0.0) if strengths is None else strengths[1:]


def prox_of_members(penalties: Sequence[Any], weights: Tensor, lengths: Tensor) -> None:
    """Set each member of a stack to its prox, members of penalty None apart; `lengths` are the steps of all weights."""
    for (l1, l2), members in _alike(penalties).items():
        layouts = _layouts(penalties, members, weights)
        _core.group_prox(
            "float32", _places(weights, members), _places(lengths, members), [0.0] * len(members), *layouts,
            l1=l1, l2=l2, threads=torch.get_num_threads(),
        )  # fmt: skip


def dual_of_members(
    penalties: Sequence[Any],
    weights: Tensor,
    states: dict[str, Tensor],
    moved: Tensor,
    lengths: Tensor,
    memory: float,
) -> None:
    """Take a step by dual averaging of each member of a stack, members of penalty None apart."""
    sparse = states.get("threshold")
    for (l1, l2), members in _alike(penalties).items():
        layouts = _layouts(penalties, members, weights)
        _core.dual_group_step(
            "float32", _places(weights, members), _places(states["dual"], members),
            [] if sparse is None else _places(sparse, members), _places(states["group_threshold"], members),
            _places(moved, members), _places(lengths, members), [0.0] * len(members), *layouts,
            l1=l1, l2=l2, memory=memory, threads=torch.get_num_threads(),
        )  # fmt: skip


def _alike(penalties: Sequence[Any]) -> dict[tuple[float, float], list[int]]:
    """Return the members by their strengths on single weights, which one call has in common."""
    found: dict[tuple[float, float], list[int]] = {}
    for k, penalty in enumerate(penalties):
        if penalty is not None:
            found.setdefault(elementwise_part(penalty), []).append(k)
    return found


def _layouts(penalties: Sequence[Any], members: list[int], weights: Tensor) -> tuple[list[Any], ...]:
    found = []
    for k in members:
        strengths = _strengths(penalties[k])
        layout = None if strengths is None else _layout(strengths[0], weights[k])
        if layout is None:
            raise ValueError("a penalty changed into one that the core does not take")
        found.append(layout)
    return tuple([getattr(layout, name) for layout in found] for name in ("outer", "groups", "inner", "lams"))


def _places(stack: Tensor, members: list[int]) -> list[int]:
    first, stride = stack.data_ptr(), stack[0].nbytes
    return [first + k * stride for k in members]
