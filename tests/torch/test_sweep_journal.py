"""A sweep that was interrupted ends as if it had not been: to the bit, and nothing twice."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from shrinkage import L1, L2  # noqa: E402
from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.torch import DualAdam, ProxAdam, Proximal, ProxSGD, _sweep_run, _sweep_task  # noqa: E402
from shrinkage.torch._sweep import sweep  # noqa: E402
from shrinkage.training import Journal  # noqa: E402

DRIVER = Path(__file__).resolve().parent.parent / "killed_sweep.py"
EPOCHS = 4
MODES = pytest.mark.parametrize("mode", ["loop", "stacked"])


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    """Snapshots after every epoch, which nobody waits for to be on the disk."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    monkeypatch.setattr(_sweep_run, "SOONEST", 0.0)
    monkeypatch.setattr(_sweep_run, "SNAPSHOTS_TAKE", 1e9)


def problem():
    draw = torch.Generator().manual_seed(0)
    X = torch.randn(100, 6, generator=draw)
    return X, (X[:, 0] + 0.5 * torch.randn(100, generator=draw) > 0).long()


def network():
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2))


def cosine(optimizer):
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)


SETTINGS = {"strengths": [0.0, 0.01, 0.05], "penalty": L1(1.0), "lr": 0.01, "epochs": EPOCHS, "batch_size": 20,
            "seeds": 2, "scheduler": cosine}  # fmt: skip


def swept(**more):
    arguments = SETTINGS | {"model_fn": network, "data": problem()} | more
    return sweep(arguments.pop("model_fn"), arguments.pop("data"), arguments.pop("strengths"), **arguments)


class InterruptedAt:
    """Presses Ctrl-C after an epoch."""

    def __init__(self, place, epoch):
        self.where = place, epoch

    def __call__(self, progress):
        if (progress.place, progress.epoch) == self.where:
            raise KeyboardInterrupt


def assert_same(one, other):
    for name in ("held_out", "train_loss", "zeros", "score", "curves", "se", "difference_se"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert (one.best, one.one_se, one.status, one.mode) == (other.best, other.one_se, other.status, other.mode)
    assert one.weights.keys() == other.weights.keys()
    for strength, state in one.weights.items():
        assert state.keys() == other.weights[strength].keys()
        assert all(torch.equal(value, other.weights[strength][key]) for key, value in state.items())


def records(folder):
    return [json.loads(line)["record"] for line in (folder / "journal.jsonl").read_text().splitlines()]


@MODES
def test_after_ctrl_c_at_any_epoch_it_goes_on_and_ends_the_same(tmp_path, mode):
    whole = swept(mode=mode)
    for place, epoch in ((0, 1), (0, 3), (1, 2), (1, 4)):
        with pytest.raises(KeyboardInterrupt) as stopped:
            swept(mode=mode, journal=tmp_path, progress=InterruptedAt(place, epoch))
        (note,) = stopped.value.__notes__
        assert f"{place} of 2 seeds were done" in note
        assert (f"epoch {epoch - 1} of 4 of the next is kept" if epoch > 1 else "nothing of the next is kept") in note
        assert str(tmp_path) in note
    seen = []
    assert_same(swept(mode=mode, journal=tmp_path, progress=seen.append), whole)
    assert [(one.place, one.epoch) for one in seen] == [(1, 4)]  # the rest was kept
    kinds = [record["kind"] for record in records(tmp_path)]
    assert kinds.count("seed") == 2
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".jsonl", ".lock", ".pt"]  # weights; no old snapshots


def test_a_finished_sweep_is_read_and_not_trained_again(tmp_path):
    whole = swept(journal=tmp_path, mode="loop")
    seen = []
    assert_same(swept(journal=tmp_path, mode="loop", progress=seen.append), whole)
    assert seen == []


def test_without_a_journal_ctrl_c_says_what_would_have_kept_it():
    with pytest.raises(KeyboardInterrupt) as stopped:
        swept(progress=InterruptedAt(1, 1), mode="loop")
    assert "with journal='folder'" in stopped.value.__notes__[0]


@MODES
@pytest.mark.parametrize("what", ["Proximal", "groups", "loader", "step scheduler", "stop_worse"])
def test_whatever_has_a_state_is_resumed_to_the_bit(tmp_path, what, mode):
    def proximal(plan, strength):
        made = torch.optim.RMSprop(plan.param_groups(), lr=0.01, momentum=0.9)
        Proximal(made, plan)
        return made

    X, y = problem()
    changes = {
        "Proximal": {"optimizer": proximal, "lr": None},
        "groups": {"optimizer": ProxAdam, "optimizer_options": {"warmup_steps": 6, "amsgrad": True}},
        "loader": {
            "data": DataLoader(TensorDataset(X[:80], y[:80]), batch_size=20, shuffle=True),
            "validation": (X[80:], y[80:]),
        },
        "step scheduler": {"scheduler_every": "step", "optimizer": DualAdam, "optimizer_options": {"memory": 0.9}},
        "stop_worse": {"strengths": [0.0, 0.01, 3.0], "stop_worse": True, "lr": 0.1, "validation": 0.5},
    }[what]
    changes |= {"mode": mode}
    whole = swept(**changes)
    if what == "stop_worse":
        assert whole.status[2].startswith("stopped after epoch 2 of seed")
    with pytest.raises(KeyboardInterrupt):
        swept(journal=tmp_path, progress=InterruptedAt(0, 4), **changes)
    with pytest.raises(KeyboardInterrupt):
        swept(journal=tmp_path, progress=InterruptedAt(1, 3), **changes)
    assert_same(swept(journal=tmp_path, **changes), whole)


