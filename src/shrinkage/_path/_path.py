"""Whole paths: the front of the engine."""

from typing import Any

from numpy.typing import ArrayLike

from shrinkage._check import check_positive
from shrinkage._path._classes import finish_classes, is_multinomial, state_classes
from shrinkage._path._record import Path
from shrinkage._path._responses import are_responses, refuse_for_responses, state_responses
from shrinkage._path._statement import check_stop, finish, grid, state, warn_missed
from shrinkage.losses import Loss
from shrinkage.penalties import MCP, SCAD
from shrinkage.solvers import Stop, solve_classes, solve_path


def path(
    X: ArrayLike,
    y: ArrayLike,
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
    lower: ArrayLike | None = None,
    upper: ArrayLike | None = None,
    positive: bool = False,
    stop: str | None = None,
) -> Path:
    """Fit a generalized linear or robust model at many strengths, each certified.

    Minimizes (1/S) Σ sᵢ ℓ(yᵢ, ηᵢ) + α Σ_j f_j (ρ|w_j| + ½(1-ρ) w_j²) with η = offset + Xw + b and S = Σ sᵢ; ℓ is
    ½(y-η)², or another of `shrinkage.losses`. The intercept b is never penalized.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        NumPy array, SciPy sparse matrix, or a pandas, polars or Arrow table. Not copied when float64 or float32; other
        numbers are converted to float64 once. Coefficients and predictions are float64 either way.
    y : array-like of shape (n_samples,)
        Numbers; for logistic 0 and 1, booleans, or two string classes (the second in sorted order counts as 1); >= 0
        for Poisson, Tweedie and negative binomial, > 0 for gamma; for multinomial labels of two classes or more. For
        the squared loss also (n_samples, K), where the coefficients of a column are a group, as `MultiTaskElasticNet`
        has them; those of the first response come first in the path.
    loss : "squared", "logistic", "poisson", "gamma", "multinomial" or "multinomial_grouped", or a loss
        Those with a parameter are values: `losses.Tweedie(1.5)`, `NegativeBinomial(2.0)`, `Huber(1.345)`,
        `Quantile(0.9, smoothing=0.01)`. Multinomial has coefficients and an intercept for each class, and no reference
        class; grouped, the penalty takes ‖w_j‖₂ over the classes for Σ_k |w_jk|, so that a feature enters all of them.
    l1_ratio : float in [0, 1]
        ρ: 1 is the lasso, 0 is ridge.
    alphas : array-like, optional
        Strengths; sorted, largest first. None makes `n_alphas` of them from alpha_max, the smallest that zeroes every
        penalized coefficient, down to `alpha_min_ratio` of it; if y is explained without the penalized columns, one.
        Ridge has no such strength: its grid goes from 1000 a down to `alpha_min_ratio` a, with a the largest
        |cov(x_j, y)| sd(x_j) / sd(y) (for standardized columns 1000 a is where glmnet begins).
    n_alphas : int
    alpha_min_ratio : float in (0, 1)
    fit_intercept : bool
    standardize : bool
        Penalize sd_j·w_j instead of w_j, sd_j the weighted standard deviation (1/S) of column j; coefficients stay in
        raw units. Deviations are from the mean without an intercept too, as in glmnet; constant columns have sd_j = 1.
    sample_weight : array-like of shape (n_samples,), optional
        sᵢ >= 0; 2 means the row twice.
    offset : array-like of shape (n_samples,), for multinomial (n_samples, K), optional
    penalty_factor : array-like of shape (n_features,), optional
        f_j >= 0; 0 leaves a column free, inf excludes it.
    penalty : L1, L2, L1L2, MCP, SCAD, SortedL1, GroupL2, or a Box around or a GroupL2 added to one of the first three
        Instead of `l1_ratio` and `penalty_factor`; its alpha is replaced by the grid. Groups hold columns of X. MCP and
        SCAD are not convex: each strength starts from the one before, and ends at a stationary point with status
        STATIONARY.
    tol : float > 0
        Largest relative duality gap (gap over the objective of the null model) of any strength; for MCP and SCAD the
        largest violation of the optimality conditions, over the largest gradient of the null model.
    lower, upper : number or array-like of shape (n_features,), optional
        Bounds lower <= 0 <= upper of coefficients, in raw units; -inf and inf are none. The path starts at the strength
        at which nothing moves to a side that its bounds leave open.
    positive : bool
        Stands for lower=0.
    stop : "auto", optional
        End the path, after five strengths or more, with the first at which the model explains more than 0.999 of the
        null model's loss, or at which the share explained has risen by less than 1e-5 of itself since the strength
        before: glmnet's rules (`devmax`, `fdev`), here for a given grid as well, whose ties become one. The second is
        not asked of MCP and SCAD, whose fits may stand still between two entries. Smaller strengths are not returned,
        and `ending` of the path says why. None fits every strength.

    Returns
    -------
    Path

    Raises
    ------
    ArgumentError, DataError
        For values that cannot be used, naming the argument and the value met.

    Warns
    -----
    ConvergenceWarning
        If a strength missed `tol`; it is returned with a status that says so.

    Notes
    -----
    glmnet's gaussian family divides its L2 part by sd(y); every other number means the same there.

    Examples
    --------
    >>> from shrinkage import path
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> p = path(X, y, n_alphas=20, alpha_min_ratio=0.01)
    >>> p.n_nonzero[[0, 5, 19]].tolist()
    [0, 4, 8]
    >>> bool(p.relative_gaps.max() < 1e-6)
    True
    """
    if is_multinomial(loss):
        rule = Stop() if check_stop(stop) else None
        several, labels = state_classes(
            X, y, loss, l1_ratio, fit_intercept, standardize, sample_weight, offset, penalty_factor, penalty,
            lower, upper, positive,
        )  # fmt: skip
        check_positive("tol", tol)
        strengths = grid(alphas, n_alphas, alpha_min_ratio, several.penalty.l1_ratio)
        fitted = finish_classes(several, solve_classes(several, strengths, [], False, tol, stop=rule).path, labels)
        warn_missed(fitted, None, tol, stacklevel=2)
        return fitted
    if are_responses(y, loss):
        refuse_for_responses(penalty, stop)
        side_by_side = state_responses(
            X, y, l1_ratio, fit_intercept, standardize, sample_weight, offset, penalty_factor, lower, upper, positive
        )
        found, _ = side_by_side.solve((alphas, n_alphas, alpha_min_ratio), None, standardize, tol)
        fitted = side_by_side.path(found)
        warn_missed(fitted, None, tol, stacklevel=2)
        return fitted
    problem, classes = state(
        X, y, loss, l1_ratio, fit_intercept, standardize, sample_weight, offset, penalty_factor, penalty,
        lower, upper, positive, groups_too=True,
    )  # fmt: skip
    check_positive("tol", tol)
    ratio = getattr(problem.penalty, "l1_ratio", 1.0)
    rule = Stop(may_pause=isinstance(problem.penalty, MCP | SCAD)) if check_stop(stop) else None
    columns = solve_path(problem, grid(alphas, n_alphas, alpha_min_ratio, ratio), tol, rule)
    fitted = finish(problem, columns, classes)
    warn_missed(fitted, None, tol, stacklevel=2)
    return fitted
