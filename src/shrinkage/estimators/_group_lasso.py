"""Group lasso: least squares that keeps or drops groups of columns whole."""

import warnings
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin

from shrinkage._check import check_choice, check_fraction
from shrinkage._errors import ConvergenceWarning
from shrinkage._path import bounded, cross_validate, fold_rows
from shrinkage.design import BlockDesign, as_design
from shrinkage.estimators._column_groups import column_groups
from shrinkage.estimators._fitting import (
    LinearRegressor,
    Routed,
    check_data,
    split_metadata,
    store_chosen,
    store_solution,
    warn_about_folds,
)
from shrinkage.losses import Squared
from shrinkage.penalties import L1, GroupL2
from shrinkage.problem import Problem
from shrinkage.solvers import column_scale, solve


class GroupLasso(LinearRegressor, RegressorMixin, BaseEstimator):
    """Least squares with a penalty on the lengths of groups of coefficients: groups leave the model whole.

    Minimizes over w and b

        (1/2S) Σᵢ sᵢ (yᵢ - oᵢ - xᵢ·w - b)² + α (ρ Σⱼ |wⱼ| + (1-ρ) Σ_g ω_g ‖w_g‖₂),    S = Σ sᵢ

    with weights s (`sample_weight`), offset o and ω_g the square root of the size of group g. b is never penalized.

    Parameters
    ----------
    alpha : float >= 0, default 1.0
        Strength α, the same as in skglm and adelie.
    groups : None, "names", array-like of shape (n_features,), or mapping, default None
        Labels: columns with equal labels are a group. A mapping {"site": ["site=A", "site=B"], ...} lists columns by
        name or number; a column that it leaves out is a group of its own. "names": columns whose names agree up to the
        first "=", as those of one category do. None: every column alone. Groups must not overlap.
    l1_ratio : float in [0, 1], default 0.0
        Share ρ of the L1 part; above 0 this is the sparse group lasso, with zeros inside groups too.
    group_weights : {"sqrt", "ones"} or array-like of shape (n_groups,), default "sqrt"
        ω, in the order in which groups are first met; 0 leaves a group without its part.
    fit_intercept : bool, default True
    standardize : bool, default False
        The penalty measures sdⱼ wⱼ instead of wⱼ, with sdⱼ the weighted standard deviation (divided by S) of column j.
    tol : float > 0, default 1e-6
        Largest duality gap of an answer, relative to the objective of the model without penalized columns.
    lower, upper : number or array-like of shape (n_features,), optional
        Bounds lower <= 0 <= upper of coefficients, in the raw unit of X; -inf and inf are none.
    positive : bool, default False
        Stands for lower=0.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
    intercept_ : float
    groups_ : list of lists of int
        The columns of each group.
    dual_gap_ : float
        Duality gap: an upper bound on how far the objective is from its minimum, in the objective's unit.
    n_iter_ : int
    status_ : shrinkage.solvers.Status
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,), where X has column names

    References
    ----------
    Yuan & Lin (2006), J. R. Stat. Soc. B 68(1), eq. 2.2, https://doi.org/10.1111/j.1467-9868.2005.00532.x
    With l1_ratio > 0: Simon, Friedman, Hastie & Tibshirani (2013), J. Comput. Graph. Stat. 22(2), eq. 3,
    https://doi.org/10.1080/10618600.2012.681250

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage import GroupLasso
    >>> X = np.array([[1.0, 0.0, 1.0], [-1.0, 0.0, 1.0], [0.0, 1.0, -1.0], [0.0, -1.0, -1.0]])
    >>> GroupLasso(alpha=0.5, groups=["a", "a", "b"]).fit(X, [3.0, -3.0, 4.0, -4.0]).coef_.round(2)
    array([2.15, 2.87, 0.  ])
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        groups: Any = None,
        l1_ratio: float = 0.0,
        group_weights: Any = "sqrt",
        fit_intercept: bool = True,
        standardize: bool = False,
        tol: float = 1e-6,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        positive: bool = False,
    ) -> None:
        self.alpha = alpha
        self.groups = groups
        self.l1_ratio = l1_ratio
        self.group_weights = group_weights
        self.fit_intercept = fit_intercept
        self.standardize = standardize
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
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), optional
            Weights >= 0; an integer weight means that many copies of the row.
        offset : array-like of shape (n_samples,), optional
            Known part of the linear predictor.

        Returns
        -------
        self
        """
        X, y = check_data(self, X, y)
        penalty = _penalty(self, X.shape[1]).with_alpha(float(self.alpha))
        penalty = bounded(penalty, X.shape[1], self.lower, self.upper, self.positive, None)
        problem = Problem(as_design(X), y, Squared(), penalty, sample_weight, offset, self.fit_intercept)
        if self.standardize:
            scale = column_scale(problem.design, problem.weights[:, None])[:, 0]
            problem = replace(problem, scale=scale)
        return store_solution(self, problem, solve(problem, tol=self.tol))


