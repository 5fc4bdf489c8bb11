"""One network trained at many strengths in one run, and the strength that its held-out losses point to."""

import os
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import ArrayLike
from torch import nn
from torch.optim import Optimizer

from shrinkage._check import check_boolean, check_choice, check_positive_int
from shrinkage._errors import ArgumentError
from shrinkage.selection import choose, rule_words
from shrinkage.torch._data import split
from shrinkage.torch._loader_batches import LoaderBatches
from shrinkage.torch._sweep_run import Outcome, Race, Runner, close
from shrinkage.torch._sweep_task import Recipe, Setup, set_up
from shrinkage.torch._trainer import TRAINERS, choose_trainer
from shrinkage.training import Journal, Sweep, SweepProgress

MODES = ("auto", "stacked", "loop")
RULES = ("1se-paired", "1se")


def sweep(
    model_fn: Callable[[], nn.Module],
    data: Any,
    strengths: ArrayLike,
    *,
    penalty: Any = None,
    optimizer: Any = None,
    lr: float | None = None,
    optimizer_options: Mapping[str, Any] | None = None,
    epochs: int,
    batch_size: int = 32,
    loss: Any = "auto",
    validation: Any = 0.2,
    seeds: int | Sequence[int] = 1,
    split_seed: int = 0,
    scheduler: Callable[[Optimizer], Any] | None = None,
    scheduler_every: Literal["epoch", "step"] = "epoch",
    stop_worse: bool = False,
    rule: str = "1se-paired",
    mode: str = "auto",
    journal: str | os.PathLike[str] | None = None,
    select: Any = None,
    exclude: Any = None,
    overrides: Mapping[str, Any] | None = None,
    progress: Callable[[SweepProgress], Any] | None = None,
) -> Sweep:
    """Train a network at many strengths, measure each on rows held out, and choose.

    All strengths of a seed start from the same weights and see the same batches in the same order, so that their
    losses differ by their strengths alone. Where a short measurement says that it is faster, they are trained in one
    batched run, else one after the other in each step; both give the same results to rounding, which training enlarges
    (see Notes).

    Parameters
    ----------
    model_fn : () -> nn.Module
        Makes a new model; its random numbers are torch's own, which are seeded before each call.
    data : (X, y) or DataLoader
        Tensors or arrays with one row per sample. A DataLoader's shuffling is seeded by seed and epoch.
    strengths : array-like of shape (n_strengths,)
        Different numbers >= 0, in any order.
    penalty : Penalty, optional
        Each training minimizes (mean loss) + this penalty at one of the strengths; its own strength does not count,
        and penalties in `overrides` keep theirs. An array of strengths keeps its ratios: the largest is that of the
        sweep. Without a penalty, strengths are the weight decays of the optimizer.
    optimizer : class, or callable (plan, strength) -> Optimizer, optional
        One of this library's classes, or without a penalty one of torch's that has `weight_decay`. The default is
        `DualAdam` for a penalty that it takes, `ProxAdam` for others, `AdamW` without one.
    lr, optimizer_options : float, dict, optional
        Given to the class; without lr its default holds.
    epochs : int >= 1
    batch_size : int >= 1
        Of tensors; a DataLoader has its own.
    loss : "auto" or callable (output, target) -> Tensor
        "auto": cross entropy where y holds whole numbers (of the log odds where the model has one output), ½ squared
        error, summed over outputs, where it holds others. Columns of zeros and ones are labels of their own, over which
        the cross entropy is averaged. A callable returns one loss per row or their mean; no penalty in it.
    validation : float in (0, 1), (X, y) or DataLoader
        The share of the rows held out, of each class alike; or the rows themselves. The same for all seeds.
    seeds : int or sequence of int
        How many, or which: each decides starts, the order of batches, and dropout.
    split_seed : int
        Decides which rows are held out.
    scheduler : Optimizer -> scheduler, optional
        Of the learning rate; `scheduler_every` says when it is stepped.
    stop_worse : bool
        Strengths that are clearly worse than the best after an eighth, a fourth or half of the epochs are trained no
        further, under this and later seeds: by a paired test over the rows held out, and if even the gains of the
        last doubling of the training would not let them catch up; see `shrinkage.selection.clearly_worse`.
    rule : "1se-paired" or "1se"
        What the 1-SE strength is: the largest whose mean loss is above the lowest by at most one standard error. "1se":
        of the lowest mean itself, as in glmnet. "1se-paired": of the paired difference, or of the lowest mean itself
        where that is smaller; see `shrinkage.selection.choose`.
    mode : "auto", "stacked" or "loop"
        "stacked" trains all strengths in one batched run, "loop" one after the other in each step.
    journal : path, optional
        A folder that keeps what is done: finished seeds, and snapshots in between. After Ctrl-C, kill or a power
        failure the same call goes on from there and ends as if it had not been interrupted, to the bit; a call that
        differs in anything that decides the results is refused.
    select, exclude, overrides
        Of the plan; see `Plan`.
    progress : callable, optional
        Is given a `SweepProgress` after every epoch; its text is one line.

    Returns
    -------
    Sweep
        Best and 1-SE strength, losses, zeros, weights, and the rule in words; `print(result)` is a table.

    Raises
    ------
    ArgumentError, DataError
        If an argument or the data cannot be used, which is found out before any training; if every strength diverges;
        if the journal was begun with other settings.

    Notes
    -----
    Standard errors are over seeds; with one seed, over the rows held out. Over a few seeds the paired rule is the safe
    one: neither a seed that is bad for all strengths nor a strength's collapse under one seed makes a worse strength
    eligible. The losses compared are those after the last epoch. With `stop_worse` and several seeds a strength that
    was stopped has no figures. A journal does not hold the rule: the same trainings may be chosen from by another.

    A journal knows the model by its text, its initial weights and its first loss, and functions by what they make,
    not by their code. It is of one version of this library and of torch.

    *To rounding.* The two ways of training differ in the last bits of each step, and training enlarges what differs: in
    float32, held-out losses were up to 7.5e-4 apart after thousands of steps through ReLU kinks. A bias in front of a
    batch normalization has a gradient of nothing but rounding, of which Adam makes whole steps: there they were 2e-3
    apart after 15 steps, though either is as good. Without such biases (``bias=False``), or in float64, they agree to
    about 1e-6 and 1e-10.

    References
    ----------
    One standard error: Breiman, Friedman, Olshen & Stone (1984), Classification and Regression Trees, section 3.4.3.

    Examples
    --------
    >>> import torch
    >>> from shrinkage import L1
    >>> draw = torch.Generator().manual_seed(0)
    >>> X = torch.randn(200, 20, generator=draw)
    >>> y = 2 * X[:, 0] - X[:, 1] + 0.5 * torch.randn(200, generator=draw)
    >>> result = sweep(lambda: torch.nn.Linear(20, 1), (X, y), [0.0, 0.03, 1.0], penalty=L1(1.0), lr=0.05, epochs=20)
    >>> result.best_strength, bool(result.mean_zeros[1] > 0.5)
    (0.03, True)
    """
    check_choice("mode", mode, MODES)
    check_choice("scheduler_every", scheduler_every, ("epoch", "step"))
    check_positive_int("epochs", epochs)
    check_positive_int("batch_size", batch_size)
    check_boolean("stop_worse", stop_worse)
    check_choice("rule", rule, RULES)
    values, places = _strengths(strengths), _seeds(seeds)
    recipe = Recipe(penalty, optimizer, lr, optimizer_options, select, exclude, overrides)
    recipe.check()
    train, held_out = split(data, validation, split_seed, batch_size)
    setup = set_up(model_fn, recipe, train, held_out, loss, scheduler, scheduler_every, places, values[-1],
                   journal is not None)  # fmt: skip
    settings = {
        "strengths": list(values),
        "seeds": list(places),
        "epochs": int(epochs),
        "batch_size": None if isinstance(train, LoaderBatches) else train.batch_size,
        "stop_worse": bool(stop_worse),
        "mode": mode,
    }
    book = None if journal is None else Journal(journal, settings | setup.settings)
    with close(book):
        sources = train.to(setup.device), held_out.to(setup.device)
        race = Race(
            setup.task, setup.goal, *sources, values, places, int(epochs), bool(stop_worse), setup.device, progress
        )
        runner = _runner(race, mode, book)
        runner.run()
        return _record(race, runner, recipe, setup, rule)


