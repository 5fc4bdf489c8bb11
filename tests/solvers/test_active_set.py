"""The active set at strengths of zero or near it, called directly."""

import numpy as np
import pytest

from shrinkage import _core, path


def solved(X, y, strengths):
    """Coefficients (n_features, n_strengths) of 1/(2n) |y - Xb|² + strength |b|₁, and the steps of each."""
    n, p = X.shape
    coefs = np.zeros((p, len(strengths)), order="F")
    steps, sizes = np.zeros((2, len(strengths)), np.int32)
    _core.ActiveSet(min(n, p)).solve(
        np.asfortranarray(X.T @ X / n), 1.0, None, X.T @ y / n, np.ones(p), None,
        np.array(strengths), np.zeros(len(strengths)), 1e-10, coefs, steps, sizes,
    )  # fmt: skip
    return coefs, steps


@pytest.mark.parametrize("shape", [(60, 20), (20, 60)], ids=["tall", "wide"])
@pytest.mark.parametrize("repeated", [0, 5])
@pytest.mark.parametrize("strengths", [[0.0], [0.1, 0.0], [1e-300], [0.1, 1e-16, 0.0]])
def test_strength_zero_and_next_to_zero_end_at_least_squares(shape, repeated, strengths):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    X[:, -repeated or shape[1] :] = 2 * X[:, :repeated]
    coefs, steps = solved(X, y, strengths)
    last = coefs[:, -1]
    assert steps.max() < 1000  # rounding lets no column in and out again
    np.testing.assert_allclose(X.T @ (y - X @ last), 0, atol=1e-10)
    np.testing.assert_allclose(X @ last, X @ np.linalg.lstsq(X, y)[0], atol=1e-9)


@pytest.mark.parametrize("strength", [-1.0, np.nan])
def test_a_strength_below_zero_is_refused(strength):
    with pytest.raises(ValueError, match="strengths must be >= 0"):
        solved(np.eye(3), np.ones(3), [strength])


def test_a_path_of_more_columns_than_rows_goes_down_to_strengths_lost_in_rounding():
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((60, 200)), rng.standard_normal(60)
    for faint in (1e-15, 1e-30):
        fitted = path(X, y, alphas=[0.1, faint])
        np.testing.assert_allclose(fitted.intercepts[1] + X @ fitted.coefs[:, [1]].toarray()[:, 0], y, atol=1e-8)


@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_gradients_are_those_of_the_solutions_beside_them(ridge):
    rng = np.random.default_rng(2)
    X, y, weights = rng.standard_normal((40, 70)), rng.standard_normal(40), rng.uniform(0.5, 2.0, 70)
    gram, linear, strengths = X.T @ X / 40, X.T @ y / 40, np.array([0.1, 0.01, 1e-4, 0.0])
    coefs, gradients = np.full((2, 70, 4), np.nan).transpose(0, 2, 1).copy().transpose(0, 2, 1)
    steps, sizes = np.zeros((2, 4), np.int32)
    _core.ActiveSet(40 if ridge == 0 else 70).solve(
        np.asfortranarray(gram), 1.0, None, linear, np.ones(70), weights,
        strengths, np.full(4, ridge), 1e-10, coefs, steps, sizes, gradients,
    )  # fmt: skip
    exact = linear[:, None] - gram @ coefs - ridge * weights[:, None] * coefs
    np.testing.assert_allclose(gradients, exact, rtol=0, atol=1e-13)


def test_copies_of_a_column_do_not_take_each_others_place_for_ever():
    """At a tolerance below rounding every copy seems to violate where another is in."""
    steps = np.zeros(12, np.int32)
    for seed in (39, 41, 42, 43):
        rng = np.random.default_rng(seed)
        X = np.hstack([rng.standard_normal((58, 15)), np.full((58, 54), 3 * rng.standard_normal())])
        X = X[:, rng.permutation(69)]
        y = X @ rng.standard_normal(69) * 0.1 + rng.standard_normal(58) + 2
        gram, linear = np.asfortranarray(X.T @ X / 58), X.T @ y / 58
        strengths = np.abs(linear).max() * np.geomspace(1, 5e-4, 12)
        coefs, supports, ones = np.empty((69, 12), order="F"), np.zeros(12, np.int32), np.ones(69)
        active = _core.ActiveSet(16)
        active.solve(gram, 1.0, None, linear, ones, ones, strengths, np.zeros(12), 1e-13, coefs, steps, supports)
        gradient = linear[:, None] - gram @ coefs
        violation = np.where(coefs != 0, np.abs(gradient - strengths * np.sign(coefs)), np.abs(gradient) - strengths)
        assert violation.max() <= 1e-12 * np.abs(linear).max()
        assert steps.max() < 1000


@pytest.mark.parametrize("weighted", [False, True])
def test_one_factor_serves_several_ridges_and_every_strength_is_solved_as_if_alone(weighted):
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((120, 200)), rng.standard_normal(120)
    weights = rng.uniform(0.2, 5.0, 200) if weighted else np.ones(200)
    gram, linear = np.asfortranarray(X.T @ X / 120), X.T @ y / 120
    strengths, tol = np.geomspace(0.2, 1e-3, 60), 1e-10

    def solve(some):
        coefs = np.zeros((200, len(some)), order="F")
        steps, sizes = np.zeros((2, len(some)), np.int32)
        active = _core.ActiveSet(200)
        for part in np.array_split(np.arange(len(some)), 1 + len(some) // 20):  # a path goes in batches
            into = np.zeros((200, len(part)), order="F")
            found = np.zeros((2, len(part)), np.int32)
            active.solve(gram, 1.0, None, linear, np.ones(200), weights, some[part], some[part] / 2, tol, into, *found)
            coefs[:, part], steps[part], sizes[part] = into, *found
        return coefs, sizes

    coefs, sizes = solve(strengths)
    assert sizes.max() > 100
    gradients = linear[:, None] - gram @ coefs - strengths / 2 * weights[:, None] * coefs
    on = (
        np.abs(gradients - strengths * np.sign(coefs))[coefs != 0] / np.broadcast_to(strengths, coefs.shape)[coefs != 0]
    )
    assert on.max() <= 2 * tol
    assert (np.abs(gradients) <= strengths * (1 + 1e-8)).all()
    for t in (20, 40, 59):
        np.testing.assert_allclose(coefs[:, t], solve(strengths[t : t + 1])[0][:, 0], atol=1e-9)
