"""The plan of a torch model: names, ties, wrappers, adapters, and the mistakes of others that it does not make."""

import copy
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.penalties import L1, L2, GroupL2  # noqa: E402
from shrinkage.torch import Plan  # noqa: E402
from shrinkage.training import from_plain  # noqa: E402


class RMSNorm(nn.Module):
    """Shares no class with torch's norms."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(7, 4)
        self.bn1 = nn.BatchNorm1d(4)
        self.gn = nn.GroupNorm(2, 4)
        self.ln_1 = RMSNorm(4)
        self.norm1 = nn.LayerNorm(4)
        self.bias_proj = nn.Linear(4, 4)
        self.ls = nn.Parameter(torch.ones(4))
        self.pos_embed = nn.Parameter(torch.zeros(1, 5, 4))
        self.head = nn.Linear(4, 7, bias=False)

    def no_weight_decay(self):
        return {"pos_embed"}


class Shell(nn.Module):
    """As DistributedDataParallel: everything in `module`, methods of the model hidden."""

    def __init__(self, module):
        super().__init__()
        self.module = module


def rows(plan):
    return [(row.name, row.shape, row.role, row.rule, row.penalty, row.aliases) for row in plan.rows]


def tied():
    model = Net()
    model.head.weight = model.embed.weight
    return model


# Mistakes found in public code, each by what goes right.


def test_a_list_of_exclusions_leaves_out_all_that_it_names_not_only_exact_matches():
    plan = Plan(Net(), L1(0.1), select="all", exclude=["bias", "norms"])
    assert not [name for name in plan.penalized if name.endswith(".bias") or "bn" in name or "ln_1" in name]
    assert {"head.weight", "embed.weight", "ls"} <= set(plan.penalized)


def test_the_selected_get_the_decay_and_the_others_zero_not_the_other_way_round():
    model = Net()
    selected, free = Plan(model, None).param_groups(weight_decay=0.1)
    assert ({name for name, _ in selected["params"]}, selected["weight_decay"]) == (
        {"bias_proj.weight", "head.weight"},
        0.1,
    )
    assert free["weight_decay"] == 0.0
    assert len(free["params"]) == len(list(model.parameters())) - 2


def test_wrappers_change_no_row():
    model = Net()
    plain = rows(Plan(model, L1(0.1)))
    compiled = torch.compile(model, backend="eager")
    wrapped = nn.Module()
    wrapped.add_module("_fsdp_wrapped_module", model)
    checkpointed = copy.deepcopy(model)
    inner = nn.Module()
    inner.add_module("_checkpoint_wrapped_module", checkpointed.head)
    checkpointed.head = inner
    for outer in (Shell(model), Shell(compiled), Shell(Shell(model)), compiled, wrapped, checkpointed):
        assert rows(Plan(outer, L1(0.1))) == plain
        assert [row.name for row in Plan(outer.named_parameters()).rows] == [
            name for name, _ in model.named_parameters()
        ]


@pytest.fixture
def one_process(tmp_path):
    """A process group of one."""
    distributed = torch.distributed
    if not distributed.is_available():
        pytest.skip("torch was built without distributed")
    store = distributed.FileStore(str(tmp_path / "store"), 1)
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def test_data_parallel_training_changes_no_row(one_process):
    model = Net()
    shell = nn.parallel.DistributedDataParallel(model)
    assert not hasattr(shell, "no_weight_decay")
    assert rows(Plan(shell, L1(0.1))) == rows(Plan(model, L1(0.1)))
    assert [row.name for row in Plan(shell.named_parameters()).rows] == [n for n, _ in model.named_parameters()]


def test_sharding_changes_no_row(one_process):
    fsdp = pytest.importorskip("torch.distributed.fsdp")
    mesh = pytest.importorskip("torch.distributed.device_mesh").init_device_mesh("cpu", (1,))
    model = Net()
    plain = rows(Plan(model, GroupL2(0.1, axis=0)))
    for part in (model.head, model.ln_1, model):
        fsdp.fully_shard(part, mesh=mesh)
    assert type(model.head.weight).__name__ == "DTensor"
    assert rows(Plan(model, GroupL2(0.1, axis=0))) == plain
    torch.optim.SGD(Plan(model).param_groups(weight_decay=0.1), lr=0.1)


def test_a_module_that_is_called_module_keeps_its_name():
    model = nn.Module()
    model.module, model.other = nn.Linear(2, 2), nn.Linear(2, 2)
    assert [row.name for row in Plan(model).rows] == ["module.weight", "module.bias", "other.weight", "other.bias"]


def test_norms_of_any_class_and_name_are_free_and_layers_named_like_norms_are_not():
    plan = Plan(Net(), L1(0.1))
    assert set(plan.penalized) == {"bias_proj.weight", "head.weight"}
    rule = {row.name: row.rule for row in plan.rows}
    assert rule["bn1.weight"] == "norm by class BatchNorm1d"
    assert rule["ln_1.weight"] == "norm by class RMSNorm"
    assert rule["bias_proj.weight"] == "Linear weight"
    assert rule["ls"] == "gain by name 'ls'"
    assert rule["pos_embed"] == "position by name 'pos_embed'"


def test_a_norm_without_a_telling_name_is_known_by_its_structure():
    class Whiten(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(width))
            self.beta = nn.Parameter(torch.zeros(width))

    (scale, beta) = Plan(Whiten(4)).rows
    assert (scale.role, scale.rule) == ("norm", "norm by structure")
    assert (beta.role, beta.rule) == ("bias", "bias of a norm by structure")


def test_a_selection_of_names_reaches_the_variables_it_names():
    plan = Plan(Net(), L1(0.1), select="all", exclude=["norm1", "ln_1"])
    assert {"norm1.weight", "norm1.bias", "ln_1.weight"}.isdisjoint(plan.penalized)


def test_a_pattern_that_matches_nothing_is_an_error_not_a_silence():
    with pytest.raises(ArgumentError, match=r"exclude: 'layer_norm' matches no parameter.*'norm1'"):
        Plan(Net(), L1(0.1), exclude=["layer_norm"])


def test_tied_weights_are_one_row_and_an_embedding():
    model = tied()
    plan = Plan(model, L1(0.1))
    row = plan.row_of("head.weight")
    assert (row.name, row.aliases, row.role) == ("embed.weight", ("head.weight",), "embedding")
    assert plan.penalty_of("head.weight") is None
    assert len(plan.rows) == len(list(model.parameters()))
    assert Plan(model, L1(0.1), overrides={"head": L2(0.3)}).penalty_of(model.embed.weight) == L2(0.3)


# Selections.


def test_a_callable_sees_name_parameter_and_owner():
    model = Net()
    seen = []

    def wide(name, parameter, module):
        seen.append((name, parameter, module))
        return isinstance(module, nn.Linear) and parameter.shape[0] == 7

    plan = Plan(model, L1(0.1), select=[wide, "norms"], exclude=lambda name, parameter, module: module is model.gn)
    assert plan.penalized == ("bn1.weight", "ln_1.weight", "norm1.weight", "head.weight")
    assert plan.row_of("head.weight").rule == "selected by wide()"
    assert [(n, id(p)) for n, p, _ in seen] == [(n, id(p)) for n, p in model.named_parameters()]
    assert {n: m for n, _, m in seen if n in ("ls", "bn1.weight")} == {"ls": model, "bn1.weight": model.bn1}


def test_a_callable_that_takes_something_else_is_refused_by_its_argument():
    for argument in ("select", "exclude"):
        with pytest.raises(ArgumentError, match=rf"^{argument}: a callable must take \(name, parameter, module\)"):
            Plan(Net(), L1(0.1), **{argument: [lambda name: True]})


def test_slimming_selects_the_gains_of_norms_without_their_biases():
    assert Plan(Net(), L1(0.1), select="norms").penalized == ("bn1.weight", "gn.weight", "ln_1.weight", "norm1.weight")


def test_each_kind_of_layer_can_have_its_own_penalty():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.LazyLinear(2))
    model(torch.zeros(1, 1, 5, 5))
    plan = Plan(model, overrides={"conv": GroupL2(0.1, axis=0), "linear": L1(0.2)})
    assert [plan.penalty_of(name) for name in plan.penalized] == [GroupL2(0.1, axis=0), L1(0.2)]
    assert [row.output_axis for row in plan.rows] == [0, None, 0, None]


def test_rows_of_groups_are_output_units_except_in_transposed_convolutions():
    plan = Plan(nn.Sequential(nn.Linear(3, 5), nn.Conv2d(3, 5, 1), nn.ConvTranspose2d(3, 5, 1)))
    for row in plan.rows:
        if row.output_axis is not None:
            assert row.shape[row.output_axis] == 5
    assert [row.output_axis for row in plan.rows][::2] == [0, 0, 1]


# Groups for optimizers.


def test_one_group_for_each_distinct_penalty_and_one_for_the_free():
    model = Net()
    factors = np.ones((4, 4))
    plan = Plan(model, L1(0.1), overrides={"embed": L1(0.1), "bias_proj.weight": L1(0.1, factors), "ls": L2(0.2)})
    groups = plan.param_groups(lr=0.5)
    held = [([name for name, _ in group["params"]], from_plain(group["penalty"])) for group in groups[:2]]
    assert held == [(["ls"], L2(0.2)), (["embed.weight", "head.weight"], L1(0.1))]
    assert groups[2]["penalty"]["factors"] == factors.tolist()
    assert groups[3]["penalty"] is None
    assert {group["lr"] for group in groups} == {0.5}
    assert all("weight_decay" not in group for group in groups)


def test_penalized_groups_come_before_those_that_are_only_selected():
    groups = Plan(Net(), overrides={"head": L1(0.1)}).param_groups(weight_decay=0.2)
    held = [(from_plain(group["penalty"]), group["weight_decay"]) for group in groups]
    assert held == [(L1(0.1), 0.2), (None, 0.2), (None, 0.0)]


def test_groups_are_stored_with_names_and_penalties_and_load_as_weights_only(tmp_path):
    plan = Plan(Net(), L1(0.1))
    optimizer = torch.optim.AdamW(plan.param_groups(weight_decay=0.1), lr=1e-3)
    torch.save(optimizer.state_dict(), tmp_path / "state.pt")
    stored = torch.load(tmp_path / "state.pt", weights_only=True)
    assert stored["param_groups"][0]["param_names"] == ["bias_proj.weight", "head.weight"]
    assert [from_plain(group["penalty"]) for group in stored["param_groups"]] == [L1(0.1), None]
    optimizer.load_state_dict(stored)


def test_decay_at_zero_gradient_shrinks_the_selected_alone():
    model = Net()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    plan = Plan(model)
    optimizer = torch.optim.AdamW(plan.param_groups(weight_decay=0.5), lr=0.1)
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    for name, p in model.named_parameters():
        factor = 1 - 0.1 * 0.5 if name in plan.selected else 1.0
        assert torch.allclose(p, before[name] * factor, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"weight_decay": -1.0}, "weight_decay must be >= 0"), ({"params": []}, "decided by the plan")],
)
def test_options_that_a_group_cannot_have_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        Plan(Net()).param_groups(**arguments)


# What cannot be planned.


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (3, "a module or its named_parameters"),
        ([torch.zeros(2)], r"pairs of \(name, parameter\).*type Tensor"),
        ([("a", torch.zeros(2)), ("a", torch.ones(2))], "two parameters named 'a'"),
        ([("a", 3)], "'a' is a int"),
    ],
)
def test_what_is_no_model_is_refused(model, message):
    with pytest.raises(ArgumentError, match=message):
        Plan(model)


def test_a_parameter_of_another_model_is_refused():
    with pytest.raises(ArgumentError, match="must be one of the plan's 13; got 'nothing'"):
        Plan(Net()).penalty_of("nothing")
    with pytest.raises(ArgumentError, match="parameter must be a name or a parameter itself; got 3"):
        Plan(Net()).row_of(3)
    with pytest.raises(ArgumentError, match=r"a tensor of shape \(2,\)"):
        Plan(Net()).penalty_of(torch.zeros(2))


# Looking at a plan.


def test_the_plan_prints_and_is_data():
    model = Net()
    plan = Plan(model, L1(0.1))
    assert str(plan).count("\n") == len(plan.rows) + 2
    assert repr(plan).startswith("<Plan: penalized: 2 tensors, 44 numbers; free: ")
    assert json.loads(plan.to_json()) == plan.to_dict()
    assert list(plan.to_frame()["name"]) == [name for name, _ in model.named_parameters()]
    assert plan.penalty_of(model.head.weight) == L1(0.1)
    assert copy.deepcopy(plan).penalized == plan.penalized


def test_an_empty_model_has_an_empty_plan():
    assert Plan(nn.ReLU()).rows == ()
    assert Plan(nn.ReLU()).param_groups() == []
