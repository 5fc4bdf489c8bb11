"""Keras models made smaller where zeros allow it, with the same outputs."""

import warnings
from dataclasses import dataclass
from typing import Any

import keras

from shrinkage._check import check_nonnegative, check_positive_int
from shrinkage._errors import ArgumentError
from shrinkage.keras._compact_graph import (
    Examples,
    array,
    call,
    check_plain,
    compare,
    difference,
    examples_of,
    layers_of,
)
from shrinkage.keras._compact_layers import LAYERS
from shrinkage.keras._compact_reader import Reader
from shrinkage.keras._compact_rewrite import rewritten
from shrinkage.training import CompactedLayer, Compaction, Refusal, latencies, plan_removal, scattered

READ_WITHIN = 1e-3
"""How far outputs of the model as it was read may be from its own, relative to the largest: compilers round."""


@dataclass(frozen=True)
class Compacted:
    """A smaller model, and what became of the other.

    Attributes
    ----------
    model : keras.Model
        On weights of its own; where nothing could be done, the model that was given.
    report : Compaction
    """

    model: Any
    report: Compaction

    def __str__(self) -> str:
        return str(self.report)


def compact(
    model: Any,
    example_inputs: Any = None,
    *,
    tolerance: float | None = None,
    n_random: int = 4,
    seconds: float = 0.5,
    seed: int = 0,
) -> Compacted:
    """Remove the neurons, channels and features of a Keras model that its outputs do not depend on.

    Parameters
    ----------
    model : keras.Sequential or functional keras.Model
        Built; left as it is. Models inside are opened too.
    example_inputs : array, list, tuple or dict of arrays, optional
        What the model takes. Its shapes are those at which time is measured. None draws 8 rows of normal numbers of
        the shapes that the model declares (words for an embedding); axes of open length get 16 or 32.
    tolerance : float >= 0, optional
        How far outputs may be apart, relative to the largest where that is above 1. None takes the rounding of the
        outputs' precision: 1e-5 for float32, 1e-10 for float64.
    n_random : int >= 1
        Sets of random inputs on which outputs are compared, besides the example, zeros and a longer batch.
    seconds : float >= 0
        How long `predict_on_batch` of the two models is timed, in turns; 0 leaves it out.
    seed : int
        Of the random inputs.

    Returns
    -------
    Compacted
        `.model`, an ordinary model of the same class, with the same names of layers, dtypes and flags, that saves to
        `.keras`. If the model was compiled, so is it, with an optimizer at its start. `.report`: layers before and
        after, bytes, latency, the largest difference of outputs, what stayed and why.
        What cannot be done is refused: then `.model` is the model itself and the report says why.

    Raises
    ------
    ArgumentError
        If an argument is out of range, or the model does not run on the example.

    Notes
    -----
    The same rules as those of `shrinkage.torch.compact`: an entry of a tensor can go if it is constant for every
    input, or if nothing depends on it. A neuron whose incoming weights are all 0 still gives c = act(b), which moves
    on: b'_i = b_i + Σ_j W_ij c_j. Zeros padded around a constant show at the borders, so c ≠ 0 stays there, one
    channel for all that only differ in c. Branches that are added keep a channel that varies in any.

    Layers that mix features otherwise (layer and group norms, softmax, attention, recurrent layers), layers of
    classes that are not Keras' own, and weights under LoRA or quantization stay as they are, with all that enters
    them. Outputs are those of evaluation (`training=False`). Scattered zeros stay: dense layers cannot use them.

    References
    ----------
    Fang, Ma, Song, Mi, Wang (2023), DepGraph: Towards Any Structural Pruning, CVPR, https://arxiv.org/abs/2301.12900

    Examples
    --------
    >>> import keras
    >>> from shrinkage.keras import compact
    >>> model = keras.Sequential(
    ...     [keras.Input((20,)), keras.layers.Dense(64, activation="relu"), keras.layers.Dense(3)]
    ... )
    >>> kernel = model.layers[0].kernel
    >>> _ = kernel.assign(kernel * keras.ops.cast(keras.ops.arange(64) < 8, "float32"))
    >>> small = compact(model, seconds=0)
    >>> [layer.units for layer in small.model.layers]
    [8, 3]
    >>> small.report.parameters_before, small.report.parameters, small.report.max_difference < 1e-6
    (1539, 195, True)
    """
    _check(model, tolerance, n_random, seconds)
    try:
        check_plain(model)
        examples = examples_of(model, example_inputs, seed)
        outputs = _run(model, examples)
        reader = Reader()
        _read(reader, model, examples, outputs)
        removal = plan_removal(reader.ledger)
        result = rewritten(model, reader, removal)
        apart, count = compare(model, result, examples, n_random, tolerance, seed)
        notes = [*removal.notes, *_compiled(model, result)]
    except Refusal as refusal:
        n_parameters, n_bytes = _sizes(model)
        return Compacted(model, Compaction((), n_parameters, n_parameters, n_bytes, n_bytes, refusal=str(refusal)))
    timed = None
    if seconds and _sizes(model) != _sizes(result):
        given = examples.given
        timed = latencies(lambda: model.predict_on_batch(given), lambda: result.predict_on_batch(given), seconds)
    return Compacted(result, _report(model, result, notes, apart, count, timed))


