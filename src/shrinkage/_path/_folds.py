"""Which rows each fold trains on and holds out: what `cv` and `groups` mean, for every caller."""

import warnings
from collections.abc import Iterable
from itertools import pairwise
from numbers import Integral
from typing import Any, cast

import numpy as np

from shrinkage._check import check_positive_int
from shrinkage._errors import ArgumentError, DataError
from shrinkage.losses import JointLoss
from shrinkage.problem import Problem, informative_weight

Fold = tuple[np.ndarray, np.ndarray]


class Dealt(list[Fold]):
    """Folds that `fold_rows` has dealt: it takes them as they are; `parted` if they part the rows, all of them."""

    parted = False


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
        values, counts = np.unique(y, return_counts=True)
        if stratify and counts.min() < 2:
            raise DataError(
                f"y must hold two rows of each class or more to be cross-validated; the rarer has {counts.min()}"
            )
        if stratify and counts.max() < cv:
            from sklearn.model_selection import KFold

            cv = KFold(cv)
        elif stratify and not metadata and np.array_equal(values, [0, 1]):
            return _stratified(y, cv)
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


def strata_of(problem: Problem, cv: Any) -> tuple[np.ndarray, bool]:
    """What folds may be stratified by, and whether an int as cv asks for it: classes, or events where both are many."""
    if not isinstance(problem.loss, JointLoss):
        return problem.y, problem.loss.name == "logistic"
    events = problem.y[:, 1]
    least = int(cv) if isinstance(cv, Integral) else 10
    return events, bool(np.unique(events).size == 2 and min(events.sum(), (1 - events).sum()) >= least)


def _contiguous(n: int, count: int) -> Dealt:
    """Folds of rows that follow each other, as scikit-learn's `KFold` without shuffling."""
    rows = np.arange(n)
    ends = [k * (n // count) + min(k, n % count) for k in range(count + 1)]
    folds = Dealt((np.concatenate([rows[:start], rows[stop:]]), rows[start:stop]) for start, stop in pairwise(ends))
    folds.parted = True
    return folds


def _stratified(y: np.ndarray, count: int) -> Dealt:
    """Folds with a share of each of two classes, as scikit-learn's `StratifiedKFold` without shuffling."""
    n, k = len(y), np.arange(count)
    first = y == y[0]
    sizes = -((k - n) // count)  # rows k, k + count, ... of all
    of_first = np.maximum(-((k - int(first.sum())) // count), 0)  # and of those sorted by class, the first class's
    fold = np.empty(n, np.int64)
    fold[first] = np.repeat(k, of_first)
    fold[~first] = np.repeat(k, sizes - of_first)
    folds = Dealt((np.flatnonzero(fold != part), np.flatnonzero(fold == part)) for part in k)
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
    joint = isinstance(problem.loss, JointLoss)
    if isinstance(folds, Dealt) and folds.parted and weights is None and not logistic and not joint:
        return folds
    seen = np.zeros(len(y), bool)
    for k, (train, test) in enumerate(folds):
        check_fold(k, train, test, weights, y if logistic else None, seen)
        for rows, what in ((train, "train on"), (test, "hold out")) if joint else ():
            if not informative_weight(problem.loss, y, weights, rows) > 0:
                raise DataError(f"fold {k} of cv has no event to {what}: use fewer folds, or stratified ones")
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


def check_fold(
    k: int,
    train: np.ndarray,
    test: np.ndarray,
    weights: np.ndarray | None,
    classes: np.ndarray | None,
    seen: np.ndarray,
) -> None:
    """Refuse a fold that trains on what it holds out, or on nothing; `seen` is False in every row, before and after."""
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
