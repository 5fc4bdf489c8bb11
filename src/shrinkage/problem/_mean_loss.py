"""The mean loss of a problem at many predictors: its value, its slopes, and slopes that are dual points."""

import numpy as np

from shrinkage._errors import ArgumentError, DataError
from shrinkage.losses import Huber, JointLoss, Loss, Quantile, Squared
from shrinkage.problem._dual import balance, minimize_free, project
from shrinkage.problem._joint import bounded_slopes


def check_joint(loss: JointLoss, y: np.ndarray, weights: np.ndarray, fit_intercept: bool) -> None:
    """Refuse an intercept, which a loss that couples rows does not see, and rows that say nothing.

    Raises
    ------
    ArgumentError, DataError
    """
    if fit_intercept:
        raise ArgumentError(f"fit_intercept must be False for {loss.name}: a constant changes nothing there")
    if not np.any(loss.informative(y, weights) > 0):
        raise DataError(f"y must hold an event with a positive weight for {loss.name}; all such rows have weight 0")


def row_loss(loss: Loss | JointLoss) -> Loss:
    """The loss, where what asks needs one of rows.

    Raises
    ------
    ArgumentError
        If it couples rows.
    """
    if isinstance(loss, JointLoss):
        raise ArgumentError(
            f"loss={loss.name!r} couples rows, which paths and cross-validation take; criteria, leave-one-out, "
            "relaxed and debiased fits need a loss of one row at a time"
        )
    return loss


def mean_losses(loss: Loss | JointLoss, y: np.ndarray, eta: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean losses (k,) at linear predictors (n_samples, k), for weights of sum 1."""
    if isinstance(loss, JointLoss):
        return np.asarray(loss.value(y, eta, weights))
    return weights @ loss.value(y[:, None], eta)


def gaps_of(
    loss: Loss | JointLoss, y: np.ndarray, weights: np.ndarray, primal: np.ndarray, dual: np.ndarray
) -> np.ndarray:
    """Gaps (k,) between objectives; where no dual point was found, to that of slopes 0, the least loss there is.

    Slopes of 0 satisfy every constraint. Where more columns are free than there are rows they may be the only ones.
    """
    gaps = primal - dual
    lost = np.isfinite(primal) & ~np.isfinite(gaps)
    if lost.any() and not isinstance(loss, JointLoss):
        gaps[lost] = primal[lost] + float(weights @ loss.conjugate(y, np.zeros(len(y))))
    return gaps


def null_loss(loss: Loss | JointLoss, objective: float, start: float) -> float:
    """The mean loss of a null model, or 0.0 where it explains y; `start` is that at the offset alone.

    Likelihoods have no unit: below 1e-10 the free columns tell the rows apart, and Newton steps end anywhere. Losses of
    errors have that of y, which may be small: what is left of them is rounding below 1e-20 of the start.
    """
    of_errors = isinstance(loss, Huber | Quantile)
    return objective if objective > (1e-20 * start if of_errors else 1e-10) else 0.0


def slopes(loss: Loss | JointLoss, y: np.ndarray, eta: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Derivatives of the mean loss in η (n_samples, k), divided by the weight of their row."""
    if isinstance(loss, JointLoss):
        return _per_weight(loss.gradient(y, eta, weights), weights)
    return loss.gradient(y[:, None], eta)


def dual_slopes(
    loss: Loss | JointLoss, y: np.ndarray, eta: np.ndarray, basis: np.ndarray, weights: np.ndarray, offset: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """Slopes near those at η (n_samples, k), orthogonal to the basis; for joint losses with their bounds (k,)."""
    if isinstance(loss, Squared):
        return -project(y[:, None] - eta, basis, weights), None
    if isinstance(loss, JointLoss):
        u, bounds = bounded_slopes(loss, y, eta, basis, weights, offset)
        return _per_weight(u, weights), bounds
    # those of the free block's minimizer, with what is left corrected
    columns = [minimize_free(loss, y, column, basis, weights, 1e-16)[1] for column in eta.T]
    return balance(loss, y[:, None], np.stack(columns, axis=1), basis, weights), None


def _per_weight(u: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.divide(u, weights[:, None], out=np.zeros_like(u), where=weights[:, None] > 0)
