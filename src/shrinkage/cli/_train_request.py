"""What `shrinkage train` was asked, and the command line that asks the same."""

import math
import shlex
from dataclasses import asdict, dataclass, fields
from typing import Any

from shrinkage._errors import ArgumentError

PENALTY_WORDS = {"l1": "L1", "l2": "L2", "elastic": "elastic net", "group": "group lasso of neurons"}
WEAKEST, STRONGEST, COUNT = 1e-5, 1e-1, 13
FEW_ROWS, SOME_ROWS = 1_000, 10_000
MOST_STRENGTHS = 1_000


@dataclass(frozen=True)
class TrainRequest:
    """What `shrinkage train` was asked."""

    data: str
    target: str
    penalty: str = "l1"
    l1_ratio: float = 0.5
    loss: str = "auto"
    positive: str | None = None
    hidden: tuple[int, ...] = (64, 32)
    epochs: int = 50
    lr: float = 0.01
    batch_size: int = 32
    strengths: str = "auto"
    seeds: int | None = None
    validation: float = 0.2
    test: float = 0.2
    rule: str = "1se-paired"
    seed: int = 0
    drop: tuple[str, ...] = ()
    linear: bool = True

    @property
    def one_se_rule(self) -> str:
        """By which rule a strength counts as as good as the best, whichever is taken."""
        return "1se-paired" if self.rule == "min" else self.rule

    def grid(self) -> tuple[float, ...]:
        """The strengths to be tried, rising, 0 among them unless a list leaves it out."""
        return strengths_of(self.strengths, self.penalty)

    def seeds_for(self, n_rows: int) -> tuple[int, ...]:
        """The seeds to be tried: as asked, else the more the fewer rows there are."""
        many = self.seeds if self.seeds is not None else 5 if n_rows < FEW_ROWS else 3 if n_rows < SOME_ROWS else 1
        return tuple(range(self.seed, self.seed + many))

    def call(self, out: str | None, resume: bool = False, brief: bool = False) -> str:
        """The command line that asks the same; `brief` leaves out what is the default."""
        parts = ["shrinkage", "train", self.data, "--target", self.target]
        for field in fields(self)[2:]:
            value = getattr(self, field.name)
            usual = value == field.default
            if not (usual and (brief or value is None)) and (field.name != "l1_ratio" or self.penalty == "elastic"):
                parts += _option(field.name, value)
        parts += ["--out", out] if out is not None else []
        return shlex.join([*parts, *(["--resume"] if resume else [])])

    def settings(self) -> dict[str, Any]:
        """Everything that a training which goes on must have alike, as plain data; the place of the data is free."""
        own = asdict(self)
        del own["data"]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in own.items()}


def _option(name: str, value: Any) -> list[str]:
    """One option as words of a command line."""
    flag = "--" + name.replace("_", "-")
    if name == "drop":
        return [word for column in value for word in (flag, column)]
    if name == "linear":
        return [flag if value else "--no-linear"]
    if name == "hidden":
        return [flag, ",".join(map(str, value)) or "none"]
    return [flag, repr(value) if isinstance(value, float) else str(value)]


def hidden_of(text: str) -> tuple[int, ...]:
    """Widths of the hidden layers from a text such as "64,32"; "none" for a linear model."""
    if text.strip().lower() in ("none", "0"):
        return ()
    try:
        widths = tuple(int(part) for part in text.split(","))
    except ValueError:
        widths = (0,)
    if not all(1 <= width <= 65_536 for width in widths):
        raise ArgumentError(f"--hidden must be widths of layers such as 64,32, each from 1 to 65536; got {text!r}")
    return widths


def strengths_of(text: str, penalty: str = "l1") -> tuple[float, ...]:
    """Strengths from "auto", a list such as "0,1e-4,1e-3", or LOW:HIGH:COUNT, which are evenly spaced ratios.

    A range, and so "auto", gets 0 in front: what no penalty gives belongs into every comparison.
    """
    if text == "auto":
        return _range(WEAKEST, STRONGEST if penalty != "l2" else 10 * STRONGEST, COUNT - 1)
    try:
        if ":" in text:
            low, high, count = text.split(":")
            found = _range(float(low), float(high), int(count))
        else:
            found = tuple(sorted({float(part) for part in text.split(",")}))
    except (ValueError, ZeroDivisionError, OverflowError):
        found = (math.nan,)
    if not all(0 <= strength < math.inf for strength in found) or len(found) > MOST_STRENGTHS:
        raise ArgumentError(
            "--strengths must be auto, a list such as 0,1e-4,1e-3, or LOW:HIGH:COUNT such as 1e-5:1e-1:12 "
            f"(at most {MOST_STRENGTHS}); got {text!r}"
        )
    return found


def _range(low: float, high: float, count: int) -> tuple[float, ...]:
    """0, then `count` strengths from low to high at even ratios, rounded to three digits."""
    if not (0 < low < high < math.inf and 2 <= count < MOST_STRENGTHS):
        raise ValueError
    ratio = (high / low) ** (1 / (count - 1))
    return (0.0, *sorted({float(f"{low * ratio**k:.3g}") for k in range(count)}))
