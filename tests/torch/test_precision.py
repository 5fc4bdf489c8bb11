"""Low precision: everything in float32 and rounded once, stochastic rounding right on average, lost decay reported."""

import warnings

import pytest

torch = pytest.importorskip("torch")

from optimizers import FIVE, PENALIZED, make  # noqa: E402

from shrinkage.penalties import L1, L1L2, L2, GroupL2  # noqa: E402
from shrinkage.torch import AdamW, DualAdam, ProxAdam, ProxSGD  # noqa: E402
from shrinkage.torch._precision import stochastically_rounded  # noqa: E402

LOW = [torch.bfloat16, torch.float16]
every_low = pytest.mark.parametrize("dtype", LOW, ids=str)
every_path = pytest.mark.parametrize("foreach", [None, True, False])


def drawn(seed, dtype, n=500):
    return torch.randn(n, generator=torch.Generator().manual_seed(seed)).to(dtype)


def soft(z, limit):
    return torch.sign(z) * torch.clamp(z.abs() - limit, min=0)


def neighbors(got, exact, dtype):
    """Whether each number is the exact one rounded to its type, but for float32's rounding near ties."""
    half = torch.finfo(dtype).eps / 2 * torch.exp2(torch.floor(torch.log2(exact.abs().clamp(min=1e-30))))
    return ((got.double() - exact).abs() <= half * 1.01 + 1e-6 * exact.abs() + 6e-8).all()


@every_low
@every_path
def test_a_step_of_gradient_descent_is_rounded_once(dtype, foreach):
    w = torch.nn.Parameter(drawn(0, dtype))
    g, start = drawn(1, dtype), w.detach().double()
    optimizer = ProxSGD([w], lr=0.037, momentum=0.9, weight_decay=0.3, penalty=L1L2(0.7, 0.6), foreach=foreach)
    w.grad = g.clone()
    optimizer.step()
    z = start - 0.037 * (g.double() + 0.3 * start)
    right = soft(z, 0.037 * 0.42) / (1 + 0.037 * 0.28)
    assert neighbors(w.detach(), right, dtype)
    assert (w == 0).any()
    assert w.dtype is dtype
    assert optimizer.state[w]["momentum_buffer"].dtype is dtype


@every_low
@every_path
def test_a_step_of_adam_is_rounded_once(dtype, foreach):
    """At the first step m̂ = g and √v̂ = |g|, before they are rounded to be stored."""
    w = torch.nn.Parameter(drawn(0, dtype))
    g, start = drawn(1, dtype), w.detach().double()
    settings = {"lr": 0.037, "eps": 1e-3, "metric_floor": 0.0, "foreach": foreach}
    optimizer = ProxAdam([w], penalty=L1L2(0.7, 0.6), **settings)
    w.grad = g.clone()
    optimizer.step()
    d = g.double().abs() + 1e-3
    right = soft(start - 0.037 * g.double() / d, 0.037 * 0.42 / d) / (1 + 0.037 * 0.28 / d)
    assert neighbors(w.detach(), right, dtype)
    assert (w == 0).any()


@every_low
@every_path
def test_decoupled_decay_and_gradient_are_rounded_together(dtype, foreach):
    w = torch.nn.Parameter(drawn(0, dtype))
    g, start = drawn(1, dtype), w.detach().double()
    optimizer = AdamW([w], lr=0.037, eps=1e-3, weight_decay=0.9, l1_decay=0.5, foreach=foreach)
    w.grad = g.clone()
    optimizer.step()
    z = start * (1 - 0.037 * 0.9) - 0.037 * g.double() / (g.double().abs() + 1e-3)
    assert neighbors(w.detach(), soft(z, 0.037 * 0.5), dtype)


@every_low
def test_small_decay_and_a_small_step_add_up_where_each_alone_would_be_lost(dtype):
    """Half a unit of rounding is eps/2 · 1: decay of .3 eps and a step of .3 eps together pass it, in bfloat16 too."""
    eps = torch.finfo(dtype).eps
    w = torch.nn.Parameter(torch.full((4,), 1.0 + eps, dtype=dtype))
    optimizer = AdamW([w], lr=0.3 * eps, eps=1e-6, weight_decay=1.0)
    optimizer.param_groups[0]["warned_of_lost_decay"] = True
    w.grad = torch.ones_like(w)
    optimizer.step()
    assert (w == 1.0).all()


