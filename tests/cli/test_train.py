"""`shrinkage train`: figures that are honest, a network that comes back, pages and messages that say what to do."""

import csv
import io
import math
import shlex
import sys

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.numpy")


from train_calls import QUICK, TRAINING, answer, column, numbers, shrinkage  # noqa: E402

from shrinkage.cli._app import app  # noqa: E402
from shrinkage.cli._network_file import Network  # noqa: E402
from shrinkage.cli._train_data import prepare_rows  # noqa: E402
from shrinkage.cli._train_figures import linear_rival  # noqa: E402
from shrinkage.cli._train_network import Way, layers_of  # noqa: E402
from shrinkage.cli._train_request import TrainRequest  # noqa: E402


@pytest.mark.parametrize("name", ["number", "two", "three"])
def test_the_saved_network_has_the_loss_that_was_told_on_the_rows_put_aside(tables, trained, name):
    said, out = trained[name]
    request = TrainRequest(str(tables / f"{name}.csv"), "y")
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
def test_predictions_without_torch_are_those_of_the_trained_network(tables, name):
    rows = prepare_rows(TrainRequest(str(tables / f"{name}.csv"), "y"))
    way = Way(TrainRequest(str(tables / f"{name}.csv"), "y", hidden=(7, 5)), rows, (7, 5))
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


def test_the_strength_is_the_one_that_the_rule_takes(trained, tables):
    said = trained["number"][0]
    assert said["strength"] == said["sweep"]["one_se_strength"]
    low = answer(tables / "number.csv", "--target", "y", *QUICK, "--rule", "min", "--no-linear")
    held = np.mean(low["sweep"]["held_out"], axis=1)
    assert low["strength"] == low["sweep"]["strengths"][int(np.argmin(held))] == low["sweep"]["best_strength"]
    assert low["sweep"]["held_out"] == said["sweep"]["held_out"]
    assert [one["name"] for one in low["figures"]] == ["network", "constant"]


def test_a_network_that_is_worth_it_beats_the_line_and_the_line_beats_the_constant(tables):
    said = answer(tables / "number.csv", "--target", "y", "--epochs", "40", "--strengths", "0,0.003", "--seeds", "1")
    network, linear, constant = said["figures"]
    assert network["loss"] < linear["loss"] < constant["loss"]
    assert linear["worse"] == pytest.approx(linear["loss"] - network["loss"])
    assert "clearly better than" in said["found"]["Linear model"]


def test_the_linear_model_is_that_of_fit_on_the_same_rows(tables, tmp_path):
    request = TrainRequest(str(tables / "two.csv"), "y")
    rows = prepare_rows(request)
    rival = linear_rival(request, rows, lambda what: None)
    frame = pd.read_csv(request.data)
    frame.iloc[rows.chosen_on].to_csv(tmp_path / "chosen.csv", index=False)
    frame.iloc[rows.tested_on].to_csv(tmp_path / "tested.csv", index=False)
    fit = ["fit", tmp_path / "chosen.csv", "--target", "y", "--penalty", "l1,l2", "--rule", "min"]
    assert shrinkage(*fit, "--out", tmp_path / "out").exit_code == 0
    said = shrinkage("predict", tmp_path / "out", tmp_path / "tested.csv", "--proba", "--quiet").stdout
    np.testing.assert_allclose(rival.mean[:, 1], np.array(column(said, 1), dtype=float), rtol=1e-6)


def test_nothing_of_the_rows_put_aside_is_seen_before_the_end(tables, tmp_path):
    rows = prepare_rows(TrainRequest(str(tables / "number.csv"), "y"))
    frame = pd.read_csv(tables / "number.csv")
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


def test_a_strength_too_strong_leaves_the_constant_and_the_page_says_what_to_do(tables, tmp_path):
    said = answer(tables / "number.csv", "--target", "y", "--strengths", "30", "--hidden", "6", "--epochs", "30",
                  "--seeds", "1", "--out", tmp_path)  # fmt: skip
    rows = [row for row in said["report"]["rows"] if row["penalty"]]
    assert all(row["zeros"] == row["size"] for row in rows)
    assert said["figures"][0]["loss"] == pytest.approx(said["figures"][-1]["loss"], rel=0.1)
    assert "not clearly better than the constant" in said["next"][0]["what"]


@pytest.mark.parametrize("penalty", ["l1", "l2", "elastic", "group"])
def test_every_penalty_is_the_one_that_was_asked_for(tables, penalty):
    said = answer(tables / "two.csv", "--target", "y", *QUICK, "--penalty", penalty, "--l1-ratio", "0.25",
                  "--no-linear", "--strengths", "0.05")  # fmt: skip
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


def test_numbers_may_be_classes_if_asked_and_that_is_said(tables):
    options = ["--target", "y", *QUICK, "--no-linear"]
    said = answer(tables / "codes.csv", *options)
    assert said["target"]["loss"] == "squared"
    assert any("--loss multinomial" in note for note in said["notes"])
    said = answer(tables / "codes.csv", *options, "--loss", "multinomial")
    assert said["target"]["classes"] == ["0", "1", "2"]
    assert said["score"] == "accuracy"


def test_without_hidden_layers_many_classes_have_a_linear_model_of_their_own(tables, trained):
    said = trained["three"][0]
    assert [one["name"] for one in said["figures"]] == ["network", "multinomial with L1 (linear)", "constant"]
    assert said["linear_sweep"]["strengths"] == said["sweep"]["strengths"]
    alone = answer(tables / "three.csv", "--target", "y", *QUICK, "--hidden", "none", "--rule", "1se")
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


def test_the_text_says_strength_certainty_effect_and_a_line(tables):
    result = shrinkage("train", tables / "two.csv", "--target", "y", *QUICK)
    assert (result.exit_code, result.stderr) == (0, "")
    words = ["1-SE", "taken", "zeros", "constant", "(linear)", "Strength:", "How sure:", "Worth it:", "What it did:"]
    assert [word for word in [*words, "Linear model:", "Next:", "--out DIR"] if word not in result.stdout] == []
    quiet = shrinkage("train", tables / "two.csv", "--target", "y", *QUICK, "--quiet")
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
def test_what_cannot_be_done_is_one_sentence_and_a_code(tables, tmp_path, monkeypatch, arguments, code, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("")
    result = shrinkage("train", tables / "number.csv", *arguments)
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


def test_without_torch_the_extra_is_named(tables, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    result = shrinkage("train", tables / "number.csv", "--target", "y")
    assert result.exit_code == 1
    assert "pip install 'shrinkage[train]'" in result.stderr
