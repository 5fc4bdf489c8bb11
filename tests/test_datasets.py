"""The data that ship are what they claim, and the seeded problems have the answer that they claim."""

from importlib.resources import files

import numpy as np
import pytest

from shrinkage._errors import ArgumentError
from shrinkage.datasets import load_breast_cancer, load_diabetes, load_digits, load_nci60, simulate_linear


@pytest.mark.parametrize("load", [load_diabetes, load_breast_cancer, load_digits, load_nci60])
def test_shapes_names_and_sources_agree(load):
    data = load()
    assert data.X.shape == (len(data.y), len(data.feature_names))
    assert data.X.dtype == np.float64
    assert np.isfinite(data.X).all()
    assert len(set(data.feature_names)) == len(data.feature_names)
    assert data.description
    assert data.source
    if data.y.dtype.kind == "U":
        assert set(data.y.tolist()) == set(data.target_names)


def test_the_columns_of_digits_are_pixels_by_row_and_column():
    data = load_digits()
    assert data.target_names == tuple("0123456789")
    assert data.feature_names[8 * 3 + 5] == "pixel 3,5"
    assert (data.X.min(), data.X.max()) == (0.0, 16.0)
    corner = data.X[:, [data.feature_names.index("pixel 0,0"), data.feature_names.index("pixel 7,0")]]
    assert corner.mean() < 0.01 < data.X[:, data.feature_names.index("pixel 3,3")].mean()


def test_nci60_is_the_published_panel():
    data = load_nci60()
    labels, counts = np.unique(data.y, return_counts=True)
    known = dict(zip(labels.tolist(), counts.tolist(), strict=True))
    assert data.X.shape == (64, 6830)
    assert (known["RENAL"], known["NSCLC"], known["MELANOMA"], len(known)) == (9, 9, 8, 14)
    # The log-ratios were published to few decimals, the rest of the float32 is rounding.
    assert np.abs(data.X - np.round(data.X, 6)).max() < 1e-6


def test_nci60_holds_no_pickle_and_is_small():
    path = files("shrinkage").joinpath("data", "nci60.npz")
    with path.open("rb") as stream:
        assert len(stream.read()) < 2_000_000
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        assert {name: arrays[name].dtype.kind for name in arrays.files} == {"expression": "f", "label": "U"}


def test_everything_that_ships_names_its_source():
    folder = files("shrinkage").joinpath("data")
    said = folder.joinpath("SOURCES.md").read_text(encoding="utf-8")
    shipped = [entry.name for entry in folder.iterdir() if entry.name.endswith((".npz", ".csv", ".parquet"))]
    assert shipped
    assert [name for name in shipped if name not in said] == []


def test_a_simulation_is_its_seed():
    first, again, other = (simulate_linear(30, 8, n_nonzero=3, seed=seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.X, again.X)
    np.testing.assert_array_equal(first.y, again.y)
    assert not np.array_equal(first.X, other.X)


def test_a_simulation_has_the_correlation_the_sparsity_and_the_noise_that_were_asked():
    n, rho, snr = 40_000, 0.6, 4.0
    data = simulate_linear(n, 12, rho=rho, n_nonzero=5, snr=snr, seed=0)
    assert np.count_nonzero(data.coef) == 5
    assert set(np.abs(data.coef).tolist()) == {0.0, 1.0}
    lag = np.abs(np.subtract.outer(np.arange(12), np.arange(12)))
    # A correlation over n rows has standard error at most 1/sqrt(n); six of them over 144 entries.
    assert np.abs(np.corrcoef(data.X.T) - rho**lag).max() < 6 / np.sqrt(n)
    signal, noise = data.X @ data.coef, data.y - data.X @ data.coef
    assert signal.var() / data.noise_sd**2 == pytest.approx(snr)
    assert noise.std() == pytest.approx(data.noise_sd, rel=6 / np.sqrt(2 * n))


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"n_samples": 0}, "n_samples"),
        ({"rho": 1.0}, "rho"),
        ({"n_nonzero": 6}, "n_nonzero"),
        ({"snr": 0.0}, "snr"),
    ],
)
def test_an_impossible_simulation_is_refused(arguments, name):
    with pytest.raises(ArgumentError, match=name):
        simulate_linear(**{"n_samples": 10, "n_features": 5, "n_nonzero": 2, **arguments})
