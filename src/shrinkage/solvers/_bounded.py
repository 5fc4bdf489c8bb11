"""Paths whose coefficients have bounds: every fit by prox-Newton steps in a box, certified like the others.

A feature may only enter by a side that its bounds leave open; the conjugate of the penalty is finite where they are.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from shrinkage.design import DenseDesign, SparseDesign, as_design
from shrinkage.losses import Squared
from shrinkage.penalties import L1L2
from shrinkage.problem import Problem, explained_or
from shrinkage.solvers._class_driver import ClassDriver
from shrinkage.solvers._newton import Batch, NewtonFits
from shrinkage.solvers._records import FoldColumns

_RIDGE_GRID_RATIO = 1e-3


class BoundedFits(NewtonFits):
    """All rows and the training rows of each fold, any loss of the core, with bounds (n_features,) on coefficients."""

    n_classes = 1

    def __init__(self, problem: Problem, fit_weights, l1_weights, l2_weights, lower, upper, tol: float):
        super().__init__(problem, fit_weights, l1_weights, l2_weights, tol)
        self._lower, self._upper = lower, upper
        if isinstance(problem.loss, Squared):  # its objective has the unit of y², and no smallest size
            null = np.array([fit.null_objective for fit in self._fits])
            self.null_objectives = explained_or(null, self._weights.T @ (problem.y * problem.y))

    def grow(self, features: np.ndarray) -> None:
        """Append features, with their bounds, to the working set."""
        super().grow(features)
        for fit in self._fits:
            fit.bound(
                np.ascontiguousarray(self._lower[self.features]), np.ascontiguousarray(self._upper[self.features])
            )

    def gaps(self, batch: Batch, strengths, ridges, max_ratio, conjugate) -> np.ndarray:
        """(n_fits, n_strengths) duality gaps: what the driver found with `duals` or by the problem itself."""
        return max_ratio

    def duals(self, batch: Batch, scales: np.ndarray, conjugates: np.ndarray) -> np.ndarray:
        """(n_fits, n_strengths) dual objectives at multiples of the dual points, with the conjugates of the penalty."""
        return duals_of(self._fits, batch, scales) - conjugates

    def problem_of(self, fit: int, scale: np.ndarray) -> Problem:
        """The problem of one fit: its rows, and its scale of the columns."""
        return replace(self._problem, sample_weight=self._weights[:, fit].copy(), scale=scale)

    def raw(self, batch: Batch, fit: int, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (n_features, len(places)) and intercepts of one fit, at some strengths of a batch."""
        own = fit * batch.objectives.shape[1] + places
        raw, first = self._to_raw @ batch.free[:, own], int(self._problem.fit_intercept)
        if self._from_null:
            null = self._problem.null
            raw = raw + np.concatenate([[null.intercept] * first, null.coef_free])[:, None]
        coefs = np.zeros((self._design.shape[1], len(places)))
        coefs[self.features], coefs[self._problem.unpenalized] = batch.coefs[:, own], raw[first:]
        return coefs, raw[0] - self._columns.means @ batch.coefs[:, own] if first else np.zeros(len(places))


def duals_of(fits: list, batch: Any, scales: np.ndarray) -> np.ndarray:
    """(n_fits, n_strengths) dual objectives at multiples of the dual points of a batch, without the penalty's part."""
    duals, count = np.empty_like(batch.objectives), batch.objectives.shape[1]
    for f, fit in enumerate(fits):
        fit.duals(batch.theta[:, f * count : (f + 1) * count], np.ascontiguousarray(scales[f]), duals[f])
    return duals


