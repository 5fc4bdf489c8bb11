"""Paths and folds of a multinomial problem: the engine, or quasi-Newton steps where there is no L1 part."""

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from shrinkage._errors import ArgumentError
from shrinkage._threads import blas_alone
from shrinkage.design import check_entries, check_finite
from shrinkage.penalties import Box
from shrinkage.problem import MultinomialProblem
from shrinkage.solvers._assembly import alone
from shrinkage.solvers._bounded import BoundedDriver, spread, unbounded_part
from shrinkage.solvers._bounded_classes import BoundedClassFits, freed, loose_features, shifted_into_bounds
from shrinkage.solvers._boxed_group_paths import BoxedClassGroups
from shrinkage.solvers._class_driver import ClassDriver, class_columns
from shrinkage.solvers._class_fits import ClassFits
from shrinkage.solvers._class_groups import GroupPath
from shrinkage.solvers._class_ridge import ridge_of_classes
from shrinkage.solvers._records import FoldColumns, PathColumns, Status, filled_columns, statuses
from shrinkage.solvers._scale import column_scale
from shrinkage.solvers._stops import Stop


@blas_alone
def solve_classes(
    problem: MultinomialProblem,
    alphas: Any,
    folds: list,
    standardize: bool,
    tol: float = 1e-6,
    score: str = "deviance",
    stop: Stop | None = None,
) -> FoldColumns:
    """Minimize over all classes on all rows, and on the training rows of each fold.

    Parameters
    ----------
    problem : MultinomialProblem
        With `standardize`, its scale is that of all rows; each fold uses the scale of its own training rows.
    alphas : ndarray of shape (n_alphas,), > 0, or a function of alpha_max that returns one
    folds : list of (training rows, held-out rows), index arrays
    standardize : bool
    tol : float > 0
    score : str
        A key of `CLASS_SCORES`.
    stop : Stop, optional
        The rule by which the path may end before its grid does.

    Returns
    -------
    FoldColumns
        `path.coefs` (K n_features, n_alphas), class after class; `path.intercepts` (K, n_alphas).

    Raises
    ------
    ArgumentError
        If a strength is 0 beside folds or bounds.
    """
    loose = loose_features(problem)
    if len(loose):
        found = solve_classes(freed(problem, loose), alphas, folds, standardize, tol, score, stop)
        if all(status is Status.CONVERGED for status in found.path.status) and (found.gaps <= tol).all():
            return shifted_into_bounds(found, problem, loose)
    plain = unbounded_part(problem) if isinstance(problem.penalty, Box) else None
    if plain is not None:
        found = solve_classes(plain[0], alphas, folds, standardize, tol, score, stop)
        return spread(found, plain[1], problem.design.shape[1])
    masks = _masks(folds, problem.design.shape[0])
    fit_weights = np.asfortranarray(np.stack([problem.weights * m / (problem.weights @ m) for m in masks], axis=1))
    scale = np.ones((problem.design.shape[1], 1)) if problem.scale is None else np.asarray(problem.scale)[:, None]
    if standardize and folds:
        own = column_scale(problem.design, np.asfortranarray(fit_weights[:, 1:]))
        scale = np.hstack([scale, own])
    scale = np.broadcast_to(scale, (len(scale), len(masks)))
    check_finite(problem.design)
    check_entries(problem.design, float(np.abs(problem.design.correlate(problem.weights[:, None])).max(initial=0.0)))
    top = problem.alpha_max
    if top > 0 or not callable(alphas):
        grid = np.asarray(alphas(top) if callable(alphas) else alphas, dtype=np.float64)
    else:
        grid = np.ones(1)  # y is explained without the penalized columns
    distinct, back = np.unique(-grid, return_inverse=True)
    strengths = np.ascontiguousarray(-distinct)
    grid = grid if stop is None else strengths
    if not (grid > 0).all():
        if folds or isinstance(problem.penalty, Box):
            where = "folds" if folds else "bounds"
            raise ArgumentError(f"alphas must be > 0 for loss='multinomial' with {where}; got {grid.min()}")
        found = alone(_with_zero(problem, grid, tol))
        return found if stop is None else stop.cut(problem, found)
    grouped = problem.grouped and problem.penalty.l1_ratio > 0
    smooth = problem.penalty.l1_ratio == 0 and not isinstance(problem.penalty, Box)
    walk = _groups if grouped else _ridge if smooth else _engine
    found = walk(problem, strengths, fit_weights, scale, [rows for _, rows in folds], tol, score, stop)
    if top == 0 and callable(alphas):
        return replace(found, path=replace(found.path, alphas=np.zeros(1)))
    if stop is not None:
        return stop.cut(problem, found)
    if np.array_equal(strengths, grid):
        return found
    return _reordered(found, grid, back)


