"""`shrinkage predict` and the model file: the same numbers again, or a refusal."""

import csv
import hashlib
import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from shrinkage._errors import DataError
from shrinkage._path import cross_validate
from shrinkage.cli._app import app
from shrinkage.cli._folds import deal
from shrinkage.cli._model_file import Fit, Model, load
from shrinkage.datasets import load_breast_cancer, load_diabetes
from shrinkage.tables import CategoryRule, NumberRule, Recipe, Target, table_of


def shrinkage(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="shrinkage")


def column(text, place=0):
    return [row[place] for row in csv.reader(io.StringIO(text))][1:]


def written(folder, frame, *options):
    frame.to_csv(folder / "data.csv", index=False)
    result = shrinkage("fit", folder / "data.csv", *options, "--out", folder / "out", "--quiet")
    assert result.exit_code == 0, result.output
    return folder / "out"


def test_a_saved_regression_predicts_as_in_memory(tmp_path):
    data = load_diabetes()
    frame = pd.DataFrame(data.X, columns=list(data.feature_names)).assign(progression=data.y)
    out = written(tmp_path, frame, "--target", "progression", "--penalty", "l1", "--cv", "5")
    cv = cross_validate(data.X, data.y, cv=deal(data.y, 5, 0, stratify=False), standardize=True)
    result = shrinkage("predict", out, tmp_path / "data.csv")
    assert (result.exit_code, result.stderr) == (0, "")
    got = np.array(column(result.stdout), dtype=float)
    np.testing.assert_allclose(got, cv.path.predict(data.X, cv.alpha_1se), rtol=1e-12)


def test_a_saved_classifier_predicts_as_in_memory(tmp_path):
    data = load_breast_cancer()
    frame = pd.DataFrame(data.X, columns=list(data.feature_names)).assign(diagnosis=data.y)
    out = written(tmp_path, frame, "--target", "diagnosis", "--penalty", "elastic", "--cv", "4", "--rule", "min")
    y = (data.y == "malignant").astype(float)
    folds = deal(y, 4, 0, stratify=True)
    settings = {"loss": "logistic", "l1_ratio": 0.5, "standardize": True, "alpha_min_ratio": 5e-4}
    cv = cross_validate(data.X, y, cv=folds, **settings)
    expected = cv.path.predict(data.X, cv.alpha_min)
    result = shrinkage("predict", out / "model.npz", tmp_path / "data.csv", "--proba")
    np.testing.assert_allclose(np.array(column(result.stdout, 1), dtype=float), expected, rtol=1e-9, atol=1e-12)
    assert column(result.stdout) == np.where(expected > 0.5, "malignant", "benign").tolist()
    assert result.stdout.splitlines()[0] == "prediction,probability of malignant"


@pytest.fixture
def colors(tmp_path):
    rng = np.random.default_rng(0)
    color = rng.choice(["red", "blue", "007"], 60)
    frame = pd.DataFrame({"color": color, "dose": rng.normal(size=60)})
    frame["y"] = frame.dose + 2 * (color == "red") + 0.1 * rng.normal(size=60)
    return written(tmp_path, frame, "--target", "y", "--cv", "3", "--penalty", "l2")


def test_levels_never_met_and_new_holes_are_said_on_stderr(tmp_path, colors):
    (tmp_path / "new.csv").write_text("dose,color,extra\n1,red,x\n,pink,y\n0,pink,z\n")
    result = shrinkage("predict", colors, tmp_path / "new.csv")
    assert result.exit_code == 0
    assert len(column(result.stdout)) == 3
    assert "'pink' was not in the training rows; 2 rows" in result.stderr
    assert "'dose': 1 missing" in result.stderr
    assert shrinkage("predict", colors, tmp_path / "new.csv", "--quiet").stderr == ""
    model = load(colors)
    expected = model.intercept + model.coef[list(model.recipe.feature_names).index("dose")] * 0.0
    assert float(column(result.stdout)[2]) == pytest.approx(expected)


