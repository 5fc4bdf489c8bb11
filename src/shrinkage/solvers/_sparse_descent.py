"""Coordinate descent on the residuals of one fit, and when it is worth more than an active set with its Gram matrix."""

from typing import Any

import numpy as np

from shrinkage import _core

MOST_SWEEPS = 1000  # over eight strengths at a time, while there is another way that would not take much longer
PATIENT_SWEEPS = 20_000  # where a Gram matrix would be too large
LARGEST_GRAM = 1 << 30  # bytes
LEAST_SUPPORT = 300


def descent_pays(support: int, stored: int, n_samples: int) -> bool:
    """Whether a strength costs less by coordinate descent than by the active set.

    The active set grows a Gram matrix, multiplies it and solves triangular systems of the support's size; descent
    makes some three to five sweeps for each strength, over the `stored` values and the rows. The factor was measured
    as the time of whole paths and folds on six kinds of sparse data, at supports of 300 to 12,000.
    """
    return support >= LEAST_SUPPORT and 5 * support**2 > stored + 5 * n_samples


def sweeps_worth(support: int, stored: int) -> int:
    """How many sweeps over eight strengths to make before the active set is given the problem.

    As many as take half of its time: it needs some 34 ns m**2 for each strength with a support of m, a sweep over eight
    of them 3 ns for each value `stored` in the columns of the support (measured at 3,500 of these, and 4,000 rows).
    """
    return int(np.clip(50 * support**2 / max(stored, 1), MOST_SWEEPS, PATIENT_SWEEPS))


def all_columns_pay(stored: int, stored_inside: int) -> bool:
    """Whether descent on all columns costs about what it costs on the working set.

    A sweep goes to columns that may move; all columns are read once after the first seven sweeps, then after every 21.
    In return none is missed. Every fit has a copy of its columns, and `stored` counts them all.
    """
    return stored <= 15 * stored_inside


class SparseDescent:
    """One fit on columns of its own choice: those asked for, or all.

    Parameters
    ----------
    csc : starts, rows, values of X
    roots : ndarray of shape (n_samples,)
        Of the row weights over their sum, 0 outside the fit.
    basis : ndarray of shape (n_samples, rank)
    y : ndarray of shape (n_samples,)
        Over the root of the weights' sum, orthogonal to the basis.
    l1, l2 : ndarray of shape (n_features,)
    """

    def __init__(self, csc: Any, roots: np.ndarray, basis: np.ndarray, y: np.ndarray, l1: np.ndarray, l2: np.ndarray):
        self._csc, self._l1, self._l2 = csc, l1, l2
        self._native = _core.ResidualDescent(roots, np.ascontiguousarray(basis), y)
        self.features = np.zeros(0, np.int64)
        self.place = np.full(len(l1), -1)
        self._solved: tuple[np.ndarray, np.ndarray] | None = None

    def grow(self, features: np.ndarray) -> None:
        """Take in what is new among the features."""
        new = np.ascontiguousarray(features[self.place[features] < 0])
        if len(new):
            self.place[new] = len(self.features) + np.arange(len(new))
            self.features = np.concatenate([self.features, new])
            starts, rows, values = self._csc
            l1, l2 = np.ascontiguousarray(self._l1[new]), np.ascontiguousarray(self._l2[new])
            self._native.append(self._native.n_samples, starts, rows, values, new, l1, l2)

    def solve(self, strengths: np.ndarray, ridges: np.ndarray, gap: float, most_sweeps: int):
        """Minimize until the gaps over its columns are at most `gap`, in the objective's unit.

        Returns
        -------
        near : ndarray of integers
            Features that are not zero somewhere, or close to it.
        coefs : ndarray of shape (len(near), n_strengths)
        sweeps : int
        met : bool
            Whether the gaps were met.
        """
        coefs = np.zeros((len(self.features), len(strengths)), order="F")
        known = self._starts(strengths, coefs)
        sweeps = self._native.solve(strengths, ridges, gap, most_sweeps, known, coefs)
        self._solved = strengths, coefs
        near = np.zeros(len(self.features), bool)
        self._native.near(near)
        return self.features[near], coefs[near], sweeps, self._native.largest_gap <= gap

    def _starts(self, strengths: np.ndarray, coefs: np.ndarray) -> np.ndarray:
        """Which strengths have just been solved, on fewer columns or less exactly; what was found goes to `coefs`."""
        known = np.zeros(len(strengths), bool)
        if self._solved is not None:
            before, found = self._solved
            for t in np.flatnonzero(np.isin(strengths, before)):
                coefs[: len(found), t] = found[:, np.flatnonzero(before == strengths[t])[0]]
                known[t] = True
        return known

    def restart(self, features: np.ndarray, coef: np.ndarray, strength: float) -> None:
        """Stand at the solution of a strength."""
        self.grow(features)
        own = np.zeros(len(self.features))
        own[self.place[features]] = coef
        self._native.restart(own, strength)

    def reset(self) -> None:
        """Stand at the null model."""
        self._native.reset()
        self._solved = None
