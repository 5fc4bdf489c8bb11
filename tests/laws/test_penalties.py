"""What every penalty obeys."""

from dataclasses import fields, replace

import numpy as np
import pytest
from cases import ARRAY_LIBRARIES, PENALTIES, SIZE, array_library, back, convert
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shrinkage.penalties import MCP, SCAD, BlockSeparable, Box, Convex, SortedL1, SparseGroup

number = st.floats(-10, 10, allow_subnormal=False).map(lambda x: round(x, 6))
vector = arrays(np.float64, SIZE, elements=number)
a_step = st.floats(0.01, 10.0)
steps = arrays(np.float64, SIZE, elements=a_step)


def for_some(**strategies):
    """`given`, for laws that a wrong formula breaks at almost every point, so that a few points a member tell."""
    return lambda law: settings(max_examples=8)(given(**strategies)(law))


def those(kind, besides=()):
    """The penalties of a kind, and of none of the kinds `besides`."""
    return [g for g in PENALTIES if isinstance(g.values[0], kind) and not isinstance(g.values[0], besides)]


every_penalty = pytest.mark.parametrize("g", PENALTIES)
every_convex_penalty = pytest.mark.parametrize("g", those(Convex))
every_elementwise_penalty = pytest.mark.parametrize("g", those(object, (BlockSeparable, SortedL1)))
every_penalty_of_arrays = pytest.mark.parametrize("g", those(object, SortedL1))
every_penalty_on_groups = pytest.mark.parametrize("g", those(BlockSeparable))


def prox_objective(g, u, v, step):
    return float(step * g.value(u) + 0.5 * np.sum((u - v) ** 2))


def slack(g, w, z):
    """Value(w) + conjugate(z) - ⟨z, w⟩, >= 0 by Fenchel and Young."""
    return float(g.value(w) + g.conjugate(z) - z @ w)


def unpenalized(g):
    """Where the penalty does not act, whatever its strength."""
    if isinstance(g, BlockSeparable):
        return g.unpenalized(np.zeros(SIZE))
    return np.zeros(SIZE, dtype=bool) if g.factors is None else np.asarray(g.factors) == 0


def into_domain(g, z):
    """The largest multiple of z that the conjugate takes, a hair inside; free coordinates are set to 0."""
    z = np.where(unpenalized(g), 0.0, z)
    return z * 0.0 if g.alpha == 0 else z * float(g.dual_scale(z)) * (1 - 1e-14)


@every_penalty
@for_some(v=vector, u=vector, step=a_step, near=st.floats(1e-6, 1.0))
def test_the_prox_minimizes_its_objective(g, v, u, step, near):
    best = g.prox(v, step)
    least = prox_objective(g, best, v, step)
    for other in (u, v, best + near * u, best * (1 - near)):
        assert least <= prox_objective(g, other, v, step) + 1e-12 * (1 + abs(least))


@every_convex_penalty
@for_some(w=vector, z=vector)
def test_value_and_conjugate_obey_fenchel_and_young(g, w, z):
    assert slack(g, w, into_domain(g, z)) >= -1e-10


@every_convex_penalty
@for_some(v=vector, step=a_step)
def test_fenchel_and_young_is_an_equality_at_the_prox(g, v, step):
    w = g.prox(v, step)
    z = (v - w) / step
    assert np.allclose(into_domain(g, z), z, rtol=1e-9, atol=1e-12)
    assert slack(g, w, into_domain(g, z)) == pytest.approx(0, abs=1e-9)


@every_convex_penalty
@for_some(u=vector, v=vector, step=a_step)
def test_the_prox_is_firmly_nonexpansive(g, u, v, step):
    moved = g.prox(u, step) - g.prox(v, step)
    assert moved @ moved <= moved @ (u - v) + 1e-10


@every_penalty
@for_some(w=vector)
def test_zero_costs_nothing_stays_where_it_is_and_nothing_costs_less(g, w):
    zero = np.zeros(SIZE)
    assert float(g.value(zero)) == 0
    assert np.array_equal(g.prox(zero, 2.0), zero)
    assert float(g.value(w)) >= 0


