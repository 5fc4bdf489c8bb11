"""What `compact` removes and folds, held against the formulas and an oracle that removes one neuron at a time."""

import copy
import io
import math
import pickle

import pytest

torch = pytest.importorskip("torch")

from compact_networks import CASES, Block, HardCoded, Shared, Tied, mlp, with_dead_features  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.torch import _compact as home  # noqa: E402
from shrinkage.torch._compact import compact  # noqa: E402


def small(model, example, **settings):
    """The smaller network, not timed."""
    found = compact(model, example, **{"seconds": 0, **settings})
    assert found.report.refusal is None, found.report.refusal
    return found.model


@torch.no_grad()
def kill(layer, *rows):
    layer.weight[list(rows)] = 0.0
    return layer


def widths(model):
    """Features that enter each summing layer, and those that leave the last."""
    layers = [m for m in model.modules() if isinstance(m, nn.Linear | nn.modules.conv._ConvNd)]
    return [*(layer.weight.shape[1] for layer in layers), layers[-1].weight.shape[0]]


def one_at_a_time(layers):
    """Widths that are left when neurons without incoming or without outgoing weights go one by one."""
    W = [layer.weight.detach().double().clone() for layer in layers]
    b = [layer.bias.detach().double().clone() for layer in layers]
    gone = True
    while gone:
        gone = False
        for k in range(len(W) - 1):
            for i in range(len(W[k])):
                if len(W[k]) > 1 and (not W[k][i].any() or not W[k + 1][:, i].any()):
                    rest = [j for j in range(len(W[k])) if j != i]
                    if not W[k][i].any():
                        b[k + 1] += W[k + 1][:, i] * torch.tanh(b[k][i])
                    W[k], b[k], W[k + 1] = W[k][rest], b[k][rest], W[k + 1][:, rest]
                    gone = True
                    break
    return W, b


def test_a_neuron_without_incoming_weights_adds_its_constant_to_the_next_bias():
    model = mlp(5, 7, 3, act=nn.GELU).double()
    kill(model[0], 1, 4)
    made = small(model, torch.randn(4, 5, dtype=torch.float64))
    constants = functional.gelu(model[0].bias[[1, 4]])
    torch.testing.assert_close(made[2].bias, model[2].bias + model[2].weight[:, [1, 4]] @ constants, rtol=1e-14, atol=0)
    rest = [0, 2, 3, 5, 6]
    assert torch.equal(made[0].weight, model[0].weight[rest])
    assert torch.equal(made[0].bias, model[0].bias[rest])
    assert torch.equal(made[2].weight, model[2].weight[:, rest])


@pytest.mark.parametrize("seed", range(20))
def test_what_is_left_is_what_removing_one_neuron_at_a_time_leaves(seed):
    torch.manual_seed(seed)
    model = mlp(6, 9, 8, 7, 3, act=nn.Tanh).double()
    layers = model[::2]
    with torch.no_grad():
        for layer in layers:
            layer.weight *= torch.rand_like(layer.weight) < 0.25
    W, b = one_at_a_time(layers)
    made = small(model, torch.randn(4, 6, dtype=torch.float64))
    if min(map(len, W)) > 1:  # of a layer that dies whole, one neuron is left, and which one is a matter of taste
        for layer, weight, bias in zip(made[::2], W, b, strict=True):
            assert torch.equal(layer.weight, weight)
            torch.testing.assert_close(layer.bias, bias, rtol=1e-12, atol=1e-14)


def test_what_dies_since_its_inputs_died_goes_too_and_so_does_what_only_fed_it():
    model = mlp(4, 6, 6, 6, 2)
    with torch.no_grad():
        model[0].weight[3:] = 0.0  # 3, 4, 5 are constant,
        model[2].weight[:2, :3] = 0.0  # so these two are,
        model[4].weight[:, 2:4] = 0.0  # and nothing reads these
    assert widths(small(model, torch.randn(9, 4))) == [4, 3, 2, 6, 2]


def test_a_layer_of_which_nothing_is_left_keeps_one_neuron_and_its_constant():
    model = mlp(4, 6, 5, 2)
    kill(model[2], *range(5))
    made = small(model, torch.randn(9, 4))
    assert widths(made) == [4, 1, 1, 2]
    torch.testing.assert_close(made(torch.randn(3, 4)), model(torch.randn(3, 4)))


