"""The scalar recursions behind a proximal optimizer: how long a step each one really takes.

A proximal step is right when its threshold is the strength times the length of the step that the gradient took. These
are those lengths, for one step number, as plain numbers or 0-d arrays of any library.
"""

from typing import Any

Scalar = Any
"""A Python number, or a 0-d array of any library."""


def momentum_scale(previous: Scalar | None, momentum: Scalar, dampening: float = 0.0) -> Scalar:
    """Return s, with momentum buffer = s · g if every gradient so far was g.

    s = 1 at the first step (which takes no dampening), then s ← μ s + (1 - τ), μ = `momentum`, τ = `dampening`. With
    constant μ and τ = 0 it is (1 - μᵗ) / (1 - μ). Kept as a recursion it stays right when μ follows a schedule and
    when a parameter misses steps.

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


def velocity_length(previous: Scalar, momentum: Scalar, lr: Scalar) -> Scalar:
    """Return s, with velocity = -s · g if every gradient so far was g, for a velocity v ← μ v - lr · g.

    s ← μ s + lr from s = 0, with lr that of each step: where the learning rate is inside the velocity, a schedule acts
    on what comes, not on what is there. The step is s, with Nesterov μ s + lr, which is the next s.

    Parameters
    ----------
    previous : number
        s after the last step; 0 before the first.
    momentum, lr : number

    Examples
    --------
    >>> s = velocity_length(0.0, 0.5, 1.0)
    >>> s, velocity_length(s, 0.5, 0.25)
    (1.0, 0.75)
    """
    return momentum * previous + lr


def longest_step(penalty: Any, momentum: Scalar) -> Scalar | None:
    """Return the longest step of the prox of a penalty that is not convex, ½ (1 - β) / c; None for all others.

    c is the concavity of the penalty, β the momentum of the optimizer (for Adam β₁). For steps h >= 1/c the objective
    of the prox has two minimizers, and the global one need not be where the weight is stationary: it would be left.
    For h < 1/c the prox stretches by up to 1 / (1 - h c) at once, while what the gradient answers comes in by a share
    of 1 - β a step. About a minimizer in the bend, the weight and the momentum go through a linear map of determinant
    β / (1 - h c), which is stable only for h c < 1 - β.

    Examples
    --------
    >>> from shrinkage import L1, MCP
    >>> longest_step(MCP(0.1, gamma=4.0), 0.5), longest_step(L1(0.1), 0.5)
    (1.0, None)
    """
    concavity = getattr(penalty, "concavity", 0.0)
    if not concavity:
        return None
    left = 1.0 - momentum
    return 0.5 / concavity * (max(left, 1e-3) if isinstance(left, float) else left)


def step_scale(scale: Scalar, momentum: Scalar, nesterov: bool) -> Scalar:
    """Return how many times lr · g a step moves when the buffer is s · g: s = `scale`, or 1 + μ s with Nesterov.

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


def decay_factor(lr: Scalar, weight_decay: float, coupling: str, base_lr: Scalar) -> Scalar:
    """Return what a decoupled step multiplies a weight by.

    1 - lr · weight_decay for coupling "lr"; 1 - (lr / base_lr) · weight_decay for "independent", where a schedule still
    moves the decay and the base learning rate does not.

    Reference: Loshchilov & Hutter (2019), Algorithm 2, whose η_t is lr / base_lr, https://arxiv.org/abs/1711.05101

    Examples
    --------
    >>> decay_factor(0.5, 0.1, "lr", 1.0), decay_factor(0.5, 0.1, "independent", 1.0)
    (0.95, 0.95)
    """
    return 1.0 - decay_share(lr, weight_decay, coupling, base_lr)


def decay_share(lr: Scalar, weight_decay: float, coupling: str, base_lr: Scalar) -> Scalar:
    """Return what a decoupled step takes from a weight of 1: 1 - `decay_factor`, without rounding it.

    Examples
    --------
    >>> decay_share(1e-20, 1.0, "lr", 1.0)
    1e-20
    """
    return (lr if coupling == "lr" else lr / base_lr) * weight_decay


