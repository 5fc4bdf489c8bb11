"""The guards against wiping out: floor, warm-up, keep. They save weights, and move no fixed point."""

import pytest

torch = pytest.importorskip("torch")

from shrinkage.penalties import L1, L1L2, GroupL2  # noqa: E402
from shrinkage.torch import DualAdam, ProxAdam, ProxSGD  # noqa: E402


def averages(kind, floor, noise=(0.02, 2.0), steps=6_000, **settings):
    """Averages of two weights, right at 1 without the penalty, under noisy mini-batches of a finite data set."""
    draw = torch.Generator().manual_seed(1)
    rows = torch.randn(200, 2, generator=draw, dtype=torch.float64)
    rows = (rows - rows.mean(0)) / rows.std(0) * torch.tensor(noise, dtype=torch.float64)
    w = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))
    optimizer = kind([w], lr=1e-3, penalty=L1(0.1), metric_floor=floor, **settings)
    total = torch.zeros(2, dtype=torch.float64)
    for t in range(steps):
        if t % 200 == 0:
            order = torch.randperm(200, generator=draw)
        w.grad = w.detach() - 1.0 + rows[order[t % 200]]
        optimizer.step()
        if t >= steps // 3:
            total += w.detach()
    return total / (steps - steps // 3)


@pytest.mark.parametrize("kind", [ProxAdam, DualAdam])
@pytest.mark.parametrize("floor", [0.01, 0.3])
def test_noise_and_floor_leave_the_average_at_the_right_fixed_point(kind, floor):
    """soft(1, .1) = .9 whatever the noise; .3 of the tensor's metric is ten times that of the quiet weight."""
    assert (averages(kind, floor) / 0.9 - 1.0).abs().max() < 0.02


def test_the_floor_is_met_in_that_setup():
    quiet = [averages(ProxAdam, floor, steps=300)[0] for floor in (0.0, 0.3)]
    assert abs(quiet[0] - quiet[1]) > 1e-3


class Adapted(torch.nn.Module):
    """A low-rank adapter beside a frozen weight; B starts at 0, so A has no gradient at first."""

    def __init__(self):
        super().__init__()
        self.frozen = torch.nn.Linear(6, 6, bias=False).requires_grad_(False)
        self.A = torch.nn.Parameter(torch.randn(3, 6) / 6**0.5)
        self.B = torch.nn.Parameter(torch.zeros(6, 3))

    def forward(self, x):
        return self.frozen(x) + x @ self.A.T @ self.B.T


@pytest.mark.parametrize("kind", [ProxAdam, DualAdam])
@pytest.mark.parametrize("foreach", [None, True])
def test_the_first_factor_of_an_adapter_survives_the_steps_without_a_gradient(kind, foreach):
    model = Adapted()
    start = model.A.detach().clone()
    optimizer = kind([{"params": [model.A], "penalty": L1(1e-3)}, {"params": [model.B]}], lr=0.01, foreach=foreach)
    X = torch.randn(64, 6)
    Y = X.roll(1, 1)
    for step in range(30):
        optimizer.zero_grad()
        (model(X) - Y).square().mean().backward()
        if step == 0:
            assert (model.A.grad == 0).all()
        optimizer.step()
        if step == 0:
            assert torch.equal(model.A, start)
    assert (model.A != 0).float().mean() > 0.9
    assert (model.B != 0).any()


@pytest.mark.parametrize("kind", [ProxAdam, DualAdam])
def test_inputs_that_never_speak_lose_their_weights_and_the_others_stay(kind):
    layer = torch.nn.Linear(8, 4)
    optimizer = kind([{"params": [layer.weight], "penalty": L1(1e-2)}, {"params": [layer.bias]}], lr=0.01)
    X = torch.randn(128, 8)
    X[:, 5:] = 0.0
    Y = X[:, :4] * 2.0
    for _ in range(300):
        optimizer.zero_grad()
        (0.5 * (layer(X) - Y).square().mean(0).sum()).backward()
        optimizer.step()
    assert (layer.weight[:, 5:] == 0).all()
    assert (layer.weight.diagonal() > 1.5).all()


def test_without_the_floor_a_weight_of_no_gradient_falls_at_once_and_with_it_step_by_step():
    def after_one_step(floor):
        w = torch.nn.Parameter(torch.ones(2))
        optimizer = ProxAdam([w], lr=1e-3, penalty=L1(1e-2), metric_floor=floor)
        w.grad = torch.tensor([1.0, 0.0])
        optimizer.step()
        return w[1].item()

    assert after_one_step(0.0) == 0.0
    floor = 0.01 * 0.5**0.5  # of the rms of the gradient
    assert after_one_step(0.01) == pytest.approx(1.0 - 1e-3 * 1e-2 / floor, rel=1e-5)


@pytest.mark.parametrize("foreach", [None, True, False])
def test_the_floor_is_of_the_step_before_also_where_the_penalty_begins_late(foreach):
    """d = max(√v̂ + ε, ρ rms) with the rms of √v̂ one step before, by hand, over a warm-up."""
    floor, l1, lr, betas, eps = 0.7, 2.0, 0.01, (0.9, 0.99), 1e-8
    draw = torch.Generator().manual_seed(0)
    start = torch.randn(40, generator=draw)
    scale = torch.logspace(-3, 0, 40)
    w = torch.nn.Parameter(start.clone())
    optimizer = ProxAdam([w], lr, betas, eps, penalty=L1(l1), metric_floor=floor, warmup_steps=4, foreach=foreach)
    right, m, v, rms = start.double(), torch.zeros(40).double(), torch.zeros(40).double(), 0.0
    for t in range(1, 9):
        g = torch.randn(40, generator=draw) * scale
        w.grad = g.clone()
        optimizer.step()
        m = betas[0] * m + (1 - betas[0]) * g.double()
        v = betas[1] * v + (1 - betas[1]) * g.double() ** 2
        root = (v / (1 - betas[1] ** t)).sqrt()
        d = root + eps
        if t > 4:
            d = torch.clamp(d, min=floor * rms)
        z = right - lr * m / (1 - betas[0] ** t) / d
        right = z if t <= 4 else torch.sign(z) * torch.clamp(z.abs() - lr * l1 / d, min=0)
        rms = root.square().mean().sqrt().item()
        assert torch.allclose(w.detach().double(), right, rtol=1e-5, atol=1e-6)
    assert (right == 0).any()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30])
