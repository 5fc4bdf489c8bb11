"""A script of scikit-learn's, as it is and with one line added: `shrinkage.patch_sklearn()`.

usage: python bench_patch.py PROBLEM KIND [patched] (runs the script once; prints its seconds and what it found)
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np

import tools

LINE = "import shrinkage; shrinkage.patch_sklearn()"
PROBLEMS = {
    "diabetes, 5 folds": (None, 5, 1),
    "diabetes, 5 folds, 20 fits": (None, 5, 20),
    "500 x 5,000, 5 folds": ((500, 5000, 0.0), 5, 1),
    "500 x 5,000, 10 folds": ((500, 5000, 0.0), 10, 1),
    "500 x 5,000, correlated, 5 folds": ((500, 5000, 0.8), 5, 1),
    "20,000 x 300, 5 folds": ((20_000, 300, 0.0), 5, 1),
    "20,000 x 300, 10 folds": ((20_000, 300, 0.0), 10, 1),
}
"""Rows, columns and correlation of neighbors of simulated data (None: the diabetes data), folds, fits of the script."""
KINDS = {"default": {}, "tight": {"tol": 1e-8, "max_iter": 1_000_000}}
TIGHT = ("diabetes, 5 folds", "20,000 x 300, 5 folds")
"""The problems that are measured at a small tolerance too; of the others scikit-learn's takes many minutes."""
ONCE = 20.0
"""A run of scikit-learn's that takes longer (seconds) is not repeated."""


def compare(runs: int) -> list[dict]:
    """`LassoCV` as it is and patched: CPU seconds of all fits, one thread, in turns; scores beside each other."""
    records = []
    for problem in PROBLEMS:
        for kind in KINDS if problem in TIGHT else ("default",):
            turns = []
            for _ in range(runs):
                if not turns or turns[-1][0]["cpu"] < ONCE:
                    turns.append((_run(problem, kind), _run(problem, kind, "patched")))
            records += _records(problem, kind, turns)
    return records


def _records(problem: str, kind: str, turns: list[tuple[dict, dict]]) -> list[dict]:
    theirs, ours = turns[0]
    apart = np.abs(np.array(ours["scores"]) / np.array(theirs["scores"]) - 1).max()
    shared = {
        "problem": f"{problem}, {kind}",
        "kind": "cv",
        "threads": 1,
        "max_relative_gap": None,
        "peak_memory": None,
    }
    same = {"same_alpha": ours["alpha"] == theirs["alpha"], "max_score_difference": float(apart)}
    ratio = median(before["cpu"] / after["cpu"] for before, after in turns)
    names = (("scikit-learn", "scikit-learn", {"ratio": ratio}), (f"{tools.OURS}.patch_sklearn", tools.OURS, same))
    return [
        {**shared, "tool": tool, "version": version(package), "seconds": median(run["cpu"] for run in some),
         "seconds_all": [run["cpu"] for run in some], "wall_seconds_all": [run["wall"] for run in some], **more}
        for (tool, package, more), some in zip(names, zip(*turns, strict=True), strict=True)
    ]  # fmt: skip


def _run(problem: str, kind: str, *options: str) -> dict:
    alone = {**os.environ, **tools.ONE_THREAD}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "found.json"
        command = [sys.executable, __file__, problem, kind, str(place), *options]
        subprocess.run(command, env=alone, check=True, stderr=subprocess.DEVNULL)
        return json.loads(place.read_text())


def _data(problem: str) -> tuple[np.ndarray, np.ndarray]:
    from shrinkage.datasets import load_diabetes, simulate_linear

    shape, _, _ = PROBLEMS[problem]
    if shape is None:
        data = load_diabetes()
    else:
        n, p, rho = shape
        data = simulate_linear(n, p, rho=rho, n_nonzero=20, snr=3.0, seed=0)
    return np.ascontiguousarray(data.X), data.y


def _script(problem: str, kind: str, patched: bool) -> dict:
    X, y = _data(problem)
    if patched:
        exec(LINE)
    from sklearn.linear_model import LassoCV

    LassoCV(cv=3, alphas=3).fit(X[:20, :3], y[:20])  # imports on first use are no part of the fit
    _, folds, fits = PROBLEMS[problem]
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(fits):
        model = LassoCV(cv=folds, **KINDS[kind]).fit(X, y)
    taken = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return {**taken, "alpha": float(model.alpha_), "scores": model.mse_path_.tolist()}


if __name__ == "__main__":
    Path(sys.argv[3]).write_text(json.dumps(_script(sys.argv[1], sys.argv[2], "patched" in sys.argv)))
