"""What cannot be trained, measured or kept is found out before any training, and what a reader should know is said."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from shrinkage import L1, GroupL2  # noqa: E402
from shrinkage._errors import ArgumentError, DataError  # noqa: E402
from shrinkage.torch import ProxAdam, ProxSGD  # noqa: E402
from shrinkage.torch._sweep import sweep  # noqa: E402

DRAW = torch.Generator().manual_seed(3)
X = torch.randn(60, 4, generator=DRAW)
Y = X[:, 0] - X[:, 1] + 0.1 * torch.randn(60, generator=DRAW)
HOLE = torch.where(torch.arange(60)[:, None] == 7, torch.nan, X)
LATE = torch.where(torch.arange(60)[:, None] == 59, torch.nan, X)


def network():
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1))


def normed():
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))


def loader(x=X, batch_size=12, rows=60, **more):
    return DataLoader(TensorDataset(x[:rows], Y[:rows]), batch_size=batch_size, **more)


def swept(model_fn=network, data=(X, Y), **more):
    settings = {"strengths": [0.0, 0.01], "penalty": L1(1.0), "epochs": 2, "batch_size": 12, "mode": "loop"} | more
    return sweep(model_fn, data, **settings)


class Halving:
    """A scheduler without a state."""

    def __init__(self, optimizer):
        self.optimizer = optimizer

    def step(self):
        for group in self.optimizer.param_groups:
            group["lr"] *= 0.5


class TwoInTraining(nn.Linear):
    """Returns an auxiliary output beside the other, in training alone."""

    def forward(self, x):
        out = super().forward(x)
        return (out, out) if self.training else out


class Detached(nn.Linear):
    def forward(self, x):
        return super().forward(x).detach()


def huge():
    model = network()
    with torch.no_grad():
        model[2].bias.fill_(1e25)
    return model


def not_to_be_called(*_):
    raise AssertionError("it was trained")


REFUSED = [
    ({"model_fn": network()}, "model_fn must be a function that makes a new model .* got Sequential, a model"),
    ({"model_fn": "mlp"}, "model_fn must be a function .* got str"),
    ({"scheduler": Halving, "journal": True}, r"with state_dict\(\), for the journal to go on from; Halving has none"),
    ({"scheduler": lambda optimizer: 3}, r"scheduler must make an object with step\(\); int has none"),
    ({"validation": loader(batch_size=99, drop_last=True)}, "validation must have at least one batch"),
    ({"data": loader(batch_size=99, drop_last=True), "validation": (X, Y)}, "data must have at least one batch"),
    ({"validation": loader(HOLE)}, "validation must be finite; its first batch is not"),
    ({"data": loader(HOLE), "validation": (X, Y)}, "data must be finite; its first batch is not"),
    ({"model_fn": huge}, "the loss must be finite; of row 0 of the first batch of data it is inf"),
    ({"validation": (X[:, :3], Y)}, r"a batch of the rows held out \(shape \(48, 3\)"),
    (
        {"model_fn": lambda: nn.Linear(4, 2), "data": (X, Y.gt(0)), "validation": (X, torch.arange(60) % 3)},
        "the loss cannot take a batch of the rows held out .*: Target 2 is out of bounds",
    ),
    ({"model_fn": normed, "batch_size": 1}, r"cannot be trained on a batch of the data \(shape \(1, 4\).*more than 1"),
    (
        {"model_fn": normed, "data": loader(rows=49), "validation": (X, Y)},
        "such as the last one of the DataLoader; drop_last=True or another batch_size has no such batch: Expected more",
    ),
    ({"model_fn": lambda: TwoInTraining(4, 1)}, "cannot be trained on a batch of the data"),
    ({"model_fn": lambda: Detached(4, 1)}, "its loss has no gradient"),
    ({"penalty": L1(np.zeros(4))}, "penalty must have a strength above 0"),
]


@pytest.mark.parametrize(("changes", "said"), REFUSED)
def test_what_cannot_work_is_found_out_before_any_training(tmp_path, changes, said):
    if "journal" in changes:
        changes = changes | {"journal": tmp_path / "new"}
    arguments = {"progress": not_to_be_called} | changes
    with pytest.raises((ArgumentError, DataError), match=said):
        swept(arguments.pop("model_fn", network), arguments.pop("data", (X, Y)), **arguments)
    assert not (tmp_path / "new").exists()


def test_a_scheduler_without_a_state_is_taken_where_nothing_is_kept():
    def by_hand(optimizer):
        return torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

    np.testing.assert_array_equal(swept(scheduler=Halving).held_out, swept(scheduler=by_hand).held_out)


def test_a_last_batch_of_one_row_is_no_matter_without_a_norm_or_where_it_is_dropped():
    for model_fn, more in ((network, {}), (normed, {"drop_last": True})):
        result = swept(model_fn, loader(rows=49, **more), validation=(X, Y))
        assert np.isfinite(result.held_out).all()


def test_the_try_leaves_no_trace_in_a_model_that_is_returned_again():
    kept = normed()
    before = {name: value.clone() for name, value in kept.state_dict().items()}
    swept(lambda: kept)
    assert all(torch.equal(value, before[name]) for name, value in kept.state_dict().items())


@pytest.mark.parametrize("where", ["data", "validation"])
def test_numbers_that_are_not_finite_later_are_named_instead_of_the_learning_rate(where):
    sources = {"data": (X, Y), "validation": (X, Y)} | {where: loader(LATE)}
    with pytest.raises(DataError, match=f"batch 5 of {where} holds numbers that are not finite"):
        swept(**sources)


def test_starts_that_are_the_same_under_every_seed_are_noted():
    kept = network()
    (note,) = swept(lambda: kept, seeds=[4, 7]).notes
    assert note.startswith("model_fn starts from the same weights under seeds 4 and 7")
    assert swept(seeds=2).notes == swept(lambda: kept, seeds=1).notes == ()


@pytest.mark.parametrize("mode", ["loop", "stacked"])
def test_an_array_of_strengths_keeps_its_ratios(mode):
    """Equal to the penalties of numbers that it stands for."""
    weights = np.array([1.0, 5.0, 2.0, 5.0])

    def by_hand(plan, strength):
        penalty = GroupL2(weights * (strength / 5.0), axis=1)
        weight, bias = plan.parameters["weight"], plan.parameters["bias"]
        return ProxSGD([{"params": [weight], "penalty": penalty}, {"params": [bias]}], lr=0.1)

    settings = {"model_fn": lambda: nn.Linear(4, 1), "strengths": [0.01, 0.3], "epochs": 8, "mode": mode}
    one = swept(penalty=GroupL2(weights, axis=1), optimizer=ProxSGD, lr=0.1, **settings)
    other = swept(penalty=GroupL2(weights, axis=1), optimizer=by_hand, **settings)
    plain = swept(penalty=GroupL2(1.0, axis=1), optimizer=ProxSGD, lr=0.1, **settings)
    np.testing.assert_array_equal(one.held_out, other.held_out)
    assert (one.held_out != plain.held_out).all()
    assert one.strength_name == "largest strength of GroupL2(axis=1)"
    doubled = swept(penalty=GroupL2(2 * weights, axis=1), **settings)  # by ProxAdam, as dual averaging takes none
    np.testing.assert_array_equal(doubled.held_out, swept(penalty=GroupL2(weights, axis=1), optimizer=ProxAdam,
                                                          **settings).held_out)  # fmt: skip


def test_a_journal_knows_the_ratios_of_an_array_of_strengths(tmp_path):
    settings = {"model_fn": lambda: nn.Linear(4, 1), "optimizer": ProxSGD, "lr": 0.1, "journal": tmp_path}
    weights = np.array([1.0, 5.0, 2.0, 4.0])
    one = swept(penalty=GroupL2(weights, axis=1), **settings)
    again = swept(penalty=GroupL2(2.0 * weights, axis=1), **settings)
    np.testing.assert_array_equal(one.held_out, again.held_out)
    with pytest.raises(ArgumentError, match="was begun with penalty"):
        swept(penalty=GroupL2(weights[::-1].copy(), axis=1), **settings)
