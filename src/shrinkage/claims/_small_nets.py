"""Small data sets as tensors, small networks and their training, for the claims that need them."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from shrinkage.datasets import Dataset, load_digits

PIXELS, CLASSES = 64, 10


@dataclass(frozen=True)
class Split:
    """Rows to train on and rows to test on, as tensors."""

    X: Any
    y: Any
    X_test: Any
    y_test: Any


def digits(dtype: str = "float32", test_share: float = 0.25, seed: int = 0) -> Split:
    """The 1,797 digits with pixels from 0 to 1, a share of them held out."""
    import torch

    data = load_digits()
    order = np.random.default_rng(seed).permutation(len(data.y))
    cut = len(order) - round(test_share * len(order))
    X = torch.as_tensor(data.X[order] / 16.0, dtype=getattr(torch, dtype))
    y = torch.as_tensor(data.y[order].astype(np.int64))
    return Split(X[:cut], y[:cut], X[cut:], y[cut:])


def standardized(data: Dataset, dtype: str = "float64", test_share: float = 0.25, seed: int = 0) -> Split:
    """A table with columns, and a numeric response, of mean 0 and variance 1 over the rows to train on."""
    import torch

    order = np.random.default_rng(seed).permutation(len(data.y))
    cut = len(order) - round(test_share * len(order))
    X = data.X[order]
    X = (X - X[:cut].mean(axis=0)) / np.maximum(X[:cut].std(axis=0), 1e-12)
    if len(data.target_names) > 1:
        y = torch.as_tensor(np.searchsorted(np.sort(data.target_names), data.y[order]).astype(np.int64))
    else:
        values = data.y[order]
        y = torch.as_tensor((values - values[:cut].mean()) / values[:cut].std(), dtype=getattr(torch, dtype))
    X = torch.as_tensor(X, dtype=getattr(torch, dtype))
    return Split(X[:cut], y[:cut], X[cut:], y[cut:])


def held_out_loss(model: Any, data: Split) -> Any:
    """The loss of each test row: cross entropy of classes, ½ squared error of numbers."""
    import torch

    with torch.no_grad():
        outputs = model(data.X_test)
        if data.y_test.is_floating_point():
            return 0.5 * (outputs[:, 0] - data.y_test).square()
        return torch.nn.functional.cross_entropy(outputs, data.y_test, reduction="none")


def mlp(*widths: int, dtype: str = "float32", seed: int | None = None) -> Any:
    """Linear layers with ReLU between them; `seed` decides the weights, None leaves that to torch's generator."""
    import torch
    from torch import nn

    if seed is not None:
        torch.manual_seed(seed)
    layers: list[Any] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs, dtype=getattr(torch, dtype)), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@contextmanager
def alone() -> Iterator[None]:
    """One thread, and the caller's random numbers and count of threads as they were."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)


def batches(n_rows: int, batch_size: int, epochs: int, seed: int) -> Iterator[Any]:
    """Indices of the rows of every batch, in an order that `seed` decides."""
    import torch

    draw = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        yield from torch.randperm(n_rows, generator=draw).split(batch_size)


def train(
    model: Any,
    optimizer: Any,
    data: Split,
    *,
    epochs: int,
    batch_size: int = 64,
    seed: int = 0,
    penalty: Callable[[], Any] | None = None,
    cosine: bool = True,
    after_step: Callable[[], Any] | None = None,
) -> Any:
    """Minimize the cross entropy, and `penalty()` where one is given, along a cosine of the learning rate to 0."""
    import torch

    steps, first = epochs * math.ceil(len(data.y) / batch_size), [group["lr"] for group in optimizer.param_groups]
    for step, rows in enumerate(batches(len(data.y), batch_size, epochs, seed)):
        if cosine:
            for group, lr in zip(optimizer.param_groups, first, strict=True):
                group["lr"] = lr * 0.5 * (1.0 + math.cos(math.pi * step / steps))
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(data.X[rows]), data.y[rows])
        if penalty is not None:
            loss = loss + penalty()
        loss.backward()
        optimizer.step()
        if after_step is not None:
            after_step()
    return model


def accuracy(model: Any, data: Split) -> float:
    """The share of the test rows that are told right."""
    import torch

    with torch.no_grad():
        return float((model(data.X_test).argmax(1) == data.y_test).double().mean())


def weights(model: Any) -> list[Any]:
    """The matrices of a network; its biases are not among them."""
    return [parameter for parameter in model.parameters() if parameter.ndim > 1]
