"""Group lasso on working sets wider than tall: Newton's method on a number per group, in systems as large as the rows.

At the solution, β_g = s_g X_g'r with s_g = ‖β_g‖ / (α λ_g) ≥ 0, where r = y - Xβ. So r solves M(s) r = y with
M(s) = I + Σ_g s_g X_g X_g', and s is the minimum over s >= 0 of the convex function

    ½ y'M(s)⁻¹y + ½ α² Σ_g λ_g² s_g,

whose gradient is ½ (α² λ_g² - ‖X_g'r‖²) and whose Hessian is H = V'M⁻¹V with columns v_g = X_g X_g'r. The steps make
1 / ‖X_g'r‖ - 1 / (α λ_g), which is nearly linear in s, vanish: H Δs = ‖X_g'r‖² (‖X_g'r‖ / (α λ_g) - 1), s + Δs >= 0.

Source: the form in s is that of multiple kernel learning, Bach, Lanckriet and Jordan (2004), section 3.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import get_blas_funcs, get_lapack_funcs

NEAR = 0.9  # share of the strength from which a group's correlation makes it take part in the steps
MOST_STEPS, MOST_INNER = 30, 40
SLOW = 0.3  # of what the conditions lack, left by a step, above which the model is made anew
LONG = 10  # steps of conjugate gradients above which they are too
FARTHEST = 2.0  # what a prediction may multiply a number s by

_blas: Any = get_blas_funcs
_lapack: Any = get_lapack_funcs


@dataclass
class _Model:
    """What steps are made with: the columns of some groups, a factor of M and the Hessian, both perhaps at an old s."""

    groups: np.ndarray  # places among the working groups
    places: np.ndarray  # of their columns
    starts: np.ndarray  # of each group among these columns
    sizes: np.ndarray
    columns: np.ndarray  # (rows, columns)
    L: np.ndarray
    hessian: np.ndarray


class RowGroups:
    """Minimizes ½ ‖y - Xβ‖² + α Σ_g λ_g ‖β_g‖ at falling α, each from the line through the last two solutions.

    Parameters
    ----------
    y : ndarray of shape (rows,)
    target : float
        Duality gap, on the columns given, at which a strength ends.
    """

    def __init__(self, y: np.ndarray, target: float):
        self.target = target
        self._y, self._r = y, y.copy()
        self._s = np.zeros(0)
        self._alpha = 0.0
        self._before: tuple[np.ndarray, float] | None = None
        self._model: _Model | None = None
        self._stale = True

    def stand_at(self, lengths: np.ndarray, lam: np.ndarray, alpha: float) -> None:
        """Go to the norms of the groups of a solution."""
        self._s, self._alpha, self._before = lengths / (alpha * lam), alpha, None

    def solve(self, X: np.ndarray, starts: np.ndarray, lam: np.ndarray, alpha: float) -> tuple[np.ndarray | None, int]:
        """The coefficients at a strength and the steps made; None if these did not end.

        X (rows, columns) holds the groups side by side, those of earlier calls first.
        """
        s = self._predicted(np.concatenate([self._s, np.zeros(len(lam) - len(self._s))]), alpha)
        steps = 0
        while steps < MOST_STEPS:
            z = X.T @ self._r
            s, found, made = self._descend(X, starts, lam, alpha, s, _norms(z, starts) / (alpha * lam))
            steps += made
            z = X.T @ self._r
            beyond = _norms(z, starts) > alpha * lam
            beyond[self._model.groups if self._model else []] = False
            if found and not beyond.any():
                return self._keep(s, z, starts, alpha), steps
            self._stale = self._stale or not found
        self._r, self._stale = self._y.copy(), True
        return None, steps

    def _keep(self, s: np.ndarray, z: np.ndarray, starts: np.ndarray, alpha: float) -> np.ndarray:
        self._before = (self._s, self._alpha) if self._alpha > alpha else None
        self._s, self._alpha = s, alpha
        return np.repeat(s, np.diff(starts)) * z

    def _predicted(self, s: np.ndarray, alpha: float) -> np.ndarray:
        """Each s further along its power of the strength."""
        if self._before is None or not self._alpha > alpha:
            return s
        before, then = self._before
        both = np.flatnonzero((s[: len(before)] > 0) & (before > 0))
        power = np.log(self._alpha / alpha) / np.log(then / self._alpha)
        s = s.copy()
        s[both] *= np.clip((s[both] / before[both]) ** power, 1 / FARTHEST, FARTHEST)
        return s

    def _descend(
        self, X: np.ndarray, starts: np.ndarray, lam: np.ndarray, alpha: float, s: np.ndarray, near: np.ndarray
    ) -> tuple[np.ndarray, bool, int]:
        """Steps on groups near their threshold, until their duality gap is the target; s, whether it is, how many."""
        model, z, steps, missed, fresh, inexact = self._model, None, 0, np.inf, False, 1e-4
        needed = (s > 0) | (near > 1)
        if model is not None:
            needed[model.groups] = False
        self._stale = self._stale or bool(needed.any())
        while True:
            if model is None or self._stale:
                own = np.flatnonzero((s > 0) | (near >= NEAR))
                if not len(own):
                    own = np.array([int(np.argmax(near))])
                model = self._model = self._modeled(X, starts, s, own)
                z, fresh, self._stale = None, True, False
            at, held = s[model.groups], alpha * lam[model.groups]
            left, z, inner = self._residual(model, at, inexact, z)
            lengths = _norms(z, model.starts)
            ratio = lengths / held
            now = float(np.abs(np.where(at > 0, ratio - 1, np.maximum(ratio - 1, 0))).max(initial=0.0))
            if self._gap(self._r, left, at, lengths, held, ratio) <= self.target:
                exact = _norms(model.columns.T @ (self._r + left), model.starts) / held
                if self._gap(self._r + left, left, at, lengths, held, exact) <= self.target:
                    self._stale = inner > LONG
                    return s, True, steps
                if inexact > 1e-13:
                    inexact = max(inexact / 100, 1e-14)
                    continue
            if steps >= MOST_STEPS:
                return s, False, steps
            if not fresh and (now > SLOW * missed or inner > LONG) and steps:
                self._stale, missed = True, np.inf
                continue
            fresh, missed, inexact = False, now, min(inexact, max(0.02 * now, 1e-14))
            move = _bounded(model.hessian, lengths * lengths * (ratio - 1), -at)
            s = s.copy()
            s[model.groups] = np.maximum(at + move, 0.0)
            steps += 1

    def _gap(
        self, theta: np.ndarray, left: np.ndarray, s: np.ndarray, lengths: np.ndarray, held: np.ndarray, ratio: Any
    ):
        """The duality gap on the model's groups, of β_g = s_g X_g'r and the multiple of theta that is feasible."""
        share, slope = min(1.0, 1.0 / max(float(ratio.max()), 1e-300)), self._r + left
        dual = share * (self._y @ theta) - 0.5 * share * share * (theta @ theta)
        return float(0.5 * (slope @ slope) + held @ (s * lengths) - dual)

    def _modeled(self, X: np.ndarray, starts: np.ndarray, s: np.ndarray, own: np.ndarray) -> _Model:
        """Factor M at s and make the Hessian there."""
        sizes = np.diff(starts)[own]
        ends = np.cumsum(sizes)
        places = np.repeat(starts[own] - (ends - sizes), sizes) + np.arange(int(sizes.sum()))
        old = self._model
        same = old is not None and np.array_equal(old.groups, own)
        columns = old.columns if old is not None and same else X.T[places].T
        self._model = old = None
        L = _factor(columns, np.repeat(s[own], sizes))
        potrs, trsm, syrk = _lapack("potrs"), _blas("trsm"), _blas("syrk")
        first = ends - sizes
        model = _Model(own, places, first, sizes, columns, L, np.zeros((len(own), len(own))))
        self._r = potrs(L, self._y, lower=1)[0]
        z = self._residual(model, s[own], 1e-6)[1]
        V = np.empty((len(self._y), len(own)), order="F")
        for g, (a, size) in enumerate(zip(first, sizes, strict=True)):
            V[:, g] = columns[:, a : a + size] @ z[a : a + size]
        model.hessian = syrk(1.0, trsm(1.0, L, V, lower=1, overwrite_b=1), trans=1, lower=0)
        model.hessian += np.triu(model.hessian, 1).T
        return model

    def _residual(self, model: _Model, s: np.ndarray, tol: float, z: Any = None) -> tuple[np.ndarray, np.ndarray, int]:
        """Solve M(s) r = y from the r at hand by conjugate gradients with an old factor; what is left, X'r, the steps.

        z is X'r at the r at hand, where it is known.
        """
        X, weights, r = model.columns, np.repeat(s, model.sizes), self._r
        potrs = _lapack("potrs")
        z = X.T @ r if z is None else z
        left: np.ndarray = self._y - r - X @ (weights * z)
        along, last, steps = np.zeros(0), 0.0, 0
        while steps < MOST_INNER and np.linalg.norm(left) > tol * np.linalg.norm(r):
            towards = potrs(model.L, left, lower=1)[0]
            now = float(left @ towards)
            along = towards if steps == 0 else towards + now / last * along
            onto = X.T @ along
            image = along + X @ (weights * onto)
            length = now / float(along @ image)
            r = r + length * along
            z = z + length * onto
            left = left - length * image
            last, steps = now, steps + 1
        self._r = r
        return left, z, steps


def _norms(z: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Euclidean norms of groups of columns."""
    at = starts[:-1] if starts[-1] == len(z) else starts
    return np.sqrt(np.add.reduceat(z * z, at))


