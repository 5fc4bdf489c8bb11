"""What the estimators share: checked input becomes a `Problem`, its answer becomes fitted attributes."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from numbers import Real
from typing import Any, cast

import numpy as np
import sklearn
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning as SklearnConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted, validate_data

from shrinkage._check import check_boolean, check_choice, check_positive, check_strength, finite_vector, label_vector
from shrinkage._errors import ArgumentError, ConvergenceWarning
from shrinkage._path import CrossValidation, bounded, cross_validate, factors_and_excluded, fold_rows, path, warn_missed
from shrinkage.design import BlockDesign, as_design
from shrinkage.estimators import _equivalents
from shrinkage.losses import Loss
from shrinkage.problem import Problem, class_offset
from shrinkage.selection import leave_one_out
from shrinkage.solvers import Solution, Status, column_scale, solve

FLOATS = (np.float64, np.float32)


class MissedTolerance(ConvergenceWarning, SklearnConvergenceWarning):
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

    def score(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None
    ) -> float:
        """Share of the variance that the model explains, R² = 1 - Σ s (y - prediction)² / Σ s (y - ȳ)²; 1 is best.

        Parameters
        ----------
        X : array-like, table or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight, offset : array-like of shape (n_samples,), optional

        Returns
        -------
        float
        """
        return float(r2_score(y, self.predict(X, offset), sample_weight=cast(Any, sample_weight)))

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
    if offset is None and getattr(model, "_misses_offset", False):
        message = "was fitted with an offset, and predicts without: give that of these rows as offset=, zeros for none"
        warnings.warn(f"{type(model).__name__} {message}", UserWarning, stacklevel=3)
    if isinstance(X, BlockDesign):
        eta = _predicted_in_blocks(model, X)
        return eta if offset is None else eta + _offset(offset, eta)
    if is_finite_floats(X):
        validate_data(model, X, reset=False, skip_check_array=True)
    else:
        X = cast(Any, validate_data(model, X, reset=False, accept_sparse=("csr", "csc"), dtype=FLOATS))
    eta = X @ _rows_of(model).T + model.intercept_
    return eta if offset is None else eta + _offset(offset, eta)


def _rows_of(model: Any) -> np.ndarray:
    """Coefficients (n_features,), of more than two classes (n_classes, n_features)."""
    return model.coef_ if np.size(model.intercept_) > 1 else model.coef_.reshape(-1)


def _offset(offset: ArrayLike, eta: np.ndarray) -> np.ndarray:
    return finite_vector("offset", offset, len(eta)) if eta.ndim == 1 else class_offset(offset, eta.shape)


def _predicted_in_blocks(model: Any, X: BlockDesign) -> np.ndarray:
    names = None if X.feature_names is None else list(X.feature_names)
    if X.shape[1] != model.n_features_in_:
        raise ArgumentError(f"X must have {model.n_features_in_} columns, as in the fit; got {X.shape[1]}")
    if names is not None and list(getattr(model, "feature_names_in_", names)) != names:
        raise ArgumentError("X must have the columns of the fit, in their order; their names differ")
    coefs = np.atleast_2d(_rows_of(model))
    support = np.flatnonzero(coefs.any(axis=0))
    eta = X.combine(support, np.asfortranarray(coefs[:, support].T))
    return (eta if len(coefs) > 1 else eta[:, 0]) + model.intercept_


def check_data(model: Any, X: Any, y: Any, numeric: bool = True) -> tuple[Any, np.ndarray]:
    """X as a float array or CSC and y as a vector, copied only where the type does not fit."""
    alpha = getattr(model, "alpha", 0.0)
    if alpha is not None or not hasattr(model, "penalty"):  # a penalty that is given has a strength already
        check_strength("alpha", alpha)
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
    p = X.shape[1]
    factors, excluded = factors_and_excluded(model.penalty_factor, p)
    bounds = (getattr(model, "lower", None), getattr(model, "upper", None), getattr(model, "positive", False))
    penalty = bounded(replace(penalty, factors=factors), p, *bounds, excluded)
    problem = Problem(as_design(X), y, loss, penalty, sample_weight, offset, model.fit_intercept)
    if model.standardize:
        scale = column_scale(problem.design, problem.weights[:, None])[:, 0]
        problem = replace(problem, scale=scale)
    solution = solve(problem, tol=model.tol)
    _equivalents.remember(model, y, loss.name, penalty.alpha, penalty.l1_ratio, sample_weight, offset)
    return store_solution(model, problem, solution, stacklevel=5)


def store_solution(model: Any, problem: Problem, solution: Solution, stacklevel: int = 4) -> Any:
    """Store the answer to a problem, and warn where it misses the tolerance."""
    model.coef_, model.intercept_ = solution.coef, solution.intercept
    model.dual_gap_, model.n_iter_, model.status_ = solution.gap, solution.n_iter, solution.status
    if solution.status is Status.GAP_ABOVE_TOL:
        warn_about_gap(solution.gap / (problem.null.objective or 1.0), model.tol, stacklevel)
    return model


def warn_about_gap(relative_gap: float, tol: float, stacklevel: int = 4) -> None:
    """Say that an answer misses the tolerance, both numbers in one unit."""
    warnings.warn(
        f"relative duality gap {relative_gap:.1e} > tol {tol:.1e}: raise tol, or bring the columns of X to one scale",
        MissedTolerance,
        stacklevel=stacklevel,
    )


def fit_folds(
    model: Any,
    X: Any,
    y: np.ndarray,
    loss: str | Loss,
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
        "score": model.scoring,
        "stop": model.stop,
        "lower": getattr(model, "lower", None),
        "upper": getattr(model, "upper", None),
        "positive": getattr(model, "positive", False),
    }
    in_blocks, classifies = isinstance(X, BlockDesign), isinstance(model, ClassifierMixin)
    design: Any = X if in_blocks else as_design(X, getattr(model, "feature_names_in_", None))
    with warnings.catch_warnings(), scoring_named():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said below, with scikit-learn's category and place
        if isinstance(model.cv, str) and model.cv == "loo" and loss == "squared" and mixings(l1_ratio) == [0.0]:
            runs = [_left_out(design, y, shared, metadata)]
        else:
            folds = fold_rows(model.cv, y, classifies, None if in_blocks else X, **metadata)
            runs = [cross_validate(design, y, folds, l1_ratio=ratio, **shared) for ratio in mixings(l1_ratio)]
    for run in runs:
        warn_missed(run.path, run.fold_gaps, model.tol, stacklevel=3, category=MissedTolerance)
    best = min(runs, key=lambda run: -run.mean[run.index_min] if run.more_is_better else run.mean[run.index_min])
    classes = tuple(model.classes_.tolist()) if classifies else None
    best = replace(best, path=replace(best.path, classes=classes))
    store_chosen(model, best)
    if hasattr(model, "l1_ratio"):
        model.l1_ratio_ = best.path.l1_ratio
    if best.path.n_outputs > 1:
        _equivalents.forget(model)
    else:
        _equivalents.remember(model, y, best.path.loss.name, model.alpha_, best.path.l1_ratio, sample_weight, offset)
    return model


@contextmanager
def scoring_named() -> Generator[None]:
    """Refusals of `score` as what an estimator calls it, `scoring`."""
    try:
        yield
    except ArgumentError as error:
        said = str(error)
        if not said.startswith(("score=", "score must")):
            raise
        raise ArgumentError(f"scoring{said.removeprefix('score')}") from None


def warn_about_folds(run: CrossValidation, tol: float) -> None:
    """Say what a cross-validation's path and folds missed, from the `fit` of an estimator."""
    warn_missed(run.path, run.fold_gaps, tol, stacklevel=3, category=MissedTolerance)


def store_chosen(model: Any, best: CrossValidation) -> Any:
    """Store a cross-validation and the fit at the strength that `rule` chooses; a model does not hold its data."""
    best = replace(best, path=replace(best.path, problem=None))
    chosen = best.index_min if model.rule == "min" else best.index_1se
    model.cv_, model.path_, model.cv_scores_, model.alphas_ = best, best.path, best.scores, best.alphas
    model.alpha_min_, model.alpha_1se_, model.alpha_ = best.alpha_min, best.alpha_1se, float(best.alphas[chosen])
    model.coef_ = _column(best.path.coefs, chosen)
    outputs = best.path.n_outputs
    model.intercept_ = best.path.intercepts[:, chosen].copy() if outputs > 1 else float(best.path.intercepts[chosen])
    model.dual_gap_, model.n_iter_ = float(best.path.gaps[chosen]), best.path.n_passes
    model.status_ = best.path.status[chosen]
    if outputs > 1:
        model.coef_ = model.coef_.reshape((outputs, -1))
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
    if (score := shared.pop("score")) not in ("deviance", "mse"):
        raise ArgumentError(f"cv='loo' scores by squared errors, scoring='mse' or 'deviance'; got {score!r}")
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
