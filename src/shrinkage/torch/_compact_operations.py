"""Calls without weights: what they do to the features that pass through them."""

import operator
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from shrinkage.torch._compact_layers import numbers
from shrinkage.torch._compact_trace import nodes_in
from shrinkage.training import VARIES, Numbers, Value, numbered, order_along, same_for_all, zeros_of

if TYPE_CHECKING:
    from shrinkage.torch._compact_reader import Call, Reader

Rule = Callable[["Reader", "Call"], Any]
LENGTHS = {"view", "reshape", "expand"}
"""Calls whose arguments are lengths of axes."""


def alone(reader: "Reader", call: "Call") -> Value | None:
    """A function of each entry alone: a constant goes through it."""
    x = reader.known(call.node.args[0]) if call.node.args else None
    others = [*nodes_in(call.node.args[1:]), *nodes_in(call.node.kwargs)]
    if x is None or others or not isinstance(call.result, Tensor) or not call.result.is_floating_point():
        return reader.opaque(call)
    got = numbers(torch.as_tensor(call.again(torch.from_numpy(x.const.copy())))).reshape(-1)
    return reader.ledger.through(x, np.where(x.varies, VARIES, got))


def passing(reader: "Reader", call: "Call") -> Value | None:
    """A call that leaves constants as they are and features where they are: dropout, padding by what is there."""
    x = reader.known(call.node.args[0]) if call.node.args else None
    same = x is not None and isinstance(call.result, Tensor) and call.result.ndim == x.ndim
    if x is None or not same or call.result.shape[x.axis] != x.n or not call.result.is_floating_point():
        return reader.opaque(call)
    if any(reader.known(node) for node in (*nodes_in(call.node.args[1:]), *nodes_in(call.node.kwargs))):
        return reader.opaque(call)
    return reader.ledger.through(x, x.const)


def pooling(n_axes: int, keeps: Callable[["Call"], bool]) -> Rule:
    """Pooling over the last axes; `keeps` says whether constants other than 0 stay what they are."""

    def rule(reader: "Reader", call: "Call") -> Value | None:
        x = reader.known(call.node.args[0]) if call.node.args else None
        if x is None or not isinstance(call.result, Tensor) or x.from_right != -1 - n_axes:
            return reader.opaque(call)
        return reader.ledger.through(x, x.const if keeps(call) else zeros_of(x.const))

    return rule


def averaging(reader: "Reader", call: "Call") -> Value | None:
    """Means and extremes over axes other than that of the features."""
    x = reader.known(call.node.args[0]) if call.node.args else None
    given = dict(zip(("dim", "keepdim"), call.args[1:3], strict=False)) | call.kwargs
    dims = given.get("dim", given.get("axis"))
    if x is None or dims is None or not isinstance(call.result, Tensor) or set(given) - {"dim", "keepdim", "axis"}:
        return reader.opaque(call)
    gone = {dim % x.ndim for dim in (dims if isinstance(dims, Iterable) else (dims,))}
    if x.axis in gone:
        return reader.opaque(call)
    axis = x.axis if given.get("keepdim") else x.axis - sum(dim < x.axis for dim in gone)
    name = getattr(call.node.target, "__name__", call.node.target)
    return reader.ledger.through(x, zeros_of(x.const) if name == "sum" else x.const, axis, call.result.ndim)


def combining(reader: "Reader", call: "Call") -> Value | None:
    """Sums, products and the like of two tensors, or of one and a number: features at equal places go together."""
    args, result = call.node.args, call.result
    if len(args) != 2 or call.kwargs or not isinstance(result, Tensor) or not result.is_floating_point():
        return reader.opaque(call)
    known = [reader.known(argument) for argument in args]
    first = next((value for value in known if value is not None), None)
    if first is None:
        return reader.opaque(call)
    n = max(value.n for value in known if value is not None)
    if any(value is not None and value.from_right != first.from_right for value in known):
        return reader.opaque(call)
    if result.shape[first.from_right] != n:
        return reader.opaque(call)
    sides = [_side(reader, call, place, value, first.from_right, n) for place, value in enumerate(known)]

    def function(*consts: Any) -> Any:
        entries = (torch.from_numpy(c.copy()) if isinstance(c, np.ndarray) else c for c in consts)
        return numbers(torch.as_tensor(call.again(*entries)))

    product = call.node.target in TIMES or call.node.target in ("mul", "mul_", "multiply")
    return reader.ledger.combined(call.title, sides, function, n, result.ndim, product)


def _side(
    reader: "Reader", call: "Call", place: int, value: Value | None, from_right: int, n: int
) -> Value | Numbers | float:
    """One of two operands along the axis of features: what is known of it, or a number, or something that varies."""
    argument, concrete = call.node.args[place], call.args[place]
    if value is not None:
        return value
    if not isinstance(argument, fx.Node):
        return concrete
    length = concrete.shape[from_right] if isinstance(concrete, Tensor) and concrete.ndim >= -from_right else 1
    if length == 1:
        if argument.op == "get_attr":
            reader.freeze(concrete)
        return np.full(n, VARIES)
    axis = concrete.ndim + from_right
    if argument.op != "get_attr":
        return reader.ledger.unknown(n, axis, concrete.ndim)
    return _weight_as_side(reader, str(argument.target), concrete, axis)


