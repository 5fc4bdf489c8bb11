"""Logistic regression of two classes or more with an elastic-net penalty."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from shrinkage._check import weight_vector
from shrinkage._errors import ArgumentError, DataError
from shrinkage.estimators import _equivalents
from shrinkage.estimators._fitting import (
    Routed,
    check_data,
    fit_folds,
    fit_strength,
    linear_predictor,
)
from shrinkage.estimators._several_classes import fit_classes
from shrinkage.losses import Logistic, Multinomial
from shrinkage.penalties import L1L2


class Classes:
    """Mixin: labels and probabilities from the linear predictors."""

    classes_: np.ndarray

    def decision_function(self, X: Any, offset: ArrayLike | None = None) -> np.ndarray:
        """Log-odds of `classes_[1]`, or of several classes the linear predictor of each: Xw + b + offset.

        Parameters
        ----------
        X : array-like, table or sparse matrix of shape (n_samples, n_features)
        offset : array-like of shape (n_samples,), optional
            Known part of the log-odds of each row; for more than two classes (n_samples, n_classes).

        Returns
        -------
        ndarray of shape (n_samples,), or (n_samples, n_classes) for more than two classes; float64
        """
        return linear_predictor(self, X, offset)

    def predict(self, X: Any, offset: ArrayLike | None = None) -> np.ndarray:
        """The likeliest class of each row, shape (n_samples,); X and offset as in `decision_function`."""
        eta = linear_predictor(self, X, offset)
        return self.classes_[eta.argmax(axis=1) if eta.ndim == 2 else (eta > 0).astype(np.intp)]

    def predict_proba(self, X: Any, offset: ArrayLike | None = None) -> np.ndarray:
        """Probability of each class, shape (n_samples, n_classes); X and offset as in `decision_function`."""
        eta = linear_predictor(self, X, offset)
        if eta.ndim == 2:
            return Multinomial().inverse_link(eta)
        return np.column_stack([Logistic().inverse_link(-eta), Logistic().inverse_link(eta)])

    def predict_log_proba(self, X: Any, offset: ArrayLike | None = None) -> np.ndarray:
        """Logarithm of `predict_proba`, exact where a probability rounds to 0 or 1; shape (n_samples, n_classes)."""
        eta = linear_predictor(self, X, offset)
        if eta.ndim == 2:
            units = np.eye(eta.shape[1])
            return -np.column_stack([Multinomial().value(unit, eta) for unit in units])
        return -np.column_stack([Logistic().value(np.zeros_like(eta), eta), Logistic().value(np.ones_like(eta), eta)])

    equivalent_calls = _equivalents.equivalent_calls

    def __sklearn_tags__(self):
        """Two classes or more; sparse X is accepted."""
        tags = super().__sklearn_tags__()  # pyright: ignore[reportAttributeAccessIssue]
        tags.input_tags.sparse = True
        return tags


def encode_classes(model: Any, y: np.ndarray, sample_weight: ArrayLike | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Store `classes_`; return y as 0.0, 1.0, ..., and the weights times those of the classes (None if all are 1)."""
    if not (type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "biuSU"):  # those are classes, whatever they hold
        check_classification_targets(y)
    model.classes_, codes = np.unique(y, return_inverse=True)
    if len(model.classes_) < 2:
        raise DataError(f"y must have two classes or more; got one class, {model.classes_.tolist()[0]!r}")
    weights = None if sample_weight is None else weight_vector("sample_weight", sample_weight, len(y))
    totals = np.bincount(codes, weights)
    if not totals.all():
        missing = model.classes_.tolist()[int(np.argmin(totals))]
        raise DataError(f"each class must have a positive sample_weight; those of class {missing!r} sum to zero")
    if model.class_weight is not None:
        factors = class_factors(model.class_weight, model.classes_, totals)
        weights = factors[codes] if weights is None else weights * factors[codes]
    return codes.astype(np.float64), weights


