"""Claim 10: after L1 training, the share of zeros of each tensor, and the smaller network that they allow."""

import math
from dataclasses import dataclass
from typing import Any

from shrinkage.claims._claim import Claim, expect
from shrinkage.claims._drawing import COLORS, key, plain_frame
from shrinkage.claims._markdown import markdown_table
from shrinkage.claims._small_nets import PIXELS, Split, accuracy, alone, digits, mlp, train, weights

WIDTHS = (PIXELS, 128, 64, 10)
ALPHA, LR = 1e-3, 1e-2
GROUP_ALPHA = 4e-4
THRESHOLDS = (1e-5, 1e-4, 1e-3, 1e-2)
ROUNDING = 1e-5
"""How far outputs of the smaller network may be from the larger's, relative to the largest output."""


@dataclass(frozen=True)
class TensorRow:
    """One tensor: what a threshold calls near zero after the hand-written loop, and what is zero after ours."""

    name: str
    size: int
    below: tuple[float, ...]
    loop_zeros: float
    zeros: float
    dead: int
    neurons: int
    norm: float
    counted: tuple[float, int, float]
    """Share of zeros, dead neurons and norm, counted without the report."""


@dataclass(frozen=True)
class Smaller:
    """A network and what `compact` made of it; `difference` is that of outputs, relative to the largest."""

    words: str
    zeros: float
    accuracy: float
    accuracy_after: float
    shape: str
    shape_after: str
    parameters: int
    parameters_after: int
    difference: float
    speedup: float


@dataclass(frozen=True)
class ZerosReport:
    """A network of digits after L1: by the loop of the tutorials, and by `DualAdam`.

    Attributes
    ----------
    rows : tuple of TensorRow
    loop_below : tuple of float
        Share of all matrices' weights below each of the thresholds, after the loop.
    ours_below : tuple of float
        The same after `DualAdam`.
    loop_accuracy : float
    ours : Smaller
        L1 on single weights.
    groups : Smaller
        `GroupL2` on neurons.
    text : str
        The report as it prints.
    counted : tuple of int
        Zeros by the report and by counting, summed over tensors.
    dead_counted : tuple of int
        Neurons without any incoming weight, likewise.
    norm_counted : tuple of float
        ‖w‖₂ of everything, likewise.
    moved : float
        Largest change of an output, relative to the largest, if the loop's weights below 1e-3 are set to zero.
    epochs : int
    """

    rows: tuple[TensorRow, ...]
    loop_below: tuple[float, ...]
    ours_below: tuple[float, ...]
    loop_accuracy: float
    ours: Smaller
    groups: Smaller
    text: str
    counted: tuple[int, int]
    dead_counted: tuple[int, int]
    norm_counted: tuple[float, float]
    moved: float
    epochs: int

    def table(self) -> str:
        """One row per matrix."""
        heads = ["tensor", "weights", *(f"loop: < {limit:g}" for limit in THRESHOLDS), "loop: = 0", "ours: = 0",
                 "dead neurons", "norm"]  # fmt: skip
        rows = [
            [
                f"`{row.name}`",
                f"{row.size:,}",
                *(f"{share:.1%}" for share in (*row.below, row.loop_zeros, row.zeros)),
                f"{row.dead} of {row.neurons}",
                f"{row.norm:.2f}",
            ]
            for row in self.rows
        ]
        return markdown_table(heads, rows)

    def smaller_table(self) -> str:
        """What became of both networks."""
        heads = ["penalty", "zeros", "accuracy", "layers", "layers after", "parameters", "after", "outputs differ",
                 "accuracy after", "faster"]  # fmt: skip
        rows = [
            [one.words, f"{one.zeros:.1%}", f"{one.accuracy:.1%}", one.shape, one.shape_after, f"{one.parameters:,}",
             f"{one.parameters_after:,}", f"{one.difference:.0e}", f"{one.accuracy_after:.1%}", f"{one.speedup:.2f}"]
            for one in (self.ours, self.groups)
        ]  # fmt: skip
        return markdown_table(heads, rows)


