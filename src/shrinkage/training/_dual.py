"""Dual averaging, coordinate by coordinate, in a form that keeps its precision in float32."""

from typing import Any

from shrinkage._arrays import Array, namespace_of
from shrinkage._errors import ArgumentError
from shrinkage.penalties import GroupL2, HasKernel, SparseGroup


def dual_step(
    w: Array, dual: Array, threshold: Array, displacement: Array, growth: Array, shrink: Array, memory: float = 1.0
) -> tuple[Array, Array, Array]:
    """Return weights, dual and threshold after one step of dual averaging under α(ρ|w| + ½(1-ρ) w²).

    In the classical letters z ← β z + displacement, Γ ← β Γ + growth, w = soft(z, Γ) / (1 + shrink): a weight is zero
    while the gradients summed so far are below the strengths summed so far, so one noisy gradient cannot revive it.
    Where w ≠ 0 this is w + displacement, pulled toward 0 by growth; there z starts anew from w + sign(w) Γ and needs no
    memory, so `dual` holds z only where w = 0. That saves w from being the difference of two numbers that grow without
    end.

    Parameters
    ----------
    w, dual, threshold : arrays of one shape
        The weights, z where w = 0, and Γ. At the start z = 0 and Γ = 0.
    displacement : array
        The gradient's step: -lr · g for gradient descent, -lr · m̂ / d for Adam.
    growth : array or number >= 0
        Step length times αρ: lr · αρ, or lr · αρ / d in Adam's metric d = √v̂ + ε.
    shrink : array or number >= 0
        Step length times α(1-ρ).
    memory : float in (0, 1]
        β. 1 is dual averaging; less forgets, so that a weight can come back after about 1 / (1 - β) steps.

    Returns
    -------
    tuple of three new arrays

    Notes
    -----
    Its fixed points are those of the proximal step: w ≠ 0 stays where g + αρ sign(w) + α(1-ρ) w = 0, and w = 0
    stays where |g| <= αρ, whatever the metric.

    References
    ----------
    Xiao (2010), J. Mach. Learn. Res. 11, Algorithm 1 with the soft ℓ1 rule of eq. 10, https://jmlr.org/papers/v11/xiao10a.html
    In an adaptive metric with momentum: Huang et al. (2024), RAMDA, https://arxiv.org/abs/2403.14398

    Examples
    --------
    >>> import numpy as np
    >>> w, z, gamma = np.array([0.5, 0.05]), np.zeros(2), np.zeros(2)
    >>> w, z, gamma = dual_step(w, z, gamma, -0.1 * np.array([0.0, 0.0]), growth=0.1, shrink=0.0)
    >>> w.round(3), z.round(3), gamma
    (array([0.4, 0. ]), array([0.  , 0.05]), array([0.1, 0.1]))
    """
    xp = namespace_of(w)
    sign = xp.sign(w)
    carried = memory * threshold
    grown = carried + growth
    here = w + displacement
    beyond = sign * here - growth  # at most 0 where w = 0
    z = xp.where(w != 0, sign * carried + here, memory * dual + displacement)
    zero = xp.zeros_like(w)
    revived = xp.abs(z) - grown
    crossed = xp.where(revived <= 0, zero, xp.sign(z) * revived)  # a NaN stays visible
    new = xp.where(beyond > 0, sign * beyond, crossed) / (1.0 + shrink)
    return new, xp.where(new == 0, z, zero), grown


def check_memory(memory: Any) -> None:
    """Refuse a memory outside (0, 1]."""
    if isinstance(memory, bool) or not isinstance(memory, (int, float)) or not 0 < memory <= 1:
        raise ArgumentError(f"memory must be in (0, 1]; got {memory!r}")


def check_dual(penalty: Any, instead: str) -> None:
    """Refuse penalties for which dual averaging has no closed form; `instead` is what to use for them."""
    if penalty is None:
        return
    parts = [penalty.elementwise, penalty.group] if isinstance(penalty, SparseGroup) else [penalty]
    known = all(isinstance(part, GroupL2) or (isinstance(part, HasKernel) and part.kernel == "l1l2") for part in parts)
    if not known or not all(isinstance(part.alpha, (int, float)) for part in parts):
        raise ArgumentError(
            "dual averaging takes L1, L2, L1L2, GroupL2 and SparseGroup with numbers as strengths; "
            f"got {penalty!r}: use {instead}"
        )
    if len(parts) == 2 and parts[0].l1_ratio < 1 and parts[0].factors is not None:
        raise ArgumentError(
            "dual averaging takes the squares of a SparseGroup with one strength for all weights; got factors in "
            f"{parts[0]!r}: use {instead}"
        )
