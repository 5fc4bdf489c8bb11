"""The relaxed lasso: every active set of a path fitted again without its penalty, and blends of both."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from shrinkage._check import check_positive, finite_vector
from shrinkage._errors import ArgumentError, DataError
from shrinkage._path import CrossValidation, Path, fold_rows
from shrinkage.penalties import Box
from shrinkage.problem import Problem, row_loss
from shrinkage.selection._relaxed_record import Relaxed
from shrinkage.selection._unpenalized import RefitStatus, Refitter
from shrinkage.solvers import column_scale, solve_path

GAMMAS = (0.0, 0.25, 0.5, 0.75, 1.0)


def relaxed(
    path: Path,
    gammas: Sequence[float] | ArrayLike = GAMMAS,
    cv: Any = None,
    groups: ArrayLike | None = None,
    tol: float = 1e-6,
) -> Relaxed:
    """Refit every active set of a path without penalty, and choose a blend and a strength by cross-validation.

    The penalty chooses features and shrinks them; one strength does both jobs. With w(α) the path and r(α) the
    unpenalized fit on {j : w_j(α) ≠ 0} and the free columns, the blend

        γ w(α) + (1 - γ) r(α),   γ in [0, 1]

    shrinks less: γ = 1 is the path, γ = 0 is the refit.

    Parameters
    ----------
    path : Path
        From `shrinkage.path`, with its problem: weights, offset, intercept, penalty factors and standardizing are its.
    gammas : sequence of numbers in [0, 1]
    cv : int, splitter or iterable of pairs, optional
        As `cross_validate`. In each fold the path is walked, its active sets are found and they are refitted on the
        training rows alone: rows held out have no say in what is refitted. None refits on all rows and chooses nothing.
    groups : array-like of shape (n_samples,), optional
        For a splitter that keeps groups of rows together.
    tol : float > 0
        Largest relative duality gap of the paths in the folds.

    Returns
    -------
    Relaxed

    Raises
    ------
    ArgumentError
        If the path has no problem (it was stored, or is an estimator's), or gammas or folds cannot be used.

    Notes
    -----
    R's glmnet(relax=TRUE) and cv.glmnet(relax=TRUE) with the same gammas; glmnet takes γ = 0 as 1e-5, and leaves out
    active sets of more than n - 3 columns. Here every strength is answered, and `Relaxed.status` says how: columns that
    depend on each other take the coefficients of least norm, classes that are separated keep 0.01 of the strength.

    Cost: for each fold a path of its own, and for each distinct active set of m columns m³ / 3 (squared) or about ten
    times n m² (logistic) operations.

    References
    ----------
    Meinshausen (2007), Comput. Stat. Data Anal. 52(1), https://doi.org/10.1016/j.csda.2006.12.019; the blend: Hastie,
    Tibshirani & Tibshirani (2020), Statist. Sci. 35(4), section 2.2, https://doi.org/10.1214/19-STS733.

    Examples
    --------
    >>> from shrinkage import path
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> found = relaxed(path(X, y, n_alphas=30), cv=5)
    >>> found.validations[0].scores.shape
    (30, 5)
    >>> bool(np.allclose(found.coef(found.alpha_1se, gamma=1.0), found.path.coef(found.alpha_1se)))
    True
    """
    problem = path.problem if isinstance(path, Path) else None
    if problem is None:
        what = (
            f"got {type(path).__name__}" if not isinstance(path, Path) else "this one was stored, or is an estimator's"
        )
        raise ArgumentError(f"path must be a Path of shrinkage.path, which remembers its data; {what}")
    if isinstance(problem.penalty, Box):
        raise ArgumentError("path must be one without bounds: refits would leave them")
    if np.isnan(path.l1_ratio):
        raise ArgumentError("path must have an L1 or elastic-net penalty to be relaxed; this one has another")
    row_loss(problem.loss)
    values = _gammas(gammas)
    check_positive("tol", tol)
    if cv is None and groups is not None:
        raise ArgumentError("groups must come with cv, a splitter that keeps them together; got cv=None")
    refits, intercepts, status = refit_path(problem, path.alphas, path.coefs, path.intercepts, tol)
    result = Relaxed(path, refits, intercepts, status, values)
    if cv is None:
        return result
    folds = _folds(cv, problem, groups)
    scores, gaps, fold_status = _score(problem, path.alphas, values, folds, tol)
    weights = np.ones(len(problem.y)) if problem.sample_weight is None else problem.sample_weight
    held_out = np.array([weights[test].sum() for _, test in folds])
    validations = tuple(CrossValidation.from_scores(path.alphas, s, held_out, path, gaps) for s in scores)
    best, simplest = _choose(validations)
    return replace(result, validations=validations, index_min=best, index_1se=simplest, fold_status=tuple(fold_status))


def refit_path(
    problem: Problem, alphas: np.ndarray, coefs: sparse.csc_array, intercepts: np.ndarray, tol: float
) -> tuple[sparse.csc_array, np.ndarray, tuple[RefitStatus, ...]]:
    """Refits (n_features, n_alphas) of the active sets of a path, their intercepts, and the kind of each."""
    coefs = sparse.csc_array(coefs)
    sets = [np.union1d(_nonzero(coefs, t), problem.unpenalized) for t in range(len(alphas))]
    refitter = Refitter(problem, np.unique(np.concatenate([*sets, np.zeros(0, np.int64)])))
    columns: list[np.ndarray] = [np.zeros(0)] * len(alphas)
    out, status = np.zeros(len(alphas)), [RefitStatus.UNIQUE] * len(alphas)
    same: dict[bytes, list[int]] = {}
    for t, features in enumerate(sets):
        same.setdefault(features.tobytes(), []).append(t)
    for places in same.values():
        features = sets[places[0]]
        chosen = np.searchsorted(refitter.features, features)
        coef, intercept, kind = refitter.fit(chosen)
        for t in places:
            columns[t], out[t], status[t] = coef, intercept, kind
        if kind is RefitStatus.SEPARATED:
            _penalized_refits(problem, refitter, chosen, places, alphas, coefs, intercepts, tol, columns, out)
    starts = np.concatenate([[0], np.cumsum([len(s) for s in sets])])
    rows = np.concatenate([*sets, np.zeros(0, np.int64)])
    data = np.concatenate([*columns, np.zeros(0)])
    return sparse.csc_array((data, rows, starts), shape=coefs.shape), out, tuple(status)


def _penalized_refits(
    problem: Problem, refitter: Refitter, chosen, places, alphas, coefs, intercepts, tol: float, columns, out
) -> None:
    """Where classes are separated keep a share of the strength; where no strength acts the path is its own refit."""
    features = refitter.features[chosen]
    acting = [t for t in places if alphas[t] > 0] if np.setdiff1d(features, problem.unpenalized).size else []
    for t in set(places) - set(acting):
        columns[t], out[t] = coefs[:, [t]].toarray()[features, 0], intercepts[t]
    if acting:
        found, shifts = refitter.keep_penalty(chosen, alphas[acting], tol)
        for k, t in enumerate(acting):
            columns[t], out[t] = found[:, k], shifts[k]


def _nonzero(coefs: sparse.csc_array, t: int) -> np.ndarray:
    part = slice(coefs.indptr[t], coefs.indptr[t + 1])
    return np.sort(coefs.indices[part][coefs.data[part] != 0]).astype(np.int64)


def _score(
    problem: Problem, alphas: np.ndarray, gammas: np.ndarray, folds: list, tol: float
) -> tuple[np.ndarray, np.ndarray, list[tuple[RefitStatus, ...]]]:
    """Held-out deviances (n_gammas, n_alphas, n_folds), relative gaps of the folds, and kinds of their refits."""
    weights = np.ones(len(problem.y)) if problem.sample_weight is None else problem.sample_weight
    scores = np.empty((len(gammas), len(alphas), len(folds)))
    gaps = np.empty((len(alphas), len(folds)))
    kinds = []
    for k, (train, test) in enumerate(folds):
        own = np.zeros(len(weights))
        own[train] = weights[train]
        scale = problem.scale
        if scale is not None:
            scale = column_scale(problem.design, np.asfortranarray(own[:, None]))[:, 0]
        part = replace(problem, sample_weight=own, scale=scale)
        found = solve_path(part, alphas, tol)
        gaps[:, k] = part.relative(found.gaps)
        refits, intercepts, status = refit_path(part, alphas, found.coefs, found.intercepts, tol)
        kinds.append(status)
        shrunken = problem._predictors(found.coefs, found.intercepts)[test]
        free = problem._predictors(refits, intercepts)[test]
        share = weights[test] / weights[test].sum()
        for g, gamma in enumerate(gammas):
            eta = gamma * shrunken + (1 - gamma) * free
            scores[g, :, k] = share @ row_loss(problem.loss).deviance(problem.y[test, None], eta)
    return scores, gaps, kinds


def _choose(validations: Sequence[CrossValidation]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Places (gamma, alpha) of the lowest mean, and of the simplest within its standard error; ties as glmnet has them.

    The simplest has the largest strength, and of those the largest gamma.
    """
    means = np.stack([v.mean for v in validations])
    flat = means.T[:, ::-1]  # strengths from large to small, and in each gammas from large to small
    lowest = np.unravel_index(np.argmin(flat), flat.shape)
    best = (len(validations) - 1 - int(lowest[1]), int(lowest[0]))
    error = validations[best[0]].se[best[1]]
    limit = means[best] + (error if np.isfinite(error) else 0.0)
    first = np.unravel_index(np.argmax(flat <= limit), flat.shape)
    return best, (len(validations) - 1 - int(first[1]), int(first[0]))


def _gammas(gammas: Any) -> np.ndarray:
    shape = np.shape(gammas)
    if len(shape) != 1 or not shape[0]:
        raise ArgumentError(f"gammas must be a non-empty vector of numbers in [0, 1]; got shape {shape}")
    values = finite_vector("gammas", gammas, shape[0])
    if values.min() < 0 or values.max() > 1:
        bad = int(np.argmax((values < 0) | (values > 1)))
        raise ArgumentError(f"gammas must be between 0 and 1; position {bad} is {values[bad]:g}")
    return np.unique(values)


def _folds(cv: Any, problem: Problem, groups: Any) -> list:
    """Folds that can be fitted and scored."""
    logistic = problem.loss.name == "logistic"
    folds = fold_rows(cv, problem.y, logistic, groups=groups)
    weights = np.ones(len(problem.y)) if problem.sample_weight is None else problem.sample_weight
    for k, (train, test) in enumerate(folds):
        if np.intersect1d(train, test).size:
            raise ArgumentError(f"cv must hold out rows that the fold does not train on; fold {k} has rows in both")
        if not weights[train].sum() > 0 or not weights[test].sum() > 0:
            raise DataError(f"fold {k} of cv has no row with a positive weight to train on or to hold out")
        if logistic and len(np.unique(problem.y[train[weights[train] > 0]])) < 2:
            raise DataError(f"y has a single class in the training rows of fold {k}: use stratified folds")
    return folds
