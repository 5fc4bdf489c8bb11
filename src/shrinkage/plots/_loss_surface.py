"""The loss of a problem as a function of two coefficients, its intercept at its best."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkage.problem import Problem

_BLOCK = 2_000_000
_NEWTON_STEPS = 30


@dataclass(frozen=True, eq=False)
class LossSurface:
    """min over b of (1/S) Σ sᵢ ℓ(yᵢ, startᵢ + columnsᵢ u + b), at points u; b is fixed without an intercept.

    Attributes
    ----------
    problem : Problem
    columns : ndarray of shape (n_samples, 2)
        Divided by the problem's scale.
    start : ndarray of shape (n_samples,)
        Offset and all other coefficients.
    intercept : float
        Where to look for b from.
    center : ndarray of shape (2,) or None
        Where the loss is lowest, if it is squared.
    lowest : float
        The loss there; inf where it is not known.
    """

    problem: Problem
    columns: np.ndarray
    start: np.ndarray
    intercept: float
    center: np.ndarray | None
    lowest: float

    @classmethod
    def of(cls, problem: Problem, coef: np.ndarray, intercept: float, features: tuple[int, int]) -> "LossSurface":
        """The surface in two columns, all other coefficients as they are."""
        others = coef.copy()
        others[list(features)] = 0.0
        start = problem.linear_predictor(others, 0.0)
        columns = problem.design.combine(np.asarray(features, dtype=np.int64), np.asfortranarray(np.eye(2)))
        if problem.scale is not None:
            columns = columns / np.asarray(problem.scale)[list(features)]
        surface = cls(problem, columns, start, intercept, None, np.inf)
        if problem.loss.name != "squared":
            return surface
        root = np.sqrt(problem.weights)[:, None]
        free = [np.ones((len(start), 1))] if problem.fit_intercept else []
        A = np.hstack([columns, *free])
        center = np.linalg.lstsq(root * A, root[:, 0] * (problem.y - start), rcond=None)[0][:2]
        return cls(problem, columns, start, intercept, center, float(surface.at(center[None])[0]))

    @property
    def resolution(self) -> int:
        """Points of a grid along each axis: fewer where each costs more."""
        return 241 if self.problem.loss.name == "squared" else int(np.clip(1500 // len(self.start) ** 0.5, 41, 81))

    def on_grid(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The loss at (x[j], y[i]), shape (len(y), len(x))."""
        points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        return self.at(points).reshape(len(y), len(x))

    def at(self, points: np.ndarray) -> np.ndarray:
        """The loss at points (k, 2), shape (k,)."""
        if self.problem.loss.name == "squared":
            return self._quadratic(points)
        width = max(1, _BLOCK // len(self.start))
        blocks = [self._by_newton(points[k : k + width]) for k in range(0, len(points), width)]
        return np.concatenate(blocks)

    def _quadratic(self, points: np.ndarray) -> np.ndarray:
        """½ (t - 2 uᵀ c + uᵀ G u), from moments about the means if there is an intercept."""
        weights = self.problem.weights
        left, columns = self.problem.y - self.start, self.columns
        if self.problem.fit_intercept:
            left, columns = left - weights @ left, columns - weights @ columns
        gram = (columns * weights[:, None]).T @ columns
        moment = columns.T @ (weights * left)
        curved = np.einsum("ki,ij,kj->k", points, gram, points)
        return 0.5 * (float(weights @ (left * left)) - 2.0 * points @ moment + curved)

    def _by_newton(self, points: np.ndarray) -> np.ndarray:
        loss: Any = self.problem.loss
        weights, y = self.problem.weights, self.problem.y[:, None]
        eta = self.start[:, None] + self.columns @ points.T
        b = np.full(len(points), self.intercept)
        for _ in range(_NEWTON_STEPS if self.problem.fit_intercept else 0):
            slope = weights @ loss.gradient(y, eta + b)
            bend = np.maximum(weights @ loss.curvature(y, eta + b), 1e-8)
            step = np.clip(slope / bend, -2.0, 2.0)  # a logistic slope is flat far out
            b = b - step
            if np.abs(step).max() < 1e-5:  # Newton squares it
                break
        return weights @ loss.value(y, eta + b)
