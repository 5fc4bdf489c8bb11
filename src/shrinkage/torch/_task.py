"""What a training is, before it has a strength, and what a trainer of many strengths offers."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

Batch = tuple[Any, Tensor]


@dataclass(frozen=True)
class Task:
    """A training without its strength: a model, a loss, an optimizer.

    Attributes
    ----------
    model_fn : () -> nn.Module
        Makes a model; called right after ``torch.manual_seed(seed)``, so that a seed means the same weights for every
        strength.
    loss : (output, target) -> Tensor of shape ()
        Mean over the rows of a batch, without any penalty.
    rows : (output, target) -> Tensor of shape (n,)
        The same loss, row by row.
    make_optimizer : (model, strength) -> Optimizer
        The optimizer whose penalty or decay has this strength.
    make_scheduler : Optimizer -> scheduler, or None
        A scheduler of the learning rate.
    scheduler_every : "epoch" or "step"
        When it is stepped.
    """

    model_fn: Callable[[], nn.Module]
    loss: Callable[[Any, Tensor], Tensor]
    rows: Callable[[Any, Tensor], Tensor]
    make_optimizer: Callable[[nn.Module, float], Optimizer]
    make_scheduler: Callable[[Optimizer], Any] | None = None
    scheduler_every: Literal["epoch", "step"] = "epoch"


class Trainer(Protocol):
    """Trains one seed's models side by side, one for each strength: same weights at the start, same batches.

    A trainer is made as ``Trainer(task, strengths, seed)``.
    """

    @property
    def strengths(self) -> tuple[float, ...]:
        """Return the strengths still in training, in the order of every result."""
        ...

    def run_epoch(self, batches: Iterable[Batch]) -> Tensor:
        """Train on each batch once; return the mean loss over the rows seen, (live,), no penalty in it."""
        ...

    def held_out(self, batches: Iterable[Batch]) -> Tensor:
        """Return the loss of every row in evaluation mode, (live, n_rows)."""
        ...

    def outputs(self, x: Any) -> Tensor:
        """Return the outputs in evaluation mode, (live, n, ...)."""
        ...

    def drop(self, strengths: Sequence[float]) -> None:
        """Stop the training of these strengths; the others go on as if they had been alone."""
        ...

    def snapshot(self) -> dict[str, Any]:
        """Return the whole state at an epoch's end, which `torch.load(weights_only=True)` takes."""
        ...

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a snapshot, to the bit as the training that made it."""
        ...

    def model(self, strength: float) -> nn.Module:
        """Return an own copy of this strength's model in evaluation mode."""
        ...

    def optimizer(self, strength: float) -> Optimizer | None:
        """Return this strength's optimizer, of a copy of its model's parameters or not; None where there is none."""
        ...

    def zeros(self) -> Tensor:
        """Return the share of exact zeros among penalized weights, (live,)."""
        ...
