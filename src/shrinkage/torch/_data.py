"""Rows of tensors in batches whose order a seed and an epoch decide, and a part of the data held out."""

import math
from collections.abc import Iterator, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from shrinkage._check import check_positive_int
from shrinkage._errors import ArgumentError, DataError
from shrinkage.torch._loader_batches import LoaderBatches
from shrinkage.torch._source import CHUNK, OF_ORDER, OF_SPLIT, digest, stream
from shrinkage.torch._task import Batch


class Batches:
    """Rows of tensors in batches; the order of epoch e under seed s is a permutation that (s, e) alone decide.

    So a training that starts again at epoch e sees what it would have seen. A last batch of a single row joins the one
    before it: batch normalization has no variance there.

    Parameters
    ----------
    X : tensor or array-like of shape (n_rows, ...)
        Tensors stay as they are. Of anything else, floating numbers take torch's default type and whole numbers int64.
    y : tensor or array-like of shape (n_rows,) or (n_rows, ...)
        Likewise; booleans become the classes 0 and 1, and whole numbers of a tensor int64, which losses of torch take.
    batch_size : int >= 1 or None
        None stands for all rows.

    Raises
    ------
    ArgumentError, DataError
        If the numbers of rows differ, there are none, or a number is not finite.

    Examples
    --------
    >>> batches = Batches(torch.arange(6.0)[:, None], torch.arange(6.0), batch_size=4)
    >>> [len(y) for _, y in batches.epoch(seed=0, epoch=3)]
    [4, 2]
    >>> first, again = (torch.cat([y for _, y in batches.epoch(0, 3)]) for _ in range(2))
    >>> bool((first == again).all()), sorted(first.tolist())
    (True, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    """

    reproducible = True
    note = ""

    def __init__(self, X: Any, y: Any, batch_size: int | None = None) -> None:
        self.X, self.y = _tensor("X", X), _tensor("y", y)
        if not self.y.is_floating_point():
            self.y = self.y.long()
        if self.X.ndim < 1 or self.y.ndim < 1 or len(self.X) != len(self.y):
            shapes = f"{tuple(self.X.shape)} and {tuple(self.y.shape)}"
            raise ArgumentError(f"X and y must have the same number of rows; got shapes {shapes}")
        if not len(self.y):
            raise DataError("X and y must have at least one row; got none")
        if batch_size is not None:
            check_positive_int("batch_size", batch_size)
        self.batch_size = min(int(batch_size or len(self.y)), len(self.y))
        self._ends = _ends(len(self.y), self.batch_size)

    @property
    def n_rows(self) -> int:
        """Rows of an epoch."""
        return len(self.y)

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch."""
        return len(self._ends)

    def epoch(self, seed: int, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch, every row once, in the order of (seed, epoch)."""
        order = torch.randperm(self.n_rows, generator=stream(OF_ORDER, seed, epoch)).to(self.X.device)
        row = self.X[0].numel() * self.X.element_size() + self.y[0].numel() * self.y.element_size()
        together = max(CHUNK // max(row * self.batch_size, 1), 1)
        start = 0
        for first in range(0, len(self._ends), together):
            ends = self._ends[first : first + together]
            rows = order[start : ends[-1]]
            X, y = self.X[rows], self.y[rows.to(self.y.device)]  # one gather for many batches, which are then views
            sizes = np.diff([start, *ends]).tolist()
            yield from zip(X.split(sizes), y.split(sizes), strict=True)
            start = ends[-1]

    def in_order(self) -> Iterator[Batch]:
        """Yield the batches as the rows stand."""
        start = 0
        for end in self._ends:
            yield self.X[start:end], self.y[start:end]
            start = end

    def to(self, device: torch.device) -> "Batches":
        """Return the same batches on a device."""
        if self.X.device == device and self.y.device == device:
            return self
        return Batches(self.X.to(device), self.y.to(device), self.batch_size)

    def fingerprint(self) -> str:
        """Return shapes, types and the SHA-256 of all numbers."""
        return f"{self.n_rows} rows, sha256 {digest(self.X, self.y)}"


def as_batches(data: Any, batch_size: int | None = None, name: str = "data") -> Batches | LoaderBatches:
    """The source that `data` means: a pair (X, y), a DataLoader, or a source already."""
    if isinstance(data, (Batches, LoaderBatches)):
        return data
    if isinstance(data, DataLoader):
        return LoaderBatches(data)
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)) and len(data) == 2:
        return Batches(data[0], data[1], batch_size)
    raise ArgumentError(f"{name} must be a pair (X, y) or a DataLoader; got {type(data).__name__}")


