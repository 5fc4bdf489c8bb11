"""Ridge regression: scikit-learn's classes on this engine."""

from importlib import import_module
from typing import Any

import numpy as np
import sklearn
import sklearn.linear_model as stock
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import r2_score
from sklearn.model_selection import check_cv
from sklearn.utils import check_X_y
from sklearn.utils.validation import _check_sample_weight

from shrinkage._path import state
from shrinkage.patch._fallback import CHOICE, NotOurs, ours_or_theirs, refuse, refuse_smooth
from shrinkage.patch._graft import stand_in
from shrinkage.solvers import solve_path

_THEIRS: Any = import_module(stock.Ridge.__module__)
_check: Any = check_X_y  # its annotations are narrower than what it takes
TOL = 1e-12
FEWEST = 8
"""Fewer strengths are factored one by one in less time than one eigendecomposition takes (measured)."""


def ridge_regression(X: Any, y: Any, alpha: Any, **options: Any) -> Any:
    """In the place of scikit-learn's `_ridge_regression`: coefficients, iterations, and the name of a solver."""
    return ours_or_theirs(
        "ridge", lambda: _ridge(X, y, alpha, **options), lambda: _THEIRS._ridge_regression(X, y, alpha, **options)
    )


def _ridge(
    X: Any,
    y: Any,
    alpha: Any,
    sample_weight: Any = None,
    solver: str = "auto",
    positive: bool = False,
    return_intercept: bool = False,
    X_offset: Any = None,
    **_: Any,
) -> tuple[np.ndarray, None, str]:
    refuse_smooth()
    refuse(not (isinstance(X, np.ndarray) or sparse.issparse(X)), "X is no NumPy array")
    in_place = sparse.issparse(X)
    refuse(solver not in ("auto", "sparse_cg" if in_place else "auto"), f"solver={solver!r} was asked for")
    refuse(positive, "positive=True without an L1 part")
    refuse(return_intercept or np.size(alpha) != 1 or y.ndim != 1, "several responses")
    total = float(X.shape[0] if sample_weight is None else np.sum(sample_weight))
    strength = np.atleast_1d(np.asarray(alpha, dtype=np.float64)) / total
    intercept = in_place and X_offset is not None and bool(np.any(X_offset))
    problem, _classes = state(X, y, "squared", 0.0, intercept, False, sample_weight, None, None, None)
    columns = solve_path(problem, strength, TOL)
    gap = float(columns.gaps[0]) / (problem.null.objective or 1.0)
    refuse(gap > 1e-8, f"the engine's duality gap is {gap:.0e}")
    return columns.coefs.toarray()[:, 0].astype(X.dtype), None, "sparse_cg" if in_place else "cholesky"


Ridge = stand_in(stock.Ridge, {"_ridge_regression": ridge_regression})


class FoldsTogether:
    """In the place of `GridSearchCV` in scikit-learn's `RidgeCV`: one decomposition of a fold serves all strengths."""

    def __init__(self, estimator: Any, parameters: dict[str, Any], **options: Any) -> None:
        self.estimator, self.parameters, self.options = estimator, parameters, options
        self.best_estimator_: Any = None
        self.best_score_ = np.nan

    def fit(self, X: Any, y: Any, **params: Any) -> "FoldsTogether":
        """Score every strength on every fold, and refit at the best."""
        self.best_estimator_, self.best_score_ = ours_or_theirs(
            "cross-validated ridge", lambda: self._ours(X, y, **params), lambda: self._theirs(X, y, **params)
        )
        return self

    def _theirs(self, X: Any, y: Any, **params: Any) -> tuple[Any, float]:
        search = _THEIRS.GridSearchCV(self.estimator, self.parameters, **self.options).fit(X, y, **params)
        return search.best_estimator_, search.best_score_

    def _ours(self, X: Any, y: Any, **params: Any) -> tuple[Any, float]:
        refuse(sklearn.get_config()["enable_metadata_routing"] or set(params) - {"sample_weight"}, "routed metadata")
        refuse(type(self.options["scoring"]).__name__ != "_PassthroughScorer", "it is scored by another score than R²")
        alphas = np.atleast_1d(np.asarray(self.parameters["alpha"], dtype=np.float64))
        refuse(len(alphas) < FEWEST and not CHOICE.smooth, f"{len(alphas)} strengths are factored one by one faster")
        rows, target, weights = _checked(X, y, params.get("sample_weight"))
        splitter: Any = check_cv(self.options["cv"], y)
        folds = splitter.split(X, y)
        intercept = self.estimator.fit_intercept
        scores = [_fold_scores(rows, target, weights, train, test, alphas, intercept) for train, test in folds]
        mean = np.mean(scores, axis=0)
        refuse(not np.isfinite(mean).all(), "a fold has no score")
        best = int(np.argmax(mean))
        fresh: Any = clone(self.estimator)
        model = fresh.set_params(alpha=self.parameters["alpha"][best])
        return model.fit(X, y, **params), float(mean[best])


def _checked(X: Any, y: Any, weights: Any) -> tuple[Any, np.ndarray, np.ndarray | None]:
    """X, y and weights as numbers; what is wrong with them is for scikit-learn to say."""
    try:
        X, y = _check(X, y, accept_sparse="csr", dtype=[np.float64, np.float32], y_numeric=True)
        weights = None if weights is None else _check_sample_weight(weights, X)
    except ValueError as error:
        raise NotOurs(str(error)) from None
    return X, y, weights


def _fold_scores(
    X: Any, y: np.ndarray, weights: Any, train: Any, test: Any, alphas: np.ndarray, intercept: bool
) -> np.ndarray:
    """R² on the held-out rows, of every strength (n_alphas,); theirs multiply a sum over the training rows."""
    some = None if weights is None else weights[train]
    total = float(len(y[train]) if some is None else some.sum())
    order = np.argsort(-alphas, kind="stable")
    problem, _ = state(X[train], y[train], "squared", 0.0, bool(intercept), False, some, None, None, None)
    columns = solve_path(problem, alphas[order] / total, TOL)
    predicted = np.asarray(X[test] @ columns.coefs.toarray()) + columns.intercepts
    held_out = np.broadcast_to(y[test][:, None], predicted.shape)
    scores = np.empty(len(alphas))
    scores[order] = r2_score(held_out, predicted, multioutput="raw_values")
    return scores


RidgeCV = stand_in(stock.RidgeCV, {"GridSearchCV": FoldsTogether})
