"""Trainings side by side, one model after the other in every step: the plain way, which takes any model."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from shrinkage._errors import ArgumentError
from shrinkage.torch._members import (
    Member,
    apply,
    check_strengths,
    copy_of,
    in_mode,
    make_scheduler,
    make_template,
    member_snapshot,
    modes_of,
    own_random_numbers,
    restore_member,
    row_count,
    set_stream,
    share_of_zeros,
    step_scheduler,
    stored_members,
)
from shrinkage.torch._task import Batch, Task


class LoopTrainer:
    """Trains one model for each strength, each by its own optimizer; see `Trainer` for what it offers.

    Random numbers of a step (dropout) are those of (seed, step), for every strength the same.

    Parameters
    ----------
    task : Task
    strengths : sequence of different floats
    seed : int >= 0
        Of the weights at the start, and of the random numbers in training.
    """

    def __init__(self, task: Task, strengths: Sequence[float], seed: int) -> None:
        self.task, self.seed, self.step = task, seed, 0
        template = make_template(task, seed)
        self._modes = modes_of(template)
        self.members = [self._member(copy_of(template), strength) for strength in check_strengths(strengths)]

    def _member(self, model: nn.Module, strength: float) -> Member:
        optimizer = self.task.make_optimizer(model, strength)
        return Member(strength, model, optimizer, make_scheduler(self.task, optimizer))

    @property
    def strengths(self) -> tuple[float, ...]:
        """Return the strengths in training."""
        return tuple(member.strength for member in self.members)

    def run_epoch(self, batches: Iterable[Batch]) -> Tensor:
        """Train on each batch once; return the mean loss over the rows, (live,), without penalty."""
        totals, rows = torch.zeros(len(self.members), dtype=torch.float64), 0
        with own_random_numbers(), in_mode([member.model for member in self.members], self._modes):
            set_stream(self.seed, self.step, of_data=True)
            for x, y in batches:
                totals += torch.stack(
                    [self._train(member, x, y) for member in self.members]
                ).double().cpu() * row_count(y)
                rows += row_count(y)
                self.step += 1
                if self.task.scheduler_every == "step":
                    for member in self.members:
                        step_scheduler(member.scheduler, None)
                set_stream(self.seed, self.step, of_data=True)
        means = totals / max(rows, 1)
        if self.task.scheduler_every == "epoch" and rows:
            for member, mean in zip(self.members, means.tolist(), strict=True):
                step_scheduler(member.scheduler, mean)
        return means

    def _train(self, member: Member, x: Any, y: Tensor) -> Tensor:
        """Take one step, and return the loss before it."""

        def closure() -> Tensor:
            set_stream(self.seed, self.step)
            member.optimizer.zero_grad()
            loss = self.task.loss(apply(member.model, x), y)
            loss.backward()
            return loss

        if isinstance(member.optimizer, torch.optim.LBFGS):
            return torch.as_tensor(member.optimizer.step(closure)).detach()  # pyright: ignore[reportArgumentType]
        loss = closure()
        member.optimizer.step()
        return loss.detach()

    @torch.no_grad()
    def held_out(self, batches: Iterable[Batch]) -> Tensor:
        """Return the loss of every row in evaluation mode, (live, n_rows)."""
        with own_random_numbers(), in_mode([member.model for member in self.members], None):
            parts = [
                torch.stack([self.task.rows(apply(member.model, x), y) for member in self.members]) for x, y in batches
            ]
        return torch.cat(parts, dim=1)

    @torch.no_grad()
    def outputs(self, x: Any) -> Tensor:
        """Return the outputs in evaluation mode, (live, n, ...)."""
        with own_random_numbers(), in_mode([member.model for member in self.members], None):
            return torch.stack([apply(member.model, x) for member in self.members])

    def drop(self, strengths: Sequence[float]) -> None:
        """Stop the training of some strengths."""
        check_dropped(strengths, self.strengths)
        self.members = [member for member in self.members if member.strength not in strengths]

    def snapshot(self) -> dict[str, Any]:
        """Return the whole state at an epoch's end."""
        members = [member_snapshot(member) for member in self.members]
        return {"step": self.step, "seed": self.seed, "members": members}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a snapshot; strengths that had been dropped in it are dropped here."""
        keep_stored(self, snapshot)
        for member, stored in zip(self.members, stored_members(snapshot, self.strengths), strict=True):
            restore_member(member, stored)
        self.step = int(snapshot["step"])

    def model(self, strength: float) -> nn.Module:
        """Return an own copy of a strength's model in evaluation mode."""
        member = find_member(self.members, strength)
        for p in member.model.parameters():
            p.grad = None
        return copy_of(member.model).eval()

    def optimizer(self, strength: float) -> Optimizer | None:
        """Return a strength's optimizer."""
        return find_member(self.members, strength).optimizer

    def zeros(self) -> Tensor:
        """Return the share of exact zeros among penalized weights, (live,)."""
        return torch.tensor([share_of_zeros(member) for member in self.members])


def find_member(members: Sequence[Member], strength: float) -> Member:
    """Return the member of a strength."""
    for member in members:
        if member.strength == strength:
            return member
    known = [member.strength for member in members]
    raise ArgumentError(f"strength must be one in training, {known}; got {strength!r}")


def check_dropped(dropped: Sequence[float], strengths: Sequence[float]) -> None:
    """Refuse to drop what is not in training, or all."""
    unknown = [strength for strength in dropped if strength not in strengths]
    if unknown:
        raise ArgumentError(f"strengths to drop must be in training, {list(strengths)}; got {unknown}")
    if set(dropped) >= set(strengths):
        raise ArgumentError(f"one strength must stay in training; all of {list(strengths)} were to be dropped")


def keep_stored(trainer: Any, snapshot: dict[str, Any]) -> None:
    """Drop the strengths that a snapshot no longer has, and refuse one of another seed."""
    if snapshot["seed"] != trainer.seed:
        raise ArgumentError(f"snapshot must be of seed {trainer.seed}; got one of seed {snapshot['seed']}")
    stored = {member["strength"] for member in snapshot["members"]}
    gone = [strength for strength in trainer.strengths if strength not in stored]
    if gone:
        trainer.drop(gone)
