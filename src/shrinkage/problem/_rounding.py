"""Correlations that are nothing but rounding: those of columns that the unpenalized ones explain."""

from typing import Any

import numpy as np

_FAINT, _ROUNDING = 1e-6, 1e-13  # of the sum of a dual point, times a column's length


def without_rounding(design: Any, theta: np.ndarray, C: np.ndarray, scale: np.ndarray | None = None) -> np.ndarray:
    """Correlations C = Xᵀθ / scale (n_features, k), with zeros for each θ of which all are rounding.

    |Xᵀθ| of a column x in the free block is 0, but for about 1e-16 ‖x‖ Σ|θ|; where no column has more, no strength
    makes a coefficient that means anything.
    """
    totals = np.abs(theta).sum(axis=0)
    largest = np.abs(C).max(axis=0, initial=0.0)
    if not ((largest > 0) & (largest <= _FAINT * totals)).any():  # the columns may be small; else none is rounding
        return C
    means, variances = design.column_moments()
    sizes = np.sqrt(design.shape[0] * (variances + means**2)) / (1.0 if scale is None else scale[:, None])
    return C * (np.abs(C) > _ROUNDING * sizes * totals).any(axis=0)
