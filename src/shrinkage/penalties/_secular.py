"""The prox of a Euclidean norm, in one metric for all coordinates or in one step per coordinate.

Blocks have the coordinates of a group along `axes`; whatever belongs to a group has these axes kept as 1.
"""

from typing import Any

from shrinkage._arrays import Array, namespace_of

N_NEWTON = {32: 12, 64: 16}
"""Iterations by the bits of the type; docs/decisions/0014-a-fixed-number-of-newton-steps.md has the measurements."""


def total(x: Array, axes: tuple[int, ...]) -> Array:
    """The sum over `axes`, kept as 1."""
    return namespace_of(x).sum(x, axis=axes, keepdims=True) if axes else x


def largest(x: Array, axes: tuple[int, ...]) -> Array:
    """The maximum over `axes`, kept as 1."""
    return namespace_of(x).max(x, axis=axes, keepdims=True) if axes else x


def norm(x: Array, axes: tuple[int, ...]) -> Array:
    """The Euclidean norm over `axes`, kept as 1; free of overflow, since the largest coordinate is divided out."""
    xp = namespace_of(x)
    scale = largest(xp.abs(x), axes)
    unit = x / or_one(scale)
    return scale * xp.sqrt(or_one(total(unit * unit, axes)))  # not √0, whose derivative is not finite


def or_one(x: Array) -> Array:
    """`x` where it is > 0, else 1: a divisor."""
    return namespace_of(x).where(x > 0, x, namespace_of(x).ones_like(x))


def block_prox(v: Array, lam: Any, step: Any, axes: tuple[int, ...]) -> Array:
    """Return argmin over u of lam ‖u‖ + Σ_i (u_i - v_i)² / (2 step_i), for every group.

    Parameters
    ----------
    v : array
    lam : float or array, one number >= 0 per group
    step : float or array >= 0; where it is 0, u_i = v_i
    axes : tuple of int < 0
    """
    if isinstance(step, float) or all(n == 1 for n in [1, *(step.shape[a] for a in axes if -a <= step.ndim)]):
        return _by_norm(v, lam * step, axes)
    return _by_root(v, lam * step, axes)


def _by_norm(v: Array, threshold: Any, axes: tuple[int, ...]) -> Array:
    """Return v max(1 - threshold / ‖v‖, 0)."""
    length = norm(v, axes)
    left = length - threshold
    return v * (positive(left) / or_one(length))


def _by_root(v: Array, a: Array, axes: tuple[int, ...]) -> Array:
    """Return u_i = v_i r / (r + a_i), a = lam · step, with r = ‖u‖ the root of Σ (v_i / (r + a_i))² = 1, or 0.

    Newton's method on Σ(...)^(-1/2) - 1, a concave function of r (a power mean of the lines (r + a_i) / |v_i|), linear
    for a constant step. It approaches the root from below from any start below it; two such starts are known,
    max_i |v_i| - a_i and the tangent's root at infinity, ‖v‖ - Σ v_i² a_i / ‖v‖². At the first no |v_i| / (r + a_i)
    is above 1, so that no square overflows.
    """
    xp = namespace_of(v)
    tiny = float(xp.finfo(v.dtype).smallest_normal)
    a = a + xp.zeros_like(v)
    size = xp.abs(v) + xp.zeros_like(a)
    scale = or_one(largest(xp.where(size > 1e-30 * a, size, 1e-30 * a), axes))
    size, a = size / scale, a / scale
    past = size > a
    ratio = xp.where(past, 2.0 + xp.zeros_like(a), size / or_one(xp.where(past, size, a)))
    vanishes = total(ratio * ratio, axes) <= 1.0
    squares = size * size
    length = xp.sqrt(total(squares, axes))
    r = largest(size - a, axes)
    far = length - total(squares * a, axes) / or_one(length * length)
    r = xp.where(far > r, far, r)
    low = tiny + xp.zeros_like(r)
    r = xp.where(r > low, r, low)
    for _ in range(N_NEWTON[64 if xp.finfo(v.dtype).bits == 64 else 32]):
        d = r + a
        q = size / d
        q = q * q
        first, second = total(q, axes), total(q / d, axes)
        r = r + first * (xp.sqrt(first) - 1.0) / or_one(second)
        r = xp.where(r > low, r, low)
    r = xp.where(vanishes | (r <= low), xp.zeros_like(r), r)
    return v * (r / or_one(r + a))


def weighted_radius(s: Array, h: Array, lam: Array, axes: tuple[int, ...]) -> Array:
    """Return the root r >= 0 of Σ (s_i / (h_i r + lam))² = 1, for h >= 0; 0 where there is none.

    The same Newton iteration, from the better of two starts below the root: max_i (s_i - lam) / h_i, and the first
    tangent's. Near the end of the domain, where only terms with h_i = 0 are left, it needs more steps than the prox.
    """
    xp = namespace_of(s)
    zero = xp.zeros_like(s)
    used = (h > 0) & (s > 0)
    r = largest(xp.where(used, positive(s - lam) / xp.where(used, h, zero + 1.0), zero), axes)
    tiny = float(xp.finfo(s.dtype).smallest_normal)
    r = xp.where(r > tiny, r, tiny + xp.zeros_like(r))
    for _ in range(60):
        d = or_one(h * r + lam)
        q = (s / d) * (s / d)
        first, second = total(q, axes), total(q * h / d, axes)
        moved = r + first * (xp.sqrt(first) - 1.0) / or_one(second)
        r = xp.where(moved > r, moved, r)
    return r


def norm_scale(s: Array, edge: Array, lam: Array, axes: tuple[int, ...]) -> Array:
    """Return the largest c <= 1 with ‖max(c s - edge, 0)‖ <= lam, for s, edge, lam >= 0.

    Bisection between min_i (edge_i + lam / √n) / s_i and min_i (edge_i + lam) / s_i, n the size of the group; the end
    that is inside is returned.
    """
    xp = namespace_of(s)
    count = total(xp.ones_like(s), axes)
    one = xp.ones_like(s)

    def least(slack: Array) -> Array:
        limited = s > edge + slack
        return -largest(-xp.where(limited, (edge + slack) / xp.where(limited, s, one), one), axes)

    low, high = least(lam / xp.sqrt(count)), least(lam)
    for _ in range(60):
        middle = 0.5 * (low + high)
        inside = norm(positive(middle * s - edge), axes) <= lam
        low, high = xp.where(inside, middle, low), xp.where(inside, high, middle)
    return xp.where(norm(positive(s - edge), axes) <= lam, xp.ones_like(low), low)


def positive(x: Array) -> Array:
    """Return max(x, 0)."""
    return namespace_of(x).where(x > 0, x, namespace_of(x).zeros_like(x))
