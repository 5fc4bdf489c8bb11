"""The restricted problem of a squared loss for a penalty with a solver of its own: from a Gram matrix alone."""

from dataclasses import dataclass

import numpy as np

from shrinkage.design import DenseDesign
from shrinkage.problem import Problem
from shrinkage.solvers._growing import Columns, Square
from shrinkage.solvers._prox_terms import Terms

NOTHING = 1e-12  # what is left of a column, of its length, that the intercept and the free columns explain


@dataclass
class ProxBatch:
    """Restricted solutions of a run of strengths."""

    u: np.ndarray  # (size of the working set, T), as the penalty measures them
    theta: np.ndarray  # (n_samples, T): X.T @ theta are the correlations
    free: np.ndarray  # (rank, T) coefficients of `Problem.free_block`, measured from the null model
    eta: np.ndarray | None  # (n_samples, T), where a solver keeps it
    steps: np.ndarray  # (T,)


class SquaredProxFit:
    """Columns of the working set, multiplied by the roots of row weights and without their part in the free block."""

    def __init__(self, problem: Problem, terms: Terms, tol: float):
        self.problem, self.terms, self.tol, self.unit = problem, terms, tol, 1.0
        n, p = problem.design.shape
        self._root = np.sqrt(problem.weights)
        Q, self.to_raw = problem.free_block
        self._Q = np.asfortranarray(self._root[:, None] * Q)
        self._y = self._root * (problem.y - problem.null.eta)
        self._columns = Columns(n, min(p, max(256, 4 * min(n, p))))
        self._gram = Square(min(p, 1024, max(256, 2 * min(n, p))))
        self._linear, self._removed = np.zeros(0), np.zeros((Q.shape[1], 0))
        self.features, self.means, self._u = np.zeros(0, np.int64), np.zeros(0), np.zeros(0)

    def null_theta(self) -> np.ndarray:
        """(n_samples, 1) of the null model."""
        return np.asfortranarray((self._root * self._y)[:, None])

    def grow(self, features: np.ndarray) -> None:
        """Append columns to the working set."""
        count = len(features)
        new = self._columns.append(count)
        self.problem.design.gather(features, np.zeros(count), self._root, new)
        new /= self.terms.scale[features]
        whole = np.sqrt(np.einsum("ij,ij->j", new, new))
        removed = self._Q.T @ new
        new -= self._Q @ removed
        again = self._Q.T @ new  # the second time takes what rounding left of a mean far from 0
        new -= self._Q @ again
        new[:, np.sqrt(np.einsum("ij,ij->j", new, new)) <= NOTHING * whole] = 0.0
        self._removed = np.hstack([self._removed, removed + again])
        self._gram.extend(self._columns.values)
        self._linear = np.concatenate([self._linear, self._y @ new])
        self.features = np.concatenate([self.features, features])
        self.means = np.zeros(len(self.features))
        self._u = np.concatenate([self._u, np.zeros(count)])

    def solve(self, alphas: np.ndarray) -> ProxBatch:
        """Solve at falling strengths, each from the one before."""
        gram = self._gram.values
        u, steps, _ = self.terms.solve(gram, self._linear, self.features, alphas, self.tol, self._u)
        self._u = np.ascontiguousarray(u[:, -1])
        return self._batch(u, steps)

    def _batch(self, u: np.ndarray, steps: np.ndarray) -> ProxBatch:
        values = self._columns.values
        fitted = DenseDesign(values.T).correlate(u) if len(u) else np.zeros((len(self._y), u.shape[1]))
        theta = np.asfortranarray(self._root[:, None] * (self._y[:, None] - fitted))
        return ProxBatch(u, theta, -self._removed @ u, None, steps)

    def stand_at(self, u: np.ndarray, free: np.ndarray | None, eta: np.ndarray | None) -> None:
        """Go on from coefficients of the first columns of the working set; the others are 0."""
        self._u = np.zeros(len(self.features))
        self._u[: len(u)] = u
