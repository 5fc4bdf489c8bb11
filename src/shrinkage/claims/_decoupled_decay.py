"""Claim: L2 in the loss and weight decay are the same for SGD, and are not for Adam."""

from dataclasses import dataclass
from typing import Any

from shrinkage.claims._claim import Claim, expect
from shrinkage.claims._drawing import COLORS, GRAY, key, plain_frame
from shrinkage.claims._markdown import markdown_table
from shrinkage.claims._small_nets import PIXELS, Split, alone, digits, mlp, train, weights

NOISES = (0.01, 1.0, 100.0)
LR, DECAY = 1e-3, 0.1
LEVELS = ("5 %", "25 %", "median", "75 %", "95 %")
ROUNDING = 1e-12
"""How far the runs of SGD may be apart, in float64, relative to the largest weight."""


@dataclass(frozen=True)
class DecoupledDecay:
    """What weight decay took, of weights whose gradients are noise, and of a network of digits.

    Attributes
    ----------
    left_adam, left_adamw : tuple of float, one per noise
        Mean weight after `n_steps` steps, from 1, where gradients are noise of mean 0.
    told_adam, told_adamw : tuple of float
        The same from the shares that `decay_report` gave along the way.
    n_weights, n_steps : int
    sgd_difference, adam_difference : float
        Largest difference of two networks, one with λ/2 ‖w‖² in its loss, one whose weights are multiplied by 1 - lr λ
        before each step, relative to the largest weight.
    sgd_moved : float
        Largest difference to the network without either, on the same scale.
    net_steps : int
    blank_pixels : int
        Pixels that are white in every training image: their weights never get a gradient.
    blank_adam, blank_adamw, blank_pure : float
        Norm of these weights after training over that before; and (1 - lr λ)^steps.
    shares_adam, shares_adamw : tuple of float
        Quantiles over the first layer (5, 25, 50, 75, 95 %) of the share that one step takes from a weight, in lr λ.
    alarm : str
        What `decay_report` says of Adam.
    refusal : str
        What `units.convert` says when AdamW's decay is asked for as a penalty.
    """

    left_adam: tuple[float, ...]
    left_adamw: tuple[float, ...]
    told_adam: tuple[float, ...]
    told_adamw: tuple[float, ...]
    n_weights: int
    n_steps: int
    sgd_difference: float
    adam_difference: float
    sgd_moved: float
    net_steps: int
    blank_pixels: int
    blank_adam: float
    blank_adamw: float
    blank_pure: float
    shares_adam: tuple[float, ...]
    shares_adamw: tuple[float, ...]
    alarm: str
    refusal: str

    @property
    def pure(self) -> float:
        """What decay alone would leave: (1 - lr λ)^n_steps."""
        return (1.0 - LR * DECAY) ** self.n_steps

    @property
    def taken(self) -> tuple[float, float]:
        """What Adam with `weight_decay` took of weights with the smallest and with the largest gradients."""
        return 1 - self.left_adam[0], 1 - self.left_adam[-1]

    def noise_table(self) -> str:
        """Effective decay by the noise of gradients."""
        columns = self.left_adam, self.told_adam, self.left_adamw, self.told_adamw
        rows = [
            (f"{noise:g}", *(f"{value:.3f}" for value in row)) for noise, *row in zip(NOISES, *columns, strict=True)
        ]
        head = ("gradient noise", "Adam + L2: left of 1", "`decay_report`", "AdamW: left of 1", "`decay_report`")
        return markdown_table(head, rows)

    def share_table(self) -> str:
        """Quantiles of the share that one step takes from the weights of the digits' first layer."""
        rows = [
            (name, *(f"{share:.3g}" for share in shares))
            for name, shares in (("Adam + L2", self.shares_adam), ("AdamW", self.shares_adamw))
        ]
        return markdown_table(("share of a weight per step, in lr λ", *LEVELS), rows)


def measure(quick: bool = False) -> DecoupledDecay:
    """Decay weights under noise, and a network under both optimizers."""
    import torch

    from shrinkage.units import NotExpressible, convert

    n_weights, n_steps, epochs = (1000, 500, 4) if quick else (4000, 500, 40)
    with alone():
        adam = [under_noise(torch.optim.Adam, noise, n_weights, n_steps) for noise in NOISES]
        adamw = [under_noise(torch.optim.AdamW, noise, n_weights, n_steps) for noise in NOISES]
        sgd_difference, sgd_moved = two_ways(torch.optim.SGD, 0.1, 2 if quick else 10)
        adam_difference, _ = two_ways(torch.optim.Adam, LR, 2 if quick else 10)
        net = network(epochs)
    try:
        convert("torch.AdamW", "sklearn", weight_decay=DECAY, n_samples=100)
        refusal = ""
    except NotExpressible as error:
        refusal = str(error)
    return DecoupledDecay(
        left_adam=tuple(left for left, _ in adam),
        left_adamw=tuple(left for left, _ in adamw),
        told_adam=tuple(told for _, told in adam),
        told_adamw=tuple(told for _, told in adamw),
        n_weights=n_weights,
        n_steps=n_steps,
        sgd_difference=sgd_difference,
        adam_difference=adam_difference,
        sgd_moved=sgd_moved,
        refusal=refusal,
        **net,
    )


