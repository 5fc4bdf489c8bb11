"""What the evidence needs of the data: one eigendecomposition of the penalized columns, all else projected out."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from shrinkage._errors import ArgumentError, DataError

_BLOCK = 4_000_000
_RANK = 1e-14


@dataclass(frozen=True, eq=False)
class Reduced:
    """Rows scaled by √s, columns by their unit, with the intercept and the free columns projected out of both.

    A = diag(√s) (X - projection) / unit has the singular values √`squares` and the right singular vectors `right`; c
    are the coordinates of the response along the left ones and `rest` the square of what they leave.

    Attributes
    ----------
    problem : Problem
    penalized : ndarray of shape (p,), integer
    unit : ndarray of shape (p,)
        Coefficients that the prior measures are unit ∘ w.
    squares : ndarray of shape (m,), > 0
    c : ndarray of shape (m,)
    rest : float
    right : ndarray of shape (p, m)
    total : float
        S, the sum of the weights.
    freedom : float
        S minus the number of free directions.
    log_free : float
        ½ log det Zᵀ diag(s) Z of the free columns Z, with the intercept.
    """

    problem: Any
    penalized: np.ndarray
    unit: np.ndarray
    squares: np.ndarray
    c: np.ndarray
    rest: float
    right: np.ndarray
    total: float
    freedom: float
    log_free: float

    @cached_property
    def columns(self) -> np.ndarray:
        """A in the coordinates of its left singular vectors, shape (m, p)."""
        return np.sqrt(self.squares)[:, None] * self.right.T

    @property
    def spread(self) -> float:
        """Square of the response that the free columns leave."""
        return self.rest + float(self.c @ self.c)

    def coefficients(self, v: np.ndarray) -> tuple[np.ndarray, float]:
        """Coefficients (n_features,) and intercept in the raw units of X, of v = unit ∘ w."""
        problem = self.problem
        w = np.zeros(problem.design.shape[1])
        w[self.penalized] = v / self.unit
        left = problem.y - problem.linear_predictor(w, 0.0)
        Q, T = problem.free_block
        d = Q.T @ (problem.weights * left)
        d = d + Q.T @ (problem.weights * (left - Q @ d))
        free = T @ d
        w[problem.unpenalized] = free[int(problem.fit_intercept) :]
        return w, float(free[0]) if problem.fit_intercept else 0.0


def reduce(problem: Any, power: int) -> Reduced:
    """The reduced data of a squared-loss problem whose prior measures f^(1/power) scale ∘ w.

    Costs n p min(n, p) flops and an eigendecomposition of min(n, p) rows; no copy of X is held.

    Raises
    ------
    DataError
        If free columns depend on each other, or leave no row over.
    """
    total, weights = rows(problem)
    Q, log_free = free_directions(problem, weights)
    freedom = total - Q.shape[1]
    if not freedom > 0:
        raise DataError(
            f"the evidence needs more rows than free columns, the intercept with them; got {total:g} and {Q.shape[1]}"
        )
    penalized, unit = measured(problem, power)
    root = np.sqrt(weights)
    start = np.zeros(len(weights)) if problem.offset is None else problem.offset
    target = root * (problem.y - start)
    basis = root[:, None] * Q
    for _ in range(2):
        target = target - basis @ (basis.T @ target)
    squares, right, left = _decompose(problem.design, penalized, unit, root, basis)
    c = left.T @ target
    rest = target - left @ c
    return Reduced(
        problem, penalized, unit, squares, c, float(rest @ rest), right, total, freedom, log_free
    )  # fmt: skip


def rows(problem: Any) -> tuple[float, np.ndarray]:
    """S and the weights of the rows, not divided by S."""
    n_samples = problem.design.shape[0]
    weights = np.ones(n_samples) if problem.sample_weight is None else problem.sample_weight
    return float(weights.sum()), weights


def free_directions(problem: Any, curvature: np.ndarray) -> tuple[np.ndarray, float]:
    """Q with Qᵀ diag(curvature) Q = I over the free columns Z with the intercept, and ½ log det Zᵀ diag(curvature) Z.

    Raises
    ------
    DataError
        If the free columns depend on each other: their flat prior then has no evidence.
    """
    Q, T = problem.free_block
    if T.shape[0] != T.shape[1]:
        raise DataError(
            f"columns without a penalty have flat priors, and the evidence needs them to be independent; {T.shape[0]} "
            f"of them with the intercept have rank {T.shape[1]}: leave some out"
        )
    if not Q.shape[1]:
        return Q, 0.0
    root = np.sqrt(curvature)[:, None]
    orthonormal, R = np.linalg.qr(root * Q)
    log_free = float(np.log(np.abs(np.diag(R))).sum() - np.linalg.slogdet(T)[1])
    return np.divide(orthonormal, root, out=np.zeros_like(orthonormal), where=root > 0), log_free


def measured(problem: Any, power: int) -> tuple[np.ndarray, np.ndarray]:
    """The penalized columns, and f^(1/power) scale of each."""
    n_features = problem.design.shape[1]
    penalized = np.setdiff1d(np.arange(n_features), problem.unpenalized)
    if not penalized.size:
        raise ArgumentError(
            "the evidence needs at least one column with a penalty; all have factor 0 or are in no group"
        )
    factors = np.ones(n_features) if problem.penalty.factors is None else np.asarray(problem.penalty.factors)
    unit = factors ** (1.0 / power) * (1.0 if problem.scale is None else problem.scale)
    return penalized, unit[penalized]


def _decompose(design: Any, penalized: np.ndarray, unit: np.ndarray, root: np.ndarray, basis: np.ndarray) -> Any:
    """Squared singular values of A above rounding, its right (p, m) and its left (n, m) singular vectors."""
    n, p = len(root), len(penalized)
    width = max(8, _BLOCK // n)
    starts = range(0, p, width)
    means = design.column_moments(np.asfortranarray((root**2)[:, None]))[0][:, 0]

    def block(start: int) -> np.ndarray:
        some = penalized[start : start + width]
        out = np.empty((n, some.size), order="F")
        # Measured from the mean first: the projection alone would cancel in columns far from 0.
        shift = means[some] if basis.shape[1] and _has_ones(basis, root) else np.zeros(some.size)
        design.gather(some, shift, root, out)
        for _ in range(2):
            out -= basis @ (basis.T @ out)
        out /= unit[start : start + width]
        return out

    gram = np.zeros((min(n, p),) * 2)
    for start in starts:
        here = block(start)
        if n < p:
            gram += here @ here.T
        else:
            for other in range(0, start + 1, width):
                there = here if other == start else block(other)
                gram[start : start + width, other : other + width] = here.T @ there
    values, vectors = np.linalg.eigh(gram)  # of the lower triangle
    kept = values > _RANK * max(n, p) * max(values[-1], 0.0)
    values, vectors = values[kept], vectors[:, kept]
    other_side = np.empty((max(n, p), values.size))
    if n < p:
        for start in starts:
            other_side[start : start + width] = block(start).T @ vectors
        return values, other_side / np.sqrt(values), vectors
    other_side[:] = 0.0
    for start in starts:
        other_side += block(start) @ vectors[start : start + width]
    return values, vectors, other_side / np.sqrt(values)


def _has_ones(basis: np.ndarray, root: np.ndarray) -> bool:
    """Whether the projection takes out a constant."""
    left = root - basis @ (basis.T @ root)
    return bool(left @ left <= 1e-20 * (root @ root))
