"""One optimizer step on a network's parameters, beside torch's own, in one process and in turns."""

import random
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from statistics import median

import tools

STRENGTH = 1e-4
WARM_UP = 3
FUSED, LOOP = "torch Adam(fused=True)", "torch AdamW + penalty in the loss"
PROX, DUAL = f"{tools.OURS} ProxAdam", f"{tools.OURS} DualAdam"

Arms = dict[str, tuple[Callable[[], object], Callable[[], object]]]
"""For each tool, what comes before a step untimed, and the step."""


def compare_steps(runs: int) -> list[dict]:
    """One step beside torch's fused Adam: a large network under two penalties, many small tensors, and on a GPU."""
    import torch

    records, threads = [], torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            for problem, arms in (("12.6 M", _block_arms), ("12.6 M, rows", _row_arms), ("200 x 64", _small_arms)):
                where = f"{problem}, {count} thread{'s' * (count > 1)}"
                records += _compared(where, arms(torch), 20 * runs, count)
    finally:
        torch.set_num_threads(threads)
    if not torch.cuda.is_available():
        print("no CUDA device here: the steps on a GPU are left out", file=sys.stderr)
        return records
    return records + _compared("12.6 M, CUDA", _cuda_arms(torch), 20 * runs, threads)


def _block(torch, device="cpu"):
    """A network with gradients; every arm has its own, so that each finds the caches full of another's numbers."""
    generator = torch.Generator().manual_seed(0)
    model = torch.nn.TransformerEncoderLayer(1024, 16, 4096)
    for p in model.parameters():
        p.grad = 0.01 * torch.randn(p.shape, generator=generator)
    model.to(device)
    return model


def _nothing() -> None:
    pass


def _block_arms(torch) -> Arms:
    from shrinkage import L1

    return {**_three_arms(torch, lambda: _block(torch), L1(STRENGTH)), LOOP: _loop_arm(torch, _block(torch))}


def _row_arms(torch) -> Arms:
    from shrinkage import GroupL2

    return _three_arms(torch, lambda: _block(torch), GroupL2(STRENGTH, axis=0))


def _small_arms(torch) -> Arms:
    """Here the calls are the time, and not the numbers."""
    from shrinkage import L1

    def tensors():
        generator = torch.Generator().manual_seed(0)
        model = torch.nn.ParameterList(torch.randn(8, 8, generator=generator) for _ in range(200))
        for p in model:
            p.grad = 0.01 * torch.randn(p.shape, generator=generator)
        return model

    return {**_three_arms(torch, tensors, L1(STRENGTH)), LOOP: _loop_arm(torch, tensors())}


def _cuda_arms(torch) -> Arms:
    """The steps on a GPU; each waits for it, before and after."""
    from shrinkage import L1

    def waiting(step):
        def run():
            step()
            torch.cuda.synchronize()

        return run

    arms = _three_arms(torch, lambda: _block(torch, "cuda"), L1(STRENGTH))
    return {name: (torch.cuda.synchronize, waiting(step)) for name, (_, step) in arms.items()}


def _three_arms(torch, network: Callable, penalty) -> Arms:
    """Our two optimizers with a penalty on all weights that a plan selects, and torch's fused Adam without."""
    from shrinkage.torch import DualAdam, Plan, ProxAdam

    arms = {
        name: (_nothing, kind(Plan(network(), penalty)).step) for name, kind in ((PROX, ProxAdam), (DUAL, DualAdam))
    }
    return {**arms, FUSED: (_nothing, torch.optim.Adam(network().parameters(), fused=True).step)}


def _loop_arm(torch, model) -> tuple[Callable, Callable]:
    """L1 as a training loop has it: in the loss, with its own backward pass."""
    gradients = {p: p.grad.clone() for p in model.parameters()}
    penalized = [p for p in model.parameters() if p.ndim > 1]
    adamw = torch.optim.AdamW(model.parameters())

    def restore():
        for p, gradient in gradients.items():
            p.grad.copy_(gradient)

    def by_hand():
        (STRENGTH * sum(p.abs().sum() for p in penalized)).backward()
        adamw.step()

    return restore, by_hand


def _compared(problem: str, arms: Arms, repeats: int, threads: int) -> list[dict]:
    taken = _in_turns(arms, repeats)
    return [_record(problem, name, seconds, taken, threads) for name, seconds in taken.items()]


def _in_turns(arms: Arms, repeats: int) -> dict[str, list[float]]:
    taken, turns, order = {name: [] for name in arms}, list(arms), random.Random(0)
    for _ in range(WARM_UP + repeats):
        order.shuffle(turns)  # a step also pays for writing back what the one before left in the caches
        for name in turns:
            prepare, step = arms[name]
            prepare()
            start = time.perf_counter()
            step()
            taken[name].append(time.perf_counter() - start)
    return {name: seconds[WARM_UP:] for name, seconds in taken.items()}


def _record(problem: str, name: str, seconds: list[float], taken: dict, threads: int) -> dict:
    mid = {tool: median(values) for tool, values in taken.items()}
    ours = name.startswith(tools.OURS)
    record = {
        "problem": problem,
        "kind": "step",
        "tool": name,
        "version": version(tools.OURS if ours else "torch"),
        "threads": threads,
        "seconds": mid[name],
        "seconds_all": seconds,
        "max_relative_gap": None,
        "peak_memory": None,
        "to_fused_adam": mid[name] / mid[FUSED],
    }
    return record if ours else {**record, "ratio": mid[name] / mid[PROX]}