def _factor(columns: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The Cholesky factor of I + X diag(weights) X', in single precision if that succeeds: steps are corrected."""
    on = np.flatnonzero(weights)
    if not len(on):
        return np.eye(len(columns), order="F")
    for kind in (np.float32, np.float64):
        scaled = np.multiply(columns[:, on] if len(on) < len(weights) else columns, np.sqrt(weights[on]), dtype=kind)
        M = _blas("syrk", dtype=kind)(1.0, scaled, lower=1)
        M[np.diag_indices(len(M))] += kind(1.0)
        L, info = _lapack("potrf", dtype=kind)(M, lower=1, overwrite_a=1)
        if info == 0:
            return np.asfortranarray(L, dtype=np.float64)
    return np.eye(len(columns), order="F")


def _bounded(H: np.ndarray, b: np.ndarray, low: np.ndarray) -> np.ndarray:
    """The minimum of ½ d'Hd - b'd over d >= low, by an active set; the last iterate where it cycles."""
    posv = _lapack("posv")
    free = (low < 0) | (b > 0)
    d = np.zeros(len(b))
    floor = 1e-12 * float(np.trace(H)) / max(len(b), 1) + np.finfo(float).tiny
    for _ in range(20):
        on = np.flatnonzero(free)
        d[~free] = low[~free]
        own = H[np.ix_(on, on)]
        own[np.diag_indices(len(on))] += floor
        d[on] = posv(own, b[on] - H[on] @ np.where(free, 0.0, d), lower=1)[1] if len(on) else 0.0
        below = free & (d < low)
        if below.any():
            free &= ~below
            continue
        back = ~free & (H @ d - b < -1e-9 * np.abs(b))
        if not back.any():
            break
        free |= back
    return np.maximum(d, low)
