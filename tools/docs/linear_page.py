"""The part of the page of benchmarks on linear models, from a file per row.

usage: python tools/docs/linear_page.py (prints the table, as the README shows it)
"""

import sys
from pathlib import Path
from typing import Any

import figures

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))

from linear.records import fastest, label, own, ratio, read  # noqa: E402
from linear.rows import ROWS  # noqa: E402

CRITERIA = {
    "g": ("certified gap ≤ 1e-6", "#0072B2", "o"),
    "s": ("true error ≤ 1e-6", "#D55E00", "s"),
    "d": ("peers' defaults", "#009E73", "^"),
}
CLOCK = "cpu_seconds"
WORDS = (
    "## Linear models",
    "",
    "One thread; how many times as long as this library **the fastest peer** took, row by row. Ours is always",
    "certified: a relative duality gap of at most 1e-6 at every strength. Peers are scikit-learn, celer, skglm, glum,",
    "adelie and R's glmnet, each in its fastest mode, and by three criteria: tuned until `Problem` certifies the same",
    "gap; tuned to a true error of 1e-6 of the null model's objective at every strength, which asks far less of",
    "coordinate descent; and at their own defaults, whatever their accuracy is then. All strengths are returned by",
    "everybody. \\* marks a row on which no peer meets the criterion within its time: shown is the one that came",
    "closest. The limit is what the machine needs to read X once and to multiply what no certified path of this kind",
    "by a Gram matrix of its final support can avoid; of a sparse X, one sweep over the columns of that support where",
    "this is less, which is a weak bound. How it is measured is in the repository: `benchmarks/README.md`.",
    "",
)


def linear_section(results: Path) -> list[str]:
    """The lines of the section; none where nothing is recorded."""
    rows = _rows(results)
    if not rows:
        return []
    parts = [*WORDS, *_picture(rows), *_overview(rows), ""]
    for row in rows:
        parts += _details(row)
    return [*parts, *_absent(rows), ""]


def _rows(results: Path) -> list[dict[str, Any]]:
    """The rows in the order in which they are listed to be run."""
    found = [row for row in map(read, results.glob("*.json")) if own(row)]
    return sorted(found, key=lambda row: [*ROWS].index(row["row"]["name"]))


def _overview(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| problem | ours | over the limit | certified | true error | defaults | two threads |",
        "|---|--:|--:|---|---|---|--:|",
    ]
    for row in rows:
        ours = own(row)
        assert ours is not None
        limit, threads = row.get("limit"), row.get("threads")
        over = f"{ours[CLOCK] / limit['total']:.2g}×" if limit and ours[CLOCK] > limit["total"] else ""
        twice = f"{threads['ratio']:.2g}×{'' if threads['identical'] else ', other bits'}" if threads else ""
        cells = [row["row"]["title"], _seconds(ours[CLOCK]), over, *(_cell(row, one) for one in CRITERIA), twice]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _compared(row: dict[str, Any], criterion: str) -> tuple[float, dict[str, Any]] | None:
    """The ratio to the fastest peer, and its record."""
    times, theirs = ratio(row, criterion, CLOCK), fastest(row, criterion, CLOCK)
    return (times, theirs) if times is not None and theirs is not None else None


def _cell(row: dict[str, Any], criterion: str) -> str:
    found = _compared(row, criterion)
    if found is None:
        return ""
    times, record = found
    star = "" if record.get("reached", True) else "\\*"
    return f"**{times:.3g}×**{star} {label(record)}"


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 0.1 else f"{value * 1e3:.3g} ms"


def _details(row: dict[str, Any]) -> list[str]:
    """Every record of a row, folded."""
    ours = own(row)
    assert ours is not None
    lines = [
        f'??? note "{row["row"]["title"]}"',
        "",
        "    | tool | criterion | tolerance | seconds | over ours | gap | true error | date |",
        "    |---|---|--:|--:|--:|--:|--:|---|",
    ]
    for one in sorted(row["records"], key=lambda one: (one["criterion"], one.get(CLOCK, float("inf")))):
        name = f"{label(one)} {one.get('version') or ''}".strip()
        criterion = "default, certified" if one is ours else CRITERIA[one["criterion"]][0]
        if "refused" in one:
            lines.append(f"    | {name} | {criterion} | | {one['refused']} | | | | {one['date'][:10]} |")
            continue
        best = "" if one.get("reached", True) else ", its best"
        cells = [name, criterion + best, f"{one['tol']:.1e}", _seconds(one[CLOCK]), f"{one[CLOCK] / ours[CLOCK]:.3g}×"]
        cells += [f"{one['gap']:.1e}", f"{one['suboptimality']:.1e}", one["date"][:10]]
        lines.append(f"    | {' | '.join(cells)} |")
    return [*lines, "", f"    {ours['date'][:10]} · {_machine(row)} · 1 thread", ""]


def _machine(row: dict[str, Any]) -> str:
    machine = row["machine"]
    return f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}"


def _absent(rows: list[dict[str, Any]]) -> list[str]:
    """Why a tool is missing from rows, each reason once."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        for why in row.get("absent", {}).values():
            reasons.setdefault(why, []).append(row["row"]["name"])
    return [f"{why} (rows {', '.join(names)})  " for why, names in reasons.items()]


def _picture(rows: list[dict[str, Any]]) -> list[str]:
    """Ratios by criterion: a mark of another shape and color for each, on a logarithmic line."""

    def draw(_: Any, axes: Any) -> None:
        axes.figure.set_size_inches(7.2, 1.2 + 0.34 * len(rows))
        for criterion, (words, color, marker) in CRITERIA.items():
            found = [(place, _compared(row, criterion)) for place, row in enumerate(rows)]
            points = [(ratio[0], place) for place, ratio in found if ratio]
            axes.plot(
                *zip(*points, strict=True) if points else ([], []), marker, color=color, label=words, markersize=7
            )
        axes.axvline(1.0, color="#7a7a7a", linewidth=1, linestyle=":")
        axes.set_xscale("log")
        axes.set_yticks(range(len(rows)), [row["row"]["title"].replace("α", "a") for row in rows], fontsize="small")
        axes.invert_yaxis()
        axes.grid(axis="x", color="#cccccc", linewidth=0.5)
        axes.set_xlabel("seconds of the fastest peer over ours")
        axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3, frameon=False, fontsize="small")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)

    words = "How many times as long as this library the fastest peer took; beyond the dotted line it is slower."
    return [figures.figure_html(figures.svg(draw, None, "bench-linear"), words), ""]


if __name__ == "__main__":
    print("\n".join(_overview(_rows(BENCHMARKS / "results" / "linear"))))
