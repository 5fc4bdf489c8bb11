"""The strength chosen by cross-validation: all folds share the passes over X."""

import warnings
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from shrinkage._check import check_positive, check_positive_int
from shrinkage._errors import ArgumentError, DataError
from shrinkage._path._record import Path
from shrinkage._path._statement import finish, grid, state
from shrinkage.problem import Problem
from shrinkage.solvers import solve_folds


@dataclass(frozen=True, eq=False, repr=False)
class CrossValidation:
    """Held-out errors of a whole path, and the strengths that they point to.

    With m_k the mean held-out deviance of fold k and n_k its weight: mean = Σ n_k m_k / Σ n_k and
    se = sqrt(Σ n_k (m_k - mean)² / Σ n_k / (K - 1)), as R's cv.glmnet.

    Attributes
    ----------
    alphas : ndarray of shape (n_alphas,)
    scores : ndarray of shape (n_alphas, n_folds)
        Mean held-out deviances: squared errors for the squared loss, -2 log likelihood for logistic. Lower is better.
    mean, se : ndarray of shape (n_alphas,)
    alpha_min : float
        The strength of the lowest mean.
    alpha_1se : float
        The largest strength whose mean is within one standard error of the lowest.
    index_min, index_1se : int
    path : Path
        The fit on all rows.
    fold_weights : ndarray of shape (n_folds,)
        Sum of the sample weights held out.
    fold_gaps : ndarray of shape (n_alphas, n_folds)
        Relative duality gap of each fold's fit.
    """

    alphas: np.ndarray
    scores: np.ndarray
    mean: np.ndarray
    se: np.ndarray
    alpha_min: float
    alpha_1se: float
    index_min: int
    index_1se: int
    path: Path
    fold_weights: np.ndarray
    fold_gaps: np.ndarray

    def __repr__(self) -> str:
        lowest = f"{self.mean[self.index_min]:.4g} ± {self.se[self.index_min]:.2g}"
        return (
            f"<CrossValidation: {self.scores.shape[1]} folds; alpha_min {self.alpha_min:.4g} with mean {lowest}, "
            f"alpha_1se {self.alpha_1se:.4g}; {self.path!r}>"
        )

    @classmethod
    def from_scores(cls, alphas, scores, fold_weights, path: Path, fold_gaps) -> "CrossValidation":
        """Summarize scores (n_alphas, n_folds), with strengths largest first."""
        share = fold_weights / fold_weights.sum()
        mean = scores @ share
        spread = ((scores - mean[:, None]) ** 2) @ share
        se = np.sqrt(spread / (scores.shape[1] - 1)) if scores.shape[1] > 1 else np.full(len(mean), np.nan)
        best = int(np.argmin(mean))
        limit = mean[best] + (se[best] if np.isfinite(se[best]) else 0.0)
        simplest = int(np.flatnonzero(mean <= limit)[0])
        return cls(
            alphas,
            scores,
            mean,
            se,
            float(alphas[best]),
            float(alphas[simplest]),
            best,
            simplest,
            path,
            fold_weights,
            fold_gaps,
        )


