"""Lasso and elastic net: scikit-learn's `path` functions and classes on this engine."""

from functools import wraps
from importlib import import_module
from numbers import Integral
from typing import Any

import numpy as np
import sklearn.linear_model as stock
from scipy import sparse
from sklearn.utils import check_array

from shrinkage._path import state
from shrinkage.patch._fallback import ours_or_theirs, refuse, refuse_iterations
from shrinkage.patch._graft import graft, stand_in
from shrinkage.solvers import Status, solve_path

FLOATS = [np.float64, np.float32]
_THEIRS: Any = import_module(stock.LassoCV.__module__)
_check: Any = check_array  # its annotations are narrower than what it takes
_THEIR_PATH: Any = _THEIRS.enet_path  # here, where nothing is patched yet


def engine_tol(tol: float) -> float:
    """Our relative duality gap for scikit-learn's `tol`.

    Its tol bounds the gap in units of twice the null model's objective, and the last step of a coefficient as well,
    which for a smooth problem is about the root of the gap.
    """
    return min(max(tol * 1e-4, 1e-13), 1e-8)


@wraps(_THEIR_PATH)
def enet_path(X: Any, y: Any, **options: Any) -> Any:
    theirs = _THEIR_PATH
    return ours_or_theirs("enet_path", lambda: _enet_path(X, y, **options), lambda: theirs(X, y, **options))


lasso_path: Any = graft(_THEIRS.lasso_path, enet_path=enet_path)
for _function, _stands_for in ((enet_path, _THEIR_PATH), (lasso_path, _THEIRS.lasso_path)):
    _function.__module__, vars(_function)["_stands_for"] = "shrinkage.patch", _stands_for


def _enet_path(
    X: Any,
    y: Any,
    *,
    l1_ratio: float = 0.5,
    eps: float | None = 1e-3,
    n_alphas: Any = "deprecated",
    alphas: Any = "warn",
    precompute: Any = "auto",
    Xy: Any = None,
    copy_X: bool = True,
    coef_init: Any = None,
    verbose: Any = False,
    return_n_iter: bool = False,
    positive: bool = False,
    check_input: bool = True,
    X_offset: Any = None,
    X_scale: Any = None,
    sample_weight: Any = None,
    tol: float = 1e-4,
    max_iter: int = 1000,
    random_state: Any = None,
    selection: str = "cyclic",
    do_screening: bool = True,
    **unknown: Any,
) -> Any:
    """The path, or a `NotOurs`; what scikit-learn would refuse or warn of is left to it."""
    refuse(unknown, "unknown arguments")
    refuse_iterations(max_iter, tol, verbose)
    refuse(coef_init is not None and np.any(coef_init), "it starts from given coefficients")
    refuse(selection not in ("cyclic", "random"), f"selection={selection!r}")
    refuse(not isinstance(n_alphas, str) or alphas is None, "arguments that scikit-learn warns of")
    count = 100 if isinstance(alphas, str) else alphas
    if check_input:
        refuse(hasattr(precompute, "__array__") or Xy is not None, "a Gram matrix is given")
        refuse(X_offset is not None or sample_weight is not None, "X_offset and sample_weight are scikit-learn's own")
        X = _check(X, accept_sparse="csc", dtype=FLOATS, order="F")
        y = _check(y, accept_sparse="csc", dtype=X.dtype.type, order="F", ensure_2d=False)
    refuse(not isinstance(y, np.ndarray) or y.ndim != 1, "several responses share their rows")
    refuse(X.shape[0] != len(y), "X and y differ in length")
    grid = _strengths(X, y, l1_ratio, eps, count, positive)
    answer = _solve_centered(X, y, grid, l1_ratio, tol, sample_weight, X_offset, positive)
    return answer if return_n_iter else answer[:3]


def _strengths(X: Any, y: np.ndarray, l1_ratio: float, eps: Any, count: Any, positive: bool) -> np.ndarray:
    """scikit-learn's grid: given strengths from the largest down, or `count` of them from alpha_max."""
    if not isinstance(count, Integral):
        return np.sort(np.asarray(count, dtype=np.float64))[::-1]
    refuse(l1_ratio == 0 or not eps or eps >= 1, "there is no grid for l1_ratio=0")
    slopes = X.T @ y
    largest = float((slopes if positive else np.abs(slopes)).max()) / (X.shape[0] * l1_ratio)
    resolution = np.finfo(np.float64).resolution
    if largest <= resolution:
        return np.full(int(count), resolution)
    return np.geomspace(largest, largest * eps, num=int(count))


def _solve_centered(
    X: Any, y: np.ndarray, grid: np.ndarray, l1_ratio: float, tol: float, weights: Any, X_offset: Any, positive: bool
) -> tuple:
    """Strengths, coefficients, gaps and restricted solves of centered data, as scikit-learn's solvers get them.

    Dense X comes centered, with its rows multiplied by the roots of their weights. Sparse X comes as it is, with the
    means that are to be subtracted: an intercept does that, since y is centered.
    """
    in_place = sparse.issparse(X)
    intercept = in_place and X_offset is not None and bool(np.any(X_offset))
    weights = weights if in_place else None
    stated = (X, y, "squared", float(l1_ratio), intercept, False, weights, None, None, None)
    problem, _ = state(*stated, positive=bool(positive))
    asked = engine_tol(tol)
    columns = solve_path(problem, grid, asked)
    if Status.GAP_ABOVE_TOL in columns.status:
        scale = float(y @ y) / len(y)
        refuse(np.max(columns.gaps) > tol * scale, f"the engine's duality gap is above tol={tol}")
    coefs = columns.coefs.toarray().astype(X.dtype, copy=False)
    return grid, coefs, columns.gaps, [max(1, int(steps)) for steps in columns.n_iter]


Lasso = stand_in(stock.Lasso, path=staticmethod(enet_path))
ElasticNet = stand_in(stock.ElasticNet, path=staticmethod(enet_path))
