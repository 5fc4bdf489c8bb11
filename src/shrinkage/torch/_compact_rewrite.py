"""A copy of a network with fewer features: weights cut, constants folded, numbers of features corrected."""

from typing import Any

import torch
from torch import Tensor, fx, nn

from shrinkage.torch._compact_layers import numbers
from shrinkage.torch._compact_operations import LENGTHS
from shrinkage.torch._compact_reader import Reader, named_tensors
from shrinkage.training import Refusal, Removal


def rewrite(result: nn.Module, reader: Reader, removal: Removal) -> None:
    """Cut the weights of `result`, a copy of the network that was read, in place."""
    _fold_biases(result, removal)
    names: dict[int, list[str]] = {}
    for name, tensor in named_tensors(reader.module):
        names.setdefault(id(tensor), []).append(name)
    axes: dict[Any, list[int]] = {}
    for weight, axis in removal.kept:
        axes.setdefault(weight, []).append(axis)
    for weight, along in axes.items():
        old = _get(result, names[weight][0])
        new = old.detach()
        for axis in along:
            new = new.index_select(axis, torch.from_numpy(removal.kept[weight, axis]).to(new.device))
        new = _like(new, old)
        for name in names[weight]:
            _set(result, name, new)
    for name in {owner for weight in axes for owner in (n.rpartition(".")[0] for n in names[weight])}:
        _recount(result.get_submodule(name), name, removal)


def _fold_biases(result: nn.Module, removal: Removal) -> None:
    weights = {site.name: site.weight for site in removal.ledger.sites}
    for name, added in removal.added.items():
        layer: Any = result.get_submodule(name)
        bias, weight = layer.bias, layer.weight
        old = 0.0 if bias is None else numbers(bias)
        folded = torch.from_numpy(old + added).to(weight.device, weight.dtype)
        if bias is None:
            kept = removal.kept.get((weights[name], _out_axis(layer)))
            folded = folded if kept is None else folded[torch.from_numpy(kept).to(folded.device)]
            layer.bias = nn.Parameter(folded, requires_grad=weight.requires_grad)
        else:
            bias.data = folded
    for site, column, more in removal.merged:
        merging: Any = result.get_submodule(site.name)
        rows = merging.weight.detach().movedim(1, 0)
        rows[column] = torch.from_numpy(numbers(rows[column]) + more).to(rows.device, rows.dtype)


def _out_axis(layer: nn.Module) -> int:
    return 1 if isinstance(layer, nn.modules.conv._ConvTransposeNd) else 0


def _like(new: Tensor, old: Tensor) -> Tensor:
    """A parameter where there was one, in the same layout of memory."""
    for layout, ndim in ((torch.channels_last, 4), (torch.channels_last_3d, 5)):
        if old.ndim == ndim and not old.is_contiguous() and old.is_contiguous(memory_format=layout):
            new = new.contiguous(memory_format=layout)
    return nn.Parameter(new, requires_grad=old.requires_grad) if isinstance(old, nn.Parameter) else new


def _get(model: nn.Module, name: str) -> Tensor:
    owner, _, own = name.rpartition(".")
    return getattr(model.get_submodule(owner), own)


def _set(model: nn.Module, name: str, tensor: Tensor) -> None:
    owner, _, own = name.rpartition(".")
    setattr(model.get_submodule(owner), own, tensor)


def _recount(layer: Any, name: str, removal: Removal) -> None:
    """The numbers of features that a layer tells."""
    weight: Any = getattr(layer, "weight", None)
    if isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = weight.shape
    elif isinstance(layer, nn.modules.conv._ConvNd):
        entering = removal.ledger.grouped.get(name)
        first, second = weight.shape[:2]
        if entering is not None:
            layer.groups = len(removal.places(entering)) // second
            layer.in_channels, layer.out_channels = layer.groups * second, first
        elif isinstance(layer, nn.modules.conv._ConvTransposeNd):
            layer.in_channels, layer.out_channels = first, second
        else:
            layer.in_channels, layer.out_channels = second, first
    elif isinstance(layer, (nn.Embedding, nn.EmbeddingBag)):
        layer.embedding_dim = weight.shape[1]
    elif isinstance(layer, nn.PReLU):
        layer.num_parameters = len(weight)
    elif isinstance(layer, (nn.modules.batchnorm._NormBase, nn.SyncBatchNorm)):
        told = [t for t in (layer.weight, layer.bias, layer.running_mean, layer.running_var) if t is not None]
        layer.num_features = len(told[0])


