"""The bounds of stability selection, against the R package stabs, linear programs and a free optimization."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from shrinkage._errors import ArgumentError
from shrinkage.selection._stability_bounds import (
    ASSUMPTIONS,
    expected_low_choices,
    largest_q,
    r_concave_tail,
    smallest_threshold,
    threshold_step,
)

# R 4.0.3, stabs 0.6-4, tests/regtest-inference.Rout.save: stabsel_parameters(cutoff = 0.6, q = 1..10, p = 100), B = 50.
STABS_UNIMODAL = [0.02631579, 0.1052632, 0.2368421, 0.4210526, 0.6578947, 0.9473684, 1.289474, 1.684211, 2.131579]
STABS_R_CONCAVE = [
    0.006971364,
    0.03342845,
    0.08691176,
    0.1637231,
    0.2605329,
    0.3820466,
    0.5295188,
    0.7042719,
    0.9077127,
]


@pytest.mark.parametrize("q", range(1, 10))
def test_bounds_are_those_of_the_r_package(q):
    """Its optimizer stops at 1e-4 of a: never above ours, and less than 4e-5 below."""
    assert expected_low_choices(q, 100, 0.6, 50, "none") == pytest.approx(q * q / 100 / 0.2)
    assert expected_low_choices(q, 100, 0.6, 50, "unimodal") == pytest.approx(STABS_UNIMODAL[q - 1], rel=1e-6)
    ours = expected_low_choices(q, 100, 0.6, 50, "r-concave")
    assert -1e-7 < ours - STABS_R_CONCAVE[q - 1] < 4e-5


def test_the_numbers_that_follow_from_a_bound_are_those_of_the_r_package():
    """From the same file: optimal_q and optimal_cutoff with p = 200, PFER = 0.2, B = 50."""
    assert largest_q(200, 0.6, 0.2, 50, "r-concave") == 6
    assert largest_q(200, 0.6, 0.2, 50, "unimodal") == 3
    assert smallest_threshold(7, 200, 0.2, 50, "r-concave") == 0.62
    assert smallest_threshold(7, 200, 0.2, 50, "unimodal") == 0.81
    known = [(6, 0.6, 0.174), (7, 0.6, 0.248), (7, 0.62, 0.196), (7, 0.61, 0.219)]
    for q, threshold, bound in known:
        assert round(expected_low_choices(q, 200, threshold, 50, "r-concave"), 3) == bound


def free_optimum(mean, at, size, r, starts=5):
    """The largest tail over all r-concave probabilities with full support, by SLSQP over g = f^r, convex and > 0."""
    i = np.arange(size + 1)
    second = np.diff(np.eye(size + 1), 2, axis=0)

    def probability(log_f):
        f = np.exp(log_f - log_f.max())
        return f / f.sum()

    def convexity(log_f):
        return second @ np.exp(r * (log_f - log_f.mean()))

    best = 0.0
    rng = np.random.default_rng(0)
    for start in range(starts):
        a = np.exp(rng.uniform(-3, 3))
        guess = (np.log(a + i) - np.log(a)) / r + (0.01 * rng.normal(size=size + 1) if start else 0)
        found = optimize.minimize(
            lambda x: -probability(x)[at:].sum(),
            guess,
            constraints=[
                {"type": "ineq", "fun": lambda x: mean * size - probability(x) @ i},
                {"type": "ineq", "fun": convexity},
            ],
            bounds=[(-30.0, 30.0)] * (size + 1),
            method="SLSQP",
            options={"maxiter": 300, "ftol": 1e-12},
        )
        f = probability(found.x)
        if mean * size - f @ i > -1e-8 and convexity(found.x).min() > -1e-8:
            best = max(best, f[at:].sum())
    return best


@pytest.mark.parametrize(("mean", "at", "size", "r"), [(0.1, 4, 6, -0.5), (0.08, 5, 7, -0.25), (0.15, 6, 8, -0.5)])
def test_the_r_concave_tail_is_the_optimum_of_a_free_search(mean, at, size, r):
    tail = r_concave_tail(mean, at, size, r)
    found = free_optimum(mean, at, size, r)
    assert found <= tail + 1e-6
    assert found == pytest.approx(tail, rel=2e-3)


@given(st.integers(0, 10_000), st.sampled_from([-0.5, -0.25]))
@settings(max_examples=20)
def test_no_r_concave_probability_has_a_larger_tail(seed, r):
    rng = np.random.default_rng(seed)
    size, i = 20, np.arange(21)
    knots = rng.uniform(-5, 25, size=3)
    g = rng.exponential() * i + np.maximum(i[:, None] - knots, 0) @ rng.exponential(size=3) + rng.exponential()
    g = g[::-1] if rng.random() < 0.1 else g
    f = (g + 1e-3) ** (1 / r) * (i <= rng.integers(8, 21))
    f /= f.sum()
    mean = f @ i / size
    for at in (3, 8, 15, 20):
        assert f[at:].sum() <= r_concave_tail(mean, at, size, r) + 1e-9


def unimodal_program(mean, at, size):
    """The largest tail of a unimodal probability on {0, ..., size} with this expectation: a linear program per mode."""
    i, best = np.arange(size + 1), 0.0
    steps = np.diff(np.eye(size + 1), axis=0)
    for mode in range(size + 1):
        falls = np.where(np.arange(size) < mode, -1.0, 1.0)[:, None] * steps
        found = optimize.linprog(
            -(i >= at).astype(float), A_ub=np.vstack([falls, i]), b_ub=np.append(np.zeros(size), mean * size),
            A_eq=np.ones((1, size + 1)), b_eq=[1.0], bounds=(0, None),
        )  # fmt: skip
        best = max(best, -found.fun if found.success else 0.0)
    return best


@pytest.mark.parametrize("theta", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("at", [13, 15, 17, 20])
def test_the_unimodal_bound_is_never_below_the_linear_program_and_mostly_it(theta, at):
    """A half-sample's share passes only if that of pairs reaches 2τ - 1; the expectation of the latter is <= θ²."""
    n_pairs = 10
    q, p = theta * 1000, 1000
    exact = unimodal_program(theta**2, at - n_pairs, n_pairs) * p
    bound = expected_low_choices(q, p, at / (2 * n_pairs), n_pairs, "unimodal")
    assert exact <= bound * (1 + 1e-9)
    assert bound <= exact * 1.25


