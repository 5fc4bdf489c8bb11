"""Paths and folds of penalties with a solver of their own."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from shrinkage._errors import ArgumentError
from shrinkage.losses import JointLoss
from shrinkage.penalties import L1L2, MCP, SCAD, SortedL1
from shrinkage.problem import Problem
from shrinkage.solvers._assembly import alone, appended, reordered
from shrinkage.solvers._batches import Scorer, sparse_columns
from shrinkage.solvers._prox_driver import ProxDriver
from shrinkage.solvers._prox_terms import ConcaveTerms, Terms
from shrinkage.solvers._records import FoldColumns, PathColumns, Status, statuses
from shrinkage.solvers._ridge import ridge_path
from shrinkage.solvers._scale import column_scale
from shrinkage.solvers._sorted_terms import SortedTerms

Folds = list[tuple[np.ndarray, np.ndarray]]
Grid = np.ndarray | Callable[[float], np.ndarray]
RESTRICTED = 1e-2  # of the tolerance, what the conditions may lack on the working set
STRIDE = 0.7  # a strength further below the last than this share is reached over strengths between


def has_own_solver(penalty: Any) -> bool:
    """Whether a penalty is solved here."""
    return isinstance(penalty, MCP | SCAD | SortedL1)


def terms_of(problem: Problem) -> Terms:
    """What the solvers ask of the penalty of a problem."""
    return SortedTerms(problem) if isinstance(problem.penalty, SortedL1) else ConcaveTerms(problem)


def solve_penalized(
    problem: Problem, alphas: Grid, folds: Folds, standardize: bool, tol: float, score: Scorer | None = None
) -> FoldColumns:
    """Solve at many strengths on all rows, then on the training rows of each fold, as `solve_folds`.

    A fold is a problem with weights 0 on the rows that it holds out, and a path of its own.
    """
    if isinstance(problem.loss, JointLoss):
        name = type(problem.penalty).__name__
        raise ArgumentError(f"{name} needs a loss of rows; {problem.loss.name} couples them: take L1, L2 or L1L2")
    path = _path(problem, alphas, tol)
    scores, gaps = np.zeros((len(path.alphas), len(folds))), np.zeros((len(path.alphas), len(folds)))
    passes = path.n_passes
    for f, (rows, held_out) in enumerate(folds):
        own = _training(problem, rows, standardize)
        found = _path(own, path.alphas, tol)
        passes += found.n_passes
        gaps[:, f] = own.relative(found.gaps)
        scores[:, f] = _scores(problem, found, held_out, score)
    return FoldColumns(replace(path, n_passes=passes), scores, gaps)


def _training(problem: Problem, rows: np.ndarray, standardize: bool) -> Problem:
    """The problem on the training rows of a fold."""
    weights = np.zeros(problem.design.shape[0])
    weights[rows] = 1.0 if problem.sample_weight is None else problem.sample_weight[rows]
    scale = problem.scale
    if standardize:
        scale = column_scale(problem.design, np.asfortranarray(weights[:, None]))[:, 0]
    return replace(problem, sample_weight=weights, scale=scale)


def _scores(problem: Problem, path: PathColumns, rows: np.ndarray, score: Scorer | None) -> np.ndarray:
    """(n_alphas,) scores on held-out rows; without a scorer, weighted mean deviances."""
    if not len(rows):
        return np.full(len(path.alphas), np.nan)
    eta = problem._predictors(path.coefs, path.intercepts)[rows]
    if score is not None:
        return score(rows, eta)
    shares = np.ones(len(rows)) if problem.sample_weight is None else problem.sample_weight[rows]
    loss: Any = problem.loss  # of rows
    return shares @ loss.deviance(problem.y[rows, None], eta) / shares.sum()


def _path(problem: Problem, alphas: Grid, tol: float) -> PathColumns:
    """One path, of strengths in falling order, or of those that alpha_max asks for."""
    unit = problem.with_penalty(problem.penalty.with_alpha(1.0))
    terms = terms_of(unit)
    driver = ProxDriver(unit, terms, RESTRICTED * tol)
    if callable(alphas):
        if unit.null.objective <= 0 or driver.alpha_max == 0:
            return replace(_walk(driver, np.ones(1), tol), alphas=np.zeros(1))
        alphas = alphas(driver.alpha_max)
    grid = np.asarray(alphas, dtype=np.float64)
    distinct, back = np.unique(-grid, return_inverse=True)
    found = alone(_walk(driver, np.ascontiguousarray(-distinct[distinct < 0]), tol))
    if not distinct[-1] < 0:
        plain = unit.with_penalty(L1L2(1.0, 0.0, unit.penalty.factors))
        found = appended(found, alone(ridge_path(plain, np.zeros(1), tol)))
    return found.path if len(back) == len(distinct) else reordered(found, grid, back).path


def _walk(driver: ProxDriver, alphas: np.ndarray, tol: float) -> PathColumns:
    """Solve at falling strengths > 0, over others between them, and measure the answers by `Problem`."""
    grid, asked = _with_strides(alphas, driver.alpha_max)
    walked, problem = driver.run(grid), driver.problem
    shape = (problem.design.shape[1], len(grid))
    coefs = sparse_columns(shape, walked.features, walked.coefs, problem.free, walked.free_coefs)[:, asked]
    coefs = sparse.csc_array(coefs)
    intercepts = np.concatenate([np.zeros(0), *walked.intercepts])[asked]
    steps = np.concatenate([np.zeros(0), *walked.steps]).astype(np.int32)[asked]
    kkt, gaps = problem.kkts(coefs, intercepts, alphas), problem.gaps(coefs, intercepts, alphas)
    if driver.terms.convex:
        status = statuses(problem.relative(gaps), tol)
    else:
        met = kkt <= tol * driver.largest_gradient + _rounding(driver)
        status = tuple(Status.STATIONARY if is_met else Status.KKT_ABOVE_TOL for is_met in met)
    return PathColumns(alphas, coefs, intercepts, gaps, kkt, steps, status, driver.n_passes + 1)


def _rounding(driver: ProxDriver) -> float:
    """What rounding leaves of a gradient that is 0, where the null model explains y or no column says anything."""
    problem = driver.problem
    if problem.null.objective > 0 and driver.largest_gradient > 0:
        return 0.0
    return 1e-12 * max(1.0, float(np.abs(problem.y).max(initial=0.0)))


def _with_strides(alphas: np.ndarray, alpha_max: float) -> tuple[np.ndarray, np.ndarray]:
    """Falling strengths with others between them where they lie far apart, and the places of those asked for.

    Where a penalty is not convex the answer depends on the way: from where the null model ends, in short strides.
    """
    grid: list[float] = []
    asked, last = [], alpha_max
    for alpha in alphas.tolist():
        if 0 < alpha < last:
            count = int(np.ceil(np.log(alpha / last) / np.log(STRIDE) - 1e-9))
            grid += (last * (alpha / last) ** (np.arange(1, count) / max(count, 1))).tolist()
            last = alpha
        asked.append(len(grid))
        grid.append(alpha)
    return np.array(grid), np.array(asked, dtype=np.int64)
