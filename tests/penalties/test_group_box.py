"""A penalty on groups within bounds: its formulas against a general minimizer, and laws."""

import numpy as np
import pytest
from scipy.optimize import minimize

from shrinkage import ArgumentError
from shrinkage.penalties import L1, L1L2, L2, MCP, BlockSeparable, Convex, GroupBox, GroupL2

INF = np.inf
GROUPS = [[0, 1, 2], [3, 4]]
LOWER, UPPER = np.array([-INF, -0.3, 0.0, -0.2, -INF, -0.5]), np.array([0.4, INF, 0.8, 0.3, INF, 0.1])
ONE = GroupL2(0.6, groups=GROUPS, weights="ones")
CASES = [
    GroupBox(ONE),
    GroupBox(ONE, 0.0),
    GroupBox(ONE, LOWER, UPPER),
    GroupBox(ONE, -0.2, 0.3),
    GroupBox(L1(0.3) + ONE, LOWER, UPPER),
    GroupBox(L1L2(0.4, 0.5) + ONE, LOWER, UPPER),
    GroupBox(L2(0.4, np.array([1.0, 0.2, 2.0, 1.0, 0.1, 1.0])) + ONE, LOWER, UPPER),
    GroupBox(GroupL2(1.0, groups=GROUPS, weights=[0.0, 0.5]), -0.2, 0.3),
]
every_case = pytest.mark.parametrize("g", CASES, ids=range(len(CASES)))


def sides(g):
    return np.broadcast_to(g.lower, 6), np.broadcast_to(g.upper, 6)


def points(seed, count=6, size=2.0):
    return size * np.random.default_rng(seed).normal(size=(count, 6))


def lowest(f, g, starts):
    """The least value that a general minimizer finds within bounds, from several starts."""
    box = [(low if low > -INF else None, high if high < INF else None) for low, high in zip(*sides(g), strict=True)]
    found = [
        minimize(f, np.clip(x, *sides(g)), bounds=box, method="L-BFGS-B", options={"ftol": 1e-13, "maxiter": 100})
        for x in starts
    ]
    return min(min(run.fun for run in found), f(np.zeros(6)))


@every_case
def test_the_prox_minimizes(g):
    for v in points(0):
        u = g.prox(v, 0.8)
        assert (u >= sides(g)[0]).all()
        assert (u <= sides(g)[1]).all()

        def objective(x, v=v):
            return 0.8 * float(g.penalty.value(x)) + 0.5 * ((x - v) ** 2).sum()

        best = lowest(objective, g, [v, u])
        assert objective(u) <= best + 1e-12
        for moved in np.clip(u + 1e-4 * points(1, 20), *sides(g)):
            assert objective(moved) >= objective(u) - 1e-14


@every_case
def test_the_prox_satisfies_its_condition_in_any_metric(g):
    for v, size in zip(points(2), np.abs(points(3)), strict=True):
        u = g.prox(v, size)
        np.testing.assert_allclose(g.violation(u, (v - u) / size), 0, atol=1e-10)
    still = g.prox(v, np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0]))
    np.testing.assert_array_equal(still[[1, 4]], np.clip(v, *sides(g))[[1, 4]])


@every_case
def test_fenchel_and_young_is_an_equality_at_the_prox(g):
    for v in points(4):
        u = g.prox(v, 0.7)
        z = (v - u) / 0.7
        unbounded = g.unpenalized(v)
        z[unbounded] = 0.0
        both = float(g.value(u)) + float(g.conjugate((1 - 1e-12) * z))
        assert both == pytest.approx(float(z @ u), abs=1e-9)


