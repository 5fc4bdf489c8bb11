"""The restricted problem of the squared loss: every fit of a path, on one working set, from one Gram matrix."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from shrinkage import _core
from shrinkage.design import DenseDesign
from shrinkage.problem import Problem, explained_or
from shrinkage.solvers._growing import Columns, Square


@dataclass
class Batch:
    """Restricted solutions of a run of strengths for every fit; columns are fit-major (fit * n_strengths + t)."""

    coefs: np.ndarray  # (size of the working set, n_fits * n_strengths)
    theta: np.ndarray  # (n_samples, n_fits * n_strengths): X.T @ theta are the correlations
    objectives: np.ndarray  # (n_fits, n_strengths)
    supports: np.ndarray  # (n_fits, n_strengths)
    steps: np.ndarray  # (n_fits, n_strengths)
    intercept: np.ndarray  # (n_strengths,) of the first fit
    free_coefs: np.ndarray  # (n_free, n_strengths) of the first fit
    fitted: np.ndarray  # root-weighted predictions of the penalized part
    squares: np.ndarray  # (n_fits, n_strengths) weighted mean squared residuals
    agreement: np.ndarray  # (n_fits, n_strengths) weighted mean of y times residual


def leading(batch: Batch, count: int) -> Batch:
    """The first strengths of a batch of one fit."""
    return (
        batch if count == batch.coefs.shape[1] else Batch(*(getattr(batch, f.name)[..., :count] for f in fields(Batch)))
    )


def joined(batches: list[Batch]) -> Batch:
    """Batches of one fit at consecutive strengths, on growing working sets, as one batch on the last of these."""
    if len(batches) == 1:
        return batches[0]
    counts = [batch.coefs.shape[1] for batch in batches]
    coefs = np.zeros((len(batches[-1].coefs), sum(counts)), order="F")
    at = 0
    for batch, count in zip(batches, counts, strict=True):
        coefs[: len(batch.coefs), at : at + count] = batch.coefs
        at += count
    names = [field.name for field in fields(Batch)][1:]
    rest = [np.concatenate([getattr(batch, name).T for batch in batches]).T for name in names]
    return Batch(coefs, *rest)


class SquaredFits:
    """All rows, and the training rows of each fold, as fits that share a working set and its Gram matrix.

    Everything is kept multiplied by the root of the sample weight, and projected on the complement of the intercept and
    the free columns of the full data. Fold f enters as G / S_f - U'U: U holds the rows that the fold leaves out, and
    what its own intercept and free columns explain.

    Parameters
    ----------
    problem : Problem with a squared loss
    training : list of boolean arrays of shape (n_samples,)
        The rows of each fit; the first is the full data.
    l1_weights, l2_weights : ndarray of shape (n_features, n_fits)
        Weights of |w_j| and w_j**2 / 2; an l1 weight of 0 marks a free column.
    tol : float
        Largest relative duality gap wanted.
    """

    def __init__(self, problem: Problem, training: list[np.ndarray], l1_weights, l2_weights, tol: float):
        self._design = problem.design
        n, p = problem.design.shape
        self._l1, self.l2_weights = l1_weights, l2_weights
        self._tol = float(np.clip(tol / 10, 1e-13, 1e-9))
        self._unit = problem.sample_weight is None
        weights = np.ones(n) if problem.sample_weight is None else problem.sample_weight
        self._root = np.sqrt(weights)
        self._problem = problem
        self._y = self._root * (problem.y - problem.null.eta)
        self._targets = problem.y
        start = self._root * (problem.y if problem.offset is None else problem.y - problem.offset)
        Q, self._to_raw = problem.free_block
        unpenalized = self._root[:, None] * Q
        penalized = [int(np.count_nonzero(l1)) for l1 in l1_weights.T]
        self._fits = [
            _Fit(rows, weights, unpenalized, self._y, start, count)
            for rows, count in zip(training, penalized, strict=True)
        ]
        if problem.null.objective == 0:
            for fit in self._fits:
                fit.y[:], fit.null_objective = 0.0, 0.0
        self.n_fits = len(self._fits)
        self.appetite = 1.0 if self.n_fits == 1 else 0.5  # newcomers that a batch may bring, per feature of the support
        self.null_objectives = np.array([fit.null_objective for fit in self._fits])
        likely = min(p, max(256, 4 * min(n, p)))
        self._columns, self._gram = Columns(n, likely), Square(min(p, 1024, max(256, 2 * min(n, p))))
        for fit in self._fits[1:]:
            fit.correct_gram(likely)
        self._removed = np.zeros((unpenalized.shape[1], 0))
        self.features = np.zeros(0, np.int64)

    @property
    def columns(self) -> np.ndarray:
        """(n_samples, size) columns of the working set, root-weighted and projected."""
        return self._columns.values

    def null_theta(self) -> np.ndarray:
        """(n_samples, n_fits) root-weighted residuals of the null models over S: X.T @ theta are their correlations."""
        return np.asfortranarray(np.stack([self._root * fit.y / fit.total for fit in self._fits], axis=1))

    def grow(self, features: np.ndarray) -> None:
        """Append features to the working set; the cost is one product of the new columns with all."""
        self.features = np.concatenate([self.features, features])
        for f, fit in enumerate(self._fits):
            fit.weigh(self._l1[features, f], self.l2_weights[features, f])
        count, full = len(features), self._fits[0]
        new = self._columns.append(count)
        self._design.gather(features, np.zeros(count), None if self._unit else self._root, new)
        removed = np.zeros((full.unpenalized.shape[1], count), order="F")
        if len(removed):
            _core.project(new, full.unpenalized, full.explainer, removed)
        self._removed = np.hstack([self._removed, removed])
        self._gram.extend(self._columns.values)
        for fit in self._fits:
            fit.grow(new, self._columns.values)

    def solve(self, strengths: np.ndarray, ridges: np.ndarray) -> Batch:
        """Minimize every fit at every strength on the working set, each warm-started from where it stands."""
        size, count, n_fits = len(self.features), len(strengths), self.n_fits
        coefs = np.empty((size, n_fits * count), order="F")
        steps, supports = np.zeros((n_fits, count), np.int32), np.zeros((n_fits, count), np.int32)
        for f, fit in enumerate(self._fits):
            into = coefs[:, f * count : (f + 1) * count]
            fit.solve(self._gram.values, strengths, ridges, self._tol, into, steps[f], supports[f])
        fitted = self._combine(coefs)
        theta, squares, agreement = dual_points(self._fits, fitted, None if self._unit else self._root)
        penalties = penalty_values(coefs, strengths, ridges, self._l1[self.features], self.l2_weights[self.features])
        free = self._fits[0].explain(self._y[:, None] - fitted[:, :count]) - self._removed @ coefs[:, :count]
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

    def _combine(self, coefs) -> np.ndarray:
        """(n_samples, k) root-weighted predictions of the penalized part, without what projections removed."""
        if not len(coefs):
            return np.zeros((self._columns.rows, coefs.shape[1]), order="F")
        return DenseDesign(self._columns.values.T).correlate(coefs)

    def gaps(self, batch: Batch, strengths, ridges, max_ratio, conjugate) -> np.ndarray:
        """(n_fits, n_strengths) duality gaps in the objective's unit, from what a scan of X read off theta."""
        return squared_gaps(batch, strengths, ridges, max_ratio, conjugate)

    def rewind(self, batch: Batch, t: int, strengths, ridges) -> None:
        """Stand every fit at strength t of a batch; the working set may have grown since."""
        count = len(strengths)
        for f, fit in enumerate(self._fits):
            coef = np.zeros(len(self.features))
            coef[: batch.coefs.shape[0]] = batch.coefs[:, f * count + t]
            fit.restart(self._gram.values, coef, float(strengths[t]), float(ridges[t]))

    def reset(self) -> None:
        """Stand every fit at its null model."""
        for fit in self._fits:
            fit.reset()

    def tighten(self) -> bool:
        """Solve more exactly from now on; False when there is nothing left to gain."""
        if self._tol <= 1e-13:
            return False
        self._tol = max(self._tol / 100, 1e-13)
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


