"""From what a user gives to the `Problem` it states, its grid of strengths, and the record of its path."""

import warnings
from dataclasses import replace
from functools import lru_cache
from typing import Any, cast

import numpy as np

from shrinkage._check import (
    check_boolean,
    check_fraction,
    check_positive,
    check_positive_int,
    finite_vector,
    label_vector,
    weight_vector,
)
from shrinkage._errors import ArgumentError, ConvergenceWarning, DataError
from shrinkage._path._bounds import bounded, factors_and_excluded, limits_once
from shrinkage._path._record import Path
from shrinkage._path._survival import survival_response
from shrinkage.design import as_design
from shrinkage.losses import Cox, Gamma, JointLoss, Logistic, Loss, Poisson, Squared
from shrinkage.penalties import L1L2, MCP, SCAD, Box, GroupBox, GroupL2, SortedL1, SparseGroup
from shrinkage.problem import Problem
from shrinkage.solvers import PathColumns, Status, column_scale, has_native

LOSSES: dict[str, Loss | JointLoss] = {
    "squared": Squared(),
    "logistic": Logistic(),
    "poisson": Poisson(),
    "gamma": Gamma(),
    "cox": Cox(),
}
"""Losses without a parameter, by name; the others are given as `shrinkage.losses.Tweedie(1.5)`."""

_WITH_PARAMETERS = {
    "tweedie": "Tweedie(power)",
    "negative_binomial": "NegativeBinomial(theta)",
    "huber": "Huber(delta)",
    "quantile": "Quantile(quantile, smoothing)",
}


def alpha_grid(alpha_max: float, n_alphas: int = 100, alpha_min_ratio: float = 1e-3) -> np.ndarray:
    """Strengths evenly spaced in log, from `alpha_max` down to `alpha_min_ratio` of it.

    >>> alpha_grid(2.0, n_alphas=3, alpha_min_ratio=0.01)
    array([2.  , 0.2 , 0.02])
    """
    _check_grid(n_alphas, alpha_min_ratio)
    return alpha_max * _falling(float(alpha_min_ratio), int(n_alphas))


@lru_cache(maxsize=16)
def _falling(least: float, count: int) -> np.ndarray:
    return np.geomspace(1.0, least, count)


def _check_grid(n_alphas: int, alpha_min_ratio: float) -> None:
    check_positive_int("n_alphas", n_alphas)
    check_positive("alpha_min_ratio", alpha_min_ratio)
    if alpha_min_ratio >= 1:
        raise ArgumentError(f"alpha_min_ratio must be below 1; got {alpha_min_ratio}")


def state(
    X,
    y,
    loss,
    l1_ratio,
    fit_intercept,
    standardize,
    sample_weight,
    offset,
    penalty_factor,
    penalty,
    lower=None,
    upper=None,
    positive=False,
    groups_too=False,
) -> tuple[Problem, tuple | None]:
    """The Problem that the arguments state, with alpha 1, and the two classes of y; `groups_too`: they may enter."""
    measure = loss_of(loss, classes=True)
    check_boolean("fit_intercept", fit_intercept)
    check_boolean("standardize", standardize)
    design = as_design(X)
    n, p = design.shape
    joint = isinstance(measure, JointLoss)
    target, classes = (survival_response(y, n), None) if joint else _response(y, measure, n)
    if sample_weight is not None:
        sample_weight = weight_vector("sample_weight", sample_weight, n)
    if offset is not None:
        offset = finite_vector("offset", offset, n)
    penalty_factor, excluded = factors_and_excluded(penalty_factor, p)
    terms = stated_penalty(l1_ratio, penalty_factor, penalty, p, groups_too)
    if isinstance(penalty, Box | GroupBox):
        lower, upper = limits_once(penalty, lower, upper, positive)
    if isinstance(terms, GroupL2 | SparseGroup) and isinstance(measure, JointLoss):
        raise ArgumentError(f"penalties on groups take losses of one row; got loss={measure.name!r}")
    terms = bounded(terms, p, lower, upper, positive, excluded)
    scale = None
    if standardize:
        weights = None if sample_weight is None else np.asfortranarray(sample_weight[:, None])
        scale = column_scale(design, weights)[:, 0]
    intercept = fit_intercept and not joint
    return Problem(design, target, measure, terms, sample_weight, offset, intercept, scale), classes


def loss_of(loss: Any, classes: bool = False) -> Loss | JointLoss:
    """The loss that a name or a loss stands for; those of several `classes` may be named instead of what is wrong."""
    if isinstance(loss, str):
        if loss in _WITH_PARAMETERS:
            raise ArgumentError(f"loss={loss!r} has a parameter: give shrinkage.losses.{_WITH_PARAMETERS[loss]}")
        if loss in LOSSES:
            return LOSSES[loss]
    elif has_native(loss):
        return loss
    names = ", ".join(map(repr, (*LOSSES, *(("multinomial", "multinomial_grouped") if classes else ()))))
    values = ", ".join(_WITH_PARAMETERS.values())
    raise ArgumentError(f"loss must be one of {names}, or a value of shrinkage.losses such as {values}; got {loss!r}")


