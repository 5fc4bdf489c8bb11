"""Dual averaging for gradient descent with momentum."""

from typing import Any

from torch import Tensor

from shrinkage.torch._dual import dual_, forget, ready_duals
from shrinkage.torch._fused import fused_dual_sgd
from shrinkage.torch._local import local
from shrinkage.torch._optimizer import (
    PenalizedOptimizer,
    check_count,
    fused_and_other,
    is_zero,
    memory_of,
    number,
)
from shrinkage.torch._precision import put_back, widened
from shrinkage.torch._prox import strengths
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
from shrinkage.training import check_dual, check_memory


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
    memory, warmup_steps, keep, stochastic_rounding
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
        check_memory(group["memory"])
        check_count("keep", group["keep"])

    def _check_group(self, group: dict[str, Any]) -> None:
        super()._check_group(group)
        check_dual(group["penalty"], instead="ProxAdam")

    def _step_group(self, group: dict[str, Any]) -> None:
        free, penalized = split_sgd(self, group)
        torch_sgd(self, group, free)
        forget([self.state[p] for p in free])
        states = [self.state[p] for p in penalized]
        ready_duals(group["penalty"], penalized, states, one_step=True)
        _beside(number(group["lr"]), states)
        first = dict(zip(penalized, ready_momenta(group, penalized, states), strict=True))
        lengths = dict(zip(penalized, advance_lengths(group, states), strict=True))
        memory = memory_of(group)
        fused, others = fused_and_other(group, penalized, lambda some: self._lists(group, some), duals=1)
        for batch in fused:
            l1, l2 = strengths(group["penalty"])
            weights, gradients, buffers, duals = self._lists(group, batch)
            known = [first[p] for p in batch], [lengths[p] for p in batch]
            gammas = [self.state[p]["threshold"] for p in batch]
            settings: dict[str, Any] = fused_arguments(group) | {"memory": memory}
            fused_dual_sgd(weights, gradients, buffers, duals, gammas, *known, **settings, l1=l1, l2=l2)
        for batch in others:
            self._plain_step(group, batch, [first[p] for p in batch], [lengths[p] for p in batch], memory)

    def _plain_step(
        self, group: dict[str, Any], batch: list[Tensor], first: list[bool], lengths: list[Any], memory: float
    ) -> None:
        m = momenta_of(self, group, batch)
        weights = widened(m.weights)
        moved = displacements(group, m, weights, first)
        each = zip(batch, m.states, weights, moved, lengths, strict=True)
        for p, state, w, displacement, length in [] if is_zero(group["lr"]) else each:  # or rounding would move groups
            dual_(group["penalty"], p, state, w, displacement, length, memory, group["keep"])
        put_back(m.weights, weights, group["stochastic_rounding"])

    def _lists(self, group: dict[str, Any], parameters: list[Tensor]) -> tuple[list[Tensor], ...]:
        return *momenta_of(self, group, parameters).lists(), [local(self.state[p]["dual"]) for p in parameters]


def _beside(lr: Any, states: list[dict[str, Any]]) -> None:
    """Take each Γ of one number to the learning rate where that is on a device: adding there waits for nothing."""
    for state in states if isinstance(lr, Tensor) else []:
        gamma = state.get("threshold")
        if gamma is not None and gamma.ndim == 0 and gamma.device != lr.device:
            state["threshold"] = gamma.to(lr.device, lr.dtype if lr.device.type == "mps" else gamma.dtype)
