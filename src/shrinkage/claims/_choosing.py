"""Claim 11: the strength is chosen on held-out rows over a grid; one run does the grid and says how sure it is."""

import math
import time
from functools import partial
from typing import Any

import numpy as np

from shrinkage.claims._choosing_record import Choosing, Judged, Other, in_words
from shrinkage.claims._claim import Claim, expect
from shrinkage.claims._drawing import COLORS, GRAY, key, plain_frame
from shrinkage.claims._small_nets import Split, alone, batches, held_out_loss, mlp, standardized
from shrinkage.datasets import load_breast_cancer, load_diabetes

WIDTHS = (10, 64, 1)
LR, BATCH = 5e-3, 32
HELD_OUT = 0.2
GRID = (0.0, *(round(10 ** (k / 4 - 5), 8) for k in range(17)))
QUICK_GRID = (0.0, 1e-4, 1e-2, 1e-1)
DECAYS = (0.0, 1e-4, 1e-2, 0.1, 0.3, 1.0, 3.0, 10.0)
QUICK_DECAYS = (0.0, 2.0)
TARGET = 0.9
SAME = 1e-9


def measure(quick: bool = False) -> Choosing:
    """Sweep, loop, path, target and rule on the same rows."""
    from shrinkage.penalties import L1
    from shrinkage.torch import sweep
    from shrinkage.training import auto_decay

    grid, decays, seeds, epochs = (QUICK_GRID, QUICK_DECAYS, 3, 40) if quick else (GRID, DECAYS, 5, 40)
    data = standardized(load_diabetes(), "float32")
    rows = (data.X, data.y)
    common: dict[str, Any] = {"lr": LR, "batch_size": BATCH, "validation": HELD_OUT}
    with alone():
        difference = apart(2 if quick else 6)  # before anything is timed: the first stack of a process prepares torch
        started = time.process_time()
        found = sweep(network, rows, grid, penalty=L1(1.0), epochs=epochs, seeds=seeds, **common)
        spent = time.process_time() - started
        n_train = int(found.n_train or 0)
        per_epoch = math.ceil(n_train / BATCH)
        loop = min(len(grid), 1 if quick else 9)
        rule = auto_decay(LR, per_epoch, epochs).weight_decay
        decayed = sweep(network, rows, sorted({*decays, rule}), epochs=epochs, seeds=seeds, **common)
        judged, target_zeros, rungs = _choices(data, found, epochs, quick)
        splits = [
            sweep(network, rows, grid, penalty=L1(1.0), epochs=epochs, seeds=1 if quick else 3, split_seed=k, **common)
            for k in range(1, 2 if quick else 6)
        ]
        return Choosing(
            **_of(found),
            by_seed=tuple(found.strengths[found.held_out.argmin(axis=0)].tolist()),
            by_split=tuple(float(one.best_strength) for one in splits),
            n_held_out=int(found.n_held_out or 0),
            n_train=n_train,
            epochs=epochs,
            sweep_seconds=spent / found.held_out.size,
            loop_seconds=_loop(data, n_train, grid[:loop], epochs) / loop,
            n_trainings=found.held_out.size,
            loop_trainings=loop,
            apart=difference,
            judged=judged,
            target_zeros=target_zeros,
            path_trainings=rungs,
            decays=decayed.strengths,
            decay_held_out=decayed.mean,
            decay_error=np.array(decayed.difference_se, dtype=float),
            rule=rule,
            n_steps=per_epoch * epochs,
            other=_elsewhere(*((QUICK_GRID, 2, 15) if quick else (GRID, 5, epochs))),
        )


def _of(found: Any) -> dict[str, Any]:
    """What is the sweep's own."""
    return {
        "strengths": found.strengths,
        "held_out": found.held_out,
        "se": np.array(found.se, dtype=float),
        "allowed": np.array(found.allowed, dtype=float),
        "zeros": found.mean_zeros,
        "best": found.best_strength,
        "one_se": found.one_se_strength,
        "difference_se": np.array(found.difference_se, dtype=float),
    }


def network(dtype: str = "float32") -> Any:
    """A new network."""
    return mlp(*WIDTHS, dtype=dtype)


def _elsewhere(grid: Any, seeds: int, epochs: int) -> Other:
    """The same sweep on the breast cancer data, where the strength is another story."""
    from shrinkage.penalties import L1
    from shrinkage.torch import sweep

    data = standardized(load_breast_cancer(), "float32")
    found = sweep(partial(mlp, 30, 64, 2), (data.X, data.y), grid, penalty=L1(1.0), lr=LR, batch_size=BATCH,
                  validation=HELD_OUT, mode="stacked", epochs=epochs, seeds=seeds)  # fmt: skip
    none = int(np.flatnonzero(found.strengths == 0)[0])
    errors = np.array(found.difference_se, dtype=float)
    return Other(found.best_strength, float(found.mean.min()), float(found.mean[none]), float(errors[none]))


