"""Places that cannot be written to and numbers too large: said in a sentence, with a code, before the work."""

import os
import warnings

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from shrinkage.cli import _app
from shrinkage.cli._app import app
from shrinkage.cli._write import write_whole


def shrinkage(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="shrinkage")


@pytest.fixture(name="place")
def make_place(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(30, 3)), columns=["a", "b", "y"])
    frame.to_csv(tmp_path / "d.csv", index=False)
    (tmp_path / "taken").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


FIT = ["fit", "d.csv", "--target", "y", "--penalty", "l1", "--cv", "3"]


@pytest.mark.parametrize(
    ("out", "said"),
    [
        (["--out", "taken/below"], "'taken/below' cannot be made"),
        (["--out", "taken"], "'taken' cannot be made"),
        (["--out", ""], "nothing given; name a folder"),
        (["--out", "--json"], "'--json' looks like an option; name a folder"),
        (["--out", "-"], "'-' looks like an option"),
    ],
)
def test_a_folder_that_cannot_be_made_is_said_before_the_work(place, monkeypatch, out, said):
    monkeypatch.setattr(_app, "run", lambda *_: pytest.fail("the work was begun"))
    result = shrinkage(*FIT, *out)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--out" in result.stderr
    assert said in result.stderr
    assert sorted(entry.name for entry in place.iterdir()) == ["d.csv", "taken"]


def test_a_folder_without_the_right_to_write_is_said_before_the_work(place, monkeypatch):
    monkeypatch.setattr(_app, "run", lambda *_: pytest.fail("the work was begun"))
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)  # the superuser may write anywhere
    result = shrinkage(*FIT, "--out", "locked")
    assert result.exit_code == 2
    assert "the folder 'locked' is not writable; name a folder that can be written" in result.stderr


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("nodir/p.csv", "there is no folder 'nodir'"),
        ("taken/p.csv", "'taken' is a file, no folder"),
        ("out", "'out' is a folder"),
        ("", "nothing given; name a file"),
        ("--proba", "'--proba' looks like an option"),
    ],
)
def test_predictions_need_a_place_too(place, out, said):
    assert shrinkage(*FIT, "--out", "out").exit_code == 0
    result = shrinkage("predict", "out", "d.csv", "--out", out)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--out" in result.stderr
    assert said in result.stderr
    assert shrinkage("predict", "out", "d.csv", "--out", "p.csv").exit_code == 0
    assert len(pd.read_csv(place / "p.csv")) == 30


def test_a_write_that_fails_names_the_file_that_was_asked_for(place, monkeypatch):
    def fails(*_):
        raise OSError(28, "No space left on device", "/tmp/.p.csv.x1")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match=r"^p\.csv cannot be written: No space left on device$"):
        write_whole(place.relative_to(place) / "p.csv", b"")
    result = shrinkage(*FIT, "--out", "out")
    assert result.exit_code == 1
    assert "report.html cannot be written: No space left on device" in result.stderr
    assert "unexpected" not in result.stderr


@pytest.mark.parametrize("column", ["a", "y"])
@pytest.mark.parametrize("option", ["--standardize", "--no-standardize"])
def test_a_huge_number_is_refused_by_its_column(place, column, option):
    frame = pd.read_csv(place / "d.csv")
    frame.loc[4, column] = -1e200
    frame.to_csv(place / "d.csv", index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = shrinkage(*FIT, option)
    assert (result.exit_code, result.stdout) == (3, "")
    assert f"column {column!r} is -1e+200 in data row 5" in result.stderr
    assert "too large: rescale the column" in result.stderr


def test_large_numbers_that_can_be_computed_with_are_no_matter(place):
    frame = pd.read_csv(place / "d.csv")
    frame["a"] *= 1e50
    frame.to_csv(place / "d.csv", index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert shrinkage(*FIT).exit_code == 0


@pytest.mark.parametrize("error", [OverflowError("too big"), FloatingPointError("overflow in multiply")])
def test_an_overflow_is_a_matter_of_the_data(place, monkeypatch, error):
    def overflows(*_):
        raise error

    monkeypatch.setattr(_app, "run", overflows)
    result = shrinkage(*FIT)
    assert result.exit_code == 3
    assert "too large" in result.stderr


def test_a_minimum_at_the_end_of_the_grid_is_said_in_plain_words(place):
    frame = pd.read_csv(place / "d.csv")
    frame["y"] = frame["a"] + 2 * frame["b"]
    frame.to_csv(place / "d.csv", index=False)
    assert "lowest at the end of the grid" in shrinkage(*FIT).stdout
