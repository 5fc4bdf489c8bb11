"""What any optimizer of torch can do, ours can: closures, schedules, hooks, groups, skipped steps, odd shapes."""

import copy

import pytest

torch = pytest.importorskip("torch")

from optimizers import (  # noqa: E402
    FIVE,
    PENALIZED,
    data,
    equal_states,
    filled,
    lasso,
    loss_of,
    make,
    network,
    planned,
    same,
    train,
)

from shrinkage.penalties import L1, L1L2, L2, MCP, SCAD, GroupL2  # noqa: E402
from shrinkage.torch import Plan  # noqa: E402

every = pytest.mark.parametrize("name", FIVE)


every_penalized = pytest.mark.parametrize("name", PENALIZED)


every_proximal = pytest.mark.parametrize("name", ["ProxSGD", "ProxAdam"])


PENALTIES = [
    L1(0.3),
    L2(0.3),
    L1L2(0.3, 0.5),
    L1(0.3, factors=torch.rand(8, 6)),
    GroupL2(0.9, axis=0),
    GroupL2(0.9, axis=1),
    GroupL2(0.9, groups=[range(0, 10), [11, 47]]),
    L1(0.1) + GroupL2(0.8, axis=0),
    MCP(0.3, 30.0),
    SCAD(0.3, 31.0),
]


every_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=lambda g: type(g).__name__)


@every
def test_a_closure_is_called_once_with_gradients_and_its_loss_is_returned(name):
    model, other = network(), network()
    optimizer, calls = planned(name, model), []
    twin = planned(name, other)

    def closure():
        calls.append(torch.is_grad_enabled())
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        return loss

    for _ in range(3):
        before = loss_of(model).item()
        assert optimizer.step(closure).item() == before
    train(other, twin, 3)
    assert calls == [True] * 3
    assert optimizer.step() is None
    assert equal_states(optimizer, twin) is False  # one step more
    twin.step()
    assert equal_states(optimizer, twin)


@every
@pytest.mark.parametrize("foreach", [None, True, False])
def test_maximizing_is_minimizing_the_negative(name, foreach):
    w, v = (torch.nn.Parameter(filled()) for _ in range(2))
    one, other = make(name, [w], L1(0.2), foreach=foreach), make(name, [v], L1(0.2), maximize=True, foreach=foreach)
    for t in range(5):
        g = filled(seed=10 + t)
        w.grad, v.grad = g.clone(), -g
        one.step()
        other.step()
        assert torch.equal(v.grad, -g)
    assert torch.equal(w, v)


@every
def test_hooks_fire_once_for_each_step(name):
    model = network()
    optimizer, calls = planned(name, model), []
    optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    optimizer.register_step_post_hook(lambda *_: calls.append("after"))
    train(model, optimizer, 2)
    assert calls == ["before", "after"] * 2


@every
def test_gradients_are_dropped_or_zeroed_on_demand(name):
    model = network()
    optimizer = planned(name, model)
    loss_of(model).backward()
    optimizer.zero_grad(set_to_none=False)
    assert all((p.grad == 0).all() for p in model.parameters())
    optimizer.zero_grad()
    assert all(p.grad is None for p in model.parameters())


@every
def test_parameters_without_a_gradient_stay_and_get_no_state(name):
    model = network()
    optimizer = planned(name, model)
    before = copy.deepcopy(model)
    model[0](data()[0]).square().mean().backward()
    optimizer.step()
    assert not torch.equal(model[0].weight, before[0].weight)
    assert torch.equal(model[3].weight, before[3].weight)
    assert not optimizer.state.get(model[3].weight)
    assert torch.isfinite(model[0].weight).all()


TAKEN = [
    (name, g) for name in PENALIZED for g in PENALTIES if name.startswith("Prox") or not isinstance(g, (MCP, SCAD))
]


