"""The door: anything that looks like a matrix becomes a `Design`."""

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shrinkage._errors import ArgumentError, DataError
from shrinkage.design import _tables
from shrinkage.design._dense import DenseDesign
from shrinkage.design._protocol import Design
from shrinkage.design._sparse import SparseDesign, check_columns


def as_design(X: Any, feature_names: Sequence[str] | None = None) -> Design:
    """Return X as a `Design`, without a copy wherever its values can be read as they are.

    Parameters
    ----------
    X : matrix of shape (n_samples, n_features)
        A NumPy array of any order or stride, read-only or memory-mapped; a SciPy sparse array or matrix; a pandas,
        polars or pyarrow table; nested lists; or a `Design`, which is returned. float64 and float32 arrays are read
        in place (compressed columns too); other numbers are converted to float64 once, other sparse formats to
        compressed columns, and then `Design.converted_from` says from what. Columns of bool count as 0 and 1.
    feature_names : sequence of n_features str, optional
        Instead of the names of a table's columns.

    Returns
    -------
    Design

    Raises
    ------
    DataError
        If X does not have two dimensions, or no rows or columns, or holds something else than real numbers. That
        values are finite is not checked here: `check_finite` does it.
    ArgumentError
        If there is not one distinct feature name per column.

    Examples
    --------
    >>> as_design([[1, 2], [3, 4], [5, 6]]).shape
    (3, 2)
    """
    if isinstance(X, np.ndarray):
        values, converted_here = _numbers(X)
        return DenseDesign(values, _names(feature_names, None, values.shape[1]), converted_here)
    if isinstance(X, (DenseDesign, Design)):  # of a protocol the question takes long
        if feature_names is not None:
            raise ArgumentError("feature_names must be None when X is a Design, which has its own")
        return X
    names: tuple[str, ...] | None = None
    converted: str | None = None
    if _tables.is_table(X):
        names = _tables.names_of(X)
        compressed = _tables.sparse_of(X)
        if compressed is None:
            _check_shape(X.shape)
            X, converted = _tables.values_of(X)
        else:
            X = compressed
    elif _tables.is_lazy(X):
        raise DataError(f"X must be in memory; got a lazy {type(X).__name__}: collect it first")
    if sparse.issparse(X):
        _check_shape(X.shape)
        return _from_sparse(X, _names(feature_names, names, X.shape[1]))
    values, converted_here = _numbers(X)
    return DenseDesign(values, _names(feature_names, names, values.shape[1]), converted or converted_here)


def _check_shape(shape: tuple[int, ...]) -> None:
    if len(shape) == 1:
        raise DataError(
            f"X must have rows and columns; got shape {shape}: X.reshape(-1, 1) makes one column of it, "
            "X.reshape(1, -1) one row"
        )
    if len(shape) != 2:
        raise DataError(f"X must have two dimensions, rows and columns; got shape {shape}")
    if 0 in shape:
        raise DataError(f"X must have at least one row and one column; got shape {shape}")


def _names(given: Sequence[str] | None, own: tuple[str, ...] | None, n_features: int) -> tuple[str, ...] | None:
    if given is None:
        return own
    names = tuple(str(name) for name in given)
    if isinstance(given, str) or len(names) != n_features:
        raise ArgumentError(f"feature_names must hold {n_features} names, one per column of X; got {len(names)}")
    if len(set(names)) != n_features:
        twice = next(name for name in names if names.count(name) > 1)
        raise ArgumentError(f"feature_names must differ from each other; got {twice!r} more than once")
    return names


def _numbers(X: Any) -> tuple[NDArray[np.floating], str | None]:
    """Return X as a float64 or float32 array that the core can read, and what it was if that took a conversion."""
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        raise DataError(f"X must not have masked values; got {np.ma.count_masked(X)}: fill them in, or leave them out")
    try:
        values = np.asarray(X)
    except ValueError as error:
        raise DataError(f"X must have the same number of values in every row: {error}") from error
    _check_shape(values.shape)
    kind = values.dtype.kind
    if kind == "c":
        raise DataError(f"X must hold real numbers; got {values.dtype}")
    if kind == "O":
        _check_objects(values)
    elif kind not in "fiub":
        raise DataError(f"X must hold numbers; got dtype {values.dtype}: encode it as numbers first")
    whole_steps = all(stride % values.itemsize == 0 for stride in values.strides)
    if values.dtype in (np.float64, np.float32) and values.dtype.isnative and values.flags.aligned and whole_steps:
        return values, None if isinstance(X, np.ndarray) else type(X).__name__
    source = str(values.dtype) if values.dtype.isnative and whole_steps else f"{values.dtype.str} in foreign layout"
    return values.astype(np.float64, order="K"), source


def _check_objects(values: NDArray[np.object_]) -> None:
    for place, value in np.ndenumerate(values):
        if not isinstance(value, (numbers.Real, np.bool_)):
            raise DataError(
                f"X must hold numbers; row {place[0]}, column {place[1]} is {value!r} of type {type(value).__name__}: "
                "fill in what is missing and encode text as numbers first"
            )


def _from_sparse(X: Any, names: tuple[str, ...] | None) -> SparseDesign:
    if X.dtype.kind not in "fiub":
        raise DataError(f"a sparse X must hold real numbers; got dtype {X.dtype}")
    converted = None if X.format == "csc" and X.dtype in (np.float64, np.float32) else f"{X.format} of {X.dtype}"
    columns = X.tocsc()
    stored = int(columns.indptr[-1])
    if not columns.has_canonical_format:  # the same entry twice, or rows out of order, which hides the former
        check_columns(X.shape[0], columns.indptr, columns.indices[:stored], columns.data[:stored])
        columns = columns.copy()
        columns.sum_duplicates()
        stored = int(columns.indptr[-1])
        converted = converted or f"{X.format} with unsorted or repeated entries"
    data = columns.data[:stored]
    if data.dtype not in (np.float64, np.float32):
        data = data.astype(np.float64)
    return SparseDesign(X.shape[0], columns.indptr, columns.indices[:stored], data, names, converted)
