"""Wide data, where the working set is a small part of X: what the look-ahead misses, the certificate must find."""

import numpy as np
import pytest

from shrinkage import cross_validate, path
from shrinkage.design import as_design
from shrinkage.losses import Logistic, Squared
from shrinkage.penalties import L1L2
from shrinkage.problem import Problem


def equicorrelated(seed, n=80, p=2000, correlation=0.5):
    """Columns that share a factor, so that correlations bend between strengths and the look-ahead is often wrong."""
    rng = np.random.default_rng(seed)
    X = np.sqrt(correlation) * rng.normal(size=(n, 1)) + np.sqrt(1 - correlation) * rng.normal(size=(n, p))
    return X, X[:, :15] @ rng.normal(size=15) + rng.normal(size=n)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.7])
@pytest.mark.parametrize("loss", [Squared(), Logistic()], ids=lambda loss: loss.name)
def test_features_that_the_look_ahead_missed_are_found(loss, l1_ratio):
    for seed in range(4):
        X, y = equicorrelated(seed)
        y = (y > np.median(y)).astype(float) if loss.name == "logistic" else y
        fitted = path(X, y, loss=loss.name, l1_ratio=l1_ratio, n_alphas=12, alpha_min_ratio=0.02)
        problem = Problem(as_design(X), y, loss, L1L2(1.0, l1_ratio))
        gaps = problem.gaps(fitted.coefs, fitted.intercepts, fitted.alphas)
        assert problem.relative(gaps).max() <= 1e-6
        kkts = problem.kkts(fitted.coefs, fitted.intercepts, fitted.alphas)
        assert (kkts <= 1e-5 * fitted.alphas).all()
        assert fitted.coefs.nnz


def test_features_that_only_a_fold_needs_are_found():
    X, y = equicorrelated(9)
    rows = np.arange(len(y)) % 4
    folds = [(np.flatnonzero(rows != k), np.flatnonzero(rows == k)) for k in range(4)]
    cv = cross_validate(X, y, cv=folds, n_alphas=12, alpha_min_ratio=0.02, tol=1e-9)
    assert cv.fold_gaps.max() <= 1e-9
    for k, (train, test) in enumerate(folds):
        fitted = path(X[train], y[train], alphas=cv.alphas, tol=1e-9)
        errors = y[test][:, None] - X[test] @ fitted.coefs.toarray() - fitted.intercepts
        np.testing.assert_allclose(cv.scores[:, k], (errors**2).mean(axis=0), rtol=1e-3)