def _weight_as_side(reader: "Reader", target: str, weight: Tensor, axis: int) -> Value:
    """A weight that is added or multiplied, such as a table of positions."""
    owner, _, name = target.rpartition(".")
    reader.owned.add((owner, name))
    rows = numbers(weight.movedim(axis, 0).flatten(1))
    side = reader.ledger.fresh(len(rows), axis, weight.ndim, same_for_all(rows.T))
    reader.ledger.claim(reader.key(weight), axis, side.atoms)
    return side


def joining(reader: "Reader", call: "Call") -> Value | None:
    """Concatenation, along the features or along another axis."""
    given = dict(zip(("tensors", "dim"), call.node.args, strict=False)) | call.node.kwargs
    nodes, dim = given.get("tensors"), given.get("dim", 0)
    known = [reader.known(node) for node in nodes] if isinstance(nodes, (list, tuple)) else []
    first = next((value for value in known if value is not None), None)
    tensors: Any = call.kwargs.get("tensors", call.args[0] if call.args else None)
    if first is None or not isinstance(dim, int) or any(v is not None and v.axis != first.axis for v in known):
        return reader.opaque(call)
    along = dim % first.ndim == first.axis
    parts = [
        reader.ledger.unknown(tensor.shape[first.axis], first.axis, first.ndim) if value is None else value
        for tensor, value in zip(tensors, known, strict=True)
    ]
    for node in nodes_in(nodes):
        if node.op == "get_attr":
            reader.freeze(reader.fetch_attr(str(node.target)))
    return reader.ledger.joined(parts, along)


def cutting(reader: "Reader", call: "Call") -> list[Value] | None:
    """Pieces of a tensor, along the features or along another axis."""
    x = reader.known(call.node.args[0]) if call.node.args else None
    dim = call.kwargs.get("dim", call.args[2] if len(call.args) > 2 else 0)
    if x is None or not isinstance(dim, int) or len([*nodes_in((call.node.args, call.node.kwargs))]) > 1:
        return reader.opaque(call)
    if dim % x.ndim != x.axis:
        return reader.ledger.pieces(x, None, len(call.result))
    pieces = reader.ledger.pieces(x, [piece.shape[x.axis] for piece in call.result], len(call.result))
    reader.partitions.append((call.node, x.axis, pieces))
    return pieces


def moving(reader: "Reader", call: "Call") -> Value | None:
    """Calls that only move entries: where the features went is seen by moving their numbers."""
    x = reader.known(call.node.args[0]) if call.node.args else None
    others = [*nodes_in(call.node.args[1:]), *nodes_in(call.node.kwargs)]
    if x is None or any(reader.values.get(node) is not None for node in others) or _reads_tensors(call):
        return reader.opaque(call)
    moved = numbers(call.again(torch.from_numpy(numbered(x, call.args[0].shape))))
    found = order_along(moved)
    if found is None:
        return reader.opaque(call, "{} spreads features over several axes")
    axis, order = found
    name = getattr(call.node.target, "__name__", call.node.target)
    if name == "getitem" and not np.array_equal(order, np.arange(x.n)):
        return reader.opaque(call, "{} takes features by their number")
    if name in LENGTHS and call.kwargs:
        return reader.opaque(call)
    out = reader.ledger.moved(x, order, axis, moved.ndim)
    if name in LENGTHS:
        reader.literals.append((call.node, axis, out))
    return out


def _reads_tensors(call: "Call") -> bool:
    found = [*call.args[1:], *call.kwargs.values()]
    flat = [item for part in found for item in (part if isinstance(part, (tuple, list)) else (part,))]
    return any(isinstance(item, Tensor) for item in flat)


def taking(reader: "Reader", call: "Call") -> Any:
    """An item: a piece of what was cut, a length of a shape, or part of a tensor."""
    source = call.node.args[0]
    found = reader.values.get(source) if isinstance(source, fx.Node) else None
    if isinstance(found, list):
        return found[call.args[1]] if isinstance(call.args[1], int) else reader.opaque(call)
    return moving(reader, call) if found is not None else reader.opaque(call)


def measuring(reader: "Reader", call: "Call") -> None:
    """Lengths of axes: nobody may count features with them, but to lay tensors out anew."""
    x = reader.known(call.node.args[0])
    attribute = call.node.args[1] if call.node.op == "call_function" and len(call.node.args) > 1 else "size"
    if x is None or attribute not in ("shape", "size"):
        return None if x is None or attribute in UNCHANGED else reader.opaque(call)
    dim = call.args[1] if call.node.op == "call_method" and len(call.args) > 1 else call.kwargs.get("dim")
    asked = [(call.node, dim)] if dim is not None else [(user, _place(user)) for user in call.node.users]
    for node, place in asked:
        counts = not isinstance(place, int) or place % x.ndim == x.axis
        if counts and not _lays_out(node):
            reader.opaque(call, "{} counts features")
    return None


