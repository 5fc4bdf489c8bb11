"""Pictures of reports show the reports' own numbers."""

import matplotlib
import numpy as np
import pytest

from shrinkage import plots
from shrinkage._errors import ArgumentError
from shrinkage.training import DecayReport, DecayRow, Report, ReportRow

matplotlib.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def row(name, zeros, zero_rows=0, penalty="L1"):
    return ReportRow(
        name, (10, 20), "float32", "linear", "Linear weight", size=200, zeros=zeros, norm=1.0, penalty=penalty, rows=10,
        zero_rows=zero_rows, columns=20, zero_columns=0,
    )  # fmt: skip


def decay_row(name, quantiles, pure=1e-4, how="coupled", size=6):
    return DecayRow(name, (2, 3), "float32", "linear", "Linear weight", size, how=how, pure=pure, quantiles=quantiles)


def labels(ax):
    return [text.get_text() for text in ax.texts]


def test_bars_are_as_long_as_the_shares_and_dark_as_far_as_rows_are_empty():
    report = Report((row("first", 100, zero_rows=3), row("second", 20), row("free", 0, penalty=None)))
    ax = plots.sparsity(report)
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert names == ["first", "second"]
    whole, scattered = ax.containers
    np.testing.assert_allclose([bar.get_width() for bar in whole], [30.0, 0.0])
    ends = [bar.get_x() + bar.get_width() for bar in scattered]
    np.testing.assert_allclose(ends, [50.0, 10.0])
    heights = [bar.get_y() for bar in whole]
    assert heights[0] > heights[1]  # the model's order from top to bottom
    assert [line.get_xdata()[0] for line in ax.lines] == [pytest.approx(100 * report.total.zero_share)]


@pytest.mark.parametrize("given", ["own steps", "pairs", "no steps"])
def test_curves_stand_at_the_steps_and_end_at_their_names(given):
    steps = {"own steps": [10, 20, 40], "pairs": [1, 2, 4], "no steps": [0, 1, 2]}[given]
    records = [
        Report((row("first", 10 * k), row("second", 50 * k)), step=steps[k] if given == "own steps" else None)
        for k in range(3)
    ]
    ax = plots.sparsity(list(zip(steps, records, strict=True)) if given == "pairs" else records)
    assert set(labels(ax)) == {"first", "second", "all parameters"}
    curves = {tuple(line.get_ydata()) for line in ax.lines}
    assert curves == {(0.0, 5.0, 10.0), (0.0, 25.0, 50.0), (0.0, 15.0, 30.0)}
    assert all(list(line.get_xdata()) == steps for line in ax.lines)


def test_many_parameters_show_the_largest():
    rows = [
        ReportRow(f"layer {k}", (k + 1,), "float32", "linear", "", size=k + 1, zeros=1, norm=1.0, penalty="L1")
        for k in range(100)
    ]
    ax = plots.sparsity(Report(tuple(rows)))
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [f"layer {k}" for k in range(60, 100)]


def test_decay_shows_its_quantiles_and_the_pure_decay():
    quantiles = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
    ax = plots.decay(DecayReport((decay_row("first", quantiles), decay_row("none", (0.0,) * 5, how="none"))))
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["first"]
    wide, middle = (collection.get_segments()[0] for collection in ax.collections)
    np.testing.assert_allclose(wide[:, 0], [quantiles[0], quantiles[4]])
    np.testing.assert_allclose(middle[:, 0], [quantiles[1], quantiles[3]])
    median, pure = (line.get_xdata()[0] for line in ax.lines)
    assert (median, pure) == (quantiles[2], 1e-4)
    assert ax.get_xscale() == "log"


def test_parameters_of_several_decays_have_a_mark_each():
    rows = (decay_row("first", (1e-4,) * 5), decay_row("second", (1e-3,) * 5, pure=1e-3))
    marks = plots.decay(DecayReport(rows)).lines[-1]
    np.testing.assert_allclose(marks.get_xdata(), [1e-4, 1e-3])


def test_they_draw_into_the_axes_they_are_given():
    _, (left, right) = plt.subplots(1, 2)
    assert plots.sparsity(Report((row("w", 3),)), ax=left) is left
    assert plots.decay(DecayReport((decay_row("w", (1e-4,) * 5),)), ax=right) is right


def test_what_holds_nothing_to_draw_is_refused():
    for nothing in ([], [3], Report(())):
        with pytest.raises(ArgumentError, match="at least one"):
            plots.sparsity(nothing)
    for draw, argument in ((plots.sparsity, "reports"), (plots.decay, "report"), (plots.path, "path")):
        with pytest.raises(ArgumentError, match=f"^{argument} must be"):
            draw(3)
    with pytest.raises(ArgumentError, match=r"^cv must be a CrossValidation; got Report"):
        plots.cross_validation(Report(()))
    with pytest.raises(ArgumentError, match="decays"):
        plots.decay(DecayReport((decay_row("w", None),)))
