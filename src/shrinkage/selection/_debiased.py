"""Intervals and p-values for coefficients of a lasso: the bias of shrinking removed, the noise left measured."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from shrinkage._check import check_boolean, check_choice, check_nonnegative, check_positive
from shrinkage._errors import ArgumentError, DataError
from shrinkage._path import cross_validate, state
from shrinkage.penalties import L1
from shrinkage.problem import Problem, row_loss
from shrinkage.selection._debiased_record import ADJUSTMENTS, DebiasedLasso, adjusted, ends
from shrinkage.selection._directions import Directions, directions
from shrinkage.selection._noise import (
    chosen_fit,
    lasso_at,
    residual_deviation,
    scaled_lasso,
    without_offset,
)
from shrinkage.selection._row_weights import counted_rows, refuse_parts
from shrinkage.solvers import column_scale

FEWEST_ROWS, FEWEST_OF_A_CLASS = 20, 10
MOST_COHERENT = 0.95


def debiased_lasso(
    X: ArrayLike,
    y: ArrayLike,
    features: Sequence[int] | Sequence[str] | np.ndarray | None = None,
    loss: str = "squared",
    confidence: float = 0.95,
    adjust: str | None = None,
    alpha: float | str | None = None,
    sigma: float | str | None = None,
    nodewise_alpha: float | None = None,
    widening: float = 0.25,
    robust: bool = False,
    fit_intercept: bool = True,
    sample_weight: ArrayLike | None = None,
    weights: Literal["counts", "precisions"] | None = None,
    offset: ArrayLike | None = None,
    penalty: Any = None,
    cv: Any = 10,
    tol: float = 1e-8,
) -> DebiasedLasso:
    r"""Return intervals and p-values for coefficients of a sparse linear or logistic model, also with p > n.

    The lasso ŵ shrinks, so it has no simple distribution. One step along z_j, what the nodewise lasso leaves of column
    j when it is explained by the others, removes the shrinking:

        b_j = ŵ_j + Σᵢ sᵢ z_ij (yᵢ - μ̂ᵢ) / Σᵢ ωᵢ z_ij x_ij,    ω = s ∘ curvature of the loss at ŵ
        se_j = σ √(Σᵢ ωᵢ z_ij²) / |Σᵢ ωᵢ z_ij x_ij|

    is normal about the truth in large samples, where the truth and the precision matrix of the design are sparse. ω is
    s for the squared loss, and s μ̂(1 - μ̂) with σ = 1 for the logistic.

    Parameters
    ----------
    X, y, loss, fit_intercept, offset
        As `path`. Columns are standardized for both lassos; answers are in the raw units of X.
    features : sequence of column numbers or names, or boolean mask, optional
        Which coefficients, named without looking at y; None is all. The time is that of a lasso for each.
    confidence : float in (0, 1)
        Of each interval alone.
    adjust : {"holm", "bonferroni", "bh", "by"}, optional
        Adjust p-values over `features`: the first two for the chance of one false rejection, the last two for the
        share of false ones among those rejected.
    alpha : float, "scaled" or "cv", optional
        Strength of ŵ for standardized columns. "scaled", for the squared loss the default, solves α = λ₀σ(α) for the
        strength and the noise together; "cv", for the logistic the default, takes the lowest cross-validated mean.
    sigma : float, "scaled" or "cv", optional
        Deviation of the noise. "scaled", the default, is √(Σ s r² / (S - |support| - 1)) at the scaled lasso; "cv" the
        same at the cross-validated. Not for the logistic loss, whose variance the model says.
    nodewise_alpha : float >= 0, optional
        Strength of every nodewise lasso, for standardized columns. None chooses for each column: first the largest at
        which max_k |z_jᵀx_k| / ‖z_j‖ <= √(2 log p); then down, to where the standard error is 1 + `widening` times the
        one there. With 0 the answer is least squares, and a column that the others explain exactly is not identified.
    widening : float >= 0
        How much wider intervals may become to lose bias. More covers large coefficients better.
    robust : bool
        Standard errors √(Σ s z²r²) / |Σ ω z x|, valid where the variance differs from row to row.
    sample_weight : array-like of shape (n_samples,), optional
        sᵢ >= 0. With `robust`, and for the logistic loss, whole numbers only.
    weights : "counts", "precisions" or None
        What `sample_weight` is: the row counts sᵢ times, and Σ s is the number of rows; or it is one row of variance
        σ²/sᵢ, when the weights are scaled to sum to the number of rows with a positive one. None takes whole numbers as
        counts, others as precisions.
    penalty : L1, optional
        Only the lasso has this theory; its alpha is not used. Others are refused.
    cv : int, splitter or iterable of pairs
        For "cv", as in `cross_validate`.
    tol : float > 0
        Largest relative duality gap of the lasso on y.

    Returns
    -------
    DebiasedLasso
        Prints with what has to hold.

    Raises
    ------
    ArgumentError
        For values that cannot be used, and where no theory gives an interval: features chosen by y, penalties other
        than the lasso.
    DataError
        For fewer than 20 rows or 2 log p, or fewer than 10 of a class.

    Notes
    -----
    Coverage averaged over all coefficients is near the confidence: 0.952 to 0.966 for 0.95 with n 100 and 200, p 300
    and 500, three true (`python tests/debiased_coverage.py` of the repository). That of the nonzero ones is lower,
    since what is left of the bias counts there: with p = 500 about 0.95 on independent columns, 0.9 on Toeplitz ones,
    0.8 on columns that all correlate by 0.8; `widening` raises it. With linearly independent columns and
    nodewise_alpha=0 everything is least squares.

    z_j is also the answer of the program of Javanmard & Montanari, min mᵀΣm with |Σm - e_j| <= μ, at
    μ = λ_j / (z_jᵀx_j / n): the two differ in how they choose one number.

    Cost: a matrix of p² products (8p² bytes), and for each feature a lasso path on it: X is not read again.

    References
    ----------
    van de Geer, Bühlmann, Ritov & Dezeure (2014), Ann. Statist. 42(3), section 2 (squared) and 3 (logistic),
    https://doi.org/10.1214/14-AOS1221; Zhang & Zhang (2014), J. R. Stat. Soc. B 76(1), table 2 (nodewise strength),
    https://doi.org/10.1111/rssb.12026; Javanmard & Montanari (2014), JMLR 15; Sun & Zhang (2012), Biometrika 99(4);
    Bühlmann & van de Geer (2015), Electron. J. Statist. 9 (robust).

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> found = debiased_lasso(X, y, adjust="holm")
    >>> [name for name, p in zip(found.names, found.adjusted_p_values) if p < 0.01]
    ['sex', 'bmi', 'bp', 's5']
    """
    _check(loss, adjust, alpha, sigma, nodewise_alpha, widening, robust, penalty, tol)
    problem, _ = state(X, y, loss, 1.0, fit_intercept, True, sample_weight, offset, None, None)
    problem = without_offset(problem) if loss == "squared" else problem
    n, problem, counted = _size(problem, robust, weights)
    columns = _columns(features, problem)
    alpha_used, coef, intercept, sigma_used, origin = _start(problem, n, alpha, sigma, cv, tol)
    ends(np.zeros(1), np.zeros(1), confidence)
    found, shift, se = _step(problem, n, coef, intercept, columns, nodewise_alpha, widening, robust, sigma_used)
    identified = np.isfinite(se)
    debiased = np.where(identified, coef[columns] + shift, np.nan)
    lower, upper = ends(debiased, se, confidence)
    p_values = np.where(identified, 2 * stats.norm.sf(np.abs(debiased) / np.where(identified, se, 1.0)), 1.0)
    names = problem.design.feature_names
    return DebiasedLasso(
        features=columns,
        names=tuple(f"x{j}" if names is None else names[j] for j in columns),
        coef=debiased,
        lasso_coef=coef[columns],
        se=se,
        lower=lower,
        upper=upper,
        p_values=p_values,
        adjusted_p_values=None if adjust is None else adjusted(p_values, adjust),
        identified=identified,
        bias_factors=found.bias_factors,
        nodewise_alphas=found.strengths,
        confidence=float(confidence),
        adjust=adjust,
        alpha=alpha_used,
        sigma=sigma_used,
        sigma_from=origin,
        n_selected=int(np.count_nonzero(coef)),
        n_samples=n,
        n_features=problem.design.shape[1],
        loss=loss,
        robust=robust,
        weights=counted,
    )


def _step(
    problem: Problem, n: float, coef, intercept: float, columns, nodewise_alpha, widening: float, robust: bool, sigma
) -> tuple[Directions, np.ndarray, np.ndarray]:
    """Directions, the step from lasso to debiased, and standard errors, in raw units; inf where not identified."""
    eta = problem.linear_predictor(coef, intercept)
    weights = n * problem.weights
    loss = row_loss(problem.loss)
    left = -loss.gradient(problem.y, eta)  # y - mean
    omega = weights * loss.curvature(problem.y, eta)
    data, scale = _standard(problem, omega)
    gram = data.T @ (omega[:, None] * data) / omega.sum()
    flat = np.diag(gram) < 1e-12
    gram[flat], gram[:, flat] = 0.0, 0.0
    rank = int(np.count_nonzero(omega > 0)) - int(problem.fit_intercept)
    found = directions(gram, columns, float(omega.sum()), rank, nodewise_alpha, widening)
    support = np.flatnonzero(found.coefs.any(axis=1))
    Z = data[:, support] @ found.coefs[support]
    own = omega @ (Z * data[:, columns])
    square = weights @ (Z * left[:, None]) ** 2 if robust else sigma**2 * (omega @ Z**2)
    lost = ~(found.coherences < MOST_COHERENT)  # nan for a constant column
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = (weights * left) @ Z / own
        se = np.where(lost, np.inf, np.sqrt(square) / np.abs(own))
    return found, shift / scale[columns], se / scale[columns]


def _standard(problem: Problem, omega: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """X with columns of mean square 1, and of mean 0 if there is an intercept; and their scale."""
    weights = np.asfortranarray(omega[:, None])
    n, p = problem.design.shape
    means = problem.design.column_moments(weights)[0][:, 0] if problem.fit_intercept else np.zeros(p)
    scale = column_scale(problem.design, weights)[:, 0]
    data = problem.design.gather(np.arange(p), np.ascontiguousarray(means), None, np.empty((n, p), order="F"))
    data /= scale
    return data, scale


def _start(problem: Problem, n: float, alpha, sigma, cv, tol: float) -> tuple[float, np.ndarray, float, float, str]:
    """Strength, coefficients and intercept of the lasso on y; the noise's deviation, and where it comes from."""
    squared = problem.loss.name == "squared"
    alpha = ("scaled" if squared else "cv") if alpha is None else alpha
    sigma = ("scaled" if squared else 1.0) if sigma is None else sigma
    fits: dict[str, tuple[float, np.ndarray, float]] = {}
    if "scaled" in (alpha, sigma):
        fits["scaled"] = scaled_lasso(problem, n, tol)
    if "cv" in (alpha, sigma):
        scores = cross_validate(
            cast(Any, problem.design),
            problem.y,
            cv=cv,
            loss=problem.loss.name,
            fit_intercept=problem.fit_intercept,
            standardize=True,
            sample_weight=problem.sample_weight,
            offset=problem.offset,
            tol=tol,
        )
        fits["cv"] = chosen_fit(scores.path, scores.index_min)
    used = fits[alpha] if isinstance(alpha, str) else (float(alpha), *lasso_at(problem, float(alpha), tol))
    if not isinstance(sigma, str):
        return *used, float(sigma), "the caller" if squared else "the logistic model"
    words = {"scaled": "the residuals of the scaled lasso", "cv": "the residuals of the cross-validated lasso"}
    return *used, residual_deviation(problem, n, *fits[sigma][1:]), words[sigma]