def split(
    data: Any, validation: Any = 0.2, seed: int = 0, batch_size: int | None = None
) -> tuple[Batches | LoaderBatches, Batches | LoaderBatches]:
    """Data to train on, and data held out.

    Parameters
    ----------
    data : (X, y) or DataLoader
    validation : float in (0, 1), (X, y) or DataLoader
        A share of the rows is drawn by `seed`, of each class alike where y holds classes; the rest stays in its order.
    seed : int
    batch_size : int or None
        Of the rows to train on; those held out come in batches four times as large.

    Returns
    -------
    train, held_out : Batches or LoaderBatches

    Raises
    ------
    ArgumentError
        If a share is asked of a DataLoader, or would leave either part without rows.

    Examples
    --------
    >>> train, held_out = split((torch.randn(10, 3), torch.arange(10) % 2), validation=0.4, batch_size=3)
    >>> train.n_rows, held_out.y.tolist().count(1)
    (6, 2)
    """
    larger = None if batch_size is None else 4 * batch_size
    whole = as_batches(data, batch_size)
    if not isinstance(validation, Real) or isinstance(validation, bool):
        return whole, as_batches(validation, larger, "validation")
    share = float(validation)
    if not isinstance(whole, Batches):
        raise ArgumentError(
            f"validation must be a DataLoader or a pair (X, y) where data is a DataLoader; got {validation!r}"
        )
    taken = math.floor(whole.n_rows * share + 1e-9) if 0.0 < share < 1.0 else 0
    if not 0 < taken < whole.n_rows:
        raise ArgumentError(
            f"validation must be a share of the rows between 0 and 1 that takes at least one row and leaves one; got "
            f"{validation!r} of {whole.n_rows} rows"
        )
    out = _held_out(whole.y, taken, seed)
    parts = [(whole.X[rows.to(whole.X.device)], whole.y[rows.to(whole.y.device)]) for rows in (~out, out)]
    return Batches(*parts[0], batch_size), Batches(*parts[1], larger)


def _held_out(y: Tensor, taken: int, seed: int) -> Tensor:
    """Which rows are held out: evenly spaced ones of a random order, in which classes stand one after the other."""
    n = len(y)
    order = torch.randperm(n, generator=stream(OF_SPLIT, seed))
    if y.ndim == 1 and not y.is_floating_point():
        order = order[torch.argsort(y.cpu()[order], stable=True)]
    place = torch.arange(n + 1) * taken // n
    out = torch.zeros(n, dtype=torch.bool)
    out[order[place[1:] > place[:-1]]] = True
    return out


def _ends(n: int, size: int) -> list[int]:
    """Where each batch ends."""
    ends = [*range(size, n, size), n]
    if len(ends) > 1 and ends[-1] - ends[-2] == 1 < size:
        del ends[-2]
    return ends


def _tensor(name: str, values: Any) -> Tensor:
    if isinstance(values, Tensor):
        tensor = values.detach()
    else:
        array = np.asarray(values)
        if array.dtype.kind not in "fiub":
            raise ArgumentError(f"{name} must hold numbers; got an array of {array.dtype}: encode it first")
        dtype = {"f": torch.get_default_dtype(), "b": torch.bool}.get(array.dtype.kind, torch.int64)
        tensor = torch.as_tensor(np.require(array, requirements=["C", "W"])).to(dtype)
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        bad = ~torch.isfinite(tensor.reshape(len(tensor), -1)).all(1)
        raise DataError(f"{name} must be finite; row {int(bad.int().argmax())} is not")
    return tensor
