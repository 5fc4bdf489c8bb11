"""`shrinkage train`: the strength the sweep says, figures that are honest, a network that comes back, and going on."""

import csv
import io
import json
import math
import os
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.numpy")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from shrinkage._errors import DataError  # noqa: E402
from shrinkage.cli import _train_command, _train_network  # noqa: E402
from shrinkage.cli._app import app  # noqa: E402
from shrinkage.cli._network_file import Network, Training, load_network, load_saved  # noqa: E402
from shrinkage.cli._train import place_of  # noqa: E402
from shrinkage.cli._train_choice import parts_of, together  # noqa: E402
from shrinkage.cli._train_data import hold_out, prepare_rows  # noqa: E402
from shrinkage.cli._train_figures import constant_rival, figures_of, linear_rival  # noqa: E402
from shrinkage.cli._train_network import Way, layers_of, network, without_zeros  # noqa: E402
from shrinkage.cli._train_request import TrainRequest, hidden_of, strengths_of  # noqa: E402
from shrinkage.tables import CategoryRule, NumberRule, Recipe, Target, table_of  # noqa: E402
from shrinkage.training import Sweep  # noqa: E402

QUICK = ["--hidden", "6", "--epochs", "8", "--strengths", "0,0.003,0.5", "--seeds", "2"]


def shrinkage(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="shrinkage")


