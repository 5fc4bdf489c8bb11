"""Which solver takes which problem: one strength, a path, or a path with folds."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from shrinkage._errors import ArgumentError
from shrinkage._threads import blas_alone
from shrinkage.design import BlockDesign, DenseDesign, check_finite
from shrinkage.penalties import L1L2, HasKernel
from shrinkage.problem import Problem
from shrinkage.solvers._batches import Certified, Driver, sparse_columns
from shrinkage.solvers._fista import solve_fista
from shrinkage.solvers._moments import MomentDriver
from shrinkage.solvers._newton import NewtonFits
from shrinkage.solvers._preparation import center_full_columns, strongest_ridge
from shrinkage.solvers._records import FoldColumns, PathColumns, Solution, statuses
from shrinkage.solvers._ridge import ridge_folds, ridge_path
from shrinkage.solvers._ridge_moments import ridge_of_moments
from shrinkage.solvers._scale import column_scale
from shrinkage.solvers._screened import LEAST_WIDTH, ScreenedDriver
from shrinkage.solvers._shared_folds import SharedFolds
from shrinkage.solvers._sparse_fits import SparseFits
from shrinkage.solvers._squared import SquaredFits

Folds = list[tuple[np.ndarray, np.ndarray]]
MOST_FEATURES = 4000  # of X in blocks, for one matrix of moments of 128 MB for each fold
LEAST_SHARED = 1_000_000  # entries of X below which sharing columns costs more than it saves (measured)
Grid = np.ndarray | Callable[[float], np.ndarray]  # strengths, or what makes them from alpha_max


@blas_alone
def solve(problem: Problem, tol: float = 1e-6, max_iter: int = 100_000) -> Solution:
    """Minimize a problem at its own strength.

    Elastic-net penalties on the squared and logistic loss take the exact engine; any other pair takes FISTA.

    Parameters
    ----------
    problem : Problem
    tol : float > 0
        Largest relative duality gap (gap over the objective of the null model).
    max_iter : int
        Iterations of FISTA, where it is used.

    Returns
    -------
    Solution
        Its status says whether tol was met.
    """
    if not _has_engine(problem):
        return solve_fista(problem, tol=tol, max_iter=max_iter)
    alpha, l1_ratio = float(problem.penalty.alpha), float(problem.penalty.l1_ratio)
    if alpha == 0 or l1_ratio == 0:
        columns = solve_path(problem, np.array([alpha]), tol)
        coef = columns.coefs.toarray()[:, 0]
        return Solution(
            coef,
            float(columns.intercepts[0]),
            float(columns.gaps[0]),
            float(columns.kkt[0]),
            int(columns.n_iter[0]),
            columns.status[0],
        )
    problem, means = center_full_columns(problem)
    driver = driver_of(problem, [], False, tol)
    found = driver.run(np.array([alpha]))
    coef = np.zeros(problem.design.shape[1])
    coef[found.features[-1][: len(found.coefs[-1])]] = found.coefs[-1][:, 0]
    coef[problem.free] = found.free_coefs[-1][:, 0]
    gap, null = float(found.gaps[-1][0]), float(driver.null_objectives[0])
    status = statuses(np.array([gap / null if null > 0 else gap]), tol)[0]
    intercept = float(found.intercepts[-1][0]) - (0.0 if means is None else float(means @ coef))
    return Solution(coef, intercept, gap, float(found.kkt[-1][0]), int(found.steps[-1][0]), status)


def solve_path(problem: Problem, alphas: Grid, tol: float = 1e-6) -> PathColumns:
    """Minimize a problem at many strengths, largest first; the penalty's own alpha is not used.

    Parameters
    ----------
    problem : Problem
    alphas : ndarray of shape (n_alphas,), or a function of alpha_max that returns one
    tol : float > 0

    Returns
    -------
    PathColumns
        In the order of `alphas`.
    """
    return solve_folds(problem, alphas, [], False, tol).path


@blas_alone
def solve_folds(problem: Problem, alphas: Grid, folds: Folds, standardize: bool, tol: float = 1e-6) -> FoldColumns:
    """Minimize on all rows and on the training rows of each fold, as columns of the same computation.

    Parameters
    ----------
    problem : Problem
        With `standardize`, its scale is that of all rows; each fold uses the scale of its own training rows.
    alphas : ndarray of shape (n_alphas,), or a function of alpha_max that returns one
    folds : list of (training rows, held-out rows), index arrays
    standardize : bool
    tol : float > 0

    Raises
    ------
    ArgumentError
        If the penalty has no compiled twin.
    """
    if not isinstance(problem.penalty, (L1L2, HasKernel)):
        raise ArgumentError(
            f"a path needs a penalty with a compiled twin, L1, L2 or L1L2; got {type(problem.penalty).__name__}, which "
            "`solve` takes at one strength"
        )
    problem, means = center_full_columns(problem)
    result = solve_stated(problem, alphas, folds, standardize, tol)
    if means is None:
        return result
    path = result.path
    return replace(result, path=replace(path, intercepts=path.intercepts - path.coefs.T @ means))


def solve_stated(
    problem: Problem, alphas: Grid, folds: Folds, standardize: bool, tol: float, driver: Any = None
) -> FoldColumns:
    """`solve_folds` once columns are centered; `driver` may have walked other grids of the same folds before."""
    l1_ratio = float(problem.penalty.l1_ratio)
    stated = isinstance(problem.penalty, L1L2) and problem.penalty.alpha == 1.0
    unit = problem if stated else problem.with_penalty(_with_alpha_one(problem))
    if l1_ratio == 0 or (not callable(alphas) and not np.any(alphas)):
        if not isinstance(problem.design, BlockDesign):
            check_finite(problem.design)
        top = strongest_ridge(unit) if callable(alphas) else 0.0
        grid = (alphas(top) if top > 0 else np.zeros(1)) if callable(alphas) else alphas
        return _ridge(unit, np.asarray(grid, dtype=float), folds, standardize, tol, driver)
    apart = driver is None and bool(folds) and all(len(rows) for _, rows in folds) and shares_columns(problem)
    if apart and (callable(alphas) or np.min(alphas) > 0):
        return _with_shared_folds(unit, alphas, folds, standardize, tol)
    driver = driver_of(unit, folds, standardize, tol) if driver is None else driver
    if callable(alphas) and (driver.null_objectives[0] <= 0 or driver.alpha_max == 0):
        return _explained(_columns(unit, driver.run(np.ones(1)), np.ones(1), 0.0, tol))
    grid = np.ascontiguousarray(alphas(driver.alpha_max) if callable(alphas) else alphas, dtype=float)
    if grid[-1] > 0 and (grid[1:] < grid[:-1]).all():
        return _columns(unit, driver.run(grid), grid, driver.null_objectives[0], tol)
    distinct, back = np.unique(-grid, return_inverse=True)
    positive = np.ascontiguousarray(-distinct[distinct < 0])
    result = _columns(unit, driver.run(positive), positive, driver.null_objectives[0], tol)
    if len(positive) < len(distinct):
        result = _append(result, _ridge(unit, np.zeros(1), folds, standardize, tol, driver))
    if np.array_equal(back, np.arange(len(grid))):
        return result
    return _reordered(result, grid, back)


def _ridge(
    problem: Problem, alphas: np.ndarray, folds: Folds, standardize: bool, tol: float, driver: Any
) -> FoldColumns:
    """Ridge at some strengths; of X in blocks from its moments, which `driver` may have gathered already."""
    blocks = isinstance(problem.design, BlockDesign)
    if blocks and problem.loss.name == "squared" and few_features(problem.design):
        if driver is None:
            lasso = problem.with_penalty(L1L2(1.0, 1.0, problem.penalty.factors))
            driver = driver_of(lasso, folds, standardize, tol)
        return _columns(problem, ridge_of_moments(driver, alphas), alphas, driver.null_objectives[0], tol)
    if blocks and driver is None:
        check_finite(problem.design)
    return ridge_folds(problem, alphas, folds, standardize, tol) if folds else _alone(ridge_path(problem, alphas, tol))


def _with_shared_folds(problem: Problem, alphas: Grid, folds: Folds, standardize: bool, tol: float) -> FoldColumns:
    """The fit on all rows, then the folds at its strengths on columns that they share."""
    path = solve_stated(problem, alphas, [], standardize, tol).path
    distinct, back = np.unique(-path.alphas, return_inverse=True)
    shared = SharedFolds(problem, -distinct, float(problem.penalty.l1_ratio), standardize, tol)
    scores, gaps = shared.solve(folds)
    return FoldColumns(replace(path, n_passes=path.n_passes + shared.n_passes), scores[back], gaps[back])


def _has_engine(problem: Problem) -> bool:
    kernel = getattr(problem.penalty, "kernel", None)
    return kernel is not None and np.ndim(problem.penalty.alpha) == 0 and problem.loss.name in ("squared", "logistic")


def _with_alpha_one(problem: Problem) -> L1L2:
    return L1L2(1.0, float(problem.penalty.l1_ratio), problem.penalty.factors)


def driver_of(
    problem: Problem, folds: Folds, standardize: bool, tol: float, moments: bool | None = None
) -> Driver | ScreenedDriver | MomentDriver:
    """What walks the grid for all rows and for the training rows of each fold; without held-out rows, no scores.

    `moments` says whether to go by moments, which need a squared loss and a dense X; None leaves it to the shape of X.
    """
    n, p = problem.design.shape
    weights = np.ones(n) if problem.sample_weight is None else problem.sample_weight
    factors = np.ones(p) if problem.penalty.factors is None else np.asarray(problem.penalty.factors, dtype=float)
    scale = np.ones((p, 1)) if problem.scale is None else problem.scale[:, None]
    if standardize and folds:
        fold_weights = np.asfortranarray(np.stack([weights * rows for rows in _masks(folds, n)[1:]], axis=1))
        scale = np.hstack([scale, column_scale(problem.design, fold_weights, problem.fit_intercept)])
    l1, l2 = (np.empty((p, 1 + len(folds)), order="F") for _ in range(2))
    np.multiply(factors[:, None], scale, out=l1)
    np.multiply(factors[:, None], scale**2, out=l2)
    l1_ratio = float(problem.penalty.l1_ratio)
    if moments if moments is not None else problem.loss.name == "squared" and few_features(problem.design):
        driver = MomentDriver(problem, folds, l1, l2, l1_ratio, tol)
    else:
        training = _masks(folds, n)
        if problem.loss.name == "squared":
            kind = SparseFits if problem.design.is_sparse else SquaredFits
            fits = kind(problem, training, l1, l2, tol)
        else:
            fit_weights = np.asfortranarray(np.stack([weights * rows / (weights @ rows) for rows in training], axis=1))
            fits = NewtonFits(problem, fit_weights, l1, l2, tol)
        if isinstance(fits, SquaredFits) and isinstance(problem.design, DenseDesign) and p >= LEAST_WIDTH and not folds:
            driver = ScreenedDriver(problem, fits, l1, l2, l1_ratio, tol)
        else:
            held_out = [rows for _, rows in folds if len(rows)]
            driver = Driver(problem.design, fits, l1, l2, l1_ratio, tol, held_out)
    if not np.isfinite(driver.alpha_max):
        check_finite(problem.design)
    return driver


def _masks(folds: Folds, n: int) -> list[np.ndarray]:
    """The rows of each fit, as booleans: all of them first."""
    masks = [np.ones(n, bool)]
    for rows, _ in folds:
        mask = np.zeros(n, bool)
        mask[rows] = True
        masks.append(mask)
    return masks


def shares_columns(problem: Problem, least: int = LEAST_SHARED) -> bool:
    """Whether folds are solved apart, each on a working set of its own: large, wide, dense data, squared loss."""
    design = problem.design
    if problem.loss.name != "squared" or problem.null.objective == 0 or not isinstance(design, DenseDesign):
        return False
    return design.shape[0] * design.shape[1] >= least and not few_features(design)


def few_features(design) -> bool:
    """Whether one pass for all of X.T @ X costs less than the ten to twenty passes of a path.

    X in blocks, where a pass may come from a disk, is read once as long as the matrix is far smaller than X.
    """
    n, p = design.shape
    if isinstance(design, BlockDesign) and 20 * p <= n and p <= MOST_FEATURES:
        return True
    return not design.is_sparse and (p <= 100 or (p <= 1000 and n >= 2 * p))


def _columns(problem: Problem, certified: Certified, alphas: np.ndarray, null: float, tol: float) -> FoldColumns:
    p = problem.design.shape[1]
    coefs = sparse_columns((p, len(alphas)), certified.features, certified.coefs, problem.free, certified.free_coefs)
    gaps = _joined(certified.gaps, float)
    path = PathColumns(
        alphas,
        coefs,
        _joined(certified.intercepts, float),
        gaps,
        _joined(certified.kkt, float),
        _joined(certified.steps, np.int32),
        statuses(gaps / null if null > 0 else gaps, tol),
        certified.n_passes,
    )
    scores = _joined([s for s, _ in certified.scores], float, (0, 0))
    fold_gaps = _joined([g for _, g in certified.scores], float, (0, 0))
    return FoldColumns(path, scores, fold_gaps)


def _joined(blocks: list[np.ndarray], kind: type, nothing: tuple[int, ...] = (0,)) -> np.ndarray:
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks or [np.zeros(nothing, kind)])


def _alone(path: PathColumns) -> FoldColumns:
    return FoldColumns(path, np.zeros((len(path.alphas), 0)), np.zeros((len(path.alphas), 0)))


def _explained(columns: FoldColumns) -> FoldColumns:
    """The single exact strength of a y that the intercept and the free columns explain: 0."""
    return replace(columns, path=replace(columns.path, alphas=np.zeros(1)))


def _append(first: FoldColumns, last: FoldColumns) -> FoldColumns:
    a, b = first.path, last.path
    path = PathColumns(
        np.concatenate([a.alphas, b.alphas]),
        sparse.csc_array(sparse.hstack([a.coefs, b.coefs])),
        np.concatenate([a.intercepts, b.intercepts]),
        np.concatenate([a.gaps, b.gaps]),
        np.concatenate([a.kkt, b.kkt]),
        np.concatenate([a.n_iter, b.n_iter]),
        a.status + b.status,
        a.n_passes + b.n_passes,
    )
    if not a.alphas.size:
        return FoldColumns(path, last.scores, last.gaps)
    return FoldColumns(path, np.vstack([first.scores, last.scores]), np.vstack([first.gaps, last.gaps]))


def _reordered(columns: FoldColumns, grid: np.ndarray, back: np.ndarray) -> FoldColumns:
    path = columns.path
    path = replace(
        path,
        alphas=grid,
        coefs=sparse.csc_array(path.coefs[:, back]),
        intercepts=path.intercepts[back],
        gaps=path.gaps[back],
        kkt=path.kkt[back],
        n_iter=path.n_iter[back],
        status=tuple(path.status[i] for i in back),
    )
    return FoldColumns(path, columns.scores[back], columns.gaps[back])
