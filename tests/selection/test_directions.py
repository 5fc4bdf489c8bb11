"""Directions of the debiased lasso: the bias factor as its definition says, and columns that others explain."""

import numpy as np
import pytest
from sklearn.linear_model import Lasso

from shrinkage import path
from shrinkage.selection import debiased_lasso


@pytest.mark.parametrize("weighed", [False, True])
def test_the_bias_factor_of_a_logistic_fit_is_computed_in_its_own_weights(weighed):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((150, 25))
    X[:, 1:] += 0.8 * X[:, :-1]
    y = (rng.random(150) < 1 / (1 + np.exp(-2 * X[:, 0] + 2 * X[:, 5]))).astype(float)
    weights = rng.integers(0, 3, 150) if weighed else np.ones(150)
    found = debiased_lasso(X, y, features=[0, 7], loss="logistic", alpha=0.02, sample_weight=weights)
    fit = path(X, y, loss="logistic", alphas=[0.02], standardize=True, sample_weight=weights, tol=1e-10)
    mean = 1 / (1 + np.exp(-(X @ fit.coefs.toarray()[:, 0] + fit.intercepts[0])))
    omega = weights * mean * (1 - mean)
    Z = X - np.average(X, axis=0, weights=omega)
    Z /= np.sqrt(np.average(Z**2, axis=0, weights=omega))
    rows = np.sqrt(omega * len(y) / omega.sum())[:, None]
    for k, j in enumerate([0, 7]):
        others = np.delete(Z, j, axis=1)
        nodewise = Lasso(alpha=found.nodewise_alphas[k], fit_intercept=False, tol=1e-12, max_iter=10**6)
        z = Z[:, j] - others @ nodewise.fit(rows * others, rows[:, 0] * Z[:, j]).coef_
        factor = np.abs((omega * z) @ others).max() / np.sqrt(omega @ z**2)
        assert found.bias_factors[k] == pytest.approx(factor, rel=1e-4)
        assert factor <= np.sqrt(2 * np.log(25))


@pytest.mark.parametrize("n", [100, 30])
def test_without_a_nodewise_penalty_a_column_that_others_explain_is_not_identified(n):
    rng = np.random.default_rng(2)
    X = rng.standard_normal((n, 8))
    X[:, 4] = X[:, 5] + X[:, 6]
    y = X[:, 0] + X[:, 5] + rng.standard_normal(n)
    found = debiased_lasso(X, y, nodewise_alpha=0)
    np.testing.assert_array_equal(np.flatnonzero(~found.identified), [4, 5, 6])
    assert np.isinf(found.se[4:7]).all()
    A = np.column_stack([np.delete(X, 4, axis=1), np.ones(n)])  # the others do not care which of the three is left out
    exact = np.linalg.lstsq(A, y, rcond=None)[0]
    np.testing.assert_allclose(found.coef[[0, 1, 2, 3, 7]], exact[[0, 1, 2, 3, 6]], rtol=1e-5)


def test_without_a_nodewise_penalty_a_column_that_others_nearly_explain_is_least_squares():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((100, 6))
    X[:, 4] = X[:, 0] + X[:, 1] + 1e-2 * rng.standard_normal(100)
    y = X[:, 0] + rng.standard_normal(100)
    found = debiased_lasso(X, y, nodewise_alpha=0, alpha=1e-9, tol=1e-12)
    exact = np.linalg.lstsq(np.column_stack([X, np.ones(100)]), y, rcond=None)[0]
    assert found.identified.all()
    np.testing.assert_allclose(found.coef, exact[:6], rtol=1e-3)
