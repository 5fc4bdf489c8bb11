"""Data for a network: rows kept for the final figure, a recipe and scales learned on all others."""

import hashlib
from collections import Counter
from dataclasses import dataclass

import numpy as np

from shrinkage._errors import DataError
from shrinkage.cli._prepare import Prepared, refuse_huge
from shrinkage.cli._train_request import TrainRequest
from shrinkage.tables import CategoryRule, Recipe, Table, Target, read, read_target

FEWEST_ROWS = 20


@dataclass(frozen=True)
class Rows:
    """The data of a request, parted once and for all.

    Attributes
    ----------
    table : Table
        All rows.
    target : Target
    y : ndarray of shape (n_rows,)
        Numbers, or codes of classes.
    chosen_on, tested_on : ndarray of int
        Rows that choice and training may see, and rows that only the final figure sees.
    recipe : Recipe
        Learned on `chosen_on`.
    X : ndarray of shape (n_rows, n_features)
        What the recipe makes of all rows.
    center, scale : ndarray of shape (n_features,)
        Mean and standard deviation over `chosen_on`; 1 where a column is constant.
    response : (float, float)
        Mean and standard deviation of a number to be predicted over `chosen_on`; (0, 1) for classes.
    notes : tuple of str
    """

    table: Table
    target: Target
    y: np.ndarray
    chosen_on: np.ndarray
    tested_on: np.ndarray
    recipe: Recipe
    X: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    response: tuple[float, float]
    notes: tuple[str, ...]

    @property
    def is_class(self) -> bool:
        """Whether classes are predicted."""
        return self.target.loss != "squared"

    @property
    def n_outputs(self) -> int:
        """Outputs of a network."""
        return len(self.target.classes) if self.is_class else 1

    def inputs(self, rows: np.ndarray) -> np.ndarray:
        """Standardized columns of these rows, float32."""
        return ((self.X[rows] - self.center) / self.scale).astype(np.float32)

    def targets(self, rows: np.ndarray) -> np.ndarray:
        """What a network is to say of these rows: codes (n,), or standardized numbers (n, 1)."""
        if self.is_class:
            return self.y[rows].astype(np.int64)
        return ((self.y[rows] - self.response[0]) / self.response[1]).astype(np.float32)[:, None]

    def fingerprint(self) -> str:
        """A checksum of what the training sees, so that a run goes on with the same data only."""
        digest = hashlib.sha256(repr((self.recipe.feature_names, self.target.classes)).encode())
        for part in (self.X, self.y, self.chosen_on):
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

    def for_linear(self) -> Prepared:
        """The rows of the choice, as `fit` prepares them."""
        rows = self.chosen_on
        X = np.asfortranarray(self.X[rows])
        table, target, scale = self.table.take(rows), self.target, X.std(axis=0)
        return Prepared(table, target, self.y[rows], None, self.recipe, X, scale, (), target.loss)


def prepare_rows(request: TrainRequest) -> Rows:
    """Read the data, choose the loss, hold rows out, learn the recipe on the others."""
    table = read(request.data, unread=request.drop)
    for name in request.drop:
        table.column(name, "column to drop")
    refuse_huge(table, {*request.drop})
    target, y = read_target(table, request.target, request.loss, request.positive, many_classes=True)
    if table.n_rows < FEWEST_ROWS:
        raise DataError(
            f"{table.source} has {table.n_rows} rows; a network that is trained, chosen and tested on different rows "
            f"needs at least {FEWEST_ROWS}: `shrinkage fit` makes do with fewer"
        )
    tested_on = hold_out(y, request.test, request.seed, by_class=target.loss != "squared")
    chosen_on = np.setdiff1d(np.arange(len(y)), tested_on)
    _refuse_lost(table, target, y[chosen_on])
    recipe = Recipe.learn(table.take(chosen_on), {request.target, *request.drop})
    X, unseen = recipe.apply(table)
    center, scale = X[chosen_on].mean(axis=0), X[chosen_on].std(axis=0)
    flat = ~(scale > 1e-12 * np.maximum(np.abs(center), 1e-300))
    if flat.all():
        raise DataError(f"{table.source}: every column has one value only; there is nothing to learn from")
    response = (0.0, 1.0)
    if target.loss == "squared":
        response = (float(y[chosen_on].mean()), float(y[chosen_on].std()))
    notes = [target.reason[0].upper() + target.reason[1:] + ".", *_doubts(table, target, y)]
    notes += [f"Column {name!r} is not used: {reason}." for name, reason in recipe.dropped]
    notes += [f"In the rows held out, {note}." for note in unseen]
    notes += _how(recipe, flat)
    return Rows(
        table=table,
        target=target,
        y=y,
        chosen_on=chosen_on,
        tested_on=tested_on,
        recipe=recipe,
        X=X,
        center=center,
        scale=np.where(flat, 1.0, scale),
        response=response,
        notes=tuple(notes),
    )


def hold_out(y: np.ndarray, share: float, seed: int, by_class: bool) -> np.ndarray:
    """Rows, rising, that are a share of all: evenly spaced ones of a random order, in which classes stand together.

    So of every class that share is taken, but for less than one row.
    """
    n_rows = len(y)
    taken = int(n_rows * share + 1e-9)
    if not 1 < taken < n_rows - 1:
        raise DataError(f"--test {share:g} of {n_rows} rows is {taken}; at least 2 must be held out, and 2 left")
    order = np.random.default_rng(seed).permutation(n_rows)
    if by_class:
        order = order[np.argsort(y[order], kind="stable")]
    place = np.arange(n_rows + 1) * taken // n_rows
    return np.sort(order[place[1:] > place[:-1]])


def _refuse_lost(table: Table, target: Target, y: np.ndarray) -> None:
    """Refuse a training that would have one value only."""
    if len(np.unique(y)) == 1:
        raise DataError(
            f"{table.source}: outside the rows held out, target {target.name!r} has one value only; "
            "give more rows, or another --seed or --test"
        )


def _doubts(table: Table, target: Target, y: np.ndarray) -> list[str]:
    """What may have been meant otherwise, and classes too small to learn."""
    if target.loss == "squared":
        values = np.unique(y)
        if len(values) <= min(20, table.n_rows / 10) and (values == np.round(values)).all():
            return [
                f"{target.name!r} has {len(values)} whole values only: if they are names of classes, "
                "ask with --loss multinomial."
            ]
        return []
    counts = Counter(y.astype(int).tolist())
    rare = [target.classes[code] for code, count in sorted(counts.items()) if count < 5]
    if not rare:
        return []
    named = ", ".join(repr(name) for name in rare[:6]) + (", ..." if len(rare) > 6 else "")
    return [f"Fewer than 5 rows of {named}: too few to learn or to test."]


def _how(recipe: Recipe, flat: np.ndarray) -> list[str]:
    """What was done to the columns."""
    notes = ["Columns are standardized by the rows that are not held out; the saved network does it by itself."]
    if flat.any():
        names = [name for name, one in zip(recipe.feature_names, flat, strict=True) if one]
        listed = ", ".join(repr(name) for name in names[:6]) + (", ..." if len(names) > 6 else "")
        notes.append(f"One value only, so without effect: {listed}.")
    if any(r.missing if isinstance(r, CategoryRule) else r.indicator for r in recipe.rules):
        notes.append(
            "Missing numbers become the mean of the rows that are not held out, with an indicator column; missing "
            "categories are a level of their own."
        )
    return notes
