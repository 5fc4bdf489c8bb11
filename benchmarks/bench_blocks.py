"""A tall file larger than its share of memory: seconds and peak anonymous memory of a path and a cross-validation.

usage: python bench_blocks.py [--rows N] [--columns P] [--folder FOLDER] [--keep]

Writes a .npy file of N x P float64 (8 GB by default) and deletes it in the end. Each measurement is a process with one
thread. Anonymous memory (RssAnon of /proc/self/status) is what the system cannot take back without swapping;
pages of the file, which it can, are not part of it. Prints records as JSON.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import version
from pathlib import Path

BLOCK = 20_000
FOLDS = 10
BAR = 1 << 30
"""Bytes of anonymous memory that no measurement may reach."""


def compare(rows: int = 2_000_000, columns: int = 500, folder: str | None = None, keep: bool = False) -> list[dict]:
    """Records of every measurement on one file."""
    import tools

    made, records = tempfile.mkdtemp(dir=folder, prefix="blocks-"), []
    try:
        write(Path(made), rows, columns)
        for arm in MEASURED:
            command = [sys.executable, str(Path(__file__).resolve()), "--measure", arm, "--folder", made]
            done = subprocess.run(command, env={**os.environ, **tools.ONE_THREAD}, stdout=subprocess.PIPE, check=True)
            records.append({**json.loads(done.stdout), "rows": rows, "columns": columns})
    finally:
        if not keep:
            shutil.rmtree(made)
    return records


def write(folder: Path, rows: int, columns: int) -> None:
    """X.npy and y.npy: columns of unlike means and scales, of which every fifth says something of y."""
    import numpy as np

    rng = np.random.default_rng(0)
    weights = np.where(np.arange(columns) % 5, 0.0, rng.standard_normal(columns))
    scales, means = rng.uniform(0.5, 2, columns), rng.uniform(-5, 5, columns)
    X = np.lib.format.open_memmap(folder / "X.npy", mode="w+", dtype=np.float64, shape=(rows, columns))
    y = np.empty(rows)
    for start in range(0, rows, BLOCK):
        block = rng.standard_normal((min(BLOCK, rows - start), columns)) * scales + means
        X[start : start + len(block)] = block
        y[start : start + len(block)] = block @ weights + 10 * rng.standard_normal(len(block))
    X.flush()
    np.save(folder / "y.npy", y)


class PeakAnonymous:
    """The largest RssAnon of this process while the context lasts, in bytes."""

    def __enter__(self) -> "PeakAnonymous":
        self.peak, self._over = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.01):
            self.peak = max(self.peak, anonymous())


def anonymous() -> int:
    """RssAnon in bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) << 10


def read_only(X, y):
    """The physical limit's first part: every byte is read once."""
    return sum(float(values.sum()) for _, _, values in X.blocks("reading"))


def one_path(X, y):
    from shrinkage import path

    return path(X, y).relative_gaps.max()


def folds(X, y):
    from shrinkage import cross_validate

    found = cross_validate(X, y, cv=FOLDS)
    return max(found.fold_gaps.max(), found.path.relative_gaps.max())


MEASURED = {"read": read_only, "path": one_path, "10-fold cross_validate": folds}


def measure(arm: str, folder: Path) -> dict:
    """One record: seconds, peak anonymous memory and the worst relative gap."""
    import numpy as np

    from shrinkage import open_blocks

    X, y = open_blocks(folder / "X.npy"), np.load(folder / "y.npy")
    with PeakAnonymous() as memory:
        began = time.perf_counter(), time.process_time()
        worst = MEASURED[arm](X, y)
        seconds, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
    return {
        "problem": "blocks",
        "arm": arm,
        "version": version("shrinkage"),
        "seconds": seconds,
        "cpu_seconds": cpu,
        "readings": X.readings,
        "file_bytes": (folder / "X.npy").stat().st_size,
        "peak_anonymous_bytes": memory.peak,
        "within_bar": memory.peak < BAR,
        "max_relative_gap": None if arm == "read" else float(worst),
    }


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--columns", type=int, default=500)
    parser.add_argument("--folder")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--measure", choices=list(MEASURED), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure, Path(given.folder))))
    else:
        print(json.dumps(compare(given.rows, given.columns, given.folder, given.keep), indent=1))


if __name__ == "__main__":
    main()
