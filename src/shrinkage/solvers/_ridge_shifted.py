"""Ridge for the squared loss where neither side of X is small: one Krylov space for every strength."""

from collections.abc import Callable

import numpy as np

from shrinkage.solvers._ridge_columns import Array, Columns
from shrinkage.solvers._ridge_squared import Fit, free_basis_of

MAX_ITERATIONS = 2000


def shifted_conjugate_gradients(
    product: Callable[[Array], Array], target: Array, alphas: Array, wanted: float, dual: bool
) -> tuple[Array, int]:
    """Solve (S + alpha I) x = target for every strength with one product of S an iteration.

    The residuals of all strengths stay multiples of one another (Frommer & Maass 1999; Jegerlehner 1996), so the
    conjugate gradients of the smallest strength carry those of the others. A strength stops when its duality gap,
    |e|²/(2 alpha) (dual form: eᵀSe/(2 alpha)) of its residual e, is `wanted`.

    Returns
    -------
    solutions (k, T), iterations
    """
    seed = float(alphas.min())
    shifts = alphas - seed
    solutions, steps = np.zeros((target.size, alphas.size)), np.repeat(target[:, None], alphas.size, axis=1)
    residual, step, size = target.copy(), target.copy(), float(target @ target)
    scale, scale_before = np.ones(alphas.size), np.ones(alphas.size)
    length_before, turn = 1.0, 0.0
    running = np.arange(alphas.size)
    errors = np.full(alphas.size, size)
    iterations, first = 0, size
    while running.size and size > 0.0 and iterations < MAX_ITERATIONS:
        applied = product(step) + seed * step
        steepness = float(step @ applied)
        if steepness <= 0.0:
            break
        iterations += 1
        length = size / steepness
        now, past, shift = scale[running], scale_before[running], shifts[running]
        bottom = length * turn * (past - now) + past * length_before * (1.0 + length * shift)
        following = np.divide(now * past * length_before, bottom, out=np.zeros_like(now), where=bottom != 0.0)
        lengths = np.divide(length * following, now, out=np.zeros_like(now), where=now != 0.0)
        solutions[:, running] += lengths * steps[:, running]
        residual -= length * applied
        size, before = float(residual @ residual), size
        rayleigh = 1.0 / length + turn / length_before - seed if dual else 1.0
        turn = size / before
        errors[running] = following**2 * size
        with np.errstate(divide="ignore"):
            gaps = errors[running] * max(rayleigh, 0.0) / (2.0 * alphas[running])
        done = (gaps <= wanted) | (errors[running] <= 1e-31 * first)
        turns = turn * np.divide(following * lengths, now * length, out=np.zeros_like(now), where=now != 0.0)
        steps[:, running] = following * residual[:, None] + turns * steps[:, running]
        scale_before[running], scale[running] = now, following
        step = residual + turn * step
        length_before = length
        running = running[~done]
    return solutions, iterations


def fit_products(
    columns: Columns, free: Array, target: Array, weights: Array, alphas: Array, tol: float, start: float
) -> Fit:
    """All strengths by products with A alone, in the smaller dimension."""
    roots = np.sqrt(weights)
    basis, solve_free = free_basis_of(roots[:, None] * free)
    n_free = columns.n_free

    def forward(coefs: Array) -> Array:
        block = np.zeros((columns.width, *coefs.shape[1:]))
        block[n_free:] = coefs
        rows = columns.times(block)
        return rows * (roots if rows.ndim == 1 else roots[:, None])

    def project(rows: Array) -> Array:
        return rows - basis @ (basis.T @ rows)

    def backward(rows: Array) -> Array:
        return columns.adjoint(project(rows) * (roots if rows.ndim == 1 else roots[:, None]))[n_free:]

    rooted = roots * target
    projected = project(rooted)
    null = 0.5 * float(projected @ projected)
    wanted = 0.01 * tol * null
    dual = target.size < columns.width - n_free
    if dual:
        solutions, count = shifted_conjugate_gradients(
            lambda v: project(forward(backward(v))), projected, alphas, wanted, dual=True
        )
        coefs = backward(solutions)
    else:
        coefs, count = shifted_conjugate_gradients(
            lambda u: backward(forward(u)), backward(projected), alphas, wanted, dual=False
        )
    fitted = forward(coefs)
    residual = rooted[:, None] - fitted
    free_coefs = solve_free @ (basis.T @ residual)
    slopes = backward(residual) - alphas * coefs
    with np.errstate(divide="ignore", invalid="ignore"):
        gaps = np.sum(slopes**2, axis=0) / (2.0 * alphas)
    left = project(residual)
    gaps = np.where(alphas > 0, gaps, 0.5 * np.sum(left**2, axis=0))
    iterations = np.full(alphas.size, count, dtype=np.int64)
    return Fit(free_coefs, coefs, gaps, null, start, iterations, 2 * count + 4, dual=False)
