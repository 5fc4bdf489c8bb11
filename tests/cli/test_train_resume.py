"""An interrupted `shrinkage train` says how to go on, and ends as if it had not been interrupted."""

import math
import os
import shlex
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.numpy")


from train_calls import QUICK, answer, shrinkage  # noqa: E402

from shrinkage.cli import _train_command  # noqa: E402


def interrupt_after(monkeypatch, epochs):
    """Ctrl-C in the sweep after so many epochs of all trainings together; what was told is returned."""
    seen = []
    true_teller = _train_command.Teller

    class Interrupting(true_teller):
        def __call__(self, what):
            seen.append(what)
            if sum("epoch" in one for one in seen) == epochs:
                raise KeyboardInterrupt

    monkeypatch.setattr(_train_command, "Teller", Interrupting)
    return seen


@pytest.mark.parametrize(("epochs", "left"), [(3, 16), (11, 8), (17, 0)])
def test_an_interrupted_training_says_how_to_go_on_and_ends_as_if_it_had_not_been(
    tables, trained, tmp_path, monkeypatch, epochs, left
):
    out = tmp_path / "my out"
    with monkeypatch.context() as patch:
        interrupt_after(patch, epochs)
        result = shrinkage("train", tables / "two.csv", "--target", "y", *QUICK, "--out", out)
    assert (result.exit_code, result.stdout) == (130, "")
    assert not (out / "report.html").exists()
    words = shlex.split(result.stderr.strip().splitlines()[-1])
    assert words[-1] == "--resume"
    refused = shrinkage("train", tables / "two.csv", "--target", "y", *QUICK, "--out", out)
    assert refused.exit_code == 2
    assert "add --resume" in refused.stderr
    with monkeypatch.context() as patch:
        told = interrupt_after(patch, math.inf)
        said = answer(*words[2:])
    # Of eight epochs of each of two trainings, those of a training that was done are not done again.
    assert sum(one.startswith(("training 1 of 2", "training 2 of 2")) for one in told) <= left
    uninterrupted, folder = trained["two"]
    assert said["sweep"]["held_out"] == uninterrupted["sweep"]["held_out"]
    assert said["figures"] == uninterrupted["figures"]
    assert (out / "network.safetensors").read_bytes() == (folder / "network.safetensors").read_bytes()


def test_what_is_gone_on_with_must_be_the_same(tables, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        assert shrinkage("train", tables / "two.csv", "--target", "y", *QUICK, "--out", tmp_path).exit_code == 130
    other = shrinkage(
        "train", tables / "two.csv", "--target", "y", *QUICK, "--lr", "0.1", "--out", tmp_path, "--resume"
    )
    assert other.exit_code == 2
    assert "--lr is 0.1, and was 0.01" in other.stderr
    frame = pd.read_csv(tables / "two.csv")
    frame.loc[3, "a"] += 1
    frame.to_csv(tmp_path / "changed.csv", index=False)
    other = shrinkage("train", tmp_path / "changed.csv", "--target", "y", *QUICK, "--out", tmp_path, "--resume")
    assert other.exit_code == 3
    assert "the data are not those" in other.stderr
    nothing = shrinkage("train", tables / "two.csv", "--target", "y", *QUICK, "--out", tmp_path / "new", "--resume")
    assert nothing.exit_code == 2
    assert "no training to go on with" in nothing.stderr


def test_a_finished_training_may_be_begun_anew_in_its_folder(tables, tmp_path):
    options = [tables / "number.csv", "--target", "y", *QUICK, "--no-linear", "--out", tmp_path]
    first = answer(*options)
    second = answer(*options, "--lr", "0.02")
    assert second["sweep"]["held_out"] != first["sweep"]["held_out"]
    assert answer(*options, "--lr", "0.02", "--resume")["sweep"]["held_out"] == second["sweep"]["held_out"]


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_a_killed_process_loses_nothing(tables, tmp_path, sent):
    options = ["train", str(tables / "three.csv"), "--target", "y", "--hidden", "32", "--epochs", "60", "--seeds", "4"]
    command = [sys.executable, "-c", "from shrinkage.cli import main; main()", *options]
    process = subprocess.Popen([*command, "--out", str(tmp_path / "a")], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (tmp_path / "a/training/network/seed-1").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(sent)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == (130 if sent == signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in err
    resumed = answer(*options[1:], "--out", tmp_path / "a", "--resume")
    whole = answer(*options[1:], "--out", tmp_path / "b")
    assert resumed["sweep"]["held_out"] == whole["sweep"]["held_out"]
    assert resumed["figures"] == whole["figures"]
    assert os.listdir(tmp_path / "a") == os.listdir(tmp_path / "b")
