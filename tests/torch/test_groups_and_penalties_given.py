"""Groups of parameters and penalties given to an optimizer: taken, exchanged on the way, or refused whole."""

import copy

import pytest

torch = pytest.importorskip("torch")

from optimizers import (  # noqa: E402
    FIVE,
    PENALIZED,
    filled,
    loss_of,
    make,
    network,
    train,
)

from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.penalties import L1, L1L2, MCP, GroupL2  # noqa: E402

every = pytest.mark.parametrize("name", FIVE)


every_penalized = pytest.mark.parametrize("name", PENALIZED)


MISFITS = [
    GroupL2(0.1, axis=3),
    GroupL2(0.1, groups=[[0, 48]]),
    GroupL2(0.1, axis=0, weights=[1.0, 2.0]),
    L1(0.1, factors=torch.ones(6, 8)),
    L1(torch.ones(7)),
    L1(0.1) + GroupL2(0.1, axis=2),
    L1(1e300),
]


every_misfit = pytest.mark.parametrize("penalty", MISFITS, ids=lambda g: str(g)[:30])


@every_misfit
@pytest.mark.parametrize("name", ["ProxSGD", "ProxAdam"])
def test_a_penalty_that_does_not_fit_is_refused_when_it_is_given(name, penalty):
    with pytest.raises(ArgumentError, match=r"cannot act on a parameter of shape \(8, 6\)|alpha must be at most"):
        make(name, [torch.nn.Parameter(filled())], penalty)
    optimizer = make(name, [torch.nn.Parameter(filled())])
    with pytest.raises(ArgumentError, match=r"cannot act on a parameter of shape \(8, 6\)|alpha must be at most"):
        optimizer.add_param_group({"params": [torch.nn.Parameter(filled())], "penalty": penalty})
    assert len(optimizer.param_groups) == 1


@every_penalized
@pytest.mark.parametrize("bad", [GroupL2(0.1, axis=3), L1(0.1, factors=torch.ones(6, 8)), "junk", 0.1, {"kind": "L0"}])
def test_a_penalty_exchanged_for_one_that_cannot_act_is_refused_before_anything_moves(name, bad):
    w, v = (torch.nn.Parameter(filled(seed=k)) for k in range(2))
    optimizer = make(name, [{"params": [w], "penalty": L1(0.1)}, {"params": [v], "penalty": L1(0.1)}])
    for _ in range(2):
        w.grad, v.grad = filled(seed=5), filled(seed=6)
        optimizer.step()
    before = copy.deepcopy((w, v, dict(optimizer.state)))
    optimizer.param_groups[1]["penalty"] = bad
    for _ in range(2):  # and again at the next step
        with pytest.raises(ArgumentError, match=r"penalty|cannot act"):
            optimizer.step()
        for p, old in ((w, before[0]), (v, before[1])):
            assert torch.equal(p, old)
            assert all(torch.equal(value, before[2][old][key]) for key, value in optimizer.state[p].items())
    optimizer.param_groups[1]["penalty"] = L1(0.1)
    optimizer.step()


@every_penalized
def test_a_penalty_put_into_a_group_as_plain_data_is_read(name):
    w = torch.nn.Parameter(filled())
    optimizer = make(name, [w], L1(0.1))
    optimizer.param_groups[0]["penalty"] = {"kind": "L1", "alpha": 0.3, "factors": None}
    w.grad = filled(seed=5)
    optimizer.step()
    assert optimizer.param_groups[0]["penalty"] == L1(0.3)


@every_penalized
def test_a_group_of_the_user_stays_as_it_was_given(name):
    given = {"params": [torch.nn.Parameter(filled())], "penalty": {"kind": "L1", "alpha": 0.3, "factors": None}}
    kept = dict(given)
    make(name, [given])
    make(name, [torch.nn.Parameter(filled())]).add_param_group(given)
    assert given == kept
    assert given["params"] is kept["params"]


@every
def test_a_group_added_later_has_its_own_penalty_and_starts_its_own_state(name):
    model = network()
    optimizer = make(name, [model[0].weight], L1(0.1))
    train(model, optimizer, 5)
    late = {"params": [model[3].weight], "lr": 0.02}
    optimizer.add_param_group(late if name == "AdamW" else late | {"penalty": L1L2(0.7, 0.5)})
    twin = copy.deepcopy(model)
    alone = make(name, [twin[3].weight], L1L2(0.7, 0.5), lr=0.02)
    for _ in range(5):
        optimizer.zero_grad()
        loss_of(model).backward()
        twin[3].weight.grad = model[3].weight.grad.clone()
        optimizer.step()
        alone.step()
    assert torch.equal(model[3].weight, twin[3].weight)


@every_penalized
def test_a_refused_group_leaves_nothing_behind(name):
    optimizer = make(name, [torch.nn.Parameter(torch.ones(2))], L1(0.1))
    for bad in (torch.ones(2, dtype=torch.int64), torch.ones(2, dtype=torch.complex64)):
        with pytest.raises(ArgumentError, match="real floating numbers"):
            optimizer.add_param_group({"params": [bad]})
    with pytest.raises(ArgumentError, match="penalty must be one of"):
        optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(2))], "penalty": 0.1})
    if name.startswith("Dual"):
        with pytest.raises(ArgumentError, match="dual averaging takes"):
            optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(2))], "penalty": MCP(0.1, 8.0)})
    assert len(optimizer.param_groups) == 1
    optimizer.add_param_group({"params": [torch.ones(2, dtype=torch.int64)], "penalty": None})
    optimizer.step()


@every
def test_a_parameter_in_two_groups_is_refused_by_torch(name):
    w = torch.nn.Parameter(torch.ones(2))
    with pytest.raises(ValueError, match="more than one parameter group"):
        make(name, [{"params": [w]}, {"params": [w]}])
