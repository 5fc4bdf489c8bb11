"""Operations of a computation, recorded as they reach the kernels, and run again without what led to them."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from shrinkage._errors import ArgumentError

aten = torch.ops.aten
_FAST = {
    aten.bmm.default: torch.bmm,
    aten.mm.default: torch.mm,
    aten.mul.Tensor: torch.mul,
    aten.mul.Scalar: torch.mul,
    aten.add.Tensor: torch.add,
    aten.sub.Tensor: torch.sub,
    aten.div.Tensor: torch.div,
    aten.div.Scalar: torch.div,
    aten.relu.default: torch.relu,
    aten.transpose.int: torch.transpose,
    aten.unsqueeze.default: torch.unsqueeze,
    aten.sum.dim_IntList: torch.sum,
    aten.mean.dim: torch.mean,
    aten.pow.Tensor_Scalar: torch.pow,
    aten.view.default: Tensor.view,
    aten._unsafe_view.default: Tensor.view,
    aten.expand.default: Tensor.expand,
    aten.select.int: torch.select,
}
"""The same operations behind a thinner wrapper."""

_READS_A_NUMBER = {aten._local_scalar_dense.default, aten.item.default, aten.nonzero.default}
_UNIT = {aten.mul.Scalar: 1}

Replay = Callable[..., list[Tensor]]
Call = tuple[Any, Sequence[Any], dict[str, Any], Any]


class Recorder(TorchDispatchMode):
    """Records every operation inside `with`; tensors stay alive, so that each is known by its identity."""

    def __init__(self) -> None:
        super().__init__()
        self.tape: list[Call] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do an operation and note it."""
        if func in _READS_A_NUMBER:
            raise ArgumentError("its control flow or shapes depend on the data")
        found = func(*args, **(kwargs or {}))
        self.tape.append((func, args, kwargs or {}, found))
        return found

    def replay(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Replay:
        """Return a function of tensors like `inputs` that does the same again and returns what became `outputs`."""
        return _Writer(inputs, outputs).write(_simplified(self.tape))


def _simplified(tape: list[Call]) -> list[Call]:
    """Return a tape without no-operations; where nothing is written in place, also without products by 1."""
    pure = not any(func._schema.is_mutable for func, *_ in tape)
    same: dict[int, Tensor] = {}

    def known(value: Any) -> Any:
        return same.get(id(value), value) if isinstance(value, Tensor) else value

    kept: list[Call] = []
    for func, args, kwargs, found in tape:
        args, kwargs = pytree.tree_map(known, (args, kwargs))
        first = args[0] if args else None
        if isinstance(found, Tensor) and isinstance(first, Tensor) and _is_same(func, args, first, found, pure):
            same[id(found)] = first
            continue
        kept.append((func, args, kwargs, found))
    kept.append((None, (), {"same": same}, None))
    return kept


def _is_same(func: Any, args: Any, first: Tensor, found: Tensor, pure: bool) -> bool:
    alike = found.shape == first.shape and found.stride() == first.stride() and found.dtype is first.dtype
    if func.is_view or func is aten._unsafe_view.default:
        return alike and found.data_ptr() == first.data_ptr() and not func._schema.is_mutable
    return pure and alike and func in _UNIT and args[1] == 1


class _Writer:
    """Writes the source of a replay."""

    def __init__(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
        self.inputs, self.outputs = inputs, outputs
        self.names = {id(tensor): f"x{k}" for k, tensor in enumerate(inputs)}
        self.globals: dict[str, Any] = {}
        self.alive: list[Any] = [inputs, outputs]

    def write(self, tape: list[Call]) -> Replay:
        """Return the function."""
        same: dict[int, Tensor] = tape.pop()[2]["same"]
        outputs = [same.get(id(tensor), tensor) for tensor in self.outputs]
        tape = _live(tape, outputs)
        last = _last_uses(tape)
        lines = [f"def replay({', '.join(self.names[id(t)] for t in self.inputs)}):"]
        kept = {id(t) for t in (*self.inputs, *outputs)}
        for k, (func, args, kwargs, found) in enumerate(tape):
            call = f"{self._constant(_FAST.get(func, func._op), 'f')}({self._arguments(func, args, kwargs)})"
            lines.append(f"    {self._targets(found)}{call}")
            done = [self.names[name] for name in last.get(k, []) if name not in kept and name in self.names]
            done = [name for name in done if name.startswith("v")]  # constants are no names of the function's own
            if done:
                lines.append(f"    {' = '.join(done)} = None")
        lines.append(f"    return [{', '.join(self._value(t) for t in outputs)}]")
        space: dict[str, Any] = {}
        exec("\n".join(lines), self.globals, space)  # its own text, of names that it made
        return space["replay"]

    def _arguments(self, func: Any, args: Any, kwargs: Any) -> str:
        parts = [self._value(value) for value in args]
        return ", ".join(parts + [f"{name}={self._value(value)}" for name, value in kwargs.items()])

    def _targets(self, found: Any) -> str:
        values = found if isinstance(found, (tuple, list)) else [found]
        names = []
        for value in values:
            if isinstance(value, Tensor):
                name = self.names.setdefault(id(value), f"v{len(self.names)}")
                names.append(name)
            else:
                names.append("_")
        if not isinstance(found, (tuple, list)):
            return f"{names[0]} = "
        return f"{', '.join(names)}, = " if names else ""

    def _value(self, value: Any) -> str:
        if isinstance(value, Tensor):
            if id(value) not in self.names:
                self.names[id(value)] = self._constant(value, "t")
            return self.names[id(value)]
        if isinstance(value, (list, tuple)):
            return f"[{', '.join(self._value(one) for one in value)}]"
        if isinstance(value, (bool, int, type(None), str)):
            return repr(value)
        return self._constant(value, "c")

    def _constant(self, value: Any, kind: str) -> str:
        name = f"{kind}{len(self.globals)}"
        self.globals[name] = value
        return name


def _tensors(*values: Any) -> list[int]:
    return [id(leaf) for leaf in pytree.tree_leaves(values) if isinstance(leaf, Tensor)]


def _live(tape: list[Call], outputs: Sequence[Tensor]) -> list[Call]:
    """Return the operations that outputs, writes in place or the stream of random numbers need."""
    needed = {id(tensor) for tensor in outputs}
    kept = []
    for call in reversed(tape):
        func, args, kwargs, found = call
        acts = func._schema.is_mutable or torch.Tag.nondeterministic_seeded in func.tags
        if acts or any(k in needed for k in _tensors(found)):
            needed.update(_tensors(args, kwargs))
            kept.append(call)
    return kept[::-1]


def _last_uses(tape: list[Call]) -> dict[int, list[int]]:
    """Return after which operation which tensors are no longer needed."""
    last: dict[int, int] = {}
    for k, (_, args, kwargs, found) in enumerate(tape):
        for name in _tensors(args, kwargs, found):
            last[name] = k
    uses: dict[int, list[int]] = {}
    for name, k in last.items():
        uses.setdefault(k, []).append(name)
    return uses
