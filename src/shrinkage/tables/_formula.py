"""A formula read against a table, by formulaic: columns with names, and the same columns of other rows."""

import re
import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from shrinkage._errors import ArgumentError, DataError, MissingExtraError


@dataclass(frozen=True, eq=False, repr=False)
class FormulaData:
    """What a formula makes of a table.

    Attributes
    ----------
    formula : str
    X : pandas.DataFrame of shape (n_samples, n_features), float64
        Columns with names, without one for the intercept.
    y : ndarray of shape (n_samples,), float64, or None
        The left side; None where the formula has none.
    fit_intercept : bool
        False where the formula says `0 +` or `- 1`.
    """

    formula: str
    X: Any
    y: np.ndarray | None
    fit_intercept: bool
    _spec: Any

    def __repr__(self) -> str:
        return f"<FormulaData: {self.formula}; {self.X.shape[0]} rows, {self.X.shape[1]} features>"

    def columns_of(self, frame: Any) -> Any:
        """The same columns of other rows, pandas.DataFrame (n_rows, n_features), with levels and knots of the first.

        A level that the first rows do not have is 0 in every column, with a warning that names it.

        Raises
        ------
        DataError
            If a variable is missing, or the formula cannot be read there.
        """
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                columns = _without_intercept(self._spec.get_model_matrix(frame, na_action="raise"))
            except Exception as error:  # of formulaic, pandas or what a formula calls
                what = f"formula {self.formula!r} cannot be read against these rows"
                raise DataError(f"{what}: {_said(error)}") from error
        new = [level for each in told for level in _new_levels(each)]
        if new:
            what = f"formula {self.formula!r} meets levels that its own rows do not have, {', '.join(new)}"
            warnings.warn(f"{what}: they are 0 in every column", UserWarning, stacklevel=2)
        return columns


def read_formula(formula: str, frame: Any) -> FormulaData:
    """Read a formula such as "claims ~ age + C(site) + bs(power, df=4)" against a table.

    A category has a column for every level: with a penalty none needs to be the reference. Missing values are refused:
    rows that left silently would no longer match weights and offsets.

    Parameters
    ----------
    formula : str
        In the grammar of formulaic, with its functions: log, poly, bs, C and others.
    frame : pandas.DataFrame, or another table that formulaic reads

    Returns
    -------
    FormulaData
        For `path(data.X, data.y, fit_intercept=data.fit_intercept)`, or `fit` of an estimator; a model of it predicts
        `data.columns_of(other)`.

    Raises
    ------
    MissingExtraError
        If formulaic is not installed.
    ArgumentError, DataError
        If the formula cannot be parsed, or not be read against the table.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"y": [1.0, 2.0, 4.0], "dose": [0.5, 1.0, 2.0], "kind": ["a", "b", "a"]})
    >>> data = read_formula("y ~ dose + kind", frame)  # doctest: +SKIP
    >>> list(data.X.columns)  # doctest: +SKIP
    ['dose', 'kind[a]', 'kind[b]']
    """
    try:
        formulaic: Any = import_module("formulaic")
    except ImportError as error:
        raise MissingExtraError("formulas need formulaic: pip install 'shrinkage[formula]'") from error
    if not isinstance(formula, str):
        raise ArgumentError(f"formula must be a text such as 'y ~ x'; got {type(formula).__name__}")
    try:
        parsed = formulaic.Formula(formula)
    except Exception as error:
        raise ArgumentError(f"formula {formula!r} cannot be parsed: {_said(error)}") from error
    try:
        made: Any = formulaic.model_matrix(parsed, frame, ensure_full_rank=False, na_action="raise", output="pandas")
    except Exception as error:
        raise DataError(f"formula {formula!r} cannot be read against the table: {_said(error)}") from error
    sided = hasattr(made, "rhs")
    right = made.rhs if sided else made
    y = None
    if sided:
        left = np.asarray(made.lhs, dtype=np.float64)
        if left.ndim == 2 and left.shape[1] != 1:
            raise DataError(
                f"formula {formula!r} must have one number on its left side; it makes {left.shape[1]} columns"
            )
        y = left.reshape(-1)
    X = _without_intercept(right)
    if not X.shape[1]:
        raise ArgumentError(f"formula {formula!r} has no column besides the intercept")
    return FormulaData(formula, X, y, "Intercept" in right.columns, right.model_spec)


def _without_intercept(matrix: Any) -> Any:
    import pandas as pd

    return pd.DataFrame(matrix).drop(columns="Intercept", errors="ignore").astype(np.float64)


def _new_levels(told: warnings.WarningMessage) -> list[str]:
    """The levels that formulaic warns of, as it writes them."""
    if told.category.__name__ != "DataMismatchWarning":
        return []
    named = re.search(r"\{(.*)\}", str(told.message))
    return [named.group(1)] if named else []


def _said(error: Exception) -> str:
    """The first line of what another package says: the rest is drawn for a terminal."""
    return str(error).partition("\n")[0].rstrip(".")
