"""The record of who gets which penalty, and why: one row per parameter."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Any

from shrinkage._errors import MissingExtraError
from shrinkage.training._plain import to_plain


@dataclass(frozen=True, slots=True)
class Facts:
    """What a framework says about one parameter; `resolve` needs nothing else.

    Attributes
    ----------
    name : str
        Dotted, without the prefixes that wrappers add.
    shape : tuple of int
        Global shape, also where the parameter is sharded.
    n_elements : int
    role : str
        One of `shrinkage.training.ROLES`.
    reason : str
        What decided the role, in words.
    trainable : bool
    aliases : tuple of str
        Other names of the same tensor.
    output_axis : int or None
        The axis that counts output units (rows, filters), None where nobody knows.
    """

    name: str
    shape: tuple[int, ...]
    n_elements: int
    role: str
    reason: str
    trainable: bool = True
    aliases: tuple[str, ...] = ()
    output_axis: int | None = None


@dataclass(frozen=True, slots=True)
class PlanRow:
    """What one parameter gets, and the rule that decided it.

    Attributes
    ----------
    facts : Facts
    rule : str
        The deciding rule: the reason of the role, or an override, an exclusion, a selection, "frozen".
    selected : bool
        Whether the parameter is one of those to be penalized: what gets a weight decay, if there is one.
    penalty : Penalty or None
    """

    facts: Facts
    rule: str
    selected: bool
    penalty: Any = None

    @property
    def name(self) -> str:
        """Clean dotted name."""
        return self.facts.name

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other names of the same tensor."""
        return self.facts.aliases

    @property
    def shape(self) -> tuple[int, ...]:
        """Global shape."""
        return self.facts.shape

    @property
    def n_elements(self) -> int:
        """How many numbers the parameter holds."""
        return self.facts.n_elements

    @property
    def role(self) -> str:
        """What the parameter is for."""
        return self.facts.role

    @property
    def reason(self) -> str:
        """What decided the role."""
        return self.facts.reason

    @property
    def trainable(self) -> bool:
        """Whether the parameter is trained at all."""
        return self.facts.trainable

    @property
    def output_axis(self) -> int | None:
        """The axis that counts output units, None where nobody knows."""
        return self.facts.output_axis

    @property
    def strength(self) -> float | None:
        """The penalty's alpha; None without a penalty or where alpha is an array."""
        alpha = None if self.penalty is None else self.penalty.alpha
        return float(alpha) if isinstance(alpha, Real) else None

    @property
    def state(self) -> str:
        """`penalized`, `free` or `frozen`."""
        if not self.trainable:
            return "frozen"
        return "free" if self.penalty is None else "penalized"

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain data."""
        return {
            "name": self.name,
            "aliases": list(self.aliases),
            "shape": list(self.shape),
            "n_elements": self.n_elements,
            "role": self.role,
            "reason": self.reason,
            "rule": self.rule,
            "state": self.state,
            "selected": self.selected,
            "penalty": None if self.penalty is None else to_plain(self.penalty),
            "strength": self.strength,
            "output_axis": self.output_axis,
        }


@dataclass(frozen=True, slots=True)
class PlanTable:
    """Every parameter in exactly one row, in the model's order.

    Attributes
    ----------
    rows : tuple of PlanRow
    """

    rows: tuple[PlanRow, ...]

    def __iter__(self) -> Iterator[PlanRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def count(self, state: str) -> tuple[int, int]:
        """Return (tensors, numbers) of the rows that are `penalized`, `free` or `frozen`."""
        found = [row.n_elements for row in self.rows if row.state == state]
        return len(found), sum(found)

    @property
    def summary(self) -> str:
        """One line: how many tensors and numbers are penalized, free and frozen."""
        parts = []
        for state in ("penalized", "free", "frozen"):
            tensors, numbers = self.count(state)
            parts.append(f"{state}: {tensors:,} tensor{'' if tensors == 1 else 's'}, {numbers:,} numbers")
        return "; ".join(parts)

    def __str__(self) -> str:
        heads = ("parameter", "shape", "role", "rule", "penalty", "strength")
        lines = [heads, *(_cells(row) for row in self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
        text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
        text.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join(line.rstrip() for line in [*text, self.summary])

    def to_frame(self) -> Any:
        """Return the rows as a pandas DataFrame, one column per field; penalties as objects.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtraError("PlanTable.to_frame needs pandas: pip install pandas") from error
        columns = ["name", "shape", "n_elements", "role", "rule", "penalty", "strength", "state", "aliases", "reason"]
        return pd.DataFrame([[getattr(row, c) for c in columns] for row in self.rows], columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """Return the table as plain data: `rows`, and `counts` of tensors and numbers by state."""
        states = ("penalized", "free", "frozen")
        counts = {state: dict(zip(("tensors", "numbers"), self.count(state), strict=True)) for state in states}
        return {"rows": [row.to_dict() for row in self.rows], "counts": counts}

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict(), default=lambda array: array.tolist())


def penalty_text(penalty: Any) -> str:
    """Return a penalty in a few letters, without its strength: `L1`, `GroupL2(axis=0)`; `-` for None."""
    if penalty is None:
        return "-"
    if hasattr(penalty, "elementwise"):
        return f"{penalty_text(penalty.elementwise)} + {penalty_text(penalty.group)}"
    kind = type(penalty).__name__
    shown = {"L1L2": ("l1_ratio",), "GroupL2": ("axis", "weights"), "MCP": ("gamma",), "SCAD": ("gamma",)}.get(kind, ())
    inside = []
    for field in shown:
        value = getattr(penalty, field)
        if field == "weights":
            if not isinstance(value, str):
                inside.append("weights=array")
            elif value != "sqrt":
                inside.append(f"weights={value!r}")
        elif value is not None:
            inside.append(f"{field}={value:g}" if isinstance(value, float) else f"{field}={value}")
    if kind == "GroupL2" and penalty.axis is None:
        inside.insert(0, f"{len(penalty.groups)} groups")
    if penalty.factors is not None:
        inside.append("factors")
    return f"{kind}({', '.join(inside)})" if inside else kind


def _cells(row: PlanRow) -> tuple[str, ...]:
    name = row.name if not row.aliases else f"{row.name} (= {', '.join(row.aliases)})"
    shape = " x ".join(map(str, row.shape)) or "scalar"
    strength = "-" if row.penalty is None else "array" if row.strength is None else f"{row.strength:.6g}"
    return name, shape, row.role, row.rule, penalty_text(row.penalty), strength
