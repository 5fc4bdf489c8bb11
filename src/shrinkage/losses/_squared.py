"""The squared loss."""

from dataclasses import dataclass
from typing import ClassVar

from shrinkage._arrays import Array, floating, namespace_of
from shrinkage.losses._logs import check_responses


@dataclass(frozen=True, slots=True)
class Squared:
    """Squared loss: ℓ(y, η) = ½ (y - η)².

    The negative log-likelihood, up to its constant, of a normal response with variance 1.

    Examples
    --------
    >>> import numpy as np
    >>> Squared().value(np.array([1.0, 2.0]), np.array([0.0, 2.0]))
    array([0.5, 0. ])
    """

    name: ClassVar[str] = "squared"
    reach: ClassVar[float] = float("inf")

    def value(self, y: Array, eta: Array) -> Array:
        """Return ½ (y - η)²."""
        return 0.5 * (y - eta) * (y - eta)

    def gradient(self, y: Array, eta: Array) -> Array:
        """Return η - y."""
        return eta - y

    def curvature(self, y: Array, eta: Array) -> Array:
        """Return 1, in the shape of y - η."""
        return namespace_of(y, eta).ones_like(y - eta)

    def conjugate(self, y: Array, u: Array) -> Array:
        """Return u y + ½ u², finite everywhere."""
        return u * y + 0.5 * u * u

    def slope_bounds(self, y: Array) -> tuple[Array, Array]:
        """Return -inf and inf."""
        y = floating(y)
        return y - float("inf"), y + float("inf")

    def inverse_link(self, eta: Array) -> Array:
        """Return η."""
        return eta

    def deviance(self, y: Array, eta: Array) -> Array:
        """Return (y - η)²."""
        return (y - eta) * (y - eta)

    def check(self, y: Array) -> None:
        """Raise `DataError` if a response is NaN or infinite, naming its row."""
        check_responses(y, lambda xp, y: xp.isfinite(y), "finite for Squared")
