"""What a user gives for several responses, as one `Problem`, and the records of its path and its folds."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from scipy import sparse

from shrinkage._check import check_boolean, check_fraction, check_positive, weight_vector
from shrinkage._errors import ArgumentError
from shrinkage._path._bounds import factors_and_excluded, limit_vectors
from shrinkage._path._folds import check_folds, fold_rows
from shrinkage._path._record import Path
from shrinkage._path._statement import grid
from shrinkage.design import DenseDesign, ResponsesDesign, as_design
from shrinkage.losses import Squared
from shrinkage.penalties import L2, GroupBox, GroupL2
from shrinkage.problem import Problem, class_offset
from shrinkage.solvers import FoldColumns, column_scale, solve_folds


def are_responses(y: Any, loss: Any) -> bool:
    """Whether y has several columns, for the squared loss."""
    shape = np.shape(y)
    squared = isinstance(loss, Squared) or (isinstance(loss, str) and loss == "squared")
    return squared and len(shape) == 2 and shape[1] > 1


@dataclass(frozen=True, eq=False)
class Responses:
    """Several responses side by side: a problem of alpha 1 whose objective is a K-th of theirs.

    Attributes
    ----------
    problem : Problem on a `ResponsesDesign`
    kept : ndarray of int
        The columns that are not excluded, of `n_features`.
    l1_ratio : float
    """

    problem: Problem
    kept: np.ndarray
    n_features: int
    l1_ratio: float
    names: tuple[str, ...] | None

    @property
    def K(self) -> int:
        """How many responses there are."""
        return cast(Any, self.problem.design).responses

    def solve(self, wanted: tuple, dealt: tuple | None, standardize: bool, tol: float) -> tuple[FoldColumns, list]:
        """Paths at strengths as (alphas, n_alphas, alpha_min_ratio), with folds (cv, groups or rows themselves)."""
        check_positive("tol", tol)
        if self.l1_ratio == 0:
            raise ArgumentError("l1_ratio must be > 0 for a path of several responses; 0 is RidgeCV for each of them")
        K, folds = self.K, []
        if dealt is not None:
            rows = fold_rows(dealt[0], self.problem.y.reshape(-1, K)[:, 0], False, groups=dealt[1])
            own = [tuple((K * part[:, None] + np.arange(K)).ravel() for part in fold) for fold in rows]
            folds = check_folds(cast(Any, own), self.problem)
        alphas, n_alphas, least = wanted
        strengths = grid(alphas, n_alphas, least, 1.0)
        strengths = strengths if callable(strengths) else strengths / K
        return solve_folds(self.problem, strengths, folds, standardize, tol), folds

    def path(self, found: FoldColumns) -> Path:
        """The record of the fits on all rows, in the unit of the documented objective."""
        columns, K, p = found.path, self.K, len(self.kept)
        coefs = sparse.coo_array(columns.coefs)
        on = coefs.row < p * K
        rows = (coefs.row[on] % K) * self.n_features + self.kept[coefs.row[on] // K]
        own = sparse.csc_array(
            sparse.coo_array((coefs.data[on], (rows, coefs.col[on])), shape=(K * self.n_features, len(columns.alphas)))
        )
        own.sort_indices()
        levels = columns.coefs[p * K :].toarray() if cast(Any, self.problem.design).intercept else None
        levels = np.zeros((K, len(columns.alphas))) if levels is None else levels
        levels = levels if K > 1 else levels[0]
        return Path(
            K * columns.alphas, own, levels, K * columns.gaps, K * columns.kkt, columns.status, columns.n_passes,
            K * self.problem.null.objective, Squared(), self.l1_ratio, None, self.names,
            has_offset=self.problem.offset is not None and bool(np.any(self.problem.offset)),
        )  # fmt: skip

    def parted(self, coef: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (K, n_features) and intercepts (K,)."""
        K, p = self.K, len(self.kept)
        coefs = np.zeros((K, self.n_features))
        coefs[:, self.kept] = coef[: p * K].reshape(p, K).T
        return coefs, (coef[p * K :] if cast(Any, self.problem.design).intercept else np.zeros(K))

    def fold_weights(self, folds: list) -> np.ndarray:
        """(n_folds,) sums of the sample weights held out."""
        weights, K = self.problem.sample_weight, self.K
        return np.array([len(test) / K if weights is None else weights[test].sum() / K for _, test in folds])


