"""Cox regression with an elastic-net penalty."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, Self, cast

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from shrinkage._check import check_boolean, check_choice, check_positive, check_strength, weight_vector
from shrinkage._errors import ArgumentError
from shrinkage._path import cross_validate, fold_rows, path, survival_response
from shrinkage.design import BlockDesign, as_design
from shrinkage.estimators._baseline_hazard import baseline_hazard
from shrinkage.estimators._fitting import (
    FLOATS,
    Routed,
    is_finite_floats,
    linear_predictor,
    mixings,
    scoring_named,
    split_metadata,
)
from shrinkage.estimators._relative_risks import RelativeRisks
from shrinkage.losses import Cox


class CoxRegressor(RelativeRisks, BaseEstimator):
    """Cox's proportional hazards with an elastic-net penalty, for right-censored times.

    Minimizes over w, with η = o + Xw and S the sum of all weights s,

        -(1/S) log partial likelihood(s, η) + α Σⱼ fⱼ (ρ|wⱼ| + ½(1-ρ)wⱼ²)

    for the likelihood of `shrinkage.losses.Cox`, offset o and factors f (`penalty_factor`). There is no intercept.
    Answers are those of glmnet's family "cox" for λ = α and alpha = ρ.

    Parameters
    ----------
    alpha : float >= 0, default 0.01
        Strength α.
    l1_ratio : float in [0, 1], default 1.0
        Mixing ρ; 1 is L1 alone, 0 squared L2 alone.
    ties : "breslow" or "efron", default "breslow"
        How deaths at one time share their risk set; see `shrinkage.losses.Cox`.
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
        0.0.
    baseline_ : BaselineHazard
        Cumulative hazard of a row with linear predictor 0, for each stratum.
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
    Simon, Friedman, Hastie & Tibshirani (2011), J. Stat. Softw. 39(5), https://doi.org/10.18637/jss.v039.i05

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage import CoxRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 5))
    >>> life, seen = rng.exponential(np.exp(-X[:, 0])), rng.exponential(2.0, size=200)
    >>> y = np.column_stack([np.minimum(life, seen), life <= seen])
    >>> model = CoxRegressor(alpha=0.05).fit(X, y)
    >>> bool(model.coef_[0] > 0.5), bool(model.score(X, y) > 0.7)
    (True, True)
    """

    def __init__(
        self,
        alpha: float = 0.01,
        *,
        l1_ratio: float = 1.0,
        ties: Literal["breslow", "efron"] = "breslow",
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        tol: float = 1e-6,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        positive: bool = False,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.ties = ties
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.tol = tol
        self.lower = lower
        self.upper = upper
        self.positive = positive

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        strata: ArrayLike | None = None,
    ) -> Self:
        """Fit to rows of X and their times.

        Parameters
        ----------
        X : array-like, table or sparse matrix of shape (n_samples, n_features)
            float64 and float32 are not copied (sparse: CSC).
        y : array-like of shape (n_samples, 2), columns time and event (1, or 0 where censored)
            Or a structured array (n_samples,) with a boolean field, the event, and a time, as scikit-survival's; or
            times alone (n_samples,), where none is censored.
        sample_weight : array-like of shape (n_samples,), optional
            Weights >= 0; with Breslow's ties an integer weight means that many copies of the row.
        offset : array-like of shape (n_samples,), optional
            Known part of the linear predictor.
        strata : array-like of shape (n_samples,), optional
            Labels; every stratum has a baseline hazard, and so risk sets, of its own.

        Returns
        -------
        self
        """
        X, target = _checked(self, X, y, strata)
        fitted = path(
            _design(self, X),
            target,
            alphas=[_strength(self.alpha)],
            l1_ratio=self.l1_ratio,
            **_shared(self, sample_weight, offset),
        )
        self.coef_, self.intercept_ = fitted.coefs.toarray()[:, 0], 0.0
        self.dual_gap_, self.status_ = float(fitted.gaps[0]), fitted.status[0]
        self.n_iter_ = fitted.n_passes
        _store_baseline(self, X, target, sample_weight, offset, strata)
        return self


class CoxRegressorCV(Routed, RelativeRisks, BaseEstimator):
    """`CoxRegressor` with its strength, and if wanted its mixing, chosen by cross-validation.

    The score of a fold is what its rows add to the deviance, 2 (f(all rows) - f(training rows)) at the fit to the
    training rows, over the weight of its events; the curve is the mean of the folds, weighted by their events. So does
    R's `cv.glmnet(grouped = TRUE)`.

    Parameters
    ----------
    l1_ratio : float in [0, 1] or list of them, default 1.0
        Of a list, the mixing with the best mean score is taken; `rule` then chooses along its strengths.
    alphas : array-like of float, optional
        Strengths to compare; by default `n_alphas` on a log scale from the smallest that makes all coefficients zero,
        for each mixing its own; for ridge (l1_ratio 0) as `path` says.
    n_alphas : int, default 100
    alpha_min_ratio : float in (0, 1), default 1e-3
        Smallest strength of the grid, as a part of its largest; for ridge as `path` says.
    cv : int, splitter or iterable of (train, test) index pairs, default 10
        An int means unshuffled folds, stratified by events where both kinds of rows are that many. None is 10.
    rule : {"min", "1se"}, default "min"
        "min" takes the strength with the best mean score; "1se" the largest within one standard error of it.
    scoring : {"deviance", "c_index"}, default "deviance"
        As `score` of `cross_validate`; the concordance compares the rows of a fold with each other alone.
    stop : "auto", optional
        End the grid early where smaller strengths gain nothing, as `stop` of `cross_validate`; `path_.ending` says why.
    ties, standardize, penalty_factor, tol, lower, upper, positive
        As in `CoxRegressor`. `standardize` is redone on the training rows of each fold.

    Attributes
    ----------
    coef_, intercept_, baseline_, dual_gap_, status_, n_features_in_, feature_names_in_
        As in `CoxRegressor`, of the fit on all rows at `alpha_`.
    n_iter_ : int
        Passes over X that the path took.
    alpha_, alpha_min_, alpha_1se_ : float
        The chosen strength, and the one that each rule chooses.
    l1_ratio_ : float
        The chosen mixing.
    alphas_ : ndarray of shape (n_alphas,)
    cv_scores_ : ndarray of shape (n_alphas, n_folds)
        Held-out scores, by default deviances per event: lower is better.
    path_ : Path
        The fits on all rows.
    cv_ : CrossValidation
        The whole record: mean, standard error, both rules.

    References
    ----------
    Verweij & van Houwelingen (1993), Stat. Med. 12(24), section 3: the score of a fold.

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage import CoxRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 5))
    >>> life, seen = rng.exponential(np.exp(-X[:, 0])), rng.exponential(2.0, size=200)
    >>> y = np.column_stack([np.minimum(life, seen), life <= seen])
    >>> model = CoxRegressorCV(cv=5, n_alphas=20, rule="1se").fit(X, y)
    >>> bool(model.coef_[0] > 0.5)
    True
    """

    def __init__(
        self,
        *,
        l1_ratio: float | Sequence[float] = 1.0,
        alphas: ArrayLike | None = None,
        n_alphas: int = 100,
        alpha_min_ratio: float = 1e-3,
        cv: Any = 10,
        rule: Literal["min", "1se"] = "min",
        scoring: Literal["deviance", "c_index"] = "deviance",
        stop: Literal["auto"] | None = None,
        ties: Literal["breslow", "efron"] = "breslow",
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
        self.ties = ties
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.tol = tol
        self.lower = lower
        self.upper = upper
        self.positive = positive

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        strata: ArrayLike | None = None,
        **metadata: Any,
    ) -> Self:
        """Choose the strength and fit to all rows.

        Parameters
        ----------
        X, y, sample_weight, offset, strata
            As in `CoxRegressor.fit`; the held-out scores are weighted too.
        **metadata
            `groups` of rows for a splitter that takes them; with scikit-learn's metadata routing, whatever it requests.

        Returns
        -------
        self
        """
        check_choice("rule", self.rule, ("min", "1se"))
        X, target = _checked(self, X, y, strata)
        metadata = split_metadata(self, sample_weight, offset, metadata)
        shared = _shared(self, sample_weight, offset)
        shared |= {"alphas": self.alphas, "n_alphas": self.n_alphas, "score": self.scoring, "stop": self.stop}
        events = target[:, 1]
        least = self.cv if isinstance(self.cv, int) else 10
        folds = fold_rows(
            self.cv,
            events,
            min(events.sum(), (1 - events).sum()) >= least,
            None if isinstance(X, BlockDesign) else X,
            **metadata,
        )
        design = _design(self, X)
        with scoring_named():
            runs = [
                cross_validate(design, target, folds, l1_ratio=ratio, alpha_min_ratio=self.alpha_min_ratio, **shared)
                for ratio in mixings(self.l1_ratio)
            ]
        best = min(runs, key=lambda run: -run.mean[run.index_min] if run.more_is_better else run.mean[run.index_min])
        best = replace(best, path=replace(best.path, problem=None))  # a model does not hold its data
        chosen = best.index_min if self.rule == "min" else best.index_1se
        self.cv_, self.path_, self.cv_scores_, self.alphas_ = best, best.path, best.scores, best.alphas
        self.alpha_min_, self.alpha_1se_, self.alpha_ = best.alpha_min, best.alpha_1se, float(best.alphas[chosen])
        self.l1_ratio_ = best.path.l1_ratio
        self.coef_, self.intercept_ = best.path.coefs[:, [chosen]].toarray()[:, 0], 0.0
        self.dual_gap_, self.n_iter_ = float(best.path.gaps[chosen]), best.path.n_passes
        self.status_ = best.path.status[chosen]
        _store_baseline(self, X, target, sample_weight, offset, strata)
        return self


def _checked(model: Any, X: Any, y: Any, strata: Any) -> tuple[Any, np.ndarray]:
    """X as a float array or CSC, and y as [time, event] or with a third column of strata."""
    check_strength("alpha", getattr(model, "alpha", 0.0))
    check_positive("tol", model.tol)
    check_boolean("standardize", model.standardize)
    if y is None:
        raise ArgumentError(f"{type(model).__name__} requires y to be passed, but the target y is None")
    if is_finite_floats(X) or isinstance(X, BlockDesign):
        validate_data(model, cast(Any, X), skip_check_array=True)
    else:
        X = cast(Any, validate_data(model, X, accept_sparse="csc", dtype=FLOATS))
    return X, survival_response(y, X.shape[0], strata)


def _design(model: Any, X: Any) -> Any:
    return X if isinstance(X, BlockDesign) else as_design(X, getattr(model, "feature_names_in_", None))


def _strength(alpha: Any) -> float:
    if isinstance(alpha, bool) or not np.isreal(alpha) or np.ndim(alpha) or not 0 <= float(alpha) < np.inf:
        raise ArgumentError(f"alpha must be >= 0 and finite; got {alpha!r}")
    return float(alpha)


def _shared(model: Any, sample_weight: Any, offset: Any) -> dict[str, Any]:
    """What a path and a cross-validation are asked alike."""
    return {
        "loss": Cox(model.ties),
        "standardize": model.standardize,
        "sample_weight": sample_weight,
        "offset": offset,
        "penalty_factor": model.penalty_factor,
        "tol": model.tol,
        "lower": model.lower,
        "upper": model.upper,
        "positive": model.positive,
    }


def _store_baseline(model: Any, X: Any, target: np.ndarray, sample_weight: Any, offset: Any, strata: Any) -> None:
    if isinstance(X, BlockDesign):
        eta = linear_predictor(model, X, offset)
    else:  # X is an array by now, without the names that the model has seen
        eta = np.asarray(X @ model.coef_) + (0.0 if offset is None else np.asarray(offset, dtype=float))
    weights = None if sample_weight is None else weight_vector("sample_weight", sample_weight, len(eta))
    labels = None if strata is None else np.asarray(strata)
    model.baseline_ = baseline_hazard(target, eta, weights, model.ties == "efron", labels)
