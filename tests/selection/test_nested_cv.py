"""Nested cross-validation: the procedure, run by hand on the rows of each outer fold, gives the same."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit

from shrinkage import cross_validate
from shrinkage._errors import ArgumentError
from shrinkage.datasets import load_diabetes, simulate_linear
from shrinkage.selection import nested_cv

DIABETES = load_diabetes()
LABELS = (DIABETES.y > np.median(DIABETES.y)).astype(float)
WIDE = simulate_linear(60, 120, rho=0.5, n_nonzero=6, snr=3.0, seed=2)
FEW = {"n_alphas": 12, "alpha_min_ratio": 0.01}
RNG = np.random.default_rng(0)
WEIGHTS = RNG.integers(1, 4, len(DIABETES.y)).astype(float)
OFFSET = RNG.normal(size=len(DIABETES.y))
FOLDS = list(KFold(4, shuffle=True, random_state=1).split(DIABETES.X))


def _deviance(y, mean, loss):
    if loss == "squared":
        return (y - mean) ** 2
    return -2 * np.log(np.where(y == 1, mean, 1 - mean))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"l1_ratio": 0.5, "standardize": True},
        {"sample_weight": WEIGHTS, "offset": OFFSET, "penalty_factor": np.r_[0.0, np.ones(9)]},
        {"loss": "logistic", "standardize": True, "sample_weight": WEIGHTS},
        {"l1_ratio": 0.0},
    ],
    ids=["lasso", "elastic net, standardized", "weights, offset, factors", "logistic", "ridge"],
)
@pytest.mark.parametrize("rule", ["min", "1se"])
def test_each_outer_score_is_that_of_the_procedure_run_by_hand_on_its_training_rows(options, rule):
    loss = options.get("loss", "squared")
    y, splitter = (DIABETES.y, KFold(3)) if loss == "squared" else (LABELS, StratifiedKFold(3))
    found = nested_cv(DIABETES.X, y, cv=FOLDS, inner_cv=splitter, rule=rule, **FEW, **options)
    for k, (train, test) in enumerate(FOLDS):
        rows = {name: options[name][train] for name in ("sample_weight", "offset") if name in options}
        alone = cross_validate(DIABETES.X[train], y[train], cv=splitter, **FEW, **{**options, **rows})
        alpha = alone.alpha_min if rule == "min" else alone.alpha_1se
        offset = options["offset"][test] if "offset" in options else None
        mean = alone.path.predict(DIABETES.X[test], alpha, offset=offset)
        weights = options["sample_weight"][test] if "sample_weight" in options else None
        assert found.alphas[k] == pytest.approx(alpha, rel=1e-9)
        assert found.scores[k] == pytest.approx(np.average(_deviance(y[test], mean, loss), weights=weights), rel=1e-5)
        np.testing.assert_allclose(found.inner[k].mean, alone.mean, rtol=1e-6)


def test_the_summary_is_what_its_formulas_say():
    found = nested_cv(DIABETES.X, DIABETES.y, cv=FOLDS, inner_cv=3, sample_weight=WEIGHTS, **FEW)
    held_out = np.array([WEIGHTS[test].sum() for _, test in FOLDS])
    np.testing.assert_allclose(found.fold_weights, held_out)
    assert found.mean == pytest.approx(np.average(found.scores, weights=held_out))
    spread = np.average((found.scores - found.mean) ** 2, weights=held_out)
    assert found.se == pytest.approx(np.sqrt(spread / 3))
    assert found.naive == found.whole.mean.min()
    assert found.alpha == found.whole.alpha_min
    assert found.optimism == pytest.approx(found.mean - found.naive)


def test_choosing_among_noise_is_optimistic_on_average():
    """With y of pure noise any choice predicts worse than it shows: the naive error is below the nested one."""
    optimism = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(30, 15)), rng.normal(size=30)
        optimism.append(nested_cv(X, y, cv=5, inner_cv=5, n_alphas=10, alpha_min_ratio=0.01).optimism)
    assert np.mean(optimism) > 2 * np.std(optimism, ddof=1) / np.sqrt(40)


def test_the_held_out_rows_do_not_touch_the_choice():
    train, test = FOLDS[0]
    y = DIABETES.y.copy()
    y[test] = 1e4 + y[test] * 50
    X = DIABETES.X.copy()
    X[test] *= 30
    options = {"cv": [(train, test)], "inner_cv": 3, "standardize": True, **FEW}
    clean, spoiled = nested_cv(DIABETES.X, DIABETES.y, **options), nested_cv(X, y, **options)
    np.testing.assert_allclose(spoiled.inner[0].mean, clean.inner[0].mean, rtol=1e-6)
    assert spoiled.alphas[0] == pytest.approx(clean.alphas[0], rel=1e-9)
    assert np.isnan(clean.se)


def test_the_same_random_state_gives_the_same_folds_and_sparse_the_same_answer():
    first, again, other = (
        nested_cv(WIDE.X, WIDE.y, cv=3, inner_cv=3, random_state=state, **FEW).scores for state in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    same = nested_cv(sparse.csc_array(WIDE.X), WIDE.y, cv=3, inner_cv=3, random_state=1, **FEW).scores
    np.testing.assert_allclose(same, first, rtol=1e-6)


def test_groups_stay_together_within_and_without(monkeypatch):
    from shrinkage.selection import _nested_cv as module

    dealt, check = [], module.check_folds
    monkeypatch.setattr(module, "check_folds", lambda folds, problem: dealt.append(folds) or check(folds, problem))
    groups = np.arange(len(DIABETES.y)) // 9
    for cv, inner_cv in ((4, 3), (GroupKFold(4), GroupKFold(3))):
        nested_cv(DIABETES.X, DIABETES.y, cv=cv, inner_cv=inner_cv, groups=groups, **FEW)
    assert len(dealt) == 2 * (1 + 1 + 4)
    for folds in dealt:
        assert all(not set(groups[train]) & set(groups[test]) for train, test in folds)


def test_in_time_nothing_is_trained_on_what_comes_after():
    found = nested_cv(DIABETES.X, DIABETES.y, cv=TimeSeriesSplit(3), inner_cv=TimeSeriesSplit(3), **FEW)
    assert found.scores.shape == (3,)
    assert [cv.scores.shape[1] for cv in found.inner] == [3, 3, 3]


def test_a_number_of_inner_folds_is_in_time_where_the_outer_ones_are():
    options = {"cv": TimeSeriesSplit(3, gap=4), **FEW}
    found = nested_cv(DIABETES.X, DIABETES.y, inner_cv=5, **options)
    same = nested_cv(DIABETES.X, DIABETES.y, inner_cv=TimeSeriesSplit(5, gap=4), **options)
    np.testing.assert_array_equal(found.scores, same.scores)
    np.testing.assert_array_equal(found.whole.scores, same.whole.scores)
    with pytest.raises(ArgumentError, match=r"inner_cv, within 5 training rows.*TimeSeriesSplit.*n_splits=10"):
        nested_cv(DIABETES.X[:20], DIABETES.y[:20], cv=TimeSeriesSplit(3), inner_cv=None, **FEW)
    with pytest.raises(ArgumentError, match="inner_cv must be a whole number >= 2"):
        nested_cv(DIABETES.X, DIABETES.y, inner_cv=1, **options)


@pytest.mark.parametrize(
    ("cv", "inner_cv", "words"),
    [
        (FOLDS, 3, r"groups must come with .* got \(train, test\) pairs"),
        (TimeSeriesSplit(4), 3, r"groups must come with .* got TimeSeriesSplit"),
        (KFold(4, shuffle=True), 3, r"groups must come with .* KFold.* does not"),
        (4, TimeSeriesSplit(4), r"inner_cv, within .* groups must come with .* got TimeSeriesSplit"),
        (4, KFold(4), r"inner_cv, within .* groups must come with .* KFold.* does not"),
    ],
)
def test_groups_that_folds_would_not_read_are_refused(cv, inner_cv, words):
    with pytest.raises(ArgumentError, match=words):
        nested_cv(DIABETES.X, DIABETES.y, cv=cv, inner_cv=inner_cv, groups=np.arange(len(DIABETES.y)) // 9, **FEW)


def test_rows_of_inner_folds_and_unknown_rules_are_refused():
    with pytest.raises(ArgumentError, match="inner_cv must be a number of folds or a splitter"):
        nested_cv(DIABETES.X, DIABETES.y, inner_cv=FOLDS)
    with pytest.raises(ArgumentError, match="rule"):
        nested_cv(DIABETES.X, DIABETES.y, rule="max")


def test_the_sentences_and_the_table_show_the_optimism_and_the_choices():
    found = nested_cv(DIABETES.X, DIABETES.y, cv=3, inner_cv=3, **FEW)
    told = str(found)
    assert f"{found.mean:.4g} ± {found.se:.2g}" in told
    assert f"shows {found.naive:.4g}" in told
    assert f"the optimism is {found.optimism:.2g}" in told
    assert "3 outer folds" in repr(found)
    pytest.importorskip("pandas")
    np.testing.assert_array_equal(found.to_frame()["score"], found.scores)
