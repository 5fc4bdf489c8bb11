"""The picture of a stability selection shows the record's own numbers."""

import matplotlib
import numpy as np
import pytest

from shrinkage import plots
from shrinkage._errors import ArgumentError
from shrinkage.datasets import simulate_linear
from shrinkage.selection import stability_selection

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.colors import to_hex


@pytest.fixture(scope="module")
def found():
    data = simulate_linear(80, 40, n_nonzero=4, seed=3)
    return stability_selection(data.X, data.y, q=8, threshold=0.7, n_pairs=15)


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_features_that_pass_are_the_colored_and_named_ones(found):
    ax = plots.stability(found, names=[f"gene {j}" for j in range(40)])
    colored = [line for line in ax.lines if len(line.get_xdata()) == len(found.alphas)]
    texts = [text.get_text() for text in ax.texts]
    assert set(texts) == {f"gene {j}" for j in found.selected} | {f"threshold {found.threshold:g}"}
    for line, j in zip(colored, found.selected, strict=True):
        np.testing.assert_allclose(line.get_ydata(), found.paths[[j]].toarray()[0])
        np.testing.assert_allclose(line.get_xdata(), -np.log(found.alphas))
        assert to_hex(line.get_color()).upper() in plots._style.COLORS


def test_all_others_are_gray_and_the_threshold_is_a_line(found):
    ax = plots.stability(found, labels=1)
    weak, rest = ax.collections
    others = np.setdiff1d(np.flatnonzero(found.frequencies > 0), found.selected)
    assert len(weak.get_segments()) == len(others)
    np.testing.assert_allclose([s[-1, 1] for s in weak.get_segments()], found.frequencies[others])
    np.testing.assert_allclose([s[-1, 1] for s in rest.get_segments()], found.frequencies[found.selected[1:]])
    dotted = [line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == ":"]
    assert dotted == [found.threshold]


def test_the_title_says_what_is_bounded(found):
    title = plots.stability(found).get_title(loc="left")
    assert f"at most {found.bound:.2g} of low selection probability (<= {found.theta:.2g})" in title
    assert "supposed unimodal" in title
    assert "no assumption" in plots.stability(found.judge(assumption="none")).get_title(loc="left")


def test_it_draws_where_nothing_passes_and_into_the_axes_it_is_given(found):
    _, ax = plt.subplots()
    nothing = stability_selection(np.random.default_rng(0).normal(size=(40, 30)), np.arange(40), q=2, threshold=1.0)
    assert not len(nothing.selected)
    assert plots.stability(nothing, ax=ax) is ax
    ax.figure.canvas.draw()


def test_what_is_no_record_or_has_other_names_is_refused(found):
    with pytest.raises(ArgumentError, match="selection must be a StabilitySelection"):
        plots.stability([1, 2])
    with pytest.raises(ArgumentError, match=r"one name per feature \(40\); got 2"):
        plots.stability(found, names=["a", "b"])
