"""What a problem asks of its penalty beyond the protocols: free columns, dual multiples, the first strength."""

from typing import Any

import numpy as np

from shrinkage.penalties import L1, L1L2, L2, BlockSeparable, Box, GroupBox, SortedL1
from shrinkage.problem._bounded import BOUNDED, bounded_dual, has_no_bound, open_sides, zero_share

_RIDGE_GRID_RATIO = 1e-3


def unpenalized(penalty: Any, n_features: int) -> np.ndarray:
    """Indices of the columns that no strength acts on, nor a bound: of factor 0, in no group, in a group of weight 0.

    Raises
    ------
    ArgumentError
        If groups name columns that there are not.
    """
    elementwise = isinstance(penalty, (L1, L2, L1L2, Box))  # asked first: of a protocol the question takes long
    if not elementwise and isinstance(penalty, BlockSeparable):
        return np.flatnonzero(penalty.unpenalized(np.zeros(n_features)))
    if penalty.factors is None:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero((np.asarray(penalty.factors) == 0) & has_no_bound(penalty, n_features))


def without_l2(penalty: Any) -> Any:
    """The penalty without its squares: the part that holds coefficients at zero."""
    if isinstance(penalty, BlockSeparable):
        return penalty.without_l2()
    if isinstance(penalty, SortedL1):
        return penalty
    return L1(penalty.alpha * penalty.l1_ratio, penalty.factors)


def zero_cap(penalty: Any, z: np.ndarray) -> float:
    """The largest c in [0, 1] with g*(c z) = 0, up to rounding; z is 0 in the columns that nothing penalizes."""
    held = without_l2(penalty)
    cap = float(held.dual_scale(z))
    return cap if np.isfinite(held.conjugate(cap * (1.0 - 1e-12) * z)) else 0.0


def dual_terms(penalty: Any, z: np.ndarray, sizes: np.ndarray | float) -> tuple[float, float, float]:
    """`zero_cap`, the conjugate at z, and 0; with bounds a multiple, the conjugate at z, and that at the multiple.

    Both may be infinite only where it is less than 1. Within bounds that are far away the conjugate counts what
    lies beyond a group's edge as often as they are: there the multiple is one at which groups hold all of it.
    """
    if isinstance(penalty, BOUNDED):
        c, conjugate = bounded_dual(penalty, z, sizes)
        share = min(c, zero_share(penalty, z))
        if c < 1 or share == 1:
            return c, (conjugate if c == 1 else np.inf), conjugate
        return share, conjugate, float(penalty.conjugate(share * z))
    return zero_cap(penalty, z), float(penalty.conjugate(z)), 0.0


def first_strength(penalty: Any, z: np.ndarray) -> float:
    """The smallest alpha at which 0 is stationary in every penalized coefficient, for the gradient -z there.

    For a penalty of squares alone, where there is none, the number for l1_ratio = 1e-3. Coefficients that only squares
    act on are left out beside others.
    """
    if isinstance(penalty, GroupBox):
        penalty, z = penalty.penalty, open_sides(penalty, z)
    if isinstance(penalty, BlockSeparable):
        return _first_of_multiples(penalty.with_alpha(1.0).without_l2(), z)
    if isinstance(penalty, SortedL1):
        held = np.ones(len(z)) if penalty.factors is None else np.asarray(penalty.factors)
        return _first_of_multiples(penalty.with_alpha(1.0), held * z)
    z = open_sides(penalty, z)
    if penalty.factors is not None:
        factors = np.asarray(penalty.factors, dtype=np.float64)
        z = np.divide(z, factors, out=np.zeros_like(z), where=factors > 0)
    ratio = float(getattr(penalty, "l1_ratio", 1.0))  # MCP and SCAD have the slope of the lasso at 0
    return float(z.max(initial=0.0)) / (ratio or _RIDGE_GRID_RATIO)


def _first_of_multiples(unit: Any, z: np.ndarray) -> float:
    """1 / c, for c the largest multiple of z at which the conjugate of a penalty at strength 1 is finite.

    `dual_scale` looks at multiples up to 1 alone, so z is made longer until it is outside.
    """
    longest = float(np.abs(z).max(initial=0.0))
    if longest == 0:
        return 0.0
    for longer in (1.0, 1e3, 1e6, 1e9, 1e15, 1e30):
        c = float(unit.dual_scale(longer * (z / longest)))
        if c < 1:
            return longest / (longer * c)
    return 0.0
