"""Who is at risk at each death: the sorted rows of a Cox model, and sums over them that do not overflow."""

from dataclasses import dataclass

from shrinkage._arrays import Array, namespace_of


@dataclass(frozen=True)
class RiskSets:
    """The m rows of positive weight, by stratum and, latest first, by time; positions are places in that order.

    Attributes
    ----------
    order : (m,) row at each position
    place : (n,) position of each row; m for rows of weight 0
    stratum, group : (m,) numbers that rise; a group has one stratum and one time
    first, last : (m,) positions of the ends of a row's group
    dies : (m,) bool
    log_weight : (m,)
    share : (m,) mean weight of those who die with the row; 0 where it does not die
    left_out : (m,) with Efron's ties l/d for the l-th of d tied deaths, from 0; else 0
    log_least : (m,) logarithm of the sum over the risk set of a death if all η were equal and nobody else at risk
    """

    order: Array
    place: Array
    stratum: Array
    group: Array
    first: Array
    last: Array
    dies: Array
    log_weight: Array
    share: Array
    left_out: Array
    log_least: Array


def risk_sets(y: Array, weights: Array, efron: bool) -> RiskSets:
    """Sort rows [time, event] or [time, event, stratum] of y (n, 2 or 3)."""
    xp = namespace_of(y, weights)
    kept = xp.nonzero(weights > 0)[0]
    rows = xp.take(y, kept, axis=0)
    order = xp.argsort(-rows[:, 0], stable=True)
    if y.shape[1] > 2:
        order = xp.take(order, xp.argsort(xp.take(rows[:, 2], order), stable=True))
    rows, order = xp.take(rows, order, axis=0), xp.take(kept, order)
    m = rows.shape[0]
    new_stratum = _differs(xp, rows[:, 2]) if y.shape[1] > 2 else xp.arange(m) == 0
    new_group = new_stratum | _differs(xp, rows[:, 0])
    group = xp.cumulative_sum(xp.astype(new_group, xp.int64)) - 1
    starts = xp.nonzero(new_group)[0]
    first = xp.take(starts, group)
    last = xp.take(xp.concat([starts[1:], xp.asarray([m], dtype=starts.dtype)]), group) - 1
    weight, dies = xp.take(weights, order), rows[:, 1] > 0
    dead = xp.astype(dies, weight.dtype)
    deaths = scan(dead, group, xp.add)
    many, mass = xp.take(deaths, last), xp.take(scan(dead * weight, group, xp.add), last)
    some = xp.where(dies, many, xp.ones_like(many))
    left_out = xp.where(dies, (deaths - 1.0) / some, 0.0 * some) if efron else 0.0 * some
    unused = xp.nonzero(weights <= 0)[0]
    place = xp.argsort(xp.concat([order, unused]))
    return RiskSets(
        order,
        xp.where(place < m, place, xp.full_like(place, m)),
        xp.cumulative_sum(xp.astype(new_stratum, xp.int64)),
        group,
        first,
        last,
        dies,
        xp.log(weight),
        dead * mass / some,
        left_out,
        xp.log(xp.where(dies, mass * (1.0 - left_out), xp.ones_like(mass))),
    )


def _differs(xp, values: Array) -> Array:
    """Whether a value differs from the one before it; the first does."""
    return xp.concat([xp.arange(1) == 0, values[1:] != values[:-1]])


def scan(values: Array, segment: Array, join) -> Array:
    """Join every value with those before it in its segment, along the first axis, by doubling steps."""
    xp = namespace_of(values)
    step = 1
    while step < values.shape[0]:
        same = segment[step:] == segment[:-step]
        if not bool(xp.any(same)):
            break
        same = xp.reshape(same, (-1,) + (1,) * (values.ndim - 1))
        joined = xp.where(same, join(values[step:], values[:-step]), values[step:])
        values = xp.concat([values[:step], joined])
        step *= 2
    return values
