"""Certificates of ridge fits for all strengths at once, from products with X itself.

For l1_ratio = 0 the duality gap of `Problem` is a sum of squares, which nothing cancels: with the residuals' projection
θ off the intercept and the free columns, z = Xᵀ(weights ∘ θ) and d_j = alpha f_j scale_j²,

    gap = ½ Σ weights (r - θ)² + Σ_j (z_j - d_j w_j)² / (2 d_j).
"""

import numpy as np

from shrinkage.problem import Problem
from shrinkage.solvers._ridge_columns import Array

BLOCK_ENTRIES = 4_000_000
SMALL_ENTRIES = 200_000
"""Entries of X up to which `Problem` certifies strength 0 of a loss that is not squared."""


def certify(
    problem: Problem, coefs: Array, intercepts: Array, alphas: Array, fallback: Array, theta: Array | None = None
) -> tuple[Array, Array]:
    """Duality gaps and optimality violations, (T,) each.

    `fallback` holds the gaps of the fits, which stand for strength 0: there every column is free, and projecting on
    the complement of all of them is the fit itself. `theta`, if given, is tried as dual point beside the residuals:
    any θ orthogonal to the intercept and the free columns bounds the optimum, with the formula above.
    """
    if problem.loss.name == "squared":
        return _certify_squared(problem, coefs, intercepts, alphas, fallback, theta)
    gaps = fallback.copy()
    penalized = (alphas > 0) | (coefs.shape[0] * problem.y.size <= SMALL_ENTRIES)
    if penalized.any():
        gaps[penalized] = problem.gaps(coefs[:, penalized], intercepts[penalized], alphas[penalized])
    return np.maximum(gaps, 0.0), problem.kkts(coefs, intercepts, alphas)


def _certify_squared(
    problem: Problem, coefs: Array, intercepts: Array, alphas: Array, fallback: Array, theta: Array | None
) -> tuple[Array, Array]:
    if not problem.penalty.alpha > 0:
        problem = problem.with_penalty(problem.penalty.with_alpha(1.0))
    design, weights, basis = problem.design, problem.weights[:, None], problem.basis
    weighted_basis = weights * basis
    images = design.correlate(np.asfortranarray(weighted_basis)) if basis.shape[1] else np.zeros((coefs.shape[0], 0))
    metric = np.ones(coefs.shape[0]) if problem.penalty.factors is None else np.asarray(problem.penalty.factors, float)
    metric = metric if problem.scale is None else metric * problem.scale**2
    inverse = np.divide(1.0, metric, out=np.zeros_like(metric), where=metric > 0)
    left = problem.y if problem.offset is None else problem.y - problem.offset
    gaps, kkt = np.empty(alphas.size), np.empty(alphas.size)
    width = max(1, BLOCK_ENTRIES // sum(design.shape))
    everything = np.arange(coefs.shape[0])
    for first in range(0, alphas.size, width):
        some = slice(first, first + width)
        residual = left[:, None] - design.combine(everything, np.asfortranarray(coefs[:, some])) - intercepts[some]
        explained = weighted_basis.T @ residual
        pull = alphas[some] * metric[:, None] * coefs[:, some]
        slopes = design.correlate(np.asfortranarray(weights * (residual - basis @ explained))) - pull
        with np.errstate(divide="ignore", invalid="ignore"):
            gaps[some] = inverse @ slopes**2 / (2.0 * alphas[some]) + 0.5 * np.sum(explained**2, axis=0)
            if theta is not None:
                point = theta[:, some] - basis @ (weighted_basis.T @ theta[:, some])
                bent = design.correlate(np.asfortranarray(weights * point)) - pull
                apart = 0.5 * weights[:, 0] @ (residual - point) ** 2
                gaps[some] = np.fmin(gaps[some], inverse @ bent**2 / (2.0 * alphas[some]) + apart)
        violations = np.abs(slopes + images @ explained).max(axis=0, initial=0.0)
        in_intercept = np.abs(weights[:, 0] @ residual) if problem.fit_intercept else 0.0
        kkt[some] = np.maximum(violations, in_intercept)
    return np.where(alphas > 0, gaps, fallback), kkt