@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("foreach", [None, True])
@pytest.mark.parametrize("kind", [ProxAdam, DualAdam])
@pytest.mark.parametrize("first", [0, 3])
def test_one_gradient_that_is_not_finite_spoils_one_weight_and_not_the_tensor(kind, foreach, amsgrad, bad, first):
    """The others step as if that weight were not there, but for the count in the root mean square."""
    weights = [torch.nn.Parameter(torch.linspace(0.5, 1.0, 8)) for _ in range(2)]
    settings = {"lr": 0.01, "penalty": L1(0.05), "metric_floor": 0.3, "foreach": foreach, "amsgrad": amsgrad}
    optimizers = [kind([w], **settings) for w in weights]
    draw = torch.Generator().manual_seed(0)
    for t in range(8):
        g = torch.randn(8, generator=draw) * torch.logspace(-3, 0, 8)
        g[4] = 0.0
        for k, (w, optimizer) in enumerate(zip(weights, optimizers, strict=True)):
            w.grad = g.clone()
            if k and t >= first:
                w.grad[4] = bad
            optimizer.step()
        others = [torch.cat([w.detach()[:4], w.detach()[5:]]) for w in weights]
        assert torch.allclose(*others, rtol=1e-5, atol=0)
    start = torch.linspace(0.5, 1.0, 8)[[0, 1, 2, 3, 5, 6, 7]]
    assert (others[1] != start).all()


def test_a_floor_that_was_spoilt_before_is_none():
    w = torch.nn.Parameter(torch.ones(3))
    for foreach in (None, True):
        optimizer = ProxAdam([w], lr=0.01, penalty=L1(0.01), foreach=foreach)
        for spoilt in (None, float("nan"), float("inf")):
            if spoilt is not None:
                optimizer.state[w]["metric_rms"].fill_(spoilt)
            before = w.detach().clone()
            w.grad = torch.tensor([1.0, 2.0, 3.0])
            optimizer.step()
            assert (w < before).all()
            assert torch.isfinite(optimizer.state[w]["metric_rms"])


