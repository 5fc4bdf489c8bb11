"""The prox behind torch's own optimizers: steps taken and not taken, precision, checkpoints."""

import io

import pytest

torch = pytest.importorskip("torch")

from followed import SEVEN, noisy_steps  # noqa: E402

from shrinkage.penalties import L1, L1L2, MCP, GroupL2  # noqa: E402
from shrinkage.torch import AdamW, ProxAdam, Proximal, ProxSGD, _metrics, _proximal  # noqa: E402
from shrinkage.training import to_plain  # noqa: E402

optim = torch.optim


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
    "penalty", [L1L2(0.05, l1_ratio=0.9), GroupL2(0.5, axis=1), MCP(0.2)], ids=["l1l2", "group", "mcp"]
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


@pytest.mark.parametrize(("name", "options"), [
    *((name, {}) for name in SEVEN),
    ("RMSprop", {"momentum": 0.9, "centered": True}),
])  # fmt: skip
def test_cutting_tensors_into_pieces_changes_no_bit(name, options, monkeypatch):
    ends = []
    for size in (3, 100):
        monkeypatch.setattr(_metrics, "_PIECE", size)
        ws = [torch.nn.Parameter(torch.linspace(-1, 1, n).reshape(-1, 2)) for n in (2, 10, 14)]
        optimizer = SEVEN[name](ws, lr=0.05, **options)
        Proximal(optimizer, L1(0.3))
        for _ in range(8):
            for w in ws:
                w.grad = w.detach() - 0.2
                w.grad[0, 0] = 0.0
            optimizer.step()
        ends.append(torch.cat([w.detach().flatten() for w in ws]))
    assert torch.equal(*ends)
    assert (ends[0] == 0).any()


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


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")  # of torch, while it compiles
def test_a_compiled_step_has_its_prox():
    ends = []
    for compiled in (False, True):
        w = torch.nn.Parameter(torch.linspace(-1, 1, 7))
        optimizer = optim.Adam([w], lr=0.05)
        Proximal(optimizer, L1(0.5))
        step = (
            torch.compile(lambda optimizer=optimizer: optimizer.step(), backend="eager") if compiled else optimizer.step
        )
        for _ in range(12):
            w.grad = w.detach() - 0.3
            step()
        ends.append(w.detach())
    assert torch.allclose(*ends, rtol=1e-3, atol=1e-4)  # compiled, Adam corrects its averages in float32
    assert torch.equal(ends[0] == 0, ends[1] == 0)
    assert (ends[0] == 0).any()


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
