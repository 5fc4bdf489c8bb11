"""Logistic fits: every answer is judged by the certificate of `Problem`, which shares no line with the solver."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from shrinkage import cross_validate
from shrinkage.design import as_design
from shrinkage.losses import Logistic
from shrinkage.penalties import L1L2
from shrinkage.problem import Problem, minimize_free
from shrinkage.solvers._newton import NewtonFits


def data(seed, n=80, p=30, signal=1.5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 0.4 * rng.normal(size=(n, 1))
    y = (rng.random(n) < 1 / (1 + np.exp(-signal * X[:, :3].sum(axis=1)))).astype(float)
    y[:2] = 0, 1
    return X, y


def stated(X, y, l1_ratio=1.0, factors=None, **kwargs):
    return Problem(as_design(X), y, Logistic(), L1L2(1.0, l1_ratio, factors), **kwargs)


def fits(problem, tol, training=None, features=None):
    """The restricted problem of all penalized features (or some), for all rows and for rows of training masks."""
    p = problem.design.shape[1]
    masks = [np.ones(problem.y.size, bool), *(training or [])]
    weights = np.stack([problem.weights * mask / problem.weights[mask].sum() for mask in masks], axis=1)
    factors = np.ones(p) if problem.penalty.factors is None else np.asarray(problem.penalty.factors)
    scale = np.ones(p) if problem.scale is None else problem.scale
    repeat = np.ones((1, len(masks)))
    restricted = NewtonFits(
        problem, weights, (factors * scale)[:, None] * repeat, (factors * scale**2)[:, None] * repeat, tol
    )
    restricted.grow(np.flatnonzero(factors) if features is None else features)
    return restricted


def split(problem, alphas):
    ratio = problem.penalty.l1_ratio
    return alphas * ratio, alphas * (1 - ratio)


def coefficients(problem, restricted, batch, t):
    coef = np.zeros(problem.design.shape[1])
    coef[restricted.features[: batch.coefs.shape[0]]] = batch.coefs[:, t]
    coef[problem.free] = batch.free_coefs[:, t]
    return coef


def certified(problem, restricted, batch, alphas):
    """Relative duality gaps of the first fit, by the problem itself."""
    coefs = np.stack([coefficients(problem, restricted, batch, t) for t in range(len(alphas))], axis=1)
    return problem.relative(problem.gaps(coefs, batch.intercept[: len(alphas)], alphas))


def grid(problem, ratio=1e-2, count=20):
    return problem.alpha_max * np.geomspace(1, ratio, count)


def solved(problem, alphas, tol=1e-9):
    restricted = fits(problem, tol)
    return restricted, restricted.solve(*split(problem, alphas))


SETTINGS = {
    "plain": {},
    "weights": {"sample_weight": np.random.default_rng(1).integers(0, 4, 80).astype(float)},
    "offset": {"offset": np.random.default_rng(2).normal(size=80)},
    "no intercept": {"fit_intercept": False},
    "scale": {"scale": np.geomspace(0.2, 5, 30)},
    "free columns": {"factors": np.r_[np.zeros(3), np.ones(27)]},
    "free columns without intercept": {"factors": np.r_[np.zeros(2), np.ones(28)], "fit_intercept": False},
    "factors": {"factors": np.geomspace(0.1, 10, 30)},
    "elastic net": {"l1_ratio": 0.5},
    "nearly ridge": {"l1_ratio": 0.05, "factors": np.r_[0.0, np.geomspace(0.3, 3, 29)]},
}


@pytest.mark.parametrize("stored", ["dense", "sparse"])
@pytest.mark.parametrize("name", SETTINGS)
def test_every_strength_is_certified(name, stored):
    X, y = data(3)
    if stored == "sparse":
        X = sparse.csc_array(X * (np.random.default_rng(4).random(X.shape) < 0.3))
    problem = stated(X, y, **SETTINGS[name])
    alphas = grid(problem)
    restricted, batch = solved(problem, alphas)
    assert certified(problem, restricted, batch, alphas).max() <= 1e-9


@pytest.mark.parametrize("name", SETTINGS)
def test_own_gaps_are_those_of_the_problem(name):
    X, y = data(5)
    problem = stated(X, y, **SETTINGS[name])
    alphas = grid(problem, count=6)
    restricted, batch = solved(problem, alphas, tol=1e-2)  # loose, so that there is a gap to compare
    correlations = problem.design.correlate(batch.theta)
    own = own_gaps(problem, restricted, batch, alphas, correlations)
    theirs = certified(problem, restricted, batch, alphas) * problem.null.objective
    # the problem takes the better of two dual points, each at least as close as ours up to its own refit
    assert (own >= -1e-15).all()
    assert (own <= 1e-2).all()
    np.testing.assert_allclose(own, theirs, rtol=0.5, atol=1e-13)


def own_gaps(problem, restricted, batch, alphas, correlations):
    strengths, ridges = split(problem, alphas)
    p = problem.design.shape[1]
    factors = np.ones(p) if problem.penalty.factors is None else np.asarray(problem.penalty.factors)
    l1 = (factors * (1.0 if problem.scale is None else problem.scale))[:, None]
    penalized = factors > 0
    size = np.abs(correlations[penalized]) / l1[penalized]
    conjugate = None
    if problem.penalty.l1_ratio < 1:
        excess = np.maximum(np.abs(correlations[penalized]) - strengths * l1[penalized], 0)
        conjugate = (excess**2 / (l1[penalized] ** 2 / factors[penalized, None])).sum(axis=0)[None]
    return restricted.gaps(batch, strengths, ridges, size.max(axis=0)[None], conjugate)[0]


@pytest.mark.parametrize("free", [0, 2])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_dual_points_are_orthogonal_to_what_is_free_and_inside_the_domain(free, fit_intercept):
    X, y = data(6)
    problem = stated(X, y, factors=np.r_[np.zeros(free), np.ones(30 - free)], fit_intercept=fit_intercept)
    alphas = grid(problem, count=8)
    _, batch = solved(problem, alphas, tol=1e-3)
    u = batch.theta / problem.weights[:, None] * (2 * y - 1)[:, None]
    assert (u >= 0).all()
    assert (u <= 1).all()
    if fit_intercept:
        np.testing.assert_allclose(batch.theta.sum(axis=0), 0, atol=1e-15)
    np.testing.assert_allclose(X[:, :free].T @ batch.theta, 0, atol=1e-14)


def test_a_tight_tolerance_is_reached():
    X, y = data(7, n=120, p=60)
    problem = stated(X, y)
    alphas = grid(problem, 1e-3)
    restricted, batch = solved(problem, alphas, tol=1e-13)
    assert certified(problem, restricted, batch, alphas).max() <= 1e-12


def test_null_models_and_their_correlations_are_those_of_the_problem():
    X, y = data(8)
    problem = stated(X, y, factors=np.r_[0.0, np.ones(29)], offset=np.linspace(-1, 1, 80))
    restricted = fits(problem, 1e-8)
    assert restricted.null_objectives[0] == pytest.approx(problem.null.objective, rel=1e-13)
    correlations = X.T @ restricted.null_theta()
    assert np.abs(correlations[1:]).max() == pytest.approx(problem.alpha_max, rel=1e-11)


def test_the_lasso_agrees_with_scikit_learn():
    X, y = data(9, n=100, p=10)
    problem = stated(X, y)
    alphas = problem.alpha_max * np.array([0.3, 0.05])
    restricted, batch = solved(problem, alphas, tol=1e-13)
    for t, alpha in enumerate(alphas):
        theirs = LogisticRegression(l1_ratio=1, C=1 / (alpha * 100), solver="saga", tol=1e-11, max_iter=100_000)
        theirs.fit(X, y)
        np.testing.assert_allclose(coefficients(problem, restricted, batch, t), theirs.coef_[0], atol=1e-7)
        assert batch.intercept[t] == pytest.approx(theirs.intercept_[0], abs=1e-7)


def test_one_jump_far_down_arrives_where_a_walk_does():
    X, y = data(10, n=60, p=200)
    problem = stated(X, y)
    alphas = grid(problem, 1e-4, 40)
    _, walk = solved(problem, alphas, tol=1e-11)
    restricted, jump = solved(problem, alphas[-1:], tol=1e-11)
    assert certified(problem, restricted, jump, alphas[-1:])[0] <= 1e-11
    assert jump.objectives[0, 0] == pytest.approx(walk.objectives[0, -1], rel=1e-8)


@pytest.mark.parametrize("stored", ["dense", "sparse"])
def test_a_fold_is_the_fit_of_its_own_rows(stored):
    X, y = data(11)
    held = np.arange(80) % 5 == 2
    weights = np.random.default_rng(0).uniform(0.5, 2, 80)
    X = sparse.csr_array(X) if stored == "sparse" else X
    problem = stated(X, y, sample_weight=weights, factors=np.r_[0.0, np.ones(29)])
    alphas = grid(problem, count=10)
    together = fits(problem, 1e-12, [~held])
    batch = together.solve(*split(problem, alphas))
    alone = stated(X[~held], y[~held], sample_weight=weights[~held], factors=np.r_[0.0, np.ones(29)])
    single, own = solved(alone, alphas, tol=1e-12)
    np.testing.assert_allclose(batch.coefs[:, 10:], own.coefs, atol=1e-9)
    np.testing.assert_allclose(batch.objectives[1], own.objectives[0], rtol=1e-12)
    eta = X[held] @ np.stack([coefficients(alone, single, own, t) for t in range(10)], axis=1) + own.intercept
    deviance = np.average(Logistic().deviance(y[held, None], eta), axis=0, weights=weights[held])
    np.testing.assert_allclose(together.held_out(batch, 1, np.flatnonzero(held)), deviance, rtol=1e-8)


def test_a_working_set_may_grow_between_batches():
    X, y = data(12)
    problem = stated(X, y)
    alphas = grid(problem)
    _, expected = solved(problem, alphas, tol=1e-11)
    restricted = fits(problem, 1e-11, features=np.array([5, 1]))
    restricted.solve(*split(problem, alphas[:8]))
    restricted.grow(np.setdiff1d(np.arange(30), [1, 5]))
    batch = restricted.solve(*split(problem, alphas[8:]))
    np.testing.assert_allclose(batch.objectives[0], expected.objectives[0, 8:], rtol=1e-10)
    assert certified(problem, restricted, batch, alphas[8:]).max() <= 1e-11


@pytest.mark.parametrize("t", [0, 3, None])
def test_after_going_back_the_same_answers_come_again(t):
    X, y = data(13)
    problem = stated(X, y)
    alphas = grid(problem)
    restricted = fits(problem, 1e-11, [np.arange(80) % 4 > 0])
    first = restricted.solve(*split(problem, alphas))
    if t is None:
        restricted.reset()
    else:
        restricted.rewind(first, t, *split(problem, alphas))
    start = 0 if t is None else t + 1
    again = restricted.solve(*split(problem, alphas[start:]))
    np.testing.assert_allclose(again.objectives, first.objectives[:, start:], rtol=1e-10)
    assert certified(problem, restricted, again, alphas[start:]).max() <= 1e-11


def test_tightening_lowers_the_gap():
    X, y = data(14)
    problem = stated(X, y)
    alphas = grid(problem, count=5)
    restricted = fits(problem, 1e-2)
    loose = certified(problem, restricted, restricted.solve(*split(problem, alphas)), alphas)
    while restricted.tighten():
        pass
    tight = certified(problem, restricted, restricted.solve(*split(problem, alphas)), alphas)
    assert tight.max() <= 1e-12 < loose.max()


@pytest.mark.parametrize("weighted", [False, True])
def test_the_null_model_of_two_classes_is_the_fit_of_an_intercept(weighted):
    X, y = data(5)
    weights = np.random.default_rng(5).uniform(0, 2, len(y)) if weighted else None
    problem = stated(X, y, sample_weight=weights)
    Q, _ = problem.free_block
    _, eta = minimize_free(problem.loss, y, np.zeros(len(y)), Q, problem.weights)
    np.testing.assert_allclose(problem.null.eta, eta, atol=1e-13)
    assert problem.null.intercept == pytest.approx(eta[0], abs=1e-13)


@pytest.mark.parametrize("more", [{}, {"standardize": True}, {"l1_ratio": 0.5}, {"penalty_factor": np.arange(30) % 3}])
def test_small_data_are_solved_in_one_batch_for_all_folds(more):
    X, y = data(6)
    run = cross_validate(X, y, cv=4, loss="logistic", n_alphas=30, alpha_min_ratio=0.02, **more)
    assert run.path.n_passes == 2  # alpha_max, and the certificates of all strengths and folds
    judge = run.path.problem
    gaps = judge.gaps(run.path.coefs, run.path.intercepts, run.path.alphas) / judge.null.objective
    assert gaps.max() <= 1e-6
    assert run.fold_gaps.max() <= 1e-6
