"""Means and variances keep their digits where the textbook formula loses them."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from shrinkage.design import as_design

STORAGES = {"dense": np.asfortranarray, "row-major": np.ascontiguousarray, "sparse": sparse.csc_array}


@pytest.fixture(params=list(STORAGES))
def storage(request):
    return STORAGES[request.param]


def exact_moments(column, weights):
    """Mean and variance in rational arithmetic."""
    x, w = [Fraction(float(v)) for v in column], [Fraction(float(v)) for v in weights]
    mean = sum(a * b for a, b in zip(w, x, strict=True)) / sum(w)
    return mean, sum(a * (b - mean) ** 2 for a, b in zip(w, x, strict=True)) / sum(w)


@pytest.mark.parametrize("offset", [0.0, 1e4, 1e8, -1e10])
def test_an_offset_costs_no_digit_of_the_variance(storage, offset):
    rng = np.random.default_rng(0)
    X = offset + rng.normal(size=(300, 4))
    W = rng.uniform(0.1, 1, size=(300, 3))
    means, variances = as_design(storage(X)).column_moments(W)
    for j in range(4):
        for t in range(3):
            mean, variance = exact_moments(X[:, j], W[:, t])
            assert means[j, t] == pytest.approx(float(mean), rel=1e-15, abs=1e-15)
            assert variances[j, t] == pytest.approx(float(variance), rel=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e-3, 1 / 3, 1e12, 1e-300])
@pytest.mark.parametrize("n", [1, 2, 7, 1000, 30011])
def test_a_constant_column_has_no_variance_at_all(storage, value, n):
    X = np.full((n, 2), value)
    W = np.random.default_rng(1).uniform(0.1, 3, size=(n, 2))
    for weights in (None, W):
        means, variances = as_design(storage(X)).column_moments(weights)
        np.testing.assert_array_equal(variances, 0.0)
        np.testing.assert_allclose(means, value, rtol=1e-15 * np.sqrt(n))


def test_a_column_that_varies_a_little_has_a_variance(storage):
    X = np.ones((100, 1))
    X[7] += 1e-9
    _, variances = as_design(storage(X)).column_moments()
    _, variance = exact_moments(X[:, 0], np.ones(100))
    assert variances[0, 0] == pytest.approx(float(variance), rel=1e-9)


def test_rows_without_weight_do_not_count(storage):
    """A fold is a column of zeros and ones, so each fold's moments are those of its rows."""
    rng = np.random.default_rng(2)
    X = np.where(rng.random((90, 5)) < 0.5, rng.normal(size=(90, 5)), 0.0)
    X[rng.random(90) < 0.5, 4] = 3.0
    fold = rng.integers(0, 3, 90)
    W = (fold[:, None] != np.arange(3)).astype(float)
    X[fold != 1, 3] = 0.7  # constant on the training rows of fold 1, and absent elsewhere
    X[fold == 1, 3] = 0.0
    means, variances = as_design(storage(X)).column_moments(W)
    for t in range(3):
        rows = X[fold != t]
        np.testing.assert_allclose(means[:, t], rows.mean(axis=0), rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(variances[:, t], rows.var(axis=0), rtol=1e-12, atol=1e-30)
    assert variances[3, 1] == 0.0


@given(
    scale=st.floats(1e-3, 1e3),
    weights=st.lists(st.integers(0, 3), min_size=6, max_size=6).filter(any),
    seed=st.integers(0, 1000),
)
def test_a_weight_of_two_is_the_row_twice_and_the_scale_of_weights_is_nothing(scale, weights, seed):
    X = np.random.default_rng(seed).integers(-2, 3, size=(6, 3)).astype(float)
    w = np.array(weights)
    repeated = np.repeat(X, w, axis=0)
    for make in STORAGES.values():
        means, variances = as_design(make(X)).column_moments(scale * w[:, None])
        np.testing.assert_allclose(means[:, 0], repeated.mean(axis=0), rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(variances[:, 0], repeated.var(axis=0), rtol=1e-12, atol=1e-15)
