"""Many subsamples of the rows, each with its own path, as columns of the same computation."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from shrinkage.problem import Problem
from shrinkage.solvers._batches import Certified, Driver
from shrinkage.solvers._engine import driver_of
from shrinkage.solvers._preparation import center_full_columns
from shrinkage.solvers._scale import column_scale

Watch = Callable[[int, np.ndarray, np.ndarray], bool]
STAGES = (0.2, 0.45, 1.0)  # shares of the grid after which moments ask whether that is enough


def solve_subsamples(
    problem: Problem, samples: list[np.ndarray], alphas: np.ndarray, standardize: bool, tol: float, watch: Watch
) -> np.ndarray:
    """Walk the path of every subsample down a grid, until `watch` has seen enough.

    Parameters
    ----------
    problem : Problem with l1_ratio > 0
        With `standardize`, each subsample uses the scale of its own rows.
    samples : list of index arrays
    alphas : ndarray of shape (n_alphas,), > 0, falling
    standardize : bool
    tol : float > 0
    watch : callable
        Called as watch(start, features, coefs) with certified coefficients of shape (m, n_samples, count), those of
        the features (m,) at the strengths from place `start` of the grid on; not to be kept or changed. Returns whether
        no more strengths are needed.

    Returns
    -------
    ndarray of shape (n_seen, n_samples)
        Relative duality gaps of the strengths that were solved.
    """
    problem, _ = center_full_columns(problem)
    nothing = np.zeros(0, np.int64)
    driver = driver_of(problem, [(rows, nothing) for rows in samples], standardize, tol)
    alphas = np.ascontiguousarray(alphas, dtype=np.float64)
    if isinstance(driver, Driver):
        driver.watch = lambda start, features, coefs: watch(start, features, coefs[:, 1:])
        return _gaps(driver.run(alphas))
    gaps = np.zeros((0, len(samples)))
    for share in STAGES:  # moments solve a whole path at a time: a short one first
        stop = max(1, round(share * len(alphas)))
        found, coefs = driver.run_fits(alphas[:stop])
        gaps = _gaps(found)
        if watch(0, driver.penalized, coefs.transpose(2, 0, 1)[:, 1:]):
            break
    return gaps


def first_strengths(problem: Problem, samples: list[np.ndarray], standardize: bool) -> np.ndarray:
    """(n_samples,) the smallest strength of each subsample at which no penalized coefficient is nonzero."""
    n, p = problem.design.shape
    weights = np.ones(n) if problem.sample_weight is None else problem.sample_weight
    own = np.zeros((n, len(samples)), order="F")
    theta = np.zeros((n, len(samples)), order="F")
    for k, rows in enumerate(samples):
        own[rows, k] = weights[rows]
        part = replace(problem, sample_weight=own[:, k])
        theta[:, k] = part.weights * part.loss.gradient(part.y, part.null.eta)
    scale = np.ones((p, 1)) if problem.scale is None else problem.scale[:, None]
    if standardize:
        scale = column_scale(problem.design, own, problem.fit_intercept)
    factors = np.ones(p) if problem.penalty.factors is None else np.asarray(problem.penalty.factors, dtype=float)
    penalized = factors > 0
    ratios = np.abs(problem.design.correlate(theta))[penalized] / (factors[:, None] * scale)[penalized]
    return ratios.max(axis=0, initial=0.0) / float(problem.penalty.l1_ratio)


def _gaps(found: Certified) -> np.ndarray:
    return np.concatenate([gaps for _, gaps in found.scores])
