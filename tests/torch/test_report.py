"""The report's numbers are those of the weights, of the steps that were taken, and of the optimality conditions."""

import copy
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from shrinkage import L1, L1L2, L2, Lasso  # noqa: E402
from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.penalties import MCP, SCAD, GroupL2  # noqa: E402
from shrinkage.torch import DualAdam, DualSGD, Plan, ProxAdam, Proximal, ProxSGD, decay_report  # noqa: E402
from shrinkage.torch import _report as module  # noqa: E402
from shrinkage.torch._report import report  # noqa: E402
from shrinkage.torch._slopes import slope_of  # noqa: E402
from shrinkage.training import Report  # noqa: E402

OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1),
    "SGD momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.3),
    "SGD Nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.1),
    "Adam maximizing": lambda p: torch.optim.Adam(p, lr=0.1, maximize=True),
    "Adam amsgrad": lambda p: torch.optim.Adam(p, lr=0.1, amsgrad=True, betas=(0.5, 0.6)),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.0),
    "NAdam": lambda p: torch.optim.NAdam(p, lr=0.1),
    "RAdam early": lambda p: torch.optim.RAdam(p, lr=0.1),
    "RAdam": lambda p: torch.optim.RAdam(p, lr=0.1, betas=(0.9, 0.6)),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1, lr_decay=0.1),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.1),
    "RMSprop centered": lambda p: torch.optim.RMSprop(p, lr=0.1, centered=True, momentum=0.7),
    "ProxSGD": lambda p: ProxSGD(p, lr=0.1, momentum=0.9),
    "ProxAdam": lambda p: ProxAdam(p, lr=0.1),
}


