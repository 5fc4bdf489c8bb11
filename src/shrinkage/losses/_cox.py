"""Cox's partial likelihood of censored times."""

from dataclasses import dataclass
from typing import ClassVar

from shrinkage._arrays import Array, floating, namespace_of
from shrinkage._check import check_choice
from shrinkage._errors import DataError
from shrinkage.losses._joint import JointLoss
from shrinkage.losses._risk_sets import RiskSets, risk_sets, scan


@dataclass(frozen=True, slots=True)
class Cox(JointLoss):
    """Minus the log partial likelihood of right-censored times, less its least value.

    A row of y is [time, event] or [time, event, stratum]: event 1 where the time is a death, 0 where it is the last
    time that the row was seen; the numbers of strata only tell strata apart. With row weights v,

        f(η) = Σ_a c_a log(S_a / s_a) - Σ_a v_a η_a,    S_a = Σ_j v_j exp(η_j),

    over deaths a and the rows j of their stratum with time_j >= time_a (censored ones at that very time too). c_a is
    the mean weight of those who die with a, and s_a the sum S_a for η = 0 if nobody else were at risk. f takes no
    intercept: a constant added to η within a stratum changes nothing.

    Parameters
    ----------
    ties : "breslow" or "efron", default "breslow"
        How deaths at one time share their risk set. Breslow's way counts it in full for each, as glmnet; Efron's counts
        the terms of those who die 1 - l/d times for the l-th of d deaths (l from 0), nearer to a likelihood of times
        without ties. With Efron's a weight of 2 is not the row twice, for two rows would be a tie.

    References
    ----------
    Cox (1972), J. R. Stat. Soc. B 34(2). Breslow (1974), Biometrics 30(1). Efron (1977), J. Am. Stat. Assoc. 72(359).
    Coordinates: Simon, Friedman, Hastie & Tibshirani (2011), J. Stat. Softw. 39(5), https://doi.org/10.18637/jss.v039.i05

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([[1.0, 1.0], [2.0, 0.0], [3.0, 1.0]])
    >>> ones = np.ones(3)
    >>> float(Cox().value(y, np.zeros(3), ones).round(4))  # the first of three dies
    1.0986
    >>> Cox().gradient(y, np.zeros(3), ones).round(4)
    array([-0.6667,  0.3333,  0.3333])
    """

    ties: str = "breslow"
    name: ClassVar[str] = "cox"

    def __post_init__(self) -> None:
        check_choice("ties", self.ties, ("breslow", "efron"))

    def value(self, y: Array, eta: Array, weights: Array) -> Array:
        """Return f(η), shape () or (k,); O(n log n) for each column."""
        xp, at, h = self._sorted(y, eta, weights)
        log_total, _ = _totals(xp, at, h)
        dies = at.dies[:, None]
        terms = at.share[:, None] * (log_total - at.log_least[:, None]) - xp.exp(at.log_weight)[:, None] * h
        sums = xp.sum(xp.where(dies, terms, 0.0 * terms), axis=0)
        sums = 0.5 * (sums + xp.abs(sums))  # below 0 there is only rounding
        return sums[0] if eta.ndim == 1 else sums

    def gradient(self, y: Array, eta: Array, weights: Array) -> Array:
        """Return df/dη: v_i (exp(η_i) Λ_i - event_i), Λ_i the sum of c_a / S_a over the deaths with i at risk."""
        xp, at, h = self._sorted(y, eta, weights)
        log_total, log_share = _totals(xp, at, h)
        expected = xp.exp(h + at.log_weight[:, None] + _met(xp, at, log_share - log_total))
        observed = xp.where(at.dies, xp.exp(at.log_weight), 0.0 * at.log_weight)
        slope = _to_rows(xp, at, expected - observed[:, None])
        return slope[:, 0] if eta.ndim == 1 else slope

    def curvature_times(self, y: Array, eta: Array, weights: Array, step: Array) -> Array:
        """Return f''(η) step: v_i exp(η_i) Σ_a c_a / S_a (step_i - mean of step over the risk set of a)."""
        xp, at, h = self._sorted(y, eta, weights)
        t = xp.take(step, at.order, axis=0)
        t = t - xp.min(t, axis=0)  # a constant changes nothing, and what is not negative has a logarithm
        log_total, log_share = _totals(xp, at, h)
        log_mean = _totals(xp, at, h + _log(xp, t))[0] - log_total
        log_e = h + at.log_weight[:, None]
        own = xp.exp(log_e + _met(xp, at, log_share - log_total)) * t
        return _to_rows(xp, at, own - xp.exp(log_e + _met(xp, at, log_share - log_total + log_mean)))

    def inverse_link(self, eta: Array) -> Array:
        """Return exp η: the hazard of a row relative to one with η = 0 in its stratum."""
        return namespace_of(eta).exp(floating(eta))

    def informative(self, y: Array, weights: Array) -> Array:
        """Return the weights of the rows that die, 0 elsewhere."""
        return namespace_of(y).where(y[:, 1] > 0, weights, 0.0 * weights)

    def check(self, y: Array) -> None:
        """Raise `DataError` naming the first row of y that is not [time, event] or [time, event, stratum]."""
        xp = namespace_of(y)
        if y.ndim != 2 or y.shape[1] not in (2, 3):
            raise DataError(f"y must have a column of times and one of events (and one of strata); got shape {y.shape}")
        events = (y[:, 1] == 0) | (y[:, 1] == 1)
        for good, what in ((xp.all(xp.isfinite(y), axis=1), "finite"), (events, "0 or 1 in its column of events")):
            if not bool(xp.all(good)):
                row = int(xp.argmax(xp.astype(~good, xp.int32)))
                raise DataError(f"y must be {what}; row {row} is {[float(v) for v in y[row, :]]}")
        if not bool(xp.any(y[:, 1] == 1)):
            raise DataError("y must hold an event, a death that was seen; all rows are censored")

    def _sorted(self, y: Array, eta: Array, weights: Array) -> tuple:
        """The namespace, the risk sets, and eta by position, (m, k), less its largest."""
        eta = floating(eta)
        xp = namespace_of(eta)
        at = risk_sets(y, weights, self.ties == "efron")
        h = xp.take(xp.reshape(eta, (eta.shape[0], -1)), at.order, axis=0)
        top = xp.max(h, axis=0)
        return xp, at, h - xp.where(xp.isfinite(top), top, xp.zeros_like(top))  # far from 0 digits would be lost