@given(st.integers(1, 100), st.floats(0.5, 1.0), st.integers(1, 60), st.integers(101, 2000))
@settings(max_examples=25)
def test_each_assumption_gives_no_more_than_the_one_it_contains_and_none_more_than_all_features(q, tau, pairs, p):
    bounds = [expected_low_choices(q, p, tau, pairs, assumption) for assumption in ASSUMPTIONS]
    assert p >= bounds[0] >= bounds[1] >= bounds[2] > 0


@pytest.mark.parametrize("assumption", ASSUMPTIONS)
def test_bounds_fall_with_the_threshold_and_rise_with_q(assumption):
    over = [expected_low_choices(10, 200, at / 40, 20, assumption) for at in range(21, 41, 3)]
    assert (np.diff(over) <= 1e-12).all()
    rising = [expected_low_choices(q, 200, 0.7, 20, assumption) for q in range(1, 60, 9)]
    assert (np.diff(rising) >= -1e-12).all()


@pytest.mark.parametrize("assumption", ASSUMPTIONS)
@pytest.mark.parametrize("bound", [0.6, 1.0, 4.0])
def test_what_follows_from_a_bound_keeps_it_and_the_next_number_does_not(assumption, bound):
    tau = smallest_threshold(12, 300, bound, 30, assumption)
    assert expected_low_choices(12, 300, tau, 30, assumption) <= bound * (1 + 1e-12)
    if tau > 31 / 60:
        assert expected_low_choices(12, 300, tau - 1 / 60, 30, assumption) > bound
    q = largest_q(300, 0.8, bound, 30, assumption)
    assert (
        expected_low_choices(q, 300, 0.8, 30, assumption)
        <= bound
        < expected_low_choices(q + 1, 300, 0.8, 30, assumption)
    )


def test_a_bound_that_nothing_keeps_is_refused_with_what_would():
    with pytest.raises(ArgumentError, match=r"bound must be at least 0\.4902.*lower q to 31"):
        smallest_threshold(50, 200, 0.2, 50, "unimodal")
    with pytest.raises(ArgumentError, match="no q does; raise bound"):
        smallest_threshold(50, 200, 1e-9, 50, "unimodal")
    with pytest.raises(ArgumentError, match="raise threshold or bound"):
        largest_q(50, 0.6, 0.001, 50, "unimodal")
    assert (
        expected_low_choices(31, 200, 1.0, 50, "unimodal") <= 0.2 < expected_low_choices(32, 200, 1.0, 50, "unimodal")
    )


def test_a_threshold_counts_as_the_next_number_of_half_samples():
    assert [threshold_step(t, 50) for t in (0.6, 0.601, 0.609999, 0.61, 0.07 * 10)] == [60, 61, 61, 61, 70]
    for assumption in ASSUMPTIONS:
        assert expected_low_choices(9, 100, 0.605, 50, assumption) == expected_low_choices(9, 100, 0.61, 50, assumption)


def test_at_one_half_or_below_nothing_is_bounded_but_by_all_features():
    for assumption in ("none", "unimodal"):
        assert expected_low_choices(9, 100, 0.5, 50, assumption) == 100


@pytest.mark.parametrize(
    ("mean", "at", "size", "r"), [(0.0001, 10, 50, -0.5), (0.05, 61, 100, -0.25), (0.2, 9, 10, -0.5)]
)
def test_the_tail_is_the_largest_over_every_member_of_the_family(mean, at, size, r):
    """f(i) = c (a + i)^(1/r) up to k, the rest at k + 1 and no more than the curve goes on with."""

    def members(a, k):
        """Their tails, and whether the rest at k + 1 is below 0, fits, or is above the curve."""
        f = (1 + np.arange(k + 2) / a[:, None]) ** (1 / r)
        c = (k + 1 - mean * size) / ((k + 1 - np.arange(k + 1)) * f[:, :-1]).sum(1)
        rest = 1 - c * f[:, :-1].sum(1)
        return 1 - c * f[:, :at].sum(1), np.sign(np.minimum(rest, 0.0)) + (rest > c * f[:, -1])

    best, coarse = 0.0, np.geomspace(1e-6, 1e4, 1001)
    for k in range(at - 1, size):
        place = members(coarse, k)[1]
        ends = [np.linspace(coarse[j], coarse[j + 1], 1001) for j in np.flatnonzero(np.diff(place))]
        tail, place = members(np.concatenate([coarse, *ends]), k)
        best = max(best, tail[place == 0].max(initial=0.0))
    assert best <= r_concave_tail(mean, at, size, r) * (1 + 1e-9)
    assert r_concave_tail(mean, at, size, r) <= best * 1.001  # its place is an end of an interval, which a grid misses
