"""The column to be predicted, and the loss that suits it."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkage._errors import DataError
from shrinkage.tables._table import Column, Table

OF_CLASSES = ("auto", "logistic", "multinomial")


@dataclass(frozen=True)
class Target:
    """What is predicted.

    Attributes
    ----------
    name : str
    loss : str
        "logistic", "multinomial", or a loss of numbers: "squared", "poisson", "huber", ...
    classes : tuple of str
        For logistic (the class that counts as 0, the class whose probability is modeled), for multinomial all classes
        in the order of their codes; () for numbers.
    reason : str
        Why this loss, as a sentence.
    """

    name: str
    loss: str
    classes: tuple[str, ...]
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        return {"column": self.name, "loss": self.loss, "classes": list(self.classes), "reason": self.reason}

    @classmethod
    def from_dict(cls, form: dict[str, Any]) -> "Target":
        """The inverse of `to_dict`."""
        return cls(form["column"], form["loss"], tuple(form["classes"]), form["reason"])


def read_target(
    table: Table, name: str, loss: str = "auto", positive: str | None = None, many_classes: bool = False
) -> tuple[Target, np.ndarray]:
    """Read the target, and choose its loss.

    Parameters
    ----------
    table : Table
    name : str
    loss : "auto", "logistic", "multinomial", or the name of a loss of numbers, such as "squared"
        "auto" takes logistic for two distinct values and for `positive`, squared for other numbers. "multinomial"
        takes every distinct value as a class; for two it is logistic.
    positive : str, optional
        The class whose probability is modeled, against all others together.
    many_classes : bool, default False
        Whether "auto" may take multinomial, for text of more than two distinct values.

    Returns
    -------
    target : Target
    y : ndarray of shape (n_rows,), float64
        0 and 1 for logistic, the place among the classes for multinomial.

    Raises
    ------
    DataError
        If the column is unknown, has missing values, one value only, or does not suit the loss.

    Examples
    --------
    >>> import pandas as pd
    >>> from shrinkage.tables import table_of
    >>> table = table_of(pd.DataFrame({"kind": ["low", "high", "middle", "low", "high", "middle"]}))
    >>> target, y = read_target(table, "kind", many_classes=True)
    >>> target.loss, target.classes, y.tolist()
    ('multinomial', ('high', 'low', 'middle'), [1.0, 0.0, 2.0, 1.0, 0.0, 2.0])
    """
    column = table.column(name, "target")
    where = f"{table.source}: target {name!r}"
    if column.kind not in ("number", "boolean", "category"):
        raise DataError(f"{where} holds no numbers, booleans or classes ({column.kind})")
    if column.missing.any():
        row = table.row_number(np.argmax(column.missing))
        count = int(column.missing.sum())
        many = f"{count} row{'s' * (count > 1)}"
        raise DataError(f"{where} is missing in {many}, first in data row {row}; remove these rows")
    values = np.unique(column.values)
    if len(values) == 1:
        raise DataError(f"{where} is {column.texts()[0]!r} in every row: there is nothing to predict")
    if positive is not None:
        if loss not in OF_CLASSES:
            raise DataError(f"{where}: a positive class has no meaning for the {loss} loss; use loss logistic")
        return _against_the_rest(column, name, positive, where)
    if column.kind == "category" and loss == "auto" and len(values) > 2 and _mostly_numbers(column):
        raise DataError(_no_numbers(table, column, "squared"))
    text_of_many = many_classes and loss == "auto" and column.kind == "category"
    if len(values) > 2 and (loss == "multinomial" or text_of_many):
        return _many_classes(column, name, values, where, loss)
    loss = "logistic" if loss == "multinomial" else loss
    if loss == "logistic" or (loss == "auto" and (len(values) == 2 or column.kind == "category")):
        return _two_classes(table, column, name, values, loss)
    measure = "squared" if loss == "auto" else loss
    if column.kind == "category":
        raise DataError(_no_numbers(table, column, measure))
    given = "asked for" if loss != "auto" else f"{name!r} is a number"
    reason = f"{measure.replace('_', ' ')} loss: {given}"
    return Target(name, measure, (), reason), np.asarray(column.values, dtype=np.float64)


def _no_numbers(table: Table, column: Column, measure: str) -> str:
    """That a loss of numbers met text: the first of it, and what would be right."""
    texts = column.texts()
    first = next(row for row, text in enumerate(texts) if not _is_number(text))
    if any(map(_is_number, texts)):
        remedy = "correct it, or leave the row out"
    elif len(column.levels) == 2:
        remedy = "use loss logistic"
    else:
        one = "name a column of numbers, or one class to model against the rest (--positive)"
        remedy = f"{one}, or use loss multinomial"
    what = f"numbers for the {measure.replace('_', ' ')} loss"
    where = f"{table.source}: target {column.name!r}"
    return f"{where} must be {what}; data row {table.row_number(first)} is {texts[first]!r}: {remedy}"


def _is_number(text: str | None) -> bool:
    try:
        return math.isfinite(float(text or ""))
    except ValueError:
        return False


def _mostly_numbers(column: Column) -> bool:
    return 2 * sum(map(_is_number, column.texts())) > len(column.values)


def _two_classes(table: Table, column: Column, name: str, values: np.ndarray, loss: str) -> tuple[Target, np.ndarray]:
    where = f"{table.source}: target {name!r}"
    if len(values) > 2:
        what = _few(column.levels) if column.kind == "category" else f"from {values[0]:g} to {values[-1]:g}"
        text = column.kind == "category"
        one = "name one class to model against the rest (--positive)"
        remedy = f"{one}, or use loss multinomial" if text else "use loss squared, or multinomial for classes"
        raise DataError(f"{where} has {len(values)} different values ({what}), logistic loss takes 2; {remedy}")
    texts = column.texts(np.array([np.argmax(column.values == value) for value in values]))
    classes = tuple(str(text) for text in texts)
    given = "asked for" if loss == "logistic" else f"{name!r} has two values"
    reason = f"logistic loss: {given}; the probability of {classes[1]!r} is modeled, {classes[0]!r} counts as 0"
    return Target(name, "logistic", classes, reason), (column.values == values[1]).astype(np.float64)


def _many_classes(column: Column, name: str, values: np.ndarray, where: str, loss: str) -> tuple[Target, np.ndarray]:
    if len(values) > len(column.values) / 2:
        raise DataError(
            f"{where} has {len(values)} different values in {len(column.values)} rows, too many to be classes; "
            "name a column whose values repeat, or use loss squared for a number"
        )
    places = np.searchsorted(values, column.values)
    texts = column.texts(np.array([np.argmax(places == code) for code in range(len(values))]))
    given = "asked for" if loss == "multinomial" else f"{name!r} has {len(values)} values"
    reason = f"multinomial loss: {given}; the probability of every class is modeled"
    return Target(name, "multinomial", tuple(str(text) for text in texts), reason), places.astype(np.float64)


def _against_the_rest(column: Column, name: str, positive: str, where: str) -> tuple[Target, np.ndarray]:
    texts = [str(text) for text in column.texts()]
    if positive not in texts:
        raise DataError(f"{where} has no class {positive!r}; its values are {_few(sorted(set(texts)))}")
    others = sorted(set(texts) - {positive})
    rest = others[0] if len(others) == 1 else f"not {positive}"
    reason = f"logistic loss: the probability of {positive!r} is modeled against the rest ({len(others)} other values)"
    return Target(name, "logistic", (rest, positive), reason), np.array([float(text == positive) for text in texts])


def _few(levels, many: int = 6) -> str:
    return ", ".join(repr(level) for level in levels[:many]) + (", ..." if len(levels) > many else "")


def read_weights(table: Table, name: str) -> np.ndarray:
    """Row weights from a column.

    Raises
    ------
    DataError
        If the column is unknown, not numeric, or holds missing or negative values, or only zeros.
    """
    column = table.column(name, "weights column")
    where = f"{table.source}: weights {name!r}"
    if column.kind != "number":
        raise DataError(f"{where} must be numbers >= 0; the column is {column.kind}")
    bad = ~(column.values >= 0)
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(f"{where} must be >= 0 and not missing; data row {row + 1} is {column.values[row]:g}")
    if not column.values.any():
        raise DataError(f"{where} are 0 in every row; at least one must be > 0")
    return column.values
