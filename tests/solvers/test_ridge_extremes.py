"""Ridge where rounding rules: far columns without an intercept, free polynomials, sizes 1e-8 to 1e8, far offsets."""

import numpy as np
import pytest
from scipy import sparse

from shrinkage import DataError, cross_validate, path
from shrinkage.design import as_design
from shrinkage.losses import Logistic, Squared
from shrinkage.penalties import L2
from shrinkage.problem import Problem
from shrinkage.solvers import _ridge_columns, _ridge_ground
from shrinkage.solvers._ridge import ridge_folds, ridge_path
from shrinkage.solvers._ridge_certificate import certify
from shrinkage.solvers._ridge_newton import MAX_STEPS
from shrinkage.solvers._scale import column_scale

SHAPES = [(60, 150), (150, 60)]
FAINT = np.geomspace(10.0, 1e-3, 6)


def halves(n_samples):
    rows = np.arange(n_samples)
    return [(rows[rows % 3 != k], rows[rows % 3 == k]) for k in range(3)]


def years(n_samples=200, extra=0, seed=0):
    """A year and its powers, to be free, beside penalized noise; and the same fit's centered powers."""
    rng = np.random.default_rng(seed)
    t = rng.uniform(2000, 2020, n_samples)
    u = (t - 2010) / 10
    noise = rng.standard_normal((n_samples, 5 + extra))
    y = u**3 - 0.6 * u + 0.05 * rng.standard_normal(n_samples)
    factors = np.r_[0.0, 0.0, 0.0, np.ones(5 + extra)]
    return np.c_[t, t**2, t**3, noise], np.c_[u, u**2, u**3, noise], y, factors


