"""The honest error of the whole procedure: the strength is chosen anew inside the training rows of every fold."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shrinkage._check import check_choice, check_positive
from shrinkage._errors import ArgumentError, MissingExtraError
from shrinkage._path import CrossValidation, check_folds, finish, grid, state, warn_missed
from shrinkage.problem import Problem
from shrinkage.selection._fold_sets import Folds, fold_sets, seeds_of, within
from shrinkage.solvers import column_scale, solve_folds


@dataclass(frozen=True, eq=False, repr=False)
class NestedCrossValidation:
    """Errors of "cross-validate, choose, fit" on rows that no part of it has seen.

    Attributes
    ----------
    rule : {"min", "1se"}
    scores : ndarray of shape (n_folds,)
        Mean held-out deviance of each outer fold, at the strength chosen within its training rows.
    fold_weights : ndarray of shape (n_folds,)
        Sum of the sample weights held out.
    mean, se : float
        The honest error, Σ n_k m_k / Σ n_k, and its standard error over outer folds, as in `CrossValidation`.
    alphas : ndarray of shape (n_folds,)
        What each outer fold chose.
    n_nonzero : ndarray of shape (n_folds,)
    inner : tuple of CrossValidation
        The choice within each outer fold, its path fitted to the outer training rows.
    whole : CrossValidation
        The same procedure on all rows: its path and chosen strength are what one would use.
    alpha : float
        The strength chosen on all rows.
    naive : float
        The error that the cross-validation of all rows shows at its own choice.
    optimism : float
        mean - naive: what choosing on the scores that are then reported has hidden. It is noisy, and may be negative.
    """

    rule: str
    scores: np.ndarray
    fold_weights: np.ndarray
    mean: float
    se: float
    alphas: np.ndarray
    n_nonzero: np.ndarray
    inner: tuple[CrossValidation, ...]
    whole: CrossValidation
    alpha: float
    naive: float
    optimism: float

    def to_frame(self) -> Any:
        """One row per outer fold, in pandas: fold, weight, alpha, n_nonzero, score, and the error shown within."""
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtraError("NestedCrossValidation.to_frame needs pandas: pip install pandas") from error
        shown = [float(cv.mean[_index(cv, self.rule)]) for cv in self.inner]
        return pd.DataFrame(
            {
                "fold": np.arange(len(self.scores)),
                "weight": self.fold_weights,
                "alpha": self.alphas,
                "n_nonzero": self.n_nonzero,
                "score": self.scores,
                "inner_mean": shown,
            }
        )

    def __repr__(self) -> str:
        return (
            f"<NestedCrossValidation: {len(self.scores)} outer folds, rule {self.rule}; error {self.mean:.4g} ± "
            f"{self.se:.2g}, optimism {self.optimism:.2g}>"
        )

    def __str__(self) -> str:
        lowest, highest = int(self.n_nonzero.min()), int(self.n_nonzero.max())
        side = "lower" if self.optimism >= 0 else "higher"
        size = abs(self.optimism) / self.se if self.se > 0 else np.nan
        lines = [
            f"Choosing alpha by {self.rule} within each of {len(self.scores)} outer folds and predicting the rows held "
            f"out has an error of {self.mean:.4g} ± {self.se:.2g} (standard error over the outer folds).",
            f"Cross-validation on all rows chooses alpha = {self.alpha:.4g} and shows {self.naive:.4g}, which is "
            f"{abs(self.optimism):.2g} {side}: the optimism is {self.optimism:.2g}"
            + (f", {size:.1f} standard errors." if np.isfinite(size) else "."),
            f"The outer folds chose alpha from {self.alphas.min():.4g} to {self.alphas.max():.4g}, with {lowest:,} to "
            f"{highest:,} non-zero coefficients.",
            "The error is that of fits to the outer training rows, a little fewer than all.",
        ]
        return "\n".join(lines)


def nested_cv(
    X: ArrayLike,
    y: ArrayLike,
    cv: Any = 10,
    inner_cv: Any = 10,
    rule: str = "min",
    groups: ArrayLike | None = None,
    random_state: Any = 0,
    loss: str = "squared",
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
) -> NestedCrossValidation:
    """Measure the error of the whole procedure: grid, cross-validation, choice and fit, redone in every outer fold.

    The lowest mean of a cross-validation is too good an estimate of the error at it: the strength was chosen for it.
    Here the rows of an outer fold are held out of everything, its grid of strengths and its scales included.

    Parameters
    ----------
    X, y, loss, l1_ratio, alphas, n_alphas, alpha_min_ratio, fit_intercept, standardize, sample_weight, offset, \
