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


def _model(torch, hidden=64):
    nn = torch.nn
    return nn.Sequential(nn.Linear(INPUTS, hidden), nn.ReLU(), nn.Linear(hidden, 1))


def _rows(output, y):
    return 0.5 * (output.squeeze(-1) - y).square()


def _mean(output, y):
    return _rows(output, y).mean()


def _batches(torch, data, batch, epoch):
    x, y = data
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(epoch))
    return [(x[rows], y[rows]) for rows in order.split(batch)]


def _by_hand(torch, strengths) -> tuple[float, list[float]]:
    """Seconds and held-out losses of what anyone would write."""
    data, (x_held, y_held) = _problem(torch, ROWS)
    start, losses = time.perf_counter(), []
    for strength in strengths:
        torch.manual_seed(0)
        model = _model(torch)
        optimizer = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=strength)
        for epoch in range(EPOCHS):
            for x, y in _batches(torch, data, BATCH, epoch):
                optimizer.zero_grad()
                _mean(model(x), y).backward()
                optimizer.step()
        with torch.no_grad():
            losses.append(float(_mean(model(x_held), y_held)))
    return time.perf_counter() - start, losses


def _arms(torch):
    from shrinkage import L1
    from shrinkage.torch import DualAdam, Plan, ProxAdam

    return {
        "AdamW": (STRENGTHS, lambda model, s: torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=s)),
        "ProxAdam, L1": (PENALTIES, lambda model, s: ProxAdam(Plan(model, L1(s)), lr=LR)),
        "DualAdam, L1": (PENALTIES, lambda model, s: DualAdam(Plan(model, L1(s)), lr=LR)),
    }


def _task(torch, make_optimizer, hidden=64):
    from shrinkage.torch._task import Task

    return Task(lambda: _model(torch, hidden), _mean, _rows, make_optimizer)


def _swept(torch, strengths, make_optimizer) -> tuple[float, list[float], str]:
    """Seconds, held-out losses and the trainer of a sweep, with the measurement that chose it."""
    from shrinkage.torch._trainer import TRAINERS, choose_trainer

    data, held = _problem(torch, ROWS)
    task = _task(torch, make_optimizer)
    start = time.perf_counter()
    kind, _ = choose_trainer(task, strengths, 0, _batches(torch, data, BATCH, 0))
    trainer = TRAINERS[kind](task, strengths, 0)
    for epoch in range(EPOCHS):
        trainer.run_epoch(_batches(torch, data, BATCH, epoch))
    losses = trainer.held_out([held]).mean(dim=1).tolist()
    return time.perf_counter() - start, losses, kind


def _beside_a_loop(torch, runs) -> list[dict]:
    taken: dict[str, list[float]] = {}
    losses, kinds, ratios = {}, {}, {}
    for _ in range(runs):
        seconds, losses[BY_HAND] = _by_hand(torch, STRENGTHS)
        taken.setdefault(BY_HAND, []).append(seconds)
        for name, (strengths, make_optimizer) in _arms(torch).items():
            each, losses[name], kinds[name] = _swept(torch, strengths, make_optimizer)
            taken.setdefault(name, []).append(each)
            ratios.setdefault(name, []).append(seconds / each)
        print(f"  by hand {seconds:.1f} s, {ratios}", file=sys.stderr)
    records = [_record("32 strengths, 20-64-1", BY_HAND, version("torch"), taken[BY_HAND])]
    for name in ratios:
        record = _record("32 strengths, 20-64-1", f"{tools.OURS} {name}", version(tools.OURS), taken[name])
        apart = max(abs(a - b) for a, b in zip(losses[name], losses[BY_HAND], strict=True))
        record |= {"trainer": kinds[name], "times_faster": statistics.median(ratios[name])}
        records.append(record | ({"held_out_apart": apart} if name == "AdamW" else {}))
    return records


def _record(problem, tool, release, seconds) -> dict:
    return {"problem": problem, "kind": "sweep", "tool": tool, "version": release, "threads": 1,
            "seconds": statistics.median(seconds), "seconds_all": seconds, "max_relative_gap": None,
            "peak_memory": None}  # fmt: skip


def _choice(torch, hidden, batch) -> dict:
    """The automatic choice, its measurement included, and the loop, in runs of the same number of steps."""
    from shrinkage.torch._trainer import TRAINERS, choose_trainer

    strengths, make_optimizer = _arms(torch)["AdamW"]
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
