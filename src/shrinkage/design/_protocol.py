"""What the rest of the library may ask of a matrix."""

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class Scan(NamedTuple):
    """What one pass over X says about many dual points at once; F fits, T strengths.

    Attributes
    ----------
    max_ratio : ndarray of shape (F, T)
        ``max_j |c_j| / l1_j`` over the columns with ``l1_j > 0``; NaN if some ``c_j`` is not finite.
    conjugate : ndarray of shape (F, T)
        ``sum_j max(|c_j| - strength * l1_j, 0)**2 / l2_j`` over the columns with ``l2_j > 0``; zeros without
        ``l2_weights``.
    first : ndarray of shape (n_features,), int32
        The smallest t, over all fits, at which ``|c_j| > strength_t * l1_j * (1 + tol)``; T where there is none and
        for columns inside the working set.
    excess : ndarray of shape (n_features,)
        The largest ``|c_j| / (strength_t * l1_j)`` over the violations of column j; 0 where there is none.
    """

    max_ratio: Array
    conjugate: Array
    first: NDArray[np.int32]
    excess: Array


@runtime_checkable
class Design(Protocol):
    """A matrix X touched only through products, each a sum over blocks, each for many columns at once.

    No product writes to X or makes a copy of it. Every result is float64, whatever the dtype of X, and
    column-major. A value of X that is not finite reaches the products it takes part in; `check_finite` finds it.

    Attributes
    ----------
    shape : tuple of int
        (n_samples, n_features).
    dtype : numpy.dtype
        float64 or float32: how X is stored.
    feature_names : tuple of str or None
        The names of the columns, where X came with names.
    converted_from : str or None
        What X was before it had to be copied into a form that the products can read; None if it was not copied.
    is_sparse : bool
        Whether X is stored by its non-zero values.
    """

    @property
    def shape(self) -> tuple[int, int]: ...
    @property
    def dtype(self) -> np.dtype: ...
    @property
    def feature_names(self) -> tuple[str, ...] | None: ...
    @property
    def converted_from(self) -> str | None: ...
    @property
    def is_sparse(self) -> bool: ...

    def first_not_finite(self) -> tuple[int, int] | None:
        """Return the first row, and in it the first column, with a NaN or infinity; None if there is none."""
        ...

    def correlate(self, R: Array) -> Array:
        """Return ``X.T @ R``.

        Parameters
        ----------
        R : ndarray of shape (n_samples, k)
            Best float64 and column-major; anything else is converted.

        Returns
        -------
        ndarray of shape (n_features, k), column-major

        Notes
        -----
        One pass over X; 2 k flops per stored value. Up to about 24 columns it runs at the speed of memory, above that
        at the speed of a matrix product.
        """
        ...

    def combine(self, features: Indices, B: Array) -> Array:
        """Return ``X[:, features] @ B``, shape (n_samples, k), column-major.

        Parameters
        ----------
        features : ndarray of shape (m,), integer
        B : ndarray of shape (m, k)
        """
        ...

    def gram(self, new: Indices, old: Indices, weights: Array | None = None) -> Array:
        """Return ``X[:, new].T @ diag(weights) @ X[:, old]``, column-major.

        Parameters
        ----------
        new, old : ndarray of shape (m,) and (q,), integer
            The same object twice: the result is symmetric to the last bit if unweighted, and dense work halves.
        weights : ndarray of shape (n_samples,), optional
            Ones if None.

        Returns
        -------
        ndarray of shape (m, q)
        """
        ...

    def gather(self, features: Indices, shift: Array, row_scale: Array | None, out: Array) -> Array:
        """Write ``out[:, a] = row_scale * (X[:, features[a]] - shift[a])`` and return `out`.

        Parameters
        ----------
        features : ndarray of shape (m,), integer
        shift : ndarray of shape (m,)
        row_scale : ndarray of shape (n_samples,) or None
        out : ndarray of shape (n_samples, m), float64, column-major
            May be the leading columns of a larger array. Dense also for a sparse X.
        """
        ...

    def column_moments(self, weights: Array | None = None) -> tuple[Array, Array]:
        """Return the weighted mean and variance of every column, once per column of weights.

        Parameters
        ----------
        weights : ndarray of shape (n_samples, k), >= 0, each column with a positive sum, optional
            A fold is a column of zeros and ones. Divided by their sums; None means one column of equal weights.

        Returns
        -------
        means, variances : ndarray of shape (n_features, k), column-major
            The variance divides by the sum of the weights. It is summed about the mean, so an offset of the column
            costs no accuracy; a column that is constant up to rounding has variance exactly 0.
        """
        ...

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
        """Write ``C = X.T @ theta`` and read off it what a certificate needs, block by block while it is in cache.

        Parameters
        ----------
        theta : ndarray of shape (n_samples, F * T), column-major
            Dual points: column ``f * T + t`` belongs to fit f and strength t.
        strengths : ndarray of shape (T,)
        l1_weights : ndarray of shape (n_features, F), >= 0, column-major
            The penalty on ``|w_j|`` per unit of strength; 0 leaves the column out of every ratio.
        inside : ndarray of shape (n_features,), bool
            Columns of the working set, which cannot be violations.
        tol : float
            Relative slack of a violation.
        l2_weights : ndarray of shape (n_features, F) or None
            The curvature that `Scan.conjugate` divides by; 0 leaves the column out.
        C : ndarray of shape (n_features, F * T), float64, column-major
            Written to.

        Returns
        -------
        Scan
        """
        ...
