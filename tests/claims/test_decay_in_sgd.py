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


def plain_again(record, ways=tuple(_decay_in_sgd.WAYS)):
    """The record with the runs without momentum made again, by whatever stands in the library's place."""
    converted = float(_decay_in_sgd.convert("keras.L2", "torch.SGD", l2=record.strength).arguments["weight_decay"])
    runs = _decay_in_sgd._side_by_side(ways, 0.0, converted, range(1), 10)
    return dataclasses.replace(record, plain={**record.plain, **runs}, converted=converted)


def test_the_claim_holds(record):
    CLAIM.check(record)
    assert CLAIM in claims.ALL


def test_a_penalty_without_its_half_breaks_the_claim(record, monkeypatch):
    right = L2.value
    monkeypatch.setattr(L2, "value", lambda penalty, w: 2 * right(penalty, w))
    with pytest.raises(ClaimBroken, match=r"L2\(2 \* λ\).*expected rounding"):
        CLAIM.check(plain_again(record, ("loss", "value")))


def test_units_that_forget_the_factor_of_two_break_the_claim(record, monkeypatch):
    right = _decay_in_sgd.convert

    def forgetful(source, target, **numbers):
        found = right(source, target, **numbers)
        return dataclasses.replace(found, arguments={"weight_decay": numbers["l2"]})

    monkeypatch.setattr(_decay_in_sgd, "convert", forgetful)
    with pytest.raises(ClaimBroken, match="SGD\\(weight_decay"):
        CLAIM.check(plain_again(record, ("loss", "decay")))


def test_a_prox_of_twice_the_strength_breaks_the_claim(record, monkeypatch):
    right = L2.value
    monkeypatch.setattr(L2, "value", lambda penalty, w: right(penalty, w) / 2)
    monkeypatch.setattr(_decay_in_sgd, "L2", lambda alpha: L2(2 * alpha))
    with pytest.raises(ClaimBroken, match=r"ProxSGD.*shrank an unseen weight"):
        CLAIM.check(plain_again(record, ("loss", "value", "prox")))


def test_without_momentum_there_is_no_difference_to_show(record, monkeypatch):
    heavy = _decay_in_sgd._side_by_side(tuple(record.heavy), 0.0, record.converted, range(1), 10)
    with pytest.raises(ClaimBroken, match=r"with momentum, shrinking is only .* expected a difference"):
        CLAIM.check(dataclasses.replace(record, heavy=heavy))
    monkeypatch.setattr(_decay_in_sgd, "MOMENTUM", 0.0)
    with pytest.raises(ClaimBroken, match="momentum with the loss ended"):
        CLAIM.check(dataclasses.replace(record, ridge=_decay_in_sgd._against_ridge()))


def test_a_ridge_of_another_strength_breaks_the_claim(record, monkeypatch):
    right = _decay_in_sgd.Ridge
    monkeypatch.setattr(_decay_in_sgd, "Ridge", lambda alpha, tol: right(alpha=1.01 * alpha, tol=tol))
    with pytest.raises(ClaimBroken, match="from the ridge of strength"):
        CLAIM.check(dataclasses.replace(record, ridge=_decay_in_sgd._against_ridge()))


def test_a_report_that_misses_double_decay_breaks_the_claim(record, monkeypatch):
    import shrinkage.torch

    right = shrinkage.torch.decay_report
    monkeypatch.setattr(shrinkage.torch, "decay_report", lambda model, optimizer, **_: right(model, optimizer))
    with pytest.raises(ClaimBroken, match="found 0 parameters decayed twice"):
        CLAIM.check(dataclasses.replace(record, **_decay_in_sgd._snippets(2)))


def test_a_second_decay_that_does_nothing_breaks_the_claim(record, monkeypatch):
    monkeypatch.setattr(_decay_in_sgd, "DECAY_OF_ADAMW", 0.0)
    with pytest.raises(ClaimBroken, match="both decays left a norm"):
        CLAIM.check(dataclasses.replace(record, **_decay_in_sgd._snippets(10)))


