"""Ridge paths and folds: l1_ratio = 0, and strength 0 for any l1_ratio.

There is no working set: the smaller of XᵀX and XXᵀ holds all of X that a ridge fit can see. For the squared loss one
eigendecomposition of it answers every strength; folds subtract their held-out rows from XᵀX, or delete them from XXᵀ.
"""

from dataclasses import replace

import numpy as np

from shrinkage.design import check_entries
from shrinkage.losses import JointLoss
from shrinkage.problem import Problem, held_out_deviance, row_loss
from shrinkage.solvers._batches import Scorer
from shrinkage.solvers._records import FoldColumns, PathColumns, filled_columns, statuses
from shrinkage.solvers._ridge_certificate import certify
from shrinkage.solvers._ridge_columns import Array, DenseColumns
from shrinkage.solvers._ridge_ground import (
    Ground,
    fit,
    ground_of,
    linear_predictors,
    newton_start,
    raw_coefs,
    unpenalized_strengths,
)
from shrinkage.solvers._ridge_squared import Fit, Moments, fit_moments
from shrinkage.solvers._scale import scale_of_moments

Folds = list[tuple[Array, Array]]
FOLD_ENTRIES = 32_000_000
"""Largest number of float64 entries of fold Grams held at a time (256 MB)."""
SHRUNK = 1e-8
"""A fold on whose rows a column varies less than this share of its whole variance is fitted on its own."""


def ridge_path(problem: Problem, alphas: Array, tol: float) -> PathColumns:
    """Minimize the ridge objective for every strength.

    F(w, b) = (1/S) Σᵢ sᵢ ℓ(yᵢ, ηᵢ) + ½ alpha Σ_j f_j (scale_j w_j)², η = offset + X w + b. Strength 0 is the fit
    without a penalty; where it is not unique, the limit of small strengths.

    Parameters
    ----------
    problem : Problem
        Its penalty has l1_ratio 0, or all `alphas` are 0; its own alpha is not used.
    alphas : ndarray of shape (n_alphas,), >= 0, any order
    tol : float
        Largest relative duality gap wanted.

    Returns
    -------
    PathColumns
        `kkt` and `gaps` by `Problem`'s formulas, `n_passes` the readings of X, the certificate's two included.

    Notes
    -----
    Squared loss: O(n p m + m³ + (n + p) m n_alphas) multiplications with m = min(n, p), memory m² and, beside X,
    blocks of 1024 columns. Hastie, Tibshirani & Friedman (2009), The Elements of Statistical Learning, §3.4.1, §18.3.5.
    """
    moments = _moments(problem, problem.weights[:, None])
    alphas = np.asarray(alphas, dtype=np.float64)
    ground = ground_of(problem, problem.weights, problem.scale, (moments[0][:, 0], moments[1][:, 0]), alphas)
    return _path(ground, alphas, tol)


def ridge_folds(
    problem: Problem, alphas: Array, folds: Folds, standardize: bool, tol: float, score: Scorer | None = None
) -> FoldColumns:
    """`ridge_path` on all rows and on the training rows of every fold, scored on its test rows.

    Parameters
    ----------
    problem, alphas, tol
        As in `ridge_path`.
    folds : list of (train, test) pairs of integer arrays
        Rows in neither are not used by that fold.
    standardize : bool
        Whether `problem.scale` holds standard deviations, which every fold then takes from its own training rows.
    score : callable, optional
        From held-out rows and their linear predictors to scores; None is the mean deviance.

    Returns
    -------
    FoldColumns
    """
    alphas = np.asarray(alphas, dtype=np.float64)
    trains = [_training_weights(problem.weights, train) for train, _ in folds]
    means, variances = _moments(problem, np.column_stack([problem.weights, *trains]))
    moments = [(means[:, k], variances[:, k]) for k in range(means.shape[1])]
    scales: list[Array | None] = [problem.scale] * len(folds)
    if standardize:
        scales[:] = [scale_of_moments(*moment) for moment in moments[1:]]
    whole = ground_of(problem, problem.weights, problem.scale, moments[0], alphas)
    path = _path(whole, alphas, tol)
    order = np.argsort(-alphas, kind="stable")
    scores, gaps = np.empty((alphas.size, len(folds))), np.empty((alphas.size, len(folds)))
    shared = _shared_fits(whole, alphas[order], folds, trains, moments, scales)
    for k, (_, test) in enumerate(folds):
        ground, found = shared.get(k, (None, None))
        if ground is None or found is None:
            ground = _fold_ground(whole, trains[k], scales[k], moments[k + 1], alphas)
            found = fit(ground, alphas[order], tol)
        scores[order, k] = _score(ground, found, test, score)
        gaps[order, k] = found.relative_gaps
    return FoldColumns(path, scores, gaps)


