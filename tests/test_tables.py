"""Files become typed tables, tables become numbers by a recipe, and what is wrong is said with its place."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shrinkage._errors import DataError
from shrinkage.tables import CategoryRule, NumberRule, Recipe, Table, Target, read, read_target, read_weights, table_of

MIXED = {
    "dose": [1.5, None, 3.0, 4.0],
    "count": [1, 2, 3, 5],
    "sick": [True, None, False, True],
    "color": ["red", None, "blue", "red"],
}


def table(**columns):
    return table_of(pd.DataFrame(columns))


def kinds(read_table):
    return {column.name: column.kind for column in read_table.columns}


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet", "pq", "arrow", "feather"])
def test_every_format_gives_the_same_table(tmp_path, suffix):
    path = tmp_path / f"data.{suffix}"
    frame = pd.DataFrame(MIXED)
    if suffix in ("csv", "tsv"):
        frame.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    elif suffix in ("parquet", "pq"):
        frame.to_parquet(path)
    else:
        frame.to_feather(path)
    got, expected = read(path), table(**MIXED)
    assert kinds(got) == {"dose": "number", "count": "number", "sick": "boolean", "color": "category"}
    for mine, theirs in zip(got.columns, expected.columns, strict=True):
        np.testing.assert_array_equal(mine.values, theirs.values)
        assert mine.levels == theirs.levels


def test_an_arrow_stream_is_read_like_a_file(tmp_path):
    arrow = pa.table({"x": [1.0, 2.0]})
    with pa.OSFile(str(tmp_path / "s.arrow"), "wb") as sink, pa.ipc.new_stream(sink, arrow.schema) as writer:
        writer.write_table(arrow)
    assert read(tmp_path / "s.arrow").column("x").values.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("library", [pd.DataFrame, lambda d: pd.DataFrame(d).convert_dtypes(), pl.DataFrame, pa.table])
def test_every_table_library_gives_the_same_table(library):
    got, expected = table_of(library(MIXED)), table(**MIXED)
    for mine, theirs in zip(got.columns, expected.columns, strict=True):
        assert (mine.name, mine.kind, mine.levels) == (theirs.name, theirs.kind, theirs.levels)
        np.testing.assert_array_equal(mine.values, theirs.values)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("ragged.csv", b"x,y,z\n1,2,a\n3,4\n", ["ragged.csv", "line 3", "2 fields", "header has 3", "'z'", "complete"]),
        ("long.csv", b'x,y\n1,"a\nb"\n3,4,5\n', ["line 4", "3 fields", "'5'", "quote"]),
        ("twice.csv", b"x,y,x\n1,2,3\n", ["twice.csv", "'x'", "columns 1, 3", "rename"]),
        ("empty.csv", b"", ["empty.csv", "is empty"]),
        ("blank.csv", b"\n\n", ["blank.csv", "is empty", "names of the columns"]),
        ("header.csv", b"x,y\n", ["header.csv", "no rows"]),
        ("latin.csv", "x,name\n1,ok\n2,caf\u00e9\n".encode("latin1"), ["line 3", "'name'", "0xe9", "UTF-8"]),
        ("head.csv", "x,nam\u00e9\n1,2\n".encode("latin1"), ["line 1", "column 2", "UTF-8"]),
        ("wide.csv", "x\n1\n".encode("utf-16"), ["UTF-16", "save it as UTF-8"]),
        ("infinite.csv", b"x,y\n1,2\n1,inf\n", ["'y'", "infinite", "data row 2", "missing"]),
        ("data.xlsx", b"PK", ["'.xlsx'", ".parquet"]),
        ("cut.parquet", b"PAR1", ["cut.parquet", "Parquet"]),
        ("cut.feather", b"ARROW1", ["cut.feather", "Arrow"]),
    ],
)
def test_a_bad_file_is_refused_with_its_place_and_the_remedy(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read(tmp_path / name)
    assert [word for word in said if word not in str(caught.value)] == []


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(DataError, match=r"nothing\.csv: no such file"):
        read(tmp_path / "nothing.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="is a directory"):
        read(tmp_path / "folder.csv")


def test_a_byte_order_mark_blank_lines_and_quotes_do_no_harm(tmp_path):
    (tmp_path / "d.csv").write_bytes(b'\xef\xbb\xbf\nx,"a, b"\r\n1,"he said ""no"""\r\n\r\n2,plain\r\n')
    got = read(tmp_path / "d.csv")
    assert got.names == ("x", "a, b")
    assert got.column("a, b").texts() == ['he said "no"', "plain"]


def test_an_unknown_column_names_the_nearest():
    with pytest.raises(DataError, match="did you mean 'price'"):
        table(price=[1.0, 2.0]).column("prize")


