"""The trainings of a sweep, one seed after the other, kept in a journal as they go."""

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from shrinkage._errors import ArgumentError, DataError, ShrinkageError
from shrinkage.selection import clearly_worse, lowest, paired_error
from shrinkage.torch._goals import Goal, scores
from shrinkage.torch._source import Source
from shrinkage.torch._sweep_trial import is_finite
from shrinkage.torch._task import Task, Trainer
from shrinkage.training import Journal, SweepProgress

SNAPSHOTS_TAKE = 0.05
"""The share of the time that may go into snapshots."""
SOONEST, LATEST = 1.0, 30.0
"""Seconds between two of them: at least, and, where writing is quick, at most."""
RUNGS = (8, 4, 2)
"""Strengths race after the eighth, the fourth and the half of the epochs."""


@dataclass
class Race:
    """What is run; it does not change while it runs."""

    task: Task
    goal: Goal
    train: Source
    held_out: Source
    strengths: tuple[float, ...]
    seeds: tuple[int, ...]
    epochs: int
    stop_worse: bool
    device: torch.device
    progress: Callable[[SweepProgress], Any] | None = None


@dataclass
class SeedRun:
    """One seed under way: plain data, as a line of the journal holds it.

    Attributes
    ----------
    place : int
        Of the seed.
    epoch : int
        Epochs done.
    live : list of float
        Strengths in training.
    train : list of float
        Their mean losses over the last epoch.
    curves : list of list of float
        For each of the sweep's strengths, the held-out loss after each epoch that it was trained.
    stopped : list of [strength, text]
        Strengths that left the race under this seed.
    """

    place: int
    live: list[float]
    curves: list[list[float]]
    epoch: int = 0
    train: list[float] = field(default_factory=list)
    stopped: list[list[Any]] = field(default_factory=list)


@dataclass
class Outcome:
    """One seed done: as a line of the journal, and what its file holds."""

    run: SeedRun
    zeros: list[float]
    score: list[float] | None
    rows: Tensor | None = None
    weights: dict[float, dict[str, Tensor]] = field(default_factory=dict)


