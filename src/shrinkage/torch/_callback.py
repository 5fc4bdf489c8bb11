"""What the callbacks of every training framework do: attach the prox, show the plan, report, aim at a sparsity."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import torch
from torch import nn

from shrinkage._check import check_positive_int
from shrinkage._errors import ArgumentError, ConvergenceWarning, MissingExtraError
from shrinkage.torch._decay_report import decay_report
from shrinkage.torch._optimizer import PenalizedOptimizer, check_penalty
from shrinkage.torch._plan import Plan, Selection
from shrinkage.torch._proximal import Proximal
from shrinkage.torch._reading import unwrapped
from shrinkage.torch._report import report
from shrinkage.torch._target_sparsity import TargetSparsity
from shrinkage.training import Logger, Report, as_logger, scalars

CONTROLLER = "target_sparsity"
"""Where the state of a controller lies in an optimizer's first group, and so in every checkpoint of it."""
WATCHED = ("accidental decay", "double decay")


class Controller:
    """A controller of one optimizer's strengths, stepped by the optimizer's own hooks.

    Its state lies in the optimizer's first group as plain data: every framework saves it with the optimizer and loads
    it, before or after the attachment.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, control: Any) -> None:
        for method in ("step", "state_dict", "load_state_dict"):
            if not callable(getattr(control, method, None)):
                raise ArgumentError(
                    "target_sparsity: a function must return an object with step, state_dict and load_state_dict; "
                    f"got {type(control).__name__}"
                )
        self.optimizer, self.control = optimizer, control
        self.load()
        self._hooks = [
            optimizer.register_step_post_hook(lambda *_: control.step()),
            optimizer.register_state_dict_pre_hook(lambda _: self.store()),
            optimizer.register_load_state_dict_post_hook(lambda _: self.load()),
        ]

    def store(self) -> None:
        """Put the state into the first group."""
        self.optimizer.param_groups[0][CONTROLLER] = self.control.state_dict()

    def load(self) -> None:
        """Take the state from the first group, if it is there."""
        stored = self.optimizer.param_groups[0].get(CONTROLLER)
        if stored is not None:
            self.control.load_state_dict(stored)

    def scalars(self) -> dict[str, float]:
        """Return what the controller tells a logger, by names that begin with `target_sparsity/`."""
        told = self.control.scalars() if callable(getattr(self.control, "scalars", None)) else {}
        return {f"{CONTROLLER}/{name}": float(value) for name, value in told.items()}

    def remove(self) -> None:
        """Take the hooks off."""
        for hook in self._hooks:
            hook.remove()
        if callable(getattr(self.control, "remove", None)):
            self.control.remove()


@dataclass(frozen=True)
class Held:
    """An optimizer, and what acts beside it; `made` says whether the Proximal was attached here."""

    optimizer: torch.optim.Optimizer
    proximal: Proximal | None
    made: bool
    controller: Controller | None

    @property
    def stale(self) -> bool:
        """Whether the optimizer has got other parameters since, as sharding gives it."""
        plan = None if self.proximal is None else self.proximal.plan
        return plan is not None and len(held_by(plan, self.optimizer)) < len(plan.penalized)

    def expect(self, steps: int | None) -> None:
        """Tell a controller that was made before it could be known how many steps there will be."""
        control = None if self.controller is None else self.controller.control
        if isinstance(control, TargetSparsity) and control.steps is None:
            control.steps = steps

    def release(self) -> None:
        """Take off what was attached here."""
        if self.controller is not None:
            self.controller.remove()
        if self.made and self.proximal is not None:
            self.proximal.remove()


class PenaltyCallback:
    """Base of the callbacks: settings, and what to do once a framework has shown its model and optimizers.

    Its children say when; they are final. Copies and pickles carry the settings alone, as hooks stay with their
    optimizer.
    """

    _missing: str | None = None
    """What to say where the framework is not installed."""

    def __init__(
        self,
        penalty: Any = None,
        *,
        plan: Plan | Callable[[nn.Module], Plan] | None = None,
        select: Selection | Sequence[Selection] | None = None,
        exclude: Selection | Sequence[Selection] | None = None,
        overrides: Mapping[str, Any] | None = None,
        semantics: str = "penalty",
        warmup_steps: int = 0,
        keep: int = 0,
        stochastic_rounding: bool = False,
        target_sparsity: float | Callable[[torch.optim.Optimizer], Any] | None = None,
        logger: Any = "trainer",
        every_n_epochs: int | None = 1,
        every_n_steps: int | None = None,
        show: Callable[[str], object] | None = print,
    ) -> None:
        if self._missing is not None:
            raise MissingExtraError(self._missing)
        super().__init__()
        check_penalty(penalty)
        chosen = {"select": select, "exclude": exclude, "overrides": overrides}
        given = [name for name, value in {"penalty": penalty, **chosen}.items() if value is not None]
        if plan is not None and given:
            raise ArgumentError(f"the plan already says who gets which penalty; leave out {', '.join(given)}")
        if plan is not None and not isinstance(plan, Plan) and not callable(plan):
            raise ArgumentError(f"plan must be a Plan or a function from a model to one; got {type(plan).__name__}")
        for name, every in (("every_n_epochs", every_n_epochs), ("every_n_steps", every_n_steps)):
            if every is not None:
                check_positive_int(name, every)
        if show is not None and not callable(show):
            raise ArgumentError(f"show must be a function that takes a text, or None; got {show!r}")
        if not callable(target_sparsity) and target_sparsity is not None:
            _check_target(target_sparsity)
        self._plan_source = plan if plan is not None else (penalty, chosen) if given else None
        self._options = {
            "semantics": semantics,
            "warmup_steps": warmup_steps,
            "keep": keep,
            "stochastic_rounding": stochastic_rounding,
        }
        self.target_sparsity, self.show = target_sparsity, show
        self.every_n_epochs, self.every_n_steps = every_n_epochs, every_n_steps
        self.to_trainer = isinstance(logger, str) and logger == "trainer"
        self.loggers: tuple[Logger, ...] = () if self.to_trainer or logger is None else _loggers(logger)
        self._forget()

    def _forget(self) -> None:
        self._held: tuple[Held, ...] = ()
        self.plan: Plan | None = None
        self.last_report: Report | None = None
        self._reported_at = -1

    @property
    def proximals(self) -> tuple[Proximal, ...]:
        """What was attached to torch's optimizers, or was found there."""
        return tuple(held.proximal for held in self._held if held.proximal is not None)

    @property
    def controllers(self) -> tuple[Any, ...]:
        """What steers the strengths, one per penalized optimizer, where a target sparsity is set."""
        return tuple(held.controller.control for held in self._held if held.controller is not None)

    def attach(self, model: nn.Module, optimizers: Iterable[Any], steps: int | None = None) -> None:
        """Attach to every optimizer that is not known yet; nothing is done twice.

        Parameters
        ----------
        model : nn.Module
        optimizers : iterable
            Wrappers that hold theirs as `.optimizer` are opened.
        steps : int, optional
            Of the whole training, where it is known.

        Raises
        ------
        ArgumentError
            If nothing would be penalized, or a penalty cannot act.
        """
        inner = [unwrapped(optimizer) for optimizer in optimizers]
        known = {id(held.optimizer): held for held in self._held}
        if inner and all(id(one) in known and not known[id(one)].stale for one in inner):
            for held in self._held:
                held.expect(steps)
            return
        for held in self._held:
            held.release()
        self._forget()
        plan = self._planned(model)
        _check_all_held(plan, inner)
        try:
            for optimizer in inner:
                self._held += (self._hold(optimizer, plan, steps),)
            self._check_something_acts()
        except BaseException:
            for held in self._held:
                held.release()
            self._forget()
            raise
        own = (held.optimizer.plan for held in self._held if isinstance(held.optimizer, PenalizedOptimizer))
        followed = (proximal.plan for proximal in self.proximals)
        self.plan = plan or next((one for one in (*own, *followed) if one is not None), None)

    def text(self, model: nn.Module) -> str:
        """Return the plan in words, what applies it, and which decays of the optimizers look unmeant."""
        parts = [str(report(model, self._held[0].optimizer)) if self.plan is None else str(self.plan)]
        for held in self._held:
            if held.proximal is not None or is_ours(held.optimizer):
                parts.append(f"applied by {held.proximal or type(held.optimizer).__name__}")
            if held.controller is not None:
                parts.append(f"steered by {held.controller.control}")
            alarms = decay_report(model, held.optimizer, plan=self.plan).alarms
            parts += [f"! {alarm.sentence}" for alarm in alarms if alarm.kind in WATCHED]
        return "\n".join(parts)

    def report(self, model: nn.Module, steps_per_epoch: float | None = None) -> dict[str, float]:
        """Read a report of the present state, keep it as `last_report`, and return its numbers for a logger.

        All processes must call it, since sums over shards are reduced.
        """
        records = [
            report(model, held.optimizer, plan=self.plan, before=self.last_report, steps_per_epoch=steps_per_epoch)
            for held in self._held
        ]
        self.last_report = together(records)
        values = scalars(self.last_report)
        steered = [held.controller.scalars() for held in self._held if held.controller is not None]
        for k, told in enumerate(steered):
            values |= {f"{name}/{k}" if len(steered) > 1 else name: value for name, value in told.items()}
        return values

    def tell(self, step: int, values: Mapping[str, float]) -> None:
        """Hand values to every logger that was given."""
        for logger in self.loggers:
            logger.log(step, values)

    def say_missed(self) -> None:
        """Warn where a target of zeros was missed."""
        for control in self.controllers:
            if isinstance(control, TargetSparsity) and control.missed:
                warnings.warn(f"target_sparsity: {control.missed}", ConvergenceWarning, stacklevel=2)

    def _planned(self, model: nn.Module) -> Plan | None:
        source = self._plan_source
        if source is None or isinstance(source, Plan):
            return source
        if isinstance(source, tuple):
            return Plan(model, source[0], **source[1])
        plan = source(model)
        if not isinstance(plan, Plan):
            raise ArgumentError(f"plan must be a function that returns a Plan; it returned {type(plan).__name__}")
        return plan

    def _hold(self, optimizer: torch.optim.Optimizer, plan: Plan | None, steps: int | None) -> Held:
        """Attach what an optimizer needs."""
        proximal = Proximal.of(optimizer) if plan is None else None
        made = None
        if is_ours(optimizer):
            if plan is not None and held_by(plan, optimizer):
                raise ArgumentError(
                    f"{type(optimizer).__name__} of shrinkage.torch applies its own penalties, and two shrink twice: "
                    "leave penalty and plan out of the callback"
                )
        elif plan is not None and held_by(plan, optimizer):
            made = Proximal(optimizer, part_of(plan, optimizer), **self._options)
        elif plan is None and proximal is None and any(group.get("penalty") for group in optimizer.param_groups):
            made = Proximal(optimizer, **self._options)
        held = Held(optimizer, made or proximal, made is not None, None)
        try:
            return replace(held, controller=self._controller_of(held, steps))
        except BaseException:
            held.release()
            raise

    def _controller_of(self, held: Held, steps: int | None) -> Controller | None:
        if self.target_sparsity is None or (held.proximal is None and not is_ours(held.optimizer)):
            return None
        if callable(self.target_sparsity):
            return Controller(held.optimizer, self.target_sparsity(held.optimizer))
        return Controller(held.optimizer, TargetSparsity(held.optimizer, self.target_sparsity, steps=steps))

    def _check_something_acts(self) -> None:
        if not self.proximals and not any(is_ours(held.optimizer) for held in self._held):
            kinds = ", ".join(type(held.optimizer).__name__ for held in self._held) or "no optimizer"
            raise ArgumentError(
                f"nothing is penalized in this training ({kinds}): pass a penalty or a plan to the callback, or train "
                "with an optimizer of shrinkage.torch"
            )

    def __getstate__(self) -> dict[str, Any]:
        settings = {name: value for name, value in vars(self).items() if name != "log"}  # Lightning puts it there
        return {**settings, "_held": (), "plan": None, "last_report": None}


