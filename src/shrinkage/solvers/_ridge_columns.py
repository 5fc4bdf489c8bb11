"""The columns of a ridge problem, centered and measured in the penalty's own units.

Every ridge solver here works on A = [1, free columns, penalized columns], each column (x - shift) / divisor, so that
the penalty is half the strength times the squared norm of the last coefficients. A is either small enough to hold
(`DenseColumns`) or touched through the design alone (`DesignColumns`).
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy import linalg, sparse

from shrinkage.design import BlockDesign
from shrinkage.losses import JointLoss
from shrinkage.solvers._moment_sums import add_moments

Array = np.ndarray
blas: Any = linalg.blas

HELD_ENTRIES = 8_000_000
"""Largest number of float64 entries of A that are held in memory (64 MB)."""
BLOCK = 1024
"""Columns gathered at a time."""


class Columns(Protocol):
    """A touched through products; `n_free` columns come first and are not penalized."""

    @property
    def n_free(self) -> int: ...
    @property
    def width(self) -> int: ...
    def times(self, coefs: Array) -> Array: ...
    def adjoint(self, rows: Array) -> Array: ...
    def gram(self, weights: Array) -> Array: ...
    def row_grams(self, weights: Array, row_sets: list[Array]) -> list[Array]: ...
    def squares(self, weights: Array) -> Array: ...


@dataclass(frozen=True)
class Frame:
    """Which columns of X are in A, in which order, and how a coefficient of A becomes one of X.

    Attributes
    ----------
    features : ndarray of shape (n_free_features + n_penalized,), int64
        Free features first.
    n_free_features : int
    shift, divisor : ndarray of shape (n_features,)
    fit_intercept : bool
    n_features : int
    """

    features: Array
    n_free_features: int
    shift: Array
    divisor: Array
    fit_intercept: bool
    n_features: int

    @property
    def n_free(self) -> int:
        """Columns of A that are not penalized, the constant included."""
        return self.n_free_features + self.fit_intercept

    @property
    def free(self) -> Array:
        """The features that are never penalized."""
        return self.features[: self.n_free_features]

    @property
    def penalized(self) -> Array:
        """The features that are penalized."""
        return self.features[self.n_free_features :]

    def raw(self, coefs: Array) -> tuple[Array, Array]:
        """Coefficients of X (n_features, k) and intercepts (k,) from coefficients of A (width, k)."""
        result = np.zeros((self.n_features, coefs.shape[1]))
        result[self.features] = coefs[int(self.fit_intercept) :] / self.divisor[self.features, None]
        if not self.fit_intercept:
            return result, np.zeros(coefs.shape[1])
        return result, coefs[0] - self.shift @ result


@dataclass(frozen=True)
class DenseColumns:
    """A held as one array of shape (n_rows, width)."""

    values: Array
    n_free: int

    @property
    def width(self) -> int:
        """Number of columns of A."""
        return self.values.shape[1]

    def times(self, coefs: Array) -> Array:
        """A @ coefs."""
        return self.values @ coefs

    def adjoint(self, rows: Array) -> Array:
        """A.T @ rows."""
        return self.values.T @ rows

    def gram(self, weights: Array) -> Array:
        """A.T @ diag(weights) @ A for weights >= 0."""
        scaled = self.values * np.sqrt(weights)[:, None]
        return scaled.T @ scaled

    def row_grams(self, weights: Array, row_sets: list[Array]) -> list[Array]:
        """The Gram of every set of rows."""
        return [DenseColumns(self.values[rows], self.n_free).gram(weights[rows]) for rows in row_sets]

    def squares(self, weights: Array) -> Array:
        """Diagonal of `gram`."""
        return weights @ self.values**2


@dataclass(frozen=True)
class DesignColumns:
    """A touched through the design: blocks of columns are gathered, or sparse columns multiplied as they are."""

    design: Any
    frame: Frame

    @property
    def n_free(self) -> int:
        """Columns that are not penalized."""
        return self.frame.n_free

    @property
    def width(self) -> int:
        """Number of columns of A."""
        return self.frame.features.size + self.frame.fit_intercept

    def times(self, coefs: Array) -> Array:
        """A @ coefs; the shift is taken off by algebra."""
        flat = coefs.ndim == 1
        raw, intercepts = self.frame.raw(coefs[:, None] if flat else coefs)
        features = self.frame.features
        rows = self.design.combine(features, np.asfortranarray(raw[features])) + intercepts
        return rows[:, 0] if flat else rows

    def adjoint(self, rows: Array) -> Array:
        """A.T @ rows; the shift is taken off by algebra."""
        flat = rows.ndim == 1
        block = np.asfortranarray(rows[:, None] if flat else rows)
        features, total = self.frame.features, block.sum(axis=0)
        result = self.design.correlate(block)[features] - self.frame.shift[features, None] * total
        result /= self.frame.divisor[features, None]
        if self.frame.fit_intercept:
            result = np.vstack([total, result])
        return result[:, 0] if flat else result

    def gram(self, weights: Array) -> Array:
        """A.T @ diag(weights) @ A for weights >= 0."""
        return self.row_grams(weights, [np.arange(weights.size)])[0]

    def row_grams(self, weights: Array, row_sets: list[Array]) -> list[Array]:
        """The Gram of every set of rows."""
        if self.design.is_sparse:
            return self._sparse_grams(weights, row_sets)
        if isinstance(self.design, BlockDesign):
            return self._block_grams(weights, row_sets)
        roots = np.sqrt(weights)
        size = max(1, min(self.width, HELD_ENTRIES // weights.size))
        edges = [(start, min(start + size, self.width)) for start in range(0, self.width, size)]
        grams = [np.zeros((self.width, self.width)) for _ in row_sets]
        for start, stop in edges:
            left = self._gathered(start, stop, roots)
            for other, end in edges:
                if other > start:
                    continue
                right = left if other == start else self._gathered(other, end, roots)
                for gram, rows in zip(grams, row_sets, strict=True):
                    whole = rows.size == weights.size
                    part = (left.T @ right) if whole else left[rows].T @ right[rows]
                    gram[start:stop, other:end] = part
                    gram[other:end, start:stop] = part.T
        return grams

    def _block_grams(self, weights: Array, row_sets: list[Array]) -> list[Array]:
        """The Gram of every set of rows, all from one reading."""
        features, constant = self.frame.features, int(self.frame.fit_intercept)
        m, shift = features.size, self.frame.shift[features][None, :]
        sums = np.zeros((len(row_sets), m + 2, m + 2))  # of [x - shift, nothing, 1]
        for start, stop, values in self.design.blocks("Gram matrix"):
            rest = np.column_stack([np.zeros(stop - start), np.ones(stop - start)])
            pieces = [rows[slice(*np.searchsorted(rows, [start, stop]))] - start for rows in row_sets]
            add_moments(sums, values, rest, shift, pieces=pieces, features=features, weights=weights[start:stop])
        order = np.concatenate([np.full(constant, m + 1), np.arange(m)])
        divisor = np.concatenate([np.ones(constant), self.frame.divisor[features]])
        return [total[np.ix_(order, order)] / np.outer(divisor, divisor) for total in sums]

    def squares(self, weights: Array) -> Array:
        """Diagonal of `gram`."""
        total = float(weights.sum())
        means, variances = self.design.column_moments(weights[:, None])
        features = self.frame.features
        moments = variances[features, 0] + (means[features, 0] - self.frame.shift[features]) ** 2
        result = total * moments / self.frame.divisor[features] ** 2
        return np.concatenate([[total], result]) if self.frame.fit_intercept else result

    def _gathered(self, start: int, stop: int, row_scale: Array | None) -> Array:
        """Columns start:stop of A, rows multiplied by `row_scale`."""
        constant = int(self.frame.fit_intercept)
        features = self.frame.features[max(start - constant, 0) : stop - constant]
        out = np.empty((self.design.shape[0], stop - start), order="F")
        if stop - start > features.size:
            out[:, 0] = 1.0 if row_scale is None else row_scale
        target = out[:, stop - start - features.size :]
        if features.size:
            self.design.gather(features, self.frame.shift[features], row_scale, target)
        target /= self.frame.divisor[features]
        return out

    def held(self) -> DenseColumns:
        """All of A in memory."""
        return DenseColumns(self._gathered(0, self.width, None), self.n_free)

    def free_columns(self) -> Array:
        """The unpenalized columns of A."""
        return self._gathered(0, self.n_free, None)

    def _sparse_grams(self, weights: Array, row_sets: list[Array]) -> list[Array]:
        features = self.frame.features
        inverse = 1.0 / self.frame.divisor[features]
        shift = self.frame.shift[features] * inverse
        rows_first = (csc_of(self.design)[:, features] @ sparse.diags_array(inverse)).tocsr()
        constant = int(self.frame.fit_intercept)
        grams = []
        for rows in row_sets:
            part, weight = rows_first[rows], weights[rows]
            weighted = sparse.diags_array(weight) @ part
            sums, total = np.asarray(weighted.sum(axis=0)).ravel(), float(weight.sum())
            gram = np.empty((self.width, self.width))
            gram[constant:, constant:] = (part.T @ weighted).toarray()
            gram[constant:, constant:] -= np.outer(sums, shift) + np.outer(shift, sums) - total * np.outer(shift, shift)
            if constant:
                gram[0, 0] = total
                gram[0, 1:] = gram[1:, 0] = sums - total * shift
            grams.append(gram)
        return grams


@dataclass(frozen=True)
class MixedColumns:
    """A touched through the design, its unpenalized columns replaced by a basis (n_rows, n_free) of them."""

    products: DesignColumns
    free: Array

    @property
    def n_free(self) -> int:
        """Columns that are not penalized."""
        return self.free.shape[1]

    @property
    def width(self) -> int:
        """Number of columns of A."""
        return self.n_free + self.products.frame.penalized.size

    def times(self, coefs: Array) -> Array:
        """A @ coefs."""
        padded = np.zeros((self.products.width, *coefs.shape[1:]))
        padded[self.products.n_free :] = coefs[self.n_free :]
        return self.products.times(padded) + self.free @ coefs[: self.n_free]

    def adjoint(self, rows: Array) -> Array:
        """A.T @ rows."""
        return np.concatenate([self.free.T @ rows, self.products.adjoint(rows)[self.products.n_free :]])

    def gram(self, weights: Array) -> Array:
        """A.T @ diag(weights) @ A for weights >= 0."""
        return self.row_grams(weights, [np.arange(weights.size)])[0]

    def row_grams(self, weights: Array, row_sets: list[Array]) -> list[Array]:
        """The Gram of every set of rows."""
        old, new, grams = self.products.n_free, self.n_free, []
        for rows, part in zip(row_sets, self.products.row_grams(weights, row_sets), strict=True):
            weighted = np.zeros_like(self.free)
            weighted[rows] = weights[rows, None] * self.free[rows]
            gram = np.empty((self.width, self.width))
            gram[new:, new:] = part[old:, old:]
            gram[:, :new] = self.adjoint(weighted)
            gram[:new, new:] = gram[new:, :new].T
            grams.append(gram)
        return grams

    def squares(self, weights: Array) -> Array:
        """Diagonal of `gram`."""
        return np.concatenate([weights @ self.free**2, self.products.squares(weights)[self.products.n_free :]])


def csc_of(design: Any) -> sparse.csc_array:
    """The sparse columns of a design, without a copy."""
    indptr, indices, data = design.csc()
    return sparse.csc_array((data, indices, indptr), shape=design.shape)


def kernels(design: Any, frame: Frame, divisors: list[Array]) -> list[Array]:
    """X̃ X̃ᵀ over the penalized columns, for each vector of divisors (n_features,): one reading of X for all.

    Columns are centered before they are multiplied, except sparse ones with few entries, whose mean is no larger than
    their spread. Cost: n² p / 2 multiplications each, memory n² each and n times `BLOCK`.
    """
    n_rows, features = design.shape[0], frame.penalized
    results = [np.zeros((n_rows, n_rows), order="F") for _ in divisors]
    if design.is_sparse:
        counts = np.diff(design.csc()[0])[features]
        light = features[counts <= 0.1 * n_rows]
        features = features[counts > 0.1 * n_rows]
        _add_sparse_kernels(design, frame, light, divisors, results)
    buffer = np.empty((n_rows, min(BLOCK, max(features.size, 1))), order="F")
    for start in range(0, features.size, BLOCK):
        chosen = features[start : start + BLOCK]
        block = buffer[:, : chosen.size]
        design.gather(chosen, frame.shift[chosen], None, block)
        for result, divisor in zip(results, divisors, strict=True):
            scaled = block / divisor[chosen]
            blas.dsyrk(1.0, scaled, beta=1.0, c=result, lower=1, overwrite_c=1)
    for result in results:
        upper = np.triu_indices(n_rows, 1)
        result[upper] = result.T[upper]
    return results


def _add_sparse_kernels(design: Any, frame: Frame, light: Array, divisors: list[Array], results: list[Array]) -> None:
    if not light.size:
        return
    columns = csc_of(design)[:, light]
    for result, divisor in zip(results, divisors, strict=True):
        scaled = columns @ sparse.diags_array(1.0 / divisor[light])
        shift = frame.shift[light] / divisor[light]
        cross = scaled @ shift
        result += (scaled @ scaled.T).toarray()
        result -= cross[:, None] + cross - shift @ shift


def frame_of(problem: Any, moments: tuple[Array, Array], scale: Array | None) -> Frame:
    """Free and penalized columns of a problem, centered at its weighted means."""
    n_features = problem.design.shape[1]
    factors = problem.penalty.factors
    factors = np.ones(n_features) if factors is None else np.broadcast_to(np.asarray(factors, float), (n_features,))
    means, variances = moments
    about_means = problem.fit_intercept or isinstance(problem.loss, JointLoss)
    shift = means if about_means else np.zeros(n_features)
    divisor = np.sqrt(factors) * (1.0 if scale is None else scale)
    size = np.sqrt(variances + (means - shift) ** 2)
    free = factors == 0
    divisor = np.where(free, size, divisor)
    # a column without spread says nothing that the intercept does not: infinity makes it and its coefficient 0
    divisor[(variances if about_means else size) == 0] = np.inf
    features = np.concatenate([np.flatnonzero(free), np.flatnonzero(~free)]).astype(np.int64)
    return Frame(features, int(free.sum()), shift, divisor, bool(problem.fit_intercept), n_features)
