"""Tables to train on, and networks trained on them, once for each file of tests."""

import pytest


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """A folder with a number, two classes and three classes to predict from numbers with holes and a category."""
    train_calls = pytest.importorskip("train_calls")
    folder = tmp_path_factory.mktemp("data")
    train_calls.write_tables(folder)
    return folder


@pytest.fixture(scope="module")
def trained(tables, tmp_path_factory):
    """Each kind of target, trained and saved: the answer and the folder."""
    pytest.importorskip("torch")
    from train_calls import QUICK, answer

    found = {}
    for name in ("number", "two", "three"):
        out = tmp_path_factory.mktemp(name)
        found[name] = (answer(tables / f"{name}.csv", "--target", "y", *QUICK, "--out", out), out)
    return found