class BoundedDriver(ClassDriver):
    """Walks a grid of strengths for every fit at once, coefficients in bounds: of one linear predictor a row or of K.

    Columns that nothing shrinks but that have a bound, and with l1_ratio 0 all, are worked on from the start.

    Parameters
    ----------
    problem : Problem or MultinomialProblem, with a `Box`; alpha 1
    fits : BoundedFits or BoundedClassFits
    l1_weights, l2_weights, scale : ndarray of shape (n_features, n_fits)
    tol : float
    held_out : list of index arrays, one for each fit after the first
    """

    def __init__(self, problem: Any, fits: Any, l1_weights, l2_weights, scale, tol: float, held_out: list):
        l1_ratio = float(problem.penalty.l1_ratio)
        super().__init__(
            problem.design, fits, l1_weights, l2_weights, l1_ratio or _RIDGE_GRID_RATIO, tol, held_out,
            problem.fit_intercept,
        )  # fmt: skip
        self._problem, self._scale, self.l1_ratio = problem, scale, l1_ratio
        self.lower, self.upper = bounds_of(problem)
        self.l2 = self._l2 = l2_weights
        self._free = np.zeros(len(l1_weights), bool)
        self._free[problem.free] = True
        self._least_pull, self._most_pull = (
            np.where(self.lower < 0, -np.inf, 0.0),
            np.where(self.upper > 0, np.inf, 0.0),
        )
        excluded = (self.lower == 0) & (self.upper == 0)
        self.inside = self._free | excluded
        self._one_sided = (self.upper == np.inf) != (self.lower == -np.inf)
        tops = (self._allowed(self.correlations).max(axis=1) * self.inverse).max(axis=0, initial=0.0)
        self.alpha_max = float(tops[0]) / (l1_ratio or _RIDGE_GRID_RATIO)
        unshrunk = ((self.l1 == 0).any(axis=1) & ~self.inside).any()
        fits.tops = np.full(fits.n_fits, np.inf) if unshrunk else tops * (1 - 4 * np.finfo(float).eps)

    def run(self, alphas: np.ndarray):
        """Certify every strength of a decreasing grid."""
        everyone = self.l1_ratio == 0 or alphas[-1] == 0
        wanted = np.flatnonzero(~self.inside & (everyone | (self.l1 == 0).any(axis=1)))
        self._grow(wanted, np.zeros(len(wanted)), len(wanted))
        return super().run(alphas)

    def _allowed(self, c: np.ndarray) -> np.ndarray:
        """How strongly correlations c (n_features, ...) pull coefficients at 0 to sides that bounds leave open."""
        shape = (-1,) + (1,) * (c.ndim - 1)
        pulls = np.clip(c, self._least_pull.reshape(shape), self._most_pull.reshape(shape))
        return np.abs(pulls, out=pulls)

    def _predicted(self, step: float) -> np.ndarray:
        slopes = self.slopes
        moved = self._allowed(self.correlations if slopes is None else self.correlations - step * slopes)
        return (moved.max(axis=1) * self.inverse).max(axis=1) + (step if slopes is None else 0.1 * step)

    def _read(self, batch, strengths: np.ndarray, ridges: np.ndarray) -> tuple[Any, Any]:
        count, n_fits, (n, p) = len(strengths), self.fits.n_fits, self.design.shape
        correlations = self.design.correlate(batch.theta.reshape((n, -1), order="F"))
        seen = correlations.reshape((p, self._n_classes, count, n_fits), order="F").transpose(0, 1, 3, 2)
        scales, conjugates = np.ones((n_fits, count)), np.zeros((n_fits, count))
        first, excess = np.full(p, count, np.int32), np.zeros(p)
        pulled = []
        for f in range(n_fits):
            size = self._allowed(seen[:, :, f]).max(axis=1)
            size *= self.inverse[:, [f]]
            beyond = size > strengths
            rows = np.flatnonzero(beyond.any(axis=1) | ((self.l1[:, f] == 0) & ~self._free))
            pulled.append(rows)
            scales[f], conjugates[f] = self._duals(seen[rows, :, f], rows, f, strengths, ridges)
            rows = rows[~self.inside[rows]]
            beyond = size[rows] > strengths * (1 + self.tol / 4)
            first[rows] = np.minimum(first[rows], np.where(beyond.any(axis=1), beyond.argmax(axis=1), count))
            excess[rows] = np.maximum(excess[rows], np.where(beyond, size[rows], 0.0).max(axis=1, initial=0.0))
        gaps = batch.objectives - self.fits.duals(batch, scales, conjugates)
        self._without_slack(batch, gaps, strengths, ridges)
        return (gaps, pulled[0], first, excess), seen

    def _without_slack(self, batch, gaps: np.ndarray, strengths, ridges) -> None:
        """Gaps where nothing shrinks a column with one bound, whose dual constraint has no slack."""
        for f in range(len(gaps)):
            some = self._one_sided & ((self.l1[:, f] == 0) | (strengths.min() == 0))
            shrunk = self.l1[some][:, [f]] * strengths + self._l2[some][:, [f]] * ridges > 0
            places = np.flatnonzero(~shrunk.all(axis=0))
            if not places.size:
                continue
            coefs, intercepts = self.fits.raw(batch, f, places)
            problem = self.fits.problem_of(f, self._scale[:, f].copy())
            gaps[f, places] = problem.gaps(coefs, intercepts, strengths[places] + ridges[places])

    def _duals(self, z: np.ndarray, rows: np.ndarray, fit: int, strengths, ridges) -> tuple[np.ndarray, np.ndarray]:
        """Multiples c <= 1 of dual points at which the conjugate is finite, and it there.

        z (m, K, T) are the correlations of some rows: all whose term may be more than 0.
        """
        l1, l2 = (w[rows][:, [fit]][:, None] * by for w, by in ((self.l1, strengths), (self._l2, ridges)))
        z = np.where(self._free[rows, None, None], 0.0, z)
        bound = np.where(z > 0, self.upper[rows, None, None], -self.lower[rows, None, None])
        size = np.abs(z)
        limited = (l2 == 0) & np.isinf(bound) & (size > l1) & (l1 > 0)
        scale = np.where(limited, l1 / np.where(limited, size, 1.0), 1.0).min(axis=(0, 1), initial=1.0)
        excess = np.maximum(scale * size - l1, 0.0)
        best = np.minimum(np.divide(excess, l2, out=np.full_like(excess, np.inf), where=l2 > 0), bound)
        best[(excess <= 0) | limited | np.isinf(best)] = 0.0
        return scale, (excess * best - 0.5 * l2 * best * best).sum(axis=(0, 1))

    def _move(self, good: int, seen, strengths: np.ndarray) -> None:
        if self.l1_ratio > 0:
            super()._move(good, seen, strengths)

    def _violations_of(self, batch, good: int, seen, scan, strengths, ridges) -> np.ndarray:
        K = self._n_classes
        features = self.fits.features[: len(batch.coefs) // K]
        rows = np.union1d(features, scan[1])  # the others stay at 0
        coefs = np.zeros((len(rows), K, good))
        coefs[np.searchsorted(rows, features)] = batch.coefs[:, :good].reshape((-1, K, good))
        lower, upper = self.lower[rows, None, None], self.upper[rows, None, None]
        l1, l2 = (w[rows][:, :1, None] * by for w, by in ((self.l1, strengths), (self._l2, ridges)))
        pull = seen[rows, :, 0, :good] - l2 * coefs
        up = np.where(coefs < upper, pull - np.where(coefs >= 0, l1, -l1), 0.0)
        down = np.where(coefs > lower, -pull + np.where(coefs > 0, l1, -l1), 0.0)
        return np.where(self._free[rows, None, None], 0.0, np.maximum(up, down)).max(axis=(0, 1), initial=0.0)


def bounds_of(problem: Any) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds (n_features,) of the coefficients of a problem with a `Box`."""
    p = problem.design.shape[1]
    lower, upper = (np.asarray(b, dtype=np.float64) for b in (problem.penalty.lower, problem.penalty.upper))
    return np.array(np.broadcast_to(lower, (p,))), np.array(np.broadcast_to(upper, (p,)))


def unbounded_part(problem: Any) -> tuple[Any, np.ndarray] | None:
    """A problem whose bounds only exclude columns, without these, and the columns that are left; else None.

    X in blocks cannot be cut, and stays as it is.
    """
    lower, upper = bounds_of(problem)
    kept = np.flatnonzero((lower < 0) | (upper > 0))
    factors = None if problem.penalty.factors is None else np.asarray(problem.penalty.factors, dtype=float)[kept]
    nothing = not kept.size or (factors is not None and not factors.any())
    if nothing or not (np.isinf(lower[kept]).all() and np.isinf(upper[kept]).all()):
        return None
    design = problem.design
    if isinstance(design, DenseDesign):
        part: Any = DenseDesign(design.values[:, kept])
    elif isinstance(design, SparseDesign):
        starts, rows, values = design.csc()
        part = as_design(sparse.csc_array((values, rows, starts), shape=design.shape)[:, kept])
    else:
        return None
    scale = None if problem.scale is None else problem.scale[kept]
    penalty = L1L2(float(problem.penalty.alpha), float(problem.penalty.l1_ratio), factors)
    return replace(problem, design=part, penalty=penalty, scale=scale), kept


def spread(columns: FoldColumns, kept: np.ndarray, n_features: int) -> FoldColumns:
    """The same where `kept` of more features were fitted; the others have coefficients 0, in every class."""
    coefs: Any = columns.path.coefs
    n_classes = coefs.shape[0] // len(kept)
    rows = (n_features * np.arange(n_classes)[:, None] + kept).ravel()
    index = rows.astype(coefs.indices.dtype)[coefs.indices]
    whole = sparse.csc_array((coefs.data, index, coefs.indptr), shape=(n_classes * n_features, coefs.shape[1]))
    return replace(columns, path=replace(columns.path, coefs=whole))
