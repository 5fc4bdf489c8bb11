"""Logistic regression of two classes or more: scikit-learn's classes on this engine."""

from importlib import import_module
from typing import Any

import numpy as np
import sklearn.linear_model as stock
from scipy import sparse
from sklearn.utils import compute_class_weight
from sklearn.utils.validation import _check_sample_weight

from shrinkage._path import state
from shrinkage.design import as_design
from shrinkage.patch._fallback import LOG, ours_or_theirs, refuse, refuse_iterations, refuse_smooth
from shrinkage.patch._graft import graft, stand_in
from shrinkage.penalties import L1L2
from shrinkage.problem import MultinomialProblem
from shrinkage.solvers import Status, solve_classes, solve_path

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
    refuse(hasattr(estimator, "_skl_callbacks"), "callbacks follow its iterations")
    strengths = np.logspace(-4, 4, Cs) if np.ndim(Cs) == 0 else np.asarray(Cs, dtype=np.float64)
    refuse(not (np.isfinite(strengths).all() and strengths.min() > 0), "without a penalty")
    mixing = {"l1": 1.0, "l2": 0.0}[penalty] if penalty in ("l1", "l2") else float(l1_ratio)
    if mixing == 0:
        refuse_smooth()
    weights = _weights(X, y, classes, class_weight, sample_weight)
    total = float(X.shape[0]) if weights is None else float(weights.sum())
    alphas, back = np.unique(-1.0 / (strengths * total), return_inverse=True)
    solve = _two_classes if len(classes) == 2 else _several_classes
    coefs, steps = solve(X, np.searchsorted(np.asarray(classes), y), len(classes), -alphas, mixing, fit_intercept,
                         weights, tol)  # fmt: skip
    steps = np.maximum(steps, 1).astype(np.int32)
    return coefs[back].astype(X.dtype), np.asarray(Cs if np.ndim(Cs) else strengths), steps[back]


def _two_classes(
    X: Any, codes: np.ndarray, count: int, alphas: np.ndarray, mixing: float, fit_intercept: bool, weights: Any,
    tol: float,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Coefficients (n_alphas, n_features), with intercepts one more, and steps."""
    target = codes.astype(np.float64)
    problem, _classes = state(X, target, "logistic", mixing, fit_intercept, False, weights, None, None, None)
    columns = solve_path(problem, alphas, engine_tol(tol))
    _refuse_gaps(columns, problem, tol)
    coefs = columns.coefs.toarray().T
    return np.column_stack([coefs, columns.intercepts]) if fit_intercept else coefs, columns.n_iter


def _several_classes(
    X: Any, codes: np.ndarray, count: int, alphas: np.ndarray, mixing: float, fit_intercept: bool, weights: Any,
    tol: float,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """The same of more classes: coefficients (n_alphas, n_classes, n_features), with intercepts one more."""
    held = np.bincount(codes, weights, minlength=count)
    refuse(not held.all(), "a class has no row to learn from")
    problem = MultinomialProblem(as_design(X), np.eye(count)[codes], L1L2(1.0, mixing), weights, None, fit_intercept)
    columns = solve_classes(problem, alphas, [], False, engine_tol(tol)).path
    _refuse_gaps(columns, problem, tol)
    coefs = columns.coefs.toarray().T.reshape((len(alphas), count, -1))
    refuse(mixing == 1 and not is_unique(coefs), f"an L1 penalty alone has many minima for these {count} classes")
    if fit_intercept:
        coefs = np.concatenate([coefs, columns.intercepts.T[:, :, None]], axis=2)
    return coefs, columns.n_iter


def is_unique(coefs: np.ndarray) -> bool:
    """Whether no other coefficients (..., n_classes, n_features) cost the same under L1 alone.

    A number added to a feature's coefficients of all classes changes no probability, and not the L1 norm either as long
    as 0 stays between the two in the middle, of which an odd number of classes has one.
    """
    count = coefs.shape[-2]
    return count % 2 == 1 or not np.sort(coefs, axis=-2)[..., count // 2 - 1 : count // 2 + 1, :].any()


def _refuse_gaps(columns: Any, problem: Any, tol: float) -> None:
    if Status.GAP_ABOVE_TOL in columns.status:
        worst = float(np.max(columns.gaps)) / (problem.null.objective or 1.0)
        refuse(worst > tol * 1e-2, f"the engine's duality gap is {worst:.0e}")


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
