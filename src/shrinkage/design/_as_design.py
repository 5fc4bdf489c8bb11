"""The door: anything that looks like a matrix becomes a `Design`."""

import numpy as np
from numpy.typing import ArrayLike

from shrinkage.design._dense import DenseDesign


def as_design(X: ArrayLike, feature_names: object = None) -> DenseDesign:
    """Return X as a design."""
    return DenseDesign(np.asarray(X), None)