@pytest.mark.parametrize("name", PENALIZED)
@every_low
@every_path
@pytest.mark.parametrize("stochastic", [False, True])
def test_zeros_stay_zeros_and_nothing_becomes_nan(name, dtype, foreach, stochastic):
    w = torch.nn.Parameter(drawn(0, dtype) * 0.1)
    settings = {"eps": 1e-6} if name.endswith("Adam") else {}
    optimizer = make(name, [w], L1(10.0), foreach=foreach, stochastic_rounding=stochastic, **settings)
    for t in range(60):
        w.grad = 1e-2 * drawn(1 + t, dtype)
        optimizer.step()
        if t > 40:
            assert (w == 0).all()
            assert not torch.signbit(w.detach()).any()
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    w.grad = torch.zeros_like(w)
    optimizer.step()
    assert (w == 0).all()


@pytest.mark.parametrize("penalty", [L1(0.0), L1(1e-30), L2(1e-30), GroupL2(1e-30, axis=0)], ids=str)
@pytest.mark.parametrize("dtype", [*LOW, torch.float32], ids=str)
@pytest.mark.parametrize("lr", [0.0, 1e-30, 0.1])
def test_zero_weights_under_a_threshold_of_zero_are_no_nan(penalty, dtype, lr):
    for kind, settings in ((ProxSGD, {"momentum": 0.9}), (ProxAdam, {"eps": 1e-4})):
        w = torch.nn.Parameter(torch.zeros(4, 3, dtype=dtype))
        optimizer = kind([w], lr=lr, penalty=penalty, **settings)
        for _ in range(3):
            w.grad = torch.zeros_like(w)
            w.grad[0] = 1e-3
            optimizer.step()
        assert torch.isfinite(w).all()
        assert (w[1:] == 0).all()


def test_stochastic_rounding_is_right_on_average_and_chooses_between_two_neighbors():
    torch.manual_seed(3)
    n = 20_000
    for value in (1.0 + 2.0**-9, 3.1415926, -0.7123, 1e-20, 5e30, 2.0**-130):
        rounded = stochastically_rounded(torch.full((n,), value)).double()
        exact = float(torch.tensor(value))
        found = rounded.unique()
        assert len(found) <= 2
        assert found.min() <= exact <= found.max()
        gap = float(found.max() - found.min())
        assert abs(rounded.mean().item() - exact) <= 4 * gap / 2 / n**0.5  # four standard errors, at most


def test_stochastic_rounding_leaves_what_bfloat16_holds():
    exact = torch.cat([drawn(0, torch.bfloat16).float(), torch.tensor([0.0, -0.0, float("inf"), -float("inf")])])
    assert torch.equal(stochastically_rounded(exact), exact.bfloat16())
    assert stochastically_rounded(torch.tensor([float("nan")])).isnan().all()


@pytest.mark.parametrize("kind", [AdamW, ProxAdam, DualAdam])
def test_decay_below_a_unit_happens_on_average_with_stochastic_rounding(kind):
    """2000 steps of decay by 1 - 1e-4 leave .8187 of a weight; rounded to the nearest, 1."""
    torch.manual_seed(0)
    w = torch.nn.Parameter(torch.ones(2000, dtype=torch.bfloat16))
    given = {"weight_decay": 0.1} if kind is AdamW else {"penalty": L2(0.1)}
    optimizer = kind([w], lr=1e-3, stochastic_rounding=True, **given)
    if kind is not AdamW:  # v such that d = 1, kept by β₂ = 1 - 1e-12
        optimizer.param_groups[0].update(betas=(0.0, 1.0 - 1e-12), eps=1.0, metric_floor=0.0)
    for _ in range(2000):
        w.grad = torch.zeros_like(w)
        if kind is not AdamW:
            optimizer.state[w].setdefault("metric_rms", torch.tensor(1e-9))
            optimizer.state[w]["metric_rms"].fill_(1e-9)
        optimizer.step()
    assert w.float().mean().item() == pytest.approx(0.8187, abs=0.004)
    assert w.float().std() > 0


def warned(optimizer, steps=3):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(steps):
            for group in optimizer.param_groups:
                for p in group["params"]:
                    p.grad = torch.zeros_like(p)
            optimizer.step()
    return [str(w.message) for w in caught]


def weight(dtype):
    return torch.nn.Parameter(torch.ones(3, dtype=dtype))


