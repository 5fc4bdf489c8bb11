"""The restricted problem of the squared loss on a sparse X: columns stay sparse, centering is algebra."""

from typing import Any

import numpy as np

from shrinkage import _core
from shrinkage.problem import Problem
from shrinkage.solvers._growing import Columns, Square
from shrinkage.solvers._sparse_descent import (
    LARGEST_GRAM,
    PATIENT_SWEEPS,
    SparseDescent,
    all_columns_pay,
    descent_pays,
    sweeps_worth,
)
from shrinkage.solvers._squared import Batch, FitRows, dual_points, penalty_values, raw_free_coefs, squared_gaps


class SparseFits:
    """All rows, and the training rows of each fold, as fits that share a working set of sparse columns.

    Everything is measured with the root of the sample weight. A fit's columns are those of X on its rows, less what its
    intercept and free columns explain of them; that part is kept as coefficients of an orthonormal basis Q, a few
    numbers for each column, and enters as H = X'X / S - (Q'X)'(Q'X) / S.

    Parameters
    ----------
    problem : Problem with a squared loss and a sparse design
    training : list of boolean arrays of shape (n_samples,)
        The rows of each fit; the first is the full data.
    l1_weights, l2_weights : ndarray of shape (n_features, n_fits)
        Weights of |w_j| and w_j**2 / 2; an l1 weight of 0 marks a free column.
    tol : float
        Largest relative duality gap wanted.
    """

    def __init__(self, problem: Problem, training: list[np.ndarray], l1_weights, l2_weights, tol: float):
        design: Any = problem.design
        self._problem, self._design = problem, design
        n, p = design.shape
        self._compressed: Any = design.csc()
        self._l1, self.l2_weights = l1_weights, l2_weights
        self._tol, self._gap = float(np.clip(tol / 10, 1e-13, 1e-9)), max(tol / 2, 1e-14)
        self._unit = problem.sample_weight is None
        weights = np.ones(n) if problem.sample_weight is None else problem.sample_weight
        self._root = np.sqrt(weights)
        self._y = self._root * (problem.y - problem.null.eta)
        self._targets = problem.y
        start = self._root * (problem.y if problem.offset is None else problem.y - problem.offset)
        Q, self._to_raw = problem.free_block
        unpenalized = self._root[:, None] * Q
        likely = min(p, max(256, 4 * min(n, p)))
        penalized = [int(np.count_nonzero(l1)) for l1 in l1_weights.T]
        self._fits = [
            _SparseFit(mask, weights, unpenalized, self._y, start, count, likely)
            for mask, count in zip(training, penalized, strict=True)
        ]
        if problem.null.objective == 0:
            for fit in self._fits:
                fit.y[:], fit.null_objective = 0.0, 0.0
        self.n_fits = len(self._fits)
        self.appetite = 2.0 if self.n_fits == 1 else 0.5
        self.null_objectives = np.array([fit.null_objective for fit in self._fits])
        self.features = np.zeros(0, np.int64)
        self.tops = np.full(self.n_fits, np.inf)  # strength from which on a fit is its null model
        self._descents: list[SparseDescent] | None = None
        self._may_descend, self._holds_all, self._support, self._supported = True, False, 0, 0
        self._stands: list[tuple | None] = [
            None
        ] * self.n_fits  # where each fit stands: features, coefficients, strength

    def null_theta(self) -> np.ndarray:
        """(n_samples, n_fits) root-weighted residuals of the null models over S: X.T @ theta are their correlations."""
        return np.asfortranarray(np.stack([self._root * fit.y / fit.total for fit in self._fits], axis=1))

    def grow(self, features: np.ndarray) -> None:
        """Append features to the working set; the cost is one product of the new columns with all."""
        self.features = np.concatenate([self.features, features])
        if self._descents is None:
            self._grow_gram(features)

    def _grow_gram(self, features: np.ndarray) -> None:
        for f, fit in enumerate(self._fits):
            fit.weigh(self._l1[features, f], self.l2_weights[features, f])
            block = self._design.gram(self.features, features, fit.weights)
            sides = self._root[:, None] * np.column_stack([fit.basis, fit.y])
            products = self._design.correlate_some(features, sides)
            fit.grow(block, products[:, :-1].T, products[:, -1])

    def takes_all(self) -> bool:
        """Whether the fits choose among all columns by themselves: descent does, which begins here where it pays."""
        if self._descents is None and self._may_descend and self._descent_pays():
            self._begin_descent()
        elif self._descents is not None and not self._holds_all and self._all_columns_pay():
            self._holds_all, rest = True, np.flatnonzero((self._l1 > 0).any(axis=1))
            for descent in self._descents:
                descent.grow(rest)
        return self.holds_all

    @property
    def holds_all(self) -> bool:
        """Whether descent goes to all columns: what one violates is what sweeps have left, not a column missed."""
        return self._descents is not None and self._holds_all

    def solve(self, strengths: np.ndarray, ridges: np.ndarray) -> Batch:
        """Minimize every fit at every strength on the working set, each warm-started from where it stands."""
        count, n_fits = len(strengths), self.n_fits
        steps = np.zeros((n_fits, count), np.int32)
        self.takes_all()
        coefs = self._descend(strengths, ridges, steps) if self._descents is not None else None
        if coefs is None:
            coefs = self._solve_exactly(strengths, ridges, steps)
        last = coefs[:, count - 1 :: count] != 0
        self._support = int(last.sum(axis=0).max(initial=0))
        self._supported = self._stored(self.features[: len(last)][last.any(axis=1)])
        fitted = self._design.combine(self.features, coefs)
        if not self._unit:
            fitted *= self._root[:, None]
        theta, squares, agreement = dual_points(self._fits, fitted, None if self._unit else self._root)
        penalties = penalty_values(coefs, strengths, ridges, self._l1[self.features], self.l2_weights[self.features])
        free = self._fits[0].explain(self._y[:, None] - fitted[:, :count])
        intercepts, free_coefs = raw_free_coefs(self._problem, self._to_raw @ free)
        return Batch(
            coefs,
            theta,
            squares / 2 + penalties,
            np.count_nonzero(coefs, axis=0).reshape(n_fits, count),
            steps,
            intercepts,
            free_coefs,
            fitted,
            squares,
            agreement,
        )

    def _solve_exactly(self, strengths, ridges, steps) -> np.ndarray:
        count = len(strengths)
        coefs = np.empty((len(self.features), self.n_fits * count), order="F")
        for f, fit in enumerate(self._fits):
            into = coefs[:, f * count : (f + 1) * count]
            fit.solve(strengths, ridges, self._tol, into, steps[f])
            self._stands[f] = self.features, into[:, -1].copy(), float(strengths[-1])
        return coefs

    def _descent_pays(self) -> bool:
        return descent_pays(self._support, self._stored(self.features), len(self._y))

    def _stored(self, features: np.ndarray) -> int:
        starts = self._compressed[0]
        return int((starts[features + 1] - starts[features]).sum())

    def _all_columns_pay(self) -> bool:
        return all_columns_pay(int(self._compressed[0][-1]) * self.n_fits, self._stored(self.features))

    def _begin_descent(self) -> None:
        """Hand over to coordinate descent from here on, on all columns where that costs little."""
        self._descents = [
            SparseDescent(
                self._compressed,
                np.sqrt(fit.weights / fit.total),
                fit.basis,
                fit.y / np.sqrt(fit.total),
                self._l1[:, f],
                self.l2_weights[:, f],
            )
            for f, fit in enumerate(self._fits)
        ]
        self._holds_all = everything = self._all_columns_pay()
        rest = np.flatnonzero((self._l1 > 0).any(axis=1)) if everything else self.features
        for descent, stand in zip(self._descents, self._stands, strict=True):
            descent.grow(self.features)
            descent.grow(rest)
            if stand is not None:
                descent.restart(*stand)
        for fit in self._fits:
            fit.forget()
        self.appetite = 3.0

    def _descend(self, strengths, ridges, steps) -> np.ndarray | None:
        """Coefficients on the working set, which takes in the features that descent found; None if it gave up."""
        assert self._descents is not None  # asked by its only caller
        feasible = 8 * len(self.features) ** 2 * self.n_fits <= LARGEST_GRAM
        at_first, found = sweeps_worth(self._support, self._supported) if feasible else PATIENT_SWEEPS, []
        for f, (fit, descent) in enumerate(zip(self._fits, self._descents, strict=True)):
            descent.grow(self.features)
            gap, most = self._gap * fit.null_objective, at_first
            near, coefs, steps[f], met = descent.solve(strengths, ridges, gap, most)
            while not met and feasible:  # the support has grown since: more may be worth while
                support = near[coefs[:, -1] != 0]
                most, before = sweeps_worth(len(support), self._stored(support)), most
                if most <= before:
                    break
                near, coefs, more, met = descent.solve(strengths, ridges, gap, most)
                steps[f] += more
            if not met and feasible:
                self._end_descent()
                return None
            found.append((near, coefs))
        inside = np.isin(np.concatenate([near for near, _ in found]), self.features, invert=True)
        self.features = np.concatenate([self.features, np.unique(np.concatenate([near for near, _ in found])[inside])])
        place = np.full(self._design.shape[1], -1)
        place[self.features] = np.arange(len(self.features))
        count = len(strengths)
        result = np.zeros((len(self.features), self.n_fits * count), order="F")
        for f, (near, coefs) in enumerate(found):
            result[place[near], f * count : (f + 1) * count] = np.where(strengths < self.tops[f], coefs, 0.0)
        return result

    def _end_descent(self) -> None:
        """Back to the active set, for good: columns so alike that sweeps hardly move."""
        self._descents, self._may_descend = None, False
        self.appetite = 2.0 if self.n_fits == 1 else 0.5
        self._grow_gram(self.features)

    def gaps(self, batch: Batch, strengths, ridges, max_ratio, conjugate) -> np.ndarray:
        """(n_fits, n_strengths) duality gaps in the objective's unit, from what a scan of X read off theta."""
        return squared_gaps(batch, strengths, ridges, max_ratio, conjugate)

    def rewind(self, batch: Batch, t: int, strengths, ridges) -> None:
        """Stand every fit at strength t of a batch; the working set may have grown since."""
        count = len(strengths)
        for f, fit in enumerate(self._fits):
            coef = np.zeros(len(self.features))
            coef[: batch.coefs.shape[0]] = batch.coefs[:, f * count + t]
            self._stands[f] = self.features, coef, float(strengths[t])
            if self._descents is not None:
                self._descents[f].restart(self.features, coef, float(strengths[t]))
            else:
                fit.restart(coef, float(strengths[t]), float(ridges[t]))

    def reset(self) -> None:
        """Stand every fit at its null model."""
        self._stands = [None] * self.n_fits
        for fit in self._fits:
            fit.reset()
        for descent in self._descents or []:
            descent.reset()

    def tighten(self) -> bool:
        """Solve more exactly from now on; False when there is nothing left to gain."""
        if self._tol <= 1e-13 and self._gap <= 1e-14:
            return False
        self._tol, self._gap = max(self._tol / 100, 1e-13), max(self._gap / 10, 1e-14)
        return True

    def held_out(self, batch: Batch, fold: int, rows: np.ndarray) -> np.ndarray:
        """(n_strengths,) weighted mean squared errors of fit `fold` on rows that it has not seen."""
        errors = self._errors(batch, fold, rows)
        return np.einsum("it,it->t", errors, errors) / np.sum(self._root[rows] ** 2)

    def predictors(self, batch: Batch, fold: int, rows: np.ndarray) -> np.ndarray:
        """(len(rows), n_strengths) linear predictors of fit `fold`; y in rows of weight 0, which count for nothing."""
        root = self._root[rows, None]
        errors = self._errors(batch, fold, rows)
        return self._targets[rows, None] - np.divide(errors, root, out=np.zeros_like(errors), where=root > 0)

    def _errors(self, batch: Batch, fold: int, rows: np.ndarray) -> np.ndarray:
        """(len(rows), n_strengths) what fit `fold` leaves of y, root-weighted."""
        count = batch.objectives.shape[1]
        fit = self._fits[fold]
        fitted = batch.fitted[:, fold * count : (fold + 1) * count]
        free = fit.explain(self._y[:, None] - fitted)
        return self._y[rows, None] - fitted[rows] - fit.unpenalized[rows] @ free


