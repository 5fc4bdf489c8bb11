"""What every call of a Keras model does with features, gathered by running it once on an example."""

import inspect
from dataclasses import dataclass
from typing import Any

import keras

from shrinkage.keras._compact_graph import array, graph_of, opens
from shrinkage.keras._compact_layers import LAYERS
from shrinkage.keras._compact_operations import MODULES, OPERATIONS
from shrinkage.training import NEEDS_ALL, Ledger, Refusal, Value


@dataclass(frozen=True, eq=False)
class Tracked:
    """A tensor on its way through the model: what it holds for the example, what is known of its features."""

    tensor: Any
    value: Value | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes for the example."""
        return tuple(self.tensor.shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.tensor.shape)


@dataclass(frozen=True, eq=False)
class Call:
    """One call: what is called, under which path, with which arguments, what it returned."""

    operation: Any
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any

    @property
    def title(self) -> str:
        """What a sentence calls it."""
        return f"{self.name} ({type(self.operation).__name__})"

    @property
    def tracked(self) -> list[Tracked]:
        """All tensors among the arguments."""
        return [leaf for leaf in keras.tree.flatten((self.args, self.kwargs)) if isinstance(leaf, Tracked)]

    @property
    def only(self) -> Tracked | None:
        """The tensor that it is called on, if it is called on one and nothing else."""
        found = self.tracked
        return found[0] if len(found) == 1 and self.args and self.args[0] is found[0] else None

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes of the result."""
        return tuple(self.result.shape)


class Reader:
    """Runs a model once on the example and notes for each tensor what is known of its features.

    Attributes
    ----------
    ledger : Ledger
        Weights are known by the id of their variable.
    names : dict of int to str
        The path of each layer, by its id.
    targets : dict of int to list of (int, Value)
        By the id of a Reshape, for each of its calls: which axis of its result is that of the features, and the result.
    """

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.names: dict[int, str] = {}
        self.targets: dict[int, list[tuple[int, Value]]] = {}

    def read(self, model: Any, inputs: Any) -> Any:
        """Read a model forwards and backwards; its outputs, as the calls one by one give them."""
        graph = graph_of(model)
        tensors = [
            keras.ops.convert_to_tensor(leaf, dtype=wanted.dtype)
            for leaf, wanted in zip(_in_order(graph, inputs), graph.inputs, strict=True)
        ]
        outputs = self._run(model, [Tracked(tensor, None) for tensor in tensors], "")
        for each, symbol in zip(keras.tree.flatten(outputs), graph.outputs, strict=True):
            if each.value is not None:
                self.ledger.hold(symbol._keras_history.operation.name, each.value, "the network returns all of {}")
        self.ledger.settle()
        return keras.tree.map_structure(lambda each: array(each.tensor), outputs)

    def _run(self, model: Any, inputs: list[Tracked], prefix: str) -> Any:
        def enter(operation: Any, *args: Any, **kwargs: Any) -> Any:
            return self._call(operation, prefix, args, kwargs)

        return graph_of(model)._run_through_graph(inputs, call_fn=enter)

    def _call(self, operation: Any, prefix: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        name = self.names.setdefault(id(operation), prefix + operation.name)
        if opens(operation):
            graph = graph_of(operation)
            inner = _in_order(graph, args[0] if args else None)
            if len(inner) == len(graph.inputs) and all(isinstance(each, Tracked) for each in inner):
                return self._run(operation, inner, name + "/")
        concrete: Any = keras.tree.map_structure(_tensor, (args, kwargs))
        given = {**concrete[1], "training": False} if _takes_training(operation) else concrete[1]
        result = operation(*concrete[0], **given)
        leaves = keras.tree.flatten(result)
        if len(leaves) != 1:
            self.opaque(Call(operation, name, args, kwargs, result))
            return keras.tree.map_structure(lambda leaf: Tracked(leaf, None), result)
        call = Call(operation, name, args, kwargs, leaves[0])
        rule = _rule(operation)
        return Tracked(leaves[0], self.opaque(call) if rule is None else rule(self, call))

    def opaque(self, call: Call, sentence: str = NEEDS_ALL) -> None:
        """A call that needs its inputs as they are, of whose result nothing is known."""
        for each in call.tracked:
            if each.value is not None:
                self.ledger.hold(call.title, each.value, sentence)
        self.freeze(call.operation)

    def freeze(self, operation: Any) -> None:
        """An operation whose weights must stay whole."""
        self.ledger.frozen |= {id(variable) for variable in getattr(operation, "variables", ())}

    def key(self, variable: Any) -> int | None:
        """What the ledger knows a weight by."""
        return None if variable is None else id(variable)

    def entering(self, call: Call, x: Tracked, axis: int) -> Value:
        """What is known along this axis, which the call sums over; something that must stay where it is nothing."""
        if x.value is not None and x.value.axis == axis:
            return x.value
        if x.value is not None:
            self.ledger.hold(call.title, x.value)
        return self.ledger.unknown(x.shape[axis], axis, x.ndim)


def _rule(operation: Any) -> Any:
    kind = type(operation)
    if isinstance(operation, keras.layers.Layer):
        return LAYERS.get(kind) or MODULES.get(kind)
    known = kind.__module__.startswith("keras.")
    return OPERATIONS.get(kind.__name__) if known else None


def _tensor(leaf: Any) -> Any:
    return leaf.tensor if isinstance(leaf, Tracked) else leaf


def _takes_training(operation: Any) -> bool:
    """Whether the call asks in which mode it is: a model that evaluates tells all of its layers."""
    if not isinstance(operation, keras.layers.Layer):
        return False
    return "training" in inspect.signature(operation.call).parameters


def _in_order(graph: Any, inputs: Any) -> list[Any]:
    """The inputs in the order of the graph; a dict is read by the names of inputs."""
    if not isinstance(inputs, dict) or isinstance(graph.input, dict):
        return keras.tree.flatten(inputs)
    names = [tensor.name for tensor in graph.inputs]
    if not set(names) <= set(inputs):
        raise Refusal(f"inputs must have the names {names}; got {sorted(inputs)}")
    return [inputs[name] for name in names]
