"""The final figures: a network, a linear model and a constant on rows that none of them has seen."""

import math
from dataclasses import dataclass

import numpy as np

from shrinkage.cli._fit import candidates_of
from shrinkage.cli._folds import deal
from shrinkage.cli._network_file import Network
from shrinkage.cli._request import Request
from shrinkage.cli._train_data import Rows
from shrinkage.cli._train_request import TrainRequest
from shrinkage.report import Figure

LINEAR_PENALTIES = ("l1", "l2")
MOST_FOLDS = 10
LARGEST_LOSS = 100.0
"""Of a row, cross-entropy: a class that was held impossible."""


@dataclass(frozen=True)
class Rival:
    """A model as its mean responses on the rows tested on.

    Attributes
    ----------
    name : str
    mean : ndarray
        (n_rows,) numbers, or (n_rows, n_classes) probabilities.
    size : int
        Numbers other than 0 that it holds.
    """

    name: str
    mean: np.ndarray
    size: int


def shares(mean: np.ndarray) -> np.ndarray:
    """Probabilities of all classes, (n_rows, n_classes), from those of all or of the second of two."""
    return mean if mean.ndim == 2 else np.column_stack([1.0 - mean, mean])


def network_rival(name: str, network: Network, data: Rows) -> Rival:
    """A network as it is saved."""
    mean = network.mean(data.X[data.tested_on])
    size = sum(int(np.count_nonzero(part)) for layer in network.layers for part in layer)
    return Rival(name, shares(mean) if data.is_class else mean, size)


def constant_rival(data: Rows) -> Rival:
    """The mean, or the shares of the classes, of the rows of the choice."""
    y, n_rows = data.y[data.chosen_on], len(data.tested_on)
    if not data.is_class:
        return Rival("constant", np.full(n_rows, y.mean()), 1)
    counts = np.bincount(y.astype(np.intp), minlength=data.n_outputs)
    return Rival("constant", np.tile(counts / counts.sum(), (n_rows, 1)), data.n_outputs - 1)


def linear_rival(request: TrainRequest, data: Rows, tell) -> Rival:
    """The better of lasso and ridge at its lowest cross-validated error on the rows of the choice.

    Not at the 1-SE strength: that a network is better should not be owed to a linear model's being shrunk.
    """
    y = data.y[data.chosen_on]
    logistic = data.target.loss == "logistic"
    folds = deal(y, min(MOST_FOLDS, len(y)), request.seed, stratify=logistic)
    asked = Request(request.data, request.target, penalties=LINEAR_PENALTIES, rule="min")
    found = candidates_of(asked, data.for_linear(), folds, lambda what: tell(f"linear model: {what}"))
    best = min(found, key=lambda candidate: candidate.error)
    eta = data.X[data.tested_on] @ best.coef + best.intercept
    mean = np.asarray(best.cv.path.loss.inverse_link(eta))
    return Rival(f"{best.title} (linear)", shares(mean) if logistic else mean, best.n_nonzero + 1)


def may_be_linear(data: Rows) -> str | None:
    """Why no linear model can stand beside the network; None if one can."""
    if data.target.loss == "logistic" and np.bincount(data.y[data.chosen_on].astype(np.intp)).min() < 2:
        return "a class has one row only outside the rows held out"
    return None


def figures_of(rivals: list[Rival], data: Rows) -> tuple[Figure, ...]:
    """Loss and score of each, with standard errors over rows; differences to the first, paired."""
    y = data.y[data.tested_on]
    losses = [_losses(rival.mean, y, data.is_class) for rival in rivals]
    constant = _losses(constant_rival(data).mean, y, data.is_class)
    return tuple(
        Figure(
            name=rival.name,
            loss=float(loss.mean()),
            loss_se=standard_error(loss),
            score=score,
            score_se=score_se,
            worse=float((loss - losses[0]).mean()),
            worse_se=standard_error(loss - losses[0]),
            size=rival.size,
        )
        for rival, loss in zip(rivals, losses, strict=True)
        for score, score_se in [_score(rival.mean, loss, constant, y, data.is_class)]
    )


def _losses(mean: np.ndarray, y: np.ndarray, is_class: bool) -> np.ndarray:
    """Row by row: minus the logarithm of the right class's probability, or the squared error."""
    if not is_class:
        return (y - mean) ** 2
    with np.errstate(divide="ignore"):
        return np.minimum(-np.log(mean[np.arange(len(y)), y.astype(np.intp)]), LARGEST_LOSS)


def _score(mean, loss, constant, y, is_class: bool) -> tuple[float, float]:
    """Share of right classes with its error, or the share of the constant's error that is explained."""
    if is_class:
        right = (mean.argmax(axis=1) == y).astype(np.float64)
        return float(right.mean()), standard_error(right)
    total = constant.sum()
    if total == 0:
        return math.nan, math.nan
    explained = 1.0 - loss.sum() / total
    # The ratio's error by its derivative: rows of loss - (1 - explained) · constant, over the constant's mean.
    return float(explained), standard_error(loss - (1.0 - explained) * constant) / float(constant.mean())


def standard_error(rows: np.ndarray) -> float:
    """Of their mean."""
    return float(rows.std(ddof=1) / math.sqrt(len(rows))) if len(rows) > 1 else math.nan
