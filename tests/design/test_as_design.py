"""What may be given as X, and what is said to those who give something else."""

import pickle
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from scipy import sparse

from shrinkage._errors import ArgumentError, DataError
from shrinkage.design import Design, SparseDesign, as_design

A = np.arange(12.0).reshape(4, 3) - 5.0


def values(design):
    """The numbers of a design, seen only through its own product."""
    return design.combine(np.arange(design.shape[1]), np.eye(design.shape[1]))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("order", ["C", "F"])
def test_floating_arrays_are_read_in_place(dtype, order):
    X = A.astype(dtype, order=order)
    design = as_design(X)
    assert np.shares_memory(design.values, X)
    assert design.converted_from is None
    assert design.dtype == dtype
    assert design.shape == X.shape


def test_a_memory_map_is_read_in_place(tmp_path):
    stored = np.memmap(tmp_path / "X", dtype=np.float32, mode="w+", shape=A.shape)
    stored[:] = A
    stored.flush()
    X = np.memmap(tmp_path / "X", dtype=np.float32, mode="r", shape=A.shape)
    design = as_design(X)
    assert np.shares_memory(design.values, X)
    np.testing.assert_array_equal(values(design), A)


@pytest.mark.parametrize("order", ["C", "F", "K"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_product_copies_x_or_changes_it(order, dtype):
    base = np.random.default_rng(0).normal(size=(1200, 1000))
    X = base.astype(dtype)[::2, ::2] if order == "K" else base[:600, :500].astype(dtype, order=order)
    X = np.tile(X, (4, 1)) if order == "C" else X
    before = X.copy()
    n, p = X.shape
    features, theta = np.arange(5), np.ones((n, 3), order="F")
    out, C = np.empty((n, 5), order="F"), np.empty((p, 3), order="F")
    inside, ones = np.zeros(p, bool), np.ones((p, 1))
    tracemalloc.start()
    design = as_design(X)
    design.correlate(theta)
    design.combine(features, np.ones((5, 2)))
    design.gram(features, features)
    design.gather(features, np.zeros(5), None, out)
    design.scan(theta, np.ones(3), ones, inside, 0.0, None, C)
    design.column_moments(theta)
    design.first_not_finite()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < X.nbytes / 4 + (1 << 21)  # at most the block that the search for NaN looks at
    np.testing.assert_array_equal(X, before)


def test_a_sparse_matrix_is_read_in_place():
    X = sparse.csc_array(A)
    before = X.copy()
    design = as_design(X)
    assert design.is_sparse
    assert design.converted_from is None
    indptr, indices, data = design.csc()
    assert np.shares_memory(data, X.data)
    assert np.shares_memory(indices, X.indices)
    np.testing.assert_array_equal(indptr, X.indptr)
    design.gram(np.arange(3), np.arange(3))
    np.testing.assert_array_equal(X.toarray(), before.toarray())


@pytest.mark.parametrize(
    "kind", [np.int8, np.int64, np.uint16, np.float16, np.longdouble, np.bool_, ">f8", ">i4", object]
)
def test_other_numbers_are_converted_once_and_say_so(kind):
    X = (np.abs(A) > 2).astype(kind)
    design = as_design(X)
    assert design.dtype == np.float64
    assert design.converted_from is not None
    np.testing.assert_array_equal(values(design), X.astype(float))


def test_exact_numbers_are_numbers():
    np.testing.assert_array_equal(values(as_design([[Fraction(1, 2), 2], [True, 0.25]])), [[0.5, 2], [1, 0.25]])


@pytest.mark.parametrize("form", ["csr", "coo", "lil", "dok", "dia", "bsr"])
@pytest.mark.parametrize("container", [sparse.coo_array, sparse.coo_matrix])
def test_other_sparse_formats_become_compressed_columns(form, container):
    design = as_design(container(A).asformat(form))
    assert design.is_sparse
    assert form in design.converted_from
    np.testing.assert_array_equal(values(design), A)


def test_sparse_integers_and_booleans_are_converted():
    for kind in (np.int32, np.bool_, np.longdouble):
        X = sparse.csc_array((np.abs(A) > 2).astype(kind))
        design = as_design(X)
        assert str(X.dtype) in design.converted_from
        np.testing.assert_array_equal(values(design), X.toarray().astype(float))


def test_repeated_entries_are_added_up_and_the_callers_matrix_keeps_them():
    X = sparse.csc_array((np.array([1.0, 2.0, 4.0]), np.array([1, 1, 0]), np.array([0, 3, 3])), shape=(2, 2))
    np.testing.assert_array_equal(values(as_design(X)), [[4, 0], [3, 0]])
    assert X.nnz == 3
    assert as_design(X).gram(np.array([0]), np.array([0])) == 25


def test_slack_at_the_end_of_compressed_columns_is_ignored():
    X = sparse.csc_array(A)
    X.indices = np.append(X.indices, 99).astype(np.int32)
    X.data = np.append(X.data, np.nan)
    np.testing.assert_array_equal(values(as_design(X)), A)


@pytest.mark.parametrize(
    ("indptr", "indices"), [([0, 1, 2], [0, 4]), ([0, 1, 2], [-1, 0]), ([0, 2, 1], [0, 1]), ([0, 1, 9], [0, 1])]
)
def test_indices_outside_the_matrix_are_refused(indptr, indices):
    with pytest.raises(DataError, match="sparse X must"):
        SparseDesign(4, np.array(indptr), np.array(indices), np.ones(2))


def test_a_design_is_returned_as_it_is():
    for X in (A, sparse.csc_array(A)):
        design = as_design(X)
        assert as_design(design) is design
        assert isinstance(design, Design)
    with pytest.raises(ArgumentError, match="feature_names must be None"):
        as_design(design, feature_names=["a", "b", "c"])


def test_names_can_be_given():
    assert as_design(A).feature_names is None
    assert as_design(A, ["u", "v", "w"]).feature_names == ("u", "v", "w")
    with pytest.raises(ArgumentError, match="3 names, one per column of X; got 2"):
        as_design(A, ["u", "v"])
    with pytest.raises(ArgumentError, match="'u' more than once"):
        as_design(A, ["u", "v", "u"])
    with pytest.raises(ArgumentError, match="feature_names"):
        as_design(A, "uvw")


@pytest.mark.parametrize("X", [A, sparse.csc_array(A)])
def test_a_design_survives_pickling(X):
    design = pickle.loads(pickle.dumps(as_design(X, ["u", "v", "w"])))
    assert design.feature_names == ("u", "v", "w")
    np.testing.assert_array_equal(values(design), A)


@pytest.mark.parametrize(
    ("X", "said"),
    [
        (np.zeros(3), r"shape \(3,\): X.reshape\(-1, 1\)"),
        (np.zeros((2, 2, 1)), r"two dimensions, rows and columns; got shape \(2, 2, 1\)"),
        (np.float64(1), "two dimensions"),
        (None, "two dimensions"),
        (np.zeros((0, 3)), r"at least one row and one column; got shape \(0, 3\)"),
        (np.zeros((3, 0)), r"at least one row and one column; got shape \(3, 0\)"),
        (sparse.csc_array((0, 3)), r"at least one row and one column; got shape \(0, 3\)"),
        (np.zeros((2, 2), complex), "real numbers; got complex128"),
        (sparse.csc_array(np.eye(2), dtype=complex), "real numbers; got dtype complex128"),
        (np.array([["a", "b"]]), "encode it as numbers"),
        (np.array([["1", 2.0]], dtype=object), "row 0, column 0 is '1' of type str"),
        (np.array([[1.0, None]], dtype=object), "row 0, column 1 is None"),
        (np.zeros((2, 2), "M8[s]"), "must hold numbers; got dtype datetime64"),
        ([[1.0, 2.0], [3.0]], "same number of values in every row"),
        (np.ma.masked_less(A, 0), "must not have masked values; got 5"),
    ],
)
def test_what_is_no_matrix_of_numbers_is_refused_in_a_sentence(X, said):
    with pytest.raises(DataError, match=said):
        as_design(X)


def test_a_masked_array_with_nothing_masked_is_a_matrix():
    np.testing.assert_array_equal(values(as_design(np.ma.array(A))), A)
