"""Trained on all the data at once, every optimizer ends at the penalty's own minimizer, with its exact zeros."""

from dataclasses import dataclass

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sklearn.datasets import load_diabetes  # noqa: E402

from shrinkage import L1, L1L2, MCP, SCAD, ElasticNet, GroupL2, Lasso  # noqa: E402
from shrinkage.torch import DualAdam, DualSGD, ProxAdam, Proximal, ProxSGD  # noqa: E402

FACTORS = np.r_[0.0, 3.0, np.linspace(0.5, 2.0, 8)]


@dataclass
class Data:
    """A least-squares problem, and 1 / (the largest curvature of the mean loss): a safe learning rate."""

    X: np.ndarray
    y: np.ndarray

    @property
    def safe(self):
        columns = np.c_[self.X, np.ones(len(self.X))]
        return 1.0 / (1.05 * np.linalg.eigvalsh(columns.T @ columns / len(columns))[-1])


def normal():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 40))
    return Data(X, X[:, :6] @ (2.0 * rng.normal(size=6)) + 1.0 + rng.normal(size=200))


def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return Data((X - X.mean(0)) / X.std(0), (y - y.mean()) / y.std() + 1.0)


def full_batch(data, penalties, make, n_steps, schedule=None, shape=None):
    """Weights after `n_steps` on ½ mean (y - Xw - b)², one model per penalty in one optimizer, and gradients there."""
    X, y = torch.tensor(data.X), torch.tensor(data.y)
    n, p = X.shape
    weights = [torch.nn.Parameter(torch.full(shape or (p,), 0.01, dtype=torch.float64)) for _ in penalties]
    intercepts = torch.nn.Parameter(torch.zeros(len(penalties), dtype=torch.float64))
    groups = [{"params": [w], "penalty": g} for w, g in zip(weights, penalties, strict=True)]
    optimizer = make([*groups, {"params": [intercepts], "penalty": None}])
    scheduler = schedule(optimizer, n_steps) if schedule else None
    gram, correlations, means = X.T @ X / n, X.T @ y / n, X.mean(0)

    def gradients():
        W = torch.stack([w.detach().flatten() for w in weights])
        b = intercepts.detach()
        return W @ gram + b[:, None] * means - correlations, W @ means + b - y.mean()

    for _ in range(n_steps):
        of_weights, intercepts.grad = gradients()
        for w, g in zip(weights, of_weights, strict=True):
            w.grad = g.reshape(w.shape).clone()
        optimizer.step()
        if scheduler:
            scheduler.step()
    ends = [w.detach().numpy() for w in weights]
    return ends, [g.reshape(ends[0].shape).numpy() for g in gradients()[0]]


def one_cycle(optimizer, n_steps):
    """The learning rate up and down again, the momentum down and up again."""
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [g["lr"] for g in optimizer.param_groups], total_steps=n_steps + 1, base_momentum=0.85,
        max_momentum=0.95, final_div_factor=10,
    )  # fmt: skip


GRADIENT_DESCENTS = {
    "plain": (lambda g, lr: ProxSGD(g, lr=lr), None),
    "momentum": (lambda g, lr: ProxSGD(g, lr=0.1 * lr, momentum=0.9), None),
    "nesterov": (lambda g, lr: ProxSGD(g, lr=0.1 * lr, momentum=0.9, nesterov=True), None),
    "dampening": (lambda g, lr: ProxSGD(g, lr=0.5 * lr, momentum=0.9, dampening=0.5), None),
    "momentum on a schedule": (lambda g, lr: ProxSGD(g, lr=0.1 * lr, momentum=0.9), one_cycle),
    "dual": (lambda g, lr: DualSGD(g, lr=lr), None),
    "dual, momentum": (lambda g, lr: DualSGD(g, lr=0.1 * lr, momentum=0.9, memory=0.98), None),
    "dual, nesterov": (lambda g, lr: DualSGD(g, lr=0.1 * lr, momentum=0.9, nesterov=True, memory=0.98), None),
}
ADAMS = {
    "plain": lambda g: ProxAdam(g, lr=0.01),
    "a high floor": lambda g: ProxAdam(g, lr=0.01, metric_floor=1.0),
    "amsgrad": lambda g: ProxAdam(g, lr=0.02, amsgrad=True),
    "dual": lambda g: DualAdam(g, lr=0.01),
    "dual averaging proper": lambda g: DualAdam(g, lr=0.01, memory=1.0),
}


