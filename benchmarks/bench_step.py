"""One optimizer step on a network's parameters, beside torch's own, in one process and in turns."""

import random
import time
from importlib.metadata import version
from statistics import median

import tools

STRENGTH = 1e-4
WARM_UP = 3
FUSED, LOOP = "torch Adam(fused=True)", "torch AdamW + penalty in the loss"


def compare_steps(runs: int) -> list[dict]:
    """One step on 12.6 M float32 parameters, beside torch's fused Adam and beside the penalty written into the loss."""
    import torch

    records, threads = [], torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            taken = _in_turns(_arms(torch), 20 * runs)
            records += [_record(name, seconds, taken, count) for name, seconds in taken.items()]
    finally:
        torch.set_num_threads(threads)
    return records


def _block(torch):
    """A network with gradients; every arm has its own, so that each finds the caches full of another's numbers."""
    generator = torch.Generator().manual_seed(0)
    model = torch.nn.TransformerEncoderLayer(1024, 16, 4096)
    for p in model.parameters():
        p.grad = 0.01 * torch.randn(p.shape, generator=generator)
    return model


def _arms(torch) -> dict:
    """For each tool, what comes before a step untimed, and the step."""
    from shrinkage import L1
    from shrinkage.torch import DualAdam, Plan, ProxAdam

    arms = {}
    for name, kind in ((f"{tools.OURS} ProxAdam", ProxAdam), (f"{tools.OURS} DualAdam", DualAdam)):
        arms[name] = (lambda: None, kind(Plan(_block(torch), L1(STRENGTH))).step)
    arms[FUSED] = (lambda: None, torch.optim.Adam(_block(torch).parameters(), fused=True).step)
    model = _block(torch)
    gradients = {p: p.grad.clone() for p in model.parameters()}
    penalized = [p for p in model.parameters() if p.ndim > 1]
    adamw = torch.optim.AdamW(model.parameters())

    def restore():
        for p, gradient in gradients.items():
            p.grad.copy_(gradient)

    def by_hand():
        (STRENGTH * sum(p.abs().sum() for p in penalized)).backward()
        adamw.step()

    return {**arms, LOOP: (restore, by_hand)}


def _in_turns(arms: dict, repeats: int) -> dict[str, list[float]]:
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


def _record(name: str, seconds: list[float], taken: dict, threads: int) -> dict:
    mid = {tool: median(values) for tool, values in taken.items()}
    ours = name.startswith(tools.OURS)
    record = {
        "problem": f"12.6 M, {threads} thread{'s' * (threads > 1)}",
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
    return record if ours else {**record, "ratio": mid[name] / mid[f"{tools.OURS} ProxAdam"]}
