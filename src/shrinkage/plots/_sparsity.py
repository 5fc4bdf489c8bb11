"""Exact zeros of a network, layer by layer or over its training."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from shrinkage._errors import ArgumentError
from shrinkage.plots._path import label_ends
from shrinkage.plots._style import COLORS, MUTED, clip_name, new_axes, plain_frame
from shrinkage.training import Report, ReportRow

MOST_BARS = 40
NAMED = 5


def sparsity(reports: "Report | Sequence[Report] | Sequence[tuple[float, Report]]", ax: Any = None) -> Any:
    """Draw the share of exact zeros: one bar per parameter of one report, or curves over several reports.

    A bar is dark as far as its zeros fill whole rows or columns, which a smaller layer would not have, and light where
    they are scattered. Of several reports the total is thick, the largest parameters are colored and named, all others
    gray.

    Parameters
    ----------
    reports : Report, or sequence of Report or of (step, Report)
        In order of training; without steps of their own, the optimizer's count is taken, else 0, 1, 2, ...
    ax : matplotlib Axes, optional
        None makes a new figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    ArgumentError
        If there is no report, or one without parameters.

    Examples
    --------
    >>> from shrinkage.training import Report, ReportRow
    >>> def after(step, zeros):
    ...     row = ReportRow("fc.weight", (2, 3), "float32", "linear", "Linear weight", size=6, zeros=zeros, norm=1.0)
    ...     return Report((row,), step=step)
    >>> ax = sparsity([after(0, zeros=0), after(100, zeros=3)])
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('step', 'exact zeros in %')
    """
    if isinstance(reports, Report):
        return _bars(reports, ax)
    steps, records = steps_and_reports(reports)
    return _bars(records[0], ax) if len(records) == 1 else _curves(steps, records, ax)


def steps_and_reports(reports: Any) -> tuple[list[float], list[Report]]:
    """A sequence of reports, with or without steps, as steps and reports."""
    if not isinstance(reports, Iterable) or isinstance(reports, (str, Mapping)):
        raise ArgumentError(f"reports must be a Report or a sequence of them; got {type(reports).__name__}")
    pairs: list[Any] = [pair if isinstance(pair, tuple) and len(pair) == 2 else (None, pair) for pair in reports]
    records: list[Any] = [record for _, record in pairs]
    if not records or not all(isinstance(record, Report) for record in records):
        raise ArgumentError("reports must be a Report, or a sequence of at least one Report or (step, Report)")
    given = [step for step, _ in pairs]
    if None in given:
        own = [record.step for record in records]
        given = list(range(len(records))) if None in own or len(set(own)) < len(own) else own
    return [float(step) for step in given if step is not None], records


def shown_rows(report: Report) -> list[ReportRow]:
    """The rows of a picture: penalized or with zeros, the largest ones if they are many, in the model's order."""
    rows = [row for row in report.rows if row.penalty is not None or row.zeros] or list(report.rows)
    if not rows:
        raise ArgumentError("a picture of zeros needs a report with at least one parameter; got none")
    if len(rows) > MOST_BARS:
        sizes = sorted((row.size for row in rows), reverse=True)
        rows = [row for row in rows if row.size >= sizes[MOST_BARS - 1]][:MOST_BARS]
    return rows


def _bars(report: Report, ax: Any) -> Any:
    rows = shown_rows(report)
    ax = new_axes(ax, height=1.3 + 0.26 * len(rows))
    places = np.arange(len(rows))[::-1]
    shares = np.array([100.0 * row.zero_share for row in rows])
    whole = np.array([100.0 * min(row.removable, row.zeros) / row.size if row.size else 0.0 for row in rows])
    ax.barh(places, whole, color=COLORS[0], height=0.7, label="in whole rows or columns", zorder=3)
    ax.barh(places, shares - whole, left=whole, color=COLORS[5], height=0.7, label="scattered", zorder=3)
    total = 100.0 * report.total.zero_share
    ax.axvline(total, color=MUTED, linestyle=":", linewidth=1.3, zorder=2, label=f"all parameters: {total:.1f} %")
    ax.set_yticks(places, [clip_name(row.name, 34) for row in rows])
    ax.set_xlim(0.0, 100.0)
    ax.set_ylim(-0.7, len(rows) - 0.3)
    plain_frame(ax)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", color=MUTED, alpha=0.22, linewidth=0.6)
    ax.set_xlabel("exact zeros in %")
    ax.set_ylabel("parameter")
    ax.legend(fontsize="small", frameon=False, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, borderpad=0.2)
    return ax


def _curves(steps: list[float], records: list[Report], ax: Any) -> Any:
    ax = new_axes(ax)
    last = shown_rows(records[-1])
    by_name = [{row.name: row for row in record.rows} for record in records]
    shares = [[100.0 * rows[row.name].zero_share if row.name in rows else np.nan for rows in by_name] for row in last]
    curves = np.array([*shares, [100.0 * record.total.zero_share for record in records]])
    largest = np.argsort([-row.size for row in last], kind="stable")[:NAMED]
    for j, curve in enumerate(curves[:-1]):
        if j not in largest:
            ax.plot(steps, curve, color=MUTED, linewidth=0.8, alpha=0.6, zorder=2)
    # The total first, so that its color is the first; it is drawn over all others.
    named = np.array([len(last), *largest.tolist()])
    for order, j in enumerate(named):
        width, above = (2.6, 4) if order == 0 else (1.6, 3)
        mark = "." if len(steps) < 20 else ""
        ax.plot(steps, curves[j], color=COLORS[order], linewidth=width, zorder=above, marker=mark)
    ax.set_xlim(min(steps), max(steps))
    ax.set_ylim(0.0, max(1.0, float(np.nanmax(curves)) * 1.06))
    label_ends(ax, curves, named, [row.name for row in last] + ["all parameters"])
    plain_frame(ax)
    ax.set_xlabel("step")
    ax.set_ylabel("exact zeros in %")
    return ax