@pytest.mark.parametrize(("name", "penalty"), TAKEN, ids=lambda x: x if isinstance(x, str) else type(x).__name__)
def test_a_learning_rate_of_zero_moves_no_weight(name, penalty):
    w = torch.nn.Parameter(filled())
    optimizer = make(name, [w], penalty)
    for t in range(6):
        w.grad = filled(seed=20 + t)
        if t == 3:
            optimizer.param_groups[0]["lr"] = 0.0
            before = w.detach().clone()
            own = {k: v.clone() for k, v in optimizer.state[w].items() if k in ("dual", "threshold", "group_threshold")}
        optimizer.step()
    assert torch.equal(w, before)
    assert all(torch.equal(optimizer.state[w][k], v) for k, v in own.items())


@every
def test_a_learning_rate_of_zero_from_the_first_step_moves_no_weight(name):
    model = network()
    before = copy.deepcopy(model.state_dict())
    train(model, planned(name, model, lr=0.0), 3)
    assert all(torch.equal(p, before[key]) for key, p in model.state_dict().items())


@every
@pytest.mark.parametrize("foreach", [None, False])
def test_a_tensor_as_learning_rate_is_read_at_every_step(name, foreach):
    lr = torch.tensor(0.01, dtype=torch.float64)
    model, other = network(), network()
    optimizer = planned(name, model, lr=lr, foreach=foreach)
    twin = planned(name, other, lr=0.01, foreach=foreach)
    for value in (0.01, 0.003, 0.0, 0.02):
        lr.fill_(value)
        for group in twin.param_groups:
            group["lr"] = value
        train(model, optimizer, 3)
        train(other, twin, 3)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.allclose(p, q, rtol=1e-5, atol=1e-6)


SCHEDULES = {
    "cosine": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 40),
    "to zero": lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda t: max(1.0 - t / 20, 0.0)),
    "one cycle": lambda o: torch.optim.lr_scheduler.OneCycleLR(o, max_lr=0.05, total_steps=41),
    "warm-up": lambda o: torch.optim.lr_scheduler.LinearLR(o, 1e-3, total_iters=10),
    "plateau": lambda o: torch.optim.lr_scheduler.StepLR(o, 10),
}


@every
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_of_torch_drive_every_optimizer_through_a_checkpoint(name, schedule):
    model = network()
    optimizer = planned(name, model)
    scheduler = SCHEDULES[schedule](optimizer)
    start = loss_of(model).item()
    train(model, optimizer, 20, scheduler)
    twin = copy.deepcopy(model)
    other = planned(name, twin)
    follower = SCHEDULES[schedule](other)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    follower.load_state_dict(scheduler.state_dict())
    train(model, optimizer, 20, scheduler)
    train(twin, other, 20, follower)
    assert equal_states(optimizer, other)
    assert loss_of(model).item() < start


@pytest.mark.parametrize("name", ["ProxSGD", "DualSGD"])
def test_a_momentum_schedule_ends_at_the_right_fixed_point(name):
    w, optimizer, step, right = lasso(name, lr=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.3, total_steps=801, base_momentum=0.5, max_momentum=0.95, final_div_factor=5
    )
    met = set()
    for _ in range(800):
        met.add(round(optimizer.param_groups[0]["momentum"], 6))
        step()
        schedule.step()
    assert len(met) > 100
    assert (w.detach() - right).abs().max() < 1e-9
    assert torch.equal(w == 0, right == 0)


@every_penalized
def test_a_parameter_that_misses_steps_ends_at_the_right_fixed_point(name):
    w, _, step, right = lasso(name, lr=0.05 if name.endswith("SGD") else 0.01)
    for t in range(3000):
        step(missing=(0,) if t % 5 in (2, 3) or 100 < t < 140 else ())
    assert (w.detach() - right).abs().max() < 1e-6
    assert torch.equal(w == 0, right == 0)


@every_penalized
def test_a_strength_changed_on_the_way_holds_from_then_on(name):
    w, optimizer, step, right = lasso(name, L1(0.9), lr=0.05 if name.endswith("SGD") else 0.02)
    step(200)
    group = optimizer.param_groups[0]
    group["penalty"] = None
    step(20)
    group["penalty"] = L1(0.0)
    step(20)
    group["penalty"] = L1(0.9).with_alpha(0.25)
    step(4000)
    assert (w.detach() - right).abs().max() < 1e-6
    assert torch.equal(w == 0, right == 0)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize(("before", "free_steps"), [(L1(0.0), 1), (L1(0.0), 3), (None, 400)])