def with_gradients(parameters, seed, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    for p in parameters:
        p.grad = scale * torch.randn(p.shape, generator=generator, dtype=p.dtype)


def one_weight(values, penalty=None):
    parameter = nn.Parameter(torch.as_tensor(values).clone())
    return parameter, Plan([("w", parameter)], penalty)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_gradients_step_is_the_step_that_was_taken(name):
    w, plan = one_weight(torch.randn(7, 5, dtype=torch.float64))
    optimizer = OPTIMIZERS[name]([w])
    for step in range(3 if "early" in name else 12):
        with_gradients([w], step)
        before = w.detach().clone()
        optimizer.step()
    row = report(plan, optimizer).rows[0]
    assert row.gradient_step == pytest.approx(float((before - w.detach()).norm()), rel=1e-6)


@pytest.mark.parametrize("make", [ProxSGD, ProxAdam])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_penaltys_step_is_what_the_prox_took(make, momentum):
    w, plan = one_weight(3.0 + torch.rand(6, 5, dtype=torch.float64), L1(0.02))
    settings = {"momentum": momentum} if make is ProxSGD else {"betas": (momentum, 0.99), "metric_floor": 0.0}
    optimizer = make(plan, lr=0.01, **settings)
    free, _ = one_weight(w.detach())
    twin = make([free], lr=0.01, **settings)
    for step in range(6):
        with_gradients([w], step)
        free.grad = w.grad.clone()
        before = w.detach().clone()
        start = free.detach().clone()
        optimizer.step()
        twin.step()
    row = report(plan, optimizer).rows[0]
    by_prox = ((before - w) - (start - free)).detach()  # gradients do not depend on the weights here
    assert row.penalty_step == pytest.approx(float(by_prox.norm()), rel=1e-6)
    assert row.gradient_step == pytest.approx(float((start - free.detach()).norm()), rel=1e-6)
    assert row.penalty_share == pytest.approx(row.penalty_step / (row.penalty_step + row.gradient_step))
    assert row.timescale == pytest.approx(float(w.detach().abs().sum() / by_prox.abs().sum()), rel=1e-6)


@pytest.mark.parametrize(
    "penalty", [L1(1e-3), GroupL2(1e-3, axis=0), GroupL2(1e-3, groups=[[0, 9, 20], [3, 4]])], ids=repr
)
@pytest.mark.parametrize("make", [ProxSGD, ProxAdam, DualSGD, DualAdam])
def test_the_penaltys_step_is_the_difference_between_a_step_with_it_and_one_without(make, penalty):
    torch.manual_seed(0)
    w, plan = one_weight(5.0 + torch.randn(6, 4, dtype=torch.float64))
    spread = torch.logspace(-3, 0, 24, dtype=torch.float64).reshape(4, 6).t().contiguous()
    metric = {"metric_floor": 0.0} if make in (ProxAdam, DualAdam) else {}
    optimizer = make([("w", w)], lr=0.01, penalty=penalty, **metric)
    for _ in range(20):
        w.grad = torch.randn(6, 4, dtype=torch.float64) * spread
        optimizer.step()
    # Where Γ is 0, what a step takes along a group is not mixed with what the gradient turns.
    for key in ("threshold", "group_threshold"):
        if key in optimizer.state[w]:
            optimizer.state[w][key].zero_()
    v, without = copy.deepcopy((w, optimizer))
    without.param_groups[0]["penalty"] = penalty.with_alpha(1e-12)
    v.grad = w.grad = torch.randn(6, 4, dtype=torch.float64) * spread
    before = w.detach().clone()
    optimizer.step()
    without.step()
    row = report(plan, optimizer).rows[0]
    assert row.penalty_step == pytest.approx(float((v - w).detach().norm()), rel=1e-3)
    assert row.gradient_step == pytest.approx(float((before - v).detach().norm()), rel=1e-6)


def test_weights_at_zero_take_no_part_in_the_movement():
    w, plan = one_weight(torch.tensor([[0.0, 2.0, -1.0], [0.0, 0.0, 4.0]]), L1(0.5))
    w.grad = torch.tensor([[9.0, 3.0, 0.0], [9.0, 9.0, 4.0]])
    row = report(plan, torch.optim.SGD(plan.param_groups(), lr=0.1)).rows[0]
    assert row.gradient_step == pytest.approx(0.1 * 5.0)
    assert row.penalty_step == pytest.approx(0.1 * 0.5 * 3**0.5)


LAYERS = [
    (nn.Linear(4, 6), 0, 1, True),
    (nn.Conv2d(4, 6, 3), 0, 1, True),
    (nn.ConvTranspose2d(4, 6, 3), 1, 0, True),
    (nn.Embedding(6, 4), 0, 1, False),
]


@pytest.mark.parametrize(("layer", "out", "into", "has_neurons"), LAYERS, ids=lambda value: type(value).__name__)
def test_rows_columns_and_neurons_are_counted_along_the_right_axes(layer, out, into, has_neurons):
    with torch.no_grad():
        layer.weight.select(out, 1).zero_()
        layer.weight.select(out, 4).zero_()
        layer.weight.select(into, 3).zero_()
    row = report(layer).row("weight")
    assert (row.rows, row.zero_rows, row.columns, row.zero_columns) == (6, 2, 4, 1)
    assert (row.neurons, row.dead_neurons) == ((6, 2) if has_neurons else (None, None))
    assert row.zeros == int((layer.weight == 0).sum())
    assert row.norm == pytest.approx(float(layer.weight.detach().norm()), rel=1e-6)
    smaller = (6 - 2) * (4 - 1) * layer.weight[0, 0].numel()
    assert row.removable == layer.weight.numel() - smaller


def regression(alpha):
    generator = np.random.default_rng(1)
    X = generator.normal(size=(80, 12))
    y = X[:, :3] @ [2.0, -1.0, 0.5] + 0.3 * generator.normal(size=80)
    fitted = Lasso(alpha=alpha, tol=1e-12).fit(X, y)
    model = nn.Linear(12, 1).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor(fitted.coef_[None]))
        model.bias.fill_(fitted.intercept_)
    residual = model(torch.tensor(X)).squeeze(1) - torch.tensor(y)
    (0.5 * residual.square().mean()).backward()
    return model, X, residual.detach().numpy()


