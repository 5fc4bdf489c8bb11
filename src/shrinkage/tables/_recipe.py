"""From a table to numbers: learned on training rows, applied to any rows, saved as JSON."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkage._errors import DataError
from shrinkage.tables._table import NUMERIC_KINDS, Column, Table

MISSING = "(missing)"
REFUSED = {
    "date": "it holds dates or times; turn it into a number (days since a start) to use it",
    "empty": "every value is missing",
    "unnamed": "it has no name; an index that was saved with the table?",
    "other": "it holds lists, bytes or records; only numbers, booleans and text can be used",
}
MANY_LEVELS = 50


@dataclass(frozen=True)
class NumberRule:
    """A number or boolean as it is; a missing one is `mean`, and `indicator` adds a column that says so."""

    name: str
    kind: str
    mean: float
    indicator: bool

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns made."""
        return (self.name, f"{self.name} {MISSING}") if self.indicator else (self.name,)


@dataclass(frozen=True)
class CategoryRule:
    """A category as one 0/1 column per level; `missing` makes an absent value a level of its own."""

    name: str
    levels: tuple[str, ...]
    missing: bool

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns made."""
        return tuple(f"{self.name}={level}" for level in (*self.levels, *([MISSING] if self.missing else [])))


Rule = NumberRule | CategoryRule


@dataclass(frozen=True)
class Recipe:
    """How a table becomes a matrix.

    Numbers stay as they are, booleans are 0 and 1. A category becomes one 0/1 column for **every** level: with a
    penalty no level has to be the reference, and leaving one out would shrink the others towards it. A missing number
    becomes the mean of the training rows, with an indicator column if the training rows miss some; a missing category
    is a level of its own. A level that the training rows do not have is encoded as zeros.

    Attributes
    ----------
    rules : tuple of NumberRule and CategoryRule
    dropped : tuple of (str, str)
        Columns that are not used, each with the reason.

    Examples
    --------
    >>> import pandas as pd
    >>> from shrinkage.tables import table_of
    >>> table = table_of(pd.DataFrame({"dose": [1.0, None, 3.0], "color": ["red", "blue", "red"]}))
    >>> recipe = Recipe.learn(table)
    >>> recipe.feature_names
    ('dose', 'dose (missing)', 'color=blue', 'color=red')
    >>> X, notes = recipe.apply(table)
    >>> X[1].tolist()
    [2.0, 1.0, 1.0, 0.0]
    """

    rules: tuple[Rule, ...]
    dropped: tuple[tuple[str, str], ...] = ()

    @classmethod
    def learn(cls, table: Table, exclude: Collection[str] = (), weights: np.ndarray | None = None) -> "Recipe":
        """Decide for every column but those of `exclude`, and learn means and levels.

        Parameters
        ----------
        table : Table
        exclude : collection of str
        weights : ndarray of shape (n_rows,), optional
            For the means.

        Raises
        ------
        DataError
            If no column is left.
        """
        rules: list[Rule] = []
        dropped: list[tuple[str, str]] = []
        for column in table.columns:
            if column.name in exclude:
                continue
            reason = _reason_to_drop(column, table)
            if reason:
                dropped.append((column.name, reason))
            else:
                rules.append(_learn(column, column.kind == "category", None, weights))
        if not rules:
            reasons = "; ".join(f"{name!r}: {reason}" for name, reason in dropped)
            raise DataError(f"{table.source} has no column to learn from" + (f" ({reasons})" if reasons else ""))
        return cls(tuple(rules), tuple(dropped))

    def relearn(self, table: Table, rows: np.ndarray, weights: np.ndarray | None = None) -> "Recipe":
        """The same columns, with means and levels of `rows` only: what a fold may know."""
        rules = []
        for rule in self.rules:
            column = table.column(rule.name)
            if not column.missing[rows].all():
                rules.append(_learn(column, isinstance(rule, CategoryRule), rows, weights))
        return Recipe(tuple(rules), self.dropped)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns of the matrix; if two agree, later ones are numbered."""
        seen: Counter[str] = Counter()
        names = []
        for name in (feature for rule in self.rules for feature in rule.features):
            seen[name] += 1
            names.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
        return tuple(names)

    @property
    def text_columns(self) -> tuple[str, ...]:
        """Columns to be read as text."""
        return tuple(rule.name for rule in self.rules if isinstance(rule, CategoryRule))

    def apply(self, table: Table, rows: np.ndarray | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
        """The matrix, and sentences about what was new in these rows.

        Returns
        -------
        X : ndarray of shape (n_rows, n_features), float64, Fortran order
        notes : tuple of str
            Levels never met in training, missing values where training had none.

        Raises
        ------
        DataError
            If a column is absent or holds text where numbers are needed.
        """
        n_rows = table.n_rows if rows is None else len(rows)
        X = np.zeros((n_rows, sum(len(rule.features) for rule in self.rules)), order="F")
        notes: list[str] = []
        place = 0
        for rule in self.rules:
            block = X[:, place : place + len(rule.features)]
            column = table.column(rule.name)
            if isinstance(rule, CategoryRule):
                _fill_category(block, rule, column, rows, n_rows, notes)
            else:
                _fill_number(block, rule, column, rows, table.source, notes)
            place += len(rule.features)
        return X, tuple(notes)

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        return {
            "rules": [
                {"column": rule.name, "kind": "category", "levels": list(rule.levels), "missing": rule.missing}
                if isinstance(rule, CategoryRule)
                else {"column": rule.name, "kind": rule.kind, "mean": rule.mean, "indicator": rule.indicator}
                for rule in self.rules
            ],
            "dropped": [list(pair) for pair in self.dropped],
        }

    @classmethod
    def from_dict(cls, form: dict[str, Any]) -> "Recipe":
        """The inverse of `to_dict`."""
        rules: list[Rule] = [
            CategoryRule(rule["column"], tuple(rule["levels"]), rule["missing"])
            if rule["kind"] == "category"
            else NumberRule(rule["column"], rule["kind"], float(rule["mean"]), rule["indicator"])
            for rule in form["rules"]
        ]
        return cls(tuple(rules), tuple((name, reason) for name, reason in form["dropped"]))


def _learn(column: Column, categorical: bool, rows: np.ndarray | None, weights: np.ndarray | None) -> Rule:
    values = column.values if rows is None else column.values[rows]
    missing = column.missing if rows is None else column.missing[rows]
    if categorical:
        used = np.unique(values[~missing])
        return CategoryRule(column.name, tuple(column.levels[code] for code in used.tolist()), bool(missing.any()))
    present = None if weights is None else (weights if rows is None else weights[rows])[~missing]
    usable = present is not None and present.sum() > 0
    mean = float(np.average(values[~missing], weights=present if usable else None))
    return NumberRule(column.name, column.kind, mean, bool(missing.any()))


def _reason_to_drop(column: Column, table: Table) -> str | None:
    """Why a column cannot be used, or None; text that is nearly all numbers is refused instead."""
    if column.kind in REFUSED:
        return REFUSED[column.kind]
    if column.kind != "category" or table.n_rows < 3:
        return None
    n_present, n_levels = int((~column.missing).sum()), len(column.levels)
    _refuse_polluted_numbers(column, table)
    if n_levels <= 2 or n_levels <= n_present / 2 or not (n_levels == n_present or n_levels > MANY_LEVELS):
        return None
    return f"it is text with {n_levels} different values in {n_present} rows (names or identifiers?)"


def _refuse_polluted_numbers(column: Column, table: Table) -> None:
    """Refuse text that is nearly all different numbers: one typing error would make a category of a number."""
    odd = [level for level in column.levels if not _is_number(level)]
    if len(column.levels) > 10 and 0 < len(odd) <= 0.1 * len(column.levels):
        row = table.row_number(np.argmax(column.values == column.levels.index(odd[0])))
        raise DataError(
            f"{table.source}: column {column.name!r} is numbers but for {len(odd)} of its values, first {odd[0]!r} in "
            f"data row {row}; correct them, leave them empty for missing, or drop the column"
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _fill_category(block, rule: CategoryRule, column: Column, rows, n_rows: int, notes: list[str]) -> None:
    if column.kind not in ("category", *NUMERIC_KINDS):
        texts: list[str | None] = [None] * n_rows
    else:
        texts = column.texts(rows)
    places: dict[str | None, int] = {level: place for place, level in enumerate(rule.levels)}
    if rule.missing:
        places[None] = len(rule.levels)
    unseen: Counter[str] = Counter()
    n_missing = 0
    for row, text in enumerate(texts):
        place = places.get(text)
        if place is not None:
            block[row, place] = 1.0
        elif text is None:
            n_missing += 1
        else:
            unseen[text] += 1
    for level, count in sorted(unseen.items()):
        many = f"{count} row{'s' * (count > 1)}"
        notes.append(f"column {rule.name!r}: level {level!r} was not in the training rows; {many} encoded as zeros")
    if n_missing:
        notes.append(
            f"column {rule.name!r}: {n_missing} missing, though no training row was; encoded as zeros, as unseen levels"
        )


def _fill_number(block, rule: NumberRule, column: Column, rows, source: str, notes: list[str]) -> None:
    if column.kind == "category":
        row = next(place for place, text in enumerate(column.texts()) if text is not None and not _is_number(text))
        raise DataError(
            f"{source}: column {rule.name!r} must hold numbers, as in training; "
            f"data row {row + 1} is {column.texts()[row]!r}"
        )
    if column.kind == "empty":
        values = np.full(len(block), np.nan)
    elif column.kind not in NUMERIC_KINDS:
        raise DataError(f"{source}: column {rule.name!r} must hold numbers, as in training; {REFUSED[column.kind]}")
    else:
        values = column.values if rows is None else column.values[rows]
    missing = np.isnan(values)
    block[:, 0] = np.where(missing, rule.mean, values)
    if rule.indicator:
        block[:, 1] = missing
    elif missing.any():
        notes.append(
            f"column {rule.name!r}: {int(missing.sum())} missing, though no training row was; "
            f"replaced by the training mean {rule.mean:.6g}"
        )
