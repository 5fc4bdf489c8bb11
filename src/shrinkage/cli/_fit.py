"""From a request to a study and a model."""

import shlex
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path as FilePath

import numpy as np

from shrinkage._errors import ArgumentError, ConvergenceWarning, DataError
from shrinkage._path import cross_validate, path
from shrinkage.cli._folds import NOTHING, cross_validate_with_recipe, deal, deal_groups, deal_times
from shrinkage.cli._losses import check_numbers, check_parameters, stated_loss
from shrinkage.cli._model_file import Fit, Model
from shrinkage.cli._rows import Treatment, read_labels, read_offset, survival
from shrinkage.losses import JointLoss, Loss
from shrinkage.report import Candidate, Study
from shrinkage.tables import CategoryRule, Recipe, Table, Target, read, read_target, read_weights

LARGEST = 1e60


@dataclass(frozen=True)
class Request:
    """What `shrinkage fit` was asked."""

    data: str
    target: str
    penalties: tuple[str, ...] = ("l1", "l2", "elastic")
    l1_ratio: float = 0.5
    loss: str = "auto"
    positive: str | None = None
    cv: int = 10
    rule: str = "1se"
    seed: int = 0
    standardize: bool = True
    weights: str | None = None
    offset: str | None = None
    exposure: str | None = None
    group_folds: str | None = None
    time_folds: str | None = None
    event: str | None = None
    strata: str | None = None
    groups: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    lower: tuple[str, ...] = ()
    upper: tuple[str, ...] = ()
    power: float | None = None
    theta: float | None = None
    delta: float | None = None
    quantile: float | None = None
    smoothing: float | None = None
    drop: tuple[str, ...] = ()
    tol: float = 1e-6

    @property
    def parameters(self) -> dict[str, float | None]:
        """Of the loss."""
        return {name: getattr(self, name) for name in ("power", "theta", "delta", "quantile", "smoothing")}

    @property
    def roles(self) -> dict[str, str]:
        """Columns that are no features, and what they are."""
        named = {
            "row weights": self.weights,
            "offset": self.offset,
            "exposure": self.exposure,
            "groups of folds": self.group_folds,
            "time": self.time_folds,
            "event": self.event,
            "strata": self.strata,
        }
        return {self.target: "target"} | {name: role for role, name in named.items() if name is not None}

    def ratio(self, penalty: str) -> float:
        """The l1_ratio that a penalty's name means."""
        return {"l1": 1.0, "l2": 0.0, "group": 1.0}.get(penalty, self.l1_ratio)

    def call(self, out: str | None) -> str:
        """The command line that asks the same."""
        parts = ["shrinkage", "fit", self.data, "--target", self.target, "--penalty", ",".join(self.penalties)]
        if "elastic" in self.penalties:
            parts += ["--l1-ratio", f"{self.l1_ratio:g}"]
        parts += ["--loss", self.loss, "--cv", str(self.cv), "--rule", self.rule, "--seed", str(self.seed)]
        parts.append("--standardize" if self.standardize else "--no-standardize")
        columns = ("positive", "weights", "offset", "exposure", "group_folds", "time_folds", "event", "strata")
        said = {name: getattr(self, name) for name in columns} | {"out": out}
        said |= {name: None if value is None else f"{value:g}" for name, value in self.parameters.items()}
        for name, value in said.items():
            parts += [f"--{name.replace('_', '-')}", value] if value is not None else []
        for option, names in (
            ("--groups", self.groups),
            ("--free", self.free),
            ("--lower", self.lower),
            ("--upper", self.upper),
            ("--drop", self.drop),
        ):
            parts += [part for name in names for part in (option, name)]
        return shlex.join([*parts, "--tol", f"{self.tol:g}"])


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
    loss: Loss | JointLoss | str
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
    target, y = read_target(table, request.target, request.loss.replace("-", "_"), request.positive)
    check_parameters(target.loss, request.parameters)
    y = y if target.loss != "cox" else survival(table, request.target, y, request.event, request.strata)
    _check_survival(request, target.loss)
    offset = read_offset(table, request.offset, request.exposure)
    recipe = Recipe.learn(table, {*request.roles, *request.drop}, weights)
    treatment = Treatment(request.free, request.lower, request.upper, request.groups)
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
    if loss == "cox" and "group" in request.penalties:
        raise ArgumentError("--penalty group takes losses of one row; with --loss cox choose from l1, l2, elastic")


def _check_groups(request: Request, treatment: Treatment, recipe: Recipe, table: Table) -> None:
    if request.groups and "group" not in request.penalties:
        raise ArgumentError("--groups needs group among the penalties: --penalty group")
    if "group" in request.penalties and (request.lower or request.upper):
        raise ArgumentError("--lower and --upper bound single coefficients: leave group out of --penalty")
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


