"""MCP and SCAD where models of the loss mislead: more columns than rows, separated classes, rows without curvature."""

import numpy as np
import pytest
from penalized_data import LOSSES
from scipy import sparse

from shrinkage import _core, path
from shrinkage.losses import Logistic, Poisson, Quantile
from shrinkage.penalties import L1, MCP, SCAD
from shrinkage.solvers import Status

SHARP = {"logistic": 3.0, "quantile": 0.5}  # gammas at which single coordinates are concave; 1.05 for the others


def draw(loss, seed):
    """Rows fewer than columns, correlated, some columns twice; on odd seeds most entries are 0."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(8, 40)), int(rng.integers(30, 70))
    X = np.sqrt(0.5) * (rng.normal(size=(n, p)) + rng.normal(size=(n, 1)))
    X[:, 5], X[:, 6] = X[:, 4], -X[:, 4]
    if seed % 2:
        X *= rng.random((n, p)) < 0.2
    eta = X[:, :6] @ rng.normal(size=6)
    if loss.name == "logistic":
        y = (eta + rng.normal(size=n) > 0).astype(float)
        y[:2] = 0.0, 1.0
    elif loss.name in ("poisson", "negative_binomial"):
        y = rng.poisson(np.exp(np.clip(eta, -6, 4))).astype(float)
    elif loss.name in ("gamma", "tweedie"):
        y = np.exp(np.clip(eta, -6, 4)) * rng.gamma(2.0, 0.5, size=n) + 1e-6
    else:
        y = eta + rng.standard_t(3, size=n)
    return X, y


def slopes(penalty, alpha, size):
    """p'(|w|) from the formulas in the docstrings."""
    gamma = penalty.gamma
    if isinstance(penalty, MCP):
        return np.maximum(alpha - size / gamma, 0.0)
    return np.where(size <= alpha, alpha, np.maximum(gamma * alpha - size, 0.0) / (gamma - 1.0))


def lacking(X, y, loss, penalty, alpha, w, b):
    """The largest violation of the conditions of the problem without row weights and factors."""
    slope = loss.gradient(y, X @ w + b) / len(y)
    z, held = -X.T @ slope, slopes(penalty, alpha, np.abs(w))
    return max(abs(slope.sum()), np.where(w == 0, np.abs(z) - alpha, np.abs(z - held * np.sign(w))).max())


@pytest.mark.parametrize("kind", [MCP, SCAD])
@pytest.mark.parametrize("loss", [*LOSSES, Quantile(0.5, 0.01)], ids=lambda loss: f"{loss.name}")
def test_paths_end_at_stationary_points_however_concave(loss, kind):
    gamma = SHARP.get(loss.name, 1.05)
    penalty = MCP(1.0, gamma) if kind is MCP else SCAD(1.0, max(1.0 + gamma, 2.05))
    for seed in range(6):
        X, y = draw(loss, seed)
        given = sparse.csc_array(X) if seed % 2 else X
        found = path(given, y, loss=loss, penalty=penalty, n_alphas=6, alpha_min_ratio=0.05)
        assert set(found.status) == {Status.STATIONARY}
        null = loss.gradient(y, np.full(len(y), found.intercepts[0])) / len(y)
        for t, alpha in enumerate(found.alphas):
            w = found.coefs[:, [t]].toarray()[:, 0]
            assert lacking(X, y, loss, penalty, alpha, w, found.intercepts[t]) <= 1e-6 * np.abs(X.T @ null).max()


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_a_stationary_point_minimizes_the_weighted_lasso_that_touches_there(loss):
    X, y = draw(loss, 2)
    for penalty in (MCP(1.0, 10.0), SCAD(1.0, 11.0)):
        found = path(X, y, loss=loss, penalty=penalty, n_alphas=6, alpha_min_ratio=0.3)
        for t, alpha in enumerate(found.alphas):
            w = found.coefs[:, [t]].toarray()[:, 0]
            touching = L1(alpha, slopes(penalty, alpha, np.abs(w)) / alpha)
            gap = found.problem.with_penalty(touching).gap(w, found.intercepts[t])
            assert gap <= 1e-5 * found.null_objective


def test_the_unit_of_standardized_columns_does_not_matter():
    X, y = draw(Logistic(), 4)
    options = {"loss": Logistic(), "penalty": MCP(1.0, 3.0), "standardize": True, "n_alphas": 8, "alpha_min_ratio": 0.1}
    for unit in (1e4, 1e-4):
        found = path(unit * X, y, **options)
        assert set(found.status) == {Status.STATIONARY}
        largest = np.abs(unit * X.T @ Logistic().gradient(y, np.full(len(y), found.intercepts[0]))).max() / len(y)
        assert found.kkt.max() <= 1e-6 * largest


@pytest.mark.parametrize("loss", [Poisson(), Quantile(0.5, 0.1)], ids=lambda loss: loss.name)
def test_columns_far_from_zero_end_stationary(loss):
    X, y = draw(loss, 2)
    found = path(X + 1e3, y, loss=loss, penalty=MCP(1.0, 3.0), n_alphas=8, alpha_min_ratio=0.05)
    assert set(found.status) == {Status.STATIONARY}


@pytest.mark.parametrize("kind", [_core.Concave.mcp, _core.Concave.scad])
def test_a_second_start_at_the_lasso_never_ends_higher_and_often_lower(kind):
    lower, p = 0, 60
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(30, p))
        for j in range(1, p):
            X[:, j] = 0.95 * X[:, j - 1] + 0.3 * X[:, j]
        H, linear = np.asfortranarray(X.T @ X / 30), X.T @ (X[:, ::15].sum(axis=1) + rng.normal(size=30)) / 30
        alphas, ends = 0.1 * np.abs(linear).max() * np.ones(1), []
        for two_starts in (False, True):
            coefs, sweeps, objectives = np.empty((p, 1), order="F"), np.zeros(1, np.int32), np.zeros(1)
            common = (kind, 2.2, H, linear, np.ones(p), alphas, 1e-9, 20_000, np.zeros(p), coefs, sweeps, objectives)
            _core.solve_concave(*common, two_starts)
            u = coefs[:, 0]
            stated = (MCP if kind == _core.Concave.mcp else SCAD)(float(alphas[0]), 2.2)
            assert objectives[0] == pytest.approx(0.5 * u @ H @ u - linear @ u + stated.value(u), rel=1e-9)
            assert stated.violation(u, linear - H @ u).max() <= 1e-9
            ends.append(objectives[0])
        assert ends[1] <= ends[0]
        lower += ends[1] < ends[0] - 1e-6 * abs(ends[0])
    assert lower >= 5


@pytest.mark.parametrize("loss", [Logistic(), Poisson()], ids=lambda loss: loss.name)
def test_columns_of_zeros_are_a_path_of_the_null_model(loss):
    found = path(np.zeros((6, 2)), np.array([0.0, 1, 1, 0, 1, 1]), loss=loss, penalty=MCP(1.0))
    assert set(found.status) == {Status.STATIONARY}
    assert not found.coefs.nnz
