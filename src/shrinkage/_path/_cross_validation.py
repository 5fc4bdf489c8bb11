"""The strength chosen by cross-validation: all folds share the passes over X."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shrinkage._check import check_choice, check_positive
from shrinkage._errors import DataError
from shrinkage._path._classes import finish_classes, is_multinomial, state_classes
from shrinkage._path._folds import check_fold, check_folds, fold_rows, strata_of
from shrinkage._path._record import Path
from shrinkage._path._responses import Responses, are_responses, refuse_for_responses, state_responses
from shrinkage._path._scores import SCORES, check_held_out, mean_and_error, refuse_lost_folds, scorer
from shrinkage._path._statement import check_stop, finish, grid, state, warn_missed
from shrinkage.losses import Loss
from shrinkage.penalties import MCP, SCAD
from shrinkage.problem import informative_weight
from shrinkage.solvers import CLASS_SCORES, Stop, solve_classes, solve_folds


@dataclass(frozen=True, eq=False, repr=False)
class CrossValidation:
    """Held-out errors of a whole path, and the strengths that they point to.

    With m_k the mean held-out deviance of fold k, or another score, and n_k its weight: mean = Σ n_k m_k / Σ n_k and
    se = sqrt(Σ n_k (m_k - mean)² / Σ n_k / (K - 1)), as R's cv.glmnet.

    Attributes
    ----------
    alphas : ndarray of shape (n_alphas,)
    scores : ndarray of shape (n_alphas, n_folds)
        Mean held-out deviances (squared errors for the squared loss, -2 log likelihood for logistic; twice the loss for
        others; lower is better), or what `score` names.
    mean, se : ndarray of shape (n_alphas,)
    alpha_min : float
        The strength of the best mean: the lowest, or the highest where more is better.
    alpha_1se : float
        The largest strength whose mean is within one standard error of the best.
    index_min, index_1se : int
    path : Path
        The fit on all rows.
    fold_weights : ndarray of shape (n_folds,)
        Sum of the sample weights held out.
    fold_gaps : ndarray of shape (n_alphas, n_folds)
        Relative duality gap of each fold's fit.
    score : str
        "deviance", "mse", "mae", "auc" or "accuracy"; of the last two more is better.

    Notes
    -----
    With the same folds and strengths, means, standard errors and both choices are those of cv.glmnet, except: glmnet
    takes probabilities as between 1e-5 and 1 - 1e-5 when it scores; with folds of fewer than three rows on average its
    standard error is over rows, not folds; and its gaussian family below l1_ratio 1 has another L2 part in each fold,
    divided by sd(y).
    """

    alphas: np.ndarray
    scores: np.ndarray
    mean: np.ndarray
    se: np.ndarray
    alpha_min: float
    alpha_1se: float
    index_min: int
    index_1se: int
    path: Path
    fold_weights: np.ndarray
    fold_gaps: np.ndarray
    score: str = "deviance"

    def __repr__(self) -> str:
        lowest = f"{self.mean[self.index_min]:.4g} ± {self.se[self.index_min]:.2g}"
        return (
            f"<CrossValidation: {self.scores.shape[1]} folds; alpha_min {self.alpha_min:.4g} with mean {lowest}, "
            f"alpha_1se {self.alpha_1se:.4g}; {self.path!r}>"
        )

    @property
    def more_is_better(self) -> bool:
        """Whether higher scores are better ones."""
        return SCORES[self.score].more_is_better

    @classmethod
    def from_scores(
        cls, alphas, scores, fold_weights, path: Path, fold_gaps, score: str = "deviance"
    ) -> "CrossValidation":
        """Summarize scores (n_alphas, n_folds), with strengths largest first.

        A strength whose mean is not finite is never chosen.

        Raises
        ------
        DataError
            If the score of a fold is not finite at any strength.
        """
        refuse_lost_folds(scores)
        mean, se = mean_and_error(scores, fold_weights / fold_weights.sum())
        losses = np.where(np.isfinite(mean), -mean if SCORES[score].more_is_better else mean, np.inf)
        best = int(np.argmin(losses))
        limit = losses[best] + (se[best] if np.isfinite(se[best]) else 0.0)
        simplest = int(np.flatnonzero(losses <= limit)[0])
        return cls(
            alphas,
            scores,
            mean,
            se,
            float(alphas[best]),
            float(alphas[simplest]),
            best,
            simplest,
            path,
            fold_weights,
            fold_gaps,
            score,
        )


def cross_validate(
    X: ArrayLike,
    y: ArrayLike,
    cv: Any = 10,
    groups: ArrayLike | None = None,
    loss: str | Loss = "squared",
    l1_ratio: float = 1.0,
    alphas: ArrayLike | None = None,
    n_alphas: int = 100,
    alpha_min_ratio: float = 1e-3,
    fit_intercept: bool = True,
    standardize: bool = False,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    penalty_factor: ArrayLike | None = None,
    penalty: Any = None,
    tol: float = 1e-6,
    score: str = "deviance",
    lower: ArrayLike | None = None,
    upper: ArrayLike | None = None,
    positive: bool = False,
    stop: str | None = None,
) -> CrossValidation:
    """Fit a whole path and score every strength on rows held out; all folds share the passes over X.

    Parameters
    ----------
    X, y, loss, l1_ratio, alphas, n_alphas, alpha_min_ratio
        As `path`. The grid is that of all rows.
    fit_intercept, standardize, sample_weight, offset, penalty_factor, penalty, tol, lower, upper,
    positive
        As `path`; standardizing is redone on the training rows of each fold.
    cv : int, splitter or iterable of (train, test) index pairs
        An int, at most the number of rows, is that many folds without shuffling, as in scikit-learn: stratified for
        logistic and multinomial, unless no class has that many rows. None is 10.
    groups : array-like of shape (n_samples,), optional
        Groups of rows, for a splitter that keeps them together, such as scikit-learn's `GroupKFold`.
    score : {"deviance", "mse", "mae", "auc", "accuracy", "c_index"}
        What is averaged over rows held out, weighted by `sample_weight`: the deviance of the loss, squared or absolute
        errors of the mean response (for logistic of the probability), for logistic the area under the ROC curve within
        each fold, or the share of right classes, for Cox the concordance of risks and times within each fold. Of the
        last three more is better, and both choices mind it. The deviance of Cox is what held-out rows add to it, over
        their events. Multinomial has deviance and accuracy.
    stop : "auto", optional
        End the strengths as `path` does, by the fit on all rows, or with the first whose mean score is more than a
        standard error worse than the best, reached five strengths before or more.

    Returns
    -------
    CrossValidation

    Examples
    --------
    >>> from shrinkage import cross_validate
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> cv = cross_validate(X, y, cv=10, n_alphas=50)
    >>> cv.scores.shape
    (50, 10)
    >>> cv.alpha_1se > cv.alpha_min
    True
    """
    if is_multinomial(loss):
        stated = state_classes(
            X, y, loss, l1_ratio, fit_intercept, standardize, sample_weight, offset, penalty_factor, penalty,
            lower, upper, positive,
        )  # fmt: skip
        wanted = (alphas, n_alphas, alpha_min_ratio)
        return _several_classes(*stated, (cv, groups), wanted, standardize, tol, score, check_stop(stop))
    if are_responses(y, loss):
        refuse_for_responses(penalty, stop)
        side_by_side = state_responses(
            X, y, l1_ratio, fit_intercept, standardize, sample_weight, offset, penalty_factor, lower, upper, positive
        )
        wanted = (alphas, n_alphas, alpha_min_ratio)
        return validate_responses(side_by_side, wanted, (cv, groups), standardize, tol, score)
    problem, classes = state(
        X, y, loss, l1_ratio, fit_intercept, standardize, sample_weight, offset, penalty_factor, penalty,
        lower, upper, positive, groups_too=True,
    )  # fmt: skip
    check_positive("tol", tol)
    folds = fold_rows(cv, *strata_of(problem, cv), groups=groups)
    folds = check_folds(folds, problem)
    of_rows = scorer(score, problem)
    check_held_out(score, problem, folds)
    weights = problem.sample_weight
    fold_weights = np.array([informative_weight(problem.loss, problem.y, weights, test) for _, test in folds])
    strengths = grid(alphas, n_alphas, alpha_min_ratio, getattr(problem.penalty, "l1_ratio", 1.0))
    pauses = isinstance(problem.penalty, MCP | SCAD)
    rule = Stop(fold_weights, SCORES[score].more_is_better, pauses) if check_stop(stop) else None
    result = solve_folds(problem, strengths, folds, standardize, tol, of_rows, rule)
    fitted = finish(problem, result.path, classes)
    warn_missed(fitted, result.gaps, tol, stacklevel=2)
    return CrossValidation.from_scores(fitted.alphas, result.scores, fold_weights, fitted, result.gaps, score)


def validate_responses(
    stated: Responses, wanted: tuple, dealt: tuple, standardize: bool, tol: float, score: str = "mse"
) -> CrossValidation:
    """`cross_validate` of several responses, by squared errors over rows and responses."""
    check_choice("score", score, ("deviance", "mse"))
    found, folds = stated.solve(wanted, dealt, standardize, tol)
    fitted = stated.path(found)
    warn_missed(fitted, found.gaps, tol, stacklevel=3)
    shares = stated.fold_weights(folds)
    return CrossValidation.from_scores(fitted.alphas, found.scores, shares, fitted, found.gaps, score)


def _several_classes(
    problem, classes: tuple, dealt: tuple, wanted: tuple, standardize: bool, tol: float, score: str, may_end: bool
) -> CrossValidation:
    """`cross_validate` of a multinomial problem: folds are stratified, and every class is in every training part."""
    check_positive("tol", tol)
    check_choice("score", score, tuple(CLASS_SCORES))
    codes, weights = problem.y.argmax(axis=1), problem.sample_weight
    folds = fold_rows(dealt[0], codes, True, groups=dealt[1])
    seen = np.zeros(len(codes), bool)
    for k, (train, test) in enumerate(folds):
        check_fold(k, train, test, weights, None, seen)
        counts = np.bincount(codes[train if weights is None else train[weights[train] > 0]], minlength=len(classes))
        if not counts.all():
            missing = classes[int(np.argmin(counts))]
            raise DataError(
                f"fold {k} of cv trains on no row of class {missing!r}: use fewer folds, or stratified ones"
            )
    alphas, n_alphas, least = wanted
    asked = grid(alphas, n_alphas, least, problem.penalty.l1_ratio)
    fold_weights = np.array([len(test) if weights is None else weights[test].sum() for _, test in folds], np.float64)
    rule = Stop(fold_weights, SCORES[score].more_is_better) if may_end else None
    result = solve_classes(problem, asked, folds, standardize, tol, score, rule)
    fitted = finish_classes(problem, result.path, classes)
    warn_missed(fitted, result.gaps, tol, stacklevel=3)
    return CrossValidation.from_scores(fitted.alphas, result.scores, fold_weights, fitted, result.gaps, score)
