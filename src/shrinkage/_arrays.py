"""Which array library an argument belongs to: the one door through which formulas meet NumPy, PyTorch and JAX."""

from typing import Any

import array_api_compat
import array_api_compat.numpy as numpy_namespace
import numpy as np

Array = Any
"""An array of any library that `namespace_of` knows, or a Python number."""

_NUMBERS = (bool, int, float)
_REGISTERED: dict[str, Any] = {}


def register_namespace(package: str, namespace: Any) -> None:
    """Let `namespace` answer for arrays that no array-API library makes: those whose type is from `package`."""
    _REGISTERED[package] = namespace


def namespace_of(*arrays: Array) -> Any:
    """Return the array-API namespace that all `arrays` share.

    Python numbers and None belong to every library; if there is nothing else, the answer is NumPy.

    Parameters
    ----------
    *arrays : arrays of one library, Python numbers or None

    Raises
    ------
    TypeError
        If two libraries are mixed, or an argument is no array.

    Examples
    --------
    >>> import numpy as np
    >>> namespace_of(np.ones(2), 0.5).sqrt(np.asarray([4.0, 9.0]))
    array([2., 3.])
    """
    of_a_library = [x for x in arrays if x is not None and not isinstance(x, _NUMBERS)]
    if not of_a_library:
        return numpy_namespace
    if all(type(x) is np.ndarray for x in of_a_library):  # the common case, without a long search
        return numpy_namespace
    if _REGISTERED:
        found = [_REGISTERED.get(type(x).__module__.partition(".")[0]) for x in of_a_library]
        if found[0] is not None and all(xp is found[0] for xp in found):
            return found[0]
    return array_api_compat.array_namespace(*of_a_library)


def floating(x: Array) -> Array:
    """`x` as an array of a floating type: kept as it is if it has one, else of its library's default type."""
    if type(x) is np.ndarray and x.dtype.kind == "f":  # the common case, without a long search
        return x
    xp = namespace_of(x)
    if isinstance(x, _NUMBERS):
        return xp.asarray(float(x))
    if xp.isdtype(x.dtype, "real floating"):
        return x
    return xp.astype(x, xp.asarray(0.5).dtype)


def matching(x: Array, like: Array) -> Array:
    """`x` in the library, type and device of the floating array `like`; a number becomes a Python float."""
    if isinstance(x, _NUMBERS):
        return float(x)  # a NumPy number would make float32 arrays float64
    xp = namespace_of(like)
    if namespace_of(x) is xp:
        return xp.astype(x, like.dtype)
    return xp.asarray(x, dtype=like.dtype, device=array_api_compat.device(like))


def constant(values: Any, like: Array, dtype: Any = None) -> Array:
    """A Python sequence of numbers as an array in the library and on the device of `like`.

    Parameters
    ----------
    values : sequence of numbers, or array.array
    like : array
    dtype : dtype, optional
        Of the result; None stands for 32-bit integers if `values` fit, as `array.array("i")` says, else 64-bit.
    """
    xp = namespace_of(like)
    if dtype is None:
        dtype = xp.int64 if getattr(values, "itemsize", 8) == 8 else xp.int32
    return xp.asarray(values, dtype=dtype, device=array_api_compat.device(like))
