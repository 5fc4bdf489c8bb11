"""Inputs that break coordinate descent or a Gram matrix: the certificate holds, or the status says that it does not."""

import numpy as np
import pytest
from scipy import sparse

from shrinkage import path
from shrinkage.design import as_design
from shrinkage.losses import Logistic, Squared
from shrinkage.penalties import L1L2
from shrinkage.problem import Problem

RNG_SEEDS = range(6)


def data(rng, n=50, p=60):
    X = rng.standard_normal((n, p))
    return X, X[:, : min(5, p)].sum(axis=1) + rng.standard_normal(n)


def duplicates(rng):
    X, y = data(rng)
    return np.hstack([X, X, -X]), y


def near_duplicates(rng):
    X, y = data(rng)
    return np.hstack([X, X + 1e-9 * rng.standard_normal(X.shape)]), y


def closer_duplicates(rng):
    X, y = data(rng)
    return np.hstack([X, X + 1e-6 * rng.standard_normal(X.shape)]), y


def constant_and_zero_columns(rng):
    X, y = data(rng)
    X[:, ::3], X[:, 1] = 1.5, 0.0
    return X, y


def orthogonal_ties(rng):
    Q = np.linalg.qr(np.hstack([np.ones((64, 1)), rng.standard_normal((64, 40))]))[0][:, 1:]
    return Q * 8, Q @ np.sign(rng.standard_normal(40))


def binary(rng):
    return (rng.random((60, 150)) < 0.3).astype(float), rng.integers(0, 3, 60).astype(float)


def low_rank(rng):
    X = rng.standard_normal((80, 6)) @ rng.standard_normal((6, 200))
    return X, X[:, 0] + rng.standard_normal(80)


def wide(rng):
    return data(rng, 30, 400)


def tiny(rng):
    return data(rng, int(rng.integers(3, 12)), int(rng.integers(1, 30)))


def explained_exactly(rng):
    X, _ = data(rng, 60, 200)
    return X, X[:, :5] @ np.ones(5)


def scaled(rng):
    X, y = data(rng, 60, 100)
    return X * 10.0 ** rng.integers(-6, 6, 100), y


def far_from_zero(rng):
    X, y = data(rng, 60, 100)
    return X + 1e6, y


def one_hot(rng):
    first, second = rng.integers(0, 8, 100), rng.integers(0, 12, 100)
    return np.hstack([np.eye(8)[first], np.eye(12)[second]]), rng.standard_normal(100) + first


def one_column(rng):
    return data(rng, 40, 1)


def response_is_a_column(rng):
    X, _ = data(rng, 40, 90)
    return X, X[:, 3].copy()


SHAPES = [
    duplicates,
    near_duplicates,
    closer_duplicates,
    constant_and_zero_columns,
    orthogonal_ties,
    binary,
    low_rank,
    wide,
    tiny,
    explained_exactly,
    scaled,
    far_from_zero,
    one_hot,
    one_column,
    response_is_a_column,
]


def relative_gaps(X, y, fitted, loss, **options):
    problem = Problem(as_design(X), y, loss, L1L2(1.0, fitted.l1_ratio), **options)
    return problem.relative(problem.gaps(fitted.coefs, fitted.intercepts, fitted.alphas))


@pytest.mark.parametrize("make", SHAPES, ids=lambda make: make.__name__)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_squared_paths_hold_on_degenerate_data(make, l1_ratio):
    for seed in RNG_SEEDS:
        X, y = make(np.random.default_rng(seed))
        fitted = path(X, y, l1_ratio=l1_ratio, n_alphas=40)
        assert relative_gaps(X, y, fitted, Squared()).max() <= 1e-6, seed


@pytest.mark.parametrize("make", SHAPES, ids=lambda make: make.__name__)
def test_logistic_paths_hold_on_degenerate_data(make):
    for seed in RNG_SEEDS[:3]:
        X, y = make(np.random.default_rng(seed))
        classes = (y > np.median(y)).astype(float)
        if classes.min() == classes.max():
            continue
        fitted = path(X, classes, loss="logistic", n_alphas=30)
        assert relative_gaps(X, classes, fitted, Logistic()).max() <= 1e-6, seed


def test_three_positives_of_two_hundred_are_fitted():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((200, 50)), np.zeros(200)
    y[:3] = 1
    fitted = path(X, y, loss="logistic", alpha_min_ratio=1e-4)
    assert relative_gaps(X, y, fitted, Logistic()).max() <= 1e-6


