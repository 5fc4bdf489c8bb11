"""Sample splitting: p-values against oracles, aggregation by brute force, refusals, and its promise by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, sparse, stats

from shrinkage._errors import ArgumentError, DataError
from shrinkage._path import state
from shrinkage.selection import _half_samples, sample_splitting
from shrinkage.selection._half_samples import draw_pairs
from shrinkage.selection._refit import logistic_test, t_test
from shrinkage.selection._splitting_record import aggregate


def draw(seed, n=80, p=40, n_strong=3, size=1.0, loss="squared"):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    strong = np.sort(rng.choice(p, n_strong, replace=False))
    eta = X[:, strong] @ (size * rng.choice([-1.0, 1.0], n_strong))
    y = eta + rng.normal(size=n) if loss == "squared" else (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
    return X, y, strong


def test_the_t_test_is_that_of_least_squares():
    X, y, _ = draw(0, p=4)
    ones = np.ones((80, 1))
    p = t_test(X, ones, y, np.ones(80))
    for j in range(4):  # by Frisch and Waugh: the partial correlation's own test
        others = np.column_stack([np.delete(X, j, axis=1), ones])
        left = [v - others @ np.linalg.lstsq(others, v, rcond=None)[0] for v in (X[:, j], y)]
        r = np.corrcoef(*left)[0, 1]
        t = r * np.sqrt((80 - 5) / (1 - r**2))
        assert p[j] == pytest.approx(2 * stats.t.sf(abs(t), 75), rel=1e-8)
    assert t_test(X[:, :1], ones, y, np.ones(80))[0] == pytest.approx(stats.linregress(X[:, 0], y).pvalue)


def negative_log_likelihood(A, y, weights, offset):
    def value(w):
        eta = offset + A @ w
        return weights @ (np.logaddexp(0, eta) - y * eta)

    return value


def test_likelihood_ratios_and_wald_are_those_of_a_general_optimizer():
    X, y, _ = draw(1, n=200, p=3, size=0.7, loss="logistic")
    weights, offset = np.random.default_rng(0).integers(1, 3, 200).astype(float), np.linspace(-1, 1, 200)
    A = np.column_stack([X, np.ones(200)])
    whole = optimize.minimize(negative_log_likelihood(A, y, weights, offset), np.zeros(4), tol=1e-12)
    likelihood = logistic_test(X, np.ones((200, 1)), y, weights, offset, "likelihood")
    wald = logistic_test(X, np.ones((200, 1)), y, weights, offset, "wald")
    mean = 1 / (1 + np.exp(-offset - A @ whole.x))
    covariance = np.linalg.inv((A * (weights * mean * (1 - mean))[:, None]).T @ A)
    for j in range(3):
        less = optimize.minimize(
            negative_log_likelihood(np.delete(A, j, 1), y, weights, offset), np.zeros(3), tol=1e-12
        )
        assert likelihood[j] == pytest.approx(stats.chi2.sf(2 * (less.fun - whole.fun), 1), rel=1e-4)
        assert wald[j] == pytest.approx(stats.chi2.sf(whole.x[j] ** 2 / covariance[j, j], 1), rel=1e-4)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_a_weight_of_two_is_the_row_twice_and_units_do_not_matter(loss):
    X, y, _ = draw(2, n=90, p=4, size=0.5, loss=loss)
    weights = np.where(np.arange(90) % 3 == 0, 2.0, 1.0)
    twice = np.repeat(np.arange(90), weights.astype(int))

    def test(X, y, w):
        ones = np.ones((len(y), 1))
        return t_test(X, ones, y, w) if loss == "squared" else logistic_test(X, ones, y, w, np.zeros(len(y)), "wald")

    np.testing.assert_allclose(test(X, y, weights), test(X[twice], y[twice], np.ones(len(twice))), rtol=1e-6)
    units = np.array([1e-4, 1.0, 1e4, -3.0])
    np.testing.assert_allclose(test(X * units, y, weights), test(X, y, weights), rtol=1e-6)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_a_coefficient_that_the_rows_do_not_determine_has_p_one_and_the_others_their_own(loss):
    X, y, _ = draw(3, n=90, p=3, size=0.5, loss=loss)
    doubled = np.column_stack([X, -2.0 * X[:, 0], np.ones(90)])
    ones, w = np.ones((90, 1)), np.ones(90)
    test = (lambda A: t_test(A, ones, y, w)) if loss == "squared" else (
        lambda A: logistic_test(A, ones, y, w, np.zeros(90), "likelihood"))  # fmt: skip
    p = test(doubled)
    assert p[[0, 3, 4]].tolist() == [1.0, 1.0, 1.0]
    np.testing.assert_allclose(p[1:3], test(X)[1:3], rtol=1e-6)


def test_classes_that_rows_separate_are_refused():
    X = np.arange(20.0)[:, None]
    with pytest.raises(DataError, match="separate the classes"):
        logistic_test(X, np.ones((20, 1)), (X[:, 0] > 9).astype(float), np.ones(20), np.zeros(20), "wald")


def brute(p, gamma_min):
    """Equation 2.3 on a fine grid of γ, with the quantile as the paper has it."""
    ordered = np.sort(p)
    gammas = np.concatenate([np.linspace(gamma_min, 1, 4001), np.arange(1, len(p) + 1) / len(p)])
    gammas = gammas[gammas >= gamma_min - 1e-12]
    quantiles = ordered[np.maximum(np.ceil(gammas * len(p) - 1e-9).astype(int), 1) - 1]
    return min(1.0, (1 - np.log(gamma_min)) * np.minimum(quantiles / gammas, 1).min())


@given(st.integers(0, 10_000), st.sampled_from([0.05, 0.1, 0.37]), st.integers(2, 60))
def test_splits_are_joined_by_the_best_quantile_at_its_price(seed, gamma_min, n):
    p = np.random.default_rng(seed).uniform(size=(n, 2)) ** np.array([1, 6])
    joined = aggregate(p, gamma_min)
    assert joined == pytest.approx([brute(p[:, 0], gamma_min), brute(p[:, 1], gamma_min)])


def test_however_splits_depend_the_joined_p_value_is_below_a_level_no_more_often():
    rng = np.random.default_rng(0)
    for shared in (0.0, 0.5, 0.95, 1.0):  # normal scores that share a part
        z = np.sqrt(shared) * rng.normal(size=(1, 4000)) + np.sqrt(1 - shared) * rng.normal(size=(50, 4000))
        joined = aggregate(stats.norm.sf(z), 0.05)
        for level in (0.01, 0.05, 0.2):
            assert np.mean(joined <= level) <= level + 3 * np.sqrt(level / 4000)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_each_split_tests_on_one_half_what_the_other_chose(loss):
    X, y, _ = draw(4, n=120, p=40, size=1.5, loss=loss)
    found = sample_splitting(X, y, q=3, n_splits=6, loss=loss, random_state=7)
    problem = state(X, y, loss, 1.0, True, False, None, None, None, None)[0]
    pairs = draw_pairs(problem, 6, np.random.default_rng(7))
    for b, (_, rows) in enumerate(pairs):
        chosen = np.flatnonzero(found.split_p_values[b] < 1)
        assert len(chosen) <= 3
        ones, w = np.ones((len(rows), 1)), np.ones(len(rows))
        part = (X[rows][:, chosen], ones, y[rows], w)
        if len(chosen) == 3:
            p = t_test(*part) if loss == "squared" else logistic_test(*part, np.zeros(len(rows)), "likelihood")
            np.testing.assert_allclose(found.split_p_values[b, chosen], np.minimum(3 * p, 1), rtol=1e-6)
    np.testing.assert_allclose(found.p_values, aggregate(found.split_p_values, 0.05))


def test_free_columns_offsets_weights_and_sparse_columns_are_honored():
    X, y, _ = draw(5)
    X[np.abs(X) < 0.5] = 0.0
    factors = np.ones(40)
    factors[0] = 0.0
    weights = np.random.default_rng(0).integers(1, 3, 80).astype(float)
    more = {"penalty_factor": factors, "sample_weight": weights, "q": 4, "n_splits": 5}
    found = sample_splitting(X, y, **more)
    assert found.free.tolist() == [0]
    assert found.p_values[0] == 1.0
    # what a free column explains is no evidence, and neither is an offset
    np.testing.assert_allclose(sample_splitting(X, y + 9.0 * X[:, 0] + 5.0, **more).p_values, found.p_values, rtol=1e-5)
    shift = 0.1 * np.arange(80)
    np.testing.assert_allclose(sample_splitting(X, y + shift, offset=shift, **more).p_values, found.p_values, rtol=1e-5)
    np.testing.assert_allclose(sample_splitting(sparse.csc_array(X), y, **more).p_values, found.p_values, rtol=1e-5)


def test_one_split_is_said_to_be_a_lottery_and_many_say_what_one_would_have_decided():
    X, y, _ = draw(6, size=0.8)
    one = sample_splitting(X, y, q=5, n_splits=1)
    assert "One split is a lottery" in str(one)
    np.testing.assert_array_equal(one.p_values, one.split_p_values[0])
    many = sample_splitting(X, y, q=5, n_splits=20)
    j = int(np.argmin(many.p_values))
    assert f"for {j} its p-value was between {many.split_p_values[:, j].min():.2g}" in str(many)
    said = str(many)
    for words in ("rows are independent", "linear in these columns", "errors are normal", "every feature that matters"):
        assert words in said
    assert "rows are many for each coefficient" in str(
        sample_splitting(*draw(6, n=200, loss="logistic")[:2], q=3, n_splits=3, loss="logistic")
    )


def test_without_q_a_sixth_of_the_rows_or_what_can_be_tested_is_chosen():
    X, y, _ = draw(7, n=60)
    assert sample_splitting(X, y, n_splits=3).q == 10
    X, y, _ = draw(7, n=60, loss="logistic")
    rarer = int(min(y.sum(), 60 - y.sum()))
    assert sample_splitting(X, y, n_splits=3, loss="logistic").q == rarer // 2 // 5


def test_more_than_the_other_half_can_test_is_refused():
    X, y, _ = draw(8, n=60)
    with pytest.raises(
        ArgumentError, match="q must be at most 27, what least squares on the testing half can estimate"
    ):
        sample_splitting(X, y, q=28)
    sample_splitting(X, y, q=27, n_splits=2)
    X, y, _ = draw(8, n=60, p=200)
    with pytest.raises(DataError, match="more than the 27 that its other half can test"):
        sample_splitting(X, y, alpha=1e-4, n_splits=3)
    with pytest.raises(DataError, match="No split can give p-values"):
        sample_splitting(X[:16], np.arange(16) % 2, loss="logistic")
    with pytest.raises(ArgumentError, match="each 5 testing rows of the rarer class"):
        sample_splitting(X, np.arange(60) % 2, loss="logistic", q=20)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"q": 3, "alpha": 0.1}, "give q or alpha"),
        ({"n_splits": 0}, "n_splits must be a whole number"),
        ({"level": 0.0}, "level must be between 0 and 1, these left out"),
        ({"gamma_min": 1.0}, "gamma_min must be between 0 and 1, these left out"),
        ({"test": "score"}, "test must be one of 'likelihood', 'wald'"),
        ({"l1_ratio": 0.0}, "ridge chooses every feature"),
    ],
)
def test_what_can_not_be_asked_is_refused(arguments, message):
    X, y, _ = draw(9)
    with pytest.raises(ArgumentError, match=message):
        sample_splitting(X, y, **arguments)


def test_splits_that_separate_the_classes_count_as_one_and_are_said():
    X, y, _ = draw(10, n=100, p=20, loss="logistic")
    X[:, 0] = np.where(y > 0, 1.0, -1.0) + 0.01 * X[:, 0]
    found = sample_splitting(X, y, q=2, n_splits=4, loss="logistic")
    assert found.n_separated == 4
    assert (found.p_values == 1).all()
    assert "In 4 splits the testing rows separate the classes" in str(found)


def test_ctrl_c_keeps_the_splits_that_are_finished(monkeypatch):
    X, y, _ = draw(11, p=150)
    whole = sample_splitting(X, y, q=4, n_splits=20)
    walk, calls = _half_samples._walk, []

    def interrupted(*args):
        calls.append(1)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return walk(*args)

    monkeypatch.setattr(_half_samples, "_walk", interrupted)
    found = sample_splitting(X, y, q=4, n_splits=20)
    assert (found.n_splits, found.n_splits_asked) == (6, 20)
    np.testing.assert_array_equal(found.split_p_values, whole.split_p_values[:6])
    np.testing.assert_array_equal(found.p_values, aggregate(whole.split_p_values[:6], 0.05))
    assert "6 of 20 splits were finished" in str(found)


def rates(n_sets, n, p, n_strong, q, loss="squared", size=1.0, n_splits=50, **more):
    """Share of the sets with a false feature among the significant ones, and mean share of strong features found."""
    wrong, found = [], []
    for seed in range(n_sets):
        X, y, strong = draw(seed, n, p, n_strong, size, loss)
        chosen = sample_splitting(X, y, q=q, n_splits=n_splits, loss=loss, random_state=seed, **more).significant
        wrong.append(len(np.setdiff1d(chosen, strong)) > 0)
        found.append(len(np.intersect1d(chosen, strong)) / max(n_strong, 1))
    return np.mean(wrong), np.mean(found)


def test_in_a_few_sets_no_false_feature_is_significant_and_strong_ones_are_found():
    wrong, found = rates(10, 100, 60, 3, q=6, n_splits=20)
    assert wrong <= 0.1
    assert found >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("n_strong", [0, 3])
def test_over_400_sets_a_false_feature_is_significant_in_no_more_than_the_level(n_strong):
    wrong, found = rates(400, 100, 80, n_strong, q=8)
    assert wrong <= 0.05
    assert found >= 0.9 or n_strong == 0


@pytest.mark.slow
@pytest.mark.parametrize("test", ["likelihood", "wald"])
def test_over_150_logistic_sets_too(test):
    wrong, found = rates(150, 300, 60, 3, q=6, loss="logistic", size=1.5, n_splits=20, test=test)
    assert wrong <= 0.05
    assert found >= 0.9