def apart(epochs: int) -> float:
    """How far a stack of strengths and single trainings end apart in held-out loss, relative, in float64."""
    from shrinkage.penalties import L1
    from shrinkage.torch import sweep

    data, make = standardized(load_diabetes()), partial(network, "float64")
    both = [
        sweep(make, (data.X, data.y), QUICK_GRID, penalty=L1(1.0), lr=LR, batch_size=BATCH, epochs=epochs, mode=mode)
        for mode in ("stacked", "loop")
    ]
    return float(np.abs(both[0].held_out / both[1].held_out - 1.0).max())


def _loop(data: Split, n_train: int, strengths: Any, epochs: int) -> float:
    """Processor time of the loop that people write: one training for each strength, the penalty in the loss."""
    import torch

    part = Split(data.X[:n_train], data.y[:n_train], data.X[n_train:], data.y[n_train:])
    started = time.process_time()
    for strength in strengths:
        model = mlp(*WIDTHS, seed=0)
        optimizer = torch.optim.Adam(model.parameters(), lr=LR)
        for rows in batches(n_train, BATCH, epochs, 0):
            optimizer.zero_grad()
            loss = 0.5 * (model(part.X[rows])[:, 0] - part.y[rows]).square().mean()
            loss = loss + strength * sum((p.abs().sum() for p in model.parameters() if p.ndim > 1), start=0.0)
            loss.backward()
            optimizer.step()
        float(held_out_loss(model, part).mean())
    return time.process_time() - started


def _steered(data: Split, epochs: int) -> tuple[Judged, float]:
    """A network that was told how many zeros it should have, and how many it got."""
    import torch

    from shrinkage.penalties import L1
    from shrinkage.torch import DualAdam, Plan, TargetSparsity

    model = mlp(*WIDTHS, seed=0)
    optimizer = DualAdam(Plan(model, L1(1e-3)), lr=LR)
    control = TargetSparsity(optimizer, TARGET, steps=epochs * math.ceil(len(data.y) / BATCH))
    for rows in batches(len(data.y), BATCH, epochs, 0):
        optimizer.zero_grad()
        (0.5 * (model(data.X[rows])[:, 0] - data.y[rows]).square().mean()).backward()
        optimizer.step()
        control.step()
    with torch.no_grad():
        return judge(f"{TARGET:.0%} zeros wanted", f"{control.strengths[0]:.2g}", model, data), control.zeros


