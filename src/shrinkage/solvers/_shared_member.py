"""One fold among many: a working set of its own on columns that all share, and the certificate of its fits."""

from dataclasses import dataclass, field

import numpy as np

from shrinkage import _core
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
        self.sides, self.test = sides, test
        self.l1_all, self.l2_all = l1, factors * scale**2
        self.inverse_l1 = np.divide(1.0, l1, out=np.zeros_like(l1), where=l1 > 0)
        self.outside = self.inverse_l1.copy()  # 0 in the working set and for free columns
        self.places = np.zeros(0, np.int64)  # in the cache
        self.features = np.zeros(0, np.int64)
        self.gram = Square(max(1, min(2 * len(mask), len(l1))))
        direct = 2 * len(self.out) > len(mask)  # most rows are left out: no correction of G is cheaper than a Gram
        self.direct = direct
        self.low_rank = Columns(self.basis.shape[1] + (0 if direct else len(self.out)), 1000)
        self.linear, self.l1, self.l2 = np.zeros(0), np.zeros(0), np.zeros(0)
        self.tol, self.tightenings = tol, 0
        self.scores, self.gaps = np.empty(count), np.empty(count)
        self.dual = self.theta(self.y[:, None])[:, 0]  # dual point whose correlations are known
        self.longest = 0.0  # norm of a column over its l1 weight
        self.correlations, self.slopes = np.zeros(0), None
        self.at, self.support = 0.0, 0
        self.base: tuple[np.ndarray, float, float] | None = None  # coefs, strength and ridge to go back to
        self.active = _core.ActiveSet(self.rank)
        self.held = float(np.sum(sides.root[test] ** 2))

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
        places = shared.place[features]
        new, root = shared.pick(places), np.sqrt(self.total)
        self.outside[features] = 0.0
        self.features, self.places = np.concatenate([self.features, features]), np.concatenate([self.places, places])
        self.linear = np.concatenate([self.linear, self.y @ new / self.total])
        self.l1 = np.concatenate([self.l1, self.l1_all[features]])
        self.l2 = np.concatenate([self.l2, self.l2_all[features]])
        into = self.low_rank.append(len(features))
        if not self.direct:
            into[: len(self.out)] = new[self.out] / root
        into[into.shape[0] - self.basis.shape[1] :] = self.basis.T @ new / root
        if self.direct:
            block = shared.columns.values.T[self.places][:, self.rows] @ new[self.rows] / self.total
        else:
            block = shared.block(self.places, places) / self.total
        block -= self.low_rank.values.T @ into
        self.gram.append(block)

    def theta(self, residuals: np.ndarray) -> np.ndarray:
        """Dual points: X.T @ theta are the correlations."""
        return residuals * (self.sides.root / self.total)[:, None]

    def solve(self, shared: SharedColumns, strengths: np.ndarray, ridges: np.ndarray, start: int) -> "Run":
        """Minimize on the working set at strengths from `start` on, warm-started."""
        strengths, ridges = strengths[start:], ridges[start:]
        count = len(strengths)
        coefs = np.empty((len(self.features), count), order="F")
        correlations = np.empty_like(coefs)
        steps, supports = np.zeros(count, np.int32), np.zeros(count, np.int32)
        self.active.max_support = self.rank if ridges[0] == 0 else 2**31 - 1
        self.active.solve(
            self.gram.values, 1.0, None, self.linear, self.l1, self.l2, strengths, ridges, self.tol,
            coefs, steps, supports, correlations,
        )  # fmt: skip
        if ridges[0] > 0:
            correlations += ridges * self.l2[:, None] * coefs
        used = np.flatnonzero(coefs.any(axis=1))
        fitted = np.asfortranarray((coefs[used].T @ shared.pick(self.places[used]).T).T)
        masked = fitted * self.rows[:, None]
        residuals = self.y[:, None] - (masked - self.basis @ (self.basis.T @ masked))
        return Run(self, start, strengths, ridges, coefs, correlations, used, fitted, residuals, int(supports[-1]))

    def stand(self) -> None:
        """Go back to where the next run of strengths starts from."""
        if self.base is None:
            self.active = _core.ActiveSet(self.rank)
            return
        coefs, strength, ridge = self.base
        padded = np.zeros(len(self.features))
        padded[: len(coefs)] = coefs
        self.active.max_support = self.rank if ridge == 0 else 2**31 - 1
        self.active.restart(self.gram.values, 1.0, None, self.linear, self.l1, self.l2, ridge, padded, strength)

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

    def errors_held_out(self, fitted: np.ndarray) -> np.ndarray:
        """(n_strengths,) weighted mean squared errors on the rows held out."""
        y, rows = self.sides.y, self.test
        free = self.explain(y[:, None] - fitted)
        errors = y[rows, None] - fitted[rows] - self.unpenalized[rows] @ free
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
    used: np.ndarray  # rows of coefs that are not all zero
    fitted: np.ndarray  # (n_samples, n_strengths)
    residuals: np.ndarray  # (n_samples, n_strengths)
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
        for column, t in enumerate(knots.at):
            reading.read_all(int(t), products[:, column])
        known = np.column_stack([m.correlations, products])
        suspects = knots.suspects(np.asfortranarray(known), norms, m.outside)
        if len(suspects):
            between = self.residuals[:, knots.between] / m.total
            reading.read_some(suspects, knots.between, shared.columns_of(suspects).T @ between)
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
        coefs, size = self.coefs[self.used], np.abs(self.coefs[self.used])
        squares = np.einsum("it,it->t", self.residuals, self.residuals) / m.total
        agreement = m.y @ self.residuals / m.total
        objectives = squares / 2 + self.strengths * (m.l1[self.used] @ size)
        if np.any(self.ridges):
            objectives += 0.5 * self.ridges * (m.l2[self.used] @ coefs**2)
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
        m.scores[final] = m.errors_held_out(self.fitted[:, :good])
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
