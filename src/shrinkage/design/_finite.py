"""The search for a value that is not a number, made only once a product was found not to be finite."""

import numpy as np

from shrinkage._errors import DataError
from shrinkage.design._protocol import Design

LARGEST = 1e140
"""Sums of squares, over as many rows as there may be, are below the largest number there is."""


def check_finite(design: Design, first_row: int = 0) -> None:
    """Raise if a value of X is NaN or infinite, naming the first one.

    One pass over X in blocks, without a copy of it. Products do not need it beforehand: a value that is not finite
    makes theirs not finite, so the time to call this is when that has happened.

    Parameters
    ----------
    design : Design
    first_row : int
        What the first row is called: of a block of rows, its place among all.

    Raises
    ------
    DataError
        Names the first row with such a value, and in it the first column.

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage.design import as_design
    >>> check_finite(as_design(np.array([[1.0, np.nan]])))
    Traceback (most recent call last):
    ...
    shrinkage._errors.DataError: X must be finite; row 0, column 1 is NaN or infinite
    """
    found = design.first_not_finite()
    if found is None:
        return
    row, column = found
    name = f" ({design.feature_names[column]!r})" if design.feature_names else ""
    raise DataError(f"X must be finite; row {first_row + row}, column {column}{name} is NaN or infinite")


def check_entries(design: Design, largest: float) -> None:
    """Raise if a value of X is not finite, or so large that squares overflow, naming the first column with one.

    Called with the `largest` number that was computed from X: below 1e70 no value can be too large, and none is read.
    """
    if largest < 1e70:
        return
    check_finite(design)
    means, variances = design.column_moments()
    with np.errstate(all="ignore"):
        wrong = ~(means[:, 0] ** 2 + variances[:, 0] < LARGEST**2)
    if not wrong.any():
        return
    column = int(wrong.argmax())
    values = design.combine(np.array([column]), np.ones((1, 1), order="F"))[:, 0]
    row = int(np.abs(values).argmax())
    name = f" ({design.feature_names[column]!r})" if design.feature_names else ""
    raise DataError(
        f"X must be at most {LARGEST:g} in size, for squares would overflow; row {row}, column {column}{name} is "
        f"{values[row]:g}: divide the column by {np.abs(values[row]):.0e}"
    )
