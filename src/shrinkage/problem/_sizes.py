"""How large and how small numbers may be of which squares, and squares of squares, are taken."""

import numpy as np

from shrinkage._errors import DataError

LARGEST = 1e70
"""Standard errors of squared errors hold fourth powers of y, which are below the largest number here."""

SMALLEST = 1e-70
"""And above the smallest here, so that nothing passes for a response that is 0."""


def check_sizes(**vectors: np.ndarray | None) -> None:
    """Refuse a response or an offset of squared errors that would overflow or underflow; all 0 is no size."""
    for name, values in vectors.items():
        if values is None or not values.size:
            continue
        largest = max(float(values.max()), -float(values.min()))
        if 0 < largest < SMALLEST:
            raise DataError(
                f"{name} must be at least {SMALLEST:g} in size, for squares of squared errors would underflow; its "
                f"largest is {largest:g}: divide by {largest:.0e}"
            )
        if largest > LARGEST:
            row = int(np.abs(values).argmax())
            raise DataError(
                f"{name} must be at most {LARGEST:g} in size, for squares of squared errors would overflow; row {row} "
                f"is {values[row]:g}: divide by {largest:.0e}"
            )
