"""Column-major arrays that grow by columns and cost memory only where they were written."""

import mmap
from tempfile import TemporaryFile

import numpy as np

_LARGE = 32 << 20  # bytes below which memory is always there
_RESERVE = 1 << 30  # bytes of address space that one array may reserve at first


def reserve(rows: int, columns: int, on_disk: bool = False) -> np.ndarray:
    """Return a Fortran-ordered float64 array whose pages are taken from the system when first written.

    NumPy asks for huge pages, which a matrix filled column by column from the top would touch whole. With `on_disk` the
    pages of a large array belong to a temporary file without a name, so the system may write them out.
    """
    size = max(rows * columns * 8, 8)
    if on_disk and size >= _LARGE:
        with TemporaryFile(prefix="shrinkage-") as file:  # its disk space is given back with the array
            file.truncate(size)
            buffer = mmap.mmap(file.fileno(), size)
    else:
        buffer = mmap.mmap(-1, size)
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
    """A symmetric (size, size) matrix that grows at its end; both triangles are kept."""

    def __init__(self, likely: int):
        likely = max(1, min(likely, int((_RESERVE / 8) ** 0.5)))
        self.size = 0
        self._values = reserve(likely, likely)

    @property
    def values(self) -> np.ndarray:
        """The (size, size) matrix, unit stride down its columns."""
        return self._values[: self.size, : self.size]

    def append(self, columns: np.ndarray) -> None:
        """Append k rows and columns, given as the (size + k, k) block of new columns."""
        total = len(columns)
        if total > self._values.shape[0]:
            capacity = max(2 * self._values.shape[0], total)
            grown = reserve(capacity, capacity)
            grown[: self.size, : self.size] = self.values
            self._values = grown
        self._values[:total, self.size : total] = columns
        self._values[self.size : total, : self.size] = columns[: self.size].T
        self.size = total
