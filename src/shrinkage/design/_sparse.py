"""A matrix stored by the non-zero values of each column."""

import numpy as np
from numpy.typing import NDArray

from shrinkage import _core
from shrinkage._errors import DataError
from shrinkage._threads import blas_alone
from shrinkage.design import _arguments
from shrinkage.design._native import NativeDesign


class SparseDesign(NativeDesign):
    """Compressed columns, float64 or float32.

    Each product costs a multiply-add per stored value and column of the other factor. Explicit zeros are allowed, and
    so is any order of the rows within a column; a row may come only once in a column.

    Parameters
    ----------
    n_samples : int
        At most 2**31 - 1.
    indptr : ndarray of shape (n_features + 1,), integer
        Where each column begins in `indices` and `data`.
    indices : ndarray of shape (n_stored,), integer
        The row of each stored value.
    data : ndarray of shape (n_stored,), float64 or float32
        Kept, neither copied nor written to.
    feature_names : tuple of str, optional
    converted_from : str, optional
        What the matrix was before it was copied.

    Raises
    ------
    DataError
        If the indices do not describe a matrix with `n_samples` rows.

    Examples
    --------
    >>> import numpy as np
    >>> design = SparseDesign(3, np.array([0, 1, 2]), np.array([0, 2]), np.array([5.0, 7.0]))
    >>> design.shape
    (3, 2)
    >>> design.correlate(np.array([[1.0], [1.0], [2.0]]))
    array([[ 5.],
           [14.]])
    """

    __slots__ = ("_arrays",)
    is_sparse = True
    _core: _core.Sparse

    def __init__(
        self,
        n_samples: int,
        indptr: NDArray[np.integer],
        indices: NDArray[np.integer],
        data: NDArray[np.floating],
        feature_names: tuple[str, ...] | None = None,
        converted_from: str | None = None,
    ) -> None:
        check_columns(n_samples, indptr, indices, data)
        starts = np.ascontiguousarray(indptr, dtype=np.int64)
        rows = np.ascontiguousarray(indices, dtype=np.int32)
        values = np.ascontiguousarray(data)
        self._arrays = starts, rows, values
        core = _core.Sparse(n_samples, starts, rows, values)
        super().__init__(core, (n_samples, starts.size - 1), values.dtype, feature_names, converted_from)

    def __reduce__(self):
        """Pickle the arrays; the core's view of them is made anew."""
        return SparseDesign, (self.shape[0], *self._arrays, self.feature_names, self.converted_from)

    def csc(self) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.floating]]:
        """Return ``(indptr, indices, data)``: column j holds ``data[indptr[j]:indptr[j+1]]``; not copies."""
        return self._arrays

    @blas_alone
    def correlate_some(self, features: NDArray[np.integer], R: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``X[:, features].T @ R``, column-major; the other columns are not read."""
        n, p = self.shape
        features, R = _arguments.indices(features, p), _arguments.columns(R, "R", n)
        out = _arguments.empty(features.size, R.shape[1])
        self._core.correlate_some(features, R, out)
        return out

    def column_squares(self, centered: bool) -> NDArray[np.float64]:
        """Return the sum of each column's squares, about its mean if `centered`, up to rounding of the squares."""
        n, p = self.shape
        sums, squares = _arguments.empty(p, 1), _arguments.empty(p, 1)
        self._core.deviations(None, np.zeros((p, 1), order="F"), sums, squares)
        sums, squares = sums[:, 0], squares[:, 0]
        return np.maximum(squares - sums**2 / n, 0.0) + 1e-11 * squares if centered else squares

    def first_not_finite(self) -> tuple[int, int] | None:
        """Return the first row, and in it the first column, with a NaN or infinity; None if there is none."""
        starts, rows, values = self._arrays
        bad = np.flatnonzero(~np.isfinite(values))
        if not bad.size:
            return None
        columns = np.searchsorted(starts, bad, side="right") - 1
        first = np.lexsort((columns, rows[bad]))[0]
        return int(rows[bad[first]]), int(columns[first])


def check_columns(
    n_samples: int, indptr: NDArray[np.integer], indices: NDArray[np.integer], data: NDArray[np.floating]
) -> None:
    """Raise `DataError` unless these are compressed columns of a matrix with `n_samples` rows."""
    if n_samples > np.iinfo(np.int32).max:
        raise DataError(f"a sparse X must have at most {np.iinfo(np.int32).max} rows; got {n_samples}")
    if indptr[0] != 0 or (np.diff(indptr) < 0).any() or indptr[-1] > min(indices.size, data.size):
        raise DataError("indptr of the sparse X must start at 0, never fall, and end at the number of values")
    if indices.size and (indices.min() < 0 or indices.max() >= n_samples):
        wrong = indices[(indices < 0) | (indices >= n_samples)][0]
        raise DataError(f"the row indices of the sparse X must be between 0 and {n_samples - 1}; got {wrong}")
