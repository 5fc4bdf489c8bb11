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
STATISTICS = Path("/proc/stat")
MEMORY_ROWS = ("a", "b")
LAYOUTS = (("C", "float64"), ("F", "float64"), ("F", "float32"), ("C", "float32"))


def two_threads(task: Task, runs: int = 5) -> dict:
    """Wall seconds with one and with two threads in turns, their ratio, and whether the answers have the same bits.

    The ratio is the median over the turns. `stolen` is the share of two processors' time, during the runs with two
    threads, that the host of a virtual machine gave to others: where it is not near 0, there were no two processors.
    """
    wall, bits, stolen = {1: [], 2: []}, {}, []
    with Server(Contestant(OURS), task, 1) as single, Server(Contestant(OURS), task, 2) as double:
        for turn in range(runs + 1):
            for threads, server in ((1, single), (2, double)):
                before = _stolen_seconds()
                answer = server.ask(DEFAULT_TOL[OURS], True, "run", 1, 300.0, 20.0)
                bits[threads] = _digest(answer)
                if turn:  # the first one warms up
                    wall[threads] += answer.wall
                    if threads == 2:
                        stolen.append((_stolen_seconds() - before) / (2 * sum(answer.wall)))
    ratios = [one / two for one, two in zip(wall[1], wall[2], strict=True)]
    return {"one": median(wall[1]), "two": median(wall[2]), "ratio": median(ratios), "best": max(ratios),
            "stolen": median(stolen), "identical": bits[1] == bits[2]}  # fmt: skip


def _stolen_seconds() -> float:
    """Processor time that the host of a virtual machine has given to others; 0 where the system does not say."""
    if not STATISTICS.exists():
        return 0.0
    total = next(line for line in STATISTICS.read_text().splitlines() if line.startswith("cpu "))
    return int(total.split()[8]) / os.sysconf("SC_CLK_TCK")


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
