"""What the tests of the optimizers share: all five of them, and a small regression with a model for it."""

import io

import torch

from shrinkage.penalties import L1, L1L2
from shrinkage.torch import AdamW, DualAdam, DualSGD, Plan, ProxAdam, ProxSGD

FIVE = {
    "ProxSGD": (ProxSGD, {"lr": 0.05, "momentum": 0.9}),
    "ProxAdam": (ProxAdam, {"lr": 0.01, "amsgrad": True}),
    "DualAdam": (DualAdam, {"lr": 0.01}),
    "DualSGD": (DualSGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    "AdamW": (AdamW, {"lr": 0.01, "weight_decay": 0.1, "l1_decay": 0.3}),
}
PENALIZED = [name for name in FIVE if name != "AdamW"]


def make(name, params, penalty=None, **settings):
    """One of the five, with a penalty where it takes one."""
    kind, usual = FIVE[name]
    given = {} if name == "AdamW" or penalty is None else {"penalty": penalty}
    return kind(params, **(usual | given | settings))


def planned(name, model, penalty=None, **settings):
    """One of the five on the plan of a model; for AdamW the plan only says what decays."""
    if name == "AdamW":
        return make(name, Plan(model), **settings)
    return make(name, Plan(model, penalty or L1L2(0.1, 0.8)), **settings)


def network(seed=0, dtype=torch.float32):
    torch.manual_seed(seed)
    layers = [torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.LayerNorm(8), torch.nn.Linear(8, 3)]
    return torch.nn.Sequential(*layers).to(dtype)


def data(dtype=torch.float32, n=64):
    draw = torch.Generator().manual_seed(7)
    X = torch.randn(n, 6, generator=draw)
    return X.to(dtype), (X[:, :3] * torch.tensor([2.0, 0.0, -1.0]) + torch.randn(n, 3, generator=draw)).to(dtype)


def loss_of(model):
    X, Y = data(next(model.parameters()).dtype)
    return 0.5 * (model(X) - Y).square().mean(0).sum()


def train(model, optimizer, steps, schedule=None):
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(model).backward()
        optimizer.step()
        if schedule is not None:
            schedule.step()
    return model


def lasso(name, penalty=None, n=6, dtype=torch.float64, **settings):
    """A parameter with an optimizer, and a function that takes steps on ½|w - target|²: soft(target, l1) is right."""
    target = torch.linspace(-1.0, 1.0, n, dtype=dtype)
    w = torch.nn.Parameter(torch.full((n,), 0.3, dtype=dtype))
    optimizer = make(name, [w], L1(0.25) if penalty is None else penalty, **settings)

    def step(times=1, missing=()):
        for t in range(times):
            w.grad = None if t in missing else (w.detach() - target)
            optimizer.step()

    return w, optimizer, step, torch.sign(target) * torch.clamp(target.abs() - 0.25, min=0)


def equal_states(optimizer, other):
    """Whether both hold the same weights and states, bit for bit and type for type."""
    pairs = zip(every_parameter(optimizer), every_parameter(other), strict=True)
    return all(
        torch.equal(p, q)
        and optimizer.state[p].keys() == other.state[q].keys()
        and all(same(a, other.state[q][key]) for key, a in optimizer.state[p].items())
        for p, q in pairs
    )


def same(a, b):
    return (a is None and b is None) or (a.dtype is b.dtype and torch.equal(a, b))


def every_parameter(optimizer):
    return [p for group in optimizer.param_groups for p in group["params"]]


def filled(shape=(8, 6), seed=3):
    """Weights that a seed decides."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def through_a_file(stored):
    """What a file gives back."""
    file = io.BytesIO()
    torch.save(stored, file)
    file.seek(0)
    return torch.load(file, weights_only=True)
