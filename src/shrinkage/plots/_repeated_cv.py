"""Repeated cross-validation: the average curve, and where single repeats would have gone."""

from typing import Any

import numpy as np

from shrinkage.plots._style import (
    COLORS,
    MUTED,
    check_record,
    count_on_top,
    mark_strengths,
    new_axes,
    plain_frame,
    strength_axis,
)
from shrinkage.selection import RepeatedCrossValidation

UNITS = {"squared": "mean squared error, held out", "logistic": "mean deviance, held out"}
STRIP = 0.16  # share of the height, at the bottom, for the choices of single repeats
HEADROOM = 0.2  # of the curves' height, above them, for the legend


def repeated_cv(record: RepeatedCrossValidation, ax: Any = None) -> Any:
    """Draw the average curve with both of its errors, every repeat's curve, and the choices of the repeats.

    Grey lines are the curves of single repeats. The light band around the average is one standard error over folds,
    which more repeats do not make smaller; the dark one is what the dealing of folds leaves of uncertainty in the
    average, two standard errors over repeats. At the bottom each strength that single repeats chose carries a mark,
    larger where more repeats chose it: dots for min, triangles for 1-SE. Dotted lines are the choices on the average.

    Parameters
    ----------
    record : RepeatedCrossValidation
        With alphas > 0.
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
        If `record` is another record, or an alpha is 0.

    Examples
    --------
    >>> from shrinkage.datasets import load_diabetes
    >>> from shrinkage.selection import repeated_cv as repeat
    >>> data = load_diabetes()
    >>> ax = repeated_cv(repeat(data.X, data.y, repeats=3, cv=5, n_alphas=10))
    >>> ax.get_ylabel()
    'mean squared error, held out'
    """
    check_record("record", record, RepeatedCrossValidation)
    ax = new_axes(ax)
    x = strength_axis(record.alphas)
    room = 0.02 * (x.max() - x.min()) if len(x) > 1 else 1.0
    ax.set_xlim(x.min() - room, x.max() + room)
    _curves(ax, x, record)
    _choices(ax, record)
    plain_frame(ax)
    mark_strengths(ax, {"1-SE": record.alpha_1se, "min": record.alpha_min})
    ax.set_xlabel("-log(alpha)")
    ax.set_ylabel(UNITS.get(record.path.loss.name, "mean deviance, held out"))
    legend = ax.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, 0.95), ncols=2, edgecolor="none")
    legend.set_zorder(6)
    for mark in legend.legend_handles[3:]:
        mark.set_sizes([30])
    count_on_top(ax, record.alphas, record.path.n_nonzero)
    return ax


def _curves(ax: Any, x: np.ndarray, record: RepeatedCrossValidation) -> None:
    for one in record.repeats:
        ax.plot(x, one.mean, color=MUTED, linewidth=0.6, alpha=0.55, zorder=2)
    within = np.nan_to_num(record.within_se)
    left = 2 * np.nan_to_num(record.between_sd) / np.sqrt(len(record.repeats))
    mean, color = record.mean, COLORS[5]
    ax.fill_between(x, mean - within, mean + within, color=color, alpha=0.25, linewidth=0, label="± 1 SE over folds")
    ax.fill_between(
        x, mean - left, mean + left, color=COLORS[0], alpha=0.45, linewidth=0, zorder=3, label="± 2 SE over repeats"
    )
    name = f"average of {len(record.repeats)} repeats"
    ax.plot(x, mean, color=COLORS[0], linewidth=1.6, zorder=4, label=name)
    chosen = [record.index_1se, record.index_min]
    ax.plot(x[chosen], mean[chosen], "o", color=COLORS[1], markersize=5.5, zorder=5)


def _choices(ax: Any, record: RepeatedCrossValidation) -> None:
    """The strengths that single repeats chose, in a strip below the curves."""
    low, high = ax.get_ylim()
    ax.set_ylim(low - STRIP / (1 - STRIP) * (high - low), high + HEADROOM * (high - low))
    for name, alphas, height, color, marker in (
        ("min", record.alphas_min, 0.045, COLORS[1], "o"),
        ("1-SE", record.alphas_1se, 0.105, COLORS[2], "^"),
    ):
        places, times = np.unique(-np.log(alphas), return_counts=True)
        ax.scatter(
            places,
            np.full(len(places), height),
            s=14 + 130 * times / len(record.repeats),
            color=color,
            marker=marker,
            alpha=0.75,
            linewidth=0,
            zorder=5,
            transform=ax.get_xaxis_transform(),
            label=f"{name} of single repeats",
        )
