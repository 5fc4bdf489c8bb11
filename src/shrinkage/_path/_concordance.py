"""Harrell's concordance of risks with censored times."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shrinkage._check import finite_vector, weight_vector
from shrinkage._errors import DataError
from shrinkage._path._survival import survival_response


def concordance(y: Any, risk: ArrayLike, sample_weight: ArrayLike | None = None, strata: Any = None) -> float:
    """The share of pairs of rows of which the one that died first had the higher risk: Harrell's C.

    A pair counts if one row dies while the other is still seen: i dies, and time_j > time_i, or time_j = time_i and j
    is censored. It counts w_i w_j, half of that as agreement where the risks are equal; pairs across strata do
    not count.

    Parameters
    ----------
    y : array-like of shape (n, 2), columns time and event, (n, 3) with strata, or a structured array (n,)
    risk : array-like of shape (n,)
        The higher, the sooner: linear predictors of a Cox model, or anything that rises with them.
    sample_weight : array-like of shape (n,), optional
    strata : array-like of shape (n,), optional

    Returns
    -------
    float in [0, 1]
        1/2 for risks that say nothing.

    Raises
    ------
    DataError
        If no pair can be compared.

    References
    ----------
    Harrell, Lee & Mark (1996), Stat. Med. 15(4), section 5.5. O(n log² n).

    Examples
    --------
    >>> concordance([[1.0, 1], [2.0, 0], [3.0, 1]], [0.9, 0.1, 0.4])
    1.0
    """
    n = len(np.asarray(risk))
    values = survival_response(y, n, strata)
    risk = finite_vector("risk", risk, n)
    weights = np.ones(n) if sample_weight is None else weight_vector("sample_weight", sample_weight, n)
    time, dies = values[:, 0], values[:, 1] > 0
    stratum = values[:, 2] if values.shape[1] > 2 else np.zeros(n)
    order = np.lexsort((dies, -time, stratum))
    weights, dies = weights[order], dies[order]
    rank = np.unique(risk[order], return_inverse=True)[1]
    sets = _numbered(stratum[order])
    ties = _numbered(np.column_stack([stratum[order], time[order], dies]))
    agreeing, pairs = 0.0, 0.0
    for sign, segment in ((1.0, sets), (-1.0, ties)):  # all before, without those who die at the same time
        below, level, total = _joined_before(rank, weights, segment)
        own = sign * weights * dies
        agreeing += float(own @ (below + 0.5 * level))
        pairs += float(own @ total)
    if not pairs > 1e-12 * float(weights.sum()) ** 2:
        raise DataError("y must hold a death while another row is still seen: no pair can be compared")
    return float(min(max(agreeing / pairs, 0.0), 1.0))


def _numbered(values: np.ndarray) -> np.ndarray:
    """Numbers that rise by one where sorted values change, from 0."""
    rows = values.reshape(len(values), -1)
    return np.concatenate([[0], np.cumsum((rows[1:] != rows[:-1]).any(axis=1))])


def _joined_before(
    rank: np.ndarray, weights: np.ndarray, segment: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For every place the weight of those before it in its segment with a lower rank, with the same, and of all."""
    n = len(rank)
    key = rank - segment * (rank.max(initial=0) + 1)  # of earlier segments all are larger
    before = np.concatenate([[0.0], np.cumsum(weights)])
    total = before[:-1] - before[np.searchsorted(segment, segment)]
    below, upto = np.zeros(n), np.zeros(n)
    places, width = np.arange(n), 1
    while width < n:
        block, right = places // (2 * width), (places // width) % 2 == 1
        for out, side in ((below, ~right), (upto, right)):  # of equal keys the right ones first, or the left ones
            order = np.lexsort((side, key, block))
            moved = np.cumsum(np.where(right, 0.0, weights)[order])
            starts = np.searchsorted(block[order], block[order])
            out[order] += np.where(right[order], moved - np.where(starts > 0, moved[starts - 1], 0.0), 0.0)
        width *= 2
    return below, upto - below, total
