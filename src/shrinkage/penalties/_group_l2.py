"""The group lasso penalty."""

from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

from shrinkage._arrays import Array, floating, matching, namespace_of
from shrinkage._check import check_choice, check_nonnegative
from shrinkage._errors import ArgumentError
from shrinkage.penalties._algebra import multiply, same_factors, settle
from shrinkage.penalties._groups import AxisBlocks, Groups, ListBlocks, checked_axis
from shrinkage.penalties._secular import block_prox, largest, norm, or_one


@dataclass(frozen=True, slots=True)
class GroupL2:
    """Group lasso: α Σ_g ω_g ‖w_g‖₂ over disjoint groups g, with α = `alpha`, ω = `weights`.

    Sets whole groups to exactly zero. With groups of one and weights of one it is `L1`.

    Parameters
    ----------
    alpha : float >= 0, or array of shape (n_groups,) or that broadcasts to the norms of the groups
        Strength, in the objective's unit per unit of coefficient. For `axis` the norms have the coefficients' shape
        with 1 along every other axis, and (n_groups,) counts them in C order. More axes may stand before these.
    groups : sequence of sequences of integers, or None
        Positions in the coefficients, flattened in C order; disjoint. Coefficients in no group are free.
    axis : int or tuple of int, or None
        Instead of `groups`: one group for every index along these axes. Of the weight of a linear layer, of shape
        (outputs, inputs), axis 0 makes a group of each output's row and axis 1 of each input's column; of a
        convolution's weight axis 0 makes a group of each filter. () makes one group of all.
    weights : "sqrt", "ones", or array or sequence of shape (n_groups,), >= 0
        ω: "sqrt" stands for the square root of the number of coefficients in the group. A group of weight 0 is free.
        For several axes, groups are counted in C order.

    Raises
    ------
    ArgumentError
        If alpha or a weight is negative or not finite, not exactly one of groups and axis is given, or groups overlap
        or are empty. When the coefficients are met: if a position or an axis is not among theirs, or the number of
        weights or strengths is not that of groups.

    Notes
    -----
    The prox costs two passes over its argument for one step. For an array of steps it costs a fixed number of Newton
    iterations on one unknown per group, the norm of its result, which makes it exact in that diagonal metric.

    References
    ----------
    Yuan & Lin (2006), J. R. Stat. Soc. B 68(1), eq. 2.2, https://doi.org/10.1111/j.1467-9868.2005.00532.x

    Examples
    --------
    >>> import numpy as np
    >>> GroupL2(1.0, groups=[[0, 1]]).prox(np.array([3.0, 4.0, 9.0]), step=1.0).round(3)
    array([2.151, 2.869, 9.   ])
    >>> GroupL2(1.0, axis=0, weights="ones").prox(np.array([[3.0, 4.0], [0.3, 0.4]]), step=1.0).round(3)
    array([[2.4, 3.2],
           [0. , 0. ]])
    """

    alpha: Array
    groups: Any = None
    axis: Any = None
    weights: Any = "sqrt"

    def __post_init__(self) -> None:
        check_nonnegative("alpha", self.alpha)
        if (self.groups is None) == (self.axis is None):
            met = "neither" if self.groups is None else f"groups and axis={self.axis!r}"
            raise ArgumentError(f"give exactly one of groups and axis; got {met}")
        if self.groups is not None:
            object.__setattr__(self, "groups", Groups(self.groups))
        else:
            object.__setattr__(self, "axis", checked_axis(self.axis))
        object.__setattr__(self, "weights", _checked_weights(self.weights))
        settle(self, "alpha")

    @property
    def factors(self) -> None:
        """None: groups are weighted by `weights`."""
        return None

    def value(self, w: Array) -> Array:
        """Return α Σ_g ω_g ‖w_g‖₂, a 0-d array."""
        w = floating(w)
        blocks = self.blocks(w)
        terms = [lam * norm(block, blocks.axes) for block, lam in zip(blocks.gather(w), blocks.lams, strict=True)]
        return sum(namespace_of(w).sum(term) for term in terms)

    def norms(self, w: Array) -> Array:
        """Return ‖w_g‖₂ of every group, shape (n_groups,); for `axis` counted in C order."""
        w = floating(w)
        blocks = self.blocks(w)
        return blocks.per_group([norm(block, blocks.axes) for block in blocks.gather(w)])

    def prox(self, v: Array, step: Array) -> Array:
        """Return argmin over u of g(u) + Σ_i (u_i - v_i)² / (2 step_i), exact in this diagonal metric.

        For one step that is v_g max(1 - step·α ω_g / ‖v_g‖, 0). For an array of steps a group is 0 if and only if
        ‖v_g / step_g‖ <= α ω_g, and else u_i = v_i r / (r + step_i α ω_g), with r = ‖u_g‖ the root of
        Σ_i (v_i / (r + step_i α ω_g))² = 1.

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
        return self.prox_in(self.blocks(v), v, matching(step, v))

    def prox_in(self, blocks: AxisBlocks | ListBlocks, v: Array, step: Array) -> Array:
        """Return the prox in a given layout; `v` and `step` may have axes before those of the coefficients."""
        if isinstance(step, float) or all(n == 1 for n in step.shape):
            step = step if isinstance(step, float) else namespace_of(v).reshape(step, ())
            steps = [step] * len(blocks.lams)
        else:
            steps = blocks.gather(step)
        parts = zip(blocks.gather(v), blocks.lams, steps, strict=True)
        return blocks.scatter([block_prox(block, lam, t, blocks.axes) for block, lam, t in parts], v)

    def conjugate(self, z: Array) -> Array:
        """Return g*(z) = 0 if ‖z_g‖₂ <= α ω_g for all groups and z is 0 where no group is, else inf."""
        z = floating(z)
        xp = namespace_of(z)
        return xp.where(xp.any(self._excess(z) > 0), xp.zeros_like(xp.sum(z)) + float("inf"), xp.zeros_like(xp.sum(z)))

    def dual_scale(self, z: Array) -> Array:
        """Return the largest c in [0, 1] with g*(c·z) finite over penalized groups: min_g α ω_g / ‖z_g‖, at most 1."""
        z = floating(z)
        xp = namespace_of(z)
        blocks = self.blocks(z)
        scales = []
        for block, lam in zip(blocks.gather(z), blocks.lams, strict=True):
            length = norm(block, blocks.axes)
            limited = (length > lam) & (lam + xp.zeros_like(length) > 0)
            scales.append(xp.min(xp.where(limited, lam / or_one(length), xp.ones_like(length))))
        return xp.min(xp.stack(scales))

    def violation(self, w: Array, z: Array) -> Array:
        """Return, coordinate by coordinate, the vector from the subdifferential of g at w to z, in absolute value."""
        w = floating(w)
        xp = namespace_of(w, z)
        zero, pull = self.pull(w)
        return xp.where(zero, self._excess(z), xp.abs(z - pull))

    def pull(self, w: Array) -> tuple[Array, Array]:
        """Return where groups are zero (free coordinates are not), and the gradient α ω_g w / ‖w_g‖₂ elsewhere."""
        xp = namespace_of(w)
        blocks = self.blocks(w)
        zero, pull = [], []
        for block, lam in zip(blocks.gather(w), blocks.lams, strict=True):
            length = norm(block, blocks.axes) + 0.0 * (lam + xp.zeros_like(largest(block, blocks.axes)))
            zero.append((length == 0) & (xp.zeros_like(block) == 0))
            pull.append(lam * (block / or_one(length)))
        return blocks.scatter(zero, xp.zeros_like(w) != 0), blocks.scatter(pull, xp.zeros_like(w))

    def unpenalized(self, w: Array) -> Array:
        """Return where this penalty does not act: True in no group, and in groups of weight 0; the shape of `w`."""
        w = floating(w)
        xp = namespace_of(w)
        blocks = self.with_alpha(1.0).blocks(w)
        some = [lam + xp.zeros_like(block) == 0 for block, lam in zip(blocks.gather(w), blocks.lams, strict=True)]
        return blocks.scatter(some, xp.zeros_like(w) == 0)

    def with_alpha(self, alpha: Array) -> "GroupL2":
        """Return the same penalty at another strength."""
        return replace(self, alpha=alpha)

    def without_l2(self) -> "GroupL2":
        """Return the penalty without squares: itself."""
        return self

    def __mul__(self, scalar: Any) -> "GroupL2":
        """Return the penalty at `scalar` times the strength."""
        return multiply(self, scalar)

    __rmul__ = __mul__

    def __add__(self, other: Any) -> Any:
        """Return the sum: with the same groups a `GroupL2`, with an elementwise penalty the sparse group lasso."""
        if isinstance(other, GroupL2):
            return self._add_group(other)
        if getattr(other, "kernel", None) == "l1l2":
            from shrinkage.penalties._sparse_group import SparseGroup  # which is built on this class

            return SparseGroup(other, self)
        return NotImplemented

    __radd__ = __add__

    def _add_group(self, other: "GroupL2") -> "GroupL2":
        if (self.groups, self.axis) != (other.groups, other.axis):
            raise ArgumentError(
                "a sum of group penalties is one group penalty only if both have the same groups, in the same order; "
                f"got {self!r} and {other!r}"
            )
        if not _same_weights(self.weights, other.weights):
            raise ArgumentError(
                f"a sum of group penalties is one only if both have the same weights; got {self!r} and {other!r}"
            )
        return replace(self, alpha=self.alpha + other.alpha)

    def blocks(self, like: Array) -> AxisBlocks | ListBlocks:
        """Return the layout of the groups in coefficients of the shape and type of `like`."""
        return ListBlocks(self, like) if self.axis is None else AxisBlocks(self, like)

    def _excess(self, z: Array) -> Array:
        """|z| where nothing is penalized; in a group |z_i| max(1 - α ω_g / ‖z_g‖, 0)."""
        z = floating(z)
        return namespace_of(z).abs(self.prox(z, 1.0))


def _same_weights(one: Any, other: Any) -> bool:
    if isinstance(one, (str, tuple)) or isinstance(other, (str, tuple)):
        return type(one) is type(other) and one == other
    return same_factors(one, other)


def _checked_weights(weights: Any) -> Any:
    """Refuse weights that are negative, not finite, or all 0; a sequence becomes a tuple."""
    if isinstance(weights, str):
        check_choice("weights", weights, ("sqrt", "ones"))
        return weights
    if isinstance(weights, (list, tuple)):
        for weight in weights:
            if not isinstance(weight, Real):
                raise ArgumentError(f"weights must hold numbers >= 0; got {weight!r}")
            check_nonnegative("weights", weight)
        weights = tuple(float(weight) for weight in weights)
        positive = any(weight > 0 for weight in weights)
    else:
        if isinstance(weights, Real) or getattr(weights, "ndim", 1) != 1:
            raise ArgumentError(f"weights must be 'sqrt', 'ones', or one number per group; got {weights!r}")
        check_nonnegative("weights", weights)
        positive = bool(namespace_of(weights).any(weights > 0))
    if not positive:
        raise ArgumentError("weights must hold at least one number > 0; all are 0, which leaves nothing to penalize")
    return weights
