"""The functions of the array API that our formulas use, for TensorFlow's tensors: those of `keras.ops`."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np

from shrinkage._arrays import register_namespace
from shrinkage.keras._values import ops

_KINDS = {
    "bool": ("bool",),
    "integral": ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float16", "bfloat16", "float32", "float64"),
}
_LIMITS = {
    "float16": (16, 2.0**-14),
    "bfloat16": (16, 2.0**-126),
    "float32": (32, 2.0**-126),
    "float64": (64, 2.0**-1022),
}


def asarray(values: Any, dtype: Any = None, device: Any = None) -> Any:
    """`values` as a tensor; of Keras' default floating type where they are Python floats. `device` is TensorFlow's."""
    if dtype is None and isinstance(values, float):
        dtype = keras.config.floatx()
    given: Any = values if hasattr(values, "dtype") else np.asarray(values)  # an array.array too
    return ops.cast(ops.convert_to_tensor(given), dtype or given.dtype)


def astype(x: Any, dtype: Any) -> Any:
    """`x` in another type; the same tensor where it has it."""
    name = keras.backend.standardize_dtype(dtype)
    return x if keras.backend.standardize_dtype(x.dtype) == name else ops.cast(x, name)


def isdtype(dtype: Any, kind: str | Sequence[str]) -> bool:
    """Say whether a type is of a kind, or of one of several: "bool", "integral", "real floating"."""
    kinds = (kind,) if isinstance(kind, str) else kind
    name = keras.backend.standardize_dtype(dtype)
    return any(name in _KINDS[one] for one in kinds)


def finfo(dtype: Any) -> SimpleNamespace:
    """How many bits a floating type has, and its smallest normal number."""
    bits, smallest = _LIMITS[keras.backend.standardize_dtype(dtype)]
    return SimpleNamespace(bits=bits, smallest_normal=smallest)


def namespace() -> SimpleNamespace:
    """All of it under the array API's names."""
    same = ("abs", "all", "any", "argmax", "broadcast_to", "max", "mean", "min", "ones_like", "reshape", "sign", "sqrt")
    return SimpleNamespace(
        **{name: getattr(ops, name) for name in (*same, "stack", "sum", "take", "where", "zeros_like")},
        **{name: name for names in _KINDS.values() for name in names},
        asarray=asarray,
        astype=astype,
        concat=ops.concatenate,
        finfo=finfo,
        isdtype=isdtype,
    )


if keras.backend.backend() == "tensorflow":  # the arrays of the other backends are known
    register_namespace("tensorflow", namespace())
