"""Single strengths far down the path of wide data: reached over others, and answered as if there had been none."""

import numpy as np
import pytest

from shrinkage import Lasso, path
from shrinkage.design import as_design
from shrinkage.losses import Squared
from shrinkage.penalties import L1L2
from shrinkage.problem import Problem
from shrinkage.solvers import solve
from shrinkage.solvers._waypoints import FAR, LEAST_ENTRIES, STRIDE, with_waypoints


def wide(n=60):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, LEAST_ENTRIES // n + 1)) + 0.5 * rng.normal(size=(n, 1))
    return X, X[:, :9] @ rng.normal(size=9) + rng.normal(size=n)


def problem(alpha=1.0, l1_ratio=1.0, n=60):
    X, y = wide(n)
    return Problem(as_design(X), y, Squared(), L1L2(alpha, l1_ratio))


def test_the_way_holds_what_was_asked_for_and_no_long_step():
    stated = problem()
    top = stated.alpha_max
    grid = top / np.array([2.0, 2.5, 300.0])
    walked = with_waypoints(stated, grid, top)
    assert set(grid) <= set(walked)
    assert (np.diff(walked) < 0).all()
    after = walked[walked <= grid[1]]
    assert np.log(after[:-1] / after[1:]).max() <= STRIDE * (1 + 1e-9)
    near = grid[:2]
    assert with_waypoints(stated, near, top) is near


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_one_strength_far_down_is_certified_and_the_one_of_the_path(l1_ratio):
    stated = problem(l1_ratio=l1_ratio)
    alphas = stated.alpha_max / np.array([3.0, 4 * FAR])
    X, y = stated.design.values, stated.y
    fitted = path(X, y, l1_ratio=l1_ratio, alphas=alphas, tol=1e-10)
    assert fitted.alphas.tolist() == alphas.tolist()
    assert fitted.relative_gaps.max() <= 1e-10
    for t, alpha in enumerate(alphas):
        own = stated.with_penalty(L1L2(float(alpha), l1_ratio))
        found = solve(own, tol=1e-10)
        assert own.relative_gap(found.coef, found.intercept) <= 1.1e-10
        assert found.gap == pytest.approx(own.gap(found.coef, found.intercept), abs=1e-12)
        np.testing.assert_allclose(found.coef, fitted.coefs.toarray()[:, t], atol=1e-6)
    if l1_ratio == 1:
        alone = Lasso(alpha=float(alphas[1]), tol=1e-10).fit(X, y)
        np.testing.assert_allclose(alone.coef_, fitted.coefs.toarray()[:, 1], atol=1e-6)
