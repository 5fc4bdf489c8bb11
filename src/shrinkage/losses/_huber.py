"""The Huber loss."""

from dataclasses import dataclass
from typing import ClassVar

from shrinkage._arrays import Array, floating, namespace_of
from shrinkage._check import check_positive
from shrinkage.losses._logs import check_responses


@dataclass(frozen=True, slots=True)
class Huber:
    """Huber loss: ℓ(y, η) = ½ r² for |r| <= delta, delta |r| - ½ delta² beyond, r = y - η.

    Errors beyond delta count by their size, not by its square: an outlier pulls no harder than one at delta.

    Parameters
    ----------
    delta : float > 0
        In the unit of y. 1.345 standard deviations of normal errors keep 95 % of the efficiency of least squares.

    Raises
    ------
    ArgumentError
        If delta is not a positive finite number.

    References
    ----------
    Huber (1964), Robust Estimation of a Location Parameter, Ann. Math. Statist. 35(1), section 1.

    Examples
    --------
    >>> import numpy as np
    >>> Huber(1.0).value(np.array([0.5, 3.0]), np.array([0.0, 0.0]))
    array([0.125, 2.5  ])
    """

    delta: float = 1.345
    name: ClassVar[str] = "huber"
    reach: ClassVar[float] = float("inf")

    def __post_init__(self) -> None:
        check_positive("delta", self.delta)
        object.__setattr__(self, "delta", float(self.delta))

    def value(self, y: Array, eta: Array) -> Array:
        """Return c (|r| - c/2) with c = min(|r|, delta)."""
        size = namespace_of(y, eta).abs(floating(y - eta))
        c = namespace_of(size).clip(size, 0.0, self.delta)
        return c * (size - 0.5 * c)

    def gradient(self, y: Array, eta: Array) -> Array:
        """Return η - y, cut at -delta and delta."""
        r = floating(eta - y)
        return namespace_of(r).clip(r, -self.delta, self.delta)

    def curvature(self, y: Array, eta: Array) -> Array:
        """Return 1 where |r| <= delta, else 0."""
        r = floating(eta - y)
        xp = namespace_of(r)
        return xp.astype(xp.abs(r) <= self.delta, r.dtype)

    def conjugate(self, y: Array, u: Array) -> Array:
        """Return u y + ½ u² for |u| <= delta, inf beyond."""
        u = floating(u)
        xp = namespace_of(u)
        inside = u * y + 0.5 * u * u
        return xp.where(xp.abs(u) <= self.delta, inside, float("inf") + 0.0 * inside)

    def slope_bounds(self, y: Array) -> tuple[Array, Array]:
        """Return -delta and delta."""
        y = floating(y)
        return 0.0 * y - self.delta, 0.0 * y + self.delta

    def inverse_link(self, eta: Array) -> Array:
        """Return η: the center of errors that are symmetric."""
        return eta

    def deviance(self, y: Array, eta: Array) -> Array:
        """Return 2 ℓ(y, η)."""
        return 2.0 * self.value(y, eta)

    def check(self, y: Array) -> None:
        """Raise `DataError` if a response is NaN or infinite, naming its row."""
        check_responses(y, lambda xp, y: xp.isfinite(y), "finite for Huber")
