"""Folds of a patched `LassoCV` or `ElasticNetCV`, and the final fit that is read from what they left."""

import numpy as np
import pytest
import sklearn.linear_model as sk

import shrinkage
from shrinkage.patch._stand_ins import STAND_INS
from shrinkage.solvers import _waypoints
from shrinkage.solvers._engine import LEAST_SHARED

WIDE = (80, 1 + LEAST_SHARED // 80)
EXACT = {"tol": 1e-9, "max_iter": 1_000_000}


def simulated(n, p, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 3
    return X, X[:, :3] @ [2.0, -1.0, 0.5] + rng.standard_normal(n)


@pytest.mark.parametrize("shape", [(200, 30), (5000, 4), WIDE], ids=["small", "tall", "wide"])
def test_scores_are_those_of_cross_validate_and_the_model_that_of_a_fit(shape):
    X, y = simulated(*shape)
    model = STAND_INS["LassoCV"](cv=4, alphas=12).fit(X, y)
    ours = shrinkage.cross_validate(X, y, cv=4, alphas=model.alphas_, tol=1e-8)
    np.testing.assert_allclose(model.mse_path_, ours.scores, rtol=1e-5)
    fitted = sk.Lasso(alpha=model.alpha_, **EXACT).fit(X, y)
    np.testing.assert_allclose(model.coef_, fitted.coef_, atol=1e-5)
    assert model.intercept_ == pytest.approx(fitted.intercept_, abs=1e-4)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_strengths_of_tall_data_are_scikit_learns_to_the_last_bit(fit_intercept, weighted):
    X, y = simulated(5000, 4)
    weights = np.linspace(0.5, 2, len(y)) if weighted else None
    options = {"cv": 3, "alphas": 5, "fit_intercept": fit_intercept}
    theirs = sk.LassoCV(**options).fit(X, y, sample_weight=weights)
    ours = STAND_INS["LassoCV"](**options).fit(X, y, sample_weight=weights)
    assert ours.alphas_.tolist() == theirs.alphas_.tolist()


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("shape", [(200, 30), WIDE], ids=["small", "wide"])
def test_each_l1_ratio_has_its_folds_and_one_of_them_the_model(shape, positive):
    X, y = simulated(*shape)
    ratios, options = [0.3, 0.9, 0.9], {"cv": 3, "alphas": 6, "eps": 0.01, "positive": positive}
    both = STAND_INS["ElasticNetCV"](l1_ratio=ratios, **options).fit(X, y)
    for at, ratio in enumerate(ratios):
        alone = STAND_INS["ElasticNetCV"](l1_ratio=ratio, **options).fit(X, y)
        np.testing.assert_allclose(both.mse_path_[at], alone.mse_path_, rtol=1e-5)
        if ratio == both.l1_ratio_:
            np.testing.assert_allclose(both.coef_, alone.coef_, atol=1e-6)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("alphas", [[0.1], [1.0, 0.9, 0.2], [9.0, 0.1]], ids=["one", "three", "one of them empty"])
def test_strengths_on_the_way_change_nothing(alphas, l1_ratio, monkeypatch):
    monkeypatch.setattr(_waypoints, "FAR", 1.1)
    monkeypatch.setattr(_waypoints, "LEAST_ENTRIES", 1)
    X, y = simulated(80, 1251)
    options = {"alphas": alphas, "l1_ratio": l1_ratio}
    found, coefs, gaps, steps = STAND_INS["enet_path"](X, y, **options, return_n_iter=True)
    theirs = sk.enet_path(X, y, **options, **EXACT)
    assert found.tolist() == sorted(alphas, reverse=True)
    assert len(gaps) == len(steps) == len(alphas)
    np.testing.assert_allclose(coefs, theirs[1], atol=1e-5)
