"""One ridge fit of a problem, or of some of its rows: which dimension to work in, and the fit itself."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shrinkage._errors import ArgumentError
from shrinkage.losses import Cox, JointLoss
from shrinkage.problem import Problem, is_kinked, minimize_free, minimize_free_jointly, row_loss
from shrinkage.solvers._ridge_columns import (
    HELD_ENTRIES,
    Array,
    DenseColumns,
    DesignColumns,
    Frame,
    MixedColumns,
    frame_of,
    kernels,
)
from shrinkage.solvers._ridge_descent import descend, in_core
from shrinkage.solvers._ridge_joint import JointColumns, JointSample, joint_sample
from shrinkage.solvers._ridge_kinked import KinkedDescent
from shrinkage.solvers._ridge_newton import (
    CholeskySteps,
    ConjugateSteps,
    Descent,
    NewtonDescent,
    Sample,
    newton_path,
)
from shrinkage.solvers._ridge_shifted import fit_products
from shrinkage.solvers._ridge_squared import (
    EPS,
    Fit,
    Moments,
    fit_kernel,
    fit_moments,
    fit_singular,
    free_basis_of,
    least_squares,
)

FACTOR_LIMIT = {True: 3000, False: 4000}
"""Largest matrix that is decomposed, for sparse and dense X; above it, conjugate gradients."""

EXACT_LIMIT = 500
"""Largest min(n, p) up to which singular values are taken of X itself, where its Gram would round too much away."""
FAINT = 1e-10
"""Strengths below this share of the sum of S's eigenvalues drown in the rounding of a Gram or a kernel."""


@dataclass(frozen=True)
class Ground:
    """Rows, weights and columns that a fit stands on.

    Attributes
    ----------
    problem : Problem
    weights : ndarray of shape (n_samples,)
        Of this fit, sum one; 0 in rows that it does not see.
    frame : Frame
    columns : DenseColumns, DesignColumns or MixedColumns
        A, with `free` in place of its unpenalized columns.
    free : ndarray of shape (n_samples, n_free)
        An orthonormal basis of the unpenalized columns of A.
    mix : ndarray of shape (columns of A without penalty, n_free) or None
        What takes coefficients of `free` to those of A; None stands for the identity.
    kernel : ndarray of shape (n_samples, n_samples) or None
        X̃ X̃ᵀ of the penalized columns, where it is smaller than X̃ᵀ X̃.
    root : tuple of two ndarrays, or None
        For losses that are not squared: R with R Rᵀ = kernel, and B with a = B u for coefficients u of R.
    rotation : ndarray of shape (n_penalized, n_samples) or None
        Orthonormal columns V: `columns` then holds X̃ V, and coefficients u of that are V u of X̃.
    exact : bool
        Whether a Gram or a kernel would round too much away: a squared loss is then fitted by singular values.
    n_passes : int
        Readings of X so far.
    """

    problem: Problem
    weights: Array
    frame: Frame
    columns: Any
    free: Array
    mix: Array | None
    n_passes: int
    kernel: Array | None = None
    root: tuple[Array, Array] | None = None
    rotation: Array | None = None
    exact: bool = False

    @property
    def offset(self) -> Array:
        """The offset, zeros if there is none."""
        offset = self.problem.offset
        return np.zeros(self.weights.size) if offset is None else offset

    @property
    def factors_fit(self) -> bool:
        """Whether the Gram of A is small enough to be decomposed."""
        return self.columns.width - self.columns.n_free <= FACTOR_LIMIT[bool(self.problem.design.is_sparse)]

    def seeing(self, weights: Array) -> "Ground":
        """The same columns, other weights."""
        return replace(self, weights=weights)

    def target(self) -> tuple[Array, float]:
        """Response minus offset, about its weighted mean if there is an intercept, and that mean."""
        left = self.problem.y - self.offset
        center = float(self.weights @ left) if self.problem.fit_intercept else 0.0
        return left - center, center


