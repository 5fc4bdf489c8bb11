"""Many strengths of one network: trained side by side as a sweep trains them, beside a loop written by hand."""

import math
import statistics
import sys
import time
from importlib.metadata import version

import tools

INPUTS, ROWS, HELD = 20, 1024, 1024
STRENGTHS = [10 ** (-4 + 4 * k / 31) for k in range(32)]
PENALTIES = [10 ** (-4 + 3 * k / 31) for k in range(32)]
EPOCHS, BATCH, LR = 50, 32, 1e-3
SIZES = [(hidden, batch) for hidden in (16, 64, 256, 1024) for batch in (16, 128, 512)]
LONG = 6.0
BY_HAND = "loop by hand"


def compare_sweeps(runs: int) -> list[dict]:
    """32 strengths, MLP 20-64-1, 50 epochs, one thread: beside a loop by hand; and the automatic choice by 12 sizes."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _beside_a_loop(torch, runs) + [_choice(torch, *size) for size in SIZES]
    finally:
        torch.set_num_threads(threads)


def _problem(torch, rows):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows + HELD, INPUTS, generator=generator)
    signal = x[:, 0] * x[:, 1] + torch.sin(2 * x[:, 2]) + x[:, 3]
    y = signal + 0.5 * torch.randn(len(x), generator=generator)
    return (x[:rows], y[:rows]), (x[rows:], y[rows:])


def _model(torch, hidden=64, smooth=False):
    nn = torch.nn
    return nn.Sequential(nn.Linear(INPUTS, hidden), nn.Tanh() if smooth else nn.ReLU(), nn.Linear(hidden, 1))


def _rows(output, y):
    return 0.5 * (output.squeeze(-1) - y).square()


def _mean(output, y):
    return _rows(output, y).mean()


def _batches(torch, data, batch, epoch):
    x, y = data
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(epoch))
    return [(x[rows], y[rows]) for rows in order.split(batch)]


def _by_hand(torch, strengths, smooth=False, fused=None) -> tuple[float, list[float]]:
    """Seconds and held-out losses of what anyone would write; `fused` is torch's AdamW with other roundings."""
    data, (x_held, y_held) = _problem(torch, ROWS)
    start, losses = time.perf_counter(), []
    for strength in strengths:
        torch.manual_seed(0)
        model = _model(torch, smooth=smooth)
        optimizer = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=strength, fused=fused)
        for epoch in range(EPOCHS):
            for x, y in _batches(torch, data, BATCH, epoch):
                optimizer.zero_grad()
                _mean(model(x), y).backward()
                optimizer.step()
        with torch.no_grad():
            losses.append(float(_mean(model(x_held), y_held)))
    return time.perf_counter() - start, losses


def _arms(torch):
    """For each tool the strengths, the optimizer of each, and whether the network is smooth (tanh for ReLU)."""
    from shrinkage import L1
    from shrinkage.torch import DualAdam, Plan, ProxAdam

    def adamw(model, strength):
        return torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=strength)

    return {
        "AdamW, tanh": (STRENGTHS, adamw, True),
        "AdamW": (STRENGTHS, adamw, False),
        "ProxAdam, L1": (PENALTIES, lambda model, s: ProxAdam(Plan(model, L1(s)), lr=LR), False),
        "DualAdam, L1": (PENALTIES, lambda model, s: DualAdam(Plan(model, L1(s)), lr=LR), False),
    }


def _task(torch, make_optimizer, hidden=64, smooth=False):
    from shrinkage.torch._task import Task

    return Task(lambda: _model(torch, hidden, smooth), _mean, _rows, make_optimizer)


def _swept(torch, strengths, make_optimizer, smooth) -> tuple[float, list[float], str]:
    """Seconds, held-out losses and the trainer of a sweep, with the measurement that chose it."""
    from shrinkage.torch._trainer import TRAINERS, choose_trainer

    data, held = _problem(torch, ROWS)
    task = _task(torch, make_optimizer, smooth=smooth)
    start = time.perf_counter()
    kind, _ = choose_trainer(task, strengths, 0, _batches(torch, data, BATCH, 0))
    trainer = TRAINERS[kind](task, strengths, 0)
    for epoch in range(EPOCHS):
        trainer.run_epoch(_batches(torch, data, BATCH, epoch))
    losses = trainer.held_out([held]).mean(dim=1).tolist()
    return time.perf_counter() - start, losses, kind


