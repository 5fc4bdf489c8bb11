"""Speed, accuracy and memory beside other libraries, in one run, as ratios.

usage: python benchmarks/run.py WHAT|all [--runs N] [--out FILE]; WHAT is a key of BENCHMARKS
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np

import bench_compact
import bench_frameworks
import bench_networks
import bench_repeated
import bench_step
import bench_sweep
import problems
import tools

RESULTS = Path(__file__).resolve().parent / "results"
TARGET_GAP = 1e-6
PEERS = list(tools.PINNED)


def compare_paths(runs: int) -> list[dict]:
    """100 strengths to alpha_max/100, dense 500 x 20,000: at equal certified gap, and at everybody's default."""
    data = problems.MAKE["wide"]()
    ours, _ = tools.measure(tools.OURS, "path", data, tools.DEFAULT_TOL[tools.OURS], max(runs, 5))
    records = [{**ours, "target_gap": TARGET_GAP, "reached": ours["max_relative_gap"] <= TARGET_GAP}]
    for tool in PEERS:
        default, equal = tools.tuned(tool, "path", data, TARGET_GAP, runs)
        records += [{**default, "ratio": default["seconds"] / ours["seconds"]}]
        records += [{**equal, "ratio": equal["seconds"] / ours["seconds"]}]
    return records


def compare_cross_validation(runs: int) -> list[dict]:
    """10 unshuffled folds of 100 strengths, and the fit on all rows; scikit-learn at the same tol, 1e-6."""
    records = []
    for name in ("cv-diabetes", "cv-wide"):
        data = problems.MAKE[name]()
        quick = name == "cv-diabetes"
        ours, our_answer = tools.measure(tools.OURS, "cv", data, 1e-6, 20 * runs if quick else max(runs, 5))
        peer, answer = tools.measure("scikit-learn", "cv", data, 1e-6, runs if quick else 1, limit=3000.0)
        mean, our_mean = answer["scores"].mean(axis=1), our_answer["scores"].mean(axis=1)
        apart = float(np.abs(mean / our_mean - 1).max())
        records += [ours, {**peer, "ratio": peer["seconds"] / ours["seconds"], "max_curve_difference": apart}]
    return records


def compare_small(runs: int) -> list[dict]:
    """What a user waits for on small things: the import, and 200 single Lasso fits of 100 x 20."""
    return _imports(5 * runs) + _single_fits(runs)


def _imports(runs: int) -> list[dict]:
    modules = {tools.OURS: "shrinkage", "scikit-learn": "sklearn.linear_model"}
    taken = {tool: [] for tool in modules}
    for _ in range(runs + 1):
        for tool, module in modules.items():
            code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
            alone = {**os.environ, **tools.ONE_THREAD}
            printed = subprocess.run([sys.executable, "-c", code], env=alone, stdout=subprocess.PIPE, check=True)
            taken[tool].append(float(printed.stdout))
    records = [
        {"problem": "import", "kind": "import", "tool": tool, "version": version(tool), "threads": 1,
         "seconds": median(seconds[1:]), "seconds_all": seconds[1:], "max_relative_gap": None, "peak_memory": None}
        for tool, seconds in taken.items()
    ]  # fmt: skip
    records[1]["ratio"] = records[1]["seconds"] / records[0]["seconds"]
    return records


def _single_fits(runs: int) -> list[dict]:
    data = problems.MAKE["small"]()
    rounds = [
        [tools.measure(tool, "fit", data, tools.DEFAULT_TOL[tool], 5)[0] for tool in (tools.OURS, "scikit-learn")]
        for _ in range(runs)
    ]
    records = []
    for several in zip(*rounds, strict=True):
        seconds = [second / 200 for record in several for second in record["seconds_all"]]
        records.append({**several[0], "seconds": median(seconds), "seconds_all": seconds})
    records[1]["ratio"] = records[1]["seconds"] / records[0]["seconds"]
    return records


