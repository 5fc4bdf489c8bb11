"""Digits: zeros by a proximal step and by dual averaging beside Keras' own regularizer, means over five starts."""

import pytest

keras = pytest.importorskip("keras")

from keras_digits import mean, outcomes  # noqa: E402

pytestmark = pytest.mark.slow


def test_a_kernel_regularizer_leaves_no_weight_at_zero():
    assert max(outcome.zeros for outcome in outcomes()["kernel_regularizer"]) == 0.0
    assert mean("kernel_regularizer", "below") > 0.5


def test_a_proximal_step_makes_most_weights_exactly_zero():
    assert mean("proximal", "zeros") >= 0.65


def test_dual_averaging_makes_more_of_them_exactly_zero():
    assert mean("dual", "zeros") >= 0.76
    pairs = zip(outcomes()["dual"], outcomes()["proximal"], strict=True)
    assert all(dual.zeros > proximal.zeros for dual, proximal in pairs)


@pytest.mark.parametrize("method", ["proximal", "dual"])
def test_the_zeros_cost_no_more_than_half_a_point_of_accuracy(method):
    assert mean(method, "accuracy") >= mean("kernel_regularizer", "accuracy") - 0.005


@pytest.mark.parametrize("method", ["proximal", "dual"])
def test_the_zeros_cost_nothing_of_the_objective(method):
    assert mean(method, "objective") < 1.01 * mean("kernel_regularizer", "objective")
