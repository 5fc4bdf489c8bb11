"""The rules that choose a strength, by what defines them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from shrinkage._errors import ArgumentError
from shrinkage.selection import RULES, choose, clearly_worse, lowest, one_standard_error, paired_error, rule_words

MEANS = st.lists(st.floats(0.0, 10.0) | st.just(float("nan")), min_size=1, max_size=12).filter(
    lambda values: np.isfinite(values).any()
)


@given(MEANS, st.floats(0.0, 5.0))
def test_one_standard_error_takes_the_largest_strength_among_the_near_ones(means, error):
    strengths = np.random.default_rng(0).permutation(len(means)) / 7
    means = np.array(means)
    best, chosen = lowest(means), one_standard_error(means, error, strengths)
    assert means[best] == np.nanmin(means)
    assert means[chosen] - means[best] <= error
    assert strengths[chosen] >= strengths[best]
    larger = strengths > strengths[chosen]
    assert not (means[larger] - means[best] <= error).any()


def test_with_no_error_the_lowest_is_chosen_unless_a_larger_strength_is_as_low():
    assert one_standard_error([2.0, 1.0, 3.0], 0.0, [1, 2, 3]) == 1
    assert one_standard_error([2.0, 1.0, 1.0], 0.0, [1, 2, 3]) == 2
    assert one_standard_error([2.0, 1.0, 3.0], np.nan, [1, 2, 3]) == 1
    assert one_standard_error([1.1, 1.0, 1.1], [9.0, 0.0, np.nan], [1, 2, 3]) == 1


def test_what_can_not_be_chosen_from_is_refused():
    for means in ([], [np.nan], [[1.0]]):
        with pytest.raises(ArgumentError, match="means must be a vector"):
            lowest(means)
    with pytest.raises(ArgumentError, match=r"strengths must have shape \(2,\)"):
        one_standard_error([1.0, 2.0], 0.1, [1.0])
    with pytest.raises(ArgumentError, match="rows must have shape"):
        clearly_worse([1.0, 2.0])


def test_the_paired_error_is_that_of_the_paired_t_test():
    losses = np.random.default_rng(0).gamma(2.0, size=(4, 30))
    best = lowest(losses.mean(1))
    errors = paired_error(losses, best)
    for k in set(range(4)) - {best}:
        t = stats.ttest_rel(losses[k], losses[best]).statistic
        assert (losses[k] - losses[best]).mean() / errors[k] == pytest.approx(t)
    assert errors[best] == 0.0
    assert np.isnan(paired_error(losses[:, :1], best)[[k for k in range(4) if k != best]]).all()


def test_what_all_rows_share_cancels():
    rng = np.random.default_rng(1)
    own, shared = rng.normal(size=(3, 50)), 100 * rng.normal(size=50)
    np.testing.assert_allclose(paired_error(own + shared, 0), paired_error(own, 0), rtol=1e-9, atol=1e-12)


def losses_of(seed, n_strengths=6, n_columns=8, own=0.2, shared=1.0):
    rng = np.random.default_rng(seed)
    rows = own * rng.normal(size=(n_strengths, n_columns)) + shared * rng.normal(size=n_columns)
    return rows + np.linspace(-0.3, 0.3, n_strengths)[rng.permutation(n_strengths), None]


@pytest.mark.parametrize("seed", range(8))
def test_a_choice_is_one_standard_error_of_the_best_or_of_the_difference_or_none(seed):
    losses, strengths = losses_of(seed), np.random.default_rng(seed).permutation(6) / 7
    means, found = losses.mean(1), {rule: choose(losses, strengths, rule) for rule in RULES}
    best = lowest(means)
    own, paired = stats.sem(losses, axis=1), [stats.sem(row - losses[best]) for row in losses]
    for rule, width in (("1se", np.full(6, own[best])), ("1se-paired", np.minimum(paired, own[best]))):
        assert (found[rule].best, found[rule].chosen) == (best, found[rule].one_se)
        np.testing.assert_allclose(found[rule].allowed, width)
        assert found[rule].one_se == one_standard_error(means, width, strengths)
    assert (found["min"].chosen, found["min"].one_se) == (best, found["1se"].one_se)
    np.testing.assert_allclose(found["1se"].se, own)
    np.testing.assert_allclose(found["1se"].difference_se, paired)


@given(st.integers(0, 10_000), st.floats(0.0, 3.0))
def test_the_paired_rule_never_takes_a_larger_strength_than_the_rule_of_the_field(seed, shared):
    losses, strengths = losses_of(seed, shared=shared), np.arange(6)
    assert choose(losses, strengths, "1se-paired").one_se <= choose(losses, strengths, "1se").one_se


@pytest.mark.parametrize("rule", RULES)
@given(st.integers(0, 10_000), st.floats(1.0, 1e6))
def test_a_strength_that_collapses_under_one_seed_is_taken_by_no_rule(rule, seed, collapse):
    losses, strengths = losses_of(seed, shared=0.0), np.arange(7)
    collapsed = losses[lowest(losses.mean(1))].copy()  # as good as the best, but for one seed
    collapsed[seed % 8] += 8 * (collapse + 1.0)  # its mean is above by more than 1, its own error as large
    found = choose(np.vstack([losses, collapsed]), strengths, rule)
    assert found.difference_se[6] > 0.99 * (collapse + 1.0)
    assert found.one_se != 6
    assert found.one_se == choose(losses, strengths[:6], rule).one_se


@pytest.mark.parametrize("differences", [(-0.01, -0.01, 3.0), (0.0, 1.0), (0.0, 0.0, 3.0), (-0.01, 0.0, 0.0, 0.0, 5.0)])
def test_a_strength_that_differs_under_one_seed_alone_is_not_let_in_by_its_own_error(differences):
    """Its mean is above by hardly more than its paired error, however bad that seed is."""
    losses = np.array([[0.3] * len(differences), 0.3 + np.array(differences)])
    found = choose(losses, [0.0, 1.0], "1se-paired")
    assert losses.mean(1)[1] - 0.3 <= found.difference_se[1] * (1 + 1e-12)
    assert (found.best, found.one_se) == (0, 0)


@given(st.integers(0, 10_000), st.floats(10.0, 1e4))
def test_a_seed_that_is_bad_for_all_strengths_moves_the_paired_choice_not_at_all(seed, bad):
    losses, strengths = losses_of(seed, shared=0.0), np.arange(6)
    worse = losses + np.where(np.arange(8) == seed % 8, bad, 0.0)
    before, after = (choose(each, strengths, "1se-paired") for each in (losses, worse))
    np.testing.assert_allclose(after.difference_se, before.difference_se, atol=1e-9)
    assert after.one_se >= before.one_se  # min(paired, own) is now the paired error alone
    means = losses.mean(1)
    assert means[after.one_se] - means[after.best] <= before.difference_se[after.one_se] + 1e-9
    assert choose(worse, strengths, "1se").one_se == 5  # the unpaired rule takes the largest there is


def test_choices_scale_and_shift_with_the_losses():
    for seed in range(20):
        losses = losses_of(seed)
        for rule in RULES:
            one, other = choose(losses, np.arange(6), rule), choose(4.0 * losses + 8.0, np.arange(6), rule)
            assert (one.best, one.one_se, one.chosen) == (other.best, other.one_se, other.chosen)
            np.testing.assert_allclose(other.allowed, 4.0 * one.allowed)


def test_one_column_has_no_error_and_missing_strengths_are_passed_over():
    for rule in RULES:
        assert choose([[1.0], [1.0], [1.1]], [1, 2, 3], rule).one_se == 1
        found = choose([[np.nan, np.nan], [1.0, 2.0], [np.nan, np.nan]], [1, 2, 3], rule)
        assert (found.best, found.one_se) == (1, 1)


def test_rules_that_are_not_known_and_losses_without_columns_are_refused():
    for call in (lambda: choose([[1.0, 2.0]], [1], "2se"), lambda: rule_words("2se")):
        with pytest.raises(ArgumentError, match="1se-paired"):
            call()
    with pytest.raises(ArgumentError, match="losses must have shape"):
        choose([1.0, 2.0], [1, 2])


def test_beyond_noise_means_the_one_sided_paired_t_test():
    rng = np.random.default_rng(2)
    for trial in range(40):
        losses = rng.normal(size=(5, 20)) + 0.25 * np.arange(5)[:, None] * (trial % 5)
        out, best = clearly_worse(losses, level=0.05), lowest(losses.mean(1))
        p = [stats.ttest_rel(losses[k], losses[best], alternative="greater").pvalue if k != best else 1.0
             for k in range(5)]  # fmt: skip
        np.testing.assert_array_equal(out, np.array(p) < 0.05 / 4)
        assert not out[best]


def test_as_good_ones_stay_at_least_as_often_as_the_level_says():
    rng = np.random.default_rng(3)
    # The best is the luckiest of five, so the gaps are larger than a single test supposes; the bound is for one pair.
    dropped = np.mean([clearly_worse(rng.normal(size=(2, 40)), level=0.1).any() for _ in range(2000)])
    assert dropped < 0.2 + 3 * np.sqrt(0.2 * 0.8 / 2000)  # either of two may be the luckier one


def test_who_could_still_catch_up_stays():
    rows = np.random.default_rng(4).normal(size=100)
    losses = np.array([rows, rows + 1.0, rows + 1.0, rows + 1.0])
    means = losses.mean(1)
    before = means + np.array([0.0, 1.1, 0.9, -5.0])  # gains of the last doubling
    assert clearly_worse(losses, before, doublings=1.0).tolist() == [False, False, True, True]
    assert clearly_worse(losses, before, doublings=3.0).tolist() == [False, False, False, True]
    assert clearly_worse(losses, before, doublings=0.0).tolist() == [False, True, True, True]


def test_one_strength_or_one_row_is_no_race():
    assert clearly_worse(np.ones((1, 9))).tolist() == [False]
    assert clearly_worse([[1.0], [9.0]]).tolist() == [False, False]
