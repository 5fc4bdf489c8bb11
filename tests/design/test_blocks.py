"""Data larger than memory: the products over blocks are those of the whole, whatever the blocks come from."""

import numpy as np
import pytest

from shrinkage import ArgumentError, DataError, open_blocks
from shrinkage.design import BlockDesign, Design, Progress, as_design

pa = pytest.importorskip("pyarrow")
N, P = 103, 7


def matrix() -> np.ndarray:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((N, P)) * rng.uniform(0.1, 10, P) + rng.uniform(-30, 30, P)
    X[:, 2] = 0.1
    return X


def npy(X, folder):
    np.save(folder / "X.npy", X)
    return open_blocks(folder / "X.npy", rows=10)


def parquet(X, folder):
    from pyarrow import parquet

    parquet.write_table(pa.table({f"x{j}": X[:, j] for j in range(P)}), folder / "X.parquet", row_group_size=40)
    return open_blocks(str(folder / "X.parquet"), rows=30)


SOURCES = {
    "npy": npy,
    "npy by columns": lambda X, folder: npy(np.asfortranarray(X), folder),
    "npy float32": lambda X, folder: npy(X.astype(np.float32), folder),
    "npy big-endian": lambda X, folder: npy(X.astype(">f8"), folder),
    "array": lambda X, folder: open_blocks(X, rows=50),
    "one block": lambda X, folder: open_blocks(X),
    "parquet": parquet,
    "function": lambda X, folder: open_blocks(lambda: (X[i : i + 17] for i in range(0, N, 17))),
    "picked": lambda X, folder: npy(np.stack([X, -X], axis=1).reshape(2 * N, P), folder).take(np.arange(0, 2 * N, 2)),
}


@pytest.fixture(params=SOURCES)
def pair(request, tmp_path):
    """A design in blocks, and the dense one of the same numbers."""
    X = matrix()
    kept = X.astype(np.float32) if "float32" in request.param else X
    return SOURCES[request.param](X, tmp_path), as_design(kept)


def test_products_are_those_of_the_whole(pair):
    blocks, dense = pair
    rng = np.random.default_rng(0)
    R, B, some, w = rng.standard_normal((N, 3)), rng.standard_normal((4, 2)), np.array([6, 0, 2, 5]), rng.random(N)
    assert isinstance(blocks, Design)
    assert blocks.shape == (N, P)
    assert blocks.dtype == dense.dtype
    np.testing.assert_allclose(blocks.correlate(R), dense.correlate(R), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(blocks.combine(some, B), dense.combine(some, B))
    np.testing.assert_allclose(blocks.gram(some, some, w), dense.gram(some, some, w), rtol=1e-12)
    np.testing.assert_allclose(blocks.gram(some[:2], some), dense.gram(some[:2], some), rtol=1e-12)
    out, expected = np.empty((N, 4), order="F"), np.empty((N, 4), order="F")
    assert blocks.gather(some, np.ones(4), w, out) is out
    np.testing.assert_array_equal(out, dense.gather(some, np.ones(4), w, expected))


def test_means_and_variances_are_those_of_the_whole(pair):
    blocks, dense = pair
    weights = np.asfortranarray(np.random.default_rng(0).integers(0, 3, (N, 4)).astype(float))
    weights[:60, 3] = 0.0
    for given in (None, weights):
        for found, expected in zip(blocks.column_moments(given), dense.column_moments(given), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-300)
    assert (blocks.column_moments(weights)[1][2] == 0).all()  # the constant column


@pytest.mark.parametrize("ridge", [False, True])
def test_a_scan_is_that_of_the_whole(pair, ridge):
    blocks, dense = pair
    rng = np.random.default_rng(1)
    fits, strengths = 2, np.array([300.0, 200.0, 50.0])
    theta = np.asfortranarray(rng.standard_normal((N, 6)))
    l1 = np.asfortranarray(rng.uniform(0.5, 2, (P, fits)))
    l1[3, 1] = 0.0
    l2 = np.asfortranarray(l1**2) if ridge else None
    inside = np.arange(P) == 1
    C, expected = np.empty((P, 6), order="F"), np.empty((P, 6), order="F")
    found = blocks.scan(theta, strengths, l1, inside, 1e-6, l2, C)
    wanted = dense.scan(theta, strengths, l1, inside, 1e-6, l2, expected)
    np.testing.assert_allclose(C, expected, rtol=1e-11, atol=1e-11)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11)
    assert (found.first < 3).any()


def test_what_is_not_finite_is_named():
    X = matrix()
    X[71, 4] = np.inf
    assert open_blocks(X, rows=20).first_not_finite() == (71, 4)
    C = np.empty((P, 1), order="F")
    found = open_blocks(X, rows=20).scan(
        np.ones((N, 1)) - 1, np.ones(1), np.ones((P, 1)), np.zeros(P, bool), 0.0, None, C
    )
    assert np.isnan(found.max_ratio).all()


def test_a_mean_far_from_the_first_blocks_costs_no_digits():
    X = np.random.default_rng(0).standard_normal((400, 1))
    X[:10] += 1e9
    weights = np.ones((400, 1))
    weights[:10] = 0.0
    found = open_blocks(X, rows=10).column_moments(weights)
    np.testing.assert_allclose(found[1][0, 0], X[10:].var(), rtol=1e-12)


