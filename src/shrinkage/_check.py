"""Checks of arguments that every floor shares; each names the argument, the value met and what would be right."""

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np

from shrinkage._arrays import namespace_of
from shrinkage._errors import ArgumentError, DataError


def check_nonnegative(name: str, value: Any) -> None:
    """Refuse what is not a finite number >= 0, or an array of such numbers."""
    if isinstance(value, Real):
        if isinstance(value, bool) or not 0 <= float(value) < float("inf"):
            raise ArgumentError(f"{name} must be >= 0 and finite; got {value}")
        return
    try:
        xp = namespace_of(value)
    except TypeError:
        xp = None
    if xp is None or value is None:
        raise ArgumentError(f"{name} must be a number >= 0, or an array of them; got {value!r}")
    if value.dtype == xp.bool or not xp.isdtype(value.dtype, ("real floating", "integral")):
        raise ArgumentError(f"{name} must hold real numbers; got an array of {value.dtype}")
    if "Tracer" in type(value).__name__:  # inside a function that JAX transforms: there is no number yet to judge
        return
    good = (value >= 0) & (value < float("inf"))
    if not bool(xp.all(good)):
        row = int(xp.argmax(xp.astype(xp.reshape(~good, (-1,)), xp.int32)))
        met = float(xp.reshape(value, (-1,))[row])
        where = "" if value.ndim == 0 else f" at position {row}"
        raise ArgumentError(f"{name} must be >= 0 and finite; got {met}{where}")


def check_strength(name: str, value: Any) -> None:
    """Refuse what is not one finite number >= 0."""
    if isinstance(value, Real) or getattr(value, "shape", None) == ():
        check_nonnegative(name, value)
        return
    many = ": `path` fits several" if isinstance(value, Iterable) and not isinstance(value, str) else ""
    raise ArgumentError(f"{name} must be one number >= 0; got {value!r}{many}")


def _is_real(value: Any) -> bool:
    """Whether it is a real number and no bool; of an abstract class the question takes long."""
    kind = type(value)
    return kind is float or kind is int or (kind is not bool and isinstance(value, Real))


def check_positive(name: str, value: Any) -> None:
    """Refuse what is not a finite number > 0."""
    if not _is_real(value) or not 0 < float(value) < float("inf"):
        raise ArgumentError(f"{name} must be > 0 and finite; got {value!r}")


def check_fraction(name: str, value: Any) -> None:
    """Refuse what is not a number in [0, 1]."""
    if not _is_real(value) or not 0 <= float(value) <= 1:
        raise ArgumentError(f"{name} must be between 0 and 1; got {value!r}")


def check_positive_int(name: str, value: Any, least: int = 1) -> None:
    """Refuse what is not a whole number >= least."""
    whole = type(value) is int or (isinstance(value, Integral) and not isinstance(value, bool))
    if not whole or int(value) < least:
        raise ArgumentError(f"{name} must be a whole number >= {least}; got {value!r}")


def check_boolean(name: str, value: Any) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ArgumentError(f"{name} must be True or False; got {value!r}")


def random_generator(random_state: Any) -> np.random.Generator:
    """What draws, for every `random_state`: a generator is taken as it is and goes on from where it is.

    None draws otherwise every time, a whole number >= 0 the same every time.
    """
    if isinstance(random_state, np.random.Generator):
        return random_state
    number = isinstance(random_state, Integral) and not isinstance(random_state, bool)
    if random_state is not None and not (number and int(random_state) >= 0):
        what = "None, a whole number >= 0 or a numpy.random.Generator"
        raise ArgumentError(f"random_state must be {what}; got {random_state!r}")
    return np.random.default_rng(None if random_state is None else int(random_state))


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Refuse a word that is not one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise ArgumentError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}")


def check_factors(factors: Any) -> None:
    """Refuse penalty factors that are negative, not finite, or all 0; None stands for all 1."""
    if factors is None:
        return
    if isinstance(factors, Real):
        raise ArgumentError(f"factors must be None or an array, one number per coordinate; got {factors}")
    check_nonnegative("factors", factors)
    if not bool(namespace_of(factors).any(factors > 0)):
        raise ArgumentError("factors must hold at least one number > 0; all are 0, which leaves nothing to penalize")


