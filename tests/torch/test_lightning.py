"""The callback in real trainings by Lightning, under both names of its package."""

import csv
import importlib
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from shrinkage import L1, MCP  # noqa: E402
from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.torch import (  # noqa: E402
    CSVLogger,
    Plan,
    ProxAdam,
    Proximal,
    report,
)
from shrinkage.torch._reading import unwrapped  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
ROWS, BATCH = 96, 8


@pytest.fixture(params=["lightning.pytorch", "pytorch_lightning"])
def pl(request, torchvision_opens):
    return pytest.importorskip(request.param)


@pytest.fixture
def penalty_class(pl):
    module = importlib.import_module("shrinkage.torch._lightning")
    return module.LightningPenalty if module._MISSING is None else importlib.reload(module).LightningPenalty


def data():
    generator = torch.Generator().manual_seed(3)
    X = torch.randn(ROWS, 12, generator=generator)
    return X, X[:, :3].argmax(1)


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 3))


def make(kind, network):
    return getattr(torch.optim, kind)(network.parameters(), lr=0.02)


def module_of(pl, optimizer_of, manual=False, fails_at=None):
    class Module(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = network()
            self.automatic_optimization = not manual
            self.seen = 0

        def training_step(self, batch, batch_idx):
            X, y = batch
            self.seen += 1
            loss = functional.cross_entropy(self.net(X), y)
            if self.seen == fails_at:
                loss = loss * float("inf")
            if not manual:
                return loss
            optimizer = self.optimizers()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
            return None

        def configure_optimizers(self):
            return optimizer_of(self.net)

    return Module()


def fit(pl, folder, module, callback, epochs=3, ckpt_path=None, **options):
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        default_root_dir=folder,
        callbacks=callback if isinstance(callback, list) else [callback],
        enable_progress_bar=False,
        enable_model_summary=False,
        **{"logger": False, "enable_checkpointing": False, **options},
    )
    trainer.fit(module, DataLoader(TensorDataset(*data()), BATCH), ckpt_path=ckpt_path)
    return trainer


def plain(optimizer_of, attach, epochs=3, every=1, skipped=None):
    """The same training as a loop written by hand."""
    net = network()
    optimizer = optimizer_of(net)
    attach(net, optimizer)
    X, y = data()
    seen = 0
    for _ in range(epochs):
        optimizer.zero_grad()
        for k, rows in enumerate(torch.arange(ROWS).split(BATCH), start=1):
            seen += 1
            (functional.cross_entropy(net(X[rows]), y[rows]) / every).backward()
            if k % every == 0:
                if seen != skipped:
                    optimizer.step()
                optimizer.zero_grad()
    return net


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def silent(penalty_class, *args, **options):
    return penalty_class(*args, **{"show": None, "logger": None, **options})


@pytest.mark.parametrize("kind", ["AdamW", "SGD", "RMSprop"])
@pytest.mark.parametrize("how", ["automatic", "accumulated", "manual"])
def test_a_fit_is_a_plain_loop_with_a_proximal(pl, penalty_class, tmp_path, how, kind):
    module = module_of(pl, lambda net: make(kind, net), manual=how == "manual")
    every = 3 if how == "accumulated" else 1
    callback = silent(penalty_class, L1(0.02))
    fit(pl, tmp_path, module, callback, accumulate_grad_batches=every)
    twin = plain(lambda net: make(kind, net), lambda net, o: Proximal(o, Plan(net, L1(0.02))), every=every)
    assert (module.net[0].weight == 0).any()
    assert same(module.net, twin)


def test_the_first_step_of_a_penalty_that_is_not_convex_is_guarded_too(pl, penalty_class, tmp_path):
    module = module_of(pl, lambda net: torch.optim.SGD(net.parameters(), lr=0.9))
    fit(pl, tmp_path, module, silent(penalty_class, MCP(0.05, gamma=1.5)), epochs=1, limit_train_batches=1)
    net = network()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.9)
    Proximal(optimizer, Plan(net, MCP(0.05, gamma=1.5)))
    X, y = data()
    functional.cross_entropy(net(X[:BATCH]), y[:BATCH]).backward()
    optimizer.step()
    assert same(module.net, net)


def test_a_step_that_the_scaler_skips_takes_no_prox(pl, penalty_class, tmp_path):
    precision = importlib.import_module(f"{pl.__name__}.plugins.precision")
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**4, growth_interval=10**6, backoff_factor=1.0 - 1e-9)
    plugin = precision.MixedPrecision("16-mixed", device="cpu", scaler=scaler)
    plugin.autocast_context_manager = lambda: torch.autocast("cpu", enabled=False)

    def optimizer_of(net):
        return torch.optim.SGD(net.parameters(), lr=0.1)

    module = module_of(pl, optimizer_of, fails_at=5)
    callback = silent(penalty_class, L1(0.05), target_sparsity=Counts)
    fit(pl, tmp_path, module, callback, plugins=[plugin])
    twin = plain(optimizer_of, lambda net, o: Proximal(o, Plan(net, L1(0.05))), skipped=5)
    assert callback.controllers[0].count == 3 * ROWS // BATCH - 1
    for ours, theirs in zip(module.net.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)  # the scale is no power of 2 after the skip
        assert torch.equal(ours == 0, theirs == 0)


class Counts:
    def __init__(self, optimizer):
        self.count = 0

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


