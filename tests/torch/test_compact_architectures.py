"""Many architectures and random patterns of dead features: outputs stay, and at most five may be refused."""

import pytest

torch = pytest.importorskip("torch")

from compact_networks import CASES, with_dead_features  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils._pytree import tree_leaves, tree_map  # noqa: E402

from shrinkage.torch._compact import compact  # noqa: E402

WITHIN = 1e-5


@torch.no_grad()
def apart(model, other, inputs):
    """The largest difference of outputs, and the largest output where that is above 1."""
    call = (lambda m: m(**inputs)) if isinstance(inputs, dict) else (lambda m: m(inputs))
    pairs = list(zip(tree_leaves(call(model)), tree_leaves(call(other)), strict=True))
    return max(float((a - b).abs().max()) for a, b in pairs) / max(1.0, *(float(a.abs().max()) for a, _ in pairs))


def fresh(inputs, n=13):
    """Other inputs, of another number of rows; whole numbers from the same range."""

    def one(x):
        if x.is_floating_point():
            return torch.randn(n, *x.shape[1:], dtype=x.dtype)
        return torch.randint(0, int(x.max()) + 1, (n, *x.shape[1:]))

    return tree_map(one, inputs)


@torch.no_grad()
def scatter(model, seed):
    """Set rows and columns to 0 that nobody chose well."""
    chance = torch.Generator().manual_seed(seed)
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            for axis in (0, 1):
                share = 0.5 * torch.rand((), generator=chance)
                dead = torch.rand(layer.weight.shape[axis], generator=chance) < share
                layer.weight.movedim(axis, 0)[dead] = 0.0


@pytest.mark.parametrize("name", CASES)
def test_outputs_stay_and_dead_features_go(name):
    model, example = with_dead_features(CASES[name])
    found = compact(model, example, seconds=0)
    assert found.report.refusal is None
    assert found.report.parameters < 0.85 * found.report.parameters_before
    found.model.eval()
    for seed in range(3):
        torch.manual_seed(seed)
        assert apart(model, found.model, fresh(example)) < WITHIN


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 12))])
def test_outputs_stay_whatever_is_dead(name, seed):
    model, example = with_dead_features(CASES[name], seed)
    scatter(model, seed)
    found = compact(model, example, seconds=0)
    assert found.report.refusal is None
    assert apart(model, found.model.eval(), fresh(example)) < WITHIN


@pytest.mark.parametrize("name", CASES)
def test_a_second_time_finds_nothing_left(name):
    model, example = with_dead_features(CASES[name])
    once = compact(model, example, seconds=0)
    twice = compact(once.model, example, seconds=0)
    assert twice.report.refusal is None
    assert twice.report.parameters == once.report.parameters
