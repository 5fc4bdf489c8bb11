"""The sparse group lasso: an elementwise penalty and a penalty on groups, added."""

from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

from shrinkage._arrays import Array, floating, matching, namespace_of
from shrinkage._errors import ArgumentError
from shrinkage.penalties._algebra import check_scalar, settle
from shrinkage.penalties._group_l2 import GroupL2
from shrinkage.penalties._l1 import L1
from shrinkage.penalties._l1l2 import positive_part, strengths
from shrinkage.penalties._secular import norm, norm_scale, or_one, total, weighted_radius


@dataclass(frozen=True, slots=True)
class SparseGroup:
    """Sparse group lasso: Σ_j (l1_j |w_j| + ½ l2_j w_j²) + Σ_g λ_g ‖w_g‖₂, an elementwise penalty plus a `GroupL2`.

    Made by `+`. With α f ρ = l1 and α f (1-ρ) = l2 of `elementwise`, α ω_g = λ_g of `group`. Sets whole groups to
    exactly zero, and coefficients inside the others.

    Parameters
    ----------
    elementwise : L1, L2 or L1L2
    group : GroupL2
    share : float in [0, 1] or None
        The part of `alpha` that is elementwise, for `with_alpha`. None stands for the one that the strengths say.

    Raises
    ------
    ArgumentError
        If a part is not of its kind, or has an array as strength although no share is given.

    References
    ----------
    Simon, Friedman, Hastie & Tibshirani (2013), J. Comput. Graph. Stat. 22(2), eq. 3,
    https://doi.org/10.1080/10618600.2012.681250. The prox is a soft threshold, then the group's: there section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage import L1, GroupL2
    >>> g = L1(1.0) + GroupL2(2.5, groups=[[0, 1], [2, 3]], weights="ones")
    >>> g.prox(np.array([4.0, 5.0, 2.0, 0.5]), step=1.0)
    array([1.5, 2. , 0. , 0. ])
    >>> g.alpha, g.with_alpha(7.0).group.alpha
    (3.5, 5.0)
    """

    elementwise: Any
    group: Any
    share: float | None = None

    def __post_init__(self) -> None:
        if getattr(self.elementwise, "kernel", None) != "l1l2" or not isinstance(self.group, GroupL2):
            raise ArgumentError(
                f"elementwise must be L1, L2 or L1L2 and group a GroupL2; got {self.elementwise!r} and {self.group!r}"
            )
        settle(self, "share")
        numbers = isinstance(self.elementwise.alpha, Real) and isinstance(self.group.alpha, Real)
        if self.share is None and not numbers:
            raise ArgumentError(
                "a sum of an elementwise and a group penalty needs numbers as strengths (with_alpha takes arrays); "
                f"got {self.elementwise!r} and {self.group!r}"
            )

    @property
    def alpha(self) -> Array:
        """The sum of the two strengths."""
        return self.elementwise.alpha + self.group.alpha

    @property
    def factors(self) -> None:
        """None: each part has its own."""
        return None

    def value(self, w: Array) -> Array:
        """Return Σ_j (l1_j |w_j| + ½ l2_j w_j²) + Σ_g λ_g ‖w_g‖₂, a 0-d array."""
        return self.elementwise.value(w) + self.group.value(w)

    def norms(self, w: Array) -> Array:
        """Return ‖w_g‖₂ of every group, shape (n_groups,)."""
        return self.group.norms(w)

    def prox(self, v: Array, step: Array) -> Array:
        """Return argmin over u of g(u) + Σ_i (u_i - v_i)² / (2 step_i), exact in this diagonal metric.

        With t' = step / (1 + step·l2): the group's prox, with steps t', of the elementwise prox of v.

        Parameters
        ----------
        v : array of any shape
        step : float >= 0 or array that broadcasts against `v`
            Where a step is 0 the coordinate stays.

        Returns
        -------
        array of the shape and floating type of `v`; new memory
        """
        v = floating(v)
        step = matching(step, v)
        _, l2 = strengths(self.elementwise, v)
        soft = self.elementwise.prox(v, step)
        return self.group.prox_in(self.group.blocks(v), soft, step / (1.0 + step * l2))

    def conjugate(self, z: Array) -> Array:
        """Return g*(z): over groups ½ Σ_i l2_i x_i², with x the maximizer of ⟨z, w⟩ - g(w); inf where there is none.

        With s = soft(z, l1): x = 0 if ‖s_g‖₂ <= λ_g, else |x_i| = |s_i| r / (l2_i r + λ_g), with r = ‖x_g‖₂ the root of
        Σ_i (s_i / (l2_i r + λ_g))² = 1. Where l2 is one number in the group that is (‖s_g‖ - λ_g)² / (2 l2).
        """
        z = floating(z)
        xp = namespace_of(z)
        l1, l2 = (x + xp.zeros_like(z) for x in strengths(self.elementwise, z))
        blocks = self.group.blocks(z)
        excess = positive_part(xp.abs(z) - l1)
        result = self.elementwise.conjugate(self._alone(z))
        for s, h, lam in zip(blocks.gather(excess), blocks.gather(l2), blocks.lams, strict=True):
            lam = lam + xp.zeros_like(norm(s, blocks.axes))
            fixed = norm(xp.where(h > 0, xp.zeros_like(s), s), blocks.axes)
            inside = norm(s, blocks.axes) <= lam
            outside = ~inside & (fixed >= lam) & (fixed > 0)
            # A group without a root is given one, that no later number is nan.
            r = weighted_radius(xp.where(inside | outside, xp.zeros_like(s), s), h, lam, blocks.axes)
            x = xp.where(h > 0, s * r / or_one(h * r + lam), xp.zeros_like(s))
            terms = xp.where(inside, xp.zeros_like(lam), 0.5 * total(h * x * x, blocks.axes))
            result = result + xp.sum(xp.where(outside, xp.zeros_like(lam) + float("inf"), terms))
        return result

    def dual_scale(self, z: Array) -> Array:
        """Return the largest c in [0, 1] with g*(c·z) finite over penalized coordinates, by bisection.

        Over the coordinates of a group with l2 = 0: ‖soft(c z, l1)‖₂ <= λ_g.
        """
        z = floating(z)
        xp = namespace_of(z)
        l1, l2 = (x + xp.zeros_like(z) for x in strengths(self.elementwise, z))
        blocks = self.group.blocks(z)
        scales = [self.elementwise.dual_scale(self._alone(z))]
        size = xp.where(l2 > 0, xp.zeros_like(z), xp.abs(z))
        for s, edge, lam in zip(blocks.gather(size), blocks.gather(l1), blocks.lams, strict=True):
            lam = lam + xp.zeros_like(norm(s, blocks.axes))
            s = xp.where(edge + lam > 0, s, xp.zeros_like(s))
            scales.append(xp.min(norm_scale(s, edge, lam, blocks.axes)))
        return xp.min(xp.stack(scales))

    def violation(self, w: Array, z: Array) -> Array:
        """Return, coordinate by coordinate, the vector from the subdifferential of g at w to z, in absolute value."""
        w = floating(w)
        xp = namespace_of(w, z)
        zero, pull = self.group.pull(w)
        # In a group of zeros: what the prox of the l1 and the group part leaves of z, by Moreau's decomposition.
        left = xp.abs(self.group.prox(self.elementwise.violation(xp.zeros_like(w), z), 1.0))
        return xp.where(zero, left, self.elementwise.violation(w, z - pull))

    def unpenalized(self, w: Array) -> Array:
        """Return where neither part acts, whatever the strength; booleans of the shape of `w`.

        A part of strength 0 beside one of another strength never acts.
        """
        w = floating(w)
        nowhere = namespace_of(w).zeros_like(w)
        in_no_group, one = self.group.unpenalized(w), self.elementwise
        if _is_zero(self.group.alpha) and not _is_zero(one.alpha):
            in_no_group = nowhere == 0
        if _is_zero(one.alpha) and not _is_zero(self.group.alpha):
            return in_no_group
        return in_no_group & (nowhere != 0 if one.factors is None else matching(one.factors, w) + nowhere == 0)

    def _alone(self, z: Array) -> Array:
        """Return `z` where no group is, else 0."""
        blocks = self.group.blocks(z)
        zeros = namespace_of(z).zeros_like
        return blocks.scatter([zeros(block) for block in blocks.gather(z)], z)

    def without_l2(self) -> "SparseGroup":
        """Return the penalty without its squares: the part that holds coefficients at zero."""
        part = self.elementwise
        return replace(self, elementwise=L1(part.alpha * part.l1_ratio, part.factors))

    def with_alpha(self, alpha: Array) -> "SparseGroup":
        """Return the same penalty with the strengths of both parts rescaled, so that their sum is `alpha`."""
        share = self.share
        if share is None:
            if not self.alpha > 0:
                raise ArgumentError("a sum of two strengths of 0 does not say how its parts share another: give share")
            share = float(self.elementwise.alpha / self.alpha)
        return SparseGroup(
            self.elementwise.with_alpha(share * alpha), self.group.with_alpha((1.0 - share) * alpha), share
        )

    def __mul__(self, scalar: Any) -> "SparseGroup":
        """Return the penalty at `scalar` times both strengths."""
        if not check_scalar(scalar):
            return NotImplemented
        return replace(self, elementwise=scalar * self.elementwise, group=scalar * self.group)

    __rmul__ = __mul__

    def __add__(self, other: Any) -> Any:
        """Return the penalty with an elementwise or a group penalty added to the part that it belongs to."""
        if isinstance(other, SparseGroup):
            return SparseGroup(self.elementwise + other.elementwise, self.group + other.group)
        if isinstance(other, GroupL2):
            return SparseGroup(self.elementwise, self.group + other)
        if getattr(other, "kernel", None) == "l1l2":
            return SparseGroup(self.elementwise + other, self.group)
        return NotImplemented

    __radd__ = __add__


def _is_zero(alpha: Array) -> bool:
    return isinstance(alpha, Real) and float(alpha) == 0
