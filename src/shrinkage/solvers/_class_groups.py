"""Several classes whose coefficients of a feature enter and leave together: prox-Newton steps.

Prox-Newton steps: a quadratic model of all classes, minimized with the penalty as for other groups. Features that the
strong rule holds at zero are looked at in a pass, and join if they violate.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from shrinkage import _core
from shrinkage.losses import Multinomial
from shrinkage.problem import MultinomialProblem, level_point
from shrinkage.solvers._class_fits import CLASS_SCORES

_LOSS = Multinomial()
_STEPS, _INNER, _IDLE = 200, 300, 3
_NEAR = 0.9  # of its bound: groups whose gradient reaches it take part in a step
_FAR, _FARTHEST = 50.0, 1e4  # what a step may change of a linear predictor: one that no derivative checks, any other


@dataclass(frozen=True)
class NewtonRun:
    """One fit at all strengths: coefficients (K n_features, k), intercepts (K, k), gaps, held-out scores."""

    coefs: np.ndarray
    intercepts: np.ndarray
    gaps: np.ndarray
    scores: np.ndarray
    steps: np.ndarray
    null: float
    n_passes: int


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
        self._x = self._Q.T @ (self._weights[:, None] * (problem.null.eta - problem.start))
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

    def _minimize(self, alpha: float) -> int:
        """Prox-Newton steps on groups near their bound, until no condition is missed; returns how many."""
        r, problem = self._Q.shape[1], self._problem
        factors, rho = problem.factors[self._inside], problem.penalty.l1_ratio
        l1 = np.concatenate([np.zeros(r), alpha * rho * factors])
        l2 = np.concatenate([np.zeros(r), alpha * (1 - rho) * factors])
        noise = 1e-14 * max(problem.null.objective, 1e-300)
        before, idle = np.inf, 0
        for count in range(_STEPS):
            missed, g = self._missed(l1, l2)
            if missed <= max(1e-14, min(1e-7, 0.1 * self._tol)) or idle >= _IDLE:
                return count
            near = (l1 == 0) | self._x.any(axis=1) | (np.linalg.norm(g, axis=1) >= _NEAR * l1)
            step, fall = self._towards(np.flatnonzero(near), g, l1, l2, max(1e-13, min(0.1, 0.05 * missed)))
            self._go(step, fall, l1, l2, noise)
            idle = idle + 1 if fall <= noise or (missed > 0.9 * before and missed < 1e-9) else 0
            before = min(before, missed)
        return _STEPS

    def _missed(self, l1: np.ndarray, l2: np.ndarray) -> tuple[float, np.ndarray]:
        """What the optimality conditions lack, over the bounds of groups; the gradient of the loss, (r + m, K)."""
        x, slope = self._x, self._weights[:, None] * _LOSS.gradient(self._problem.y, self._eta(self._x))
        g = self._A.T @ slope
        length = np.linalg.norm(x, axis=1)
        pull = np.divide(l1, length, out=np.zeros_like(length), where=length > 0) + l2
        lack = np.linalg.norm(g + pull[:, None] * x, axis=1)
        lack = np.where((length > 0) | (l1 == 0), lack, np.maximum(lack - l1, 0.0))
        unit = np.where(l1 > 0, l1, max(float(np.abs(slope).sum()), 1e-300))
        return float((lack / unit).max(initial=0.0)), g

    def _towards(self, on: np.ndarray, g: np.ndarray, l1: np.ndarray, l2: np.ndarray, tol: float):
        """The way to the minimum of the quadratic model on some rows of x, (r + m, K), and what it lets fall."""
        K, x = g.shape[1], self._x
        free = int((l1[on] == 0).sum()) * K  # they come first
        H = self._hessian(on)
        inverse = np.linalg.pinv(H[:free, :free], rcond=1e-13, hermitian=True)
        mixed, own = H[:free, free:], on[free // K :]
        hessian = np.asfortranarray(H[free:, free:] - mixed.T @ (inverse @ mixed))
        u, z_free, z = x[own].ravel(), -g[on[: free // K]].ravel(), -g[own].ravel()
        found, steps = np.zeros((len(u), 1), order="F"), np.zeros(1, np.int32)
        if len(u):
            kernel = _core.GroupQuadratic(1)
            kernel.append(np.full(len(own), K, np.int64), l1[own], np.zeros(len(u)), np.repeat(l2[own], K))
            kernel.restart(u)
            ones = np.ones(1)
            linear = z - mixed.T @ (inverse @ z_free) + hessian @ u
            kernel.solve(hessian, linear, ones, ones, tol, _INNER, found, steps)
        step = np.zeros_like(x)
        move = found[:, 0] - u
        step[own] = move.reshape(-1, K)
        step[on[: free // K]] = (inverse @ (z_free - mixed @ move)).reshape(-1, K)
        return step, -float((g * step).sum()) + self._penalty(x, l1, l2) - self._penalty(x + step, l1, l2)

    def _go(self, step: np.ndarray, fall: float, l1: np.ndarray, l2: np.ndarray, noise: float) -> None:
        """As far along a step as the objective falls; where the loss hardly bends it may be far too long."""
        along, x, eta = self._A @ step, self._x, self._eta(self._x)
        far = float(np.abs(along[self._weights > 0]).max(initial=0.0))
        most = min(1.0, (_FAR if fall <= noise else _FARTHEST) / max(far, 1e-300))
        weighted = self._weights[:, None] * along

        def rise(t: float) -> float:
            share = most * t
            there = x + share * step
            bend = float((weighted * _LOSS.gradient(self._problem.y, eta + share * along)).sum())
            return bend + self._penalty_slope(there, step, l1, l2)

        self._x = x + most * level_point(rise, fall, noise) * step

    def _penalty(self, x: np.ndarray, l1: np.ndarray, l2: np.ndarray) -> float:
        squares = (x * x).sum(axis=1)
        return float(l1 @ np.sqrt(squares) + 0.5 * l2 @ squares)

    def _penalty_slope(self, x: np.ndarray, step: np.ndarray, l1: np.ndarray, l2: np.ndarray) -> float:
        """The derivative of the penalty at x along a step, from the left where a group is 0."""
        length, inner = np.linalg.norm(x, axis=1), (x * step).sum(axis=1)
        turning = np.where(length > 0, inner / np.where(length > 0, length, 1.0), -np.linalg.norm(step, axis=1))
        return float(l1 @ turning + l2 @ inner)

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
