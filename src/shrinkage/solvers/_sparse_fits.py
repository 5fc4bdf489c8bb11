"""The restricted problem of the squared loss on a sparse X: columns stay sparse, centering is algebra."""

from typing import Any

import numpy as np
from scipy import sparse

from shrinkage import _core
from shrinkage.problem import Problem
from shrinkage.solvers._growing import Columns, Square
from shrinkage.solvers._squared import Batch, FitRows, penalty_values, raw_free_coefs, squared_gaps

MOST_SWEEPS = 3000  # of eight strengths at a time


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
        self._problem, self._design = problem, problem.design
        n, p = problem.design.shape
        design: Any = problem.design
        starts, rows, values = design.csc()
        self._csc = sparse.csc_array((values, rows, starts), shape=(n, p))
        self._l1, self.l2_weights = l1_weights, l2_weights
        self._tol, self._gap = float(np.clip(tol / 10, 1e-13, 1e-9)), tol / 2
        self._unit = problem.sample_weight is None
        weights = np.ones(n) if problem.sample_weight is None else problem.sample_weight
        self._root = np.sqrt(weights)
        self._y = self._root * (problem.y - problem.null.eta)
        start = self._root * (problem.y if problem.offset is None else problem.y - problem.offset)
        Q, self._to_raw = problem.free_block
        unpenalized = self._root[:, None] * Q
        likely = min(p, max(256, 4 * min(n, p)))
        penalized = [int(np.count_nonzero(l1)) for l1 in l1_weights.T]
        self._fits = [
            _SparseFit(design.csc(), mask, weights, unpenalized, self._y, start, count, likely)
            for mask, count in zip(training, penalized, strict=True)
        ]
        if problem.null.objective == 0:
            for fit in self._fits:
                fit.y[:], fit.null_objective = 0.0, 0.0
        self.n_fits = len(self._fits)
        self.null_objectives = np.array([fit.null_objective for fit in self._fits])
        self.features = np.zeros(0, np.int64)

    def null_theta(self) -> np.ndarray:
        """(n_samples, n_fits) root-weighted residuals of the null models over S: X.T @ theta are their correlations."""
        return np.asfortranarray(np.stack([self._root * fit.y / fit.total for fit in self._fits], axis=1))

    def grow(self, features: np.ndarray) -> None:
        """Append features to the working set; the cost is one product of the new columns with all."""
        self.features = np.concatenate([self.features, features])
        import os

        for f, fit in enumerate(self._fits):
            if not fit.descends and len(self.features) > int(os.environ.get("S7", "1000")):
                fit.take_descent()
            fit.weigh(self._l1[features, f], self.l2_weights[features, f])
            if fit.descends:
                continue
            block = self._design.gram(self.features, features, fit.weights)
            sides = self._root[:, None] * np.column_stack([fit.basis, fit.y])
            products = self._csc[:, features].T @ sides
            fit.grow(block, products[:, :-1].T, products[:, -1])

    def solve(self, strengths: np.ndarray, ridges: np.ndarray) -> Batch:
        """Minimize every fit at every strength on the working set, each warm-started from where it stands."""
        size, count, n_fits = len(self.features), len(strengths), self.n_fits
        coefs = np.empty((size, n_fits * count), order="F")
        steps, supports = np.zeros((n_fits, count), np.int32), np.zeros((n_fits, count), np.int32)
        for f, fit in enumerate(self._fits):
            into = coefs[:, f * count : (f + 1) * count]
            if fit.descends:
                fit.descend(self.features, strengths, ridges, self._gap, into, steps[f], supports[f])
            else:
                fit.solve(strengths, ridges, self._tol, into, steps[f], supports[f])
        fitted = self._design.combine(self.features, coefs)
        if not self._unit:
            fitted *= self._root[:, None]
        theta = np.empty_like(fitted)
        squares, agreement = np.empty((n_fits, count)), np.empty((n_fits, count))
        for f, fit in enumerate(self._fits):
            part = slice(f * count, (f + 1) * count)
            residual = fit.residuals(fitted[:, part])
            squares[f] = np.einsum("it,it->t", residual, residual) / fit.total
            agreement[f] = fit.y @ residual / fit.total
            residual *= (self._root / fit.total)[:, None] if not self._unit else 1 / fit.total
            theta[:, part] = residual
        penalties = penalty_values(coefs, strengths, ridges, self._l1[self.features], self.l2_weights[self.features])
        free = self._fits[0].explain(self._y[:, None] - fitted[:, :count])
        intercepts, free_coefs = raw_free_coefs(self._problem, self._to_raw @ free)
        return Batch(
            coefs,
            theta,
            squares / 2 + penalties,
            supports,
            steps,
            intercepts,
            free_coefs,
            fitted,
            squares,
            agreement,
        )

    def gaps(self, batch: Batch, strengths, ridges, max_ratio, conjugate) -> np.ndarray:
        """(n_fits, n_strengths) duality gaps in the objective's unit, from what a scan of X read off theta."""
        return squared_gaps(batch, strengths, ridges, max_ratio, conjugate)

    def rewind(self, batch: Batch, t: int, strengths, ridges) -> None:
        """Stand every fit at strength t of a batch; the working set may have grown since."""
        count = len(strengths)
        for f, fit in enumerate(self._fits):
            coef = np.zeros(len(self.features))
            coef[: batch.coefs.shape[0]] = batch.coefs[:, f * count + t]
            fit.restart(coef, float(strengths[t]), float(ridges[t]))

    def reset(self) -> None:
        """Stand every fit at its null model."""
        for fit in self._fits:
            fit.reset()

    def tighten(self) -> bool:
        """Solve more exactly from now on; False when there is nothing left to gain."""
        if self._tol <= 1e-13 and self._gap <= 1e-15:
            return False
        self._tol, self._gap = max(self._tol / 100, 1e-13), max(self._gap / 10, 1e-15)
        return True

    def held_out(self, batch: Batch, fold: int, rows: np.ndarray) -> np.ndarray:
        """(n_strengths,) weighted mean squared errors of fit `fold` on rows that it has not seen."""
        count = batch.objectives.shape[1]
        fit = self._fits[fold]
        fitted = batch.fitted[:, fold * count : (fold + 1) * count]
        free = fit.explain(self._y[:, None] - fitted)
        errors = self._y[rows, None] - fitted[rows] - fit.unpenalized[rows] @ free
        return np.einsum("it,it->t", errors, errors) / np.sum(self._root[rows] ** 2)


