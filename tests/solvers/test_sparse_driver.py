"""The driver of wide sparse data: a pass for a few knots of each fit, a bound for what lies between."""

import numpy as np
import pytest
from scipy import sparse

from shrinkage import cross_validate, path
from shrinkage.design import as_design
from shrinkage.losses import Squared
from shrinkage.penalties import L1
from shrinkage.problem import Problem
from shrinkage.solvers import _batches, _engine, _sparse_driver, solve_ratios

N, P = 80, 300


def data(seed=0):
    """Sparse columns, some of them full and far from zero, that share a factor: correlations bend between strengths."""
    rng = np.random.default_rng(seed)
    X = (rng.standard_normal((N, P)) + rng.standard_normal((N, 1)) + 2.0) * (rng.random((N, P)) < 0.3)
    X[:, ::50] = rng.standard_normal((N, 6)) + 30.0
    w = np.zeros(P)
    w[rng.choice(P, 15, replace=False)] = rng.standard_normal(15)
    return sparse.csc_array(X), X @ w + rng.standard_normal(N)


@pytest.fixture
def knotted(monkeypatch):
    monkeypatch.setattr(_engine, "LEAST_SPARSE_WIDTH", 0)


def plainly(monkeypatch, function, X, y, **options):
    with monkeypatch.context() as m:
        m.setattr(_engine, "LEAST_SPARSE_WIDTH", 10**9)
        return function(X, y, **options)


def assert_same(found, plain, tol=1e-6):
    null = found.problem.null.objective
    assert found.problem.gaps(found.coefs, found.intercepts, found.alphas).max() <= tol * null
    assert np.allclose(found.coefs.toarray(), plain.coefs.toarray(), atol=1e-8)
    assert np.array_equal(found.coefs.toarray() != 0, plain.coefs.toarray() != 0)
    assert np.allclose(found.kkt, plain.kkt, atol=1e-8)


WEIGHTS = np.random.default_rng(5).integers(0, 4, N).astype(float)
FREE = np.where(np.arange(P) < 2, 0.0, 1.0)
OPTIONS = {
    "plain": {},
    "weights with zeros": {"sample_weight": WEIGHTS},
    "no intercept": {"fit_intercept": False},
    "factors": {"penalty_factor": np.where(np.arange(P) % 7 == 0, 2.0, 1.0)},
    "free columns": {"penalty_factor": FREE},
    "weights, free columns, elastic net": {"sample_weight": WEIGHTS, "penalty_factor": FREE, "l1_ratio": 0.8},
    "standardized": {"standardize": True},
    "offset": {"offset": np.linspace(-1.0, 1.0, N)},
    "far down": {"alpha_min_ratio": 1e-4},
    "sharp": {"tol": 1e-12},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_paths_are_those_of_the_plain_driver(monkeypatch, knotted, name):
    X, y = data()
    options = {"n_alphas": 40, "alpha_min_ratio": 1e-2, **OPTIONS[name]}
    found = path(X, y, **options)
    assert_same(found, plainly(monkeypatch, path, X, y, **options), options.get("tol", 1e-6))


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_logistic_paths_are_those_of_the_plain_driver(monkeypatch, knotted, l1_ratio):
    X, y = data(1)
    options = {"loss": "logistic", "l1_ratio": l1_ratio, "n_alphas": 25, "tol": 1e-10}
    labels = (y > np.median(y)).astype(float)
    assert_same(path(X, labels, **options), plainly(monkeypatch, path, X, labels, **options), 1e-10)


@pytest.mark.parametrize("options", [{}, {"standardize": True, "l1_ratio": 0.7}, {"sample_weight": WEIGHTS + 1}])
def test_folds_are_those_of_the_plain_driver(monkeypatch, knotted, options):
    X, y = data(2)
    options = {"cv": 4, "n_alphas": 25, "tol": 1e-9, **options}
    found, plain = cross_validate(X, y, **options), plainly(monkeypatch, cross_validate, X, y, **options)
    assert_same(found.path, plain.path, 1e-9)
    assert np.allclose(found.scores, plain.scores, rtol=1e-5)


@pytest.mark.parametrize("which", ["margin", "bound"])
@pytest.mark.parametrize("function", [path, cross_validate])
def test_what_a_look_ahead_misses_is_found(monkeypatch, knotted, which, function):
    X, y = data(3)
    options = {"n_alphas": 40, "tol": 1e-9}
    monkeypatch.setattr(_sparse_driver, "CLOSE", 1e9)  # the last two points alone are knots
    if which == "margin":  # slopes are trusted to promise far too little
        monkeypatch.setattr(_batches, "MARGIN", -0.7)
    found, plain = function(X, y, **options), plainly(monkeypatch, function, X, y, **options)
    if function is cross_validate:
        assert np.allclose(found.scores, plain.scores, rtol=1e-5)
        found, plain = found.path, plain.path
    assert_same(found, plain, 1e-9)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.6])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("function", [path, cross_validate])