class Runner:
    """Runs a race and keeps what is done; made again on the same journal, it goes on."""

    def __init__(self, race: Race, mode: str, reason: str, make: Callable[..., Trainer], journal: Journal | None):
        self.race, self.mode, self.reason, self.journal = race, mode, reason, journal
        self._make = make
        self.notes: list[str] = []
        self.outcomes: list[Outcome] = []
        self.stopped: dict[float, str] = {}
        self._before = 0.0
        self._started = time.perf_counter()
        self._last: dict[str, Any] | None = None
        for record in journal.records if journal is not None else ():
            self._replay(record)
        self._tidy()
        self._keeper = None if journal is None else _Keeper(journal, self)

    @property
    def seconds(self) -> float:
        """Time of all runs of this sweep together."""
        return self._before + time.perf_counter() - self._started

    def _replay(self, record: dict[str, Any]) -> None:
        """Take up a line of the journal."""
        self._before = record.get("seconds", self._before)
        if record["kind"] == "snapshot":
            self._last = record
        elif record["kind"] == "seed":
            self._last = None
            outcome = Outcome(_read_run(record["run"]), _floats(record["zeros"]), _floats(record["score"]))
            if "file" in record:
                _read_file(outcome, self._journal().path_of(record["file"]))
            self._take(outcome)

    def _tidy(self) -> None:
        """Remove snapshots that a later line has made useless, if a kill came before that was done."""
        for record in self.journal.records if self.journal is not None else ():
            if record["kind"] == "snapshot" and record is not self._last:
                self._journal().remove(record["file"])

    def _journal(self) -> Journal:
        assert self.journal is not None
        return self.journal

    def _take(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.stopped |= {float(strength): text for strength, text in outcome.run.stopped}

    def run(self) -> None:
        """Train what is not trained yet."""
        race = self.race
        try:
            for place in range(len(self.outcomes), len(race.seeds)):
                self._run_seed(place)
        except KeyboardInterrupt as stop:
            if self._keeper is not None:
                self._keeper.flush()
            stop.add_note(self._how_to_go_on())
            raise
        except ShrinkageError:
            raise
        except Exception as error:  # a full disk, a callback of the user's: what is done is done
            if self._keeper is not None:
                with contextlib.suppress(OSError):
                    self._keeper.flush()
                error.add_note(self._how_to_go_on())
            raise

    def _how_to_go_on(self) -> str:
        done = f"{len(self.outcomes)} of {len(self.race.seeds)} seeds were done"
        if self.journal is None:
            return f"the sweep was interrupted when {done}; with journal='folder' the same call would go on from here"
        kept = "nothing of the next is kept yet"
        if self._last is not None:
            kept = f"epoch {self._last['run']['epoch']} of {self.race.epochs} of the next is kept"
        return (
            f"the sweep was interrupted when {done} and {kept} in {self.journal.folder}: the same call goes on from "
            "there"
        )

    def _run_seed(self, place: int) -> None:
        race, seed = self.race, self.race.seeds[place]
        run, trainer = self._begun(place)
        rows = torch.empty(0)
        if self._keeper is not None:
            self._keeper.begin()
        for epoch in range(run.epoch, race.epochs):
            means = trainer.run_epoch(race.train.epoch(seed, epoch)).double().cpu()
            rows = trainer.held_out(race.held_out.in_order()).double().cpu()
            rows = self._note(run, trainer, means, rows)
            if self._keeper is not None and run.epoch < race.epochs:
                self._keeper.offer(run, trainer)
        self._finish(run, trainer, rows)

    def _begun(self, place: int) -> tuple[SeedRun, Trainer]:
        """A seed at its start, or where a snapshot left it."""
        live = [strength for strength in self.race.strengths if strength not in self.stopped]
        record, self._last = self._last, None
        if record is not None and record["run"]["place"] == place:
            try:
                path = self._journal().path_of(record["file"])
                snapshot = torch.load(path, weights_only=True, map_location=self._to_here)
            except DataError as error:
                self.notes.append(f"{error}; seed {self.race.seeds[place]} was trained from its start again")
            else:
                self._last = record
                run = _read_run(record["run"])
                trainer = self._make(self.race.task, run.live, self.race.seeds[place])
                trainer.restore(snapshot)
                return run, trainer
        run = SeedRun(place, live, [[] for _ in self.race.strengths])
        return run, self._make(self.race.task, live, self.race.seeds[place])

    def _to_here(self, storage: Any, place: str) -> Any:
        """Where a stored tensor goes: to the CPU if the device that it was on is not this sweep's."""
        return None if place in ("cpu", str(self.race.device)) else storage

    def _note(self, run: SeedRun, trainer: Trainer, means: Tensor, rows: Tensor) -> Tensor:
        """Write down an epoch's losses, drop who leaves; return the row losses of those who stay."""
        held_out = rows.mean(dim=1)
        run.epoch += 1
        run.train = means.tolist()
        for strength, loss in zip(run.live, held_out.tolist(), strict=True):
            run.curves[self.race.strengths.index(strength)].append(loss)
        if self.race.progress is not None:
            self.race.progress(self._progress(run, means, held_out))
        leaving = self._diverged(run, means, held_out) or self._worse(run, rows)
        if not leaving:
            return rows
        run.stopped += [[strength, text] for strength, text in leaving.items()]
        if len(leaving) == len(run.live):
            self._refuse_holes(leaving[run.live[0]])
            raise ArgumentError(
                f"every strength {leaving[run.live[0]]}: take a lower lr, or look at the scale of the data"
            )
        trainer.drop(list(leaving))
        staying = [place for place, strength in enumerate(run.live) if strength not in leaving]
        run.train = [run.train[place] for place in staying]
        run.live = [run.live[place] for place in staying]
        return rows[staying]

    def _refuse_holes(self, said: str) -> None:
        """Name a batch that made every strength diverge."""
        for name, source in (("data", self.race.train), ("validation", self.race.held_out)):
            for place, batch in enumerate(source.in_order()):
                if not is_finite(batch):
                    raise DataError(
                        f"every strength {said}: batch {place + 1} of {name} holds numbers that are not finite"
                    )

    def _progress(self, run: SeedRun, means: Tensor, held_out: Tensor) -> SweepProgress:
        race = self.race
        losses = means.numpy(), held_out.numpy()
        where = (run.place, len(race.seeds), run.epoch, race.epochs)
        return SweepProgress(*where, tuple(run.live), *losses, self.seconds, self.mode)

    def _diverged(self, run: SeedRun, means: Tensor, held_out: Tensor) -> dict[float, str]:
        finite = (torch.isfinite(means) & torch.isfinite(held_out)).tolist()
        text = f"diverged in epoch {run.epoch} of seed {self.race.seeds[run.place]}"
        return {strength: text for strength, good in zip(run.live, finite, strict=True) if not good}

    def _worse(self, run: SeedRun, rows: Tensor) -> dict[float, str]:
        """Who is clearly worse than the best, at a rung."""
        race = self.race
        if not race.stop_worse or len(run.live) < 2 or run.epoch not in rungs(race.epochs):
            return {}
        places = [race.strengths.index(strength) for strength in run.live]
        before = [run.curves[place][run.epoch // 2 - 1] for place in places]
        losses = rows.numpy()
        out = clearly_worse(losses, before, math.log2(race.epochs / run.epoch))
        if not out.any():
            return {}
        means, best = losses.mean(axis=1), lowest(losses.mean(axis=1))
        errors = paired_error(losses, best)
        after = f"stopped after epoch {run.epoch} of seed {race.seeds[run.place]}"
        return {
            run.live[k]: f"{after}: {means[k] - means[best]:.3g} ± {errors[k]:.2g} worse than {run.live[best]:.4g}"
            for k in np.flatnonzero(out)
        }

    def _finish(self, run: SeedRun, trainer: Trainer, rows: Tensor) -> None:
        """Keep a seed's results; from here on it is done."""
        race = self.race
        score = scores(race.goal, trainer, race.held_out.in_order())
        outcome = Outcome(run, trainer.zeros().double().tolist(), None if score is None else score.double().tolist())
        if run.place == 0:
            outcome.rows = rows
            outcome.weights = {strength: _state(trainer.model(strength)) for strength in run.live}
        if self._keeper is not None:
            self._keeper.finish(outcome)
            self._last = None
        self._take(outcome)


def rungs(epochs: int) -> set[int]:
    """After which epochs strengths race; one that has no earlier half is none."""
    return {epochs // part for part in RUNGS if epochs // part >= 2}


class _Keeper:
    """Puts snapshots and finished seeds into the journal, snapshots as often as they are cheap."""

    def __init__(self, journal: Journal, runner: Runner) -> None:
        self.journal, self.runner = journal, runner
        self._pending: tuple[dict[str, Any], dict[str, Any]] | None = None
        self._copied = self._written = time.perf_counter()
        self._copying = self._writing = 0.0

    def begin(self) -> None:
        """Start the clock of a seed."""
        self._pending = None
        self._copied = self._written = time.perf_counter()

    def offer(self, run: SeedRun, trainer: Trainer) -> None:
        """Take a snapshot at an epoch's end if it is time for one."""
        now = time.perf_counter()
        due = now - self._written >= _interval(self._writing)
        if not due and now - self._copied < self._copying / SNAPSHOTS_TAKE:
            return
        self._pending = (asdict(run), trainer.snapshot())
        self._copied = time.perf_counter()
        self._copying = self._copied - now
        if due:
            self.flush()

    def flush(self) -> None:
        """Write the newest snapshot that is not on the disk yet."""
        if self._pending is None:
            return
        started = time.perf_counter()
        run, snapshot = self._pending
        name = f"snapshot-{len(self.journal.records)}.pt"
        file = self.journal.put(name, lambda stream: torch.save(snapshot, stream))
        record = {"kind": "snapshot", "run": _finite(run), "seconds": self.runner.seconds, "file": file}
        before = self.runner._last
        self.journal.append(record)
        self.runner._last, self._pending = record, None
        if before is not None:
            self.journal.remove(before["file"])
        self._written = time.perf_counter()
        self._writing = self._written - started

    def finish(self, outcome: Outcome) -> None:
        """Write a finished seed: its file, then the line that names it."""
        record: dict[str, Any] = {"kind": "seed", "run": asdict(outcome.run), "zeros": outcome.zeros}
        record |= {"score": outcome.score, "seconds": self.runner.seconds}
        if outcome.rows is not None:
            content = {"rows": outcome.rows, "live": outcome.run.live, "weights": list(outcome.weights.values())}
            name = f"seed-{outcome.run.place}-{len(self.journal.records)}.pt"
            record["file"] = self.journal.put(name, lambda stream: torch.save(content, stream))
        self._pending = None
        self.journal.append(_finite(record))
        if self.runner._last is not None:
            self.journal.remove(self.runner._last["file"])


def _interval(writing: float) -> float:
    """Seconds until the next snapshot, when the last took `writing` seconds."""
    cheap = writing / SNAPSHOTS_TAKE
    return max(SOONEST, cheap) if cheap <= LATEST else cheap


def _read_run(stored: dict[str, Any]) -> SeedRun:
    curves = [_floats(curve) or [] for curve in stored["curves"]]
    return SeedRun(**stored | {"curves": curves, "train": _floats(stored["train"])})


def _read_file(outcome: Outcome, path: Any) -> None:
    content = torch.load(path, weights_only=True, map_location="cpu")
    outcome.rows = content["rows"]
    outcome.weights = dict(zip(outcome.run.live, content["weights"], strict=True))


def _state(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def _finite(value: Any) -> Any:
    """Plain data in which numbers that JSON has no word for are None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _floats(values: Sequence[float | None] | None) -> Any:
    return None if values is None else [math.nan if value is None else float(value) for value in values]


def close(journal: Journal | None) -> contextlib.AbstractContextManager[Any]:
    """The journal as a context, or none."""
    return contextlib.nullcontext() if journal is None else journal