def stated_penalty(l1_ratio, penalty_factor, penalty, p: int, groups_too: bool = False) -> Any:
    """The penalty with alpha 1 that the arguments state, in one way or the other."""
    if penalty is None:
        check_fraction("l1_ratio", l1_ratio)
        return L1L2(1.0, float(l1_ratio), penalty_factor)
    if l1_ratio != 1.0 or penalty_factor is not None:
        raise ArgumentError("penalty already says l1_ratio and penalty_factor: give one or the other")
    if isinstance(penalty, GroupBox) and groups_too:
        penalty = penalty.penalty
    if isinstance(penalty, GroupL2 | SparseGroup) and groups_too:
        return penalty.with_alpha(1.0)
    own = isinstance(penalty, MCP | SCAD | SortedL1)
    if not own and not all(hasattr(penalty, name) for name in ("l1_ratio", "factors", "prox")):
        raise ArgumentError(
            f"penalty must be an L1, L2, L1L2, {'GroupL2, ' if groups_too else ''}MCP, SCAD or SortedL1 of "
            f"shrinkage.penalties, or a Box around one of the first three; got {type(penalty).__name__}"
        )
    factors = None if penalty.factors is None else finite_vector("penalty.factors", penalty.factors, p)
    if own:
        return replace(penalty, alpha=1.0, factors=factors)
    return L1L2(1.0, float(cast(Any, penalty).l1_ratio), factors)


def _response(y, loss: Loss, n: int) -> tuple[np.ndarray, tuple | None]:
    classifies = loss.name == "logistic"
    values = label_vector("y", y) if classifies else np.asarray(y)
    if values.ndim != 1 or len(values) != n:
        hint = ": y.ravel() makes a vector of it" if values.shape == (n, 1) else ""
        if values.ndim == 2 and len(values) == n and values.shape[1] > 1:
            hint = ": several responses take loss='squared'"
        raise ArgumentError(f"y must have shape ({n},), one value for each row of X; got {values.shape}{hint}")
    if not classifies:
        return finite_vector("y", values, n), None
    if values.dtype.kind not in "OSUTb":
        values = finite_vector("y", values, n)
        try:
            loss.check(values)
        except DataError as error:
            raise DataError(f"{error}; code the classes as 0 and 1 (LogisticRegression takes any two labels)") from None
    classes = np.unique(values)
    if len(classes) != 2:
        raise DataError(f"y must hold two classes for loss='logistic'; got {len(classes)}: {classes[:5].tolist()}")
    return (values == classes[1]).astype(np.float64), tuple(classes.tolist())


def grid(alphas, n_alphas: int, alpha_min_ratio: float, l1_ratio: float):
    if alphas is None:
        _check_grid(n_alphas, alpha_min_ratio)
        # ridge has no alpha_max: its grid starts 1000 times above the strengths that matter, and has to cross them
        ratio = alpha_min_ratio * 1e-3 if l1_ratio == 0 else alpha_min_ratio
        return lambda alpha_max: alpha_grid(alpha_max, n_alphas, ratio)
    try:
        shape = np.shape(alphas)
    except ValueError:
        raise ArgumentError("alphas must be a vector of strengths; got rows of different lengths") from None
    if len(shape) != 1 or not shape[0]:
        raise ArgumentError(f"alphas must be a non-empty vector of strengths; got shape {shape}")
    values = finite_vector("alphas", alphas, shape[0])
    if values.min() < 0:
        raise ArgumentError(f"alphas must be >= 0; position {int(values.argmin())} is {values.min()}")
    return np.sort(values)[::-1].copy()


def finish(problem: Problem, columns: PathColumns, classes) -> Path:
    """The record of a path."""
    return Path(
        columns.alphas,
        columns.coefs,
        columns.intercepts,
        columns.gaps,
        columns.kkt,
        columns.status,
        columns.n_passes,
        problem.null.objective,
        problem.loss,
        float(getattr(problem.penalty, "l1_ratio", np.nan)),
        classes,
        problem.design.feature_names,
        problem,
        columns.ending,
        problem.offset is not None and bool(np.any(problem.offset)),
    )


def check_stop(stop: Any) -> bool:
    """Whether a path may end before its grid does."""
    if stop is not None and stop != "auto":
        raise ArgumentError(f"stop must be None or 'auto'; got {stop!r}")
    return stop is not None


def warn_missed(
    path: Path,
    fold_gaps: np.ndarray | None,
    tol: float,
    stacklevel: int,
    category: type[ConvergenceWarning] = ConvergenceWarning,
) -> None:
    """Say how many strengths of the path, and how many fits of the folds, missed the tolerance."""
    short = path.status.count(Status.KKT_ABOVE_TOL)
    if short:
        found = f"{short} of {len(path.alphas)} strengths of the path"
        message = f"{found} ended with a violation above tol: {path.kkt.max():.1e}"
        warnings.warn(f"{message}; raise tol, gamma or the least alpha", category, stacklevel=stacklevel + 1)
    missed = path.status.count(Status.GAP_ABOVE_TOL)
    if not missed and (fold_gaps is None or not (fold_gaps > tol).any()):
        return
    found, worst = (
        f"{missed} of {len(path.alphas)} strengths of the path",
        float(np.max(path.relative_gaps, initial=0.0)),
    )
    if fold_gaps is not None:
        in_folds = int((fold_gaps > tol).sum())
        missed += in_folds
        found += f" and {in_folds} of {fold_gaps.size} fits of the folds"
        worst = max(worst, float(np.max(fold_gaps, initial=0.0)))
    message = f"{found} ended with a relative duality gap above tol: {worst:.1e} > {tol:.1e}"
    warnings.warn(f"{message}; {gap_advice(worst)}", category, stacklevel=stacklevel + 1)


def gap_advice(worst: float) -> str:
    """What helps against a relative gap above the tolerance."""
    if np.isfinite(worst):
        return "raise tol, or standardize X"
    return (
        "no tol is above that: nothing certifies these strengths, as where columns of factor 0 or alpha 0 have one "
        "bound; give them a factor above 0, both bounds or none"
    )
