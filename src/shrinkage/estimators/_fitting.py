"""What the estimators share: checked input becomes a `Problem`, its answer becomes fitted attributes."""

import warnings
from dataclasses import replace
from numbers import Real
from typing import Any, cast

import numpy as np
import sklearn
from numpy.typing import ArrayLike
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning as SklearnConvergenceWarning
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted, validate_data

from shrinkage._check import check_boolean, check_choice, check_positive, finite_vector, label_vector, weight_vector
from shrinkage._errors import ArgumentError, ConvergenceWarning
from shrinkage._path import CrossValidation, cross_validate, fold_rows, path, warn_missed
from shrinkage.design import BlockDesign, as_design
from shrinkage.estimators import _equivalents
from shrinkage.losses import Loss
from shrinkage.problem import Problem
from shrinkage.selection import leave_one_out
from shrinkage.solvers import Status, column_scale, solve

FLOATS = (np.float64, np.float32)


class _MissedTolerance(ConvergenceWarning, SklearnConvergenceWarning):
    """Our warning, for those too who filter scikit-learn's."""


class LinearRegressor:
    """Mixin: predicts the linear predictor, from dense or sparse rows."""

    def predict(self, X: Any, offset: ArrayLike | None = None) -> np.ndarray:
        """Mean response, Xw + b + offset.

        Parameters
        ----------
        X : array-like, table or sparse matrix of shape (n_samples, n_features)
        offset : array-like of shape (n_samples,), optional
            Known part of the linear predictor of each row.

        Returns
        -------
        ndarray of shape (n_samples,), float64
        """
        return linear_predictor(self, X, offset)

    equivalent_calls = _equivalents.equivalent_calls

    def __sklearn_tags__(self):
        """Sparse X is accepted."""
        tags = super().__sklearn_tags__()  # pyright: ignore[reportAttributeAccessIssue]
        tags.input_tags.sparse = True
        return tags


class Routed:
    """Mixin of the cross-validated estimators: metadata such as `groups` go to the splitter."""

    cv: Any

    def get_metadata_routing(self) -> MetadataRouter:
        """Where metadata go: `sample_weight` and `offset` stay here, the rest goes to the splitter's `split`.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
        """
        to_split = MethodMapping().add(caller="fit", callee="split")
        router = MetadataRouter(owner=self).add_self_request(self)
        splitter = check_cv(5 if isinstance(self.cv, str) else self.cv)  # "loo" takes no metadata
        return router.add(splitter=splitter, method_mapping=to_split)


def linear_predictor(model: Any, X: Any, offset: ArrayLike | None = None) -> np.ndarray:
    """Xw + b + offset of a fitted model, shape (n_samples,)."""
    check_is_fitted(model)
    if isinstance(X, BlockDesign):
        eta = _predicted_in_blocks(model, X)
        return eta if offset is None else eta + finite_vector("offset", offset, X.shape[0])
    if is_finite_floats(X):
        validate_data(model, X, reset=False, skip_check_array=True)
    else:
        X = cast(Any, validate_data(model, X, reset=False, accept_sparse=("csr", "csc"), dtype=FLOATS))
    eta = X @ model.coef_.reshape(-1) + model.intercept_
    return eta if offset is None else eta + finite_vector("offset", offset, X.shape[0])


def _predicted_in_blocks(model: Any, X: BlockDesign) -> np.ndarray:
    names = None if X.feature_names is None else list(X.feature_names)
    if X.shape[1] != model.n_features_in_:
        raise ArgumentError(f"X must have {model.n_features_in_} columns, as in the fit; got {X.shape[1]}")
    if names is not None and list(getattr(model, "feature_names_in_", names)) != names:
        raise ArgumentError("X must have the columns of the fit, in their order; their names differ")
    coef = model.coef_.reshape(-1)
    support = np.flatnonzero(coef)
    return X.combine(support, coef[support, None])[:, 0] + model.intercept_


