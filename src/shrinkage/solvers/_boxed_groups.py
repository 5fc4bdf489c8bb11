"""Penalties on groups whose coefficients have bounds: prox-Newton steps, each model minimized in the bounds.

The model is the quadratic of the group kernel, which holds bounds: exact for a squared loss.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkage import _core
from shrinkage.problem import FIRST_SHARE, level_point, next_share
from shrinkage.solvers._group_terms import GroupTerms, WorkingGroups

_STEPS, _INNER, _IDLE = 300, 1000, 3
_NEAR = 0.9  # of the strength: groups whose correlations reach it take part in a step
_FAR, _FARTHEST = 50.0, 1e4  # what a step may change of a linear predictor: one that no derivative checks, any other


@dataclass(eq=False)
class BoxedStatement:
    """A problem as the solver reads it: K linear predictors a row, coefficients of a column side by side.

    Attributes
    ----------
    rows : ClassRows or ResponseRows
    weights : ndarray of shape (n,), summing to 1
    eta : ndarray of shape (n, K), of the null model
    Q : ndarray of shape (n, r), orthonormal under `weights`: the free block
    terms : GroupTerms of the coefficients, measured in `terms.scale`
    lower, upper : ndarray, one of each per coefficient, measured too
    gather : callable, from columns of X to a dense (n, m) matrix
    """

    rows: Any
    weights: np.ndarray
    eta: np.ndarray
    Q: np.ndarray
    terms: GroupTerms
    lower: np.ndarray
    upper: np.ndarray
    gather: Any


class BoxedGroups:
    """Minimizes the mean loss plus penalty at one strength after the other, on a working set of groups.

    η = eta + Q D + A X with A the columns made orthogonal to Q. `tol` is the duality gap wanted, relative to `null`.
    """

    def __init__(self, stated: BoxedStatement, tol: float, null: float):
        self.stated, self.working = stated, WorkingGroups(stated.terms)
        self._K, r = stated.eta.shape[1], stated.Q.shape[1]
        self._r, self._A = r, stated.Q
        self.explained = np.zeros((r, 0))
        self._x = np.zeros((r, self._K))  # D, then X
        self._tol, self._noise = max(min(1e-10, 1e-4 * tol), 1e-13), 1e-14 * max(null, 1e-300)
        self._eta, self._lower, self._upper = stated.eta, np.zeros(0), np.zeros(0)
        self._first = self._size(self.slope())

    @property
    def free(self) -> np.ndarray:
        """(r, K) coefficients of Q beside raw columns."""
        return self._x[: self._r] - self.explained @ self._x[self._r :]

    @property
    def coefs(self) -> np.ndarray:
        """Measured coefficients of the working set, in the order of `working.features`."""
        return self._x[self._r :].ravel()

    def slope(self) -> np.ndarray:
        """(n, K) the derivative of the mean loss."""
        return self.stated.rows.slope(self._eta)

    def grow(self, groups: np.ndarray) -> None:
        """Take groups into the working set."""
        if not len(groups):
            return
        stated, K = self.stated, self._K
        places = self.working.append(groups)
        columns = places[::K] // K
        new = stated.gather(columns) / stated.terms.scale[places[::K]]
        whole = np.sqrt(stated.weights @ (new * new))
        part = stated.Q.T @ (stated.weights[:, None] * new)
        new = new - stated.Q @ part
        again = stated.Q.T @ (stated.weights[:, None] * new)
        new -= stated.Q @ again
        new[:, np.sqrt(stated.weights @ (new * new)) <= 1e-10 * whole] = 0.0
        self.explained = np.hstack([self.explained, part + again])
        self._A = np.asfortranarray(np.hstack([self._A, new]))
        self._x = np.vstack([self._x, np.zeros((len(columns), K))])
        own = self.working.features
        self._lower, self._upper = stated.lower[own], stated.upper[own]
        length = np.repeat(np.sqrt(stated.weights @ (self._A[:, self._r :] ** 2)), K)
        self._lengths = np.maximum(np.maximum.reduceat(length, self.working.starts[:-1]), 1e-300)

    def minimize(self, alpha: float) -> int:
        """Prox-Newton steps until no condition is missed by more than a share of the strength; returns how many."""
        rows, idle, share = self.stated.rows, 0, FIRST_SHARE if self.stated.rows.kinked else 0.0
        for count in range(_STEPS):
            slope = rows.slope(self._eta)
            g = self._A.T @ slope
            missed, near = self._look(slope, g, alpha)
            if missed <= self._tol or idle >= _IDLE:
                return count
            step, fall, solved = self._towards(near, g, alpha, max(0.1 * self._tol, min(0.1, 0.05 * missed)), share)
            t = self._go(step, fall, alpha)
            idle = idle + 1 if fall <= self._noise or (t == 0 and share in (0.0, 1.0)) else 0
            if rows.kinked:
                share = next_share(share, t, solved)
        return _STEPS

    def _units(self, slope: np.ndarray) -> np.ndarray:
        """(groups,) the most that correlations with slopes may be: what counts where no penalty gives a unit.

        Slopes of which next to nothing is left are rounding, and no unit.
        """
        return np.maximum(self._lengths * max(self._size(slope), 1e-4 * self._first), 1e-300)

    def _size(self, slope: np.ndarray) -> float:
        used = self.stated.weights > 0
        return float(np.sqrt(((slope[used] ** 2).sum(axis=1) / self.stated.weights[used]).sum()))

    def _look(self, slope: np.ndarray, g: np.ndarray, alpha: float) -> tuple[float, np.ndarray]:
        """What the conditions lack, over each group's share of the strength; groups that take part in a step."""
        working, r = self.working, self._r
        free = float(np.abs(g[:r]).max(initial=0.0)) / max(float(np.abs(slope).sum()), 1e-300)
        if not len(working.groups):
            return free, np.zeros(0, np.int64)
        x, z, box = self.coefs[:, None], -g[r:].reshape((-1, 1)), (self._lower[:, None], self._upper[:, None])
        lacking = working.norms(working.lacking(x, z, np.array([alpha]), *box))[:, 0]
        unit = alpha * (working.lam + np.maximum.reduceat(working.l1, working.starts[:-1]))
        unit = np.where(unit > 0, unit, self._units(slope))
        coming = working.norms(working.lacking(np.zeros_like(x), z, np.array([_NEAR * alpha]), *box))[:, 0]
        near = (working.norms(x)[:, 0] > 0) | (coming > 0)
        return max(free, float((lacking / unit).max())), np.flatnonzero(near)

    def _towards(self, near: np.ndarray, g: np.ndarray, alpha: float, tol: float, share: float):
        """The way to the minimum of the quadratic model on some groups, what it lets fall, and whether it is found."""
        working, K, r, x = self.working, self._K, self._r, self._x
        places = working.places(near)
        columns = r + places[::K] // K
        H, linear, back = self.stated.rows.model(self._eta, self._A, r, columns, -g, share)
        u = self.coefs[places]
        found, steps = np.zeros((len(u), 1), order="F"), np.zeros(1, np.int32)
        separate = len(H) < len(u)
        one = slice(None, None, K) if separate else slice(None)
        if len(u):
            kernel = _core.GroupQuadratic(K if separate else 1)
            sizes = np.diff(working.starts)[near]
            l1, l2 = (np.ascontiguousarray(alpha * weights[places][one]) for weights in (working.l1, working.l2))
            kernel.append(sizes // K if separate else sizes, alpha * working.lam[near], l1, l2)
            units = self._units(self.stated.rows.slope(self._eta))[near]
            kernel.hold(self._lower[places], self._upper[places], units)
            kernel.restart(u)
            full = linear + (H @ u.reshape((-1, K))).ravel() if separate else linear + H @ u
            kernel.solve(H, full, np.ones(1), np.ones(1), tol, _INNER, found, steps)
        move = (found[:, 0] - u).reshape((-1, K))
        step = np.zeros_like(x)
        step[columns], step[:r] = move, back(move)
        target = self.coefs.copy()
        target[places] = found[:, 0]
        now, there = (float(working.penalty(w[:, None], np.array([alpha]))[0]) for w in (self.coefs, target))
        return step, -float((g * step).sum()) + now - there, bool(steps[0] < _INNER)

    def _go(self, step: np.ndarray, fall: float, alpha: float) -> float:
        """As far along a step as the objective falls; where the loss hardly bends it may be far too long."""
        along, x, move = self._A @ step, self._x, step[self._r :].ravel()
        far = float(np.abs(along[self.stated.weights > 0]).max(initial=0.0))
        most = 1.0
        if self.stated.rows.curved:
            most = min(1.0, (_FAR if fall <= self._noise else _FARTHEST) / max(far, 1e-300))

        def rise(t: float) -> float:
            with np.errstate(over="ignore", invalid="ignore"):
                bend = float((along * self.stated.rows.slope(self._eta + most * t * along)).sum())
            if not np.isfinite(bend):
                return np.inf
            return bend + alpha * self.working.slope((x + most * t * step)[self._r :].ravel(), move)

        t = most * level_point(rise, fall, self._noise)
        moved = x + t * step
        inside = np.clip(moved[self._r :].ravel(), self._lower, self._upper)
        moved[self._r :] = inside.reshape((-1, self._K))
        self._x, self._eta = moved, self.stated.eta + self._A @ moved
        return t
