"""Coefficients as the rest of the library may give them: dense or sparse, one vector or a matrix of them."""

from typing import Any

import numpy as np
from scipy import sparse


def as_columns(w: Any) -> Any:
    """One coefficient vector, dense or sparse, as a matrix of one column."""
    return np.asarray(w, dtype=np.float64).reshape(-1, 1) if not sparse.issparse(w) else w.reshape((-1, 1)).tocsc()


def dense(w: Any) -> np.ndarray:
    """One coefficient vector, as a dense vector."""
    return (w.toarray() if sparse.issparse(w) else np.asarray(w, dtype=np.float64)).reshape(-1)


def support(coefs: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of `coefs` that hold a non-zero, and those rows as a dense Fortran-ordered matrix."""
    if not sparse.issparse(coefs):
        rows = np.flatnonzero(np.any(coefs != 0, axis=1))
        return rows, np.asfortranarray(coefs[rows], dtype=np.float64)
    rows = np.unique(coefs.indices).astype(np.int64)
    block = np.zeros((rows.size, coefs.shape[1]), order="F")
    columns = np.repeat(np.arange(coefs.shape[1]), np.diff(coefs.indptr))
    block[np.searchsorted(rows, coefs.indices), columns] = coefs.data
    return rows, block