def test_a_solved_lasso_is_optimal_and_another_strength_is_not():
    model, X, residual = regression(0.2)
    row = report(model, plan=Plan(model, L1(0.2))).row("weight")
    correlation = np.abs(X.T @ residual / 80)
    zero = model.weight.detach().numpy()[0] == 0
    assert 0 < zero.sum() < 12
    assert row.kkt_zero == pytest.approx(correlation[zero].max() / 0.2)
    assert row.kkt_zero < 1
    assert row.kkt_nonzero < 1e-6
    assert row.kkt_violation < 1e-6
    assert row.gradient == "grad"
    weaker = report(model, plan=Plan(model, L1(0.1))).row("weight")
    assert weaker.kkt_nonzero == pytest.approx(1.0, abs=1e-6)  # |-0.2 + 0.1| / 0.1
    assert weaker.kkt_zero == pytest.approx(2 * row.kkt_zero)


def test_coupled_decay_counts_as_the_l2_penalty_that_it_is():
    w, _ = one_weight(torch.randn(5, 4))
    with_gradients([w], 0)
    inside = report(Plan([("w", w)], L1L2(0.3, 2 / 3)), torch.optim.SGD([w], lr=0.1), gradient="grad").rows[0]
    outside = torch.optim.SGD([w], lr=0.1, weight_decay=0.1)
    split = report(Plan([("w", w)], L1(0.2)), outside, gradient="grad").rows[0]
    assert split.kkt_nonzero == pytest.approx(inside.kkt_nonzero, rel=1e-5)
    assert split.kkt_violation == pytest.approx(inside.kkt_violation, rel=1e-5)


def test_the_mean_gradient_of_a_constant_gradient_is_that_gradient():
    for name, make in [("Adam", torch.optim.Adam), ("ours", ProxAdam), ("ours with momentum", ProxSGD)]:
        w, plan = one_weight(torch.full((3, 2), 5.0), L2(0.0) if name == "Adam" else L1(1e-9))
        optimizer = make(plan.param_groups(), lr=1e-6, **({"momentum": 0.9} if make is ProxSGD else {}))
        g = torch.randn(3, 2)
        for _ in range(4):
            w.grad = g.clone()
            optimizer.step()
        mean, last = (
            report(Plan([("w", w)], L1(0.5)), optimizer, gradient=kind).rows[0] for kind in ("average", "grad")
        )
        assert (mean.gradient, last.gradient) == ("average", "grad")
        assert mean.kkt_violation == pytest.approx(last.kkt_violation, rel=1e-3)


def test_groups_are_judged_as_groups():
    penalty = GroupL2(0.3, axis=0)
    w, plan = one_weight(torch.tensor([[3.0, 4.0], [0.0, 0.0], [0.0, 0.0]], dtype=torch.float64), penalty)
    omega = 0.3 * 2**0.5
    w.grad = torch.tensor([[-0.6 * omega, -0.8 * omega], [0.3, 0.4], [0.0, 0.1]], dtype=torch.float64)
    row = report(plan).rows[0]
    assert row.kkt_zero == pytest.approx(0.5 / omega)
    assert row.kkt_nonzero == pytest.approx(0.0, abs=1e-7)
    w.grad[0] *= -1
    assert report(plan).rows[0].kkt_nonzero == pytest.approx(2.0)


@pytest.mark.parametrize("penalty", [MCP(0.4, gamma=2.5), SCAD(0.4), GroupL2(0.4, axis=1), L1L2(0.4, 0.3)], ids=repr)
def test_the_slope_is_the_derivative_of_the_value(penalty):
    w, plan = one_weight(torch.tensor([[0.2, -0.7, 3.0], [1.1, 0.0, -0.4]], dtype=torch.float64), penalty)
    slope = slope_of(penalty, w).at(w.detach().reshape(-1), slice(None)).reshape(2, 3)
    for place in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2)]:
        shift = torch.zeros_like(w)
        shift[place] = 1e-6
        difference = (penalty.value(w.detach() + shift) - penalty.value(w.detach() - shift)) / 2e-6
        assert float(slope[place]) == pytest.approx(float(difference), abs=1e-6)
    w.grad = -slope
    assert report(plan).rows[0].kkt_violation == pytest.approx(0.0, abs=1e-6)


