"""Multi-task elastic net: several responses that keep or drop columns together."""

from typing import Any, Literal, Self, cast

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from shrinkage._check import (
    check_boolean,
    check_choice,
    check_fraction,
    check_nonnegative,
    check_positive,
    weight_vector,
)
from shrinkage._errors import ArgumentError
from shrinkage._path import CrossValidation, check_folds, factors_and_excluded, fold_rows, grid, limit_vectors
from shrinkage.design import ResponsesDesign, as_design
from shrinkage.estimators._fitting import FLOATS, Routed, split_metadata, warn_about_gap
from shrinkage.losses import Squared
from shrinkage.penalties import L2, GroupBox, GroupL2
from shrinkage.problem import Problem
from shrinkage.solvers import Status, column_scale, solve, solve_folds


class _MultiTaskRegressor(RegressorMixin, BaseEstimator):
    """Mixin: predicts several linear predictors."""

    n_features_in_: int

    def predict(self, X: Any) -> np.ndarray:
        """Mean responses, X coef_.T + intercept_.

        Parameters
        ----------
        X : array-like, table or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_responses), float64
        """
        check_is_fitted(self)
        X = cast(Any, validate_data(self, X, reset=False, accept_sparse=("csr", "csc"), dtype=FLOATS))
        model = cast(Any, self)
        return X @ model.coef_.T + model.intercept_

    def __sklearn_tags__(self):
        """Sparse X is accepted, and y has columns."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags


class MultiTaskElasticNet(_MultiTaskRegressor):
    """Least squares for several responses whose coefficients of a column are zero together, or none of them.

    Minimizes over W (n_features, n_responses) and b

        (1/2S) Σᵢ sᵢ ‖yᵢ - xᵢW - b‖₂² + α Σⱼ fⱼ (ρ ‖Wⱼ‖₂ + ½(1-ρ) ‖Wⱼ‖₂²),    S = Σ sᵢ

    with weights s (`sample_weight`) and factors f (`penalty_factor`). b is never penalized.

    Parameters
    ----------
    alpha : float >= 0, default 1.0
        Strength α, as in scikit-learn's `MultiTaskElasticNet` and glmnet's `family="mgaussian"`.
    l1_ratio : float in [0, 1], default 0.5
        Mixing ρ; 1 is the multi-task lasso, 0 is ridge for each response.
    fit_intercept : bool, default True
    standardize : bool, default False
        The penalty measures sdⱼ Wⱼ instead of Wⱼ, with sdⱼ the weighted standard deviation (divided by S) of column j.
    penalty_factor : array-like of shape (n_features,), optional
        Multipliers fⱼ >= 0 of the penalty, not all zero; 0 leaves a column free, inf excludes it.
    tol : float > 0, default 1e-6
        Largest duality gap of an answer, relative to the objective of the model without penalized columns.
    lower, upper : number or array-like of shape (n_features,), optional
        Bounds lower <= 0 <= upper of the coefficients of a column in every response, in the raw unit of X.
    positive : bool, default False
        Stands for lower=0.

    Attributes
    ----------
    coef_ : ndarray of shape (n_responses, n_features)
    intercept_ : ndarray of shape (n_responses,)
    dual_gap_ : float
        Duality gap, in the objective's unit.
    n_iter_ : int
    status_ : shrinkage.solvers.Status
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,), where X has column names

    References
    ----------
    Obozinski, Taskar & Jordan (2010), Stat. Comput. 20(2), eq. 3, https://doi.org/10.1007/s11222-008-9111-x

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage import MultiTaskElasticNet
    >>> X = np.array([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    >>> Y = X @ np.array([[3.0, 4.0], [0.1, 0.0]])
    >>> MultiTaskElasticNet(alpha=1.0, l1_ratio=1.0).fit(X, Y).coef_.round(3)
    array([[2.4, 0. ],
           [3.2, 0. ]])
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        tol: float = 1e-6,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        positive: bool = False,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.tol = tol
        self.lower = lower
        self.upper = upper
        self.positive = positive

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit to rows of X and y.

        Parameters
        ----------
        X : array-like, table or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples, n_responses)
        sample_weight : array-like of shape (n_samples,), optional
            Weights >= 0; an integer weight means that many copies of the row.

        Returns
        -------
        self
        """
        check_nonnegative("alpha", self.alpha)
        problem, kept = _stated(self, X, y, sample_weight)
        design: Any = problem.design
        K = design.responses
        problem = problem.with_penalty(problem.penalty.with_alpha(float(self.alpha) / K))
        found = solve(problem, tol=self.tol)
        self.coef_, self.intercept_ = _parted(found.coef, design, kept, self.n_features_in_)
        self.dual_gap_, self.n_iter_, self.status_ = K * found.gap, found.n_iter, found.status
        if found.status is Status.GAP_ABOVE_TOL:
            warn_about_gap(found.gap / (problem.null.objective or 1.0), self.tol, stacklevel=3)
        return self


class MultiTaskElasticNetCV(Routed, _MultiTaskRegressor):
    """`MultiTaskElasticNet` with its strength chosen by cross-validation.

    Parameters
    ----------
    l1_ratio, fit_intercept, standardize, penalty_factor, tol, lower, upper, positive
        As in `MultiTaskElasticNet`, with l1_ratio > 0. `standardize` is redone on the training rows of each fold.
    alphas : array-like of float > 0, optional
        Strengths to compare; by default `n_alphas` on a log scale from the smallest that makes all coefficients zero.
    n_alphas : int, default 100
    alpha_min_ratio : float in (0, 1), default 1e-3
    cv : int, splitter or iterable of (train, test) index pairs, default 10
    rule : {"min", "1se"}, default "min"

    Attributes
    ----------
    coef_, intercept_, dual_gap_, status_, n_features_in_, feature_names_in_
        As in `MultiTaskElasticNet`, of the fit on all rows at `alpha_`.
    n_iter_ : int
        Passes over X that path and folds took.
    alpha_, alpha_min_, alpha_1se_ : float
    alphas_ : ndarray of shape (n_alphas,)
    cv_scores_ : ndarray of shape (n_alphas, n_folds)
        Mean held-out squared error over rows and responses; lower is better.

    References
    ----------
    As `MultiTaskElasticNet`; cross-validation as R's `cv.glmnet`.

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage import MultiTaskElasticNetCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(40, 6))
    >>> Y = X[:, :1] * [1.0, -2.0] + 0.1 * rng.normal(size=(40, 2))
    >>> MultiTaskElasticNetCV(cv=5, n_alphas=20, rule="1se", l1_ratio=1.0).fit(X, Y).coef_.any(axis=0).tolist()
    [True, False, False, False, False, False]
    """

    def __init__(
        self,
        *,
        l1_ratio: float = 0.5,
        alphas: ArrayLike | None = None,
        n_alphas: int = 100,
        alpha_min_ratio: float = 1e-3,
        cv: Any = 10,
        rule: Literal["min", "1se"] = "min",
        fit_intercept: bool = True,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        tol: float = 1e-6,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        positive: bool = False,
    ) -> None:
        self.l1_ratio = l1_ratio
        self.alphas = alphas
        self.n_alphas = n_alphas
        self.alpha_min_ratio = alpha_min_ratio
        self.cv = cv
        self.rule = rule
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.tol = tol
        self.lower = lower
        self.upper = upper
        self.positive = positive

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, **metadata: Any) -> Self:
        """Choose the strength and fit to all rows.

        Parameters
        ----------
        X, y, sample_weight
            As in `MultiTaskElasticNet.fit`; the held-out scores are weighted too.
        **metadata
            `groups` of rows for a splitter that takes them; with scikit-learn's metadata routing, whatever it requests.

        Returns
        -------
        self
        """
        check_choice("rule", self.rule, ("min", "1se"))
        problem, kept = _stated(self, X, y, sample_weight)
        if self.l1_ratio == 0:
            raise ArgumentError("l1_ratio must be > 0 for a path of several responses; 0 is RidgeCV for each of them")
        design: Any = problem.design
        K = design.responses
        metadata = split_metadata(self, sample_weight, None, metadata)
        rows = fold_rows(self.cv, problem.y.reshape(-1, K)[:, 0], False, X, **metadata)
        own = [tuple((K * part[:, None] + np.arange(K)).ravel() for part in fold) for fold in rows]
        folds = check_folds(cast(Any, own), problem)
        strengths = grid(self.alphas, self.n_alphas, self.alpha_min_ratio, 1.0)
        strengths = strengths if callable(strengths) else strengths / K
        found = solve_folds(problem, strengths, folds, self.standardize, self.tol)
        shares = np.array([float(problem.weights[test].sum()) for _, test in folds])
        alphas = K * found.path.alphas
        run = CrossValidation.from_scores(alphas, found.scores, shares, cast(Any, None), found.gaps)
        chosen = run.index_min if self.rule == "min" else run.index_1se
        self.alphas_, self.cv_scores_ = alphas, found.scores
        self.alpha_min_, self.alpha_1se_, self.alpha_ = run.alpha_min, run.alpha_1se, float(alphas[chosen])
        self.coef_, self.intercept_ = _parted(
            found.path.coefs[:, [chosen]].toarray()[:, 0], design, kept, self.n_features_in_
        )
        self.dual_gap_, self.n_iter_ = K * float(found.path.gaps[chosen]), found.path.n_passes
        self.status_ = found.path.status[chosen]
        worst = max(float(problem.relative(found.path.gaps).max()), float(found.gaps.max(initial=0.0)))
        if worst > self.tol:
            warn_about_gap(worst, self.tol, stacklevel=3)
        return self


def _stated(model: Any, X: Any, y: Any, sample_weight: Any) -> tuple[Problem, np.ndarray]:
    """The problem of all responses side by side, at alpha 1, and the columns that are not excluded.

    Its objective is a K-th of the one that is documented.
    """
    check_positive("tol", model.tol)
    check_boolean("standardize", model.standardize)
    check_boolean("fit_intercept", model.fit_intercept)
    check_fraction("l1_ratio", model.l1_ratio)
    X, y = cast(Any, validate_data(model, X, y, accept_sparse="csc", dtype=FLOATS, multi_output=True, y_numeric=True))
    y = np.asarray(y, dtype=np.float64)
    if y.ndim != 2:
        raise ArgumentError(f"y must have shape (n_samples, n_responses); got {y.shape}: y[:, None] makes one response")
    factors, excluded = factors_and_excluded(model.penalty_factor, X.shape[1])
    factors = np.ones(X.shape[1]) if factors is None else factors
    limits = limit_vectors(X.shape[1], model.lower, model.upper, model.positive)
    kept = np.flatnonzero(np.ones(X.shape[1], bool) if excluded is None else ~excluded)
    base, factors = as_design(X if excluded is None else X[:, kept]), factors[kept]
    (n, p), K, first = base.shape, y.shape[1], int(model.fit_intercept)
    ratio = float(model.l1_ratio)
    penalty: Any = GroupL2(ratio, [range(j * K, (j + 1) * K) for j in range(p)], weights=factors)
    if ratio < 1:
        penalty = L2(1.0 - ratio, np.repeat(np.append(factors, np.zeros(first)), K)) + penalty
    lower, upper = (np.repeat(np.append(bound[kept], np.full(first, np.inf)), K) for bound in limits)
    lower[len(lower) - first * K :] = -np.inf
    if np.isfinite(lower).any() or np.isfinite(upper).any():
        penalty = GroupBox(penalty, lower, upper)
    weights = None if sample_weight is None else weight_vector("sample_weight", sample_weight, n)
    scale = None
    if model.standardize:
        own = None if weights is None else np.asfortranarray(weights[:, None])
        scale = np.repeat(np.append(column_scale(base, own, model.fit_intercept)[:, 0], np.ones(first)), K)
    weights = None if weights is None else np.repeat(weights, K)
    design: Any = ResponsesDesign(base, K, model.fit_intercept)
    return Problem(design, y.ravel(), Squared(), penalty, weights, None, False, scale), kept


def _parted(
    coef: np.ndarray, design: ResponsesDesign, kept: np.ndarray, n_features: int
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (n_responses, n_features) and intercepts (n_responses,)."""
    K, p = design.responses, design.base.shape[1]
    coefs = np.zeros((K, n_features))
    coefs[:, kept] = coef[: p * K].reshape(p, K).T
    return coefs, (coef[p * K :] if design.intercept else np.zeros(K))
