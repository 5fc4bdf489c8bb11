"""Claim 5 holds, and its check sees each way in which it could fail."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from shrinkage import cross_validate
from shrinkage.claims import ClaimBroken, _recovery
from shrinkage.claims._recovery import CLAIM, RATIO, SHAPES
from shrinkage.datasets import simulate_linear
from shrinkage.estimators import Ridge


@pytest.fixture(scope="module")
def record(quick):
    return quick(CLAIM)


def again(record, n_seeds=4):
    """The record with the first shape measured again, by whatever stands in the library's place."""
    return replace(record, cases=(_recovery.measure_case(*SHAPES[0], n_seeds),))


def with_ratio(replaced):
    """`cross_validate` with some values of l1_ratio taken for others."""

    def fit(X, y, l1_ratio, **options):
        return cross_validate(X, y, l1_ratio=replaced.get(l1_ratio, l1_ratio), **options)

    return fit


def with_path(change):
    """`cross_validate` with its path's coefficients changed; `change(coefs, l1_ratio)`."""

    def fit(X, y, l1_ratio, **options):
        cv = cross_validate(X, y, l1_ratio=l1_ratio, **options)
        coefs = sparse.csc_array(change(cv.path.coefs.toarray(), l1_ratio))
        return replace(cv, path=replace(cv.path, coefs=coefs))

    return fit


def test_the_claim_holds(record):
    CLAIM.check(record)
    assert 3 <= len(CLAIM.lines(record)) <= 8


def test_what_a_method_kept_is_counted_as_said():
    truth = np.array([[1.0, 0, 0, -1], [0, 1, 0, 1]])
    exact, one_false, one_lost = truth, truth + np.array([0, 0, 2, 0]), truth * np.array([1, 1, 1, 0])
    score = _recovery._score("m", 1.0, "min", np.concatenate([exact, one_false, one_lost]), np.tile(truth, (3, 1)))
    assert (score.kept, score.false, score.all_true, score.exact) == (2.0, 1 / 3, 2 / 3, 1 / 3)
    assert score.error == pytest.approx((0 + 2 + 1) / 3)


def test_ridge_with_an_absolute_value_has_zeros(record, monkeypatch):
    monkeypatch.setattr(_recovery, "cross_validate", with_ratio({0.0: 0.1}))
    with pytest.raises(ClaimBroken, match="exact zeros"):
        CLAIM.check(again(record))


def test_ridge_at_another_strength_than_stated_misses_the_factor(record, monkeypatch):
    def next_strength(coefs, ratio):
        return np.roll(coefs, 1, axis=1) if ratio == 0 else coefs

    monkeypatch.setattr(_recovery, "cross_validate", with_path(next_strength))
    with pytest.raises(ClaimBroken, match="misses h"):
        CLAIM.check(again(record))


def test_a_sum_of_squares_without_its_half_shrinks_directions_too_much(record, monkeypatch):
    monkeypatch.setattr(_recovery, "Ridge", lambda alpha, tol: Ridge(alpha=2 * alpha, tol=tol))
    with pytest.raises(ClaimBroken, match="direction of the diabetes data"):
        CLAIM.check(replace(record, directions=_recovery.measure_directions()))


def test_a_lasso_without_a_threshold_does_not_select(record, monkeypatch):
    monkeypatch.setattr(_recovery, "cross_validate", with_path(lambda coefs, ratio: coefs + 1e-12 * (ratio == 1)))
    with pytest.raises(ClaimBroken, match="the lasso keeps"):
        CLAIM.check(again(record))


def test_an_elastic_net_that_is_a_lasso_keeps_no_more(record, monkeypatch):
    monkeypatch.setattr(_recovery, "cross_validate", with_ratio({RATIO: 1.0}))
    with pytest.raises(ClaimBroken, match="not more and more"):
        CLAIM.check(again(record))


def test_weights_of_the_wrong_size_are_noticed(record, monkeypatch):
    monkeypatch.setattr(_recovery, "cross_validate", with_path(lambda coefs, ratio: coefs * (4 if ratio == 1 else 1)))
    with pytest.raises(ClaimBroken, match="the lasso errs"):
        CLAIM.check(again(record))


def test_true_features_that_are_lost_are_noticed(record, monkeypatch):
    def forgets_the_largest(coefs, ratio):
        coefs[np.abs(coefs[:, -1]).argmax()] *= ratio < 1
        return coefs

    monkeypatch.setattr(_recovery, "cross_validate", with_path(forgets_the_largest))
    with pytest.raises(ClaimBroken, match="kept all 3"):
        CLAIM.check(again(record))


def test_a_path_without_a_strength_that_recovers_is_noticed(record, monkeypatch):
    def one_more(coefs, ratio):
        if ratio == 1:
            smallest = np.abs(coefs[:, -1]).argmin()
            coefs[smallest, 1:] = 1e-3
        return coefs

    monkeypatch.setattr(_recovery, "cross_validate", with_path(one_more))
    with pytest.raises(ClaimBroken, match="recovers exactly"):
        CLAIM.check(again(record))


@pytest.mark.parametrize(("shape", "said"), [(SHAPES[0], "rank 49, not 50"), (SHAPES[1], "rank 23, not 24")])
def test_data_of_another_rank_are_noticed(record, monkeypatch, shape, said):
    def deficient(n_samples, n_features, **options):
        data = simulate_linear(n_samples, n_features, **options)
        X = data.X.copy()
        if n_samples > n_features:
            X[:, 0] = X[:, 1]
        else:
            X[0] = X[1]
        return replace(data, X=X)

    monkeypatch.setattr(_recovery, "simulate_linear", deficient)
    broken = _recovery.measure_case(*shape, 2)
    cases = (broken, *record.cases[1:]) if shape is SHAPES[0] else (record.cases[0], broken)
    with pytest.raises(ClaimBroken, match=said):
        CLAIM.check(replace(record, cases=cases))


def changed(record, place, name, rule, **fields):
    """The record with one method of one shape changed."""
    case = record.cases[place]
    methods = tuple(replace(m, **fields) if (m.name, m.rule) == (name, rule) else m for m in case.methods)
    cases = (*record.cases[:place], replace(case, methods=methods), *record.cases[place + 1 :])
    return replace(record, cases=cases)


@pytest.mark.parametrize(
    ("place", "rule", "fields", "said"),
    [
        (1, "1se", {"kept": 50.0, "false": 47.0, "error": 9.0}, "one standard error up 47.0 false features"),
        (1, "min", {"all_true": 0.0}, "keeps all 3 true ones in 0.0%"),
        (0, "1se", {"exact": 0.0}, "exact in 0.0% one standard error up"),
    ],
)
def test_a_rule_that_selects_worse_than_the_text_says_is_noticed(record, place, rule, fields, said):
    with pytest.raises(ClaimBroken, match=said):
        CLAIM.check(changed(record, place, "lasso", rule, **fields))
