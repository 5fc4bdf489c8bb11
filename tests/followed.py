"""What the tests of Proximal share: torch's seven optimizers, in configurations that reach a lasso in few steps."""

import torch

from shrinkage.torch import _metrics

SEVEN = {kind.__name__: kind for kind in _metrics.KNOWN}

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


def noisy_steps(w, optimizer, n, seed=0):
    """Take n steps toward 0.3 under gradients with noise."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(n):
        w.grad = (w.detach().float() - 0.3 + 0.1 * torch.randn(w.shape, generator=generator)).to(w.dtype)
        optimizer.step()
