"""The restricted problem of a group path for any smooth loss, by prox-Newton steps."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkage import _core
from shrinkage.problem import Problem, balance, minimize_free, row_loss, scaled_dual
from shrinkage.solvers._group_fits import MOST_STEPS, GroupBatch, _means
from shrinkage.solvers._group_terms import GroupTerms, WorkingGroups
from shrinkage.solvers._growing import Columns

CONTRACTION = 0.35  # of what the conditions lack, by a step with an old Hessian, above which it is made anew
CANDIDATES = 0.9  # share of the strength from which groups take part in a step
FARTHEST, WALK = 0.6, 0.7  # a strength below the first share of the last is reached in steps of the second
MOST_NEWTON = 100


@dataclass
class _Model:
    """The quadratic model of the loss on candidate groups, its free block eliminated."""

    groups: np.ndarray  # places among the working groups
    places: np.ndarray  # of their columns
    columns: np.ndarray  # (n, c)
    hessian: np.ndarray  # (c, c)
    mixed: np.ndarray  # (r, c) Q' D X
    inverse: np.ndarray  # (r, r) of Q' D Q
    kernel: Any
    robust: bool


class NewtonGroupFit:
    """The mean loss on the working set, its columns measured from their weighted means.

    Around the linear predictor at hand the loss is a quadratic with D = diag(v ∘ ℓ''); its minimum with the penalty is
    the direction of a line search. The Hessian is kept while it contracts.

    Parameters
    ----------
    problem : Problem with a smooth loss and a group penalty
    terms : GroupTerms
    tol : float
        Largest relative duality gap wanted.
    """

    def __init__(self, problem: Problem, terms: GroupTerms, tol: float):
        self.problem, self.working = problem, WorkingGroups(terms)
        self._tol = max(min(1e-7, 0.1 * tol), 1e-13)
        self._Q, self.to_raw = problem.free_block
        self._weights, self._y, self._loss = problem.weights, problem.y, row_loss(problem.loss)
        n, p = problem.design.shape
        self._columns = Columns(n, min(p, max(256, 4 * min(n, p))))
        self._means = _means(problem)
        self.reset()

    @property
    def means(self) -> np.ndarray:
        """(m,) what was taken off columns."""
        return self._means[self.working.features]

    def reset(self) -> None:
        """Stand at the null model."""
        self._u, self._free = np.zeros(len(self.working.features)), np.zeros(self._Q.shape[1])
        self._eta, self._at, self._model = self.problem.null.eta.copy(), np.inf, None

    def null_theta(self) -> np.ndarray:
        """(n_samples, 1) the dual point of the null model."""
        return -self._weights[:, None] * self._balanced(self.problem.null.eta)

    def _balanced(self, eta: np.ndarray) -> np.ndarray:
        """(n_samples, 1) slopes near those at eta, orthogonal to the free block."""
        eta = minimize_free(self._loss, self._y, eta, self._Q, self._weights, 1e-16)[1]
        return balance(self._loss, self._y[:, None], eta[:, None], self._Q, self._weights)

    def grow(self, groups: np.ndarray) -> None:
        """Take groups into the working set."""
        features = self.working.append(groups)
        new = self._columns.append(len(features))
        self.problem.design.gather(features, self._means[features], None, new)
        new /= self.working.terms.scale[features]
        self._u = np.concatenate([self._u, np.zeros(len(features))])

    def solve(self, alphas: np.ndarray) -> GroupBatch:
        """Minimize at every strength on the working set, each warm-started from the one before."""
        m, n, r, count = len(self._u), len(self._y), len(self._free), len(alphas)
        u, theta, slopes, free = (np.zeros((rows, count), order="F") for rows in (m, n, n, r))
        batch = GroupBatch(u, theta, slopes, free, np.zeros(count), np.zeros(count, np.int32))
        for t, alpha in enumerate(alphas):
            while np.isfinite(self._at) and alpha < FARTHEST * self._at:
                batch.steps[t] += self._solve_at(max(float(alpha), WALK * self._at), 1e-2)
            batch.steps[t] += self._solve_at(float(alpha), self._tol)
            batch.u[:, t], batch.free[:, t] = self._u, self._free
            batch.slopes[:, [t]] = self._balanced(self._eta)
            batch.objectives[t] = self._objective(self._eta, self._u, float(alpha))
        batch.theta[:] = -self._weights[:, None] * batch.slopes
        return batch

    def duals(self, batch: GroupBatch, caps: np.ndarray, conjugates: np.ndarray | None) -> np.ndarray:
        """(n_strengths,) the best dual objective known: of multiples up to `caps`, or with the conjugate taken off."""
        shared = (self._loss, self._y[:, None], batch.slopes, self._weights, caps)
        found = scaled_dual(*shared, None, self.problem.offset)
        if conjugates is None:
            return found
        return np.maximum(found, scaled_dual(*shared, conjugates, self.problem.offset))

    def stand_at(self, u: np.ndarray, batch: GroupBatch | None, t: int, alpha: float) -> None:
        """Go back to coefficients of a batch; the working set may have grown since."""
        self.reset()
        if batch is None:
            return
        self._u[: len(u)] = u
        self._free, self._at = batch.free[:, t].copy(), alpha
        self._eta = self.problem.null.eta + self._columns.values @ self._u + self._Q @ self._free

    def tighten(self) -> bool:
        """Solve more exactly from now on; False when there is nothing left to gain."""
        if self._tol <= 1e-13:
            return False
        self._tol = max(self._tol / 10, 1e-13)
        return True

    def _objective(self, eta: np.ndarray, u: np.ndarray, alpha: float) -> float:
        loss = float(self._weights @ self._loss.value(self._y, eta))
        return loss + float(self.working.penalty(u[:, None], np.array([alpha]))[0])

    def _solve_at(self, alpha: float, tol: float) -> int:
        """Minimize at one strength; returns the steps made."""
        robust, before = False, np.inf
        for step in range(MOST_NEWTON):
            slope = self._weights * self._loss.gradient(self._y, self._eta)
            z, z_free = -(self._columns.values.T @ slope), -(self._Q.T @ slope)
            missed, candidates = self._look(z, alpha)
            missed = max(missed, float(np.abs(z_free).max(initial=0.0)) / max(float(np.abs(slope).sum()), 1e-300))
            if missed <= tol:
                self._at = alpha
                return step
            model = self._model
            old = model is not None and model.robust == robust and np.isin(candidates, model.groups).all()
            if model is None or not old or missed > CONTRACTION * before:
                model, old = self._build(candidates, robust), False
            t = self._step(model, z, z_free, alpha, max(0.3 * tol, min(0.1, 0.05 * missed)))
            before = missed if t == 1 else 0.0
            if t < 0.1 and not old:
                if robust and t == 0:
                    break
                robust, before = True, 0.0
            elif t == 0:
                before = 0.0
        self._at = alpha
        return MOST_NEWTON

    def _look(self, z: np.ndarray, alpha: float) -> tuple[float, np.ndarray]:
        """What the conditions lack, over each group's share of the strength; groups that take part in a step."""
        working = self.working
        if not len(working.groups):
            return 0.0, np.zeros(0, np.int64)
        u, z = self._u[:, None], z[:, None]
        lacking = working.norms(working.lacking(u, z, np.array([alpha])))[:, 0]
        most = np.maximum.reduceat(working.l1, working.starts[:-1])
        unit = np.where(working.lam + most > 0, working.lam + most, 1.0)
        near = np.maximum(np.abs(z) - CANDIDATES * alpha * working.l1[:, None], 0.0)
        part = (working.norms(near)[:, 0] > CANDIDATES * alpha * working.lam) | (working.norms(u)[:, 0] > 0)
        return float((lacking / unit).max() / alpha), np.flatnonzero(part)

    def _build(self, groups: np.ndarray, robust: bool) -> _Model:
        """The model at the linear predictor at hand; a robust one bounds a loss of residuals from above."""
        curvature = self._loss.curvature(self._y, self._eta)
        if robust:
            apart = np.abs(self._y - self._eta) if np.isinf(self._loss.reach) else 2.0 * (1.0 + np.abs(self._eta))
            slope = np.abs(self._loss.gradient(self._y, self._eta))
            curvature = np.maximum(curvature, slope / np.maximum(apart, 1e-300))
        D = self._weights * np.maximum(curvature, 1e-9 * float(curvature.max(initial=0.0)))
        working = self.working
        places = working.places(groups)
        columns = np.asfortranarray(self._columns.values[:, places])
        weighted = D[:, None] * columns
        mixed = self._Q.T @ weighted
        inverse = np.linalg.pinv(self._Q.T @ (D[:, None] * self._Q), rcond=1e-14, hermitian=True)
        hessian = np.asfortranarray(columns.T @ weighted - mixed.T @ (inverse @ mixed))
        kernel = _core.GroupQuadratic(1)
        sizes = np.diff(working.starts)[groups]
        kernel.append(sizes, working.lam[groups], working.l1[places], working.l2[places])
        self._model = _Model(groups, places, columns, hessian, mixed, inverse, kernel, robust)
        kernel.restart(np.ascontiguousarray(self._u[places]))
        return self._model

    def _step(self, model: _Model, z: np.ndarray, z_free: np.ndarray, alpha: float, tol: float) -> float:
        """Move along the model's minimum; returns the share of the way that was gone."""
        u = self._u[model.places]
        own = z[model.places]
        linear = own - model.mixed.T @ (model.inverse @ z_free) + model.hessian @ u
        found, steps = np.zeros((len(u), 1), order="F"), np.zeros(1, np.int32)
        at = np.array([alpha])
        if len(u):
            model.kernel.solve(model.hessian, linear, at, at, tol, MOST_STEPS, found, steps)
        move = found[:, 0] - u
        free = model.inverse @ (z_free - model.mixed @ move)
        along = model.columns @ move + self._Q @ free
        moved = self._u.copy()
        moved[model.places] = found[:, 0]
        now, there = (float(self.working.penalty(x[:, None], at)[0]) for x in (self._u, moved))
        promised = float(own @ move + z_free @ free) + now - there
        start, t = self._objective(self._eta, self._u, alpha), 1.0
        noise = 1e-12 * max(self.problem.null.objective, 1e-300)
        while promised > noise:
            trial = self._u + t * (moved - self._u)
            value = self._objective(self._eta + t * along, trial, alpha)
            if value <= start - 1e-4 * t * promised:
                break
            t *= 0.5
            if t < 1e-10:
                t = 0.0
                break
        if t != 1:
            model.kernel.restart(np.ascontiguousarray(u + t * move))
        if t == 1:
            self._u = moved
        elif t > 0:
            self._u = self._u + t * (moved - self._u)
        self._free = self._free + t * free
        self._eta = self._eta + t * along
        return t
