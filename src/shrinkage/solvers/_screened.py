"""A whole path of one fit on a wide dense X: look ahead twice, pass over X rarely.

Two look-aheads are nested. From one pass over X to the next, columns that may be needed make a panel; on it
the batches of `Driver` are walked, whose products with all its columns cost little, so that the working set stays close
to the support. The pass then multiplies X with a few of the dual points, the knots, and a bound certifies those
between them: it is rigorous, and what it cannot settle is multiplied out.
"""

from collections.abc import Callable

import numpy as np

from shrinkage.design import DenseDesign
from shrinkage.problem import Problem
from shrinkage.solvers._batches import LEAST_BATCH, NEWCOMERS, TIGHTENINGS, Certified
from shrinkage.solvers._knots import Knots
from shrinkage.solvers._panel import Panel
from shrinkage.solvers._reading import Reading
from shrinkage.solvers._squared import Batch, SquaredFits, joined, leading

LEAST_WIDTH = 2000  # columns below which the plain driver is as fast
FIRST_STRETCH, LONGEST_STRETCH = 6, 48  # strengths between two passes over X
FIRST_BATCH, LONGEST_BATCH = 5, 12  # strengths between two looks at the panel
MARGIN, WIDEST_MARGIN = 0.1, 0.4  # as the panel's, for X; it doubles when a column was missed
SHARE = 0.07  # of the columns of X that the panel may hold
COPIED_SHARE = 0.03  # where it holds copies: memory beyond X stays below three tenths of X
LEAST_PANEL = 600
SUSPECTS_AT_ONCE = 512
PATIENCE = 3  # strengths that may be walked back with the solution at hand


