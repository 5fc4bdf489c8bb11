"""Logistic regression of two classes with any penalty of this library."""

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin

from shrinkage._errors import ArgumentError
from shrinkage.estimators._any_penalty import fit_penalty, fit_penalty_folds
from shrinkage.estimators._fitting import Routed, check_data
from shrinkage.estimators._logistic import Classes, encode_classes


class TwoClasses(Classes):
    """Mixin: `Classes` of exactly two labels."""

    def _encoded(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, np.ndarray, np.ndarray | None]:
        """X, y as 0 and 1, and weights of rows times those of their classes; `classes_` is stored."""
        X, y = check_data(self, X, y, numeric=False)
        y, weights = encode_classes(self, y, sample_weight)
        if len(self.classes_) > 2:
            raise ArgumentError(
                f"Only binary classification is supported: y must hold two classes; got {len(self.classes_)}, "
                f"{self.classes_[:5].tolist()}: LogisticRegression takes more, with L1, L2 or both"
            )
        return X, y, weights

    def _as_rows(self) -> Any:
        """The answer in scikit-learn's shapes of two classes."""
        self.coef_, self.intercept_ = self.coef_[None, :], np.array([self.intercept_])
        return self

    def __sklearn_tags__(self):
        """Sparse X is accepted; y holds two classes."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


class PenalizedClassifier(TwoClasses, ClassifierMixin, BaseEstimator):
    """Logistic regression of two classes with any penalty: MCP, SCAD, SLOPE, groups, elastic nets, within bounds.

    Minimizes over w and b, with η = o + Xw + b and y = 1 for `classes_[1]`, 0 for `classes_[0]`,

        (1/S) Σᵢ sᵢ (log(1 + exp ηᵢ) - yᵢ ηᵢ) + g(w),    S = Σ sᵢ

    with weights s (`sample_weight` times `class_weight`), offset o and a penalty g. b is never penalized. Where g is
    not convex (`MCP`, `SCAD`), the answer is a stationary point, found on a path from the null model.

    Parameters
    ----------
    penalty : L1, L2, L1L2, MCP, SCAD, SortedL1, GroupL2, or a Box around or a GroupL2 added to one of the first three
        g. Its `factors` leave columns free or make them dearer; its groups hold columns of X. None is `L1(0.01)`.
        The loss curves at most 1/4 per unit of variance: `MCP` wants a gamma above 4, `SCAD` above 5.
    alpha : float >= 0, optional
        Strength in the place of the penalty's own, as `penalty.with_alpha(alpha)`: what a search over strengths sets.
    class_weight : None, "balanced" or dict of class: weight, default None
        Multiplies `sample_weight`; classes not named weigh 1. "balanced" makes all classes weigh alike.
    fit_intercept, standardize, tol, lower, upper, positive
        As in `PenalizedRegressor`.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The labels, sorted.
    coef_ : ndarray of shape (1, n_features)
    intercept_ : ndarray of shape (1,)
    alpha_, dual_gap_, kkt_, n_iter_, status_, n_features_in_, feature_names_in_
        As in `PenalizedRegressor`.

    Raises
    ------
    ValueError
        Where X, y or an argument cannot be used (one class, or more than two); the message says which and what would
        be right.

    Warns
    -----
    ConvergenceWarning
        If `tol` was missed; scikit-learn's category too.

    References
    ----------
    Breheny & Huang (2011), Coordinate descent algorithms for nonconvex penalized regression, Ann. Appl. Stat. 5(1),
    section 2.4, https://doi.org/10.1214/10-AOAS388

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from shrinkage import MCP, PenalizedClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = PenalizedClassifier(MCP(0.05, gamma=8.0), standardize=True).fit(X, y)
    >>> bool(0 < (model.coef_ != 0).sum() < 10), model.status_.name
    (True, 'STATIONARY')
    """

    def __init__(
        self,
        penalty: Any = None,
        *,
        alpha: float | None = None,
        class_weight: dict | str | None = None,
        fit_intercept: bool = True,
        standardize: bool = False,
        tol: float = 1e-6,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        positive: bool = False,
    ) -> None:
        self.penalty = penalty
        self.alpha = alpha
        self.class_weight = class_weight
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
            Two classes: numbers, booleans or strings.
        sample_weight : array-like of shape (n_samples,), optional
            Weights >= 0; an integer weight means that many copies of the row.
        offset : array-like of shape (n_samples,), optional
            Known part of the log-odds.

        Returns
        -------
        self
        """
        X, y, weights = self._encoded(X, y, sample_weight)
        fit_penalty(self, X, y, "logistic", weights, offset)
        return self._as_rows()


class PenalizedClassifierCV(Routed, TwoClasses, ClassifierMixin, BaseEstimator):
    """`PenalizedClassifier` with its strength chosen by cross-validation.

    Parameters
    ----------
    penalty : as in `PenalizedClassifier`
        Its alpha is replaced by the grid.
    alphas, n_alphas, alpha_min_ratio, rule, stop
        As in `PenalizedRegressorCV`.
    cv : int, splitter or iterable of (train, test) index pairs, default 10
        An int, at most the number of rows, means unshuffled stratified folds, as scikit-learn's `StratifiedKFold`;
        where no class has that many rows, plain ones, as `KFold`. None is 10.
    scoring : {"deviance", "auc", "accuracy", "mse", "mae"}, default "deviance"
        As `score` of `cross_validate`; of "auc" and "accuracy" more is better.
    class_weight, fit_intercept, standardize, tol, lower, upper, positive
        As in `PenalizedClassifier`. `standardize` is redone on the training rows of each fold.

    Attributes
    ----------
    classes_, coef_, intercept_, dual_gap_, kkt_, status_, n_features_in_, feature_names_in_
        As in `PenalizedClassifier`, of the fit on all rows at `alpha_`.
    n_iter_, alpha_, alpha_min_, alpha_1se_, alphas_, cv_scores_, path_, cv_
        As in `PenalizedRegressorCV`.

    References
    ----------
    As `PenalizedClassifier`; cross-validation as R's `cv.glmnet`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from shrinkage import PenalizedClassifierCV, SortedL1
    >>> from shrinkage.penalties import bh_weights
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> slope = SortedL1(1.0, bh_weights(X.shape[1]))
    >>> model = PenalizedClassifierCV(slope, standardize=True, n_alphas=15, alpha_min_ratio=0.05, cv=3).fit(X, y)
    >>> bool(model.score(X, y) > 0.9), model.status_.name
    (True, 'CONVERGED')
    """

    def __init__(
        self,
        penalty: Any = None,
        *,
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
        tol: float = 1e-6,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        positive: bool = False,
    ) -> None:
        self.penalty = penalty
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
            As in `PenalizedClassifier.fit`; the held-out scores are weighted too.
        **metadata
            `groups` of rows for a splitter that takes them; with scikit-learn's metadata routing, whatever it requests.

        Returns
        -------
        self
        """
        X, y, weights = self._encoded(X, y, sample_weight)
        fit_penalty_folds(self, X, y, "logistic", weights, offset, metadata)
        return self._as_rows()
