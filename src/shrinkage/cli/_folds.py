"""Rows dealt into folds, and cross-validation with a recipe learned on the training rows of each."""

import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from shrinkage._errors import ArgumentError, DataError
from shrinkage._path import CrossValidation, Path, check_held_out, path, scorer
from shrinkage.cli._rows import Treatment
from shrinkage.losses import JointLoss, Multinomial
from shrinkage.problem import held_out_deviance, informative_weight
from shrinkage.tables import Recipe, Table

Fold = tuple[np.ndarray, np.ndarray]
NOTHING = Treatment()


def deal(y: np.ndarray, n_folds: int, seed: int, stratify: bool) -> list[Fold]:
    """Shuffle the rows and deal them like cards; with `stratify`, class by class, so that shares agree.

    Returns
    -------
    list of (training rows, held-out rows)
        Held-out parts differ in size by at most one row, and so do the counts of each class.
    """
    if n_folds > len(y):
        raise ArgumentError(f"--cv must be at most the number of rows, {len(y)}; got {n_folds}")
    order = np.random.default_rng(seed).permutation(len(y))
    if stratify:
        counts = np.bincount(y.astype(np.intp), minlength=2)
        if counts.min() < 2:
            raise DataError("a class has one row only; cross-validation needs at least 2 rows of each class")
        order = order[np.argsort(y[order], kind="stable")]
    fold_of = np.empty(len(y), dtype=np.intp)
    fold_of[order] = np.arange(len(y)) % n_folds
    return [(np.flatnonzero(fold_of != k), np.flatnonzero(fold_of == k)) for k in range(n_folds)]


def deal_groups(groups: np.ndarray, n_folds: int, seed: int) -> list[Fold]:
    """Folds that keep rows of one group together: groups in shuffled order, larger first, to the lightest fold."""
    counts = np.bincount(groups)
    if n_folds > len(counts):
        raise ArgumentError(f"--cv must be at most the number of groups, {len(counts)}; got {n_folds}")
    order = np.random.default_rng(seed).permutation(len(counts))
    fold_of, held = np.empty(len(counts), dtype=np.intp), np.zeros(n_folds, dtype=np.int64)
    for group in order[np.argsort(-counts[order], kind="stable")]:
        fold_of[group] = int(np.argmin(held))
        held[fold_of[group]] += counts[group]
    return [(np.flatnonzero(fold_of[groups] != k), np.flatnonzero(fold_of[groups] == k)) for k in range(n_folds)]


def deal_times(times: np.ndarray, n_folds: int) -> list[Fold]:
    """Folds that train on the past only: time is cut into n_folds + 1 parts, each after the first held out once.

    Rows of equal time stay in one part.

    Raises
    ------
    DataError
        If a part would be empty.
    """
    rank = np.searchsorted(np.sort(times), times)
    part = rank * (n_folds + 1) // len(times)
    folds = [(np.flatnonzero(part < k), np.flatnonzero(part == k)) for k in range(1, n_folds + 1)]
    if not all(len(train) and len(test) for train, test in folds):
        different = f"too few different times ({len(np.unique(times))})"
        raise DataError(f"{different} for {n_folds} folds that train on the past: lower --cv")
    return folds


def _held_out(
    fit: Path, part: Path, y: np.ndarray, weights: np.ndarray, offset: np.ndarray, rows: dict[str, tuple], score: str
) -> np.ndarray:
    """(n_alphas,) mean scores of a fold's fit, as `cross_validate` has them; `rows` are its parts: places, X."""
    loss: Any = fit.loss
    train, test = rows["train"][0], rows["test"][0]
    if isinstance(loss, Multinomial):
        return _held_out_classes(part, y[test], weights[test], rows["test"][1], score)
    eta = {
        name: np.asarray(X @ part.coefs) + part.intercepts + offset[places, None] for name, (places, X) in rows.items()
    }
    of_rows = scorer(score, cast(Any, fit.problem))
    if of_rows is not None:
        return of_rows(test, eta["test"])
    if not isinstance(loss, JointLoss):
        return np.average(loss.deviance(y[test][:, None], eta["test"]), axis=0, weights=weights[test])
    everywhere = np.zeros((len(y), len(fit.alphas)))
    everywhere[train], everywhere[test] = eta["train"], eta["test"]
    return held_out_deviance(loss, y, everywhere, weights, train, test)


