"""Layers that own weights: what leaves them is constant where, and which features that enter they depend on."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from shrinkage.training import VARIES, Numbers, Site, Value, normalized, same_for_all

if TYPE_CHECKING:
    from shrinkage.torch._compact_reader import Call, Reader


def summing(reader: "Reader", call: "Call") -> Value | None:
    """Linear layers and convolutions: every feature that leaves is a weighted sum of those that enter."""
    layer: Any = call.module
    linear = isinstance(layer, nn.Linear)
    transposed = isinstance(layer, nn.modules.conv._ConvTransposeNd)
    axis = call.args[0].ndim - (1 if linear else layer.weight.ndim - 1)
    in_axis, out_axis = (0, 1) if transposed else (1, 0)
    groups = 1 if linear else layer.groups
    entering = reader.known(call.node.args[0])
    if len(call.node.args) != 1 or call.kwargs or (groups > 1 and transposed):
        return reader.opaque(call)
    reader.own(call, "weight", "bias")
    if entering is None or entering.axis != axis:
        if entering is not None:
            reader.ledger.hold(call.title, entering)
        entering = reader.ledger.unknown(call.args[0].shape[axis], axis, call.args[0].ndim)
    weight = numbers(layer.weight)
    total, connected = weight, weight != 0
    if not linear:
        places = tuple(range(2, weight.ndim))
        total, connected = weight.sum(places), connected.any(places)
    if transposed:
        total, connected = total.T, connected.T
    if groups > 1:
        total, connected = _spread(total, groups), _spread(connected, groups)
    site = Site(
        name=str(call.node.target),
        entering=entering,
        leaving=reader.ledger.fresh(len(total), axis, call.result.ndim),
        total=total,
        connected=connected,
        exact=linear or _no_border(layer),
        weight=reader.key(layer.weight),
        bias=reader.key(layer.bias),
        columns=lambda: np.moveaxis(numbers(layer.weight), in_axis, 0),
    )
    bias = None if layer.bias is None else numbers(layer.bias)
    return reader.ledger.summed(site, bias, out_axis, in_axis, groups, mergeable=not transposed)


def numbers(tensor: Tensor) -> Numbers:
    """A tensor in float64, as NumPy has it."""
    return tensor.detach().to("cpu", torch.float64).numpy()


def _spread(blocks: Numbers, groups: int) -> Numbers:
    """The matrix of all features from the blocks of a convolution in groups, stacked."""
    rows, columns = blocks.shape[0] // groups, blocks.shape[1]
    matrix = np.zeros((groups * rows, groups * columns), dtype=blocks.dtype)
    for group in range(groups):
        here = slice(group * rows, (group + 1) * rows)
        matrix[here, group * columns : (group + 1) * columns] = blocks[here]
    return matrix


def _no_border(layer: Any) -> bool:
    """Whether a constant image gives a constant image: nothing but the image itself is summed over."""
    if isinstance(layer, nn.modules.conv._ConvTransposeNd):
        return False
    if layer.padding_mode != "zeros" or layer.padding == "valid":
        return True
    if layer.padding == "same":
        return all(size == 1 for size in layer.kernel_size)
    return not any(layer.padding)


def normalizing(reader: "Reader", call: "Call") -> Value | None:
    """Batch and instance norms: each feature is shifted and scaled alone; one with a scale of 0 is its shift."""
    layer: Any = call.module
    x = reader.known(call.node.args[0]) if call.node.args else None
    if x is None or x.axis != 1 or x.ndim != call.result.ndim or call.kwargs:
        return reader.opaque(call)
    names = ("weight", "bias", "running_mean", "running_var")
    reader.own(call, *names)
    for name in names:
        reader.ledger.claim(reader.key(getattr(layer, name)), 0, x.atoms)
    mean, variance, scale, shift = (
        None if tensor is None else numbers(tensor)
        for tensor in (layer.running_mean, layer.running_var, layer.weight, layer.bias)
    )
    return reader.ledger.through(x, normalized(x.const, mean, variance, layer.eps, scale, shift))


def sloped(reader: "Reader", call: "Call") -> Value | None:
    """PReLU: a slope below 0, one for all or one for each feature."""
    layer: Any = call.module
    x = reader.known(call.node.args[0]) if call.node.args else None
    slope = numbers(layer.weight)
    if x is None or (layer.num_parameters > 1 and x.axis != 1):
        return reader.opaque(call)
    reader.own(call, "weight")
    if layer.num_parameters > 1:
        reader.ledger.claim(reader.key(layer.weight), 0, x.atoms)
    return reader.ledger.through(x, np.where(x.const < 0, slope * x.const, x.const))


def looked_up(reader: "Reader", call: "Call") -> Value | None:
    """Embeddings: a column that holds one number for every word is constant."""
    layer: Any = call.module
    bag = isinstance(layer, nn.EmbeddingBag)
    if layer.max_norm is not None or layer.sparse or (bag and (layer.mode == "max" or len(call.args) > 2)):
        return reader.opaque(call)
    reader.own(call, "weight")
    const = same_for_all(numbers(layer.weight))
    if bag:
        const = np.where(const == 0, const, VARIES)
    ndim = call.result.ndim
    out = reader.ledger.fresh(len(const), ndim - 1, ndim, const)
    reader.ledger.claim(reader.key(layer.weight), 1, out.atoms)
    return out


SUMMING = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
NORMALIZING = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
NORMALIZING += (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
LAYERS = {
    **dict.fromkeys(SUMMING, summing),
    **dict.fromkeys(NORMALIZING, normalizing),
    nn.PReLU: sloped,
    nn.Embedding: looked_up,
    nn.EmbeddingBag: looked_up,
}
"""What each layer with weights does, by its exact class: a subclass may do anything."""
