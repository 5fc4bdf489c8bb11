"""A network read as a graph of calls, or the sentence that says why it cannot be."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

from shrinkage.training import Refusal

PLAIN = (nn.Parameter, Tensor)
WRAPPERS = (nn.DataParallel, DistributedDataParallel)
MOVES = {"view", "reshape", "flatten", "permute", "transpose", "squeeze", "unsqueeze", "expand", "unflatten", "detach"}
MOVES |= {"movedim", "swapaxes", "swapdims", "t", "narrow", "select", "chunk", "split", "view_as", "contiguous", "to"}
MOVES |= {"getitem", "getattr", "unbind", "expand_as", "float", "double", "half", "bfloat16", "dropout", "unfold"}
SHARING = (nn.Flatten, nn.Unflatten, nn.Identity, nn.modules.dropout._DropoutNd)
IN_PLACE = {"iadd", "isub", "imul", "itruediv", "ifloordiv", "ipow", "imod", "iand", "ior", "ixor", "imatmul"}


class _EncoderLayer(nn.Module):
    """What `nn.TransformerEncoderLayer` computes, without its choice of a fast path, under the same names."""

    def __init__(self, layer: nn.TransformerEncoderLayer) -> None:
        super().__init__()
        for name, part in layer.named_children():
            self.add_module(name, part)
        self.norm_first = layer.norm_first
        self.self_attn: Any
        self.linear1: Any
        self.linear2: Any
        self.norm1: Any
        self.norm2: Any
        self.dropout: Any
        self.dropout1: Any
        self.dropout2: Any
        self.activation: Any = layer.activation

    def forward(self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: Any = False) -> Any:
        """The layer's own formula; `is_causal` only hints at what the mask says already."""
        masks = (src_mask, src_key_padding_mask)
        if self.norm_first:
            x = src + self._attend(self.norm1(src), *masks)
            return x + self._feed(self.norm2(x))
        x = self.norm1(src + self._attend(src, *masks))
        return self.norm2(x + self._feed(x))

    def _attend(self, x: Any, mask: Any, padding: Any) -> Any:
        return self.dropout1(self.self_attn(x, x, x, attn_mask=mask, key_padding_mask=padding, need_weights=False)[0])

    def _feed(self, x: Any) -> Any:
        return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class _Encoder(nn.Module):
    """What `nn.TransformerEncoder` computes, without its nested tensors, under the same names."""

    def __init__(self, encoder: nn.TransformerEncoder) -> None:
        super().__init__()
        self.layers = encoder.layers
        self.norm = encoder.norm

    def forward(self, src: Any, mask: Any = None, src_key_padding_mask: Any = None, is_causal: Any = None) -> Any:
        """One layer after the other."""
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask)
        return src if self.norm is None else self.norm(src)


STAND_INS = {nn.TransformerEncoderLayer: _EncoderLayer, nn.TransformerEncoder: _Encoder}


