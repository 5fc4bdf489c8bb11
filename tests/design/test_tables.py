"""Data frames as X: names kept, and columns that are no numbers named."""

import numpy as np
import pytest

from shrinkage._errors import DataError
from shrinkage.design import as_design

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")

TABLES = {"pandas": pandas.DataFrame, "polars": polars.DataFrame, "pyarrow": pyarrow.table}


@pytest.fixture(params=list(TABLES))
def table(request):
    return TABLES[request.param]


def values(design):
    return design.combine(np.arange(design.shape[1]), np.eye(design.shape[1]))


def test_names_and_numbers_come_over(table):
    design = as_design(table({"age": [31.5, 40.0], "height": [1.6, 1.8]}))
    assert design.feature_names == ("age", "height")
    assert design.converted_from is None
    np.testing.assert_array_equal(values(design), [[31.5, 1.6], [40.0, 1.8]])


def test_integers_and_booleans_count_as_numbers(table):
    design = as_design(table({"n": [3, 4], "x": [0.5, 1.5], "flag": [True, False]}))
    np.testing.assert_array_equal(values(design), [[3, 0.5, 1], [4, 1.5, 0]])
    assert design.dtype == np.float64
    assert "Int64" in design.converted_from
    assert "Boolean" in design.converted_from


def test_a_table_of_single_precision_stays_so(table):
    design = as_design(table({name: np.array([1, 2], dtype=np.float32) for name in "ab"}))
    assert design.dtype == np.float32
    assert design.converted_from is None


def test_text_is_refused_with_the_columns_name(table):
    with pytest.raises(DataError, match=r"column 'city' of X must hold numbers; its dtype is String: encode"):
        as_design(table({"age": [1.0, 2.0], "city": ["Rome", "Oslo"]}))


def test_dates_are_refused_with_the_columns_name(table):
    when = np.array(["2020-01-01", "2021-01-01"], dtype="M8[ms]")
    with pytest.raises(DataError, match=r"column 'when' of X must hold numbers; its dtype is Datetime.*days since"):
        as_design(table({"age": [1.0, 2.0], "when": when}))


@pytest.mark.parametrize("column", [[1.0, None, None], [1, None, None]])
def test_missing_values_are_refused_with_the_columns_name(table, column):
    with pytest.raises(DataError, match="column 'x' of X has 2 missing values; fill in"):
        as_design(table({"age": [1.0, 2.0, 3.0], "x": column}))


def test_a_pandas_column_of_mixed_objects_is_refused_with_its_name():
    with pytest.raises(
        DataError, match="column 'x' of X must hold numbers; its dtype is Object: fill in what is missing"
    ):
        as_design(pandas.DataFrame({"a": [1.0, 2.0], "x": [True, None]}))


def test_categories_are_refused_even_where_they_are_coded_as_numbers():
    frame = pandas.DataFrame({"a": [1.0, 2.0], "kind": pandas.Categorical([1, 2])})
    with pytest.raises(DataError, match="column 'kind' of X must hold numbers; its dtype is Categorical"):
        as_design(frame)


def test_a_pandas_frame_of_one_floating_dtype_is_read_in_place():
    frame = pandas.DataFrame(np.arange(6.0).reshape(3, 2), columns=["a", "b"])
    design = as_design(frame)
    assert np.shares_memory(design.values, frame.to_numpy())


def test_columns_that_pandas_only_numbered_have_no_names():
    assert as_design(pandas.DataFrame(np.eye(3))).feature_names is None
    assert as_design(pandas.DataFrame(np.eye(2), columns=[7, 9])).feature_names == ("7", "9")


def test_nullable_pandas_columns_without_missing_values_are_numbers():
    frame = pandas.DataFrame({"a": pandas.array([1, 2], dtype="Int64"), "b": pandas.array([0.5, 1.5], dtype="Float64")})
    np.testing.assert_array_equal(values(as_design(frame)), [[1, 0.5], [2, 1.5]])


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(DataError, match="'a' comes more than once"):
        as_design(pandas.DataFrame(np.eye(2), columns=["a", "a"]))


def test_a_frame_of_sparse_columns_stays_sparse():
    frame = pandas.DataFrame(np.eye(3), columns=list("abc")).astype(pandas.SparseDtype(float, 0.0))
    design = as_design(frame)
    assert design.is_sparse
    assert design.feature_names == ("a", "b", "c")
    np.testing.assert_array_equal(values(design), np.eye(3))


def test_a_lazy_frame_is_refused_with_the_remedy():
    with pytest.raises(DataError, match="must be in memory; got a lazy LazyFrame: collect it first"):
        as_design(polars.DataFrame({"a": [1.0]}).lazy())


def test_a_series_is_one_dimension_short():
    for series in (pandas.Series([1.0, 2.0]), polars.Series([1.0, 2.0])):
        with pytest.raises(DataError, match=r"got shape \(2,\)"):
            as_design(series)


def test_empty_tables_are_refused(table):
    for empty in (table({}), table({"a": np.zeros(0)})):
        with pytest.raises(DataError, match="at least one row and one column"):
            as_design(empty)
