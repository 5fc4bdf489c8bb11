"""Paths of data in blocks that moments cannot give: wide data, and other losses than the squared one."""

import numpy as np
import pytest

from shrinkage import cross_validate, open_blocks
from shrinkage.design import as_design
from shrinkage.losses import Squared
from shrinkage.penalties import L1L2
from shrinkage.problem import Problem
from shrinkage.selection import stability_selection
from shrinkage.solvers import _growing
from shrinkage.solvers._ridge_columns import DesignColumns, frame_of


def shaped(n, p):
    rng = np.random.default_rng(n)
    X = rng.standard_normal((n, p)) + rng.uniform(-5, 5, p)
    return X, (X - X.mean(0))[:, :5] @ np.array([2.0, -1, 1, 0.5, 0.25]) + rng.standard_normal(n)


@pytest.mark.parametrize("shape", [(90, 400), (1500, 15)], ids=["wide", "tall"])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_blocks_and_the_whole_agree(shape, loss, l1_ratio):
    X, y = shaped(*shape)
    y = y if loss == "squared" else (y > 0).astype(float)
    keywords = {"loss": loss, "l1_ratio": l1_ratio, "cv": 3, "n_alphas": 15, "alpha_min_ratio": 0.02, "tol": 1e-9}
    blocks = open_blocks(X, rows=37)
    found, expected = cross_validate(blocks, y, **keywords), cross_validate(X, y, **keywords)
    np.testing.assert_allclose(found.alphas, expected.alphas, rtol=1e-10)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4)
    assert found.path.relative_gaps.max() < 1e-9
    problem = expected.path.problem
    assert isinstance(problem, Problem)
    assert problem.relative(problem.gaps(found.path.coefs, found.path.intercepts, found.alphas)).max() < 2e-9


def test_a_float32_file_by_columns_is_a_wide_x_too(tmp_path):
    X, y = shaped(90, 400)
    np.save(tmp_path / "X.npy", np.asfortranarray(X, dtype=np.float32))
    found = cross_validate(open_blocks(tmp_path / "X.npy"), y, cv=3, n_alphas=15, alpha_min_ratio=0.02)
    expected = cross_validate(X.astype(np.float32), y, cv=3, n_alphas=15, alpha_min_ratio=0.02)
    np.testing.assert_allclose(found.path.coefs.toarray(), expected.path.coefs.toarray(), atol=1e-6)


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_the_gram_of_ridge_is_one_reading(fit_intercept):
    X, y = shaped(1500, 15)
    X[:, 4] = 7.0  # constant
    weights = np.random.default_rng(0).random(1500)
    factors = np.r_[0.0, np.ones(14)]
    sets = [np.arange(1500), np.arange(0, 1500, 3), np.arange(40, 90)]
    blocks = open_blocks(X, rows=100)
    made = {}
    for design in (blocks, as_design(X)):
        problem = Problem(design, y, Squared(), L1L2(1.0, 0.0, factors), fit_intercept=fit_intercept)
        means, variances = design.column_moments()
        columns = DesignColumns(design, frame_of(problem, (means[:, 0], variances[:, 0]), None))
        before = blocks.readings
        made[design is blocks] = columns.row_grams(weights, sets)
        assert blocks.readings == before + (design is blocks)
    for found, expected in zip(made[True], made[False], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_columns_on_disk_are_those_in_memory(monkeypatch):
    monkeypatch.setattr(_growing, "_LARGE", 0)
    grown = _growing.Columns(1000, 2, on_disk=True)
    parts = [np.random.default_rng(k).standard_normal((1000, 3)) for k in range(5)]
    for part in parts:
        grown.append(3)[:] = part
    np.testing.assert_array_equal(grown.values, np.hstack(parts))
    assert grown.values.flags.f_contiguous


@pytest.mark.parametrize("shape", [(60, 150), (900, 12)], ids=["on their own rows", "by moments"])
def test_halves_of_blocks_select_as_halves_of_the_whole(shape):
    X, y = shaped(*shape)
    keywords = {"threshold": 0.75, "bound": 1, "random_state": 0, "n_pairs": 4}
    found = stability_selection(open_blocks(X, rows=37), y, **keywords)
    expected = stability_selection(X, y, **keywords)
    np.testing.assert_array_equal(found.frequencies, expected.frequencies)