def test_a_bound_finds_what_a_product_with_every_dual_point_finds(
    monkeypatch, knotted, function, fit_intercept, l1_ratio
):
    X, y = data(5)
    monkeypatch.setattr(_sparse_driver, "CLOSE", 1e9)
    monkeypatch.setattr(_batches, "MARGIN", -0.7)
    read, met = _sparse_driver.SparseDriver._read, []
    columns = X.toarray()
    norms = np.linalg.norm(columns - columns.mean(0) if fit_intercept else columns, axis=0)

    def compared(self, batch, strengths, ridges):
        (ratios, conjugates, first, excess), seen = read(self, batch, strengths, ridges)
        plain, _ = _batches.Driver._read(self, batch, strengths, ridges)
        met.append(int((plain.first < len(strengths) - 2).sum()))
        assert (self._norms >= norms).all()
        assert np.allclose(self._norms, norms, rtol=1e-5)
        assert np.array_equal(first, plain.first)
        assert np.allclose(excess[first < len(strengths)], plain.excess[first < len(strengths)])
        assert np.allclose(ratios, np.maximum(plain.max_ratio, strengths))
        assert self.l2 is None or np.allclose(conjugates, plain.conjugate)
        return (ratios, conjugates, first, excess), seen

    monkeypatch.setattr(_sparse_driver.SparseDriver, "_read", compared)
    function(X, y, n_alphas=40, fit_intercept=fit_intercept, l1_ratio=l1_ratio)
    assert sum(met) > 0


def test_a_pass_multiplies_fewer_points_than_there_are_strengths(monkeypatch, knotted):
    X, y = data(4)
    asked = []
    plain = type(as_design(X)).correlate

    def counted(self, R):
        asked.append(R.shape[1])
        return plain(self, R)

    monkeypatch.setattr(_sparse_driver.SparseDesign, "correlate", counted)
    found = path(X, y, n_alphas=100)
    assert len(found.alphas) == 100
    assert sum(asked) < 60


def test_a_value_that_is_not_finite_is_named(knotted):
    X, y = data()
    X[4, 50] = np.nan
    with pytest.raises(ValueError, match="50"):
        path(X, y)


def test_several_mixes_walk_on_with_one_working_set(monkeypatch, knotted):
    X, y = data(6)
    stated = Problem(as_design(X), y, Squared(), L1(1.0))
    grids = [stated.alpha_max * np.geomspace(1, 0.05, 20) / ratio for ratio in (1.0, 0.5)]
    found = solve_ratios(stated, [1.0, 0.5], list(grids), [], False)
    for columns, grid, ratio in zip(found, grids, (1.0, 0.5), strict=True):
        plain = plainly(monkeypatch, path, X, y, alphas=grid, l1_ratio=ratio)
        assert np.allclose(columns.path.coefs.toarray(), plain.coefs.toarray(), atol=1e-9)


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_products_with_some_columns_and_sums_of_squares_are_those_of_the_dense_twin(kind):
    X, _ = data(7)
    X = X.astype(kind)
    design, dense = as_design(X), X.toarray().astype(np.float64)
    R = np.random.default_rng(0).standard_normal((N, 5))
    for features in (np.arange(P)[::-3], np.array([3, 50])):
        assert np.allclose(design.correlate_some(features, R), dense[:, features].T @ R, rtol=1e-12, atol=1e-11)
    assert np.allclose(design.column_squares(False), (dense**2).sum(0), rtol=1e-12)
    centered = ((dense - dense.mean(0)) ** 2).sum(0)
    assert (design.column_squares(True) >= centered * (1 - 1e-9)).all()
    assert np.allclose(design.column_squares(True), centered, rtol=1e-6)
