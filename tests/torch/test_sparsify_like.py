"""An average gets exactly the zeros of the model."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.torch._sparsify_like import sparsify_like  # noqa: E402


def sparse_model():
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 2))
    with torch.no_grad():
        for layer in (model[0], model[2]):
            layer.weight[torch.rand_like(layer.weight) < 0.5] = 0.0
            layer.bias.fill_(1.0)
    return model


def same_zeros(average, model):
    pairs = zip(average.parameters(), model.parameters(), strict=True)
    return all(bool(((a == 0) == (m == 0)).all()) for a, m in pairs if m.ndim > 1)


@pytest.mark.parametrize("kind", ["module", "averaged", "mapping", "compiled"])
def test_the_average_gets_the_models_zeros_and_keeps_everything_else(kind):
    model, plain = sparse_model(), nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 2))
    before = [p.detach().clone() for p in plain.parameters()]
    average, source = plain, model
    if kind == "averaged":
        average = torch.optim.swa_utils.AveragedModel(plain)
        plain = average.module
    elif kind == "mapping":
        average, source = plain.state_dict(), model.state_dict()
    elif kind == "compiled":
        source = {f"_orig_mod.{name}": p for name, p in model.named_parameters()}
    made = sparsify_like(average, source)
    assert same_zeros(plain, model)
    zeros = [m == 0 for m in model.parameters()]
    assert made == sum(int((zero & (b != 0)).sum()) for zero, b in zip(zeros, before, strict=True)) > 0
    for a, b, zero in zip(plain.parameters(), before, zeros, strict=True):
        torch.testing.assert_close(a.detach()[~zero], b[~zero], rtol=0, atol=0)
    assert sparsify_like(average, source) == 0


def test_running_statistics_are_no_weights():
    model, average = sparse_model(), sparse_model()
    average[1].running_mean.fill_(0.5)
    assert bool((model[1].running_mean == 0).all())
    sparsify_like(average.state_dict(), model.state_dict())
    assert bool((average[1].running_mean == 0.5).all())


def test_a_layer_that_is_itself_called_module_keeps_its_name():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.module = nn.Linear(2, 2)
            self.weight = nn.Parameter(torch.ones(2))

    model, average = Odd(), Odd()
    with torch.no_grad():
        model.module.weight.zero_()
    assert sparsify_like(average, model) == 4


@pytest.mark.parametrize("fault", ["missing", "shape"])
def test_nothing_changes_where_the_two_do_not_fit(fault):
    model, average = sparse_model(), nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5))
    if fault == "shape":
        average.append(nn.Linear(5, 3))
    before = average[0].weight.detach().clone()
    with pytest.raises(ArgumentError, match=r"2\.weight"):
        sparsify_like(average, model)
    torch.testing.assert_close(average[0].weight.detach(), before, rtol=0, atol=0)


def test_what_holds_no_weights_is_refused():
    with pytest.raises(ArgumentError, match="average must be a module"):
        sparsify_like([torch.ones(2)], sparse_model())
