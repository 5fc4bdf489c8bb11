"""A penalty on groups of columns, written as weights: what the engine of group paths reads."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shrinkage import _core
from shrinkage.losses import JointLoss
from shrinkage.penalties import GroupBox, GroupL2, SparseGroup
from shrinkage.problem import Problem


def takes_groups(problem: Problem) -> bool:
    """Whether a problem is one for group paths: a penalty on groups of one strength, a loss of one row."""
    penalty = problem.penalty
    rows = not isinstance(problem.loss, JointLoss)
    return rows and isinstance(penalty, GroupL2 | SparseGroup | GroupBox) and np.ndim(penalty.alpha) == 0


@dataclass(frozen=True, eq=False)
class GroupTerms:
    """Σ_j (l1_j |u_j| + ½ l2_j u_j²) + Σ_g lam_g ‖u_g‖₂ at alpha 1, u = scale ∘ w; groups part the penalized columns.

    Attributes
    ----------
    starts : ndarray of shape (n_groups + 1,), columns : ndarray of shape (n_penalized,)
        The columns of group g are columns[starts[g]:starts[g + 1]]. A column that only an elementwise part acts on is a
        group of its own, with lam 0.
    l1, l2, scale : ndarray of shape (n_features,)
    lam : ndarray of shape (n_groups,)
    """

    starts: np.ndarray
    columns: np.ndarray
    l1: np.ndarray
    l2: np.ndarray
    lam: np.ndarray
    scale: np.ndarray
    sizes: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", np.diff(self.starts))

    @classmethod
    def of(cls, problem: Problem, unpenalized: np.ndarray | None = None) -> "GroupTerms":
        """The weights of a problem's penalty; `unpenalized` are the columns that no group may hold, if others."""
        p = problem.design.shape[1]
        unit: Any = problem.penalty.with_alpha(1.0)
        l1, l2 = np.zeros(p), np.zeros(p)
        group = unit
        if isinstance(unit, SparseGroup):
            group, part = unit.group, unit.elementwise
            factors = np.ones(p) if part.factors is None else np.asarray(part.factors, dtype=np.float64)
            l1 = float(part.alpha) * float(part.l1_ratio) * factors
            l2 = float(part.alpha) * (1.0 - float(part.l1_ratio)) * factors
        penalized = np.ones(p, bool)
        penalized[problem.unpenalized if unpenalized is None else unpenalized] = False
        members, lam = _members(group, p)
        kept = [(own[penalized[own]], weight) for own, weight in zip(members, lam, strict=True)]
        kept = [(own, weight) for own, weight in kept if len(own) and (weight > 0 or not l1[own].any())]
        alone = penalized.copy()
        for own, _ in kept:
            alone[own] = False
        kept += [(np.array([j]), 0.0) for j in np.flatnonzero(alone)]
        starts = np.concatenate([[0], np.cumsum([len(own) for own, _ in kept])]).astype(np.int64)
        columns = np.concatenate([np.zeros(0, np.int64), *(own for own, _ in kept)]).astype(np.int64)
        scale = np.ones(p) if problem.scale is None else np.ascontiguousarray(problem.scale, dtype=np.float64)
        return cls(starts, columns, l1, l2, np.array([weight for _, weight in kept], dtype=np.float64), scale)

    @property
    def n_groups(self) -> int:
        """How many groups there are."""
        return len(self.lam)

    @property
    def only_squares(self) -> np.ndarray:
        """(n_groups,) whether nothing holds a group at zero, so that it is always worked on."""
        held = np.zeros(self.n_groups)
        np.maximum.at(held, np.repeat(np.arange(self.n_groups), self.sizes), self.l1[self.columns])
        return held + self.lam == 0

    def members(self, groups: np.ndarray) -> np.ndarray:
        """The columns of some groups, one group after the other."""
        pieces = [self.columns[self.starts[g] : self.starts[g + 1]] for g in groups]
        return np.concatenate([np.zeros(0, np.int64), *pieces])

    def scan(self, C: np.ndarray, alphas: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """For correlations (n_features, k): the alphas (n_groups, k) at which groups may be zero, and conjugates (k,).

        The first solve ‖max(|z_g| - r l1, 0)‖ = r lam_g for r, with z = C / scale. The second are g*(z) at `alphas`, 0
        where no alphas are given.
        """
        C = np.asfortranarray(C)
        ratios = np.empty((self.n_groups, C.shape[1]), order="F")
        conjugates = None if alphas is None else np.empty(C.shape[1])
        at = np.zeros(C.shape[1]) if alphas is None else np.ascontiguousarray(alphas)
        _core.scan_groups(
            self.starts, self.columns, self.l1, self.l2, self.lam, self.scale, 1, C, ratios, conjugates, at, at
        )
        return ratios, np.zeros(C.shape[1]) if conjugates is None else conjugates


def _members(group: GroupL2, p: int) -> tuple[list[np.ndarray], np.ndarray]:
    """The positions of every group, and its α ω_g."""
    if group.groups is not None:
        members = [np.array(own, dtype=np.int64) for own in group.groups]
    else:
        single = group.axis in (0, -1, (0,), (-1,))
        members = [np.array([j]) for j in range(p)] if single else [np.arange(p)]
    if isinstance(group.weights, str):
        omega = np.array([len(own) ** 0.5 if group.weights == "sqrt" else 1.0 for own in members])
    else:
        omega = np.asarray(group.weights, dtype=np.float64)
    return members, float(group.alpha) * omega


class WorkingGroups:
    """The groups that a fit works on, in the order in which they came, with the weights of their columns."""

    def __init__(self, terms: GroupTerms):
        self.terms = terms
        self.groups = np.zeros(0, np.int64)
        self.features = np.zeros(0, np.int64)
        self.starts = np.zeros(1, np.int64)
        self.l1 = self.l2 = self.lam = np.zeros(0)

    def append(self, groups: np.ndarray) -> np.ndarray:
        """Take groups in; their columns are returned."""
        terms = self.terms
        new = terms.members(groups)
        self.groups = np.concatenate([self.groups, groups])
        self.features = np.concatenate([self.features, new])
        self.starts = np.concatenate([self.starts, self.starts[-1] + np.cumsum(terms.sizes[groups])])
        self.l1, self.l2 = terms.l1[self.features], terms.l2[self.features]
        self.lam = terms.lam[self.groups]
        return new

    def places(self, which: np.ndarray) -> np.ndarray:
        """The places of the columns of some working groups, given by their places among these."""
        pieces = [np.arange(int(self.starts[g]), int(self.starts[g + 1])) for g in which]
        return np.concatenate([np.zeros(0, np.int64), *pieces])

    def norms(self, values: np.ndarray) -> np.ndarray:
        """(groups, k) Euclidean norms over groups of (columns, k)."""
        if not len(self.groups):
            return np.zeros((0, values.shape[1]))
        return np.sqrt(np.add.reduceat(values * values, self.starts[:-1], axis=0))

    def penalty(self, u: np.ndarray, alphas: np.ndarray) -> np.ndarray:
        """(k,) the penalty of (columns, k) coefficients at k strengths."""
        return alphas * (self.l1 @ np.abs(u) + 0.5 * (self.l2 @ (u * u)) + self.lam @ self.norms(u))

    def slope(self, u: np.ndarray, d: np.ndarray) -> float:
        """The derivative of the penalty at strength 1 from u along d, from the left where u is 0."""
        sign = np.where(u != 0, np.sign(u), -np.sign(d))
        lengths, moves = self.norms(u[:, None])[:, 0], self.norms(d[:, None])[:, 0]
        inner = np.add.reduceat(u * d, self.starts[:-1]) if len(self.groups) else lengths
        turning = np.where(lengths > 0, inner / np.where(lengths > 0, lengths, 1.0), -moves)
        return float(self.l1 @ (sign * d) + self.l2 @ (u * d) + self.lam @ turning)

    def lacking(
        self, u: np.ndarray, z: np.ndarray, alphas: np.ndarray, lower: Any = -np.inf, upper: Any = np.inf
    ) -> np.ndarray:
        """(columns, k) the vector from the subdifferential at u, within bounds, to z, up to signs."""
        lengths = np.repeat(self.norms(u), np.diff(self.starts), axis=0)
        lam, l1 = np.repeat(self.lam, np.diff(self.starts))[:, None] * alphas, self.l1[:, None] * alphas
        pull = lam * u / np.where(lengths > 0, lengths, 1.0) + self.l2[:, None] * alphas * u
        left = z - pull
        soft = np.sign(left) * np.maximum(np.abs(left) - l1, 0.0)
        soft, left = open_to(u, soft, lower, upper), left - l1 * np.sign(u)
        lengths_z = np.repeat(self.norms(soft), np.diff(self.starts), axis=0)
        share = np.maximum(1.0 - lam / np.where(lengths_z > 0, lengths_z, 1.0), 0.0)
        inside = np.where(u != 0, open_to(u, left, lower, upper), soft)
        return np.where(lengths > 0, inside, soft * share)


def open_to(u: np.ndarray, way: np.ndarray, lower: Any, upper: Any) -> np.ndarray:
    """What bounds leave of a way from u."""
    way = np.where(u >= upper, np.minimum(way, 0.0), way)
    return np.where(u <= lower, np.maximum(way, 0.0), way)
