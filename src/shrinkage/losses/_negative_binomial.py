"""The negative binomial loss."""

from dataclasses import dataclass
from math import log
from typing import ClassVar

from shrinkage._arrays import Array, floating, namespace_of
from shrinkage._check import check_positive
from shrinkage.losses._logs import check_responses, exp_capped, not_negative, one_plus_log1p, paired, sigmoid, x_log_x


@dataclass(frozen=True, slots=True)
class NegativeBinomial:
    """Negative binomial loss with a log link, for counts with variance μ + μ²/theta; theta is given.

    With μ = exp η:

        ℓ(y, η) = y log(y/μ) - (y + θ) log((y + θ) / (μ + θ)),  y > 0,      θ log(1 + μ/θ) where y = 0.

    Half the deviance of one row. theta -> inf is `Poisson`.

    Parameters
    ----------
    theta : float > 0
        The size: as `theta` of R's MASS::negative.binomial and glum's 1 / theta.

    Raises
    ------
    ArgumentError
        If theta is not a positive finite number.

    References
    ----------
    Venables & Ripley (2002), Modern Applied Statistics with S, 4th ed., section 7.4.

    Examples
    --------
    >>> import numpy as np
    >>> NegativeBinomial(theta=2.0).value(np.array([0.0, 3.0]), np.array([0.0, 0.0])).round(4)
    array([0.8109, 0.7417])
    """

    theta: float = 1.0
    name: ClassVar[str] = "negative_binomial"
    reach: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        check_positive("theta", self.theta)
        object.__setattr__(self, "theta", float(self.theta))

    def value(self, y: Array, eta: Array) -> Array:
        """Return (y + θ) log(1 + q (exp d - 1)) - y d, q = y / (y + θ), d = η - log y, without overflow."""
        y, eta = paired(y, eta)
        xp = namespace_of(y, eta)
        positive = xp.where(y > 0, y, xp.ones_like(y))
        total, d = positive + self.theta, eta - xp.log(positive)
        # log(1 + q (exp d - 1)) = d + log(1 + (1 - q) (exp(-d) - 1))
        share = xp.where(d > 0, self.theta / total + 0.0 * d, positive / total + 0.0 * d)
        counted = total * xp.log1p(share * xp.expm1(-xp.abs(d))) + xp.where(d > 0, self.theta * d, -positive * d)
        z = eta - log(self.theta)
        none = self.theta * (0.5 * (z + xp.abs(z)) + xp.log1p(xp.exp(-xp.abs(z))))
        return xp.where(y > 0, not_negative(counted), none)

    def gradient(self, y: Array, eta: Array) -> Array:
        """Return θ σ(z) - y σ(-z) = θ (μ - y) / (μ + θ), z = η - log θ."""
        z = floating(eta) - log(self.theta)
        return self.theta * sigmoid(z) - y * sigmoid(-z)

    def curvature(self, y: Array, eta: Array) -> Array:
        """Return (y + θ) σ(z) σ(-z)."""
        z = floating(eta) - log(self.theta)
        return (y + self.theta) * sigmoid(z) * sigmoid(-z)

    def conjugate(self, y: Array, u: Array) -> Array:
        """Return u log y + (y + u) log(1 + u/y) + (θ - u) log(1 - u/θ); inf outside -y <= u <= θ.

        Where y = 0 the first two terms are u log u.
        """
        y, u = paired(y, u)
        xp = namespace_of(u, y)
        positive = xp.where(y > 0, y, xp.ones_like(y))
        counted = positive * one_plus_log1p(u / positive) + u * xp.log(positive)
        return xp.where(y > 0, counted, x_log_x(u)) + self.theta * one_plus_log1p(-u / self.theta)

    def slope_bounds(self, y: Array) -> tuple[Array, Array]:
        """Return -y and theta."""
        y = floating(y)
        return -y, self.theta + 0.0 * y

    def inverse_link(self, eta: Array) -> Array:
        """Return exp η."""
        return exp_capped(floating(eta))

    def deviance(self, y: Array, eta: Array) -> Array:
        """Return 2 ℓ(y, η)."""
        return 2.0 * self.value(y, eta)

    def check(self, y: Array) -> None:
        """Raise `DataError` if a response is negative or not finite, naming its row."""
        check_responses(y, lambda xp, y: y >= 0, ">= 0 and finite for NegativeBinomial")
