"""Paths of penalties with a solver of their own: look ahead, solve on a working set, check many strengths at once.

As in `_batches`; what a penalty says of columns outside the working set, and the restricted solver, are its own.
"""

from dataclasses import dataclass, field

import numpy as np

from shrinkage.design import check_entries
from shrinkage.problem import Problem, without_rounding
from shrinkage.solvers._batches import FIRST_BATCH, LAST_BATCH, LEAST_BATCH, MARGIN, NEWCOMERS
from shrinkage.solvers._prox_newton import SmoothProxFit
from shrinkage.solvers._prox_squared import ProxBatch, SquaredProxFit
from shrinkage.solvers._prox_terms import Terms


@dataclass
class Walked:
    """Blocks of columns at strengths that are final, in their order."""

    features: list = field(default_factory=list)
    coefs: list = field(default_factory=list)
    intercepts: list = field(default_factory=list)
    free_coefs: list = field(default_factory=list)
    steps: list = field(default_factory=list)


class ProxDriver:
    """Walks a grid of strengths for one problem.

    Parameters
    ----------
    problem : Problem
    terms : Terms
        Of its penalty.
    tol : float
        Largest violation of the conditions on the working set, over the largest gradient of the null model.
    """

    def __init__(self, problem: Problem, terms: Terms, tol: float):
        self.problem, self.design, self.terms = problem, problem.design, terms
        kind = SquaredProxFit if problem.loss.name == "squared" else SmoothProxFit
        self.fit = kind(problem, terms, tol)
        self.n_passes = 0
        theta = self.fit.null_theta()
        self.correlations = without_rounding(self.design, theta, self._correlate(theta), terms.scale)[:, 0]
        self.alpha_max = terms.first(self.correlations)
        check_entries(self.design, self.alpha_max)
        penalized = np.abs(np.where(terms.free, 0.0, self.correlations))
        self.largest_gradient = float((terms.scale * penalized).max(initial=0.0))  # as `Problem` measures violations
        scaled = float(penalized.max(initial=0.0))
        self.fit.tol = tol * scaled
        if self.largest_gradient > 0:
            self.fit.unit = max(1.0, scaled / self.largest_gradient)
        self.inside = terms.free.copy()
        self.slopes: np.ndarray | None = None
        self.at, self.support = self.alpha_max, 0
        self.walked = Walked()
        self._last: tuple[ProxBatch, int] | None = None

    def _correlate(self, theta: np.ndarray) -> np.ndarray:
        self.n_passes += 1
        return self.design.correlate(np.asfortranarray(theta)) / self.terms.scale[:, None]

    def run(self, alphas: np.ndarray) -> Walked:
        """Solve at every strength of a falling grid of strengths > 0."""
        done, batch = 0, FIRST_BATCH
        while done < len(alphas):
            stop = self._look_ahead(alphas, done, min(done + batch, len(alphas)))
            self._settle(alphas, done, stop)
            done, batch = stop, min(2 * batch, self._longest())
        return self.walked

    def _longest(self) -> int:
        n, p = self.design.shape
        return int(np.clip(max(32 << 20, n * p // 2) // (8 * (n + p)), LEAST_BATCH, LAST_BATCH))

    def _look_ahead(self, alphas: np.ndarray, start: int, stop: int) -> int:
        """Grow the working set for the strengths start..stop; return the stop that bounds the newcomers."""
        most = max(NEWCOMERS, self.support)
        while True:
            step = max(self.at - alphas[stop - 1], 0.0)
            margin = step if self.slopes is None else MARGIN * step
            ahead = self.correlations if self.slopes is None else self.correlations - step * self.slopes
            candidates = self.terms.loose(ahead, max(alphas[stop - 1] - margin, 0.0), None) & ~self.inside
            if np.count_nonzero(candidates) <= most or stop - start <= LEAST_BATCH:
                break
            stop = start + max(LEAST_BATCH, (stop - start) * 2 // 3)
        self._grow(candidates, ahead, most)
        return stop

    def _grow(self, candidates: np.ndarray, z: np.ndarray, most: int) -> None:
        features = np.flatnonzero(candidates & ~self.inside)
        if len(features) > most:
            order = np.argpartition(-self.terms.rank(z)[features], most)
            features = np.sort(features[order[:most]])
        if len(features):
            self.fit.grow(features)
            self.inside[features] = True

    def _settle(self, alphas: np.ndarray, start: int, stop: int) -> None:
        """Solve the strengths start..stop until no column outside the working set violates its condition."""
        while start < stop:
            own = alphas[start:stop]
            batch = self.fit.solve(own)
            Z = self._correlate(batch.theta)
            good, violating = 0, None
            while good < len(own) and violating is None:
                found = self._violators(batch.u[:, good], Z[:, good], own[good])
                violating, good = (found, good) if found.any() else (None, good + 1)
            if good:
                self._accept(batch, good, own, Z)
            if violating is not None:
                most = max(NEWCOMERS, self.support)
                self._grow(violating, Z[:, good], most)
                if len(own) - good > 1 or not good:
                    self._stand()
            start += good

    def _violators(self, u: np.ndarray, z: np.ndarray, alpha: float) -> np.ndarray:
        """(p,) columns outside the working set that are not held at 0, beyond the tolerance of the fit."""
        nonzero = np.zeros(len(z), bool)
        nonzero[self.fit.features[: len(u)]] = u != 0
        slack = 1 + self.fit.tol / alpha
        return self.terms.loose(z, alpha * slack, nonzero) & ~self.inside

    def _stand(self) -> None:
        """Go back to the last final strength, or to the null model."""
        if self._last is None:
            self.fit.stand_at(np.zeros(0), None, None)
            return
        batch, t = self._last
        self.fit.stand_at(batch.u[:, t], batch.free[:, t], None if batch.eta is None else batch.eta[:, t])

    def _accept(self, batch: ProxBatch, good: int, alphas: np.ndarray, Z: np.ndarray) -> None:
        self._last = (batch, good - 1)
        latest = Z[:, good - 1].copy()
        if good > 1:
            self.slopes = (Z[:, good - 2] - latest) / (alphas[good - 2] - alphas[good - 1])
        elif self.at > alphas[0]:
            self.slopes = (self.correlations - latest) / (self.at - alphas[0])
        self.correlations, self.at = latest, float(alphas[good - 1])
        u = batch.u[:, :good]
        self.support = int(np.count_nonzero(u[:, -1]))
        features = self.fit.features[: len(u)]
        order = np.argsort(features)
        null, first = self.problem.null, int(self.problem.fit_intercept)
        raw = self.fit.to_raw @ batch.free[:, :good]
        raw += np.concatenate([[null.intercept] * first, null.coef_free])[:, None]
        keep = self.walked
        keep.features.append(features[order])
        keep.coefs.append((u / self.terms.scale[features][:, None])[order])
        keep.intercepts.append(raw[0] - self.fit.means[: len(u)] @ u if first else np.zeros(good))
        keep.free_coefs.append(raw[first:])
        keep.steps.append(batch.steps[:good])
