"""Losses and zeros of a network against its strength."""

from typing import Any

import numpy as np

from shrinkage.plots._style import COLORS, MUTED, check_record, mark_places, new_axes, plain_frame
from shrinkage.training import Sweep

FEW = 7
"""So many strengths within two decades have a tick each."""


def sweep(result: Sweep, ax: Any = None) -> Any:
    """Draw training and held-out loss and the share of zeros against the strength of a sweep.

    The axis of strengths is logarithmic; strength 0 stands left of the others, behind a gap. Bars are one standard
    error of the mean held-out loss, small dots the single seeds. Dotted lines stand at the best strength and at the
    largest within one standard error of it (1-SE); crosses at the foot are strengths that were stopped early. The
    share of exact zeros has the axis on the right, where there are any.

    Parameters
    ----------
    result : Sweep
    ax : matplotlib Axes, optional
        None makes a new figure.

    Returns
    -------
    matplotlib Axes
        That of the losses.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    ArgumentError
        If `result` is no sweep.

    Examples
    --------
    >>> losses = np.array([[0.50, 0.52], [0.41, 0.45], [0.42, 0.45]])
    >>> result = Sweep(
    ...     strengths=np.array([0.0, 1e-3, 1e-2]), seeds=(0, 1), train_loss=losses, held_out=losses,
    ...     zeros=np.array([[0.0, 0.0], [0.3, 0.3], [0.8, 0.8]]), status=("complete",) * 3,
    ...     epochs_run=np.full((3, 2), 5), best=1, one_se=2, rule="lowest mean; 1-SE", epochs=5,
    ... )
    >>> ax = sweep(result)
    >>> [tick.get_text() for tick in ax.get_xticklabels()], ax.get_ylabel()
    (['0', '0.001', '0.01'], 'loss')
    """
    check_record("result", result, Sweep)
    ax = new_axes(ax)
    x = places_of(result.strengths)
    _losses(ax, x, result)
    _ticks(ax, x, result.strengths)
    plain_frame(ax)
    right = _zeros(ax, x, result) if np.nanmax(result.zeros) > 0 else None
    mark_places(ax, {"1-SE": float(x[result.one_se]), "best": float(x[result.best])})
    ax.set_xlabel(result.strength_name)
    ax.set_ylabel(result.loss_name)
    lines = [line for one in (ax, right) if one is not None for line in one.get_legend_handles_labels()[0]]
    ax.legend(
        handles=lines,
        fontsize="small",
        frameon=False,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=4,
        borderpad=0.2,
    )
    return ax


def places_of(strengths: np.ndarray) -> np.ndarray:
    """log10 of every strength; that of 0 a gap left of the smallest other one."""
    strengths = np.asarray(strengths, dtype=np.float64)
    positive = strengths > 0
    logs = np.log10(strengths, out=np.zeros_like(strengths), where=positive)
    if positive.all() or not positive.any():
        return logs
    seen = np.sort(logs[positive])
    spacing = float(np.median(np.diff(seen))) if len(seen) > 1 else 1.0
    gap = max(1.5 * spacing, 0.08 * (seen[-1] - seen[0]))
    return np.where(positive, logs, seen[0] - gap)


def _losses(ax: Any, x: np.ndarray, result: Sweep) -> None:
    mean, known = result.mean, np.isfinite(result.mean)
    ax.plot(
        x, result.mean_train, color=COLORS[0], linewidth=1.2, linestyle="--", marker="o", markersize=3, label="training"
    )
    ax.plot(x[known], mean[known], color=COLORS[1], linewidth=1.6, marker="o", markersize=4, label="held out", zorder=4)
    if len(result.seeds) > 1:
        for losses in result.held_out.T:
            ax.plot(x, losses, ".", color=COLORS[1], markersize=3, alpha=0.45, zorder=3)
    if result.se is not None:
        se = np.where(np.isfinite(result.se), result.se, 0.0)
        ax.errorbar(
            x[known], mean[known], yerr=se[known], fmt="none", ecolor=COLORS[1], elinewidth=1.0, capsize=2.0, alpha=0.7
        )
    chosen = [result.best, result.one_se]
    ax.plot(x[chosen], mean[chosen], "o", color=COLORS[1], markersize=7.5, zorder=5)
    early = ~result.complete
    if early.any():
        foot = np.zeros(int(early.sum()))
        ax.plot(
            x[early], foot, "x", color=MUTED, transform=ax.get_xaxis_transform(), clip_on=False, label="stopped early",
            markersize=6, zorder=6, linestyle="none",
        )  # fmt: skip


def _ticks(ax: Any, x: np.ndarray, strengths: np.ndarray) -> None:
    """Decades as they are written, or every strength where they are few; 0 at its own place, behind a gap."""
    positive = strengths > 0
    room = 0.04 * max(float(x.max() - x.min()), 1.0)
    low, high = float(x.min()) - room, float(x.max()) + room
    marks = list(zip(x.tolist(), strengths.tolist(), strict=True))
    if positive.any():
        decades = np.arange(np.ceil(x[positive].min() - 1e-9), np.floor(x[positive].max() + 1e-9) + 1)
        zero = [] if positive.all() else [(float(x[~positive][0]), 0.0)]
        if len(decades) > 2 or len(marks) > FEW:
            every = -(-len(decades) // FEW) if len(decades) > FEW else 1
            marks = zero + [(float(place), 10.0**place) for place in decades[::every]]
            minor = (np.log10(np.arange(2, 10)) + decades[:1] - 1 + np.arange(len(decades) + 1)[:, None]).ravel()
            ax.set_xticks([place for place in minor if x[positive].min() <= place <= high], minor=True)
        if zero:
            ax.axvline(0.5 * (zero[0][0] + float(x[positive].min())), color=MUTED, linewidth=0.8, alpha=0.5, zorder=1)
    ax.set_xticks([place for place, _ in marks], [f"{strength:.4g}" for _, strength in marks])
    ax.set_xlim(low, high)


def _zeros(ax: Any, x: np.ndarray, result: Sweep) -> Any:
    right = ax.twinx()
    shares = 100.0 * result.mean_zeros
    known = np.isfinite(shares)
    right.plot(x[known], shares[known], color=COLORS[2], linewidth=1.2, marker="s", markersize=2.5, label="exact zeros")
    right.set_ylim(0.0, 105.0)
    right.set_ylabel("exact zeros in %", color=COLORS[2])
    right.tick_params(axis="y", labelsize="small", colors=COLORS[2])
    for side in ("top", "left", "bottom"):
        right.spines[side].set_visible(False)
    ax.set_zorder(right.get_zorder() + 1)
    ax.patch.set_visible(False)
    return right
