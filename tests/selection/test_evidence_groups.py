"""One strength for each group: the marginal density written out, fixed points, and groups that leave."""

import numpy as np
import pytest
from scipy import optimize
from sklearn.linear_model import ARDRegression

from shrinkage import path
from shrinkage._errors import ArgumentError
from shrinkage.selection import evidence
from shrinkage.selection._evidence_data import reduce
from shrinkage.selection._evidence_groups import _bend, _point

GROUPS = [[0, 5], [1, 2, 3], [4], [6, 7, 8, 9]]


def data(n=60, seed=0, p=10):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, p))
    w = np.zeros(p)
    w[:6] = [2.0, 0.3, -0.2, 0.4, 0.0, -1.5]
    return X, X @ w + random.standard_normal(n)


def log_marginal(y, X, alphas, groups, phi):
    covariance = phi * np.eye(len(y))
    for alpha, group in zip(alphas, groups, strict=True):
        if np.isfinite(alpha):
            covariance += phi / (len(y) * alpha) * X[:, group] @ X[:, group].T
    logdet = np.linalg.slogdet(covariance)[1]
    return -0.5 * (len(y) * np.log(2.0 * np.pi) + logdet + y @ np.linalg.solve(covariance, y))


@pytest.mark.parametrize("n", [60, 8])
def test_it_is_the_marginal_density_at_its_own_strengths_and_higher_than_nearby(n):
    X, y = data(n)
    found = evidence(X, y, groups=GROUPS, fit_intercept=False)
    assert found.log_evidence == pytest.approx(log_marginal(y, X, found.alpha, GROUPS, found.dispersion), rel=1e-9)
    for g in range(4):
        for factor in (0.5, 0.9, 1.1, 2.0):
            nearby = found.alpha.copy()
            nearby[g] *= factor
            if np.isinf(nearby[g]):
                nearby[g] = 10.0 ** (3 - 4 * factor)
            assert log_marginal(y, X, nearby, GROUPS, found.dispersion) <= found.log_evidence + 1e-9
    for phi in (0.9, 1.1):
        assert log_marginal(y, X, found.alpha, GROUPS, phi * found.dispersion) < found.log_evidence


@pytest.mark.parametrize("n", [60, 8])
def test_each_strength_is_a_fixed_point_of_mackay(n):
    X, y = data(n)
    found = evidence(X, y, groups=GROUPS, fit_intercept=False)
    residual = y - X @ found.coef
    for g, group in enumerate(GROUPS):
        if np.isfinite(found.alpha[g]):
            size = found.coef[group] @ found.coef[group]
            assert found.alpha[g] == pytest.approx(found.dispersion * found.gamma[g] / (n * size), rel=1e-5)
    assert found.dispersion == pytest.approx(residual @ residual / (n - found.gamma.sum()), rel=1e-5)


def test_one_group_of_all_columns_is_ridge():
    X, y = data()
    one, ridge = evidence(X, y, groups=[range(10)], standardize=True), evidence(X, y, standardize=True)
    for name in ("alpha", "log_alpha_se", "gamma"):
        assert getattr(one, name)[0] == pytest.approx(getattr(ridge, name), rel=1e-6)
    assert one.log_evidence == pytest.approx(ridge.log_evidence, rel=1e-12)
    np.testing.assert_allclose(one.coef, ridge.coef, rtol=1e-6)


def test_a_group_without_signal_is_switched_off_and_one_with_it_is_not():
    X, y = data(200)
    others = np.column_stack([np.ones(200), X[:, :6], y])
    X[:, 6:] -= others @ np.linalg.lstsq(others, X[:, 6:], rcond=None)[0]
    found = evidence(X, y, groups=[[0], [5], [6, 7, 8, 9]])
    np.testing.assert_array_equal(np.isinf(found.alpha), [False, False, True])
    assert not found.coef[6:].any()
    assert "group 2 (4 columns): switched off" in str(found)
    # Columns 1 to 4 are in no group, so free.
    fit = path(X, y, l1_ratio=0.0, alphas=[1.0], penalty_factor=_factors(found, 10), tol=1e-13)
    np.testing.assert_allclose(found.coef, fit.coefs.toarray()[:, 0], atol=1e-7)


