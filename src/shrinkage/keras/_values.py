"""The tensors inside Keras' variables, in a type that is wide enough to compute in."""

from typing import Any

import keras

ops: Any = keras.ops
"""Keras' operations, whose annotations know no tensors."""

_LOW = ("float16", "bfloat16")


def wide_type(dtype: Any) -> str:
    """Return the type that a variable of this type is computed in: at least float32."""
    name = keras.backend.standardize_dtype(dtype)
    return "float32" if name in _LOW else name


def value(variable: Any) -> Any:
    """Return the tensor of a variable, of Keras' or of the backend, outside any record of gradients."""
    inner = variable.value if isinstance(variable, keras.Variable) else variable
    return ops.stop_gradient(ops.convert_to_tensor(inner))


def held(variable: Any) -> Any:
    """Return the tensor of a variable in its wide type; it may change when the variable does."""
    tensor = value(variable)
    wide = wide_type(tensor.dtype)
    return tensor if keras.backend.standardize_dtype(tensor.dtype) == wide else ops.cast(tensor, wide)


def kept(variable: Any) -> Any:
    """Return the tensor of a variable in its wide type, which stays when the variable changes."""
    tensor = held(variable)
    return ops.copy(tensor) if keras.backend.backend() == "torch" else tensor  # the others never write into tensors


def put(variable: Any, tensor: Any) -> None:
    """Set a variable to a tensor, rounded to the variable's type."""
    dtype = keras.backend.standardize_dtype(variable.dtype)
    variable.assign(tensor if keras.backend.standardize_dtype(tensor.dtype) == dtype else ops.cast(tensor, dtype))
