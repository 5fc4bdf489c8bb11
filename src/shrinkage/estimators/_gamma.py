"""Gamma regression of positive amounts with an elastic-net penalty."""

from collections.abc import Sequence
from typing import Any, Literal, Self

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin

from shrinkage.estimators._fitting import Routed, check_data, fit_folds, fit_strength
from shrinkage.estimators._log_link import LogLink
from shrinkage.losses import Gamma
from shrinkage.penalties import L1L2


class GammaRegressor(LogLink, RegressorMixin, BaseEstimator):
    """Gamma regression of positive amounts, with a log link and an elastic-net penalty.

    Minimizes over w and b, with η = o + Xw + b and the mean μ = exp η,

        (1/S) Σᵢ sᵢ (yᵢ/μᵢ - 1 - log(yᵢ/μᵢ)) + α Σⱼ fⱼ (ρ|wⱼ| + ½(1-ρ)wⱼ²),    S = Σ sᵢ

    with weights s (`sample_weight`), offset o and factors f (`penalty_factor`): half the mean deviance and a penalty. b
    is never penalized.

    Parameters
    ----------
    alpha : float >= 0, default 1.0
        Strength α. With l1_ratio 0 the same as in scikit-learn's `GammaRegressor`.
    l1_ratio : float in [0, 1], default 0.0
        Mixing ρ; 1 is L1 alone, 0 squared L2 alone.
    fit_intercept : bool, default True
    standardize : bool, default False
        The penalty measures sdⱼ wⱼ instead of wⱼ, with sdⱼ the weighted standard deviation (divided by S) of column j.
        Coefficients are in the raw unit of X either way.
    penalty_factor : array-like of shape (n_features,), optional
        Multipliers fⱼ >= 0 of the penalty, not all zero; 0 leaves a column free, inf excludes it.
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
    dual_gap_ : float
        Duality gap: an upper bound on how far the objective is from its minimum, in the objective's unit.
    n_iter_ : int
        Restricted solves spent.
    status_ : shrinkage.solvers.Status
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,), where X has column names

    Raises
    ------
    ValueError
        Where X, y or an argument cannot be used; the message says which and what would be right.

    References
    ----------
    McCullagh & Nelder (1989), Generalized Linear Models, 2nd ed., chapter 8.

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage import GammaRegressor
    >>> X = np.array([[0.0], [0.0], [1.0], [1.0]])
    >>> model = GammaRegressor(alpha=0.0).fit(X, [1.0, 3.0, 5.0, 7.0])
    >>> model.predict([[0.0], [1.0]]).round(4)  # the mean of each kind of rows
    array([2., 6.])
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.0,
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

    def _loss(self) -> Gamma:
        return Gamma()

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
    ) -> Self:
        """Fit to rows of X and y.

        Parameters
        ----------
        X : array-like, table or sparse matrix of shape (n_samples, n_features)
            float64 and float32 are not copied (sparse: CSC).
        y : array-like of shape (n_samples,)
            Amounts, > 0.
        sample_weight : array-like of shape (n_samples,), optional
            Weights >= 0; an integer weight means that many copies of the row.
        offset : array-like of shape (n_samples,), optional
            Known part of the linear predictor.

        Returns
        -------
        self
        """
        X, y = check_data(self, X, y)
        penalty = L1L2(self.alpha, self.l1_ratio)
        return fit_strength(self, X, y, self._loss(), penalty, sample_weight, offset)


class GammaRegressorCV(Routed, LogLink, RegressorMixin, BaseEstimator):
    """`GammaRegressor` with its strength, and if wanted its mixing, chosen by cross-validation.

    For each strength of a grid, m_k is the weighted mean deviance on fold k of the fit to the other folds, n_k that
    fold's weight; the curve is Σ n_k m_k / Σ n_k. The fit on all rows at the chosen strength and the path are stored.

    Parameters
    ----------
    l1_ratio : float in [0, 1] or list of them, default 0.0
        Of a list, the mixing with the best mean score is taken; `rule` then chooses along its strengths.
    alphas : array-like of float, optional
        Strengths to compare; by default `n_alphas` on a log scale from the smallest that makes all coefficients zero,
        for each mixing its own; for ridge (l1_ratio 0) as `path` says.
    n_alphas : int, default 100
    alpha_min_ratio : float in (0, 1), default 1e-3
        Smallest strength of the grid, as a part of its largest; for ridge as `path` says.
    cv : int, splitter or iterable of (train, test) index pairs, default 10
        An int means unshuffled folds, as scikit-learn's `KFold`; it is at most the number of rows. None is 10.
    rule : {"min", "1se"}, default "min"
        "min" takes the strength with the best mean score; "1se" the largest within one standard error of it.
    scoring : {"deviance", "mse", "mae"}, default "deviance"
        As `score` of `cross_validate`.
    stop : "auto", optional
        End the grid early where smaller strengths gain nothing, as `stop` of `cross_validate`; `path_.ending` says why.
    fit_intercept, standardize, penalty_factor, tol, lower, upper, positive
        As in `GammaRegressor`. `standardize` is redone on the training rows of each fold.

    Attributes
    ----------
    coef_, intercept_, dual_gap_, status_, n_features_in_, feature_names_in_
        As in `GammaRegressor`, of the fit on all rows at `alpha_`.
    n_iter_ : int
        Passes over X that the path took.
    alpha_, alpha_min_, alpha_1se_ : float
        The chosen strength, and the one that each rule chooses.
    l1_ratio_ : float
        The chosen mixing.
    alphas_ : ndarray of shape (n_alphas,)
    cv_scores_ : ndarray of shape (n_alphas, n_folds)
        Mean held-out scores, by default deviances: lower is better.
    path_ : Path
        The fits on all rows.
    cv_ : CrossValidation
        The whole record: mean, standard error, both rules.

    References
    ----------
    Friedman, Hastie & Tibshirani (2010), J. Stat. Softw. 33(1), section 2.5 and `cv.glmnet`.

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage import GammaRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 3))
    >>> y = rng.gamma(2.0, np.exp(X[:, 0]))
    >>> model = GammaRegressorCV(l1_ratio=1.0, cv=5, n_alphas=20).fit(X, y)
    >>> bool(model.coef_[0] > 0.3)
    True
    """

    def __init__(
        self,
        *,
        l1_ratio: float | Sequence[float] = 0.0,
        alphas: ArrayLike | None = None,
        n_alphas: int = 100,
        alpha_min_ratio: float = 1e-3,
        cv: Any = 10,
        rule: Literal["min", "1se"] = "min",
        scoring: Literal["deviance", "mse", "mae"] = "deviance",
        stop: Literal["auto"] | None = None,
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
        self.scoring = scoring
        self.stop = stop
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.tol = tol
        self.lower = lower
        self.upper = upper
        self.positive = positive

    def _loss(self) -> Gamma:
        return Gamma()

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
            As in `GammaRegressor.fit`; the held-out scores are weighted too.
        **metadata
            `groups` of rows for a splitter that takes them; with scikit-learn's metadata routing, whatever it requests.

        Returns
        -------
        self
        """
        X, y = check_data(self, X, y)
        return fit_folds(self, X, y, self._loss(), self.l1_ratio, sample_weight, offset, metadata)
