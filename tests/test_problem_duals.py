"""The functions that certificates share: bases, balanced slopes, dual objectives."""

import numpy as np
import pytest
from cases import MORE_LOSSES
from hypothesis import given
from hypothesis import strategies as st

from shrinkage.losses import Gamma, Logistic, Squared
from shrinkage.problem import balance, free_basis, minimize_free, project, scaled_dual, squared_dual

rng = np.random.default_rng(0)
N = 30
WEIGHTS = np.r_[0.0, 0.0, rng.random(N - 2)]
WEIGHTS /= WEIGHTS.sum()
ONES = np.ones((N, 1))
COLUMN = rng.normal(size=(N, 1))


def free_columns(kind):
    return {
        "intercept": ONES,
        "three": np.c_[ONES, rng.normal(size=(N, 2))],
        "far": np.c_[ONES, 1e6 + COLUMN, 1e-6 * rng.normal(size=(N, 1))],
        "dependent": np.c_[ONES, COLUMN, 3 - 2 * COLUMN, np.zeros(N), COLUMN],
        "zero": np.zeros((N, 1)),
        "none": np.zeros((N, 0)),
    }[kind]


@pytest.mark.parametrize(("kind", "rank"), [("intercept", 1), ("three", 3), ("far", 3), ("dependent", 2)])
def test_a_basis_is_orthonormal_under_the_weights_and_spans_the_columns(kind, rank):
    Z = free_columns(kind)
    Q = free_basis(Z, WEIGHTS)
    assert Q.shape == (N, rank)
    assert pytest.approx(np.eye(rank), abs=1e-12) == Q.T @ (WEIGHTS[:, None] * Q)
    assert project(Z, Q, WEIGHTS) == pytest.approx(0 * Z, abs=1e-9 * np.abs(Z).max())


def test_columns_of_zeros_and_no_columns_have_no_basis():
    assert free_basis(free_columns("zero"), WEIGHTS).shape == (N, 0)
    assert free_basis(free_columns("none"), WEIGHTS).shape == (N, 0)


@pytest.mark.parametrize("kind", ["intercept", "three", "far", "dependent", "none"])
@pytest.mark.parametrize("distance", [1e-8, 0.1, 1.0, 30.0, 800.0])
def test_balanced_slopes_are_orthogonal_to_the_free_columns_and_in_the_domain(kind, distance):
    loss = Logistic()
    Q = free_basis(free_columns(kind), WEIGHTS)
    y = (rng.random((N, 1)) < 0.5).astype(float)
    eta = distance * rng.normal(size=(N, 4))
    u = balance(loss, y, eta, Q, WEIGHTS)
    assert np.abs(Q.T @ (WEIGHTS[:, None] * u)).max(initial=0) <= 1e-14
    assert np.isfinite(loss.conjugate(y, u)).all()
    assert not u[:2].any()


@pytest.mark.parametrize("loss", MORE_LOSSES)
@pytest.mark.parametrize("kind", ["intercept", "three", "dependent"])
@pytest.mark.parametrize("distance", [1e-8, 0.1, 1.0, 5.0])
def test_balanced_slopes_of_other_losses_are_in_their_domains_too(loss, kind, distance):
    Q = free_basis(free_columns(kind), WEIGHTS)
    y = rng.poisson(2.0, (N, 1)) + (1.0 if isinstance(loss, Gamma) else 0.0)
    eta = np.log(y + 0.5) + distance * rng.normal(size=(N, 3))
    u = balance(loss, y, eta, Q, WEIGHTS)
    # The steps subtract from the slopes at eta, up to e^15 here: what those lose to rounding is all that may stay.
    summed = np.abs(Q).T @ (WEIGHTS[:, None] * (np.abs(loss.gradient(y, eta)) + np.abs(u)))
    assert (np.abs(Q.T @ (WEIGHTS[:, None] * u)).max(axis=0) <= 1e-13 * summed.max(axis=0)).all()
    assert np.isfinite(loss.conjugate(y, u)).all()


