"""The strength by marginal likelihood: no rows are held out."""

import warnings
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from shrinkage._check import (
    check_choice,
    check_positive,
    check_positive_int,
    finite_vector,
    random_generator,
    weight_vector,
)
from shrinkage._errors import ArgumentError, ConvergenceWarning, DataError
from shrinkage._path import refuse_bounds, state
from shrinkage.design import as_design, check_finite
from shrinkage.penalties import L1
from shrinkage.selection._bayesian_lasso import MonteCarlo, lasso_peak
from shrinkage.selection._evidence_data import Reduced, reduce, rows
from shrinkage.selection._evidence_groups import group_peak
from shrinkage.selection._evidence_logistic import laplace_evidences, logistic_peak, ridge_top
from shrinkage.selection._evidence_record import Evidence
from shrinkage.selection._evidence_ridge import Peak, log_evidences, peak, reach
from shrinkage.selection._row_weights import meaning_of, scaled_to_rows
from shrinkage.solvers import Status, solve

_SPAN = 1e3
_LASSO_LIMIT = 100.0
_FEWEST_DRAWS = 250
_NOTHING = np.zeros(0)


def evidence(
    X: ArrayLike,
    y: ArrayLike,
    prior: str = "normal",
    loss: str = "squared",
    groups: Any = None,
    alphas: ArrayLike | None = None,
    n_alphas: int = 100,
    fit_intercept: bool = True,
    standardize: bool = False,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    penalty_factor: ArrayLike | None = None,
    dispersion: float | None = None,
    weights: Literal["counts", "precisions"] | None = None,
    n_draws: int = 5000,
    random_state: Any = 0,
    tol: float = 1e-6,
) -> Evidence:
    """Choose the strength that makes the data most probable, weights integrated out (empirical Bayes).

    Reads the penalty as a prior (see `shrinkage.priors`) and maximizes log p(y | α, φ) over the strength α and, for
    squared loss, the noise variance φ:

    - a normal prior and squared loss: exact, for all strengths from one eigendecomposition; with `groups` one strength
      for each, some of which may be infinite (automatic relevance determination): a local maximum, climbed to from
      the best common strength, and seldom a little below the highest;
    - a normal prior and logistic loss: by Laplace's approximation around the fit at each strength;
    - a Laplace prior and squared loss: by Monte Carlo EM over the Bayesian lasso, whose prior of a coefficient has rate
      λ/σ, so that α = λ σ / S with S the sum of weights.

    Intercept and free columns have flat priors and are integrated out, which is restricted maximum likelihood.

    Parameters
    ----------
    X, y, loss, fit_intercept, standardize, sample_weight, offset, penalty_factor, tol
        As `shrinkage.path`. `tol` is that of the fits of logistic loss and of the lasso.
    prior : "normal" or "laplace"
        Ridge, or lasso.
    groups : sequence of sequences of integers, optional
        Columns that share a strength, disjoint; columns in none are free. [[0], [1], ...] gives each its own.
    alphas : array-like, optional
        Strengths > 0 of the curve. None makes `n_alphas` of them from 1000 times the best down to a thousandth.
    n_alphas : int
    dispersion : float > 0, optional
        φ where the noise variance is known; None estimates it.
    weights : "counts", "precisions" or None
        What `sample_weight` is: a weight of 2 is the row twice, or a row of half the noise variance, when the weights
        are scaled to sum to the number of rows with a positive one. None takes whole numbers as counts, others as
        precisions.
    n_draws : int >= 250
        Draws of the sampler's last chain, of a Laplace prior.
    random_state : None, int or numpy.random.Generator
        Of the sampler. The same number gives the same answer to the bit.

    Returns
    -------
    Evidence
        ``print`` it for sentences; ``compare(cross_validate(...))`` sets it beside cross-validation. A sampler that is
        interrupted by Ctrl-C returns what its rounds so far say, and tells so.

    Raises
    ------
    ArgumentError, DataError
        For values that cannot be used, and for what has no evidence here: a Laplace prior with logistic loss or with
        groups, groups with logistic loss, dependent free columns, y that the free columns explain.

    Notes
    -----
    The evidence asks how probable the data are, cross-validation how well new rows are predicted; they agree where the
    model, with its normal noise, holds. With p = min(n_samples, n_features), a ridge costs n_samples n_features p
    flops, groups p² n_features for each of some tens of steps, a Laplace prior p² n_features for each draw.

    References
    ----------
    MacKay (1992), Neural Comput. 4(3), eq. 4.9 and 4.10, https://doi.org/10.1162/neco.1992.4.3.415
    Tipping & Faul (2003), AISTATS, eq. 20, https://proceedings.mlr.press/r4/tipping03a.html
    Park & Casella (2008), J. Am. Stat. Assoc. 103(482), section 3.1, https://doi.org/10.1198/016214508000000337

    Examples
    --------
    >>> from shrinkage.datasets import load_diabetes
    >>> from shrinkage.selection import evidence
    >>> data = load_diabetes()
    >>> found = evidence(data.X, data.y, standardize=True)
    >>> print(found)
    A normal prior explains the data best at alpha = 0.0337, between 0.0125 and 0.091 by its curvature (95 %). ...
    The data decide 8.58 of 10 coefficients' worth; the prior decides the rest.
    The noise has a variance of 2939, with which the prior is read.
    """
    check_choice("prior", prior, ("normal", "laplace"))
    check_choice("loss", loss, ("squared", "logistic"))
    check_positive("tol", tol)
    check_positive_int("n_alphas", n_alphas)
    check_positive_int("n_draws", n_draws, _FEWEST_DRAWS)
    rng = random_generator(random_state)
    _refuse(prior, loss, groups, alphas, dispersion)
    design = as_design(X)
    sample_weight, constant = _as_rows(sample_weight, weights, design.shape[0])
    owner, factors = _ownership(groups, penalty_factor, design.shape[1])
    problem, _ = state(
        design, y, loss, 0.0, fit_intercept, standardize, sample_weight, offset, factors, None
    )  # fmt: skip
    refuse_bounds(problem, "the evidence")
    if not np.isfinite(design.column_moments()[0]).all():
        check_finite(design)
    if problem.null.objective == 0:
        raise DataError(
            "y is explained by the intercept and the free columns alone: there is no noise to weigh against"
        )
    grid = _grid(alphas)
    if loss == "logistic":
        return _logistic(problem, grid, n_alphas, tol)
    if prior == "laplace":
        return _laplace(problem, n_draws, rng, None if random_state is rng else random_state, tol)
    data = _reduced(problem, 2)
    data = replace(data, log_free=data.log_free - constant)
    if owner is not None:
        found = group_peak(data, owner[data.penalized], dispersion)
        told = tuple(tuple(int(j) for j in np.flatnonzero(owner == g)) for g in range(int(owner.max()) + 1))
        return _record(problem, found, data, groups=told, factors=_own_factors(penalty_factor, design.shape[1]))
    found = peak(data, dispersion)
    grid = _around(found.alpha[0], data, n_alphas) if grid is None else grid
    curve, gammas = log_evidences(data, grid, dispersion)
    return _record(problem, found, data, alphas=grid, curve=curve, gammas=gammas, factors=problem.penalty.factors)


