"""Files that are whole or absent."""

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write beside the place, then rename: an interruption leaves the old file or the new one, never a part.

    Raises
    ------
    OSError
        Names `path`, never the file beside it.
    """
    try:
        _write(path, content)
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error.strerror or error}") from error


def why_not_writable(folder: Path) -> str | None:
    """Why no file can be made in `folder`; None if one can, or once the folder is made."""
    if not folder.exists():
        return f"there is no folder {str(folder)!r}"
    if not folder.is_dir():
        return f"{str(folder)!r} is a file, no folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"the folder {str(folder)!r} is not writable"
    return None


def _write(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
