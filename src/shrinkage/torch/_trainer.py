"""Which trainer: a short measurement on copies that are thrown away."""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from statistics import median
from typing import Any, Literal

import torch
from torch import Tensor

from shrinkage.torch._loop_trainer import LoopTrainer
from shrinkage.torch._members import apply, check_strengths, in_mode, make_template, modes_of, own_random_numbers
from shrinkage.torch._stacked_graph import CannotStackError
from shrinkage.torch._stacked_trainer import StackedTrainer
from shrinkage.torch._task import Batch, Task, Trainer

Kind = Literal["stacked", "loop"]
TRAINERS: dict[Kind, Callable[[Task, Sequence[float], int], Trainer]] = {"stacked": StackedTrainer, "loop": LoopTrainer}
"""The trainers by the words that `choose_trainer` returns."""

_TIMED, _LOOPED = 3, 4
_GAIN = 0.95
_ROOM = 0.5


def choose_trainer(task: Task, strengths: Sequence[float], seed: int, batches: Iterable[Batch]) -> tuple[Kind, str]:
    """Return which trainer is faster here, and why, in words.

    A few steps of each are timed on throw-away copies: the loop with up to four strengths, whose time grows in
    proportion, and all strengths stacked. The loop is kept where stacked trainings don't fit into half of the free
    memory, the model cannot be stacked, or the gain is below 5 %.

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
    stacked = StackedTrainer(task, strengths, seed)
    stacked.run_epoch(batches[:1])
    loop = LoopTrainer(task, strengths[:: max(1, len(strengths) // _LOOPED)][:_LOOPED], seed)
    loop.run_epoch(batches[:1])
    share = len(strengths) / len(loop.strengths)
    taken: dict[str, list[float]] = {"stacked": [], "loop": []}
    for k in range(_TIMED + 1):
        some = [batches[k % len(batches)]]
        for kind, trainer in (("loop", loop), ("stacked", stacked)):
            start = time.perf_counter()
            trainer.run_epoch(some)
            taken[kind].append(time.perf_counter() - start)
        if k == 0:  # in which graphs of the second shape and the states of stacks were made
            taken = {kind: [] for kind in taken}
    together, alone = median(taken["stacked"]), share * median(taken["loop"])
    count = f"{len(strengths)} strengths"
    if together < _GAIN * alone:
        return "stacked", f"a step of {count} takes {_time(together)} stacked, {_time(alone)} in a loop"
    return "loop", f"a step of {count} takes {_time(alone)} in a loop, {_time(together)} stacked"


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
