"""The estimators against scikit-learn's, each strength converted, at tight tolerances."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn import linear_model

from shrinkage.estimators import ElasticNet, Lasso, LassoCV, LogisticRegression, Ridge

TIGHT = {"tol": 1e-14, "max_iter": 1_000_000}


@pytest.fixture(name="data")
def make_data():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(60, 12)) @ (np.eye(12) + 0.3) + rng.normal(size=12)
    y = X[:, :4] @ [2.0, -1.0, 0.5, 1.0] + 3.0 + rng.normal(size=60)
    return X, y, rng.uniform(0.2, 3.0, size=60)


def labels(y):
    return (y > np.median(y)).astype(int)


def container(X, kind):
    return {
        "C order": np.ascontiguousarray(X),
        "Fortran order": np.asfortranarray(X),
        "read-only": _read_only(X),
        "csc": sparse.csc_array(X),
        "csr": sparse.csr_array(X),
        "csc matrix": sparse.csc_matrix(X),
    }[kind]


def _read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


@pytest.mark.parametrize("kind", ["C order", "Fortran order", "read-only", "csc", "csr", "csc matrix"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_lasso_means_the_same_strength(data, kind, fit_intercept, weighted):
    X, y, weights = data
    weights = weights if weighted else None
    theirs = linear_model.Lasso(0.3, fit_intercept=fit_intercept, **TIGHT).fit(X, y, sample_weight=weights)
    ours = Lasso(0.3, fit_intercept=fit_intercept, tol=1e-12).fit(container(X, kind), y, sample_weight=weights)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6)
    assert_allclose(ours.predict(container(X, kind)), theirs.predict(X), atol=1e-5)


@pytest.mark.parametrize("l1_ratio", [0.05, 0.5, 0.95])
def test_elastic_net_means_the_same_strength_and_mixing(data, l1_ratio):
    X, y, weights = data
    theirs = linear_model.ElasticNet(0.3, l1_ratio=l1_ratio, **TIGHT).fit(X, y, sample_weight=weights)
    ours = ElasticNet(0.3, l1_ratio=l1_ratio, tol=1e-12).fit(X, y, sample_weight=weights)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("wide", [True, False])
def test_ridges_strength_is_scikit_learns_divided_by_the_rows(data, fit_intercept, wide):
    X, y, weights = data
    X, y, weights = (X[:8], y[:8], weights[:8]) if wide else (X, y, weights)
    theirs = linear_model.Ridge(2.0, fit_intercept=fit_intercept)
    ours = Ridge(2.0 / len(y), fit_intercept=fit_intercept, tol=1e-12).fit(X, y)
    assert_allclose(ours.coef_, theirs.fit(X, y).coef_, atol=1e-8)
    ours = Ridge(2.0 / weights.sum(), fit_intercept=fit_intercept, tol=1e-12).fit(X, y, sample_weight=weights)
    assert_allclose(ours.coef_, theirs.fit(X, y, sample_weight=weights).coef_, atol=1e-8)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-8)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0}])
def test_logistic_strength_is_one_over_c_times_the_weight(data, l1_ratio, class_weight):
    X, y, _ = data
    y, X = (y > np.quantile(y, 0.7)).astype(int), X / 3.0
    factor = {None: {0: 1.0, 1: 1.0}, "balanced": {k: len(y) / (2 * (y == k).sum()) for k in (0, 1)}}
    total = sum(({0: 3.0, 1: 1.0} if isinstance(class_weight, dict) else factor[class_weight])[k] for k in y)
    theirs = linear_model.LogisticRegression(
        C=1 / (0.02 * total), l1_ratio=l1_ratio, solver="saga", class_weight=class_weight, tol=1e-10, max_iter=100_000
    ).fit(X, y)
    ours = LogisticRegression(0.02, l1_ratio=l1_ratio, class_weight=class_weight, tol=1e-12).fit(X, y)
    assert ours.coef_.shape == theirs.coef_.shape
    assert ours.intercept_.shape == theirs.intercept_.shape
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-5)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
    assert_allclose(ours.predict_log_proba(X), theirs.predict_log_proba(X), atol=1e-4)
    assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-4)


def test_strength_zero_is_the_unpenalized_fit(data):
    X, y, weights = data
    exact = linear_model.LinearRegression().fit(X, y, sample_weight=weights)
    for model in (Ridge(0.0), Lasso(0.0), ElasticNet(0.0)):
        assert_allclose(model.fit(X, y, sample_weight=weights).coef_, exact.coef_, atol=1e-6)


def test_lasso_cv_draws_scikit_learns_curve(data):
    X, y, _ = data
    theirs = linear_model.LassoCV(alphas=30, eps=1e-2, cv=5, tol=1e-10, max_iter=1_000_000).fit(X, y)
    ours = LassoCV(n_alphas=30, alpha_min_ratio=1e-2, cv=5, tol=1e-10).fit(X, y)
    assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-10)
    assert_allclose(ours.cv_scores_, theirs.mse_path_, rtol=1e-5)
    assert_allclose(ours.alpha_, theirs.alpha_, rtol=1e-10)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)


def test_float32_is_fitted_as_its_float64_values(data):
    X, y, _ = data
    X = X.astype(np.float32)
    for model in (Ridge(0.1), Lasso(0.1), ElasticNet(0.1)):
        single = model.fit(X, y).coef_
        assert single.dtype == np.float64
        assert_allclose(single, model.fit(X.astype(np.float64), y).coef_, atol=1e-5)
    classifier = LogisticRegression(0.1)
    single = classifier.fit(X, labels(y)).coef_
    assert_allclose(single, classifier.fit(X.astype(np.float64), labels(y)).coef_, atol=1e-5)
