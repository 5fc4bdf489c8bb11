"""A network on digits: what the loop of the tutorials leaves at almost zero is made zero, and the objective falls."""

from statistics import mean

import pytest

torch = pytest.importorskip("torch")

import networks  # noqa: E402 - it needs torch

STRENGTH = 1e-3
SEEDS = range(3)


@pytest.fixture(scope="module")
def outcomes():
    """Every method at the same strength, seeds, batches and epochs."""
    torch.set_num_threads(1)
    task = networks.digits()
    return {
        "loop": [networks.by_loop(task, seed, STRENGTH) for seed in SEEDS],
        **{name: [networks.by_ours(task, seed, STRENGTH, name) for seed in SEEDS] for name in ("DualAdam", "ProxAdam")},
    }


def averaged(outcomes, name, field):
    return mean(getattr(outcome, field) for outcome in outcomes[name])


def test_the_loop_of_the_tutorials_leaves_no_weight_at_zero(outcomes):
    assert [outcome.zeros for outcome in outcomes["loop"]] == [0.0] * len(SEEDS)
    assert averaged(outcomes, "loop", "below") > 0.7  # though most are small


def test_dual_averaging_makes_most_weights_exactly_zero(outcomes):
    assert averaged(outcomes, "DualAdam", "zeros") >= 0.78
    assert averaged(outcomes, "DualAdam", "zeros") >= averaged(outcomes, "loop", "below")


def test_a_proximal_step_makes_zeros_and_fewer_than_dual_averaging(outcomes):
    assert 0.4 < averaged(outcomes, "ProxAdam", "zeros") < averaged(outcomes, "DualAdam", "zeros")


@pytest.mark.parametrize("name", ["DualAdam", "ProxAdam"])
def test_the_zeros_cost_no_more_than_half_a_point_of_accuracy(outcomes, name):
    pairs = zip(outcomes[name], outcomes["loop"], strict=True)
    points = [100.0 * (ours.accuracy - loop.accuracy) for ours, loop in pairs]
    assert mean(points) >= -0.5


def test_dual_averaging_reaches_a_lower_objective_from_every_start(outcomes):
    pairs = zip(outcomes["DualAdam"], outcomes["loop"], strict=True)
    assert all(ours.objective < loop.objective for ours, loop in pairs)


def test_a_proximal_step_reaches_as_low_an_objective(outcomes):
    assert averaged(outcomes, "ProxAdam", "objective") < 1.01 * averaged(outcomes, "loop", "objective")


def test_neurons_leave_though_no_group_was_asked_for(outcomes):
    for ours, loop in zip(outcomes["DualAdam"], outcomes["loop"], strict=True):
        assert loop.neurons == (128, 64, 10)
        assert all(left < full for left, full in zip(ours.neurons[:2], loop.neurons[:2], strict=True))
        assert ours.neurons[2] == 10