def _columns(features: Any, problem: Problem) -> np.ndarray:
    """Distinct column numbers, from numbers, names or a mask."""
    p, names = problem.design.shape[1], problem.design.feature_names
    if features is None:
        return np.arange(p)
    if isinstance(features, str):
        if features in ("selected", "support", "nonzero"):
            raise ArgumentError(
                f"features={features!r} are chosen by y, and intervals for those alone do not cover: name them "
                "beforehand, take all with adjust='holm' or 'bh', or choose on half of the rows and test on the rest"
            )
        raise ArgumentError(f"features must be a sequence of column numbers or names; got {features!r}")
    try:
        values = np.asarray(features)
    except ValueError:
        raise ArgumentError(f"features must be a vector of column numbers or names; got {features!r}") from None
    if values.ndim != 1 or not values.size:
        raise ArgumentError(f"features must be a vector of column numbers or names; got shape {values.shape}")
    if values.dtype == bool:
        if values.shape != (p,) or not values.any():
            raise ArgumentError(f"features as a mask must have shape ({p},) and hold a True; got {values.shape}")
        return np.flatnonzero(values)
    if values.dtype.kind in "US" or (values.dtype.kind == "O" and all(isinstance(v, str) for v in values)):
        place = {name: j for j, name in enumerate(names or ())}
        unknown = [name for name in values.tolist() if name not in place]
        if unknown:
            raise ArgumentError(f"features must be columns of X; {unknown[0]!r} is none")
        values = np.array([place[name] for name in values.tolist()])
    if values.dtype.kind not in "iu" or values.min() < 0 or values.max() >= p:
        raise ArgumentError(f"features must hold column numbers from 0 to {p - 1}, or names; got {values.tolist()[:5]}")
    if len(np.unique(values)) < len(values):
        raise ArgumentError("features must be distinct; some column is named twice")
    return values.astype(np.int64)


