"""Which solver takes which problem: one strength, a path, or a path with folds."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from shrinkage._errors import ArgumentError
from shrinkage._threads import blas_alone
from shrinkage.design import BlockDesign, DenseDesign, check_entries, check_finite
from shrinkage.penalties import L1L2, Box, HasKernel
from shrinkage.problem import Problem
from shrinkage.solvers._assembly import alone, appended, columns_of, explained, reordered
from shrinkage.solvers._batches import Driver, Scorer
from shrinkage.solvers._bounded import BoundedDriver, BoundedFits, bounds_of, spread, unbounded_part
from shrinkage.solvers._crew import Crew
from shrinkage.solvers._fista import solve_fista
from shrinkage.solvers._group_paths import solve_groups
from shrinkage.solvers._group_terms import takes_groups
from shrinkage.solvers._moments import MomentDriver
from shrinkage.solvers._native_losses import has_native
from shrinkage.solvers._newton import NewtonFits
from shrinkage.solvers._preparation import center_full_columns, strongest_ridge
from shrinkage.solvers._prox_paths import has_own_solver, solve_penalized
from shrinkage.solvers._records import FoldColumns, PathColumns, Solution, statuses
from shrinkage.solvers._ridge import ridge_folds, ridge_path
from shrinkage.solvers._ridge_moments import ridge_of_moments
from shrinkage.solvers._rounding import measured_again, tells_rounding
from shrinkage.solvers._scale import column_scale
from shrinkage.solvers._screened import LEAST_WIDTH, ScreenedDriver
from shrinkage.solvers._shared_folds import SharedFolds
from shrinkage.solvers._sparse_driver import LEAST_WIDTH as LEAST_SPARSE_WIDTH
from shrinkage.solvers._sparse_driver import SparseDriver
from shrinkage.solvers._sparse_fits import SparseFits
from shrinkage.solvers._squared import SquaredFits
from shrinkage.solvers._stops import Stop
from shrinkage.solvers._waypoints import with_waypoints

Folds = list[tuple[np.ndarray, np.ndarray]]
MOST_FEATURES = 4000  # of X in blocks, for one matrix of moments of 128 MB for each fold
LEAST_SHARED = 1_000_000  # entries of X below which sharing columns costs more than it saves (measured)
Grid = np.ndarray | Callable[[float], np.ndarray]  # strengths, or what makes them from alpha_max


@blas_alone
def solve(problem: Problem, tol: float = 1e-6, max_iter: int = 100_000) -> Solution:
    """Minimize a problem at its own strength.

    Elastic-net penalties on the losses of this library, and penalties on groups on losses of one row, take the exact
    engine, MCP, SCAD and SortedL1 solvers of their own on any loss; any other pair takes FISTA.

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
    own = has_own_solver(problem.penalty) or takes_groups(problem)
    if not own and not _has_engine(problem):
        return solve_fista(problem, tol=tol, max_iter=max_iter)
    alpha = float(problem.penalty.alpha)
    if own or alpha == 0 or problem.penalty.l1_ratio == 0 or isinstance(problem.penalty, Box):
        columns = solve_path(problem, np.array([alpha]), tol)
        coef, gap, kkt = columns.coefs.toarray()[:, 0], float(columns.gaps[0]), float(columns.kkt[0])
        return Solution(coef, float(columns.intercepts[0]), gap, kkt, int(columns.n_iter[0]), columns.status[0])
    centered, means = center_full_columns(problem)
    driver = driver_of(centered, [], False, tol)
    found = driver.run(with_waypoints(problem, np.array([alpha]), driver.alpha_max))
    coef = np.zeros(problem.design.shape[1])
    coef[found.features[-1][: len(found.coefs[-1])]] = found.coefs[-1][:, -1]
    coef[problem.free] = found.free_coefs[-1][:, -1]
    gap, null = float(found.gaps[-1][-1]), float(driver.null_objectives[0])
    intercept = float(found.intercepts[-1][-1]) - (0.0 if means is None else float(means @ coef))
    if tells_rounding(problem, tol):
        gap = max(gap, problem.gap(coef, intercept))
    status = statuses(np.array([gap / null if null > 0 else gap]), tol)[0]
    return Solution(coef, intercept, gap, float(found.kkt[-1][-1]), int(found.steps[-1][-1]), status)