class _Tracer(fx.Tracer):
    """Modules of `torch.nn` are read as they are; all others, and stand-ins, are opened."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        opened = isinstance(m, tuple(STAND_INS.values()))
        return not opened and super().is_leaf_module(m, module_qualified_name)


def bind(model: nn.Module, example_inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any], dict[str, Any]]:
    """The inputs as positional ones, as named ones, and what `forward` takes for those not given."""
    if isinstance(example_inputs, Mapping):
        args, kwargs = (), dict(example_inputs)
    elif isinstance(example_inputs, (tuple, list)):
        args, kwargs = tuple(example_inputs), {}
    else:
        args, kwargs = (example_inputs,), {}
    try:
        bound = inspect.signature(model.forward).bind(*args, **kwargs)
    except TypeError as error:
        raise Refusal(f"forward does not take these example inputs: {error}") from None
    given = set(bound.arguments)
    bound.apply_defaults()
    rest = {name: value for name, value in bound.arguments.items() if name not in given and value not in ((), {})}
    return args, kwargs, rest


def check_plain(model: nn.Module) -> None:
    """Refuse what is no network of plain modules and plain weights."""
    if isinstance(model, torch.jit.ScriptModule):
        raise Refusal("a scripted module cannot be read; give the module that it was made from")
    if isinstance(model, WRAPPERS) or hasattr(model, "_orig_mod"):
        inner = "_orig_mod" if hasattr(model, "_orig_mod") else "module"
        raise Refusal(f"{type(model).__name__} wraps a network; give the network itself, its .{inner}")
    for name, module in model.named_modules():
        called = f"{name or 'the network'} ({type(module).__name__})"
        if parametrize.is_parametrized(module):
            raise Refusal(f"{called} has parametrizations, which compute its weights anew; remove them first")
        if any(map(is_lazy, module.parameters(recurse=False))):
            raise Refusal(f"{called} has weights without a shape; run the network once first")
        hooks = [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
        if hooks:
            named = getattr(hooks[0], "__name__", type(hooks[0]).__name__)
            raise Refusal(f"{called} has a forward hook ({named}), which may do anything; remove it first")
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if type(tensor) not in PLAIN or tensor.layout != torch.strided or tensor.is_quantized:
            raise Refusal(f"{name} is no plain dense tensor but {type(tensor).__name__}, {tensor.layout}")
        if tensor.is_complex() or tensor.is_meta:
            raise Refusal(f"{name} holds {'complex numbers' if tensor.is_complex() else 'no numbers (device meta)'}")
        if not bool(tensor.isfinite().all()):
            raise Refusal(f"{name} holds numbers that are not finite")


def with_stand_ins(model: nn.Module) -> nn.Module:
    """The network with transformer layers opened for reading, in place; names of weights stay the same."""
    for name, child in list(model._modules.items()):
        if child is not None:
            model._modules[name] = with_stand_ins(child)
    made = STAND_INS.get(type(model))
    return model if made is None else made(model)


def trace(model: nn.Module, unset: dict[str, Any]) -> fx.Graph:
    """The calls of `forward`, in the mode that the network is in."""
    try:
        return _Tracer().trace(model, concrete_args=unset or None)
    except Exception as error:
        said = (str(error).splitlines() or [""])[0]
        raise Refusal(
            f"forward cannot be read as a fixed graph of calls: {type(error).__name__}: {said}"
            " (control flow that depends on the data, or a call that tracing does not know)"
        ) from None


def writes(node: fx.Node, modules: Mapping[str, nn.Module]) -> bool:
    """Whether the call changes its first argument in place."""
    if node.op == "call_module":
        return bool(getattr(modules[str(node.target)], "inplace", False))
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    if node.op not in ("call_function", "call_method"):
        return False
    trailing = name.endswith("_") and not name.endswith("__")
    flagged = node.kwargs.get("inplace") is True or (node.op == "call_function" and True in node.args[1:])
    return trailing or name in IN_PLACE or (flagged and _activates(node)) or name in ("setitem", "__setitem__")


def _activates(node: fx.Node) -> bool:
    """Whether the function has an argument `inplace` and it is set."""
    try:
        bound = inspect.signature(node.target).bind(*node.args, **node.kwargs)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError):
        return node.kwargs.get("inplace") is True
    return bound.arguments.get("inplace") is True


def check_in_place(graph: fx.Graph, modules: Mapping[str, nn.Module]) -> None:
    """Refuse a call that changes a tensor in place which something reads again later."""
    places = {node: place for place, node in enumerate(graph.nodes)}
    shared: dict[fx.Node, set[fx.Node]] = {}
    for node in graph.nodes:
        first = node.args[0] if node.args and isinstance(node.args[0], fx.Node) else None
        family = shared[node] = {node}
        if first is not None and (writes(node, modules) or _may_share(node, modules)):
            family = shared[node] = shared[first]
            family.add(node)
        if first is None or not writes(node, modules):
            continue
        for member in family - {node}:
            if member.op == "get_attr":
                raise Refusal(f"{node.name} changes {member.target}, a tensor of the network, in place")
            if places[member] < places[node] and any(places[user] > places[node] for user in member.users):
                raise Refusal(f"{node.name} changes in place what {_later(member, node, places)} reads again later")
        if str(getattr(node.target, "__name__", node.target)).strip("_") == "setitem":
            raise Refusal(f"{node.name} writes into parts of a tensor")


def _later(member: fx.Node, node: fx.Node, places: dict[fx.Node, int]) -> str:
    return next(user.name for user in member.users if places[user] > places[node])


def _may_share(node: fx.Node, modules: Mapping[str, nn.Module]) -> bool:
    """Whether the result may be the memory of the first argument."""
    if node.op == "call_module":
        return isinstance(
            modules[str(node.target)], (nn.Flatten, nn.Unflatten, nn.Identity, nn.modules.dropout._DropoutNd)
        )
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    return name in MOVES


def nodes_in(arguments: Any) -> Iterator[fx.Node]:
    """Every node among arguments, nested ones too."""
    found: list[fx.Node] = []
    fx.map_arg(arguments, lambda node: found.append(node) or node)
    return iter(found)
