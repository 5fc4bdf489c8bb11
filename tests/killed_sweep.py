"""Kills a sweep at random moments and starts it again, until enough kills have hit; prints what came of it.

Run as a process of its own, `python killed_sweep.py FOLDER KILLS MODE SEED`: it forks, which a test's process should
not, and pays for the imports once. The journal writes a snapshot after every epoch, so that kills hit writing as well
as training.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from shrinkage import L1
from shrinkage.torch import _sweep_run
from shrinkage.torch._sweep import sweep

torch.set_num_threads(1)
_sweep_run.SOONEST, _sweep_run.SNAPSHOTS_TAKE = 0.0, 1e9


def network():
    """With all that has a state: running means, dropout."""
    return nn.Sequential(nn.Linear(8, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.2), nn.Linear(12, 2))


def run(mode, journal=None):
    """A sweep of four strengths under two seeds, of which one is stopped on the way."""
    draw = torch.Generator().manual_seed(0)
    X = torch.randn(120, 8, generator=draw)
    y = (X[:, 0] + 0.5 * torch.randn(120, generator=draw) > 0).long()
    return sweep(
        network, (X, y), [0.0, 0.003, 0.01, 3.0], penalty=L1(1.0), lr=0.02, epochs=12, batch_size=30, seeds=2,
        scheduler=lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12), stop_worse=True,
        mode=mode, journal=journal,
    )  # fmt: skip


def child(folder, mode):
    """Start the sweep in a process of its own; its number."""
    pid = os.fork()
    if pid:
        return pid
    try:
        run(mode, folder)
        os._exit(0)
    except BaseException as error:
        print(f"child: {error!r}", file=sys.stderr, flush=True)
        os._exit(1)


def lived(pid, seconds):
    """How a process ended that was given so many seconds; None stands for all that it wants."""
    end = None if seconds is None else time.perf_counter() + seconds
    while end is not None and time.perf_counter() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.001)
    if end is not None:
        os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def differences(result, reference, folder):
    """What is not as without interruption."""
    found = []
    for name in ("held_out", "train_loss", "zeros", "score", "curves", "epochs_run", "se", "difference_se"):
        if not np.array_equal(getattr(result, name), getattr(reference, name), equal_nan=True):
            found.append(name)
    found += [
        name for name in ("best", "one_se", "status", "rule") if getattr(result, name) != getattr(reference, name)
    ]
    for strength, state in reference.weights.items():
        found += [f"{strength} {key}" for key in state if not torch.equal(state[key], result.weights[strength][key])]
    lines = [json.loads(line)["record"] for line in (folder / "journal.jsonl").read_text().splitlines()]
    done = [
        (line["run"]["place"], strength) for line in lines if line["kind"] == "seed" for strength in line["run"]["live"]
    ]
    expected = [
        (s, a) for k, a in enumerate(reference.strengths) for s in np.flatnonzero(reference.epochs_run[k] == 12)
    ]
    if sorted(done) != sorted(expected):
        found.append(f"finished: {done}")
    return found


def main(folder, kills, mode, seed):
    """Kill until there were so many kills; every sweep that ends is compared with one that was left alone."""
    draw = random.Random(seed)
    reference = run(mode)
    started = time.perf_counter()
    wrong = differences(run(mode, folder / "timed"), reference, folder / "timed")
    seconds = time.perf_counter() - started
    hit, sweeps, under_way = 0, 0, False
    while not wrong and (hit < kills or under_way):
        place = folder / f"sweep {sweeps}"
        status = lived(child(place, mode), draw.uniform(0.02, 0.7) * seconds if hit < kills else None)
        if os.WIFSIGNALED(status):
            hit, under_way = hit + 1, True
        elif os.WEXITSTATUS(status):
            wrong.append("the resumed sweep failed")
        else:
            wrong += differences(run(mode, place), reference, place)
            sweeps, under_way = sweeps + 1, False
    print(json.dumps({"kills": hit, "sweeps": sweeps, "wrong": wrong, "status": reference.status}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
