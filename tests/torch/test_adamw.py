import itertools

import pytest

torch = pytest.importorskip("torch")

from shrinkage.torch import AdamW, _adamw  # noqa: E402

LR, DECAY, THRESHOLD, STEPS = 0.02, 0.3, 0.4, 6
SHAPES = [(7, 5), (33,), (2, 3, 3, 3)]


def gradients(dtype=torch.float64):
    draw = torch.Generator().manual_seed(3)
    return [[torch.randn(shape, generator=draw).to(dtype) for shape in SHAPES] for _ in range(STEPS)]


def weights(dtype):
    draw = torch.Generator().manual_seed(1)
    return [torch.nn.Parameter((0.1 * torch.randn(shape, generator=draw)).to(dtype)) for shape in SHAPES]


def stepped(params, **settings):
    optimizer = AdamW(params, **({"lr": LR, "weight_decay": DECAY, "l1_decay": THRESHOLD} | settings))
    for drawn in gradients():
        for p, g in zip(params, drawn, strict=True):
            p.grad = torch.empty_like(p).copy_(g)
        optimizer.step()
    return optimizer


def by_hand(start, amsgrad=False, maximize=False):
    """The weights after the steps, in double."""
    found = [p.detach().double() for p in start]
    for k, w in enumerate(found):
        m, v, largest = torch.zeros_like(w), torch.zeros_like(w), torch.zeros_like(w)
        for t, drawn in enumerate(gradients(start[0].dtype), start=1):
            g = drawn[k].double() * (-1 if maximize else 1)
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            largest = torch.maximum(largest, v)
            d = ((largest if amsgrad else v) / (1 - 0.999**t)).sqrt() + 1e-8
            w = (1 - LR * DECAY) * w - LR * m / (1 - 0.9**t) / d
            w = torch.sign(w) * torch.clamp(w.abs() - LR * THRESHOLD, min=0)
        found[k] = w
    return found


@pytest.fixture
def passes(monkeypatch):
    """How many tensors each step in one pass took."""
    taken, kernel = [], _adamw.fused_prox_adam
    monkeypatch.setattr(_adamw, "fused_prox_adam", lambda *a, **k: (taken.append(len(a[0])), kernel(*a, **k))[1])
    return taken


@pytest.mark.parametrize(("amsgrad", "maximize"), list(itertools.product([False, True], repeat=2)))
def test_the_step_in_one_pass_is_decay_then_adam_then_the_threshold(passes, amsgrad, maximize):
    params = weights(torch.float32)
    wanted = by_hand(params, amsgrad, maximize)
    stepped(params, amsgrad=amsgrad, maximize=maximize)
    assert passes == [len(SHAPES)] * STEPS
    for p, right in zip(params, wanted, strict=True):
        torch.testing.assert_close(p.detach().double(), right, rtol=2e-5, atol=2e-6)
        assert torch.equal(p == 0, right == 0)
    assert any((right == 0).any() for right in wanted)


def test_the_step_in_one_pass_leaves_the_states_of_the_other_path():
    ours, other = weights(torch.float32), weights(torch.float32)
    one, two = stepped(ours), stepped(other, fused=False)
    for p, q in zip(ours, other, strict=True):
        torch.testing.assert_close(p, q, rtol=2e-5, atol=2e-6)
        assert one.state[p].keys() == two.state[q].keys()
        for key, value in one.state[p].items():
            torch.testing.assert_close(value, two.state[q][key], rtol=2e-5, atol=1e-7)


def test_a_step_of_bfloat16_in_one_pass_is_rounded_once(passes):
    params = weights(torch.bfloat16)
    before = [p.detach().double() for p in params]
    optimizer = AdamW(params, lr=LR, weight_decay=DECAY)
    for p, g in zip(params, gradients(torch.bfloat16)[0], strict=True):
        p.grad = g
    optimizer.step()
    assert passes == [len(SHAPES)]
    for p, w in zip(params, before, strict=True):
        right = (1 - LR * DECAY) * w - LR * torch.sign(p.grad.double())  # m̂ / √v̂ at the first step
        assert ((p.detach().double() - right).abs() <= 2.0**-8 * right.abs() + 1e-6).all()


