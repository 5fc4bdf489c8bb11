"""Trainings side by side: stacked is the loop to rounding, whatever the optimizer, the model and the batches."""

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from shrinkage import L1, L1L2, L2, MCP, SCAD, GroupL2  # noqa: E402
from shrinkage.torch import AdamW, DualAdam, DualSGD, Plan, ProxAdam, Proximal, ProxSGD  # noqa: E402
from shrinkage.torch._loop_trainer import LoopTrainer  # noqa: E402
from shrinkage.torch._stacked_trainer import StackedTrainer  # noqa: E402
from shrinkage.torch._task import Task  # noqa: E402

STRENGTHS = (0.0, 0.01, 0.05)


def rows(output, y):
    return 0.5 * (output.squeeze(-1) - y).square()


def mean(output, y):
    return rows(output, y).mean()


def mlp():
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))


def batches(shape=(5,), n=43, size=8, seed=0):
    """The last batch is smaller."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, *shape, generator=generator)
    y = x.flatten(1)[:, 0] - 2 * x.flatten(1)[:, 1] + 0.3 * torch.randn(n, generator=generator)
    return list(zip(x.split(size), y.split(size), strict=True))


def task_of(make_optimizer, model_fn=mlp, **more):
    return Task(model_fn, mean, rows, make_optimizer, **more)


def weights(trainer, strength):
    return torch.cat([t.flatten().double() for t in trainer.model(strength).state_dict().values()])


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


def _plan(kind, penalty, **settings):
    return lambda model, s: kind(Plan(model, penalty(s)), **{"lr": 0.02, **settings})


OPTIMIZERS = {
    "torch Adam": lambda model, s: torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=s),
    "torch Adam amsgrad": lambda m, s: torch.optim.Adam(m.parameters(), lr=0.02, weight_decay=s, amsgrad=True),
    "torch AdamW": lambda model, s: torch.optim.AdamW(model.parameters(), lr=0.02, weight_decay=s),
    "torch SGD": lambda model, s: torch.optim.SGD(model.parameters(), lr=0.05, weight_decay=s),
    "torch SGD momentum": lambda m, s: torch.optim.SGD(m.parameters(), lr=0.02, momentum=0.9, weight_decay=s),
    "torch SGD nesterov": lambda m, s: torch.optim.SGD(
        m.parameters(), lr=0.02, momentum=0.9, nesterov=True, weight_decay=s
    ),
    "AdamW": lambda model, s: AdamW(Plan(model), lr=0.02, weight_decay=s),
    "AdamW l1_decay": lambda model, s: AdamW(Plan(model), lr=0.02, l1_decay=s),
    "AdamW independent": lambda m, s: AdamW(Plan(m), lr=0.02, weight_decay=s / 10, coupling="independent"),
    "ProxAdam": _plan(ProxAdam, L1),
    "ProxAdam L2": _plan(ProxAdam, L2),
    "ProxAdam elastic net": _plan(ProxAdam, lambda s: L1L2(s, 0.5)),
    "ProxAdam decay": _plan(ProxAdam, L1, weight_decay=0.01, maximize=False, amsgrad=True),
    "ProxAdam warm-up": _plan(ProxAdam, L1, warmup_steps=5),
    "ProxAdam keep": _plan(ProxAdam, lambda s: L1(10 * s), keep=3),
    "ProxAdam MCP": _plan(ProxAdam, MCP),
    "ProxAdam SCAD": _plan(ProxAdam, SCAD),
    "ProxAdam rows": _plan(ProxAdam, lambda s: GroupL2(s, axis=0)),
    "ProxAdam columns": _plan(ProxAdam, lambda s: GroupL2(s, axis=1)),
    "ProxAdam sparse group": _plan(ProxAdam, lambda s: L1(s) + GroupL2(s, axis=0)),
    "DualAdam": _plan(DualAdam, L1),
    "DualAdam elastic net": _plan(DualAdam, lambda s: L1L2(s, 0.5)),
    "DualAdam warm-up": _plan(DualAdam, L1, warmup_steps=9),
    "DualAdam rows": _plan(DualAdam, lambda s: GroupL2(s, axis=0)),
    "ProxSGD": _plan(ProxSGD, L1),
    "ProxSGD momentum": _plan(ProxSGD, lambda s: L1L2(s, 0.7), momentum=0.9, nesterov=True),
    "ProxSGD warm-up": _plan(ProxSGD, L1, momentum=0.5, dampening=0.1, warmup_steps=7),
    "ProxSGD MCP": _plan(ProxSGD, MCP, momentum=0.5),
    "DualSGD": _plan(DualSGD, L1),
    "DualSGD momentum": _plan(DualSGD, lambda s: L1L2(s, 0.7), momentum=0.9),
    "DualSGD rows": _plan(DualSGD, lambda s: GroupL2(s, axis=0), momentum=0.9),
}
ONE_BY_ONE = {"ProxAdam keep", "ProxAdam rows", "ProxAdam columns", "ProxAdam sparse group", "DualAdam rows",
              "ProxSGD MCP", "DualSGD rows"}  # fmt: skip


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


SCHEDULERS = {
    "cosine": (lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 4), "epoch"),
    "one cycle": (lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.05, total_steps=30), "step"),
    "plateau": (lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=0, threshold=0.2), "epoch"),
    "steps": (lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [2, 4]), "epoch"),
}


@pytest.mark.parametrize("optimizer", ["DualAdam", "ProxSGD momentum", "AdamW independent", "ProxAdam rows"])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_schedulers_move_rates_alike(name, optimizer):
    make, every = SCHEDULERS[name]
    task = task_of(OPTIMIZERS[optimizer], make_scheduler=make, scheduler_every=every)
    stacked = twins(task, batches(), epochs=4)
    rates = {group["lr"] for s in STRENGTHS for group in stacked.optimizer(s).param_groups}
    assert rates != {0.02}


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.lift, self.norm, self.head = nn.Linear(5, 6), nn.LayerNorm(6), nn.Linear(6, 1)
        self.unused = nn.Parameter(torch.ones(2))
        self.frozen = nn.Parameter(torch.full((6,), 0.5), requires_grad=False)

    def forward(self, x):
        z = self.lift(x) * self.frozen
        return self.head(z + nn.functional.gelu(self.norm(z)))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 1)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.head(self.second(self.first(x).tanh()))


# No bias before a norm: its gradient is nothing but rounding, of which Adam takes the sign.
MODELS = {
    "relu": (lambda: nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1)), (5,)),
    "deep": (lambda: nn.Sequential(nn.Linear(5, 8), nn.Sigmoid(), nn.Linear(8, 6), nn.SiLU(), nn.Linear(6, 1)), (5,)),
    "dropout": (lambda: nn.Sequential(nn.Linear(5, 16), nn.Dropout(0.4), nn.Tanh(), nn.Linear(16, 1)), (5,)),
    "batch norm": (
        lambda: nn.Sequential(nn.Linear(5, 8, bias=False), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1)),
        (5,),
    ),
    "residual": (Residual, (5,)),
    "tied": (Tied, (5,)),
    "conv": (
        lambda: nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.Tanh(), nn.AvgPool2d(2),
                              nn.Conv2d(4, 4, 2, groups=2), nn.Flatten(), nn.Linear(4, 1)),
        (2, 4, 4),
    ),
    "conv1d": (
        lambda: nn.Sequential(nn.Conv1d(2, 3, 3), nn.Tanh(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(6, 1)),
        (2, 6),
    ),
}  # fmt: skip


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
