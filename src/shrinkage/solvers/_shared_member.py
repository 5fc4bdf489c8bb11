"""One fold among many: a working set of its own on columns that all share, and the certificate of its fits."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shrinkage import _core
from shrinkage.design import DenseDesign
from shrinkage.solvers._batches import MARGIN, NEWCOMERS, TIGHTENINGS
from shrinkage.solvers._growing import Columns, Square
from shrinkage.solvers._knots import Knots
from shrinkage.solvers._reading import Reading
from shrinkage.solvers._shared_columns import SharedColumns, Sides
from shrinkage.solvers._squared import FitRows


class Member(FitRows):
    """One fold: its working set, its active set, and the last strength that it was certified at."""

    def __init__(self, sides: Sides, mask, test, factors, scale, count: int, tol: float):
        l1 = factors * scale
        super().__init__(mask, sides.weights, sides.unpenalized, sides.y, sides.start, int(np.count_nonzero(l1)))
        self.sides, self.test = sides, np.asarray(test, np.int64)
        self.l1_all, self.l2_all = l1, factors * scale**2
        self.inverse_l1 = np.divide(1.0, l1, out=np.zeros_like(l1), where=l1 > 0)
        self.outside = self.inverse_l1.copy()  # 0 in the working set and for free columns
        self.features = np.zeros(0, np.int64)
        self.train = np.flatnonzero(mask)
        likely = max(1, min(5 * len(self.train) // 2, len(l1)))
        self.columns, self.held_columns = Columns(len(self.train), likely), Columns(len(test), likely)
        self.gram = Square(likely)
        self._free, self._explainer = (
            np.asfortranarray(part[self.train]) for part in (self.unpenalized, self.explainer)
        )
        self._y = np.ascontiguousarray(self.y[self.train])
        self._share = sides.root[self.train] / self.total
        self.linear, self.l1, self.l2 = np.zeros(0), np.zeros(0), np.zeros(0)
        self.tol, self.tightenings = tol, 0
        self.scores, self.gaps = np.empty(count), np.empty(count)
        self.dual = self.theta(self._y[:, None])[:, 0]  # dual point whose correlations are known
        self.longest = 0.0  # norm of a column over its l1 weight
        self.correlations, self.slopes = np.zeros(0), None
        self.at, self.support = 0.0, 0
        self.base: tuple[np.ndarray, float, float] | None = None  # coefs, strength and ridge to go back to
        self.active = _core.ActiveSet(self.rank)
        self.held = float(np.sum(sides.root[test] ** 2))
        self._y_held = sides.y[test] - self.unpenalized[test] @ self.explain(sides.y)

    def most(self) -> int:
        """Features that one look ahead may bring."""
        return max(NEWCOMERS, self.support)

    def candidates(self, target: float) -> tuple[np.ndarray, np.ndarray]:
        """Features outside the working set that may be needed down to a strength, and by how much."""
        step = max(self.at - target, 0.0)
        if self.slopes is None:
            moved, allowance = np.abs(self.correlations), step
        else:
            moved = np.multiply(self.slopes, -step)
            moved += self.correlations
            np.abs(moved, out=moved)
            allowance = MARGIN * step
        moved *= self.outside
        found = np.flatnonzero(moved >= target - allowance) if allowance < target else np.flatnonzero(self.outside)
        return found, moved[found] - target

    def grow(self, features: np.ndarray, shared: SharedColumns) -> None:
        """Append features to the working set."""
        places, count = shared.place[features], len(features)
        self.outside[features] = 0.0
        self.features = np.concatenate([self.features, features])
        self.l1 = np.concatenate([self.l1, self.l1_all[features]])
        self.l2 = np.concatenate([self.l2, self.l2_all[features]])
        new, held = self.columns.append(count), self.held_columns.append(count)
        _core.pick_block(shared.columns.values, self.train, places, new)
        _core.pick_block(shared.columns.values, self.test, places, held)
        removed = np.zeros((self._free.shape[1], count), order="F")
        if len(removed):
            _core.project(new, self._free, self._explainer, removed)
            held -= self.unpenalized[self.test] @ removed
        self.linear = np.concatenate([self.linear, self._y @ new / self.total])
        self.gram.extend(self.columns.values)

    def theta(self, residuals: np.ndarray) -> np.ndarray:
        """(n_samples, k) dual points, of which X.T @ theta are correlations, from residuals on the fold's rows."""
        theta = np.zeros((len(self.rows), residuals.shape[1]), order="F")
        theta[self.train] = residuals * self._share[:, None]
        return theta

    def agreement(self, residuals: np.ndarray) -> np.ndarray:
        """(k,) weighted means of y times residual."""
        return self._y @ residuals / self.total

    def solve(self, strengths: np.ndarray, ridges: np.ndarray, start: int) -> "Run":
        """Minimize on the working set at strengths from `start` on, warm-started."""
        strengths, ridges = strengths[start:], ridges[start:]
        count = len(strengths)
        coefs = np.empty((len(self.features), count), order="F")
        correlations = np.empty_like(coefs)
        steps, supports = np.zeros(count, np.int32), np.zeros(count, np.int32)
        self.active.max_support = self.rank if ridges[0] == 0 else 2**31 - 1
        self.active.solve(*self._quadratic(), strengths, ridges, self.tol, coefs, steps, supports, correlations)
        if ridges[0] > 0:
            correlations += ridges * self.l2[:, None] * coefs
        residuals = self._y[:, None] - DenseDesign(self.columns.values.T).correlate(coefs)
        return Run(self, start, strengths, ridges, coefs, correlations, residuals, int(supports[-1]))

    def _quadratic(self) -> tuple[Any, Any, Any, Any, Any, Any]:
        return self.gram.values, 1 / self.total, None, self.linear, self.l1, self.l2

    def stand(self) -> None:
        """Go back to where the next run of strengths starts from."""
        if self.base is None:
            self.active = _core.ActiveSet(self.rank)
            return
        coefs, strength, ridge = self.base
        padded = np.zeros(len(self.features))
        padded[: len(coefs)] = coefs
        self.active.max_support = self.rank if ridge == 0 else 2**31 - 1
        self.active.restart(*self._quadratic(), ridge, padded, strength)

    def stand_certified(self, theta: np.ndarray, products: np.ndarray, strengths: np.ndarray) -> None:
        """Remember the correlations of the last final knot, and their slopes down to it."""
        latest, strength = np.ascontiguousarray(products[:, -1]), float(strengths[-1])
        if len(strengths) > 1:
            self.slopes = (products[:, 0] - latest) / (strengths[0] - strength)
        elif self.at > strength:
            self.slopes = (self.correlations - latest) / (self.at - strength)
        self.correlations, self.dual, self.at = latest, theta, strength

    def tighten(self) -> bool:
        """Solve more exactly from now on; False when there is nothing left to gain."""
        if self.tightenings == TIGHTENINGS or self.tol <= 1e-13:
            return False
        self.tol, self.tightenings = max(self.tol / 100, 1e-13), self.tightenings + 1
        return True

    def errors_held_out(self, coefs: np.ndarray) -> np.ndarray:
        """(n_strengths,) weighted mean squared errors on the rows held out."""
        errors = self._y_held[:, None] - self.held_columns.values[:, : len(coefs)] @ coefs
        return np.einsum("it,it->t", errors, errors) / self.held


