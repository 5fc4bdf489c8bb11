"""Claim 3: L1's pull does not fade near zero and a proximal step ends there; L2's fades; a subgradient overshoots."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from shrinkage._path import path
from shrinkage.claims._claim import Claim, expect
from shrinkage.claims._drawing import COLORS, GRAY, key, plain_frame
from shrinkage.claims._exact_zeros_record import LONG, SIZES, Descent, ExactZeros, Network, OneWeight, steps_due
from shrinkage.claims._small_nets import Split, accuracy, alone, digits, mlp, train, weights
from shrinkage.datasets import load_diabetes
from shrinkage.design import as_design
from shrinkage.losses import Squared
from shrinkage.penalties import L1, L2
from shrinkage.problem import Problem

STEPS = (0.3, 0.07, 0.011)
"""lr·α of the steps to zero."""
RATE, CENTER = 0.03, 0.5
"""One weight with data: ½ (w - 0.5)² + |w|, from w = 1."""
RATES = (0.1, 0.05, 0.025)
STRENGTH = 2e-3
TRAININGS = (
    "hand, Adam",
    "hand, Adam, constant lr",
    "hand, SGD",
    "Adam with weight_decay",
    "ProxAdam",
    "DualAdam",
    "DualAdam, constant lr",
)
WORSE, HIGHER = 0.07, 1.2
"""By how much a network with zeros may be less often right than the loop by hand, and its objective higher."""
HAND = ("hand, SGD", "hand, SGD with momentum", "hand, Adam")


def measure_slopes() -> dict[str, tuple[float, ...]]:
    """The derivative of both penalties, as autograd sees it, at weights of several sizes."""
    import torch

    found = {}
    for name, penalty in (("L1", L1(1.0)), ("L2", L2(1.0))):
        w = torch.tensor(SIZES, dtype=torch.float64, requires_grad=True)
        penalty.value(w).backward()
        assert w.grad is not None
        found[name] = tuple(float(slope) for slope in w.grad)
    return found


def measure_steps() -> tuple[dict[float, tuple[int, float]], float]:
    """Proximal steps of one weight, from 1 without data: steps to 0 by L1, what L2 has left then, and after 8,000."""
    found = {}
    for size in STEPS:
        v, w, count = np.ones(1), np.ones(1), 0
        while v[0] != 0 and count < 10 * steps_due(size):
            v, w, count = L1(1.0).prox(v, size), L2(1.0).prox(w, size), count + 1
        found[size] = (count, float(w[0]))
    w = np.ones(1)
    for _ in range(LONG):
        w = L2(1.0).prox(w, 0.1)
    return found, float(w[0])


def measure_one(n_steps: int) -> dict[str, OneWeight]:
    """½ (w - 0.5)² + |w| from w = 1 by every optimizer; the minimizer is 0. Last, ½ (w - 0.5)² + ½ w² by prox."""
    import torch

    from shrinkage.torch import DualAdam, Plan, ProxAdam, ProxSGD

    makers: dict[str, tuple[Any, Callable[[Any, Any], Any]]] = {
        "hand, SGD": (None, lambda w, _: torch.optim.SGD([w], lr=RATE)),
        "hand, SGD with momentum": (None, lambda w, _: torch.optim.SGD([w], lr=RATE, momentum=0.9)),
        "hand, Adam": (None, lambda w, _: torch.optim.Adam([w], lr=RATE)),
        "ProxSGD": (L1(1.0), lambda _, plan: ProxSGD(plan, lr=RATE)),
        "ProxSGD with momentum": (L1(1.0), lambda _, plan: ProxSGD(plan, lr=RATE, momentum=0.9)),
        "ProxAdam": (L1(1.0), lambda _, plan: ProxAdam(plan, lr=RATE)),
        "DualAdam": (L1(1.0), lambda _, plan: DualAdam(plan, lr=RATE)),
        "ProxSGD, L2": (L2(1.0), lambda _, plan: ProxSGD(plan, lr=RATE)),
    }
    found = {}
    for name, (penalty, make) in makers.items():
        model = torch.nn.Linear(1, 1, bias=False, dtype=torch.float64)
        w = model.weight
        with torch.no_grad():
            w.fill_(1.0)
        optimizer = make(w, Plan(model, penalty) if penalty is not None else None)
        trail = [1.0]
        for _ in range(n_steps):
            optimizer.zero_grad()
            loss = 0.5 * (w - CENTER).square().sum()
            (loss if penalty is not None else loss + w.abs().sum()).backward()
            optimizer.step()
            trail.append(float(w.detach()))
        found[name] = OneWeight(name, np.array(trail))
    return found


def measure_descents(n_steps: int) -> tuple[tuple[Descent, ...], int]:
    """Gradient steps on a lasso whose certified minimum is known: standardized diabetes, at a tenth of alpha_max."""
    data = load_diabetes()
    X, y = (data.X - data.X.mean(axis=0)) / data.X.std(axis=0), (data.y - data.y.mean()) / data.y.std()
    exact = path(X, y, n_alphas=2, alpha_min_ratio=0.1, tol=1e-13)
    alpha, solution = float(exact.alphas[-1]), exact.coefs[:, [1]].toarray()[:, 0]
    penalty = L1(alpha)
    problem = Problem(as_design(X), y, Squared(), penalty)
    minimum, null = problem.objective(solution, exact.intercepts[1]), problem.null.objective
    found = []
    for name, rate in [("subgradient", rate) for rate in RATES] + [("prox", RATES[0])]:
        w, excess = np.zeros(X.shape[1]), np.empty(n_steps)
        for step in range(n_steps):
            slope = problem.gradient(w, 0.0)[0]
            rough = w - rate * (slope + alpha * np.sign(w))
            w = penalty.prox(w - rate * slope, rate) if name == "prox" else rough
            excess[step] = max((problem.objective(w, 0.0) - minimum) / null, 1e-17)
        same = bool(np.array_equal(w == 0, solution == 0))
        found.append(Descent(name, rate, excess, int((w == 0).sum()), same))
    return tuple(found), int((solution == 0).sum())


def _trained(name: str, data: Split, seed: int, epochs: int) -> tuple[Any, float]:
    """A network after one way of training, and the share of sign changes per step in the last epoch."""
    import torch

    from shrinkage.torch import DualAdam, Plan, ProxAdam

    model = mlp(64, 64, 10, seed=seed)
    mine = weights(model)
    penalty = (lambda: STRENGTH * sum(w.abs().sum() for w in mine)) if name.startswith("hand") else None
    makers = {
        "hand, Adam": lambda: torch.optim.Adam(model.parameters(), lr=3e-3),
        "hand, Adam, constant lr": lambda: torch.optim.Adam(model.parameters(), lr=3e-3),
        "hand, SGD": lambda: torch.optim.SGD(model.parameters(), lr=0.2),
        "Adam with weight_decay": lambda: torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=STRENGTH),
        "ProxAdam": lambda: ProxAdam(Plan(model, L1(STRENGTH)), lr=3e-3),
        "DualAdam": lambda: DualAdam(Plan(model, L1(STRENGTH)), lr=3e-3),
        "DualAdam, constant lr": lambda: DualAdam(Plan(model, L1(STRENGTH)), lr=3e-3),
    }
    last = math.ceil(len(data.y) / 64)
    signs, flips, step = [w.detach().sign() for w in mine], 0.0, 0

    def count() -> None:
        nonlocal signs, flips, step
        step += 1
        if step >= last * (epochs - 1):
            now = [w.detach().sign() for w in mine]
            if step > last * (epochs - 1):
                changed = sum(float((a * b < 0).sum()) for a, b in zip(now, signs, strict=True))
                flips += changed / sum(w.numel() for w in mine) / last
            signs = now

    train(
        model, makers[name](), data, epochs=epochs, seed=seed, penalty=penalty, cosine="constant" not in name,
        after_step=count,
    )  # fmt: skip
    return model, flips


def _objective(model: Any, data: Split, sizes: np.ndarray) -> float:
    """Mean cross entropy of the training rows plus the penalty."""
    import torch

    with torch.no_grad():
        return float(torch.nn.functional.cross_entropy(model(data.X), data.y)) + STRENGTH * float(sizes.sum())


def measure_networks(n_seeds: int, epochs: int, names: tuple[str, ...] = TRAININGS) -> dict[str, Network]:
    """Ways of training a network on digits."""
    import torch

    found = {}
    with alone():
        data = digits()
        for name in names:
            numbers, sizes = np.empty((n_seeds, 5)), np.empty(0)
            for seed in range(n_seeds):
                model, flips = _trained(name, data, seed, epochs)
                w = torch.cat([tensor.detach().flatten() for tensor in weights(model)]).abs().double().numpy()
                numbers[seed] = (
                    (w == 0).mean(),
                    (w < 1e-4).mean(),
                    flips,
                    accuracy(model, data),
                    _objective(model, data, w),
                )
                sizes = np.sort(w) if seed == 0 else sizes
            zeros, small, flips, right, objective = (float(value) for value in numbers.mean(axis=0))
            found[name] = Network(name, zeros, small, flips, right, objective, sizes)
    return found


def measure(quick: bool) -> ExactZeros:
    """One weight, a lasso and a network; `quick` trains one network of each kind, and shorter."""
    n_seeds, epochs, n_steps, n_descents = (1, 6, 120, 600) if quick else (3, 40, 400, 3000)
    steps, survivor = measure_steps()
    descents, lasso_zeros = measure_descents(n_descents)
    networks = measure_networks(n_seeds, epochs)
    n_weights = networks["DualAdam"].sizes.size
    return ExactZeros(
        measure_slopes(),
        steps,
        survivor,
        measure_one(n_steps),
        descents,
        lasso_zeros,
        networks,
        n_seeds,
        epochs,
        n_weights,
    )


def check(record: ExactZeros) -> None:
    """L1's pull is constant and ends at 0, L2's fades; the subgradient overshoots; ours has most zeros."""
    for name, power in (("L1", 0), ("L2", 1)):
        for size, slope in zip(SIZES, record.slopes[name], strict=True):
            expect(abs(slope - size**power) < 1e-12, f"{name} pulls {size:g} with {slope:g}, not with {size**power:g}")
    for size, (count, left) in record.steps.items():
        expect(count == steps_due(size), f"L1 took {count} steps of {size:g} to 0, not {steps_due(size)}")
        expect(left > 0, f"L2 reached {left:g} after {count} steps of {size:g}, not a number > 0")
    expect(record.survivor > 0, f"L2 reached {record.survivor:g} after {LONG} steps, not a number > 0")
    for name, run in record.one.items():
        if name in HAND:
            expect(run.zeros == 0, f"{name} was at exactly 0 in {run.zeros:.0%} of its steps, not in none")
            expect(run.flips > 0.1, f"{name} changed the sign in {run.flips:.0%} of its steps, not in > 10%")
        elif name == "ProxSGD, L2":
            expect(run.zeros == 0, f"{name} was at exactly 0 in {run.zeros:.0%} of its steps, not in none")
        else:
            expect(run.zeros == 1, f"{name} was at exactly 0 in {run.zeros:.0%} of its last steps, not in all")
    rough = [run for run in record.descents if run.name == "subgradient"]
    prox = record.prox
    expect(prox.floor < 1e-10, f"proximal steps end {prox.floor:.1e} above the minimum, not within 1e-10")
    expect(prox.same_support, f"proximal steps leave {prox.zeros} zeros, not the lasso's {record.lasso_zeros}")
    for run in rough:
        expect(run.zeros == 0, f"the subgradient left {run.zeros} exact zeros, not 0")
        expect(run.floor > 1e-6, f"the subgradient with lr {run.rate:g} ends {run.floor:.1e} above, not > 1e-6")
    falling = all(a.floor > b.floor for a, b in pairwise(rough))
    expect(falling, "the subgradient's floor does not fall with lr: " + ", ".join(f"{run.floor:.1e}" for run in rough))
    ours = record.networks["DualAdam"].zeros
    for name, network in record.networks.items():
        if name.startswith("hand") or "weight_decay" in name:
            expect(network.zeros == 0, f"{name} has {network.zeros:.1%} exact zeros, not 0")
        elif name == "ProxAdam":
            expect(
                0 < network.zeros < ours, f"{name} has {network.zeros:.1%} exact zeros, not between 0 and {ours:.1%}"
            )
    for name in ("DualAdam", "DualAdam, constant lr"):
        share = record.networks[name].zeros
        expect(0.5 < share < 0.99, f"{name} has {share:.1%} exact zeros, not most weights")
        _check_as_good(record.networks[name], record.networks[name.replace("DualAdam", "hand, Adam")])


def _check_as_good(ours: Network, hand: Network) -> None:
    """Zeros that ruin the network prove nothing."""
    expect(
        ours.accuracy > hand.accuracy - WORSE,
        f"{ours.name} is right on {ours.accuracy:.1%}, {hand.name} on {hand.accuracy:.1%}, not within {WORSE:.0%}",
    )
    expect(
        ours.objective < HIGHER * hand.objective,
        f"{ours.name} has an objective of {ours.objective:.3f}, not below {HIGHER:g} times the {hand.objective:.3f} of "
        f"{hand.name}",
    )


def lines(record: ExactZeros) -> list[str]:
    """What a terminal shows."""
    size, (count, left) = next(iter(record.steps.items()))
    sub, prox = record.roughest, record.prox
    hand, ours = record.networks["hand, Adam"], record.networks["DualAdam"]
    return [
        f"one weight from 1, lr·α = {size:g}: L1's prox is at 0 after {count} steps, L2's at {left:.2g};"
        f" after {LONG:,} steps of 0.1 L2 is at {record.survivor:.1e}",
        f"L1 as a subgradient: never at 0, changes sign in {record.one['hand, SGD'].flips:.0%} of the steps"
        f" (with momentum up to {record.one['hand, SGD with momentum'].amplitude:.2g} away)",
        f"lasso on diabetes, lr {sub.rate:g}: the subgradient stays {sub.floor:.0e} above the minimum with {sub.zeros}"
        f" zeros, the prox is within {prox.floor:.0e} with {prox.zeros}",
        f"network of {record.n_weights:,} weights on digits: exact zeros by hand {hand.zeros:.0%}, by DualAdam"
        f" {ours.zeros:.0%}; test accuracy {hand.accuracy:.1%} and {ours.accuracy:.1%}",
    ]


def draw_weight(record: ExactZeros, axes: Any) -> None:
    """One weight along the steps, near the end of its way."""
    shown = ("hand, SGD", "hand, SGD with momentum", "hand, Adam", "ProxSGD", "ProxSGD, L2")
    for name, color in zip(shown, COLORS, strict=False):
        ours = name.startswith("Prox")
        axes.plot(
            record.one[name].weights[:150], color=color, linewidth=2.2 if ours else 1.0, label=name, zorder=2 + ours
        )
    axes.axhline(0, color=GRAY, linewidth=0.8)
    plain_frame(axes)
    axes.set_xlabel("step")
    axes.set_ylabel("weight")
    key(axes, loc="upper right")


def draw_lasso(record: ExactZeros, axes: Any) -> None:
    """Excess of the objective over its certified minimum."""
    for run, color in zip(record.descents, COLORS, strict=False):
        places = np.unique(np.geomspace(1, len(run.excess), 300).astype(int)) - 1
        words = f"{run.name}, lr {run.rate:g}"
        axes.plot(
            places + 1, run.excess[places], color=color, linewidth=2.2 if run.name == "prox" else 1.0, label=words
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    plain_frame(axes)
    axes.set_xlabel("step")
    axes.set_ylabel("above the minimum")
    key(axes, loc="lower left")


def draw_sizes(record: ExactZeros, axes: Any) -> None:
    """Share of the weights below a size: the height at the left edge is the share of exact zeros."""
    edges = np.geomspace(1e-8, 3, 300)
    for (name, network), color in zip(record.networks.items(), COLORS, strict=False):
        shares = np.searchsorted(network.sizes, edges) / network.sizes.size
        axes.plot(edges, shares, color=color, linewidth=2.2 if "Dual" in name or "Prox" in name else 1.0, label=name)
    axes.set_xscale("log")
    axes.set_ylim(0, 1.02)
    plain_frame(axes)
    axes.set_xlabel("size of a weight")
    axes.set_ylabel("share of the weights that are smaller")
    key(axes, loc="upper left")


CLAIM = Claim(
    number=3,
    name="exact_zeros",
    sentence="L1's pull does not fade as a weight shrinks, L2's does: proximal L1 reaches exactly zero in finitely "
    "many steps, L2 never; L1 as a subgradient overshoots around zero and trains unstably.",
    measure=measure,
    check=check,
    lines=lines,
    pictures={"weight": draw_weight, "lasso": draw_lasso, "sizes": draw_sizes},
    extras=("torch",),
)
