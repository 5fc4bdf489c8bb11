"""The Laplace prior's scale by Monte Carlo EM over the Gibbs sampler of the Bayesian lasso."""

from dataclasses import dataclass, field, replace

import numpy as np
from scipy import linalg

from shrinkage.selection._evidence_data import Reduced

_FIRST_ROUND = 200
_GROWTH = 1.5
_BATCHES = 25
_FINALS = 12
_TINY = 1e-150
_POTRF, _TRTRS = linalg.get_lapack_funcs(("potrf", "trtrs"), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class MonteCarlo:
    """What a sampler says beside the strength that it found, and how exactly.

    Attributes
    ----------
    draws : int
        Draws of the last chain, after those left out at its start.
    error : float
        Monte Carlo standard error of the logarithm of the strength, by batch means.
    mean, sd : ndarray of shape (n_features,)
        Posterior means and standard deviations of the coefficients, in the raw units of X, at that strength; nan for
        columns without a penalty.
    trace : ndarray of shape (rounds,)
        The strength after each round.
    seed : int or None
        None where no number was given.
    stopped : str
        Why the sampler ended: "" where it ended by itself, else a sentence.
    """

    draws: int
    error: float
    mean: np.ndarray
    sd: np.ndarray
    trace: np.ndarray
    seed: int | None
    stopped: str = ""


@dataclass
class Chain:
    """Gibbs sampler of β, σ² and the mixing variances τ², of Park and Casella's hierarchy.

    y = A β + σ ε, β_j ~ N(0, σ² τ_j²), τ_j² ~ Exp(rate λ²/2), p(σ²) ∝ 1/σ²: given σ, each β_j is Laplace with rate λ/σ.
    """

    data: Reduced
    random: np.random.Generator
    beta: np.ndarray
    sigma2: float
    gram: np.ndarray | None = field(init=False)

    def __post_init__(self) -> None:
        m, p = self.data.columns.shape
        self.gram = self.data.columns.T @ self.data.columns if p <= m else None
        self.pull = self.data.columns.T @ self.data.c

    def step(self, rate: float) -> None:
        """One draw of τ², then β, then σ²."""
        data, random = self.data, self.random
        size = np.maximum(np.abs(self.beta), _TINY)
        inverse = inverse_gaussian(rate * np.sqrt(self.sigma2) / size, rate * rate, random)
        self.beta = self._coefficients(inverse, np.sqrt(self.sigma2))
        left = data.c - data.columns @ self.beta
        square = data.rest + float(left @ left) + float(inverse @ self.beta**2)
        self.sigma2 = 0.5 * square / random.standard_gamma(0.5 * (data.freedom + len(self.beta)))

    def _coefficients(self, inverse: np.ndarray, sigma: float) -> np.ndarray:
        """One draw of N(M Aᵀ y, σ² M), M = (AᵀA + diag(1/τ²))⁻¹; for wide A by Bhattacharya et al.'s n by n system."""
        if self.gram is not None:
            precision = self.gram.copy()
            precision.ravel()[:: len(inverse) + 1] += inverse
            factor = _cholesky(precision)
            half = _solve(factor, self.pull)
            half += sigma * self.random.standard_normal(len(half))
            return _solve(factor, half, transposed=True)
        A = self.data.columns
        tau2 = 1.0 / inverse
        prior = sigma * np.sqrt(tau2) * self.random.standard_normal(len(tau2))
        noise = sigma * self.random.standard_normal(len(self.data.c))
        covariance = (A * tau2) @ A.T
        covariance.ravel()[:: len(noise) + 1] += 1.0
        factor = _cholesky(covariance)
        w = _solve(factor, _solve(factor, self.data.c - A @ prior - noise), transposed=True)
        return prior + tau2 * (A.T @ w)


def _cholesky(matrix: np.ndarray) -> np.ndarray:
    """Its lower factor; LAPACK's own, for a draw makes one and checks cost as much as small ones."""
    factor, info = _POTRF(matrix, lower=1, clean=0, overwrite_a=1)
    if info != 0:
        raise np.linalg.LinAlgError(f"a draw's precision is not positive definite (LAPACK said {info})")
    return factor


def _solve(factor: np.ndarray, right: np.ndarray, transposed: bool = False) -> np.ndarray:
    return _TRTRS(factor, right, lower=1, trans=int(transposed))[0]


def inverse_gaussian(mean: np.ndarray, shape: float, random: np.random.Generator) -> np.ndarray:
    """Inverse Gaussian draws by Michael, Schucany and Haas, with both roots written so that nothing cancels."""
    squared = random.standard_normal(mean.shape) ** 2
    half = 0.5 * mean * squared / shape
    longer = 1.0 + half + np.sqrt(half * (half + 2.0))
    small = mean / longer
    return np.where(random.uniform(size=mean.shape) * (mean + small) <= mean, small, mean * longer)


@dataclass
class _Sums:
    """Running sums of one chain: Σ|β|/σ of every draw, σ², and moments of β."""

    beta: np.ndarray
    squares: np.ndarray
    scaled: list[float] = field(default_factory=list)
    sigma2: list[float] = field(default_factory=list)

    def add(self, chain: Chain) -> None:
        self.scaled.append(float(np.abs(chain.beta).sum()) / chain.sigma2**0.5)
        self.sigma2.append(chain.sigma2)
        self.beta += chain.beta
        self.squares += chain.beta**2


@dataclass(frozen=True, eq=False)
class LassoPeak:
    """The rate λ of the highest evidence, its standard error and Monte Carlo error in logarithms, and the draws."""

    rate: float
    log_se: float
    error: float
    dispersion: float
    draws: int
    mean: np.ndarray
    sd: np.ndarray
    trace: np.ndarray
    stopped: str


def lasso_peak(data: Reduced, start: tuple[float, float, np.ndarray], limit: float, n_draws: int, rng) -> LassoPeak:
    """Climb the evidence in log λ; on Ctrl-C what the draws so far say, and that they were stopped.

    With s = Σ|β|/σ and p coefficients, d log evidence / d log λ = p - λ E s, and minus its second derivative
    λ E s - λ² Var s (Louis): the full information less what is missing. EM's step is log(p / (λ E s)); here it is made
    longer by that ratio, at most tenfold, in rounds that grow. A last chain gives the correction and all errors.

    Parameters
    ----------
    data : Reduced
        Whose columns are measured as the prior measures them.
    start : (rate, sigma2, beta)
    limit : float
        The largest rate: beyond, the evidence is taken to grow forever.
    n_draws : int
        Length of the last chain; the rounds before take about as many.
    rng : numpy.random.Generator

    References
    ----------
    Park & Casella (2008), J. Am. Stat. Assoc. 103(482), sections 2 and 3.1, https://doi.org/10.1198/016214508000000337
    Louis (1982), J. R. Stat. Soc. B 44(2), eq. 3.2, https://doi.org/10.1111/j.2517-6161.1982.tb01203.x
    Bhattacharya, Chakraborty & Mallick (2016), Biometrika 103(4), algorithm 1, https://doi.org/10.1093/biomet/asw042
    """
    rate, sigma2, beta = start
    chain = Chain(data, rng, beta.copy(), sigma2)
    trace, best, stopped = [rate], None, ""
    try:
        for length in _lengths(n_draws):
            sums = run(chain, rate, length)
            best = _read(sums, rate)
            rate = min(rate * np.exp(_step(sums, rate)), limit)
            trace.append(rate)
            if rate >= limit:
                return replace(best, rate=np.inf, trace=np.array(trace))
        for _ in range(_FINALS):
            sums = run(chain, rate, n_draws)
            best = _read(sums, rate)
            moved = _step(sums, rate)
            rate = min(rate * np.exp(moved), limit)
            trace.append(rate)
            # Where the last correction is Monte Carlo noise, the chain was run at the right place.
            if abs(moved) <= 3.0 * best.error:
                break
        else:
            stopped = (
                f"the strength still moved by more than its Monte Carlo error after {_FINALS} chains: raise n_draws"
            )
    except KeyboardInterrupt:
        if best is None:
            raise
        stopped = f"it was interrupted after {len(trace) - 1} rounds"
    assert best is not None  # there is at least one round
    return replace(best, rate=trace[-1], trace=np.array(trace), stopped=stopped)


def run(chain: Chain, rate: float, length: int) -> _Sums:
    """A chain at one rate, a tenth of it left out first."""
    p = len(chain.beta)
    sums = _Sums(np.zeros(p), np.zeros(p))
    for _ in range(max(length // 10, 10)):
        chain.step(rate)
    for _ in range(length):
        chain.step(rate)
        sums.add(chain)
    return sums


def _lengths(n_draws: int) -> list[int]:
    """Lengths of the rounds before the last: growing, about n_draws in all."""
    lengths, length = [], float(min(_FIRST_ROUND, n_draws))
    while sum(lengths) + length <= n_draws:
        lengths.append(int(length))
        length *= _GROWTH
    return lengths or [n_draws]


def _information(sums: _Sums, rate: float) -> float:
    """λ E s - λ² Var s, at least a tenth of p: the variance is itself an estimate."""
    scaled = np.array(sums.scaled)
    return max(rate * float(scaled.mean()) - rate**2 * float(scaled.var()), 0.1 * len(sums.beta))


def _step(sums: _Sums, rate: float) -> float:
    """The step in log λ."""
    p = len(sums.beta)
    return float(np.clip((p - rate * np.mean(sums.scaled)) / _information(sums, rate), -1.0, 1.0))


def _read(sums: _Sums, rate: float) -> LassoPeak:
    """What a chain says at its rate."""
    scaled = np.array(sums.scaled)
    information = _information(sums, rate)
    size = len(scaled) // _BATCHES
    batches = scaled[: size * _BATCHES].reshape(_BATCHES, size).mean(axis=1)
    error = rate * float(batches.std(ddof=1) / np.sqrt(_BATCHES)) / information
    n = len(scaled)
    mean = sums.beta / n
    sd = np.sqrt(np.maximum(sums.squares / n - mean**2, 0.0))
    return LassoPeak(rate, information**-0.5, error, float(np.mean(sums.sigma2)), n, mean, sd, np.zeros(0), "")