class ScreenedDriver:
    """Walks a grid of strengths for the squared loss on all rows of a dense X.

    Parameters
    ----------
    problem : Problem
    fits : SquaredFits with one fit
    l1_weights, l2_weights : ndarray of shape (n_features, 1)
    l1_ratio : float in (0, 1]
    tol : float
    """

    def __init__(self, problem: Problem, fits: SquaredFits, l1_weights, l2_weights, l1_ratio: float, tol: float):
        design = problem.design
        assert isinstance(design, DenseDesign)
        self.design, self.fits, self.tol, self.l1_ratio = design, fits, tol, l1_ratio
        self._l1, self._l2 = l1_weights[:, 0], (l2_weights[:, 0] if l1_ratio < 1 else None)
        self._inverse = np.divide(1.0, self._l1, out=np.zeros(len(self._l1)), where=self._l1 > 0)
        self._root = None if problem.sample_weight is None else np.sqrt(problem.sample_weight)
        self.null_objectives = fits.null_objectives
        theta = np.ascontiguousarray(fits.null_theta()[:, 0])
        shares = np.asarray(problem.weights, dtype=float)
        correlations, squares = design.first_pass(theta, shares, problem.fit_intercept)
        total = float(len(shares) if problem.sample_weight is None else np.sum(problem.sample_weight))
        self._norms = np.sqrt(total * squares) * (1 + 1e-9)
        self._longest = float((self._norms * self._inverse).max(initial=0.0))
        self.alpha_max = float((np.abs(correlations) * self._inverse).max(initial=0.0)) / l1_ratio
        self._outside = self._inverse.copy()  # 0 in the working set and for free columns
        share = SHARE if design.values.flags.f_contiguous else COPIED_SHARE
        self._panel = Panel(design, self._inverse, max(LEAST_PANEL, int(share * design.shape[1])))
        self._null = theta, correlations
        self.watch: Callable[[int, np.ndarray, np.ndarray], bool] | None = None  # sees what is certified; True: enough
        self._begin()

    def _begin(self) -> None:
        self._theta, self._correlations = self._null
        self._slopes: np.ndarray | None = None
        self._top = self._at = self.alpha_max * self.l1_ratio
        self._recent = self._theta[:, None], np.array([self._top])  # the last two certified dual points and strengths
        self._support, self._tightenings, self._margin = 0, 0, MARGIN
        self._base: tuple | None = None  # the arguments of `rewind` that lead back to the last settled strength
        self.result, self.enough = Certified(), False

    def restart(self, l1_ratio: float, l2_weights: np.ndarray) -> None:
        """Stand at the start of another grid, with what has been gathered of X."""
        self.alpha_max *= self.l1_ratio / l1_ratio
        self.l1_ratio, self._l2 = l1_ratio, (l2_weights[:, 0] if l1_ratio < 1 else None)
        self.fits.reset()
        self._begin()

    def run(self, alphas: np.ndarray) -> Certified:
        """Certify every strength of a decreasing grid."""
        self._strengths, self._ridges = alphas * self.l1_ratio, alphas * (1 - self.l1_ratio)
        done, stretch = 0, FIRST_STRETCH
        while done < len(alphas) and not self.enough:
            stop = self._look_ahead(done, min(done + stretch, len(alphas)))
            done += self._certify(done, self._walk(done, stop))
            stretch = min(2 * stretch, LONGEST_STRETCH)
        return self.result

    # --- between two passes ------------------------------------------------------------------------------------------

    def _look_ahead(self, start: int, stop: int) -> int:
        """Put on the panel what may be needed for the strengths start..stop; return the stop that fits on it."""
        most = self._panel.most if self._slopes is not None else min(self._panel.most, 4 * self.design.shape[0])
        while True:
            step = max(self._at - self._strengths[stop - 1], 0.0)
            moved = self._correlations - step * self._slopes if self._slopes is not None else self._correlations
            excess = np.abs(moved) * self._outside
            excess += (self._margin if self._slopes is not None else 1.0) * step - self._strengths[stop - 1]
            wanted = np.flatnonzero((excess >= 0) & (self._outside > 0))
            if len(wanted) <= most or stop - start <= LEAST_BATCH:
                break
            stop = start + max(LEAST_BATCH, (stop - start) * 2 // 3)
        self._panel.hold(_worst(wanted, excess[wanted], most))
        return stop

    def _walk(self, start: int, stop: int) -> Batch:
        """Solve the strengths start..stop, with working sets that are enough on the panel at the end of each batch."""
        self._panel.stand(*self._recent)
        batches: list[Batch] = []
        size = FIRST_BATCH
        while start < stop:
            end = self._plan(start, min(start + size, stop))
            while start < end:
                strengths, ridges = self._strengths[start:end], self._ridges[start:end]
                batch = self.fits.solve(strengths, ridges)
                self._panel.stand(batch.theta[:, -2:], strengths[-2:])
                good = self._check_on_panel(batch, strengths)
                if good:
                    batches.append(leading(batch, good))
                    self._base = batch, good - 1, strengths, ridges
                    self._support = int(batch.supports[0, good - 1])
                if end - start - good > PATIENCE:
                    self._return()
                start += good
            size = min(2 * size, LONGEST_BATCH)
        return joined(batches)

    def _check_on_panel(self, batch: Batch, strengths: np.ndarray) -> int:
        """How many strengths stand before the first that a column of the panel violates, if the last is violated."""
        features, excess = self._panel.violators(strengths[-1], self.tol / 4)
        if not self._grow(features, excess):
            return len(strengths)
        ratio = np.abs(self._panel.products(features, batch.theta)) * self._inverse[features, None]
        return int((ratio > strengths * (1 + self.tol / 4)).any(axis=0).argmax())

    def _plan(self, start: int, stop: int) -> int:
        """Grow the working set for the strengths start..stop; return the stop that bounds the newcomers."""
        while True:
            features, excess = self._panel.candidates(self._strengths[stop - 1])
            if len(features) <= max(NEWCOMERS, self._support) or stop - start <= LEAST_BATCH:
                break
            stop = start + max(LEAST_BATCH, (stop - start) * 2 // 3)
        self._grow(features, excess)
        return stop

    def _grow(self, features: np.ndarray, excess: np.ndarray) -> bool:
        """Take the worst of some features into the working set; whether there are any."""
        features = _worst(features, excess, max(NEWCOMERS, self._support))
        if len(features):
            self.fits.grow(features)
            self._outside[features] = 0.0
            self._panel.take(features)
        return len(features) > 0

    def _return(self) -> None:
        """Stand at the last strength that is settled; of a few strengths more the solution there is a better start."""
        if self._base is not None:
            self.fits.rewind(*self._base)
        else:
            self.fits.reset()

    # --- the certificate ---------------------------------------------------------------------------------------------

    def _certify(self, start: int, batch: Batch) -> int:
        """How many of the strengths from `start` on are final; they are recorded, violators of the others join."""
        count = batch.theta.shape[1]
        strengths, ridges = self._strengths[start : start + count], self._ridges[start : start + count]
        last = start + count == len(self._strengths)
        knots = Knots(batch.theta, self._theta, self._root, strengths, self._longest, min(count, 1 if last else 2))
        products = self.design.correlate(batch.theta[:, knots.at])
        self.result.n_passes += 1
        reading = self._read(batch, knots, products, strengths, ridges)
        gaps = self.fits.gaps(
            batch, strengths, ridges, reading.ratios[None], reading.conjugates[None] if self._l2 is not None else None
        )
        null = float(self.null_objectives[0])
        good = int(reading.first.min(initial=count))
        loose = np.flatnonzero(gaps[0, :good] > self.tol * (null if null > 0 else 1.0))
        if len(loose) and self._tightenings < TIGHTENINGS and self.fits.tighten():
            good, self._tightenings = int(loose[0]), self._tightenings + 1
        if good:
            self._tightenings = 0
            self._record(batch, start, good, gaps, reading)
            self._move(batch, good, knots.at, products, strengths, ridges)
        elif count == 1:
            self._move(batch, 1, knots.at, products, strengths, ridges)
        if good < count:
            violators = np.flatnonzero(reading.first < count)
            if self._grow(violators, reading.excess[violators]):
                self._margin = min(2 * self._margin, WIDEST_MARGIN)
            if count - good > PATIENCE:
                self._return()
        return good

    def _read(self, batch: Batch, knots: Knots, products: np.ndarray, strengths, ridges) -> Reading:
        reading = Reading(self._l1, self._l2, self._inverse, self._outside, strengths, ridges, self.tol / 4)
        points = batch.theta if self._root is None else _over_root(batch.theta, self._root)
        if len(self.fits.features):
            reading.read_inside(self.fits.features, DenseDesign(self.fits.columns).correlate(points), batch.coefs)
        reading.read_all(knots.at, products)
        known = np.concatenate([self._correlations[None], products.T]).T
        suspects = knots.suspects(known, self._norms, self._outside)
        for at in range(0, len(suspects), SUSPECTS_AT_ONCE):
            some = suspects[at : at + SUSPECTS_AT_ONCE]
            columns = np.empty((len(batch.theta), len(some)), order="F")
            self.design.gather(some, np.zeros(len(some)), None, columns)
            reading.read_some(some, knots.between, columns.T @ batch.theta[:, knots.between])
        return reading

    def _move(self, batch: Batch, good: int, at: np.ndarray, products: np.ndarray, strengths, ridges) -> None:
        """Stand at the last final strength; correlations and slopes are those of the last knot that is final."""
        self._base = batch, good - 1, strengths, ridges
        self._support = int(batch.supports[0, good - 1])
        theta, before = self._recent
        theta, before = np.hstack([theta, batch.theta[:, :good]]), np.concatenate([before, strengths[:good]])
        known = 2 if before[-2] > before[-1] else 1
        self._recent = np.asfortranarray(theta[:, -known:]), before[-known:]
        final = np.flatnonzero(at < good)
        if not len(final):
            return
        k = int(final[-1])
        latest, t = products[:, k], int(at[k])
        if k > 0:
            self._slopes = (products[:, k - 1] - latest) / (strengths[at[k - 1]] - strengths[t])
        elif self._at > strengths[t]:
            self._slopes = (self._correlations - latest) / (self._at - strengths[t])
        self._correlations, self._theta, self._at = latest, batch.theta[:, t], float(strengths[t])

    def _record(self, batch: Batch, start: int, good: int, gaps: np.ndarray, reading: Reading) -> None:
        keep, none = self.result, np.zeros((good, 0))
        keep.features.append(self.fits.features)
        keep.coefs.append(batch.coefs[:, :good])
        keep.intercepts.append(batch.intercept[:good])
        keep.free_coefs.append(batch.free_coefs[:, :good])
        keep.gaps.append(gaps[0, :good])
        keep.kkt.append(reading.kkt[:good])
        keep.steps.append(batch.steps[0, :good])
        keep.scores.append((none, none))
        if self.watch is not None:
            self.enough = self.watch(start, self.fits.features, batch.coefs[:, None, :good])


def _worst(features: np.ndarray, excess: np.ndarray, most: int) -> np.ndarray:
    """The `most` features of largest excess, rising."""
    if len(features) > most:
        features = np.sort(features[np.argpartition(-excess, most)[:most]])
    return features


def _over_root(theta: np.ndarray, root: np.ndarray) -> np.ndarray:
    return np.divide(theta, root[:, None], out=np.zeros_like(theta), where=root[:, None] > 0)
