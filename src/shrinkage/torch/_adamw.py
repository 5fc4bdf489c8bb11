"""Adam with decoupled decay, L2 and L1."""

import sys
from typing import Any

import torch

from shrinkage._check import check_choice
from shrinkage._errors import ArgumentError
from shrinkage.torch._adam import Moments, check_adam, moments_of, ready_state, torch_adam
from shrinkage.torch._auto_decay import auto_decay
from shrinkage.torch._fused import can_fuse, fused_prox_adam
from shrinkage.torch._optimizer import (
    PenalizedOptimizer,
    batches,
    check_number,
    check_tensor_settings,
    number,
    refuse_sparse,
)
from shrinkage.torch._plan import Plan
from shrinkage.torch._precision import LOW, warn_of_lost_decay
from shrinkage.torch._prox import soft_threshold_
from shrinkage.training import AutoDecay, decay_factor

NO_DEFAULTS = frozenset(("self", "params", "steps_per_epoch", "epochs", "__class__"))
"""Arguments of the constructor that are of no group."""


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
    weight_decay : float >= 0 or "auto", default 1e-2
        With coupling "lr" each step multiplies a weight by 1 - lr · weight_decay: its timescale is 1 / (lr ·
        weight_decay) steps. "auto" makes that the length of the training, for each group by its own `lr`, and
        `print(optimizer.auto_decay)` says what was chosen and why. It is decided once; checkpoints hold the number.
    l1_decay : float in [0, 1), default 0
        A signal-to-noise threshold: a weight becomes zero, exactly, where |mean gradient| < l1_decay · (root mean
        square gradient). It has no unit, and multiplying the loss changes nothing; it is not the strength of an L1
        penalty. Always coupled to lr, as the gradient's step is.
    coupling : {"lr", "independent"}, default "lr"
        "independent" multiplies by 1 - (lr / base_lr) · weight_decay: the schedule moves the decay, the base learning
        rate does not.
    base_lr : float, optional
        The base learning rate of "independent": `lr` if not given, or the largest met if that is larger.
    stochastic_rounding : bool, default False
        Round bfloat16 weights up or down at random, right on average.
    steps_per_epoch, epochs : float > 0, optional
        How long the training is, for weight_decay="auto" alone.

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
    >>> optimizer = AdamW(Plan(model), lr=1e-3, weight_decay="auto", steps_per_epoch=100, epochs=20)
    >>> [group["weight_decay"] for group in optimizer.param_groups]
    [0.5, 0.0]
    """

    def __init__(
        self,
        params: Any,
        lr: float | torch.Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float | str = 1e-2,
        amsgrad: bool = False,
        *,
        l1_decay: float = 0.0,
        coupling: str = "lr",
        base_lr: float | None = None,
        stochastic_rounding: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        steps_per_epoch: float | None = None,
        epochs: float | None = None,
    ) -> None:
        defaults = {k: v for k, v in locals().items() if k not in NO_DEFAULTS}
        self._length = steps_per_epoch, epochs
        self._auto: AutoDecay | None = None
        self._check_decay(weight_decay)
        if isinstance(weight_decay, str):
            self._auto = auto_decay(lr, steps_per_epoch, epochs, coupling)
            defaults["weight_decay"] = self._auto.weight_decay
        elif steps_per_epoch is not None or epochs is not None:
            raise ArgumentError(
                f"steps_per_epoch and epochs are for weight_decay='auto'; weight_decay is {weight_decay!r}: leave them "
                "out, or the number"
            )
        plan = params if isinstance(params, Plan) else None
        super().__init__(_decayed(plan, defaults["weight_decay"], l1_decay) if plan else params, defaults, None)
        self.plan = plan

    @property
    def auto_decay(self) -> AutoDecay | None:
        """What weight_decay="auto" chose at the optimizer's own learning rate, and why; None after a number."""
        return self._auto

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters, with any of the constructor's arguments for them alone."""
        param_group = self._decided(param_group)
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        if group["base_lr"] is None:
            group["base_lr"] = 0.0
        _raise_base_lr(group)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_length": self._length, "_auto": self._auto}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({"_length": (None, None), "_auto": None, **state})

    def _decided(self, group: Any) -> Any:
        """A group with a number where its weight_decay, its own or by default, is "auto"."""
        if not isinstance(group, dict):
            return group
        own = group.get("weight_decay")
        self._check_decay(own)
        inherits = own is None and self._auto is not None and ("lr" in group or "coupling" in group)
        if not isinstance(own, str) and not inherits:
            return group
        lr, coupling = (group.get(key, self.defaults[key]) for key in ("lr", "coupling"))
        return {**group, "weight_decay": auto_decay(lr, *self._length, coupling).weight_decay}

    @staticmethod
    def _check_decay(weight_decay: Any) -> None:
        if isinstance(weight_decay, str) and weight_decay != "auto":
            raise ArgumentError(f"weight_decay must be a number >= 0 or 'auto'; got {weight_decay!r}")

    def _check_group(self, group: dict[str, Any]) -> None:
        super()._check_group(group)
        if group["penalty"] is not None:
            raise ArgumentError(
                f"AdamW decays weights and minimizes no penalty: use ProxAdam or DualAdam for {group['penalty']!r}, or "
                "a plan without a penalty, Plan(model)"
            )

    def _check_settings(self, group: dict[str, Any]) -> None:
        super()._check_settings(group)
        check_adam(group["lr"], group["betas"], group["eps"], group["weight_decay"])
        check_tensor_settings(group)
        check_choice("coupling", group["coupling"], ("lr", "independent"))
        ratio = group["l1_decay"]
        if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not 0 <= ratio < 1:
            raise ArgumentError(
                f"l1_decay is a signal-to-noise ratio in [0, 1), and at 1 nothing would be left; got {ratio!r}"
            )
        if group["base_lr"] is not None and not isinstance(group["base_lr"], torch.Tensor):
            check_number("base_lr", group["base_lr"])
        if group["differentiable"] and ratio:
            raise ArgumentError("differentiable=True works with l1_decay = 0 only: the threshold is taken in place")

    def _step_group(self, group: dict[str, Any]) -> None:
        parameters = [p for p in group["params"] if p.grad is not None]
        for p in parameters:
            refuse_sparse(p)
            ready_state(self, p, group)
        if group["coupling"] == "independent":
            _raise_base_lr(group)
        known = [group[key] for key in ("lr", "base_lr", "initial_lr", "max_lr") if group.get(key) is not None]
        warn_of_lost_decay(group, [number(rate) for rate in known])
        one_pass, others = [], []
        for p in parameters:
            (one_pass if self._steps_in_one_pass(group, p) else others).append(p)
        for batch in batches(one_pass, foreach=True):
            _one_pass(group, moments_of(self, group, batch))
        for batch in batches(others, group["foreach"]):
            _step(group, moments_of(self, group, batch))

    def _steps_in_one_pass(self, group: dict[str, Any], p: torch.Tensor) -> bool:
        """Say whether the compiled step is right here: where it can be, and torch has none that does the same."""
        if group["fused"] is False or (group["fused"] is None and group["foreach"] is not None):
            return False
        if group["differentiable"] or group["stochastic_rounding"]:
            return False
        own = group["l1_decay"] != 0 or (group["weight_decay"] != 0 and p.dtype in LOW)
        return own and can_fuse([tensors[0] for tensors in moments_of(self, group, [p]).lists() if tensors])


