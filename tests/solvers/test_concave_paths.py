"""Paths of MCP and SCAD: stationary points on every loss and design, no higher than where they start."""

import warnings

import numpy as np
import pytest
from penalized_data import LOSSES, data
from scipy import sparse

from shrinkage import cross_validate, path
from shrinkage._errors import ArgumentError, ConvergenceWarning
from shrinkage.design import as_design
from shrinkage.losses import Logistic, Poisson, Squared
from shrinkage.penalties import L1, MCP, SCAD
from shrinkage.problem import Problem
from shrinkage.solvers import Status, solve

KINDS = [lambda gamma: MCP(1.0, gamma), lambda gamma: SCAD(1.0, gamma + 1.0)]


def gamma_for(loss):
    return 3.0 if loss.name == "squared" else 12.0


def largest_gradient(problem):
    slope = problem.loss.gradient(problem.y, problem.null.eta)
    return np.abs(problem.design.correlate((problem.weights * slope)[:, None])).max()


def check_stationary(found, tol=1e-6):
    problem = found.problem
    assert set(found.status) == {Status.STATIONARY}
    assert np.isnan(found.gaps).all()
    again = problem.kkts(found.coefs, found.intercepts, found.alphas)
    assert again.max() <= tol * largest_gradient(problem)
    assert np.allclose(again, found.kkt, atol=1e-3 * tol * largest_gradient(problem))


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
@pytest.mark.parametrize("kind", KINDS, ids=["MCP", "SCAD"])
def test_every_loss_ends_at_stationary_points(loss, kind):
    X, y = data(loss)
    rng = np.random.default_rng(1)
    factors = np.ones(30)
    factors[:3] = 0.0, 2.0, 0.5
    penalty = kind(gamma_for(loss))
    grid = {"n_alphas": 12, "alpha_min_ratio": 0.1, "loss": loss}
    check_stationary(path(X, y, penalty=penalty, **grid))
    weights, offset = rng.integers(0, 3, len(y)).astype(float), 0.1 * rng.normal(size=len(y))
    check_stationary(path(X, y, penalty=penalty, standardize=True, sample_weight=weights, offset=offset, **grid))
    free = type(penalty)(1.0, penalty.gamma, factors)
    sparse_X = sparse.csc_array(X * (rng.random(X.shape) < 0.4))
    check_stationary(path(sparse_X, y, penalty=free, **grid))
    check_stationary(path(np.ascontiguousarray(X, dtype=np.float32), y, penalty=free, **grid))


@pytest.mark.parametrize("kind", [MCP, SCAD])
def test_orthogonal_columns_are_solved_by_one_prox(kind):
    rng = np.random.default_rng(2)
    n, p = 64, 10
    Q = np.linalg.qr(np.column_stack([np.ones(n), rng.normal(size=(n, p))]))[0][:, 1:] * np.sqrt(n)
    y = Q @ np.linspace(-3, 3, p) + rng.normal(size=n)
    found = path(Q, y, penalty=kind(1.0), n_alphas=15, alpha_min_ratio=0.02)
    for t, alpha in enumerate(found.alphas):
        best = kind(alpha).prox(Q.T @ (y - y.mean()) / n, 1.0)
        assert found.coefs[:, [t]].toarray()[:, 0] == pytest.approx(best, abs=1e-10)


@pytest.mark.parametrize("loss", [Squared(), Poisson()], ids=lambda loss: loss.name)
def test_far_from_its_bend_a_path_is_that_of_the_lasso(loss):
    X, y = data(loss)
    lasso = path(X, y, loss=loss, n_alphas=10, alpha_min_ratio=0.05)
    for penalty in (MCP(1.0, 1e7), SCAD(1.0, 1e7)):
        found = path(X, y, loss=loss, penalty=penalty, alphas=lasso.alphas)
        assert found.coefs.toarray() == pytest.approx(lasso.coefs.toarray(), abs=1e-5)
        assert found.intercepts == pytest.approx(lasso.intercepts, abs=1e-5)


