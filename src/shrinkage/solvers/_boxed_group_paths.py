"""Paths of bounded groups: the strong rule picks a working set, a pass over X finds violators, the problem judges."""

from typing import Any

import numpy as np
from scipy import sparse

from shrinkage.design import ResponsesDesign
from shrinkage.problem import MultinomialProblem, Problem
from shrinkage.solvers._bounded import bounds_of
from shrinkage.solvers._boxed_groups import BoxedGroups, BoxedStatement
from shrinkage.solvers._boxed_rows import ClassRows, ResponseRows
from shrinkage.solvers._class_fits import CLASS_SCORES
from shrinkage.solvers._class_groups import NewtonRun, gathered
from shrinkage.solvers._group_fits import _free_block
from shrinkage.solvers._group_terms import GroupTerms
from shrinkage.solvers._records import PathColumns, statuses

LEAST_WALKED = 1e-4  # of the first strength, from which a jump down is one step


class BoxedGroupPath:
    """Walks strengths for one statement; `correlate` maps slopes (n, K) to measured correlations, flat.

    `limits` are the bounds in raw units, which answers keep to the last digit.
    """

    def __init__(self, stated: BoxedStatement, tol: float, null: float, correlate: Any, limits: tuple):
        self._limits = limits
        self.stated, self.fit = stated, BoxedGroups(stated, tol, null)
        self._correlate, self._terms = correlate, stated.terms
        self._inside = np.zeros(stated.terms.n_groups, bool)
        self.n_passes = 0
        self._look()
        self.alpha_max = float(self._scores.max(initial=0.0))
        self._before = self.alpha_max
        self._grow(np.isinf(self._scores) | stated.terms.only_squares)

    def settle(self, alpha: float) -> int:
        """Minimize at a strength, walking to it where it is far below the last; returns the rounds."""
        if alpha >= self.alpha_max * (1 - 4 * np.finfo(float).eps) and not self._terms.only_squares.any():
            return 0  # alpha_max is rounded, and steps may see a trace of a coefficient
        while self._before > LEAST_WALKED * self.alpha_max and alpha < 0.5 * self._before:
            self._settle(0.6 * self._before)
        return self._settle(alpha)

    def _settle(self, alpha: float) -> int:
        self._grow(self._scores + max(self._before - alpha, 0.0) >= alpha)
        rounds = 0
        while True:
            rounds += self.fit.minimize(alpha)
            self._look()
            outside = (self._scores > alpha * (1 + 1e-9)) & ~self._inside
            if not outside.any():
                break
            self._grow(outside)
        self._before = min(self._before, alpha) if alpha > 0 else self._before
        return rounds

    def _look(self) -> None:
        """The strength at which each group may be zero, of correlations that pull to sides that are open."""
        z = self._correlate(-self.fit.slope())
        is_open = np.where(z > 0, self.stated.upper > 0, self.stated.lower < 0)
        open_ones = np.where(is_open, z, 0.0) * self._terms.scale
        self._scores = self._terms.scan(open_ones[:, None])[0][:, 0]
        self.n_passes += 1

    def _grow(self, wanted: np.ndarray) -> None:
        new = np.flatnonzero(wanted & ~self._inside)
        self.fit.grow(new)
        self._inside[new] = True

    def coefs(self) -> np.ndarray:
        """All coefficients in raw units, flat; 0 for the free ones."""
        out = np.zeros(len(self._terms.scale))
        own = self.fit.working.features
        out[own] = self.fit.coefs / self._terms.scale[own]
        return np.where(out == 0, 0.0, np.clip(out, *self._limits))


def boxed_group_path(problem: Problem, alphas: Any, tol: float) -> PathColumns:
    """A path of a `Problem` with a `GroupBox`; `alphas` as `solve_path`, in falling order."""
    null = problem.null.objective
    walk = BoxedGroupPath(_stated(problem), tol, null, lambda R: _correlations(problem, R), bounds_of(problem))
    if callable(alphas):
        alphas = alphas(walk.alpha_max) if null > 0 and walk.alpha_max > 0 else np.zeros(1)
    alphas = np.asarray(alphas, dtype=np.float64)
    coefs, intercepts = np.zeros((problem.design.shape[1], len(alphas))), np.zeros(len(alphas))
    steps, first = np.zeros(len(alphas), np.int32), int(problem.fit_intercept)
    K = getattr(problem.design, "responses", 1)
    to_raw = _free_block(problem, K)[1]
    for t, alpha in enumerate(alphas):
        steps[t] = walk.settle(float(alpha))
        raw = to_raw @ walk.fit.free.ravel() + np.concatenate(
            [[problem.null.intercept] * first, problem.null.coef_free]
        )
        coefs[:, t] = walk.coefs()
        coefs[problem.unpenalized, t] = raw[first:]
        intercepts[t] = raw[0] if first else 0.0
    gaps = problem.gaps(coefs, intercepts, alphas)
    kkt = problem.kkts(coefs, intercepts, alphas)
    status = statuses(gaps / null if null > 0 else gaps, tol)
    return PathColumns(alphas, sparse.csc_array(coefs), intercepts, gaps, kkt, steps, status, walk.n_passes)


