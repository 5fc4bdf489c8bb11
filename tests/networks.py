"""Networks trained in several ways on the same data, batches and schedule; the tests and the benchmark both run these.

J(w) = mean cross-entropy over the training set + g(w), with g the penalty of the weights; biases are free.
"""

import gzip
import math
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import prune as pruning

from shrinkage import L1
from shrinkage import torch as ours
from shrinkage.penalties import GroupL2

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Task:
    """Data, a network and how long it is trained; every method gets the same."""

    name: str
    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    network: Callable[[], nn.Module]
    epochs: int
    batch_size: int
    lr: float

    @property
    def n_steps(self) -> int:
        """Steps of a whole run."""
        return self.epochs * math.ceil(len(self.train[1]) / self.batch_size)


@dataclass(frozen=True)
class Outcome:
    """What one training came to.

    `zeros` is the share of exact zeros among the weights that the penalty is on, `below` that of weights under 1e-3.
    `neurons` counts the rows of these weights (filters of a convolution) that hold a weight other than 0.
    """

    task: str
    method: str
    seed: int
    accuracy: float
    zeros: float
    below: float
    neurons: tuple[int, ...]
    objective: float
    seconds: float


def weights(network: nn.Module) -> list[nn.Parameter]:
    """The parameters that the penalty is on: what is not a bias."""
    return [parameter for name, parameter in network.named_parameters() if name.endswith("weight")]


def layers(network: nn.Module) -> list[nn.Module]:
    """The layers that own these weights."""
    return [module for module in network.modules() if isinstance(module, nn.Linear | nn.Conv2d)]


def last_weight(network: nn.Module) -> str:
    """The name of the last layer's weight: its rows are classes, none of which may go."""
    return [name for name, _ in network.named_parameters() if name.endswith("weight")][-1]


def mlp(*widths: int) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def convnet() -> nn.Sequential:
    """Two convolutions and two linear layers for images of 28 x 28."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        *(nn.Conv2d(1, 16, 5, stride=2, padding=2), nn.ReLU()),
        *(nn.Conv2d(16, 32, 5, stride=2, padding=2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(32 * 49, 128), nn.ReLU(), nn.Linear(128, 10)),
    )


@cache
def digits(epochs: int = 40) -> Task:
    """scikit-learn's digits, three quarters to train on, and an MLP 64-128-64-10."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    X, y = load_digits(return_X_y=True)
    parts = train_test_split(X / 16.0, y, test_size=0.25, random_state=0, stratify=y)
    X_train, X_test, y_train, y_test = map(torch.as_tensor, parts)
    train, test = (X_train.float(), y_train.long()), (X_test.float(), y_test.long())
    return Task("digits", train, test, lambda: mlp(64, 128, 64, 10), epochs, 64, 2e-3)