penalty_factor, penalty, tol
        As `cross_validate`.
    cv : int, splitter or list of (train, test) index pairs
        The outer folds; a number is dealt shuffled, as in `repeated_cv`.
    inner_cv : int or splitter
        The folds within the training rows of an outer fold. Where `cv` is a TimeSeriesSplit, a number is that many
        folds in time too, with the same gap, so that the future does not choose for the past.
    rule : {"min", "1se"}
    groups : array-like of shape (n_samples,), optional
        Kept together, in inner folds too: both need a number of folds or a splitter that reads groups.
    random_state : None, int or numpy Generator
        The same number deals the same folds.

    Returns
    -------
    NestedCrossValidation

    Raises
    ------
    ArgumentError, DataError
        As `cross_validate`.

    Warns
    -----
    ConvergenceWarning
        If a fit missed `tol`.

    References
    ----------
    Varma & Simon (2006), Bias in error estimation when using cross-validation for model selection, BMC Bioinformatics
    7:91, https://doi.org/10.1186/1471-2105-7-91; Cawley & Talbot (2010), JMLR 11, 2079-2107.

    Examples
    --------
    >>> from shrinkage.datasets import load_diabetes
    >>> data = load_diabetes()
    >>> nested = nested_cv(data.X, data.y, cv=5, inner_cv=5, n_alphas=30)
    >>> nested.scores.shape, bool(nested.naive == nested.whole.mean.min())
    ((5,), True)
    """
    check_choice("rule", rule, ("min", "1se"))
    check_positive("tol", tol)
    if not (inner_cv is None or isinstance(inner_cv, Integral) or hasattr(inner_cv, "split")):
        raise ArgumentError(
            f"inner_cv must be a number of folds or a splitter, since row numbers would be those of all rows; got "
            f"{type(inner_cv).__name__}"
        )
    problem, classes = state(X, y, loss, l1_ratio, fit_intercept, False, sample_weight, offset, penalty_factor, penalty)
    strengths = grid(alphas, n_alphas, alpha_min_ratio, problem.penalty.l1_ratio)
    procedure = _Procedure(problem, classes, strengths, standardize, within(cv, inner_cv), groups, tol)
    seed, *seeds = seeds_of(random_state, 2)
    outer = next(fold_sets(cv, problem.y, problem.loss.name == "logistic", groups, [seed]))
    outer = check_folds(outer, problem)
    inner_seeds = seeds_of(seeds[0], len(outer) + 1)
    whole = procedure.run(np.arange(len(problem.y)), inner_seeds[0])
    inner = tuple(
        procedure.run(train, inner_seed) for (train, _), inner_seed in zip(outer, inner_seeds[1:], strict=True)
    )
    for found in (whole, *inner):
        warn_missed(found.path, found.fold_gaps, tol, stacklevel=2)
    return _record(problem, outer, inner, whole, rule)


class _Procedure:
    """Grid, cross-validation and fit, on some rows of a problem: the others have the weight 0, which is no row."""

    def __init__(self, problem: Problem, classes, strengths, standardize: bool, inner_cv: Any, groups: Any, tol: float):
        self._problem, self._classes, self._grid, self._standardize = problem, classes, strengths, standardize
        self._inner_cv, self._tol = inner_cv, tol
        self._groups = None if groups is None else np.asarray(groups)

    def run(self, rows: np.ndarray, seed: int) -> CrossValidation:
        """The cross-validation of these rows."""
        given = self._problem
        weights = np.ones(len(given.y)) if given.sample_weight is None else given.sample_weight
        problem = given
        if len(rows) < len(given.y):
            masked = np.zeros(len(given.y))
            masked[rows] = weights[rows]
            problem = _restated(given, masked, None)
        if self._standardize:
            share = np.asfortranarray(problem.weights[:, None])
            scale = column_scale(problem.design, share)[:, 0]
            problem = _restated(problem, problem.sample_weight, scale)
        groups = None if self._groups is None else self._groups[rows]
        stratify = given.loss.name == "logistic"
        try:
            dealt = next(fold_sets(self._inner_cv, given.y[rows], stratify, groups, [seed]))
        except ArgumentError as error:
            raise ArgumentError(f"inner_cv, within {len(rows)} training rows: {error}") from error
        folds = check_folds([(rows[train], rows[test]) for train, test in dealt], problem)
        found = solve_folds(problem, self._grid, folds, self._standardize, self._tol)
        fitted = finish(problem, found.path, self._classes)
        held_out = np.array([weights[test].sum() for _, test in folds])
        return CrossValidation.from_scores(fitted.alphas, found.scores, held_out, fitted, found.gaps)


def _restated(problem: Problem, sample_weight: np.ndarray | None, scale: np.ndarray | None) -> Problem:
    return Problem(
        problem.design,
        problem.y,
        problem.loss,
        problem.penalty,
        sample_weight,
        problem.offset,
        problem.fit_intercept,
        scale,
    )


def _index(cv: CrossValidation, rule: str) -> int:
    return cv.index_min if rule == "min" else cv.index_1se


def _record(
    problem: Problem, outer: Folds, inner: tuple[CrossValidation, ...], whole: CrossValidation, rule: str
) -> NestedCrossValidation:
    weights = np.ones(len(problem.y)) if problem.sample_weight is None else problem.sample_weight
    chosen = [_index(cv, rule) for cv in inner]
    scores = np.array(
        [_score(problem, weights, cv, t, test) for cv, t, (_, test) in zip(inner, chosen, outer, strict=True)]
    )
    held_out = np.array([weights[test].sum() for _, test in outer])
    share = held_out / held_out.sum()
    mean = float(share @ scores)
    se = float(np.sqrt(share @ (scores - mean) ** 2 / (len(scores) - 1))) if len(scores) > 1 else float("nan")
    naive = float(whole.mean[_index(whole, rule)])
    return NestedCrossValidation(
        rule,
        scores,
        held_out,
        mean,
        se,
        np.array([cv.alphas[t] for cv, t in zip(inner, chosen, strict=True)]),
        np.array([cv.path.n_nonzero[t] for cv, t in zip(inner, chosen, strict=True)]),
        inner,
        whole,
        float(whole.alphas[_index(whole, rule)]),
        naive,
        mean - naive,
    )


def _score(problem: Problem, weights: np.ndarray, cv: CrossValidation, t: int, rows: np.ndarray) -> float:
    """Mean deviance of one strength of a path on some rows."""
    coef = cv.path.coefs[:, [t]].toarray()
    support = np.flatnonzero(coef)
    eta = problem.design.combine(support, coef[support])[rows, 0] + cv.path.intercepts[t]
    if problem.offset is not None:
        eta = eta + problem.offset[rows]
    loss: Any = problem.loss
    return float(np.average(loss.deviance(problem.y[rows], eta), weights=weights[rows]))
