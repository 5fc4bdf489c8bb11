"""Fashion-MNIST at equal data and epochs: dual averaging beside the loop, magnitude pruning and torchao's PAT."""

import math

import pytest

torch = pytest.importorskip("torch")

import networks  # noqa: E402 - it needs torch

pytestmark = pytest.mark.slow

STRENGTH = 1e-4
PAT_STRENGTH = 0.056  # in its own unit: about as many zeros as DualAdam has


@pytest.fixture(scope="module")
def task():
    folder = networks.fashion_mnist_folder()
    if folder is None:
        pytest.skip("Fashion-MNIST is not here: tools/fashion_mnist.sh says why")
    torch.set_num_threads(1)
    return networks.fashion_mnist(folder)


@pytest.fixture(scope="module")
def ours(task):
    return networks.by_ours(task, 0, STRENGTH, "DualAdam")


@pytest.fixture(scope="module")
def loop(task):
    return networks.by_loop(task, 0, STRENGTH)


def noise(task):
    """The standard error of the difference of two accuracies near 0.88 on the test set."""
    return math.sqrt(2 * 0.88 * 0.12 / len(task.test[1]))


def test_the_loop_leaves_no_zero_and_dual_averaging_nine_of_ten(ours, loop):
    assert loop.zeros == 0.0
    assert ours.zeros >= 0.9


def test_dual_averaging_is_as_accurate_as_the_loop_at_a_lower_objective(task, ours, loop):
    assert ours.objective < loop.objective
    assert ours.accuracy >= loop.accuracy - noise(task)


def test_at_equal_zeros_its_support_is_as_good_as_that_of_magnitude_pruning(task, ours):
    pruned = networks.by_magnitude(task, 0, STRENGTH, ours.zeros)
    assert pruned.zeros == pytest.approx(ours.zeros, abs=1e-4)
    assert ours.accuracy >= pruned.accuracy - noise(task)
    assert ours.objective < pruned.objective


def test_at_equal_zeros_the_objective_is_lower_than_that_of_torchao(task, ours):
    pytest.importorskip("torchao")
    pat = networks.by_pat(task, 0, STRENGTH, PAT_STRENGTH)
    assert pat.zeros == pytest.approx(ours.zeros, abs=0.02)
    assert ours.objective < pat.objective
    assert ours.accuracy >= pat.accuracy - noise(task)
