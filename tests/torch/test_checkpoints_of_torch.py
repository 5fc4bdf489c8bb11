"""Going on from checkpoints of torch's own optimizers, without a penalty and with one."""

import copy

import pytest

torch = pytest.importorskip("torch")

from optimizers import network, through_a_file, train  # noqa: E402

from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.penalties import L1  # noqa: E402
from shrinkage.torch import AdamW, DualAdam, DualSGD, Plan, ProxAdam, ProxSGD  # noqa: E402

PAIRS = [
    (torch.optim.Adam, {"lr": 0.01}, ProxAdam),
    (torch.optim.Adam, {"lr": 0.01, "amsgrad": True}, DualAdam),
    (torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}, ProxSGD),
    (torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True}, DualSGD),
    (torch.optim.AdamW, {"lr": 0.01}, AdamW),
]


every_pair = pytest.mark.parametrize(("theirs", "settings", "ours"), PAIRS, ids=lambda x: getattr(x, "__name__", ""))


@every_pair
@pytest.mark.parametrize("named", [False, True])
def test_a_run_of_torch_goes_on_without_a_penalty_bit_for_bit(theirs, settings, ours, named):
    def given(model):
        return model.named_parameters() if named else model.parameters()

    model = network()
    optimizer = theirs(given(model), **settings)
    train(model, optimizer, 6)
    twin = copy.deepcopy(model)
    other = ours(given(twin), lr=5.0)
    other.load_state_dict(through_a_file(optimizer.state_dict()))
    train(model, optimizer, 6)
    train(twin, other, 6)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), twin.parameters(), strict=True))


@pytest.mark.parametrize(("theirs", "settings", "ours"), PAIRS[:-1], ids=lambda x: getattr(x, "__name__", ""))
def test_a_run_of_torch_goes_on_with_the_penalty_of_the_plan(theirs, settings, ours):
    model = network()
    optimizer = theirs(model.named_parameters(), **settings)
    train(model, optimizer, 6)
    other = ours(Plan(model, L1(0.5)), lr=0.05)
    other.load_state_dict(through_a_file(optimizer.state_dict()))
    assert [group["penalty"] for group in other.param_groups] == [L1(0.5), None]
    assert all("exp_avg" in known or "momentum_buffer" in known for known in other.state.values())
    train(model, other, 30)
    assert (model[0].weight == 0).any()
    assert (model[0].bias != 0).all()


@pytest.mark.parametrize("named", [False, True])
def test_what_a_checkpoint_of_torch_does_not_know_stays(named):
    def given(model):
        return list(model.named_parameters() if named else model.parameters())

    model = network()
    optimizer = torch.optim.Adam(given(model), lr=0.01)
    train(model, optimizer, 2)
    group = {"params": given(model), "penalty": L1(0.5), "metric_floor": 0.2, "warmup_steps": 3}
    other = ProxAdam([group], lr=7.0)
    other.load_state_dict(optimizer.state_dict())
    got = other.param_groups[0]
    assert (got["penalty"], got["metric_floor"], got["warmup_steps"], got["lr"]) == (L1(0.5), 0.2, 3, 0.01)


def test_the_momentum_of_a_long_run_of_torch_has_the_scale_of_a_long_run():
    w = torch.nn.Parameter(torch.zeros(4, dtype=torch.float64))
    optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9)
    for _ in range(300):
        w.grad = w.detach() - torch.linspace(-1.0, 1.0, 4, dtype=torch.float64)
        optimizer.step()
    other = ProxSGD([w], lr=0.1, momentum=0.9, penalty=L1(0.25))
    other.load_state_dict(optimizer.state_dict())
    w.grad = torch.zeros_like(w)
    other.step()
    assert other.state[w]["momentum_scale"].item() == pytest.approx(10.0, abs=1e-12)


def test_decoupled_decay_of_a_checkpoint_is_not_read_as_decay_in_the_gradient():
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.1)
    train(model, optimizer, 2)
    other = ProxAdam(model.parameters(), penalty=L1(0.1))
    with pytest.raises(ArgumentError, match="decoupled"):
        other.load_state_dict(optimizer.state_dict())
    optimizer.param_groups[0]["weight_decay"] = 0.0
    other.load_state_dict(optimizer.state_dict())


@pytest.mark.parametrize("ours", [ProxAdam, DualAdam, AdamW])
def test_counts_of_steps_as_old_checkpoints_have_them_are_read(ours):
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    train(model, optimizer, 4)
    stored = optimizer.state_dict()
    for known in stored["state"].values():
        known["step"] = int(known["step"])
    given = {} if ours is AdamW else {"penalty": L1(0.1)}
    other = ours(model.parameters(), **given)
    other.load_state_dict(stored)
    train(model, other, 1)
    assert all(torch.equal(known["step"], torch.tensor(5.0)) for known in other.state.values())
