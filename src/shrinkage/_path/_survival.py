"""Censored times as users have them: two or three columns, or a record of an event and a time."""

from typing import Any

import numpy as np

from shrinkage._errors import ArgumentError, DataError


def survival_response(y: Any, n: int, strata: Any = None) -> np.ndarray:
    """Return y as [time, event], or [time, event, stratum] with strata; shape (n, 2 or 3), float64.

    Parameters
    ----------
    y : array-like of shape (n, 2), columns time and event, or (n, 3) with strata; a structured array (n,) with one
        boolean field, the event, and one of numbers, the time (scikit-survival's); or (n,), times without censored ones
    n : int
    strata : array-like of shape (n,), optional
        Labels of any kind.

    Raises
    ------
    ArgumentError
        If shapes disagree.
    DataError
        If a value cannot be read as a number, or a time is negative.
    """
    values = np.asarray(y)
    if values.dtype.names is not None:
        values = _from_record(values)
    elif values.ndim == 1:
        values = np.column_stack([values, np.ones(len(values))])
    if values.ndim != 2 or len(values) != n or values.shape[1] not in (2, 3):
        raise ArgumentError(
            f"y must have shape ({n}, 2), a column of times and one of events (1, or 0 for censored), or be a "
            f"structured array of {n} events and times; got shape {np.shape(y)}"
        )
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"y must hold times and events as numbers; got {values.dtype}") from None
    if (numbers[:, 0] < 0).any():
        row = int(np.argmax(numbers[:, 0] < 0))
        raise DataError(f"y must hold times >= 0, from the start of each row; row {row} is {numbers[row, 0]:g}")
    if strata is None:
        return numbers
    labels = np.asarray(strata)
    if labels.shape != (n,):
        raise ArgumentError(f"strata must have shape ({n},), one label for each row of X; got {labels.shape}")
    if numbers.shape[1] == 3:
        raise ArgumentError("y must have two columns where strata are given apart; got three")
    try:
        codes = np.unique(labels, return_inverse=True)[1]
    except TypeError:
        raise DataError("strata must hold labels of one kind, without missing ones") from None
    return np.column_stack([numbers, codes.astype(np.float64)])


def _from_record(values: np.ndarray) -> np.ndarray:
    """[time, event] of a structured array with a boolean field and another."""
    names = values.dtype.names or ()
    kinds = [values.dtype[name].kind for name in names]
    if values.ndim != 1 or len(names) != 2 or kinds.count("b") != 1:
        raise ArgumentError(
            f"y as a structured array must have a boolean field, the event, and a time; got {values.dtype}"
        )
    event = names[kinds.index("b")]
    time = next(name for name in names if name != event)
    return np.column_stack([values[time], values[event]])
