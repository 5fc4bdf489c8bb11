"""The restricted problem of several classes whose coefficients have bounds."""

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from shrinkage.penalties import Box
from shrinkage.problem import MultinomialProblem, held_by_one_bound, without_bounds
from shrinkage.solvers._bounded import bounds_of, duals_of
from shrinkage.solvers._class_fits import ClassBatch, ClassFits
from shrinkage.solvers._records import FoldColumns


class BoundedClassFits(ClassFits):
    """`ClassFits` of a problem with a `Box`: bounds of a feature are those of its coefficients in every class."""

    def __init__(
        self, problem: MultinomialProblem, fit_weights: np.ndarray, l1_weights, l2_weights, tol: float, score: str
    ):
        super().__init__(problem, fit_weights, l1_weights, l2_weights, tol, score)
        self._lower, self._upper = bounds_of(problem)

    def grow(self, features: np.ndarray) -> None:
        """Append features, with their bounds, to the working set."""
        super().grow(features)
        lower, upper = (np.repeat(bound[self.features], self.n_classes) for bound in (self._lower, self._upper))
        for fit in self._fits:
            fit.bound(lower, upper)

    def gaps(self, batch: ClassBatch, strengths, ridges, max_ratio, conjugate) -> np.ndarray:
        """(n_fits, n_strengths) duality gaps: what the driver found with `duals` or by the problem itself."""
        return max_ratio

    def duals(self, batch: ClassBatch, scales: np.ndarray, conjugates: np.ndarray) -> np.ndarray:
        """(n_fits, n_strengths) dual objectives at multiples of the dual points, with the conjugates of the penalty."""
        return duals_of(self._fits, batch, scales) - conjugates

    def problem_of(self, fit: int, scale: np.ndarray) -> MultinomialProblem:
        """The problem of one fit: its rows, and its scale of the columns."""
        return self.problem.with_rows(self.weights[:, fit].copy(), scale)

    def raw(self, batch: ClassBatch, fit: int, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (K n_features, len(places)) and intercepts (K, len(places)) of one fit at some strengths."""
        own, K, p = fit * batch.objectives.shape[1] + places, self.n_classes, self.problem.design.shape[1]
        levels, free = self._raw(batch.free[:, own], batch.coefs[:, own])
        coefs = np.zeros((K, p, len(places)))
        coefs[:, self.features] = batch.coefs[:, own].reshape((-1, K, len(places))).transpose(1, 0, 2)
        coefs[:, self.problem.free] = free.reshape((K, -1, len(places)))
        return coefs.reshape((K * p, -1)), levels


def loose_features(problem: MultinomialProblem) -> np.ndarray:
    """Features that nothing but a bound on one side holds."""
    if not isinstance(problem.penalty, Box):
        return np.zeros(0, np.int64)
    return np.flatnonzero(held_by_one_bound(problem.penalty, problem.design.shape[1]))


def freed(problem: MultinomialProblem, features: np.ndarray) -> MultinomialProblem:
    """The problem without the bounds of some features."""
    where = np.zeros(problem.design.shape[1], bool)
    where[features] = True
    return replace(problem, penalty=without_bounds(problem.penalty, where))


def shifted_into_bounds(found: FoldColumns, problem: MultinomialProblem, features: np.ndarray) -> FoldColumns:
    """The same fits with some features, which have one bound, in it: a number added in all classes changes no fit."""
    p, K = problem.design.shape[1], problem.n_classes
    coefs: Any = sparse.lil_array(found.path.coefs)
    lower, upper = bounds_of(problem)
    for j in features:
        rows = j + p * np.arange(K)
        W = coefs[rows].toarray()
        W += np.maximum(lower[j] - W.min(axis=0), 0.0) - np.maximum(W.max(axis=0) - upper[j], 0.0)
        coefs[rows] = np.clip(W, lower[j], upper[j])
    return replace(found, path=replace(found.path, coefs=sparse.csc_array(coefs)))
