"""What every call of a network does with features, gathered call by call; then, backwards, what depends on them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from shrinkage.torch._compact_layers import LAYERS
from shrinkage.torch._compact_operations import FUNCTIONS, METHODS, MODULES
from shrinkage.torch._compact_trace import nodes_in
from shrinkage.torch._compact_values import VARIES, Atoms, Site, Value

NEEDS_ALL = "{} needs every feature that enters"
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
    atoms : Atoms
    values : dict of fx.Node to Value
        None for tensors without an axis of features that could change.
    claims : dict
        The atoms of an axis of a weight, by (id of the weight, axis).
    weights : dict of int to Tensor
        The weights of `claims`, by id.
    sites : list of Site
    literals : list of (fx.Node, int, Value)
        Calls that name the length of an axis of features as a number: the node, the axis of its result, the result.
    partitions : list of (fx.Node, int, list of Value)
        Calls that cut an axis of features in pieces.
    grouped : dict of str to Value
        What enters a convolution in groups, by the layer's name.
    whole : Counter
        Constants that stay, by the sentence that says what needs them.
    """

    def __init__(self, module: nn.Module, graph: fx.Graph) -> None:
        super().__init__(module, graph=graph)
        self.atoms = Atoms()
        self.values: dict[fx.Node, Known] = {}
        self.claims: dict[tuple[int, int], Tensor] = {}
        self.weights: dict[int, Tensor] = {}
        self.owned: set[tuple[str, str]] = set()
        self.sites: list[Site] = []
        self.literals: list[tuple[fx.Node, int, Value]] = []
        self.partitions: list[tuple[fx.Node, int, list[Value]]] = []
        self.grouped: dict[str, Value] = {}
        self.whole: Counter[str] = Counter()
        self._unknown: list[Value] = []
        self._frozen: set[int] = set()
        self._backward: list[Callable[[], None]] = []

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
            value.hold()
            self.whole[sentence.format(call.title)] += int((~value.varies).sum())
        for node in nodes_in((call.node.args, call.node.kwargs)):
            if node.op == "get_attr":
                self.freeze(self.fetch_attr(str(node.target)))
        for weight in () if call.module is None else call.module.parameters():
            self.freeze(weight)

    def unknown(self, n: int, axis: int, ndim: int) -> Value:
        """Entries of which nothing is known and that must stay: an input, the result of an unknown call."""
        value = Value(axis, ndim, self.atoms.fresh(n), torch.full((n,), VARIES, dtype=torch.float64))
        value.hold()
        self._unknown.append(value)
        return value

    def hold(self, call: Call, value: Value) -> None:
        """The call needs all of these features."""
        value.hold()
        self.whole[NEEDS_ALL.format(call.title)] += int((~value.varies).sum())

    def freeze(self, weight: Any) -> None:
        """A weight that must stay whole."""
        if isinstance(weight, Tensor):
            self._frozen.add(id(weight))

    def claim(self, weight: Tensor | None, axis: int, atoms: Tensor) -> None:
        """An axis of a weight runs along these atoms."""
        if weight is None:
            return
        key = (id(weight), axis)
        self.weights[id(weight)] = weight
        if key in self.claims:
            self.atoms.join(self.claims[key], atoms)
        else:
            self.claims[key] = atoms

    def own(self, call: Call, *names: str) -> None:
        """These weights of the called layer are understood."""
        self.owned |= {(str(call.node.target), name) for name in names}

    def later(self, step: Callable[[], None]) -> None:
        """What is to be done backwards, once all that reads the call's result has been."""
        self._backward.append(step)

    def settle(self) -> None:
        """Go backwards over the calls: what is wanted of each input, given what is wanted of each result."""
        for step in reversed(self._backward):
            step()

    def held_atoms(self) -> set[int]:
        """The atoms that must stay: those of live entries and of entries that something holds."""
        held: list[Tensor] = []
        for value in self.every_value():
            held.append(value.atoms[value.live | value.held])
        for name, tensor in named_tensors(self.module):
            owner, _, own = name.rpartition(".")
            if id(tensor) in self.weights and ((owner, own) not in self.owned or id(tensor) in self._frozen):
                held += [atoms for (weight, _), atoms in self.claims.items() if weight == id(tensor)]
        return set(self.atoms.roots(torch.cat(held)).tolist()) if held else set()

    def every_value(self) -> list[Value]:
        """All that is known, pieces of cut tensors and entering unknowns too."""
        found = list(self._unknown)
        for known in self.values.values():
            found += known if isinstance(known, list) else [] if known is None else [known]
        return found


def named_tensors(model: nn.Module) -> list[tuple[str, Tensor]]:
    """Parameters and buffers under all of their names."""
    found: list[tuple[str, Tensor]] = [*model.named_parameters(remove_duplicate=False)]
    return [*found, *model.named_buffers(remove_duplicate=False)]
