"""Paths of the sorted L1 norm: certified minima on every loss and design."""

import numpy as np
import pytest
from penalized_data import LOSSES, data
from scipy import sparse

from shrinkage import cross_validate, path
from shrinkage._errors import ArgumentError
from shrinkage.design import as_design
from shrinkage.losses import Cox, Logistic, Poisson, Squared
from shrinkage.penalties import SortedL1, bh_weights
from shrinkage.problem import Problem
from shrinkage.solvers import Status, solve
from shrinkage.solvers._fista import solve_fista

WEIGHTS = np.linspace(1.0, 0.2, 30)


def check_certified(found, tol=1e-6):
    problem = found.problem
    assert set(found.status) == {Status.CONVERGED}
    gaps = problem.relative(problem.gaps(found.coefs, found.intercepts, found.alphas))
    assert gaps.min() >= -1e-12
    assert gaps.max() <= tol


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_every_loss_ends_at_certified_minima(loss):
    X, y = data(loss)
    rng = np.random.default_rng(1)
    grid = {"n_alphas": 8, "alpha_min_ratio": 0.05, "loss": loss}
    penalty = SortedL1(1.0, bh_weights(30, 0.2))
    found = path(X, y, penalty=penalty, **grid)
    check_certified(found)
    assert not found.coefs[:, [0]].nnz
    assert found.coefs[:, [1]].nnz
    weights, offset = rng.integers(0, 3, len(y)).astype(float), 0.1 * rng.normal(size=len(y))
    check_certified(path(X, y, penalty=penalty, standardize=True, sample_weight=weights, offset=offset, **grid))
    free = SortedL1(1.0, WEIGHTS, np.where(np.arange(30) < 2, 0.0, 1.0))
    check_certified(path(sparse.csc_array(X * (rng.random(X.shape) < 0.4)), y, penalty=free, **grid))
    check_certified(path(X.astype(np.float32), y, penalty=free, **grid))


@pytest.mark.parametrize("loss", [Squared(), Logistic()], ids=lambda loss: loss.name)
def test_one_strength_is_what_proximal_gradients_find(loss):
    X, y = data(loss)
    stated = Problem(as_design(X), y, loss, SortedL1(0.05, WEIGHTS))
    ours, theirs = solve(stated, tol=1e-9), solve_fista(stated, tol=1e-9)
    assert ours.status is theirs.status is Status.CONVERGED
    assert ours.coef == pytest.approx(theirs.coef, abs=1e-3)
    assert stated.objective(ours.coef, ours.intercept) <= stated.objective(theirs.coef, theirs.intercept) + 1e-9


def test_equal_weights_are_the_lasso_and_duplicates_share():
    X, y = data(Squared())
    lasso = path(X, y, n_alphas=10, alpha_min_ratio=0.02)
    found = path(X, y, penalty=SortedL1(1.0, np.ones(30)), n_alphas=10, alpha_min_ratio=0.02)
    assert found.alphas == pytest.approx(lasso.alphas)
    assert found.coefs.toarray() == pytest.approx(lasso.coefs.toarray(), abs=1e-7)
    twice = path(np.hstack([X, X]), y, penalty=SortedL1(1.0, np.linspace(1, 0.2, 60)), n_alphas=6, alpha_min_ratio=0.1)
    check_certified(twice)
    coefs = twice.coefs.toarray()
    assert coefs[:30] == pytest.approx(coefs[30:], abs=1e-7)


def test_wide_data_need_few_columns():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(60, 800))
    y = X[:, :5].sum(1) + rng.normal(size=60)
    found = path(X, y, penalty=SortedL1(1.0, bh_weights(800, 0.1)), n_alphas=20, alpha_min_ratio=0.1)
    check_certified(found)
    assert found.coefs[:5, [-1]].toarray().all()


@pytest.mark.parametrize("loss", [Squared(), Poisson()], ids=lambda loss: loss.name)
def test_degenerate_data_give_numbers(loss):
    X, y = data(loss, n=24, p=30)
    X[:, 1], X[:, 2], X[:, 3] = X[:, 0], 5.0, 0.0
    found = path(X, y, loss=loss, penalty=SortedL1(1.0, WEIGHTS), n_alphas=6, alpha_min_ratio=0.05)
    check_certified(found)
    assert not found.coefs[[2, 3]].nnz
    constant = path(X, np.full(24, 3.0), loss=loss, penalty=SortedL1(1.0, WEIGHTS))
    assert constant.alphas.tolist() == [0.0]


def test_folds_are_paths_on_their_training_rows():
    X, y = data(Squared())
    rows = np.arange(len(y))
    folds = [(rows[rows % 3 != k], rows[rows % 3 == k]) for k in range(3)]
    cv = cross_validate(X, y, cv=folds, penalty=SortedL1(1.0, WEIGHTS), n_alphas=8, score="mae")
    assert cv.fold_gaps.max() <= 1e-6
    for k, (train, test) in enumerate(folds):
        own = path(X[train], y[train], alphas=cv.alphas, penalty=SortedL1(1.0, WEIGHTS))
        errors = [np.abs(y[test] - own.predict(X[test], alpha)).mean() for alpha in cv.alphas]
        assert cv.scores[:, k] == pytest.approx(errors, rel=1e-5)


def test_what_it_does_not_take_is_refused():
    X, y = data(Squared())
    with pytest.raises(ArgumentError, match="weights of SortedL1 must be as many as columns, 30; got 5"):
        path(X, y, penalty=SortedL1(1.0, np.ones(5)))
    survival = np.column_stack([np.arange(1.0, 121.0), np.ones(120)])
    with pytest.raises(ArgumentError, match="SortedL1 needs a loss of rows"):
        path(X, survival, loss=Cox(), penalty=SortedL1(1.0, WEIGHTS))
