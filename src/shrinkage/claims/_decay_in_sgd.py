"""With plain SGD, L2 in the loss and shrinking every weight by a factor are the same; which factor, and when not."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from shrinkage.claims._claim import Claim, expect
from shrinkage.claims._decay_in_sgd_record import DECAY_OF_ADAMW, RATE_OF_ADAMW, RIDGE_STEPS, TERM, DecayInSGD, Run
from shrinkage.claims._drawing import COLORS, key, plain_frame
from shrinkage.datasets import load_diabetes, load_digits
from shrinkage.estimators import Ridge
from shrinkage.penalties import L2
from shrinkage.units import convert

RATE, STRENGTH, MOMENTUM = 0.1, 0.01, 0.9
ROUNDING = 1e-10
"""Two runs whose weights are this close, relative to their norm, differ by rounding that training has amplified."""


WAYS = {
    "loss": "`loss + λ * Σw²`",
    "shrink": "every weight times `1 - 2 * lr * λ`, then the step",
    "decay": "torch's `SGD(weight_decay=2 * λ)`, as `units` says",
    "value": "`loss + L2(2 * λ).value(w)`",
    "prox": "`ProxSGD` with `L2(2 * λ)`",
    "half": "`loss + λ / 2 * Σw²`: the other convention",
    "twice": "`loss + λ * Σw²` and `SGD(weight_decay=2 * λ)` at once",
}


def measure(quick: bool) -> DecayInSGD:
    """Train networks on digits side by side, and a linear model on diabetes to its end."""
    seeds, steps = (range(1), 20) if quick else (range(3), 300)
    converted = float(convert("keras.L2", "torch.SGD", l2=STRENGTH).arguments["weight_decay"])
    plain = _side_by_side(tuple(WAYS), 0.0, converted, seeds, steps)
    heavy = _side_by_side(("loss", "shrink", "decay", "value"), MOMENTUM, converted, seeds, steps)
    return DecayInSGD(
        rate=RATE,
        strength=STRENGTH,
        momentum=MOMENTUM,
        n_seeds=len(seeds),
        n_steps=steps,
        n_weights=64 * 32 + 32 * 10,
        plain=plain,
        heavy=heavy,
        converted=converted,
        ridge=_against_ridge(),
        n_images=len(load_digits().y),
        **_snippets(steps),
    )


def _network(seed: int) -> Any:
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10)
        return torch.nn.Sequential(*layers).double()


def _digits() -> tuple[Any, Any]:
    import torch

    data = load_digits()
    return torch.tensor(data.X / 16.0), torch.tensor(data.y.astype(np.int64))


def _batches(seed: int, steps: int, n_samples: int) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(seed)
    for _ in range(steps):
        yield generator.choice(n_samples, 64, replace=False)


def _side_by_side(ways: tuple[str, ...], momentum: float, converted: float, seeds: range, steps: int) -> dict[str, Run]:
    """Train one network for each way, all in step, and compare with the first."""
    import torch

    X, y = _digits()
    blind = (X == 0).all(0)  # pixels that no image has ink in: the loss does not see their weights
    distances = np.zeros((len(ways), len(seeds), steps))
    factors = dict.fromkeys(ways, 1.0)
    for seed in seeds:
        runs = [(_network(seed), way) for way in ways]
        takers = [_taker(model, way, momentum, converted) for model, way in runs]
        start = runs[0][0][0].weight[:, blind].detach().norm().item()
        for step, rows in enumerate(_batches(seed, steps, len(X))):
            weights = []
            for (model, _), take in zip(runs, takers, strict=True):
                take(torch.nn.functional.cross_entropy(model(X[rows]), y[rows]))
                weights.append(torch.cat([model[0].weight.flatten(), model[2].weight.flatten()]).detach())
            for place, w in enumerate(weights):
                distances[place, seed, step] = ((w - weights[0]).norm() / weights[0].norm()).item()
        if seed == seeds[0]:
            ends = {way: model[0].weight[:, blind].detach().norm().item() for model, way in runs}
            factors = {way: (end / start) ** (1 / steps) for way, end in ends.items()}
    return {way: Run(WAYS[way], distances[place], factors[way]) for place, way in enumerate(ways)}


def _taker(model: Any, way: str, momentum: float, converted: float) -> Callable[[Any], None]:
    """What takes one step, given the loss of a batch."""
    import torch

    from shrinkage.torch import Plan, ProxSGD

    weights = [model[0].weight, model[2].weight]
    plan = Plan(model, L2(2 * STRENGTH))
    decay = converted if way in ("decay", "twice") else 0.0
    if way == "prox":
        optimizer: Any = ProxSGD(plan, lr=RATE, momentum=momentum)
    else:
        optimizer = torch.optim.SGD(plan.param_groups(weight_decay=decay), lr=RATE, momentum=momentum)
    terms = {
        "loss": lambda w: STRENGTH * w.square().sum(),
        "half": lambda w: STRENGTH / 2 * w.square().sum(),
        "twice": lambda w: STRENGTH * w.square().sum(),
        "value": L2(2 * STRENGTH).value,
    }

    def take(loss: Any) -> None:
        optimizer.zero_grad()
        (loss + sum(terms[way](w) for w in weights) if way in terms else loss).backward()
        if way == "shrink":
            with torch.no_grad():
                for w in weights:
                    w.mul_(1 - 2 * RATE * STRENGTH)
        optimizer.step()

    return take


def _against_ridge() -> dict[str, tuple[float, float]]:
    """Where SGD with momentum ends on all of diabetes, by the loss and by shrinking; distances from two ridges."""
    import torch

    data = load_diabetes()
    X = (data.X - data.X.mean(0)) / data.X.std(0)
    y = (data.y - data.y.mean()) / data.y.std()
    ridges: list[Any] = [Ridge(alpha=2 * STRENGTH * part, tol=1e-12).fit(X, y) for part in (1.0, 1 - MOMENTUM)]
    covariance, moment = torch.tensor(X.T @ X / len(X)), torch.tensor(X.T @ y / len(X))
    found = {}
    for way in ("loss", "shrink"):
        w = torch.nn.Parameter(torch.zeros(10, dtype=torch.float64))
        optimizer = torch.optim.SGD([w], lr=RATE, momentum=MOMENTUM)
        for _ in range(RIDGE_STEPS):
            w.grad = covariance @ w.detach() - moment
            if way == "loss":
                w.grad += 2 * STRENGTH * w.detach()
            else:
                w.data.mul_(1 - 2 * RATE * STRENGTH)
            optimizer.step()
        near = [
            float(np.linalg.norm(w.detach().numpy() - ridge.coef_) / np.linalg.norm(ridge.coef_)) for ridge in ridges
        ]
        found[way] = (near[0], near[1])
    return found


def _snippets(steps: int) -> dict[str, Any]:
    """The common training loop without decay, with each of its two decays and with both."""
    found: dict[str, Any] = {"norms": {}, "alarms": {}, "warning": ""}
    for name, decay, term in (("neither", 0.0, 0.0), ("decay", 1, 0), ("term", 0, 1), ("both", 1, 1)):
        found["norms"][name], said, found["n_decayed"] = _snippet(decay * DECAY_OF_ADAMW, term * TERM, steps)
        found["alarms"][name], found["warning"] = len(said), said[0] if said else found["warning"]
    return found


def _snippet(decay: float, term: float, steps: int) -> tuple[float, list[str], int]:
    """The common training loop: norm of the weights, the alarms of double decay, and how many parameters decay."""
    import torch

    from shrinkage.torch import decay_report

    X, y = _digits()
    model = _network(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE_OF_ADAMW, weight_decay=decay)
    for rows in _batches(0, steps, len(X)):
        loss = torch.nn.functional.cross_entropy(model(X[rows]), y[rows])
        optimizer.zero_grad()
        (loss + term * sum(p.square().sum() for p in model.parameters())).backward()
        optimizer.step()
    record = decay_report(model, optimizer, loss_has_penalty=term > 0)
    said = [alarm.sentence for alarm in record.alarms if alarm.kind == "double decay"]
    norm = torch.cat([model[0].weight.flatten(), model[2].weight.flatten()]).norm().item()
    weights = [row for row in record.rows if row.role != "bias"]
    return norm, said, len(weights)


def check(record: DecayInSGD) -> None:
    """Raise `ClaimBroken` unless every part of the claim was measured."""
    for name in ("shrink", "decay", "value"):
        run = record.plain[name]
        expect(run.distance < ROUNDING, f"without momentum, {run.name} is {run.distance:.1e} away; expected rounding")
    for name, factor in (("loss", record.factor), ("half", record.half_factor), ("prox", record.prox_factor)):
        run = record.plain[name]
        near = abs(run.blind - factor) < ROUNDING
        expect(near, f"{run.name} shrank an unseen weight by {run.blind:.12f} per step; expected {factor:.12f}")
    said = f"units says weight_decay = {record.converted:g} for λ = {record.strength:g} without a half; expected 2 λ"
    expect(abs(record.converted - 2 * record.strength) < 1e-15, said)
    half = record.plain["half"].distance
    expect(half > 1e-3, f"λ and λ/2 led to weights only {half:.1e} apart: the factor of two would not matter")
    _check_momentum(record)
    _check_doubled(record)


def _check_momentum(record: DecayInSGD) -> None:
    for name in ("decay", "value"):
        run = record.heavy[name]
        expect(run.distance < ROUNDING, f"with momentum, {run.name} is {run.distance:.1e} away; expected rounding")
    apart = record.heavy["shrink"].distance
    expect(apart > 1e-3, f"with momentum, shrinking is only {apart:.1e} from the loss; expected a difference")
    for way, own, place in (("loss", "2λ", 0), ("shrink", "2λ(1-μ)", 1)):
        near, far = record.ridge[way][place], record.ridge[way][1 - place]
        expect(
            near < 1e-8, f"momentum with the {way} ended {near:.1e} from the ridge of strength {own}; expected < 1e-8"
        )
        expect(far > 1e-3, f"momentum with the {way} ended {far:.1e} from the other ridge; expected a difference")


def _check_doubled(record: DecayInSGD) -> None:
    unseen, squared = record.plain["twice"].blind, 1 - 4 * record.rate * record.strength
    expect(abs(unseen - squared) < ROUNDING, f"decay and term shrank by {unseen:.12f}; expected {squared:.12f}")
    norms = record.norms
    single = min(norms["decay"], norms["term"])
    expect(norms["both"] < single, f"both decays left a norm of {norms['both']:.4f}; expected less than {single:.4f}")
    most = record.second_alone
    share = f"the second decay took {record.second:.2e} of the norm; expected about the {most:.2e} that it takes alone"
    expect(0.1 * most < record.second < 3 * most, share)
    for name, count in record.alarms.items():
        due = record.n_decayed if name == "both" else 0
        expect(count == due, f"decay_report found {count} parameters decayed twice with {name}; expected {due}")


def lines(record: DecayInSGD) -> list[str]:
    """What a terminal shows."""
    plain, heavy = record.plain, record.heavy
    return [
        f"digits, network 64-32-10, {record.n_steps} steps, lr {record.rate:g}, λ {record.strength:g}, float64:",
        f"λ Σw² in the loss and weights times 1 - 2·lr·λ: weights {plain['shrink'].distance:.0e} apart",
        f"factor per step: λ Σw² {plain['loss'].blind:.6f}, (λ/2) Σw² {plain['half'].blind:.6f}; torch's weight_decay "
        f"for the first is {record.converted:g}",
        f"with momentum {record.momentum:g} they are {heavy['shrink'].distance:.0e} apart; shrinking ends "
        f"{record.ridge['shrink'][1]:.0e} from the ridge of λ·(1 - {record.momentum:g})",
        f"AdamW's decay and an L2 term: {record.alarms['both']} of {record.n_decayed} weight tensors decayed twice, "
        "and decay_report says so",
    ]


def draw_distances(record: DecayInSGD, axes: Any) -> None:
    """Distance of shrinking from the loss at every step, without and with momentum."""
    steps = np.arange(1, record.n_steps + 1)
    said = ((record.plain, "no momentum"), (record.heavy, f"momentum {record.momentum:g}"))
    for (runs, words), color in zip(said, COLORS, strict=False):
        worst = runs["shrink"].distances.max(0)
        axes.semilogy(steps, np.maximum(worst, 1e-17), color=color, label=words)
    plain_frame(axes)
    axes.set_ylim(1e-17, 10)
    axes.set_xlabel("step")
    axes.set_ylabel("‖w - w′‖ / ‖w′‖")
    key(axes, loc="center right")


def draw_factors(record: DecayInSGD, axes: Any) -> None:
    """What is left of a weight that the loss does not see, by the measured factor of each way."""
    steps = np.arange(0, record.n_steps + 1)
    said = {"half": "(λ/2) Σw²", "loss": "λ Σw²", "twice": "λ Σw² and weight_decay = 2λ"}
    for (name, words), color in zip(said.items(), COLORS, strict=False):
        axes.semilogy(steps, record.plain[name].blind ** steps, color=color, label=words)
    plain_frame(axes)
    axes.set_xlabel("step")
    axes.set_ylabel("share of the weight that is left")
    key(axes, loc="lower left")


CLAIM = Claim(
    number=2,
    name="decay_in_sgd",
    sentence="With plain SGD, an L2 penalty is the same as shrinking every weight by a factor before each step: "
    "1 - 2·lr·λ for λΣw², 1 - lr·λ for (λ/2)Σw².",
    measure=measure,
    check=check,
    lines=lines,
    pictures={"distances": draw_distances, "factors": draw_factors},
    extras=("torch",),
)
