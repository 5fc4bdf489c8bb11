"""Layers that own weights: what leaves them is constant where, and which features that enter they depend on."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from shrinkage.torch._compact_values import VARIES, Site, Value

if TYPE_CHECKING:
    from shrinkage.torch._compact_reader import Call, Reader


def summing(reader: "Reader", call: "Call") -> Value | None:
    """Linear layers and convolutions: every feature that leaves is a weighted sum of those that enter.

    What leaves is constant where each weight is 0 or meets a constant that can move into the bias: at borders,
    zeros padded around a constant other than 0 show.
    """
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
            reader.hold(call, entering)
        entering = reader.unknown(call.args[0].shape[axis], axis, call.args[0].ndim)
    weight = layer.weight.detach().to("cpu", torch.float64)
    total, connected = weight, weight != 0
    if not linear:
        total, connected = weight.flatten(2).sum(2), connected.flatten(2).any(2)
    if transposed:
        total, connected = total.T, connected.T
    if groups > 1:
        total, connected = _spread(total, groups), _spread(connected, groups)
    leaving = Value(
        axis, call.result.ndim, _leaving_atoms(reader, layer, out_axis, len(total)), torch.zeros(len(total))
    )
    site = Site(str(call.node.target), entering, leaving, total, connected, linear or _no_border(layer), in_axis)
    leaving.const = _constants(site, layer.bias)
    _couple(reader, site, layer, groups)
    reader.sites.append(site)
    reader.later(lambda: _wanted(site, mergeable=groups == 1 and not transposed))
    return leaving


def _leaving_atoms(reader: "Reader", layer: Any, axis: int, count: int) -> Tensor:
    atoms = reader.atoms.fresh(count)
    if isinstance(layer, nn.Linear) or layer.groups == 1 or axis == 0:
        reader.claim(layer.weight, axis, atoms)
    reader.claim(layer.bias, 0, atoms)
    return atoms


def _spread(blocks: Tensor, groups: int) -> Tensor:
    """The matrix of all features from the blocks of a convolution in groups, stacked."""
    return torch.block_diag(*blocks.chunk(groups)).to(blocks.dtype)


def _couple(reader: "Reader", site: Site, layer: Any, groups: int) -> None:
    """Tie the weight to what enters; of a convolution in groups, a group goes as a whole."""
    if groups == 1:
        reader.claim(layer.weight, site.in_axis, site.entering.atoms)
        return
    for enter, leave in zip(site.entering.atoms.chunk(groups), site.leaving.atoms.chunk(groups), strict=True):
        together = torch.cat((enter, leave))
        reader.atoms.join(together[:-1], together[1:])
    before = reader.grouped.get(site.name)
    if before is not None:
        reader.atoms.join(before.atoms, site.entering.atoms)
    reader.grouped[site.name] = site.entering


def _no_border(layer: Any) -> bool:
    """Whether a constant image gives a constant image: nothing but the image itself is summed over."""
    if isinstance(layer, nn.modules.conv._ConvTransposeNd):
        return False
    if layer.padding_mode != "zeros" or layer.padding == "valid":
        return True
    if layer.padding == "same":
        return all(size == 1 for size in layer.kernel_size)
    return not any(layer.padding)


def _constants(site: Site, bias: Tensor | None) -> Tensor:
    folds = site.folds
    fixed = ~(site.connected & ~folds).any(1)
    values = site.total @ torch.where(folds, site.entering.const, 0.0)
    if bias is not None:
        values = values + bias.detach().to("cpu", torch.float64)
    return torch.where(fixed & values.isfinite(), values, VARIES)


def _wanted(site: Site, mergeable: bool) -> None:
    into = site.connected[site.leaving.live].any(0)
    site.entering.want(into)
    shows = into & ~site.entering.varies & ~site.folds
    if mergeable:
        site.shows.copy_(shows)
    else:
        site.entering.held |= shows


def normalizing(reader: "Reader", call: "Call") -> Value | None:
    """Batch and instance norms: each feature is shifted and scaled alone; one with a scale of 0 is its shift."""
    layer: Any = call.module
    x = reader.known(call.node.args[0]) if call.node.args else None
    if x is None or x.axis != 1 or x.ndim != call.result.ndim or call.kwargs:
        return reader.opaque(call)
    names = ("weight", "bias", "running_mean", "running_var")
    reader.own(call, *names)
    for name in names:
        reader.claim(getattr(layer, name), 0, x.atoms)
    mean, variance, scale, shift = (
        None if tensor is None else tensor.detach().to("cpu", torch.float64)
        for tensor in (layer.running_mean, layer.running_var, layer.weight, layer.bias)
    )
    const = torch.full_like(x.const, VARIES)
    if mean is not None and variance is not None:
        const = (x.const - mean) * (variance + layer.eps).rsqrt()
        const = const if scale is None else const * scale
        const = const if shift is None else const + shift
    if scale is not None:
        const = torch.where(scale == 0, torch.zeros_like(scale) if shift is None else shift, const)
    out = x.like(const)
    reader.later(lambda: x.want(out.live))
    return out


def sloped(reader: "Reader", call: "Call") -> Value | None:
    """PReLU: a slope below 0, one for all or one for each feature."""
    layer: Any = call.module
    x = reader.known(call.node.args[0]) if call.node.args else None
    slope = layer.weight.detach().to("cpu", torch.float64)
    if x is None or (layer.num_parameters > 1 and x.axis != 1):
        return reader.opaque(call)
    reader.own(call, "weight")
    if layer.num_parameters > 1:
        reader.claim(layer.weight, 0, x.atoms)
    out = x.like(torch.where(x.const < 0, slope * x.const, x.const))
    reader.later(lambda: x.want(out.live))
    return out


def looked_up(reader: "Reader", call: "Call") -> Value | None:
    """Embeddings: a column that holds one number for every word is constant."""
    layer: Any = call.module
    bag = isinstance(layer, nn.EmbeddingBag)
    if layer.max_norm is not None or layer.sparse or (bag and (layer.mode == "max" or len(call.args) > 2)):
        return reader.opaque(call)
    reader.own(call, "weight")
    table = layer.weight.detach().to("cpu", torch.float64)
    same = (table == table[:1]).all(0)
    const = torch.where(same & ((table[0] == 0) if bag else same), table[0], VARIES)
    ndim = call.result.ndim
    out = Value(ndim - 1, ndim, reader.atoms.fresh(table.shape[1]), const)
    reader.claim(layer.weight, 1, out.atoms)
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
