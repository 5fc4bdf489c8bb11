"""Claim 7 holds, and its check sees each way in which it could fail."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from shrinkage import L1, L2
from shrinkage.claims import ClaimBroken, _priors
from shrinkage.claims._priors import CLAIM
from shrinkage.losses import Squared
from shrinkage.priors import log_posterior, posterior, to_distribution, to_penalty
from shrinkage.selection import evidence
from shrinkage.solvers import solve


@pytest.fixture(scope="module")
def record(quick):
    return quick(CLAIM)


def densities_again(record):
    return replace(
        record,
        unit_scale=_priors.measure_density(1.0, 1.0),
        unit_variance=_priors.measure_density(1.0, float(np.sqrt(2.0))),
    )


def modes_again(record):
    X, y, _ = _priors._real()["diabetes"]
    return replace(record, modes=(_priors.measure_mode("diabetes", X, y, Squared(), L2(0.05), 0.5),))


def precisions_again(record):
    precisions, round_trip, posterior_error = _priors.measure_precisions()
    return replace(record, precisions=precisions, round_trip=round_trip, posterior_error=posterior_error)


def test_the_claim_holds(record):
    CLAIM.check(record)
    assert 3 <= len(CLAIM.lines(record)) <= 8


def test_the_densities_are_those_of_scipy_and_cross_where_their_logarithms_do(record):
    found = record.unit_variance
    np.testing.assert_allclose(found.normal, stats.norm.pdf(_priors.PLACES), rtol=1e-12)
    np.testing.assert_allclose(found.laplace, stats.laplace(scale=np.sqrt(0.5)).pdf(_priors.PLACES), rtol=1e-12)
    # x² / 2 - √2 x + log(√(π)) = 0, the larger root
    assert found.crossing == pytest.approx(np.sqrt(2) + np.sqrt(2 - np.log(np.pi)), abs=2e-4)


def test_the_most_probable_weights_of_a_ridge_are_its_closed_form():
    X, y, loss = _priors._real()["diabetes"]
    mode = _priors.most_probable(X, y, loss, stats.norm(scale=0.1), 0.5)
    np.testing.assert_allclose(mode, np.linalg.solve(X.T @ X + 0.5 / 0.01 * np.eye(10), X.T @ y), rtol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda penalty: stats.laplace() if isinstance(penalty, L2) else stats.norm(), "at 0, normal"),
        (lambda penalty: stats.norm(scale=0.5 if isinstance(penalty, L1) else 1.0), "at 4, normal"),
        (lambda penalty: to_distribution(L2(0.95) if isinstance(penalty, L2) else penalty, 1.0), "normal density at 0"),
        (lambda penalty: to_distribution(L1(1.3) if isinstance(penalty, L1) else penalty, 1.0), "at 2 Laplace"),
        (lambda penalty: to_distribution(L1(0.9) if isinstance(penalty, L1) else penalty, 1.0), "Laplace density at 0"),
    ],
)
def test_other_densities_are_noticed(record, monkeypatch, wrong, said):
    monkeypatch.setattr(_priors, "to_distribution", lambda penalty, n_samples: wrong(penalty))
    with pytest.raises(ClaimBroken, match=said):
        CLAIM.check(densities_again(record))


def test_a_prior_that_forgets_the_noise_has_another_mode(record, monkeypatch):
    monkeypatch.setattr(
        _priors, "to_distribution", lambda penalty, n_samples, dispersion: to_distribution(penalty, n_samples)
    )
    with pytest.raises(ClaimBroken, match="from the fit"):
        CLAIM.check(modes_again(record))


def test_a_fit_at_the_strength_of_the_sum_instead_of_the_mean_is_noticed(record, monkeypatch):
    def summed(problem, tol):
        return solve(problem.with_penalty(problem.penalty * len(problem.y)), tol=tol)

    monkeypatch.setattr(_priors, "solve", summed)
    with pytest.raises(ClaimBroken, match="from the fit"):
        CLAIM.check(modes_again(record))


def test_a_posterior_of_another_noise_is_not_the_objective(record, monkeypatch):
    monkeypatch.setattr(_priors, "log_posterior", lambda problem, w, b, dispersion: log_posterior(problem, w, b, 1.0))
    with pytest.raises(ClaimBroken, match="more than a constant"):
        CLAIM.check(modes_again(record))


def test_a_prior_without_the_number_of_rows_has_another_precision(record, monkeypatch):
    monkeypatch.setattr(_priors, "to_distribution", lambda penalty, n_samples, phi: to_distribution(penalty, 1.0, phi))
    with pytest.raises(ClaimBroken, match="not S α / φ"):
        CLAIM.check(precisions_again(record))


def test_a_strength_that_does_not_come_back_is_noticed(record, monkeypatch):
    monkeypatch.setattr(_priors, "to_penalty", lambda *prior: 1.001 * to_penalty(*prior))
    with pytest.raises(ClaimBroken, match="there and back"):
        CLAIM.check(precisions_again(record))


def test_a_posterior_that_forgets_its_prior_is_noticed(record, monkeypatch):
    def flat(problem, coef, intercept, dispersion):
        return posterior(problem.with_penalty(L2(1e-9)), coef, intercept, dispersion)

    monkeypatch.setattr(_priors, "posterior", flat)
    with pytest.raises(ClaimBroken, match=r"off prior \+ data"):
        CLAIM.check(precisions_again(record))


def test_a_strength_that_predicts_badly_is_noticed(record, monkeypatch):
    def summed(X, y, prior, loss, n_draws):
        told = evidence(X, y, prior=prior, loss=loss, n_draws=n_draws)
        return replace(told, alpha=told.alpha * len(y))

    monkeypatch.setattr(_priors, "evidence", summed)
    with pytest.raises(ClaimBroken, match="held out"):
        CLAIM.check(replace(record, chosen=_priors.measure_chosen(250)))


@pytest.mark.parametrize(
    ("factor", "said"), [(lambda k: 100.0, "in the median"), (lambda k: (50.0, 0.02, 1.0)[k % 3], "times as much")]
)
def test_evidence_that_does_not_find_the_prior_is_noticed(record, monkeypatch, factor, said):
    calls = iter(range(100))

    def wrong(X, y):
        told = evidence(X, y)
        return replace(told, alpha=told.alpha * factor(next(calls)))

    monkeypatch.setattr(_priors, "evidence", wrong)
    ratios, excess = _priors.measure_ratios(6)
    with pytest.raises(ClaimBroken, match=said):
        CLAIM.check(replace(record, ratios=ratios, excess=excess))


@pytest.mark.parametrize(
    ("name", "field"), [("alpha_min", "by_evidence"), ("alpha_min", "alpha_1se"), ("by_evidence", "alpha_1se")]
)
def test_real_strengths_in_another_order_than_the_text_says_are_noticed(record, name, field):
    first = record.chosen[0]
    turned = replace(first, **{name: getattr(first, field), field: getattr(first, name)})
    with pytest.raises(ClaimBroken, match="not more and more"):
        CLAIM.check(replace(record, chosen=(turned, *record.chosen[1:])))


def test_a_cross_validation_that_chooses_badly_is_noticed(record):
    wrong = record.ratios | {"cross-validation": 1e6 * record.ratios["cross-validation"]}
    with pytest.raises(ClaimBroken, match=r"cross-validation chooses .* in the median"):
        CLAIM.check(replace(record, ratios=wrong))
    with pytest.raises(ClaimBroken, match="at cross-validation's strength err"):
        CLAIM.check(replace(record, excess=record.excess | {"cross-validation": 1e9}))
