"""From a penalty to its prior and back: the density is the exponential of the penalty, and nothing is guessed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from shrinkage import L1, L1L2, L2, MCP, SCAD, GroupL2, priors, units
from shrinkage._errors import ArgumentError
from shrinkage.priors import GroupLaplace, elastic_net, precision, same_prior, sample, to_distribution, to_penalty

POSITIVE = st.floats(-3.0, 3.0).map(lambda power: 10.0**power)
FACTORS = np.array([0.5, 1.0, 3.0])
GROUPS = [[0, 3], [2], [1, 4, 5]]


def log_ratio(prior, penalty, w, other, n_samples, dispersion):
    """log p(w) - log p(other), of the prior and of exp(-S g / φ)."""
    density = np.sum(prior.logpdf(w)) - np.sum(prior.logpdf(other))
    return density, -n_samples / dispersion * float(penalty.value(w) - penalty.value(other))


@given(POSITIVE, POSITIVE, POSITIVE, st.sampled_from([0.0, 0.3, 0.9, 1.0]), st.booleans())
def test_the_log_density_is_the_penalty_times_rows_over_dispersion(alpha, n, phi, ratio, factors):
    penalty = L1L2(alpha, ratio, FACTORS if factors else None)
    w, other = np.array([0.3, -1.2, 2.0]), np.array([1.0, 0.0, -0.1])
    density, cost = log_ratio(to_distribution(penalty, n, phi), penalty, w, other, n, phi)
    assert density == pytest.approx(cost, rel=1e-8, abs=1e-8)


@given(POSITIVE, POSITIVE, POSITIVE)
def test_scales_are_those_that_the_formulas_say(alpha, n, phi):
    assert to_distribution(L1(alpha), n, phi).kwds["scale"] == pytest.approx(phi / (n * alpha))
    assert to_distribution(L2(alpha), n, phi).var() == pytest.approx(phi / (n * alpha))
    assert precision(L2(alpha), n, phi) == pytest.approx(n * alpha / phi)
    assert precision(L1(alpha), n, phi) == pytest.approx(0.5 * (n * alpha / phi) ** 2)


@given(POSITIVE, POSITIVE, POSITIVE, st.sampled_from([0.0, 0.3, 0.9, 1.0]), st.booleans())
def test_a_penalty_comes_back_from_its_prior(alpha, n, phi, ratio, factors):
    penalty = L1L2(alpha, ratio, FACTORS if factors else None)
    back = to_penalty(to_distribution(penalty, n, phi), n, phi)
    assert isinstance(back, {0.0: L2, 1.0: L1}.get(ratio, L1L2))
    assert back.l1_ratio == pytest.approx(ratio, rel=1e-12)
    given, found = (np.asarray(g.alpha * (1.0 if g.factors is None else g.factors)) for g in (penalty, back))
    np.testing.assert_allclose(found, given, rtol=1e-12)
    assert back.factors is None or back.factors.mean() == pytest.approx(1.0)


def test_laplaces_logarithms_are_scipys_and_do_not_underflow():
    prior, same = to_distribution(L1(0.1), 50), stats.laplace(scale=0.2)
    x = np.array([-3.0, -0.1, 0.0, 0.2, 4.0])
    for method in ("pdf", "logpdf", "cdf", "logcdf", "sf", "logsf"):
        np.testing.assert_allclose(getattr(prior, method)(x), getattr(same, method)(x), rtol=1e-12)
    assert prior.logpdf(400.0) == pytest.approx(-2000.0 + np.log(2.5))
    assert prior.logsf(400.0) == prior.logcdf(-400.0) == pytest.approx(-2000.0 - np.log(2.0))
    assert (prior.var(), prior.stats("k"), prior.entropy()) == (same.var(), same.stats("k"), same.entropy())


def test_other_faces_of_the_same_density_give_the_same_penalty():
    laplace, normal = L1(0.02), L2(0.08)
    assert to_penalty(stats.laplace(0, 0.5), 100) == laplace
    assert to_penalty(stats.gennorm(1, scale=0.5), 100) == laplace
    assert to_penalty(stats.norm(0, scale=0.5), 100, 2.0) == normal
    assert to_penalty(stats.gennorm(2, 0, 0.5 * 2**0.5), 100, 2.0).alpha == pytest.approx(0.08)
    several = to_penalty(stats.multivariate_normal(np.zeros(2), np.diag([0.25, 1.0])), 100, 2.0)
    np.testing.assert_allclose(several.alpha * several.factors, [0.08, 0.02])


def test_units_say_the_same_of_laplace_and_normal_priors():
    for name, kind in (("prior.laplace", L1), ("prior.normal", L2)):
        said = units.convert(name, "shrinkage.L1L2", n_samples=80, scale=0.4, dispersion=2.0)
        prior = stats.laplace(scale=0.4) if kind is L1 else stats.norm(scale=0.4)
        assert to_penalty(prior, 80, 2.0).alpha == pytest.approx(said.arguments["alpha"])


def test_more_rows_make_the_same_prior_a_weaker_strength():
    for penalty in (L1(0.3), L2(0.3), L1L2(0.3, 0.4), L1(0.1) + GroupL2(0.2, [[0, 1]])):
        weaker = same_prior(penalty, 100, 400)
        w = np.array([1.0, -2.0])
        assert 400 * float(weaker.value(w)) == pytest.approx(100 * float(penalty.value(w)))
    assert to_distribution(same_prior(L2(0.3), 100, 400), 400).var() == to_distribution(L2(0.3), 100).var()


def test_standardizing_is_a_prior_of_another_width_in_each_column():
    w, sd = np.array([0.3, -1.2, 2.0]), np.array([2.0, 0.1, 5.0])
    for penalty in (L1(0.3, FACTORS), L2(0.3), L1L2(0.3, 0.4, FACTORS)):
        plain = to_distribution(penalty, 50, 2.0)
        scaled = to_distribution(penalty, 50, 2.0, scale=sd)
        np.testing.assert_allclose(scaled.logpdf(w), plain.logpdf(sd * w) + np.log(sd), rtol=1e-12)
    groups = GroupL2(0.3, [[0, 2], [1]])
    scaled = to_distribution(groups, 50, 2.0, scale=sd)
    expected = to_distribution(groups, 50, 2.0).logpdf(sd * w) + np.log(sd).sum()
    assert scaled.logpdf(w) == pytest.approx(expected)


def test_the_group_lasso_is_a_density_of_all_coefficients_at_once():
    penalty = GroupL2(0.2, GROUPS, weights=[1.0, 2.0, 0.5])
    prior = to_distribution(penalty, 50, 2.0)
    w, other = np.random.default_rng(0).standard_normal((2, 6))
    density, cost = log_ratio(prior, penalty, w, other, 50, 2.0)
    assert density == pytest.approx(cost)
    back = to_penalty(prior, 50, 2.0)
    assert float(back.value(w)) == pytest.approx(float(penalty.value(w)))
    same = to_penalty(to_distribution(GroupL2(0.2, GROUPS), 50), 50)
    assert (same.weights, same.alpha) == ("sqrt", pytest.approx(0.2))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_groups_density_integrates_to_one(size):
    prior = GroupLaplace([list(range(size))], [1.5], scale=np.linspace(1.0, 2.0, size))
    ranges = [(-18.0, 18.0)] * size
    options = {"epsabs": 1e-4, "limit": 40, "points": [0.0]}
    found = (
        integrate.nquad(lambda *x: prior.pdf(np.array(x)), ranges, opts=options)[0] if size < 3 else _by_shells(prior)
    )
    assert found == pytest.approx(1.0, abs=1e-3)


def _by_shells(prior):
    """∫ in spherical coordinates: the surface of a sphere times the density along one direction, scale undone."""
    ray = np.array([1.0, 0.0, 0.0]) / prior.scale
    volume = float(np.prod(1.0 / prior.scale))
    return integrate.quad(lambda r: 4.0 * np.pi * r * r * volume * float(prior.pdf(r * ray)), 0.0, 40.0)[0]


def test_samples_of_groups_have_their_lengths_variances_and_entropy():
    prior = GroupLaplace(GROUPS, [1.0, 2.0, 0.7], scale=[1.0, 2.0, 3.0, 1.0, 0.5, 1.0])
    drawn = prior.rvs(40_000, random_state=3)
    np.testing.assert_array_equal(drawn, prior.rvs(40_000, random_state=3))
    for g, group in enumerate(GROUPS):
        length = np.linalg.norm((drawn * prior.scale)[:, group], axis=1)
        assert stats.kstest(length, prior.length(g).cdf).pvalue > 1e-3
    np.testing.assert_allclose(drawn.var(axis=0), prior.variance(), rtol=0.06)
    np.testing.assert_allclose(drawn.mean(axis=0), prior.mean(), atol=0.06)
    log = -prior.logpdf(drawn)
    assert abs(log.mean() - prior.entropy()) < 4.0 * log.std() / 200.0


def test_groups_along_an_axis_are_those_of_the_penalty():
    w = np.random.default_rng(1).standard_normal((3, 4, 2))
    other = np.zeros_like(w)
    for axis in (0, 1, (0, 2), (), -1):
        penalty = GroupL2(0.1, axis=axis)
        prior = to_distribution(penalty, 20, shape=w.shape)
        found = prior.logpdf(w.reshape(-1)) - prior.logpdf(other.reshape(-1))
        assert found == pytest.approx(-20 * float(penalty.value(w)))


def test_sampled_weights_follow_the_prior_of_their_column():
    drawn = sample(L1(0.1, FACTORS), (20_000, 3), n_samples=50, dispersion=2.0, random_state=5)
    for j, factor in enumerate(FACTORS):
        assert stats.kstest(drawn[:, j], stats.laplace(scale=2.0 / (50 * 0.1 * factor)).cdf).pvalue > 1e-3
    groups = sample(GroupL2(0.1, [[0, 1], [2]]), (10, 3), n_samples=50, random_state=5)
    assert groups.shape == (10, 3)
    assert sample(L2(0.1), 7, n_samples=50, random_state=np.random.default_rng(0)).shape == (7,)


@pytest.mark.parametrize(
    ("penalty", "words"),
    [
        (MCP(1.0), "MCP has no prior: it is bounded"),
        (SCAD(1.0), "SCAD has no prior: it is bounded"),
        (L1(1.0) + GroupL2(1.0, [[0, 1]]), "no closed form"),
        (L1(0.0), "flat prior"),
        (L2(1.0, np.array([1.0, 0.0, 2.0])), "position 1 has"),
        (GroupL2(1.0, [[0, 1], [3]]), "in no group has a flat prior"),
        (GroupL2(1.0, [[0], [1]], weights=[1.0, 0.0]), "group 1 has"),
        (GroupL2(1.0, axis=0), "shape must be given"),
        ("ridge", "penalty must be"),
    ],
)
def test_what_has_no_prior_is_refused_in_a_sentence(penalty, words):
    with pytest.raises(ArgumentError, match=words):
        to_distribution(penalty, 10)


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        (stats.t(3), "must be one that a penalty here is the logarithm of.*got t"),
        (stats.norm(1.0, 2.0), "centered at 0"),
        (stats.gennorm(1.5), "beta is 1 or 2"),
        (stats.multivariate_normal(np.zeros(2), [[1.0, 0.5], [0.5, 1.0]]), "diagonal"),
        (elastic_net(np.array([1.0, 2.0]), scale=1.0), "one l1_ratio"),
        (GroupLaplace([[0, 1]], [1.0], [1.0, 2.0]), "leave it out"),
        (stats.norm, "must be one that"),
    ],
)
def test_what_is_no_penalty_is_refused_in_a_sentence(prior, words):
    with pytest.raises(ArgumentError, match=words):
        to_penalty(prior, 10)


def test_rows_and_dispersion_must_be_said_and_be_positive():
    with pytest.raises(TypeError):
        to_distribution(L1(1.0))
    for arguments in ((0, 1.0), (10, 0.0), (10, -1.0), (np.inf, 1.0), (True, 1.0)):
        with pytest.raises(ArgumentError, match=r"n_samples|dispersion"):
            priors.to_distribution(L1(1.0), *arguments)
