"""Data larger than memory, networks, imports, single fits and repeats beside other libraries, in one run, as ratios.

usage: python benchmarks/run.py WHAT|all [--runs N] [--out FILE]; WHAT is a key of BENCHMARKS
"""

import argparse
import datetime
import json
import platform
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import bench_blocks
import bench_compact
import bench_families
import bench_frameworks
import bench_groups
import bench_networks
import bench_patch
import bench_repeated
import bench_small
import bench_step
import bench_sweep
from linear.measuring import machine

RESULTS = Path(__file__).resolve().parent / "results"

BENCHMARKS = {
    "blocks": bench_blocks.compare,
    "small": bench_small.compare,
    "step": bench_step.compare_steps,
    "frameworks": bench_frameworks.compare,
    "networks": bench_networks.compare,
    "sweep": bench_sweep.compare_sweeps,
    "compact": bench_compact.compare,
    "repeated": bench_repeated.compare,
    "groups": bench_groups.compare,
    "families": bench_families.compare,
    "patch": bench_patch.compare,
}
TABLES = {
    "frameworks": bench_frameworks.table,
    "networks": bench_networks.table,
    "sweep": bench_sweep.table,
    "compact": bench_compact.table,
    "repeated": bench_repeated.table,
    "families": bench_families.table,
}
PACKAGES = {
    "step": ("torch",),
    "frameworks": ("jax", "keras", "optax"),
    "networks": ("torch", "torchao"),
    "sweep": ("torch",),
    "compact": ("torch",),
}


def table(records: list[dict]) -> str:
    """The records as text; a ratio above 1 says how many times slower than ours, within one problem and kind."""
    rows = [("problem", "tool", "tol", "seconds", "ratio", "max gap", "peak MB", "")]
    for r in records:
        note = f"{r['to_fused_adam']:.2f} of torch's fused Adam" if "to_fused_adam" in r else ""
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
