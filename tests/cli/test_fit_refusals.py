"""`shrinkage fit` with files and columns that cannot be used."""

import pandas as pd
import pytest
from click.testing import CliRunner

from shrinkage.cli._app import app


def shrinkage(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="shrinkage")


@pytest.mark.parametrize(
    ("content", "arguments", "code", "said"),
    [
        ("x,y\n1,2\n3,4\n5,6\n", ["--target", "z"], 3, "no target 'z'"),
        ("x,y\n1,2\n3\n", ["--target", "y"], 3, "line 3"),
        ("x,y\n1,\n3,4\n5,6\n", ["--target", "y"], 3, "missing in 1 row"),
        ("x,y\n1,a\n3,a\n5,a\n", ["--target", "y"], 3, "nothing to predict"),
        ("x,y\n1,2\n1,4\n1,6\n", ["--target", "y", "--cv", "2"], 3, "one value only"),
        ("x,y\n1,a\n3,b\n5,b\n", ["--target", "y", "--cv", "2"], 3, "one row only"),
        ("x,y\n1,2\n3,4\n5,6\n", ["--target", "y", "--drop", "q"], 3, "no column to drop 'q'"),
        ("x,y\n1,2\n3,4\n5,6\n", ["--target", "y"], 2, "--cv must be at most the number of rows, 3; got 10"),
        (
            "x,y\n1,a\n3,b\n5,c\n",
            ["--target", "y", "--loss", "poisson"],
            3,
            "target 'y' must be numbers for the poisson loss; data row 1 is 'a': name a column of numbers, or one",
        ),
        ("x,y\n1,a\n3,b\n5,b\n", ["--target", "y", "--loss", "squared"], 3, "data row 1 is 'a': use loss logistic"),
        ("x,y\n1,2\n3,4\n5,oops\n", ["--target", "y"], 3, "data row 3 is 'oops': correct it, or leave the row out"),
        ("x;y\n1;2\n", ["--target", "y"], 3, "fields must be separated by ','; the first line has ';'"),
        ("x\ty\n1\t2\n", ["--target", "y"], 3, "and no comma: name the file .tsv"),
        pytest.param("x" * 200_000 + ",y\n1,2\n", ["--target", "y"], 3, "cannot be read as CSV", id="long-name"),
        pytest.param(
            "x,y\n" + "1" * 200_000 + ",2\n1,2,3\n", ["--target", "y"], 3, "cannot be read as", id="long-value"
        ),
        (" x, y\n1,2\n", ["--target", "y"], 3, "no target 'y'; did you mean ' y'?"),
        (
            "x,y,t\n1,2,1\n3,4,2\n",
            ["--target", "t", "--loss", "cox", "--strata", "x"],
            3,
            "at no event was another row of its stratum 'x' at risk",
        ),
        ("x,y\n1,2\n", ["--target", "y", "--cv", "1"], 2, "--cv"),
        ("x,y\n1,2\n", [], 2, "--target"),
        ("x,y\n1,2\n", ["--target", "y", "--penalty", "l3"], 2, "choose from l1, l2, elastic"),
        ("x,y\n1,2\n", ["--target", "y", "--l1-ratio", "2"], 2, "--l1-ratio"),
        ("x,y\n1,2\n", ["--target", "y", "--loss", "poison"], 2, "logistic"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_a_code(tmp_path, content, arguments, code, said):
    (tmp_path / "d.csv").write_text(content)
    result = shrinkage("fit", tmp_path / "d.csv", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_an_infinite_number_is_no_error_where_its_column_is_dropped(tmp_path):
    (tmp_path / "d.csv").write_text("x,z,y\n1,2,2\ninf,3,3\n3,1,5\n4,5,4\n5,2,7\n6,1,6\n")
    arguments = ("fit", tmp_path / "d.csv", "--target", "y", "--cv", "3", "--penalty", "l1")
    refused = shrinkage(*arguments)
    assert refused.exit_code == 3
    assert "or drop the column" in refused.stderr
    assert shrinkage(*arguments, "--drop", "x").exit_code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--target", "y", "--loss", "gamma"), "target 'y' must be > 0 and finite for Gamma; data row 4 is -1.0"),
        (("--target", "hole"), "target 'hole' is missing in 1 row, first in data row 4"),
        (("--target", "typo", "--loss", "squared"), "data row 4 is 'x': correct it"),
        (("--target", "t", "--exposure", "y"), "exposure 'y' must be > 0; data row 4 is -1: remove it"),
        (("--target", "t", "--offset", "hole"), "offset 'hole' must not be missing; data row 4 is"),
        (("--target", "t", "--time-folds", "hole"), "time 'hole' must not be missing; data row 4 is"),
        (("--target", "y", "--loss", "cox"), "time 'y' must be >= 0; data row 4 is -1"),
        (("--target", "t", "--loss", "cox", "--event", "y"), "where the time is censored; data row 2 is 3"),
    ],
)
def test_rows_have_their_numbers_in_the_file_where_rows_of_weight_0_are_left_out(tmp_path, options, said):
    frame = pd.DataFrame({"w": [0, 1, 1, 1, 1, 1], "x": [3, 1, 2, 5, 4, 6], "y": [-2, 3, 4, -1, 5, 6]})
    frame["t"], frame["hole"] = [1, 2, 3, 4, 5, 6], [None, 2, 3, None, 5, 6]
    frame["typo"] = ["z", "2", "3", "x", "5", "6"]
    frame.to_csv(tmp_path / "d.csv", index=False)
    result = shrinkage("fit", tmp_path / "d.csv", "--weights", "w", "--cv", "2", *options)
    assert result.exit_code == 3, result.output
    assert said in result.stderr
