"""Halves of the rows in complementary pairs, and the features that each half chooses on its own path."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from shrinkage._check import label_vector
from shrinkage._errors import ArgumentError, ConvergenceWarning, DataError
from shrinkage._path import alpha_grid
from shrinkage.design import check_finite
from shrinkage.problem import Problem
from shrinkage.solvers import first_strengths, samples_at_once, solve_subsamples

Pair = tuple[np.ndarray, np.ndarray]
NEVER = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Choices:
    """Which features each half-sample chooses, and where on the grid; one number per choice.

    Attributes
    ----------
    feature, half, place : ndarray of shape (n_choices,)
        Column of X, number of the half-sample, place on the grid of the first strength at which it is nonzero.
    n_halves : int
    missed : int
        Fits whose certified gap is above tol.
    worst_gap : float
    """

    feature: np.ndarray
    half: np.ndarray
    place: np.ndarray
    n_halves: int
    missed: int
    worst_gap: float

    @classmethod
    def joined(cls, parts: list["Choices"]) -> "Choices":
        """Half-samples of several walks, numbered on."""
        before = np.cumsum([0, *(part.n_halves for part in parts)])
        return cls(
            np.concatenate([part.feature for part in parts]),
            np.concatenate([part.half + start for part, start in zip(parts, before[:-1], strict=True)]),
            np.concatenate([part.place for part in parts]),
            int(before[-1]),
            sum(part.missed for part in parts),
            max(part.worst_gap for part in parts),
        )


def draw_pairs(
    problem: Problem, n_pairs: int, rng: np.random.Generator, groups: np.ndarray | None = None
) -> list[Pair]:
    """Draw halves of the rows with positive weight; of an odd number one row is left out of a pair.

    Groups of rows stay together, and halves are of groups. Otherwise each half of a logistic problem has half of each
    class; of an odd class one row is left out.

    Raises
    ------
    DataError
        If halves cannot have two rows, or both classes.
    """
    n = len(problem.y)
    weights = np.ones(n) if problem.sample_weight is None else problem.sample_weight
    rows = np.flatnonzero(weights > 0)
    if groups is not None:
        names, of_row = np.unique(groups[rows], return_inverse=True)
        strata = [np.arange(len(names))]
        members = [rows[of_row == g] for g in range(len(names))]
    else:
        strata = [rows[problem.y[rows] == c] for c in (0, 1)] if problem.loss.name == "logistic" else [rows]
        members = None
    fewest = min(len(stratum) for stratum in strata)
    if fewest < (2 if len(strata) > 1 else 4):
        raise DataError(_too_few(fewest, groups is not None, len(strata) > 1))
    pairs = []
    for _ in range(n_pairs):
        shuffled = [rng.permutation(stratum) for stratum in strata]
        halves = []
        for side in (0, 1):
            units = np.concatenate([s[side * (len(s) // 2) : (side + 1) * (len(s) // 2)] for s in shuffled])
            halves.append(np.sort(units if members is None else np.concatenate([members[g] for g in units])))
        pairs.append((halves[0], halves[1]))
    if members is not None and problem.loss.name == "logistic":
        _check_classes(problem.y, pairs)
    return pairs


def _too_few(fewest: int, grouped: bool, classes: bool) -> str:
    if grouped:
        return f"groups must be at least 4 to be halved; got {fewest}"
    if classes:
        return f"y must hold two rows of each class or more to be halved; the rarer has {fewest}"
    return f"X must have at least 4 rows of positive weight to be halved; got {fewest}"


def _check_classes(y: np.ndarray, pairs: list[Pair]) -> None:
    for k, pair in enumerate(pairs):
        if any(len(np.unique(y[rows])) < 2 for rows in pair):
            raise DataError(f"y has a single class in a half of pair {k}: groups are too few, or a class sits in one")


def walks(
    problem: Problem, samples: list[np.ndarray], alphas: np.ndarray, q: int | None, standardize: bool, tol: float
) -> Iterator[Choices]:
    """What each sample chooses: the first q features of its path, or with q None all that are ever nonzero on it.

    One item for every walk of the engine, of an even number of samples. Features that enter between the same two
    strengths count in the order of their coefficients' size, largest first, in the penalty's units.
    """
    at_once = samples_at_once(problem)
    for start in range(0, len(samples), at_once):
        yield _walk(problem, samples[start : start + at_once], alphas, q, standardize, tol)


def _walk(problem: Problem, samples, alphas: np.ndarray, q: int | None, standardize: bool, tol: float) -> Choices:
    p = problem.design.shape[1]
    place = np.full((len(samples), p), NEVER, np.int32)
    size = np.zeros((len(samples), p))
    unit = np.ones(p) if problem.scale is None else problem.scale

    def watch(k: int, start: int, features: np.ndarray, coefs: np.ndarray) -> bool:
        nonzero = coefs != 0
        new = np.flatnonzero(nonzero.any(axis=1) & (place[k, features] == NEVER))
        first = nonzero[new].argmax(axis=1)
        place[k, features[new]] = start + first
        size[k, features[new]] = np.abs(coefs[new, first]) * unit[features[new]]
        return q is not None and bool(np.count_nonzero(place[k] < NEVER) >= q)

    gaps = np.concatenate(solve_subsamples(problem, samples, alphas, standardize, tol, watch))
    chosen = []
    for k in range(len(samples)):
        entered = np.flatnonzero(place[k] < NEVER)
        chosen.append(entered[np.lexsort((-size[k, entered], place[k, entered]))[:q]])
    feature, half = np.concatenate(chosen), np.repeat(np.arange(len(samples)), [len(c) for c in chosen])
    missed, worst = int((gaps > tol).sum()), float(gaps.max(initial=0.0))
    return Choices(feature, half, place[half, feature], len(samples), missed, worst)


def candidates(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Columns that can be chosen, and those that the penalty leaves free; columns that do not vary are neither.

    Raises
    ------
    DataError
        If a value of X is not finite.
    """
    check_finite(problem.design)
    p = problem.design.shape[1]
    weights = None if problem.sample_weight is None else np.asfortranarray(problem.sample_weight[:, None])
    means, variances = (moment[:, 0] for moment in problem.design.column_moments(weights))
    spread = np.sqrt(variances if problem.fit_intercept else variances + means**2)
    varies = spread > 1e-10 * np.abs(means)
    factors = np.ones(p) if problem.penalty.factors is None else np.asarray(problem.penalty.factors, dtype=float)
    return np.flatnonzero(varies & (factors > 0)), np.flatnonzero(factors == 0)


