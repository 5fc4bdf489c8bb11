"""What `compact` refuses, in which words, and what it leaves whole without refusing the network."""

import pytest

torch = pytest.importorskip("torch")

from compact_networks import mlp  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.nn.utils import parametrizations, prune  # noqa: E402

from shrinkage.torch._compact import compact  # noqa: E402


class Own(nn.Module):
    """Two layers with dead rows, and what a test puts between them."""

    def __init__(self, between, **parts):
        super().__init__()
        self.first, self.last = nn.Linear(4, 6), nn.Linear(6, 3)
        nn.init.zeros_(self.first.weight[:2])
        for name, part in parts.items():
            setattr(self, name, part)
        self.between = between

    def forward(self, x):
        return self.last(self.between(self, self.first(x)))


def dead(model):
    with torch.no_grad():
        model.first.weight[:2] = 0.0
    return model


def branching(_, x):
    return x if x.sum() > 0 else -x


def counting(_, x):
    return x * x.shape[-1]


def writing(_, x):
    x[:, 0] = 1.0
    return x


def changing(_, x):
    y = functional.relu_(x)
    return x + y


def changing_a_view(_, x):
    y = x.view(-1, 6)
    x.add_(1.0)
    return y


def random(_, x):
    return functional.dropout(x, 0.5, True)


def mixing(_, x):
    return x.softmax(-1)


def turning(_, x):
    return x.flip(-1)


def picking(_, x):
    return torch.cat((x[:, 3:], x[:, :3]), dim=1)


@pytest.mark.parametrize(
    ("between", "said"),
    [
        (branching, "cannot be read as a fixed graph"),
        (writing, "in place|parts of a tensor|cannot be read"),
        (changing, "changes in place what add reads again later"),
        (changing_a_view, "changes in place what last reads again later"),
        (random, "gives other outputs for the same input"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(between, said):
    model = dead(Own(between))
    found = compact(model, torch.randn(5, 4), seconds=0)
    assert found.report.refusal is not None
    pytest.importorskip("re").search(said, found.report.refusal) or pytest.fail(found.report.refusal)
    assert found.report.verdict.startswith("Refused")
    assert found.model is not model
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), found.model.parameters(), strict=True))


@pytest.mark.parametrize("between", [mixing, turning, counting, picking])
def test_calls_that_need_features_at_their_places_keep_them(between):
    model = dead(Own(between))
    found = compact(model, torch.randn(5, 4), seconds=0)
    assert found.report.refusal is None
    assert found.model.first.out_features == 6
    assert any("constant features stay" in note for note in found.report.notes)


def hooked():
    model = mlp(4, 6, 3)
    model[1].register_forward_hook(lambda module, inputs, output: output * torch.arange(6.0))
    return model


def spectral():
    model = mlp(4, 6, 3)
    parametrizations.spectral_norm(model[0])
    return model


def masked():
    model = mlp(4, 6, 3)
    prune.ln_structured(model[0], "weight", amount=2, n=2, dim=0)
    return model


def infinite():
    model = mlp(4, 6, 3)
    nn.init.constant_(model[0].bias, float("inf"))
    return model


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (hooked, "forward hook"),
        (spectral, "parametrizations"),
        (masked, "forward hook"),
        (infinite, "not finite"),
        (lambda: nn.DataParallel(mlp(4, 6, 3)), "give the network itself, its .module"),
        (lambda: nn.Sequential(nn.LazyLinear(3)), "run the network once first"),
        (lambda: mlp(4, 6, 3).to("meta"), "no numbers"),
    ],
)
def test_networks_that_are_not_plain_are_refused_in_a_sentence(make, said):
    found = compact(make(), torch.randn(5, 4), seconds=0)
    assert said in (found.report.refusal or "")


def test_a_subclass_of_a_layer_may_do_anything_and_stays_whole():
    class Sorted(nn.Linear):
        def forward(self, x):
            return super().forward(x).sort(-1).values

    model = nn.Sequential(nn.Linear(4, 6), Sorted(6, 5), nn.Linear(5, 2))
    with torch.no_grad():
        model[0].weight[:2] = 0.0
        model[1].weight[:2] = 0.0
    found = compact(model, torch.randn(5, 4), seconds=0)
    assert found.report.refusal is None
    assert found.report.parameters == found.report.parameters_before


def test_a_weight_that_another_call_reads_too_stays_whole():
    class Read(Own):
        def forward(self, x):
            return super().forward(x) + self.first.weight.mean()

    model = dead(Read(lambda _, x: x))
    found = compact(model, torch.randn(5, 4), seconds=0)
    assert found.report.refusal is None
    assert found.model.first.out_features == 6


def test_a_recurrent_layer_stays_whole_and_what_follows_it_shrinks():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.into, self.rnn = nn.Linear(3, 8), nn.LSTM(8, 8, batch_first=True)
            self.up, self.out = nn.Linear(8, 20), nn.Linear(20, 2)

        def forward(self, x):
            x, _ = self.rnn(self.into(x))
            return self.out(torch.relu(self.up(x[:, -1])))

    model = Recurrent()
    with torch.no_grad():
        model.into.weight[:4] = 0.0
        model.up.weight[:15] = 0.0
    found = compact(model, torch.randn(5, 7, 3), seconds=0)
    assert found.report.refusal is None
    assert (found.model.into.out_features, found.model.out.in_features) == (8, 5)


def test_a_wrong_example_of_one_row_cannot_hide_a_batch_that_is_mixed_with_features():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(4, 6), nn.Linear(6, 3)

        def forward(self, x):
            return self.last(self.first(x).reshape(6, -1).T)

    model = dead(Mixed())
    example = torch.randn(1, 4)
    found = compact(model, example, seconds=0)
    torch.testing.assert_close(found.model(example), model(example))
    more = torch.randn(4, 4)
    torch.testing.assert_close(found.model(more), model(more))


class Auxiliary(nn.Module):
    """A second head, or noise of a fixed width, in training alone."""

    def __init__(self, how):
        super().__init__()
        self.first, self.last, self.aux = nn.Linear(4, 6), nn.Linear(6, 3), nn.Linear(6, 3)
        self.how = how

    def forward(self, x):
        hidden = functional.relu(self.first(x))
        if self.training and self.how == "noise":
            hidden = hidden + torch.randn(len(x), 6)
        if self.training and self.how == "head":
            return self.last(hidden), self.aux(hidden)
        return self.last(hidden)


@pytest.mark.parametrize("how", ["head", "noise"])
@pytest.mark.parametrize("mode", [True, False])
def test_what_training_alone_reads_is_not_cut_from_under_it(how, mode):
    model = dead(Auxiliary(how)).train(mode)
    drawn = torch.random.get_rng_state()
    small = compact(model, torch.randn(8, 4, generator=torch.Generator().manual_seed(0)), seconds=0)
    assert torch.equal(torch.random.get_rng_state(), drawn)
    assert "in training forward reads" in small.report.refusal
    assert small.model.training is mode
    small.model.train()(torch.randn(8, 4))
    plain = compact(dead(Auxiliary("neither")).train(mode), torch.randn(8, 4), seconds=0)
    assert plain.report.refusal is None
    assert plain.model.first.out_features < 6
