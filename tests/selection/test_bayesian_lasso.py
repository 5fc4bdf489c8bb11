"""The Laplace prior's scale: each draw of the sampler, the strength against quadrature, and what interrupts it."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, special, stats

from shrinkage import L1, cross_validate, path
from shrinkage.design import as_design
from shrinkage.losses import Squared
from shrinkage.problem import Problem
from shrinkage.selection import _bayesian_lasso, evidence
from shrinkage.selection._bayesian_lasso import Chain, inverse_gaussian
from shrinkage.selection._evidence_data import reduce


def data(n=60, p=8, seed=0):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, p))
    return X, 1.0 + X @ np.where(np.arange(p) < 3, 1.5, 0.1) + random.standard_normal(n)


@pytest.mark.parametrize(("mean", "shape"), [(1.0, 2.0), (50.0, 0.5), (1e8, 1.0), (0.01, 3.0)])
def test_inverse_gaussian_draws_follow_their_distribution(mean, shape):
    drawn = inverse_gaussian(np.full(20_000, mean), shape, np.random.default_rng(4))
    assert drawn.min() > 0
    # An infinite mean leaves Lévy's distribution, of one over a squared normal variable.
    known = stats.levy(scale=shape) if mean > 1e6 else stats.invgauss(mean / shape, scale=shape)
    assert stats.kstest(drawn, known.cdf).pvalue > 1e-3


@pytest.mark.parametrize("wide", [False, True])
def test_coefficients_are_drawn_from_their_conditional_density_by_either_formula(wide):
    X, y = data(40, 4)
    reduced = reduce(Problem(as_design(X), y, Squared(), L1(1.0)), 1)
    chain = Chain(reduced, np.random.default_rng(2), np.ones(4), 1.0)
    if wide:
        chain.gram = None
    inverse, sigma = np.array([20.0, 1.0, 5.0, 60.0]), 1.7
    drawn = np.array([chain._coefficients(inverse, sigma) for _ in range(8000)])
    centered = X - X.mean(axis=0)
    M = np.linalg.inv(centered.T @ centered + np.diag(inverse))
    root = np.linalg.cholesky(sigma**2 * M)
    whitened = np.linalg.solve(root, (drawn - M @ centered.T @ y).T)
    for coordinate in whitened:
        assert stats.kstest(coordinate, stats.norm.cdf).pvalue > 1e-3
    np.testing.assert_allclose(np.corrcoef(whitened), np.eye(4), atol=0.05)


def test_without_data_the_chain_draws_laplace_coefficients_in_units_of_sigma():
    X, y = data(40, 6)
    reduced = reduce(Problem(as_design(X), y, Squared(), L1(1.0)), 1)
    reduced = replace(reduced, squares=np.full(6, 1e-14), c=np.zeros(6))
    chain, rate = Chain(reduced, np.random.default_rng(6), np.ones(6), 1.0), 1.5
    drawn = []
    for k in range(9000):
        chain.step(rate)
        if k % 15 == 0:  # far enough apart to be nearly independent
            drawn.extend(chain.beta / np.sqrt(chain.sigma2))
    assert stats.kstest(drawn, stats.laplace(scale=1.0 / rate).cdf).pvalue > 1e-3


def log_evidence_of_orthogonal_columns(reduced, rate):
    """∫ dσ²/σ² of ∏_j ∫ db ½ λ exp(-½ (c_j/σ - d_j b)² - λ|b|), b = β/σ, each in closed form."""
    c, d = reduced.c * np.sign(reduced.right.sum(axis=0)), np.sqrt(reduced.squares)
    log_s2 = np.linspace(-4.0, 4.0, 4001)
    sigma = np.exp(0.5 * log_s2)[:, None]
    z, ratio = c / sigma, rate / d
    halves = np.logaddexp(
        0.5 * (z - ratio) ** 2 + special.log_ndtr(z - ratio), 0.5 * (z + ratio) ** 2 + special.log_ndtr(-z - ratio)
    )
    each = -0.5 * z**2 + halves + np.log(0.5 * ratio) + 0.5 * np.log(2.0 * np.pi)
    log = each.sum(axis=1) - 0.5 * reduced.freedom * log_s2 - 0.5 * reduced.rest * np.exp(-log_s2)
    return float(special.logsumexp(log))


def orthogonal(n=80, p=6):
    random = np.random.default_rng(3)
    X = np.linalg.qr(random.standard_normal((n, p)))[0] * np.sqrt(n) * np.linspace(0.7, 1.4, p)
    return X, X @ np.array([2.0, -1.0, 0.1, 0.0, 0.3, 0.0]) + random.standard_normal(n)


def test_the_strength_and_its_errors_are_those_of_the_evidence_by_quadrature():
    X, y = orthogonal()
    found = evidence(X, y, prior="laplace", fit_intercept=False, n_draws=5000, random_state=2)
    reduced = reduce(Problem(as_design(X), y, Squared(), L1(1.0), fit_intercept=False), 1)

    def curve(u):
        return log_evidence_of_orthogonal_columns(reduced, np.exp(u))

    best = optimize.minimize_scalar(lambda u: -curve(u), bounds=(-3, 4), method="bounded", options={"xatol": 1e-8})
    rate = 80 * found.alpha / np.sqrt(found.dispersion)
    assert abs(np.log(rate) - best.x) < 4.0 * found.monte_carlo.error
    assert found.monte_carlo.error < 0.05
    bend = (2.0 * curve(best.x) - curve(best.x + 0.01) - curve(best.x - 0.01)) / 0.01**2
    assert found.log_alpha_se == pytest.approx(bend**-0.5, rel=0.1)


def test_the_monte_carlo_error_is_the_spread_over_seeds():
    X, y = data(50, 5)
    found = [evidence(X, y, prior="laplace", n_draws=400, random_state=seed) for seed in range(10)]
    strengths = np.log([one.alpha for one in found])
    errors = np.array([one.monte_carlo.error for one in found])
    # The spread of 10 is itself known to about a quarter; alpha has the noise of σ beside that of λ.
    assert 0.4 * errors.mean() < strengths.std(ddof=1) < 2.5 * errors.mean()


def test_the_fixed_point_is_that_of_park_and_casellas_update():
    X, y = data()
    found = evidence(X, y, prior="laplace", n_draws=4000)
    reduced = reduce(Problem(as_design(X), y, Squared(), L1(1.0)), 1)
    rate = 60 * found.alpha / np.sqrt(found.dispersion)
    chain = Chain(reduced, np.random.default_rng(8), np.ones(8), 1.0)
    sizes = np.empty(4000)
    for k in range(4000):
        chain.step(rate)
        # E[τ² | β, σ] of the inverse Gaussian of 1/τ²: 1/mean + 1/shape.
        sizes[k] = np.sum(np.abs(chain.beta)) / (rate * np.sqrt(chain.sigma2)) + 8 / rate**2
    assert np.sqrt(2 * 8 / sizes[400:].mean()) == pytest.approx(rate, rel=0.03)


@pytest.mark.parametrize(("n", "p"), [(60, 8), (25, 40)])
def test_the_record_holds_the_lasso_at_that_strength_and_the_posterior_beside_it(n, p):
    X, y = data(n, p)
    found = evidence(X, y, prior="laplace", standardize=True, n_draws=600)
    fit = path(X, y, alphas=[found.alpha], standardize=True, tol=1e-12)
    np.testing.assert_allclose(found.coef, fit.coefs.toarray()[:, 0], atol=1e-4)
    assert found.gamma == np.count_nonzero(found.coef)
    assert isinstance(found.penalty, L1)
    sampled = found.monte_carlo
    assert (np.abs(sampled.mean - found.coef) < 4.0 * sampled.sd).all()
    assert found.distribution.dist.name == "laplace"
    beside = found.compare(cross_validate(X, y, standardize=True, cv=5, n_alphas=20))
    assert beside.alpha == found.alpha
    assert f"with seed 0: log(alpha) has a Monte Carlo error of {sampled.error:.2g}" in str(found)


def test_a_seed_gives_the_same_answer_to_the_bit_and_another_seed_another():
    X, y = data(40, 5)
    first, again, other = (
        evidence(X, y, prior="laplace", n_draws=300, random_state=s) for s in (1, 1, 2)
    )  # fmt: skip
    assert (first.alpha, first.dispersion) == (again.alpha, again.dispersion)
    np.testing.assert_array_equal(first.monte_carlo.trace, again.monte_carlo.trace)
    assert first.alpha != other.alpha


def test_free_columns_factors_and_weights_are_honored():
    X, y = data(50, 5)
    y = y + 100.0 * X[:, 4]
    factors = np.array([1.0, 2.0, 0.5, 1.0, 0.0])
    counts = np.random.default_rng(5).integers(1, 3, 50)
    found = evidence(X, y, prior="laplace", penalty_factor=factors, sample_weight=counts, n_draws=1000)
    again = np.repeat(np.arange(50), counts)
    repeated = evidence(X[again], y[again], prior="laplace", penalty_factor=factors, n_draws=1000)
    error = np.hypot(found.monte_carlo.error, repeated.monte_carlo.error)
    assert abs(np.log(found.alpha / repeated.alpha)) < 4.0 * error
    assert found.coef[4] == pytest.approx(100.0, abs=1.0)
    assert np.isnan(found.monte_carlo.mean[4])


def test_an_interruption_returns_what_the_rounds_so_far_say(monkeypatch):
    X, y = data(40, 5)
    whole = evidence(X, y, prior="laplace", n_draws=1000)
    runs, run = [], _bayesian_lasso.run

    def interrupted(*arguments):
        runs.append(1)
        if len(runs) > limit:
            raise KeyboardInterrupt
        return run(*arguments)

    monkeypatch.setattr(_bayesian_lasso, "run", interrupted)
    limit = 2
    part = evidence(X, y, prior="laplace", n_draws=1000)
    assert "interrupted after 2 rounds" in str(part)
    np.testing.assert_allclose(part.monte_carlo.trace, whole.monte_carlo.trace[:3] * _unit(part, whole), rtol=1e-12)
    limit = 2
    with pytest.raises(KeyboardInterrupt):
        evidence(X, y, prior="laplace", n_draws=1000)


def _unit(part, whole):
    """Traces are strengths, so they carry the noise that each record was read with."""
    return np.sqrt(part.dispersion) / np.sqrt(whole.dispersion)
