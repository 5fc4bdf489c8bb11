"""Group lasso and multi-task elastic net: what the estimators add to the paths of groups."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import MultiTaskElasticNet as Theirs
from sklearn.model_selection import GroupKFold

from shrinkage import ElasticNet, GroupLasso, GroupLassoCV, Lasso, MultiTaskElasticNet, MultiTaskElasticNetCV
from shrinkage._errors import ArgumentError
from shrinkage.design import ResponsesDesign, as_design
from shrinkage.tables import Recipe, table_of


def rows(n=50, p=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, X[:, :2] @ np.array([1.0, -1.0]) + 0.3 * rng.normal(size=n)


def responses(n=50, p=6, K=3, seed=1):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 2.0
    return X, X[:, :2] @ rng.normal(size=(2, K)) + 0.5 * rng.normal(size=(n, K)) + 5.0


def test_every_column_alone_is_the_lasso():
    X, y = rows()
    ours, lasso = GroupLasso(alpha=0.1, tol=1e-10).fit(X, y), Lasso(alpha=0.1, tol=1e-10).fit(X, y)
    assert np.allclose(ours.coef_, lasso.coef_, atol=1e-6)
    share = GroupLasso(alpha=0.1, groups=[0, 0, 1, 1, 2, 2], l1_ratio=1.0, tol=1e-10).fit(X, y)
    assert np.allclose(share.coef_, lasso.coef_, atol=1e-6)


def test_labels_lists_and_names_say_the_same():
    X, y = rows()
    named = pd.DataFrame(X, columns=["site=A", "site=B", "age", "kind=x", "kind=y", "dose"])
    by_label = GroupLasso(alpha=0.1, groups=["s", "s", "a", "k", "k", "d"]).fit(X, y)
    for groups in ("names", {"site": ["site=A", "site=B"], "kind": [3, "kind=y"]}):
        model = GroupLasso(alpha=0.1, groups=groups).fit(named, y)
        assert np.allclose(model.coef_, by_label.coef_, atol=1e-5)
        assert sorted(map(sorted, model.groups_)) == [[0, 1], [2], [3, 4], [5]]


def test_a_category_of_a_table_enters_whole():
    rng = np.random.default_rng(0)
    site = rng.choice(["A", "B", "C"], 90)
    frame = pd.DataFrame({"dose": rng.normal(size=90), "site": site, "noise": rng.choice(["u", "v"], 90)})
    y = 1.5 * (site == "B") + frame["dose"].to_numpy() + 0.1 * rng.normal(size=90)
    table = table_of(frame)
    recipe = Recipe.learn(table)
    X = pd.DataFrame(recipe.apply(table)[0], columns=list(recipe.feature_names))
    model = GroupLasso(alpha=0.1, groups="names").fit(X, y)
    assert dict(zip(X.columns, model.coef_ != 0, strict=True)) == {
        "dose": True, "site=A": True, "site=B": True, "site=C": True, "noise=u": False, "noise=v": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"a": [0, 1], "b": [1]}, "groups must not overlap; column 1 is in 'a' and in 'b'"),
        ({"a": [9]}, "group 'a' holds 9"),
        ({"a": []}, "group 'a' holds no column"),
        ({"a": [0.5, 1]}, "group 'a' holds 0.5"),
        ({"a": ["bmi"]}, "by number where X has no names; got 'bmi'"),
        (5, "groups must be labels, a mapping, 'names' or None; got 5"),
        ([0, 1], "one label for each of 6 columns"),
        ("names", "needs X with column names"),
        ("labels", "groups must be labels, a mapping, 'names' or None; got 'labels'"),
    ],
)
def test_groups_that_cannot_be_used_are_refused_in_a_sentence(groups, message):
    with pytest.raises(ArgumentError, match=message):
        GroupLasso(groups=groups).fit(*rows())


def test_the_chosen_strength_is_that_of_the_curve():
    X, y = rows()
    model = GroupLassoCV(groups=[0, 0, 1, 1, 2, 2], n_alphas=15, cv=GroupKFold(4)).fit(X, y, groups=np.arange(50) % 8)
    assert model.alpha_ == model.cv_.alpha_min
    alone = GroupLasso(model.alpha_, groups=[0, 0, 1, 1, 2, 2]).fit(X, y)
    assert np.allclose(model.coef_, alone.coef_, atol=1e-4)
    assert np.isfinite(model.predict(X)).all()
    with pytest.raises(ArgumentError, match="not for GroupLassoCV"):
        model.equivalent_calls()


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.01])
def test_several_responses_agree_with_scikit_learn(l1_ratio, intercept):
    X, Y = responses()
    for alpha in (0.02, 0.3):
        ours = MultiTaskElasticNet(alpha, l1_ratio=l1_ratio, fit_intercept=intercept, tol=1e-12).fit(X, Y)
        theirs = Theirs(alpha=alpha, l1_ratio=l1_ratio, fit_intercept=intercept, tol=1e-12, max_iter=100_000).fit(X, Y)
        assert np.allclose(ours.coef_, theirs.coef_, atol=1e-6)
        assert np.allclose(ours.intercept_, theirs.intercept_, atol=1e-5)
        assert np.allclose(ours.predict(X), theirs.predict(X), atol=1e-5)


def test_one_response_is_the_elastic_net():
    X, Y = responses(K=1)
    for ratio in (1.0, 0.4, 0.0):
        ours = MultiTaskElasticNet(0.1, l1_ratio=ratio, tol=1e-11, standardize=True).fit(X, Y)
        alone = ElasticNet(0.1, l1_ratio=ratio, tol=1e-11, standardize=True).fit(X, Y[:, 0])
        assert np.allclose(ours.coef_[0], alone.coef_, atol=1e-6)
        assert np.isclose(ours.intercept_[0], alone.intercept_, atol=1e-5)


def test_ridge_of_several_responses_is_ridge_of_each():
    X, Y = responses()
    ours = MultiTaskElasticNet(0.3, l1_ratio=0.0, tol=1e-12).fit(X, Y)
    for k in range(3):
        assert np.allclose(ours.coef_[k], ElasticNet(0.3, l1_ratio=0.0, tol=1e-12).fit(X, Y[:, k]).coef_, atol=1e-7)


def test_weights_and_free_columns_of_several_responses():
    X, Y = responses()
    weights = np.random.default_rng(0).integers(0, 3, 50)
    twice = np.repeat(np.arange(50), weights)
    options = {"l1_ratio": 0.7, "penalty_factor": [0.0, 1, 1, 1, 2, 1], "tol": 1e-11, "standardize": True}
    weighted = MultiTaskElasticNet(0.5, **options).fit(X, Y, weights)
    repeated = MultiTaskElasticNet(0.5, **options).fit(X[twice], Y[twice])
    assert np.allclose(weighted.coef_, repeated.coef_, atol=1e-6)
    assert weighted.coef_[:, 0].all()
    assert weighted.dual_gap_ <= 1e-9


def test_cross_validation_of_several_responses_scores_rows_that_were_held_out():
    X, Y = responses()
    model = MultiTaskElasticNetCV(n_alphas=8, cv=5, tol=1e-9).fit(X, Y)
    assert model.cv_scores_.shape == (8, 5)
    rest = np.arange(10, 50)
    for t in (0, 5):
        fold = MultiTaskElasticNet(model.alphas_[t], tol=1e-9).fit(X[rest], Y[rest])
        assert np.isclose(model.cv_scores_[t, 0], ((Y[:10] - fold.predict(X[:10])) ** 2).mean(), rtol=1e-4)
    whole = MultiTaskElasticNet(model.alpha_).fit(X, Y)
    assert np.allclose(model.coef_, whole.coef_, atol=1e-3)


def test_the_products_of_several_responses_are_those_of_the_kronecker_product():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5, 3))
    design = ResponsesDesign(as_design(X), 2, intercept=True)
    whole = np.kron(np.c_[X, np.ones(5)], np.eye(2))
    R, B, some = rng.normal(size=(10, 4)), rng.normal(size=(3, 4)), np.array([1, 4, 7])
    assert np.allclose(design.correlate(R), whole.T @ R)
    assert np.allclose(design.combine(some, B), whole[:, some] @ B)
    weights = rng.random(10)
    assert np.allclose(design.gram(some, some, weights), whole[:, some].T @ (weights[:, None] * whole[:, some]))
    out = design.gather(some, np.ones(3), weights, np.empty((10, 3), order="F"))
    assert np.allclose(out, weights[:, None] * (whole[:, some] - 1.0))
