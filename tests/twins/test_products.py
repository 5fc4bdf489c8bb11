"""Every product of every way to store a matrix says what NumPy says of the same numbers."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from shrinkage import _core
from shrinkage.design import DenseDesign, as_design

EPS = np.finfo(float).eps


def strided(A):
    wider = np.full((2 * A.shape[0], 3 * A.shape[1]), np.nan)
    wider[::2, ::3] = A
    return wider[::2, ::3]


def read_only(A):
    A = A.copy()
    A.flags.writeable = False
    return A


def with_shuffled_rows(A):
    """Compressed columns whose rows are not sorted, with an explicit zero where a column has room for one."""
    columns = sparse.csc_array(A)
    columns.data[: columns.data.size // 5] = 0.0
    backwards = sparse.csc_array(A)
    for j in range(A.shape[1]):
        part = slice(columns.indptr[j], columns.indptr[j + 1])
        backwards.indices[part] = columns.indices[part][::-1]
        backwards.data[part] = columns.data[part][::-1]
    backwards.has_sorted_indices = False
    return backwards


def twice(A):
    """Every entry stored as two halves, to be added up."""
    places = np.tile(np.indices(A.shape).reshape(2, -1), 2)
    return sparse.coo_array((np.tile(A.ravel() / 2, 2), tuple(places)), shape=A.shape)


LAYOUTS = {
    "column-major": np.asfortranarray,
    "row-major": np.ascontiguousarray,
    "strided": strided,
    "backwards": lambda A: A[::-1, ::-1],
    "rows of a wider table": lambda A: np.hstack([A, A])[:, : A.shape[1]],
    "columns of a longer table": lambda A: np.asfortranarray(np.vstack([A, A]))[: A.shape[0]],
    "read-only": read_only,
    "float32, column-major": lambda A: np.asfortranarray(A, dtype=np.float32),
    "float32, row-major": lambda A: np.ascontiguousarray(A, dtype=np.float32),
    "float32, strided": lambda A: strided(A).astype(np.float32)[::-1],
    "integers": lambda A: np.rint(10 * A).astype(np.int32),
    "compressed columns": sparse.csc_array,
    "compressed columns, float32": lambda A: sparse.csc_array(A.astype(np.float32)),
    "compressed columns, unsorted": with_shuffled_rows,
    "compressed rows": sparse.csr_array,
    "coordinates, each twice": twice,
}
SIZES = [(1, 1), (1, 7), (7, 1), (3, 5), (8, 4), (17, 9), (100, 20), (515, 33), (64, 300)]


def matrix(n, p, seed=0):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n, p))
    return np.where(rng.random((n, p)) < 0.6, A, 0.0)


def numbers(X):
    return np.asarray(X.toarray() if sparse.issparse(X) else X, dtype=float)


def stored(layout):
    """Matrices of every size as plain numbers and as the design that stores them so."""
    for size in SIZES:
        X = layout(matrix(*size))
        yield numbers(X), as_design(X)


def assert_product(result, left, right):
    """Each entry may be off by the rounding of its additions, and no more."""
    assert result.shape == (left.shape[0], right.shape[1])
    rounding = 4 * (left.shape[1] + 4) * EPS * (np.abs(left) @ np.abs(right))
    assert np.all(np.abs(result - left @ right) <= rounding)


@pytest.fixture(params=list(LAYOUTS))
def layout(request):
    return LAYOUTS[request.param]


def test_the_instruction_set_asked_for_is_the_one_in_use():
    assert _core.isa() == (os.environ.get("SHRINKAGE_ISA") or _core.isa())


def test_correlate_is_the_transposed_product_for_any_number_of_columns(layout):
    for A, design in stored(layout):
        for k in (0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 16, 19, 24, 25, 33, 50):
            R = np.random.default_rng(k).normal(size=(A.shape[0], k))
            assert_product(design.correlate(np.asfortranarray(R)), A.T, R)


def test_correlate_takes_its_right_hand_sides_in_any_order(layout):
    X = layout(matrix(20, 6))
    R = np.random.default_rng(1).integers(-3, 4, size=(20, 4))
    assert_product(as_design(X).correlate(R), numbers(X).T, R.astype(float))


def test_long_columns_are_summed_in_chunks_without_loss(layout):
    X = layout(matrix(9001, 6))
    R = np.random.default_rng(1).normal(size=(9001, 7))
    assert_product(as_design(X).correlate(R), numbers(X).T, R)


def test_combine_is_the_product_of_the_named_columns(layout):
    rng = np.random.default_rng(2)
    for A, design in stored(layout):
        for k in (0, 1, 3, 9, 40):
            for m in (0, 1, 2 * A.shape[1]):  # twice as many as there are: some come twice
                features = rng.integers(0, A.shape[1], m)
                B = rng.normal(size=(m, k))
                assert_product(design.combine(features, B), A[:, features], B)


@pytest.mark.parametrize("weighted", [False, True])
def test_gram_is_the_weighted_product_of_two_lists_of_columns(layout, weighted):
    rng = np.random.default_rng(3)
    for A, design in stored(layout):
        n, p = A.shape
        weights = rng.uniform(0, 2, n) if weighted else None
        for m, q in ((0, 2), (2, 0), (1, 1), (3, 11), (11, 3), (40, 40)):
            new, old = rng.integers(0, p, m), rng.integers(0, p, q)
            scaled = A[:, old] * (1.0 if weights is None else weights[:, None])
            assert_product(design.gram(new, old, weights), A[:, new].T, scaled)


@pytest.mark.parametrize("weighted", [False, True])
def test_gram_of_a_list_with_itself_is_symmetric_to_the_last_bit(layout, weighted):
    X = layout(matrix(30, 12))
    features = np.array([3, 0, 11, 5, 3])
    weights = np.linspace(0, 1, 30) if weighted else None
    G = as_design(X).gram(features, features, weights)
    picked = numbers(X)[:, features]
    assert_product(G, picked.T, picked * (1.0 if weights is None else weights[:, None]))
    if not weighted:
        np.testing.assert_array_equal(G, G.T)


@pytest.mark.parametrize("scaled", [False, True])
def test_gather_writes_shifted_and_scaled_columns(layout, scaled):
    rng = np.random.default_rng(4)
    for A, design in stored(layout):
        n, p = A.shape
        features = rng.integers(0, p, 35)
        shift = rng.normal(size=35)
        row_scale = rng.normal(size=n) if scaled else None
        room = np.full((n, 40), np.nan, order="F")
        out = room[:, :35]
        assert design.gather(features, shift, row_scale, out) is out
        expected = (A[:, features] - shift) * (1.0 if row_scale is None else row_scale[:, None])
        np.testing.assert_allclose(out, expected, rtol=4 * EPS)
        assert np.isnan(room[:, 35:]).all()


def scan_in_numpy(A, theta, strengths, l1, inside, tol, l2):
    F, T, p = l1.shape[1], len(strengths), A.shape[1]
    c = np.abs(A.T @ theta).reshape(p, F, T)
    limit = l1[:, :, None] * strengths
    penalised = np.broadcast_to(l1[:, :, None] > 0, c.shape)
    ratio = np.divide(c, l1[:, :, None], where=penalised, out=np.zeros_like(c))
    conjugate = np.zeros((F, T))
    if l2 is not None:
        over = np.divide(np.maximum(c - limit, 0) ** 2, l2[:, :, None], where=l2[:, :, None] > 0, out=np.zeros_like(c))
        conjugate = over.sum(axis=0)
    violated = penalised & (c > limit * (1 + tol)) & ~inside[:, None, None]
    first = np.where(violated.any(axis=(1, 2)), violated.any(axis=1).argmax(axis=1), T)
    excess = np.where(violated, np.divide(ratio, strengths), 0.0).max(axis=(1, 2))
    return ratio.max(axis=0), conjugate, first, excess


@pytest.mark.parametrize("elastic", [False, True])
def test_scan_is_the_product_and_what_it_says(layout, elastic):
    rng = np.random.default_rng(5)
    for A, design in stored(layout):
        n, p = A.shape
        for F, T in ((1, 1), (1, 5), (3, 4), (7, 6)):
            theta = np.asfortranarray(rng.normal(size=(n, F * T)))
            strengths = np.sort(np.abs(A.T @ theta).max() * rng.uniform(0.05, 1.5, T))[::-1].copy() + 1e-3
            l1 = np.asfortranarray(rng.uniform(0.5, 2, size=(p, F)) * (rng.random((p, F)) < 0.8))
            l2 = np.asfortranarray(rng.uniform(0.5, 2, size=(p, F)) * (l1 > 0)) if elastic else None
            inside = rng.random(p) < 0.3
            C = np.full((p, F * T), np.nan, order="F")
            found = design.scan(theta, strengths, l1, inside, 1e-6, l2, C)
            ratio, conjugate, first, excess = scan_in_numpy(A, theta, strengths, l1, inside, 1e-6, l2)
            assert_product(C, A.T, theta)
            slack = 100 * n * EPS
            np.testing.assert_allclose(found.max_ratio, ratio, rtol=slack, atol=slack)
            np.testing.assert_allclose(found.conjugate, conjugate, rtol=100 * slack, atol=100 * slack)
            np.testing.assert_array_equal(found.first, first)
            np.testing.assert_allclose(found.excess, excess, rtol=slack)
            assert found.first.dtype == np.int32


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("place", [(0, 0), (10, 3), (99, 8)])
def test_a_value_that_is_not_finite_shows_in_the_scan(layout, place, value):
    A = matrix(100, 9) + 5.0
    A[place] = value
    with np.errstate(invalid="ignore"):
        X = layout(A)
    if np.isfinite(numbers(X)).all():
        pytest.skip("integers hold no such value")
    theta = np.ones((100, 2), order="F")
    C = np.empty((9, 2), order="F")
    with np.errstate(invalid="ignore"):
        found = as_design(X).scan(theta, np.array([2.0, 1.0]), np.ones((9, 1)), np.zeros(9, bool), 0.0, None, C)
    assert np.isnan(found.max_ratio).all()


@pytest.mark.parametrize("k", [None, 1, 3, 12])
def test_column_moments_are_the_weighted_mean_and_variance(layout, k):
    for A, design in stored(layout):
        n = A.shape[0]
        W = None if k is None else np.random.default_rng(6).uniform(0.01, 2, size=(n, k))
        means, variances = design.column_moments(W)
        spread = np.abs(A).max(axis=0)
        for t in range(k or 1):
            w = np.ones(n) if W is None else W[:, t]
            mean = np.average(A, axis=0, weights=w)
            assert np.all(np.abs(means[:, t] - mean) <= 8 * n * EPS * spread)
            variance = np.average((A - mean) ** 2, axis=0, weights=w)
            assert np.all(np.abs(variances[:, t] - variance) <= 16 * n * EPS * spread**2)


@given(
    n=st.integers(1, 40),
    p=st.integers(1, 12),
    k=st.integers(1, 30),
    steps=st.tuples(st.sampled_from([-2, -1, 1, 2, 3]), st.sampled_from([-3, -1, 1, 2])),
    order=st.sampled_from("CF"),
    dtype=st.sampled_from([np.float64, np.float32]),
    offset=st.integers(0, 3),
)
def test_any_strides_are_read_in_place(n, p, k, steps, order, dtype, offset):
    rows, columns = steps
    base = np.random.default_rng(7).normal(size=(abs(rows) * n + offset, abs(columns) * p + offset))
    X = np.asarray(base, dtype=dtype, order=order)[offset:, offset:][::rows, ::columns][:n, :p]
    design = as_design(X)
    assert isinstance(design, DenseDesign)
    assert np.shares_memory(design.values, X)
    R = np.random.default_rng(8).normal(size=(X.shape[0], k))
    assert_product(design.correlate(R), X.T.astype(float), R)
