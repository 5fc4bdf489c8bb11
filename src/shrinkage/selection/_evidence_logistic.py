"""The evidence of a logistic ridge, by Laplace's approximation around each fit."""

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import optimize

from shrinkage.penalties import L1L2
from shrinkage.selection._evidence_data import free_directions, measured, rows
from shrinkage.selection._evidence_ridge import Peak
from shrinkage.solvers import solve_path

_BEND = 0.05
_COARSE = 50
_DEPTH = 1e-6


def laplace_evidences(problem: Any, alphas: np.ndarray, tol: float) -> tuple[np.ndarray, np.ndarray, Any]:
    """Log evidence and effective number of parameters of every strength, largest first, and the fits.

    At the fit (w, b), with D = diag(sᵢ μᵢ (1-μᵢ)), A = √D (X - projection) / unit and r free columns Z,
    log p(y) ≈ Σ sᵢ log p(yᵢ) - ½ S α ‖unit ∘ w‖² - ½ log det(I + A Aᵀ / (S α)) + ½ r log 2π - ½ log det ZᵀDZ.
    """
    stated = replace(problem, penalty=L1L2(1.0, 0.0, problem.penalty.factors))
    fits = solve_path(stated, alphas, tol)
    total, weights = rows(problem)
    penalized, unit = measured(problem, 2)
    raw = np.empty((len(weights), penalized.size), order="F")
    means = problem.design.column_moments(np.asfortranarray(weights[:, None]))[0][penalized, 0]
    problem.design.gather(penalized, means if problem.fit_intercept else np.zeros_like(means), None, raw)
    found, gamma = np.empty((2, len(fits.alphas)))
    coefs = fits.coefs.toarray()
    for k, alpha in enumerate(fits.alphas):
        w = coefs[:, k]
        eta = problem.linear_predictor(w, float(fits.intercepts[k]))
        curvature = weights * problem.loss.curvature(problem.y, eta)
        Q, log_free = free_directions(problem, curvature)
        A = (raw - Q @ ((Q * curvature[:, None]).T @ raw)) * np.sqrt(curvature)[:, None] / unit
        gram = A.T @ A if A.shape[1] <= A.shape[0] else A @ A.T
        squares = np.maximum(np.linalg.eigvalsh(gram), 0.0) / (total * alpha)
        likelihood = -float(weights @ problem.loss.value(problem.y, eta))
        prior = 0.5 * total * alpha * float(np.sum((unit * w[penalized]) ** 2))
        volume = 0.5 * Q.shape[1] * np.log(2.0 * np.pi) - log_free - 0.5 * float(np.log1p(squares).sum())
        found[k], gamma[k] = likelihood - prior + volume, float((squares / (1.0 + squares)).sum())
    return found, gamma, fits


def ridge_top(problem: Any) -> float:
    """The strength where paths of ridge begin; 1 where none matters, as no column tells the classes apart."""
    return replace(problem, penalty=L1L2(1.0, 0.0, problem.penalty.factors)).alpha_max or 1.0


def logistic_peak(problem: Any, tol: float) -> tuple[Peak, np.ndarray, float]:
    """The strength of the highest approximate evidence: the best of a grid, then a search between its neighbors.

    The grid goes from where ridge paths begin, 1000 a, down to a millionth of it.

    Returns
    -------
    The peak, its coefficients (n_features,) and intercept
    """
    grid = np.geomspace(1.0, _DEPTH, _COARSE) * ridge_top(problem)
    best = int(np.argmax(laplace_evidences(problem, grid, tol)[0]))
    alpha, se = float(grid[best]), np.nan
    if best == 0 or best == len(grid) - 1:
        alpha = np.inf if best == 0 else 0.0
    else:
        ends = (float(np.log(grid[best + 1])), float(np.log(grid[best - 1])))

        def downhill(u: float) -> float:
            return -float(laplace_evidences(problem, np.exp([u]), tol)[0][0])

        search: Any = optimize.minimize_scalar
        u = float(search(downhill, bounds=ends, method="bounded", options={"xatol": 1e-6}).x)
        around = laplace_evidences(problem, np.exp([u + _BEND, u, u - _BEND]), tol)[0]
        bend = (around[0] - 2.0 * around[1] + around[2]) / _BEND**2
        alpha, se = float(np.exp(u)), 1.0 / float(np.sqrt(-bend)) if bend < 0 else np.nan
    # Beyond the grid there is next to nothing left of any coefficient.
    shown = alpha if 0 < alpha < np.inf else float(grid[best]) * (1e6 if best == 0 else 1.0)
    value, gamma, fits = laplace_evidences(problem, np.array([shown]), tol)
    coef = fits.coefs.toarray()[:, 0]
    penalized, unit = measured(problem, 2)
    result = Peak(np.array([alpha]), np.array([se]), 1.0, gamma, float(value[0]), unit * coef[penalized])
    return result, coef, float(fits.intercepts[0])
