"""The record of what a penalty did to a network: one row per parameter, alarms as sentences."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from shrinkage.training._alarms import Alarm
from shrinkage.training._tables import (
    Column,
    frame,
    json_text,
    number_text,
    plain,
    share_text,
    text_table,
    wrap,
)

FOLD_FROM = 40
"""From this many rows on, the text shows free parameters without zeros as one line."""


@dataclass(frozen=True, slots=True)
class ReportRow:
    """What is known of one parameter, or of several together. None stands for what cannot be read, never for zero.

    Attributes
    ----------
    name, shape, dtype, role, rule
        As in the plan; `rule` says what decided.
    size : int
        How many weights.
    group : int or None
        Place of the optimizer's parameter group.
    penalty : str or None
        The penalty without its strength.
    strength, lr, lr_strength : float or None
        alpha, learning rate, and their product.
    weight_decay : float or None
        the optimizer's own `weight_decay`.
    zeros : int
        Weights that are exactly zero.
    rows, zero_rows, columns, zero_columns : int or None
        Output units (rows, filters) and input units (columns, channels) of a matrix, and how many hold zeros alone.
    neurons, dead_neurons : int or None
        Output units of a layer, and those without any weight: structural, whatever the bias says. A neuron that no
        later layer reads is not counted. None for embeddings, norms, biases.
    norm : float
        ‖w‖₂.
    norm_change, zeros_change : float, int or None
        Relative change of the norm, and new zeros, since the earlier report.
    penalty_step, gradient_step : float or None
        Norms of the two parts of one step at the present state, over weights that are not zero.
    timescale : float or None
        Steps in which the penalty alone, at its present pace, would move the weights by their own size: Σ|w| / Σ|step|.
    gradient : str or None
        What `kkt_*` were computed from: "average" (the optimizer's own mean gradient, low noise) or "grad" (the last
        one).
    kkt_zero : float or None
        Largest |g| / l1 over zero weights (‖g‖/(α ω) over zero groups): at an optimum at most 1.
    kkt_nonzero : float or None
        Mean of |g + l1 sign(w) + l2 w| / l1 over other weights (over groups likewise): at an optimum 0.
    kkt_violation : float or None
        Largest distance from -g to the subdifferential, in the gradient's unit.
    lost : int or None
        Non-zero weights that the penalty's step leaves as they are, because of rounding.
    cosine, cosine_limit : float or None
        |cos(gradient, weights)| from the last gradient, and the value below which the loss does not see the weights'
        scale.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    role: str
    rule: str
    size: int
    zeros: int
    norm: float
    group: int | None = None
    penalty: str | None = None
    strength: float | None = None
    lr: float | None = None
    lr_strength: float | None = None
    weight_decay: float | None = None
    rows: int | None = None
    zero_rows: int | None = None
    columns: int | None = None
    zero_columns: int | None = None
    neurons: int | None = None
    dead_neurons: int | None = None
    norm_change: float | None = None
    zeros_change: int | None = None
    penalty_step: float | None = None
    gradient_step: float | None = None
    timescale: float | None = None
    gradient: str | None = None
    kkt_zero: float | None = None
    kkt_nonzero: float | None = None
    kkt_violation: float | None = None
    lost: int | None = None
    cosine: float | None = None
    cosine_limit: float | None = None

    @property
    def zero_share(self) -> float:
        """Share of exact zeros."""
        return self.zeros / self.size if self.size else 0.0

    @property
    def penalty_share(self) -> float | None:
        """‖penalty's step‖ / (‖penalty's step‖ + ‖gradient's step‖): ½ where they balance."""
        if self.penalty_step is None or self.gradient_step is None:
            return None
        both = self.penalty_step + self.gradient_step
        return self.penalty_step / both if both > 0 else None

    @property
    def lost_share(self) -> float | None:
        """Share of the non-zero weights that the penalty's step leaves as they are."""
        nonzero = self.size - self.zeros
        return None if self.lost is None or not nonzero else self.lost / nonzero

    @property
    def removable(self) -> int:
        """Weights in rows or columns that are wholly zero: what a smaller layer would not have."""
        if not self.rows or not self.columns or self.zero_rows is None or self.zero_columns is None:
            return 0
        alive = (self.rows - self.zero_rows) * (self.columns - self.zero_columns)
        return self.size - alive * (self.size // (self.rows * self.columns))

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain data, shares included."""
        shares = {name: getattr(self, name) for name in ("zero_share", "penalty_share", "lost_share")}
        return plain(asdict(self) | shares)


@dataclass(frozen=True, repr=False)
class Report:
    """What a penalty did to every parameter of a network; made by `report` of `shrinkage.torch`, `.keras` or `.optax`.

    Attributes
    ----------
    rows : tuple of ReportRow
        One per parameter, in the model's order; tied weights once.
    alarms : tuple of Alarm
    notes : tuple of str
        What could not be read, and why.
    optimizer : str or None
        Its class.
    step : int or None
        Steps that the optimizer has taken.
    steps_per_epoch : float or None

    Examples
    --------
    >>> row = ReportRow("fc.weight", (2, 3), "float32", "linear", "Linear", size=6, zeros=3, norm=1.0)
    >>> record = Report((row,))
    >>> record.total.zero_share, record.scalars()["sparsity/total"]
    (0.5, 0.5)
    """

    rows: tuple[ReportRow, ...]
    alarms: tuple[Alarm, ...] = ()
    notes: tuple[str, ...] = ()
    optimizer: str | None = None
    step: int | None = None
    steps_per_epoch: float | None = None

    def __repr__(self) -> str:
        return f"<Report: {self.headline}>"

    @property
    def total(self) -> ReportRow:
        """All parameters together."""
        return together("total", self.rows)

    def by_role(self) -> tuple[ReportRow, ...]:
        """Return one row per role."""
        return self._by(lambda row: row.role)

    def by_group(self) -> tuple[ReportRow, ...]:
        """Return one row per parameter group of the optimizer; `no group` for the others."""
        return self._by(lambda row: "no group" if row.group is None else f"group {row.group}")

    def _by(self, key: Callable[[ReportRow], str]) -> tuple[ReportRow, ...]:
        names = dict.fromkeys(map(key, self.rows))
        return tuple(together(name, [row for row in self.rows if key(row) == name]) for name in names)

    def row(self, name: str) -> ReportRow:
        """Return the row of one parameter; raises KeyError if there is none of that name."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    @property
    def headline(self) -> str:
        """One line: parameters, exact zeros, alarms."""
        total = self.total
        at = "" if self.step is None else f" after {self.step:,} steps"
        alarms = f"{len(self.alarms)} alarm{'' if len(self.alarms) == 1 else 's'}"
        return (
            f"{len(self.rows)} parameters, {total.zeros:,} of {total.size:,} weights exactly zero "
            f"({share_text(total.zero_share)}){at}, {alarms}"
        )

    def __str__(self) -> str:
        shown, folded = _folded(self.rows)
        parts = [self.headline]
        if shown:
            parts.append(text_table(_columns([*shown, self.total], self.steps_per_epoch)))
        if folded:
            parts.append(f"and {len(folded)} free parameters without zeros ({sum(r.size for r in folded):,} weights)")
        parts += [wrap(f"! {alarm.sentence}") for alarm in self.alarms]
        parts += [wrap(f"  {note}") for note in self.notes]
        return "\n".join(parts)

    def scalars(self) -> dict[str, float]:
        """Return the numbers for a logger: `sparsity/total`, `sparsity/<name>`, `norm/...`, ..., and `alarms`."""
        found: dict[str, float] = {"alarms": float(len(self.alarms))}
        for row in [*self.rows, self.total]:
            numbers = {
                "sparsity": row.zero_share,
                "norm": row.norm,
                "lr_strength": row.lr_strength,
                "penalty_share": row.penalty_share,
                "kkt_zero": row.kkt_zero,
                "kkt_nonzero": row.kkt_nonzero,
                "dead_neurons": row.dead_neurons,
                "lost": row.lost_share,
            }
            known = {key: value for key, value in numbers.items() if value is not None and math.isfinite(value)}
            found |= {f"{key}/{row.name}": float(value) for key, value in known.items()}
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: texts, numbers, lists and dicts; numbers that are not finite as None."""
        own = {"optimizer": self.optimizer, "step": self.step, "steps_per_epoch": plain(self.steps_per_epoch)}
        return own | {
            "total": self.total.to_dict(),
            "rows": [row.to_dict() for row in self.rows],
            "alarms": [plain(asdict(alarm)) for alarm in self.alarms],
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Report":
        """Return the report that `to_dict` wrote."""
        names = {field.name for field in fields(ReportRow)}
        rows = [{key: value for key, value in row.items() if key in names} for row in data["rows"]]
        return cls(
            rows=tuple(ReportRow(**dict(row, shape=tuple(row["shape"]))) for row in rows),
            alarms=tuple(Alarm(**alarm) for alarm in data["alarms"]),
            notes=tuple(data["notes"]),
            **{key: data[key] for key in ("optimizer", "step", "steps_per_epoch")},
        )

    def to_json(self, indent: int | None = None) -> str:
        """Return `to_dict` as strict JSON."""
        return json_text(self.to_dict(), indent)

    def to_frame(self) -> Any:
        """Return a pandas DataFrame, one row per parameter.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        return frame([row.to_dict() for row in self.rows], "Report")


def together(name: str, rows: Sequence[ReportRow]) -> ReportRow:
    """Several rows as one: counts add, norms add by their squares, residuals take the worst or the weighted mean."""
    nonzero = [(row.kkt_nonzero, row.size - row.zeros) for row in rows if row.kkt_nonzero is not None]
    weight = sum(count for _, count in nonzero)
    earlier = [row for row in rows if row.norm_change is not None]
    before = _root([row.norm / (1.0 + (row.norm_change or 0.0)) for row in earlier if row.norm_change != -1.0])
    now = _root([row.norm for row in earlier])
    return ReportRow(
        name=name,
        shape=(),
        dtype=_common(row.dtype for row in rows) or "several",
        role=_common(row.role for row in rows) or "all",
        rule="",
        size=sum(row.size for row in rows),
        zeros=sum(row.zeros for row in rows),
        norm=_root([row.norm for row in rows]),
        **{key: _common(getattr(row, key) for row in rows) for key in _SHARED},
        **{key: _sum(getattr(row, key) for row in rows) for key in _COUNTS},
        **{key: _largest(getattr(row, key) for row in rows) for key in ("kkt_zero", "kkt_violation")},
        norm_change=now / before - 1.0 if before > 0 else None,
        penalty_step=_known_root([row.penalty_step for row in rows]),
        gradient_step=_known_root([row.gradient_step for row in rows if row.penalty_step is not None]),
        kkt_nonzero=sum((value or 0.0) * count for value, count in nonzero) / weight if weight else None,
    )


_SHARED = ("group", "penalty", "strength", "lr", "lr_strength", "weight_decay", "gradient")
_COUNTS = ("rows", "zero_rows", "columns", "zero_columns", "neurons", "dead_neurons", "zeros_change", "lost")


def _root(values: Iterable[float]) -> float:
    return math.sqrt(sum(value * value for value in values))


def _known_root(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return _root(known) if known else None


def _sum(values: Iterable[Any]) -> Any:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _largest(values: Iterable[Any]) -> Any:
    return max((value for value in values if value is not None), default=None)


def _common(values: Iterable[Any]) -> Any:
    """The one value that all share, None where they differ."""
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None


def _folded(rows: Sequence[ReportRow]) -> tuple[list[ReportRow], list[ReportRow]]:
    if len(rows) < FOLD_FROM:
        return list(rows), []
    dull = [row for row in rows if row.penalty is None and not row.zeros]
    return [row for row in rows if row.penalty is not None or row.zeros], dull


def _columns(rows: Sequence[ReportRow], steps_per_epoch: float | None) -> list[Column]:
    def column(head: str, text: Callable[[ReportRow], str], keep: int, left: bool = False) -> Column:
        return Column(head, tuple(map(text, rows)), keep, left)

    def of(part: int | None, whole: int | None) -> str:
        return "-" if not whole or not part else f"{part:,}/{whole:,}"

    unit, scale = ("epochs", steps_per_epoch) if steps_per_epoch else ("steps", 1.0)
    return [
        column("parameter", lambda r: r.name, 99, left=True),
        column("role", lambda r: r.role, 5, left=True),
        column("penalty", lambda r: r.penalty or "-", 6, left=True),
        column("strength", lambda r: number_text(r.strength), 9),
        column("lr*str.", lambda r: number_text(r.lr_strength), 4),
        column("zeros", lambda r: share_text(r.zero_share) if r.zeros else "-", 10),
        column("0 rows", lambda r: of(r.zero_rows, r.rows), 8),
        column("0 cols", lambda r: of(r.zero_columns, r.columns), 7),
        column("norm", lambda r: number_text(r.norm), 5),
        column("change", lambda r: "-" if r.norm_change is None else f"{100 * r.norm_change:+.1f} %", 3),
        column("new 0", lambda r: "-" if r.zeros_change is None else f"{r.zeros_change:+,}", 4),
        column("pull", lambda r: share_text(r.penalty_share), 6),
        column(unit, lambda r: "-" if r.timescale is None else number_text(r.timescale / (scale or 1.0)), 2),
        column("KKT =0", lambda r: number_text(r.kkt_zero, 2), 7),
        column("KKT !=0", lambda r: number_text(r.kkt_nonzero, 2), 7),
        column("lost", lambda r: share_text(r.lost_share) if r.lost else "-", 6),
    ]
