"""Coefficients along a path of strengths."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shrinkage._errors import ArgumentError
from shrinkage._path import Path
from shrinkage.plots._network_path import network_path
from shrinkage.plots._style import (
    COLORS,
    MUTED,
    check_record,
    clip_name,
    count_on_top,
    mark_strengths,
    new_axes,
    plain_frame,
    strength_axis,
)
from shrinkage.training import NetworkPath

RASTER_FROM = 150
"""From this many muted curves on, they are drawn as one image inside a vector picture, which keeps files small."""


def path(
    path: Path | NetworkPath,
    ax: Any = None,
    names: Sequence[str] | None = None,
    scale: ArrayLike | None = None,
    labels: int = 6,
    marks: Mapping[str, float] | None = None,
    at: float | None = None,
) -> Any:
    """Draw coefficients against -log(alpha), the number of non-zeros along the top.

    The strongest coefficients are colored and named at the right end, all others are thin and gray, so that the picture
    stays readable with thousands of features.

    Of a network's path, losses and zeros are drawn instead: against the strength, with the rung that was taken.

    Parameters
    ----------
    path : Path, or NetworkPath
        With alphas > 0. Of a NetworkPath, only `ax` counts of what follows.
    ax : matplotlib Axes, optional
        None makes a new figure.
    names : sequence of str, optional
        (n_features,) names; None takes those of the path, else x0, x1, ...
    scale : array-like of shape (n_features,), optional
        Multiplies the coefficients: standard deviations of the columns make them comparable.
    labels : int
        How many coefficients to color and name; at most 6 colors repeat with dashes.
    marks : mapping of name to alpha, optional
        Vertical dotted lines, for example ``{"min": cv.alpha_min, "1-SE": cv.alpha_1se}``.
    at : float, optional
        The strength at which "strongest" is judged; None takes the smallest.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    ArgumentError
        If `path` is none, an alpha is 0, or `names` or `scale` have another length than the coefficients.

    Examples
    --------
    >>> from shrinkage._path import path as fit
    >>> from shrinkage.datasets import load_diabetes
    >>> data = load_diabetes()
    >>> ax = path(fit(data.X, data.y, n_alphas=10), names=data.feature_names)
    >>> ax.get_xlabel()
    '-log(alpha)'
    """
    if isinstance(path, NetworkPath):
        return network_path(path, ax)
    check_record("path", path, Path)
    ax = new_axes(ax)
    x = strength_axis(path.alphas)
    curves = np.asarray(path.coefs.toarray(), dtype=np.float64)
    n_features = len(curves)
    names = _names(names or path.feature_names, n_features)
    if scale is not None:
        scale = np.asarray(scale, dtype=np.float64)
        if scale.shape != (n_features,):
            raise ArgumentError(f"scale must have one number per feature ({n_features}); got shape {scale.shape}")
        curves = curves * scale[:, None]
    place = len(x) - 1 if at is None else int(np.argmin(np.abs(x + np.log(at))))
    strong = _strongest(curves, place, labels)
    _draw(ax, x, curves, strong)
    ax.set_xlim(x.min(), x.max() if len(x) > 1 else x.max() + 1.0)
    ax.margins(y=0.06)
    ax.autoscale(axis="y")
    label_ends(ax, curves, strong, names)
    plain_frame(ax)
    ax.axhline(0.0, color=MUTED, linewidth=0.8, zorder=1)
    if marks:
        mark_strengths(ax, marks)
    ax.set_xlabel("-log(alpha)")
    ax.set_ylabel("coefficient" if scale is None else "coefficient per standard deviation")
    count_on_top(ax, path.alphas, path.n_nonzero)
    return ax


def _names(names: Sequence[str] | None, n_features: int) -> Sequence[str]:
    if names is None:
        return [f"x{j}" for j in range(n_features)]
    if len(names) != n_features:
        raise ArgumentError(f"names must have one name per feature ({n_features}); got {len(names)}")
    return names


def _strongest(curves: np.ndarray, place: int, labels: int) -> np.ndarray:
    """The largest |coefficient| at one strength, filled up by the largest anywhere on the path."""
    size = np.abs(curves)
    order = np.lexsort((-size.max(axis=1), -size[:, place]))
    return order[: max(labels, 0)][size[order[: max(labels, 0)]].max(axis=1) > 0]


def _draw(ax: Any, x: np.ndarray, curves: np.ndarray, strong: np.ndarray) -> None:
    from matplotlib.collections import LineCollection

    weak = np.setdiff1d(np.flatnonzero(curves.any(axis=1)), strong)
    lines = [np.column_stack([x, curves[j]]) for j in weak]
    many = len(weak) > RASTER_FROM
    # Fainter the more there are, so that a crowd shows where it is dense instead of one gray block.
    faint = float(np.clip(60 / max(len(weak), 1), 0.03, 0.6))
    ax.add_collection(LineCollection(lines, colors=MUTED, linewidths=0.8, alpha=faint, rasterized=many, zorder=2))
    for order, j in enumerate(strong):
        dash = "-" if order < len(COLORS) else "--"
        ax.plot(x, curves[j], color=COLORS[order % len(COLORS)], linewidth=1.8, linestyle=dash, zorder=3)


def label_ends(ax: Any, curves: np.ndarray, strong: np.ndarray, names: Sequence[str]) -> None:
    """Names right of the frame, moved apart where they would overlap, each tied to its curve by a thin line."""
    if not len(strong):
        return
    low, high = ax.get_ylim()
    ends = (curves[strong, -1] - low) / (high - low)
    height = ax.get_window_extent().height * 72 / ax.figure.dpi
    places = spread(ends, min(12.0 / height, 1.0 / len(strong)))
    for order, j in enumerate(strong):
        color = COLORS[order % len(COLORS)]
        ax.annotate(
            clip_name(str(names[j])),
            (1.0, ends[order]),
            xycoords="axes fraction",
            xytext=(1.035, places[order]),
            textcoords="axes fraction",
            va="center",
            fontsize="small",
            color=color,
            parse_math=False,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 0},
        )


def spread(wanted: np.ndarray, distance: float) -> np.ndarray:
    """The places nearest to `wanted` (sum of squares) that are in the same order and at least `distance` apart.

    Pool adjacent violators: with uᵢ = placeᵢ - i·distance the constraint is that u never falls.
    """
    order = np.argsort(wanted, kind="stable")
    blocks: list[list[float]] = []
    for value in wanted[order] - distance * np.arange(len(wanted)):
        blocks.append([float(value), 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            value, count = blocks.pop()
            total = blocks[-1][1] + count
            blocks[-1] = [(blocks[-1][0] * blocks[-1][1] + value * count) / total, total]
    levels = np.concatenate([np.full(int(count), value) for value, count in blocks])
    places = np.empty(len(wanted))
    places[order] = levels + distance * np.arange(len(wanted))
    return places
