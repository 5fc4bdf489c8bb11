"""`shrinkage fit` with a target of three or more classes: coefficients and probabilities of each."""

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.datasets import load_iris, load_wine

from shrinkage import cross_validate, path
from shrinkage.cli._app import app
from shrinkage.cli._folds import cross_validate_with_recipe, deal
from shrinkage.cli._model_file import load
from shrinkage.losses import Multinomial
from shrinkage.report import html
from shrinkage.tables import Recipe, read

IRIS, WINE = load_iris(), load_wine()
SPECIES = ["setosa", "versicolor", "virginica"]
BASE = ("--target", "species", "--cv", "4")


def shrinkage(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="shrinkage")


def answer(*arguments):
    result = shrinkage("fit", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def table(text):
    return list(csv.reader(io.StringIO(text)))


def coefficients(said, names):
    found = {(row["class"], row["feature"]): row["coefficient"] for row in said["coefficients"]}
    return [[found.get((label, name), 0.0) for name in names] for label in said["target"]["classes"]]


@pytest.fixture(scope="module")
def iris(tmp_path_factory):
    frame = pd.DataFrame(IRIS.data, columns=IRIS.feature_names)
    place = tmp_path_factory.mktemp("data") / "iris.csv"
    frame.assign(species=IRIS.target_names[IRIS.target]).to_csv(place, index=False)
    return place


@pytest.mark.parametrize(("options", "score"), [((), "deviance"), (("--score", "accuracy"), "accuracy")])
def test_classes_of_text_are_those_of_cross_validate(iris, options, score):
    said = answer(iris, *BASE, "--penalty", "l2,l1", *options)
    folds = deal(IRIS.target.astype(float), 4, 0, stratify=True)
    for candidate, ratio in zip(said["candidates"], (0.0, 1.0), strict=True):
        cv = cross_validate(
            IRIS.data, IRIS.target, folds, loss="multinomial", l1_ratio=ratio, standardize=True, score=score
        )
        assert candidate["alpha"] == pytest.approx(cv.alpha_1se, rel=1e-9)
        assert candidate["error"] == pytest.approx(cv.mean[cv.index_1se], rel=1e-6)
        assert candidate["n_nonzero"] == cv.path.n_nonzero[cv.index_1se]
        if candidate["penalty"] == said["chosen"]:
            found = coefficients(said, IRIS.feature_names)
            np.testing.assert_allclose(found, cv.path.coef(cv.alpha_1se), atol=1e-6)
            levels = [said["intercept"][label] for label in SPECIES]
            np.testing.assert_allclose(levels, cv.path.intercept(cv.alpha_1se), atol=1e-6)
    assert said["target"]["classes"] == SPECIES


def test_numbers_are_classes_where_it_is_asked(tmp_path):
    frame = pd.DataFrame(WINE.data[:, :5], columns=WINE.feature_names[:5]).assign(kind=WINE.target + 1)
    frame.to_csv(tmp_path / "wine.csv", index=False)
    (tmp_path / "study.toml").write_text('loss = "multinomial"\npenalty = "l1"\ncv = 3\n')
    said = answer(tmp_path / "wine.csv", "--target", "kind", "--config", tmp_path / "study.toml")
    assert said["target"]["classes"] == ["1", "2", "3"]
    plain = answer(tmp_path / "wine.csv", "--target", "kind", "--penalty", "l1", "--cv", "3")
    assert plain["target"]["loss"] == "squared"
    one = answer(tmp_path / "wine.csv", "--target", "kind", "--positive", "2", "--penalty", "l1", "--cv", "3")
    assert one["target"]["loss"] == "logistic"


@pytest.mark.parametrize("score", ["deviance", "accuracy"])
def test_folds_with_a_recipe_of_their_own_score_alike(iris, score):
    y, weights = IRIS.target.astype(float), np.random.default_rng(0).uniform(0.5, 2.0, 150)
    folds = deal(y, 4, 0, stratify=True)
    held = read(iris)
    recipe = Recipe.learn(held, {"species"}, weights)
    setting = {"loss": Multinomial(), "l1_ratio": 0.5, "tol": 1e-9}
    whole = cross_validate(IRIS.data, y, folds, sample_weight=weights, score=score, n_alphas=20, **setting)
    (found,), _ = cross_validate_with_recipe(
        held, recipe, y, folds, [whole.path], [setting], weights, lambda _: None, score=score
    )
    np.testing.assert_allclose(found.scores, whole.scores, rtol=1e-4)
    np.testing.assert_allclose(found.fold_weights, whole.fold_weights)


def test_a_missing_value_moves_the_error_little(iris, tmp_path):
    frame = pd.read_csv(iris)
    frame.loc[3, "petal width (cm)"] = np.nan
    frame.to_csv(tmp_path / "holes.csv", index=False)
    said = answer(tmp_path / "holes.csv", *BASE, "--penalty", "l1")
    assert said["converged"]
    whole = answer(iris, *BASE, "--penalty", "l1")
    assert said["candidates"][0]["error"] == pytest.approx(whole["candidates"][0]["error"], abs=0.1)


def test_a_saved_model_gives_the_class_and_the_probability_of_each(iris, tmp_path):
    said = answer(iris, *BASE, "--penalty", "elastic", "--rule", "min", "--out", tmp_path)
    eta = IRIS.data @ np.array(coefficients(said, IRIS.feature_names)).T
    eta += [said["intercept"][label] for label in SPECIES]
    expected = np.exp(eta) / np.exp(eta).sum(axis=1, keepdims=True)
    rows = table(shrinkage("predict", tmp_path, iris, "--proba").stdout)
    assert rows[0] == ["prediction", *(f"probability of {label}" for label in SPECIES)]
    np.testing.assert_allclose(np.array([row[1:] for row in rows[1:]], dtype=float), expected, rtol=1e-9, atol=1e-14)
    assert [row[0] for row in rows[1:]] == np.array(SPECIES)[expected.argmax(axis=1)].tolist()
    assert [row[0] for row in table(shrinkage("predict", tmp_path, iris).stdout)] == [row[0] for row in rows]
    model = load(tmp_path)
    assert model.to_bytes() == (tmp_path / "model.npz").read_bytes()
    assert model.coef.shape == (3, 4)


def test_files_and_the_table_have_the_coefficients_of_every_class(iris, tmp_path):
    said = answer(iris, *BASE, "--penalty", "l1", "--out", tmp_path)
    head, *rows = table((tmp_path / "coefficients.csv").read_text())
    assert head == ["class", "feature", "coefficient", "per_sd"]
    assert [(row[0], float(row[2])) for row in rows if row[1] == "(intercept)"] == list(said["intercept"].items())
    listed = [[float(row[2]) for row in rows if row[0] == label and row[1] != "(intercept)"] for label in SPECIES]
    assert listed == coefficients(said, IRIS.feature_names)
    printed = shrinkage("fit", iris, *BASE, "--penalty", "l1").stdout
    page = (tmp_path / "report.html").read_text()
    for row in said["coefficients"][:6]:
        assert f"{row['class']}: {row['feature']}" in printed
        assert f"{row['class']}: {row['feature']}" in page
    assert f"intercept setosa: {said['intercept']['setosa']:.5g}, versicolor: " in printed
    used = len({row["feature"] for row in said["coefficients"]})
    assert f"uses {used} of 4 features" in printed


def test_names_of_classes_are_no_markup(tmp_path):
    frame = pd.DataFrame(IRIS.data, columns=list("abcd"))
    frame.assign(kind=np.array(["<b>x", "y&", "z"])[IRIS.target]).to_csv(tmp_path / "d.csv", index=False)
    assert shrinkage("fit", tmp_path / "d.csv", "--target", "kind", "--cv", "3", "--out", tmp_path).exit_code == 0
    page = (tmp_path / "report.html").read_text()
    assert "&lt;b&gt;x: " in page
    assert "<b>x" not in page


def test_bounds_and_free_columns_are_of_every_class(iris):
    said = answer(iris, *BASE, "--penalty", "l1", "--lower", "0", "--free", "sepal width (cm)")
    by_feature = {name: [] for name in IRIS.feature_names}
    for row in said["coefficients"]:
        by_feature[row["feature"]].append(row["coefficient"])
    free = by_feature.pop("sepal width (cm)")
    assert min(free) < 0 < max(free)
    assert min(min(found, default=0.0) for found in by_feature.values()) >= 0


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--offset", "petal width (cm)"), 2, "--offset would add the same to every class"),
        (("--exposure", "petal width (cm)"), 2, "--exposure would add the same to every class"),
        (("--penalty", "group"), 2, "for several classes choose from l1, l2, elastic"),
        (("--score", "auc"), 2, "--score must be one of deviance, accuracy for the multinomial loss; got auc"),
        (("--loss", "logistic"), 3, "or use loss multinomial"),
        (("--time-folds", "when"), 3, "class 'versicolor' of target 'species' is in no training row of a fold"),
    ],
)
def test_what_cannot_be_meant_of_several_classes_is_refused(iris, tmp_path, options, code, words):
    pd.read_csv(iris).assign(when=np.arange(150)).to_csv(tmp_path / "d.csv", index=False)
    result = shrinkage("fit", tmp_path / "d.csv", *BASE, *options)
    assert (result.exit_code, result.stdout) == (code, "")
    assert words in result.stderr


def test_a_page_takes_paths_of_several_classes_with_and_without_names():
    settings = {"loss": "multinomial", "n_alphas": 8}
    named = pd.DataFrame(IRIS.data, columns=IRIS.feature_names)
    page = html(cross_validate(named, IRIS.target_names[IRIS.target], cv=3, **settings))
    assert "setosa: petal length (cm)" in page
    fitted = path(IRIS.data, IRIS.target, **settings)
    assert f"Intercept 0: {fitted.intercepts[0, -1]:.5g}, 1: " in html(fitted)
