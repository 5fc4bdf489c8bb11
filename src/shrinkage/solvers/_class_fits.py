"""The restricted problem of several classes: every fit of a path, on one working set, by prox-Newton steps."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkage import _core
from shrinkage.losses import Multinomial
from shrinkage.problem import MultinomialProblem
from shrinkage.solvers._crew import Crew
from shrinkage.solvers._newton import WORTH_A_CREW, _DenseColumns, _SparseColumns


@dataclass
class ClassBatch:
    """Restricted solutions of a run of strengths for every fit; columns are fit-major (fit * n_strengths + t)."""

    coefs: np.ndarray  # (size of the working set * K, n_fits * n_strengths): class by class of each feature
    theta: np.ndarray  # (K n_samples, n_fits * n_strengths): rows of class after class
    eta: np.ndarray  # (K n_samples, n_fits * n_strengths): linear predictors, on held-out rows too
    free: np.ndarray  # (n_free_block * K, n_fits * n_strengths)
    objectives: np.ndarray  # (n_fits, n_strengths)
    supports: np.ndarray  # (n_fits, n_strengths) features in some class
    steps: np.ndarray  # (n_fits, n_strengths)
    intercept: np.ndarray  # (K, n_strengths) of the first fit
    free_coefs: np.ndarray  # (K * n_free, n_strengths) of the first fit, class after class


class ClassFits:
    """All rows, and the training rows of each fold, as row weights on a shared working set of features.

    A feature of the working set is K columns of the core, one for each class.

    Parameters
    ----------
    problem : MultinomialProblem
    fit_weights : ndarray of shape (n_samples, n_fits)
        Row weights of each fit, each column summing to 1; the first is the full data.
    l1_weights, l2_weights : ndarray of shape (n_features, n_fits)
    tol : float
    score : str
        A key of `CLASS_SCORES`.
    """

    def __init__(
        self, problem: MultinomialProblem, fit_weights: np.ndarray, l1_weights, l2_weights, tol: float, score: str
    ):
        self.problem, self.n_classes, self._score = problem, problem.n_classes, CLASS_SCORES[score]
        self._l1, self.l2_weights = l1_weights, l2_weights
        self._tol = max(min(1e-6, tol), 1e-14)
        self.weights = np.asfortranarray(fit_weights, dtype=np.float64)
        center = self.weights[:, 0] if problem.fit_intercept else None
        design: Any = problem.design
        self._columns = _SparseColumns(design) if design.is_sparse else _DenseColumns(design, center, design.shape[1])
        Q, self._to_raw = problem.free_block
        self._free = in_every_class(Q, self.n_classes)
        self.n_fits = self.weights.shape[1]
        self.appetite = 1.0 if self.n_fits == 1 else 0.5
        only = problem.fit_intercept and Q.shape[1] == 1
        y, offset = (np.ascontiguousarray(rows.T).ravel() for rows in (problem.y, problem.null.eta))
        self._fits = [
            _core.MultinomialFit(
                self.n_classes, y, np.tile(self.weights[:, f], self.n_classes), offset, self._free, only
            )
            for f in range(self.n_fits)
        ]
        null = np.array([fit.null_objective for fit in self._fits])
        self.null_objectives = np.where(null > 1e-10, null, 0.0)
        self.features = np.zeros(0, np.int64)
        self.tops = np.full(self.n_fits, np.inf)  # strength from which on a fit is its null model
        self._own_l1: list[np.ndarray] = [np.zeros(0)] * self.n_fits
        self._own_l2: list[np.ndarray] = [np.zeros(0)] * self.n_fits

    def null_theta(self) -> np.ndarray:
        """(n_samples, n_fits * K) dual points of the null models, classes fastest."""
        theta = np.empty((self.n_classes * len(self.weights), self.n_fits), order="F")
        for f, fit in enumerate(self._fits):
            fit.dual_point(theta[:, f])
        return self.by_class(theta)

    def by_class(self, rows: np.ndarray) -> np.ndarray:
        """The same numbers with a column for each class: (n_samples, k K)."""
        return rows.reshape((len(self.weights), -1), order="F")

    def grow(self, features: np.ndarray) -> None:
        """Append features to the working set."""
        self._columns.grow(features)
        self.features = np.concatenate([self.features, features])
        for f in range(self.n_fits):
            l1, l2 = (np.repeat(weights[features, f], self.n_classes) for weights in (self._l1, self.l2_weights))
            self._own_l1[f] = np.concatenate([self._own_l1[f], l1])
            self._own_l2[f] = np.concatenate([self._own_l2[f], l2])

    def solve(self, strengths: np.ndarray, ridges: np.ndarray) -> ClassBatch:
        """Minimize every fit at every strength on the working set, each warm-started from where it stands."""
        K, n, count = self.n_classes, len(self.weights), len(strengths)
        size = len(self.features) * K
        coefs, theta, eta, free = (
            np.empty((rows, self.n_fits * count), order="F") for rows in (size, K * n, K * n, self._free.shape[1])
        )
        objectives = np.empty((self.n_fits, count))
        supports, steps = np.zeros((self.n_fits, count), np.int32), np.zeros((self.n_fits, count), np.int32)
        strengths, ridges = np.ascontiguousarray(strengths), np.ascontiguousarray(ridges)
        columns = self._columns.view().for_classes(K)

        def solve_one(f: int) -> None:
            own = slice(f * count, (f + 1) * count)
            self._fits[f].solve(
                columns, self._own_l1[f], self._own_l2[f], strengths, ridges, self._tol,
                coefs[:, own], theta[:, own], eta[:, own], free[:, own], objectives[f], supports[f], steps[f],
            )  # fmt: skip
            empty = strengths >= self.tops[f]  # alpha_max is rounded, and the solver may see a trace of a coefficient
            coefs[:, own][:, empty] = 0.0
            objectives[f, empty] = self._fits[f].null_objective

        with Crew(self.n_fits if n * size * count >= WORTH_A_CREW else 1) as crew:
            crew.each(solve_one, range(self.n_fits))
        present = coefs.reshape((K, -1, self.n_fits, count), order="F").any(axis=0)
        intercept, free_coefs = self._raw(free[:, :count], coefs[:, :count])
        return ClassBatch(coefs, theta, eta, free, objectives, present.sum(axis=0), steps, intercept, free_coefs)

    def _raw(self, free: np.ndarray, coefs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Intercepts (K, n_strengths) and free coefficients (K n_free, n_strengths), centered over the classes."""
        K, null, first = self.n_classes, self.problem.null, int(self.problem.fit_intercept)
        raw = np.einsum("qr,rkt->qkt", self._to_raw, free.reshape((-1, K, free.shape[1])))
        base: Any = null.intercept
        raw += np.concatenate([np.reshape(base, (1, K))[:first], null.coef_free])[:, :, None]
        if first:
            raw[0] -= np.einsum("j,jkt->kt", self._columns.means, coefs.reshape((-1, K, coefs.shape[1])))
        raw -= raw.mean(axis=1, keepdims=True)
        intercept = raw[0] if first else np.zeros((K, free.shape[1]))
        return intercept, raw[first:].transpose(1, 0, 2).reshape((-1, free.shape[1]))

    def gaps(self, batch: ClassBatch, strengths, ridges, max_ratio, conjugate) -> np.ndarray:
        """(n_fits, n_strengths) duality gaps, as `NewtonFits.gaps`."""
        count = len(strengths)
        scale, duals = np.ones((self.n_fits, count)), np.empty((self.n_fits, count))
        penalty = 0.0
        if conjugate is None:
            scale = np.where(max_ratio > strengths, strengths / np.where(max_ratio > 0, max_ratio, 1.0), 1.0)
        else:
            penalty = conjugate / (2 * ridges)
        for f, fit in enumerate(self._fits):
            own = slice(f * count, (f + 1) * count)
            fit.duals(batch.theta[:, own], np.ascontiguousarray(scale[f]), duals[f])
        return batch.objectives - (duals - penalty)

    def rewind(self, batch: ClassBatch, t: int, strengths, ridges) -> None:
        """Stand every fit at strength t of a batch; the working set may have grown since."""
        count, columns = len(strengths), self._columns.view().for_classes(self.n_classes)
        for f, fit in enumerate(self._fits):
            at = f * count + t
            fit.stand_at(
                columns, self._own_l1[f], self._own_l2[f],
                batch.coefs[:, at], batch.free[:, at], batch.eta[:, at], float(strengths[t]),
            )  # fmt: skip

    def reset(self) -> None:
        """Stand every fit at its null model."""
        for fit in self._fits:
            fit.reset()

    def tighten(self) -> bool:
        """Solve more exactly from now on; False when there is nothing left to gain."""
        if self._tol <= 1e-14:
            return False
        self._tol = max(self._tol / 10, 1e-14)
        return True

    def held_out(self, batch: ClassBatch, fold: int, rows: np.ndarray) -> np.ndarray:
        """(n_strengths,) scores of fit `fold` on rows that it has not seen."""
        count = batch.objectives.shape[1]
        eta = batch.eta[:, fold * count : (fold + 1) * count].reshape(
            (len(self.weights), self.n_classes, count), order="F"
        )
        return self._score(self.problem, eta, rows)


