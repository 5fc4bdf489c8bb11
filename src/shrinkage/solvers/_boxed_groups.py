"""Penalties on groups whose coefficients have bounds: Newton's method on faces that proximal gradients find.

A face is a set of groups that are not zero, with some of their coefficients at a bound. On it the penalty is smooth and
Newton steps finish; accelerated proximal gradients say who comes, goes, or meets a bound.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import linalg

from shrinkage.penalties import L1, L1L2, Box, GroupBox, GroupL2
from shrinkage.solvers._group_terms import GroupTerms, WorkingGroups

_ROUNDS, _GRADIENT_STEPS, _NEWTON_STEPS, _HALVINGS = 300, 40, 15, 40


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
    part : L1L2 or None, with alpha as a share of the whole strength
    lower, upper : ndarray, one of each per coefficient, measured too
    gather : callable, from columns of X to a dense (n, m) matrix
    """

    rows: Any
    weights: np.ndarray
    eta: np.ndarray
    Q: np.ndarray
    terms: GroupTerms
    part: Any
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
        self._least, self._exact = max(1e-5 * tol, 1e-17) * max(null, 1e-300), 1e-7 * np.sqrt(max(tol, 1e-14))
        self._length = 1.0
        self._groups: Any = None

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
        return self.stated.rows.slope(self._eta(self._x))

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
        self._A = np.hstack([self._A, new])
        self._x = np.vstack([self._x, np.zeros((len(columns), K))])
        own, starts = self.working.features, self.working.starts
        self._lower, self._upper = stated.lower[own], stated.upper[own]
        lists = [range(int(a), int(b)) for a, b in pairwise(starts)]
        held = self.working.lam > 0
        some = [own for own, is_held in zip(lists, held, strict=True) if is_held]
        self._groups = GroupL2(1.0, some, weights=self.working.lam[held]) if some else None

    def penalty(self, alpha: float) -> Any:
        """The penalty of the working set, in its bounds."""
        part = self.stated.part
        elementwise = None
        if part is not None:
            factors = None if part.factors is None else np.asarray(part.factors)[self.working.features]
            elementwise = L1L2(alpha * float(part.alpha), float(part.l1_ratio), factors)
        if self._groups is None or alpha == 0:
            return Box(elementwise or L1(0.0), self._lower, self._upper)
        group = self._groups.with_alpha(alpha)
        return GroupBox(group if elementwise is None else elementwise + group, self._lower, self._upper)

    def minimize(self, alpha: float) -> int:
        """Rounds of Newton steps and proximal gradients, until the promised decrease is far below tol."""
        if not self._A.shape[1]:
            return 0
        penalty = self.penalty(alpha) if len(self.working.groups) else None
        for round in range(1, _ROUNDS + 1):
            fall = None
            for _ in range(_NEWTON_STEPS):
                fall = self._newton_step(penalty, alpha)
                if fall is None or fall <= self._least:
                    break
            if fall is not None and fall <= self._least and self._violation(penalty) <= self._exact * max(alpha, 1e-3):
                return round
            if self._gradient_steps(penalty) <= 1e-3 * self._least and round > 3:
                return round
        return _ROUNDS

    def _eta(self, x: np.ndarray) -> np.ndarray:
        return self.stated.eta + self._A @ x

    def _value(self, x: np.ndarray, penalty: Any) -> float:
        loss = self.stated.rows.value(self._eta(x))
        return loss if penalty is None else loss + float(penalty.value(x[self._r :].ravel()))

    def _gradient(self, x: np.ndarray) -> np.ndarray:
        return self._A.T @ self.stated.rows.slope(self._eta(x))

    def _violation(self, penalty: Any) -> float:
        if penalty is None:
            return 0.0
        z = -self._gradient(self._x)[self._r :].ravel()
        return float(np.asarray(penalty.violation(self.coefs, z)).max(initial=0.0))

    def _gradient_steps(self, penalty: Any) -> float:
        """Accelerated proximal gradients with restarts; returns by how much the objective fell."""
        x = point = self._x
        t, first = 1.0, self._value(x, penalty)
        self._length *= 2.0
        for _ in range(_GRADIENT_STEPS):
            new = self._descended(point, penalty)
            if float(((point - new) * (new - x)).sum()) > 0:
                t = 1.0
            following = 0.5 * (1 + np.sqrt(1 + 4 * t * t))
            point = new + (t - 1) / following * (new - x)
            x, t = new, following
        last = self._value(x, penalty)
        if last <= first:
            self._x = x
        return first - last

    def _descended(self, point: np.ndarray, penalty: Any) -> np.ndarray:
        """A proximal step from a point, short enough that the loss is below its quadratic bound."""
        gradient, value, halvings = self._gradient(point), self.stated.rows.value(self._eta(point)), 0
        while True:
            new = self._proximal(point - self._length * gradient, penalty)
            moved = new - point
            bound = value + float((gradient * moved).sum()) + float((moved * moved).sum()) / (2 * self._length)
            if self.stated.rows.value(self._eta(new)) <= bound + 1e-14 * abs(value) or halvings == _HALVINGS:
                return new
            self._length, halvings = 0.5 * self._length, halvings + 1

    def _proximal(self, v: np.ndarray, penalty: Any) -> np.ndarray:
        if penalty is None:
            return v
        return np.vstack([v[: self._r], penalty.prox(v[self._r :].ravel(), self._length).reshape((-1, self._K))])

    def _newton_step(self, penalty: Any, alpha: float) -> float | None:
        """One Newton step on the face; its promised decrease, or None where it is no use."""
        r, K, working = self._r, self._K, self.working
        x, D = self.coefs, r * K
        l1, l2, lam = alpha * working.l1, alpha * working.l2, alpha * np.repeat(working.lam, np.diff(working.starts))
        length = np.repeat(working.norms(x[:, None])[:, 0], np.diff(working.starts))
        on = ((length > 0) | (lam == 0)) & ((x != 0) | (l1 == 0))
        if len(x):
            on &= (x > self._lower) & (x < self._upper)
        face = np.concatenate([np.arange(D), D + np.flatnonzero(on)])
        if not len(face):
            return 0.0
        pull = np.divide(lam, length, out=np.zeros_like(lam), where=length > 0)
        whole = self._gradient(self._x).ravel()
        whole[D:] += (l2 + pull) * x + l1 * np.sign(x)
        rows, classes = face // K, face % K
        H = self.stated.rows.hessian(self._eta(self._x), self._A, rows, classes)
        self._add_penalty(H, on, x, l2, pull, length)
        self._pin_shifts(H, on, l2 + lam)
        step = np.zeros(len(whole))
        found = _solved(H, whole[face])
        if found is None:
            return None
        step[face] = -found
        fall = -float(whole @ step)
        if not np.isfinite(fall) or fall < 0:
            return None
        return self._search(step, whole, fall, penalty, l1, lam)

    def _add_penalty(self, H: np.ndarray, on: np.ndarray, x, l2, pull, length) -> None:
        """Add the penalty's second derivative on the face, group by group."""
        at = self._r * self._K
        H[np.arange(at, len(H)), np.arange(at, len(H))] += (l2 + pull)[on]
        unit = x / np.where(length > 0, length, 1.0)
        for a, b in pairwise(self.working.starts):
            own = np.flatnonzero(on[a:b]) + a
            if len(own):
                H[at : at + len(own), at : at + len(own)] -= pull[own][:, None] * np.outer(unit[own], unit[own])
                at += len(own)

    def _pin_shifts(self, H: np.ndarray, on: np.ndarray, held: np.ndarray) -> None:
        """Where a number added to all predictors changes nothing, and no penalty sees it, it stays."""
        if not self.stated.rows.shifts:
            return
        K, inside = self._K, on.reshape((-1, self._K))
        for i in range(self._r):
            own = slice(i * K, (i + 1) * K)
            H[own, own] += np.trace(H[own, own]) / K
        places = self._r * K + np.cumsum(on) - 1
        for j in np.flatnonzero(inside.all(axis=1) & (held.reshape((-1, K)) == 0).all(axis=1)):
            own = slice(int(places[j * K]), int(places[j * K]) + K)
            H[own, own] += np.trace(H[own, own]) / K

    def _search(self, step: np.ndarray, slope: np.ndarray, fall: float, penalty: Any, l1, lam) -> float | None:
        """Walk along a step, within the bounds, until the objective has fallen; None where it does not."""
        value, now, t, D = self._value(self._x, penalty), self._x.ravel(), 1.0, self._r * self._K
        while t > 1e-3:
            there = now + t * step
            if len(there) > D:
                x, moved = now[D:], np.clip(there[D:], self._lower, self._upper)
                there[D:] = np.where((l1 > 0) & (moved * x < 0), 0.0, moved)
                along = np.add.reduceat(there[D:] * x, self.working.starts[:-1])
                turned = bool(((along <= 0) & (self.working.lam > 0) & self._stand(x)).any()) and bool(lam.any())
            else:
                turned = False
            promised = -float(slope @ (there - now))
            trial = there.reshape(self._x.shape)
            small = abs(promised) <= 1e-12 * abs(value)
            if not turned and (small or (promised > 0 and self._value(trial, penalty) <= value - 1e-4 * promised)):
                self._x = trial
                return fall
            t *= 0.5
        return None

    def _stand(self, x: np.ndarray) -> np.ndarray:
        """(groups,) which are not zero."""
        return self.working.norms(x[:, None])[:, 0] > 0


def _solved(H: np.ndarray, g: np.ndarray) -> np.ndarray | None:
    """H⁻¹ g, H positive semidefinite up to rounding; None where that fails."""
    for jitter in (1e-14, 1e-11, 1e-8):
        try:
            own = H.copy()
            own[np.diag_indices(len(own))] += jitter * np.diag(H) + np.finfo(float).tiny
            return linalg.cho_solve(linalg.cho_factor(own, lower=True, overwrite_a=True), g)
        except (linalg.LinAlgError, ValueError):
            continue
    return None
