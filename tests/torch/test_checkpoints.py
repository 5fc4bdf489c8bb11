"""Stopping and going on: checkpoints, copies, and what is refused when they are loaded."""

import copy
import pickle

import pytest

torch = pytest.importorskip("torch")

from optimizers import FIVE, PENALIZED, equal_states, every_parameter, make, network, planned, through_a_file, train  # noqa: E402

from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.penalties import L1, L1L2, MCP, SCAD, GroupL2  # noqa: E402
from shrinkage.torch import Plan, ProxAdam  # noqa: E402
from shrinkage.torch._checkpoint import OWN_STATE  # noqa: E402
from shrinkage.torch._precision import WARNED  # noqa: E402

every = pytest.mark.parametrize("name", FIVE)


every_penalized = pytest.mark.parametrize("name", PENALIZED)


def unwarned(optimizer):
    """As if the user had been warned already that low precision swallows decay."""
    for group in optimizer.param_groups:
        group[WARNED] = True


def renewed(name, model, optimizer, **settings):
    """A copy of the model, and an optimizer with other settings that loads the state through a file."""
    twin = network(seed=1, dtype=next(model.parameters()).dtype)
    twin.load_state_dict(through_a_file(model.state_dict()))
    other = planned(name, twin, **({"lr": 7.0, "foreach": True} | settings))
    unwarned(other)
    other.load_state_dict(through_a_file(optimizer.state_dict()))
    return twin, other


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_run_goes_on_from_a_file_bit_for_bit(name, dtype):
    model = network(dtype=dtype)
    optimizer = planned(name, model)
    unwarned(optimizer)
    train(model, optimizer, 7)
    twin, other = renewed(name, model, optimizer)
    assert equal_states(optimizer, other)
    train(model, optimizer, 7)
    train(twin, other, 7)
    assert equal_states(optimizer, other)
    assert {str(group["penalty"]) for group in optimizer.param_groups} == {
        str(g["penalty"]) for g in other.param_groups
    }


@every_penalized
def test_loading_shares_no_state_of_ours_with_what_was_loaded(name):
    model = network()
    optimizer = planned(name, model)
    train(model, optimizer, 3)
    stored = optimizer.state_dict()
    own = {(k, key) for k, known in stored["state"].items() for key in OWN_STATE if key in known}
    before = copy.deepcopy({(k, key): stored["state"][k][key] for k, key in own})
    twin = copy.deepcopy(model)
    other = planned(name, twin)
    other.load_state_dict(stored)
    train(twin, other, 3)
    assert own
    assert all(
        torch.equal(torch.as_tensor(stored["state"][k][key]), torch.as_tensor(value))
        for (k, key), value in before.items()
    )


@every
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_a_copy_of_model_and_optimizer_goes_on_alike(name, copied):
    model = network()
    optimizer = planned(name, model)
    train(model, optimizer, 5)
    twin, other = copied((model, optimizer))
    assert other.plan.parameters["0.weight"] is twin[0].weight
    train(model, optimizer, 5)
    assert not equal_states(optimizer, other)
    train(twin, other, 5)
    assert equal_states(optimizer, other)


PENALTIES = [
    L1(0.1),
    L1(0.1, factors=torch.rand(8, 6)),
    L1L2(0.1, l1_ratio=0.3),
    GroupL2(0.1, axis=0),
    GroupL2(0.1, axis=(0, 1), weights="ones"),
    GroupL2(0.1, groups=[[0, 1, 7], [3]], weights=[1.0, 2.0]),
    L1(0.1) + GroupL2(0.2, axis=1),
    MCP(0.1, 8.0),
    SCAD(0.1, 9.0),
]


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda g: type(g).__name__)
def test_every_penalty_comes_back_from_a_file(penalty):
    w = torch.nn.Parameter(torch.ones(8, 6))
    optimizer = ProxAdam([w], lr=0.01, penalty=penalty)
    other = ProxAdam([torch.nn.Parameter(torch.ones(8, 6))], lr=0.01, penalty=L1(0.5))
    other.load_state_dict(through_a_file(optimizer.state_dict()))
    found = other.param_groups[0]["penalty"]
    assert type(found) is type(penalty)
    v = torch.randn(8, 6)
    assert torch.equal(found.prox(v, 0.3), penalty.prox(v, 0.3))


