"""Paths and folds on a wide sparse X: a pass multiplies a few dual points of each fit, a bound certifies the others."""

from typing import Any

import numpy as np

from shrinkage.design import SparseDesign
from shrinkage.solvers._batches import Driver
from shrinkage.solvers._knots import Knots
from shrinkage.solvers._reading import Reading
from shrinkage.solvers._sparse_fits import SparseFits

LEAST_WIDTH = 2000  # columns below which products with all dual points cost as little
KNOTS_AT_END = 2  # from which the next slopes are read
CLOSE = 0.6  # as of `Knots`: larger than on a dense X, for to multiply a column out costs next to nothing


MARGIN_OF_MODELS = 0.3  # of smooth losses: a column more costs a product, a column missed the models of a batch


class SparseDriver(Driver):
    """As `Driver`, of whose certificates most are bounds.

    A product with a sparse X costs an irregular access for each stored value and each panel of right-hand sides, so
    that few dual points are certified much sooner than many. Columns that a bound cannot settle are multiplied out.

    Parameters
    ----------
    As `Driver`; the design is sparse.
    """

    first_batch, newcomers = 8, 200
    design: SparseDesign
    _norms = np.zeros(0)  # of the columns, from the first pass on

    @property
    def margin(self) -> float:
        return super().margin if isinstance(self.fits, SparseFits) else MARGIN_OF_MODELS

    def _prepare(self) -> None:
        # dual points sum to 0 where there is an intercept, and their products with a column are those with the
        # column less its mean; without one nothing may be taken off
        self._norms = np.sqrt(self.design.column_squares(self.centered)) * (1 + 1e-9)
        self._longest = (self._norms[:, None] * self.inverse).max(axis=0, initial=0.0)
        self._theta = self.fits.null_theta()

    def _look_ahead(self, start: int, stop: int) -> int:
        return stop if isinstance(self.fits, SparseFits) and self.fits.takes_all() else super()._look_ahead(start, stop)

    def _until_missed(self, first: np.ndarray, count: int) -> int:
        everything = isinstance(self.fits, SparseFits) and self.fits.holds_all
        return count if everything else super()._until_missed(first, count)

    def _read(self, batch, strengths: np.ndarray, ridges: np.ndarray) -> tuple[Any, Any]:
        if not len(self._norms):
            self._prepare()
        count = len(strengths)
        points = [batch.theta[:, f * count : (f + 1) * count] for f in range(self.fits.n_fits)]
        knots = [
            Knots(theta, self._theta[:, f], None, strengths, self._longest[f], min(count, KNOTS_AT_END), CLOSE)
            for f, theta in enumerate(points)
        ]
        products = self.design.correlate(
            np.asfortranarray(np.hstack([theta[:, k.at] for theta, k in zip(points, knots, strict=True)]))
        )
        ends = np.cumsum([0, *(len(k.at) for k in knots)])
        parts = [products[:, ends[f] : ends[f + 1]] for f in range(len(knots))]
        readings = [
            self._read_fit(f, batch.coefs[:, f * count : (f + 1) * count], points[f], knots[f], parts[f], ridges)
            for f in range(len(knots))
        ]
        worst = np.maximum.reduce([reading.excess for reading in readings])
        first = np.minimum.reduce([reading.first for reading in readings])
        ratios, conjugates = (np.array([getattr(r, name) for r in readings]) for name in ("ratios", "conjugates"))
        return (ratios, conjugates, first, worst), (points, knots, parts, readings[0].kkt)

    def _read_fit(self, f: int, coefs, theta: np.ndarray, knots: Knots, products: np.ndarray, ridges) -> Reading:
        inverse, l2 = self.inverse[:, f], None if self.l2 is None else self.l2[:, f]
        outside = inverse * ~self.inside
        reading = Reading(self.l1[:, f], l2, inverse, outside, knots.strengths, ridges, self.tol / 4)
        features = self.fits.features
        own = slice(None) if inverse[features].all() else np.flatnonzero(inverse[features])
        reading.read_inside(features[own], self.design.correlate_some(features[own], theta), coefs[own])
        reading.read_all(knots.at, products)
        known = np.empty((len(products), 1 + products.shape[1]), order="F")
        known[:, 0], known[:, 1:] = self.correlations[:, f], products
        suspects = knots.suspects(known, self._norms, outside)
        if len(suspects):
            exact = self.design.correlate_some(suspects, np.asfortranarray(theta[:, knots.between]))
            reading.read_some(suspects, knots.between, exact)
        return reading

    def _move(self, good: int, seen, strengths: np.ndarray) -> None:
        """Stand at the last final strength that is a knot of every fit; slopes lead there from the one before."""
        points, knots, products, _ = seen
        common = [t for t in knots[0].at if t < good and all(t in k.at for k in knots)]
        if not common:
            return
        t, before = common[-1], common[-2] if len(common) > 1 else None
        at = [int(np.searchsorted(k.at, t)) for k in knots]
        latest = np.stack([part[:, i] for part, i in zip(products, at, strict=True)], axis=1)
        if before is not None:
            prior = [part[:, np.searchsorted(k.at, before)] for part, k in zip(products, knots, strict=True)]
            self.slopes = (np.stack(prior, axis=1) - latest) / (strengths[before] - strengths[t])
        elif self.at > strengths[t]:
            self.slopes = (self.correlations - latest) / (self.at - strengths[t])
        self._theta = np.stack([theta[:, t] for theta in points], axis=1)
        self.correlations, self.at = latest, float(strengths[t])

    def _violations_of(self, batch, good: int, seen, scan, strengths, ridges) -> np.ndarray:
        return seen[3][:good]