def test_without_a_bias_a_constant_brings_one():
    model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Sigmoid(), nn.Linear(4, 2, bias=False))
    kill(model[0], 0)
    made = small(model, torch.randn(5, 3))
    assert made[0].bias is None
    torch.testing.assert_close(made[2].bias, 0.5 * model[2].weight[:, 0])


def padded(mode="zeros", padding=1, bias=1.0):
    """Two convolutions; channels 2 to 5 of the first are constants."""
    first = kill(nn.Conv2d(2, 6, 3, padding=1), 2, 3, 4, 5)
    nn.init.constant_(first.bias, bias)
    with torch.no_grad():
        first.bias[3:] *= torch.tensor([0.5, 2.0, 3.0])
    return nn.Sequential(first, nn.ReLU(), nn.Conv2d(6, 3, 3, padding=padding, padding_mode=mode))


def test_zeros_padded_around_constants_leave_one_channel_for_all_of_them():
    model = padded().double()
    made = small(model, torch.randn(2, 2, 7, 7, dtype=torch.float64))
    assert widths(made) == [2, 3, 3]
    ratios = torch.tensor([1, 0.5, 2, 3], dtype=torch.float64) / 3.0  # the largest stays
    expected = (model[2].weight[:, 2:] * ratios[:, None, None]).sum(1)
    torch.testing.assert_close(made[2].weight[:, 2], expected)
    for size in (1, 4, 12):
        x = torch.randn(3, 2, size, size, dtype=torch.float64)
        torch.testing.assert_close(made(x), model(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "settings",
    [{"padding": 0}, {"mode": "reflect"}, {"mode": "replicate"}, {"mode": "circular"}, {"bias": -1.0}, {"bias": 0.0}],
)
def test_where_padding_cannot_be_seen_every_constant_goes(settings):
    model = padded(**settings)
    made = small(model, torch.randn(2, 2, 7, 7))
    assert widths(made) == [2, 2, 3]
    x = torch.randn(3, 2, 9, 9)
    torch.testing.assert_close(made(x), model(x), rtol=1e-5, atol=1e-5)


def test_a_constant_before_an_average_that_counts_padding_is_none_behind_it():
    model = padded()
    model.insert(2, nn.AvgPool2d(3, stride=1, padding=1))
    model[3] = nn.Conv2d(6, 3, 1)
    assert widths(small(model, torch.randn(2, 2, 7, 7))) == [2, 6, 3]
    model[2] = nn.AvgPool2d(3, stride=1)
    assert widths(small(model, torch.randn(2, 2, 7, 7))) == [2, 2, 3]


def test_branches_that_are_added_keep_what_varies_in_one_of_them():
    model = nn.Sequential(nn.Conv2d(3, 8, 1), Block(8, 8, False), nn.Conv2d(8, 2, 1)).eval()
    kill(model[0], 4, 5, 6, 7)  # in the skip
    kill(model[1].conv2, 2, 3, 6, 7)  # in the branch
    made = small(model, torch.randn(2, 3, 6, 6))
    assert made[1].conv2.weight.shape[0] == made[0].weight.shape[0] == made[2].weight.shape[1] == 6


def test_of_a_flattened_channel_all_places_go():
    model = nn.Sequential(nn.Conv2d(1, 5, 3), nn.ReLU(), nn.AdaptiveAvgPool2d((2, 3)), nn.Flatten(), nn.Linear(30, 2))
    kill(model[0], 0, 3)
    made = small(model, torch.randn(2, 1, 9, 9))
    rest = [c * 6 + place for c in (1, 2, 4) for place in range(6)]
    assert torch.equal(made[4].weight, model[4].weight[:, rest])
    assert made[4].in_features == 18


def test_a_batch_norm_with_scale_0_makes_its_channel_the_shift():
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 2)).eval()
    with torch.no_grad():
        model[1].weight[2] = 0.0
        model[1].bias.copy_(torch.arange(5.0))
    made = small(model, torch.randn(8, 4))
    assert (made[0].out_features, made[1].num_features, made[2].in_features) == (4, 4, 4)
    torch.testing.assert_close(made[2].bias, model[2].bias + 2.0 * model[2].weight[:, 2])


def test_a_layer_norm_keeps_all_that_enters_and_the_report_says_so():
    model = nn.Sequential(kill(nn.Linear(4, 6), 0, 1), nn.LayerNorm(6), nn.ReLU(), nn.Linear(6, 2))
    found = compact(model, torch.randn(8, 4), seconds=0)
    assert widths(found.model) == [4, 6, 2]
    assert "2 constant features stay: 1 (LayerNorm) needs every feature that enters" in found.report.notes