@dataclass
class Run:
    """Restricted solutions of one member at a run of strengths, waiting for their certificate."""

    member: Member
    start: int
    strengths: np.ndarray
    ridges: np.ndarray
    coefs: np.ndarray  # (working set, n_strengths)
    correlations: np.ndarray  # (working set, n_strengths)
    residuals: np.ndarray  # (rows of the fold, n_strengths), root-weighted
    support: int
    violators: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    excess: np.ndarray = field(default_factory=lambda: np.zeros(0))
    good: int = 0

    def __post_init__(self) -> None:
        m, self.count = self.member, len(self.strengths)
        self.theta = m.theta(self.residuals)
        root = None if m.sides.unit else m.sides.root
        self.knots = Knots(self.theta, m.dual, root, self.strengths, m.longest, min(self.count, 2))

    def knot_points(self) -> np.ndarray:
        """Dual points that a pass over X reads."""
        return self.theta[:, self.knots.at]

    def certify(self, products: np.ndarray, norms: np.ndarray, shared: SharedColumns, tol: float) -> int:
        """How many strengths are final; their scores and gaps go to the member, violators of the others stay here."""
        m, knots = self.member, self.knots
        reading = Reading(
            m.l1_all,
            m.l2_all if self.ridges[0] > 0 else None,
            m.inverse_l1,
            m.outside,
            self.strengths,
            self.ridges,
            tol / 4,
        )
        reading.read_inside(m.features, self.correlations, self.coefs)
        reading.read_all(knots.at, products)
        known = np.empty((len(products), 1 + products.shape[1]), order="F")
        known[:, 0], known[:, 1:] = m.correlations, products
        suspects = knots.suspects(known, norms, m.outside)
        if len(suspects):
            between = self.residuals[:, knots.between] / m.total
            reading.read_some(suspects, knots.between, shared.block(m.train, suspects).T @ between)
        self.good = int(reading.first.min(initial=self.count))
        relative = self._gaps(reading)
        loose = np.flatnonzero(relative[: self.good] > tol)
        if len(loose) and m.tighten():
            self.good = int(loose[0])
        self._accept(relative, products)
        self.violators = np.flatnonzero(reading.first < self.count)
        self.excess = reading.excess[self.violators]
        return self.good

    def _gaps(self, reading: Reading) -> np.ndarray:
        """(n_strengths,) duality gaps over the null model's objective; see `SquaredFits.gaps`."""
        m = self.member
        squares = np.einsum("it,it->t", self.residuals, self.residuals) / m.total
        agreement = m.agreement(self.residuals)
        objectives = squares / 2 + reading.penalties
        if np.any(self.ridges):
            dual = agreement - 0.5 * squares - reading.conjugates / (2 * self.ridges)
        else:
            with np.errstate(divide="ignore", invalid="ignore"):
                cap = np.where(reading.ratios > 0, self.strengths / reading.ratios, np.inf)
                best = np.where(squares > 0, agreement / squares, 0.0)
            scale = np.clip(best, -cap, cap)
            dual = scale * agreement - 0.5 * scale**2 * squares
        return (objectives - dual) / (m.null_objective if m.null_objective > 0 else 1.0)

    def _accept(self, relative: np.ndarray, products: np.ndarray) -> None:
        m, good = self.member, self.good
        if not good:
            return
        final = slice(self.start, self.start + good)
        m.gaps[final] = relative[:good]
        m.scores[final] = m.errors_held_out(self.coefs[:, :good])
        m.base = (self.coefs[:, good - 1].copy(), float(self.strengths[good - 1]), float(self.ridges[good - 1]))
        m.support = self.support
        known = np.flatnonzero(self.knots.at < good)
        if len(known):
            at = self.knots.at[known[-2:]]
            m.stand_certified(self.theta[:, at[-1]], products[:, known[-2:]], self.strengths[at])

    def stand(self) -> None:
        """Bring the member back to its last final strength, unless only the last of the run failed."""
        if self.count - self.good > 1:
            self.member.stand()
