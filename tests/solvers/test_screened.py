"""The driver of wide dense data: two look-aheads, a pass for a few knots, a bound for what lies between."""

import numpy as np
import pytest

from shrinkage import path
from shrinkage.design import as_design
from shrinkage.losses import Squared
from shrinkage.penalties import L1
from shrinkage.problem import Problem
from shrinkage.solvers import _engine, _knots, _panel, _screened, solve_ratios
from shrinkage.solvers._knots import Knots

N, P = 60, 300


def data(seed=0, n=N, p=P):
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((n, 1))
    X = rng.standard_normal((n, p)) + common + 3.0
    w = np.zeros(p)
    w[rng.choice(p, 15, replace=False)] = rng.standard_normal(15)
    return X, X @ w + rng.standard_normal(n)


@pytest.fixture
def screened(monkeypatch):
    monkeypatch.setattr(_engine, "LEAST_WIDTH", 0)


def plainly(monkeypatch, X, y, **options):
    with monkeypatch.context() as m:
        m.setattr(_engine, "LEAST_WIDTH", 10**9)
        return path(X, y, **options)


def assert_same(found, plain, tol=1e-6):
    null = found.problem.null.objective
    assert found.problem.gaps(found.coefs, found.intercepts, found.alphas).max() <= tol * null
    assert np.allclose(found.coefs.toarray(), plain.coefs.toarray(), atol=1e-9)
    assert np.array_equal(found.coefs.toarray() != 0, plain.coefs.toarray() != 0)
    assert np.allclose(found.kkt, plain.kkt, atol=1e-9)


