"""Multi-task elastic net: several responses that keep or drop columns together."""

import warnings
from collections.abc import Sequence
from typing import Any, Literal, Self, cast

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from shrinkage._check import check_choice, check_positive, check_strength
from shrinkage._errors import ConvergenceWarning
from shrinkage._path import Responses, fold_rows, state_responses, validate_responses
from shrinkage.design import as_design
from shrinkage.estimators._fitting import (
    FLOATS,
    Routed,
    mixings,
    split_metadata,
    store_chosen,
    warn_about_folds,
    warn_about_gap,
)
from shrinkage.problem import class_offset
from shrinkage.solvers import Status, solve


class _MultiTaskRegressor(RegressorMixin, BaseEstimator):
    """Mixin: predicts several linear predictors."""

    n_features_in_: int

    def predict(self, X: Any, offset: ArrayLike | None = None) -> np.ndarray:
        """Mean responses, X coef_.T + intercept_ + offset.

        Parameters
        ----------
        X : array-like, table or sparse matrix of shape (n_samples, n_features)
        offset : array-like of shape (n_samples, n_responses), optional

        Returns
        -------
        ndarray of shape (n_samples, n_responses), float64
        """
        check_is_fitted(self)
        X = cast(Any, validate_data(self, X, reset=False, accept_sparse=("csr", "csc"), dtype=FLOATS))
        model = cast(Any, self)
        eta = X @ model.coef_.T + model.intercept_
        return eta if offset is None else eta + class_offset(offset, eta.shape)

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

    def fit(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None
    ) -> Self:
        """Fit to rows of X and y.

        Parameters
        ----------
        X : array-like, table or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples, n_responses)
        sample_weight : array-like of shape (n_samples,), optional
            Weights >= 0; an integer weight means that many copies of the row.
        offset : array-like of shape (n_samples, n_responses), optional
            Known part of the linear predictors.

        Returns
        -------
        self
        """
        check_strength("alpha", self.alpha)
        stated = _stated(self, *_checked(self, X, y), self.l1_ratio, sample_weight, offset)
        K, problem = stated.K, stated.problem
        problem = problem.with_penalty(problem.penalty.with_alpha(float(self.alpha) / K))
        found = solve(problem, tol=self.tol)
        self.coef_, self.intercept_ = stated.parted(found.coef)
        self.dual_gap_, self.n_iter_, self.status_ = K * found.gap, found.n_iter, found.status
        if found.status is Status.GAP_ABOVE_TOL:
            warn_about_gap(found.gap / (problem.null.objective or 1.0), self.tol, stacklevel=3)
        return self


class MultiTaskElasticNetCV(Routed, _MultiTaskRegressor):
    """`MultiTaskElasticNet` with its strength chosen by cross-validation.

    Parameters
    ----------
    l1_ratio : float in (0, 1] or list of them, default 0.5
        Of a list, the mixing with the best mean score is taken; `rule` then chooses along its strengths.
    fit_intercept, standardize, penalty_factor, tol, lower, upper, positive
        As in `MultiTaskElasticNet`. `standardize` is redone on the training rows of each fold.
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
    l1_ratio_ : float
        The chosen mixing.
    path_ : Path
        The fits on all rows, those of the first response first.
    cv_ : CrossValidation
        The whole record: mean, standard error, both rules.

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
        l1_ratio: float | Sequence[float] = 0.5,
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

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        **metadata: Any,
    ) -> Self:
        """Choose the strength and fit to all rows.

        Parameters
        ----------
        X, y, sample_weight, offset
            As in `MultiTaskElasticNet.fit`; the held-out scores are weighted too.
        **metadata
            `groups` of rows for a splitter that takes them; with scikit-learn's metadata routing, whatever it requests.

        Returns
        -------
        self
        """
        check_choice("rule", self.rule, ("min", "1se"))
        design, Y = _checked(self, X, y)
        metadata = split_metadata(self, sample_weight, offset, metadata)
        shared, wanted = (sample_weight, offset), (self.alphas, self.n_alphas, self.alpha_min_ratio)
        stated = [_stated(self, design, Y, ratio, *shared) for ratio in mixings(self.l1_ratio)]
        rows = fold_rows(self.cv, Y[:, 0], False, X, **metadata)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # said below, with scikit-learn's category and place
            runs = [validate_responses(one, wanted, (rows, None), self.standardize, self.tol) for one in stated]
        for run in runs:
            warn_about_folds(run, self.tol)
        best = min(runs, key=lambda run: run.mean[run.index_min])
        self.l1_ratio_ = best.path.l1_ratio
        store_chosen(self, best)
        self.coef_, self.intercept_ = self.coef_.reshape((Y.shape[1], -1)), np.atleast_1d(self.intercept_)
        return self


def _checked(model: Any, X: Any, y: Any) -> tuple[Any, np.ndarray]:
    """X as a design with the names of its columns, and y as a matrix."""
    check_positive("tol", model.tol)
    X, y = cast(Any, validate_data(model, X, y, accept_sparse="csc", dtype=FLOATS, multi_output=True, y_numeric=True))
    return as_design(X, getattr(model, "feature_names_in_", None)), y


def _stated(model: Any, design: Any, y: Any, l1_ratio: Any, sample_weight: Any, offset: Any) -> Responses:
    return state_responses(
        design, y, l1_ratio, model.fit_intercept, model.standardize, sample_weight, offset, model.penalty_factor,
        model.lower, model.upper, model.positive,
    )  # fmt: skip
