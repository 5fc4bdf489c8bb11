"""The page about the training of a network: what a penalty did, how weights decay."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from shrinkage._errors import ArgumentError
from shrinkage.report._page import notes, pairs, section, table
from shrinkage.report._picture import picture
from shrinkage.training import DecayReport, DecayRow, Report, ReportRow

FIRST_ROWS = 60
MINUS = "−"


def is_training(subject: Any) -> bool:
    """Say whether a subject is a report, a decay report, or a sequence of these."""
    return isinstance(subject, (Report, DecayReport, list, tuple))


def training_page(subject: Any) -> tuple[str, str, list[str]]:
    """Title, first sentence and sections of the page about reports, decay reports or a training history of both."""
    history, decay = _sorted(subject)
    sections, leads = [], []
    if history:
        last = history[-1][1]
        leads.append(f"{last.headline}.")
        sections += _report_sections(history, last)
    if decay is not None:
        leads.append(f"{decay.headline}.")
        sections += _decay_sections(decay)
    return ("Penalty report" if history else "Decay report"), " ".join(leads), sections


def _sorted(subject: Any) -> tuple[list[tuple[float | None, Report]], DecayReport | None]:
    """The reports, with steps where they were given, and the last decay report."""
    items = [subject] if isinstance(subject, (Report, DecayReport)) else list(subject)
    if (
        items
        and isinstance(subject, tuple)
        and isinstance(subject[-1], Report)
        and isinstance(subject[0], (int, float))
    ):
        items = [subject]  # one (step, Report)
    history, decay = [], None
    for item in items:
        step, record = item if isinstance(item, tuple) else (None, item)
        if isinstance(record, DecayReport):
            decay = record
        elif isinstance(record, Report):
            history.append((step, record))
        else:
            raise ArgumentError(f"a training history holds Report and DecayReport; got {type(record).__name__}")
    if not history and decay is None:
        raise ArgumentError("a training history must hold at least one Report or DecayReport; got none")
    return history, decay


def _report_sections(history: list[tuple[float | None, Report]], last: Report) -> list[str]:
    sections = [notes(tuple(alarm.sentence for alarm in last.alarms) + last.notes)]
    if len(history) > 1:
        reports = [record if step is None else (step, record) for step, record in history]
        sections.append(section("Zeros over training", picture("sparsity", reports=reports)))
    if last.rows:
        sections.append(section("Zeros", picture("sparsity", reports=last)))
        sections.append(section("Parameters", _report_table(last.rows, last.total)))
        sections.append(section("By role", _report_table(last.by_role(), None, sums=True)))
    if len({row.group for row in last.rows}) > 1:
        sections.append(section("By parameter group", _report_table(last.by_group(), None, sums=True)))
    known = (("Optimizer", last.optimizer), ("Steps taken", last.step), ("Steps per epoch", last.steps_per_epoch))
    sections.append(section("Training", pairs(tuple((key, f"{value}") for key, value in known if value is not None))))
    return sections


def _decay_sections(report: DecayReport) -> list[str]:
    sections = [notes(tuple(alarm.sentence for alarm in report.alarms) + report.notes)]
    if any(row.decays and row.quantiles and max(row.quantiles) > 0 for row in report.rows):
        sections.append(section("Decay per step", picture("decay", report=report)))
    head, cells = _decay_cells(report.steps_per_epoch)
    if report.rows:
        sections.append(section("Decay", _folded(head, [[cell(row) for cell in cells] for row in report.rows], None)))
    return sections


def _number(value: float | None, digits: int = 3) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.{digits}g}".replace("-", MINUS)


def _percent(share: float | None) -> str:
    if share is None:
        return ""
    digits = 1 if 0.0005 <= share <= 0.9995 or share in (0.0, 1.0) else 3
    return f"{100.0 * share:.{digits}f}&nbsp;%"


def _part(part: int | None, whole: int | None) -> str:
    return "" if not whole else f"{part or 0:,} of {whole:,}"


_REPORT_CELLS: dict[str, Callable[[ReportRow], str]] = {
    "parameter": lambda r: escape(r.name),
    "role": lambda r: escape(r.role),
    "decided by": lambda r: escape(r.rule),
    "penalty": lambda r: escape(r.penalty or ""),
    "strength": lambda r: _number(r.strength, 6),
    "lr&nbsp;·&nbsp;strength": lambda r: _number(r.lr_strength),
    "weights": lambda r: f"{r.size:,}",
    "zeros": lambda r: _percent(r.zero_share),
    "zero rows": lambda r: _part(r.zero_rows, r.rows),
    "zero columns": lambda r: _part(r.zero_columns, r.columns),
    "dead neurons": lambda r: _part(r.dead_neurons, r.neurons),
    "norm": lambda r: _number(r.norm),
    "change": lambda r: "" if r.norm_change is None else f"{100 * r.norm_change:+.1f}&nbsp;%",
    "new zeros": lambda r: "" if r.zeros_change is None else f"{r.zeros_change:+,}",
    "penalty's share of the step": lambda r: _percent(r.penalty_share),
    "KKT at zeros": lambda r: _number(r.kkt_zero),
    "KKT elsewhere": lambda r: _number(r.kkt_nonzero),
    "lost to rounding": lambda r: _percent(r.lost_share),
}


def _report_table(rows: Sequence[ReportRow], total: ReportRow | None, sums: bool = False) -> str:
    """One line per row; of `sums` over several parameters, only what has a meaning there."""
    shown = [*rows, total] if total is not None else list(rows)
    columns = {head: [cell(row) for row in shown] for head, cell in _REPORT_CELLS.items()}
    if sums:
        columns = {"": columns["parameter"], **{head: columns[head] for head in list(columns)[5:]}}
    said = {head: cells for head, cells in columns.items() if any(cells)}
    lines = [list(cells) for cells in zip(*said.values(), strict=True)]
    last = lines.pop() if total is not None else None
    return _folded(list(said), lines, last)


def _decay_cells(steps_per_epoch: float | None) -> tuple[list[str], list[Callable[[DecayRow], str]]]:
    def quantile(place: int) -> Callable[[DecayRow], str]:
        return lambda row: _number(row.quantiles[place]) if row.quantiles and row.decays else ""

    cells: dict[str, Callable[[DecayRow], str]] = {
        "parameter": lambda r: escape(r.name),
        "role": lambda r: escape(r.role),
        "decay": lambda r: escape(r.how or ("unknown" if r.group is not None else "")),
        "weight_decay": lambda r: _number(r.weight_decay),
        "lr&nbsp;·&nbsp;weight_decay": lambda r: _number(r.pure),
        "5&nbsp;%": quantile(0),
        "25&nbsp;%": quantile(1),
        "median": quantile(2),
        "75&nbsp;%": quantile(3),
        "95&nbsp;%": quantile(4),
        "timescale in steps": lambda r: _number(r.timescale) if r.decays else "",
        "lost to rounding": lambda r: _percent(r.lost_share) if r.lost else "",
        "rows without gradient": lambda r: _part(r.idle_rows, r.rows) if r.idle_rows else "",
    }
    if steps_per_epoch:
        cells["in epochs"] = lambda r: _number(r.timescale / steps_per_epoch) if r.decays and r.timescale else ""
    return list(cells), list(cells.values())


def _folded(head: list[str], rows: list[list[str]], last: list[str] | None) -> str:
    """The table, its tail behind a fold where it is long; `last` is a line of sums."""
    top = rows[:FIRST_ROWS] + ([last] if last else [])
    marks = [""] * len(rows[:FIRST_ROWS]) + (["chosen"] if last else [])
    rest = ""
    if len(rows) > FIRST_ROWS:
        rest = f"<details><summary>{len(rows) - FIRST_ROWS:,} more</summary>{table(head, rows[FIRST_ROWS:])}</details>"
    return table(head, top, classes=marks) + rest
