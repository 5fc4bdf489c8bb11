"""The evidence of a ridge with one strength for each group of columns (automatic relevance determination)."""

from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize

from shrinkage.selection._evidence_data import Reduced
from shrinkage.selection._evidence_ridge import Peak, peak, reach

_POLISH = 30
_ROUNDS = 50


@dataclass(frozen=True, eq=False)
class _Point:
    """The evidence at one strength per group, with what its slopes are made of; b = S α ‖v_g‖²."""

    value: float
    slope: np.ndarray
    quadratic: float
    b: np.ndarray
    gamma: np.ndarray
    v: np.ndarray
    whitened: np.ndarray
    solved: np.ndarray


def group_peak(data: Reduced, owner: np.ndarray, dispersion: float | None) -> Peak:
    """A local maximum of the evidence over one strength for each group; a strength may be inf, and its group then is 0.

    Climbs in log(alpha) by L-BFGS from the best common strength and ends by Newton's method. A group whose evidence
    would not fall if its strength were infinite is switched off, and comes back if a small weight for it would raise
    the evidence (the sign of the slope in 1/alpha at 0).

    Parameters
    ----------
    data : Reduced
    owner : ndarray of shape (p,), integer
        The group of every penalized column.
    dispersion : float or None
    """
    n_groups = int(owner.max()) + 1
    start = peak(data, dispersion).alpha[0]
    low, high = reach(data)
    alphas = np.full(n_groups, min(max(start, low), high))
    on = np.ones(n_groups, dtype=bool)
    for _ in range(_ROUNDS):
        alphas[on] = _climb(data, owner, np.where(on, alphas, np.inf), dispersion, (low, high))[on]
        off = _fading(data, owner, np.where(on, alphas, np.inf), dispersion)
        rising = _rising(data, owner, np.where(on & ~off, alphas, np.inf), dispersion, high)
        back = ~on & (rising < np.inf)
        if not off.any() and not back.any():
            break
        alphas[back] = rising[back]
        on = (on & ~off) | back
    alphas = np.where(on, alphas, np.inf)
    here = _point(data, owner, alphas, dispersion)
    se = np.full(n_groups, np.nan)
    if on.any():
        bend = -_bend(data, owner, alphas, here, dispersion)[np.ix_(on, on)]
        with np.errstate(invalid="ignore"):
            se[on] = np.sqrt(np.diag(np.linalg.inv(bend)))
    phi = here.quadratic / data.freedom if dispersion is None else dispersion
    return Peak(alphas, se, float(phi), here.gamma, here.value, here.v)


def _point(data: Reduced, owner: np.ndarray, alphas: np.ndarray, dispersion: float | None) -> _Point:
    """Evidence and slopes through the marginal covariance I + Σ_g A_g A_gᵀ / (S α_g), of min(n, p) rows."""
    A, N, n_groups = data.columns, data.freedom, len(alphas)
    shrink = 1.0 / (data.total * alphas)[owner]
    covariance = (A * shrink) @ A.T
    covariance[np.diag_indices_from(covariance)] += 1.0
    factor = linalg.cholesky(covariance, lower=True)
    half = linalg.solve_triangular(factor, data.c, lower=True)
    solved = linalg.solve_triangular(factor, half, lower=True, trans=1)
    whitened = linalg.solve_triangular(factor, A, lower=True)
    quadratic = data.rest + float(half @ half)
    v = shrink * (A.T @ solved)
    with np.errstate(divide="ignore", invalid="ignore"):
        b = np.bincount(owner, np.where(shrink > 0, v * v / shrink, 0.0), n_groups)
    gamma = np.bincount(owner, shrink * (whitened * whitened).sum(axis=0), n_groups)
    phi = quadratic / N if dispersion is None else dispersion
    value = -0.5 * N * np.log(2.0 * np.pi * phi) - 0.5 * quadratic / phi - data.log_free
    value -= float(np.log(np.diag(factor)).sum())
    return _Point(value, 0.5 * gamma - 0.5 * b / phi, quadratic, b, gamma, v, whitened, solved)


def _climb(data, owner, alphas, dispersion, bounds) -> np.ndarray:
    """The local maximum over the finite strengths, the others held at inf."""
    free = np.flatnonzero(np.isfinite(alphas))
    if not free.size:
        return alphas
    low, high = np.log(bounds[0]), np.log(bounds[1])

    def at(u: np.ndarray) -> np.ndarray:
        new = alphas.copy()
        new[free] = np.exp(u)
        return new

    def downhill(u: np.ndarray) -> tuple[float, np.ndarray]:
        here = _point(data, owner, at(u), dispersion)
        return -here.value, -here.slope[free]

    options = {"maxiter": 2000, "ftol": 1e-14, "gtol": 1e-7}
    found = optimize.minimize(
        downhill, np.log(alphas[free]), jac=True, method="L-BFGS-B", bounds=[(low, high)] * free.size, options=options
    )
    return at(_polish(data, owner, at, free, found.x, dispersion, (low, high)))


