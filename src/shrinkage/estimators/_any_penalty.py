"""What the estimators of any penalty share: arguments become a `Problem`, or a cross-validated path."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin

from shrinkage._check import check_choice, check_strength
from shrinkage._errors import ArgumentError, ConvergenceWarning
from shrinkage._path import cross_validate, fold_rows, state, warn_missed
from shrinkage.design import BlockDesign, as_design
from shrinkage.estimators._fitting import (
    MissedTolerance,
    scoring_named,
    split_metadata,
    store_chosen,
    store_solution,
)
from shrinkage.losses import JointLoss
from shrinkage.penalties import L1
from shrinkage.solvers import Status, solve

OF_OTHERS = {
    "logistic": "classes take PenalizedClassifier",
    "multinomial": "several classes take LogisticRegression",
    "multinomial_grouped": "several classes take path and cross_validate",
    "cox": "censored times take CoxRegressor",
}


def refuse_other_losses(loss: Any) -> None:
    """Refuse losses whose y is no vector of numbers, and name what takes them."""
    name = loss if isinstance(loss, str) else getattr(loss, "name", None)
    name = "cox" if isinstance(loss, JointLoss) else name
    if isinstance(name, str) and name in OF_OTHERS:
        raise ArgumentError(f"loss must be of numbers, such as 'squared', 'poisson' or Huber(1.0); got {name!r}: "
                            f"{OF_OTHERS[name]}")  # fmt: skip


def stated(model: Any) -> Any:
    """The penalty that the model has; None is the lasso's, with the strengths of `Lasso` and `LogisticRegression`."""
    if model.penalty is not None:
        return model.penalty
    return L1(0.01 if isinstance(model, ClassifierMixin) else 1.0)


def fit_penalty(model: Any, X: Any, y: np.ndarray, loss: Any, sample_weight: Any, offset: Any) -> Any:
    """Solve for one strength and store the answer; X and y come from `check_data`."""
    penalty = stated(model)
    problem, _ = state(
        as_design(X), y, loss, 1.0, model.fit_intercept, model.standardize, sample_weight, offset, None, penalty,
        model.lower, model.upper, model.positive, groups_too=True,
    )  # fmt: skip
    alpha = penalty.alpha if model.alpha is None else model.alpha
    check_strength("alpha", alpha)
    model.alpha_ = float(alpha)
    problem = problem.with_penalty(problem.penalty.with_alpha(model.alpha_))
    solution = solve(problem, tol=model.tol)
    model.kkt_ = solution.kkt
    if solution.status is Status.KKT_ABOVE_TOL:
        warnings.warn(
            f"optimality conditions are violated by {solution.kkt:.1e}, which is above tol {model.tol:.1e} of the null "
            "model's largest gradient: raise tol, or gamma of the penalty",
            MissedTolerance,
            stacklevel=3,
        )
    return store_solution(model, problem, solution, stacklevel=5)


def fit_penalty_folds(
    model: Any, X: Any, y: np.ndarray, loss: Any, sample_weight: Any, offset: Any, metadata: dict[str, Any]
) -> Any:
    """Choose the strength by cross-validation and store that fit."""
    check_choice("rule", model.rule, ("min", "1se"))
    metadata = split_metadata(model, sample_weight, offset, metadata)
    classifies, in_blocks = loss == "logistic", isinstance(X, BlockDesign)
    folds = fold_rows(model.cv, y, classifies, None if in_blocks else X, **metadata)
    design: Any = X if in_blocks else as_design(X, getattr(model, "feature_names_in_", None))
    with warnings.catch_warnings(), scoring_named():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said below, with scikit-learn's category and place
        run = cross_validate(
            design,
            y,
            folds,
            loss=loss,
            alphas=model.alphas,
            n_alphas=model.n_alphas,
            alpha_min_ratio=model.alpha_min_ratio,
            fit_intercept=model.fit_intercept,
            standardize=model.standardize,
            sample_weight=sample_weight,
            offset=offset,
            penalty=stated(model),
            tol=model.tol,
            score=model.scoring,
            lower=model.lower,
            upper=model.upper,
            positive=model.positive,
            stop=model.stop,
        )
    warn_missed(run.path, run.fold_gaps, model.tol, stacklevel=3, category=MissedTolerance)
    if classifies:
        run = replace(run, path=replace(run.path, classes=tuple(model.classes_.tolist())))
    store_chosen(model, run)
    model.kkt_ = float(run.path.kkt[run.index_min if model.rule == "min" else run.index_1se])
    return model
