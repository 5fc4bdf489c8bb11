"""Ridge for the squared loss: one eigendecomposition answers every strength.

With A = [1, free columns, X̃], weights v and t = y - offset, the unpenalized columns are eliminated first. What is left
is (S + alpha I) x = r, either with S = X̃ᵀ V X̃ (x the coefficients) or with S = V^½ X̃ X̃ᵀ V^½ (coefficients X̃ᵀ V^½ x).
For alpha = 0 both give the least-squares solution of smallest norm, the limit of small strengths.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg

from shrinkage._threads import stoppable
from shrinkage.problem import explained_or
from shrinkage.solvers._ridge_columns import Array

EPS = float(np.finfo(float).eps)
DEPENDENT = 1e-11
"""Combinations of free columns of unit length that are shorter than this, relative to the longest, are dropped."""
REFINED = 1e-13
"""Residual, relative to the right-hand side, above which a solution is refined once."""
LONG = 600
"""Rows of a matrix whose eigendecomposition takes longer than a tenth of a second."""


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues (k,) and eigenvectors (k, k) of the symmetric S, and the size below which they are rounding."""

    values: Array
    vectors: Array
    cut: float

    def solve(self, rotated: Array, alphas: Array) -> Array:
        """(S + alpha I)⁻¹ in the eigenbasis, columns (k, T); directions that are rounding get 0."""
        denominators = self.values[:, None] + alphas
        sound = denominators > self.cut
        return np.where(sound, rotated, 0.0) / np.where(sound, denominators, 1.0)


def spectrum_of(matrix: Array) -> Spectrum:
    """Eigendecomposition of a symmetric positive semidefinite matrix."""
    if not matrix.size:
        return Spectrum(np.zeros(0), np.zeros((0, 0)), 0.0)
    values, vectors = stoppable(np.linalg.eigh, matrix) if len(matrix) >= LONG else np.linalg.eigh(matrix)
    np.maximum(values, 0.0, out=values)
    return Spectrum(values, vectors, matrix.shape[0] * EPS * float(values[-1]))


def solve_shifted(matrix: Array, target: Array, alphas: Array, dual: bool) -> tuple[Array, Array]:
    """Solutions (k, T) of (S + alpha I) x = target for every strength, and their duality gaps (T,).

    The gap is measured on the residual e that is left: |e|²/(2 alpha) for coefficients, eᵀSe/(2 alpha) for the dual
    form; at alpha = 0 half the squared norm of what the columns still explain.
    """
    spectrum = spectrum_of(matrix)
    vectors, values = spectrum.vectors, spectrum.values[:, None]
    solutions = vectors @ spectrum.solve((vectors.T @ target)[:, None], alphas)
    residuals = vectors.T @ (target[:, None] - matrix @ solutions - alphas * solutions)
    if residuals.size and np.abs(residuals).max() > REFINED * np.abs(target).max():
        solutions += vectors @ spectrum.solve(residuals, alphas)
        residuals = vectors.T @ (target[:, None] - matrix @ solutions - alphas * solutions)
    squared = residuals**2
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        positive = np.sum(squared * values if dual else squared, axis=0) / (2.0 * alphas)
        real = values > spectrum.cut
        at_zero = 0.5 * np.sum(np.where(real, squared if dual else squared / values, 0.0), axis=0)
    return solutions, np.where(alphas > 0, positive, at_zero)


def pseudo_inverse(gram: Array) -> Array:
    """Inverse of a small Gram matrix, leaving out what its columns repeat."""
    if gram.shape[0] == 0:
        return gram
    sizes = np.sqrt(np.maximum(np.diag(gram), 0.0))
    inverse = np.divide(1.0, sizes, out=np.zeros_like(sizes), where=sizes > 0)
    if gram.shape[0] == 1:
        return (inverse**2)[:, None]
    values, vectors = np.linalg.eigh(gram * np.outer(inverse, inverse))
    kept = values > 1e-12 * gram.shape[0]
    half = inverse[:, None] * vectors[:, kept] / np.sqrt(values[kept])
    return half @ half.T


@dataclass(frozen=True)
class Fit:
    """One fit at T strengths.

    Attributes
    ----------
    free : ndarray of shape (n_free, T)
        Coefficients of the unpenalized columns of A.
    penalized : ndarray of shape (n_penalized, T), or (n_samples, T) if `dual`
        Coefficients of the penalized columns X̃, or a such that they are X̃ᵀ a.
    gaps : ndarray of shape (T,)
        Duality gaps, in the objective's unit.
    null, start : float
        Objective of the null model, and mean loss at the offset alone.
    n_iter : ndarray of shape (T,)
    n_passes : int
    dual : bool
    theta : ndarray of shape (n_samples, T) or None
        Residuals that were found more exactly than the rounded coefficients give them, 0 in rows of weight 0.
    """

    free: Array
    penalized: Array
    gaps: Array
    null: float
    start: float
    n_iter: Array
    n_passes: int
    dual: bool
    theta: Array | None = None

    @property
    def coefs(self) -> Array:
        """All coefficients of A; only of a fit that is not `dual`."""
        return np.concatenate([self.free, self.penalized])

    @property
    def relative_gaps(self) -> Array:
        """Gaps over the null model's objective, by the rule of `Problem.relative`."""
        if explained_or(self.null, self.start) > 0:
            return self.gaps / self.null
        return np.where(self.gaps <= 1e-12 * max(1.0, self.start), 0.0, np.inf)


@dataclass(frozen=True)
class Moments:
    """A.T V A, A.T V t and tᵀVt for t = y - offset - center, and the mean loss at the offset."""

    gram: Array
    correlations: Array
    square: float
    start: float


