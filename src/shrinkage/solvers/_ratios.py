"""Several mixes of L1 and L2 on the same folds: what one has gathered of X serves the next."""

from dataclasses import replace
from typing import Any

import numpy as np

from shrinkage._threads import blas_alone
from shrinkage.penalties import L1L2
from shrinkage.problem import Problem
from shrinkage.solvers._batches import Driver
from shrinkage.solvers._engine import Folds, Grid, apart, driver_of, score_apart, solve_stated
from shrinkage.solvers._moments import MomentDriver
from shrinkage.solvers._preparation import center_full_columns
from shrinkage.solvers._records import FoldColumns
from shrinkage.solvers._rounding import measured_again
from shrinkage.solvers._screened import ScreenedDriver

AnyDriver = Driver | ScreenedDriver | MomentDriver


@blas_alone
def solve_ratios(
    problem: Problem, l1_ratios: list[float], grids: list[Grid], folds: Folds, standardize: bool, tol: float = 1e-6
) -> list[FoldColumns]:
    """`solve_folds` for each l1_ratio: columns, Gram matrix and moments that one has asked for serve the next.

    The Gram matrix of a working set, or of all columns, does not know the penalty, so the cost that grows with the
    rows is paid once. Where l1_ratio is 0, ridge's eigendecomposition is made; it shares nothing with the others.

    Parameters
    ----------
    problem : Problem
        Its penalty gives the factors; its l1_ratio is not used.
    l1_ratios : list of float in [0, 1]
    grids : list of what `solve_folds` takes as alphas, one for each l1_ratio
    folds, standardize, tol
        As `solve_folds`.

    Returns
    -------
    list of FoldColumns, in the order of `l1_ratios`
    """
    given = problem
    problem, means = center_full_columns(problem)
    drivers: dict[bool, AnyDriver] = {}  # of all rows alone; of all rows and the folds
    shared, results = None, []
    for ratio, alphas in zip(l1_ratios, grids, strict=True):
        stated = problem.with_penalty(L1L2(1.0, float(ratio), problem.penalty.factors))
        alone = ratio > 0 and apart(stated, alphas, folds)
        walked = [] if alone else folds
        if ratio > 0:
            known = drivers.get(alone)
            drivers[alone] = driver_of(stated, walked, standardize, tol) if known is None else _again(known, ratio)
        found = solve_stated(stated, alphas, walked, standardize, tol, drivers.get(alone))
        if alone:
            found, shared = score_apart(stated, found.path, folds, standardize, tol, shared)
        path = found.path
        if means is not None:
            path = replace(path, intercepts=path.intercepts - path.coefs.T @ means)
        path = measured_again(given.with_penalty(stated.penalty), path, tol)
        results.append(replace(found, path=path))
    return results


def _again(driver: AnyDriver, l1_ratio: float) -> AnyDriver:
    """A driver at the start of another grid, with what the last one has gathered of X."""
    if isinstance(driver, MomentDriver):
        driver.alpha_max *= driver.l1_ratio / l1_ratio
        driver.l1_ratio = l1_ratio
        return driver
    if isinstance(driver, ScreenedDriver):
        driver.restart(l1_ratio, driver.fits.l2_weights)
        return driver
    fits: Any = driver.fits
    fits.reset()
    kind, weights = type(driver), (driver.l1, fits.l2_weights)
    fresh = kind(driver.design, fits, *weights, l1_ratio, driver.tol, driver.held_out, driver.centered)
    fresh.inside[fits.features] = True
    fresh.size = int(np.size(fits.features))
    return fresh
