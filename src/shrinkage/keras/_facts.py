"""What a Keras model says about its variables: paths, layers that own them, roles."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import keras

from shrinkage._errors import ArgumentError
from shrinkage.training import (
    ROLES,
    Facts,
    is_vector,
    role_by_name,
    role_by_own_name,
    role_by_structure,
)

_ATTENTION = {"MultiHeadAttention", "GroupedQueryAttention"}
_NORMS = {"BatchNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization"}
_RECURRENT = {"SimpleRNNCell", "LSTMCell", "GRUCell", "ConvLSTMCell"}
_CONVOLUTIONS = {"BaseConv", "BaseConvTranspose", "BaseDepthwiseConv", "BaseSeparableConv"}
_EMBEDDINGS = {"embeddings", "reverse_embeddings"}


@dataclass(frozen=True, slots=True)
class Named:
    """One variable as the plan knows it; `layer` is its owner, None where only paths are known."""

    facts: Facts
    variable: Any
    layer: Any


def facts_of(model: Any) -> list[Named]:
    """Return every variable that is or could be trained once, in the order of `model.weights`.

    Parameters
    ----------
    model : keras.Layer that is built, or iterable of variables

    Raises
    ------
    ArgumentError
        If `model` is something else, or one of its layers is not built.
    """
    found = _of_layer(model) if isinstance(model, keras.layers.Layer) else _of_variables(model)
    groups: dict[int, list[Named]] = {}
    for named in found:
        groups.setdefault(id(named.variable), []).append(named)
    order = {id(variable): place for place, variable in enumerate(getattr(model, "weights", ()))}
    merged = sorted((_merge(same) for same in groups.values()), key=lambda one: order.get(id(one.variable), len(order)))
    return list(_apart(merged))


def _merge(same: list[Named]) -> Named:
    """One row for a variable of several layers: a role that is not penalized by default outweighs one that is."""
    first = same[0]
    free = next((named for named in same if ROLES[named.facts.role] != "weights"), first)
    if free is first:
        return first
    reason = f"{free.facts.reason}, tied in layer {free.layer.name!r}"
    role, axis = free.facts.role, free.facts.output_axis
    return replace(first, facts=replace(first.facts, role=role, reason=reason, output_axis=axis))


def _apart(merged: list[Named]) -> Iterator[Named]:
    """Two layers of one name give two variables one path: the later layers get a number."""
    seen: dict[str, int] = {}
    for named in merged:
        path = named.facts.name
        seen[path] = count = seen.get(path, 0) + 1
        if count > 1:
            above, mark, own = path.rpartition("/")
            path = f"{above}#{count}{mark}{own}" if above else f"{own}#{count}"
        yield replace(named, facts=replace(named.facts, name=path))


def _of_variables(variables: Any) -> Iterator[Named]:
    if isinstance(variables, (str, dict)) or not isinstance(variables, Iterable):
        raise ArgumentError(f"model must be a Keras model or a list of variables; got {type(variables).__name__}")
    for variable in variables:
        if not isinstance(variable, keras.Variable):
            raise ArgumentError(f"model must be a Keras model or a list of variables; got a {type(variable).__name__}")
        shape = tuple(variable.shape)
        role, reason = role_by_name(variable.path.replace(".", "_").replace("/", "."), shape)
        yield Named(_facts(variable, role, reason, None, bool(variable.trainable)), variable, None)


def _of_layer(model: Any) -> Iterator[Named]:
    owners = list(_owners(model, (), set()))
    _check_built(model, owners)
    trained = {id(variable) for variable in model.trainable_variables}
    for layer, above in owners:
        inside = {id(v) for inner in layer._flatten_layers(include_self=False) for v in inner._trainable_variables}
        for variable in layer._trainable_variables:
            if id(variable) in inside:  # a wrapper that also keeps what its layer owns
                continue
            role, reason, axis = _role(layer, above, variable)
            yield Named(_facts(variable, role, reason, axis, id(variable) in trained), variable, layer)


def _owners(layer: Any, above: tuple[Any, ...], seen: set[int]) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Every layer inside a layer once, itself first, with those that hold it."""
    seen.add(id(layer))
    yield layer, above
    for inner in layer._flatten_layers(include_self=False, recursive=False):
        if id(inner) not in seen:
            yield from _owners(inner, (*above, layer), seen)


