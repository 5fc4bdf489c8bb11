"""A penalty on groups, with bounds on the coefficients."""

from dataclasses import dataclass, replace
from typing import Any

from shrinkage._arrays import Array, floating, matching, namespace_of
from shrinkage._check import check_bounds
from shrinkage._errors import ArgumentError
from shrinkage.penalties._box import Box, one_side
from shrinkage.penalties._boxed_radius import boxed_radius
from shrinkage.penalties._group_l2 import GroupL2
from shrinkage.penalties._l1 import L1
from shrinkage.penalties._l1l2 import positive_part, strengths
from shrinkage.penalties._secular import or_one, total
from shrinkage.penalties._sparse_group import SparseGroup

_INFINITE = float("inf")
_ROUNDING = 1e-14


@dataclass(frozen=True, slots=True)
class GroupBox:
    """A penalty on groups inside bounds: g(w) where lower_j <= w_j <= upper_j for every j, infinite elsewhere.

    Parameters
    ----------
    penalty : GroupL2, or the sum of one with L1, L2 or L1L2
    lower : number or array of the coefficients' shape, <= 0, default -inf
        In the unit of a coefficient.
    upper : number or array of the coefficients' shape, >= 0, default inf

    Raises
    ------
    ArgumentError
        If the penalty is another one, or bounds leave out 0.

    Notes
    -----
    Prox and conjugate have no closed form, but one root of one variable for each group gives them exactly.

    References
    ----------
    R's glmnet minimizes it for `family="mgaussian"` and grouped classes with `lower.limits` and `upper.limits`.

    Examples
    --------
    >>> import numpy as np
    >>> g = GroupBox(GroupL2(1.0, groups=[[0, 1]], weights="ones"), lower=0.0, upper=[2.0, 9.0])
    >>> g.prox(np.array([3.0, 4.0]), step=1.0).round(3), g.prox(np.array([-3.0, 4.0]), step=1.0)
    (array([2.   , 3.155]), array([0., 3.]))
    """

    penalty: Any
    lower: Any = -_INFINITE
    upper: Any = _INFINITE

    def __post_init__(self) -> None:
        if not isinstance(self.penalty, GroupL2 | SparseGroup):
            raise ArgumentError(f"bounds of groups go around GroupL2 or its sums; got {type(self.penalty).__name__}")
        for name in ("lower", "upper"):
            if isinstance(getattr(self, name), (list, tuple)):
                object.__setattr__(self, name, namespace_of().asarray(getattr(self, name)))
        check_bounds(self.lower, self.upper)

    @property
    def alpha(self) -> Array:
        """The strength of the penalty inside."""
        return self.penalty.alpha

    @property
    def factors(self) -> None:
        """None: groups are weighted by themselves."""
        return None

    def value(self, w: Array) -> Array:
        """Return g(w), a 0-d array: inf where a coordinate is out of bounds."""
        w = floating(w)
        xp = namespace_of(w)
        lower, upper = self._bounds(w)
        inside = self.penalty.value(w)
        return xp.where(xp.any((w < lower) | (w > upper)), xp.full_like(inside, _INFINITE), inside)

    def norms(self, w: Array) -> Array:
        """Return ‖w_g‖₂ of every group, shape (n_groups,)."""
        return self.penalty.norms(w)

    def prox(self, v: Array, step: Array) -> Array:
        """Return argmin over u within the bounds of g(u) + Σ_i (u_i - v_i)² / (2 step_i).

        With s = max(|v| / step - l1, 0), h = 1 / step + l2 and b the bound on the side of v: |u_i| is the smaller of
        b_i and s_i r / (α ω_g + h_i r), with r = ‖u_g‖ the root of one equation.

        Parameters
        ----------
        v : array of any shape
        step : float >= 0 or array that broadcasts against `v`
            Where a step is 0 the coordinate stays, or moves to its bound.

        Returns
        -------
        array of the shape and floating type of `v`; new memory
        """
        v = floating(v)
        xp = namespace_of(v)
        zero = xp.zeros_like(v)
        step = zero + matching(step, v)
        moves = step > 0
        t = xp.where(moves, step, zero + 1.0)
        l1, l2 = self._elementwise(v)
        s, h, b = positive_part(xp.abs(v) / t - l1), 1.0 / t + l2, self._side(v)
        alone = s / h
        parts = []
        for own, bent, bound, lam in self._parts(s, h, b):
            held = lam > 0
            r = boxed_radius(own, bent, xp.where(held, lam, xp.ones_like(lam)), bound, self._axes(v))
            parts.append(xp.where(held, own * r / or_one(lam + bent * r), own / bent))
        size = self._blocks(v).scatter(parts, alone)
        size = xp.where(moves, size, xp.abs(v))
        size = xp.where(size < b, size, b)
        return xp.where(v < 0, -size, size)

    def conjugate(self, z: Array) -> Array:
        """Return g*(z), the sum over groups of the largest z·x - g(x) within bounds; inf where there is none."""
        z = floating(z)
        xp = namespace_of(z)
        l1, l2 = self._elementwise(z)
        s, b, axes = positive_part(xp.abs(z) - l1), self._side(z), self._axes(z)
        single = one_side(xp, s, l2, b)
        result, kept = xp.zeros_like(xp.sum(z)), []
        for own, bent, bound, lam in self._parts(s, l2, b):
            held = lam > 0
            r = boxed_radius(own, bent, xp.where(held, lam, xp.ones_like(lam)), bound, axes)
            endless = r == _INFINITE
            r = xp.where(endless, xp.zeros_like(r), r)
            x = own * r / or_one(lam + bent * r)
            at_bound = (x >= bound) & (r > 0)
            x, reached = (
                xp.where(at_bound | (bent == 0), xp.zeros_like(x), x),
                xp.where(at_bound, bound, xp.zeros_like(x)),
            )
            inner = 0.5 * bent * x * x + own * reached - 0.5 * bent * reached * reached
            value = total(inner, axes) - lam * total(reached * reached, axes) / or_one(r)
            value = xp.where(endless, value + _INFINITE, value)
            result = result + xp.sum(xp.where(held, value, xp.zeros_like(value)))
            kept.append(xp.zeros_like(own) + xp.where(held, xp.zeros_like(lam), xp.ones_like(lam)))
        loose = self._blocks(z).scatter(kept, xp.ones_like(z)) > 0
        return result + xp.sum(xp.where(loose, single, xp.zeros_like(single)))

    def dual_scale(self, z: Array) -> Array:
        """Return the largest c in [0, 1], up to 1e-14, with g*(c·z) finite over the penalized coordinates."""
        z = floating(z)
        xp = namespace_of(z)
        c = self.penalty.dual_scale(xp.where(self._side(z) == _INFINITE, z, xp.zeros_like(z)))
        return xp.where(c < 1.0, c * (1.0 - _ROUNDING), c)

    def violation(self, w: Array, z: Array) -> Array:
        """Return, coordinate by coordinate, the vector from the subdifferential of g at w within bounds to z."""
        w = floating(w)
        xp = namespace_of(w, z)
        part = getattr(self.penalty, "elementwise", L1(0.0))
        group = getattr(self.penalty, "group", self.penalty)
        box = Box(part, self.lower, self.upper)
        zero, pull = group.pull(w)
        left = xp.abs(group.prox(box.violation(xp.zeros_like(w), z), 1.0))
        return xp.where(zero, left, box.violation(w, z - pull))

    def unpenalized(self, w: Array) -> Array:
        """Return where neither the penalty nor a bound acts; booleans of the shape of `w`."""
        w = floating(w)
        lower, upper = self._bounds(w)
        return self.penalty.unpenalized(w) & (lower == -_INFINITE) & (upper == _INFINITE)

    def without_l2(self) -> "GroupBox":
        """Return the penalty without its squares, in the same bounds."""
        return replace(self, penalty=self.penalty.without_l2())

    def with_alpha(self, alpha: Array) -> "GroupBox":
        """Return the same penalty at another strength, in the same bounds."""
        return replace(self, penalty=self.penalty.with_alpha(alpha))

    def __mul__(self, scalar: Any) -> "GroupBox":
        """Return the penalty at `scalar` times the strength, in the same bounds."""
        product = self.penalty * scalar
        return product if product is NotImplemented else replace(self, penalty=product)

    __rmul__ = __mul__

    def _blocks(self, like: Array) -> Any:
        """The layout of the groups in coefficients of the shape and type of `like`."""
        return getattr(self.penalty, "group", self.penalty).blocks(like)

    def _axes(self, like: Array) -> tuple[int, ...]:
        return self._blocks(like).axes

    def _parts(self, s: Array, h: Array, b: Array) -> Any:
        """Excess, curvature, bounds and α ω of the groups, one block for each size of group."""
        blocks = self._blocks(s)
        for own, bent, bound, lam in zip(
            blocks.gather(s), blocks.gather(h), blocks.gather(b), blocks.lams, strict=True
        ):
            yield own, bent, bound, total(0.0 * own, blocks.axes) + lam

    def _elementwise(self, like: Array) -> tuple[Array, Array]:
        """Multipliers of |w| and of ½ w², of the shape of `like`."""
        zero = namespace_of(like).zeros_like(like)
        l1, l2 = strengths(getattr(self.penalty, "elementwise", L1(0.0)), like)
        return zero + l1, zero + l2

    def _side(self, z: Array) -> Array:
        """How far a coordinate may go to the side of z."""
        lower, upper = self._bounds(z)
        return namespace_of(z).where(z > 0, upper, -lower)

    def _bounds(self, like: Array) -> tuple[Array, Array]:
        """The bounds as arrays of the shape of `like`."""
        zero = namespace_of(like).zeros_like(like)
        return zero + matching(self.lower, like), zero + matching(self.upper, like)
