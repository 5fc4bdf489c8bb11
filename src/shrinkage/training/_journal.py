"""A journal that survives what kills its writer: lines with checksums, files named only once they are safe."""

import contextlib
import hashlib
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from shrinkage._errors import ArgumentError, DataError

FORMAT = 1
LINES, LOCK, PREFIX = "journal.jsonl", "journal.lock", "journal-"
_HEAD = b'{"n":0,"record":'
"""What the first line begins with, a torn one as far as it goes; zeros may follow after a power failure."""
_HELD: set[tuple[int, str]] = set()
_HELD_GUARD = threading.Lock()


class Journal:
    """Records appended to `folder/journal.jsonl`, one line each, and files beside it.

    A line is JSON: {"n": its number, "record": ..., "sha256": of number, record and the sum of the line before}. It is
    on the disk when `append` returns, and so is every file that it names. A line that a kill has torn can only be the
    last; it is cut off when the journal is opened again, and files that no line names are removed. What is lost is
    what was never appended.

    Parameters
    ----------
    folder : path
        Made if it is not there.
    settings : mapping of plain data
        What decides the results. They stand in the first line; a journal that was begun with others is refused.

    Raises
    ------
    ArgumentError
        If the folder cannot be written, the settings differ (the message names them), or another process, or this one,
        is writing the journal.
    DataError
        If a line before the last is damaged, which no kill does, or the file of that name is not a journal.

    Notes
    -----
    One writer at a time: a lock of the operating system on `folder/journal.lock`, which ends with its process however
    that ends, and is not inherited by children.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with Journal(folder, {"epochs": 3}) as journal:
    ...     journal.append({"kind": "finished", "strength": 0.1})
    >>> with Journal(folder, {"epochs": 3}) as journal:
    ...     journal.records
    [{'kind': 'finished', 'strength': 0.1}]
    """

    def __init__(self, folder: str | os.PathLike[str], settings: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        wanted = plain_settings(settings)
        self._lock: int | None = None
        try:
            made = not self.folder.exists()
            self.folder.mkdir(parents=True, exist_ok=True)
            if made:
                sync_folder(self.folder.absolute().parent)
            self._key = (os.getpid(), str(self.folder.resolve()))
            self._lock = _lock(self.folder / LOCK, self._key)
            self._open(wanted)
        except BaseException as error:
            self.close()
            if isinstance(error, (FileExistsError, NotADirectoryError)):
                raise ArgumentError(f"journal must be a folder; {self.folder} is a file") from None
            if isinstance(error, OSError):
                raise ArgumentError(
                    f"journal must be a folder that can be written; {self.folder} cannot: {error}"
                ) from error
            raise

    def _open(self, wanted: dict[str, Any]) -> None:
        self._path = self.folder / LINES
        self._stream = self._path.open("ab", buffering=0)
        begun = self._read()
        if begun is None:
            self._write({"kind": "settings", "format": FORMAT, "settings": wanted})
        elif begun.get("format") != FORMAT:
            raise DataError(
                f"the journal in {self.folder} has format {begun.get('format')}; this version reads {FORMAT}"
            )
        else:
            _compare(self.folder, begun["settings"], wanted)
        sync_folder(self.folder)
        self._remove_unnamed()

    def _read(self) -> dict[str, Any] | None:
        """Take up what is in the file, cut off a torn end, and return the first record."""
        content = self._path.read_bytes()
        records, self._sum, end = _parse(content, self._path)
        if not records and not _HEAD.startswith(content.rstrip(b"\0")[: len(_HEAD)]):
            raise DataError(f"{self._path} is not a journal of this library: take another folder, or move the file")
        if end < len(content):
            os.truncate(self._path, end)
            os.fsync(self._stream.fileno())
        self.records: list[dict[str, Any]] = records[1:]
        self._count = len(records)
        return records[0] if records else None

    def append(self, record: Mapping[str, Any]) -> None:
        """Write a record; it is on the disk when this returns.

        Parameters
        ----------
        record : mapping of plain data
            Numbers must be finite.
        """
        kept = json.loads(_canonical(dict(record)))
        self._write(kept)
        self.records.append(kept)

    def put(self, name: str, write: Callable[[Any], Any]) -> dict[str, Any]:
        """Write a file beside the lines, whole or not at all, and return what a record must say to name it.

        Parameters
        ----------
        name : str
            The file is called "journal-" + name; an older one of that name may still be named by a line, so take a
            new one.
        write : callable
            Takes a binary stream and writes to it.

        Returns
        -------
        dict
            {"file": ..., "sha256": ..., "bytes": ...}
        """
        place = self.folder / f"{PREFIX}{name}"
        if place.parent != self.folder:
            raise ArgumentError(f"name must be a plain file name; got {name!r}")
        temporary = self.folder / f"{place.name}.tmp"
        with temporary.open("wb") as stream:
            counted = _Counted(stream)
            write(counted)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(place)
        sync_folder(self.folder)
        return {"file": place.name, "sha256": counted.digest.hexdigest(), "bytes": counted.size}

    def path_of(self, named: Mapping[str, Any]) -> Path:
        """Return the path of a file that a record names, once its checksum is right.

        Raises
        ------
        DataError
            If the file is missing or damaged.
        """
        place = self.folder / str(named["file"])
        if not place.exists():
            raise DataError(f"{place} is missing, though a line of the journal names it")
        digest = hashlib.sha256()
        with place.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
        if digest.hexdigest() != named["sha256"]:
            raise DataError(f"{place} is damaged: its SHA-256 is not the one in the journal")
        return place

    def remove(self, named: Mapping[str, Any]) -> None:
        """Remove a file that a later line has made useless."""
        with contextlib.suppress(FileNotFoundError):
            (self.folder / str(named["file"])).unlink()

    def close(self) -> None:
        """Let the journal go, for the next writer."""
        stream = getattr(self, "_stream", None)
        if stream is not None:
            stream.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
            _HELD.discard(self._key)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, record: dict[str, Any]) -> None:
        text = _canonical(record)
        total = _sum(self._count, text, self._sum)
        line = memoryview(f'{{"n":{self._count},"record":{text},"sha256":"{total}"}}\n'.encode())
        try:
            while line:
                line = line[self._stream.write(line) :]
            os.fsync(self._stream.fileno())
        except BaseException:  # Ctrl-C, a full disk: what the file holds is what counts
            self._read()
            raise
        self._sum = total
        self._count += 1

    def _remove_unnamed(self) -> None:
        """Remove files of ours that no line names: those whose line was never written."""
        named = {one["file"] for record in self.records for one in _files_in(record)}
        for path in self.folder.iterdir():
            if path.name.startswith(PREFIX) and path.is_file() and path.name not in named:
                path.unlink()


