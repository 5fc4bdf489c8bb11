"""How many features of low selection probability stability selection may choose: three bounds, and their inverses."""

from functools import lru_cache

import numpy as np

from shrinkage._check import check_choice
from shrinkage._errors import ArgumentError

ASSUMPTIONS = ("none", "unimodal", "r-concave")
"""What is supposed of the share of half-samples that choose a feature; each supposes more than the one before."""


def expected_low_choices(q: float, n_features: int, threshold: float, n_pairs: int, assumption: str) -> float:
    r"""Bound on the expected number of chosen features whose selection probability is at most theta = q / p.

    With τ the threshold, B complementary pairs and a procedure that chooses q of p features on half of the rows:

    - "none": q θ / (2τ - 1), for any procedure and any feature (theorem 1);
    - "unimodal": C q θ, C = 1 / (2(2τ - 1 - 1/(2B))) up to τ = 3/4, above it 4(1 - τ + 1/(2B)) / (1 + 1/B) (theorem 2);
    - "r-concave": p min(D(θ², 2τ - 1, B, -1/2), D(θ, τ, 2B, -1/4)), D by `r_concave_tail` (equation 8).

    Where a theorem says nothing, and where a weaker assumption gives less, the bound of the weaker one stands: each
    assumption contains the one before. No bound is above p, since no more are chosen.

    Parameters
    ----------
    q : float in (0, n_features]
        Features chosen on a half-sample, or their mean number.
    n_features : int
        p, features that can be chosen.
    threshold : float in [0, 1]
        Share of the 2B half-samples; rounded up to a multiple of 1 / (2B), which decides the same.
    n_pairs : int
        B.
    assumption : {"none", "unimodal", "r-concave"}

    Returns
    -------
    float

    References
    ----------
    Shah & Samworth (2013), Variable selection with error control: another look at stability selection, J. R. Stat.
    Soc. B 75(1), 55-80, https://doi.org/10.1111/j.1467-9868.2011.01034.x

    Examples
    --------
    >>> [round(expected_low_choices(10, 100, 0.6, 50, a), 3) for a in ASSUMPTIONS]
    [5.0, 2.632, 1.141]
    """
    check_choice("assumption", assumption, ASSUMPTIONS)
    at = threshold_step(threshold, n_pairs)
    tau, theta = at / (2 * n_pairs), q / n_features
    bounds = [float(n_features)]
    if tau > 0.5:
        bounds.append(q * theta / (2 * tau - 1))
    if assumption != "none":
        bounds.append(_unimodal(theta, at, n_pairs) * q * theta)
    if assumption == "r-concave":
        bounds.append(n_features * r_concave_tail(theta, at, 2 * n_pairs, -1 / 4))
        if at > n_pairs:
            bounds.append(n_features * r_concave_tail(theta**2, at - n_pairs, n_pairs, -1 / 2))
    return min(bounds)


def threshold_step(threshold: float, n_pairs: int) -> int:
    """The least number of the 2B half-samples that is a share of `threshold`; rounding of decimals is forgiven."""
    return int(np.ceil(np.round(threshold * 2 * n_pairs, 9)))


def _unimodal(theta: float, at: int, n_pairs: int) -> float:
    """C(τ, B) of theorem 2 for τ = at / (2B); infinite where the theorem says nothing."""
    tau, shift = at / (2 * n_pairs), 1 / (2 * n_pairs)
    least = min(0.5 + theta**2, 0.5 + shift + 0.75 * theta**2)
    if theta > 1 / np.sqrt(3) or tau <= least or at < n_pairs + 2:
        return np.inf
    if tau <= 0.75:
        return 1 / (2 * (2 * tau - 1 - shift))
    return 4 * (1 - tau + shift) / (1 + 1 / n_pairs)


@lru_cache(maxsize=4096)
def r_concave_tail(mean: float, at: int, size: int, r: float) -> float:
    r"""Largest P(X >= at / size) of an r-concave X on {0, 1/size, ..., 1} with expectation at most `mean`.

    A probability f on whole numbers is r-concave, r < 0, if its support has no gap and f^r is convex on it. The largest
    tail is had by f(i) = c (a + i)^(1/r) on {0, ..., k} and what is left of 1 at k + 1, with the expectation reached;
    for each k that leaves a number a of an interval, which is searched (appendix A.4).

    Parameters
    ----------
    mean : float in [0, 1]
    at, size : int
    r : float in [-2, 0)

    Returns
    -------
    float
        No larger than Markov's mean · size / at, which stands alone where at <= 2 mean size.

    Examples
    --------
    The lower r, the heavier a tail may be; r near 0 is log-concavity.

    >>> [round(r_concave_tail(0.1, 60, 100, r), 4) for r in (-2.0, -1 / 2, -1 / 4)]
    [0.0688, 0.0289, 0.0149]
    """
    total = mean * size  # the expectation of the whole number
    if at <= 0 or mean <= 0:
        return 1.0 if at <= 0 else 0.0
    trivial = min(1.0, total / at)
    first = int(np.ceil(2 * total)) + 1
    if at < first or first > size or at > size:
        return trivial if at <= size else 0.0
    ends = np.arange(first, size + 1)
    log_a = _balanced(total, ends, size, 1 / r)
    best = _tail(log_a[-1:], ends[-1:], at, total, size, 1 / r)[0]  # the whole range, nothing left for k + 1
    useful = ends[:-1] >= at - 1
    if useful.any():
        low, high = log_a[1:][useful], log_a[:-1][useful]
        best = max(best, _search(low, high, ends[:-1][useful], at, total, size, 1 / r))
    return float(min(max(best, 0.0), trivial))


