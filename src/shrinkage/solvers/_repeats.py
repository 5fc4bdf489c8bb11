"""One grid of strengths, the fit on all rows, and as many sets of folds as are asked for, one after the other."""

from dataclasses import replace

import numpy as np

from shrinkage._threads import blas_alone
from shrinkage.problem import Problem
from shrinkage.solvers._engine import LEAST_SHARED, Folds, Grid, few_features, shares_columns, solve_folds
from shrinkage.solvers._records import PathColumns
from shrinkage.solvers._shared_folds import SharedFolds

MOMENT_BYTES = 128 << 20
FITS_AT_ONCE = 40


class RepeatedFolds:
    """The fit on all rows, made once, and the scores of sets of folds at its strengths.

    Large, wide, dense problems with a squared loss take `SharedFolds`. The others go through `solve_folds`, several
    sets at a time: what the fit on all rows costs there is divided among them.

    Parameters
    ----------
    problem, alphas, standardize, tol
        As `solve_folds`.

    Attributes
    ----------
    path : PathColumns
        The fit on all rows, largest strength first.
    """

    @blas_alone
    def __init__(self, problem: Problem, alphas: Grid, standardize: bool, tol: float = 1e-6):
        self._problem, self._standardize, self._tol = problem, standardize, tol
        found = solve_folds(problem, alphas, [], standardize, tol).path
        self.path = _falling(found)
        distinct, self._back = np.unique(-self.path.alphas, return_inverse=True)
        self._shared: SharedFolds | None = None
        if shares_columns(problem, LEAST_SHARED) and problem.penalty.l1_ratio > 0 and distinct.max() < 0:
            l1_ratio = float(problem.penalty.l1_ratio)
            self._shared = SharedFolds(problem, np.ascontiguousarray(-distinct), l1_ratio, standardize, tol)

    def _few(self) -> bool:
        return self._problem.loss.name == "squared" and few_features(self._problem.design)

    def at_once(self, n_folds: int) -> int:
        """How many sets of that many folds one call of `solve` should be given."""
        if self._shared is not None:
            return 1
        most = FITS_AT_ONCE
        if self._few():
            most = max(FITS_AT_ONCE, MOMENT_BYTES // (24 * self._problem.design.shape[1] ** 2))
        return max(1, most // n_folds)

    @blas_alone
    def solve(self, sets: list[Folds]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Mean held-out deviances and relative duality gaps, (n_alphas, n_folds) each, of every set of folds."""
        if self._shared is not None:
            found = [self._shared.solve(folds) for folds in sets]
            return [(scores[self._back], gaps[self._back]) for scores, gaps in found]
        flat = [fold for folds in sets for fold in folds]
        columns = solve_folds(self._problem, self.path.alphas, flat, self._standardize, self._tol)
        ends = np.cumsum([len(folds) for folds in sets])
        parts = [slice(end - len(folds), end) for end, folds in zip(ends, sets, strict=True)]
        return [(columns.scores[:, part], columns.gaps[:, part]) for part in parts]


def _falling(path: PathColumns) -> PathColumns:
    order = np.argsort(-path.alphas, kind="stable")
    if np.array_equal(order, np.arange(len(order))):
        return path
    return replace(
        path,
        alphas=path.alphas[order],
        coefs=path.coefs[:, order].tocsc(),
        intercepts=path.intercepts[order],
        gaps=path.gaps[order],
        kkt=path.kkt[order],
        n_iter=path.n_iter[order],
        status=tuple(path.status[i] for i in order),
    )
