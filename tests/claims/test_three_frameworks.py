"""Three frameworks, the same zeros; a penalty that one of them takes otherwise is seen."""

from dataclasses import replace

import pytest

from shrinkage._errors import MissingExtraError
from shrinkage.claims import ClaimBroken
from shrinkage.claims import _three_frameworks as claim
from shrinkage.penalties import L1L2


@pytest.fixture(scope="module")
def record(quick):
    try:
        return quick(claim.CLAIM)
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


def without(monkeypatch, record, *absent):
    """Frameworks that cannot be imported; the others' fits are those of the record."""
    monkeypatch.setattr(claim, "MODULES", {name: (f"no_{name}",) if name in absent else () for name in claim.FITS})
    have = dict.fromkeys(claim.FITS, next(iter(record.found.values()))) | record.found
    monkeypatch.setattr(claim, "FITS", {name: lambda task, name=name: have[name] for name in claim.FITS})


def test_a_framework_that_is_absent_is_named_and_the_other_two_are_measured(record, monkeypatch):
    without(monkeypatch, record, "keras")
    two = claim.measure(quick=True)
    assert (list(two.found), two.absent) == (["torch", "optax"], ("keras",))
    claim.CLAIM.check(two)
    assert "not installed: keras" in claim.CLAIM.lines(two)


def test_one_framework_is_no_comparison_and_a_page_needs_three(record, monkeypatch):
    without(monkeypatch, record, "keras", "optax")
    with pytest.raises(MissingExtraError, match="needs two of them; absent: keras, optax"):
        claim.measure(quick=True)
    without(monkeypatch, record, "keras")
    with pytest.raises(MissingExtraError, match="needs all three; absent: keras"):
        claim.measure(quick=False)
    with pytest.raises(ClaimBroken, match="by two frameworks at least; it was by torch"):
        claim.check(replace(record, found={"torch": next(iter(record.found.values()))}, absent=("keras", "optax")))


def test_a_fault_in_a_room_of_this_library_is_no_absence(record, monkeypatch):
    def faulty(task):
        raise ModuleNotFoundError("No module named 'shrinkage.lost'", name="shrinkage.lost")

    without(monkeypatch, record)
    monkeypatch.setitem(claim.FITS, "optax", faulty)
    with pytest.raises(ModuleNotFoundError, match=r"shrinkage\.lost"):
        claim.measure(quick=True)


def test_networks_of_nothing_but_zeros_break_the_claim(record):
    empty = {
        name: replace(one, kernels=tuple(0 * kernel for kernel in one.kernels)) for name, one in record.found.items()
    }
    with pytest.raises(ClaimBroken, match=r"and weights; 100\.0% are zero"):
        claim.check(replace(record, found=empty))


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
