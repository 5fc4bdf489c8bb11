"""The Tweedie loss."""

from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

from shrinkage._arrays import Array, floating, namespace_of
from shrinkage._errors import ArgumentError
from shrinkage.losses._gamma import Gamma
from shrinkage.losses._logs import check_responses, exp_capped, expm1_capped, log_or_zero, not_negative, paired
from shrinkage.losses._poisson import Poisson

_STEPS = 100


@dataclass(frozen=True, slots=True)
class Tweedie:
    """Tweedie loss with a log link, for responses with variance φ μ**power, 1 <= power <= 2.

    With μ = exp η, a = 2 - power and b = power - 1, for 1 < power < 2:

        ℓ(y, η) = y**a (((μ/y)**a - 1) / a + ((μ/y)**-b - 1) / b),  y > 0,      μ**a / a where y = 0.

    Half the deviance of one row. Between 1 and 2 the response is a sum of a Poisson number of gamma amounts, with an
    exact mass at 0 (claims, rain). power=1 is `Poisson`, power=2 is `Gamma`. Elsewhere the loss is not convex under the
    log link.

    Parameters
    ----------
    power : float, 1 <= power <= 2

    Raises
    ------
    ArgumentError
        If power is not in [1, 2].

    References
    ----------
    Dunn & Smyth (2018), Generalized Linear Models With Examples in R, section 12.2.

    Examples
    --------
    >>> import numpy as np
    >>> Tweedie(1.5).value(np.array([0.0, 4.0]), np.array([0.0, 0.0])).round(4)
    array([2., 2.])
    >>> Tweedie(1.5).gradient(np.array([0.0, 4.0]), np.array([0.0, 0.0]))
    array([ 1., -3.])
    """

    power: float = 1.5
    name: ClassVar[str] = "tweedie"
    reach: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        real = isinstance(self.power, Real) and not isinstance(self.power, bool)
        if not real or not 1 <= float(self.power) <= 2:
            instead = ": power 0 is the squared loss, of Ridge and ElasticNet" if self.power == 0 else ""
            raise ArgumentError(
                f"power must be in [1, 2], where the loss is convex under the log link; got {self.power!r}{instead}"
            )
        object.__setattr__(self, "power", float(self.power))

    @property
    def _end(self) -> Poisson | Gamma | None:
        """The loss of an end of [1, 2], where the general formula divides by 0."""
        return {1.0: Poisson(), 2.0: Gamma()}.get(self.power)

    def value(self, y: Array, eta: Array) -> Array:
        """Return y**a (expm1(a d) / a + expm1(-b d) / b) with d = η - log y."""
        if self._end:
            return self._end.value(y, eta)
        a, b = 2.0 - self.power, self.power - 1.0
        y, eta = paired(y, eta)
        log_y = log_or_zero(y)
        d = eta - log_y
        inside = exp_capped(a * log_y) * not_negative(expm1_capped(a * d) / a + expm1_capped(-b * d) / b)
        return namespace_of(d).where(y > 0, inside, exp_capped(a * d) / a)

    def gradient(self, y: Array, eta: Array) -> Array:
        """Return μ**a - y μ**-b, precise where they are near each other."""
        if self._end:
            return self._end.gradient(y, eta)
        a, b = 2.0 - self.power, self.power - 1.0
        y, eta = paired(y, eta)
        log_y = log_or_zero(y)
        d = eta - log_y
        inside = exp_capped(a * log_y) * (expm1_capped(a * d) - expm1_capped(-b * d))
        return namespace_of(d).where(y > 0, inside, exp_capped(a * d))

    def curvature(self, y: Array, eta: Array) -> Array:
        """Return a μ**a + b y μ**-b."""
        if self._end:
            return self._end.curvature(y, eta)
        a, b = 2.0 - self.power, self.power - 1.0
        eta = floating(eta)
        return a * exp_capped(a * eta) + b * y * exp_capped(-b * eta)

    def conjugate(self, y: Array, u: Array) -> Array:
        """Return u η - ℓ(y, η) at the one η with ℓ'(y, η) = u; where y = 0 it is u (log u - 1) / a, inf below u = 0."""
        if self._end:
            return self._end.conjugate(y, u)
        a, b = 2.0 - self.power, self.power - 1.0
        y, u = paired(y, u)
        xp = namespace_of(u, y)
        log_y = log_or_zero(y)
        scale = xp.exp(a * log_y)
        slope = u / scale
        # where the slope is positive μ > y, and (μ/y)**a is solved for; else (μ/y)**-b
        up = slope >= 0
        d = xp.where(up, _log_root(slope, b / a) / a, -_log_root(-slope, a / b) / b)
        inside = u * log_y + scale * (slope * d - expm1_capped(a * d) / a - expm1_capped(-b * d) / b)
        positive = xp.where(u > 0, u, xp.ones_like(u))
        at_zero = xp.where(u > 0, positive * (xp.log(positive) - 1.0) / a, xp.zeros_like(u))
        at_zero = xp.where(u < 0, xp.ones_like(u) * float("inf"), at_zero)
        return xp.where(y > 0, inside, at_zero)

    def slope_bounds(self, y: Array) -> tuple[Array, Array]:
        """Return -inf (0 where y = 0) and inf."""
        if self._end:
            return self._end.slope_bounds(y)
        y = floating(y)
        xp = namespace_of(y)
        return xp.where(y > 0, y - float("inf"), xp.zeros_like(y)), y + float("inf")

    def inverse_link(self, eta: Array) -> Array:
        """Return exp η."""
        return exp_capped(floating(eta))

    def deviance(self, y: Array, eta: Array) -> Array:
        """Return 2 ℓ(y, η)."""
        return 2.0 * self.value(y, eta)

    def check(self, y: Array) -> None:
        """Raise `DataError` if a response is negative (power=2: not positive) or not finite, naming its row."""
        if self.power == 2:
            check_responses(y, lambda xp, y: y > 0, "> 0 and finite for Tweedie(power=2)")
        check_responses(y, lambda xp, y: y >= 0, f">= 0 and finite for Tweedie(power={self.power})")


def _log_root(v: Array, c: float) -> Array:
    """Return x >= 0 with exp x - exp(-c x) = v, for v >= 0 (0 elsewhere), c > 0.

    s = exp x solves s - s**-c = v, whose left side is concave: Newton from below rises to the root without
    overshooting. A last step in x itself gives small roots their relative precision.
    """
    xp = namespace_of(v)
    v = xp.where(v > 0, v, xp.zeros_like(v))
    s = xp.where(v > 1, v, xp.ones_like(v))
    for _ in range(_STEPS):
        power = s ** (-c)
        step = (v + power - s) / (1.0 + c * power / s)
        s = s + step
        if not bool(xp.any(xp.abs(step) > 1e-9 * s)):
            break
    x = xp.log(s)
    for _ in range(2):
        x = x - (expm1_capped(x) - expm1_capped(-c * x) - v) / (xp.exp(x) + c * xp.exp(-c * x))
    return x
