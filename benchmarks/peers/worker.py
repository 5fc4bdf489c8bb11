"""Runs one task of one tool in that tool's own environment, on one core: writes its answer, prints its time.

usage: python worker.py TASK.json

TASK.json holds: tool, kind (path, cv or fit), data (a folder with X.npy, y.npy, alphas.npy), order (C or F), tol, runs,
budget (seconds after which no further run starts), out (the .npz to write). Printed: one line of JSON.
"""

import importlib
import json
import os
import sys
import time
from pathlib import Path

import numpy as np


def memory(field):
    """Bytes that /proc/self/status gives for VmRSS or VmHWM; None where there is no /proc."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


def forget_peak():
    """Make VmHWM start again from what is resident now."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def run(task):
    """Warm up, then run and time the task until the runs or the budget are used up."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    tool = importlib.import_module(f"use_{task['tool'].replace('-', '_')}")
    data = Path(task["data"])
    X = np.require(np.load(data / "X.npy"), requirements=task["order"])
    y, alphas = np.load(data / "y.npy"), np.load(data / "alphas.npy")
    work = getattr(tool, task["kind"])
    few = np.require(X[:, :100].copy(), requirements=task["order"])
    work(few, y, alphas[:10], 1e-3)
    measurable = forget_peak()
    before = memory("VmRSS") if measurable else None
    seconds, peak, answer = [], None, {}
    while len(seconds) < task["runs"] and sum(seconds) <= task["budget"]:
        start = time.perf_counter()
        answer = work(X, y, alphas, task["tol"])
        seconds.append(time.perf_counter() - start)
        if before is not None and peak is None:
            peak = memory("VmHWM") - before
    np.savez(task["out"], **answer)
    return {"version": tool.VERSION, "seconds_all": seconds, "peak_memory": peak}


if __name__ == "__main__":
    print(json.dumps(run(json.loads(Path(sys.argv[1]).read_text()))))