def ground_of(
    problem: Problem, weights: Array, scale: Array | None, moments: tuple[Array, Array], alphas: Array
) -> Ground:
    """Choose the dimension and prepare what is shared by every strength; one more reading of X, or none."""
    design = problem.design
    frame = frame_of(problem, moments, scale)
    products = DesignColumns(design, frame)
    n_samples, n_penalized = design.shape[0], frame.penalized.size
    squared = problem.loss.name == "squared"
    fits = n_samples * products.width <= HELD_ENTRIES
    exact = fits and min(n_samples, n_penalized) <= EXACT_LIMIT and _faint(frame, moments, alphas)
    joint = isinstance(problem.loss, JointLoss)
    if n_penalized <= n_samples and (fits or joint):
        values = products.held().values
        free, mix = _free_block(values[:, : frame.n_free], weights, frame)
        held = DenseColumns(np.hstack([free, values[:, frame.n_free :]]) if mix is not None else values, free.shape[1])
        return Ground(problem, weights, frame, held, held.values[:, : held.n_free], mix, 1, exact=exact)
    if n_samples < n_penalized and exact:
        values = products.held().values
        free, mix = _free_block(values[:, : frame.n_free], weights, frame)
        rotated, rotation = rotate(values[:, frame.n_free :])
        held = DenseColumns(np.hstack([free, rotated]), free.shape[1])
        return Ground(problem, weights, frame, held, free, mix, 1, rotation=rotation, exact=exact)
    if n_samples < n_penalized and n_samples <= FACTOR_LIMIT[bool(design.is_sparse)]:
        free, mix = _free_block(products.free_columns(), weights, frame)
        kernel = kernels(design, frame, [frame.divisor])[0]
        root = None if squared else kernel_root(kernel)
        columns = products if root is None else DenseColumns(np.hstack([free, root[0]]), free.shape[1])
        return Ground(problem, weights, frame, columns, free, mix, 1, kernel, root)
    if joint:
        raise ArgumentError(
            f"l1_ratio must be > 0 for {problem.loss.name} with over {FACTOR_LIMIT[bool(design.is_sparse)]} rows and "
            f"more columns than rows, for want of a ridge solver; got X of shape {design.shape}: take 0.01"
        )
    free, mix = _free_block(products.free_columns(), weights, frame)
    columns = products if mix is None else MixedColumns(products, free)
    return Ground(problem, weights, frame, columns, free, mix, 0)


def _faint(frame: Frame, moments: tuple[Array, Array], alphas: Array) -> bool:
    """Whether the smallest penalty is rounding beside the largest eigenvalue that the columns can have."""
    means, variances = moments
    squares = (variances + (means - frame.shift) ** 2)[frame.penalized] / frame.divisor[frame.penalized] ** 2
    return bool((alphas > 0).any()) and float(alphas[alphas > 0].min()) < FAINT * float(squares.sum())


def _free_block(columns: Array, weights: Array, frame: Frame) -> tuple[Array, Array | None]:
    """A weighted-orthonormal basis of A's unpenalized columns and its coefficients; a constant alone stays."""
    if frame.n_free_features == 0:
        return columns, None
    roots = np.sqrt(weights)
    basis, mix = free_basis_of(roots[:, None] * columns)
    free, used = columns @ mix, weights > 0
    free[used] = basis[used] / roots[used, None]
    return free, mix


def rotate(values: Array) -> tuple[Array, Array]:
    """X̃ V (n, n) and V (p, n), of orthonormal columns, for X̃ with fewer rows than columns.

    The columns of X̃ V are orthogonal: however much their sizes differ, no digit of a small one is lost.
    """
    turned, upper = np.linalg.qr(values.T)
    left, sizes, right = np.linalg.svd(upper.T)
    return left * sizes, turned @ right.T


def kernel_root(kernel: Array) -> tuple[Array, Array]:
    """R (n, r) with R Rᵀ = kernel, and B (n, r) with kernel B = R, from one eigendecomposition."""
    values, vectors = np.linalg.eigh(kernel)
    kept = values > kernel.shape[0] * EPS * max(float(values[-1]), 0.0)
    lengths = np.sqrt(values[kept])
    return vectors[:, kept] * lengths, vectors[:, kept] / lengths


def fit(ground: Ground, alphas: Array, tol: float, start: Array | None = None) -> Fit:
    """Minimize at every strength (any order for the squared loss, falling for others)."""
    if ground.problem.loss.name == "squared":
        return _fit_squared(ground, alphas, tol)
    return _fit_newton(ground, alphas, tol, start)


def _fit_squared(ground: Ground, alphas: Array, tol: float) -> Fit:
    target, _ = ground.target()
    weights, columns = ground.weights, ground.columns
    start = 0.5 * float(weights @ (ground.problem.y - ground.offset) ** 2)
    if ground.exact:
        found = fit_singular(columns.values, columns.n_free, target, weights, alphas, start)
        unpenalized_strengths(found, columns, target, weights, alphas)
        return found
    if ground.kernel is not None:
        rows = np.flatnonzero(weights)
        part = slice(None) if rows.size == weights.size else rows
        kernel = ground.kernel if rows.size == weights.size else ground.kernel[np.ix_(rows, rows)]
        found = fit_kernel(kernel, ground.free[part], target[part], weights[part], alphas, start)
        dual = np.zeros((weights.size, alphas.size))
        dual[part] = found.penalized
        return replace(found, penalized=dual)
    if not isinstance(columns, DenseColumns) and not ground.factors_fit:
        return fit_products(columns, ground.free, target, weights, alphas, tol, start)
    moments = Moments(columns.gram(weights), columns.adjoint(weights * target), float(weights @ target**2), start)
    found = fit_moments(moments, columns.n_free, alphas)
    if isinstance(columns, DenseColumns):
        unpenalized_strengths(found, columns, target, weights, alphas)
    return replace(found, n_passes=2)


