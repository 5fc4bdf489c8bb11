"""The record of one network trained at many strengths: losses, zeros, the choices and the rule behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shrinkage._errors import ArgumentError
from shrinkage.training._tables import Column, frame, json_text, number_text, plain, share_text, text_table, wrap

COMPLETE = "complete"
_MATRICES = ("train_loss", "held_out", "zeros", "score")
_VECTORS = ("se", "difference_se", "allowed")


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """What trainings of one network at many strengths, and under several seeds, came to.

    NaN stands for what was never measured: a strength that was stopped early has no figures from there on.

    Attributes
    ----------
    strengths : ndarray of shape (n_strengths,)
        Rising.
    seeds : tuple of int
    train_loss, held_out : ndarray of shape (n_strengths, n_seeds)
        Mean loss over the last epoch's batches (weights still moving, penalty not included), and over the rows held
        out, after the last epoch.
    zeros : ndarray of shape (n_strengths, n_seeds)
        Share of exact zeros among the weights that the strength acts on.
    score : ndarray of shape (n_strengths, n_seeds)
        On the rows held out: accuracy, or R²; see `score_name`.
    score_name : str
        "accuracy" or "R2"; empty where there is none.
    status : tuple of str
        "complete", or in words why not and since which epoch.
    epochs_run : ndarray of shape (n_strengths, n_seeds), int
    curves : ndarray of shape (n_strengths, n_seeds, n_epochs)
        Held-out loss after each epoch.
    se : ndarray of shape (n_strengths,)
        Standard error of the mean held-out loss: over seeds, or with one seed over the rows held out.
    difference_se : ndarray of shape (n_strengths,)
        Standard error of the mean difference to the best strength's, paired over seeds or rows; 0 at the best.
    allowed : ndarray of shape (n_strengths,)
        How far each mean may be above the lowest to count as as good: one standard error, by the rule.
    best, one_se : int
        Places of the strength of the lowest mean held-out loss, and of the largest that is as good.
    rule : str
        The two in words.
    mode, reason : str
        "stacked" or "loop", and why.
    seconds : float
        Wall-clock time of all runs together.
    epochs : int
        How many there were to be.
    strength_name : str
        What the strengths are: "strength of L1", "weight_decay".
    loss_name : str
    n_train, n_held_out : int or None
        Rows.
    notes : tuple of str
        What a reader should know, such as data whose order cannot be reproduced.
    weights : mapping from strength to state dict
        Of the first seed, at least for the best and the 1-SE strength. In no text form of the record.

    Examples
    --------
    >>> losses = np.array([[0.50, 0.52], [0.41, 0.45], [0.42, 0.45]])
    >>> result = Sweep(
    ...     strengths=np.array([0.0, 1e-3, 1e-2]), seeds=(0, 1), train_loss=losses, held_out=losses,
    ...     zeros=np.array([[0.0, 0.0], [0.3, 0.3], [0.8, 0.8]]), status=("complete",) * 3,
    ...     epochs_run=np.full((3, 2), 5), best=1, one_se=2, rule="lowest mean; 1-SE", epochs=5,
    ... )
    >>> result.best_strength, result.one_se_strength, result.mean.round(3).tolist()
    (0.001, 0.01, [0.51, 0.43, 0.435])
    """

    strengths: np.ndarray
    seeds: tuple[int, ...]
    train_loss: np.ndarray
    held_out: np.ndarray
    zeros: np.ndarray
    status: tuple[str, ...]
    epochs_run: np.ndarray
    best: int
    one_se: int
    rule: str
    epochs: int
    score: np.ndarray | None = None
    score_name: str = ""
    curves: np.ndarray | None = None
    se: np.ndarray | None = None
    difference_se: np.ndarray | None = None
    allowed: np.ndarray | None = None
    mode: str = "loop"
    reason: str = ""
    seconds: float = float("nan")
    strength_name: str = "strength"
    loss_name: str = "loss"
    n_train: int | None = None
    n_held_out: int | None = None
    notes: tuple[str, ...] = ()
    weights: Mapping[float, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = (len(self.strengths), len(self.seeds))
        for name in ("train_loss", "held_out", "zeros", "epochs_run", "score"):
            met = getattr(self, name)
            if met is not None and np.shape(met) != shape:
                raise ArgumentError(f"{name} must have shape {shape}; got {np.shape(met)}")
        if len(self.status) != shape[0]:
            raise ArgumentError(f"status must have {shape[0]} texts; got {len(self.status)}")

    @property
    def mean(self) -> np.ndarray:
        """Mean held-out loss of each strength over the seeds; NaN where a seed is missing."""
        return self.held_out.mean(axis=1)

    @property
    def mean_train(self) -> np.ndarray:
        """Mean training loss of each strength over the seeds; NaN where a seed is missing."""
        return self.train_loss.mean(axis=1)

    @property
    def mean_zeros(self) -> np.ndarray:
        """Mean share of exact zeros of each strength over the seeds; NaN where a seed is missing."""
        return self.zeros.mean(axis=1)

    @property
    def mean_score(self) -> np.ndarray | None:
        """Mean score of each strength over the seeds."""
        return None if self.score is None else self.score.mean(axis=1)

    @property
    def complete(self) -> np.ndarray:
        """Which strengths were trained to the end under every seed; booleans of shape (n_strengths,)."""
        return np.array([status == COMPLETE for status in self.status])

    @property
    def best_strength(self) -> float:
        """The strength of the lowest mean held-out loss."""
        return float(self.strengths[self.best])

    @property
    def one_se_strength(self) -> float:
        """The largest strength that is within one standard error of the best."""
        return float(self.strengths[self.one_se])

    @property
    def best_weights(self) -> Mapping[str, Any]:
        """State dict of the best strength under the first seed."""
        return self.weights[self.best_strength]

    @property
    def one_se_weights(self) -> Mapping[str, Any]:
        """State dict of the 1-SE strength under the first seed."""
        return self.weights[self.one_se_strength]

    @property
    def headline(self) -> str:
        """One line: how many trainings, the two choices, how long."""
        seeds = f"{len(self.seeds)} seed{'' if len(self.seeds) == 1 else 's'}"
        took = "" if np.isnan(self.seconds) else f", {self.seconds:.3g} s"
        return (
            f"{len(self.strengths)} strengths x {seeds} x {self.epochs} epochs: best {self.best_strength:.4g}, "
            f"1-SE {self.one_se_strength:.4g}{took}"
        )

    def __repr__(self) -> str:
        return f"<Sweep: {self.headline}>"

    def __str__(self) -> str:
        parts = [self.headline, text_table(self._columns())]
        early = [k for k, done in enumerate(self.complete) if not done]
        parts += [wrap(f"{self.strengths[k]:.4g} {self.status[k]}") for k in early]
        parts.append(wrap(self.rule))
        if self.reason:
            parts.append(wrap(f"Trained in the mode {self.mode!r}: {self.reason}"))
        return "\n".join([*parts, *(wrap(f"! {note}") for note in self.notes)])

    def _columns(self) -> list[Column]:
        def cells(values: np.ndarray | None, text: Any = number_text) -> tuple[str, ...]:
            if values is None:
                return ("-",) * len(self.strengths)
            return tuple("-" if np.isnan(value) else text(float(value)) for value in values)

        def four(value: float) -> str:
            return number_text(value, 4)

        marks = {self.one_se: "1-SE"} | {self.best: "best" if self.best != self.one_se else "best, 1-SE"}
        ran = self.epochs_run.sum(axis=1)
        marks |= {k: self.status[k].split()[0] for k, done in enumerate(self.complete) if not done}
        return [
            Column("strength", tuple(number_text(float(s), 4) for s in self.strengths), 99, left=True),
            Column("train", cells(self.mean_train, four), 8),
            Column("held out", cells(self.mean, four), 10),
            Column("s.e.", cells(self.se, lambda v: number_text(v, 2)), 7),
            Column(self.score_name or "score", cells(self.mean_score, four), 6),
            Column("zeros", cells(self.mean_zeros, share_text), 9),
            Column("epochs", tuple(map(str, ran.tolist())), 4),
            Column("choice", tuple(marks.get(k, "-") for k in range(len(self.strengths))), 98, left=True),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, without the weights: texts, numbers, lists and dicts; what is not finite as None."""
        own: dict[str, Any] = {name: _listed(getattr(self, name)) for name in (*_MATRICES, *_VECTORS, "curves")}
        own |= {"strengths": self.strengths.tolist(), "epochs_run": self.epochs_run.tolist(), "seeds": list(self.seeds)}
        own |= {name: getattr(self, name) for name in _PLAIN}
        own |= {"best_strength": self.best_strength, "one_se_strength": self.one_se_strength}
        return plain(own)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Sweep":
        """Return the record that `to_dict` wrote; it has no weights."""
        arrays = {name: _array(data[name]) for name in (*_MATRICES, *_VECTORS, "curves", "strengths")}
        own = {name: data[name] for name in _PLAIN}
        own |= {"status": tuple(own["status"]), "notes": tuple(own["notes"]), "seeds": tuple(data["seeds"])}
        own["seconds"] = float("nan") if own["seconds"] is None else own["seconds"]
        return cls(**arrays, **own, epochs_run=np.array(data["epochs_run"], dtype=np.int64))

    def to_json(self, indent: int | None = None) -> str:
        """Return `to_dict` as strict JSON."""
        return json_text(self.to_dict(), indent)

    def to_frame(self) -> Any:
        """Return a pandas DataFrame, one row per strength and seed.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        rows = [(k, s) for k in range(len(self.strengths)) for s in range(len(self.seeds))]
        return frame([self._row(k, s) for k, s in rows], "Sweep")

    def _row(self, k: int, s: int) -> dict[str, Any]:
        score = {} if self.score is None else {self.score_name or "score": float(self.score[k, s])}
        return {
            "strength": float(self.strengths[k]),
            "seed": self.seeds[s],
            "train_loss": float(self.train_loss[k, s]),
            "held_out": float(self.held_out[k, s]),
            **score,
            "zeros": float(self.zeros[k, s]),
            "epochs_run": int(self.epochs_run[k, s]),
            "status": self.status[k],
            "best": k == self.best,
            "one_se": k == self.one_se,
        }


_PLAIN = (
    *("status", "best", "one_se", "rule", "epochs", "score_name", "mode", "reason", "seconds", "strength_name"),
    *("loss_name", "n_train", "n_held_out", "notes"),
)


def _listed(values: np.ndarray | None) -> Any:
    return None if values is None else values.tolist()


def _array(values: Sequence[Any] | None) -> Any:
    """Lists as an array, None in them as NaN."""
    return None if values is None else np.array(values, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class SweepProgress:
    """Where a sweep is, after an epoch; its text is one line for a terminal.

    Attributes
    ----------
    place, n_seeds : int
        Which seed, from 0, and of how many.
    epoch, epochs : int
        Epochs done under this seed, and how many there will be.
    strengths : tuple of float
        In training.
    train_loss, held_out : ndarray of shape (n,)
        Of these strengths, after the epoch.
    seconds : float
        Since the sweep began, interruptions not counted.
    mode : str
    """

    place: int
    n_seeds: int
    epoch: int
    epochs: int
    strengths: tuple[float, ...]
    train_loss: np.ndarray
    held_out: np.ndarray
    seconds: float
    mode: str

    @property
    def share(self) -> float:
        """Share of the sweep's epochs that is done."""
        return (self.place * self.epochs + self.epoch) / (self.n_seeds * self.epochs)

    def __str__(self) -> str:
        best = int(np.nanargmin(np.where(np.isfinite(self.held_out), self.held_out, np.inf)))
        seed = f"seed {self.place + 1} of {self.n_seeds}, " if self.n_seeds > 1 else ""
        many = f"{len(self.strengths)} strengths" if len(self.strengths) > 1 else "1 strength"
        return (
            f"sweep of {many}: {seed}epoch {self.epoch} of {self.epochs}; lowest held-out loss "
            f"{self.held_out[best]:.4g} at {self.strengths[best]:.4g}; {self.seconds:.0f} s"
        )
