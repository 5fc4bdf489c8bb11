"""The restricted problem of a smooth loss for a penalty with a solver of its own: by prox-Newton steps."""

from typing import Any

import numpy as np

from shrinkage.problem import Problem
from shrinkage.solvers._growing import Columns
from shrinkage.solvers._prox_squared import NOTHING, ProxBatch
from shrinkage.solvers._prox_terms import Terms

MOST_NEWTON, AFTER_FAILURE = 100, 5  # steps for one strength, and once one has not been enough
MOST_SWEEPS = 300  # of one model
INEXACT = 1e-3  # of what the conditions lack, what a model's may
HALVINGS, MOST_BOOSTS = 6, 20
NOISE = 1e-13  # of the null objective, below which values of the objective say nothing


class SmoothProxFit:
    """The mean loss on the working set, its columns measured from their weighted means.

    Around the linear predictor at hand the loss is a quadratic of curvature D = diag(v ∘ ℓ''), v the row weights. Its
    minimum with the penalty is taken if that lowers the objective; else the curvature is raised, first to what bounds
    the loss of a residual from above, then twofold each time.
    """

    def __init__(self, problem: Problem, terms: Terms, tol: float):
        self.problem, self.terms, self.tol = problem, terms, tol
        self._loss: Any = problem.loss  # of rows: no other comes here
        n, p = problem.design.shape
        self._weights = problem.weights
        self._Q, self.to_raw = problem.free_block
        self._null = problem.null.eta
        self._columns = Columns(n, min(p, max(256, 4 * min(n, p))))
        self.features, self.means, self._u = np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
        self._free, self._eta = np.zeros(self._Q.shape[1]), self._null
        self._most = MOST_NEWTON
        self._noise = NOISE * max(problem.null.objective, 1e-300)

    def null_theta(self) -> np.ndarray:
        """(n_samples, 1) of the null model."""
        return self._theta(self._null)[:, None]

    def _theta(self, eta: np.ndarray) -> np.ndarray:
        return -self._weights * self._loss.gradient(self.problem.y, eta)

    def grow(self, features: np.ndarray) -> None:
        """Append columns to the working set."""
        count = len(features)
        new = self._columns.append(count)
        self.problem.design.gather(features, np.zeros(count), None, new)
        means = np.zeros(count)
        if self.problem.fit_intercept:
            for _ in range(2):
                shift = self._weights @ new
                new -= shift
                means += shift
        scale = self.terms.scale[features]
        spread = np.sqrt(self._weights @ (new * new))
        new[:, spread <= NOTHING * np.abs(means)] = 0.0
        new /= scale
        self.features = np.concatenate([self.features, features])
        self.means = np.concatenate([self.means, means / scale])
        self._u = np.concatenate([self._u, np.zeros(count)])

    def solve(self, alphas: np.ndarray) -> ProxBatch:
        """Solve at falling strengths, each from the one before."""
        n, count = len(self._eta), len(alphas)
        u, theta, eta = (np.empty((rows, count), order="F") for rows in (len(self.features), n, n))
        free, steps = np.empty((len(self._free), count)), np.zeros(count, np.int32)
        for t, alpha in enumerate(alphas):
            steps[t] = self._solve_one(float(alpha))
            u[:, t], free[:, t], eta[:, t] = self._u, self._free, self._eta
            theta[:, t] = self._theta(self._eta)
        return ProxBatch(u, theta, free, eta, steps)

    def stand_at(self, u: np.ndarray, free: np.ndarray | None, eta: np.ndarray | None) -> None:
        """Go on from coefficients of the first columns of the working set; the others are 0."""
        self._u = np.zeros(len(self.features))
        self._u[: len(u)] = u
        self._free = np.zeros(self._Q.shape[1]) if free is None else free.copy()
        self._eta = self._null if eta is None else eta.copy()

    def _solve_one(self, alpha: float) -> int:
        """Newton steps from where the fit stands, until its conditions hold to `tol`."""
        columns, terms = self._columns.values, self.terms
        for step in range(self._most):
            theta = self._theta(self._eta)
            z, z_free = columns.T @ theta, self._Q.T @ theta
            lacking = terms.violation(self._u, z, self.features, alpha)
            if max(lacking, float(np.abs(z_free).max(initial=0.0))) <= self.tol:
                return step
            if not self._newton_step(z, z_free, alpha, max(0.1 * self.tol, INEXACT * lacking)):
                return step + 1
        self._most = AFTER_FAILURE  # separated classes: there is no minimum to come to
        return MOST_NEWTON

    def _newton_step(self, z: np.ndarray, z_free: np.ndarray, alpha: float, exact: float) -> bool:
        """Move to the minimum of a quadratic model that lowers the objective; False where none does."""
        own = np.zeros(len(self.terms.scale), bool)
        own[self.features[self._u != 0]] = True
        whole = np.zeros(len(self.terms.scale))
        whole[self.features] = z
        places = np.flatnonzero(self.terms.loose(whole, 0.9 * alpha, own)[self.features] | (self._u != 0))
        columns, features = np.asfortranarray(self._columns.values[:, places]), self.features[places]
        start, value = self._u[places], self._objective(self._eta, self._u, alpha)
        curvature = self._curvature(False)
        for boost in range(MOST_BOOSTS):
            H, mixed, inverse = self._model(columns, curvature)
            linear = z[places] - mixed.T @ (inverse @ z_free) + H @ start
            found = self.terms.solve(H, linear, features, np.array([alpha]), exact, start, MOST_SWEEPS)[0][:, 0]
            free = inverse @ (z_free - mixed @ (found - start))
            along = columns @ (found - start) + self._Q @ free
            move = np.zeros(len(self._u))
            move[places] = found - start
            share = self._share(along, move, value, alpha)
            if share > 0:
                self._u = self._u + share * move
                self._u[places] = found if share == 1 else self._u[places]
                self._free, self._eta = self._free + share * free, self._eta + share * along
                return bool(move.any() or free.any())
            curvature = self._curvature(True) if boost == 0 else 2.0 * curvature
        return False

    def _share(self, along: np.ndarray, move: np.ndarray, value: float, alpha: float) -> float:
        """How much of a step lowers the objective: all of it, the best of its halves, or 0 where none does."""
        best, share, t = value + self._noise, 0.0, 1.0
        for _ in range(HALVINGS):
            there = self._objective(self._eta + t * along, self._u + t * move, alpha)
            if not there <= best:
                if share > 0:
                    break
            else:
                best, share = there, t
                if t == 1 and there <= value:
                    break
            t *= 0.5
        return share

    def _curvature(self, bounding: bool) -> np.ndarray:
        """(n,) curvature of each row: the loss's own, or one that keeps a step from going too far."""
        loss, y, eta = self._loss, self.problem.y, self._eta
        own = loss.curvature(y, eta)
        slope = np.abs(loss.gradient(y, eta))
        apart = 2.0 * (1.0 + np.abs(eta)) if np.isfinite(loss.reach) else np.maximum(np.abs(y - eta), 1e-300)
        above = np.maximum(own, slope / apart)
        return above if bounding else np.maximum(own, 1e-3 * above)

    def _model(self, columns: np.ndarray, curvature: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hessian (k, k) without the free block, its mixed part (r, k), and the inverse of the free block's (r, r)."""
        D = self._weights * curvature
        weighted = D[:, None] * columns
        mixed = self._Q.T @ weighted
        inverse = np.linalg.pinv(self._Q.T @ (D[:, None] * self._Q), rcond=1e-14, hermitian=True)
        return np.asfortranarray(columns.T @ weighted - mixed.T @ (inverse @ mixed)), mixed, inverse

    def _objective(self, eta: np.ndarray, u: np.ndarray, alpha: float) -> float:
        loss = float(self._weights @ self._loss.value(self.problem.y, eta))
        return loss + self.terms.value(u, self.features, alpha)
