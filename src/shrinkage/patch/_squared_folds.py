"""Cross-validated lasso and elastic net: scikit-learn's classes, with all folds solved together."""

from importlib import import_module
from itertools import groupby
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
from shrinkage.problem import Problem
from shrinkage.solvers import PathColumns, Status, score_folds, solve_path, solve_ratios

_THEIRS: Any = import_module(stock.LassoCV.__module__)
_THEIR_PATH: Any = _THEIRS.enet_path  # here, where nothing is patched yet
_here = local()
"""`final`: weakly, the model that the `fit` under way in this thread has made for its final fit."""


SAMPLED = 1024  # rows that say what is subtracted for rounding alone


def alpha_grid(X: Any, y: Any, *, fit_intercept: bool, sample_weight: Any, **options: Any) -> np.ndarray:
    """scikit-learn's grid from X'(y - mean), where it would read a large X once more for its means.

    They are multiplied by the sum of y - mean, which is rounding: means of some rows lead to the same strengths.
    """
    tall = isinstance(X, np.ndarray) and len(X) > 4 * SAMPLED
    if tall and y.ndim == 1 and fit_intercept and sample_weight is None:
        centered = y - np.average(y, axis=0)
        options["Xy"] = X.T @ centered - X[:: len(X) // SAMPLED].mean(axis=0) * np.sum(centered)
    return _THEIRS._alpha_grid(X, y, fit_intercept=fit_intercept, sample_weight=sample_weight, **options)


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
    groups = [list(some) for _, some in groupby(folds, key=lambda fold: (fold.l1_ratio, id(fold.alphas)))]
    found = _solve(groups)
    final = getattr(_here, "final", lambda: None)()
    if final is not None:
        final._solved = [whole for whole, _ in found]
    return [errors for _, scores in found for errors in scores.T.astype(first.dtype, copy=False)]


class Whole(NamedTuple):
    """All rows of the folds of one l1_ratio: the problem, and its path where that was solved beside the folds."""

    fold: Fold
    problem: Problem
    path: PathColumns | None
    tol: float

    def at(self, alpha: float) -> tuple[PathColumns, int] | None:
        """A path over all rows and where a strength stands on it."""
        alphas = np.asarray(self.fold.alphas)
        found = np.flatnonzero(alphas == alpha)
        if not len(found) or not alpha > 0:
            return None
        place = int(found[0])
        path = self.path if self.path is not None else solve_path(self.problem, alphas[: place + 1], self.tol)
        return (path, place) if path.status[place] is Status.CONVERGED else None


def _solve(groups: list[list[Fold]]) -> list[tuple[Whole, np.ndarray]]:
    """For the folds of each l1_ratio, what the final fit may read and the scores (n_alphas, n_folds)."""
    first = groups[0][0]
    problem = _stated(first)
    every = np.arange(len(first.y))
    rows = check_folds(fold_rows([(fold.train, fold.test) for fold in groups[0]], problem.y, False), problem)
    dealt = sum(len(every[fold.train]) + len(every[fold.test]) for fold in groups[0])
    refuse(dealt != sum(len(train) + len(test) for train, test in rows), "a fold has a row more than once")
    asked = engine_tol(first.path_params["tol"])
    leading = [group[0] for group in groups]
    grids: list[Any] = [np.asarray(fold.alphas, dtype=np.float64) for fold in leading]
    if len(groups) > 1 and not first.path_params.get("positive"):
        ratios = [float(fold.l1_ratio) for fold in leading]
        shared = solve_ratios(problem, ratios, grids, rows, False, asked)
        solved = [(whole.scores, whole.gaps, whole.path) for whole in shared]
        problems = [problem] * len(groups)
    else:
        problems = [problem if fold is first else _stated(fold) for fold in leading]
        solved = [score_folds(one, grid, rows, asked) for one, grid in zip(problems, grids, strict=True)]
    worst = max(float(np.max(gaps, initial=0.0)) for _, gaps, _ in solved)
    refuse(worst > max(asked, first.path_params["tol"]), f"the engine's duality gap is {worst:.0e}")
    return [
        (Whole(fold, one, path, asked), scores)
        for fold, one, (scores, _, path) in zip(leading, problems, solved, strict=True)
    ]


def _stated(fold: Fold) -> Problem:
    """All rows, with the penalty of one l1_ratio at strength 1."""
    stated = (fold.X, fold.y, "squared", float(fold.l1_ratio), bool(fold.fit_intercept), False, fold.sample_weight)
    return state(*stated, None, None, None, positive=bool(fold.path_params.get("positive")))[0]


class _Final:
    """The model of the chosen strength, from the path over all rows that the folds left, or up to there."""

    _solved: tuple | list = ()

    def fit(self: Any, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Read a path of these very data where it converged; else fit."""
        for whole in self._solved:
            fold = whole.fold
            same = fold.X is X and fold.y is y and fold.sample_weight is sample_weight
            found = whole.at(self.alpha) if same and fold.l1_ratio == self.l1_ratio else None
            if found is not None:
                return self._read(fold, *found)
        return super().fit(X, y) if sample_weight is None else super().fit(X, y, sample_weight=sample_weight)  # type: ignore[misc]

    def _read(self: Any, fold: Fold, path: PathColumns, at: int) -> Any:
        kind = fold.X.dtype.type
        coefs: Any = path.coefs
        own = slice(coefs.indptr[at], coefs.indptr[at + 1])
        self.coef_ = np.zeros(coefs.shape[0], kind)
        self.coef_[coefs.indices[own]] = coefs.data[own]
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


_TOGETHER = {
    "delayed": lambda function: function,
    "_path_residuals": Fold,
    "Parallel": FoldsTogether,
    "_alpha_grid": alpha_grid,
}

LassoCV = stand_in(stock.LassoCV, _TOGETHER, path=staticmethod(enet_path), _get_estimator=_final(_FinalLasso))
ElasticNetCV = stand_in(
    stock.ElasticNetCV, _TOGETHER, path=staticmethod(enet_path), _get_estimator=_final(_FinalElasticNet)
)