@pytest.mark.parametrize(
    ("dtype", "settings", "lost"),
    [
        (torch.bfloat16, {"lr": 1e-3, "weight_decay": 0.1}, True),
        (torch.bfloat16, {"lr": 0.1, "weight_decay": 0.1}, False),
        (torch.bfloat16, {"lr": 1e-3, "weight_decay": 0.1, "stochastic_rounding": True}, False),
        (torch.float16, {"lr": 1e-3, "weight_decay": 0.1, "stochastic_rounding": True}, True),
        (torch.bfloat16, {"lr": 1e-3, "weight_decay": 0.1, "coupling": "independent"}, False),
        (torch.bfloat16, {"lr": 1e-3, "weight_decay": 1e-3, "coupling": "independent"}, True),
        (torch.float32, {"lr": 1e-5, "weight_decay": 1e-3}, True),
        (torch.float32, {"lr": 1e-12, "weight_decay": 1e-12}, True),
        (torch.float32, {"lr": 1e-3, "weight_decay": 0.01}, False),
        (torch.float32, {"lr": 1e-3, "weight_decay": 0.0}, False),
        (torch.float32, {"lr": 0.0, "weight_decay": 0.1}, False),
        (torch.float64, {"lr": 1e-5, "weight_decay": 1e-3}, False),
    ],
    ids=str,
)
def test_lost_decay_is_reported_once_where_a_weight_would_not_move(dtype, settings, lost):
    w = weight(dtype)
    said = warned(AdamW([w], **settings))
    assert len(said) == int(lost)
    shrink = settings["weight_decay"] * (settings["lr"] if settings.get("coupling") != "independent" else 1.0)
    if lost:
        assert (w == 1).all()
        assert f"{shrink:.1e}" in said[0]
        assert str(dtype) in said[0]
    elif shrink and "stochastic_rounding" not in settings:
        assert (w != 1).any()


def test_the_end_of_a_schedule_is_no_lost_decay_and_loading_reports_no_group_again():
    w = weight(torch.float32)
    optimizer = AdamW([w], lr=1e-3)
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1e-6)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-9)
    assert warned(optimizer) == []
    low = AdamW([weight(torch.bfloat16)], lr=1e-3)
    assert len(warned(low)) == 1
    low.load_state_dict(low.state_dict())
    assert warned(low) == []
    other = AdamW([weight(torch.bfloat16)], lr=1e-3)  # of another run, whose user has not been told
    other.load_state_dict(low.state_dict())
    assert len(warned(other)) == 1


@pytest.mark.parametrize(("share", "moved"), [(0.2, "no weight"), (0.4, "only the weights at or little below a power")])
def test_the_report_of_lost_decay_says_whether_any_weight_moves(share, moved):
    """Every bfloat16 from 1 up to 2: a share of eps, below 1/4 and between 1/4 and 1/2."""
    eps = torch.finfo(torch.bfloat16).eps
    w = torch.nn.Parameter(torch.arange(1.0, 2.0, eps).to(torch.bfloat16))
    before = w.detach().clone()
    (said,) = warned(AdamW([w], lr=share * eps, weight_decay=1.0), steps=1)
    assert f"decay alone moves {moved}" in said
    unmoved = w == before
    assert bool(unmoved.all()) is (moved == "no weight")
    assert unmoved[1]
    assert unmoved[0] == unmoved[-1]


def test_decay_that_lets_weights_grow_is_not_reported_as_lost():
    optimizer = AdamW([weight(torch.bfloat16)], lr=1e-3)
    optimizer.param_groups[0]["weight_decay"] = -1e-3
    assert warned(optimizer) == []


def test_every_group_has_its_own_report_and_parameters_without_gradient_none():
    groups = [
        {"params": [weight(torch.bfloat16)]},
        {"params": [weight(torch.bfloat16)]},
        {"params": [weight(torch.float32)]},
    ]
    assert len(warned(AdamW(groups, lr=1e-3))) == 2
    idle = AdamW([weight(torch.bfloat16)], lr=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        idle.step()


@pytest.mark.parametrize("name", FIVE)
@every_low
def test_a_whole_run_in_low_precision_follows_the_one_in_float64(name, dtype):
    ends = []
    for kind in (dtype, torch.float64):
        w = torch.nn.Parameter(drawn(0, dtype, 200).to(kind))
        target = drawn(9, dtype, 200).to(kind)
        more = {"eps": 1e-3} if not name.endswith("SGD") else {}
        optimizer = make(name, [w], L1(0.3), **more)
        for group in optimizer.param_groups:
            group["warned_of_lost_decay"] = True
        for _ in range(60):
            w.grad = w.detach() - target
            optimizer.step()
        ends.append(w.detach().double())
    assert (ends[0] - ends[1]).abs().mean() < 8 * torch.finfo(dtype).eps
