"""What the tests of `shrinkage train` share: the call, its answer, small data, and a network's record."""

import csv
import io
import json

import numpy as np
import pandas as pd
from click.testing import CliRunner

from shrinkage.cli._app import app
from shrinkage.cli._network_file import Training
from shrinkage.tables import CategoryRule, NumberRule, Recipe

QUICK = ["--hidden", "6", "--epochs", "8", "--strengths", "0,0.003,0.5", "--seeds", "2"]
TRAINING = Training("l1", 1.0, 0.1, "1se", (3,), 5, 32, 0.01, 0, 80, 20, "accuracy", "0.1.0", "shrinkage train")
RECIPE = Recipe((NumberRule("dose", "number", 0.3, True), CategoryRule("color", ("é", "<b>"), False)), (("day", "x"),))


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


def write_tables(folder):
    """A number, two classes and three classes to predict from numbers with holes and a category."""
    X, y = numbers()
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"]).assign(color=np.where(X[:, 2] > 0, "red", "blue"))
    frame.loc[5:12, "d"] = np.nan
    frame.assign(y=y).to_csv(folder / "number.csv", index=False)
    frame.assign(y=np.where(y > -0.8, "yes", "no")).to_csv(folder / "two.csv", index=False)
    kinds = np.where(y > 0, "high", np.where(y > -1.2, "middle", "low"))
    frame.assign(y=kinds).to_csv(folder / "three.csv", index=False)
    codes = np.where(kinds == "high", 2, np.where(kinds == "low", 0, 1))
    frame.assign(y=codes).to_csv(folder / "codes.csv", index=False)
