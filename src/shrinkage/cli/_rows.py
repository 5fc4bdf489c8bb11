"""What columns say of rows besides weights: offsets, exposures, groups and times."""

from dataclasses import dataclass

import numpy as np

from shrinkage._errors import ArgumentError, DataError
from shrinkage.tables import Recipe, Table


def read_offset(table: Table, offset: str | None, exposure: str | None) -> np.ndarray | None:
    """Offsets (n_rows,) of the linear predictor: a column of them, and the logarithm of a column of exposures.

    Raises
    ------
    DataError
        If a column is unknown, not numeric, misses a value, or an exposure is not positive.
    """
    known = None if offset is None else _numbers(table, offset, "offset")
    if exposure is None:
        return known
    values = _numbers(table, exposure, "exposure")
    if values.min() <= 0:
        row = int(np.argmin(values))
        raise DataError(
            f"{table.source}: exposure {exposure!r} must be > 0; data row {row + 1} is {values[row]:g}: remove the row"
        )
    return np.log(values) if known is None else known + np.log(values)


def _numbers(table: Table, name: str, role: str) -> np.ndarray:
    column = table.column(name, f"{role} column")
    where = f"{table.source}: {role} {name!r}"
    if column.kind not in ("number", "boolean"):
        raise DataError(f"{where} must be numbers; the column is {column.kind}")
    if column.missing.any():
        raise DataError(f"{where} must not be missing; data row {int(np.argmax(column.missing)) + 1} is")
    return column.values


def read_labels(table: Table, name: str, role: str) -> np.ndarray:
    """Codes (n_rows,) of a column whose order, or whose sameness, matters: numbers or text."""
    column = table.column(name, f"{role} column")
    where = f"{table.source}: {role} {name!r}"
    if column.kind not in ("number", "boolean", "category"):
        raise DataError(f"{where} must be numbers or text; the column is {column.kind}: make a number of it")
    if column.missing.any():
        raise DataError(f"{where} must not be missing; data row {int(np.argmax(column.missing)) + 1} is")
    return np.unique(column.values, return_inverse=True)[1]


@dataclass(frozen=True)
class Treatment:
    """What is asked of some columns: no penalty, or bounds on the coefficients of all that a column makes.

    Attributes
    ----------
    free : tuple of str
        Columns.
    lower, upper : tuple of str
        A number for all columns, or COL=NUMBER.
    """

    free: tuple[str, ...] = ()
    lower: tuple[str, ...] = ()
    upper: tuple[str, ...] = ()

    def arguments(self, recipe: Recipe, table: Table, partial: bool = False) -> dict[str, np.ndarray]:
        """Of `path`: penalty_factor, lower and upper, (n_features,) each, as far as something is asked.

        Raises
        ------
        ArgumentError
            If a bound is no number.
        DataError
            If a column is unknown or, unless `partial`, no feature; or if every column is free.
        """
        factors = _of_features(recipe, table, dict.fromkeys(self.free, 0.0), 1.0, "free", partial)
        made = {"penalty_factor": factors} if self.free and not (partial and factors.all()) else {}
        if self.free and not factors.any():
            raise DataError(f"{table.source}: every column is free; leave at least one to be penalized")
        for side, texts, none in (("lower", self.lower, -np.inf), ("upper", self.upper, np.inf)):
            if texts:
                every, own = _bounds(side, texts)
                every = none if every is None else every
                made[side] = _of_features(recipe, table, own, every, "bounded", partial)
        return made


def _of_features(
    recipe: Recipe, table: Table, own: dict[str, float], every: float, role: str, partial: bool
) -> np.ndarray:
    """Numbers (n_features,): of the features of some columns their own."""
    used = {rule.name for rule in recipe.rules}
    for name in own:
        table.column(name, f"{role} column")
        if name not in used and not partial:
            raise DataError(f"{table.source}: the {role} column {name!r} is no feature of this fit")
    return np.array([own.get(rule.name, every) for rule in recipe.rules for _ in rule.features])


def _bounds(side: str, texts: tuple[str, ...]) -> tuple[float | None, dict[str, float]]:
    """The bound of all columns, and those of some."""
    every, own = None, {}
    for text in texts:
        name, named, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            raise ArgumentError(f"--{side} must be a number, or COL=NUMBER; got {text!r}") from None
        if named:
            own[name] = value
        else:
            every = value
    return every, own
