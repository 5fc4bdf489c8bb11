"""Stability paths: how many half-samples have chosen each feature, by each strength."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from shrinkage._errors import ArgumentError
from shrinkage.plots._path import label_ends
from shrinkage.plots._style import COLORS, MARK, MUTED, check_record, new_axes, plain_frame, strength_axis
from shrinkage.selection import StabilitySelection

RASTER_FROM = 150


def stability(
    selection: StabilitySelection, ax: Any = None, names: Sequence[str] | None = None, labels: int = 8
) -> Any:
    """Draw the share of half-samples that have chosen each feature against -log(alpha), and the threshold.

    Features that pass the threshold are colored, the most frequent named at the right end; all others are thin and
    gray. The title says what is bounded.

    Parameters
    ----------
    selection : StabilitySelection
    ax : matplotlib Axes, optional
        None makes a new figure.
    names : sequence of str, optional
        (n_features,) names; None takes those of the record, else x0, x1, ...
    labels : int
        How many features to name; further ones that pass are colored dark gray.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    ArgumentError
        If `selection` is none, or `names` has another length than the features.

    Examples
    --------
    >>> from shrinkage.datasets import load_diabetes
    >>> from shrinkage.selection import stability_selection
    >>> data = load_diabetes()
    >>> ax = stability(stability_selection(data.X, data.y, q=4, threshold=0.9, n_pairs=10, standardize=True))
    >>> ax.get_ylabel()
    'share of half-samples'
    """
    check_record("selection", selection, StabilitySelection)
    ax = new_axes(ax)
    x = strength_axis(selection.alphas)
    n_features = len(selection.frequencies)
    names = selection.feature_names if names is None else names
    if names is not None and len(names) != n_features:
        raise ArgumentError(f"names must have one name per feature ({n_features}); got {len(names)}")
    names = [f"x{j}" for j in range(n_features)] if names is None else names
    named, rest = selection.selected[: max(labels, 0)], selection.selected[max(labels, 0) :]
    shares = _curves(ax, x, selection, named, rest)
    ax.axhline(selection.threshold, color=MARK, linestyle=":", linewidth=1.3, zorder=1.5)
    ax.annotate(
        f"threshold {selection.threshold:g}", (0.0, selection.threshold), xycoords=("axes fraction", "data"),
        xytext=(4, 3), textcoords="offset points", fontsize="small", color=MARK, zorder=4,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5},
    )  # fmt: skip
    ax.set_xlim(x.min(), x.max() if len(x) > 1 else x.max() + 1.0)
    ax.set_ylim(0.0, 1.03)
    order = np.arange(len(named))
    label_ends(ax, shares, order, [str(names[j]) for j in named])
    plain_frame(ax)
    ax.set_xlabel("-log(alpha)")
    ax.set_ylabel("share of half-samples")
    ax.set_title(_title(selection), loc="left", fontsize="small")
    return ax


def _curves(ax: Any, x: np.ndarray, selection: StabilitySelection, named: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Draw every curve; return those of the named features (n_named, n_alphas)."""
    from matplotlib.collections import LineCollection

    ever = np.flatnonzero(np.diff(selection.paths.indptr))
    weak = np.setdiff1d(ever, selection.selected)
    faint = float(np.clip(60 / max(len(weak), 1), 0.12, 0.6))
    for features, color, width, alpha in ((weak, MUTED, 0.8, faint), (rest, "#333333", 1.0, 0.8)):
        lines = [np.column_stack([x, curve]) for curve in selection.paths[features].toarray()]
        ax.add_collection(
            LineCollection(
                lines, colors=color, linewidths=width, alpha=alpha, zorder=2, rasterized=len(features) > RASTER_FROM
            )
        )
    shares = selection.paths[named].toarray()
    for order, curve in enumerate(shares):
        dash = "-" if order < len(COLORS) else "--"
        ax.plot(x, curve, color=COLORS[order % len(COLORS)], linewidth=1.8, linestyle=dash, zorder=3)
    return shares


def _title(selection: StabilitySelection) -> str:
    supposed = "no assumption" if selection.assumption == "none" else f"supposed {selection.assumption}"
    return (
        f"{len(selection.selected)} of {len(selection.candidates)} features pass; at most {selection.bound:.2g} of low "
        f"selection probability (<= {selection.theta:.2g})\nare expected among them ({supposed})"
    )
