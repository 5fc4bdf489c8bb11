"""The moments of rows: what they are by definition, and that blocks, layouts and pieces do not matter."""

import numpy as np
import pytest
from sklearn.model_selection import KFold

import shrinkage
from shrinkage import cross_validate
from shrinkage._path import fold_rows
from shrinkage.penalties import L1L2
from shrinkage.problem import Problem
from shrinkage.solvers._moment_sums import add_moments


def _rows(n: int, p: int, q: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 100.0
    Q = np.column_stack([np.ones(n), rng.standard_normal((n, 3))])[:, :q]
    rest = np.column_stack([rng.standard_normal(n), Q])
    removed = rng.standard_normal((q, p))
    removed[:1] += 100.0
    return X, rest, removed, rng.integers(0, 3, n).astype(float)


def _by_definition(X, rest, removed, weights, rows):
    D = np.column_stack([X - rest[:, 1:] @ removed, rest])[rows]
    return D.T @ (D * weights[rows][:, None])


def _layouts(X):
    wide = np.zeros((2 * X.shape[0], 3 * X.shape[1]))
    wide[::2, ::3] = X
    single = X.astype(np.float32)
    return {
        "C": X,
        "F": np.asfortranarray(X),
        "strided": wide[::2, ::3],
        "C32": single,
        "F32": np.asfortranarray(single),
    }


@pytest.mark.parametrize("layout", ["C", "F", "strided", "C32", "F32"])
@pytest.mark.parametrize("q", [0, 1, 3])
@pytest.mark.parametrize(("n", "p"), [(1, 1), (7, 3), (300, 20), (5000, 3), (777, 130)])
def test_moments_are_those_of_their_definition_in_every_layout(n, p, q, layout):
    X, rest, removed, weights = _rows(n, p, q)
    X = X.astype(np.float32).astype(float)
    values = _layouts(X)[layout]
    pieces = [np.arange(0, n, 2), np.arange(1, n, 2), np.arange(n // 3, n)]
    out = np.ones((3, p + 1 + q, p + 1 + q))
    add_moments(out, values, rest, removed, pieces=pieces, weights=weights)
    for found, rows in zip(out, pieces, strict=True):
        expected = _by_definition(X, rest, removed, weights, rows)
        scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected))) + 1
        assert np.abs((found - 1 - expected) / scale).max() < 1e-11
        assert np.array_equal(found, found.T)


def test_blocks_of_rows_add_up():
    X, rest, removed, weights = _rows(3000, 12, 2)
    whole = np.zeros((1, 15, 15))
    add_moments(whole, X, rest, removed, weights=weights)
    parts = np.zeros((1, 15, 15))
    for rows in np.array_split(np.arange(3000), 7):
        add_moments(parts, X[rows], rest[rows], removed, weights=weights[rows])
    np.testing.assert_allclose(parts, whole, rtol=1e-12, atol=1e-9)


def test_some_features_only():
    X, rest, removed, weights = _rows(500, 9, 2)
    features = np.array([7, 0, 3])
    for values in _layouts(X).values():
        out = np.zeros((1, 6, 6))
        add_moments(out, values, rest, removed[:, :3], features=features, weights=weights)
        expected = _by_definition(values[:, features].astype(float), rest, removed[:, :3], weights, np.arange(500))
        np.testing.assert_allclose(out[0], expected, rtol=1e-10, atol=1e-7)


def test_all_that_cross_validation_returns_has_the_same_bits_for_any_number_of_threads():
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal((9000, 60)), rng.standard_normal(9000)
    y += X[:, :5].sum(axis=1)
    found = []
    for count in (1, 2, 3):
        with shrinkage.threads(count):
            cv = cross_validate(X, y, cv=4, n_alphas=15)
        found.append((cv.scores, cv.fold_gaps, cv.path.coefs.toarray(), cv.path.intercepts, cv.path.gaps, cv.path.kkt))
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))


@pytest.mark.parametrize("l1_ratio", [1.0, 0.3])
@pytest.mark.parametrize("far", [0.0, 1e5])
def test_scores_and_certificates_from_moments_are_those_computed_from_rows(l1_ratio, far):
    rng = np.random.default_rng(5)
    X = rng.standard_normal((3000, 8)) + far
    X[:, 7] = far  # a constant column
    y = X[:, 0] - X[:, 3] + rng.standard_normal(3000)
    weights = rng.integers(0, 3, 3000).astype(float)
    folds = list(KFold(3, shuffle=True, random_state=0).split(X))
    cv = cross_validate(X, y, cv=folds, l1_ratio=l1_ratio, n_alphas=6, sample_weight=weights, tol=1e-9)
    for k, (train, test) in enumerate(folds):
        problem = Problem(
            shrinkage.design.as_design(X[train]), y[train], cv.path.loss, L1L2(1.0, l1_ratio), weights[train]
        )
        alone = shrinkage.path(
            X[train], y[train], l1_ratio=l1_ratio, alphas=cv.alphas, sample_weight=weights[train], tol=1e-9
        )
        left = y[test][:, None] - X[test] @ alone.coefs.toarray() - alone.intercepts
        np.testing.assert_allclose(cv.scores[:, k], weights[test] @ left**2 / weights[test].sum(), rtol=1e-6)
        assert problem.gaps(alone.coefs, alone.intercepts, cv.alphas).max() / problem.null.objective < 1e-9


@pytest.mark.parametrize(("n", "count"), [(10, 3), (442, 10), (7, 7), (100, 2)])
def test_a_count_of_folds_deals_what_kfold_deals(n, count):
    dealt = fold_rows(count, np.zeros(n), False)
    for mine, theirs in zip(dealt, KFold(count).split(np.zeros(n)), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))