def in_every_class(Q: np.ndarray, n_classes: int) -> np.ndarray:
    """Columns (n_samples, r) as (K n_samples, r K): each in the rows of each class, classes fastest."""
    n, r = Q.shape
    out = np.zeros((n_classes * n, r * n_classes), order="F")
    for k in range(n_classes):
        out[k * n : (k + 1) * n, k::n_classes] = Q
    return out


def mean_deviances(problem: MultinomialProblem, eta: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(k,) weighted mean deviances on some rows, of linear predictors (n_samples, K, k)."""
    return Multinomial().deviance(problem.y[rows], eta[rows].transpose(2, 0, 1)) @ _shares(problem, rows)


def accuracies(problem: MultinomialProblem, eta: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(k,) weighted shares of some rows whose class has the largest predictor; arguments as `mean_deviances`."""
    right = eta[rows].argmax(axis=1) == problem.y[rows].argmax(axis=1)[:, None]
    return _shares(problem, rows) @ right


def _shares(problem: MultinomialProblem, rows: np.ndarray) -> np.ndarray:
    weights = np.ones(len(rows)) if problem.sample_weight is None else problem.sample_weight[rows]
    return weights / weights.sum()


CLASS_SCORES = {"deviance": mean_deviances, "accuracy": accuracies}
"""What rows held out say of a fit, by the name that `score=` takes."""
