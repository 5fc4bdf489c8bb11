"""Claim 12: the values that everybody uses, beside those that data choose; and L1 training beside pruning."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkage._path import cross_validate
from shrinkage.claims._claim import Claim, expect
from shrinkage.claims._drawing import COLORS, GRAY, key, plain_frame
from shrinkage.claims._markdown import markdown_table
from shrinkage.claims._small_nets import Split, accuracy, alone, digits, mlp, standardized, train, weights
from shrinkage.datasets import load_breast_cancer, load_diabetes, load_nci60
from shrinkage.training import auto_decay

FOLKLORE = (1e-4, 1e-2)
GRID = (0.0, 1e-4, 1e-3, 1e-2, 0.1, 0.3, 1.0, 3.0, 10.0)
QUICK_GRID = (0.0, 1e-4, 1e-2, 1.0)
SGD_GRID = (0.0, 1e-4, 1e-3, 1e-2, 3e-2, 0.1)
QUICK_SGD_GRID = (0.0, 1e-4, 3e-2)
LR, SGD_LR, MOMENTUM, BATCH = 5e-3, 0.05, 0.9, 32
LOST = {"AdamW": 0.01, "SGD": 0.03}
"""What 1e-4 may take of a weight in a whole training, and still do next to nothing; SGD's rate is the larger one."""
MOVED = 0.03
"""By what share a usual value may move the held-out loss, and still do next to nothing."""
ALPHA, PRUNING_LR = 1e-3, 1e-2


@dataclass(frozen=True)
class Decays:
    """One data set and optimizer: held-out loss by `weight_decay`.

    Attributes
    ----------
    data, optimizer : str
    decays, losses, errors : ndarray
        `errors` are standard errors of the difference to the best decay's loss, paired over seeds.
    rule : float
        Of the timescale rule; nan for SGD, which it is not for.
    lost : float
        What a weight loses of itself over the whole training at 1e-4, as the optimizer's own arithmetic has it.
    n_train, n_held_out, n_steps : int
    """

    data: str
    optimizer: str
    decays: np.ndarray
    losses: np.ndarray
    errors: np.ndarray
    rule: float
    lost: float
    n_train: int
    n_held_out: int
    n_steps: int

    def at(self, decay: float) -> int:
        """Place of a decay."""
        return int(np.argmin(np.abs(self.decays - decay)))

    @property
    def chosen(self) -> float:
        """The decay of the lowest held-out loss."""
        return float(self.decays[int(np.argmin(self.losses))])

    @property
    def gain(self) -> float:
        """How many standard errors of the difference the chosen decay is better than 1e-4."""
        place = self.at(FOLKLORE[0])
        above = float(self.losses[place] - self.losses.min())
        return above / float(self.errors[place]) if above > 0 else 0.0

    def moved(self, decay: float) -> float:
        """By what share a decay changes the loss without decay."""
        return float(abs(self.losses[self.at(decay)] / self.losses[0] - 1.0))


@dataclass(frozen=True)
class Linear:
    """A linear model under L1 with its strength by ten-fold cross-validation."""

    data: str
    loss: str
    n_features: int
    alpha_max: float
    alpha_min: float
    alpha_1se: float
    kept_min: int
    kept_1se: int
    folklore_kept: int
    error_min: float
    error_folklore: float


@dataclass(frozen=True)
class Sparse:
    """A way to a sparse network, means over the seeds; `objective` is the mean cross entropy plus α Σ|w|."""

    words: str
    zeros: float
    accuracy: float
    sd: float
    objective: float


