"""Whole paths, and the strength chosen by cross-validation: the front of the engine."""

import warnings
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from shrinkage._check import (
    check_boolean,
    check_choice,
    check_fraction,
    check_positive,
    check_positive_int,
    finite_vector,
    weight_vector,
)
from shrinkage._errors import ArgumentError, ConvergenceWarning, DataError
from shrinkage.design import as_design
from shrinkage.losses import Logistic, Loss, Squared
from shrinkage.penalties import L1L2
from shrinkage.problem import Problem
from shrinkage.solvers import PathColumns, Status, column_scale, solve_folds, solve_path

LOSSES: dict[str, Loss] = {"squared": Squared(), "logistic": Logistic()}


@dataclass(frozen=True)
class Path:
    """Coefficients at many strengths, each with its certificate.

    Attributes
    ----------
    alphas : ndarray of shape (n_alphas,)
        Strengths, largest first.
    coefs : scipy.sparse.csc_array of shape (n_features, n_alphas)
        In the raw units of X, also where columns were standardized.
    intercepts : ndarray of shape (n_alphas,)
    gaps : ndarray of shape (n_alphas,)
        Duality gaps, in the objective's unit: the objective is at most this far from its minimum.
    kkt : ndarray of shape (n_alphas,)
        Largest violations of the optimality conditions, in the gradient's unit.
    status : tuple of Status
    n_passes : int
        Products of all of X with a block of vectors that the path took.
    null_objective : float
        Objective of the model with intercept and free columns only; gaps are judged relative to it.
    loss : Loss
    l1_ratio : float
    classes : tuple or None
        The two values of y, the second of which counts as 1; None for a regression.
    feature_names : tuple of str or None
    """

    alphas: np.ndarray
    coefs: sparse.csc_array
    intercepts: np.ndarray
    gaps: np.ndarray
    kkt: np.ndarray
    status: tuple[Status, ...]
    n_passes: int
    null_objective: float
    loss: Loss
    l1_ratio: float
    classes: tuple | None = None
    feature_names: tuple[str, ...] | None = None

    @property
    def n_nonzero(self) -> np.ndarray:
        """(n_alphas,) number of non-zero coefficients."""
        return np.diff(self.coefs.indptr)

    @property
    def relative_gaps(self) -> np.ndarray:
        """(n_alphas,) gaps over the objective of the null model; where that is 0, the gaps."""
        return self.gaps / self.null_objective if self.null_objective > 0 else self.gaps

    def coef(self, alpha: float) -> np.ndarray:
        """Coefficients (n_features,) at one strength, linear in alpha between strengths of the grid.

        Raises
        ------
        ArgumentError
            If alpha lies outside the grid.
        """
        low, high, share = self._place(alpha)
        return (1 - share) * self.coefs[:, [low]].toarray()[:, 0] + share * self.coefs[:, [high]].toarray()[:, 0]

    def intercept(self, alpha: float) -> float:
        """Intercept at one strength, linear in alpha between strengths of the grid."""
        low, high, share = self._place(alpha)
        return float((1 - share) * self.intercepts[low] + share * self.intercepts[high])

    def predict(self, X: ArrayLike, alpha: float, offset: ArrayLike | None = None) -> np.ndarray:
        """Mean response (n_samples,) at one strength: the value; for logistic the probability of the second class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), dense, sparse or a table
        alpha : float within the grid
        offset : array-like of shape (n_samples,), optional
            Added to the linear predictor.
        """
        design = as_design(X)
        if design.shape[1] != self._n_features:
            raise ArgumentError(f"X must have {self._n_features} columns, as in the fit; got {design.shape[1]}")
        coef = self.coef(alpha)
        support = np.flatnonzero(coef)
        eta = design.combine(support, coef[support, None])[:, 0] + self.intercept(alpha)
        if offset is not None:
            eta = eta + finite_vector("offset", offset, design.shape[0])
        return self.loss.inverse_link(eta)

    def to_frame(self) -> Any:
        """One row per strength, in pandas: alpha, intercept, n_nonzero, gap, kkt, status, and a column per feature."""
        try:
            import pandas as pd
        except ImportError as error:
            from shrinkage._errors import MissingExtraError

            raise MissingExtraError("Path.to_frame needs pandas: pip install pandas") from error
        names = self.feature_names or tuple(f"x{j}" for j in range(self._n_features))
        summary = pd.DataFrame(
            {
                "alpha": self.alphas,
                "intercept": self.intercepts,
                "n_nonzero": self.n_nonzero,
                "gap": self.gaps,
                "kkt": self.kkt,
                "status": [s.name for s in self.status],
            }
        )
        return pd.concat([summary, pd.DataFrame(self.coefs.toarray().T, columns=list(names))], axis=1)

    @property
    def _n_features(self) -> int:
        return cast(tuple[int, int], self.coefs.shape)[0]

    def _place(self, alpha: float) -> tuple[int, int, float]:
        first, last = float(self.alphas[0]), float(self.alphas[-1])
        if not last * (1 - 1e-12) <= alpha <= first * (1 + 1e-12):
            raise ArgumentError(f"alpha must lie within the path, {last:.6g} to {first:.6g}; got {alpha!r}")
        high = int(np.searchsorted(-self.alphas, -alpha, side="left"))
        high = min(high, len(self.alphas) - 1)
        if self.alphas[high] == alpha or high == 0:
            return high, high, 0.0
        low = high - 1
        return low, high, float((self.alphas[low] - alpha) / (self.alphas[low] - self.alphas[high]))


