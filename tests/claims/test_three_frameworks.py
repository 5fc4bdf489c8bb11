"""Three frameworks, the same zeros; a penalty that one of them takes otherwise is seen."""

from dataclasses import replace

import pytest

from shrinkage._errors import MissingExtraError
from shrinkage.claims import ClaimBroken
from shrinkage.claims import _three_frameworks as claim
from shrinkage.penalties import L1L2


@pytest.fixture(scope="module")
def record():
    try:
        return claim.measure(quick=True)
    except MissingExtraError as error:
        pytest.skip(str(error))


def with_torch(record, monkeypatch, name, penalty):
    """The record with torch's fit under another penalty."""
    pytest.importorskip("torch")
    monkeypatch.setattr(claim, name, lambda: penalty)
    found = claim.fit_torch(claim._task(1 if name == "linear_penalty" else record.epochs))
    before = record.found["torch"]
    changed = replace(before, coef=found.coef) if name == "linear_penalty" else replace(before, kernels=found.kernels)
    return replace(record, found=record.found | {"torch": changed})


def test_the_quick_measurement_shows_the_claim(record):
    claim.CLAIM.check(record)
    assert 3 <= len(claim.CLAIM.lines(record)) <= 8


def test_a_framework_that_is_absent_is_named_and_the_others_are_measured(record, monkeypatch):
    def absent(task):
        raise MissingExtraError("not here")

    first = next(iter(record.found))
    monkeypatch.setattr(claim, "FITS", {first: lambda task: record.found[first], "other": absent})
    some = claim.measure(quick=True)
    assert (list(some.found), some.absent) == ([first], ("other",))
    claim.CLAIM.check(some)
    assert "other" in "\n".join(claim.CLAIM.lines(some))
    monkeypatch.setattr(claim, "FITS", {"other": absent})
    with pytest.raises(MissingExtraError, match="needs a framework"):
        claim.measure(quick=True)


def test_the_prox_left_out_leaves_no_zeros_and_breaks_the_claim(record, monkeypatch):
    with pytest.raises(ClaimBroken, match="torch: the linear model must have the solution's"):
        claim.check(with_torch(record, monkeypatch, "linear_penalty", L1L2(claim.ALPHA, l1_ratio=0.0)))
    with pytest.raises(ClaimBroken, match="torch: the network must have exact zeros"):
        claim.check(with_torch(record, monkeypatch, "net_penalty", L1L2(claim.NET_ALPHA, l1_ratio=0.0)))


def test_keras_convention_of_l2_without_the_half_breaks_the_claim(record, monkeypatch):
    l1, l2 = claim.ALPHA * claim.RATIO, 2 * claim.ALPHA * (1 - claim.RATIO)
    doubled = L1L2(l1 + l2, l1_ratio=l1 / (l1 + l2))
    with pytest.raises(ClaimBroken, match=r"torch: (coefficients must be within|the linear model)"):
        claim.check(with_torch(record, monkeypatch, "linear_penalty", doubled))


def test_another_strength_in_one_framework_makes_other_zeros_and_breaks_the_claim(record, monkeypatch):
    if len(record.found) < 2:
        pytest.skip("needs two frameworks")
    other = L1L2(1.3 * claim.NET_ALPHA, l1_ratio=claim.NET_RATIO)
    with pytest.raises(ClaimBroken, match="of the network's zeros must be the same ones"):
        claim.check(with_torch(record, monkeypatch, "net_penalty", other))


def test_zeros_of_the_penalty_in_the_loss_would_be_seen(record):
    first, one = next(iter(record.found.items()))
    with pytest.raises(ClaimBroken, match="must leave no zeros"):
        claim.check(replace(record, found=record.found | {first: replace(one, by_hand=0.3)}))
