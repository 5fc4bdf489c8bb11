"""What a certificate reads off the correlations of all columns, where they are there at once."""

import numpy as np
from numpy.typing import NDArray

from shrinkage.design._protocol import Array, Scan

_BLOCK = 1 << 21  # correlations looked at together


def scan_columns(
    C: Array,
    strengths: Array,
    l1_weights: Array,
    inside: NDArray[np.bool_],
    tol: float,
    l2_weights: Array | None,
) -> Scan:
    """Return the `Scan` of correlations ``C = X.T @ theta``; arguments as `Design.scan`."""
    p, fits, count = len(C), l1_weights.shape[1], len(strengths)
    max_ratio, conjugate = np.zeros((fits, count)), np.zeros((fits, count))
    first, excess = np.full(p, count, np.int32), np.zeros(p)
    step = max(1, _BLOCK // max(1, fits * count))
    for start in range(0, p, step):
        some = slice(start, min(start + step, p))
        size = np.abs(C[some]).reshape((-1, fits, count))
        l1 = l1_weights[some, :, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(l1 > 0, size / l1, 0.0)
        np.maximum(max_ratio, ratio.max(axis=0, initial=0.0), out=max_ratio)
        if l2_weights is not None:
            l2 = l2_weights[some, :, None]
            over = np.maximum(size - strengths * l1, 0.0) ** 2
            conjugate += np.divide(over, l2, out=np.zeros_like(over), where=l2 > 0).sum(axis=0)
        violated: NDArray[np.bool_] = (l1 > 0) & (ratio > strengths * (1 + tol)) & ~inside[some, None, None]
        anywhere = violated.any(axis=1)
        first[some] = np.where(anywhere.any(axis=-1), anywhere.argmax(axis=-1), count)
        excess[some] = (ratio / strengths).max(axis=(1, 2), initial=0.0, where=violated)
    return Scan(max_ratio, conjugate, first, excess)
