"""Cross-validated lasso and elastic net: scikit-learn's classes, with all folds and the final fit solved together."""

from importlib import import_module
from itertools import groupby
from operator import attrgetter
from threading import local
from typing import Any, NamedTuple
from weakref import ref

import numpy as np
import sklearn.linear_model as stock
from sklearn.utils.parallel import Parallel, delayed

from shrinkage._path import check_folds, fold_rows, state
from shrinkage.patch._fallback import ours_or_theirs, refuse, refuse_iterations
from shrinkage.patch._graft import stand_in
from shrinkage.patch._squared import ElasticNet, Lasso, enet_path, engine_tol
from shrinkage.solvers import FoldColumns, PathColumns, Status, solve_folds

_THEIRS: Any = import_module(stock.LassoCV.__module__)
_THEIR_PATH: Any = _THEIRS.enet_path  # here, where nothing is patched yet
_here = local()
"""`final`: weakly, the model that the `fit` under way in this thread has made for its final fit."""


class Fold(NamedTuple):
    """A job that scikit-learn's cross-validation hands out: one fold of one l1_ratio."""

    X: Any
    y: Any
    sample_weight: Any
    train: Any
    test: Any
    fit_intercept: bool
    path: Any
    path_params: dict[str, Any]
    alphas: Any = None
    l1_ratio: Any = 1
    X_order: Any = None
    dtype: Any = None


class FoldsTogether:
    """In the place of joblib's `Parallel`: all folds of an l1_ratio are solved at once, and share the passes over X."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def __call__(self, jobs: Any) -> list[np.ndarray]:
        """Held-out mean squared errors (n_alphas,) of every job, in their order."""
        folds = list(jobs)
        return ours_or_theirs("cross-validated path", lambda: _scores(folds), lambda: self._theirs(folds))

    def _theirs(self, folds: list[Fold]) -> Any:
        return Parallel(**self.options)(delayed(_THEIRS._path_residuals)(*_of_theirs(fold)) for fold in folds)


def _of_theirs(fold: Fold) -> Fold:
    """The job with scikit-learn's path; `LassoCV` leaves l1_ratio to its own, `lasso_path`."""
    if fold.path is not enet_path:
        return fold
    return fold._replace(path=_THEIR_PATH, path_params={**fold.path_params, "l1_ratio": fold.l1_ratio})


def _scores(folds: list[Fold]) -> list[np.ndarray]:
    first = folds[0]
    options = first.path_params
    refuse(first.path is not enet_path, "its `path` is another function")
    refuse(first.y.ndim != 1, "several responses share their rows")
    refuse(hasattr(options["precompute"], "__array__"), "a Gram matrix is given")
    refuse_iterations(options["max_iter"], options["tol"], options["verbose"])
    found, paths = [], []
    for _, some in groupby(folds, key=attrgetter("l1_ratio", "alphas")):
        group = list(some)
        solved = _solve(group)
        found += list(solved.scores.T.astype(group[0].dtype, copy=False))
        paths.append((group[0], solved.path))
    final = getattr(_here, "final", lambda: None)()
    if final is not None:
        final._paths = paths
    return found


def _solve(folds: list[Fold]) -> FoldColumns:
    """Paths over all rows and over the training rows of the folds of one l1_ratio."""
    first = folds[0]
    positive = bool(first.path_params.get("positive"))
    l1_ratio, intercept = float(first.l1_ratio), bool(first.fit_intercept)
    weights = first.sample_weight
    problem, _ = state(
        first.X, first.y, "squared", l1_ratio, intercept, False, weights, None, None, None, positive=positive
    )
    every = np.arange(len(first.y))
    rows = check_folds(fold_rows([(fold.train, fold.test) for fold in folds], problem.y, False), problem)
    dealt = sum(len(every[fold.train]) + len(every[fold.test]) for fold in folds)
    refuse(dealt != sum(len(train) + len(test) for train, test in rows), "a fold has a row more than once")
    asked = engine_tol(first.path_params["tol"])
    solved = solve_folds(problem, np.asarray(first.alphas, dtype=np.float64), rows, False, asked)
    worst = float(np.max(solved.gaps, initial=0.0))
    refuse(worst > max(asked, first.path_params["tol"]), f"the engine's duality gap is {worst:.0e}")
    return solved


class _Final:
    """The model of the chosen strength: its coefficients are on the path over all rows, solved beside the folds."""

    _paths: tuple | list = ()

    def fit(self: Any, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Read the path where it is of these data and converged; else fit."""
        for fold, path in self._paths:
            same = fold.X is X and fold.y is y and fold.sample_weight is sample_weight
            if same and fold.l1_ratio == self.l1_ratio and self.alpha > 0:
                at = np.flatnonzero(np.asarray(fold.alphas) == self.alpha)
                if len(at) and path.status[at[0]] is Status.CONVERGED:
                    return self._read(path, int(at[0]))
        return super().fit(X, y) if sample_weight is None else super().fit(X, y, sample_weight=sample_weight)  # type: ignore[misc]

    def _read(self: Any, path: PathColumns, at: int) -> Any:
        kind = self._paths[0][0].X.dtype.type
        self.coef_ = path.coefs[:, [at]].toarray()[:, 0].astype(kind, copy=False)
        self.intercept_ = kind(path.intercepts[at]) if self.fit_intercept else 0.0
        self.dual_gap_ = kind(path.gaps[at])
        self.n_iter_ = max(1, int(path.n_iter[at]))
        return self


class _FinalLasso(_Final, Lasso):
    """The last fit of `LassoCV`."""


class _FinalElasticNet(_Final, ElasticNet):
    """The last fit of `ElasticNetCV`."""


def _final(kind: Any) -> Any:
    """What `_get_estimator` is: the model for the final fit, which the folds of this thread's `fit` tell their path."""

    def get_estimator(self: Any) -> Any:
        model = kind()
        _here.final = ref(model)
        return model

    return get_estimator


_TOGETHER = {"delayed": lambda function: function, "_path_residuals": Fold, "Parallel": FoldsTogether}

LassoCV = stand_in(stock.LassoCV, _TOGETHER, path=staticmethod(enet_path), _get_estimator=_final(_FinalLasso))
ElasticNetCV = stand_in(
    stock.ElasticNetCV, _TOGETHER, path=staticmethod(enet_path), _get_estimator=_final(_FinalElasticNet)
)
