"""P-values after selection by splitting: one half of the rows chooses features, the other tests them, many times."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from shrinkage._check import check_choice, check_fraction, check_positive, check_positive_int, random_generator
from shrinkage._errors import ArgumentError, DataError
from shrinkage._path import alpha_grid, refuse_bounds, state
from shrinkage.problem import Problem
from shrinkage.selection._half_samples import (
    Choices,
    candidates,
    check_groups,
    draw_pairs,
    grid_of_halves,
    walks,
    warn_of_missed,
)
from shrinkage.selection._refit import logistic_test, t_test
from shrinkage.selection._row_weights import counted_rows
from shrinkage.selection._splitting_record import SampleSplitting, aggregate

EVENTS = 5  # rows of the rarer class for each coefficient of a logistic refit
TESTS = ("likelihood", "wald")


def sample_splitting(
    X: ArrayLike,
    y: ArrayLike,
    q: int | None = None,
    alpha: float | None = None,
    n_splits: int = 50,
    level: float = 0.05,
    gamma_min: float = 0.05,
    test: str = "likelihood",
    groups: ArrayLike | None = None,
    random_state: Any = 0,
    loss: str = "squared",
    l1_ratio: float = 1.0,
    n_alphas: int = 100,
    alpha_min_ratio: float = 1e-3,
    fit_intercept: bool = True,
    standardize: bool = False,
    sample_weight: ArrayLike | None = None,
    weights: Literal["counts", "precisions"] | None = None,
    offset: ArrayLike | None = None,
    penalty_factor: ArrayLike | None = None,
    penalty: Any = None,
    tol: float = 1e-6,
) -> SampleSplitting:
    r"""P-values for features of a sparse model, adjusted for all of them and for having been chosen.

    In each of `n_splits` random halvings of the rows the path on one half chooses features, and the rows of the other
    half, which had no say in that, test these in a model without penalty. With m features chosen, a tested feature has
    P = min(m p, 1) and every other one P = 1. Over the splits b,

        Q(γ) = min(1, γ-quantile of P_b / γ),   P = min(1, (1 - log γ_min) inf over γ in [γ_min, 1] of Q(γ)),

    and the features with P <= `level` are the significant ones. The chance of a single false one among them is at most
    `level`, as the number of rows grows, if the choosing half lets no feature slip that matters.

    Parameters
    ----------
    X, y, loss, l1_ratio, n_alphas, alpha_min_ratio, fit_intercept, offset, penalty_factor, penalty, tol
        As `path`, with l1_ratio above 0. Columns of factor 0 are in every model and are not tested.
    standardize : bool
        As `path`, redone on each half.
    sample_weight : array-like of shape (n_samples,), optional
        Halves are of rows, whatever their weights; those of weight 0 are in none.
    weights : "counts", "precisions" or None
        What `sample_weight` is, for choosing and for testing: 2 means the row twice, or a row of half the noise
        variance. None takes whole numbers for counts, others for precisions, which the logistic loss cannot have.
    q : int, optional
        Features that a half chooses: the first to enter its path. If neither `q` nor `alpha` is given, a sixth of the
        rows for the squared loss, as Meinshausen et al., but no more than the other half can test.
    alpha : float > 0, optional
        Instead of `q`: each half chooses what is nonzero at any strength down to this one.
    n_splits : int
        1 is a lottery, and the record says so: another split gives other p-values.
    level : float in (0, 1)
    gamma_min : float in (0, 1)
        The lowest quantile that may decide.
    test : {"likelihood", "wald"}
        For the logistic loss; for the squared loss it is the t-test, which is both.
    groups : array-like of shape (n_samples,), optional
        Rows of one group stay in one half.
    random_state : int, numpy.random.Generator or None

    Returns
    -------
    SampleSplitting

    Raises
    ------
    ArgumentError, DataError
        For values that cannot be used; where a half chooses more features than the other can test: as many as its rows,
        or for the logistic loss more than one for each 5 rows of the rarer class.

    Warns
    -----
    ConvergenceWarning
        If fits missed `tol`.

    Notes
    -----
    T-tests suppose normal errors of one variance in the testing half, or many rows; likelihood ratios and Wald tests
    suppose many rows for each coefficient. A split whose testing rows separate the classes gives P = 1 to all. Ctrl-C
    ends the search with the splits that are finished, before the first it goes through.

    References
    ----------
    One split: Wasserman & Roeder (2009), Ann. Statist. 37(5A), https://doi.org/10.1214/08-AOS646. Many, equations 2.2
    and 2.3: Meinshausen, Meier & Bühlmann (2009), p-values for high-dimensional regression, J. Am. Stat. Assoc.
    104(488), 1671-1681, https://doi.org/10.1198/jasa.2009.tm08647.

    Examples
    --------
    >>> from shrinkage.datasets import simulate_linear
    >>> from shrinkage.selection import sample_splitting
    >>> data = simulate_linear(120, 200, n_nonzero=3, seed=2)
    >>> found = sample_splitting(data.X, data.y, q=8)
    >>> sorted(found.significant.tolist()) == np.flatnonzero(data.coef).tolist()
    True
    """
    _check(q, alpha, n_splits, level, gamma_min, test, tol)
    check_positive_int("n_alphas", n_alphas, 2)
    alpha_grid(1.0, n_alphas, alpha_min_ratio)
    problem, _ = state(X, y, loss, l1_ratio, fit_intercept, standardize, sample_weight, offset, penalty_factor, penalty)
    refuse_bounds(problem, "data splitting")
    problem, counted = counted_rows(problem, weights)
    if problem.penalty.l1_ratio == 0:
        raise ArgumentError("l1_ratio must be above 0: ridge chooses every feature; got 0")
    able, free = candidates(problem)
    labels = check_groups(groups, len(problem.y))
    pairs = draw_pairs(problem, n_splits, random_generator(random_state), labels)
    room = _room(problem, pairs, len(free), counted)
    if q is None and alpha is None:
        q = max(1, min(room, len(problem.y) // 6, len(able)))
    if q is not None and q > room:
        raise ArgumentError(f"q must be at most {room}, {_why(problem)}; got {q}")
    choosing = [first for first, _ in pairs]
    alphas = grid_of_halves(problem, choosing, standardize, alpha, n_alphas, alpha_min_ratio)
    p_values, sizes, choices, separated = _tested(
        problem, pairs, alphas, q, standardize, tol, test, room, free, counted
    )
    warn_of_missed(choices, tol)
    together = aggregate(p_values, gamma_min)
    passed = np.flatnonzero(together <= level)
    return SampleSplitting(
        p_values=together, significant=passed[np.argsort(together[passed], kind="stable")], level=float(level),
        split_p_values=p_values, sizes=sizes, gamma_min=float(gamma_min), n_splits=len(sizes), n_splits_asked=n_splits,
        n_separated=separated, q=q, alpha=alpha, test="t" if problem.loss.name == "squared" else test,
        candidates=able, free=free, loss=problem.loss.name, n_missed=choices.missed,
        feature_names=problem.design.feature_names, weights=counted,
    )  # fmt: skip


def _check(q, alpha, n_splits, level, gamma_min, test, tol) -> None:
    if q is not None:
        check_positive_int("q", q)
    if alpha is not None:
        check_positive("alpha", alpha)
    if q is not None and alpha is not None:
        raise ArgumentError(f"give q or alpha, which both say how many a half chooses; got q={q}, alpha={alpha}")
    check_positive_int("n_splits", n_splits)
    for name, value in (("level", level), ("gamma_min", gamma_min)):
        check_fraction(name, value)
        if not 0 < value < 1:
            raise ArgumentError(f"{name} must be between 0 and 1, these left out; got {value}")
    check_choice("test", test, TESTS)
    check_positive("tol", tol)


def _room(problem: Problem, pairs, n_free: int, counted: str | None) -> int:
    """The most features that every testing half can test.

    Raises
    ------
    DataError
        If that is none.
    """
    own = n_free + int(problem.fit_intercept)
    weights = np.ones(len(problem.y)) if problem.sample_weight is None or counted != "counts" else problem.sample_weight
    if problem.loss.name == "squared":
        room = int(min(min(len(rows), weights[rows].sum()) for _, rows in pairs)) - own - 2
    else:
        counts = [np.bincount(problem.y[rows].astype(int), minlength=2).min() for _, rows in pairs]
        room = min(counts) // EVENTS - own + int(problem.fit_intercept)
    if room < 1:
        raise DataError(
            f"X has too few rows for half of them to test a single feature: {_why(problem)}. No split can give p-values"
        )
    return room


def _why(problem: Problem) -> str:
    if problem.loss.name == "squared":
        return "what least squares on the testing half can estimate with two degrees of freedom left for the errors"
    return (
        f"one coefficient for each {EVENTS} testing rows of the rarer class, below which chi-squared limits are wrong"
    )


def _tested(problem: Problem, pairs, alphas, q, standardize, tol, test, room, free, counted):
    """(n_splits, n_features) adjusted p-values, numbers chosen, all choices, and how many splits were separated."""
    p, parts, rows_of = problem.design.shape[1], [], []
    sizes, separated = [], 0
    try:
        for part in walks(problem, [first for first, _ in pairs], alphas, q, standardize, tol):
            found = []
            for k in range(part.n_halves):
                split = len(rows_of) + k
                features = np.sort(part.feature[part.half == k])
                if len(features) > room:
                    raise DataError(
                        f"split {split} chooses {len(features)} features, more than the {room} that its other half can "
                        f"test ({_why(problem)}): raise alpha, or give q"
                    )
                found.append((features, _split_p(problem, pairs[split][1], features, free, test, counted)))
            parts.append(part)
            rows_of += found
    except KeyboardInterrupt:
        if not parts:
            raise
    adjusted = np.ones((len(rows_of), p))
    for b, (features, values) in enumerate(rows_of):
        sizes.append(len(features))
        separated += values is None
        if values is not None:
            adjusted[b, features] = np.minimum(values * len(features), 1.0)
    return adjusted, np.array(sizes), Choices.joined(parts), separated


def _split_p(problem: Problem, rows: np.ndarray, features: np.ndarray, free: np.ndarray, test: str, counted):
    """P-values of features on some rows; None where these separate the classes."""
    if not len(features):
        return np.zeros(0)
    columns = _columns(problem, features, rows)
    rest = _columns(problem, free, rows)
    if problem.fit_intercept:
        rest = np.column_stack([rest, np.ones(len(rows))])
        columns = columns - columns.mean(axis=0)
    weights = np.ones(len(rows)) if problem.sample_weight is None else problem.sample_weight[rows]
    offset = np.zeros(len(rows)) if problem.offset is None else problem.offset[rows]
    if problem.loss.name == "squared":
        n = len(rows) if counted == "precisions" else None
        return t_test(columns, rest, problem.y[rows] - offset, weights, n)
    try:
        return logistic_test(columns, rest, problem.y[rows], weights, offset, test)
    except DataError:
        return None


def _columns(problem: Problem, features: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return problem.design.combine(features, np.eye(len(features)))[rows]
