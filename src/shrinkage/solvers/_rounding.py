"""Gaps as small as what rounding does to an answer: measured again on the answer itself."""

from dataclasses import replace

import numpy as np

from shrinkage.problem import Problem
from shrinkage.solvers._records import PathColumns, statuses

LEAST = 1e-9  # relative gaps far above what rounding makes of columns with means up to a million times their spread
SEPARABLE = 1e-10  # null objective below which the free columns tell the classes apart, and a gap has no unit


def tells_rounding(problem: Problem, tol: float) -> bool:
    """Whether a gap that met `tol` on centered columns may be less than that of coefficients in raw units.

    The loss of a raw answer, of X w + b, differs by what rounding leaves where the means of columns cancel against b:
    to first order for the logistic loss, as far as seen not for the squared one, whose gap is a sum of squares.
    """
    return tol < LEAST and problem.loss.name != "squared" and getattr(problem.penalty, "l1_ratio", 1.0) > 0


def measured_again(problem: Problem, path: PathColumns, tol: float) -> PathColumns:
    """The same path; with a tight `tol`, each gap is at least what `Problem.gaps` finds for the raw answer."""
    if not tells_rounding(problem, tol) or problem.null.objective <= SEPARABLE:
        return path
    again = problem.gaps(path.coefs, path.intercepts, path.alphas)
    gaps = np.where(path.alphas > 0, np.maximum(path.gaps, again), path.gaps)
    return replace(path, gaps=gaps, status=statuses(gaps / problem.null.objective, tol))