def under_noise(kind: Any, noise: float, n_weights: int, n_steps: int) -> tuple[float, float]:
    """Mean weight that is left of 1 where gradients are noise, and the same as `decay_report` told it on the way."""
    import torch

    from shrinkage.torch import Plan, decay_report

    draw = torch.Generator().manual_seed(0)
    w = torch.nn.Parameter(torch.ones(n_weights, dtype=torch.float64))
    optimizer, plan, told = kind([w], lr=LR, weight_decay=DECAY), Plan([("w", w)]), 1.0
    for step in range(n_steps):
        w.grad = noise * torch.randn(n_weights, generator=draw, dtype=torch.float64)
        optimizer.step()
        if step % 20 == 19:
            told *= (1.0 - float(decay_report(plan, optimizer).rows[0].mean or 0.0)) ** 20
    return float(w.detach().mean()), told


def penalized(data: Split, kind: Any, lr: float, epochs: int, decay: float = DECAY) -> list[Any]:
    """Weights after training with λ/2 ‖w‖² in the loss."""
    model = mlp(PIXELS, 16, 10, dtype="float64", seed=0)
    own = list(model.parameters())
    train(
        model,
        kind(own, lr=lr),
        data,
        epochs=epochs,
        cosine=False,
        penalty=lambda: 0.5 * decay * sum((p.square().sum() for p in own), start=0.0),
    )
    return [p.detach() for p in own]


def shrunk(data: Split, kind: Any, lr: float, epochs: int, decay: float = DECAY) -> list[Any]:
    """Weights after training in which every step first multiplies them by 1 - lr λ."""
    import torch

    model = mlp(PIXELS, 16, 10, dtype="float64", seed=0)
    optimizer = kind(model.parameters(), lr=lr)

    def shrink(*_: Any) -> None:
        with torch.no_grad():
            for p in model.parameters():
                p.mul_(1.0 - lr * decay)

    optimizer.register_step_pre_hook(shrink)
    train(model, optimizer, data, epochs=epochs, cosine=False)
    return [p.detach() for p in model.parameters()]


def two_ways(kind: Any, lr: float, epochs: int) -> tuple[float, float]:
    """How far the two ways end apart, and how far from training without decay; relative to the largest weight."""
    data = digits("float64")
    one, other = penalized(data, kind, lr, epochs), shrunk(data, kind, lr, epochs)
    free = shrunk(data, kind, lr, epochs, decay=0.0)
    scale = max(float(p.abs().max()) for p in one)
    apart = max(float((p - q).abs().max()) for p, q in zip(one, other, strict=True))
    moved = max(float((p - q).abs().max()) for p, q in zip(one, free, strict=True))
    return apart / scale, moved / scale


