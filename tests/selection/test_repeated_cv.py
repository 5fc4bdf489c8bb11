"""Repeated cross-validation: every repeat is a cross-validation, and the summary is what its formulas say."""

import numpy as np
import pytest
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    RepeatedKFold,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
)

from shrinkage import cross_validate
from shrinkage._errors import ArgumentError, DataError
from shrinkage.datasets import load_diabetes, simulate_linear
from shrinkage.selection import RepeatedCrossValidation, repeated_cv

WIDE = simulate_linear(60, 150, rho=0.5, n_nonzero=8, snr=3.0, seed=1)
DIABETES = load_diabetes()
LABELS = DIABETES.y > np.median(DIABETES.y)
FEW = {"n_alphas": 15, "alpha_min_ratio": 0.01}


@pytest.fixture(autouse=True)
def _small_problems_share_too(monkeypatch):
    monkeypatch.setattr("shrinkage.solvers._repeats.LEAST_SHARED", 0)


def _folds(seed: int, n: int, labels=None, count: int = 5):
    splitter = KFold if labels is None else StratifiedKFold
    return list(splitter(count, shuffle=True, random_state=seed).split(np.zeros(n), labels))


def _kinds():
    rng = np.random.default_rng(0)
    n = len(DIABETES.y)
    weights = rng.integers(0, 3, n).astype(float)
    factors = np.r_[0.0, rng.uniform(0.5, 2, 9)]
    more = {"sample_weight": weights, "penalty_factor": factors, "offset": rng.normal(size=n), "standardize": True}
    return {
        "wide": (WIDE.X, WIDE.y, {}),
        "wide, elastic net, standardized": (WIDE.X, WIDE.y, {"l1_ratio": 0.5, "standardize": True}),
        "tall": (DIABETES.X, DIABETES.y, {}),
        "tall, everything": (DIABETES.X, DIABETES.y, {**more, "l1_ratio": 0.5}),
        "ridge": (WIDE.X, WIDE.y, {"l1_ratio": 0.0}),
        "logistic": (DIABETES.X, LABELS, {"loss": "logistic"}),
        "logistic, everything": (DIABETES.X, LABELS, {**more, "loss": "logistic", "l1_ratio": 0.7}),
    }


@pytest.mark.parametrize("kind", _kinds().values(), ids=list(_kinds()))
def test_every_repeat_is_the_cross_validation_of_its_folds(kind):
    X, y, options = kind
    found = repeated_cv(X, y, repeats=3, cv=5, random_state=7, **FEW, **options)
    labels = y if options.get("loss") == "logistic" else None
    assert len({one.mean.tobytes() for one in found.repeats}) == 3
    for seed, one in zip(found.seeds, found.repeats, strict=True):
        alone = cross_validate(X, y, cv=_folds(seed, len(y), labels), **FEW, **options)
        np.testing.assert_allclose(one.alphas, alone.alphas, rtol=1e-12)
        np.testing.assert_allclose(one.scores, alone.scores, rtol=1e-6)
        np.testing.assert_allclose(one.se, alone.se, rtol=1e-4)
        np.testing.assert_allclose(one.fold_weights, alone.fold_weights)
        assert one.fold_gaps.max() <= 1e-6
        assert one.index_min == alone.index_min
        assert one.index_1se == alone.index_1se


@pytest.fixture(scope="module")
def wide() -> RepeatedCrossValidation:
    return repeated_cv(WIDE.X, WIDE.y, repeats=6, cv=5, **FEW)


def test_the_summary_is_what_its_formulas_say(wide):
    curves = np.array([one.mean for one in wide.repeats])
    np.testing.assert_allclose(wide.mean, curves.sum(axis=0) / 6)
    np.testing.assert_allclose(wide.between_sd**2, ((curves - wide.mean) ** 2).sum(axis=0) / 5)
    np.testing.assert_allclose(wide.within_se**2, sum(one.se**2 for one in wide.repeats) / 6)
    assert wide.mean[wide.index_min] == wide.mean.min()
    near = wide.mean <= wide.mean.min() + wide.within_se[wide.index_min]
    assert wide.alpha_1se == wide.alphas[near].max()
    assert wide.alpha_min == wide.alphas[wide.index_min]
    assert wide.scores.shape == (15, 6, 5)
    for r, one in enumerate(wide.repeats):
        np.testing.assert_array_equal(wide.scores[:, r], one.scores)


def test_inclusion_is_the_share_of_repeats_whose_chosen_model_has_the_feature(wide):
    coefs = wide.path.coefs.toarray()
    for share, alphas in ((wide.inclusion_min, wide.alphas_min), (wide.inclusion_1se, wide.alphas_1se)):
        supports = [coefs[:, int(np.flatnonzero(wide.alphas == alpha)[0])] != 0 for alpha in alphas]
        np.testing.assert_allclose(share, np.mean(supports, axis=0))


