"""Degrees of freedom: what the fit covaries with, and the trace of the hat matrix written out."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from shrinkage import ArgumentError, cross_validate, path
from shrinkage.selection import degrees_of_freedom

RNG = np.random.default_rng(0)
TALL = RNG.normal(size=(30, 8)) @ (np.eye(8) + 0.5)
DEPENDENT = np.hstack([TALL[:, :4], TALL[:, :2] @ [[1.0, -1.0], [1.0, 2.0]], TALL[:, [1]], np.ones((30, 1))])
WIDE = RNG.normal(size=(20, 40))
COUNTS = np.tile([1.0, 2.0, 3.0], 10)

SETTINGS = {
    "lasso": (TALL, 1.0, [0.6, 0.2, 0.02], {}),
    "lasso without intercept": (TALL, 1.0, [0.6, 0.05], {"fit_intercept": False}),
    "lasso of dependent columns": (DEPENDENT, 1.0, [0.4, 0.05, 0.002], {}),
    "lasso of more columns than rows": (WIDE, 1.0, [0.3, 0.05, 0.001], {}),
    "lasso with weights": (TALL, 1.0, [0.3, 0.05], {"sample_weight": COUNTS}),
    "lasso with free columns": (TALL, 1.0, [0.5, 0.1], {"penalty_factor": [0, 0, 1, 1, 2, 1, 3, 1]}),
    "elastic net": (TALL, 0.5, [1.0, 0.2, 0.02], {}),
    "elastic net of dependent columns": (DEPENDENT, 0.3, [0.5, 0.05], {}),
    "elastic net of more columns than rows": (WIDE, 0.2, [0.5, 0.1], {}),
    "elastic net, all at once": (
        TALL,
        0.6,
        [0.4, 0.08],
        {
            "standardize": True,
            "sample_weight": COUNTS,
            "offset": np.linspace(-1, 1, 30),
            "penalty_factor": [0, 0.5, 1, 1, 2, 1, 1, 1],
        },
    ),
    "ridge": (TALL, 0.0, [10.0, 1.0, 0.1], {}),
    "ridge of more columns than rows": (WIDE, 0.0, [5.0, 0.5], {}),
    "ridge, all at once": (
        TALL,
        0.0,
        [1.0, 0.1],
        {"standardize": True, "sample_weight": COUNTS, "penalty_factor": [0, 0.5, 1, 1, 2, 1, 1, 1]},
    ),
}


def simulated(X, l1_ratio, alphas, options, draws):
    """The mean of df - Σ sᵢ ŷᵢ(yᵢ - μᵢ) / σ² over draws of noise, whose expectation is zero, and its standard error."""
    rng = np.random.default_rng(1)
    mean, sigma = X[:, 0] - 0.5 * X[:, 2], 1.5
    weights = options.get("sample_weight", np.ones(len(X)))
    differences = []
    for _ in range(draws):
        noise = sigma / np.sqrt(weights) * rng.normal(size=len(X))
        fitted = path(X, mean + noise, l1_ratio=l1_ratio, alphas=alphas, tol=1e-9, **options)
        predicted = X @ fitted.coefs.toarray() + fitted.intercepts + np.reshape(options.get("offset", 0.0), (-1, 1))
        covariance = (weights * noise) @ (predicted - mean[:, None]) / sigma**2
        differences.append(degrees_of_freedom(fitted) - covariance)
    differences = np.array(differences)
    return differences.mean(axis=0), differences.std(axis=0, ddof=1) / np.sqrt(draws)


@pytest.mark.parametrize("name", SETTINGS)
def test_degrees_of_freedom_are_the_covariance_of_fit_and_response_over_the_noise(name):
    mean, error = simulated(*SETTINGS[name], draws=100)
    assert (np.abs(mean) <= 3 * error).all(), (mean, error)


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_degrees_of_freedom_are_that_covariance_over_many_draws(name):
    mean, error = simulated(*SETTINGS[name], draws=1000)
    assert (np.abs(mean) <= 3 * error).all(), (mean, error)
    assert (error < 0.25).all()


def written_out(fitted, X):
    """Trace of Z (ZᵀWZ + penalty)⁺ ZᵀW over intercept, free and active columns, at every strength."""
    problem, out = fitted.problem, []
    n, p = X.shape
    factors = np.ones(p) if problem.penalty.factors is None else np.asarray(problem.penalty.factors)
    scale = np.ones(p) if problem.scale is None else problem.scale
    for t, alpha in enumerate(fitted.alphas):
        coef = fitted.coefs[:, [t]].toarray()[:, 0]
        eta = X @ coef + fitted.intercepts[t] + (0.0 if problem.offset is None else problem.offset)
        weights = problem.weights * problem.loss.curvature(problem.y, eta)
        active = np.flatnonzero((coef != 0) | (factors == 0))
        Z = np.hstack([np.ones((n, int(problem.fit_intercept))), X[:, active]])
        squares = alpha * (1 - fitted.l1_ratio) * (factors * scale**2)[active]
        penalty = np.diag(np.concatenate([np.zeros(int(problem.fit_intercept)), squares]))
        rooted = np.sqrt(weights)[:, None] * Z
        out.append(np.trace(rooted @ np.linalg.pinv(rooted.T @ rooted + penalty, rcond=1e-13) @ rooted.T))
    return np.array(out)


OPTIONS = [
    {},
    {"fit_intercept": False},
    {"standardize": True, "sample_weight": np.tile([0.0, 1.0, 2.0, 0.3, 1.0], 8)},
    {"penalty_factor": [0, 0.5, 1, 1, 2, 0, 1, 1, 1, 1, 0.2, 1], "offset": np.linspace(-1, 1, 40)},
]


@pytest.mark.parametrize("options", OPTIONS, ids=["plain", "no intercept", "weights", "free"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("columns", [12, 60])
def test_degrees_of_freedom_are_the_trace_of_the_hat_matrix_written_out(loss, l1_ratio, options, columns):
    rng = np.random.default_rng(2)
    X = 1.0 + rng.normal(size=(40, columns))
    y = X[:, :3].sum(axis=1) + 2 * rng.normal(size=40)
    options = dict(options)
    if "penalty_factor" in options:
        options["penalty_factor"] = np.resize(options["penalty_factor"], columns)
    y = y if loss == "squared" else (y > np.median(y)).astype(float)
    fitted = path(X, y, loss, l1_ratio, n_alphas=4, alpha_min_ratio=0.05, tol=1e-9, **options)
    np.testing.assert_allclose(degrees_of_freedom(fitted), written_out(fitted, X), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
def test_a_sparse_matrix_spends_what_a_dense_one_does(l1_ratio):
    X = sparse.random_array((50, 80), density=0.08, rng=np.random.default_rng(3), format="csc") + 0.0
    y = np.asarray(X @ np.ones(80)) + np.random.default_rng(4).normal(size=50)
    kinds = [path(kind, y, l1_ratio=l1_ratio, n_alphas=10, standardize=True) for kind in (X, X.toarray())]
    np.testing.assert_allclose(*map(degrees_of_freedom, kinds), rtol=1e-7)


def test_a_row_of_weight_two_is_the_row_twice():
    y = np.random.default_rng(5).normal(size=30)
    often = np.repeat(np.arange(30), COUNTS.astype(int))
    for l1_ratio in (1.0, 0.4, 0.0):
        weighted = path(TALL, y, l1_ratio=l1_ratio, alphas=[0.5, 0.05], sample_weight=COUNTS)
        repeated = path(TALL[often], y[often], l1_ratio=l1_ratio, alphas=[0.5, 0.05])
        np.testing.assert_allclose(degrees_of_freedom(weighted), degrees_of_freedom(repeated), rtol=1e-9)


def test_columns_far_from_zero_cost_no_digits():
    y = TALL[:, 0] + np.random.default_rng(6).normal(size=30)
    far = TALL + 1e6
    for l1_ratio in (1.0, 0.4, 0.0):
        near, moved = (path(X, y, l1_ratio=l1_ratio, alphas=[0.5, 0.05]) for X in (TALL, far))
        np.testing.assert_allclose(degrees_of_freedom(moved), degrees_of_freedom(near), rtol=1e-6)


def test_ridge_spends_all_at_no_strength_and_the_intercept_alone_at_a_large_one():
    y = np.random.default_rng(7).normal(size=30)
    none, most = degrees_of_freedom(path(TALL, y, l1_ratio=0, alphas=[1e12, 0.0]))
    assert none == pytest.approx(1.0, abs=1e-8)
    assert most == pytest.approx(9.0)
    assert degrees_of_freedom(path(DEPENDENT, y, l1_ratio=0, alphas=[0.0]))[0] == pytest.approx(5.0)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_twins_that_share_a_coefficient_count_once(loss):
    y = TALL[:, 0] + np.random.default_rng(9).normal(size=30)
    y = y if loss == "squared" else (y > 0).astype(float)
    doubled = np.hstack([TALL, TALL])
    fitted = path(doubled, y, loss, n_alphas=6, alpha_min_ratio=0.05)
    coefs = fitted.coefs.toarray()
    shared = 0.5 * (coefs[:8] + coefs[8:])  # as good a solution, with every coefficient twice
    both = replace(fitted, coefs=sparse.csc_array(np.vstack([shared, shared])))
    assert both.n_nonzero[-1] == 2 * np.count_nonzero(shared[:, -1]) > 2
    np.testing.assert_allclose(degrees_of_freedom(both), degrees_of_freedom(fitted))
    np.testing.assert_allclose(degrees_of_freedom(both), 1 + np.count_nonzero(shared, axis=0))


def test_no_more_is_spent_than_there_is_room_for():
    y = WIDE[:, 0] + np.random.default_rng(10).normal(size=20)
    fitted = path(WIDE, y, alphas=[0.1])
    every = replace(fitted, coefs=sparse.csc_array(np.ones((40, 1))))
    assert degrees_of_freedom(every).tolist() == [20.0]
    assert degrees_of_freedom(replace(every, problem=replace(fitted.problem, fit_intercept=False))).tolist() == [20.0]


def test_a_cross_validation_spends_what_its_path_does_and_a_path_without_data_says_so():
    y = np.random.default_rng(8).normal(size=30)
    cv = cross_validate(TALL, y, cv=3, n_alphas=5)
    assert (degrees_of_freedom(cv) == degrees_of_freedom(cv.path)).all()
    stored = pickle.loads(pickle.dumps(cv.path))
    with pytest.raises(ArgumentError, match="need the data, which this path does not hold"):
        degrees_of_freedom(stored)
    with pytest.raises(ArgumentError, match="for a Path or a CrossValidation; got ndarray"):
        degrees_of_freedom(y)  # pyright: ignore[reportArgumentType]
