"""The picture of a sweep shows the sweep's own numbers."""

import matplotlib
import numpy as np
import pytest

from shrinkage import plots
from shrinkage._errors import ArgumentError
from shrinkage.plots._sweep import places_of
from shrinkage.training import Sweep

matplotlib.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def record(strengths, seeds=(0, 1), best=1, one_se=2, zeros=True, stopped=()):
    n = len(strengths)
    losses = np.linspace(0.5, 1.0, n)[:, None] + 0.1 * np.arange(len(seeds))
    losses[list(stopped)] = np.nan
    status = tuple("stopped after epoch 2" if k in stopped else "complete" for k in range(n))
    return Sweep(
        strengths=np.array(strengths), seeds=seeds, train_loss=losses - 0.2, held_out=losses, status=status,
        zeros=np.where(np.isnan(losses), np.nan, np.linspace(0, 0.9, n)[:, None] * zeros), best=best, one_se=one_se,
        epochs_run=np.full(losses.shape, 3), se=np.full(n, 0.05), rule="", epochs=3, strength_name="strength of L1",
        loss_name="cross entropy",
    )  # fmt: skip


def line(ax, label):
    (found,) = [line for line in ax.lines if line.get_label() == label]
    return found


def test_losses_and_zeros_stand_at_the_logarithms_of_the_strengths():
    result = record([1e-4, 1e-3, 1e-2, 1e-1])
    ax = plots.sweep(result)
    np.testing.assert_allclose(line(ax, "held out").get_xdata(), [-4, -3, -2, -1])
    np.testing.assert_allclose(line(ax, "held out").get_ydata(), result.mean)
    np.testing.assert_allclose(line(ax, "training").get_ydata(), result.mean_train)
    (right,) = [other for other in ax.figure.axes if other is not ax]
    np.testing.assert_allclose(line(right, "exact zeros").get_ydata(), 100 * result.mean_zeros)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("strength of L1", "cross entropy")
    dots = [dots.get_ydata() for dots in ax.lines if dots.get_marker() == "." and len(dots.get_xdata()) == 4]
    np.testing.assert_allclose(dots, result.held_out.T)


def test_both_choices_are_marked_at_their_places():
    ax = plots.sweep(record([1e-4, 1e-3, 1e-2, 1e-1], best=1, one_se=3))
    marks = {text.get_text(): text.xy[0] for text in ax.texts}
    assert marks == {"best": pytest.approx(-3), "1-SE": pytest.approx(-1)}
    assert [text.get_text() for text in plots.sweep(record([1.0, 2.0], best=1, one_se=1)).texts] == ["1-SE = best"]


@pytest.mark.parametrize("strengths", [[0.0, 1e-3, 1e-2], [0.0, *np.geomspace(1e-6, 1.0, 30)], [0.0, 2.0], [0.0]])
def test_strength_0_has_a_place_left_of_the_others_with_its_name(strengths):
    n = len(strengths)
    ax = plots.sweep(record(strengths, best=min(1, n - 1), one_se=n - 1))
    x = places_of(np.array(strengths))
    assert (np.diff(x) > 0).all()
    names = dict(zip(ax.get_xticks().tolist(), [tick.get_text() for tick in ax.get_xticklabels()], strict=True))
    assert names[x[0]] == "0"
    assert all(float(name) == pytest.approx(10.0**place) for place, name in names.items() if place != x[0])
    low, high = ax.get_xlim()
    assert low < x[0]
    assert x[-1] < high


def test_bars_are_one_standard_error_each_way():
    result = record([1e-3, 1e-2, 1e-1])
    (bars,) = plots.sweep(result).containers
    segments = np.array(bars.lines[2][0].get_segments())
    np.testing.assert_allclose(segments[:, 0, 1], result.mean - 0.05)
    np.testing.assert_allclose(segments[:, 1, 1], result.mean + 0.05)


def test_who_was_stopped_early_is_a_cross_at_the_foot():
    ax = plots.sweep(record([1e-3, 1e-2, 1e-1, 1.0], stopped=[3]))
    crosses = line(ax, "stopped early")
    assert crosses.get_xdata().tolist() == [0.0]
    assert np.isfinite(line(ax, "held out").get_ydata()).sum() == 3


def test_without_any_zeros_there_is_no_axis_of_them():
    assert len(plots.sweep(record([1e-3, 1e-2, 1e-1], zeros=False)).figure.axes) == 1


def test_it_draws_into_the_axes_it_is_given_and_takes_records_only():
    _, ax = plt.subplots()
    assert plots.sweep(record([1e-3, 1e-2, 1e-1]), ax=ax) is ax
    with pytest.raises(ArgumentError, match="result must be a Sweep; got dict"):
        plots.sweep({})