def _raise_base_lr(group: dict[str, Any]) -> None:
    """Keep the largest learning rate met; a rate on a device is compared there, in place, for graphs that repeat it."""
    lr, base = number(group["lr"]), group["base_lr"]
    if not isinstance(lr, torch.Tensor):
        group["base_lr"] = max(float(base), float(lr))
        return
    if not isinstance(base, torch.Tensor):
        base = group["base_lr"] = torch.full_like(lr, base)
    base.copy_(torch.maximum(base, lr))


def _factor(group: dict[str, Any]) -> Any:
    """Return what this step multiplies a weight by; a base learning rate of 0 is one that no step was taken at."""
    base = group["base_lr"]
    on_device = isinstance(base, torch.Tensor)
    base = base.clamp(min=torch.finfo(base.dtype).tiny) if on_device else max(base, sys.float_info.min)
    return decay_factor(number(group["lr"]), group["weight_decay"], group["coupling"], base)


def _one_pass(group: dict[str, Any], m: Moments) -> None:
    """Take the step in one pass over memory."""
    torch._foreach_add_([s["step"] for s in m.states], 1.0)
    fused_prox_adam(
        *m.lists(),
        steps=[float(s["step"]) for s in m.states],
        floors=[0.0] * len(m.weights),
        lr=float(group["lr"]),
        beta1=float(group["betas"][0]),
        beta2=float(group["betas"][1]),
        eps=group["eps"],
        weight_decay=0.0,
        shrink=float(_factor(group)),
        l1=group["l1_decay"],
        l2=0.0,
        maximize=group["maximize"],
        in_metric=False,
    )


def _step(group: dict[str, Any], m: Moments) -> None:
    """Take torch's step, with another decay before it where that is independent and the threshold after it."""
    decay, threshold = group["weight_decay"], group["l1_decay"]
    shrinks = bool(decay or threshold) and m.weights[0].dtype in LOW
    work = m.widened() if shrinks else m
    if decay and group["coupling"] == "independent":
        torch._foreach_mul_(work.weights, _factor(group))
        decay = 0.0
    torch_adam(group, work, decay, decoupled=True)
    if threshold:
        soft_threshold_(work.weights, [number(group["lr"])] * len(work.weights), threshold, 0.0)
    m.put_back(work, group["stochastic_rounding"])


def _decayed(plan: Plan, weight_decay: float, l1_decay: float) -> list[dict[str, Any]]:
    """The plan's groups, those that it selects with decay and the others without."""
    groups = plan.param_groups(weight_decay=1.0)
    for group in groups:
        selected = group["weight_decay"] != 0
        group["weight_decay"], group["l1_decay"] = (weight_decay, l1_decay) if selected else (0.0, 0.0)
    return groups
