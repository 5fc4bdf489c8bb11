"""Which trainer: a short measurement on copies that are thrown away."""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from statistics import median
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from shrinkage.torch._loop_trainer import LoopTrainer
from shrinkage.torch._members import apply, check_strengths, in_mode, make_template, modes_of, own_random_numbers
from shrinkage.torch._stacked_graph import CannotStackError
from shrinkage.torch._stacked_trainer import StackedTrainer
from shrinkage.torch._task import Batch, Task, Trainer

Kind = Literal["stacked", "loop"]
TRAINERS: dict[Kind, Callable[[Task, Sequence[float], int], Trainer]] = {"stacked": StackedTrainer, "loop": LoopTrainer}
"""The trainers by the words that `choose_trainer` returns."""

_LOOPED = 4
"""Strengths of the loop that is timed, at most."""
_TIMED, _MOST, _BRIEF, _ONCE = 3, 12, 0.5, 1.0
"""Times that are taken: at least, and at most as long as all are brief; of steps of a second one."""
_GAIN = 0.95
_ROOM = 0.5
_LONG, _WORTH = 0.25, 0.05
"""Of a step of all strengths: seconds from which, and the share in calls below which, stacking is not tried."""


def choose_trainer(task: Task, strengths: Sequence[float], seed: int, batches: Iterable[Batch]) -> tuple[Kind, str]:
    """Return which trainer is faster here, and why, in words.

    A few steps of each are timed on throw-away copies that have taken some before: the loop with up to four strengths,
    whose time grows in proportion, and all strengths stacked; in turns, and medians are compared, so that neither a
    fresh process nor a busy machine decides. The loop is kept where stacked trainings don't fit into half of the free
    memory, the model cannot be stacked, or the gain is below 5 %; and where a step is long, and so little of it goes
    into calls, which is what stacking saves, that the measurement would cost more than it could win.

    Parameters
    ----------
    task, strengths, seed
        As the trainers take them.
    batches : iterable of (x, y)
        Of those in training; the first two are used.

    Returns
    -------
    kind : "stacked" or "loop"
    reason : str
    """
    known = check_strengths(strengths)
    if len(known) == 1:
        return "loop", "there is one strength"
    first = list(islice(batches, 2))
    if not first:
        return "loop", "there is no batch to measure with"
    reason = _too_large(task, len(known), seed, first[0])
    if reason:
        return "loop", reason
    try:
        return _measured(task, known, seed, first)
    except CannotStackError as error:
        return "loop", str(error)


def _measured(task: Task, strengths: tuple[float, ...], seed: int, batches: list[Batch]) -> tuple[Kind, str]:
    loop = LoopTrainer(task, strengths[:: max(1, len(strengths) // _LOOPED)][:_LOOPED], seed)
    share = len(strengths) / len(loop.strengths)
    loop.run_epoch(batches[:1])
    with _Counter() as counter:
        loop.run_epoch(batches[:1])
    alone, in_calls = _step_and_calls(loop, batches[:1], counter.calls, share)
    if not _worth_a_try(alone * share, in_calls):
        each = _time(alone * share / len(strengths))
        return "loop", f"a step of one model takes {each}, hardly any of it in calls that stacking saves"
    stacked = StackedTrainer(task, strengths, seed)
    stacked.run_epoch(batches[:1])
    stacked.run_epoch(batches[-1:])  # in which graphs of a second shape and the states of stacks are made
    together, alone = _in_turns(stacked, loop, batches, share)
    count = f"{len(strengths)} strengths"
    if together < _GAIN * alone:
        return "stacked", f"a step of {count} takes {_time(together)} stacked, {_time(alone)} in a loop"
    return "loop", f"a step of {count} takes {_time(alone)} in a loop, {_time(together)} stacked"


def _worth_a_try(alone: float, in_calls: float) -> bool:
    """Whether stacking could win more than trying it costs: steps are short, or much of them is in calls."""
    return alone <= _LONG or in_calls >= _WORTH


def _seconds(trainer: Trainer, batches: list[Batch]) -> float:
    start = time.perf_counter()
    trainer.run_epoch(batches)
    return time.perf_counter() - start


def _enough(times: int, spent: float) -> bool:
    """Whether times have been taken often enough, which took so many seconds in all."""
    return times >= _TIMED and (times >= _MOST or spent >= _BRIEF)


def _clear(together: list[float], alone: list[float], share: float) -> bool:
    """Whether all times of one are below all of the other, so that more of them would change nothing."""
    if len(together) < _TIMED:
        return False
    return max(together) < _GAIN * share * min(alone) or share * max(alone) < min(together)


def _step_and_calls(loop: Trainer, batches: list[Batch], calls: int, share: float) -> tuple[float, float]:
    """Median seconds of a step, and the median share of it that its calls take.

    Both are timed in turns and for about as long, since a busy machine would slow the longer of two more. The first
    time does not count: a process is slow at the start. It does where it is so long that once is enough.
    """
    first = _seconds(loop, batches)
    if first >= _ONCE:
        return first, _cost_of_calls(calls) / first
    steps, costs = [], []
    while not _enough(len(steps), sum(steps)) and (len(steps) < _TIMED or max(steps) > _LONG / share):
        steps.append(_seconds(loop, batches))
        costs.append(_cost_of_calls(calls))
    return median(steps), median(cost / max(step, 1e-9) for cost, step in zip(costs, steps, strict=True))


def _in_turns(stacked: Trainer, loop: Trainer, batches: list[Batch], share: float) -> tuple[float, float]:
    """Median seconds of a step of each, in turns: a few times, and short steps more often, as long as that is brief."""
    together, alone = [], []
    while not _enough(len(together), sum(together) + sum(alone)) and not _clear(together, alone, share):
        batch = [batches[len(together) % len(batches)]]
        together.append(_seconds(stacked, batch))
        alone.append(_seconds(loop, batch))
    return median(together), share * median(alone)


class _Counter(TorchDispatchMode):
    """Counts the operations that reach a kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count an operation and do it."""
        self.calls += 1
        return func(*args, **(kwargs or {}))


def _cost_of_calls(calls: int) -> float:
    """Return about what operations cost beside their arithmetic: twice, with their backwards, small additions."""
    x, start = torch.ones(2), time.perf_counter()
    for _ in range(calls):
        x = x + 0.5
    return 2 * (time.perf_counter() - start)


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def _too_large(task: Task, members: int, seed: int, batch: Batch) -> str:
    """Return why stacked trainings would not fit into memory; empty where they do."""
    model = make_template(task, seed)
    x, y = batch
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.data_ptr()] = tensor.nbytes
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor)
    with own_random_numbers(), in_mode([model], modes_of(model)), torch.enable_grad(), hooks:
        task.loss(apply(model, x), y)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    weights = sum(p.nbytes for p in model.parameters())
    needed = members * (6 * weights + 3 * sum(kept.values()))
    free = _free_memory(device)
    if free is None or needed <= _ROOM * free:
        return ""
    return f"stacked, {members} models need about {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free"


def _free_memory(device: Any) -> int | None:
    """Return the free bytes of a device; None where they are not known."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, OSError, ValueError):
        return None
