"""The gamma loss."""

from dataclasses import dataclass
from typing import ClassVar

from shrinkage._arrays import Array, floating, namespace_of
from shrinkage.losses._logs import (
    check_responses,
    exp_capped,
    expm1_capped,
    log_or_zero,
    not_negative,
    one_plus_log1p,
    paired,
)


@dataclass(frozen=True, slots=True)
class Gamma:
    """Gamma loss with a log link: ℓ(y, η) = y/μ - 1 - log(y/μ), μ = exp η, y > 0.

    Half the deviance of one row: the negative log-likelihood of a gamma response with mean μ and shape 1, less its
    least value. With the log link it is convex, which it is not with its canonical link 1/μ at all η.

    References
    ----------
    McCullagh & Nelder (1989), Generalized Linear Models, 2nd ed., section 8.2.

    Examples
    --------
    >>> import numpy as np
    >>> Gamma().value(np.array([1.0, 3.0]), np.array([0.0, 0.0])).round(4)
    array([0.    , 0.9014])
    >>> Gamma().gradient(np.array([1.0, 3.0]), np.array([0.0, 0.0])) + 0.0
    array([ 0., -2.])
    """

    name: ClassVar[str] = "gamma"
    reach: ClassVar[float] = 1.0

    def value(self, y: Array, eta: Array) -> Array:
        """Return exp(-d) - 1 + d with d = η - log y."""
        y, eta = paired(y, eta)
        d = eta - log_or_zero(y)
        return not_negative(expm1_capped(-d) + d)

    def gradient(self, y: Array, eta: Array) -> Array:
        """Return 1 - exp(-d): 1 - y/μ, precise where they are near each other."""
        y, eta = paired(y, eta)
        return -expm1_capped(log_or_zero(y) - eta)

    def curvature(self, y: Array, eta: Array) -> Array:
        """Return y/μ."""
        y, eta = paired(y, eta)
        return exp_capped(log_or_zero(y) - eta)

    def conjugate(self, y: Array, u: Array) -> Array:
        """Return u log y + (1 - u) log(1 - u) + u; 1 + log y at u = 1, and inf above."""
        y, u = paired(y, u)
        return u * log_or_zero(y) + one_plus_log1p(-u) + u

    def slope_bounds(self, y: Array) -> tuple[Array, Array]:
        """Return -inf and 1."""
        y = floating(y)
        return y - float("inf"), namespace_of(y).ones_like(y)

    def inverse_link(self, eta: Array) -> Array:
        """Return exp η."""
        return exp_capped(floating(eta))

    def deviance(self, y: Array, eta: Array) -> Array:
        """Return 2 ℓ(y, η)."""
        return 2.0 * self.value(y, eta)

    def check(self, y: Array) -> None:
        """Raise `DataError` if a response is not positive or not finite, naming its row."""
        check_responses(y, lambda xp, y: y > 0, "> 0 and finite for Gamma")
