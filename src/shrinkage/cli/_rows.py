"""What columns say of rows besides weights: offsets, exposures, groups and times."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkage._errors import ArgumentError, DataError
from shrinkage.penalties import GroupL2
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


def survival(table: Table, target: str, times: np.ndarray, event: str | None, strata: str | None) -> np.ndarray:
    """Censored times as the loss takes them: [time, event] or [time, event, stratum], (n_rows, 2 or 3).

    Raises
    ------
    DataError
        If an event is not 0 or 1, none was observed, a time is negative, or a column is unknown or misses a value.
    """
    if times.min() < 0:
        row = int(np.argmin(times))
        raise DataError(f"{table.source}: time {target!r} must be >= 0; data row {row + 1} is {times[row]:g}")
    events = np.ones(len(times)) if event is None else np.asarray(_numbers(table, event, "event"), dtype=np.float64)
    wrong = ~np.isin(events, (0.0, 1.0))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{table.source}: event {event!r} must be 1, or 0 where the time is censored; data row {row + 1} is "
            f"{events[row]:g}"
        )
    if not events.any():
        raise DataError(f"{table.source}: event {event!r} is 0 in every row: there is nothing to learn from")
    columns = [times, events]
    if strata is not None:
        columns.append(read_labels(table, strata, "strata").astype(np.float64))
    return np.column_stack(columns)


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
    groups : tuple of str
        COL,COL: columns whose features are one group.
    """

    free: tuple[str, ...] = ()
    lower: tuple[str, ...] = ()
    upper: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def stated(self, setting: dict[str, Any], recipe: Recipe, table: Table, partial: bool = False) -> dict[str, Any]:
        """Keyword arguments of `path`: the setting, and what is asked of columns; a penalty in it is on groups."""
        asked = self.arguments(recipe, table, partial)
        if "penalty" not in setting:
            return {**setting, **asked}
        asked.pop("penalty_factor", None)
        groups = self.members(recipe, table, partial)
        return {**setting, **asked, "penalty": GroupL2(1.0, [places for places in groups if len(places)])}

    def members(self, recipe: Recipe, table: Table, partial: bool = False) -> list[np.ndarray]:
        """Features of every group: those of some columns together, then of each other column; of free ones none.

        Raises
        ------
        ArgumentError
            If a column is named twice, or is free as well.
        DataError
            If a column is unknown or, unless `partial`, no feature.
        """
        named = [[name.strip() for name in text.split(",") if name.strip()] for text in self.groups]
        every = [name for names in named for name in names]
        for name in every:
            if every.count(name) > 1 or name in self.free:
                met = "is free" if name in self.free else "is there twice"
                raise ArgumentError(f"--groups must name columns once, and none that is free; {name!r} {met}")
        of_column = _of_features(recipe, table, {name: 1 + k for k, names in enumerate(named) for name in names}, 0.0,
                                 "grouped", partial)  # fmt: skip
        owners = np.array([rule.name for rule in recipe.rules for _ in rule.features])
        alone = [np.flatnonzero(owners == name) for name in dict.fromkeys(owners) if name not in {*every, *self.free}]
        return [np.flatnonzero(of_column == 1 + k) for k in range(len(named))] + alone

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
