"""Decay as reported is decay as measured: in runs of torch's own optimizers, in every type of number."""

import json

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.penalties import L1L2, L2  # noqa: E402
from shrinkage.torch import AdamW, Plan, ProxAdam, Proximal, ProxSGD  # noqa: E402
from shrinkage.torch import _decay_report as module  # noqa: E402
from shrinkage.torch._decay_report import decay_report, sample  # noqa: E402
from shrinkage.training import DecayReport, momentum_decay  # noqa: E402


def weights(values):
    parameter = nn.Parameter(torch.as_tensor(values).clone())
    return parameter, Plan([("w", parameter)])


def kinds(record):
    return sorted({alarm.kind for alarm in record.alarms})


@pytest.mark.parametrize(("noise", "left"), [(0.01, 0.563), (1.0, 0.953), (100.0, 1.0)])
def test_adam_decays_by_the_noise_of_gradients_and_the_report_knows(noise, left):
    w, plan = weights(torch.ones(4000))
    optimizer = torch.optim.Adam([w], lr=1e-3, weight_decay=0.1)
    predicted = 1.0
    for step in range(500):
        w.grad = noise * torch.randn(4000)
        optimizer.step()
        if step % 10 == 9:
            predicted *= (1.0 - decay_report(plan, optimizer).rows[0].mean) ** 10
    measured = float(w.detach().mean())
    assert measured == pytest.approx(left, abs=0.004)
    assert predicted == pytest.approx(measured, abs=0.01)


def test_adamw_decays_alike_whatever_the_noise():
    for noise in (0.01, 1.0, 100.0):
        w, plan = weights(torch.ones(4000, dtype=torch.float64))
        optimizer = torch.optim.AdamW([w], lr=1e-3, weight_decay=0.1)
        for _ in range(100):
            w.grad = noise * torch.randn(4000, dtype=torch.float64)
            optimizer.step()
        row = decay_report(plan, optimizer).rows[0]
        assert row.quantiles == (1e-4,) * 5
        assert row.left_after(500)[0] == pytest.approx((1 - 1e-4) ** 500)
        assert float(w.detach().mean()) == pytest.approx(row.left_after(100)[2], abs=1e-3)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"momentum": 0.9},
        {"momentum": 0.9, "dampening": 0.5},
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.5, "nesterov": True},
    ],
    ids=str,
)
def test_sgd_decays_in_the_long_run_as_reported(settings):
    w, plan = weights(torch.ones(3, dtype=torch.float64))
    optimizer = torch.optim.SGD([w], lr=0.01, weight_decay=0.1, **settings)
    for _ in range(400):
        before = w.detach().clone()
        w.grad = torch.zeros_like(w)
        optimizer.step()
    row = decay_report(plan, optimizer).rows[0]
    assert row.median == pytest.approx(float((1 - w.detach() / before)[0]), rel=1e-6)
    assert row.timescale == pytest.approx(1 / row.median)
    first_order = 1e-3 * (1 - settings.get("dampening", 0)) / (1 - settings.get("momentum", 0))
    assert row.median == pytest.approx(first_order, rel=0.15)


def test_a_decay_that_overshoots_swings_and_shrinks_by_the_root_of_the_momentum():
    # z² - (1 + μ - x) z + μ has complex roots of modulus √μ.
    assert momentum_decay(0.5, 0.81) == pytest.approx(1 - 0.9)


ADAPTIVE = {
    "Adam": lambda p, wd: torch.optim.Adam(p, lr=1e-3, weight_decay=wd),
    "amsgrad": lambda p, wd: torch.optim.Adam(p, lr=1e-3, weight_decay=wd, amsgrad=True),
    "NAdam": lambda p, wd: torch.optim.NAdam(p, lr=1e-3, weight_decay=wd),
    "RAdam": lambda p, wd: torch.optim.RAdam(p, lr=1e-3, weight_decay=wd),
    "Adagrad": lambda p, wd: torch.optim.Adagrad(p, lr=1e-2, weight_decay=wd),
    "RMSprop": lambda p, wd: torch.optim.RMSprop(p, lr=1e-3, weight_decay=wd),
    "RMSprop momentum": lambda p, wd: torch.optim.RMSprop(p, lr=1e-3, weight_decay=wd, momentum=0.5),
    "ProxAdam weight_decay": lambda p, wd: ProxAdam(p, lr=1e-3, weight_decay=wd),
    "ProxAdam L2": lambda p, wd: ProxAdam(p, lr=1e-3, penalty=L2(wd)),
    "ProxSGD L2": lambda p, wd: ProxSGD(p, lr=1e-3, momentum=0.8, penalty=L2(wd)),
    "ProxSGD L2 Nesterov": lambda p, wd: ProxSGD(p, lr=1e-3, momentum=0.8, nesterov=True, penalty=L2(wd)),
}


