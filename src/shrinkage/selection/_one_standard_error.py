"""The lowest held-out loss, and the largest strength that is as good as far as anyone can tell."""

import numpy as np
from numpy.typing import ArrayLike

from shrinkage._errors import ArgumentError


def lowest(means: ArrayLike) -> int:
    """Return the place of the lowest mean; NaN is passed over, and of equal ones the first is taken.

    Parameters
    ----------
    means : array-like of shape (n_strengths,)

    Raises
    ------
    ArgumentError
        If there is no finite mean.

    Examples
    --------
    >>> lowest([0.5, float("nan"), 0.3, 0.4])
    2
    """
    values = np.asarray(means, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).any():
        raise ArgumentError(f"means must be a vector with at least one finite number; got {values.tolist()}")
    return int(np.argmin(np.where(np.isfinite(values), values, np.inf)))


def one_standard_error(means: ArrayLike, errors: ArrayLike, strengths: ArrayLike) -> int:
    """Return the place of the largest strength whose mean is within one standard error of the lowest.

    mean_k - mean_best <= error_k

    Parameters
    ----------
    means : array-like of shape (n_strengths,)
        NaN is passed over.
    errors : float, or array-like of shape (n_strengths,)
        One number is the standard error of the lowest mean, as Breiman et al. have it. One for each strength are
        the standard errors of the differences mean_k - mean_best, for losses that were measured on the same rows or
        under the same seeds: what these share cancels. NaN counts as 0.
    strengths : array-like of shape (n_strengths,)
        In any order.

    References
    ----------
    Breiman, Friedman, Olshen & Stone (1984), Classification and Regression Trees, section 3.4.3.

    Examples
    --------
    >>> one_standard_error([0.40, 0.38, 0.39, 0.50], 0.02, strengths=[0.1, 0.2, 0.3, 0.4])
    2
    >>> one_standard_error([0.40, 0.38, 0.39, 0.50], [0.0, 0.0, 0.005, 0.03], strengths=[0.1, 0.2, 0.3, 0.4])
    1
    """
    values = np.asarray(means, dtype=np.float64)
    best = lowest(values)
    sizes = np.asarray(strengths, dtype=np.float64)
    allowed = np.broadcast_to(np.asarray(errors, dtype=np.float64), values.shape)
    if sizes.shape != values.shape:
        raise ArgumentError(f"strengths must have shape {values.shape}, as means; got {sizes.shape}")
    with np.errstate(invalid="ignore"):
        near = values - values[best] <= np.where(np.isfinite(allowed), allowed, 0.0)
    return int(np.argmax(np.where(near, sizes, -np.inf)))


def paired_error(losses: ArrayLike, best: int) -> np.ndarray:
    """Return the standard error of each mean difference to `best`, over columns that belong together.

    sd_k / √n with sd_k² = Σ (d_kj - mean d_k)² / (n - 1), d_kj = loss_kj - loss_best,j.

    Parameters
    ----------
    losses : array-like of shape (n_strengths, n)
        Columns are rows of data, or seeds.
    best : int

    Returns
    -------
    ndarray of shape (n_strengths,)
        0 at `best`; NaN where a column is, and with one column everywhere else.

    Examples
    --------
    >>> paired_error([[1.0, 2.0, 3.0], [2.0, 3.0, 4.0], [1.0, 3.0, 5.0]], best=0).round(4).tolist()
    [0.0, 0.0, 0.5774]
    """
    values = np.asarray(losses, dtype=np.float64)
    n = values.shape[1]
    differences = values - values[best]
    if n < 2:
        return np.where(np.arange(len(values)) == best, 0.0, np.nan)
    with np.errstate(invalid="ignore"):
        return differences.std(axis=1, ddof=1) / np.sqrt(n)
