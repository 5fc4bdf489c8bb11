"""Classes and their weights in logistic regression."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression as Theirs

from shrinkage.estimators import LogisticRegression, LogisticRegressionCV

BOTH = [LogisticRegression(), LogisticRegressionCV(n_alphas=8, cv=3)]
both = pytest.mark.parametrize("model", BOTH, ids=lambda model: type(model).__name__)


@pytest.fixture(name="data")
def make_data():
    rng = np.random.default_rng(9)
    X = rng.normal(size=(45, 4))
    return X, (X[:, 0] + rng.normal(size=45) > 0.5).astype(int)


@both
@pytest.mark.parametrize(
    "names",
    [
        np.array([0, 1]),
        np.array([-1.0, 1.0]),
        np.array([False, True]),
        np.array(["benign", "malignant"]),
        np.array(["benign", "malignant"], dtype=object),
    ],
    ids=["0/1", "-1/1", "booleans", "strings", "objects"],
)
def test_two_classes_of_any_kind_are_the_same_fit(model, names, data):
    X, y = data
    by_number = model.fit(X, y).coef_
    by_name = model.fit(X, names[y])
    assert_array_equal(by_name.coef_, by_number)
    assert_array_equal(by_name.classes_, names)
    assert set(by_name.predict(X)) <= set(names)
    assert 0 <= by_name.score(X, names[y]) <= 1


def test_the_path_remembers_the_labels(data):
    X, y = data
    model = LogisticRegressionCV(n_alphas=8, cv=3).fit(X, np.array(["no", "yes"])[y])
    assert model.path_.classes == model.cv_.path.classes == ("no", "yes")
    assert_allclose(model.path_.predict(X, model.alpha_), model.predict_proba(X)[:, 1], rtol=1e-12)


@both
def test_probabilities_decision_and_prediction_agree(model, data):
    X, y = data
    model.fit(X, y)
    proba, log_odds = model.predict_proba(X), model.decision_function(X)
    assert_allclose(proba.sum(axis=1), 1.0)
    assert_allclose(np.log(proba[:, 1] / proba[:, 0]), log_odds, rtol=1e-9)
    assert_allclose(np.exp(model.predict_log_proba(X)), proba, rtol=1e-12)
    assert_array_equal(model.predict(X), (log_odds > 0).astype(int))


@both
def test_an_offset_moves_every_prediction(model, data):
    X, y = data
    model.fit(X, y)
    up = np.full(len(y), 800.0)
    assert (model.predict(X, offset=up) == 1).all()
    assert (model.predict(X, offset=-up) == 0).all()
    assert_allclose(model.predict_log_proba(X, offset=up)[:, 0], -model.decision_function(X, offset=up))
    assert_array_equal(model.predict_proba(X, offset=up)[:, 1], 1.0)


@both
def test_class_weights_multiply_sample_weights(model, data):
    X, y = data
    weights = np.linspace(0.5, 2.0, len(y))
    by_class = type(model)(**(model.get_params() | {"class_weight": {1: 3.0}})).fit(X, y, sample_weight=weights).coef_
    assert_allclose(model.fit(X, y, sample_weight=weights * np.where(y == 1, 3.0, 1.0)).coef_, by_class, atol=1e-12)


@both
def test_balanced_classes_weigh_the_same(model, data):
    X, y = data
    weights = np.linspace(0.5, 2.0, len(y))
    balanced = type(model)(**(model.get_params() | {"class_weight": "balanced"}))
    coef = balanced.fit(X, y, sample_weight=weights).coef_
    share = np.where(y == 1, weights[y == 1].sum(), weights[y == 0].sum())
    assert_allclose(model.fit(X, y, sample_weight=weights / share).coef_, coef, atol=1e-9)


@both
@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(45), "one class, "),
        (np.linspace(0, 1, 45), "continuous"),
        (np.r_[np.nan, np.ones(44)], "NaN"),
    ],
)
def test_targets_that_are_no_classes_are_refused(model, y, message, data):
    with pytest.raises(ValueError, match=message):
        model.fit(data[0], y)


@both
def test_a_class_without_weight_is_refused_by_name(model, data):
    X, y = data
    with pytest.raises(ValueError, match=r"each class must have a positive sample_weight.*class 'b'"):
        model.fit(X, np.array(["a", "b"])[y], sample_weight=1.0 - y)


@both
@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({2: 1.0}, "class_weight must name classes of y, .* got 2"),
        ({0: -1.0}, "class_weight must be finite and > 0"),
        ({0: np.inf}, "class_weight must be finite and > 0"),
        ({0: "a"}, "class_weight must hold real numbers"),
        ("equal", "class_weight must be None, \"balanced\" or a dict.* got 'equal'"),
        ([1.0, 2.0], 'class_weight must be None, "balanced" or a dict'),
    ],
)
def test_class_weights_that_cannot_be_used_are_refused(model, class_weight, message, data):
    with pytest.raises(ValueError, match=message):
        type(model)(**(model.get_params() | {"class_weight": class_weight})).fit(*data)


@pytest.fixture(name="trees")
def make_trees():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(90, 5))
    codes = (X[:, :3] + rng.gumbel(size=(90, 3))).argmax(axis=1)
    return X, np.array(["ash", "birch", "cedar"])[codes]


@both
def test_several_classes_have_a_row_of_coefficients_each(model, trees):
    X, y = trees
    model = type(model)(**(model.get_params() | {"class_weight": {"ash": 2.0}})).fit(X, y)
    assert_array_equal(model.classes_, ["ash", "birch", "cedar"])
    assert model.coef_.shape == (3, 5)
    assert model.intercept_.shape == (3,)
    assert model.intercept_.sum() == pytest.approx(0, abs=1e-12)
    eta, chance = model.decision_function(X), model.predict_proba(X)
    assert_allclose(eta, X @ model.coef_.T + model.intercept_)
    assert_allclose(chance, np.exp(eta) / np.exp(eta).sum(axis=1, keepdims=True))
    assert_allclose(np.exp(model.predict_log_proba(X)), chance)
    assert_array_equal(model.predict(X), model.classes_[eta.argmax(axis=1)])
    assert model.score(X, y) > 0.5
    shifted = model.predict_proba(X, offset=np.tile([50.0, 0.0, 0.0], (90, 1)))
    assert shifted[:, 0].min() > 0.999


def test_several_classes_without_an_l1_part_are_scikit_learns(trees):
    X, y = trees
    ours = LogisticRegression(alpha=0.05, tol=1e-12).fit(X, y)
    theirs = Theirs(C=1 / (0.05 * 90), tol=1e-10, max_iter=10_000).fit(X, y)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    assert_allclose(ours.intercept_, theirs.intercept_ - theirs.intercept_.mean(), atol=1e-6)
    assert ours.dual_gap_ <= 1e-12


def test_several_classes_say_what_they_have_no_words_for(trees):
    with pytest.raises(ValueError, match="this one has 3"):
        LogisticRegression(alpha=0.1).fit(*trees).equivalent_calls()
