"""Pictures say what the records say, and stay readable."""

from itertools import pairwise

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shrinkage import plots
from shrinkage._errors import ArgumentError
from shrinkage._path import cross_validate
from shrinkage.datasets import simulate_linear
from shrinkage.plots._path import spread

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.text import Text


@pytest.fixture(scope="module")
def cv():
    data = simulate_linear(60, 12, n_nonzero=4, seed=3)
    return cross_validate(data.X, data.y, cv=5, n_alphas=30)


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def labels(ax):
    return [text.get_text() for text in ax.texts]


def test_they_draw_into_the_axes_they_are_given(cv):
    _, (left, right) = plt.subplots(1, 2)
    assert plots.path(cv.path, ax=left) is left
    assert plots.cross_validation(cv, ax=right) is right


def test_the_colored_curves_are_the_strongest_and_end_at_their_names(cv):
    names = [f"gene {j}" for j in range(12)]
    ax = plots.path(cv.path, names=names, labels=3)
    last = np.abs(cv.path.coefs.toarray()[:, -1])
    assert set(labels(ax)) == {names[j] for j in np.argsort(-last)[:3]}
    colored = [line for line in ax.lines if len(line.get_xdata()) == 30]
    for line, name in zip(colored, labels(ax), strict=True):
        np.testing.assert_allclose(line.get_ydata(), cv.path.coefs.toarray()[names.index(name)])
        np.testing.assert_allclose(line.get_xdata(), -np.log(cv.path.alphas))


def test_a_scale_multiplies_the_curves_and_says_so(cv):
    raw, scaled = plots.path(cv.path, labels=1, at=None), plots.path(cv.path, scale=np.full(12, 2.0), labels=1)
    curve = [next(line for line in ax.lines if len(line.get_xdata()) == 30).get_ydata() for ax in (raw, scaled)]
    np.testing.assert_allclose(curve[1], 2 * np.asarray(curve[0]))
    assert scaled.get_ylabel() != raw.get_ylabel()


@pytest.mark.parametrize("kind", ["path", "cv"])
def test_non_zeros_stand_along_the_top(cv, kind):
    ax = plots.path(cv.path) if kind == "path" else plots.cross_validation(cv)
    ax.figure.canvas.draw()
    top = ax.child_axes[0]
    counts = [int(text.get_text()) for text in top.get_xticklabels()]
    nearest = [int(np.argmin(np.abs(-np.log(cv.alphas) - tick))) for tick in top.get_xticks()]
    assert counts == [int(cv.path.n_nonzero[index]) for index in nearest]
    assert len(counts) >= 3


def test_the_curve_has_bars_of_one_standard_error_and_both_rules(cv):
    ax = plots.cross_validation(cv)
    bars = ax.collections[0].get_segments()
    np.testing.assert_allclose([bar[:, 1] for bar in bars], np.column_stack([cv.mean - cv.se, cv.mean + cv.se]))
    dotted = sorted(line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == ":")
    np.testing.assert_allclose(dotted, sorted({-np.log(cv.alpha_1se), -np.log(cv.alpha_min)}))
    assert {"1-SE", "min"} <= set(labels(ax))


def test_a_name_that_looks_like_mathematics_is_drawn_as_it_is(cv):
    ax = plots.path(cv.path, names=[f"$x_{{{j}$ <b>" for j in range(12)])
    ax.figure.canvas.draw()
    assert all(text.startswith("$x_{") for text in labels(ax))


def test_labels_of_a_crowd_do_not_overlap():
    data = simulate_linear(50, 30, n_nonzero=25, seed=1)
    ax = plots.path(cross_validate(data.X, data.y, cv=3, n_alphas=20).path, labels=6)
    ax.figure.canvas.draw()
    # Text's own extent: that of an annotation includes its line.
    boxes = sorted((Text.get_window_extent(text) for text in ax.texts), key=lambda box: box.y0)
    assert len(boxes) == 6
    # Boxes include the room below letters without a tail; the letters themselves are three quarters of the height.
    assert all(above.y0 - below.y0 > 0.75 * below.height for below, above in pairwise(boxes))


@given(st.lists(st.floats(-1, 2), min_size=1, max_size=8), st.floats(0.001, 0.2))
def test_places_keep_their_order_their_distance_and_their_mean(wanted, distance):
    wanted = np.array(wanted)
    places = spread(wanted, distance)
    order = np.argsort(wanted, kind="stable")
    assert (np.diff(places[order]) >= distance - 1e-9).all()
    assert places.mean() == pytest.approx(wanted.mean(), abs=1e-9)
    if (np.diff(wanted[order]) >= distance).all():
        np.testing.assert_allclose(places, wanted, atol=1e-9)


def test_arguments_of_another_length_are_refused(cv):
    with pytest.raises(ArgumentError, match=r"names .*\(12\); got 3"):
        plots.path(cv.path, names=["a", "b", "c"])
    with pytest.raises(ArgumentError, match="scale"):
        plots.path(cv.path, scale=np.ones(3))
