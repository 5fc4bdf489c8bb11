"""DualAdam and DualSGD: zeros that last, memory, penalties that come and go, types, arguments."""

import io
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from shrinkage import L1, L1L2, MCP, SCAD, GroupL2  # noqa: E402
from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.torch import DualAdam, DualSGD, ProxAdam, ProxSGD  # noqa: E402

BOTH = pytest.mark.parametrize("optimizer", [DualAdam, DualSGD])
FACTORS = np.linspace(0.5, 2.0, 40).reshape(10, 4)
PENALTIES = {
    "L1": L1(0.1),
    "L1L2 with factors": L1L2(0.2, l1_ratio=0.8, factors=FACTORS),
    "groups": GroupL2(0.1, axis=0),
    "sparse groups": L1(0.05) + GroupL2(0.05, groups=[[0, 1, 2], [4, 5, 9], [30]]),
}
EVERY_PENALTY = pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)


def zeros_after_mini_batches(optimizer, penalty, lr, **more):
    """How many of 34 true zeros (of 8 rows, for a penalty on rows) are zero after noisy steps, lr falling to 0."""
    found = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(200, 40))
        truth = np.r_[np.sign(rng.normal(size=6)) * (1.0 + rng.random(6)), np.zeros(34)]
        X, y = torch.tensor(X).float(), torch.tensor(X @ truth + rng.normal(size=200)).float()
        w = torch.nn.Parameter(torch.full((10, 4), 0.01))
        descent = optimizer([w], lr=lr, penalty=penalty, **more)
        n_steps = 1000
        batches = torch.randint(0, 200, (n_steps, 8), generator=torch.Generator().manual_seed(seed))
        for t, rows in enumerate(batches):
            descent.param_groups[0]["lr"] = 0.5 * lr * (1.0 + math.cos(math.pi * t / n_steps))
            w.grad = (X[rows].T @ (X[rows] @ w.detach().flatten() - y[rows]) / 8).reshape(10, 4)
            descent.step()
        assert w.detach()[:2].norm(dim=1).min() > 0
        if isinstance(penalty, GroupL2):
            found.append(int((w.detach()[2:].norm(dim=1) == 0).sum()))
        else:
            found.append(int((w.detach().flatten()[6:] == 0).sum()))
    return np.mean(found)


def test_under_noise_dual_averaging_keeps_the_zeros_and_a_prox_loses_them():
    assert zeros_after_mini_batches(DualAdam, L1(0.2), 0.01) >= 32
    assert zeros_after_mini_batches(DualSGD, L1(0.2), 0.02) >= 32
    assert zeros_after_mini_batches(DualSGD, L1(0.2), 0.002, momentum=0.9) >= 32
    assert zeros_after_mini_batches(ProxSGD, L1(0.2), 0.02) <= 10


def test_under_noise_dual_averaging_keeps_whole_groups_at_zero_and_a_prox_loses_them():
    rows = GroupL2(0.12, axis=0)
    assert zeros_after_mini_batches(DualAdam, rows, 0.01) >= 7.5
    assert zeros_after_mini_batches(DualSGD, rows, 0.02) >= 7.5
    assert zeros_after_mini_batches(ProxAdam, rows, 0.01) <= 6
    assert zeros_after_mini_batches(ProxSGD, rows, 0.02) <= 2


def steps_until_back(memory, n_held):
    """Steps of a gradient a tenth above the strength that bring a weight back, after `n_held` gradients of 0."""
    w = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = DualSGD([w], lr=0.1, penalty=L1(0.1), memory=memory)
    none, pull = torch.zeros(1, dtype=torch.float64), torch.full((1,), -0.11, dtype=torch.float64)
    for t in range(1, 20 * n_held):
        w.grad = none if t <= n_held else pull
        optimizer.step()
        if w != 0:
            return t - n_held
    raise AssertionError("it never came back")


def test_without_forgetting_a_weight_comes_back_when_the_sums_say_so():
    # A deficit of 100 lr 0.1, and a gain of lr (0.11 - 0.1) each step.
    assert steps_until_back(1.0, n_held=100) == pytest.approx(1000, abs=2)


@pytest.mark.parametrize("memory", [0.9, 0.99])
def test_with_forgetting_a_weight_comes_back_within_the_memory(memory):
    # With s = (1 - βⁿ) / (1 - β) after n steps: z = 0.11 s and Γ = 0.1 (s + βⁿ / (1 - β)), equal at βⁿ = 1 / 11.
    assert steps_until_back(memory, n_held=1000) == pytest.approx(math.log(11.0) / -math.log(memory), abs=1.5)


