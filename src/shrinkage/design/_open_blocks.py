"""The door for data larger than memory."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shrinkage._check import check_positive_int
from shrinkage._errors import ArgumentError, DataError
from shrinkage.design._as_design import as_design
from shrinkage.design._blocks import BlockDesign, Progress
from shrinkage.design._parquet_blocks import ParquetBlocks
from shrinkage.design._row_blocks import ArrayBlocks, CalledBlocks, NpyBlocks, RowBlocks

PARQUET = (".parquet", ".pq")


def open_blocks(
    source: Any,
    columns: Sequence[str] | None = None,
    rows: int | None = None,
    progress: Callable[[Progress], object] | None = None,
    state: str | os.PathLike | None = None,
) -> BlockDesign:
    """Return data larger than memory as an X that every function and estimator here takes.

    With the squared loss and few columns, one reading of the data gives the sums from which every strength, every fold
    and every l1_ratio is solved and certified. Other fits read the data once or more per batch of strengths. Memory
    holds a block, those sums, and what a fit knows of each row: its response, its weight and its folds.

    Parameters
    ----------
    source : path, array, or callable without arguments
        A .npy file, which is not read yet; a Parquet file; an array that is already there, such as a memory map; or a
        function that returns an iterable of matrices or tables, blocks of rows, the same ones at every call.
    columns : sequence of str, optional
        Which columns of a Parquet file are features, in this order; None stands for all.
    rows : int, optional
        Rows per block of a file or an array; None makes blocks of some 64 MB.
    progress : callable, optional
        Called with a `Progress` after every block: what is read for, how many rows of how many.
    state : path of a folder, optional
        Sums over finished blocks are kept there, with a checksum of each block. A run that was interrupted goes on
        from them, and one with another l1_ratio, grid or tolerance takes them whole: only the checksums are made
        again. The folder is made if it is not there.

    Returns
    -------
    BlockDesign

    Raises
    ------
    DataError
        If there is no such file, or it does not hold a matrix of numbers.
    ArgumentError
        If the source is none of these, or an argument does not go with it.
    MissingExtraError
        If it is Parquet and pyarrow is not installed.

    Notes
    -----
    A later reading whose blocks differ from the kept checksums raises `ChangedDataError`.

    Examples
    --------
    >>> import numpy as np, tempfile, pathlib
    >>> from shrinkage import open_blocks, path
    >>> X = np.random.default_rng(0).standard_normal((1000, 5))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "X.npy")
    ...     np.save(file, X)
    ...     fitted = path(open_blocks(file), X[:, 0] - X[:, 3], n_alphas=10)
    >>> np.flatnonzero(fitted.coefs[:, [9]].toarray()[:, 0]).tolist()
    [0, 3]
    """
    if rows is not None:
        check_positive_int("rows", rows)
    if progress is not None and not callable(progress):
        raise ArgumentError(f"progress must be None or a function of a Progress; got {progress!r}")
    if columns is not None and (isinstance(columns, str) or not len(columns)):
        raise ArgumentError(f"columns must be None or a non-empty sequence of names; got {columns!r}")
    return BlockDesign(_source(source, columns, rows), progress, None if state is None else _folder(Path(state)))


def _folder(state: Path) -> Path:
    there = next((place for place in (state, *state.absolute().parents) if place.exists()), None)
    if there is not None and not there.is_dir():
        raise ArgumentError(f"state must name a folder, there or to be made; got {str(state)!r}, and {there} is a file")
    return state


def _source(source: Any, columns: Sequence[str] | None, rows: int | None) -> RowBlocks:
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if path.suffix.lower() in PARQUET:
            return ParquetBlocks(path, columns, rows)
        _refuse_columns(columns)
        if path.suffix.lower() == ".npy":
            return NpyBlocks(path, rows)
        raise DataError(f"{path}: the suffix {path.suffix!r} tells no format; use .npy, .parquet or .pq")
    _refuse_columns(columns)
    if isinstance(source, np.ndarray):
        as_design(source[:1])
        return ArrayBlocks(lambda: source, rows)
    if callable(source):
        if rows is not None:
            raise ArgumentError(f"rows must be None where a function makes the blocks; got {rows}")
        make_blocks: Any = source
        return CalledBlocks(make_blocks)
    raise ArgumentError(
        "source must be the path of a .npy or Parquet file, an array, or a function that returns blocks of rows; got "
        f"{type(source).__name__}"
    )


def _refuse_columns(columns: Sequence[str] | None) -> None:
    if columns is not None:
        raise ArgumentError("columns must be None unless the source is a Parquet file, whose columns have names")
