"""Second moments of a block of rows, added to what other blocks gave: all that tall data are read for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkage import _core
from shrinkage.design import BlockDesign
from shrinkage.problem import Problem
from shrinkage.solvers._block_moments import block_moments

SAMPLED = 128  # rows that say roughly where the columns lie


@dataclass(frozen=True, eq=False)
class Moments:
    """All that fits read of tall data: second moments of D = [X - Q removed, y - null model, Q], m + 1 + q columns.

    Attributes
    ----------
    all : ndarray of shape (m + 1 + q, m + 1 + q)
        D' diag(s) D over all rows.
    left_out, test : ndarray of shape (n_folds, m + 1 + q, m + 1 + q)
        The same over the rows that each fit after the first leaves out, and over those it is scored on.
    totals : ndarray of shape (1 + n_folds,)
        Sum of the weights s of each fit.
    test_totals : ndarray of shape (n_folds,)
    positive : ndarray of shape (1 + n_folds,)
        Number of rows of positive weight.
    whole : ndarray of shape (1 + n_folds,)
        Weighted mean of (y - offset)².
    removed : ndarray of shape (q, m)
    to_raw : ndarray of shape (q, q)
        From coefficients of Q to those of the intercept and the free columns.
    """

    all: np.ndarray
    left_out: np.ndarray
    test: np.ndarray
    totals: np.ndarray
    test_totals: np.ndarray
    positive: np.ndarray
    whole: np.ndarray
    removed: np.ndarray
    to_raw: np.ndarray


def gather(problem: Problem, penalized: np.ndarray, folds: list) -> Moments:
    """One pass over X: the moments of all rows and of those that each fold leaves out.

    Parameters
    ----------
    problem : Problem with a squared loss and a dense design
    penalized : index array
        The m columns that the penalty acts on.
    folds : list of (training rows, held-out rows), rising and disjoint; the latter may be empty
    """
    weights, n = problem.sample_weight, len(problem.y)
    Q, to_raw = problem.free_block
    rest = np.empty((n, 1 + Q.shape[1]))
    np.subtract(problem.y, problem.null.eta, out=rest[:, 0])
    rest[:, 1:] = Q
    left_out = [_others(train, test, n) for train, test in folds]
    held_out = [test for _, test in folds if len(test)]
    parted = sum(map(len, left_out)) == n and _parted(np.concatenate(left_out))
    blocks = isinstance(problem.design, BlockDesign)
    same = all(
        rows is left or np.array_equal(rows, left) for rows, left in zip(held_out, left_out, strict=bool(held_out))
    )
    groups: list[list] = [left_out, [] if same else held_out, [] if parted else [np.arange(n) if blocks else None]]
    if blocks:
        removed, (out, test, whole) = block_moments(problem, penalized, rest, groups, add_moments)
    else:
        removed = _near_means(problem, penalized, Q)
        out, test, whole = (_sums(problem, penalized, rest, removed, pieces) for pieces in groups)
    y = problem.y if problem.offset is None else problem.y - problem.offset
    squares = y * y if weights is None else weights * y * y
    left = squares.sum() - np.concatenate([[0.0], _sums_over(squares, left_out)])
    training = [train for train, _ in folds]
    totals = _totals(weights, training, n)
    return Moments(
        all=out.sum(axis=0) if parted else whole[0],
        left_out=out,
        test=out if same else test,
        totals=totals,
        test_totals=_totals(weights, held_out, n)[1:],
        positive=totals if weights is None else _totals((weights > 0).astype(float), training, n),
        whole=np.maximum(left, 0.0) / totals,
        removed=removed,
        to_raw=to_raw,
    )


def _parted(rows: np.ndarray) -> bool:
    """Whether each of len(rows) rows is there once."""
    return _counts_up(rows) or bool((np.bincount(rows, minlength=len(rows)) == 1).all())


def _others(train: np.ndarray, test: np.ndarray, n: int) -> np.ndarray:
    """The rows that are not trained on: those held out, where there are no others."""
    if len(train) + len(test) == n:
        return test
    left = np.ones(n, bool)
    left[train] = False
    return np.flatnonzero(left)


def _sums(problem: Problem, penalized: np.ndarray, rest: np.ndarray, removed: np.ndarray, pieces: list) -> np.ndarray:
    """Moments of each piece, of a design in memory; a piece of None is all rows."""
    design: Any = problem.design
    out = np.zeros((len(pieces), *2 * (len(penalized) + rest.shape[1],)))
    features = None if len(penalized) == design.shape[1] else penalized
    if pieces:
        some = None if pieces[0] is None else pieces
        add_moments(out, design.values, rest, removed, pieces=some, features=features, weights=problem.sample_weight)
    return out


def _totals(values: np.ndarray | None, sets: list, n: int) -> np.ndarray:
    """Sums of the values (None: ones) of all n rows, and of each set of rows."""
    if values is None:
        return np.array([n, *(len(rows) for rows in sets)], np.float64)
    return np.concatenate([[values.sum()], _sums_over(values, sets)])


def _sums_over(values: np.ndarray, sets: list) -> np.ndarray:
    """Sums of the values of each set of rows."""
    if not sets or not min(map(len, sets)):
        return np.array([values[rows].sum() for rows in sets], np.float64)
    starts = np.cumsum([0, *(len(rows) for rows in sets[:-1])])
    return np.add.reduceat(values[np.concatenate(sets)], starts)


def _near_means(problem: Problem, penalized: np.ndarray, Q: np.ndarray) -> np.ndarray:
    """What is taken off X for each unit of Q, so that no digits cancel later: (q, m).

    Where Q is the intercept alone, the means of a few rows do: nothing but digits depends on it.
    """
    design: Any = problem.design
    if Q.shape[1] == 1 and problem.fit_intercept:
        rows = len(Q) if problem.sample_weight is None else np.flatnonzero(problem.sample_weight)
        if isinstance(rows, int):
            some = design.values[:: -(-rows // SAMPLED)]
        else:
            some = design.values[rows[:: -(-len(rows) // SAMPLED)]]
        some = some.astype(np.float64)
        some = some if len(penalized) == some.shape[1] else some[:, penalized]
        return some[:1] + (some - some[0]).sum(axis=0) / len(some)
    if Q.shape[1] == 0:
        return np.zeros((0, len(penalized)))
    return np.ascontiguousarray(design.correlate(np.asfortranarray(problem.weights[:, None] * Q))[penalized].T)


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
    order, starts = (None, np.array([0, n])) if pieces is None else _in_order(pieces)
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
    order = np.concatenate(pieces, dtype=np.int64, casting="unsafe")
    return (None if _counts_up(order) else order), starts


def _counts_up(order: np.ndarray) -> bool:
    """Whether these whole numbers are 0, 1, 2, ..."""
    n = len(order)
    return n == 0 or bool(order[0] == 0 and order[-1] == n - 1 and (order[1:] > order[:-1]).all())
