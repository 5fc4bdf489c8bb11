"""The strength chosen by cross-validation: all folds share the passes over X."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from shrinkage._check import check_positive, check_positive_int
from shrinkage._errors import ArgumentError, DataError
from shrinkage._path._record import Path
from shrinkage._path._statement import finish, grid, state, warn_missed
from shrinkage.problem import Problem
from shrinkage.solvers import solve_folds

Fold = tuple[np.ndarray, np.ndarray]


class Dealt(list[Fold]):
    """Folds that `fold_rows` has dealt: it takes them as they are; `parted` if they part the rows, all of them."""

    parted = False


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

    Notes
    -----
    With the same folds and strengths, means, standard errors and both choices are those of cv.glmnet, except: glmnet
    takes probabilities as between 1e-5 and 1 - 1e-5 when it scores; with folds of fewer than three rows on average its
    standard error is over rows, not folds; with `standardize` and no intercept it divides by deviations from the mean,
    not from 0; and its gaussian family below l1_ratio 1 has another L2 part in each fold, divided by sd(y).
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
        An int, at most the number of rows, is that many folds without shuffling, as in scikit-learn: stratified for
        logistic, unless no class has that many rows. None is 10.
    groups : array-like of shape (n_samples,), optional
        Groups of rows, for a splitter that keeps them together, such as scikit-learn's `GroupKFold`.

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
    folds = fold_rows(cv, problem.y, problem.loss.name == "logistic", groups=groups)
    folds = check_folds(folds, problem)
    result = solve_folds(
        problem, grid(alphas, n_alphas, alpha_min_ratio, problem.penalty.l1_ratio), folds, standardize, tol
    )
    weights = problem.sample_weight
    fold_weights = np.array([len(test) if weights is None else weights[test].sum() for _, test in folds], np.float64)
    fitted = finish(problem, result.path, classes)
    warn_missed(fitted, result.gaps, tol, stacklevel=2)
    return CrossValidation.from_scores(fitted.alphas, result.scores, fold_weights, fitted, result.gaps)


def fold_rows(cv: Any, y: np.ndarray, stratify: bool, X: Any = None, **metadata: Any) -> Dealt:
    """The (training rows, held-out rows) of each fold: what `cv` means, for every caller.

    None is 10. An int stands for that many unshuffled folds; with `stratify` every fold has its share of each class,
    unless no class has a row for every fold, when the folds are plain.

    Raises
    ------
    ArgumentError
        If cv is no number of folds, splitter or iterable of pairs, or cannot deal these rows, or groups do not fit.
    """
    if isinstance(cv, Dealt):
        return cv
    cv = 10 if cv is None else cv
    groups = _check_groups(cv, metadata.pop("groups", None), len(y))
    if isinstance(cv, Integral) and not isinstance(cv, bool):
        cv = int(cv)
        check_positive_int("cv", cv, 2)
        if cv > len(y):
            raise ArgumentError(f"cv must be from 2 to the number of rows; got cv={cv} with n_samples={len(y)}")
        if not stratify and not metadata:
            return _contiguous(len(y), cv)
        counts = np.unique(y, return_counts=True)[1]
        if stratify and counts.min() < 2:
            raise DataError(
                f"y must hold two rows of each class or more to be cross-validated; the rarer has {counts.min()}"
            )
        if stratify and counts.max() < cv:
            from sklearn.model_selection import KFold

            cv = KFold(cv)
    elif isinstance(cv, str) and cv == "loo":
        raise ArgumentError(
            "cv='loo' is exact, and for ridge with a squared loss; leave out rows of another path by "
            "shrinkage.selection.leave_one_out, or give cv the number of rows"
        )
    elif isinstance(cv, (bool, str)) or not (hasattr(cv, "split") or isinstance(cv, Iterable)):
        what = "a whole number >= 2, a splitter, or an iterable of (train, test) row numbers"
        raise ArgumentError(f"cv must be {what}; got {cv!r}")
    from sklearn.model_selection import check_cv

    splitter: Any = check_cv(cast(Any, cv), y, classifier=stratify)
    metadata |= {} if groups is None else {"groups": groups}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The least populated class")
            warnings.filterwarnings("error", message="The groups parameter is ignored")
            pairs = list(splitter.split(np.zeros(len(y)) if X is None else X, y, **metadata))
        folds = Dealt((_index(train, len(y)), _index(test, len(y))) for train, test in pairs)
    except UserWarning as warning:
        if "groups parameter" not in str(warning):
            raise
        raise ArgumentError(
            f"groups must come with a splitter that keeps them together, such as GroupKFold; {_told(cv)} does not"
        ) from None
    except (ValueError, TypeError, IndexError) as error:
        if isinstance(error, ArgumentError):
            raise
        hint = "; groups must be given if it keeps them together" if groups is None else ""
        raise ArgumentError(f"cv ({_told(cv)}) cannot deal these {len(y)} rows: {error}{hint}") from error
    if not folds:
        raise ArgumentError("cv must yield at least one (train, test) pair; got none")
    return folds


def _contiguous(n: int, count: int) -> Dealt:
    """Folds of rows that follow each other, as scikit-learn's `KFold` without shuffling."""
    rows = np.arange(n)
    ends = [k * (n // count) + min(k, n % count) for k in range(count + 1)]
    folds = Dealt((np.concatenate([rows[:start], rows[stop:]]), rows[start:stop]) for start, stop in pairwise(ends))
    folds.parted = True
    return folds


def _told(cv: Any) -> str:
    """A number or splitter as it is; of pairs, which may be long, the type."""
    return repr(cv) if isinstance(cv, Integral) or hasattr(cv, "split") else type(cv).__name__


def _check_groups(cv: Any, groups: Any, n: int) -> Any:
    """Refuse groups that nothing reads, or of another length."""
    if groups is None:
        return None
    if not hasattr(cv, "split"):
        use = f"GroupKFold({cv})" if isinstance(cv, Integral) else "GroupKFold"
        raise ArgumentError(
            f"groups must come with a splitter that keeps them together, such as {use}; got {_told(cv)}"
        )
    if np.shape(groups) != (n,):
        raise ArgumentError(f"groups must have shape ({n},), one for each row of X; got {np.shape(groups)}")
    return groups


def check_folds(folds: list[Fold], problem: Problem) -> list[Fold]:
    """The folds, each of which can be fitted and scored."""
    y, weights = problem.y, problem.sample_weight
    logistic = problem.loss.name == "logistic"
    if isinstance(folds, Dealt) and folds.parted and weights is None and not logistic:
        return folds
    seen = np.zeros(len(y), bool)
    for k, (train, test) in enumerate(folds):
        _check_fold(k, train, test, weights, y if logistic else None, seen)
    return folds


def _index(rows, n: int) -> np.ndarray:
    rows = np.asarray(rows)
    if rows.ndim != 1 or (rows.dtype.kind not in "biu" and rows.size):
        raise ArgumentError(f"cv must yield vectors of row numbers; got shape {rows.shape} of {rows.dtype}")
    rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
    rows = rows if (rows[1:] > rows[:-1]).all() else np.unique(rows)
    if rows.size and (rows[0] < 0 or rows[-1] >= n):
        raise ArgumentError(f"cv must yield row numbers between 0 and {n - 1}; got {rows[0]} to {rows[-1]}")
    return rows


def _check_fold(
    k: int,
    train: np.ndarray,
    test: np.ndarray,
    weights: np.ndarray | None,
    classes: np.ndarray | None,
    seen: np.ndarray,
) -> None:
    """`seen` is False in every row, before and after."""
    seen[train] = True
    both = seen[test].any()
    seen[train] = False
    if both:
        raise ArgumentError(f"cv must hold out rows that the fold does not train on; fold {k} has rows in both")
    shares = (len(train), len(test)) if weights is None else (weights[train].sum(), weights[test].sum())
    if not min(shares) > 0:
        raise DataError(f"fold {k} of cv has no row with a positive weight to train on or to hold out")
    if classes is None:
        return
    trained = train if weights is None else train[weights[train] > 0]
    if len(np.unique(classes[trained])) < 2:
        raise DataError(f"y has a single class in the training rows of fold {k}: use fewer folds, or stratified ones")