class FitRows:
    """The rows of one fit, and what its intercept and free columns explain there."""

    def __init__(self, rows: np.ndarray, weights: np.ndarray, unpenalized: np.ndarray, y, start, n_penalized: int):
        self.rows = rows
        self.all_rows = bool(rows.all())
        self.total = float(weights.sum() if self.all_rows else weights[rows].sum())
        self.unpenalized = np.asfortranarray(unpenalized)
        self.basis, self._pseudo_inverse = _basis(unpenalized, rows, self.all_rows)
        masked = y if self.all_rows else np.where(rows, y, 0.0)
        self.y = masked - self.basis @ (self.basis.T @ masked)
        left = float(explained_or(self.y @ self.y, start[rows] @ start[rows]))
        self.null_objective = left / (2 * self.total)
        positive = int(np.count_nonzero(weights[rows]))
        self.rank = max(1, min(positive - self.basis.shape[1], n_penalized))
        self.out = np.flatnonzero(~rows & (weights > 0))

    @property
    def explainer(self) -> np.ndarray:
        """(n_samples, n_unpenalized), column-major: explainer.T @ columns is what `explain` returns."""
        return np.asfortranarray(self._pseudo_inverse.T)

    def explain(self, columns: np.ndarray) -> np.ndarray:
        """Coefficients of the intercept and free columns, fitted to columns on this fit's rows."""
        return self._pseudo_inverse @ columns

    def residuals(self, fitted: np.ndarray) -> np.ndarray:
        """Root-weighted residuals on this fit's rows, 0 elsewhere, given the penalized part of the predictions."""
        rows = fitted.T if self.all_rows else fitted.T * self.rows  # row by row, as column-major memory has them
        left = np.dot(rows @ self.basis, self.basis.T)
        left -= rows
        left += self.y
        return left.T


