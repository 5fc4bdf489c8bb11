"""Bad input: an error that names the argument, the value met and what would be right."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

from shrinkage._errors import ConvergenceWarning
from shrinkage.estimators import (
    ElasticNet,
    ElasticNetCV,
    Lasso,
    LassoCV,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    RidgeCV,
    _fitting,
)
from shrinkage.solvers import Status

PLAIN = [Ridge(), Lasso(), ElasticNet(), LogisticRegression()]
TWINS = [RidgeCV(cv=3), LassoCV(cv=3), ElasticNetCV(cv=3), LogisticRegressionCV(cv=3)]
X = np.arange(24.0).reshape(12, 2) % 7
Y = np.array([0, 1] * 6)


def each(models):
    return pytest.mark.parametrize("model", models, ids=lambda model: type(model).__name__)


def refuses(model, message, *args, error=ValueError, **kwargs):
    with pytest.raises(error, match=message):
        clone(model).fit(*(args or (X, Y)), **kwargs)


@each(PLAIN)
@pytest.mark.parametrize("alpha", [-0.1, np.nan, np.inf, "1", None, True])
def test_strength(model, alpha):
    refuses(clone(model).set_params(alpha=alpha), "alpha must")


@each([ElasticNet(), LogisticRegression(), ElasticNetCV(cv=3), LogisticRegressionCV(cv=3)])
@pytest.mark.parametrize("l1_ratio", [-0.1, 1.1, np.nan])
def test_mixing(model, l1_ratio):
    refuses(clone(model).set_params(l1_ratio=l1_ratio), "l1_ratio must")


@each([ElasticNetCV(cv=3), LogisticRegressionCV(cv=3)])
@pytest.mark.parametrize("l1_ratio", [[], [0.5, 2.0], [[0.5]], "half"])
def test_mixings(model, l1_ratio):
    refuses(clone(model).set_params(l1_ratio=l1_ratio), "l1_ratio must")


@each(PLAIN + TWINS)
@pytest.mark.parametrize(
    ("name", "value"),
    [("tol", 0.0), ("tol", -1e-6), ("tol", np.nan), ("tol", "small"), ("fit_intercept", "yes"), ("standardize", 1)],
)
def test_common_arguments(model, name, value):
    refuses(clone(model).set_params(**{name: value}), f"{name} must")


@each(PLAIN + TWINS)
@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ([1.0], r"penalty_factor must have shape \(2,\); got \(1,\)"),
        ([1.0, -1.0], "penalty_factor must be >= 0; position 1 is -1"),
        ([0.0, 0.0], "penalty_factor must hold at least one number > 0"),
        ([1.0, np.nan], "penalty_factor must hold numbers, finite or infinite; position 1 is nan"),
        (["a", "b"], "penalty_factor must hold real numbers"),
    ],
)
def test_penalty_factors(model, factors, message):
    refuses(clone(model).set_params(penalty_factor=factors), message)


@each(PLAIN + TWINS)
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(11), r"sample_weight must have shape \(12,\); got \(11,\)"),
        (np.ones((12, 1)), "sample_weight must have shape"),
        (-np.ones(12), "sample_weight must be >= 0; position 0 is -1"),
        (np.zeros(12), "sample_weight must hold at least one number > 0"),
        (np.full(12, np.nan), "sample_weight must be finite"),
    ],
)
def test_sample_weights(model, weights, message):
    refuses(model, message, X, Y, sample_weight=weights)


@each(PLAIN + TWINS)
def test_offsets(model):
    refuses(model, r"offset must have shape \(12,\); got \(3,\)", X, Y, offset=np.ones(3))
    refuses(model, "offset must be finite", X, Y, offset=np.full(12, np.inf))
    fitted = clone(model).fit(X, Y)
    with pytest.raises(ValueError, match="offset must have shape"):
        fitted.predict(X, offset=np.ones(3))


@each(PLAIN + TWINS)
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.where(X == 3, np.nan, X), "NaN"),
        (np.where(X == 3, np.inf, X), "infinity"),
        (sparse.csr_array(np.where(X == 3, np.nan, X)), "NaN"),
        (X[:, 0], "1D array"),
        (X[:11], "inconsistent numbers of samples"),
        (X[:, :0], r"0 feature\(s\)"),
        (X + 1j, "Complex data"),
        (np.full((12, 2), "a"), "could not convert string"),
    ],
)
def test_columns(model, bad, message):
    refuses(model, message, bad, Y)


@each(PLAIN + TWINS)
def test_no_rows(model):
    refuses(model, r"0 sample\(s\)", X[:0], Y[:0])


@each(PLAIN[:3] + TWINS[:3])
def test_targets(model):
    refuses(model, "NaN", X, np.where(Y == 1, np.nan, Y))
    refuses(model, "y must hold real numbers", X, np.where(Y == 1, "a", "b"))
    refuses(model, "1d array", X, np.column_stack([Y, Y]))


@each(TWINS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rule", "max"),
        ("rule", None),
        ("n_alphas", 0),
        ("n_alphas", 2.5),
        ("alpha_min_ratio", 0.0),
        ("alpha_min_ratio", 1.5),
        ("alphas", []),
        ("alphas", [-1.0, 1.0]),
        ("alphas", [np.nan]),
        ("cv", 1),
        ("cv", 13),
        ("cv", True),
    ],
)
def test_choosing(model, name, value):
    refuses(clone(model).set_params(**{name: value}), f"{name} must")


@each(PLAIN)
def test_a_missed_tolerance_is_said_in_one_unit(model, monkeypatch):
    solve = _fitting.solve

    def tired(problem, tol):
        return replace(solve(problem, tol), gap=0.25 * problem.null.objective, status=Status.GAP_ABOVE_TOL)

    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        clone(model).fit(X, Y)
    monkeypatch.setattr(_fitting, "solve", tired)
    with pytest.warns(ConvergenceWarning, match=r"relative duality gap 2\.5e-01 > tol 1\.0e-06: raise tol"):
        fitted = clone(model).fit(X, Y)
    assert fitted.status_ is Status.GAP_ABOVE_TOL
