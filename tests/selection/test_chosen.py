"""One verb for every rule: `choose(path, ...)`."""

import copy
import pickle

import numpy as np
import pytest

from shrinkage import ArgumentError, LassoCV, cross_validate, path
from shrinkage.selection import CRITERIA, choose, information_criteria, leave_one_out, rule_words

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 12))
Y = X[:, :4] @ [2.0, -1.0, 0.5, 0.3] + RNG.normal(size=80)
FITTED, RIDGE = path(X, Y), path(X, Y, l1_ratio=0)
CV = cross_validate(X, Y, cv=8)


@pytest.mark.parametrize("rule", CRITERIA)
@pytest.mark.parametrize("fitted", [FITTED, CV], ids=["path", "cv"])
def test_a_criterion_takes_the_strength_where_it_is_lowest(fitted, rule):
    values = information_criteria(fitted).values(rule)
    found = choose(fitted, rule)
    assert values[found.index] == np.nanmin(values)
    np.testing.assert_array_equal(found.values, values)
    assert found.alpha == found.path.alphas[found.index]
    np.testing.assert_array_equal(found.coef, found.path.coefs.toarray()[:, found.index])
    assert found.n_features == np.count_nonzero(found.coef)
    np.testing.assert_allclose(found.predict(X), X @ found.coef + found.intercept)
    assert rule_words(rule) in str(found)


def test_held_out_scores_are_read_as_cross_validation_reads_them():
    assert choose(CV, "min").index == CV.index_min
    assert choose(CV, "1se").index == CV.index_1se == choose(CV).index
    paired = choose(CV, "1se-paired").index
    assert CV.index_1se <= paired <= CV.index_min
    weights = CV.fold_weights / CV.fold_weights.sum()
    differences = CV.scores - CV.scores[[CV.index_min]]
    spread = np.sqrt(((differences - (differences @ weights)[:, None]) ** 2) @ weights / 7)
    near = CV.mean - CV.mean[CV.index_min] <= np.minimum(spread, CV.se[CV.index_min])
    assert paired == np.flatnonzero(near)[0]


@pytest.mark.parametrize("fitted", [FITTED, RIDGE], ids=["lasso", "ridge"])
def test_rows_left_out_one_by_one_choose_too(fitted):
    left_out = leave_one_out(fitted)
    assert choose(fitted, "loo").index == choose(left_out, "min").index == int(np.argmin(left_out.mean))
    larger = choose(fitted, "loo-1se")
    best = int(np.argmin(left_out.mean))
    assert larger.index == np.flatnonzero(left_out.mean <= left_out.mean[best] + left_out.se[best])[0]
    assert larger.index == choose(left_out).index == left_out.index_1se
    assert ("exact up to rounding" in str(larger)) == (fitted is RIDGE)


def test_a_path_gives_the_smallest_strength_with_so_many_features():
    for k in (0, 1, 3, 12):
        found = choose(FITTED, max_features=k)
        fits = np.flatnonzero(FITTED.n_nonzero <= k)
        assert found.index == fits[-1]
        assert found.n_features <= k
        assert f"with at most {k} features: it has {found.n_features}" in str(found)


def test_a_number_of_features_limits_every_other_rule():
    for k in (1, 3):
        fits = CV.path.n_nonzero <= k
        best = choose(CV, max_features=k)
        assert CV.mean[best.index] == CV.mean[fits].min()
        assert best.index == choose(CV, "min", max_features=k).index
        near = fits & (CV.mean <= CV.mean[best.index] + CV.se[best.index])
        assert choose(CV, "1se", max_features=k).index == np.flatnonzero(near)[0]
        bic = information_criteria(FITTED).bic
        assert bic[choose(FITTED, "bic", max_features=k).index] == bic[FITTED.n_nonzero <= k].min()
        assert choose(FITTED, "loo", max_features=k).n_features <= k
    assert str(choose(CV, max_features=3)).startswith("Of the strengths with at most 3 features: alpha")


def test_other_arguments_are_those_of_the_record_that_is_chosen_from():
    found = information_criteria(FITTED, dispersion=100.0)
    assert choose(found, "bic").index == np.argmin(found.bic)
    assert choose(found, "bic").index < choose(FITTED, "bic").index
    assert choose(found, "bic").evidence is found
    assert "noise variance 100, as given" in str(choose(found, "bic"))


def test_a_rule_without_anything_to_read_is_refused():
    with pytest.raises(ArgumentError, match="from Path; got 'min'; 'min' and '1se' need held-out scores"):
        choose(FITTED, "min")
    with pytest.raises(ArgumentError, match="from Path; got None"):
        choose(FITTED)
    with pytest.raises(ArgumentError, match="from InformationCriteria; got 'loo'"):
        choose(information_criteria(FITTED), "loo")
    with pytest.raises(ArgumentError, match=r"at least 12, .* since ridge leaves none out; got 3"):
        choose(RIDGE, max_features=3)
    with pytest.raises(ArgumentError, match="max_features must be a whole number >= 0; got -1"):
        choose(FITTED, max_features=-1)
    with pytest.raises(ArgumentError, match="max_features needs a Path"):
        choose(np.ones((2, 3)), [1.0, 2.0], max_features=1)
    with pytest.raises(ArgumentError, match="strengths are those of the Path; give only a rule"):
        choose(FITTED, [1.0], "bic")


def test_the_edge_of_the_grid_is_said():
    near = path(X, Y, alphas=FITTED.alphas[:20])
    assert "smallest strength of the grid: smaller ones may be lower" in str(choose(near, "aic"))
    assert "smallest of the grid" in str(choose(near, "loo"))
    assert "smallest" not in str(choose(FITTED, "bic"))


def test_a_path_of_one_strength_that_explains_all_is_chosen():
    flat = path(X, np.full(80, 3.0))
    assert choose(flat, max_features=0).index == 0
    assert choose(flat, "loo").index == 0


def test_data_stay_out_of_what_is_stored_and_of_estimators():
    for stored in (pickle.loads(pickle.dumps(FITTED)), copy.copy(FITTED), LassoCV().fit(X, Y).path_):
        assert stored.problem is None
        with pytest.raises(ArgumentError, match="which this path does not hold"):
            choose(stored, "bic")
        assert choose(stored, max_features=3).n_features <= 3
    assert len(pickle.dumps(path(np.tile(X, (200, 1)), np.tile(Y, 200)))) < 100_000
