"""The smoothed quantile loss."""

from dataclasses import dataclass
from typing import ClassVar

from shrinkage._arrays import Array, floating, namespace_of
from shrinkage._check import check_fraction, check_positive
from shrinkage._errors import ArgumentError
from shrinkage.losses._logs import check_responses


@dataclass(frozen=True, slots=True)
class Quantile:
    """Smoothed pinball loss, whose minimizer is a conditional quantile: q r for r > 0, (q - 1) r for r < 0, r = y - η.

    Smoothed by its Moreau envelope of width h = smoothing:

        ℓ(y, η) = max over q - 1 <= s <= q of s r - ½ h s²
                = r² / (2h) for (q - 1) h <= r <= q h;   q r - ½ h q²,   (q - 1) r - ½ h (q - 1)² beyond.

    It is below the pinball loss by at most ½ h max(q, 1-q)²: a solution with a duality gap of `gap` is within that and
    `gap` of the best pinball objective.

    Parameters
    ----------
    quantile : float, 0 < quantile < 1
        q; 0.5 is the median.
    smoothing : float > 0
        h, in the unit of y. Small against the spread of the errors: 1 % of it moves a quantile hardly.

    Raises
    ------
    ArgumentError
        If quantile is not in (0, 1), or smoothing is not a positive finite number.

    References
    ----------
    Koenker & Bassett (1978), Regression Quantiles, Econometrica 46(1). Moreau (1965), Bull. SMF 93. The envelope of
    the pinball loss: Tan, Wang & Zhou (2022), High-dimensional quantile regression, JRSS B 84(1), section 2.

    Examples
    --------
    >>> import numpy as np
    >>> Quantile(0.9, smoothing=0.01).value(np.array([1.0, -1.0]), np.array([0.0, 0.0])).round(3)
    array([0.896, 0.1  ])
    """

    quantile: float = 0.5
    smoothing: float = 0.01
    name: ClassVar[str] = "quantile"
    reach: ClassVar[float] = float("inf")

    def __post_init__(self) -> None:
        check_fraction("quantile", self.quantile)
        if not 0 < self.quantile < 1:
            raise ArgumentError(f"quantile must be between 0 and 1; got {self.quantile}")
        check_positive("smoothing", self.smoothing)
        object.__setattr__(self, "quantile", float(self.quantile))
        object.__setattr__(self, "smoothing", float(self.smoothing))

    def _side(self, r: Array) -> Array:
        """The maximizing s."""
        return namespace_of(r).clip(r / self.smoothing, self.quantile - 1.0, self.quantile)

    def value(self, y: Array, eta: Array) -> Array:
        """Return s r - ½ h s² at the best s."""
        r = floating(y - eta)
        s = self._side(r)
        return s * (r - 0.5 * self.smoothing * s)

    def gradient(self, y: Array, eta: Array) -> Array:
        """Return -s: 1 - q far above y, -q far below."""
        return -self._side(floating(y - eta))

    def curvature(self, y: Array, eta: Array) -> Array:
        """Return 1/h where |r| is so small that s is inside, else 0."""
        r = floating(y - eta)
        xp = namespace_of(r)
        s = r / self.smoothing
        return xp.astype((s >= self.quantile - 1.0) & (s <= self.quantile), r.dtype) / self.smoothing

    def conjugate(self, y: Array, u: Array) -> Array:
        """Return u y + ½ h u² for -q <= u <= 1 - q, inf beyond."""
        u = floating(u)
        inside = u * y + 0.5 * self.smoothing * u * u
        allowed = (u >= -self.quantile) & (u <= 1.0 - self.quantile)
        return namespace_of(u).where(allowed, inside, float("inf") + 0.0 * inside)

    def slope_bounds(self, y: Array) -> tuple[Array, Array]:
        """Return -q and 1 - q."""
        y = floating(y)
        return 0.0 * y - self.quantile, 0.0 * y + (1.0 - self.quantile)

    def inverse_link(self, eta: Array) -> Array:
        """Return η: the conditional quantile."""
        return eta

    def deviance(self, y: Array, eta: Array) -> Array:
        """Return 2 ℓ(y, η): with q = 0.5 about the absolute error."""
        return 2.0 * self.value(y, eta)

    def check(self, y: Array) -> None:
        """Raise `DataError` if a response is NaN or infinite, naming its row."""
        check_responses(y, lambda xp, y: xp.isfinite(y), "finite for Quantile")