@every_case
def test_fenchel_and_young_is_an_inequality_and_the_conjugate_a_supremum(g):
    for w, z in zip(points(5), points(6, size=0.7), strict=True):
        w = np.clip(w, *sides(g))
        endless = np.where(z > 0, sides(g)[1], -sides(g)[0]) == INF
        z = np.where(g.penalty.unpenalized(z) & endless, 0.0, z)
        c = float(g.dual_scale(z))
        assert 0 <= c <= 1
        found = float(g.conjugate(c * z))
        assert float(g.value(w)) + found >= c * z @ w - 1e-13
        if c == 1:
            starts = [t * z for t in (0.1, 10.0)]
            best = -lowest(lambda x, z=z: float(g.penalty.value(x)) - z @ x, g, starts)
            assert best - 1e-9 <= found <= best + 1e-3
        else:
            assert float(g.conjugate(z)) == INF


def test_the_conjugate_is_exact_at_the_edge_of_its_domain():
    g = GroupBox(GroupL2(1.0, groups=[[0, 1]], weights="ones"), -INF, np.array([INF, 1.0]))
    for near in (1e-3, 1e-6, 1e-9, 1e-12):
        z = np.array([np.sqrt(1 - near), 0.5])
        r = 1 / np.sqrt(near)  # with x_2 at its bound 1: x_1 = z_1 r and r² = x_1² + 1
        value = z[0] * (z[0] * r) + 0.5 - r
        assert float(g.conjugate(z)) == pytest.approx(value, abs=1e-15 * r + 1e-13)
    assert float(g.conjugate(np.array([1.0 + 1e-12, 0.5]))) == INF


@every_case
def test_the_violation_is_the_size_of_the_steepest_descent(g):
    for w, z in zip(points(7), points(8), strict=True):
        w = np.clip(np.where(np.abs(w) < 0.7, 0.0, w), *sides(g))

        def objective(x, z=z):
            return float(g.penalty.value(x)) - z @ x

        size, h = float(np.linalg.norm(g.violation(w, z))), 1e-6
        found = g.prox(w + h * z, h)  # a proximal step is as long as the steepest slope
        assert np.linalg.norm(found - w) / h <= size * (1 + 1e-3) + 1e-4
        assert (objective(w) - objective(found)) / h >= 0.4 * size**2 - 1e-3


@every_case
def test_layouts_agree_and_types_are_kept(g):
    v = points(9, 1)[0]
    rows = GroupBox(GroupL2(0.6, axis=0, weights="ones"), -0.2, 0.3)
    lists = GroupBox(GroupL2(0.6, groups=[*GROUPS[:1], [3, 4, 5]], weights="ones"), -0.2, 0.3)
    np.testing.assert_allclose(rows.prox(v.reshape(2, 3), 0.8).ravel(), lists.prox(v, 0.8))
    assert float(rows.conjugate(v.reshape(2, 3))) == pytest.approx(float(lists.conjugate(v)))
    assert g.prox(v.astype(np.float32), 0.8).dtype == np.float32


def test_it_is_convex_keeps_its_bounds_and_is_refused_around_others():
    g = CASES[2]
    assert isinstance(g, Convex)
    assert isinstance(g, BlockSeparable)
    assert (2 * g).alpha == 1.2
    assert g.with_alpha(3.0).upper is g.upper
    with pytest.raises(ArgumentError, match="go around GroupL2 or its sums; got MCP"):
        GroupBox(MCP(1.0), 0.0)
    with pytest.raises(ArgumentError, match="lower must be <= 0"):
        GroupBox(ONE, 0.1)


def test_at_the_edge_of_zero_the_conjugate_is_zero():
    rng = np.random.default_rng(0)
    for z in rng.normal(size=(100, 3)):  # ‖z‖ is the group's weight, up to rounding that a root of 1 + ε loses
        g = GroupBox(L2(0.5) + GroupL2(np.linalg.norm(z), groups=[[0, 1, 2]], weights="ones"), -0.1)
        for moved in (z, np.nextafter(z, 9 * z)):
            assert abs(float(g.conjugate(moved))) <= 1e-14
            assert np.abs(g.prox(moved, 1.0)).max() <= 1e-14