def fit_moments(moments: Moments, n_free: int, alphas: Array) -> Fit:
    """All strengths from moments with weights V that sum to one."""
    gram, correlations, square = moments.gram, moments.correlations, moments.square
    inverse = pseudo_inverse(gram[:n_free, :n_free])
    cross = gram[:n_free, n_free:]
    projected = inverse @ cross
    matrix = gram[n_free:, n_free:] - cross.T @ projected
    target = correlations[n_free:] - projected.T @ correlations[:n_free]
    null = 0.5 * max(square - float(correlations[:n_free] @ inverse @ correlations[:n_free]), 0.0)
    solutions, gaps = solve_shifted(matrix, target, alphas, dual=False)
    free = (inverse @ correlations[:n_free])[:, None] - projected @ solutions
    once = np.ones(alphas.size, dtype=np.int64)
    return Fit(free, solutions, gaps, null, moments.start, once, 0, dual=False)


def fit_kernel(kernel: Array, free_columns: Array, target: Array, weights: Array, alphas: Array, start: float) -> Fit:
    """All strengths from the kernel X̃ X̃ᵀ of the training rows; `penalized` holds a, coefficients are X̃ᵀ a."""
    roots = np.sqrt(weights)
    basis, solve_free = free_basis_of(roots[:, None] * free_columns)
    matrix = kernel * np.outer(roots, roots)
    explained = basis.T @ matrix
    inner = explained @ basis
    matrix -= basis @ explained + explained.T @ basis.T - basis @ inner @ basis.T
    rooted = roots * target
    projected = rooted - basis @ (basis.T @ rooted)
    solutions, gaps = solve_shifted(matrix, projected, alphas, dual=True)
    solutions -= basis @ (basis.T @ solutions)
    free = solve_free @ ((basis.T @ rooted)[:, None] - explained @ solutions)
    null = 0.5 * float(projected @ projected)
    once = np.ones(alphas.size, dtype=np.int64)
    return Fit(free, roots[:, None] * solutions, gaps, null, start, once, 0, dual=True)


def fit_singular(values: Array, n_free: int, target: Array, weights: Array, alphas: Array, start: float) -> Fit:
    """All strengths from the singular values of √V X̃: what a Gram or a kernel rounds away is kept.

    Those hold squares of singular values, so that rounding hides all below 1e-8 of the largest; here it is 1e-16.
    """
    roots = np.sqrt(weights)[:, None]
    rooted, aim = values * roots, target * roots[:, 0]
    basis, solve_free = free_basis_of(rooted[:, :n_free])
    penalized, projected = rooted[:, n_free:], aim - basis @ (basis.T @ aim)
    reduced = penalized - basis @ (basis.T @ penalized)
    left, sizes, right = np.linalg.svd(reduced, full_matrices=False)
    cut = max(reduced.shape) * EPS * (sizes[0] if sizes.size else 0.0)
    sizes = np.where(sizes > cut, sizes, 0.0)[:, None]
    explained = (left.T @ projected)[:, None]
    denominators = sizes**2 + alphas
    inverse = np.divide(1.0, denominators, out=np.zeros_like(denominators), where=denominators > 0)
    coefs = right.T @ (sizes * inverse * explained)
    theta = projected[:, None] - left @ (explained * sizes**2 * inverse)
    theta -= basis @ (basis.T @ theta)
    left_over = aim[:, None] - penalized @ coefs
    free = solve_free @ (basis.T @ left_over)
    residual = left_over - basis @ (basis.T @ left_over)
    with np.errstate(divide="ignore", invalid="ignore"):
        gaps = np.sum((penalized.T @ theta - alphas * coefs) ** 2, axis=0) / (2.0 * alphas)
    gaps = np.where(alphas > 0, gaps + 0.5 * np.sum((residual - theta) ** 2, axis=0), 0.0)
    null, once = 0.5 * float(projected @ projected), np.ones(alphas.size, dtype=np.int64)
    theta = np.divide(theta, roots, out=np.zeros_like(theta), where=roots > 0)
    return Fit(free, coefs, gaps, null, start, once, 0, dual=False, theta=theta)


def free_basis_of(columns: Array) -> tuple[Array, Array]:
    """Orthonormal basis Q (n, r) of the columns and the matrix B with columns @ B = Q."""
    if columns.shape[1] == 0:
        return columns, np.zeros((0, 0))
    sizes = np.linalg.norm(columns, axis=0)
    inverse = np.divide(1.0, sizes, out=np.zeros_like(sizes), where=sizes > 0)
    left, values, right = np.linalg.svd(columns * inverse, full_matrices=False)
    kept = values > DEPENDENT * values[0]
    return left[:, kept], inverse[:, None] * right[kept].T / values[kept]


def least_squares(values: Array, target: Array, weights: Array, n_free: int) -> Array:
    """Unpenalized coefficients of A (width,), of smallest penalized norm where they are not unique."""
    roots = np.sqrt(weights)[:, None]
    rooted, aim = values * roots, target * roots[:, 0]
    basis, solve_free = free_basis_of(rooted[:, :n_free])
    penalized = rooted[:, n_free:]
    projected = penalized - basis @ (basis.T @ penalized)
    result = np.zeros(values.shape[1])
    if penalized.shape[1]:
        cond = max(projected.shape) * EPS
        solved: Any = linalg.lstsq(projected, aim - basis @ (basis.T @ aim), cond=cond, check_finite=False)
        result[n_free:] = solved[0]
    result[:n_free] = solve_free @ (basis.T @ (aim - penalized @ result[n_free:]))
    return result
