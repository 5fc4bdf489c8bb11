"""The tails of the logistic loss, and what each loss refuses."""

import numpy as np
import pytest

from shrinkage._errors import DataError
from shrinkage.losses import ALL, Logistic, Squared

logistic = Logistic()


def test_the_value_is_right_far_out():
    assert logistic.value(0.0, np.array([1e3])) == 1e3
    assert logistic.value(1.0, np.array([1e3])) == 0
    assert logistic.value(0.0, np.array([-1e3])) == 0
    assert logistic.value(1.0, np.array([-1e3])) == 1e3


def test_the_tails_keep_their_relative_precision():
    eta = np.array([20.0, 50.0, 300.0, 700.0])
    tail = np.exp(-eta)  # log(1 + e) = e - e²/2 + ..., e / (1 + e) = e - e² + ...
    assert logistic.value(1.0, eta) == pytest.approx(tail - tail**2 / 2, rel=1e-14, abs=0)
    assert logistic.value(0.0, -eta) == pytest.approx(tail - tail**2 / 2, rel=1e-14, abs=0)
    assert logistic.gradient(1.0, eta) == pytest.approx(-(tail - tail**2), rel=1e-14, abs=0)
    assert logistic.gradient(0.0, -eta) == pytest.approx(tail - tail**2, rel=1e-14, abs=0)
    assert logistic.curvature(1.0, eta) == pytest.approx(tail - 2 * tail**2, rel=1e-14, abs=0)
    assert logistic.inverse_link(-eta) == pytest.approx(tail - tail**2, rel=1e-14, abs=0)


def test_the_conjugate_is_zero_at_the_ends_and_infinite_beyond():
    y = np.array([0.0, 0.0, 1.0, 1.0])
    assert logistic.conjugate(y, np.array([0.0, 1.0, -1.0, 0.0])).tolist() == [0, 0, 0, 0]
    assert np.isinf(logistic.conjugate(y, np.array([-1e-9, 1 + 1e-9, -1 - 1e-9, 1e-9]))).all()
    assert logistic.conjugate(0.0, np.array([0.5])) == pytest.approx(-np.log(2))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0.0, 1.0, 2.0, 3.0], r"y must be 0 or 1 for Logistic; row 2 is 2\.0"),
        ([0.0, -1.0], r"row 1 is -1\.0"),
        ([0.0, 1.0, np.nan], "row 2 is nan"),
        ([0.5], r"row 0 is 0\.5"),
    ],
)
def test_a_response_other_than_zero_and_one_is_refused_with_its_row(y, message):
    with pytest.raises(DataError, match=message):
        logistic.check(np.array(y))


def test_zeros_and_ones_of_any_type_are_taken():
    for y in (np.array([0, 1]), np.array([True, False]), np.array([0.0, 1.0], dtype=np.float32)):
        logistic.check(y)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_response_that_is_not_finite_is_refused_with_its_row(bad):
    with pytest.raises(DataError, match=f"y must be finite for Squared; row 1 is {bad}"):
        Squared().check(np.array([0.0, bad, bad]))


def test_losses_are_told_apart_by_name():
    names = "squared logistic poisson gamma tweedie negative_binomial huber quantile"
    assert [loss().name for loss in ALL] == names.split()
    assert Squared() == Squared()
    assert Squared() != Logistic()
