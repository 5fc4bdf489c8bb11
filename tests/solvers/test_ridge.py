"""Ridge paths of the squared loss: against normal equations, scikit-learn, and the certificate of `Problem`."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import Ridge

from shrinkage.design import as_design
from shrinkage.losses import Squared
from shrinkage.penalties import L1, L2
from shrinkage.problem import Problem
from shrinkage.solvers import _ridge_columns, _ridge_ground
from shrinkage.solvers._records import Status
from shrinkage.solvers._ridge import ridge_path

ALPHAS = np.geomspace(3.0, 1e-3, 7)
SHAPES = [(40, 6), (15, 45), (20, 20)]


def data(shape, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal(shape) + rng.uniform(-2, 2, shape[1])
    return X, X[:, :3] @ np.array([1.0, -2.0, 0.5]) + rng.standard_normal(shape[0]) + 4.0


def statement(X, y, *, free=(), weighted=False, offset=False, intercept=True, scaled=False, seed=1):
    rng = np.random.default_rng(seed)
    n_samples, n_features = X.shape
    factors = rng.uniform(0.5, 2.0, n_features)
    factors[list(free)] = 0.0
    weights = rng.integers(0, 4, n_samples).astype(float) if weighted else None
    scale = rng.uniform(0.5, 2.0, n_features) if scaled else None
    shift = rng.standard_normal(n_samples) if offset else None
    return Problem(as_design(X), y, Squared(), L2(1.0, factors), weights, shift, intercept, scale)


def augmented_least_squares(problem, X, alpha):
    """Minimize |√v (y - o - Xw - b)|² + alpha |D w|² as one least-squares problem with p more rows."""
    roots = np.sqrt(problem.weights)
    metric = np.sqrt(problem.penalty.factors) * (1.0 if problem.scale is None else problem.scale)
    left = problem.y if problem.offset is None else problem.y - problem.offset
    design = np.column_stack([X, np.full(len(X), float(problem.fit_intercept))])
    rows = np.vstack([roots[:, None] * design, np.sqrt(alpha) * np.diag(np.append(metric, 0.0))])
    target = np.concatenate([roots * left, np.zeros(X.shape[1] + 1)])
    solution = np.linalg.lstsq(rows, target, rcond=1e-14)[0]
    return solution[:-1], solution[-1] if problem.fit_intercept else 0.0


KINDS = {
    "plain": {},
    "no-intercept": {"intercept": False},
    "weights": {"weighted": True},
    "free-offset": {"free": (0, 3), "offset": True},
    "all-of-it": {"free": (1,), "offset": True, "weighted": True, "scaled": True},
    "free-no-intercept": {"free": (2, 4), "intercept": False, "scaled": True},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_strength_solves_the_augmented_least_squares_problem(shape, kind):
    X, y = data(shape)
    problem = statement(X, y, **KINDS[kind])
    found = ridge_path(problem, ALPHAS, 1e-6)
    coefs = found.coefs.toarray()
    for t, alpha in enumerate(ALPHAS):
        coef, intercept = augmented_least_squares(problem, X, alpha)
        np.testing.assert_allclose(coefs[:, t], coef, rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(found.intercepts[t], intercept, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("intercept", [True, False])
def test_scikit_learn_agrees_at_its_strength_over_n(shape, intercept):
    X, y = data(shape)
    weights = np.random.default_rng(2).uniform(0.1, 2.0, shape[0])
    problem = Problem(as_design(X), y, Squared(), L2(1.0), weights, None, intercept)
    found = ridge_path(problem, ALPHAS, 1e-6)
    for t, alpha in enumerate(ALPHAS):
        peer = Ridge(alpha=alpha * weights.sum(), fit_intercept=intercept, solver="cholesky").fit(X, y, weights)
        np.testing.assert_allclose(found.coefs.toarray()[:, t], peer.coef_, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(found.intercepts[t], peer.intercept_, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("seed", range(8))
def test_the_certificate_is_the_one_of_problem(seed):
    X, y = data(SHAPES[seed % 3], seed)
    kind = list(KINDS.values())[seed % len(KINDS)]
    problem = statement(X, y, seed=seed, **kind)
    found = ridge_path(problem, ALPHAS, 1e-10)
    size = problem.null.objective
    np.testing.assert_allclose(found.gaps, problem.gaps(found.coefs, found.intercepts, ALPHAS), atol=1e-12 * size)
    np.testing.assert_allclose(found.kkt, problem.kkts(found.coefs, found.intercepts, ALPHAS), atol=1e-11)
    assert np.all(problem.relative(found.gaps) <= 1e-10)
    assert set(found.status) == {Status.CONVERGED}


def test_strengths_are_answered_in_the_order_they_were_asked():
    X, y = data((30, 8))
    problem = statement(X, y)
    asked = np.array([0.1, 5.0, 0.0, 0.1, 2.0])
    found = ridge_path(problem, asked, 1e-6)
    for t, alpha in enumerate(asked):
        alone = ridge_path(problem, np.array([alpha]), 1e-6)
        np.testing.assert_allclose(found.coefs.toarray()[:, t], alone.coefs.toarray()[:, 0], rtol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("penalty", [L1(0.0), L2(1.0)], ids=["L1", "L2"])
def test_strength_zero_is_the_least_squares_fit_of_smallest_norm(shape, intercept, penalty):
    X, y = data(shape)
    problem = Problem(as_design(X), y, Squared(), penalty, fit_intercept=intercept)
    found = ridge_path(problem, np.zeros(1), 1e-6)
    center = X.mean(axis=0) if intercept else np.zeros(shape[1])
    coef = np.linalg.lstsq(X - center, y - (y.mean() if intercept else 0.0), rcond=None)[0]
    np.testing.assert_allclose(found.coefs.toarray()[:, 0], coef, rtol=1e-7, atol=1e-9)
    assert found.status == (Status.CONVERGED,)


def test_columns_of_very_different_size_keep_their_least_squares_fit():
    X, y = data((40, 5))
    sizes = 10.0 ** np.array([5, -5, 0, 3, -3])
    problem = Problem(as_design(X * sizes), y, Squared(), L2(1.0))
    found = ridge_path(problem, np.zeros(1), 1e-6).coefs.toarray()[:, 0] * sizes
    coef = np.linalg.lstsq(X - X.mean(axis=0), y - y.mean(), rcond=None)[0]
    np.testing.assert_allclose(found, coef, rtol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("intercept", [True, False])
def test_a_far_offset_of_columns_and_response_costs_no_accuracy(shape, intercept):
    X, y = data(shape)
    X, y = X - X.mean(axis=0), y - y.mean()
    far, moved = X + 1e6 * intercept, y + 1e6 * intercept
    alphas = np.array([1.0, 1e-2])
    near = ridge_path(Problem(as_design(X), y, Squared(), L2(1.0), fit_intercept=intercept), alphas, 1e-6)
    found = ridge_path(Problem(as_design(far), moved, Squared(), L2(1.0), fit_intercept=intercept), alphas, 1e-6)
    np.testing.assert_allclose(found.coefs.toarray(), near.coefs.toarray(), atol=1e-7)


@pytest.mark.parametrize("way", ["blocks", "products"])
@pytest.mark.parametrize("storage", ["dense", "sparse", "float32"])
@pytest.mark.parametrize("shape", SHAPES)
def test_large_data_get_the_same_answer_as_small(monkeypatch, way, storage, shape):
    X, y = data(shape)
    X *= np.random.default_rng(0).random(shape) < 0.4
    X = X.astype(np.float32)
    stored = sparse.csc_array(X.astype(float)) if storage == "sparse" else X.astype(storage.replace("dense", "float64"))
    problem = statement(stored, y, free=(2,), weighted=True, scaled=True, offset=True)
    expected = ridge_path(
        statement(X.astype(float), y, free=(2,), weighted=True, scaled=True, offset=True), ALPHAS, 1e-6
    )
    monkeypatch.setattr(_ridge_ground, "HELD_ENTRIES", 0)
    monkeypatch.setattr(_ridge_columns, "HELD_ENTRIES", 4 * shape[0])
    monkeypatch.setattr(_ridge_columns, "BLOCK", 4)
    if way == "products":
        monkeypatch.setattr(_ridge_ground, "FACTOR_LIMIT", {True: 0, False: 0})
    found = ridge_path(problem, ALPHAS, 1e-14)
    np.testing.assert_allclose(found.coefs.toarray(), expected.coefs.toarray(), rtol=1e-5, atol=1e-6)
    assert set(found.status) == {Status.CONVERGED}


@pytest.mark.parametrize("tol", [1e-3, 1e-10])
def test_conjugate_gradients_stop_by_the_gap(monkeypatch, tol):
    rng = np.random.default_rng(0)
    X = sparse.random_array((300, 400), density=0.05, rng=rng, format="csc")
    problem = Problem(as_design(X), X @ rng.standard_normal(400) + rng.standard_normal(300), Squared(), L2(1.0))
    monkeypatch.setattr(_ridge_ground, "HELD_ENTRIES", 0)
    monkeypatch.setattr(_ridge_ground, "FACTOR_LIMIT", {True: 0, False: 0})
    found = ridge_path(problem, np.geomspace(1e-1, 1e-4, 5), tol)
    assert np.all(problem.relative(problem.gaps(found.coefs, found.intercepts, found.alphas)) <= tol)
    assert found.n_passes < 300


@pytest.mark.parametrize("intercept", [True, False])
def test_degenerate_data_are_answered_and_certified(intercept):
    X, y = data((12, 4))
    constant, twice = np.column_stack([X, np.full(12, 7.3), np.zeros(12)]), np.hstack([X, X])
    cases = [(constant, y), (twice, y), (X[:1], y[:1]), (X[:, :1], y), (X[:1, :1], y[:1]), (np.zeros((5, 3)), y[:5])]
    cases += [(X, np.full(12, 2.5)), (X, np.zeros(12)), (X, X[:, 2])]
    for values, response in cases:
        problem = Problem(as_design(values), response, Squared(), L2(1.0), fit_intercept=intercept)
        found = ridge_path(problem, np.array([1.0, 1e-2, 0.0]), 1e-6)
        assert set(found.status) == {Status.CONVERGED}
        assert np.isfinite(found.coefs.toarray()).all()
        assert np.isfinite(found.kkt).all()


def test_duplicated_columns_share_their_weight_and_constant_ones_get_none():
    X, y = data((12, 3))
    problem = Problem(as_design(np.column_stack([X, X[:, 0], np.full(12, 1e6 / 3)])), y, Squared(), L2(1.0))
    coefs = ridge_path(problem, np.array([0.5]), 1e-6).coefs.toarray()[:, 0]
    assert coefs[4] == 0.0
    np.testing.assert_allclose(coefs[0], coefs[3], rtol=1e-12)


def test_a_weight_of_two_is_the_row_twice():
    X, y = data((10, 14))
    weights = np.ones(10)
    weights[3], weights[5] = 2.0, 0.0
    rows = np.array([0, 1, 2, 3, 3, 4, 6, 7, 8, 9])
    weighted = ridge_path(Problem(as_design(X), y, Squared(), L2(1.0), weights), ALPHAS, 1e-6)
    repeated = ridge_path(Problem(as_design(X[rows]), y[rows], Squared(), L2(1.0)), ALPHAS, 1e-6)
    np.testing.assert_allclose(weighted.coefs.toarray(), repeated.coefs.toarray(), rtol=1e-9)
    np.testing.assert_allclose(weighted.intercepts, repeated.intercepts, rtol=1e-9)
