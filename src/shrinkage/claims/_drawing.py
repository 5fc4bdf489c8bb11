"""What the pictures of claims share: colors that every eye can tell apart, and axes that carry only numbers."""

from typing import Any

# Okabe & Ito (2008), without the yellow, which is too light for a line on paper. The documentation gives each of them,
# and the gray, a lighter twin where the reader's page is dark.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GRAY = "#7a7a7a"


def plain_frame(axes: Any) -> None:
    """Only the two axes that carry numbers, and light horizontal lines."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="y", color=GRAY, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize="small")


def key(axes: Any, **options: Any) -> None:
    """A legend without a box."""
    axes.legend(frameon=False, fontsize="small", **options)