def network(epochs: int) -> dict[str, Any]:
    """The digits under Adam with `weight_decay` and under AdamW, the latter by a plan that leaves biases alone."""
    import torch

    from shrinkage.torch import AdamW, Plan, decay_report

    data = digits()
    found: dict[str, Any] = {}
    blank = (data.X == 0).all(dim=0)
    kinds = {
        "adam": lambda model: torch.optim.Adam(model.parameters(), lr=LR, weight_decay=DECAY),
        "adamw": lambda model: AdamW(Plan(model), lr=LR, weight_decay=DECAY),
    }
    for name, make in kinds.items():
        model = mlp(PIXELS, 64, 10, seed=0)
        optimizer, first = make(model), weights(model)[0]
        before = float(first.detach()[:, blank].norm())
        train(model, optimizer, data, epochs=epochs, cosine=False)
        record = decay_report(model, optimizer)
        found[f"blank_{name}"] = float(first.detach()[:, blank].norm()) / before
        found[f"shares_{name}"] = tuple(share / (LR * DECAY) for share in record.rows[0].quantiles or ())
        if name == "adam":
            found["alarm"] = next((alarm.sentence for alarm in record.alarms if alarm.kind == "uneven decay"), "")
    steps = epochs * -(-len(data.y) // 64)
    return found | {
        "net_steps": steps, "blank_pixels": int(blank.sum()), "blank_pure": (1.0 - LR * DECAY) ** steps,
    }  # fmt: skip


def check(record: DecoupledDecay) -> None:
    """SGD: no difference. Adam: the larger the gradients, the less decay; AdamW: the same for all. The report knows."""
    r = record
    expect(
        r.sgd_difference <= ROUNDING and r.sgd_moved > 1e-3,
        f"SGD: L2 in the loss and decay must end at the same weights (within {ROUNDING:g}); they are "
        f"{r.sgd_difference:.1e} apart, where decay itself moved them by {r.sgd_moved:.1e}",
    )
    expect(
        r.adam_difference > 1e-3,
        f"Adam: L2 in the loss and decay must end at other weights; they are {r.adam_difference:.1e} apart",
    )
    few, some, much = r.left_adam
    expect(
        few < some - 0.1 and some < much - 0.02,
        f"Adam + L2 must decay less where gradients are larger; of 1 it left {few:.3f}, {some:.3f}, {much:.3f}",
    )
    noise = max(abs(left - r.pure) for left in r.left_adamw)
    limit = 4.0 * LR * (r.n_steps / r.n_weights) ** 0.5
    expect(noise <= limit, f"AdamW must leave {r.pure:.3f} whatever the noise, within {limit:.3f}; off by {noise:.3f}")
    for name, told, left in (("Adam", r.told_adam, r.left_adam), ("AdamW", r.told_adamw, r.left_adamw)):
        off = max(abs(a - b) for a, b in zip(told, left, strict=True))
        expect(
            off <= 0.01 + limit, f"decay_report must tell what {name} leaves within 0.01 and noise; off by {off:.3f}"
        )
    expect(
        abs(r.blank_adamw / r.blank_pure - 1.0) < 1e-4 and r.blank_adam < 0.9 * r.blank_pure,
        f"of weights without any gradient AdamW must leave {r.blank_pure:.4f} and Adam + L2 much less; they left "
        f"{r.blank_adamw:.4f} and {r.blank_adam:.4f}",
    )
    spread = r.shares_adam[-1] / r.shares_adam[0]
    even = max(abs(share - 1.0) for share in r.shares_adamw)
    expect(spread > 3.0 and bool(r.alarm), f"Adam + L2 must decay unevenly, and be told of; 95 % to 5 %: {spread:.2f}")
    expect(even < 1e-6, f"AdamW must take lr λ from every weight; off by {even:.1e} of it")
    expect(bool(r.refusal), "AdamW's decay must be refused as a penalty by units.convert; it was converted")


def lines(record: DecoupledDecay) -> list[str]:
    """What a terminal shows."""
    r = record
    spread = r.shares_adam[-1] / r.shares_adam[0]
    return [
        f"SGD on digits: L2 in the loss and decay end {r.sgd_difference:.1e} apart (float64); with Adam "
        f"{r.adam_difference:.2g}.",
        f"Left of 1 after {r.n_steps} steps at gradient noise 0.01, 1, 100:",
        "  Adam + L2 " + ", ".join(f"{left:.3f}" for left in r.left_adam),
        "  AdamW     " + ", ".join(f"{left:.3f}" for left in r.left_adamw) + f"   (decay alone: {r.pure:.3f})",
        f"Digits, Adam: a step takes {r.shares_adam[0]:.2g} to {r.shares_adam[-1]:.3g} lr λ of a weight (ratio "
        f"{spread:.3g}); AdamW: 1 lr λ of each.",
        f"Weights of {r.blank_pixels} blank pixels, {r.net_steps} steps: Adam left {r.blank_adam:.3g} of them, AdamW "
        f"{r.blank_adamw:.3g}.",
    ]


def draw(record: DecoupledDecay, axes: Any) -> None:
    """What is left of a weight, by the noise of its gradients."""
    x = range(len(NOISES))
    axes.axhline(record.pure, color=GRAY, linestyle=":", linewidth=1.3)
    axes.plot(x, record.left_adam, "o-", color=COLORS[1], label="Adam, L2 in the gradient")
    axes.plot(x, record.left_adamw, "s-", color=COLORS[0], label="AdamW")
    axes.plot(x, record.told_adam, "x", color=GRAY, label="told by decay_report", markersize=9)
    axes.set_xticks(list(x), [f"{noise:g}" for noise in NOISES])
    axes.set_xlabel("standard deviation of the gradient")
    axes.set_ylabel(f"left of a weight of 1 after {record.n_steps} steps")
    axes.set_ylim(0.0, 1.05)
    plain_frame(axes)
    key(axes, loc="lower right")


CLAIM = Claim(
    number=8,
    name="decoupled_decay",
    sentence="L2 in the loss and weight decay are the same for SGD and not for Adam, which divides the penalty by √v: "
    "weights with large gradients decay less. AdamW decays all alike.",
    measure=measure,
    check=check,
    lines=lines,
    pictures={"noise": draw},
    extras=("torch",),
)
