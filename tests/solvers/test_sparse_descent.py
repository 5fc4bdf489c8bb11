"""Coordinate descent on sparse columns, wherever it takes over, gives the certified path of the dense engine."""

import itertools

import numpy as np
import pytest
from scipy import sparse

from shrinkage import cross_validate, path
from shrinkage.solvers import _engine, _sparse_descent, _sparse_driver, _sparse_fits


@pytest.fixture(autouse=True)
def descent_from_the_start(monkeypatch):
    monkeypatch.setattr(_sparse_fits, "descent_pays", lambda *sizes: True)


def problem(n=120, p=90, density=0.15, seed=0):
    rng = np.random.default_rng(seed)
    X = sparse.random(n, p, density=density, random_state=rng, format="csc", data_rvs=rng.standard_normal)
    y = X @ np.where(rng.random(p) < 0.3, rng.standard_normal(p), 0.0) + 0.5 * rng.standard_normal(n) + 2.0
    return X, y


KINDS = {
    "plain": {},
    "no intercept": {"fit_intercept": False},
    "weights": {"sample_weight": np.random.default_rng(1).integers(0, 4, 120).astype(float)},
    "offset": {"offset": np.random.default_rng(2).standard_normal(120)},
    "factors and a free column": {"penalty_factor": np.r_[0.0, np.linspace(0.5, 2.0, 89)]},
    "elastic net": {"l1_ratio": 0.4},
    "standardized": {"standardize": True},
    "everything": {
        "sample_weight": np.random.default_rng(3).random(120),
        "penalty_factor": np.r_[np.linspace(0.5, 2.0, 88), 0.0, 0.0],
        "l1_ratio": 0.7,
        "standardize": True,
    },
}


@pytest.mark.parametrize("reach", [True, False], ids=["all columns", "the working set"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_sparse_path_is_certified_and_that_of_the_dense_twin(kind, reach, monkeypatch):
    monkeypatch.setattr(_sparse_fits, "all_columns_pay", lambda *sizes: reach)
    X, y = problem()
    settings = {"n_alphas": 23, "alpha_min_ratio": 1e-3, **KINDS[kind]}
    ours = path(X, y, tol=1e-9, **settings)
    dense = path(X.toarray(), y, tol=1e-12, **{**settings, "alphas": ours.alphas})
    null = ours.problem.null.objective
    gaps = ours.problem.gaps(ours.coefs, ours.intercepts, ours.alphas)
    assert (gaps <= 2e-9 * null).all()
    assert (ours.gaps <= 1e-9 * null).all()
    objective = [
        dense.problem.with_penalty(dense.problem.penalty.with_alpha(a)).objective(w, b)
        for a, w, b in zip(ours.alphas, dense.coefs.toarray().T, dense.intercepts, strict=True)
    ]
    found = [
        ours.problem.with_penalty(ours.problem.penalty.with_alpha(a)).objective(w, b)
        for a, w, b in zip(ours.alphas, ours.coefs.toarray().T, ours.intercepts, strict=True)
    ]
    assert np.allclose(found, objective, rtol=0, atol=2e-9 * null)
    assert np.allclose(ours.coefs.toarray(), dense.coefs.toarray(), atol=1e-3)


@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-12])
def test_the_gap_asked_for_is_met(tol):
    X, y = problem(seed=4)
    found = path(X.astype(np.float32), y, tol=tol, alpha_min_ratio=1e-2)
    assert (found.gaps <= tol * found.problem.null.objective).all()


@pytest.mark.parametrize("reach", [True, False], ids=["all columns", "the working set"])
@pytest.mark.parametrize("standardize", [False, True])
def test_folds_of_a_sparse_problem_score_as_dense_ones(reach, standardize, monkeypatch):
    monkeypatch.setattr(_sparse_fits, "all_columns_pay", lambda *sizes: reach)
    X, y = problem(seed=5)
    settings = {"cv": 4, "n_alphas": 17, "standardize": standardize, "tol": 1e-10}
    ours, dense = cross_validate(X, y, **settings), cross_validate(X.toarray(), y, **settings)
    assert np.allclose(ours.scores, dense.scores, rtol=1e-5)
    assert (ours.path.gaps <= 1e-10 * ours.path.problem.null.objective).all()