class _Fit(FitRows):
    """One fit: its rows, what its intercept and free columns explain, and its active set."""

    def __init__(self, rows: np.ndarray, weights: np.ndarray, unpenalized: np.ndarray, y, start, n_penalized: int):
        super().__init__(rows, weights, unpenalized, y, start, n_penalized)
        self.low_rank: Columns | None = None
        self.own_gram: Square | None = None
        self.linear, self.l1, self.l2 = np.zeros(0), np.zeros(0), np.zeros(0)
        self.active: _core.ActiveSet | None = None

    def correct_gram(self, likely: int) -> None:
        """Make room for this fit's correction of the shared Gram matrix, or for its own if it leaves most rows out."""
        if 2 * len(self.out) > len(self.rows):
            self.own_gram = Square()
            self.low_rank = Columns(self.basis.shape[1], likely)
        else:
            self.low_rank = Columns(len(self.out) + self.basis.shape[1], likely)

    def weigh(self, l1: np.ndarray, l2: np.ndarray) -> None:
        """Append the penalty's weights of new features."""
        self.l1, self.l2 = np.concatenate([self.l1, l1]), np.concatenate([self.l2, l2])

    def grow(self, new: np.ndarray, columns: np.ndarray) -> None:
        """Append new root-weighted columns; `columns` holds all of them, the new ones last."""
        self.linear = np.concatenate([self.linear, self.y @ new / self.total])
        if self.low_rank is None:
            return
        into, root = self.low_rank.append(new.shape[1]), np.sqrt(self.total)
        if self.own_gram is None:
            into[: len(self.out)] = new[self.out] / root
        else:
            self.own_gram.append(columns[self.rows].T @ new[self.rows])
        into[into.shape[0] - self.basis.shape[1] :] = self.basis.T @ new / root

    def residuals(self, fitted: np.ndarray) -> np.ndarray:
        """As of any fit; columns that need no correction have predictions that need none."""
        return self.y[:, None] - fitted if self.low_rank is None else super().residuals(fitted)

    def _quadratic(self, gram: np.ndarray) -> tuple[Any, Any, Any, Any, Any, Any]:
        low_rank = None if self.low_rank is None else self.low_rank.values
        own = gram if self.own_gram is None else self.own_gram.values
        return own, 1 / self.total, low_rank, self.linear, self.l1, self.l2

    def _started(self, ridge: float) -> _core.ActiveSet:
        if self.active is None:
            self.active = _core.ActiveSet(self.rank)
        self.active.max_support = self.rank if ridge == 0 else 2**31 - 1
        return self.active

    def solve(self, gram, strengths, ridges, tol, coefs, steps, supports) -> None:
        self._started(ridges[0]).solve(*self._quadratic(gram), strengths, ridges, tol, coefs, steps, supports)

    def restart(self, gram, coef, strength: float, ridge: float) -> None:
        self._started(ridge).restart(*self._quadratic(gram), ridge, coef, strength)

    def reset(self) -> None:
        self.active = None


