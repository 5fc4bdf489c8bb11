"""What a user waits for on small things: the import, and one Lasso fit of 100 x 20.

usage: python bench_small.py shrinkage|sklearn.linear_model (200 fits in a process of its own; prints the median of one)
"""

import json
import os
import subprocess
import sys
import time
from importlib import import_module
from importlib.metadata import version
from statistics import median

import tools

MODULES = {tools.OURS: "shrinkage", "scikit-learn": "sklearn.linear_model"}
FITS = 200


def compare(runs: int) -> list[dict]:
    """`import shrinkage` and `import sklearn.linear_model` in fresh processes; one Lasso fit at each tool's default."""
    imports = {tool: _import(module) for tool, module in MODULES.items()}
    taken = {tool: [] for tool in MODULES}
    for _ in range(5 * runs):
        for tool, code in imports.items():
            taken[tool].append(_seconds(["-c", code]))
    fits = {tool: [_seconds([__file__, module]) for _ in range(runs)] for tool, module in MODULES.items()}
    return [*_records("import", "import", taken), *_records("small", "fit", fits)]


def _import(module: str) -> str:
    return f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"


def _seconds(arguments: list[str]) -> float:
    alone = {**os.environ, **tools.ONE_THREAD}
    done = subprocess.run([sys.executable, *arguments], env=alone, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def _records(problem: str, kind: str, taken: dict[str, list[float]]) -> list[dict]:
    ours = median(taken[tools.OURS])
    return [
        {"problem": problem, "kind": kind, "tool": tool, "version": version(tool), "threads": 1,
         "seconds": median(seconds), "seconds_all": seconds, "max_relative_gap": None, "peak_memory": None,
         **({} if tool == tools.OURS else {"ratio": median(seconds) / ours})}
        for tool, seconds in taken.items()
    ]  # fmt: skip


def _fit(module: str) -> float:
    """Seconds of one fit, median of many."""
    from shrinkage.datasets import simulate_linear

    data = simulate_linear(100, 20, rho=0.5, n_nonzero=5, snr=5.0, seed=0)
    model = import_module(module).Lasso(alpha=0.1)
    taken = []
    for _ in range(FITS):
        start = time.perf_counter()
        model.fit(data.X, data.y)
        taken.append(time.perf_counter() - start)
    return median(taken)


if __name__ == "__main__":
    print(_fit(sys.argv[1]))
