"""`shrinkage fit --score` and `--stop`: the numbers of `cross_validate`, the better end, and words that say which."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from shrinkage import cross_validate
from shrinkage.cli._app import app
from shrinkage.cli._folds import cross_validate_with_recipe, deal
from shrinkage.tables import Recipe, read


def shrinkage(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="shrinkage")


def answer(*arguments):
    result = shrinkage("fit", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(name="trial", scope="module")
def make_trial(tmp_path_factory):
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(rng.normal(size=(90, 4)), columns=list("abcd"))
    frame["days"] = rng.exponential(np.exp(-frame["a"]))
    frame["died"] = (rng.random(90) < 0.7).astype(int)
    frame["dose"] = frame["a"] - frame["b"] + rng.normal(size=90)
    frame["sick"] = np.where(frame["a"] + frame["c"] + rng.normal(size=90) > 0, "yes", "no")
    place = tmp_path_factory.mktemp("data") / "trial.csv"
    frame.to_csv(place, index=False)
    return place


OPTIONS = {
    "squared": ("--target", "dose", "--drop", "days", "--drop", "died", "--drop", "sick"),
    "logistic": ("--target", "sick", "--drop", "days", "--drop", "died", "--drop", "dose"),
    "cox": ("--target", "days", "--loss", "cox", "--event", "died", "--drop", "dose", "--drop", "sick"),
}
KNOWN = [("squared", "mae"), ("logistic", "auc"), ("logistic", "accuracy"), ("logistic", "mse"), ("cox", "c_index")]


def data_of(place, loss):
    frame = pd.read_csv(place)
    X, died = frame[list("abcd")].to_numpy(), frame["died"].to_numpy(dtype=float)
    y = {
        "squared": frame["dose"].to_numpy(),
        "logistic": (frame["sick"] == "yes").to_numpy(dtype=float),
        "cox": np.column_stack([frame["days"], died]),
    }[loss]
    strata = died if loss == "cox" else y
    return X, y, deal(strata, 3, 0, stratify=loss != "squared")


@pytest.mark.parametrize(("loss", "score"), KNOWN)
def test_scores_and_the_choice_are_those_of_cross_validate(trial, loss, score):
    said = answer(trial, *OPTIONS[loss], "--cv", "3", "--score", score.replace("_", "-"), "--penalty", "l1,l2")
    X, y, folds = data_of(trial, loss)
    best = max if score in ("auc", "accuracy", "c_index") else min
    for candidate, ratio in zip(said["candidates"], (1.0, 0.0), strict=True):
        cv = cross_validate(X, y, folds, loss=loss, l1_ratio=ratio, standardize=True, score=score)
        assert candidate["alpha"] == pytest.approx(cv.alpha_1se, rel=1e-9)
        assert candidate["error"] == pytest.approx(cv.mean[cv.index_1se], rel=1e-6)
        assert candidate["explained"] is None
    chosen = best(said["candidates"], key=lambda candidate: candidate["error"])
    assert (said["chosen"], said["score"]) == (chosen["penalty"], score)


@pytest.mark.parametrize(("loss", "score"), [*KNOWN, ("squared", "mse"), ("logistic", "deviance")])
def test_folds_with_a_recipe_of_their_own_score_alike(trial, loss, score):
    table = read(trial)
    X, y, folds = data_of(trial, loss)
    recipe = Recipe.learn(table, {"days", "died", "sick", "dose"}, None)
    whole = cross_validate(X, y, folds, loss=loss, tol=1e-10, score=score)
    setting = {"loss": loss, "l1_ratio": 1.0, "tol": 1e-10, "stop": "auto"}
    (found,), _ = cross_validate_with_recipe(
        table, recipe, y, folds, [whole.path], [setting], None, lambda _: None, score=score
    )
    np.testing.assert_allclose(found.scores, whole.scores, rtol=1e-5)
    assert found.more_is_better == whole.more_is_better


def test_folds_with_a_recipe_of_their_own_refuse_what_no_rank_can_judge(trial, tmp_path):
    frame = pd.read_csv(trial)
    yes, no = (frame[frame["sick"] == label] for label in ("yes", "no"))
    frame = pd.concat([yes[:10], no, yes[10:]]).reset_index(drop=True)
    frame.loc[0, "b"] = np.nan
    frame.assign(when=np.arange(90)).to_csv(tmp_path / "sorted.csv", index=False)
    options = (*OPTIONS["logistic"], "--time-folds", "when", "--cv", "3", "--penalty", "l1")
    result = shrinkage("fit", tmp_path / "sorted.csv", *options, "--score", "auc")
    assert result.exit_code == 3, result.output
    assert "the rows that fold" in result.stderr
    assert shrinkage("fit", tmp_path / "sorted.csv", *options).exit_code == 0


@pytest.mark.parametrize("score", ["deviance", "auc"])
def test_strengths_end_where_cross_validate_ends_them_and_this_is_said(trial, score):
    options = (trial, *OPTIONS["logistic"], "--cv", "3", "--penalty", "l1", "--score", score)
    said = answer(*options, "--stop", "auto")
    X, y, folds = data_of(trial, "logistic")
    cv = cross_validate(X, y, folds, loss="logistic", standardize=True, score=score, stop="auto")
    assert said["candidates"][0]["n_alphas"] == len(cv.alphas) < 100
    assert any(cv.path.ending.value in note for note in said["notes"])
    assert answer(*options)["candidates"][0]["n_alphas"] == 100
    assert "--stop auto" in said["call"]


@pytest.mark.parametrize(("loss", "score", "right"), [
    ("squared", "auc", "deviance, mse, mae for the squared"),
    ("cox", "mse", "deviance, c-index for the cox"),
    ("logistic", "c-index", "deviance, mse, mae, auc, accuracy for the logistic"),
])  # fmt: skip
def test_a_score_of_another_loss_is_refused_with_those_that_fit(trial, loss, score, right):
    result = shrinkage("fit", trial, *OPTIONS[loss], "--score", score)
    assert result.exit_code == 2
    assert f"--score must be one of {right} loss; got {score}" in result.stderr


def test_words_and_pictures_name_the_score(trial, tmp_path):
    (tmp_path / "study.toml").write_text('score = "auc"\nstop = "auto"\npenalty = ["l1", "l2"]\ncv = 3\n')
    arguments = (trial, *OPTIONS["logistic"], "--config", tmp_path / "study.toml", "--out", tmp_path / "out")
    printed = shrinkage("fit", *arguments).stdout
    page = (tmp_path / "out" / "report.html").read_text()
    for said in (printed, page):
        assert "area under the ROC curve 0." in said
        assert "the highest of the 2" in said
        assert "of the deviance" not in said
    assert "AUC ± SE" in printed
    assert "area under the ROC curve, held out" in page
    again = shrinkage("fit", trial, *OPTIONS["cox"], "--cv", "3", "--score", "c-index", "--out", tmp_path / "times")
    assert again.exit_code == 0, again.output
    assert "concordance of risks and times, held out" in (tmp_path / "times" / "report.html").read_text()
