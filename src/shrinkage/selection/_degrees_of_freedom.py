"""How many degrees of freedom a fit spends, at every strength of a path."""

from itertools import pairwise
from typing import Any

import numpy as np
from scipy import linalg

from shrinkage._errors import ArgumentError
from shrinkage._path import CrossValidation, Path
from shrinkage.penalties import Box
from shrinkage.problem import Problem, row_loss
from shrinkage.selection._projected import DEPENDENT, Projected, independent, own_lengths, projected_of
from shrinkage.selection._ridge_spectrum import ridge_spectrum

Array = np.ndarray
lapack: Any = linalg.lapack

LARGEST = 6_000
"""Largest Gram matrix that is made of columns that enter at any strength (288 MB)."""


def degrees_of_freedom(fitted: Path | CrossValidation) -> np.ndarray:
    r"""Degrees of freedom of every fit of a path, Σᵢ cov(ŷᵢ, yᵢ) / σ² estimated without bias.

    With A the columns whose coefficients are not zero and Q the intercept and the unpenalized columns:

    - lasso: rank of [Q, X_A]. That counts coefficients where columns are independent, and no more than there is room
      for where they are not;
    - elastic net and ridge: trace of [Q, X_A] ([Q, X_A]ᵀ W [Q, X_A] + α(1-ρ) D)⁻¹ [Q, X_A]ᵀ W, with
      D = diag(f_j scale_j²) on the columns of A and 0 on Q: ridge spends less than a degree on each column;
    - logistic: the same with the curvatures sᵢ μᵢ(1-μᵢ) / S as W, the working weights of the last Newton step.

    Weights, offset, factors and standardizing are those of the path. Rows of weight 0 count for nothing.

    Parameters
    ----------
    fitted : Path or CrossValidation
        As `path` or `cross_validate` returned it: it has to know its data.

    Returns
    -------
    ndarray of shape (n_alphas,), float64

    Raises
    ------
    ArgumentError
        If the path does not know its data, because it was stored or belongs to an estimator.

    Notes
    -----
    For squared errors with normal noise the expectation is exact at every fixed strength; choosing the strength, and
    taking scales of columns from the same X, is not counted. For other losses it is a large-sample approximation.

    Cost of the lasso: one Gram matrix of all columns that ever enter. Elastic net: a Cholesky factor for every
    strength. Ridge: one eigendecomposition of the smaller of rows and columns for the squared loss, a Cholesky factor
    for every strength for others.

    References
    ----------
    Zou, Hastie & Tibshirani (2007), Ann. Statist. 35(5), https://doi.org/10.1214/009053607000000127; columns that
    depend on each other, and the elastic net: Tibshirani & Taylor (2012), Ann. Statist. 40(2), theorem 2 and its
    corollaries, https://doi.org/10.1214/12-AOS1003. Ridge: Hastie, Tibshirani & Friedman (2009), The Elements of
    Statistical Learning, equation 3.50.

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage import path
    >>> X = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> y = np.array([3.0, -3.0, 0.5, -0.5])
    >>> degrees_of_freedom(path(X, y, alphas=[1.0, 0.1])).tolist()  # the intercept, and one column, and both
    [2.0, 3.0]
    >>> degrees_of_freedom(path(X, y, l1_ratio=0, alphas=[0.5])).tolist()  # each column 0.5 / (0.5 + alpha)
    [2.0]
    """
    path, problem = fitted_path(fitted, "degrees of freedom")
    ratio = path.l1_ratio
    if ratio == 0 and problem.loss.name == "squared":
        return ridge_spectrum(problem, path.alphas).df(path.alphas)
    columns = projected_of(problem)
    supports = [np.intersect1d(support, columns.features) for support in supports_of(path)]
    penalties = path.alphas * (1 - ratio)
    out = np.empty(path.alphas.size)
    unpenalized, ridge = np.flatnonzero(penalties == 0), np.flatnonzero(penalties > 0)
    out[unpenalized] = _ranks(columns, [supports[t] for t in unpenalized])
    if problem.loss.name == "squared":
        out[ridge] = _traces(columns, [supports[t] for t in ridge], penalties[ridge])
    else:
        out[ridge] = _weighted_traces(columns, [supports[t] for t in ridge], penalties[ridge], working(path, ridge))
    return out


def fitted_path(fitted: Any, what: str) -> tuple[Path, Problem]:
    """A path and the problem it solved.

    Raises
    ------
    ArgumentError
        If it is no path, or doesn't know its data.
    """
    path = fitted.path if hasattr(fitted, "path") else fitted
    if not isinstance(path, Path):
        raise ArgumentError(f"{what} are computed for a Path or a CrossValidation; got {type(fitted).__name__}")
    if path.problem is None:
        raise ArgumentError(
            f"{what} need the data, which this path does not hold: it was stored, copied, or belongs to an estimator; "
            "take the path that shrinkage.path(X, y, ...) returns"
        )
    if isinstance(path.problem.penalty, Box):
        raise ArgumentError(
            f"{what} hold for coefficients without bounds; this path has lower, upper or excluded columns"
        )
    if np.isnan(path.l1_ratio):
        raise ArgumentError(f"{what} are known for L1, L2 and elastic-net paths; this one has another penalty")
    return path, path.problem