def _powers(log_a: np.ndarray, ends: np.ndarray, size: int, s: float) -> tuple[np.ndarray, np.ndarray]:
    """(1 + i / a)^s for i = 0, ..., size in rows, 0 beyond each row's end; and the numbers i."""
    i = np.arange(size + 1)
    values = (1.0 + i / np.exp(log_a)[:, None]) ** s
    return np.where(i <= ends[:, None], values, 0.0), i


def _balanced(total: float, ends: np.ndarray, size: int, s: float) -> np.ndarray:
    """Log a for which (a + i)^s on {0, ..., k} has expectation `total`; it falls with k."""
    low, high = np.full(len(ends), -60.0), np.full(len(ends), 40.0)
    for _ in range(64):
        middle = 0.5 * (low + high)
        f, i = _powers(middle, ends, size, s)
        above = f @ i > total * f.sum(1)
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return 0.5 * (low + high)


def _tail(log_a: np.ndarray, ends: np.ndarray, at: int, total: float, size: int, s: float) -> np.ndarray:
    """P(X >= at), one for each a and k."""
    f, i = _powers(log_a, ends, size, s)
    left = (ends + 1 - total) * f[:, :at].sum(1)
    return 1.0 - left / ((ends[:, None] + 1 - i) * f).sum(1)


def _search(low: np.ndarray, high: np.ndarray, ends: np.ndarray, at: int, total: float, size: int, s: float) -> float:
    """The largest tail with log a of the intervals [low, high]: a grid in each, then thirds around its best point."""
    share = np.linspace(0.0, 1.0, 9)
    tails = np.stack([_tail(low + u * (high - low), ends, at, total, size, s) for u in share])
    place = tails.argmax(0)
    left = low + share[np.maximum(place - 1, 0)] * (high - low)
    right = low + share[np.minimum(place + 1, len(share) - 1)] * (high - low)
    best = float(tails.max())
    for _ in range(40):
        third = (right - left) / 3
        one, two = (_tail(x, ends, at, total, size, s) for x in (left + third, right - third))
        best = max(best, float(one.max()), float(two.max()))
        left, right = np.where(one < two, left + third, left), np.where(one < two, right, right - third)
    return best


def smallest_threshold(q: float, n_features: int, bound: float, n_pairs: int, assumption: str) -> float:
    """The smallest share of half-samples, above one half, at which at most `bound` are expected.

    Raises
    ------
    ArgumentError
        If even features that every half-sample chooses are more, with the largest q that would do.

    Examples
    --------
    >>> smallest_threshold(7, 200, 0.2, 50, "r-concave")
    0.62
    """
    low, high = n_pairs + 1, 2 * n_pairs
    if _over(q, n_features, high, bound, n_pairs, assumption):
        least = expected_low_choices(q, n_features, 1.0, n_pairs, assumption)
        raise ArgumentError(
            f"bound must be at least {least:.4g}, what threshold 1 gives for q={q:.6g} of {n_features} features by "
            f"{n_pairs} pairs under {assumption!r}; got {bound:g}: {_advice(n_features, bound, n_pairs, assumption)}"
        )
    while low < high:  # the bounds fall as the threshold rises
        middle = (low + high) // 2
        low, high = (middle + 1, high) if _over(q, n_features, middle, bound, n_pairs, assumption) else (low, middle)
    return low / (2 * n_pairs)


def largest_q(n_features: int, threshold: float, bound: float, n_pairs: int, assumption: str) -> int:
    """The most features that half-samples may choose so that at most `bound` are expected.

    Raises
    ------
    ArgumentError
        If not even one may be chosen, with the bound that one would have.

    Examples
    --------
    >>> largest_q(200, 0.6, 0.2, 50, "r-concave"), largest_q(200, 0.6, 0.2, 50, "unimodal")
    (6, 3)
    """
    at = threshold_step(threshold, n_pairs)
    low, high = 0, n_features
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (low, middle - 1) if _over(middle, n_features, at, bound, n_pairs, assumption) else (middle, high)
    if low == 0:
        one = expected_low_choices(1, n_features, threshold, n_pairs, assumption)
        raise ArgumentError(
            f"bound must be at least {one:.4g}, that of half-samples that choose a single one of {n_features} features "
            f"at threshold {threshold:g} under {assumption!r}; got {bound:g}: raise threshold or bound"
        )
    return low


def _over(q: float, n_features: int, at: int, bound: float, n_pairs: int, assumption: str) -> bool:
    """Whether more than `bound` may be expected; a bound that was computed is met by itself."""
    return expected_low_choices(q, n_features, at / (2 * n_pairs), n_pairs, assumption) > bound * (1 + 1e-12)


def _advice(n_features: int, bound: float, n_pairs: int, assumption: str) -> str:
    try:
        most = largest_q(n_features, 1.0, bound, n_pairs, assumption)
    except ArgumentError:
        return "no q does; raise bound"
    return f"raise bound, or lower q to {most}"