class _SparseFit(FitRows):
    """One fit: its rows, what its intercept and free columns explain, its Gram matrix and its active set."""

    def __init__(self, rows, weights, unpenalized, y, start, n_penalized: int, likely: int):
        super().__init__(rows, weights, unpenalized, y, start, n_penalized)
        self.weights, self._likely = np.where(rows, weights, 0.0), likely
        self.forget()

    def forget(self) -> None:
        """Let go of the Gram matrix and all that belongs to it."""
        self._gram, self._explained = Square(min(self._likely, 2048)), Columns(self.basis.shape[1], self._likely)
        self._linear, self._l1, self._l2 = np.zeros(0), np.zeros(0), np.zeros(0)
        self._active: _core.ActiveSet | None = None

    def weigh(self, l1: np.ndarray, l2: np.ndarray) -> None:
        """Append the penalty's weights of new features."""
        self._l1, self._l2 = np.concatenate([self._l1, l1]), np.concatenate([self._l2, l2])

    def grow(self, block: np.ndarray, explained: np.ndarray, linear: np.ndarray) -> None:
        """Append the block of the Gram matrix, and what the basis and y say of the new columns."""
        self._linear = np.concatenate([self._linear, linear / self.total])
        self._gram.append(block)
        self._explained.append(block.shape[1])[:] = explained / np.sqrt(self.total)

    def _quadratic(self) -> tuple[Any, Any, Any, Any, Any, Any]:
        return self._gram.values, 1 / self.total, self._explained.values, self._linear, self._l1, self._l2

    def _started(self, ridge: float) -> _core.ActiveSet:
        if self._active is None:
            self._active = _core.ActiveSet(self.rank)
        self._active.max_support = self.rank if ridge == 0 else 2**31 - 1
        return self._active

    def solve(self, strengths, ridges, tol, coefs, steps) -> None:
        supports = np.zeros(len(strengths), np.int32)
        self._started(ridges[0]).solve(*self._quadratic(), strengths, ridges, tol, coefs, steps, supports)

    def restart(self, coef, strength: float, ridge: float) -> None:
        self._started(ridge).restart(*self._quadratic(), ridge, coef, strength)

    def reset(self) -> None:
        self._active = None
