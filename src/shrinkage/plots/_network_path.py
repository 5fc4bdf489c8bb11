"""Losses and zeros of a network along rising strengths."""

from typing import Any

import numpy as np

from shrinkage.plots._style import COLORS, MARK, MUTED, check_record, new_axes, plain_frame
from shrinkage.training import NetworkPath


def network_path(path: NetworkPath, ax: Any = None) -> Any:
    """Draw held-out and training loss against the strength, and zeros on an axis of their own.

    The dense network stands at the left end, apart from the logarithmic axis. Bars are standard errors of
    each loss, as the rule of one standard error reads them. The dotted line is the rung that was taken.

    Parameters
    ----------
    path : NetworkPath
    ax : matplotlib Axes, optional
        None makes a new figure.

    Returns
    -------
    matplotlib Axes
        Of the losses; the axis of zeros is its twin.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    ArgumentError
        If `path` is none.

    Examples
    --------
    >>> record = NetworkPath(
    ...     strengths=np.array([0.0, 1e-3, 2e-3]), train_loss=np.array([0.1, 0.2, 0.3]),
    ...     held_out=np.array([0.40, 0.35, 0.36]), zeros=np.array([0.0, 0.7, 0.9]), best=1, one_se=2, chosen=2,
    ...     rule="1-SE",
    ... )
    >>> network_path(record).get_xlabel()
    'strength'
    """
    check_record("path", path, NetworkPath)
    ax = new_axes(ax)
    x = _places(path.strengths)
    right = ax.twinx()
    right.plot(x, 100.0 * path.zeros, color=MUTED, linewidth=1.4, linestyle="--", zorder=2)
    right.set_ylim(0.0, 105.0)
    right.set_ylabel("exact zeros in % (dashed)", color=MARK)
    right.tick_params(labelsize="small", colors=MARK)
    for side in ("top", "left", "bottom"):
        right.spines[side].set_visible(False)
    ax.set_zorder(right.get_zorder() + 1)
    ax.patch.set_visible(False)
    if path.before_refit is not None and np.isfinite(path.before_refit).any():
        ax.plot(x, path.before_refit, color=COLORS[5], linewidth=1.2, label="held out, before the refit", zorder=3)
    ax.plot(x, path.train_loss, color=COLORS[1], linewidth=1.2, label="training", zorder=3)
    errors = None if path.se is None else np.nan_to_num(path.se)
    ax.errorbar(
        x, path.held_out, yerr=errors, color=COLORS[0], linewidth=1.8, elinewidth=1.0, capsize=2.0, marker="o",
        markersize=3.5, label="held out", zorder=4,
    )  # fmt: skip
    plain_frame(ax)
    _mark(ax, x, path)
    _ticks(ax, x, path.strengths)
    ax.set_xlabel("strength")
    ax.set_ylabel(path.loss_name)
    ax.legend(loc="upper left", bbox_to_anchor=(0.0, 0.9), fontsize="small", frameon=False)
    return ax


def _places(strengths: np.ndarray) -> np.ndarray:
    """log10 of each strength; the dense network a decade's half before the first."""
    x = np.log10(np.where(strengths > 0, strengths, np.nan))
    first = np.nanmin(x) if np.isfinite(x).any() else 0.0
    return np.where(np.isnan(x), first - 0.5, x)


def _mark(ax: Any, x: np.ndarray, path: NetworkPath) -> None:
    names: dict[int, list[str]] = {}
    for name, place in (("best", path.best), ("1-SE", path.one_se), ("taken", path.chosen)):
        names.setdefault(place, []).append(name)
    low, high = ax.get_xlim()
    for order, (place, words) in enumerate(sorted(names.items())):
        taken = place == path.chosen
        ax.axvline(x[place], color=MARK, linestyle=":", linewidth=1.5 if taken else 0.9, zorder=1.5)
        left = x[place] > low + 0.8 * (high - low)
        ax.annotate(
            " = ".join(words),
            (x[place], 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-4 if left else 4, -2 - 12 * (order % 2)),
            textcoords="offset points",
            ha="right" if left else "left",
            va="top",
            fontsize="small",
            color=MARK,
        )


def _ticks(ax: Any, x: np.ndarray, strengths: np.ndarray) -> None:
    decades = np.arange(np.ceil(x.min() + 0.4), np.floor(x.max()) + 1.0)
    if len(decades) < 2:
        decades = np.unique(np.round(x[strengths > 0], 1))[:: max(len(x) // 5, 1)]
    dense = [x.min()] if (strengths == 0).any() else []
    ax.set_xticks([*dense, *decades], [*["dense"] * len(dense), *(f"{10.0**place:.2g}" for place in decades)])
