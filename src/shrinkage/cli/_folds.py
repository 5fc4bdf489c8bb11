"""Rows dealt into folds, and cross-validation with a recipe learned on the training rows of each."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from shrinkage._errors import ArgumentError, DataError
from shrinkage._path import CrossValidation, Path, path
from shrinkage.tables import Recipe, Table

Fold = tuple[np.ndarray, np.ndarray]


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


def cross_validate_with_recipe(
    table: Table,
    recipe: Recipe,
    y: np.ndarray,
    folds: Sequence[Fold],
    whole: Sequence[Path],
    settings: Sequence[dict],
    weights: np.ndarray | None,
    tell: Callable[[str], None],
) -> tuple[list[CrossValidation], list[float]]:
    """Score the strengths of each path with means and levels learned on training rows only, fold by fold.

    Parameters
    ----------
    whole : sequence of Path
        The fits on all rows, one per penalty; their strengths are scored.
    settings : sequence of dict
        Keyword arguments of `path`, one per penalty.

    Returns
    -------
    list of CrossValidation, and of seconds spent on each penalty's folds
    """
    scores = [np.empty((len(fit.alphas), len(folds))) for fit in whole]
    gaps = [np.empty_like(score) for score in scores]
    seconds = [0.0] * len(whole)
    held = np.ones(len(y)) if weights is None else weights
    for k, (train, test) in enumerate(folds):
        tell(f"fold {k + 1} of {len(folds)}")
        own = recipe.relearn(table, train, weights)
        X, X_test = own.apply(table, train)[0], own.apply(table, test)[0]
        for place, (fit, setting) in enumerate(zip(whole, settings, strict=True)):
            start = time.perf_counter()
            sample_weight = None if weights is None else weights[train]
            part = path(X, y[train], **{**setting, "alphas": fit.alphas}, sample_weight=sample_weight)
            eta = np.asarray(X_test @ part.coefs) + part.intercepts
            deviances = fit.loss.deviance(y[test][:, None], eta)
            scores[place][:, k] = np.average(deviances, axis=0, weights=held[test])
            gaps[place][:, k] = part.relative_gaps
            seconds[place] += time.perf_counter() - start
    fold_weights = np.array([held[test].sum() for _, test in folds])
    results = [
        CrossValidation.from_scores(fit.alphas, score, fold_weights, fit, gap)
        for fit, score, gap in zip(whole, scores, gaps, strict=True)
    ]
    return results, seconds
