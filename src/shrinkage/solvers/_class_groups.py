"""Several classes whose coefficients of a feature enter and leave together: Newton's method on groups that stand.

Proximal gradients find which features are in; where none comes or goes, Newton steps finish. Features that the strong
rule holds at zero are looked at in a pass, and join if they violate.
"""

from typing import Any

import numpy as np
from scipy import sparse

from shrinkage.losses import Multinomial
from shrinkage.problem import MultinomialProblem
from shrinkage.solvers._class_fits import CLASS_SCORES
from shrinkage.solvers._class_newton import NewtonRun

_LOSS = Multinomial()
_ROUNDS, _GRADIENT_STEPS, _NEWTON_STEPS = 200, 60, 12


class GroupPath:
    """Minimizes Σ vᵢ ℓ(yᵢ, ηᵢ) + α Σ_j (ρ f_j ‖V_j‖₂ + ½(1-ρ) f_j ‖V_j‖₂²), η = offset + Q D + A V.

    A_j = x_j / scale_j; Q is the free block.

    Parameters
    ----------
    problem : MultinomialProblem, grouped, l1_ratio > 0
    tol : float
    """

    def __init__(self, problem: MultinomialProblem, tol: float):
        self._problem, self._tol = problem, tol
        self._weights, self._Q = problem.weights, problem.free_block[0]
        p = problem.design.shape[1]
        self._scale = np.ones(p) if problem.scale is None else np.asarray(problem.scale)
        self._inside = np.zeros(0, np.int64)
        self._means = np.zeros(0)
        self._A = self._Q  # the free block, then the columns of the working set
        self._x = np.zeros((self._Q.shape[1], problem.n_classes))
        self.n_passes = 0

    def run(self, alphas: np.ndarray, held_out: np.ndarray | None, judge: MultinomialProblem, score: str) -> NewtonRun:
        """Every strength, largest first, each warm-started; scores of held-out rows under the weights of `judge`."""
        problem, before = self._problem, self._problem.alpha_max
        coefs, intercepts, scores, steps = [], [], np.empty(len(alphas)), np.zeros(len(alphas), np.int32)
        self._correlations = problem._correlate(-_LOSS.gradient(problem.y, problem.null.eta))
        for t, alpha in enumerate(map(float, alphas)):
            while before > 0 and alpha < 0.5 * before:  # a jump far down is walked
                before *= 0.6
                self._settle(before, before)
            steps[t] = self._settle(alpha, before)
            before = min(before, alpha)
            W, b = self._raw()
            coefs.append(W.T.ravel())
            intercepts.append(b)
            if held_out is not None:
                scores[t] = CLASS_SCORES[score](judge, self._eta(self._x)[:, :, None], held_out)[0]
        stacked, levels = np.array(coefs).T, np.array(intercepts).T
        gaps = problem.gaps(stacked, levels, alphas)
        return NewtonRun(stacked, levels, gaps, scores, steps, problem.null.objective, self.n_passes)

    def _settle(self, alpha: float, before: float) -> int:
        """Minimize on the working set until a pass finds nobody outside it who violates."""
        problem, l1 = self._problem, self._problem.penalty.l1_ratio * self._problem.factors
        expected = np.linalg.norm(self._correlations, axis=1) + max(before - alpha, 0.0) * l1
        self._grow((expected >= alpha * l1) & (l1 > 0))
        steps = 0
        while True:
            steps += self._minimize(alpha)
            self._correlations = problem._correlate(-_LOSS.gradient(problem.y, self._eta(self._x)))
            self.n_passes += 1
            outside = (l1 > 0) & (np.linalg.norm(self._correlations, axis=1) > alpha * l1 * (1 + 1e-9))
            outside[self._inside] = False
            if not outside.any():
                return steps
            self._grow(outside)

    def _grow(self, wanted: np.ndarray) -> None:
        wanted[self._inside] = False
        new = np.flatnonzero(wanted)
        if not new.size:
            return
        columns = gathered(self._problem.design, new) / self._scale[new]
        means = self._weights @ columns if self._problem.fit_intercept else np.zeros(len(new))
        self._inside, self._means = np.concatenate([self._inside, new]), np.concatenate([self._means, means])
        self._A = np.hstack([self._A, columns - means])
        self._x = np.vstack([self._x, np.zeros((len(new), self._problem.n_classes))])
        self._bound = 0.5 * np.linalg.norm(np.sqrt(self._weights)[:, None] * self._A, 2) ** 2

    def _minimize(self, alpha: float) -> int:
        """Rounds of proximal gradients, then Newton steps; until the promised decrease is far below tol."""
        r, problem = self._Q.shape[1], self._problem
        factors = problem.factors[self._inside]
        rho = problem.penalty.l1_ratio
        l1 = np.concatenate([np.zeros(r), alpha * rho * factors])
        l2 = np.concatenate([np.zeros(r), alpha * (1 - rho) * factors])
        if not self._A.shape[1]:
            return 0
        self._bound = 0.5 * np.linalg.norm(np.sqrt(self._weights)[:, None] * self._A, 2) ** 2
        least = max(1e-5 * self._tol, 1e-17) * max(problem.null.objective, 1e-300)
        for round in range(1, _ROUNDS + 1):
            fall = None
            for _ in range(_NEWTON_STEPS):
                fall = self._newton_step(l1, l2)
                if fall is None or fall <= least:
                    break
            if (
                fall is not None
                and fall <= least
                and self._violation(l1, l2) <= 1e-7 * np.sqrt(max(self._tol, 1e-14)) * alpha
            ):
                return round
            if self._gradient_steps(l1, l2) <= least * 1e-3 and round > 3:
                return round
        return _ROUNDS

    def _value(self, x: np.ndarray, l1: np.ndarray, l2: np.ndarray) -> float:
        squares = (x * x).sum(axis=1)
        return float(
            self._weights @ _LOSS.value(self._problem.y, self._eta(x)) + l1 @ np.sqrt(squares) + 0.5 * l2 @ squares
        )

    def _slope(self, x: np.ndarray, l2: np.ndarray) -> np.ndarray:
        return self._A.T @ (self._weights[:, None] * _LOSS.gradient(self._problem.y, self._eta(x))) + l2[:, None] * x

    def _violation(self, l1: np.ndarray, l2: np.ndarray) -> float:
        """Largest norm by which a group at zero exceeds its bound."""
        at_zero = ~self._x.any(axis=1) & (l1 > 0)
        over = np.linalg.norm(self._slope(self._x, l2)[at_zero], axis=1) - l1[at_zero]
        return float(over.max(initial=0.0))

    def _gradient_steps(self, l1: np.ndarray, l2: np.ndarray) -> float:
        """Accelerated proximal gradients with restarts; returns by how much the objective fell."""
        size = 1.0 / (self._bound + float(l2.max(initial=0.0)))
        x = point = self._x
        t, first = 1.0, self._value(x, l1, l2)
        for _ in range(_GRADIENT_STEPS):
            v = point - size * self._slope(point, l2)
            length = np.linalg.norm(v, axis=1)
            keep = np.maximum(1.0 - size * l1 / np.where(length > 0, length, 1.0), 0.0)
            new = keep[:, None] * v
            if float(((point - new) * (new - x)).sum()) > 0:
                t = 1.0
            following = 0.5 * (1 + np.sqrt(1 + 4 * t * t))
            point = new + (t - 1) / following * (new - x)
            x, t = new, following
        last = self._value(x, l1, l2)
        if last <= first:
            self._x = x
        return first - last

    def _newton_step(self, l1: np.ndarray, l2: np.ndarray) -> float | None:
        """One Newton step on the groups that are not zero; its promised decrease, or None where it is no use."""
        on = np.flatnonzero((l1 == 0) | self._x.any(axis=1))
        x, K = self._x[on], self._x.shape[1]
        length = np.linalg.norm(x, axis=1)
        curve = np.divide(l1[on], length, out=np.zeros_like(length), where=l1[on] > 0)
        g = self._slope(self._x, l2)[on] + curve[:, None] * x
        H = self._hessian(on).reshape((len(on), K, len(on), K))
        unit = x / np.where(length > 0, length, 1.0)[:, None]
        for i in range(len(on)):
            own = l2[on[i]] * np.eye(K) + curve[i] * (np.eye(K) - np.outer(unit[i], unit[i]))
            if l1[on[i]] == 0 and l2[on[i]] == 0:  # a number added to all classes changes nothing: it stays
                own += np.trace(H[i, :, i, :]) / K
            H[i, :, i, :] += own
        try:
            step = -np.linalg.solve(H.reshape((len(on) * K,) * 2), g.ravel()).reshape(g.shape)
        except np.linalg.LinAlgError:
            return None
        fall = -float((g * step).sum())
        if not np.isfinite(fall) or fall < 0:
            return None
        return self._search(on, step, fall, l1, l2)

    def _search(self, on: np.ndarray, step: np.ndarray, fall: float, l1: np.ndarray, l2: np.ndarray) -> float | None:
        value, t, held = self._value(self._x, l1, l2), 1.0, l1[on] > 0
        while t > 1e-3:
            trial = self._x.copy()
            trial[on] += t * step
            turned = ((trial[on] * self._x[on]).sum(axis=1) <= 0) & held
            if not turned.any() and (fall <= 1e-12 * value or self._value(trial, l1, l2) <= value - 1e-4 * t * fall):
                self._x = trial
                return fall
            t *= 0.5
        return None

    def _hessian(self, on: np.ndarray) -> np.ndarray:
        """Second derivative of the loss in x[on], (m K, m K)."""
        A, p, K = self._A[:, on], _LOSS.inverse_link(self._eta(self._x)), self._x.shape[1]
        out = np.empty((len(on), K, len(on), K))
        for k in range(K):
            for m in range(k + 1):
                c = self._weights * p[:, k] * (float(k == m) - p[:, m])
                out[:, k, :, m] = A.T @ (c[:, None] * A)
                out[:, m, :, k] = out[:, k, :, m]
        return out.reshape((len(on) * K,) * 2)

    def _eta(self, x: np.ndarray) -> np.ndarray:
        return self._problem.start + self._A @ x

    def _raw(self) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (n_features, K) and intercepts (K,), centered over classes where nothing penalizes them."""
        problem, r = self._problem, self._Q.shape[1]
        free = problem.free_block[1] @ self._x[:r]
        free = free - free.mean(axis=1, keepdims=True)
        W = np.zeros((problem.design.shape[1], problem.n_classes))
        W[self._inside] = self._x[r:] / self._scale[self._inside][:, None]
        first = int(problem.fit_intercept)
        W[problem.free] = free[first:]
        if not first:
            return W, np.zeros(problem.n_classes)
        b = free[0] - self._means @ self._x[r:]
        return W, b - b.mean()


def gathered(design: Any, features: np.ndarray) -> np.ndarray:
    """Columns of X as a dense float64 matrix."""
    if design.is_sparse:
        starts, rows, values = design.csc()
        X = sparse.csc_array((values.astype(np.float64), rows, starts), shape=design.shape)
        return X[:, features].toarray()
    out = np.empty((design.shape[0], len(features)), order="F")
    design.gather(features, np.zeros(len(features)), None, out)
    return out