@dataclass(frozen=True)
class PracticalValues:
    """Networks' decays, linear strengths, and two ways to zeros."""

    decays: tuple[Decays, ...]
    linear: tuple[Linear, ...]
    sparse: tuple[Sparse, ...]
    seeds: int
    epochs: int

    @property
    def most_moved(self) -> float:
        """The largest share by which a usual value moves a loss."""
        return max(
            d.moved(usual) for d in self.decays for usual in (FOLKLORE if d.optimizer == "AdamW" else FOLKLORE[:1])
        )

    def decay_table(self) -> str:
        """Folklore's values beside the chosen one."""
        heads = ["data, optimizer", "steps", "lost at 1e-4", "loss at 0", "at 1e-4", "at 0.01", "chosen", "its loss",
                 "better than 1e-4, errors", "rule", "its loss"]  # fmt: skip
        rows = []
        for d in self.decays:
            ruled = not math.isnan(d.rule)
            rows.append(
                [f"{d.data}, {d.optimizer}", f"{d.n_steps:,}", f"{d.lost:.2%}", f"{d.losses[0]:.4f}",
                 f"{d.losses[d.at(1e-4)]:.4f}", f"{d.losses[d.at(1e-2)]:.4f}", f"{d.chosen:g}", f"{d.losses.min():.4f}",
                 f"{d.gain:.1f}", f"{d.rule:.2g}" if ruled else "-",
                 f"{d.losses[d.at(d.rule)]:.4f}" if ruled else "-"]
            )  # fmt: skip
        return markdown_table(heads, rows)

    def linear_table(self) -> str:
        """L1 in linear models."""
        heads = ["data, loss", "features", "largest useful α", "α of least error", "kept", "α, 1-SE", "kept",
                 "kept at 1e-4", "error", "error at 1e-4"]  # fmt: skip
        rows = [
            [f"{one.data}, {one.loss}", f"{one.n_features:,}", f"{one.alpha_max:.3g}", f"{one.alpha_min:.2g}",
             str(one.kept_min), f"{one.alpha_1se:.2g}", str(one.kept_1se), f"{one.folklore_kept:,}",
             f"{one.error_min:.3f}", f"{one.error_folklore:.3f}"]
            for one in self.linear
        ]  # fmt: skip
        return markdown_table(heads, rows)

    def sparse_table(self) -> str:
        """Ways to a sparse network."""
        rows = [
            [s.words, f"{s.zeros:.1%}", f"{s.accuracy:.1%} ± {s.sd:.1%}", f"{s.objective:.3f}"] for s in self.sparse
        ]
        return markdown_table(["way", "zeros", "test accuracy", "loss + penalty"], rows)


def measure(quick: bool = False) -> PracticalValues:
    """Sweep decays, cross-validate linear models, and prune beside L1."""
    seeds, epochs, rounds = (2, 30, 8) if quick else (5, 40, 25)
    sets = [("diabetes", load_diabetes, (10, 64, 1)), ("breast cancer", load_breast_cancer, (30, 64, 2))]
    with alone():
        decays = [
            swept(name, standardized(load(), "float32", test_share=0.5), widths, seeds, epochs, kind, quick)
            for name, load, widths in sets
            for kind in ("AdamW", "SGD")
        ]
        if not quick:
            decays.append(swept("digits", digits(), (64, 32, 10), 3, 15, "AdamW", quick))
        sparse = _ways(digits(), 1 if quick else 5, rounds)
    return PracticalValues(tuple(decays), _linear(quick), sparse, seeds, epochs)


def swept(name: str, data: Split, widths: tuple[int, ...], seeds: int, epochs: int, kind: str, quick: bool) -> Decays:
    """Held-out losses of one data set by `weight_decay`."""
    import torch

    from shrinkage.torch import Plan, decay_report, sweep

    per_epoch = math.ceil(len(data.y) / BATCH)
    n_steps, lr = per_epoch * epochs, LR if kind == "AdamW" else SGD_LR
    rule = auto_decay(lr, per_epoch, epochs).weight_decay if kind == "AdamW" else float("nan")
    grid = (QUICK_GRID if quick else GRID) if kind == "AdamW" else (QUICK_SGD_GRID if quick else SGD_GRID)
    if kind == "AdamW":
        grid = tuple(sorted({*grid, rule}))
    elif quick:
        grid = tuple(sorted({*grid, FOLKLORE[1]}))
    options = {} if kind == "AdamW" else {"optimizer": torch.optim.SGD, "optimizer_options": {"momentum": MOMENTUM}}
    found = sweep(lambda: mlp(*widths), (data.X, data.y), grid, lr=lr, epochs=epochs, batch_size=BATCH,
                  validation=(data.X_test, data.y_test), seeds=seeds, mode="stacked", **options)  # fmt: skip
    model = mlp(*widths, seed=0)
    made: Any = torch.optim.AdamW if kind == "AdamW" else torch.optim.SGD
    more = {} if kind == "AdamW" else {"momentum": MOMENTUM}
    row = decay_report(model, made(Plan(model).param_groups(weight_decay=FOLKLORE[0]), lr=lr, **more)).rows[0]
    lost = 1.0 - (1.0 - float(row.median or 0.0)) ** n_steps
    errors = np.array(found.difference_se, dtype=float)
    return Decays(name, kind, found.strengths, found.mean, errors, rule, lost, len(data.y), len(data.y_test), n_steps)


def _linear(quick: bool) -> tuple[Linear, ...]:
    """L1 by ten-fold cross-validation on three data sets."""
    diabetes, cancer, cells = load_diabetes(), load_breast_cancer(), load_nci60()
    sets = [("diabetes", diabetes.X, (diabetes.y - diabetes.y.mean()) / diabetes.y.std(), "squared"),
            ("breast cancer", cancer.X, (cancer.y == "malignant").astype(float), "logistic"),
            ("NCI60, melanoma", cells.X, (cells.y == "MELANOMA").astype(float), "logistic")]  # fmt: skip
    return tuple(_validated(*one) for one in (sets[:2] if quick else sets))


