"""The plan of parameters that are shared, frozen, adapted, reparametrized, without shape, or not real."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.utils import parametrizations, parametrize, prune  # noqa: E402

from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.penalties import L1  # noqa: E402
from shrinkage.torch import Plan  # noqa: E402


def test_a_head_defined_before_the_embedding_it_shares_is_an_embedding_all_the_same():
    model = nn.Sequential(nn.Linear(4, 7, bias=False), nn.Embedding(7, 4), nn.Linear(4, 2))
    model[1].weight = model[0].weight
    row = Plan(model, L1(0.1)).rows[0]
    assert (row.name, row.role, row.rule) == ("0.weight", "embedding", "Embedding weight, tied as '1.weight'")


def test_a_module_used_twice_is_listed_once_with_both_names():
    shared = nn.Linear(3, 3)
    plan = Plan(nn.Sequential(shared, nn.ReLU(), shared), L1(0.1))
    assert [(row.name, row.aliases) for row in plan.rows] == [("0.weight", ("2.weight",)), ("0.bias", ("2.bias",))]


def test_frozen_weights_have_a_row_no_group_and_no_penalty():
    model = nn.Sequential(nn.Linear(4, 4).requires_grad_(False), nn.Linear(4, 2))
    plan = Plan(model, L1(0.1))
    assert [(row.rule, row.penalty) for row in plan.rows[:2]] == [("frozen", None)] * 2
    assert [name for group in plan.param_groups() for name, _ in group["params"]] == ["1.weight", "1.bias"]


def test_adapters_are_penalized_and_their_frozen_base_is_not():
    model = nn.Module()
    model.base_layer = nn.Linear(4, 4).requires_grad_(False)
    model.lora_A = nn.ModuleDict({"default": nn.Linear(4, 2, bias=False)})
    model.lora_B = nn.ModuleDict({"default": nn.Linear(2, 4, bias=False)})
    assert Plan(model, L1(0.1)).penalized == ("lora_A.default.weight", "lora_B.default.weight")
    plan = Plan(model, L1(0.1), exclude="lora_A")
    assert plan.penalized == ("lora_B.default.weight",)
    assert plan.row_of("lora_A.default.weight").rule == "excluded by 'lora_A'"


def test_reparametrized_weights_are_told_by_what_they_make():
    model = nn.Sequential(nn.Linear(4, 3), nn.Conv2d(2, 3, 3))
    parametrizations.weight_norm(model[0])
    parametrizations.spectral_norm(model[1])
    rule = {row.name: (row.role, row.rule) for row in Plan(model).rows}
    assert rule["0.parametrizations.weight.original0"] == ("gain", "magnitude of weight_norm of weight")
    assert rule["0.parametrizations.weight.original1"] == ("linear", "Linear weight, direction of weight_norm")
    assert rule["1.parametrizations.weight.original"] == ("conv", "Conv2d weight, original under SpectralNorm")
    assert rule["0.bias"] == ("bias", "Linear bias")


def test_parameters_of_a_parametrization_itself_are_planned():
    class LowRank(nn.Module):
        def __init__(self):
            super().__init__()
            self.lora_A = nn.Parameter(torch.zeros(2, 4))

        def forward(self, weight):
            return weight + self.lora_A.sum()

    model = nn.Linear(4, 3)
    parametrize.register_parametrization(model, "weight", LowRank())
    assert {row.name: row.role for row in Plan(model).rows} == {
        "bias": "bias",
        "parametrizations.weight.original": "linear",
        "parametrizations.weight.0.lora_A": "matrix",
    }


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated:FutureWarning")
def test_weight_norm_of_old_is_read_as_the_new_one():
    model = nn.utils.weight_norm(nn.Conv1d(2, 3, 3))
    assert {row.name: row.role for row in Plan(model).rows} == {"bias": "bias", "weight_g": "gain", "weight_v": "conv"}


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning", "ignore:.*torch.jit:FutureWarning")
def test_scripted_norms_and_embeddings_are_free():
    model = torch.jit.script(nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 4), nn.LayerNorm(4)))
    assert Plan(model, L1(0.1)).penalized == ("1.weight",)


def test_a_lazy_layer_asks_for_a_forward_pass_first():
    with pytest.raises(ArgumentError, match=r"no shape yet for '0.weight' of LazyLinear: run one forward pass"):
        Plan(nn.Sequential(nn.LazyLinear(3)), L1(0.1))


def test_complex_and_sparse_parameters_are_refused_by_name_and_can_be_excluded():
    model = nn.Linear(3, 3)
    model.spectrum = nn.Parameter(torch.zeros(3, 3, dtype=torch.complex64))
    model.sparse = nn.Parameter(torch.eye(3).to_sparse())
    with pytest.raises(ArgumentError, match="'spectrum' is complex"):
        Plan(model, L1(0.1))
    with pytest.raises(ArgumentError, match="'sparse' is sparse"):
        Plan(model, L1(0.1), exclude="spectrum")
    assert Plan(model, L1(0.1), exclude=["spectrum", "sparse"]).penalized == ("weight",)


def test_integer_parameters_of_quantized_layers_are_frozen():
    model = nn.Linear(3, 3)
    model.packed = nn.Parameter(torch.zeros(3, 3, dtype=torch.int8), requires_grad=False)
    assert Plan(model, L1(0.1)).row_of("packed").rule == "frozen"


def test_flattened_parameters_are_refused_with_a_way_out():
    model = nn.Module()
    model._flat_param = nn.Parameter(torch.zeros(100))
    with pytest.raises(ArgumentError, match="use_orig_params=True"):
        Plan(model)


class LayerScale(nn.Module):
    def __init__(self):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(4))


class Gated(LayerScale):
    """A block with a gain of its own: it holds a matrix, so it is no norm."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)


class OneFilter(nn.Module):
    """A convolution of somebody's own, of one filter of one pixel."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, 4, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1))


def pruned():
    return prune.l1_unstructured(nn.Linear(4, 4), "weight", amount=0.5)


@pytest.mark.parametrize(
    ("build", "name", "role", "rule"),
    [
        (pruned, "weight_orig", "linear", "Linear weight, as weight_orig"),
        (LayerScale, "gamma", "gain", "gain by name 'gamma'"),
        (Gated, "gamma", "gain", "gain by name 'gamma'"),
        (OneFilter, "weight", "matrix", "4-D"),
        (OneFilter, "bias", "bias", "bias by name 'bias'"),
        (lambda: nn.PReLU(4), "weight", "gain", "PReLU weight"),
        (lambda: nn.MultiheadAttention(4, 2), "in_proj_bias", "bias", "MultiheadAttention in_proj_bias"),
        (lambda: nn.MultiheadAttention(4, 2), "out_proj.weight", "attention", "MultiheadAttention out_proj.weight"),
        (lambda: nn.ModuleDict({"biases": nn.ParameterList([torch.zeros(3)])}), "biases.0", "bias", None),
        (lambda: nn.ModuleDict({"pos": nn.ParameterList([torch.zeros(3, 4)])}), "pos.0", "position", None),
    ],
)
def test_roles_and_their_reasons_are_told(build, name, role, rule):
    row = Plan(build()).row_of(name)
    assert row.role == role
    assert rule in (None, row.rule)
