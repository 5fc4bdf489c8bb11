"""Steps of penalties on groups in the compiled core: dense float32 and float64 tensors on the CPU, in place."""

from dataclasses import dataclass
from math import prod, sqrt
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from shrinkage import _core
from shrinkage.penalties import GroupL2, SparseGroup
from shrinkage.torch._fused import is_plain

_STORAGES = {torch.float32: "float32", torch.float64: "float64"}


@dataclass(frozen=True)
class _Layout:
    """A tensor in its order in memory as (outer, groups, inner), and α ω of all groups or of each."""

    outer: int
    groups: int
    inner: int
    lams: list[float]


def group_prox_(penalty: Any, weights: list[Tensor], steps: list[Any]) -> set[int]:
    """Set to their prox those of `weights` that the core takes, and return their positions in the list.

    What it computes, to rounding, is ``penalty.prox(w, step)``. It takes `GroupL2` with `axis`, and its sums with `L1`,
    `L2`, `L1L2` without factors, all of one strength, on tensors without holes whose groups are one block of axes in
    memory.

    Parameters
    ----------
    steps : list of numbers, of tensors of one element, or of tensors of the weights' shape
    """
    strengths = _strengths(penalty)
    if strengths is None or torch.compiler.is_compiling():
        return set()
    group, l1, l2 = strengths
    taken: dict[str, list[tuple[int, _Layout]]] = {}
    for k, (w, step) in enumerate(zip(weights, steps, strict=True)):
        layout = _layout(group, w) if _is_ready(w) and _fits(step, w) else None
        if layout is not None:
            taken.setdefault(_STORAGES[w.dtype], []).append((k, layout))
    for storage, members in taken.items():
        chosen, layouts = [k for k, _ in members], [layout for _, layout in members]
        whole = [isinstance(steps[k], Tensor) and steps[k].numel() != 1 for k in chosen]
        _core.group_prox(
            storage, [weights[k].data_ptr() for k in chosen],
            [steps[k].data_ptr() if is_whole else 0 for k, is_whole in zip(chosen, whole, strict=True)],
            [0.0 if is_whole else float(steps[k]) for k, is_whole in zip(chosen, whole, strict=True)],
            [x.outer for x in layouts], [x.groups for x in layouts], [x.inner for x in layouts],
            [x.lams for x in layouts], l1=l1, l2=l2, threads=torch.get_num_threads(),
        )  # fmt: skip
        increment_version([weights[k] for k in chosen])
    return {k for members in taken.values() for k, _ in members}


def dual_group_step_(
    penalty: Any,
    w: Tensor,
    dual: Tensor,
    thresholds: tuple[Tensor | None, Tensor],
    displacement: Tensor,
    step: Any,
    memory: float,
) -> bool:
    """Take a step of `shrinkage.training.dual_group_step` in w, dual and thresholds, if the core can; say whether.

    It can where `group_prox_` can, with all tensors laid out in memory as the weights are. Steps for each weight become
    one for each group as `one_step_per_group` makes them.
    """
    strengths = _strengths(penalty)
    written = [w, dual, *(x for x in thresholds if x is not None)]
    if strengths is None or torch.compiler.is_compiling() or not (_is_ready(w) and _fits(step, w)):
        return False
    if not all(_fits_as_array(x, w) for x in (*written[1:], displacement)):
        return False
    group, l1, l2 = strengths
    layout = _layout(group, w)
    if layout is None:
        return False
    whole = isinstance(step, Tensor) and step.numel() != 1
    _core.dual_group_step(
        _STORAGES[w.dtype], [w.data_ptr()], [dual.data_ptr()],
        [] if thresholds[0] is None else [thresholds[0].data_ptr()], [thresholds[1].data_ptr()],
        [displacement.data_ptr()], [step.data_ptr() if whole else 0], [0.0 if whole else float(step)],
        [layout.outer], [layout.groups], [layout.inner], [layout.lams],
        l1=l1, l2=l2, memory=memory, threads=torch.get_num_threads(),
    )  # fmt: skip
    increment_version(written)
    return True


def _strengths(penalty: Any) -> tuple[GroupL2, float, float] | None:
    """Return the part on groups, and the multipliers of |w| and of ½ w², of a penalty that the core knows."""
    group, l1, l2 = penalty, 0.0, 0.0
    if isinstance(penalty, SparseGroup):
        group, each = penalty.group, penalty.elementwise
        if each.factors is not None or not isinstance(each.alpha, (int, float)):
            return None
        l1, l2 = each.alpha * each.l1_ratio, each.alpha * (1.0 - each.l1_ratio)
    if not isinstance(group, GroupL2) or group.axis is None or not isinstance(group.alpha, (int, float)):
        return None
    return group, float(l1), float(l2)


def _is_ready(w: Tensor) -> bool:
    return w.dtype in _STORAGES and is_plain(w) and not (torch.is_grad_enabled() and w.requires_grad)


def _fits(step: Any, w: Tensor) -> bool:
    """Whether a step is one number, or one for each weight, laid out in memory as the weights are."""
    if not isinstance(step, Tensor):
        return isinstance(step, (int, float))
    if step.numel() == 1 and (step.ndim == 0 or w.numel() == 1):
        return not step.is_meta
    return _fits_as_array(step, w)


def _fits_as_array(x: Tensor, w: Tensor) -> bool:
    return is_plain(x) and x.dtype is w.dtype and x.shape == w.shape and (x.stride() == w.stride() or w.numel() == 1)


def _layout(group: GroupL2, w: Tensor) -> _Layout | None:
    """Return how the groups lie in memory; None where they don't lie in one block of axes."""
    given = group.axis if isinstance(group.axis, tuple) else (group.axis,)
    if any(not -w.ndim <= axis < w.ndim for axis in given):
        return None  # the formula says what is wrong
    axes = {axis % w.ndim for axis in given}
    plain = w.is_contiguous()
    order = list(range(w.ndim)) if plain else sorted(range(w.ndim), key=lambda axis: (-w.stride(axis), axis))
    places = [place for place, axis in enumerate(order) if axis in axes]
    first, last = (places[0], places[-1] + 1) if places else (0, 0)
    if len(axes) != len(given) or len(places) != last - first or not (plain or w.permute(order).is_contiguous()):
        return None
    sizes = [w.shape[axis] for axis in order]
    outer, n_groups, inner = prod(sizes[:first]), prod(sizes[first:last]), prod(sizes[last:])
    if isinstance(group.weights, str):
        omega = sqrt(outer * inner) if group.weights == "sqrt" else 1.0
        return _Layout(outer, n_groups, inner, [float(group.alpha * omega)])
    if len(group.weights) != n_groups or order[first:last] != sorted(axes):
        return None
    return _Layout(outer, n_groups, inner, [float(group.alpha) * float(omega) for omega in group.weights])
