"""Which losses the compiled core knows, and by what numbers."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from shrinkage import _core
from shrinkage.losses import (
    Cox,
    Gamma,
    Huber,
    JointLoss,
    Logistic,
    Loss,
    NegativeBinomial,
    Poisson,
    Quantile,
    Squared,
    Tweedie,
)


def has_native(loss: Loss | JointLoss) -> bool:
    """Whether the engine takes a loss; the others take FISTA."""
    return isinstance(loss, Squared | Logistic | Cox) or _kind(loss) is not None


def native_fit(loss: Loss | JointLoss) -> Callable[..., Any]:
    """What makes a fit of (y, weights, offset, free columns, whether they are the intercept alone)."""
    if isinstance(loss, Logistic):
        return _core.LogisticFit
    if isinstance(loss, Cox):
        return partial(_cox_fit, loss)
    assert not isinstance(loss, JointLoss)
    kind, parameters = native_kind(loss)
    return partial(_core.RowLossFit, kind, np.array(parameters, dtype=np.float64))


def native_risk_sets(loss: Cox, y: np.ndarray, weights: np.ndarray) -> _core.RiskSets:
    """Who is at risk when, as the core keeps it."""
    columns = [np.ascontiguousarray(y[:, k]) for k in range(y.shape[1])]
    stratum = columns[2] if len(columns) > 2 else np.zeros(len(y))
    return _core.RiskSets(columns[0], columns[1], stratum, np.ascontiguousarray(weights), loss.ties == "efron")


def _cox_fit(loss: Cox, y: np.ndarray, weights: np.ndarray, *rest: Any) -> _core.CoxFit:
    return _core.CoxFit(native_risk_sets(loss, y, weights), np.ascontiguousarray(y[:, 1]), weights, *rest)


def native_kind(loss: Loss) -> tuple[Any, list[float]]:
    """The number of a loss of one predictor in the core, and its parameters."""
    known = _kind(loss)
    assert known is not None
    return known


def _kind(loss: Loss | JointLoss) -> tuple[Any, list[float]] | None:
    kinds = _core.LossKind
    match loss:
        case Squared():
            return kinds.squared, []
        case Poisson() | Tweedie(power=1.0):
            return kinds.poisson, []
        case Gamma() | Tweedie(power=2.0):
            return kinds.gamma, []
        case Tweedie():
            return kinds.tweedie, [loss.power]
        case NegativeBinomial():
            return kinds.negative_binomial, [loss.theta]
        case Huber():
            return kinds.clipped, [-loss.delta, loss.delta, 1.0]
        case Quantile():
            return kinds.clipped, [loss.quantile - 1.0, loss.quantile, loss.smoothing]
    return None
