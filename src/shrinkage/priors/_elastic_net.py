"""The density whose negative logarithm is the elastic net, as a distribution of SciPy."""

from typing import Any

import numpy as np
from scipy import special, stats

_ROOT2 = np.sqrt(2.0)
_ROOT_2_PI = np.sqrt(2.0 / np.pi)
_LOG_ROOT_2PI = 0.5 * np.log(2.0 * np.pi)
_FRACTION_FROM = 1.5
_FRACTION_TERMS = 120
_NEWTON_STEPS = 60


class ElasticNetDistribution(stats.rv_continuous):
    """Distribution with density exp(-t |x| - ½ x²) / (√(2π) erfcx(t / √2)), for t >= 0: the prior of the elastic net.

    Its size |x| is a normal variable of mean -t and variance 1, given that it is positive. t = 0 is the normal
    distribution, and t x tends to a Laplace variable as t grows. With `scale` s, α ρ S / φ = t / s and
    α (1-ρ) S / φ = 1 / s² are the two strengths of the penalty; S is the sum of sample weights and φ the dispersion.

    Density, cumulative probability, quantiles, moments and entropy have closed forms in erfcx(x) = exp(x²) erfc(x),
    none of which overflows or cancels for any t from 0 to 1e300; samples are made by inversion.

    The shape `t` >= 0, a number or an array, is the rate of the L1 part in units of 1 / scale. As in every distribution
    of scipy.stats, `loc` is the center and `scale` > 0 the unit, here 1 / √(α (1-ρ) S / φ).

    References
    ----------
    Li & Lin (2010), Bayesian Anal. 5(1), eq. 2, https://doi.org/10.1214/10-BA506
    Hans (2011), J. Am. Stat. Assoc. 106(496), eq. 4: the normalizer, https://doi.org/10.1198/jasa.2011.tm09241

    Examples
    --------
    >>> from shrinkage.priors import elastic_net
    >>> float(elastic_net(t=1.0).pdf(0.0).round(6)), float(elastic_net(t=1.0, scale=2.0).pdf(0.0).round(6))
    (0.762568, 0.381284)
    >>> float(elastic_net(t=1.0).cdf(elastic_net(t=1.0).ppf(0.975)).round(12))
    0.975
    """

    def _argcheck(self, *args: Any) -> Any:
        (t,) = args
        return (t >= 0) & np.isfinite(t)

    def _pdf(self, x: Any, *args: Any) -> Any:
        return np.exp(self._logpdf(x, *args))

    def _logpdf(self, x: Any, *args: Any) -> Any:
        (t,), size = args, np.abs(x)
        return -size * (t + 0.5 * size) - _LOG_ROOT_2PI - np.log(special.erfcx(t / _ROOT2))

    def _sf(self, x: Any, *args: Any) -> Any:
        tail = 0.5 * np.exp(-_energy(np.abs(x), *args))
        return np.where(x < 0, 1.0 - tail, tail)

    def _cdf(self, x: Any, *args: Any) -> Any:
        return self._sf(-x, *args)

    def _logsf(self, x: Any, *args: Any) -> Any:
        log_tail = -_energy(np.abs(x), *args) - np.log(2.0)
        return np.where(x < 0, np.log1p(-np.exp(log_tail)), log_tail)

    def _logcdf(self, x: Any, *args: Any) -> Any:
        return self._logsf(-x, *args)

    def _isf(self, q: Any, *args: Any) -> Any:
        with np.errstate(divide="ignore"):
            size = _size(-np.log(2.0 * np.minimum(q, 1.0 - q)), *args)
        return np.where(q > 0.5, -size, size)

    def _ppf(self, q: Any, *args: Any) -> Any:
        return -self._isf(q, *args)

    def _rvs(self, *args: Any, size: Any = None, random_state: Any = None) -> Any:
        drawn = _size(random_state.standard_exponential(size), *args)
        return np.where(random_state.uniform(size=size) < 0.5, -drawn, drawn)

    def _munp(self, n: Any, *args: Any) -> Any:
        (t,) = args
        return _sizes_moment(int(n), t) if n % 2 == 0 else np.zeros(np.shape(t))

    def _stats(self, *args: Any, **kwds: Any) -> Any:
        (t,) = args
        second = _sizes_moment(2, t)
        near = np.minimum(t, 1e60)  # beyond, the excess is 3 and powers of the moments underflow
        excess = _sizes_moment(4, near) / _sizes_moment(2, near) ** 2 - 3.0
        return np.zeros(np.shape(t)), second, np.zeros(np.shape(t)), excess

    def _entropy(self, *args: Any) -> Any:
        (t,) = args
        peak = _LOG_ROOT_2PI + np.log(special.erfcx(t / _ROOT2))
        return peak + t * _sizes_moment(1, t) + 0.5 * _sizes_moment(2, t)


