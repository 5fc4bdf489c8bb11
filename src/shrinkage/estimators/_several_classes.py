"""Logistic regression of more than two classes: the fit at one strength."""

from dataclasses import replace
from typing import Any

import numpy as np

from shrinkage._errors import ArgumentError
from shrinkage._path import bounded, factors_and_excluded
from shrinkage.design import as_design
from shrinkage.estimators import _equivalents
from shrinkage.estimators._fitting import warn_about_gap
from shrinkage.penalties import L1L2, Box
from shrinkage.problem import MultinomialProblem
from shrinkage.solvers import Status, column_scale, solve_classes


def fit_classes(model: Any, X: Any, codes: np.ndarray, sample_weight: Any, offset: Any) -> Any:
    """Solve the multinomial problem of `codes` (0 ... K-1) at the strength of the model, and store the answer."""
    penalty = L1L2(model.alpha, model.l1_ratio)
    factors, excluded = factors_and_excluded(model.penalty_factor, X.shape[1])
    terms = bounded(replace(penalty, factors=factors), X.shape[1], model.lower, model.upper, model.positive, excluded)
    if penalty.alpha == 0 and isinstance(terms, Box):
        raise ArgumentError("alpha must be > 0 for more than two classes with bounds; got 0")
    y = np.eye(len(model.classes_))[codes.astype(np.intp)]
    problem = MultinomialProblem(as_design(X), y, terms, sample_weight, offset, model.fit_intercept)
    if model.standardize:
        scale = column_scale(problem.design, problem.weights[:, None])[:, 0]
        problem = replace(problem, scale=scale)
    found = solve_classes(problem, np.array([float(penalty.alpha)]), [], False, model.tol).path
    model.coef_ = found.coefs.toarray()[:, 0].reshape((problem.n_classes, -1))
    model.intercept_ = found.intercepts[:, 0].copy()
    model.dual_gap_, model.n_iter_, model.status_ = float(found.gaps[0]), int(found.n_iter[0]), found.status[0]
    _equivalents.forget(model)
    if found.status[0] is Status.GAP_ABOVE_TOL:
        warn_about_gap(model.dual_gap_ / (problem.null.objective or 1.0), model.tol)
    return model