def some_slow(names, quick):
    """All names, those besides the `quick` ones marked as slow."""
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


def assert_same_models(data, make, n_steps, schedule=None):
    """Lasso, elastic net, and on diabetes the lasso with factors: weights within 1e-7, the same exact zeros."""
    penalties = [L1(0.1), L1L2(0.2, l1_ratio=0.5)]
    oracles = [Lasso(alpha=0.1, tol=1e-12), ElasticNet(alpha=0.2, l1_ratio=0.5, tol=1e-12)]
    if data.X.shape[1] == len(FACTORS):
        penalties.append(L1L2(0.05, l1_ratio=0.8, factors=FACTORS))
        oracles.append(ElasticNet(alpha=0.05, l1_ratio=0.8, penalty_factor=FACTORS, tol=1e-12))
    ends, _ = full_batch(data, penalties, make, n_steps, schedule)
    for w, oracle in zip(ends, oracles, strict=True):
        best = oracle.fit(data.X, data.y).coef_
        assert 0 < np.count_nonzero(best) < best.size
        assert np.abs(w - best).max() < 1e-7
        assert np.array_equal(w == 0, best == 0)


@pytest.mark.parametrize("name", GRADIENT_DESCENTS)
def test_gradient_descent_ends_at_the_lasso_and_the_elastic_net(name):
    make, schedule = GRADIENT_DESCENTS[name]
    for data, n_steps in ((normal(), 500), (diabetes(), 500)):
        assert_same_models(data, lambda groups, lr=data.safe: make(groups, lr), n_steps, schedule)


@pytest.mark.parametrize("name", some_slow(ADAMS, quick=("plain", "dual")))
def test_adam_ends_at_the_lasso_and_the_elastic_net_on_diabetes(name):
    assert_same_models(diabetes(), ADAMS[name], 500)


@pytest.mark.parametrize("optimizer", [ProxAdam, pytest.param(DualAdam, marks=pytest.mark.slow)])
def test_adam_ends_at_the_lasso_and_the_elastic_net_on_many_columns(optimizer):
    assert_same_models(normal(), lambda g: optimizer(g, lr=0.05, amsgrad=True), 1000)


GROUP_PENALTIES = {
    "rows": GroupL2(0.08, axis=0),
    "lists, some weights free": GroupL2(0.08, groups=[[0, 1, 2], [3], [4, 5], [7, 8]], weights="ones"),
    "weights of their own": GroupL2(0.1, axis=0, weights=np.linspace(0.0, 2.0, 5)),
    "sparse, with squares": L1L2(0.1, l1_ratio=0.5) + GroupL2(0.06, axis=0),
    "sparse, with factors": L1(0.05, factors=np.linspace(0.5, 1.5, 10).reshape(5, 2)) + GroupL2(0.03, axis=0),
}
GROUP_OPTIMIZERS = {
    "ProxSGD": (lambda g, lr: ProxSGD(g, lr=0.1 * lr, momentum=0.9), 350),
    "ProxAdam": (lambda g, lr: ProxAdam(g, lr=0.03, amsgrad=True), 350),
    "DualSGD": (lambda g, lr: DualSGD(g, lr=0.1 * lr, momentum=0.9, memory=0.98), 500),
    "DualAdam": (lambda g, lr: DualAdam(g, lr=0.03, amsgrad=True, memory=0.95), 400),
}


@pytest.mark.parametrize("name", some_slow(GROUP_OPTIMIZERS, quick=("ProxAdam",)))
def test_groups_end_where_they_are_stationary(name):
    make, n_steps = GROUP_OPTIMIZERS[name]
    data = diabetes()
    penalties = list(GROUP_PENALTIES.values())
    ends, gradients = full_batch(data, penalties, lambda g: make(g, data.safe), n_steps, shape=(5, 2))
    for which, g, w, gradient in zip(GROUP_PENALTIES, penalties, ends, gradients, strict=True):
        lengths = g.norms(w)
        assert 0 < np.count_nonzero(lengths) < lengths.size, which
        assert np.max(g.violation(w, -gradient)) < 1e-7, which