def _check_built(model: Any, owners: Iterable[tuple[Any, Any]]) -> None:
    if not model.built:
        raise ArgumentError(
            f"model {model.name!r} has no weights yet: call it on data or build it for an input shape, "
            "then make the plan"
        )
    for layer, _ in owners:
        if not layer.built and not layer.weights and type(layer).build is not keras.layers.Layer.build:
            raise ArgumentError(
                f"model {model.name!r} holds the layer {layer.name!r} ({type(layer).__name__}), which is not built, so "
                "nobody knows its weights: call the model on data, or build that layer, then make the plan"
            )


def _facts(variable: Any, role: str, reason: str, axis: int | None, trainable: bool) -> Facts:
    shape = tuple(variable.shape)
    return Facts(variable.path, shape, prod(shape), role, reason, trainable, (), axis)


def kinds_of(layer: Any) -> set[str]:
    """Return the names of Keras' own classes that a layer is one of."""
    return {kind.__name__ for kind in type(layer).__mro__ if kind.__module__.partition(".")[0] == "keras"}


def _role(layer: Any, above: tuple[Any, ...], variable: Any) -> tuple[str, str, int | None]:
    """Return (role, reason, output axis): by class of the owner, by its structure, by name and ndim."""
    own, shape, kind = variable.name, tuple(variable.shape), type(layer).__name__
    by_class = _by_class(layer, above, own, shape)
    if by_class is not None:
        role, axis = by_class
        if role == "norm":
            return role, f"norm by class {kind}", None
        if role == "attention":
            holder = next(one for one in reversed(above) if kinds_of(one) & _ATTENTION)
            return role, f"{type(holder).__name__} {layer.name}/{own}", axis
        return role, f"{kind} {own}", axis
    siblings = {v.name: tuple(v.shape) for v in layer._trainable_variables}
    matrix = any(not is_vector(tuple(weight.shape)) for weight in layer.weights)
    by_structure = role_by_structure(kind, own, shape, siblings, matrix)
    return (*(by_structure or role_by_own_name(own, shape)), None)


def _by_class(layer: Any, above: tuple[Any, ...], own: str, shape: tuple[int, ...]) -> tuple[str, int | None] | None:
    """Return (role, output axis) of the variables that Keras' own classes define; None for every other one."""
    kinds, last = kinds_of(layer), len(shape) - 1
    if own.startswith("lora_"):
        return "matrix", None
    if own == "bias" and kinds - {"Layer", "Model", "Sequential", "Functional", "Wrapper"}:
        return "bias", None
    if own == "beta" and kinds & _NORMS:
        return "bias", None
    if kinds & _NORMS:
        return ("norm", None) if own in ("gamma", "scale") else None
    if "PReLU" in kinds:
        return "gain", None
    if kinds & {"Embedding", "ReversibleEmbedding"}:
        return ("embedding", None) if own in _EMBEDDINGS else None
    if own.endswith("kernel"):
        if kinds & _RECURRENT:
            return "recurrent", last
        if kinds & _CONVOLUTIONS:
            return "conv", _filters(kinds, own, shape)
        if "EinsumDense" in kinds:
            held = any(kinds_of(one) & _ATTENTION for one in above)
            return ("attention" if held else "linear"), _axis_of_equation(layer.equation)
        if "Dense" in kinds:
            return "linear", last
    return None


def _filters(kinds: set[str], own: str, shape: tuple[int, ...]) -> int | None:
    """The axis of a convolution's kernel that counts its filters; None where two axes count them together."""
    last = len(shape) - 1
    if own == "depthwise_kernel" or "BaseDepthwiseConv" in kinds:
        return last - 1 if shape[last] == 1 else None
    return last - 1 if "BaseConvTranspose" in kinds else last


def _axis_of_equation(equation: str) -> int | None:
    """The one axis of an einsum's kernel that its inputs do not have; None where there are several."""
    inputs, _, rest = equation.partition(",")
    kernel = rest.partition("->")[0]
    new = [axis for axis, letter in enumerate(kernel) if letter not in inputs]
    return new[0] if len(new) == 1 else None
