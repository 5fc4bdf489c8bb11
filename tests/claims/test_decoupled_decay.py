"""Adam's decay depends on gradients and AdamW's does not; each half of the claim broken on purpose is seen."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from shrinkage.claims import ClaimBroken  # noqa: E402
from shrinkage.claims import _decoupled_decay as claim  # noqa: E402


@pytest.fixture(scope="module")
def record(quick):
    return quick(claim.CLAIM)


def test_the_quick_measurement_shows_the_claim(record):
    claim.CLAIM.check(record)
    assert 3 <= len(claim.CLAIM.lines(record)) <= 8


def test_a_factor_with_lambda_twice_is_not_l2_for_sgd(record, monkeypatch):
    right = claim.shrunk
    monkeypatch.setattr(claim, "shrunk", lambda *a, decay=claim.DECAY, **k: right(*a, decay=2 * decay, **k))
    apart, moved = claim.two_ways(torch.optim.SGD, 0.1, 1)
    with pytest.raises(ClaimBroken, match="must end at the same weights"):
        claim.check(replace(record, sgd_difference=apart, sgd_moved=moved))


def test_sgd_with_momentum_would_break_the_claim(record):
    apart, _ = claim.two_ways(lambda own, lr: torch.optim.SGD(own, lr=lr, momentum=0.9), 0.05, 1)
    with pytest.raises(ClaimBroken, match="must end at the same weights"):
        claim.check(replace(record, sgd_difference=apart))


def test_an_adam_that_decays_by_itself_would_be_the_same_both_ways(record):
    apart, _ = claim.two_ways(torch.optim.SGD, 1e-3, 1)
    with pytest.raises(ClaimBroken, match="must end at other weights"):
        claim.check(replace(record, adam_difference=apart))


@pytest.mark.parametrize(("kind", "field", "words"), [("AdamW", "adam", "decay less"), ("Adam", "adamw", "must leave")])
def test_the_optimizers_exchanged_break_the_claim(record, kind, field, words):
    found = [claim.under_noise(getattr(torch.optim, kind), noise, 200, record.n_steps) for noise in claim.NOISES]
    broken = {f"left_{field}": tuple(left for left, _ in found), f"told_{field}": tuple(told for _, told in found)}
    with pytest.raises(ClaimBroken, match=words):
        claim.check(replace(record, **broken))


def test_a_report_that_ignores_the_metric_breaks_the_claim(record, monkeypatch):
    import shrinkage.torch as ours

    right = ours.decay_report

    def without_metric(plan, optimizer):
        found = right(plan, optimizer)
        return replace(found, rows=tuple(replace(row, mean=row.pure) for row in found.rows))

    monkeypatch.setattr(ours, "decay_report", without_metric)
    told = tuple(claim.under_noise(torch.optim.Adam, noise, 200, record.n_steps)[1] for noise in claim.NOISES)
    with pytest.raises(ClaimBroken, match="must tell what Adam leaves"):
        claim.check(replace(record, told_adam=told))


def test_the_network_under_the_same_optimizer_twice_breaks_the_claim(record, monkeypatch):
    monkeypatch.setattr(torch.optim, "Adam", torch.optim.AdamW)
    with pytest.raises(ClaimBroken, match="without any gradient"):
        claim.check(replace(record, **claim.network(1)))


def test_shares_that_are_even_or_uneven_in_the_wrong_place_break_the_claim(record):
    with pytest.raises(ClaimBroken, match="must decay unevenly"):
        claim.check(replace(record, shares_adam=record.shares_adamw))
    with pytest.raises(ClaimBroken, match="lr λ from every weight"):
        claim.check(replace(record, shares_adamw=record.shares_adam))


def test_a_conversion_of_decoupled_decay_into_a_penalty_would_be_seen(record):
    with pytest.raises(ClaimBroken, match="must be refused"):
        claim.check(replace(record, refusal=""))
