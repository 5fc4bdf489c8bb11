"""What folds share: the sides of the problem that all see, and the columns of X that one of them has asked for."""

import threading

import numpy as np

from shrinkage.problem import Problem
from shrinkage.solvers._growing import Columns, Square
from shrinkage.solvers._squared import FitRows


class Sides:
    """What all fits see beside X: root weights, y measured from the null model, the unpenalized columns."""

    def __init__(self, problem: Problem, weights: np.ndarray):
        self.weights, self.root = weights, np.sqrt(weights)
        self.unit = problem.sample_weight is None
        self.y = self.root * (problem.y - problem.null.eta)
        self.start = self.root * (problem.y if problem.offset is None else problem.y - problem.offset)
        Q, _ = problem.free_block
        self.unpenalized = self.root[:, None] * Q


class SharedColumns:
    """Columns of X that some fold has asked for, root-weighted and projected, and their Gram matrix."""

    def __init__(self, problem: Problem, sides: Sides):
        n, p = problem.design.shape
        self._design, self._sides = problem.design, sides
        self._full = FitRows(np.ones(n, bool), sides.weights, sides.unpenalized, sides.y, sides.start, p)
        self._likely = min(p, max(256, 4 * min(n, p)))
        self._scratch = threading.local()  # members are solved on several threads
        self.clear()

    def clear(self) -> None:
        n, p = self._design.shape
        self.place = np.full(p, -1)
        self.columns, self.gram = Columns(n, self._likely), Square(self._likely)

    def keep_within(self, size: int) -> None:
        """Forget everything if the Gram matrix takes more bytes than that."""
        if 8 * self.gram.size**2 > size:
            self.clear()

    def grow(self, features: np.ndarray) -> None:
        """Take in what is new among the features."""
        features = features[self.place[features] < 0]
        if not len(features):
            return
        self.place[features] = self.columns.size + np.arange(len(features))
        new = self.columns.append(len(features))
        self.gather(features, new)
        for _ in range(2):  # a large column mean leaves rounding behind: project twice
            new -= self._full.unpenalized @ self._full.explain(new)
        self.gram.extend(self.columns.values)

    def gather(self, features: np.ndarray, out: np.ndarray) -> None:
        """Root-weighted columns as they are."""
        root = None if self._sides.unit else self._sides.root
        self._design.gather(features, np.zeros(len(features)), root, out)

    def pick(self, places: np.ndarray) -> np.ndarray:
        """(n_samples, k) columns, column-major; they stand until this thread's next pick."""
        rows = self._room(len(places))
        np.take(self.columns.values.T, places, axis=0, out=rows, mode="clip")
        return rows.T

    def _room(self, count: int) -> np.ndarray:
        rows = getattr(self._scratch, "rows", None)
        if rows is None or count > len(rows):
            size = count if rows is None else max(count, 2 * len(rows))
            rows = self._scratch.rows = np.empty((size, self._design.shape[0]))
        return rows[:count]

    def block(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """G[rows, columns], column-major."""
        return np.take(self.gram.values.T[columns], rows, axis=1).T

    def columns_of(self, features: np.ndarray) -> np.ndarray:
        """Columns for products with residuals, which are orthogonal to all that a projection takes off."""
        places = self.place[features]
        if (places >= 0).all():
            return self.pick(places)
        known = places >= 0
        rows, rest = self._room(len(features)), np.empty((self._design.shape[0], int((~known).sum())), order="F")
        self.gather(features[~known], rest)
        rows[known], rows[~known] = self.columns.values.T[places[known]], rest.T
        return rows.T