def class_factors(class_weight: Any, classes: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """One multiplier per class; "balanced" makes all classes weigh alike."""
    if isinstance(class_weight, str) and class_weight == "balanced":
        return totals.sum() / (len(classes) * totals)
    if not isinstance(class_weight, dict):
        raise ArgumentError(f'class_weight must be None, "balanced" or a dict of class: weight; got {class_weight!r}')
    unknown = [label for label in class_weight if label not in classes.tolist()]
    if unknown:
        raise ArgumentError(f"class_weight must name classes of y, {classes.tolist()}; got {unknown[0]!r}")
    weights = [class_weight.get(label, 1.0) for label in classes.tolist()]
    if not all(isinstance(weight, Real) and not isinstance(weight, bool) for weight in weights):
        raise ArgumentError(f"class_weight must hold real numbers; got {class_weight!r}")
    factors = np.array(weights, dtype=np.float64)
    if not (np.isfinite(factors) & (factors > 0)).all():
        raise ArgumentError(f"class_weight must be finite and > 0; got {class_weight!r}")
    return factors


class LogisticRegression(Classes, ClassifierMixin, BaseEstimator):
    """Logistic regression with an elastic-net penalty; strength `alpha`, not its inverse.

    Minimizes over w and b, with η = o + Xw + b and y = 1 for `classes_[1]`, 0 for `classes_[0]`,

        (1/S) Σᵢ sᵢ (log(1 + exp ηᵢ) - yᵢ ηᵢ) + α Σⱼ fⱼ (ρ|wⱼ| + ½(1-ρ)wⱼ²),    S = Σ sᵢ

    with weights s (`sample_weight` times `class_weight`), offset o and factors f (`penalty_factor`). b is never
    penalized.

    More than two classes have the symmetric multinomial loss log Σ_k exp ηᵢ_k - η of the row's class, with a predictor
    for each class and the penalty on every coefficient; none of them is a reference.

    Parameters
    ----------
    alpha : float >= 0, default 0.01
        Strength α. scikit-learn's `LogisticRegression(C=c)` is alpha = 1 / (c n_samples) (with weights: 1 / (c S)).
    l1_ratio : float in [0, 1], default 0.0
        Mixing ρ; 1 is L1 alone, 0 squared L2 alone.
    class_weight : None, "balanced" or dict of class: weight, default None
        Multiplies `sample_weight`; classes not named weigh 1. "balanced" makes all classes weigh alike.
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
        For more than two classes those of a column hold in each of them.
    positive : bool, default False
        Stands for lower=0.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray of shape (1, n_features), for more than two classes (n_classes, n_features)
    intercept_ : ndarray of shape (1,), for more than two classes (n_classes,), with mean 0
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
        Where X, y or an argument cannot be used (a single class among them); the message says which and
        what would be right.

    References
    ----------
    Friedman, Hastie & Tibshirani (2010), J. Stat. Softw. 33(1), section 3.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from shrinkage import LogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = LogisticRegression(alpha=0.1, l1_ratio=1.0, standardize=True).fit(X, y)
    >>> bool(0 < (model.coef_ != 0).sum() < 10)
    True
    """

    def __init__(
        self,
        alpha: float = 0.01,
        *,
        l1_ratio: float = 0.0,
        class_weight: dict | str | None = None,
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
        self.class_weight = class_weight
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
            Classes: numbers, booleans or strings.
        sample_weight : array-like of shape (n_samples,), optional
            Weights >= 0; an integer weight means that many copies of the row.
        offset : array-like of shape (n_samples,), optional
            Known part of the log-odds; for more than two classes (n_samples, n_classes).

        Returns
        -------
        self
        """
        X, y = check_data(self, X, y, numeric=False)
        y, weights = encode_classes(self, y, sample_weight)
        if len(self.classes_) > 2:
            return fit_classes(self, X, y, weights, offset)
        fit_strength(self, X, y, Logistic(), L1L2(self.alpha, self.l1_ratio), weights, offset)
        self.coef_, self.intercept_ = self.coef_[None, :], np.array([self.intercept_])
        return self


class LogisticRegressionCV(Routed, Classes, ClassifierMixin, BaseEstimator):
    """`LogisticRegression` with its strength, and if wanted its mixing, chosen by cross-validation.

    For each strength of a grid, m_k is the weighted mean deviance (twice the negative log-likelihood) on fold k of the
    fit to the other folds, n_k that fold's weight; the curve is Σ n_k m_k / Σ n_k. The fit on all rows at the
    chosen strength and the path are stored.

    Parameters
    ----------
    l1_ratio : float in [0, 1] or list of them, default 0.0
        Of a list, the mixing with the smallest mean score is taken; `rule` then chooses along its strengths.
    alphas : array-like of float, optional
        Strengths to compare; by default `n_alphas` on a log scale from the smallest that makes all coefficients zero,
        for each mixing its own; for ridge (l1_ratio 0) as `path` says.
    n_alphas : int, default 100
    alpha_min_ratio : float in (0, 1), default 1e-3
        Smallest strength of the grid, as a part of its largest; for ridge as `path` says.
    cv : int, splitter or iterable of (train, test) index pairs, default 10
        An int, at most the number of rows, means unshuffled stratified folds, as scikit-learn's `StratifiedKFold`;
        where no class has that many rows, plain ones, as `KFold`. None is 10.
    rule : {"min", "1se"}, default "min"
        "min" takes the strength with the smallest mean score; "1se" the largest within one standard error of it.
    scoring : {"deviance", "auc", "accuracy", "mse", "mae"}, default "deviance"
        As `score` of `cross_validate`; of "auc" and "accuracy" more is better.
    stop : "auto", optional
        End the grid early where smaller strengths gain nothing, as `stop` of `cross_validate`; `path_.ending` says why.
    class_weight, fit_intercept, standardize, penalty_factor, tol, lower, upper, positive
        As in `LogisticRegression`. `standardize` is redone on the training rows of each fold.

    Attributes
    ----------
    classes_, coef_, intercept_, dual_gap_, status_, n_features_in_, feature_names_in_
        As in `LogisticRegression`, of the fit on all rows at `alpha_`.
    n_iter_ : int
        Passes over X that the path took.
    alpha_, alpha_min_, alpha_1se_ : float
        The chosen strength, and the one that each rule chooses.
    l1_ratio_ : float
        The chosen mixing.
    alphas_ : ndarray of shape (n_alphas,)
    cv_scores_ : ndarray of shape (n_alphas, n_folds)
        Mean held-out deviance; lower is better.
    path_ : Path
        The fits on all rows.
    cv_ : CrossValidation
        The whole record: mean, standard error, both rules.

    References
    ----------
    Friedman, Hastie & Tibshirani (2010), J. Stat. Softw. 33(1), section 3 and `cv.glmnet`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from shrinkage import LogisticRegressionCV
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = LogisticRegressionCV(l1_ratio=1.0, standardize=True, n_alphas=20, cv=3, rule="1se").fit(X, y)
    >>> bool(model.score(X, y) > 0.9)
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
        scoring: Literal["deviance", "auc", "accuracy", "mse", "mae"] = "deviance",
        stop: Literal["auto"] | None = None,
        class_weight: dict | str | None = None,
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
        self.class_weight = class_weight
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
            As in `LogisticRegression.fit`; the held-out scores are weighted too.
        **metadata
            `groups` of rows for a splitter that takes them; with scikit-learn's metadata routing, whatever it requests.

        Returns
        -------
        self
        """
        X, y = check_data(self, X, y, numeric=False)
        y, weights = encode_classes(self, y, sample_weight)
        if len(self.classes_) > 2:
            return fit_folds(self, X, y, "multinomial", self.l1_ratio, weights, offset, metadata)
        fit_folds(self, X, y, "logistic", self.l1_ratio, weights, offset, metadata)
        self.coef_, self.intercept_ = self.coef_[None, :], np.array([self.intercept_])
        return self
