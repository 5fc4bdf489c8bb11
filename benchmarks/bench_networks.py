"""Networks: accuracy, exact zeros, objective and seconds at equal data, batches and epochs, ours beside other ways."""

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import mean, stdev

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))  # its networks.py is what the tests run too

DIGITS_SEEDS = range(5)
CLOSE = 0.005  # how near in share of zeros the strength of a peer is brought


def compare(runs: int) -> list[dict]:
    """Digits (5 seeds), Fashion-MNIST and its filters as groups (`runs` seeds): ours beside three other ways."""
    import networks
    import torch

    torch.set_num_threads(1)
    records = rows_of(networks.digits(), 1e-3, DIGITS_SEEDS, sgd_lr=0.1)
    for lr in (5e-3, 1e-2, 2e-2, 4e-2):
        task = replace(networks.digits(), name=f"digits, learning rate {lr:g}", lr=lr)
        records += [averaged(task, partial(networks.by_loop, task, alpha=1e-3), DIGITS_SEEDS)]
        records += [averaged(task, partial(networks.by_ours, task, alpha=1e-3, name="DualAdam"), DIGITS_SEEDS)]
    folder = networks.fashion_mnist_folder()
    if folder is not None:
        records += rows_of(networks.fashion_mnist(folder), 1e-4, range(runs))
        records += rows_of(networks.fashion_mnist_filters(folder), 2e-4, range(runs), rows=True)
    return records


def rows_of(task, alpha: float, seeds: range, rows: bool = False, sgd_lr: float | None = None) -> list[dict]:
    """The records of one task: ours first, then the others at the zeros that ours reached."""
    import networks

    print(f"{task.name}, strength {alpha}", file=sys.stderr, flush=True)
    known = {"alpha": alpha, "rows": rows}
    ours = partial(networks.by_ours, task, **known)
    found = [averaged(task, partial(ours, name=name), seeds, alpha=alpha) for name in ("DualAdam", "ProxAdam")]
    target = found[0]["zeros"]
    if sgd_lr is not None:
        for name in ("DualSGD", "ProxSGD"):
            by_sgd = partial(networks.by_ours, replace(task, lr=sgd_lr), name=name, **known)
            found += [averaged(task, by_sgd, seeds, alpha=alpha, lr=sgd_lr)]
    found += [averaged(task, partial(networks.by_loop, task, **known), seeds, alpha=alpha)]
    found += [averaged(task, partial(networks.by_magnitude, task, zeros=target, **known), seeds, alpha=alpha)]
    if not rows:
        found += [averaged(task, partial(networks.by_refit, task, name="DualAdam", **known), seeds, alpha=alpha)]
        left = found[-1]["zeros"]
        found += [averaged(task, partial(networks.by_magnitude, task, zeros=left, **known), seeds, alpha=alpha)]
    if importlib.util.find_spec("torchao") is not None:
        pat = partial(networks.by_pat, task, **known)
        strength = matched(lambda reg_lambda: pat(seed=seeds[0], reg_lambda=reg_lambda).zeros, target)
        found += [averaged(task, partial(pat, reg_lambda=strength), seeds, alpha=alpha, reg_lambda=strength)]
    return found


def averaged(task, run: Callable, seeds: range, **settings) -> dict:
    """One record: `run(seed=...)` for every seed."""
    outcomes = []
    for seed in seeds:
        outcomes.append(run(seed=seed))
        print(f"  {outcomes[-1]}", file=sys.stderr, flush=True)
    return record(task, outcomes, {"lr": task.lr, **settings})


def matched(zeros_at: Callable[[float], float], target: float, low: float = 3e-3, high: float = 1.0) -> float:
    """The strength whose share of zeros is within CLOSE of the target, by bisection on a logarithmic scale."""
    for _ in range(8):
        middle = (low * high) ** 0.5
        zeros = zeros_at(middle)
        print(f"  reg_lambda {middle:.4f}: zeros {zeros:.4f}", file=sys.stderr, flush=True)
        if abs(zeros - target) < CLOSE:
            break
        low, high = (middle, high) if zeros < target else (low, middle)
    return middle


def record(task, outcomes: list, settings: dict) -> dict:
    """Means over the seeds, and standard deviations where a single network says little."""
    several = len(outcomes) > 1
    fields = ("accuracy", "zeros", "below", "objective", "seconds")
    return {
        "problem": task.name,
        "kind": "network",
        "tool": outcomes[0].method,
        "version": version("torchao") if "torchao" in outcomes[0].method else version("torch"),
        "threads": 1,
        "seeds": [outcome.seed for outcome in outcomes],
        "epochs": task.epochs,
        "batch_size": task.batch_size,
        **settings,
        **{name: mean(getattr(outcome, name) for outcome in outcomes) for name in fields},
        "accuracy_sd": stdev(outcome.accuracy for outcome in outcomes) if several else None,
        "neurons": [mean(counts) for counts in zip(*(outcome.neurons for outcome in outcomes), strict=True)],
    }


def table(records: list[dict]) -> str:
    """The records as a table in Markdown for each task."""
    lines = []
    for problem in dict.fromkeys(r["problem"] for r in records):
        lines += ["", f"{problem}", "", "| method | accuracy | zeros | objective | rows left | seconds |"]
        lines += ["|---|---|---|---|---|---|"]
        for r in (r for r in records if r["problem"] == problem):
            spread = f" ± {100 * r['accuracy_sd']:.1f}" if r["accuracy_sd"] is not None else ""
            neurons = ", ".join(f"{count:.0f}" for count in r["neurons"])
            lines += [
                f"| {r['tool']} | {100 * r['accuracy']:.1f} %{spread} | {100 * r['zeros']:.1f} % "
                f"| {r['objective']:.4f} | {neurons} | {r['seconds']:.1f} |"
            ]
    return "\n".join(lines)
