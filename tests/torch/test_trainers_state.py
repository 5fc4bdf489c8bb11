"""Trainings that stop and go on: snapshots to the bit, strengths that are dropped, models that cannot be stacked."""

import io
import random
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from trainings import MODELS, OPTIMIZERS, SCHEDULERS, STRENGTHS, batches, mean, mlp, task_of, weights  # noqa: E402

from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.torch import AdamW  # noqa: E402
from shrinkage.torch import _trainer as trainer_room  # noqa: E402
from shrinkage.torch._loop_trainer import LoopTrainer  # noqa: E402
from shrinkage.torch._stacked_graph import CannotStackError  # noqa: E402
from shrinkage.torch._stacked_trainer import StackedTrainer  # noqa: E402
from shrinkage.torch._task import Task  # noqa: E402
from shrinkage.torch._trainer import choose_trainer  # noqa: E402

KINDS = [LoopTrainer, StackedTrainer]


def through_a_file(snapshot):
    file = io.BytesIO()
    torch.save(snapshot, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def assert_equal_to_the_bit(one, other):
    assert one.strengths == other.strengths
    for strength in one.strengths:
        assert torch.equal(weights(one, strength), weights(other, strength))


@pytest.mark.parametrize(
    ("name", "kind"),
    [*((name, StackedTrainer) for name in OPTIMIZERS), ("DualAdam", LoopTrainer), ("ProxSGD momentum", LoopTrainer)],
)
def test_a_restored_training_ends_where_the_uninterrupted_one_does(name, kind):
    """With 6 steps an epoch, warm-ups of 5, 7 and 9 steps end before, between and after the snapshots."""
    make, every = SCHEDULERS["one cycle"]
    task = task_of(OPTIMIZERS[name], MODELS["dropout"][0], make_scheduler=make, scheduler_every=every)
    through = kind(task, STRENGTHS, 0)
    stored = [through_a_file(through.snapshot())]
    for _ in range(3):
        losses = through.run_epoch(batches())
        stored.append(through_a_file(through.snapshot()))
    for done in (0, 1, 2):
        again = kind(task, STRENGTHS, 0)
        again.restore(stored[done])
        for _ in range(3 - done):
            again_losses = again.run_epoch(batches())
        assert torch.equal(again_losses, losses)
        assert_equal_to_the_bit(again, through)


@pytest.mark.parametrize("kind", KINDS)
def test_a_snapshot_does_not_change_with_the_training_that_made_it(kind):
    trainer = kind(task_of(OPTIMIZERS["DualAdam"]), STRENGTHS, 0)
    trainer.run_epoch(batches())
    snapshot = trainer.snapshot()
    kept = through_a_file(snapshot)
    trainer.run_epoch(batches())
    trainer.restore(snapshot)
    other = kind(task_of(OPTIMIZERS["DualAdam"]), STRENGTHS, 0)
    other.restore(kept)
    assert_equal_to_the_bit(trainer, other)


def test_a_snapshot_of_one_kind_serves_the_other():
    task = task_of(OPTIMIZERS["DualAdam"])
    for first, second in (KINDS, KINDS[::-1]):
        through, changed = first(task, STRENGTHS, 0), second(task, STRENGTHS, 0)
        through.run_epoch(batches())
        changed.restore(through_a_file(through.snapshot()))
        for trainer in (through, changed):
            trainer.run_epoch(batches())
        for strength in STRENGTHS:
            torch.testing.assert_close(weights(through, strength), weights(changed, strength), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["DualAdam", "torch AdamW", "ProxSGD momentum", "ProxAdam rows", "ProxAdam warm-up"])
@pytest.mark.parametrize("kind", KINDS)
def test_dropped_strengths_leave_the_others_as_they_are(kind, name):
    make, every = SCHEDULERS["cosine"]
    task = task_of(OPTIMIZERS[name], make_scheduler=make, scheduler_every=every)
    some, alone = kind(task, STRENGTHS, 0), kind(task, STRENGTHS, 0)
    for epoch in range(3):
        if epoch == 1:
            some.drop(STRENGTHS[:1])  # whose scheduler stands for all
            restored = kind(task, STRENGTHS, 0)
            restored.restore(through_a_file(some.snapshot()))
        assert len(some.run_epoch(batches())) == len(some.strengths)
        alone.run_epoch(batches())
        if epoch >= 1:
            restored.run_epoch(batches())
    assert some.strengths == STRENGTHS[1:]
    assert_equal_to_the_bit(some, restored)
    for strength in some.strengths:
        torch.testing.assert_close(weights(some, strength), weights(alone, strength), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_dropped_restored_or_asked_for_is_named(kind):
    trainer = kind(task_of(OPTIMIZERS["DualAdam"]), STRENGTHS, 0)
    with pytest.raises(ArgumentError, match=r"must be in training.*\[7\]"):
        trainer.drop([7])
    with pytest.raises(ArgumentError, match="one strength must stay"):
        trainer.drop(STRENGTHS)
    with pytest.raises(ArgumentError, match="strength must be one in training"):
        trainer.model(7.0)
    with pytest.raises(ArgumentError, match="snapshot must be of seed 0; got one of seed 1"):
        trainer.restore(kind(trainer.task, STRENGTHS, 1).snapshot())
    with pytest.raises(ArgumentError, match="snapshot must be of this model"):
        trainer.restore(kind(task_of(OPTIMIZERS["DualAdam"], MODELS["batch norm"][0]), STRENGTHS, 0).snapshot())
    with pytest.raises(ArgumentError, match="different numbers"):
        kind(trainer.task, (0.1, 0.1), 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_an_own_copy_and_an_optimizer_knows_its_states(kind):
    trainer = kind(task_of(OPTIMIZERS["DualAdam"]), STRENGTHS, 0)
    trainer.run_epoch(batches())
    model = trainer.model(STRENGTHS[1])
    assert not model.training
    before = weights(trainer, STRENGTHS[1])
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
    assert torch.equal(weights(trainer, STRENGTHS[1]), before)
    optimizer = trainer.optimizer(STRENGTHS[1])
    states = [optimizer.state[p] for group in optimizer.param_groups for p in group["params"]]
    assert {int(state["step"]) for state in states} == {len(batches())}
    own = torch.cat([p.detach().flatten() for group in optimizer.param_groups for p in group["params"]])
    assert sorted(own.double().tolist()) == sorted(before.tolist())


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(5, 1)

    def forward(self, x):
        return self.inner(x) if x.sum() > 0 else 2 * self.inner(x)


class BranchingOnWeights(Branching):
    def forward(self, x):
        return self.inner(x) if self.inner.weight.sum() > 0 else 2 * self.inner(x)


class Counting(Branching):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.inner(x) / self.calls


class Rebinding(Branching):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(5))

    def forward(self, x):
        self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
        return self.inner(x - self.mean)


class Chancy(Branching):
    def forward(self, x):
        return self.inner(x) * (1 + random.random())


class Remembering(Branching):
    def __init__(self):
        super().__init__()
        self.last = torch.zeros(5)  # no buffer

    def forward(self, x):
        self.last += x.detach().mean(0)
        return self.inner(x - self.last)


def hooked():
    model = mlp()
    model[1].register_forward_hook(lambda module, args, output: 2 * output)
    return model


def with_gradient_hook():
    model = mlp()
    model[0].weight.register_hook(lambda gradient: 2 * gradient)
    return model


REFUSED = {
    "branching": (Branching, "depend on the data"),
    "branching on weights": (BranchingOnWeights, "cannot batch|depend on the data"),
    "counting": (Counting, "changes 'calls'"),
    "rebinding": (Rebinding, "changes 'mean"),
    "chancy": (Chancy, "random numbers outside torch"),
    "remembering": (Remembering, "changes 'last'"),
    "hooked": (hooked, "has hooks"),
    "gradient hook": (with_gradient_hook, "has a hook"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_models_that_cannot_be_stacked_go_to_the_loop_with_a_reason(name):
    model_fn, reason = REFUSED[name]
    task = task_of(OPTIMIZERS["torch SGD"], model_fn)
    with pytest.raises(CannotStackError, match=reason):
        StackedTrainer(task, STRENGTHS, 0).run_epoch(batches())
    random.seed(0)
    kind, words = choose_trainer(task, STRENGTHS, 0, batches())
    assert kind == "loop"
    with pytest.raises(CannotStackError, match=reason):
        raise CannotStackError(words)
    assert torch.isfinite(LoopTrainer(task, STRENGTHS, 0).run_epoch(batches())).all()


def test_a_loss_that_computes_several_times_goes_to_the_loop():
    task = task_of(lambda model, s: torch.optim.LBFGS(model.parameters(), lr=0.1))
    assert choose_trainer(task, STRENGTHS, 0, batches()) == ("loop", "LBFGS computes the loss several times in a step")
    before = LoopTrainer(task, STRENGTHS, 0)
    losses = [before.run_epoch(batches(size=43)) for _ in range(4)]
    assert (losses[-1] < losses[0]).all()


def test_batches_that_cannot_be_recorded_later_are_run_one_by_one():
    class Late(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(5, 1)

        def forward(self, x):
            if len(x) == 3 and x.sum() > 0:
                return 2 * self.inner(x)
            return self.inner(x)

    task = task_of(OPTIMIZERS["DualAdam"], Late)
    loop, stacked = (kind(task, STRENGTHS, 0) for kind in KINDS)
    for trainer in (loop, stacked):
        trainer.run_epoch(batches(n=43))  # of which the last has three rows
        trainer.run_epoch(batches(n=43))
    for strength in STRENGTHS:
        torch.testing.assert_close(weights(loop, strength), weights(stacked, strength), rtol=1e-4, atol=1e-5)
    data = [(x, y) for x, y in batches(n=3)]
    torch.testing.assert_close(loop.held_out(data), stacked.held_out(data), rtol=1e-4, atol=1e-4)


def test_one_strength_and_no_batch_go_to_the_loop():
    task = task_of(OPTIMIZERS["DualAdam"])
    assert choose_trainer(task, (0.1,), 0, batches()) == ("loop", "there is one strength")
    assert choose_trainer(task, STRENGTHS, 0, []) == ("loop", "there is no batch to measure with")


def test_trainings_that_do_not_fit_into_memory_go_to_the_loop(monkeypatch):
    monkeypatch.setattr(trainer_room, "_free_memory", lambda device: 1000)
    kind, reason = choose_trainer(task_of(OPTIMIZERS["DualAdam"]), STRENGTHS, 0, batches())
    assert kind == "loop"
    assert "3 models need about" in reason


def test_long_steps_with_few_calls_are_not_measured_further(monkeypatch):
    monkeypatch.setattr(trainer_room, "StackedTrainer", None)
    monkeypatch.setattr(trainer_room, "_seconds", lambda trainer, some: 100.0)
    kind, reason = choose_trainer(task_of(OPTIMIZERS["torch AdamW"]), STRENGTHS, 0, batches())
    assert (kind, reason.split(",")[0]) == ("loop", "a step of one model takes 33.3 s")


@pytest.mark.parametrize("third", range(3))
@pytest.mark.parametrize("pause", [0.06, 0.6])
def test_a_machine_that_is_busy_for_a_third_of_the_time_does_not_decide(monkeypatch, third, pause):
    """Steps whose seconds are known, every third of them with something else that the machine has to do."""
    calls = []

    def seconds(trainer, some):
        calls.append(trainer)
        least = 0.001 if type(trainer) is StackedTrainer else 0.01 * len(trainer.strengths)
        return least + pause * (len(calls) % 3 == third)

    monkeypatch.setattr(trainer_room, "_seconds", seconds)
    kind, reason = choose_trainer(task_of(OPTIMIZERS["torch AdamW"]), STRENGTHS, 0, batches())
    assert (kind, reason) == ("stacked", "a step of 3 strengths takes 1 ms stacked, 30 ms in a loop")


@pytest.mark.parametrize("slowed", [1.0, 7.0])
def test_a_cold_start_and_a_slow_machine_do_not_change_the_share_of_calls(monkeypatch, slowed):
    taken = iter([0.9, *[0.010 * slowed] * 12])
    monkeypatch.setattr(trainer_room, "_seconds", lambda trainer, some: next(taken))
    monkeypatch.setattr(trainer_room, "_cost_of_calls", lambda calls: 1e-5 * slowed * calls)
    step, share = trainer_room._step_and_calls(None, [], 200, 4.0)
    assert (step, share) == pytest.approx((0.010 * slowed, 0.2))


def test_stacking_is_tried_where_steps_are_short_or_much_of_them_is_in_calls():
    long, much = trainer_room._LONG, trainer_room._WORTH
    assert trainer_room._worth_a_try(long, 0.0)
    assert trainer_room._worth_a_try(100 * long, much)
    assert not trainer_room._worth_a_try(1.01 * long, 0.99 * much)


def test_seventeen_strengths_of_a_small_network_are_stacked_though_the_first_steps_are_cold(monkeypatch):
    """3.6 ms for a step of one model at first, of which calls would be a fourth; then 1.4 ms, and 2 ms stacked."""
    taken = []

    def seconds(trainer, some):
        taken.append(trainer)
        if type(trainer) is StackedTrainer:
            return 0.002
        return len(trainer.strengths) * (0.0036 if len(taken) < 4 else 0.0014)

    monkeypatch.setattr(trainer_room, "_seconds", seconds)
    monkeypatch.setattr(trainer_room, "_cost_of_calls", lambda calls: 0.25 * 4 * 0.0036)
    strengths = tuple(0.01 * k for k in range(17))
    kind, reason = choose_trainer(task_of(OPTIMIZERS["DualAdam"]), strengths, 0, batches())
    assert (kind, reason) == ("stacked", "a step of 17 strengths takes 2 ms stacked, 23.8 ms in a loop")


@pytest.mark.parametrize("faster", ["stacked", "loop"])
def test_the_faster_trainer_is_chosen_by_its_seconds_and_leaves_no_trace(monkeypatch, faster):
    """A clock that only the steps of one of the two move."""
    clock = [0.0]
    monkeypatch.setattr(trainer_room.time, "perf_counter", lambda: clock[0])

    def slowed(kind, seconds):
        train = kind.run_epoch

        def run_epoch(self, some):
            clock[0] += seconds * len(self.strengths)
            return train(self, some)

        monkeypatch.setattr(kind, "run_epoch", run_epoch)

    slowed(LoopTrainer, 2.0 if faster == "stacked" else 1.0)
    slowed(StackedTrainer, 1.5)
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    monkeypatch.setattr(trainer_room, "_WORTH", 0.0)
    strengths = tuple(0.01 * k for k in range(9))
    kind, reason = choose_trainer(task_of(OPTIMIZERS["DualAdam"]), strengths, 0, batches())
    assert kind == faster
    assert (
        reason
        == {
            "stacked": "a step of 9 strengths takes 13.5 s stacked, 18 s in a loop",
            "loop": "a step of 9 strengths takes 9 s in a loop, 13.5 s stacked",
        }[faster]
    )
    assert torch.equal(torch.rand(2), expected)


def test_settings_that_change_on_the_way_are_followed():
    """A scheduler of one's own may change anything, decay too, and differently for each member."""

    class Own:
        def __init__(self, optimizer):
            self.optimizer = optimizer

        def step(self):
            for group in self.optimizer.param_groups:
                group["lr"] *= 0.9
                group["weight_decay"] += 0.1
                group["betas"] = (0.8, 0.99)

        def state_dict(self):
            return {}

        def load_state_dict(self, state):
            pass

    task = task_of(lambda model, s: AdamW(model.parameters(), lr=0.02, weight_decay=s), make_scheduler=Own)
    loop, stacked = (kind(replace(task, scheduler_every="step"), STRENGTHS, 0) for kind in KINDS)
    for trainer in (loop, stacked):
        trainer.run_epoch(batches())
        trainer.run_epoch(batches())
    for strength in STRENGTHS:
        torch.testing.assert_close(weights(loop, strength), weights(stacked, strength), rtol=1e-4, atol=1e-5)


def test_a_loss_of_a_batch_with_rows_of_other_sizes_is_weighted():
    task = Task(mlp, mean, lambda output, y: (output.squeeze(-1) - y).square(), OPTIMIZERS["torch SGD"])
    for kind in KINDS:
        parts = kind(task, STRENGTHS, 0).held_out(batches(n=11, size=8))
        whole = kind(task, STRENGTHS, 0).held_out(batches(n=11, size=11))
        torch.testing.assert_close(parts, whole)
