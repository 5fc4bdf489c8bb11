"""One network from dense to sparse: strengths that rise, each start where the last ended, a choice, and a refit."""

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from shrinkage._check import check_boolean, check_choice, check_positive, check_positive_int
from shrinkage._errors import ArgumentError
from shrinkage.selection import RULES, Choice, choose, lowest, paired_error, rule_words
from shrinkage.torch._adamw import AdamW
from shrinkage.torch._data import split
from shrinkage.torch._dual_adam import DualAdam
from shrinkage.torch._goals import goal_of
from shrinkage.torch._members import apply, in_mode, own_random_numbers
from shrinkage.torch._optimizer import check_penalty
from shrinkage.torch._path_journal import PathJournal
from shrinkage.torch._path_run import Run, Rung
from shrinkage.torch._plan import Plan
from shrinkage.torch._prox_adam import ProxAdam
from shrinkage.torch._strengths import at_strength, has_many, largest_strength
from shrinkage.training import NetworkPath, penalty_text

FIRST = 0.01
"""At the first strength the dense network's penalty is this share of the loss that the network had at first."""
PATIENCE = 4
ALL_ZERO = 0.999
FEWEST_STEPS = 300


def path(
    model: nn.Module,
    data: Any,
    *,
    penalty: Any,
    strengths: Any = "auto",
    optimizer: Any = None,
    lr: float = 5e-3,
    epochs: int = 20,
    epochs_per_rung: int = 10,
    batch_size: int | None = 64,
    loss: Any = "auto",
    validation: Any = 0.2,
    rule: str = "1se",
    refit: bool = True,
    target_sparsity: float | None = None,
    growth: float = 1.5,
    most_rungs: int = 40,
    seed: int = 0,
    select: Any = None,
    exclude: Any = None,
    overrides: Any = None,
    journal: str | os.PathLike[str] | None = None,
    progress: Callable[[str], Any] | None = None,
) -> NetworkPath:
    r"""Train a network dense, then on at rising strengths, and take the sparsest that is as good as any.

    1. *Dense*: `epochs` epochs at strength 0.
    2. *Rungs*: at each strength `epochs_per_rung` epochs more, from the weights and moments of the rung before. So
       weights leave one after the other, and the whole path costs a few trainings.
    3. *Refit*: beside each rung as many epochs without penalty, in which zeros stay zeros; the penalty's pull on the
       weights that are left goes out. Whichever has the lower held-out loss, before or after, is the rung's network;
       the next rung goes on from before.
    4. *Choice*: on the rows held out, the largest strength whose mean loss is above the lowest by at most one standard
       error ("1se", "1se-paired"), or the lowest itself ("min").

    In each phase the learning rate falls from `lr` along half a cosine to 0. The model ends with the chosen weights.

    Parameters
    ----------
    model : nn.Module
        Trained in place; where its weights are good already, say `epochs=0`.
    data : (X, y) or DataLoader
        Whole numbers in y are classes, floating ones a regression.
    penalty : Penalty
        Its strength is replaced; only the ratios to those of `overrides` count, and those within an array of strengths,
        of which the largest is the path's.
    strengths : "auto" or rising sequence of floats > 0
        "auto" begins where the penalty of the dense network is 1 % of the held-out loss that the network had at first,
        multiplies by `growth`, and ends after 4 rungs in a row that are worse than the best by more than two standard
        errors, at 99.9 % zeros, or after `most_rungs`.
    optimizer : class of `shrinkage.torch`, or callable (plan) -> Optimizer
        None takes `DualAdam`, and `ProxAdam` for penalties that it does not know. A callable may return one of torch's
        with a `Proximal`.
    lr : float > 0
        Of a class; a callable sets its own. In few steps of a small rate weights do not get to zero.
    epochs, epochs_per_rung, batch_size : int
    loss : "auto" or callable (output, target) -> mean loss, or loss of each row
        "auto" is the cross entropy of classes, and ½ squared error.
    validation : float in (0, 1), (X, y) or DataLoader
        Held out. A share is drawn by `seed`, of classes alike.
    rule : {"1se", "1se-paired", "min"}
        "1se": one standard error of the lowest mean itself, as in glmnet and rpart. "1se-paired": of the difference to
        it, row by row, where that is smaller: what makes the same rows hard for all networks cancels, so fewer zeros
        are bought with loss. See `shrinkage.selection.choose`.
    refit : bool
        Without, networks are compared as the penalty leaves them: shrunken, which costs loss before it costs accuracy.
    target_sparsity : float in (0, 1), optional
        Instead of the rungs: one phase of as many epochs as the dense one (or `epochs_per_rung`, or 300 steps, if that
        is more) in which `TargetSparsity` steers the strength. `rule` does not count then.
    growth : float > 1
    most_rungs : int
    seed : int
        Of the split, the order of batches, and dropout.
    select, exclude, overrides
        Of the `Plan`.
    journal : path, optional
        A folder that keeps every rung when it is finished. After a kill or Ctrl-C the same call, on the model as it was
        at first, goes on from the last of them and ends as if it had not been interrupted, to the bit. `rule` and
        `most_rungs` may be others: a path that ended too early can be made longer.
    progress : callable (text), optional
        Gets a line after each phase: `print` will do.

    Returns
    -------
    NetworkPath
        Ctrl-C ends the path, not the program: it is chosen among the rungs that were finished, and `status` says so.

    Raises
    ------
    ArgumentError
        If an argument is out of range, the dense network has no weights that the penalty could shrink, or the journal
        was begun with other settings, data or weights.

    References
    ----------
    One standard error: Breiman, Friedman, Olshen & Stone (1984), Classification and Regression Trees, section 3.4.3.
    Dense-to-sparse paths with warm starts: Lemhadri, Ruan, Abraham & Tibshirani (2021), LassoNet, J. Mach. Learn. Res.
    22(127), section 3.3, https://jmlr.org/papers/v22/20-848.html; refits against the bias of a penalty: section 3.6.

    Examples
    --------
    >>> import torch
    >>> from shrinkage import L1
    >>> _ = torch.manual_seed(0)
    >>> X = torch.randn(400, 20); y = X[:, :3].argmax(1)
    >>> model = torch.nn.Sequential(torch.nn.Linear(20, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
    >>> result = path(model, (X, y), penalty=L1(1.0), lr=1e-2, epochs=10, epochs_per_rung=2)
    >>> result.chosen_zeros > 0.5, bool(result.chosen_held_out < result.held_out[0])
    (True, True)
    """
    _check(penalty, strengths, rule, refit, growth)
    for name, value in (("epochs_per_rung", epochs_per_rung), ("most_rungs", most_rungs)):
        check_positive_int(name, value)
    check_positive_int("epochs", epochs, least=0)
    start = time.perf_counter()
    held = _made(model, data, penalty, optimizer, lr, batch_size, loss, validation, seed, (select, exclude, overrides))
    if target_sparsity is not None:
        held.check_target(target_sparsity)
    book = None
    if journal is not None:
        given = strengths if isinstance(strengths, str) else [float(strength) for strength in strengths]
        settings = {"strengths": given, "epochs": epochs, "epochs_per_rung": epochs_per_rung, "seed": seed}
        settings |= {"refit": refit, "target_sparsity": target_sparsity, "growth": growth, "batch_size": batch_size}
        book = PathJournal(journal, held, penalty, settings)
        start -= book.seconds
    with contextlib.nullcontext() if book is None else contextlib.closing(book):
        walk = _Walk(held, epochs, epochs_per_rung, refit, progress or (lambda text: None), start, book)
        status = walk.go(strengths, growth, most_rungs, target_sparsity)
    found = walk.choose(rule)
    chosen = found.chosen if target_sparsity is None else len(walk.rungs) - 1
    held.put(walk.rungs[chosen].weights)
    held.set_strength(walk.rungs[chosen].strength)
    walk.notes += [source.note for source in (held.train_rows, held.held_rows) if source.note]
    return _record(walk, held, penalty, found, chosen, status, rule, target_sparsity, start)


