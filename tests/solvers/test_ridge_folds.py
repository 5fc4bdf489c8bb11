"""Ridge folds equal fits of the training rows alone, scored on the test rows."""

import numpy as np
import pytest
from scipy import sparse

from shrinkage.design import as_design
from shrinkage.losses import Logistic, Squared
from shrinkage.penalties import L2
from shrinkage.problem import Problem
from shrinkage.solvers import _ridge_columns, _ridge_ground
from shrinkage.solvers._ridge import ridge_folds, ridge_path

ALPHAS = np.geomspace(1.0, 1e-2, 4)
WAYS = ["held", "blocks", "products"]


def take(monkeypatch, way):
    """Make the solver treat small data as it treats large data."""
    if way != "held":
        monkeypatch.setattr(_ridge_ground, "HELD_ENTRIES", 0)
        monkeypatch.setattr(_ridge_columns, "HELD_ENTRIES", 100)
        monkeypatch.setattr(_ridge_columns, "BLOCK", 4)
    if way == "products":
        monkeypatch.setattr(_ridge_ground, "FACTOR_LIMIT", {True: 0, False: 0})


def deviations(X, weights):
    weights = weights / weights.sum()
    sizes = np.sqrt(weights @ (X - weights @ X) ** 2)
    return np.where(sizes > 1e-12, sizes, 1.0)


def kind(shape, loss, *, free, weighted, offset, intercept, standardize, stored=np.asarray, seed=0):
    """A problem, and a function that states it on some of its rows."""
    rng = np.random.default_rng(seed)
    n_samples, n_features = shape
    X = rng.standard_normal(shape) + rng.uniform(-1, 1, n_features)
    X *= rng.random(shape) < 0.6
    y = X[:, 0] - X[:, 1] + rng.standard_normal(n_samples)
    y = (y > np.median(y)).astype(float) if loss.name == "logistic" else y
    factors = rng.uniform(0.5, 2.0, n_features)
    factors[list(free)] = 0.0
    weights = rng.integers(0, 3, n_samples).astype(float) if weighted else np.ones(n_samples)
    shift = rng.standard_normal(n_samples) if offset else np.zeros(n_samples)

    def state(rows):
        scale = deviations(X[rows], weights[rows]) if standardize else None
        penalty = L2(1.0, factors)
        return Problem(as_design(stored(X[rows])), y[rows], loss, penalty, weights[rows], shift[rows], intercept, scale)

    return X, state


def splits(n_samples, seed=0):
    rows = np.random.default_rng(seed).permutation(n_samples)
    pairs = [(np.setdiff1d(rows, test), test) for test in np.array_split(rows, 3)]
    return [*pairs, (np.sort(rows[: n_samples // 2]), rows[-3:])]


def compare(state, X, n_samples, standardize, tol, rtol):
    problem = state(np.arange(n_samples))
    folds = splits(n_samples)
    found = ridge_folds(problem, ALPHAS, folds, standardize, tol)
    whole = ridge_path(problem, ALPHAS, tol)
    np.testing.assert_allclose(found.path.coefs.toarray(), whole.coefs.toarray(), rtol=1e-9, atol=1e-12)
    assert found.gaps.max() <= tol
    for k, (train, test) in enumerate(folds):
        fit = ridge_path(state(train), ALPHAS, tol)
        eta = problem.offset[test][:, None] + X[test] @ fit.coefs.toarray() + fit.intercepts
        weights = problem.sample_weight[test] + (problem.sample_weight[test].sum() == 0)
        score = weights @ problem.loss.deviance(problem.y[test][:, None], eta) / weights.sum()
        np.testing.assert_allclose(found.scores[:, k], score, rtol=rtol)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("shape", [(40, 7), (30, 50)])
@pytest.mark.parametrize("intercept", [True, False])
def test_scores_of_the_squared_loss_are_those_of_explicit_fits(monkeypatch, way, standardize, shape, intercept):
    options = dict(free=(3,), weighted=True, offset=True, intercept=intercept, standardize=standardize)
    X, state = kind(shape, Squared(), **options)
    take(monkeypatch, way)
    compare(state, X, shape[0], standardize, 1e-14 if way == "products" else 1e-10, 1e-5 if way == "products" else 1e-8)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("shape", [(60, 7), (40, 50)])
def test_scores_of_the_logistic_loss_are_those_of_explicit_fits(monkeypatch, way, standardize, shape):
    options = dict(free=(3,), weighted=False, offset=True, intercept=True, standardize=standardize)
    X, state = kind(shape, Logistic(), **options)
    take(monkeypatch, way)
    compare(state, X, shape[0], standardize, 1e-11, 1e-5)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", [(40, 7), (30, 50)])
def test_sparse_folds_are_dense_folds(monkeypatch, way, shape):
    options = dict(free=(), weighted=True, offset=False, intercept=True, standardize=True)
    X, state = kind(shape, Squared(), stored=sparse.csc_array, **options)
    take(monkeypatch, way)
    compare(state, X, shape[0], True, 1e-14 if way == "products" else 1e-10, 1e-5 if way == "products" else 1e-8)


@pytest.mark.parametrize("free", [(), (0,)])
@pytest.mark.parametrize("shape", [(40, 5), (20, 30)])
@pytest.mark.parametrize("standardize", [False, True])
def test_a_column_that_is_constant_in_a_fold_gets_no_weight_there(free, shape, standardize):
    X, state = kind(shape, Squared(), free=free, weighted=False, offset=False, intercept=True, standardize=standardize)
    X[:, 0] = 3.0
    X[splits(shape[0])[1][1], 0] = np.linspace(-1e3, 1e3, splits(shape[0])[1][1].size)
    compare(state, X, shape[0], standardize, 1e-10, 1e-7)


def test_strength_zero_in_folds_is_least_squares():
    X, state = kind((40, 5), Squared(), free=(), weighted=False, offset=False, intercept=True, standardize=True)
    problem, folds = state(np.arange(40)), splits(40)
    found = ridge_folds(problem, np.array([1.0, 0.0]), folds, True, 1e-8)
    for k, (train, test) in enumerate(folds):
        design = np.column_stack([np.ones(40), X])
        coef = np.linalg.lstsq(design[train], problem.y[train], rcond=None)[0]
        np.testing.assert_allclose(found.scores[1, k], np.mean((problem.y[test] - design[test] @ coef) ** 2), rtol=1e-8)


def test_rows_named_twice_in_a_fold_count_once():
    _, state = kind((40, 5), Squared(), free=(), weighted=True, offset=False, intercept=True, standardize=False)
    problem, (train, test) = state(np.arange(40)), splits(40)[0]
    once = ridge_folds(problem, ALPHAS, [(train, test)], False, 1e-8)
    twice = ridge_folds(problem, ALPHAS, [(np.concatenate([train, train[:7]]), test)], False, 1e-8)
    np.testing.assert_allclose(twice.scores, once.scores, rtol=1e-12)


def test_a_fold_without_weight_weighs_its_rows_alike():
    _, state = kind((40, 5), Squared(), free=(), weighted=False, offset=False, intercept=True, standardize=False)
    problem, (train, test) = state(np.arange(40)), splits(40)[0]
    weights = np.ones(40)
    weights[train] = 0.0
    weighted = Problem(problem.design, problem.y, Squared(), problem.penalty, weights)
    found = ridge_folds(weighted, ALPHAS, [(train, test)], False, 1e-8)
    expected = ridge_folds(problem, ALPHAS, [(train, test)], False, 1e-8)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-10)