@pytest.mark.parametrize("far", [1e4, 1e6])
@pytest.mark.parametrize("storage", [np.asarray, sparse.csc_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("shape", SHAPES)
def test_far_columns_without_an_intercept_keep_what_is_small_beside_their_mean(shape, storage, far):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal(shape) + far, rng.standard_normal(shape[0])
    problem = Problem(as_design(storage(X)), y, Squared(), L2(1.0), fit_intercept=False)
    found = ridge_path(problem, FAINT, 1e-6)
    assert np.all(problem.relative(found.gaps) <= 1e-9)
    for t, alpha in enumerate(FAINT):
        rows = np.vstack([X / np.sqrt(shape[0]), np.sqrt(alpha) * np.eye(shape[1])])
        oracle = np.linalg.lstsq(rows, np.append(y / np.sqrt(shape[0]), np.zeros(shape[1])), rcond=1e-15)[0]
        np.testing.assert_allclose(found.coefs.toarray()[:, t], oracle, atol=1e-6 * np.abs(oracle).max())


@pytest.mark.parametrize("shape", SHAPES)
def test_folds_of_far_columns_are_fits_of_their_own_rows(shape):
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal(shape) + 1e6, rng.standard_normal(shape[0])
    problem = Problem(as_design(X), y, Squared(), L2(1.0), fit_intercept=False)
    found = ridge_folds(problem, FAINT, halves(shape[0]), False, 1e-6)
    assert np.all(found.gaps <= 1e-6)
    for k, (train, test) in enumerate(halves(shape[0])):
        own = ridge_path(Problem(as_design(X[train]), y[train], Squared(), L2(1.0), fit_intercept=False), FAINT, 1e-6)
        scores = np.mean((y[test, None] - X[test] @ own.coefs.toarray()) ** 2, axis=0)
        np.testing.assert_allclose(found.scores[:, k], scores, rtol=1e-5)


@pytest.mark.parametrize("loss", [Squared(), Logistic()], ids=["squared", "logistic"])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_far_columns_with_weights_and_free_columns_have_folds_of_their_own(shape, standardize, loss):
    rng = np.random.default_rng(3)
    X = rng.standard_normal(shape) + 1e4
    y = (rng.random(shape[0]) < 0.5).astype(float)
    weights, factors = rng.integers(1, 4, shape[0]).astype(float), np.r_[0.0, 0.0, np.ones(shape[1] - 2)]
    alphas = np.geomspace(1.0, 1e-3, 4)

    def state(rows):
        share = weights[rows] / weights[rows].sum()
        scale = np.sqrt(share @ (X[rows] - share @ X[rows]) ** 2) if standardize else None
        return Problem(as_design(X[rows]), y[rows], loss, L2(1.0, factors), weights[rows], None, False, scale)

    found = ridge_folds(state(np.arange(shape[0])), alphas, halves(shape[0]), standardize, 1e-9)
    assert np.all(found.path.gaps <= 1e-8)
    assert np.all(found.gaps <= 1e-8)
    for k, (train, test) in enumerate(halves(shape[0])):
        own = ridge_path(state(train), alphas, 1e-9)
        deviance = loss.deviance(y[test, None], X[test] @ own.coefs.toarray())
        np.testing.assert_allclose(found.scores[:, k], weights[test] @ deviance / weights[test].sum(), rtol=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_no_dual_point_beside_the_residuals_makes_the_gap_less_than_what_is_missing(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((40, 12)), rng.standard_normal(40)
    factors = np.r_[0.0, np.ones(11)]
    problem = Problem(as_design(X), y, Squared(), L2(1.0, factors))
    best = ridge_path(problem, FAINT, 1e-12)
    coefs = best.coefs.toarray() + 1e-2 * rng.standard_normal((12, FAINT.size))
    exact = y[:, None] - X @ best.coefs.toarray() - best.intercepts
    for theta in (exact, rng.standard_normal(exact.shape), exact + rng.standard_normal(exact.shape)):
        gaps, _ = certify(problem, coefs, best.intercepts, FAINT, best.gaps, theta)
        for t, alpha in enumerate(FAINT):
            one = problem.with_penalty(L2(alpha, factors))
            optimum = one.objective(best.coefs.toarray()[:, t], best.intercepts[t])
            missing = one.objective(coefs[:, t], best.intercepts[t]) - optimum
            assert missing <= gaps[t] * (1 + 1e-9)
            if theta is exact:
                assert gaps[t] <= missing * (1 + 1e-6)


@pytest.mark.parametrize("way", ["held", "blocks", "products"])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("extra", [0, 250])
def test_free_powers_of_a_year_are_fitted_as_the_centered_powers_are(monkeypatch, way, loss, extra):
    raw, centered, y, factors = years(extra=extra)
    if loss == "logistic":
        y = (y + 0.5 * np.random.default_rng(1).standard_normal(200) > np.median(y)).astype(float)
    expected = path(centered, y, loss=loss, l1_ratio=0, penalty_factor=factors, n_alphas=5, tol=1e-9)
    if way != "held":
        monkeypatch.setattr(_ridge_ground, "HELD_ENTRIES", 0)
        monkeypatch.setattr(_ridge_columns, "HELD_ENTRIES", 2000)
    if way == "products":
        monkeypatch.setattr(_ridge_ground, "FACTOR_LIMIT", {True: 0, False: 0})
    found = path(raw, y, loss=loss, l1_ratio=0, penalty_factor=factors, alphas=expected.alphas)
    assert np.all(found.relative_gaps <= 1e-6)
    for alpha in expected.alphas:
        np.testing.assert_allclose(found.predict(raw, alpha), expected.predict(centered, alpha), atol=5e-4)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_folds_with_free_powers_of_a_year_are_certified(loss):
    raw, centered, y, factors = years()
    if loss == "logistic":
        y = (y + 0.5 * np.random.default_rng(1).standard_normal(200) > np.median(y)).astype(float)
    expected = cross_validate(centered, y, cv=4, loss=loss, l1_ratio=0, penalty_factor=factors, n_alphas=5, tol=1e-9)
    found = cross_validate(raw, y, cv=4, loss=loss, l1_ratio=0, penalty_factor=factors, alphas=expected.alphas)
    assert np.all(found.fold_gaps <= 1e-6)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-3)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shape", [(50, 20), (60, 300)])
def test_columns_of_sizes_from_1e_minus_8_to_1e8_are_certified_in_few_newton_steps(shape, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal(shape) * 10.0 ** rng.uniform(-8, 8, shape[1])
    y = (rng.random(shape[0]) < 0.5).astype(float)
    problem = Problem(as_design(X), y, Logistic(), L2(1.0))
    size = (X**2).sum(axis=1).max()
    found = ridge_path(problem, np.geomspace(size, 1e-6 * size, 40), 1e-6)
    assert np.all(problem.relative(found.gaps) <= 1e-6)
    assert found.n_iter.sum() <= 10 * 40


def test_a_target_out_of_reach_is_given_up_after_few_steps():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 20)) * 10.0 ** rng.uniform(-8, 8, 20)
    problem = Problem(as_design(X), (rng.random(50) < 0.5).astype(float), Logistic(), L2(1.0))
    found = ridge_path(problem, np.geomspace(1e16, 1e-16, 60), 1e-30)
    assert np.isfinite(found.gaps).all()
    assert found.n_iter.sum() <= 4 * (2 * MAX_STEPS + 60 * 20)


@pytest.mark.parametrize("offset", [100.0, -1000.0])
@pytest.mark.parametrize("shape", [(200, 5), (60, 90)])
def test_a_constant_offset_moves_the_intercept_alone(shape, offset):
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape)
    y = (rng.random(shape[0]) < 1 / (1 + np.exp(-X[:, 0]))).astype(float)
    alphas = np.array([1.0, 1e-2])
    near = path(X, y, loss="logistic", l1_ratio=0.0, alphas=alphas, tol=1e-10)
    far = path(X, y, loss="logistic", l1_ratio=0.0, alphas=alphas, tol=1e-10, offset=np.full(shape[0], offset))
    np.testing.assert_allclose(far.coefs.toarray(), near.coefs.toarray(), atol=1e-6)
    np.testing.assert_allclose(far.intercepts + offset, near.intercepts, atol=1e-6)
    shifted = cross_validate(X, y, 3, loss="logistic", l1_ratio=0.0, alphas=alphas, offset=np.full(shape[0], offset))
    plain = cross_validate(X, y, 3, loss="logistic", l1_ratio=0.0, alphas=alphas)
    np.testing.assert_allclose(shifted.scores, plain.scores, rtol=1e-4)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("call", [path, cross_validate])
def test_a_free_column_that_is_not_finite_is_refused_in_a_sentence(call, bad, loss):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((50, 5)), (rng.random(50) < 0.5).astype(float)
    X[3, 0] = bad
    with pytest.raises(DataError, match="row 3, column 0"):
        call(X, y, loss=loss, l1_ratio=0.0, penalty_factor=np.r_[0.0, 1, 1, 1, 1])


def test_a_column_whose_spread_is_rounding_keeps_scale_one():
    far = np.full(50, 1e6 / 3)
    far[::2] *= 1.0 + 1e-15
    X = np.column_stack([far, np.arange(50.0), np.zeros(50)])
    weights = np.full((50, 1), 1 / 50)
    np.testing.assert_allclose(column_scale(as_design(X), weights)[:, 0], [1.0, np.arange(50).std(), 1.0])