class _SparseFit(FitRows):
    """One fit: its rows, what its intercept and free columns explain, and one of two solvers on the working set.

    An active set with the Gram matrix, exact, while supports are small; coordinate descent on residuals from then on.
    """

    def __init__(self, csc, rows, weights, unpenalized, y, start, n_penalized: int, likely: int):
        super().__init__(rows, weights, unpenalized, y, start, n_penalized)
        self._csc, self.weights = csc, np.where(rows, weights, 0.0)
        self._gram, self._explained = Square(likely), Columns(self.basis.shape[1], likely)
        self._linear, self._l1, self._l2 = np.zeros(0), np.zeros(0), np.zeros(0)
        self._active: _core.ActiveSet | None = None
        self._descent: _core.ResidualDescent | None = None
        self._stand: tuple[np.ndarray, float] | None = None

    @property
    def descends(self) -> bool:
        """Whether coordinate descent has taken over."""
        return self._descent is not None

    def weigh(self, l1: np.ndarray, l2: np.ndarray) -> None:
        """Append the penalty's weights of new features."""
        self._l1, self._l2 = np.concatenate([self._l1, l1]), np.concatenate([self._l2, l2])

    def grow(self, block: np.ndarray, explained: np.ndarray, linear: np.ndarray) -> None:
        """Append the block of the Gram matrix, and what the basis and y say of the new columns."""
        self._linear = np.concatenate([self._linear, linear / self.total])
        self._gram.append(block)
        self._explained.append(block.shape[1])[:] = explained / np.sqrt(self.total)

    def residuals(self, fitted: np.ndarray) -> np.ndarray:
        """Root-weighted residuals on this fit's rows, 0 elsewhere, given the penalized part of the predictions."""
        fitted = fitted * self.rows[:, None]
        return self.y[:, None] - (fitted - self.basis @ (self.basis.T @ fitted))

    def _quadratic(self) -> tuple[Any, Any, Any, Any, Any, Any]:
        return self._gram.values, 1 / self.total, self._explained.values, self._linear, self._l1, self._l2

    def _started(self, ridge: float) -> _core.ActiveSet:
        if self._active is None:
            self._active = _core.ActiveSet(self.rank)
        self._active.max_support = self.rank if ridge == 0 else 2**31 - 1
        return self._active

    def solve(self, strengths, ridges, tol, coefs, steps, supports) -> None:
        """Minimize by the active set."""
        self._started(ridges[0]).solve(*self._quadratic(), strengths, ridges, tol, coefs, steps, supports)
        self._stand = coefs[:, -1].copy(), float(strengths[-1])

    def take_descent(self) -> None:
        """Hand over to coordinate descent from here on."""
        share = np.sqrt(self.weights / self.total)
        self._descent = _core.ResidualDescent(share, np.ascontiguousarray(self.basis), self.y / np.sqrt(self.total))
        self._gram, self._active = Square(1), None

    def descend(self, features, strengths, ridges, gap: float, coefs, steps, supports) -> None:
        """Minimize by coordinate descent until the gap on the working set is at most `gap` of the null objective."""
        descent = self._attached(features)
        steps[:] = descent.solve(strengths, ridges, gap * self.null_objective, MOST_SWEEPS, coefs)
        supports[:] = np.count_nonzero(coefs, axis=0)

    def _attached(self, features) -> _core.ResidualDescent:
        descent = self._descent
        assert descent is not None  # take_descent made it
        size = descent.size
        if size < len(features):
            new, n = np.ascontiguousarray(features[size:]), len(self.rows)
            descent.append(n, *self._csc, new, self._l1[size:].copy(), self._l2[size:].copy())
        if self._stand is not None:
            coef = np.zeros(len(features))
            coef[: len(self._stand[0])] = self._stand[0]
            descent.restart(coef, self._stand[1])
            self._stand = None
        return descent

    def restart(self, coef, strength: float, ridge: float) -> None:
        """Stand at a solution."""
        self._stand = coef, strength
        if not self.descends:
            self._started(ridge).restart(*self._quadratic(), ridge, coef, strength)

    def reset(self) -> None:
        """Stand at the null model."""
        self._active, self._stand = None, None
        if self._descent is not None:
            self._descent.reset()
