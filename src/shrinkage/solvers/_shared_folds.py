"""Many sets of folds of one squared-loss problem: what one fold has learned of X serves all the folds after it.

`SquaredFits` walks one set of folds on one working set, that of the fold which needs most: every fold carries the
features of all. Here columns are kept from fold to fold, and each fold has a working set of its own with the Gram
matrix of its own rows, small enough for the caches of a core. A pass over X reads the last two strengths of a run.
Those in between it certifies by a bound: for theta_t = (1 - u) theta_a + u theta_b + delta,
|x_j'theta_t| <= |(1 - u) c_aj + u c_bj| + |x_j| |delta|. Residuals are piecewise linear in the strength, so delta is
small, and few columns are left that have to be multiplied.

Folds go in two marches, whatever the number of threads, so that bits do not depend on it: two threads need not wait for
each other after every run of strengths, and more than two share each march.
"""

import numpy as np

from shrinkage._threads import blas_alone
from shrinkage.problem import Problem
from shrinkage.solvers._batches import LEAST_BATCH
from shrinkage.solvers._crew import Crew
from shrinkage.solvers._scale import column_scale
from shrinkage.solvers._shared_columns import SharedColumns, Sides
from shrinkage.solvers._shared_member import Member, Run

Fold = tuple[np.ndarray, np.ndarray]
FIRST_RUN, LONGEST_RUN = 4, 10
LEAST_SPLIT = 4  # folds from which they go in two parts
CACHE_BYTES = 256 << 20
"""The columns may take this much between two sets of folds, or as much as X."""


