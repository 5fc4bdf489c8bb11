"""Keras models as graphs of calls: which can be read, what example they take, what they return."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from shrinkage.training import Numbers, Refusal, compare_outputs, distance, output_tolerance

Model = Any
BATCH = 8
UNKNOWN_LENGTHS = {1: 16, 2: 32, 3: 16}
"""Lengths of axes that the model leaves open in an example of ours, by how many axes lie between batch and features."""


def array(tensor: Any) -> Numbers:
    """A tensor of the backend as NumPy has it."""
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def numbers(variable: Any) -> Numbers:
    """A weight in float64."""
    return array(variable.value).astype(np.float64)


def graph_of(model: Model) -> Any:
    """The functional graph of a model; a Sequential has one inside.

    Raises
    ------
    Refusal
        If there is none.
    """
    if isinstance(model, keras.Sequential):
        inner = getattr(model, "_functional", None)
        if inner is None:
            raise Refusal(f"{model.name} (Sequential) has not been built; call it once on data, or give it an Input")
        return inner
    if isinstance(model, keras.Function) and isinstance(model, keras.Model):
        return model
    raise Refusal(
        f"{model.name} ({type(model).__name__}) is a subclassed model, whose call may do anything; "
        "only Sequential and functional models can be read"
    )


def opens(operation: Any) -> bool:
    """Whether a call in a graph is that of a model that can be opened."""
    if isinstance(operation, keras.Sequential):
        return type(operation) is keras.Sequential and getattr(operation, "_functional", None) is not None
    return isinstance(operation, keras.Function) and isinstance(operation, keras.Model) and plain_class(operation)


def plain_class(model: Model) -> bool:
    """Whether the model's class can be made from inputs and outputs: it has no constructor and no call of its own."""
    return not any(own in vars(kind) for kind in type(model).__mro__ if _is_foreign(kind)
                   for own in ("__init__", "call", "__call__", "from_config"))  # fmt: skip


def _is_foreign(kind: type) -> bool:
    return kind.__module__.partition(".")[0] not in ("keras", "torch", "tensorflow", "builtins", "typing")