@dataclass(frozen=True)
class CrossValidation:
    """Held-out errors of a whole path, and the strengths that they point to.

    With m_k the mean held-out deviance of fold k and n_k its weight: mean = Σ n_k m_k / Σ n_k and
    se = sqrt(Σ n_k (m_k - mean)² / Σ n_k / (K - 1)), as R's cv.glmnet.

    Attributes
    ----------
    alphas : ndarray of shape (n_alphas,)
    scores : ndarray of shape (n_alphas, n_folds)
        Mean held-out deviances: squared errors for the squared loss, -2 log likelihood for logistic. Lower is better.
    mean, se : ndarray of shape (n_alphas,)
    alpha_min : float
        The strength of the lowest mean.
    alpha_1se : float
        The largest strength whose mean is within one standard error of the lowest.
    index_min, index_1se : int
    path : Path
        The fit on all rows.
    fold_weights : ndarray of shape (n_folds,)
        Sum of the sample weights held out.
    fold_gaps : ndarray of shape (n_alphas, n_folds)
        Relative duality gap of each fold's fit.
    """

    alphas: np.ndarray
    scores: np.ndarray
    mean: np.ndarray
    se: np.ndarray
    alpha_min: float
    alpha_1se: float
    index_min: int
    index_1se: int
    path: Path
    fold_weights: np.ndarray
    fold_gaps: np.ndarray

    @classmethod
    def from_scores(cls, alphas, scores, fold_weights, path: Path, fold_gaps) -> "CrossValidation":
        """Summarize scores (n_alphas, n_folds), with strengths largest first."""
        share = fold_weights / fold_weights.sum()
        mean = scores @ share
        spread = ((scores - mean[:, None]) ** 2) @ share
        se = np.sqrt(spread / (scores.shape[1] - 1)) if scores.shape[1] > 1 else np.full(len(mean), np.nan)
        best = int(np.argmin(mean))
        limit = mean[best] + (se[best] if np.isfinite(se[best]) else 0.0)
        simplest = int(np.flatnonzero(mean <= limit)[0])
        return cls(
            alphas,
            scores,
            mean,
            se,
            float(alphas[best]),
            float(alphas[simplest]),
            best,
            simplest,
            path,
            fold_weights,
            fold_gaps,
        )


def alpha_grid(alpha_max: float, n_alphas: int = 100, alpha_min_ratio: float = 1e-3) -> np.ndarray:
    """Strengths evenly spaced in log, from `alpha_max` down to `alpha_min_ratio` of it.

    >>> alpha_grid(2.0, n_alphas=3, alpha_min_ratio=0.01)
    array([2.  , 0.2 , 0.02])
    """
    check_positive_int("n_alphas", n_alphas)
    check_positive("alpha_min_ratio", alpha_min_ratio)
    if alpha_min_ratio >= 1:
        raise ArgumentError(f"alpha_min_ratio must be below 1; got {alpha_min_ratio}")
    return alpha_max * np.geomspace(1.0, alpha_min_ratio, n_alphas)


