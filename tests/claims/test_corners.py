"""Claim 4 holds, and its check sees each way in which it could fail."""

from dataclasses import replace

import numpy as np
import pytest

from shrinkage.claims import ClaimBroken, _corners
from shrinkage.claims._corners import CLAIM
from shrinkage.penalties import L1, L2
from shrinkage.solvers import solve


@pytest.fixture(scope="module")
def record(quick):
    return quick(CLAIM)


def touched_again(record, n_problems=8):
    """The record with its random problems solved again, by whatever stands in the library's place."""
    touches, diamond, ball = _corners.measure_touches(n_problems)
    return replace(record, touches=touches, n_problems=n_problems, diamond_error=diamond, ball_error=ball)


def solving(change):
    """`solve` with its coefficients changed."""

    def solve_and_change(problem, tol):
        found = solve(problem, tol=tol)
        return replace(found, coef=change(found.coef, problem.penalty))

    return solve_and_change


def test_the_claim_holds(record):
    CLAIM.check(record)
    assert 3 <= len(CLAIM.lines(record)) <= 8


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["diamond", "ball"])
def test_the_constrained_solution_is_the_best_point_of_the_body(kind, seed):
    generator = np.random.default_rng(seed)
    A, c, radius = generator.standard_normal((5, 2)), generator.standard_normal(2), 0.3
    H = A.T @ A / 5
    radius *= np.abs(np.linalg.solve(H, c)).sum() if kind == "diamond" else np.linalg.norm(np.linalg.solve(H, c))
    w = (_corners.on_diamond if kind == "diamond" else _corners.on_ball)(H, c, radius)
    size = np.abs(w).sum() if kind == "diamond" else np.linalg.norm(w)
    assert size == pytest.approx(radius, rel=1e-9)
    angles = np.linspace(0, 2 * np.pi, 2000)
    rays = np.stack([np.cos(angles), np.sin(angles)])
    points = radius * rays / (np.abs(rays).sum(0) if kind == "diamond" else 1.0)
    assert 0.5 * w @ H @ w - c @ w <= (0.5 * np.sum(points * (H @ points), axis=0) - c @ points).min() + 1e-12


def test_the_law_is_what_geometry_says_of_round_contours():
    # On an axis where | |a| - |b| | >= radius (|a| + |b|), for a center (a, b) in a random direction.
    angle = np.linspace(0, np.pi / 2, 1_000_001)
    a, b = np.cos(angle), np.sin(angle)
    for radius in (0.1, 0.5, 0.9):
        assert _corners.law(radius) == pytest.approx((np.abs(a - b) >= radius * (a + b)).mean(), abs=1e-5)


def test_random_problems_have_the_correlation_that_they_say():
    X, _ = _corners.random_problem(np.random.default_rng(0), 0.9)
    np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(X.T @ X / len(X), [[1, 0.9], [0.9, 1]], atol=1e-12)


def test_a_diamond_without_corners_is_noticed(record, monkeypatch):
    monkeypatch.setattr(_corners, "solve", solving(lambda w, penalty: w + 1e-9))
    with pytest.raises(ClaimBroken, match="diamond was touched on an axis in none"):
        CLAIM.check(touched_again(record))


def test_a_ball_with_corners_is_noticed(record, monkeypatch):
    monkeypatch.setattr(_corners, "solve", solving(lambda w, penalty: np.where(np.abs(w) < 0.3, 0.0, w)))
    with pytest.raises(ClaimBroken, match="ball was touched on an axis"):
        CLAIM.check(touched_again(record))


def test_twice_the_strength_is_on_an_axis_more_often_than_geometry_says(record, monkeypatch):
    monkeypatch.setattr(_corners, "L1", lambda alpha: L1(2 * alpha))
    with pytest.raises(ClaimBroken, match=r"diamonds were touched elsewhere than geometry says, not 0"):
        CLAIM.check(touched_again(record))


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [("L1", lambda alpha: L1(1.01 * alpha), "the diamond's"), ("L2", lambda alpha: L2(2 * alpha), "the ball's")],
)
def test_a_strength_that_is_not_the_radius_is_noticed(record, monkeypatch, name, changed, said):
    monkeypatch.setattr(_corners, name, changed)
    with pytest.raises(ClaimBroken, match=f"away from {said}"):
        CLAIM.check(touched_again(record))


def test_a_radius_that_does_not_grow_is_noticed(record):
    with pytest.raises(ClaimBroken, match="ball's radius"):
        CLAIM.check(replace(record, ball_radii=record.ball_radii[::-1]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w, penalty: w + 1e-9, "the diamond was touched on an axis for 0"),
        (lambda w, penalty: w * [1, not isinstance(penalty, L2)], "the ball was touched on an axis for 5"),
    ],
)
def test_real_features_with_other_zeros_are_noticed(record, monkeypatch, change, said):
    monkeypatch.setattr(_corners, "solve", solving(change))
    with pytest.raises(ClaimBroken, match=said):
        CLAIM.check(replace(record, real=_corners.measure_real(9)))


@pytest.mark.parametrize(("name", "said"), [("L1", "the picture's lasso"), ("L2", "the picture's ridge")])
def test_a_picture_of_the_other_penalty_is_noticed(record, monkeypatch, name, said):
    monkeypatch.setattr(_corners, name, {"L1": L2, "L2": lambda alpha: L1(20 * alpha)}[name])
    with pytest.raises(ClaimBroken, match=said):
        CLAIM.check(replace(record, **_corners.measure_picture()))


def test_shares_that_are_not_the_laws_are_noticed(record):
    few = replace(record.touches[0], diamond=0.01)
    with pytest.raises(ClaimBroken, match=r"on an axis 1\.0%, not 68\.8% ±"):
        CLAIM.check(replace(record, touches=(few, *record.touches[1:])))


@pytest.mark.parametrize(("name", "factor"), [("diamond_radii", 3.0), ("ball_radii", 0.5)])
def test_radii_of_another_scale_are_noticed(record, name, factor):
    with pytest.raises(ClaimBroken, match="of least squares' at the end"):
        CLAIM.check(replace(record, **{name: factor * getattr(record, name)}))


def test_lassos_without_zeros_are_noticed(record):
    with pytest.raises(ClaimBroken, match="lassos of more features must have zeros"):
        CLAIM.check(replace(record, zeros=dict.fromkeys(record.zeros, 0.0)))
