"""What a network is trained for: a loss, row by row and on average, and the score that people read beside it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._pytree import tree_leaves, tree_map_only

from shrinkage._errors import ArgumentError, DataError, ShrinkageError
from shrinkage.torch._task import Batch, Trainer


@dataclass(frozen=True)
class Goal:
    """A loss and a score.

    Attributes
    ----------
    name : str
        Of the loss.
    loss, rows : callable
        (output, target) -> mean over the batch, and one number per row.
    score_name : str
        "accuracy", "R2", or empty for none.
    hits : (outputs (live, n, ...), target) -> Tensor (live,), or None
        What the score sums over batches: rows that are right, or squared residuals.
    """

    name: str
    loss: Callable[[Any, Tensor], Tensor]
    rows: Callable[[Any, Tensor], Tensor]
    score_name: str = ""
    hits: Callable[[Tensor, Tensor], Tensor] | None = None


def cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """Mean of -log p of the right class."""
    return functional.cross_entropy(output, target.long())


def cross_entropy_rows(output: Tensor, target: Tensor) -> Tensor:
    """-log p of the right class of each row, averaged over further axes."""
    return _by_row(functional.cross_entropy(output, target.long(), reduction="none"))


def binary_rows(output: Tensor, target: Tensor) -> Tensor:
    """-log p of the right one of two classes, averaged over the columns of a row; outputs are log odds of class 1."""
    each = functional.binary_cross_entropy_with_logits(
        output.reshape(target.shape), target.to(output.dtype), reduction="none"
    )
    return _by_row(each)


def binary(output: Tensor, target: Tensor) -> Tensor:
    """Mean of `binary_rows`."""
    return binary_rows(output, target).mean()


def squared_rows(output: Tensor, target: Tensor) -> Tensor:
    """½ (y - η)² of each row, summed over the outputs."""
    return 0.5 * (output.reshape(target.shape) - target).square().reshape(target.shape[0], -1).sum(1)


def squared(output: Tensor, target: Tensor) -> Tensor:
    """Mean of `squared_rows`."""
    return squared_rows(output, target).mean()


def goal_of(loss: Any, output: Any, target: Tensor, labels: Tensor | None = None) -> Goal:
    """The goal that an argument `loss` means for data like these.

    Parameters
    ----------
    loss : "auto" or callable
        "auto": whole numbers are classes (cross entropy; of the log odds where the model has one output), others are
        a regression (½ squared error). A callable takes (output, target) and returns one loss per row, or their mean.
    output, target : of one batch
    labels : Tensor, optional
        All targets, where they are known.
    """
    if callable(loss):
        goal = _of_callable(loss, output, target)
    elif loss != "auto":
        raise ArgumentError(f"loss must be 'auto' or a callable (output, target) -> loss; got {loss!r}")
    elif not isinstance(output, Tensor):
        raise ArgumentError(
            f"loss='auto' needs a model that returns one tensor; it returns {type(output).__name__}: give a callable"
        )
    elif target.is_floating_point():
        goal = _of_numbers(output, target)
    else:
        goal = _of_classes(output, target if labels is None else labels, target)
    with _refusing(f"loss cannot be computed row by row ({goal.name}); reduction='none' may help"):
        rows = goal.rows(output, target)
    if rows.shape != (len(target),):
        raise ArgumentError(f"loss must give one number for each of {len(target)} rows; got {tuple(rows.shape)}")
    return goal


@contextmanager
def _refusing(said: str) -> Iterator[None]:
    """What fails in code of the user's is an argument that cannot be used."""
    try:
        yield
    except ShrinkageError:
        raise
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise ArgumentError(f"{said}: {error}") from error


def _of_numbers(output: Tensor, target: Tensor) -> Goal:
    if not _fits(output, target):
        raise ArgumentError(f"{_shapes(output, target)}: for a regression it needs one output for each column of y")
    return Goal("½ squared error", squared, squared_rows, "R2", _squared_residuals)


def _of_classes(output: Tensor, labels: Tensor, target: Tensor) -> Goal:
    low, high = int(labels.min()), int(labels.max())
    if _fits(output, target):
        if low < 0 or high > 1:
            raise DataError(
                f"y holds whole numbers from {low} to {high} and the model has one output: for classes it needs "
                f"{high + 1} outputs, for a regression make y floating"
            )
        return Goal("cross entropy of the log odds", binary, binary_rows, "accuracy", _right_sides)
    if output.ndim < 2 or (output.shape[0], *output.shape[2:]) != tuple(target.shape):
        raise ArgumentError(f"{_shapes(output, target)}: for classes it must have (n, n_classes) and (n,)")
    if low < 0 or high >= output.shape[1]:
        raise DataError(
            f"y must hold classes from 0 to {output.shape[1] - 1}, the model's outputs; got {low} to {high}"
        )
    return Goal("cross entropy", cross_entropy, cross_entropy_rows, "accuracy", _right_classes)


