"""Tall or small data: after one pass over X, all strengths and folds are solved and certified from moments alone."""

from typing import Any

import numpy as np

from shrinkage import _core
from shrinkage.problem import Problem, explained_or, without_rounding
from shrinkage.solvers._batches import Certified
from shrinkage.solvers._moment_sums import Moments, gather
from shrinkage.solvers._squared import raw_free_coefs


class MomentDriver:
    """All features are the working set; the Gram matrix of a fold is that of all rows minus that of the rows left out.

    For weights s, Q the problem's basis of the intercept and the free columns, and D = [X - Q removed, y, Q] with y
    measured from the null model, the moments are D' diag(s) D over the rows of a fit. Eliminating Q from them leaves
    H, c and the squared norm of y: everything that the objective, the optimality conditions and the duality gap ask
    for. X is not read again.

    Parameters
    ----------
    problem : Problem with a squared loss
    folds : list of (training rows, held-out rows)
        One for each fit after the first, which is of all rows; without held-out rows there are no scores.
    l1_weights, l2_weights : ndarray of shape (n_features, n_fits)
    l1_ratio : float in (0, 1]
    tol : float
    moments : Moments, optional
        Those of these rows, where they are known already.
    """

    def __init__(
        self,
        problem: Problem,
        folds: list,
        l1_weights,
        l2_weights,
        l1_ratio: float,
        tol: float,
        moments: Moments | None = None,
    ):
        self.problem, self.l1_ratio, self.tol = problem, l1_ratio, tol
        self.penalized = np.flatnonzero(l1_weights[:, 0] > 0)
        self.l1 = np.ascontiguousarray(l1_weights[self.penalized].T)  # (n_fits, m)
        self.l2 = np.ascontiguousarray(l2_weights[self.penalized].T)
        self.moments = gather(problem, self.penalized, folds) if moments is None else moments
        self._eliminate()
        with np.errstate(divide="ignore"):
            self.alpha_max = float((np.abs(self.linear) / self.l1[0]).max(initial=0.0)) / l1_ratio

    def _eliminate(self) -> None:
        """What is left of y in each fit once Q is fitted to it, and the correlations of the first fit."""
        moments, m = self.moments, len(self.penalized)
        small = np.concatenate([np.zeros((1, *moments.all[m:, m:].shape)), moments.left_out[:, m:, m:]])
        small = moments.all[m:, m:] - small  # of y and Q, on the rows of each fit
        self.inverses, ranks = _pseudo_inverses(small[:, 1:, 1:])
        y_by_free = small[:, :1, 1:]
        explained = (y_by_free @ self.inverses @ y_by_free.transpose(0, 2, 1))[:, 0, 0]
        left = np.maximum(small[:, 0, 0] - explained, 0.0) / moments.totals
        self.yy = left
        self.null_objectives = 0.5 * explained_or(left, moments.whole)
        self.null_objectives[0] = self.problem.null.objective
        self.ranks = np.minimum(np.maximum(moments.positive - ranks, 1), max(m, 1)).astype(np.int32)
        cross = moments.all[m + 1 :, : m + 1]
        self.explained = self.inverses[0] @ cross  # coefficients of Q for each column of X and for y, on all rows
        self.linear = (moments.all[m, :m] - cross[:, m] @ self.explained[:, :m]) / moments.totals[0]
        if self.null_objectives[0] == 0:
            self.linear[:] = 0.0
        problem = self.problem
        theta, C = problem.weights * (problem.y - problem.null.eta), np.zeros((problem.design.shape[1], 1))
        C[self.penalized, 0] = self.linear
        self.linear = without_rounding(problem.design, theta[:, None], C)[self.penalized, 0]

    def run(self, alphas: np.ndarray) -> Certified:
        """Solve and certify every strength of a decreasing grid, for every fit."""
        return self.run_fits(alphas, kept=1)[0]

    def run_fits(self, alphas: np.ndarray, kept: int | None = None) -> tuple[Certified, np.ndarray]:
        """The same, and the penalized coefficients of the first `kept` fits (all), (kept, n_strengths, n_penalized)."""
        moments, m, count, n_fits = self.moments, len(self.penalized), len(alphas), len(self.yy)
        tests = len(moments.test_totals)
        coefs = np.empty((n_fits if kept is None else kept, count, m))
        steps, gaps, kkt = np.zeros(count, np.int32), np.empty((n_fits, count)), np.empty(count)
        scores = np.empty((count, tests))
        _core.solve_moments(
            moments.all,
            moments.left_out,
            moments.test,
            self.inverses,
            moments.totals,
            moments.test_totals,
            self.yy,
            self.null_objectives,
            self.ranks,
            self.l1,
            self.l2 if self.l1_ratio < 1 else None,
            alphas * self.l1_ratio,
            alphas * (1 - self.l1_ratio),
            float(np.clip(self.tol / 10, 1e-13, 1e-9)),
            coefs,
            steps,
            gaps,
            kkt,
            scores,
        )
        free = self.explained[:, m, None] - (self.explained[:, :m] + moments.removed) @ coefs[0].T
        intercepts, free_coefs = raw_free_coefs(self.problem, moments.to_raw @ free)
        null = self.null_objectives[1:]
        relative = gaps[1:] / np.where(null > 0, null, 1.0)[:, None]
        certified = Certified(
            features=[self.penalized],
            coefs=[coefs[0].T],
            intercepts=[intercepts],
            free_coefs=[free_coefs],
            gaps=[gaps[0]],
            kkt=[kkt],
            steps=[steps],
            scores=[(scores, relative.T)],
            n_passes=1,
        )
        return certified, coefs


def _pseudo_inverses(z: np.ndarray) -> tuple[np.ndarray, Any]:
    """Pseudo-inverses (k, q, q) of positive semidefinite matrices (k, q, q), and their ranks."""
    if z.shape[1] == 1 and (z > 0).all():
        return 1 / z, 1
    found = [_pseudo_inverse(one) for one in z]
    return np.stack([inverse for inverse, _ in found]), np.array([rank for _, rank in found])


def _pseudo_inverse(z: np.ndarray) -> tuple[np.ndarray, int]:
    norms = np.sqrt(np.maximum(np.diag(z), 0.0))
    norms[norms == 0] = 1
    values, vectors = np.linalg.eigh(z / np.outer(norms, norms))
    kept = values > 1e-12 * values.max(initial=0.0)
    vectors = vectors[:, kept] / norms[:, None]
    return (vectors / values[kept]) @ vectors.T, int(kept.sum())