def _refuse(prior: str, loss: str, groups: Any, alphas: Any, dispersion: float | None) -> None:
    """What has no evidence here, each in a sentence."""
    if loss == "logistic" and prior == "laplace":
        raise ArgumentError(
            "prior='laplace' needs loss='squared': the sampler of the Bayesian lasso is for normal noise; take "
            "prior='normal', or cross_validate(loss='logistic', l1_ratio=1)"
        )
    if groups is not None and (prior, loss) != ("normal", "squared"):
        raise ArgumentError(f"groups need prior='normal' and loss='squared'; got prior='{prior}' and loss='{loss}'")
    if alphas is not None and (groups is not None or prior == "laplace"):
        raise ArgumentError("alphas are the strengths of a curve, which groups and a Laplace prior do not have")
    if dispersion is not None:
        check_positive("dispersion", dispersion)
        if loss == "logistic" or prior == "laplace":
            raise ArgumentError(
                "dispersion is for a normal prior and squared loss: logistic loss has 1, and the sampler draws it; got "
                f"{dispersion}"
            )


def _grid(alphas: Any) -> np.ndarray | None:
    if alphas is None:
        return None
    try:
        shape = np.shape(alphas)
    except ValueError:
        shape = None
    if shape is None or len(shape) != 1 or not shape[0]:
        raise ArgumentError(f"alphas must be a non-empty vector of strengths; got {alphas!r}")
    values = finite_vector("alphas", alphas, shape[0])
    if not values.min() > 0:
        raise ArgumentError(f"alphas must be > 0; position {int(values.argmin())} is {values.min()}")
    return np.sort(values)[::-1].copy()