def test_a_penalty_lost_to_rounding_is_counted_and_said():
    for dtype, lost in [(torch.bfloat16, 1.0), (torch.float32, 0.0)]:
        w, plan = one_weight(torch.ones(4, 4, dtype=dtype), L1(0.1))
        record = report(plan, ProxSGD(plan, lr=1e-3))
        assert record.rows[0].lost_share == lost
        assert [alarm.kind for alarm in record.alarms] == (["rounding"] if lost else [])
        w.grad = torch.zeros_like(w)
        optimizer = ProxSGD(plan, lr=1e-3)
        optimizer.step()
        assert bool((w == 1).all()) is bool(lost)


@pytest.mark.parametrize("norm", [nn.BatchNorm1d(16), nn.LayerNorm(16)], ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("stepped", [False, True])
def test_a_layer_before_a_normalization_is_said_to_have_no_scale(norm, stepped):
    model = nn.Sequential(nn.Linear(12, 16, bias=False), norm, nn.ReLU(), nn.Linear(16, 3))
    plan = Plan(model, L1(1e-5))
    optimizer = torch.optim.Adam(plan.param_groups(), lr=1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(torch.randn(64, 12)), torch.randint(0, 3, (64,))).backward()
        if stepped:
            optimizer.step()
    record = report(model, optimizer, plan=plan)
    assert [alarm.name for alarm in record.alarms if alarm.kind == "scale invariance"] == ["0.weight"]
    assert record.row("3.weight").cosine > record.row("3.weight").cosine_limit


def test_a_collapsed_layer_scattered_zeros_and_an_idle_penalty_are_said():
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    plan = Plan(model, L1(0.1))
    with torch.no_grad():
        model[0].weight.zero_()
    assert {alarm.kind for alarm in report(plan).alarms} == {"collapse"}
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(8))
        model[1].weight.copy_(torch.eye(8))
    scattered = [alarm for alarm in report(plan).alarms if alarm.kind == "no speed-up"]
    assert scattered[0].value == 0.0
    with torch.no_grad():
        model[0].weight.fill_(1.0)
        model[1].weight.fill_(1.0)
    for make, said in [(torch.optim.Adam, ["not applied"]), (ProxAdam, [])]:
        optimizer = make(plan.param_groups(), lr=1e-3)
        with_gradients(model.parameters(), 0)
        optimizer.step()
        assert [alarm.kind for alarm in report(plan, optimizer).alarms] == said


def test_penalties_that_proximal_applies_are_reported_as_those_of_our_own_optimizer():
    rows = []
    for ours in (True, False):
        model = nn.Linear(5, 4)
        with_gradients(model.parameters(), 3)
        model.weight.data.copy_(model.weight.grad)
        plan = Plan(model, L1(0.3))
        if ours:
            optimizer = ProxAdam(plan, lr=0.1, metric_floor=0.0)
        else:
            optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
            Proximal(optimizer, plan)
        for step in range(5):
            with_gradients(model.parameters(), step)
            optimizer.step()
        rows.append(report(model, optimizer).row("weight"))
    assert rows[0].zeros == rows[1].zeros > 0
    for key in ("penalty", "strength", "penalty_step", "gradient_step", "kkt_zero", "kkt_nonzero", "timescale"):
        expected = getattr(rows[0], key)
        assert getattr(rows[1], key) == (pytest.approx(expected, rel=1e-4) if isinstance(expected, float) else expected)


def test_decoupled_shrinking_is_reported_without_a_verdict_on_optimality():
    w, plan = one_weight(torch.full((4, 3), 2.0), L1(0.3))
    optimizer = torch.optim.Adamax([w], lr=0.1)
    Proximal(optimizer, plan, semantics="decoupled")
    with_gradients([w], 0)
    optimizer.step()
    record = report(plan, optimizer)
    row = record.rows[0]
    assert row.penalty_step == pytest.approx(0.1 * 0.3 * 12**0.5)
    assert (row.gradient_step, row.kkt_violation, row.gradient) == (None, None, None)
    assert any("Decoupled" in note for note in record.notes)


class Custom(torch.optim.Adam):
    def step(self, closure=None):
        return super().step(closure)


