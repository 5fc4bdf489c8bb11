"""What only concerns this library: a second thread, and memory beyond X."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from linear.contestants import DEFAULT_TOL, ONE_THREAD, OURS, Contestant
from linear.serving import Answer, Server, in_turn
from linear.store import Task

HERE = Path(__file__).resolve().parent
MEMORY_ROWS = ("a", "b")
LAYOUTS = (("C", "float64"), ("F", "float64"), ("F", "float32"), ("C", "float32"))


def two_threads(task: Task, runs: int = 5) -> dict:
    """Wall seconds with one and with two threads, their ratio, and whether the bits of the answers are the same."""
    seconds, bits = [], []
    for threads in (1, 2):
        with Server(Contestant(OURS), task, threads) as server:
            answer = server.ask(DEFAULT_TOL[OURS], True, "run", runs, 300.0, 20.0)
        seconds.append(median(answer.wall))
        bits.append(_digest(answer))
    return {"one": seconds[0], "two": seconds[1], "ratio": seconds[0] / seconds[1], "identical": bits[0] == bits[1]}


def _digest(answer: Answer) -> str:
    parts = (answer.coefs.data, answer.coefs.indices, answer.coefs.indptr, answer.intercepts)
    held = hashlib.sha256()
    for part in (*parts, *(() if answer.scores is None else (answer.scores,))):
        held.update(part.tobytes())
    return held.hexdigest()


def memory(task: Task) -> list[dict]:
    """Peak resident bytes of a path beyond the process with X loaded and a warm-up fit done; share of X in float64."""
    found = []
    n, p = task.data.meta["shape"]
    for order, dtype in LAYOUTS:
        asked = [sys.executable, str(HERE / "peers" / "memory.py"), str(task.folder), order, dtype]
        alone = {**os.environ, **dict.fromkeys(ONE_THREAD, "1")}
        with in_turn():
            done = subprocess.run(asked, env=alone, capture_output=True, text=True, check=True)
        peak = json.loads(done.stdout.splitlines()[-1])
        found.append({"order": order, "dtype": dtype, "bytes": peak, "share": peak and peak / (8.0 * n * p)})
    return found
