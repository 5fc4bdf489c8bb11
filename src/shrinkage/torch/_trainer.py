"""Which trainer: a short measurement on copies that are thrown away."""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
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

_TIMED, _MOST, _LOOPED = 3, 12, 4
_GAIN = 0.95
_ROOM = 0.5
_LONG, _WORTH = 0.05, 0.3
_BRIEF = 0.1


def choose_trainer(task: Task, strengths: Sequence[float], seed: int, batches: Iterable[Batch]) -> tuple[Kind, str]:
    """Return which trainer is faster here, and why, in words.

    A few steps of each are timed on throw-away copies: the loop with up to four strengths, whose time grows in
    proportion, and all strengths stacked. The loop is kept where stacked trainings don't fit into half of the free
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
    alone = _least_seconds(loop, batches[:1]) * share
    saved = _cost_of_calls() * counter.calls * share
    if alone > _LONG and saved < _WORTH * alone:
        each = _time(alone / len(strengths))
        return "loop", f"a step of one model takes {each}, hardly any of it in calls that stacking saves"
    stacked = StackedTrainer(task, strengths, seed)
    stacked.run_epoch(batches[:1])
    stacked.run_epoch(batches[-1:])  # in which graphs of a second shape and the states of stacks are made
    together, alone = _in_turns(stacked, loop, batches, share)
    count = f"{len(strengths)} strengths"
    if together < _GAIN * alone:
        return "stacked", f"a step of {count} takes {_time(together)} stacked, {_time(alone)} in a loop"
    return "loop", f"a step of {count} takes {_time(alone)} in a loop, {_time(together)} stacked"


def _seconds(trainer: Trainer, batches: list[Batch]) -> float:
    start = time.perf_counter()
    trainer.run_epoch(batches)
    return time.perf_counter() - start


def _in_turns(stacked: Trainer, loop: Trainer, batches: list[Batch], share: float) -> tuple[float, float]:
    """Least seconds of a step of each, in turns: a few times, and short steps more often, as long as that is brief."""
    start, times = time.perf_counter(), 0
    together = alone = float("inf")
    while times < _TIMED or (times < _MOST and time.perf_counter() - start < _BRIEF):
        batch = [batches[times % len(batches)]]
        together, alone = min(together, _seconds(stacked, batch)), min(alone, share * _seconds(loop, batch))
        times += 1
    return together, alone


def _least_seconds(trainer: Trainer, batches: list[Batch]) -> float:
    """Least of a few times, as of calls: a machine that is busy for a moment makes no step long. Once if that is."""
    least = _seconds(trainer, batches)
    for _ in range(_TIMED - 1):
        if least < _BRIEF:
            least = min(least, _seconds(trainer, batches))
    return least


class _Counter(TorchDispatchMode):
    """Counts the operations that reach a kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count an operation and do it."""
        self.calls += 1
        return func(*args, **(kwargs or {}))


def _cost_of_calls() -> float:
    """Return about what an operation costs beside its arithmetic: twice, with its backward, a small addition."""
    x, repeats, taken = torch.ones(2), 40, []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(repeats):
            x = x + 0.5
        taken.append((time.perf_counter() - start) / repeats)
    return 2 * min(taken)


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
