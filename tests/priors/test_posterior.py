"""A prior and data: the most probable weights are the penalized fit, and the normal posterior is the textbook's."""

import numpy as np
import pytest
from scipy import optimize, stats

from shrinkage import L1, L1L2, L2, GroupL2
from shrinkage._errors import ArgumentError
from shrinkage.design import as_design
from shrinkage.losses import Logistic, Squared
from shrinkage.priors import log_posterior, posterior, to_distribution
from shrinkage.problem import Problem
from shrinkage.solvers import solve

RANDOM = np.random.default_rng(11)
X = RANDOM.standard_normal((40, 4)) + np.array([0.0, 1.0, 0.0, -2.0])
SIGNAL = X @ np.array([1.0, -0.5, 0.0, 0.2])
NUMBERS = SIGNAL + RANDOM.standard_normal(40)
CLASSES = (SIGNAL + RANDOM.logistic(size=40) > 0).astype(float)
WEIGHTS = RANDOM.integers(1, 4, 40).astype(float)
PENALTIES = [
    L1(0.1),
    L2(0.2),
    L1L2(0.15, 0.5, np.array([1.0, 0.5, 2.0, 1.0])),
    GroupL2(0.1, [[0, 2], [1, 3]]),
]


def by_hand(problem, phi):
    """(w, b, size) -> Σ log density of rows + Σ log density of weights of that size, nothing of ours but the priors."""
    s = np.ones(40) if problem.sample_weight is None else problem.sample_weight
    prior = to_distribution(problem.penalty, s.sum(), phi, scale=problem.scale)

    def log_density(w, b, size=None):
        eta = X @ w + b
        if isinstance(problem.loss, Squared):
            rows = stats.norm.logpdf(problem.y, eta, np.sqrt(phi))
        else:
            rows = stats.bernoulli.logpmf(problem.y.astype(int), 1.0 / (1.0 + np.exp(-eta)))
        return float(s @ rows + np.sum(prior.logpdf(w if size is None else size)))

    return log_density


def stated(penalty, loss, weights=None, scale=None):
    y = NUMBERS if isinstance(loss, Squared) else CLASSES
    return Problem(as_design(X), y, loss, penalty, sample_weight=weights, scale=scale)


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda g: type(g).__name__)
@pytest.mark.parametrize(("loss", "phi"), [(Squared(), 1.7), (Logistic(), 1.0)], ids=["squared", "logistic"])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_the_most_probable_weights_are_the_penalized_fit(penalty, loss, phi, weights):
    problem = stated(penalty, loss, weights, None if weights is None else X.std(axis=0))
    fit = solve(problem, tol=1e-12)
    log_density = by_hand(problem, phi)
    if isinstance(penalty, (L2, GroupL2)):
        start = np.append(fit.coef + 0.05, fit.intercept)
        found = optimize.minimize(lambda v: -log_density(v[:-1], v[-1]), start, method="BFGS", options={"gtol": 1e-6})
        best = found.x
    else:
        # A density with a kink at 0 is smooth in two parts of each weight, its positive and its negative one.
        start = np.append(np.full(8, 0.1), 0.0)
        bounds = [(0, None)] * 8 + [(None, None)]
        found = optimize.minimize(
            lambda v: -log_density(v[:4] - v[4:8], v[8], v[:4] + v[4:8]), start, method="L-BFGS-B", bounds=bounds,
            options={"ftol": 1e-15, "gtol": 1e-6},
        )  # fmt: skip
        best = np.append(found.x[:4] - found.x[4:8], found.x[8])
    np.testing.assert_allclose(best, np.append(fit.coef, fit.intercept), atol=1e-4)
    here = log_density(fit.coef, fit.intercept)
    assert here >= log_density(best[:-1], best[-1]) - 1e-8
    assert log_posterior(problem, fit.coef, fit.intercept, phi) == pytest.approx(here, rel=1e-12)


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda g: type(g).__name__)
def test_the_log_posterior_is_the_objective_times_rows_over_dispersion(penalty):
    problem = stated(penalty, Squared(), WEIGHTS)
    (w, other), total = RANDOM.standard_normal((2, 4)), WEIGHTS.sum()
    found = log_posterior(problem, w, 0.5, 1.7) - log_posterior(problem, other, -0.3, 1.7)
    expected = -total / 1.7 * (problem.objective(w, 0.5) - problem.objective(other, -0.3))
    assert found == pytest.approx(expected, rel=1e-10)


def test_the_normal_posterior_has_the_mean_and_covariance_of_the_joint_normal_of_weights_and_data():
    phi, wide = 1.7, 1e9
    problem = stated(L2(0.2, np.array([1.0, 2.0, 0.5, 1.0])), Squared(), WEIGHTS)
    fit = solve(problem, tol=1e-14)
    found = posterior(problem, fit.coef, fit.intercept, phi)
    # Rows of weight s have noise variance φ/s in the mean; the intercept's flat prior is a very wide one.
    prior = np.diag(np.append(phi / (WEIGHTS.sum() * 0.2 * np.array([1.0, 2.0, 0.5, 1.0])), wide))
    A = np.column_stack([X, np.ones(40)])
    gain = prior @ A.T @ np.linalg.inv(A @ prior @ A.T + phi * np.diag(1.0 / WEIGHTS))
    np.testing.assert_allclose(found.mean, (gain @ NUMBERS)[:4], rtol=1e-5)
    np.testing.assert_allclose(found.cov, (prior - gain @ A @ prior)[:4, :4], rtol=1e-5, atol=1e-9)


def test_laplaces_approximation_has_the_curvature_of_the_log_posterior():
    problem = stated(L2(0.1), Logistic(), WEIGHTS, scale=X.std(axis=0))
    fit = solve(problem, tol=1e-14)
    precision = np.linalg.inv(posterior(problem, fit.coef, fit.intercept).cov)

    def log_density(v):
        return log_posterior(problem, v[:4], v[4])

    at, step = np.append(fit.coef, fit.intercept), 1e-3
    bend = np.empty((5, 5))
    for i in range(5):
        for j in range(5):
            a, b = step * np.eye(5)[i], step * np.eye(5)[j]
            bend[i, j] = log_density(at + a + b) - log_density(at + a) - log_density(at + b) + log_density(at)
    covariance = np.linalg.inv(-bend / step**2)[:4, :4]
    np.testing.assert_allclose(np.linalg.inv(covariance), precision, rtol=2e-3, atol=0.1)


def test_only_a_normal_prior_has_a_normal_posterior():
    with pytest.raises(ArgumentError, match="normal under an L2 penalty alone; got L1"):
        posterior(stated(L1(0.1), Squared()), np.zeros(4))