def _polish(data, owner, at, free, u, dispersion, limits) -> np.ndarray:
    """Newton's steps as long as the slope falls; they make strengths exact that a line search leaves at 1e-5."""
    here = _point(data, owner, at(u), dispersion)
    for _ in range(_POLISH):
        bend = _bend(data, owner, at(u), here, dispersion)[np.ix_(free, free)]
        values = np.linalg.eigvalsh(bend)
        if not values.max() < 0:
            break
        step = np.clip(-np.linalg.solve(bend, here.slope[free]), -0.5, 0.5)
        new = np.clip(u + step, *limits)
        there = _point(data, owner, at(new), dispersion)
        if not np.abs(there.slope[free]).max() < np.abs(here.slope[free]).max():
            break
        u, here = new, there
    return u


def _fading(data, owner, alphas, dispersion) -> np.ndarray:
    """Which groups to switch off, the weakest first: those without which the evidence, as they stand, is no lower.

    One after the other, each judged without those that left before it: two groups that say the same do not both leave.
    """
    off = np.zeros(len(alphas), dtype=bool)
    here = _point(data, owner, alphas, dispersion)
    value = here.value
    for g in np.argsort(here.gamma):
        if not np.isfinite(alphas[g]) or here.gamma[g] > 0.5:
            continue
        without = np.where(off | (np.arange(len(alphas)) == g), np.inf, alphas)
        there = _point(data, owner, without, dispersion).value
        if there >= value - 1e-10 * max(1.0, abs(value)):
            off[g], value = True, there
    return off


def _rising(data, owner, alphas, dispersion, high) -> np.ndarray:
    """For every group at infinite strength the strength to come back with; inf where it should stay away.

    d log p / d(1/(S α_g)) at 0 is ½ (‖A_gᵀ C⁻¹ y‖² / φ - tr A_gᵀ C⁻¹ A_g), C the covariance of the others.
    """
    away = np.isinf(alphas)
    back = np.full(len(alphas), np.inf)
    if not away.any():
        return back
    here = _point(data, owner, alphas, dispersion)
    phi = here.quadratic / data.freedom if dispersion is None else dispersion
    pull = np.bincount(owner, (data.columns.T @ here.solved) ** 2, len(alphas)) / phi
    volume = np.bincount(owner, (here.whitened**2).sum(axis=0), len(alphas))
    best = int(np.argmax(np.where(away, pull / np.maximum(volume, 1e-300), 0.0)))
    if away[best] and pull[best] > volume[best] * (1.0 + 1e-6):
        # For one column Tipping and Faul's optimum; for a group its mean column.
        size = np.count_nonzero(owner == best)
        mean = volume[best] / size
        found = mean * volume[best] / (pull[best] - volume[best]) / data.total
        back[best] = min(found, high)
    return back


def _bend(data, owner, alphas, here: _Point, dispersion) -> np.ndarray:
    """Second derivatives of the log evidence in the log strengths, with φ at its best if it is not given.

    With P = I - Āᵀ C⁻¹ Ā, Ā = A / √(S α), q = √(S α) v, b_g = ‖q_g‖² and γ_g = n_g - tr P_gg:
    ∂b_g/∂u_h = δ b_g - 2 q_gᵀ P_gh q_h and ∂γ_g/∂u_h = -δ tr P_gg + ‖P_gh‖².
    """
    n_groups = len(alphas)
    finite = np.isfinite(alphas)
    columns = np.flatnonzero(finite[owner])
    group = owner[columns]
    shrink = 1.0 / (data.total * alphas)[group]
    B = here.whitened[:, columns] * np.sqrt(shrink)
    q = here.v[columns] / np.sqrt(shrink)
    cross, size = np.zeros((2, n_groups, n_groups))
    for g in np.flatnonzero(finite):
        mine = np.flatnonzero(group == g)
        P = -B[:, mine].T @ B
        P[np.arange(mine.size), mine] += 1.0
        cross[g] = np.bincount(group, (q[mine] @ P) * q, n_groups)
        size[g] = np.bincount(group, (P * P).sum(axis=0), n_groups)
    counts = np.bincount(group, minlength=n_groups)
    slope_b = np.diag(here.b) - 2.0 * cross
    slope_gamma = size - np.diag(counts - here.gamma)
    if dispersion is None:
        ratio = here.b / here.quadratic
        bend = data.freedom * (slope_b / here.quadratic - np.outer(ratio, ratio))
    else:
        bend = slope_b / dispersion
    return 0.5 * slope_gamma - 0.5 * bend
