"""Dual averaging for gradient descent with momentum."""

from typing import Any

from torch import Tensor

from shrinkage.torch._dual import check_dual, check_memory, dual_, forget, ready_duals
from shrinkage.torch._fused import fused_dual_sgd
from shrinkage.torch._local import local
from shrinkage.torch._optimizer import (
    PenalizedOptimizer,
    batches,
    check_count,
    check_flags,
    fused_and_other,
    number,
    refuse_differentiable,
)
from shrinkage.torch._precision import put_back, widened
from shrinkage.torch._prox import strengths
from shrinkage.torch._sgd import (
    advance_scales,
    check_sgd,
    displacements,
    fused_arguments,
    momenta_of,
    ready_momenta,
    split_sgd,
    torch_sgd,
)


class DualSGD(PenalizedOptimizer):
    r"""Gradient descent with dual averaging: a weight is zero while its gradients so far do not outweigh the penalty.

    With the displacement and step length of `ProxSGD`, from z = w and one number Γ = 0 for each tensor,

        z ← β z - lr · b          Γ ← β Γ + lr · s · αρ
        w = sign(z) max(|z| - Γ, 0) / (1 + lr · s · α(1-ρ))

    in the form that `DualAdam` describes; so for groups, which have one Γ each. Its fixed points are the stationary
    points of (mean loss) + g.

    Parameters
    ----------
    params : Plan, or iterable of tensors, of (name, tensor) pairs or of groups as torch's optimizers take them
        A group's dict may hold any of the arguments below for its parameters alone, `penalty` among them.
    lr : float or tensor of one element, default 1e-3
        Learning rate; at 0 the weights stay where they are.
    momentum, dampening, weight_decay, nesterov, maximize, foreach, differentiable, fused
        As in `ProxSGD`.
    penalty : Penalty, optional
        As in `DualAdam`.
    memory, warmup_steps, stochastic_rounding
        As in `DualAdam`.

    Raises
    ------
    ArgumentError
        If an argument is out of range, a gradient is sparse, a penalized parameter is complex, or the penalty is of
        another kind.

    Notes
    -----
    Without a penalty, or at strength 0, the step is `torch.optim.SGD`'s own; a penalty that was off starts anew.
    Memory: that of SGD and one number more for each penalized weight; with factors or groups two, for `SparseGroup`
    three.

    References
    ----------
    Xiao (2010), J. Mach. Learn. Res. 11, Algorithm 1, https://jmlr.org/papers/v11/xiao10a.html; with momentum:
    Huang & Lee (2022), RMDA, Algorithm 1, https://arxiv.org/abs/2112.02612.

    Examples
    --------
    >>> import torch
    >>> from shrinkage import L1
    >>> from shrinkage.torch import DualSGD
    >>> w = torch.nn.Parameter(torch.tensor([1.0, 0.1]))
    >>> optimizer = DualSGD([w], lr=0.5, penalty=L1(0.2))
    >>> for _ in range(100):
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
        memory: float = 0.999,
        warmup_steps: int = 0,
        stochastic_rounding: bool = False,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_sgd(lr, momentum, dampening, weight_decay, nesterov)
        check_count("warmup_steps", warmup_steps)
        check_memory(memory)
        check_flags(foreach, fused, differentiable)
        defaults = {k: v for k, v in locals().items() if k not in ("self", "params", "penalty", "__class__")}
        super().__init__(params, defaults, penalty)

    def _check_group(self, group: dict[str, Any]) -> None:
        super()._check_group(group)
        check_dual(group["penalty"])

    def _step_group(self, group: dict[str, Any]) -> None:
        free, penalized = split_sgd(self, group)
        torch_sgd(self, group, free)
        forget([self.state[p] for p in free])
        check_dual(group["penalty"])
        for batch in batches(penalized, group["foreach"]):
            refuse_differentiable(group)
            states = [self.state[p] for p in batch]
            ready_duals(group["penalty"], batch, states, one_step=True)
            first = dict(zip(batch, ready_momenta(group, batch, states), strict=True))
            lr = number(group["lr"])
            lengths = {p: lr * s for p, s in zip(batch, advance_scales(group, states), strict=True)}
            fused, others = fused_and_other(group, batch, lambda some: self._lists(group, some), duals=1)
            memory = 1.0 if lr == 0 else group["memory"]
            if fused:
                l1, l2 = strengths(group["penalty"])
                gammas = [self.state[p]["threshold"] for p in fused]
                known = {"first": [first[p] for p in fused], "lengths": [lengths[p] for p in fused], "memory": memory}
                weights, gradients, buffers, duals = self._lists(group, fused)
                fused_dual_sgd(
                    weights, gradients, buffers, duals, gammas, **known, **fused_arguments(group), l1=l1, l2=l2
                )
            if others:
                m = momenta_of(self, group, others)
                weights = widened(m.weights)
                moved = displacements(group, m, weights, [first[p] for p in others])
                each = zip(others, m.states, weights, moved, strict=True)
                for p, state, w, displacement in [] if lr == 0 else each:  # or rounding would move groups
                    dual_(group["penalty"], p, state, w, displacement, lengths[p], memory)
                put_back(m.weights, weights, group["stochastic_rounding"])

    def _lists(self, group: dict[str, Any], parameters: list[Tensor]) -> tuple[list[Tensor], ...]:
        return *momenta_of(self, group, parameters).lists(), [local(self.state[p]["dual"]) for p in parameters]