def test_a_layer_called_several_times_folds_only_constants_that_are_the_same_in_all_calls():
    model = Shared().eval()
    kill(model.again, 0, 1, 2)
    kill(model.first, 0, 1, 2)
    with torch.no_grad():
        model.again.bias[:3], model.first.bias[:3] = 1.0, 2.0
    assert small(model, torch.randn(5, 8)).again.in_features == 24
    with torch.no_grad():
        model.first.bias.copy_(model.again.bias)
    assert small(model, torch.randn(5, 8)).again.in_features == 21


def test_tied_weights_stay_tied():
    model, ids = with_dead_features(CASES["tied embedding"])
    with torch.no_grad():
        model.down.weight[12:] = 0.0
    made = small(model, ids)
    assert isinstance(made, Tied)
    assert made.head.weight is made.embed.weight
    assert len([*made.parameters()]) == len([*model.parameters()])


@pytest.mark.parametrize("name", ["depthwise", "residual with projection", "transformer", "hard-coded view"])
def test_the_network_itself_stays_as_it_was_and_shares_no_memory(name):
    model, example = with_dead_features(CASES[name])
    model.train()
    next(model.children()).eval()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    gradients = [parameter.grad for parameter in model.parameters()]
    random = torch.get_rng_state()
    made = small(model, example)
    assert torch.equal(random, torch.get_rng_state())
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
    assert modes == [module.training for module in model.modules()]
    assert gradients == [parameter.grad for parameter in model.parameters()]
    told = dict(model.named_modules())
    assert all(module.training == told[key].training for key, module in made.named_modules() if key in told)
    mine = {tensor.data_ptr() for tensor in model.state_dict().values() if tensor.numel()}
    assert not mine & {tensor.data_ptr() for tensor in made.state_dict().values() if tensor.numel()}


def test_names_classes_and_what_trains_stay():
    model, example = with_dead_features(CASES["residual with projection"])
    model[0].weight.requires_grad_(False)
    made = small(model, example)
    new = set(made.state_dict()) - set(model.state_dict())
    assert set(model.state_dict()) <= set(made.state_dict())
    assert all(name.endswith(".bias") for name in new)
    assert [type(m) for m in made.modules()] == [type(m) for m in model.modules()]
    assert not made[0].weight.requires_grad
    assert made[4].conv1.weight.requires_grad


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_precision_is_kept(dtype):
    model, example = with_dead_features(CASES["MLP"])
    found = compact(model.to(dtype), example.to(dtype), seconds=0)
    assert found.report.refusal is None
    assert {tensor.dtype for tensor in found.model.state_dict().values()} == {dtype}
    assert found.report.parameters < found.report.parameters_before


def test_the_layout_of_memory_is_kept():
    model, example = with_dead_features(CASES["conv-BN"])
    made = small(model.to(memory_format=torch.channels_last), example.to(memory_format=torch.channels_last))
    assert made[3].weight.is_contiguous(memory_format=torch.channels_last)
    assert not made[3].weight.is_contiguous()


@pytest.mark.parametrize("name", ["residual with projection", "functional", "hard-coded view", "transformer"])
def test_it_trains_on_with_batch_norm_and_dropout(name):
    model, example = with_dead_features(CASES[name])
    made = small(model, example).train()
    means = {key: tensor.clone() for key, tensor in made.named_buffers()}
    outputs = [made(example) for _ in range(2)]
    if any("dropout" in str(module).lower() for module in model.modules()) or name in ("functional", "hard-coded view"):
        assert not torch.equal(*outputs)
    outputs[0].square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in made.parameters())
    assert all(not torch.equal(tensor, means[key]) for key, tensor in made.named_buffers())
    made.eval()
    assert torch.equal(made(example), made(example))


@pytest.mark.parametrize("name", ["residual", "hard-coded view", "transformer"])
def test_it_can_be_copied_pickled_saved_and_loaded(name):
    model, example = with_dead_features(CASES[name])
    made = small(model, example).eval()
    right = made(example)
    stream = io.BytesIO()
    torch.save(made, stream)
    stream.seek(0)
    for other in (
        copy.deepcopy(made), pickle.loads(pickle.dumps(made)), torch.load(stream, weights_only=False)
    ):  # fmt: skip
        assert torch.equal(other(example), right)
    blank = copy.deepcopy(made)
    for tensor in blank.state_dict().values():
        tensor.zero_()
    blank.load_state_dict(made.state_dict())
    assert torch.equal(blank(example), right)


