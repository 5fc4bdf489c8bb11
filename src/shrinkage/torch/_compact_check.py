"""Two networks compared: their outputs on many inputs, and the time that they take."""

import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from shrinkage.torch._compact_values import Refusal

Inputs = tuple[tuple[Any, ...], dict[str, Any]]
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5, torch.bfloat16: 5e-2, torch.float16: 5e-3}
WARM_UP = 3
LEAST_SECONDS = 2e-4
"""A sample of time holds as many calls as take this long: clocks resolve it."""


def tolerance_of(outputs: Any) -> float:
    """How far outputs may be apart, relative to the largest where that is above 1: rounding of their precision."""
    found = [TOLERANCE.get(leaf.dtype, 0.0) for leaf in tree_leaves(outputs) if isinstance(leaf, Tensor)]
    return max(found, default=0.0)


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
        if not a.numel():
            continue
        a, b = a.detach().double(), b.detach().double()
        finite = a.isfinite()
        strange = ~torch.eq(a, b) & ~(a.isnan() & b.isnan())
        if bool((strange & ~(finite & b.isfinite())).any()):
            return float("inf"), 0.0
        if bool(finite.any()):
            apart = max(apart, float((a - b)[finite].abs().max()))
            size = max(size, float(a[finite].abs().max()))
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
    largest, count = 0.0, 0
    for place, (args, kwargs) in enumerate(inputs_like(example, n_random, seed)):
        try:
            right = call(before, (args, kwargs))
        except Exception:
            if place == 0:
                raise
            continue  # inputs that the network itself does not take say nothing
        try:
            got = call(after, (args, kwargs))
        except Exception as error:
            said = (str(error).splitlines() or [""])[0]
            raise Refusal(f"the smaller network fails: {type(error).__name__}: {said}") from error
        apart, size = difference(right, got)
        apart /= max(1.0, size)
        allowed = tolerance_of(right) if tolerance is None else tolerance
        if not apart <= allowed:
            raise Refusal(f"outputs of the smaller network differ by {apart:.1e}, above {allowed:.1e}; it was undone")
        largest, count = max(largest, apart), count + 1
    return largest, count


def call(model: nn.Module, inputs: Inputs) -> Any:
    """The network's outputs; inputs are copies, since a network may write into them."""
    args, kwargs = tree_map(lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf, inputs)
    with torch.no_grad():
        return model(*args, **kwargs)


def latencies(before: nn.Module, after: nn.Module, example: Inputs, seconds: float) -> tuple[float, float]:
    """Seconds of one call of each, medians of samples that take turns for about this long in all."""
    args, kwargs = example
    devices = {leaf.device for leaf in tree_leaves(example) if isinstance(leaf, Tensor)}

    def sample(model: nn.Module, calls: int) -> float:
        _wait(devices)
        started = time.perf_counter()
        for _ in range(calls):
            model(*args, **kwargs)
        _wait(devices)
        return (time.perf_counter() - started) / calls

    taken: tuple[list[float], list[float]] = ([], [])
    with torch.inference_mode():
        for model in (before, after):
            sample(model, WARM_UP)
        calls = max(1, int(LEAST_SECONDS / max(sample(after, WARM_UP), 1e-9)))
        until = time.perf_counter() + seconds
        while not taken[0] or time.perf_counter() < until:
            for model, times in zip((before, after), taken, strict=True):
                times.append(sample(model, calls))
    return median(taken[0]), median(taken[1])


def _wait(devices: set[torch.device]) -> None:
    for device in devices:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
