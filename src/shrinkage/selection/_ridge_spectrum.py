"""Ridge at every strength, and without every row, from one eigendecomposition of the smaller of CᵀΩC and √Ω C Cᵀ √Ω."""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from shrinkage._errors import ArgumentError, DataError
from shrinkage.problem import Problem
from shrinkage.selection._projected import Projected, projected_of

Array = np.ndarray

LARGEST = 10_000
"""Largest dimension that is decomposed."""
SATURATED = 1e-10
"""A row that keeps less than this of its own residual is not predicted by the others."""
FAINT = 1e-10
"""Below this share of the sum of the eigenvalues, strengths drown in a Gram's rounding: singular values are taken."""
SMALL = 8_000_000
"""Entries of C up to which singular values are affordable."""


@dataclass(frozen=True)
class RidgeSpectrum:
    """Eigenvalues d_k, and of every row what its fit and its leverage need.

    With fewer columns than rows, `rows` is B = C V (n_samples, m) and `moments` Bᵀ Ω ỹ: the fit of row i at λ is
    Σ_k b_ik m_k / (d_k + λ), its leverage ω_i Σ_k b_ik² / (d_k + λ) more than that of the basis. Else `rows` is U, an
    orthonormal basis of all that the basis Q leaves, and `moments` Uᵀ √Ω ỹ: the residual of row i, times √ω_i, is
    Σ_k u_ik m_k λ / (d_k + λ), and one less its leverage Σ_k u_ik² λ / (d_k + λ), without cancellation as λ falls.

    Attributes
    ----------
    values, moments : ndarray of shape (r,)
    rows : ndarray of shape (n_samples, r)
    weights : ndarray of shape (n_samples,), sum one
    start : ndarray of shape (n_samples,)
        Linear predictor of the model without penalized columns; ỹ is the response less this.
    target : ndarray of shape (n_samples,)
        ỹ.
    held : ndarray of shape (n_samples,)
        Leverage of intercept and free columns.
    kernel : ndarray of shape (n_samples, n_samples) or None
        C Cᵀ, with fewer rows than columns.
    """

    values: Array
    moments: Array
    rows: Array
    weights: Array
    start: Array
    target: Array
    held: Array
    rank_free: int
    kernel: Array | None

    @property
    def scale(self) -> float:
        """Largest eigenvalue: smaller than rounding beside it counts as 0."""
        return float(self.values.max(initial=0.0))

    def _kept(self) -> Array:
        return self.values > self.values.size * np.finfo(float).eps * self.scale

    def df(self, alphas: Array) -> Array:
        """Trace of the hat matrix (n_alphas,): q + Σ d / (d + α)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = self.values / (self.values + alphas[:, None])
        return self.rank_free + np.where((alphas > 0)[:, None], shares, self._kept()).sum(axis=1)

    def mean_squares(self, alphas: Array) -> Array:
        """Σ ω r² (n_alphas,), of the fits to all rows."""
        if self.kernel is None:
            fitted = self.rows @ (_inverse(self.values, alphas, self._kept()) * self.moments[:, None])
            return self.weights @ (self.target[:, None] - fitted) ** 2
        shrunk = _residual(self.values, alphas, self._kept(), relative=False)
        return (self.moments**2) @ shrunk**2

    def residual_df(self, alphas: Array, n: float) -> Array:
        """Rows less the degrees of freedom (n_alphas,); what is left of a saturated fit keeps its digits."""
        if self.kernel is None:
            return n - self.df(alphas)
        return (n - self.weights.size) + _residual(self.values, alphas, self._kept(), relative=False).sum(axis=0)

    def left_out(self, alphas: Array) -> Array:
        """Linear predictor of every row by the fit to the others (n_alphas, n_samples), less the offset's part in none.

        Of a row without weight by the fit to all. NaN where the other rows say nothing of a row.
        """
        full = np.flatnonzero(self.held >= 1 - SATURATED)
        if full.size:
            raise DataError(
                f"row {int(full[0])} alone determines the coefficient of an unpenalized column, so no fit to the "
                "others predicts it: leave the row out, or give that column a penalty"
            )
        out = np.empty((self.weights.size, alphas.size))
        for weight in np.unique(self.weights):
            rows = np.flatnonzero(self.weights == weight)
            # a row less at the same strength: the rows that stay weigh 1 - w, and so does their penalty
            out[rows] = self._without(rows, float(weight), alphas * (1.0 - weight))
        return out.T

    def _without(self, rows: Array, weight: float, penalties: Array) -> Array:
        B, kept = self.rows[rows], self._kept()
        start, target = self.start[rows, None], self.target[rows, None]
        if self.kernel is None:
            inverse = _inverse(self.values, penalties, kept)
            fitted = B @ (inverse * self.moments[:, None])
            stays = 1.0 - self.held[rows, None] - weight * ((B * B) @ inverse)
            stays[stays < SATURATED] = np.nan
            return start + target - (target - fitted) / stays
        if weight == 0:
            duals = self.rows @ (_inverse(self.values, penalties, kept) * self.moments[:, None])
            return start + self.kernel[rows] @ (np.sqrt(self.weights)[:, None] * duals)
        shrink = _residual(self.values, penalties, kept, relative=True)
        stays = (B * B) @ shrink
        stays[stays <= 0] = np.nan
        return start + target - (B @ (shrink * self.moments[:, None])) / stays / np.sqrt(weight)


def _inverse(values: Array, penalties: Array, kept: Array) -> Array:
    """1 / (d + λ), shape (r, n_alphas); of strength 0 the pseudo-inverse."""
    with np.errstate(divide="ignore"):
        inverse = 1.0 / (values[:, None] + penalties)
    return np.where((penalties > 0) | kept[:, None], inverse, 0.0)


def _residual(values: Array, penalties: Array, kept: Array, relative: bool) -> Array:
    """λ / (d + λ), shape (r, n_alphas); `relative` ones may be off by a factor, so that strength 0 has its limit."""
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = penalties / (values[:, None] + penalties)
        limit = np.where(kept, 0.0, 1.0) if not (relative and kept.all()) else 1.0 / values
    return np.where(penalties > 0, shares, limit[:, None])


def ridge_spectrum(problem: Problem, alphas: Array) -> RidgeSpectrum:
    """Decompose a ridge problem with squared loss once, for all strengths.

    Raises
    ------
    ArgumentError
        If rows and columns are both more than 10,000.
    """
    columns = projected_of(problem)
    smaller = min(problem.design.shape[0], columns.width)
    if smaller > LARGEST:
        raise ArgumentError(
            f"X has {smaller} rows and penalized columns or more of each: the decomposition behind exact leave-one-out "
            f"takes at most {LARGEST}; cross_validate(X, y, l1_ratio=0) has no such limit"
        )
    start = problem.null.eta
    shared = {
        "weights": problem.weights,
        "start": start,
        "target": problem.y - start,
        "held": problem.weights * (columns.basis**2).sum(axis=1),
        "rank_free": columns.basis.shape[1],
    }
    if columns.width + columns.basis.shape[1] < problem.design.shape[0]:
        values, vectors = _primal(columns, alphas)
        rows = columns.times(vectors)
        return RidgeSpectrum(values, rows.T @ (problem.weights * shared["target"]), rows, kernel=None, **shared)
    kernel = columns.project_kernel(columns.kernel())
    values, rows = _dual(columns, kernel, alphas)
    return RidgeSpectrum(values, rows.T @ (np.sqrt(problem.weights) * shared["target"]), rows, kernel=kernel, **shared)


def _is_faint(alphas: Array, trace: float, columns: Projected) -> bool:
    some = alphas[alphas > 0]
    fits = columns.width * columns.design.shape[0] <= SMALL
    return fits and bool(some.size) and float(some.min()) < FAINT * trace


def _primal(columns: Projected, alphas: Array) -> tuple[Array, Array]:
    gram = columns.gram()
    if _is_faint(alphas, float(np.trace(gram)), columns):
        held = np.sqrt(columns.weights)[:, None] * columns.held()
        _, sizes, vectors = linalg.svd(held, full_matrices=False)
        return sizes**2, vectors.T
    values, vectors = np.linalg.eigh(gram)
    return np.maximum(values, 0.0), vectors


def _dual(columns: Projected, kernel: Array, alphas: Array) -> tuple[Array, Array]:
    """Eigenvalues and vectors of √Ω C Cᵀ √Ω on what the basis leaves, which is moved far above all others."""
    roots, q = np.sqrt(columns.weights), columns.basis.shape[1]
    free = roots[:, None] * columns.basis
    weighted = roots[:, None] * kernel * roots
    trace = float(np.trace(weighted))
    if _is_faint(alphas, trace, columns):
        held = np.hstack([2 * np.sqrt(max(trace, 1.0)) * free, roots[:, None] * columns.held()])
        rows, sizes, _ = linalg.svd(held, full_matrices=held.shape[1] < held.shape[0])
        return sizes[q:] ** 2, rows[:, q:]
    largest = 2.0 * float(np.abs(weighted).sum(axis=1).max(initial=0.0)) or 1.0
    values, rows = np.linalg.eigh(weighted + largest * (free @ free.T))
    kept = values.size - q
    return np.maximum(values[:kept], 0.0), rows[:, :kept]
