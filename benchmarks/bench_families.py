"""Poisson, multinomial and Cox paths beside R's glmnet: by ratios of CPU seconds, scored by the gap.

usage: python bench_families.py RUNS [FAMILY ...] (one thread, in a process of its own; prints records as JSON)
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np

import tools

ROWS, COLUMNS, SIGNALS, STRENGTHS, RATIO = 1_000, 5_000, 20, 100, 1e-2
CRITERIA = {
    "d": "its default tolerance",
    "s": "tuned to a true suboptimality of 1e-6 of the null objective",
    "g": "tuned to a relative duality gap of 1e-6",
}
AIM = 1e-6
BEHIND = 5.0  # times our seconds, beyond which no smaller threshold is tried
THRESHOLDS = [10.0**-k for k in range(7, 16)]
SCRIPT = Path(__file__).resolve().parent / "glmnet_families.R"


@dataclass(frozen=True)
class Family:
    """A response drawn from linear predictors (n_samples, 4), our name of its loss, and what states its problem."""

    draw: Callable
    loss: str
    state: Callable


def compare(runs: int, families: tuple = ()) -> list[dict]:
    """Lasso paths on 1,000 x 5,000, 100 strengths to alpha_max/100, one thread: ours at gap 1e-6, and glmnet's."""
    command = [sys.executable, str(Path(__file__).resolve()), str(runs), *families]
    done = subprocess.run(command, env={**os.environ, **tools.ONE_THREAD}, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def _counts(rng: np.random.Generator, eta: np.ndarray) -> np.ndarray:
    return rng.poisson(np.exp(0.7 * eta[:, 0] / eta[:, 0].std())).astype(float)


def _labels(rng: np.random.Generator, eta: np.ndarray) -> np.ndarray:
    return (2.0 * eta / eta.std() + rng.gumbel(size=eta.shape)).argmax(axis=1).astype(float)


def _times(rng: np.random.Generator, eta: np.ndarray) -> np.ndarray:
    """Columns time and event (1: seen), about two thirds seen."""
    n = len(eta)
    seen, censored = rng.exponential(size=n) / np.exp(eta[:, 0] / eta[:, 0].std()), 2.0 * rng.exponential(size=n)
    return np.stack([np.minimum(seen, censored), (seen <= censored).astype(float)], axis=1)


def _rowwise(loss: str) -> Callable:
    def state(X: np.ndarray, y: np.ndarray):
        from shrinkage._path import state

        return state(X, y, loss, 1.0, True, False, None, None, None, None)[0]

    return state


def _several(X: np.ndarray, y: np.ndarray):
    from shrinkage._path import state_classes

    return state_classes(X, y, "multinomial", 1.0, True, False, None, None, None, None)[0]


FAMILIES = {
    "poisson": Family(_counts, "poisson", _rowwise("poisson")),
    "multinomial": Family(_labels, "multinomial", _several),
    "cox": Family(_times, "cox", _rowwise("cox")),
}


def simulated(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Chained columns (neighbors correlate by 0.5), of which 20 matter to each of 4 linear predictors."""
    from linear.simulate import chained, generator

    rng = generator(f"families {name}")
    X = chained(rng, ROWS, COLUMNS)
    eta = np.stack([X[:, rng.choice(COLUMNS, SIGNALS, replace=False)] @ rng.normal(size=SIGNALS) for _ in range(4)], 1)
    return X, FAMILIES[name].draw(rng, eta)


def measure(name: str, runs: int) -> list[dict]:
    """Ours and glmnet in turns, then glmnet by each criterion."""
    import shrinkage

    family, (X, y) = FAMILIES[name], simulated(name)
    problem = family.state(X, y)
    alphas = problem.alpha_max * RATIO ** (np.arange(STRENGTHS) / (STRENGTHS - 1))
    bound = _lower_bound(problem, shrinkage.path(X, y, loss=family.loss, alphas=alphas, tol=1e-10))
    shared = {"problem": f"{name} {ROWS} x {COLUMNS}", "kind": "families", "threads": 1, "peak_memory": None}
    records, times, fitted = [], [], None
    for _ in range(max(3, runs)):
        start, cpu = time.perf_counter(), time.process_time()
        fitted = shrinkage.path(X, y, loss=family.loss, alphas=alphas)
        times.append((time.perf_counter() - start, time.process_time() - cpu))
    own = {"tool": tools.OURS, "version": version("shrinkage"), "criterion": "g", "tol": AIM}
    records.append({**shared, **own, **_told(times), **_scored(problem, fitted, bound), "passes": fitted.n_passes})
    if shutil.which("Rscript") is None:
        return records
    with tempfile.TemporaryDirectory() as folder:
        for each in _glmnet(name, Path(folder), (X, y, alphas), (problem, bound), runs, records[0]["cpu_seconds"]):
            each["ratio"] = each["cpu_seconds"] / records[0]["cpu_seconds"]
            records.append({**shared, **each})
    return records


def _glmnet(name: str, folder: Path, data: tuple, judge: tuple, runs: int, ours: float) -> list[dict]:
    """Records by each criterion; thresholds are sought by tenths, once, until one does or is far behind our seconds."""
    for stem, values in zip(("X", "y", "alphas"), data, strict=True):
        np.ravel(values, order="F").astype(float).tofile(folder / f"{stem}.bin")
    seen: dict = {}
    found = []
    for criterion in CRITERIA:
        for threshold in THRESHOLDS[:1] if criterion == "d" else THRESHOLDS:
            if threshold not in seen:
                seen[threshold] = _run(name, folder, threshold, 1, judge)
            record = seen[threshold]
            reached = {"d": 0.0, "s": record["suboptimality"], "g": record["max_relative_gap"]}[criterion] <= AIM
            if reached or record["cpu_seconds"] > BEHIND * ours:
                break
        again = _run(name, folder, threshold, runs, judge) if reached and runs > 1 else record
        found.append({**again, "criterion": criterion, "reached": reached})
    return found


def _run(name: str, folder: Path, threshold: float, runs: int, judge: tuple) -> dict:
    """`runs` runs at one threshold, timed in R, and the score of the answer."""
    asked = ["Rscript", str(SCRIPT), str(folder), name, repr(threshold), str(runs)]
    done = subprocess.run(asked, stdout=subprocess.PIPE, check=True, text=True)
    told = json.loads(done.stdout)
    problem, bound = judge
    alphas, p = np.fromfile(folder / "alphas.bin"), problem.design.shape[1]
    coefs = np.fromfile(folder / "coefs.bin").reshape((-1, len(alphas)), order="F")
    levels = np.fromfile(folder / "intercepts.bin").reshape((-1, len(alphas)), order="F")
    answer = _Answer(coefs, levels if len(coefs) > p else levels[0], alphas)
    times = list(zip(told["wall"], told["cpu"], strict=True))
    own = {"tool": "glmnet", "version": told["version"], "tol": threshold}
    return {**own, **_told(times), **_scored(problem, answer, bound)}


@dataclass(frozen=True)
class _Answer:
    coefs: np.ndarray
    intercepts: np.ndarray
    alphas: np.ndarray


def _objectives(problem, answer) -> np.ndarray:
    """Primal values at every strength; a path's coefficients are sparse, glmnet's dense."""
    coefs = answer.coefs if isinstance(answer.coefs, np.ndarray) else answer.coefs.toarray()
    p = problem.design.shape[1]
    values = []
    for t, alpha in enumerate(answer.alphas):
        level = answer.intercepts[..., t]
        if len(coefs) > p:
            values.append(problem.objective(coefs[:, t].reshape((-1, p)), level, float(alpha)))
        else:
            penalty = problem.penalty.with_alpha(float(alpha))
            values.append(problem.with_penalty(penalty).objective(coefs[:, t], float(level)))
    return np.array(values)


def _lower_bound(problem, exact) -> np.ndarray:
    """Objectives of a much more exact answer, less their gaps."""
    return _objectives(problem, exact) - np.maximum(problem.gaps(exact.coefs, exact.intercepts, exact.alphas), 0.0)


def _scored(problem, answer, bound: np.ndarray) -> dict:
    """Largest relative gap and suboptimality over all strengths, by the problem and not by the tool."""
    null = problem.null.objective
    gaps = problem.gaps(answer.coefs, answer.intercepts, answer.alphas)
    error = _objectives(problem, answer) - bound
    return {"max_relative_gap": float(gaps.max() / null), "suboptimality": float(error.max() / null)}


def _told(times: list) -> dict:
    return {
        "seconds": median(wall for wall, _ in times),
        "cpu_seconds": median(cpu for _, cpu in times),
        "seconds_all": [wall for wall, _ in times],
        "cpu_seconds_all": [cpu for _, cpu in times],
    }


def table(records: list[dict]) -> str:
    """The records as text; a ratio above 1 says how many times our seconds of the processor glmnet takes."""
    lines = [f"{'problem':28} {'tool':12} {'criterion':9} {'tol':>7} {'CPU s':>8} {'ratio':>6} {'gap':>8} {'error':>8}"]
    for r in records:
        ratio = f"{r['ratio']:.2f}" if "ratio" in r else ""
        missed = "" if r.get("reached", True) else "  criterion not met, and far behind"
        lines.append(
            f"{r['problem']:28} {r['tool']:12} {r['criterion']:9} {r['tol']:7.0e} {r['cpu_seconds']:8.3g} {ratio:>6} "
            f"{r['max_relative_gap']:8.1e} {r['suboptimality']:8.1e}{missed}"
        )
    return "\n".join([*lines, *(f"{key}: {meaning}" for key, meaning in CRITERIA.items())])


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    chosen = sys.argv[2:] or list(FAMILIES)
    print(json.dumps([record for name in chosen for record in measure(name, int(sys.argv[1]))]))