@pytest.mark.parametrize("loss", [Squared(), Logistic()], ids=lambda loss: loss.name)
def test_a_weight_of_two_is_the_row_twice_and_a_sparse_matrix_is_the_dense_one(loss):
    X, y = data(loss)
    weights = np.ones(len(y))
    weights[:20], weights[20:25] = 2.0, 0.0
    twice = np.concatenate([np.arange(20), np.arange(20), np.arange(25, len(y))])
    options = {"loss": loss, "penalty": MCP(1.0, gamma_for(loss)), "n_alphas": 10, "alpha_min_ratio": 0.2}
    weighted = path(X, y, sample_weight=weights, standardize=True, **options)
    for other in (
        path(X[twice], y[twice], standardize=True, **options),
        path(sparse.csc_array(X), y, sample_weight=weights, standardize=True, **options),
        path(X[:, ::-1], y, sample_weight=weights, standardize=True, **options),
    ):
        coefs = other.coefs.toarray()
        coefs = coefs[::-1] if other.problem is not None and other.problem.design.shape == X.shape else coefs
        straight = np.abs(other.coefs.toarray() - weighted.coefs.toarray()).max()
        assert min(straight, np.abs(coefs - weighted.coefs.toarray()).max()) <= 1e-5


def test_one_strength_alone_is_that_of_a_path_in_short_strides():
    X, y = data(Squared())
    found = path(X, y, penalty=MCP(1.0), n_alphas=30, alpha_min_ratio=0.1)
    alone = solve(Problem(as_design(X), y, Squared(), MCP(float(found.alphas[-1]))))
    assert alone.status is Status.STATIONARY
    objective = found.problem.with_penalty(MCP(float(found.alphas[-1]))).objective
    best = objective(found.coefs[:, [-1]].toarray()[:, 0], found.intercepts[-1])
    assert objective(alone.coef, alone.intercept) <= best * 1.05


def test_strength_zero_and_repeated_strengths_are_answered():
    X, y = data(Squared())
    found = path(X, y, penalty=SCAD(1.0), alphas=[0.3, 0.1, 0.1, 0.0])
    assert np.array_equal(found.coefs[:, [1]].toarray(), found.coefs[:, [2]].toarray())
    least = np.linalg.lstsq(np.column_stack([np.ones(len(y)), X]), y)[0]
    assert found.coefs[:, [3]].toarray()[:, 0] == pytest.approx(least[1:], abs=1e-8)


@pytest.mark.parametrize("loss", [Squared(), Logistic(), Poisson()], ids=lambda loss: loss.name)
def test_degenerate_data_give_numbers(loss):
    X, y = data(loss, n=24, p=30)
    X[:, 1], X[:, 2], X[:, 3] = X[:, 0], 5.0, 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for rows in (slice(None), slice(0, 24, 4)):
            if len(set(y[rows])) > 1:
                found = path(X[rows], y[rows], loss=loss, penalty=MCP(1.0, 8.0), n_alphas=5, alpha_min_ratio=0.2)
                assert np.isfinite(found.coefs.data).all()
                assert not found.coefs[[2, 3]].nnz
    if loss.name != "logistic":
        constant = path(X, np.full(24, 3.0), loss=loss, penalty=MCP(1.0))
        assert constant.alphas.tolist() == [0.0]
        assert not constant.coefs.nnz


@pytest.mark.parametrize("loss", [Squared(), Poisson()], ids=lambda loss: loss.name)
def test_folds_are_paths_on_their_training_rows(loss):
    X, y = data(loss)
    rows = np.arange(len(y))
    folds = [(rows[rows % 3 != k], rows[rows % 3 == k]) for k in range(3)]
    options = {"loss": loss, "penalty": SCAD(1.0, 6.0), "standardize": True}
    cv = cross_validate(X, y, cv=folds, n_alphas=8, alpha_min_ratio=0.2, **options)
    assert 0 < cv.alpha_min <= cv.alpha_1se
    for k, (train, test) in enumerate(folds):
        own = path(X[train], y[train], alphas=cv.alphas, **options)
        for t, alpha in enumerate(cv.alphas):
            mean = own.predict(X[test], alpha)
            eta = mean if loss.name == "squared" else np.log(mean)
            assert cv.scores[t, k] == pytest.approx(loss.deviance(y[test], eta).mean(), rel=1e-5)


def test_no_penalty_of_another_kind_is_taken_for_one_of_these():
    X, y = data(Squared())
    with pytest.raises(ArgumentError, match="penalty already says l1_ratio"):
        path(X, y, penalty=MCP(1.0), penalty_factor=np.ones(30))
    with pytest.raises(ArgumentError, match="must have shape"):
        path(X, y, penalty=MCP(1.0, 3.0, np.ones(4)))
    assert "largest violation" in repr(path(X, y, penalty=MCP(1.0), n_alphas=3))
    assert "l1_ratio 1" in repr(path(X, y, penalty=L1(1.0), n_alphas=3))
