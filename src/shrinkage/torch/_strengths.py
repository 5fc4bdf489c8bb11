"""Penalties whose strength is an array, brought to one number: the largest, with their ratios as they are."""

from typing import Any

from shrinkage._errors import ArgumentError


def has_many(penalty: Any) -> bool:
    """Whether a penalty's strength is an array of numbers."""
    return getattr(penalty.alpha, "ndim", 0) > 0


def largest_strength(penalty: Any) -> float:
    """Return a penalty's strength; of an array of them the largest, which must be above 0."""
    alpha = penalty.alpha
    if not has_many(penalty):
        return float(alpha)
    largest = float(alpha.max())
    if not largest > 0:
        raise ArgumentError(f"penalty must have a strength above 0, as their ratios are kept; got {alpha!r}")
    return largest


def at_strength(penalty: Any, strength: float) -> Any:
    """Return a penalty at a strength; one with an array of strengths is scaled so that the largest is this one.

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage import L1
    >>> at_strength(L1(7.0), 0.1).alpha, at_strength(L1(np.array([1.0, 5.0])), 0.1).alpha.tolist()
    (0.1, [0.02, 0.1])
    """
    if not has_many(penalty):
        return penalty.with_alpha(strength)
    return penalty.with_alpha(penalty.alpha * (strength / largest_strength(penalty)))