@dataclass
class _Walk:
    """The phases, and the rungs that are done."""

    run: Run
    epochs: int
    epochs_per_rung: int
    refit: bool
    say: Callable[[str], Any]
    start: float
    book: PathJournal | None = None
    rungs: list[Rung] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    phase: str = "dense training"
    scale: float = 0.0

    def __post_init__(self) -> None:
        if self.book is not None:
            self.rungs, self.scale = self.book.restore()

    def go(self, strengths: Any, growth: float, most_rungs: int, target: float | None) -> str:
        """All phases; how they ended."""
        try:
            self.dense()
            if target is not None:
                self.to_target(float(target))
            else:
                self.climb(strengths, growth, most_rungs)
        except KeyboardInterrupt:
            return self.interrupted()
        return "complete"

    def dense(self) -> None:
        if self.rungs:
            return
        self.scale = float(self.run.judge()[0].mean())
        self.run.set_strength(0.0)
        for done in self.run.train(self.epochs):
            self.phase = f"dense training, after epoch {done} of {self.epochs}"
        self._keep(0.0)

    def climb(self, strengths: Any, growth: float, most_rungs: int) -> None:
        given = None if isinstance(strengths, str) else [float(strength) for strength in strengths]
        done = len(self.rungs) - 1
        if given is None and done and self._is_over():
            return
        strength = self._first() if given is None and not done else self.rungs[-1].strength
        for place in range(done, most_rungs if given is None else len(given)):
            strength = given[place] if given is not None else strength * (growth if place else 1.0)
            self.phase = f"rung {place + 1}, strength {strength:.4g}"
            self.run.set_strength(strength)
            for _ in self.run.train(self.epochs_per_rung):
                pass
            self._keep(strength)
            if given is None and self._is_over():
                return
        if given is None:
            self.notes.append(
                f"the path ended after most_rungs={most_rungs}, at {100 * self.rungs[-1].zeros:.1f} % zeros: it may "
                "get sparser still; raise most_rungs or growth"
            )

    def to_target(self, target: float) -> None:
        if len(self.rungs) == 1:
            self._steer(target)
        missed = abs(self.rungs[-1].zeros - target)
        if len(self.rungs) > 1 and missed > 0.01:
            self.notes.append(
                f"{100 * self.rungs[-1].zeros:.1f} % zeros instead of {100 * target:g} %: more epochs or a larger "
                "learning rate give the strength time to act"
            )

    def _steer(self, target: float) -> None:
        first = self._first()
        self.run.set_strength(first)
        epochs = max(self.epochs, self.epochs_per_rung, -(-FEWEST_STEPS // self.run.count_steps()))
        control = None
        for control in self.run.steered(target, epochs):
            self.phase = f"the way to {100 * target:g} % zeros, at {100 * control.zeros:.1f} %"
        if control is not None:
            self._keep(first * control.factor)

    def interrupted(self) -> str:
        kept = "" if self.book is None else "; the same call, on the model as it was at first, goes on from there"
        if not self.rungs:
            self.rungs.append(self.run.rung(0.0))  # the dense network as far as it came
        return (
            f"interrupted (Ctrl-C) in {self.phase}; chosen among the {len(self.rungs)} rungs that were finished{kept}"
        )

    def choose(self, rule: str) -> Choice:
        return choose([rung.rows for rung in self.rungs], [rung.strength for rung in self.rungs], rule)

    def _first(self) -> float:
        """The strength at which the penalty is worth noticing."""
        at_one = self.run.penalty_at_one()
        scale = max(self.scale, self.rungs[0].held_out)
        if not (at_one > 0 and scale > 0):
            raise ArgumentError(
                f"strengths='auto' needs a dense network with weights and a loss > 0; its penalty at strength 1 is "
                f"{at_one:.4g}, its loss {scale:.4g}: give strengths"
            )
        return FIRST * scale / at_one

    def _is_over(self) -> bool:
        rows = np.stack([rung.rows for rung in self.rungs])
        means = rows.mean(axis=1)
        best = lowest(means)
        worse = ~(means - means[best] <= 2.0 * np.nan_to_num(paired_error(rows, best)))
        return self.rungs[-1].zeros >= ALL_ZERO or (len(worse) > PATIENCE and bool(worse[-PATIENCE:].all()))

    def _keep(self, strength: float) -> None:
        rung = self.run.rung(strength)
        if self.refit and strength > 0:
            self.phase += ", in its refit"
            rung = self.run.refitted(rung, self.epochs_per_rung)
        if self.book is not None:
            self.book.add(rung, self.scale, time.perf_counter() - self.start)
        self.rungs.append(rung)
        name = "dense" if strength == 0 else f"strength {strength:.4g}"
        score = "" if np.isnan(rung.score) else f", {self.run.goal.score_name} {rung.score:.4g}"
        self.say(f"{name}: held-out loss {rung.held_out:.4g}{score}, {100 * rung.zeros:.1f} % zeros")


def _check(penalty: Any, strengths: Any, rule: str, refit: bool, growth: float) -> None:
    check_penalty(penalty)
    if penalty is None:
        raise ArgumentError("penalty must say what the strengths are of, such as L1(1.0); got None")
    check_choice("rule", rule, RULES)
    check_boolean("refit", refit)
    check_positive("growth", growth)
    if growth <= 1:
        raise ArgumentError(f"growth must be > 1, as strengths rise by it; got {growth!r}")
    if isinstance(strengths, str):
        check_choice("strengths", strengths, ("auto",))
        return
    values = np.asarray(strengths, dtype=np.float64) if isinstance(strengths, Sequence | np.ndarray) else np.empty(0)
    if values.ndim != 1 or not len(values) or not (np.isfinite(values) & (values > 0)).all():
        raise ArgumentError(f"strengths must be 'auto' or numbers > 0 (dense is always the first); got {strengths!r}")
    if not (np.diff(values) > 0).all():
        raise ArgumentError(f"strengths must rise: each rung starts from a less sparse one; got {strengths!r}")


def _made(
    model: nn.Module, data: Any, penalty: Any, optimizer: Any, lr: float, batch_size: Any, loss: Any, validation: Any,
    seed: int, selection: tuple[Any, Any, Any],
) -> Run:  # fmt: skip
    """Everything that the phases share."""
    unit = largest_strength(penalty) or 1.0
    named = dict(zip(("select", "exclude", "overrides"), selection, strict=True))
    plan = Plan(model, at_strength(penalty, unit), **named)
    made = _optimizer(plan, penalty, optimizer, lr)
    train, held_out = split(data, validation, seed, batch_size)
    place = next(model.parameters()).device
    train, held_out = train.to(place), held_out.to(place)
    with torch.no_grad(), own_random_numbers(), in_mode([model], None):
        x, y = next(iter(held_out.in_order()))
        goal = goal_of(loss, apply(model, x), y, getattr(train, "y", None))
    return Run(model, made, unit, train, held_out, goal, seed)


def _optimizer(plan: Plan, penalty: Any, optimizer: Any, lr: float) -> Any:
    if optimizer is None:
        kinds = ("L1", "L2", "L1L2", "GroupL2", "SparseGroup")
        knows = type(penalty).__name__ in kinds and not has_many(penalty)
        optimizer = DualAdam if knows else ProxAdam
    if isinstance(optimizer, type) and issubclass(optimizer, AdamW):
        raise ArgumentError("AdamW minimizes no penalty, so it has no path of strengths: take DualAdam or ProxAdam")
    if isinstance(optimizer, type):
        return optimizer(plan, lr=lr)
    if not callable(optimizer):
        raise ArgumentError(f"optimizer must be a class of shrinkage.torch or a callable (plan); got {optimizer!r}")
    return optimizer(plan)


def _record(
    walk: _Walk, run: Run, penalty: Any, found: Choice, chosen: int, status: str, rule: str, target: float | None,
    start: float,
) -> NetworkPath:  # fmt: skip
    rungs = walk.rungs
    rows = np.stack([rung.rows for rung in rungs])
    n = rows.shape[1]
    if target is not None:
        said = f"Taken: the strength that was steered to {100 * target:g} % zeros."
    elif rule == "min":
        said = f"Taken: the lowest mean loss on the {n} rows held out."
    else:
        said = (
            f"Taken by the 1-SE rule: the largest strength whose mean loss on the {n} rows held out is above the "
            f"lowest by at most {rule_words(rule)}."
        )
    known = {"dense": rungs[0], "best": rungs[found.best], "one_se": rungs[found.one_se]}
    weights = {name: _state(run.model, rung.weights) for name, rung in known.items()}
    weights["chosen"] = _state(run.model, run.weights())
    return NetworkPath(
        strengths=np.array([rung.strength for rung in rungs]),
        train_loss=np.array([rung.train_loss for rung in rungs]),
        held_out=rows.mean(axis=1),
        zeros=np.array([rung.zeros for rung in rungs]),
        best=found.best,
        one_se=found.one_se,
        chosen=chosen,
        rule=said,
        status=status,
        score=np.array([rung.score for rung in rungs]) if run.goal.score_name else None,
        se=found.se if n > 1 else None,
        difference_se=found.difference_se,
        score_name=run.goal.score_name,
        loss_name=run.goal.name,
        penalty=penalty_text(penalty),
        epochs=walk.epochs,
        epochs_per_rung=walk.epochs_per_rung,
        before_refit=np.array([rung.before_refit for rung in rungs]) if walk.refit else None,
        seconds=time.perf_counter() - start,
        n_train=run.train_rows.n_rows,
        n_held_out=n,
        notes=tuple(walk.notes),
        weights=weights,
    )


def _state(model: nn.Module, weights: dict[str, dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Kept tensors under the names of the model's state dict."""
    known = {**weights["parameters"], **weights["buffers"]}
    return {name: known[name] for name in model.state_dict() if name in known}
