"""Dual averaging in Adam's metric: the optimizer for exact zeros under mini-batch noise."""

from typing import Any

from torch import Tensor

from shrinkage.torch._adam import Moments, advance, check_settings, fused_step, moments_of, split_by_penalty, torch_adam
from shrinkage.torch._dual import dual_, forget, ready_duals
from shrinkage.torch._fused import fused_dual_adam
from shrinkage.torch._local import local
from shrinkage.torch._one_pass import factors_for, slopes
from shrinkage.torch._optimizer import (
    PenalizedOptimizer,
    check_count,
    fused_and_other,
    is_zero,
    memory_of,
)
from shrinkage.torch._slopes import is_elastic_net
from shrinkage.training import check_dual, check_memory


class DualAdam(PenalizedOptimizer):
    r"""Adam with dual averaging: a weight is zero while its gradients so far do not outweigh its penalties so far.

    With d = max(√v̂ + ε, floor), all for each weight, from z = w and Γ = 0,

        z ← β z - lr · m̂ / d          Γ ← β Γ + lr · αρ / d
        w = sign(z) max(|z| - Γ, 0) / (1 + lr · α(1-ρ) / d)

    where z starts anew from w + sign(w) Γ after every step that leaves w ≠ 0 (in this form w is the state, and
    loses no digits to a growing Γ). A prox sees one noisy gradient and lets weights flicker; z and Γ remember all
    of them, so zeros last. On groups, with one d for each group, the root mean square of its weights' d,

        z ← β z - lr · m̂ / d          Γ ← β Γ + lr · α ω_g / d          w = z max(1 - Γ / ‖z‖, 0)

    where z starts anew from w (1 + Γ / ‖w‖) after every step that leaves the group ≠ 0. The fixed points are
    those of `ProxAdam`: the stationary points of (mean loss) + g.

    Parameters
    ----------
    params : Plan, or iterable of tensors, of (name, tensor) pairs or of groups as torch's optimizers take them
        A group's dict may hold any of the arguments below for its parameters alone, `penalty` among them.
    lr : float or tensor of one element, default 1e-3
        Learning rate; at 0 nothing moves.
    betas, eps, weight_decay, amsgrad, maximize, foreach, capturable, differentiable, fused
        As in `ProxAdam`.
    penalty : Penalty, optional
        `L1`, `L2`, `L1L2`, `GroupL2` or their sum `SparseGroup`, with a number as strength; its factors must not
        reach the squares of a `SparseGroup`.
    memory : float in (0, 1], default 0.999
        β. What counts is about the last 1 / (1 - β) steps. 1 is dual averaging proper, which never forgets: a weight
        that the first, large gradients sent to zero may then need as many steps again to come back, and groups turn
        ever more slowly, by ‖w‖ / (‖w‖ + Γ) of what the gradient says across w. Below .99 zeros get fewer.
    warmup_steps, metric_floor, stochastic_rounding
        As in `ProxAdam`.
    keep : int, default 0
        Guard against the collapse of a layer: the least number of weights, or of groups, that each tensor keeps. Where
        a step would leave fewer, the largest of w - lr · m̂ / d are left at that, and their z starts anew from there.

    Raises
    ------
    ArgumentError
        If an argument is out of range, a gradient is sparse, a penalized parameter is complex, or the penalty is of
        another kind, for which dual averaging has no closed form.

    Notes
    -----
    Without a penalty, or at strength 0, the step is `torch.optim.Adam`'s own; a penalty that was off starts anew.
    Memory: that of Adam and two numbers more for each penalized weight, three for `SparseGroup`. Under FSDP2, groups
    that a shard splits are gathered in each step.

    References
    ----------
    Xiao (2010), J. Mach. Learn. Res. 11, Algorithm 1, https://jmlr.org/papers/v11/xiao10a.html; with momentum and an
    adaptive metric: Huang et al. (2024), RAMDA, Algorithm 1, https://arxiv.org/abs/2403.14398.

    Examples
    --------
    >>> import torch
    >>> from shrinkage import L1
    >>> from shrinkage.torch import DualAdam, Plan
    >>> _ = torch.manual_seed(0)
    >>> X = torch.randn(200, 10); y = 3 * X[:, 0] - 2 * X[:, 1] + torch.randn(200)
    >>> model = torch.nn.Linear(10, 1)
    >>> optimizer = DualAdam(Plan(model, L1(0.2)), lr=0.02)
    >>> for _ in range(100):
    ...     for rows in torch.randperm(200).split(20):
    ...         optimizer.zero_grad()
    ...         (0.5 * (model(X[rows]).squeeze() - y[rows]).square().mean()).backward()
    ...         optimizer.step()
    >>> (model.weight != 0).flatten().tolist()[:4], int((model.weight != 0).sum())
    ([True, True, False, False], 2)
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        penalty: Any = None,
        memory: float = 0.999,
        warmup_steps: int = 0,
        metric_floor: float = 0.01,
        keep: int = 0,
        stochastic_rounding: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {k: v for k, v in locals().items() if k not in ("self", "params", "penalty", "__class__")}
        super().__init__(params, defaults, penalty)

    def _check_settings(self, group: dict[str, Any]) -> None:
        super()._check_settings(group)
        check_settings(group)
        check_memory(group["memory"])
        check_count("keep", group["keep"])

    def _check_group(self, group: dict[str, Any]) -> None:
        super()._check_group(group)
        check_dual(group["penalty"], instead="ProxAdam")

    def _step_group(self, group: dict[str, Any]) -> None:
        free, penalized = split_by_penalty(self, group)
        torch_adam(group, moments_of(self, group, free), group["weight_decay"])
        forget([self.state[p] for p in free])
        ready_duals(group["penalty"], penalized, [self.state[p] for p in penalized], one_step=False)
        memory = memory_of(group)
        fused, others = fused_and_other(group, penalized, lambda some: self._lists(group, some), 2, is_elastic_net)
        for batch in fused:
            m = moments_of(self, group, batch)
            duals, thresholds = self._lists(group, batch)[-2:]
            factors = factors_for(group["penalty"], m.weights)
            more = {"duals": duals, "thresholds": thresholds, "memory": memory, "factors": factors}
            fused_step(group, m, fused_dual_adam, slopes(group["penalty"]), **more)
        for batch in others:
            _step(group, moments_of(self, group, batch), memory)

    def _lists(self, group: dict[str, Any], parameters: list[Tensor]) -> tuple[list[Tensor], ...]:
        duals = [local(self.state[p]["dual"]) for p in parameters]
        thresholds = [local(self.state[p]["threshold"]) for p in parameters]
        return *moments_of(self, group, parameters).lists(), duals, thresholds


def _step(group: dict[str, Any], m: Moments, memory: float) -> None:
    work = m.widened()
    direction = advance(group, work, group["weight_decay"])
    still = is_zero(group["lr"])  # or rounding would move groups
    each = zip(m.parameters, m.states, work.weights, direction.displacements, direction.steps, strict=True)
    for p, state, w, displacement, step in [] if still else each:
        dual_(group["penalty"], p, state, w, displacement, step, memory, group["keep"])
    m.put_back(work, group["stochastic_rounding"])