def _fits(output: Tensor, target: Tensor) -> bool:
    """Whether an output has the rows and columns of y, in their order; axes of length 1 and flattened ones aside."""
    if output.numel() != target.numel():
        return False
    if output.numel() == 1:
        return True
    ours, theirs = ([length for length in tensor.shape[1:] if length != 1] for tensor in (output, target))
    same = ours == theirs or min(len(ours), len(theirs)) == 1
    return output.ndim > 0 and output.shape[0] == target.shape[0] and same


def _shapes(output: Tensor, target: Tensor) -> str:
    return f"the model returns shape {tuple(output.shape)} for a batch of y of shape {tuple(target.shape)}"


def _right_classes(outputs: Tensor, target: Tensor) -> Tensor:
    right = (outputs.argmax(2) == target).double()
    return right.reshape(*right.shape[:2], -1).mean(2).sum(1)


def _right_sides(outputs: Tensor, target: Tensor) -> Tensor:
    rows = (len(target), -1)
    right = (outputs.reshape(len(outputs), *rows) > 0) == (target.reshape(rows) == 1)
    return right.double().mean(2).sum(1)


def _squared_residuals(outputs: Tensor, target: Tensor) -> Tensor:
    flat = target.reshape(-1).double()
    return (outputs.reshape(len(outputs), -1).double() - flat).square().sum(1)


def _of_callable(loss: Any, output: Any, target: Tensor) -> Goal:
    name = getattr(loss, "__name__", type(loss).__name__)
    n = len(target)
    with _refusing(f"loss cannot take the model's output and y; {name} says"):
        value = loss(output, target)
    if not isinstance(value, Tensor) or not value.is_floating_point():
        raise ArgumentError(f"loss must return a tensor of floating numbers; {name} returns {type(value).__name__}")
    if value.ndim:
        _check_rows(name, value, output, target)
        return Goal(name, lambda o, y: _by_row(loss(o, y)).mean(), lambda o, y: _by_row(loss(o, y)))

    def one(o: Any, y: Tensor) -> Tensor:
        return loss(tree_map_only(Tensor, lambda leaf: leaf.unsqueeze(0), o), y.unsqueeze(0))

    rows = torch.vmap(one)
    by_rows = all(isinstance(leaf, Tensor) and leaf.ndim and len(leaf) == n for leaf in tree_leaves(output))
    if not by_rows:
        kind = type(output).__name__
        raise ArgumentError(f"loss must return one number per row of an output that is a {kind}: reduction='none'")
    with _refusing(f"loss cannot be computed row by row ({name}); reduction='none' may help"):
        mean = float(rows(output, target).mean())
    if not abs(mean - float(value)) <= 1e-3 * (abs(mean) + 1e-6):
        raise ArgumentError(
            f"loss must be a mean over rows, which the held-out error needs; {name} returns {float(value):.6g} for a "
            f"batch whose rows have the mean {mean:.6g}: return one number per row, reduction='none'"
        )
    return Goal(name, loss, rows)


def _check_rows(name: str, value: Tensor, output: Any, target: Tensor) -> None:
    """Refuse losses that are not of one row each, such as those of every row with every other, by broadcasting."""
    n, shape = len(target), tuple(value.shape)
    made = tuple(output.shape) if isinstance(output, Tensor) else ()
    of_outputs = shape == made and n not in shape[1:]  # one per output; n of them could be a row against all others
    if shape[0] == n and (value.numel() == n or shape == tuple(target.shape) or of_outputs):
        return
    of = f"outputs of shape {made} and " if made else ""
    raise ArgumentError(
        f"loss must return one number per row, or their mean; {name} returns shape {shape} for {n} rows, from {of}y of "
        f"shape {tuple(target.shape)}"
    )


def _by_row(values: Tensor) -> Tensor:
    return values if values.ndim == 1 else values.flatten(1).mean(1)


def scores(goal: Goal, trainer: Trainer, batches: Iterable[Batch]) -> Tensor | None:
    """The score of every live strength on rows held out, (live,).

    Accuracy is the share of rows whose largest output is the right class; R² = 1 - Σ(y - η)² / Σ(y - mean y)², the
    mean being that of each column of y.
    """
    if goal.hits is None:
        return None
    total, targets = None, []
    for x, y in batches:
        part = goal.hits(trainer.outputs(x), y)
        total = part if total is None else total + part
        targets.append(y.detach().cpu())
    if total is None:
        return None
    y = torch.cat(targets)
    if goal.score_name == "accuracy":
        return total.cpu() / len(y)
    spread = (y.double() - y.double().mean(0)).square().sum()
    return 1.0 - total.cpu() / spread
