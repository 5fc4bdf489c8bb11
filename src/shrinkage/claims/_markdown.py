"""Tables of a claim's page."""

from collections.abc import Iterable, Sequence


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; the first column is aligned left, the others right.

    Examples
    --------
    >>> print(markdown_table(["step", "weight"], [["1", "0.50"]]))
    | step | weight |
    |---|---:|
    | 1 | 0.50 |
    """
    lines = [list(heads), *(list(row) for row in rows)]
    text = ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]
    return "\n".join([text[0], "|---" + "|---:" * (len(heads) - 1) + "|", *text[1:]])