def cross_validate(
    X: ArrayLike,
    y: ArrayLike,
    cv: Any = 10,
    groups: ArrayLike | None = None,
    loss: str = "squared",
    l1_ratio: float = 1.0,
    alphas: ArrayLike | None = None,
    n_alphas: int = 100,
    alpha_min_ratio: float = 1e-3,
    fit_intercept: bool = True,
    standardize: bool = False,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    penalty_factor: ArrayLike | None = None,
    penalty: Any = None,
    tol: float = 1e-6,
) -> CrossValidation:
    """Fit a whole path and score every strength on rows held out; all folds share the passes over X.

    Parameters
    ----------
    X, y, loss, l1_ratio, alphas, n_alphas, alpha_min_ratio
        As `path`. The grid is that of all rows.
    fit_intercept, standardize, sample_weight, offset, penalty_factor, penalty, tol
        As `path`; standardizing is redone on the training rows of each fold.
    cv : int, splitter or iterable of (train, test) index pairs
        An int is that many folds without shuffling, as in scikit-learn: stratified for logistic.
    groups : array-like of shape (n_samples,), optional
        Groups of rows, for a splitter that keeps them together.

    Returns
    -------
    CrossValidation

    Examples
    --------
    >>> from shrinkage import cross_validate
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> cv = cross_validate(X, y, cv=10, n_alphas=50)
    >>> cv.scores.shape
    (50, 10)
    >>> cv.alpha_1se > cv.alpha_min
    True
    """
    problem, classes = state(
        X, y, loss, l1_ratio, fit_intercept, standardize, sample_weight, offset, penalty_factor, penalty
    )
    check_positive("tol", tol)
    folds = _folds(cv, problem, groups)
    result = solve_folds(
        problem, grid(alphas, n_alphas, alpha_min_ratio, problem.penalty.l1_ratio), folds, standardize, tol
    )
    weights = np.ones(len(problem.y)) if problem.sample_weight is None else problem.sample_weight
    fold_weights = np.array([weights[test].sum() for _, test in folds])
    fitted = finish(problem, result.path, classes, tol, result.gaps)
    order = np.argsort(-result.path.alphas, kind="stable")
    return CrossValidation.from_scores(fitted.alphas, result.scores[order], fold_weights, fitted, result.gaps[order])


def _folds(cv, problem: Problem, groups) -> list[tuple[np.ndarray, np.ndarray]]:
    from sklearn.model_selection import check_cv

    y, logistic = problem.y, problem.loss.name == "logistic"
    if isinstance(cv, (int, np.integer)) and not isinstance(cv, bool):
        check_positive_int("cv", cv, 2)
        if cv > len(y):
            raise ArgumentError(f"cv must be at most the number of rows, {len(y)}; got {cv}")
        fewest, most = sorted((int(y.sum()), int(len(y) - y.sum())))
        if logistic and fewest < 2:
            raise DataError(f"y must hold two rows of each class or more to be cross-validated; the rarer has {fewest}")
        if logistic and cv > most:
            raise ArgumentError(f"cv must be at most the number of rows of the larger class, {most}; got {cv}")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        splitter: Any = check_cv(cast(Any, cv), y.astype(int) if logistic else y, classifier=logistic)
        pairs = list(splitter.split(np.zeros(len(y)), y.astype(int) if logistic else y, groups))
    weights = np.ones(len(y)) if problem.sample_weight is None else problem.sample_weight
    folds = []
    for k, (train, test) in enumerate(pairs):
        train, test = _index(train, len(y)), _index(test, len(y))
        _check_fold(k, train, test, weights, y if logistic else None)
        folds.append((train, test))
    if not folds:
        raise ArgumentError("cv must yield at least one (train, test) pair; got none")
    return folds


def _index(rows, n: int) -> np.ndarray:
    rows = np.asarray(rows)
    rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
    if rows.size and (rows.min() < 0 or rows.max() >= n):
        raise ArgumentError(f"cv must yield row numbers between 0 and {n - 1}; got {rows.min()} to {rows.max()}")
    return rows if (rows[1:] > rows[:-1]).all() else np.unique(rows)


def _check_fold(k: int, train: np.ndarray, test: np.ndarray, weights: np.ndarray, classes: np.ndarray | None) -> None:
    seen = np.zeros(len(weights), bool)
    seen[train] = True
    if seen[test].any():
        raise ArgumentError(f"cv must hold out rows that the fold does not train on; fold {k} has rows in both")
    if not weights[train].sum() > 0 or not weights[test].sum() > 0:
        raise DataError(f"fold {k} of cv has no row with a positive weight to train on or to hold out")
    if classes is not None and len(np.unique(classes[train[weights[train] > 0]])) < 2:
        raise DataError(f"y has a single class in the training rows of fold {k}: use fewer folds, or stratified ones")
