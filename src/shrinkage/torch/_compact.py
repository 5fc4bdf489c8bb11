"""Networks made smaller where zeros allow it, with the same outputs."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from shrinkage._check import check_nonnegative, check_positive_int
from shrinkage._errors import ArgumentError
from shrinkage.torch._compact_check import Inputs, call, check_training, compare, difference, latencies
from shrinkage.torch._compact_layers import LAYERS
from shrinkage.torch._compact_reader import Reader
from shrinkage.torch._compact_rewrite import new_numbers, rewrite, with_graph
from shrinkage.torch._compact_trace import bind, check_in_place, check_plain, trace, with_stand_ins
from shrinkage.training import CompactedLayer, Compaction, Refusal, plan_removal, scattered

READ_WITHIN = 1e-3
"""How far outputs of the network as it was read may be from its own, relative to the largest: fused kernels round."""


@dataclass(frozen=True)
class Compacted:
    """A smaller network, and what became of the other.

    Attributes
    ----------
    model : nn.Module
        On its own memory; where nothing could be done, a copy of the network as it was.
    report : Compaction
    """

    model: nn.Module
    report: Compaction

    def __str__(self) -> str:
        return str(self.report)


def compact(
    model: nn.Module,
    example_inputs: Any,
    *,
    tolerance: float | None = None,
    n_random: int = 4,
    seconds: float = 0.5,
    seed: int = 0,
) -> Compacted:
    """Remove the neurons, channels and features of a network that its outputs do not depend on.

    Parameters
    ----------
    model : nn.Module
        Left as it is.
    example_inputs : Tensor, tuple, or mapping
        What `forward` takes: one tensor, positional arguments, or arguments by name. Its shapes are those at which
        time is measured; better more than one row.
    tolerance : float >= 0, optional
        How far outputs may be apart, relative to the largest where that is above 1. None takes the rounding of the
        outputs' precision: 1e-5 for float32, 1e-10 for float64.
    n_random : int >= 1
        Sets of random inputs on which outputs are compared, besides the example, zeros and a longer batch.
    seconds : float >= 0
        How long the two networks are timed, in turns; 0 leaves it out.
    seed : int
        Of the random inputs.

    Returns
    -------
    Compacted
        `.model`, an ordinary module with the same mode, dtype, device and names of weights: of the model's own class,
        unless its `forward` names numbers of features (`x.view(-1, 400)`), which takes a `torch.fx.GraphModule`.
        `.report`: layers before and after, bytes, latency, the largest difference of outputs, what stayed and why.
        What cannot be done is refused: then the model is a copy and the report says why.

    Raises
    ------
    ArgumentError
        If an argument is out of range, or the network does not run on the example.

    Notes
    -----
    An entry of a tensor can go if it is constant, c, for every input, or if nothing depends on it; constants are
    found from the inputs on, dependence from the outputs back, so what died because something else died is found too.
    A neuron whose incoming weights are all 0 still gives c = act(b): b'_i = b_i + Σ_j W_ij c_j, the sum over what goes
    (of a convolution, W_ij is the sum over the kernel). Branches that are added keep a channel that varies in any.

    Zeros padded around a constant c show at the borders, so c ≠ 0 cannot be folded there; of several such channels
    one stays for all, Σ_j c_j W_j = c_r Σ_j (c_j / c_r) W_j. Layers that mix features otherwise (layer and group
    norms, attention, softmax, recurrent layers) and calls that are not known keep all that enters and leaves them.
    Outputs are those of evaluation: batch norms count as what they do then; they and dropout train on as before. A
    network that reads in training what it does not in evaluation (auxiliary heads) is refused where that shows.
    Scattered zeros stay: dense layers cannot use them. Activations are taken to be finite, as 0 · ∞ is not 0.

    References
    ----------
    Fang, Ma, Song, Mi, Wang (2023), DepGraph: Towards Any Structural Pruning, CVPR, https://arxiv.org/abs/2301.12900

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from shrinkage.torch import compact
    >>> _ = torch.manual_seed(0)
    >>> model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 3))
    >>> with torch.no_grad():
    ...     _ = model[0].weight[8:].zero_()
    >>> small = compact(model, torch.randn(16, 20), seconds=0)
    >>> small.model
    Sequential(
      (0): Linear(in_features=20, out_features=8, bias=True)
      (1): ReLU()
      (2): Linear(in_features=8, out_features=3, bias=True)
    )
    >>> small.report.parameters_before, small.report.parameters, small.report.max_difference < 1e-6
    (1539, 195, True)
    """
    _check(model, tolerance, n_random, seconds)
    try:
        check_plain(model)
        reference = _copied(model).eval()
    except Refusal as refusal:
        return _refused(model, str(refusal))
    try:
        args, kwargs, unset = bind(model, example_inputs)
        first, again = (_run(reference, (args, kwargs)) for _ in range(2))
        if difference(first, again)[0] != 0.0:
            raise Refusal("forward gives other outputs for the same input when it is called again")
        result, notes, rewritten = _smaller(model, reference, (args, kwargs), unset, first)
        evaluated = _copied(result).eval()
        apart, count = compare(reference, evaluated, (args, kwargs), n_random, tolerance, seed)
        check_training(_copied(model), _copied(result), (args, kwargs))
    except Refusal as refusal:
        return _refused(model, str(refusal))
    report = _report(reference, result, notes, apart, count, rewritten)
    if seconds and report.parameters != report.parameters_before:
        before, after = latencies(reference, evaluated, (args, kwargs), seconds)
        report = _report(reference, result, notes, apart, count, rewritten, before, after)
    return Compacted(result, report)


def _check(model: Any, tolerance: float | None, n_random: int, seconds: float) -> None:
    if not isinstance(model, nn.Module):
        raise ArgumentError(f"model must be an nn.Module; got {type(model).__name__}")
    if tolerance is not None:
        check_nonnegative("tolerance", tolerance)
    check_positive_int("n_random", n_random)
    check_nonnegative("seconds", seconds)


def _copied(model: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(model)
    except Exception as error:
        raise Refusal(f"the network cannot be copied: {type(error).__name__}: {error}") from None


def _run(model: nn.Module, inputs: Inputs) -> Any:
    try:
        return call(model, inputs)
    except Exception as error:
        raise ArgumentError(f"example_inputs must be what the network takes; it fails on them: {error}") from error


def _smaller(
    model: nn.Module, reference: nn.Module, inputs: Inputs, unset: dict[str, Any], outputs: Any
) -> tuple[nn.Module, list[str], bool]:
    """The network with what can go gone, what stayed and why, and whether `forward` was rewritten."""
    work = with_stand_ins(_copied(reference))
    graph = trace(work, unset)
    check_in_place(graph, dict(work.named_modules()))
    reader = _read(work, graph, model, inputs, unset, outputs)
    reader.settle()
    removal = plan_removal(reader.ledger)
    result = _copied(model)
    for parameter in result.parameters():
        parameter.grad = None
    rewrite(result, reader, removal)
    changed = new_numbers(graph, reader, removal)
    if changed:
        result = with_graph(result, graph, changed, trace(work.train(), unset))
    return result, removal.notes, bool(changed)


def _read(
    work: nn.Module, graph: torch.fx.Graph, model: nn.Module, inputs: Inputs, unset: dict[str, Any], outputs: Any
) -> Reader:
    """Everything that one run on the example says; what was traced must give the network's own outputs."""
    import inspect

    bound = inspect.signature(model.forward).bind(*inputs[0], **inputs[1])
    bound.apply_defaults()
    given = {**bound.arguments, **unset}
    names = [str(node.target) for node in graph.nodes if node.op == "placeholder"]
    values = [value for name, value in given.items() if any(name == n.strip("*") for n in names)]
    reader = Reader(work, graph)
    with torch.no_grad():
        try:
            got = reader.run(*(v.clone() if isinstance(v, Tensor) else v for v in values), enable_io_processing=False)
        except Refusal:
            raise
        except Exception as error:
            said = (str(error).splitlines() or [""])[0]
            raise Refusal(f"forward, read as a graph, fails on the example: {type(error).__name__}: {said}") from error
    apart, size = difference(outputs, got)
    if not apart <= READ_WITHIN * max(1.0, size):
        raise Refusal("forward, read as a graph, gives other outputs than the network itself")
    return reader


