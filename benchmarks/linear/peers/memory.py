"""Prints the peak of resident bytes of our path beyond the process with X loaded, after a warm-up on a part of it.

usage: python memory.py ROW_FOLDER ORDER DTYPE
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import use_shrinkage
from worker import load


def resident(field):
    """Bytes that /proc/self/status gives for VmRSS or VmHWM; None where there is no /proc."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


def main():
    task = load(Path(sys.argv[1]))
    task.X = np.require(task.X, dtype=sys.argv[3], requirements=sys.argv[2])
    few = SimpleNamespace(**{**vars(task), "X": task.X[:, :100].copy(order=sys.argv[2]), "alphas": task.alphas[:10]})
    use_shrinkage.path(few, 1e-6)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        print(json.dumps(None))
        return
    before = resident("VmRSS")
    use_shrinkage.path(task, 1e-6)
    print(json.dumps(resident("VmHWM") - before))


if __name__ == "__main__":
    main()
