"""The tables that the laws are tested over: every penalty, every loss, problems of every kind, every array library."""

import importlib
from functools import cache

import numpy as np
import pytest
from scipy import sparse

from shrinkage.design import as_design
from shrinkage.losses import Gamma, Huber, Logistic, NegativeBinomial, Poisson, Quantile, Squared, Tweedie
from shrinkage.penalties import L1, L1L2, L2, MCP, SCAD, Box, GroupL2, SortedL1
from shrinkage.problem import Problem
from shrinkage.solvers._fista import solve_fista

SIZE = 3
FACTORS = np.array([0.0, 1.0, 2.5])

PENALTIES = [
    pytest.param(L1(0.7), id="L1"),
    pytest.param(L1(0.7, FACTORS), id="L1-factors"),
    pytest.param(L1(0.0), id="L1-zero"),
    pytest.param(L2(0.7), id="L2"),
    pytest.param(L2(0.7, FACTORS), id="L2-factors"),
    pytest.param(L1L2(0.7), id="L1L2"),
    pytest.param(L1L2(0.7, 0.9, FACTORS), id="L1L2-factors"),
    pytest.param(L1L2(0.7, 1.0), id="L1L2-lasso-end"),
    pytest.param(L1L2(0.7, 0.0, FACTORS), id="L1L2-ridge-end"),
    pytest.param(GroupL2(0.7, groups=[[0, 1, 2]]), id="GroupL2-one-group"),
    pytest.param(GroupL2(0.7, groups=[[2, 0]]), id="GroupL2-free-coordinate"),
    pytest.param(GroupL2(0.7, groups=[[2], [0, 1]], weights=np.array([0.0, 1.5])), id="GroupL2-free-group"),
    pytest.param(GroupL2(0.7, axis=0), id="GroupL2-axis"),
    pytest.param(GroupL2(0.7, axis=(), weights="ones"), id="GroupL2-whole"),
    pytest.param(GroupL2(0.0, groups=[[0, 1, 2]]), id="GroupL2-zero"),
    pytest.param(L1(0.4) + GroupL2(0.5, groups=[[1, 2], [0]]), id="SparseGroup"),
    pytest.param(L1(0.4, FACTORS) + GroupL2(0.5, groups=[[1, 0]]), id="SparseGroup-factors"),
    pytest.param(L1L2(0.4, 0.3) + GroupL2(0.5, groups=[[2, 1]], weights="ones"), id="SparseGroup-ridge"),
    pytest.param(L1L2(0.4, 0.3, FACTORS) + GroupL2(0.5, axis=()), id="SparseGroup-ridge-factors"),
    pytest.param(L2(0.4) + GroupL2(0.5, groups=[[0, 1]]), id="SparseGroup-only-ridge"),
    pytest.param(Box(L1(0.7), lower=0.0), id="Box-positive"),
    pytest.param(
        Box(L1L2(0.7, 0.4, FACTORS), np.array([-np.inf, -1.0, 0.0]), np.array([np.inf, 2.0, np.inf])), id="Box-factors"
    ),
    pytest.param(SortedL1(0.7, (1.5, 1.0, 0.2)), id="SortedL1"),
    pytest.param(SortedL1(0.7, (1.5, 1.0), np.array([1.0, 0.0, 1.0])), id="SortedL1-factors"),
    pytest.param(MCP(0.7), id="MCP"),
    pytest.param(MCP(0.7, 1.5, FACTORS), id="MCP-factors"),
    pytest.param(SCAD(0.7), id="SCAD"),
    pytest.param(SCAD(0.7, 2.5, FACTORS), id="SCAD-factors"),
]

LOSSES = [pytest.param(Squared(), id="squared"), pytest.param(Logistic(), id="logistic")]
MORE_LOSSES = [
    pytest.param(loss, id=label)
    for label, loss in {
        "poisson": Poisson(),
        "gamma": Gamma(),
        "tweedie": Tweedie(1.5),
        "tweedie-near-poisson": Tweedie(1.05),
        "tweedie-near-gamma": Tweedie(1.95),
        "negative-binomial": NegativeBinomial(2.0),
        "huber": Huber(1.0),
        "quantile": Quantile(0.3, 0.5),
    }.items()
]


def array_library(name):
    """The namespace of an array library; skips the test where it is not installed."""
    if name == "jax":
        jax = pytest.importorskip("jax")
        jax.config.update("jax_enable_x64", True)
        return jax.numpy
    if name == "numpy":
        return np
    return pytest.importorskip(name)


ARRAY_LIBRARIES = ["numpy", "torch", "jax", "array_api_strict"]


