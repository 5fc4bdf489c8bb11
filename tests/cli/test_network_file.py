"""A network's file: it comes back bit by bit, and what is damaged is refused."""

import json

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.numpy")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from train_calls import RECIPE, TRAINING  # noqa: E402

from shrinkage._errors import DataError  # noqa: E402
from shrinkage.cli._network_file import Network, load_network, load_saved  # noqa: E402
from shrinkage.tables import Target, table_of  # noqa: E402

NETWORK = Network(
    Target("y", "multinomial", ("a", "b", "é"), "three"),
    RECIPE,
    np.array([0.1, 1 / 3, 0.0, 2.0]),
    np.array([1.0, 1e-3, 5.0, 2.0]),
    (0.0, 1.0),
    tuple(
        (np.random.default_rng(k).normal(size=shape).astype(np.float32), np.full(shape[0], 0.5, np.float32))
        for k, shape in enumerate([(3, 4), (3, 3)])
    ),
    TRAINING,
)


def test_a_network_comes_back_bit_by_bit(tmp_path):
    NETWORK.write(tmp_path)
    for place in (tmp_path, tmp_path / "network.json", tmp_path / "network.safetensors"):
        back = load_saved(place)
        assert (back.target, back.recipe, back.response, back.training) == (
            NETWORK.target, NETWORK.recipe, NETWORK.response, NETWORK.training,
        )  # fmt: skip
        for name in ("center", "scale"):
            np.testing.assert_array_equal(getattr(back, name), getattr(NETWORK, name))
        for mine, theirs in zip(back.layers, NETWORK.layers, strict=True):
            for one, other in zip(mine, theirs, strict=True):
                np.testing.assert_array_equal(one, other)
    assert NETWORK.to_files() == NETWORK.to_files()
    weights = safetensors.load((tmp_path / "network.safetensors").read_bytes())
    assert sorted(weights) == ["0.bias", "0.weight", "1.bias", "1.weight"]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_damaged_file_is_refused_or_predicts_the_same(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    NETWORK.write(folder)
    place = folder / data.draw(st.sampled_from(["network.json", "network.safetensors"]))
    content = bytearray(place.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    place.write_bytes(content)
    table = table_of(pd.DataFrame({"dose": [1.0, np.nan], "color": ["é", "<b>"]}))
    try:
        back = load_network(folder / "network.json")
    except DataError:
        return
    np.testing.assert_array_equal(back.predict(table)[0], NETWORK.predict(table)[0])


def test_networks_that_are_none_or_doubled_or_newer_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such network"):
        load_saved(tmp_path / "nothing.json")
    NETWORK.write(tmp_path)
    (tmp_path / "model.npz").write_bytes(b"")
    with pytest.raises(DataError, match="two models"):
        load_saved(tmp_path)
    whole = json.loads((tmp_path / "network.json").read_text())
    from shrinkage.cli._network_file import _hash

    form = {**whole["network"], "version": 99}
    (tmp_path / "network.json").write_text(json.dumps({"sha256": _hash(form), "network": form}))
    with pytest.raises(DataError, match="version 99"):
        load_network(tmp_path / "network.json")
    (tmp_path / "network.json").write_text('{"hello": NaN}')
    with pytest.raises(DataError, match="not a network"):
        load_network(tmp_path / "network.json")
    NETWORK.write(tmp_path)
    (tmp_path / "network.safetensors").unlink()
    with pytest.raises(DataError, match="not beside it"):
        load_network(tmp_path / "network.json")
