"""Tall or small data: after one pass over X, all strengths and folds are solved and certified from moments alone."""

import numpy as np

from shrinkage import _core
from shrinkage.problem import Problem
from shrinkage.solvers._batches import Certified
from shrinkage.solvers._moment_sums import add_moments
from shrinkage.solvers._squared import explained_or, raw_free_coefs


class MomentDriver:
    """All features are the working set; the Gram matrix of a fold is that of all rows minus that of the rows left out.

    For weights s, Q the problem's basis of the intercept and the free columns, and D = [X - QQ'diag(s)X, y, Q] with y
    measured from the null model, the moments are D' diag(s) D over the rows of a fit. Eliminating Q from them (on all
    rows that is done already; a fold differs) leaves H, c and the squared norm of y: everything that the objective, the
    optimality conditions and the duality gap ask for. X is not read again.

    Parameters
    ----------
    problem : Problem with a squared loss
    training : list of boolean arrays of shape (n_samples,)
        The rows of each fit; the first is the full data.
    l1_weights, l2_weights : ndarray of shape (n_features, n_fits)
    l1_ratio : float in (0, 1]
    tol : float
    held_out : list of index arrays, one for each fit after the first
    """

    def __init__(self, problem: Problem, training, l1_weights, l2_weights, l1_ratio: float, tol: float, held_out: list):
        self.problem, self.l1_ratio, self.tol = problem, l1_ratio, tol
        self.penalized = np.flatnonzero(l1_weights[:, 0] > 0)
        self.l1 = np.ascontiguousarray(l1_weights[self.penalized].T)  # (n_fits, m)
        self.l2 = np.ascontiguousarray(l2_weights[self.penalized].T)
        self.n_fits = len(training)
        self._gather_moments(training, held_out)
        self._eliminate()
        with np.errstate(divide="ignore"):
            self.alpha_max = float((np.abs(self.linear[0]) / self.l1[0]).max(initial=0.0)) / l1_ratio

    # --- the pass over X ---------------------------------------------------------------------------------------------

    def _gather_moments(self, training, held_out) -> None:
        problem, n = self.problem, self.problem.design.shape[0]
        weights = np.ones(n) if problem.sample_weight is None else problem.sample_weight
        Q, self.to_raw = problem.free_block
        self.q = Q.shape[1]
        m = len(self.penalized)
        weighted = np.asfortranarray(problem.weights[:, None] * Q)
        self.removed = problem.design.correlate(weighted)[self.penalized].T if self.q else np.zeros((0, m))
        rest = np.column_stack([problem.y - problem.null.eta, Q])
        start = problem.y if problem.offset is None else problem.y - problem.offset
        self.whole = np.array([weights[rows] @ start[rows] ** 2 / weights[rows].sum() for rows in training])

        left_out = [np.flatnonzero(~rows) for rows in training[1:]]
        counts = np.zeros(n, np.int64)
        for rows in left_out:
            counts[rows] += 1
        parted = bool(left_out) and bool((counts == 1).all())  # the folds' rows are all rows, each once
        own = [k for k, rows in enumerate(held_out) if not np.array_equal(rows, left_out[k])]

        def moments(pieces: list | None) -> np.ndarray:
            size = m + rest.shape[1]
            out = np.zeros((1 if pieces is None else len(pieces), size, size))
            features = None if m == problem.design.shape[1] else self.penalized
            add_moments(
                out,
                problem.design.values,
                rest,
                self.removed,
                pieces=pieces,
                features=features,
                weights=problem.sample_weight,
            )
            return out

        self.out = moments(left_out) if left_out else np.zeros((0, 0, 0))
        self.all = self.out.sum(axis=0) if parted else moments(None)[0]
        self.test = list(self.out[: len(held_out)])
        for k in own:
            self.test[k] = moments([held_out[k]])[0]
        self.totals = np.array([weights[rows].sum() for rows in training])
        self.test_totals = np.array([weights[rows].sum() for rows in held_out])
        self.positive = [int(np.count_nonzero(weights[rows])) for rows in training]

    def _eliminate(self) -> None:
        m, q, n_fits = len(self.penalized), self.q, self.n_fits
        self.gram = np.empty((n_fits, m, m))
        self.linear, self.yy = np.empty((n_fits, m)), np.empty(n_fits)
        self.explained = np.empty((n_fits, q, m + 1))  # coefficients of Q for each column of X and for y
        self.ranks = []
        for f in range(n_fits):
            moments = self.all if f == 0 else self.all - self.out[f - 1]
            cross = moments[m + 1 :, : m + 1]
            inverse, rank = _pseudo_inverse(moments[m + 1 :, m + 1 :])
            self.explained[f] = inverse @ cross
            kept = (moments[: m + 1, : m + 1] - cross.T @ self.explained[f]) / self.totals[f]
            self.gram[f], self.linear[f], self.yy[f] = kept[:m, :m], kept[:m, m], max(kept[m, m], 0.0)
            self.ranks.append(max(1, min(self.positive[f] - rank, m)))
        left = [explained_or(yy, whole) for yy, whole in zip(self.yy, self.whole, strict=True)]
        self.null_objectives = np.array([self.problem.null.objective, *(0.5 * yy for yy in left[1:])])
        self.linear[self.null_objectives == 0] = 0.0

    # --- the path ----------------------------------------------------------------------------------------------------

    def run(self, alphas: np.ndarray) -> Certified:
        """Solve and certify every strength of a decreasing grid, for every fit."""
        return self.run_fits(alphas)[0]

    def run_fits(self, alphas: np.ndarray) -> tuple[Certified, np.ndarray]:
        """The same, and the penalized coefficients of every fit, of shape (n_fits, n_strengths, n_penalized)."""
        strengths, ridges = alphas * self.l1_ratio, alphas * (1 - self.l1_ratio)
        m, count = len(self.penalized), len(alphas)
        coefs = np.empty((self.n_fits, count, m))
        steps, supports = np.zeros((self.n_fits, count), np.int32), np.zeros(count, np.int32)
        tol = float(np.clip(self.tol / 10, 1e-13, 1e-9))
        for f in range(self.n_fits):
            active = _core.ActiveSet(self.ranks[f] if self.l1_ratio == 1 else 2**31 - 1)
            active.solve(
                self.gram[f].T,
                1.0,
                None,
                self.linear[f],
                self.l1[f],
                self.l2[f],
                strengths,
                ridges,
                tol,
                coefs[f].T,
                steps[f],
                supports,
            )
        relative, gaps, kkt = self._certify(coefs, strengths, ridges)
        explained = self.explained[0]
        free = explained[:, m, None] - (explained[:, :m] + self.removed) @ coefs[0].T
        intercepts, free_coefs = raw_free_coefs(self.problem, self.to_raw @ free)
        scores = self._scores(coefs)
        certified = Certified(
            features=[self.penalized],
            coefs=[coefs[0].T],
            intercepts=[intercepts],
            free_coefs=[free_coefs],
            gaps=[gaps[0]],
            kkt=[kkt],
            steps=[steps[0]],
            scores=[(scores, relative[1:].T)],
            n_passes=1,
        )
        return certified, coefs

    def _certify(self, coefs, strengths, ridges) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Relative gaps and gaps (n_fits, n_strengths), and the largest violation of the first fit (n_strengths,)."""
        fitted = coefs @ self.gram
        correlations = self.linear[:, None, :] - fitted
        explained = np.einsum("ftm,fm->ft", coefs, self.linear)
        agreement = self.yy[:, None] - explained
        squares = np.maximum(agreement - np.einsum("ftm,ftm->ft", coefs, correlations), 0.0)
        size = np.abs(correlations)
        objectives = 0.5 * squares + strengths * np.einsum("ftm,fm->ft", np.abs(coefs), self.l1)
        if self.l1_ratio == 1:
            with np.errstate(divide="ignore", invalid="ignore"):
                max_ratio = (size / self.l1[:, None, :]).max(axis=2, initial=0.0)
                cap = np.where(max_ratio > 0, strengths / max_ratio, np.inf)
                best = np.where(squares > 0, agreement / squares, 0.0)
            scale = np.clip(best, -cap, cap)
            dual = scale * agreement - 0.5 * scale**2 * squares
        else:
            objectives += 0.5 * ridges * np.einsum("ftm,ftm,fm->ft", coefs, coefs, self.l2)
            excess = np.maximum(size - strengths[:, None] * self.l1[:, None, :], 0.0)
            dual = agreement - 0.5 * squares - np.einsum("ftm,ftm,fm->ft", excess, excess, 1 / self.l2) / (2 * ridges)
        gaps = objectives - dual
        relative = gaps / np.where(self.null_objectives > 0, self.null_objectives, 1.0)[:, None]
        c = correlations[0] - ridges[:, None] * self.l2[0] * coefs[0]
        limit = strengths[:, None] * self.l1[0]
        violation = np.where(coefs[0] != 0, np.abs(c - limit * np.sign(coefs[0])), np.maximum(np.abs(c) - limit, 0.0))
        return relative, gaps, violation.max(axis=1, initial=0.0)

    def _scores(self, coefs) -> np.ndarray:
        """(n_strengths, n_folds) weighted mean squared errors on the rows held out, from their moments."""
        m = len(self.penalized)
        scores = np.empty((coefs.shape[1], len(self.test)))
        for k, test in enumerate(self.test):
            coef = coefs[k + 1]
            free = self.explained[k + 1, :, m] - coef @ self.explained[k + 1, :, :m].T
            errors = np.column_stack([-coef, np.ones(len(coef)), -free])
            scores[:, k] = np.maximum(np.einsum("td,td->t", errors @ test, errors), 0.0) / self.test_totals[k]
        return scores


def _pseudo_inverse(z: np.ndarray) -> tuple[np.ndarray, int]:
    if z.shape[0] == 1 and z[0, 0] > 0:
        return 1 / z, 1
    norms = np.sqrt(np.maximum(np.diag(z), 0.0))
    norms[norms == 0] = 1
    values, vectors = np.linalg.eigh(z / np.outer(norms, norms))
    kept = values > 1e-12 * values.max(initial=0.0)
    vectors = vectors[:, kept] / norms[:, None]
    return (vectors / values[kept]) @ vectors.T, int(kept.sum())
