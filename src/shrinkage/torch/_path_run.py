"""One network trained in phases: dense, at one strength after the other, and on its support."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from shrinkage._check import check_fraction
from shrinkage.torch._goals import Goal, scores
from shrinkage.torch._local import local
from shrinkage.torch._members import (
    apply,
    detached_copy,
    in_mode,
    modes_of,
    own_random_numbers,
    put_tensors,
    set_stream,
    tensors_of,
)
from shrinkage.torch._strength_slots import slots_of
from shrinkage.torch._target_sparsity import TargetSparsity

Weights = dict[str, dict[str, Tensor]]


@dataclass
class Rung:
    """A network after one phase.

    Attributes
    ----------
    strength, train_loss, zeros : float
    rows : ndarray of shape (n_held_out,)
        Loss of every row held out.
    score : float
        NaN where there is none.
    weights : tensors by name, on the CPU
    before_refit : float
        Mean loss held out before a refit; NaN without one.
    """

    strength: float
    train_loss: float
    zeros: float
    rows: np.ndarray
    score: float
    weights: Weights
    before_refit: float = float("nan")

    @property
    def held_out(self) -> float:
        """Mean loss over the rows held out."""
        return float(self.rows.mean())


class Run:
    """A model in training, with everything that its phases share.

    Parameters
    ----------
    model : nn.Module
    optimizer : torch.optim.Optimizer
        With penalties; it is kept through all phases, so that its moments are.
    unit : float
        The strength that the penalties of the optimizer stand for now.
    train, held_out : Source
    goal : Goal
    seed : int
    """

    def __init__(self, model: nn.Module, optimizer: Any, unit: float, train: Any, held_out: Any, goal: Goal, seed: int):
        self.model, self.optimizer, self.train_rows, self.held_rows = model, optimizer, train, held_out
        self.goal, self.seed = goal, seed
        self.slots = slots_of(optimizer)
        self._bases = [strength / unit for strength in self.slots.strengths()]
        self._rates = [group["lr"] for group in optimizer.param_groups]
        self._modes = modes_of(model)
        self.steps_per_epoch: int | None = train.steps_per_epoch
        self.epoch, self.step, self.last_loss = 0, 0, float("nan")

    def set_strength(self, strength: float) -> None:
        """Put all penalties to a strength, in the ratios that they began with."""
        self.slots.assign([strength * base for base in self._bases])

    def count_steps(self) -> int:
        """Steps of an epoch, counted by reading one where that alone tells."""
        if self.steps_per_epoch is None:
            self.steps_per_epoch = sum(1 for _ in self.train_rows.epoch(self.seed, self.epoch))
        return self.steps_per_epoch

    def penalty_at_one(self) -> float:
        """The value of the penalties at strength 1 for the weights as they are."""
        self.set_strength(1.0)
        with torch.no_grad():
            return float(sum(float(penalty.value(local(p))) for p, penalty in self.slots.penalized()))

    def train(self, epochs: int, after_step: Callable[[], Any] | None = None) -> Iterator[int]:
        """Train; yield after each epoch how many there were. The learning rate falls along half a cosine to 0."""
        last, taken = max(epochs * self.count_steps(), 1), 0
        try:
            for done in range(1, epochs + 1):
                taken = self._epoch(taken, last, after_step)
                yield done
        finally:
            self._set_rates(1.0)

    def _epoch(self, taken: int, last: int, after_step: Callable[[], Any] | None) -> int:
        total, rows = 0.0, 0
        with own_random_numbers(), in_mode([self.model], self._modes):
            set_stream(self.seed, self.step, of_data=True)
            for x, y in self.train_rows.epoch(self.seed, self.epoch):
                self._set_rates(0.5 * (1.0 + math.cos(math.pi * min(taken / last, 1.0))))
                set_stream(self.seed, self.step)
                self.optimizer.zero_grad()
                loss = self.goal.loss(apply(self.model, x), y)
                loss.backward()
                self.optimizer.step()
                if after_step is not None:
                    after_step()
                total, rows = total + loss.detach().double() * len(y), rows + len(y)
                taken, self.step = taken + 1, self.step + 1
                set_stream(self.seed, self.step, of_data=True)
        self.epoch += 1
        self.last_loss = float(total) / max(rows, 1)
        return taken

    def _set_rates(self, share: float) -> None:
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].copy_(rate * share)
            else:
                group["lr"] = rate * share

    def outputs(self, x: Any) -> Tensor:
        """Outputs of a batch, with an axis of length 1 before."""
        return apply(self.model, x).unsqueeze(0)

    @torch.no_grad()
    def judge(self) -> tuple[np.ndarray, float]:
        """Loss of every row held out, and the score on all of them."""
        with in_mode([self.model], None):
            parts = [self.goal.rows(apply(self.model, x), y).double().cpu() for x, y in self.held_rows.in_order()]
            found = scores(self.goal, self, self.held_rows.in_order())  # pyright: ignore[reportArgumentType]
        return torch.cat(parts).numpy(), float("nan") if found is None else float(found[0])

    def rung(self, strength: float) -> Rung:
        """The network as it is."""
        rows, score = self.judge()
        return Rung(strength, self.last_loss, self.zeros(), rows, score, self.weights())

    def zeros(self) -> float:
        """Share of exact zeros among the penalized weights."""
        return 1.0 - self.slots.density()

    def weights(self) -> Weights:
        """Copies of all parameters and buffers, on the CPU."""
        return {kind: {name: t.cpu() for name, t in part.items()} for kind, part in tensors_of(self.model).items()}

    def put(self, weights: Weights) -> None:
        """Copy weights that were kept into the model."""
        put_tensors(self.model, weights)

    def refitted(self, rung: Rung, epochs: int) -> Rung:
        """The better of a rung and of what its support becomes without penalty; the model goes back to the rung."""
        kept = detached_copy(self.optimizer.state_dict())
        self.set_strength(0.0)
        with zeros_held(self.optimizer, self.slots.parameters()):
            for _ in self.train(epochs):
                pass
        after = replace(self.rung(rung.strength), train_loss=rung.train_loss, before_refit=rung.held_out)
        self.put(rung.weights)
        self.optimizer.load_state_dict(kept)
        return after if after.held_out < rung.held_out else replace(rung, before_refit=rung.held_out)

    def check_target(self, target: float) -> None:
        """Refuse a share of zeros that the weights cannot have, before any training."""
        check_fraction("target_sparsity", target)
        TargetSparsity(self.optimizer, target).remove()

    def steered(self, target: float, epochs: int) -> Iterator[TargetSparsity]:
        """Train while the strength is steered to a share of zeros; yield the controller after each epoch."""
        control = TargetSparsity(self.optimizer, target, steps=epochs * self.count_steps())
        try:
            for _ in self.train(epochs, control.step):
                yield control
        finally:
            control.remove()


@contextmanager
def zeros_held(optimizer: Any, parameters: list[Tensor]) -> Iterator[None]:
    """Weights that are zero now stay zero in every step of an optimizer."""
    held = [(local(p), local(p) == 0) for p in parameters]

    @torch.no_grad()
    def back(*_: Any) -> None:
        for weights, zero in held:
            weights.masked_fill_(zero, 0.0)

    hook = optimizer.register_step_post_hook(back)
    try:
        yield
    finally:
        hook.remove()
