"""The rules that choose a strength, by what defines them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from shrinkage._errors import ArgumentError
from shrinkage.selection import clearly_worse, lowest, one_standard_error, paired_error

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
