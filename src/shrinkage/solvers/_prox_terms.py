"""What the paths of penalties with a solver of their own ask of a penalty: MCP and SCAD here.

Coefficients are measured as the penalty does, u = scale ∘ w, and correlations z of columns over their scales.
"""

from typing import Any, Protocol

import numpy as np

from shrinkage import _core
from shrinkage.penalties import MCP
from shrinkage.problem import Problem

MOST_SWEEPS = 20_000
STRAIGHT = 1e100  # the gamma at which MCP is the L1 norm


class Terms(Protocol):
    """A penalty on a working set, and what it says of the columns outside."""

    convex: bool
    scale: np.ndarray  # (p,)
    free: np.ndarray  # (p,) columns that nothing penalizes

    def first(self, z: np.ndarray) -> float:
        """The smallest strength at which 0 satisfies its conditions, for correlations z (p,) there."""
        ...

    def rank(self, z: np.ndarray) -> np.ndarray:
        """(p,) what columns are ordered by when not all can be taken."""
        ...

    def loose(self, z: np.ndarray, alpha: float, nonzero: np.ndarray | None) -> np.ndarray:
        """(p,) whether a column is not held at 0; `nonzero` says which are not 0 in the fit of which z (p,) are."""
        ...

    def solve(
        self,
        hessian: np.ndarray,
        linear: np.ndarray,
        features: np.ndarray,
        alphas: np.ndarray,
        tol: float,
        start: np.ndarray,
        most: int = MOST_SWEEPS,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Minimize ½ u'Hu - linear'u + g(u) at falling strengths: coefs (size, T), steps and objectives (T,)."""
        ...

    def solve_model(
        self,
        hessian: np.ndarray,
        linear: np.ndarray,
        features: np.ndarray,
        alpha: float,
        tol: float,
        start: np.ndarray,
        most: int,
    ) -> tuple[np.ndarray, float]:
        """As `solve` at one strength: coefs (size,), and what the penalty rises by from `start`."""
        ...

    def solve_majorized(
        self,
        hessian: np.ndarray,
        linear: np.ndarray,
        features: np.ndarray,
        alpha: float,
        tol: float,
        start: np.ndarray,
        most: int,
    ) -> tuple[np.ndarray, float]:
        """As `solve_model` for a convex penalty that touches g at `start` and lies above."""
        ...

    def value(self, u: np.ndarray, features: np.ndarray, alpha: float) -> float:
        """The penalty of u (size,) on the features."""
        ...

    def violation(self, u: np.ndarray, z: np.ndarray, features: np.ndarray, alpha: float) -> float:
        """The largest distance from z (size,) to the subdifferential at u (size,)."""
        ...


class ConcaveTerms:
    """MCP and SCAD: each column alone is held at 0 by |z_j| <= alpha f_j."""

    convex = False

    def __init__(self, problem: Problem):
        p = problem.design.shape[1]
        self.penalty: Any = problem.penalty
        self.scale = np.ones(p) if problem.scale is None else problem.scale
        factors = self.penalty.factors
        self.factors = np.ones(p) if factors is None else np.asarray(factors, dtype=np.float64)
        self.free = self.factors == 0
        self.inverse = np.divide(1.0, self.factors, out=np.zeros(p), where=~self.free)
        self.kind = _core.Concave.mcp if isinstance(self.penalty, MCP) else _core.Concave.scad

    def first(self, z: np.ndarray) -> float:
        return float((np.abs(z) * self.inverse).max(initial=0.0))

    def rank(self, z: np.ndarray) -> np.ndarray:
        return np.abs(z) * self.inverse

    def loose(self, z: np.ndarray, alpha: float, nonzero: np.ndarray | None) -> np.ndarray:
        return (np.abs(z) > alpha * self.factors) & ~self.free

    def solve(self, hessian, linear, features, alphas, tol, start, most=MOST_SWEEPS, two_starts=True):
        coefs = np.empty((len(features), len(alphas)), order="F")
        steps, objectives = np.zeros(len(alphas), np.int32), np.zeros(len(alphas))
        _core.solve_concave(
            self.kind, self.penalty.gamma, hessian, linear, np.ascontiguousarray(self.factors[features]),
            np.ascontiguousarray(alphas), tol, most, start, coefs, steps, objectives,
            two_starts,
        )  # fmt: skip
        return coefs, steps, objectives

    def solve_model(self, hessian, linear, features, alpha, tol, start, most):
        found = self.solve(hessian, linear, features, np.array([alpha]), tol, start, most, two_starts=False)[0][:, 0]
        return found, self.value(found, features, alpha) - self.value(start, features, alpha)

    def solve_majorized(self, hessian, linear, features, alpha, tol, start, most):
        bent = self._on(features, alpha).violation(start, np.zeros(len(start)))  # the slopes of what is not 0
        slopes = np.where(start == 0, alpha * self.factors[features], bent)
        coefs, steps, objectives = np.empty((len(start), 1), order="F"), np.zeros(1, np.int32), np.zeros(1)
        _core.solve_concave(
            _core.Concave.mcp, STRAIGHT, hessian, linear, slopes, np.ones(1), tol, most, start,
            coefs, steps, objectives,
        )  # fmt: skip
        return coefs[:, 0], float(slopes @ (np.abs(coefs[:, 0]) - np.abs(start)))

    def value(self, u: np.ndarray, features: np.ndarray, alpha: float) -> float:
        return float(self._on(features, alpha).value(u))

    def violation(self, u: np.ndarray, z: np.ndarray, features: np.ndarray, alpha: float) -> float:
        return float(self._on(features, alpha).violation(u, z).max(initial=0.0))

    def _on(self, features: np.ndarray, alpha: float) -> Any:
        """The penalty of some columns, without the check of its factors, which may all be 1."""
        return type(self.penalty)(alpha, self.penalty.gamma, self.factors[features] if len(features) else None)