@pytest.mark.parametrize("kind", ["Adam", "RMSprop", "ours"])
def test_a_fit_that_resumes_ends_bit_for_bit_like_one_that_went_through(pl, penalty_class, tmp_path, kind):
    def optimizer_of(net):
        if kind == "ours":
            return ProxAdam(Plan(net, L1(0.001)), lr=0.02)
        options = {"momentum": 0.9} if kind == "RMSprop" else {}
        return getattr(torch.optim, kind)(net.parameters(), lr=0.005, **options)

    def callback():
        return silent(penalty_class, None if kind == "ours" else L1(0.001), target_sparsity=0.8)

    class Saves(pl.Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            if trainer.current_epoch in (2, 6):  # while the strength is steered, and while zeros are held
                trainer.save_checkpoint(tmp_path / f"{trainer.current_epoch}.ckpt")

    whole, through = module_of(pl, optimizer_of), callback()
    fit(pl, tmp_path, whole, [through, Saves()], epochs=8)
    assert through.controllers[0].steps == through.controllers[0].state_dict()["taken"] == 8 * ROWS // BATCH
    for epoch in (2, 6):
        again, resumed = module_of(pl, optimizer_of), callback()
        fit(pl, tmp_path, again, resumed, epochs=8, ckpt_path=tmp_path / f"{epoch}.ckpt")
        assert same(again, whole)
        assert resumed.controllers[0].state_dict() == through.controllers[0].state_dict()


def test_reports_go_to_the_loggers_of_the_trainer_and_to_ours(pl, penalty_class, tmp_path):
    loggers = importlib.import_module(f"{pl.__name__}.loggers")
    theirs, mine, shown = loggers.CSVLogger(tmp_path), CSVLogger(tmp_path / "mine.csv"), []
    module = module_of(pl, lambda net: make("Adam", net))
    fit(pl, tmp_path, module, penalty_class(L1(0.02), show=shown.append), logger=theirs)
    zeros = (module.net[0].weight == 0).sum() + (module.net[2].weight == 0).sum()
    size = sum(p.numel() for p in module.parameters())
    rows = list(csv.DictReader(Path(theirs.log_dir, "metrics.csv").read_text().splitlines()))
    assert [int(row["step"]) for row in rows] == [12, 24, 36]
    assert float(rows[-1]["sparsity/total"]) == pytest.approx(int(zeros) / size)
    assert len(shown) == 1
    assert "net.0.weight" in shown[0]
    module = module_of(pl, lambda net: make("Adam", net))
    callback = silent(penalty_class, L1(0.02), logger=mine, every_n_epochs=2, every_n_steps=10)
    trainer = fit(pl, tmp_path, module, callback)
    assert list(mine.read()) == [10, 20, 24, 30]
    assert float(trainer.callback_metrics["sparsity/total"]) == pytest.approx(mine.read()[30]["sparsity/total"])
    assert callback.last_report.step == 30
    assert mine.read()[30]["kkt_nonzero/net.0.weight"] > 0


def test_a_step_of_several_batches_is_reported_once(pl, penalty_class, tmp_path):
    seen = []
    callback = silent(
        penalty_class, L1(0.02), logger=lambda step, _: seen.append(step), every_n_epochs=None, every_n_steps=2
    )
    fit(pl, tmp_path, module_of(pl, lambda net: make("Adam", net)), callback, accumulate_grad_batches=3)
    assert seen == [2, 4, 6, 8, 10, 12]


def test_a_module_with_two_optimizers_gets_two_proxes(pl, penalty_class, tmp_path):
    class Two(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = network()
            self.automatic_optimization = False

        def training_step(self, batch, batch_idx):
            X, y = batch
            for optimizer in self.optimizers():
                optimizer.zero_grad()
            self.manual_backward(functional.cross_entropy(self.net(X), y))
            for optimizer in self.optimizers():
                optimizer.step()

        def configure_optimizers(self):
            return [torch.optim.Adam(self.net[0].parameters(), 0.02), torch.optim.SGD(self.net[2].parameters(), 0.1)]

    module, callback = Two(), silent(penalty_class, L1(0.02))
    fit(pl, tmp_path, module, callback)
    assert len(callback.proximals) == 2
    assert (module.net[0].weight == 0).any()
    assert (module.net[2].weight == 0).any()


def test_the_wrapper_of_lightning_is_opened(pl, penalty_class, tmp_path):
    inside = []

    class Looks(pl.Callback):
        def on_train_end(self, trainer, pl_module):
            wrapped = pl_module.optimizers()
            inside.append((unwrapped(wrapped), report(pl_module, wrapped).optimizer))

    module = module_of(pl, lambda net: make("Adam", net))
    trainer = fit(pl, tmp_path, module, [silent(penalty_class, L1(0.02)), Looks()], epochs=1)
    assert inside == [(trainer.optimizers[0], "Adam")]


def test_a_second_fit_attaches_to_the_new_optimizer(pl, penalty_class, tmp_path):
    module, callback = module_of(pl, lambda net: make("Adam", net)), silent(penalty_class, L1(0.02))
    fit(pl, tmp_path, module, callback, epochs=1)
    first = callback.proximals
    fit(pl, tmp_path, module, callback, epochs=1)
    assert len(callback.proximals) == 1
    assert callback.proximals != first


def test_a_module_without_anything_to_penalize_is_refused(pl, penalty_class, tmp_path):
    with pytest.raises(ArgumentError, match="nothing is penalized"):
        fit(pl, tmp_path, module_of(pl, lambda net: make("Adam", net)), silent(penalty_class))