def reordered(model, penalty=None):
    """The parameters of a model backwards, weights and vectors mixed in other groups."""
    named = list(model.named_parameters())[::-1]
    return [
        {"params": [(name, p) for name, p in named if p.ndim > 1], "penalty": penalty},
        {"params": [(name, p) for name, p in named if p.ndim < 2 and "2" not in name]},
        {"params": [(name, p) for name, p in named if p.ndim < 2 and "2" in name]},
    ]


@every_penalized
def test_states_go_by_name_to_another_order_and_grouping(name):
    model = network()
    optimizer = planned(name, model, L1(0.1))
    train(model, optimizer, 6)
    twin = copy.deepcopy(model)
    other = make(name, reordered(twin, L1(0.1)))
    other.load_state_dict(through_a_file(optimizer.state_dict()))
    assert other.param_groups[0]["param_names"] == ["3.weight", "0.weight"]
    train(model, optimizer, 6)
    train(twin, other, 6)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), twin.parameters(), strict=True))


def test_groups_of_other_members_keep_their_own_settings_and_groups_of_the_same_take_the_stored_ones():
    model = network()
    optimizer = ProxAdam(Plan(model, L1(0.1)), lr=0.01)
    train(model, optimizer, 2)
    other = ProxAdam(reordered(model, L1(0.7)), lr=0.5)
    other.load_state_dict(optimizer.state_dict())
    assert [(group["lr"], group["penalty"]) for group in other.param_groups] == [
        (0.01, L1(0.1)),
        (0.5, None),
        (0.5, None),
    ]


@every
def test_a_state_of_parameters_with_other_names_is_refused_and_nothing_is_loaded(name):
    model = network()
    optimizer = planned(name, model)
    train(model, optimizer, 2)
    other = make(name, [("a", torch.nn.Parameter(torch.ones(2))), ("0.bias", torch.nn.Parameter(torch.ones(8)))])
    with pytest.raises(ArgumentError, match=r"lacks a.*has not, 0\.weight"):
        other.load_state_dict(optimizer.state_dict())
    assert not other.state


@every
def test_a_state_of_another_number_of_parameters_is_refused_as_by_torch(name):
    model = network()
    optimizer = make(name, model.parameters())
    with pytest.raises(ValueError, match="parameter group"):
        optimizer.load_state_dict(make(name, list(model.parameters())[:2]).state_dict())


@every
def test_a_state_is_plain_data(name):
    model = network()
    optimizer = planned(name, model)
    train(model, optimizer, 1)
    for group in optimizer.state_dict()["param_groups"]:
        assert group["penalty"] is None or type(group["penalty"]) is dict
    for group in optimizer.param_groups:
        assert not isinstance(group["penalty"], dict)


@every_penalized
def test_groups_of_a_plan_travel_through_any_optimizer_of_torch(name):
    model = network()
    optimizer = torch.optim.Adam(Plan(model, L1(0.4)).param_groups(), lr=0.01)
    stored = through_a_file(optimizer.state_dict())
    if name.endswith("Adam"):
        other = make(name, reordered(model))
        other.load_state_dict(stored)
        assert other.param_groups[0]["penalty"] == L1(0.4)
    again = make(name, optimizer.param_groups)
    assert [group["penalty"] for group in again.param_groups] == [L1(0.4), None]


@every
def test_hooks_on_saving_and_loading_are_called(name):
    model = network()
    optimizer, calls = planned(name, model), []
    optimizer.register_state_dict_post_hook(lambda _, stored: calls.append(stored["param_groups"][0].get("lr")))
    optimizer.register_load_state_dict_pre_hook(lambda _, stored: calls.append("before"))
    optimizer.register_load_state_dict_post_hook(lambda _: calls.append("after"))
    optimizer.load_state_dict(optimizer.state_dict())
    assert calls[1:] == ["before", "after"]


@every_penalized
def test_a_hook_before_loading_may_exchange_what_is_loaded(name):
    """States of ours are read from what the hook returns, not from what was handed in."""
    model = network()
    optimizer = planned(name, model)
    train(model, optimizer, 5)
    stored = through_a_file(optimizer.state_dict())
    twin = network(seed=1)
    twin.load_state_dict(model.state_dict())
    other = planned(name, twin)
    train(network(), other, 0)
    other.register_load_state_dict_pre_hook(lambda _, __: stored)
    other.load_state_dict(planned(name, network(seed=2)).state_dict())
    assert equal_states(optimizer, other)


