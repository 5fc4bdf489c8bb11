"""The elastic net, and the coordinatewise formulas that it shares with its two ends, `L1` and `L2`."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from shrinkage._arrays import Array, floating, matching, namespace_of
from shrinkage._check import check_factors, check_fraction, check_nonnegative
from shrinkage.penalties._algebra import add, multiply, settle


@dataclass(frozen=True, slots=True)
class L1L2:
    """Elastic net: α Σ_j f_j (ρ |w_j| + ½ (1-ρ) w_j²), with α = `alpha`, ρ = `l1_ratio`, f = `factors`.

    Its first term sets coefficients to exactly zero; its second makes the minimizer unique and gives correlated
    features similar coefficients.

    Parameters
    ----------
    alpha : float >= 0, or array of such that broadcasts against the coefficients
        Strength, in the objective's unit per unit of coefficient.
    l1_ratio : float in [0, 1], default 0.5
        1 is `L1`, 0 is `L2`.
    factors : array of the coefficients' shape, or None
        Multipliers >= 0 of the strength; 0 leaves a coordinate free. None stands for all 1.

    Raises
    ------
    ArgumentError
        If alpha is negative, l1_ratio is outside [0, 1], or factors are negative, not finite or all 0.

    Notes
    -----
    The same as scikit-learn's `ElasticNet(alpha, l1_ratio)`. Each method costs one pass over its argument.

    References
    ----------
    Zou & Hastie (2005), J. R. Stat. Soc. B 67(2), eq. 3 with λ₁ = αρ, λ₂ = α(1-ρ)/2,
    https://doi.org/10.1111/j.1467-9868.2005.00503.x

    Examples
    --------
    >>> import numpy as np
    >>> g = L1L2(alpha=1.0, l1_ratio=0.5)
    >>> float(g.value(np.array([2.0, -1.0])))
    2.75
    >>> g.prox(np.array([2.0, -0.25]), step=1.0)
    array([ 1., -0.])
    """

    alpha: Array
    l1_ratio: float = 0.5
    factors: Array | None = None
    kernel: ClassVar[str] = "l1l2"

    def __post_init__(self) -> None:
        check_nonnegative("alpha", self.alpha)
        check_fraction("l1_ratio", self.l1_ratio)
        check_factors(self.factors)
        settle(self, "alpha", "l1_ratio")

    def value(self, w: Array) -> Array:
        """Return α Σ_j f_j (ρ |w_j| + ½ (1-ρ) w_j²), a 0-d array."""
        return value(self, w)

    def prox(self, v: Array, step: Array) -> Array:
        """Return argmin over u of step · g(u) + ½‖u - v‖²: shrink by step·α f ρ, divide by 1 + step·α f (1-ρ).

        Parameters
        ----------
        v : array of any shape
        step : float >= 0 or array that broadcasts against `v`

        Returns
        -------
        array of the shape and floating type of `v`; new memory
        """
        return prox(self, v, step)

    def conjugate(self, z: Array) -> Array:
        """Return g*(z) = Σ_j max(|z_j| - α f_j ρ, 0)² / (2 α f_j (1-ρ)); where that divides by 0, inf unless 0/0."""
        return conjugate(self, z)

    def dual_scale(self, z: Array) -> Array:
        """Return the largest c in [0, 1] with g*(c·z) finite over the penalized coordinates: 1 if ρ < 1."""
        return dual_scale(self, z)

    def violation(self, w: Array, z: Array) -> Array:
        """Return, coordinate by coordinate, the distance from z to the subdifferential of g at w."""
        return violation(self, w, z)

    def with_alpha(self, alpha: Array) -> "L1L2":
        """Return the same penalty at another strength."""
        return replace(self, alpha=alpha)

    def __add__(self, other: Any) -> Any:
        """Return the penalty that is the sum, where it has a closed form."""
        return add(self, other, L1L2)

    def __mul__(self, scalar: Any) -> "L1L2":
        """Return the penalty at `scalar` times the strength."""
        return multiply(self, scalar)

    __rmul__ = __mul__


def strengths(penalty: Any, like: Array) -> tuple[Array, Array]:
    """Return the multipliers l1 = α f ρ of |w| and l2 = α f (1-ρ) of ½ w², to broadcast against `like`."""
    strength = matching(penalty.alpha, like)
    if penalty.factors is not None:
        strength = strength * matching(penalty.factors, like)
    return strength * penalty.l1_ratio, strength * (1.0 - penalty.l1_ratio)


def positive_part(x: Array) -> Array:
    """Return max(x, 0), written with what every array library has."""
    xp = namespace_of(x)
    return xp.where(x > 0, x, xp.zeros_like(x))


def value(penalty: Any, w: Array) -> Array:
    """Σ l1 |w| + ½ l2 w²."""
    w = floating(w)
    xp = namespace_of(w)
    l1, l2 = strengths(penalty, w)
    return xp.sum(l1 * xp.abs(w) + 0.5 * l2 * w * w)


def prox(penalty: Any, v: Array, step: Array) -> Array:
    """sign(v) max(|v| - step l1, 0) / (1 + step l2)."""
    v = floating(v)
    xp = namespace_of(v)
    step = matching(step, v)
    l1, l2 = strengths(penalty, v)
    return xp.sign(v) * positive_part(xp.abs(v) - step * l1) / (1.0 + step * l2)


def conjugate(penalty: Any, z: Array) -> Array:
    """Σ max(|z| - l1, 0)² / (2 l2); a term with l2 = 0 is 0 where |z| <= l1 and inf elsewhere."""
    z = floating(z)
    xp = namespace_of(z)
    l1, l2 = strengths(penalty, z)
    excess = positive_part(xp.abs(z) - l1)
    zero = xp.zeros_like(excess)
    l2 = zero + l2
    outside = xp.where(excess > 0, zero + float("inf"), zero)
    return xp.sum(xp.where(l2 > 0, 0.5 * excess * excess / xp.where(l2 > 0, l2, zero + 1.0), outside))


def dual_scale(penalty: Any, z: Array) -> Array:
    """min(1, l1 / |z|) over the coordinates with l2 = 0 < l1."""
    z = floating(z)
    xp = namespace_of(z)
    l1, l2 = strengths(penalty, z)
    size = xp.abs(z)
    one = xp.ones_like(size)
    limited = (l2 + 0.0 * size <= 0) & (l1 + 0.0 * size > 0) & (size > l1)
    return xp.min(xp.where(limited, l1 / xp.where(limited, size, one), one))


def violation(penalty: Any, w: Array, z: Array) -> Array:
    """|z - l2 w - l1 sign(w)| where w ≠ 0, max(|z| - l1, 0) where w = 0."""
    w = floating(w)
    xp = namespace_of(w, z)
    l1, l2 = strengths(penalty, w)
    return xp.where(w == 0, positive_part(xp.abs(z) - l1), xp.abs(z - l2 * w - l1 * xp.sign(w)))
