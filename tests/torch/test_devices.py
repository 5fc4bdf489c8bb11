"""The same step wherever the tensors lie, and with every scalar left on the device."""

import sys

import pytest

torch = pytest.importorskip("torch")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from shrinkage.penalties import L1, L1L2, MCP, GroupL2  # noqa: E402
from shrinkage.torch import AdamW, DualAdam, DualSGD, ProxAdam, ProxSGD, _adam  # noqa: E402
from shrinkage.torch._optimizer import number  # noqa: E402

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")),
]

OPTIMIZERS = {
    "ProxSGD": lambda g: ProxSGD(g, lr=0.05, momentum=0.9, nesterov=True),
    "ProxAdam": lambda g: ProxAdam(g, lr=0.03, amsgrad=True),
    "DualAdam": lambda g: DualAdam(g, lr=0.03),
    "DualSGD": lambda g: DualSGD(g, lr=0.05, momentum=0.9),
    "AdamW": lambda g: AdamW(g, lr=0.01, weight_decay=0.1, l1_decay=0.2),
}


def trained(make, penalty, device="cpu", dtype=torch.float32, steps=40, **settings):
    """Weights after some steps of a small regression, all random numbers drawn on the CPU."""
    draw = torch.Generator().manual_seed(0)
    X, Y = torch.randn(64, 12, generator=draw), torch.randn(64, 6, generator=draw)
    w = (0.3 * torch.randn(6, 12, generator=draw)).to(device, dtype).requires_grad_()
    b = torch.zeros(6, device=device, dtype=dtype, requires_grad=True)
    X, Y = X.to(device, dtype), Y.to(device, dtype)
    groups = [{"params": [w]}, {"params": [b]}]
    if penalty is not None:
        groups[0]["penalty"] = penalty
    optimizer = make(groups)
    for group in optimizer.param_groups:
        group.update(settings)
    for _ in range(steps):
        optimizer.zero_grad()
        (0.5 * (X @ w.T + b - Y).square().mean(0).sum()).backward()
        optimizer.step()
    return w.detach().cpu().double()


def penalties_for(name):
    if name == "AdamW":
        return [None]
    return [L1(0.2), L1L2(0.2, 0.5)] + ([GroupL2(0.12, axis=0), MCP(0.1, 8.0)] if name.startswith("Prox") else [])


CASES = [(name, penalty) for name in OPTIMIZERS for penalty in penalties_for(name)]
every_case = pytest.mark.parametrize(
    ("name", "penalty"), CASES, ids=lambda x: getattr(x, "__name__", None) or str(x)[:12]
)


@every_case
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("foreach", [True, False])
def test_every_device_and_loop_takes_the_steps_of_the_one_pass_core(name, penalty, device, foreach):
    reference = trained(OPTIMIZERS[name], penalty)
    weights = trained(OPTIMIZERS[name], penalty, device, foreach=foreach)
    assert torch.allclose(weights, reference, rtol=1e-4, atol=1e-5)
    assert ((weights == 0) == (reference == 0)).float().mean() >= 0.98
    if penalty is not None:
        assert 0 < int((weights == 0).sum()) < weights.numel()


def kept_on_the_device(x):
    """What `number` does to tensors on a GPU; those in float64 stand for the few scalars that lie on the CPU."""
    if isinstance(x, torch.Tensor) and x.dtype is torch.float64:
        with torch.utils._python_dispatch._disable_current_modes():
            return number(x)
    return x


@pytest.fixture
def on_a_device(monkeypatch):
    """Every module of ours takes the CPU for a device whose numbers are dear."""
    for name, module in list(sys.modules.items()):
        if name.startswith("shrinkage.torch.") and getattr(module, "number", None) is number:
            monkeypatch.setattr(module, "number", kept_on_the_device)
    # its branch for devices, chosen by the type of the device
    monkeypatch.setattr(_adam, "finite_norms", lambda some: [_adam._finite(t).norm() for t in some])
    for name in ("_group_prox", "_fused", "_prox"):
        if hasattr(sys.modules[f"shrinkage.torch.{name}"], "is_plain"):
            monkeypatch.setattr(sys.modules[f"shrinkage.torch.{name}"], "is_plain", lambda _: False)


