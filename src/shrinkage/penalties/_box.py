"""An elastic net, or one of its ends, with bounds on the coefficients."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from shrinkage._arrays import Array, floating, matching, namespace_of
from shrinkage._check import check_bounds
from shrinkage._errors import ArgumentError
from shrinkage.penalties._l1 import L1
from shrinkage.penalties._l1l2 import L1L2, positive_part, strengths
from shrinkage.penalties._l2 import L2

_INFINITE = float("inf")


@dataclass(frozen=True, slots=True)
class Box:
    """A penalty inside bounds: g(w) where lower_j <= w_j <= upper_j for every j, infinite elsewhere.

    Lower 0 and no upper bound make coefficients positive; both 0 exclude a coordinate.

    Parameters
    ----------
    penalty : L1, L2 or L1L2
    lower : number or array of the coefficients' shape, <= 0, default -inf
        In the unit of a coefficient.
    upper : number or array of the coefficients' shape, >= 0, default inf

    Raises
    ------
    ArgumentError
        If the penalty is another one, or bounds leave out 0.

    Notes
    -----
    glmnet's `lower.limits` and `upper.limits`; scikit-learn's `positive=True` is lower=0. In a `Problem` that has a
    scale the penalty measures scale ∘ w, and the bounds hold for w. Each method costs one pass over its argument.

    References
    ----------
    The prox of a convex function of one variable with bounds is the unbounded one, clipped: Parikh & Boyd (2014),
    Proximal algorithms, section 2.2, https://doi.org/10.1561/2400000003

    Examples
    --------
    >>> import numpy as np
    >>> g = Box(L1(1.0), lower=0.0, upper=1.5)
    >>> g.prox(np.array([3.0, 2.0, -2.0]), step=1.0)
    array([1.5, 1. , 0. ])
    >>> float(g.value(np.array([1.5, 0.5]))), float(g.value(np.array([-0.5, 0.5])))
    (2.0, inf)
    """

    penalty: Any
    lower: Any = -_INFINITE
    upper: Any = _INFINITE
    kernel: ClassVar[str] = "box"

    def __post_init__(self) -> None:
        if not isinstance(self.penalty, L1 | L2 | L1L2):
            raise ArgumentError(f"bounds go around L1, L2 or L1L2; got {type(self.penalty).__name__}")
        check_bounds(self.lower, self.upper)

    @property
    def alpha(self) -> Array:
        """The strength of the penalty inside."""
        return self.penalty.alpha

    @property
    def factors(self) -> Array | None:
        """Its multipliers, one per coordinate."""
        return self.penalty.factors

    @property
    def l1_ratio(self) -> float:
        """Its mixing."""
        return self.penalty.l1_ratio

    def value(self, w: Array) -> Array:
        """Return g(w), a 0-d array: inf where a coordinate is out of bounds."""
        w = floating(w)
        xp = namespace_of(w)
        lower, upper = self._bounds(w)
        out = xp.any((w < lower) | (w > upper))
        inside = self.penalty.value(w)
        return xp.where(out, xp.full_like(inside, _INFINITE), inside)

    def prox(self, v: Array, step: Array) -> Array:
        """Return argmin over u within the bounds of step · g(u) + ½‖u - v‖²: the penalty's own, clipped.

        Parameters
        ----------
        v : array of any shape
        step : float >= 0 or array that broadcasts against `v`

        Returns
        -------
        array of the shape and floating type of `v`; new memory
        """
        u = self.penalty.prox(v, step)
        xp = namespace_of(u)
        lower, upper = self._bounds(u)
        u = xp.where(u < lower, lower, u)
        return xp.where(u > upper, upper, u)

    def conjugate(self, z: Array) -> Array:
        """Return g*(z) = Σ_j max over lower_j <= u <= upper_j of z_j u - α f_j (ρ |u| + ½ (1-ρ) u²)."""
        z = floating(z)
        xp = namespace_of(z)
        l1, l2 = strengths(self.penalty, z)
        lower, upper = self._bounds(z)
        l2 = xp.zeros_like(z) + l2
        return xp.sum(one_side(xp, positive_part(z - l1), l2, upper) + one_side(xp, positive_part(-z - l1), l2, -lower))

    def dual_scale(self, z: Array) -> Array:
        """Return the largest c in [0, 1] with g*(c·z) finite over the penalized coordinates; bounds make it so."""
        z = floating(z)
        xp = namespace_of(z)
        lower, upper = self._bounds(z)
        unbounded = ((z > 0) & (upper == _INFINITE)) | ((z < 0) & (lower == -_INFINITE))
        return self.penalty.dual_scale(xp.where(unbounded, z, xp.zeros_like(z)))

    def violation(self, w: Array, z: Array) -> Array:
        """Return, coordinate by coordinate, the distance from z to the subdifferential of g at w within bounds."""
        w = floating(w)
        xp = namespace_of(w, z)
        l1, l2 = strengths(self.penalty, w)
        lower, upper = self._bounds(w)
        up = z - l2 * w - xp.where(w >= 0, l1 + 0.0 * w, -l1 + 0.0 * w)  # > 0: w would rise
        down = z - l2 * w - xp.where(w > 0, l1 + 0.0 * w, -l1 + 0.0 * w)  # < 0: w would fall
        zero = xp.zeros_like(up)
        return xp.where(w < upper, positive_part(up), zero) + xp.where(w > lower, positive_part(-down), zero)

    def with_alpha(self, alpha: Array) -> "Box":
        """Return the same penalty at another strength, in the same bounds."""
        return replace(self, penalty=self.penalty.with_alpha(alpha))

    def __mul__(self, scalar: Any) -> "Box":
        """Return the penalty at `scalar` times the strength, in the same bounds."""
        product = self.penalty * scalar
        return product if product is NotImplemented else replace(self, penalty=product)

    __rmul__ = __mul__

    def _bounds(self, like: Array) -> tuple[Array, Array]:
        """The bounds as arrays of the shape of `like`."""
        zero = namespace_of(like).zeros_like(like)
        return zero + matching(self.lower, like), zero + matching(self.upper, like)


def one_side(xp: Any, excess: Array, l2: Array, bound: Array) -> Array:
    """Max over 0 <= u <= bound of excess u - ½ l2 u², for excess >= 0."""
    zero = xp.zeros_like(excess)
    curved = l2 > 0
    free = excess / xp.where(curved, l2, zero + 1.0)
    u = xp.where(curved & (free < bound), free, bound)
    u = xp.where(excess > 0, u, zero)
    finite = xp.where(u < _INFINITE, u, zero)
    return xp.where(u < _INFINITE, excess * finite - 0.5 * l2 * finite * finite, zero + _INFINITE)
