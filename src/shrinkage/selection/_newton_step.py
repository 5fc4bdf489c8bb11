"""The fit without a row, one Newton step from the fit to all of them."""

from typing import Any

import numpy as np
from scipy import linalg

from shrinkage._path import Path
from shrinkage.problem import row_loss
from shrinkage.selection._degrees_of_freedom import linear_predictors, supports_of, working
from shrinkage.selection._projected import Projected, independent, projected_of

Array = np.ndarray
lapack: Any = linalg.lapack

SATURATED = 1e-8
"""A row that keeps less than this of its own residual is not predicted by the others."""
LIGHT = 1e-6
"""Rows of a smaller share of the largest working weight take the second form of their leverage."""


def newton_left_out(path: Path) -> tuple[Array, Array]:
    """Approximate linear predictors of every row by the fit to the others, and leverages, both (n_alphas, n_samples).

    With η, the working weights ω and the active columns A of the fit to all rows, N = [Q, C](...)⁻¹[Q, C]ᵀ the hat
    matrix without its last factor Ω, and g = s ℓ' / S:

    1. without row i the penalty weighs 1 - s_i/S as much, which moves η by -(s_i/S) N g to first order;
    2. taking the row out of the quadratic at the minimum moves its η by N_ii g_i / (1 - ω_i N_ii), g_i at the η of 1.

    For the lasso that is exact where the active columns and their signs stay; for squared errors with some L2 penalty,
    which the first step moves to first order alone, up to about 1/n². NaN where a row's leverage is one.
    """
    problem = path.problem
    assert problem is not None
    loss, everything = row_loss(problem.loss), np.arange(path.alphas.size)
    eta, weights = linear_predictors(path, everything), working(path, everything)
    slopes = problem.weights[:, None] * loss.gradient(problem.y[:, None], eta)
    columns, supports = projected_of(problem), supports_of(path)
    kernel = None
    out, leverages = np.empty_like(eta), np.empty_like(eta)
    for t, alpha in enumerate(path.alphas):
        support = np.intersect1d(supports[t], columns.features)
        part = columns.weighted(weights[:, t]).of(support)
        penalty = float(alpha * (1 - path.l1_ratio))
        if penalty > 0 and support.size > problem.y.size:
            whole = support.size == columns.width
            raw = part.kernel() if kernel is None or not whole else kernel
            kernel = raw if whole else kernel
            diagonal, moved = _by_rows(part, part.project_kernel(raw), penalty, slopes[:, t])
        else:
            diagonal, moved = _by_columns(part, penalty, slopes[:, t])
        diagonal = diagonal + (part.basis**2).sum(axis=1)
        shifted = eta[:, t] - problem.weights * moved  # the basis adds nothing: at the minimum Qᵀg = 0
        leverages[:, t] = weights[:, t] * diagonal
        stays = np.where(leverages[:, t] < 1 - SATURATED, 1 - leverages[:, t], np.nan)
        slope = problem.weights * loss.gradient(problem.y, shifted)
        out[:, t] = shifted + diagonal * slope / stays
    return out.T, leverages.T


def _by_columns(columns: Projected, penalty: float, slopes: Array) -> tuple[Array, Array]:
    """Diagonal of C (CᵀΩC + λ)⁻¹ Cᵀ, and its product with the slopes."""
    if penalty == 0 and columns.width:
        columns = columns.of(columns.features[independent(columns)])
    if not columns.width:
        return np.zeros(slopes.size), np.zeros(slopes.size)
    held = columns.held()
    rooted = np.sqrt(columns.weights)[:, None] * held
    factor, failed = lapack.dpotrf(rooted.T @ rooted + penalty * np.eye(columns.width), lower=1)
    if failed:
        return np.full(slopes.size, np.nan), np.zeros(slopes.size)
    solved = linalg.solve_triangular(factor, held.T, lower=True, check_finite=False)
    return (solved * solved).sum(axis=0), solved.T @ (solved @ slopes)


def _by_rows(columns: Projected, kernel: Array, penalty: float, slopes: Array) -> tuple[Array, Array]:
    """The same from the kernel K = C Cᵀ: C (CᵀΩC + λ)⁻¹ Cᵀ = (K - K√Ω (√ΩK√Ω + λ)⁻¹ √ΩK) / λ."""
    roots = np.sqrt(columns.weights)
    right = roots[:, None] * kernel
    factor, failed = lapack.dpotrf(right * roots + penalty * np.eye(slopes.size), lower=1)
    if failed:
        return np.full(slopes.size, np.nan), np.zeros(slopes.size)
    inverse = np.tril(lapack.dtrtri(factor, lower=1)[0])
    solved = inverse @ right
    moved = (kernel @ slopes - solved.T @ (solved @ slopes)) / penalty
    direct = (np.diag(kernel) - (solved * solved).sum(axis=0)) / penalty
    heavy = columns.weights > LIGHT * columns.weights.max()
    held = (1.0 - penalty * (inverse * inverse).sum(axis=0)) / np.where(heavy, columns.weights, 1.0)
    return np.where(heavy, held, direct), moved