def supports_of(path: Path) -> list[Array]:
    """The features whose coefficient is not zero, for every strength."""
    indptr = path.coefs.indptr
    return [np.sort(path.coefs.indices[a:b][path.coefs.data[a:b] != 0]).astype(np.int64) for a, b in pairwise(indptr)]


def linear_predictors(path: Path, strengths: Array) -> Array:
    """Linear predictors (n_samples, len(strengths)) of all rows of the fit, the offset included."""
    problem = path.problem
    assert problem is not None
    coefs = path.coefs[:, strengths].tocsc()
    rows = np.unique(coefs.indices).astype(np.int64)
    eta = np.zeros((problem.design.shape[0], len(strengths)))
    if rows.size:
        eta = problem.design.combine(rows, np.asfortranarray(coefs[rows].toarray()))
    return eta + path.intercepts[strengths] + (0.0 if problem.offset is None else problem.offset[:, None])


def working(path: Path, strengths: Array) -> Array:
    """Weights times curvatures (n_samples, len(strengths)), at some strengths."""
    problem = path.problem
    assert problem is not None
    curvature = row_loss(problem.loss).curvature(problem.y[:, None], linear_predictors(path, strengths))
    return problem.weights[:, None] * curvature


def _ranks(columns: Projected, supports: list[Array]) -> Array:
    """Rank of the basis and of each support.

    Where all columns that enter along some strengths are independent, so are those of each; strengths are halved until
    that is so, or a strength is alone.
    """
    q, rows = columns.basis.shape[1], int(np.count_nonzero(columns.weights))
    out = np.empty(len(supports))
    waiting = [(0, len(supports))] if supports else []
    while waiting:
        first, stop = waiting.pop()
        union = np.unique(np.concatenate(supports[first:stop]))
        if stop - first == 1:
            out[first] = q + _rank(columns.of(union), rows - q)
        elif union.size <= min(rows - q, LARGEST) and independent(columns.of(union)).size == union.size:
            out[first:stop] = [q + support.size for support in supports[first:stop]]
        else:
            middle = (first + stop) // 2
            waiting += [(first, middle), (middle, stop)]
    return out


def _rank(columns: Projected, room: int) -> int:
    """Rank of C, which is at most `room`."""
    if columns.width <= room:
        return independent(columns).size
    roots = np.sqrt(columns.weights)[:, None]
    lengths = np.sqrt(own_lengths(columns))
    held = roots * columns.held()
    sizes = np.linalg.norm(held, axis=0)
    held = held[:, sizes > DEPENDENT * lengths] / sizes[sizes > DEPENDENT * lengths]
    upper = np.abs(np.diag(linalg.qr(held, mode="r", pivoting=True, check_finite=False)[0]))
    return min(int((upper > DEPENDENT).sum()), room)


def _traces(columns: Projected, supports: list[Array], penalties: Array) -> Array:
    """Traces of the hat matrices of active sets, for the squared loss."""
    q = columns.basis.shape[1]
    union = np.unique(np.concatenate([*supports, np.zeros(0, np.int64)]))
    gram = columns.of(union).gram() if union.size <= LARGEST else None
    out = np.empty(len(supports))
    for t, (support, penalty) in enumerate(zip(supports, penalties, strict=True)):
        if support.size > columns.weights.size or gram is None:
            out[t] = q + _trace(_smaller(columns.of(support)), penalty)
            continue
        places = np.searchsorted(union, support)
        out[t] = q + _trace(gram[np.ix_(places, places)], penalty)
    return out


def _weighted_traces(columns: Projected, supports: list[Array], penalties: Array, weights: Array) -> Array:
    """Traces of the weighted hat matrices, whose weights change with the strength."""
    out = np.empty(len(supports))
    kernel = None
    for t, (support, penalty) in enumerate(zip(supports, penalties, strict=True)):
        part = columns.weighted(weights[:, t]).of(support)
        if support.size == columns.width > columns.weights.size:  # ridge: the kernel is the same at every strength
            kernel = columns.kernel() if kernel is None else kernel
            roots = np.sqrt(part.weights)
            square = roots[:, None] * part.project_kernel(kernel) * roots
        else:
            square = _smaller(part)
        out[t] = part.basis.shape[1] + _trace(square, penalty)
    return out


def _smaller(columns: Projected) -> Array:
    """CᵀΩC or √Ω C Cᵀ √Ω, whichever is smaller."""
    if columns.width <= columns.weights.size:
        return columns.gram()
    roots = np.sqrt(columns.weights)
    return roots[:, None] * columns.project_kernel(columns.kernel()) * roots


def _trace(square: Array, penalty: float) -> float:
    """Trace of G (G + λI)⁻¹ = m - λ‖L⁻¹‖² with L Lᵀ = G + λI, for G positive semidefinite."""
    m = square.shape[0]
    if m == 0:
        return 0.0
    factor, failed = lapack.dpotrf(square + penalty * np.eye(m), lower=1)
    if failed:
        values = np.maximum(np.linalg.eigvalsh(square), 0.0)
        return float((values / (values + penalty)).sum())
    inverse = np.tril(lapack.dtrtri(factor, lower=1)[0])
    return float(m - penalty * np.sum(inverse * inverse))
