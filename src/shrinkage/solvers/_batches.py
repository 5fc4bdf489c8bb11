"""Whole paths in a handful of passes over X: look ahead, solve on a working set, certify many strengths at once.

A pass is one product X.T @ theta for the residuals of many strengths and of all folds. It settles for each of them
whether a feature outside the working set violates its optimality condition, and how large the duality gap is; strengths
up to the first that fails are final, violators join, and the rest is solved again. Which features to look at next is
read off the slopes of the correlations between two certified strengths: exact while the support stands.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from shrinkage.design import BlockDesign
from shrinkage.problem import without_rounding

FIRST_BATCH, LAST_BATCH, LEAST_BATCH = 5, 40, 3
MARGIN = 0.1  # how far slopes may change before a predicted feature is missed; share of the step in strength
NEWCOMERS = 100  # features that one batch may always add
TIGHTENINGS = 3
FEW, SMALL = 100, 16 << 20  # features, and bytes of what a whole grid keeps, below which it is one batch
BLOCKS = 64 << 20  # bytes of the residuals and correlations of a batch where X does not fit in memory

Scorer = Callable[[np.ndarray, np.ndarray], np.ndarray]  # rows (m,), linear predictors (m, k) -> scores (k,)


@dataclass
class Certified:
    """What is known of the strengths that are final: lists of blocks of columns, in the order of the strengths."""

    features: list = field(default_factory=list)
    coefs: list = field(default_factory=list)
    intercepts: list = field(default_factory=list)
    free_coefs: list = field(default_factory=list)
    gaps: list = field(default_factory=list)
    kkt: list = field(default_factory=list)
    steps: list = field(default_factory=list)
    scores: list = field(default_factory=list)
    n_passes: int = 1


class Driver:
    """Walks a grid of strengths for every fit at once.

    Parameters
    ----------
    design : Design
    fits : SquaredFits, SparseFits or NewtonFits
        The restricted problem: grow, solve, gaps, rewind. Their `tops` are set: strengths at which nothing is chosen.
    l1_weights, l2_weights : ndarray of shape (n_features, n_fits)
    l1_ratio : float in (0, 1]
    tol : float
    held_out : list of index arrays, one for each fit after the first
    centered : bool
        Whether there is an intercept, so that dual points sum to 0.
    """

    first_batch, newcomers = FIRST_BATCH, NEWCOMERS

    def __init__(
        self, design: Any, fits, l1_weights, l2_weights, l1_ratio: float, tol: float, held_out: list, centered: bool
    ):
        self.design, self.fits, self.tol, self.l1_ratio, self.held_out = design, fits, tol, l1_ratio, held_out
        self.centered = centered
        self.l1, self.l2 = l1_weights, (l2_weights if l1_ratio < 1 else None)
        self.penalized = l1_weights > 0
        self.inverse = np.divide(1.0, l1_weights, out=np.zeros_like(l1_weights), where=self.penalized)
        self.inside = ~self.penalized.any(axis=1)
        self.size = 0
        self.null_objectives = fits.null_objectives
        theta = fits.null_theta()
        C = design.correlate(theta)
        self.correlations = without_rounding(design, theta, C)  # (p, n_fits) at the last certified strength
        self.slopes: np.ndarray | None = None
        tops = self._tops()
        self.alpha_max = float(tops[0]) / l1_ratio
        fits.tops = tops * (1 - 4 * np.finfo(float).eps)
        self.result = Certified()
        self._last: tuple | None = None  # the arguments of `rewind` that lead back to the last certified strength
        self.score: Scorer | None = None  # of rows held out; None: their mean deviance
        self.watch: Callable[[int, np.ndarray, np.ndarray], bool] | None = None  # sees what is certified; True: enough
        self.enough = False

    def _tops(self) -> np.ndarray:
        """(n_fits,) the largest |correlation| / l1 weight of each null model."""
        ratios = np.divide(np.abs(self.correlations), self.l1, out=np.zeros_like(self.l1), where=self.penalized)
        return ratios.max(axis=0, initial=0.0)

    def run(self, alphas: np.ndarray) -> Certified:
        """Certify every strength of a decreasing grid."""
        self.strengths, self.ridges = alphas * self.l1_ratio, alphas * (1 - self.l1_ratio)
        self.at = self.alpha_max * self.l1_ratio
        self.support = 0
        done, batch = 0, self.first_batch
        limit = self._longest_batch()
        if self._takes_all(len(alphas)):
            features = np.flatnonzero(~self.inside)
            self._grow(features, np.zeros(len(features)), len(features))
            batch = len(alphas)
        while done < len(alphas) and not self.enough:
            stop = self._look_ahead(done, min(done + batch, len(alphas)))
            self._certify(done, stop)
            batch = min(2 * batch, limit)
            done = stop
        return self.result

    def _takes_all(self, count: int) -> bool:
        """Whether all features are worked on from the start, and all strengths are one batch: small data."""
        n, p = self.design.shape
        fits = self.fits.n_fits
        return self.watch is None and p <= FEW and 8 * (2 * n + p) * fits * count <= SMALL

    def _longest_batch(self) -> int:
        n, p = self.design.shape
        most = BLOCKS if isinstance(self.design, BlockDesign) else max(32 << 20, n * p // 2)
        columns = most // (8 * (n + p) * self.fits.n_fits)
        return int(np.clip(columns, LEAST_BATCH, LAST_BATCH))

    def _look_ahead(self, start: int, stop: int) -> int:
        """Grow the working set for the strengths start..stop; return the stop that bounds the newcomers."""
        most = max(self.newcomers, int(self.support * self.fits.appetite))
        while True:
            target = self.strengths[stop - 1]
            step = max(self.at - target, 0.0)
            excess = self._predicted(step) - target
            candidates = np.flatnonzero((excess >= 0) & ~self.inside)
            if len(candidates) <= most or stop - start <= LEAST_BATCH:
                break
            stop = start + max(LEAST_BATCH, (stop - start) * 2 // 3)
        self._grow(candidates, excess[candidates], most)
        return stop

    @property
    def margin(self) -> float:
        """How far slopes may change before a predicted feature is missed; share of the step in strength."""
        return MARGIN

    def _predicted(self, step: float) -> np.ndarray:
        """(p,) the largest |correlation| / l1 weight that a feature may have when the strength has fallen by `step`."""
        if self.slopes is None:
            moved = np.abs(self.correlations)
            allowance = step
        else:
            moved = step * self.slopes
            np.abs(np.subtract(self.correlations, moved, out=moved), out=moved)
            allowance = self.margin * step
        moved *= self.inverse
        return (moved[:, 0] if moved.shape[1] == 1 else moved.max(axis=1)) + allowance

    def _grow(self, features: np.ndarray, excess: np.ndarray, most: int) -> None:
        if len(features) > most:
            features = features[np.argpartition(-excess, most)[:most]]
        if len(features):
            features = np.sort(features)
            self.fits.grow(features)
            self.inside[features] = True
            self.size += len(features)

    def _certify(self, start: int, stop: int) -> None:
        """Solve and certify the strengths start..stop."""
        tightenings = 0
        while start < stop:
            strengths, ridges = self.strengths[start:stop], self.ridges[start:stop]
            batch = self.fits.solve(strengths, ridges)
            self.inside[self.fits.features] = True  # some that the fits took by themselves
            count = stop - start
            scan, seen = self._read(batch, strengths, ridges)
            max_ratio, conjugate, first, excess = scan
            self.result.n_passes += 1
            gaps = self.fits.gaps(batch, strengths, ridges, max_ratio, conjugate if self.l2 is not None else None)
            relative = gaps / np.where(self.fits.null_objectives > 0, self.fits.null_objectives, 1.0)[:, None]
            good = self._until_missed(first, count)
            loose = np.flatnonzero((relative[:, :good] > self.tol).any(axis=0))
            if len(loose) and tightenings < TIGHTENINGS and self.fits.tighten():
                good, tightenings = int(loose[0]), tightenings + 1
            if good:
                self._accept(batch, start, good, gaps, relative, scan, seen)
            if good < count:
                self._add_violators(first, excess, count)
                self._stand(batch, good, start, strengths, ridges, count)
            start += good

    def _read(self, batch, strengths: np.ndarray, ridges: np.ndarray) -> tuple[Any, Any]:
        """What a pass over X says of a batch, as `Design.scan` has it, and what `_move` and `_violations_of` need."""
        correlations = np.empty((self.design.shape[1], batch.theta.shape[1]), order="F")
        scan = self.design.scan(batch.theta, strengths, self.l1, self.inside, self.tol / 4, self.l2, correlations)
        shaped = correlations.reshape((len(correlations), len(strengths), self.fits.n_fits), order="F")
        return scan, shaped.transpose(0, 2, 1)

    def _until_missed(self, first: np.ndarray, count: int) -> int:
        """How many of the strengths stand before the first at which a feature outside the working set is needed."""
        return int(first.min(initial=count))

    def _add_violators(self, first: np.ndarray, excess: np.ndarray, count: int) -> None:
        violators = np.flatnonzero(first < count)
        self._grow(violators, excess[violators], max(self.newcomers, self.support))

    def _stand(self, batch, good: int, start: int, strengths, ridges, count: int) -> None:
        """Go back to the last certified strength, unless only the last failed: it is a good start for itself."""
        if count - good <= 1:
            return
        if good:
            self.fits.rewind(batch, good - 1, strengths, ridges)
        elif self._last is not None and start > 0:
            self.fits.rewind(*self._last)
        else:
            self.fits.reset()

    def _accept(self, batch, start: int, good: int, gaps, relative, scan, seen) -> None:
        count, n_fits = batch.objectives.shape[1], self.fits.n_fits
        strengths, ridges = self.strengths[start : start + count], self.ridges[start : start + count]
        self._last = (batch, good - 1, strengths, ridges)
        self._move(good, seen, strengths)
        self.support = int(batch.supports[:, good - 1].max())
        keep = self.result
        keep.features.append(self.fits.features)
        keep.coefs.append(batch.coefs[:, :good].copy())
        keep.intercepts.append(batch.intercept[..., :good])
        keep.free_coefs.append(batch.free_coefs[:, :good])
        keep.gaps.append(gaps[0, :good])
        keep.kkt.append(self._violations_of(batch, good, seen, scan, strengths[:good], ridges[:good]))
        keep.steps.append(batch.steps[0, :good])
        held_out = [self._scores(batch, f + 1, rows)[:good] for f, rows in enumerate(self.held_out)]
        keep.scores.append((np.array(held_out).reshape(-1, good).T, relative[1:, :good].T))
        if self.watch is not None:
            coefs = batch.coefs.reshape((-1, n_fits, count))
            self.enough = self.watch(start, self.fits.features[: len(coefs)], coefs[:, :, :good])

    def _move(self, good: int, seen, strengths: np.ndarray) -> None:
        """Stand at the last final strength; slopes are those between it and the one before."""
        latest = seen[..., good - 1].copy()
        if good > 1:
            self.slopes = (seen[..., good - 2] - latest) / (strengths[good - 2] - strengths[good - 1])
        elif self.at > strengths[0]:
            self.slopes = (self.correlations - latest) / (self.at - strengths[0])
        self.correlations, self.at = latest, float(strengths[good - 1])

    def _scores(self, batch, fold: int, rows: np.ndarray) -> np.ndarray:
        """(n_strengths,) scores of a fit on rows that it has not seen."""
        if self.score is None:
            return self.fits.held_out(batch, fold, rows)
        return self.score(rows, self.fits.predictors(batch, fold, rows))

    def _violations_of(self, batch, good: int, seen, scan, strengths, ridges) -> np.ndarray:
        """(good,) largest violation of the optimality conditions of the first fit, in the gradient's unit."""
        coefs, correlations, max_ratio = batch.coefs[:, :good], seen[:, 0, :good], scan[0][0]
        features = self.fits.features[: coefs.shape[0]]
        l1, c = self.l1[features, :1], correlations[features]
        if self.l2 is not None:
            c = c - ridges * self.l2[features, :1] * coefs
        on = np.abs(c - strengths * l1 * np.sign(coefs))
        off = np.maximum(np.abs(c) - strengths * l1, 0.0)
        worst = np.where(coefs != 0, on, off).max(axis=0, initial=0.0)
        outside = ~self.inside
        for t, strength in enumerate(strengths):
            if self.l2 is None and max_ratio[t] <= strength * (1 + 1e-12):
                continue  # nobody violates
            excess = np.abs(correlations[:, t]) - strength * self.l1[:, 0]
            worst[t] = max(worst[t], excess.max(where=outside, initial=0.0))
        return worst


