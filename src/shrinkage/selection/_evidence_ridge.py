"""The evidence of a ridge: closed in the strength, so that one eigendecomposition serves all of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize

from shrinkage.selection._evidence_data import Reduced

_COARSE = 400
_REACH = 1e4


@dataclass(frozen=True)
class Peak:
    """The strength of the highest evidence: one number, or one for each group.

    `alpha` is inf where the evidence still grows at the weakest prior effect that matters, 0 where it grows toward no
    penalty. `log_se` is 1 / √(-d² log evidence / d log(alpha)²), nan where alpha is 0 or inf.
    """

    alpha: np.ndarray
    log_se: np.ndarray
    dispersion: float
    gamma: np.ndarray
    log_evidence: float
    v: np.ndarray


def log_evidences(data: Reduced, alphas: np.ndarray, dispersion: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Log evidence and effective number of parameters of every strength.

    With h = d² / (d² + S α) along each singular direction, Q = rest + Σ c² (1 - h) and N the rows not spent on free
    columns, log p(y) = -½ N log(2πφ) - ½ log det ZᵀSZ + ½ Σ log(1 - h) - Q / (2φ); without a dispersion, φ = Q / N.
    """
    kept = _kept(data, alphas)
    quadratic = data.rest + kept @ data.c**2
    phi = quadratic / data.freedom if dispersion is None else np.full(len(quadratic), dispersion)
    with np.errstate(divide="ignore"):
        fit = -0.5 * data.freedom * np.log(2.0 * np.pi * phi) - 0.5 * quadratic / phi
        return fit - data.log_free + 0.5 * np.log(kept).sum(axis=1), (1.0 - kept).sum(axis=1)


def slopes(data: Reduced, alpha: float, dispersion: float | None) -> tuple[float, float]:
    """First and second derivative of the log evidence in log(alpha), with φ at its best if it is not given.

    With Q' = Σ c² h (1-h) and Q'' = -Σ c² h (1-h) (1-2h): ½ Σ h - ½ N Q'/Q and -½ Σ h (1-h) - ½ N (Q''/Q - (Q'/Q)²).
    """
    kept = _kept(data, np.array([alpha]))[0]
    h, squares = 1.0 - kept, data.c**2
    quadratic = data.rest + float(squares @ kept)
    first = float(squares @ (h * kept))
    second = -float(squares @ (h * kept * (1.0 - 2.0 * h)))
    if dispersion is None:
        change = data.freedom * first / quadratic
        bend = data.freedom * (second / quadratic - (first / quadratic) ** 2)
    else:
        change, bend = first / dispersion, second / dispersion
    return 0.5 * float(h.sum()) - 0.5 * change, -0.5 * float((h * kept).sum()) - 0.5 * bend


def peak(data: Reduced, dispersion: float | None) -> Peak:
    """The strength of the highest evidence over all strengths: the best of a fine grid, then the root of the slope."""
    low, high = reach(data)
    grid = np.geomspace(low, high, _COARSE)
    found = log_evidences(data, grid, dispersion)[0]
    best = int(np.argmax(found))
    if best == _COARSE - 1:
        return _at(data, np.inf, dispersion)
    if best == 0:
        return _at(data, 0.0 if not data.rest > 1e-20 * data.spread else low, dispersion)
    ends = np.log([grid[best - 1], grid[best + 1]])
    root: Any = optimize.brentq
    alpha = float(np.exp(root(lambda u: slopes(data, float(np.exp(u)), dispersion)[0], *ends, xtol=1e-13)))
    return _at(data, alpha, dispersion)


def reach(data: Reduced) -> tuple[float, float]:
    """Strengths between which every direction goes from nearly free to nearly gone."""
    return float(data.squares.min() / data.total / _REACH), float(data.squares.max() / data.total * _REACH)


def _at(data: Reduced, alpha: float, dispersion: float | None) -> Peak:
    """The record of one strength."""
    alphas = np.array([alpha])
    evidence, gamma = log_evidences(data, alphas, dispersion)
    kept = _kept(data, alphas)[0]
    phi = (data.rest + float(kept @ data.c**2)) / data.freedom if dispersion is None else dispersion
    se = np.nan
    if 0 < alpha < np.inf:
        bend = slopes(data, alpha, dispersion)[1]
        se = 1.0 / np.sqrt(-bend) if bend < 0 else np.nan
    v = data.right @ (data.c * (1.0 - kept) / np.sqrt(data.squares))
    return Peak(alphas, np.array([se]), float(phi), gamma, float(evidence[0]), v)


def _kept(data: Reduced, alphas: np.ndarray) -> np.ndarray:
    """1 - h = S α / (d² + S α), shape (k, m), accurate where it is small; 1 for alpha = inf."""
    with np.errstate(invalid="ignore"):
        ratio = data.squares / (data.total * alphas[:, None]) if (alphas > 0).all() else None
    if ratio is None:
        strength = data.total * alphas[:, None]
        return strength / (data.squares + strength)
    return 1.0 / (1.0 + ratio)
