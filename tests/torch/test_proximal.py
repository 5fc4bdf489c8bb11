"""The prox behind torch's own optimizers ends at the penalty's minimizer, by the step that each really takes."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from followed import RUNS, SEVEN, noisy_steps  # noqa: E402

from shrinkage import ElasticNet, Lasso  # noqa: E402
from shrinkage.penalties import L1, L1L2, GroupL2  # noqa: E402
from shrinkage.torch import Proximal, _metrics  # noqa: E402

optim = torch.optim


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


every_run = pytest.mark.parametrize(("name", "options", "steps"), RUNS)


@pytest.mark.parametrize(("penalty", "model"), [
    pytest.param(L1(0.15), Lasso(alpha=0.15, fit_intercept=False, tol=1e-13), marks=pytest.mark.slow),
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
    "penalty",
    [pytest.param(GroupL2(0.2, axis=0), marks=pytest.mark.slow), L1(0.08) + GroupL2(0.15, axis=0)],
    ids=["group", "sparse group"],
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


def test_decoupled_decay_adds_its_pull_in_the_metric_and_the_prox_stays_exact():
    w = start()
    optimizer = optim.AdamW([w], lr=0.05, betas=(0.8, 0.95), weight_decay=0.3)
    Proximal(optimizer, L1(0.15))
    train(optimizer, w, 500)
    d = optimizer.state[w]["exp_avg_sq"].sqrt() + 1e-8
    gradient = GRAM @ w.detach() - CORRELATION + 0.3 * d * w.detach()
    assert L1(0.15).violation(w.detach(), -gradient).max() <= 1e-7
    assert (w == 0).any()


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