def test_a_category_of_digits_is_matched_by_its_text(tmp_path, colors):
    (tmp_path / "new.csv").write_text("dose,color\n1,007\n")
    result = shrinkage("predict", colors, tmp_path / "new.csv")
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("dose\n1\n", "no column 'color'"),
        ("dose,color\nmuch,red\n", "'dose' must hold numbers"),
        ("dose,color\n1\n", "line 2"),
    ],
)
def test_data_that_do_not_fit_the_model_are_code_3(tmp_path, colors, content, said):
    (tmp_path / "new.csv").write_text(content)
    result = shrinkage("predict", colors, tmp_path / "new.csv")
    assert (result.exit_code, result.stdout) == (3, "")
    assert said in result.stderr


def test_probabilities_of_a_regression_are_wrong_use(tmp_path, colors):
    result = shrinkage("predict", colors, tmp_path / "data.csv", "--proba")
    assert result.exit_code == 2
    assert "a model of classes" in result.stderr


def test_out_writes_what_stdout_would_say(tmp_path, colors):
    printed = shrinkage("predict", colors, tmp_path / "data.csv").stdout
    assert shrinkage("predict", colors, tmp_path / "data.csv", "--out", tmp_path / "p.csv").stdout == ""
    assert (tmp_path / "p.csv").read_text() == printed


def test_a_reader_that_leaves_early_causes_no_traceback(tmp_path, colors):
    pd.concat([pd.read_csv(tmp_path / "data.csv")] * 2000).to_csv(tmp_path / "long.csv", index=False)
    code = "from shrinkage.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "predict", str(colors), str(tmp_path / "long.csv")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"prediction\n"
    process.stdout.close()
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait(timeout=30)


FIT = Fit("l1", 1.0, 0.1, "1se", True, 1.0, 0.1, 1e-9, 1e-6, "0.1.0", "shrinkage fit")
MODEL = Model(
    Target("y", "logistic", ("no", "yes"), "two values"),
    Recipe(
        (NumberRule("dose", "number", 0.1 + 0.2, True), CategoryRule("color", ("é", "<b>"), False)),
        (("day", "dates"),),
    ),
    np.array([1 / 3, -2e-308, 5.0, 0.0]),
    np.pi,
    FIT,
)


def test_a_model_comes_back_bit_by_bit(tmp_path):
    (tmp_path / "model.npz").write_bytes(MODEL.to_bytes())
    back = load(tmp_path)
    np.testing.assert_array_equal(back.coef, MODEL.coef)
    assert (back.intercept, back.recipe, back.target, back.fit) == (MODEL.intercept, MODEL.recipe, MODEL.target, FIT)
    assert MODEL.to_bytes() == MODEL.to_bytes()


def test_the_file_is_an_npz_without_pickle(tmp_path):
    (tmp_path / "model.npz").write_bytes(MODEL.to_bytes())
    with np.load(tmp_path / "model.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["coef_intercept"], [*MODEL.coef, MODEL.intercept])
        assert json.loads(arrays["model.json"])["features"] == list(MODEL.recipe.feature_names)


@settings(max_examples=150)
@given(st.data())
def test_a_damaged_file_is_refused_or_predicts_the_same(tmp_path_factory, data):
    content = bytearray(MODEL.to_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    place = tmp_path_factory.mktemp("damaged") / "model.npz"
    place.write_bytes(content)
    table = table_of(pd.DataFrame({"dose": [1.0, np.nan], "color": ["é", "<b>"]}))
    try:
        back = load(place)
    except DataError:
        return
    np.testing.assert_array_equal(back.predict(table)[0], MODEL.predict(table)[0])


def test_models_that_are_none_or_newer_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such model"):
        load(tmp_path / "nothing.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(DataError, match="not a model"):
        load(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    with pytest.raises(DataError, match="not a model"):
        load(tmp_path / "other.npz")
    with zipfile.ZipFile(io.BytesIO(MODEL.to_bytes())) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    newer = json.dumps({**json.loads(parts["model.json"]), "version": 99}).encode()
    with zipfile.ZipFile(tmp_path / "newer.npz", "w") as archive:
        archive.writestr("model.json", newer)
        archive.writestr("model.json.sha256", hashlib.sha256(newer).hexdigest())
        archive.writestr("coef_intercept.npy", parts["coef_intercept.npy"])
    with pytest.raises(DataError, match="version 99"):
        load(tmp_path / "newer.npz")
