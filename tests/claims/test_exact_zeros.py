"""Claim 3 holds, and its check sees each way in which it could fail."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from shrinkage.claims import ClaimBroken, _exact_zeros
from shrinkage.claims._exact_zeros import CLAIM
from shrinkage.penalties import L1, L2

torch = pytest.importorskip("torch")

import shrinkage.torch  # noqa: E402


@pytest.fixture(scope="module")
def record(quick):
    return quick(CLAIM)


class WithoutThreshold:
    """L1 whose prox only shrinks."""

    def __init__(self, alpha):
        self.alpha = alpha

    def prox(self, v, step):
        return v / (1.0 + step * self.alpha)


class HalfAndLess(WithoutThreshold):
    """L2 of so large a step that what is left of the smallest number rounds to 0."""

    def prox(self, v, step):
        return 0.4 * v


@dataclass(frozen=True)
class TwiceTheStep(L1):
    """L1 whose threshold is twice the one that is due."""

    def prox(self, v, step):
        return super().prox(v, 2 * step)


@dataclass(frozen=True)
class NearlyZero(L1):
    """L1 that leaves 1e-12 where 0 is due."""

    def prox(self, v, step):
        return super().prox(v, step) + 1e-12


def without_prox(kind):
    """torch's optimizer in the place of ours: a plan's parameters, and no penalty."""
    return lambda plan, lr, **options: kind(plan.param_groups(), lr=lr, **options)


def test_the_claim_holds(record):
    CLAIM.check(record)
    assert 3 <= len(CLAIM.lines(record)) <= 8


def test_a_step_that_changes_the_sign_is_a_flip_and_the_last_nonzero_is_the_arrival():
    swinging = _exact_zeros.OneWeight("", np.array([1.0, 0.5, 1, -1, 1, 2]))
    assert (swinging.flips, swinging.zeros, swinging.arrival, swinging.amplitude) == (0.5, 0.0, -1, 2.0)
    settled = _exact_zeros.OneWeight("", np.array([1.0, 0.5, 0, 0, 0, 0]))
    assert (settled.flips, settled.zeros, settled.arrival) == (0.0, 1.0, 2)


@pytest.mark.parametrize(("name", "other"), [("L1", L2), ("L2", L1)])
def test_a_penalty_with_the_other_pull_is_noticed(record, monkeypatch, name, other):
    monkeypatch.setattr(_exact_zeros, name, other)
    with pytest.raises(ClaimBroken, match=f"{name} pulls"):
        CLAIM.check(replace(record, slopes=_exact_zeros.measure_slopes()))


@pytest.mark.parametrize(
    ("name", "other", "said"),
    [("L1", WithoutThreshold, "L1 took"), ("L2", L1, "L2 reached"), ("L2", HalfAndLess, "L2 reached 0 after 8000")],
)
def test_a_prox_that_never_arrives_and_one_that_should_not_are_noticed(record, monkeypatch, name, other, said):
    monkeypatch.setattr(_exact_zeros, name, other)
    steps, survivor = _exact_zeros.measure_steps()
    with pytest.raises(ClaimBroken, match=said):
        CLAIM.check(replace(record, steps=steps, survivor=survivor))


@pytest.mark.parametrize(("name", "kind"), [("ProxSGD", "SGD"), ("ProxAdam", "Adam"), ("DualAdam", "Adam")])
def test_an_optimizer_without_its_prox_does_not_stay_at_zero(record, monkeypatch, name, kind):
    monkeypatch.setattr(shrinkage.torch, name, without_prox(getattr(torch.optim, kind)))
    with pytest.raises(ClaimBroken, match=f"{name} was at exactly 0 in 0%"):
        CLAIM.check(replace(record, one=_exact_zeros.measure_one(120)))


def test_an_l2_that_reaches_zero_is_noticed(record, monkeypatch):
    monkeypatch.setattr(_exact_zeros, "L2", L1)
    with pytest.raises(ClaimBroken, match="ProxSGD, L2 was at exactly 0"):
        CLAIM.check(replace(record, one=_exact_zeros.measure_one(120)))


def test_a_subgradient_that_stops_at_zero_or_never_gets_there_is_noticed(record):
    settled = replace(record.one["ProxSGD"], name="hand, SGD")
    with pytest.raises(ClaimBroken, match="hand, SGD was at exactly 0"):
        CLAIM.check(replace(record, one=record.one | {"hand, SGD": settled}))
    smooth = replace(record.one["ProxSGD, L2"], name="hand, Adam")
    with pytest.raises(ClaimBroken, match="hand, Adam changed the sign"):
        CLAIM.check(replace(record, one=record.one | {"hand, Adam": smooth}))


@pytest.mark.parametrize(("penalty", "said"), [(TwiceTheStep, "above the minimum"), (NearlyZero, "leave 0 zeros")])
def test_a_lasso_by_a_wrong_prox_is_noticed(record, monkeypatch, penalty, said):
    monkeypatch.setattr(_exact_zeros, "L1", penalty)
    descents, zeros = _exact_zeros.measure_descents(600)
    with pytest.raises(ClaimBroken, match=said):
        CLAIM.check(replace(record, descents=descents, lasso_zeros=zeros))


def test_a_subgradient_that_arrives_is_noticed(record):
    prox, rough = record.prox, record.descents[:-1]
    exact = replace(prox, name="subgradient", zeros=0)
    for descents, said in [
        ((replace(prox, name="subgradient"), *rough, prox), "exact zeros, not 0"),
        ((exact, *rough, prox), "not > 1e-6"),
        ((*reversed(rough), prox), "does not fall"),
    ]:
        with pytest.raises(ClaimBroken, match=said):
            CLAIM.check(replace(record, descents=descents))


@pytest.mark.parametrize(("name", "said"), [("ProxAdam", "ProxAdam has 0.0%"), ("DualAdam", "not between 0 and 0.0%")])
def test_a_network_trained_without_the_prox_has_no_zeros(record, monkeypatch, name, said):
    monkeypatch.setattr(shrinkage.torch, name, without_prox(torch.optim.Adam))
    with pytest.raises(ClaimBroken, match=said):
        CLAIM.check(replace(record, networks=record.networks | _exact_zeros.measure_networks(1, 3, (name,))))


def test_a_strength_that_is_too_small_leaves_few_zeros(record, monkeypatch):
    monkeypatch.setattr(_exact_zeros, "STRENGTH", 2e-5)
    few = _exact_zeros.measure_networks(1, 3, ("DualAdam",))["DualAdam"]
    with pytest.raises(ClaimBroken, match="exact zeros, not"):
        CLAIM.check(replace(record, networks={"DualAdam": few, "DualAdam, constant lr": few}))


def test_a_loop_by_hand_with_zeros_is_noticed(record):
    networks = record.networks | {"hand, SGD": record.networks["DualAdam"]}
    with pytest.raises(ClaimBroken, match="hand, SGD has"):
        CLAIM.check(replace(record, networks=networks))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"zeros": 1.0}, "100.0% exact zeros, not most"),
        ({"accuracy": 0.1}, "is right on 10.0%"),
        ({"objective": 2.3}, "has an objective of 2.300"),
    ],
)
def test_zeros_that_ruin_the_network_are_noticed(record, change, said):
    for name in ("DualAdam", "DualAdam, constant lr"):
        with pytest.raises(ClaimBroken, match=said):
            CLAIM.check(replace(record, networks=record.networks | {name: replace(record.networks[name], **change)}))


def test_a_subgradient_at_zero_leaves_it_at_any_pull_of_the_data():
    w = torch.nn.Parameter(torch.zeros(1))
    ((w - 0.001).square().sum() / 2 + w.abs().sum()).backward()
    torch.optim.SGD([w], lr=0.03).step()
    assert float(w.detach()) > 0


def test_at_a_step_of_one_rounding_ends_an_l2_at_zero_which_shorter_steps_do_not():
    smallest = np.full(1, 5e-324)
    assert L2(1.0).prox(smallest, 0.1)[0] == smallest[0]
    assert L2(1.0).prox(smallest, 1.0)[0] == 0
