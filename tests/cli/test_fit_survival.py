"""`shrinkage fit` with censored times and with groups of columns, and the command as a module."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from shrinkage import cross_validate
from shrinkage.cli import _rows
from shrinkage.cli._app import app
from shrinkage.cli._folds import cross_validate_with_recipe, deal
from shrinkage.penalties import GroupL2
from shrinkage.tables import Recipe, read

COX = ("--target", "days", "--loss", "cox", "--event", "died", "--penalty", "l1", "--cv", "4", "--drop", "score")
GROUPS = ("--target", "score", "--penalty", "group", "--cv", "4", "--drop", "days", "--drop", "died", "--drop", "site")
FEATURES = ["a", "b", "c", "kind=x", "kind=y", "kind=z"]


def shrinkage(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="shrinkage")


def answer(*arguments):
    result = shrinkage("fit", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def coefficients(said):
    found = {row["feature"]: row["coefficient"] for row in said["coefficients"]}
    return [found.get(name, 0.0) for name in FEATURES]


@pytest.fixture(name="trial", scope="module")
def make_trial(tmp_path_factory):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(120, 3)), columns=["a", "b", "c"])
    frame["kind"], frame["site"] = rng.choice(["x", "y", "z"], 120), rng.choice(["p", "q"], 120)
    frame["days"] = rng.exponential(np.exp(-frame["a"] + (frame["kind"] == "x")))
    frame["died"] = (rng.random(120) < 0.7).astype(int)
    frame["score"] = frame["a"] + (frame["kind"] == "x") + rng.normal(size=120)
    place = tmp_path_factory.mktemp("data") / "trial.csv"
    frame.to_csv(place, index=False)
    return place


def matrix(place):
    frame = pd.read_csv(place)
    levels = [(frame["kind"] == level).to_numpy(dtype=float) for level in "xyz"]
    return frame, np.column_stack([frame[["a", "b", "c"]].to_numpy(), *levels])


def test_no_intercept_is_printed_of_hazards(trial):
    assert "intercept" not in shrinkage("fit", trial, *COX, "--drop", "site").output
    assert "intercept" in shrinkage("fit", trial, "--target", "score", "--penalty", "l1", "--cv", "3").output


@pytest.mark.parametrize("strata", [True, False])
def test_censored_times_are_those_of_cross_validate(trial, strata):
    said = answer(trial, *COX, *(("--strata", "site") if strata else ("--drop", "site")))
    frame, X = matrix(trial)
    y = frame[["days", "died"]].to_numpy(dtype=float)
    y = np.column_stack([y, frame["site"] == "q"]) if strata else y
    cv = cross_validate(X, y, deal(y[:, 1], 4, 0, stratify=True), loss="cox", standardize=True)
    assert said["candidates"][0]["error"] == pytest.approx(cv.mean[cv.index_1se], rel=1e-6)
    np.testing.assert_allclose(coefficients(said), cv.path.coef(cv.alpha_1se), atol=1e-6)
    assert said["candidates"][0]["explained"] == pytest.approx(1 - cv.mean[cv.index_1se] / cv.mean[0], rel=1e-6)


def test_folds_with_a_recipe_of_their_own_score_censored_times_alike(trial):
    table = read(trial)
    frame, X = matrix(trial)
    y, folds = frame[["days", "died"]].to_numpy(dtype=float), deal(frame["died"].to_numpy(), 4, 0, stratify=True)
    recipe = Recipe.learn(table, {"days", "died", "site", "score"}, None)
    whole = cross_validate(X, y, folds, loss="cox", tol=1e-9)
    setting = {"loss": "cox", "l1_ratio": 1.0, "tol": 1e-9}
    (found,), _ = cross_validate_with_recipe(table, recipe, y, folds, [whole.path], [setting], None, lambda _: None)
    np.testing.assert_allclose(found.scores, whole.scores, rtol=1e-6)
    np.testing.assert_allclose(found.fold_weights, whole.fold_weights)


def test_a_saved_model_of_times_predicts_relative_risks(trial, tmp_path):
    said = answer(trial, *COX, "--drop", "site", "--out", tmp_path)
    result = shrinkage("predict", tmp_path, trial)
    assert result.exit_code == 0, result.output
    risks = np.array(result.stdout.split()[1:], dtype=float)
    np.testing.assert_allclose(risks, np.exp(matrix(trial)[1] @ coefficients(said)), rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "groups", "free"),
    [
        ((), [[0], [1], [2], [3, 4, 5]], ""),
        (("--groups", "a,b"), [[0, 1], [2], [3, 4, 5]], ""),
        (("--groups", "c,kind", "--free", "b"), [[2, 3, 4, 5], [0]], "b"),
    ],
)
def test_columns_of_a_group_and_levels_of_a_category_enter_together(trial, options, groups, free):
    said = answer(trial, *GROUPS, *options)
    frame, X = matrix(trial)
    y = frame["score"].to_numpy()
    cv = cross_validate(X, y, deal(y, 4, 0, stratify=False), penalty=GroupL2(1.0, groups), standardize=True)
    assert said["candidates"][0]["error"] == pytest.approx(cv.mean[cv.index_1se], rel=1e-4)
    found = np.array(coefficients(said))
    np.testing.assert_allclose(found, cv.path.coef(cv.alpha_1se), atol=1e-4)
    assert not free or found[FEATURES.index(free)] != 0


def test_groups_with_missing_values_are_those_of_the_features_of_each_fold(trial, tmp_path):
    frame = pd.read_csv(trial)
    frame.loc[5, "b"] = np.nan
    frame.to_csv(tmp_path / "holes.csv", index=False)
    said = answer(tmp_path / "holes.csv", *GROUPS, "--groups", "a,b")
    assert said["converged"]
    assert {"a", "b"} <= {row["feature"] for row in said["coefficients"] if row["coefficient"] != 0}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--target", "score", "--event", "died"), "--event is of censored times"),
        (("--target", "score", "--strata", "site"), "--strata is of censored times"),
        (("--target", "score", "--groups", "a,b"), "--penalty group"),
        (("--target", "score", "--penalty", "group", "--groups", "a,a"), "'a' is there twice"),
        (("--target", "score", "--penalty", "group", "--groups", "a,b", "--free", "b"), "'b' is free"),
        (("--target", "score", "--penalty", "group", "--groups", "zz"), "no grouped column 'zz'"),
        (("--target", "score", "--penalty", "group", "--lower", "0"), "leave group out"),
        (("--target", "days", "--loss", "cox", "--event", "died", "--penalty", "group"), "choose from l1"),
        (("--target", "days", "--loss", "cox", "--event", "a"), "must be 1, or 0"),
        (("--target", "days", "--loss", "cox", "--event", "kind"), "must be numbers"),
        (("--target", "score", "--loss", "cox"), "must be >= 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(trial, options, words):
    result = shrinkage("fit", trial, *options)
    assert result.exit_code in (2, 3)
    assert words in " ".join(result.output.split())


def test_without_a_column_of_events_every_row_is_one_and_this_is_said(trial, tmp_path):
    frame = pd.read_csv(trial)
    frame["died"] = 1
    frame.to_csv(tmp_path / "all.csv", index=False)
    arguments = (
        "--target",
        "days",
        "--loss",
        "cox",
        "--penalty",
        "l1",
        "--cv",
        "3",
        "--drop",
        "site",
        "--drop",
        "score",
    )
    told = answer(tmp_path / "all.csv", *arguments, "--event", "died")
    silent = answer(tmp_path / "all.csv", *arguments, "--drop", "died")
    assert silent["candidates"][0]["error"] == told["candidates"][0]["error"]
    said = "No --event is given: every row counts as an event"
    assert any(said in note for note in silent["notes"])
    assert not any(said in note for note in told["notes"])


def test_an_event_at_the_end_of_its_stratum_compares_nobody():
    times, strata = np.array([1.0, 2.0, 3.0, 3.0]), np.array([0, 0, 1, 1])
    assert _rows._has_company(times, np.array([1.0, 0.0, 0.0, 0.0]), strata)
    assert not _rows._has_company(times, np.array([0.0, 1.0, 0.0, 0.0]), strata)
    assert _rows._has_company(times, np.array([0.0, 0.0, 0.0, 1.0]), strata)  # the other one of the tie


@pytest.mark.parametrize("module", ["shrinkage", "shrinkage.cli"])
def test_the_command_is_a_module_too(module):
    done = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: shrinkage [OPTIONS] COMMAND")