def steady_scale(momentum: Scalar, dampening: float = 0.0) -> Scalar:
    """Return the limit (1 - τ) / (1 - μ) of `momentum_scale`, for a buffer of unknown age; 1 where μ >= 1 has none.

    Examples
    --------
    >>> round(steady_scale(0.9), 12), round(steady_scale(0.9, dampening=0.9), 12)
    (10.0, 1.0)
    """
    return (1.0 - dampening) / (1.0 - momentum) if momentum < 1 else 1.0


def nadam_parts(step: Scalar, product: Scalar, beta1: float, momentum_decay: float) -> tuple[Scalar, Scalar]:
    """Return c, c' with NAdam's step lr · (c g + c' m) / d: c = (1 - μ_t) / (1 - P), c' = μ_{t+1} / (1 - P μ_{t+1}).

    The letters and arguments are those of `nadam_scale`.

    Examples
    --------
    >>> first = 0.9 * (1 - 0.5 * 0.96**0.004)
    >>> [round(part, 4) for part in nadam_parts(1, first, 0.9, 0.004)]
    [1.0, 0.5645]
    """
    now, then = (beta1 * (1.0 - 0.5 * 0.96 ** (t * momentum_decay)) for t in (step, step + 1))
    return (1.0 - now) / (1.0 - product), then / (1.0 - product * then)


def nadam_scale(step: Scalar, product: Scalar, beta1: float, momentum_decay: float) -> Scalar:
    """Return how many times lr · g / d NAdam moves at step t, if every gradient so far was g.

    With μ_t = β₁ (1 - ½ · 0.96^(t ψ)), ψ = `momentum_decay`, P = μ_1 ··· μ_t, and the first moment (1 - β₁ᵗ) g, which
    nothing corrects for bias, it is (1 - μ_t) / (1 - P) + μ_{t+1} (1 - β₁ᵗ) / (1 - P μ_{t+1}).

    Parameters
    ----------
    step : number
        t >= 1, this step counted.
    product : number
        P, this step's factor in it.
    beta1, momentum_decay : float

    References
    ----------
    Dozat (2016), Algorithm 2, https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ, as `torch.optim.NAdam`

    Examples
    --------
    >>> first = 0.9 * (1 - 0.5 * 0.96**0.004)
    >>> round(nadam_scale(1, first, 0.9, 0.004), 4)
    1.0565
    >>> round(nadam_scale(10**6, 0.0, 0.9, 0.004), 12)
    1.0
    """
    on_gradient, on_average = nadam_parts(step, product, beta1, momentum_decay)
    return on_gradient + on_average * (1.0 - beta1**step)


def radam_scale(step: Scalar, beta2: float) -> Scalar:
    """Return how many times lr · g / d RAdam moves at step t: its rectification; 0 while it moves by lr · g instead.

    With ρ∞ = 2 / (1 - β₂) - 1 and ρ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ) it is √((ρ-4)(ρ-2)ρ∞ / ((ρ∞-4)(ρ∞-2)ρ)) where ρ > 5.

    Reference: Liu et al. (2020), Algorithm 2, https://arxiv.org/abs/1908.03265, with the bound 5 of `torch.optim.RAdam`

    Examples
    --------
    >>> radam_scale(5, 0.999), round(radam_scale(6, 0.999), 4), round(radam_scale(10**6, 0.999), 12)
    (0.0, 0.0258, 1.0)
    """
    longest = 2.0 / (1.0 - beta2) - 1.0
    if longest <= 5.0:
        return 0.0 * step
    length = longest - 2.0 * step * beta2**step / (1.0 - beta2**step)
    square = (length - 4.0) * (length - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * length)
    return (length > 5.0) * abs(square) ** 0.5


def adagrad_scale(step: Scalar, lr_decay: float) -> Scalar:
    """Return how many times lr · g / d Adagrad moves at step t: 1 / (1 + (t - 1) · lr_decay).

    Examples
    --------
    >>> adagrad_scale(1, 0.5), adagrad_scale(3, 0.5)
    (1.0, 0.5)
    """
    return 1.0 / (1.0 + (step - 1.0) * lr_decay)
