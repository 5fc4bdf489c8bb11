"""The scale of every column: what `standardize` divides by, for the whole data and for folds."""

from typing import Any

import numpy as np

from shrinkage.design import check_entries

CONSTANT = 1e-10
"""A deviation below this share of the mean is rounding: the column is constant."""


def column_scale(design: Any, weights: np.ndarray | None) -> np.ndarray:
    """Scales (n_features, k), one column for each column of `weights` (n_samples, k); see `scale_of_moments`."""
    means, variances = design.column_moments(weights)
    check_entries(design, float(np.sqrt(variances).max(initial=0.0)))
    return scale_of_moments(means, variances)


def scale_of_moments(means: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Standard deviations, roots of the mean squared deviation from the mean: without an intercept too, as in glmnet.

    Constant columns get 1: they are left as they are.
    """
    scale = np.sqrt(variances)
    return np.where(scale > CONSTANT * np.abs(means), scale, 1.0)
