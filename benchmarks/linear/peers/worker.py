"""Runs the tasks of one tool in that tool's own environment, on one core, keeping the data between them.

usage: python worker.py TOOL ROW_FOLDER; then one JSON object per line on standard input:
tol, mode, strict (its early stops are off), call ("run" or "audit"), runs, budget (seconds after which no further run
starts), out (a folder for the answer). One line "answer {...}" per task on standard output.
"""

import importlib
import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import scipy.sparse as sp


def load(folder):
    """The row as its tools take it: X in Fortran order or compressed columns, y, alphas, the fold of each row."""
    row = json.loads((folder / "row.json").read_text())
    home, (n, p) = Path(row["data"]), row["shape"]
    if row["sparse"]:
        parts = (("values", float), ("indices", np.int32), ("indptr", np.int32))
        X = sp.csc_matrix(tuple(np.fromfile(home / f"{part}.bin", dtype) for part, dtype in parts), shape=(n, p))
    else:
        X = np.fromfile(home / "X.bin").reshape((n, p), order="F")
    folds = np.fromfile(folder / "folds.bin", np.int32)
    y, alphas = np.fromfile(home / "y.bin"), np.fromfile(folder / "alphas.bin")
    return SimpleNamespace(X=X, y=y, alphas=alphas, folds=folds, **row)


def splits(task):
    """Pairs of training and held-out rows."""
    return [(np.flatnonzero(task.folds != k), np.flatnonzero(task.folds == k)) for k in range(task.n_folds)]


def cross_validate_by_hand(path, task, tol, mode, strict):
    """Folds and the fit on all rows for a tool without a command for it: its path on copies of the training rows."""
    scores = np.empty((len(task.alphas), task.n_folds))
    for k, (train, test) in enumerate(splits(task)):
        X, y = task.X[train], task.y[train]
        part = SimpleNamespace(**{**vars(task), "X": np.asfortranarray(X), "y": y})
        answer = path(part, tol, mode, strict)
        eta = task.X[test] @ answer["coefs"] + answer.get("intercepts", 0.0)
        scores[:, k] = held_out(task, task.y[test], eta)
    full = path(task, tol, mode, strict)
    return {**full, "scores": scores}


def held_out(task, y, eta):
    """Mean error of each column of predictors: squared, or the negative log-likelihood."""
    eta = np.asarray(eta)
    if task.loss == "squared":
        return ((y[:, None] - eta) ** 2).mean(0)
    return (np.logaddexp(0, eta) - y[:, None] * eta).mean(0)


def few(task):
    """A small task like this one, for a warm-up: compiles what compiles at first use."""
    rows = np.unique(np.concatenate([np.flatnonzero(task.folds == k)[:40] for k in range(task.n_folds)]))
    rows = rows if len(np.unique(task.y[rows])) > 1 else np.arange(len(task.y))
    X = task.X[:, :60][rows]
    X = X if sp.issparse(X) else np.asfortranarray(X)
    alphas = task.alphas[:3] if len(task.alphas) > 1 else task.alphas
    return SimpleNamespace(**{**vars(task), "X": X, "y": task.y[rows], "folds": task.folds[rows], "alphas": alphas})


def write(folder, answer, kept):
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("intercepts", "scores", "thetas"):
        if name in answer:
            np.asarray(answer[name], float).ravel(order="F").tofile(folder / f"{name}.bin")
    if "coefs" in answer:
        coefs = sp.csc_matrix(answer["coefs"])
        coefs.data.tofile(folder / "values.bin")
        coefs.indices.astype(np.int32).tofile(folder / "indices.bin")
        coefs.indptr.astype(np.int64).tofile(folder / "indptr.bin")
    kept["wrote"] = [name for name in ("coefs", "intercepts", "scores", "thetas") if name in answer]
    kept["passes"] = int(answer["passes"]) if "passes" in answer else None


def run(tool, task, asked):
    work = getattr(tool, asked["call"])
    arguments = (asked["tol"], asked["mode"], asked["strict"])
    wall, cpu, answer = [], [], {}
    while len(wall) < asked["runs"] and sum(wall) <= asked["budget"]:
        start, spent = time.perf_counter(), time.process_time()
        answer = work(task, *arguments)
        cpu.append(time.process_time() - spent)
        wall.append(time.perf_counter() - start)
    kept = {"version": tool.VERSION, "wall": wall, "cpu": cpu}
    write(Path(asked["out"]), answer, kept)
    return kept


def main():
    core = os.environ.get("BENCH_CORE")
    if core and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core)})
    sys.path.insert(0, str(Path(__file__).parent))
    tool = importlib.import_module("use_" + sys.argv[1].replace("-", "_"))
    task = load(Path(sys.argv[2]))
    warm = set()
    for line in sys.stdin:
        asked = json.loads(line)
        key = (asked["call"], asked["mode"])
        try:
            if key not in warm:
                getattr(tool, asked["call"])(few(task), 1e-3, asked["mode"], asked["strict"])
                warm.add(key)
            answer = run(tool, task, asked)
        except Exception as failure:
            answer = {"failed": f"{type(failure).__name__}: {failure}"}
        print("answer " + json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
