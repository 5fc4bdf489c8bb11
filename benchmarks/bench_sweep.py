"""Many strengths of one network: trained side by side as a sweep trains them, beside a loop written by hand."""

import math
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from functools import partial
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


def _problem(torch, rows, dtype="float32"):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows + HELD, INPUTS, generator=generator)
    signal = x[:, 0] * x[:, 1] + torch.sin(2 * x[:, 2]) + x[:, 3]
    y = signal + 0.5 * torch.randn(len(x), generator=generator)
    x, y = x.to(getattr(torch, dtype)), y.to(getattr(torch, dtype))
    return (x[:rows], y[:rows]), (x[rows:], y[rows:])


def _model(torch, hidden=64, activation="ReLU", dtype="float32"):
    nn = torch.nn
    layers = nn.Linear(INPUTS, hidden), getattr(nn, activation)(), nn.Linear(hidden, 1)
    return nn.Sequential(*layers).to(getattr(torch, dtype))


def _rows(output, y):
    return 0.5 * (output.squeeze(-1) - y).square()


def _mean(output, y):
    return _rows(output, y).mean()


def _batches(torch, data, batch, epoch):
    x, y = data
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(epoch))
    return [(x[rows], y[rows]) for rows in order.split(batch)]


@dataclass(frozen=True)
class Arm:
    """How the network is trained at all strengths: `kind` is "hand", "trainer" (what runs in `sweep`) or "sweep"."""

    kind: str
    optimizer: str = "AdamW"
    activation: str = "ReLU"
    dtype: str = "float32"

    @property
    def name(self):
        optimizer = self.optimizer if self.kind != "hand" else ""
        what = {"hand": BY_HAND, "trainer": f"{tools.OURS} trainer", "sweep": f"{tools.OURS} sweep()"}[self.kind]
        unusual = (
            ["L1"] * (self.strengths is PENALTIES)
            + [self.activation] * (self.activation != "ReLU")
            + [self.dtype] * (self.dtype != "float32")
        )
        return ", ".join([f"{what} {optimizer}".strip(), *unusual])

    @property
    def by_hand(self):
        """The loop that does the same."""
        return replace(self, kind="hand", optimizer="AdamW")

    @property
    def strengths(self):
        return STRENGTHS if self.optimizer == "AdamW" else PENALTIES

    def make_optimizer(self, torch):
        import shrinkage.torch as ours
        from shrinkage import L1

        if self.optimizer == "AdamW":
            return lambda model, s: torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=s)
        return lambda model, s: getattr(ours, self.optimizer)(ours.Plan(model, L1(s)), lr=LR)


ARMS = (
    *(Arm("hand"), Arm("hand", activation="Tanh"), Arm("hand", dtype="float64")),
    *(Arm("trainer"), Arm("trainer", activation="Tanh"), Arm("trainer", dtype="float64")),
    *(Arm("trainer", "ProxAdam"), Arm("trainer", "DualAdam"), Arm("sweep")),
)


def _task(torch, arm, hidden=64):
    from shrinkage.torch._task import Task

    model = partial(_model, torch, hidden, arm.activation, arm.dtype)
    return Task(model, _mean, _rows, arm.make_optimizer(torch))


def _by_hand(torch, arm):
    """What anyone would write."""
    data, (x_held, y_held) = _problem(torch, ROWS, arm.dtype)
    start, losses = time.perf_counter(), []
    for strength in arm.strengths:
        torch.manual_seed(0)
        model = _model(torch, activation=arm.activation, dtype=arm.dtype)
        optimizer = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=strength)
        for epoch in range(EPOCHS):
            for x, y in _batches(torch, data, BATCH, epoch):
                optimizer.zero_grad()
                _mean(model(x), y).backward()
                optimizer.step()
        with torch.no_grad():
            losses.append(float(_mean(model(x_held), y_held)))
    return time.perf_counter() - start, losses, {}