def test_a_far_strength_is_reached_from_nothing():
    rng = np.random.default_rng(1)
    X, y = data(rng, 200, 500)
    top = path(X, y, n_alphas=1).alphas[0]
    fitted = path(X, y, alphas=[top * 1e-4])
    assert relative_gaps(X, y, fitted, Squared()).max() <= 1e-6
    classes = (y > 0).astype(float)
    top = path(X, classes, loss="logistic", n_alphas=1).alphas[0]
    fitted = path(X, classes, loss="logistic", alphas=[top * 1e-4])
    assert relative_gaps(X, classes, fitted, Logistic()).max() <= 1e-6


def test_a_saturated_path_reaches_the_rank_and_stays_certified():
    rng = np.random.default_rng(2)
    X, y = data(rng, 60, 500)
    fitted = path(X, y, alpha_min_ratio=1e-6, n_alphas=60)
    assert fitted.n_nonzero.max() == 59
    assert relative_gaps(X, y, fitted, Squared()).max() <= 1e-6


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
def test_a_constant_response_gives_one_exact_strength_without_coefficients(l1_ratio):
    X = np.random.default_rng(3).standard_normal((20, 30))
    fitted = path(X, np.full(20, 3.7), l1_ratio=l1_ratio)
    assert fitted.coefs.nnz == 0 or np.abs(fitted.coefs.toarray()).max() < 1e-12
    np.testing.assert_allclose(fitted.intercepts, 3.7)
    if l1_ratio > 0:
        assert len(fitted.alphas) == 1


def test_one_row_is_fitted_by_its_intercept():
    fitted = path(np.array([[1.0, 2.0]]), np.array([5.0]), alphas=[1.0, 0.1])
    assert fitted.coefs.nnz == 0
    np.testing.assert_allclose(fitted.intercepts, 5.0)


def test_rows_of_weight_zero_are_as_if_absent():
    rng = np.random.default_rng(4)
    X, y = data(rng, 60, 80)
    weights = np.ones(60)
    weights[40:] = 0
    with_zeros = path(X, y, sample_weight=weights, n_alphas=20)
    without = path(X[:40], y[:40], n_alphas=20)
    np.testing.assert_allclose(with_zeros.alphas, without.alphas, rtol=1e-10)
    np.testing.assert_allclose(with_zeros.coefs.toarray(), without.coefs.toarray(), atol=1e-8)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_strength_zero_is_the_fit_without_a_penalty(loss):
    rng = np.random.default_rng(5)
    X, y = data(rng, 80, 5)
    y = (y + 2 * rng.standard_normal(80) > 0).astype(float) if loss == "logistic" else y
    fitted = path(X, y, loss=loss, alphas=[0.1, 0.0], tol=1e-10)
    problem = Problem(as_design(X), y, Logistic() if loss == "logistic" else Squared(), L1L2(1.0, 1.0))
    coef_gradient, intercept_gradient = problem.gradient(fitted.coefs[:, [1]].toarray()[:, 0], fitted.intercepts[1])
    assert np.abs(coef_gradient).max() < 1e-6
    assert abs(intercept_gradient) < 1e-6


def test_sparse_and_dense_paths_agree():
    rng = np.random.default_rng(6)
    X = rng.standard_normal((80, 300)) * (rng.random((80, 300)) < 0.1)
    y = X[:, :5].sum(axis=1) + 0.5 * rng.standard_normal(80)
    for loss, response in (("squared", y), ("logistic", (y > 0).astype(float))):
        dense = path(X, response, loss=loss, n_alphas=20, tol=1e-10)
        compressed = path(sparse.csr_matrix(X), response, loss=loss, n_alphas=20, tol=1e-10)
        np.testing.assert_allclose(compressed.coefs.toarray(), dense.coefs.toarray(), atol=1e-5)


def test_the_data_are_left_as_they_are():
    rng = np.random.default_rng(8)
    X, y = data(rng, 40, 120)
    for values in (X, np.asfortranarray(X), X.astype(np.float32), sparse.csc_array(X)):
        before = values.copy()
        if not sparse.issparse(values):
            values.flags.writeable = False
        path(values, y, n_alphas=10, standardize=True)
        assert (values != before).nnz == 0 if sparse.issparse(values) else np.array_equal(values, before)
