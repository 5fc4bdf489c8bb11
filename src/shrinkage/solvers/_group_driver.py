"""Paths of penalties on groups of columns: look ahead, solve on a working set of groups, certify many at once.

As in `_batches`, with the score of a group in the place of a column's correlation: the strength at which the group may
be zero.
"""

import numpy as np

from shrinkage.design import check_entries
from shrinkage.problem import Problem, is_kinked, row_loss, without_rounding
from shrinkage.solvers._batches import FIRST_BATCH, LAST_BATCH, LEAST_BATCH, MARGIN, NEWCOMERS, TIGHTENINGS, Certified
from shrinkage.solvers._group_fits import GroupBatch, group_fit
from shrinkage.solvers._group_terms import GroupTerms, WorkingGroups
from shrinkage.solvers._rounding import SEPARABLE


class GroupDriver:
    """Walks a grid of strengths for one problem.

    Parameters
    ----------
    problem : Problem with a group penalty of alpha 1
    tol : float
    """

    def __init__(self, problem: Problem, tol: float):
        self.problem, self.design, self.tol = problem, problem.design, tol
        self.terms = GroupTerms.of(problem)
        self.fit = group_fit(problem, self.terms, tol)
        of_errors = problem.loss.name == "squared" or is_kinked(row_loss(problem.loss))
        null = problem.null.objective
        self.null_objective = null if of_errors or null > SEPARABLE else 0.0
        theta = self.fit.null_theta()
        self.correlations = without_rounding(self.design, theta, self.design.correlate(theta))
        scores = self.terms.scan(self.correlations)[0]
        self.alpha_max = float(scores.max(initial=0.0))
        check_entries(self.design, self.alpha_max)
        self.inside = np.zeros(self.terms.n_groups, bool)
        self.slopes: np.ndarray | None = None
        self.ridged = bool((self.terms.l2 > 0).any())
        self.at, self.support = self.alpha_max, 0
        self.result = Certified()
        self._last: tuple[GroupBatch, int, float] | None = None

    def run(self, alphas: np.ndarray) -> Certified:
        """Certify every strength of a decreasing grid of strengths > 0."""
        self._grow(np.flatnonzero(self.terms.only_squares))
        done, batch = 0, FIRST_BATCH
        while done < len(alphas):
            stop = self._look_ahead(alphas, done, min(done + batch, len(alphas)))
            self._certify(alphas, done, stop)
            done, batch = stop, min(2 * batch, self._longest())
        return self.result

    def _longest(self) -> int:
        n, p = self.design.shape
        return int(np.clip(max(32 << 20, n * p // 2) // (8 * (n + p)), LEAST_BATCH, LAST_BATCH))

    def _look_ahead(self, alphas: np.ndarray, start: int, stop: int) -> int:
        """Grow the working set for the strengths start..stop; return the stop that bounds the newcomers."""
        most = max(NEWCOMERS, self.support)
        while True:
            step = max(self.at - alphas[stop - 1], 0.0)
            excess = self._predicted(step) - alphas[stop - 1]
            candidates = np.flatnonzero((excess >= 0) & ~self.inside)
            if self.terms.sizes[candidates].sum() <= most or stop - start <= LEAST_BATCH:
                break
            stop = start + max(LEAST_BATCH, (stop - start) * 2 // 3)
        self._grow(self._largest(candidates, excess[candidates], most))
        return stop

    def _predicted(self, step: float) -> np.ndarray:
        """(n_groups,) the largest score that a group may have when the strength has fallen by `step`."""
        if self.slopes is None:
            return self.terms.scan(self.correlations)[0][:, 0] + step
        return self.terms.scan(self.correlations - step * self.slopes)[0][:, 0] + MARGIN * step

    def _largest(self, groups: np.ndarray, excess: np.ndarray, most: int) -> np.ndarray:
        """The groups of largest excess, of `most` columns together, but at least one."""
        order = np.argsort(-excess, kind="stable")
        total = np.cumsum(self.terms.sizes[groups[order]])
        return np.sort(groups[order[: max(1, int(np.searchsorted(total, most, side="right")))]])

    def _grow(self, groups: np.ndarray) -> None:
        groups = groups[~self.inside[groups]]
        if len(groups):
            self.fit.grow(groups)
            self.inside[groups] = True

    def _certify(self, alphas: np.ndarray, start: int, stop: int) -> None:
        """Solve and certify the strengths start..stop."""
        tightenings = 0
        while start < stop:
            own = alphas[start:stop]
            batch = self.fit.solve(own)
            C = self.design.correlate(batch.theta)
            self.result.n_passes += 1
            scores, conjugates = self.terms.scan(C, own if self.ridged else None)
            tops = scores.max(axis=0, initial=0.0)
            caps = np.divide(own, tops, out=np.full(len(own), np.inf), where=tops > 0)
            gaps = batch.objectives - self.fit.duals(batch, caps, conjugates if self.ridged else None)
            relative = gaps / (self.null_objective if self.null_objective > 0 else 1.0)
            violating = (scores > own * (1 + self.tol / 4)) & ~self.inside[:, None]
            good = int(np.append(np.flatnonzero(violating.any(axis=0)), len(own))[0])
            loose = np.flatnonzero(relative[:good] > self.tol)
            if len(loose) and tightenings < TIGHTENINGS and self.fit.tighten():
                good, tightenings = int(loose[0]), tightenings + 1
            if good:
                self._accept(batch, good, own, gaps, C)
            if violating.any():
                violators = np.flatnonzero(violating.any(axis=1))
                excess = (scores[violators] / own).max(axis=1)
                self._grow(self._largest(violators, excess, max(NEWCOMERS, self.support)))
            if len(own) - good > 1:
                self._stand()
            start += good

    def _stand(self) -> None:
        """Go back to the last certified strength, or to the null model."""
        if self._last is None:
            self.fit.stand_at(np.zeros(0), None, 0, self.alpha_max)
        else:
            batch, t, alpha = self._last
            self.fit.stand_at(batch.u[:, t], batch, t, alpha)

    def _accept(self, batch: GroupBatch, good: int, alphas: np.ndarray, gaps: np.ndarray, C: np.ndarray) -> None:
        self._last = (batch, good - 1, float(alphas[good - 1]))
        self._move(C, alphas, good)
        working, scale = self.fit.working, self.terms.scale
        features = working.features[: len(batch.u)]
        order = np.argsort(features)
        coefs = batch.u[:, :good] / scale[features][:, None]
        self.support = int(np.count_nonzero(coefs[:, good - 1]))
        null, first = self.problem.null, int(self.problem.fit_intercept)
        raw = self.fit.to_raw @ batch.free[:, :good]
        raw += np.concatenate([[null.intercept] * first, null.coef_free])[:, None]
        means = self.fit.means[: len(features)] / scale[features]
        keep = self.result
        keep.features.append(features[order])
        keep.coefs.append(coefs[order])
        keep.intercepts.append(raw[0] - means @ batch.u[:, :good] if first else np.zeros(good))
        keep.free_coefs.append(raw[first:])
        keep.gaps.append(gaps[:good])
        keep.kkt.append(self._violations(batch, good, alphas[:good], C[:, :good]))
        keep.steps.append(batch.steps[:good])

    def _move(self, C: np.ndarray, alphas: np.ndarray, good: int) -> None:
        """Stand at the last final strength; slopes are those between it and the one before."""
        latest = C[:, [good - 1]]
        if good > 1:
            self.slopes = (C[:, [good - 2]] - latest) / (alphas[good - 2] - alphas[good - 1])
        elif self.at > alphas[0]:
            self.slopes = (self.correlations - latest) / (self.at - alphas[0])
        self.correlations, self.at = latest, float(alphas[good - 1])

    def _violations(self, batch: GroupBatch, good: int, alphas: np.ndarray, C: np.ndarray) -> np.ndarray:
        """(good,) largest violations of the optimality conditions, in the gradient's unit."""
        terms, working = self.terms, self.fit.working
        scale = terms.scale[working.features]
        u = np.zeros((len(working.features), good))
        u[: len(batch.u)] = batch.u[:, :good]
        z = C[working.features] / scale[:, None]
        worst = (scale[:, None] * np.abs(working.lacking(u, z, alphas))).max(axis=0, initial=0.0)
        scores = terms.scan(C)[0]
        for t in range(good):
            beyond = np.flatnonzero((scores[:, t] > alphas[t]) & ~self.inside)
            if len(beyond):
                others = WorkingGroups(terms)
                own = others.append(beyond)
                z = (C[own, t] / terms.scale[own])[:, None]
                missed = terms.scale[own][:, None] * np.abs(others.lacking(np.zeros_like(z), z, alphas[t : t + 1]))
                worst[t] = max(worst[t], float(missed.max()))
        return worst
