"""Cross-validation over the plane of strengths and mixes of L1 and L2."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shrinkage._check import check_fraction, check_positive
from shrinkage._errors import ArgumentError, MissingExtraError
from shrinkage._path import CrossValidation, check_folds, finish, fold_rows, grid, refuse_bounds, state, warn_missed
from shrinkage.penalties import L1L2
from shrinkage.solvers import solve_ratios

DEFAULT = (0.1, 0.5, 0.7, 0.9, 0.95, 0.99, 1.0)


@dataclass(frozen=True, eq=False, repr=False)
class L1RatioCrossValidation:
    """Held-out errors over l1_ratio and alpha, on the same folds, and the choices in the plane.

    Attributes
    ----------
    l1_ratios : ndarray of shape (n_ratios,)
    by_ratio : tuple of CrossValidation
        One for each l1_ratio, with its strengths, scores, errors and path.
    ratio_index_min, index_min : int
        Place of the lowest mean of the plane: of its l1_ratio, and of its strength.
    l1_ratio_min, alpha_min : float
    ratio_index_1se, index_1se : int
        Among all points whose mean is within one standard error of the lowest, the one with the fewest non-zero
        coefficients (of these the one of lowest mean, then of largest l1_ratio).
    l1_ratio_1se, alpha_1se : float
    """

    l1_ratios: np.ndarray
    by_ratio: tuple[CrossValidation, ...]
    ratio_index_min: int
    index_min: int
    ratio_index_1se: int
    index_1se: int

    @classmethod
    def from_ratios(cls, l1_ratios: np.ndarray, by_ratio: tuple[CrossValidation, ...]) -> "L1RatioCrossValidation":
        """Choose in the plane."""
        lows = [float(cv.mean[cv.index_min]) for cv in by_ratio]
        best = int(np.argmin(lows))
        at = by_ratio[best].index_min
        limit = lows[best] + float(np.nan_to_num(by_ratio[best].se[at]))
        near = [
            (int(cv.path.n_nonzero[t]), float(cv.mean[t]), -float(l1_ratios[r]), r, int(t))
            for r, cv in enumerate(by_ratio)
            for t in np.flatnonzero(cv.mean <= limit)
        ]
        simplest = min(near)
        return cls(l1_ratios, by_ratio, best, at, simplest[3], simplest[4])

    @property
    def l1_ratio_min(self) -> float:
        """The l1_ratio of the lowest mean."""
        return float(self.l1_ratios[self.ratio_index_min])

    @property
    def alpha_min(self) -> float:
        """The strength of the lowest mean."""
        return float(self.by_ratio[self.ratio_index_min].alphas[self.index_min])

    @property
    def l1_ratio_1se(self) -> float:
        """The l1_ratio of the simplest model within one standard error."""
        return float(self.l1_ratios[self.ratio_index_1se])

    @property
    def alpha_1se(self) -> float:
        """The strength of the simplest model within one standard error."""
        return float(self.by_ratio[self.ratio_index_1se].alphas[self.index_1se])

    def to_frame(self) -> Any:
        """One row per point of the plane, in pandas: l1_ratio, alpha, mean, se, n_nonzero."""
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtraError("L1RatioCrossValidation.to_frame needs pandas: pip install pandas") from error
        tables = [
            pd.DataFrame(
                {"l1_ratio": ratio, "alpha": cv.alphas, "mean": cv.mean, "se": cv.se, "n_nonzero": cv.path.n_nonzero}
            )
            for ratio, cv in zip(self.l1_ratios, self.by_ratio, strict=True)
        ]
        return pd.concat(tables, ignore_index=True)

    def __repr__(self) -> str:
        return (
            f"<L1RatioCrossValidation: {len(self.l1_ratios)} l1_ratios from {self.l1_ratios.min():g} to "
            f"{self.l1_ratios.max():g}; min at l1_ratio {self.l1_ratio_min:g}, alpha {self.alpha_min:.4g}; 1-SE at "
            f"l1_ratio {self.l1_ratio_1se:g}, alpha {self.alpha_1se:.4g}>"
        )

    def __str__(self) -> str:
        best, simple = self.by_ratio[self.ratio_index_min], self.by_ratio[self.ratio_index_1se]
        mean, se = best.mean[self.index_min], best.se[self.index_min]
        lines = [
            f"min: l1_ratio = {self.l1_ratio_min:g}, alpha = {self.alpha_min:.4g}: the lowest error of the plane, "
            f"{mean:.4g} ± {se:.2g}, with {best.path.n_nonzero[self.index_min]:,} non-zero coefficients.",
            f"1se: l1_ratio = {self.l1_ratio_1se:g}, alpha = {self.alpha_1se:.4g}: the fewest non-zero coefficients, "
            f"{simple.path.n_nonzero[self.index_1se]:,}, within one standard error of it, at "
            f"{simple.mean[self.index_1se]:.4g}.",
        ]
        lows = np.array([cv.mean[cv.index_min] for cv in self.by_ratio])
        alike = self.l1_ratios[lows <= mean + np.nan_to_num(se)]
        lines.append(
            f"{len(alike)} of {len(lows)} l1_ratios reach within one standard error of the lowest error: "
            + ", ".join(f"{ratio:g}" for ratio in alike)
            + "."
        )
        return "\n".join(lines)


def cross_validate_l1_ratio(
    X: ArrayLike,
    y: ArrayLike,
    l1_ratios: ArrayLike = DEFAULT,
    cv: Any = 10,
    groups: ArrayLike | None = None,
    loss: str = "squared",
    alphas: ArrayLike | None = None,
    n_alphas: int = 100,
    alpha_min_ratio: float = 1e-3,
    fit_intercept: bool = True,
    standardize: bool = False,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    penalty_factor: ArrayLike | None = None,
    tol: float = 1e-6,
) -> L1RatioCrossValidation:
    """Cross-validate l1_ratio and alpha together, on one set of folds and one Gram matrix.

    Parameters
    ----------
    X, y, loss, n_alphas, alpha_min_ratio, fit_intercept, standardize, sample_weight, offset, penalty_factor, tol
        As `cross_validate`.
    l1_ratios : array-like of float in [0, 1]
        The default is denser near the lasso, where models change fastest.
    cv, groups
        As `cross_validate`: a number of folds is not shuffled.
    alphas : array-like, optional
        Strengths for every l1_ratio. None gives each a grid of its own, from its own alpha_max.

    Returns
    -------
    L1RatioCrossValidation

    Raises
    ------
    ArgumentError, DataError
        As `cross_validate`.

    Warns
    -----
    ConvergenceWarning
        If a fit missed `tol`.

    Notes
    -----
    Each l1_ratio is what `cross_validate` gives for it, to the certificate. Squared loss: the columns that one has
    needed and their Gram matrix, or the moments of all columns, serve the others; logistic: the columns do. Ridge
    (0) is solved by its own eigendecomposition. Strengths of different l1_ratios are not comparable, so that the 1-SE
    rule asks for the fewest coefficients rather than for the largest strength; for a single l1_ratio on a lasso path
    whose support only grows they are the same. scikit-learn's ElasticNetCV takes the same minimum.

    References
    ----------
    Zou & Hastie (2005), J. R. Statist. Soc. B 67(2), section 3.4, https://doi.org/10.1111/j.1467-9868.2005.00503.x.

    Examples
    --------
    >>> from shrinkage.datasets import load_diabetes
    >>> data = load_diabetes()
    >>> plane = cross_validate_l1_ratio(data.X, data.y, l1_ratios=[0.5, 1.0], cv=5, n_alphas=30)
    >>> [cv.scores.shape for cv in plane.by_ratio]
    [(30, 5), (30, 5)]
    >>> plane.l1_ratio_min in (0.5, 1.0)
    True
    """
    ratios = _checked(l1_ratios)
    problem, classes = state(X, y, loss, 1.0, fit_intercept, standardize, sample_weight, offset, penalty_factor, None)
    refuse_bounds(problem, "the choice of l1_ratio")
    check_positive("tol", tol)
    folds = fold_rows(cv, problem.y, problem.loss.name == "logistic", groups=groups)
    folds = check_folds(folds, problem)
    grids = [grid(alphas, n_alphas, alpha_min_ratio, ratio) for ratio in ratios]
    results = solve_ratios(problem, ratios.tolist(), grids, folds, standardize, tol)
    weights = np.ones(len(problem.y)) if problem.sample_weight is None else problem.sample_weight
    held_out = np.array([weights[test].sum() for _, test in folds])
    found = []
    for ratio, result in zip(ratios, results, strict=True):
        stated = problem.with_penalty(L1L2(1.0, float(ratio), problem.penalty.factors))
        fitted = finish(stated, result.path, classes)
        warn_missed(fitted, result.gaps, tol, stacklevel=2)
        found.append(CrossValidation.from_scores(fitted.alphas, result.scores, held_out, fitted, result.gaps))
    return L1RatioCrossValidation.from_ratios(ratios, tuple(found))


def _checked(l1_ratios: ArrayLike) -> np.ndarray:
    if np.ndim(l1_ratios) != 1 or not np.size(l1_ratios):
        raise ArgumentError(f"l1_ratios must be a non-empty vector; got shape {np.shape(l1_ratios)}")
    for ratio in np.asarray(l1_ratios).tolist():
        check_fraction("l1_ratios", ratio)
    ratios = np.asarray(l1_ratios, dtype=np.float64)
    if len(np.unique(ratios)) < len(ratios):
        raise ArgumentError(f"l1_ratios must differ from each other; got {ratios.tolist()}")
    return ratios
