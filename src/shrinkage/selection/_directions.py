"""For each coefficient a direction in which almost only its own column moves: the nodewise lasso."""

from dataclasses import dataclass

import numpy as np

from shrinkage.solvers import Nodewise

N_STRENGTHS, SMALLEST, BLOCK = 80, 0.005, 8
LEAST = 1e-8
"""Strengths given are at least this share of the one that zeroes all: 0 itself has no certificate here."""
OVERRUN = 0.5
"""κ₁ of Zhang & Zhang: where the bias factor cannot be brought below its bound, this far above the least."""


@dataclass(frozen=True, eq=False)
class Directions:
    """z_j = Xc_j for every column asked for, X in standard units.

    Attributes
    ----------
    coefs : ndarray of shape (n_features, m)
        c_j, with 1 at j.
    strengths : ndarray of shape (m,)
        The nodewise lasso's.
    bias_factors : ndarray of shape (m,)
        η_j = max_{k≠j} |z_jᵀx_k| / ‖z_j‖.
    coherences : ndarray of shape (m,)
        max_{k≠j} |z_jᵀx_k| / |z_jᵀx_j|: 1 where another column moves as much as the column itself, or where the others
        explain it exactly and the strength was to be 0.
    """

    coefs: np.ndarray
    strengths: np.ndarray
    bias_factors: np.ndarray
    coherences: np.ndarray


def directions(
    gram: np.ndarray, columns: np.ndarray, n: float, rank: int, strength: float | None, widening: float
) -> Directions:
    """Directions for some columns, all from the same products.

    Parameters
    ----------
    gram : ndarray of shape (n_features, n_features)
        XᵀX / n, X centered and with columns of length √n; 0 in the rows of a constant column. With weights XᵀΩX / n.
    columns : ndarray of shape (m,)
    n : float
        What the products were divided by: the sum of the weights ω.
    rank : int
        Upper bound of the rank of `gram`.
    strength : float or None
        None chooses one for each column, by `_walk`.
    widening : float >= 0
    """
    found = Directions(
        np.zeros((len(gram), len(columns)), order="F"), *(np.full(len(columns), np.nan) for _ in range(3))
    )
    for place, j in enumerate(columns):
        if gram[j, j] <= 0:
            continue  # a constant column moves nothing
        if strength is None:
            chosen, coef = _walk(Nodewise(gram, int(j), rank), gram, int(j), n, widening)
        else:
            node = Nodewise(gram, int(j), rank)
            chosen = max(strength, LEAST * node.first_strength)
            coef = node.residuals(np.array([chosen]))[:, 0] if chosen > 0 else node.residuals(np.ones(1))[:, 0]
        found.coefs[:, place], found.strengths[place] = coef, chosen
        eta, _, coherence = _measures(gram, int(j), coef[:, None], n)
        explained = strength is not None and chosen > strength and not _leaves(gram, int(j), coef)
        found.bias_factors[place], found.coherences[place] = eta[0], 1.0 if explained else coherence[0]
    return found


def _leaves(gram: np.ndarray, j: int, coef: np.ndarray) -> bool:
    """Whether column j leaves something that a strength of next to 0 did not make.

    zᵀx_j / n = ‖z‖² / n + λ‖c‖₁ at the optimum. For least squares the second term is nothing; where the others explain
    the column there is nothing but the second, and z is a direction that the penalty alone has chosen.
    """
    moved = gram @ coef
    return bool(coef @ moved > 0.5 * moved[j])


def _walk(node: Nodewise, gram: np.ndarray, j: int, n: float, widening: float) -> tuple[float, np.ndarray]:
    """Choose a strength by the two steps of Zhang & Zhang (2014), table 2.

    First the largest λ with η_j(λ) <= √(2 log p). Then, since bias is worse than width, the smallest at which the
    standard error is at most 1 + widening times the one there. Walking down, η falls and the standard error rises.
    """
    first = node.first_strength
    if first <= 0:  # orthogonal to all others already
        return 0.0, node.residuals(np.ones(1))[:, 0]
    grid = first * np.geomspace(1.0, SMALLEST, N_STRENGTHS)
    bound = np.sqrt(2 * np.log(max(len(gram), 2)))
    etas, taus, coefs = np.zeros(0), np.zeros(0), np.zeros((len(gram), 0))
    reached = np.zeros(0, np.int64)
    for start in range(0, N_STRENGTHS, BLOCK):
        some = node.residuals(grid[start : start + BLOCK])
        eta, tau, _ = _measures(gram, j, some, n)
        etas, taus, coefs = np.append(etas, eta), np.append(taus, tau), np.hstack([coefs, some])
        reached = np.flatnonzero(etas <= bound)
        if reached.size and taus[-1] > (1 + widening) * taus[reached[0]]:
            break
    if not reached.size:
        reached = np.flatnonzero(etas <= (1 + OVERRUN) * etas.min())
    narrow = np.flatnonzero(taus <= (1 + widening) * taus[reached[0]])
    chosen = max(int(reached[0]), int(narrow[-1]))
    return float(grid[chosen]), coefs[:, chosen]


def _measures(gram: np.ndarray, j: int, coefs: np.ndarray, n: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bias factors η, standard errors τ over the noise, and coherences, for each column of `coefs`."""
    support = np.flatnonzero(np.any(coefs != 0, axis=1))
    moved = gram[:, support] @ coefs[support]  # Xᵀz / n
    length = np.sqrt(np.maximum(np.einsum("kt,kt->t", coefs[support], moved[support]), 0.0))
    own = np.abs(moved[j])
    moved[j] = 0.0
    others = np.abs(moved).max(axis=0, initial=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        eta = np.where(length > 0, np.sqrt(n) * others / length, np.inf)
        tau = np.where(own > 0, length / (np.sqrt(n) * own), np.inf)
        coherence = np.where(own > 0, others / own, np.inf)
    return eta, tau, coherence
