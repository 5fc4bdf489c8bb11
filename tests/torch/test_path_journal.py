"""A path that was killed or interrupted goes on from its last finished rung, and ends as if it had not been."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from shrinkage import L1  # noqa: E402
from shrinkage._errors import ArgumentError, DataError  # noqa: E402
from shrinkage.penalties import GroupL2  # noqa: E402
from shrinkage.torch import DualSGD, ProxAdam, Proximal  # noqa: E402
from shrinkage.torch._path import path  # noqa: E402

QUICK = {"penalty": L1(1.0), "strengths": [1e-3, 1e-2, 5e-2], "epochs": 2, "epochs_per_rung": 1, "lr": 1e-2}


def data(n=160):
    draw = torch.Generator().manual_seed(1)
    X = torch.randn(n, 10, generator=draw)
    return X, (X[:, :2] + 0.3 * torch.randn(n, 2, generator=draw)).argmax(1)


def network(seed=0):
    """With all that has a state: running means, dropout."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(10, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.2), nn.Linear(12, 2))


def walked(model=None, **options):
    return path(model or network(), data(), **QUICK | options)


def stopping(after):
    """Ctrl-C in the rung after so many lines, which is lost: the line comes when it is kept."""
    lines = []

    def say(line):
        lines.append(line)
        if len(lines) == after:
            raise KeyboardInterrupt

    return say


def assert_same(one, other):
    for name in ("strengths", "train_loss", "held_out", "zeros", "score", "se", "difference_se", "before_refit"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert (one.best, one.one_se, one.chosen, one.rule, one.status, one.notes) == (
        other.best, other.one_se, other.chosen, other.rule, other.status, other.notes,
    )  # fmt: skip
    for name, state in one.weights.items():
        assert all(torch.equal(value, other.weights[name][key]) for key, value in state.items()), name


def with_proximal(plan):
    optimizer = torch.optim.Adam(list(plan.parameters.values()), lr=1e-2)
    Proximal(optimizer, plan)
    return optimizer


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"refit": False},
        {"strengths": "auto", "most_rungs": 4, "growth": 4.0},
        {"target_sparsity": 0.6},
        {"penalty": GroupL2(1.0, axis=0), "optimizer": ProxAdam},
        {"optimizer": DualSGD},
        {"optimizer": with_proximal},
    ],
    ids=["given", "no refit", "auto", "target", "groups", "DualSGD", "Proximal"],
)
def test_after_ctrl_c_in_any_phase_it_goes_on_and_ends_the_same(tmp_path, options):
    model = network()
    whole = walked(model, **options)
    for after in range(1, len(whole.strengths)):
        stopped = walked(journal=tmp_path, progress=stopping(1), **options)
        assert len(stopped.strengths) == after
        assert "the same call, on the model as it was at first" in stopped.status
    resumed, lines = network(), []
    assert_same(walked(resumed, journal=tmp_path, progress=lines.append, **options), whole)
    assert len(lines) == 1  # the rest was kept
    assert all(torch.equal(value, resumed.state_dict()[name]) for name, value in model.state_dict().items())
    lines.clear()
    assert_same(walked(journal=tmp_path, progress=lines.append, **options), whole)  # nothing is left to train
    assert not lines
    assert sorted(one.name for one in tmp_path.iterdir() if "state" in one.name) == [
        f"journal-state-{len(whole.strengths) - 1}.pt"
    ]


def test_an_interrupt_in_dense_training_is_no_rung_that_is_kept(tmp_path):
    count = [0]

    def maker(plan):
        optimizer = ProxAdam(plan, lr=1e-2)
        optimizer.register_step_post_hook(lambda *_: count.__setitem__(0, count[0] + 1) or _press(count[0] == 3))
        return optimizer

    def _press(now):
        if now:
            raise KeyboardInterrupt

    assert len(walked(journal=tmp_path, optimizer=maker).strengths) == 1
    assert_same(walked(journal=tmp_path, optimizer=maker), walked(optimizer=maker))


def test_a_path_that_ended_too_early_can_be_made_longer_and_chosen_from_by_another_rule(tmp_path):
    options = {"strengths": "auto", "growth": 3.0}
    first = walked(journal=tmp_path, most_rungs=2, **options)
    longer = walked(journal=tmp_path, most_rungs=4, rule="min", **options)
    assert len(longer.strengths) == len(first.strengths) + 2
    assert_same(longer, walked(most_rungs=4, rule="min", **options))
    assert longer.seconds > first.seconds


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"seed": 1}, "data"),
        ({"strengths": [1e-3]}, "strengths"),
        ({"epochs_per_rung": 2}, "epochs_per_rung"),
        ({"penalty": GroupL2(1.0, axis=0)}, "penalty"),
        ({"lr": 2e-2}, "lr"),
        ({"refit": False}, "refit"),
        ({"model": network(3)}, "initial weights"),
    ],
)
def test_other_settings_data_or_weights_are_refused_and_free_the_journal(tmp_path, changed, named):
    walked(journal=tmp_path, progress=stopping(2))
    with pytest.raises(ArgumentError, match=named):
        walked(journal=tmp_path, **changed)
    assert walked(journal=tmp_path).status == "complete"


def test_a_damaged_rung_is_told_and_frees_the_journal(tmp_path):
    walked(journal=tmp_path, progress=stopping(2))
    file = tmp_path / "journal-rung-1.pt"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    for _ in range(2):
        with pytest.raises(DataError, match="damaged"):
            walked(journal=tmp_path)


CHILD = """
import sys, torch
sys.path[:0] = [sys.argv[1]]
torch.set_num_threads(1)
from test_path_journal import walked
walked(journal=sys.argv[2], strengths=[1e-3 * 1.3**k for k in range(12)])
"""


@pytest.mark.slow
def test_a_killed_process_loses_no_finished_rung(tmp_path):
    strengths = [1e-3 * 1.3**k for k in range(12)]
    call = [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(tmp_path)]
    lines = tmp_path / "journal.jsonl"

    def kept():
        return lines.read_bytes().count(b'"rung"') // 2 if lines.exists() else 0

    for wanted in (1, 5, 9):
        child = subprocess.Popen(call, env=os.environ, stderr=subprocess.PIPE)
        end = time.monotonic() + 120
        while kept() < wanted and child.poll() is None and time.monotonic() < end:
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL, child.stderr.read().decode()
        child.stderr.close()
    before, spoken = kept(), []
    assert before >= 9
    resumed = walked(journal=tmp_path, strengths=strengths, progress=spoken.append)
    assert len(spoken) == 13 - before
    assert_same(resumed, walked(strengths=strengths))
    found = [json.loads(line)["record"] for line in lines.read_text().splitlines()][1:]
    assert [record["strength"] for record in found] == [0.0, *strengths]  # none lost, none twice
