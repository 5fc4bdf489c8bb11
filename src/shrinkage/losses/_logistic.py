"""The logistic loss."""

from dataclasses import dataclass
from typing import ClassVar

from shrinkage._arrays import Array, floating, namespace_of
from shrinkage.losses._logs import check_responses, sigmoid, x_log_x


@dataclass(frozen=True, slots=True)
class Logistic:
    """Logistic loss: ℓ(y, η) = log(1 + exp η) - y η for y in {0, 1}.

    The negative log-likelihood of a 0/1 response with P(y = 1) = 1 / (1 + exp(-η)). Every method keeps full relative
    precision in both tails, to |η| = 1e3 and beyond.

    References
    ----------
    McCullagh & Nelder (1989), Generalized Linear Models, 2nd ed., section 4.3.

    Examples
    --------
    >>> import numpy as np
    >>> Logistic().value(np.array([1.0, 0.0]), np.array([0.0, 1e3])).round(3)
    array([6.93e-01, 1.00e+03])
    >>> Logistic().gradient(1.0, np.array([0.0, -1e3]))
    array([-0.5, -1. ])
    """

    name: ClassVar[str] = "logistic"
    reach: ClassVar[float] = 1.0

    def value(self, y: Array, eta: Array) -> Array:
        """Return max(η, 0) - y η + log(1 + exp(-|η|)): log(1 + exp η) - y η without overflow or cancellation."""
        eta = floating(eta)
        xp = namespace_of(eta)
        size = xp.abs(eta)
        return 0.5 * (eta + size) - y * eta + xp.log1p(xp.exp(-size))

    def gradient(self, y: Array, eta: Array) -> Array:
        """Return (1 - y) σ(η) - y σ(-η): σ(η) - y, precise where σ(η) is near y."""
        eta = floating(eta)
        return (1.0 - y) * sigmoid(eta) - y * sigmoid(-eta)

    def curvature(self, y: Array, eta: Array) -> Array:
        """Return σ(η) σ(-η), in the shape of y - η."""
        eta = floating(eta)
        return sigmoid(eta) * sigmoid(-eta) + 0.0 * y

    def conjugate(self, y: Array, u: Array) -> Array:
        """Return s log s + (1-s) log(1-s) with s = y + u; 0 log 0 = 0, and inf outside 0 <= s <= 1."""
        u = floating(u)
        return x_log_x(y + u) + x_log_x((1.0 - y) - u)

    def inverse_link(self, eta: Array) -> Array:
        """Return σ(η) = 1 / (1 + exp(-η)), the probability of class 1."""
        return sigmoid(floating(eta))

    def deviance(self, y: Array, eta: Array) -> Array:
        """Return 2 ℓ(y, η)."""
        return 2.0 * self.value(y, eta)

    def check(self, y: Array) -> None:
        """Raise `DataError` if a response is neither 0 nor 1, naming its row."""
        check_responses(y, lambda xp, y: (y == 0) | (y == 1), "0 or 1 for Logistic")

    def slope_bounds(self, y: Array) -> tuple[Array, Array]:
        """Return -y and 1 - y."""
        y = floating(y)
        return -y, 1.0 - y
