"""Prints the peak of resident bytes of our path beyond the process with X loaded, after a warm-up on a part of it.

usage: python memory.py ROW_FOLDER ORDER DTYPE
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import use_shrinkage
from worker import load

import tools


def main():
    task = load(Path(sys.argv[1]))
    task.X = np.require(task.X, dtype=sys.argv[3], requirements=sys.argv[2])
    few = SimpleNamespace(**{**vars(task), "X": task.X[:, :100].copy(order=sys.argv[2]), "alphas": task.alphas[:10]})
    use_shrinkage.path(few, 1e-6)
    before = tools.resident("VmRSS") if tools.forget_peak() else None
    use_shrinkage.path(task, 1e-6)
    print(json.dumps(before and tools.resident("VmHWM") - before))


if __name__ == "__main__":
    main()
