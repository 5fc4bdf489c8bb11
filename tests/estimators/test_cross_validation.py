"""How a cross-validated estimator chooses: rules, mixings, folds, groups and scikit-learn's metadata routing."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut, StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from shrinkage.estimators import ElasticNetCV, Lasso, LassoCV, LogisticRegression, LogisticRegressionCV, RidgeCV

TWINS = [RidgeCV, LassoCV, ElasticNetCV, LogisticRegressionCV]
FEW = {"n_alphas": 12, "cv": 4}


@pytest.fixture(name="data")
def make_data():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(48, 7))
    return X, X[:, 0] - 0.5 * X[:, 1] + rng.normal(size=48), np.arange(48) // 8


@pytest.fixture(name="routing")
def enable_routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def target(twin, y):
    return np.where(y > 0, "yes", "no") if twin is LogisticRegressionCV else y


@pytest.mark.parametrize("twin", TWINS)
def test_the_record_is_told_in_attributes(twin, data):
    X, y, _ = data
    model = twin(**FEW).fit(X, target(twin, y))
    assert model.alphas_.shape == (12,)
    assert model.cv_scores_.shape == (12, 4)
    assert model.path_.coefs.shape == (7, 12)
    assert model.cv_.path is model.path_
    assert model.cv == 4
    mean = model.cv_scores_.mean(axis=1)  # folds of 12 rows each weigh the same
    assert model.alpha_ == model.alpha_min_ == model.alphas_[np.argmin(mean)]
    column = int(np.argmin(mean))
    assert_array_equal(model.coef_.reshape(-1), model.path_.coefs[:, [column]].toarray()[:, 0])
    assert model.dual_gap_ == model.path_.gaps[column]
    assert model.status_ is model.path_.status[column]


@pytest.mark.parametrize("twin", TWINS)
def test_the_one_se_rule_takes_the_largest_strength_within_one_standard_error(twin, data):
    X, y, _ = data
    model = twin(rule="1se", **FEW).fit(X, target(twin, y))
    scores = model.cv_scores_
    mean, se = scores.mean(axis=1), scores.std(axis=1) / np.sqrt(scores.shape[1] - 1)
    best = np.argmin(mean)
    assert_allclose(model.alpha_, model.alphas_[mean <= mean[best] + se[best]].max())
    assert model.alpha_ == model.alpha_1se_ >= model.alpha_min_


def test_scores_are_held_out_squared_errors(data):
    X, y, _ = data
    model = LassoCV(**FEW, tol=1e-10).fit(X, y)
    for k, (train, test) in enumerate(KFold(4).split(X)):
        alpha = model.alphas_[7]
        fold = Lasso(alpha, tol=1e-10).fit(X[train], y[train])
        assert_allclose(model.cv_scores_[7, k], ((y[test] - fold.predict(X[test])) ** 2).mean(), rtol=1e-5)


def test_scores_of_classes_are_held_out_deviances(data):
    X, y, _ = data
    y = target(LogisticRegressionCV, y)
    model = LogisticRegressionCV(**FEW, tol=1e-10).fit(X, y)
    for k, (train, test) in enumerate(StratifiedKFold(4).split(X, y)):
        fold = LogisticRegression(model.alphas_[9], tol=1e-10).fit(X[train], y[train])
        log_proba = fold.predict_log_proba(X[test])[np.arange(len(test)), (y[test] == "yes").astype(int)]
        assert_allclose(model.cv_scores_[9, k], -2 * log_proba.mean(), rtol=1e-5)


@pytest.mark.parametrize("twin", [ElasticNetCV, LogisticRegressionCV])
def test_of_several_mixings_the_best_mean_score_wins(twin, data):
    X, y, _ = data
    y = target(twin, y)
    both = twin(l1_ratio=[0.1, 0.9], **FEW).fit(X, y)
    each = {ratio: twin(l1_ratio=ratio, **FEW).fit(X, y) for ratio in (0.1, 0.9)}
    best = min(each, key=lambda ratio: each[ratio].cv_.mean.min())
    assert both.l1_ratio_ == best
    assert_array_equal(both.coef_, each[best].coef_)
    assert_array_equal(both.alphas_, each[best].alphas_)


def test_mixings_are_compared_on_the_same_folds_even_if_the_splitter_shuffles(data):
    X, y, _ = data
    twice = ElasticNetCV(l1_ratio=[0.5, 0.5], n_alphas=12, cv=KFold(4, shuffle=True)).fit(X, y)
    model = ElasticNetCV(l1_ratio=[0.5, 0.9], n_alphas=12, cv=KFold(4, shuffle=True, random_state=0)).fit(X, y)
    seeded = ElasticNetCV(l1_ratio=model.l1_ratio_, n_alphas=12, cv=KFold(4, shuffle=True, random_state=0)).fit(X, y)
    assert_array_equal(model.cv_scores_, seeded.cv_scores_)
    assert twice.l1_ratio_ == 0.5


@pytest.mark.parametrize("twin", TWINS)
def test_an_int_a_splitter_and_index_pairs_are_the_same_folds(twin, data):
    X, y, _ = data
    y = target(twin, y)
    splitter = StratifiedKFold(4) if twin is LogisticRegressionCV else KFold(4)
    scores = [twin(n_alphas=8, cv=cv).fit(X, y).cv_scores_ for cv in (4, splitter, list(splitter.split(X, y)))]
    assert_array_equal(scores[0], scores[1])
    assert_array_equal(scores[0], scores[2])


def test_classes_too_small_to_stratify_get_plain_folds():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 3)), np.arange(12) % 2
    model = LogisticRegressionCV(n_alphas=5).fit(X, y)
    plain = LogisticRegressionCV(n_alphas=5, cv=KFold(10)).fit(X, y)
    assert_array_equal(model.cv_scores_, plain.cv_scores_)


def test_strengths_can_be_given(data):
    X, y, _ = data
    model = LassoCV(alphas=[0.01, 1.0, 0.1], cv=4).fit(X, y)
    assert_array_equal(model.alphas_, [1.0, 0.1, 0.01])
    assert model.alpha_ in (1.0, 0.1, 0.01)


@pytest.mark.parametrize("twin", TWINS)
def test_groups_reach_the_splitter_without_routing(twin, data):
    X, y, groups = data
    y = target(twin, y)
    pairs = list(LeaveOneGroupOut().split(X, groups=groups))
    by_group = twin(n_alphas=8, cv=LeaveOneGroupOut()).fit(X, y, groups=groups)
    assert_array_equal(by_group.cv_scores_, twin(n_alphas=8, cv=pairs).fit(X, y).cv_scores_)


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("twin", TWINS)
def test_groups_and_weights_are_routed_side_by_side(twin, data):
    X, y, groups = data
    y, weights = target(twin, y), np.linspace(0.5, 2.0, 48)
    pairs = list(GroupKFold(3).split(X, groups=groups))
    routed = twin(n_alphas=8, cv=GroupKFold(3)).fit(X, y, sample_weight=weights, offset=0.1 * weights, groups=groups)
    by_hand = twin(n_alphas=8, cv=pairs).fit(X, y, sample_weight=weights, offset=0.1 * weights)
    assert_array_equal(routed.cv_scores_, by_hand.cv_scores_)


@pytest.mark.usefixtures("routing")
def test_a_pipeline_and_an_outer_cross_validation_pass_metadata_on(data):
    X, y, groups = data
    weights = np.linspace(0.5, 2.0, 48)
    inner = LassoCV(n_alphas=8, cv=GroupKFold(3)).set_fit_request(sample_weight=True, offset=True)
    pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), inner)
    pipe.fit(X, y, sample_weight=weights, offset=0.1 * weights, groups=groups)
    alone = LassoCV(n_alphas=8, cv=GroupKFold(3))
    alone.fit(StandardScaler().fit_transform(X), y, sample_weight=weights, offset=0.1 * weights, groups=groups)
    assert_array_equal(pipe[-1].coef_, alone.coef_)
    scorer = inner.set_score_request(sample_weight=False)
    outer = cross_validate(scorer, X, y, cv=GroupKFold(3), params={"groups": groups, "sample_weight": weights})
    assert np.isfinite(outer["test_score"]).all()


@pytest.mark.usefixtures("routing")
def test_metadata_that_the_splitter_does_not_ask_for_are_refused(data):
    X, y, groups = data
    with pytest.raises(TypeError, match="groups"):
        LassoCV(cv=4).fit(X, y, groups=groups)


def test_unknown_metadata_are_refused_without_routing(data):
    X, y, groups = data
    with pytest.raises(ValueError, match="got 'group'"):
        LassoCV(cv=4).fit(X, y, group=groups)


@pytest.mark.usefixtures("routing")
def test_a_grid_search_routes_weights_to_a_plain_estimator(data):
    X, y, _ = data
    weights = np.linspace(0.5, 2.0, 48)
    model = Lasso(0.1).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    search = sklearn.model_selection.GridSearchCV(model, {"alpha": [0.01, 0.1]}, cv=3)
    search.fit(X, y, sample_weight=weights)
    direct = Lasso(search.best_params_["alpha"]).fit(X, y, sample_weight=weights)
    assert_array_equal(search.best_estimator_.coef_, direct.coef_)
