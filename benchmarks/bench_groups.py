"""A group lasso path of 1,000 x 10,000 in groups of ten, beside adelie, skglm and celer.

usage: python bench_groups.py TOOL FOLDER TOL... (in that tool's environment, one thread, one core; a JSON line each)
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

ROWS, GROUPS, SIZE, STRENGTHS = 1_000, 1_000, 10, 100
PEERS = {"adelie": 1e-7, "skglm": 1e-4, "celer": 1e-4}  # tolerance at which the search begins
LEAST, GAP = 1e-15, 1e-6
BEHIND = 10.0  # times our seconds, beyond which no smaller tolerance is tried
SLOW = 15.0  # seconds from which a run is not repeated
LIMIT = 900.0  # seconds that one run may take
ENVIRONMENTS = Path(os.environ.get("BENCH_ENVIRONMENTS", Path(__file__).resolve().parent / ".envs"))


def compare(runs: int) -> list[dict]:
    """Group lasso, dense 1,000 x 10,000 in tens, 100 strengths to alpha_max/100, by processor time on one core.

    Ours at the default tolerance; a peer at the loosest of its tolerances, by tenths, whose every answer has a relative
    gap of at most 1e-6 by `Problem`, or, far behind ours, the best it reached.
    """
    with tempfile.TemporaryDirectory() as folder:
        problem = _write(Path(folder))
        ours = _ran(sys.executable, tools.OURS, folder, GAP, runs, problem)
        found = [ours]
        for tool, tol in PEERS.items():
            python = ENVIRONMENTS / tool / "bin" / "python"
            if not python.exists():
                print(f"{tool} is not in {ENVIRONMENTS}: bench_linear.py makes its environment", flush=True)
                continue
            best = None
            while tol >= LEAST and (best is None or best["max_relative_gap"] > GAP):
                tried = _ran(str(python), tool, folder, tol, 1, problem)
                if tried is None:
                    break
                best, tol = tried, tol / 10
                if best["seconds"] > BEHIND * ours["seconds"]:
                    break
            if best is not None:
                if runs > 1 and best["seconds"] < SLOW:
                    best = _ran(str(python), tool, folder, best["tol"], runs, problem)
                found.append({**best, "ratio": best["seconds"] / ours["seconds"]})
    return found


def _write(folder: Path):
    """Seeded data in files, and the problem that judges answers."""
    from shrinkage import GroupL2
    from shrinkage.datasets import simulate_linear
    from shrinkage.design import as_design
    from shrinkage.losses import Squared
    from shrinkage.problem import Problem

    drawn = simulate_linear(ROWS, GROUPS * SIZE, rho=0.5, n_nonzero=100, snr=5.0, seed=0)
    X = np.asfortranarray((drawn.X - drawn.X.mean(axis=0)) / drawn.X.std(axis=0))
    y = (drawn.y - drawn.y.mean()) / drawn.y.std()
    groups = [range(g * SIZE, (g + 1) * SIZE) for g in range(GROUPS)]
    problem = Problem(as_design(X), y, Squared(), GroupL2(1.0, groups))
    for name, values in {"X": X, "y": y, "alphas": problem.alpha_max * np.geomspace(1, 1e-2, STRENGTHS)}.items():
        np.save(folder / f"{name}.npy", values)
    return problem


def _ran(python: str, tool: str, folder: str, tol: float, runs: int, problem) -> dict | None:
    """The record of some runs of a tool at a tolerance; None where one took too long."""
    command = [python, str(Path(__file__).resolve()), tool, folder, str(tol), str(runs)]
    environment = {**os.environ, **tools.ONE_THREAD}
    try:
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        print(f"{tool} at {tol:g} took more than {LIMIT:g} s", flush=True)
        return None
    said = json.loads(done.stdout.decode().splitlines()[-1])
    coefs, intercepts = np.load(Path(folder) / "coefs.npy"), np.load(Path(folder) / "intercepts.npy")
    gaps = problem.gaps(coefs, intercepts, np.load(Path(folder) / "alphas.npy"))
    print(f"{tool} at {tol:g}: {median(said['cpu']):.2f} s, gap {float(problem.relative(gaps).max()):.1e}", flush=True)
    return {
        "problem": "groups of ten, 1,000 x 10,000",
        "kind": "path",
        "tool": tool,
        "version": said["version"],
        "threads": 1,
        "tol": tol,
        "seconds": median(said["cpu"]),
        "seconds_all": said["cpu"],
        "wall_seconds_all": said["wall"],
        "max_relative_gap": float(problem.relative(gaps).max()),
        "support": int((coefs != 0).sum(axis=0).max()),
        "peak_memory": None,
    }


def _shrinkage(X, y, alphas, tol):
    from shrinkage import GroupL2, path

    groups = [range(g * SIZE, (g + 1) * SIZE) for g in range(X.shape[1] // SIZE)]
    found = path(X, y, penalty=GroupL2(1.0, groups), alphas=alphas, tol=tol)
    return found.coefs.toarray(), found.intercepts


def _adelie(X, y, alphas, tol):
    import adelie

    state = adelie.grpnet(
        adelie.matrix.dense(X, method="naive", n_threads=1), adelie.glm.gaussian(y), lmda_path=alphas, tol=tol,
        groups=np.arange(0, X.shape[1], SIZE), early_exit=False, adev_tol=1.0, max_iters=10_000_000,
        progress_bar=False, n_threads=1,
    )  # fmt: skip
    return state.betas.toarray().T, np.ravel(state.intercepts)


def _skglm(X, y, alphas, tol):
    from skglm import GroupLasso

    weights = np.full(X.shape[1] // SIZE, SIZE**0.5)
    model = GroupLasso(SIZE, weights=weights, tol=tol, max_iter=1000, max_epochs=100_000, warm_start=True)
    coefs, intercepts = np.empty((X.shape[1], len(alphas))), np.empty(len(alphas))
    for t, alpha in enumerate(alphas):
        model.set_params(alpha=float(alpha)).fit(X, y)
        coefs[:, t], intercepts[t] = model.coef_, model.intercept_
    return coefs, intercepts


def _celer(X, y, alphas, tol):
    from celer import celer_path

    weights = np.full(X.shape[1] // SIZE, SIZE**0.5)
    found = celer_path(X, y, "grouplasso", alphas=alphas, groups=SIZE, weights=weights, tol=tol, max_iter=1000)
    return found[1], np.zeros(len(alphas))


def _main(tool: str, folder: str, tol: str, runs: str) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    X, y, alphas = (np.load(Path(folder) / f"{name}.npy") for name in ("X", "y", "alphas"))
    X, work = np.asfortranarray(X), globals()[f"_{tool}"]
    work(np.asfortranarray(X[:50, :60]), y[:50], alphas[:3], 1e-3)  # compiles what compiles at first use
    wall, cpu, answer = [], [], (None, None)
    for _ in range(int(runs)):
        start, spent = time.perf_counter(), time.process_time()
        answer = work(X, y, alphas, float(tol))
        cpu.append(time.process_time() - spent)
        wall.append(time.perf_counter() - start)
    np.save(Path(folder) / "coefs.npy", answer[0])
    np.save(Path(folder) / "intercepts.npy", np.broadcast_to(answer[1], len(alphas)))
    print(json.dumps({"version": version(tool), "wall": wall, "cpu": cpu}))


if __name__ == "__main__":
    _main(*sys.argv[1:])
