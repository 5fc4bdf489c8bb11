"""Layers that own weights: what leaves them is constant where, and which features that enter they depend on."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from shrinkage.keras._compact_graph import numbers
from shrinkage.keras._compact_operations import activated, channel_axis
from shrinkage.training import Numbers, Site, Value, normalized, same_for_all

if TYPE_CHECKING:
    from shrinkage.keras._compact_reader import Call, Reader, Tracked

L = keras.layers
Rule = Callable[["Reader", "Call"], Value | None]


def _adapted(layer: Any) -> bool:
    """Whether the weight that counts is another than the one that the layer was made with."""
    return bool(getattr(layer, "lora_enabled", False)) or getattr(layer, "quantization_mode", None) is not None


def dense(reader: "Reader", call: "Call") -> Value | None:
    """A dense layer, on the last axis: the kernel has a row for each feature that enters, a column for each other."""
    layer, x = call.operation, call.only
    if x is None or _adapted(layer):
        return reader.opaque(call)
    kernel = numbers(layer.kernel)
    site = _site(reader, call, x, x.ndim - 1, layer.kernel, layer.bias, kernel.T, kernel.T != 0, True, 0)
    return _left(reader, call, site, layer.bias, out_axis=1, in_axis=0)


def convolution(reader: "Reader", call: "Call") -> Value | None:
    """Convolutions, in groups too, and transposed ones, whose kernel has the axes of features in turn."""
    layer, x = call.operation, call.only
    if x is None or _adapted(layer):
        return reader.opaque(call)
    transposed = isinstance(layer, TRANSPOSED)
    groups = 1 if transposed else layer.groups
    kernel, places = numbers(layer.kernel), tuple(range(layer.rank))
    in_axis, out_axis = (layer.rank + 1, layer.rank) if transposed else (layer.rank, layer.rank + 1)
    total, connected = kernel.sum(places), (kernel != 0).any(places)
    if not transposed:
        total, connected = total.T, connected.T
    exact = not transposed and _no_border(layer)
    total, connected = _spread(total, groups), _spread(connected, groups)
    axis = channel_axis(layer, x.ndim)
    site = _site(reader, call, x, axis, layer.kernel, layer.bias, total, connected, exact, in_axis)
    return _left(reader, call, site, layer.bias, out_axis, in_axis, groups, mergeable=not transposed)


def depthwise(reader: "Reader", call: "Call") -> Value | None:
    """Depthwise convolutions: a group for each channel that enters, with as many channels as the multiplier says."""
    layer, x = call.operation, call.only
    if x is None:
        return reader.opaque(call)
    axis = channel_axis(layer, x.ndim)
    site = _depthwise(reader, call, x, axis, layer.kernel, layer.bias, layer)
    return _left(reader, call, site, layer.bias, layer.rank + 1, layer.rank, n_groups=site.entering.n)


def separable(reader: "Reader", call: "Call") -> Value | None:
    """A depthwise convolution without a bias, then one over single places."""
    layer, x = call.operation, call.only
    if x is None:
        return reader.opaque(call)
    axis, rank = channel_axis(layer, x.ndim), layer.rank
    first = _depthwise(reader, call, x, axis, layer.depthwise_kernel, None, layer, "/depthwise")
    between = reader.ledger.summed(first, None, *_own_axes(first, rank), n_groups=first.entering.n)
    if first.entering.n > 1:
        reader.ledger.claim(first.weight, rank, first.entering.atoms)
    kernel = numbers(layer.pointwise_kernel)
    matrix = kernel.reshape(kernel.shape[-2:]).T
    leaving = reader.ledger.fresh(len(matrix), axis, len(call.shape))
    second = Site(
        name=call.name,
        entering=between,
        leaving=leaving,
        total=matrix,
        connected=matrix != 0,
        exact=True,
        weight=reader.key(layer.pointwise_kernel),
        bias=reader.key(layer.bias),
        columns=lambda: np.moveaxis(kernel, rank, 0),
    )
    return _left(reader, call, second, layer.bias, rank + 1, rank)


def _own_axes(site: Site, rank: int) -> tuple[int | None, int | None]:
    """The axes of a depthwise kernel along which it may be cut: a group goes whole, the only one by its parts."""
    return (rank + 1, rank) if site.entering.n == 1 else (None, None)


def _depthwise(
    reader: "Reader", call: "Call", x: "Tracked", axis: int, variable: Any, bias: Any, layer: Any, part: str = ""
) -> Site:
    kernel, places = numbers(variable), tuple(range(layer.rank))
    n_in = kernel.shape[layer.rank]
    total, connected = kernel.sum(places).reshape(-1, 1), (kernel != 0).any(places).reshape(-1, 1)
    total, connected = _spread(total, n_in), _spread(connected, n_in)
    return _site(reader, call, x, axis, variable, bias, total, connected, _no_border(layer), layer.rank, part)


def _site(
    reader: "Reader", call: "Call", x: "Tracked", axis: int, kernel: Any, bias: Any, total: Numbers,
    connected: Numbers, exact: bool, in_axis: int, part: str = "",
) -> Site:  # fmt: skip
    return Site(
        name=call.name + part,
        entering=reader.entering(call, x, axis),
        leaving=reader.ledger.fresh(len(total), axis, x.ndim),
        total=total,
        connected=connected,
        exact=exact,
        weight=reader.key(kernel),
        bias=reader.key(bias),
        columns=lambda: np.moveaxis(numbers(kernel), in_axis, 0),
    )


def _left(
    reader: "Reader", call: "Call", site: Site, bias: Any, out_axis: int, in_axis: int, n_groups: int = 1,
    mergeable: bool = True,
) -> Value | None:  # fmt: skip
    """What leaves a layer that sums, through the activation that it has."""
    layer = call.operation
    constant = None if bias is None else numbers(bias)
    if isinstance(layer, DEPTHWISE) and n_groups > 1:
        reader.ledger.claim(site.weight, in_axis, site.entering.atoms)
        leaving = reader.ledger.summed(site, constant, None, None, n_groups)
    else:
        leaving = reader.ledger.summed(site, constant, out_axis, in_axis, n_groups, mergeable)
    return activated(reader, call, leaving, layer.activation)


def _spread(blocks: Numbers, groups: int) -> Numbers:
    """The matrix of all features from the blocks of a convolution in groups, stacked."""
    rows, columns = blocks.shape[0] // groups, blocks.shape[1]
    matrix = np.zeros((groups * rows, groups * columns), dtype=blocks.dtype)
    for group in range(groups):
        here = slice(group * rows, (group + 1) * rows)
        matrix[here, group * columns : (group + 1) * columns] = blocks[here]
    return matrix


def _no_border(layer: Any) -> bool:
    """Whether a constant image gives a constant image: no zeros are padded around it."""
    return layer.padding == "valid" or all(size == 1 for size in layer.kernel_size)


def normalizing(reader: "Reader", call: "Call") -> Value | None:
    """Batch norms, as they are in evaluation: each feature is shifted and scaled alone."""
    layer: Any = call.operation
    x = call.only
    axis = None if x is None or not isinstance(layer.axis, int) else layer.axis % x.ndim
    if x is None or x.value is None or x.value.axis != axis:
        return reader.opaque(call)
    weights = (layer.moving_mean, layer.moving_variance, layer.gamma, layer.beta)
    for weight in weights:
        reader.ledger.claim(reader.key(weight), 0, x.value.atoms)
    mean, variance, scale, shift = (None if weight is None else numbers(weight) for weight in weights)
    return reader.ledger.through(x.value, normalized(x.value.const, mean, variance, layer.epsilon, scale, shift))


def sloped(reader: "Reader", call: "Call") -> Value | None:
    """PReLU: a slope below 0 for each feature, or each place, or shared by some."""
    layer: Any = call.operation
    x = call.only
    if x is None or x.value is None or x.value.axis == 0:
        return reader.opaque(call)
    along = x.value.axis - 1
    slopes = np.moveaxis(numbers(layer.alpha), along, -1)
    if slopes.shape[-1] == x.value.n and x.value.axis not in (layer.shared_axes or ()):
        reader.ledger.claim(reader.key(layer.alpha), along, x.value.atoms)
    slope = same_for_all(slopes.reshape(-1, slopes.shape[-1]))
    return reader.ledger.through(x.value, np.where(x.value.const < 0, slope * x.value.const, x.value.const))


def looked_up(reader: "Reader", call: "Call") -> Value | None:
    """Embeddings: a column that holds one number for every word is constant."""
    layer: Any = call.operation
    if _adapted(layer):
        return reader.opaque(call)
    table, ndim = numbers(layer.embeddings), len(call.shape)
    out = reader.ledger.fresh(table.shape[1], ndim - 1, ndim, same_for_all(table))
    reader.ledger.claim(reader.key(layer.embeddings), 1, out.atoms)
    return out


TRANSPOSED = (L.Conv1DTranspose, L.Conv2DTranspose, L.Conv3DTranspose)
DEPTHWISE = (L.DepthwiseConv1D, L.DepthwiseConv2D)
LAYERS: dict[Any, Rule] = {
    L.Dense: dense,
    **dict.fromkeys((L.Conv1D, L.Conv2D, L.Conv3D, *TRANSPOSED), convolution),
    **dict.fromkeys(DEPTHWISE, depthwise),
    **dict.fromkeys((L.SeparableConv1D, L.SeparableConv2D), separable),
    L.BatchNormalization: normalizing,
    L.PReLU: sloped,
    L.Embedding: looked_up,
}
"""What each layer with weights does, by its exact class: a subclass may do anything."""