def penalty_values(coefs: np.ndarray, strengths, ridges, l1: np.ndarray, l2: np.ndarray) -> np.ndarray:
    """(n_fits, n_strengths) values of the penalty; columns are fit-major, weights (size, n_fits)."""
    shaped = coefs.T.reshape(l1.shape[1], len(strengths), -1)
    values = strengths * np.einsum("ftj,jf->ft", np.abs(shaped), l1)
    if np.any(ridges):
        values = values + 0.5 * ridges * np.einsum("ftj,ftj,jf->ft", shaped, shaped, l2)
    return values


def dual_points(
    fits: Sequence[FitRows], fitted: np.ndarray, root: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n_samples, k) points theta, of which X.T @ theta are correlations, and what their dual objectives ask for.

    `fitted` holds as many columns for each fit, one fit after the other. Beside theta: (n_fits, n_strengths) weighted
    mean squared residuals, and weighted means of y times residual. `root` holds root weights; None: all are 1.
    """
    count = fitted.shape[1] // len(fits)
    theta = np.empty_like(fitted)
    squares, agreement = np.empty((len(fits), count)), np.empty((len(fits), count))
    for f, fit in enumerate(fits):
        part = slice(f * count, (f + 1) * count)
        residual = fit.residuals(fitted[:, part])
        squares[f] = np.einsum("it,it->t", residual, residual) / fit.total
        agreement[f] = fit.y @ residual / fit.total
        residual *= 1 / fit.total if root is None else (root / fit.total)[:, None]
        theta[:, part] = residual
    return theta, squares, agreement


def squared_gaps(batch: Batch, strengths, ridges, max_ratio, conjugate) -> np.ndarray:
    """(n_fits, n_strengths) duality gaps in the objective's unit, from what a scan of X read off theta.

    The dual objective along c * theta is c * agreement - c**2 / 2 * squares - g*(c * correlations).
    """
    if conjugate is None:
        with np.errstate(divide="ignore", invalid="ignore"):
            cap = np.where(max_ratio > 0, strengths / max_ratio, np.inf)
            best = np.where(batch.squares > 0, batch.agreement / batch.squares, 0.0)
        scale = np.clip(best, -cap, cap)
        dual = scale * batch.agreement - 0.5 * scale**2 * batch.squares
    else:
        dual = batch.agreement - 0.5 * batch.squares - conjugate / (2 * ridges)
    return batch.objectives - dual


def raw_free_coefs(problem: Problem, coefs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Intercepts (k,) and coefficients of the free columns (n_free, k), from those measured from the null model."""
    first = int(problem.fit_intercept)
    intercepts = coefs[0] + problem.null.intercept if first else np.zeros(coefs.shape[1])
    return intercepts, coefs[first:] + problem.null.coef_free[:, None]


def _basis(columns: np.ndarray, rows: np.ndarray, all_rows: bool) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal basis of the columns on some rows (0 elsewhere), and the pseudo-inverse; dependent ones dropped."""
    masked = columns if all_rows else columns * rows[:, None]
    if columns.shape[1] == 1:
        length = np.sqrt(np.einsum("ij,ij->", masked, masked))
        basis = masked / length
        return basis, basis.T / length
    norms = np.sqrt((masked * masked).sum(0))
    norms[norms == 0] = 1
    left, singular, right = np.linalg.svd(masked / norms, full_matrices=False)
    kept = singular > 1e-10 * singular.max(initial=0)
    left, singular, right = left[:, kept], singular[kept], right[kept]
    return left, (right.T / singular / norms[:, None]) @ left.T
