"""The moments of rows: what they are by definition, and that blocks, layouts and pieces do not matter."""

import numpy as np
import pytest

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
