"""A copy of a Keras model with fewer features: layers made anew with new numbers, weights cut, constants folded."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from shrinkage.keras._compact_graph import array, graph_of, layers_of, numbers, opens
from shrinkage.keras._compact_layers import DEPTHWISE, LAYERS, TRANSPOSED
from shrinkage.keras._compact_reader import Reader
from shrinkage.training import Numbers, Refusal, Removal

L = keras.layers
CONVOLUTIONS = (L.Conv1D, L.Conv2D, L.Conv3D)
SEPARABLE = (L.SeparableConv1D, L.SeparableConv2D)


def rewritten(model: Any, reader: Reader, removal: Removal) -> Any:
    """The smaller model, on weights of its own; not compiled."""
    made: dict[int, Any] = {}

    def renewed(operation: Any) -> Any:
        if id(operation) not in made:
            made[id(operation)] = (
                rebuilt(operation, renewed) if opens(operation) else _renewed(operation, reader, removal)
            )
        return made[id(operation)]

    try:
        result = rebuilt(model, renewed)
    except Refusal:
        raise
    except Exception as error:
        said = (str(error).splitlines() or [""])[0]
        raise Refusal(f"the smaller model cannot be built: {type(error).__name__}: {said}") from error
    _same_flags(model, result, made)
    for name, layer in layers_of(model):
        if id(layer) in made and made[id(layer)] is not layer:
            _fill(layer, made[id(layer)], reader.names.get(id(layer), name), removal)
    return result


def rebuilt(model: Any, renewed: Callable[[Any], Any]) -> Any:
    """A model of the same class over layers that `renewed` gives for those of this one."""
    graph = graph_of(model)
    if isinstance(model, keras.Sequential):
        return type(model)([_input(graph.inputs[0]), *map(renewed, model.layers)], name=model.name)
    inputs = keras.tree.map_structure(_input, graph.input)
    outputs = graph._run_through_graph(keras.tree.flatten(inputs), operation_fn=renewed)
    return type(model)(inputs=inputs, outputs=outputs, name=model.name)


def _input(tensor: Any) -> Any:
    layer = tensor._keras_history.operation
    optional = {"optional": True} if getattr(layer, "optional", False) else {}
    sparse = {"sparse": True} if getattr(tensor, "sparse", False) else {}
    return keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=layer.name, **sparse, **optional)


def _renewed(operation: Any, reader: Reader, removal: Removal) -> Any:
    config = None
    try:
        config = operation.get_config()
        if isinstance(operation, L.Layer):
            config = {
                **config,
                **_numbers(operation, reader, removal),
                **dict.fromkeys(_initializers(operation), "zeros"),
            }
        return type(operation).from_config(config)
    except Refusal:
        raise
    except Exception as error:
        if not getattr(operation, "variables", None):
            return operation  # it has no weights, so both models may call it
        said = (str(error).splitlines() or [""])[0]
        raise Refusal(
            f"{operation.name} ({type(operation).__name__}) cannot be made anew from its configuration: {said}"
        ) from error


def _initializers(layer: Any) -> list[str]:
    """Attributes with initializers of a layer whose weights are all set later: to draw them first takes long."""
    return [name for name in vars(layer) if name.endswith("_initializer")] if type(layer) in LAYERS else []


def _numbers(layer: Any, reader: Reader, removal: Removal) -> dict[str, Any]:
    """What of a layer's configuration tells of numbers of features, as they will be."""
    kind, told = type(layer), dict[str, Any]()
    if kind is L.Reshape:
        return _target(layer, reader, removal)
    name = reader.names.get(id(layer), str(layer.name))
    if kind is L.Dense:
        told = {"units": _length(layer.kernel, 1, removal)}
    elif kind in CONVOLUTIONS:
        told = {"filters": _length(layer.kernel, layer.rank + 1, removal)}
        entering = removal.ledger.grouped.get(name)
        if entering is not None:
            told["groups"] = len(removal.places(entering)) // layer.kernel.shape[layer.rank]
    elif kind in TRANSPOSED:
        told = {"filters": _length(layer.kernel, layer.rank, removal)}
    elif kind in DEPTHWISE:
        told = {"depth_multiplier": _length(layer.kernel, layer.rank + 1, removal)}
    elif kind in SEPARABLE:
        told = {
            "depth_multiplier": _length(layer.depthwise_kernel, layer.rank + 1, removal),
            "filters": _length(layer.pointwise_kernel, layer.rank + 1, removal),
        }
    elif kind is L.Embedding:
        told = {"output_dim": _length(layer.embeddings, 1, removal)}
    if name in removal.added:
        told["use_bias"] = True
    return told


