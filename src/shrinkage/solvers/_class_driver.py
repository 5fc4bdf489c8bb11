"""A grid of strengths walked for all classes of a multinomial model at once."""

import numpy as np
from scipy import sparse

from shrinkage.design import BlockDesign
from shrinkage.solvers._batches import BLOCKS, LAST_BATCH, LEAST_BATCH, MARGIN, SMALL, Driver


class ClassDriver(Driver):
    """The walk of `Driver` where each fit has K columns of residuals, one for each class.

    A pass reads all of them; a feature violates at a strength where it does in some class. Correlations and slopes are
    (n_features, K, n_fits). Fits have `n_classes`, K.
    """

    @property
    def _n_classes(self) -> int:
        return self.fits.n_classes

    def _tops(self) -> np.ndarray:
        self.correlations = self.correlations.reshape((len(self.l1), self._n_classes, -1), order="F")
        return (np.abs(self.correlations).max(axis=1) * self.inverse).max(axis=0, initial=0.0)

    def _takes_all(self, count: int) -> bool:
        n, p = self.design.shape
        columns = self.fits.n_fits * self._n_classes * count
        return self.watch is None and p * self._n_classes <= 100 and 8 * (2 * n + p) * columns <= SMALL

    def _longest_batch(self) -> int:
        n, p = self.design.shape
        most = BLOCKS if isinstance(self.design, BlockDesign) else max(32 << 20, n * p // 2)
        columns = most // (8 * (n + p) * self.fits.n_fits * self._n_classes)
        return int(np.clip(columns, LEAST_BATCH, LAST_BATCH))

    def _predicted(self, step: float) -> np.ndarray:
        if self.slopes is None:
            moved, allowance = np.abs(self.correlations).max(axis=1), step
        else:
            moved, allowance = np.abs(self.correlations - step * self.slopes).max(axis=1), MARGIN * step
        return (moved * self.inverse).max(axis=1) + allowance

    def _read(self, batch, strengths: np.ndarray, ridges: np.ndarray):
        """What `Design.scan` reads where a strength counts once for every class, put together again."""
        K, count, p = self._n_classes, len(strengths), self.design.shape[1]
        theta = self.fits.by_class(batch.theta)
        correlations = np.empty((p, theta.shape[1]), order="F")
        max_ratio, conjugate, first, excess = self.design.scan(
            theta, np.repeat(strengths, K), self.l1, self.inside, self.tol / 4, self.l2, correlations
        )
        max_ratio = max_ratio.reshape((-1, count, K)).max(axis=2)
        conjugate = conjugate.reshape((-1, count, K)).sum(axis=2)
        shaped = correlations.reshape((p, K, count, -1), order="F")
        return (max_ratio, conjugate, first // K, excess), shaped.transpose(0, 1, 3, 2)

    def _violations_of(self, batch, good: int, seen, scan, strengths, ridges) -> np.ndarray:
        worst, features = np.empty(good), self.fits.features[: len(batch.coefs) // self._n_classes]
        for t in range(good):
            W = batch.coefs[:, t].reshape((-1, self._n_classes))
            bound, c = strengths[t] * self.l1[:, :1], seen[:, :, 0, t].copy()
            if self.l2 is not None:
                c[features] -= ridges[t] * self.l2[features, :1] * W
            bad = np.maximum(np.abs(c) - bound, 0.0)
            bad[features] = np.where(W != 0, np.abs(c[features] - bound[features] * np.sign(W)), bad[features])
            worst[t] = bad.max(where=self.penalized[:, :1], initial=0.0)
        return worst


def class_columns(p: int, n_classes: int, free: np.ndarray, certified) -> sparse.csc_array:
    """Coefficients on growing working sets, and of the free columns, as one (K p, n_strengths) CSC array."""
    rows, columns, values, at = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)], 0
    free_rows = (p * np.arange(n_classes)[:, None] + free).ravel()
    for features, block, free_block in zip(certified.features, certified.coefs, certified.free_coefs, strict=True):
        own = (features[: len(block) // n_classes, None] + p * np.arange(n_classes)).ravel()
        for places, some in ((own, block), (free_rows, free_block)):
            i, t = np.nonzero(some)
            rows.append(places[i])
            columns.append(t + at)
            values.append(some[i, t])
        at += block.shape[1]
    index = (np.concatenate(rows), np.concatenate(columns))
    result = sparse.csc_array(sparse.coo_array((np.concatenate(values), index), shape=(n_classes * p, at)))
    result.sort_indices()
    return result
