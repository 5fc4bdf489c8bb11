"""Tall data in blocks: one reading for every strength and fold, that an interrupt does not lose."""

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from sklearn.model_selection import KFold, ShuffleSplit

from shrinkage import ChangedDataError, DataError, cross_validate, open_blocks, path
from shrinkage.problem import Problem
from shrinkage.solvers import _moment_sums

N, P = 4000, 12


def data():
    rng = np.random.default_rng(5)
    X = rng.standard_normal((N, P)) * rng.uniform(0.1, 5, P) + rng.uniform(-50, 50, P)
    return X, X[:, :4] @ rng.standard_normal(4) + rng.standard_normal(N)


WEIGHTS = np.random.default_rng(1).integers(0, 3, N).astype(float)
STATED = {
    "plain": {},
    "weights": {"sample_weight": WEIGHTS},
    "free columns": {"penalty_factor": np.r_[0.0, 0.0, np.linspace(0.5, 2, P - 2)]},
    "standardized": {"standardize": True},
    "elastic net": {"l1_ratio": 0.4},
    "no intercept": {"fit_intercept": False},
    "offset": {"offset": WEIGHTS},
    "everything": {
        "sample_weight": WEIGHTS,
        "penalty_factor": np.r_[0.0, np.ones(P - 1)],
        "standardize": True,
        "l1_ratio": 0.7,
        "offset": WEIGHTS,
    },
}
FOLDS = {
    "runs": 5,
    "shuffled": KFold(3, shuffle=True, random_state=0),
    "overlapping": ShuffleSplit(3, test_size=0.3, train_size=0.5, random_state=0),
}


@pytest.mark.parametrize("stated", STATED)
@pytest.mark.parametrize("folds", FOLDS)
def test_blocks_and_the_whole_agree(stated, folds):
    X, y = data()
    keywords = {**STATED[stated], "cv": FOLDS[folds], "n_alphas": 20}
    blocks = open_blocks(X, rows=700)
    found, expected = cross_validate(blocks, y, **keywords), cross_validate(X, y, **keywords)
    np.testing.assert_allclose(found.alphas, expected.alphas, rtol=1e-12)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-9)
    np.testing.assert_allclose(found.path.coefs.toarray(), expected.path.coefs.toarray(), rtol=1e-8, atol=1e-10)
    problem = found.path.problem
    assert isinstance(problem, Problem)
    gaps = problem.relative(problem.gaps(found.path.coefs, found.path.intercepts, found.alphas))
    assert gaps.max() < 1e-10


def test_the_data_are_read_once():
    X, y = data()
    blocks = open_blocks(X, rows=700)
    cross_validate(blocks, y, cv=KFold(4, shuffle=True, random_state=0))
    assert blocks.readings == 1


def test_columns_far_from_zero_cost_no_digits():
    X, y = data()
    found = path(open_blocks(X + 1e8, rows=500), y, n_alphas=10)
    expected = path(X, y, n_alphas=10)
    np.testing.assert_allclose(found.coefs.toarray(), expected.coefs.toarray(), rtol=1e-5, atol=1e-6)


class Stop(Exception):
    """What a progress callback may raise."""


def stopping(at: int):
    def stop(progress):
        if progress.done >= at:
            raise Stop

    return stop


@pytest.mark.parametrize("at", [1000, 2000, 4000])
def test_an_interrupted_reading_goes_on(tmp_path, at, monkeypatch):
    X, y = data()
    keywords = {"cv": 4, "n_alphas": 10, "sample_weight": WEIGHTS}
    straight = cross_validate(open_blocks(X, rows=500), y, **keywords)
    with pytest.raises(Stop):
        cross_validate(open_blocks(X, rows=500, state=tmp_path, progress=stopping(at)), y, **keywords)
    added = []
    add = _moment_sums.add_moments
    monkeypatch.setattr(_moment_sums, "add_moments", lambda *a, **k: added.append(0) or add(*a, **k))
    resumed = cross_validate(open_blocks(X, rows=500, state=tmp_path), y, **keywords)
    assert len(added) == (N - at) // 500
    np.testing.assert_array_equal(resumed.scores, straight.scores)
    np.testing.assert_array_equal(resumed.path.coefs.toarray(), straight.path.coefs.toarray())


def test_kept_sums_serve_another_mix_and_grid(tmp_path, monkeypatch):
    X, y = data()
    expected = path(X, y, n_alphas=7, l1_ratio=0.3)
    path(open_blocks(X, rows=500, state=tmp_path), y, n_alphas=5)
    monkeypatch.setattr(_moment_sums, "add_moments", None)
    other = path(open_blocks(X, rows=500, state=tmp_path), y, n_alphas=7, l1_ratio=0.3)
    np.testing.assert_allclose(other.coefs.toarray(), expected.coefs.toarray(), atol=1e-10)


def test_changed_data_are_refused(tmp_path):
    X, y = data()
    path(open_blocks(X, rows=500, state=tmp_path), y, n_alphas=5)
    X[1200, 3] = np.nextafter(X[1200, 3], 0)
    with pytest.raises(ChangedDataError, match=r"rows 1000 to 1499 of X are not those .* name another folder"):
        path(open_blocks(X, rows=500, state=tmp_path), y, n_alphas=5)
    with pytest.raises(ChangedDataError, match="rows 0 to 699"):  # other blocks
        path(open_blocks(X, rows=700, state=tmp_path), y, n_alphas=5)