def test_slopes_are_balanced_to_rounding_where_rows_stop_at_the_edge_of_the_domain():
    loss, eta, kept = Logistic(), np.zeros((N, 1)), 0
    for seed in range(200):
        draw = np.random.default_rng(seed)
        Q = free_basis(np.c_[ONES, draw.normal(size=(N, 2))], WEIGHTS)
        y = (draw.random((N, 1)) < 0.5).astype(float)
        u = balance(loss, y, eta, Q, WEIGHTS)
        assert np.abs(Q.T @ (WEIGHTS[:, None] * u)).max() <= 1e-14
        assert np.isfinite(loss.conjugate(y, u)).all()
        kept += u.any()
    assert kept >= 100


def test_slopes_that_balance_already_are_left_alone():
    slope = project(rng.normal(size=(N, 3)), free_basis(ONES, WEIGHTS), WEIGHTS)
    u = balance(Squared(), np.zeros((N, 1)), slope, free_basis(ONES, WEIGHTS), WEIGHTS)
    assert u[2:] == pytest.approx(slope[2:], abs=1e-15)


@pytest.mark.parametrize("n_free", [1, 3])
def test_near_the_free_blocks_minimizer_balancing_hardly_moves_a_slope(n_free):
    loss = Logistic()
    Q = free_basis(np.column_stack([ONES, rng.normal(size=(N, n_free - 1))]), WEIGHTS)
    y = (rng.random(N) < 0.5).astype(float)
    _, eta = minimize_free(loss, y, rng.normal(size=N), Q, WEIGHTS)
    eta = (eta + 1e-6 * Q.sum(axis=1))[:, None]
    slope = loss.gradient(y[:, None], eta)
    u = balance(loss, y[:, None], eta, Q, WEIGHTS)
    assert np.abs(u - slope)[2:].max() <= 1e-5
    assert np.abs(slope).max() > 1e-2
    assert np.abs(Q.T @ (WEIGHTS[:, None] * u)).max() <= 1e-11


@given(cap=st.floats(0.0, 2.0), seed=st.integers(0, 99))
def test_the_squared_dual_is_the_best_over_multiples(cap, seed):
    draw = np.random.default_rng(seed)
    y, theta = draw.normal(size=(N, 1)), draw.normal(size=(N, 2))
    best = squared_dual(y, theta, WEIGHTS, np.full(2, cap))
    tried = [-(WEIGHTS @ Squared().conjugate(y, -c * theta)) for c in np.linspace(0, cap, 41)]
    assert (best >= np.max(tried, axis=0) - 1e-14).all()
    assert best == pytest.approx(np.max(tried, axis=0), abs=5e-3)


def test_both_duals_are_the_same_for_the_squared_loss():
    y, theta = rng.normal(size=(N, 1)), 0.1 * rng.normal(size=(N, 3))
    conjugate, offset, ones = np.array([0.0, 1.0, 2.0]), rng.normal(size=N), np.ones(3)
    one = squared_dual(y - offset[:, None], theta, WEIGHTS, ones, conjugate)
    other = scaled_dual(Squared(), y, -theta, WEIGHTS, ones, conjugate, offset)
    assert one == pytest.approx(other, rel=1e-12)


def test_a_cap_scales_the_dual_point():
    loss, y = Logistic(), (rng.random((N, 1)) < 0.5).astype(float)
    slope = loss.gradient(y, rng.normal(size=(N, 2)))
    capped = scaled_dual(loss, y, slope, WEIGHTS, np.array([0.25, 7.0]))
    assert capped[0] == pytest.approx(-(WEIGHTS @ loss.conjugate(y[:, 0], 0.25 * slope[:, 0])))
    assert capped[1] == pytest.approx(-(WEIGHTS @ loss.conjugate(y[:, 0], slope[:, 1])))


@pytest.mark.parametrize("start", [0.0, 5.0, -50.0, 1e3, 1e5])
def test_the_free_block_is_minimized_from_anywhere(start):
    loss, Q = Logistic(), free_basis(free_columns("three"), WEIGHTS)
    y = (rng.random(N) < 0.5).astype(float)
    d, eta = minimize_free(loss, y, np.full(N, start), Q, WEIGHTS)
    assert eta == pytest.approx(start + Q @ d)
    assert np.abs(Q.T @ (WEIGHTS * loss.gradient(y, eta))).max() <= 1e-10
