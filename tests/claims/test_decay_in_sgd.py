"""L2 and decay under plain SGD: the claim holds, and each of its clauses fails when its ingredient is replaced."""

import dataclasses

import pytest

torch = pytest.importorskip("torch")

from shrinkage import L2, claims  # noqa: E402
from shrinkage.claims import ClaimBroken, _decay_in_sgd  # noqa: E402
from shrinkage.claims._decay_in_sgd import CLAIM  # noqa: E402


@pytest.fixture(scope="module")
def record(quick):
    return quick(CLAIM)


def broken(monkeypatch, name, replacement):
    monkeypatch.setattr(_decay_in_sgd, name, replacement)
    return _decay_in_sgd.measure(True)


def test_the_claim_holds(record):
    CLAIM.check(record)
    assert CLAIM in claims.ALL


def test_a_penalty_without_its_half_breaks_the_claim(monkeypatch):
    right = L2.value
    monkeypatch.setattr(L2, "value", lambda penalty, w: 2 * right(penalty, w))
    with pytest.raises(ClaimBroken, match=r"L2\(2 \* λ\).*expected rounding"):
        CLAIM.check(_decay_in_sgd.measure(True))


def test_units_that_forget_the_factor_of_two_break_the_claim(monkeypatch):
    right = _decay_in_sgd.convert

    def forgetful(source, target, **numbers):
        found = right(source, target, **numbers)
        return dataclasses.replace(found, arguments={"weight_decay": numbers["l2"]})

    with pytest.raises(ClaimBroken, match="SGD\\(weight_decay"):
        CLAIM.check(broken(monkeypatch, "convert", forgetful))


def test_a_prox_of_twice_the_strength_breaks_the_claim(monkeypatch):
    right = L2.value
    monkeypatch.setattr(L2, "value", lambda penalty, w: right(penalty, w) / 2)
    with pytest.raises(ClaimBroken, match=r"ProxSGD.*shrank an unseen weight"):
        CLAIM.check(broken(monkeypatch, "L2", lambda alpha: L2(2 * alpha)))


def test_without_momentum_there_is_no_difference_to_show(monkeypatch):
    with pytest.raises(ClaimBroken, match="expected a difference"):
        CLAIM.check(broken(monkeypatch, "MOMENTUM", 0.0))


def test_a_ridge_of_another_strength_breaks_the_claim(monkeypatch):
    right = _decay_in_sgd.Ridge
    with pytest.raises(ClaimBroken, match="from the ridge of strength"):
        CLAIM.check(broken(monkeypatch, "Ridge", lambda alpha, tol: right(alpha=1.01 * alpha, tol=tol)))


def test_a_report_that_misses_double_decay_breaks_the_claim(monkeypatch):
    import shrinkage.torch

    right = shrinkage.torch.decay_report
    monkeypatch.setattr(shrinkage.torch, "decay_report", lambda model, optimizer, **_: right(model, optimizer))
    with pytest.raises(ClaimBroken, match="found 0 parameters decayed twice"):
        CLAIM.check(_decay_in_sgd.measure(True))


def test_a_second_decay_that_does_nothing_breaks_the_claim(monkeypatch):
    with pytest.raises(ClaimBroken, match="both decays left a norm"):
        CLAIM.check(broken(monkeypatch, "DECAY_OF_ADAMW", 0.0))


def test_equal_conventions_break_the_claim(record):
    half = dataclasses.replace(record.plain["half"], distances=record.plain["shrink"].distances)
    with pytest.raises(ClaimBroken, match="the factor of two would not matter"):
        CLAIM.check(dataclasses.replace(record, plain={**record.plain, "half": half}))
