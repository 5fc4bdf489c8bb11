"""Patched logistic regression of more than two classes: scikit-learn's answers, where it has one."""

import logging

import numpy as np
import pytest
import sklearn.linear_model as sk
from scipy import sparse
from scipy.special import log_softmax

from shrinkage.patch import patch_sklearn, unpatch_sklearn
from shrinkage.patch._logistic import is_unique
from shrinkage.patch._stand_ins import STAND_INS

STOCK = {name: getattr(sk, name) for name in ("LogisticRegression", "LogisticRegressionCV")}
TIGHT = {"solver": "saga", "tol": 1e-10, "max_iter": 100_000}


@pytest.fixture(autouse=True)
def _nothing_patched():
    unpatch_sklearn()
    yield
    unpatch_sklearn()


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, logger="shrinkage.patch")
    return lambda: [record.getMessage() for record in caplog.records if "patched" not in record.getMessage()]


def rows(n_classes, n=120, p=8):
    rng = np.random.default_rng(n_classes)
    X = rng.normal(size=(n, p)) + 0.3
    B = rng.normal(size=(p, n_classes)) * (rng.random((p, 1)) < 0.6)
    return X, (X @ B + rng.gumbel(size=(n, n_classes))).argmax(axis=1), rng.uniform(0.5, 2.0, n)


def both(X, y, weights=None, **options):
    return tuple(way["LogisticRegression"](**options).fit(X, y, weights) for way in (STAND_INS, STOCK))


def agree(ours, theirs, digits=1e-8):
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=digits)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=digits)
    assert (ours.coef_.dtype, ours.n_iter_.shape) == (theirs.coef_.dtype, theirs.n_iter_.shape)
    assert ours.classes_.tolist() == theirs.classes_.tolist()
    assert set(vars(ours)) == set(vars(theirs))


@pytest.mark.parametrize("kind", ["dense", "csr", "no intercept", "weights", "balanced", "words"])
@pytest.mark.parametrize(("n_classes", "l1_ratio"), [(3, 1.0), (5, 1.0), (3, 0.5), (4, 0.5)])
def test_several_classes_agree(kind, n_classes, l1_ratio, said):
    X, y, weights = rows(n_classes)
    X = sparse.csr_array(X * (np.abs(X) > 0.3)) if kind == "csr" else X
    y = np.array(["b", "a", "e", "d", "c"])[y] if kind == "words" else y
    options = {"l1_ratio": l1_ratio, "C": 0.3, "fit_intercept": kind != "no intercept", **TIGHT}
    options |= {"class_weight": "balanced"} if kind == "balanced" else {}
    ours, theirs = both(X, y, weights if kind in ("weights", "balanced") else None, **options)
    agree(ours, theirs, 2e-7 if kind == "csr" else 1e-8)  # their steps on sparse rows end less near the minimum
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-7)
    assert said() == []


def test_single_precision_stays_it(said):
    X, y, _ = rows(3)
    ours, theirs = both(X.astype(np.float32), y, l1_ratio=1, C=0.3, solver="saga", tol=1e-6, max_iter=100_000)
    agree(ours, theirs, 1e-4)
    assert said() == []


def test_an_even_number_of_classes_is_ours_where_the_minimum_is_a_point(said):
    X, y, _ = rows(4)
    ours, theirs = both(X, y, l1_ratio=1, C=0.05, **TIGHT)
    assert ours.coef_.any()
    agree(ours, theirs)
    assert said() == []


def test_an_even_number_of_classes_is_theirs_where_it_is_none(said):
    X, y, _ = rows(4)
    options = {"l1_ratio": 1, "C": 0.3, "solver": "saga", "tol": 1e-4, "max_iter": 1000, "random_state": 0}
    ours, theirs = both(X, y, **options)
    np.testing.assert_array_equal(ours.coef_, theirs.coef_)
    reason = "an L1 penalty alone has many minima for these 4 classes"
    assert said() == [f"logistic regression: scikit-learn's own: {reason}"]


@pytest.mark.parametrize("n_classes", [2, 3, 4, 5, 6])
def test_coefficients_are_unique_where_no_shift_costs_the_same(n_classes):
    rng = np.random.default_rng(n_classes)
    X = rng.normal(size=(20, 1))
    for _ in range(60):
        w = rng.integers(-2, 3, size=(n_classes, 1)).astype(float)
        w -= np.sort(w, axis=0)[rng.integers((n_classes - 1) // 2, n_classes // 2 + 1)]  # a median of 0 is best
        shifted = [w + step for step in (-0.25, 0.25)]
        for other in shifted:
            np.testing.assert_allclose(log_softmax(X @ other.T, axis=1), log_softmax(X @ w.T, axis=1), atol=1e-12)
        costs = [np.abs(other).sum() for other in shifted]
        assert min(costs) >= np.abs(w).sum() - 1e-12
        assert is_unique(w) == (min(costs) > np.abs(w).sum() + 1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_cross_validation_agrees(said):
    X, y, weights = rows(3)
    options = {"Cs": [0.05, 0.3], "cv": 3, "l1_ratios": (1, 0.5), "scoring": "neg_log_loss", **TIGHT}
    options |= {"use_legacy_attributes": False, "tol": 1e-8}
    ours, theirs = (
        way["LogisticRegressionCV"](**options).fit(X, y, sample_weight=weights) for way in (STAND_INS, STOCK)
    )
    np.testing.assert_allclose(ours.scores_, theirs.scores_, rtol=1e-6)
    np.testing.assert_allclose(ours.coefs_paths_, theirs.coefs_paths_, atol=1e-5)
    assert (ours.C_, ours.l1_ratio_) == (theirs.C_, theirs.l1_ratio_)
    assert ours.n_iter_.shape == theirs.n_iter_.shape
    assert said() == []


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_fold_that_lacks_a_class_is_theirs(said):
    X, y, _ = rows(3)
    order = np.argsort(y, kind="stable")
    cv = [(order[: np.count_nonzero(y < 2)], order[::2])]
    model = STAND_INS["LogisticRegressionCV"](
        Cs=[0.1], cv=cv, l1_ratios=(1,), solver="saga", max_iter=30, scoring="accuracy", use_legacy_attributes=False
    )
    model.fit(X, y)
    assert any("a class has no row to learn from" in line for line in said())


@pytest.mark.parametrize("solver", ["lbfgs", "newton-cholesky", "saga"])
def test_smooth_fits_of_several_classes_are_ours_where_asked_for(solver, said):
    X, y, _ = rows(4)
    options = {"C": 0.3, "solver": solver, "tol": 1e-10, "max_iter": 100_000}
    theirs = STOCK["LogisticRegression"](**options).fit(X, y)
    STAND_INS["LogisticRegression"](**options).fit(X, y)
    assert len(said()) == 1
    with patch_sklearn(smooth=True):
        agree(sk.LogisticRegression(**options).fit(X, y), theirs, 1e-6)
    assert len(said()) == 1
