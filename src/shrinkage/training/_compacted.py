"""The record of a network made smaller: what went, what stayed and why, how far outputs are apart, bytes and time."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from shrinkage._errors import MissingExtraError
from shrinkage.training._tables import Column, text_table

FASTER = 1.05
"""Ratio of latencies from which a network is called faster: what medians of repeated runs resolve."""


@dataclass(frozen=True, slots=True)
class CompactedLayer:
    """One layer before and after.

    Attributes
    ----------
    name, kind : str
    before, after : tuple of int
        The shape of its weight.
    parameters_before, parameters : int
    """

    name: str
    kind: str
    before: tuple[int, ...]
    after: tuple[int, ...]
    parameters_before: int
    parameters: int


@dataclass(frozen=True)
class Compaction:
    """What became of a network; `print` shows it.

    Attributes
    ----------
    layers : tuple of CompactedLayer
    parameters_before, parameters : int
    bytes_before, bytes : int
        Of parameters and buffers.
    max_difference : float or None
        The largest difference of two outputs over all inputs that were tried, each relative to the largest output
        of that input where it is above 1; None where it was refused before.
    n_checked : int
        Sets of inputs that were tried.
    latency_before, latency : float or None
        Seconds for one call on the example, medians of runs that took turns; None where they were not measured.
    refusal : str or None
        Why the network was left as it was.
    notes : tuple of str
        What stayed, and why.
    rewritten : bool
        Whether `forward` had to be rewritten, since it named numbers of features.
    """

    layers: tuple[CompactedLayer, ...]
    parameters_before: int
    parameters: int
    bytes_before: int
    bytes: int
    max_difference: float | None = None
    n_checked: int = 0
    latency_before: float | None = None
    latency: float | None = None
    refusal: str | None = None
    notes: tuple[str, ...] = ()
    rewritten: bool = False

    @property
    def shrink(self) -> float:
        """How many times fewer bytes."""
        return self.bytes_before / self.bytes if self.bytes else 1.0

    @property
    def speedup(self) -> float | None:
        """How many times faster one call is; None where it was not measured."""
        return None if not self.latency or not self.latency_before else self.latency_before / self.latency

    @property
    def verdict(self) -> str:
        """What was gained, in one sentence."""
        if self.refusal is not None:
            return f"Refused, the network is as it was: {self.refusal}."
        if self.parameters == self.parameters_before:
            return "Nothing to gain: every feature of every layer is needed."
        smaller = f"{self.shrink:.2f} times fewer bytes"
        if self.speedup is None:
            return f"{smaller}; time was not measured."
        if self.speedup >= FASTER:
            return f"{smaller}, {self.speedup:.2f} times faster."
        if self.speedup > 1 / FASTER:
            return f"{smaller}, but not measurably faster on this input."
        return f"{smaller}, but {1 / self.speedup:.2f} times slower on this input."

    def __str__(self) -> str:
        lines = [self.verdict]
        if self.refusal is None:
            lines += [f"parameters {self.parameters_before:,} -> {self.parameters:,}, bytes "
                      f"{self.bytes_before:,} -> {self.bytes:,}"]  # fmt: skip
        if self.latency_before is not None and self.latency is not None:
            lines += [f"latency {1e3 * self.latency_before:.3f} ms -> {1e3 * self.latency:.3f} ms"]
        if self.max_difference is not None:
            lines += [f"largest difference of outputs {self.max_difference:.1e}, over {self.n_checked} sets of inputs"]
        changed = [layer for layer in self.layers if layer.before != layer.after]
        if changed:
            lines += ["", text_table(_columns(changed)), ""]
        return "\n".join([*lines, *(f"- {note}" for note in self.notes)]).rstrip()

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with what is derived."""
        return {**asdict(self), "shrink": self.shrink, "speedup": self.speedup, "verdict": self.verdict}

    def to_json(self, **options: Any) -> str:
        """The same as JSON; `options` go to `json.dumps`."""
        return json.dumps(self.to_dict(), **options)

    def to_frame(self) -> Any:
        """One row per layer, as a pandas DataFrame.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingExtraError("to_frame needs pandas: pip install pandas") from error
        return pandas.DataFrame([asdict(layer) for layer in self.layers])


def _columns(layers: list[CompactedLayer]) -> list[Column]:
    def shape(lengths: tuple[int, ...]) -> str:
        return " x ".join(map(str, lengths))

    return [
        Column("layer", tuple(layer.name for layer in layers), 99, left=True),
        Column("kind", tuple(layer.kind for layer in layers), 5, left=True),
        Column("weight", tuple(shape(layer.before) for layer in layers), 8),
        Column("now", tuple(shape(layer.after) for layer in layers), 9),
        Column("parameters", tuple(f"{layer.parameters_before:,}" for layer in layers), 6),
        Column("now", tuple(f"{layer.parameters:,}" for layer in layers), 7),
    ]
