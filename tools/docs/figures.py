"""Pictures for pages: SVG inside the page, its words and lines in the page's own colors, light or dark."""

import html
import io
import re
from collections.abc import Callable
from typing import Any

# Colors of pictures, and the names of style.css for them. Black is what the page writes in, white what it writes on.
VARIABLES = {
    "#000000": "currentColor",
    "#ffffff": "var(--md-default-bg-color)",
    "#0072b2": "var(--picture-blue)",
    "#d55e00": "var(--picture-red)",
    "#009e73": "var(--picture-green)",
    "#cc79a7": "var(--picture-pink)",
    "#e69f00": "var(--picture-orange)",
    "#56b4e9": "var(--picture-sky)",
    "#7a7a7a": "var(--picture-gray)",
    "#9a9a9a": "var(--picture-gray)",
    "#b0b0b0": "var(--picture-gray)",
    "#808080": "var(--picture-gray)",
    "#cccccc": "var(--picture-faint)",
}
STYLE = {
    "svg.fonttype": "none",  # words stay words: the page's own type, found by a search, read aloud
    "font.size": 11,
    "axes.linewidth": 0.8,
    "figure.figsize": (7.2, 4.1),
    "figure.constrained_layout.use": True,
}
_ID = re.compile(r'(\bid="|href="#|url\(#)')


def svg(draw: Callable[[Any, Any], None], record: Any, name: str) -> str:
    """The picture that `draw` makes of a record, as an SVG element; `name` keeps its ids apart from others'."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with plt.rc_context({**STYLE, "svg.hashsalt": name}):
        figure, axes = plt.subplots()
        draw(record, axes)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        plt.close(figure)
    return themed(stream.getvalue(), name)


def themed(text: str, name: str) -> str:
    """An SVG document as an element of a page: no prolog, no size of its own, ids and colors of its own."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = _ID.sub(lambda match: f"{match.group(1)}{name}-", text)
    text = re.sub(r"font: ([^;\"]*?)'[^;\"]*", r"font: \1inherit", text)
    text = re.sub(r"font-family: [^;\"]*", "font-family: inherit", text)
    text = re.sub(r"#[0-9a-f]{6}\b", lambda match: VARIABLES.get(match.group(), match.group()), text)
    return re.sub(r"\n\s*\n", "\n", text).strip()


def figure_html(text: str, words: str) -> str:
    """A figure of a page."""
    said = html.escape(words)
    element = text.replace("<svg", f'<svg role="img" aria-label="{said}"', 1)
    return f'<figure class="picture" data-search-exclude>\n{element}\n<figcaption>{said}</figcaption>\n</figure>'
