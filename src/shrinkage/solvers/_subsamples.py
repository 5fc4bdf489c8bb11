"""Many subsamples of the rows, each with its own path down one grid, until enough of it was seen.

Few features: the moments of all subsamples come from shared passes, and everything else from the moments. Otherwise
each subsample is solved on its own rows: noise enters them differently, so one working set for all would be the union
of many, and every pass would multiply with the rows that a subsample lacks. That took 2 to 5 times as long.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from shrinkage._threads import blas_alone
from shrinkage.design import BlockDesign, DenseDesign, Design, SparseDesign
from shrinkage.problem import Problem, row_loss
from shrinkage.solvers._batches import Driver
from shrinkage.solvers._engine import driver_of, few_features
from shrinkage.solvers._moments import MomentDriver
from shrinkage.solvers._preparation import center_full_columns
from shrinkage.solvers._scale import column_scale
from shrinkage.solvers._screened import ScreenedDriver

Watch = Callable[[int, int, np.ndarray, np.ndarray], bool]
STAGES = (0.2, 0.45, 1.0)  # shares of the grid after which moments ask whether that is enough
TOGETHER = 40
MOMENT_BYTES = 512 << 20  # of the subsamples that share a pass
FEW = 100


def samples_at_once(problem: Problem) -> int:
    """How many subsamples share their passes: an even number."""
    if not _has_moments(problem):
        return 2
    return int(np.clip(MOMENT_BYTES // (16 * problem.design.shape[1] ** 2) * 2, 2, TOGETHER))


def _has_moments(problem: Problem) -> bool:
    """Whether the Gram matrices of all subsamples cost less than the calls that one of them on its own takes.

    Of data in blocks: less than the readings.
    """
    if isinstance(problem.design, BlockDesign):
        return problem.loss.name == "squared" and few_features(problem.design)
    return problem.loss.name == "squared" and not problem.design.is_sparse and problem.design.shape[1] <= FEW


@blas_alone
def solve_subsamples(
    problem: Problem, samples: list[np.ndarray], alphas: np.ndarray, standardize: bool, tol: float, watch: Watch
) -> list[np.ndarray]:
    """Walk the path of every subsample down a grid, until `watch` has seen enough of it.

    Parameters
    ----------
    problem : Problem with l1_ratio > 0
        With `standardize`, each subsample uses the scale of its own rows.
    samples : list of index arrays, rising
    alphas : ndarray of shape (n_alphas,), > 0, falling
    standardize : bool
    tol : float > 0
    watch : callable
        Called as watch(sample, start, features, coefs) with certified coefficients of shape (m, count), those of the
        features (m,) at the strengths from place `start` of the grid on; not to be kept or changed. A place may come
        twice. Returns whether no more strengths of this sample are needed.

    Returns
    -------
    list of ndarray
        For each sample the relative duality gaps of the strengths that were solved.
    """
    alphas = np.ascontiguousarray(alphas, dtype=np.float64)
    if _has_moments(problem):
        return _by_moments(problem, samples, alphas, standardize, tol, watch)
    rows_of = _RowPicker(problem.design)
    gaps = []
    for k, rows in enumerate(samples):
        part, _ = center_full_columns(_restricted(problem, rows_of.pick(rows), rows, standardize))
        driver = driver_of(part, [], False, tol, moments=False)
        assert isinstance(driver, Driver | ScreenedDriver)
        driver.watch = lambda start, features, coefs, k=k: watch(k, start, features, coefs[:, 0])
        found = driver.run(alphas)
        null = driver.null_objectives[0]
        gaps.append(np.concatenate(found.gaps) / (null if null > 0 else 1.0))
    return gaps


def _by_moments(problem: Problem, samples, alphas, standardize: bool, tol: float, watch: Watch) -> list[np.ndarray]:
    nothing = np.zeros(0, np.int64)
    driver = driver_of(problem, [(rows, nothing) for rows in samples], standardize, tol, moments=True)
    assert isinstance(driver, MomentDriver)
    gaps = np.zeros((0, len(samples)))
    for share in STAGES:
        stop = max(1, round(share * len(alphas)))
        found, coefs = driver.run_fits(alphas[:stop])
        gaps = found.scores[0][1]
        if all([watch(k, 0, driver.penalized, coefs[k + 1].T) for k in range(len(samples))]):
            break
    return list(gaps.T)


def _restricted(problem: Problem, design: Design, rows: np.ndarray, standardize: bool) -> Problem:
    """The problem of some rows, whose design is given."""
    weights = None if problem.sample_weight is None else problem.sample_weight[rows]
    offset = None if problem.offset is None else problem.offset[rows]
    scale = problem.scale
    if standardize:
        shares = None if weights is None else np.asfortranarray(weights[:, None])
        scale = column_scale(design, shares)[:, 0]
    return replace(problem, design=design, y=problem.y[rows], sample_weight=weights, offset=offset, scale=scale)


class _RowPicker:
    """Copies rows of a design into one of their own."""

    def __init__(self, design: Any):
        self._design = design
        self._by_row = None
        if design.is_sparse:
            starts, rows, values = design.csc()
            self._by_row = sparse.csc_array((values, rows, starts), shape=design.shape).tocsr()

    def pick(self, rows: np.ndarray) -> Design:
        if isinstance(self._design, BlockDesign):
            return self._design.take(rows)
        if self._by_row is None:
            return DenseDesign(np.asfortranarray(self._design.values[rows]))
        part: Any = self._by_row[rows].tocsc()
        return SparseDesign(len(rows), part.indptr, part.indices, part.data)


@blas_alone
def first_strengths(problem: Problem, samples: list[np.ndarray], standardize: bool) -> np.ndarray:
    """(n_samples,) the smallest strength of each subsample at which no penalized coefficient is nonzero."""
    n, p = problem.design.shape
    weights = np.ones(n) if problem.sample_weight is None else problem.sample_weight
    own = np.zeros((n, len(samples)), order="F")
    theta = np.zeros((n, len(samples)), order="F")
    for k, rows in enumerate(samples):
        own[rows, k] = weights[rows]
        part = replace(problem, sample_weight=own[:, k])
        theta[:, k] = part.weights * row_loss(part.loss).gradient(part.y, part.null.eta)
    scale = np.ones((p, 1)) if problem.scale is None else problem.scale[:, None]
    if standardize:
        scale = column_scale(problem.design, own)
    factors = np.ones(p) if problem.penalty.factors is None else np.asarray(problem.penalty.factors, dtype=float)
    penalized = factors > 0
    ratios = np.abs(problem.design.correlate(theta))[penalized] / (factors[:, None] * scale)[penalized]
    return ratios.max(axis=0, initial=0.0) / float(problem.penalty.l1_ratio)
