"""Adam with the exact prox of a penalty."""

from typing import Any

import torch

from shrinkage.torch._adam import Moments, advance, check_settings, fused_step, moments_of, split_by_penalty, torch_adam
from shrinkage.torch._fused import fused_prox_adam
from shrinkage.torch._one_pass import bend_of, factors_for, has_one_pass, slopes
from shrinkage.torch._optimizer import (
    PenalizedOptimizer,
    check_count,
    fused_and_other,
)
from shrinkage.torch._prox import prox_


class ProxAdam(PenalizedOptimizer):
    r"""Adam, then the prox of the penalty in Adam's own metric: exact zeros, and the penalty's own minimizer.

    With d = max(√v̂ + ε, floor) and step lr/d for each weight,

        z = w - lr · m̂ / d
        w = argmin_u  g(u) + Σ_j d_j (u_j - z_j)² / (2 lr)

    which for `L1L2` is sign(z) max(|z| - lr·αρ/d, 0) / (1 + lr·α(1-ρ)/d). Its fixed points are the stationary points of
    (mean loss) + g. A threshold without d, or the penalty's gradient in the loss, has others: the first solves
    another problem, the second has no zeros.

    Parameters
    ----------
    params : Plan, or iterable of tensors, of (name, tensor) pairs or of groups as torch's optimizers take them
        A group's dict may hold any of the arguments below for its parameters alone, `penalty` among them.
    lr : float or tensor of one element, default 1e-3
        Learning rate; at 0 the weights stay where they are.
    betas, eps, weight_decay, amsgrad, maximize, foreach, capturable, differentiable, fused
        As in `torch.optim.Adam`. `weight_decay` adds weight_decay · w to the gradient before the moments; as a
        penalty, `L2` is the better place for it. `fused=None` takes the one-pass step of the compiled core for
        contiguous float32 and bfloat16 tensors on the CPU under `L1`, `L2`, `L1L2`, `MCP` and `SCAD`, and `foreach`
        elsewhere.
    penalty : Penalty, optional
        For parameters that no group and no plan says otherwise of. Any penalty of `shrinkage.penalties`; on groups of
        weights its prox is exact in the metric too.
    warmup_steps : int, default 0
        Steps of each parameter before its penalty begins. Where gradients are zero at first (zero-initialized branches,
        LoRA), give it a few.
    metric_floor : float, default 0.01
        The floor of d is metric_floor · (root mean square of √v̂ over the tensor, one step before). It keeps weights
        whose gradients were zero so far from vanishing at once, and stands in step and threshold alike, so that it
        moves no fixed point.
    keep : int, default 0
        Guard against the collapse of a layer: the least number of weights, or of groups, that each tensor keeps.
    stochastic_rounding : bool, default False
        Round bfloat16 weights up or down at random, right on average.

    Raises
    ------
    ArgumentError
        If an argument is out of range, a gradient is sparse, or a penalized parameter is complex.

    Notes
    -----
    Without a penalty, or at strength 0, the step is `torch.optim.Adam`'s own, bit for bit. A tensor whose
    gradients have all been 0 is left alone. Parameters of low precision are computed in float32 and rounded once.
    Memory: that of Adam.

    References
    ----------
    Kingma & Ba (2015), https://arxiv.org/abs/1412.6980. Prox in the metric of the
    preconditioner: Yun, Lozano & Yang (2021), ProxGen, Algorithm 1, https://arxiv.org/abs/2007.07484.

    Examples
    --------
    >>> import torch
    >>> from shrinkage import L1
    >>> from shrinkage.torch import Plan, ProxAdam
    >>> _ = torch.manual_seed(0)
    >>> X = torch.randn(200, 10); y = 3 * X[:, 0] - 2 * X[:, 1]
    >>> model = torch.nn.Linear(10, 1)
    >>> optimizer = ProxAdam(Plan(model, L1(0.5)), lr=0.05)
    >>> for _ in range(300):
    ...     optimizer.zero_grad()
    ...     (0.5 * (model(X).squeeze() - y).square().mean()).backward()
    ...     optimizer.step()
    >>> int((model.weight != 0).sum())
    2
    """

    def __init__(
        self,
        params: Any,
        lr: float | torch.Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        penalty: Any = None,
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
        check_count("keep", group["keep"])

    def _step_group(self, group: dict[str, Any]) -> None:
        free, penalized = split_by_penalty(self, group)
        torch_adam(group, moments_of(self, group, free), group["weight_decay"])
        penalty, lists_of = group["penalty"], lambda some: moments_of(self, group, some).lists()
        fused, others = fused_and_other(group, penalized, lists_of, takes=has_one_pass)
        for batch in fused:
            m = moments_of(self, group, batch)
            more = {"factors": factors_for(penalty, m.weights), **bend_of(penalty)}
            fused_step(group, m, fused_prox_adam, slopes(penalty), **more)
        for batch in others:
            _step(group, moments_of(self, group, batch))


def _step(group: dict[str, Any], m: Moments) -> None:
    work = m.widened()
    direction = advance(group, work, group["weight_decay"])
    torch._foreach_add_(work.weights, direction.displacements)
    prox_(group["penalty"], work.weights, direction.steps, m.parameters, group["keep"])
    m.put_back(work, group["stochastic_rounding"])
