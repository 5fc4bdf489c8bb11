"""Logistic regression of two classes: scikit-learn's classes on this engine."""

from importlib import import_module
from typing import Any

import numpy as np
import sklearn.linear_model as stock
from scipy import sparse
from sklearn.utils import compute_class_weight
from sklearn.utils.validation import _check_sample_weight

from shrinkage._path import state
from shrinkage.patch._fallback import LOG, ours_or_theirs, refuse, refuse_iterations, refuse_smooth
from shrinkage.patch._graft import graft, stand_in
from shrinkage.solvers import Status, solve_path

_THEIRS: Any = import_module(stock.LogisticRegression.__module__)

LIBLINEAR = "solver='liblinear' penalizes the intercept"


def engine_tol(tol: float) -> float:
    """Our relative duality gap for scikit-learn's `tol`, which bounds a gradient: the gap goes with its square."""
    return min(max(tol * 1e-5, 1e-12), 1e-9)


def logistic_path(X: Any, y: Any, **options: Any) -> Any:
    """In the place of scikit-learn's `_logistic_regression_path`: coefficients (n_Cs, n_features + 1), Cs, steps."""
    return ours_or_theirs(
        "logistic regression",
        lambda: _logistic_path(X, y, **options),
        lambda: _THEIRS._logistic_regression_path(X, y, **options),
    )


def _logistic_path(
    X: Any,
    y: Any,
    *,
    classes: Any,
    Cs: Any = 10,
    fit_intercept: bool = True,
    max_iter: int = 100,
    tol: float = 1e-4,
    verbose: Any = 0,
    solver: str = "lbfgs",
    class_weight: Any = None,
    penalty: Any = "l2",
    check_input: bool = True,
    sample_weight: Any = None,
    l1_ratio: Any = None,
    estimator: Any = None,
    **_: Any,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    refuse_iterations(max_iter, tol, verbose)
    refuse(check_input or not (isinstance(X, np.ndarray) or sparse.issparse(X)), "X is no NumPy array")
    refuse(solver == "liblinear", LIBLINEAR)
    refuse(len(classes) != 2, f"{len(classes)} classes")
    refuse(hasattr(estimator, "_skl_callbacks"), "callbacks follow its iterations")
    strengths = np.logspace(-4, 4, Cs) if np.ndim(Cs) == 0 else np.asarray(Cs, dtype=np.float64)
    refuse(not (np.isfinite(strengths).all() and strengths.min() > 0), "without a penalty")
    mixing = {"l1": 1.0, "l2": 0.0}[penalty] if penalty in ("l1", "l2") else float(l1_ratio)
    if mixing == 0:
        refuse_smooth()
    weights = _weights(X, y, classes, class_weight, sample_weight)
    total = float(X.shape[0]) if weights is None else float(weights.sum())
    target = (np.asarray(y) == classes[1]).astype(np.float64)
    problem, _classes = state(X, target, "logistic", mixing, fit_intercept, False, weights, None, None, None)
    alphas, back = np.unique(-1.0 / (strengths * total), return_inverse=True)
    columns = solve_path(problem, -alphas, engine_tol(tol))
    if Status.GAP_ABOVE_TOL in columns.status:
        worst = float(np.max(columns.gaps)) / (problem.null.objective or 1.0)
        refuse(worst > tol * 1e-2, f"the engine's duality gap is {worst:.0e}")
    coefs = columns.coefs.toarray().T
    if fit_intercept:
        coefs = np.column_stack([coefs, columns.intercepts])
    steps = np.maximum(columns.n_iter, 1).astype(np.int32)
    return coefs[back].astype(X.dtype), np.asarray(Cs if np.ndim(Cs) else strengths), steps[back]


def _weights(X: Any, y: Any, classes: Any, class_weight: Any, sample_weight: Any) -> np.ndarray | None:
    """Weights of rows times weights of their classes, as scikit-learn multiplies them."""
    if sample_weight is None and class_weight is None:
        return None
    weights = _check_sample_weight(sample_weight, X, dtype=X.dtype, copy=True)
    if class_weight is None:
        return weights
    options = {"class_weight": class_weight, "classes": np.asarray(classes), "y": y}
    each = compute_class_weight(**options, sample_weight=sample_weight) if class_weight == "balanced" else None
    each = compute_class_weight(**options) if each is None else each
    return weights * each[np.searchsorted(np.asarray(classes), y)]


def _fit_liblinear(*arguments: Any, **options: Any) -> Any:
    LOG.info("logistic regression: scikit-learn's own: %s", LIBLINEAR)
    return _THEIRS._fit_liblinear(*arguments, **options)


scoring_path: Any = graft(_THEIRS._log_reg_scoring_path, _logistic_regression_path=logistic_path)
scoring_path.__module__, scoring_path.__qualname__ = __name__, "scoring_path"  # for the pickles of joblib

LogisticRegression = stand_in(
    stock.LogisticRegression, {"_logistic_regression_path": logistic_path, "_fit_liblinear": _fit_liblinear}
)
LogisticRegressionCV = stand_in(
    stock.LogisticRegressionCV, {"_logistic_regression_path": logistic_path, "_log_reg_scoring_path": scoring_path}
)
