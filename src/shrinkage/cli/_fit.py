"""From a request to a study and a model."""

import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path as FilePath

import numpy as np

from shrinkage._errors import ArgumentError, ConvergenceWarning, DataError
from shrinkage._path import cross_validate, path
from shrinkage.cli._fit_words import asked, at_the_end, column_rows, how, summary_rows, where_ended
from shrinkage.cli._folds import cross_validate_with_recipe, deal, deal_groups, deal_times
from shrinkage.cli._model_file import Fit, Model
from shrinkage.cli._prepare import OF_ROWS, Prepared, prepare
from shrinkage.cli._request import Request
from shrinkage.cli._rows import read_labels
from shrinkage.report import Candidate, Study


def run(request: Request, out: str | None, tell: Callable[[str], None]) -> tuple[Study, Model]:
    """Cross-validate every penalty that was asked for, and choose."""
    tell("reading")
    data = prepare(request)
    folds = folds_of(request, data)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        candidates = candidates_of(request, data, folds, tell)
    notes = (*data.notes, *how(request, data), *where_ended(candidates), *at_the_end(candidates))
    notes += tuple(str(w.message) for w in caught if issubclass(w.category, ConvergenceWarning))
    chosen = int(np.argmin([candidate.loss for candidate in candidates]))
    study = Study(
        title=f"{request.target}: penalties compared on {FilePath(data.table.source).name}",
        asked=asked(request, data),
        data=summary_rows(data.table, data.target, data.y, len(data.scale)),
        columns=column_rows(data.table, data.recipe, request.roles, request.drop),
        candidates=tuple(candidates),
        chosen=chosen,
        feature_names=data.recipe.feature_names,
        scale=data.scale,
        tol=request.tol,
        call=request.call(out),
        notes=notes,
        classes=data.target.classes if data.target.loss == "multinomial" else (),
    )
    return study, _model(request, data, study)


def folds_of(request: Request, data: Prepared) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows of one group together, rows of the past before those of the future, or all shuffled."""
    if request.group_folds is not None and request.time_folds is not None:
        raise ArgumentError("--group-folds and --time-folds deal rows in two ways: give one of them")
    if request.group_folds is not None:
        groups = read_labels(data.table, request.group_folds, "group")
        return _with_every_class(data, deal_groups(groups, request.cv, request.seed))
    if request.time_folds is not None:
        return _with_every_class(data, deal_times(read_labels(data.table, request.time_folds, "time"), request.cv))
    joint = data.y.ndim == 2  # censored times: each fold has its share of events
    strata = data.y[:, 1] if joint else data.y
    mixed = joint and min(strata.sum(), len(strata) - strata.sum()) >= request.cv
    return deal(strata, request.cv, request.seed, stratify=bool(data.target.classes) or mixed)


def _with_every_class(data: Prepared, folds: list[tuple[np.ndarray, np.ndarray]]):
    """The folds, refused where a class of several is in no training row of one: none could be fitted for it."""
    for train, _ in folds if data.target.loss == "multinomial" else ():
        counts = np.bincount(data.y[train].astype(np.intp), minlength=len(data.target.classes))
        if not counts.all():
            missing = data.target.classes[int(np.argmin(counts))]
            raise DataError(
                f"{data.table.source}: class {missing!r} of target {data.target.name!r} is in no training row of a "
                "fold; use other folds, or leave its rows out"
            )
    return folds


def candidates_of(request: Request, data: Prepared, folds, tell) -> list[Candidate]:
    settings = [
        {
            "loss": data.loss,
            **({"penalty": penalty} if penalty in OF_ROWS else {"l1_ratio": request.ratio(penalty)}),
            # Every grid ends at the same strength, a thousandth of the smallest at which the lasso is empty: ridge
            # starts a thousand times above it, and `cross_validate` gives it as many more decades downwards.
            "alpha_min_ratio": 1e-3 * (request.ratio(penalty) or 1.0),
            "standardize": request.standardize,
            "tol": request.tol,
            "stop": request.stop,
        }
        for penalty in request.penalties
    ]
    results, seconds = [], []
    for penalty, setting in zip(request.penalties, settings, strict=True):
        tell(f"fitting {penalty}")
        start = time.perf_counter()
        fit = path if data.has_missing else cross_validate
        extra = {"offset": data.offset, **data.treatment.stated(setting, data.recipe, data.table)}
        extra |= {} if data.has_missing else {"cv": folds, "score": request.score}
        results.append(fit(data.X, data.y, sample_weight=data.weights, **extra))
        seconds.append(time.perf_counter() - start)
    if data.has_missing:
        results, more = cross_validate_with_recipe(
            data.table, data.recipe, data.y, folds, results, settings, data.weights, tell, data.offset, data.treatment,
            request.score,
        )  # fmt: skip
        seconds = [first + second for first, second in zip(seconds, more, strict=True)]
    return [
        Candidate(penalty, cv, request.rule, spent)
        for penalty, cv, spent in zip(request.penalties, results, seconds, strict=True)
    ]


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
        gap=best.largest_gap if np.isfinite(best.largest_gap) else None,
        tol=request.tol,
        version=version("shrinkage"),
        call=study.call,
    )
    return Model(data.target, data.recipe, best.coef, best.intercept, fit, request.offset, request.exposure)
