"""A share of zeros that is asked for: a controller of the strength, beside any training loop."""

import math
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from shrinkage._check import check_positive_int
from shrinkage._errors import ArgumentError
from shrinkage.penalties import BlockSeparable
from shrinkage.torch._local import is_sharded, local
from shrinkage.torch._reading import unwrapped
from shrinkage.torch._strength_slots import slots_of

PROPORTIONAL, INTEGRAL = 3.0, 1.0 / 15.0
"""Gains on the logarithm of the strength, for calls after every step; calls that are rarer get less of the first."""
LARGEST_ERROR, LARGEST_MOVE = 1.0, 0.5
RAMP, HOLD = 0.6, 0.75
"""Shares of all steps at which the wanted density has come down to the target, and from which zeros stay zeros."""
SHY = 1.1
"""How much denser than the target the network is to be until zeros are held: from there on none comes back."""
RAMP_STEPS = 500
FARTHEST = 25.0
"""Bound of |log factor|: e^25 is 7e10."""


class TargetSparsity:
    r"""Steer the strength of a penalty until a wanted share of the weights is exactly zero.

    With ρ the share of penalized weights that are not zero, r the density wanted by now and e = log(ρ / r), within ±1,
    each call multiplies all strengths by exp(Δ):

        Δ = K (e - e_before) + e · min(n / 15, ½)         K = 3 / (1 + (n - 1) / 5)

    n being the steps since the last call. So what is added up is an integral of the error, on the scale of log
    strength, where equal moves do about equal things; the first term answers changes before they have run on. r comes
    down from where the network starts to 1.1 (1 - target) within the first 60 % of the steps, fast at first. From 75 %
    on r is 1 - target and zeros stay zeros. As soon as there are enough of them the penalty rests (strength 0): what
    is left of the training refits the weights that remain, without the pull of the penalty. Single weights (not
    groups) that the last step before that took beyond the target come back.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        `ProxAdam`, `DualAdam`, `ProxSGD` or `DualSGD` with a penalty; one of torch's with a `Proximal`; `AdamW` with
        l1_decay > 0, which is steered below 1. Its strengths are where the search begins, and the ratios of several
        of them stay. A wrapper that holds it as `.optimizer` is opened.
    target : float in (0, 1)
        Wanted share of exact zeros among all penalized weights together.
    steps : int >= 1, optional
        How many optimizer steps there will be. Without, the density comes down over 500 steps and is then regulated
        for as long as training goes on; nothing is held, so the last zeros may flicker.

    Raises
    ------
    ArgumentError
        If the optimizer has no penalty that could be steered, all strengths are 0, or an argument is out of range.

    Notes
    -----
    Call `step()` after every optimizer step or after every epoch; steps are counted by a hook of the optimizer.
    *Checkpoints*: save `state_dict()` with those of model and optimizer, and load it after them; training goes on bit
    for bit. *Cost*: one pass over the penalized weights at each call, and in each step once zeros are held.

    References
    ----------
    Control of the logarithm of the strength: https://arxiv.org/abs/2605.07892 (2026). A wanted sparsity that rises fast
    at first: Zhu & Gupta (2017), eq. 1, https://arxiv.org/abs/1710.01878.

    Examples
    --------
    >>> import torch
    >>> from shrinkage import L1
    >>> from shrinkage.torch import DualAdam, Plan
    >>> _ = torch.manual_seed(0)
    >>> X = torch.randn(256, 40); y = X[:, :4].argmax(1)
    >>> model = torch.nn.Sequential(torch.nn.Linear(40, 32), torch.nn.ReLU(), torch.nn.Linear(32, 4))
    >>> optimizer = DualAdam(Plan(model, L1(1e-4)), lr=1e-2)
    >>> sparsity = TargetSparsity(optimizer, 0.9, steps=300)
    >>> for _ in range(300):
    ...     optimizer.zero_grad()
    ...     torch.nn.functional.cross_entropy(model(X), y).backward()
    ...     optimizer.step()
    ...     _ = sparsity.step()
    >>> abs(sparsity.zeros - 0.9) < 0.01
    True
    """

    def __init__(self, optimizer: Any, target: float, *, steps: int | None = None) -> None:
        if isinstance(target, bool) or not isinstance(target, Real) or not 0.0 < float(target) < 1.0:
            raise ArgumentError(f"target must be a share of zeros between 0 and 1, such as 0.9; got {target!r}")
        if steps is not None:
            check_positive_int("steps", steps)
        self.optimizer = unwrapped(optimizer)
        self.target, self.steps = float(target), steps
        self._slots = slots_of(self.optimizer)
        self._strengths = self._slots.strengths()
        if not any(_largest(strength) > 0 for strength in self._strengths):
            raise ArgumentError("a strength of 0 cannot be multiplied: begin with a small one, such as 1e-4")
        size = self._slots.size()
        if math.ceil(self.target * size) >= size:
            raise ArgumentError(f"target must leave a weight; {target!r} of {size} penalized weights leaves none")
        self._log_factor, self._error, self._start = 0.0, None, None
        self._taken, self._seen = 0, 0
        self._resting = False
        self._held: list[tuple[Tensor, Tensor]] = []
        self._hooks = [
            self.optimizer.register_step_pre_hook(self._before),
            self.optimizer.register_step_post_hook(self._after),
        ]

    @property
    def zeros(self) -> float:
        """The share of exact zeros among the penalized weights, counted now."""
        return 1.0 - self._slots.density()

    @property
    def missed(self) -> str | None:
        """Why the share of zeros is more than a point from the target, and what to do; None where it is not."""
        zeros = self.zeros
        if abs(zeros - self.target) <= 0.01:
            return None
        said = f"{100 * zeros:.1f} % of the weights are zero, {100 * self.target:g} % were wanted: "
        if self.steps is None:
            return f"{said}{self._taken} steps were taken; tell how many there will be (steps=), or train longer"
        if self._taken < self.steps:
            return f"{said}only {self._taken} of {self.steps} steps were taken; tell how many there will be (steps=)"
        return f"{said}{self.steps} steps were too few; train longer, take a larger learning rate or a stronger penalty"

    @property
    def factor(self) -> float:
        """What the strengths at the start were last multiplied by, before the penalty came to rest."""
        return math.exp(self._log_factor)

    @property
    def strengths(self) -> tuple[Any, ...]:
        """The strengths last in force, before the penalty came to rest: one for each penalty, in the groups' order."""
        return tuple(strength * self.factor for strength in self._strengths)

    @property
    def holding(self) -> bool:
        """Whether weights that are zero stay zero by now."""
        return self.steps is not None and self._taken >= HOLD * self.steps

    @property
    def resting(self) -> bool:
        """Whether there are enough zeros and the penalty is off."""
        return self._resting

    def step(self) -> float:
        """Count zeros and move the strength; call it after every optimizer step, or after every epoch.

        Returns
        -------
        float
            The share of zeros, as of now.
        """
        self._strengths += self._slots.strengths()[len(self._strengths) :]  # of groups added since
        passed, self._seen = self._taken - self._seen, self._taken
        density = self._slots.density()
        if passed and not self._rest(density):
            self._log_factor = max(-FARTHEST, min(self._highest(), self._log_factor + self._move(density, passed)))
            self._slots.assign(list(self.strengths))
        return 1.0 - density

    def scalars(self) -> dict[str, float]:
        """Return the numbers for a logger: `zeros`, `target`, and `strength`, the largest in force."""
        strength = 0.0 if self._resting else max(map(_largest, self.strengths))
        return {"zeros": self.zeros, "target": self.target, "strength": strength}

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` takes, as plain data."""
        return {
            "target": self.target,
            "steps": self.steps,
            "strengths": [_stored(strength) for strength in self._strengths],
            "log_factor": self._log_factor,
            "error": self._error,
            "start": self._start,
            "taken": self._taken,
            "seen": self._seen,
            "resting": self._resting,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned, and put its strengths in force; load model and optimizer before.

        Raises
        ------
        ArgumentError
            If it is of another number of penalties.
        """
        if len(state["strengths"]) != len(self._strengths):
            raise ArgumentError(
                f"the stored state steers {len(state['strengths'])} penalties, and this optimizer has "
                f"{len(self._strengths)}: load it beside the optimizer that it was saved with"
            )
        self.target, self.steps = state["target"], state["steps"]
        self._strengths = [_like(stored, own) for stored, own in zip(state["strengths"], self._strengths, strict=True)]
        self._log_factor, self._error, self._start = state["log_factor"], state["error"], state["start"]
        self._taken, self._seen, self._resting = state["taken"], state["seen"], state["resting"]
        self._held = []
        self._slots.assign([0.0 * s for s in self._strengths] if self._resting else list(self.strengths))

    def remove(self) -> None:
        """Take the hooks off the optimizer; the strengths stay as they are."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def __repr__(self) -> str:
        of = "" if self.steps is None else f" of {self.steps}"
        state = "resting" if self._resting else "holding" if self.holding else "steering"
        return (
            f"<TargetSparsity: {100 * self.zeros:.1f} % zeros, target {100 * self.target:g} %, step {self._taken}{of}, "
            f"strengths x {self.factor:.3g}, {state}>"
        )

    def _highest(self) -> float:
        """The largest logarithm of the factor that still means something, so that no error piles up above it."""
        most = self._slots.most / max(map(_largest, self._strengths))
        return min(FARTHEST, math.log(most))

    def _wanted(self) -> float:
        """The logarithm of the density wanted by now."""
        goal = math.log1p(-self.target)
        if self.steps is not None and not self.holding:
            goal = min(goal + math.log(SHY), self._start or 0.0)
        begun = min(self._taken / (RAMP_STEPS if self.steps is None else RAMP * self.steps), 1.0)
        return goal + (1.0 - begun) ** 3 * ((self._start or 0.0) - goal)

    def _move(self, density: float, passed: int) -> float:
        """By how much the logarithm of the strengths changes."""
        level = math.log(max(density, 1e-6))
        if self._start is None:
            self._start = level
        error = max(-LARGEST_ERROR, min(LARGEST_ERROR, level - self._wanted()))
        move = error * min(INTEGRAL * passed, 0.5)
        if self._error is not None:
            move += PROPORTIONAL / (1.0 + (passed - 1) / 5.0) * (error - self._error)
        self._error = error
        return max(-LARGEST_MOVE, min(LARGEST_MOVE, move))

    def _rest(self, density: float) -> bool:
        """Turn the penalty off for good once there are enough zeros and they are held; say whether it is off."""
        if not self._resting and self.holding and 1.0 - density >= self.target:
            self._resting = True
            self._slots.assign([0.0 * strength for strength in self._strengths])
        return self._resting

    @torch.no_grad()
    def _before(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        self._held = []
        if self.holding:
            whole = self._resting or any(
                is_sharded(p) or isinstance(penalty, BlockSeparable) for p, penalty in self._slots.penalized()
            )
            values = [local(p) for p in self._slots.parameters()]
            self._held = [(w, w == 0 if whole else w.clone()) for w in values]

    @torch.no_grad()
    def _after(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        self._taken += 1
        held, self._held = self._held, []
        for w, before in held:
            w.masked_fill_(before if before.dtype is torch.bool else before == 0, 0.0)
        if held and not self._resting:
            if held[0][1].dtype is not torch.bool:
                _give_back(held, self.target)
            self._rest(self._slots.density())


def _give_back(held: list[tuple[Tensor, Tensor]], target: float) -> None:
    """Undo what a step made zero beyond the target, the largest weights first: many flicker, and all are caught."""
    size = sum(w.numel() for w, _ in held)
    surplus = sum(w.numel() - int(torch.count_nonzero(w)) for w, _ in held) - math.ceil(target * size)
    if surplus <= 0:
        return
    lost = [before.abs().masked_fill(w != 0, 0.0).flatten().float() for w, before in held]
    every = torch.cat([part.to(lost[0].device) for part in lost])
    surplus = min(surplus, int(torch.count_nonzero(every)))
    chosen = torch.zeros_like(every, dtype=torch.bool)
    chosen[every.topk(surplus).indices] = True
    for (w, before), back in zip(held, chosen.split([w.numel() for w, _ in held]), strict=True):
        w.copy_(torch.where(back.to(w.device).reshape(w.shape), before, w))


def _largest(strength: Any) -> float:
    """The largest number of a strength, which may be an array."""
    return float(strength if isinstance(strength, (int, float)) else strength.max())


def _stored(strength: Any) -> Any:
    """A strength as plain data; a tensor stays one."""
    return strength.tolist() if hasattr(strength, "tolist") and not isinstance(strength, Tensor) else strength


def _like(stored: Any, own: Any) -> Any:
    """A stored strength as the kind of array that the optimizer has."""
    return stored if isinstance(own, (int, float, Tensor)) else np.asarray(stored, dtype=np.float64)