@pytest.mark.parametrize("memory", [0.99, 1.0])
def test_a_bad_start_delays_the_fixed_point_and_does_not_move_it(memory):
    """Weights of small margins, which the first 300 gradients held at zero, come back."""
    targets = torch.tensor([0.13, -0.14, 0.3, 0.09, -0.05], dtype=torch.float64)
    w = torch.nn.Parameter(torch.zeros(5, dtype=torch.float64))
    optimizer = DualSGD([w], lr=0.1, penalty=L1(0.1), memory=memory)
    zero_for = 0
    for t in range(2000):
        w.grad = w.detach() - targets if t >= 300 else w.detach().clone()
        optimizer.step()
        zero_for += int(t >= 300 and w[0] == 0)
    assert zero_for > 100
    expected = torch.sign(targets) * (targets.abs() - 0.1).clamp(min=0.0)
    assert torch.equal(w == 0, expected == 0)
    assert (w - expected).abs().max() < 1e-9


@BOTH
@EVERY_PENALTY
def test_at_learning_rate_zero_nothing_moves(optimizer, penalty):
    w = torch.nn.Parameter(torch.randn(10, 4))
    descent = optimizer([w], lr=0.1, penalty=penalty)
    for _ in range(5):
        w.grad = torch.randn(10, 4)
        descent.step()
    names = {"dual", "threshold", "group_threshold"} & set(descent.state[w])
    before = {name: descent.state[w][name].clone() for name in names} | {"w": w.detach().clone()}
    descent.param_groups[0]["lr"] = 0.0
    w.grad = torch.randn(10, 4)
    descent.step()
    after = {name: descent.state[w][name] for name in names} | {"w": w.detach()}
    for name, value in before.items():
        assert torch.allclose(after[name], value, rtol=1e-6, atol=0.0), name


@BOTH
@EVERY_PENALTY
def test_a_stored_state_goes_on_bit_for_bit(optimizer, penalty):
    def stepped(w, descent, seeds):
        for seed in seeds:
            w.grad = torch.randn(10, 4, generator=torch.Generator().manual_seed(seed), dtype=w.dtype)
            descent.step()
        return w.detach()

    w = torch.nn.Parameter(torch.randn(10, 4).bfloat16())
    descent = optimizer([w], lr=0.05, penalty=penalty)
    stepped(w, descent, range(10))
    file = io.BytesIO()
    torch.save({"w": w.detach(), "optimizer": descent.state_dict()}, file)
    file.seek(0)
    stored = torch.load(file, weights_only=True)
    v = torch.nn.Parameter(stored["w"].clone())
    again = optimizer([v], lr=1.0)
    again.load_state_dict(stored["optimizer"])
    assert torch.equal(stepped(v, again, range(10, 20)), stepped(w, descent, range(10, 20)))


@BOTH
@EVERY_PENALTY
def test_a_penalty_that_is_off_leaves_torchs_step_and_starts_anew(optimizer, penalty):
    start = torch.randn(10, 4, dtype=torch.float64)
    gradients = torch.randn(30, 10, 4, dtype=torch.float64)
    w, v = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    descent = optimizer([w], lr=0.02, penalty=penalty)
    theirs = {DualAdam: torch.optim.Adam, DualSGD: torch.optim.SGD}[optimizer]([v], lr=0.02)
    for t, gradient in enumerate(gradients):
        if t == 10:
            descent.param_groups[0]["penalty"] = penalty.with_alpha(0.0)
            v.data.copy_(w.data)
        if t == 20:
            assert torch.equal(w, v)
            assert not {"dual", "threshold", "group_threshold"} & set(descent.state[w])
            descent.param_groups[0]["penalty"] = penalty
        w.grad, v.grad = gradient.clone(), gradient.clone()
        descent.step()
        theirs.step()
    assert descent.state[w]["dual"].shape == w.shape
    assert torch.isfinite(w).all()


@BOTH
def test_another_kind_of_penalty_starts_anew(optimizer):
    w = torch.nn.Parameter(torch.randn(10, 4))
    descent = optimizer([w], lr=0.1)
    for penalty in (L1(0.5), GroupL2(0.5, axis=0), L1(0.5) + GroupL2(0.5, axis=0), L1(0.5, factors=FACTORS), L1(0.5)):
        descent.param_groups[0]["penalty"] = penalty
        fresh = torch.nn.Parameter(w.detach().clone())
        for _ in range(3):
            w.grad = torch.randn(10, 4)
            descent.step()
        assert torch.isfinite(w).all()
        assert not torch.equal(w, fresh)
        thresholds = [value for name, value in descent.state[w].items() if "threshold" in name]
        assert len(thresholds) == 1 + (type(penalty).__name__ == "SparseGroup")


