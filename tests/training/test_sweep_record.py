"""The record of a sweep: means, choices, text, and the way through JSON and back."""

import dataclasses
import json

import numpy as np
import pytest

from shrinkage._errors import ArgumentError
from shrinkage.training import Sweep, SweepProgress

NAN = float("nan")


def record(**changes):
    own = {
        "strengths": np.array([0.0, 0.001, 0.01, 1.0]),
        "seeds": (0, 4),
        "train_loss": np.array([[0.3, 0.4], [0.35, 0.45], [0.5, 0.5], [NAN, NAN]]),
        "held_out": np.array([[0.5, 0.6], [0.4, 0.5], [0.41, 0.5], [NAN, NAN]]),
        "zeros": np.array([[0.0, 0.0], [0.2, 0.4], [0.9, 0.9], [NAN, NAN]]),
        "score": np.array([[0.8, 0.82], [0.9, 0.9], [0.9, 0.88], [NAN, NAN]]),
        "score_name": "accuracy",
        "status": ("complete",) * 3 + ("stopped after epoch 2 of seed 0: 0.4 ± 0.01 worse than 0.001",),
        "epochs_run": np.array([[8, 8], [8, 8], [8, 8], [2, 0]]),
        "curves": np.full((4, 2, 8), 0.5),
        "se": np.array([0.05, 0.05, 0.045, NAN]),
        "difference_se": np.array([0.01, 0.0, 0.005, NAN]),
        "allowed": np.array([0.01, 0.0, 0.005, 0.0]),
        "best": 1,
        "one_se": 2,
        "rule": "best: the lowest mean. 1-SE: the largest within one standard error.",
        "epochs": 8,
        "mode": "stacked",
        "reason": "a step takes 1 ms stacked, 3 ms in a loop",
        "seconds": 2.5,
        "strength_name": "strength of L1",
        "loss_name": "cross entropy",
        "n_train": 80,
        "n_held_out": 20,
        "notes": ("the sampler cannot be seeded",),
        "weights": {0.001: {"w": np.ones(2)}, 0.01: {"w": np.zeros(2)}},
    }
    return Sweep(**own | changes)


def test_means_are_over_the_seeds_and_missing_where_a_seed_is():
    result = record()
    np.testing.assert_allclose(result.mean, [0.55, 0.45, 0.455, NAN])
    np.testing.assert_allclose(result.mean_zeros, [0.0, 0.3, 0.9, NAN])
    np.testing.assert_allclose(result.mean_score, [0.81, 0.9, 0.89, NAN])
    np.testing.assert_allclose(result.mean_train, [0.35, 0.4, 0.5, NAN])
    assert result.complete.tolist() == [True, True, True, False]


def test_choices_come_as_strengths_and_weights():
    result = record()
    assert (result.best_strength, result.one_se_strength) == (0.001, 0.01)
    assert (result.best_weights["w"] == 1).all()
    assert (result.one_se_weights["w"] == 0).all()


def test_the_table_says_who_was_chosen_who_left_and_by_what_rule():
    text = str(record())
    lines = text.splitlines()
    assert lines[0] == "4 strengths x 2 seeds x 8 epochs: best 0.001, 1-SE 0.01, 2.5 s"
    assert lines[4].split() == ["0.001", "0.4", "0.45", "0.05", "0.9", "30.0", "%", "16", "best"]
    assert lines[5].endswith("1-SE")
    assert lines[6].split() == ["1", "-", "-", "-", "-", "-", "2", "stopped"]
    assert "1 stopped after epoch 2 of seed 0: 0.4 ± 0.01 worse than 0.001" in lines
    assert record().rule in text
    assert "'stacked': a step takes" in text
    assert lines[-1] == "! the sampler cannot be seeded"
    assert all(len(line) <= 120 for line in lines)


def test_one_choice_is_named_once():
    assert "best, 1-SE" in str(record(one_se=1))


def test_a_record_without_a_score_has_no_column_of_it():
    result = record(score=None, score_name="")
    assert result.mean_score is None
    assert "accuracy" not in str(result)
    assert "accuracy" not in result.to_frame().columns


def test_through_json_and_back_nothing_is_lost_but_the_weights():
    result = record()
    again = Sweep.from_dict(json.loads(result.to_json()))
    for field in dataclasses.fields(Sweep):
        one, other = getattr(result, field.name), getattr(again, field.name)
        if field.name == "weights":
            assert other == {}
        elif isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other, err_msg=field.name)
        else:
            assert one == other, field.name
    assert again.to_json() == result.to_json()
    assert "best_strength" in result.to_dict()
    assert np.isnan(Sweep.from_dict(json.loads(record(seconds=NAN).to_json())).seconds)


def test_the_frame_has_a_row_for_each_strength_and_seed():
    frame = record().to_frame()
    assert len(frame) == 8
    row = frame[(frame.strength == 0.01) & (frame.seed == 4)].iloc[0]
    assert (row.held_out, row.accuracy, row.zeros, row.epochs_run) == (0.5, 0.88, 0.9, 8)
    assert (bool(row.best), bool(row.one_se)) == (False, True)


def test_tables_of_another_shape_are_refused():
    with pytest.raises(ArgumentError, match=r"zeros must have shape \(4, 2\); got \(4, 1\)"):
        record(zeros=np.zeros((4, 1)))
    with pytest.raises(ArgumentError, match="status must have 4 texts"):
        record(status=("complete",))


def test_progress_is_a_line():
    losses = np.array([NAN, 0.5, 0.25])
    one = SweepProgress(1, 3, 5, 10, (0.0, 0.1, 0.2), losses, losses, 61.2, "loop")
    expected = "sweep of 3 strengths: seed 2 of 3, epoch 5 of 10; lowest held-out loss 0.25 at 0.2; 61 s"
    assert str(one) == expected
    assert one.share == 0.5
