"""A matrix stored value by value, in any order of memory."""

import numpy as np
from numpy.typing import NDArray

from shrinkage import _core
from shrinkage.design import _arguments
from shrinkage.design._native import NativeDesign

_BLOCK = 1 << 20  # values looked at together when searching for one that is not finite


class DenseDesign(NativeDesign):
    """A dense float64 or float32 array, read where it lies.

    Column-major, row-major and strided arrays, read-only ones and memory maps are all read in place; other orders
    than the first two pass through a small buffer. float32 values are widened as they are read, so sums are float64.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_features), float64 or float32
        Kept, neither copied nor written to.
    feature_names : tuple of str, optional
    converted_from : str, optional
        What the values were before they were copied.

    Examples
    --------
    >>> import numpy as np
    >>> design = DenseDesign(np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> design.correlate(np.array([[1.0], [1.0]]))
    array([[4.],
           [6.]])
    """

    __slots__ = ("values",)
    is_sparse = False

    def __init__(
        self,
        values: NDArray[np.floating],
        feature_names: tuple[str, ...] | None = None,
        converted_from: str | None = None,
    ) -> None:
        self.values = values
        rows, columns = values.shape
        super().__init__(_core.Dense(values), (rows, columns), values.dtype, feature_names, converted_from)

    def __reduce__(self):
        """Pickle the values; the core's view of them is made anew."""
        return DenseDesign, (self.values, self.feature_names, self.converted_from)

    def first_pass(self, r: NDArray[np.float64], shares: NDArray[np.float64], centered: bool):
        """Return ``X.T @ r`` and ``sum_i shares_i (x_ij - m_j)**2`` of every column, in one reading of X.

        Parameters
        ----------
        r, shares : ndarray of shape (n_samples,)
            Shares sum to 1; m_j is their mean of column j.
        centered : bool
            m_j is 0 if not.

        Returns
        -------
        products, squares : ndarray of shape (n_features,)
        """
        n, p = self.shape
        r, shares = _arguments.vector(r, "r", n), _arguments.vector(shares, "shares", n)
        products, squares, core = np.empty(p), np.empty(p), self._core
        assert isinstance(core, _core.Dense)
        core.first_pass(r[:, None], shares, centered, products[:, None], squares)
        return products, squares

    def first_not_finite(self) -> tuple[int, int] | None:
        """Return the first row, and in it the first column, with a NaN or infinity; None if there is none."""
        rows, columns = self.shape
        if self.values.flags.f_contiguous and not self.values.flags.c_contiguous:
            return self._first_by_columns(max(1, _BLOCK // rows))
        step = max(1, _BLOCK // columns)
        for start in range(0, rows, step):
            bad = ~np.isfinite(self.values[start : start + step])
            if bad.any():
                row, column = np.unravel_index(bad.argmax(), bad.shape)
                return start + int(row), int(column)
        return None

    def _first_by_columns(self, step: int) -> tuple[int, int] | None:
        found = []
        for start in range(0, self.shape[1], step):
            bad = ~np.isfinite(self.values[:, start : start + step])
            if bad.any():
                row = int(bad.any(axis=1).argmax())
                found.append((row, start + int(bad[row].argmax())))
        return min(found, default=None)
