"""A tool as a process that keeps a row's data between tasks, with a time limit for each."""

import contextlib
import json
import os
import queue
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from linear.contestants import ONE_THREAD, Contestant, command
from linear.store import Task

WARM_UP = 120.0  # seconds that loading the data and compiling may take, beyond the limit of a task


@dataclass
class Answer:
    """What a tool computed: clocks of every run, and the parts that it wrote."""

    version: str
    wall: list[float]
    cpu: list[float]
    passes: int | None
    coefs: sp.csc_matrix | None = None
    intercepts: np.ndarray | None = None
    scores: np.ndarray | None = None
    thetas: np.ndarray | None = None


class Refused(RuntimeError):
    """The tool gave an error, or took longer than its limit."""


class Server:
    """A contestant at work on a row; a context manager that ends its process."""

    def __init__(self, contestant: Contestant, task: Task, threads: int = 1):
        self.contestant, self.task = contestant, task
        self.threads = {name: str(threads) for name in ONE_THREAD}
        self.process = None
        self.version: str | None = None
        self.scratch = tempfile.TemporaryDirectory()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_) -> None:
        self.stop()
        self.scratch.cleanup()

    def start(self) -> None:
        made = command(self.contestant.tool, self.task.folder)
        self.process = subprocess.Popen(
            made, env={**os.environ, **self.threads}, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.lines: queue.Queue = queue.Queue()
        threading.Thread(target=_forward, args=(self.process.stdout, self.lines), daemon=True).start()

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def ask(self, tol: float, strict: bool, call: str, runs: int, limit: float, budget: float = 30.0, **more) -> Answer:
        """Let the tool work; raises `Refused` with the reason."""
        loading = 0.0
        if self.process is None:
            self.start()
            loading = WARM_UP
        out = Path(self.scratch.name) / "answer"
        asked = {"tol": tol, "mode": self.contestant.mode, "strict": strict, "call": call, "runs": runs,
                 "budget": budget, "out": str(out), **more}  # fmt: skip
        with in_turn():
            self.process.stdin.write(json.dumps(asked) + "\n")
            self.process.stdin.flush()
            try:
                line = self.lines.get(timeout=limit + budget + loading)
            except queue.Empty:
                self.stop()
                raise Refused(f"longer than {limit:.0f} s") from None
        if line is None:
            self.stop()
            raise Refused("its process ended")
        told = json.loads(line)
        if "failed" in told:
            raise Refused(told["failed"])
        self.version = told["version"]
        return _read(out, told, self.task)


def _forward(stream, lines) -> None:
    for line in stream:
        if line.startswith("answer "):
            lines.put(line[len("answer ") :])
    lines.put(None)


def _read(out: Path, told: dict, task: Task) -> Answer:
    p, k = task.data.meta["shape"][1], len(task.alphas)
    parts = told.pop("wrote")
    answer = Answer(**told)
    if "coefs" in parts:
        narrow = out / "indptr32.bin"
        indptr = np.fromfile(narrow, np.int32) if narrow.exists() else np.fromfile(out / "indptr.bin", np.int64)
        values, indices = np.fromfile(out / "values.bin"), np.fromfile(out / "indices.bin", np.int32)
        answer.coefs = sp.csc_matrix((values, indices, indptr), shape=(p, k))
        answer.intercepts = np.fromfile(out / "intercepts.bin")
    if "scores" in parts:
        answer.scores = np.fromfile(out / "scores.bin").reshape((k, -1), order="F")
    if "curve" in parts:
        answer.scores = np.fromfile(out / "curve.bin")[:, None]
    if "thetas" in parts:
        answer.thetas = np.fromfile(out / "thetas.bin").reshape((k, -1), order="F")
    return answer


@contextlib.contextmanager
def in_turn():
    """Hold the lock file of BENCH_LOCK, where one is named: measurements on one machine take turns."""
    name = os.environ.get("BENCH_LOCK")
    if not name:
        yield
        return
    import fcntl

    with open(name, "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