def layers_of(model: Model, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All layers by their path, those of models inside too; one that is shared comes once for each place."""
    for operation in graph_of(model).operations:
        name = prefix + operation.name
        if opens(operation):
            yield from layers_of(operation, name + "/")
        elif isinstance(operation, keras.layers.Layer) and not isinstance(operation, keras.layers.InputLayer):
            yield name, operation


def check_plain(model: Model) -> None:
    """Refuse what is no model of plain layers and plain weights."""
    graph_of(model)
    if not plain_class(model):
        raise Refusal(f"{type(model).__name__} has a constructor or a call of its own, which may do anything")
    owners: dict[int, Any] = {}
    for name, layer in layers_of(model):
        if not layer.built and layer.variables:
            raise Refusal(f"{name} ({type(layer).__name__}) has not been built")
        for variable in layer.variables:
            other = owners.setdefault(id(variable), layer)
            if other is not layer:
                raise Refusal(f"{name} and {other.name} have the same weight {variable.path}, which a copy would not")
            if not _finite(variable):
                raise Refusal(f"{variable.path} holds numbers that are not finite")
    for weight in model.weights:
        if id(weight) not in owners:
            raise Refusal(f"{weight.path} belongs to no layer of the graph")


def _finite(variable: Any) -> bool:
    values = array(variable.value)
    return values.dtype.kind in "iub" or bool(np.isfinite(values.astype(np.float64)).all())


def call(model: Model, inputs: Any) -> Any:
    """The outputs of evaluation, compiled where the backend compiles, as NumPy arrays in the model's structure."""
    return keras.tree.map_structure(np.asarray, model.predict_on_batch(inputs))


@dataclass(frozen=True)
class Examples:
    """Inputs of a model: an example, and others like it.

    Attributes
    ----------
    given : array, list, tuple or dict
        The example, in the structure that the model takes.
    vocabularies : list of int or None
        For each input how many words it may number; None where it is no number of a word.
    """

    given: Any
    vocabularies: list[int | None]

    def all(self, n_random: int, seed: int) -> Iterator[Any]:
        """The example, random inputs of its shapes, zeros, and the example twice over as a batch of another length.

        Random numbers are normal, of sizes that grow from 1; whole numbers are drawn from the range that they have.
        """
        generator = np.random.default_rng(seed)
        yield self.given
        for draw in range(n_random):
            yield self._each(lambda leaf, words, size=3.0**draw: _random(leaf, words, generator, size))
        yield self._each(lambda leaf, words: np.zeros_like(leaf) if _is_float(leaf) and words is None else leaf)
        lengths = {leaf.shape[0] if leaf.ndim else 0 for leaf in keras.tree.flatten(self.given)}
        if len(lengths) == 1 and 0 not in lengths:
            yield self._each(lambda leaf, _: np.concatenate((leaf, leaf)))

    def _each(self, function: Callable[[Any, Any], Any]) -> Any:
        leaves = keras.tree.flatten(self.given)
        made = [function(leaf, words) for leaf, words in zip(leaves, self.vocabularies, strict=True)]
        return keras.tree.pack_sequence_as(self.given, made)


def _is_float(leaf: Any) -> bool:
    return leaf.dtype.kind == "f" or leaf.dtype.name == "bfloat16"


def _random(leaf: Any, words: int | None, generator: np.random.Generator, size: float) -> Any:
    if words is not None:
        return generator.integers(0, words, leaf.shape).astype(leaf.dtype)
    if _is_float(leaf):
        return (size * generator.standard_normal(leaf.shape)).astype(leaf.dtype)
    if leaf.dtype.kind not in "iu" or not leaf.size:
        return leaf
    return generator.integers(int(leaf.min()), int(leaf.max()) + 1, leaf.shape).astype(leaf.dtype)


def examples_of(model: Model, given: Any, seed: int) -> Examples:
    """What the model is run on: what was given, or normal random numbers of the shapes that it declares."""
    graph = graph_of(model)
    words = [_words(graph, tensor) for tensor in graph.inputs]
    if given is not None:
        arrays = keras.tree.map_structure(array, given)
        n_given = len(keras.tree.flatten(arrays))
        return Examples(arrays, words if n_given == len(words) else [None] * n_given)
    generator = np.random.default_rng(seed)
    leaves = [_example(*each, generator) for each in zip(graph.inputs, words, strict=True)]
    structure = graph.input
    return Examples(leaves[0] if len(leaves) == 1 and not isinstance(structure, dict) else
                    keras.tree.pack_sequence_as(structure, leaves), words)  # fmt: skip


def _example(tensor: Any, words: int | None, generator: np.random.Generator) -> Any:
    dtype, between = keras.backend.standardize_dtype(tensor.dtype), len(tensor.shape) - 2
    if dtype == "string":
        raise Refusal(f"{tensor.name} takes strings; give example_inputs")
    shape = [tensor.shape[0] or BATCH, *(length or UNKNOWN_LENGTHS.get(between, 16) for length in tensor.shape[1:])]
    whole = dtype.startswith(("int", "uint", "bool"))
    if words is not None or whole:
        return generator.integers(0, words or 2, shape).astype(dtype)
    drawn = generator.standard_normal(shape)
    return drawn.astype(dtype if dtype in ("float16", "float32", "float64") else "float32")


def _words(graph: Any, tensor: Any) -> int | None:
    """How many words an input numbers that an embedding reads; None where none does."""
    sizes: list[int] = []

    for operation in graph.operations:
        nodes = getattr(operation, "_inbound_nodes", ())
        if any(tensor is entering for node in nodes for entering in node.input_tensors):
            if isinstance(operation, keras.layers.Embedding):
                sizes.append(int(operation.input_dim))
            elif opens(operation):
                sizes += [size for inner in graph_of(operation).inputs if (size := _words(graph_of(operation), inner))]
    return min(sizes, default=None)


def difference(one: Any, other: Any) -> tuple[float, float]:
    """The largest difference between two outputs of any structure, and the largest size of an entry.

    Other structures, shapes or dtypes, and entries that are finite in one alone, are infinitely far apart.
    """
    firsts, seconds = keras.tree.flatten(one), keras.tree.flatten(other)
    if len(firsts) != len(seconds):
        return float("inf"), 0.0
    apart = size = 0.0
    for a, b in zip(firsts, seconds, strict=True):
        if a.shape != b.shape or a.dtype != b.dtype:
            return float("inf"), 0.0
        here, largest = distance(a, b)
        apart, size = max(apart, here), max(size, largest)
    return apart, size


def compare(
    before: Model, after: Model, examples: Examples, n_random: int, tolerance: float | None, seed: int
) -> tuple[float, int]:
    """The largest difference of outputs over all inputs, relative to the largest above 1, and how many there were.

    Raises
    ------
    Refusal
        If one is above the tolerance, or the smaller network fails where the other does not.
    """

    def allowed(right: Any) -> float:
        dtypes = (leaf.dtype.name for leaf in keras.tree.flatten(right))
        return output_tolerance(dtypes) if tolerance is None else tolerance

    inputs = examples.all(n_random, seed)
    return compare_outputs(lambda x: call(before, x), lambda x: call(after, x), inputs, difference, allowed)
