"""Fits without penalty on chosen columns: unique where they are, of least norm or least penalty where they are not."""

from dataclasses import replace
from enum import Enum

import numpy as np
from scipy.linalg import cho_solve, get_lapack_funcs, solve_triangular
from scipy.optimize import linprog

from shrinkage.design import as_design
from shrinkage.penalties import L1L2
from shrinkage.problem import Problem, free_block, minimize_free, row_loss
from shrinkage.solvers import solve_path

WELL_CONDITIONED = 1e-8
"""Least reciprocal condition number of a Gram matrix that normal equations, refined once, are trusted with."""
KEPT_PENALTY = 0.01
"""Share of the strength that a separated refit keeps."""
MOST_SHARED = 3000
"""Up to this many columns the products of all are kept; above, those of each subset are made anew."""
_FAR = 20.0
_NEWTON_TOL = 1e-20


class RefitStatus(Enum):
    """What kind of answer a refit without penalty is; the value is a sentence."""

    UNIQUE = "the refit is the only one"
    DEPENDENT = "columns depend on each other: of all refits this has the least norm, in standard units"
    SATURATED = "as many columns as rows: the refit passes through every response"
    SEPARATED = f"the columns separate the classes, no refit exists: this keeps {KEPT_PENALTY:g} of the strength"


