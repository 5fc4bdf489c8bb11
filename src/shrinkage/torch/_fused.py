"""Optimizer steps in one pass over memory: dense float32 and bfloat16 tensors on the CPU, in the compiled core.

The steps trust their tensors. An optimizer asks `can_fuse` of each parameter first, and takes its other path where the
answer is no.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from shrinkage import _core
from shrinkage._errors import ArgumentError
from shrinkage.torch._team import lend_threads

Factors = Sequence[Tensor | None]
_PLAIN = (torch.nn.Parameter, Tensor)
_STORAGES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}

lend_threads()


def can_fuse(tensors: Sequence[Tensor], duals: int = 0) -> bool:
    """Say whether a fused step is right for one parameter.

    Parameters
    ----------
    tensors : sequence of tensors of one shape
        The parameter, its gradient, and the states of its size.
    duals : int
        How many of the last states may be float32 where the rest is bfloat16.

    Returns
    -------
    bool
        True for plain dense CPU tensors, all float32 or all bfloat16, laid out in memory as the parameter is, none of
        them over the memory of another, outside `torch.compile` and with no gradient being recorded.
    """
    if torch.compiler.is_compiling():
        return False
    param = tensors[0]
    dtype, layout = param.dtype, _layout(param)
    if dtype not in _STORAGES or layout is None:
        return False
    recording = torch.is_grad_enabled()
    for k, tensor in enumerate(tensors):
        late = dtype is torch.bfloat16 and k >= len(tensors) - duals
        alike = tensor.dtype is dtype or (late and tensor.dtype is torch.float32)
        if not (alike and is_plain(tensor) and tensor.shape == param.shape):
            return False
        same = tensor.is_contiguous() if layout is torch.contiguous_format else tensor.stride() == param.stride()
        if not same or (recording and tensor.requires_grad):
            return False
    places = sorted((tensor.data_ptr(), tensor.nbytes) for tensor in tensors)
    return all(start + size <= after for (start, size), (after, _) in pairwise(places))


def is_plain(tensor: Tensor) -> bool:
    """Say whether a tensor's numbers lie at its address as they are: dense, on the CPU, of no other class."""
    return (
        type(tensor) in _PLAIN
        and tensor.layout is torch.strided
        and tensor.is_cpu
        and not tensor.is_neg()
        and not tensor.is_inference()
    )


def _layout(param: Tensor) -> torch.memory_format | None:
    """Return the layout without holes that a tensor has, if it has one."""
    if param.layout is not torch.strided:
        return None
    if param.is_contiguous():
        return torch.contiguous_format
    layout = _FORMATS.get(param.ndim)
    return layout if layout is not None and param.is_contiguous(memory_format=layout) else None


def _places(tensors: Iterable[Tensor]) -> list[int]:
    return [tensor.data_ptr() for tensor in tensors]


def _multipliers(params: Sequence[Tensor], factors: Factors) -> list[int]:
    """Return where the factors lie, 0 for None; empty where no tensor has any."""
    if all(factor is None for factor in factors):
        return []
    for param, factor in zip(params, factors, strict=True):
        if factor is not None and (factor.dtype is not torch.float32 or factor.shape != param.shape):
            raise ArgumentError(
                f"factors of a fused step must be float32 of the tensor's shape {tuple(param.shape)}; got "
                f"{factor.dtype} of shape {tuple(factor.shape)}"
            )
    return [0 if factor is None else factor.data_ptr() for factor in factors]


def _sizes(tensors: Iterable[Tensor]) -> list[int]:
    return [tensor.numel() for tensor in tensors]


def _floats(values: Iterable[float] | Iterable[Tensor]) -> list[float]:
    return [float(value) for value in values]


def _spread(strength: Sequence[float] | float, count: int) -> list[float]:
    return [float(strength)] * count if isinstance(strength, (int, float)) else _floats(strength)


def _storage(
    params: Sequence[Tensor], states: Sequence[Sequence[Tensor]], duals: Sequence[Sequence[Tensor]] = ()
) -> str:
    """Name what the core reads; wrong types would be read as numbers that nobody stored."""
    types = {tensor.dtype for column in (params, *states) for tensor in column}
    dual_types = {tensor.dtype for column in duals for tensor in column} or types
    if len(types) == 1 and types == dual_types and types <= _STORAGES.keys():
        return _STORAGES[types.pop()]
    if types == {torch.bfloat16} and dual_types == {torch.float32}:
        return "mixed"
    raise ArgumentError(f"tensors of a fused step must be all float32 or all bfloat16; got {types | dual_types}")


