"""The restricted problem of a group path: one fit on the columns of a working set of groups."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkage import _core
from shrinkage.design import ResponsesDesign
from shrinkage.problem import Problem, free_block, squared_dual
from shrinkage.solvers._group_rows import RowGroups
from shrinkage.solvers._group_terms import GroupTerms, WorkingGroups
from shrinkage.solvers._growing import Columns, Square

MOST_STEPS = 300
CONSTANT = 1e-10  # length of a column outside the free block, below this share of the whole: rounding
MOST_FAILURES = 2  # strengths in a row that systems as large as the rows may leave to the Gram matrix
WIDE = 0.5  # columns over rows of a working set, from which systems as large as the rows are solved
LEAST_ROWS = 64  # below, the Gram matrix costs nothing and is exact


@dataclass
class GroupBatch:
    """Restricted solutions of a run of strengths; m columns, r free directions."""

    u: np.ndarray  # (m, n_strengths), scale ∘ w
    theta: np.ndarray  # (n_samples, n_strengths): X.T @ theta are the correlations
    slopes: np.ndarray  # (n_samples, n_strengths) from which dual objectives are computed
    free: np.ndarray  # (r, n_strengths) what the free block moves by from the null model
    objectives: np.ndarray  # (n_strengths,)
    steps: np.ndarray  # (n_strengths,)


class SquaredGroupFit:
    """Half the mean squared error on columns made orthogonal to the free block, by their Gram matrix.

    Parameters
    ----------
    problem : Problem with the squared loss and a group penalty
    terms : GroupTerms
    tol : float
        Largest relative duality gap wanted.
    """

    def __init__(self, problem: Problem, terms: GroupTerms, tol: float):
        self.problem, self.working = problem, WorkingGroups(terms)
        self._tol = max(min(1e-7, 0.1 * tol), 1e-13)
        self.responses = K = getattr(problem.design, "responses", 1)
        design: Any = problem.design
        self._base = design.base if isinstance(design, ResponsesDesign) else design
        self._root = np.sqrt(problem.weights[::K])
        Q, self.to_raw = _free_block(problem, K)
        self._Q = (K**0.5 * self._root)[:, None] * Q
        n, p = self._base.shape
        self._left = np.repeat(self._root, K) * (problem.y - problem.null.eta)
        self._columns, self._gram = Columns(n, min(p, max(256, 4 * min(n, p)))), Square()
        self._linear = np.zeros(0)
        self._explained = np.zeros((Q.shape[1], 0))  # (r, m) the part of each column in the free block
        self._means = _means(problem)
        self._set = _core.GroupQuadratic(K)
        plain = K == 1 and n >= LEAST_ROWS and not terms.l1.any() and not terms.l2.any() and bool((terms.lam > 0).all())
        target = 0.5 * tol * problem.null.objective
        self._rows: RowGroups | None = RowGroups(self._left, target) if plain and target > 0 else None
        self._wide, self._failures = False, 0

    @property
    def means(self) -> np.ndarray:
        """(m,) what was taken off columns and not put into the free block: nothing."""
        return np.zeros(len(self.working.features))

    def null_theta(self) -> np.ndarray:
        """(n_samples, 1) the dual point of the null model."""
        return (np.repeat(self._root, self.responses) * self._left)[:, None]

    def grow(self, groups: np.ndarray) -> None:
        """Take groups into the working set."""
        terms, K = self.working.terms, self.responses
        columns = self.working.append(groups)[::K]
        features = columns // K
        new = self._columns.append(len(features))
        shift, scale = self._means[features], terms.scale[columns]
        self._base.gather(features, shift, self._root, new)
        new /= scale
        whole = np.sqrt((new * new).sum(axis=0) + (shift / scale) ** 2 / K)
        explained = np.outer(self._Q.T @ self._root, shift / scale)
        for _ in range(2):
            part = self._Q.T @ new
            new -= self._Q @ part
            explained += part
        new[:, np.sqrt((new * new).sum(axis=0)) <= CONSTANT * whole] = 0.0
        self._explained = np.hstack([self._explained, K**0.5 * explained])
        self._wide = self._rows is not None and self._columns.size > WIDE * len(self._root)
        if not self._wide:
            self._gram.extend(self._columns.values)
        self._linear = np.concatenate([self._linear, (new.T @ self._left.reshape(-1, K)).ravel()])
        self._set.append(terms.sizes[groups] // K, terms.lam[groups], terms.l1[columns], terms.l2[columns])

    def solve(self, alphas: np.ndarray) -> GroupBatch:
        """Minimize at every strength on the working set, each warm-started from the one before."""
        size, count = len(self.working.features), len(alphas)
        u, steps = np.zeros((size, count), order="F"), np.zeros(count, np.int32)
        alphas = np.ascontiguousarray(alphas)
        if self._wide:
            self._solve_wide(alphas, u, steps)
        elif size:
            self._set.solve(self._gram.values, self._linear, alphas, alphas, self._tol, MOST_STEPS, u, steps)
            self._stand_rows(u[:, -1], float(alphas[-1]))
        residuals = self._left[:, None] - self._by_response(self._columns.values, u)
        objectives = 0.5 * (residuals * residuals).sum(axis=0) + self.working.penalty(u, alphas)
        theta = np.asfortranarray(np.repeat(self._root, self.responses)[:, None] * residuals)
        return GroupBatch(u, theta, residuals, -self._by_response(self._explained, u), objectives, steps)

    def _solve_wide(self, alphas: np.ndarray, u: np.ndarray, steps: np.ndarray) -> None:
        """Solve in systems as large as the rows; what does not end there, from the Gram matrix."""
        columns, working, done = self._columns.values, self.working, 0
        while done < len(alphas):
            left = alphas[done:]
            if self._rows is not None:
                ended = self._rows.solve(columns, working.starts, working.lam, left, u[:, done:], steps[done:])
                done, self._failures = done + ended, self._failures * (ended == 0) + (ended < len(left))
                if ended == len(left):
                    return
            self._gram.extend(columns)
            at, out, made = alphas[done : done + 1], u[:, done : done + 1], np.zeros(1, np.int32)
            self._set.restart(u[:, max(done - 1, 0)].copy())
            self._set.solve(self._gram.values, self._linear, at, at, self._tol, MOST_STEPS, out, made)
            self._stand_rows(out[:, 0], float(at[0]))
            steps[done] += made[0]
            done += 1
            if self._failures > MOST_FAILURES:
                self._rows, self._wide = None, False

    def _stand_rows(self, u: np.ndarray, alpha: float) -> None:
        if self._rows is not None:
            self._rows.stand_at(u.copy(), alpha)

    def _by_response(self, A: np.ndarray, u: np.ndarray) -> np.ndarray:
        """(rows * K, k) the products of A (rows, m) with coefficients (m * K, k), each response alone."""
        count = u.shape[1]
        return (A @ u.reshape(A.shape[1], self.responses * count)).reshape(A.shape[0] * self.responses, count)

    def duals(self, batch: GroupBatch, caps: np.ndarray, conjugates: np.ndarray | None) -> np.ndarray:
        """(n_strengths,) the best dual objective known: of multiples up to `caps`, or with the conjugate taken off."""
        left, ones = self._left[:, None], np.ones(len(self._left))
        found = squared_dual(left, batch.slopes, ones, caps)
        if conjugates is None:
            return found
        return np.maximum(found, squared_dual(left, batch.slopes, ones, caps, conjugates))

    def stand_at(self, u: np.ndarray, batch: GroupBatch | None, t: int, alpha: float) -> None:
        """Go back to coefficients of a batch; the working set may have grown since."""
        full = np.zeros(len(self.working.features))
        full[: len(u)] = u
        self._set.restart(full)
        self._stand_rows(full, alpha)

    def tighten(self) -> bool:
        """Solve more exactly from now on; False when there is nothing left to gain."""
        if self._tol <= 1e-13:
            return False
        self._tol = max(self._tol / 10, 1e-13)
        if self._rows is not None:
            self._rows.target /= 10
        return True


def _means(problem: Problem) -> np.ndarray:
    """(n_features,) weighted means of the columns, if there is an intercept, else zeros."""
    design: Any = problem.design
    weights = problem.weights
    intercept = problem.fit_intercept
    if isinstance(design, ResponsesDesign):
        weights, intercept = weights[:: design.responses] * design.responses, design.intercept
        design = design.base
    if not intercept:
        return np.zeros(design.shape[1])
    return design.correlate(np.asfortranarray(weights[:, None]))[:, 0]


def _free_block(problem: Problem, K: int) -> tuple[np.ndarray, np.ndarray]:
    """Q (n, r) of the free block of one response, and what makes raw coefficients (q K) of moves along Q (r K)."""
    design: Any = problem.design
    if not isinstance(design, ResponsesDesign):
        return problem.free_block
    base = design.base
    free = problem.unpenalized[::K] // K
    free = free[free < base.shape[1]]
    Z = np.hstack([np.ones((base.shape[0], int(design.intercept))), base.combine(free, np.eye(len(free)))])
    Q, T = free_block(Z, problem.weights[::K] * K, design.intercept)
    if design.intercept:
        T = np.roll(T, -1, axis=0)  # the intercepts are the last columns
    return Q, np.kron(T, np.eye(K))


def group_fit(problem: Problem, terms: GroupTerms, tol: float) -> Any:
    """The fit that a loss asks for."""
    if problem.loss.name == "squared":
        return SquaredGroupFit(problem, terms, tol)
    from shrinkage.solvers._group_newton import NewtonGroupFit  # which builds on this module

    return NewtonGroupFit(problem, terms, tol)