def test_equal_conventions_break_the_claim(record):
    half = dataclasses.replace(record.plain["half"], distances=record.plain["shrink"].distances)
    with pytest.raises(ClaimBroken, match="the factor of two would not matter"):
        CLAIM.check(dataclasses.replace(record, plain={**record.plain, "half": half}))


def with_run(record, kind, name, **changes):
    """The record with one run of `plain` or `heavy` changed."""
    runs = getattr(record, kind)
    return dataclasses.replace(record, **{kind: {**runs, name: dataclasses.replace(runs[name], **changes)}})


@pytest.mark.parametrize("name", ["loss", "half", "prox"])
def test_a_factor_that_is_not_the_conventions_breaks_the_claim(record, name):
    with pytest.raises(ClaimBroken, match="shrank an unseen weight by"):
        CLAIM.check(with_run(record, "plain", name, blind=record.plain[name].blind - 1e-4))


@pytest.mark.parametrize("kind", ["plain", "heavy"])
@pytest.mark.parametrize("name", ["decay", "value"])
def test_ways_that_must_be_equal_and_are_not_break_the_claim(record, kind, name):
    apart = getattr(record, kind)["half" if kind == "plain" else "shrink"].distances
    with pytest.raises(ClaimBroken, match="expected rounding"):
        CLAIM.check(with_run(record, kind, name, distances=apart))


def test_shrinking_that_is_not_the_loss_breaks_the_claim(record):
    with pytest.raises(ClaimBroken, match=r"without momentum, every weight times .* expected rounding"):
        CLAIM.check(with_run(record, "plain", "shrink", distances=record.plain["half"].distances))


def test_a_convention_that_units_gets_wrong_breaks_the_claim(record):
    with pytest.raises(ClaimBroken, match="units says weight_decay"):
        CLAIM.check(dataclasses.replace(record, converted=record.strength))


def test_decays_that_do_not_add_up_under_sgd_break_the_claim(record):
    with pytest.raises(ClaimBroken, match="decay and term shrank by"):
        CLAIM.check(with_run(record, "plain", "twice", blind=record.factor))


def test_ridges_that_are_one_and_the_same_break_the_claim(record):
    both = record.ridge["loss"][0]
    with pytest.raises(ClaimBroken, match="from the other ridge; expected a difference"):
        CLAIM.check(dataclasses.replace(record, ridge={**record.ridge, "loss": (both, both)}))


def test_an_alarm_where_nothing_is_decayed_twice_breaks_the_claim(record):
    with pytest.raises(ClaimBroken, match="with term; expected 0"):
        CLAIM.check(dataclasses.replace(record, alarms={**record.alarms, "term": 1}))


def test_a_second_decay_far_beyond_its_own_arithmetic_breaks_the_claim(record):
    with pytest.raises(ClaimBroken, match="the second decay took"):
        CLAIM.check(dataclasses.replace(record, norms={**record.norms, "both": 0.9 * record.norms["term"]}))


def test_a_proximal_step_is_as_stable_as_the_loss_alone_and_no_more():
    from shrinkage.torch import Plan, ProxSGD

    def grown(curvature, lr, penalty, by_hand):
        layer = torch.nn.Linear(1, 1, bias=False, dtype=torch.float64)
        torch.nn.init.ones_(layer.weight)
        optimizer = torch.optim.SGD([layer.weight], lr=lr) if by_hand else ProxSGD(Plan(layer, L2(penalty)), lr=lr)
        for _ in range(20):
            optimizer.zero_grad()
            loss = 0.5 * curvature * layer.weight.square().sum()
            (loss + 0.5 * penalty * layer.weight.square().sum() if by_hand else loss).backward()
            optimizer.step()
        return abs(float(layer.weight.detach())) > 1

    assert grown(0.0, 1.0, 3.0, by_hand=True)
    assert not grown(0.0, 1.0, 3.0, by_hand=False)
    assert grown(1.0, 10.0, 0.02, by_hand=False)
