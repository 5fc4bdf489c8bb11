"""The multinomial loss under the laws of losses, with K predictors in a row; and its problem's certificate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shrinkage import L1L2
from shrinkage._errors import ArgumentError, DataError
from shrinkage.design import as_design
from shrinkage.losses import Logistic, Multinomial
from shrinkage.problem import MultinomialProblem

LOSS = Multinomial()
predictors = st.lists(st.floats(-30, 30), min_size=4, max_size=4).map(np.array)
classes = st.integers(0, 3)


@given(predictors, predictors, classes)
def test_gradient_and_curvature_are_differences(eta, t, k):
    y, h = np.eye(4)[k], 1e-5
    t = t / 30
    slope = (LOSS.value(y, eta + h * t) - LOSS.value(y, eta - h * t)) / (2 * h)
    assert slope == pytest.approx(float(LOSS.gradient(y, eta) @ t), abs=1e-8)
    change = (LOSS.gradient(y, eta + h * t) - LOSS.gradient(y, eta - h * t)) / (2 * h)
    np.testing.assert_allclose(change, LOSS.curvature(y, eta, t), atol=1e-8)


@given(predictors, predictors, classes)
def test_value_and_conjugate_meet_at_the_gradient_and_nowhere_below(eta, other, k):
    y = np.eye(4)[k]
    u = LOSS.gradient(y, eta)
    assert LOSS.value(y, eta) + LOSS.conjugate(y, u) == pytest.approx(float(u @ eta), abs=1e-10)
    assert LOSS.value(y, other) + LOSS.conjugate(y, u) >= float(u @ other) - 1e-10
    assert LOSS.conjugate(y, 1.01 * u - 0.02) == np.inf or (y + 1.01 * u - 0.02 >= 0).all()


def test_a_number_added_to_all_classes_changes_nothing_and_two_classes_are_logistic():
    eta = np.array([[0.3, -1.2], [40.0, 3.0], [-1e3, 1e3]])
    y = np.eye(2)[[0, 1, 1]]
    np.testing.assert_allclose(LOSS.value(y, eta), LOSS.value(y, eta + 7.0), rtol=1e-12)
    np.testing.assert_allclose(LOSS.value(y, eta), Logistic().value(y[:, 1], eta[:, 1] - eta[:, 0]), rtol=1e-14)
    np.testing.assert_allclose(LOSS.gradient(y, eta)[:, 1], Logistic().gradient(y[:, 1], eta[:, 1] - eta[:, 0]))
    assert np.isfinite(LOSS.value(np.eye(3), 1e3 * np.eye(3)[::-1])).all()


def test_rows_that_are_no_unit_vectors_are_refused():
    with pytest.raises(DataError, match="row 1 does not"):
        LOSS.check(np.array([[1.0, 0.0], [0.5, 0.5]]))
    with pytest.raises(DataError, match="K >= 2"):
        LOSS.check(np.ones((3, 1)))
    with pytest.raises(ArgumentError, match=r"offset must have shape \(3, 3\)"):
        MultinomialProblem(as_design(np.ones((3, 1))), np.eye(3), L1L2(1.0, 1.0), offset=np.ones(3))


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
def test_the_gap_bounds_what_is_missing_at_any_point(grouped, l1_ratio):
    rng = np.random.default_rng(3)
    X, K = rng.normal(size=(40, 6)), 3
    y = np.eye(K)[rng.integers(0, K, 40)]
    factors = np.array([1.0, 0.0, 2.0, 1.0, 0.5, 1.0])
    problem = MultinomialProblem(
        as_design(X), y, L1L2(0.03, l1_ratio, factors), rng.random(40), 0.5 * rng.normal(size=(40, K)), grouped=grouped
    )
    points = 0.3 * rng.normal(size=(K * 6, 30))
    levels, alphas = rng.normal(size=(K, 30)), np.full(30, 0.03)
    gaps = problem.gaps(points, levels, alphas)
    values = np.array([problem.objective(points[:, t].reshape(K, 6), levels[:, t], 0.03) for t in range(30)])
    assert (gaps > 0).all()
    assert ((values - gaps)[:, None] <= values[None, :] + 1e-12).all()


def test_zero_is_optimal_at_alpha_max_and_not_just_below():
    rng = np.random.default_rng(4)
    X, y = rng.normal(size=(50, 8)), np.eye(4)[rng.integers(0, 4, 50)]
    for grouped in (False, True):
        problem = MultinomialProblem(as_design(X), y, L1L2(1.0, 1.0), grouped=grouped)
        zero, level, top = np.zeros((32, 2)), np.tile(problem.null.intercept[:, None], 2), problem.alpha_max
        kkt = problem.kkts(zero, level, np.array([top * (1 + 1e-9), 0.99 * top]))
        assert kkt[0] <= 1e-12
        assert kkt[1] == pytest.approx(0.01 * top, rel=1e-6)
        assert problem.gaps(zero[:, :1], level[:, :1], np.array([top]))[0] <= 1e-12