NOT_CONVEX = (MCP(0.1), MCP(0.1, gamma=1.2), SCAD(0.1), SCAD(0.1, gamma=2.2))
NOT_CONVEX_OPTIMIZERS = {
    "ProxAdam": lambda g: ProxAdam(g, lr=0.01),
    "Proximal, Adam": lambda g: Proximal(torch.optim.Adam(g, lr=0.01)).optimizer,
    "ProxSGD, much momentum": lambda g: ProxSGD(g, lr=0.2, momentum=0.9),
    "ProxSGD": lambda g: ProxSGD(g, lr=0.8, momentum=0.5),
    "ProxAdam, fast": lambda g: ProxAdam(g, lr=0.1),
    "Proximal, NAdam": lambda g: Proximal(torch.optim.NAdam(g, lr=0.01)).optimizer,
    "Proximal, RMSprop": lambda g: Proximal(torch.optim.RMSprop(g, lr=0.01, momentum=0.5)).optimizer,
    "Proximal, SGD": lambda g: Proximal(torch.optim.SGD(g, lr=0.2, momentum=0.9)).optimizer,
}


@pytest.mark.parametrize("name", some_slow(NOT_CONVEX_OPTIMIZERS, quick=("ProxAdam",)))
def test_from_afar_penalties_that_are_not_convex_end_where_they_are_stationary(name):
    """On ½ (w - t)² these penalties bend less than the loss, and the only stationary point is their prox of t."""
    draw = torch.Generator().manual_seed(0)
    t = 0.5 * torch.randn(60, generator=draw, dtype=torch.float64)
    start = torch.randn(60, generator=draw, dtype=torch.float64)
    weights = [torch.nn.Parameter(start.clone()) for _ in NOT_CONVEX]
    groups = [{"params": [w], "penalty": g} for w, g in zip(weights, NOT_CONVEX, strict=True)]
    optimizer = NOT_CONVEX_OPTIMIZERS[name](groups)
    for _ in range(1000):
        for w in weights:
            w.grad = w.detach() - t
        optimizer.step()
    for w, g in zip(weights, NOT_CONVEX, strict=True):
        best = g.prox(t, 1.0)
        assert 0 < torch.count_nonzero(best) < best.numel()
        assert (w - best).abs().max() < 1e-3, g
        assert torch.equal(w == 0, best == 0), g


@pytest.mark.parametrize("name", NOT_CONVEX_OPTIMIZERS)
def test_a_weight_that_is_stationary_stays_while_its_neighbor_is_pushed_about(name):
    """Beyond γλ the penalty has no slope, and at a gradient of 0 the metric of such a weight is next to nothing."""
    draw = torch.Generator().manual_seed(0)
    weights = [torch.nn.Parameter(torch.ones(2, dtype=torch.float64)) for _ in NOT_CONVEX]
    groups = [{"params": [w], "penalty": g} for w, g in zip(weights, NOT_CONVEX, strict=True)]
    optimizer = NOT_CONVEX_OPTIMIZERS[name](groups)
    for _ in range(50):
        noise = torch.randn((), generator=draw, dtype=torch.float64)
        for w in weights:
            w.grad = torch.stack([w.detach()[0] - 1.0, noise])
        optimizer.step()
        assert all(w[0] == 1.0 for w in weights)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "n_steps"), [("ProxSGD", 700), ("ProxAdam", 1200)])
def test_penalties_that_are_not_convex_end_where_they_are_stationary(name, n_steps):
    make, _ = GROUP_OPTIMIZERS[name]
    data = normal()
    penalties = [MCP(0.3), SCAD(0.3)]
    ends, gradients = full_batch(data, penalties, lambda g: make(g, data.safe), n_steps)
    for g, w, gradient in zip(penalties, ends, gradients, strict=True):
        assert 0 < np.count_nonzero(w) < w.size
        assert np.max(g.violation(w, -gradient)) < 1e-7