class Refitter:
    """Refits of one problem on subsets of some columns, which are gathered once.

    Parameters
    ----------
    problem : Problem
        Its weights, offset, intercept and loss; the penalty where classes are separated.
    features : ndarray of shape (u,), integer
        The columns that any subset names. Memory: 8 n u bytes.
    """

    def __init__(self, problem: Problem, features: np.ndarray):
        self._problem, self.features = problem, np.asarray(features, dtype=np.int64)
        weights = np.asfortranarray(problem.weights[:, None])
        means = problem.design.column_moments(weights)[0][self.features, 0] if problem.fit_intercept else None
        self._means = np.zeros(len(features)) if means is None else np.ascontiguousarray(means)
        n = problem.design.shape[0]
        whole = problem.design.gather(self.features, self._means, None, np.empty((n, len(features)), order="F"))
        self._rows = np.flatnonzero(problem.weights > 0)
        self._columns = np.asfortranarray(whole[self._rows])
        self._weights = problem.weights[self._rows]
        self._y = problem.y[self._rows]
        self._start = np.zeros(len(self._rows)) if problem.offset is None else problem.offset[self._rows]
        self._squared = problem.loss.name == "squared"
        self._gram = self._products(np.arange(len(features))) if len(features) <= MOST_SHARED else None
        self._separated: list[np.ndarray] = []

    def fit(self, chosen: np.ndarray) -> tuple[np.ndarray, float, RefitStatus]:
        """Coefficients (m,) of the columns features[chosen], the intercept, and the kind of answer.

        For SEPARATED they are of no use: `keep_penalty` answers then.
        """
        nothing = np.zeros(len(chosen)), 0.0, RefitStatus.SEPARATED
        mine = np.zeros(len(self.features), bool)
        mine[chosen] = True
        if any(mine[known].all() for known in self._separated):
            return nothing  # more columns separate too
        X = self._columns[:, chosen]
        factor, lengths = self._factor(chosen)
        if factor is not None and self._squared:
            coef, intercept = self._least_squares(X, factor, lengths)
            return coef, intercept - float(self._means[chosen] @ coef), self._kind(len(chosen), len(chosen))
        Q, T = self._basis(X, factor, lengths)
        d, eta = self._minimize(Q)
        if not self._squared and self._is_separated(Q, eta):
            self._separated.append(np.asarray(chosen))
            return nothing
        coef = T @ d
        free = int(self._problem.fit_intercept)
        intercept = float(coef[0]) - float(self._means[chosen] @ coef[1:]) if free else 0.0
        return coef[free:], intercept, self._kind(len(chosen), Q.shape[1] - free)

    def keep_penalty(self, chosen: np.ndarray, alphas: np.ndarray, tol: float) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (m, n_alphas) and intercepts with 0.01 of the penalty kept, on the columns alone.

        The relaxed lasso of Meinshausen (2007, eq. 2) with φ = 0.01: finite where the classes are separated.
        """
        problem, places = self._problem, self.features[chosen]
        n = problem.design.shape[0]
        raw = problem.design.gather(places, np.zeros(len(places)), None, np.empty((n, len(places)), order="F"))
        factors = None if problem.penalty.factors is None else np.asarray(problem.penalty.factors)[places]
        part = replace(
            problem,
            design=as_design(raw),
            penalty=L1L2(1.0, float(problem.penalty.l1_ratio), factors),
            scale=None if problem.scale is None else problem.scale[places],
        )
        found = solve_path(part, KEPT_PENALTY * alphas, tol)
        return found.coefs.toarray(), found.intercepts

    def _kind(self, n_columns: int, rank: int) -> RefitStatus:
        if rank < n_columns:
            return RefitStatus.DEPENDENT
        full = rank + int(self._problem.fit_intercept) >= len(self._rows)
        return RefitStatus.SATURATED if full else RefitStatus.UNIQUE

    def _products(self, chosen: np.ndarray) -> np.ndarray:
        X = self._columns[:, chosen]
        return X.T @ (self._weights[:, None] * X)

    def _factor(self, chosen: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
        """Cholesky factor of the columns' products, brought to unit length; None where that is ill-conditioned."""
        if not len(chosen) or len(chosen) >= len(self._rows):
            return None, np.zeros(0)
        gram = self._products(chosen) if self._gram is None else self._gram[np.ix_(chosen, chosen)]
        lengths = np.sqrt(np.diag(gram))
        if not (lengths > 0).all():
            return None, lengths
        unit = gram / np.outer(lengths, lengths)
        potrf, pocon = get_lapack_funcs(("potrf", "pocon"), (unit,))
        factor, trouble = potrf(unit, lower=0, clean=1)
        if trouble or pocon(factor, float(np.abs(unit).sum(axis=0).max()))[0] < WELL_CONDITIONED:
            return None, lengths
        return factor, lengths

    def _least_squares(self, X: np.ndarray, factor: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, float]:
        """Normal equations, refined from the residuals; columns are centered, so the intercept stands alone."""
        left = self._y - self._start
        intercept = float(self._weights @ left) if self._problem.fit_intercept else 0.0
        left = left - intercept
        coef = np.zeros(X.shape[1])
        for _ in range(2):
            coef += cho_solve((factor, False), (X.T @ (self._weights * (left - X @ coef))) / lengths) / lengths
        return coef, intercept

    def _basis(self, X: np.ndarray, factor: np.ndarray | None, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Q = [1, X] T with Qᵀ diag(weights) Q = I."""
        ones = np.ones((len(self._rows), int(self._problem.fit_intercept)))
        if factor is None:
            return free_block(np.hstack([ones, X]), self._weights, self._problem.fit_intercept)
        T = solve_triangular(factor, np.eye(len(factor))) / lengths[:, None]
        free = ones.shape[1]
        whole = np.zeros((free + len(factor), free + len(factor)))
        whole[:free, :free], whole[free:, free:] = 1.0, T
        return np.hstack([ones, X @ T]), whole

    def _minimize(self, Q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if not self._squared:
            return minimize_free(row_loss(self._problem.loss), self._y, self._start, Q, self._weights, _NEWTON_TOL)
        left = self._y - self._start
        d = Q.T @ (self._weights * left)
        d = d + Q.T @ (self._weights * (left - Q @ d))
        return d, self._start + Q @ d

    def _is_separated(self, Q: np.ndarray, eta: np.ndarray) -> bool:
        """Whether some combination of the columns is >= 0 in one class, <= 0 in the other, and not 0 everywhere.

        Albert & Anderson (1984), Biometrika 71(1): then, and only then, the likelihood has no maximum. Newton's
        steps run far in that case; only where they did is the linear program asked.
        """
        moved = eta - self._start
        if np.abs(moved).max(initial=0.0) < _FAR:
            return False
        signs = np.where(self._y > 0, 1.0, -1.0)
        if (moved * signs > 0).all():
            return True
        agreed = signs[:, None] * Q
        n, r = agreed.shape
        found = linprog(
            -agreed.sum(axis=0),
            A_ub=np.vstack([-agreed, agreed]),
            b_ub=np.concatenate([np.zeros(n), np.ones(n)]),
            bounds=[(None, None)] * r,
            method="highs",
        )
        return bool(found.status == 0 and -found.fun > 0.5)