def _place(node: fx.Node) -> Any:
    return node.args[1] if node.target is operator.getitem else None


def _lays_out(node: fx.Node) -> bool:
    """Whether a length is used for nothing but lengths of other tensors."""
    if node.target not in (operator.getitem, operator.mul, operator.floordiv) and node.target != "size":
        return False
    return all(user.target in LENGTHS or _lays_out(user) for user in node.users)


def _plain_window(call: "Call") -> bool:
    """Whether every window of an average lies within the image and is divided by its size."""
    layer: Any = call.module
    if layer is None:
        return len(call.args) <= 3 and not set(call.kwargs) - {"kernel_size", "stride"}
    padding = layer.padding if isinstance(layer.padding, tuple) else (layer.padding,)
    return not any(padding) and not layer.ceil_mode and getattr(layer, "divisor_override", None) is None


def _always(call: "Call") -> bool:
    return True


def _pools() -> dict[Any, Rule]:
    rules: dict[Any, Rule] = {}
    for n in (1, 2, 3):
        for kind, keeps in (
            ("Max", _always),
            ("Avg", _plain_window),
            ("AdaptiveMax", _always),
            ("AdaptiveAvg", _always),
        ):
            rule = pooling(n, keeps)
            rules[getattr(nn, f"{kind}Pool{n}d")] = rule
            name = kind.replace("Adaptive", "adaptive_").lower() + f"_pool{n}d"
            for home in (functional, torch):
                if hasattr(home, name):
                    rules[getattr(home, name)] = rule
    return rules


def _functions(names: str, rule: Rule) -> dict[Any, Rule]:
    """The rule by every function of these names in torch, its functional part and `operator`."""
    homes = (torch, functional, operator)
    return {getattr(home, name): rule for name in names.split() for home in homes if hasattr(home, name)}


ALONE = (
    "relu relu_ relu6 leaky_relu leaky_relu_ elu elu_ celu selu selu_ gelu silu mish sigmoid sigmoid_ tanh"
    " tanh_ softplus softsign hardswish hardsigmoid hardtanh hardtanh_ logsigmoid tanhshrink softshrink hardshrink"
    " threshold exp expm1 log log1p sqrt rsqrt abs neg square sin cos clamp clamp_min clamp_max erf reciprocal sign"
    " float double to"
)
COMBINING = (
    "add sub mul div true_divide truediv pow iadd isub imul itruediv maximum minimum add_ sub_ mul_ div_ multiply"
)
MOVING = "view reshape flatten permute transpose squeeze unsqueeze movedim swapaxes swapdims expand unflatten"
PASSING = (
    "dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout interpolate clone contiguous detach"
)
ACTIVATIONS = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid, nn.Tanh),
    *(nn.Softplus, nn.Softsign, nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.LogSigmoid, nn.Tanhshrink),
    *(nn.Softshrink, nn.Hardshrink, nn.Threshold),
)
DROPPING = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
PADS = [getattr(nn, f"{kind}Pad{n}d") for n in (1, 2, 3) for kind in ("Reflection", "Replication", "Circular")]
TIMES = {torch.mul, torch.multiply, operator.mul, operator.imul}
UNCHANGED = {"ndim", "dtype", "device", "dim", "is_cuda", "requires_grad"}
MODULES: dict[Any, Rule] = {
    **dict.fromkeys(ACTIVATIONS, alone),
    **dict.fromkeys((*DROPPING, *PADS), passing),
    **dict.fromkeys((nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d), passing),
    **dict.fromkeys((nn.Flatten, nn.Unflatten), moving),
    **_pools(),
}
FUNCTIONS: dict[Any, Rule] = {
    **_functions(ALONE, alone),
    **_functions(COMBINING, combining),
    **_functions(MOVING, moving),
    **_functions(PASSING, passing),
    **_functions("mean sum amax amin", averaging),
    **_functions("cat concat concatenate", joining),
    **_functions("chunk split", cutting),
    **{function: rule for function, rule in _pools().items() if not isinstance(function, type)},
    operator.getitem: taking,
    getattr: measuring,
}
METHODS: dict[str, Rule] = {
    **dict.fromkeys(ALONE.split(), alone),
    **dict.fromkeys(COMBINING.split(), combining),
    **dict.fromkeys(MOVING.split(), moving),
    **dict.fromkeys(("clone", "contiguous", "detach"), passing),
    **dict.fromkeys(("mean", "sum", "amax", "amin"), averaging),
    **dict.fromkeys(("chunk", "split"), cutting),
    **dict.fromkeys(("size", "dim"), measuring),
}