def _trained(torch, arm):
    """The trainer that the measurement chooses, on the batches of the loop by hand; the measurement is counted."""
    from shrinkage.torch._trainer import TRAINERS, choose_trainer

    data, held = _problem(torch, ROWS, arm.dtype)
    task = _task(torch, arm)
    start = time.perf_counter()
    kind, _ = choose_trainer(task, arm.strengths, 0, _batches(torch, data, BATCH, 0))
    trainer = TRAINERS[kind](task, arm.strengths, 0)
    for epoch in range(EPOCHS):
        trainer.run_epoch(_batches(torch, data, BATCH, epoch))
    losses = trainer.held_out([held]).mean(dim=1).tolist()
    return time.perf_counter() - start, losses, {"trainer": kind}


def _swept(torch, arm):
    """The public function: every epoch measured on rows held out, a journal kept, batches in an order of its own."""
    from shrinkage.torch import sweep

    data, held = _problem(torch, ROWS, arm.dtype)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        result = sweep(
            partial(_model, torch, 64, arm.activation, arm.dtype), data, arm.strengths, lr=LR, epochs=EPOCHS,
            optimizer=torch.optim.AdamW, batch_size=BATCH, validation=held, loss=_rows, journal=folder,
        )  # fmt: skip
        return time.perf_counter() - start, result.mean.tolist(), {"trainer": result.mode}


def _beside_a_loop(torch, runs) -> list[dict]:
    """Loops by hand and sweeps in turns; the first of each pays for what torch loads at its first step.

    In float32 a sample on the kink of a ReLU falls on one side or the other by a rounding, and the run goes another
    way: torch's own loop is then as far from itself in float64 (`from_float64`) as a stacked run is. In float64, and
    with tanh in float32, where roundings stay small, loop and stacked run end alike (`held_out_apart`).
    """
    run = {"hand": _by_hand, "trainer": _trained, "sweep": _swept}
    taken, losses, more = {}, {}, {}
    for _ in range(runs):
        for arm in ARMS:
            seconds, losses[arm], more[arm] = run[arm.kind](torch, arm)
            taken.setdefault(arm, []).append(seconds)
            print(f"  {arm.name}: {seconds:.1f} s {more[arm]}", file=sys.stderr)
    return [_compared(arm, taken, losses) | more[arm] for arm in ARMS]


def _compared(arm, taken, losses) -> dict:
    release = version("torch" if arm.kind == "hand" else tools.OURS)
    record = _record("32 strengths, 20-64-1", arm.name, release, taken[arm])

    def apart(one, other):
        return max(abs(a - b) for a, b in zip(losses[one], losses[other], strict=True))

    if arm.kind != "hand":
        ratios = [by_hand / seconds for by_hand, seconds in zip(taken[arm.by_hand], taken[arm], strict=True)]
        record["times_faster"] = statistics.median(ratios)
    alike = arm.kind != "sweep" and arm.optimizer == "AdamW"
    if alike and arm.kind != "hand":
        record["held_out_apart"] = apart(arm, arm.by_hand)
    if alike and (arm.activation, arm.dtype) == ("ReLU", "float32"):
        record["from_float64"] = apart(arm, Arm("hand", dtype="float64"))
    return record


def _record(problem, tool, release, seconds) -> dict:
    return {"problem": problem, "kind": "sweep", "tool": tool, "version": release, "threads": 1,
            "seconds": statistics.median(seconds), "seconds_all": seconds, "max_relative_gap": None,
            "peak_memory": None}  # fmt: skip


def _choice(torch, hidden, batch) -> dict:
    """The automatic choice, its measurement included, and the loop, in runs of the same number of steps."""
    from shrinkage.torch._trainer import TRAINERS, choose_trainer

    arm = Arm("trainer")
    strengths, task = arm.strengths, _task(torch, arm, hidden)
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
        note += f"; from float64 {r['from_float64']:.1e}" if "from_float64" in r else ""
        note += f"{r['measuring_seconds']:.2f} s measuring" if "measuring_seconds" in r else ""
        faster = f"{r['times_faster']:.3g}" if "times_faster" in r else ""
        rows.append((r["problem"], r["tool"], r.get("trainer", ""), f"{r['seconds']:.3g}", faster, note.strip("; ")))
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
