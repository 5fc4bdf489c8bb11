"""Numbers of a training in a CSV file that is only ever appended to."""

import csv
import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shrinkage._check import check_boolean
from shrinkage._errors import ArgumentError, DataError, MissingExtraError
from shrinkage.training._loggers import checked_scalars

HEADER = ("step", "name", "value")


class CSVLogger:
    """Appends numbers to a CSV file with the columns step, name, value: one line per number.

    Names may come and go from step to step, and nothing is ever rewritten: a process that is killed leaves every line
    of earlier calls, and a line that was cut in the middle is removed by the next logger of that file. A training that
    resumes from an earlier step writes some steps again; `read` and `to_frame` take the last line of a step and name.

    Parameters
    ----------
    path : str or Path
        Made with its folders if it is not there; appended to if it is.
    durable : bool, default True
        Wait, at every call, until the disk has the lines (fsync), so that they outlive a power cut too. False leaves
        that to the operating system, which takes microseconds.

    Raises
    ------
    ArgumentError
        If the path is a folder, or a file that this class did not write.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     logger = CSVLogger(pathlib.Path(folder) / "run.csv")
    ...     logger.log(1, {"sparsity/total": 0.25, "alarms": 0})
    ...     logger.log(2, {"sparsity/total": 0.5})
    ...     print((pathlib.Path(folder) / "run.csv").read_text())
    step,name,value
    1,sparsity/total,0.25
    1,alarms,0.0
    2,sparsity/total,0.5
    <BLANKLINE>
    """

    def __init__(self, path: str | os.PathLike[str], *, durable: bool = True) -> None:
        check_boolean("durable", durable)
        self.path, self.durable = Path(path), durable
        if self.path.is_dir():
            raise ArgumentError(f"path must be a file; got the folder {str(self.path)!r}")
        _check_ours(self.path)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append a line for each value.

        Raises
        ------
        ArgumentError
            If the step is no whole number >= 0, or a value is no number; nothing is written then.
        """
        lines = io.StringIO()
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerows((step, _one_line(name), repr(value)) for name, value in checked_scalars(step, values).items())
        if not lines.getvalue():
            return
        with _opened(self.path) as file:
            left = memoryview(lines.getvalue().encode())
            while left:
                left = left[file.write(left) :]
            if self.durable:
                os.fsync(file.fileno())

    def read(self) -> dict[int, dict[str, float]]:
        """Return values by step and name; of those written twice the last."""
        found: dict[int, dict[str, float]] = {}
        for step, name, value in _lines(self.path):
            found.setdefault(step, {})[name] = value
        return dict(sorted(found.items()))

    def to_frame(self) -> Any:
        """Return a pandas DataFrame: one row per step, one column per name, NaN where a name has no value.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtraError("CSVLogger.to_frame needs pandas: pip install pandas") from error
        frame = pd.DataFrame.from_dict(self.read(), orient="index")
        frame.index.name = "step"
        return frame.sort_index()


def _one_line(name: str) -> str:
    if "\n" in name or "\r" in name:
        raise ArgumentError(f"values: a name must be one line; got {name!r}")
    return name


def _first_line() -> bytes:
    return (",".join(HEADER) + "\n").encode()


def _check_ours(path: Path) -> None:
    """Refuse a file that begins with something else than our first line, or a part of it."""
    if not path.exists():
        return
    with path.open("rb") as file:
        begun = file.read(len(_first_line()))
    if not _first_line().startswith(begun):
        raise ArgumentError(
            f"path must be a new file or one whose first line is {','.join(HEADER)!r}; {str(path)!r} begins with "
            f"{begun.decode(errors='replace')!r}"
        )


def _opened(path: Path) -> Any:
    """Open a file for appending, after its last whole line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _check_ours(path)
    file = path.open("a+b", buffering=0)
    file.truncate(_end_of_lines(file))
    if file.seek(0, os.SEEK_END) == 0:
        file.write(_first_line())
    return file


def _end_of_lines(file: Any, block: int = 1 << 16) -> int:
    """Where the last line that was written to its end ends; read from behind, as the file may be long."""
    place = file.seek(0, os.SEEK_END)
    while place > 0:
        start = max(0, place - block)
        file.seek(start)
        newline = file.read(place - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        place = start
    return 0


def _lines(path: Path) -> Iterator[tuple[int, str, float]]:
    """Every whole line after the first."""
    if not path.exists():
        return
    with path.open("rb") as raw:
        end = _end_of_lines(raw)
        raw.seek(0)
        whole = raw.read(end)
    try:
        text = whole.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a file of this logger, byte {error.start} is not UTF-8") from error
    for number, line in enumerate(csv.reader(io.StringIO(text)), start=1):
        if number == 1:
            continue
        try:
            step, name, value = line
            yield int(step), name, float(value)
        except ValueError as error:
            raise DataError(f"{path}, line {number}: not step, name, value: {line}") from error