def state_responses(
    X, y, l1_ratio, fit_intercept, standardize, sample_weight, offset, penalty_factor, lower, upper, positive
) -> Responses:
    """The problem that the arguments state; y (n_samples, K)."""
    check_boolean("standardize", standardize)
    check_boolean("fit_intercept", fit_intercept)
    check_fraction("l1_ratio", l1_ratio)
    base: Any = as_design(X)
    n, n_features = base.shape
    y = np.asarray(y, dtype=np.float64)
    if y.ndim != 2 or len(y) != n:
        raise ArgumentError(f"y must have shape ({n}, n_responses); got {y.shape}: y[:, None] makes one response")
    if not np.isfinite(y).all():
        row = int(np.argmin(np.isfinite(y).all(axis=1)))
        raise ArgumentError(f"y must be finite; row {row} is {y[row].tolist()}")
    shift = None if offset is None else class_offset(offset, y.shape).ravel()
    factors, excluded = factors_and_excluded(penalty_factor, n_features)
    factors = np.ones(n_features) if factors is None else factors
    limits = limit_vectors(n_features, lower, upper, positive)
    kept, names = np.arange(n_features), base.feature_names
    if excluded is not None:
        kept = np.flatnonzero(~excluded)
        base = _picked(base, kept)
    K, first = y.shape[1], int(fit_intercept)
    penalty = _penalty(float(l1_ratio), factors[kept], K, first)
    low, high = (np.repeat(np.append(bound[kept], np.full(first, np.inf)), K) for bound in limits)
    low[len(low) - first * K :] = -np.inf
    if np.isfinite(low).any() or np.isfinite(high).any():
        penalty = GroupBox(penalty, low, high)
    weights = None if sample_weight is None else weight_vector("sample_weight", sample_weight, n)
    scale = None
    if standardize:
        own = None if weights is None else np.asfortranarray(weights[:, None])
        scale = np.repeat(np.append(column_scale(base, own)[:, 0], np.ones(first)), K)
    weights = None if weights is None else np.repeat(weights, K)
    design: Any = ResponsesDesign(base, K, fit_intercept)
    problem = Problem(design, y.ravel(), Squared(), penalty, weights, shift, False, scale)
    return Responses(problem, kept, n_features, float(l1_ratio), names)


def _penalty(ratio: float, factors: np.ndarray, K: int, first: int) -> Any:
    groups = [range(j * K, (j + 1) * K) for j in range(len(factors))]
    group = GroupL2(ratio, groups, weights=factors)
    return group if ratio == 1 else L2(1.0 - ratio, np.repeat(np.append(factors, np.zeros(first)), K)) + group


def _picked(base: Any, kept: np.ndarray) -> Any:
    """The design of some columns."""
    if isinstance(base, DenseDesign):
        return DenseDesign(base.values[:, kept])
    if not base.is_sparse:
        raise ArgumentError("penalty_factor must be finite for several responses of X in blocks; got inf")
    starts, rows, values = base.csc()
    return as_design(sparse.csc_array((values, rows, starts), shape=base.shape)[:, kept])


def refuse_for_responses(penalty: Any, stop: Any) -> None:
    """Refuse what a path of several responses does not take."""
    if penalty is not None:
        raise ArgumentError("several responses take l1_ratio and penalty_factor, no penalty: rows are its groups")
    if stop is not None:
        raise ArgumentError("stop must be None for several responses, whose path fits every strength it is given")
