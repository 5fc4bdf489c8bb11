"""What the estimators of positive responses share: means of a log link, exposures, the deviance explained."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shrinkage._check import finite_vector, weight_vector
from shrinkage._errors import ArgumentError
from shrinkage.design import as_design
from shrinkage.estimators import _equivalents
from shrinkage.estimators._fitting import linear_predictor
from shrinkage.losses import Loss
from shrinkage.penalties import L1
from shrinkage.problem import Problem


class LogLink:
    """Mixin: the mean is exp(Xw + b + offset), and `score` is the share of deviance explained."""

    def _loss(self) -> Loss:
        """The loss that the parameters state."""
        raise NotImplementedError

    def predict(self, X: Any, offset: ArrayLike | None = None) -> np.ndarray:
        """Mean response, exp(Xw + b + offset).

        Parameters
        ----------
        X : array-like, table or sparse matrix of shape (n_samples, n_features)
        offset : array-like of shape (n_samples,), optional
            Known part of the linear predictor of each row.

        Returns
        -------
        ndarray of shape (n_samples,), float64
        """
        return self._loss().inverse_link(linear_predictor(self, X, offset))

    def score(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None
    ) -> float:
        """Share of the deviance that the model explains, D² = 1 - D(y, μ) / D(y, null); 1 is best.

        Parameters
        ----------
        X : array-like, table or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight, offset : array-like of shape (n_samples,), optional

        Returns
        -------
        float
            The null model is the best intercept for these rows, beside the offset; where it explains y, 1 for a perfect
            prediction and else 0.
        """
        return deviance_explained(self._loss(), y, linear_predictor(self, X, offset), sample_weight, offset)

    equivalent_calls = _equivalents.equivalent_calls

    def __sklearn_tags__(self):
        """Sparse X is accepted; y has to be positive, or at least not negative."""
        tags = super().__sklearn_tags__()  # pyright: ignore[reportAttributeAccessIssue]
        tags.input_tags.sparse = True
        tags.target_tags.positive_only = True
        return tags


class Exposed(LogLink):
    """Mixin of counts: as `LogLink`, and the mean is proportional to an `exposure`."""

    _predicts_rates = True  # an exposure is an offset, and predictions without one are rates: no reason to warn

    def predict(self, X: Any, offset: ArrayLike | None = None, exposure: ArrayLike | None = None) -> np.ndarray:
        """Mean count, exposure · exp(Xw + b + offset).

        Parameters
        ----------
        X : array-like, table or sparse matrix of shape (n_samples, n_features)
        offset : array-like of shape (n_samples,), optional
            Known part of the linear predictor of each row.
        exposure : array-like of shape (n_samples,), > 0, optional
            What a count is in proportion to: years, area, persons. None is 1: the rate.

        Returns
        -------
        ndarray of shape (n_samples,), float64
        """
        eta = linear_predictor(self, X, offset)
        return self._loss().inverse_link(eta if exposure is None else eta + log_exposure(exposure, len(eta)))

    def score(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        exposure: ArrayLike | None = None,
    ) -> float:
        """Share of the deviance that the model explains, D² = 1 - D(y, μ) / D(y, null); 1 is best.

        Parameters
        ----------
        X : array-like, table or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight, offset, exposure : array-like of shape (n_samples,), optional

        Returns
        -------
        float
            The null model is the best intercept for these rows, beside offset and exposure; where it explains y, 1 for
            a perfect prediction and else 0.
        """
        eta = linear_predictor(self, X)
        known = with_exposure(offset, exposure, len(eta))
        eta = eta if known is None else eta + finite_vector("offset", known, len(eta))
        return deviance_explained(self._loss(), y, eta, sample_weight, known)


def with_exposure(offset: Any, exposure: Any, n: int) -> Any:
    """The offset that an offset and an exposure make together; None for neither."""
    if exposure is None:
        return offset
    logs = log_exposure(exposure, n)
    return logs if offset is None else finite_vector("offset", offset, n) + logs


def log_exposure(exposure: Any, n: int) -> np.ndarray:
    """Logarithm of exposures (n,), which have to be positive."""
    values = finite_vector("exposure", exposure, n)
    if n and values.min() <= 0:
        row = int(np.argmin(values))
        raise ArgumentError(f"exposure must be > 0; position {row} is {values[row]}: leave out rows of none")
    return np.log(values)


def deviance_explained(loss: Loss, y: Any, eta: np.ndarray, sample_weight: Any, offset: Any) -> float:
    """1 - mean deviance at eta / mean deviance of the best intercept beside the offset."""
    n = len(eta)
    y = finite_vector("y", y, n)
    weights = None if sample_weight is None else weight_vector("sample_weight", sample_weight, n)
    nothing = as_design(np.zeros((n, 1)))
    null = 2.0 * Problem(nothing, y, loss, L1(1.0), weights, offset, True).null.objective
    left = float(np.average(loss.deviance(y, eta), weights=weights))
    if null > 0:
        return 1.0 - left / null
    return 1.0 if left <= 1e-12 else 0.0