def _validated(name: str, X: np.ndarray, y: np.ndarray, loss: str) -> Linear:
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    found = cross_validate(X, y, loss=loss)
    largest = float(found.path.alphas[0])
    with_folklore = np.append(found.path.alphas[found.path.alphas > FOLKLORE[0]], FOLKLORE[0])
    again = cross_validate(X, y, loss=loss, alphas=with_folklore)
    kept = [int((found.path.coef(alpha) != 0).sum()) for alpha in (found.alpha_min, found.alpha_1se)]
    return Linear(
        data=name,
        loss=loss,
        n_features=X.shape[1],
        alpha_max=largest,
        alpha_min=found.alpha_min,
        alpha_1se=found.alpha_1se,
        kept_min=kept[0],
        kept_1se=kept[1],
        folklore_kept=int((again.path.coef(FOLKLORE[0]) != 0).sum()),
        error_min=float(np.min(found.mean)),
        error_folklore=float(again.mean[-1]),
    )


def _ways(data: Split, seeds: int, epochs: int) -> tuple[Sparse, ...]:
    """Zeros by L1 training, by it and a refit, and by torch's pruning to the same share."""
    ways: dict[str, list[tuple[float, float, float]]] = {"L1, `DualAdam`": [], "magnitude pruning": [],
                                                         "L1, then refit": [], "magnitude pruning ": []}  # fmt: skip
    for seed in range(seeds):
        proximal = judged(by_l1(data, seed, epochs), data)
        ways["L1, `DualAdam`"].append(proximal)
        ways["magnitude pruning"].append(judged(by_pruning(data, seed, epochs, proximal[0]), data))
        refit = judged(by_l1(data, seed, epochs, refit=True), data)
        ways["L1, then refit"].append(refit)
        ways["magnitude pruning "].append(judged(by_pruning(data, seed, epochs, refit[0]), data))
    found = []
    for words, runs in ways.items():
        zeros, right, objective = np.array(runs).T
        spread = float(right.std(ddof=1)) if seeds > 1 else 0.0
        found.append(Sparse(words.strip(), zeros.mean(), right.mean(), spread, objective.mean()))
    return tuple(found)


def judged(model: Any, data: Split) -> tuple[float, float, float]:
    """Share of zeros, test accuracy, and loss plus penalty on the rows trained on."""
    import torch

    flat = torch.cat([w.detach().ravel() for w in weights(model)])
    with torch.no_grad():
        loss = float(torch.nn.functional.cross_entropy(model(data.X), data.y))
    return float((flat == 0).double().mean()), accuracy(model, data), loss + ALPHA * float(flat.abs().sum())


def by_l1(data: Split, seed: int, epochs: int, refit: bool = False) -> Any:
    """`DualAdam` for all epochs; or for half of them, and then what is left without the penalty."""
    import torch
    from torch.nn.utils import prune

    from shrinkage.penalties import L1
    from shrinkage.torch import DualAdam, Plan

    model = mlp(64, 128, 64, 10, seed=seed)
    first = epochs // 2 if refit else epochs
    train(model, DualAdam(Plan(model, L1(ALPHA)), lr=PRUNING_LR), data, epochs=first, seed=seed)
    if refit:
        layers = [layer for layer in model if hasattr(layer, "weight")]
        for layer in layers:
            prune.custom_from_mask(layer, "weight", layer.weight != 0)
        adam = torch.optim.Adam(model.parameters(), lr=PRUNING_LR)
        train(model, adam, data, epochs=epochs - first, seed=seed + 100)
        for layer in layers:
            prune.remove(layer, "weight")
    return model