def path(
    X: ArrayLike,
    y: ArrayLike,
    loss: str = "squared",
    l1_ratio: float = 1.0,
    alphas: ArrayLike | None = None,
    n_alphas: int = 100,
    alpha_min_ratio: float = 1e-3,
    fit_intercept: bool = True,
    standardize: bool = False,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    penalty_factor: ArrayLike | None = None,
    penalty: Any = None,
    tol: float = 1e-6,
) -> Path:
    """Fit a linear or logistic model at many strengths, each certified.

    Minimizes (1/S) Σ sᵢ ℓ(yᵢ, ηᵢ) + α Σ_j f_j (ρ|w_j| + ½(1-ρ) w_j²) with η = offset + Xw + b and S = Σ sᵢ; ℓ is
    ½(y-η)² or the negative log-likelihood of a class. The intercept b is never penalized.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        NumPy array, SciPy sparse matrix, or a pandas, polars or Arrow table. Not copied when float64 or float32.
    y : array-like of shape (n_samples,)
        Numbers; for logistic 0 and 1, booleans, or two string classes (the second in sorted order counts as 1).
    loss : "squared" or "logistic"
    l1_ratio : float in [0, 1]
        ρ: 1 is the lasso, 0 is ridge.
    alphas : array-like, optional
        Strengths; sorted, largest first. None makes `n_alphas` of them from alpha_max, the smallest that zeroes every
        penalized coefficient, down to `alpha_min_ratio` of it; if y is explained without the penalized columns, one.
        Ridge has no such strength: its grid starts at 1000 times the lasso's alpha_max, as in glmnet, and ends at
        `alpha_min_ratio` times the lasso's.
    n_alphas : int
    alpha_min_ratio : float in (0, 1)
    fit_intercept : bool
    standardize : bool
        Penalize sd_j·w_j instead of w_j, sd_j the weighted standard deviation (1/S) of column j; coefficients stay in
        raw units.
    sample_weight : array-like of shape (n_samples,), optional
        sᵢ >= 0; 2 means the row twice.
    offset : array-like of shape (n_samples,), optional
    penalty_factor : array-like of shape (n_features,), optional
        f_j >= 0; 0 leaves a column free.
    penalty : L1, L2 or L1L2, optional
        Instead of `l1_ratio` and `penalty_factor`; its alpha is replaced by the grid.
    tol : float > 0
        Largest relative duality gap (gap over the objective of the null model) of any strength.

    Returns
    -------
    Path

    Raises
    ------
    ArgumentError, DataError
        For values that cannot be used, naming the argument and the value met.

    Warns
    -----
    ConvergenceWarning
        If a strength missed `tol`; it is returned with a status that says so.

    Notes
    -----
    glmnet's gaussian family divides its L2 part by sd(y); every other number means the same there.

    Examples
    --------
    >>> from shrinkage import path
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> p = path(X, y, n_alphas=20, alpha_min_ratio=0.01)
    >>> p.n_nonzero[[0, 5, 19]].tolist()
    [0, 4, 8]
    >>> bool(p.relative_gaps.max() < 1e-6)
    True
    """
    problem, classes = _state(
        X, y, loss, l1_ratio, fit_intercept, standardize, sample_weight, offset, penalty_factor, penalty
    )
    check_positive("tol", tol)
    columns = solve_path(problem, _grid(alphas, n_alphas, alpha_min_ratio, problem.penalty.l1_ratio), tol)
    return _finish(problem, columns, classes, tol)