def test_the_same_random_state_deals_the_same_folds_and_another_others():
    once, again, other = (
        repeated_cv(DIABETES.X, DIABETES.y, repeats=2, cv=5, random_state=state, **FEW).scores for state in (3, 3, 4)
    )
    np.testing.assert_array_equal(once, again)
    assert not np.allclose(once, other)
    generators = [np.random.default_rng(3) for _ in range(2)]
    first, second = (
        repeated_cv(DIABETES.X, DIABETES.y, repeats=2, cv=5, random_state=g, **FEW).scores for g in generators
    )
    np.testing.assert_array_equal(first, second)


def test_more_repeats_begin_with_the_same_ones():
    few, many = (repeated_cv(DIABETES.X, DIABETES.y, repeats=count, cv=5, **FEW) for count in (2, 4))
    assert many.seeds[:2] == few.seeds
    np.testing.assert_allclose(many.scores[:, :2], few.scores, rtol=1e-10)


def _dealt(monkeypatch, X, y, **options):
    """The folds of every repeat."""
    from shrinkage.selection import _repeated_cv as module

    dealt, check = [], module.check_folds
    monkeypatch.setattr(module, "check_folds", lambda folds, problem: dealt.append(folds) or check(folds, problem))
    found = repeated_cv(X, y, **FEW, **options)
    return dealt, found


@pytest.mark.parametrize("cv", [4, GroupKFold(4, shuffle=True)], ids=["number", "splitter"])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_groups_stay_together_in_every_repeat(monkeypatch, cv, loss):
    groups = np.arange(len(DIABETES.y)) // 7
    y = DIABETES.y if loss == "squared" else LABELS
    dealt, _ = _dealt(monkeypatch, DIABETES.X, y, repeats=3, cv=cv, groups=groups, loss=loss)
    assert len(dealt) == 3
    for folds in dealt:
        for train, test in folds:
            assert not set(groups[train]) & set(groups[test])
        assert np.array_equal(np.sort(np.concatenate([test for _, test in folds])), np.arange(len(y)))
    assert any(not np.array_equal(a[1], b[1]) for a, b in zip(dealt[0], dealt[1], strict=True))


@pytest.mark.parametrize(
    "cv",
    [[_folds(seed, len(DIABETES.y)) for seed in (0, 1)], TimeSeriesSplit(4), KFold(4, shuffle=True), ShuffleSplit(4)],
    ids=["pairs", "in time", "rows", "drawn"],
)
def test_groups_that_folds_would_not_read_are_refused(cv):
    with pytest.raises(ArgumentError, match="groups must come with"):
        repeated_cv(DIABETES.X, DIABETES.y, repeats=2, cv=cv, groups=np.arange(len(DIABETES.y)) // 7, **FEW)


def test_no_repeat_in_time_trains_on_what_comes_after_and_all_differ(monkeypatch):
    dealt, found = _dealt(monkeypatch, DIABETES.X, DIABETES.y, repeats=5, cv=TimeSeriesSplit(4, gap=3))
    for folds in dealt:
        assert all(train.max() + 3 < test.min() for train, test in folds)
    assert len({(*tuple(int(test[0]) for _, test in folds), int(folds[-1][1][-1])) for folds in dealt}) == 5
    assert dealt[0][-1][1][-1] == len(DIABETES.y) - 1
    assert found.scores.shape == (15, 5, 4)


def test_repeats_in_time_are_no_more_than_the_rows_of_a_block():
    with pytest.raises(ArgumentError, match=r"repeats must be at most 5"):
        repeated_cv(DIABETES.X[:26], DIABETES.y[:26], repeats=6, cv=TimeSeriesSplit(4), **FEW)


def test_own_folds_are_taken_as_they_are(monkeypatch):
    own = [_folds(seed, len(DIABETES.y)) for seed in (5, 6)]
    dealt, found = _dealt(monkeypatch, DIABETES.X, DIABETES.y, repeats=2, cv=own)
    for mine, theirs in zip(own, dealt, strict=True):
        for one, other in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(one[0], other[0])
            np.testing.assert_array_equal(one[1], other[1])
    single = repeated_cv(DIABETES.X, DIABETES.y, repeats=1, cv=own[1], **FEW)
    np.testing.assert_allclose(single.scores[:, 0], found.scores[:, 1], rtol=1e-10)
    assert np.isnan(single.between_sd).all()
    alone = cross_validate(DIABETES.X, DIABETES.y, cv=own[1], **FEW)
    assert single.alpha_min == pytest.approx(alone.alpha_min, rel=1e-12)


def test_repeats_with_other_numbers_of_folds_leave_nan_in_the_scores():
    own = [_folds(0, len(DIABETES.y), count=3), _folds(1, len(DIABETES.y), count=4)]
    found = repeated_cv(DIABETES.X, DIABETES.y, repeats=2, cv=own, **FEW)
    assert np.isnan(found.scores[:, 0, 3]).all()
    assert np.isfinite(found.scores[:, 1]).all()
    assert len(found.to_frame("scores")) == 15 * 7


def test_shuffle_split_draws_anew_in_each_repeat():
    found = repeated_cv(DIABETES.X, DIABETES.y, repeats=3, cv=ShuffleSplit(3, test_size=0.2), **FEW)
    assert found.scores.shape == (15, 3, 3)
    assert len(np.unique(found.scores[-1])) == 9
    again = repeated_cv(DIABETES.X, DIABETES.y, repeats=3, cv=ShuffleSplit(3, test_size=0.2), **FEW)
    np.testing.assert_array_equal(again.scores, found.scores)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cv": KFold(5)}, "deals the same ones"),
        ({"cv": RepeatedKFold(n_splits=3, n_repeats=2)}, "repeats by itself"),
        ({"cv": _folds(0, len(DIABETES.y))}, "give repeats=1"),
        ({"cv": [_folds(0, len(DIABETES.y))] * 3}, "give repeats=3"),
        ({"cv": []}, "empty list"),
        ({"cv": "five"}, "cv must be a whole number"),
        ({"cv": 1000}, "cv must be from 2 to the number of rows"),
        ({"repeats": 0}, "repeats"),
        ({"random_state": "x"}, "random_state must be None"),
        ({"random_state": -1}, "a whole number >= 0 or a numpy"),
        ({"tol": 0.0}, "tol"),
    ],
)
def test_what_cannot_be_repeated_is_refused_in_words(options, words):
    with pytest.raises(ArgumentError, match=words):
        repeated_cv(DIABETES.X, DIABETES.y, **{"repeats": 2, **options})


