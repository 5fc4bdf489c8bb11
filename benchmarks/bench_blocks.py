"""A tall file larger than its share of memory: seconds and peak anonymous memory of a path and a cross-validation.

usage: python bench_blocks.py [--rows N] [--columns P] [--folder FOLDER] [--keep], or run.py blocks

Writes a .npy file of N x P float64 and deletes it in the end: 1.2 GB, more than the memory that no measurement may
take; 8 GB with BENCH_BLOCKS=full. Each measurement is a process with one thread. Anonymous memory (RssAnon of
/proc/self/status) is what the system cannot take back without swapping; pages of the file, which it can, are not part
of it. Prints records as JSON.
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
COLUMNS = 500
ROWS = 2_000_000 if os.environ.get("BENCH_BLOCKS") == "full" else 300_000


def compare(runs: int = 1) -> list[dict]:
    """A path and ten folds on a file larger than the memory they may take."""
    del runs  # what memory they need does not vary, and minutes are spent
    records = compare_file(ROWS, COLUMNS)
    if any(record["peak_memory"] >= BAR for record in records):
        raise SystemExit(f"more than {BAR / 1e9:.3g} GB of anonymous memory: {json.dumps(records, indent=1)}")
    return records


def compare_file(rows: int, columns: int, folder: str | None = None, keep: bool = False) -> list[dict]:
    """Records of every measurement on one file."""
    import tools

    made, records = tempfile.mkdtemp(dir=folder, prefix="blocks-"), []
    try:
        write(Path(made), rows, columns)
        for arm in MEASURED:
            command = [sys.executable, str(Path(__file__).resolve()), "--measure", arm, "--folder", made]
            done = subprocess.run(command, env={**os.environ, **tools.ONE_THREAD}, stdout=subprocess.PIPE, check=True)
            records.append(json.loads(done.stdout))
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
    size = (folder / "X.npy").stat().st_size
    return {
        "problem": f"{X.shape[0]:,} x {X.shape[1]:,}, {size / 1e9:.3g} GB",
        "kind": arm,
        "tool": f"shrinkage {arm}",
        "version": version("shrinkage"),
        "threads": 1,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "passes": X.readings,
        "peak_memory": memory.peak,
        "memory_share": memory.peak / size,
        "max_relative_gap": None if arm == "read" else float(worst),
    }


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--columns", type=int, default=COLUMNS)
    parser.add_argument("--folder")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--measure", choices=list(MEASURED), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure, Path(given.folder))))
    else:
        print(json.dumps(compare_file(given.rows, given.columns, given.folder, given.keep), indent=1))


if __name__ == "__main__":
    main()
