"""Bodies, contours and curves are those of the penalties and the losses, point by point."""

import matplotlib
import numpy as np
import pytest

from shrinkage import L1, L1L2, L2, MCP, SCAD, GroupL2, plots
from shrinkage._errors import ArgumentError
from shrinkage.datasets import load_diabetes
from shrinkage.design import as_design
from shrinkage.losses import Logistic, Squared
from shrinkage.plots._geometry import _Panel
from shrinkage.plots._loss_surface import LossSurface
from shrinkage.priors import elastic_net, to_distribution
from shrinkage.problem import Problem
from shrinkage.solvers import solve

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.collections import Collection

DATA = load_diabetes()
X = DATA.X[:, [2, 5]]
SD = X.std(axis=0)
HIGH = (DATA.y > np.median(DATA.y)).astype(float)
PENALTIES = [L1(18.0), L2(0.6), L1L2(2.0, 0.7), L1(12.0, np.array([1.0, 0.5])), GroupL2(10.0, [[0, 1]])]


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def stated(penalty, loss=None, columns=X, scale=SD):
    loss = loss or Squared()
    y = DATA.y if isinstance(loss, Squared) else HIGH
    problem = Problem(as_design(columns), y, loss, penalty, scale=scale)
    return problem, solve(problem, tol=1e-13 if hasattr(penalty, "kernel") else 1e-6)


def body_of(ax):
    return ax.patches[0].get_xy()


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda g: type(g).__name__)
def test_the_body_has_the_penalty_of_the_solution_all_around(penalty):
    problem, solution = stated(penalty)
    boundary = body_of(plots.geometry(problem, solution))
    level = float(penalty.value(SD * solution.coef))
    np.testing.assert_allclose([float(penalty.value(u)) for u in boundary], level, rtol=1e-9)
    assert (np.ptp(boundary, axis=0) > 0).all()


def test_the_diamond_has_its_corners_and_the_ball_is_round():
    problem, solution = stated(L1(18.0))
    radius = np.abs(SD * solution.coef).sum()
    boundary = body_of(plots.geometry(problem, solution))
    for corner in radius * np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]):
        assert np.linalg.norm(boundary - corner, axis=1).min() < 1e-9 * radius
    problem, solution = stated(L2(0.6))
    boundary = body_of(plots.geometry(problem, solution))
    np.testing.assert_allclose(np.linalg.norm(boundary, axis=1), np.linalg.norm(SD * solution.coef))


@pytest.mark.parametrize("penalty", [L1(18.0), L1(6.0), L2(0.6), L1L2(2.0, 0.7)], ids=repr)
@pytest.mark.parametrize("loss", [Squared(), Logistic()], ids=["squared", "logistic"])
def test_over_the_body_the_loss_is_lowest_at_the_solution(penalty, loss):
    penalty = penalty if isinstance(loss, Squared) else (penalty.alpha / 200.0 / 18.0) * penalty
    problem, solution = stated(penalty, loss)
    panel = _Panel(problem, solution, (0, 1), None)
    here = panel.surface.at(panel.at[None])[0]
    inside = np.concatenate([share * panel.body for share in (1.0, 0.9, 0.5)])
    assert panel.surface.at(inside).min() >= here - 1e-9 * abs(here)


@pytest.mark.parametrize("loss", [Squared(), Logistic()], ids=["squared", "logistic"])
def test_the_contours_are_those_of_the_loss_with_the_intercept_at_its_best(loss):
    problem, solution = stated(L1(0.01), loss, columns=DATA.X[:, :4], scale=DATA.X[:, :4].std(axis=0))
    surface = LossSurface.of(problem, solution.coef, solution.intercept, (1, 3))
    points = np.array([[0.0, 0.0], [0.4, -0.3]])
    for point, found in zip(points, surface.at(points), strict=True):
        w = solution.coef.copy()
        w[[1, 3]] = point / problem.scale[[1, 3]]
        left = problem.linear_predictor(w, 0.0)
        refit = Problem(as_design(np.ones((442, 1))), problem.y, loss, L2(1e12), offset=left)
        assert found == pytest.approx(refit.null.objective, rel=1e-10)
    assert surface.on_grid(np.array([0.0, 0.4]), np.array([-0.3]))[0, 1] == pytest.approx(surface.at(points)[1])


def test_strength_and_radius_are_both_said():
    problem, solution = stated(L1(18.0))
    ax = plots.geometry(problem, solution, names=["bmi", "ldl"])
    radius = np.abs(SD * solution.coef).sum()
    title = ax.get_title(loc="left")
    assert "alpha = 18" in title
    assert f"‖w‖₁ ≤ {radius:.3g}" in title
    assert f"{radius:.3g}" in [text.get_text() for text in ax.texts]
    assert ax.get_xlabel() == "coefficient of bmi per standard deviation"
    assert f"‖w‖₂ ≤ {np.linalg.norm(SD * stated(L2(0.6))[1].coef):.3g}" in plots.geometry(*stated(L2(0.6))).get_title(
        loc="left"
    )


