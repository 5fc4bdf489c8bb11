"""Every row predicted by the fit to the others: exact for ridge, elsewhere approximate with its error measured."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkage._check import check_positive_int, random_generator
from shrinkage._errors import ArgumentError, DataError
from shrinkage._path import CrossValidation, Path
from shrinkage.problem import Problem, row_loss
from shrinkage.selection._degrees_of_freedom import fitted_path
from shrinkage.selection._newton_step import newton_left_out
from shrinkage.selection._one_standard_error import lowest, one_standard_error
from shrinkage.selection._ridge_spectrum import ridge_spectrum
from shrinkage.solvers import solve_folds

Array = np.ndarray

RELIABLE = 0.5
"""An approximate mean is relied on where its own error is below this share of the mean's standard error."""


@dataclass(frozen=True, eq=False, repr=False)
class LeaveOneOut:
    """What each row's deviance is when the fit has not seen it. `print` explains.

    Attributes
    ----------
    alphas : ndarray of shape (n_alphas,)
    scores : ndarray of shape (n_alphas, n_samples)
        Squared errors, or -2 log likelihoods, of rows left out; by a real refit in the rows of `refitted`.
    eta : ndarray of shape (n_alphas, n_samples)
        Linear predictors of rows left out, by the formula in every row.
    mean, se : ndarray of shape (n_alphas,)
        Σ sᵢ scoreᵢ / Σ sᵢ, and √(Σ sᵢ (scoreᵢ - mean)² / Σ sᵢ / (n - 1)) over the n rows with weight, as
        `cross_validate` has them with a fold for each row.
    exact : bool
    refitted : ndarray of int
        Rows that were really left out of a fit.
    error, error_se : ndarray of shape (n_alphas,)
        How much higher the exact mean is, as estimated from the refitted rows that were drawn at random, and the
        standard error of that, pooled over neighboring strengths; 0 where exact, NaN where nothing was refitted.
    reliable : ndarray of shape (n_alphas,), bool
        Whether |error| + 2 error_se is at most half of `se`.
    path : Path
    """

    alphas: Array
    scores: Array
    eta: Array
    mean: Array
    se: Array
    exact: bool
    refitted: Array
    error: Array
    error_se: Array
    reliable: Array
    path: Path

    def __repr__(self) -> str:
        kind = "exact" if self.exact else f"approximate, {self.refitted.size} rows refitted"
        return f"<LeaveOneOut: {self.scores.shape[1]} rows, {len(self.alphas)} strengths, {kind}>"

    def __str__(self) -> str:
        if not np.isfinite(self.mean).any():
            return f"{self.how()}\nIt says nothing: at every strength some row is not predicted by the others."
        place = lowest(self.mean)
        return f"{self.how()}\n{self.trust(place)}\nThe mean is lowest at alpha {self.alphas[place]:.4g}: " + (
            f"{self.mean[place]:.4g} ± {self.se[place]:.2g}, {self.path.n_nonzero[place]} features."
        )

    def how(self) -> str:
        """How the rows were left out, in a sentence."""
        n = self.scores.shape[1]
        if self.refitted.size == n:
            return f"Leave-one-out by {n} refits."
        if self.exact:
            return f"Exact leave-one-out of {n} rows, from one eigendecomposition."
        return f"Approximate leave-one-out of {n} rows, one Newton step each; {self.refitted.size} were refitted."

    def trust(self, place: int) -> str:
        """What is known of the error at one strength, in a sentence."""
        if self.exact:
            return "It is exact up to rounding."
        if np.isnan(self.error[place]):
            return "Its error is not known: no row was refitted at random, or a row's leverage is one."
        return (
            f"At alpha {self.alphas[place]:.4g} the exact mean less this one is {self.error[place]:.1e} "
            f"± {self.error_se[place]:.1e} by the refits; the mean's own standard error is {self.se[place]:.1e}."
        )

    @property
    def index_min(self) -> int:
        """Place of the lowest mean."""
        return self.find("min")

    @property
    def index_1se(self) -> int:
        """Place of the largest strength whose mean is within one standard error of the lowest."""
        return self.find("1se")

    def find(self, rule: str, allowed: Array | None = None) -> int:
        """Place that "min" or "1se" takes among `allowed` strengths (n_alphas,) bool.

        Raises
        ------
        ArgumentError
            If the approximation is not reliable there.
        """
        means = self.mean if allowed is None else np.where(allowed, self.mean, np.nan)
        if not np.isfinite(means).any():
            raise ArgumentError("leave-one-out can't choose: at every strength some row is not predicted by the others")
        best = lowest(means)
        if not self.reliable[best]:
            raise ArgumentError(
                f"approximate leave-one-out is not reliable at alpha {self.alphas[best]:.4g}, where its mean is "
                f"lowest. {self.trust(best)} Refit more rows with refits=..., all of them for an exact answer, or use "
                "cross_validate"
            )
        return best if rule == "min" else one_standard_error(means, self.se[best], self.alphas)

    def to_cross_validation(self) -> CrossValidation:
        """The same as a `CrossValidation` with one fold for each row of positive weight, for pictures and reports."""
        problem = self.path.problem
        weights = np.ones(self.scores.shape[1]) if problem is None else problem.weights
        used = np.flatnonzero(weights > 0)
        gaps = np.zeros((len(self.alphas), used.size))
        return CrossValidation.from_scores(self.alphas, self.scores[:, used], weights[used], self.path, gaps)


