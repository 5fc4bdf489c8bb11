"""The restricted problem of a group path for any smooth loss, by prox-Newton steps."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkage import _core
from shrinkage.problem import (
    FIRST_SHARE,
    Problem,
    balance,
    bounding_curvature,
    is_kinked,
    level_point,
    minimize_free,
    next_share,
    row_loss,
    scaled_dual,
)
from shrinkage.solvers._group_fits import MOST_STEPS, GroupBatch, _means
from shrinkage.solvers._group_terms import GroupTerms, WorkingGroups
from shrinkage.solvers._growing import Columns

CONTRACTION = 0.35  # of what the conditions lack, by a step with an old Hessian, above which it is made anew
CANDIDATES = 0.9  # share of the strength from which groups take part in a step
FARTHEST, WALK = 0.6, 0.7  # a strength below the first share of the last is reached in steps of the second
MOST_NEWTON, MOST_KINKED = 100, 300
MOST_IDLE = 3  # steps that promise no more than rounding


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


@dataclass
class _Step:
    """A way to the minimum of a model; coefficients of the working set, the free block, the linear predictor."""

    target: np.ndarray  # (m,) coefficients at its end
    free: np.ndarray  # (r,) change
    along: np.ndarray  # (n,) change
    fall: float  # what the linear part of the loss and the penalty fall by
    solved: bool  # whether the model was minimized


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
        self._kinked = is_kinked(self._loss)
        self.reset()

    @property
    def means(self) -> np.ndarray:
        """(m,) what was taken off columns."""
        return self._means[self.working.features]

    def reset(self) -> None:
        """Stand at the null model."""
        self._u, self._free = np.zeros(len(self.working.features)), np.zeros(self._Q.shape[1])
        self._eta, self._at = self.problem.null.eta.copy(), np.inf
        self._model: _Model | None = None
        self._robust = False

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
        steps = self._solve_kinked(alpha, tol) if self._kinked else self._solve_smooth(alpha, tol)
        self._at = alpha
        return steps

    def _solve_smooth(self, alpha: float, tol: float) -> int:
        """Steps with a model that is kept while it contracts."""
        robust, before = False, np.inf
        for count in range(MOST_NEWTON):
            z, z_free, missed, candidates = self._missed(alpha)
            if missed <= tol:
                return count
            model = self._model
            old = model is not None and self._robust == robust and np.isin(candidates, model.groups).all()
            if model is None or not old or missed > CONTRACTION * before:
                model, old, self._robust = self._build(candidates, self._curvature(robust)), False, robust
            step = self._towards(model, z, z_free, alpha, max(0.3 * tol, min(0.1, 0.05 * missed)))
            t = self._go(step, model, self._length(step, alpha))
            before = missed if t == 1 else 0.0
            if t < 0.1 and not old:
                if robust and t == 0:
                    break
                robust, before = True, 0.0
            elif t == 0:
                before = 0.0
        return MOST_NEWTON

    def _solve_kinked(self, alpha: float, tol: float) -> int:
        """Steps each with a model of its own, for losses whose curvature jumps."""
        share, idle = FIRST_SHARE, 0
        noise = 1e-13 * max(self.problem.null.objective, 1e-300)
        for count in range(MOST_KINKED):
            z, z_free, missed, candidates = self._missed(alpha)
            if missed <= tol or idle >= MOST_IDLE:
                return count
            bound = share * bounding_curvature(self._loss, self._y, self._eta)
            D = self._weights * np.maximum(self._loss.curvature(self._y, self._eta), bound)
            model = self._build(candidates, D)
            step = self._towards(model, z, z_free, alpha, max(0.3 * tol, min(0.1, 0.05 * missed)))
            t = self._go(step, model, level_point(self._rise(step, alpha), step.fall, noise))
            idle = idle + 1 if step.fall <= noise else 0
            share = next_share(share, t, step.solved)
        return MOST_KINKED

    def _missed(self, alpha: float) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
        """Minus the gradients in the coefficients and the free block; what conditions lack; groups for a step."""
        slope = self._weights * self._loss.gradient(self._y, self._eta)
        z, z_free = -(self._columns.values.T @ slope), -(self._Q.T @ slope)
        missed, candidates = self._look(z, alpha)
        free = float(np.abs(z_free).max(initial=0.0)) / max(float(np.abs(slope).sum()), 1e-300)
        return z, z_free, max(missed, free), candidates

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

    def _curvature(self, robust: bool) -> np.ndarray:
        """(n_samples,) of a model; a robust one is not misled by flat tails."""
        curvature = self._loss.curvature(self._y, self._eta)
        if robust:
            slope = np.abs(self._loss.gradient(self._y, self._eta))
            curvature = np.maximum(curvature, slope / (2.0 * (1.0 + np.abs(self._eta))))
        return self._weights * np.maximum(curvature, 1e-9 * float(curvature.max(initial=0.0)))

    def _build(self, groups: np.ndarray, D: np.ndarray) -> _Model:
        """The model at the linear predictor at hand, D (n_samples,) the curvatures of rows."""
        working = self.working
        places = working.places(groups)
        columns = np.asfortranarray(self._columns.values[:, places])
        root, r = np.sqrt(D)[:, None], self._Q.shape[1]
        rows = np.hstack([root * self._Q, root * columns])
        whole = rows.T @ rows  # of one matrix with itself BLAS makes a half
        mixed = whole[:r, r:]
        inverse = np.linalg.pinv(whole[:r, :r], rcond=1e-14, hermitian=True)
        hessian = np.asfortranarray(whole[r:, r:] - mixed.T @ (inverse @ mixed))
        kernel = _core.GroupQuadratic(1)
        sizes = np.diff(working.starts)[groups]
        kernel.append(sizes, working.lam[groups], working.l1[places], working.l2[places])
        kernel.restart(np.ascontiguousarray(self._u[places]))
        self._model = _Model(groups, places, columns, hessian, mixed, inverse, kernel)
        return self._model

    def _towards(self, model: _Model, z: np.ndarray, z_free: np.ndarray, alpha: float, tol: float) -> _Step:
        """The way to the model's minimum."""
        u, own, at = self._u[model.places], z[model.places], np.array([alpha])
        linear = own - model.mixed.T @ (model.inverse @ z_free) + model.hessian @ u
        found, steps = np.zeros((len(u), 1), order="F"), np.zeros(1, np.int32)
        if len(u):
            model.kernel.solve(model.hessian, linear, at, at, tol, MOST_STEPS, found, steps)
        move = found[:, 0] - u
        free = model.inverse @ (z_free - model.mixed @ move)
        target = self._u.copy()
        target[model.places] = found[:, 0]
        now, there = (float(self.working.penalty(x[:, None], at)[0]) for x in (self._u, target))
        fall = float(own @ move + z_free @ free) + now - there
        return _Step(target, free, model.columns @ move + self._Q @ free, fall, bool(steps[0] < MOST_STEPS))

    def _length(self, step: _Step, alpha: float) -> float:
        """The share of a step that lowers the objective enough; 0 if there is none."""
        start, t = self._objective(self._eta, self._u, alpha), 1.0
        if step.fall <= 1e-12 * max(self.problem.null.objective, 1e-300):
            return 1.0
        while t >= 1e-10:
            value = self._objective(self._eta + t * step.along, self._u + t * (step.target - self._u), alpha)
            if value <= start - 1e-4 * t * step.fall:
                return t
            t *= 0.5
        return 0.0

    def _rise(self, step: _Step, alpha: float) -> Callable[[float], float]:
        """The derivative of the objective along a step, from the left."""
        move, weighted = step.target - self._u, self._weights * step.along

        def rise(t: float) -> float:
            u = step.target if t == 1 else self._u + t * move
            slope = self._loss.gradient(self._y, self._eta + t * step.along)
            return float(weighted @ slope) + alpha * self.working.slope(u, move)

        return rise

    def _go(self, step: _Step, model: _Model, t: float) -> float:
        """Go a share t of a step; returns it."""
        self._u = step.target if t == 1 else self._u + t * (step.target - self._u)
        if t != 1:
            model.kernel.restart(np.ascontiguousarray(self._u[model.places]))
        self._free = self._free + t * step.free
        self._eta = self._eta + t * step.along
        return t