class _Counted:
    """A stream that knows the SHA-256 of what it was given."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.digest, self.size = stream, hashlib.sha256(), 0

    def write(self, block: Any) -> int:
        self.digest.update(block)
        self.size += len(block)
        return self.stream.write(block)

    def flush(self) -> None:
        self.stream.flush()


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON would give them back; what JSON has no word for, as its `repr`."""
    return json.loads(json.dumps(dict(settings), default=repr))


def _canonical(record: dict[str, Any]) -> str:
    try:
        return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"a record must be plain data with finite numbers: {error}") from None


def _sum(number: int, text: str, before: str) -> str:
    return hashlib.sha256(f"{number}\n{before}\n{text}".encode()).hexdigest()[:32]


def _parse(content: bytes, path: Path) -> tuple[list[dict[str, Any]], str, int]:
    """The records of all whole lines, the last sum, and where the last whole line ends."""
    records: list[dict[str, Any]] = []
    before, end = "", 0
    while end < len(content):
        stop = content.find(b"\n", end)
        record = None if stop < 0 else _record(content[end:stop], len(records), before)
        if record is None:
            if 0 <= stop < len(content) - 1:
                raise DataError(
                    f"line {len(records) + 1} of {path} is damaged and others follow it, which no interruption does: "
                    "restore the file, or take a new folder"
                )
            break
        records.append(record)
        before = _sum(len(records) - 1, _canonical(record), before)
        end = stop + 1
    return records, before, end


def _record(line: bytes, number: int, before: str) -> dict[str, Any] | None:
    """The record of a line; None if its number or checksum is wrong."""
    try:
        parsed = json.loads(line)
        record = parsed["record"]
        right = parsed["n"] == number and parsed["sha256"] == _sum(number, _canonical(record), before)
    except (ValueError, KeyError, TypeError):
        return None
    return record if right else None


def _compare(folder: Path, begun: Any, wanted: Any) -> None:
    """Refuse settings that are not those the journal was begun with."""
    different = _differences(begun, wanted)
    if not different:
        return
    name, old, new = different[0]
    more = [other for other, _, _ in different[1:]]
    also = f" (and {', '.join(more[:5])})" if more else ""
    raise ArgumentError(
        f"the journal in {folder} was begun with {name} = {_short(old)}; this call has {_short(new)}{also}: "
        "resume with what it was begun with, or take another folder"
    )


_MISSING = "nothing"


def _differences(old: Any, new: Any, name: str = "") -> list[tuple[str, Any, Any]]:
    """Where two plain values differ: (name, old, new), the innermost names that tell."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*new, *(key for key in old if key not in new)]  # in the order in which the caller thinks of them
        inner = [(f"{name}.{key}" if name else key, old.get(key, _MISSING), new.get(key, _MISSING)) for key in keys]
        return [one for key, a, b in inner for one in _differences(a, b, key)]
    same_length = isinstance(old, list) and isinstance(new, list) and len(old) == len(new)
    if same_length and any(isinstance(one, dict) for one in old):
        return [
            one for i, (a, b) in enumerate(zip(old, new, strict=True)) for one in _differences(a, b, f"{name}[{i}]")
        ]
    return [] if old == new and isinstance(old, bool) is isinstance(new, bool) else [(name, old, new)]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:190]}…{text[-9:]}"


def _files_in(value: Any) -> list[dict[str, Any]]:
    """Every {"file": ..., "sha256": ...} inside a record."""
    if isinstance(value, dict):
        own = [value] if {"file", "sha256"} <= value.keys() else []
        return own + [one for inner in value.values() for one in _files_in(inner)]
    return [one for inner in value for one in _files_in(inner)] if isinstance(value, list) else []


def sync_folder(folder: Path) -> None:
    """Put a folder's list of names on the disk, where the system can."""
    if sys.platform == "win32":  # it has no such call; replacing a file is atomic there
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _lock(path: Path, key: tuple[int, str]) -> int:
    """A handle of the lock file, held by this process alone."""
    # A lock of POSIX belongs to a process: it tells neither threads nor a second journal of this one apart.
    with _HELD_GUARD:
        if key in _HELD:
            raise ArgumentError(f"the journal in {path.parent} is being written in this process already")
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _take(handle)
        except OSError:
            os.lseek(handle, 1, os.SEEK_SET)
            writer = os.read(handle, 40).decode(errors="replace").strip()
            os.close(handle)
            who = f"process {writer}" if writer else "another process"
            raise ArgumentError(f"the journal in {path.parent} is being written by {who}: one at a time") from None
        _HELD.add(key)
    os.ftruncate(handle, 0)
    os.write(handle, f" {os.getpid()}\n".encode())
    return handle


def _take(handle: int) -> None:
    """Lock the first byte of an open file, or raise OSError at once."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
