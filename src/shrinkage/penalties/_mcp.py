"""The minimax concave penalty."""

from dataclasses import dataclass, replace
from typing import Any

from shrinkage._arrays import Array, floating, matching, namespace_of
from shrinkage._check import check_factors, check_nonnegative
from shrinkage.penalties._algebra import check_gamma, check_scalar, refuse_sum, settle
from shrinkage.penalties._l1l2 import positive_part


@dataclass(frozen=True, slots=True)
class MCP:
    """Minimax concave penalty: Σ_j p(|w_j|), with λ = α f_j, α = `alpha`, f = `factors`, γ = `gamma`.

        p(x) = λ x - x² / (2γ)    for x <= γλ
             = ½ γ λ²             beyond

    Sets coefficients to exactly zero, as `L1` does, and leaves those above γλ unshrunk. It is not convex: there is no
    duality gap, and a solver finds a stationary point.

    Parameters
    ----------
    alpha : float >= 0, or array of such that broadcasts against the coefficients
        Slope at 0, in the objective's unit per unit of coefficient.
    gamma : float > 0, default 3.0
        1 / γ is the concavity, in the objective's unit per squared unit of coefficient; `L1` is the limit of large γ.
        A coordinate along which the loss curves less than 1 / γ is either 0 or beyond γλ at a minimizer.
    factors : array of the coefficients' shape, or None
        Multipliers >= 0 of alpha; 0 leaves a coordinate free. None stands for all 1.

    Raises
    ------
    ArgumentError
        If alpha is negative, gamma is not above 0, or factors are negative, not finite or all 0.

    Notes
    -----
    A multiple stays of this kind: c · MCP(α, γ) = MCP(c α, γ / c). `alpha` and `gamma` are λ and γ of ncvreg on
    standardized features.

    References
    ----------
    Zhang (2010), Ann. Statist. 38(2), eq. 2.1 and 2.2, https://doi.org/10.1214/09-AOS729

    Examples
    --------
    >>> import numpy as np
    >>> MCP(1.0, gamma=3.0).prox(np.array([0.5, 2.0, 4.0]), step=1.0)
    array([0. , 1.5, 4. ])
    >>> 2 * MCP(1.0, gamma=3.0)
    MCP(alpha=2.0, gamma=1.5, factors=None)
    """

    alpha: Array
    gamma: float = 3.0
    factors: Array | None = None

    def __post_init__(self) -> None:
        check_nonnegative("alpha", self.alpha)
        check_gamma(self.gamma, above=0)
        check_factors(self.factors)
        settle(self, "alpha", "gamma")

    @property
    def concavity(self) -> float:
        """1 / γ: the least c with g(w) + ½ c ‖w‖² convex; the prox is continuous for steps below its inverse."""
        return 1.0 / self.gamma

    def value(self, w: Array) -> Array:
        """Return Σ_j p(|w_j|), a 0-d array."""
        w = floating(w)
        xp = namespace_of(w)
        size, lam = xp.abs(w), knots(self, w)
        bent = xp.where(size < self.gamma * lam, size, self.gamma * lam)
        return xp.sum(bent * (lam - bent * (0.5 / self.gamma)))

    def prox(self, v: Array, step: Array) -> Array:
        """Return a minimizer over u of step · g(u) + ½‖u - v‖², a global one for every step.

        For step < γ: 0 up to step·λ, then sign(v) (|v| - step·λ) / (1 - step/γ) up to γλ, then v. For step >= γ, where
        the objective is concave up to γλ: 0 up to λ √(step·γ), then v.

        Parameters
        ----------
        v : array of any shape
        step : float >= 0 or array that broadcasts against `v`

        Returns
        -------
        array of the shape and floating type of `v`; new memory
        """
        v = floating(v)
        xp = namespace_of(v)
        lam = knots(self, v)
        size = xp.abs(v) + xp.zeros_like(lam)
        step = matching(step, v) + xp.zeros_like(size)
        convex = step < self.gamma
        slope = xp.where(convex, 1.0 - step / self.gamma, xp.ones_like(step))
        bent = positive_part(size - step * lam) / slope
        edge = lam * xp.where(convex, self.gamma + 0.0 * step, xp.sqrt(step) * self.gamma**0.5)
        bent = xp.where(bent < size, bent, size)  # where step nearly is γ, rounding
        low = xp.where(convex, bent, xp.zeros_like(bent))
        return xp.where(size > edge, v + xp.zeros_like(low), xp.sign(v) * low)

    def violation(self, w: Array, z: Array) -> Array:
        """Return, coordinate by coordinate, the distance from z to the limiting subdifferential of g at w."""
        w = floating(w)
        xp = namespace_of(w, z)
        lam = knots(self, w)
        slope = positive_part(lam - xp.abs(w) * (1.0 / self.gamma))
        return xp.where(w == 0, positive_part(xp.abs(z) - lam), xp.abs(z - slope * xp.sign(w)))

    def with_alpha(self, alpha: Array) -> "MCP":
        """Return the same penalty at another strength, of the same concavity."""
        return replace(self, alpha=alpha)

    def __mul__(self, scalar: Any) -> "MCP":
        """Return the multiple: alpha times `scalar`, gamma divided by it."""
        if not check_scalar(scalar):
            return NotImplemented
        return replace(self, alpha=scalar * self.alpha, gamma=self.gamma / scalar if scalar else self.gamma)

    __rmul__ = __mul__

    def __add__(self, other: Any) -> Any:
        """Refuse: a sum with a penalty that is not convex has no prox in closed form here."""
        return refuse_sum(self, other)

    __radd__ = __add__


def knots(penalty: Any, like: Array) -> Array:
    """Return λ = α f as an array of the type of `like`, to broadcast against it."""
    lam = matching(penalty.alpha, like)
    if penalty.factors is not None:
        lam = lam * matching(penalty.factors, like)
    return lam + namespace_of(like).zeros_like(like)
