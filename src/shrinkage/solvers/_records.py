"""What a solve returns: an answer, its certificate, and a status that can speak."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from scipy import sparse


class Status(Enum):
    """How a solve ended; the value is a sentence."""

    CONVERGED = "the relative duality gap is at most tol"
    GAP_ABOVE_TOL = "the relative duality gap is above tol: raise tol, or bring the columns of X to one scale"
    STATIONARY = "the penalty is not convex: optimality conditions hold, a duality gap does not exist"
    KKT_ABOVE_TOL = "the penalty is not convex, and optimality conditions hold only above tol: raise tol or gamma"


class Ending(Enum):
    """Why a path ends where it does; the value is a sentence."""

    GRID = "every strength of the grid was fitted"
    EXPLAINED = "the model explains more than 0.999 of the null model's loss; the path ends there"
    FLAT = "the share of the loss explained rose by less than 1e-5 of itself; the path ends there"
    WORSE = (
        "the mean score is more than a standard error worse than at its best, five strengths or more before; the path "
        "ends there"
    )


@dataclass(frozen=True)
class Solution:
    """The minimizer of a `Problem` for one strength.

    Attributes
    ----------
    coef : ndarray of shape (n_features,)
    intercept : float
    gap : float
        Duality gap, in the objective's unit.
    kkt : float
        Largest violation of the optimality conditions, in the gradient's unit.
    n_iter : int
        Restricted solves (linear systems factored or updated) spent on it.
    status : Status
    """

    coef: np.ndarray
    intercept: float
    gap: float
    kkt: float
    n_iter: int
    status: Status


@dataclass(frozen=True)
class PathColumns:
    """The minimizers for many strengths, one column each, in the order of `alphas`.

    Attributes
    ----------
    alphas : ndarray of shape (n_alphas,)
    coefs : scipy.sparse.csc_array of shape (n_features, n_alphas)
        In the raw units of X.
    intercepts, gaps, kkt : ndarray of shape (n_alphas,)
    n_iter : ndarray of shape (n_alphas,), integer
    status : tuple of Status
    n_passes : int
        Products of all of X with a block of vectors.
    ending : Ending
    """

    alphas: np.ndarray
    coefs: sparse.csc_array
    intercepts: np.ndarray
    gaps: np.ndarray
    kkt: np.ndarray
    n_iter: np.ndarray
    status: tuple[Status, ...]
    n_passes: int
    ending: Ending = Ending.GRID


@dataclass(frozen=True)
class FoldColumns:
    """A whole path on all rows and on the training rows of every fold.

    Attributes
    ----------
    path : PathColumns
        The fit on all rows.
    scores : ndarray of shape (n_alphas, n_folds)
        Mean held-out deviance (weighted by `sample_weight`), of the fit on that fold's training rows.
    gaps : ndarray of shape (n_alphas, n_folds)
        Relative duality gap of each fold's fit, in units of that fold's null objective.
    """

    path: PathColumns
    scores: np.ndarray
    gaps: np.ndarray


def statuses(relative_gaps: np.ndarray, tol: float) -> tuple[Status, ...]:
    """One status per strength."""
    if (relative_gaps <= tol).all():
        return (Status.CONVERGED,) * len(relative_gaps)
    return tuple(Status.CONVERGED if gap <= tol else Status.GAP_ABOVE_TOL for gap in relative_gaps)


def filled_columns(coefs: np.ndarray) -> sparse.csc_array:
    """Dense coefficients as sparse columns, exact zeros left out."""
    n_features, count = coefs.shape
    values = coefs.ravel(order="F")
    indices = np.tile(np.arange(n_features, dtype=np.int32), count)
    indptr = np.arange(0, values.size + 1, n_features) if n_features else np.zeros(count + 1)
    kept = values != 0
    if not kept.all():
        indptr = np.concatenate([[0], np.cumsum(kept.reshape(count, n_features).sum(axis=1))])
        values, indices = values[kept], indices[kept]
    return sparse.csc_array((values, indices, indptr.astype(np.int32)), shape=coefs.shape)
