"""Cross-validation repeated with other folds, beside one cross-validation and beside a plain loop of them.

usage: python bench_repeated.py RUNS (one thread, in a process of its own; prints records as JSON)
"""

import json
import os
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

import tools

REPEATS, FOLDS = 20, 10
GRIDS = {"to alpha_max/100": 1e-2, "to alpha_max/1000": 1e-3}


def compare(runs: int) -> list[dict]:
    """20 repeats x 10 folds x 100 strengths on dense 500 x 5,000, in units of one 10-fold cross_validate."""
    command = [sys.executable, str(Path(__file__).resolve()), str(runs)]
    done = subprocess.run(command, env={**os.environ, **tools.ONE_THREAD}, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def measure(name: str, ratio: float, runs: int) -> list[dict]:
    """One cross-validation, twenty by a loop, twenty by `repeated_cv`, in turns."""
    import numpy as np
    from sklearn.model_selection import KFold

    from linear.simulate import standardized
    from shrinkage import cross_validate
    from shrinkage.datasets import simulate_linear
    from shrinkage.selection import repeated_cv

    drawn = simulate_linear(500, 5_000, rho=0.5, n_nonzero=100, snr=5.0, seed=0)
    X, y = standardized(drawn.X), (drawn.y - drawn.y.mean()) / drawn.y.std()

    def once(seed: int):
        folds = KFold(FOLDS, shuffle=True, random_state=seed)
        return cross_validate(X, y, cv=folds, alpha_min_ratio=ratio)

    def again():
        return repeated_cv(X, y, repeats=REPEATS, cv=FOLDS, alpha_min_ratio=ratio)

    once(0)
    arms: dict = {"cross_validate": [], "loop": [], "repeated_cv": []}
    peaks, apart, record = {}, 0.0, None
    for turn in range(runs):
        tools.forget_peak()
        before = tools.resident("VmRSS")
        seconds, record = _timed(again)
        arms["repeated_cv"].append(seconds)
        peaks.setdefault("repeated_cv", before and tools.resident("VmHWM") - before)
        if turn == 0:
            tools.forget_peak()
            before = tools.resident("VmRSS")
        alone = [_timed(lambda seed=seed: once(seed)) for seed in record.seeds]
        peaks.setdefault("cross_validate", before and tools.resident("VmHWM") - before)
        arms["loop"].append(tuple(np.sum([seconds for seconds, _ in alone], axis=0).tolist()))
        arms["cross_validate"].append(tuple(np.median([seconds for seconds, _ in alone], axis=0).tolist()))
        pairs = zip(record.repeats, alone, strict=True)
        apart = max(apart, *(float(np.abs(a.scores / b.scores - 1).max()) for a, (_, b) in pairs))
    gap = max(float(one.fold_gaps.max()) for one in record.repeats)
    found = {"max_relative_gap": gap, "max_score_difference": apart}
    return [
        {
            **_told(f"cv-wide, {name}", arm, times, arms["cross_validate"]),
            "peak_memory": peaks.get(arm),
            "data_memory": X.nbytes,
            **(found if arm == "repeated_cv" else dict.fromkeys(found)),
        }
        for arm, times in arms.items()
    ]


def _told(problem: str, arm: str, times: list, single: list) -> dict:
    """What the README's schema asks of every record."""
    return {
        "problem": problem,
        "kind": "repeated",
        "tool": "shrinkage",
        "version": version("shrinkage"),
        "threads": 1,
        "arm": arm,
        "repeats": 1 if arm == "cross_validate" else REPEATS,
        "seconds": median(wall for wall, _ in times),
        "seconds_all": [wall for wall, _ in times],
        "cpu_seconds_all": [cpu for _, cpu in times],
        "times_one": median(a[1] / b[1] for a, b in zip(times, single, strict=True)),
    }


def _timed(work):
    """((wall, CPU) seconds, what it returned)."""
    start, cpu = time.perf_counter(), time.process_time()
    answer = work()
    return (time.perf_counter() - start, time.process_time() - cpu), answer


def table(records: list[dict]) -> str:
    """The records as text: seconds, CPU time in units of one cross_validate, and memory beyond X."""
    lines = [f"{'problem':28} {'arm':16} {'seconds':>8} {'of one':>8} {'peak MB':>8}  largest difference of a score"]
    for r in records:
        peak = f"{r['peak_memory'] / 1e6:.0f}" if r["peak_memory"] is not None else ""
        apart = f"{r['max_score_difference']:.1e}" if r["max_score_difference"] is not None else ""
        lines.append(f"{r['problem']:28} {r['arm']:16} {r['seconds']:8.3g} {r['times_one']:8.3g} {peak:>8}  {apart}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    print(json.dumps([r for name, ratio in GRIDS.items() for r in measure(name, ratio, int(sys.argv[1]))]))
