"""The prox behind torch's own optimizers: right fixed points, steps not taken, checkpoints, refusals."""

import copy
import io

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from shrinkage import ElasticNet, Lasso  # noqa: E402
from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.penalties import L1, L1L2, MCP, GroupL2  # noqa: E402
from shrinkage.torch import AdamW, Plan, ProxAdam, Proximal, ProxSGD, _metrics, _proximal  # noqa: E402
from shrinkage.training import to_plain  # noqa: E402

optim = torch.optim
SEVEN = {kind.__name__: kind for kind in _metrics.KNOWN}


def regression():
    """Data whose lasso has zeros, with columns near enough to orthogonal that few hundred steps are many."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 12))
    X -= X.mean(0)
    truth = np.array([2.0, -1.5, 1.0, 0.5, -0.3] + [0.0] * 7)
    y = X @ truth + 0.5 * rng.normal(size=80)
    return X, y - y.mean()


X, Y = regression()
GRAM, CORRELATION = torch.tensor(X.T @ X / len(Y)), torch.tensor(X.T @ Y / len(Y))


def train(optimizer, w, steps, scheduler=None):
    """Follow the gradient of ½ mean (Xw - y)², written out."""
    for _ in range(steps):
        w.grad = (GRAM @ w.detach().flatten() - CORRELATION).reshape(w.shape)
        optimizer.step()
        if scheduler is not None:
            scheduler.step()


def start(shape=(12,)):
    return torch.nn.Parameter(0.1 * torch.arange(1.0, 13.0, dtype=torch.float64).reshape(shape))


RUNS = [
    ("SGD", {"lr": 0.5}, 70),
    ("SGD", {"lr": 0.1, "momentum": 0.9}, 550),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "fused": True}, 350),
    ("SGD", {"lr": 0.2, "momentum": 0.9, "dampening": 0.4}, 550),
    ("SGD", {"lr": 0.2, "momentum": 0.5, "foreach": True}, 100),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.95)}, 300),
    ("Adam", {"lr": 0.05, "betas": (0.9, 0.99), "foreach": True}, 550),
    ("Adam", {"lr": 0.5, "betas": (0.8, 0.99), "amsgrad": True, "eps": 1e-3, "fused": True}, 300),
    ("AdamW", {"lr": 0.05, "betas": (0.8, 0.95), "weight_decay": 0.0}, 300),
    ("AdamW", {"lr": 0.5, "betas": (0.8, 0.99), "weight_decay": 0.0, "amsgrad": True}, 300),
    ("NAdam", {"lr": 0.05, "betas": (0.8, 0.95)}, 300),
    ("NAdam", {"lr": 0.05, "betas": (0.7, 0.95), "momentum_decay": 0.1, "foreach": True}, 250),
    ("NAdam", {"lr": 0.05, "betas": (0.8, 0.95), "decoupled_weight_decay": True}, 300),
    ("RAdam", {"lr": 0.05, "betas": (0.8, 0.95)}, 350),
    ("RAdam", {"lr": 0.2, "betas": (0.5, 0.6), "foreach": True}, 150),
    ("RAdam", {"lr": 0.05, "betas": (0.8, 0.95), "decoupled_weight_decay": True}, 350),
    ("Adagrad", {"lr": 0.5, "fused": True}, 250),
    ("Adagrad", {"lr": 1.0, "lr_decay": 1e-3, "initial_accumulator_value": 0.1}, 100),
    ("RMSprop", {"lr": 0.05, "alpha": 0.95}, 250),
    ("RMSprop", {"lr": 0.01, "alpha": 0.95, "momentum": 0.8, "foreach": True}, 300),
    # The centered variance of a settled gradient is a rounding error, in time a negative one: torch's step is NaN then.
    ("RMSprop", {"lr": 0.05, "alpha": 0.99, "centered": True, "eps": 0.1}, 250),
    ("RMSprop", {"lr": 0.02, "alpha": 0.99, "centered": True, "eps": 0.1, "momentum": 0.8}, 300),
]
every_run = pytest.mark.parametrize(("name", "options", "steps"), RUNS)


@pytest.mark.parametrize(("penalty", "model"), [
    (L1(0.15), Lasso(alpha=0.15, fit_intercept=False, tol=1e-13)),
    (L1L2(0.2, l1_ratio=0.7), ElasticNet(alpha=0.2, l1_ratio=0.7, fit_intercept=False, tol=1e-13)),
], ids=["lasso", "elastic net"])  # fmt: skip
@every_run
def test_full_batches_end_at_the_minimizer_with_its_zeros(name, options, steps, penalty, model):
    right = model.fit(X, Y).coef_
    assert 3 <= np.sum(right == 0) <= 9
    w = start()
    optimizer = SEVEN[name]([w], **options)
    Proximal(optimizer, penalty)
    train(optimizer, w, steps)
    assert np.abs(w.detach().numpy() - right).max() <= 1e-7
    assert np.array_equal(w.detach().numpy() == 0, right == 0)


@pytest.mark.parametrize(("name", "options"), [
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("Adam", {"lr": 0.1, "betas": (0.9, 0.95)}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.95, "momentum": 0.9}),
])  # fmt: skip
def test_schedules_of_the_learning_rate_and_of_momentum_keep_the_minimizer(name, options):
    right = Lasso(alpha=0.15, fit_intercept=False, tol=1e-13).fit(X, Y).coef_
    w, n = start(), 800
    optimizer = SEVEN[name]([w], **options)
    Proximal(optimizer, L1(0.15))
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=options["lr"], total_steps=n + 1, max_momentum=0.9)
    train(optimizer, w, n, schedule)
    assert np.abs(w.detach().numpy() - right).max() <= 1e-7
    assert np.array_equal(w.detach().numpy() == 0, right == 0)


@pytest.mark.parametrize(
    "penalty", [GroupL2(0.2, axis=0), L1(0.08) + GroupL2(0.15, axis=0)], ids=["group", "sparse group"]
)
@pytest.mark.parametrize(("name", "options", "steps"), [
    ("SGD", {"lr": 0.1, "momentum": 0.9}, 500),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.95)}, 500),
    ("RMSprop", {"lr": 0.01, "alpha": 0.95, "momentum": 0.8}, 500),
])  # fmt: skip
def test_groups_end_at_an_optimum_with_whole_groups_at_zero(name, options, steps, penalty):
    w = start((4, 3))
    optimizer = SEVEN[name]([w], **options)
    Proximal(optimizer, penalty)
    train(optimizer, w, steps)
    gradient = (GRAM @ w.detach().flatten() - CORRELATION).reshape(w.shape)
    assert penalty.violation(w.detach(), -gradient).max() <= 1e-7
    empty = (w == 0).all(1)
    assert empty.any()
    assert not empty.all()


@every_run
def test_the_step_of_the_prox_is_what_one_unit_of_gradient_moves(name, options, steps):
    # By definition: under one gradient g at every step, h is the displacement over g.
    w = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))
    g = torch.tensor([0.7, -0.02, 3.0], dtype=torch.float64)
    optimizer = SEVEN[name]([w], **options)
    (group,) = optimizer.param_groups
    for t in range(40):
        w.grad = None if t % 7 == 3 else g.clone()
        group["lr"] = options["lr"] * (0.0 if t == 11 else 1.0 + 0.3 * np.sin(t))
        if group.get("momentum") and t > 20:
            group["momentum"] = options["momentum"] * 0.9
        _metrics.ready_scale(type(optimizer), group, optimizer.state.get(w, {}))
        before = w.detach().clone()
        optimizer.step()
        if w.grad is None:
            assert torch.equal(w, before)
            continue
        (h,) = _metrics.step_lengths(type(optimizer), group, [w], [optimizer.state[w]], True)
        assert torch.allclose(before - w.detach(), h * g, rtol=1e-9, atol=1e-13), t


@pytest.mark.parametrize(("name", "options"), [
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "dampening": 0.3}),
    ("RMSprop", {"lr": 0.1, "alpha": 0.9, "momentum": 0.8}),
])  # fmt: skip
def test_momentum_met_in_mid_run_is_taken_to_be_old(name, options):
    w = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))
    g = torch.tensor([0.7, -0.02, 3.0], dtype=torch.float64)
    optimizer = SEVEN[name]([w], **options)
    for _ in range(400):
        w.grad = g.clone()
        optimizer.step()
    before = w.detach().clone()
    Proximal(optimizer, L1(0.01))
    optimizer.step()
    h = optimizer.param_groups[0]["lr"] * optimizer.state[w]["momentum_scale"]
    unshrunk = before - h * g
    assert torch.allclose(w.detach(), L1(0.01).prox(unshrunk, h), rtol=1e-9)


TWINS = [
    (ProxSGD, optim.SGD, {"lr": 0.1}),
    (ProxSGD, optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    (ProxSGD, optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    (ProxSGD, optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}),
    (ProxAdam, optim.Adam, {"lr": 0.1}),
    (ProxAdam, optim.Adam, {"lr": 0.1, "amsgrad": True, "maximize": True, "weight_decay": 0.01}),
    (ProxAdam, optim.AdamW, {"lr": 0.1, "weight_decay": 0.0}),
]


@pytest.mark.parametrize(
    "penalty", [L1L2(0.05, l1_ratio=0.9), GroupL2(0.5, axis=1), MCP(0.05)], ids=["l1l2", "group", "mcp"]
)
@pytest.mark.filterwarnings("ignore:weights decay twice")
@pytest.mark.parametrize(("ours", "theirs", "options"), TWINS)
def test_it_walks_with_our_own_optimizers(ours, theirs, options, penalty):
    ends = []
    for kind in (ours, theirs):
        w = torch.nn.Parameter(torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(3, 4))
        floor = {"metric_floor": 0.0} if kind is ProxAdam else {}
        optimizer = kind([w], **options, **floor, **({} if kind is theirs else {"penalty": penalty}))
        if kind is theirs:
            Proximal(optimizer, penalty)
        generator = torch.Generator().manual_seed(1)
        sign = -1 if options.get("maximize") else 1
        walk = []
        for t in range(30):
            noise = torch.randn(w.shape, generator=generator, dtype=torch.float64)
            w.grad = None if t == 5 else sign * (w.detach() - 0.3 + 0.2 * noise)
            optimizer.step()
            walk.append(w.detach().clone())
        ends.append(torch.stack(walk))
    assert torch.allclose(*ends, rtol=0, atol=1e-12)
    assert (ends[0] == 0).any()


def noisy_steps(w, optimizer, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(n):
        w.grad = (w.detach().float() - 0.3 + 0.1 * torch.randn(w.shape, generator=generator)).to(w.dtype)
        optimizer.step()


@every_run
def test_a_penalty_of_strength_zero_changes_no_bit(name, options, steps):
    ends = []
    for penalty in (None, L1(0.0), L1L2(1.0).with_alpha(0)):
        w = torch.nn.Parameter(torch.linspace(-1, 1, 7))
        optimizer = SEVEN[name]([w], **options)
        if penalty is not None:
            Proximal(optimizer, penalty)
        noisy_steps(w, optimizer, 10)
        ends.append(w.detach())
    assert torch.equal(ends[0], ends[1])
    assert torch.equal(ends[0], ends[2])


@every_run
def test_a_learning_rate_of_zero_moves_nothing(name, options, steps):
    w = torch.nn.Parameter(torch.linspace(-1, 1, 7))
    optimizer = SEVEN[name]([w], **{**options, "lr": 0.0})
    Proximal(optimizer, L1L2(0.5))
    before = w.detach().clone()
    noisy_steps(w, optimizer, 3)
    assert torch.equal(w, before)


def test_parameters_without_a_gradient_stay():
    moved, still = (torch.nn.Parameter(torch.ones(3)) for _ in range(2))
    optimizer = optim.Adam([moved, still], lr=0.1)
    Proximal(optimizer, L1(0.5))
    for _ in range(3):
        moved.grad = torch.ones(3)
        optimizer.step()
    assert torch.equal(still, torch.ones(3))
    assert still not in optimizer.state
    assert (moved < 0.8).all()


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize(("name", "options"), [
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("Adam", {"lr": 0.1}),
    ("AdamW", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1}),
])  # fmt: skip
def test_steps_that_a_scaler_skips_are_skipped(name, options, fused):
    walks = []
    for bad in ((2, 3, 6), ()):
        w = torch.nn.Parameter(torch.linspace(-1, 1, 7))
        optimizer = SEVEN[name]([w], **options, fused=fused)
        Proximal(optimizer, L1(0.5))
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=1000, backoff_factor=0.5)
        walk = []
        for t in range(10):
            if t not in bad and not bad and t in (2, 3, 6):
                continue
            optimizer.zero_grad()
            factor = float("inf") if t in bad else 1.0
            scaler.scale((w - 0.2).square().sum() * factor).backward()
            before = w.detach().clone()
            scaler.step(optimizer)
            scaler.update()
            if t in bad:
                assert torch.equal(w, before)
            else:
                walk.append(w.detach().clone())
        walks.append(torch.stack(walk))
    assert torch.equal(*walks)
    assert (walks[0] == 0).any()


@pytest.mark.parametrize(("name", "options"), [
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1}),
    ("Adam", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1}),
])  # fmt: skip
def test_a_skip_known_only_to_the_device_is_one_too(name, options, monkeypatch):
    # On a device nothing is read; here the reading is forbidden, and everything stays a tensor.
    monkeypatch.setattr(_proximal, "number", lambda x: x)
    monkeypatch.setattr(_metrics, "number", lambda x: x)
    walks = []
    for skips in ((0, 3, 4), ()):
        w = torch.nn.Parameter(torch.linspace(-1, 1, 7))
        optimizer = SEVEN[name]([w], **options, fused=True)
        Proximal(optimizer, L1(0.3))
        if name == "SGD":  # its fused first step must not be one that is skipped: torch leaves the buffer unset
            skips = skips[1:]
        walk = []
        for t in range(8):
            found = t in skips
            if not skips and t in ((3, 4) if name == "SGD" else (0, 3, 4)):
                continue
            optimizer.found_inf = torch.tensor(float(found))
            optimizer.grad_scale = None
            w.grad = w.detach() - 0.2
            before = w.detach().clone()
            optimizer.step()
            if found:
                assert torch.equal(w, before)
            else:
                walk.append(w.detach().clone())
        walks.append(torch.stack(walk))
        if name == "SGD" and options.get("momentum"):
            assert isinstance(optimizer.state[w]["momentum_scale"], torch.Tensor)
            assert isinstance(optimizer.state_dict()["state"][0]["momentum_scale"], float)
    assert torch.equal(*walks)
    assert (walks[0] == 0).any()


@pytest.mark.parametrize("name", SEVEN)
def test_a_penalty_begins_after_its_warm_up(name):
    ends = {}
    for n in (3, 4):
        for penalty in (None, L1(0.5)):
            w = torch.nn.Parameter(torch.linspace(-1, 1, 7))
            optimizer = SEVEN[name]([w], lr=0.1)
            if penalty is not None:
                Proximal(optimizer, penalty, warmup_steps=3)
            noisy_steps(w, optimizer, n)
            ends[n, penalty is None] = w.detach()
    assert torch.equal(ends[3, True], ends[3, False])
    assert not torch.equal(ends[4, True], ends[4, False])


ADAPTIVE = [name for name in SEVEN if name != "SGD"]


@pytest.mark.parametrize("name", ADAPTIVE)
def test_a_tensor_that_has_met_no_gradient_is_left_alone(name):
    w = torch.nn.Parameter(torch.ones(4))
    optimizer = SEVEN[name]([w], lr=0.1, **({"weight_decay": 0.0} if name == "AdamW" else {}))
    Proximal(optimizer, L1(0.5))
    for _ in range(8):
        w.grad = torch.zeros(4)
        optimizer.step()
    assert torch.equal(w, torch.ones(4))


@pytest.mark.parametrize("name", ADAPTIVE)
def test_a_weight_that_has_met_no_gradient_shrinks_at_the_pace_of_the_others(name):
    # Its own metric, ε, would make the first threshold lr · alpha / ε = 10⁶.
    w = torch.nn.Parameter(torch.tensor([1.0, 1.0, 1.0]))
    optimizer = SEVEN[name]([w], lr=0.01, **({"weight_decay": 0.0} if name == "AdamW" else {}))
    Proximal(optimizer, L1(0.5))
    sizes = []
    for t in range(300):
        w.grad = torch.tensor([1.0, -1.0, 0.0]) * (1 if t % 2 else -1)
        optimizer.step()
        sizes.append(w[2].item())
    assert sizes[9] > 0.5
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 0.9


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize(("name", "options"), [
    *((name, {}) for name in SEVEN),
    ("SGD", {"momentum": 0.9, "dampening": 0.2}),
    ("RMSprop", {"momentum": 0.9}),
    ("RMSprop", {"momentum": 0.9, "centered": True}),
])  # fmt: skip
def test_a_run_goes_on_bit_for_bit_from_the_state_dict_alone(name, options, dtype):
    def fresh():
        w = torch.nn.Parameter(torch.linspace(-1, 1, 9).to(dtype))
        optimizer = SEVEN[name]([{"params": [w], "penalty": to_plain(L1(0.6))}], lr=0.05, **options)
        return w, optimizer, Proximal(optimizer, warmup_steps=2)

    w, optimizer, _ = fresh()
    noisy_steps(w, optimizer, 7)
    file = io.BytesIO()
    torch.save({"w": w.detach(), "optimizer": optimizer.state_dict()}, file)
    noisy_steps(w, optimizer, 7, seed=1)
    file.seek(0)
    stored = torch.load(file, weights_only=True)
    again, resumed, _ = fresh()
    again.data.copy_(stored["w"])
    resumed.load_state_dict(stored["optimizer"])
    noisy_steps(again, resumed, 7, seed=1)
    assert torch.equal(w, again)
    assert (w == 0).any()
    theirs, ours = optimizer.state_dict()["state"][0], resumed.state_dict()["state"][0]
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(torch.as_tensor(theirs[key]), torch.as_tensor(ours[key])) for key in theirs)


def small_net():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.ReLU(), torch.nn.Linear(6, 2))


def net_steps(model, optimizer, n=5):
    x = torch.linspace(-1, 1, 20).reshape(5, 4)
    for _ in range(n):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()


def test_a_plan_its_groups_and_its_parameters_say_the_same():
    ends = []
    for how in ("plan", "groups"):
        model = small_net()
        plan = Plan(model, L1(0.2), overrides={"2.weight": L1L2(0.1)})
        parameters = model.parameters() if how == "plan" else plan.param_groups()
        optimizer = optim.Adam(parameters, lr=0.02)
        proximal = Proximal(optimizer, plan if how == "plan" else None)
        assert proximal.penalties == (L1(0.2), L1L2(0.1))
        net_steps(model, optimizer)
        ends.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(*ends)
    free, end = small_net(), ends[0]
    optimizer = optim.Adam(free.parameters(), lr=0.02)
    net_steps(free, optimizer, 1)
    assert (end == 0).any()


def test_parameters_that_a_plan_leaves_free_walk_as_without_it():
    first_steps = []
    for with_penalty in (False, True):
        model = small_net()
        optimizer = optim.RAdam(model.parameters(), lr=0.02)
        if with_penalty:
            Proximal(optimizer, Plan(model, L1(0.2)))
        net_steps(model, optimizer, 1)
        first_steps.append(dict(model.named_parameters()))
    for name, p in first_steps[0].items():
        assert torch.equal(p, first_steps[1][name]) == name.endswith("bias")


def test_penalties_of_groups_are_penalties_in_memory_and_plain_data_on_paper():
    model = small_net()
    groups = Plan(model, GroupL2(0.2, axis=0)).param_groups()
    optimizer = optim.SGD(groups, lr=0.1)
    proximal = Proximal(optimizer)
    assert [group["penalty"] for group in optimizer.param_groups] == [GroupL2(0.2, axis=0), None]
    optimizer.param_groups[0]["penalty"] = proximal.penalty.with_alpha(0.3)
    assert proximal.penalty == GroupL2(0.3, axis=0)
    assert optimizer.state_dict()["param_groups"][0]["penalty"] == to_plain(GroupL2(0.3, axis=0))
    optimizer.load_state_dict(optimizer.state_dict())
    assert proximal.penalty == GroupL2(0.3, axis=0)
    proximal.remove()
    assert [group["penalty"] for group in optimizer.param_groups] == [to_plain(GroupL2(0.3, axis=0)), None]


def test_groups_that_come_later_have_their_penalty_too():
    model = small_net()
    optimizer = optim.SGD([{"params": [model[0].weight], "penalty": to_plain(L1(50.0))}], lr=0.1)
    Proximal(optimizer)
    optimizer.add_param_group({"params": [model[2].weight], "penalty": to_plain(L1(60.0))})
    net_steps(model, optimizer, 1)
    assert not model[0].weight.any()
    assert not model[2].weight.any()
    assert model[0].bias.all()


def test_a_new_strength_acts_from_the_next_step_on():
    walks = []
    for change in ("penalty", "rescale", "anew"):
        w = torch.nn.Parameter(torch.linspace(-1, 1, 7))
        optimizer = optim.NAdam([w], lr=0.05)
        proximal = Proximal(optimizer, L1(0.2))
        noisy_steps(w, optimizer, 3)
        if change == "penalty":
            proximal.penalty = L1(0.6)
        elif change == "rescale":
            proximal.rescale(3.0)
        else:
            proximal.remove()
            Proximal(optimizer, L1(0.6))
        noisy_steps(w, optimizer, 3)
        walks.append(w.detach())
    assert torch.allclose(walks[0], walks[1], rtol=1e-6)
    assert torch.equal(walks[0], walks[2])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_of_low_precision_are_shrunk_in_float32_and_rounded_once(dtype):
    plain, shrunk = (torch.nn.Parameter(torch.linspace(-1, 1, 50).to(dtype)) for _ in range(2))
    optimizers = [optim.RMSprop([p], lr=0.01) for p in (plain, shrunk)]
    Proximal(optimizers[1], L1L2(0.3, l1_ratio=0.6))
    for p, optimizer in zip((plain, shrunk), optimizers, strict=True):
        p.grad = torch.linspace(1, 2, 50).to(dtype)
        optimizer.step()
    h = 0.01 / (optimizers[1].state[shrunk]["square_avg"].float().sqrt() + 1e-8)
    assert torch.equal(shrunk, L1L2(0.3, l1_ratio=0.6).prox(plain.detach().float(), h).to(dtype))


@pytest.mark.parametrize("name", SEVEN)
def test_lists_of_tensors_and_one_after_another_are_the_same(name):
    ends = []
    for foreach in (False, True):
        ws = [
            torch.nn.Parameter(torch.linspace(-1, 1, n, dtype=d))
            for n in (3, 5, 7)
            for d in (torch.float32, torch.float64)
        ]
        optimizer = SEVEN[name](ws, lr=0.05, foreach=foreach)
        Proximal(optimizer, L1(0.3))
        for t in range(8):
            for k, w in enumerate(ws):
                w.grad = None if (t, k) == (0, 2) else w.detach() - 0.3
            optimizer.step()
        ends.append(ws)
    for one, other in zip(*ends, strict=True):
        assert torch.allclose(one, other, rtol=1e-6)
        assert torch.equal(one == 0, other == 0)


def test_a_layer_keeps_its_largest_weights():
    w = torch.nn.Parameter(torch.tensor([0.5, -2.0, 1.0]))
    optimizer = optim.SGD([w], lr=1.0)
    Proximal(optimizer, L1(10.0), keep=1)
    w.grad = torch.zeros(3)
    optimizer.step()
    assert w.tolist() == [0.0, -2.0, 0.0]


def test_a_closure_is_evaluated_by_the_optimizer():
    ends = []
    for closed in (False, True):
        w = torch.nn.Parameter(torch.linspace(-1, 1, 7))
        optimizer = optim.Adam([w], lr=0.1)
        Proximal(optimizer, L1(0.3))

        def closure(w=w, optimizer=optimizer):
            optimizer.zero_grad()
            loss = (w - 0.2).square().sum()
            loss.backward()
            return loss

        for _ in range(5):
            if closed:
                assert optimizer.step(closure).item() > 0
            else:
                closure()
                optimizer.step()
        ends.append(w.detach())
    assert torch.equal(*ends)


def test_decoupled_decay_adds_its_pull_in_the_metric_and_the_prox_stays_exact():
    w = start()
    optimizer = optim.AdamW([w], lr=0.05, betas=(0.8, 0.95), weight_decay=0.3)
    Proximal(optimizer, L1(0.15))
    train(optimizer, w, 500)
    d = optimizer.state[w]["exp_avg_sq"].sqrt() + 1e-8
    gradient = GRAM @ w.detach() - CORRELATION + 0.3 * d * w.detach()
    assert L1(0.15).violation(w.detach(), -gradient).max() <= 1e-7
    assert (w == 0).any()


def test_decoupled_after_adam_is_the_l1_decay_of_our_adamw():
    ends = []
    for ours in (False, True):
        w = torch.nn.Parameter(torch.linspace(-1, 1, 9, dtype=torch.float64))
        if ours:
            optimizer = AdamW([w], lr=0.05, weight_decay=0.1, l1_decay=0.99)
        else:
            optimizer = optim.AdamW([w], lr=0.05, weight_decay=0.1)
            Proximal(optimizer, L1(0.99), semantics="decoupled")
        noisy_steps(w, optimizer, 200)
        ends.append(w.detach())
    assert torch.allclose(*ends, rtol=0, atol=1e-14)
    assert (ends[0] == 0).any()


OTHERS = [optim.Adadelta, optim.Adamax, optim.ASGD, optim.Rprop, optim.Adafactor, type("MySGD", (optim.SGD,), {})]


@pytest.mark.parametrize("kind", OTHERS, ids=lambda kind: kind.__name__)
def test_other_optimizers_are_refused_unless_decoupled_semantics_is_asked_for(kind):
    plain, shrunk = (torch.nn.Parameter(torch.linspace(-1, 1, 7)) for _ in range(2))
    optimizers = [kind([p], lr=0.1) for p in (plain, shrunk)]
    with pytest.raises(ArgumentError, match=f"{kind.__name__} moves for a unit of gradient is not known.*'decoupled'"):
        Proximal(optimizers[1], L1(0.2))
    Proximal(optimizers[1], L1(0.2), semantics="decoupled")
    noisy_steps(plain, optimizers[0], 1)
    noisy_steps(shrunk, optimizers[1], 1)
    assert torch.allclose(shrunk, L1(0.2).prox(plain.detach(), 0.1), rtol=1e-6)


def parameter(*shape, dtype=torch.float32):
    return torch.nn.Parameter(torch.ones(*(shape or (3,)), dtype=dtype))


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Proximal(ProxSGD([parameter()], lr=0.1), L1(1.0)), "its constructor takes the plan"),
    (lambda: Proximal(AdamW([parameter()], lr=0.1), L1(1.0)), "its constructor takes the plan"),
    (lambda: Proximal(optim.LBFGS([parameter()]), L1(1.0), semantics="decoupled"), "LBFGS evaluates its closure"),
    (lambda: Proximal(optim.SparseAdam([parameter()]), L1(1.0), semantics="decoupled"), "sparse=False"),
    (lambda: Proximal(parameter(), L1(1.0)), "must be a torch.optim.Optimizer"),
    (lambda: Proximal(optim.SGD([parameter()]), 0.1), "penalty must be one of"),
    (lambda: Proximal(optim.SGD([parameter()])), "no parameter of this SGD has a penalty"),
    (lambda: Proximal(optim.SGD([parameter()]), L1(1.0), semantics="other"), "semantics must be one of"),
    (lambda: Proximal(optim.SGD([parameter()]), L1(1.0), warmup_steps=-1), "warmup_steps must be"),
    (lambda: Proximal(optim.SGD([parameter()]), L1(1.0), keep=0.5), "keep must be"),
    (lambda: Proximal(optim.SGD([parameter()]), L1(1.0), stochastic_rounding=1), "stochastic_rounding must be"),
    (lambda: Proximal(optim.SGD([parameter()], differentiable=True), L1(1.0)), "differentiable"),
    (lambda: Proximal(optim.SGD([parameter(dtype=torch.complex64)]), L1(1.0)), "complex64"),
    (lambda: Proximal(optim.SGD([parameter()]), GroupL2(1.0, axis=1)), r"GroupL2 cannot act on .* shape \(3,\)"),
    (lambda: Proximal(optim.SGD([{"params": [parameter()], "penalty": {"kind": "L9"}}]), None), "must have a 'kind'"),
    (lambda: Proximal(optim.SGD([parameter()]), Plan(small_net(), L1(1.0))), r"2 of the 2 .* 0.weight, 2.weight"),
])  # fmt: skip
def test_what_cannot_be_right_is_refused(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_a_refusal_leaves_the_optimizer_as_it_was():
    plain = to_plain(GroupL2(1.0, axis=1))
    optimizer = optim.SGD([{"params": [parameter()], "penalty": plain}], lr=0.1)
    with pytest.raises(ArgumentError, match="cannot act"):
        Proximal(optimizer)
    assert optimizer.param_groups[0]["penalty"] == plain
    Proximal(optimizer, L1(0.1))


def test_sparse_gradients_are_refused_before_the_step():
    table = torch.nn.Embedding(5, 2, sparse=True)
    optimizer = optim.SGD(table.parameters(), lr=0.1)
    Proximal(optimizer, L1(0.1))
    before = table.weight.detach().clone()
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(ArgumentError, match="sparse"):
        optimizer.step()
    assert torch.equal(table.weight, before)


def test_one_optimizer_takes_one_prox_at_a_time():
    w = torch.nn.Parameter(torch.ones(3))
    optimizer = optim.SGD([w], lr=0.1)
    with Proximal(optimizer, L1(1.0)) as proximal:
        with pytest.raises(ArgumentError, match="already has a Proximal"):
            Proximal(optimizer, L1(1.0))
        w.grad = torch.zeros(3)
        optimizer.step()
        assert torch.allclose(w, torch.full((3,), 0.9))
    optimizer.step()
    assert torch.allclose(w, torch.full((3,), 0.9))
    assert repr(proximal) == "<Proximal, removed from SGD>"
    Proximal(optimizer, L1(1.0))
    optimizer.step()
    assert torch.allclose(w, torch.full((3,), 0.8))


def test_a_copy_of_the_optimizer_has_no_prox_and_takes_a_new_one():
    w = torch.nn.Parameter(torch.linspace(-1, 1, 7))
    optimizer = optim.SGD([w], lr=0.1, momentum=0.9)
    Proximal(optimizer, L1(0.3))
    noisy_steps(w, optimizer, 3)
    other = copy.deepcopy(optimizer)
    (twin,) = other.param_groups[0]["params"]
    Proximal(other, L1(0.3))
    noisy_steps(w, optimizer, 3)
    noisy_steps(twin, other, 3)
    assert torch.equal(w, twin)


def test_doubled_decay_is_said_once():
    def optimizer(decay):
        return optim.AdamW([parameter(), parameter()], weight_decay=decay)

    with pytest.warns(UserWarning, match="weights decay twice: by L1L2.* and by weight_decay=0.1 of AdamW") as caught:
        Proximal(optimizer(0.1), L1L2(0.1))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    Proximal(optimizer(0.1), L1(0.1))
    Proximal(optimizer(0.0), L1L2(0.1))


def test_several_penalties_are_not_taken_for_one():
    model = small_net()
    proximal = Proximal(optim.SGD(model.parameters()), Plan(model, L1(0.2), overrides={"2.weight": L1(0.4)}))
    with pytest.raises(ArgumentError, match="2 penalties in force"):
        _ = proximal.penalty
    with pytest.raises(ArgumentError, match="factor must be"):
        proximal.rescale(-1.0)
    assert repr(proximal) == (
        "<Proximal after SGD: L1(alpha=0.2, factors=None) on 1 tensor; L1(alpha=0.4, factors=None) on 1 tensor>"
    )


def test_a_wrapper_that_holds_the_optimizer_is_opened():
    class Wrapper:
        def __init__(self, optimizer):
            self.optimizer = optimizer

    optimizer = optim.SGD([parameter()], lr=0.1)
    assert Proximal(Wrapper(optimizer), L1(0.1)).optimizer is optimizer
