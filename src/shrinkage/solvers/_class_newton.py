"""Ridge of several classes: Newton's method whose steps come from preconditioned conjugate gradients."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg, sparse

from shrinkage.losses import Multinomial
from shrinkage.problem import MultinomialProblem
from shrinkage.solvers._class_fits import CLASS_SCORES

_LOSS = Multinomial()
_STEPS = 60
_CONJUGATE_STEPS = 400
_FAR = 50.0  # what one step may change of a linear predictor: where classes come apart, the loss hardly bends
_MOST_REDUCED = 2000
"""Rows up to which wide data are reduced by the eigenvectors of their products."""
_MOST_WORK = 1e9
"""Multiplications up to which the blocks of the Hessian are formed as preconditioner."""


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


class NewtonPath:
    """Minimizes Σ vᵢ ℓ(yᵢ, ηᵢ) + ½α‖V‖² over V and D, η = offset + Q D + A V, A_j = x_j / (scale_j √f_j) centered.

    Wide data are reduced: with A Aᵀ = U S² Uᵀ, V = Aᵀ U S⁻¹ V' and η = Q D + U S V', exactly.

    Parameters
    ----------
    problem : MultinomialProblem with l1_ratio 0
    tol : float
    """

    def __init__(self, problem: MultinomialProblem, tol: float):
        self._problem, self._tol, self._weights = problem, tol, problem.weights
        self._Q = problem.free_block[0]
        p = problem.design.shape[1]
        scale = np.ones(p) if problem.scale is None else np.asarray(problem.scale)
        self._shrunk = np.flatnonzero(problem.factors > 0)
        self._size = 1.0 / (scale * np.sqrt(np.where(problem.factors > 0, problem.factors, 1.0)))[self._shrunk]
        self._A: Any = _Columns(
            problem.design, self._shrunk, self._size, self._weights if problem.fit_intercept else None
        )
        self._reduce()

    def _reduce(self) -> None:
        n, m = len(self._weights), len(self._shrunk)
        self._basis: np.ndarray | None = None
        if m <= n or n > _MOST_REDUCED:
            return
        size, U = linalg.eigh(self._A.outer())
        keep = size > 1e-14 * max(size[-1], 1e-300)
        root = np.sqrt(size[keep])
        self._basis = U[:, keep] / root
        self._wide, self._A = self._A, _Formed(U[:, keep] * root)

    def run(self, alphas: np.ndarray, held_out: np.ndarray | None, judge: MultinomialProblem, score: str) -> NewtonRun:
        """Every strength, largest first, each warm-started; scores of held-out rows under the weights of `judge`."""
        problem, K = self._problem, self._problem.n_classes
        D, V = np.zeros((self._Q.shape[1], K)), np.zeros((self._A.shape[1], K))
        coefs, intercepts, scores, steps = [], [], np.empty(len(alphas)), np.zeros(len(alphas), np.int32)
        for t, alpha in enumerate(alphas):
            D, V, eta, steps[t] = self._minimize(D, V, float(alpha))
            W, b = self._raw(D, V)
            coefs.append(W.T.ravel())
            intercepts.append(b)
            if held_out is not None:
                scores[t] = CLASS_SCORES[score](judge, eta[:, :, None], held_out)[0]
        stacked, levels = np.array(coefs).T, np.array(intercepts).T
        gaps = problem.gaps(stacked, levels, alphas)
        return NewtonRun(stacked, levels, gaps, scores, steps, problem.null.objective, int(steps.sum()))

    def _minimize(self, D: np.ndarray, V: np.ndarray, alpha: float):
        """Newton steps to a promised decrease far below tol."""
        y, v = self._problem.y, self._weights
        least = max(1e-4 * self._tol, 1e-17) * max(self._problem.null.objective, 1e-300)
        eta = self._eta(D, V)
        value = float(v @ _LOSS.value(y, eta)) + 0.5 * alpha * float((V * V).sum())
        steps = 0
        for _ in range(_STEPS):
            steps += 1
            slope = v[:, None] * _LOSS.gradient(y, eta)
            g_D, g_V = self._Q.T @ slope, self._A.adjoint(slope) + alpha * V
            d_D, d_V = self._direction(eta, g_D, g_V, alpha)
            fall = -float((g_D * d_D).sum() + (g_V * d_V).sum())
            moved, trial = self._change(d_D, d_V), value
            t = min(1.0, _FAR / max(float(np.abs(moved[v > 0]).max(initial=0.0)), 1e-300))
            while t > 1e-8:
                trial = float(v @ _LOSS.value(y, eta + t * moved)) + 0.5 * alpha * float(((V + t * d_V) ** 2).sum())
                if trial <= value - 1e-4 * t * fall or fall <= 1e-11 * abs(value):
                    break
                t *= 0.5
            D, V, eta, value = D + t * d_D, V + t * d_V, eta + t * moved, trial
            if not fall > least:
                break
        return D, V, self._eta(D, V), steps

    def _direction(self, eta: np.ndarray, g_D: np.ndarray, g_V: np.ndarray, alpha: float):
        """-H⁻¹ g by conjugate gradients; D and V side by side as rows."""
        p, v, r = _LOSS.inverse_link(eta), self._weights[:, None], len(g_D)
        invert = self._preconditioner(p, alpha)

        def product(x: np.ndarray) -> np.ndarray:
            u = self._change(x[:r], x[r:])
            u = v * p * (u - (p * u).sum(axis=1, keepdims=True))
            return np.vstack([self._Q.T @ u, self._A.adjoint(u) + alpha * x[r:]])

        residual = -np.vstack([g_D, g_V])
        size = np.sqrt((residual**2).sum())
        target = size * min(0.1, max(1e-8, np.sqrt(size)))
        x, z = np.zeros_like(residual), invert(residual)
        d, rz = z, float((residual * z).sum())
        for _ in range(_CONJUGATE_STEPS):
            Hd = product(d)
            bend = float((d * Hd).sum())
            if not bend > 1e-300:
                break
            x = x + (rz / bend) * d
            residual = residual - (rz / bend) * Hd
            if np.sqrt((residual**2).sum()) <= target:
                break
            z = invert(residual)
            rz, before = float((residual * z).sum()), rz
            d = z + (rz / before) * d
        return x[:r], x[r:]

    def _preconditioner(self, p: np.ndarray, alpha: float):
        """M⁻¹ with M the second derivative of each class alone: its block of H, or the block's diagonal."""
        c = self._weights[:, None] * np.maximum(p * (1 - p), 1e-9)
        r, m = self._Q.shape[1], self._A.shape[1]
        if self._basis is None and self._A.values is not None and m * m * p.size <= _MOST_WORK:
            full = np.hstack([self._Q, self._A.values])
            shift = np.concatenate([np.full(r, 1e-12), np.full(m, alpha)])
            factors = []
            for k in range(p.shape[1]):
                H = full.T @ (c[:, k : k + 1] * full)
                np.einsum("ii->i", H)[:] += shift + 1e-14 * np.trace(H) / len(H)
                factors.append(linalg.cho_factor(H, lower=True, overwrite_a=True))
            return lambda g: np.stack([linalg.cho_solve(f, g[:, k]) for k, f in enumerate(factors)], axis=1)
        diagonal = np.vstack([(self._Q**2).T @ c, self._A.squares(c) + alpha])
        return lambda g: g / np.maximum(diagonal, 1e-300)

    def _eta(self, D: np.ndarray, V: np.ndarray) -> np.ndarray:
        return self._problem.start + self._change(D, V)

    def _change(self, D: np.ndarray, V: np.ndarray) -> np.ndarray:
        return self._Q @ D + self._A.forward(V)

    def _raw(self, D: np.ndarray, V: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (n_features, K) and intercepts (K,), centered over classes where nothing penalizes them."""
        problem, K = self._problem, self._problem.n_classes
        columns = self._A
        if self._basis is not None:
            columns, V = self._wide, self._wide.adjoint(self._basis @ V)
        free = problem.free_block[1] @ D
        free = free - free.mean(axis=1, keepdims=True)
        W = np.zeros((problem.design.shape[1], K))
        W[self._shrunk] = self._size[:, None] * V
        first = int(problem.fit_intercept)
        W[problem.free] = free[first:]
        if not first:
            return W, np.zeros(K)
        b = free[0] - columns.means @ V
        return W, b - b.mean()


class _Formed:
    """A as a matrix in memory."""

    def __init__(self, values: np.ndarray):
        self.values, self.shape = values, values.shape
        self.means = np.zeros(values.shape[1])

    def forward(self, V: np.ndarray) -> np.ndarray:
        return self.values @ V

    def adjoint(self, R: np.ndarray) -> np.ndarray:
        return self.values.T @ R

    def squares(self, c: np.ndarray) -> np.ndarray:
        return (self.values**2).T @ c


class _Columns:
    """A = (some columns of X) times sizes, measured from their means under `weights` (None: from 0)."""

    def __init__(self, design: Any, features: np.ndarray, size: np.ndarray, weights: np.ndarray | None):
        n = design.shape[0]
        self.shape = (n, len(features))
        self.values: np.ndarray | None = None
        if design.is_sparse:
            starts, rows, values = design.csc()
            X = sparse.csc_array((values.astype(np.float64), rows, starts), shape=design.shape)
            self._X: Any = sparse.csc_array(X[:, features] * size)
        else:
            self._X = np.empty(self.shape, order="F")
            design.gather(features, np.zeros(len(features)), None, self._X)
            self._X *= size
        self._weights = weights
        self.means = np.zeros(len(features)) if weights is None else self._X.T @ weights
        if not design.is_sparse:
            self._X -= self.means
            self.values = self._X

    def forward(self, V: np.ndarray) -> np.ndarray:
        out = self._X @ V
        return out if self.values is not None else out - self.means @ V

    def adjoint(self, R: np.ndarray) -> np.ndarray:
        out = self._X.T @ R
        return out if self.values is not None else out - np.outer(self.means, R.sum(axis=0))

    def squares(self, c: np.ndarray) -> np.ndarray:
        if self.values is not None:
            return (self._X**2).T @ c
        sums = self._X.multiply(self._X).T @ c - 2 * self.means[:, None] * (self._X.T @ c)
        return sums + np.outer(self.means**2, c.sum(axis=0))

    def outer(self) -> np.ndarray:
        """A Aᵀ."""
        G = self._X @ self._X.T
        if self.values is not None:
            return G
        G = G.toarray()
        cross = self._X @ self.means
        return G - cross[:, None] - cross[None, :] + float(self.means @ self.means)
