"""What y may be: labels of one kind, none missing, and the same answer at both doors."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from shrinkage import LogisticRegression, path
from shrinkage._errors import ArgumentError, DataError
from shrinkage.penalties import MCP, SortedL1

X = np.random.default_rng(5).normal(size=(12, 2))
CODES = np.array([0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1, 0])


def with_first(label, kind):
    y = np.array(["a", "b"], dtype=object)[CODES]
    y[4] = label
    return kind(y)


@pytest.mark.parametrize("missing", [None, np.nan, float("nan"), pd.NA, pd.NaT], ids=str)
@pytest.mark.parametrize("kind", [np.asarray, list], ids=["array", "list"])
def test_a_missing_label_is_no_class_and_its_row_is_named(missing, kind):
    y = with_first(missing, kind)
    for fit in (lambda: path(X, y, loss="logistic"), lambda: LogisticRegression().fit(X, y)):
        with pytest.raises(DataError, match="y must hold a label in every row; row 4 is"):
            fit()


@pytest.mark.parametrize("kind", [np.asarray, list], ids=["array", "list"])
def test_labels_of_two_kinds_are_refused(kind):
    y = with_first(1, kind)
    for fit in (lambda: path(X, y, loss="logistic"), lambda: LogisticRegression().fit(X, y)):
        with pytest.raises(DataError, match=r"labels of one kind.*row 4 is 1 of type int"):
            fit()


@pytest.mark.parametrize("labels", [(0, 1), (0.0, 1.0), (False, True)], ids=str)
def test_objects_that_are_numbers_or_booleans_count_as_such_at_both_doors(labels):
    plain, objects = np.array(labels)[CODES], np.array(labels, dtype=object)[CODES]
    by_path, by_object = (path(X, y, loss="logistic", l1_ratio=0.0, alphas=[0.1]) for y in (plain, objects))
    assert by_object.classes == by_path.classes == labels
    assert type(by_object.classes[1]) is type(by_path.classes[1])
    model = LogisticRegression(alpha=0.1).fit(X, objects)
    assert model.classes_.dtype == plain.dtype
    assert_allclose(model.coef_[0], by_object.coef(0.1), atol=1e-3)


def test_objects_that_are_other_numbers_are_refused_as_numbers_are():
    for y in (np.array([-1, 1])[CODES], np.array([-1, 1], dtype=object)[CODES]):
        with pytest.raises(DataError, match=r"y must be 0 or 1 .*row 0 is -1\.0; code.*LogisticRegression takes any"):
            path(X, y, loss="logistic")
        assert LogisticRegression().fit(X, y).classes_.tolist() == [-1, 1]


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_a_column_is_refused_with_the_remedy(loss):
    with pytest.raises(ArgumentError, match=r"y must have shape \(12,\).*got \(12, 1\): y\.ravel\(\)"):
        path(X, CODES[:, None], loss=loss)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("dtype", [complex, "datetime64[s]"])
def test_what_is_no_real_number_is_refused(loss, dtype):
    with pytest.raises(ArgumentError, match="y must hold real numbers; got"):
        path(X, CODES.astype(dtype), loss=loss)


@pytest.mark.parametrize("y", [list("010101010101"), np.array(list("010101010101"), dtype=object)], ids=type)
def test_texts_of_digits_are_no_numbers(y):
    with pytest.raises(ArgumentError, match="y must hold real numbers"):
        path(X, y)


def test_texts_of_variable_length_are_texts():
    y = np.array(["no", "yes"])[CODES]
    fitted = LogisticRegression().fit(X, y.astype(np.dtypes.StringDType()))
    assert fitted.classes_.tolist() == ["no", "yes"]
    assert_allclose(fitted.coef_, LogisticRegression().fit(X, y).coef_)


def test_a_loss_that_there_is_not_is_answered_with_all_that_there_are():
    for loss in ("hinge", 3):
        names = "'squared', .*'cox', 'multinomial', 'multinomial_grouped', or a value"
        with pytest.raises(ArgumentError, match=names) as told:
            path(np.eye(3), np.arange(3.0), loss=loss)
        for name in ("Tweedie(power)", "NegativeBinomial(theta)", "Huber(delta)", "Quantile(quantile, smoothing)"):
            assert name in str(told.value)


@pytest.mark.parametrize("penalty", [3, "l1", MCP(1.0, gamma=3.0), SortedL1(1.0, np.ones(4))])
def test_a_penalty_that_classes_do_not_take_is_answered_with_those_that_they_do(penalty):
    X, y = np.random.default_rng(0).normal(size=(30, 4)), np.arange(30) % 3
    with pytest.raises(ArgumentError, match=r"takes an L1, L2 or L1L2 .* or a Box around one; got") as told:
        path(X, y, loss="multinomial", penalty=penalty)
    assert "must be" not in str(told.value)


@pytest.mark.parametrize("y", [np.arange(30.0), np.ones((30, 2)) * np.arange(30.0)[:, None]])
def test_a_bound_that_is_no_number_is_not_said_to_have_to_be_finite(y):
    X = np.random.default_rng(0).normal(size=(30, 4))
    for bound, place in (({"lower": np.nan}, 0), ({"upper": [1.0, np.inf, np.nan, 1.0]}, 2)):
        with pytest.raises(ArgumentError, match=f"must hold numbers, finite or infinite; position {place} is nan"):
            path(X, y, **bound)