def solve_path(problem: Problem, alphas: Grid, tol: float = 1e-6, stop: Stop | None = None) -> PathColumns:
    """Minimize a problem at many strengths, largest first; the penalty's own alpha is not used.

    Parameters
    ----------
    problem : Problem
    alphas : ndarray of shape (n_alphas,), or a function of alpha_max that returns one
    tol : float > 0
    stop : Stop, optional
        The rule that may end the path; the record holds distinct strengths then, largest first, up to its end.

    Returns
    -------
    PathColumns
        In the order of `alphas`.
    """
    return solve_folds(problem, alphas, [], False, tol, stop=stop).path


@blas_alone
def solve_folds(
    problem: Problem,
    alphas: Grid,
    folds: Folds,
    standardize: bool,
    tol: float = 1e-6,
    score: Scorer | None = None,
    stop: Stop | None = None,
) -> FoldColumns:
    """Minimize on all rows and on the training rows of each fold, as columns of the same computation.

    Parameters
    ----------
    problem : Problem
        With `standardize`, its scale is that of all rows; each fold uses the scale of its own training rows.
    alphas : ndarray of shape (n_alphas,), or a function of alpha_max that returns one
    folds : list of (training rows, held-out rows), index arrays
    standardize : bool
    tol : float > 0
    score : callable, optional
        From held-out rows (m,) and their linear predictors (m, k) to scores (k,); None is the mean deviance.
    stop : Stop, optional
        As `solve_path`.

    Raises
    ------
    ArgumentError
        If no engine takes the penalty.
    """
    own, grouped = has_own_solver(problem.penalty), takes_groups(problem)
    if not own and not grouped and not isinstance(problem.penalty, (L1L2, HasKernel)):
        raise ArgumentError(
            "a path needs a penalty with an engine, L1, L2, L1L2, GroupL2, MCP, SCAD or SortedL1; got "
            f"{type(problem.penalty).__name__}, which `solve` takes at one strength"
        )
    if stop is not None and not callable(alphas):
        alphas = np.unique(alphas)[::-1].copy()
    centered, means = center_full_columns(problem)
    if own:
        result = solve_penalized(centered, alphas, folds, standardize, tol, score)
    elif grouped:
        result = solve_groups(centered, alphas, folds, standardize, tol, score)
    else:
        result = solve_stated(centered, alphas, folds, standardize, tol, score=score, stop=stop)
    path = result.path
    if means is not None:
        path = replace(path, intercepts=path.intercepts - path.coefs.T @ means)
    result = replace(result, path=path if own else measured_again(problem, path, tol))
    return result if stop is None else stop.cut(problem, result)


def solve_stated(
    problem: Problem,
    alphas: Grid,
    folds: Folds,
    standardize: bool,
    tol: float,
    driver: Any = None,
    score: Scorer | None = None,
    stop: Stop | None = None,
) -> FoldColumns:
    """`solve_folds` once columns are centered; `driver` may have walked other grids of the same folds before."""
    if isinstance(problem.penalty, Box):
        return _solve_bounded(problem, alphas, folds, standardize, tol, score, stop)
    l1_ratio = float(problem.penalty.l1_ratio)
    stated = isinstance(problem.penalty, L1L2) and problem.penalty.alpha == 1.0
    unit = problem if stated else problem.with_penalty(_with_alpha_one(problem))
    if l1_ratio == 0 or (not callable(alphas) and not np.any(alphas)):
        if not isinstance(problem.design, BlockDesign):
            check_finite(problem.design)
        top = strongest_ridge(unit) if callable(alphas) else 0.0
        grid = (alphas(top) if top > 0 else np.zeros(1)) if callable(alphas) else alphas
        return _ridge(unit, np.asarray(grid, dtype=float), folds, standardize, tol, driver, score)
    if driver is None and score is None and apart(problem, alphas, folds):
        if stop is not None:
            path = stop.cut(unit, solve_stated(unit, alphas, [], standardize, tol, stop=stop)).path
            return score_apart(unit, path, folds, standardize, tol)[0]
        return _with_shared_folds(unit, alphas, folds, standardize, tol)
    driver = driver_of(unit, folds, standardize, tol, score=score) if driver is None else driver
    if callable(alphas) and (driver.null_objectives[0] <= 0 or driver.alpha_max == 0):
        return explained(columns_of(unit, driver.run(np.ones(1)), np.ones(1), 0.0, tol))
    grid = np.ascontiguousarray(alphas(driver.alpha_max) if callable(alphas) else alphas, dtype=float)
    if stop is not None:
        stop.watch(driver, unit)
    if grid[-1] > 0 and (grid[1:] < grid[:-1]).all():
        walked = grid if folds or stop is not None else with_waypoints(unit, grid, driver.alpha_max)
        found = columns_of(unit, driver.run(walked), walked, driver.null_objectives[0], tol)
        return found if walked is grid else reordered(found, grid, np.searchsorted(-walked, -grid))
    distinct, back = np.unique(-grid, return_inverse=True)
    positive = np.ascontiguousarray(-distinct[distinct < 0])
    result = columns_of(unit, driver.run(positive), positive, driver.null_objectives[0], tol)
    if len(positive) < len(distinct) and len(result.path.alphas) == len(positive):
        result = appended(result, _ridge(unit, np.zeros(1), folds, standardize, tol, driver, score))
    if np.array_equal(back, np.arange(len(grid))):
        return result
    return reordered(result, grid, back)