def _factors(found, p):
    factors = np.zeros(p)
    for strength, group in zip(found.alpha, found.groups, strict=True):
        factors[list(group)] = min(strength, 1e9)
    return factors


def test_two_copies_of_one_column_do_not_both_leave():
    X, y = data(100)
    X[:, 9] = X[:, 0]
    found = evidence(X, y, groups=[[j] for j in range(10)])
    assert np.isfinite(found.alpha[[0, 9]]).any()
    assert found.coef[[0, 9]].sum() == pytest.approx(2.0, abs=0.5)


def test_relevance_determination_is_at_least_as_high_as_scikit_learns():
    X, y = data(50, seed=3)
    theirs = ARDRegression(
        alpha_1=0,
        alpha_2=0,
        lambda_1=0,
        lambda_2=0,
        fit_intercept=False,
        tol=1e-10,
        max_iter=5000,
        threshold_lambda=1e12,
    ).fit(X, y)
    each = [[j] for j in range(10)]
    ours = evidence(X, y, groups=each, fit_intercept=False)
    there = log_marginal(y, X, theirs.lambda_ / theirs.alpha_ / 50, each, 1.0 / theirs.alpha_)
    assert ours.log_evidence >= there - 1e-6
    kept = np.isfinite(ours.alpha)
    np.testing.assert_allclose(ours.coef[kept], theirs.coef_[kept], rtol=1e-2)


@pytest.mark.parametrize(("n", "phi"), [(60, None), (8, None), (60, 1.3)])
def test_slopes_and_bends_are_those_of_the_value(n, phi):
    from shrinkage.design import as_design
    from shrinkage.losses import Squared
    from shrinkage.problem import Problem

    X, y = data(n)
    reduced = reduce(Problem(as_design(X), y, Squared(), L2_of_one()), 2)
    owner = np.empty(10, dtype=np.int64)
    for g, group in enumerate(GROUPS):
        owner[group] = g
    u = np.log([0.05, 0.3, 1.0, 0.2])

    def value(v):
        return _point(reduced, owner, np.exp(v), phi).value

    def slope(v):
        return _point(reduced, owner, np.exp(v), phi).slope

    np.testing.assert_allclose(slope(u), optimize.approx_fprime(u, value, 1e-6), atol=1e-5)
    bend = _bend(reduced, owner, np.exp(u), _point(reduced, owner, np.exp(u), phi), phi)
    by_hand = np.array([(slope(u + 1e-5 * e) - slope(u - 1e-5 * e)) / 2e-5 for e in np.eye(4)])
    np.testing.assert_allclose(bend, by_hand, atol=1e-7)


def L2_of_one():
    from shrinkage import L2

    return L2(1.0)


def test_factors_within_groups_and_the_penalty_of_the_record_agree():
    X, y = data(80)
    factors = np.linspace(0.5, 2.0, 10)
    found = evidence(X, y, groups=GROUPS[:2], penalty_factor=factors)
    penalty = found.penalty
    assert not penalty.factors[[4, 6, 7, 8, 9]].any()
    np.testing.assert_allclose(penalty.factors[[0, 5]], found.alpha[0] * factors[[0, 5]])
    fit = path(X, y, alphas=[1.0], penalty=penalty, tol=1e-13)
    np.testing.assert_allclose(found.coef, fit.coefs.toarray()[:, 0], rtol=1e-6)


def test_several_strengths_are_not_compared_with_one():
    from shrinkage import cross_validate

    X, y = data(80)
    with pytest.raises(ArgumentError, match="one strength, this evidence one for each group"):
        evidence(X, y, groups=GROUPS).compare(cross_validate(X, y, l1_ratio=0.0, cv=3, n_alphas=5))
