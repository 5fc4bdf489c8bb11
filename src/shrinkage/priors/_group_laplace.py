"""The density whose negative logarithm is the group lasso, as a frozen distribution of a vector."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special, stats

from shrinkage._check import check_positive_int, finite_vector, random_generator
from shrinkage._errors import ArgumentError


class GroupLaplace:
    """Distribution of a vector with density ∏_g exp(-c_g ‖w_g‖₂) / Z_g over disjoint groups: the group lasso's prior.

    The length of a group of d coefficients is a Gamma variable of shape d and rate c_g, its direction is uniform, and
    so the normalizer is exact: Z_g = 2 π^(d/2) Γ(d) / (Γ(d/2) c_g^d). Groups are independent. A group of one is
    Laplace.

    Parameters
    ----------
    groups : sequence of sequences of integers
        Positions in the vector, disjoint; together they must be 0 to n_features - 1.
    rates : array of shape (n_groups,), > 0
        c_g = S α ω_g / φ.
    scale : array of shape (n_features,), > 0; None stands for all 1
        The lengths are those of scale ∘ w: what standardizing makes of the penalty.

    Raises
    ------
    ArgumentError
        If groups overlap or leave out a position, or a rate or scale is not above 0.

    References
    ----------
    Kyung, Gill, Ghosh & Casella (2010), Bayesian Anal. 5(2), section 3.1, https://doi.org/10.1214/10-BA607

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage.priors import GroupLaplace
    >>> prior = GroupLaplace([[0, 1], [2]], rates=[1.0, 2.0])
    >>> prior.variance()
    array([3. , 3. , 0.5])
    >>> float(prior.logpdf([3.0, 4.0, 0.0]).round(4))
    -6.8379
    """

    def __init__(self, groups: Sequence[Any], rates: Any, scale: Any = None) -> None:
        self.groups = _positions(groups)
        joined = np.concatenate(self.groups) if self.groups else np.zeros(0, dtype=np.int64)
        self.n_features = len(joined)
        if not self.n_features or not np.array_equal(np.sort(joined), np.arange(self.n_features)):
            raise ArgumentError(
                "groups must be disjoint and hold every position from 0 on, for a coefficient in no group has no "
                f"distribution; got {[group.tolist() for group in self.groups[:4]]}"
            )
        self.rates = _above_zero("rates", rates, len(self.groups))
        self.scale = None if scale is None else _above_zero("scale", scale, self.n_features)
        self._owner = np.empty(self.n_features, dtype=np.int64)
        for g, group in enumerate(self.groups):
            self._owner[group] = g

    def logpdf(self, x: Any) -> np.ndarray:
        """Log density of vectors (..., n_features), one number each."""
        x = np.asarray(x, dtype=np.float64)
        if x.shape[-1:] != (self.n_features,):
            raise ArgumentError(f"x must have {self.n_features} coefficients along its last axis; got {x.shape}")
        x = x if self.scale is None else x * self.scale
        total = np.full(x.shape[:-1], 0.0 if self.scale is None else np.log(self.scale).sum())
        for group, rate in zip(self.groups, self.rates, strict=True):
            total = total - rate * np.linalg.norm(x[..., group], axis=-1) - _log_normalizer(group.size, rate)
        return total

    def pdf(self, x: Any) -> np.ndarray:
        """Density of vectors (..., n_features), one number each."""
        return np.exp(self.logpdf(x))

    def rvs(self, size: int | tuple[int, ...] = (), random_state: Any = None) -> np.ndarray:
        """Samples of shape (*size, n_features): a uniform direction and a Gamma length for every group."""
        random = random_generator(random_state)
        size = size if isinstance(size, tuple) else (size,)
        for length in size:
            check_positive_int("size", length, 0)
        drawn = random.standard_normal((*size, self.n_features))
        for group, rate in zip(self.groups, self.rates, strict=True):
            length = random.standard_gamma(group.size, (*size, 1)) / rate
            drawn[..., group] *= length / np.linalg.norm(drawn[..., group], axis=-1, keepdims=True)
        return drawn if self.scale is None else drawn / self.scale

    def length(self, group: int) -> Any:
        """The Gamma distribution of ‖w_g‖₂ (of scale ∘ w) of one group, frozen by SciPy."""
        return stats.gamma(self.groups[group].size, scale=1.0 / self.rates[group])

    def mean(self) -> np.ndarray:
        """Zeros, shape (n_features,)."""
        return np.zeros(self.n_features)

    def variance(self) -> np.ndarray:
        """Variance (d + 1) / c_g² of every coefficient, shape (n_features,); those of a group are uncorrelated."""
        sizes = np.array([group.size for group in self.groups])
        variance = ((sizes + 1.0) / self.rates**2)[self._owner]
        return variance if self.scale is None else variance / self.scale**2

    def entropy(self) -> float:
        """Differential entropy, Σ_g d + log Z_g."""
        found = sum(g.size + _log_normalizer(g.size, c) for g, c in zip(self.groups, self.rates, strict=True))
        return float(found - (0.0 if self.scale is None else np.log(self.scale).sum()))


def _positions(groups: Any) -> tuple[np.ndarray, ...]:
    """Every group as a vector of whole numbers."""
    try:
        parts = [np.asarray(group) for group in groups]
    except (TypeError, ValueError):
        raise ArgumentError(f"groups must be a sequence of lists of positions; got {groups!r}") from None
    for g, part in enumerate(parts):
        if part.dtype.kind not in "iu" or not part.size:
            raise ArgumentError(f"groups must hold whole numbers, none empty; group {g} is {part.tolist()}")
    return tuple(part.astype(np.int64).reshape(-1) for part in parts)


def _log_normalizer(size: int, rate: float) -> float:
    """The log of ∫ exp(-rate ‖w‖₂) over size coefficients: area of the sphere times ∫ r^(size-1) exp(-rate r)."""
    area = np.log(2.0) + 0.5 * size * np.log(np.pi) - special.gammaln(0.5 * size)
    return float(area + special.gammaln(size) - size * np.log(rate))


def _above_zero(name: str, value: Any, size: int) -> np.ndarray:
    vector = finite_vector(name, value, size)
    if not (vector > 0).all():
        raise ArgumentError(f"{name} must be > 0; position {int(np.argmin(vector))} is {vector.min()}")
    return vector
