"""What a product says when its arguments do not fit, and which value of X is not a number."""

import sys
import threading
import time

import numpy as np
import pytest
from scipy import sparse

from shrinkage._errors import ArgumentError, DataError
from shrinkage.design import as_design, check_finite

A = np.arange(12.0).reshape(4, 3)
STORAGES = [A, np.asfortranarray(A), A.astype(np.float32), sparse.csc_array(A)]


@pytest.fixture(params=range(len(STORAGES)), ids=["rows", "columns", "single", "sparse"])
def design(request):
    return as_design(STORAGES[request.param])


def test_right_hand_sides_of_another_length_are_refused(design):
    with pytest.raises(ArgumentError, match=r"R must be a matrix with 4 rows; got shape \(5, 2\)"):
        design.correlate(np.ones((5, 2)))
    with pytest.raises(ArgumentError, match=r"R must be a matrix with 4 rows; got shape \(4,\)"):
        design.correlate(np.ones(4))
    with pytest.raises(ArgumentError, match=r"B must be a matrix with 2 rows; got shape \(3, 1\)"):
        design.combine(np.array([0, 1]), np.ones((3, 1)))


@pytest.mark.parametrize("wrong", [-1, 3, 2**40])
def test_features_outside_x_are_refused(design, wrong):
    features = np.array([0, wrong])
    with pytest.raises(ArgumentError, match=f"features must be between 0 and 2; got {wrong}"):
        design.combine(features, np.ones((2, 1)))
    with pytest.raises(ArgumentError, match="features must be between 0 and 2"):
        design.gram(np.array([0]), features)
    with pytest.raises(ArgumentError, match="features must be between 0 and 2"):
        design.gather(features, np.zeros(2), None, np.empty((4, 2), order="F"))


def test_features_must_be_a_vector_of_integers(design):
    for features in (np.array([0.0, 1.0]), np.array([[0, 1]]), np.array([True, False])):
        with pytest.raises(ArgumentError, match="features must be a vector of integers"):
            design.gram(features, np.array([0]))


def test_weights_and_scales_of_another_length_are_refused(design):
    with pytest.raises(ArgumentError, match=r"weights must have shape \(4,\); got \(3,\)"):
        design.gram(np.array([0]), np.array([1]), np.ones(3))
    with pytest.raises(ArgumentError, match="shift must have shape"):
        design.gather(np.array([0]), np.zeros(2), None, np.empty((4, 1), order="F"))
    with pytest.raises(ArgumentError, match="row_scale must have shape"):
        design.gather(np.array([0]), np.zeros(1), np.ones(3), np.empty((4, 1), order="F"))
    with pytest.raises(ArgumentError, match="weights must be a matrix with 4 rows"):
        design.column_moments(np.ones((3, 1)))
    with pytest.raises(ArgumentError, match="every column of weights must have a positive sum; got 0"):
        design.column_moments(np.array([[1.0, 0.0]] * 4))


def test_an_array_that_cannot_be_written_as_it_should_is_refused(design):
    for out in (
        np.empty((4, 2)),
        np.empty((4, 2), dtype=np.float32, order="F"),
        np.empty((3, 2), order="F"),
        np.broadcast_to(np.zeros((4, 1)), (4, 2)),
    ):
        with pytest.raises(ArgumentError, match="out must be writable, column-major, float64"):
            design.gather(np.array([0, 1]), np.zeros(2), None, out)


def test_a_scan_of_shapes_that_do_not_fit_is_refused(design):
    good = {
        "theta": np.ones((4, 4), order="F"),
        "strengths": np.ones(2),
        "l1_weights": np.ones((3, 2), order="F"),
        "inside": np.zeros(3, bool),
        "tol": 0.0,
        "l2_weights": None,
        "C": np.empty((3, 4), order="F"),
    }
    design.scan(**good)
    for name, value in {
        "theta": np.ones((4, 3)),
        "strengths": np.ones(3),
        "l1_weights": np.ones((2, 2)),
        "inside": np.zeros(2, bool),
        "l2_weights": np.ones((3, 1)),
        "C": np.empty((3, 4)),
    }.items():
        with pytest.raises(ArgumentError):
            design.scan(**(good | {name: value}))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "make", [np.ascontiguousarray, np.asfortranarray, sparse.csc_array, lambda X: X[:, ::-1][:, ::-1]]
)
def test_the_first_value_that_is_not_finite_is_named(make, value):
    X = np.arange(1.0, 3001.0).reshape(1000, 3)
    check_finite(as_design(make(X)))
    X[700, 0] = X[17, 2] = X[17, 1] = value
    with pytest.raises(DataError, match="X must be finite; row 17, column 1 is NaN or infinite"):
        check_finite(as_design(make(X)))
    with pytest.raises(DataError, match=r"row 17, column 1 \('b'\)"):
        check_finite(as_design(make(X), feature_names=["a", "b", "c"]))


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_search_goes_on_beyond_its_first_block(order):
    X = np.zeros((1100, 2000), order=order)
    X[1099, 1999] = np.nan
    assert as_design(X).first_not_finite() == (1099, 1999)
    X[5, 1500] = np.inf
    assert as_design(X).first_not_finite() == (5, 1500)


@pytest.fixture
def patient_interpreter():
    """A thread keeps the interpreter until it gives it up by itself."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(60.0)
    yield
    sys.setswitchinterval(interval)


def test_other_threads_run_while_a_product_does(patient_interpreter):
    X = np.ones((2000, 1000))
    design, R = as_design(X), np.ones((2000, 20), order="F")
    at_work, turns = [], []

    def work():
        at_work.append(True)
        for _ in range(20):
            design.correlate(R)  # the only place where this thread can give up the interpreter
        at_work.clear()

    worker = threading.Thread(target=work)
    worker.start()
    while worker.is_alive():
        turns.append(bool(at_work))
        time.sleep(0)
    assert any(turns)