def _solve_bounded(
    problem: Problem,
    alphas: Grid,
    folds: Folds,
    standardize: bool,
    tol: float,
    score: Scorer | None,
    stop: Stop | None,
) -> FoldColumns:
    """The same with bounds on coefficients; a problem whose only bounds exclude columns is solved without these."""
    plain = unbounded_part(problem)
    if plain is not None:
        found = solve_stated(plain[0], alphas, folds, standardize, tol, score=score, stop=stop)
        return spread(found, plain[1], problem.design.shape[1])
    unit = problem.with_penalty(problem.penalty.with_alpha(1.0))
    driver = driver_of(unit, folds, standardize, tol, score=score)
    if callable(alphas):
        top = driver.alpha_max if problem.penalty.l1_ratio > 0 else strongest_ridge(unit)
        if driver.null_objectives[0] <= 0 or top == 0:
            return explained(columns_of(unit, driver.run(np.ones(1)), np.ones(1), 0.0, tol))
        alphas = alphas(top)
    distinct, back = np.unique(-np.asarray(alphas, dtype=float), return_inverse=True)
    grid = np.ascontiguousarray(np.abs(distinct))
    if stop is not None:
        stop.watch(driver, unit)
    columns = columns_of(unit, driver.run(grid), grid, driver.null_objectives[0], tol)
    if np.array_equal(back, np.arange(len(grid))):
        return columns
    return reordered(columns, np.asarray(alphas, dtype=float), back)


def _ridge(
    problem: Problem,
    alphas: np.ndarray,
    folds: Folds,
    standardize: bool,
    tol: float,
    driver: Any,
    score: Scorer | None,
) -> FoldColumns:
    """Ridge at some strengths; of X in blocks from its moments, which `driver` may have gathered already."""
    blocks = isinstance(problem.design, BlockDesign)
    if blocks and score is None and problem.loss.name == "squared" and few_features(problem.design):
        if driver is None:
            lasso = problem.with_penalty(L1L2(1.0, 1.0, problem.penalty.factors))
            driver = driver_of(lasso, folds, standardize, tol)
        return columns_of(problem, ridge_of_moments(driver, alphas), alphas, driver.null_objectives[0], tol)
    if blocks and driver is None:
        check_finite(problem.design)
    if not folds:
        return alone(ridge_path(problem, alphas, tol))
    return ridge_folds(problem, alphas, folds, standardize, tol, score)


def _with_shared_folds(problem: Problem, alphas: Grid, folds: Folds, standardize: bool, tol: float) -> FoldColumns:
    """The folds on columns that they share, and the fit on all rows beside them, whose strengths are known at once."""
    driver: Any = driver_of(problem, [], standardize, tol)
    if callable(alphas) and driver.null_objectives[0] > 0 and driver.alpha_max > 0:
        alphas = alphas(driver.alpha_max)
    distinct, back = np.unique(np.zeros(1) if callable(alphas) else -alphas, return_inverse=True)
    left = False
    driver.watch = lambda *_: left  # nobody waits for the rest
    try:
        with Crew(len(folds) + 1) as crew:
            path = crew.beside(lambda: solve_stated(problem, alphas, [], standardize, tol, driver).path)
            shared = SharedFolds(problem, -distinct, float(problem.penalty.l1_ratio), standardize, tol)
            scores, gaps = shared.solve_with(crew, folds, beside=1)
            found = path()
    finally:
        left = True
    return FoldColumns(replace(found, n_passes=found.n_passes + shared.n_passes), scores[back], gaps[back])


