"""A DataLoader's batches, in an order that a seed and an epoch decide wherever it can be decided."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, SequentialSampler

from shrinkage._errors import ArgumentError
from shrinkage.torch._source import OF_ORDER, digest, stream
from shrinkage.torch._task import Batch


class LoaderBatches:
    """A DataLoader's own batches; what it shuffles by is seeded by (seed, epoch) before each epoch.

    The generators of the loader and of its samplers are replaced for the time of an epoch, and a sampler that has
    `set_epoch` is told the epoch. Random transforms that draw from torch's own stream draw from one that depends on
    (seed, epoch), in this process and in workers; torch's stream outside is left as it was. Workers are begun anew with
    every epoch, persistent ones too: what they have drawn before would decide what they draw next.

    Parameters
    ----------
    loader : DataLoader
        Of pairs (x, y): y a tensor, x what the model takes.
    device : torch.device, optional
        Where batches are moved to; None leaves them where the loader puts them.

    Attributes
    ----------
    reproducible : bool
        False where the order is not decided by a generator that can be seeded: a sampler of one's own, an iterable
        data set. `note` says so.
    """

    def __init__(self, loader: DataLoader[Any], device: torch.device | None = None) -> None:
        if not isinstance(loader, DataLoader):
            raise ArgumentError(f"loader must be a torch DataLoader; got {type(loader).__name__}")
        self.loader, self.device = loader, device
        self.note = _doubt(loader)
        self.reproducible = not self.note

    @property
    def n_rows(self) -> int | None:
        """Rows of an epoch; None where only reading tells."""
        steps, size = self.steps_per_epoch, self.loader.batch_size
        if isinstance(self.loader.dataset, IterableDataset) or size is None:
            return None
        rows = _length(self.loader.sampler)
        return rows if rows is None or not self.loader.drop_last else min(rows, (steps or 0) * size)

    @property
    def ends_in_one_row(self) -> bool:
        """Whether the last batch is known to have a single row, though others have more."""
        size, rows = self.loader.batch_size or 0, self.n_rows or 0
        return not self.loader.drop_last and rows > size > 1 and rows % size == 1

    @property
    def steps_per_epoch(self) -> int | None:
        """Batches of an epoch; None where only reading tells."""
        return None if isinstance(self.loader.dataset, IterableDataset) else _length(self.loader)

    def epoch(self, seed: int, epoch: int) -> Iterator[Batch]:
        """Yield the loader's batches, its generators seeded by (seed, epoch)."""
        with _seeded(self.loader, seed, epoch):
            own = stream(OF_ORDER, seed, epoch).get_state()
            with _torch_stream(own):
                iterator = self.loader._get_iterator() if self.loader.persistent_workers else iter(self.loader)
                own = torch.get_rng_state()
            while True:
                with _torch_stream(own):
                    batch = next(iterator, None)
                    own = torch.get_rng_state()
                if batch is None:
                    return
                x, y = _pair(batch)
                yield (x, y) if self.device is None else tree_map_only(Tensor, self._move, (x, y))

    def in_order(self) -> Iterator[Batch]:
        """Yield the loader's batches in the order of seed 0, epoch 0."""
        return self.epoch(0, 0)

    def _move(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device, non_blocking=True)

    def to(self, device: torch.device) -> "LoaderBatches":
        """Return the same batches on a device."""
        return LoaderBatches(self.loader, device)

    def fingerprint(self) -> str:
        """Return the data set's class, the number of rows and the SHA-256 of the first batch in order."""
        leaves = tree_leaves(next(self.in_order(), ())) if self.reproducible else []
        first = digest(*(leaf for leaf in leaves if isinstance(leaf, Tensor))) if leaves else "unknown"
        kind = type(self.loader.dataset).__name__
        return f"{kind}, {self.n_rows} rows, {self.steps_per_epoch} batches, sha256 of the first {first}"


def _length(sized: Any) -> int | None:
    try:
        return len(sized)
    except (TypeError, NotImplementedError):
        return None


def _samplers(loader: DataLoader[Any]) -> list[Any]:
    """The samplers of a loader, those inside batch samplers included."""
    found = [loader.sampler, loader.batch_sampler]
    inner = getattr(loader.batch_sampler, "sampler", None)
    unique = {id(one): one for one in [*found, inner] if one is not None}
    return list(unique.values())


def _doubt(loader: DataLoader[Any]) -> str:
    """Why the order of a loader cannot be reproduced; empty where it can."""
    if isinstance(loader.dataset, IterableDataset):
        kind = type(loader.dataset).__name__
        return f"the iterable data set {kind} decides its own order, so a resumed training may see other batches"
    for sampler in _samplers(loader):
        plain = isinstance(sampler, (SequentialSampler, BatchSampler))
        if not plain and not _has_generator(sampler) and not hasattr(sampler, "set_epoch"):
            return (
                f"the sampler {type(sampler).__name__} has no `generator` of torch's and no `set_epoch`, so its order "
                "cannot be seeded and a resumed training may see other batches"
            )
    return ""


def _has_generator(one: Any) -> bool:
    """Whether an object draws from a generator of torch's, or from torch's own stream for want of one."""
    return isinstance(getattr(one, "generator", ""), (torch.Generator, type(None)))


@contextmanager
def _seeded(loader: DataLoader[Any], seed: int, epoch: int) -> Iterator[None]:
    """The loader and its samplers draw from one stream of (seed, epoch); afterwards from their own again."""
    holders = [one for one in (loader, *_samplers(loader)) if _has_generator(one)]
    before = [one.generator for one in holders]
    drawn = stream(OF_ORDER, seed, epoch)
    try:
        for one in holders:
            one.generator = drawn
        for one in _samplers(loader):
            if hasattr(one, "set_epoch"):
                one.set_epoch(epoch + (seed << 20))  # such samplers add the epoch to a seed of their own
        yield
    finally:
        for one, generator in zip(holders, before, strict=True):
            one.generator = generator


@contextmanager
def _torch_stream(state: Tensor) -> Iterator[None]:
    """Torch's own stream on the CPU is at `state` here and afterwards where it was."""
    before = torch.get_rng_state()
    torch.set_rng_state(state)
    try:
        yield
    finally:
        torch.set_rng_state(before)


def _pair(batch: Any) -> Batch:
    if isinstance(batch, (tuple, list)) and len(batch) == 2 and isinstance(batch[1], Tensor):
        return batch[0], batch[1]
    raise ArgumentError(f"a DataLoader must yield pairs (x, y), y a tensor; got {type(batch).__name__}")
