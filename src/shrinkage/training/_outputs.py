"""Two networks compared, in any framework: their outputs on many inputs, and the time that they take."""

import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any

import numpy as np

from shrinkage.training._features import Numbers, Refusal

TOLERANCE = {"float64": 1e-10, "float32": 1e-5, "bfloat16": 5e-2, "float16": 5e-3}
"""How far outputs may be apart, relative to the largest where that is above 1: rounding of their precision."""
WARM_UP = 3
LEAST_SECONDS = 2e-4
"""A sample of time holds as many calls as take this long: clocks resolve it."""

Network = Callable[[Any], Any]


def output_tolerance(dtypes: Iterable[str]) -> float:
    """How far outputs of these types may be apart: what the least precise one rounds; whole numbers must agree."""
    return max((TOLERANCE.get(dtype.rpartition(".")[2], 0.0) for dtype in dtypes), default=0.0)


def distance(one: Numbers, other: Numbers) -> tuple[float, float]:
    """The largest difference between two arrays of one shape, and the largest size of an entry of the first.

    Entries that are finite in one alone, or infinite with other signs, are infinitely far apart.
    """
    a, b = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    finite = np.isfinite(a)
    strange = (a != b) & ~(np.isnan(a) & np.isnan(b))
    if (strange & ~(finite & np.isfinite(b))).any():
        return float("inf"), 0.0
    if not finite.any():
        return 0.0, 0.0
    return float(np.abs(a[finite] - b[finite]).max()), float(np.abs(a[finite]).max())


def compare_outputs(
    before: Network, after: Network, inputs: Iterable[Any], difference: Callable[[Any, Any], tuple[float, float]],
    tolerance: Callable[[Any], float],
) -> tuple[float, int]:  # fmt: skip
    """The largest difference of outputs over all inputs, relative to the largest above 1, and how many there were.

    The first of `inputs` is the example; of the others, those that the network itself does not take say nothing.

    Raises
    ------
    Refusal
        If one is above what `tolerance` allows for the outputs, or the smaller network fails where the other does not.
    """
    largest, count = 0.0, 0
    for place, given in enumerate(inputs):
        try:
            right = before(given)
        except Exception:
            if place == 0:
                raise
            continue
        try:
            got = after(given)
        except Exception as error:
            said = (str(error).splitlines() or [""])[0]
            raise Refusal(f"the smaller network fails: {type(error).__name__}: {said}") from error
        apart, size = difference(right, got)
        apart /= max(1.0, size)
        allowed = tolerance(right)
        if not apart <= allowed:
            raise Refusal(f"outputs of the smaller network differ by {apart:.1e}, above {allowed:.1e}; it was undone")
        largest, count = max(largest, apart), count + 1
    return largest, count


def latencies(
    before: Callable[[], Any], after: Callable[[], Any], seconds: float, wait: Callable[[], None] = lambda: None
) -> tuple[float, float]:
    """Seconds of one call of each, medians of samples that take turns for about this long in all.

    `wait` returns when the device has done what it was given.
    """

    def sample(call: Callable[[], Any], calls: int) -> float:
        wait()
        started = time.perf_counter()
        for _ in range(calls):
            call()
        wait()
        return (time.perf_counter() - started) / calls

    both: Sequence[Callable[[], Any]] = (before, after)
    taken: tuple[list[float], list[float]] = ([], [])
    for call in both:
        sample(call, WARM_UP)
    calls = max(1, int(LEAST_SECONDS / max(sample(after, WARM_UP), 1e-9)))
    until = time.perf_counter() + seconds
    while not taken[0] or time.perf_counter() < until:
        for call, times in zip(both, taken, strict=True):
            times.append(sample(call, calls))
    return median(taken[0]), median(taken[1])


def scattered(zeros: int, total: int) -> list[str]:
    """What zeros are left among so many weights, as a note; none where they are few."""
    if not total or zeros <= 0.05 * total:
        return []
    return [f"{100 * zeros / total:.0f} % of the weights left are scattered zeros, which dense layers cannot use"]
