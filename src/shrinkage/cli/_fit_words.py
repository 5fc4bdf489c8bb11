"""What a fit says of itself: notes, what was asked, and a summary of the data."""

from collections import Counter
from importlib.metadata import version

import numpy as np

from shrinkage._path import SCORES
from shrinkage.cli._prepare import CONCAVE, Prepared
from shrinkage.cli._request import Request
from shrinkage.report import Candidate
from shrinkage.tables import CategoryRule, Recipe, Table, Target


def how(request: Request, data: Prepared) -> list[str]:
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
    if {*CONCAVE} & {*request.penalties}:
        notes.append(
            "MCP and SCAD are not convex: each strength of the fit on all rows ends where no small step leads down "
            "(stationary, its violation at most --tol), not at a certified minimum; fits of folds are not checked."
        )
    if request.stop is not None and data.has_missing:
        notes.append("Strengths end by the fit on all rows, as columns miss values; else scores may end them as well.")
    if data.target.loss == "cox" and request.event is None:
        notes.append("No --event is given: every row counts as an event, as in R's Surv(time).")
    if data.target.classes:
        fewest = int(np.bincount(data.y.astype(np.intp)).min())
        if fewest < request.cv:
            which = "smaller" if len(data.target.classes) == 2 else "smallest"
            notes.append(f"The {which} class has {fewest} rows for {request.cv} folds: some folds hold out none of it.")
    return notes


def at_the_end(candidates: list[Candidate]) -> list[str]:
    """A minimum at the weakest strength tried is no minimum."""
    return [
        f"{c.opening}: cross-validated {'score is highest' if c.cv.more_is_better else 'error is lowest'} "
        f"at the end of the grid, {c.cv.alpha_min:.3g}: hardly any penalty is needed."
        for c in candidates
        if c.cv.index_min == len(c.cv.alphas) - 1 and len(c.cv.alphas) > 1
    ]


def where_ended(candidates: list[Candidate]) -> list[str]:
    """Why paths have fewer strengths than were laid out."""
    ended = [c for c in candidates if c.cv.path.ending.name != "GRID"]
    return [f"{c.opening}, {len(c.cv.alphas)} strengths: {c.cv.path.ending.value}." for c in ended]


def asked(request: Request, data: Prepared) -> tuple[tuple[str, str], ...]:
    names = {
        "group": "group lasso",
        "mcp": "MCP" if request.gamma is None else f"MCP (gamma {request.gamma:g})",
        "scad": "SCAD" if request.gamma is None else f"SCAD (gamma {request.gamma:g})",
        "slope": "SLOPE (weights of Benjamini and Hochberg, q 0.1)",
        "l1": "lasso (l1)",
        "l2": "ridge (l2)",
        "elastic": f"elastic net (l1_ratio {request.l1_ratio:g})",
    }
    kind = "stratified, " if data.target.classes else ""
    dealt = f"{kind}shuffled with seed {request.seed}"
    if request.group_folds is not None:
        dealt = f"rows of one {request.group_folds!r} together, seed {request.seed}"
    if request.time_folds is not None:
        dealt = f"each after those it learns from, by {request.time_folds!r}"
    more = {"Offset": request.offset, "Exposure": request.exposure, "Not penalized": ", ".join(request.free) or None}
    more |= {"Score": SCORES[request.score].words if request.score != "deviance" else None}
    more |= {"Stop": "where smaller strengths gain nothing (auto)" if request.stop else None}
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