@given(
    rows=st.lists(
        st.tuples(st.floats(-1e9, 1e9) | st.none(), st.sampled_from(["a", "b", "c d", "é"]) | st.none(), st.booleans()),
        min_size=2,
        max_size=30,
    )
)
def test_a_recipe_survives_json_and_encodes_every_row_to_numbers(rows):
    number, text, flag = (list(column) for column in zip(*rows, strict=True))
    schema = {"n": pl.Float64, "t": pl.String, "f": pl.Boolean}
    data = table_of(pl.DataFrame({"n": number, "t": text, "f": flag}, schema=schema))
    recipe = Recipe.learn(data)
    again = Recipe.from_dict(json.loads(json.dumps(recipe.to_dict())))
    assert again == recipe
    X, notes = recipe.apply(data)
    np.testing.assert_array_equal(X, again.apply(data)[0])
    assert X.shape == (len(rows), len(recipe.feature_names))
    assert np.isfinite(X).all()
    assert notes == ()
    places = [j for j, name in enumerate(recipe.feature_names) if name.startswith("t=")]
    if places:
        # Every row is in exactly one level, the missing one included.
        np.testing.assert_array_equal(X[:, places].sum(axis=1), 1.0)


def test_a_missing_number_is_the_training_mean_with_an_indicator():
    recipe = Recipe.learn(table(dose=[1.0, np.nan, 4.0], weight=[1.0, 2.0, 3.0]))
    assert recipe.feature_names == ("dose", "dose (missing)", "weight")
    X, _ = recipe.apply(table(dose=[np.nan, 7.0], weight=[5.0, 6.0]))
    assert X.tolist() == [[2.5, 1.0, 5.0], [7.0, 0.0, 6.0]]


def test_weights_move_the_mean_as_repeated_rows_do():
    twice = Recipe.learn(table(dose=[1.0, 1.0, np.nan, 4.0])).rules[0]
    weighted = Recipe.learn(table(dose=[1.0, np.nan, 4.0]), weights=np.array([2.0, 1.0, 1.0])).rules[0]
    assert isinstance(twice, NumberRule)
    assert weighted == twice


def test_a_value_missing_only_later_becomes_the_mean_and_is_said():
    X, notes = Recipe.learn(table(dose=[1.0, 3.0])).apply(table(dose=[np.nan, 5.0]))
    assert X.tolist() == [[2.0], [5.0]]
    assert len(notes) == 1
    assert "'dose': 1 missing" in notes[0]


def test_an_unseen_level_is_zeros_and_is_said_with_its_count():
    recipe = Recipe.learn(table(color=["red", "blue", "red"]))
    X, notes = recipe.apply(table(color=["green", "red", "green", None]))
    assert X.tolist() == [[0.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]]
    assert "'color'" in notes[0]
    assert "'green'" in notes[0]
    assert "2 rows" in notes[0]
    assert "1 missing" in notes[1]


def test_levels_that_look_like_numbers_are_matched_as_text(tmp_path):
    recipe = Recipe.learn(table(code=["01", "2", "x", "01"]))
    (tmp_path / "new.csv").write_text("code\n01\n2\n")
    X, notes = recipe.apply(read(tmp_path / "new.csv", text=recipe.text_columns))
    assert X.tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    assert notes == ()


def test_text_where_training_had_numbers_is_refused_with_its_row():
    with pytest.raises(DataError, match=r"'dose' must hold numbers.*data row 2 is 'much'"):
        Recipe.learn(table(dose=[1.0, 2.0])).apply(table(dose=["1", "much"]))


def test_a_column_that_is_gone_is_named():
    with pytest.raises(DataError, match="no column 'dose'"):
        Recipe.learn(table(dose=[1.0, 2.0])).apply(table(weight=[1.0]))


def test_dates_identifiers_lists_and_empty_columns_are_left_out_with_the_reason():
    data = table(
        x=np.arange(60.0),
        day=pd.date_range("2020-01-01", periods=60),
        name=[f"patient {i}" for i in range(60)],
        nothing=[None] * 60,
    )
    recipe = Recipe.learn(data)
    assert recipe.feature_names == ("x",)
    reasons = dict(recipe.dropped)
    assert "dates" in reasons["day"]
    assert "60 different values" in reasons["name"]
    assert "missing" in reasons["nothing"]


def test_many_levels_that_repeat_are_kept():
    levels = [f"zip {i % 55}" for i in range(220)]
    assert len(Recipe.learn(table(zip=levels)).feature_names) == 55


def test_one_word_among_numbers_is_an_error_and_not_a_category():
    values = [str(i / 7) for i in range(30)]
    values[4] = "n.a.?"
    with pytest.raises(DataError, match=r"'dose' is numbers but for 1 .*'n\.a\.\?' in data row 5"):
        Recipe.learn(table(dose=values))


def test_nothing_to_learn_from_is_refused():
    with pytest.raises(DataError, match="no column to learn from"):
        Recipe.learn(table(y=[1.0, 2.0]), exclude={"y"})


