"""Remark: large weights mean large changes of the output; a bound by the product of the layers' norms."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkage.claims._claim import Claim, expect
from shrinkage.claims._drawing import COLORS, key, plain_frame
from shrinkage.claims._markdown import markdown_table
from shrinkage.claims._small_nets import PIXELS, Split, accuracy, alone, digits, mlp, train, weights

WIDTHS = (PIXELS, 64, 32, 10)
STRENGTHS = (0.0, 1e-3, 3e-3, 1e-2, 3e-2)
"""Of L2, in the objective; 0 is without decay."""
CHOSEN = 3
"""Place of the strength that text and check speak of."""
NOISE = 0.25
"""Standard deviation of the noise put on test images, whose pixels go from 0 to 1."""
POWER_STEPS = 30
ROUNDING = 1e-5


@dataclass(frozen=True)
class Sensitivity:
    """One strength: how far outputs can move and do move, as means over the seeds.

    Attributes
    ----------
    strength, norm : float
        Of L2, and ‖w‖₂ of all matrices.
    bound : float
        Product of the layers' spectral norms: no two inputs move outputs by more times their distance.
    measured : float
        Largest spectral norm of the Jacobian over the test images; every pair of images is below the bound, too.
    pairs : float
        Largest ‖f(x) - f(x')‖ / ‖x - x'‖ over pairs of test images.
    moved : float
        Mean ‖f(x + e) - f(x)‖ / ‖e‖ for noise e on the test images.
    accuracy, noisy_accuracy : float
        On the test images, and on the same with that noise.
    largest_share : float
        The largest of measured / bound and pairs / bound over the seeds; at most 1 if the bound holds.
    """

    strength: float
    norm: float
    bound: float
    measured: float
    pairs: float
    moved: float
    accuracy: float
    noisy_accuracy: float
    largest_share: float


@dataclass(frozen=True)
class Lipschitz:
    """Networks of digits at several strengths of L2.

    Attributes
    ----------
    rows : tuple of Sensitivity, by rising strength
    seeds, epochs, n_train, n_test : int
    scaled_bound, scaled_moved : float
        Every weight and bias scaled so that the network is 2³ times itself (bias l times 2^l): what bound and outputs'
        change became, in units of what they were.
    normed_bound, normed_change : float
        A layer before a batch normalization, its weights times 1/10: the bound of that layer in units of what it was,
        and the largest change of outputs relative to the largest output.
    """

    rows: tuple[Sensitivity, ...]
    seeds: int
    epochs: int
    scaled_bound: float
    scaled_moved: float
    normed_bound: float
    normed_change: float
    n_train: int
    n_test: int

    @property
    def free(self) -> Sensitivity:
        """Without decay."""
        return self.rows[0]

    @property
    def decayed(self) -> Sensitivity:
        """With the decay that the page speaks of."""
        return self.rows[min(CHOSEN, len(self.rows) - 1)]

    @property
    def last_seed(self) -> int:
        """Seeds go from 0 to this one."""
        return self.seeds - 1

    def table(self) -> str:
        """Bound, measured changes and accuracy at every strength."""
        heads = ["L2", "‖w‖", "bound", "Jacobian", "pairs", "noise", "accuracy", "with noise"]
        return markdown_table(
            heads,
            [
                [
                    f"{row.strength:g}",
                    *(f"{value:.3g}" for value in (row.norm, row.bound, row.measured, row.pairs, row.moved)),
                    f"{row.accuracy:.1%}",
                    f"{row.noisy_accuracy:.1%}",
                ]
                for row in self.rows
            ],
        )


def measure(quick: bool = False) -> Lipschitz:
    """Train with and without decay, and measure how far outputs move."""
    strengths, seeds, epochs = ((0.0, 1e-2), 1, 8) if quick else (STRENGTHS, 3, 30)
    data = digits()
    with alone():
        rows = tuple(sensitivity(data, strength, seeds, epochs) for strength in strengths)
        scaled = _scaled(data)
        normed = _normed(data)
    return Lipschitz(rows, seeds, epochs, *scaled, *normed, len(data.y), len(data.y_test))


def sensitivity(data: Split, strength: float, seeds: int, epochs: int) -> Sensitivity:
    """Means over the seeds of one strength."""
    found = [_one(data, trained(data, strength, seed, epochs), seed) for seed in range(seeds)]
    mean = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
    share = max(max(one["measured"], one["pairs"]) / one["bound"] for one in found)
    return Sensitivity(strength=strength, largest_share=share, **mean)


def trained(data: Split, strength: float, seed: int, epochs: int) -> Any:
    """A network by gradient descent with momentum, its L2 by the proximal step; biases are free."""
    from shrinkage.penalties import L2
    from shrinkage.torch import Plan, ProxSGD

    model = mlp(*WIDTHS, seed=seed)
    optimizer = ProxSGD(Plan(model, L2(strength)), lr=0.1, momentum=0.9)
    return train(model, optimizer, data, epochs=epochs, seed=seed)


def bound_of(model: Any) -> float:
    """Π ‖W_l‖₂: ReLU moves nothing by more than its input moved."""
    import torch

    return math.prod(float(torch.linalg.matrix_norm(w.detach().double(), 2)) for w in weights(model))


def _one(data: Split, model: Any, seed: int) -> dict[str, float]:
    import torch

    with torch.no_grad():
        X = data.X_test
        noise = NOISE * torch.randn(X.shape, generator=torch.Generator().manual_seed(seed))
        outputs, moved = model(X), model(X + noise)
        apart = torch.pdist(X.double())
        pairs = torch.pdist(outputs.double())[apart > 0] / apart[apart > 0]
        return {
            "norm": math.sqrt(sum(float(w.square().sum()) for w in weights(model))),
            "bound": bound_of(model),
            "measured": jacobian_norm(model, X),
            "pairs": float(pairs.max()),
            "moved": float(((moved - outputs).norm(dim=1) / noise.norm(dim=1)).mean()),
            "accuracy": accuracy(model, data),
            "noisy_accuracy": float((moved.argmax(1) == data.y_test).double().mean()),
        }


def jacobian_norm(model: Any, X: Any) -> float:
    """Largest spectral norm of the outputs' Jacobian over the rows, each by its own product of matrices."""
    import torch

    first, *others = [layer for layer in model if hasattr(layer, "weight")]
    with torch.no_grad():
        product, before = first.weight.expand(len(X), *first.weight.shape), first(X)
        for layer in others:
            product = layer.weight @ (product * (before > 0)[:, :, None])
            before = layer(before.relu())
        return float(torch.linalg.matrix_norm(product.double(), 2).max())


def _scaled(data: Split) -> tuple[float, float]:
    """Every matrix twice as large: the bound and the changes of outputs, in units of what they were."""
    import torch

    model = mlp(*WIDTHS, seed=0)
    before, f = bound_of(model), model(data.X_test).detach()
    with torch.no_grad():
        for layer, linear in enumerate([layer for layer in model if hasattr(layer, "weight")]):
            linear.weight.mul_(2.0)
            linear.bias.mul_(2.0 ** (layer + 1))
        after = model(data.X_test)
    return bound_of(model) / before, float((after[0] - after[1]).norm() / (f[0] - f[1]).norm())


def _normed(data: Split) -> tuple[float, float]:
    """A layer in front of a batch normalization, ten times smaller: its norm, and the change of outputs."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    norm = nn.BatchNorm1d(32, eps=1e-12)
    model: Any = nn.Sequential(nn.Linear(PIXELS, 32, bias=False), norm, nn.ReLU(), nn.Linear(32, 10))
    before, f = bound_of(model[:1]), model(data.X).detach()
    with torch.no_grad():
        model[0].weight.mul_(0.1)
        after = model(data.X)
    return bound_of(model[:1]) / before, float((after - f).abs().max() / f.abs().max())


def check(record: Lipschitz) -> None:
    """The bound holds everywhere; decay lowers it, and what outputs do; a factor on the weights is one on both."""
    for row in record.rows:
        expect(
            row.largest_share <= 1.0 + ROUNDING,
            f"no output may move by more than the product of norms allows; at L2 {row.strength:g} one moved "
            f"{row.largest_share:.3f} of it",
        )
    free, decayed = record.free, record.decayed
    for name in ("norm", "bound", "measured", "moved"):
        before, after = getattr(free, name), getattr(decayed, name)
        expect(after < 0.9 * before, f"decay must lower {name}; it went from {before:.3g} to {after:.3g}")
    expect(
        free.accuracy > 0.9 and decayed.accuracy > free.accuracy - 0.05,
        f"decay must leave a network that is right; it went from {free.accuracy:.1%} to {decayed.accuracy:.1%}",
    )
    expect(
        abs(record.scaled_bound - 8.0) < ROUNDING * 8 and abs(record.scaled_moved - 8.0) < 1e-3,
        f"twice the weights of three layers must move outputs 8 times as far; bound {record.scaled_bound:.4f} times, "
        f"outputs {record.scaled_moved:.4f} times",
    )
    expect(
        abs(record.normed_bound - 0.1) < ROUNDING and record.normed_change < 1e-4,
        f"weights before a batch normalization must not matter for outputs; a tenth of them changed outputs by "
        f"{record.normed_change:.1e}",
    )


def lines(record: Lipschitz) -> list[str]:
    """What a terminal shows."""
    free, decayed = record.free, record.decayed
    return [
        f"digits, network 64-64-32-10, {record.epochs} epochs, {record.seeds} seed(s); without decay, then L2 "
        f"{decayed.strength:g}:",
        f"bound on |change of output| / |change of input|, product of spectral norms: {free.bound:.3g}, then "
        f"{decayed.bound:.3g}",
        f"largest Jacobian over test images: {free.measured:.3g}, then {decayed.measured:.3g}; under noise on average "
        f"{free.moved:.3g}, then {decayed.moved:.3g}",
        f"accuracy {free.accuracy:.1%}, then {decayed.accuracy:.1%}; on noisy images {free.noisy_accuracy:.1%}, then "
        f"{decayed.noisy_accuracy:.1%}",
        f"the bound is met to {max(row.largest_share for row in record.rows):.0%} at most; before a batch "
        "normalization it says nothing.",
    ]


def draw(record: Lipschitz, axes: Any) -> None:
    """Bound and measured changes at every strength, the free network left."""
    x = range(len(record.rows))
    said = {"bound": "product of norms (bound)", "measured": "largest Jacobian, test images",
            "pairs": "largest over pairs of images", "moved": "noise, mean"}  # fmt: skip
    for (name, words), color, marker in zip(said.items(), COLORS, "so^v", strict=False):
        axes.semilogy(x, [getattr(row, name) for row in record.rows], f"{marker}-", color=color, label=words)
    axes.set_xticks(list(x), [f"{row.strength:g}" for row in record.rows])
    plain_frame(axes)
    axes.set_xlabel("strength of L2")
    axes.set_ylabel("change of output / change of input")
    key(axes)


CLAIM = Claim(
    number=13,
    name="lipschitz",
    sentence="Large weights let outputs change much for small changes of inputs: the product of the layers' norms "
    "bounds it, and decay lowers the bound and the change.",
    measure=measure,
    check=check,
    lines=lines,
    pictures={"change": draw},
    extras=("torch",),
)