@pytest.mark.parametrize("name", ADAPTIVE)
def test_what_decay_takes_is_the_difference_to_a_run_without_it(name):
    sizes = torch.tensor([1.0, 3.0, 10.0, 30.0], dtype=torch.float64)
    (decayed, plan), (free, _) = (weights(1e3 * torch.ones(4, dtype=torch.float64)) for _ in range(2))
    decayed.data /= 1e3
    free.data /= 1e3
    ours, twin = ADAPTIVE[name]([decayed], 1e-3), ADAPTIVE[name]([free], 0.0)
    for step in range(400):
        gap = free.detach() - decayed.detach()
        gradient = (1.0 if step % 2 else -1.0) * sizes
        for p, optimizer in ((decayed, ours), (free, twin)):
            p.grad = gradient.clone()
            optimizer.step()
    lost = ((free.detach() - decayed.detach()) - gap) / decayed.detach()
    row = decay_report(plan, ours).rows[0]
    assert row.how == ("penalty" if "L2" in name else "coupled")
    assert row.quantiles[2] == pytest.approx(float(lost.quantile(0.5)), rel=0.03)
    assert row.mean == pytest.approx(float(lost.mean()), rel=0.03)


@pytest.mark.parametrize("semantics", ["penalty", "decoupled"])
def test_an_l2_penalty_that_proximal_applies_decays_as_reported(semantics):
    w, plan = weights(torch.ones(5, dtype=torch.float64))
    optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.5)
    Proximal(optimizer, L2(0.2), semantics=semantics)
    for _ in range(60):
        before = w.detach().clone()
        w.grad = torch.zeros_like(w)
        optimizer.step()
    row = decay_report(plan, optimizer).rows[0]
    assert row.how == "penalty"
    assert row.median == pytest.approx(float((1 - w.detach() / before)[0]), rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
@pytest.mark.parametrize("size", [0.02, 0.3, 0.45, 0.55, 0.7, 1.5])
def test_what_is_counted_as_lost_is_what_a_step_leaves_unchanged(dtype, size):
    share = size * torch.finfo(dtype).eps
    w, plan = weights((1.0 + torch.rand(500)).to(dtype))
    optimizer = torch.optim.AdamW([w], lr=0.5, weight_decay=2 * share, eps=1e-3, foreach=False)
    row = decay_report(plan, optimizer).rows[0]
    before = w.detach().clone()
    w.grad = torch.zeros_like(w)
    optimizer.step()
    assert row.lost == int((w == before).sum())
    assert ("rounding" in kinds(decay_report(plan, optimizer))) is (row.lost >= 250)


def test_bfloat16_weights_under_adamw_do_not_decay_and_the_report_says_so():
    w, plan = weights(torch.ones(8, dtype=torch.bfloat16))
    optimizer = torch.optim.AdamW([w], lr=1e-3, weight_decay=0.1)
    for _ in range(50):
        w.grad = torch.zeros_like(w)
        optimizer.step()
    assert bool((w == 1).all())
    record = decay_report(plan, optimizer)
    assert record.rows[0].lost_share == 1.0
    assert "rounding" in kinds(record)


def test_decay_of_a_schedule_is_judged_at_its_largest_learning_rate():
    w, plan = weights(torch.ones(4, 4))
    optimizer = torch.optim.AdamW([w], lr=1e-2, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0 if step == 0 else 0.1)
    with_step(optimizer, w)
    schedule.step()
    record = decay_report(plan, optimizer, steps_per_epoch=100, epochs=10)
    assert (record.rows[0].timescale, record.rows[0].peak_timescale) == (pytest.approx(1e4), pytest.approx(1e3))
    assert record.alarms == ()
    assert kinds(decay_report(plan, optimizer, steps_per_epoch=100, epochs=9)) == ["timescale"]
    assert kinds(decay_report(plan, optimizer, steps_per_epoch=1001, epochs=9)) == ["timescale"]
    assert kinds(decay_report(plan, optimizer, steps_per_epoch=999, epochs=9)) == []


def with_step(optimizer, *parameters):
    for p in parameters:
        p.grad = torch.randn_like(p)
    optimizer.step()


def test_doubled_decay_is_said_once_for_each_tensor():
    model = nn.Linear(4, 4)
    penalized = Plan(model, L1L2(0.1, 0.5))
    twice = ProxAdam(penalized.param_groups(weight_decay=0.1), lr=1e-3)
    once = ProxAdam(penalized.param_groups(weight_decay=0.0), lr=1e-3)
    for optimizer, loss, expected in [(twice, False, 1), (once, False, 0), (once, True, 1), (twice, True, 1)]:
        record = decay_report(model, optimizer, loss_has_penalty=loss)
        assert [alarm.name for alarm in record.alarms if alarm.kind == "double decay"] == ["weight"] * expected
    assert decay_report(model, twice).row("weight").how == "coupled + penalty"
    # torch's Adam carries the penalty and does not apply it.
    assert decay_report(model, torch.optim.Adam(penalized.param_groups(), lr=1e-3)).row("weight").how == "none"


def test_biases_and_norms_that_decay_are_an_accident_unless_somebody_chose_them():
    model = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 4), nn.LayerNorm(4))
    everything = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
    (alarm,) = [a for a in decay_report(model, everything).alarms if a.kind == "accidental decay"]
    assert alarm.value == 4
    chosen = Plan(model, select="all")
    assert "accidental decay" not in kinds(decay_report(model, AdamW(chosen, weight_decay=0.1)))
    planned = torch.optim.AdamW(Plan(model).param_groups(weight_decay=0.1), lr=1e-3)
    record = decay_report(model, planned)
    assert kinds(record) == []
    assert [row.name for row in record.rows if row.decays] == ["1.weight"]


