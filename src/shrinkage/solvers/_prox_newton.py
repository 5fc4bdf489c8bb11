"""The restricted problem of a smooth loss for a penalty with a solver of its own: by prox-Newton steps."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkage.problem import Problem
from shrinkage.solvers._growing import Columns
from shrinkage.solvers._prox_squared import NOTHING, ProxBatch
from shrinkage.solvers._prox_terms import Terms

MOST_NEWTON, AFTER_FAILURE = 300, 30  # steps for one strength, and once one has not been enough
MOST_SWEEPS = 300  # of one model
INEXACT = 1e-3  # of what the conditions lack, what a model's may
HALVINGS = 60
KEPT = 1e-3  # of the fall that a model promises, what a whole step must keep
ARMIJO, ENOUGH = 1e-4, 0.3  # of the first slope, what a shortened step must keep, and what ends the search
NOISE = 1e-13  # of the null objective, below which values of the objective say nothing


@dataclass
class _Conditions:
    """What the loss says at a point of the fit."""

    z: np.ndarray  # (size of the working set,) correlations
    z_free: np.ndarray  # (rank,) with the free block
    lacking: float  # the largest violation


@dataclass
class _Way:
    """From the point of a fit to a minimum of a model."""

    move: np.ndarray  # (size of the working set,)
    free: np.ndarray  # (rank,)
    along: np.ndarray  # (n_samples,) linear predictors
    fall: float  # what the objective falls by, but for the curvature of the loss


class SmoothProxFit:
    """The mean loss on the working set, its columns measured from their weighted means.

    Around the linear predictor at hand the loss is a quadratic of curvature D = diag(v ∘ ℓ''), v the row weights. Its
    minimum with the penalty is taken if the objective falls there about as the model says. Else the penalty is taken
    as the weighted L1 norm that touches it here and lies above: the way to that minimum goes down, and a line search
    follows it.

    References
    ----------
    Zou & Li (2008), One-step sparse estimates in nonconcave penalized likelihood models, Ann. Statist. 36(4), section 2
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
        self.unit = 1.0  # what the gradient of the intercept counts, in units of penalized columns
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
        for step in range(self._most):
            at = self._conditions(self._u, self._eta, alpha)
            if at.lacking <= self.tol or not self._newton_step(at, alpha):
                return step
        self._most = AFTER_FAILURE
        return MOST_NEWTON

    def _conditions(self, u: np.ndarray, eta: np.ndarray, alpha: float) -> "_Conditions":
        theta = self._theta(eta)
        z, z_free = self._columns.values.T @ theta, self._Q.T @ theta
        lacking = self.terms.violation(u, z, self.features, alpha)
        # Columns as they were given have the gradient of the intercept times their means besides.
        far = self.unit + float(np.abs(self.means).max(initial=0.0))
        return _Conditions(z, z_free, max(lacking, far * float(np.abs(z_free).max(initial=0.0))))

    def _places(self, z: np.ndarray, alpha: float) -> np.ndarray:
        """Places in the working set that may move: those that are not 0, or may not stay 0."""
        own = np.zeros(len(self.terms.scale), bool)
        own[self.features[self._u != 0]] = True
        whole = np.zeros(len(self.terms.scale))
        whole[self.features] = z
        return np.flatnonzero(self.terms.loose(whole, 0.9 * alpha, own)[self.features] | (self._u != 0))

    def _newton_step(self, at: "_Conditions", alpha: float) -> bool:
        """Go to the minimum of a model with the penalty, or towards that with its majorant; False for no way."""
        places, terms = self._places(at.z, alpha), self.terms
        columns, features = np.asfortranarray(self._columns.values[:, places]), self.features[places]
        start = self._u[places]
        H, mixed, inverse = self._model(columns, self._curvature())
        linear = at.z[places] - mixed.T @ (inverse @ at.z_free) + H @ start
        exact = max(0.1 * self.tol, INEXACT * at.lacking)
        for majorized in (False, True)[int(terms.convex) :]:
            solve = terms.solve_majorized if majorized else terms.solve_model
            found, rise = solve(H, linear, features, alpha, exact, start, MOST_SWEEPS)
            step, move = found - start, np.zeros(len(self._u))
            move[places] = step
            free = inverse @ (at.z_free - mixed @ step)
            fall = float(at.z[places] @ step + at.z_free @ free) - rise
            way = _Way(move, free, columns @ step + self._Q @ free, fall)
            share = self._share(way, at, alpha) if majorized else self._whole(way, at, alpha)
            if share > 0:
                self._u = self._u + share * move
                self._u[places] = found if share == 1 else self._u[places]
                self._free, self._eta = self._free + share * free, self._eta + share * way.along
                return True
        return False

    def _whole(self, way: "_Way", at: "_Conditions", alpha: float) -> float:
        """1 where a whole step keeps a share of what its model promises, else 0."""
        value = self._objective(self._eta, self._u, alpha)
        there = self._objective(self._eta + way.along, self._u + way.move, alpha)
        curved = way.along @ (self._weights * self._curvature() * way.along)
        promised = way.fall - 0.5 * curved
        if promised > self._noise:
            return float(value - there >= KEPT * promised)
        return float(there <= value + self._noise and self._settles(way, at, alpha))

    def _settles(self, way: "_Way", at: "_Conditions", alpha: float) -> bool:
        """Whether a whole step halves the violation: what tells where values are lost in rounding."""
        return self._conditions(self._u + way.move, self._eta + way.along, alpha).lacking <= 0.5 * at.lacking

    def _share(self, way: "_Way", at: "_Conditions", alpha: float) -> float:
        """How much of a way that goes down at first: the whole, or the best of its halves; 0 where none does."""
        value = self._objective(self._eta, self._u, alpha)
        best, share, t = value, 0.0, 1.0
        for _ in range(HALVINGS):
            there = self._objective(self._eta + t * way.along, self._u + t * way.move, alpha)
            if there < best and there <= value - ARMIJO * t * way.fall:
                best, share = there, t
                if value - there >= ENOUGH * t * way.fall:
                    break
            elif share > 0:
                break
            t *= 0.5
        if share == 0 and self._settles(way, at, alpha):
            return 1.0
        return share

    def _curvature(self) -> np.ndarray:
        """(n,) curvature of each row: the loss's own, or a share of what bounds a robust loss from above."""
        loss, y, eta = self._loss, self.problem.y, self._eta
        own = loss.curvature(y, eta)
        apart = 2.0 * (1.0 + np.abs(eta)) if np.isfinite(loss.reach) else np.maximum(np.abs(y - eta), 1e-300)
        return np.maximum(own, 1e-3 * np.abs(loss.gradient(y, eta)) / apart)

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
