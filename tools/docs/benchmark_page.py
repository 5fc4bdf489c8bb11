"""The page of benchmarks, from the files that `make bench` writes."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import figures
from linear_page import linear_section

TITLES = {
    "blocks": "Data larger than memory",
    "small": "Small things",
    "repeated": "Repeated cross-validation",
    "step": "A step of an optimizer in PyTorch",
    "frameworks": "A step in Keras and in optax",
    "sweep": "Many strengths of a network",
    "compact": "Smaller networks",
    "networks": "Networks trained at equal cost",
}
HEAD = (
    "# Benchmarks",
    "",
    "Every table is of tools on the same data, on one machine. Ratios are what counts; seconds say only what machine",
    "it was. Accuracy is scored by `Problem`, which no solver has a hand in, in float64. `make bench` measures the",
    "linear models again, `make bench-networks` the rest.",
    "",
)


def _seconds(value: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def _bytes(value: float) -> str:
    return f"{value / 1e6:.3g} MB" if value >= 1e5 else f"{value / 1e3:.3g} kB"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value).replace("|", "∣")


def _share(value: float) -> str:
    return f"{value:.1%}"


def _widths(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, list) else _plain(value)


COLUMNS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "problem": ("problem", _plain),
    "seed": ("seed", _plain),
    "tool": ("tool", _plain),
    "threads": ("threads", _plain),
    "order": ("order of X", _plain),
    "tol": ("tolerance", lambda value: f"{value:.1e}"),
    "seconds": ("seconds", _seconds),
    "ratio": ("over ours", lambda value: f"{value:.3g}×"),
    "max_relative_gap": ("certified gap", lambda value: f"{value:.1e}"),
    "passes": ("passes over X", _plain),
    "peak_memory": ("memory beyond X", _bytes),
    "memory_share": ("of X", _share),
    "max_curve_difference": ("curves apart", lambda value: f"{value:.1e}"),
    "to_fused_adam": ("over torch's fused Adam", lambda value: f"{value:.3g}×"),
    "to_plain_adam": ("over plain Adam", lambda value: f"{value:.3g}×"),
    "times_faster": ("faster than the loop", lambda value: f"{value:.3g}×"),
    "trainer": ("trainer", _plain),
    "held_out_apart": ("losses apart", lambda value: f"{value:.1e}"),
    "from_float64": ("from float64", lambda value: f"{value:.1e}"),
    "bytes_before": ("size before", _bytes),
    "bytes": ("size after", _bytes),
    "shrink": ("smaller", lambda value: f"{value:.3g}×"),
    "speedup": ("faster", lambda value: f"{value:.3g}×"),
    "max_difference": ("outputs apart", lambda value: f"{value:.1e}"),
    "widths": ("widths", _widths),
    "accuracy": ("accuracy", _share),
    "dense_accuracy": ("dense, as long", _share),
    "zeros": ("exact zeros", _share),
    "refusal": ("refused because", _plain),
}
"""What a table shows of a record, where any record of the table has it."""


def benchmark_page(results: Path, readme: Path, out: Path) -> None:
    """Write the page."""
    said = _problems(readme.read_text(encoding="utf-8"))
    files = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("*.json"))}
    order = [name for name in TITLES if name in files] + [name for name in files if name not in TITLES]
    parts = [*HEAD, *linear_section(results / "linear")]
    for name in order:
        parts += _section(name, files[name], said.get(name, ""))
    out.write_text("\n".join(parts) + "\n", encoding="utf-8")


def _problems(readme: str) -> dict[str, str]:
    """What each command runs, from the table of the benchmarks' own description."""
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|$", readme, re.MULTILINE)
    return {name: text for name, text in reversed(rows)}


def _section(name: str, result: dict[str, Any], problem: str) -> list[str]:
    machine, records = result["machine"], result["records"]
    threads = sorted({record["threads"] for record in records if "threads" in record})
    versions = ", ".join(f"{package} {version}" for package, version in result["versions"].items())
    used = f"{' and '.join(map(str, threads))} thread{'' if threads == [1] else 's'}"
    facts = (
        f"{result['date'][:10]} · {machine['cpu']}, {machine['cores']} cores, {machine['system']} · {used} · "
        f"Python {result['python']} · {versions}"
    )
    parts = [f"## {TITLES.get(name, name)}", "", problem, "", *_picture(name, records)]
    if len(records) > 24:
        return [
            *parts,
            f'??? note "{len(records)} rows"',
            "",
            *(f"    {row}" for row in _table(records)),
            "",
            facts,
            "",
        ]
    return [*parts, *_table(records), "", facts, ""]


def _table(records: list[dict[str, Any]]) -> list[str]:
    """The rows; what is the same in all of them, or said of the whole run, has no column."""
    rows = [record | {"tool": f"{record['tool']} {_version(record)}".strip()} for record in records]
    shown = [key for key in COLUMNS if any(row.get(key) is not None for row in rows)]
    same = [key for key in ("threads", "order", "seed", "trainer") if len({str(row.get(key)) for row in rows}) == 1]
    return _lines(rows, [key for key in shown if key not in same])


def _version(record: dict[str, Any]) -> str:
    """The version, where the tool is a package by its name alone."""
    return str(record.get("version", "")) if " " not in record["tool"] else ""


def _lines(records: list[dict[str, Any]], shown: list[str]) -> list[str]:
    words = {"problem", "tool", "order", "trainer", "refusal"}
    rows = [f"| {' | '.join(COLUMNS[key][0] for key in shown)} |"]
    rows.append("|" + "|".join("---" if key in words else "--:" for key in shown) + "|")
    for record in records:
        cells = ["" if record.get(key) is None else COLUMNS[key][1](record[key]) for key in shown]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _picture(name: str, records: list[dict[str, Any]]) -> list[str]:
    """Bars of how many times longer the others took, where the file says it."""
    kept = [record for record in records if record.get("ratio")]
    if not kept:
        return []
    several = len({record["problem"] for record in kept}) > 1

    def label(record: dict[str, Any]) -> str:
        tol = f", tol {record['tol']:.0e}" if record.get("tol") else ""
        return f"{record['tool']}{tol}{', ' + record['problem'] if several else ''}"

    def draw(_: Any, axes: Any) -> None:
        axes.figure.set_size_inches(7.2, 0.9 + 0.36 * len(kept))
        ratios = [record["ratio"] for record in kept]
        axes.barh([label(record) for record in kept], ratios, color="#0072B2", height=0.62)
        axes.axvline(1.0, color="#7a7a7a", linewidth=1, linestyle=":")
        axes.set_xscale("log")
        low = min(0.5, *ratios)
        axes.set_xlim(0.8 * low, 2.2 * max(ratios))
        for place, record in enumerate(kept):
            axes.annotate(f" {record['ratio']:.3g}", (record["ratio"], place), va="center", fontsize="small")
        axes.invert_yaxis()
        axes.set_xlabel("times as long as shrinkage")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)

    words = "How many times as long as this library the others took; beyond the dotted line they are slower."
    return [figures.figure_html(figures.svg(draw, None, f"bench-{name}"), words), ""]
