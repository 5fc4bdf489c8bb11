"""Where the blocks of rows of a matrix larger than memory come from, other than Parquet."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from shrinkage._errors import DataError
from shrinkage.design._as_design import as_design

BLOCK_BYTES = 64 << 20
"""Bytes of X per block in float64: enough rows for two threads to share the moments of a thousand columns."""
LEAST_ROWS = 256
"""Fewer rows than this, and adding up the products of blocks costs as much as the products."""
LEAST_SEGMENT = 8192
"""Rows per block of a column-major array: shorter pieces of its columns are slow to read from a disk."""


class RowBlocks(Protocol):
    """The rows of a matrix in blocks, from the first to the last, as often as they are asked for.

    Attributes
    ----------
    shape : tuple of int
        (n_samples, n_features).
    dtype : numpy.dtype
        float64 or float32: of every block.
    feature_names : tuple of str or None
    converted_from : str or None
        The type of the numbers, where it is another than that of the blocks.
    """

    shape: tuple[int, int]
    dtype: np.dtype
    feature_names: tuple[str, ...] | None
    converted_from: str | None

    def blocks(self) -> Iterator[NDArray[np.floating]]:
        """Yield matrices of shape (rows, n_features); the same ones every time."""
        ...


class ArrayBlocks:
    """Blocks of rows of an array, such as a memory map; each block is opened anew, so none stays in memory.

    Parameters
    ----------
    open_array : callable without arguments
        Returns the array, of shape (n_samples, n_features): for a file a new map of it.
    rows : int, optional
        Rows per block; None makes blocks of some 64 MB.
    """

    feature_names: tuple[str, ...] | None = None

    def __init__(self, open_array: Callable[[], NDArray], rows: int | None = None):
        self._open = open_array
        array = open_array()
        n, p = array.shape
        first = as_design(array[:1])
        self.shape, self.dtype, self.converted_from = (n, p), first.dtype, first.converted_from
        by_columns = array.flags.f_contiguous and not array.flags.c_contiguous
        self._rows = rows or rows_per_block(p, LEAST_SEGMENT if by_columns else LEAST_ROWS)

    def blocks(self) -> Iterator[NDArray[np.floating]]:
        """Yield blocks of rows; see `RowBlocks.blocks`."""
        for start in range(0, self.shape[0], self._rows):
            yield np.asarray(self._open()[start : start + self._rows], dtype=self.dtype)


class NpyBlocks(ArrayBlocks):
    """Blocks of rows of a file that `numpy.save` wrote.

    Parameters
    ----------
    path : path of a .npy file
    rows : int, optional
    """

    def __init__(self, path: Path, rows: int | None = None):
        self.path = path
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            raise DataError(f"{path}: no such file; looked in {Path.cwd()}") from None
        except (ValueError, OSError, EOFError) as error:
            raise DataError(f"{path} cannot be read as an array of numpy.save: {error}") from None
        as_design(array[:1])  # refuses what is no matrix of numbers before a block is asked for
        super().__init__(self._map, rows)

    def _map(self) -> NDArray:
        return np.load(self.path, mmap_mode="r", allow_pickle=False)


class CalledBlocks:
    """Blocks of rows as a function makes them; one call of it, and one pass, counts the rows beforehand.

    Parameters
    ----------
    make_blocks : callable without arguments
        Returns an iterable of matrices or tables that all have the same columns: the same ones at every call.
    """

    def __init__(self, make_blocks: Callable[[], Iterable[Any]]):
        self._make = make_blocks
        self._sizes: list[int] = []
        self.feature_names: tuple[str, ...] | None = None
        self.converted_from: str | None = None
        dtypes, p = set(), 0
        for block in make_blocks():
            design: Any = as_design(block)
            if not self._sizes:
                p, self.feature_names, self.converted_from = (
                    design.shape[1], design.feature_names, design.converted_from
                )  # fmt: skip
            self._check(len(self._sizes), design, p)
            self._sizes.append(design.shape[0])
            dtypes.add(design.dtype)
        if not self._sizes:
            raise DataError("the function must make at least one block of rows; it made none")
        self.shape: tuple[int, int] = (sum(self._sizes), p)
        self.dtype: np.dtype = np.result_type(*dtypes)

    def blocks(self) -> Iterator[NDArray[np.floating]]:
        """Yield the blocks of another call; see `RowBlocks.blocks`."""
        k = -1
        for k, block in enumerate(self._make()):
            design: Any = as_design(block)
            self._check(k, design, self.shape[1])
            if k >= len(self._sizes) or design.shape[0] != self._sizes[k]:
                before = self._sizes[k] if k < len(self._sizes) else "none"
                raise DataError(
                    f"the function must make the same blocks at every call; block {k} has {design.shape[0]} rows, "
                    f"before it had {before}"
                )
            yield np.asarray(design.values, dtype=self.dtype)
        if k + 1 < len(self._sizes):
            raise DataError(
                f"the function must make the same blocks at every call; it made {k + 1}, before {len(self._sizes)}"
            )

    def _check(self, k: int, design: Any, p: int) -> None:
        if design.is_sparse:
            raise DataError(f"blocks must be dense; block {k} is sparse: a sparse X is read whole, by as_design")
        if design.shape[1] != p or design.feature_names != self.feature_names:
            raise DataError(
                f"all blocks must have the same columns; block {k} has {design.shape[1]}, the first {p}"
                + (", or others by name" if design.shape[1] == p else "")
            )


class PickedBlocks:
    """Some rows of another matrix, in its order.

    Parameters
    ----------
    source : RowBlocks
    rows : ndarray of shape (m,), integer, rising
    """

    def __init__(self, source: RowBlocks, rows: NDArray[np.int64]):
        self._source, self._rows = source, rows
        self.shape = (len(rows), source.shape[1])
        self.dtype, self.feature_names, self.converted_from = source.dtype, source.feature_names, source.converted_from

    def blocks(self) -> Iterator[NDArray[np.floating]]:
        """Yield what is picked of each block of the other; see `RowBlocks.blocks`."""
        start = 0
        for block in self._source.blocks():
            low, high = np.searchsorted(self._rows, [start, start + len(block)])
            if high > low:
                yield block[self._rows[low:high] - start]
            start += len(block)


def rows_per_block(n_features: int, least: int = LEAST_ROWS) -> int:
    """Rows that make a block of some 64 MB in float64."""
    return max(least, BLOCK_BYTES // (8 * n_features))
