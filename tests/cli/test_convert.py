"""`shrinkage convert`: what it prints is what `units.convert` says, and wrong use is said in a sentence."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from shrinkage.cli._app import app
from shrinkage.units import calls, convert, equivalents


def shrinkage(*arguments):
    return CliRunner().invoke(app, ["convert", *map(str, arguments)], prog_name="shrinkage")


def test_the_printed_code_is_that_of_convert():
    result = shrinkage("sklearn.LogisticRegression", "glmnet", "C=0.5", "l1_ratio=1", "--n-samples", 200)
    assert result.exit_code == 0
    found = convert("sklearn.LogisticRegression", "glmnet", C=0.5, l1_ratio=1.0, n_samples=200)
    assert found.code in result.stdout
    assert "# here: alpha=0.01, l1_ratio=1, logistic loss" in result.stdout
    assert all(caveat in result.stdout for caveat in found.caveats)


def test_without_a_target_every_package_is_printed_and_as_json_it_is_one_document():
    asked = ("sklearn.Ridge", "alpha=3", "--n-samples", 100)
    assert str(equivalents("sklearn.Ridge", alpha=3.0, n_samples=100)) in shrinkage(*asked).stdout
    document = json.loads(shrinkage(*asked, "--json").stdout)
    assert document == equivalents("sklearn.Ridge", alpha=3.0, n_samples=100).to_dict()


def test_a_table_gives_the_rows_the_weights_and_the_spread(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"y": rng.normal(size=30), "w": rng.uniform(1, 2, 30), "x": rng.normal(size=30)})
    frame.to_csv(tmp_path / "d.csv", index=False)
    words = ["glmnet.gaussian", "sklearn", "lambda=0.1", "alpha=0.5", "standardize=false"]
    result = shrinkage(*words, "--data", tmp_path / "d.csv", "--column", "y", "--weights", "w", "--json")
    read = pd.read_csv(tmp_path / "d.csv")
    asked = {"lambda": 0.1, "alpha": 0.5, "standardize": False}
    found = convert("glmnet.gaussian", "sklearn", y=read["y"], sample_weight=read["w"], **asked)
    assert json.loads(result.stdout)["arguments"] == pytest.approx(dict(found.arguments))


def test_vectors_and_a_loss_are_read():
    result = shrinkage(
        "glmnet.binomial", "shrinkage", "lambda=0.1", "penalty.factor=1,3", "standardize=FALSE", "--json"
    )
    assert json.loads(result.stdout)["arguments"]["penalty_factor"] == [0.5, 1.5]
    result = shrinkage("keras.L2", "shrinkage.Ridge", "l2=0.1", "--loss", "half_mse", "--json")
    assert json.loads(result.stdout)["alpha"] == 0.2


def test_decoupled_decay_is_said_to_be_no_penalty():
    result = shrinkage("torch.AdamW", "keras")
    assert result.exit_code == 0
    assert "no penalty" in result.stdout
    refused = shrinkage("torch.AdamW", "sklearn.Ridge")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "no penalty" in refused.stderr


def test_the_list_names_every_call():
    assert json.loads(shrinkage("--list", "--json").stdout) == calls()
    assert all(name in shrinkage("--list").stdout for name in calls())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a source and, if wanted, one target; got nothing"),
        (["a", "b", "c"], "got a b c"),
        (["sklearn.Lasso", "glmnet", "alpha=1", "alpha=2"], "alpha is given twice"),
        (["sklearn.Lasso", "glmnet", "n_samples=5"], "n_samples is an option: write --n-samples VALUE"),
        (["sklearn.Lasso", "glmnet", "--column", "y"], "--column names a column of --data, which is missing"),
        (["sklearn.Lasso", "glmnet", "--data", "d.csv"], "--data needs --column"),
        (["sklearn.Lasso", "glmnet", "alpha=much"], "alpha must be a number; got 'much'"),
        (["sklearn.Ridge", "glmnet"], "give n_samples="),
        (["sklearn.Lassoo", "glmnet"], "no call that is known"),
    ],
)
def test_wrong_use_is_said_in_a_sentence(arguments, said):
    result = shrinkage(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in " ".join(result.stderr.split())