def _size(problem: Problem, robust: bool, meaning: str | None) -> tuple[float, Problem, str | None]:
    """Σ s, where it is enough, of weights that sum to a number of rows; the problem with these; what they are."""
    n_rows, p = problem.design.shape
    logistic = problem.loss.name == "logistic"
    if robust or logistic:
        refuse_parts(problem.sample_weight, "robust=True" if robust else "loss='logistic'")
    problem, counted = counted_rows(problem, meaning)
    if robust and counted == "precisions":
        raise ArgumentError("robust=True lets the variance differ as it likes: weights must be 'counts' or None")
    weights = problem.sample_weight
    n = float(n_rows) if weights is None else float(weights.sum())
    rows = n_rows if weights is None else int(np.count_nonzero(weights))
    least = max(FEWEST_ROWS, 2 * np.log(p))
    if min(n, rows) < least:
        raise DataError(
            f"intervals need at least {least:.0f} rows with {p} features, for errors to average out and a column to be "
            f"told from {p} others; got {min(n, rows):g}"
        )
    if logistic:
        shares = np.ones(n_rows) if weights is None else weights
        rarer = min(shares[problem.y == 1].sum(), shares[problem.y == 0].sum())
        if rarer < FEWEST_OF_A_CLASS:
            raise DataError(f"intervals need at least {FEWEST_OF_A_CLASS} rows of each class; the rarer has {rarer:g}")
    return n, problem, counted


