"""Laplace's approximation of a logistic ridge's evidence: its own formula, quadrature, and its peak."""

import numpy as np
import pytest
from scipy import integrate

from shrinkage import path
from shrinkage.selection import evidence


def data(n=80, p=4, seed=1):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, p)) + np.linspace(-1.0, 1.0, p)
    return X, ((X - X.mean(axis=0)) @ np.linspace(1.0, -0.5, p) + random.logistic(size=n) > 0).astype(float)


def log_likelihood(eta, y, s=1.0):
    return (s * (y * eta - np.logaddexp(0.0, eta))).sum(axis=-1)


@pytest.mark.parametrize(("n", "p"), [(80, 4), (15, 30)])
def test_it_is_the_volume_under_the_normal_curve_at_the_fit(n, p):
    X, y = data(n, p)
    factors, alphas = np.linspace(0.5, 2.0, p), np.array([0.3, 0.05])
    found = evidence(X, y, loss="logistic", alphas=alphas, penalty_factor=factors, tol=1e-12)
    fits = path(X, y, loss="logistic", l1_ratio=0.0, alphas=alphas, penalty_factor=factors, tol=1e-12)
    for k, alpha in enumerate(alphas):
        w, b = fits.coefs.toarray()[:, k], fits.intercepts[k]
        mu = 1.0 / (1.0 + np.exp(-(X @ w + b)))
        A = np.column_stack([X, np.ones(n)])
        prior = np.append(n * alpha * factors, 0.0)
        hessian = (A.T * (mu * (1.0 - mu))) @ A + np.diag(prior)
        expected = log_likelihood(X @ w + b, y) - 0.5 * prior[:p] @ w**2 + 0.5 * np.log(prior[:p]).sum()
        expected += 0.5 * np.log(2.0 * np.pi) - 0.5 * np.linalg.slogdet(hessian)[1]
        assert found.curve[k] == pytest.approx(expected, rel=1e-8)
        hat = np.trace(np.linalg.solve(hessian, hessian - np.diag(prior))) - 1.0
        assert found.gammas[k] == pytest.approx(hat, rel=1e-7)


def test_it_is_near_the_evidence_by_quadrature():
    X, y = data(80, 1)
    alphas = np.array([1.0, 0.1, 0.01])
    found = evidence(X, y, loss="logistic", alphas=alphas)
    b = np.linspace(-6.0, 6.0, 241)
    w = np.linspace(-6.0, 8.0, 281)
    eta = w[:, None, None] * X[:, 0] + b[:, None]
    fit = log_likelihood(eta, y)
    for k, alpha in enumerate(alphas):
        log = fit + (-0.5 * 80 * alpha * w**2 + 0.5 * np.log(80 * alpha / (2.0 * np.pi)))[:, None]
        top = log.max()
        volume = integrate.simpson(integrate.simpson(np.exp(log - top), x=b), x=w)
        assert found.curve[k] == pytest.approx(top + np.log(volume), abs=0.03)


def test_its_peak_is_the_highest_point_and_the_error_its_curvature():
    X, y = data(150, 6)
    found = evidence(X, y, loss="logistic", standardize=True)
    assert found.log_evidence >= found.curve.max() - 1e-9
    step = 0.1
    around = found.alpha * np.exp([step, 0.0, -step])
    high, middle, low = evidence(X, y, loss="logistic", standardize=True, alphas=around).curve
    assert middle >= max(high, low)
    assert found.log_alpha_se == pytest.approx(((2.0 * middle - high - low) / step**2) ** -0.5, rel=1e-2)
    assert found.dispersion == 1.0
    assert "Laplace's approximation" in str(found)
    by_hand = evidence(X / X.std(axis=0), y, loss="logistic")
    assert by_hand.alpha == pytest.approx(found.alpha, rel=1e-4)


def test_a_weight_of_two_is_the_row_twice_and_labels_may_be_words():
    X, y = data(60, 3)
    counts = np.random.default_rng(2).integers(1, 4, 60)
    weighted = evidence(X, y, loss="logistic", sample_weight=counts)
    repeated = evidence(
        np.repeat(X, counts, axis=0), np.repeat(np.where(y > 0, "yes", "no"), counts), loss="logistic"
    )  # fmt: skip
    assert weighted.alpha == pytest.approx(repeated.alpha, rel=1e-4)
    assert weighted.log_evidence == pytest.approx(repeated.log_evidence, rel=1e-8)


def test_classes_that_nothing_tells_apart_have_an_infinite_strength():
    X = np.repeat(np.random.default_rng(3).standard_normal((30, 4)), 2, axis=0)
    found = evidence(X, np.tile([0.0, 1.0], 30), loss="logistic")
    assert found.alpha == np.inf
    assert np.abs(found.coef).max() < 1e-9
    assert np.isnan(found.log_alpha_se)
