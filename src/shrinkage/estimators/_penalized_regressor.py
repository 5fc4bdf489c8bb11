"""Regression with any penalty of this library: MCP, SCAD, SLOPE, groups, elastic nets, within bounds."""

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin

from shrinkage._path import loss_of
from shrinkage.estimators import _equivalents
from shrinkage.estimators._any_penalty import fit_penalty, fit_penalty_folds, refuse_other_losses
from shrinkage.estimators._fitting import Routed, check_data, linear_predictor
from shrinkage.estimators._log_link import deviance_explained
from shrinkage.losses import Loss

POSITIVE = ("poisson", "gamma", "tweedie", "negative_binomial")


class Means:
    """Mixin: predicts the mean response that the loss's link makes of the linear predictor."""

    loss: Any

    def predict(self, X: Any, offset: ArrayLike | None = None) -> np.ndarray:
        """Mean response: Xw + b + offset, its exponential where the loss has a log link.

        Parameters
        ----------
        X : array-like, table or sparse matrix of shape (n_samples, n_features)
        offset : array-like of shape (n_samples,), optional
            Known part of the linear predictor of each row.

        Returns
        -------
        ndarray of shape (n_samples,), float64
        """
        return loss_of(self.loss).inverse_link(linear_predictor(self, X, offset))

    def score(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None
    ) -> float:
        """Share of the deviance that the model explains, D² = 1 - D(y, μ) / D(y, null); 1 is best.

        With the squared loss and no offset that is R². The null model is the best intercept for these rows, beside the
        offset; where it explains y, 1 for a perfect prediction and else 0.

        Parameters
        ----------
        X : array-like, table or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight, offset : array-like of shape (n_samples,), optional

        Returns
        -------
        float
        """
        eta = linear_predictor(self, X, offset)
        measure: Any = loss_of(self.loss)
        return deviance_explained(measure, y, eta, sample_weight, offset)

    equivalent_calls = _equivalents.equivalent_calls

    def __sklearn_tags__(self):
        """Sparse X is accepted; with a log link y has to be positive, or at least not negative."""
        tags = super().__sklearn_tags__()  # pyright: ignore[reportAttributeAccessIssue]
        tags.input_tags.sparse = True
        tags.target_tags.positive_only = getattr(self.loss, "name", self.loss) in POSITIVE
        return tags


class PenalizedRegressor(Means, RegressorMixin, BaseEstimator):
    """Regression with any penalty: MCP, SCAD, SLOPE, groups, elastic nets, alone or within bounds.

    Minimizes over w and b, with η = o + Xw + b,

        (1/S) Σᵢ sᵢ ℓ(yᵢ, ηᵢ) + g(w),    S = Σ sᵢ

    with weights s (`sample_weight`), offset o, a loss ℓ (squared: ½(y - η)²) and a penalty g. b is never penalized.
    Where g is not convex (`MCP`, `SCAD`), the answer is a stationary point, found on a path from the null model, as
    `path` finds it; else it is the minimum, with a duality gap.

    Parameters
    ----------
    penalty : L1, L2, L1L2, MCP, SCAD, SortedL1, GroupL2, or a Box around or a GroupL2 added to one of the first three
        g. Its `factors` leave columns free or make them dearer; its groups hold columns of X. None is `L1(1.0)`.
    alpha : float >= 0, optional
        Strength in the place of the penalty's own, as `penalty.with_alpha(alpha)`: what a search over strengths sets.
    loss : {"squared", "poisson", "gamma"} or a loss of shrinkage.losses, default "squared"
        ℓ, as in `path`: `Tweedie(power)`, `NegativeBinomial(theta)`, `Huber(delta)`, `Quantile(quantile, smoothing)`.
        Classes take `PenalizedClassifier`, censored times `CoxRegressor`.
    fit_intercept : bool, default True
    standardize : bool, default False
        The penalty measures sdⱼ wⱼ instead of wⱼ, with sdⱼ the weighted standard deviation (divided by S) of column j.
        Coefficients are in the raw unit of X either way.
    tol : float > 0, default 1e-6
        Largest duality gap of an answer, relative to the objective of the null model; where the penalty is not convex
        the largest violation of the optimality conditions, over the null model's largest gradient.
    lower, upper : number or array-like of shape (n_features,), optional
        Bounds lower <= 0 <= upper of coefficients, in the raw unit of X, for the convex penalties but `SortedL1`; -inf
        and inf are none.
    positive : bool, default False
        Stands for lower=0.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
    intercept_ : float
    alpha_ : float
        The strength of the fit.
    dual_gap_ : float
        Duality gap: an upper bound on how far the objective is from its minimum, in the objective's unit; nan where the
        penalty is not convex.
    kkt_ : float
        Largest violation of the optimality conditions, in the gradient's unit.
    n_iter_ : int
        Restricted solves spent.
    status_ : shrinkage.solvers.Status
        STATIONARY where the penalty is not convex, else CONVERGED, if tol was met.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,), where X has column names

    Raises
    ------
    ValueError
        Where X, y or an argument cannot be used; the message says which and what would be right.

    Warns
    -----
    ConvergenceWarning
        If `tol` was missed; scikit-learn's category too.

    References
    ----------
    MCP: Zhang (2010), Ann. Statist. 38(2). SCAD: Fan & Li (2001), J. Am. Stat. Assoc. 96. SLOPE: Bogdan, van den Berg,
    Sabatti, Su & Candès (2015), Ann. Appl. Stat. 9(3). Each penalty's own page has equations and links.

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage import MCP, PenalizedRegressor
    >>> X = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> y = 4.0 * X[:, 0] + 0.5 * X[:, 1]
    >>> model = PenalizedRegressor(MCP(1.0, gamma=3.0)).fit(X, y)
    >>> model.coef_.round(6)  # the lasso would say 3
    array([4., 0.])
    >>> model.status_.name
    'STATIONARY'
    """

    def __init__(
        self,
        penalty: Any = None,
        *,
        alpha: float | None = None,
        loss: str | Loss = "squared",
        fit_intercept: bool = True,
        standardize: bool = False,
        tol: float = 1e-6,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        positive: bool = False,
    ) -> None:
        self.penalty = penalty
        self.alpha = alpha
        self.loss = loss
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
        refuse_other_losses(self.loss)
        X, y = check_data(self, X, y)
        return fit_penalty(self, X, y, self.loss, sample_weight, offset)


