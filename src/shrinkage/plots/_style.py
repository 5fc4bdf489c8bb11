"""What all pictures share: colors that every eye can tell apart, the axis of strengths, the count along the top."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from shrinkage._errors import ArgumentError, MissingExtraError

# Okabe & Ito (2008), without the yellow, which is too light for a line on paper.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MUTED = "#9a9a9a"
MARK = "#7a7a7a"


def pyplot() -> Any:
    """matplotlib.pyplot, or an error that names the extra."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise MissingExtraError("pictures need matplotlib: pip install 'shrinkage[plots]'") from error
    return plt


def check_record(name: str, value: Any, kind: type) -> None:
    """Refuse what is not the record that a picture is drawn of; before that, that nothing can be drawn at all."""
    pyplot()
    if not isinstance(value, kind):
        raise ArgumentError(f"{name} must be a {kind.__name__}; got {type(value).__name__}")


def new_axes(ax: Any, width: float = 7.0, height: float = 4.4) -> Any:
    """`ax`, or the Axes of a new figure."""
    plt = pyplot()
    return plt.subplots(figsize=(width, height), layout="constrained")[1] if ax is None else ax


def strength_axis(alphas: np.ndarray) -> np.ndarray:
    """-log(alpha), the horizontal place of every strength: simple models left, flexible ones right."""
    if not (alphas > 0).all():
        raise ArgumentError(f"a picture over log(alpha) needs every alpha > 0; the smallest is {alphas.min():g}")
    return -np.log(alphas)


def count_on_top(ax: Any, alphas: np.ndarray, n_nonzero: np.ndarray) -> None:
    """Number of non-zero coefficients along the top, at the ticks of the bottom."""
    low, high = ax.get_xlim()
    places = [tick for tick in ax.get_xticks() if low <= tick <= high]
    ax.set_xticks(places)
    ax.set_xlim(low, high)
    x = -np.log(alphas)
    nearest = [int(np.argmin(np.abs(x - place))) for place in places]
    top = ax.secondary_xaxis("top")
    top.set_xticks(places, [f"{n_nonzero[index]:,}" for index in nearest])
    top.set_xlabel("non-zero coefficients", fontsize="small", labelpad=4)
    top.tick_params(length=0, labelsize="small")
    top.spines["top"].set_visible(False)


def plain_frame(ax: Any) -> None:
    """Only the two axes that carry numbers, and light horizontal lines."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.grid(axis="y", color=MUTED, alpha=0.22, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(labelsize="small")


def mark_strengths(ax: Any, marks: Mapping[str, float]) -> None:
    """Dotted vertical lines over -log(alpha), each with its name at the top; names of equal strengths are joined."""
    mark_places(ax, {name: float(-np.log(alpha)) for name, alpha in marks.items()})


def mark_places(ax: Any, marks: Mapping[str, float]) -> None:
    """Dotted vertical lines, each with its name at the top; names of equal places are joined."""
    places: dict[float, list[str]] = {}
    for name, place in marks.items():
        places.setdefault(place, []).append(name)
    low, high = ax.get_xlim()
    crowded = len(places) > 1 and max(places) - min(places) < 0.12 * (high - low)
    for order, (place, names) in enumerate(sorted(places.items())):
        ax.axvline(place, color=MARK, linestyle=":", linewidth=1.3, zorder=1.5)
        left = place > high - 0.12 * (high - low)
        ax.annotate(
            " = ".join(names),
            (place, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-4 if left else 4, -15 if crowded and order else -2),
            textcoords="offset points",
            ha="right" if left else "left",
            va="top",
            fontsize="small",
            color=MARK,
        )


def clip_name(name: str, longest: int = 26) -> str:
    """A name short enough for a label."""
    return name if len(name) <= longest else name[: longest - 1] + "…"