def test_a_fold_learns_from_its_rows_only():
    data = table(dose=[1.0, np.nan, 5.0, 100.0], color=["a", "b", "a", "c"])
    own = Recipe.learn(data).relearn(data, np.array([0, 2]))
    assert own.rules == (NumberRule("dose", "number", 3.0, False), CategoryRule("color", ("a",), False))


def test_names_that_collide_are_told_apart():
    data = table_of(pl.DataFrame({"a=b": [1.0, 2.0], "a": ["b", "c"]}))
    assert Recipe.learn(data).feature_names == ("a=b", "a=b #2", "a=c")


@pytest.mark.parametrize(
    ("values", "loss", "classes"),
    [
        ([1.0, 2.5, 4.0], "squared", ()),
        ([0, 1, 1], "logistic", ("0", "1")),
        ([3, 7, 7], "logistic", ("3", "7")),
        ([True, False, True], "logistic", ("False", "True")),
        (["yes", "no", "yes"], "logistic", ("no", "yes")),
    ],
)
def test_the_loss_suits_the_target(values, loss, classes):
    target, y = read_target(table(y=values), "y")
    assert (target.loss, target.classes) == (loss, classes)
    expected = values if loss == "squared" else [float(value == max(values)) for value in values]
    assert y.tolist() == expected
    assert loss in target.reason


def test_two_numbers_are_regressed_when_asked():
    target, y = read_target(table(y=[0, 1, 1]), "y", loss="squared")
    assert target.loss == "squared"
    assert y.tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("values", "options", "classes"),
    [
        (["b", "a", "c", "a", "b", "c"], {"many_classes": True}, ("a", "b", "c")),
        (["b", "a", "c", "a", "b", "c"], {"loss": "multinomial"}, ("a", "b", "c")),
        ([10, 9, 2, 9, 10, 2], {"loss": "multinomial"}, ("2", "9", "10")),
    ],
)
def test_many_classes_are_codes_in_the_order_of_their_values(values, options, classes):
    target, y = read_target(table(y=values), "y", **options)
    assert (target.loss, target.classes) == ("multinomial", classes)
    assert [target.classes[int(code)] for code in y] == [str(value) for value in values]
    assert Target.from_dict(json.loads(json.dumps(target.to_dict()))) == target


def test_many_classes_leave_two_classes_and_numbers_as_they_are():
    assert read_target(table(y=["a", "b", "a"]), "y", loss="multinomial")[0].loss == "logistic"
    assert read_target(table(y=["a", "b", "a"]), "y", many_classes=True)[0].loss == "logistic"
    assert read_target(table(y=[1, 2, 3, 1]), "y", many_classes=True)[0].loss == "squared"
    with pytest.raises(DataError, match="logistic loss takes 2"):
        read_target(table(y=["a", "b", "c", "a"]), "y")


def test_one_class_against_the_rest():
    target, y = read_target(table(y=["a", "b", "c", "a"]), "y", positive="a")
    assert target.classes == ("not a", "a")
    assert y.tolist() == [1.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        ([1.0, np.nan, 2.0, np.nan], {}, "missing in 2 rows, first in data row 2"),
        (["a", None, "b"], {}, "missing in 1 row, first in data row 2"),
        ([2.0, 2.0, 2.0], {}, "'2' in every row"),
        (["a", "b", "c"], {}, "3 different values .*--positive"),
        ([1.0, 2.0, 3.0], {"loss": "logistic"}, "3 different values .*use loss squared"),
        (["a", "b", "a"], {"loss": "squared"}, "must be numbers for the squared loss; data row 1 is"),
        (["a", "b", "c", "d"], {"loss": "multinomial"}, "4 different values in 4 rows, too many to be classes"),
        (["a", "b", "a"], {"positive": "c"}, "no class 'c'"),
        (["a", "b", "a"], {"positive": "a", "loss": "squared"}, "logistic"),
        (pd.date_range("2020", periods=3), {}, "date"),
    ],
)
def test_a_target_that_cannot_be_used_is_refused(values, options, said):
    with pytest.raises(DataError, match=said):
        read_target(table(y=values), "y", **options)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1.0, -1.0], "data row 2 is -1"),
        ([np.nan, 1.0], "data row 1"),
        ([0.0, 0.0], "0 in every row"),
        (["a", "b"], "numbers"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(values, said):
    with pytest.raises(DataError, match=said):
        read_weights(table(w=values), "w")


def test_taking_rows_takes_them_from_every_column():
    data = table(**MIXED)
    part = data.take(np.array([3, 0]))
    assert isinstance(part, Table)
    for whole, kept in zip(data.columns, part.columns, strict=True):
        assert kept.texts() == [whole.texts()[3], whole.texts()[0]]
