"""Logistic data that break solvers: answers are certified, or say through their gap that they are not; none is NaN."""

import numpy as np
import pytest
from scipy import sparse

from shrinkage.design import as_design
from shrinkage.losses import Logistic
from shrinkage.penalties import L1L2
from shrinkage.problem import Problem
from shrinkage.solvers._newton import NewtonFits


def classes(X, rng, signal=2.0):
    eta = X[:, :3].sum(axis=1)
    eta = signal * (eta - eta.mean()) / eta.std()
    y = (rng.random(eta.size) < 1 / (1 + np.exp(-eta))).astype(float)
    y[:2] = 0, 1
    return y


def normal(rng, n=80, p=60):
    X = rng.normal(size=(n, p))
    return X, classes(X, rng)


def separable(rng):
    X = rng.normal(size=(80, 20))
    return X, (X[:, 0] + X[:, 1] > 0).astype(float)


def separable_and_wide(rng):
    X = rng.normal(size=(60, 300))
    return X, (X[:, 0] > 0).astype(float)


def duplicates(rng):
    X, y = normal(rng, 60, 50)
    return np.hstack([X, X, -X]), y


def near_duplicates(rng):
    X, y = normal(rng, 60, 50)
    return np.hstack([X, X + 1e-7 * rng.normal(size=X.shape)]), y


def constant_columns(rng):
    X, y = normal(rng)
    X[:, ::3] = 2.0
    X[:, 1] = 0.0
    return X, y


def binary(rng):
    X = (rng.random((80, 120)) < 0.3).astype(float)
    return X, classes(X, rng, 1.5)


def low_rank(rng):
    X = rng.normal(size=(60, 5)) @ rng.normal(size=(5, 100))
    return X, classes(X, rng)


def three_positives(rng):
    X = rng.normal(size=(200, 50))
    y = np.zeros(200)
    y[:3] = 1
    return X, y


def far_away(rng):
    X, y = normal(rng)
    return X + 1000.0, y


def badly_scaled(rng):
    X, y = normal(rng)
    return X * 10.0 ** rng.integers(-3, 4, X.shape[1]), y


def one_row_per_class(rng):
    return rng.normal(size=(2, 4)), np.array([0.0, 1.0])


def response_is_a_column(rng):
    X = (rng.random((80, 30)) < 0.5).astype(float)
    return X, X[:, 0].copy()


def sparse_and_wide(rng):
    X = sparse.random(150, 400, 0.05, format="csc", random_state=rng)
    return X, classes(X.toarray(), rng)


def fitted(problem, ratio, tol, count=40, features=None):
    p = problem.design.shape[1]
    factors = np.ones(p) if problem.penalty.factors is None else np.asarray(problem.penalty.factors)
    restricted = NewtonFits(problem, problem.weights[:, None], factors[:, None], factors[:, None], tol)
    restricted.grow(np.flatnonzero(factors))
    alphas = problem.alpha_max * np.geomspace(1, ratio, count)
    batch = restricted.solve(alphas * problem.penalty.l1_ratio, alphas * (1 - problem.penalty.l1_ratio))
    coefs = np.zeros((p, count))
    coefs[restricted.features] = batch.coefs
    coefs[problem.free] = batch.free_coefs
    assert np.isfinite(coefs).all()
    assert np.isfinite(batch.theta).all()
    return batch, problem.relative(problem.gaps(coefs, batch.intercept, alphas))


MAKERS = [
    normal,
    separable,
    separable_and_wide,
    duplicates,
    near_duplicates,
    constant_columns,
    binary,
    low_rank,
    three_positives,
    far_away,
    badly_scaled,
    one_row_per_class,
    response_is_a_column,
    sparse_and_wide,
]


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("ratio", [1e-2, 1e-4])
@pytest.mark.parametrize("maker", MAKERS)
def test_hard_data_are_certified_to_the_default_tolerance(maker, ratio, l1_ratio):
    for seed in range(3):
        X, y = maker(np.random.default_rng(seed))
        problem = Problem(as_design(X), y, Logistic(), L1L2(1.0, l1_ratio))
        _, gaps = fitted(problem, ratio, 1e-7)
        assert gaps.max() <= 1e-6


@pytest.mark.parametrize("maker", [separable, three_positives, constant_columns, response_is_a_column])
def test_hard_data_are_certified_without_an_intercept(maker):
    X, y = maker(np.random.default_rng(0))
    problem = Problem(as_design(X), y, Logistic(), L1L2(1.0, 1.0), fit_intercept=False)
    assert fitted(problem, 1e-3, 1e-7)[1].max() <= 1e-6


def test_dependent_free_columns_are_no_obstacle():
    X, y = normal(np.random.default_rng(0))
    X[:, 1] = 3 * X[:, 0]
    X[:, 2] = 5.0  # what the intercept is already
    problem = Problem(as_design(X), y, Logistic(), L1L2(1.0, 1.0, np.r_[np.zeros(3), np.ones(57)]))
    assert fitted(problem, 1e-2, 1e-9)[1].max() <= 1e-8


def test_free_columns_that_separate_the_classes_end_in_bounded_time_without_nan():
    X, y = separable(np.random.default_rng(0))
    problem = Problem(as_design(X), y, Logistic(), L1L2(1.0, 1.0, np.r_[0.0, 0.0, np.ones(18)]))
    restricted = NewtonFits(
        problem, problem.weights[:, None], np.r_[0.0, 0.0, np.ones(18)][:, None], np.ones((20, 1)), 1e-6
    )
    restricted.grow(np.arange(2, 20))
    batch = restricted.solve(np.geomspace(1e-2, 1e-4, 5), np.zeros(5))
    assert np.isfinite(batch.coefs).all()
    assert np.isfinite(batch.theta).all()
    assert batch.steps.max() <= 2000


def test_a_fold_with_a_single_class_ends_in_bounded_time_without_nan():
    X, y = normal(np.random.default_rng(0))
    problem = Problem(as_design(X), y, Logistic(), L1L2(1.0, 1.0))
    weights = np.stack([problem.weights, y / y.sum()], axis=1)
    restricted = NewtonFits(problem, weights, np.ones((60, 2)), np.ones((60, 2)), 1e-6)
    restricted.grow(np.arange(60))
    batch = restricted.solve(problem.alpha_max * np.geomspace(1, 1e-2, 10), np.zeros(10))
    assert restricted.null_objectives[1] == 0
    assert np.isfinite(batch.coefs).all()
    assert np.isfinite(batch.theta).all()
    np.testing.assert_array_equal(batch.supports[1], 0)


@pytest.mark.parametrize("weights", ["integers", "tiny"])
def test_weights_are_repeated_rows(weights):
    X, y = normal(np.random.default_rng(1), 60, 20)
    counts = np.random.default_rng(2).integers(0, 4, 60)
    factor = 1.0 if weights == "integers" else 1e-12
    weighted = Problem(as_design(X), y, Logistic(), L1L2(1.0, 1.0), sample_weight=factor * counts)
    repeated = Problem(as_design(np.repeat(X, counts, axis=0)), np.repeat(y, counts), Logistic(), L1L2(1.0, 1.0))
    a, b = fitted(weighted, 1e-2, 1e-13)[0], fitted(repeated, 1e-2, 1e-13)[0]
    np.testing.assert_allclose(a.coefs, b.coefs, atol=1e-9)
    np.testing.assert_allclose(a.intercept, b.intercept, atol=1e-9)