def test_another_question_has_sums_of_its_own(tmp_path):
    X, y = data()
    for keywords in ({}, {"sample_weight": WEIGHTS}, {"fit_intercept": False}, {"offset": WEIGHTS}):
        found = path(open_blocks(X, rows=500, state=tmp_path), y, n_alphas=5, **keywords)
        expected = path(X, y, n_alphas=5, **keywords)
        np.testing.assert_allclose(found.coefs.toarray(), expected.coefs.toarray(), atol=1e-10)
    assert len(list(tmp_path.iterdir())) == 4


def test_a_damaged_file_is_named(tmp_path):
    X, y = data()
    path(open_blocks(X, state=tmp_path), y, n_alphas=5)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(DataError, match=r"cannot be read as kept sums: .*; delete it"):
        path(open_blocks(X, state=tmp_path), y, n_alphas=5)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
@pytest.mark.parametrize("row", [0, 1203])
def test_a_value_that_is_not_finite_ends_the_reading_in_its_block_and_spoils_no_kept_sums(tmp_path, row, value):
    X, y = data()
    bad = X.copy()
    bad[row, 3] = value
    told = []
    blocks = open_blocks(bad, rows=500, state=tmp_path, progress=told.append)
    with pytest.raises(DataError, match=f"X must be finite; row {row}, column 3 is NaN or infinite"):
        cross_validate(blocks, y, cv=4, n_alphas=5)
    assert len(told) == row // 500  # one reading, and no block after that one
    found = cross_validate(open_blocks(X, rows=500, state=tmp_path), y, cv=4, n_alphas=5)
    expected = cross_validate(open_blocks(X, rows=500), y, cv=4, n_alphas=5)
    np.testing.assert_array_equal(found.scores, expected.scores)


def test_one_block_far_from_the_others_costs_little():
    X, y = data()
    X[:500] += 1e3 * X.std(axis=0)
    found = path(open_blocks(X, rows=500), y, n_alphas=20)
    problem = found.problem
    assert problem is not None
    assert problem.relative(problem.gaps(found.coefs, found.intercepts, found.alphas)).max() < 1e-9


@pytest.mark.skipif(os.name == "nt", reason="a signal is sent")
def test_ctrl_c_ends_a_reading_and_keeps_what_was_done(tmp_path):
    code = f"""
        import signal
        import numpy as np
        from shrinkage import open_blocks, path
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is born deaf to it
        block = np.random.default_rng(0).standard_normal((4096, 300))
        tell = lambda progress: print(progress.done, flush=True)
        blocks = open_blocks(lambda: (block for _ in range(2000)), state={str(tmp_path)!r}, progress=tell)
        path(blocks, np.arange(2000.0 * 4096))
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < 20 * 4096:
            pass
        process.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in process.communicate(timeout=120)[1]  # loose: others run beside
    (file,) = tmp_path.iterdir()
    with np.load(file) as kept:
        assert 20 <= len(kept["blocks"]) < 2000


@pytest.mark.parametrize("stated", [name for name in STATED if name != "elastic net"])
def test_ridge_of_blocks_comes_from_one_reading_for_moments(stated):
    X, y = data()
    alphas = [30.0, 1.0, 1e-3, 0.0, 5.0]
    keywords = {**STATED[stated], "l1_ratio": 0.0, "alphas": alphas, "cv": FOLDS["shuffled"]}
    blocks = open_blocks(X, rows=700)
    found, expected = cross_validate(blocks, y, **keywords), cross_validate(X, y, **keywords)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-9)
    np.testing.assert_allclose(found.path.coefs.toarray(), expected.path.coefs.toarray(), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(found.path.intercepts, expected.path.intercepts, rtol=1e-7)
    problem = found.path.problem
    assert isinstance(problem, Problem)
    gaps = problem.relative(problem.gaps(found.path.coefs, found.path.intercepts, found.alphas))
    assert gaps.max() < 1e-12
    assert found.fold_gaps.max() < 1e-12
    assert found.path.kkt.max() < 1e-9
    assert problem.kkts(found.path.coefs, found.path.intercepts, found.alphas).max() < 1e-9


def test_strengths_of_ridge_reach_from_the_same_largest_one():
    X, y = data()
    found = path(open_blocks(X, rows=700), y, l1_ratio=0.0, n_alphas=5)
    np.testing.assert_allclose(found.alphas, path(X, y, l1_ratio=0.0, n_alphas=5).alphas, rtol=1e-10)


def test_strength_zero_of_a_lasso_needs_no_other_reading():
    X, y = data()
    blocks = open_blocks(X, rows=700)
    found = path(blocks, y, alphas=[1.0, 0.0])
    assert blocks.readings == 1
    np.testing.assert_allclose(found.coefs.toarray()[:, 1], np.linalg.lstsq(np.c_[np.ones(N), X], y)[0][1:], rtol=1e-8)


def test_repeated_columns_share_what_ridge_gives_them():
    X, y = data()
    X = np.hstack([X, X[:, :3], np.ones((N, 1))])
    found = path(open_blocks(X, rows=700), y, l1_ratio=0.0, alphas=[1.0, 0.0]).coefs.toarray()
    np.testing.assert_allclose(found[:3], found[-4:-1], rtol=1e-6)
    np.testing.assert_array_equal(found[-1] * 0, found[-1].round(8))