def test_a_penalty_that_begins_under_momentum_takes_the_step_that_momentum_takes_then(before, free_steps, nesterov):
    """With gradients of 0 the buffer says nothing of the scale: the count of steps does, or that they were many."""
    w = torch.nn.Parameter(torch.tensor([5.0], dtype=torch.float64))
    optimizer = make("ProxSGD", [w], lr=0.1, momentum=0.9, nesterov=nesterov, penalty=before)
    for _ in range(free_steps):
        w.grad = torch.zeros_like(w)
        optimizer.step()
    optimizer.param_groups[0]["penalty"] = L1(0.5)
    optimizer.step()
    scale = sum(0.9**k for k in range(free_steps + 1))
    length = 0.1 * (1 + 0.9 * scale if nesterov else scale)
    assert w.item() == pytest.approx(5.0 - 0.5 * length, abs=1e-12)


@every
def test_steps_skipped_by_a_gradient_scaler_leave_everything_as_it_was(name):
    model = network()
    optimizer = planned(name, model)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    train(model, optimizer, 3)
    before = copy.deepcopy((list(model.parameters()), optimizer.state_dict()["state"]))
    for poison in (float("inf"), float("nan")):
        optimizer.zero_grad()
        scaler.scale(loss_of(model)).backward()
        model[0].weight.grad[0, 0] = poison
        scaler.step(optimizer)
        scaler.update()
        state = optimizer.state_dict()["state"]
        assert all(torch.equal(p, q) for p, q in zip(model.parameters(), before[0], strict=True))
        assert all(
            same(torch.as_tensor(v), torch.as_tensor(before[1][k][key]))
            for k, s in state.items()
            for key, v in s.items()
        )
    assert scaler.get_scale() == 2.0**8


@every
def test_scaled_gradients_are_unscaled_before_the_step(name):
    model, other = network(), network()
    optimizer, twin = planned(name, model), planned(name, other)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    for _ in range(4):
        optimizer.zero_grad()
        scaler.scale(loss_of(model)).backward()
        scaler.step(optimizer)
        scaler.update()
    train(other, twin, 4)
    assert equal_states(optimizer, twin)


@every_proximal
def test_factors_scale_the_strength_weight_by_weight(name):
    factors = torch.tensor([0.0, 1.0, 2.0, 0.5, 1.0, 4.0], dtype=torch.float64)
    w, _, step, _ = lasso(name, L1(0.25, factors=factors), lr=0.05 if name == "ProxSGD" else 0.02)
    step(3000)
    target = torch.linspace(-1.0, 1.0, 6, dtype=torch.float64)
    right = torch.sign(target) * torch.clamp(target.abs() - 0.25 * factors, min=0)
    assert (w.detach() - right).abs().max() < 1e-7
    assert torch.equal(w == 0, right == 0)


SETTLING = {
    "ProxSGD": {"lr": 0.3, "momentum": 0.5},
    "ProxAdam": {"lr": 0.1, "betas": (0.9, 0.9), "eps": 0.1, "amsgrad": False},
}


@every_proximal
@every_penalty
def test_every_penalty_ends_where_no_gradient_violates_it(name, penalty):
    target = filled().double()
    w = torch.nn.Parameter(torch.full((8, 6), 0.2, dtype=torch.float64))
    optimizer = make(name, [w], penalty, **SETTLING[name])
    for _ in range(100 if name == "ProxSGD" else 500):
        w.grad = w.detach() - target
        optimizer.step()
    found = w.detach()
    if isinstance(getattr(penalty, "factors", None), torch.Tensor):
        penalty = L1(0.3, factors=penalty.factors.double())
    assert penalty.violation(found, target - found).max() < 1e-6
    assert type(penalty) is L2 or (found == 0).any()


@every
def test_a_model_in_training_can_have_its_optimizer_printed_and_a_plan_beside_it(name):
    model = network()
    optimizer = planned(name, model)
    assert isinstance(optimizer.plan, Plan)
    assert "Parameter Group 0" in repr(optimizer)
    assert make(name, model.parameters()).plan is None