def check_bounds(lower: Any, upper: Any) -> None:
    """Refuse bounds of coefficients, numbers or arrays, that leave out 0."""
    for name, value, side in (("lower", lower, -1), ("upper", upper, 1)):
        if isinstance(value, bool) or value is None:
            raise ArgumentError(f"{name} must be a number or an array; got {value!r}")
        good = side * value >= 0
        if not (bool(good) if isinstance(value, Real) else bool(namespace_of(value).all(good))):
            what = "<= 0" if side < 0 else ">= 0"
            raise ArgumentError(f"{name} must be {what}, for 0 lies within the bounds; got {value}")


def finite_vector(name: str, value: Any, size: int) -> np.ndarray:
    """`value` as a float64 NumPy vector; refuses another length and numbers that are not finite.

    Returns
    -------
    ndarray of shape (size,), float64
        The same memory as `value` where that has this type already.
    """
    vector = _vector(name, value, size)
    finite = np.isfinite(vector)
    if not finite.all():
        row = int(np.argmin(finite))
        raise ArgumentError(f"{name} must be finite; position {row} is {vector[row]}")
    return vector


def real_vector(name: str, value: Any, size: int) -> np.ndarray:
    """The same for numbers that may be infinite; refuses those that are none."""
    vector = _vector(name, value, size)
    if np.isnan(vector).any():
        place = int(np.isnan(vector).argmax())
        raise ArgumentError(f"{name} must hold numbers, finite or infinite; position {place} is nan")
    return vector


def _vector(name: str, value: Any, size: int) -> np.ndarray:
    try:
        raw = np.asarray(value)
        if raw.dtype.kind not in "fiubO" or (raw.dtype.kind == "O" and any(isinstance(v, str) for v in raw.flat)):
            raise ArgumentError(f"{name} must hold real numbers; got {raw.dtype}")
        vector = np.asarray(raw, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, ArgumentError):
            raise
        raise ArgumentError(f"{name} must hold real numbers; got {type(value).__name__}") from None
    if vector.shape != (size,):
        raise ArgumentError(f"{name} must have shape ({size},); got {vector.shape}")
    return vector


def weight_vector(name: str, value: Any, size: int) -> np.ndarray:
    """`value` as a float64 NumPy vector of weights: finite, >= 0, not all 0.

    Returns
    -------
    ndarray of shape (size,), float64
    """
    vector = finite_vector(name, value, size)
    if vector.size and vector.min() < 0:
        row = int(np.argmin(vector))
        raise ArgumentError(f"{name} must be >= 0; position {row} is {vector[row]}")
    if not vector.sum() > 0:
        raise ArgumentError(f"{name} must hold at least one number > 0; all are zero")
    return vector


def label_vector(name: str, value: Any) -> np.ndarray:
    """`value` as an array of labels of one kind: numbers, booleans or texts.

    Objects become the numbers or booleans that they are; texts stay as they are.

    Raises
    ------
    DataError
        If a label is missing (None, NaN) or the labels are of several kinds, naming the first such row.
    """
    values = np.asarray(value)
    if values.dtype.kind in "US" and not isinstance(value, np.ndarray) and values.ndim == 1:
        values = np.array(list(value), dtype=object)  # before NumPy made texts of what is none
    if values.dtype.kind not in "OT" or values.ndim != 1:
        return values
    labels = values.tolist()
    for row, label in enumerate(labels):
        if _is_missing(label):
            raise DataError(f"{name} must hold a label in every row; row {row} is {label!r}: leave out that row")
    numbers = [isinstance(label, (Real, np.bool_)) for label in labels]
    texts = [isinstance(label, (str, bytes)) for label in labels]
    if all(texts):
        return values.astype(object, copy=False)
    if all(numbers):
        plain = np.array(labels)
        return plain if plain.dtype.kind in "fiub" else plain.astype(np.float64)
    kinds = numbers if numbers[0] else texts
    row = kinds.index(False)
    raise DataError(
        f"{name} must hold labels of one kind, numbers, booleans or texts; row {row} is {labels[row]!r} of type "
        f"{type(labels[row]).__name__}, row 0 is {labels[0]!r}"
    )


def _is_missing(label: Any) -> bool:
    try:
        return label is None or bool(label != label)
    except (TypeError, ValueError):  # pandas.NA knows no truth
        return True