def cross_validate(
    X: ArrayLike,
    y: ArrayLike,
    cv: Any = 10,
    groups: ArrayLike | None = None,
    loss: str = "squared",
    l1_ratio: float = 1.0,
    alphas: ArrayLike | None = None,
    n_alphas: int = 100,
    alpha_min_ratio: float = 1e-3,
    fit_intercept: bool = True,
    standardize: bool = False,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    penalty_factor: ArrayLike | None = None,
    penalty: Any = None,
    tol: float = 1e-6,
) -> CrossValidation:
    """Fit a whole path and score every strength on rows held out; all folds share the passes over X.

    Parameters
    ----------
    X, y, loss, l1_ratio, alphas, n_alphas, alpha_min_ratio
        As `path`. The grid is that of all rows.
    fit_intercept, standardize, sample_weight, offset, penalty_factor, penalty, tol
        As `path`; standardizing is redone on the training rows of each fold.
    cv : int, splitter or iterable of (train, test) index pairs
        An int is that many folds without shuffling, as in scikit-learn: stratified for logistic.
    groups : array-like of shape (n_samples,), optional
        Groups of rows, for a splitter that keeps them together.

    Returns
    -------
    CrossValidation

    Examples
    --------
    >>> from shrinkage import cross_validate
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> cv = cross_validate(X, y, cv=10, n_alphas=50)
    >>> cv.scores.shape
    (50, 10)
    >>> cv.alpha_1se > cv.alpha_min
    True
    """
    problem, classes = _state(
        X, y, loss, l1_ratio, fit_intercept, standardize, sample_weight, offset, penalty_factor, penalty
    )
    check_positive("tol", tol)
    folds = _folds(cv, problem, groups)
    result = solve_folds(
        problem, _grid(alphas, n_alphas, alpha_min_ratio, problem.penalty.l1_ratio), folds, standardize, tol
    )
    weights = np.ones(len(problem.y)) if problem.sample_weight is None else problem.sample_weight
    fold_weights = np.array([weights[test].sum() for _, test in folds])
    fitted = _finish(problem, result.path, classes, tol, result.gaps)
    order = np.argsort(-result.path.alphas, kind="stable")
    return CrossValidation.from_scores(fitted.alphas, result.scores[order], fold_weights, fitted, result.gaps[order])


def _state(
    X, y, loss, l1_ratio, fit_intercept, standardize, sample_weight, offset, penalty_factor, penalty
) -> tuple[Problem, tuple | None]:
    """The Problem that the arguments state, with alpha 1, and the two classes of y."""
    check_choice("loss", loss, tuple(LOSSES))
    check_boolean("fit_intercept", fit_intercept)
    check_boolean("standardize", standardize)
    design = as_design(X)
    n, p = design.shape
    target, classes = _response(y, loss, n)
    if sample_weight is not None:
        sample_weight = weight_vector("sample_weight", sample_weight, n)
    if offset is not None:
        offset = finite_vector("offset", offset, n)
    terms = _penalty(l1_ratio, penalty_factor, penalty, p)
    scale = None
    if standardize:
        weights = None if sample_weight is None else np.asfortranarray(sample_weight[:, None])
        scale = column_scale(design, weights, fit_intercept)[:, 0]
    return Problem(design, target, LOSSES[loss], terms, sample_weight, offset, fit_intercept, scale), classes


def _penalty(l1_ratio, penalty_factor, penalty, p: int) -> L1L2:
    if penalty is None:
        check_fraction("l1_ratio", l1_ratio)
        factors = None if penalty_factor is None else np.array(weight_vector("penalty_factor", penalty_factor, p))
        return L1L2(1.0, float(l1_ratio), factors)
    if l1_ratio != 1.0 or penalty_factor is not None:
        raise ArgumentError("penalty already says l1_ratio and penalty_factor: give one or the other")
    if not all(hasattr(penalty, name) for name in ("l1_ratio", "factors", "prox")):
        raise ArgumentError(f"penalty must be an L1, L2 or L1L2 of shrinkage.penalties; got {type(penalty).__name__}")
    factors = None if penalty.factors is None else finite_vector("penalty.factors", penalty.factors, p)
    return L1L2(1.0, float(penalty.l1_ratio), factors)


def _response(y, loss: str, n: int) -> tuple[np.ndarray, tuple | None]:
    values = np.asarray(y)
    if values.ndim != 1 or len(values) != n:
        raise ArgumentError(f"y must have shape ({n},), one value for each row of X; got {values.shape}")
    if loss == "squared":
        return finite_vector("y", values, n), None
    if values.dtype.kind in "OSUT" or values.dtype == bool:
        classes = np.unique(values.astype(str) if values.dtype.kind == "O" else values)
        values = values.astype(str) if values.dtype.kind == "O" else values
    else:
        values = finite_vector("y", values, n)
        LOSSES[loss].check(values)
        classes = np.unique(values)
    if len(classes) != 2:
        raise DataError(f"y must hold two classes for loss='logistic'; got {len(classes)}: {classes[:5].tolist()}")
    return (values == classes[1]).astype(np.float64), tuple(classes.tolist())


