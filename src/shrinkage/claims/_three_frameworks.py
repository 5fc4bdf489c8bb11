"""Claim 9: one penalty in PyTorch, Keras and JAX, and the same weights at zero."""

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import numpy as np

from shrinkage._errors import MissingExtraError
from shrinkage._path import path
from shrinkage.claims._claim import Claim, expect
from shrinkage.claims._drawing import COLORS, GRAY, key, plain_frame
from shrinkage.claims._markdown import markdown_table
from shrinkage.datasets import load_diabetes, load_digits
from shrinkage.penalties import L1L2

ALPHA, RATIO = 0.2, 0.5
LINEAR = {"lr": 0.4, "momentum": 0.5, "steps": 150}
NET_ALPHA, NET_RATIO, NET_LR = 3e-3, 0.9, 5e-3
SIZES = (64, 16, 10)
ROWS, BATCH = 1280, 128
CLOSE = 1e-4
"""How far coefficients in float32 may be from the solution, relative to the largest."""
SAME = 0.98
"""The share of the zeros of a network that must be the same ones: after hundreds of steps roundings have grown."""


@dataclass(frozen=True)
class Task:
    """What each framework is given: arrays, starts and counts."""

    X: np.ndarray
    y: np.ndarray
    images: np.ndarray
    labels: np.ndarray
    start: tuple[np.ndarray, ...]
    epochs: int


@dataclass(frozen=True)
class Found:
    """What one framework ended with.

    Attributes
    ----------
    coef : ndarray of shape (10,)
        Of the linear model.
    kernels : tuple of ndarray
        Of the network's layers, inputs in rows.
    by_hand : float
        Share of exact zeros in the same network with the penalty in the loss, as the framework's users write it.
    words : str
        Framework and version.
    """

    coef: np.ndarray
    kernels: tuple[np.ndarray, ...]
    by_hand: float
    words: str

    @property
    def zeros(self) -> np.ndarray:
        """Which weights of the network are exactly zero."""
        return np.concatenate([kernel.ravel() == 0 for kernel in self.kernels])


@dataclass(frozen=True)
class ThreeFrameworks:
    """One penalty, and where each framework took it.

    Attributes
    ----------
    found : dict of str to Found
    absent : tuple of str
        Frameworks that are not installed.
    solution : ndarray of shape (10,)
        The linear model's minimizer by this library's solver, with a gap of `gap` of the null model's objective.
    gap : float
    epochs : int
    """

    found: dict[str, Found]
    absent: tuple[str, ...]
    solution: np.ndarray
    gap: float
    epochs: int
    n_rows: int = ROWS

    @property
    def n_weights(self) -> int:
        """Of the network, biases not counted."""
        return SIZES[0] * SIZES[1] + SIZES[1] * SIZES[2]

    @property
    def n_steps(self) -> int:
        """Of the network's training."""
        return self.epochs * ROWS // BATCH

    @property
    def n_zero(self) -> int:
        """Zeros of the linear model's solution."""
        return int((self.solution == 0).sum())

    def distance(self, name: str) -> float:
        """Largest difference of a framework's coefficients to the solution, relative to the largest."""
        return float(np.abs(self.found[name].coef - self.solution).max() / np.abs(self.solution).max())

    def shared(self, name: str) -> float:
        """Zeros that a framework's network shares with the first one's, over those that either has."""
        first, other = next(iter(self.found.values())).zeros, self.found[name].zeros
        return float((first & other).sum() / max((first | other).sum(), 1))

    def table(self) -> str:
        """One row per framework."""
        rows = [
            [
                one.words,
                f"{int((one.coef == 0).sum())}",
                "yes" if np.array_equal(one.coef == 0, self.solution == 0) else "no",
                f"{self.distance(name):.0e}",
                f"{one.zeros.mean():.1%}",
                f"{self.shared(name):.1%}",
                f"{one.by_hand:.1%}",
            ]
            for name, one in self.found.items()
        ]
        heads = ["framework", "linear: zeros", "the solution's", "from the solution", "network: zeros",
                 "the same ones", "penalty in the loss: zeros"]  # fmt: skip
        return markdown_table(heads, rows)