def _energy(size: Any, t: Any) -> Any:
    """-log P(|x| > size) = t size + ½ size² - log(erfcx((size + t) / √2) / erfcx(t / √2))."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        shape = np.log(special.erfcx((size + t) / _ROOT2)) - np.log(special.erfcx(t / _ROOT2))
        energy = size * (t + 0.5 * size) - shape
    return np.where(np.isinf(size), np.inf, np.maximum(energy, 0.0))


def _size(energy: Any, t: Any) -> np.ndarray:
    """Return the size with P(|x| > size) = exp(-energy), by Newton's method from above.

    The energy is convex in the size and at least t size + ½ size², so that each start below is an upper bound and every
    step falls toward the root; it ends where rounding stops the fall.
    """
    energy, t = np.broadcast_arrays(np.asarray(energy, dtype=np.float64), np.asarray(t, dtype=np.float64))
    reached, away = np.isfinite(energy), energy > 0
    energy = np.where(reached, np.maximum(energy, 1e-300), 1.0)
    start = special.erfcx(t / _ROOT2)
    size = np.minimum(energy * start / _ROOT_2_PI, 2.0 * energy / (t + np.hypot(t, np.sqrt(2.0 * energy))))
    for _ in range(_NEWTON_STEPS):
        here = special.erfcx((size + t) / _ROOT2)
        above = size * (t + 0.5 * size) - np.log(here / start) - energy
        step = np.maximum(above, 0.0) * here / _ROOT_2_PI
        size = np.maximum(size - step, 0.0)
        # A relative step of 1e-9 leaves 1e-18; near 0 the energy itself is known to rounding only.
        if ((step <= 1e-9 * size) | (above <= 4e-15 * np.maximum(energy, 1.0))).all():
            break
    return np.where(reached, np.where(away, size, 0.0), np.inf)


def _hazard(size: Any, t: Any) -> Any:
    """The derivative of `_energy` in the size: √(2/π) / erfcx((size + t) / √2)."""
    return _ROOT_2_PI / special.erfcx((size + t) / _ROOT2)


def _sizes_moment(n: int, t: Any) -> Any:
    """E |x|^n, as a product of the ratios r_k = E |x|^k / E |x|^(k-1).

    By parts, r_k = k / (t + r_(k+1)) for k >= 1: a continued fraction of positive terms for large t, where the forward
    recurrence E |x|^(k+1) = k E |x|^(k-1) - t E |x|^k would cancel; for small t the forward recurrence.
    """
    t = np.asarray(t, dtype=np.float64)
    large = np.maximum(t, _FRACTION_FROM)
    last = n + _FRACTION_TERMS
    ratio = 2.0 * last / (large + np.hypot(large, 2.0 * np.sqrt(last)))
    product = np.ones_like(large)
    for k in range(last - 1, 0, -1):
        ratio = k / (large + ratio)
        if k <= n:
            product = product * ratio
    small = np.minimum(t, _FRACTION_FROM)
    before, here = np.ones_like(small), _hazard(0.0, small) - small
    for k in range(1, n):
        before, here = here, k * before - small * here
    return np.where(t < _FRACTION_FROM, here if n else before, product)


elastic_net = ElasticNetDistribution(name="elastic_net", shapes="t")
"""`ElasticNetDistribution`, to be frozen as the distributions of scipy.stats are: ``elastic_net(t, scale=s)``."""