def leave_one_out(fitted: Path | CrossValidation, refits: int = 25, random_state: Any = 0) -> LeaveOneOut:
    r"""Predict every row by the fit to all others, at every strength of a path.

    The strength α is held, as `cross_validate` holds it: without row i the loss is the mean over the others, so the
    penalty's share of the sum is (1 - sᵢ/S) of what it was.

    - Ridge, squared errors: exact. yᵢ - η₋ᵢ = (yᵢ - ηᵢ) / (1 - hᵢ), with fit and leverage hᵢ at the strength
      (1 - sᵢ/S) α. One eigendecomposition of the smaller of rows and columns gives all rows and all strengths.
    - Lasso, elastic net and logistic fits: one Newton step from the fit to all rows,
      η₋ᵢ ≈ ηᵢ + Nᵢᵢ gᵢ / (1 - ωᵢ Nᵢᵢ), with the active columns held (Rad and Maleki). It errs where leaving a row out
      lets columns enter or leave, and for logistic fits where a row pulls hard. So some rows are really refitted, as
      columns of one computation: a fifth of `refits` are those of the highest leverage, the others are drawn at random,
      and these say how far the mean of all others is off.

    Parameters
    ----------
    fitted : Path or CrossValidation
        As `path` or `cross_validate` returned it.
    refits : int >= 0
        Rows to refit where the formula is approximate; as many as there are rows makes the answer exact. With 0 the
        error is not known and nothing is reliable.
    random_state : None, int or numpy.random.Generator
        Draws the rows to refit; a number the same ones again.

    Returns
    -------
    LeaveOneOut

    Raises
    ------
    ArgumentError
        If the path does not know its data, or ridge has more than 10,000 rows and columns both.
    DataError
        If an unpenalized column, or a class, rests on a single row.

    Notes
    -----
    A row of weight 2 is left out whole. With `standardize` the scales of all rows are kept, which folds of
    `cross_validate` compute anew. scikit-learn's `RidgeCV` leaves the penalty's share of the sum as it is: its scores
    at strength a are those at a / (n - 1) here, for rows of equal weight.

    The error is an estimate from few rows: with 60 rows, 15 or 100 columns and 25 refits the exact mean is within two
    of its standard errors in 89 to 95 % of cases (`python tests/leave_one_out_simulation.py` of the repository); where
    the record says reliable, the mean is off by a third of its own standard error or less in 95 %.

    Cost: ridge n·p·min(n, p) once, then n·min(n, p) for each strength; else for each strength n m² with m active
    columns, and as many paths as rows are refitted. With the default of 25 that is more than a 10-fold
    `cross_validate`: about seven paths' time on 500 rows of 5,000 columns.

    References
    ----------
    Allen (1974), Technometrics 16(1); Golub, Heath & Wahba (1979), Technometrics 21(2), equation 1.4. Approximate:
    Rad & Maleki (2020), J. R. Stat. Soc. B 82(4), theorem 1 and section 3.2, https://doi.org/10.1111/rssb.12374;
    Wang, Zhou, Lu, Maleki & Mirrokni (2018), https://arxiv.org/abs/1807.02694.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from shrinkage import cross_validate, path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> found = leave_one_out(path(X, y, l1_ratio=0, alphas=[1e-3, 1e-4]))
    >>> found.mean.round(2).tolist()
    [3102.62, 3001.61]
    >>> cross_validate(X, y, cv=len(y), l1_ratio=0, alphas=[1e-3, 1e-4]).mean.round(2).tolist()
    [3102.62, 3001.61]
    """
    path, problem = fitted_path(fitted, "leave-one-out scores")
    check_positive_int("refits", refits, 0)
    rng = random_generator(random_state)
    _check_classes(problem)
    used = np.flatnonzero(problem.weights > 0)
    if used.size < 2:
        raise DataError(f"leaving a row out needs two rows with a positive weight; got {used.size}")
    exact = path.l1_ratio == 0 and problem.loss.name == "squared"
    leverages = None
    if exact:
        eta = ridge_spectrum(problem, path.alphas).left_out(path.alphas)
    else:
        eta, leverages = newton_left_out(path)
    scores = row_loss(problem.loss).deviance(problem.y, eta)
    rows = np.zeros(0, np.int64)
    error, error_se = np.zeros(len(path.alphas)), np.zeros(len(path.alphas))
    if leverages is not None:
        rows, error, error_se = _refit(path, scores, leverages, used, int(refits), rng)
        exact = rows.size == used.size
    weights = problem.weights
    with np.errstate(invalid="ignore"):
        mean = scores[:, used] @ weights[used]
        se = np.sqrt((scores[:, used] - mean[:, None]) ** 2 @ weights[used] / (used.size - 1))
        reliable = np.isfinite(mean) & (np.abs(error) + 2 * error_se <= RELIABLE * se + np.where(exact, np.inf, 0.0))
    return LeaveOneOut(path.alphas, scores, eta, mean, se, exact, rows, error, error_se, reliable, path)


