"""Where the numbers of a training go: TensorBoard, through torch's own writer."""

import os
from collections.abc import Mapping
from typing import Any

from shrinkage._errors import ArgumentError, MissingExtraError
from shrinkage.training import checked_scalars


class TensorBoardLogger:
    """Writes numbers as TensorBoard scalars, through torch's own writer.

    Parameters
    ----------
    folder_or_writer : str, Path or SummaryWriter
        A folder of event files, made if it is not there; or a writer that is open, of torch or of tensorboardX, which
        stays its owner's to close.

    Raises
    ------
    MissingExtraError
        If a folder is given and tensorboard is not installed.
    ArgumentError
        If it is neither a folder nor a writer; at `log`, if the step or a value is no number.

    Notes
    -----
    Values are handed to the operating system at every call, so that a killed process loses none. TensorBoard keeps
    them in float32.

    References
    ----------
    https://docs.pytorch.org/docs/stable/tensorboard.html

    Examples
    --------
    >>> class Writer:  # stands for torch.utils.tensorboard.SummaryWriter
    ...     def add_scalar(self, tag, scalar_value, global_step):
    ...         print(tag, scalar_value, global_step)
    ...     def flush(self): ...
    >>> TensorBoardLogger(Writer()).log(3, {"sparsity/total": 0.5})
    sparsity/total 0.5 3
    """

    def __init__(self, folder_or_writer: Any) -> None:
        self._own = isinstance(folder_or_writer, (str, os.PathLike))
        if self._own:
            try:
                from torch.utils.tensorboard.writer import SummaryWriter
            except ImportError as error:
                raise MissingExtraError(
                    "TensorBoardLogger needs tensorboard: pip install 'shrinkage[tensorboard]'"
                ) from error
            folder_or_writer = SummaryWriter(os.fspath(folder_or_writer))
        elif not callable(getattr(folder_or_writer, "add_scalar", None)):
            raise ArgumentError(
                f"folder_or_writer must be a folder or a SummaryWriter; got {type(folder_or_writer).__name__}"
            )
        self.writer = folder_or_writer

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write every value under its name."""
        for name, value in checked_scalars(step, values).items():
            self.writer.add_scalar(name, value, global_step=step)
        self.writer.flush()

    def close(self) -> None:
        """Close the writer, if it was made here."""
        if self._own:
            self.writer.close()
