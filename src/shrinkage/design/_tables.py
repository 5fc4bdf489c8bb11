"""Data frames: their columns become a matrix, their names the names of the features."""

from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from shrinkage._errors import DataError


def is_table(X: object) -> bool:
    """Return whether X is a pandas, polars, pyarrow or similar data frame that is in memory."""
    return nw.dependencies.is_into_dataframe(X)


def is_lazy(X: object) -> bool:
    """Return whether X is a data frame that has not been computed."""
    return not is_table(X) and isinstance(nw.from_native(X, pass_through=True), nw.LazyFrame)


def names_of(X: Any) -> tuple[str, ...] | None:
    """Return the names of a table's columns, which must differ; None if pandas only numbered them."""
    columns = list(X.columns) if nw.dependencies.is_pandas_dataframe(X) else nw.from_native(X).columns
    if columns == list(range(len(columns))):
        return None
    names = tuple(str(name) for name in columns)
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"the columns of X must have different names; {twice!r} comes more than once")
    return names


def sparse_of(X: Any) -> Any:
    """Return a pandas frame whose columns are all sparse as a SciPy matrix; None for any other table."""
    if not nw.dependencies.is_pandas_dataframe(X) or X.shape[1] == 0:
        return None
    if all(type(dtype).__name__ == "SparseDtype" for dtype in X.dtypes):
        return X.sparse.to_coo()
    return None


def values_of(X: Any) -> tuple[NDArray[np.floating], str | None]:
    """Return a table's numbers as a float64 or float32 matrix, and what they were if they had to be converted.

    A pandas frame of one floating dtype is read in place; other tables are copied once, column by column.

    Raises
    ------
    DataError
        If a column does not hold numbers, or has missing values; the message names it.
    """
    table = nw.from_native(X, eager_only=True)
    schema = table.schema
    for name, dtype in schema.items():
        if not (dtype.is_numeric() or dtype == nw.Boolean):
            raise DataError(_not_a_number(str(name), dtype))
    kinds = set(schema.values())
    values = table.to_numpy() if kinds in ({nw.Float64()}, {nw.Float32()}) else None
    converted = None
    if values is None or values.dtype.kind != "f":
        values = _columns(table)
        converted = f"{nw.get_native_namespace(table).__name__} table of {', '.join(sorted(map(str, kinds)))}"
    _refuse_missing(values, table.columns)
    return values, converted


def _columns(table: nw.DataFrame) -> NDArray[np.float64]:
    values = np.empty(table.shape, order="F")
    for j, name in enumerate(table.columns):
        values[:, j] = table[name].cast(nw.Float64).to_numpy()
    return values


def _refuse_missing(values: NDArray[np.floating], columns: list[str]) -> None:
    step = max(1, (1 << 20) // max(1, values.shape[0]))
    for start in range(0, values.shape[1], step):
        missing = np.isnan(values[:, start : start + step]).sum(axis=0)
        if missing.any():
            first = int(np.flatnonzero(missing)[0])
            count = f"{missing[first]} missing value{'s' if missing[first] > 1 else ''}"
            raise DataError(
                f"column {columns[start + first]!r} of X has {count}; fill in what is missing, or leave out those rows "
                "or the column"
            )


def _not_a_number(name: str, dtype: object) -> str:
    if dtype == nw.Object:
        remedy = "fill in what is missing and convert it to numbers"
    elif dtype in (nw.String, nw.Categorical, nw.Enum):
        remedy = "encode it as numbers first, for instance as one 0/1 column per value"
    elif dtype in (nw.Date, nw.Datetime, nw.Duration, nw.Time):
        remedy = "turn it into a number first, for instance days since a date"
    else:
        remedy = "convert it to numbers, or leave it out"
    return f"column {name!r} of X must hold numbers; its dtype is {dtype}: {remedy}"
