"""What rows held out say of a fit: deviances, errors in the unit of y, ranks and classes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkage._check import check_choice
from shrinkage._errors import ArgumentError, DataError
from shrinkage._path._concordance import concordance
from shrinkage.losses import JointLoss, Loss
from shrinkage.problem import Problem

Array = np.ndarray


@dataclass(frozen=True)
class Score:
    """One measure of predictions on rows held out.

    Attributes
    ----------
    words : str
        What an axis says.
    of : callable
        (loss, y (n,), eta (n, k), shares (n,) of sum 1) -> (k,).
    more_is_better : bool
    classes, times : bool
        Whether it is for two classes only, or for censored times only.
    """

    words: str
    of: Callable[[Any, Array, Array, Array], Array]
    more_is_better: bool = False
    classes: bool = False
    times: bool = False


def _deviance(loss: Loss, y: Array, eta: Array, shares: Array) -> Array:
    return shares @ loss.deviance(y[:, None], eta)


def _absolute(loss: Loss, y: Array, eta: Array, shares: Array) -> Array:
    return shares @ np.abs(y[:, None] - loss.inverse_link(eta))


def _squared(loss: Loss, y: Array, eta: Array, shares: Array) -> Array:
    return shares @ (y[:, None] - loss.inverse_link(eta)) ** 2


def _accuracy(loss: Loss, y: Array, eta: Array, shares: Array) -> Array:
    return shares @ ((eta > 0) == (y[:, None] == 1))


def _ranks(loss: Loss, y: Array, eta: Array, shares: Array) -> Array:
    return np.array([area_under_curve(y, column, shares) for column in eta.T])


def area_under_curve(y: Array, eta: Array, weights: Array) -> float:
    """Weighted share of pairs of a row of class 1 and a row of class 0 that eta ranks rightly; a tie counts half.

    Examples
    --------
    >>> area_under_curve(np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.2, 0.7]), np.ones(3))
    0.75
    """
    values, place = np.unique(eta, return_inverse=True)
    ones = np.bincount(place, weights * y, len(values))
    zeros = np.bincount(place, weights * (1.0 - y), len(values))
    below = np.cumsum(zeros) - 0.5 * zeros
    return float(ones @ below / (ones.sum() * zeros.sum()))


def _concordances(loss: Loss, y: Array, eta: Array, shares: Array) -> Array:
    return np.array([concordance(y, column, shares) for column in eta.T])


SCORES = {
    "deviance": Score("mean deviance", _deviance),
    "mse": Score("mean squared error", _squared),
    "mae": Score("mean absolute error", _absolute),
    "auc": Score("area under the ROC curve", _ranks, more_is_better=True, classes=True),
    "accuracy": Score("share of right classes", _accuracy, more_is_better=True, classes=True),
    "c_index": Score("concordance of risks and times", _concordances, more_is_better=True, times=True),
}
"""Scores by the name that `score=` takes."""


def scorer(score: str, problem: Problem) -> Callable[[Array, Array], Array] | None:
    """What scores linear predictors (len(rows), k) of held-out rows as (k,); None for what every solver knows itself.

    Raises
    ------
    ArgumentError
        If there is no such score, or the loss has none.
    """
    check_choice("score", score, tuple(SCORES))
    measure, loss = SCORES[score], problem.loss
    if measure.classes and loss.name != "logistic":
        raise ArgumentError(f"score={score!r} is of two classes and needs loss='logistic'; got {loss.name!r}")
    joint = isinstance(loss, JointLoss)
    if measure.times and not joint:
        raise ArgumentError(f"score={score!r} is of censored times and needs loss='cox'; got {loss.name!r}")
    if joint and score != "deviance" and not measure.times:
        raise ArgumentError(f"score must be 'deviance' or 'c_index' for loss={loss.name!r}; got {score!r}")
    if score == "deviance" or (score == "mse" and loss.name == "squared"):
        return None
    weights = np.ones(len(problem.y)) if problem.sample_weight is None else problem.sample_weight

    def of_rows(rows: Array, eta: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):  # `refuse_lost_folds` says so, in words
            return measure.of(loss, problem.y[rows], eta, weights[rows] / weights[rows].sum())

    return of_rows


def mean_and_error(scores: Array, share: Array) -> tuple[Array, Array]:
    """Means (n_alphas,) over folds of scores (n_alphas, n_folds), and their standard errors; of one fold nan.

    Squares of scores beyond 1e150, as Poisson's may be on rows far from those of the fit, are taken in their own unit.
    """
    largest = np.abs(scores).max(initial=0.0, where=np.isfinite(scores))
    unit = largest if largest > 1e150 else 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        mean = scores @ share
        if scores.shape[1] == 1:
            return mean, np.full(len(mean), np.nan)
        spread = (((scores - mean[:, None]) / unit) ** 2) @ share
        return mean, unit * np.sqrt(spread / (scores.shape[1] - 1))


def refuse_lost_folds(scores: Array) -> None:
    """Refuse folds whose scores (n_alphas, n_folds) are not finite at any strength: nothing can be chosen by them."""
    if not scores.size or np.isfinite(scores).all(axis=1).any():
        return
    fold = int(np.isfinite(scores).sum(axis=0).argmin())
    raise DataError(
        f"no strength has a finite score in every fold; in fold {fold} predictions of the rows held out are beyond the "
        "largest number: penalize the columns of factor 0, or begin with larger strengths or other folds"
    )


def check_held_out(score: str, problem: Problem, folds: list[tuple[Array, Array]]) -> None:
    """Refuse folds that a score cannot judge: ranks need both classes among the rows held out."""
    weights = np.ones(len(problem.y)) if problem.sample_weight is None else problem.sample_weight
    if score == "c_index":
        for k, (_, test) in enumerate(folds):
            try:
                concordance(problem.y[test], np.zeros(len(test)), weights[test])
            except DataError:
                raise DataError(
                    f"score='c_index' compares the rows that a fold holds out; of those of fold {k} none dies while "
                    "another is still seen: use fewer folds, or stratified ones"
                ) from None
    if score != "auc":
        return
    for k, (_, test) in enumerate(folds):
        share = weights[test] @ problem.y[test] / weights[test].sum()
        if not 0 < share < 1:
            raise DataError(
                f"score='auc' ranks one class against the other; the rows that fold {k} holds out are all of one: "
                "use fewer folds, or stratified ones"
            )
