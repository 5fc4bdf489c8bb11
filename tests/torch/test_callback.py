"""What the callbacks share, in a plain loop: who gets a prox, what is shown, what a checkpoint carries."""

import copy
import importlib
import pickle
import sys

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from shrinkage import L1, L2  # noqa: E402
from shrinkage._errors import ArgumentError, ConvergenceWarning, MissingExtraError  # noqa: E402
from shrinkage.torch import Plan, ProxAdam, Proximal  # noqa: E402
from shrinkage.torch._callback import CONTROLLER, PenaltyCallback  # noqa: E402
from shrinkage.torch._target_sparsity import TargetSparsity  # noqa: E402


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 2))


def steps(model, optimizers, count, start=0):
    for k in range(start, start + count):
        X = torch.randn(16, 8, generator=torch.Generator().manual_seed(k))
        for optimizer in optimizers:
            optimizer.zero_grad()
        (model(X) - X[:, :2]).square().mean().backward()
        for optimizer in optimizers:
            optimizer.step()


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


class Wrapper:
    def __init__(self, optimizer):
        self.optimizer = optimizer


def test_training_with_it_is_training_with_a_proximal():
    model, twin = network(), network()
    optimizer, other = torch.optim.NAdam(model.parameters(), 0.02), torch.optim.NAdam(twin.parameters(), 0.02)
    callback = PenaltyCallback(L1(0.03), exclude="2", warmup_steps=3)
    callback.attach(model, [Wrapper(optimizer)])
    callback.attach(model, [Wrapper(optimizer)])
    Proximal(other, Plan(twin, L1(0.03), exclude="2"), warmup_steps=3)
    steps(model, [optimizer], 30)
    steps(twin, [other], 30)
    assert (model[0].weight == 0).any()
    assert same(model, twin)
    assert callback.plan.penalized == ("0.weight",)


def test_each_of_several_optimizers_gets_the_part_that_it_holds():
    model, twin = network(), network()
    optimizers = [torch.optim.SGD(model[0].parameters(), 0.1), torch.optim.Adam(model[2].parameters(), 0.02)]
    callback = PenaltyCallback(L1(0.02))
    callback.attach(model, optimizers)
    others = [torch.optim.SGD(twin[0].parameters(), 0.1), torch.optim.Adam(twin[2].parameters(), 0.02)]
    Proximal(others[0], Plan(twin[0], L1(0.02)))
    Proximal(others[1], Plan(twin[2], L1(0.02)))
    steps(model, optimizers, 20)
    steps(twin, others, 20)
    assert same(model, twin)
    values = callback.report(model)
    zeros = sum(int((p == 0).sum()) for p in model.parameters())
    assert zeros > 0
    assert values["sparsity/total"] == pytest.approx(zeros / sum(p.numel() for p in model.parameters()))
    assert [row.group for row in callback.last_report.rows] == [0, 0, 0, 0]


def test_of_several_optimizers_only_those_with_penalized_parameters_get_a_prox():
    model = network()
    optimizers = [torch.optim.SGD(model[0].parameters(), 0.1), torch.optim.SGD(model[2].parameters(), 0.1)]
    callback = PenaltyCallback(L1(0.02), select="2")
    callback.attach(model, optimizers)
    assert Proximal.of(optimizers[0]) is None
    assert callback.proximals == (Proximal.of(optimizers[1]),)


def test_an_optimizer_of_ours_is_left_alone_and_reported():
    model, twin = network(), network()
    optimizer, other = (ProxAdam(Plan(m, L1(0.05)), lr=0.02) for m in (model, twin))
    callback = PenaltyCallback()
    callback.attach(model, [optimizer])
    steps(model, [optimizer], 20)
    steps(twin, [other], 20)
    assert same(model, twin)
    assert callback.proximals == ()
    assert callback.plan is optimizer.plan
    assert callback.report(model)["lr_strength/0.weight"] == pytest.approx(0.02 * 0.05)


def test_penalties_in_groups_are_taken():
    model = network()
    optimizer = torch.optim.Adam(Plan(model, L1(0.05)).param_groups(), 0.02)
    callback = PenaltyCallback()
    callback.attach(model, [optimizer])
    steps(model, [optimizer], 20)
    assert (model[0].weight == 0).any()
    assert "L1" in callback.text(model)


def test_a_proximal_of_the_user_is_used():
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    mine = Proximal(optimizer, Plan(model, L1(0.05)))
    callback = PenaltyCallback()
    callback.attach(model, [optimizer])
    assert callback.proximals == (mine,)


