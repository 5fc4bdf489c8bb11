"""The mean loss of a problem at many predictors: its value, its slopes, and slopes that are dual points."""

import numpy as np

from shrinkage._errors import ArgumentError, DataError
from shrinkage.losses import JointLoss, Loss, Squared
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
