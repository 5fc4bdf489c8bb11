"""The data of a request, read and ready to be fitted."""

from dataclasses import dataclass, replace

import numpy as np

from shrinkage._errors import ArgumentError, DataError
from shrinkage.cli._folds import NOTHING
from shrinkage.cli._losses import check_numbers, check_parameters, check_score, stated_loss
from shrinkage.cli._request import Request
from shrinkage.cli._rows import Treatment, read_offset, survival
from shrinkage.losses import JointLoss, Loss, Multinomial
from shrinkage.tables import CategoryRule, Recipe, Table, Target, read, read_target, read_weights

LARGEST = 1e60
CONCAVE = ("mcp", "scad")
OF_ROWS = ("group", "mcp", "scad", "slope")
"""Penalties for losses with one predictor a row, that take no bounds."""


@dataclass(frozen=True)
class Prepared:
    """The data of a request, ready to be fitted."""

    table: Table
    target: Target
    y: np.ndarray
    weights: np.ndarray | None
    recipe: Recipe
    X: np.ndarray
    scale: np.ndarray
    notes: tuple[str, ...]
    loss: Loss | JointLoss | Multinomial | str
    offset: np.ndarray | None = None
    treatment: Treatment = NOTHING

    @property
    def has_missing(self) -> bool:
        """Whether a used column misses values, so that the recipe must be learned anew in every fold."""
        return any(r.missing if isinstance(r, CategoryRule) else r.indicator for r in self.recipe.rules)


def prepare(request: Request) -> Prepared:
    """Read the data, choose the loss, learn the recipe."""
    _check_roles(request)
    table = read(request.data, unread=request.drop)
    for name in request.drop:
        table.column(name, "column to drop")
    refuse_huge(table, {*request.drop})
    weights, notes = None, []
    if request.weights is not None:
        weights = read_weights(table, request.weights)
        kept = np.flatnonzero(weights > 0)
        if len(kept) < len(weights):
            notes.append(f"{len(weights) - len(kept)} rows of weight 0 are left out.")
            table, weights = table.take(kept), weights[kept]
    target, y = read_target(table, request.target, request.loss.replace("-", "_"), request.positive, many_classes=True)
    check_parameters(target.loss, request.parameters)
    check_score(request.score, target.loss)
    y = y if target.loss != "cox" else survival(table, request.target, y, request.event, request.strata)
    _check_survival(request, target.loss)
    _check_classes(request, target.loss)
    offset = read_offset(table, request.offset, request.exposure)
    recipe = Recipe.learn(table, {*request.roles, *request.drop}, weights)
    treatment = Treatment(request.free, request.lower, request.upper, request.groups, request.gamma)
    _check_groups(request, treatment, recipe, table)
    factors = treatment.arguments(recipe, table).get("penalty_factor")
    X, _ = recipe.apply(table)
    center = np.average(X, axis=0, weights=weights)
    scale = np.sqrt(np.average((X - center) ** 2, axis=0, weights=weights))
    if not scale.any():
        raise DataError(f"{table.source}: every column has one value only; there is nothing to learn from")
    notes = [target.reason[0].upper() + target.reason[1:] + ".", *notes]
    notes += [f"Column {name!r} is not used: {reason}." for name, reason in recipe.dropped]
    about = {"standardize": request.standardize, "sample_weight": weights, "offset": offset, "penalty_factor": factors}
    loss, words = stated_loss(target.loss, request.parameters, X, y, about)
    check_numbers(loss, y, table, request.target)
    target = replace(target, reason=target.reason + words)
    notes[0] = target.reason[0].upper() + target.reason[1:] + "."
    return Prepared(table, target, y, weights, recipe, X, scale, tuple(notes), loss, offset, treatment)


def _check_roles(request: Request) -> None:
    options = ("weights", "offset", "exposure", "group_folds", "time_folds", "event", "strata", "drop", "free")
    for option in options:
        if request.target in np.atleast_1d(getattr(request, option) or ()):
            flag = f"--{option.replace('_', '-')}"
            raise ArgumentError(f"{flag} must name another column than --target; got {request.target!r} for both")


def _check_survival(request: Request, loss: str) -> None:
    for name in ("event", "strata") if loss != "cox" else ():
        if getattr(request, name) is not None:
            raise ArgumentError(f"--{name} is of censored times and needs --loss cox; the loss is {loss}")
    own = [penalty for penalty in request.penalties if penalty in OF_ROWS]
    if loss == "cox" and own:
        raise ArgumentError(f"--penalty {own[0]} takes losses of one row; with --loss cox choose from l1, l2, elastic")


def _check_classes(request: Request, loss: str) -> None:
    if loss != "multinomial":
        return
    for name in ("offset", "exposure"):
        if getattr(request, name) is not None:
            raise ArgumentError(
                f"--{name} would add the same to every class, which changes no probability; leave it out, or model one "
                "class with --positive"
            )
    own = [penalty for penalty in request.penalties if penalty in OF_ROWS]
    if own:
        raise ArgumentError(
            f"--penalty {own[0]} takes one predictor a row; for several classes choose from l1, l2, elastic"
        )


def _check_groups(request: Request, treatment: Treatment, recipe: Recipe, table: Table) -> None:
    if request.groups and "group" not in request.penalties:
        raise ArgumentError("--groups needs group among the penalties: --penalty group")
    own = [penalty for penalty in request.penalties if penalty in OF_ROWS]
    if own and (request.lower or request.upper):
        raise ArgumentError(f"--lower and --upper go with l1, l2 and elastic: leave {', '.join(own)} out of --penalty")
    if request.gamma is not None and not {*CONCAVE} & {*request.penalties}:
        raise ArgumentError("--gamma is of the penalties mcp and scad; got it with " + ", ".join(request.penalties))
    treatment.members(recipe, table)


def refuse_huge(table: Table, dropped: set[str]) -> None:
    """Refuse a number whose fourth power, which a fit may take, would overflow."""
    for column in table.columns:
        if column.kind != "number" or column.name in dropped:
            continue
        size = np.where(column.missing, 0.0, np.abs(column.values))
        row = int(np.argmax(size))
        if size[row] > LARGEST:
            met = f"column {column.name!r} is {column.values[row]:.3g} in data row {row + 1}"
            raise DataError(f"{table.source}: {met}; |x| > {LARGEST:.0e} is too large: rescale the column")
