"""What the dense and the sparse design share: their arguments and results are the same, their core differs."""

import numpy as np
from numpy.typing import NDArray

from shrinkage import _core
from shrinkage._errors import ArgumentError
from shrinkage._threads import blas_alone
from shrinkage.design import _arguments
from shrinkage.design._protocol import Array, Indices, Scan

EPSILON = float(np.finfo(np.float64).eps)


class NativeDesign:
    """The products of a matrix that the compiled core can read; `core` is its view of the matrix."""

    __slots__ = ("_core", "converted_from", "dtype", "feature_names", "shape")

    def __init__(
        self,
        core: "_core.Dense | _core.Sparse",
        shape: tuple[int, int],
        dtype: np.dtype,
        feature_names: tuple[str, ...] | None,
        converted_from: str | None,
    ) -> None:
        self._core = core
        self.shape = shape
        self.dtype = dtype
        self.feature_names = feature_names
        self.converted_from = converted_from

    @blas_alone
    def correlate(self, R: Array) -> Array:
        """Return ``X.T @ R``; see `Design.correlate`."""
        n, p = self.shape
        R = _arguments.columns(R, "R", n)
        out = _arguments.empty(p, R.shape[1])
        self._core.correlate(R, out)
        return out

    @blas_alone
    def combine(self, features: Indices, B: Array) -> Array:
        """Return ``X[:, features] @ B``; see `Design.combine`."""
        n, p = self.shape
        features = _arguments.indices(features, p)
        B = _arguments.columns(B, "B", features.size)
        out = _arguments.empty(n, B.shape[1])
        self._core.combine(features, B, out)
        return out

    @blas_alone
    def gram(self, new: Indices, old: Indices, weights: Array | None = None) -> Array:
        """Return ``X[:, new].T @ diag(weights) @ X[:, old]``; see `Design.gram`."""
        n, p = self.shape
        left = _arguments.indices(new, p)
        right = left if old is new else _arguments.indices(old, p)
        out = _arguments.empty(left.size, right.size)
        self._core.gram(left, right, _arguments.optional_vector(weights, "weights", n), out)
        return out

    def gather(self, features: Indices, shift: Array, row_scale: Array | None, out: Array) -> Array:
        """Write shifted and scaled columns to `out`; see `Design.gather`."""
        n, p = self.shape
        features = _arguments.indices(features, p)
        m = features.size
        shift = _arguments.vector(shift, "shift", m)
        row_scale = _arguments.optional_vector(row_scale, "row_scale", n)
        self._core.gather(features, shift, row_scale, _arguments.out_matrix(out, "out", (n, m)))
        return out

    def column_moments(self, weights: Array | None = None) -> tuple[Array, Array]:
        """Return weighted means and variances; see `Design.column_moments`."""
        n, p = self.shape
        if weights is None:
            share = None
            k, total = 1, float(n)
            means = self.correlate(np.ones((n, 1), order="F")) / n
        else:
            weights = _arguments.columns(weights, "weights", n)
            sums = weights.sum(axis=0)
            if not (sums > 0).all():
                raise ArgumentError(f"every column of weights must have a positive sum; got {sums.min()}")
            share = np.asfortranarray(weights / sums)
            k, total = share.shape[1], 1.0
            means = self.correlate(share)
        first, second = _arguments.empty(p, k), _arguments.empty(p, k)
        self._core.deviations(share, means, first, second)
        with np.errstate(over="ignore", invalid="ignore"):  # `check_entries` says so, in words
            drift = first / total
            variances = second / total - drift**2
            means += drift
            # a constant column leaves the rounding error of its mean, far below any spread that float64 can hold
            variances[variances <= (2 * EPSILON * means) ** 2] = 0.0
        return means, variances

    @blas_alone
    def scan(
        self,
        theta: Array,
        strengths: Array,
        l1_weights: Array,
        inside: NDArray[np.bool_],
        tol: float,
        l2_weights: Array | None,
        C: Array,
    ) -> Scan:
        """Write ``C = X.T @ theta`` and return what it says; see `Design.scan`."""
        n, p = self.shape
        theta = _arguments.columns(theta, "theta", n)
        l1_weights = _arguments.columns(l1_weights, "l1_weights", p)
        fits, T = l1_weights.shape[1], len(strengths)
        strengths = _arguments.vector(strengths, "strengths", T)
        inside = _arguments.flags(inside, "inside", p)
        if l2_weights is not None:
            l2_weights = _arguments.of_shape(_arguments.columns(l2_weights, "l2_weights", p), "l2_weights", (p, fits))
        theta = _arguments.of_shape(theta, "theta", (n, fits * T))
        C = _arguments.out_matrix(C, "C", (p, fits * T))
        result = Scan(np.empty((fits, T)), np.empty((fits, T)), np.empty(p, dtype=np.int32), np.empty(p))
        self._core.scan(theta, strengths, l1_weights, inside, tol, l2_weights, C, *result)
        return result
