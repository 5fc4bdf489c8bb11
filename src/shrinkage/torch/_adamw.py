"""Adam with decoupled decay, L2 and L1."""

from typing import Any

import torch

from shrinkage._check import check_choice, check_nonnegative
from shrinkage._errors import ArgumentError
from shrinkage.torch._adam import check_adam, moments_of, ready_state, torch_adam
from shrinkage.torch._optimizer import PenalizedOptimizer, batches, check_flags, number, refuse_sparse
from shrinkage.torch._plan import Plan
from shrinkage.torch._precision import LOW, warn_of_lost_decay
from shrinkage.torch._prox import soft_threshold_


class AdamW(PenalizedOptimizer):
    r"""Adam with decoupled decay: w ← soft(decay · w - lr · m̂ / d, lr · l1_decay), d = √v̂ + ε.

    Decay is no penalty: it pulls every weight alike, whatever its gradients, and minimizes no fixed objective.

    Parameters
    ----------
    params : Plan, or iterable of tensors, of (name, tensor) pairs or of groups as torch's optimizers take them
        From a plan (made without a penalty: `Plan(model)`), the selected parameters are decayed and the others are not.
    lr : float or tensor of one element, default 1e-3
    betas, eps, amsgrad, maximize, foreach, capturable, differentiable, fused
        As in `torch.optim.AdamW`.
    weight_decay : float >= 0, default 1e-2
        With coupling "lr" each step multiplies a weight by 1 - lr · weight_decay: its timescale is 1 / (lr ·
        weight_decay) steps.
    l1_decay : float in [0, 1), default 0
        A signal-to-noise threshold: a weight becomes zero, exactly, where |mean gradient| < l1_decay · (root mean
        square gradient). It has no unit, and multiplying the loss changes nothing; it is not the strength of an L1
        penalty. Always coupled to lr, as the gradient's step is.
    coupling : {"lr", "independent"}, default "lr"
        "independent" multiplies by 1 - (lr / max_lr) · weight_decay: the schedule moves the decay, the base learning
        rate does not.
    max_lr : float, optional
        The base learning rate of "independent": `lr` if not given, or the largest met if that is larger.
    stochastic_rounding : bool, default False
        Round bfloat16 weights up or down at random, right on average.

    Raises
    ------
    ArgumentError
        If an argument is out of range, or the plan holds penalties.

    Warns
    -----
    UserWarning
        Once, if lr · weight_decay is below half a unit in the last place of a parameter's type, so that decay does
        nothing.

    Notes
    -----
    With l1_decay = 0 and coupling "lr" the step is `torch.optim.AdamW`'s own, bit for bit, but for
    bfloat16 and float16, which are computed in float32 and rounded once.

    References
    ----------
    Loshchilov & Hutter (2019), Algorithm 2, https://arxiv.org/abs/1711.05101

    Examples
    --------
    >>> import torch
    >>> from shrinkage.torch import AdamW, Plan
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.LayerNorm(8), torch.nn.Linear(8, 1))
    >>> optimizer = AdamW(Plan(model), lr=1e-3, weight_decay=0.1)
    >>> [(group["weight_decay"], len(group["params"])) for group in optimizer.param_groups]
    [(0.1, 2), (0.0, 4)]
    """

    def __init__(
        self,
        params: Any,
        lr: float | torch.Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        l1_decay: float = 0.0,
        coupling: str = "lr",
        max_lr: float | None = None,
        stochastic_rounding: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_adam(lr, betas, eps, weight_decay)
        check_flags(foreach, fused, differentiable)
        check_choice("coupling", coupling, ("lr", "independent"))
        if isinstance(l1_decay, bool) or not isinstance(l1_decay, (int, float)) or not 0 <= l1_decay < 1:
            raise ArgumentError(
                f"l1_decay is a signal-to-noise ratio in [0, 1), and at 1 nothing would be left; got {l1_decay!r}"
            )
        if max_lr is not None:
            check_nonnegative("max_lr", max_lr)
        defaults = {k: v for k, v in locals().items() if k not in ("self", "params", "__class__")}
        plan = params if isinstance(params, Plan) else None
        super().__init__(_decayed(plan, weight_decay, l1_decay) if plan else params, defaults, None)
        self.plan = plan

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters, with any of the constructor's arguments for them alone."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        group["max_lr"] = float(group["lr"] if group["max_lr"] is None else group["max_lr"])

    def _check_group(self, group: dict[str, Any]) -> None:
        super()._check_group(group)
        if group["penalty"] is not None:
            raise ArgumentError(
                f"AdamW decays weights and minimizes no penalty: use ProxAdam or DualAdam for {group['penalty']!r}, or "
                "a plan without a penalty, Plan(model)"
            )
        if group["differentiable"] and group["l1_decay"]:
            raise ArgumentError("differentiable=True works with l1_decay = 0 only: the threshold is taken in place")

    def _step_group(self, group: dict[str, Any]) -> None:
        parameters = [p for p in group["params"] if p.grad is not None]
        for p in parameters:
            refuse_sparse(p)
            ready_state(self, p, group)
        lr, decay = group["lr"], group["weight_decay"]
        if group["coupling"] == "independent":
            group["max_lr"] = max(group["max_lr"], float(lr))
            decay = decay / group["max_lr"] if group["max_lr"] else 0.0
        warn_of_lost_decay(group, [number(group[key]) for key in ("lr", "max_lr", "initial_lr") if key in group])
        for batch in batches(parameters, group["foreach"]):
            m = moments_of(self, group, batch)
            shrinks = bool(decay or group["l1_decay"]) and batch[0].dtype in LOW
            work = m.widened() if shrinks else m
            torch_adam(group, work, decay, decoupled=True)
            if group["l1_decay"]:
                soft_threshold_(work.weights, [number(lr)] * len(work.weights), group["l1_decay"], 0.0)
            m.put_back(work, group["stochastic_rounding"])


def _decayed(plan: Plan, weight_decay: float, l1_decay: float) -> list[dict[str, Any]]:
    """The plan's groups, those that it selects with decay and the others without."""
    groups = plan.param_groups(weight_decay=1.0)
    for group in groups:
        selected = group["weight_decay"] != 0
        group["weight_decay"], group["l1_decay"] = (weight_decay, l1_decay) if selected else (0.0, 0.0)
    return groups
