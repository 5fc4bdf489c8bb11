"""The Poisson loss."""

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
    x_log_x,
)


@dataclass(frozen=True, slots=True)
class Poisson:
    """Poisson loss with a log link: ℓ(y, η) = μ - y - y log(μ / y), μ = exp η, y >= 0; ℓ = μ where y = 0.

    Half the deviance of one row: the negative log-likelihood of a count with mean μ, less its least value. y need not
    be whole. exp η is held at exp(600) beyond η = 600, so that nothing overflows.

    References
    ----------
    McCullagh & Nelder (1989), Generalized Linear Models, 2nd ed., section 6.2.

    Examples
    --------
    >>> import numpy as np
    >>> Poisson().value(np.array([0.0, 2.0]), np.array([0.0, 0.0])).round(4)
    array([1.    , 0.3863])
    >>> Poisson().gradient(np.array([0.0, 2.0]), np.array([0.0, 0.0]))
    array([ 1., -1.])
    """

    name: ClassVar[str] = "poisson"
    reach: ClassVar[float] = 1.0

    def value(self, y: Array, eta: Array) -> Array:
        """Return y (exp d - 1 - d) with d = η - log y; exp η where y = 0."""
        y, eta = paired(y, eta)
        d = eta - log_or_zero(y)
        return namespace_of(d).where(y > 0, y * not_negative(expm1_capped(d) - d), exp_capped(d))

    def gradient(self, y: Array, eta: Array) -> Array:
        """Return exp η - y, precise where they are near each other."""
        y, eta = paired(y, eta)
        d = eta - log_or_zero(y)
        return namespace_of(d).where(y > 0, y * expm1_capped(d), exp_capped(d))

    def curvature(self, y: Array, eta: Array) -> Array:
        """Return exp η, in the shape of y - η."""
        return exp_capped(floating(eta)) + 0.0 * y

    def conjugate(self, y: Array, u: Array) -> Array:
        """Return u log y + (y + u) log(1 + u/y) - u; u log u - u where y = 0, and inf below u = -y."""
        y, u = paired(y, u)
        xp = namespace_of(u, y)
        positive = xp.where(y > 0, y, xp.ones_like(y))
        ratio = u / positive
        counted = positive * (one_plus_log1p(ratio) - ratio) + u * xp.log(positive)
        return xp.where(y > 0, counted, x_log_x(u) - u)

    def slope_bounds(self, y: Array) -> tuple[Array, Array]:
        """Return -y and inf."""
        return -floating(y), floating(y) + float("inf")

    def inverse_link(self, eta: Array) -> Array:
        """Return exp η."""
        return exp_capped(floating(eta))

    def deviance(self, y: Array, eta: Array) -> Array:
        """Return 2 ℓ(y, η)."""
        return 2.0 * self.value(y, eta)

    def check(self, y: Array) -> None:
        """Raise `DataError` if a response is negative or not finite, naming its row."""
        check_responses(y, lambda xp, y: y >= 0, ">= 0 and finite for Poisson")