def test_of_an_optimizer_that_it_does_not_know_it_says_nothing():
    for make in (Custom, torch.optim.Adamax):
        w, _ = one_weight(torch.randn(3, 3))
        optimizer = make([w], lr=0.1)
        with_gradients([w], 0)
        optimizer.step()
        record = report(Plan([("w", w)], L1(0.1)), optimizer)
        row = record.rows[0]
        assert (row.penalty_step, row.gradient_step, row.lost, row.timescale) == (None, None, None, None)
        assert any(make.__name__ in note for note in record.notes)
        assert row.lr_strength == pytest.approx(0.01)


def test_pieces_of_any_size_give_the_same_numbers(monkeypatch):
    model = nn.Linear(37, 11)
    plan = Plan(model, L1L2(0.1, 0.7))
    optimizer = ProxAdam(plan, lr=0.1)
    with_gradients(model.parameters(), 0)
    optimizer.step()
    whole = report(model, optimizer).row("weight").to_dict()
    monkeypatch.setitem(module.CHUNK, "cpu", 13)
    pieces = report(model, optimizer).row("weight").to_dict()
    assert whole.keys() == pieces.keys()
    for key, value in whole.items():
        assert pieces[key] == (pytest.approx(value, rel=1e-5, abs=1e-9) if isinstance(value, float) else value), key


def test_an_earlier_report_gives_changes():
    w, plan = one_weight(torch.ones(2, 2), L1(0.1))
    before = report(plan)
    with torch.no_grad():
        w.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    row = report(plan, before=before).rows[0]
    assert (row.norm_change, row.zeros_change) == (pytest.approx(5 / 2 - 1), 2)


def test_the_penalty_in_the_groups_is_the_one_that_is_reported():
    model = nn.Linear(3, 2)
    optimizer = ProxAdam(Plan(model, L1(0.1)), lr=0.5)
    optimizer.param_groups[0]["penalty"] = optimizer.param_groups[0]["penalty"].with_alpha(0.2)
    row = report(model, optimizer).row("weight")
    assert (row.strength, row.lr_strength, row.group) == (0.2, 0.1, 0)


def test_records_travel_as_plain_data_and_text_fits_a_terminal():
    blocks = nn.ModuleDict({f"a_block_with_a_very_long_name_{k}": nn.Linear(64, 64) for k in range(30)})
    optimizer = ProxAdam(Plan(blocks, L1L2(1e-3, 0.9)), lr=1e-3)
    with_gradients(blocks.parameters(), 0)
    optimizer.step()
    record = report(blocks, optimizer, before=report(blocks, optimizer), steps_per_epoch=10)
    assert max(map(len, str(record).splitlines())) <= 120
    assert Report.from_dict(json.loads(record.to_json())) == record
    assert list(record.to_frame()["name"]) == [row.name for row in record.rows]
    assert record.scalars()["sparsity/total"] == record.total.zero_share
    assert all(isinstance(value, float) for value in record.scalars().values())
    assert record.total.size == sum(p.numel() for p in blocks.parameters())
    assert sum(row.size for row in record.by_role()) == record.total.size
    assert record.total.norm == pytest.approx(
        float(torch.cat([p.detach().flatten() for p in blocks.parameters()]).norm())
    )
    assert record.step == 1


@pytest.mark.parametrize(
    ("argument", "value"), [("gradient", "mean"), ("steps_per_epoch", 0), ("before", "yesterday")], ids=str
)
def test_arguments_that_cannot_be_used_are_named(argument, value):
    with pytest.raises(ArgumentError, match=argument):
        report(nn.Linear(2, 2), **{argument: value})


@pytest.mark.parametrize("ask", [report, decay_report])
def test_what_is_no_model_optimizer_or_plan_is_named(ask):
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    calls = [
        ("optimizer", (model, 3), {}),
        ("model", (optimizer, model), {}),
        ("model", (None, optimizer), {}),
        ("plan", (model, optimizer), {"plan": 3}),
    ]
    for argument, given, options in calls:
        with pytest.raises(ArgumentError, match=f"^{argument} must be"):
            ask(*given, **options)