def is_ours(optimizer: torch.optim.Optimizer) -> bool:
    """Say whether an optimizer applies penalties or decays itself."""
    return isinstance(optimizer, PenalizedOptimizer)


def held_by(plan: Plan, optimizer: torch.optim.Optimizer) -> list[str]:
    """Return the names of the penalized parameters that an optimizer holds."""
    here = {id(p) for group in optimizer.param_groups for p in group["params"]}
    return [name for name in plan.penalized if id(plan.parameters[name]) in here]


def part_of(plan: Plan, optimizer: torch.optim.Optimizer) -> Plan:
    """Return the plan with penalties only on what an optimizer holds, for trainings with several optimizers."""
    here = set(held_by(plan, optimizer))
    if len(here) == len(plan.penalized):
        return plan
    part = copy(plan)
    rows = tuple(row if row.name in here else replace(row, penalty=None) for row in plan.rows)
    part.table = replace(plan.table, rows=rows)
    part._row_of = {name: row for row in rows for name in (row.name, *row.aliases)}
    return part


def together(records: Sequence[Report]) -> Report:
    """Return one report of several optimizers: each parameter's row from the optimizer that has it."""
    if len(records) == 1:
        return records[0]
    same = zip(*(record.rows for record in records), strict=True)
    rows = tuple(next((row for row in found if row.group is not None), found[0]) for found in same)
    alarms = {alarm.sentence: alarm for record in records for alarm in record.alarms}
    return replace(
        records[0],
        rows=rows,
        alarms=tuple(alarms.values()),
        notes=(),  # each says of the other's parameters that they are not in its optimizer
        optimizer=", ".join(str(record.optimizer) for record in records),
    )


def _check_all_held(plan: Plan | None, optimizers: Sequence[torch.optim.Optimizer]) -> None:
    if plan is None:
        return
    held = {name for optimizer in optimizers for name in held_by(plan, optimizer)}
    missing = [name for name in plan.penalized if name not in held]
    if missing:
        shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        raise ArgumentError(
            f"no optimizer of this training holds {len(missing)} of the {len(plan.penalized)} parameters that the plan "
            f"penalizes: {shown}. Make the plan from the model that is trained, or exclude these"
        )


def _check_target(target: Any) -> None:
    if isinstance(target, bool) or not isinstance(target, Real) or not 0 < float(target) < 1:
        raise ArgumentError(
            "target_sparsity must be a share of zeros between 0 and 1, such as 0.9, or a function from an optimizer to "
            f"a controller; got {target!r}"
        )


def _loggers(logger: Any) -> tuple[Logger, ...]:
    several = logger if isinstance(logger, (list, tuple)) else (logger,)
    return tuple(as_logger(one) for one in several)
