"""The callback in real trainings by the Trainer of transformers, through accelerate's wrapper."""

import importlib
import json

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from shrinkage import L1  # noqa: E402
from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.torch import (  # noqa: E402
    CSVLogger,
    Plan,
    ProxAdam,
    Proximal,
)
from shrinkage.torch._reading import unwrapped  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
ROWS, BATCH = 96, 8


@pytest.fixture
def hf(torchvision_opens):
    pytest.importorskip("accelerate")
    return pytest.importorskip("transformers")


@pytest.fixture
def penalty_class(hf):
    module = importlib.import_module("shrinkage.torch._transformers")
    return module.TrainerPenalty if module._MISSING is None else importlib.reload(module).TrainerPenalty


class Data(torch.utils.data.Dataset):
    def __init__(self):
        generator = torch.Generator().manual_seed(3)
        self.X = torch.randn(ROWS, 12, generator=generator)
        self.y = self.X[:, :3].argmax(1)

    def __len__(self):
        return ROWS

    def __getitem__(self, k):
        return {"x": self.X[k], "labels": self.y[k]}


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.first, self.norm, self.last = nn.Linear(12, 16), nn.LayerNorm(16), nn.Linear(16, 3)
        self.seen, self.fails_at = 0, None

    def forward(self, x, labels=None):
        self.seen += 1
        output = self.last(torch.relu(self.norm(self.first(x))))
        loss = functional.cross_entropy(output, labels)
        return {"loss": loss * float("inf") if self.seen == self.fails_at else loss}


def trainer_of(hf, folder, model, callback, optimizer=None, scaler=None, epochs=3, **options):
    settings = {"learning_rate": 0.02, "lr_scheduler_type": "constant", "save_strategy": "no", "report_to": "none"}
    args = hf.TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=BATCH,
        num_train_epochs=epochs,
        disable_tqdm=True,
        use_cpu=True,
        train_sampling_strategy="sequential",
        **{**settings, **options},
    )
    trainer = hf.Trainer(
        model, args, train_dataset=Data(), callbacks=callback if isinstance(callback, list) else [callback],
        optimizers=(optimizer, None),
    )  # fmt: skip
    if scaler is not None:
        trainer.accelerator.scaler = scaler
    return trainer


def plain(optimizer_of, attach, epochs=3, every=1, skipped=None, clip=1.0):
    """The same training as a loop written by hand, with the Trainer's clipping."""
    model, data = Network(), Data()
    optimizer = optimizer_of(model)
    attach(model, optimizer)
    seen = 0
    for _ in range(epochs):
        for k, rows in enumerate(torch.arange(ROWS).split(BATCH), start=1):
            seen += 1
            (model(data.X[rows], data.y[rows])["loss"] / every).backward()
            if k % every == 0:
                if clip:
                    nn.utils.clip_grad_norm_(model.parameters(), clip)
                if seen != skipped:
                    optimizer.step()
                optimizer.zero_grad()
    return model


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def silent(penalty_class, *args, **options):
    return penalty_class(*args, **{"show": None, "logger": None, **options})


def adamw(model):
    return torch.optim.AdamW(model.parameters(), lr=0.02, weight_decay=0.0)


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("given", [False, True])
def test_a_training_is_a_plain_loop_with_a_proximal(hf, penalty_class, tmp_path, given, every):
    model, callback = Network(), silent(penalty_class, L1(0.02))
    optimizer = torch.optim.NAdam(model.parameters(), lr=0.02) if given else None
    trainer = trainer_of(
        hf, tmp_path, model, callback, optimizer, gradient_accumulation_steps=every, max_grad_norm=1.0,
        optim="adamw_torch",
    )  # fmt: skip
    trainer.train()
    twin = plain(
        (lambda m: torch.optim.NAdam(m.parameters(), lr=0.02)) if given else adamw,
        lambda m, o: Proximal(o, Plan(m, L1(0.02))),
        every=every,
    )
    assert (model.first.weight == 0).any()
    assert type(trainer.optimizer).__name__ == "AcceleratedOptimizer"
    assert callback.proximals == (Proximal.of(trainer.optimizer),)
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
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


def test_a_step_that_the_scaler_skips_takes_no_prox(hf, penalty_class, tmp_path):
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**4, growth_interval=10**6, backoff_factor=0.5)
    model, callback = Network(), silent(penalty_class, L1(0.05), target_sparsity=Counts)
    model.fails_at = 5
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    trainer_of(hf, tmp_path, model, callback, optimizer, scaler, max_grad_norm=0.0).train()
    twin = plain(
        lambda m: torch.optim.SGD(m.parameters(), lr=0.1),
        lambda m, o: Proximal(o, Plan(m, L1(0.05))), skipped=5, clip=None,
    )  # fmt: skip
    assert callback.controllers[0].count == 3 * ROWS // BATCH - 1
    assert (model.first.weight == 0).any()
    assert same(model, twin)


