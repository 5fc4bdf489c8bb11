"""`standardize=True` measures columns by their standard deviations, about the mean, with and without an intercept."""

import numpy as np
import pytest
from scipy import sparse

from shrinkage import Lasso, cross_validate, open_blocks, path

RNG = np.random.default_rng(5)
SIZES = {"few features": (60, 6), "wide": (30, 130), "tall": (1500, 8)}


def far_columns(n, p):
    """Columns of several spreads whose means are a few of them from 0, one of them constant."""
    X = (RNG.normal(size=(n, p)) + RNG.normal(size=p) * 2) * np.geomspace(0.3, 30, p)
    X[:, -1] = 2.0
    return X


def scaled(X, weights=None):
    """The columns over their standard deviations, and these; 1 for a constant one."""
    spread = np.sqrt(np.average((X - np.average(X, axis=0, weights=weights)) ** 2, axis=0, weights=weights))
    spread[-1] = 1.0
    return X / spread, spread


@pytest.mark.parametrize("kind", [np.asarray, sparse.csc_array, lambda X: open_blocks(X, rows=200)])
@pytest.mark.parametrize(
    "options", [{}, {"l1_ratio": 0.0}, {"loss": "logistic"}, {"loss": "logistic", "l1_ratio": 0.5}]
)
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_coefficients_are_those_of_scaled_columns_in_raw_units(kind, options, intercept, size):
    X = far_columns(*SIZES[size])
    y = X[:, 0] + RNG.normal(size=len(X))
    y = (y > np.median(y)).astype(float) if "loss" in options else y
    options = {**options, "fit_intercept": intercept, "tol": 1e-10, "n_alphas": 5, "alpha_min_ratio": 0.05}
    Z, spread = scaled(X)
    theirs = path(Z, y, **options)
    ours = path(kind(X), y, standardize=True, **{**options, "alphas": theirs.alphas})
    np.testing.assert_allclose(ours.coefs.toarray() * spread[:, None], theirs.coefs.toarray(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"l1_ratio": 0.0}, {"loss": "logistic"}])
@pytest.mark.parametrize("size", SIZES)
def test_each_fold_has_the_deviations_of_its_own_rows_without_an_intercept_too(options, size):
    X = far_columns(*SIZES[size])
    y = X[:, 0] + RNG.normal(size=len(X))
    y = (y > np.median(y)).astype(float) if "loss" in options else y
    train, test = np.arange(10, len(X)), np.arange(10)
    options = {**options, "fit_intercept": False, "tol": 1e-10}
    alphas = path(X, y, standardize=True, n_alphas=4, alpha_min_ratio=0.1, **options).alphas
    found = cross_validate(X, y, cv=[(train, test)], alphas=alphas, standardize=True, **options)
    Z, spread = scaled(X[train])
    fitted = path(Z, y[train], alphas=alphas, **options)
    eta = (X[test] / spread) @ fitted.coefs.toarray()
    target = y[test][:, None]
    losses = 2 * (np.logaddexp(0, eta) - target * eta) if "loss" in options else (target - eta) ** 2
    np.testing.assert_allclose(found.scores[:, 0], losses.mean(axis=0), rtol=1e-4)


def test_a_weight_of_2_is_the_row_twice_without_an_intercept():
    X = far_columns(40, 5)
    y, weights = RNG.normal(size=40) + X[:, 0], RNG.integers(1, 4, 40)
    rows = np.repeat(np.arange(40), weights)
    options = {"alpha": 0.1, "standardize": True, "fit_intercept": False, "tol": 1e-12}
    weighted, repeated = Lasso(**options).fit(X, y, sample_weight=weights), Lasso(**options).fit(X[rows], y[rows])
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-8)
    Z, spread = scaled(X, weights)
    plain = Lasso(alpha=0.1, fit_intercept=False, tol=1e-12).fit(Z, y, sample_weight=weights)
    np.testing.assert_allclose(weighted.coef_ * spread, plain.coef_, rtol=1e-8)
