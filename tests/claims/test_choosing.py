"""The choice is the grid's, with its error; a choice or an error that is wrong is seen."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from shrinkage.claims import ClaimBroken  # noqa: E402
from shrinkage.claims import _choosing as claim  # noqa: E402


@pytest.fixture(scope="module")
def record(quick):
    return quick(claim.CLAIM)


def test_the_quick_measurement_shows_the_claim(record):
    claim.CLAIM.check(record)
    assert 3 <= len(claim.CLAIM.lines(record)) <= 8


def test_another_strength_than_the_lowest_breaks_the_claim(record):
    with pytest.raises(ClaimBroken, match="best must be the lowest mean"):
        claim.check(replace(record, best=0.0))


def test_errors_without_the_correction_for_the_mean_break_the_claim(record):
    wrong = record.se * np.sqrt((record.n_seeds - 1) / record.n_seeds)
    with pytest.raises(ClaimBroken, match="standard errors must be"):
        claim.check(replace(record, se=wrong))


def test_a_rule_that_takes_the_largest_strength_breaks_the_claim(record):
    with pytest.raises(ClaimBroken, match="1-SE must be the largest strength within"):
        claim.check(replace(record, one_se=float(record.strengths[-1])))


def test_an_allowance_above_one_standard_error_breaks_the_claim(record):
    with pytest.raises(ClaimBroken, match="1-SE must be the largest strength within"):
        claim.check(replace(record, allowed=record.allowed + 10.0, one_se=float(record.strengths[-1])))


def test_a_grid_on_which_the_strength_does_not_matter_breaks_the_claim(record):
    # The same losses at every strength, but for a little more at the ends, which the seeds do not agree on.
    place = int(record.mean.argmin())
    flat = np.repeat(record.held_out[[place]], len(record.strengths), axis=0)
    flat += 1e-3 * (np.arange(len(flat)) != place)[:, None] * (1 + 20 * (-1.0) ** np.arange(record.n_seeds))
    error = flat.std(axis=1, ddof=1) / np.sqrt(record.n_seeds)
    difference = (flat - flat[[place]]).std(axis=1, ddof=1) / np.sqrt(record.n_seeds)
    allowed = np.zeros(len(flat))
    broken = replace(record, held_out=flat, se=error, allowed=allowed, difference_se=difference,
                     best=float(record.strengths[place]), one_se=float(record.strengths[place]))  # fmt: skip
    with pytest.raises(ClaimBroken, match="no strength and too much must both be worse"):
        claim.check(broken)


def test_a_penalty_that_breast_cancer_favors_breaks_what_the_text_says(record):
    with pytest.raises(ClaimBroken, match=r"no penalty is clearly better than none; .* 10\.0 standard errors"):
        claim.check(replace(record, other=replace(record.other, none=record.other.lowest + 10 * 0.01, error=0.01)))


def test_a_stack_that_trains_something_else_breaks_the_claim(record, monkeypatch):
    import shrinkage.torch as ours

    right = ours.sweep

    def other(model, rows, strengths, mode, **options):
        return right(model, rows, strengths, mode=mode, **options | {"lr": options["lr"] * (1 + (mode == "stacked"))})

    monkeypatch.setattr(ours, "sweep", other)
    with pytest.raises(ClaimBroken, match="one stack must give what single trainings give"):
        claim.check(replace(record, apart=claim.apart(1)))


def test_a_target_that_is_missed_breaks_the_claim(record, monkeypatch):
    import shrinkage.torch as ours

    class Idle(ours.TargetSparsity):
        def step(self):
            return self

    monkeypatch.setattr(ours, "TargetSparsity", Idle)
    _, zeros = claim._steered(claim.standardized(claim.load_diabetes(), "float32"), 2)
    with pytest.raises(ClaimBroken, match="share of zeros must be met"):
        claim.check(replace(record, target_zeros=zeros))


def test_a_rule_without_the_learning_rate_or_without_gain_breaks_the_claim(record):
    place = int(np.argmin(np.abs(record.decays - record.rule)))
    without_lr = 1.0 / record.n_steps
    decays = record.decays.copy()
    decays[place] = without_lr
    with pytest.raises(ClaimBroken, match="timescale rule"):
        claim.check(replace(record, decays=decays, rule=without_lr))
    losses = record.decay_held_out.copy()
    losses[place] = losses[0]
    with pytest.raises(ClaimBroken, match="timescale rule"):
        claim.check(replace(record, decay_held_out=losses))
