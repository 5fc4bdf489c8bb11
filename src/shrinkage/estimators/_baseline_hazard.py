"""The hazard that a Cox model leaves open, estimated from the rows it was fitted to."""

from dataclasses import dataclass

import numpy as np

from shrinkage._errors import ArgumentError


@dataclass(frozen=True, eq=False)
class BaselineHazard:
    """Cumulative hazards H₀(t) of rows with linear predictor 0, a step at each time of death, one curve per stratum.

    H₀(t) = Σ c_a / S_a over the deaths a of the stratum at times <= t, with the shares c_a and the sums S_a of `Cox`.

    Attributes
    ----------
    strata : ndarray of shape (n_strata,)
        Labels, sorted; [0] without strata.
    times : tuple of ndarray
        Times of death of each stratum, rising.
    log_hazards : tuple of ndarray
        log H₀ at these times.

    References
    ----------
    Breslow (1972), J. R. Stat. Soc. B 34(2), in the discussion of Cox.
    """

    strata: np.ndarray
    times: tuple[np.ndarray, ...]
    log_hazards: tuple[np.ndarray, ...]

    def log_hazard(self, times: np.ndarray, stratum: int = 0) -> np.ndarray:
        """Log H₀ (n_times,) of a stratum, by its place in `strata`; -inf before its first death."""
        steps = np.concatenate([[-np.inf], self.log_hazards[stratum]])
        return steps[np.searchsorted(self.times[stratum], times, side="right")]

    def places(self, strata: np.ndarray | None, n: int) -> np.ndarray:
        """The place in `strata` of each of n rows."""
        if strata is None:
            if len(self.strata) > 1:
                raise ArgumentError("strata must be given: the fit has several, each with a baseline hazard of its own")
            return np.zeros(n, dtype=np.int64)
        labels = np.asarray(strata)
        if labels.shape != (n,):
            raise ArgumentError(f"strata must have shape ({n},), one label for each row of X; got {labels.shape}")
        found = np.searchsorted(self.strata, labels).clip(max=len(self.strata) - 1)
        unknown = np.flatnonzero(self.strata[found] != labels)
        if unknown.size:
            row = unknown[0]
            raise ArgumentError(f"strata must be those of the fit; row {row} is {labels[row].item()!r}")
        return found


def baseline_hazard(
    y: np.ndarray, eta: np.ndarray, weights: np.ndarray | None, efron: bool, strata: np.ndarray | None
) -> BaselineHazard:
    """The baseline hazard at linear predictors eta (n,), y = [time, event] or with a third column of strata."""
    weights = np.ones(len(y)) if weights is None else weights
    codes = y[:, 2].astype(np.int64) if y.shape[1] > 2 else np.zeros(len(y), dtype=np.int64)
    labels = np.unique(codes) if strata is None else np.unique(strata)
    curves = [_curve(y[rows], eta[rows], weights[rows], efron) for rows in (codes == code for code in np.unique(codes))]
    return BaselineHazard(labels, tuple(times for times, _ in curves), tuple(logs for _, logs in curves))


def _curve(y: np.ndarray, eta: np.ndarray, weights: np.ndarray, efron: bool) -> tuple[np.ndarray, np.ndarray]:
    """Times of death, rising, and log H₀ at them; sums of exponentials by their logarithms, or far η would vanish."""
    y, eta, weights = y[weights > 0], eta[weights > 0], weights[weights > 0]
    dies = y[:, 1] > 0
    times = np.unique(y[dies, 0])
    if not times.size:
        return times, times
    latest = np.argsort(-y[:, 0], kind="stable")
    log_e = np.log(weights) + eta
    at_risk = np.logaddexp.accumulate(log_e[latest])
    at_risk = at_risk[np.searchsorted(-y[latest, 0], -times, side="right") - 1]
    place = np.searchsorted(times, y[dies, 0])
    mass = np.bincount(place, weights[dies])
    jumps = np.log(mass) - at_risk
    if efron:
        dying = np.full(times.size, -np.inf)
        np.logaddexp.at(dying, place, log_e[dies])
        part = np.exp(dying - at_risk)
        many = np.bincount(place)
        for k in np.flatnonzero(many > 1):
            jumps[k] += np.log(np.mean(1.0 / (1.0 - np.arange(many[k]) / many[k] * part[k])))
    return times, np.logaddexp.accumulate(jumps)