def fashion_mnist_folder() -> Path | None:
    """Where Fashion-MNIST lies: SHRINKAGE_FASHION_MNIST, or what tools/fashion_mnist.sh fetches; None without."""
    named = os.environ.get("SHRINKAGE_FASHION_MNIST")
    if named:
        return Path(named)
    script = ROOT / "tools" / "fashion_mnist.sh"
    try:
        done = subprocess.run(["sh", str(script)], stdout=subprocess.PIPE, text=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Path(done.stdout.strip()) if done.returncode == 0 else None


def _read_idx(path: Path) -> np.ndarray:
    """A gzipped IDX file of bytes: two zeros, type 8, number of axes, their lengths in big-endian, the bytes."""
    with gzip.open(path) as stream:
        content = stream.read()
    n_axes = content[3]
    shape = np.frombuffer(content, ">i4", n_axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * n_axes).reshape(shape)


@cache
def _fashion_mnist_data(folder: Path) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    images, labels = ({part: _read_idx(folder / f"{part}-{kind}.gz") for part in ("train", "t10k")}
                      for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"))  # fmt: skip
    mean, sd = images["train"].mean(), images["train"].std()
    pairs = []
    for part in ("train", "t10k"):
        X = (images[part].reshape(len(images[part]), -1).astype(np.float32) - mean) / sd
        pairs.append((torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(labels[part].astype(np.int64))))
    return pairs[0], pairs[1]


def fashion_mnist(folder: Path, epochs: int = 8) -> Task:
    """Fashion-MNIST, 60,000 images to train on and 10,000 to test, and an MLP 784-256-128-10.

    Of 1e-3, 3e-3 and 1e-2, this learning rate gives the penalty in the loss its lowest J (strength 1e-4, seed 100).
    """
    train, test = _fashion_mnist_data(folder)
    return Task("Fashion-MNIST", train, test, lambda: mlp(784, 256, 128, 10), epochs, 128, 3e-3)


def fashion_mnist_filters(folder: Path, epochs: int = 5, n_samples: int = 20_000) -> Task:
    """The first of these images and a network with two convolutions, whose filters and neurons are groups."""
    (X, y), test = _fashion_mnist_data(folder)
    return Task("Fashion-MNIST, filters", (X[:n_samples], y[:n_samples]), test, convnet, epochs, 128, 3e-3)


def batches(task: Task, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Every batch of a run, in an order that depends on the seed alone."""
    X, y = task.train
    order = torch.Generator().manual_seed(seed)
    for _ in range(task.epochs):
        for rows in torch.randperm(len(y), generator=order).split(task.batch_size):
            yield X[rows], y[rows]


def cosine(step: int, first: int, last: int) -> float:
    """The share of the learning rate at a step of a phase: from 1 down to 0 along half a cosine."""
    return 0.5 * (1.0 + math.cos(math.pi * (step - first) / (last - first)))


def norm_of_rows(w: Tensor) -> Tensor:
    """Σ √n ‖row‖₂ over the rows of a weight, n being the length of a row."""
    rows = w.flatten(1)
    return math.sqrt(rows.shape[1]) * rows.norm(dim=1).sum()


def g(network: nn.Module, alpha: float, rows: bool = False) -> Tensor:
    """The penalty, written by hand: α Σ|w|, or α Σ √n ‖row‖₂ over the rows of every weight but the last layer's."""
    penalized = weights(network)[:-1] if rows else weights(network)
    return alpha * sum((norm_of_rows(w) if rows else w.abs().sum() for w in penalized), torch.zeros(()))


@torch.no_grad()
def judge(
    task: Task, method: str, seed: int, trained: tuple[nn.Module, float], alpha: float, rows: bool = False
) -> Outcome:
    """Accuracy on the test set, zeros, and J over the whole training set."""
    network, seconds = trained
    parts = zip(*(tensor.split(5000) for tensor in task.train), strict=True)
    errors = sum(functional.cross_entropy(network(X), y, reduction="sum").item() for X, y in parts)
    X_test, y_test = task.test
    accuracy = (network(X_test).argmax(1) == y_test).double().mean().item()
    penalized = weights(network)[:-1] if rows else weights(network)
    flat = torch.cat([w.flatten() for w in penalized])
    zeros, below = (small.double().mean().item() for small in (flat == 0, flat.abs() < 1e-3))
    alive = tuple(int((w.flatten(1) != 0).any(1).sum()) for w in penalized)
    objective = errors / len(task.train[1]) + g(network, alpha, rows).item()
    return Outcome(task.name, method, seed, accuracy, zeros, below, alive, objective, seconds)


def train(
    task: Task,
    seed: int,
    optimizer_of: Callable[[nn.Module], torch.optim.Optimizer],
    penalty_in_loss: Callable[[nn.Module], Tensor] | None = None,
    cut_at: int | None = None,
    cut: Callable[[nn.Module], None] = lambda network: None,
) -> tuple[nn.Module, float]:
    """A trained network and the seconds of processor time that it took.

    The learning rate falls along half a cosine to 0. At step `cut_at` weights are cut away for good, and the rest is
    trained by Adam along a cosine of its own.
    """
    torch.manual_seed(seed)
    network = task.network()
    optimizer = optimizer_of(network)
    first, last = 0, task.n_steps if cut_at is None else cut_at
    started = time.process_time()
    for step, (X, y) in enumerate(batches(task, seed)):
        if step == cut_at:
            cut(network)
            optimizer = adam(network)
            first, last = step, task.n_steps
        for group in optimizer.param_groups:
            group["lr"] = task.lr * cosine(step, first, last)
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(X), y)
        if penalty_in_loss is not None:
            loss = loss + penalty_in_loss(network)
        loss.backward()
        optimizer.step()
    for layer in layers(network):
        if pruning.is_pruned(layer):
            pruning.remove(layer, "weight")
    return network, time.process_time() - started


def adam(network: nn.Module) -> torch.optim.Optimizer:
    """torch's Adam; the learning rate is set at every step."""
    return torch.optim.Adam(network.parameters())


def by_loop(task: Task, seed: int, alpha: float, rows: bool = False) -> Outcome:
    """The tutorials' way: the penalty is added to the loss, and Adam minimizes the sum."""
    trained = train(task, seed, adam, lambda network: g(network, alpha, rows))
    return judge(task, "penalty in the loss", seed, trained, alpha, rows)


def maker(name: str, alpha: float, rows: bool) -> Callable[[nn.Module], torch.optim.Optimizer]:
    """A maker of an optimizer of shrinkage.torch, at its defaults (SGD with momentum 0.9)."""
    momentum = {"momentum": 0.9} if "SGD" in name else {}
    optimizer = getattr(ours, name)
    if rows:
        return lambda net: optimizer(ours.Plan(net, GroupL2(alpha, axis=0), exclude=[last_weight(net)]), **momentum)
    return lambda net: optimizer(ours.Plan(net, L1(alpha)), **momentum)


def by_ours(task: Task, seed: int, alpha: float, name: str, rows: bool = False) -> Outcome:
    """An optimizer of shrinkage.torch, by name."""
    return judge(task, name, seed, train(task, seed, maker(name, alpha, rows)), alpha, rows)


def by_refit(task: Task, seed: int, alpha: float, name: str, rows: bool = False, share: float = 0.5) -> Outcome:
    """An optimizer of shrinkage.torch for a share of the steps; then the weights that it left, without the penalty."""

    def keep_support(network: nn.Module) -> None:
        for layer in layers(network):
            pruning.custom_from_mask(layer, "weight", layer.weight != 0)

    trained = train(task, seed, maker(name, alpha, rows), cut_at=round(share * task.n_steps), cut=keep_support)
    return judge(task, f"{name}, then refit", seed, trained, alpha, rows)


def by_magnitude(task: Task, seed: int, alpha: float, zeros: float, rows: bool = False, share: float = 0.5) -> Outcome:
    """Dense training for a share of the steps, then torch's pruning to a share of zeros; then what is left.

    Weights: the smallest of the whole network go. Rows: of each layer but the last the same share, the shortest first.
    """

    def prune(network: nn.Module) -> None:
        if rows:
            for layer in layers(network)[:-1]:
                pruning.ln_structured(layer, "weight", amount=zeros, n=2, dim=0)
        else:
            everywhere = [(layer, "weight") for layer in layers(network)]
            pruning.global_unstructured(everywhere, pruning_method=pruning.L1Unstructured, amount=zeros)

    trained = train(task, seed, adam, cut_at=round(share * task.n_steps), cut=prune)
    return judge(task, "magnitude pruning", seed, trained, alpha, rows)


def by_pat(task: Task, seed: int, alpha: float, reg_lambda: float, rows: bool = False) -> Outcome:
    """torchao's pruning-aware training around Adam; its strength has a unit of its own, so it is given apart."""
    from torchao.prototype.pat import PruneOptimizer

    names = ("Dim0Grouper", "ProxGroupLasso") if rows else ("ElemGrouper", "ProxLasso")
    kind = dict(zip(("group_type", "prox_type"), names, strict=True))

    def optimizer_of(network: nn.Module) -> torch.optim.Optimizer:
        pruned = weights(network)[:-1] if rows else weights(network)
        free = [p for p in network.parameters() if all(p is not w for w in pruned)]
        return PruneOptimizer(torch.optim.Adam([{"params": pruned, **kind}, {"params": free}]), reg_lambda=reg_lambda)

    return judge(task, "torchao PAT", seed, train(task, seed, optimizer_of), alpha, rows)