def test_constant_columns_have_no_variance():
    X = np.tile(np.pi * 10.0 ** np.arange(-8, 12), (500, 1)) / 3
    blocks = open_blocks(X, rows=90)
    assert (blocks.column_moments(np.random.default_rng(0).random((500, 3)))[1] == 0).all()
    assert blocks.readings == 1


def test_progress_counts_rows_and_readings():
    told: list[Progress] = []
    blocks = open_blocks(matrix(), rows=50, progress=told.append)
    blocks.correlate(np.ones((N, 1)))
    blocks.combine(np.array([0]), np.ones((1, 1)))
    assert [(t.done, t.total, t.reading) for t in told] == [(d, N, r) for r in (1, 2) for d in (50, 100, N)]
    assert [t.stage for t in told[::3]] == ["correlations", "predictions"]


def test_columns_of_parquet_are_picked_by_name(tmp_path):
    parquet(matrix(), tmp_path)
    blocks = open_blocks(tmp_path / "X.parquet", columns=["x5", "x0"])
    assert blocks.feature_names == ("x5", "x0")
    np.testing.assert_array_equal(blocks.combine(np.arange(2), np.eye(2)), matrix()[:, [5, 0]])


def test_numbers_that_are_not_floats_are_converted(tmp_path):
    np.save(tmp_path / "X.npy", np.arange(12).reshape(6, 2))
    blocks = open_blocks(tmp_path / "X.npy")
    assert blocks.converted_from == "int64"
    np.testing.assert_array_equal(blocks.correlate(np.ones((6, 1)))[:, 0], [30, 36])


def test_tables_from_a_function_name_the_features():
    table = pa.table({"a": [1.0, 2.0], "b": [3, 4]})
    blocks = open_blocks(lambda: [table, table])
    assert isinstance(blocks, BlockDesign)
    assert blocks.feature_names == ("a", "b")
    assert blocks.shape == (4, 2)


@pytest.mark.parametrize(
    ("source", "keywords", "error", "said"),
    [
        ("no.npy", {}, DataError, "no such file"),
        ("no.parquet", {}, DataError, "no such file"),
        ("X.txt", {}, DataError, r"'\.txt' tells no format; use \.npy"),
        (3, {}, ArgumentError, "source must be the path of a .npy .* got int"),
        (np.ones(3), {}, DataError, "rows and columns"),
        (np.array([["a"]]), {}, DataError, "must hold numbers"),
        (np.ones((3, 1)), {"rows": 0}, ArgumentError, "rows must be a whole number >= 1; got 0"),
        (np.ones((3, 1)), {"progress": 1}, ArgumentError, "progress must be None or a function"),
        (np.ones((3, 1)), {"columns": ["a"]}, ArgumentError, "columns must be None unless"),
        ("X.parquet", {"columns": []}, ArgumentError, "columns must be None or a non-empty"),
        (lambda: [], {}, DataError, "at least one block"),
        (lambda: [np.ones((2, 1))], {"rows": 2}, ArgumentError, "rows must be None where a function"),
        (lambda: [np.ones((2, 1)), np.ones((2, 2))], {}, DataError, "block 1 has 2, the first 1"),
    ],
)
def test_what_cannot_be_opened_is_refused(source, keywords, error, said):
    with pytest.raises(error, match=said):
        open_blocks(source, **keywords)


def test_a_state_that_is_no_folder_is_refused(tmp_path):
    file = tmp_path / "sums"
    file.write_text("")
    for state in (file, file / "inside"):
        with pytest.raises(ArgumentError, match=r"state must name a folder, there or to be made; got .*sums is a file"):
            open_blocks(np.ones((3, 1)), state=state)
    assert open_blocks(np.ones((3, 1)), state=tmp_path / "not yet" / "there").state is not None


def test_a_function_that_makes_other_blocks_is_refused():
    rows = iter([3, 2, 3, 3])
    blocks = open_blocks(lambda: [np.ones((next(rows), 1)), np.ones((next(rows), 1))])
    with pytest.raises(DataError, match="block 1 has 3 rows, before it had 2"):
        blocks.correlate(np.ones((5, 1)))
    calls = iter([2, 1])
    short = open_blocks(lambda: [np.ones((2, 1))] * next(calls))
    with pytest.raises(DataError, match="it made 1, before 2"):
        short.correlate(np.ones((4, 1)))


def test_parquet_that_holds_no_numbers_is_refused(tmp_path):
    from pyarrow import parquet

    file = tmp_path / "X.parquet"
    parquet.write_table(pa.table({"a": [1.0, None], "b": ["x", "y"]}), file)
    with pytest.raises(DataError, match=r"'b' of .* must hold numbers; its type is string"):
        open_blocks(file)
    with pytest.raises(ArgumentError, match="got 'c', which is none"):
        open_blocks(file, columns=["c"])
    with pytest.raises(DataError, match=r"'a' of .* has a missing value in row 1"):
        open_blocks(file, columns=["a"]).correlate(np.ones((2, 1)))
    file.write_bytes(b"PAR1 no more")
    with pytest.raises(DataError, match="not a Parquet file"):
        open_blocks(file)