@pytest.mark.parametrize("kind", ["made", "RMSprop", "ours", "groups"])
def test_a_training_that_resumes_ends_bit_for_bit_like_one_that_went_through(hf, penalty_class, tmp_path, kind):
    def prepared():
        model = Network()
        optimizer = {
            "made": lambda: None,
            "RMSprop": lambda: torch.optim.RMSprop(model.parameters(), lr=0.005, momentum=0.9),
            "ours": lambda: ProxAdam(Plan(model, L1(0.001)), lr=0.02),
            "groups": lambda: ProxAdam(list(model.parameters()), penalty=L1(0.001), lr=0.02),
        }[kind]()
        penalty = L1(0.001) if kind in ("made", "RMSprop") else None
        return model, silent(penalty_class, penalty, target_sparsity=0.8), optimizer

    total = 8 * ROWS // BATCH
    model, callback, optimizer = prepared()
    trainer_of(
        hf, tmp_path, model, callback, optimizer, epochs=8, save_strategy="steps", save_steps=total // 12
    ).train()  # fmt: skip
    assert callback.controllers[0].steps == callback.controllers[0].state_dict()["taken"] == total
    for saved in (total // 4, 11 * total // 12):  # while the strength is steered, and at rest
        again, resumed, other = prepared()
        trainer_of(hf, tmp_path / "again", again, resumed, other, epochs=8).train(
            resume_from_checkpoint=str(tmp_path / f"checkpoint-{saved}")
        )
        assert same(again, model)
        assert resumed.controllers[0].state_dict() == callback.controllers[0].state_dict()


def test_reports_go_to_the_history_and_to_loggers(hf, penalty_class, tmp_path):
    model = Network()
    trainer = trainer_of(hf, tmp_path, model, penalty_class(L1(0.02), show=None), save_strategy="epoch")
    trainer.train()
    found = [entry for entry in trainer.state.log_history if "sparsity/total" in entry]
    zeros = sum(int((p == 0).sum()) for p in model.parameters()) / sum(p.numel() for p in model.parameters())
    assert [entry["step"] for entry in found] == [12, 24, 36]
    assert found[-1]["sparsity/total"] == pytest.approx(zeros)
    saved = json.loads((tmp_path / "checkpoint-36" / "trainer_state.json").read_text())
    assert [entry for entry in saved["log_history"] if "sparsity/total" in entry] == found
    mine, model = CSVLogger(tmp_path / "mine.csv"), Network()
    callback = silent(penalty_class, L1(0.02), logger=mine, every_n_epochs=2, every_n_steps=10)
    trainer_of(hf, tmp_path, model, callback, torch.optim.SGD(model.parameters(), lr=0.1)).train()
    assert list(mine.read()) == [10, 20, 24, 30]
    assert mine.read()[30]["kkt_nonzero/first.weight"] > 0


def test_the_plan_is_shown_once_with_the_decay_of_norms_that_the_user_asked_for(hf, penalty_class, tmp_path):
    shown, model = [], Network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02, weight_decay=0.1)
    trainer_of(hf, tmp_path, model, penalty_class(L1(0.02), show=shown.append), optimizer, epochs=1).train()
    assert len(shown) == 1
    assert "first.weight" in shown[0]
    assert "norm.weight" in shown[0]
    assert "usually left free" in shown[0]


def test_an_optimizer_of_ours_is_reported_and_not_followed(hf, penalty_class, tmp_path):
    model, twin = Network(), Network()
    optimizer, other = (ProxAdam(Plan(m, L1(0.02)), lr=0.02) for m in (model, twin))
    callback = silent(penalty_class)
    trainer = trainer_of(hf, tmp_path, model, callback, optimizer)
    trainer.train()
    assert unwrapped(trainer.optimizer) is optimizer
    assert callback.proximals == ()
    assert callback.last_report.optimizer == "ProxAdam"
    trainer_of(hf, tmp_path, twin, [], other).train()
    assert same(model, twin)


def test_a_real_model_gets_zeros(hf, penalty_class, tmp_path):
    config = hf.BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=16, num_labels=3,
    )  # fmt: skip
    torch.manual_seed(0)
    model = hf.BertForSequenceClassification(config)
    tokens = torch.randint(0, 50, (ROWS, 6), generator=torch.Generator().manual_seed(0))
    rows = [{"input_ids": t, "attention_mask": torch.ones_like(t), "labels": t[0] % 3} for t in tokens]
    callback = silent(penalty_class, L1(1e-3), exclude="classifier", target_sparsity=0.9)
    trainer = trainer_of(hf, tmp_path, model, callback, epochs=10, learning_rate=5e-3)
    trainer.train_dataset = rows
    trainer.train()
    free = [p for name, p in model.named_parameters() if name not in callback.plan.penalized]
    assert any("embeddings" in name for name, _ in model.named_parameters() if name not in callback.plan.penalized)
    assert abs(callback.controllers[0].zeros - 0.9) < 0.01
    assert all((p != 0).any() for p in free if p.requires_grad and p.ndim > 1)


def test_a_training_without_anything_to_penalize_is_refused(hf, penalty_class, tmp_path):
    with pytest.raises(ArgumentError, match="nothing is penalized"):
        trainer_of(hf, tmp_path, Network(), silent(penalty_class)).train()
