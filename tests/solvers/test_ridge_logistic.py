"""Ridge paths of the logistic loss: against scikit-learn and the certificate of `Problem`; hard data end well."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from shrinkage.design import as_design
from shrinkage.losses import Logistic
from shrinkage.penalties import L2
from shrinkage.problem import Problem
from shrinkage.solvers import _ridge_ground
from shrinkage.solvers._records import Status
from shrinkage.solvers._ridge import ridge_path

ALPHAS = np.geomspace(1.0, 1e-3, 5)
SHAPES = [(60, 6), (20, 45), (30, 30)]


def data(shape, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal(shape) + rng.uniform(-1, 1, shape[1])
    eta = X[:, 0] - X[:, 1]
    return X, (rng.random(shape[0]) < 1 / (1 + np.exp(eta.mean() - eta))).astype(float)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("intercept", [True, False])
def test_scikit_learn_agrees_at_one_over_n_alpha(shape, intercept):
    X, y = data(shape)
    weights = np.random.default_rng(1).uniform(0.2, 2.0, shape[0])
    problem = Problem(as_design(X), y, Logistic(), L2(1.0), weights, None, intercept)
    found = ridge_path(problem, ALPHAS, 1e-12)
    for t, alpha in enumerate(ALPHAS):
        peer = LogisticRegression(
            C=1 / (weights.sum() * alpha), fit_intercept=intercept, tol=1e-12, max_iter=500, solver="newton-cholesky"
        ).fit(X, y, weights)
        np.testing.assert_allclose(found.coefs.toarray()[:, t], peer.coef_[0], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(found.intercepts[t], np.ravel(peer.intercept_)[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("tol", [1e-6, 1e-12])
@pytest.mark.parametrize("seed", range(6))
def test_problem_certifies_every_strength(seed, tol):
    shape = SHAPES[seed % 3]
    rng = np.random.default_rng(seed)
    X, y = data(shape, seed)
    factors = rng.uniform(0.5, 2.0, shape[1])
    factors[: seed % 2] = 0.0
    weights, offset = rng.integers(0, 4, shape[0]).astype(float), rng.standard_normal(shape[0])
    scale = rng.uniform(0.5, 2.0, shape[1])
    problem = Problem(as_design(X), y, Logistic(), L2(1.0, factors), weights, offset, bool(seed % 3), scale)
    found = ridge_path(problem, ALPHAS, tol)
    gaps = problem.gaps(found.coefs, found.intercepts, ALPHAS)
    assert np.all(problem.relative(gaps) <= tol)
    np.testing.assert_allclose(found.kkt, problem.kkts(found.coefs, found.intercepts, ALPHAS), atol=1e-14)
    assert set(found.status) == {Status.CONVERGED}


@pytest.mark.parametrize("limit", [10**6, 0], ids=["factors", "products"])
@pytest.mark.parametrize("storage", [np.asarray, sparse.csc_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("shape", SHAPES)
def test_large_data_get_the_same_answer_as_small(monkeypatch, limit, storage, shape):
    X, y = data(shape)
    X *= np.random.default_rng(0).random(shape) < 0.5
    factors = np.ones(shape[1])
    factors[2] = 0.0
    expected = ridge_path(Problem(as_design(X), y, Logistic(), L2(1.0, factors)), ALPHAS, 1e-12)
    monkeypatch.setattr(_ridge_ground, "HELD_ENTRIES", 0)
    monkeypatch.setattr(_ridge_ground, "FACTOR_LIMIT", {True: limit, False: limit})
    found = ridge_path(Problem(as_design(storage(X)), y, Logistic(), L2(1.0, factors)), ALPHAS, 1e-12)
    np.testing.assert_allclose(found.coefs.toarray(), expected.coefs.toarray(), rtol=1e-5, atol=1e-6)
    assert set(found.status) == {Status.CONVERGED}


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("shape", [(30, 4), (8, 30)])
def test_separable_classes_end_at_every_strength(shape, intercept):
    X, _ = data(shape)
    y = (X[:, 0] > np.median(X[:, 0])).astype(float)
    problem = Problem(as_design(X), y, Logistic(), L2(1.0), fit_intercept=intercept)
    found = ridge_path(problem, np.array([1.0, 1e-4, 1e-8, 0.0]), 1e-6)
    assert np.isfinite(found.coefs.toarray()).all()
    assert np.isfinite(found.gaps).all()
    assert found.status[:3] == (Status.CONVERGED,) * 3
    assert found.n_iter.sum() < 200


def test_strength_zero_is_maximum_likelihood():
    X, y = data((80, 4))
    problem = Problem(as_design(X), y, Logistic(), L2(1.0))
    found = ridge_path(problem, np.zeros(1), 1e-10)
    peer = LogisticRegression(C=np.inf, tol=1e-12, max_iter=500, solver="newton-cholesky").fit(X, y)
    np.testing.assert_allclose(found.coefs.toarray()[:, 0], peer.coef_[0], rtol=1e-5)
    assert found.status == (Status.CONVERGED,)


@pytest.mark.parametrize("intercept", [True, False])
def test_degenerate_data_are_answered_and_certified(intercept):
    X, y = data((30, 4))
    constant = np.column_stack([X, np.full(30, 5.0), np.zeros(30), X[:, 0]])
    rare = np.zeros(30)
    rare[:2] = 1.0
    for values, classes in [
        (constant, y),
        (X * 10.0 ** np.array([3, -3, 0, 2]), y),
        (X[:2], np.array([0.0, 1.0])),
        (X, rare),
    ]:
        problem = Problem(as_design(values), classes, Logistic(), L2(1.0), fit_intercept=intercept)
        found = ridge_path(problem, np.array([10.0, 1e-3]), 1e-6)
        assert set(found.status) == {Status.CONVERGED}
        assert np.isfinite(found.coefs.toarray()).all()


def test_duplicated_free_columns_do_not_stop_newton():
    X, y = data((60, 5))
    X = np.column_stack([X, X[:, 0]])
    factors = np.array([0.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    twice = ridge_path(Problem(as_design(X), y, Logistic(), L2(1.0, factors)), ALPHAS, 1e-10)
    once = ridge_path(Problem(as_design(X[:, :5]), y, Logistic(), L2(1.0, factors[:5])), ALPHAS, 1e-10)
    fitted = X @ twice.coefs.toarray() + twice.intercepts
    np.testing.assert_allclose(fitted, X[:, :5] @ once.coefs.toarray() + once.intercepts, atol=1e-5)
    assert set(twice.status) == {Status.CONVERGED}
