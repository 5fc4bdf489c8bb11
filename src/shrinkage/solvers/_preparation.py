"""What the engine does to a problem before it is solved: where ridge's grid begins, columns that only look sparse."""

from dataclasses import replace
from typing import Any

import numpy as np

from shrinkage.design import SparseDesign, check_entries
from shrinkage.losses import JointLoss
from shrinkage.problem import Problem

_FAR = 1e3  # a mean this many standard deviations from 0 costs a Gram matrix of raw values six of its sixteen digits


def strongest_ridge(problem: Problem) -> float:
    """Where the grid of ridge begins: 1000 max_j |z_j| sd_j / (f_j scale_j² sd(y)), z_j the gradient at the null model.

    No strength makes ridge coefficients zero. On standardized columns this is the strength at which glmnet begins, the
    alpha_max of l1_ratio 1e-3, in our unit: glmnet divides its L2 part by sd(y). It carries the unit of x_j², as the L2
    part must, so the grid moves with the units of X and does not depend on those of y.
    """
    weights = np.asfortranarray(problem.weights[:, None])
    slope = problem.slopes(problem.null.eta[:, None])[:, 0]
    z = np.abs(problem.design.correlate(weights * slope[:, None])[:, 0])
    means, variances = problem.design.column_moments(weights)
    check_entries(problem.design, float(np.sqrt(variances).max(initial=0.0)))
    about_means = problem.fit_intercept or isinstance(problem.loss, JointLoss)
    spread = np.sqrt(variances if about_means else variances + means**2)[:, 0]
    factors = np.ones(len(z)) if problem.penalty.factors is None else np.asarray(problem.penalty.factors, dtype=float)
    scale = 1.0 if problem.scale is None else problem.scale
    if problem.scale is not None and not about_means:  # deviations from the mean, as glmnet has them here too
        spread = problem.scale
    ratios = np.divide(z * spread, factors * scale**2, out=np.zeros_like(z), where=factors > 0)
    unit = np.sqrt(2 * problem.null.objective) if problem.loss.name == "squared" else 1.0
    return 1e3 * float(ratios.max(initial=0.0)) / unit if unit > 0 else 0.0


def center_full_columns(problem: Problem) -> tuple[Problem, np.ndarray | None]:
    """Take the means off columns of a sparse X that hold a value in every row, far from 0; None if there are none.

    A sparse X is centered by algebra, which loses the digits that a large mean takes. Only a column without zeros can
    have one, and its values can be moved: the intercept takes the means (n_features,) back.
    """
    design: Any = problem.design
    if not design.is_sparse or not problem.fit_intercept:
        return problem, None
    starts, rows, values = design.csc()
    full = np.flatnonzero(np.diff(starts) == design.shape[0])
    if not full.size:
        return problem, None
    moments = design.column_moments(np.asfortranarray(problem.weights[:, None]))
    means, variances = moments[0][:, 0], moments[1][:, 0]
    far = full[np.abs(means[full]) > _FAR * np.sqrt(variances[full])]
    if not far.size or not np.isfinite(means).all():
        return problem, None
    moved = values.astype(np.float64)
    for j in far:
        moved[starts[j] : starts[j + 1]] -= means[j]
    shift = np.zeros(design.shape[1])
    shift[far] = means[far]
    return replace(problem, design=SparseDesign(design.shape[0], starts, rows, moved, design.feature_names)), shift
