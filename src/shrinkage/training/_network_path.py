"""The record of one network trained along rising strengths: losses, zeros, the choice, and its refit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shrinkage._errors import ArgumentError
from shrinkage.training._tables import Column, frame, json_text, number_text, plain, share_text, text_table, wrap

_VECTORS = ("strengths", "train_loss", "held_out", "zeros", "score", "se", "difference_se", "before_refit")
_PLAIN = (
    *("best", "one_se", "chosen", "rule", "status", "score_name", "loss_name", "penalty", "epochs", "epochs_per_rung"),
    *("seconds", "n_train", "n_held_out", "notes"),
)


@dataclass(frozen=True, eq=False, repr=False)
class NetworkPath:
    """What one network came to, trained at strength 0 and then on and on at rising strengths.

    Attributes
    ----------
    strengths : ndarray of shape (n_rungs,)
        In the order of training; the first is 0, the dense network.
    train_loss : ndarray of shape (n_rungs,)
        Mean loss, without penalty, over the batches of the last epoch at the strength.
    held_out : ndarray of shape (n_rungs,)
        Mean loss over the rows held out: after the rung's refit, where that made it lower.
    zeros : ndarray of shape (n_rungs,)
        Share of exact zeros among the penalized weights.
    best, one_se, chosen : int
        Places of the lowest held-out loss, of the largest strength that is as good by the 1-SE rule, and of the rung
        that was taken.
    rule : str
        How it was taken, in words.
    status : str
        "complete", or in words where it ended.
    score : ndarray of shape (n_rungs,), or None
        Accuracy or R² on the rows held out; see `score_name`.
    se, difference_se : ndarray of shape (n_rungs,), or None
        Standard errors over the rows held out: of the mean loss, and of its difference to the best rung's, row by row.
    before_refit : ndarray of shape (n_rungs,), or None
        Mean held-out loss before the weights that are left were trained on without penalty.
    penalty, loss_name, score_name : str
    epochs, epochs_per_rung : int
    seconds : float
    n_train, n_held_out : int or None
        Rows.
    notes : tuple of str
    weights : mapping from "dense", "best", "one_se", "chosen" to state dict
        In no text form of the record.

    Examples
    --------
    >>> result = NetworkPath(
    ...     strengths=np.array([0.0, 1e-3, 2e-3]), train_loss=np.array([0.1, 0.2, 0.3]),
    ...     held_out=np.array([0.40, 0.35, 0.36]), zeros=np.array([0.0, 0.7, 0.9]), best=1, one_se=2, chosen=2,
    ...     rule="1-SE",
    ... )
    >>> result.chosen_strength, result.chosen_zeros
    (0.002, 0.9)
    """

    strengths: np.ndarray
    train_loss: np.ndarray
    held_out: np.ndarray
    zeros: np.ndarray
    best: int
    one_se: int
    chosen: int
    rule: str
    status: str = "complete"
    score: np.ndarray | None = None
    se: np.ndarray | None = None
    difference_se: np.ndarray | None = None
    score_name: str = ""
    loss_name: str = "loss"
    penalty: str = ""
    epochs: int = 0
    epochs_per_rung: int = 0
    before_refit: np.ndarray | None = None
    seconds: float = float("nan")
    n_train: int | None = None
    n_held_out: int | None = None
    notes: tuple[str, ...] = ()
    weights: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in _VECTORS:
            met = getattr(self, name)
            if met is not None and np.shape(met) != np.shape(self.strengths):
                raise ArgumentError(f"{name} must have shape {np.shape(self.strengths)}; got {np.shape(met)}")

    @property
    def chosen_strength(self) -> float:
        """The strength that was taken."""
        return float(self.strengths[self.chosen])

    @property
    def chosen_zeros(self) -> float:
        """Share of exact zeros of the network that was taken."""
        return float(self.zeros[self.chosen])

    @property
    def chosen_held_out(self) -> float:
        """Mean held-out loss of the network that was taken."""
        return float(self.held_out[self.chosen])

    @property
    def chosen_score(self) -> float | None:
        """Score of the network that was taken."""
        return None if self.score is None else float(self.score[self.chosen])

    @property
    def headline(self) -> str:
        """One line: how many rungs, which was taken, what it came to beside the dense network."""
        count = len(self.strengths)
        name, values = (self.score_name, self.score) if self.score is not None else ("held-out loss", self.held_out)
        return (
            f"{count} rung{'' if count == 1 else 's'} from dense to strength {float(self.strengths[-1]):.4g}: taken "
            f"{self.chosen_strength:.4g}, {share_text(self.chosen_zeros)} zeros, {name} "
            f"{number_text(float(values[self.chosen]), 4)} (dense {number_text(float(values[0]), 4)})"
        )

    def __repr__(self) -> str:
        return f"<NetworkPath: {self.headline}>"

    def __str__(self) -> str:
        parts = [self.headline, text_table(self._columns()), wrap(self.rule)]
        if self.status != "complete":
            parts.append(wrap(f"! {self.status}"))
        return "\n".join([*parts, *(wrap(f"! {note}") for note in self.notes)])

    def _columns(self) -> list[Column]:
        def cells(values: np.ndarray | None, text: Any) -> tuple[str, ...]:
            if values is None:
                return ("-",) * len(self.strengths)
            return tuple("-" if np.isnan(value) else text(float(value)) for value in values)

        def four(value: float) -> str:
            return number_text(value, 4)

        names = tuple("dense" if s == 0 else number_text(float(s), 4) for s in self.strengths)
        return [
            Column("strength", names, 99, left=True),
            Column("train", cells(self.train_loss, four), 6),
            Column("before refit", cells(self.before_refit, four), 5),
            Column("held out", cells(self.held_out, four), 10),
            Column("s.e. to best", cells(self.difference_se, lambda v: number_text(v, 2)), 7),
            Column(self.score_name or "score", cells(self.score, four), 8),
            Column("zeros", cells(self.zeros, share_text), 9),
            Column("choice", tuple(self._mark(k) for k in range(len(names))), 98, left=True),
        ]

    def _mark(self, k: int) -> str:
        places = (("best", self.best), ("1-SE", self.one_se), ("taken", self.chosen))
        return ", ".join(name for name, place in places if place == k) or "-"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, without the weights: texts, numbers, lists and dicts; what is not finite as None."""
        own: dict[str, Any] = {}
        for name in _VECTORS:
            values = getattr(self, name)
            own[name] = None if values is None else np.asarray(values, dtype=np.float64).tolist()
        own |= {name: getattr(self, name) for name in _PLAIN}
        return plain(own)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "NetworkPath":
        """Return the record that `to_dict` wrote; it has no weights."""
        own: dict[str, Any] = {name: data[name] for name in _PLAIN}
        own["notes"] = tuple(own["notes"])
        own["seconds"] = float("nan") if own["seconds"] is None else own["seconds"]
        return cls(**{name: _array(data[name]) for name in _VECTORS}, **own)

    def to_json(self, indent: int | None = None) -> str:
        """Return `to_dict` as strict JSON."""
        return json_text(self.to_dict(), indent)

    def to_frame(self) -> Any:
        """Return a pandas DataFrame, one row per rung.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        known = {name: getattr(self, name) for name in _VECTORS if getattr(self, name) is not None}
        rows = [
            {name: float(values[k]) for name, values in known.items()}
            | {"best": k == self.best, "one_se": k == self.one_se, "chosen": k == self.chosen}
            for k in range(len(self.strengths))
        ]
        return frame(rows, "NetworkPath")


def _array(values: Sequence[Any] | None) -> Any:
    """Lists as an array, None in them as NaN."""
    return None if values is None else np.array(values, dtype=np.float64)
