"""Calls without weights: what they do to the features that pass through them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from shrinkage.keras._compact_graph import array
from shrinkage.training import VARIES, Numbers, Value, numbered, order_along, zeros_of

if TYPE_CHECKING:
    from shrinkage.keras._compact_reader import Call, Reader, Tracked

L = keras.layers
Rule = Callable[["Reader", "Call"], Value | None]
MIXES = "{} takes all features together"


def channel_axis(layer: Any, ndim: int) -> int:
    """Where a convolution or a pooling has its channels."""
    return 1 if layer.data_format == "channels_first" else ndim - 1


def evaluated(function: Callable[[Any], Any], const: Numbers, dtype: str) -> Numbers:
    """What a function of single entries makes of constants, in the precision of the backend."""
    given = keras.ops.convert_to_tensor(const, dtype="float64" if dtype == "float64" else "float32")
    got = array(function(given)).astype(np.float64)
    return np.where(np.isnan(const), VARIES, got)


def activated(reader: "Reader", call: "Call", x: Value, function: Any) -> Value | None:
    """The activation of a layer: a function of each entry alone, or one that needs all of them."""
    if function is None or function is keras.activations.linear:
        return x
    if not is_alone(function):
        return reader.ledger.hold(call.title, x, MIXES)
    return reader.ledger.through(x, evaluated(function, x.const, call.operation.compute_dtype))


def is_alone(function: Any) -> bool:
    """Whether an activation is known to be a function of each entry alone."""
    return any(function is known for known in ALONE) or type(function) in LAYERS_ALONE


def activation(reader: "Reader", call: "Call") -> Value | None:
    """An activation as a layer of its own."""
    x = call.only
    if x is None or x.value is None or not is_alone(call.operation.activation):
        return reader.opaque(call)
    const = evaluated(call.operation.activation, x.value.const, call.operation.compute_dtype)
    return reader.ledger.through(x.value, const)


def alone(reader: "Reader", call: "Call") -> Value | None:
    """A layer or an operation that is a function of each entry alone."""
    x = call.only
    if x is None or x.value is None:
        return reader.opaque(call)
    dtype = keras.backend.standardize_dtype(x.tensor.dtype)
    if not dtype.startswith(("float", "bfloat")):
        return reader.opaque(call)
    return reader.ledger.through(x.value, evaluated(call.operation.call, x.value.const, dtype))


def rescaling(reader: "Reader", call: "Call") -> Value | None:
    """A factor and a shift, the same for all features."""
    layer: Any = call.operation
    x = call.only
    if x is None or x.value is None or not all(isinstance(each, (int, float)) for each in (layer.scale, layer.offset)):
        return reader.opaque(call)
    return reader.ledger.through(x.value, x.value.const * layer.scale + layer.offset)


def passing(reader: "Reader", call: "Call") -> Value | None:
    """A call that leaves constants as they are and features where they are: dropout, cropping, enlarging."""
    return _passing(reader, call, lambda const: const)


def padding(reader: "Reader", call: "Call") -> Value | None:
    """Zeros around what is there: a constant other than 0 is none any more."""
    return _passing(reader, call, zeros_of)


def _passing(reader: "Reader", call: "Call", function: Callable[[Numbers], Numbers]) -> Value | None:
    x = call.only
    if x is None or x.value is None or len(call.shape) != x.ndim or call.shape[x.value.axis] != x.value.n:
        return reader.opaque(call)
    noise = getattr(call.operation, "noise_shape", None)
    if noise is not None and noise[x.value.axis] not in (None, 1):
        return reader.opaque(call, "{} names the number of features in its noise_shape")
    return reader.ledger.through(x.value, function(x.value.const))


def pooling(reader: "Reader", call: "Call") -> Value | None:
    """Pooling over places; an average may count places of the padding, so that only 0 is surely still constant."""
    layer: Any = call.operation
    x = call.only
    if x is None or x.value is None or x.value.axis != channel_axis(layer, x.ndim):
        return reader.opaque(call)
    counts = isinstance(layer, (L.AveragePooling1D, L.AveragePooling2D, L.AveragePooling3D))
    padded = counts and layer.padding != "valid"
    ndim = len(call.shape)
    axis = channel_axis(layer, ndim)
    return reader.ledger.through(x.value, zeros_of(x.value.const) if padded else x.value.const, axis, ndim)


def moving(reader: "Reader", call: "Call") -> Value | None:
    """Layers that only move entries: where the features went is seen by moving their numbers."""
    x = call.only
    if x is None or x.value is None:
        return reader.opaque(call)
    marks = keras.ops.convert_to_tensor(numbered(x.value, x.shape), dtype="float32")
    moved = array(call.operation.call(marks))
    found = order_along(moved) if x.value.n < 2**24 else None
    if found is None or found[0] == 0:
        return reader.opaque(call, "{} spreads features over several axes")
    out = reader.ledger.moved(x.value, found[1], found[0], moved.ndim)
    if isinstance(call.operation, L.Reshape):
        reader.targets.setdefault(id(call.operation), []).append((found[0], out))
    return out


def merging(function: Callable[..., Numbers], product: bool = False) -> Rule:
    """Layers that take the tensors of a list entry by entry: sums, products, extremes."""

    def rule(reader: "Reader", call: "Call") -> Value | None:
        tracked = call.tracked
        if len({each.ndim for each in tracked}) != 1:
            return reader.opaque(call)
        return combined(reader, call, [*tracked], function, product)

    return rule


def combining(function: Callable[..., Numbers], product: bool = False) -> Rule:
    """Operations on two tensors, or on one and a number."""

    def rule(reader: "Reader", call: "Call") -> Value | None:
        if call.kwargs or len(call.args) != 2:
            return reader.opaque(call)
        return combined(reader, call, list(call.args), function, product)

    return rule


def combined(
    reader: "Reader", call: "Call", operands: list[Any], function: Callable[..., Numbers], product: bool
) -> Value | None:
    """Operands whose features are at equal places go together."""
    values = [getattr(each, "value", None) for each in operands]
    known = [value for value in values if value is not None]
    if not known or any(value.from_right != known[0].from_right for value in known):
        return reader.opaque(call)
    n, from_right = max(value.n for value in known), known[0].from_right
    if call.shape[from_right] != n:
        return reader.opaque(call)
    sides: list[Any] = []
    for each, value in zip(operands, values, strict=True):
        side = value if value is not None else _side(reader, each, from_right, n)
        if side is None:
            return reader.opaque(call)
        sides.append(side)
    return reader.ledger.combined(call.title, sides, function, n, len(call.shape), product)


def _side(reader: "Reader", operand: Any, from_right: int, n: int) -> Value | Numbers | float | None:
    """An operand of whose features nothing is known; None where it is something else than a tensor or a number."""
    if isinstance(operand, (int, float)):
        return operand
    shape = getattr(operand, "shape", None)
    if not hasattr(operand, "tensor") or shape is None:
        return None
    length = shape[from_right] if len(shape) >= -from_right else 1
    if length == 1:
        return np.full(n, VARIES)
    return reader.ledger.unknown(n, len(shape) + from_right, len(shape))


def joining(reader: "Reader", call: "Call") -> Value | None:
    """Concatenation, along the features or along another axis."""
    tracked: list[Tracked] = call.tracked
    known = [each.value for each in tracked if each.value is not None]
    if not known or any(value.axis != known[0].axis for value in known):
        return reader.opaque(call)
    axis, ndim = known[0].axis, known[0].ndim
    parts = [each.value or reader.ledger.unknown(each.shape[axis], axis, ndim) for each in tracked]
    return reader.ledger.joined(parts, along=call.operation.axis % ndim == axis)


def _average(*operands: Numbers) -> Numbers:
    return sum(operands[1:], start=operands[0]) / len(operands)


def _sum(*operands: Numbers) -> Numbers:
    return sum(operands[1:], start=operands[0])


def _extreme(function: Callable[[Any, Any], Any]) -> Callable[..., Numbers]:
    def rule(*operands: Numbers) -> Numbers:
        found = operands[0]
        for operand in operands[1:]:
            found = function(found, operand)
        return found

    return rule


def _existing(home: Any, names: str) -> list[Any]:
    return [getattr(home, name) for name in names.split() if hasattr(home, name)]


ALONE = _existing(
    keras.activations,
    "celu elu exponential gelu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid"
    " mish relu relu6 selu sigmoid silu swish soft_shrink softplus softsign sparse_plus sparse_sigmoid squareplus tanh"
    " tanh_shrink threshold",
)
LAYERS_ALONE = {L.ReLU, L.LeakyReLU, L.ELU}
PASSING = _existing(
    L,
    "Dropout AlphaDropout GaussianDropout GaussianNoise SpatialDropout1D SpatialDropout2D SpatialDropout3D Identity"
    " ActivityRegularization UpSampling1D UpSampling2D UpSampling3D Cropping1D Cropping2D Cropping3D",
)
POOLS = "MaxPooling AveragePooling GlobalMaxPooling GlobalAveragePooling AdaptiveMaxPooling AdaptiveAveragePooling"
POOLING = _existing(L, " ".join(f"{kind}{n}D" for n in (1, 2, 3) for kind in POOLS.split()))
_product, _maximum, _minimum = _extreme(np.multiply), _extreme(np.maximum), _extreme(np.minimum)
MODULES: dict[Any, Rule] = {
    L.Activation: activation,
    **dict.fromkeys(LAYERS_ALONE, alone),
    **dict.fromkeys(PASSING, passing),
    **dict.fromkeys((L.ZeroPadding1D, L.ZeroPadding2D, L.ZeroPadding3D), padding),
    **dict.fromkeys(POOLING, pooling),
    **dict.fromkeys((L.Flatten, L.Reshape, L.Permute, L.RepeatVector), moving),
    L.Rescaling: rescaling,
    L.Add: merging(_sum),
    L.Subtract: merging(np.subtract),
    L.Multiply: merging(_product, product=True),
    L.Average: merging(_average),
    L.Maximum: merging(_maximum),
    L.Minimum: merging(_minimum),
    L.Concatenate: joining,
}
OPERATIONS_ALONE = (
    "Abs Celu Elu Exp Gelu HardSigmoid HardSilu HardTanh LeakyRelu LogSigmoid Mish Negative Relu Relu6 Selu Sigmoid"
    " Silu Softplus Softsign Square Tanh"
)
OPERATIONS: dict[str, Rule] = {
    **dict.fromkeys(OPERATIONS_ALONE.split(), alone),
    "Add": combining(np.add),
    "Subtract": combining(np.subtract),
    "Multiply": combining(np.multiply, product=True),
    "Divide": combining(np.divide),
    "TrueDivide": combining(np.divide),
    "Maximum": combining(np.maximum),
    "Minimum": combining(np.minimum),
    "Concatenate": joining,
}
"""Operations of `keras.ops` in a functional model, by the name of their class."""
