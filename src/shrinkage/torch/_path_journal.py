"""The rungs of a path on the disk, so that a path that was killed goes on from the last that was finished."""

import os
from importlib.metadata import version
from typing import Any

import torch

from shrinkage.torch._path_run import Run, Rung
from shrinkage.torch._source import digest
from shrinkage.torch._sweep_task import described, without_addresses
from shrinkage.training import Journal, to_plain


class PathJournal:
    """Keeps each rung in a file of its own, and beside the last what training needs to go on from it.

    Parameters
    ----------
    folder : path
    run : Run
        Before any training.
    penalty : Penalty
    settings : dict
        What a user gave that decides the results.

    Raises
    ------
    ArgumentError
        If the journal was begun with other settings, data, or weights.
    """

    def __init__(self, folder: str | os.PathLike[str], run: Run, penalty: Any, settings: dict[str, Any]) -> None:
        known = {
            "kind": "path",
            "model": without_addresses(str(run.model)),
            "loss": run.goal.name,
            "penalty": to_plain(penalty),
            "optimizer": described(run.optimizer),
            "training data": run.train_rows.fingerprint(),
            "held-out data": run.held_rows.fingerprint(),
            "initial weights": digest(*run.model.parameters(), *run.model.buffers()),
            "torch": torch.__version__.partition("+")[0],
            "shrinkage": version("shrinkage"),
        }
        self.journal = Journal(folder, settings | known)
        self.run = run

    @property
    def seconds(self) -> float:
        """Time of the path until its last rung was kept."""
        return self.journal.records[-1]["seconds"] if self.journal.records else 0.0

    def restore(self) -> tuple[list[Rung], float]:
        """Return the rungs that were finished and the scale of the first loss, and put training behind the last."""
        records, run = self.journal.records, self.run
        if not records:
            return [], 0.0
        for record in records[:-1]:
            self.journal.remove(record["state"])  # if a kill came before that was done
        rungs = [Rung(**self._read(record["rung"], rows=True)) for record in records]
        state = self._read(records[-1]["state"])
        run.put(state["weights"])
        run.optimizer.load_state_dict(state["optimizer"])
        run.epoch, run.step, run.last_loss = state["epoch"], state["step"], state["last_loss"]
        return rungs, state["scale"]

    def add(self, rung: Rung, scale: float, seconds: float) -> None:
        """Keep a rung that is finished; it is on the disk when this returns."""
        run, place = self.run, len(self.journal.records)
        state = {
            "weights": run.weights(),
            "optimizer": run.optimizer.state_dict(),
            "epoch": run.epoch,
            "step": run.step,
            "last_loss": run.last_loss,
            "scale": scale,
        }
        kept = vars(rung) | {"rows": torch.from_numpy(rung.rows)}
        record = {
            "kind": "rung",
            "strength": rung.strength,
            "seconds": seconds,
            "rung": self.journal.put(f"rung-{place}.pt", lambda stream: torch.save(kept, stream)),
            "state": self.journal.put(f"state-{place}.pt", lambda stream: torch.save(state, stream)),
        }
        self.journal.append(record)
        if place:
            self.journal.remove(self.journal.records[-2]["state"])

    def close(self) -> None:
        """Let the journal go."""
        self.journal.close()

    def _read(self, named: dict[str, Any], rows: bool = False) -> dict[str, Any]:
        stored = torch.load(self.journal.path_of(named), weights_only=True, map_location="cpu")
        return stored | {"rows": stored["rows"].numpy()} if rows else stored
