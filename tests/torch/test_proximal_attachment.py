"""Attaching a prox to torch's own optimizers: plans, groups, new strengths, refusals, and taking it off."""

import copy
import pickle

import pytest

torch = pytest.importorskip("torch")

from followed import noisy_steps  # noqa: E402

from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.penalties import L1, L1L2, GroupL2  # noqa: E402
from shrinkage.torch import AdamW, Plan, Proximal, ProxSGD  # noqa: E402
from shrinkage.training import to_plain  # noqa: E402

optim = torch.optim


def small_net():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.ReLU(), torch.nn.Linear(6, 2))


def net_steps(model, optimizer, n=5):
    x = torch.linspace(-1, 1, 20).reshape(5, 4)
    for _ in range(n):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()


def test_a_plan_its_groups_and_its_parameters_say_the_same():
    ends = []
    for how in ("plan", "groups"):
        model = small_net()
        plan = Plan(model, L1(0.2), overrides={"2.weight": L1L2(0.1)})
        parameters = model.parameters() if how == "plan" else plan.param_groups()
        optimizer = optim.Adam(parameters, lr=0.02)
        proximal = Proximal(optimizer, plan if how == "plan" else None)
        assert proximal.penalties == (L1(0.2), L1L2(0.1))
        net_steps(model, optimizer)
        ends.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(*ends)
    free, end = small_net(), ends[0]
    optimizer = optim.Adam(free.parameters(), lr=0.02)
    net_steps(free, optimizer, 1)
    assert (end == 0).any()


def test_parameters_that_a_plan_leaves_free_walk_as_without_it():
    first_steps = []
    for with_penalty in (False, True):
        model = small_net()
        optimizer = optim.RAdam(model.parameters(), lr=0.02)
        if with_penalty:
            Proximal(optimizer, Plan(model, L1(0.2)))
        net_steps(model, optimizer, 1)
        first_steps.append(dict(model.named_parameters()))
    for name, p in first_steps[0].items():
        assert torch.equal(p, first_steps[1][name]) == name.endswith("bias")


def test_penalties_of_groups_are_penalties_in_memory_and_plain_data_on_paper():
    model = small_net()
    groups = Plan(model, GroupL2(0.2, axis=0)).param_groups()
    optimizer = optim.SGD(groups, lr=0.1)
    proximal = Proximal(optimizer)
    assert [group["penalty"] for group in optimizer.param_groups] == [GroupL2(0.2, axis=0), None]
    optimizer.param_groups[0]["penalty"] = proximal.penalty.with_alpha(0.3)
    assert proximal.penalty == GroupL2(0.3, axis=0)
    assert optimizer.state_dict()["param_groups"][0]["penalty"] == to_plain(GroupL2(0.3, axis=0))
    optimizer.load_state_dict(optimizer.state_dict())
    assert proximal.penalty == GroupL2(0.3, axis=0)
    proximal.remove()
    assert [group["penalty"] for group in optimizer.param_groups] == [to_plain(GroupL2(0.3, axis=0)), None]


def test_groups_that_come_later_have_their_penalty_too():
    model = small_net()
    optimizer = optim.SGD([{"params": [model[0].weight], "penalty": to_plain(L1(50.0))}], lr=0.1)
    Proximal(optimizer)
    optimizer.add_param_group({"params": [model[2].weight], "penalty": to_plain(L1(60.0))})
    net_steps(model, optimizer, 1)
    assert not model[0].weight.any()
    assert not model[2].weight.any()
    assert model[0].bias.all()


def test_a_new_strength_acts_from_the_next_step_on():
    walks = []
    for change in ("penalty", "rescale", "anew"):
        w = torch.nn.Parameter(torch.linspace(-1, 1, 7))
        optimizer = optim.NAdam([w], lr=0.05)
        proximal = Proximal(optimizer, L1(0.2))
        noisy_steps(w, optimizer, 3)
        if change == "penalty":
            proximal.penalty = L1(0.6)
        elif change == "rescale":
            proximal.rescale(3.0)
        else:
            proximal.remove()
            Proximal(optimizer, L1(0.6))
        noisy_steps(w, optimizer, 3)
        walks.append(w.detach())
    assert torch.allclose(walks[0], walks[1], rtol=1e-6)
    assert torch.equal(walks[0], walks[2])


OTHERS = [optim.Adadelta, optim.Adamax, optim.ASGD, optim.Rprop, optim.Adafactor, type("MySGD", (optim.SGD,), {})]


