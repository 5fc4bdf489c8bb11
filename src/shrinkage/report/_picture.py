"""A picture as inline SVG whose ink follows the page's."""

import io
import re
import warnings
from html import escape
from typing import Any

from shrinkage._errors import MissingExtraError
from shrinkage.plots import cross_validation, decay, path, sparsity, sweep

INK = "#010203"
"""A color that no curve has; replaced by `currentColor`, so that text and axes turn light on a dark page."""

DRAWN = {"cv": cross_validation, "path": path, "sparsity": sparsity, "decay": decay, "sweep": sweep}


def picture(kind: str, **what: Any) -> str:
    """The SVG element of `plots.cross_validation(cv=...)` (kind "cv"), or of others of `plots`.

    The same input gives the same bytes: no date, fixed ids.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("the report needs matplotlib: pip install 'shrinkage[plots]'") from error
    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": kind,
        "font.family": "sans-serif",
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "text.parse_math": False,
    }
    stream = io.StringIO()
    with rc_context(settings), warnings.catch_warnings():
        # A letter that matplotlib's own font lacks is drawn by the browser's.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(figsize=(8.4, 4.6), layout="constrained")
        ax = figure.subplots()
        DRAWN[kind](ax=ax, **what)
        if ax.get_ylabel() == "parameter":
            figure.set_figheight(1.3 + 0.26 * len(ax.get_yticks()))  # one line of the picture each
        label = f"{ax.get_ylabel()} against {ax.get_xlabel()}"
        figure.savefig(stream, format="svg", transparent=True, dpi=150, metadata={"Date": None, "Creator": None})
    return _inline(stream.getvalue(), label)


def _inline(document: str, label: str) -> str:
    """The <svg> element alone, without metadata, with a name for readers that cannot see it."""
    svg = document[document.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = svg.replace(INK, "currentColor").replace("font: ", "font:")
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", "system-ui, sans-serif", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)