class NothingIsRead(TorchDispatchMode):
    """Fails where a number is read from a tensor, for which a GPU would have to be waited for."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        """Call `function`, if it reads nothing back."""
        assert "_local_scalar_dense" not in str(function), "a number was read back"
        return function(*args, **(kwargs or {}))


@every_case
def test_scalars_that_stay_on_the_device_change_nothing(name, penalty, on_a_device, monkeypatch):
    """What a GPU does, whose numbers are never read back: every scalar stays a 0-d tensor."""
    weights = trained(OPTIMIZERS[name], penalty, foreach=True)
    monkeypatch.undo()
    expected = trained(OPTIMIZERS[name], penalty, foreach=True)
    assert torch.allclose(weights, expected, atol=5e-4)  # counts are float32, so 1 - 0.999ᵗ is right to 6e-5 only


LR = torch.tensor(0.03)
BETAS = (torch.tensor(0.9), torch.tensor(0.999))
WAITLESS = {
    "ProxSGD": lambda g: ProxSGD(g, lr=LR, momentum=0.9, foreach=True),
    "DualSGD": lambda g: DualSGD(g, lr=LR, momentum=0.9, foreach=True),
    "ProxAdam": lambda g: ProxAdam(g, lr=LR, capturable=True, warmup_steps=2, foreach=True),
    "ProxAdam with betas": lambda g: ProxAdam(g, lr=LR, betas=BETAS, amsgrad=True, capturable=True, foreach=True),
    "DualAdam": lambda g: DualAdam(g, lr=LR, capturable=True, warmup_steps=2, foreach=True),
    "DualAdam with betas": lambda g: DualAdam(g, lr=LR, betas=BETAS, capturable=True, foreach=True),
}


@pytest.mark.parametrize(
    "penalty", [L1(0.1), L1L2(0.1), L1(0.1, factors=torch.ones(6, 4)), GroupL2(0.1, axis=0)], ids=str
)
@pytest.mark.parametrize("name", WAITLESS)
def test_a_step_reads_no_number_back(name, penalty, on_a_device):
    """As a CUDA graph needs it. torch's own multi-tensor step of free parameters reads betas, so none is free here."""
    w = torch.nn.Parameter(torch.linspace(-1.0, 1.0, 24).reshape(6, 4))
    optimizer = WAITLESS[name]([{"params": [w], "penalty": penalty}])
    before = w.detach().clone()
    for k in range(4):
        w.grad = torch.randn(6, 4, generator=torch.Generator().manual_seed(k))
        with NothingIsRead():
            optimizer.step()
    assert torch.isfinite(w).all()
    assert not torch.equal(w, before)


@pytest.mark.parametrize("penalty", [L1(0.3), L1(0.2) + GroupL2(0.2, axis=0)], ids=["L1", "SparseGroup"])
@pytest.mark.parametrize("name", ["ProxAdam", "DualAdam"])
def test_a_warm_up_counted_on_the_device_is_that_of_the_host(name, penalty, on_a_device, monkeypatch):
    def weights():
        make = {"ProxAdam": ProxAdam, "DualAdam": DualAdam}[name]
        settings = {"warmup_steps": 30, "metric_floor": 0.0, "foreach": True}
        return [trained(lambda g: make(g, lr=0.03, **settings), penalty, steps=steps) for steps in (30, 45)]

    free, penalized = weights()
    monkeypatch.undo()
    expected = weights()
    assert torch.allclose(free, expected[0], atol=5e-4)
    assert torch.allclose(penalized, expected[1], atol=5e-4)
    assert (free != 0).all()
    assert (penalized == 0).any()


@pytest.mark.parametrize("name", ["ProxAdam", "DualAdam"])
@pytest.mark.parametrize("device", DEVICES)
def test_steps_counted_on_the_device_change_nothing(name, device):
    """capturable=True: no number is read back at all."""
    if device == "cpu":
        pytest.skip("torch keeps counts on the device only where they could be captured in a graph")
    expected = trained(OPTIMIZERS[name], L1(0.2), device, dtype=torch.float64)
    assert torch.allclose(trained(OPTIMIZERS[name], L1(0.2), device, torch.float64, capturable=True), expected)
