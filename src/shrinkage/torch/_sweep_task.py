"""From what a user says of a sweep to a task that trainers understand, and to the settings that a journal compares."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from shrinkage._errors import ArgumentError
from shrinkage.torch._adamw import AdamW
from shrinkage.torch._dual_adam import DualAdam
from shrinkage.torch._goals import Goal
from shrinkage.torch._members import make_template
from shrinkage.torch._optimizer import PenalizedOptimizer
from shrinkage.torch._plan import Plan
from shrinkage.torch._prox_adam import ProxAdam
from shrinkage.torch._source import Source, digest
from shrinkage.torch._strengths import at_strength, has_many
from shrinkage.torch._sweep_trial import try_out
from shrinkage.torch._task import Task
from shrinkage.training import penalty_text, to_plain


@dataclass(frozen=True)
class Recipe:
    """What a strength is, and what optimizer it makes.

    Attributes
    ----------
    penalty : Penalty or None
        Its own strength does not count; of an array of them, ratios do. Without one, strengths are weight decays.
    optimizer : class, callable (plan, strength) -> Optimizer, or None
    lr, options
        Given to a class.
    select, exclude, overrides
        Of the plan.
    """

    penalty: Any = None
    optimizer: Any = None
    lr: float | None = None
    options: Mapping[str, Any] | None = None
    select: Any = None
    exclude: Any = None
    overrides: Any = None

    @property
    def strength_name(self) -> str:
        """What the strengths are, in words."""
        if self.penalty is None:
            return "weight_decay"
        largest = "largest " if has_many(self.penalty) else ""
        return f"{largest}strength of {penalty_text(self.penalty)}"

    def __call__(self, model: nn.Module, strength: float) -> Optimizer:
        """Return the optimizer of a model at a strength."""
        penalty = None if self.penalty is None else at_strength(self.penalty, strength)
        plan = Plan(model, penalty, select=self.select, exclude=self.exclude, overrides=self.overrides)
        kind = self.kind
        if not isinstance(kind, type):
            made = kind(plan, strength)
            if not isinstance(made, Optimizer):
                raise ArgumentError(
                    f"optimizer must return a torch Optimizer of (plan, strength); it returned {type(made).__name__}"
                )
            return made
        options = {} if self.options is None else dict(self.options)
        if self.lr is not None:
            options["lr"] = self.lr
        if issubclass(kind, PenalizedOptimizer):
            decay = {"weight_decay": strength} if self.penalty is None else {}
            return kind(plan, **decay, **options)
        return kind(plan.param_groups(weight_decay=strength), **options)

    @property
    def kind(self) -> Any:
        """The optimizer's class or maker: without words, dual averaging where it can, else a proximal step."""
        if self.optimizer is not None:
            return self.optimizer
        if self.penalty is None:
            return AdamW
        kinds = ("L1", "L1L2", "GroupL2", "SparseGroup")
        return DualAdam if type(self.penalty).__name__ in kinds and not has_many(self.penalty) else ProxAdam

    def check(self) -> None:
        """Refuse what makes no optimizer or holds no strength."""
        if self.penalty is not None and not hasattr(self.penalty, "with_alpha"):
            raise ArgumentError(f"penalty must be one of shrinkage.penalties, or None; got {self.penalty!r}")
        kind = self.kind
        if isinstance(kind, type):
            self._check_class(kind)
        elif not callable(kind):
            raise ArgumentError(f"optimizer must be an optimizer's class or a callable (plan, strength); got {kind!r}")
        elif self.lr is not None or self.options:
            raise ArgumentError("lr and optimizer_options go to an optimizer's class; a callable sets its own")

    def _check_class(self, kind: type) -> None:
        if not issubclass(kind, Optimizer):
            raise ArgumentError(f"optimizer must be a class of optimizers; {kind.__name__} is none")
        ours = issubclass(kind, PenalizedOptimizer)
        penalizes = ours and kind is not AdamW
        if self.penalty is not None and not penalizes:
            raise ArgumentError(
                f"{kind.__name__} applies no penalty: take ProxAdam, DualAdam, ProxSGD or DualSGD, or a callable that "
                "attaches Proximal; without a penalty, strengths are weight decays"
            )
        reserved = {"lr", "penalty"} | ({"weight_decay"} if self.penalty is None else set())
        for name in reserved & set(self.options or ()):
            raise ArgumentError(f"optimizer_options must not hold {name!r}: it has an argument of its own, or is swept")


@dataclass(frozen=True)
class Setup:
    """A task, its goal, where it runs, the settings that decide its results, and what a reader should know."""

    task: Task
    goal: Goal
    device: torch.device
    settings: dict[str, Any]
    notes: tuple[str, ...] = ()