def test_forward_is_rewritten_only_where_it_names_numbers_of_features():
    for name, (model, example) in {name: with_dead_features(case) for name, case in CASES.items()}.items():
        found = compact(model, example, seconds=0)
        assert found.report.rewritten == (name == "hard-coded view"), name
        assert found.report.rewritten or type(found.model) is type(model)
    assert isinstance(compact(*with_dead_features(CASES["hard-coded view"]), seconds=0).model, torch.fx.GraphModule)


def test_uneven_pieces_of_a_cut_tensor_are_cut_anew():
    class Cut(nn.Module):
        def __init__(self):
            super().__init__()
            self.into, self.a, self.b = nn.Linear(4, 12), nn.Linear(8, 2), nn.Linear(4, 2)

        def forward(self, x):
            left, right = torch.split(torch.relu(self.into(x)), [8, 4], dim=-1)
            return self.a(left) + self.b(right)

    model = Cut()
    kill(model.into, 0, 1, 2, 9)
    found = compact(model, torch.randn(5, 4), seconds=0)
    assert (found.model.a.in_features, found.model.b.in_features, found.report.rewritten) == (5, 3, True)


def test_a_network_in_which_everything_counts_comes_back_bit_for_bit():
    model = mlp(4, 6, 2)
    found = compact(model, torch.randn(3, 4), seconds=0)
    assert all(torch.equal(a, b) for a, b in zip(found.model.parameters(), model.parameters(), strict=True))
    assert found.report.verdict.startswith("Nothing to gain")


def test_what_would_change_outputs_is_undone(monkeypatch):
    model, example = with_dead_features(CASES["MLP"])
    honest = home.plan_removal

    def forgetful(reader):
        removal = honest(reader)
        removal.added.clear()  # the constants
        return removal

    monkeypatch.setattr(home, "plan_removal", forgetful)
    found = compact(model, example, seconds=0)
    assert "differ by" in found.report.refusal
    assert all(torch.equal(a, b) for a, b in zip(found.model.parameters(), model.parameters(), strict=True))


def test_the_report_counts_parameters_bytes_and_layers():
    model = nn.Sequential(kill(nn.Linear(3, 4), 0), nn.BatchNorm1d(4), nn.Linear(4, 2)).eval()
    report = compact(model, torch.randn(6, 3)).report
    assert (report.parameters_before, report.parameters) == (16 + 8 + 10, 12 + 6 + 8)
    assert report.bytes_before == 4 * (34 + 8) + 8  # running statistics; a count of batches in 64 bits
    assert report.bytes == 4 * (26 + 6) + 8
    assert [(layer.name, layer.before, layer.after) for layer in report.layers] == [
        ("0", (4, 3), (3, 3)), ("1", (4,), (3,)), ("2", (2, 4), (2, 3))
    ]  # fmt: skip
    assert report.latency > 0
    assert report.latency_before > 0
    assert math.isclose(report.shrink, report.bytes_before / report.bytes)
    assert "BatchNorm1d" in str(report)
    assert report.to_frame().shape == (3, 6)
    assert '"max_difference"' in report.to_json()


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"tolerance": -1.0}, "tolerance"), ({"n_random": 0}, "n_random"), ({"seconds": -1.0}, "seconds")],
)
def test_arguments_out_of_range_are_named(settings, named):
    with pytest.raises(ArgumentError, match=named):
        compact(mlp(3, 2), torch.randn(2, 3), **settings)


def test_what_is_no_network_and_an_example_that_it_does_not_take_are_named():
    with pytest.raises(ArgumentError, match="model must be"):
        compact("model", torch.randn(2, 3))
    with pytest.raises(ArgumentError, match="example_inputs"):
        compact(mlp(3, 2), torch.randn(2, 5))


def test_a_view_whose_batch_is_a_number_is_compared_at_that_batch_alone():
    class Fixed(HardCoded):
        def forward(self, x):
            return self.fc2(torch.relu(self.fc1(functional.max_pool2d(torch.relu(self.conv(x)), 2).view(5, 256))))

    model = kill(Fixed().conv, 3) and Fixed().eval()
    kill(model.conv, *range(8))
    assert small(model, torch.randn(5, 1, 8, 8)).fc1.in_features < 256