def _choices(data: Split, found: Any, epochs: int, quick: bool) -> tuple[tuple[Judged, ...], float, int]:
    """Networks of the sweep, of a path, and at a wanted share of zeros, on the test rows."""
    from shrinkage.penalties import L1
    from shrinkage.torch import path, sweep

    judged = []
    for words, strength in (("none", 0.0), ("best", found.best_strength), ("1-SE", found.one_se_strength)):
        if strength not in found.weights:
            # The sweep keeps the weights of what it chose; without a penalty it is trained again.
            alike = sweep(network, (data.X, data.y), [strength], penalty=L1(1.0), lr=LR, batch_size=BATCH,
                          epochs=epochs, validation=HELD_OUT, mode="loop")  # fmt: skip
            weights = alike.weights[strength]
        else:
            weights = found.weights[strength]
        model = network()
        model.load_state_dict(weights)
        judged.append(judge(words, f"{strength:.3g}", model, data))
    model = mlp(*WIDTHS, seed=0)
    strengths = [1e-3, 1e-2] if quick else "auto"
    walked = path(model, (data.X, data.y), penalty=L1(1.0), strengths=strengths, lr=LR, epochs=epochs // 2,
                  epochs_per_rung=max(epochs // 4, 1), batch_size=BATCH)  # fmt: skip
    judged.append(judge("path, 1-SE, refitted", f"{walked.chosen_strength:.2g}", model, data))
    steered, zeros = _steered(data, epochs if quick else 2 * epochs)
    return (*judged, steered), zeros, len(walked.strengths)


def judge(words: str, strength: str, model: Any, data: Split) -> Judged:
    """A network on the test rows."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    zeros = sum(int((p == 0).sum()) for p in matrices) / sum(p.numel() for p in matrices)
    return Judged(words, strength, zeros, *_test(model, data))


def _test(model: Any, data: Split) -> tuple[float, float]:
    """Mean loss and R² on the test rows."""
    loss = float(held_out_loss(model, data).mean())
    return loss, 1.0 - 2.0 * loss / float(data.y_test.var(correction=0))


def check(record: Choosing) -> None:
    """The choices are the grid's, with their errors; a stack is a loop; the target is met, and the rule helps."""
    r = record
    mean = r.mean
    lowest = int(mean.argmin())
    expect(r.best == r.strengths[lowest], f"best must be the lowest mean, {r.strengths[lowest]:g}; it is {r.best:g}")
    error = r.held_out.std(axis=1, ddof=1) / math.sqrt(r.n_seeds)
    off = float(np.abs(r.se / error - 1.0).max())
    expect(off < 1e-9, f"standard errors must be those of the mean over {r.n_seeds} seeds; off by {off:.1e}")
    eligible = r.strengths[mean <= mean[lowest] + r.allowed]
    expect(
        r.one_se == eligible.max() and float((r.allowed - error[lowest]).max()) <= 1e-12,
        f"1-SE must be the largest strength within one standard error, {eligible.max():g}; it is {r.one_se:g}",
    )
    above = mean - mean[lowest] - 2.0 * r.difference_se
    expect(
        0 < lowest < len(mean) - 1 and above[0] > 0 and above[-1] > 0,
        f"no strength and too much must both be worse than the best, {mean[lowest]:.4f}, by more than two standard "
        f"errors of the difference; they are at {mean[0]:.4f} and {mean[-1]:.4f}",
    )
    expect(r.apart <= SAME, f"one stack must give what single trainings give; losses are {r.apart:.1e} apart")
    expect(
        abs(r.target_zeros - TARGET) <= 0.01,
        f"the wanted share of zeros must be met within a point; {TARGET:.0%} became {r.target_zeros:.1%}",
    )
    expect(
        r.other.errors < 2.0,
        f"the text says that on breast cancer no penalty is clearly better than none; {r.other.best:.2g} is, by "
        f"{r.other.errors:.1f} standard errors",
    )
    expect(
        abs(r.rule * LR * r.n_steps - 1.0) < 1e-9 and r.rule_gain > 0.4,
        f"the timescale rule must bring at least 40 % of what the best decay brings; {r.rule:.3g} brought "
        f"{r.rule_gain:.0%}",
    )


def lines(record: Choosing) -> list[str]:
    """What a terminal shows."""
    r = record
    mean = r.mean
    place = int(mean.argmin())
    at = ", ".join(f"{s:.2g}: {m:.3f}" for s, m in zip(r.strengths, mean, strict=True))
    return [
        f"diabetes, network 10-64-1, L1, {len(r.strengths)} strengths x {r.n_seeds} seeds x {r.epochs} epochs; "
        "held-out loss:",
        at,
        f"best {r.best:.2g} (loss {mean[place]:.4f} ± {r.se[place]:.4f}), 1-SE {r.one_se:.2g}; seeds by themselves: "
        f"{in_words(r.by_seed)}; other splits: {in_words(r.by_split)}",
        f"one training: {1e3 * r.sweep_seconds:.0f} ms in the sweep, {1e3 * r.loop_seconds:.0f} ms in a loop "
        f"({r.speedup:.1f} times); stack and single trainings {r.apart:.0e} apart",
        f"wanted {TARGET:.0%} zeros: {r.target_zeros:.1%}",
        f"timescale rule for AdamW: weight_decay {r.rule:.2g}, {r.rule_gain:.0%} of what the best decay, "
        f"{r.best_decay:.2g}, gains",
    ]


def draw(record: Choosing, axes: Any) -> None:
    """Held-out loss against strength with errors, seeds as dots, choices marked."""
    x = np.arange(len(record.strengths))
    axes.plot(x, record.held_out, ".", color=GRAY, markersize=4)
    axes.errorbar(x, record.mean, yerr=record.se, fmt="o-", color=COLORS[0], capsize=3, label="mean ± standard error")
    for words, strength, color in (("best", record.best, COLORS[1]), ("1-SE", record.one_se, COLORS[2])):
        place = int(np.argmin(np.abs(record.strengths - strength)))
        axes.axvline(place + (0.04 if words == "1-SE" else -0.04), color=color, linestyle=":", label=words)
    every = max(1, len(x) // 5)
    shown = [0, *range(1, len(x), every)]
    axes.set_xticks(shown, [f"{record.strengths[k]:.2g}" for k in shown])
    axes.set_yscale("log")
    plain_frame(axes)
    axes.set_xlabel("strength of L1")
    axes.set_ylabel("held-out loss (dots: seeds)")
    key(axes)


CLAIM = Claim(
    number=11,
    name="choosing",
    sentence="The strength is chosen on a validation set over a grid: one sweep trains the grid and says how sure the "
    "choice is; a wanted share of zeros and a timescale rule need no grid.",
    measure=measure,
    check=check,
    lines=lines,
    pictures={"choice": draw},
    extras=("torch",),
)
