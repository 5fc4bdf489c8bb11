"""A table whose columns have a kind: numbers, booleans, categories, and what no model takes as it is."""

import difflib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from shrinkage._errors import DataError, MissingExtraError

Kind = Literal["number", "boolean", "category", "date", "empty", "unnamed", "other"]
NUMERIC_KINDS = ("number", "boolean")


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    name : str
    kind : str
        "number", "boolean", "category", "date", "empty" (every value missing), "unnamed" or "other" (lists, bytes).
    values : ndarray of shape (n_rows,)
        Numbers and booleans: float64, nan where missing. Categories: the index into `levels`, -1 where missing.
        Other kinds: empty.
    levels : tuple of str
        Sorted texts of a category; () for other kinds.
    """

    name: str
    kind: Kind
    values: np.ndarray
    levels: tuple[str, ...] = ()

    @property
    def missing(self) -> np.ndarray:
        """Row by row, whether the value is missing; empty for kinds that hold no values."""
        return self.values < 0 if self.kind == "category" else np.isnan(self.values)

    def texts(self, rows: np.ndarray | None = None) -> list[str | None]:
        """The values as text, None where missing; whole numbers without a decimal point."""
        values = self.values if rows is None else self.values[rows]
        if self.kind == "category":
            return [self.levels[code] if code >= 0 else None for code in values.tolist()]
        if self.kind == "boolean":
            return [None if np.isnan(v) else str(bool(v)) for v in values.tolist()]
        return [None if np.isnan(v) else (str(int(v)) if v.is_integer() else repr(v)) for v in values.tolist()]


@dataclass(frozen=True)
class Table:
    """Columns of one length, and where they came from.

    Attributes
    ----------
    columns : tuple of Column
    n_rows : int
    source : str
        Named in messages: the file, or "the table".
    rows : ndarray of shape (n_rows,), optional
        Which rows of the source they are, of a table that was taken from another; None: all.
    """

    columns: tuple[Column, ...]
    n_rows: int
    source: str = "the table"
    rows: np.ndarray | None = field(default=None, repr=False, compare=False)
    _places: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        object.__setattr__(self, "_places", {column.name: place for place, column in enumerate(self.columns)})

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def take(self, rows: np.ndarray) -> "Table":
        """The table of these rows."""
        kept = [
            column if not len(column.values) else Column(column.name, column.kind, column.values[rows], column.levels)
            for column in self.columns
        ]
        return Table(tuple(kept), len(rows), self.source, rows if self.rows is None else self.rows[rows])

    def row_number(self, row: int | np.integer) -> int:
        """The number of a row in the source, from 1, as messages have it."""
        return int(row if self.rows is None else self.rows[row]) + 1

    def column(self, name: str, role: str = "column") -> Column:
        """The column of this name.

        Raises
        ------
        DataError
            If there is none, with the nearest name that there is.
        """
        if name not in self._places:
            near = [other for other in self.names if other.strip() == name.strip()]
            near = near or difflib.get_close_matches(name, self.names, n=1)
            few = ", ".join(repr(other) for other in self.names[:8]) + (", ..." if len(self.names) > 8 else "")
            hint = f"did you mean {near[0]!r}?" if near else f"its columns are {few}"
            raise DataError(f"{self.source} has no {role} {name!r}; {hint}")
        return self.columns[self._places[name]]


def table_of(frame: Any, source: str = "the table", unread: Collection[str] = ()) -> Table:
    """A table with kinds from a pandas, polars or Arrow table, through narwhals.

    Parameters
    ----------
    frame : a table that narwhals knows, held in memory
    source : str
        What messages call it.
    unread : collection of str
        Columns that nobody will use: their infinite numbers become missing values.

    Raises
    ------
    DataError
        If two columns have one name, there is no row, or a number is infinite.

    Examples
    --------
    >>> import pandas as pd
    >>> table = table_of(pd.DataFrame({"dose": [1.0, None], "color": ["red", "blue"]}))
    >>> [(column.name, column.kind) for column in table.columns]
    [('dose', 'number'), ('color', 'category')]
    """
    try:
        import narwhals as nw
    except ImportError as error:
        raise MissingExtraError("tables need narwhals: pip install 'shrinkage'") from error
    names = frame.column_names if hasattr(frame, "column_names") else list(frame.columns)
    refuse_duplicates([str(name) for name in names], source)
    table = nw.from_native(frame, eager_only=True)
    if len(table) == 0:
        raise DataError(f"{source} has columns but no rows")
    columns = [_column(table[name], str(name), place, source, unread) for place, name in enumerate(table.columns)]
    return Table(tuple(columns), len(table), source)


def refuse_duplicates(names: Sequence[str], source: str) -> None:
    """Refuse two columns of one name; unnamed ones are told apart by their place."""
    for name, count in Counter(names).items():
        if count > 1 and name.strip():
            places = [place + 1 for place, other in enumerate(names) if other == name]
            where = ", ".join(map(str, places))
            raise DataError(f"{source}: {count} columns are called {name!r} (columns {where}); rename all but one")


def _column(series: Any, name: str, place: int, source: str, unread: Collection[str]) -> Column:
    import narwhals as nw

    dtype, nothing = series.dtype, np.empty(0)
    if not name.strip():
        return Column(f"(column {place + 1})", "unnamed", nothing)
    if series.null_count() == len(series):
        return Column(name, "empty", nothing)
    if dtype == nw.Boolean or dtype.is_numeric():
        values = np.asarray(series.cast(nw.Float64).to_numpy(), dtype=np.float64)
        values = np.where(np.isinf(values), np.nan, values) if name in unread else values
        return _numbers(name, "boolean" if dtype == nw.Boolean else "number", values, source)
    if dtype.is_temporal():
        return Column(name, "date", nothing)
    if dtype.is_nested() or dtype == nw.Binary:
        return Column(name, "other", nothing)
    absent = series.is_null().to_list()
    values = [None if gone else value for gone, value in zip(absent, series.to_list(), strict=True)]
    met = {type(value) for value in values} - {type(None)}
    if met <= {bool, np.bool_}:
        return _numbers(name, "boolean", np.array([np.nan if v is None else float(v) for v in values]), source)
    return category(name, [None if value is None else str(value) for value in values])


def category(name: str, texts: list[str | None]) -> Column:
    """A categorical column from texts, None where missing."""
    levels = tuple(sorted({text for text in texts if text is not None}))
    if not levels:
        return Column(name, "empty", np.empty(0))
    codes: dict[str | None, int] = {level: code for code, level in enumerate(levels)}
    codes[None] = -1
    return Column(name, "category", np.array([codes[text] for text in texts], dtype=np.int64), levels)


def _numbers(name: str, kind: Kind, values: np.ndarray, source: str) -> Column:
    infinite = np.isinf(values)
    if infinite.any():
        row = int(np.argmax(infinite))
        raise DataError(
            f"{source}: column {name!r} is infinite in {int(infinite.sum())} rows, first in data row {row + 1}; "
            "replace it by a number, leave it empty for missing, or drop the column"
        )
    if np.isnan(values).all():
        return Column(name, "empty", np.empty(0))
    return Column(name, kind, values)
