"""What a problem and its solvers may ask of a loss."""

from typing import ClassVar, Protocol

from shrinkage._arrays import Array


class Loss(Protocol):
    """A convex function ℓ(y, η), row by row; it knows nothing of X, of coefficients, of penalties, of weights.

    All methods broadcast `y` against `eta` (or `u`) and return an array of the broadcast shape.
    """

    name: ClassVar[str]
    reach: ClassVar[float]
    """A change of η over which slope - curvature · change stays a slope that ℓ has; inf where η is in the unit of y."""

    def value(self, y: Array, eta: Array) -> Array:
        """Return ℓ(y, η) >= 0: the negative log-likelihood of one row, less its least value."""
        ...

    def gradient(self, y: Array, eta: Array) -> Array:
        """Return dℓ/dη."""
        ...

    def curvature(self, y: Array, eta: Array) -> Array:
        """Return d²ℓ/dη², >= 0."""
        ...

    def conjugate(self, y: Array, u: Array) -> Array:
        """Return ℓ*(y, u) = sup over η of uη - ℓ(y, η); inf outside its domain."""
        ...

    def slope_bounds(self, y: Array) -> tuple[Array, Array]:
        """Return the ends of the interval of u on which ℓ*(y, u) is finite, in the shape of y; 0 lies in it."""
        ...

    def inverse_link(self, eta: Array) -> Array:
        """Return the mean response at linear predictor η."""
        ...

    def deviance(self, y: Array, eta: Array) -> Array:
        """Return the deviance of one row, which model selection averages: 2 (ℓ(y, η) - min over η of ℓ(y, η))."""
        ...

    def check(self, y: Array) -> None:
        """Raise `DataError` naming the first row of `y` that this loss cannot take."""
        ...
