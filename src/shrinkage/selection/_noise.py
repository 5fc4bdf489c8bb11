"""The deviation of the noise, and the lasso strength that goes with it."""

from dataclasses import replace
from typing import cast

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from shrinkage._errors import DataError
from shrinkage._path import Path
from shrinkage.problem import Problem
from shrinkage.solvers import solve_path

_ITERATIONS = 200


def scaled_strength(n: float, p: int) -> float:
    """λ₀, the strength of the scaled lasso over the noise's deviation, for columns of length √n.

    √2 L(k/p) / √n with L(t) the upper normal quantile and k = L⁴(k/p) + 2 L²(k/p): Sun & Zhang (2013), JMLR 14, eq. 10
    and section 3 (the default of R's scalreg). Smaller than √(2 log p / n), and less biased.

    Examples
    --------
    >>> round(scaled_strength(100, 500), 4)
    0.2566
    """
    p = max(p, 4)

    def excess(k: float) -> float:
        square = float(norm.isf(k / p)) ** 2
        return k - square**2 - 2 * square

    k = cast(float, brentq(excess, 1e-9 * p, p / 2))
    return float(np.sqrt(2 / n) * norm.isf(k / p))


def scaled_lasso(problem: Problem, n: float, tol: float) -> tuple[float, np.ndarray, float]:
    """The strength α = λ₀σ whose own fit leaves residuals of deviation σ, with its coefficients and intercept.

    σ = ‖y - Xw - b‖ / √n, w the lasso at λ₀σ: Sun & Zhang (2012), Biometrika 99(4), eq. 3-4. Iterated from above, where
    it falls to the largest such σ.
    """
    unit = scaled_strength(n, problem.design.shape[1])
    sigma = whole = float(np.sqrt(2 * problem.null.objective))
    coef, intercept = np.zeros(problem.design.shape[1]), 0.0
    for _ in range(_ITERATIONS):
        if sigma <= 1e-6 * whole:
            raise DataError("y is explained without noise: there is no deviation to build intervals from")
        coef, intercept = lasso_at(problem, unit * sigma, tol)
        left = problem.y - problem.linear_predictor(coef, intercept)
        last, sigma = sigma, float(np.sqrt(problem.weights @ left**2))
        if abs(last - sigma) <= 1e-7 * sigma:
            break
    return unit * sigma, coef, intercept


def residual_deviation(problem: Problem, n: float, coef: np.ndarray, intercept: float) -> float:
    """√(Σ s r² / (n - |support| - 1)), r = y - Xw - b: Reid, Tibshirani & Friedman (2016), Statist. Sinica 26."""
    left = problem.y - problem.linear_predictor(coef, intercept)
    spent = np.count_nonzero(coef) + int(problem.fit_intercept)
    if spent >= n:
        raise DataError(
            f"the lasso spends {spent} degrees of freedom of {n:g} rows: nothing is left to tell the noise by; raise "
            "alpha, or give sigma"
        )
    return float(np.sqrt(n * (problem.weights @ left**2) / (n - spent)))


def lasso_at(problem: Problem, alpha: float, tol: float) -> tuple[np.ndarray, float]:
    """Coefficients and intercept at one strength."""
    found = solve_path(problem, np.array([alpha]), tol)
    return found.coefs.toarray()[:, 0], float(found.intercepts[0])


def without_offset(problem: Problem) -> Problem:
    """A squared-loss problem whose response carries its offset."""
    return problem if problem.offset is None else replace(problem, y=problem.y - problem.offset, offset=None)


def chosen_fit(path: Path, index: int) -> tuple[float, np.ndarray, float]:
    """Strength, coefficients and intercept of one place of a path."""
    return float(path.alphas[index]), path.coefs[:, [index]].toarray()[:, 0], float(path.intercepts[index])
