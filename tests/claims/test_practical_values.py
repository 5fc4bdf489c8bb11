"""Usual values beside chosen ones, L1 beside pruning; each part broken on purpose is seen."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from shrinkage.claims import ClaimBroken  # noqa: E402
from shrinkage.claims import _practical_values as claim  # noqa: E402
from shrinkage.claims._small_nets import digits, standardized  # noqa: E402


@pytest.fixture(scope="module")
def record(quick):
    return quick(claim.CLAIM)


def with_decays(record, **changes):
    return replace(record, decays=(replace(record.decays[0], **changes), *record.decays[1:]))


def with_sparse(record, place, **changes):
    sparse = list(record.sparse)
    sparse[place] = replace(sparse[place], **changes)
    return replace(record, sparse=tuple(sparse))


def test_the_quick_measurement_shows_the_claim(record):
    claim.CLAIM.check(record)
    assert 3 <= len(claim.CLAIM.lines(record)) <= 8


def test_a_usual_value_that_acts_breaks_the_claim(record, monkeypatch):
    monkeypatch.setattr(claim, "FOLKLORE", (1.0, 1e-2))
    data = standardized(claim.load_diabetes(), "float32", test_share=0.5)
    acting = claim.swept("diabetes", data, (10, 8, 1), 2, 15, "AdamW", True)
    with pytest.raises(ClaimBroken, match="must do next to nothing"):
        claim.check(replace(record, decays=(acting, *record.decays[1:])))


def test_data_that_choose_the_usual_value_break_the_claim(record):
    first = record.decays[0]
    losses = np.full_like(first.losses, first.losses[0])
    losses[first.at(claim.FOLKLORE[1])] *= 0.999
    with pytest.raises(ClaimBroken, match="the data must choose more"):
        claim.check(with_decays(record, losses=losses))
    with pytest.raises(ClaimBroken, match="the data must choose more"):
        claim.check(with_decays(record, errors=np.full_like(first.errors, 1e3)))


def test_a_rule_that_is_no_better_than_the_usual_value_breaks_the_claim(record):
    with pytest.raises(ClaimBroken, match="rule must beat"):
        claim.check(with_decays(record, rule=0.0))


def test_a_linear_model_that_keeps_everything_breaks_the_claim(record):
    one = record.linear[0]
    with pytest.raises(ClaimBroken, match="must select"):
        claim.check(replace(record, linear=(replace(one, kept_min=one.n_features),)))
    with pytest.raises(ClaimBroken, match="more than ten times"):
        claim.check(replace(record, linear=(replace(one, alpha_min=claim.FOLKLORE[0]),)))
    with pytest.raises(ClaimBroken, match="must not be worse"):
        claim.check(replace(record, linear=(replace(one, error_min=2 * one.error_folklore),)))


def test_pruning_to_another_share_breaks_the_claim(record):
    data = digits()
    pruned = claim.judged(claim.by_pruning(data, 0, 2, 0.3), data)
    with pytest.raises(ClaimBroken, match="must be as sparse"):
        claim.check(with_sparse(record, 1, zeros=pruned[0]))


def test_a_dense_network_in_place_of_the_proximal_one_breaks_the_claim(record, monkeypatch):
    monkeypatch.setattr(claim, "ALPHA", 0.0)
    data = digits()
    dense = claim.judged(claim.by_l1(data, 0, 1), data)
    with pytest.raises(ClaimBroken, match="must be as sparse"):
        claim.check(with_sparse(record, 0, zeros=dense[0]))


def test_a_way_that_minimizes_nothing_breaks_the_claim(record):
    worse = record.sparse[1].objective + 0.1
    with pytest.raises(ClaimBroken, match="loss \\+ penalty must be lower"):
        claim.check(with_sparse(record, 0, objective=worse))
    with pytest.raises(ClaimBroken, match="loss \\+ penalty must be lower"):
        claim.check(with_sparse(record, 0, accuracy=record.sparse[1].accuracy - 0.1))


def test_a_refit_keeps_the_zeros_and_pruning_meets_its_share():
    data = digits()
    assert claim.judged(claim.by_l1(data, 0, 4, refit=True), data)[0] > 0.3
    assert claim.judged(claim.by_pruning(data, 0, 2, 0.6), data)[0] == pytest.approx(0.6, abs=1e-4)


@pytest.mark.parametrize(("kind", "usual"), [("AdamW", 0), ("AdamW", 1), ("SGD", 0)])
def test_each_usual_value_that_helps_breaks_the_claim(record, kind, usual):
    place = next(k for k, d in enumerate(record.decays) if d.optimizer == kind)
    one, decay = record.decays[place], claim.FOLKLORE[usual]
    losses = one.losses.copy()
    losses[one.at(decay)] = (losses[0] + losses.min()) / 2
    decays = (*record.decays[:place], replace(one, losses=losses), *record.decays[place + 1 :])
    with pytest.raises(ClaimBroken, match=f"{kind}: {decay:g} must do next to nothing"):
        claim.check(replace(record, decays=decays))