def answer(*arguments):
    result = shrinkage("train", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def column(text, place=0):
    return [row[place] for row in csv.reader(io.StringIO(text))][1:]


def numbers(n_rows=120, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 4))
    return X, X[:, 0] - np.abs(X[:, 1]) + 0.1 * rng.normal(size=n_rows)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A number, two classes and three classes to predict from numbers with holes and a category."""
    folder = tmp_path_factory.mktemp("data")
    X, y = numbers()
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"]).assign(color=np.where(X[:, 2] > 0, "red", "blue"))
    frame.loc[5:12, "d"] = np.nan
    frame.assign(y=y).to_csv(folder / "number.csv", index=False)
    frame.assign(y=np.where(y > -0.8, "yes", "no")).to_csv(folder / "two.csv", index=False)
    kinds = np.where(y > 0, "high", np.where(y > -1.2, "middle", "low"))
    frame.assign(y=kinds).to_csv(folder / "three.csv", index=False)
    codes = np.where(kinds == "high", 2, np.where(kinds == "low", 0, 1))
    frame.assign(y=codes).to_csv(folder / "codes.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """Each kind of target, trained and saved: the answer and the folder."""
    found = {}
    for name in ("number", "two", "three"):
        out = tmp_path_factory.mktemp(name)
        said = answer(data / f"{name}.csv", "--target", "y", *QUICK, "--out", out)
        found[name] = (said, out)
    return found


@pytest.mark.parametrize("name", ["number", "two", "three"])
def test_the_saved_network_has_the_loss_that_was_told_on_the_rows_put_aside(data, trained, name):
    said, out = trained[name]
    request = TrainRequest(str(data / f"{name}.csv"), "y")
    rows = prepare_rows(request)
    frame = pd.read_csv(request.data)
    frame.iloc[rows.tested_on].to_csv(out / "new.csv", index=False)
    result = shrinkage("predict", out, out / "new.csv", *([] if name == "number" else ["--proba"]), "--quiet")
    assert result.exit_code == 0, result.output
    truth = frame.y.iloc[rows.tested_on].tolist()
    if name == "number":
        losses = (np.array(column(result.stdout), dtype=float) - np.array(truth)) ** 2
    else:
        head = result.stdout.splitlines()[0].split(",")
        modeled = [word.removeprefix("probability of ") for word in head[1:]]
        shares = np.array([row[1:] for row in csv.reader(io.StringIO(result.stdout))][1:], dtype=float)
        if name == "two":
            modeled, shares = ["no", "yes"], np.column_stack([1 - shares, shares])
        assert shares.sum(axis=1) == pytest.approx(1.0)
        assert column(result.stdout) == [modeled[k] for k in shares.argmax(axis=1)]
        losses = -np.log([shares[i, modeled.index(kind)] for i, kind in enumerate(truth)])
    figure = said["figures"][0]
    assert figure["loss"] == pytest.approx(losses.mean(), rel=1e-9)
    assert figure["loss_se"] == pytest.approx(losses.std(ddof=1) / math.sqrt(len(losses)), rel=1e-9)
    assert said["rows_tested"] == len(truth) == 24


@pytest.mark.parametrize("name", ["number", "two", "three"])
def test_predictions_without_torch_are_those_of_the_trained_network(data, name):
    rows = prepare_rows(TrainRequest(str(data / f"{name}.csv"), "y"))
    way = Way(TrainRequest(str(data / f"{name}.csv"), "y", hidden=(7, 5)), rows, (7, 5))
    torch.manual_seed(1)
    model = way.model()
    with torch.no_grad():
        expected = model(torch.as_tensor(rows.inputs(np.arange(len(rows.y))))).numpy()
        if rows.is_class:
            expected = torch.softmax(torch.as_tensor(expected), 1).numpy()
            expected = expected[:, 1] if name == "two" else expected
        else:
            expected = expected[:, 0] * rows.y[rows.chosen_on].std() + rows.y[rows.chosen_on].mean()
    saved = Network(
        rows.target, rows.recipe, rows.center, rows.scale, rows.response, layers_of(model), TRAINING
    )  # fmt: skip
    np.testing.assert_allclose(saved.mean(rows.X), expected, rtol=1e-5, atol=1e-6)


def test_the_strength_is_the_one_that_the_rule_takes(trained, data):
    said = trained["number"][0]
    assert said["strength"] == said["sweep"]["one_se_strength"]
    low = answer(data / "number.csv", "--target", "y", *QUICK, "--rule", "min", "--no-linear")
    held = np.mean(low["sweep"]["held_out"], axis=1)
    assert low["strength"] == low["sweep"]["strengths"][int(np.argmin(held))] == low["sweep"]["best_strength"]
    assert low["sweep"]["held_out"] == said["sweep"]["held_out"]
    assert [one["name"] for one in low["figures"]] == ["network", "constant"]


def test_a_network_that_is_worth_it_beats_the_line_and_the_line_beats_the_constant(data):
    said = answer(data / "number.csv", "--target", "y", "--epochs", "40", "--strengths", "0,0.003", "--seeds", "1")
    network, linear, constant = said["figures"]
    assert network["loss"] < linear["loss"] < constant["loss"]
    assert linear["worse"] == pytest.approx(linear["loss"] - network["loss"])
    assert "clearly better than" in said["found"]["Linear model"]


def test_figures_are_formulas_of_the_rows_put_aside(data):
    rows = prepare_rows(TrainRequest(str(data / "number.csv"), "y"))
    y, mean = rows.y[rows.tested_on], rows.y[rows.chosen_on].mean()
    constant, again = figures_of([constant_rival(rows), constant_rival(rows)], rows)
    assert constant.loss == pytest.approx(((y - mean) ** 2).mean())
    assert (constant.score, again.worse, again.worse_se) == (0.0, 0.0, 0.0)
    two = prepare_rows(TrainRequest(str(data / "two.csv"), "y"))
    share = (two.y[two.chosen_on] == 1).mean()
    (figure,) = figures_of([constant_rival(two)], two)
    right = two.y[two.tested_on]
    assert figure.loss == pytest.approx(-np.where(right == 1, np.log(share), np.log(1 - share)).mean())
    assert figure.score == pytest.approx((right == (share > 0.5)).mean())


def test_the_linear_model_is_that_of_fit_on_the_same_rows(data, tmp_path):
    request = TrainRequest(str(data / "two.csv"), "y")
    rows = prepare_rows(request)
    rival = linear_rival(request, rows, lambda what: None)
    frame = pd.read_csv(request.data)
    frame.iloc[rows.chosen_on].to_csv(tmp_path / "chosen.csv", index=False)
    frame.iloc[rows.tested_on].to_csv(tmp_path / "tested.csv", index=False)
    fit = ["fit", tmp_path / "chosen.csv", "--target", "y", "--penalty", "l1,l2", "--rule", "min"]
    assert shrinkage(*fit, "--out", tmp_path / "out").exit_code == 0
    said = shrinkage("predict", tmp_path / "out", tmp_path / "tested.csv", "--proba", "--quiet").stdout
    np.testing.assert_allclose(rival.mean[:, 1], np.array(column(said, 1), dtype=float), rtol=1e-6)


def test_nothing_of_the_rows_put_aside_is_seen_before_the_end(data, tmp_path):
    rows = prepare_rows(TrainRequest(str(data / "number.csv"), "y"))
    frame = pd.read_csv(data / "number.csv")
    changed = frame.copy()
    changed.loc[rows.tested_on, ["a", "b", "c", "d"]] += 100.0
    changed.loc[rows.tested_on, "y"] *= -3.0
    for name, one in (("first", frame), ("second", changed)):
        one.to_csv(tmp_path / f"{name}.csv", index=False)
    first, second = (
        answer(tmp_path / f"{name}.csv", "--target", "y", *QUICK, "--out", tmp_path / name)
        for name in ("first", "second")
    )
    assert first["sweep"]["held_out"] == second["sweep"]["held_out"]
    assert (tmp_path / "first/network.safetensors").read_bytes() == (
        tmp_path / "second/network.safetensors"
    ).read_bytes()
    assert first["figures"][0]["loss"] != second["figures"][0]["loss"]


@pytest.mark.parametrize("by_class", [False, True])
@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.8])
def test_rows_put_aside_are_a_share_of_every_class(share, by_class):
    y = np.repeat([0.0, 1.0, 2.0], [50, 30, 11])
    taken = hold_out(y, share, seed=3, by_class=by_class)
    assert len(taken) == len(np.unique(taken)) == int(91 * share)
    assert (np.diff(taken) > 0).all()
    if by_class:
        for code, size in ((0, 50), (1, 30), (2, 11)):
            assert abs((y[taken] == code).sum() - share * size) < 1.0 + 1e-9
    assert not np.array_equal(taken, hold_out(y, share, seed=4, by_class=by_class))


@pytest.mark.parametrize("share", [0.2, 0.3, 0.6])
def test_seeds_hold_out_different_rows_of_which_none_twice_while_there_are_others(share):
    y = np.repeat([0.0, 1.0], [70, 33])
    masks = parts_of(y, share, range(5), by_class=True)
    hands = 103 // int(103 * share)
    assert [mask.sum() for mask in masks] == [int(103 * share)] * 5
    assert np.sum(masks[:hands], axis=0).max() == 1
    for mask in masks:
        assert abs(mask[:70].sum() - share * 70) <= 2


def record(held_out, seed=0):
    held_out = np.asarray(held_out, dtype=float)[:, None]
    return Sweep(
        strengths=np.array([0.0, 0.1, 0.2, 0.3]), seeds=(seed,), train_loss=held_out, held_out=held_out, zeros=held_out,
        status=("complete",) * 4, epochs_run=np.full((4, 1), 3), best=0, one_se=0, rule="", epochs=3, seconds=2.0,
    )  # fmt: skip


def test_trainings_are_put_together_and_a_strength_that_collapses_once_is_not_taken():
    both = together([record([1.0, 0.80, 0.82, 0.7], 0), record([1.1, 0.90, 0.94, 9.0], 1)])
    assert (both.seeds, both.seconds) == ((0, 1), 4.0)
    assert both.held_out.tolist() == [[1.0, 1.1], [0.80, 0.90], [0.82, 0.94], [0.7, 9.0]]
    # Differences to 0.1: at 0.2 they are 0.02 and 0.04, error 0.01; at 0.3 they are -0.1 and 8.1, mean 4.0, error 4.1.
    assert both.difference_se == pytest.approx([0.0, 0.0, 0.01, 4.1])
    assert (both.best_strength, both.one_se_strength) == (0.1, 0.1)
    assert both.allowed == pytest.approx([0.0, 0.0, 0.01, 0.05])  # the best's own error: 0.80 and 0.90
    near = together([record([1.0, 0.80, 0.82, 2.0], 0), record([1.1, 0.90, 0.90, 2.0], 1)])
    assert near.one_se_strength == 0.2  # 0.02 and 0: mean 0.01 = error 0.01
    assert together([both]) is both


def test_a_strength_too_strong_leaves_the_constant_and_the_page_says_what_to_do(data, tmp_path):
    said = answer(data / "number.csv", "--target", "y", "--strengths", "30", "--hidden", "6", "--epochs", "30",
                  "--seeds", "1", "--out", tmp_path)  # fmt: skip
    rows = [row for row in said["report"]["rows"] if row["penalty"]]
    assert all(row["zeros"] == row["size"] for row in rows)
    assert said["figures"][0]["loss"] == pytest.approx(said["figures"][-1]["loss"], rel=0.1)
    assert "not clearly better than the constant" in said["next"][0]["what"]


def test_neurons_without_a_say_are_taken_out_and_answers_stay():
    torch.manual_seed(0)
    model = network((5, 8, 6, 3))
    with torch.no_grad():
        model[0].weight[2:5] = 0.0
        model[2].weight[:, 6] = 0.0
        model[4].weight[:, :2] = 0.0
    X = torch.randn(40, 5)
    layers, smaller = without_zeros(model, X)
    assert [len(bias) for _, bias in layers] == [4, 4, 3]
    target = Target("y", "multinomial", ("a", "b", "c"), "")
    small = Network(target, RECIPE, np.zeros(5), np.ones(5), (0.0, 1.0), layers, TRAINING)
    np.testing.assert_allclose(small.outputs(X.numpy()), model(X).detach().numpy(), atol=1e-5)
    assert smaller.parameters == sum(part.size for layer in layers for part in layer) < smaller.parameters_before


@pytest.mark.parametrize("penalty", ["l1", "l2", "elastic", "group"])
def test_every_penalty_is_the_one_that_was_asked_for(data, penalty):
    said = answer(data / "two.csv", "--target", "y", *QUICK, "--penalty", penalty, "--l1-ratio", "0.25", "--no-linear",
                  "--strengths", "0.05")  # fmt: skip
    plan = {row["name"]: row["penalty"] for row in said["plan"]["rows"]}
    kinds = {"l1": "L1", "l2": "L2", "elastic": "L1L2", "group": "GroupL2"}
    assert plan["0.weight"]["kind" if "kind" in plan["0.weight"] else "type"] == kinds[penalty]
    assert plan["0.bias"] is None
    assert (plan["2.weight"] is None) == (penalty == "group")
    first = next(row for row in said["report"]["rows"] if row["name"] == "0.weight")
    if penalty == "group":
        assert first["zeros"] == first["zero_rows"] * first["columns"]
    if penalty == "elastic":
        assert plan["0.weight"]["l1_ratio"] == 0.25
    assert (first["zeros"] == 0) == (penalty == "l2")


def test_numbers_may_be_classes_if_asked_and_that_is_said(data):
    options = ["--target", "y", *QUICK, "--no-linear"]
    said = answer(data / "codes.csv", *options)
    assert said["target"]["loss"] == "squared"
    assert any("--loss multinomial" in note for note in said["notes"])
    said = answer(data / "codes.csv", *options, "--loss", "multinomial")
    assert said["target"]["classes"] == ["0", "1", "2"]
    assert said["score"] == "accuracy"


def test_without_hidden_layers_many_classes_have_a_linear_model_of_their_own(data, trained):
    said = trained["three"][0]
    assert [one["name"] for one in said["figures"]] == ["network", "multinomial with L1 (linear)", "constant"]
    assert said["linear_sweep"]["strengths"] == said["sweep"]["strengths"]
    alone = answer(data / "three.csv", "--target", "y", *QUICK, "--hidden", "none", "--rule", "1se")
    assert len(alone["report"]["rows"]) == 2
    assert [one["name"] for one in alone["figures"]] == ["network", "constant"]


def test_the_call_that_is_told_gives_the_same_again(trained, tmp_path):
    said, out = trained["two"]
    words = shlex.split(said["call"])
    assert words[:2] == ["shrinkage", "train"]
    words[words.index("--out") + 1] = str(tmp_path)
    again = answer(*words[2:])
    for name in ("figures", "strength"):
        assert again[name] == said[name]
    assert (tmp_path / "network.safetensors").read_bytes() == (out / "network.safetensors").read_bytes()


def test_every_advice_is_a_command_that_exists(trained):
    for said, _ in trained.values():
        assert said["next"]
        for one in said["next"]:
            words = shlex.split(one["command"])
            if words[1] != "predict":
                command = app.commands[words[1]]
                command.make_context(words[1], words[2:])


def test_the_text_says_strength_certainty_effect_and_a_line(data):
    result = shrinkage("train", data / "two.csv", "--target", "y", *QUICK)
    assert (result.exit_code, result.stderr) == (0, "")
    words = ["1-SE", "taken", "zeros", "constant", "(linear)", "Strength:", "How sure:", "Worth it:", "What it did:"]
    assert [word for word in [*words, "Linear model:", "Next:", "--out DIR"] if word not in result.stdout] == []
    quiet = shrinkage("train", data / "two.csv", "--target", "y", *QUICK, "--quiet")
    assert "tandardized by" not in quiet.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--target", "z"], 3, "no target 'z'"),
        (["--target", "y", "--drop", "q"], 3, "no column to drop 'q'"),
        (["--target", "y", "--penalty", "l3"], 2, "--penalty"),
        (["--target", "y", "--hidden", "64,x"], 2, "--hidden must be widths"),
        (["--target", "y", "--strengths", "-1,2"], 2, "--strengths must be auto"),
        (["--target", "y", "--strengths", "1:2"], 2, "--strengths must be auto"),
        (["--target", "y", "--epochs", "0"], 2, "--epochs"),
        (["--target", "y", "--test", "0.001"], 3, "--test 0.001 of 120 rows is 0"),
        (["--target", "y", "--validation", "0.001"], 3, "--validation 0.001 of 96 rows is 0"),
        (["--target", "y", "--loss", "logistic"], 3, "logistic loss takes 2"),
        (["--target", "a", "--loss", "multinomial"], 3, "too many to be classes"),
        (["--target", "y", "--resume"], 2, "--resume goes on with the training in --out"),
        (["--target", "y", "--out", "taken"], 2, "'taken' cannot be made"),
        ([], 2, "--target"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_a_code(data, tmp_path, monkeypatch, arguments, code, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("")
    result = shrinkage("train", data / "number.csv", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_few_rows_are_sent_to_fit(tmp_path):
    X, y = numbers(12)
    pd.DataFrame(X).assign(y=y).to_csv(tmp_path / "d.csv", index=False)
    result = shrinkage("train", tmp_path / "d.csv", "--target", "y")
    assert result.exit_code == 3
    assert "12 rows" in result.stderr
    assert "shrinkage fit" in result.stderr


def test_without_torch_the_extra_is_named(data, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    result = shrinkage("train", data / "number.csv", "--target", "y")
    assert result.exit_code == 1
    assert "pip install 'shrinkage[train]'" in result.stderr


def test_the_rule_decides_between_the_best_and_the_largest_within_an_error():
    both = together([record([1.0, 0.80, 0.82, 2.0], 0), record([1.1, 0.90, 0.90, 2.0], 1)])
    assert [both.strengths[place_of(both, rule)] for rule in ("min", "1se-paired")] == [0.1, 0.2]
    own = together([record([1.0, 0.80, 0.84, 0.9], 0), record([1.1, 0.90, 0.96, 1.0], 1)], "1se")
    assert own.strengths[place_of(own, "1se")] == 0.2  # 0.05 above, the best's own error 0.05; paired 0.01


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
    data, trained, tmp_path, monkeypatch, epochs, left
):
    out = tmp_path / "my out"
    with monkeypatch.context() as patch:
        interrupt_after(patch, epochs)
        result = shrinkage("train", data / "two.csv", "--target", "y", *QUICK, "--out", out)
    assert (result.exit_code, result.stdout) == (130, "")
    assert not (out / "report.html").exists()
    words = shlex.split(result.stderr.strip().splitlines()[-1])
    assert words[-1] == "--resume"
    refused = shrinkage("train", data / "two.csv", "--target", "y", *QUICK, "--out", out)
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


def test_what_is_gone_on_with_must_be_the_same(data, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        assert shrinkage("train", data / "two.csv", "--target", "y", *QUICK, "--out", tmp_path).exit_code == 130
    other = shrinkage("train", data / "two.csv", "--target", "y", *QUICK, "--lr", "0.1", "--out", tmp_path, "--resume")
    assert other.exit_code == 2
    assert "--lr is 0.1, and was 0.01" in other.stderr
    frame = pd.read_csv(data / "two.csv")
    frame.loc[3, "a"] += 1
    frame.to_csv(tmp_path / "changed.csv", index=False)
    other = shrinkage("train", tmp_path / "changed.csv", "--target", "y", *QUICK, "--out", tmp_path, "--resume")
    assert other.exit_code == 3
    assert "the data are not those" in other.stderr
    nothing = shrinkage("train", data / "two.csv", "--target", "y", *QUICK, "--out", tmp_path / "new", "--resume")
    assert nothing.exit_code == 2
    assert "no training to go on with" in nothing.stderr


def test_a_finished_training_may_be_begun_anew_in_its_folder(data, tmp_path):
    options = [data / "number.csv", "--target", "y", *QUICK, "--no-linear", "--out", tmp_path]
    first = answer(*options)
    second = answer(*options, "--lr", "0.02")
    assert second["sweep"]["held_out"] != first["sweep"]["held_out"]
    assert answer(*options, "--lr", "0.02", "--resume")["sweep"]["held_out"] == second["sweep"]["held_out"]


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_a_killed_process_loses_nothing(data, tmp_path, sent):
    options = ["train", str(data / "three.csv"), "--target", "y", "--hidden", "32", "--epochs", "60", "--seeds", "4"]
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


TRAINING = Training("l1", 1.0, 0.1, "1se", (3,), 5, 32, 0.01, 0, 80, 20, "accuracy", "0.1.0", "shrinkage train")
RECIPE = Recipe((NumberRule("dose", "number", 0.3, True), CategoryRule("color", ("é", "<b>"), False)), (("day", "x"),))
NETWORK = Network(
    Target("y", "multinomial", ("a", "b", "é"), "three"),
    RECIPE,
    np.array([0.1, 1 / 3, 0.0, 2.0]),
    np.array([1.0, 1e-3, 5.0, 2.0]),
    (0.0, 1.0),
    tuple(
        (np.random.default_rng(k).normal(size=shape).astype(np.float32), np.full(shape[0], 0.5, np.float32))
        for k, shape in enumerate([(3, 4), (3, 3)])
    ),
    TRAINING,
)


def test_a_network_comes_back_bit_by_bit(tmp_path):
    NETWORK.write(tmp_path)
    for place in (tmp_path, tmp_path / "network.json", tmp_path / "network.safetensors"):
        back = load_saved(place)
        assert (back.target, back.recipe, back.response, back.training) == (
            NETWORK.target, NETWORK.recipe, NETWORK.response, NETWORK.training,
        )  # fmt: skip
        for name in ("center", "scale"):
            np.testing.assert_array_equal(getattr(back, name), getattr(NETWORK, name))
        for mine, theirs in zip(back.layers, NETWORK.layers, strict=True):
            for one, other in zip(mine, theirs, strict=True):
                np.testing.assert_array_equal(one, other)
    assert NETWORK.to_files() == NETWORK.to_files()
    weights = safetensors.load((tmp_path / "network.safetensors").read_bytes())
    assert sorted(weights) == ["0.bias", "0.weight", "1.bias", "1.weight"]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_damaged_file_is_refused_or_predicts_the_same(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    NETWORK.write(folder)
    place = folder / data.draw(st.sampled_from(["network.json", "network.safetensors"]))
    content = bytearray(place.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    place.write_bytes(content)
    table = table_of(pd.DataFrame({"dose": [1.0, np.nan], "color": ["é", "<b>"]}))
    try:
        back = load_network(folder / "network.json")
    except DataError:
        return
    np.testing.assert_array_equal(back.predict(table)[0], NETWORK.predict(table)[0])


def test_networks_that_are_none_or_doubled_or_newer_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such network"):
        load_saved(tmp_path / "nothing.json")
    NETWORK.write(tmp_path)
    (tmp_path / "model.npz").write_bytes(b"")
    with pytest.raises(DataError, match="two models"):
        load_saved(tmp_path)
    whole = json.loads((tmp_path / "network.json").read_text())
    from shrinkage.cli._network_file import _hash

    form = {**whole["network"], "version": 99}
    (tmp_path / "network.json").write_text(json.dumps({"sha256": _hash(form), "network": form}))
    with pytest.raises(DataError, match="version 99"):
        load_network(tmp_path / "network.json")
    (tmp_path / "network.json").write_text('{"hello": NaN}')
    with pytest.raises(DataError, match="not a network"):
        load_network(tmp_path / "network.json")
    NETWORK.write(tmp_path)
    (tmp_path / "network.safetensors").unlink()
    with pytest.raises(DataError, match="not beside it"):
        load_network(tmp_path / "network.json")


def test_strengths_and_widths_are_read_as_they_are_meant():
    assert strengths_of("0.1,0,0.01") == (0.0, 0.01, 0.1)
    assert strengths_of("1e-4:1e-2:3") == (0.0, 1e-4, 1e-3, 1e-2)
    auto = strengths_of("auto")
    assert (auto[0], auto[1], auto[-1], len(auto)) == (0.0, 1e-5, 1e-1, 13)
    ratios = np.diff(np.log(auto[1:]))
    assert ratios == pytest.approx(ratios.mean(), rel=0.01)
    assert (hidden_of("64,32"), hidden_of("none"), hidden_of("8")) == ((64, 32), (), (8,))


def test_seeds_are_more_the_fewer_rows_there_are():
    request = TrainRequest("d.csv", "y", seed=4)
    assert [len(request.seeds_for(n)) for n in (999, 9_999, 10_000)] == [5, 3, 1]
    assert TrainRequest("d.csv", "y", seeds=2, seed=4).seeds_for(10) == (4, 5)


def test_two_trainings_of_a_sweep_hold_out_what_parts_say(data, monkeypatch):
    met = []

    def sweep(model_fn, pair, strengths, **more):
        met.append((pair[0], more["validation"][0], more["seeds"], more["mode"]))
        return record([1.0, 0.9, 0.9, 0.9], more["seeds"][0])

    monkeypatch.setattr(_train_network, "_sweep", lambda: sweep)
    request = TrainRequest(str(data / "number.csv"), "y", seeds=3, seed=5)
    rows = prepare_rows(request)
    Way(request, rows, (4,)).sweep(request.seeds_for(96), None, lambda what: None)
    X = rows.inputs(rows.chosen_on)
    for (kept, held, seeds, _), mask, seed in zip(
        met, parts_of(rows.y[rows.chosen_on], 0.2, (5, 6, 7), False), (5, 6, 7), strict=True
    ):
        assert seeds == [seed]
        np.testing.assert_array_equal(kept, X[~mask])
        np.testing.assert_array_equal(held, X[mask])
    assert {mode for *_, mode in met} == {"stacked"}
    assert Way(request, rows, (4000, 4000)).mode[0] == "loop"