def _check_classes(problem: Problem) -> None:
    if problem.loss.name != "logistic":
        return
    counts = np.unique(problem.y[problem.weights > 0], return_counts=True)[1]
    if counts.min() < 2:
        raise DataError(f"y must hold two rows of each class to leave one out; the rarer has {counts.min()}")


def _refit(
    path: Path, scores: Array, leverages: Array, used: Array, refits: int, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Refit without some rows, put what they say into `scores`, and estimate the error that is left in the mean."""
    problem = path.problem
    assert problem is not None
    unknown = np.full(len(path.alphas), np.nan)
    if refits == 0:
        return np.zeros(0, np.int64), unknown, unknown
    pull = np.nan_to_num(leverages, nan=np.inf).mean(axis=0)
    n_sure = min(refits, used.size) if refits >= used.size else refits // 5
    sure = used[np.argsort(-pull[used], kind="stable")][:n_sure]
    others = np.setdiff1d(used, sure)
    drawn = rng.permutation(others)[: refits - n_sure]
    rows = np.concatenate([sure, drawn])
    everything = np.arange(problem.y.size)
    folds = [(np.delete(everything, row), np.array([row])) for row in rows]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        refitted = solve_folds(problem, path.alphas, folds, False, 1e-9).scores
    wrong = problem.weights[drawn] * (refitted[:, n_sure:] - scores[:, drawn])
    scores[:, rows] = refitted
    left = others.size - drawn.size
    if left == 0:
        return np.sort(rows), np.zeros(len(path.alphas)), np.zeros(len(path.alphas))
    if drawn.size < 2:
        return np.sort(rows), unknown, unknown
    error_se = _pooled(wrong.std(axis=1, ddof=1)) * left * np.sqrt(1 / drawn.size + 1 / left)
    return np.sort(rows), left * wrong.mean(axis=1), error_se


def _pooled(spread: Array) -> Array:
    """Root mean square over neighboring strengths.

    A column enters or leaves in few rows, in others at the next strength: a draw of rows may miss them at one strength,
    and hardly at all of them.
    """
    width = max(2, len(spread) // 20)
    windows = [spread[max(0, t - width) : t + width + 1] for t in range(len(spread))]
    squares = [w[np.isfinite(w)] ** 2 for w in windows]
    return np.array(
        [np.sqrt(s.mean()) if s.size and np.isfinite(x) else np.nan for s, x in zip(squares, spread, strict=True)]
    )
