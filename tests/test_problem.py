"""The problem at its edges: nothing left to explain, separable classes, free columns, arguments that disagree."""

import warnings

import numpy as np
import pytest
from cases import problem, stated
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression

from shrinkage._errors import ArgumentError, DataError
from shrinkage.design import as_design
from shrinkage.losses import Logistic, Squared
from shrinkage.penalties import L1, L1L2, L2
from shrinkage.problem import Problem
from shrinkage.problem._mean_loss import dual_slopes
from shrinkage.solvers._fista import solve_fista

rng = np.random.default_rng(0)
X = rng.normal(size=(50, 6))
LABELS = (X[:, 0] + rng.normal(size=50) > 0).astype(float)


def test_the_gap_vanishes_at_scikit_learns_solutions():
    y = X[:, 0] + rng.normal(size=50)
    for penalty, theirs in (
        (L1(0.1), Lasso(0.1, tol=1e-14, max_iter=100_000)),
        (L1L2(0.1, 0.4), ElasticNet(alpha=0.1, l1_ratio=0.4, tol=1e-14, max_iter=100_000)),
    ):
        theirs.fit(X, y)
        assert abs(Problem(as_design(X), y, Squared(), penalty).relative_gap(theirs.coef_, theirs.intercept_)) < 1e-13
    theirs = LogisticRegression(C=1 / (50 * 0.1), tol=1e-12, max_iter=10_000).fit(X, LABELS)
    ours = Problem(as_design(X), LABELS, Logistic(), L2(0.1))
    assert abs(ours.relative_gap(theirs.coef_[0], theirs.intercept_[0])) < 1e-10


def test_a_wrong_intercept_is_an_error_that_the_gap_sees():
    ours = problem(Squared(), L1(0.1))
    best = solve_fista(ours, tol=1e-12)
    for wrong in (1e-3, 1.0, 100.0):
        excess = ours.objective(best.coef, best.intercept + wrong) - ours.objective(best.coef, best.intercept)
        assert excess == pytest.approx(wrong**2 / 2, rel=1e-6)
        assert ours.gap(best.coef, best.intercept + wrong) == pytest.approx(excess, rel=1e-6)


@pytest.mark.parametrize("wrong", [0.3, -2.0, 20.0, 900.0])
def test_a_wrong_intercept_of_a_logistic_fit_costs_its_excess_and_no_more(wrong):
    ours = problem(Logistic(), L1(0.05))
    best = solve_fista(ours, tol=1e-13)
    excess = ours.objective(best.coef, best.intercept + wrong) - ours.objective(best.coef, best.intercept)
    assert ours.gap(best.coef, best.intercept + wrong) == pytest.approx(excess, rel=1e-9)


@pytest.mark.parametrize("name", ["logistic-lasso", "logistic-lasso-two-free", "logistic-lasso-free-and-dependent"])
def test_the_dual_point_is_orthogonal_to_every_free_column(name):
    ours = stated(name)
    eta = 2 * np.random.default_rng(5).normal(size=(ours.y.size, 3))
    u, _ = dual_slopes(ours.loss, ours.y, eta, ours.basis, ours.weights, np.zeros(ours.y.size))
    assert np.abs(ours.basis.T @ (ours.weights[:, None] * u)).max() <= 1e-15


def test_the_gap_is_never_above_the_objective():
    for name in ("squared-lasso", "logistic-lasso", "squared-elastic-net", "logistic-ridge"):
        ours = stated(name)
        w = 100 * rng.normal(size=ours.design.shape[1])
        assert 0 < ours.gap(w, 3.0) <= ours.objective(w, 3.0) * (1 + 1e-12)


@pytest.mark.parametrize("level", [0.0, 3.0, -1e6, 1e-6])
def test_a_constant_response_is_explained_by_the_null_model(level):
    ours = Problem(as_design(X), np.full(50, level), Squared(), L1(0.1))
    assert ours.null.objective == 0
    assert ours.alpha_max == 0
    assert ours.null.intercept == pytest.approx(level)
    assert ours.relative_gap(np.zeros(6), ours.null.intercept) == 0
    assert ours.relative_gap(np.ones(6), ours.null.intercept) == np.inf


def test_a_response_that_is_a_free_column_is_explained_by_the_null_model():
    ours = Problem(as_design(X), 2 * X[:, 1] - 1, Squared(), L1(0.1, np.array([1.0, 0, 1, 1, 1, 1])))
    assert ours.null.objective == 0
    assert ours.null.coef_free == pytest.approx(2)
    assert ours.null.intercept == pytest.approx(-1)


@pytest.mark.parametrize("labels", [np.ones(50), np.zeros(50), (X[:, 0] > 0).astype(float)])
def test_classes_that_the_free_columns_separate_leave_no_loss_and_end(labels):
    ours = Problem(as_design(X), labels, Logistic(), L1(0.1, np.array([0.0, 1, 1, 1, 1, 1])))
    assert ours.null.objective == pytest.approx(0, abs=1e-15)
    assert np.isfinite(ours.null.eta).all()
    assert np.isfinite(ours.gap(np.zeros(6), 0.0))
    assert 0 <= ours.alpha_max <= 1e-12