def _ownership(groups: Any, penalty_factor: Any, n_features: int) -> tuple[np.ndarray | None, Any]:
    """The group of every column (-1 for none), and factors that leave those in none free."""
    if groups is None:
        return None, penalty_factor
    factors = _own_factors(penalty_factor, n_features)
    factors = np.ones(n_features) if factors is None else factors.copy()
    owner = np.full(n_features, -1)
    try:
        parts = [(group, np.asarray(group)) for group in groups]
    except (TypeError, ValueError):
        raise ArgumentError(f"groups must be a sequence of lists of column numbers; got {groups!r}") from None
    for g, (group, members) in enumerate(parts):
        if members.ndim != 1 or not members.size or members.dtype.kind not in "iu":
            raise ArgumentError(f"groups must hold lists of column numbers, none empty; group {g} is {group!r}")
        if members.min() < 0 or members.max() >= n_features:
            raise ArgumentError(f"groups must hold column numbers from 0 to {n_features - 1}; group {g} is {group!r}")
        if (owner[members] >= 0).any() or np.unique(members).size != members.size:
            raise ArgumentError(f"groups must be disjoint; a column of group {g} is in two places")
        owner[members] = g
    if not (owner >= 0).any():
        raise ArgumentError("groups must hold at least one group; got none")
    factors[owner < 0] = 0.0
    empty = [g for g in range(int(owner.max()) + 1) if not (factors[owner == g] > 0).any()]
    if empty:
        raise ArgumentError(f"every group needs a column of penalty_factor > 0; group {empty[0]} has none")
    return owner, factors


def _own_factors(penalty_factor: Any, n_features: int) -> np.ndarray | None:
    return None if penalty_factor is None else finite_vector("penalty_factor", penalty_factor, n_features)


def _as_rows(sample_weight: Any, weights: Any, n_samples: int) -> tuple[np.ndarray | None, float]:
    """Weights whose sum is a number of rows, and the log density that precisions add: ½ Σ log sᵢ."""
    given = None if sample_weight is None else weight_vector("sample_weight", sample_weight, n_samples)
    meaning = meaning_of(given, weights)
    if given is None or meaning == "counts":
        return given, 0.0
    scaled = scaled_to_rows(given)
    return scaled, 0.5 * float(np.log(scaled[given > 0]).sum())


def _reduced(problem: Any, power: int) -> Reduced:
    data = reduce(problem, power)
    if not data.squares.size:
        raise DataError("every penalized column is constant, or explained by the free ones: there is nothing to weigh")
    return data


def _around(alpha: float, data: Reduced, n_alphas: int) -> np.ndarray:
    """Strengths around the best, or all that matter where it is 0 or inf."""
    low, high = (alpha / _SPAN, alpha * _SPAN) if 0 < alpha < np.inf else reach(data)
    return np.geomspace(high, low, n_alphas)