@pytest.mark.parametrize(
    ("settings", "make", "said"),
    [
        ({}, lambda m: torch.optim.Adam(m.parameters()), "nothing is penalized in this training .Adam"),
        ({"penalty": L1(1.0)}, lambda m: ProxAdam(Plan(m, L1(0.1))), "applies its own penalties"),
        ({"penalty": L1(1.0)}, lambda m: torch.optim.Adam(m[0].parameters()), "holds 1 of the 2 .* 2.weight"),
        ({"penalty": L1(1.0)}, lambda m: torch.optim.LBFGS(m.parameters()), "LBFGS"),
        ({"plan": lambda m: L1(1.0)}, lambda m: torch.optim.Adam(m.parameters()), "it returned L1"),
        ({"penalty": L1(1.0), "target_sparsity": lambda o: 3}, lambda m: torch.optim.Adam(m.parameters()), "step"),
    ],
)
def test_a_training_that_it_cannot_penalize_is_refused_and_left_as_it_was(settings, make, said):
    model = network()
    optimizer = make(model)
    with pytest.raises(ArgumentError, match=said):
        PenaltyCallback(**settings).attach(model, [optimizer])
    assert Proximal.of(optimizer) is None


def test_two_proxes_are_refused():
    model = network()
    optimizer = torch.optim.Adam(model.parameters())
    Proximal(optimizer, L1(0.1))
    with pytest.raises(ArgumentError, match="already has a Proximal"):
        PenaltyCallback(L1(0.1)).attach(model, [optimizer])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"penalty": 0.1}, "penalty must be"),
        ({"penalty": L1(0.1), "plan": lambda m: Plan(m)}, "leave out penalty"),
        ({"plan": 3}, "plan must be"),
        ({"every_n_epochs": 0}, "every_n_epochs"),
        ({"every_n_steps": 1.5}, "every_n_steps"),
        ({"show": "no"}, "show must be"),
        ({"target_sparsity": 1.0}, "target_sparsity must be"),
        ({"logger": 3}, "logger must have"),
    ],
)
def test_settings_out_of_range_are_refused(settings, said):
    with pytest.raises(ArgumentError, match=said):
        PenaltyCallback(**settings)


def test_a_framework_that_is_missing_is_named():
    class Child(PenaltyCallback):
        _missing = "pip install 'shrinkage[lightning]'"

    with pytest.raises(MissingExtraError, match=r"shrinkage\[lightning\]"):
        Child()


@pytest.mark.parametrize(
    ("module", "name", "extra"),
    [("_lightning", "LightningPenalty", "lightning"), ("_transformers", "TrainerPenalty", "transformers")],
)
def test_the_extra_that_installs_a_missing_framework_is_named(monkeypatch, module, name, extra):
    for hidden in ("lightning", "lightning.pytorch", "pytorch_lightning", "transformers"):
        monkeypatch.setitem(sys.modules, hidden, None)
    monkeypatch.delitem(sys.modules, f"shrinkage.torch.{module}", raising=False)
    opened = importlib.import_module(f"shrinkage.torch.{module}")
    monkeypatch.delitem(sys.modules, f"shrinkage.torch.{module}")
    with pytest.raises(MissingExtraError, match=rf"pip install 'shrinkage\[{extra}\]'"):
        getattr(opened, name)()


def test_the_text_warns_of_norms_that_decay_and_of_decaying_twice():
    model = nn.Sequential(nn.Linear(8, 6), nn.LayerNorm(6), nn.Linear(6, 2))
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.1)
    callback = PenaltyCallback(L1(0.1) + L2(0.1))
    with pytest.warns(UserWarning, match="decay twice"):
        callback.attach(model, [optimizer])
    said = callback.text(model)
    assert str(callback.plan) in said
    assert "usually left free" in said
    assert "decayed 2 times" in said


def run(model, make, stop, resume=None, early=True, count=60):
    """Train `count` steps, or up to `stop`, with a controller; returns what a checkpoint holds."""
    optimizer = make(model)
    callback = PenaltyCallback(None if getattr(optimizer, "plan", None) else L1(0.001), target_sparsity=0.75)
    if early:
        callback.attach(model, [optimizer])
    if resume is not None:
        model.load_state_dict(resume["model"])
        optimizer.load_state_dict(resume["optimizer"])
    callback.attach(model, [optimizer], count)
    steps(model, [optimizer], stop - (resume["step"] if resume else 0), resume["step"] if resume else 0)
    packed = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": stop}
    return callback, copy.deepcopy(packed)


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("stop", [20, 40, 55])
@pytest.mark.parametrize("kind", ["Adam", "ProxAdam"])
def test_a_training_that_stops_and_resumes_ends_bit_for_bit_like_one_that_does_not(tmp_path, kind, stop, early):
    def make(model):
        if kind == "Adam":
            return torch.optim.Adam(model.parameters(), 0.02)
        return ProxAdam(Plan(model, L1(0.001)), lr=0.02)

    whole = network()
    through, _ = run(whole, make, 60)
    _, packed = run(network(), make, stop)
    torch.save(packed, tmp_path / "checkpoint.pt")
    loaded = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    model = network()
    resumed, _ = run(model, make, 60, loaded, early)
    assert same(model, whole)
    assert resumed.controllers[0].state_dict() == through.controllers[0].state_dict()
    assert resumed.controllers[0].steps == 60