def sparse_columns(
    shape: tuple[int, int], features: list, blocks: list, free: np.ndarray, free_blocks: list
) -> sparse.csc_array:
    """Blocks of coefficients on growing working sets, and of the free columns, as one (p, n_strengths) CSC array."""
    if len(blocks) == 1 and not free.size:
        return _one_block(shape, features[0], blocks[0])
    rows, values, counts = [], [], []
    for block_features, block, free_block in zip(features, blocks, free_blocks, strict=True):
        own = np.concatenate([block_features[: block.shape[0]], free]).astype(np.int32)
        order = np.argsort(own)
        by_strength = np.ascontiguousarray(np.concatenate([block, free_block])[order].T)
        places = np.flatnonzero(by_strength)
        rows.append(own[order][places % max(len(own), 1)])
        values.append(by_strength.ravel()[places])
        counts.append(np.count_nonzero(by_strength, axis=1))
    starts = np.concatenate([[0], *counts]).cumsum().astype(np.int32)
    data, index = np.concatenate([np.zeros(0), *values]), np.concatenate([np.zeros(0, np.int32), *rows])
    return sparse.csc_array((data, index, starts), shape=shape)


def _one_block(shape: tuple[int, int], features: np.ndarray, block: np.ndarray) -> sparse.csc_array:
    """The same for one block, whose features rise."""
    width, count = block.shape
    by_strength = np.ascontiguousarray(block.T).ravel()
    places = np.flatnonzero(by_strength)
    starts = np.searchsorted(places, np.arange(count + 1) * width).astype(np.int32)
    rows = features[:width].astype(np.int32)[places % max(width, 1)]
    return sparse.csc_array((by_strength[places], rows, starts), shape=shape)
