"""Sums over blocks that outlive their process: kept in a file with a checksum of every finished block."""

import os
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from shrinkage._errors import ChangedDataError, DataError

EVERY = 5.0
"""Seconds between two writings of the file; each may take a twentieth of the time since the last one."""
AT_ONCE = 64 << 20
"""Bytes of sums that are written before an interrupt is passed on; larger ones stay as they were last written."""


class KeptSums:
    """Arrays that blocks of data are added to, in a file of a folder.

    A context: the file is written when it ends, also by an interrupt or an error, with all blocks that were added.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    statement : str
        A digest of what the sums depend on besides the data; another one has another file.
    arrays : tuple of ndarray
        Written to where the file holds sums already, and then added to.
    """

    def __init__(self, folder: Path, statement: str, arrays: tuple[np.ndarray, ...]):
        self.path = folder / f"moments-{statement[:24]}.npz"
        self._arrays, self._folder = arrays, folder
        self._blocks: list[tuple[int, int, int]] = []
        self._done = 0  # blocks that were read again and found the same
        self._next = (0, 0, 0)
        self._whole = True  # False while a block is being added
        folder.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self._load()
        self._written, self._took = time.monotonic(), 0.0
        self._changed = False

    def has(self, start: int, stop: int, checksum: int) -> bool:
        """Whether the sums hold this block; if not, it is to be added, in the context of `adding`."""
        if self._done == len(self._blocks):
            self._next = (start, stop, checksum)
            return False
        if self._blocks[self._done] != (start, stop, checksum):
            raise ChangedDataError(
                f"rows {start} to {stop - 1} of X are not those that the sums in {self.path} hold: read the data that "
                "they were made of, or name another folder as state"
            )
        self._done += 1
        return True

    @contextmanager
    def adding(self) -> Iterator[None]:
        """Count the block that `has` was last asked for as added; write the file if it is time to."""
        self._whole = False
        yield
        self._blocks.append(self._next)
        self._done, self._changed, self._whole = self._done + 1, True, True
        if time.monotonic() - self._written > max(EVERY, 20 * self._took):
            self._write()

    def __enter__(self) -> "KeptSums":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        small = sum(array.nbytes for array in self._arrays) <= AT_ONCE
        if self._changed and self._whole and (kind is None or small):
            self._write()

    def _write(self) -> None:
        began = time.monotonic()
        new = self.path.with_suffix(f".{os.getpid()}.tmp")
        with new.open("wb") as file:
            np.savez(file, *self._arrays, blocks=np.array(self._blocks, dtype=np.int64))
        os.replace(new, self.path)
        self._written, self._changed = time.monotonic(), False
        self._took = self._written - began

    def _load(self) -> None:
        try:
            with self.path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                for k, array in enumerate(self._arrays):
                    array[...] = file[f"arr_{k}"]
                self._blocks = [tuple(row) for row in file["blocks"].tolist()]
        except (zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError) as error:
            raise DataError(f"{self.path} cannot be read as kept sums: {error}; delete it to begin anew") from None
