"""The same step wherever the tensors lie, and with every scalar left on the device."""

import pytest

torch = pytest.importorskip("torch")

from shrinkage.penalties import L1, L1L2, MCP, GroupL2  # noqa: E402
from shrinkage.torch import AdamW, DualAdam, DualSGD, ProxAdam, ProxSGD, _adam  # noqa: E402

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


@every_case
def test_scalars_that_stay_on_the_device_change_nothing(name, penalty, monkeypatch):
    """What a GPU does, whose numbers are never read back: every scalar stays a 0-d tensor."""
    expected = trained(OPTIMIZERS[name], penalty, dtype=torch.float64, foreach=True)
    monkeypatch.setattr(_adam, "number", lambda x: x)
    weights = trained(OPTIMIZERS[name], penalty, dtype=torch.float64, foreach=True)
    assert torch.allclose(weights, expected, atol=2e-4)  # counts are float32, so 1 - 0.999ᵗ is right to 6e-5 only


@pytest.mark.parametrize("name", ["ProxAdam", "DualAdam"])
@pytest.mark.parametrize("device", DEVICES)
def test_steps_counted_on_the_device_change_nothing(name, device):
    """capturable=True: no number is read back at all."""
    if device == "cpu":
        pytest.skip("torch keeps counts on the device only where they could be captured in a graph")
    expected = trained(OPTIMIZERS[name], L1(0.2), device, dtype=torch.float64)
    assert torch.allclose(trained(OPTIMIZERS[name], L1(0.2), device, torch.float64, capturable=True), expected)