def measure(quick: bool = False) -> ThreeFrameworks:
    """Fit both models in every framework; one is no comparison, two are enough if `quick`, else `MissingExtraError`."""
    _choose_backend()
    absent = tuple(name for name in FITS if not _installed(name))
    if len(FITS) - len(absent) < (2 if quick else 3):
        raise MissingExtraError(
            f"comparing frameworks needs {'two of them' if quick else 'all three'}; absent: {', '.join(absent)}: "
            f"pip install 'shrinkage[{','.join(absent)}]'"
        )
    task = _task(10 if quick else 60)
    found = {name: fit(task) for name, fit in FITS.items() if name not in absent}
    fitted = path(task.X, task.y, l1_ratio=RATIO, alphas=[ALPHA], fit_intercept=False, tol=1e-12)
    # The objective of the null model is ½, since y has variance 1.
    return ThreeFrameworks(found, absent, fitted.coefs.toarray()[:, 0], float(fitted.gaps[0]) / 0.5, task.epochs)


def _installed(name: str) -> bool:
    """Whether a framework can be imported; a fault in this library's room for it is no absence, and is not hidden."""
    try:
        for module in MODULES[name]:
            importlib.import_module(module)
    except ModuleNotFoundError:
        return False
    return True


def _task(epochs: int) -> Task:
    diabetes, digits = load_diabetes(), load_digits()
    X, y = ((a - a.mean(axis=0)) / a.std(axis=0) for a in (diabetes.X, diabetes.y))
    draw = np.random.default_rng(0)
    start = []
    for inputs, outputs in pairwise(SIZES):
        limit = inputs**-0.5
        start += [draw.uniform(-limit, limit, (inputs, outputs)), np.zeros(outputs)]
    rows = draw.permutation(len(digits.y))[:ROWS]
    floats = [np.asarray(a, dtype=np.float32) for a in (X, y, digits.X[rows] / 16.0, *start)]
    return Task(floats[0], floats[1], floats[2], digits.y[rows].astype(np.int32), tuple(floats[3:]), epochs)


def linear_penalty() -> Any:
    """Of the linear model."""
    return L1L2(ALPHA, l1_ratio=RATIO)


def net_penalty() -> Any:
    """Of the network."""
    return L1L2(NET_ALPHA, l1_ratio=NET_RATIO)


def fit_torch(task: Task) -> Found:
    """ProxSGD on a layer, ProxAdam on a network, and a loop over parameters in torch's Adam."""
    import torch

    from shrinkage.claims._small_nets import alone
    from shrinkage.torch import Plan, ProxSGD

    X, y, images, labels = (torch.as_tensor(a) for a in (task.X, task.y, task.images, task.labels))
    with alone():
        layer = torch.nn.Linear(X.shape[1], 1, bias=False)
        torch.nn.init.zeros_(layer.weight)
        optimizer: Any = ProxSGD(Plan(layer, linear_penalty()), lr=LINEAR["lr"], momentum=LINEAR["momentum"])
        for _ in range(int(LINEAR["steps"])):
            optimizer.zero_grad()
            (0.5 * (layer(X)[:, 0] - y).square().mean()).backward()
            optimizer.step()
        trained = [_torch_net(task, images, labels.long(), by_hand) for by_hand in (False, True)]
    kernels, looped = ([w.detach().numpy().T.copy() for w in (net[0].weight, net[2].weight)] for net in trained)
    coef = layer.weight.detach().numpy()[0].copy()
    return Found(coef, tuple(kernels), _share(looped), f"PyTorch {version('torch')}, `ProxSGD`, `ProxAdam`")


def _torch_net(task: Task, images: Any, labels: Any, by_hand: bool) -> Any:
    import torch

    from shrinkage.torch import Plan, ProxAdam

    net: Any = torch.nn.Sequential(torch.nn.Linear(64, 16), torch.nn.ReLU(), torch.nn.Linear(16, 10))
    with torch.no_grad():
        for p, value in zip(net.parameters(), task.start, strict=True):
            p.copy_(torch.as_tensor(value.T))
    kernels = [net[0].weight, net[2].weight]
    optimizer: Any = torch.optim.Adam(net.parameters(), lr=NET_LR)
    if not by_hand:
        optimizer = ProxAdam(Plan(net, net_penalty()), lr=NET_LR)
    for _ in range(task.epochs):
        for rows in range(0, ROWS, BATCH):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(net(images[rows : rows + BATCH]), labels[rows : rows + BATCH])
            if by_hand:
                l1, l2 = NET_ALPHA * NET_RATIO, NET_ALPHA * (1 - NET_RATIO)
                loss = loss + sum((l1 * w.abs().sum() + 0.5 * l2 * w.square().sum() for w in kernels), start=0.0)
            loss.backward()
            optimizer.step()
    return net


