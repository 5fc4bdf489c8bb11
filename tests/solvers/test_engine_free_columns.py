"""Unpenalized columns that are nearly dependent, separate classes, or explain y: engine and `Problem` must agree."""

import numpy as np
import pytest
from scipy import sparse

from shrinkage import cross_validate, path
from shrinkage._errors import DataError
from shrinkage.design import as_design
from shrinkage.losses import Logistic, Squared
from shrinkage.penalties import L1L2
from shrinkage.problem import Problem

L1_RATIOS = [1.0, 0.5, 0.0]


def largest_gap(X, y, fitted, loss, **options):
    """By the engine, and by `Problem`."""
    penalty = L1L2(1.0, fitted.l1_ratio, options.pop("penalty_factor"))
    problem = Problem(as_design(X), y, loss, penalty, **options)
    judged = problem.relative(problem.gaps(fitted.coefs, fitted.intercepts, fitted.alphas))
    return max(float(fitted.relative_gaps.max()), float(judged.max()))


def cubic_trend_of_years(n_noise=5):
    rng = np.random.default_rng(0)
    year = rng.uniform(2000, 2020, 200)
    u = (year - 2010) / 10
    y = u**3 - 0.6 * u + 0.05 * rng.normal(size=200)
    X = np.column_stack([year, year**2, year**3, rng.normal(size=(200, n_noise))])
    return X, y, np.r_[0.0, 0.0, 0.0, np.ones(n_noise)]


@pytest.mark.parametrize("l1_ratio", L1_RATIOS)
@pytest.mark.parametrize("kind", ["few", "many", "sparse"])
def test_raw_powers_of_a_year_can_be_free(l1_ratio, kind):
    X, y, factors = cubic_trend_of_years(300 if kind == "many" else 5)
    values = sparse.csc_array(X) if kind == "sparse" else X
    fitted = path(values, y, penalty_factor=factors, n_alphas=5, l1_ratio=l1_ratio)
    assert largest_gap(X, y, fitted, Squared(), penalty_factor=factors) <= 1e-5
    if l1_ratio > 0:
        residual = y - X @ fitted.coefs[:, [0]].toarray()[:, 0] - fitted.intercepts[0]
        assert residual.var() < 0.1 * y.var()  # the trend alone explains it


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_raw_powers_of_a_year_can_be_free_in_a_logistic_fit(l1_ratio):
    X, y, factors = cubic_trend_of_years()
    classes = (y > np.median(y)).astype(float)
    fitted = path(X, classes, loss="logistic", penalty_factor=factors, n_alphas=5, l1_ratio=l1_ratio)
    assert largest_gap(X, classes, fitted, Logistic(), penalty_factor=factors) <= 1e-6


def test_folds_with_nearly_dependent_free_columns_score_like_explicit_fits():
    X, y, factors = cubic_trend_of_years()
    rows = np.arange(200) % 4
    folds = [(np.flatnonzero(rows != k), np.flatnonzero(rows == k)) for k in range(4)]
    cv = cross_validate(X, y, cv=folds, penalty_factor=factors, n_alphas=4)
    for k, (train, test) in enumerate(folds):
        fitted = path(X[train], y[train], penalty_factor=factors, alphas=cv.alphas)
        errors = y[test][:, None] - X[test] @ fitted.coefs.toarray() - fitted.intercepts
        np.testing.assert_allclose(cv.scores[:, k], (errors**2).mean(axis=0), rtol=1e-4)


@pytest.mark.parametrize("distance", [1e-5, 1e-6, 1e-8])
def test_two_close_free_columns_keep_their_difference(distance):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(100, 6))
    X[:, 1] = X[:, 0] + distance * rng.normal(size=100)
    y = 3 * X[:, 0] + (X[:, 1] - X[:, 0]) / distance + rng.normal(size=100)
    factors = np.r_[0.0, 0.0, np.ones(4)]
    fitted = path(X, y, penalty_factor=factors, n_alphas=6)
    assert largest_gap(X, y, fitted, Squared(), penalty_factor=factors) <= 1e-6


@pytest.mark.parametrize("l1_ratio", L1_RATIOS)
def test_a_free_dummy_of_one_class_alone_is_certified(l1_ratio):
    rng = np.random.default_rng(0)
    dummies = (rng.random((120, 3)) < 0.2).astype(float)
    X = np.column_stack([dummies, rng.normal(size=(120, 3))])
    y = (X[:, 3] + rng.normal(size=120) > 0).astype(float)
    y[dummies[:, 0] == 1] = 1
    factors = np.r_[0.0, np.ones(5)]
    fitted = path(X, y, loss="logistic", l1_ratio=l1_ratio, penalty_factor=factors, n_alphas=30)
    assert largest_gap(X, y, fitted, Logistic(), penalty_factor=factors) <= 1e-6


@pytest.mark.parametrize("offset", [30.0, 1000.0])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_a_constant_offset_goes_into_the_intercept(offset, l1_ratio):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 5))
    y = (X[:, 0] + rng.normal(size=200) > 0).astype(float)
    plain = path(X, y, loss="logistic", n_alphas=10, l1_ratio=l1_ratio, tol=1e-9)
    moved = path(X, y, loss="logistic", n_alphas=10, l1_ratio=l1_ratio, tol=1e-9, offset=np.full(200, offset))
    np.testing.assert_allclose(moved.intercepts, plain.intercepts - offset, atol=1e-4)
    np.testing.assert_allclose(moved.coefs.toarray(), plain.coefs.toarray(), atol=1e-4)


def test_free_columns_that_explain_y_leave_one_exact_strength():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2, 1)) @ np.ones((1, 30)) + 1e-6 * rng.normal(size=(2, 30))
    y, factors = rng.normal(size=2), rng.choice([0.0, 1.0, 1.0, 2.0], 30)
    fitted = path(X, y, fit_intercept=False, penalty_factor=factors, n_alphas=5)
    assert fitted.alphas.tolist() == [0.0]
    assert not fitted.coefs.toarray()[factors > 0].any()
    np.testing.assert_allclose(X @ fitted.coefs.toarray()[:, 0], y, atol=1e-8)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("l1_ratio", L1_RATIOS)
def test_a_nan_in_a_free_column_is_named(loss, l1_ratio):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = (X[:, 1] > 0).astype(int)
    X[3, 0] = np.nan
    with pytest.raises(DataError, match="row 3, column 0"):
        path(X, y, loss=loss, l1_ratio=l1_ratio, penalty_factor=[0, 1, 1, 1])


@pytest.mark.parametrize("mean", [1e5, 1e7])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_a_sparse_matrix_may_hold_a_full_column_far_from_zero(mean, loss, l1_ratio):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(60, 150)) * (rng.random((60, 150)) < 0.1)
    X[:, 3] = rng.normal(size=60)
    y = X[:, 0] + X[:, 3] + 0.1 * rng.normal(size=60)
    y = (y > 0).astype(float) if loss == "logistic" else y
    near = path(sparse.csc_array(X), y, loss=loss, l1_ratio=l1_ratio, n_alphas=20, tol=1e-9)
    X[:, 3] += mean
    far = path(sparse.csc_array(X), y, loss=loss, l1_ratio=l1_ratio, alphas=near.alphas, tol=1e-9)
    np.testing.assert_allclose(far.coefs.toarray(), near.coefs.toarray(), atol=1e-5)
    expected = near.intercepts - mean * far.coefs[[3], :].toarray()[0]
    np.testing.assert_allclose(far.intercepts, expected, rtol=1e-6, atol=1e-4)
