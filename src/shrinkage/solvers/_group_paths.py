"""Paths and folds of penalties on groups of columns."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from shrinkage.penalties import L1L2, GroupBox
from shrinkage.problem import Problem, row_loss
from shrinkage.solvers._assembly import alone, appended, columns_of, explained, reordered
from shrinkage.solvers._batches import Scorer
from shrinkage.solvers._boxed_group_paths import boxed_group_path
from shrinkage.solvers._group_driver import GroupDriver
from shrinkage.solvers._records import FoldColumns, PathColumns
from shrinkage.solvers._ridge import ridge_path
from shrinkage.solvers._scale import column_scale

Folds = list[tuple[np.ndarray, np.ndarray]]
Grid = np.ndarray | Callable[[float], np.ndarray]


def solve_groups(
    problem: Problem, alphas: Grid, folds: Folds, standardize: bool, tol: float, score: Scorer | None = None
) -> FoldColumns:
    """Minimize at many strengths on all rows, then on the training rows of each fold: `solve_folds` for groups.

    A fold is a problem with weights 0 on the rows that it holds out, and a path of its own.
    """
    path = _path(problem, alphas, tol)
    scores, gaps = np.zeros((len(path.alphas), len(folds))), np.zeros((len(path.alphas), len(folds)))
    passes = path.n_passes
    for f, (rows, held_out) in enumerate(folds):
        own = _training(problem, rows, standardize)
        found = _path(own, path.alphas, tol)
        passes += found.n_passes
        gaps[:, f] = found.gaps / own.null.objective if own.null.objective > 0 else found.gaps
        eta = _predictors(problem, found, held_out)
        scores[:, f] = _deviances(problem, held_out, eta) if score is None else score(held_out, eta)
    return FoldColumns(replace(path, n_passes=passes), scores, gaps)


def _training(problem: Problem, rows: np.ndarray, standardize: bool) -> Problem:
    """The problem on the training rows of a fold."""
    n = problem.design.shape[0]
    weights = np.zeros(n)
    weights[rows] = 1.0 if problem.sample_weight is None else problem.sample_weight[rows]
    scale = problem.scale
    if standardize:
        scale = column_scale(problem.design, np.asfortranarray(weights[:, None]))[:, 0]
    return replace(problem, sample_weight=weights, scale=scale)


def _predictors(problem: Problem, path: PathColumns, rows: np.ndarray) -> np.ndarray:
    """(len(rows), n_alphas) linear predictors."""
    support = np.unique(path.coefs.indices).astype(np.int64)
    block = np.asfortranarray(path.coefs[support].toarray())
    eta = problem.design.combine(support, block)[rows] + path.intercepts
    return eta if problem.offset is None else eta + problem.offset[rows, None]


def _deviances(problem: Problem, rows: np.ndarray, eta: np.ndarray) -> np.ndarray:
    """(n_alphas,) weighted mean deviances on held-out rows."""
    shares = np.ones(len(rows)) if problem.sample_weight is None else problem.sample_weight[rows]
    return shares @ row_loss(problem.loss).deviance(problem.y[rows, None], eta) / shares.sum()


def _path(problem: Problem, alphas: Grid, tol: float) -> PathColumns:
    """One path, of strengths in falling order, or of those that alpha_max asks for."""
    if isinstance(problem.penalty, GroupBox):
        return _boxed(problem, alphas, tol)
    driver = GroupDriver(problem.with_penalty(problem.penalty.with_alpha(1.0)), tol)
    null = driver.null_objective
    if callable(alphas):
        if null <= 0 or driver.alpha_max == 0:
            return explained(columns_of(driver.problem, driver.run(np.ones(1)), np.ones(1), 0.0, tol)).path
        alphas = alphas(driver.alpha_max)
    distinct, back = np.unique(-np.asarray(alphas, dtype=np.float64), return_inverse=True)
    positive = np.ascontiguousarray(-distinct[distinct < 0])
    found = alone(columns_of(driver.problem, driver.run(positive), positive, null, tol).path)
    if len(positive) < len(distinct):
        free = ridge_path(problem.with_penalty(L1L2(1.0, 0.0)), np.zeros(1), tol)
        found = appended(found, alone(free))
    if len(back) > len(distinct):
        found = reordered(found, np.asarray(alphas, dtype=np.float64), back)
    return found.path


def _boxed(problem: Problem, alphas: Grid, tol: float) -> PathColumns:
    """The same with bounds on coefficients."""
    if callable(alphas):
        return boxed_group_path(problem, alphas, tol)
    distinct, back = np.unique(-np.asarray(alphas, dtype=np.float64), return_inverse=True)
    found = alone(boxed_group_path(problem, np.abs(distinct), tol))
    if np.array_equal(back, np.arange(len(distinct))):
        return found.path
    return reordered(found, np.asarray(alphas, dtype=np.float64), back).path