def new_numbers(graph: fx.Graph, reader: Reader, removal: Removal) -> dict[fx.Node, tuple[Any, ...]]:
    """New arguments for calls that name numbers of features as they were; empty where `forward` can stay as it is."""
    changed: dict[fx.Node, tuple[Any, ...]] = {}
    for node, axis, value in reader.literals:
        count = len(removal.places(value))
        args = _with_length(node, axis, count) if count != value.n else None
        if args is not None:
            changed[node] = args
    for node, axis, pieces in reader.partitions:
        sizes = [len(removal.places(piece)) for piece in pieces]
        if sizes != [piece.n for piece in pieces] and sizes != _sizes_now(node, sum(sizes)):
            changed[node] = (node.args[0], sizes, axis)
    return changed


def _with_length(node: fx.Node, axis: int, count: int) -> tuple[Any, ...] | None:
    """The call's arguments with another length of an axis, where that is a number and not -1."""
    lengths = node.args[1:]
    nested = len(lengths) == 1 and isinstance(lengths[0], (tuple, list))
    flat: list[Any] = list(lengths[0]) if nested else list(lengths)  # pyright: ignore[reportArgumentType]
    if not flat or axis >= len(flat) or not isinstance(flat[axis], int) or flat[axis] == -1:
        return None
    flat[axis] = count
    return (node.args[0], tuple(flat)) if nested else (node.args[0], *flat)


def _sizes_now(node: fx.Node, total: int) -> list[int]:
    """The pieces that the call as it stands would cut from this many features."""
    name = getattr(node.target, "__name__", node.target)
    asked = node.args[1] if len(node.args) > 1 else node.kwargs.get("chunks", node.kwargs.get("split_size"))
    if not isinstance(asked, int):
        return list(asked) if isinstance(asked, (list, tuple)) else []  # pyright: ignore[reportReturnType]
    pieces = torch.empty(total)
    return [len(piece) for piece in (pieces.chunk(asked) if name == "chunk" else pieces.split(asked))]


def with_graph(
    result: nn.Module, graph: fx.Graph, changed: dict[fx.Node, tuple[Any, ...]], other: fx.Graph
) -> nn.Module:
    """The network as a `torch.fx.GraphModule`, whose `forward` holds the new numbers.

    `other` is the graph of training: functional dropout that is off here and on there becomes a layer, and any other
    difference is refused, since one graph could not follow both.
    """
    copied: dict[fx.Node, fx.Node] = {}
    renewed = fx.Graph()
    renewed.output(renewed.graph_copy(graph, copied))
    for node, args in changed.items():
        node_now = copied[node]
        node_now.args = fx.map_arg(args, lambda argument: copied[argument])
        if not isinstance(node.target, str) or node.target not in LENGTHS:
            _as_split(node_now)
    _dropout_layers(result, graph, other, copied)
    modes = {name: module.training for name, module in result.named_modules()}
    made = fx.GraphModule(result, renewed, class_name=f"Compact{type(result).__name__}")
    for name, module in made.named_modules():
        module.training = modes.get(name, result.training)
    return made


def _as_split(node: fx.Node) -> None:
    if getattr(node.target, "__name__", node.target) in ("chunk", "split"):
        node.op, node.target, node.kwargs = "call_function", torch.split, {}


def _dropout_layers(result: nn.Module, graph: fx.Graph, other: fx.Graph, copied: dict[fx.Node, fx.Node]) -> None:
    here, there = list(graph.nodes), list(other.nodes)
    if [(n.op, n.target) for n in here] != [(n.op, n.target) for n in there]:
        raise Refusal("forward calls other things in training, and its numbers of features would have to be rewritten")
    for number, (node, twin) in enumerate(zip(here, there, strict=True)):
        told = [tuple(_plain(part) for part in (n.args, n.kwargs)) for n in (node, twin)]
        if told[0] == told[1]:
            continue
        layer = DROPOUTS.get(getattr(node.target, "__name__", ""))
        rate = node.kwargs.get("p", node.args[1] if len(node.args) > 1 else 0.5)
        if layer is None or not isinstance(rate, float):
            raise Refusal(f"{node.name} has other arguments in training, and forward would have to be rewritten")
        name = f"dropout_{number}"
        setattr(result, name, layer(rate))
        getattr(result, name).training = result.training
        now = copied[node]
        now.op, now.target, now.args, now.kwargs = "call_module", name, (now.args[0],), {}


def _plain(arguments: Any) -> str:
    return str(arguments)


DROPOUTS = {
    "dropout": nn.Dropout,
    "dropout1d": nn.Dropout1d,
    "dropout2d": nn.Dropout2d,
    "dropout3d": nn.Dropout3d,
    "alpha_dropout": nn.AlphaDropout,
    "feature_alpha_dropout": nn.FeatureAlphaDropout,
}
