"""What a problem asks of bounds on its coefficients."""

from dataclasses import replace
from typing import Any

import numpy as np

from shrinkage.penalties import Box, GroupBox

BOUNDED = (Box, GroupBox)
_ROUNDING = 1e-12


def measured(penalty: Any, scale: np.ndarray | None) -> Any:
    """The penalty of scale ∘ w: bounds hold for w, and are measured with it."""
    if scale is None or not isinstance(penalty, BOUNDED):
        return penalty
    return replace(penalty, lower=np.asarray(penalty.lower) * scale, upper=np.asarray(penalty.upper) * scale)


def has_no_bound(penalty: Any, n_features: int) -> np.ndarray:
    """(n_features,) whether a coefficient may be any number."""
    if not isinstance(penalty, BOUNDED):
        return np.ones(n_features, bool)
    return np.broadcast_to(
        (np.asarray(penalty.lower) == -np.inf) & (np.asarray(penalty.upper) == np.inf), (n_features,)
    )


def open_sides(penalty: Any, z: np.ndarray) -> np.ndarray:
    """|z| where a coefficient at 0 may move to the side of z, 0 elsewhere."""
    if not isinstance(penalty, BOUNDED):
        return np.abs(z)
    is_open = np.where(z > 0, np.asarray(penalty.upper) > 0, np.asarray(penalty.lower) < 0)
    return np.where(is_open, np.abs(z), 0.0)


def held_by_one_bound(penalty: Box | GroupBox, n_features: int) -> np.ndarray:
    """Whether nothing but a bound on one side holds a coefficient."""
    lower, upper = np.asarray(penalty.lower), np.asarray(penalty.upper)
    one_sided = np.broadcast_to((lower == -np.inf) != (upper == np.inf), (n_features,))
    if isinstance(penalty, GroupBox):
        free = np.asarray(penalty.penalty.unpenalized(np.zeros(n_features)))
    else:
        free = np.zeros(n_features, bool) if penalty.factors is None else np.asarray(penalty.factors) == 0
    return one_sided & (free | (float(penalty.alpha) == 0))


def inside_of_one_bound(penalty: Any, w: np.ndarray) -> np.ndarray:
    """Whether nothing shrinks a coefficient that has one bound and does not stand at it.

    Its dual constraint is an inequality without slack, as if it were free; taking the bound off lowers the minimum, so
    that a gap to the problem without it is one to the problem as well.
    """
    if not isinstance(penalty, BOUNDED):
        return np.zeros(len(w), bool)
    return held_by_one_bound(penalty, len(w)) & (w > penalty.lower) & (w < penalty.upper)


def without_bounds(penalty: Any, where: np.ndarray) -> Any:
    """The same penalty, without the bounds of some coefficients."""
    return replace(penalty, lower=np.where(where, -np.inf, penalty.lower), upper=np.where(where, np.inf, penalty.upper))


def held_sizes(penalty: Any, design: Any, weights: np.ndarray, slope: np.ndarray, scale: Any) -> np.ndarray:
    """(n_features, k) what Xᵀ(weights ∘ slope) / scale is at most, of columns held by one bound; 0 of the others."""
    sizes = np.zeros((design.shape[1], slope.shape[1]))
    if isinstance(penalty, BOUNDED) and (held := held_by_one_bound(penalty, len(sizes))).any():
        means, variances = (moment[held, 0] for moment in design.column_moments(np.asfortranarray(weights[:, None])))
        lengths = np.sqrt(variances + means**2) / (1.0 if scale is None else scale[held])
        sizes[held] = np.outer(lengths, np.sqrt(weights @ (slope * slope)))
    return sizes


def zero_share(penalty: Any, z: np.ndarray) -> float:
    """The largest c in [0, 1] at which the conjugate of a penalty on groups at c z is 0: groups then hold all of it.

    Of use where bounds are far away, for what lies beyond a group's edge counts as often as they are.
    """
    if not isinstance(penalty, GroupBox):
        return 1.0
    return float(penalty.penalty.without_l2().dual_scale(np.copysign(open_sides(penalty, z), z)))


def bounded_dual(penalty: Box | GroupBox, z: np.ndarray, sizes: np.ndarray | float) -> tuple[float, float]:
    """A multiple c <= 1 of a dual point at which the conjugate is finite, and the conjugate there.

    Of columns with one bound that nothing shrinks, correlations of 1e-12 of their `sizes`, which bound them, are 0.
    """
    z = np.where(held_by_one_bound(penalty, len(z)) & (np.abs(z) <= _ROUNDING * sizes), 0.0, z)
    c = float(penalty.dual_scale(z))
    c = c if c == 1.0 else c * (1.0 - 1e-15)
    return c, float(penalty.conjugate(c * z))