def _record(
    problem: Any,
    found: Peak,
    data: Reduced,
    groups=None,
    alphas=_NOTHING,
    curve=_NOTHING,
    gammas=_NOTHING,
    factors=None,
) -> Evidence:
    """The record of a squared loss and a normal prior."""
    coef, intercept = data.coefficients(found.v)
    one = groups is None
    return Evidence(
        "normal", "squared",
        float(found.alpha[0]) if one else found.alpha,
        float(found.log_se[0]) if one else found.log_se,
        found.dispersion,
        float(found.gamma[0]) if one else found.gamma,
        found.log_evidence, coef, intercept, alphas, curve, gammas, data.total, factors, problem.scale, groups,
        feature_names=problem.design.feature_names,
    )  # fmt: skip


def _logistic(problem: Any, alphas: np.ndarray | None, n_alphas: int, tol: float) -> Evidence:
    found, coef, intercept = logistic_peak(problem, tol)
    grid = alphas
    if grid is None:
        best = float(found.alpha[0])
        ends = (best * _SPAN, best / _SPAN) if 0 < best < np.inf else (ridge_top(problem), 1e-6 * ridge_top(problem))
        grid = np.geomspace(*ends, n_alphas)
    curve, gammas, fits = laplace_evidences(problem, grid, tol)
    missed = sum(status is Status.GAP_ABOVE_TOL for status in fits.status)
    if missed:
        warnings.warn(
            f"{missed} of {len(grid)} fits ended with a relative duality gap above tol = {tol:.1e}; raise tol, or "
            "standardize X", ConvergenceWarning, stacklevel=3,
        )  # fmt: skip
    return Evidence(
        "normal", "logistic", float(found.alpha[0]), float(found.log_se[0]), 1.0, float(found.gamma[0]),
        found.log_evidence, coef, intercept, grid, curve, gammas, rows(problem)[0], problem.penalty.factors,
        problem.scale, feature_names=problem.design.feature_names,
    )  # fmt: skip


def _laplace(problem: Any, n_draws: int, rng: np.random.Generator, seed: Any, tol: float) -> Evidence:
    data = _reduced(problem, 1)
    lasso = replace(problem, penalty=L1(1.0, problem.penalty.factors))
    ridge = peak(data, None)
    sigma = float(np.sqrt(ridge.dispersion))
    top = lasso.alpha_max or 1e-3 * sigma  # no column predicts y: any strength is too much
    alpha = float(ridge.alpha[0])
    # The Laplace scale of the ridge's variance φ / (S α), or a strength at which the lasso keeps next to nothing.
    rate = np.sqrt(2.0 * data.total * alpha) if 0 < alpha < np.inf else data.total * top / sigma
    limit = _LASSO_LIMIT * data.total * top / sigma
    found = lasso_peak(data, (min(rate, 0.5 * limit), ridge.dispersion, ridge.v), limit, n_draws, rng)
    sigma = float(np.sqrt(found.dispersion))
    over = found.rate >= limit
    alpha = np.inf if over else found.rate * sigma / data.total
    fit = solve(replace(lasso, penalty=L1(top if over else alpha, problem.penalty.factors)), tol)
    if fit.status is Status.GAP_ABOVE_TOL:
        warnings.warn(
            f"the lasso at alpha = {alpha:.4g} ended with a gap above tol = {tol:.1e}", ConvergenceWarning, stacklevel=3
        )
    mean, sd = np.full((2, problem.design.shape[1]), np.nan)
    mean[data.penalized], sd[data.penalized] = found.mean / data.unit, found.sd / data.unit
    sampled = MonteCarlo(
        found.draws, found.error, mean, sd, found.trace * sigma / data.total, seed, found.stopped
    )  # fmt: skip
    return Evidence(
        "laplace", "squared", alpha, np.nan if over else found.log_se, found.dispersion,
        float(np.count_nonzero(fit.coef[data.penalized])), float("nan"), fit.coef, fit.intercept,
        _NOTHING, _NOTHING, _NOTHING, data.total, problem.penalty.factors, problem.scale, monte_carlo=sampled,
        feature_names=problem.design.feature_names,
    )  # fmt: skip
