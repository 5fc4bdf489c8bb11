"""Records as text for a terminal, as plain data, and as a frame."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shrinkage._errors import MissingExtraError

WIDTH = 120
"""Columns of a terminal that a table may fill."""
GAP = "  "
NONE = "-"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a text table.

    Attributes
    ----------
    head : str
    cells : tuple of str
    keep : int
        Where all columns together are too wide, those with the smallest number leave first; 0 leaves also where no
        cell says anything.
    left : bool
        Text stands left, numbers right.
    """

    head: str
    cells: tuple[str, ...]
    keep: int = 1
    left: bool = False

    @property
    def width(self) -> int:
        """Letters of the widest cell."""
        return max(len(self.head), *map(len, self.cells)) if self.cells else len(self.head)

    @property
    def empty(self) -> bool:
        """Whether no cell says anything."""
        return all(cell == NONE for cell in self.cells)


def text_table(columns: Sequence[Column], width: int = WIDTH) -> str:
    """Lines of at most `width` letters: columns that say nothing left out, names in the first shortened in the middle.

    Parameters
    ----------
    columns : sequence of Column
        The first holds names.
    width : int
    """
    least = min(columns[0].width, 24)
    shown = [column for place, column in enumerate(columns) if place == 0 or not column.empty]

    def rest() -> int:
        return sum(len(GAP) + column.width for column in shown[1:])

    while least + rest() > width and len(shown) > 2:
        weakest = min(range(1, len(shown)), key=lambda place: (shown[place].keep, -place))
        del shown[weakest]
    first = shown[0]
    room = max(width - rest(), 8)
    shown[0] = Column(first.head, tuple(shorten(cell, room) for cell in first.cells), left=True)
    lines = [_line(shown, [column.head for column in shown])]
    lines.append(GAP.join("-" * column.width for column in shown))
    lines += [_line(shown, [column.cells[row] for column in shown]) for row in range(len(first.cells))]
    return "\n".join(lines)


def _line(columns: Sequence[Column], cells: Sequence[str]) -> str:
    pairs = zip(columns, cells, strict=True)
    return GAP.join(cell.ljust(c.width) if c.left else cell.rjust(c.width) for c, cell in pairs).rstrip()


def shorten(text: str, width: int) -> str:
    """A text of at most `width` letters: its middle gives way to `…`, the end keeps a letter more than the start.

    Examples
    --------
    >>> shorten("encoder.layers.11.attention.weight", 20)
    'encoder.l…ion.weight'
    """
    if len(text) <= width:
        return text
    kept = max(width - 1, 0)
    start, end = kept // 2, kept - kept // 2
    return text[:start] + "…" + (text[-end:] if end else "")


def wrap(text: str, width: int = WIDTH, indent: str = "  ") -> str:
    """A sentence as lines of at most `width` letters, all but the first indented."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = indent + word
        else:
            line = f"{line} {word}" if line else word
    return "\n".join([*lines, line])


def number_text(value: float | None, digits: int = 3) -> str:
    """A number with so many digits; `-` for None."""
    if value is None:
        return NONE
    return f"{value:,}" if isinstance(value, int) else f"{value:.{digits}g}"


def share_text(share: float | None) -> str:
    """A share in percent, where 0 % and 100 % are exact: what is near them is `<0.1 %` and `>99.9 %`."""
    if share is None or math.isnan(share):
        return NONE
    percent = 100.0 * share
    if 0.0 < percent < 0.1:
        return "<0.1 %"
    if 99.9 < percent < 100.0:
        return ">99.9 %"
    return f"{percent:.3g} %" if percent < 10 else f"{percent:.1f} %" if percent < 100 else f"{percent:.0f} %"


def plain(value: Any) -> Any:
    """Tuples as lists; numbers that JSON cannot hold as None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, (tuple, list)) else value


def json_text(data: dict[str, Any], indent: int | None) -> str:
    """Plain data as strict JSON, without NaN."""
    return json.dumps(data, indent=indent, allow_nan=False, ensure_ascii=False)


def frame(records: Sequence[dict[str, Any]], of: str) -> Any:
    """Plain records as a pandas DataFrame, one row each."""
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError(f"{of}.to_frame needs pandas: pip install pandas") from error
    return pd.DataFrame.from_records(records)
