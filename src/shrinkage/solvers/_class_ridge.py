"""Ridge of several classes: every strength by quasi-Newton steps in the core, all rows and folds beside each other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg

from shrinkage import _core
from shrinkage.problem import MultinomialProblem
from shrinkage.solvers._class_columns import ClassColumns, Formed
from shrinkage.solvers._class_fits import CLASS_SCORES, in_every_class
from shrinkage.solvers._crew import Crew

_MOST_REDUCED = 2000
"""Rows up to which wide data are reduced by the eigenvectors of their products."""
_AT_ONCE = 4_000_000
"""Linear predictors that are held at once."""
_WATCHED = 8  # strengths between two looks at whether to go on
_WORTH_A_CREW = 20_000
"""Entries of the columns, times classes, from which a thread for each fold outweighs its start."""

Watch = Callable[[np.ndarray, np.ndarray], bool]


@dataclass(frozen=True)
class ClassRun:
    """Fits at all strengths that were walked, the one of all rows first.

    Attributes
    ----------
    coefs : ndarray of shape (K n_features, T)
        Of the first fit, as `intercepts` (K, T), `kkt` (T,) and `steps` (T,).
    gaps : ndarray of shape (T, n_fits)
    nulls : ndarray of shape (n_fits,)
    scores : ndarray of shape (T, n_folds)
    """

    coefs: np.ndarray
    intercepts: np.ndarray
    kkt: np.ndarray
    steps: np.ndarray
    gaps: np.ndarray
    nulls: np.ndarray
    scores: np.ndarray


def ridge_of_classes(
    problems: list[MultinomialProblem],
    alphas: np.ndarray,
    held_out: list[np.ndarray],
    tol: float,
    score: str,
    watch: Watch | None = None,
) -> ClassRun:
    """Minimize every problem at falling strengths; the first is that of all rows, the others have rows held out.

    Parameters
    ----------
    problems : list of MultinomialProblem with l1_ratio 0
    watch : callable, optional
        Called as watch(losses, scores) with the mean losses (T,) of all rows, and the scores, of the strengths so far;
        True ends the walk.
    """
    fits, judge, of_rows = [RidgeFit(problem) for problem in problems], problems[0], CLASS_SCORES[score]
    n, K = judge.y.shape
    most = max(1, min(_AT_ONCE // (n * K), len(alphas), len(alphas) if watch is None else _WATCHED))
    parts, losses, gaps, scores = [], np.zeros(0), [], np.zeros((0, len(held_out)))
    with Crew(len(fits) if n * K * judge.design.shape[1] > _WORTH_A_CREW else 1) as crew:
        for start in range(0, len(alphas), most):
            some = np.ascontiguousarray(alphas[start : start + most])
            found = crew.each(lambda fit, some=some: fit.solve(some, tol), fits)
            first = found[0]
            parts.append((*fits[0].raw(first.coefs), fits[0].violations(first.gradients), first.steps))
            gaps.append(np.stack([one.gaps for one in found], axis=1))
            own = [of_rows(judge, one.eta, rows) for one, rows in zip(found[1:], held_out, strict=True)]
            scores = np.vstack([scores, np.array(own).reshape((-1, len(some))).T])
            if watch is not None:
                losses = np.append(losses, judge.mean_losses(first.eta))
                if watch(losses, scores):
                    break
    coefs, intercepts, kkt, steps = (np.concatenate([part[i] for part in parts], axis=-1) for i in range(4))
    nulls = np.array([fit.null for fit in fits])
    return ClassRun(coefs, intercepts, kkt, steps, np.concatenate(gaps), nulls, scores)


@dataclass(frozen=True)
class Answers:
    """What a fit holds at T strengths, F = [Q, A]."""

    coefs: np.ndarray  # (columns of F, K, T)
    gradients: np.ndarray  # (columns of F, K, T)
    eta: np.ndarray  # (n_samples, K, T)
    gaps: np.ndarray
    steps: np.ndarray


class RidgeFit:
    """Minimizes Σ vᵢ ℓ(yᵢ, ηᵢ) + ½α‖V‖² over V and D, η = offset + Q D + A V, A_j = x_j / (scale_j √f_j) centered.

    Wide data are reduced: with A Aᵀ = U S² Uᵀ, V = Aᵀ U S⁻¹ V' and η = Q D + U S V', exactly.

    Parameters
    ----------
    problem : MultinomialProblem with l1_ratio 0
    """

    def __init__(self, problem: MultinomialProblem):
        self._problem, self.null = problem, problem.null.objective
        Q, self._to_raw = problem.free_block
        p, K, n = problem.design.shape[1], problem.n_classes, len(problem.weights)
        scale = np.ones(p) if problem.scale is None else np.asarray(problem.scale)
        self._shrunk = np.flatnonzero(problem.factors > 0)
        self._size = 1.0 / (scale * np.sqrt(np.where(problem.factors > 0, problem.factors, 1.0)))[self._shrunk]
        center = problem.weights if problem.fit_intercept else None
        self._wide = ClassColumns(problem.design, self._shrunk, self._size, center)
        columns: Any = self._wide
        self._basis: np.ndarray | None = None
        if n < len(self._shrunk) and n <= _MOST_REDUCED:
            columns = self._reduced()
        self._r = Q.shape[1]
        dense = np.asfortranarray(Q if columns.values is None else np.hstack([Q, columns.values]))
        own, self._sparse = problem.weights, columns.compressed()
        self._fit = _core.ClassRidge(
            K, _stacked(problem.y), np.tile(own, K), _stacked(problem.null.eta), dense, self._sparse, columns.means,
            self._r, in_every_class(Q, K), problem.fit_intercept and self._r == 1, self.null,
        )  # fmt: skip
        self._columns, self._width = columns, self._r + columns.shape[1]

    def _reduced(self) -> Formed:
        size, U = linalg.eigh(self._wide.outer())
        keep = size > 1e-14 * max(size[-1], 1e-300)
        root = np.sqrt(size[keep])
        self._basis = U[:, keep] / root
        return Formed(U[:, keep] * root)

    def solve(self, alphas: np.ndarray, tol: float) -> Answers:
        """Minimize at falling strengths, from where the last ones ended."""
        (n, K), T = self._problem.y.shape, len(alphas)
        coefs, gradients = (np.empty((self._width * K, T), order="F") for _ in range(2))
        eta, gaps, steps = np.empty((n * K, T), order="F"), np.empty(T), np.zeros(T, np.int32)
        self._fit.solve(alphas, tol, coefs, gradients, eta, gaps, steps)
        shape = (self._width, K, T)
        return Answers(coefs.reshape(shape), gradients.reshape(shape), eta.reshape((n, K, T), order="F"), gaps, steps)

    def raw(self, coefs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (K n_features, T) and intercepts (K, T), centered over classes where nothing penalizes them."""
        problem, (_, K, T) = self._problem, coefs.shape
        null, first = problem.null, int(problem.fit_intercept)
        free = np.tensordot(self._to_raw, coefs[: self._r], 1)
        free += np.concatenate([np.reshape(null.intercept, (1, K))[:first], null.coef_free])[:, :, None]
        free -= free.mean(axis=1, keepdims=True)
        V = self._on_columns(coefs)
        W = np.zeros((problem.design.shape[1], K, T))
        W[self._shrunk] = self._size[:, None, None] * V
        W[problem.free] = free[first:]
        levels = np.zeros((K, T))
        if first:
            levels = free[0] - np.tensordot(self._wide.means, V, 1)
            levels -= levels.mean(axis=0)
        return W.transpose(1, 0, 2).reshape((-1, T)), levels

    def violations(self, gradients: np.ndarray) -> np.ndarray:
        """(T,) largest violations of the optimality conditions in raw units, of gradients in D and V."""
        problem, first = self._problem, int(self._problem.fit_intercept)
        Z = problem.design.combine(problem.free, np.eye(len(problem.free)))
        if first:
            Z = np.hstack([np.ones((len(problem.y), 1)), Z])
        back = Z.T @ (problem.weights[:, None] * problem.free_block[0])
        free, shrunk = np.tensordot(back, gradients[: self._r], 1), self._on_columns(gradients)
        if first:
            shrunk = shrunk + self._wide.means[:, None, None] * free[0]
        shrunk = shrunk / self._size[:, None, None]
        return np.maximum(*(np.abs(part).max(axis=(0, 1), initial=0.0) for part in (free, shrunk)))

    def _on_columns(self, values: np.ndarray) -> np.ndarray:
        """V (n_penalized, K, T), or its gradient, of what the core holds."""
        V = values[self._r :]
        if self._basis is None:
            return V
        return self._wide.adjoint(self._basis @ V.reshape((len(V), -1))).reshape((-1, *V.shape[1:]))


def _stacked(rows: np.ndarray) -> np.ndarray:
    """(n_samples, K) as a vector, class after class."""
    return np.ascontiguousarray(rows.T).ravel()
