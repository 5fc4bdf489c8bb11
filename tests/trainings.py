"""Trainings in tables: what the tests of the trainers run, once in a loop and once stacked."""

import torch
from torch import nn

from shrinkage import L1, L1L2, L2, MCP, SCAD, GroupL2
from shrinkage.torch import AdamW, DualAdam, DualSGD, Plan, ProxAdam, ProxSGD
from shrinkage.torch._task import Task

STRENGTHS = (0.0, 0.01, 0.05)


def rows(output, y):
    return 0.5 * (output.squeeze(-1) - y).square()


def mean(output, y):
    return rows(output, y).mean()


def mlp():
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))


def batches(shape=(5,), n=43, size=8, seed=0):
    """The last batch is smaller."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, *shape, generator=generator)
    y = x.flatten(1)[:, 0] - 2 * x.flatten(1)[:, 1] + 0.3 * torch.randn(n, generator=generator)
    return list(zip(x.split(size), y.split(size), strict=True))


def task_of(make_optimizer, model_fn=mlp, **more):
    return Task(model_fn, mean, rows, make_optimizer, **more)


def weights(trainer, strength):
    return torch.cat([t.flatten().double() for t in trainer.model(strength).state_dict().values()])


def _plan(kind, penalty, **settings):
    return lambda model, s: kind(Plan(model, penalty(s)), **{"lr": 0.02, **settings})


OPTIMIZERS = {
    "torch Adam": lambda model, s: torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=s),
    "torch Adam amsgrad": lambda m, s: torch.optim.Adam(m.parameters(), lr=0.02, weight_decay=s, amsgrad=True),
    "torch AdamW": lambda model, s: torch.optim.AdamW(model.parameters(), lr=0.02, weight_decay=s),
    "torch SGD": lambda model, s: torch.optim.SGD(model.parameters(), lr=0.05, weight_decay=s),
    "torch SGD momentum": lambda m, s: torch.optim.SGD(m.parameters(), lr=0.02, momentum=0.9, weight_decay=s),
    "torch SGD nesterov": lambda m, s: torch.optim.SGD(
        m.parameters(), lr=0.02, momentum=0.9, nesterov=True, weight_decay=s
    ),
    "AdamW": lambda model, s: AdamW(Plan(model), lr=0.02, weight_decay=s),
    "AdamW l1_decay": lambda model, s: AdamW(Plan(model), lr=0.02, l1_decay=s),
    "AdamW independent": lambda m, s: AdamW(Plan(m), lr=0.02, weight_decay=s / 10, coupling="independent"),
    "ProxAdam": _plan(ProxAdam, L1),
    "ProxAdam L2": _plan(ProxAdam, L2),
    "ProxAdam elastic net": _plan(ProxAdam, lambda s: L1L2(s, 0.5)),
    "ProxAdam decay": _plan(ProxAdam, L1, weight_decay=0.01, maximize=False, amsgrad=True),
    "ProxAdam warm-up": _plan(ProxAdam, L1, warmup_steps=5),
    "ProxAdam floor": _plan(ProxAdam, L1, metric_floor=0.7),
    "ProxAdam rows floor": _plan(ProxAdam, lambda s: GroupL2(s, axis=0), metric_floor=0.7),
    "ProxAdam keep": _plan(ProxAdam, lambda s: L1(10 * s), keep=3),
    "ProxAdam MCP": _plan(ProxAdam, MCP),
    "ProxAdam SCAD": _plan(ProxAdam, SCAD),
    "ProxAdam rows": _plan(ProxAdam, lambda s: GroupL2(s, axis=0)),
    "ProxAdam columns": _plan(ProxAdam, lambda s: GroupL2(s, axis=1)),
    "ProxAdam sparse group": _plan(ProxAdam, lambda s: L1(s) + GroupL2(s, axis=0)),
    "DualAdam": _plan(DualAdam, L1),
    "DualAdam elastic net": _plan(DualAdam, lambda s: L1L2(s, 0.5)),
    "DualAdam warm-up": _plan(DualAdam, L1, warmup_steps=9),
    "DualAdam rows": _plan(DualAdam, lambda s: GroupL2(s, axis=0)),
    "ProxSGD": _plan(ProxSGD, L1),
    "ProxSGD momentum": _plan(ProxSGD, lambda s: L1L2(s, 0.7), momentum=0.9, nesterov=True),
    "ProxSGD warm-up": _plan(ProxSGD, L1, momentum=0.5, dampening=0.1, warmup_steps=7),
    "ProxSGD MCP": _plan(ProxSGD, MCP, momentum=0.5),
    "DualSGD": _plan(DualSGD, L1),
    "DualSGD momentum": _plan(DualSGD, lambda s: L1L2(s, 0.7), momentum=0.9),
    "DualSGD rows": _plan(DualSGD, lambda s: GroupL2(s, axis=0), momentum=0.9),
}
SCHEDULERS = {
    "cosine": (lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 4), "epoch"),
    "one cycle": (lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.05, total_steps=30), "step"),
    "plateau": (lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=0, threshold=0.2), "epoch"),
    "steps": (lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [2, 4]), "epoch"),
}


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.lift, self.norm, self.head = nn.Linear(5, 6), nn.LayerNorm(6), nn.Linear(6, 1)
        self.unused = nn.Parameter(torch.ones(2))
        self.frozen = nn.Parameter(torch.full((6,), 0.5), requires_grad=False)

    def forward(self, x):
        z = self.lift(x) * self.frozen
        return self.head(z + nn.functional.gelu(self.norm(z)))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 1)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.head(self.second(self.first(x).tanh()))


# No bias before a norm: its gradient is nothing but rounding, of which Adam takes the sign.
MODELS = {
    "relu": (lambda: nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1)), (5,)),
    "deep": (lambda: nn.Sequential(nn.Linear(5, 8), nn.Sigmoid(), nn.Linear(8, 6), nn.SiLU(), nn.Linear(6, 1)), (5,)),
    "dropout": (lambda: nn.Sequential(nn.Linear(5, 16), nn.Dropout(0.4), nn.Tanh(), nn.Linear(16, 1)), (5,)),
    "batch norm": (
        lambda: nn.Sequential(nn.Linear(5, 8, bias=False), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1)),
        (5,),
    ),
    "residual": (Residual, (5,)),
    "tied": (Tied, (5,)),
    "conv": (
        lambda: nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.Tanh(), nn.AvgPool2d(2),
                              nn.Conv2d(4, 4, 2, groups=2), nn.Flatten(), nn.Linear(4, 1)),
        (2, 4, 4),
    ),
    "conv1d": (
        lambda: nn.Sequential(nn.Conv1d(2, 3, 3), nn.Tanh(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(6, 1)),
        (2, 6),
    ),
}  # fmt: skip