def _check(loss, adjust, alpha, sigma, nodewise_alpha, widening, robust, penalty, tol) -> None:
    check_choice("loss", loss, ("squared", "logistic"))
    if adjust is not None:
        check_choice("adjust", adjust, ADJUSTMENTS)
    for name, value in (("alpha", alpha), ("sigma", sigma)):
        if value is not None and (isinstance(value, str) or not isinstance(value, Real)):
            check_choice(name, value, ("scaled", "cv"))
        elif value is not None:
            check_positive(name, value)
    if loss == "logistic" and (sigma is not None or alpha == "scaled"):
        raise ArgumentError(
            "loss='logistic' has no sigma, and no scaled lasso: its variance is μ(1 - μ); alpha may be 'cv'"
        )
    if nodewise_alpha is not None:
        if not isinstance(nodewise_alpha, Real):
            raise ArgumentError(f"nodewise_alpha must be a number >= 0; got {nodewise_alpha!r}")
        check_nonnegative("nodewise_alpha", nodewise_alpha)
    check_nonnegative("widening", widening)
    check_boolean("robust", robust)
    check_positive("tol", tol)
    if penalty is None:
        return
    factors = getattr(penalty, "factors", None)
    if not isinstance(penalty, L1):
        raise ArgumentError(
            f"penalty must be L1: the theory of debiasing is the lasso's, and none gives intervals for "
            f"{type(penalty).__name__}"
        )
    if factors is not None and np.ptp(np.asarray(factors)) > 0:
        raise ArgumentError(
            "penalty must have equal factors: adaptive ones depend on y, and no theory here covers them"
        )