class PenalizedRegressorCV(Routed, Means, RegressorMixin, BaseEstimator):
    """`PenalizedRegressor` with its strength chosen by cross-validation.

    For each strength of a grid, m_k is the weighted mean score on fold k of the fit to the other folds, n_k that
    fold's weight; the curve is Σ n_k m_k / Σ n_k. The fit on all rows at the chosen strength and the path are stored.

    Parameters
    ----------
    penalty : as in `PenalizedRegressor`
        Its alpha is replaced by the grid.
    loss, fit_intercept, standardize, tol, lower, upper, positive
        As in `PenalizedRegressor`. `standardize` is redone on the training rows of each fold.
    alphas : array-like of float, optional
        Strengths to compare; by default `n_alphas` on a log scale from the smallest that makes all coefficients zero.
    n_alphas : int, default 100
    alpha_min_ratio : float in (0, 1), default 1e-3
        Smallest strength of the grid, as a part of its largest; for `L2` as `path` says.
    cv : int, splitter or iterable of (train, test) index pairs, default 10
        An int means unshuffled folds, as scikit-learn's `KFold`; it is at most the number of rows. None is 10.
    rule : {"min", "1se"}, default "min"
        "min" takes the strength with the best mean score; "1se" the largest within one standard error of it.
    scoring : {"deviance", "mse", "mae"}, default "deviance"
        As `score` of `cross_validate`.
    stop : "auto", optional
        End the grid early where smaller strengths gain nothing, as `stop` of `cross_validate`; `path_.ending` says why.

    Attributes
    ----------
    coef_, intercept_, dual_gap_, kkt_, status_, n_features_in_, feature_names_in_
        As in `PenalizedRegressor`, of the fit on all rows at `alpha_`.
    n_iter_ : int
        Passes over X that the path took.
    alpha_, alpha_min_, alpha_1se_ : float
        The chosen strength, and the one that each rule chooses.
    alphas_ : ndarray of shape (n_alphas,)
    cv_scores_ : ndarray of shape (n_alphas, n_folds)
        Mean held-out scores, by default deviances: lower is better.
    path_ : Path
        The fits on all rows.
    cv_ : CrossValidation
        The whole record: mean, standard error, both rules.

    References
    ----------
    As `PenalizedRegressor`; cross-validation as R's `cv.glmnet`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from shrinkage import PenalizedRegressorCV, SCAD
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = PenalizedRegressorCV(SCAD(1.0), standardize=True, n_alphas=30, cv=5, rule="1se").fit(X, y)
    >>> bool((model.coef_ != 0).sum() < 10), bool(model.score(X, y) > 0.4)
    (True, True)
    """

    def __init__(
        self,
        penalty: Any = None,
        *,
        loss: str | Loss = "squared",
        alphas: ArrayLike | None = None,
        n_alphas: int = 100,
        alpha_min_ratio: float = 1e-3,
        cv: Any = 10,
        rule: Literal["min", "1se"] = "min",
        scoring: Literal["deviance", "mse", "mae"] = "deviance",
        stop: Literal["auto"] | None = None,
        fit_intercept: bool = True,
        standardize: bool = False,
        tol: float = 1e-6,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        positive: bool = False,
    ) -> None:
        self.penalty = penalty
        self.loss = loss
        self.alphas = alphas
        self.n_alphas = n_alphas
        self.alpha_min_ratio = alpha_min_ratio
        self.cv = cv
        self.rule = rule
        self.scoring = scoring
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
            As in `PenalizedRegressor.fit`; the held-out scores are weighted too.
        **metadata
            `groups` of rows for a splitter that takes them; with scikit-learn's metadata routing, whatever it requests.

        Returns
        -------
        self
        """
        refuse_other_losses(self.loss)
        X, y = check_data(self, X, y)
        return fit_penalty_folds(self, X, y, self.loss, sample_weight, offset, metadata)
