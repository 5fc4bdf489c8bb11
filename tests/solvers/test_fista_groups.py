"""Group penalties and those that are not convex, stated as problems: certified by their gap, solved by FISTA."""

import numpy as np
import pytest
from cases import problem
from scipy import optimize

from shrinkage._errors import ArgumentError
from shrinkage.losses import Logistic, Squared
from shrinkage.penalties import L1, L1L2, L2, MCP, SCAD, GroupL2
from shrinkage.solvers import Status, solve, solve_path

GROUPS = [[5, 0, 1], [2], [3, 7]]
CONVEX = {
    "group": GroupL2(0.08, groups=GROUPS),
    "all-groups": GroupL2(0.08, groups=[*GROUPS, [4, 6]], weights=[1.0, 0.5, 2.0, 1.0]),
    "one-group": GroupL2(0.08, axis=()),
    "sparse-group": L1(0.03) + GroupL2(0.05, groups=GROUPS),
    "sparse-group-factors": L1L2(0.06, 0.5, np.array([0.0, 1.0, 2.0, 0.0, 0.0, 1.0, 1.0, 1.0])) + GroupL2(0.05, GROUPS),
    "ridge-and-groups": L2(0.06) + GroupL2(0.05, groups=GROUPS),
    "groups-and-no-lasso": L1(0.0) + GroupL2(0.05, groups=GROUPS),
}
LOSSES = pytest.mark.parametrize("loss", [Squared(), Logistic()], ids=["squared", "logistic"])
TRAITS = pytest.mark.parametrize("traits", [(), ("weights", "offset", "scale"), ("no-intercept",)], ids=str)


@LOSSES
@TRAITS
@pytest.mark.parametrize("name", ["group", "all-groups", "sparse-group-factors"])
def test_fista_closes_the_gap_of_group_penalties_and_meets_their_conditions(loss, traits, name):
    stated = problem(loss, CONVEX[name], traits)
    found = solve(stated, tol=1e-10, max_iter=5_000)
    assert found.status is Status.CONVERGED
    assert -1e-14 <= found.gap <= 1e-10 * stated.null.objective
    assert found.kkt <= 1e-5


@pytest.mark.parametrize("loss", [Logistic()])
@pytest.mark.parametrize("name", CONVEX)
def test_the_gap_bounds_the_excess_everywhere(loss, name):
    stated = problem(loss, CONVEX[name], ("weights",))
    least = solve(stated, tol=1e-10, max_iter=5_000)
    lowest = stated.objective(least.coef, least.intercept)
    rng = np.random.default_rng(0)
    for size in (1e-3, 1e-1, 1.0):
        w = least.coef + size * rng.normal(size=8)
        assert stated.gap(w, least.intercept) >= stated.objective(w, least.intercept) - lowest - 1e-9


@pytest.mark.parametrize("name", ["group", "sparse-group"])
def test_a_general_optimizer_finds_nothing_lower(name):
    stated = problem(Squared(), CONVEX[name])
    found = solve(stated, tol=1e-12, max_iter=10_000)
    lowest = stated.objective(found.coef, found.intercept)
    start = np.append(found.coef + 0.1, found.intercept)
    other = optimize.minimize(lambda x: stated.objective(x[:-1], x[-1]), start, method="Powell", tol=1e-10)
    assert lowest <= other.fun + 1e-9


@LOSSES
@pytest.mark.parametrize("name", ["group", "all-groups", "one-group", "sparse-group", "sparse-group-factors"])
def test_every_group_is_zero_at_alpha_max_and_not_just_below(loss, name):
    stated = problem(loss, CONVEX[name], ("weights", "scale"))
    held = np.setdiff1d(np.arange(8), stated.unpenalized)
    above = stated.with_penalty(stated.penalty.with_alpha(stated.alpha_max * (1 + 1e-9)))
    null = stated.null
    w = np.zeros(8)
    w[stated.unpenalized] = null.coef_free
    assert above.kkt(w, null.intercept) <= 1e-6 * stated.alpha_max
    below = stated.with_penalty(stated.penalty.with_alpha(stated.alpha_max * 0.97))
    assert below.kkt(w, null.intercept) > 1e-4 * stated.alpha_max
    assert solve(below, tol=1e-9, max_iter=5_000).coef[held].any()


@LOSSES
@pytest.mark.parametrize("g", [MCP(0.08), SCAD(0.08)], ids=["MCP", "SCAD"])
def test_what_is_not_convex_gets_a_stationary_point_and_no_gap(loss, g):
    stated = problem(loss, g, ("weights",))
    found = solve(stated, tol=1e-9, max_iter=5_000)
    assert found.status is Status.STATIONARY
    assert np.isnan(found.gap)
    assert found.kkt <= 1e-9
    above = stated.with_penalty(g.with_alpha(stated.alpha_max * (1 + 1e-9)))
    assert above.kkt(np.zeros(8), stated.null.intercept) <= 1e-6 * stated.alpha_max


class Quartic:
    """A penalty that this library has not."""

    alpha, factors = 0.1, None

    def value(self, w):
        """The sum of fourth powers."""
        return self.alpha * (w**4).sum()


def test_a_path_of_a_penalty_without_an_engine_is_refused():
    with pytest.raises(ArgumentError, match=r"a path needs a penalty .* got Quartic, which `solve` takes"):
        solve_path(problem(Squared(), Quartic()), np.array([0.1]))