def unpenalized_strengths(found: Fit, columns: DenseColumns, target: Array, weights: Array, alphas: Array) -> None:
    """Replace the fits of strength 0 by ones that never form a Gram matrix, whose rounding would show there."""
    for t in np.flatnonzero(alphas == 0):
        coefs = least_squares(columns.values, target, weights, columns.n_free)
        left = target - columns.values @ coefs
        again = least_squares(columns.values, left, weights, columns.n_free)
        coefs += again
        found.free[:, t], found.penalized[:, t] = coefs[: columns.n_free], coefs[columns.n_free :]
        found.gaps[t] = 0.5 * float(weights @ (columns.values @ again) ** 2)


def _fit_newton(ground: Ground, alphas: Array, tol: float, start: Array | None) -> Fit:
    problem, seen = ground.problem, ground.weights > 0
    columns, rows = ground.columns, slice(None)
    if isinstance(columns, DenseColumns) and not seen.all():
        rows = np.flatnonzero(seen)
        columns = DenseColumns(columns.values[rows], columns.n_free)
    offset, weights, free = ground.offset[rows], ground.weights[rows], ground.free[rows]
    solve_free = free_basis_of(np.sqrt(weights)[:, None] * free)[1]
    y, basis, loss = problem.y[rows], free @ solve_free, problem.loss
    sample: Sample | JointSample
    if isinstance(loss, Cox):
        sample = joint_sample(columns.values, free, y, offset, weights, loss)
        columns = sample.columns
        free_coefs, eta = minimize_free_jointly(loss, y, offset, basis, weights)
    else:
        sample = Sample(columns, free, y, offset, weights, row_loss(loss))
        free_coefs, eta = minimize_free(row_loss(loss), y, offset, basis, weights)
    null, at_offset = sample.value(eta), sample.value(offset)
    if isinstance(columns, JointColumns | DenseColumns) or ground.factors_fit:
        steps: CholeskySteps | ConjugateSteps = CholeskySteps(columns)
    else:
        steps = ConjugateSteps(columns)
    if start is None:
        start = np.zeros((columns.width, 1))
        start[: columns.n_free, 0] = solve_free @ free_coefs
    target = max(0.1 * tol * null, 1e-15 * at_offset)
    descent: Descent = NewtonDescent(sample, steps, target, null)
    if isinstance(sample, Sample) and is_kinked(sample.loss):
        descent = KinkedDescent(sample, steps, target, null)
    if isinstance(sample, Sample) and not ground.exact and in_core(sample, alphas):
        coefs, gaps, counts = descend(sample, alphas, start, tol, null)
    else:
        coefs, gaps, counts = newton_path(sample, descent, alphas, start)
    n_free = columns.n_free
    passes = 0 if isinstance(columns, JointColumns | DenseColumns) else 2 * int(counts.sum())
    penalized = coefs[n_free:] if ground.root is None else ground.root[1] @ coefs[n_free:]
    return Fit(coefs[:n_free], penalized, gaps, null, at_offset, counts, passes, dual=ground.root is not None)


def newton_start(ground: Ground, found: Fit) -> Array:
    """Coefficients of A from which to go on."""
    if ground.root is None:
        return found.coefs
    return np.concatenate([found.free, ground.root[0].T @ found.penalized])


def linear_predictors(ground: Ground, found: Fit, rows: Array) -> Array:
    """Linear predictors (len(rows), T) of a fit, for rows that it may not have seen."""
    center = ground.target()[1] if ground.problem.loss.name == "squared" else 0.0
    base = (ground.offset[rows] + center)[:, None]
    if found.dual:
        assert ground.kernel is not None
        return base + ground.kernel[rows] @ found.penalized + ground.free[rows] @ found.free
    if isinstance(ground.columns, DenseColumns):
        return base + ground.columns.values[rows] @ found.coefs
    return base + ground.columns.times(found.coefs)[rows]


def raw_coefs(ground: Ground, found: Fit) -> tuple[Array, Array]:
    """Coefficients (n_features, T) and intercepts (T,) in the units of X."""
    coefs = found
    if found.dual:
        products = DesignColumns(ground.problem.design, ground.frame)
        coefs = replace(found, penalized=products.adjoint(found.penalized)[ground.frame.n_free :])
    if ground.rotation is not None:
        coefs = replace(coefs, penalized=ground.rotation @ found.penalized)
    if ground.mix is not None:
        coefs = replace(coefs, free=ground.mix @ found.free)
    raw, intercepts = ground.frame.raw(coefs.coefs)
    if ground.problem.loss.name == "squared":
        intercepts += ground.target()[1]
    return raw, intercepts
