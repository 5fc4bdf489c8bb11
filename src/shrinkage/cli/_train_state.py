"""What a training leaves in its folder, so that it can go on: what was asked, and the sweeps' journals."""

import json
import shutil
from pathlib import Path
from typing import Any

import click

from shrinkage._errors import DataError
from shrinkage.cli._train_data import Rows
from shrinkage.cli._train_request import TrainRequest
from shrinkage.cli._write import write_whole

FOLDER, ASKED = "training", "asked.json"
FORMAT = "shrinkage training"


class State:
    """The folder `training` in the folder of results.

    Parameters
    ----------
    out : Path or None
        None keeps nothing.
    """

    def __init__(self, out: Path | None) -> None:
        self.folder = None if out is None else out / FOLDER

    @property
    def begun(self) -> bool:
        """Whether there is something to go on from."""
        return self.folder is not None and (self.folder / ASKED).exists()

    @property
    def finished(self) -> bool:
        """Whether what is there ended with a report."""
        return self.begun and bool(self._asked().get("finished"))

    @property
    def unfinished(self) -> bool:
        """Whether a training was interrupted here."""
        return self.begun and not self.finished

    def journal(self, name: str) -> Path | None:
        """Where a sweep keeps its journal."""
        return None if self.folder is None else self.folder / name

    def begin(self, request: TrainRequest, data: Rows, resume: bool) -> None:
        """Start anew or go on, and refuse what would mix two trainings or throw one away.

        Raises
        ------
        click.UsageError
            If there is nothing to go on from, or something that was not asked for.
        DataError
            If options or data are others than those of the training that goes on.
        """
        if self.folder is None:
            return
        asked = {"format": FORMAT, "settings": request.settings(), "data": data.fingerprint(), "finished": False}
        if resume:
            self._compare(asked)
            return
        if self.unfinished:
            raise click.UsageError(
                f"{self.folder.parent} holds a training that was interrupted; add --resume to go on with it, or name "
                "another folder"
            )
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write(asked)

    def finish(self) -> None:
        """Note that the report was written."""
        if self.begun:
            self._write({**self._asked(), "finished": True})

    def _write(self, asked: dict[str, Any]) -> None:
        assert self.folder is not None
        write_whole(self.folder / ASKED, json.dumps(asked, ensure_ascii=False, indent=1).encode())

    def _asked(self) -> dict[str, Any]:
        assert self.folder is not None
        place = self.folder / ASKED
        try:
            asked = json.loads(place.read_bytes())
        except (OSError, ValueError) as error:
            raise DataError(f"{place} cannot be read ({error}); name another folder, or remove this one") from None
        if not isinstance(asked, dict) or asked.get("format") != FORMAT:
            raise DataError(f"{place} was not written by `shrinkage train`; name another folder")
        return asked

    def _compare(self, asked: dict[str, Any]) -> None:
        assert self.folder is not None
        if not self.begun:
            raise click.UsageError(f"{self.folder.parent} holds no training to go on with; leave --resume out")
        before = self._asked()
        for name, value in asked["settings"].items():
            met = before["settings"].get(name)
            if met != value:
                option = name.replace("_", "-")
                raise click.UsageError(
                    f"--{option} is {_said(value)}, and was {_said(met)} in the training that --resume goes on with; "
                    "give the same, or leave --resume out and name another folder"
                )
        if before["data"] != asked["data"]:
            raise DataError("the data are not those of the training that --resume goes on with; name another folder")


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value)) or "none"
    return "not given" if value is None else str(value)
