"""How fast each parameter decays, and how unevenly."""

from typing import Any

import numpy as np

from shrinkage._errors import ArgumentError
from shrinkage.plots._style import COLORS, MARK, MUTED, check_record, clip_name, new_axes, plain_frame
from shrinkage.training import DecayReport, DecayRow

MOST_ROWS = 40


def decay(report: DecayReport, ax: Any = None) -> Any:
    """Draw the share of itself that a weight loses per step: median, middle half and 5 to 95 % of every parameter.

    Dotted lines stand at lr · weight_decay, what each step would take if decay were decoupled. A range far wider than
    the line is decay by the size of gradients: Adam with `weight_decay` inside the gradient.

    Parameters
    ----------
    report : DecayReport
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
        If `report` is none, nothing decays, or nothing is known of how.

    Examples
    --------
    >>> from shrinkage.training import DecayReport, DecayRow
    >>> row = DecayRow("fc.weight", (2, 3), "float32", "linear", "Linear weight", 6, how="decoupled", pure=1e-4,
    ...                quantiles=(1e-4,) * 5)
    >>> ax = decay(DecayReport((row,)))
    >>> ax.get_xlabel()
    'share of a weight lost per step'
    """
    check_record("report", report, DecayReport)
    rows = decaying_rows(report)
    if not rows:
        raise ArgumentError("a picture of decay needs a parameter that decays at a known pace; this report has none")
    ax = new_axes(ax, height=1.3 + 0.26 * len(rows))
    places = np.arange(len(rows))[::-1]
    levels = np.array([row.quantiles for row in rows], dtype=np.float64)
    least = levels[levels > 0].min()
    levels = np.maximum(levels, least / 3.0)  # a share of 0 has no place on a logarithmic axis
    _widen(ax, np.array([*levels.flat, *(row.pure for row in rows if row.pure)]))
    ax.set_xscale("log")
    ax.hlines(places, levels[:, 0], levels[:, 4], color=COLORS[0], linewidth=1.2, zorder=3, label="5 to 95 %")
    ax.hlines(
        places, levels[:, 1], levels[:, 3], color=COLORS[0], linewidth=5.0, alpha=0.55, zorder=3, label="25 to 75 %"
    )
    ax.plot(levels[:, 2], places, "o", color=COLORS[1], markersize=4.5, zorder=4, label="median")
    _pure(ax, rows, places)
    ax.xaxis.set_major_formatter(lambda share, _: f"{share:g}")  # no formula: pages are drawn without a typesetter
    ax.xaxis.set_minor_formatter(lambda share, _: "")
    ax.set_yticks(places, [clip_name(row.name, 34) for row in rows])
    ax.set_ylim(-0.7, len(rows) - 0.3)
    plain_frame(ax)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", color=MUTED, alpha=0.22, linewidth=0.6)
    ax.set_xlabel("share of a weight lost per step")
    ax.set_ylabel("parameter")
    ax.legend(fontsize="small", frameon=False, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, borderpad=0.2)
    return ax


def decaying_rows(report: DecayReport) -> list[DecayRow]:
    """The rows of a picture: what decays at a known pace, the largest ones if they are many, in the model's order."""
    rows = [row for row in report.rows if row.decays and row.quantiles is not None and max(row.quantiles) > 0]
    if len(rows) > MOST_ROWS:
        sizes = sorted((row.size for row in rows), reverse=True)
        rows = [row for row in rows if row.size >= sizes[MOST_ROWS - 1]][:MOST_ROWS]
    return rows


def _pure(ax: Any, rows: list[DecayRow], places: np.ndarray) -> None:
    """One line where all rows share lr · weight_decay, else a mark in every row."""
    pure = [row.pure or np.nan for row in rows]
    known = {value for value in pure if value == value}
    if len(known) == 1:
        ax.axvline(known.pop(), color=MARK, linestyle=":", linewidth=1.3, zorder=1.5, label="lr · weight_decay")
    elif known:
        ax.plot(pure, places, "|", color=MARK, markersize=11, zorder=2, label="lr · weight_decay")


def _widen(ax: Any, values: np.ndarray) -> None:
    """All values and a margin, and at least one decade, so that equal decay does not look like noise."""
    low, high = np.log10(values.min()), np.log10(values.max())
    room = max(0.05 * (high - low), (1.0 - (high - low)) / 2.0)
    ax.set_xlim(10 ** (low - room), 10 ** (high + room))
