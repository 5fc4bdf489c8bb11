"""Arguments of the products, brought to what the compiled core reads."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shrinkage._errors import ArgumentError


def columns(values: ArrayLike, name: str, rows: int) -> NDArray[np.float64]:
    """Return `values` as a float64 column-major matrix with `rows` rows; no copy if it is one."""
    matrix = np.asarray(values, dtype=np.float64, order="F")
    if matrix.ndim != 2 or matrix.shape[0] != rows:
        raise ArgumentError(f"{name} must be a matrix with {rows} rows; got shape {matrix.shape}")
    return matrix


def vector(values: ArrayLike, name: str, size: int) -> NDArray[np.float64]:
    """Return `values` as a contiguous float64 vector of length `size`; no copy if it is one."""
    array = np.ascontiguousarray(values, dtype=np.float64)
    if array.shape != (size,):
        raise ArgumentError(f"{name} must have shape ({size},); got {array.shape}")
    return array


def optional_vector(values: ArrayLike | None, name: str, size: int) -> NDArray[np.float64] | None:
    """Return `vector` of it, or None."""
    return None if values is None else vector(values, name, size)


def indices(features: ArrayLike, n_features: int) -> NDArray[np.int64]:
    """Return `features` as contiguous int64 indices, each checked to be a column of X."""
    array = np.asarray(features)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ArgumentError(f"features must be a vector of integers; got {array.dtype} of shape {array.shape}")
    array = np.ascontiguousarray(array, dtype=np.int64)
    if array.size and array.view(np.uint64).max() >= n_features:  # a negative index is a huge one when read unsigned
        worst = array[(array < 0) | (array >= n_features)][0]
        raise ArgumentError(f"features must be between 0 and {n_features - 1}; got {worst}")
    return array


def out_matrix(out: NDArray[np.float64], name: str, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Check that `out` can be written by the core: float64, column-major, of this shape."""
    if out.shape != shape or out.dtype != np.float64 or not out.flags.f_contiguous or not out.flags.writeable:
        raise ArgumentError(
            f"{name} must be writable, column-major, float64, of shape {shape}; "
            f"got {out.dtype} of shape {out.shape} with strides {out.strides}"
        )
    return out


def empty(rows: int, k: int) -> NDArray[np.float64]:
    """Return an uninitialized column-major matrix."""
    return np.empty((rows, k), order="F")


def of_shape(values: NDArray[np.float64], name: str, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Check the shape of a matrix and return it."""
    if values.shape != shape:
        raise ArgumentError(f"{name} must have shape {shape}; got {values.shape}")
    return values


def flags(values: ArrayLike, name: str, size: int) -> NDArray[np.bool_]:
    """Return `values` as a contiguous boolean vector of length `size`; no copy if it is one."""
    array = np.ascontiguousarray(values, dtype=np.bool_)
    if array.shape != (size,):
        raise ArgumentError(f"{name} must have shape ({size},); got {array.shape}")
    return array
