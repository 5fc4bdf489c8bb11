"""A matrix stored value by value, in any order of memory."""

import numpy as np
from numpy.typing import NDArray

from shrinkage import _core
from shrinkage.design._native import NativeDesign


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
        super().__init__(_core.Dense(values), values.shape, values.dtype, feature_names, converted_from)

    def __reduce__(self):
        """Pickle the values; the core's view of them is made anew."""
        return DenseDesign, (self.values, self.feature_names, self.converted_from)
