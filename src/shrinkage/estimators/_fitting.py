"""What the estimators share: checked input becomes a `Problem`, its answer becomes fitted attributes."""

import warnings
from dataclasses import replace
from numbers import Integral

import numpy as np
import sklearn
from sklearn.base import is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted, validate_data

from shrinkage._check import check_boolean, check_choice, check_positive, finite_vector, weight_vector
from shrinkage._errors import ArgumentError, ConvergenceWarning
from shrinkage._path import cross_validate
from shrinkage.design import as_design
from shrinkage.problem import Problem
from shrinkage.solvers import Status, solve

FLOATS = (np.float64, np.float32)


class LinearRegressor:
    """Mixin: predicts the linear predictor, from dense or sparse rows."""

    def predict(self, X, offset=None):
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

    def __sklearn_tags__(self):
        """Sparse X is accepted."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class Routed:
    """Mixin of the cross-validated estimators: metadata such as `groups` go to the splitter."""

    def get_metadata_routing(self):
        """Where metadata go: `sample_weight` and `offset` stay here, the rest goes to the splitter's `split`.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
        """
        to_split = MethodMapping().add(caller="fit", callee="split")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(splitter=check_cv(self.cv), method_mapping=to_split)


def linear_predictor(model, X, offset=None):
    """Xw + b + offset of a fitted model, shape (n_samples,)."""
    check_is_fitted(model)
    X = validate_data(model, X, reset=False, accept_sparse=("csr", "csc"), dtype=FLOATS)
    eta = X @ model.coef_.reshape(-1) + model.intercept_
    return eta if offset is None else eta + row_offset(offset, X.shape[0])


def check_data(model, X, y):
    """X as a float array or CSC and y as a vector, copied only where the type does not fit."""
    check_positive("tol", model.tol)
    check_boolean("fit_intercept", model.fit_intercept)
    check_boolean("standardize", model.standardize)
    return validate_data(model, X, y, accept_sparse="csc", dtype=FLOATS, y_numeric=not is_classifier(model))


def row_weights(sample_weight, n_samples):
    """Weights >= 0 with a positive sum, or None."""
    return None if sample_weight is None else weight_vector("sample_weight", sample_weight, n_samples)


def row_offset(offset, n_samples):
    """One finite number per row, or None."""
    return None if offset is None else finite_vector("offset", offset, n_samples)


def feature_factors(penalty_factor, n_features):
    """Multipliers f_j >= 0, not all zero, or None."""
    return None if penalty_factor is None else weight_vector("penalty_factor", penalty_factor, n_features)


def fit_strength(model, X, y, loss, penalty, sample_weight, offset):
    """Solve for one strength and store the answer; X and y come from `check_data`."""
    weights = row_weights(sample_weight, X.shape[0])
    design = as_design(X)
    factors = feature_factors(model.penalty_factor, X.shape[1])
    problem = Problem(
        design,
        np.asarray(y, dtype=np.float64),
        loss,
        penalty if factors is None else replace(penalty, factors=factors),
        sample_weight=weights,
        offset=row_offset(offset, X.shape[0]),
        fit_intercept=model.fit_intercept,
        scale=deviations(design, weights, model.fit_intercept) if model.standardize else None,
    )
    solution = solve(problem, tol=model.tol)
    model.coef_, model.intercept_ = solution.coef, solution.intercept
    model.dual_gap_, model.n_iter_, model.status_ = solution.gap, solution.n_iter, solution.status
    if solution.status is Status.GAP_ABOVE_TOL:
        warn_about_gap(solution.gap / problem.null.objective, model.tol)
    return model


def deviations(design, weights, fit_intercept):
    """Weighted standard deviation of each column (about zero without intercept); 1 for a constant column."""
    means, variances = design.column_moments(None if weights is None else weights[:, None])
    variance = variances[:, 0] if fit_intercept else variances[:, 0] + means[:, 0] ** 2
    return np.where(variance > 0, np.sqrt(variance), 1.0)


def warn_about_gap(relative_gap, tol):
    """Say that an answer misses the tolerance, both numbers in one unit."""
    warnings.warn(
        f"relative duality gap {relative_gap:.1e} > tol {tol:.1e}: raise tol, or bring the columns of X to one scale",
        ConvergenceWarning,
        stacklevel=4,
    )


def fit_folds(model, X, y, loss, l1_ratio, sample_weight, offset, metadata):
    """Choose the strength (and the mixing, of several) by cross-validation and store that fit."""
    check_choice("rule", model.rule, ("min", "1se"))
    weights = row_weights(sample_weight, X.shape[0])
    shared = {
        "loss": loss,
        "alphas": model.alphas,
        "n_alphas": model.n_alphas,
        "alpha_min_ratio": model.alpha_min_ratio,
        "fit_intercept": model.fit_intercept,
        "standardize": model.standardize,
        "sample_weight": weights,
        "offset": row_offset(offset, X.shape[0]),
        "penalty_factor": feature_factors(model.penalty_factor, X.shape[1]),
        "tol": model.tol,
        "cv": folds_of(model, X, y, split_metadata(model, sample_weight, offset, metadata)),
    }
    design = as_design(X, getattr(model, "feature_names_in_", None))
    runs = [cross_validate(design, y, l1_ratio=float(ratio), **shared) for ratio in mixings(l1_ratio)]
    best = min(runs, key=lambda run: run.mean[run.index_min])
    chosen = best.index_min if model.rule == "min" else best.index_1se
    model.cv_, model.path_, model.cv_scores_, model.alphas_ = best, best.path, best.scores, best.alphas
    model.alpha_min_, model.alpha_1se_, model.alpha_ = best.alpha_min, best.alpha_1se, float(best.alphas[chosen])
    model.coef_ = best.path.coefs[:, [chosen]].toarray()[:, 0]
    model.intercept_ = float(best.path.intercepts[chosen])
    model.dual_gap_, model.n_iter_ = float(best.path.gaps[chosen]), best.path.n_passes
    model.status_ = best.path.status[chosen]
    if hasattr(model, "l1_ratio"):
        model.l1_ratio_ = float(best.path.l1_ratio)
    return model


def mixings(l1_ratio):
    """The mixings to compare: one number, or a non-empty list of them."""
    ratios = np.atleast_1d(l1_ratio)
    if ratios.ndim != 1 or ratios.size == 0:
        raise ArgumentError(f"l1_ratio must be a number or a non-empty list of numbers; got {l1_ratio!r}")
    return ratios


def split_metadata(model, sample_weight, offset, metadata):
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


def folds_of(model, X, y, metadata):
    """The folds as index pairs, the same for every mixing; an integer that the rows cannot fill is refused."""
    stratified = is_classifier(model)
    if isinstance(model.cv, Integral):
        n_rows = int(np.unique(y, return_counts=True)[1].min()) if stratified else len(y)
        if not 2 <= model.cv <= n_rows:
            of = "rows of the smaller class" if stratified else "rows"
            raise ArgumentError(f"cv must be from 2 to the number of {of}; got cv={model.cv} with n_samples={n_rows}")
    return list(check_cv(model.cv, y, classifier=stratified).split(X, y, **metadata))