def test_columns_that_cannot_be_told_apart_or_hold_nothing_do_no_harm():
    X, y = problem(n=40, p=60, seed=6)
    twins = sparse.hstack([X, X[:, :20], -X[:, :5], sparse.csc_array((40, 3)), np.ones((40, 1))], format="csc")
    found = path(twins, y, alpha_min_ratio=1e-3, tol=1e-8)
    assert (found.gaps <= 1e-8 * found.problem.null.objective).all()
    assert not found.coefs.toarray()[-4:].any()


def test_where_sweeps_do_not_get_there_the_active_set_takes_over(monkeypatch):
    monkeypatch.setattr(_sparse_fits, "sweeps_worth", lambda *_: 1)
    X, y = problem(n=60, p=80, density=0.6, seed=7)
    found = path(X, y, alpha_min_ratio=1e-4, tol=1e-10)
    assert (found.gaps <= 1e-10 * found.problem.null.objective).all()


def test_the_solver_is_chosen_by_what_a_strength_costs_it(monkeypatch):
    pays = _sparse_descent.descent_pays
    assert not pays(200, 2_000, 5_000)
    assert pays(1_000, 20_000, 20_000)
    assert not pays(1_000, 20_000_000, 20_000)
    assert pays(12_000, 1_200_000, 20_000)


@pytest.mark.parametrize("reach", [True, False], ids=["all columns", "the working set"])
def test_on_all_columns_no_look_ahead_cuts_a_batch_short(reach, monkeypatch):
    monkeypatch.setattr(_sparse_fits, "all_columns_pay", lambda *sizes: reach)
    monkeypatch.setattr(_engine, "LEAST_SPARSE_WIDTH", 0)
    monkeypatch.setattr(_sparse_driver.SparseDriver, "newcomers", 1)
    X, y = problem(p=140, seed=8)  # more features than are one batch in any case
    found = path(X, y, n_alphas=24, alpha_min_ratio=1e-3, tol=1e-8)
    assert (found.gaps <= 1e-8 * found.problem.null.objective).all()
    assert (found.n_passes == 3) == reach  # the null model, then 8 strengths and 16


def test_descent_is_given_the_more_sweeps_the_larger_the_support_is_beside_the_columns():
    counts = [_sparse_descent.sweeps_worth(support, 100_000) for support in (300, 2_000, 4_000, 8_000, 10**6)]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (_sparse_descent.MOST_SWEEPS, _sparse_descent.PATIENT_SWEEPS)
    assert counts[2] == pytest.approx(4 * counts[1], abs=4)


def test_a_support_of_nearly_all_rows_is_reached_by_descent():
    X, y = problem(n=300, p=1_200, density=0.05, seed=9)
    found = path(X, y, tol=1e-6)
    assert found.n_nonzero[-1] > 200
    assert (found.relative_gaps <= 1e-6).all()


def test_sweeps_go_on_while_the_support_that_was_found_makes_more_of_them_worth_while(monkeypatch):
    worth, ended = itertools.cycle([1, 20_000]), []
    monkeypatch.setattr(_sparse_fits, "sweeps_worth", lambda *_: next(worth))
    monkeypatch.setattr(_sparse_fits.SparseFits, "_end_descent", lambda self: ended.append(self))
    X, y = problem(n=60, p=80, density=0.6, seed=7)
    found = path(X, y, alpha_min_ratio=1e-3, tol=1e-8)
    assert (found.relative_gaps <= 1e-8).all()
    assert not ended


def test_all_columns_join_as_soon_as_that_pays(monkeypatch):
    asked, held = [], []
    monkeypatch.setattr(_sparse_fits, "all_columns_pay", lambda *_: asked.append(True) or len(asked) > 6)
    until_missed = _sparse_driver.SparseDriver._until_missed

    def watched(self, first, count):
        held.append(self.fits.holds_all)
        return until_missed(self, first, count)

    monkeypatch.setattr(_sparse_driver.SparseDriver, "_until_missed", watched)
    monkeypatch.setattr(_engine, "LEAST_SPARSE_WIDTH", 1)
    X, y = problem(n=200, p=400, seed=8)
    found = path(X, y, alpha_min_ratio=0.1, tol=1e-6)
    assert held == sorted(held)
    assert set(held) == {False, True}
    assert (found.relative_gaps <= 1e-6).all()