def run(request: Request, out: str | None, tell: Callable[[str], None]) -> tuple[Study, Model]:
    """Cross-validate every penalty that was asked for, and choose."""
    tell("reading")
    data = prepare(request)
    folds = folds_of(request, data)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        candidates = candidates_of(request, data, folds, tell)
    notes = (*data.notes, *_how(request, data), *_at_the_end(candidates))
    notes += tuple(str(w.message) for w in caught if issubclass(w.category, ConvergenceWarning))
    chosen = int(np.argmin([candidate.error for candidate in candidates]))
    study = Study(
        title=f"{request.target}: penalties compared on {FilePath(data.table.source).name}",
        asked=_asked(request, data),
        data=summary_rows(data.table, data.target, data.y, len(data.scale)),
        columns=column_rows(data.table, data.recipe, request.roles, request.drop),
        candidates=tuple(candidates),
        chosen=chosen,
        feature_names=data.recipe.feature_names,
        scale=data.scale,
        tol=request.tol,
        call=request.call(out),
        notes=notes,
    )
    return study, _model(request, data, study)


def folds_of(request: Request, data: Prepared) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows of one group together, rows of the past before those of the future, or all shuffled."""
    if request.group_folds is not None and request.time_folds is not None:
        raise ArgumentError("--group-folds and --time-folds deal rows in two ways: give one of them")
    if request.group_folds is not None:
        return deal_groups(read_labels(data.table, request.group_folds, "group"), request.cv, request.seed)
    if request.time_folds is not None:
        return deal_times(read_labels(data.table, request.time_folds, "time"), request.cv)
    joint = data.y.ndim == 2  # censored times: each fold has its share of events
    strata = data.y[:, 1] if joint else data.y
    mixed = joint and min(strata.sum(), len(strata) - strata.sum()) >= request.cv
    return deal(strata, request.cv, request.seed, stratify=data.target.loss == "logistic" or mixed)


def candidates_of(request: Request, data: Prepared, folds, tell) -> list[Candidate]:
    settings = [
        {
            "loss": data.loss,
            "penalty" if penalty == "group" else "l1_ratio": request.ratio(penalty),
            # Every grid ends at the same strength, a thousandth of the smallest at which the lasso is empty: ridge
            # starts a thousand times above it, and `cross_validate` gives it as many more decades downwards.
            "alpha_min_ratio": 1e-3 * (request.ratio(penalty) or 1.0),
            "standardize": request.standardize,
            "tol": request.tol,
        }
        for penalty in request.penalties
    ]
    results, seconds = [], []
    for penalty, setting in zip(request.penalties, settings, strict=True):
        tell(f"fitting {penalty}")
        start = time.perf_counter()
        fit = path if data.has_missing else cross_validate
        extra = {"offset": data.offset, **data.treatment.stated(setting, data.recipe, data.table)}
        extra |= {} if data.has_missing else {"cv": folds}
        results.append(fit(data.X, data.y, sample_weight=data.weights, **extra))
        seconds.append(time.perf_counter() - start)
    if data.has_missing:
        results, more = cross_validate_with_recipe(
            data.table, data.recipe, data.y, folds, results, settings, data.weights, tell, data.offset, data.treatment
        )
        seconds = [first + second for first, second in zip(seconds, more, strict=True)]
    return [
        Candidate(penalty, cv, request.rule, spent)
        for penalty, cv, spent in zip(request.penalties, results, seconds, strict=True)
    ]


def _how(request: Request, data: Prepared) -> list[str]:
    """What was done to the data, and what may surprise."""
    notes = []
    if request.standardize:
        notes.append("Columns are standardized for the penalty, again in every fold; coefficients are in raw units.")
    else:
        notes.append("Columns are not standardized: the penalty depends on their units.")
    if any(isinstance(rule, CategoryRule) for rule in data.recipe.rules):
        notes.append("A category has a column for every level; with a penalty none needs to be the reference.")
    if data.has_missing:
        names = [r.name for r in data.recipe.rules if (r.missing if isinstance(r, CategoryRule) else r.indicator)]
        listed = ", ".join(repr(name) for name in names[:6]) + (", ..." if len(names) > 6 else "")
        many = f"{len(names)} column{'s' * (len(names) > 1)}"
        notes.append(
            f"Missing values in {many} ({listed}): numbers become the mean of the training rows with an indicator "
            "column, categories a level of their own; folds are run one by one with their own means."
        )
    if data.target.loss == "cox" and request.event is None:
        notes.append("No --event is given: every row counts as an event, as in R's Surv(time).")
    if data.target.loss == "logistic":
        fewest = int(np.bincount(data.y.astype(np.intp)).min())
        if fewest < request.cv:
            notes.append(f"The smaller class has {fewest} rows for {request.cv} folds: some folds hold out none of it.")
    return notes


def _at_the_end(candidates: list[Candidate]) -> list[str]:
    """A minimum at the weakest strength tried is no minimum."""
    return [
        f"{c.title.capitalize()}: the cross-validated error is lowest at the end of the grid, {c.cv.alpha_min:.3g}: "
        "hardly any penalty is needed."
        for c in candidates
        if c.cv.index_min == len(c.cv.alphas) - 1 and len(c.cv.alphas) > 1
    ]


def _asked(request: Request, data: Prepared) -> tuple[tuple[str, str], ...]:
    names = {
        "group": "group lasso",
        "l1": "lasso (l1)",
        "l2": "ridge (l2)",
        "elastic": f"elastic net (l1_ratio {request.l1_ratio:g})",
    }
    kind = "stratified, " if data.target.loss == "logistic" else ""
    dealt = f"{kind}shuffled with seed {request.seed}"
    if request.group_folds is not None:
        dealt = f"rows of one {request.group_folds!r} together, seed {request.seed}"
    if request.time_folds is not None:
        dealt = f"each after those it learns from, by {request.time_folds!r}"
    more = {"Offset": request.offset, "Exposure": request.exposure, "Not penalized": ", ".join(request.free) or None}
    more |= {"Event": request.event, "Strata": request.strata, "Groups": "; ".join(request.groups) or None}
    more |= {"Lower bounds": ", ".join(request.lower) or None, "Upper bounds": ", ".join(request.upper) or None}
    return (
        ("Target", request.target),
        ("Loss", data.target.reason),
        ("Penalties", ", ".join(names[penalty] for penalty in request.penalties)),
        ("Cross-validation", f"{request.cv} folds, {dealt}"),
        ("Rule", "one standard error (1-SE)" if request.rule == "1se" else "lowest error (min)"),
        ("Standardized", "yes, redone in every fold" if request.standardize else "no"),
        ("Row weights", request.weights or "none"),
        *((name, value) for name, value in more.items() if value is not None),
        ("Tolerance", f"relative duality gap {request.tol:g}"),
        ("Version", f"shrinkage {version('shrinkage')}"),
    )


def summary_rows(table: Table, target: Target, y: np.ndarray, n_features: int) -> tuple[tuple[str, str], ...]:
    """A summary of the data: names and values."""
    kinds = Counter(column.kind for column in table.columns)
    missing = sum(int(column.missing.sum()) for column in table.columns if len(column.values))
    if y.ndim == 2:
        about = (
            f"{int(y[:, 1].sum()):,} events, the others censored; times from {y[:, 0].min():.5g} to {y[:, 0].max():.5g}"
        )
    elif not target.classes:
        about = f"mean {y.mean():.5g}, standard deviation {y.std():.5g}, from {y.min():.5g} to {y.max():.5g}"
    else:
        counts = np.bincount(y.astype(np.intp), minlength=len(target.classes))
        about = ", ".join(f"{name}: {count}" for name, count in zip(target.classes, counts, strict=True))
    return (
        ("Source", table.source),
        ("Rows", f"{table.n_rows:,}"),
        ("Columns", f"{len(table.columns):,} ({', '.join(f'{n:,} {kind}' for kind, n in kinds.items())})"),
        ("Features", f"{n_features:,} after the recipe"),
        ("Missing values", f"{missing:,}"),
        (f"Target {target.name}", about),
    )


def column_rows(
    table: Table, recipe: Recipe, roles: dict[str, str], dropped: tuple[str, ...]
) -> tuple[tuple[str, str, int, str], ...]:
    """Every column with its kind, missing values and use; plain features last, as there may be thousands."""
    uses = {rule.name: "feature" for rule in recipe.rules}
    uses |= {rule.name: f"{len(rule.features)} features" for rule in recipe.rules if len(rule.features) > 1}
    uses |= {name: f"not used: {reason}" for name, reason in recipe.dropped}
    uses |= dict.fromkeys(dropped, "not used: dropped by the call")
    uses |= roles
    rows = []
    for column in table.columns:
        empty = table.n_rows if column.kind == "empty" else 0
        missing = int(column.missing.sum()) if len(column.values) else empty
        rows.append((column.name, column.kind, missing, uses[column.name]))
    return tuple(sorted(rows, key=lambda row: row[3] == "feature"))


def _model(request: Request, data: Prepared, study: Study) -> Model:
    best = study.winner
    fit = Fit(
        penalty=best.penalty,
        l1_ratio=request.ratio(best.penalty),
        alpha=best.alpha,
        rule=request.rule,
        standardized=request.standardize,
        error=best.error,
        se=best.se,
        gap=best.largest_gap,
        tol=request.tol,
        version=version("shrinkage"),
        call=study.call,
    )
    return Model(data.target, data.recipe, best.coef, best.intercept, fit, request.offset, request.exposure)
