"""What the models of censored times predict: relative risks, hazards, survival."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from shrinkage._check import finite_vector
from shrinkage._errors import ArgumentError
from shrinkage.estimators._baseline_hazard import BaselineHazard
from shrinkage.estimators._fitting import linear_predictor
from shrinkage.selection import concordance


class RelativeRisks:
    """Mixin: risks, survival and their concordance from the linear predictor and the baseline hazard."""

    baseline_: BaselineHazard
    coef_: np.ndarray

    def predict(self, X: Any, offset: ArrayLike | None = None) -> np.ndarray:
        """Logarithm of the hazard relative to a row with linear predictor 0: Xw + offset, shape (n_samples,).

        Parameters
        ----------
        X : array-like, table or sparse matrix of shape (n_samples, n_features)
        offset : array-like of shape (n_samples,), optional
            Known part of it.
        """
        check_is_fitted(self)
        return linear_predictor(self, X, offset)

    def predict_risk(self, X: Any, offset: ArrayLike | None = None) -> np.ndarray:
        """Hazard relative to a row with linear predictor 0: exp of `predict`, shape (n_samples,)."""
        return np.exp(self.predict(X, offset))

    def predict_cumulative_hazard(
        self, X: Any, times: ArrayLike, offset: ArrayLike | None = None, strata: ArrayLike | None = None
    ) -> np.ndarray:
        """Cumulative hazard H₀(t) exp(Xw + offset) of each row at some times.

        Parameters
        ----------
        X, offset
            As in `predict`.
        times : number, or array-like of shape (n_times,), in the unit of the times of `fit`
        strata : array-like of shape (n_samples,)
            Where the fit had strata.

        Returns
        -------
        ndarray of shape (n_samples, n_times), or (n_samples,) for one number
        """
        eta = self.predict(X, offset)
        if np.ndim(times) > 1:
            raise ArgumentError(f"times must be a number or a vector of them; got shape {np.shape(times)}")
        asked = finite_vector("times", np.atleast_1d(np.asarray(times)), np.size(times))
        places = self.baseline_.places(None if strata is None else np.asarray(strata), len(eta))
        curves = np.stack([self.baseline_.log_hazard(asked, k) for k in range(len(self.baseline_.strata))])
        hazards = np.exp(np.minimum(curves[places] + eta[:, None], 700.0))
        return hazards if np.ndim(times) else hazards[:, 0]

    def predict_survival(
        self, X: Any, times: ArrayLike, offset: ArrayLike | None = None, strata: ArrayLike | None = None
    ) -> np.ndarray:
        """Probability that each row outlives some times, exp of minus `predict_cumulative_hazard`, of its shape."""
        return np.exp(-self.predict_cumulative_hazard(X, times, offset, strata))

    def score(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        strata: ArrayLike | None = None,
    ) -> float:
        """Harrell's concordance of the risks with the times: `shrinkage.selection.concordance`."""
        return concordance(y, self.predict(X, offset), sample_weight, strata)

    def __sklearn_tags__(self):
        """Sparse X is accepted; y holds times and events."""
        tags = super().__sklearn_tags__()  # pyright: ignore[reportAttributeAccessIssue]
        tags.input_tags.sparse = True
        tags.target_tags.required = tags.target_tags.positive_only = True
        return tags