def _sizes(model: nn.Module) -> tuple[int, int]:
    """Parameters, and bytes of parameters and buffers; what is shared counts once."""
    parameters = [p for p in model.parameters() if not is_lazy(p)]
    tensors = [*parameters, *(b for b in model.buffers() if not is_lazy(b))]
    return sum(p.numel() for p in parameters), sum(t.numel() * t.element_size() for t in tensors)


def _refused(model: nn.Module, sentence: str) -> Compacted:
    n_parameters, n_bytes = _sizes(model)
    try:
        same = _copied(model)
    except Refusal:
        same = model
    return Compacted(same, Compaction((), n_parameters, n_parameters, n_bytes, n_bytes, refusal=sentence))


def _report(
    before: nn.Module, after: nn.Module, notes: list[str], apart: float, count: int, rewritten: bool,
    latency_before: float | None = None, latency: float | None = None,
) -> Compaction:  # fmt: skip
    layers = []
    for name, layer in before.named_modules():
        if type(layer) in LAYERS and getattr(layer, "weight", None) is not None:
            now = after.get_submodule(name)
            shapes = (tuple(layer.weight.shape), tuple(now.weight.shape))  # pyright: ignore
            counts = [sum(p.numel() for p in each.parameters(recurse=False)) for each in (layer, now)]
            layers.append(CompactedLayer(name, type(layer).__name__, *shapes, *counts))
    (parameters_before, bytes_before), (parameters, n_bytes) = _sizes(before), _sizes(after)
    return Compaction(
        layers=tuple(layers),
        parameters_before=parameters_before,
        parameters=parameters,
        bytes_before=bytes_before,
        bytes=n_bytes,
        max_difference=apart,
        n_checked=count,
        latency_before=latency_before,
        latency=latency,
        notes=(*notes, *_scattered(after)),
        rewritten=rewritten,
    )


def _scattered(model: nn.Module) -> list[str]:
    """What zeros are left."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    total, zeros = sum(p.numel() for p in matrices), sum(int((p == 0).sum()) for p in matrices)
    return scattered(zeros, total)