def by_pruning(data: Split, seed: int, epochs: int, zeros: float) -> Any:
    """Dense for half of the epochs, then torch's pruning of the smallest weights of all layers, then what is left."""
    import torch
    from torch.nn.utils import prune

    model = mlp(64, 128, 64, 10, seed=seed)
    train(model, torch.optim.Adam(model.parameters(), lr=PRUNING_LR), data, epochs=epochs // 2, seed=seed)
    layers = [layer for layer in model if hasattr(layer, "weight")]
    where = [(layer, "weight") for layer in layers]
    prune.global_unstructured(where, pruning_method=prune.L1Unstructured, amount=zeros)
    adam = torch.optim.Adam(model.parameters(), lr=PRUNING_LR)
    train(model, adam, data, epochs=epochs - epochs // 2, seed=seed + 100)
    for layer in layers:
        prune.remove(layer, "weight")
    return model


def check(record: PracticalValues) -> None:
    """1e-4 changes nothing in networks of this size, the data choose far more; L1 selects; zeros are equal."""
    for d in record.decays:
        what = f"{d.data}, {d.optimizer}"
        for usual in FOLKLORE if d.optimizer == "AdamW" else FOLKLORE[:1]:
            moved = d.moved(usual)
            expect(
                d.lost < LOST[d.optimizer] and moved < MOVED,
                f"{what}: {usual:g} must do next to nothing; 1e-4 takes {d.lost:.2%} of a weight, {usual:g} moves the "
                f"loss {moved:.2%}",
            )
        if d.data == "digits":
            continue
        expect(
            d.chosen > FOLKLORE[1] and d.gain > 1.0,
            f"{what}: the data must choose more than {FOLKLORE[1]:g}, by over one standard error; chosen {d.chosen:g}, "
            f"{d.gain:.1f} errors better than 1e-4",
        )
        if d.optimizer == "AdamW":
            ruled, folk = (float(d.losses[d.at(value)]) for value in (d.rule, FOLKLORE[0]))
            expect(ruled < folk, f"{what}: the timescale rule must beat 1e-4; losses {ruled:.4f} and {folk:.4f}")
    for one in record.linear:
        expect(
            0 < one.kept_min < min(one.n_features, one.folklore_kept) and one.kept_1se <= one.kept_min,
            f"{one.data}: L1 by cross-validation must select; it kept {one.kept_min} of {one.n_features} features, at "
            f"1e-4 {one.folklore_kept}, one standard error up {one.kept_1se}",
        )
        expect(
            one.alpha_min > 10 * FOLKLORE[0],
            f"{one.data}: cross-validation must choose more than ten times 1e-4; it chose {one.alpha_min:.2g}",
        )
        expect(
            one.error_min <= one.error_folklore,
            f"{one.data}: the chosen strength must not be worse than 1e-4; {one.error_min:.4f}, "
            f"{one.error_folklore:.4f}",
        )
    for ours, pruned in zip(record.sparse[::2], record.sparse[1::2], strict=True):
        expect(
            ours.zeros > 0.5 and abs(ours.zeros - pruned.zeros) < 0.001,
            f"{ours.words} and pruning must be as sparse; {ours.zeros:.1%} and {pruned.zeros:.1%} zeros",
        )
        expect(
            ours.objective < pruned.objective and ours.accuracy > pruned.accuracy - 0.05,
            f"{ours.words}: loss + penalty must be lower than by pruning, accuracy no more than 5 points below; "
            f"{ours.objective:.3f} and {pruned.objective:.3f}, {ours.accuracy:.1%} and {pruned.accuracy:.1%}",
        )


def lines(record: PracticalValues) -> list[str]:
    """What a terminal shows."""
    found = [
        f"{d.data}, {d.optimizer}: loss {d.losses[0]:.4f} at 0, {d.losses[d.at(1e-4)]:.4f} at 1e-4 (takes "
        f"{d.lost:.2%} of a weight), {d.losses.min():.4f} at the chosen {d.chosen:g}"
        for d in record.decays
    ]
    one = record.linear[-1]
    ours, pruned = record.sparse[:2]
    return [
        *found,
        f"L1 in a linear model of {one.data}: α {one.alpha_min:.2g} keeps {one.kept_min} of {one.n_features:,}; 1e-4 "
        f"keeps {one.folklore_kept:,}",
        f"digits at {ours.zeros:.1%} zeros: L1 {ours.accuracy:.1%} right, magnitude pruning {pruned.accuracy:.1%}",
    ]


def draw(record: PracticalValues, axes: Any) -> None:
    """Held-out loss against AdamW's decay, relative to none; folklore's range shaded."""
    axes.axvspan(*FOLKLORE, color=GRAY, alpha=0.2, label="1e-4 to 0.01")
    axes.axhline(1.0, color=GRAY, linewidth=0.8)
    shown = [d for d in record.decays if d.optimizer == "AdamW"]
    for d, color, marker in zip(shown, COLORS, "os^", strict=False):
        axes.plot(d.decays[1:], d.losses[1:] / d.losses[0], f"{marker}-", color=color, label=d.data)
        axes.plot(d.rule, d.losses[d.at(d.rule)] / d.losses[0], "*", color=color, markersize=13)
    axes.set_xscale("log")
    axes.set_yscale("log")
    plain_frame(axes)
    axes.set_xlabel("weight_decay of AdamW (star: timescale rule)")
    axes.set_ylabel("held-out loss / loss without decay")
    key(axes)


CLAIM = Claim(
    number=12,
    name="practical_values",
    sentence="Usual values are AdamW 1e-4 to 0.01 and SGD 1e-4, with L1 for linear models and pruning for networks; on "
    "small clinical data they do next to nothing, and the data choose far more.",
    measure=measure,
    check=check,
    lines=lines,
    pictures={"folklore": draw},
    extras=("torch",),
)