class GroupLassoCV(Routed, LinearRegressor, RegressorMixin, BaseEstimator):
    """`GroupLasso` with its strength chosen by cross-validation.

    Parameters
    ----------
    groups, l1_ratio, group_weights, fit_intercept, standardize, tol, lower, upper, positive
        As in `GroupLasso`. `standardize` is redone on the training rows of each fold.
    alphas : array-like of float, optional
        Strengths to compare; by default `n_alphas` on a log scale from the smallest that makes all groups zero.
    n_alphas : int, default 100
    alpha_min_ratio : float in (0, 1), default 1e-3
    cv : int, splitter or iterable of (train, test) index pairs, default 10
    rule : {"min", "1se"}, default "min"
        "min" takes the strength with the smallest mean score; "1se" the largest within one standard error of it.
    stop : "auto", optional
        End the grid early where smaller strengths gain nothing, as `stop` of `cross_validate`; `path_.ending` says why.

    Attributes
    ----------
    coef_, intercept_, groups_, dual_gap_, status_, n_features_in_, feature_names_in_
        As in `GroupLasso`, of the fit on all rows at `alpha_`.
    n_iter_ : int
        Passes over X that path and folds took.
    alpha_, alpha_min_, alpha_1se_ : float
        The chosen strength, and the one that each rule chooses.
    alphas_ : ndarray of shape (n_alphas,)
    cv_scores_ : ndarray of shape (n_alphas, n_folds)
        Mean held-out squared error; lower is better.
    path_ : Path
    cv_ : CrossValidation

    References
    ----------
    As `GroupLasso`; cross-validation as R's `cv.glmnet`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from shrinkage import GroupLassoCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = GroupLassoCV(groups=["age", "sex", "bmi", "bp"] + ["serum"] * 6, n_alphas=20, cv=5).fit(X, y)
    >>> len(model.groups_)
    5
    """

    def __init__(
        self,
        *,
        groups: Any = None,
        l1_ratio: float = 0.0,
        group_weights: Any = "sqrt",
        alphas: ArrayLike | None = None,
        n_alphas: int = 100,
        alpha_min_ratio: float = 1e-3,
        cv: Any = 10,
        rule: Literal["min", "1se"] = "min",
        stop: Literal["auto"] | None = None,
        fit_intercept: bool = True,
        standardize: bool = False,
        tol: float = 1e-6,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        positive: bool = False,
    ) -> None:
        self.groups = groups
        self.l1_ratio = l1_ratio
        self.group_weights = group_weights
        self.alphas = alphas
        self.n_alphas = n_alphas
        self.alpha_min_ratio = alpha_min_ratio
        self.cv = cv
        self.rule = rule
        self.stop = stop
        self.fit_intercept = fit_intercept
        self.standardize = standardize
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
            As in `GroupLasso.fit`; the held-out scores are weighted too.
        **metadata
            `groups` of rows for a splitter that takes them; with scikit-learn's metadata routing, whatever it requests.

        Returns
        -------
        self
        """
        check_choice("rule", self.rule, ("min", "1se"))
        X, y = check_data(self, X, y)
        penalty = _penalty(self, X.shape[1])
        metadata = split_metadata(self, sample_weight, offset, metadata)
        folds = fold_rows(self.cv, y, False, None if isinstance(X, BlockDesign) else X, **metadata)
        design: Any = as_design(X, getattr(self, "feature_names_in_", None))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # said below, with scikit-learn's category and place
            run = cross_validate(
                design,
                y,
                folds,
                alphas=self.alphas,
                n_alphas=self.n_alphas,
                alpha_min_ratio=self.alpha_min_ratio,
                fit_intercept=self.fit_intercept,
                standardize=self.standardize,
                sample_weight=sample_weight,
                offset=offset,
                penalty=penalty,
                tol=self.tol,
                lower=self.lower,
                upper=self.upper,
                positive=self.positive,
                stop=self.stop,
            )
        warn_about_folds(run, self.tol)
        return store_chosen(self, run)


def _penalty(model: Any, n_features: int) -> Any:
    """The penalty of alpha 1 that the arguments state; `groups_` is stored."""
    check_fraction("l1_ratio", model.l1_ratio)
    names = getattr(model, "feature_names_in_", None)
    model.groups_ = column_groups(model.groups, n_features, None if names is None else [str(name) for name in names])
    weights = model.group_weights
    weights = weights if isinstance(weights, str) else np.asarray(weights, dtype=np.float64)
    ratio = float(model.l1_ratio)
    group = GroupL2(1.0 - ratio, model.groups_, weights=weights)
    return group if ratio == 0 else L1(ratio) + group
