"""What must not change a fit, and what must change it in a known way; on all plain estimators, and their twins."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from shrinkage.estimators import (
    ElasticNet,
    ElasticNetCV,
    Lasso,
    LassoCV,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    RidgeCV,
)

TOL = {"tol": 1e-11}
MODELS = [
    Ridge(0.2, **TOL),
    Lasso(0.1, **TOL),
    ElasticNet(0.2, **TOL),
    LogisticRegression(0.05, **TOL),
    LogisticRegression(0.02, l1_ratio=1.0, **TOL),
]
TWINS = [
    (RidgeCV, Ridge),
    (LassoCV, Lasso),
    (ElasticNetCV, ElasticNet),
    (LogisticRegressionCV, LogisticRegression),
]


@pytest.fixture(name="data")
def make_data():
    rng = np.random.default_rng(11)
    X = rng.normal(size=(40, 6)) * [1.0, 3.0, 0.5, 1.0, 1.0, 2.0]
    return X, X[:, 0] - X[:, 1] + rng.normal(size=40)


def target(model, y):
    return (y > 0.2).astype(int) if hasattr(model, "class_weight") else y


def each(models):
    return pytest.mark.parametrize("model", models, ids=lambda model: repr(model).split("(")[0])


@each(MODELS)
def test_weight_two_is_the_row_twice(model, data):
    X, y = data
    weights = np.arange(len(y)) % 3
    y = target(model, y)
    weighted = model.fit(X, y, sample_weight=weights).coef_
    assert_allclose(model.fit(X.repeat(weights, axis=0), y.repeat(weights)).coef_, weighted, atol=1e-7)


@each(MODELS)
def test_the_scale_of_the_weights_does_not_matter(model, data):
    X, y = data
    y = target(model, y)
    weights = np.random.default_rng(1).uniform(0.5, 2.0, size=len(y))
    once = model.fit(X, y, sample_weight=weights).coef_
    assert_allclose(model.fit(X, y, sample_weight=1e3 * weights).coef_, once, atol=1e-7)


@each(MODELS)
def test_column_order_does_not_matter(model, data):
    X, y = data
    y = target(model, y)
    order = np.random.default_rng(2).permutation(X.shape[1])
    straight = model.fit(X, y).coef_.reshape(-1)
    assert_allclose(model.fit(X[:, order], y).coef_.reshape(-1), straight[order], atol=1e-7)


@each(MODELS)
def test_a_column_and_its_copy_do_the_work_of_one(model, data):
    X, y = data
    y = target(model, y)
    l2 = 1.0 - getattr(model, "l1_ratio", {"Ridge": 0.0, "Lasso": 1.0}.get(type(model).__name__))
    # each copy carries half: the L1 part costs the same, the L2 part half, so it is doubled
    alpha, ratio = model.alpha * (1.0 - l2) + 2.0 * model.alpha * l2, (1.0 - l2) / (1.0 - l2 + 2.0 * l2)
    params = {"alpha": alpha} | ({"l1_ratio": ratio} if hasattr(model, "l1_ratio") else {})
    single = model.fit(X, y).coef_.reshape(-1)
    double = type(model)(**(model.get_params() | params)).fit(np.hstack([X, X]), y).coef_.reshape(-1)
    assert_allclose(double[:6] + double[6:], single, atol=1e-6)


@each(MODELS)
def test_an_unpenalized_intercept_absorbs_shifted_columns(model, data):
    X, y = data
    y = target(model, y)
    here = model.fit(X, y).coef_
    assert_allclose(model.fit(X + 7.0, y).coef_, here, atol=1e-6)


@each(MODELS)
def test_standardizing_is_dividing_the_columns_by_their_deviation(model, data):
    X, y = data
    y = target(model, y)
    weights = np.random.default_rng(3).uniform(0.5, 2.0, size=len(y))
    mean = np.average(X, axis=0, weights=weights)
    deviation = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weights))
    by_hand = model.fit(X / deviation, y, sample_weight=weights).coef_ / deviation
    standardized = type(model)(**(model.get_params() | {"standardize": True}))
    assert_allclose(standardized.fit(X, y, sample_weight=weights).coef_, by_hand, atol=1e-6)


@each(MODELS)
def test_without_intercept_standardizing_measures_from_the_mean_too(model, data):
    X, y = data
    X, y = X + 1.0, target(model, y)
    deviation = X.std(axis=0)
    plain = type(model)(**(model.get_params() | {"fit_intercept": False}))
    by_hand = plain.fit(X / deviation, y).coef_ / deviation
    assert_allclose(plain.set_params(standardize=True).fit(X, y).coef_, by_hand, atol=1e-6)
    assert np.all(plain.intercept_ == 0.0)


@each(MODELS)
def test_a_penalty_factor_is_a_rescaled_column(model, data):
    X, y = data
    y = target(model, y)
    l2 = isinstance(model, Ridge) or getattr(model, "l1_ratio", 1.0) == 0.0
    if isinstance(model, ElasticNet):
        model = type(model)(model.alpha, l1_ratio=1.0, **TOL)
    factors = np.array([1.0, 2.0, 0.5, 1.0, 3.0, 1.0])
    divisor = np.sqrt(factors) if l2 else factors
    with_factors = type(model)(**(model.get_params() | {"penalty_factor": factors})).fit(X, y).coef_
    assert_allclose(with_factors, model.fit(X / divisor, y).coef_ / divisor, atol=1e-6)


@each(MODELS)
def test_a_free_column_is_fitted_without_shrinking(model, data):
    X, y = data
    y = target(model, y)
    free = type(model)(**(model.get_params() | {"penalty_factor": [0, 1, 1, 1, 1, 1], "alpha": 1e4}))
    only = type(model)(**(model.get_params() | {"alpha": 0.0})).fit(X[:, :1], y)
    assert_allclose(free.fit(X, y).coef_.reshape(-1)[0], only.coef_.reshape(-1)[0], atol=1e-3)


@each(MODELS)
def test_an_offset_is_a_column_whose_coefficient_is_known(model, data):
    X, y = data
    y = target(model, y)
    offset = 0.5 * X[:, 3]
    fitted = model.fit(X, y, offset=offset)
    prediction = "decision_function" if hasattr(model, "decision_function") else "predict"
    with_it, without = getattr(fitted, prediction)(X, offset=offset), getattr(fitted, prediction)(X, offset=0 * offset)
    assert_allclose(with_it - without, offset, atol=1e-12)
    if not hasattr(model, "class_weight"):
        coef = fitted.coef_
        assert_allclose(model.fit(X, y - offset).coef_, coef, atol=1e-7)


@each(MODELS)
def test_the_gap_bounds_how_far_the_objective_is_from_its_minimum(model, data):
    X, y = data
    y = target(model, y)
    loose = type(model)(**(model.get_params() | {"tol": 1e-2})).fit(X, y)
    rough, rough_gap = objective(loose, X, y), loose.dual_gap_
    tight = model.fit(X, y)
    assert rough - objective(tight, X, y) <= rough_gap + 1e-12
    assert 0 <= tight.dual_gap_ + 1e-15 <= 1e-10


def objective(model, X, y):
    coef, eta = model.coef_.reshape(-1), X @ model.coef_.reshape(-1) + model.intercept_
    loss = np.logaddexp(0.0, eta) - y * eta if hasattr(model, "class_weight") else 0.5 * (y - eta) ** 2
    ratio = getattr(model, "l1_ratio", {"Ridge": 0.0, "Lasso": 1.0}.get(type(model).__name__))
    return loss.mean() + model.alpha * (ratio * np.abs(coef).sum() + 0.5 * (1.0 - ratio) * (coef**2).sum())


@pytest.mark.parametrize(("twin", "plain"), TWINS)
@pytest.mark.parametrize("rule", ["min", "1se"])
def test_a_cross_validated_fit_is_the_plain_fit_at_its_strength(twin, plain, rule, data):
    X, y = data
    y = target(twin(), y)
    chosen = twin(rule=rule, cv=4, n_alphas=15, standardize=True, tol=1e-10).fit(X, y)
    again = plain(chosen.alpha_, standardize=True, tol=1e-10).fit(X, y)
    assert_allclose(chosen.coef_, again.coef_, atol=1e-5)
    assert_allclose(chosen.intercept_, again.intercept_, atol=1e-5)
    assert chosen.coef_.shape == again.coef_.shape
    assert_allclose(chosen.predict(X), again.predict(X), atol=1e-4)


@pytest.mark.parametrize(("twin", "plain"), TWINS)
def test_cross_validation_counts_a_weighted_row_as_copies(twin, plain, data):
    X, y = data
    weights = 1 + np.arange(len(y)) % 2
    y = target(twin(), y)
    fold = np.arange(len(y)) % 4
    pairs = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(4)]
    copied = fold.repeat(weights)
    copied_pairs = [(np.flatnonzero(copied != k), np.flatnonzero(copied == k)) for k in range(4)]
    params = {"n_alphas": 12, "tol": 1e-11}
    weighted = twin(cv=pairs, **params).fit(X, y, sample_weight=weights)
    repeated = twin(cv=copied_pairs, **params).fit(X.repeat(weights, axis=0), y.repeat(weights))
    assert_allclose(weighted.alphas_, repeated.alphas_, rtol=1e-9)
    assert_allclose(weighted.cv_scores_, repeated.cv_scores_, rtol=1e-6)
    assert_allclose(weighted.cv_.mean, repeated.cv_.mean, rtol=1e-6)
    assert_allclose(weighted.coef_, repeated.coef_, atol=1e-6)
