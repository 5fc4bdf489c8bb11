"""Bounds on coefficients, and excluded columns, as a user states them."""

from typing import Any

import numpy as np

from shrinkage._check import check_boolean, real_vector, weight_vector
from shrinkage._errors import ArgumentError
from shrinkage.penalties import Box, GroupBox, GroupL2, SparseGroup
from shrinkage.problem import Problem


def factors_and_excluded(penalty_factor: Any, p: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Factors (p,), 1 where they are infinite, and where that is; None where there are none."""
    if penalty_factor is None:
        return None, None
    factors = np.array(real_vector("penalty_factor", penalty_factor, p))
    excluded = factors == np.inf
    if p and excluded.all():
        raise ArgumentError("penalty_factor must hold a finite number; all are inf, which leaves out every column")
    factors[excluded] = 1.0
    return weight_vector("penalty_factor", factors, p), excluded if excluded.any() else None


def bounded(penalty: Any, p: int, lower: Any, upper: Any, positive: Any, excluded: np.ndarray | None) -> Any:
    """The penalty within the bounds that the arguments state, or itself where they state none."""
    low, high = limit_vectors(p, lower, upper, positive)
    if excluded is not None:
        low[excluded] = high[excluded] = 0.0
    if np.isinf(low).all() and np.isinf(high).all():
        return penalty
    return (GroupBox if isinstance(penalty, GroupL2 | SparseGroup) else Box)(penalty, low, high)


def limit_vectors(p: int, lower: Any, upper: Any, positive: Any) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds (p,) that the arguments state."""
    check_boolean("positive", positive)
    if positive and lower is not None:
        raise ArgumentError("positive=True is lower=0: give one or the other")
    low = _vector("lower", 0.0 if positive else -np.inf if lower is None else lower, p, -1)
    return low, _vector("upper", np.inf if upper is None else upper, p, 1)


def limits_once(penalty: Box | GroupBox, lower: Any, upper: Any, positive: Any) -> tuple[Any, Any]:
    """The bounds of a penalty, where none are given beside it."""
    if lower is not None or upper is not None or positive:
        raise ArgumentError("penalty already has bounds: give them once")
    return penalty.lower, penalty.upper


def refuse_bounds(problem: Problem, what: str) -> None:
    """Refuse bounds and excluded columns, for what does not know them."""
    if isinstance(problem.penalty, Box | GroupBox):
        raise ArgumentError(f"{what} takes no bounds and no excluded columns: leave these columns out of X")


def _vector(name: str, value: Any, p: int, side: int) -> np.ndarray:
    """One bound for every column; `side` is the sign that it has."""
    bound = real_vector(name, np.full(p, value) if np.ndim(value) == 0 else value, p)
    wrong = np.flatnonzero(side * bound < 0)
    if wrong.size:
        what = "<= 0" if side < 0 else ">= 0"
        raise ArgumentError(
            f"{name} must be {what}, for 0 lies within the bounds; column {wrong[0]} has {bound[wrong[0]]}"
        )
    return np.array(bound)
