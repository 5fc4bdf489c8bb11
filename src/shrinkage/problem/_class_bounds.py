"""Bounds on the coefficients of several classes: the penalty of all of them, and its dual points."""

from typing import Any

import numpy as np

from shrinkage.penalties import L1L2, L2, Box, GroupBox, GroupL2
from shrinkage.problem._bounded import bounded_dual, held_by_one_bound, measured, without_bounds
from shrinkage.problem._class_dual import balance_classes, minimize_free_classes
from shrinkage.problem._dual import free_block


def class_box(penalty: Any, alpha: float, scale: Any, shape: tuple[int, int], grouped: bool = False) -> Any:
    """The penalty of scale ∘ W for W (n_features, K) in C order: each feature's own, once for every class."""
    p, K = shape
    factors = np.ones(p) if penalty.factors is None else np.asarray(penalty.factors, dtype=np.float64)
    lower, upper = (np.repeat(np.broadcast_to(bound, (p,)), K) for bound in (penalty.lower, penalty.upper))
    ratio = float(penalty.l1_ratio)
    if grouped and ratio > 0:
        inner: Any = GroupL2(alpha * ratio, [range(j * K, (j + 1) * K) for j in range(p)], weights=factors)
        inner = inner if ratio == 1 else L2(alpha * (1.0 - ratio), np.repeat(factors, K)) + inner
        box: Any = GroupBox(inner, lower, upper)
    else:
        box = Box(L1L2(alpha, ratio, np.repeat(factors, K)), lower, upper)
    return measured(box, None if scale is None else np.repeat(np.asarray(scale), K))


def class_violation(box: Any, V: np.ndarray, z: np.ndarray) -> np.ndarray:
    """(n_features, K) distances from z to the subdifferential at V."""
    return np.asarray(box.violation(V.ravel(), z.ravel())).reshape(V.shape)


def bounded_class_dual(problem: Any, box: Any, V: np.ndarray, eta: np.ndarray) -> tuple[Any, ...]:
    """A dual point u (n_samples, K) near that of η, correlations, a multiple c <= 1 and the conjugate, finite there.

    A feature that nothing but one bound holds is as a free one, for which u is balanced too: adding a number to all
    its coefficients changes no probability, and takes them off their bound.
    """
    one_sided = held_by_one_bound(problem.penalty, len(V))
    Q = problem.free_block[0]
    features = np.flatnonzero(one_sided)
    if features.size:
        columns = problem.design.combine(features, np.asfortranarray(np.eye(features.size)))
        length = np.sqrt(problem.weights @ (columns * columns))
        Q = np.hstack([Q, columns / np.where(length > 0, length, 1.0)])
        if Q.shape[1] >= len(Q):  # more columns than rows are as many as their rank
            Q = free_block(Q, problem.weights, problem.fit_intercept)[0]
        box = without_bounds(box, np.repeat(one_sided, V.shape[1]))
    near = minimize_free_classes(problem.y, eta, Q, problem.weights)[1]
    u = balance_classes(problem.y, near, Q, problem.weights)
    z = problem._correlate(-u)
    z[problem.free] = 0.0
    z[features] = 0.0
    return u, z.ravel(), *bounded_dual(box, z.ravel(), 0.0)
