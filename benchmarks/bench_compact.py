"""Networks made smaller: architectures with dead features, and digits after a group lasso beside dense training."""

import sys
from importlib.metadata import version
from pathlib import Path
from statistics import mean, stdev

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))  # its networks are what the tests take apart too

SEEDS = range(5)
SECONDS = 1.0


def compare(runs: int) -> list[dict]:
    """Bytes, latency and difference of outputs on many architectures, and on digits after a group lasso."""
    import torch

    torch.set_num_threads(1)
    return architectures(SECONDS * runs / 3) + [digits(seed) for seed in SEEDS]


def architectures(seconds: float) -> list[dict]:
    """Every architecture of the tests with 60 % of its rows dead."""
    import compact_networks

    from shrinkage.torch._compact import compact

    found = []
    for name, case in compact_networks.CASES.items():
        model, example = compact_networks.with_dead_features(case)
        found.append(_record(name, "architecture", compact(model, example, seconds=seconds).report))
    return found


def digits(seed: int) -> dict:
    """One seed: bytes and latency of what `compact` made of a group lasso, and accuracies beside dense training."""
    import compact_networks

    from shrinkage.torch._compact import compact

    run = compact_networks.lasso_then_refit(seed, lambda model, X: compact(model, X, seconds=SECONDS))
    return {**_record("digits 64-256-128-10", "digits", run.compacted.report), **run.figures, "seed": seed}


def _record(problem: str, kind: str, report) -> dict:
    return {
        "problem": problem,
        "kind": kind,
        "tool": "shrinkage",
        "version": version("shrinkage"),
        "threads": 1,
        "bytes_before": report.bytes_before,
        "bytes": report.bytes,
        "shrink": report.shrink,
        "latency_before": report.latency_before,
        "latency": report.latency,
        "speedup": report.speedup,
        "max_difference": report.max_difference,
        "refusal": report.refusal,
        "rewritten": report.rewritten,
    }


def table(records: list[dict]) -> str:
    """The records as tables in Markdown."""
    lines = ["", "| network | bytes | times fewer | times faster | outputs apart |", "|---|---|---|---|---|"]
    for r in records:
        if r["kind"] == "architecture":
            gain = (
                "refused | | "
                if r["refusal"]
                else f"{r['shrink']:.2f} | {r['speedup']:.2f} | {r['max_difference']:.0e}"
            )
            lines.append(f"| {r['problem']} | {r['bytes_before']:,} -> {r['bytes']:,} | {gain} |")
    rows = [r for r in records if r["kind"] == "digits"]
    lines += [
        "",
        "| digits, seed | neurons left | times fewer bytes | times faster | accuracy | dense |",
        "|---|---|---|---|---|---|",
    ]
    for r in rows:
        neurons = ", ".join(map(str, r["widths"]))
        lines.append(
            f"| {r['seed']} | {neurons} | {r['shrink']:.2f} | {r['speedup']:.2f} "
            f"| {100 * r['accuracy']:.1f} % | {100 * r['dense_accuracy']:.1f} % |"
        )
    if len(rows) > 1:
        apart = [100 * (r["accuracy"] - r["dense_accuracy"]) for r in rows]
        error = stdev(apart) / len(apart) ** 0.5
        lines.append(f"\nmean difference of accuracy {mean(apart):+.2f} points, standard error {error:.2f}")
    return "\n".join(lines)
