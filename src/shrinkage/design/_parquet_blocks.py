"""Blocks of rows of a Parquet file."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shrinkage._errors import ArgumentError, DataError, MissingExtraError
from shrinkage.design._row_blocks import rows_per_block

_BUFFER = 1 << 20  # bytes of each column that the reader may hold before they are decoded


class ParquetBlocks:
    """Blocks of rows of a Parquet file; its row groups may be larger than memory, for they are read piece by piece.

    Parameters
    ----------
    path : path of a Parquet file
    columns : sequence of str, optional
        The columns to be read, in this order; None stands for all.
    rows : int, optional
        Rows per block; None makes blocks of some 64 MB.
    """

    def __init__(self, path: Path, columns: Sequence[str] | None = None, rows: int | None = None):
        self.path = path
        pa, file = _opened(path)
        schema = file.schema_arrow
        names = tuple(schema.names) if columns is None else tuple(columns)
        unknown = [name for name in names if name not in schema.names]
        if unknown:
            raise ArgumentError(f"columns must be columns of {path}; got {unknown[0]!r}, which is none")
        for name in names:
            kind = schema.field(name).type
            if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
                raise DataError(
                    f"column {name!r} of {path} must hold numbers; its type is {kind}: leave it out by columns=, or "
                    "encode it as numbers first"
                )
        kinds = {schema.field(name).type for name in names}
        single = kinds == {pa.float32()}
        self.dtype = np.dtype(np.float32 if single else np.float64)
        self.shape = (file.metadata.num_rows, len(names))
        if 0 in self.shape:
            raise DataError(f"{path} must have at least one row and one column to read; got shape {self.shape}")
        self.feature_names: tuple[str, ...] | None = names
        self.converted_from = (
            None if kinds in ({pa.float64()}, {pa.float32()}) else f"Parquet of {', '.join(sorted(map(str, kinds)))}"
        )
        self._rows = rows or rows_per_block(len(names))

    def blocks(self) -> Iterator[NDArray[np.floating]]:
        """Yield blocks of rows; see `RowBlocks.blocks`."""
        _, file = _opened(self.path)
        start = 0
        for batch in file.iter_batches(
            batch_size=self._rows, columns=list(self.feature_names or ()), use_threads=False
        ):
            values = np.empty((batch.num_rows, self.shape[1]), dtype=self.dtype, order="F")
            for j, name in enumerate(self.feature_names or ()):
                column = batch.column(name)
                if column.null_count:
                    row = start + int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
                    raise DataError(
                        f"column {name!r} of {self.path} has a missing value in row {row}; fill in what is missing, or "
                        "leave out those rows or the column"
                    )
                values[:, j] = column.to_numpy(zero_copy_only=False)
            start += batch.num_rows
            yield values


def _opened(path: Path) -> tuple[Any, Any]:
    """Return pyarrow, and the file."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("reading Parquet needs pyarrow: pip install 'shrinkage[parquet]'") from error
    try:
        return pa, parquet.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; looked in {Path.cwd()}") from None
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path} is not a Parquet file, or is cut short: {reason}") from None