def _totals(xp, at: RiskSets, h: Array) -> tuple[Array, Array]:
    """Logarithms of the sum of v exp(h) over the risk set of each death and of its share c; -inf for other rows."""
    log_e = h + at.log_weight[:, None]
    never = xp.full_like(log_e, -float("inf"))
    dies = at.dies[:, None]
    everybody = xp.take(scan(log_e, at.stratum, xp.logaddexp), at.last, axis=0)
    dying = xp.take(scan(xp.where(dies, log_e, never), at.group, xp.logaddexp), at.last, axis=0)
    part = xp.where(dies & (everybody > never), xp.exp(dying - xp.where(everybody > never, everybody, 0.0)), 0.0)
    total = everybody + xp.log1p(-at.left_out[:, None] * part)
    return xp.where(dies, total, xp.zeros_like(total)), xp.where(dies, _log(xp, at.share)[:, None], never)


def _met(xp, at: RiskSets, log_terms: Array) -> Array:
    """Logarithms of sums of terms of deaths (-inf elsewhere) over those that a row was at risk of.

    One who dies counts the terms of those who die at the same time as often as these count it.
    """
    never = xp.full_like(log_terms[:1, :], -float("inf"))
    backwards = scan(xp.flip(log_terms, axis=0), xp.flip(at.stratum, axis=0), xp.logaddexp)
    after = xp.concat([xp.flip(backwards, axis=0), never])
    stratum = xp.concat([at.stratum, at.stratum[-1:] + 1])
    follows = xp.take(stratum, at.last + 1) == at.stratum
    later = xp.where(follows[:, None], xp.take(after, at.last + 1, axis=0), never)
    counted = scan(log_terms + xp.log1p(-at.left_out)[:, None], at.group, xp.logaddexp)
    dying = xp.logaddexp(later, xp.take(counted, at.last, axis=0))
    return xp.where(at.dies[:, None], dying, xp.take(after, at.first, axis=0))


def _log(xp, x: Array) -> Array:
    """Logarithm of x >= 0; -inf at 0, without a warning."""
    return xp.where(x > 0, xp.log(xp.where(x > 0, x, xp.ones_like(x))), -float("inf"))


def _to_rows(xp, at: RiskSets, values: Array) -> Array:
    """Values (m, k) by position as values (n, k) by row, 0 in rows of weight 0."""
    return xp.take(xp.concat([values, 0.0 * values[:1, :]]), at.place, axis=0)