def rows_of(loss, seed=0, n=90, p=25):
    """X and a response for a loss of one row, sparse signal, columns that share a part."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 0.3 * rng.normal(size=(n, 1))
    eta = X[:, :4] @ np.array([0.5, -0.4, 0.3, 0.2])
    if loss.name in ("huber", "quantile"):
        return X, eta + rng.standard_t(2, n)
    if loss.name == "gamma":
        return X, rng.gamma(2.0, np.exp(eta) / 2)
    counts = rng.poisson(np.exp(eta)).astype(float)
    return X, counts * rng.gamma(2.0, 0.5, n) if loss.name == "tweedie" else counts


def response(loss, eta, rng):
    """A response that the loss can take, around a linear predictor."""
    if loss.name == "logistic":
        return (rng.random(eta.size) < 1.0 / (1.0 + np.exp(-eta))).astype(float)
    if loss.name in ("poisson", "negative_binomial", "tweedie"):
        counts = rng.poisson(np.exp(eta)).astype(float)
        return counts * rng.gamma(2.0, 0.5, eta.size) if loss.name == "tweedie" else counts
    if loss.name == "gamma":
        return rng.gamma(2.0, np.exp(eta) / 2)
    return eta + rng.normal(size=eta.size)


def problem(loss, penalty, traits=(), n_samples=40, n_features=8, seed=0):
    """A seeded problem with any of the traits weights, offset, scale, no-intercept, sparse, far, dependent.

    `far` moves the columns and the response away from 0; `dependent` makes column 1 a multiple of column 0.
    """
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, n_features)) * np.geomspace(0.5, 2.0, n_features)
    if "dependent" in traits:
        X[:, 1] = -2.0 * X[:, 0]
    if "far" in traits:
        X += 1.0
    if "sparse" in traits:
        X *= rng.random(X.shape) < 0.4
    y = response(loss, X[:, :3] @ np.array([1.0, -1.0, 0.5]) / 2.0, rng)
    if "far" in traits and loss.name == "squared":
        y += 20.0
    return Problem(
        as_design(sparse.csc_array(X) if "sparse" in traits else X),
        y,
        loss,
        penalty,
        sample_weight=rng.integers(0, 4, size=n_samples).astype(float) if "weights" in traits else None,
        offset=rng.normal(size=n_samples) if "offset" in traits else None,
        fit_intercept="no-intercept" not in traits,
        scale=np.geomspace(0.5, 2.0, n_features)[::-1] if "scale" in traits else None,
    )


_TWO_FREE = np.array([0.0, 0.0, 1.0, 1.0, 2.0, 1.0, 0.5, 1.0])
_STATEMENTS = {
    "lasso": (L1(0.08), ()),
    "lasso-no-intercept": (L1(0.08), ("no-intercept",)),
    "lasso-weights-offset": (L1(0.05), ("weights", "offset")),
    "lasso-scale": (L1(0.05), ("scale",)),
    "lasso-far": (L1(0.05), ("far",)),
    "lasso-two-free": (L1(0.05, _TWO_FREE), ("offset",)),
    "lasso-free-and-dependent": (L1(0.05, _TWO_FREE), ("dependent", "weights")),
    "lasso-free-no-intercept": (L1(0.05, _TWO_FREE), ("no-intercept", "scale")),
    "lasso-sparse": (L1(0.04), ("sparse", "weights")),
    "elastic-net": (L1L2(0.08, 0.5), ("weights",)),
    "elastic-net-two-free": (L1L2(0.08, 0.3, _TWO_FREE), ("scale", "offset")),
    "ridge": (L2(0.1), ("offset",)),
    "ridge-two-free-no-intercept": (L2(0.1, _TWO_FREE), ("no-intercept",)),
    "no-penalty": (L1(0.0), ("weights",)),
}

PROBLEMS = [f"{loss.values[0].name}-{name}" for loss in LOSSES for name in _STATEMENTS]


@cache
def stated(name):
    """One row of PROBLEMS."""
    loss, _, statement = name.partition("-")
    penalty, traits = _STATEMENTS[statement]
    return problem({"squared": Squared(), "logistic": Logistic()}[loss], penalty, traits, seed=len(name))


@cache
def solved(name):
    """Its minimizer, by the reference solver."""
    return solve_fista(stated(name), tol=1e-12, max_iter=20_000)


def points(problem, n_points, seed=0):
    """Coefficients, sparse and dense, and intercepts to try a problem at."""
    rng = np.random.default_rng(seed)
    for k in range(n_points):
        w = rng.normal(size=problem.design.shape[1]) * 10.0 ** rng.uniform(-3, 1)
        if k % 2:
            w *= rng.random(w.size) < 0.4
        yield w, float(rng.normal()) if problem.fit_intercept else 0.0


def dense(design):
    """The matrix of a design."""
    return design.combine(np.arange(design.shape[1]), np.eye(design.shape[1]))


def convert(x, xp):
    """A NumPy array in another library, float64."""
    return None if x is None else xp.asarray(np.asarray(x).tolist(), dtype=xp.float64)


def back(x):
    """An array of any library in NumPy."""
    return np.asarray(x.tolist() if hasattr(x, "tolist") else x) if not _is_strict(x) else _from_strict(x)


def _is_strict(x):
    return type(x).__module__.startswith("array_api_strict")


def _from_strict(x):
    return np.asarray(importlib.import_module("array_api_strict").asarray(x)._array)
