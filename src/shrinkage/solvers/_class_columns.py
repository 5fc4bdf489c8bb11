"""The penalized columns of a ridge of several classes, in units and from means of their own."""

from typing import Any

import numpy as np
from scipy import sparse

from shrinkage import _core

_IN_MEMORY = 1 << 23
"""Entries up to which sparse columns are spread out."""


class Formed:
    """A as a matrix in memory."""

    def __init__(self, values: np.ndarray):
        self.values, self.shape = values, values.shape
        self.means = np.zeros(values.shape[1])

    def compressed(self) -> None:
        """No columns of the core."""


class ClassColumns:
    """A = (some columns of X) times sizes, measured from their means under `weights` (None: from 0).

    Attributes
    ----------
    values : ndarray of shape (n_samples, m), or None where columns stay compressed
    means : ndarray of shape (m,)
        What the columns are measured from, in their units.
    """

    def __init__(self, design: Any, features: np.ndarray, size: np.ndarray, weights: np.ndarray | None):
        n = design.shape[0]
        self.shape = (n, len(features))
        self.values: np.ndarray | None = None
        if design.is_sparse:
            starts, rows, values = design.csc()
            X = sparse.csc_array((values.astype(np.float64), rows, starts), shape=design.shape)
            self._X: Any = sparse.csc_array(X[:, features] * size)
        if not design.is_sparse:
            self._X = np.empty(self.shape, order="F")
            design.gather(features, np.zeros(len(features)), None, self._X)
            self._X *= size
        elif n * len(features) <= _IN_MEMORY:
            self._X = np.asfortranarray(self._X.toarray())
        self.means = np.zeros(len(features)) if weights is None else self._X.T @ weights
        if isinstance(self._X, np.ndarray):
            self._X -= self.means
            self.values = self._X

    def compressed(self) -> _core.Columns | None:
        """The columns as the core takes them, where they are not in `values`; this object keeps their arrays."""
        if self.values is not None:
            return None
        self._kept = self._X.indptr.astype(np.int64), self._X.indices.astype(np.int32), self._X.data
        return _core.Columns.compressed(self.shape[0], *self._kept)

    def adjoint(self, R: np.ndarray) -> np.ndarray:
        """Aᵀ R."""
        out = self._X.T @ R
        return out if self.values is not None else out - np.outer(self.means, R.sum(axis=0))

    def outer(self) -> np.ndarray:
        """A Aᵀ."""
        G = self._X @ self._X.T
        if self.values is not None:
            return G
        G = G.toarray()
        cross = self._X @ self.means
        return G - cross[:, None] - cross[None, :] + float(self.means @ self.means)
