"""Column-major arrays that grow by columns and cost memory only where they were written."""

import mmap
from tempfile import TemporaryFile

import numpy as np

from shrinkage import _core

_LARGE = 32 << 20  # bytes below which memory is always there
_HUGE = 4 << 20  # bytes from which huge pages, of 2 MB each, waste little
_RESERVE = 1 << 30  # bytes of address space that one array may reserve at first
_PRIVATE = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}


def reserve(rows: int, columns: int, on_disk: bool = False) -> np.ndarray:
    """Return a Fortran-ordered float64 array whose pages are taken from the system when first written.

    They are private, and huge in a large array where the system has such pages: shared small ones cost more than what
    is written to them.
    With `on_disk` the pages of a large array belong to a temporary file without a name, so the system may write them
    out.
    """
    size = max(rows * columns * 8, 8)
    if on_disk and size >= _LARGE:
        with TemporaryFile(prefix="shrinkage-") as file:  # its disk space is given back with the array
            file.truncate(size)
            buffer = mmap.mmap(file.fileno(), size)
    else:
        buffer = mmap.mmap(-1, size, **_PRIVATE)
        if size >= _HUGE and hasattr(mmap, "MADV_HUGEPAGE"):
            buffer.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(buffer, dtype=np.float64, count=rows * columns).reshape((rows, columns), order="F")


class Columns:
    """A (rows, size) matrix that columns are appended to; `on_disk` as in `reserve`."""

    def __init__(self, rows: int, likely: int, on_disk: bool = False):
        self.rows, self._on_disk = rows, on_disk
        self.size = 0
        self._values = reserve(rows, max(1, min(likely, _RESERVE // max(8 * rows, 1))), on_disk)

    @property
    def values(self) -> np.ndarray:
        """The (rows, size) columns present, Fortran-ordered, without a copy."""
        return self._values[:, : self.size]

    def append(self, count: int) -> np.ndarray:
        """Make room for `count` columns and return them, to be filled."""
        if self.size + count > self._values.shape[1]:
            grown = reserve(self.rows, max(2 * self._values.shape[1], self.size + count), self._on_disk)
            grown[:, : self.size] = self.values
            self._values = grown
        self.size += count
        return self._values[:, self.size - count : self.size]


class Square:
    """A symmetric (size, size) matrix that grows at its end; both triangles are kept.

    It moves to a larger place when it is full. A place costs memory for the columns present, but for whole ones.
    """

    def __init__(self, capacity: int = 256):
        self.size = 0
        self._values = reserve(capacity, capacity)

    @property
    def values(self) -> np.ndarray:
        """The (size, size) matrix, unit stride down its columns."""
        return self._values[: self.size, : self.size]

    def append(self, columns: np.ndarray) -> None:
        """Append k rows and columns, given as the (size + k, k) block of new columns."""
        old, total = self.size, len(columns)
        self._resize(total)
        self._values[:total, old:total] = columns
        self._values[old:total, :old] = columns[:old].T

    def extend(self, columns: np.ndarray) -> None:
        """Become columns.T @ columns (rows, size + k), whose first `size` columns are in it already."""
        old = self.size
        self._resize(columns.shape[1])
        _core.extend_gram(columns, old, self.values)

    def _resize(self, size: int) -> None:
        if size > self._values.shape[0]:
            capacity = max(3 * self._values.shape[0] // 2, size)
            grown = reserve(capacity, capacity)
            grown[: self.size, : self.size] = self.values
            self._values = grown
        self.size = size
