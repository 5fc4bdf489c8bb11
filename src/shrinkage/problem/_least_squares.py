"""The null model of squared errors, in as few readings of the rows as it takes: they may be many."""

import numpy as np

from shrinkage.problem._explained import explained_or


def least_squares(
    y: np.ndarray, offset: np.ndarray | None, Q: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, float]:
    """Fit Q, orthonormal under the weights, to y - offset.

    Parameters
    ----------
    y, offset : ndarray of shape (n_samples,)
    Q : ndarray of shape (n_samples, r)
    weights : ndarray of shape (n_samples,)
        Of sum 1; None: all the same.

    Returns
    -------
    d : ndarray of shape (r,)
        Coefficients of Q.
    eta : ndarray of shape (n_samples,)
        offset + Q d.
    objective : float
        Mean loss there; 0.0 where that is rounding.
    """
    left = y if offset is None else y - offset
    start = 0.5 * float(_mean_products(left, left, weights))
    d = np.asarray(_mean_products(Q, left, weights))
    left = left - _combined(Q, d)
    more = _mean_products(Q, left, weights)  # removes what rounding left of a response far from 0
    left -= _combined(Q, more)
    d = d + more
    eta = _combined(Q, d)
    if offset is not None:
        eta += offset
    return d, eta, float(explained_or(0.5 * _mean_products(left, left, weights), start))


def _mean_products(columns: np.ndarray, values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Weighted means of columns times values."""
    return columns.T @ values / len(values) if weights is None else columns.T @ (weights * values)


def _combined(Q: np.ndarray, d: np.ndarray) -> np.ndarray:
    return Q[:, 0] * d[0] if Q.shape[1] == 1 else Q @ d