@pytest.mark.parametrize("kind", OTHERS, ids=lambda kind: kind.__name__)
def test_other_optimizers_are_refused_unless_decoupled_semantics_is_asked_for(kind):
    plain, shrunk = (torch.nn.Parameter(torch.linspace(-1, 1, 7)) for _ in range(2))
    optimizers = [kind([p], lr=0.1) for p in (plain, shrunk)]
    with pytest.raises(ArgumentError, match=f"{kind.__name__} moves for a unit of gradient is not known.*'decoupled'"):
        Proximal(optimizers[1], L1(0.2))
    Proximal(optimizers[1], L1(0.2), semantics="decoupled")
    noisy_steps(plain, optimizers[0], 1)
    noisy_steps(shrunk, optimizers[1], 1)
    assert torch.allclose(shrunk, L1(0.2).prox(plain.detach(), 0.1), rtol=1e-6)


def parameter(*shape, dtype=torch.float32):
    return torch.nn.Parameter(torch.ones(*(shape or (3,)), dtype=dtype))


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Proximal(ProxSGD([parameter()], lr=0.1), L1(1.0)), "its constructor takes the plan"),
    (lambda: Proximal(AdamW([parameter()], lr=0.1), L1(1.0)), "its constructor takes the plan"),
    (lambda: Proximal(optim.LBFGS([parameter()]), L1(1.0), semantics="decoupled"), "LBFGS evaluates its closure"),
    (lambda: Proximal(optim.SparseAdam([parameter()]), L1(1.0), semantics="decoupled"), "sparse=False"),
    (lambda: Proximal(parameter(), L1(1.0)), "must be a torch.optim.Optimizer"),
    (lambda: Proximal(optim.SGD([parameter()]), 0.1), "penalty must be one of"),
    (lambda: Proximal(optim.SGD([parameter()])), "no parameter of this SGD has a penalty"),
    (lambda: Proximal(optim.SGD([parameter()]), L1(1.0), semantics="other"), "semantics must be one of"),
    (lambda: Proximal(optim.SGD([parameter()]), L1(1.0), warmup_steps=-1), "warmup_steps must be"),
    (lambda: Proximal(optim.SGD([parameter()]), L1(1.0), keep=0.5), "keep must be"),
    (lambda: Proximal(optim.SGD([parameter()]), L1(1.0), stochastic_rounding=1), "stochastic_rounding must be"),
    (lambda: Proximal(optim.SGD([parameter()], differentiable=True), L1(1.0)), "differentiable"),
    (lambda: Proximal(optim.SGD([parameter(dtype=torch.complex64)]), L1(1.0)), "complex64"),
    (lambda: Proximal(optim.SGD([parameter()]), GroupL2(1.0, axis=1)), r"GroupL2 cannot act on .* shape \(3,\)"),
    (lambda: Proximal(optim.SGD([{"params": [parameter()], "penalty": {"kind": "L9"}}]), None), "must have a 'kind'"),
    (lambda: Proximal(optim.SGD([parameter()]), Plan(small_net(), L1(1.0))), r"2 of the 2 .* 0.weight, 2.weight"),
])  # fmt: skip
def test_what_cannot_be_right_is_refused(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_a_refusal_leaves_the_optimizer_as_it_was():
    plain = to_plain(GroupL2(1.0, axis=1))
    optimizer = optim.SGD([{"params": [parameter()], "penalty": plain}], lr=0.1)
    with pytest.raises(ArgumentError, match="cannot act"):
        Proximal(optimizer)
    assert optimizer.param_groups[0]["penalty"] == plain
    Proximal(optimizer, L1(0.1))


def test_sparse_gradients_are_refused_before_the_step():
    table = torch.nn.Embedding(5, 2, sparse=True)
    optimizer = optim.SGD(table.parameters(), lr=0.1)
    Proximal(optimizer, L1(0.1))
    before = table.weight.detach().clone()
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(ArgumentError, match="sparse"):
        optimizer.step()
    assert torch.equal(table.weight, before)


def late_parameter(optimizer):
    optimizer.add_param_group({"params": [parameter(2)]})


def other_penalty(optimizer):
    optimizer.param_groups[0]["penalty"] = GroupL2(0.5, axis=3)


def no_penalty_at_all(optimizer):
    optimizer.param_groups[0]["penalty"] = "junk"


@pytest.mark.parametrize("change", [late_parameter, other_penalty, no_penalty_at_all])
def test_what_comes_later_and_cannot_be_right_is_refused_before_anything_moves(change):
    w, penalty = parameter(4), GroupL2(0.5, groups=[[0, 1, 2]])
    late = change is late_parameter
    optimizer = optim.SGD([w] if late else [{"params": [w], "penalty": to_plain(penalty)}], lr=0.1, momentum=0.9)
    Proximal(optimizer, penalty if late else None)
    change(optimizer)
    every = [p for group in optimizer.param_groups for p in group["params"]]
    for _ in range(2):
        for p in every:
            p.grad = torch.ones_like(p)
        before = [p.detach().clone() for p in every]
        with pytest.raises(ArgumentError, match=r"GroupL2|penalty"):
            optimizer.step()
        assert all(torch.equal(p, was) for p, was in zip(every, before, strict=True))
        assert not any("momentum_buffer" in state for state in optimizer.state.values())


def test_the_optimizer_knows_its_prox_which_cannot_be_copied():
    optimizer = optim.Adam([parameter(3)], lr=0.1)
    assert Proximal.of(optimizer) is None
    proximal = Proximal(optimizer, L1(0.1))
    assert Proximal.of(optimizer) is proximal
    assert Proximal.of(copy.deepcopy(optimizer)) is None
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(ArgumentError, match="attach a new"):
            attempt(proximal)
    del proximal
    Proximal.of(optimizer).remove()
    assert Proximal.of(optimizer) is None
    with pytest.raises(ArgumentError, match="optimizer"):
        Proximal.of(3)


def test_loading_leaves_the_penalties_of_a_plan_in_force():
    model = small_net()
    optimizer = optim.Adam(Plan(model, L1(0.1)).param_groups(), lr=0.02)
    Proximal(optimizer, Plan(model, L1(0.1)))
    net_steps(model, optimizer, 2)
    stored = optimizer.state_dict()
    other = optim.Adam(Plan(model, L1(0.9)).param_groups(), lr=0.02)
    proximal = Proximal(other, Plan(model, L1(0.9)))
    other.load_state_dict(stored)
    assert proximal.penalty == L1(0.9)
    net_steps(model, other, 1)
    assert proximal.penalty == L1(0.9)
    assert [penalty for _, penalty in proximal.penalized] == [L1(0.9)] * 2


def test_one_optimizer_takes_one_prox_at_a_time():
    w = torch.nn.Parameter(torch.ones(3))
    optimizer = optim.SGD([w], lr=0.1)
    with Proximal(optimizer, L1(1.0)) as proximal:
        with pytest.raises(ArgumentError, match="already has a Proximal"):
            Proximal(optimizer, L1(1.0))
        w.grad = torch.zeros(3)
        optimizer.step()
        assert torch.allclose(w, torch.full((3,), 0.9))
    optimizer.step()
    assert torch.allclose(w, torch.full((3,), 0.9))
    assert repr(proximal) == "<Proximal, removed from SGD>"
    Proximal(optimizer, L1(1.0))
    optimizer.step()
    assert torch.allclose(w, torch.full((3,), 0.8))


def test_a_copy_of_the_optimizer_has_no_prox_and_takes_a_new_one():
    w = torch.nn.Parameter(torch.linspace(-1, 1, 7))
    optimizer = optim.SGD([w], lr=0.1, momentum=0.9)
    Proximal(optimizer, L1(0.3))
    noisy_steps(w, optimizer, 3)
    other = copy.deepcopy(optimizer)
    (twin,) = other.param_groups[0]["params"]
    Proximal(other, L1(0.3))
    noisy_steps(w, optimizer, 3)
    noisy_steps(twin, other, 3)
    assert torch.equal(w, twin)


def test_doubled_decay_is_said_once():
    def optimizer(decay):
        return optim.AdamW([parameter(), parameter()], weight_decay=decay)

    with pytest.warns(UserWarning, match="weights decay twice: by L1L2.* and by weight_decay=0.1 of AdamW") as caught:
        Proximal(optimizer(0.1), L1L2(0.1))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    Proximal(optimizer(0.1), L1(0.1))
    Proximal(optimizer(0.0), L1L2(0.1))


def test_several_penalties_are_not_taken_for_one():
    model = small_net()
    proximal = Proximal(optim.SGD(model.parameters()), Plan(model, L1(0.2), overrides={"2.weight": L1(0.4)}))
    with pytest.raises(ArgumentError, match="2 penalties in force"):
        _ = proximal.penalty
    with pytest.raises(ArgumentError, match="factor must be"):
        proximal.rescale(-1.0)
    assert repr(proximal) == (
        "<Proximal after SGD: L1(alpha=0.2, factors=None) on 1 tensor; L1(alpha=0.4, factors=None) on 1 tensor>"
    )


def test_a_wrapper_that_holds_the_optimizer_is_opened():
    class Wrapper:
        def __init__(self, optimizer):
            self.optimizer = optimizer

    optimizer = optim.SGD([parameter()], lr=0.1)
    assert Proximal(Wrapper(optimizer), L1(0.1)).optimizer is optimizer
