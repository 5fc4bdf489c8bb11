"""Columns of X less what intercept and free columns explain: degrees of freedom and leverages come from them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import linalg

from shrinkage.problem import Problem, free_basis

Array = np.ndarray
lapack: Any = linalg.lapack
blas: Any = linalg.blas

BLOCK = 512
"""Columns gathered at a time."""
HELD = 30_000_000
"""Entries that are held in memory at once (240 MB)."""
DEPENDENT = 1e-10
"""A column nearer than this, in its own length, to what others span says nothing new."""


@dataclass(frozen=True)
class Projected:
    """C = (I - QQᵀΩ)(X_A - shift) / divisor, with Ω = diag(weights) and Q a basis, QᵀΩQ = I, of what is not penalized.

    The penalty of elastic net and ridge is then half of one number times the squared norm of C's coefficients.

    Attributes
    ----------
    design : Design
    features : ndarray of shape (m,), int64
    shift, divisor : ndarray of shape (n_features,)
    weights : ndarray of shape (n_samples,), >= 0
    basis : ndarray of shape (n_samples, q)
    """

    design: Any
    features: Array
    shift: Array
    divisor: Array
    weights: Array
    basis: Array

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.features.size

    def of(self, features: Array) -> "Projected":
        """The same for other columns of X."""
        return replace(self, features=features)

    def weighted(self, weights: Array) -> "Projected":
        """The same for other weights of rows."""
        return replace(self, weights=weights, basis=free_basis(self.basis, weights))

    def gathered(self, start: int, stop: int, projected: bool = True) -> Array:
        """Columns start:stop of C, or of (X_A - shift) / divisor; shape (n_samples, stop - start)."""
        some = self.features[start:stop]
        out = np.empty((self.design.shape[0], some.size), order="F")
        if some.size:
            self.design.gather(some, self.shift[some], None, out)
            out /= self.divisor[some]
        return out - self.basis @ (self.basis.T @ (self.weights[:, None] * out)) if projected else out

    def held(self) -> Array:
        """All of C."""
        return self.gathered(0, self.width)

    def edges(self) -> list[tuple[int, int]]:
        """The first and last column of every block."""
        size = self.width if self.width * self.design.shape[0] <= HELD else BLOCK
        return [(start, min(start + size, self.width)) for start in range(0, self.width, max(size, 1))]

    def gram(self) -> Array:
        """Cᵀ Ω C, shape (m, m)."""
        roots = np.sqrt(self.weights)[:, None]
        gram, edges = np.zeros((self.width, self.width)), self.edges()
        for start, stop in edges:
            left = roots * self.gathered(start, stop)
            for other, end in edges:
                if other > start:
                    break
                right = left if other == start else roots * self.gathered(other, end)
                gram[start:stop, other:end] = left.T @ right
                gram[other:end, start:stop] = gram[start:stop, other:end].T
        return gram

    def kernel(self) -> Array:
        """(X_A - shift)(X_A - shift)ᵀ / divisor², not projected; shape (n_samples, n_samples)."""
        n = self.design.shape[0]
        kernel, rest = np.zeros((n, n), order="F"), self
        if self.design.is_sparse:
            indptr = self.design.csc()[0]
            light = np.diff(indptr)[self.features] <= 0.1 * n
            kernel += self.of(self.features[light])._sparse_kernel()
            rest = self.of(self.features[~light])
        for start, stop in [(a, min(a + BLOCK, rest.width)) for a in range(0, rest.width, BLOCK)]:
            blas.dsyrk(1.0, rest.gathered(start, stop, projected=False), beta=1.0, c=kernel, lower=1, overwrite_c=1)
        upper = np.triu_indices(n, 1)
        kernel[upper] = kernel.T[upper]
        return kernel

    def _sparse_kernel(self) -> Array:
        from scipy import sparse

        indptr, indices, data = self.design.csc()
        columns = sparse.csc_array((data, indices, indptr), shape=self.design.shape)[:, self.features]
        scaled = columns @ sparse.diags_array(1.0 / self.divisor[self.features])
        shift = self.shift[self.features] / self.divisor[self.features]
        cross = scaled @ shift
        return (scaled @ scaled.T).toarray() - (cross[:, None] + cross - shift @ shift)

    def times(self, coefs: Array) -> Array:
        """C coefs, shape (n_samples, k), for coefs of shape (m, k)."""
        out = np.zeros((self.design.shape[0], coefs.shape[1]))
        for start, stop in self.edges():
            out += self.gathered(start, stop) @ coefs[start:stop]
        return out

    def project_kernel(self, kernel: Array) -> Array:
        """(I - QQᵀΩ) kernel (I - ΩQQᵀ): the kernel of C, from `kernel`."""
        weighted = self.weights[:, None] * self.basis
        left = kernel - self.basis @ (weighted.T @ kernel)
        return left - (left @ weighted) @ self.basis.T


def projected_of(problem: Problem) -> Projected:
    """Every penalized column of a problem, with its weights, in units in which the penalty is α(½(1-ρ)‖w‖² + ...)."""
    n_features = problem.design.shape[1]
    factors = problem.penalty.factors
    factors = np.ones(n_features) if factors is None else np.asarray(factors, dtype=np.float64)
    divisor = np.sqrt(factors) * (1.0 if problem.scale is None else problem.scale)
    means = problem.design.column_moments(np.asfortranarray(problem.weights[:, None]))[0][:, 0]
    shift = means if problem.fit_intercept else np.zeros(n_features)
    penalized = np.flatnonzero(factors > 0).astype(np.int64)
    return Projected(
        problem.design,
        penalized,
        shift,
        np.where(factors > 0, divisor, 1.0),
        problem.weights,
        problem.free_block[0],
    )


def own_lengths(columns: Projected) -> Array:
    """Squared lengths Σ ωᵢ x_ij² / divisor_j² of the columns as they were before anything was taken off, (m,)."""
    total = float(columns.weights.sum())
    means, variances = columns.design.column_moments(np.asfortranarray(columns.weights[:, None]))
    some = columns.features
    return total * (variances[some, 0] + means[some, 0] ** 2) / columns.divisor[some] ** 2


def independent(columns: Projected, gram: Array | None = None, lengths: Array | None = None) -> Array:
    """Places, in `columns.features`, of a largest set of columns of C that are linearly independent.

    Judged on the Gram matrix where it leaves no doubt, else by a pivoted QR of the columns themselves: a column counts
    where its distance from the span of those before it is more than 1e-10 of its length.
    """
    gram = columns.gram() if gram is None else gram
    lengths = own_lengths(columns) if lengths is None else lengths
    sizes = np.diag(gram)
    there = np.flatnonzero(sizes > DEPENDENT**2 * lengths)
    if not there.size:
        return there
    norms = np.sqrt(sizes[there])
    unit = gram[np.ix_(there, there)] / np.outer(norms, norms)
    factor, pivots, rank, _ = lapack.dpstrf(unit, tol=1e-9, lower=1)
    if rank == there.size and np.diag(factor).min() > 1e-3:
        return there
    held = np.sqrt(columns.weights)[:, None] * columns.of(columns.features[there]).held() / norms
    qr: Any = linalg.qr
    upper, pivots = qr(held, mode="r", pivoting=True, check_finite=False)
    size = np.abs(np.diag(upper))
    return there[np.sort(pivots[: int((size > DEPENDENT).sum())])]
