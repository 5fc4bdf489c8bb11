"""How wide the errors are, where some of them may be gross."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shrinkage._check import finite_vector, weight_vector
from shrinkage._path import path
from shrinkage.losses import Quantile
from shrinkage.selection._row_weights import meaning_of

NORMAL = 1.4826
"""Standard deviations of normal errors per median absolute error."""

LARGEST = 3.0
"""Spreads of y beyond which an error counts no more when models are compared, lest gross ones decide."""


def median_spread(values: ArrayLike, sample_weight: ArrayLike | None = None, center: float | None = None) -> float:
    """Spread of numbers, half of which may be anything: 1.4826 median |v - median v|, a standard deviation if normal.

    Parameters
    ----------
    values : array-like of shape (n_samples,)
    sample_weight : array-like of shape (n_samples,), optional
        2 means the number twice.
    center : float, optional
        Instead of the median.

    Returns
    -------
    float > 0
        Where more than half of the numbers agree, 1.2533 times their mean absolute deviation; where all agree, their
        size, and for zeros 1.

    References
    ----------
    Hampel (1974), The Influence Curve and Its Role in Robust Estimation, J. Amer. Statist. Assoc. 69(346).

    Examples
    --------
    >>> round(median_spread([1.0, 2.0, 3.0, 4.0, 1e9]), 4)
    1.4826
    """
    v = finite_vector("values", values, len(np.asarray(values)))
    weights = np.ones(len(v)) if sample_weight is None else weight_vector("sample_weight", sample_weight, len(v))
    center = _median(v, weights) if center is None else center
    away = np.abs(v - center)
    spread = NORMAL * _median(away, weights)
    least = 1e-12 * float(np.max(np.abs(v), initial=0.0, where=weights > 0))
    if spread <= least:
        spread = 1.2533 * float(np.average(away, weights=weights))
    return spread if spread > least else (1e12 * least or 1.0)


def _median(values: np.ndarray, weights: np.ndarray) -> float:
    return float(np.quantile(values, 0.5, weights=weights, method="inverted_cdf"))


def error_scale(
    X: Any,
    y: ArrayLike,
    fit_intercept: bool = True,
    standardize: bool = False,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    penalty_factor: ArrayLike | None = None,
) -> float:
    """Standard deviation of the errors of a linear model, if most of them are normal: from a median regression.

    A path of L1-penalized median regressions, 20 strengths down to a fiftieth of the largest; of them the one with the
    lowest log V + k log(n) log(p) / (2n), V the mean absolute error, where one counts up to three times the
    `median_spread` of y (less the offset), and k its coefficients (at most n/2); of its residuals
    1.4826 median |r| √(n / (n - k)). log p counts as 1 at least. Rounded to two digits: no more is known.

    Parameters
    ----------
    X : array-like, table, sparse matrix or design of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
    fit_intercept, standardize, sample_weight, offset, penalty_factor
        As in `path`; n counts rows, or their weights if these are whole numbers.

    Returns
    -------
    float > 0, in the unit of y

    References
    ----------
    Lee, Noh & Park (2014), Model Selection via Bayesian Information Criterion for Quantile Regression Models,
    J. Amer. Statist. Assoc. 109(505), equation 3. Huber & Ronchetti (2009), Robust Statistics, section 7.8.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 5))
    >>> y = X[:, 0] + 0.5 * rng.normal(size=200)
    >>> y[:20] += 100.0
    >>> 0.4 < error_scale(X, y) < 0.7
    True
    """
    y = np.asarray(y, dtype=np.float64)
    known = np.zeros(len(y)) if offset is None else finite_vector("offset", offset, len(y))
    weights = None if sample_weight is None else weight_vector("sample_weight", sample_weight, len(y))
    rough = median_spread(y - known, weights)
    fitted = path(
        X, y, Quantile(0.5, 0.05 * rough), n_alphas=20, alpha_min_ratio=0.02, fit_intercept=fit_intercept,
        standardize=standardize, sample_weight=sample_weight, offset=offset, penalty_factor=penalty_factor,
    )  # fmt: skip
    problem = fitted.problem
    assert problem is not None
    predictors = [problem.linear_predictor(fitted.coefs[:, [t]], b) for t, b in enumerate(fitted.intercepts)]
    residuals = [y - eta for eta in predictors]
    counted = meaning_of(weights, None)
    n = float(len(y) if weights is None else weights.sum() if counted == "counts" else np.count_nonzero(weights))
    sizes = fitted.n_nonzero + int(fit_intercept)
    room = np.flatnonzero(sizes <= n / 2)
    if not room.size:
        return _two_digits(rough)
    price = np.log(n) * max(1.0, np.log(problem.design.shape[1])) / (2 * n)
    limited = [problem.weights @ np.minimum(np.abs(residuals[t]), LARGEST * rough) for t in room]
    losses = np.log(np.maximum(limited, 1e-12 * rough)) + price * sizes[room]
    best = int(room[np.argmin(losses)])
    scale = median_spread(residuals[best], weights, center=0.0) * np.sqrt(n / (n - sizes[best]))
    return _two_digits(max(float(scale), 1e-6 * rough))


def _two_digits(value: float) -> float:
    return float(f"{value:.1e}")
