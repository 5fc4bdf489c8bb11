"""The picture of a network's path shows the record's own numbers."""

import matplotlib
import numpy as np
import pytest

from shrinkage import plots
from shrinkage.training import NetworkPath

matplotlib.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def record(**options):
    values = {
        "strengths": np.array([0.0, 1e-4, 1e-3, 1e-2]),
        "train_loss": np.array([0.1, 0.15, 0.2, 0.5]),
        "held_out": np.array([0.40, 0.35, 0.36, 0.6]),
        "zeros": np.array([0.0, 0.5, 0.9, 0.99]),
        "se": np.array([0.04, 0.05, 0.06, 0.07]),
        "difference_se": np.array([0.01, 0.0, 0.02, 0.03]),
        "best": 1,
        "one_se": 2,
        "chosen": 2,
        "rule": "1-SE",
    }
    return NetworkPath(**values | options)


def test_path_draws_a_networks_path_too_and_every_line_is_the_records():
    shown = record()
    ax = plots.path(shown)
    lines = {line.get_label(): line for line in ax.lines}
    assert lines["training"].get_ydata().tolist() == shown.train_loss.tolist()
    assert ax.containers[0].lines[0].get_ydata().tolist() == shown.held_out.tolist()
    bars = ax.containers[0].lines[2][0].get_segments()
    assert [(bar[1, 1] - bar[0, 1]) / 2 for bar in bars] == pytest.approx(shown.se.tolist())
    twin = next(other for other in ax.figure.axes if other is not ax)
    assert twin.lines[0].get_ydata().tolist() == (100 * shown.zeros).tolist()


def test_the_strengths_stand_at_their_logarithms_and_dense_to_their_left():
    x = plots.path(record()).containers[0].lines[0].get_xdata()
    assert x[1:].tolist() == pytest.approx([-4.0, -3.0, -2.0])
    assert x[0] < x[1]


def test_the_choices_are_named_where_they_are():
    ax = plots.path(record())
    named = {text.get_text(): text.xy[0] for text in ax.texts}
    assert named == pytest.approx({"best": -4.0, "1-SE = taken": -3.0})


def test_a_refit_has_a_line_of_its_own():
    shown = record(before_refit=np.array([np.nan, 0.36, 0.38, 0.7]))
    labels = [line.get_label() for line in plots.path(shown).lines]
    assert "held out, before the refit" in labels


def test_the_dense_network_alone_can_be_drawn():
    alone = {name: np.zeros(1) for name in ("strengths", "train_loss", "held_out", "zeros", "se", "difference_se")}
    ax = plots.path(record(**alone, best=0, one_se=0, chosen=0))
    assert next(tick.get_text() for tick in ax.get_xticklabels()) == "dense"
