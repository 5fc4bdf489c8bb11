"""`shrinkage fit`: right numbers, readable answers, errors with a code and without a traceback."""

import csv
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from shrinkage._path import cross_validate, path
from shrinkage.cli import _app
from shrinkage.cli._app import app
from shrinkage.cli._folds import deal
from shrinkage.cli._write import write_whole
from shrinkage.datasets import load_diabetes, simulate_linear
from shrinkage.losses import Logistic

COMMAND = [sys.executable, "-c", "from shrinkage.cli import main; main()"]


def shrinkage(*arguments, **more):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="shrinkage", **more)


def answer(*arguments):
    result = shrinkage("fit", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def diabetes(tmp_path_factory):
    data = load_diabetes()
    frame = pd.DataFrame(data.X, columns=list(data.feature_names)).assign(progression=data.y)
    place = tmp_path_factory.mktemp("data") / "diabetes.csv"
    frame.to_csv(place, index=False)
    return place


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Numbers with holes, a category and a yes/no target."""
    data = simulate_linear(120, 4, n_nonzero=3, seed=2)
    rng = np.random.default_rng(0)
    color = rng.choice(["red", "green", "blue"], 120)
    frame = pd.DataFrame(data.X, columns=["a", "b", "c", "d"]).assign(color=color)
    frame["bought"] = np.where(data.y + (color == "red") > 0, "yes", "no")
    frame.loc[rng.choice(120, 20, replace=False), "a"] = np.nan
    place = tmp_path_factory.mktemp("data") / "mixed.csv"
    frame.to_csv(place, index=False)
    return place


def test_the_numbers_are_those_of_cross_validate(diabetes):
    data = load_diabetes()
    said = answer(diabetes, "--target", "progression", "--cv", "5", "--seed", "3")
    folds = deal(data.y, 5, 3, stratify=False)
    for candidate, ratio in zip(said["candidates"], [1.0, 0.0, 0.5], strict=True):
        ends = 1e-3 * (ratio or 1.0)
        cv = cross_validate(data.X, data.y, cv=folds, l1_ratio=ratio, standardize=True, alpha_min_ratio=ends)
        assert candidate["alpha_1se"] == pytest.approx(cv.alpha_1se, rel=1e-9)
        assert candidate["error"] == pytest.approx(cv.mean[cv.index_1se], rel=1e-9)
        assert candidate["se"] == pytest.approx(cv.se[cv.index_1se], rel=1e-9)
        assert candidate["n_nonzero"] == cv.path.n_nonzero[cv.index_1se]
        assert candidate["largest_relative_gap"] <= 1e-6
    errors = {candidate["penalty"]: candidate["error"] for candidate in said["candidates"]}
    assert said["chosen"] == min(errors, key=lambda penalty: errors[penalty])


def test_the_rule_moves_the_strength(diabetes):
    by_rule = {
        rule: answer(diabetes, "--target", "progression", "--penalty", "l1", "--rule", rule)["candidates"][0]
        for rule in ("min", "1se")
    }
    assert by_rule["min"]["alpha"] == by_rule["min"]["alpha_min"]
    assert by_rule["1se"]["alpha"] == by_rule["1se"]["alpha_1se"] > by_rule["1se"]["alpha_min"]


def test_standardizing_makes_units_irrelevant_and_is_said(tmp_path, diabetes):
    frame = pd.read_csv(diabetes)
    frame["bmi"] *= 1000
    frame.to_csv(tmp_path / "d.csv", index=False)
    options = ["--target", "progression", "--penalty", "l1", "--cv", "4"]
    first, second = answer(diabetes, *options), answer(tmp_path / "d.csv", *options)
    bmi = [next(c for c in said["coefficients"] if c["feature"] == "bmi") for said in (first, second)]
    assert bmi[1]["coefficient"] == pytest.approx(bmi[0]["coefficient"] / 1000, rel=1e-6)
    assert bmi[1]["per_sd"] == pytest.approx(bmi[0]["per_sd"], rel=1e-6)
    assert "standardized for the penalty" in shrinkage("fit", diabetes, *options).stdout
    assert "not standardized" in shrinkage("fit", diabetes, *options, "--no-standardize").stdout


def test_with_missing_values_each_fold_uses_the_means_of_its_training_rows(mixed):
    said = answer(mixed, "--target", "bought", "--penalty", "l1", "--cv", "4", "--drop", "color")
    frame = pd.read_csv(mixed)
    X, y = frame[["a", "b", "c", "d"]].to_numpy(), (frame["bought"] == "yes").to_numpy(dtype=float)

    def filled(rows, means):
        holes = np.isnan(rows)
        return np.column_stack([np.where(holes, means, rows)[:, 0], holes[:, 0], rows[:, 1:]])

    whole = filled(X, np.nanmean(X, axis=0))
    settings = {"loss": "logistic", "standardize": True}
    alphas = path(whole, y, **settings).alphas
    total = np.zeros(len(alphas))
    for train, test in deal(y, 4, 0, stratify=True):
        means = np.nanmean(X[train], axis=0)
        part = path(filled(X[train], means), y[train], alphas=alphas, **settings)
        eta = filled(X[test], means) @ part.coefs.toarray() + part.intercepts
        total += Logistic().deviance(y[test][:, None], eta).sum(axis=0)
    candidate = said["candidates"][0]
    place = int(np.argmin(np.abs(alphas - candidate["alpha"])))
    assert candidate["error"] == pytest.approx(total[place] / len(y), rel=1e-4)
    assert any("one by one" in note for note in said["notes"])


def test_weights_are_repetitions(tmp_path):
    data = simulate_linear(40, 3, n_nonzero=2, seed=5)
    frame = pd.DataFrame(data.X, columns=["a", "b", "c"]).assign(y=data.y, w=1.0)
    frame.loc[:9, "w"] = 2.0
    frame.loc[30:, "w"] = 0.0
    frame.to_csv(tmp_path / "weighted.csv", index=False)
    kept = frame[frame.w > 0].drop(columns="w")
    pd.concat([kept, kept[:10]]).to_csv(tmp_path / "repeated.csv", index=False)
    options = ["--target", "y", "--penalty", "l1", "--cv", "3"]
    weighted = answer(tmp_path / "weighted.csv", *options, "--weights", "w")
    repeated = answer(tmp_path / "repeated.csv", *options)
    # Folds differ, but the grid is that of all rows: the strengths taken are whole steps apart.
    steps = np.log(weighted["candidates"][0]["alpha"] / repeated["candidates"][0]["alpha"]) / (np.log(1e3) / 99)
    assert steps == pytest.approx(round(steps), abs=1e-6)
    assert {c["feature"] for c in weighted["coefficients"]} <= {"a", "b", "c"}
    assert any("10 rows of weight 0" in note for note in weighted["notes"])


def test_one_class_is_modeled_against_the_rest(tmp_path):
    data = simulate_linear(90, 3, n_nonzero=3, snr=2, seed=1)
    kind = np.where(data.y > 0.7, "up", np.where(data.y < -0.7, "down", "level"))
    pd.DataFrame(data.X).assign(kind=kind).to_csv(tmp_path / "k.csv", index=False)
    said = answer(tmp_path / "k.csv", "--target", "kind", "--positive", "up", "--cv", "3", "--penalty", "l1")
    assert said["target"]["classes"] == ["not up", "up"]
    assert said["data"]["Target kind"] == f"not up: {(kind != 'up').sum()}, up: {(kind == 'up').sum()}"


def test_the_printed_table_has_every_penalty_and_the_names_of_the_strongest(diabetes):
    result = shrinkage("fit", diabetes, "--target", "progression", "--cv", "4")
    assert result.exit_code == 0
    words = [
        "lasso",
        "ridge",
        "elastic net",
        "alpha at min",
        "alpha at 1-SE",
        "± SE",
        "non-zeros",
        "largest gap",
        "bmi",
    ]
    assert [word for word in words if word not in result.stdout] == []
    assert "--out DIR saves" in result.stdout
    assert result.stderr == ""


def test_files_hold_what_is_printed(tmp_path, diabetes):
    said = answer(diabetes, "--target", "progression", "--cv", "4", "--out", tmp_path / "r")
    assert set(said["files"]) == {"report.html", "model.npz", "coefficients.csv"} == set(os.listdir(tmp_path / "r"))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "r" / "coefficients.csv").read_text())))
    assert float(rows[0]["coefficient"]) == said["intercept"]
    listed = {row["feature"]: float(row["coefficient"]) for row in rows[1:]}
    assert {name: value for name, value in listed.items() if value} == {
        c["feature"]: c["coefficient"] for c in said["coefficients"]
    }
    assert len(listed) == 10
    assert "shrinkage fit" in (tmp_path / "r" / "report.html").read_text()


def test_the_call_that_is_told_gives_the_same_again(diabetes):
    said = answer(diabetes, "--target", "progression", "--cv", "4", "--seed", "9", "--drop", "age", "--drop", "sex")
    words = shlex.split(said["call"])
    assert words[:2] == ["shrinkage", "fit"]
    again = answer(*words[2:])
    for one, other in zip(said["candidates"], again["candidates"], strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}
    assert again["coefficients"] == said["coefficients"]


def test_a_surprise_is_one_sentence_too(diabetes, monkeypatch):
    monkeypatch.setattr(_app, "run", lambda *_: 1 / 0)
    result = shrinkage("fit", diabetes, "--target", "progression")
    assert result.exit_code == 1
    assert "division by zero" in result.stderr
    assert "SHRINKAGE_TRACEBACK" in result.stderr
    monkeypatch.setenv("SHRINKAGE_TRACEBACK", "1")
    assert isinstance(shrinkage("fit", diabetes, "--target", "progression").exception, ZeroDivisionError)


def test_a_missed_tolerance_is_code_4_and_said(diabetes):
    result = shrinkage("fit", diabetes, "--target", "progression", "--tol", "1e-40", "--penalty", "l1")
    assert result.exit_code == 4
    assert "gap" in result.stdout


def test_an_interruption_is_code_130(diabetes, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(_app, "run", interrupted)
    result = shrinkage("fit", diabetes, "--target", "progression")
    assert result.exit_code == 130
    assert "interrupted" in result.stderr


def test_control_c_leaves_no_part_of_a_file(tmp_path):
    data = simulate_linear(400, 3000, n_nonzero=40, seed=0)
    np.savetxt(
        tmp_path / "d.csv",
        np.column_stack([data.X, data.y]),
        delimiter=",",
        fmt="%.4g",
        header=",".join([*(f"x{j}" for j in range(3000)), "y"]),
        comments="",
    )
    process = subprocess.Popen(
        [*COMMAND, "fit", str(tmp_path / "d.csv"), "--target", "y", "--out", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "out").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert "Traceback" not in err
    assert list((tmp_path / "out").iterdir()) == []


def test_a_failing_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    target = tmp_path / "file"
    write_whole(target, b"old")

    def fails(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="disk full"):
        write_whole(target, b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert target.read_bytes() == b"old"


def test_a_real_process_reads_stdin_prints_json_and_is_silent_on_stderr(diabetes):
    done = subprocess.run(
        [*COMMAND, "fit", "-", "--target", "progression", "--penalty", "l1", "--cv", "3", "--json"],
        input=diabetes.read_bytes(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["chosen"] == "l1"


def test_a_real_process_has_real_exit_codes_and_no_colors_in_a_pipe(tmp_path):
    call = [*COMMAND, "fit", str(tmp_path / "no.csv"), "--target", "y"]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr.startswith("error: ")
    assert "\x1b" not in done.stderr + done.stdout


@pytest.mark.parametrize(("variables", "colored"), [({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False)])
def test_no_color_is_respected(diabetes, variables, colored):
    options = ["--target", "progression", "--cv", "3", "--penalty", "l1"]
    assert ("\x1b[" in shrinkage("fit", diabetes, *options, env=variables, color=True).stdout) is colored


def test_quiet_leaves_the_results_only(diabetes):
    result = shrinkage("fit", diabetes, "--target", "progression", "--cv", "3", "--quiet")
    assert "tandardized" not in result.stdout
    assert "lasso" in result.stdout


@pytest.mark.parametrize("command", [[], ["fit"], ["train"], ["predict"], ["demo"]])
def test_help_tells_codes_and_examples(command):
    result = shrinkage(*command, "--help")
    assert result.exit_code == 0
    if command in ([], ["fit"], ["train"], ["predict"]):
        assert "130 interrupted" in result.stdout
    if command in (["fit"], ["train"], ["predict"]):
        assert f"  shrinkage {command[0]} " in result.stdout


def test_the_version_is_told():
    import shrinkage as library

    assert shrinkage("--version").stdout.strip() == f"shrinkage {library.__version__}"


def test_the_demonstration_writes_a_report(tmp_path):
    result = shrinkage("demo", "--out", tmp_path, "--only", "diabetes")
    assert result.exit_code == 0
    report = tmp_path / "diabetes" / "report.html"
    assert report.exists()
    assert report.resolve().as_uri() in result.stdout
    assert Path(tmp_path / "diabetes" / "diabetes.csv").exists()


def test_the_demonstration_trains_a_network_beside_the_fit(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    quick = [replace(show, cv=3, trains={**show.trains, "epochs": 2, "seeds": 1}) for show in _app.SHOWS if show.trains]
    assert [(show.name, show.fits) for show in quick] == [("breast-cancer", True), ("digits", False)]
    monkeypatch.setattr(_app, "SHOWS", quick)
    result = shrinkage("demo", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    for name in ("breast-cancer/report.html", "breast-cancer/network/report.html", "digits/network/report.html"):
        assert (tmp_path / name).resolve().as_uri() in result.stdout
    assert shrinkage("predict", tmp_path / "digits/network", tmp_path / "digits/digits.csv").exit_code == 0
    # Begun anew in the same folder, as `make demo` does.
    assert shrinkage("demo", "--out", tmp_path, "--only", "digits").exit_code == 0


def test_the_demonstration_says_what_is_left_out_without_torch(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    result = shrinkage("demo", "--out", tmp_path, "--only", "digits")
    assert result.exit_code == 0
    assert "no network without PyTorch (pip install 'shrinkage[train]')" in result.stdout


@pytest.mark.parametrize("n_folds", [2, 3, 7, 10])
def test_folds_part_the_rows_evenly_class_by_class(n_folds):
    y = (np.arange(43) % 5 == 0).astype(float)
    folds = deal(y, n_folds, seed=1, stratify=True)
    held = np.concatenate([test for _, test in folds])
    assert sorted(held.tolist()) == list(range(43))
    for train, test in folds:
        assert set(train.tolist()) | set(test.tolist()) == set(range(43))
        assert not set(train.tolist()) & set(test.tolist())
    positives = [int(y[test].sum()) for _, test in folds]
    sizes = [len(test) for _, test in folds]
    assert max(positives) - min(positives) <= 1
    assert max(sizes) - min(sizes) <= 1


def test_the_seed_shuffles_the_folds():
    y = np.arange(30.0)
    first, again, other = (deal(y, 3, seed, stratify=False)[0][1].tolist() for seed in (0, 0, 1))
    assert first == again != other
    assert first != list(range(0, 30, 3))
