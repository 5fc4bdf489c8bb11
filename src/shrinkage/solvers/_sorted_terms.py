"""What the paths of the sorted L1 norm ask of it."""

from typing import Any

import numpy as np

from shrinkage import _core
from shrinkage._errors import ArgumentError
from shrinkage.problem import Problem

MOST_STEPS = 5_000


class SortedTerms:
    """SLOPE: columns are held at 0 together, by the sums of their largest correlations.

    Notes
    -----
    Which columns may stay 0 at a strength is read off sizes that bound their correlations there, the strong rule:
    Larsson, Bogdan & Wallin (2020), NeurIPS 33, algorithm 1, https://arxiv.org/abs/2005.03730
    """

    convex = True

    def __init__(self, problem: Problem):
        p = problem.design.shape[1]
        self.scale = np.ones(p) if problem.scale is None else problem.scale
        penalty: Any = problem.penalty
        factors = penalty.factors
        self.free = np.zeros(p, bool) if factors is None else np.asarray(factors) == 0
        count = int(np.count_nonzero(~self.free))
        self.weights = np.array(penalty.weights, dtype=np.float64)[:count]
        if len(self.weights) < count:
            raise ArgumentError(f"weights of SortedL1 must be as many as columns, {count}; got {len(self.weights)}")

    def first(self, z: np.ndarray) -> float:
        sizes = np.sort(np.abs(z[~self.free]))[::-1]
        return float((np.cumsum(sizes) / np.cumsum(self.weights)).max(initial=0.0))

    def rank(self, z: np.ndarray) -> np.ndarray:
        return np.abs(z)

    def loose(self, z: np.ndarray, alpha: float, nonzero: np.ndarray | None) -> np.ndarray:
        """As far as the largest sum of |z| less its weights goes, all may move: none beyond can."""
        out = np.zeros(len(z), bool)
        zeros = np.flatnonzero(~self.free if nonzero is None else ~(self.free | nonzero))
        sizes = np.abs(z[zeros])
        order = np.argsort(-sizes, kind="stable")
        taken = len(self.weights) - len(zeros)
        sums = np.cumsum(sizes[order] - alpha * self.weights[taken:])
        if len(sums) and sums.max() > 0:
            out[zeros[order[: int(np.argmax(sums)) + 1]]] = True
        return out

    def solve(self, hessian, linear, features, alphas, tol, start, most=MOST_STEPS):
        coefs = np.empty((len(features), len(alphas)), order="F")
        steps, objectives = np.zeros(len(alphas), np.int32), np.zeros(len(alphas))
        _core.solve_sorted(
            hessian, linear, self.weights[: len(features)], np.ascontiguousarray(alphas), tol, most, start, coefs,
            steps, objectives,
        )  # fmt: skip
        return coefs, steps, objectives

    def solve_model(self, hessian, linear, features, alpha, tol, start, most):
        found = self.solve(hessian, linear, features, np.array([alpha]), tol, start, most)[0][:, 0]
        return found, self.value(found, features, alpha) - self.value(start, features, alpha)

    solve_majorized = solve_model

    def value(self, u: np.ndarray, features: np.ndarray, alpha: float) -> float:
        return float(alpha * (np.sort(np.abs(u))[::-1] @ self.weights[: len(u)]))

    def violation(self, u: np.ndarray, z: np.ndarray, features: np.ndarray, alpha: float) -> float:
        return float(_core.sorted_violation(np.ascontiguousarray(u), np.ascontiguousarray(z), alpha * self.weights))