def fit_keras(task: Task) -> Found:
    """Proximal around SGD and Adam, and `kernel_regularizer=` on each layer."""
    _choose_backend()
    import keras as imported

    from shrinkage.keras import Plan, Proximal

    keras: Any = imported  # its own annotations are narrower than what it takes
    half_mse: Callable[..., Any] = lambda wanted, found: 0.5 * keras.ops.square(found - wanted)  # noqa: E731
    linear = keras.Sequential([keras.Input((task.X.shape[1],)), keras.layers.Dense(1, use_bias=False)])
    linear.set_weights([np.zeros((task.X.shape[1], 1), dtype=np.float32)])
    inner = keras.optimizers.SGD(LINEAR["lr"], momentum=LINEAR["momentum"])
    linear.compile(Proximal(inner, Plan(linear, linear_penalty())), loss=half_mse)
    steps = int(LINEAR["steps"])
    rows = np.tile(task.X, (steps, 1)), np.tile(task.y[:, None], (steps, 1))
    linear.fit(*rows, batch_size=len(task.X), shuffle=False, verbose=0)
    nets = []
    for by_hand in (False, True):
        l1, l2 = NET_ALPHA * NET_RATIO, 0.5 * NET_ALPHA * (1 - NET_RATIO)
        options = {"kernel_regularizer": keras.regularizers.L1L2(l1, l2)} if by_hand else {}
        dense = keras.layers.Dense
        net = keras.Sequential([keras.Input((64,)), dense(16, "relu", **options), dense(10, **options)])
        net.set_weights(list(task.start))
        adam = keras.optimizers.Adam(NET_LR, epsilon=1e-8)
        net.compile(
            adam if by_hand else Proximal(adam, Plan(net, net_penalty())),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        net.fit(task.images, task.labels, batch_size=BATCH, epochs=task.epochs, shuffle=False, verbose=0)
        nets.append(net.get_weights()[::2])
    words = f"Keras {keras.__version__} on {keras.backend.backend()}, `Proximal(SGD)`, `Proximal(Adam)`"
    return Found(linear.get_weights()[0][:, 0], tuple(nets[0]), _share(nets[1]), words)


def _choose_backend() -> None:
    """Where nobody chose a backend, take one that is installed: Keras' own default may not be."""
    if "keras" in sys.modules or "KERAS_BACKEND" in os.environ:
        return
    for backend in ("torch", "jax", "tensorflow"):
        if importlib.util.find_spec(backend) is not None:
            os.environ["KERAS_BACKEND"] = backend
            return


def fit_optax(task: Task) -> Found:
    """A prox behind optax.sgd and optax.adam in a chain, and the penalty's gradient in the loss."""
    import jax
    import jax.numpy as jnp
    import optax

    from shrinkage.optax import by_path, chain, prox

    l1, l2 = NET_ALPHA * NET_RATIO, NET_ALPHA * (1 - NET_RATIO)

    def half_mse(w: Any, batch: Any) -> Any:
        return 0.5 * jnp.mean((batch[0] @ w - batch[1]) ** 2)

    def entropy(params: Any, batch: Any) -> Any:
        hidden = jax.nn.relu(batch[0] @ params[0]["kernel"] + params[0]["bias"])
        logits = hidden @ params[1]["kernel"] + params[1]["bias"]
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean()

    def penalized(params: Any, batch: Any) -> Any:
        kernels = [layer["kernel"] for layer in params]
        return entropy(params, batch) + sum(l1 * jnp.abs(w).sum() + 0.5 * l2 * (w**2).sum() for w in kernels)

    def run(loss: Any, optimizer: Any, params: Any, batches: Any) -> Any:
        def step(carry: Any, batch: Any) -> Any:
            updates, state = optimizer.update(jax.grad(loss)(carry[0], batch), carry[1], carry[0])
            return (optax.apply_updates(carry[0], updates), state), None

        return jax.jit(lambda carry, many: jax.lax.scan(step, carry, many)[0][0])(
            (params, optimizer.init(params)), batches
        )

    X, y = jnp.asarray(task.X), jnp.asarray(task.y)
    steps = int(LINEAR["steps"])
    many = jnp.broadcast_to(X, (steps, *X.shape)), jnp.broadcast_to(y, (steps, *y.shape))
    sgd = chain(optax.sgd(LINEAR["lr"], LINEAR["momentum"]), prox(linear_penalty()))
    coef = run(half_mse, sgd, jnp.zeros(X.shape[1], X.dtype), many)
    k1, b1, k2, b2 = map(jnp.asarray, task.start)
    params = [{"kernel": k1, "bias": b1}, {"kernel": k2, "bias": b2}]
    shapes = (-1, BATCH, SIZES[0]), (-1, BATCH)
    epoch = [a.reshape(shape) for a, shape in zip((task.images, task.labels), shapes, strict=True)]
    data = tuple(jnp.asarray(np.concatenate([a] * task.epochs)) for a in epoch)
    trained = run(entropy, chain(optax.adam(NET_LR), prox(by_path(net_penalty()))), params, data)
    looped = run(penalized, optax.adam(NET_LR), params, data)
    kernels, by_hand = (tuple(np.asarray(layer["kernel"]) for layer in net) for net in (trained, looped))
    words = f"JAX {version('jax')}, optax {version('optax')}, `chain(sgd, prox)`, `chain(adam, prox)`"
    return Found(np.asarray(coef), kernels, _share(by_hand), words)


def _share(kernels: Any) -> float:
    """Exact zeros among all weights."""
    return float(np.concatenate([np.ravel(kernel) == 0 for kernel in kernels]).mean())


FITS: dict[str, Callable[[Task], Found]] = {"torch": fit_torch, "keras": fit_keras, "optax": fit_optax}
MODULES = {"torch": ("torch",), "keras": ("keras",), "optax": ("jax", "optax")}


def check(record: ThreeFrameworks) -> None:
    """The linear model's zeros are the solution's in every framework; the network's are the same ones."""
    r = record
    expect(len(r.found) > 1, f"one penalty must be taken by two frameworks at least; it was by {', '.join(r.found)}")
    expect(r.gap < 1e-9 and 0 < r.n_zero < len(r.solution), f"the solution must be exact and sparse; gap {r.gap:.1e}")
    for name, one in r.found.items():
        expect(
            np.array_equal(one.coef == 0, r.solution == 0),
            f"{name}: the linear model must have the solution's {r.n_zero} zeros; it has {int((one.coef == 0).sum())}",
        )
        far = r.distance(name)
        expect(far < CLOSE, f"{name}: coefficients must be within {CLOSE:g} of the solution; they are {far:.1e} away")
        share = float(one.zeros.mean())
        expect(0.05 < share < 0.95, f"{name}: the network must have exact zeros, and weights; {share:.1%} are zero")
        expect(
            r.shared(name) >= SAME,
            f"{name}: at least {SAME:.0%} of the network's zeros must be the same ones; {r.shared(name):.1%} are",
        )
        expect(one.by_hand < 0.01, f"{name}: the penalty in the loss must leave no zeros; it left {one.by_hand:.1%}")


def lines(record: ThreeFrameworks) -> list[str]:
    """What a terminal shows."""
    r = record
    found = [
        f"{one.words.split(',')[0]}: {int((one.coef == 0).sum())} zeros, {r.distance(name):.0e} from the solution; "
        f"network {one.zeros.mean():.1%} zeros, {r.shared(name):.1%} the same; penalty in the loss {one.by_hand:.1%}"
        for name, one in r.found.items()
    ]
    absent = [f"not installed: {', '.join(r.absent)}"] if r.absent else []
    return [
        f"L1L2 on diabetes (solution: {r.n_zero} of {len(r.solution)} zero) and on a network 64-16-10 of digits, "
        f"{r.n_steps} steps:",
        *found,
        *absent,
        "each takes the threshold that belongs to its own step: Keras keeps lr inside the velocity, torch does not",
    ]


def draw(record: ThreeFrameworks, axes: Any) -> None:
    """Coefficients of the linear model, by framework, beside the solution."""
    names = load_diabetes().feature_names
    x = np.arange(len(names))
    axes.bar(x, record.solution, width=0.8, color=GRAY, alpha=0.25, label="solution")
    for (name, one), color, marker, shift in zip(record.found.items(), COLORS, "os^", (-0.2, 0.0, 0.2), strict=False):
        zero = one.coef == 0
        axes.plot(x[~zero] + shift, one.coef[~zero], marker, color=color, label=name)
        axes.plot(x[zero] + shift, one.coef[zero], marker, color=color, markerfacecolor="none")
    axes.set_xticks(x, names)
    plain_frame(axes)
    axes.set_ylabel("coefficient (hollow: exactly 0)")
    key(axes)


CLAIM = Claim(
    number=9,
    name="three_frameworks",
    sentence="PyTorch has no L1 in its optimizers, Keras takes regularizers per layer; one penalty object makes the "
    "same zeros in PyTorch, Keras and JAX.",
    measure=measure,
    check=check,
    lines=lines,
    pictures={"coefficients": draw},
)