@pytest.mark.parametrize("kept", [True, False])
def test_rows_that_decay_without_a_gradient_are_counted(kept):
    model = nn.Embedding(20, 4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
    model(torch.arange(7)).square().sum().backward()
    optimizer.step()
    if not kept:
        optimizer.zero_grad()
    record = decay_report(model, optimizer)
    assert (record.rows[0].idle_rows, record.rows[0].rows) == (13, 20)
    assert "decay without gradient" in kinds(record)


class Unknown(torch.optim.Optimizer):
    def __init__(self, params):
        super().__init__(params, {"lr": 0.1, "weight_decay": 0.1})

    def step(self, closure=None):
        return None


def test_of_an_optimizer_that_it_does_not_know_it_says_nothing():
    w, plan = weights(torch.randn(3, 3))
    record = decay_report(plan, Unknown([w]))
    row = record.rows[0]
    assert (row.how, row.quantiles, row.timescale, row.lost) == (None, None, None, None)
    assert "Unknown" in record.notes[0]
    if hasattr(torch.optim, "Muon"):  # since torch 2.9
        muon = torch.optim.Muon([w], lr=0.1, weight_decay=0.02)
        assert decay_report(plan, muon).rows[0].median == pytest.approx(0.002)
    adamax = torch.optim.Adamax([w], weight_decay=0.1)
    with_step(adamax, w)
    assert decay_report(plan, adamax).rows[0].quantiles is None
    fresh = decay_report(plan, torch.optim.Adam([w], weight_decay=0.1))
    assert fresh.rows[0].quantiles is None
    assert "no step" in fresh.notes[0]


def test_zeros_have_no_share_to_lose():
    w, plan = weights(torch.tensor([0.0, 0.0, 2.0]))
    optimizer = torch.optim.Adam([w], lr=1e-3, weight_decay=0.1)
    w.grad = torch.tensor([0.0, 0.0, 1.0])
    optimizer.step()
    row = decay_report(plan, optimizer).rows[0]
    assert row.quantiles[0] == pytest.approx(1e-4 / 1.2, rel=1e-4)  # d = |g + 0.1 w| after one step
    assert row.quantiles[4] == row.quantiles[0]
    with torch.no_grad():
        w.zero_()
    assert decay_report(plan, optimizer).rows[0].quantiles is None


def test_quantiles_of_a_sample_are_near_those_of_all(monkeypatch):
    w, plan = weights(torch.ones(300, 200))
    optimizer = torch.optim.Adam([w], lr=1e-3, weight_decay=0.1)
    w.grad = torch.linspace(2.0, 10.0, 200).expand(300, 200).clone()  # alike within columns
    optimizer.step()
    exact = decay_report(plan, optimizer).rows[0]
    monkeypatch.setattr(module, "SAMPLE", 4096)
    sampled = decay_report(plan, optimizer).rows[0]
    assert sampled.quantiles == pytest.approx(exact.quantiles, rel=0.03)
    assert sampled.mean == pytest.approx(exact.mean, rel=0.03)


@pytest.mark.parametrize(("size", "count"), [(10, 20), (1000, 100), (1 << 20, 1000), (999_983, 7_000)])
def test_a_sample_takes_one_place_of_each_stretch_and_no_stretch_is_left_out(size, count):
    places = sample(size, count, torch.device("cpu"))
    assert len(places) == min(size, count)
    stretches = (places * count) // size if size > count else places
    assert int((stretches - torch.arange(len(places))).abs().max()) <= (1 if size > count else 0)
    assert int(places[-1]) < size


def test_records_travel_as_plain_data_and_text_fits_a_terminal():
    model = nn.ModuleDict({f"a_block_with_a_very_long_name_{k}": nn.Linear(16, 16) for k in range(9)})
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=0.1)
    with_step(optimizer, *model.parameters())
    record = decay_report(model, optimizer, steps_per_epoch=10, epochs=3)
    assert max(map(len, str(record).splitlines())) <= 120
    assert DecayReport.from_dict(json.loads(record.to_json())) == record
    frame = record.to_frame()
    assert list(frame["q50"]) == [row.median for row in record.rows]
    assert record.scalars()[f"decay/{record.rows[0].name}"] == record.rows[0].median


@pytest.mark.parametrize("argument", ["steps_per_epoch", "epochs", "loss_has_penalty"])
def test_arguments_that_cannot_be_used_are_named(argument):
    w, plan = weights(torch.ones(2))
    with pytest.raises(ArgumentError, match=argument):
        decay_report(plan, torch.optim.SGD([w]), **{argument: -1})
