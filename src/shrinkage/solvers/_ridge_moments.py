"""Ridge of data in blocks: every strength and fold from the moments of one reading."""

import numpy as np

from shrinkage.solvers._batches import Certified
from shrinkage.solvers._moments import MomentDriver
from shrinkage.solvers._ridge_squared import solve_shifted
from shrinkage.solvers._squared import raw_free_coefs


def ridge_of_moments(driver: MomentDriver, alphas: np.ndarray) -> Certified:
    """Minimize at every strength, in any order, for every fit: one eigendecomposition of a matrix of moments each.

    With H and c what `MomentDriver` is left with once Q is eliminated, and d the weights of w²/2, the answer is
    w = D (D H D + alpha I)⁻¹ D c, D = diag(d)^-½, and the gap Σ_j (c - H w - alpha d w)_j² / (2 alpha d_j), in which
    nothing cancels. At strength 0 directions that are rounding of H get 0, and the gap is what the others leave.

    Parameters
    ----------
    driver : MomentDriver
        Of the same problem; its own l1_ratio is not used.
    alphas : ndarray of shape (n_alphas,), >= 0
    """
    moments, m, count = driver.moments, len(driver.penalized), len(alphas)
    n_fits, tests = len(driver.yy), len(moments.test_totals)
    relative, scores = np.empty((n_fits, count)), np.empty((count, tests))
    coefs, gaps, kkt = np.zeros((m, count)), np.zeros(count), np.zeros(count)
    for f in reversed(range(n_fits)):
        sums = moments.all if f == 0 else moments.all - moments.left_out[f - 1]
        cross = sums[m + 1 :, : m + 1]
        explained = driver.inverses[f] @ cross
        kept = (sums[: m + 1, : m + 1] - cross.T @ explained) / moments.totals[f]
        unit = 1 / np.sqrt(driver.l2[f])
        matrix, target = kept[:m, :m] * np.outer(unit, unit), unit * kept[:m, m]
        if driver.null_objectives[f] == 0:
            target[:] = 0.0
        solutions, gaps = solve_shifted(matrix, target, alphas, dual=False)
        left = target[:, None] - matrix @ solutions - alphas * solutions
        kkt = np.abs(left / unit[:, None]).max(axis=0, initial=0.0)
        coefs = unit[:, None] * solutions
        free = explained[:, m, None] - explained[:, :m] @ coefs
        null = driver.null_objectives[f]
        relative[f] = gaps / (null if null > 0 else 1.0)
        if 0 < f <= tests:
            errors = np.vstack([-coefs, np.ones((1, count)), -free])
            squares = np.einsum("dt,de,et->t", errors, moments.test[f - 1], errors, optimize=True)
            scores[:, f - 1] = np.maximum(squares, 0.0) / moments.test_totals[f - 1]
    free = driver.explained[:, m, None] - (driver.explained[:, :m] + moments.removed) @ coefs  # the last: all rows
    intercepts, free_coefs = raw_free_coefs(driver.problem, moments.to_raw @ free)
    return Certified(
        features=[driver.penalized],
        coefs=[coefs],
        intercepts=[intercepts],
        free_coefs=[free_coefs],
        gaps=[gaps],
        kkt=[kkt],
        steps=[np.ones(count, np.int32)],
        scores=[(scores, relative[1:].T)],
        n_passes=1,
    )