def compare_memory(runs: int) -> list[dict]:
    """Memory of the path beyond the process with X loaded, as a share of X, in both orders of X."""
    data = problems.MAKE["wide"]()
    records = []
    for order in ("F", "C"):
        record, _ = tools.measure(tools.OURS, "path", data, tools.DEFAULT_TOL[tools.OURS], 1, order=order)
        share = record["peak_memory"] and record["peak_memory"] / data.X.nbytes
        records.append({**record, "data_memory": data.X.nbytes, "memory_share": share})
    return records


BENCHMARKS = {
    "path": compare_paths,
    "cv": compare_cross_validation,
    "small": compare_small,
    "memory": compare_memory,
    "step": bench_step.compare_steps,
    "frameworks": bench_frameworks.compare,
    "networks": bench_networks.compare,
    "sweep": bench_sweep.compare_sweeps,
    "compact": bench_compact.compare,
    "repeated": bench_repeated.compare,
}
TABLES = {
    "frameworks": bench_frameworks.table,
    "networks": bench_networks.table,
    "sweep": bench_sweep.table,
    "compact": bench_compact.table,
    "repeated": bench_repeated.table,
}
PACKAGES = {
    "step": ("torch",),
    "frameworks": ("jax", "keras", "optax"),
    "networks": ("torch", "torchao"),
    "sweep": ("torch",),
    "compact": ("torch",),
}


def machine() -> dict:
    """What the figures were taken on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        cpu = platform.processor()
    return {"cpu": cpu, "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}"}


def table(records: list[dict]) -> str:
    """The records as text; a ratio above 1 says how many times slower than ours, within one problem and kind."""
    rows = [("problem", "tool", "tol", "seconds", "ratio", "max gap", "peak MB", "")]
    for r in records:
        note = "" if r.get("reached", True) else "its best"
        note += f"{r['passes']} passes" if "passes" in r else ""
        note += f"curve apart {r['max_curve_difference']:.1e}" if "max_curve_difference" in r else ""
        note += f", {r['memory_share']:.2f} of X, order {r['order']}" if r.get("memory_share") else ""
        note += f"{r['to_fused_adam']:.2f} of torch's fused Adam" if "to_fused_adam" in r else ""
        cells = {
            "problem": r["problem"],
            "tool": f"{r['tool']} {r['version']}",
            "tol": f"{r['tol']:.0e}" if "tol" in r else "",
            "seconds": f"{r['seconds']:.3g}",
            "ratio": f"{r['ratio']:.3g}" if "ratio" in r else "",
            "gap": f"{r['max_relative_gap']:.1e}" if r["max_relative_gap"] is not None else "",
            "peak": f"{r['peak_memory'] / 1e6:.0f}" if r["peak_memory"] is not None else "",
        }
        rows.append((*cells.values(), note))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=[*BENCHMARKS, "all"])
    parser.add_argument("--runs", type=int, default=3, help="runs whose median counts; slow peers get fewer")
    parser.add_argument("--out", type=Path, default=None, help="JSON file (default: benchmarks/results/WHAT.json)")
    asked = parser.parse_args()
    for what in BENCHMARKS if asked.what == "all" else [asked.what]:
        records = BENCHMARKS[what](asked.runs)
        stamp = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        packages = ("shrinkage", "numpy", "scipy", "scikit-learn", *PACKAGES.get(what, ()))
        versions = {name: version(name) for name in packages if find_spec(name.replace("scikit-learn", "sklearn"))}
        found = {"benchmark": what, "date": stamp, "machine": machine(), "python": platform.python_version()}
        out = asked.out or RESULTS / f"{what}.json"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps({**found, "versions": versions, "records": records}, indent=1) + "\n")
        print(f"{what}: {BENCHMARKS[what].__doc__}\n{TABLES.get(what, table)(records)}\n", flush=True)


if __name__ == "__main__":
    main()