def _stated(problem: Problem) -> BoxedStatement:
    design: Any = problem.design
    K = getattr(design, "responses", 1)
    base = design.base if isinstance(design, ResponsesDesign) else design
    terms = GroupTerms.of(problem.with_penalty(problem.penalty.penalty), problem.unpenalized)
    lower, upper = bounds_of(problem)
    return BoxedStatement(
        ResponseRows(problem, K), problem.weights[::K] * K, np.reshape(problem.null.eta, (-1, K)),
        _free_block(problem, K)[0], terms, lower * terms.scale, upper * terms.scale,
        lambda columns: gathered(base, columns),
    )  # fmt: skip


def _correlations(problem: Problem, R: np.ndarray) -> np.ndarray:
    Z = problem.design.correlate(np.asfortranarray(R.reshape((-1, 1))))[:, 0]
    return Z if problem.scale is None else Z / problem.scale


class BoxedClassGroups:
    """`GroupPath` of a grouped `MultinomialProblem` whose coefficients have bounds."""

    def __init__(self, problem: MultinomialProblem, tol: float):
        self._problem = problem
        limits = tuple(np.repeat(bound, problem.n_classes) for bound in bounds_of(problem))
        self._walk = BoxedGroupPath(_stated_classes(problem), tol, problem.null.objective, self._correlations, limits)

    def _correlations(self, R: np.ndarray) -> np.ndarray:
        Z = self._problem.design.correlate(np.asfortranarray(R))
        return (Z if self._problem.scale is None else Z / np.asarray(self._problem.scale)[:, None]).ravel()

    def run(self, alphas: np.ndarray, held_out: np.ndarray | None, judge: MultinomialProblem, score: str) -> NewtonRun:
        """Every strength, largest first, each warm-started; scores of held-out rows under the weights of `judge`."""
        problem, K, walk = self._problem, self._problem.n_classes, self._walk
        first, null = int(problem.fit_intercept), problem.null
        coefs, levels = np.zeros((K * problem.design.shape[1], len(alphas))), np.zeros((K, len(alphas)))
        scores, steps = np.empty(len(alphas)), np.zeros(len(alphas), np.int32)
        for t, alpha in enumerate(map(float, alphas)):
            steps[t] = walk.settle(alpha)
            base: Any = null.intercept
            raw = problem.free_block[1] @ walk.fit.free
            raw += np.concatenate([np.reshape(base, (1, K))[:first], null.coef_free])
            raw -= raw.mean(axis=1, keepdims=True)
            W = walk.coefs().reshape((-1, K))
            W[problem.free] = raw[first:]
            coefs[:, t], levels[:, t] = W.T.ravel(), raw[0] if first else 0.0
            if held_out is not None:
                eta = problem.start + levels[:, t] + problem.design.combine(np.arange(len(W)), np.asfortranarray(W))
                scores[t] = CLASS_SCORES[score](judge, eta[:, :, None], held_out)[0]
        gaps = problem.gaps(coefs, levels, alphas)
        return NewtonRun(coefs, levels, gaps, scores, steps, null.objective, walk.n_passes)


def _stated_classes(problem: MultinomialProblem) -> BoxedStatement:
    p, K, ratio = problem.design.shape[1], problem.n_classes, float(problem.penalty.l1_ratio)
    inside = np.ones(p, bool)
    inside[problem.free] = False
    scale = np.ones(p) if problem.scale is None else np.asarray(problem.scale)
    factors = problem.factors[inside]
    columns = (K * np.flatnonzero(inside)[:, None] + np.arange(K)).ravel()
    every = np.repeat(problem.factors, K)
    scale = np.repeat(scale, K)
    terms = GroupTerms(
        np.arange(len(factors) + 1) * K, columns, np.zeros(p * K), (1 - ratio) * every, ratio * factors, scale
    )
    lower, upper = (np.repeat(bound, K) * scale for bound in bounds_of(problem))
    return BoxedStatement(
        ClassRows(problem), problem.weights, problem.null.eta, problem.free_block[0], terms, lower, upper,
        lambda columns: gathered(problem.design, columns),
    )  # fmt: skip
