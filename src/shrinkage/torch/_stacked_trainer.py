"""Trainings side by side as one: parameters of all models in stacks, one forward and backward for all."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from shrinkage.torch._loop_trainer import check_dropped, find_member, keep_stored
from shrinkage.torch._members import (
    Member,
    apply,
    check_strengths,
    copy_of,
    detached_copy,
    in_mode,
    make_scheduler,
    make_template,
    member_snapshot,
    modes_of,
    own_random_numbers,
    put_tensors,
    restore_member,
    row_count,
    set_stream,
    share_of_zeros,
    step_scheduler,
    stored_members,
    tensors_of,
)
from shrinkage.torch._stacked_adam import AdamStepper
from shrinkage.torch._stacked_graph import (
    CannotStackError,
    Stacks,
    leaves_of,
    refuse_unstackable,
    rows_graph,
    signature,
    training_graph,
)
from shrinkage.torch._stacked_sgd import SGDStepper
from shrinkage.torch._stacked_step import NotTogetherError, OneByOne, make_stepper
from shrinkage.torch._task import Batch, Task

STEPPERS = (AdamStepper, SGDStepper)
_OWN = {"params", "penalty", "weight_decay", "l1_decay", "param_names", "base_lr"}


class StackedTrainer:
    """Trains all strengths in the same operations; results are those of `LoopTrainer` to rounding.

    Forward and backward of a batch's shape are recorded once and checked against a model alone. Steps of Adam, AdamW,
    SGD, `ProxAdam`, `DualAdam`, `ProxSGD`, `DualSGD` and our `AdamW` are taken for all members at once where the
    penalty acts on weights one by one, and those of any other optimizer one member after the other.

    Parameters
    ----------
    task, strengths, seed
        As in `LoopTrainer`.

    Raises
    ------
    CannotStackError
        If the model has hooks, its control flow depends on data, or it keeps something beside parameters and buffers;
        at once, or with the first batch.
    """

    def __init__(self, task: Task, strengths: Sequence[float], seed: int) -> None:
        self.task, self.seed, self.step = task, seed, 0
        template = make_template(task, seed)
        refuse_unstackable(template)
        self._modes = modes_of(template)
        known = check_strengths(strengths)
        trained = {name: p for name, p in template.named_parameters() if p.requires_grad}
        if not trained:
            raise CannotStackError("no parameter of the model is trained")
        self.stacks = Stacks(
            template, *(_stacked(some, len(known)) for some in (trained, dict(template.named_buffers())))
        )
        self.members = [self._member(k, strength) for k, strength in enumerate(known)]
        self._lead = self._scheduler_for_all()
        self._forget()

    def _member(self, k: int, strength: float) -> Member:
        model = copy_of(self.stacks.template)
        _attach(model, self.stacks, k)
        optimizer = self.task.make_optimizer(model, strength)
        if isinstance(optimizer, torch.optim.LBFGS):
            raise CannotStackError("LBFGS computes the loss several times in a step")
        return Member(strength, model, optimizer, make_scheduler(self.task, optimizer))

    def _scheduler_for_all(self) -> Any:
        """Return one scheduler that can stand for those of all members, or None."""
        schedulers = [member.scheduler for member in self.members]
        rates = [[_rates(group) for group in member.optimizer.param_groups] for member in self.members]
        first = schedulers[0]
        if not isinstance(first, LRScheduler) or any(type(one) is not type(first) for one in schedulers):
            return None
        states = [repr(sorted(one.state_dict().items())) for one in schedulers]
        plateau = isinstance(first, torch.optim.lr_scheduler.ReduceLROnPlateau)
        if plateau or any(r != rates[0] for r in rates) or any(state != states[0] for state in states):
            return None
        for member in self.members:
            member.scheduler = None
        return first

    def _forget(self, extra: dict[str, Tensor] | None = None) -> None:
        """Let steps and graphs be made anew."""
        self._stepper: Any = None
        self._extra = extra or {}
        self._graphs: dict[Any, Any] = {}
        self._row_graphs: dict[Any, Any] = {}

    @property
    def strengths(self) -> tuple[float, ...]:
        """Return the strengths in training."""
        return tuple(member.strength for member in self.members)

    def run_epoch(self, batches: Iterable[Batch]) -> Tensor:
        """Train on each batch once; return the mean loss over the rows, (live,), without penalty."""
        totals, rows = torch.zeros(len(self.members), dtype=torch.float64), 0
        with own_random_numbers(), in_mode([self.stacks.template], self._modes):
            set_stream(self.seed, self.step, of_data=True)
            if isinstance(self._stepper, OneByOne):  # a warm-up may be over
                self._renew_stepper()
            for x, y in batches:
                totals += self._train(x, y).double().cpu() * row_count(y)
                rows += row_count(y)
                self.step += 1
                if self.step == 1:
                    self._renew_stepper()
                if self.task.scheduler_every == "step":
                    self._step_schedulers(None)
                set_stream(self.seed, self.step, of_data=True)
        means = totals / max(rows, 1)
        if self.task.scheduler_every == "epoch" and rows:
            self._step_schedulers(means.tolist())
        return means

    def _train(self, x: Any, y: Tensor) -> Tensor:
        """Take one step, and return the losses before it."""
        graph, used = self._training_graph(x, y)
        set_stream(self.seed, self.step)
        if graph is None:
            losses, gradients = self._one_by_one(used, x, y)
        else:
            with torch.no_grad():
                losses, *found = graph(*self.stacks.inputs(), *leaves_of(x), y)
            gradients = dict(zip(used, found, strict=True))
        self._ready_stepper(used)
        with torch.no_grad():
            self._stepper.step(gradients)
        return losses

    def _training_graph(self, x: Any, y: Tensor) -> tuple[Any, list[str]]:
        """Return the graph of a batch's shape, None where there is none, and the parameters that have a gradient."""
        key = signature(x, y)
        if key not in self._graphs:
            try:
                with torch.enable_grad():
                    graph, has_gradient = training_graph(self.task, self.stacks, self.seed, x, y)
            except CannotStackError:
                if not self._graphs:
                    raise
                known = next(iter(self._graphs.values()))
                self._graphs[key] = (None, known[1])
            else:
                used = [name for name, yes in zip(self.stacks.parameters, has_gradient, strict=True) if yes]
                self._graphs[key] = (graph, used)
        found = self._graphs[key]
        if found[1] != next(iter(self._graphs.values()))[1]:
            raise CannotStackError("which parameters have a gradient changes from batch to batch")
        return found

    def _one_by_one(self, used: list[str], x: Any, y: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        losses, found = [], []
        models = [member.model for member in self.members]
        with torch.enable_grad(), in_mode(models, self._modes):
            for model in models:
                set_stream(self.seed, self.step)
                losses.append(self.task.loss(apply(model, x), y))
                named = dict(model.named_parameters())
                found.append(torch.autograd.grad(losses[-1], [named[name] for name in used]))
        gradients = {name: torch.stack([g[k] for g in found]) for k, name in enumerate(used)}
        return torch.stack([loss.detach() for loss in losses]), gradients

    def _ready_stepper(self, used: list[str]) -> None:
        """Make the stepper; the very first step is taken one by one, which makes the states."""
        if self._stepper is None:
            stacks = {name: self.stacks.parameters[name] for name in used}
            self._stepper = make_stepper(self.members, stacks, self._extra, STEPPERS if self.step else ())
            self._extra = {}

    def _step_schedulers(self, losses: Sequence[float] | None) -> None:
        if self._lead is not None:
            self._lead.step()
            self._spread_rates(self._lead.optimizer.param_groups)
        for k, member in enumerate(self.members):
            step_scheduler(member.scheduler, None if losses is None else losses[k])
        if self._stepper is not None and self.task.make_scheduler is not None:
            try:
                self._stepper.refresh()
            except NotTogetherError:
                self._renew_stepper()

    def _renew_stepper(self) -> None:
        """Let the stepper be made anew at the next step."""
        self._extra, self._stepper = self._synced(), None

    def _spread_rates(self, groups: Sequence[dict[str, Any]]) -> None:
        """Give all members, and the scheduler that stands for theirs, these rates."""
        rates = [_rates(group) for group in groups]
        for optimizer in (self._lead.optimizer, *(member.optimizer for member in self.members)):
            for group, values in zip(optimizer.param_groups, rates, strict=True):
                group.update(values)

    @torch.no_grad()
    def held_out(self, batches: Iterable[Batch]) -> Tensor:
        """Return the loss of every row in evaluation mode, (live, n_rows)."""
        parts = []
        models = [member.model for member in self.members]
        with own_random_numbers(), in_mode([self.stacks.template, *models], None):
            for x, y in batches:
                graph = self._row_graph(x, y)
                if graph is None:
                    parts.append(torch.stack([self.task.rows(apply(model, x), y) for model in models]))
                else:
                    parts.append(graph(*self.stacks.inputs(), *leaves_of(x), y)[0])
        return torch.cat(parts, dim=1)

    def _row_graph(self, x: Any, y: Tensor) -> Any:
        key = signature(x, y)
        if key not in self._row_graphs:
            try:
                self._row_graphs[key] = rows_graph(self.task, self.stacks, x, y)
            except CannotStackError:
                self._row_graphs[key] = None
        return self._row_graphs[key]

    @torch.no_grad()
    def outputs(self, x: Any) -> Tensor:
        """Return the outputs in evaluation mode, (live, n, ...)."""
        models = [member.model for member in self.members]
        with own_random_numbers(), in_mode(models, None):
            return torch.stack([apply(model, x) for model in models])

    def drop(self, strengths: Sequence[float]) -> None:
        """Stop the training of some strengths."""
        check_dropped(strengths, self.strengths)
        kept = [k for k, member in enumerate(self.members) if member.strength not in strengths]
        extra = self._synced()
        for stacks in (self.stacks.parameters, self.stacks.buffers):
            for name, stack in stacks.items():
                stacks[name] = stack[kept].contiguous()
        self.members = [self.members[k] for k in kept]
        for k, member in enumerate(self.members):
            _attach(member.model, self.stacks, k)
        self._forget({name: values[kept] for name, values in extra.items()})

    def _synced(self) -> dict[str, Tensor]:
        """Bring the optimizers' states up to date, and return what they don't know."""
        if self._stepper is None:
            return self._extra
        self._stepper.sync()
        return self._stepper.extra()

    def snapshot(self) -> dict[str, Any]:
        """Return the whole state at an epoch's end."""
        extra = detached_copy(self._synced())
        members = [member_snapshot(member, self._lead) for member in self.members]
        return {"step": self.step, "seed": self.seed, "members": members, "extra": extra}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a snapshot; strengths that had been dropped in it are dropped here."""
        keep_stored(self, snapshot)
        stored = stored_members(snapshot, self.strengths)
        for member, one in zip(self.members, stored, strict=True):
            restore_member(member, one)
        if self._lead is not None:
            self._lead.load_state_dict(detached_copy(stored[0]["scheduler"]))
            self._spread_rates(self.members[0].optimizer.param_groups)
        self.step = int(snapshot["step"])
        order = [member["strength"] for member in snapshot["members"]]
        places = [order.index(strength) for strength in self.strengths]
        device = next(iter(self.stacks.parameters.values())).device
        extra = detached_copy(snapshot.get("extra", {}))
        self._forget({name: values[places].to(device) for name, values in extra.items()})

    def model(self, strength: float) -> nn.Module:
        """Return an own copy of a strength's model in evaluation mode."""
        model = copy_of(self.stacks.template)
        put_tensors(model, tensors_of(find_member(self.members, strength).model))
        return model.eval()

    def optimizer(self, strength: float) -> Optimizer | None:
        """Return a strength's optimizer, of parameters that are parts of the stacks, with its states up to date."""
        self._synced()
        return find_member(self.members, strength).optimizer

    def zeros(self) -> Tensor:
        """Return the share of exact zeros among penalized weights, (live,)."""
        return torch.tensor([share_of_zeros(member) for member in self.members])


def _stacked(tensors: dict[str, Any], members: int) -> dict[str, Tensor]:
    return {name: torch.stack([t.detach()] * members).contiguous() for name, t in tensors.items()}


@torch.no_grad()
def _attach(model: nn.Module, stacks: Stacks, k: int) -> None:
    """Make a model's tensors parts of the stacks; what is not trained lies where the template has it."""
    shared = {**dict(stacks.template.named_parameters()), **dict(stacks.template.named_buffers())}
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        stack = stacks.parameters.get(name, stacks.buffers.get(name))
        tensor.data = shared[name].data if stack is None else stack[k]
        tensor.grad = None


def _rates(group: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in group.items() if key not in _OWN}
