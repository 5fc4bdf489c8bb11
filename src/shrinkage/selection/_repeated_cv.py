"""Cross-validation again and again with other folds: how much the chosen strength owes to the luck of the folds."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shrinkage._check import check_positive
from shrinkage._path import CrossValidation, Path, check_folds, finish, grid, state, warn_missed
from shrinkage.problem import Problem
from shrinkage.selection._fold_sets import Folds, fold_sets, seeds_of
from shrinkage.selection._repeated_record import RepeatedCrossValidation
from shrinkage.solvers import RepeatedFolds


def repeated_cv(
    X: ArrayLike,
    y: ArrayLike,
    repeats: int = 20,
    cv: Any = 10,
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
) -> RepeatedCrossValidation:
    r"""Cross-validate `repeats` times, each time with other folds, and say how far the choice depends on them.

    With m_r and se_r the mean curve and the standard error of repeat r, as `cross_validate` has them, the record holds

        mean = (1/R) Σ_r m_r,   within_se = √((1/R) Σ_r se_r²),   between_sd = √(Σ_r (m_r - mean)² / (R - 1)).

    `within_se` is the error of a curve as the rows are few; no number of repeats makes it smaller. `between_sd` is
    what the dealing of the folds adds to one cross-validation; the average has between_sd / √R of it left. The choice
    is made on the average curve, with within_se as the standard error of the 1-SE rule.

    Parameters
    ----------
    X, y, loss, l1_ratio, alphas, n_alphas, alpha_min_ratio, fit_intercept, standardize, sample_weight, offset, \
penalty_factor, penalty, tol
        As `cross_validate`. The grid, and the fit on all rows, are made once.
    repeats : int
    cv : int, splitter, or list of lists of (train, test) index pairs
        A number of folds is dealt shuffled: stratified for logistic, by whole groups where `groups` are given. A
        splitter is asked once for each repeat, with a random_state of its own. TimeSeriesSplit has nothing to draw:
        each repeat after the first leaves out another number of the latest rows, so that the cuts between past and
        future move. Of the user's own folds there must be a list for each repeat.
    groups : array-like of shape (n_samples,), optional
    random_state : None, int or numpy Generator
        The same number deals the same folds.

    Returns
    -------
    RepeatedCrossValidation
        Ctrl-C, after the first repeat, returns those that are finished, with `interrupted` true.

    Raises
    ------
    ArgumentError, DataError
        As `cross_validate`; and if all repeats would be the same.

    Warns
    -----
    ConvergenceWarning
        If a fit missed `tol`.

    Notes
    -----
    Every repeat is what `cross_validate` with its folds gives, to the certificate. For a squared loss and a dense X of
    a million numbers or more, with more features than moments can hold, repeats share the columns that one of them has
    needed and their Gram matrix, each fold walks its path on a working set of its own, and most strengths are certified
    by a bound that takes no pass over X. Other problems share the fit on all rows. Memory beside X does not grow with
    `repeats` but for the scores.

    References
    ----------
    Repeats, and choosing on their average: Krstajic, Buturovic, Leahy & Thomas (2014), J. Cheminformatics 6:10,
    https://doi.org/10.1186/1758-2946-6-10. That repeats do not shrink the error of few rows: Vanwinckelen & Blockeel
    (2012), On estimating model accuracy with repeated cross-validation, BeneLearn.

    Examples
    --------
    >>> from shrinkage.datasets import load_diabetes
    >>> data = load_diabetes()
    >>> again = repeated_cv(data.X, data.y, repeats=5, n_alphas=50)
    >>> again.scores.shape
    (50, 5, 10)
    >>> again.alphas_min.shape, again.inclusion_min.shape
    ((5,), (10,))
    """
    problem, classes = state(
        X, y, loss, l1_ratio, fit_intercept, standardize, sample_weight, offset, penalty_factor, penalty
    )
    check_positive("tol", tol)
    strengths = grid(alphas, n_alphas, alpha_min_ratio, problem.penalty.l1_ratio)
    seeds = seeds_of(random_state, repeats)
    sets = fold_sets(cv, problem.y, problem.loss.name == "logistic", groups, seeds)
    solver = RepeatedFolds(problem, strengths, standardize, tol)
    fitted = finish(problem, solver.path, classes)
    done: list[CrossValidation] = []
    interrupted = False
    try:
        for one in _solved(problem, solver, sets, repeats, fitted):
            done.append(one)
    except KeyboardInterrupt:
        if not done:
            raise
        interrupted = True
    warn_missed(fitted, np.concatenate([one.fold_gaps for one in done], axis=1), tol, stacklevel=2)
    return RepeatedCrossValidation.from_repeats(tuple(done), tuple(seeds), interrupted)


def _solved(problem: Problem, solver: RepeatedFolds, sets: Iterator[Folds], repeats: int, fitted: Path):
    """A CrossValidation for each set of folds, as soon as it is known."""
    weights = np.ones(len(problem.y)) if problem.sample_weight is None else problem.sample_weight
    left = repeats
    while left:
        some = [check_folds(next(sets), problem)]
        some += [check_folds(next(sets), problem) for _ in range(min(left, solver.at_once(len(some[0]))) - 1)]
        left -= len(some)
        for folds, (scores, gaps) in zip(some, solver.solve(some), strict=True):
            held_out = np.array([weights[test].sum() for _, test in folds])
            yield CrossValidation.from_scores(fitted.alphas, scores, held_out, fitted, gaps)
