"""Trainings side by side: stacked is the loop to rounding, whatever the optimizer, the model and the batches."""

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from trainings import MODELS, OPTIMIZERS, SCHEDULERS, STRENGTHS, Residual, batches, task_of, weights  # noqa: E402

from shrinkage import L1  # noqa: E402
from shrinkage.torch import Plan, ProxAdam, Proximal  # noqa: E402
from shrinkage.torch._loop_trainer import LoopTrainer  # noqa: E402
from shrinkage.torch._stacked_trainer import StackedTrainer  # noqa: E402
from shrinkage.torch._task import Task  # noqa: E402


def apart(one, other):
    """The largest difference of weights and buffers of any strength."""
    return max(float((weights(one, s) - weights(other, s)).abs().max()) for s in one.strengths)


def twins(task, data, epochs=3, strengths=STRENGTHS, tolerance=2e-5):
    """Train both ways, compare all that they say, and return the stacked one."""
    loop, stacked = (kind(task, strengths, 3) for kind in (LoopTrainer, StackedTrainer))
    for _ in range(epochs):
        losses = [trainer.run_epoch(data) for trainer in (loop, stacked)]
        torch.testing.assert_close(losses[0], losses[1], rtol=1e-4, atol=1e-5)
    assert apart(loop, stacked) < tolerance
    held = [trainer.held_out(data[:3]) for trainer in (loop, stacked)]
    assert held[0].shape == (len(strengths), sum(len(y) for _, y in data[:3]))
    torch.testing.assert_close(held[0], held[1], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(loop.outputs(data[0][0]), stacked.outputs(data[0][0]), rtol=1e-3, atol=1e-4)
    assert torch.equal(loop.zeros(), stacked.zeros())
    return stacked


ONE_BY_ONE = {"ProxAdam keep", "ProxSGD MCP", "DualSGD rows"}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_stacked_is_the_loop_to_rounding(name):
    stacked = twins(task_of(OPTIMIZERS[name]), batches())
    in_one_pass = type(stacked._stepper).__name__ != "OneByOne"
    assert in_one_pass == (name not in ONE_BY_ONE)


@pytest.mark.parametrize("kind", ["RMSprop", "Adagrad", "NAdam"])
def test_other_optimizers_step_one_by_one_after_a_stacked_backward(kind):
    make = getattr(torch.optim, kind)
    twins(task_of(lambda model, s: make(model.parameters(), lr=0.01, weight_decay=s)), batches())


def test_hooks_of_a_proximal_run():
    def make(model, s):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
        Proximal(optimizer, Plan(model, L1(s)))
        return optimizer

    stacked = twins(task_of(make), batches(), strengths=(0.1, 0.3))
    assert (weights(stacked, 0.3) == 0).any()


def test_members_may_differ_in_their_learning_rates():
    def make(model, s):
        return ProxAdam(Plan(model, L1(s)), lr=0.01 + s)

    twins(task_of(make), batches())


def test_groups_with_settings_of_their_own_are_respected():
    def make(model, s):
        groups = [
            {"params": list(model[0].parameters()), "lr": 0.05, "betas": (0.8, 0.99), "penalty": L1(s)},
            {"params": list(model[2].parameters()), "eps": 1e-3, "weight_decay": 0.1},
        ]
        return ProxAdam(groups, lr=0.01)

    twins(task_of(make), batches())


def test_factors_and_strengths_of_single_weights_are_respected():
    factors = torch.linspace(0, 2, 40).reshape(8, 5)

    def make(model, s):
        return ProxAdam(Plan(model, None, overrides={"0.weight": L1(s, factors=factors)}), lr=0.02)

    twins(task_of(make), batches(), strengths=(0.01, 0.05))

    def make_each(model, s):
        return ProxAdam(Plan(model, None, overrides={"0.weight": L1(s * factors)}), lr=0.02)

    twins(task_of(make_each), batches(), strengths=(0.01, 0.05))


@pytest.mark.parametrize("optimizer", ["DualAdam", "ProxSGD momentum", "AdamW independent", "ProxAdam rows"])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_schedulers_move_rates_alike(name, optimizer):
    make, every = SCHEDULERS[name]
    task = task_of(OPTIMIZERS[optimizer], make_scheduler=make, scheduler_every=every)
    stacked = twins(task, batches(), epochs=4)
    rates = {group["lr"] for s in STRENGTHS for group in stacked.optimizer(s).param_groups}
    assert rates != {0.02}


@pytest.mark.parametrize("optimizer", ["torch AdamW", "DualAdam", "ProxSGD momentum"])
@pytest.mark.parametrize("name", MODELS)
def test_models_give_the_same_stacked(name, optimizer):
    model_fn, shape = MODELS[name]
    twins(task_of(OPTIMIZERS[optimizer], model_fn), batches(shape), epochs=2, tolerance=1e-4)


def test_parameters_without_a_gradient_stay_as_they_are():
    stacked = twins(task_of(OPTIMIZERS["torch AdamW"], Residual), batches(), strengths=(0.1, 0.5))
    model = stacked.model(0.5)
    assert model.unused.tolist() == [1.0, 1.0]
    assert model.frozen.tolist() == [0.5] * 6


def test_running_statistics_are_each_member_s_own():
    stacked = twins(task_of(OPTIMIZERS["ProxSGD"], MODELS["batch norm"][0]), batches(), strengths=(0.0, 0.5))
    means = [stacked.model(s)[1].running_mean for s in (0.0, 0.5)]
    assert (means[0] - means[1]).abs().max() > 1e-3
    assert int(stacked.model(0.5)[1].num_batches_tracked) == 3 * len(batches())


def test_dropout_is_that_of_the_seed_and_the_step():
    task = task_of(OPTIMIZERS["torch SGD"], MODELS["dropout"][0])
    for kind in (LoopTrainer, StackedTrainer):
        found = []
        for seed, noise in ((0, 1), (0, 2), (1, 1)):
            torch.manual_seed(noise)
            trainer = kind(task, (0.1, 0.2), seed)
            trainer.run_epoch(batches())
            found.append(weights(trainer, 0.1))
        assert torch.equal(found[0], found[1])
        assert not torch.equal(found[0], found[2])
        resting = kind(task_of(lambda model, s: torch.optim.SGD(model.parameters(), lr=0.0), task.model_fn), (0.1,), 0)
        assert not torch.equal(resting.run_epoch(batches()[:1]), resting.run_epoch(batches()[:1]))


def test_the_random_numbers_of_the_program_stay_as_they_are():
    task = task_of(OPTIMIZERS["torch SGD"], MODELS["dropout"][0])
    for kind in (LoopTrainer, StackedTrainer):
        torch.manual_seed(5)
        expected = torch.rand(3)
        torch.manual_seed(5)
        trainer = kind(task, (0.1, 0.2), 0)
        trainer.run_epoch(batches())
        trainer.held_out(batches())
        assert torch.equal(torch.rand(3), expected)


def test_the_mean_loss_counts_rows_and_has_no_penalty_in_it():
    """With a learning rate of 0 every batch sees the weights of the start."""
    task = task_of(lambda model, s: ProxAdam(Plan(model, L1(100.0 * s)), lr=0.0))
    for kind in (LoopTrainer, StackedTrainer):
        trainer = kind(task, STRENGTHS, 0)
        found = trainer.run_epoch(batches())
        expected = trainer.held_out(batches()).double().mean(dim=1)
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


def test_float64_and_inputs_of_several_tensors_are_taken():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(5, 1).double()

        def forward(self, a, b):
            return self.inner(a + b)

    data = [((x.double(), x.double()), y.double()) for x, y in batches()]
    twins(task_of(OPTIMIZERS["DualAdam"], Sum), data, tolerance=1e-12)
    named = [({"a": x, "b": x}, y) for (x, _), y in data]
    twins(task_of(OPTIMIZERS["torch AdamW"], Sum), named, tolerance=1e-12)


def test_classes_are_learned_as_well():
    def each(output, y):
        return nn.functional.cross_entropy(output, y, reduction="none")

    task = Task(
        lambda: nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3)),
        nn.functional.cross_entropy,
        each,
        OPTIMIZERS["DualAdam"],
    )
    data = [(x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long()) for x, _ in batches()]
    twins(task, data, tolerance=1e-4)


@pytest.mark.parametrize("kind", [LoopTrainer, StackedTrainer])
def test_a_diverged_member_leaves_the_others_alone(kind):
    def make(model, s):
        return ProxAdam(Plan(model, L1(0.01)), lr=0.01 if s < 1 else 1e30)

    task = task_of(make)
    both, alone = kind(task, (0.5, 2.0), 0), kind(task, (0.5, 0.6), 0)
    for _ in range(3):
        losses = both.run_epoch(batches())
        alone.run_epoch(batches())
    assert not math.isfinite(float(losses[1])) or float(losses[1]) > 1e6
    torch.testing.assert_close(weights(both, 0.5), weights(alone, 0.5), rtol=1e-5, atol=1e-6)