OTHER = {
    "torch's own step": (torch.float32, {"l1_decay": 0.0}),
    "torch's own fused step": (torch.float32, {"l1_decay": 0.0, "fused": True}),
    "independent decay alone": (torch.float32, {"l1_decay": 0.0, "coupling": "independent"}),
    "bfloat16 without decay": (torch.bfloat16, {"l1_decay": 0.0, "weight_decay": 0.0}),
    "double": (torch.float64, {}),
    "a choice of foreach": (torch.float32, {"foreach": True}),
    "no fused step wanted": (torch.float32, {"fused": False}),
    "rounding at random": (torch.bfloat16, {"stochastic_rounding": True}),
}


@pytest.mark.parametrize("case", OTHER)
def test_other_steps_take_another_path(passes, case):
    dtype, settings = OTHER[case]
    stepped(weights(dtype), **settings)
    assert passes == []


@pytest.mark.parametrize("fused", [None, True])
def test_a_transposed_weight_steps_beside_the_others(passes, fused):
    params = weights(torch.float32)
    params[0] = torch.nn.Parameter(params[0].detach().t().contiguous().t())
    wanted = by_hand(params)
    stepped(params, fused=fused)
    assert passes == [len(SHAPES) - 1] * STEPS
    for p, right in zip(params, wanted, strict=True):
        torch.testing.assert_close(p.detach().double(), right, rtol=2e-5, atol=2e-6)


RATES = [0.005, 0.01, 0.02, 0.02, 0.01, 0.005]


@pytest.mark.parametrize("threshold", [0.0, 1e-6])
@pytest.mark.parametrize("as_tensor", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_independent_decay_takes_its_share_of_the_largest_rate_met(dtype, as_tensor, threshold):
    """Weights that meet no gradient but decay alone."""
    params = [torch.nn.Parameter(torch.linspace(0.5, 1.0, 9, dtype=dtype))]
    rates = [torch.tensor(rate, dtype=torch.float64) for rate in RATES] if as_tensor else RATES
    optimizer = AdamW(params, lr=rates[0], weight_decay=0.1, l1_decay=threshold, coupling="independent")
    wanted, largest = params[0].detach().double().clone(), 0.0
    for rate, given in zip(RATES, rates, strict=True):
        optimizer.param_groups[0]["lr"] = given
        params[0].grad = torch.zeros(9, dtype=dtype)
        optimizer.step()
        largest = max(largest, rate)
        wanted = wanted * (1 - 0.1 * rate / largest) - rate * threshold
    torch.testing.assert_close(params[0].detach().double(), wanted, rtol=1e-6, atol=0)
    assert optimizer.param_groups[0]["base_lr"] == 0.02


def test_a_base_rate_that_is_given_stays_where_no_rate_passes_it():
    params = [torch.nn.Parameter(torch.ones(3))]
    optimizer = AdamW(params, lr=0.01, weight_decay=0.5, coupling="independent", base_lr=0.04)
    params[0].grad = torch.zeros(3)
    optimizer.step()
    torch.testing.assert_close(params[0].detach(), torch.full((3,), 1 - 0.5 / 4))


def test_a_rate_of_zero_decays_nothing():
    for coupling in ("lr", "independent"):
        params = [torch.nn.Parameter(torch.ones(3))]
        optimizer = AdamW(params, lr=0.0, weight_decay=0.5, l1_decay=0.1, coupling=coupling)
        params[0].grad = torch.ones(3)
        optimizer.step()
        assert torch.equal(params[0].detach(), torch.ones(3))


def test_one_cycle_s_own_key_leaves_the_base_rate_alone():
    params = [torch.nn.Parameter(torch.ones(3))]
    optimizer = AdamW(params, lr=0.01, weight_decay=0.5, coupling="independent", base_lr=0.2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=20)
    left = torch.ones(3, dtype=torch.float64)
    for _ in range(10):
        left = left * (1 - 0.5 * optimizer.param_groups[0]["lr"] / 0.2)
        params[0].grad = torch.zeros(3)
        optimizer.step()
        schedule.step()
    torch.testing.assert_close(params[0].detach().double(), left, rtol=1e-6, atol=0)
    assert optimizer.param_groups[0]["max_lr"] == 0.1


def test_groups_hold_torch_s_settings_and_ours_and_nothing_else():
    weight = torch.nn.Parameter(torch.ones(2))
    ours, theirs = AdamW([weight]), torch.optim.AdamW([weight])
    own = {"l1_decay", "coupling", "base_lr", "stochastic_rounding", "penalty"}
    assert set(theirs.param_groups[0]) - set(ours.param_groups[0]) <= {"decoupled_weight_decay"}
    assert set(ours.param_groups[0]) - set(theirs.param_groups[0]) <= own
