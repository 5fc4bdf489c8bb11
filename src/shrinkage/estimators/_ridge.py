"""Ridge: least squares with a squared L2 penalty."""

from typing import Any, Literal, Self

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin

from shrinkage.estimators._fitting import LinearRegressor, Routed, check_data, fit_folds, fit_strength
from shrinkage.losses import Squared
from shrinkage.penalties import L2


class Ridge(LinearRegressor, RegressorMixin, BaseEstimator):
    """Least squares with a squared L2 penalty; alpha is per sample: scikit-learn's `Ridge` alpha divided by n_samples.

    Shrinks all coefficients, correlated ones together; none becomes exactly zero.

    Minimizes over w and b

        (1/2S) Σᵢ sᵢ (yᵢ - oᵢ - xᵢ·w - b)² + (α/2) Σⱼ fⱼ wⱼ²,    S = Σ sᵢ

    with weights s (`sample_weight`), offset o and factors f (`penalty_factor`). b is never penalized.

    Parameters
    ----------
    alpha : float >= 0, default 1.0
        Strength α, in the squared unit of a column of X. scikit-learn's `Ridge(alpha=a)` is
        `Ridge(alpha=a / n_samples)` here (with weights: a / S), so the strength keeps its meaning when rows are added.
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
        Linear systems solved.
    status_ : shrinkage.solvers.Status
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,), where X has column names

    Raises
    ------
    ValueError
        Where X, y or an argument cannot be used; the message says which and what would be right.

    References
    ----------
    Hoerl & Kennard (1970), Ridge regression: biased estimation for nonorthogonal problems, Technometrics 12(1).

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage import Ridge
    >>> X = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> model = Ridge(alpha=0.5).fit(X, [3.0, -3.0, 0.5, -0.5])
    >>> model.coef_.round(6)  # each mean of x*y, divided by the mean of x*x plus alpha
    array([1.5 , 0.25])
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        tol: float = 1e-6,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        positive: bool = False,
    ) -> None:
        self.alpha = alpha
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
            float64 and float32 are not copied (sparse: CSC).
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
        return fit_strength(self, X, y, Squared(), L2(self.alpha), sample_weight, offset)


class RidgeCV(Routed, LinearRegressor, RegressorMixin, BaseEstimator):
    """`Ridge` with its strength chosen by cross-validation, by folds or by exact leave-one-out.

    For each strength of a grid, m_k is the weighted mean squared error on fold k of the fit to the other folds, n_k
    that fold's weight; the curve is Σ n_k m_k / Σ n_k. The fit on all rows at the chosen
    strength and the path are stored.

    Parameters
    ----------
    alphas : array-like of float, optional
        Strengths to compare; by default `n_alphas` on a log scale from 1000 a down to `alpha_min_ratio` a, with a the
        largest |cov(x_j, y)| sd(x_j) / sd(y). On standardized columns it starts where glmnet's grid does.
    n_alphas : int, default 100
    alpha_min_ratio : float in (0, 1), default 1e-3
    cv : int, splitter, iterable of (train, test) index pairs, or "loo"; default 10
        An int means unshuffled folds, as scikit-learn's `KFold`; it is at most the number of rows. None is 10. "loo"
        leaves every row of positive weight out, exactly and from one eigendecomposition
        (`shrinkage.selection.leave_one_out`): a fold for each of them, at the price of one fit.
    rule : {"min", "1se"}, default "min"
        "min" takes the strength with the smallest mean score; "1se" the largest within one standard error of it.
    scoring : {"deviance", "mse", "mae"}, default "deviance"
        As `score` of `cross_validate`.
    stop : "auto", optional
        End the grid early where smaller strengths gain nothing, as `stop` of `cross_validate`; `path_.ending` says why.
    fit_intercept, standardize, penalty_factor, tol, lower, upper, positive
        As in `Ridge`. `standardize` is redone on the training rows of each fold; with "loo" it stays that of all rows.

    Attributes
    ----------
    coef_, intercept_, dual_gap_, status_, n_features_in_, feature_names_in_
        As in `Ridge`, of the fit on all rows at `alpha_`.
    n_iter_ : int
        Passes over X that the path took.
    alpha_, alpha_min_, alpha_1se_ : float
        The chosen strength, and the one that each rule chooses.
    alphas_ : ndarray of shape (n_alphas,)
    cv_scores_ : ndarray of shape (n_alphas, n_folds)
        Mean held-out squared error; lower is better.
    path_ : Path
        The fits on all rows.
    cv_ : CrossValidation
        The whole record: mean, standard error, both rules.

    References
    ----------
    Friedman, Hastie & Tibshirani (2010), J. Stat. Softw. 33(1), section 2.5 and `cv.glmnet`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from shrinkage import RidgeCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> simpler = RidgeCV(rule="1se").fit(X, y)
    >>> bool(simpler.alpha_ > simpler.alpha_min_)
    True
    >>> RidgeCV(cv="loo").fit(X, y).cv_scores_.shape  # a column for each row left out
    (100, 442)
    """

    def __init__(
        self,
        *,
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
            As in `Ridge.fit`; the held-out scores are weighted too.
        **metadata
            `groups` of rows for a splitter that takes them; with scikit-learn's metadata routing, whatever it requests.

        Returns
        -------
        self
        """
        X, y = check_data(self, X, y)
        return fit_folds(self, X, y, "squared", 0.0, sample_weight, offset, metadata)