def _path(ground: Ground, alphas: Array, tol: float) -> PathColumns:
    problem = ground.problem
    order = np.argsort(-alphas, kind="stable")
    falling = alphas[order]
    found = fit(ground, falling, tol)
    n_iter, n_passes, inner = found.n_iter, ground.n_passes + found.n_passes + 1, tol
    worst_before = np.inf
    while True:
        coefs, intercepts = raw_coefs(ground, found)
        gaps, kkt = certify(problem, coefs, intercepts, falling, found.gaps, found.theta)
        n_passes += 2 + found.dual
        relative = problem.relative(gaps)
        inner *= 1e-3
        missed = (relative > tol) & (falling > 0)
        worst = float(relative[missed].max(initial=0.0))
        stuck = worst > 0.5 * worst_before
        if problem.loss.name == "squared" or not missed.any() or inner < 1e-9 * tol or stuck:
            break
        worst_before = worst
        found = fit(ground, falling, inner, newton_start(ground, found))
        n_iter, n_passes = n_iter + found.n_iter, n_passes + found.n_passes
    back = np.argsort(order, kind="stable")
    return PathColumns(
        alphas,
        filled_columns(coefs[:, back]),
        intercepts[back],
        gaps[back],
        kkt[back],
        n_iter[back],
        statuses(relative[back], tol),
        n_passes,
    )


def _moments(problem: Problem, weights: Array) -> tuple[Array, Array]:
    means, variances = problem.design.column_moments(np.asfortranarray(weights))
    check_entries(problem.design, float(np.sqrt(variances).max(initial=0.0)))
    return means, variances


def _training_weights(weights: Array, train: Array) -> Array:
    """Weights of the training rows, sum one; equal ones if all of them are zero."""
    result = np.zeros_like(weights)
    result[train] = weights[train]
    total = result.sum()
    if not total > 0:
        result[train] = 1.0
        total = result.sum()
    return result / total


def _score(ground: Ground, found: Fit, test: Array, score: Scorer | None) -> Array:
    """Score, or mean deviance, of every strength on the test rows."""
    problem = ground.problem
    if score is None and isinstance(problem.loss, JointLoss):
        everywhere = linear_predictors(ground, found, np.arange(problem.weights.size))
        seen = np.flatnonzero(ground.weights > 0)
        return held_out_deviance(problem.loss, problem.y, everywhere, problem.sample_weight, seen, test)
    weights = problem.weights[test]
    if not weights.sum() > 0:
        weights = np.ones(test.size)
    eta = linear_predictors(ground, found, test)
    if score is not None:
        return score(test, eta)
    return weights @ row_loss(problem.loss).deviance(problem.y[test][:, None], eta) / weights.sum()


def _fold_ground(
    whole: Ground, weights: Array, scale: Array | None, moments: tuple[Array, Array], alphas: Array
) -> Ground:
    """What a fold's own fit stands on: all that does not change with the fold is kept."""
    if scale is whole.problem.scale and not _needs_own_columns(whole, moments):
        return whole.seeing(weights)
    return ground_of(whole.problem, weights, scale, moments, alphas)