def fused_prox_adam(
    params: Sequence[Tensor],
    grads: Sequence[Tensor],
    exp_avgs: Sequence[Tensor],
    exp_avg_sqs: Sequence[Tensor],
    max_exp_avg_sqs: Sequence[Tensor],
    steps: Sequence[float] | Sequence[Tensor],
    floors: Sequence[float],
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    l1: Sequence[float] | float,
    l2: Sequence[float] | float,
    maximize: bool,
    shrink: float = 1.0,
    in_metric: bool = True,
    factors: Factors = (),
    bend: str = "none",
    gamma: float = 0.0,
) -> list[float]:
    """Adam's step and a prox, in place; returns Σ vhat of each tensor after the step.

    m ← β₁m + (1-β₁)g, v ← β₂v + (1-β₂)g², d = max(sqrt(vhat) + eps, floor),
    w ← soft(w - lr mhat/d, lr l1/d) / (1 + lr l2/d); with ``in_metric=False`` the thresholds are lr l1 and lr l2
    (decoupled semantics). ``max_exp_avg_sqs`` empty: no amsgrad. weight_decay w is added to the gradient, and then w
    is multiplied by ``shrink``. ``steps`` count this step. ``l1`` and ``l2`` are numbers, or one number per tensor; 0
    leaves a tensor without penalty. ``factors``: for each tensor None or float32 multipliers of both, laid out as it
    is.

    With ``bend`` "mcp" or "scad" the prox is that of `MCP` or `SCAD` of slope l1 and the given ``gamma``, and l2 is 0;
    ``floors`` must keep lr/d below gamma (MCP) or gamma - 1 (SCAD).

    Kingma & Ba (2015), Algorithm 1, https://arxiv.org/abs/1412.6980; Yun, Lozano & Yang (2021), Algorithm 1 with the
    diagonal preconditioner, https://arxiv.org/abs/2006.07065.
    """
    states = (exp_avgs, exp_avg_sqs, max_exp_avg_sqs)
    sums = _core.adam_step(
        _storage(params, (grads, *states)), _places(params), _places(grads),
        _places(exp_avgs), _places(exp_avg_sqs), _places(max_exp_avg_sqs), [], [],
        _sizes(params), _floats(steps), _floats(floors), _spread(l1, len(params)), _spread(l2, len(params)),
        lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay, shrink=shrink, maximize=maximize,
        in_metric=in_metric, memory=1.0, threads=torch.get_num_threads(), factors=_multipliers(params, factors),
        bend=bend, gamma=gamma,
    )  # fmt: skip
    _announce(params, *states)
    return sums


def fused_dual_adam(
    params: Sequence[Tensor],
    grads: Sequence[Tensor],
    exp_avgs: Sequence[Tensor],
    exp_avg_sqs: Sequence[Tensor],
    max_exp_avg_sqs: Sequence[Tensor],
    duals: Sequence[Tensor],
    thresholds: Sequence[Tensor],
    steps: Sequence[float] | Sequence[Tensor],
    floors: Sequence[float],
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    l1: Sequence[float] | float,
    l2: Sequence[float] | float,
    memory: float,
    maximize: bool,
    shrink: float = 1.0,
    factors: Factors = (),
) -> list[float]:
    """Adam's step by dual averaging, in place; returns Σ vhat of each tensor after the step.

    With a = lr l1/d, c = lr l2/d, u = mhat/d and Γ the accumulated threshold: Γ ← memory Γ + a. Where w ≠ 0 and keeps
    its sign s under soft(w - lr u, a), it becomes that over 1 + c. Elsewhere the dual variable z becomes
    s memory Γ + w - lr u (w ≠ 0) or memory z - lr u (w = 0), and w = soft(z, Γ) / (1 + c). ``duals`` hold z where w
    is 0 and 0 elsewhere; ``thresholds`` hold Γ. With lr = 0 nothing but the moments moves.

    Xiao (2010), Algorithm 1, https://jmlr.org/papers/v11/xiao10a.html, in the metric of Duchi, Hazan & Singer (2011),
    equation 3, https://jmlr.org/papers/v12/duchi11a.html.
    """
    states = (exp_avgs, exp_avg_sqs, max_exp_avg_sqs)
    sums = _core.adam_step(
        _storage(params, (grads, *states), (duals, thresholds)), _places(params), _places(grads),
        _places(exp_avgs), _places(exp_avg_sqs), _places(max_exp_avg_sqs), _places(duals), _places(thresholds),
        _sizes(params), _floats(steps), _floats(floors), _spread(l1, len(params)), _spread(l2, len(params)),
        lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay, shrink=shrink, maximize=maximize,
        in_metric=True, memory=memory, threads=torch.get_num_threads(), factors=_multipliers(params, factors),
    )  # fmt: skip
    _announce(params, *states, duals, thresholds)
    return sums


