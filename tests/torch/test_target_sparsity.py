"""A share of zeros that is asked for is reached, by every optimizer, and what steers it survives a checkpoint."""

import io
import math

import pytest

torch = pytest.importorskip("torch")

import networks  # noqa: E402 - it needs torch
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from shrinkage import L1  # noqa: E402
from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.penalties import L1L2, MCP, GroupL2  # noqa: E402
from shrinkage.torch import AdamW, DualAdam, DualSGD, Plan, ProxAdam, Proximal, ProxSGD  # noqa: E402
from shrinkage.torch._target_sparsity import TargetSparsity  # noqa: E402

TASK = networks.digits(20)
RATES = {"DualAdam": 5e-3, "ProxAdam": 5e-3, "DualSGD": 0.1, "ProxSGD": 0.1}


def convolutions():
    """A small network with two convolutions for the images of digits."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(32 * 16, 64), nn.ReLU(), nn.Linear(64, 10)),
    )


def made(name, network, penalty):
    """An optimizer, by name."""
    if name == "AdamW":
        return AdamW(Plan(network), lr=2e-3, l1_decay=0.01)
    if name == "NAdam":
        optimizer = torch.optim.NAdam(network.parameters(), lr=2e-3)
        Proximal(optimizer, Plan(network, penalty))
        return optimizer
    kind = {"DualAdam": DualAdam, "ProxAdam": ProxAdam, "DualSGD": DualSGD, "ProxSGD": ProxSGD}[name]
    return kind(Plan(network, penalty), lr=RATES[name], **({"momentum": 0.9} if "SGD" in name else {}))


def reached(name, target, network, task=TASK, penalty=None, every=1, cosine=True):
    """Accuracy and the controller after a whole training."""
    torch.manual_seed(0)
    network = network()
    optimizer = made(name, network, penalty or L1(1e-4))
    rates = [group["lr"] for group in optimizer.param_groups]
    control = TargetSparsity(optimizer, target, steps=task.n_steps)
    for step, (X, y) in enumerate(networks.batches(task, 0)):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * (networks.cosine(step, 0, task.n_steps) if cosine else 1.0)
        optimizer.zero_grad()
        functional.cross_entropy(network(X), y).backward()
        optimizer.step()
        if (step + 1) % every == 0:
            control.step()
    with torch.no_grad():
        accuracy = (network(task.test[0]).argmax(1) == task.test[1]).double().mean().item()
    return accuracy, control


@pytest.mark.parametrize("target", [0.75, 0.9, 0.95])
def test_a_target_is_hit_within_a_point_on_digits(target):
    accuracy, control = reached("DualAdam", target, TASK.network)
    assert abs(control.zeros - target) <= 0.01
    assert accuracy > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("target", [0.75, 0.9, 0.95])
@pytest.mark.parametrize("network", [TASK.network, convolutions], ids=["mlp", "convolutions"])
@pytest.mark.parametrize("name", [*RATES, "NAdam"])
def test_every_optimizer_hits_every_target(name, network, target):
    accuracy, control = reached(name, target, network, networks.digits(40))
    assert abs(control.zeros - target) <= 0.01
    assert accuracy > 0.9 or (name, target) == ("NAdam", 0.95)  # it would need a larger rate


@pytest.mark.slow
@pytest.mark.parametrize("name", ["DualAdam", "ProxAdam", "ProxSGD"])
def test_calls_once_an_epoch_come_close(name):
    _, control = reached(name, 0.9, TASK.network, networks.digits(40), every=22)
    assert abs(control.zeros - 0.9) <= 0.02


def test_decoupled_shrinking_is_steered_below_one():
    _, control = reached("AdamW", 0.75, TASK.network)
    assert abs(control.zeros - 0.75) <= 0.02
    assert all(0 < strength < 1 for strength in control.strengths)


@pytest.mark.slow
def test_rows_are_steered_too():
    _, control = reached("ProxAdam", 0.75, TASK.network, networks.digits(40), GroupL2(1e-4, axis=0), cosine=False)
    assert abs(control.zeros - 0.75) <= 0.02


def two_groups(kind=ProxAdam, **options):
    a, b = nn.Parameter(torch.linspace(-1, 1, 50)), nn.Parameter(torch.linspace(-1, 1, 30))
    c = nn.Parameter(torch.ones(4))
    groups = [{"params": [a], "penalty": L1(1e-3)}, {"params": [b], "penalty": L1L2(4e-3, 0.9)}, {"params": [c]}]
    return (a, b, c), kind(groups, lr=1e-2, **options)


def walk(optimizer, parameters, steps, after):
    for k in range(steps):
        for p in parameters:
            noise = torch.Generator().manual_seed(k)
            p.grad = 0.01 * p.detach() + 0.02 * torch.randn(p.shape, generator=noise)
        optimizer.step()
        after()


def test_ratios_between_groups_stay_and_free_groups_stay_free():
    parameters, optimizer = two_groups()
    control = TargetSparsity(optimizer, 0.8, steps=100)
    walk(optimizer, parameters, 40, control.step)
    first, second, free = (group["penalty"] for group in optimizer.param_groups)
    assert first.alpha != 1e-3
    assert second.alpha / first.alpha == pytest.approx(4.0)
    assert (type(second), second.l1_ratio, free) == (L1L2, 0.9, None)
    assert control.strengths == pytest.approx((first.alpha, second.alpha))


def test_only_penalized_weights_count():
    parameters, optimizer = two_groups()
    with torch.no_grad():
        parameters[0][:20] = 0.0
        parameters[2].zero_()
    assert TargetSparsity(optimizer, 0.5).zeros == pytest.approx(20 / 80)


def test_too_few_zeros_raise_the_strength_and_too_many_lower_it():
    for share, sign in ((0.0, 1.0), (0.96, -1.0)):
        parameters, optimizer = two_groups()
        with torch.no_grad():
            for p in parameters[:2]:
                p[: round(share * len(p))] = 0.0
        control = TargetSparsity(optimizer, 0.5)
        control._start, control._taken, control._seen = 0.0, 5000, 4990  # long after the way down
        control.step()
        assert math.log(control.factor) * sign > 0


def test_a_call_without_a_step_changes_nothing():
    parameters, optimizer = two_groups()
    control = TargetSparsity(optimizer, 0.8, steps=100)
    walk(optimizer, parameters, 10, control.step)
    before = control.state_dict()
    control.step()
    assert control.state_dict() == before


@pytest.mark.parametrize("kind", [ProxAdam, DualAdam, ProxSGD, DualSGD])
def test_zeros_stay_in_the_last_quarter_and_the_penalty_rests_when_there_are_enough(kind):
    parameters, optimizer = two_groups(kind)
    control = TargetSparsity(optimizer, 0.6, steps=400)
    last, shares = [None], []

    def look():
        control.step()
        zero = torch.cat([(p == 0).detach() for p in parameters[:2]])
        if control.holding:
            shares.append(float(zero.double().mean()))
            if last[0] is not None:
                assert bool(zero[last[0]].all())
            last[0] = zero

    walk(optimizer, parameters, 400, look)
    assert shares == sorted(shares)
    assert control.resting
    assert all(group["penalty"] is None or group["penalty"].alpha == 0 for group in optimizer.param_groups)
    assert 0.6 <= control.zeros < 0.7  # of eighty weights


def test_a_step_that_takes_too_many_gives_the_largest_back():
    parameters, optimizer = two_groups()
    control = TargetSparsity(optimizer, 0.5, steps=100)
    control._taken = 80  # zeros are held by now
    before = torch.cat([p.detach().clone() for p in parameters[:2]])
    optimizer.param_groups[0]["penalty"], optimizer.param_groups[1]["penalty"] = L1(1e3), L1L2(1e3, 0.9)
    walk(optimizer, parameters, 1, lambda: None)
    after = torch.cat([p.detach() for p in parameters[:2]])
    assert control.zeros == 0.5
    assert control.resting
    kept = after != 0
    assert torch.equal(after[kept], before[kept])
    assert before[kept].abs().min() >= before[~kept].abs().max()


@pytest.mark.parametrize("with_names", [False, True])
@pytest.mark.parametrize("stop", [30, 70])
def test_a_checkpoint_goes_on_bit_for_bit(stop, with_names):
    def fresh():
        torch.manual_seed(0)
        network = networks.mlp(6, 12, 3)
        if with_names:
            optimizer = DualAdam(Plan(network, L1(1e-3)), lr=1e-2)
        else:
            weights = [p for p in network.parameters() if p.ndim > 1]
            optimizer = DualAdam([{"params": weights, "penalty": L1(1e-3)}], lr=1e-2)
        return network, optimizer, TargetSparsity(optimizer, 0.5, steps=90)

    def go(parts, steps):
        network, optimizer, control = parts
        for k in steps:
            X = torch.randn(16, 6, generator=torch.Generator().manual_seed(k))
            optimizer.zero_grad()
            functional.cross_entropy(network(X), X[:, :3].argmax(1)).backward()
            optimizer.step()
            control.step()

    whole, first, second = fresh(), fresh(), fresh()
    go(whole, range(90))
    go(first, range(stop))
    file = io.BytesIO()
    torch.save([part.state_dict() for part in first], file)
    file.seek(0)
    for part, stored in zip(second, torch.load(file, weights_only=True), strict=True):
        part.load_state_dict(stored)
    go(second, range(stop, 90))
    for ours, theirs in zip(second[0].parameters(), whole[0].parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert second[2].state_dict() == whole[2].state_dict()


def test_a_proximal_is_steered_with_its_ratios():
    network = networks.mlp(6, 12, 3)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    proximal = Proximal(optimizer, Plan(network, L1(1e-3), overrides={"2.weight": MCP(3e-3)}))
    control = TargetSparsity(optimizer, 0.5, steps=50)
    walk(optimizer, list(network.parameters()), 20, control.step)
    assert proximal.penalties[1].alpha / proximal.penalties[0].alpha == pytest.approx(3.0)
    assert proximal.penalties[0].alpha == pytest.approx(1e-3 * control.factor)
    assert control.factor != 1.0


def test_without_hooks_an_optimizer_is_its_own_again():
    parameters, optimizer = two_groups()
    control = TargetSparsity(optimizer, 0.8, steps=100)
    control.remove()
    before = control.state_dict()
    walk(optimizer, parameters, 5, control.step)
    assert control.state_dict() == before


def test_numbers_for_a_logger_are_plain():
    _, optimizer = two_groups()
    assert TargetSparsity(optimizer, 0.8).scalars() == {"zeros": 0.0, "target": 0.8, "strength": 4e-3}


@pytest.mark.parametrize(
    ("optimizer", "target", "steps", "message"),
    [
        (lambda p: ProxAdam([p], penalty=L1(1e-3)), 1.0, None, "between 0 and 1"),
        (lambda p: ProxAdam([p], penalty=L1(1e-3)), 90, None, "between 0 and 1"),
        (lambda p: ProxAdam([p], penalty=L1(1e-3)), 0.9, 0, "steps"),
        (lambda p: ProxAdam([p], penalty=L1(0.0)), 0.9, None, "strength of 0"),
        (lambda p: ProxAdam([p]), 0.9, None, "no penalty"),
        (lambda p: AdamW([p]), 0.9, None, "l1_decay"),
        (lambda p: torch.optim.Adam([p]), 0.9, None, "Proximal"),
    ],
)
def test_what_cannot_be_steered_is_refused(optimizer, target, steps, message):
    with pytest.raises(ArgumentError, match=message):
        TargetSparsity(optimizer(nn.Parameter(torch.ones(3))), target, steps=steps)


def test_a_state_of_other_penalties_is_refused():
    _, optimizer = two_groups()
    one = TargetSparsity(ProxAdam([nn.Parameter(torch.ones(30))], penalty=L1(1e-3)), 0.9)
    with pytest.raises(ArgumentError, match="1 penalties"):
        TargetSparsity(optimizer, 0.9).load_state_dict(one.state_dict())


def test_a_target_that_rounds_up_to_every_weight_is_refused():
    network = nn.Linear(10, 5)
    TargetSparsity(DualAdam(Plan(network, L1(1e-3)), lr=1e-2), 0.98)
    with pytest.raises(ArgumentError, match=r"target must leave a weight; 0\.999 of 50"):
        TargetSparsity(DualAdam(Plan(network, L1(1e-3)), lr=1e-2), 0.999)
