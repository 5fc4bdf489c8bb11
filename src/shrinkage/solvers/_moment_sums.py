"""Second moments of a block of rows, added to what other blocks gave: all that tall data are read for."""

from collections.abc import Sequence

import numpy as np

from shrinkage import _core


def add_moments(
    out: np.ndarray,
    values: np.ndarray,
    rest: np.ndarray,
    removed: np.ndarray,
    *,
    pieces: Sequence[np.ndarray] | None = None,
    features: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> None:
    r"""Add D' diag(weights) D of a block of rows to sums in float64; D = [X - Q removed, y, Q].

    The sums of blocks add up to those of all rows, whatever the blocks; the block is read once, half the flops of a
    product are done, and of X no more than 256 rows are copied at a time.

    .. math:: M_k \mathrel{+}= \sum_{i \in \mathrm{piece}_k} s_i d_i d_i^\top, \qquad
              d_i = (x_i - \mathrm{removed}^\top q_i,\; y_i,\; q_i)

    Parameters
    ----------
    out : float64 ndarray of shape (n_pieces, m + 1 + q, m + 1 + q), in C order
        Added to; both triangles.
    values : ndarray of shape (n_rows, n_features), float64 or float32 of any strides
        The block of X.
    rest : ndarray of shape (n_rows, 1 + q)
        y, and the q columns that the fit leaves free: of ones for the intercept, then free columns of X.
    removed : ndarray of shape (q, m)
        What is taken off the m features for each unit of Q: near their means, so that no digits cancel.
    pieces : list of rising index arrays
        The rows of each sum, such as those that each fold holds out. None: all rows of the block, one piece.
    features : ndarray of shape (m,)
        Which columns of X. None: all.
    weights : ndarray of shape (n_rows,), >= 0
        s. None: ones.
    """
    n = values.shape[0]
    whole = pieces is None or (len(pieces) == 1 and len(pieces[0]) == n)
    order, starts = (None, np.array([0, n])) if whole else _in_order(pieces)
    _core.add_moments(
        values,
        starts,
        np.ascontiguousarray(rest, np.float64),
        np.ascontiguousarray(removed, np.float64),
        out,
        None if features is None else np.ascontiguousarray(features, np.int64),
        order,
        None if weights is None else np.ascontiguousarray(weights, np.float64),
    )


def _in_order(pieces: Sequence[np.ndarray]) -> tuple[np.ndarray | None, np.ndarray]:
    """The rows of all pieces, one after the other; None where that is 0, 1, 2, ..., and where each piece begins."""
    starts = np.zeros(len(pieces) + 1, np.int64)
    np.cumsum([len(rows) for rows in pieces], out=starts[1:])
    order = np.concatenate([np.asarray(rows, np.int64) for rows in pieces])
    return (None if np.array_equal(order, np.arange(len(order))) else order), starts
