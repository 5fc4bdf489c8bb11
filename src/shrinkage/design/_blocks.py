"""A matrix larger than memory, read block of rows by block of rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shrinkage._errors import ArgumentError
from shrinkage.design import _arguments
from shrinkage.design._dense import DenseDesign
from shrinkage.design._native import EPSILON
from shrinkage.design._protocol import Array, Indices, Scan
from shrinkage.design._row_blocks import PickedBlocks, RowBlocks
from shrinkage.design._scan_columns import scan_columns

_DRIFT = 1e6
"""Squared distances to a mean are summed anew where the first guess of it was this many variances away."""
_CONSTANT = 1e-13
"""A first guess within this share of the mean was a good one: where little varies around it, the column is constant."""


@dataclass(frozen=True)
class Progress:
    """How far one reading of the data has come.

    Attributes
    ----------
    stage : str
        What the reading is for, in a word or two, such as "moments".
    done, total : int
        Rows read so far, and rows in all.
    reading : int
        1 for the first reading of the data, 2 for the next, and so on.
    """

    stage: str
    done: int
    total: int
    reading: int


class BlockDesign:
    """The products of a matrix whose rows come in blocks: each is a sum, or a stack, over blocks.

    Only one block is in memory at a time. Blocks do not depend on the number of threads, nor do results.

    Parameters
    ----------
    source : RowBlocks
    progress : callable, optional
        Called with a `Progress` after each block. What it raises ends the computation.
    state : path of a folder, optional
        Where sums over finished blocks are kept, for a later run to go on from.

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage.design import open_blocks
    >>> design = open_blocks(np.arange(12.0).reshape(6, 2), rows=4)
    >>> design.correlate(np.ones((6, 1)))
    array([[30.],
           [36.]])
    """

    is_sparse = False

    def __init__(
        self,
        source: RowBlocks,
        progress: Callable[[Progress], object] | None = None,
        state: Path | None = None,
    ) -> None:
        self._source, self._progress, self.state = source, progress, state
        self.shape, self.dtype = source.shape, source.dtype
        self.feature_names, self.converted_from = source.feature_names, source.converted_from
        self.readings = 0

    def blocks(self, stage: str) -> Iterator[tuple[int, int, NDArray[np.floating]]]:
        """Yield (first row, row after the last, values) of every block; `stage` is what `Progress` says of it."""
        self.readings += 1
        reading, start = self.readings, 0
        for values in self._source.blocks():
            stop = start + len(values)
            yield start, stop, values
            if self._progress is not None:
                self._progress(Progress(stage, stop, self.shape[0], reading))
            start = stop

    def take(self, rows: NDArray[np.int64]) -> "BlockDesign":
        """Return the design of some rows, given by rising numbers; they are read with all the others."""
        return BlockDesign(PickedBlocks(self._source, rows), self._progress, self.state)

    def first_not_finite(self) -> tuple[int, int] | None:
        """Return the first row, and in it the first column, with a NaN or infinity; None if there is none."""
        for start, _, values in self.blocks("search for values that are not finite"):
            found = DenseDesign(values).first_not_finite()
            if found is not None:
                return start + found[0], found[1]
        return None

    def correlate(self, R: Array) -> Array:
        """Return ``X.T @ R``; see `Design.correlate`."""
        n, p = self.shape
        R = _arguments.columns(R, "R", n)
        out = np.zeros((p, R.shape[1]), order="F")
        for start, stop, values in self.blocks("correlations"):
            out += DenseDesign(values).correlate(R[start:stop])
        return out

    def combine(self, features: Indices, B: Array) -> Array:
        """Return ``X[:, features] @ B``; see `Design.combine`."""
        n, p = self.shape
        features = _arguments.indices(features, p)
        B = _arguments.columns(B, "B", features.size)
        out = _arguments.empty(n, B.shape[1])
        for start, stop, values in self.blocks("predictions"):
            out[start:stop] = DenseDesign(values).combine(features, B)
        return out

    def gram(self, new: Indices, old: Indices, weights: Array | None = None) -> Array:
        """Return ``X[:, new].T @ diag(weights) @ X[:, old]``; see `Design.gram`."""
        n, p = self.shape
        left = _arguments.indices(new, p)
        right = left if old is new else _arguments.indices(old, p)
        weights = _arguments.optional_vector(weights, "weights", n)
        out = np.zeros((left.size, right.size), order="F")
        for start, stop, values in self.blocks("Gram matrix"):
            out += DenseDesign(values).gram(left, right, None if weights is None else weights[start:stop])
        return out

    def gather(self, features: Indices, shift: Array, row_scale: Array | None, out: Array) -> Array:
        """Write shifted and scaled columns to `out`; see `Design.gather`."""
        n, p = self.shape
        features = _arguments.indices(features, p)
        m = features.size
        shift = _arguments.vector(shift, "shift", m)
        row_scale = _arguments.optional_vector(row_scale, "row_scale", n)
        _arguments.out_matrix(out, "out", (n, m))
        for start, stop, values in self.blocks("columns"):
            scale = None if row_scale is None else row_scale[start:stop]
            out[start:stop] = DenseDesign(values).gather(features, shift, scale, _arguments.empty(stop - start, m))
        return out

    @np.errstate(over="ignore", invalid="ignore")  # `check_entries` says so, in words
    def column_moments(self, weights: ArrayLike | None = None) -> tuple[Array, Array]:
        """Return weighted means and variances; see `Design.column_moments`.

        One pass, which measures every column from its mean in the first block; a second one where that is far off.
        """
        n = self.shape[0]
        share = np.full((n, 1), 1.0 / n) if weights is None else _arguments.columns(weights, "weights", n)
        sums = share.sum(axis=0)
        if not (sums > 0).all():
            raise ArgumentError(f"every column of weights must have a positive sum; got {sums.min()}")
        share = np.asfortranarray(share / sums)
        near = self._means_of_first_block()
        means, variances, drift = self._deviations(
            share, np.asfortranarray(np.repeat(near[:, None], share.shape[1], 1))
        )
        if ((drift**2 > _DRIFT * variances) & (np.abs(drift) > _CONSTANT * np.abs(means))).any():
            means, variances, _ = self._deviations(share, means)
        # a constant column leaves the rounding error of its mean, far below any spread that float64 can hold
        variances[variances <= (2 * EPSILON * means) ** 2] = 0.0
        return means, variances

    def _means_of_first_block(self) -> Array:
        return next(iter(self._source.blocks())).mean(axis=0, dtype=np.float64)

    def _deviations(self, share: Array, means: Array) -> tuple[Array, Array, Array]:
        """Means, variances, and how far the means are from those that deviations were measured from."""
        p, k = self.shape[1], share.shape[1]
        first, second = np.zeros((p, k), order="F"), np.zeros((p, k), order="F")
        for start, stop, values in self.blocks("means and variances"):
            deviation, square = _arguments.empty(p, k), _arguments.empty(p, k)
            core = DenseDesign(values)._core
            core.deviations(np.asfortranarray(share[start:stop]), means, deviation, square)
            first += deviation
            second += square
        return means + first, second - first**2, first

    def scan(
        self,
        theta: Array,
        strengths: Array,
        l1_weights: Array,
        inside: NDArray[np.bool_],
        tol: float,
        l2_weights: Array | None,
        C: Array,
    ) -> Scan:
        """Write ``C = X.T @ theta`` and return what it says; see `Design.scan`."""
        C[:] = self.correlate(theta)
        return scan_columns(C, strengths, l1_weights, inside, tol, l2_weights)