def _length(variable: Any, axis: int, removal: Removal) -> int:
    kept = removal.kept.get((id(variable), axis))
    return int(variable.shape[axis]) if kept is None else len(kept)


def _target(layer: Any, reader: Reader, removal: Removal) -> dict[str, Any]:
    asked = {(axis, len(removal.places(value))) for axis, value in reader.targets.get(id(layer), ())}
    if not asked:
        return {}
    if len(asked) > 1:
        raise Refusal(f"{layer.name} (Reshape) is called several times and would have to give other shapes")
    axis, count = asked.pop()
    target = list(layer.target_shape)
    if target[axis - 1] != -1:
        target[axis - 1] = count
    return {"target_shape": tuple(target)}


def _same_flags(model: Any, result: Any, made: dict[int, Any]) -> None:
    """What may be trained: of models first, since theirs goes to all that is in them, then of layers."""
    if result.trainable != model.trainable:
        result.trainable = model.trainable
    for old in graph_of(model).operations:
        new = made.get(id(old), old)
        if opens(old):
            _same_flags(old, new, made)
        elif new is not old and isinstance(old, L.Layer) and new.trainable != old.trainable:
            new.trainable = old.trainable


def _fill(old: Any, new: Any, name: str, removal: Removal) -> None:
    """Set the weights of the new layer: those of the old one, cut, with constants that came into its bias."""
    added = removal.added.get(name)
    brought = new.bias if added is not None and old.bias is None else None
    targets = [variable for variable in new.variables if variable is not brought]
    if len(targets) != len(old.variables):
        raise Refusal(f"{name} ({type(old).__name__}), made anew, has other weights")
    for source, target in zip(old.variables, targets, strict=True):
        values = array(source.value)
        if added is not None and source is getattr(old, "bias", None):
            values = numbers(source) + added
        for site, column, more in removal.merged:
            if site.weight == id(source):
                values = np.array(values, dtype=np.float64)
                np.moveaxis(values, -2, 0)[column] += more
        _assign(target, _cut(values, source, removal), name)
        _same_settings(source, target)
    if brought is not None and added is not None:
        site = next(site for site in removal.ledger.sites if site.name == name)
        _assign(brought, added[removal.places(site.leaving)], name)
    for attribute in _initializers(old):
        setattr(new, attribute, getattr(old, attribute))
    if isinstance(new, L.Normalization):
        new.finalize_state()


def _cut(values: Numbers, source: Any, removal: Removal) -> Numbers:
    for axis in range(values.ndim):
        kept = removal.kept.get((id(source), axis))
        values = values if kept is None else values.take(kept, axis)
    return values


def _assign(target: Any, values: Numbers, name: str) -> None:
    if tuple(target.shape) != tuple(values.shape):
        raise Refusal(f"{name}, made anew, has a weight {target.name} of shape {tuple(target.shape)}, not "
                      f"{tuple(values.shape)}")  # fmt: skip
    dtype = keras.backend.standardize_dtype(target.dtype)
    target.assign(keras.ops.cast(keras.ops.convert_to_tensor(_plain(values)), dtype))


def _plain(values: Numbers) -> Numbers:
    """Numbers of a type that every backend takes, where one is as precise."""
    return values.astype(np.float32) if values.dtype.name == "bfloat16" else values


def _same_settings(source: Any, target: Any) -> None:
    """What a configuration does not hold: flags of single weights, and a regularizer given to a built one."""
    if target.trainable != source.trainable:
        target.trainable = source.trainable
    if source.regularizer is not None and target.regularizer is None:
        target.regularizer = source.regularizer