def test_a_class_with_one_row_is_refused():
    with pytest.raises(DataError, match="two rows of each class"):
        repeated_cv(DIABETES.X, np.arange(len(DIABETES.y)) == 0, repeats=2, loss="logistic")


@pytest.mark.parametrize("data", [(WIDE.X, WIDE.y), (DIABETES.X, DIABETES.y)], ids=["wide", "tall"])
def test_ctrl_c_keeps_the_finished_repeats(monkeypatch, data):
    from shrinkage.solvers import RepeatedFolds

    monkeypatch.setattr(RepeatedFolds, "at_once", lambda self, n_folds: 1)
    whole, solve, calls = repeated_cv(*data, repeats=4, cv=5, **FEW), RepeatedFolds.solve, []

    def stopped(self, sets):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return solve(self, sets)

    monkeypatch.setattr(RepeatedFolds, "solve", stopped)
    found = repeated_cv(*data, repeats=4, cv=5, **FEW)
    assert found.interrupted
    assert len(found.repeats) == 2
    np.testing.assert_allclose(found.scores, whole.scores[:, :2], rtol=1e-10)
    assert "2 repeats of the 4 asked for, the rest was interrupted" in str(found)
    calls[:] = [1, 1]
    with pytest.raises(KeyboardInterrupt):
        repeated_cv(*data, repeats=4, cv=5, **FEW)


def test_tables_of_every_kind_hold_what_the_record_holds(wide):
    pytest.importorskip("pandas")
    curve, repeats, features = (wide.to_frame(what) for what in ("curve", "repeats", "features"))
    np.testing.assert_array_equal(curve["mean"], wide.mean)
    np.testing.assert_array_equal(repeats["alpha_1se"], wide.alphas_1se)
    np.testing.assert_array_equal(features["inclusion_min"], wide.inclusion_min)
    assert len(wide.to_frame("scores")) == wide.scores.size
    with pytest.raises(ArgumentError, match="what must be one of"):
        wide.to_frame("folds")


def test_the_sentences_say_choices_errors_and_features(wide):
    told = str(wide)
    assert f"min: alpha = {wide.alpha_min:.4g}" in told
    assert f"1se: alpha = {wide.alpha_1se:.4g}" in told
    assert f"from {wide.alphas_1se.min():.4g} to {wide.alphas_1se.max():.4g}" in told
    assert f"{int((wide.inclusion_min == 1).sum())} features are in the model of every repeat" in told
    assert "which more repeats do not lower" in told
    assert "6 repeats of 5 folds" in repr(wide)


def test_names_of_a_table_reach_the_features():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(DIABETES.X, columns=[f"c{j}" for j in range(10)])
    found = repeated_cv(frame, DIABETES.y, repeats=2, cv=3, **FEW)
    assert found.to_frame("features")["feature"].tolist() == list(frame.columns)
