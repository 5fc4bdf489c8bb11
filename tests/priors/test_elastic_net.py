"""The elastic net's density: what makes a distribution, at every ratio of its two rates."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from shrinkage.priors import elastic_net

RATES = st.floats(-8.0, 10.0).map(lambda power: 10.0**power) | st.just(0.0)


def whole(function, t, **options):
    """An integral over the line, in pieces where the density lives."""
    unit = 1.0 / (1.0 + t)
    ends = np.array([0.0, 1.0, 4.0, 12.0, 40.0]) * unit
    places, weights = np.polynomial.legendre.leggauss(80)  # of functions that are analytic on each piece
    return sum((b - a) * weights @ function(a + (b - a) * (places + 1.0) / 2.0) for a, b in pairwise(ends))


@settings(max_examples=10)
@given(RATES)
def test_it_integrates_to_one_and_has_the_moments_and_entropy_of_its_density(t):
    prior = elastic_net(t)
    assert whole(prior.pdf, t) == pytest.approx(1.0, rel=1e-10)
    for order in (2, 4, 6):
        assert prior.moment(order) == pytest.approx(whole(lambda x, k=order: x**k * prior.pdf(x), t), rel=1e-9)
    entropy = whole(lambda x: -prior.pdf(x) * prior.logpdf(x), t)
    assert prior.entropy() == pytest.approx(entropy, rel=1e-8, abs=1e-8)
    mean, variance, skew, excess = prior.stats("mvsk")
    assert (mean, skew) == (0.0, 0.0)
    assert variance == pytest.approx(prior.moment(2), rel=1e-14)
    assert excess + 3.0 == pytest.approx(prior.moment(4) / prior.moment(2) ** 2, rel=1e-12)


@given(RATES, st.floats(1e-300, 0.5), st.booleans())
def test_quantiles_undo_probabilities_in_both_tails(t, q, lower):
    prior = elastic_net(t)
    if lower:
        assert prior.logcdf(prior.ppf(q)) == pytest.approx(np.log(q), rel=1e-13, abs=1e-13)
    else:
        assert prior.logsf(prior.isf(q)) == pytest.approx(np.log(q), rel=1e-13, abs=1e-13)


@given(RATES, st.floats(-30.0, 30.0))
def test_the_density_is_the_slope_of_the_probability_and_both_are_symmetric(t, place):
    prior = elastic_net(t)
    x = place / (1.0 + t)
    assert prior.pdf(x) == prior.pdf(-x)
    assert prior.cdf(x) == pytest.approx(prior.sf(-x), rel=1e-15)
    assert prior.cdf(x) + prior.sf(x) == pytest.approx(1.0, rel=1e-15)
    step = 1e-4 / (1.0 + t)
    slope = (prior.cdf(-abs(x) + step) - prior.cdf(-abs(x) - step)) / (2.0 * step)
    if abs(x) > step:
        assert slope == pytest.approx(prior.pdf(x), rel=1e-6)


def test_its_ends_are_the_normal_and_the_laplace_distribution():
    x = np.array([-3.0, -0.2, 0.0, 0.5, 5.0])
    np.testing.assert_allclose(elastic_net(0.0).logpdf(x), stats.norm.logpdf(x), rtol=1e-14)
    np.testing.assert_allclose(elastic_net(0.0).ppf([0.01, 0.5, 0.9]), stats.norm.ppf([0.01, 0.5, 0.9]), rtol=1e-14)
    t = 1e9
    np.testing.assert_allclose(elastic_net(t, scale=t).logpdf(x), stats.laplace.logpdf(x), rtol=1e-14)
    np.testing.assert_allclose(elastic_net(t, scale=t).cdf(x), stats.laplace.cdf(x), rtol=1e-14)
    assert elastic_net(t, scale=t).stats("k") == pytest.approx(3.0, rel=1e-12)


@pytest.mark.parametrize("t", [0.0, 0.3, 5.0, 1e6])
def test_samples_follow_it(t):
    prior = elastic_net(t, scale=2.0)
    drawn = prior.rvs(size=20_000, random_state=7)
    assert stats.kstest(drawn, prior.cdf).pvalue > 1e-3
    np.testing.assert_array_equal(drawn, prior.rvs(size=20_000, random_state=7))


def test_extremes_stay_finite_and_exact():
    assert elastic_net(1e300).pdf(0.0) == pytest.approx(5e299, rel=1e-12)
    assert elastic_net(1e300).ppf(0.75) == pytest.approx(np.log(2.0) / 1e300, rel=1e-12)
    assert elastic_net(3.0, scale=1e100).std() == pytest.approx(1e100 * elastic_net(3.0).std(), rel=1e-14)
    assert elastic_net(2.0).sf(60.0) == 0.0
    assert elastic_net(2.0).logsf(60.0) < -1900.0
    np.testing.assert_array_equal(elastic_net(1.0).ppf([0.0, 0.5, 1.0]), [-np.inf, 0.0, np.inf])
    assert np.isnan(elastic_net(-1.0).pdf(0.0))


def test_it_takes_arrays_and_is_frozen_pickled_and_fitted_as_those_of_scipy():
    many = elastic_net(np.array([0.0, 1.0, 2.0]), scale=np.array([1.0, 2.0, 3.0]))
    alone = [elastic_net(t, scale=s) for t, s in zip([0.0, 1.0, 2.0], [1.0, 2.0, 3.0], strict=True)]
    np.testing.assert_allclose(many.pdf(0.4), [one.pdf(0.4) for one in alone], rtol=1e-15)
    assert many.rvs(size=(50, 3), random_state=0).shape == (50, 3)
    again = pickle.loads(pickle.dumps(many))
    np.testing.assert_array_equal(again.var(), many.var())
    drawn = elastic_net(1.0, scale=2.0).rvs(size=4000, random_state=1)
    t, loc, scale = elastic_net.fit(drawn, 1.0, floc=0.0, scale=2.0)
    assert loc == 0.0
    assert elastic_net(t, scale=scale).std() == pytest.approx(drawn.std(), rel=0.02)