def test_the_controller_reaches_its_target_and_is_stepped_once_per_step():
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    callback = PenaltyCallback(L1(0.001), target_sparsity=0.75)
    callback.attach(model, [optimizer], 300)
    steps(model, [optimizer], 300)
    weights = torch.cat([model[0].weight.flatten(), model[2].weight.flatten()])
    assert abs((weights == 0).double().mean().item() - 0.75) <= 1 / len(weights)
    values = callback.report(model)
    assert values["target_sparsity/target"] == 0.75
    assert values["target_sparsity/zeros"] == pytest.approx((weights == 0).double().mean().item())
    assert optimizer.state_dict()["param_groups"][0][CONTROLLER]["taken"] == 300


@pytest.mark.parametrize(
    ("told", "taken", "said"), [(300, 300, None), (300, 30, "only 30 of 300 steps"), (8, 8, "8 steps were too few")]
)
def test_a_target_that_was_missed_is_warned_of_with_the_reason(told, taken, said):
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    callback = PenaltyCallback(L1(0.001), target_sparsity=0.75)
    callback.attach(model, [optimizer], told)
    steps(model, [optimizer], taken)
    if said is None:
        callback.say_missed()
        return
    with pytest.warns(ConvergenceWarning, match=f"75 % were wanted: {said}"):
        callback.say_missed()


def test_any_controller_with_three_methods_will_do():
    class Halves:
        def __init__(self, optimizer):
            self.count = 0
            self.proximal = Proximal.of(optimizer)

        def step(self):
            self.count += 1
            self.proximal.rescale(0.5)

        def state_dict(self):
            return {"count": self.count}

        def load_state_dict(self, state):
            self.count = state["count"]

    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    callback = PenaltyCallback(L1(1.0), target_sparsity=Halves)
    callback.attach(model, [optimizer])
    steps(model, [optimizer], 3)
    assert callback.proximals[0].penalty.alpha == 0.125
    assert callback.controllers[0].count == 3


def test_new_optimizers_are_attached_to_and_old_ones_let_go():
    model = network()
    old, new = torch.optim.Adam(model.parameters()), torch.optim.Adam(model.parameters())
    callback = PenaltyCallback(L1(0.1), target_sparsity=0.5)
    callback.attach(model, [old])
    callback.attach(model, [new])
    assert Proximal.of(old) is None
    assert callback.proximals == (Proximal.of(new),)
    before = len(new._optimizer_step_post_hooks)
    callback.attach(model, [new])
    assert len(new._optimizer_step_post_hooks) == before
    assert isinstance(callback.controllers[0], TargetSparsity)


def test_parameters_that_were_exchanged_are_found_again():
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    callback = PenaltyCallback(L1(0.2))
    callback.attach(model, [optimizer])
    swapped = network()  # as sharding does: the same optimizer, other parameters
    optimizer.param_groups[0]["params"] = list(swapped.parameters())
    callback.attach(swapped, [optimizer])
    steps(swapped, [optimizer], 20)
    assert (swapped[0].weight == 0).any()


def test_a_copy_and_a_pickle_carry_the_settings_alone():
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    callback = PenaltyCallback(L1(0.2), show=None)
    callback.attach(model, [optimizer])
    for other in (copy.deepcopy(callback), pickle.loads(pickle.dumps(callback))):
        assert other.proximals == ()
        fresh = network()
        new = torch.optim.Adam(fresh.parameters(), 0.02)
        other.attach(fresh, [new])
        assert other.proximals[0].penalty == L1(0.2)


def test_every_logger_gets_the_values():
    seen, more = [], []
    callback = PenaltyCallback(
        L1(0.1), logger=[lambda step, values: seen.append((step, values)), lambda step, values: more.append(step)]
    )
    callback.tell(3, {"a": 0.5})
    assert (seen, more) == ([(3, {"a": 0.5})], [3])