class SharedFolds:
    """Solve and certify sets of folds at the strengths of one grid, one set after the other.

    Parameters
    ----------
    problem : Problem with a squared loss, a dense design and an elastic-net penalty
    alphas : ndarray, positive, strictly falling
    l1_ratio : float in (0, 1]
    standardize : bool
        Whether each fold takes the scale of its own training rows.
    tol : float
        Largest relative duality gap.
    """

    def __init__(self, problem: Problem, alphas: np.ndarray, l1_ratio: float, standardize: bool, tol: float):
        n, p = problem.design.shape
        self.problem, self._standardize, self.tol = problem, standardize, tol
        self._weights = np.ones(n) if problem.sample_weight is None else problem.sample_weight
        factors = problem.penalty.factors
        self._factors = np.ones(p) if factors is None else np.asarray(factors, dtype=float)
        self._sides = Sides(problem, self._weights)
        self.cache = SharedColumns(problem, self._sides)
        means, variances = problem.design.column_moments(np.asfortranarray(self._weights[:, None]))
        second = variances if problem.fit_intercept else variances + means**2
        self.norms = np.sqrt(self._weights.sum() * second[:, 0]) * (1 + 1e-9)
        self.restart(alphas, l1_ratio)
        self.n_passes = 2  # over X, those for its moments included

    def restart(self, alphas: np.ndarray, l1_ratio: float) -> None:
        """Take another grid and another l1_ratio, with what has been gathered of X."""
        self.strengths, self.ridges, self.n_passes = alphas * l1_ratio, alphas * (1 - l1_ratio), 0

    @blas_alone
    def solve(self, folds: list[Fold]) -> tuple[np.ndarray, np.ndarray]:
        """Mean squared errors held out, and relative duality gaps, (n_alphas, n_folds) each."""
        with Crew(len(folds)) as crew:
            return self.solve_with(crew, folds)

    @blas_alone
    def solve_with(self, crew: Crew, folds: list[Fold], beside: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """The same, by a crew at hand, one of which does work beside that is worth `beside` folds."""
        self.cache.keep_within(max(CACHE_BYTES, self.problem.design.shape[0] * self.problem.design.shape[1] * 8))
        members = self._members(folds)
        half = (len(members) + beside + 1) // 2 if len(members) >= LEAST_SPLIT else len(members)
        parts = [part for part in (members[:half], members[half:]) if part]
        marches = [_March(self, part, len(parts)) for part in parts]
        self.over = False
        try:
            self.n_passes += sum(crew.each(_March.walk, marches))
        finally:
            self.over = True  # after Ctrl-C nobody waits for the other march
        return np.array([m.scores for m in members]).T, np.array([m.gaps for m in members]).T

    def _members(self, folds: list[Fold]) -> list[Member]:
        n, p = self.problem.design.shape
        masks = []
        for train, _ in folds:
            mask = np.zeros(n, bool)
            mask[train] = True
            masks.append(mask)
        scale = np.ones((p, len(folds)))
        if self._standardize:
            weights = np.asfortranarray(np.stack([self._weights * mask for mask in masks], axis=1))
            scale = column_scale(self.problem.design, weights)
        elif self.problem.scale is not None:
            scale *= self.problem.scale[:, None]
        tol = float(np.clip(self.tol / 10, 1e-13, 1e-9))
        members = [
            Member(self._sides, mask, test, self._factors, scale[:, f], len(self.strengths), tol)
            for f, (mask, (_, test)) in enumerate(zip(masks, folds, strict=True))
        ]
        theta = np.stack([m.dual for m in members], axis=1)
        self.n_passes += 1
        for m, c in zip(members, self.problem.design.correlate(np.asfortranarray(theta)).T, strict=True):
            m.correlations = np.ascontiguousarray(c)
            m.longest = float((self.norms * m.inverse_l1).max(initial=0.0))
            m.at = max(float((np.abs(c) * m.inverse_l1).max(initial=0.0)), self.strengths[0])
        return members


class _March:
    """Some folds that go down the grid side by side: a pass over X is for all of them."""

    def __init__(self, shared: SharedFolds, members: list[Member], marches: int):
        self._shared, self._members, self._marches, self.n_passes = shared, members, marches, 0
        self._strengths, self._ridges = shared.strengths, shared.ridges

    def walk(self) -> int:
        """Solve and certify every strength; how many passes over X that took."""
        try:
            self._walk()
        except BaseException:
            self._shared.over = True
            raise
        return self.n_passes

    def _walk(self) -> None:
        done, longest, count = 0, FIRST_RUN, len(self._strengths)
        with Crew(len(self._members), self._marches) as crew:
            while done < count and not self._shared.over:
                stop = self._look_ahead(crew, done, min(done + longest, count))
                self._certify(crew, done, stop)
                done, longest = stop, min(2 * longest, LONGEST_RUN)

    def _look_ahead(self, crew: Crew, start: int, stop: int) -> int:
        """Give each member the features it may need until `stop`; return the stop that bounds the newcomers."""
        while True:
            target = self._strengths[stop - 1]
            found = crew.each(lambda m, target=target: m.candidates(target), self._members)
            crowded = max(len(f) / m.most() for m, (f, _) in zip(self._members, found, strict=True)) > 1
            if not crowded or stop - start <= LEAST_BATCH:
                break
            stop = start + max(LEAST_BATCH, (stop - start) * 2 // 3)
        self._grow(crew, [(m, *f) for m, f in zip(self._members, found, strict=True)])
        return stop

    def _grow(self, crew: Crew, wanted: list[tuple[Member, np.ndarray, np.ndarray]]) -> None:
        """Let members take features, each the `most` of largest excess; those that nobody had join the cache."""
        taken = []
        for member, features, excess in wanted:
            if len(features) > member.most():
                features = np.sort(features[np.argpartition(-excess, member.most())[: member.most()]])
            taken.append((member, features))
        self._shared.cache.grow(np.unique(np.concatenate([f for _, f in taken])))
        crew.each(lambda taker: taker[0].grow(taker[1], self._shared.cache), [t for t in taken if len(t[1])])

    def _certify(self, crew: Crew, start: int, stop: int) -> None:
        """Solve and certify the strengths start..stop for every member; who missed a feature goes on alone."""
        left = [(m, start) for m in self._members]
        strengths, ridges, of = self._strengths[:stop], self._ridges[:stop], self._shared
        while left:
            runs = crew.each(lambda at: at[0].solve(strengths, ridges, at[1]), left)
            theta = np.concatenate([r.knot_points() for r in runs], axis=1)
            products = self._shared.problem.design.correlate(np.asfortranarray(theta))
            self.n_passes += 1
            ends = np.cumsum([len(run.knots.at) for run in runs])
            own = [products[:, end - len(run.knots.at) : end] for run, end in zip(runs, ends, strict=True)]
            read = list(zip(runs, own, strict=True))
            crew.each(lambda one: one[0].certify(one[1], of.norms, of.cache, of.tol), read)
            missed = [run for run in runs if run.good < run.count]
            left = [(run.member, run.start + run.good) for run in missed]
            if missed:
                self._grow(crew, [(run.member, run.violators, run.excess) for run in missed])
            crew.each(Run.stand, missed)
