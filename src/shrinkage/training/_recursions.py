"""The scalar recursions behind a proximal optimizer: how long a step each one really takes.

A proximal step is right when its threshold is the strength times the length of the step that the gradient took. These are
those lengths, for one step number, as plain numbers or 0-d arrays of any library.
"""

from typing import Any

Scalar = Any
"""A Python number, or a 0-d array of any library."""


def momentum_scale(previous: Scalar | None, momentum: Scalar, dampening: float = 0.0) -> Scalar:
    """Return s, with momentum buffer = s · g if every gradient so far was g.

    s = 1 at the first step (which takes no dampening), then s ← μ s + (1 - τ), μ = `momentum`, τ = `dampening`.
    With constant μ and τ = 0 it is (1 - μᵗ) / (1 - μ). Kept as a recursion it stays right when μ follows a schedule and when a
    parameter misses steps.

    Parameters
    ----------
    previous : number or None
        s after the last step; None before the first.
    momentum, dampening : float

    Examples
    --------
    >>> s = momentum_scale(None, 0.9)
    >>> s, momentum_scale(s, 0.9), round(momentum_scale(1.9, 0.9), 2)
    (1.0, 1.9, 2.71)
    """
    return 1.0 if previous is None else momentum * previous + (1.0 - dampening)


def step_scale(scale: Scalar, momentum: Scalar, nesterov: bool) -> Scalar:
    """Return how many times lr · g a step moves when the buffer is `scale` · g: `scale`, or 1 + μ · scale with Nesterov.

    Examples
    --------
    >>> round(step_scale(1.9, 0.9, nesterov=True), 2)
    2.71
    """
    return 1.0 + momentum * scale if nesterov else scale


def adam_corrections(step: Scalar, beta1: float, beta2: float) -> tuple[Scalar, Scalar]:
    """Return 1 - β₁ᵗ and √(1 - β₂ᵗ): m̂ = m / first, √v̂ = √v / second.

    Reference: Kingma & Ba (2015), Algorithm 1, https://arxiv.org/abs/1412.6980

    Examples
    --------
    >>> first, second = adam_corrections(1, 0.9, 0.99)
    >>> round(first, 12), round(second, 12)
    (0.1, 0.1)
    """
    return 1.0 - beta1**step, (1.0 - beta2**step) ** 0.5


def decay_factor(lr: Scalar, weight_decay: float, coupling: str, max_lr: Scalar) -> Scalar:
    """Return what a decoupled step multiplies a weight by.

    1 - lr · weight_decay for coupling "lr"; 1 - (lr / max_lr) · weight_decay for "independent", where a schedule still
    moves the decay and the base learning rate does not.

    Reference: Loshchilov & Hutter (2019), Algorithm 2, whose η_t is lr / max_lr, https://arxiv.org/abs/1711.05101

    Examples
    --------
    >>> decay_factor(0.5, 0.1, "lr", 1.0), decay_factor(0.5, 0.1, "independent", 1.0)
    (0.95, 0.95)
    """
    return 1.0 - (lr if coupling == "lr" else lr / max_lr) * weight_decay