def check_groups(groups, n: int) -> np.ndarray | None:
    """`groups` as a vector with one label of one kind for each row, or None."""
    if groups is None:
        return None
    try:
        labels = label_vector("groups", groups)
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise ArgumentError(f"groups must be a vector of labels, one for each row of X; got {groups!r}") from None
    if labels.shape != (n,):
        raise ArgumentError(f"groups must have shape ({n},), one for each row of X; got {labels.shape}")
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        row = int(np.argmax(np.isnan(labels)))
        raise DataError(f"groups must hold a label in every row; row {row} is nan: leave out that row")
    return labels


def grid_of_halves(
    problem: Problem, halves: list[np.ndarray], standardize: bool, alpha: float | None, n_alphas: int, ratio: float
) -> np.ndarray:
    """Return one decreasing grid for all halves, from where the first chooses: to `alpha`, or to a share of it."""
    top = float(first_strengths(problem, halves, standardize).max())
    if not top > 0:
        raise DataError("y is explained without the penalized columns in every half: there is nothing to choose")
    return alpha_grid(top, n_alphas, ratio) if alpha is None else grid_to(alpha, top, n_alphas)


def warn_of_missed(choices: Choices, tol: float) -> None:
    """Warn, at the line that called the public function, of fits whose certified gap is above tol."""
    if choices.missed:
        warnings.warn(
            f"{choices.missed} fits of half-samples ended with a relative duality gap above tol: "
            f"{choices.worst_gap:.1e} > {tol:.1e}; raise tol, or standardize X",
            ConvergenceWarning,
            stacklevel=3,
        )


def grid_to(alpha: float, top: float, n_alphas: int) -> np.ndarray:
    """Strengths from where features begin to enter down to alpha."""
    if alpha >= top:
        return np.array([float(alpha)])
    grid = np.geomspace(top, alpha, n_alphas)
    grid[-1] = alpha
    return grid
