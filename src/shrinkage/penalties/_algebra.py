"""Sums and scalar multiples of penalties: the results are penalties again, or are refused in a sentence."""

from dataclasses import replace
from numbers import Real
from typing import Any

from shrinkage._arrays import namespace_of
from shrinkage._errors import ArgumentError


def check_scalar(scalar: Any) -> bool:
    """Say whether `scalar` is a number; refuse one that no penalty can be multiplied by."""
    if isinstance(scalar, bool) or not isinstance(scalar, Real):
        return False
    if not 0 <= float(scalar) < float("inf"):
        raise ArgumentError(f"a penalty can be multiplied by a finite number >= 0; got {scalar}")
    return True


def multiply(penalty: Any, scalar: Any) -> Any:
    """Return `penalty` at `scalar` times its strength; NotImplemented if `scalar` is no number."""
    return replace(penalty, alpha=scalar * penalty.alpha) if check_scalar(scalar) else NotImplemented


def plain_number(value: Any) -> Any:
    """Return a number of any kind, or an array of no axes, as a Python number; other arrays as they are.

    What a formula is differentiated by, a tensor that requires a gradient or a JAX tracer, stays too.
    """
    if type(value) in (int, float):
        return value
    traced = getattr(value, "requires_grad", False) or "Tracer" in type(value).__name__
    alone = isinstance(value, Real) or (getattr(value, "ndim", None) == 0 and not traced)
    return float(value) if alone else value


def settle(penalty: Any, *names: str) -> None:
    """Make those attributes of a new penalty that are single numbers Python's, which the fast paths know."""
    for name in names:
        object.__setattr__(penalty, name, plain_number(getattr(penalty, name)))


def check_gamma(gamma: Any, above: int) -> None:
    """Refuse what is not a finite number above the least γ of its penalty."""
    if isinstance(gamma, bool) or not isinstance(gamma, Real) or not above < float(gamma) < float("inf"):
        raise ArgumentError(f"gamma must be > {above} and finite; got {gamma!r}")


def refuse_sum(one: Any, other: Any) -> Any:
    """Refuse one + other, of which one is not convex; NotImplemented if `other` is no penalty."""
    if not hasattr(other, "prox"):
        return NotImplemented
    raise ArgumentError(
        f"a sum with {type(one).__name__}, which is not convex, has no prox here; got {one!r} and {other!r}"
    )


def add(one: Any, other: Any, elastic_net: type) -> Any:
    """Return the penalty that is the sum of two from L1, L2, L1L2; NotImplemented if `other` is none of them.

    With equal factors: αρ and α(1-ρ) add. With different factors the sum has this form only if both have one
    l1_ratio; then its factors are the average (α₁f₁ + α₂f₂) / (α₁ + α₂).
    """
    if getattr(other, "kernel", None) != one.kernel:
        return NotImplemented
    alpha = one.alpha + other.alpha
    same_ratio = one.l1_ratio == other.l1_ratio
    scalar = isinstance(alpha, Real)
    factors = one.factors
    if not same_factors(one.factors, other.factors):
        if not same_ratio or not scalar or float(alpha) == 0:
            raise ArgumentError(
                "a sum of penalties with different factors is one penalty only if both have the same l1_ratio "
                f"and numbers as strengths; got {one!r} and {other!r}"
            )
        f_one = 1.0 if one.factors is None else one.factors
        f_other = 1.0 if other.factors is None else other.factors
        factors = (one.alpha * f_one + other.alpha * f_other) / alpha
    if same_ratio:
        if type(one) is type(other):
            return replace(one, alpha=alpha, factors=factors)
        return elastic_net(alpha, one.l1_ratio, factors)
    if not scalar:
        raise ArgumentError(
            "a sum of penalties with different l1_ratio needs numbers as strengths, since its l1_ratio is one number; "
            f"got {one!r} and {other!r}"
        )
    if alpha == 0:
        return elastic_net(alpha, one.l1_ratio, factors)
    l1 = one.alpha * one.l1_ratio + other.alpha * other.l1_ratio
    return elastic_net(alpha, min(1.0, l1 / alpha), factors)


def same_factors(one: Any, other: Any) -> bool:
    """Say whether two factors are one array, equal arrays, or both None."""
    if one is other:
        return True
    if one is None or other is None:
        return False
    return one.shape == other.shape and bool(namespace_of(one, other).all(one == other))