@BOTH
@EVERY_PENALTY
def test_the_penalty_begins_after_the_warm_up(optimizer, penalty):
    start, gradients = torch.randn(10, 4), torch.randn(8, 10, 4)
    w, v = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    waiting, free = optimizer([w], lr=0.05, penalty=penalty, warmup_steps=6), optimizer([v], lr=0.05)
    for t, gradient in enumerate(gradients):
        w.grad, v.grad = gradient.clone(), gradient.clone()
        waiting.step()
        free.step()
        assert torch.equal(w, v) == (t < 6)


@BOTH
@EVERY_PENALTY
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_is_computed_in_float32(optimizer, penalty, dtype):
    """One step is the float32 step, rounded; z and Γ stay in float32."""
    start, gradients = torch.randn(10, 4).to(dtype), torch.randn(20, 10, 4).to(dtype)
    w = torch.nn.Parameter(start.clone())
    descent = optimizer([w], lr=0.05, penalty=penalty)
    for gradient in gradients:
        v = torch.nn.Parameter(w.detach().float())
        wide = optimizer([v], lr=0.05, penalty=penalty, fused=False)
        for key, value in descent.state[w].items():
            same = value.ndim == 0 and key in ("step", "metric_rms", "threshold", "momentum_scale")
            wide.state[v][key] = value.clone() if same else value.clone().float()
        w.grad, v.grad = gradient.clone(), gradient.float()
        descent.step()
        wide.step()
        assert torch.equal(w == 0, v.to(dtype) == 0)
        assert torch.allclose(w.float(), v.to(dtype).float(), rtol=torch.finfo(dtype).eps, atol=1e-7)
        thresholds = [value for name, value in descent.state[w].items() if "threshold" in name]
        assert all(value.dtype in (torch.float32, torch.float64) for value in [descent.state[w]["dual"], *thresholds])


def test_a_weight_too_small_for_its_type_waits_at_the_edge_of_the_zeros():
    w = torch.nn.Parameter(torch.tensor([0.3], dtype=torch.float16))
    descent = DualSGD([w], lr=1.0, penalty=L1(0.1), memory=1.0)
    w.grad = torch.tensor([float(w.detach()) - 0.1 - 1e-8]).half()
    descent.param_groups[0]["penalty"] = L1(float(w.detach()) - float(w.grad) - 1e-8)
    descent.step()
    assert w == 0
    state = descent.state[w]
    assert float(state["dual"]) == pytest.approx(float(state["threshold"]), rel=1e-6)


@BOTH
@pytest.mark.parametrize("name", ["L1", "groups"])
def test_for_loop_and_foreach_are_one_step(optimizer, name):
    start = [torch.randn(10, 4, dtype=torch.float64), torch.randn(3, 2, dtype=torch.float64)]
    ends = []
    for foreach in (False, True, None):
        weights = [torch.nn.Parameter(w.clone()) for w in start]
        descent = optimizer(weights, lr=0.05, penalty=PENALTIES[name], foreach=foreach)
        for k in range(20):
            for w in weights:
                w.grad = torch.randn(w.shape, generator=torch.Generator().manual_seed(k), dtype=w.dtype)
            descent.step()
        ends.append(torch.cat([w.detach().flatten() for w in weights]))
    assert torch.allclose(ends[0], ends[1], rtol=1e-13, atol=1e-15)
    assert torch.allclose(ends[0], ends[2], rtol=1e-13, atol=1e-15)


@BOTH
def test_penalties_without_a_closed_form_are_refused_when_given_and_when_changed(optimizer):
    w = torch.nn.Parameter(torch.randn(10, 4))
    squares = L1L2(0.1, l1_ratio=0.5, factors=FACTORS) + GroupL2(0.1, axis=0)
    for penalty in (MCP(0.1), SCAD(0.1), GroupL2(np.ones((10, 1)), axis=0), L1(np.ones((10, 4))), squares):
        with pytest.raises(ArgumentError, match="use ProxAdam"):
            optimizer([w], lr=0.1, penalty=penalty)
        descent = optimizer([w], lr=0.1, penalty=L1(0.1))
        descent.param_groups[0]["penalty"] = penalty
        w.grad = torch.randn(10, 4)
        with pytest.raises(ArgumentError, match="use ProxAdam"):
            descent.step()


@BOTH
@pytest.mark.parametrize("memory", [0.0, -0.5, 1.5, True, "long", float("nan")])
def test_memory_is_a_number_in_0_to_1(optimizer, memory):
    with pytest.raises(ArgumentError, match="memory must be in"):
        optimizer([torch.nn.Parameter(torch.ones(2))], memory=memory)
