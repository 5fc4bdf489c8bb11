"""Which strengths of a race need no more training."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from shrinkage._errors import ArgumentError
from shrinkage.selection._one_standard_error import lowest, paired_error


def clearly_worse(
    rows: ArrayLike, before: ArrayLike | None = None, doublings: float = 0.0, level: float = 0.01
) -> np.ndarray:
    """Say which strengths of a race need no more training: worse than the best beyond noise and beyond catching up.

    With d_k the row-by-row differences to the strength of the lowest mean, a strength is clearly worse where both hold:

    1. mean(d_k) / (sd(d_k) / √n) is above Student's t quantile at 1 - level / (K - 1), n - 1 degrees of freedom;
    2. mean_k - doublings · max(before_k - mean_k, 0) > mean_best: even if each doubling of the training that is still
       to come brought as much as the last did, it would not reach where the best is today.

    The second protects what starts slowly. It supposes that gains per doubling do not grow.

    Parameters
    ----------
    rows : array-like of shape (n_strengths, n_rows)
        Losses of the same rows.
    before : array-like of shape (n_strengths,), optional
        Mean losses after half of the training so far.
    doublings : float >= 0
        log2(whole training / training so far).
    level : float in (0, 1)
        The chance, by the test's normal theory, of stopping any strength that is as good as the best.

    Returns
    -------
    ndarray of shape (n_strengths,), bool

    References
    ----------
    Racing on paired errors: Maron & Moore (1997), Artificial Intelligence Review 11, 193-225,
    https://doi.org/10.1023/A:1006556606079. Rungs that double: Jamieson & Talwalkar (2016),
    https://arxiv.org/abs/1502.07943.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=200)
    >>> clearly_worse([noise, noise + 0.01 * noise**2, noise + 1.0]).tolist()
    [False, True, True]
    >>> clearly_worse([noise, noise + 1.0], before=[0.0, 5.0], doublings=1.0).tolist()
    [False, False]
    """
    losses = np.asarray(rows, dtype=np.float64)
    if losses.ndim != 2:
        raise ArgumentError(f"rows must have shape (n_strengths, n_rows); got {losses.shape}")
    means = losses.mean(axis=1)
    best = lowest(means)
    n_strengths, n_rows = losses.shape
    if n_strengths < 2 or n_rows < 2:
        return np.zeros(n_strengths, dtype=bool)
    differences = losses - losses[best]
    gap, se = differences.mean(axis=1), paired_error(losses, best)
    beyond_noise = gap > stdtrit(n_rows - 1, 1.0 - level / (n_strengths - 1)) * se
    if before is None:
        return beyond_noise
    gain = np.maximum(np.asarray(before, dtype=np.float64) - means, 0.0)
    return beyond_noise & (means - doublings * gain > means[best])