def _needs_own_columns(whole: Ground, moments: tuple[Array, Array]) -> bool:
    """Whether the whole's columns, centered where all rows have their mean, are wrong for a fold.

    So are those that vary on its rows by less than `SHRUNK` of what they vary on all, and free ones that are constant
    there, which the fold's own intercept makes superfluous.
    """
    means, variances = moments
    frame = whole.frame
    spread = variances + (means - frame.shift) ** 2
    variances = variances if frame.fit_intercept else spread
    constant = np.isfinite(frame.divisor[frame.free]) & (variances[frame.free] == 0)
    faint = (variances > 0) & (variances < SHRUNK * spread) & (whole.kernel is None) & (whole.rotation is None)
    return bool(constant.any() or faint.any())


def _shared_fits(
    whole: Ground,
    alphas: Array,
    folds: Folds,
    trains: list[Array],
    moments: list[tuple[Array, Array]],
    scales: list[Array | None],
) -> dict[int, tuple[Ground, Fit]]:
    """Squared-loss fits of the folds that the whole Gram less the rows they leave out can give."""
    if whole.problem.loss.name != "squared" or whole.kernel is not None or whole.exact or not whole.factors_fit:
        return {}
    weighted = [whole.weights[train].sum() > 0 for train, _ in folds]
    chosen = [k for k in range(len(folds)) if weighted[k] and not _needs_own_columns(whole, moments[k + 1])]
    size = max(1, FOLD_ENTRIES // max(whole.columns.width, 1) ** 2)
    result = {}
    total = whole.columns.gram(whole.weights)
    for first in range(0, len(chosen), size):
        some = chosen[first : first + size]
        for k, gram in zip(some, _fold_grams(whole, total, [folds[k][0] for k in some]), strict=True):
            ground = whole.seeing(trains[k])
            result[k] = (ground, _fit_fold(ground, gram, alphas, scales[k]))
    return result


def _fold_grams(whole: Ground, total: Array, trains: list[Array]) -> list[Array]:
    """Gram matrices of the training rows, from the fewer of those and the others."""
    n_samples = whole.weights.size
    rows, subtracted, totals = [], [], []
    for train in trains:
        out = np.ones(n_samples, dtype=bool)
        out[train] = False
        left_out = np.flatnonzero(out)
        subtracted.append(2 * left_out.size <= n_samples)
        rows.append(left_out if subtracted[-1] else np.flatnonzero(~out))
        totals.append(float(whole.weights[~out].sum()))
    grams = []
    parts = whole.columns.row_grams(whole.weights, rows)
    for part, less, kept in zip(parts, subtracted, totals, strict=True):
        gram = total - part if less else part
        grams.append(gram / kept)
    return grams


def _fit_fold(ground: Ground, gram: Array, alphas: Array, scale: Array | None) -> Fit:
    """A fold's fit from its Gram, in the whole's columns but its own penalty's units."""
    problem, weights, columns = ground.problem, ground.weights, ground.columns
    target, _ = ground.target()
    start = 0.5 * float(weights @ (problem.y - ground.offset) ** 2)
    square, correlations = float(weights @ target**2), columns.adjoint(weights * target)
    n_free = columns.n_free
    ratio = np.ones(columns.width)
    if scale is not problem.scale:
        assert scale is not None and problem.scale is not None
        ratio[n_free:] = (problem.scale / scale)[ground.frame.penalized]
        gram, correlations = gram * np.outer(ratio, ratio), correlations * ratio
    found = fit_moments(Moments(gram, correlations, square, start), n_free, alphas)
    if isinstance(columns, DenseColumns) and (alphas == 0).any():
        seen = np.flatnonzero(weights)
        part = DenseColumns(columns.values[seen] * ratio, n_free)
        unpenalized_strengths(found, part, target[seen], weights[seen], alphas)
    return replace(found, penalized=ratio[n_free:, None] * found.penalized)