@pytest.mark.parametrize("g", those(object, SCAD))  # a multiple of SCAD is none
@for_some(v=vector, step=a_step)
def test_a_multiple_of_a_penalty_is_a_longer_step(g, v, step):
    assume(not isinstance(g, MCP) or step < g.gamma)
    assert np.allclose((step * g).prox(v, 1.0), g.prox(v, step), rtol=1e-13, atol=1e-13)
    assert float((g * step).value(v)) == pytest.approx(step * float(g.value(v)))


@pytest.mark.parametrize("g", those(object, Convex))
@for_some(u=vector, w=vector, v=vector, share=st.floats(0.01, 0.99))
def test_squares_of_the_concavity_make_a_penalty_convex_and_its_prox_continuous(g, u, w, v, share):
    c = g.concavity

    def bent(x):
        return float(g.value(x)) + 0.5 * c * float(x @ x)

    assert bent(share * u + (1 - share) * w) <= share * bent(u) + (1 - share) * bent(w) + 1e-10
    h = share / c
    moved = np.abs(g.prox(u, h) - g.prox(v, h))
    assert (moved <= np.abs(u - v) / (1 - share) + 1e-10).all()


@pytest.mark.parametrize("g", those(object, Convex))
def test_no_smaller_concavity_will_do(g):
    """In the bend, just past the first knot, the second difference of the value is that of the square."""
    x = np.where(unpenalized(g), 0.0, 0.7 * (1.2 if isinstance(g, SCAD) else 0.2) * np.ones(SIZE))
    j = np.flatnonzero(x)[0]
    d = np.zeros(SIZE)
    d[j] = 0.01
    second = float(g.value(x + d) - 2 * g.value(x) + g.value(x - d)) / 0.01**2
    assert second == pytest.approx(-g.concavity, rel=1e-6)


@every_elementwise_penalty
@for_some(v=vector, step=steps)
def test_an_array_of_steps_is_one_prox_per_coordinate(g, v, step):
    together = g.prox(v, step)
    for j in range(SIZE):
        assert together[j] == g.prox(v, float(step[j]))[j]


@every_penalty_of_arrays
@for_some(v=vector)
def test_an_array_of_strengths_is_a_whole_sweep(g, v):
    alphas = np.array([0.0, 0.1, 1.0, 5.0])
    sweep = g.with_alpha(alphas[:, None]).prox(v, 0.5)
    one_by_one = np.stack([g.with_alpha(float(a)).prox(v, 0.5) for a in alphas])
    assert np.allclose(sweep, one_by_one, rtol=1e-14 if isinstance(g, BlockSeparable) else 0, atol=1e-14)


@every_convex_penalty
@for_some(z=vector)
def test_the_dual_scale_is_the_edge_of_the_domain(g, z):
    z = np.where(unpenalized(g), 0.0, z)
    if g.alpha == 0:
        return
    c = float(g.dual_scale(z))
    assert 0 < c <= 1
    assert np.isfinite(g.conjugate(c * (1 - 1e-12) * z))
    if c < 1:
        assert np.isinf(g.conjugate(c * (1 + 1e-6) * z))


@every_penalty
def test_a_free_coordinate_costs_nothing_and_does_not_move(g):
    free = unpenalized(g) | (g.alpha == 0)
    v = np.array([3.0, -4.0, 5.0])
    assert np.array_equal(g.prox(v, 0.1)[free], v[free])
    assert float(g.value(np.where(free, v, 0.0))) == 0
    flat = isinstance(g, (MCP, SCAD))
    assert (g.prox(0.1 * v if flat else v, 0.1)[~free] != (0.1 * v if flat else v)[~free]).all()
    if free.any() and isinstance(g, Convex):
        assert np.isinf(g.conjugate(np.where(free, 1e-9, 0.0)))
        assert float(g.dual_scale(np.where(free, 1e9, 0.0))) == 1


@pytest.mark.parametrize("g", those(object, (BlockSeparable, SortedL1, Box)))  # outside a box there is no derivative
@for_some(w=vector, z=vector)
def test_the_violation_is_the_distance_to_the_one_sided_derivatives(g, w, z):
    w = np.where(np.abs(w) < 1e-3, 0.0, w)
    for j, unit in enumerate(1e-6 * np.eye(SIZE)):
        right = float(g.value(w + unit) - g.value(w)) / 1e-6
        left = float(g.value(w) - g.value(w - unit)) / 1e-6
        assert g.violation(w, z)[j] == pytest.approx(max(left - z[j], z[j] - right, 0.0), abs=1e-5)


