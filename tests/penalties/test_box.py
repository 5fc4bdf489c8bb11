"""A penalty within bounds: its formulas against a search over the interval."""

import numpy as np
import pytest

from shrinkage import ArgumentError
from shrinkage.penalties import L1, L1L2, L2, Box, Convex, GroupL2

GRID = np.linspace(-6, 6, 240_001)
CASES = [
    (L1(0.7), -np.inf, np.inf),
    (L1(0.7), 0.0, np.inf),
    (L1(0.7), -0.5, 1.5),
    (L1L2(0.7, 0.4), -np.inf, 0.25),
    (L1L2(0.7, 0.4, np.array([0.4])), -1.0, 2.0),
    (L2(0.5), -1.0, 0.0),
    (L1(0.0), -1.0, 2.0),
    (L1(0.3), 0.0, 0.0),
]
every_box = pytest.mark.parametrize("g", [Box(*case) for case in CASES], ids=str)


def value(g, u):
    inside = np.array([float(g.penalty.value(np.array([x]))) for x in (u if u.size < 9 else [])])
    if u.size >= 9:
        f = 1.0 if g.factors is None else float(g.factors[0])
        inside = g.alpha * f * (g.l1_ratio * np.abs(u) + 0.5 * (1 - g.l1_ratio) * u * u)
    return np.where((u < g.lower) | (u > g.upper), np.inf, inside)


@every_box
@pytest.mark.parametrize("v", [-3.0, -0.6, 0.0, 0.4, 2.5])
def test_the_prox_minimizes(g, v):
    found = float(g.prox(np.array([v]), 0.8)[0])
    best = GRID[np.argmin(0.8 * value(g, GRID) + 0.5 * (GRID - v) ** 2)]
    assert abs(found - best) <= 1e-4


@every_box
@pytest.mark.parametrize("z", [-0.9, -0.2, 0.0, 0.5, 0.65])
def test_the_conjugate_is_the_supremum(g, z):
    found = float(g.conjugate(np.array([z])))
    if np.isinf(found):
        assert (z > 0 and g.upper == np.inf) or (z < 0 and g.lower == -np.inf)
        scaled = float(g.dual_scale(np.array([z])))
        assert 0 < scaled < 1
        assert np.isfinite(g.conjugate(np.array([scaled * (1 - 1e-12) * z])))
    else:
        assert found == pytest.approx((z * GRID - value(g, GRID)).max(), abs=1e-4)


@every_box
@pytest.mark.parametrize("w", [-1.0, -0.5, 0.0, 0.25, 1.5])
@pytest.mark.parametrize("z", [-2.0, -0.3, 0.0, 0.4, 3.0])
def test_the_violation_is_the_distance_to_the_slopes_within_bounds(g, w, z):
    if not g.lower <= w <= g.upper:
        assert value(g, np.array([w]))[0] == np.inf == float(g.value(np.array([w])))
        return
    h = 1e-7
    at = value(g, np.array([w - h, w, w + h]))
    low, high = (at[1] - at[0]) / h, (at[2] - at[1]) / h
    found = float(g.violation(np.array([w]), np.array([z]))[0])
    assert found == pytest.approx(max(low - z, z - high, 0.0), abs=1e-6)


def test_it_is_convex_keeps_its_bounds_at_other_strengths_and_takes_numbers():
    g = Box(L1L2(1.0, 0.5), 0.0, np.array([1.0, 2.0]))
    assert isinstance(g, Convex)
    assert (3 * g).alpha == 3.0
    assert (g * 2).upper is g.upper
    assert g.with_alpha(0.5).lower == 0.0
    assert g.prox(np.float32([3, 3]), 0.1).dtype == np.float32


@pytest.mark.parametrize(
    "arguments",
    [(L1(1.0), 0.1), (L1(1.0), -1.0, -0.5), (L1(1.0), np.nan), (GroupL2(1.0, axis=0), 0.0), (L1(1.0), None)],
)
def test_what_leaves_out_zero_or_is_no_elastic_net_is_refused(arguments):
    with pytest.raises(ArgumentError):
        Box(*arguments)
