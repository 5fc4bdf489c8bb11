"""The restricted problem of a smooth loss: every fit of a path, on one working set, by prox-Newton steps."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from shrinkage import _core
from shrinkage.design import BlockDesign
from shrinkage.losses import JointLoss
from shrinkage.problem import Problem, explained_or, held_out_deviance, is_kinked
from shrinkage.solvers._crew import Crew
from shrinkage.solvers._growing import Columns
from shrinkage.solvers._native_losses import native_fit
from shrinkage.solvers._rounding import SEPARABLE

_CONSTANT = 1e-13  # of its mean: a column that varies less is constant
WORTH_A_CREW = 1_000_000  # multiply-adds of one product for each strength that outweigh the start of a thread


@dataclass
class Batch:
    """Restricted solutions of a run of strengths for every fit; columns are fit-major (fit * n_strengths + t)."""

    coefs: np.ndarray  # (size of the working set, n_fits * n_strengths)
    theta: np.ndarray  # (n_samples, n_fits * n_strengths): X.T @ theta are the correlations
    eta: np.ndarray  # (n_samples, n_fits * n_strengths): linear predictors, on held-out rows too
    free: np.ndarray  # (n_free + intercept, n_fits * n_strengths), for columns measured from their means
    objectives: np.ndarray  # (n_fits, n_strengths)
    supports: np.ndarray  # (n_fits, n_strengths)
    steps: np.ndarray  # (n_fits, n_strengths)
    intercept: np.ndarray  # (n_strengths,) of the first fit
    free_coefs: np.ndarray  # (n_free, n_strengths) of the first fit


class NewtonFits:
    """All rows, and the training rows of each fold, as row weights on a shared working set.

    Dense columns are kept measured from their weighted means, which makes large offsets harmless; sparse ones as they
    are.

    Parameters
    ----------
    problem : Problem with a loss that `has_native` knows, but the squared
    fit_weights : ndarray of shape (n_samples, n_fits)
        Row weights of each fit, each column summing to 1; the first is the full data.
    l1_weights, l2_weights : ndarray of shape (n_features, n_fits)
        Weights of |w_j| and w_j**2 / 2; an l1 weight of 0 marks a free column.
    tol : float
        Largest relative duality gap wanted.
    """

    def __init__(self, problem: Problem, fit_weights: np.ndarray, l1_weights, l2_weights, tol: float):
        self._problem, self._design = problem, problem.design
        self._l1, self.l2_weights = l1_weights, l2_weights
        self._tol = max(min(1e-6, tol), 1e-14)
        self._weights = np.asfortranarray(fit_weights, dtype=np.float64)
        n, p = problem.design.shape
        # Where a constant changes nothing, columns may be moved as if there were an intercept.
        joint = isinstance(problem.loss, JointLoss)
        center = self._weights[:, 0] if problem.fit_intercept or joint else None
        self._columns = (
            _SparseColumns(problem.design) if problem.design.is_sparse else _DenseColumns(problem.design, center, p)
        )
        Q, self._to_raw = problem.free_block
        self._free = np.asfortranarray(Q)
        intercept_only = problem.fit_intercept and Q.shape[1] == 1
        # With an offset Newton starts at the null model: from far out in flat or steep tails it finds no way.
        self._from_null = problem.offset is not None or problem.loss.name != "logistic"
        offset = np.ascontiguousarray(problem.null.eta) if self._from_null else None
        make = native_fit(problem.loss)
        y = np.ascontiguousarray(problem.y, dtype=np.float64)
        self.n_fits = self._weights.shape[1]
        # newcomers that a batch may bring, per feature of the support: sparse ones cost little
        self.appetite = 0.5 if self.n_fits > 1 else 3.0 if problem.design.is_sparse else 1.0
        self._fits = [make(y, self._weights[:, f], offset, self._free, intercept_only) for f in range(self.n_fits)]
        null = np.array([fit.null_objective for fit in self._fits])
        loss: Any = problem.loss
        if is_kinked(loss):  # errors have the unit of y, and no smallest size
            whole = np.zeros(n) if problem.offset is None else problem.offset
            self.null_objectives = explained_or(null, self._weights.T @ loss.value(problem.y, whole))
        else:  # below: the free columns separate the classes
            self.null_objectives = np.where(null > SEPARABLE, null, 0.0)
        self.features = np.zeros(0, np.int64)
        self.tops = np.full(self.n_fits, np.inf)  # strength from which on a fit is its null model
        self._own_l1: list[np.ndarray] = [np.zeros(0)] * self.n_fits
        self._own_l2: list[np.ndarray] = [np.zeros(0)] * self.n_fits

    def null_theta(self) -> np.ndarray:
        """(n_samples, n_fits) dual points of the null models: X.T @ theta are their correlations."""
        theta = np.empty(self._weights.shape, order="F")
        for f, fit in enumerate(self._fits):
            fit.dual_point(theta[:, f])
        return theta

    def grow(self, features: np.ndarray) -> None:
        """Append features to the working set."""
        self._columns.grow(features)
        self.features = np.concatenate([self.features, features])
        for f in range(self.n_fits):
            self._own_l1[f] = np.concatenate([self._own_l1[f], self._l1[features, f]])
            self._own_l2[f] = np.concatenate([self._own_l2[f], self.l2_weights[features, f]])

    def solve(self, strengths: np.ndarray, ridges: np.ndarray) -> Batch:
        """Minimize every fit at every strength on the working set, each warm-started from where it stands."""
        n, count, size, n_fits = self._design.shape[0], len(strengths), len(self.features), self.n_fits
        coefs, theta, eta, free = (
            np.empty((rows, n_fits * count), order="F") for rows in (size, n, n, self._free.shape[1])
        )
        objectives = np.empty((n_fits, count))
        supports, steps = np.zeros((n_fits, count), np.int32), np.zeros((n_fits, count), np.int32)
        strengths, ridges = np.ascontiguousarray(strengths), np.ascontiguousarray(ridges)
        columns = self._columns.view()

        def solve_one(f: int) -> None:
            own = slice(f * count, (f + 1) * count)
            self._fits[f].solve(
                columns, self._own_l1[f], self._own_l2[f], strengths, ridges, self._tol,
                coefs[:, own], theta[:, own], eta[:, own], free[:, own], objectives[f], supports[f], steps[f],
            )  # fmt: skip
            empty = strengths >= self.tops[f]  # alpha_max is rounded, and the solver may see a trace of a coefficient
            coefs[:, own][:, empty] = 0.0
            objectives[f, empty], supports[f, empty] = self._fits[f].null_objective, 0

        with Crew(n_fits if n * size * count >= WORTH_A_CREW else 1) as crew:
            crew.each(solve_one, range(n_fits))
        raw = self._to_raw @ free[:, :count]
        first = int(self._problem.fit_intercept)
        if self._from_null:
            null = self._problem.null
            raw += np.concatenate([[null.intercept] * first, null.coef_free])[:, None]
        intercepts = raw[0] - self._columns.means @ coefs[:, :count] if first else np.zeros(count)
        return Batch(coefs, theta, eta, free, objectives, supports, steps, intercepts, raw[first:])

    def gaps(self, batch: Batch, strengths, ridges, max_ratio, conjugate) -> np.ndarray:
        """(n_fits, n_strengths) duality gaps in the objective's unit, from what a scan of X read off theta.

        Without a ridge theta is scaled into the dual domain by min(1, strength / max_ratio); with one it is there.
        """
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

    def rewind(self, batch: Batch, t: int, strengths, ridges) -> None:
        """Stand every fit at strength t of a batch; the working set may have grown since."""
        count, columns = len(strengths), self._columns.view()
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

    def predictors(self, batch: Batch, fold: int, rows: np.ndarray) -> np.ndarray:
        """(len(rows), n_strengths) linear predictors of fit `fold`."""
        count = batch.objectives.shape[1]
        return batch.eta[rows, fold * count : (fold + 1) * count]

    def held_out(self, batch: Batch, fold: int, rows: np.ndarray) -> np.ndarray:
        """(n_strengths,) weighted mean deviances of fit `fold` on rows that it has not seen."""
        count = batch.objectives.shape[1]
        weights, loss = self._problem.sample_weight, self._problem.loss
        if isinstance(loss, JointLoss):
            train = np.flatnonzero(self._weights[:, fold])
            eta = batch.eta[:, fold * count : (fold + 1) * count]
            return held_out_deviance(loss, self._problem.y, eta, weights, train, rows)
        shares = np.ones(len(rows)) if weights is None else np.asarray(weights[rows], dtype=np.float64)
        means = np.empty(count)
        eta = batch.eta[:, fold * count : (fold + 1) * count]
        self._fits[fold].deviances(eta, np.ascontiguousarray(rows, dtype=np.int64), shares / shares.sum(), means)
        return means


class _WorkingColumns(Protocol):
    """The columns of the working set as the core reads them, and the means that were taken off."""

    means: np.ndarray

    def grow(self, features: np.ndarray) -> None: ...
    def view(self) -> _core.Columns: ...


class _DenseColumns:
    """Columns gathered once, measured from their means under the weights `center` (None: as they are)."""

    def __init__(self, design, center: np.ndarray | None, p: int):
        n = design.shape[0]
        self._design, self._center = design, center
        self._columns = Columns(n, min(p, max(256, 4 * min(n, p))), on_disk=isinstance(design, BlockDesign))
        self.means = np.zeros(0)

    def grow(self, features: np.ndarray) -> None:
        new = self._columns.append(len(features))
        self._design.gather(features, np.zeros(len(features)), None, new)
        self.means = np.concatenate([self.means, _center(new, self._center)])

    def view(self) -> _core.Columns:
        return _core.Columns.dense(self._columns.values)


class _SparseColumns:
    """Compressed columns, picked out of the design's own."""

    def __init__(self, design):
        self._starts, self._rows, self._values = design.csc()
        self._n = design.shape[0]
        self._own: tuple[np.ndarray, ...] = (np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0))
        self.means = np.zeros(0)

    def grow(self, features: np.ndarray) -> None:
        counts = self._starts[features + 1] - self._starts[features]
        ends = np.cumsum(counts)
        at = np.arange(ends[-1] if len(ends) else 0) + np.repeat(self._starts[features] - (ends - counts), counts)
        starts, rows, values = self._own
        self._own = (
            np.concatenate([starts, starts[-1] + ends]),
            np.concatenate([rows, self._rows[at].astype(np.int32, copy=False)]),
            np.concatenate([values, self._values[at].astype(np.float64, copy=False)]),
        )
        self.means = np.zeros(len(self._own[0]) - 1)

    def view(self) -> _core.Columns:
        return _core.Columns.compressed(self._n, *self._own)


def _center(columns: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Take weighted means off columns in place and return them; without weights, leave all as it is.

    What rounding leaves of a constant column is taken off as well: it is no direction to move in.
    """
    if weights is None or not columns.shape[1]:
        return np.zeros(columns.shape[1])
    means = weights @ columns
    columns -= means
    columns[:, np.einsum("i,ij,ij->j", weights, columns, columns) <= (_CONSTANT * means) ** 2] = 0.0
    return means