def _grid(alphas, n_alphas: int, alpha_min_ratio: float, l1_ratio: float):
    if alphas is None:
        alpha_grid(1.0, n_alphas, alpha_min_ratio)
        # ridge has no alpha_max: its grid starts at 1000 times that of the lasso, and ends where the lasso's would
        ratio = alpha_min_ratio * 1e-3 if l1_ratio == 0 else alpha_min_ratio
        return lambda alpha_max: alpha_grid(alpha_max, n_alphas, ratio)
    values = np.asarray(alphas, dtype=np.float64)
    if values.ndim != 1 or not values.size:
        raise ArgumentError(f"alphas must be a non-empty vector of strengths; got shape {values.shape}")
    values = finite_vector("alphas", values, values.size)
    if values.min() < 0:
        raise ArgumentError(f"alphas must be >= 0; position {int(values.argmin())} is {values.min()}")
    return np.sort(values)[::-1].copy()


def _folds(cv, problem: Problem, groups) -> list[tuple[np.ndarray, np.ndarray]]:
    from sklearn.model_selection import check_cv

    y, logistic = problem.y, problem.loss.name == "logistic"
    if isinstance(cv, (int, np.integer)) and not isinstance(cv, bool):
        check_positive_int("cv", cv, 2)
        if cv > len(y):
            raise ArgumentError(f"cv must be at most the number of rows, {len(y)}; got {cv}")
        fewest, most = sorted((int(y.sum()), int(len(y) - y.sum())))
        if logistic and fewest < 2:
            raise DataError(f"y must hold two rows of each class or more to be cross-validated; the rarer has {fewest}")
        if logistic and cv > most:
            raise ArgumentError(f"cv must be at most the number of rows of the larger class, {most}; got {cv}")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        splitter: Any = check_cv(cast(Any, cv), y.astype(int) if logistic else y, classifier=logistic)
        pairs = list(splitter.split(np.zeros(len(y)), y.astype(int) if logistic else y, groups))
    weights = np.ones(len(y)) if problem.sample_weight is None else problem.sample_weight
    folds = []
    for k, (train, test) in enumerate(pairs):
        train, test = _index(train, len(y)), _index(test, len(y))
        _check_fold(k, train, test, weights, y if logistic else None)
        folds.append((train, test))
    if not folds:
        raise ArgumentError("cv must yield at least one (train, test) pair; got none")
    return folds


def _index(rows, n: int) -> np.ndarray:
    rows = np.asarray(rows)
    rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
    if rows.size and (rows.min() < 0 or rows.max() >= n):
        raise ArgumentError(f"cv must yield row numbers between 0 and {n - 1}; got {rows.min()} to {rows.max()}")
    return rows if (rows[1:] > rows[:-1]).all() else np.unique(rows)


def _check_fold(k: int, train: np.ndarray, test: np.ndarray, weights: np.ndarray, classes: np.ndarray | None) -> None:
    seen = np.zeros(len(weights), bool)
    seen[train] = True
    if seen[test].any():
        raise ArgumentError(f"cv must hold out rows that the fold does not train on; fold {k} has rows in both")
    if not weights[train].sum() > 0 or not weights[test].sum() > 0:
        raise DataError(f"fold {k} of cv has no row with a positive weight to train on or to hold out")
    if classes is not None and len(np.unique(classes[train[weights[train] > 0]])) < 2:
        raise DataError(f"y has a single class in the training rows of fold {k}: use fewer folds, or stratified ones")


def _finish(problem: Problem, columns: PathColumns, classes, tol: float, fold_gaps: np.ndarray | None = None) -> Path:
    null = problem.null.objective
    result = Path(
        columns.alphas,
        columns.coefs,
        columns.intercepts,
        columns.gaps,
        columns.kkt,
        columns.status,
        columns.n_passes,
        null,
        problem.loss,
        float(problem.penalty.l1_ratio),
        classes,
        problem.design.feature_names,
    )
    missed = sum(status is Status.GAP_ABOVE_TOL for status in columns.status)
    worst = float(np.max(result.relative_gaps, initial=0.0))
    if fold_gaps is not None and fold_gaps.size:
        missed += int((fold_gaps > tol).sum())
        worst = max(worst, float(fold_gaps.max()))
    if missed:
        found = f"{missed} fits ended with a relative duality gap above tol: {worst:.1e} > {tol:.1e}"
        message = f"{found}; raise tol, or standardize X"
        warnings.warn(message, ConvergenceWarning, stacklevel=3)
    return result
