"""What columns say of rows besides weights: offsets, exposures, groups and times."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkage._errors import ArgumentError, DataError
from shrinkage.penalties import MCP, SCAD, GroupL2, SortedL1, bh_weights
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
            f"{table.source}: exposure {exposure!r} must be > 0; data row {table.row_number(row)} is {values[row]:g}: "
            "remove it"
        )
    return np.log(values) if known is None else known + np.log(values)


def _numbers(table: Table, name: str, role: str) -> np.ndarray:
    column = table.column(name, f"{role} column")
    where = f"{table.source}: {role} {name!r}"
    if column.kind not in ("number", "boolean"):
        raise DataError(f"{where} must be numbers; the column is {column.kind}")
    if column.missing.any():
        raise DataError(f"{where} must not be missing; data row {table.row_number(np.argmax(column.missing))} is")
    return column.values


def survival(table: Table, target: str, times: np.ndarray, event: str | None, strata: str | None) -> np.ndarray:
    """Censored times as the loss takes them: [time, event] or [time, event, stratum], (n_rows, 2 or 3).

    Raises
    ------
    DataError
        If an event is not 0 or 1, a time is negative, a column is unknown or misses a value, or no event was observed
        while another row was at risk.
    """
    if times.min() < 0:
        row = int(np.argmin(times))
        raise DataError(
            f"{table.source}: time {target!r} must be >= 0; data row {table.row_number(row)} is {times[row]:g}"
        )
    events = np.ones(len(times)) if event is None else np.asarray(_numbers(table, event, "event"), dtype=np.float64)
    wrong = ~np.isin(events, (0.0, 1.0))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{table.source}: event {event!r} must be 1, or 0 where the time is censored; data row "
            f"{table.row_number(row)} is {events[row]:g}"
        )
    if not events.any():
        raise DataError(f"{table.source}: event {event!r} is 0 in every row: there is nothing to learn from")
    codes = None if strata is None else read_labels(table, strata, "strata")
    if not _has_company(times, events, np.zeros(len(times), np.intp) if codes is None else codes):
        within = "" if strata is None else f" of its stratum {strata!r}"
        raise DataError(
            f"{table.source}: at no event was another row{within} at risk: there is nothing to learn from"
            + ("" if strata is None else "; name a column whose values repeat")
        )
    return np.column_stack([times, events] if codes is None else [times, events, codes.astype(np.float64)])


def _has_company(times: np.ndarray, events: np.ndarray, strata: np.ndarray) -> bool:
    """Whether some event is not that of the one row that is left in its stratum."""
    last = np.zeros(strata.max() + 1)
    np.maximum.at(last, strata, times)
    at_the_end = times == last[strata]
    alone = at_the_end & (np.bincount(strata[at_the_end], minlength=len(last))[strata] == 1)
    return bool((events.astype(bool) & ~alone).any())


def read_labels(table: Table, name: str, role: str) -> np.ndarray:
    """Codes (n_rows,) of a column whose order, or whose sameness, matters: numbers or text."""
    column = table.column(name, f"{role} column")
    where = f"{table.source}: {role} {name!r}"
    if column.kind not in ("number", "boolean", "category"):
        raise DataError(f"{where} must be numbers or text; the column is {column.kind}: make a number of it")
    if column.missing.any():
        raise DataError(f"{where} must not be missing; data row {table.row_number(np.argmax(column.missing))} is")
    return np.unique(column.values, return_inverse=True)[1]


@dataclass(frozen=True)
class Treatment:
    """What is asked of some columns: no penalty, or bounds on the coefficients of all that a column makes.

    Attributes
    ----------
    free : tuple of str
        Columns.
    lower, upper : tuple of str
        A number for all columns that are not free, or COL=NUMBER.
    groups : tuple of str
        COL,COL: columns whose features are one group.
    """

    free: tuple[str, ...] = ()
    lower: tuple[str, ...] = ()
    upper: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    gamma: float | None = None

    def stated(self, setting: dict[str, Any], recipe: Recipe, table: Table, partial: bool = False) -> dict[str, Any]:
        """Keyword arguments of `path`: the setting, where a penalty is a name, and what is asked of columns."""
        asked = self.arguments(recipe, table, partial)
        if "penalty" not in setting:
            return {**setting, **asked}
        factors = asked.pop("penalty_factor", None)
        if setting["penalty"] == "group":
            groups = self.members(recipe, table, partial)
            made: Any = GroupL2(1.0, [places for places in groups if len(places)])
        elif setting["penalty"] == "slope":
            n_penalized = len(recipe.feature_names) if factors is None else np.count_nonzero(factors)
            made = SortedL1(1.0, bh_weights(int(n_penalized)), factors)
        else:
            kind = {"mcp": MCP, "scad": SCAD}[setting["penalty"]]
            made = kind(1.0, factors=factors, **({} if self.gamma is None else {"gamma": self.gamma}))
        return {**setting, **asked, "penalty": made}

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
                own = (dict.fromkeys(self.free, none) if every is not None else {}) | own
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
            value = np.nan
        if np.isnan(value):
            raise ArgumentError(f"--{side} must be a number, or COL=NUMBER; got {text!r}")
        whose = f"column {name!r}" if named else "all columns"
        if value > 0 if side == "lower" else value < 0:
            what = "<= 0" if side == "lower" else ">= 0"
            raise ArgumentError(f"--{side} must be {what}, for 0 lies within the bounds; got {number} for {whose}")
        if name in own if named else every is not None:
            raise ArgumentError(f"--{side} must bound a column once; got two bounds for {whose}")
        if named:
            own[name] = value
        else:
            every = value
    return every, own
