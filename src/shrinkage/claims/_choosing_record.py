"""What claim 11 measured, and its tables."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from shrinkage.claims._markdown import markdown_table

TUTORIAL = (0.0, 1e-5, 1e-4, 1e-3, 1e-2)
"""The grid of the tutorials."""


def in_words(strengths: Iterable[float]) -> str:
    """Strengths with two digits."""
    return ", ".join(f"{strength:.2g}" for strength in strengths)


@dataclass(frozen=True)
class Other:
    """A sweep on other data: the best strength, its held-out loss, that without, and the difference's error."""

    best: float
    lowest: float
    none: float
    error: float

    @property
    def errors(self) -> float:
        """How many standard errors of the difference the best strength is better than none."""
        return (self.none - self.lowest) / self.error if self.none > self.lowest else 0.0


@dataclass(frozen=True)
class Judged:
    """A network on the test rows, which no choice has seen."""

    words: str
    strength: str
    zeros: float
    loss: float
    r2: float


@dataclass(frozen=True)
class Choosing:
    """A network for diabetes at many strengths of L1.

    Attributes
    ----------
    strengths, held_out, se, allowed, zeros : ndarray
        Of the sweep: `held_out` has a column for each seed, the others are over seeds.
    by_seed, by_split : tuple of float
        The best strength of each seed by itself; and of other splits of the rows into those trained on and held out.
    difference_se : ndarray
        Standard error of the difference to the best strength's loss, paired over the seeds.
    best, one_se, n_held_out, n_train, epochs, n_steps : numbers
    sweep_seconds, loop_seconds : float
        Seconds of processor time for one training of the sweep, and of the loop that adds the penalty to the loss.
    n_trainings, loop_trainings : int
        Over which they were taken.
    apart : float
        Largest difference of held-out losses between one stack and one training after the other, relative.
    judged : tuple of Judged
        On the test rows: no penalty, the best, 1-SE, the path's choice, the wanted share of zeros.
    target_zeros : float
        Where 90 % was wanted.
    path_trainings : int
        Rungs of the path.
    decays, decay_held_out : ndarray
        AdamW's decays with the rule's among them, and mean held-out losses.
    decay_error : ndarray
        Standard error of the difference to the best decay's.
    rule : float
        The decay of the timescale rule, 1 / (lr · steps).
    other : Other
        The same sweep on other data.
    """

    strengths: np.ndarray
    held_out: np.ndarray
    se: np.ndarray
    allowed: np.ndarray
    zeros: np.ndarray
    best: float
    one_se: float
    by_seed: tuple[float, ...]
    by_split: tuple[float, ...]
    difference_se: np.ndarray
    n_held_out: int
    n_train: int
    epochs: int
    sweep_seconds: float
    loop_seconds: float
    n_trainings: int
    loop_trainings: int
    apart: float
    judged: tuple[Judged, ...]
    target_zeros: float
    path_trainings: int
    decays: np.ndarray
    decay_held_out: np.ndarray
    decay_error: np.ndarray
    rule: float
    n_steps: int
    other: "Other"

    @property
    def seeds_in_words(self) -> str:
        """The best strength of each seed."""
        return in_words(self.by_seed)

    @property
    def splits_in_words(self) -> str:
        """The best strength of each of the other splits."""
        return in_words(self.by_split)

    @property
    def wander(self) -> float:
        """The largest of the splits' strengths over the smallest."""
        return max(self.by_split) / max(min(self.by_split), 1e-300)

    @property
    def usual_gains(self) -> tuple[float, float]:
        """What AdamW's 1e-4 and 0.01 bring of what the best decay brings; of those there are."""
        losses = self.decay_held_out
        best = float(losses[0] - losses.min())
        gains = [(losses[0] - losses[int(np.argmin(np.abs(self.decays - usual)))]) / best for usual in (1e-4, 1e-2)]
        return float(gains[0]), float(gains[1])

    @property
    def n_seeds(self) -> int:
        """Columns of the held-out losses."""
        return self.held_out.shape[1]

    @property
    def mean(self) -> np.ndarray:
        """Mean held-out loss of each strength."""
        return self.held_out.mean(axis=1)

    @property
    def speedup(self) -> float:
        """Time of the loop over that of the sweep, per training."""
        return self.loop_seconds / self.sweep_seconds

    @property
    def rule_gain(self) -> float:
        """What the rule gains on no decay, as a share of what the best decay of the grid gains."""
        losses = self.decay_held_out
        place = int(np.argmin(np.abs(self.decays - self.rule)))
        return float((losses[0] - losses[place]) / (losses[0] - losses.min()))

    @property
    def rule_errors(self) -> float:
        """How many standard errors of the difference the rule is above the best decay."""
        place = int(np.argmin(np.abs(self.decays - self.rule)))
        return float((self.decay_held_out[place] - self.decay_held_out.min()) / max(self.decay_error[place], 1e-300))

    @property
    def best_decay(self) -> float:
        """Of the grid, the rule's own decay among it."""
        return float(self.decays[int(np.argmin(self.decay_held_out))])

    def table(self) -> str:
        """One row per strength."""
        marks = {self.one_se: "1-SE"} | {self.best: "best" if self.best != self.one_se else "best, 1-SE"}
        rows = [
            [f"{s:.3g}", f"{mean:.4f}", f"{se:.4f}", f"{zeros:.1%}", "yes" if s in TUTORIAL else "", marks.get(s, "")]
            for s, mean, se, zeros in zip(self.strengths, self.mean, self.se, self.zeros, strict=True)
        ]
        heads = ["strength", "held-out loss", "standard error", "zeros", "in the tutorials' grid", "choice"]
        return markdown_table(heads, rows)

    def judged_table(self) -> str:
        """What the choices are worth on rows that none of them saw."""
        rows = [[j.words, j.strength, f"{j.zeros:.1%}", f"{j.loss:.4f}", f"{j.r2:.3f}"] for j in self.judged]
        return markdown_table(["choice", "strength", "zeros", "test loss", "test R²"], rows)

    def decay_table(self) -> str:
        """AdamW's decays, the rule's marked."""
        rows = [
            [f"{decay:g}" if decay != self.rule else f"{decay:.3g} (rule)", f"{loss:.4f}", f"{error:.4f}"]
            for decay, loss, error in zip(self.decays, self.decay_held_out, self.decay_error, strict=True)
        ]
        return markdown_table(["weight_decay", "held-out loss", "error of the difference to the best"], rows)