def _check(model: Any, tolerance: float | None, n_random: int, seconds: float) -> None:
    if not isinstance(model, keras.Model):
        raise ArgumentError(f"model must be a keras.Model; got {type(model).__name__}")
    if tolerance is not None:
        check_nonnegative("tolerance", tolerance)
    check_positive_int("n_random", n_random)
    check_nonnegative("seconds", seconds)


def _run(model: Any, examples: Examples) -> Any:
    try:
        first = call(model, examples.given)
    except Exception as error:
        raise ArgumentError(f"example_inputs must be what the model takes; it fails on them: {error}") from error
    if difference(first, call(model, examples.given))[0] != 0.0:
        raise Refusal("the model gives other outputs for the same input when it is called again")
    return first


def _read(reader: Reader, model: Any, examples: Examples, outputs: Any) -> None:
    try:
        got = reader.read(model, examples.given)
    except Refusal:
        raise
    except Exception as error:
        said = (str(error).splitlines() or [""])[0]
        raise Refusal(f"the model, read as a graph, fails on the example: {type(error).__name__}: {said}") from error
    apart, size = difference(outputs, got)
    if not apart <= READ_WITHIN * max(1.0, size):
        raise Refusal("the model, read as a graph, gives other outputs than when it is called")


def _compiled(model: Any, result: Any) -> list[str]:
    """Compile as the model was, without the optimizer's state, whose shapes are others; a note where that fails."""
    if not model.compiled:
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result.compile_from_config(model.get_compile_config())
    except Exception as error:
        said = (str(error).splitlines() or [""])[0]
        return [f"the smaller model is not compiled, since the settings of the other cannot be made anew: {said}"]
    return []


def _sizes(model: Any) -> tuple[int, int]:
    """Numbers in weights, and their bytes."""
    weights = model.weights
    sizes = [(_length(weight), keras.backend.standardize_dtype(weight.dtype)) for weight in weights]
    return sum(n for n, _ in sizes), sum(n * _bytes(dtype) for n, dtype in sizes)


def _length(weight: Any) -> int:
    length = 1
    for lengths in weight.shape:
        length *= int(lengths)
    return length


def _bytes(dtype: str) -> int:
    return max(1, int("".join(filter(str.isdigit, dtype)) or 8) // 8)


def _report(
    before: Any, after: Any, notes: list[str], apart: float, count: int, timed: tuple[float, float] | None
) -> Compaction:
    layers, renewed = [], dict(layers_of(after))
    for name, layer in dict(layers_of(before)).items():
        shapes = [_shape(each) for each in (layer, renewed[name])]
        if type(layer) in LAYERS and shapes[0]:
            counts = [sum(map(_length, each.weights)) for each in (layer, renewed[name])]
            layers.append(CompactedLayer(name, type(layer).__name__, shapes[0], shapes[1], *counts))
    (parameters_before, bytes_before), (parameters, n_bytes) = _sizes(before), _sizes(after)
    return Compaction(
        layers=tuple(layers),
        parameters_before=parameters_before,
        parameters=parameters,
        bytes_before=bytes_before,
        bytes=n_bytes,
        max_difference=apart,
        n_checked=count,
        latency_before=None if timed is None else timed[0],
        latency=None if timed is None else timed[1],
        notes=(*notes, *_scattered(after)),
    )


def _shape(layer: Any) -> tuple[int, ...]:
    """The shape of a layer's first weight: its kernel, its table, its scale."""
    return tuple(int(length) for length in layer.weights[0].shape) if layer.weights else ()


def _scattered(model: Any) -> list[str]:
    """What zeros are left."""
    matrices = [weight for weight in model.weights if len(weight.shape) > 1]
    zeros = sum(int((array(matrix.value) == 0).sum()) for matrix in matrices)
    return scattered(zeros, sum(map(_length, matrices)))
