"""The first batches on a model that is thrown away: what cannot be trained or measured is refused in words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from shrinkage._errors import ArgumentError, DataError, ShrinkageError
from shrinkage.torch._goals import Goal, goal_of
from shrinkage.torch._loader_batches import LoaderBatches
from shrinkage.torch._members import apply, copy_of, in_mode, own_random_numbers
from shrinkage.torch._source import Source
from shrinkage.torch._task import Batch


def try_out(model: nn.Module, train: Source, held_out: Source, loss: Any) -> tuple[Goal, float]:
    """Return the goal that a loss means for a model and data, and the first batch's mean loss.

    The model is asked for the losses of a first batch to train on and of one held out, and for one of training as it
    would be trained; it stays as it was.

    Raises
    ------
    ArgumentError, DataError
        If a source has no batch, the model or the loss cannot take one, or a loss is not finite.
    """
    batch = _first(train, "data")
    x, y = batch
    with own_random_numbers(), in_mode([model], None), torch.no_grad():
        with _refusing("the model of model_fn cannot take a batch of the data", x):
            output = apply(model, x)
        goal = goal_of(loss, output, y, getattr(train, "y", None))
        first_loss = float(goal.loss(output, y))
        _check_losses("data", batch, goal.rows(output, y))
        batch = _first(held_out, "validation")
        with _refusing("the model of model_fn or the loss cannot take a batch of the rows held out", batch[0]):
            rows = goal.rows(apply(model, batch[0]), batch[1])
        if rows.shape != (len(batch[1]),):
            shapes = f"{tuple(rows.shape)} for {len(batch[1])} rows"
            raise ArgumentError(f"loss must give one number for each row held out; got {shapes}")
        _check_losses("validation", batch, rows)
    _try_step(model, goal, x, y)
    if isinstance(train, LoaderBatches) and train.ends_in_one_row:
        end = "; drop_last=True or another batch_size has no such batch"
        x, y = tree_map_only(Tensor, lambda tensor: tensor[:1], (x, y))
        _try_step(model, goal, x, y, ", such as the last one of the DataLoader" + end)
    return goal, first_loss


def _first(source: Source, name: str) -> Batch:
    for batch in source.in_order():
        return batch
    raise ArgumentError(f"{name} must have at least one batch; got none")


def _try_step(model: nn.Module, goal: Goal, x: Any, y: Tensor, hint: str = "") -> None:
    """Compute the loss of a batch as in training, on a copy: norms keep means of what they see."""
    copied = copy_of(model)
    said = "the model of model_fn cannot be trained on a batch of the data"
    with own_random_numbers(), torch.enable_grad(), _refusing(said, x, hint):
        loss = goal.loss(apply(copied, x), y)
    if not loss.requires_grad:
        raise ArgumentError("model_fn must make a model with parameters that are trained; its loss has no gradient")


@contextmanager
def _refusing(said: str, x: Any, hint: str = "") -> Iterator[None]:
    try:
        yield
    except ShrinkageError:
        raise
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
        what = f"shape {tuple(x.shape)} and type {x.dtype}" if isinstance(x, Tensor) else f"a {type(x).__name__}"
        raise ArgumentError(f"{said} ({what}){hint}: {error}") from error


def _check_losses(name: str, batch: Batch, rows: Tensor) -> None:
    """Refuse losses that are no numbers at the very start."""
    if bool(torch.isfinite(rows).all()):
        return
    if not is_finite(batch):
        raise DataError(f"{name} must be finite; its first batch is not")
    bad = int(torch.isfinite(rows).int().argmin())
    raise ArgumentError(
        f"the loss must be finite; of row {bad} of the first batch of {name} it is {float(rows[bad])} at the initial "
        "weights: look at the scale of the data and at model_fn"
    )


def is_finite(batch: Batch) -> bool:
    """Whether a batch holds only numbers that are finite."""
    tensors = [leaf for leaf in tree_leaves(batch) if isinstance(leaf, Tensor) and leaf.is_floating_point()]
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)
