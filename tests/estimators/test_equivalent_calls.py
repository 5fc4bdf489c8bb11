"""`equivalent_calls`: a fitted model in other packages' words, with the facts of its own fit."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

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

FEW = {"n_alphas": 6, "cv": 3}
ALL = [
    Ridge(0.1),
    Lasso(0.1),
    ElasticNet(0.1, l1_ratio=0.3),
    LogisticRegression(0.05, l1_ratio=0.5),
    RidgeCV(**FEW),
    LassoCV(**FEW, rule="1se"),
    ElasticNetCV(**FEW, l1_ratio=[0.2, 0.9]),
    LogisticRegressionCV(**FEW),
]
every = pytest.mark.parametrize("model", ALL, ids=lambda model: type(model).__name__)


def rows(model, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(45, 4))
    y = X[:, 0] - 0.5 * X[:, 1] + rng.normal(size=45)
    is_classifier = "Logistic" in type(model).__name__
    return X, (y > 0).astype(int) if is_classifier else y, rng.uniform(0.5, 2.0, 45)


def pasted(found, X, y, **names):
    """The model that the code to paste fits."""
    names |= {"X": X, "y": y}
    exec(found.code, names)
    return names["model"]


@every
@pytest.mark.parametrize("weighted", [False, True])
def test_scikit_learns_call_finds_the_coefficients_of_the_fit(model, weighted):
    X, y, weights = rows(model)
    weights = weights if weighted else None
    model = clone(model).set_params(tol=1e-12).fit(X, y, sample_weight=weights)
    theirs = pasted(model.equivalent_calls()["sklearn"], X, y, sample_weight=weights)
    assert_allclose(np.ravel(theirs.coef_), np.ravel(model.coef_), atol=1e-5)


@every
def test_the_strength_is_that_of_the_fit_also_after_arguments_changed_and_a_pickle(model):
    X, y, _ = rows(model)
    model = clone(model).fit(X, y)
    alpha = getattr(model, "alpha_", getattr(model, "alpha", None))
    before = model.equivalent_calls()
    assert before["shrinkage"].alpha == alpha
    assert before["shrinkage"].l1_ratio == getattr(model, "l1_ratio_", before["shrinkage"].l1_ratio)
    model.set_params(fit_intercept=False)
    assert str(model.equivalent_calls()) == str(before)
    assert str(pickle.loads(pickle.dumps(model)).equivalent_calls()) == str(before)


@every
def test_a_model_that_is_not_fitted_says_so(model):
    with pytest.raises(NotFittedError):
        clone(model).equivalent_calls()


def test_options_of_the_fit_are_in_the_words_of_the_others():
    X, y, weights = rows(Lasso())
    model = ElasticNet(0.1, standardize=True, penalty_factor=[1.0, 2.0, 0.0, 1.0], fit_intercept=True)
    found = model.fit(X, y, sample_weight=weights, offset=0.1 * y).equivalent_calls()
    assert found["glmnet"].arguments["standardize"]
    assert "weights = sample_weight" in found["glmnet"].code
    assert "offset = offset" in found["glmnet"].code
    assert "penalty_factor=np.array([1.0, 2.0, 0.0, 1.0])" in found["shrinkage"].code
    assert "no penalty factors" in found.refusals["sklearn"]


def test_class_weights_count_among_the_weights():
    X, y, _ = rows(LogisticRegression())
    model = LogisticRegression(0.05, class_weight={0: 1.0, 1: 3.0}).fit(X, y)
    total = float(np.where(y == 1, 3.0, 1.0).sum())
    assert_allclose(model.equivalent_calls()["sklearn"].arguments["C"], 1 / (0.05 * total))