def check_data(model: Any, X: Any, y: Any, numeric: bool = True) -> tuple[Any, np.ndarray]:
    """X as a float array or CSC and y as a vector, copied only where the type does not fit."""
    check_positive("tol", model.tol)
    check_boolean("standardize", model.standardize)
    # most of scikit-learn's checks look for what a finite array of floats cannot be, and take longer than a small fit
    if is_finite_floats(X) and is_finite_numbers(y) and len(X) == len(y):
        if hasattr(model, "feature_names_in_"):  # of an earlier fit: an array has none
            del model.feature_names_in_
        model.n_features_in_ = X.shape[1]
        return X, y
    if not numeric and y is not None:
        y = label_vector("y", y)
    if isinstance(X, BlockDesign):  # the numbers are looked at when they are read
        blocks: Any = X
        validate_data(model, blocks, skip_check_array=True)
        if X.feature_names is not None:
            model.feature_names_in_ = np.array(X.feature_names, dtype=object)
        if numeric:
            return X, finite_vector("y", y, X.shape[0])
        labels = np.asarray(y)
        if labels.shape != (X.shape[0],):
            raise ArgumentError(f"y must have shape ({X.shape[0]},), one value for each row of X; got {labels.shape}")
        return X, labels
    X, y = cast(Any, validate_data(model, X, cast(Any, y), accept_sparse="csc", dtype=FLOATS, y_numeric=numeric))
    return X, finite_vector("y", y, X.shape[0]) if numeric else y


def is_finite_floats(X: Any) -> bool:
    """Whether X is a non-empty matrix of float64 or float32 whose sum is finite."""
    return type(X) is np.ndarray and X.ndim == 2 and X.size > 0 and X.dtype in FLOATS and has_finite_sum(X)


def is_finite_numbers(y: Any) -> bool:
    """Whether y is a vector of real numbers whose sum is finite."""
    return type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "fiub" and has_finite_sum(y)


def has_finite_sum(values: np.ndarray) -> bool:
    """False where a value is not finite, or where their sum overflows."""
    with np.errstate(invalid="ignore", over="ignore"):
        return bool(np.isfinite(values.sum()))


def fit_strength(model: Any, X: Any, y: np.ndarray, loss: Loss, penalty: Any, sample_weight: Any, offset: Any) -> Any:
    """Solve for one strength and store the answer; X and y come from `check_data`."""
    if model.penalty_factor is not None:
        penalty = replace(penalty, factors=weight_vector("penalty_factor", model.penalty_factor, X.shape[1]))
    problem = Problem(as_design(X), y, loss, penalty, sample_weight, offset, model.fit_intercept)
    if model.standardize:
        scale = column_scale(problem.design, problem.weights[:, None], model.fit_intercept)[:, 0]
        problem = replace(problem, scale=scale)
    solution = solve(problem, tol=model.tol)
    model.coef_, model.intercept_ = solution.coef, solution.intercept
    model.dual_gap_, model.n_iter_, model.status_ = solution.gap, solution.n_iter, solution.status
    _equivalents.remember(model, y, loss.name, penalty.alpha, penalty.l1_ratio, sample_weight, offset)
    if solution.status is Status.GAP_ABOVE_TOL:
        warn_about_gap(solution.gap / (problem.null.objective or 1.0), model.tol)
    return model


def warn_about_gap(relative_gap: float, tol: float) -> None:
    """Say that an answer misses the tolerance, both numbers in one unit."""
    warnings.warn(
        f"relative duality gap {relative_gap:.1e} > tol {tol:.1e}: raise tol, or bring the columns of X to one scale",
        _MissedTolerance,
        stacklevel=4,
    )


