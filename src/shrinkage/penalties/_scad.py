"""The smoothly clipped absolute deviation penalty."""

from dataclasses import dataclass, replace
from typing import Any

from shrinkage._arrays import Array, floating, matching, namespace_of
from shrinkage._check import check_factors, check_nonnegative
from shrinkage._errors import ArgumentError
from shrinkage.penalties._algebra import check_gamma, check_scalar, refuse_sum, settle
from shrinkage.penalties._l1l2 import positive_part
from shrinkage.penalties._mcp import knots


@dataclass(frozen=True, slots=True)
class SCAD:
    """Smoothly clipped absolute deviation: Σ_j p(|w_j|), with λ = α f_j, α = `alpha`, f = `factors`, γ = `gamma`.

        p(x) = λ x                                     for x <= λ
             = (2 γ λ x - x² - λ²) / (2 (γ - 1))       for λ < x <= γλ
             = ½ (γ + 1) λ²                            beyond

    Sets coefficients to exactly zero and shrinks small ones as `L1` does; those above γλ are left unshrunk. It is not
    convex: there is no duality gap, and a solver finds a stationary point.

    Parameters
    ----------
    alpha : float >= 0, or array of such that broadcasts against the coefficients
        Slope at 0, and where the bend begins: λ is a slope and a size of a coefficient at once, which supposes features
        of unit variance.
    gamma : float > 2, default 3.7
        Where the bend ends, in units of λ; `L1` is the limit of large γ.
    factors : array of the coefficients' shape, or None
        Multipliers >= 0 of alpha; 0 leaves a coordinate free. None stands for all 1.

    Raises
    ------
    ArgumentError
        If alpha is negative, gamma is not above 2, or factors are negative, not finite or all 0. For a multiple: since
        λ is a slope and a size, only 1 and 0 times this penalty are of its form.

    Notes
    -----
    `alpha` and `gamma` are λ and γ of ncvreg on standardized features.

    References
    ----------
    Fan & Li (2001), J. Am. Stat. Assoc. 96, eq. 2.7 and 2.8 (a is our γ), https://doi.org/10.1198/016214501753382273

    Examples
    --------
    >>> import numpy as np
    >>> SCAD(1.0, gamma=3.0).prox(np.array([0.5, 2.0, 2.5, 4.0]), step=1.0)
    array([0., 1., 2., 4.])
    """

    alpha: Array
    gamma: float = 3.7
    factors: Array | None = None

    def __post_init__(self) -> None:
        check_nonnegative("alpha", self.alpha)
        check_gamma(self.gamma, above=2)
        check_factors(self.factors)
        settle(self, "alpha", "gamma")

    @property
    def concavity(self) -> float:
        """1 / (γ - 1): the least c with g(w) + ½ c ‖w‖² convex; the prox is continuous for steps below its inverse."""
        return 1.0 / (self.gamma - 1.0)

    def value(self, w: Array) -> Array:
        """Return Σ_j p(|w_j|), a 0-d array."""
        w = floating(w)
        xp = namespace_of(w)
        lam = knots(self, w)
        size = xp.where(xp.abs(w) < self.gamma * lam, xp.abs(w), self.gamma * lam)
        past = positive_part(size - lam)
        # λ min(x, λ) + λ past - past² / (2 (γ - 1)), the same polynomial written from its first knot.
        return xp.sum(lam * size - past * past * (0.5 / (self.gamma - 1.0)))

    def prox(self, v: Array, step: Array) -> Array:
        """Return a minimizer over u of step · g(u) + ½‖u - v‖², a global one for every step.

        For step < γ - 1: soft(v, step·λ) up to (1 + step) λ, then ((γ - 1) v - sign(v) step·γλ) / (γ - 1 - step) up to
        γλ, then v. For step >= γ - 1, where the objective is concave between λ and γλ: soft(v, step·λ) up to
        ½ (γ + 1 + step) λ (for step > γ + 1: up to λ √(step (γ + 1)), where it is 0), then v.

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
        lam, gamma = knots(self, v), float(self.gamma)
        size = xp.abs(v) + xp.zeros_like(lam)
        step = matching(step, v) + xp.zeros_like(size)
        soft = positive_part(size - step * lam)
        convex = step < gamma - 1.0
        room = xp.where(convex, gamma - 1.0 - step, xp.ones_like(step))
        # (γ - 1) v - step γ λ = (γ - 1 - step) λ + (γ - 1) (v - (1 + step) λ): the bend, from where it begins.
        bent = lam + (gamma - 1.0) * (size - (1.0 + step) * lam) / room
        bent = xp.where(bent < size, bent, size)  # where step nearly is γ - 1, rounding
        low = xp.where(convex & (size > (1.0 + step) * lam), bent, soft)
        jump = xp.where(step <= gamma + 1.0, 0.5 * (gamma + 1.0 + step), xp.sqrt(step) * (gamma + 1.0) ** 0.5)
        edge = lam * xp.where(convex, gamma + 0.0 * step, jump)
        stays = (size > edge) | (step == 0)
        return xp.where(stays, v + xp.zeros_like(low), xp.sign(v) * low)

    def violation(self, w: Array, z: Array) -> Array:
        """Return, coordinate by coordinate, the distance from z to the limiting subdifferential of g at w."""
        w = floating(w)
        xp = namespace_of(w, z)
        lam = knots(self, w)
        bend = positive_part(self.gamma * lam - xp.abs(w)) * (1.0 / (self.gamma - 1.0))
        slope = xp.where(bend < lam, bend, lam)
        return xp.where(w == 0, positive_part(xp.abs(z) - lam), xp.abs(z - slope * xp.sign(w)))

    def with_alpha(self, alpha: Array) -> "SCAD":
        """Return the same penalty at another strength."""
        return replace(self, alpha=alpha)

    def __mul__(self, scalar: Any) -> "SCAD":
        """Return the penalty at 1 or 0 times itself; other multiples are refused."""
        if not check_scalar(scalar):
            return NotImplemented
        if scalar not in (0, 1):
            raise ArgumentError(
                f"a multiple of SCAD is not a SCAD, since alpha is both its slope and where it bends; got {scalar} "
                "times one: choose alpha, or take MCP"
            )
        return replace(self, alpha=scalar * self.alpha)

    __rmul__ = __mul__

    def __add__(self, other: Any) -> Any:
        """Refuse: a sum with a penalty that is not convex has no prox in closed form here."""
        return refuse_sum(self, other)

    __radd__ = __add__
