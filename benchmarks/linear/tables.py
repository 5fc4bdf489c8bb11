"""The files of rows, and the table of ratios to the fastest peer."""

import json
from dataclasses import asdict
from pathlib import Path

from linear.measuring import machine
from linear.records import OURS, fastest, label, own, ratio, read
from linear.rows import ROWS
from linear.scoring import reference
from linear.store import Task


class RowFile:
    """A row's JSON file: what the problem is, and one record per tool, mode and criterion."""

    def __init__(self, where: Path, task: Task):
        self.where = where
        found = read(where) if where.exists() else {"records": []}
        exact = reference(task)
        facts = {"shape": task.data.meta["shape"], "nnz": task.data.meta["nnz"], "support": exact.support}
        self.content = {"row": asdict(task.row), **facts, "reference_gap": exact.gap, "machine": machine(),
                        "records": found["records"], **{k: v for k, v in found.items() if k in KEPT}}  # fmt: skip

    @property
    def records(self) -> list[dict]:
        return self.content["records"]

    def merge(self, record: dict) -> None:
        """Put a record in the place of an older one of the same tool, mode and criterion, and save."""
        key = ("tool", "mode", "criterion")
        others = [old for old in self.records if any(old[name] != record[name] for name in key)]
        self.content["records"] = [*others, record]
        self.save()

    def fastest_seconds(self, criterion: str) -> float | None:
        """Seconds of the fastest peer that meets a criterion; None where none does yet."""
        found = fastest(self.content, criterion)
        return found["cpu_seconds"] if found and found.get("reached", True) else None

    def put(self, name: str, value) -> None:
        self.content[name] = value
        self.save()

    def save(self) -> None:
        self.where.parent.mkdir(parents=True, exist_ok=True)
        self.where.write_text(json.dumps(self.content, indent=1) + "\n")


KEPT = ("absent", "limit", "threads", "memory")


def summary(contents: list[dict], clock: str = "cpu_seconds") -> str:
    """A line per row: our seconds, and by each criterion the fastest peer, its seconds, the ratio and the bar."""
    head = ("row", "ours", "limit ×", "(g) fastest", "×", "bar", "(s) fastest", "×", "bar", "(d) fastest", "×", "bar")
    lines, notes = [head], []
    for content in contents:
        mine = own(content)
        if mine is None:
            continue
        over = f"{mine[clock] / content['limit']['total']:.3g}" if "limit" in content else ""
        cells = [content["row"]["name"], f"{mine[clock]:.4g}", over]
        for criterion in "gsd":
            cells += _cells(content, criterion, clock)
        lines.append(tuple(cells))
        notes += _notes(content)
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join([*table, "", *notes])


def _notes(content: dict) -> list[str]:
    """What concerns only this library: two threads, memory, folds in units of a path."""
    name, found = content["row"]["name"], []
    mine, threads = own(content), content.get("threads")
    if mine and mine.get("path_seconds"):
        found.append(f"{name}: cross-validation {mine['cpu_seconds'] / mine['path_seconds']:.3g} times one path")
    for other in content["records"]:
        if other["tool"] == OURS and other["mode"]:
            found.append(f"{name}: {other['mode']} {other['cpu_seconds']:.4g} s")
    if threads:
        bits = "identical" if threads["identical"] else "DIFFERENT"
        found.append(f"{name}: two threads {threads['ratio']:.3g} times one, {bits} bits{_taken(threads)}")
    found += [f"{name}: {m['share']:.3g} of X beyond X, {m['dtype']} {m['order']}" for m in content.get("memory", ())]
    return found


def _taken(threads: dict) -> str:
    """Where others had the processors, the ratio is not the library's: say so."""
    stolen = threads.get("stolen", 0.0)
    if stolen <= 0.02:
        return ""
    return f" (best turn {threads['best']:.3g}; the host took {100 * stolen:.0f} % of both processors)"


def _cells(content: dict, criterion: str, clock: str) -> list[str]:
    theirs, times = fastest(content, criterion, clock), ratio(content, criterion, clock)
    bar = ROWS[content["row"]["name"]].bars.get(criterion)
    if theirs is None:
        return ["", "", f"{bar:g}" if bar else ""]
    best = "" if theirs.get("reached", True) else " (its best)"
    met = "" if bar is None or times is None or times >= bar else " !"
    return [
        f"{label(theirs)} {theirs[clock]:.3g}{best}",
        f"{times:.3g}{met}" if times else "",
        f"{bar:g}" if bar else "",
    ]