def test_the_center_is_the_fit_without_penalty():
    problem, solution = stated(L1(18.0))
    free = solve(problem.with_penalty(L1(0.0)), tol=1e-13)
    panel = _Panel(problem, solution, (0, 1), None)
    np.testing.assert_allclose(panel.center, SD * free.coef, rtol=1e-6)
    some = slice(None, None, 6)  # each row is one more in the loss at each place of the grid
    logistic = Problem(as_design(X[some]), HIGH[some], Logistic(), L1(0.05), scale=SD)
    fit = solve(logistic)
    ax = plots.geometry(logistic, fit, free=solve(logistic.with_penalty(L2(1e-6)), tol=1e-9))
    assert "no penalty" in [text.get_text() for text in ax.texts]


def test_several_problems_stand_side_by_side_within_the_same_limits():
    pairs = [stated(L2(0.6)), stated(L1L2(2.0, 0.7)), stated(L1(18.0))]
    axes = plots.geometry([p for p, _ in pairs], [s for _, s in pairs])
    assert len({ax.get_xlim() for ax in axes}) == len({ax.get_ylim() for ax in axes}) == 1
    _, given = plt.subplots(1, 3)
    assert list(plots.geometry([p for p, _ in pairs], [s for _, s in pairs], ax=given)) == list(given)
    for ax in axes:
        assert any(isinstance(one, Collection) for one in ax.collections)


def test_edges_are_drawn_a_strength_that_leaves_nothing_none_at_all_and_a_body_with_dents():
    nothing = plots.geometry(*stated(L1(1e4)))
    assert not nothing.patches
    free = plots.geometry(*stated(L1(0.0)))
    assert "alpha = 0" in free.get_title(loc="left")
    dents = plots.geometry(*stated(MCP(10.0), scale=None, columns=X / SD))
    assert dents.patches
    vertical = plots.geometry(*stated(L1(18.0), columns=X[:, ::-1], scale=SD[::-1]))
    assert vertical.texts


def test_what_can_not_be_drawn_is_refused():
    problem, solution = stated(L1(18.0))
    with pytest.raises(ArgumentError, match="problem must be a Problem"):
        plots.geometry(solution, solution)
    with pytest.raises(ArgumentError, match="solution must be a Solution"):
        plots.geometry(problem, solution.coef)
    with pytest.raises(ArgumentError, match="two different columns from 0 to 1"):
        plots.geometry(problem, solution, features=(0, 2))
    with pytest.raises(ArgumentError, match="one solution for each problem"):
        plots.geometry([problem, problem], [solution])
    with pytest.raises(ArgumentError, match="names must be two"):
        plots.geometry(problem, solution, names=["bmi"])
    with pytest.raises(ArgumentError, match="one Axes for each of 2"):
        plots.geometry([problem] * 2, [solution] * 2, ax=plt.subplots()[1])


def test_curves_of_proximal_steps_are_the_penalties_own_with_jumps_left_open():
    shown = [L1(1.0), L2(1.0), L1L2(1.0, 0.5), MCP(1.0), SCAD(1.0)]
    ax = plots.prox(shown, step=5.0)
    curves = [line for line in ax.lines if not str(line.get_label()).startswith(("_", "unchanged"))]
    assert len(curves) == len(shown)
    for penalty, line in zip(shown, curves, strict=True):
        before, after = line.get_data()
        drawn = np.isfinite(before)
        np.testing.assert_array_equal(after[drawn], penalty.prox(before[drawn], 5.0))
        jumps = 2 if isinstance(penalty, (MCP, SCAD)) else 0
        assert np.count_nonzero(~drawn) == jumps
    assert len({line.get_color() for line in curves}) == len(shown)
    named = plots.prox({"mine": L1(2.0, np.array([1.0, 3.0]))}, limit=3.0)
    assert named.get_legend().get_texts()[-1].get_text() == "mine"
    assert named.get_xlim() == (-3.0, 3.0)


def test_priors_are_drawn_with_their_densities_and_their_tails():
    ax = plots.prior({"ridge": L2(0.02), "lasso": L1(0.02), "both": L1L2(0.03)}, n_samples=100, dispersion=2.0)
    expected = [to_distribution(g, 100, 2.0) for g in (L2(0.02), L1(0.02), L1L2(0.03))]
    (inset,) = ax.child_axes
    for axes in (ax, inset):
        for line, prior in zip(axes.lines, expected, strict=True):
            x, density = line.get_data()
            np.testing.assert_array_equal(density, prior.pdf(x))
    assert inset.get_yscale() == "log"
    assert not plots.prior(elastic_net(1.0), tails=False).child_axes


def test_curves_that_do_not_exist_are_refused():
    with pytest.raises(ArgumentError, match="acts on each coefficient alone"):
        plots.prox(GroupL2(1.0, [[0]]))
    with pytest.raises(ArgumentError, match="one number as alpha"):
        plots.prox(L1(np.array([1.0, 2.0])))
    with pytest.raises(ArgumentError, match="at least one to draw"):
        plots.prox([])
    with pytest.raises(ArgumentError, match="n_samples must be given"):
        plots.prior(L1(1.0))
    with pytest.raises(ArgumentError, match="one number as strength"):
        plots.prior(L1(1.0, np.array([1.0, 2.0])), n_samples=5)
    with pytest.raises(ArgumentError, match="MCP has no prior"):
        plots.prior(MCP(1.0), n_samples=5)
    with pytest.raises(ArgumentError, match="has pdf and ppf"):
        plots.prior(GroupL2(1.0, [[0]]), n_samples=5)