@every
def test_hooks_of_loading_do_not_pile_up(name):
    optimizer = planned(name, network())
    for _ in range(2):
        optimizer.load_state_dict(optimizer.state_dict())
    assert not optimizer._optimizer_load_state_dict_pre_hooks
    assert not optimizer._optimizer_load_state_dict_post_hooks
    assert not optimizer._optimizer_state_dict_post_hooks


@every_penalized
def test_a_plan_outweighs_the_penalties_of_a_checkpoint_and_other_settings_come_from_it(name):
    model = network()
    optimizer = planned(name, model, L1(0.1), lr=0.003)
    train(model, optimizer, 3)
    stored = through_a_file(optimizer.state_dict())
    other = planned(name, model, L1(0.9))
    other.load_state_dict(stored)
    assert equal_states(optimizer, other)
    assert [(group["penalty"], group["lr"]) for group in other.param_groups] == [(L1(0.9), 0.003), (None, 0.003)]
    named = [{"params": group["params"], "penalty": L1(0.9)} for group in Plan(model, L1(0.9)).param_groups()]
    without_plan = make(name, named)
    without_plan.load_state_dict(stored)
    assert [group["penalty"] for group in without_plan.param_groups] == [L1(0.1), None]


@pytest.mark.parametrize("name", ["ProxSGD", "DualSGD"])
def test_scalars_in_float64_are_plain_numbers_in_a_checkpoint(name):
    """torch.load(map_location="mps") refuses tensors in float64."""
    model = network()
    optimizer = planned(name, model, L1(0.1))
    train(model, optimizer, 3)
    stored = optimizer.state_dict()
    values = [value for known in stored["state"].values() for value in known.values()]
    assert not any(isinstance(value, torch.Tensor) and value.dtype is torch.float64 for value in values)
    for read in (stored, unpacked(stored, optimizer)):  # and as older checkpoints hold them
        other = planned(name, model, L1(0.1))
        other.load_state_dict(read)
        assert equal_states(optimizer, other)


def unpacked(stored, optimizer):
    held = [optimizer.state[p] for p in every_parameter(optimizer)]
    return {**stored, "state": {k: dict(known) for k, known in enumerate(held)}}


@pytest.mark.parametrize("name", ["ProxSGD", "ProxAdam", "DualAdam", "DualSGD"])
def test_scalars_are_loaded_to_where_steps_look_for_them(name):
    """Stored on the CPU, read beside parameters elsewhere: the meta device stands for any other."""
    w = torch.nn.Parameter(torch.ones(4))
    optimizer = make(name, [w], L1(0.1))
    for _ in range(2):
        w.grad = torch.ones(4)
        optimizer.step()
    far = torch.nn.Parameter(torch.ones(4, device="meta"))
    other = make(name, [far], L1(0.1))
    other.load_state_dict(through_a_file(optimizer.state_dict()))
    places = {key: value.device.type for key, value in other.state[far].items()}
    at_home = {"momentum_scale", "step"} | ({"threshold"} if name == "DualSGD" else set())
    assert places == {key: "cpu" if key in at_home else "meta" for key in optimizer.state[w]}


@every
def test_a_warning_given_is_not_stored(name):
    optimizer = planned(name, network())
    unwarned(optimizer)
    assert not any(WARNED in group for group in optimizer.state_dict()["param_groups"])


@pytest.mark.parametrize("name", ["ProxSGD", "ProxAdam"])
def test_a_stored_penalty_that_does_not_fit_is_refused_and_nothing_is_loaded(name):
    stored = make(name, [torch.nn.Parameter(torch.ones(2, 3, 4))], GroupL2(0.1, axis=2)).state_dict()
    other = make(name, [torch.nn.Parameter(torch.ones(6))], L1(0.1))
    with pytest.raises(ArgumentError, match="axis 2"):
        other.load_state_dict(stored)
    assert other.param_groups[0]["penalty"] == L1(0.1)


@every
def test_an_empty_state_can_be_stored_and_loaded(name):
    model = network()
    optimizer = planned(name, model)
    optimizer.load_state_dict(through_a_file(optimizer.state_dict()))
    train(model, optimizer, 2)
    assert all(torch.isfinite(p).all() for p in every_parameter(optimizer))