def test_without_a_penalty_every_column_is_free_and_separated_classes_have_no_gap_left():
    labels = (X @ np.arange(6.0) > 0.3).astype(float)
    ours = Problem(as_design(X), labels, Logistic(), L1(0.0))
    assert ours.free.tolist() == list(range(6))
    assert ours.unpenalized.size == 0
    w, b = 1e4 * np.arange(6.0), -3e3
    assert ours.objective(w, b) < 1e-12
    assert abs(ours.gap(w, b)) < 1e-12
    assert ours.gap(np.zeros(6), 0.0) == pytest.approx(np.log(2), abs=1e-9)


def test_an_unpenalized_problem_is_certified_at_least_squares():
    y = X[:, 0] + rng.normal(size=50)
    coef, *_ = np.linalg.lstsq(np.c_[X, np.ones(50)], y, rcond=None)
    ours = Problem(as_design(X), y, Squared(), L2(0.0))
    assert abs(ours.relative_gap(coef[:-1], coef[-1])) < 1e-14
    assert ours.null.objective == pytest.approx(y.var() / 2)


def test_more_free_columns_than_rows_explain_everything():
    wide = rng.normal(size=(10, 40))
    free = np.r_[np.zeros(30), np.ones(10)]
    for loss, y in ((Squared(), rng.normal(size=10)), (Logistic(), np.arange(10.0) % 2)):
        ours = Problem(as_design(wide), y, loss, L1(0.1, free))
        assert ours.null.objective == pytest.approx(0, abs=1e-15)


def test_a_linear_predictor_far_off_is_brought_back_by_the_null_model():
    for far in (-1e3, 1e3):
        offset = far + X[:, 1]
        ours = Problem(as_design(X), LABELS, Logistic(), L1(0.1), offset=offset)
        near = Problem(as_design(X), LABELS, Logistic(), L1(0.1), offset=X[:, 1])
        assert ours.null.objective == pytest.approx(near.null.objective, rel=1e-12)
        assert ours.alpha_max == pytest.approx(near.alpha_max, rel=1e-9)


def test_alpha_max_of_ridge_is_that_of_a_thousandth_of_lasso():
    ours = problem(Squared(), L2(0.1), ("weights", "scale"))
    assert ours.alpha_max == pytest.approx(ours.with_penalty(L1L2(0.1, 1e-3)).alpha_max)


def test_a_response_far_from_zero_costs_the_certificate_no_digits():
    y = X[:, 0] + 0.1 * rng.normal(size=50)
    near = Problem(as_design(X), y, Squared(), L1(0.05))
    best = solve_fista(near, tol=1e-12)
    far = Problem(as_design(X), y + 1e6, Squared(), L1(0.05))
    assert far.null.objective == pytest.approx(near.null.objective, rel=1e-8)
    assert abs(far.relative_gap(best.coef, best.intercept + 1e6)) < 1e-8


def test_a_large_path_is_scored_in_blocks_of_columns(monkeypatch):
    ours = stated("logistic-lasso-two-free")
    coefs = rng.normal(size=(8, 7))
    arguments = coefs, rng.normal(size=7), np.geomspace(1, 0.01, 7)
    whole = ours.gaps(*arguments), ours.kkts(*arguments)
    monkeypatch.setattr("shrinkage.problem._problem._BLOCK", 2 * sum(ours.design.shape))
    assert ours.gaps(*arguments) == pytest.approx(whole[0], rel=1e-12)
    assert ours.kkts(*arguments) == pytest.approx(whole[1], rel=1e-12)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"y": np.zeros(49)}, ArgumentError, r"y must have shape \(50,\), one number per row of X; got \(49,\)"),
        ({"y": np.r_[np.nan, np.zeros(49)]}, DataError, "row 0 is nan"),
        ({"y": np.arange(50.0), "loss": Logistic()}, DataError, r"y must be 0 or 1 for Logistic; row 2 is 2\.0"),
        ({"sample_weight": -np.ones(50)}, ArgumentError, "sample_weight must be >= 0"),
        ({"sample_weight": np.zeros(50)}, ArgumentError, "sample_weight must hold at least one number > 0"),
        ({"offset": np.full(50, np.inf)}, ArgumentError, "offset must be finite; position 0 is inf"),
        ({"scale": np.zeros(6)}, ArgumentError, "scale must be > 0"),
        ({"scale": np.ones(5)}, ArgumentError, r"scale must have shape \(6,\)"),
        ({"fit_intercept": "yes"}, ArgumentError, "fit_intercept must be True or False"),
        ({"penalty": L1(0.1, np.ones(5))}, ArgumentError, r"factors must have shape \(6,\); got \(5,\)"),
        ({"penalty": L1(np.ones(6))}, ArgumentError, "needs one number as alpha"),
    ],
)
def test_what_disagrees_is_refused_by_name(wrong, error, message):
    right = {"design": as_design(X), "y": np.zeros(50), "loss": Squared(), "penalty": L1(0.1)}
    with pytest.raises(error, match=message):
        Problem(**{**right, **wrong})


def test_nothing_here_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = Problem(as_design(np.zeros((4, 2))), np.array([0.0, 1, 0, 1]), Logistic(), L1(0.1))
        assert ours.alpha_max == 0
        assert ours.gap(np.zeros(2), ours.null.intercept) == pytest.approx(0, abs=1e-15)
