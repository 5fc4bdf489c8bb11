"""The norm of the point where a linear function is largest above a Euclidean norm, within bounds."""

from shrinkage._arrays import Array, namespace_of
from shrinkage.penalties._secular import largest, or_one, total

_DOUBLINGS, _STEPS, _ROUNDING = 11, 200, 1e-14


def boxed_radius(s: Array, h: Array, lam: Array, b: Array, axes: tuple[int, ...]) -> Array:
    """Return r = ‖x‖ for x = argmax over 0 <= x <= b of Σ s_i x_i - lam ‖x‖ - ½ Σ h_i x_i², for every group.

    0 where no x does better than 0, inf where none is best, far out at the edge of that. Else
    x_i = min(s_i r / (lam + h_i r), b_i), and r is the root of Σ (x_i / r)² = 1, whose left side falls in r: Newton's
    method on its power -1/2, within a bracket that is halved where a step leaves it.

    Parameters
    ----------
    s, h, b : arrays >= 0 of the shape of the blocks; b may be inf
    lam : array > 0, one number per group, its axes kept as 1
    """
    xp = namespace_of(s)
    b = xp.where(s > 0, b, xp.zeros_like(b))
    s = xp.where(b > 0, s, xp.zeros_like(s))
    first = total((s / lam) * (s / lam), axes)
    unbounded = xp.where((b == float("inf")) & (h == 0), s / lam, xp.zeros_like(s))
    endless = total(unbounded * unbounded, axes) > 1.0 + _ROUNDING
    sought = (first > 1.0) & ~endless
    low, high = _bracket(s, h, lam, b, first, axes)
    r = low
    for _ in range(_STEPS):
        now, slope = _power(s, h, lam, b, r, axes)
        low, high = xp.where(now <= 1.0, r, low), xp.where(now >= 1.0, r, high)
        new = r + (1.0 - now) / xp.where(slope > 0, slope, xp.ones_like(slope))
        inside = (new > low) & (new < high) & (slope > 0)
        new = xp.where(inside, new, xp.sqrt(low) * xp.sqrt(high))
        moved = sought & (xp.abs(new - r) > 4.0 * xp.finfo(s.dtype).eps * r)
        r = new
        if not bool(xp.any(moved)):
            break
    r = xp.where(first > 1.0, r, xp.zeros_like(r))
    return xp.where(endless & (first > 1.0), xp.zeros_like(r) + float("inf"), r)


def _power(s: Array, h: Array, lam: Array, b: Array, r: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """(Σ (x_i / r)²)^(-1/2), which is 1 at the root and rises in r, and its slope."""
    xp = namespace_of(s)
    zero, used = xp.zeros_like(s), s > 0
    curved, flat = (lam + h * r) / or_one(s), r / xp.where(used, b, zero + 1.0)
    bent = curved >= flat
    inverse = xp.where(used, xp.where(bent, curved, flat), zero + 1.0)
    rise = xp.where(bent, h / or_one(s), 1.0 / xp.where(used, b, zero + 1.0))
    terms = xp.where(used, 1.0 / (inverse * inverse), zero)
    sums = or_one(total(terms, axes))
    now = 1.0 / xp.sqrt(sums)
    return now, now / sums * total(terms * rise / inverse, axes)


def _bracket(s: Array, h: Array, lam: Array, b: Array, first: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Numbers below and above the root, where there is one."""
    xp = namespace_of(s)
    zero, used, infinite = xp.zeros_like(s), s > 0, float("inf")
    past = used & (s > lam)
    alone = xp.where(h > 0, (s - lam) / xp.where(h > 0, h, zero + 1.0), zero + infinite)
    alone = largest(xp.where(past, xp.where(alone < b, alone, b), zero), axes)
    met = -largest(-xp.where(used, b * (lam / or_one(s)), zero + infinite), axes)  # the first bound is met here
    steepest = largest(h, axes)
    excess = (first - 1.0) / (xp.sqrt(first) + 1.0)  # of √first over 1, which may round to it
    bent = xp.where(steepest > 0, lam * excess / or_one(steepest), xp.zeros_like(met) + infinite)
    early = xp.where(met < bent, met, bent)
    low = xp.where(alone > early, alone, early)
    low = xp.where((low > 0) & (low < infinite), low, xp.ones_like(low))
    high, factor = low, 2.0
    for _ in range(_DOUBLINGS):
        now, _ = _power(s, h, lam, b, high, axes)
        if bool(xp.all(now >= 1.0)):
            break
        high = xp.where(now >= 1.0, high, high * factor)
        factor = min(factor * factor, 1e30)
    return low, high