def measure(quick: bool = False) -> ZerosReport:
    """Train by the loop and by ours, report, and make smaller what can be."""
    import torch

    from shrinkage.penalties import L1, GroupL2
    from shrinkage.torch import DualAdam, Plan, ProxAdam, report

    epochs, data = (6, digits()) if quick else (40, digits())
    with alone():
        looped = mlp(*WIDTHS, seed=0)
        adam = torch.optim.Adam(looped.parameters(), lr=LR)
        train(looped, adam, data, epochs=epochs,
              penalty=lambda: ALPHA * sum((w.abs().sum() for w in weights(looped)), start=0.0))  # fmt: skip
        ours = mlp(*WIDTHS, seed=0)
        optimizer = DualAdam(Plan(ours, L1(ALPHA)), lr=LR)
        train(ours, optimizer, data, epochs=epochs)
        record = report(ours, optimizer)
        grouped = mlp(*WIDTHS, seed=0)
        last = [name for name, p in grouped.named_parameters() if p.ndim > 1][-1]
        plan = Plan(grouped, GroupL2(GROUP_ALPHA, axis=0), exclude=[last])
        train(grouped, ProxAdam(plan, lr=LR), data, epochs=epochs)
        seconds = 0.1 if quick else 1.0
        return ZerosReport(
            rows=tuple(_row(found, w, p) for found, w, p in _matched(record, looped, ours)),
            loop_below=below(torch.cat([w.detach().ravel() for w in weights(looped)])),
            ours_below=below(torch.cat([w.detach().ravel() for w in weights(ours)])),
            loop_accuracy=accuracy(looped, data),
            ours=smaller("`L1` on weights, `DualAdam`", ours, data, seconds),
            groups=smaller("`GroupL2` on neurons, `ProxAdam`", grouped, data, seconds),
            text=str(record),
            counted=(sum(row.zeros for row in record.rows), sum(int((p == 0).sum()) for p in ours.parameters())),
            dead_counted=(sum(row.dead_neurons or 0 for row in record.rows), counted_dead(ours)),
            norm_counted=(
                math.hypot(*(row.norm for row in record.rows)),
                float(torch.cat([p.detach().ravel() for p in ours.parameters()]).double().norm()),
            ),
            moved=_change(looped, data, lambda w: w.masked_fill_(w.abs() < 1e-3, 0.0)),
            epochs=epochs,
        )


def below(w: Any) -> tuple[float, ...]:
    """The share of weights that each threshold calls near zero."""
    return tuple(float((w.abs() < limit).double().mean()) for limit in THRESHOLDS)


def _matched(record: Any, looped: Any, ours: Any) -> list[tuple[Any, Any, Any]]:
    """Rows of the report beside the weights of both networks, for matrices."""
    theirs, own = dict(looped.named_parameters()), dict(ours.named_parameters())
    return [(row, theirs[row.name].detach(), own[row.name].detach()) for row in record.rows if len(row.shape) > 1]


def _row(found: Any, w: Any, own: Any) -> TensorRow:
    return TensorRow(
        name=found.name,
        size=found.size,
        below=below(w),
        loop_zeros=float((w == 0).double().mean()),
        zeros=found.zero_share,
        dead=found.dead_neurons or 0,
        neurons=found.neurons or own.shape[0],
        norm=found.norm,
        counted=(float((own == 0).double().mean()), int((own == 0).all(dim=1).sum()), float(own.double().norm())),
    )


def counted_dead(model: Any) -> int:
    """Neurons whose incoming weights are all zero."""
    return sum(int((w.detach() == 0).all(dim=1).sum()) for w in weights(model))


def smaller(words: str, model: Any, data: Split, seconds: float) -> Smaller:
    """What `compact` makes of a network."""
    from shrinkage.torch import compact

    found = compact(model, data.X_test, seconds=seconds)
    flat = [w.detach().ravel() for w in weights(model)]
    return Smaller(
        words=words,
        zeros=sum(int((w == 0).sum()) for w in flat) / sum(w.numel() for w in flat),
        accuracy=accuracy(model, data),
        accuracy_after=accuracy(found.model, data),
        shape=shape_of(model),
        shape_after=shape_of(found.model),
        parameters=sum(p.numel() for p in model.parameters()),
        parameters_after=sum(p.numel() for p in found.model.parameters()),
        difference=difference(model, found.model, data),
        speedup=found.report.speedup or 1.0,
    )


def shape_of(model: Any) -> str:
    """Widths of the layers, joined."""
    matrices = weights(model)
    return "-".join(str(width) for width in (matrices[0].shape[1], *(w.shape[0] for w in matrices)))


def difference(model: Any, other: Any, data: Split) -> float:
    """Largest difference of outputs on the test images, relative to the largest output."""
    import torch

    with torch.no_grad():
        outputs, others = model(data.X_test), other(data.X_test)
        return float((outputs - others).abs().max() / outputs.abs().max())


def _change(model: Any, data: Split, edit: Any) -> float:
    """What editing every matrix of a copy does to outputs."""
    import copy

    import torch

    edited = copy.deepcopy(model)
    with torch.no_grad():
        for w in weights(edited):
            edit(w)
    return difference(model, edited, data)


