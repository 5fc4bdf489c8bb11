"""Exponentials that do not overflow, logarithms that hold at the edges of their domain, and refusals of responses."""

from shrinkage._arrays import Array, floating, matching, namespace_of
from shrinkage._errors import DataError

LARGEST_EXPONENT = 600.0
"""exp of it is 1e260, small enough to be multiplied by responses and summed over rows."""


def paired(y: Array, x: Array) -> tuple[Array, Array]:
    """Return both as floating arrays; a Python number in the library and type of the other."""
    x = floating(x)
    return (matching(y, x) + 0.0 * x if isinstance(y, (int, float)) else floating(y)), x


def exp_capped(x: Array) -> Array:
    """Return exp x, held at exp(600) beyond 600 (exp(60) in float32)."""
    xp = namespace_of(x)
    return xp.exp(xp.minimum(x, _largest(x)))


def expm1_capped(x: Array) -> Array:
    """Return exp x - 1, held at its value at 600 beyond 600."""
    xp = namespace_of(x)
    return xp.expm1(xp.minimum(x, _largest(x)))


def _largest(x: Array) -> Array:
    xp = namespace_of(x)
    return LARGEST_EXPONENT * xp.ones_like(x) if xp.finfo(x.dtype).bits >= 64 else 60.0 * xp.ones_like(x)


def not_negative(x: Array) -> Array:
    """Return max(x, 0): what rounding carried below 0 is 0."""
    return 0.5 * (x + namespace_of(x).abs(x))


def log_or_zero(y: Array) -> Array:
    """Return log y; 0 where y is not positive."""
    y = floating(y)
    xp = namespace_of(y)
    return xp.log(xp.where(y > 0, y, xp.ones_like(y)))


def x_log_x(s: Array) -> Array:
    """Return s log s; 0 at 0, inf below."""
    return _times_log(s, s, lambda xp, inside: xp.log(inside), 1.0)


def one_plus_log1p(r: Array) -> Array:
    """Return (1 + r) log(1 + r); 0 at -1, inf below."""
    return _times_log(1.0 + r, r, lambda xp, inside: xp.log1p(inside), 0.0)


def _times_log(factor: Array, of: Array, log, safe: float) -> Array:
    xp = namespace_of(factor)
    one = xp.ones_like(factor)
    inside = xp.where(factor > 0, factor * log(xp, xp.where(factor > 0, of, safe * one)), xp.zeros_like(factor))
    return xp.where(factor < 0, one * float("inf"), inside)


def sigmoid(eta: Array) -> Array:
    """Return 1 / (1 + exp(-η)), with no exponential of a positive number."""
    xp = namespace_of(eta)
    e = xp.exp(-xp.abs(eta))
    return xp.where(eta >= 0, xp.ones_like(e), e) / (1.0 + e)


def check_responses(y: Array, good, what: str) -> None:
    """Raise `DataError` naming the first row of y for which `good` (a function of the namespace and y) is false."""
    y = floating(y)
    xp = namespace_of(y)
    bad = ~(good(xp, y) & xp.isfinite(y))
    if bool(xp.any(bad)):
        row = int(xp.argmax(xp.astype(bad, xp.int32)))
        raise DataError(f"y must be {what}; row {row} is {float(y[row])}")