@pytest.mark.parametrize("kind", [ProxSGD, ProxAdam, DualAdam])
def test_nothing_shrinks_during_the_warm_up(kind):
    free, warm = (torch.nn.Parameter(torch.full((6,), 0.5)) for _ in range(2))
    theirs = torch.optim.SGD if kind is ProxSGD else torch.optim.Adam
    one, other = theirs([free], lr=0.01), kind([warm], lr=0.01, penalty=L1(1.0), warmup_steps=5)
    for t in range(6):
        for w in (free, warm):
            w.grad = 1e-3 * torch.arange(6.0)
        one.step()
        other.step()
        assert torch.equal(free, warm) is (t < 5)


@pytest.mark.parametrize("foreach", [None, True, False])
@pytest.mark.parametrize(
    "penalty", [L1(50.0), L1L2(50.0, 0.9), L1(50.0, factors=torch.ones(4, 5))], ids=lambda g: type(g).__name__
)
@pytest.mark.parametrize("kind", [ProxSGD, ProxAdam])
def test_the_largest_weights_are_kept(kind, penalty, foreach):
    start = torch.randn(4, 5)
    w = torch.nn.Parameter(start.clone())
    optimizer = kind([w], lr=0.1, penalty=penalty, keep=3, foreach=foreach)
    w.grad = 1e-4 * torch.ones(4, 5)
    optimizer.step()
    survivors = w.detach() != 0
    assert int(survivors.sum()) == 3
    assert start.abs()[survivors].min() >= start.abs()[~survivors].max() - 0.3
    pure = torch.nn.Parameter(start.clone())
    without = kind([pure], lr=0.1, penalty=penalty)
    pure.grad = 1e-4 * torch.ones(4, 5)
    without.step()
    assert (pure == 0).all()


GROUPS = [
    (GroupL2(50.0, axis=0), (0,)),
    (GroupL2(50.0, axis=1), (1,)),
    (GroupL2(50.0, axis=(2, 0)), (0, 2)),
    (L1(50.0) + GroupL2(50.0, axis=0), (0,)),
]


@pytest.mark.parametrize(("penalty", "axes"), GROUPS, ids=str)
@pytest.mark.parametrize("kind", [ProxSGD, ProxAdam])
def test_the_longest_groups_are_kept_whole(kind, penalty, axes):
    for seed in range(20):  # lengths computed in two ways differ by rounding for some
        start = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(seed))
        w = torch.nn.Parameter(start.clone())
        optimizer = kind([w], lr=1.0 if kind is ProxSGD else 1e-3, penalty=penalty, keep=2)
        w.grad = 1e-4 * torch.ones_like(start)
        optimizer.step()
        rest = [k for k in range(3) if k not in axes]
        alive = (w != 0).any(rest[1]).any(rest[0]) if len(rest) == 2 else (w != 0).any(rest[0])
        lengths = torch.linalg.vector_norm(start, dim=rest)
        assert int(alive.sum()) == 2
        assert lengths[alive].min() >= lengths[~alive].max() - 0.01
        assert (w.abs() > 0).sum() == 2 * start.numel() // alive.numel()


def test_the_longest_of_listed_groups_are_kept_and_free_weights_are_not_counted():
    w = torch.nn.Parameter(torch.tensor([1.0, 1.0, 3.0, 0.1, 5.0, 9.0]))
    optimizer = ProxSGD([w], lr=1.0, penalty=GroupL2(100.0, groups=[[0, 1], [2, 3], [4]]), keep=1)
    w.grad = torch.zeros(6)
    optimizer.step()
    assert w.tolist() == [0.0, 0.0, 0.0, 0.0, 5.0, 9.0]


@pytest.mark.parametrize("penalty", [L1(1e-3), GroupL2(1e-3, axis=0)], ids=lambda g: type(g).__name__)
@pytest.mark.parametrize("kind", [ProxSGD, ProxAdam])
def test_the_guard_changes_nothing_while_enough_is_left(kind, penalty):
    results = []
    for keep in (0, 2):
        w = torch.nn.Parameter(torch.linspace(-1, 1, 20).reshape(4, 5))
        optimizer = kind([w], lr=0.01, penalty=penalty, keep=keep, foreach=True)
        for t in range(10):
            w.grad = torch.randn(4, 5, generator=torch.Generator().manual_seed(t))
            optimizer.step()
        results.append(w.detach())
    assert torch.equal(*results)