def score_apart(
    problem: Problem, path: PathColumns, folds: Folds, standardize: bool, tol: float, before: SharedFolds | None = None
) -> tuple[FoldColumns, SharedFolds]:
    """Folds at the strengths of a path, on columns that they share, and with what solved them at another l1_ratio."""
    distinct, back = np.unique(-path.alphas, return_inverse=True)
    l1_ratio = float(problem.penalty.l1_ratio)
    shared = SharedFolds(problem, -distinct, l1_ratio, standardize, tol) if before is None else before
    if before is not None:
        shared.restart(-distinct, l1_ratio)
    scores, gaps = shared.solve(folds)
    return FoldColumns(replace(path, n_passes=path.n_passes + shared.n_passes), scores[back], gaps[back]), shared


def apart(problem: Problem, alphas: Grid, folds: Folds) -> bool:
    """Whether folds are solved on working sets of their own, on columns that they share: all scored, no strength 0."""
    scored = bool(folds) and all(len(rows) for _, rows in folds) and shares_columns(problem)
    return scored and (callable(alphas) or bool(np.min(alphas) > 0))


def _has_engine(problem: Problem) -> bool:
    kernel = getattr(problem.penalty, "kernel", None)
    return kernel is not None and np.ndim(problem.penalty.alpha) == 0 and has_native(problem.loss)


def _with_alpha_one(problem: Problem) -> L1L2:
    return L1L2(1.0, float(problem.penalty.l1_ratio), problem.penalty.factors)


def driver_of(
    problem: Problem,
    folds: Folds,
    standardize: bool,
    tol: float,
    moments: bool | None = None,
    score: Scorer | None = None,
) -> Driver | ScreenedDriver | MomentDriver:
    """What walks the grid for all rows and for the training rows of each fold; without held-out rows, no scores.

    `moments` says whether to go by moments, which need a squared loss and a dense X; None leaves it to the shape of X.
    A `score` reads linear predictors of rows, which moments do not know.
    """
    n, p = problem.design.shape
    weights = np.ones(n) if problem.sample_weight is None else problem.sample_weight
    factors = np.ones(p) if problem.penalty.factors is None else np.asarray(problem.penalty.factors, dtype=float)
    scale = np.ones((p, 1)) if problem.scale is None else problem.scale[:, None]
    if standardize and folds:
        fold_weights = np.asfortranarray(np.stack([weights * rows for rows in _masks(folds, n)[1:]], axis=1))
        scale = np.hstack([scale, column_scale(problem.design, fold_weights)])
    l1, l2 = (np.empty((p, 1 + len(folds)), order="F") for _ in range(2))
    np.multiply(factors[:, None], scale, out=l1)
    np.multiply(factors[:, None], scale**2, out=l2)
    l1_ratio = float(problem.penalty.l1_ratio)
    if moments is None:
        moments = score is None and problem.loss.name == "squared" and few_features(problem.design)
    if isinstance(problem.penalty, Box):
        driver = _bounded_driver(problem, folds, l1, l2, scale, tol)
        driver.score = score
    elif moments:
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
            kind = SparseDriver if problem.design.is_sparse and p >= LEAST_SPARSE_WIDTH else Driver
            driver = kind(problem.design, fits, l1, l2, l1_ratio, tol, held_out, problem.fit_intercept)
            driver.score = score
    check_entries(problem.design, driver.alpha_max)
    return driver


def _bounded_driver(problem: Problem, folds: Folds, l1, l2, scale, tol: float) -> BoundedDriver:
    weights = np.ones(problem.design.shape[0]) if problem.sample_weight is None else problem.sample_weight
    shares = [weights * rows / (weights @ rows) for rows in _masks(folds, len(weights))]
    fits = BoundedFits(problem, np.stack(shares, axis=1), l1, l2, *bounds_of(problem), tol)
    scales = np.broadcast_to(scale, l1.shape) if scale.shape[1] == 1 else scale
    return BoundedDriver(problem, fits, l1, l2, scales, tol, [rows for _, rows in folds if len(rows)])


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
    if isinstance(problem.penalty, Box) or problem.loss.name != "squared" or not isinstance(design, DenseDesign):
        return False
    if problem.null.objective == 0:
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