def set_up(
    model_fn: Callable[[], nn.Module],
    recipe: Recipe,
    train: Source,
    held_out: Source,
    loss: Any,
    scheduler: Callable[[Optimizer], Any] | None,
    scheduler_every: Literal["epoch", "step"],
    seeds: Sequence[int],
    strength: float,
    kept: bool = False,
) -> Setup:
    """Try everything once, on a model that is thrown away, so that what cannot work is refused before training.

    Parameters
    ----------
    seeds, strength
        The first seed and the strength are those of the model and the optimizer that are tried.
    kept : bool
        Whether a journal keeps what is done, for which a scheduler must have a state.
    """
    if isinstance(model_fn, nn.Module) or not callable(model_fn):
        raise ArgumentError(
            f"model_fn must be a function that makes a new model at each call, such as lambda: nn.Linear(4, 1); got "
            f"{type(model_fn).__name__}{', a model' if isinstance(model_fn, nn.Module) else ''}"
        )
    blank = Task(model_fn, _no_loss, _no_loss, recipe)
    model = make_template(blank, seeds[0])
    if not isinstance(model, nn.Module):
        raise ArgumentError(f"model_fn must return a torch module; it returned {type(model).__name__}")
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    optimizer = recipe(model, strength)
    optimizer_said = described(optimizer)  # before a scheduler writes into it
    made = None if scheduler is None else scheduler(optimizer)
    _check_scheduler(made, kept)
    goal, first_loss = try_out(model, train.to(device), held_out.to(device), loss)
    task = Task(model_fn, goal.loss, goal.rows, recipe, scheduler, scheduler_every)
    start = _digest(model)
    settings = {
        "model": without_addresses(str(model)),
        "loss": goal.name,
        "penalty": to_plain(None if recipe.penalty is None else at_strength(recipe.penalty, 1.0)),
        "optimizer": optimizer_said,
        "scheduler": None if made is None else _scheduler_described(made) | {"every": scheduler_every},
        "training data": train.fingerprint(),
        "held-out data": held_out.fingerprint(),
        "initial weights": start,
        "initial loss": f"{first_loss:.3g}",
        "torch": torch.__version__.partition("+")[0],
        "shrinkage": version("shrinkage"),
    }
    notes = _notes_on_starts(start, seeds, blank)
    return Setup(task, goal, device, settings, notes)


def _notes_on_starts(start: str, seeds: Sequence[int], blank: Task) -> tuple[str, ...]:
    """Say it where seeds do not change the weights at the start."""
    if len(seeds) < 2 or _digest(make_template(blank, seeds[1])) != start:
        return ()
    return (
        f"model_fn starts from the same weights under seeds {seeds[0]} and {seeds[1]}: standard errors over seeds are "
        "those of the order of batches and of dropout alone",
    )


def _digest(model: nn.Module) -> str:
    return digest(*model.parameters(), *model.buffers())


def _check_scheduler(scheduler: Any, kept: bool) -> None:
    """Refuse what makes no steps, and for a journal what has no state that it could keep."""
    needed = ("step", "state_dict", "load_state_dict") if kept else ("step",)
    missing = [name for name in needed if not callable(getattr(scheduler, name, None))]
    if scheduler is not None and missing:
        why = ", for the journal to go on from" if missing[0] != "step" else ""
        raise ArgumentError(
            f"scheduler must make an object with {missing[0]}(){why}; {type(scheduler).__name__} has none"
        )


def _no_loss(output: Any, target: Tensor) -> Tensor:
    raise NotImplementedError


def described(optimizer: Optimizer) -> dict[str, Any]:
    """An optimizer's class and settings; of its parameters the names, or how many they are."""
    groups = []
    for group in optimizer.param_groups:
        own = {key: _plain(value) for key, value in group.items() if key not in ("params", "param_names")}
        groups.append(own | {"parameters": group.get("param_names", len(group["params"]))})
    return {"class": type(optimizer).__name__, "groups": groups}


def _scheduler_described(scheduler: Any) -> dict[str, Any]:
    """A scheduler's class and those of its settings that are plain."""
    state = scheduler.state_dict() if hasattr(scheduler, "state_dict") else {}
    return {"class": type(scheduler).__name__, "settings": {key: _plain(state[key]) for key in sorted(state)}}


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    try:
        return to_plain(value)
    except ArgumentError:
        return without_addresses(repr(value))


def without_addresses(text: str) -> str:
    """A text without places in memory, which another process does not share."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)