@every_penalty
@given(v=vector, step=a_step)
def test_the_prox_satisfies_its_optimality_condition(g, v, step):
    w = g.prox(v, step)
    assert g.violation(w, (v - w) / step).max() <= 1e-12 * (1 + np.abs(v).max()) / step


def in_library(g, xp):
    """The same penalty, its arrays those of another library."""
    if isinstance(g, SparseGroup):
        return SparseGroup(in_library(g.elementwise, xp), in_library(g.group, xp))
    if isinstance(g, Box):
        bounds = (convert(b, xp) if isinstance(b, np.ndarray) else b for b in (g.lower, g.upper))
        return Box(in_library(g.penalty, xp), *bounds)
    arrays = {f.name: getattr(g, f.name) for f in fields(g) if isinstance(getattr(g, f.name), np.ndarray)}
    return replace(g, **{name: convert(x, xp) for name, x in arrays.items()})


@every_penalty_of_arrays
@pytest.mark.parametrize("library", ARRAY_LIBRARIES)
def test_every_array_library_agrees(g, library):
    xp = array_library(library)
    v = np.array([[1.5, -0.2, 4.0], [0.0, 0.3, -0.7]])
    step = np.array([0.5, 1.0, 2.0])
    theirs = in_library(g, xp)
    calls = {"value": (v,), "prox": (v, step), "violation": (v, v)}
    calls |= {"conjugate": (0.0 * v,), "dual_scale": (v,)} if isinstance(g, Convex) else {}
    calls |= {"norms": (v,), "unpenalized": (v,)} if isinstance(g, BlockSeparable) else {}
    for penalty in (g, theirs):
        for name, arguments in calls.items():
            ours = getattr(g, name)(*arguments)
            answer = getattr(penalty, name)(*(convert(x, xp) for x in arguments))
            assert np.allclose(back(answer), ours, rtol=4e-15 if isinstance(g, BlockSeparable) else 1e-15, atol=0), name
    assert g.prox(xp.asarray([1.0, 2.0, 3.0], dtype=xp.float32), 0.5).dtype == xp.float32


@every_penalty
def test_a_python_number_is_an_array_of_one(g):
    if g.factors is None and not isinstance(g, BlockSeparable):
        assert float(g.prox(2.0, 0.5)) == g.prox(np.array([2.0]), 0.5)[0]
        assert float(g.value(-3)) == g.value(np.array([-3.0]))


@every_penalty_on_groups
@given(v=vector, step=steps)
def test_in_the_metric_of_an_array_of_steps_the_prox_satisfies_its_optimality_condition(g, v, step):
    w = g.prox(v, step)
    assert g.violation(w, (v - w) / step).max() <= 1e-12 * (1 + np.abs(v).max()) / step.min()


@every_penalty_on_groups
@for_some(v=vector, step=a_step)
def test_equal_steps_are_one_step(g, v, step):
    assert np.allclose(g.prox(v, np.full(SIZE, step)), g.prox(v, step), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("g", those(object, (SortedL1, Box)))  # what is outside a box moves in
@for_some(v=vector, step=steps, still=arrays(np.bool_, SIZE))
def test_a_coordinate_with_a_step_of_zero_stays(g, v, step, still):
    assert np.array_equal(g.prox(v, np.where(still, 0.0, step))[still], v[still])
    assert np.array_equal(g.prox(v, 0.0), v)


@every_penalty_on_groups
@for_some(w=vector, z=vector)
def test_the_violation_vanishes_exactly_where_a_unit_step_along_z_leads_back(g, w, z):
    # w = prox(w + z) if and only if z is a subgradient at w.
    moved = np.abs(g.prox(w + z, 1.0) - w).max()
    assert moved <= np.linalg.norm(g.violation(w, z)) + 1e-12
    at = g.prox(w, 1.0)
    assert g.violation(at, w - at).max() <= 1e-12


@every_penalty_on_groups
@for_some(w=vector, z=vector)
def test_the_violation_at_zero_is_the_vector_to_the_nearest_subgradient(g, w, z):
    # By Moreau's decomposition the nearest point of the subdifferential at 0 is what one step takes off z.
    if isinstance(g, SparseGroup):
        g = g.without_l2()
    assert np.allclose(g.violation(np.zeros(SIZE), z), np.abs(g.prox(z, 1.0)), rtol=1e-13, atol=1e-13)
