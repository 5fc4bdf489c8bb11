"""The sorted L1 norm: SLOPE."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

from shrinkage._arrays import Array, constant, floating, matching, namespace_of
from shrinkage._check import check_factors, check_fraction, check_nonnegative, check_positive_int
from shrinkage._errors import ArgumentError
from shrinkage.penalties._algebra import multiply, settle

_TIE = 1e-12  # sizes that differ by less, of the largest, are one cluster


@dataclass(frozen=True, slots=True)
class SortedL1:
    """Sorted L1 norm (SLOPE): α Σ_k λ_k |w|_(k), |w|_(1) >= |w|_(2) >= ... the sizes in order, λ = `weights` falling.

    Larger coefficients pay more. Sets coefficients to exactly zero, and ties the sizes of correlated ones, which then
    are one cluster. Equal weights make it `L1`; 1, 0, 0, ... the largest size alone. With weights of Benjamini and
    Hochberg, `bh_weights`, it controls the share of false discoveries of orthogonal columns.

    Parameters
    ----------
    alpha : float >= 0
        Strength, in the objective's unit per unit of coefficient.
    weights : sequence of float >= 0, falling, the first > 0
        λ: at least as many as there are penalized coefficients; the first so many are used.
    factors : array of zeros and ones of the coefficients' shape, or None
        0 leaves a coordinate free. None stands for all 1.

    Raises
    ------
    ArgumentError
        If weights rise, are negative or fewer than coefficients, factors are not 0 or 1, alpha is no number >= 0, or
        `step` of a prox is an array: the norm ties coordinates together.

    Notes
    -----
    skglm's `SLOPE(alphas)` with alphas = α λ. Each method sorts its argument.

    References
    ----------
    Bogdan, van den Berg, Sabatti, Su & Candès (2015), Ann. Appl. Stat. 9(3), eq. 1.2 and algorithm 4,
    https://doi.org/10.1214/15-AOAS842

    Examples
    --------
    >>> import numpy as np
    >>> g = SortedL1(1.0, weights=[2.0, 1.0, 0.5])
    >>> float(g.value(np.array([1.0, -3.0, 0.0])))
    7.0
    >>> g.prox(np.array([4.0, -3.5, 0.2]), step=1.0)
    array([ 2.25, -2.25,  0.  ])
    """

    alpha: Array
    weights: Any
    factors: Array | None = None

    def __post_init__(self) -> None:
        check_nonnegative("alpha", self.alpha)
        check_factors(self.factors)
        settle(self, "alpha")
        if not isinstance(self.alpha, float | int):
            raise ArgumentError(f"alpha of SortedL1 must be one number; got {self.alpha!r}")
        object.__setattr__(self, "weights", tuple(float(x) for x in self.weights))
        _check_weights(self.weights)
        if self.factors is not None:
            xp = namespace_of(self.factors)
            if not bool(xp.all((self.factors == 0) | (self.factors == 1))):
                raise ArgumentError("factors of SortedL1 must be 0 or 1, for its weights belong to ranks")

    def value(self, w: Array) -> Array:
        """Return α Σ_k λ_k |w|_(k), a 0-d array."""
        w = floating(w)
        xp = namespace_of(w)
        size = xp.sort(self._sizes(w), descending=True)
        return xp.sum(size * self._strengths(size))

    def prox(self, v: Array, step: Array) -> Array:
        """Return argmin over u of step · g(u) + ½‖u - v‖²: sizes less step·α λ, pooled until they fall, at least 0.

        Parameters
        ----------
        v : array of any shape
        step : float >= 0

        Returns
        -------
        array of the shape and floating type of `v`; new memory
        """
        v = floating(v)
        xp = namespace_of(v)
        if getattr(step, "ndim", 0) != 0:
            raise ArgumentError(f"step of SortedL1 must be one number; got an array of shape {step.shape}")
        size = self._sizes(v, free=-1.0)  # the last, below all others
        order = xp.argsort(size, descending=True, stable=True)
        sizes = _numbers(xp.take(size, order))
        lam = self._lam(len(sizes))
        pooled = _falling([x - float(step) * a for x, a in zip(sizes, lam, strict=True)])
        shrunk = constant([max(x, 0.0) for x in pooled], v, v.dtype)
        # Found by ranks: the first of the order has rank 0.
        back = xp.reshape(xp.take(shrunk, xp.argsort(order, stable=True)), v.shape)
        moved = xp.sign(v) * xp.astype(back, v.dtype)
        free = self._free(v)
        return moved if free is None else xp.where(free, v, moved)

    def conjugate(self, z: Array) -> Array:
        """Return g*(z): 0 where the k largest |z_j| sum to at most α (λ_1 + ... + λ_k) for every k, else inf."""
        z = floating(z)
        xp = namespace_of(z)
        size, bound = self._sums(z)
        free = self._free(z)
        outside = bool(xp.any(size > bound)) or (free is not None and bool(xp.any(free & (z != 0))))
        return xp.asarray(float("inf") if outside else 0.0, dtype=z.dtype)

    def dual_scale(self, z: Array) -> Array:
        """Return the largest c in [0, 1] with g*(c·z) finite over the penalized coordinates."""
        z = floating(z)
        xp = namespace_of(z)
        size, bound = self._sums(z)
        one = xp.ones_like(size)
        beyond = size > bound
        return xp.min(xp.where(beyond, bound / xp.where(beyond, size, one), one))

    def violation(self, w: Array, z: Array) -> Array:
        """Return, coordinate by coordinate, how far z is from the nearest subgradient of g at w.

        On a cluster of equal sizes the subgradients are a permutahedron: what pooling leaves of z less its weights.
        """
        w, z = floating(w), floating(z)
        xp = namespace_of(w, z)
        size, slope = _numbers(xp.abs(w)), _numbers(xp.sign(w) * z + xp.astype(w == 0, z.dtype) * xp.abs(z))
        free = self._free(w)
        kept = [j for j in range(len(size)) if free is None or not bool(xp.reshape(free, (-1,))[j])]
        order = sorted(kept, key=lambda j: -size[j])
        lam, out = self._lam(len(order)), [abs(x) for x in _numbers(z)]
        start = 0
        while start < len(order):
            stop = start + 1
            near = _TIE * size[order[0]]
            while stop < len(order) and _tied(size[order[stop - 1]], size[order[stop]], near):
                stop += 1
            cluster = sorted(order[start:stop], key=lambda j: -slope[j])
            pooled = _falling([slope[j] - a for j, a in zip(cluster, lam[start:stop], strict=True)])
            for j, x in zip(cluster, pooled, strict=True):
                out[j] = abs(x) if size[j] > 0 else max(x, 0.0)
            start = stop
        return xp.reshape(constant(out, z, z.dtype), w.shape)

    def with_alpha(self, alpha: Array) -> "SortedL1":
        """Return the same penalty at another strength."""
        return replace(self, alpha=alpha)

    def __mul__(self, scalar: Any) -> "SortedL1":
        """Return the penalty at `scalar` times the strength."""
        return multiply(self, scalar)

    __rmul__ = __mul__

    def __add__(self, other: Any) -> Any:
        """Refuse: a sum with another penalty has no prox in closed form here."""
        if not hasattr(other, "prox"):
            return NotImplemented
        raise ArgumentError(f"a sum with SortedL1 has no prox here; got {self!r} and {other!r}")

    __radd__ = __add__

    def _free(self, like: Array) -> Array | None:
        return None if self.factors is None else matching(self.factors, like) == 0

    def _sizes(self, w: Array, free: float = 0.0) -> Array:
        """|w| as a vector, with `free` in free coordinates."""
        xp = namespace_of(w)
        size, where = xp.abs(w), self._free(w)
        if where is not None:
            size = xp.where(where, xp.zeros_like(size) + free, size)
        return xp.reshape(size, (-1,))

    def _lam(self, count: int) -> list[float]:
        """Return α λ of `count` coordinates, of which free ones are the last, at weight 0."""
        lam = [self.alpha * x for x in self.weights[:count]]
        if len(lam) < count and self.factors is None:
            raise ArgumentError(f"weights of SortedL1 must be as many as coefficients, {count}; got {len(lam)}")
        return lam + [0.0] * (count - len(lam))

    def _strengths(self, like: Array) -> Array:
        return constant(self._lam(like.shape[0]), like, like.dtype)

    def _sums(self, z: Array) -> tuple[Array, Array]:
        """Cumulated |z| in falling order, and cumulated strengths."""
        xp = namespace_of(z)
        size = xp.sort(self._sizes(z), descending=True)
        return xp.cumulative_sum(size), xp.cumulative_sum(self._strengths(size))


def bh_weights(n_features: int, q: float = 0.1) -> tuple[float, ...]:
    """Weights λ_k = Φ⁻¹(1 - k q / (2 p)) of `SortedL1`, p = `n_features`: the thresholds of Benjamini and Hochberg.

    With orthogonal standardized columns, noise of standard deviation σ and alpha = σ / √n, the expected share of false
    discoveries among the columns with a coefficient is at most q.

    Parameters
    ----------
    n_features : int
    q : float in (0, 1)

    References
    ----------
    Bogdan et al. (2015), Ann. Appl. Stat. 9(3), eq. 1.3 and theorem 1.1, https://doi.org/10.1214/15-AOAS842

    Examples
    --------
    >>> [round(x, 3) for x in bh_weights(3, q=0.2)]
    [1.834, 1.501, 1.282]
    """
    check_positive_int("n_features", n_features)
    check_fraction("q", q)
    if not 0 < q < 1:
        raise ArgumentError(f"q must be above 0 and below 1; got {q}")
    normal = NormalDist()
    return tuple(-normal.inv_cdf(k * float(q) / (2 * n_features)) for k in range(1, n_features + 1))


def _check_weights(weights: tuple[float, ...]) -> None:
    if not weights or not weights[0] > 0 or not weights[0] < float("inf"):
        raise ArgumentError(f"weights must be falling numbers >= 0, the first > 0 and finite; got {weights[:3]}")
    for k in range(1, len(weights)):
        if not 0 <= weights[k] <= weights[k - 1]:
            raise ArgumentError(f"weights must fall and be >= 0; position {k} is {weights[k]} after {weights[k - 1]}")


def _numbers(x: Array) -> list[float]:
    """The entries of an array as Python numbers."""
    xp = namespace_of(x)
    flat = xp.reshape(x, (-1,))
    return flat.tolist() if hasattr(flat, "tolist") else [float(flat[j]) for j in range(flat.shape[0])]


def _tied(larger: float, smaller: float, near: float) -> bool:
    return larger - smaller <= near and (larger == 0) == (smaller == 0)


def _falling(x: Sequence[float]) -> list[float]:
    """The falling sequence nearest to x: adjacent violators pooled."""
    means: list[float] = []
    counts: list[int] = []
    for value in x:
        mean, count = value, 1
        while means and means[-1] <= mean:
            last, before = counts.pop(), means.pop()
            mean, count = (before * last + mean * count) / (last + count), last + count
        means.append(mean)
        counts.append(count)
    return [mean for mean, count in zip(means, counts, strict=True) for _ in range(count)]
