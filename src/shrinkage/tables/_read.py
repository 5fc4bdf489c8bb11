"""Files in, typed tables out; what is wrong with a file is said with its line and column."""

import csv
import io
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from shrinkage._errors import DataError, MissingExtraError
from shrinkage.tables._table import Table, refuse_duplicates, table_of

DELIMITERS = {".csv": ",", ".tsv": "\t"}
PARQUET = (".parquet", ".pq")
ARROW = (".arrow", ".feather", ".ipc")
MISSING_WORDS = ["", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "-nan", "-NaN", "NULL", "null", "None", "<NA>"]


def read(source: str | Path, text: Collection[str] = (), unread: Collection[str] = ()) -> Table:
    """Read CSV, Parquet or Arrow into a table with kinds.

    Parameters
    ----------
    source : str or path
        By suffix: .csv, .tsv; .parquet, .pq; .arrow, .feather, .ipc. "-" reads CSV from standard input.
    text : collection of str
        Columns of a CSV file to be kept as text even where every value looks like a number.
    unread : collection of str
        Columns that nobody will use, whose infinite numbers are no error.

    Returns
    -------
    Table
        In CSV these are missing values: the empty field, NA, N/A, NaN, NULL, None, <NA> and their usual spellings.

    Raises
    ------
    DataError
        If the file is absent, empty, ragged or undecodable, or two columns have one name; with the line, the column
        and the remedy.
    MissingExtraError
        If pyarrow is not installed.
    """
    _arrow()
    if str(source) == "-":
        return _read_csv(sys.stdin.buffer.read(), ",", "standard input", text, unread)
    path = Path(source)
    suffix = path.suffix.lower()
    if suffix not in (*DELIMITERS, *PARQUET, *ARROW):
        known = ", ".join((*DELIMITERS, *PARQUET, *ARROW))
        raise DataError(f"{path}: the suffix {suffix!r} tells no format; use {known}, or - for CSV on stdin")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; looked in {Path.cwd()}") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a directory; name a file") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    if not data:
        raise DataError(f"{path} is empty (0 bytes)")
    if suffix in DELIMITERS:
        return _read_csv(data, DELIMITERS[suffix], str(path), text, unread)
    return _read_binary(data, suffix, str(path), unread)


def _arrow() -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise MissingExtraError("reading tables needs pyarrow: pip install 'shrinkage[cli]'") from error
    return pyarrow


def _read_binary(data: bytes, suffix: str, source: str, unread: Collection[str]) -> Table:
    pa = _arrow()
    from pyarrow import feather, parquet

    buffer = pa.BufferReader(data)
    try:
        if suffix in PARQUET:
            frame = parquet.read_table(buffer)
        else:
            try:
                frame = feather.read_table(buffer)
            except pa.ArrowInvalid:
                frame = pa.ipc.open_stream(pa.BufferReader(data)).read_all()
    except (pa.ArrowException, OSError) as error:
        kind = "a Parquet" if suffix in PARQUET else "an Arrow"
        reason = str(error).splitlines()[0]
        raise DataError(f"{source} is not {kind} file, or is cut short: {reason}") from None
    return table_of(frame, source, unread)


def _read_csv(data: bytes, delimiter: str, source: str, text: Collection[str], unread: Collection[str]) -> Table:
    pa = _arrow()
    from pyarrow import csv as arrow_csv

    names = _header(data, delimiter, source)
    try:
        frame = arrow_csv.read_csv(
            pa.BufferReader(data),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                null_values=MISSING_WORDS,
                strings_can_be_null=True,
                column_types={name: pa.string() for name in text if name in names},
            ),
        )
    except pa.ArrowInvalid as error:
        _refuse_bytes(data, delimiter, source, names)
        _refuse_ragged(data, delimiter, source, names)
        raise DataError(f"{source} cannot be read as CSV: {str(error).splitlines()[0]}") from None
    if any(pa.types.is_binary(kind) for kind in frame.schema.types):
        _refuse_bytes(data, delimiter, source, names)
    if frame.num_rows == 0:
        raise DataError(f"{source} has a header but no rows")
    # Blank names of different lengths: distinct for the reader, unnamed for us.
    distinct = [name if name.strip() else " " * (place + 1) for place, name in enumerate(names)]
    return table_of(frame.rename_columns(distinct), source, unread)


def _lines(data: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", errors="replace", newline="")


def _header(data: bytes, delimiter: str, source: str) -> list[str]:
    """Names in the first line that is not blank."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{source} is UTF-16; save it as UTF-8 (iconv -f utf-16 -t utf-8)")
    try:
        names = next((row for row in csv.reader(_lines(data), delimiter=delimiter) if row), None)
    except csv.Error as error:
        _refuse_bytes(data, delimiter, source, [])
        raise DataError(f"{source} cannot be read as CSV: {error}") from None
    if names is None or not any(name.strip() for name in names):
        raise DataError(f"{source} is empty: a first line with the names of the columns is needed")
    other = next((sign for sign in ";\t" if delimiter == "," and len(names) == 1 and sign in names[0]), None)
    if other is not None:
        raise DataError(
            f"{source}: fields must be separated by ','; the first line has {other!r} and no comma"
            + (": name the file .tsv" if other == "\t" else "")
        )
    if any("\ufffd" in name for name in names):
        _refuse_bytes(data, delimiter, source, names)
    refuse_duplicates(names, source)
    return names


def _refuse_ragged(data: bytes, delimiter: str, source: str, names: list[str]) -> None:
    """Raise for the first line that has not one field for every column."""
    rows = csv.reader(_lines(data), delimiter=delimiter)
    start = 1
    for row in _until_error(rows):
        if row and len(row) != len(names):
            many = f"{len(row)} field{'s' * (len(row) != 1)}"
            if len(row) < len(names):
                remedy = f"column {names[len(row)]!r} and later ones have no value: complete the line"
            else:
                extra = f"after column {names[-1]!r} there is {row[len(names)]!r}"
                remedy = f'{extra}: quote ("...") values that hold a {delimiter!r}'
            raise DataError(f"{source}: line {start} has {many}, the header has {len(names)}; {remedy}")
        start = rows.line_num + 1


def _until_error(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    with suppress(csv.Error):
        yield from rows


def _refuse_bytes(data: bytes, delimiter: str, source: str, names: list[str]) -> None:
    """Raise for the first byte that is not UTF-8."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        begin = data.rfind(b"\n", 0, error.start) + 1
        before = next(csv.reader([data[begin : error.start].decode("utf-8", "replace")], delimiter=delimiter), [])
        place = max(len(before), 1) - 1
        column = f"column {names[place]!r}" if line > 1 and place < len(names) else f"column {place + 1}"
        raise DataError(
            f"{source}: line {line}, {column}: byte 0x{data[error.start]:02x} is not UTF-8; "
            "save the file as UTF-8 (iconv -f latin1 -t utf-8)"
        ) from None