def _with_zero(problem: MultinomialProblem, grid: np.ndarray, tol: float) -> PathColumns:
    """Strengths of which some are 0, where every column is free: the null model of a problem that frees all."""
    null, free = problem.null.objective, problem.without_penalty()
    level: Any = free.null.intercept
    level = np.asarray(level).reshape((-1, 1)) if problem.fit_intercept else np.zeros((problem.n_classes, 1))
    coefs = sparse.csc_array(np.asarray(free.null.coef_free).T.reshape((-1, 1)))
    gaps, kkt = free.gaps(coefs, level, np.ones(1)), free.kkts(coefs, level, np.ones(1))
    status = statuses(gaps / null if null > 0 else gaps, tol)
    last = PathColumns(np.zeros(1), coefs, level, gaps, kkt, np.ones(1, np.int32), status, 1)
    places, first = np.zeros(len(grid), np.int64), last
    if (grid > 0).any():
        first = solve_classes(problem, np.unique(grid[grid > 0])[::-1].copy(), [], False, tol).path
        places = np.searchsorted(-first.alphas, -grid)
        first = PathColumns(
            np.append(first.alphas, 0.0), sparse.csc_array(sparse.hstack([first.coefs, coefs])),
            np.hstack([first.intercepts, level]), np.append(first.gaps, gaps), np.append(first.kkt, kkt),
            np.append(first.n_iter, last.n_iter), first.status + status, first.n_passes + 1,
        )  # fmt: skip
    return _reordered(alone(first), grid, places).path


def _masks(folds: list, n: int) -> list[np.ndarray]:
    masks = [np.ones(n, bool)]
    for rows, _ in folds:
        mask = np.zeros(n, bool)
        mask[rows] = True
        masks.append(mask)
    return masks


def _engine(
    problem: MultinomialProblem, alphas: np.ndarray, fit_weights, scale, held_out: list, tol: float, score: str, stop
) -> FoldColumns:
    l1, l2 = (np.asfortranarray(problem.factors[:, None] * scale**power) for power in (1, 2))
    held_out = [rows for rows in held_out if len(rows)]
    if isinstance(problem.penalty, Box):
        fits = BoundedClassFits(problem, fit_weights, l1, l2, tol, score)
        driver = BoundedDriver(problem, fits, l1, l2, scale, tol, held_out)
    else:
        fits, ratio = ClassFits(problem, fit_weights, l1, l2, tol, score), float(problem.penalty.l1_ratio)
        driver = ClassDriver(problem.design, fits, l1, l2, ratio, tol, held_out, problem.fit_intercept)
    if stop is not None:
        stop.watch_classes(driver, problem)
    found = driver.run(alphas)
    null = driver.null_objectives[0]
    gaps = np.concatenate(found.gaps)
    path = PathColumns(
        alphas[: len(gaps)],
        class_columns(problem.design.shape[1], problem.n_classes, problem.free, found),
        np.concatenate(found.intercepts, axis=1),
        gaps,
        np.concatenate(found.kkt),
        np.concatenate(found.steps),
        statuses(gaps / null if null > 0 else gaps, tol),
        found.n_passes,
    )
    return FoldColumns(path, *(np.concatenate([pair[i] for pair in found.scores]) for i in (0, 1)))


def _ridge(
    problem: MultinomialProblem, alphas: np.ndarray, fit_weights, scale, held_out: list, tol: float, score: str, stop
) -> FoldColumns:
    problems = [problem, *_of_folds(problem, fit_weights, scale)]
    null = problem.null.objective
    watch = None if stop is None else lambda losses, scores: stop.end(losses, null, scores) is not None
    found = ridge_of_classes(problems, alphas, held_out, tol, score, watch)
    gaps, count = found.gaps[:, 0], len(found.gaps)
    path = PathColumns(
        alphas[:count],
        filled_columns(found.coefs),
        found.intercepts,
        gaps,
        found.kkt,
        found.steps,
        statuses(gaps / null if null > 0 else gaps, tol),
        2 * int(found.steps.sum()),
    )
    return FoldColumns(path, found.scores, found.gaps[:, 1:] / np.where(found.nulls[1:] > 0, found.nulls[1:], 1.0))


def _of_folds(problem: MultinomialProblem, fit_weights: np.ndarray, scale: np.ndarray) -> list[MultinomialProblem]:
    """The problem of the training rows of each fold."""
    return [
        problem.with_rows(fit_weights[:, f], scale[:, f] if problem.scale is not None else None)
        for f in range(1, fit_weights.shape[1])
    ]


def _groups(
    problem: MultinomialProblem, alphas: np.ndarray, fit_weights, scale, held_out: list, tol: float, score: str, stop
) -> FoldColumns:
    kind: Any = BoxedClassGroups if isinstance(problem.penalty, Box) else GroupPath
    first = kind(problem, tol).run(alphas, None, problem, score)
    runs = [
        kind(own, tol).run(alphas, rows, problem, score)
        for own, rows in zip(_of_folds(problem, fit_weights, scale), held_out, strict=True)
    ]
    null = problem.null.objective
    path = PathColumns(
        alphas,
        sparse.csc_array(first.coefs),
        first.intercepts,
        first.gaps,
        problem.kkts(first.coefs, first.intercepts, alphas),
        first.steps,
        statuses(first.gaps / null if null > 0 else first.gaps, tol),
        first.n_passes,
    )
    shape = (len(alphas), len(runs))
    scores = np.array([run.scores for run in runs]).reshape(shape[::-1]).T
    gaps = np.array([run.gaps / (run.null or 1.0) for run in runs]).reshape(shape[::-1]).T
    return FoldColumns(path, scores, gaps)


def _reordered(columns: FoldColumns, grid: np.ndarray, back: np.ndarray) -> FoldColumns:
    path = columns.path
    path = replace(
        path,
        alphas=grid,
        coefs=sparse.csc_array(path.coefs[:, back]),
        intercepts=path.intercepts[:, back],
        gaps=path.gaps[back],
        kkt=path.kkt[back],
        n_iter=path.n_iter[back],
        status=tuple(path.status[i] for i in back),
    )
    return FoldColumns(path, columns.scores[back], columns.gaps[back])