def test_a_measured_mode_is_kept_by_the_journal(tmp_path, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        swept(journal=tmp_path, progress=InterruptedAt(0, 2))
    (begun,) = [record for record in records(tmp_path) if record["kind"] == "mode"]
    monkeypatch.setattr("shrinkage.torch._sweep.choose_trainer", lambda *_: pytest.fail("measured again"))
    result = swept(journal=tmp_path)
    assert (result.mode, result.reason) == (begun["mode"], begun["reason"])


X, Y = problem()
CHANGED = [
    ({"strengths": [0.0, 0.02, 0.05]}, r"strengths = \[0\.0, 0\.01, 0\.05\]; this call has \[0\.0, 0\.02, 0\.05\]"),
    ({"seeds": 3}, "seeds"),
    ({"epochs": 5}, "epochs = 4; this call has 5"),
    ({"batch_size": 10}, "batch_size = 20; this call has 10"),
    ({"stop_worse": True}, "stop_worse"),
    ({"mode": "stacked"}, "mode"),
    ({"lr": 0.02}, r"optimizer\.groups\[0\]\.lr = 0\.01; this call has 0\.02"),
    ({"penalty": L2(1.0)}, "penalty"),
    ({"optimizer": ProxAdam}, r"optimizer\.class = 'DualAdam'; this call has 'ProxAdam'"),
    ({"optimizer_options": {"memory": 0.9}}, r"optimizer\.groups\[0\]\.memory"),
    ({"exclude": ["4"]}, r"optimizer\.groups"),
    ({"scheduler": None}, "scheduler"),
    (
        {"scheduler": lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 9)},
        r"scheduler\.settings\.T_max = 4; this call has 9",
    ),
    ({"scheduler_every": "step"}, r"scheduler\.every = 'epoch'; this call has 'step'"),
    ({"loss": nn.CrossEntropyLoss()}, "loss = 'cross entropy'"),
    ({"data": (X + 1e-6, Y)}, "training data"),
    ({"data": (X, 1 - Y)}, "training data"),
    ({"validation": 0.3}, "training data"),
    ({"split_seed": 1}, "training data"),
    ({"model_fn": lambda: nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 2))}, "model = "),
]


