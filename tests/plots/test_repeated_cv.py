"""The picture of repeated cross-validation shows what the record holds."""

import numpy as np
import pytest

from shrinkage._errors import ArgumentError
from shrinkage.datasets import load_diabetes
from shrinkage.plots import repeated_cv as draw
from shrinkage.selection import repeated_cv

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

DATA = load_diabetes()
FEW = {"repeats": 4, "cv": 3, "n_alphas": 12, "alpha_min_ratio": 0.01}


@pytest.fixture(scope="module")
def record():
    return repeated_cv(DATA.X, DATA.y, **FEW)


@pytest.fixture
def ax(record):
    import matplotlib.pyplot as plt

    ax = draw(record)
    yield ax
    plt.close(ax.figure)


def test_every_repeat_and_the_average_are_drawn(ax, record):
    drawn = [line.get_ydata() for line in ax.get_lines() if len(line.get_xdata()) == 12]
    for curve in (*(one.mean for one in record.repeats), record.mean):
        assert any(np.array_equal(curve, other) for other in drawn)


def test_the_choices_of_repeats_and_of_the_average_stand_at_their_strengths(ax, record):
    marks = [c for c in ax.collections if "single repeats" in str(c.get_label())]
    for mark, alphas in zip(marks, (record.alphas_min, record.alphas_1se), strict=True):
        np.testing.assert_allclose(np.asarray(mark.get_offsets())[:, 0], np.unique(-np.log(alphas)))
    lines = [line.get_xdata()[0] for line in ax.get_lines() if line.get_linestyle() == ":"]
    np.testing.assert_allclose(sorted(lines), sorted({-np.log(record.alpha_min), -np.log(record.alpha_1se)}))


def test_choices_lie_below_the_curves(ax, record):
    low, high = ax.get_ylim()
    lowest = (record.mean - record.within_se).min()
    marks = [c for c in ax.collections if "single repeats" in str(c.get_label())]
    assert max(np.asarray(mark.get_offsets())[:, 1].max() for mark in marks) < (lowest - low) / (high - low)


def test_one_repeat_can_be_drawn_and_another_record_not(record):
    import matplotlib.pyplot as plt

    ax = draw(repeated_cv(DATA.X, DATA.y, **{**FEW, "repeats": 1}))
    plt.close(ax.figure)
    with pytest.raises(ArgumentError, match="RepeatedCrossValidation"):
        draw(record.repeats[0])