def check(record: ZerosReport) -> None:
    """The report counts right; the loop has no zeros, ours most; the smaller networks give the same outputs."""
    r = record
    for what, pair in (("zeros", r.counted), ("dead neurons", r.dead_counted)):
        expect(pair[0] == pair[1] > 0, f"report must count {what} right; it says {pair[0]:,}, there are {pair[1]:,}")
    told, norm = r.norm_counted
    expect(abs(told / norm - 1.0) < 1e-5, f"report must give norms right; it says {told:.6g}, they are {norm:.6g}")
    for row in r.rows:
        off = max(abs(a - b) / max(b, 1e-12) for a, b in zip((row.zeros, row.dead, row.norm), row.counted, strict=True))
        expect(off < 1e-5, f"{row.name}: report must give zeros, dead neurons and norm right; one is {off:.1e} off")
    looped = max(row.loop_zeros for row in r.rows)
    expect(looped < 0.001, f"the penalty in the loss must leave no exact zeros; a tensor has {looped:.1%}")
    spread = r.loop_below[2] - r.loop_below[0]
    expect(
        spread > 0.02,
        f"after the loop the share below a threshold must depend on it; 1e-5 and 1e-3 differ by {spread:.1%}",
    )
    own = r.ours_below[2] - r.ours_below[0]
    expect(own < 0.25 * spread, f"after DualAdam thresholds must matter little; 1e-5 and 1e-3 differ by {own:.1%}")
    share = r.ours.zeros
    expect(0.5 < share < 0.99, f"DualAdam must leave most weights exactly zero, but not all; it left {share:.1%}")
    for one in (r.ours, r.groups):
        expect(
            one.parameters_after < 0.7 * one.parameters,
            f"{one.words}: zeros must allow a smaller network; {one.parameters:,} became {one.parameters_after:,}",
        )
        expect(
            one.difference <= ROUNDING and one.accuracy == one.accuracy_after,
            f"{one.words}: the smaller network must give the same outputs; they differ by {one.difference:.1e}",
        )
    for one in (r.ours, r.groups):
        expect(
            one.accuracy > r.loop_accuracy - 0.05,
            f"{one.words}: zeros must not ruin the network; it is right on {one.accuracy:.1%}, the loop's on "
            f"{r.loop_accuracy:.1%}",
        )


def lines(record: ZerosReport) -> list[str]:
    """What a terminal shows."""
    r = record
    near = ", ".join(f"{share:.1%} < {limit:g}" for share, limit in zip(r.loop_below, THRESHOLDS, strict=True))
    return [
        f"digits, network 64-128-64-10, L1 {ALPHA:g}, {r.epochs} epochs; matrices:",
        f"penalty in the loss: no weight is zero; near zero: {near}; accuracy {r.loop_accuracy:.1%}",
        f"DualAdam: {r.ours.zeros:.1%} exactly zero, {r.dead_counted[0]} dead neurons, accuracy {r.ours.accuracy:.1%}",
        f"compact: {r.ours.shape} became {r.ours.shape_after}, outputs within {r.ours.difference:.0e}, "
        f"{r.ours.parameters:,} to {r.ours.parameters_after:,} parameters",
        f"GroupL2 on neurons: {r.groups.shape_after}, {r.groups.parameters_after:,} parameters, accuracy "
        f"{r.groups.accuracy:.1%}",
    ]


def draw(record: ZerosReport, axes: Any) -> None:
    """What each threshold calls near zero, after the loop and after ours."""
    x = range(len(THRESHOLDS) + 1)
    loop = (max(row.loop_zeros for row in record.rows), *record.loop_below)
    ours = (record.ours.zeros, *record.ours_below)
    axes.plot(x, loop, "o-", color=COLORS[1], label="penalty in the loss, Adam")
    axes.plot(x, ours, "s-", color=COLORS[0], label="DualAdam")
    axes.set_xticks(list(x), ["= 0", *(f"< {limit:g}" for limit in THRESHOLDS)])
    axes.set_ylim(-0.03, 1.0)
    plain_frame(axes)
    axes.set_xlabel("what is counted")
    axes.set_ylabel("share of the weights")
    key(axes, loc="lower right")


CLAIM = Claim(
    number=10,
    name="zeros_report",
    sentence="After L1 training the share of zeros of each tensor is reported: exact zeros need no threshold, and they "
    "allow a smaller network with the same outputs.",
    measure=measure,
    check=check,
    lines=lines,
    pictures={"thresholds": draw},
    extras=("torch",),
)