def _beside_a_loop(torch, runs) -> list[dict]:
    """Loops by hand and sweeps in turns; the first loop and the first sweep pay for what torch loads at its first step.

    A sample on the kink of a ReLU falls on one side or the other by a rounding, and the run goes another way: that is
    what torch's AdamW and its fused twin are apart. With tanh there is no such side.
    """
    hands = {f"{BY_HAND}, tanh": (True, None), BY_HAND: (False, None), f"{BY_HAND}, fused": (False, True)}
    taken, losses, kinds = {}, {}, {}
    for _ in range(runs):
        for name, how in hands.items():
            seconds, losses[name] = _by_hand(torch, STRENGTHS, *how)
            taken.setdefault(name, []).append(seconds)
            print(f"  {name}: {seconds:.1f} s", file=sys.stderr)
        for name, arm in _arms(torch).items():
            seconds, losses[name], kinds[name] = _swept(torch, *arm)
            taken.setdefault(name, []).append(seconds)
            print(f"  {name}: {seconds:.1f} s, {kinds[name]}", file=sys.stderr)
    return [_compared(name, taken, losses, kinds) for name in taken]


def _compared(name, taken, losses, kinds) -> dict:
    reference = f"{BY_HAND}, tanh" if name.endswith("tanh") else BY_HAND
    ours = name in kinds
    tool, release = (f"{tools.OURS} {name}", tools.OURS) if ours else (name, "torch")
    record = _record("32 strengths, 20-64-1", tool, version(release), taken[name])
    if name != reference:
        ratios = [by_hand / seconds for by_hand, seconds in zip(taken[reference], taken[name], strict=True)]
        record["times_faster"] = statistics.median(ratios)
    if name != reference and "L1" not in name:
        record["held_out_apart"] = max(abs(a - b) for a, b in zip(losses[name], losses[reference], strict=True))
    return record | ({"trainer": kinds[name]} if ours else {})


def _record(problem, tool, release, seconds) -> dict:
    return {"problem": problem, "kind": "sweep", "tool": tool, "version": release, "threads": 1,
            "seconds": statistics.median(seconds), "seconds_all": seconds, "max_relative_gap": None,
            "peak_memory": None}  # fmt: skip


def _choice(torch, hidden, batch) -> dict:
    """The automatic choice, its measurement included, and the loop, in runs of the same number of steps."""
    from shrinkage.torch._trainer import TRAINERS, choose_trainer

    strengths, make_optimizer, _ = _arms(torch)["AdamW"]
    task = _task(torch, make_optimizer, hidden)
    data, _ = _problem(torch, 8 * batch)
    trainer = TRAINERS["loop"](task, strengths, 0)
    trainer.run_epoch(_batches(torch, data, batch, 0))
    start = time.perf_counter()
    trainer.run_epoch(_batches(torch, data, batch, 0))
    epochs = math.ceil(LONG / (time.perf_counter() - start))

    def run(kind):
        trainer = TRAINERS[kind](task, strengths, 0)
        for epoch in range(epochs):
            trainer.run_epoch(_batches(torch, data, batch, epoch))

    start = time.perf_counter()
    run("loop")
    loop = time.perf_counter() - start
    start = time.perf_counter()
    kind, _ = choose_trainer(task, strengths, 0, _batches(torch, data, batch, 0))
    measuring = time.perf_counter() - start
    run(kind)
    seconds = time.perf_counter() - start
    record = _record(f"hidden {hidden}, batch {batch}", f"{tools.OURS} auto", version(tools.OURS), [seconds])
    found = {"trainer": kind, "loop_seconds": loop, "measuring_seconds": measuring, "times_faster": loop / seconds}
    print(f"  hidden {hidden}, batch {batch}: {found}", file=sys.stderr)
    return record | found


def table(records: list[dict]) -> str:
    """The records as text; times faster than the loop by hand, or by size than the same trainings in a loop."""
    rows = [("problem", "tool", "trainer", "seconds", "times faster than a loop", "")]
    for r in records:
        note = f"held-out losses apart {r['held_out_apart']:.1e}" if "held_out_apart" in r else ""
        note += f"{r['measuring_seconds']:.2f} s measuring" if "measuring_seconds" in r else ""
        faster = f"{r['times_faster']:.3g}" if "times_faster" in r else ""
        rows.append((r["problem"], r["tool"], r.get("trainer", ""), f"{r['seconds']:.3g}", faster, note))
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
