"""What every call of a network does with features, gathered call by call; then, backwards, what depends on them."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, fx, nn

from shrinkage.torch._compact_layers import LAYERS
from shrinkage.torch._compact_operations import FUNCTIONS, METHODS, MODULES
from shrinkage.torch._compact_trace import nodes_in
from shrinkage.training import NEEDS_ALL, Ledger, Value

Known = Value | list[Value] | None


@dataclass(frozen=True, eq=False)
class Call:
    """One call: the node of the graph, its arguments as they were for the example, what it returned."""

    node: fx.Node
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any
    module: nn.Module | None

    @property
    def title(self) -> str:
        """What a sentence calls it."""
        if self.module is not None:
            return f"{self.node.target} ({type(self.module).__name__})"
        target = self.node.target
        return f"{self.node.name} ({target if isinstance(target, str) else getattr(target, '__name__', target)})"

    def again(self, *args: Any) -> Any:
        """The same call with other leading arguments."""
        args = (*args, *self.args[len(args) :])
        if self.module is not None:
            return self.module(*args, **self.kwargs)
        if self.node.op == "call_method":
            return getattr(args[0], str(self.node.target))(*args[1:], **self.kwargs)
        return self.node.target(*args, **self.kwargs)  # pyright: ignore[reportCallIssue]


class Reader(fx.Interpreter):
    """Runs the network once on the example and notes for each tensor what is known of its features.

    Attributes
    ----------
    ledger : Ledger
        Weights are known by their id.
    values : dict of fx.Node to Value
        None for tensors without an axis of features that could change.
    literals : list of (fx.Node, int, Value)
        Calls that name the length of an axis of features as a number: the node, the axis of its result, the result.
    partitions : list of (fx.Node, int, list of Value)
        Calls that cut an axis of features in pieces.
    """

    def __init__(self, module: nn.Module, graph: fx.Graph) -> None:
        super().__init__(module, graph=graph)
        self.ledger = Ledger()
        self.values: dict[fx.Node, Known] = {}
        self.owned: set[tuple[str, str]] = set()
        self.literals: list[tuple[fx.Node, int, Value]] = []
        self.partitions: list[tuple[fx.Node, int, list[Value]]] = []
        self._weights: dict[int, Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Run one call and read it."""
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        result = super().run_node(n)
        module = self.fetch_attr(str(n.target)) if n.op == "call_module" else None
        self.values[n] = self._read(Call(n, args, kwargs, result, module))
        return result

    def _read(self, call: Call) -> Known:
        node = call.node
        if node.op in ("placeholder", "get_attr"):
            return None
        if node.op == "output":
            return self.opaque(call, "the network returns all of {}")
        rule = None
        if call.module is not None:
            rule = LAYERS.get(type(call.module)) or MODULES.get(type(call.module))
        elif node.op == "call_function":
            rule = FUNCTIONS.get(node.target)
        elif call.args and isinstance(call.args[0], Tensor):
            rule = METHODS.get(str(node.target))
        return self.opaque(call) if rule is None else rule(self, call)

    def known(self, argument: Any) -> Value | None:
        """What is known of an argument's features."""
        found = self.values.get(argument) if isinstance(argument, fx.Node) else None
        return found if isinstance(found, Value) else None

    def tensors(self, call: Call) -> list[Value]:
        """What is known of all that enter a call."""
        found: list[Value] = []
        for node in nodes_in((call.node.args, call.node.kwargs)):
            value = self.values.get(node)
            found += value if isinstance(value, list) else [] if value is None else [value]
        return found

    def opaque(self, call: Call, sentence: str = NEEDS_ALL) -> None:
        """A call that needs its inputs as they are, of whose result nothing is known."""
        for value in self.tensors(call):
            self.ledger.hold(call.title, value, sentence)
        for node in nodes_in((call.node.args, call.node.kwargs)):
            if node.op == "get_attr":
                self.freeze(self.fetch_attr(str(node.target)))
        for weight in () if call.module is None else call.module.parameters():
            self.freeze(weight)

    def key(self, weight: Tensor | None) -> int | None:
        """What the ledger knows a weight by."""
        if weight is None:
            return None
        self._weights[id(weight)] = weight  # held, so that no other takes its id
        return id(weight)

    def freeze(self, weight: Any) -> None:
        """A weight that must stay whole."""
        if isinstance(weight, Tensor):
            self.ledger.frozen.add(id(weight))

    def own(self, call: Call, *names: str) -> None:
        """These weights of the called layer are understood."""
        self.owned |= {(str(call.node.target), name) for name in names}

    def settle(self) -> None:
        """Go backwards over the calls; weights that somebody has under a name not understood stay whole."""
        self.ledger.settle()
        for name, tensor in named_tensors(self.module):
            owner, _, own = name.rpartition(".")
            if (owner, own) not in self.owned:
                self.freeze(tensor)


def named_tensors(model: nn.Module) -> list[tuple[str, Tensor]]:
    """Parameters and buffers under all of their names."""
    found: list[tuple[str, Tensor]] = [*model.named_parameters(remove_duplicate=False)]
    return [*found, *model.named_buffers(remove_duplicate=False)]