def fused_prox_sgd(
    params: Sequence[Tensor],
    grads: Sequence[Tensor],
    momentum_buffers: Sequence[Tensor],
    first: Sequence[bool],
    lengths: Sequence[float],
    *,
    lr: float,
    momentum: float,
    dampening: float,
    nesterov: bool,
    weight_decay: float,
    l1: Sequence[float] | float,
    l2: Sequence[float] | float,
    maximize: bool,
    factors: Factors = (),
) -> None:
    """SGD's step and the elastic net's prox, in place: w ← soft(w - lr u, length l1) / (1 + length l2).

    u is torch's direction: the gradient, its momentum or Nesterov's; ``momentum_buffers`` empty: no momentum.
    Where ``first``, the buffer is set to the gradient, whatever it holds. ``lengths`` are lr times the momentum's
    scale, the step that the penalty takes. ``factors`` are as in `fused_prox_adam`.
    """
    added = [length * strength for length, strength in zip(lengths, _spread(l1, len(params)), strict=True)]
    shrunk = [length * strength for length, strength in zip(lengths, _spread(l2, len(params)), strict=True)]
    _core.sgd_step(
        _storage(params, (grads, momentum_buffers)), _places(params), _places(grads), _places(momentum_buffers), [],
        _sizes(params), list(first), added, shrunk, [],
        lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov, maximize=maximize,
        memory=1.0, threads=torch.get_num_threads(), factors=_multipliers(params, factors),
    )  # fmt: skip
    _announce(params, momentum_buffers)


def fused_dual_sgd(
    params: Sequence[Tensor],
    grads: Sequence[Tensor],
    momentum_buffers: Sequence[Tensor],
    duals: Sequence[Tensor],
    thresholds: Sequence[Tensor],
    first: Sequence[bool],
    lengths: Sequence[float],
    *,
    lr: float,
    momentum: float,
    dampening: float,
    nesterov: bool,
    weight_decay: float,
    l1: Sequence[float] | float,
    l2: Sequence[float] | float,
    memory: float,
    maximize: bool,
) -> None:
    """SGD's step by dual averaging, in place: `fused_dual_adam` with SGD's u, a = length l1 and c = length l2.

    ``thresholds`` are one 0-d tensor per parameter, of any floating type; they are updated too.
    """
    added = [length * strength for length, strength in zip(lengths, _spread(l1, len(params)), strict=True)]
    shrunk = [length * strength for length, strength in zip(lengths, _spread(l2, len(params)), strict=True)]
    kept = [(memory if lr else 1.0) * threshold for threshold in _floats(thresholds)]
    _core.sgd_step(
        _storage(params, (grads, momentum_buffers), (duals,)), _places(params), _places(grads),
        _places(momentum_buffers), _places(duals), _sizes(params), list(first), added, shrunk, kept,
        lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov, maximize=maximize,
        memory=memory, threads=torch.get_num_threads(),
    )  # fmt: skip
    for threshold, old, more in zip(thresholds, kept, added, strict=True):
        threshold.fill_(old + more)
    _announce(params, momentum_buffers, duals)


def _announce(*columns: Sequence[Tensor]) -> None:
    """Tell autograd that these tensors have changed, so that a backward pass that saved one of them says so."""
    increment_version([tensor for column in columns for tensor in column])
