"""Gradient descent with momentum and the exact prox of a penalty."""

from typing import Any

import torch
from torch import Tensor

from shrinkage.torch._fused import fused_prox_sgd
from shrinkage.torch._metrics import shorten_, starts_of
from shrinkage.torch._one_pass import factors_for, slopes
from shrinkage.torch._optimizer import (
    PenalizedOptimizer,
    check_count,
    fused_and_other,
)
from shrinkage.torch._precision import put_back, widened
from shrinkage.torch._prox import prox_
from shrinkage.torch._sgd import (
    advance_lengths,
    check_sgd,
    displacements,
    fused_arguments,
    momenta_of,
    ready_momenta,
    split_sgd,
    torch_sgd,
)
from shrinkage.torch._slopes import is_elastic_net


class ProxSGD(PenalizedOptimizer):
    r"""Gradient descent with momentum, then the prox of the penalty at the step that the momentum really takes.

    With buffer b ← μ b + (1 - τ) g and the scalar s ← μ s + (1 - τ) beside it (s = 1 at the first step, as torch's
    first step takes no dampening),

        z = w - lr · b                     with Nesterov  w - lr · (g + μ b)
        w = prox of g at z, step lr · s    with Nesterov  lr · (1 + μ s)

    A threshold of lr alone would solve the problem of strength α (1 - μ). Kept as a recursion, s stays right when
    momentum follows a schedule and when a parameter misses steps.

    Parameters
    ----------
    params : Plan, or iterable of tensors, of (name, tensor) pairs or of groups as torch's optimizers take them
        A group's dict may hold any of the arguments below for its parameters alone, `penalty` among them.
    lr : float or tensor of one element, default 1e-3
        Learning rate; at 0 the weights stay where they are.
    momentum, dampening, weight_decay, nesterov, maximize, foreach, differentiable, fused
        As in `torch.optim.SGD`. `fused=None` takes the one-pass step of the compiled core for contiguous float32 and
        bfloat16 tensors on the CPU under `L1`, `L2`, `L1L2`, with factors or without.
    penalty : Penalty, optional
        For parameters that no group and no plan says otherwise of.
    warmup_steps, keep, stochastic_rounding
        As in `ProxAdam`.

    Raises
    ------
    ArgumentError
        If an argument is out of range, or a penalized parameter has a sparse gradient or complex numbers.

    Notes
    -----
    Without a penalty, or at strength 0, the step is `torch.optim.SGD`'s own, bit for bit. Mini-batches are
    noisy, and a prox after each sees the noise: few weights end at exactly zero. `DualSGD` and `DualAdam` remember,
    and are the ones for sparsity.

    References
    ----------
    Duchi & Singer (2009), J. Mach. Learn. Res. 10, eq. 2-3, https://jmlr.org/papers/v10/duchi09a.html; momentum as in
    Sutskever et al. (2013), eq. 1-4.

    Examples
    --------
    >>> import torch
    >>> from shrinkage import L1
    >>> from shrinkage.torch import ProxSGD
    >>> w = torch.nn.Parameter(torch.tensor([1.0, 0.1]))
    >>> optimizer = ProxSGD([w], lr=0.5, momentum=0.9, penalty=L1(0.2))
    >>> for _ in range(400):
    ...     optimizer.zero_grad()
    ...     (0.5 * (w - torch.tensor([1.0, 0.1])).square().sum()).backward()
    ...     optimizer.step()
    >>> [round(x, 4) for x in w.tolist()]
    [0.8, 0.0]
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        penalty: Any = None,
        warmup_steps: int = 0,
        keep: int = 0,
        stochastic_rounding: bool = False,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {k: v for k, v in locals().items() if k not in ("self", "params", "penalty", "__class__")}
        super().__init__(params, defaults, penalty)

    def _check_settings(self, group: dict[str, Any]) -> None:
        super()._check_settings(group)
        check_sgd(group)
        check_count("keep", group["keep"])

    def _step_group(self, group: dict[str, Any]) -> None:
        free, penalized = split_sgd(self, group)
        torch_sgd(self, group, free)
        states = [self.state[p] for p in penalized]
        first = dict(zip(penalized, ready_momenta(group, penalized, states), strict=True))
        lengths = dict(zip(penalized, advance_lengths(group, states), strict=True))
        fused, others = fused_and_other(
            group, penalized, lambda some: momenta_of(self, group, some).lists(), takes=is_elastic_net
        )
        for batch in fused:
            l1, l2 = slopes(group["penalty"])
            weights, gradients, buffers = momenta_of(self, group, batch).lists()
            known = [first[p] for p in batch], [lengths[p] for p in batch]
            settings: dict[str, Any] = fused_arguments(group) | {"factors": factors_for(group["penalty"], weights)}
            fused_prox_sgd(weights, gradients, buffers, *known, **settings, l1=l1, l2=l2)
        for batch in others:
            m = momenta_of(self, group, batch)
            weights = widened(m.weights)
            starts = starts_of(group["penalty"], group, weights)
            torch._foreach_add_(weights, displacements(group, m, weights, [first[p] for p in batch]))
            steps = shorten_(group["penalty"], group, starts, weights, [lengths[p] for p in batch])
            prox_(group["penalty"], weights, steps, batch, group["keep"])
            put_back(m.weights, weights, group["stochastic_rounding"])
