"""What folds share: the sides of the problem that all see, and the columns of X that one of them has asked for."""

from threading import Lock

import numpy as np

from shrinkage import _core
from shrinkage.problem import Problem
from shrinkage.solvers._growing import Columns


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
    """Root-weighted columns of X that some fold has asked for, side by side."""

    def __init__(self, problem: Problem, sides: Sides):
        n, p = problem.design.shape
        self._design, self._sides = problem.design, sides
        self._growing = Lock()
        self._likely = min(p, max(256, 4 * min(n, p)))
        self.clear()

    def clear(self) -> None:
        """Forget all columns."""
        n, p = self._design.shape
        self.place, self.columns = np.full(p, -1), Columns(n, self._likely)

    def keep_within(self, size: int) -> None:
        """Forget everything if the columns take more bytes than that."""
        if 8 * self.columns.rows * self.columns.size > size:
            self.clear()

    def grow(self, features: np.ndarray) -> None:
        """Take in what is new among the features."""
        with self._growing:
            features = features[self.place[features] < 0]
            if not len(features):
                return
            first = self.columns.size
            self._gather(features, self.columns.append(len(features)))
            self.place[features] = first + np.arange(len(features))  # now others may read them

    def _gather(self, features: np.ndarray, out: np.ndarray) -> None:
        root = None if self._sides.unit else self._sides.root
        self._design.gather(features, np.zeros(len(features)), root, out)

    def block(self, rows: np.ndarray, features: np.ndarray) -> np.ndarray:
        """(len(rows), k) some rows of columns, which need not be here."""
        places = self.place[features]
        source, known = self.columns.values, bool((places >= 0).all())
        if not known:
            source, places = np.empty((self.columns.rows, len(features)), order="F"), np.arange(len(features))
            self._gather(features, source)
        out = np.empty((len(rows), len(features)), order="F")
        _core.pick_block(source, rows, places, out)
        return out
