"""Scores of folds for a caller that needs no path over all rows, unless one comes for nothing."""

import numpy as np

from shrinkage._threads import blas_alone
from shrinkage.problem import Problem
from shrinkage.solvers._engine import Folds, Grid, apart, solve_folds
from shrinkage.solvers._records import PathColumns
from shrinkage.solvers._shared_folds import SharedFolds


@blas_alone
def score_folds(
    problem: Problem, alphas: Grid, folds: Folds, tol: float = 1e-6
) -> tuple[np.ndarray, np.ndarray, PathColumns | None]:
    """Held-out deviances of a squared loss, gaps, and the path over all rows where folds are not solved apart from it.

    Wide data hand their folds columns to share, and a path over all rows costs a third as much as five folds: most of
    that for weak strengths, which seldom are the ones chosen.

    Parameters
    ----------
    problem, alphas, folds, tol
        As `solve_folds`; the problem has alpha 1.

    Returns
    -------
    scores, gaps : ndarray of shape (n_alphas, n_folds)
    path : PathColumns or None
    """
    if not apart(problem, alphas, folds):
        found = solve_folds(problem, alphas, folds, False, tol)
        return found.scores, found.gaps, found.path
    grid = alphas(problem.alpha_max) if callable(alphas) else alphas
    distinct, back = np.unique(-grid, return_inverse=True)
    shared = SharedFolds(problem, -distinct, float(problem.penalty.l1_ratio), False, tol)
    scores, gaps = shared.solve(folds)
    return scores[back], gaps[back], None