def fit_folds(
    model: Any,
    X: Any,
    y: np.ndarray,
    loss: str,
    l1_ratio: Any,
    sample_weight: Any,
    offset: Any,
    metadata: dict[str, Any],
) -> Any:
    """Choose the strength (and the mixing, of several) by cross-validation and store that fit."""
    check_choice("rule", model.rule, ("min", "1se"))
    metadata = split_metadata(model, sample_weight, offset, metadata)
    shared = {
        "loss": loss,
        "alphas": model.alphas,
        "n_alphas": model.n_alphas,
        "alpha_min_ratio": model.alpha_min_ratio,
        "fit_intercept": model.fit_intercept,
        "standardize": model.standardize,
        "sample_weight": sample_weight,
        "offset": offset,
        "penalty_factor": model.penalty_factor,
        "tol": model.tol,
    }
    in_blocks, classifies = isinstance(X, BlockDesign), is_classifier(model)
    design: Any = X if in_blocks else as_design(X, getattr(model, "feature_names_in_", None))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said below, with scikit-learn's category and place
        if isinstance(model.cv, str) and model.cv == "loo" and loss == "squared" and mixings(l1_ratio) == [0.0]:
            runs = [_left_out(design, y, shared, metadata)]
        else:
            folds = fold_rows(model.cv, y, classifies, None if in_blocks else X, **metadata)
            runs = [cross_validate(design, y, folds, l1_ratio=ratio, **shared) for ratio in mixings(l1_ratio)]
    for run in runs:
        warn_missed(run.path, run.fold_gaps, model.tol, stacklevel=3, category=_MissedTolerance)
    best = min(runs, key=lambda run: run.mean[run.index_min])
    classes = tuple(model.classes_.tolist()) if classifies else None
    best = replace(best, path=replace(best.path, classes=classes, problem=None))  # a model does not hold its data
    chosen = best.index_min if model.rule == "min" else best.index_1se
    model.cv_, model.path_, model.cv_scores_, model.alphas_ = best, best.path, best.scores, best.alphas
    model.alpha_min_, model.alpha_1se_, model.alpha_ = best.alpha_min, best.alpha_1se, float(best.alphas[chosen])
    if hasattr(model, "l1_ratio"):
        model.l1_ratio_ = best.path.l1_ratio
    model.coef_ = _column(best.path.coefs, chosen)
    model.intercept_ = float(best.path.intercepts[chosen])
    model.dual_gap_, model.n_iter_ = float(best.path.gaps[chosen]), best.path.n_passes
    model.status_ = best.path.status[chosen]
    _equivalents.remember(model, y, loss, model.alpha_, best.path.l1_ratio, sample_weight, offset)
    return model


def _column(coefs: Any, t: int) -> np.ndarray:
    """One column of a CSC array, dense."""
    column, some = np.zeros(coefs.shape[0]), slice(coefs.indptr[t], coefs.indptr[t + 1])
    column[coefs.indices[some]] = coefs.data[some]
    return column


def _left_out(design: Any, y: np.ndarray, shared: dict[str, Any], metadata: dict[str, Any]) -> CrossValidation:
    """Ridge with every row left out, as a fold for each."""
    if metadata:
        raise ArgumentError(f"cv='loo' leaves out row by row; got {next(iter(metadata))}, which only a splitter reads")
    return leave_one_out(path(design, y, l1_ratio=0.0, **shared)).to_cross_validation()


def mixings(l1_ratio: Any) -> list[float]:
    """The mixings to compare: one number, or a non-empty list of them."""
    if isinstance(l1_ratio, Real):
        return [float(l1_ratio)]
    try:
        ratios = np.asarray(l1_ratio, dtype=np.float64)
    except (TypeError, ValueError):
        ratios = np.empty(0)
    if ratios.ndim != 1 or ratios.size == 0:
        raise ArgumentError(f"l1_ratio must be a number or a non-empty list of numbers; got {l1_ratio!r}")
    return ratios.tolist()


def split_metadata(model: Any, sample_weight: Any, offset: Any, metadata: dict[str, Any]) -> dict[str, Any]:
    """What the splitter's `split` is given besides X and y."""
    if sklearn.get_config()["enable_metadata_routing"]:
        routed = process_routing(model, "fit", sample_weight=sample_weight, offset=offset, **metadata)
        return routed["splitter"]["split"]
    unknown = sorted(set(metadata) - {"groups"})
    if unknown:
        raise ArgumentError(
            f"fit takes sample_weight, offset and groups; got {unknown[0]!r} (a splitter's own metadata need "
            "sklearn.set_config(enable_metadata_routing=True))"
        )
    return metadata
