"""`shrinkage fit` with MCP, SCAD and SLOPE: stationary points are not called minima."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from shrinkage import cross_validate, path
from shrinkage.cli._app import app
from shrinkage.cli._folds import cross_validate_with_recipe, deal
from shrinkage.cli._model_file import load
from shrinkage.cli._rows import Treatment
from shrinkage.datasets import load_diabetes
from shrinkage.penalties import MCP, SCAD, SortedL1, bh_weights
from shrinkage.report import html
from shrinkage.tables import Recipe, read

DATA = load_diabetes()
NAMES = list(DATA.feature_names)
FOLDS = deal(DATA.y, 3, 0, stratify=False)
BASE = ("--target", "y", "--cv", "3")
FREE = np.array([float(name != "bmi") for name in NAMES])


def shrinkage(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="shrinkage")


def answer(*arguments):
    result = shrinkage("fit", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(name="diabetes", scope="module")
def make_diabetes(tmp_path_factory):
    place = tmp_path_factory.mktemp("data") / "diabetes.csv"
    pd.DataFrame(DATA.X, columns=NAMES).assign(y=DATA.y).to_csv(place, index=False)
    return place


@pytest.mark.parametrize(
    ("name", "options", "penalty"),
    [
        ("mcp", (), MCP(1.0)),
        ("mcp", ("--gamma", "8"), MCP(1.0, gamma=8.0)),
        ("scad", ("--free", "bmi"), SCAD(1.0, factors=FREE)),
        ("slope", (), SortedL1(1.0, bh_weights(10))),
        ("slope", ("--free", "bmi"), SortedL1(1.0, bh_weights(9), FREE)),
    ],
)
def test_the_numbers_are_those_of_cross_validate(diabetes, name, options, penalty):
    said = answer(diabetes, *BASE, "--penalty", name, *options)
    cv = cross_validate(DATA.X, DATA.y, FOLDS, penalty=penalty, standardize=True)
    (candidate,) = said["candidates"]
    assert candidate["alpha"] == pytest.approx(cv.alpha_1se, rel=1e-9)
    assert candidate["error"] == pytest.approx(cv.mean[cv.index_1se], rel=1e-6)
    found = {row["feature"]: row["coefficient"] for row in said["coefficients"]}
    np.testing.assert_allclose([found.get(key, 0.0) for key in NAMES], cv.path.coef(cv.alpha_1se), atol=1e-5)
    assert all(word in said["call"] for word in options)


def test_a_stationary_point_is_not_called_certified(diabetes, tmp_path):
    options = (diabetes, *BASE, "--penalty", "mcp", "--out", tmp_path)
    said = answer(*options)
    (candidate,) = said["candidates"]
    assert candidate["largest_relative_gap"] is None
    assert 0 <= candidate["largest_violation"] < 1e-3
    assert said["converged"]
    printed, page = shrinkage("fit", *options).stdout, (tmp_path / "report.html").read_text()
    for text in (printed, page):
        assert "stationary" in text
        assert "MCP with alpha = " in text
        assert "nan" not in text.split()
    assert "Every strength is stationary." in page
    assert "certified.</b>" not in page
    assert load(tmp_path).fit.gap is None
    assert shrinkage("predict", tmp_path, diabetes).exit_code == 0


def test_beside_a_convex_penalty_only_that_one_is_certified(diabetes, tmp_path):
    printed = shrinkage("fit", diabetes, *BASE, "--penalty", "l1,scad", "--out", tmp_path).stdout
    rows = {line.split()[0]: line for line in printed.splitlines() if line.split()[:1] in (["lasso"], ["SCAD"])}
    assert "stationary" in rows["SCAD"]
    assert "stationary" not in rows["lasso"]
    assert "Every fit of a convex penalty is certified." in (tmp_path / "report.html").read_text()


def test_a_violation_above_tol_is_code_4(diabetes):
    result = shrinkage("fit", diabetes, *BASE, "--penalty", "mcp", "--gamma", "0.002", "--tol", "1e-40")
    assert result.exit_code == 4, result.output
    assert "missed" in result.stdout


@pytest.mark.parametrize("name", ["mcp", "slope"])
def test_folds_with_a_recipe_of_their_own_score_alike(diabetes, name):
    table, treatment = read(diabetes), Treatment(gamma=6.0)
    recipe = Recipe.learn(table, {"y"}, None)
    setting = {"penalty": name, "standardize": True, "tol": 1e-9, "n_alphas": 30}
    stated = treatment.stated(setting, recipe, table)
    whole = cross_validate(DATA.X, DATA.y, FOLDS, **stated)
    (found,), _ = cross_validate_with_recipe(
        table, recipe, DATA.y, FOLDS, [whole.path], [setting], None, lambda _: None, treatment=treatment
    )
    np.testing.assert_allclose(found.scores, whole.scores, rtol=1e-4)


def test_a_concave_fit_that_stands_still_ends_no_strengths(diabetes):
    said = answer(diabetes, *BASE, "--penalty", "mcp,l1", "--stop", "auto")
    assert said["candidates"][0]["n_alphas"] > 5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--penalty", "slope", "--lower", "0"), "leave slope out of --penalty"),
        (("--penalty", "mcp,scad", "--upper", "0"), "leave mcp, scad out of --penalty"),
        (("--penalty", "mcp", "--loss", "cox"), "--penalty mcp takes losses of one row"),
        (("--penalty", "l1", "--gamma", "4"), "--gamma is of the penalties mcp and scad"),
        (("--penalty", "scad", "--gamma", "1.5"), "gamma must be"),
    ],
)
def test_what_cannot_be_meant_is_refused(diabetes, options, words):
    result = shrinkage("fit", diabetes, *BASE, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in " ".join(result.stderr.split())


def test_a_page_of_a_path_without_a_gap_has_its_violation():
    page = html(path(DATA.X, DATA.y, penalty=MCP(1.0), n_alphas=10))
    assert "violation of the optimality conditions: <b>" in page
    assert "<b>nan" not in page
