"""Inputs on which two networks are compared, and the difference of what they return."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from shrinkage import training
from shrinkage.training import Refusal, distance, output_tolerance

Inputs = tuple[tuple[Any, ...], dict[str, Any]]


def tolerance_of(outputs: Any) -> float:
    """How far outputs may be apart, relative to the largest where that is above 1: rounding of their precision."""
    return output_tolerance(str(leaf.dtype) for leaf in tree_leaves(outputs) if isinstance(leaf, Tensor))


def difference(one: Any, other: Any) -> tuple[float, float]:
    """The largest difference between two outputs of any structure, and the largest size of an entry.

    Other structures, shapes, dtypes or devices, and entries that are finite in one alone, are infinitely far apart.
    """
    firsts, seconds = tree_leaves(one), tree_leaves(other)
    apart = size = 0.0
    if len(firsts) != len(seconds):
        return float("inf"), 0.0
    for a, b in zip(firsts, seconds, strict=True):
        if not isinstance(a, Tensor) or not isinstance(b, Tensor):
            if type(a) is not type(b) or (a is not b and a != b):
                return float("inf"), 0.0
            continue
        if a.shape != b.shape or a.dtype != b.dtype or a.device != b.device:
            return float("inf"), 0.0
        here, largest = distance(*(each.detach().to("cpu", torch.float64).numpy() for each in (a, b)))
        apart, size = max(apart, here), max(size, largest)
    return apart, size


def inputs_like(example: Inputs, n_random: int, seed: int) -> Iterator[Inputs]:
    """The example, random inputs of its shapes, zeros, and the example twice over as a batch of another length.

    Random numbers are normal, of sizes that grow from 1; whole numbers are drawn from the range that the example has.
    """
    generator = torch.Generator().manual_seed(seed)
    yield example
    for draw in range(n_random):
        yield tree_map(lambda leaf, size=3.0**draw: _random(leaf, generator, size), example)
    yield tree_map(lambda leaf: torch.zeros_like(leaf) if _is_float(leaf) else leaf, example)
    lengths = {leaf.shape[0] if leaf.ndim else 0 for leaf in tree_leaves(example) if isinstance(leaf, Tensor)}
    if len(lengths) == 1 and 0 not in lengths:
        yield tree_map(lambda leaf: torch.cat((leaf, leaf)) if isinstance(leaf, Tensor) else leaf, example)


def _is_float(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.is_floating_point()


def _random(leaf: Any, generator: torch.Generator, size: float) -> Any:
    if not isinstance(leaf, Tensor) or not leaf.numel() or leaf.is_complex():
        return leaf
    if leaf.is_floating_point():
        return (size * torch.randn(leaf.shape, generator=generator)).to(leaf.device, leaf.dtype)
    if leaf.dtype == torch.bool:
        return leaf
    low, high = int(leaf.min()), int(leaf.max())
    return torch.randint(low, high + 1, leaf.shape, generator=generator).to(leaf.device, leaf.dtype)


def compare(
    before: nn.Module, after: nn.Module, example: Inputs, n_random: int, tolerance: float | None, seed: int
) -> tuple[float, int]:
    """The largest difference of outputs over all inputs, relative to the largest above 1, and how many there were.

    Raises
    ------
    Refusal
        If one is above the tolerance, or the smaller network fails where the other does not.
    """
    return training.compare_outputs(
        lambda inputs: call(before, inputs),
        lambda inputs: call(after, inputs),
        inputs_like(example, n_random, seed),
        difference,
        lambda right: tolerance_of(right) if tolerance is None else tolerance,
    )


def call(model: nn.Module, inputs: Inputs) -> Any:
    """The network's outputs; inputs are copies, since a network may write into them."""
    args, kwargs = tree_map(lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf, inputs)
    with torch.no_grad():
        return model(*args, **kwargs)


def check_training(before: nn.Module, after: nn.Module, example: Inputs) -> None:
    """Try both on the example in training mode, each on a copy that may be thrown away.

    Raises
    ------
    Refusal
        If the smaller network fails there, or its outputs have other shapes: training reads what evaluation does not.
    """
    devices = {leaf.device.index for leaf in tree_leaves(example) if isinstance(leaf, Tensor) and leaf.is_cuda}
    with torch.random.fork_rng(devices=sorted(devices)):
        try:
            wanted = call(before.train(), example)
        except Exception:  # one row and a batch norm: what training takes cannot be known from this example
            return
        try:
            got = call(after.train(), example)
        except Exception as error:
            said = (str(error).splitlines() or [""])[0]
            raise Refusal(
                f"in training forward reads what its outputs do not depend on in evaluation: {said}"
            ) from None
    shapes = [[tuple(leaf.shape) for leaf in tree_leaves(each) if isinstance(leaf, Tensor)] for each in (wanted, got)]
    if shapes[0] != shapes[1]:
        raise Refusal(f"in training outputs would have the shapes {shapes[1]} in place of {shapes[0]}")


def latencies(before: nn.Module, after: nn.Module, example: Inputs, seconds: float) -> tuple[float, float]:
    """Seconds of one call of each, medians of samples that take turns for about this long in all."""
    args, kwargs = example
    devices = {leaf.device for leaf in tree_leaves(example) if isinstance(leaf, Tensor)}
    with torch.inference_mode():
        return training.latencies(
            lambda: before(*args, **kwargs), lambda: after(*args, **kwargs), seconds, lambda: _wait(devices)
        )


def _wait(devices: set[torch.device]) -> None:
    for device in devices:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