def _strengths(strengths: Any) -> tuple[float, ...]:
    try:
        values = np.asarray(strengths, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(f"strengths must be numbers >= 0; got {strengths!r}") from None
    if values.ndim != 1 or not values.size or not (np.isfinite(values) & (values >= 0)).all():
        raise ArgumentError(f"strengths must be a vector of finite numbers >= 0; got {np.asarray(strengths).tolist()}")
    if len(np.unique(values)) < len(values):
        raise ArgumentError(f"strengths must differ from each other; got {values.tolist()}")
    return tuple(np.sort(values).tolist())


def _seeds(seeds: Any) -> tuple[int, ...]:
    if isinstance(seeds, Integral) and not isinstance(seeds, bool):
        check_positive_int("seeds", seeds)
        return tuple(range(int(seeds)))
    known = isinstance(seeds, Sequence) and not isinstance(seeds, str) and len(seeds)
    if not known or not all(isinstance(s, Integral) and not isinstance(s, bool) and int(s) >= 0 for s in seeds):
        raise ArgumentError(f"seeds must be a number of seeds >= 1, or several whole numbers >= 0; got {seeds!r}")
    if len(set(seeds)) < len(seeds):
        raise ArgumentError(f"seeds must differ from each other; got {list(seeds)}")
    return tuple(int(seed) for seed in seeds)


def _runner(race: Race, mode: str, journal: Journal | None) -> Runner:
    """The runner in the mode that was asked for, that the journal was begun in, or that a measurement says."""
    known = [] if journal is None else [record for record in journal.records if record["kind"] == "mode"]
    if known:
        chosen, reason = known[0]["mode"], known[0]["reason"]
    elif mode != "auto":
        chosen, reason = mode, "as it was asked for"
    else:
        chosen, reason = choose_trainer(race.task, race.strengths, race.seeds[0], race.train.epoch(race.seeds[0], 0))
    if journal is not None and not known:
        journal.append({"kind": "mode", "mode": chosen, "reason": reason, "device": str(race.device)})
    runner = Runner(race, chosen, reason, TRAINERS[cast(Any, chosen)], journal)
    before = known[0].get("device", str(race.device)) if known else str(race.device)
    if before != str(race.device):
        runner.notes.append(f"begun on {before} and continued on {race.device}, whose roundings are others")
    return runner


def _record(race: Race, runner: Runner, recipe: Recipe, setup: Setup, rule: str) -> Sweep:
    """The record of what was run."""
    tables = _tables(race, runner.outcomes)
    status = tuple(runner.stopped.get(strength, "complete") for strength in race.strengths)
    means = tables["held_out"].mean(axis=1)
    found = choose(_columns(race, runner.outcomes, tables["held_out"]), race.strengths, rule, means)
    notes = [note for note in (*runner.notes, *setup.notes, race.train.note, race.held_out.note) if note]
    return Sweep(
        strengths=np.array(race.strengths),
        seeds=race.seeds,
        status=status,
        **tables,
        best=found.best,
        one_se=found.one_se,
        se=found.se,
        difference_se=found.difference_se,
        allowed=found.allowed,
        rule=_rule(race, runner.outcomes[0], rule),
        epochs=race.epochs,
        score_name=race.goal.score_name,
        mode=runner.mode,
        reason=runner.reason,
        seconds=runner.seconds,
        strength_name=recipe.strength_name,
        loss_name=setup.goal.name,
        n_train=race.train.n_rows,
        n_held_out=None if runner.outcomes[0].rows is None else runner.outcomes[0].rows.shape[1],
        notes=tuple(dict.fromkeys(notes)),
        weights=runner.outcomes[0].weights,
    )


def _tables(race: Race, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What the seeds came to, as arrays with NaN where there is nothing."""
    shape = (len(race.strengths), len(race.seeds))
    found = {name: np.full(shape, np.nan) for name in ("train_loss", "held_out", "zeros", "score")}
    curves = np.full((*shape, race.epochs), np.nan)
    for s, outcome in enumerate(outcomes):
        run = outcome.run
        for k, curve in enumerate(run.curves):
            curves[k, s, : len(curve)] = curve
        for place, strength in enumerate(run.live):
            k = race.strengths.index(strength)
            found["train_loss"][k, s] = run.train[place]
            found["held_out"][k, s] = run.curves[k][-1]
            found["zeros"][k, s] = outcome.zeros[place]
            if outcome.score is not None:
                found["score"][k, s] = outcome.score[place]
    epochs_run = np.isfinite(curves).sum(axis=2)
    return found | {"curves": curves, "epochs_run": epochs_run} | ({} if race.goal.score_name else {"score": None})


def _columns(race: Race, outcomes: Sequence[Outcome], held_out: np.ndarray) -> np.ndarray:
    """Losses whose columns belong together: seeds, or the rows of one seed."""
    if len(race.seeds) > 1 or outcomes[0].rows is None:
        return held_out
    rows = outcomes[0].rows.numpy()
    losses = np.full((len(race.strengths), rows.shape[1]), np.nan)
    losses[[race.strengths.index(strength) for strength in outcomes[0].run.live]] = rows
    return losses


def _rule(race: Race, first: Outcome, rule: str) -> str:
    """The two choices in words."""
    rows = "" if first.rows is None else f" {first.rows.shape[1]:,}"
    one_seed = len(race.seeds) == 1
    over = f"the{rows} rows held out" if one_seed else f"{len(race.seeds)} seeds"
    text = (
        f"best: the lowest mean held-out loss after {race.epochs} epochs. 1-SE: the largest strength whose mean is "
        f"above it by at most {rule_words(rule)}, over {over}."
    )
    if one_seed:
        return f"{text} One seed says nothing of how much another would move the losses: give seeds=3 or more."
    return f"{text} The same{rows} rows are held out under every seed, so it says nothing of other rows."
