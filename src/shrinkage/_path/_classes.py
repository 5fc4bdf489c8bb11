"""What a user gives for several classes, as a `MultinomialProblem`, and the record of its path."""

from typing import Any

import numpy as np

from shrinkage._check import check_boolean, label_vector, weight_vector
from shrinkage._errors import ArgumentError, DataError
from shrinkage._path._bounds import bounded, factors_and_excluded, limits_once
from shrinkage._path._record import Path
from shrinkage._path._statement import stated_penalty
from shrinkage.design import as_design
from shrinkage.losses import Multinomial
from shrinkage.penalties import L1, L1L2, L2, Box
from shrinkage.problem import MultinomialProblem, class_offset
from shrinkage.solvers import PathColumns, column_scale


def is_multinomial(loss: Any) -> bool:
    """Whether a loss is the multinomial, by name (grouped or not) or as an object."""
    return isinstance(loss, Multinomial) or (isinstance(loss, str) and loss in ("multinomial", "multinomial_grouped"))


def state_classes(
    X, y, loss, l1_ratio, fit_intercept, standardize, sample_weight, offset, penalty_factor, penalty, *limits
) -> tuple[MultinomialProblem, tuple]:
    """The MultinomialProblem that the arguments state, with alpha 1, and the classes of y in sorted order.

    `limits` are lower, upper and positive of `path`.
    """
    check_boolean("fit_intercept", fit_intercept)
    check_boolean("standardize", standardize)
    design = as_design(X)
    n, p = design.shape
    factors, excluded = factors_and_excluded(penalty_factor, p)
    Y, classes = unit_vectors(y, n)
    weights = None if sample_weight is None else weight_vector("sample_weight", sample_weight, n)
    if weights is not None and not (weights @ Y).all():
        missing = classes[int(np.argmin(weights @ Y))]
        raise DataError(f"each class must have a positive sample_weight; those of class {missing!r} sum to zero")
    shift = None if offset is None else class_offset(offset, Y.shape)
    if penalty is not None and not isinstance(penalty, L1 | L2 | L1L2 | Box):
        what = "loss='multinomial' takes an L1, L2 or L1L2 of shrinkage.penalties as penalty, or a Box around one"
        raise ArgumentError(f"{what}; got {type(penalty).__name__}")
    terms = stated_penalty(l1_ratio, factors, penalty, p)
    lower, upper, positive = limits or (None, None, False)
    if isinstance(penalty, Box):
        lower, upper = limits_once(penalty, lower, upper, positive)
    terms = bounded(terms, p, lower, upper, positive, excluded)
    scale = None
    if standardize:
        columns = None if weights is None else np.asfortranarray(weights[:, None])
        scale = column_scale(design, columns)[:, 0]
    grouped = isinstance(loss, str) and loss == "multinomial_grouped"
    return MultinomialProblem(design, Y, terms, weights, shift, fit_intercept, scale, grouped), classes


def unit_vectors(y: Any, n: int) -> tuple[np.ndarray, tuple]:
    """Labels as rows of unit vectors (n, K), and the K sorted labels."""
    values = label_vector("y", y)
    if values.shape != (n,):
        hint = ": y.ravel() makes a vector of it" if values.shape == (n, 1) else ""
        raise ArgumentError(f"y must have shape ({n},), one label for each row of X; got {values.shape}{hint}")
    classes, codes = np.unique(values, return_inverse=True)
    if len(classes) < 2:
        raise DataError(f"y must hold two classes or more for loss='multinomial'; got one, {classes.tolist()[0]!r}")
    if len(classes) > max(2, n // 2) and values.dtype.kind == "f":
        raise DataError(f"y must hold class labels for loss='multinomial'; got {len(classes)} values in {n} rows")
    return np.eye(len(classes))[codes], tuple(classes.tolist())


def finish_classes(problem: MultinomialProblem, columns: PathColumns, classes: tuple) -> Path:
    """The record of a path of several classes."""
    return Path(
        columns.alphas,
        columns.coefs,
        columns.intercepts,
        columns.gaps,
        columns.kkt,
        columns.status,
        columns.n_passes,
        problem.null.objective,
        Multinomial(),
        float(problem.penalty.l1_ratio),
        classes,
        problem.design.feature_names,
        ending=columns.ending,
        has_offset=problem.offset is not None and bool(np.any(problem.offset)),
    )
