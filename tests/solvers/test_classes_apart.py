"""Classes that free columns tell apart, and groups of classes on wide data: finite numbers, certified."""

import numpy as np
import pytest

from shrinkage import path
from shrinkage.problem._class_dual import balance_classes, minimize_free_classes
from shrinkage.solvers import Status

COLUMNS = ("one class", "part of a class", "every class")


def data(kind, n, p, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    y = (X[:, 0] + 0.5 * rng.normal(size=n) > 0).astype(int) + (X[:, 1] > 0.5)
    y[:3] = range(3)
    column = {"one class": y == 0, "part of a class": (y == 0) & (rng.random(n) < 0.5), "every class": y}[kind]
    return np.column_stack([X, column.astype(float)]), y


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("n", "p"), [(50, 6), (20, 40)], ids=["tall", "wide"])
@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.3, 0.0])
@pytest.mark.parametrize("loss", ["multinomial", "multinomial_grouped"])
def test_free_columns_that_tell_classes_apart_end_finite_and_certified(loss, l1_ratio, kind, n, p, fit_intercept):
    X, y = data(kind, n, p, COLUMNS.index(kind))
    factors = np.append(np.ones(p), 0.0)
    found = path(X, y, loss, l1_ratio, n_alphas=6, penalty_factor=factors, fit_intercept=fit_intercept)
    assert np.isfinite(found.coefs.toarray()).all()
    assert np.isfinite(found.intercepts).all()
    assert set(found.status) == {Status.CONVERGED}
    assert (found.relative_gaps <= 1e-6).all()
    assert (found.relative_gaps >= -1e-9).all()


@pytest.mark.parametrize("kind", COLUMNS[:2])  # the third explains all, and leaves nothing to prove
def test_dual_points_of_separated_classes_are_balanced_and_prove_something(kind):
    X, y = data(kind, 40, 2, 5)
    weights, Y = np.full(40, 1 / 40), np.eye(3)[y]
    Z = np.column_stack([np.ones(40), X[:, -1]])
    Q = np.linalg.qr(Z)[0] * np.sqrt(40)
    eta = minimize_free_classes(Y, np.zeros((40, 3)), Q, weights)[1]
    u = balance_classes(Y, eta, Q, weights)
    assert np.isfinite(eta).all()
    assert np.abs(Q.T @ (weights[:, None] * u)).max() <= 1e-13
    assert u.any()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.05])
def test_groups_of_classes_are_certified_on_wide_correlated_data(l1_ratio, seed):
    rng = np.random.default_rng(seed)
    X = np.cumsum(rng.normal(size=(24, 70)), axis=1) * 10.0 ** rng.uniform(-2, 2, 70)
    y = rng.integers(3, size=24)
    y[:3] = range(3)
    weights = np.where(rng.random(24) < 0.2, 0.0, 1.0)
    weights[:3] = 1.0
    found = path(X, y, "multinomial_grouped", l1_ratio, n_alphas=8, sample_weight=weights)
    assert set(found.status) == {Status.CONVERGED}
    assert (found.relative_gaps >= -1e-10).all()
