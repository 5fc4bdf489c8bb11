"""MCP and SCAD: their formulas, a global minimizer at every step, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shrinkage._errors import ArgumentError
from shrinkage.penalties import L1, MCP, SCAD, Convex


def mcp(x, lam, gamma):
    """The integral of the slope max(λ - x/γ, 0), by its two pieces."""
    x = np.abs(x)
    return np.where(x <= gamma * lam, lam * x - x**2 / (2 * gamma), gamma * lam**2 / 2)


def scad(x, lam, gamma):
    """The integral of the slope min(λ, max(γλ - x, 0) / (γ - 1)), by its three pieces."""
    x = np.abs(x)
    bend = (2 * gamma * lam * x - x**2 - lam**2) / (2 * (gamma - 1))
    return np.where(x <= lam, lam * x, np.where(x <= gamma * lam, bend, lam**2 * (gamma + 1) / 2))


BOTH = pytest.mark.parametrize(("kind", "formula", "least"), [(MCP, mcp, 0.0), (SCAD, scad, 2.0)])


@BOTH
@given(lam=st.floats(0.0, 3.0), above=st.floats(0.01, 5.0))
def test_the_value_is_the_formula_of_the_literature(kind, formula, least, lam, above):
    w = np.linspace(-20, 20, 201)
    g = kind(lam, least + above)
    assert float(g.value(w)) == pytest.approx(formula(w, lam, least + above).sum(), rel=1e-12)


@BOTH
@given(
    lam=st.floats(0.0, 3.0),
    above=st.floats(0.01, 5.0),
    v=st.floats(-15, 15),
    log_step=st.floats(-4, 4),
    at=st.booleans(),
)
def test_no_point_of_a_fine_grid_is_better_than_the_prox_at_any_step(kind, formula, least, lam, above, v, log_step, at):
    gamma = least + above
    step = (gamma if kind is MCP else gamma - 1.0) if at else float(np.exp(log_step))
    best = kind(lam, gamma).prox(np.array([v]), step)

    def objective(u):
        return step * formula(u, lam, gamma) + 0.5 * (u - v) ** 2

    knots = np.array([0.0, v, lam, -lam, gamma * lam, -gamma * lam])
    grid = np.concatenate([np.linspace(-abs(v), abs(v), 2001), knots])
    least_cost = objective(grid).min()
    assert objective(best)[0] <= least_cost + 1e-12 * (1 + abs(least_cost))


@BOTH
def test_small_coefficients_become_exactly_zero_and_large_ones_stay_exactly(kind, formula, least):
    g = kind(0.5, least + 1.0)
    for step in (0.1, 1.0, least + 1.0, 10.0):
        assert not g.prox(np.linspace(-0.5 * step, 0.5 * step, 101) * min(1.0, 1.0 / step**0.5), step).any()
        large = np.array([30.0, -40.0])
        assert np.array_equal(g.prox(large, step), large)


@BOTH
@given(w=st.floats(-8, 8), z=st.floats(-5, 5))
def test_the_violation_is_the_distance_to_the_slope(kind, formula, least, w, z):
    lam, gamma = 1.2, least + 1.5
    w = 0.0 if abs(w) < 1e-3 else w
    right = float(formula(w + 1e-6, lam, gamma) - formula(w, lam, gamma)) / 1e-6
    left = float(formula(w, lam, gamma) - formula(w - 1e-6, lam, gamma)) / 1e-6
    distance = max(left - z, z - right, 0.0) if w == 0 else abs(z - 0.5 * (left + right))
    assert kind(lam, gamma).violation(np.array([w]), np.array([z]))[0] == pytest.approx(distance, abs=1e-5)


@given(scalar=st.floats(0.01, 30.0), w=st.floats(-9, 9))
def test_a_multiple_of_mcp_costs_the_multiple(scalar, w):
    g = MCP(0.7, 3.0)
    assert float((scalar * g).value(np.array([w]))) == pytest.approx(scalar * float(g.value(np.array([w]))), rel=1e-12)


def test_far_from_its_bend_mcp_and_scad_are_the_lasso():
    v = np.linspace(-5, 5, 41)
    for g in (MCP(0.7, 1e9), SCAD(0.7, 1e9)):
        assert np.allclose(g.prox(v, 0.5), L1(0.7).prox(v, 0.5), atol=1e-7)
        assert not isinstance(g, Convex)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MCP(1.0, 0.0), "gamma must be > 0 and finite; got 0.0"),
        (lambda: MCP(1.0, float("inf")), "gamma must be > 0 and finite; got inf"),
        (lambda: MCP(1.0, "3"), "gamma must be > 0 and finite; got '3'"),
        (lambda: SCAD(1.0, 2), "gamma must be > 2 and finite; got 2"),
        (lambda: SCAD(1.0, True), "gamma must be > 2 and finite; got True"),
        (lambda: 2 * SCAD(1.0), "a multiple of SCAD is not a SCAD"),
        (lambda: -1 * SCAD(1.0), "multiplied by a finite number >= 0; got -1"),
        (lambda: MCP(1.0) + L1(1.0), "a sum with MCP, which is not convex"),
        (lambda: L1(1.0) + SCAD(1.0), "a sum with SCAD, which is not convex"),
    ],
)
def test_what_is_of_another_form_is_refused(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_nothing_and_itself_are_multiples_of_scad():
    assert 1 * SCAD(0.5) == SCAD(0.5)
    assert 0 * SCAD(0.5) == SCAD(0.0)
    assert 0 * MCP(0.5) == MCP(0.0)
