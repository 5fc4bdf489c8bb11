"""Refits without a penalty on rows that chose nothing: p-values of t-tests, likelihood ratios or Wald tests."""

import numpy as np
from scipy import special

from shrinkage._errors import DataError

_STEPS = 50
_FAR = 30.0  # a linear predictor beyond this says that the classes are separated


def t_test(X: np.ndarray, free: np.ndarray, y: np.ndarray, weights: np.ndarray, n: float | None = None) -> np.ndarray:
    """Two-sided p-values (k,) of the columns of X in weighted least squares on X and `free`.

    1 where a coefficient is not determined by the rows. A row of weight 2 counts as two rows, unless the number of rows
    `n` is said: then weights are inverse variances, and their size is nothing.
    """
    root = np.sqrt(weights)
    A, b = np.column_stack([X, free]) * root[:, None], y * root
    lengths = np.sqrt((A * A).sum(0))
    lengths[lengths == 0] = 1.0
    left, singular, right = np.linalg.svd(A / lengths, full_matrices=False)
    kept = singular > 1e-9 * singular.max(initial=0.0)
    left, singular, right = left[:, kept], singular[kept], right[kept]
    freedom = (weights.sum() if n is None else n) - len(singular)
    coef = right.T @ ((left.T @ b) / singular)
    rest = b - left @ (left.T @ b)
    variances = ((right.T / singular) ** 2).sum(1) * (rest @ rest) / freedom
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(coef) / np.sqrt(variances)
    p = 2 * special.stdtr(freedom, -np.nan_to_num(t, nan=0.0, posinf=np.inf))
    return np.where(_determined(right), p, 1.0)[: X.shape[1]]


def logistic_test(
    X: np.ndarray, free: np.ndarray, y: np.ndarray, weights: np.ndarray, offset: np.ndarray, test: str
) -> np.ndarray:
    """Two-sided p-values (k,) of the columns of X in logistic regression on X and `free`, by chi-squared limits.

    "likelihood": twice the fall of the log likelihood without the column; "wald": (coefficient / standard error)².

    Raises
    ------
    DataError
        If the rows separate the classes: there is no maximum of the likelihood.
    """
    k = X.shape[1]
    A = np.column_stack([X, free])
    lengths = np.sqrt((A * A).sum(0))
    A = A / np.where(lengths > 0, lengths, 1.0)
    _, singular, right = np.linalg.svd(A * np.sqrt(weights)[:, None], full_matrices=False)
    determined = _determined(right[singular > 1e-9 * singular.max(initial=0.0)])[:k]
    coef, deviance, inverse = _fit_logistic(A, y, weights, offset)
    if test == "wald":
        variances = np.diag(inverse)[:k]
        statistic = coef[:k] ** 2 / np.where(variances > 0, variances, np.inf)
    else:
        without = [_fit_logistic(np.delete(A, j, axis=1), y, weights, offset)[1] for j in range(k)]
        statistic = np.maximum(np.array(without) - deviance, 0.0) if k else np.zeros(0)
    return np.where(determined, special.chdtrc(1, statistic), 1.0)


def _determined(right: np.ndarray) -> np.ndarray:
    """(n_columns,) whether each coefficient is fixed by the rows: no part of it lies in the null space."""
    return (right**2).sum(0) > 1 - 1e-7


def _fit_logistic(A: np.ndarray, y, weights, offset) -> tuple[np.ndarray, float, np.ndarray]:
    """Coefficients, deviance and the inverse of the information, by Newton's method with halved steps."""
    coef = np.zeros(A.shape[1])
    eta = offset.copy()
    deviance, decrement, inverse = _deviance(y, eta, weights), 0.0, np.zeros((A.shape[1], A.shape[1]))
    for _ in range(_STEPS):
        mean = special.expit(eta)
        inverse = np.linalg.pinv((A * (weights * mean * (1 - mean))[:, None]).T @ A, rcond=1e-12, hermitian=True)
        slope = A.T @ (weights * (y - mean))
        step, length = inverse @ slope, 1.0
        while (new := _deviance(y, offset + A @ (coef + length * step), weights)) > deviance + 1e-12 and length > 1e-8:
            length /= 2
        coef = coef + length * step
        eta = offset + A @ coef
        if np.abs(eta - offset).max() > _FAR:
            raise DataError("the rows separate the classes: the likelihood has no maximum")
        decrement, deviance = float(slope @ step), new
        if decrement < 1e-18 * (1.0 + deviance):  # so far on that separated rows have gone beyond _FAR before
            break
    if decrement < 1e-8 * (1.0 + deviance):
        return coef, deviance, inverse
    raise DataError("the rows nearly separate the classes: the likelihood has no maximum within reach")


def _deviance(y: np.ndarray, eta: np.ndarray, weights: np.ndarray) -> float:
    return float(2 * weights @ (np.logaddexp(0.0, eta) - y * eta))
