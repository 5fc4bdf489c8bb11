"""The tools beside each other: each in its own pinned environment, called as a process on one core with one thread."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

HERE = Path(__file__).resolve().parent
PINNED = {
    "celer": ["celer==0.7.4", "scikit-learn==1.9.1"],
    "skglm": ["skglm==0.5", "scikit-learn==1.9.1"],
    "scikit-learn": ["scikit-learn==1.9.1"],
}
OURS = "shrinkage"
# What each estimator of these tools takes by default.
DEFAULT_TOL = {"celer": 1e-4, "skglm": 1e-4, "scikit-learn": 1e-4, OURS: 1e-6}
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB")}


def interpreter(tool: str) -> str:
    """The Python of a tool's environment, which is made the first time."""
    if tool == OURS:
        return sys.executable
    home = HERE / ".envs" / tool
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = " ".join(PINNED[tool])
    done = home / "installed"
    if not done.exists() or done.read_text() != wanted:
        print(f"making the environment of {wanted} ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PINNED[tool]], check=True)
        done.write_text(wanted)
    return str(python)


def measure(tool, kind, data, tol, runs, order="F", budget=120.0, limit=900.0):
    """One record of README.md's schema, and what the tool computed; None where it took longer than `limit` seconds."""
    with tempfile.TemporaryDirectory() as scratch:
        out, task = Path(scratch) / "out.npz", Path(scratch) / "task.json"
        asked = {"tool": tool, "kind": kind, "data": str(data.folder), "order": order, "tol": tol, "runs": runs}
        task.write_text(json.dumps({**asked, "budget": budget, "out": str(out)}))
        command = [interpreter(tool), str(HERE / "peers" / "worker.py"), str(task)]
        try:
            done = subprocess.run(
                command, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True, timeout=limit, check=False
            )
        except subprocess.TimeoutExpired:
            return None
        if done.returncode:
            raise RuntimeError(f"{tool} failed:\n{done.stderr}")
        with np.load(out) as stored:
            answer = {name: stored[name] for name in stored.files}
    measured = json.loads(done.stdout.splitlines()[-1])
    record = {
        "problem": data.name,
        "kind": kind,
        "order": order,
        "tool": tool,
        "version": measured["version"],
        "threads": 1,
        "tol": tol,
        "default_tol": tol == DEFAULT_TOL[tool],
        "seconds": median(measured["seconds_all"]),
        "seconds_all": measured["seconds_all"],
        "max_relative_gap": largest_gap(data, answer),
        "peak_memory": measured["peak_memory"],
    }
    if "passes" in answer:
        record["passes"] = int(answer["passes"])
    return record, answer


def largest_gap(data, answer) -> float:
    """Largest relative duality gap of the coefficients that a tool returned."""
    coefs = answer["coefs"]
    alphas = data.alphas if coefs.shape[1] == len(data.alphas) else np.atleast_1d(answer.get("alpha", data.alphas[-1]))
    intercepts = answer.get("intercepts", np.atleast_1d(answer.get("intercept", np.zeros(len(alphas)))))
    return float(data.relative_gaps(coefs, intercepts, alphas).max())


def tuned(tool, kind, data, target, runs, limit=900.0):
    """Records at the default tolerance and at the loosest one whose certified gap reaches the target.

    The tolerance falls by tenths until it does, then goes back half a step if that is enough. Where no tolerance is,
    the record with the smallest gap stands, with `reached` false.
    """

    def attempt(tol):
        found = measure(tool, kind, data, tol, 1, limit=limit)
        if found is not None:
            gap, seconds = found[0]["max_relative_gap"], found[0]["seconds"]
            print(f"  {tool} tol {tol:.1e}: gap {gap:.1e}, {seconds:.2f} s", file=sys.stderr)
        return found and found[0]

    tol = DEFAULT_TOL[tool]
    default, _ = measure(tool, kind, data, tol, runs, limit=limit)
    best = default
    while best["max_relative_gap"] > target and tol > 1e-15:
        tol /= 10
        tried = attempt(tol)
        if tried is None:
            break
        if tried["max_relative_gap"] < best["max_relative_gap"]:
            best = tried
    if default["max_relative_gap"] > target >= best["max_relative_gap"]:
        halfway = attempt(best["tol"] * 10**0.5)
        if halfway and halfway["max_relative_gap"] <= target and halfway["seconds"] < best["seconds"]:
            best = halfway
    if best is not default and runs > 1 and best["seconds"] < limit / runs:
        best, _ = measure(tool, kind, data, best["tol"], runs, limit=limit)
    return default, {**best, "target_gap": target, "reached": best["max_relative_gap"] <= target}