@pytest.mark.parametrize(("changes", "said"), CHANGED)
def test_a_call_that_would_train_something_else_is_refused(tmp_path, changes, said):
    begun = {"mode": "loop", "journal": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        swept(progress=InterruptedAt(0, 1), **begun)
    with pytest.raises(ArgumentError, match=rf"was begun with {said}"):
        swept(**begun | changes)


def test_the_strength_of_the_penalty_that_is_swept_makes_no_difference(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        swept(progress=InterruptedAt(0, 2), mode="loop", journal=tmp_path)
    assert_same(swept(mode="loop", journal=tmp_path, penalty=L1(5.0)), swept(mode="loop"))


def test_a_damaged_snapshot_costs_time_and_nothing_else(tmp_path):
    whole = swept(mode="loop")
    with pytest.raises(KeyboardInterrupt):
        swept(mode="loop", journal=tmp_path, progress=InterruptedAt(1, 3))
    (snapshot,) = tmp_path.glob("*snapshot*.pt")
    snapshot.write_bytes(snapshot.read_bytes()[:-7])
    result = swept(mode="loop", journal=tmp_path)
    assert_same(result, whole)
    assert "damaged" in result.notes[0]
    assert "seed 1 was trained from its start again" in result.notes[0]


class FullDisk:
    """No space is left for what is written after an epoch."""

    def __init__(self, patched, place, epoch):
        self.patched, self.where = patched, (place, epoch)

    def __call__(self, progress):
        if (progress.place, progress.epoch) == self.where:
            self.patched.setattr(Journal, "put", self.put)

    def put(self, *_):
        raise OSError(28, "No space left on device")


class Mistaken:
    """A callback with a mistake in it."""

    def __init__(self, _, place, epoch):
        self.where = place, epoch

    def __call__(self, progress):
        if (progress.place, progress.epoch) == self.where:
            raise ZeroDivisionError


@pytest.mark.parametrize(("kind", "error"), [(FullDisk, OSError), (Mistaken, ZeroDivisionError)])
def test_after_any_other_error_the_same_call_goes_on_too_and_the_error_says_so(tmp_path, monkeypatch, kind, error):
    with monkeypatch.context() as patched, pytest.raises(error) as stopped:
        swept(mode="loop", journal=tmp_path, progress=kind(patched, 1, 3))
    (note,) = stopped.value.__notes__
    assert "1 of 2 seeds were done and epoch 2 of 4 of the next is kept" in note
    assert str(tmp_path) in note
    seen = []
    assert_same(swept(mode="loop", journal=tmp_path, progress=seen.append), swept(mode="loop"))
    assert [(one.place, one.epoch) for one in seen] == [(1, 3), (1, 4)]


def test_an_error_that_a_resumed_sweep_would_meet_again_gets_no_such_note(tmp_path):
    with pytest.raises(ArgumentError, match="every strength diverged") as stopped:
        swept(mode="loop", journal=tmp_path, optimizer=ProxSGD, lr=3e38)
    assert not hasattr(stopped.value, "__notes__")


@MODES
def test_a_journal_that_was_begun_on_another_device_goes_on_and_says_so(tmp_path, monkeypatch, mode):
    """As on a machine without the device: nothing of it can be read to where it was."""
    append = Journal.append

    def of_cuda(journal, record):
        append(journal, record | ({"device": "cuda:0"} if "device" in record else {}))

    with monkeypatch.context() as patched:
        patched.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
        patched.setattr(Journal, "append", of_cuda)
        with pytest.raises(KeyboardInterrupt):
            swept(mode=mode, journal=tmp_path, progress=InterruptedAt(0, 3))
    (snapshot,) = tmp_path.glob("*snapshot*.pt")
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match="CUDA"):
            torch.load(snapshot, weights_only=True)
    result = swept(mode=mode, journal=tmp_path)
    assert result.notes == ("begun on cuda:0 and continued on cpu, whose roundings are others",)
    assert_same(result, swept(mode=mode))


@pytest.mark.parametrize("package", ["shrinkage", "torch"])
def test_a_journal_of_another_version_is_refused(tmp_path, monkeypatch, package):
    with monkeypatch.context() as patched:
        patched.setattr(_sweep_task, "version", lambda name: "0.0.9")
        patched.setattr(torch, "__version__", "2.0.9")
        with pytest.raises(KeyboardInterrupt):
            swept(mode="loop", journal=tmp_path, progress=InterruptedAt(0, 2))
    with monkeypatch.context() as patched:
        other = {"shrinkage": (torch, "__version__", "2.0.9"), "torch": (_sweep_task, "version", lambda name: "0.0.9")}
        patched.setattr(*other[package])
        with pytest.raises(ArgumentError, match=f"was begun with {package} = '.\\.0.9'; this call has"):
            swept(mode="loop", journal=tmp_path)


def test_snapshots_that_a_kill_left_behind_are_removed(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "remove", lambda journal, named: None)
        with pytest.raises(KeyboardInterrupt):
            swept(mode="loop", journal=tmp_path, progress=InterruptedAt(0, 4))
    assert len(list(tmp_path.glob("*snapshot*.pt"))) == 3
    with pytest.raises(KeyboardInterrupt):
        swept(mode="loop", journal=tmp_path, progress=InterruptedAt(0, 4))
    assert len(list(tmp_path.glob("*snapshot*.pt"))) == 1


def test_snapshots_are_as_rare_as_writing_is_slow(tmp_path, monkeypatch):
    monkeypatch.setattr(_sweep_run, "SOONEST", 30.0)
    monkeypatch.setattr(_sweep_run, "SNAPSHOTS_TAKE", 0.05)
    swept(mode="loop", journal=tmp_path / "quick")
    assert [record["kind"] for record in records(tmp_path / "quick")] == ["settings", "mode", "seed", "seed"]
    monkeypatch.setattr(_sweep_run, "SNAPSHOTS_TAKE", 1e9)
    with pytest.raises(KeyboardInterrupt):  # the newest one in memory is written
        swept(mode="loop", journal=tmp_path / "stopped", progress=InterruptedAt(0, 3))
    last = records(tmp_path / "stopped")[-1]
    assert (last["kind"], last["run"]["epoch"]) == ("snapshot", 2)


def killed(folder, kills, mode, seed):
    done = subprocess.run([sys.executable, str(DRIVER), str(folder), str(kills), mode, str(seed)], capture_output=True,
                          text=True, timeout=900)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and fork of POSIX")


@POSIX
def test_killed_a_few_times_it_ends_as_if_left_alone(tmp_path):
    came, said = killed(tmp_path, 4, "stacked", seed=1)
    assert came["wrong"] == [], said
    assert came["kills"] == 4
    assert came["sweeps"] >= 1
    assert came["status"][3].startswith("stopped after epoch")


@POSIX
@pytest.mark.slow
@MODES
def test_killed_fifty_times_it_ends_as_if_left_alone(tmp_path, mode):
    came, said = killed(tmp_path, 50, mode, seed=2)
    assert came["wrong"] == [], said
    assert came["kills"] == 50
