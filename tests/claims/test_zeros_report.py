"""Zeros are counted, not guessed, and a smaller network gives the same outputs; each part broken on purpose is seen."""

import copy
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from shrinkage.claims import ClaimBroken  # noqa: E402
from shrinkage.claims import _zeros_report as claim  # noqa: E402
from shrinkage.claims._small_nets import digits, mlp, weights  # noqa: E402


@pytest.fixture(scope="module")
def record(quick):
    return quick(claim.CLAIM)


def half_dead():
    """A network whose first layer has lost half of its neurons, all of which still give a constant."""
    model = mlp(64, 16, 12, 10, seed=0)
    with torch.no_grad():
        model[0].weight[8:] = 0.0
        model[0].bias[8:] = 1.0
    return model


def test_the_quick_measurement_shows_the_claim(record):
    claim.CLAIM.check(record)
    assert 3 <= len(claim.CLAIM.lines(record)) <= 8


def test_a_share_of_near_zeros_is_none_of_zeros(record):
    model = mlp(64, 16, 10, seed=0)
    below = claim.below(torch.cat([w.detach().ravel() for w in weights(model)]))
    with pytest.raises(ClaimBroken, match="thresholds must matter little"):
        claim.check(replace(record, ours_below=(below[0], below[1], below[0] + 0.5, 1.0)))
    with pytest.raises(ClaimBroken, match="depend on it"):
        claim.check(replace(record, loop_below=record.ours_below))


@pytest.mark.parametrize(("field", "words"), [("counted", "zeros"), ("dead_counted", "dead neurons")])
def test_a_report_that_miscounts_breaks_the_claim(record, field, words):
    told, there = getattr(record, field)
    with pytest.raises(ClaimBroken, match=f"must count {words} right"):
        claim.check(replace(record, **{field: (told + 1, there)}))


def test_a_report_with_wrong_norms_breaks_the_claim(record):
    with pytest.raises(ClaimBroken, match="norms right"):
        claim.check(replace(record, norm_counted=(record.norm_counted[0] * 1.001, record.norm_counted[1])))


def test_the_loop_and_the_optimizer_exchanged_break_the_claim(record):
    rows = tuple(replace(row, loop_zeros=row.zeros) for row in record.rows)
    with pytest.raises(ClaimBroken, match="must leave no exact zeros"):
        claim.check(replace(record, rows=rows))
    with pytest.raises(ClaimBroken, match="must leave most weights exactly zero"):
        claim.check(replace(record, ours=replace(record.ours, zeros=0.0)))


def test_zeros_that_allow_nothing_smaller_break_the_claim(record):
    dense = claim.smaller("dense", mlp(64, 16, 10, seed=0), digits(), 0.0)
    with pytest.raises(ClaimBroken, match="must allow a smaller network"):
        claim.check(replace(record, groups=dense))


def test_neurons_cut_without_their_constants_break_the_claim(record, monkeypatch):
    import shrinkage.torch as ours

    right = ours.compact

    def forgetful(model, example, **options):
        edited = copy.deepcopy(model)
        with torch.no_grad():
            edited[0].bias[8:] = 0.0
        return right(edited, example, **options)

    model, data = half_dead(), digits()
    assert claim.smaller("right", model, data, 0.0).difference <= claim.ROUNDING
    monkeypatch.setattr(ours, "compact", forgetful)
    broken = claim.smaller("broken", model, data, 0.0)
    with pytest.raises(ClaimBroken, match="must give the same outputs"):
        claim.check(replace(record, groups=replace(broken, parameters_after=1)))


def test_neurons_without_incoming_weights_are_counted():
    assert claim.counted_dead(half_dead()) == 8


def test_a_report_that_miscounts_is_noticed_by_measuring(monkeypatch):
    import shrinkage.torch as ours

    right = ours.report

    def generous(model, optimizer=None, **options):
        found = right(model, optimizer, **options)
        rows = tuple(replace(row, zeros=row.zeros + (row.name == "0.weight")) for row in found.rows)
        return replace(found, rows=rows)

    monkeypatch.setattr(ours, "report", generous)
    with pytest.raises(ClaimBroken, match="must count zeros right"):
        claim.check(claim.measure(quick=True))


def test_rows_exchanged_break_the_claim_though_their_sums_are_right(record):
    first, second, *others = record.rows
    fields = {"zeros": second.zeros, "dead": second.dead, "norm": second.norm}
    with pytest.raises(ClaimBroken, match=r"0\.weight: report must give zeros, dead neurons and norm right"):
        claim.check(replace(record, rows=(replace(first, **fields), second, *others)))


def test_zeros_that_ruin_the_network_break_the_claim(record):
    with pytest.raises(ClaimBroken, match="but not all; it left 100"):
        claim.check(replace(record, ours=replace(record.ours, zeros=1.0)))
    with pytest.raises(ClaimBroken, match="must not ruin the network"):
        claim.check(replace(record, groups=replace(record.groups, accuracy=0.1, accuracy_after=0.1)))