WEIGHTS = np.random.default_rng(5).integers(0, 4, N).astype(float)
FACTORS = np.where(np.arange(P) % 7 == 0, 2.0, 1.0)
FREE = np.where(np.arange(P) < 2, 0.0, 1.0)
OPTIONS = {
    "plain": {},
    "weights with zeros": {"sample_weight": WEIGHTS},
    "no intercept": {"fit_intercept": False},
    "factors": {"penalty_factor": FACTORS},
    "free columns": {"penalty_factor": FREE},
    "elastic net": {"l1_ratio": 0.5},
    "weights, free columns, elastic net": {"sample_weight": WEIGHTS, "penalty_factor": FREE, "l1_ratio": 0.8},
    "standardized": {"standardize": True},
    "offset": {"offset": np.linspace(-1.0, 1.0, N)},
    "far down": {"alpha_min_ratio": 1e-4},
    "sharp": {"tol": 1e-12},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_paths_are_those_of_the_plain_driver(monkeypatch, screened, name):
    X, y = data()
    options = {"n_alphas": 40, "alpha_min_ratio": 1e-2, **OPTIONS[name]}
    found = path(X, y, **options)
    assert_same(found, plainly(monkeypatch, X, y, **options), options.get("tol", 1e-6))


@pytest.mark.parametrize("layout", ["C", "F", "strided", "float32"])
def test_every_layout_of_memory_gives_the_same_path(monkeypatch, screened, layout):
    X, y = data(1)
    X = X.astype(np.float32).astype(np.float64)
    clothes = {
        "C": np.ascontiguousarray(X),
        "F": np.asfortranarray(X),
        "strided": np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
        "float32": X.astype(np.float32),
    }
    assert_same(path(clothes[layout], y, n_alphas=30), plainly(monkeypatch, X, y, n_alphas=30))


@pytest.mark.parametrize("which", ["margins", "knots", "panel", "listed"])
def test_what_a_look_ahead_misses_is_found(monkeypatch, screened, which):
    X, y = data(2)
    if which == "margins":  # slopes are trusted to promise far too little
        monkeypatch.setattr(_screened, "MARGIN", -0.7)
        monkeypatch.setattr(_panel, "MARGIN", -0.7)
    elif which == "knots":  # nothing is close: the bound settles little, and products with suspects decide
        monkeypatch.setattr(_knots, "CLOSE", 1e9)
        monkeypatch.setattr(_screened, "SUSPECTS_AT_ONCE", 7)
    else:
        monkeypatch.setattr(_screened, "LEAST_PANEL", 8)
        monkeypatch.setattr(_screened, "SHARE", 0.0)
        X = np.asfortranarray(X) if which == "listed" else X
    assert_same(path(X, y, n_alphas=40), plainly(monkeypatch, X, y, n_alphas=40))


def test_a_single_strength_far_down(monkeypatch, screened):
    X, y = data(3)
    top = path(X, y, n_alphas=2).alphas[0]
    alphas = [top / 50]
    assert_same(path(X, y, alphas=alphas), plainly(monkeypatch, X, y, alphas=alphas))


@pytest.mark.parametrize("change", ["duplicates", "constant", "low rank", "three rows", "explained"])
def test_degenerate_data_is_certified(screened, change):
    X, y = data(4)
    if change == "duplicates":
        X[:, 100:200] = X[:, :100]
    elif change == "constant":
        X[:, ::3] = 7.0
    elif change == "low rank":
        X = X[:, :6] @ np.random.default_rng(0).standard_normal((6, P))
    elif change == "three rows":
        X, y = X[:3], y[:3]
    else:
        y = np.ones(N)
    found = path(X, y, n_alphas=30)
    gaps = found.problem.gaps(found.coefs, found.intercepts, found.alphas)
    assert gaps.max() <= 1e-6 * max(found.problem.null.objective, 1e-300)


def test_a_value_that_is_not_finite_is_named(screened):
    X, y = data()
    X[4, 17] = np.nan
    with pytest.raises(ValueError, match="17"):
        path(X, y)


def test_several_mixes_walk_on_with_one_driver(monkeypatch, screened):
    X, y = data(6)
    stated = Problem(as_design(X), y, Squared(), L1(1.0))
    grids = [stated.alpha_max * np.geomspace(1, 0.05, 20) / ratio for ratio in (1.0, 0.5)]
    found = solve_ratios(stated, [1.0, 0.5], list(grids), [], False)
    for columns, grid, ratio in zip(found, grids, (1.0, 0.5), strict=True):
        plain = plainly(monkeypatch, X, y, alphas=grid, l1_ratio=ratio)
        assert np.allclose(columns.path.coefs.toarray(), plain.coefs.toarray(), atol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_no_column_above_a_strength_escapes_the_bound(weighted):
    rng = np.random.default_rng(8)
    root = np.sqrt(rng.uniform(0.2, 2.0, N)) if weighted else None
    ones = np.ones(N) if root is None else root
    X = rng.standard_normal((N, P)) + 5.0
    bends = np.linspace(0, 1, 12)
    residuals = rng.standard_normal((N, 3)) @ [bends, bends**2, 0.1 * bends**3] + rng.standard_normal((N, 1))
    residuals += 1e-3 * rng.standard_normal((N, 12))
    residuals -= np.outer(ones, ones @ residuals) / (ones @ ones)  # as projected residuals are
    theta = np.asfortranarray(residuals * ones[:, None])
    centered = X - (ones**2 @ X) / (ones @ ones)
    norms = np.sqrt((ones**2) @ centered**2)
    c = np.abs(X.T @ theta)
    strengths = np.quantile(c, 0.9, axis=0)
    knots = Knots(theta[:, 1:], theta[:, 0], root, strengths[1:], norms.max(), 2)
    assert {9, 10} <= set(knots.at)
    assert len(knots.between) > 2
    known = np.asfortranarray(X.T @ theta[:, [0, *(knots.at + 1)]])
    suspects = knots.suspects(known, norms, np.ones(P))
    above = np.flatnonzero((c[:, 1:] >= strengths[1:])[:, knots.between].any(axis=1))
    assert np.isin(above, suspects).all()
    assert len(knots.suspects(known, norms, np.zeros(P))) == 0