def _held_out_classes(part: Path, codes: np.ndarray, weights: np.ndarray, X: np.ndarray, score: str) -> np.ndarray:
    """(n_alphas,) mean deviances, or shares of right classes, of rows with the numbers of their classes."""
    coefs = part.coefs.toarray().reshape((part.n_outputs, X.shape[1], -1))
    eta = np.tensordot(X, coefs, (1, 1)) + part.intercepts  # (n_rows, n_classes, n_alphas)
    own = codes.astype(np.intp)
    if score == "accuracy":
        return np.average(eta.argmax(axis=1) == own[:, None], axis=0, weights=weights)
    each = Multinomial().deviance(np.eye(part.n_outputs)[own], eta.transpose(2, 0, 1))
    return np.average(each, axis=1, weights=weights)


def cross_validate_with_recipe(
    table: Table,
    recipe: Recipe,
    y: np.ndarray,
    folds: Sequence[Fold],
    whole: Sequence[Path],
    settings: Sequence[dict],
    weights: np.ndarray | None,
    tell: Callable[[str], None],
    offset: np.ndarray | None = None,
    treatment: Treatment = NOTHING,
    score: str = "deviance",
) -> tuple[list[CrossValidation], list[float]]:
    """Score the strengths of each path with means and levels learned on training rows only, fold by fold.

    Parameters
    ----------
    whole : sequence of Path
        The fits on all rows, one per penalty; their strengths are scored.
    settings : sequence of dict
        Keyword arguments of `path`, one per penalty.
    offset : ndarray of shape (n_rows,), optional
    treatment : Treatment
        Columns that are not penalized, or bounded.
    score : str
        As `cross_validate` takes it.

    Returns
    -------
    list of CrossValidation, and of seconds spent on each penalty's folds
    """
    if whole[0].problem is not None:
        check_held_out(score, whole[0].problem, list(folds))
    scores = [np.empty((len(fit.alphas), len(folds))) for fit in whole]
    gaps = [np.empty_like(found) for found in scores]
    seconds = [0.0] * len(whole)
    held = np.ones(len(y)) if weights is None else weights
    shift = np.zeros(len(y)) if offset is None else offset
    for k, (train, test) in enumerate(folds):
        tell(f"fold {k + 1} of {len(folds)}")
        own = recipe.relearn(table, train, weights)
        X, X_test = own.apply(table, train)[0], own.apply(table, test)[0]
        known: dict[str, Any] = {} if offset is None else {"offset": offset[train]}
        for place, (fit, setting) in enumerate(zip(whole, settings, strict=True)):
            start = time.perf_counter()
            sample_weight = None if weights is None else weights[train]
            # a column that is constant here is no feature
            asked = treatment.stated({**setting, "alphas": fit.alphas, "stop": None}, own, table, partial=True)
            part = path(X, y[train], **asked, **known, sample_weight=sample_weight)
            rows = {"train": (train, X), "test": (test, X_test)}
            scores[place][:, k] = _held_out(fit, part, y, held, shift, rows, score)
            gaps[place][:, k] = part.relative_gaps
            seconds[place] += time.perf_counter() - start
    fold_weights = np.array([informative_weight(whole[0].loss, y, weights, test) for _, test in folds])
    results = [
        CrossValidation.from_scores(fit.alphas, found, fold_weights, fit, gap, score)
        for fit, found, gap in zip(whole, scores, gaps, strict=True)
    ]
    return results, seconds
