"""What a training reads, and random numbers that whole numbers decide."""

import hashlib
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from shrinkage.torch._task import Batch

CHUNK = 16 << 20
"""Bytes of rows that are worked on at once."""
OF_SPLIT, OF_ORDER = 1, 2
"""What a stream of random numbers is for."""


class Source(Protocol):
    """What a training reads: the same batches in the same order whenever seed and epoch are the same."""

    @property
    def n_rows(self) -> int | None:
        """Rows of an epoch; None where only reading tells."""
        ...

    @property
    def steps_per_epoch(self) -> int | None:
        """Batches of an epoch; None where only reading tells."""
        ...

    @property
    def reproducible(self) -> bool:
        """Whether the order depends on seed and epoch alone."""
        ...

    @property
    def note(self) -> str:
        """What is not reproducible, and why; empty where all is."""
        ...

    def epoch(self, seed: int, epoch: int) -> Iterator[Batch]:
        """Yield the batches (x, y) of an epoch of a training."""
        ...

    def in_order(self) -> Iterator[Batch]:
        """Yield batches (x, y) in one fixed order, the same at every call."""
        ...

    def to(self, device: torch.device) -> "Source":
        """Return the same batches on a device."""
        ...

    def fingerprint(self) -> str:
        """Return a text that differs where the data do."""
        ...


def stream(*words: int) -> torch.Generator:
    """A generator on the CPU whose stream is decided by whole numbers >= 0 and differs for different ones."""
    state = np.random.SeedSequence(words).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) >> 1)


def digest(*tensors: Tensor) -> str:
    """The start of the SHA-256 of shapes, types and numbers."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
        for part in tensor.detach().reshape(-1).split(CHUNK // tensor.element_size()):
            digest.update(part.cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:32]
