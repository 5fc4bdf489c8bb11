"""The record of how fast the weights of a network really decay."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from shrinkage.training._alarms import LOST_LIMIT, Alarm
from shrinkage.training._tables import Column, frame, json_text, number_text, plain, share_text, text_table, wrap

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Levels of the quantiles of a parameter's decay."""
UNEVEN_LIMIT = 10.0
USUALLY_FREE = ("bias", "norm", "gain", "embedding", "position", "token")


def momentum_decay(decay: float, momentum: float, dampening: float = 0.0, nesterov: bool = False) -> float:
    """Return the share of a weight that one step of SGD takes in the long run, where `decay` = lr · weight_decay.

    Without gradients a weight and its buffer follow w ← w - y, y ← μ y + x w, with x = (1 - τ) · decay, so that w
    shrinks by the larger root z of z² - (1 + μ - x) z + μ = 0 (with Nesterov of z² - (1 + μ)(1 - x) z ... , see the
    code): 1 - z is about x / (1 - μ), since the buffer repeats every decay. Complex roots mean that weights swing
    through zero and shrink by √μ.

    Examples
    --------
    >>> round(momentum_decay(1e-4, 0.9), 6), momentum_decay(0.01, 0.0)
    (0.001009, 0.01)
    """
    if momentum == 0:
        return decay
    x = (1.0 - dampening) * decay
    # The step is x w + μ y: with Nesterov y is the new buffer and the weight's own decay counts once more.
    trace = 1.0 + momentum - x - (momentum * x if nesterov else 0.0)
    determinant = momentum * (1.0 - x) if nesterov else momentum
    inside = trace * trace - 4.0 * determinant
    return 1.0 - ((trace + math.sqrt(inside)) / 2.0 if inside >= 0 else math.sqrt(determinant))


@dataclass(frozen=True, slots=True)
class DecayRow:
    """How one parameter decays. None stands for what cannot be read, never for zero.

    Attributes
    ----------
    name, shape, dtype, role, rule, size
        As in the plan.
    group : int or None
        Place of the optimizer's parameter group; None for a parameter that the optimizer does not have.
    how : str or None
        "decoupled" (weights are multiplied), "coupled" (added to the gradient), "penalty" (L2 in a proximal step),
        joined by " + " where several act, "none"; None where the optimizer is not known.
    lr, weight_decay, l2 : float or None
        Learning rate; the optimizer's `weight_decay`; the penalty's multiplier of ½ w² if it is applied.
    pure : float or None
        lr · weight_decay, what a step takes from every weight where decay is decoupled.
    quantiles : tuple of 5 floats, or None
        Share of itself that a weight loses per step, at levels 5, 25, 50, 75, 95 % over the weights that are not zero;
        above 1 a step carries it past zero. None before the first step, where it needs the metric.
    mean : float or None
        Mean of the same.
    timescale, peak_timescale : float or None
        1 / median, about the steps in which a weight falls to 1/e by decay alone, at the present learning rate and at
        the largest one that the group remembers.
    nonzero, lost : int, int or None
        Non-zero weights, and those that decay leaves as they are because of rounding.
    rows, idle_rows : int or None
        Rows, and those that decay although no gradient reaches them.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    role: str
    rule: str
    size: int
    group: int | None = None
    how: str | None = None
    lr: float | None = None
    weight_decay: float | None = None
    l2: float | None = None
    pure: float | None = None
    quantiles: tuple[float, ...] | None = None
    mean: float | None = None
    timescale: float | None = None
    peak_timescale: float | None = None
    nonzero: int = 0
    lost: int | None = None
    rows: int | None = None
    idle_rows: int | None = None

    @property
    def median(self) -> float | None:
        """Share of itself that the median weight loses per step."""
        return None if self.quantiles is None else self.quantiles[2]

    @property
    def lost_share(self) -> float | None:
        """Share of the non-zero weights that decay leaves as they are."""
        return None if self.lost is None or not self.nonzero else self.lost / self.nonzero

    @property
    def decays(self) -> bool:
        """Whether some decay is asked for."""
        return self.how not in (None, "none")

    def left_after(self, steps: int) -> tuple[float, ...] | None:
        """Return what so many steps at the present state leave of a weight, at the levels of `quantiles`."""
        return None if self.quantiles is None else tuple(max(0.0, 1.0 - share) ** steps for share in self.quantiles)

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain data."""
        return plain(asdict(self) | {"lost_share": self.lost_share})


@dataclass(frozen=True, repr=False)
class DecayReport:
    """How fast every parameter of a network really decays; made by `decay_report` of a framework's room.

    Attributes
    ----------
    rows : tuple of DecayRow
    alarms : tuple of Alarm
    notes : tuple of str
    optimizer : str or None
    steps_per_epoch, epochs : float or None

    Examples
    --------
    >>> row = DecayRow("fc.weight", (2, 3), "float32", "linear", "Linear weight", 6, how="decoupled", pure=1e-4,
    ...                quantiles=(1e-4,) * 5, timescale=1e4)
    >>> DecayReport((row,)).scalars()["decay/fc.weight"]
    0.0001
    """

    rows: tuple[DecayRow, ...]
    alarms: tuple[Alarm, ...] = ()
    notes: tuple[str, ...] = ()
    optimizer: str | None = None
    steps_per_epoch: float | None = None
    epochs: float | None = None

    def __repr__(self) -> str:
        return f"<DecayReport: {self.headline}>"

    def row(self, name: str) -> DecayRow:
        """Return the row of one parameter; raises KeyError if there is none of that name."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    @property
    def headline(self) -> str:
        """One line: how many parameters decay, under which optimizer, how many alarms."""
        decaying = sum(row.decays for row in self.rows)
        under = f" under {self.optimizer}" if self.optimizer else ""
        alarms = f"{len(self.alarms)} alarm{'' if len(self.alarms) == 1 else 's'}"
        return f"{decaying} of {len(self.rows)} parameters decay{under}, {alarms}"

    def __str__(self) -> str:
        parts = [self.headline]
        if self.rows:
            parts.append(text_table(_columns(self.rows, self.steps_per_epoch)))
        parts += [wrap(f"! {alarm.sentence}") for alarm in self.alarms]
        parts += [wrap(f"  {note}") for note in self.notes]
        return "\n".join(parts)

    def scalars(self) -> dict[str, float]:
        """Return the numbers for a logger: `decay/<name>` (median share per step), `timescale/<name>`, `alarms`."""
        found: dict[str, float] = {"alarms": float(len(self.alarms))}
        for row in self.rows:
            numbers = {"decay": row.median, "timescale": row.timescale, "decay_lost": row.lost_share}
            known = {key: value for key, value in numbers.items() if value is not None and math.isfinite(value)}
            found |= {f"{key}/{row.name}": value for key, value in known.items()}
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: texts, numbers, lists and dicts; numbers that are not finite as None."""
        own = {key: plain(getattr(self, key)) for key in ("optimizer", "steps_per_epoch", "epochs")}
        return own | {
            "levels": list(LEVELS),
            "rows": [row.to_dict() for row in self.rows],
            "alarms": [plain(asdict(alarm)) for alarm in self.alarms],
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "DecayReport":
        """Return the report that `to_dict` wrote."""
        names = {field.name for field in fields(DecayRow)}
        rows = []
        for row in data["rows"]:
            own = {key: value for key, value in row.items() if key in names}
            quantiles = None if own["quantiles"] is None else tuple(own["quantiles"])
            rows.append(DecayRow(**own | {"shape": tuple(own["shape"]), "quantiles": quantiles}))
        alarms = tuple(Alarm(**alarm) for alarm in data["alarms"])
        own = {key: data[key] for key in ("optimizer", "steps_per_epoch", "epochs")}
        return cls(tuple(rows), alarms, tuple(data["notes"]), **own)

    def to_json(self, indent: int | None = None) -> str:
        """Return `to_dict` as strict JSON."""
        return json_text(self.to_dict(), indent)

    def to_frame(self) -> Any:
        """Return a pandas DataFrame, one row per parameter; quantiles as columns q05, q25, q50, q75, q95.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        records = []
        for row in self.rows:
            record = row.to_dict()
            quantiles = record.pop("quantiles") or [None] * len(LEVELS)
            names = [f"q{round(100 * level):02d}" for level in LEVELS]
            records.append(record | dict(zip(names, quantiles, strict=True)))
        return frame(records, "DecayReport")


def _columns(rows: Sequence[DecayRow], steps_per_epoch: float | None) -> list[Column]:
    def column(head: str, text: Callable[[DecayRow], str], keep: int, left: bool = False) -> Column:
        return Column(head, tuple(map(text, rows)), keep, left)

    def quantile(place: int) -> Callable[[DecayRow], str]:
        return lambda row: number_text(row.quantiles[place] if row.quantiles and row.decays else None)

    def epochs(row: DecayRow) -> str:
        known = row.timescale is not None and math.isfinite(row.timescale) and steps_per_epoch
        return number_text((row.timescale or 0.0) / steps_per_epoch) if known and steps_per_epoch else "-"

    return [
        column("parameter", lambda r: r.name, 99, left=True),
        column("role", lambda r: r.role, 6, left=True),
        column("decay", lambda r: r.how or ("-" if r.group is None else "unknown"), 8, left=True),
        column("weight_decay", lambda r: number_text(r.weight_decay or None), 3),
        column("l2", lambda r: number_text(r.l2 or None), 4),
        column("lr*wd", lambda r: number_text(r.pure or None), 5),
        column("5 %", quantile(0), 7),
        column("median", quantile(2), 9),
        column("95 %", quantile(4), 7),
        column("steps", lambda r: number_text(r.timescale) if r.decays else "-", 8),
        column("epochs", epochs, 8),
        column("lost", lambda r: share_text(r.lost_share) if r.lost else "-", 7),
        column("idle rows", lambda r: f"{r.idle_rows:,}/{r.rows:,}" if r.idle_rows and r.rows else "-", 6),
    ]


def decay_alarms_of(
    rows: Sequence[DecayRow],
    steps_per_epoch: float | None = None,
    epochs: float | None = None,
    loss_has_penalty: bool | Collection[str] = False,
    meant: Sequence[str] = (),
    remedy: str = "build the groups with Plan(model).param_groups(weight_decay=...)",
) -> tuple[Alarm, ...]:
    """Every alarm that the rows of a decay report give reason to.

    Parameters
    ----------
    rows : sequence of DecayRow
    steps_per_epoch, epochs : float, optional
        A timescale outside one epoch to all epochs is an alarm.
    loss_has_penalty : bool or collection of str
        Whether the loss itself holds an L2 term, which no optimizer can see; or the names of whose it holds.
    meant : sequence of str
        Names of biases, norms and embeddings that somebody chose to decay.
    remedy : str
        What leaves the others out of the decay.
    """
    found: list[Alarm | None] = []
    for row in rows:
        named = loss_has_penalty if isinstance(loss_has_penalty, bool) else row.name in loss_has_penalty
        found += [_lost(row), _idle(row), _doubled(row, named)]
    found.append(_uneven(rows))
    found.append(_accidental([row for row in rows if row.name not in meant], remedy))
    found += _timescales(rows, steps_per_epoch, epochs)
    return tuple(alarm for alarm in found if alarm is not None)


def _lost(row: DecayRow) -> Alarm | None:
    share = row.lost_share
    if not row.decays or share is None or share < LOST_LIMIT:
        return None
    said = (
        f"{row.name}: decay changes nothing on {share_text(share)} of the non-zero weights (limit "
        f"{share_text(LOST_LIMIT)}): a step takes {number_text(row.median)} of a weight, below half a unit in the last "
        f"place of {row.dtype}; raise lr times the decay, keep float32 weights, or round stochastically."
    )
    return Alarm("rounding", row.name, share, LOST_LIMIT, said)


def _uneven(rows: Sequence[DecayRow]) -> Alarm | None:
    """One alarm for all parameters that an adaptive step decays unevenly, with the worst of them."""
    ratios = {}
    for row in rows:
        if row.how is not None and "coupled" in row.how.split(" + ") and row.quantiles and row.quantiles[0] > 0:
            ratios[row.name] = row.quantiles[-1] / row.quantiles[0]
    hit = {name: ratio for name, ratio in ratios.items() if ratio > UNEVEN_LIMIT}
    if not hit:
        return None
    name = max(hit, key=lambda key: hit[key])
    worst = next(row for row in rows if row.name == name)
    low, high = (worst.quantiles or LEVELS)[:: len(LEVELS) - 1]
    said = (
        f"{_names(list(hit))}: an adaptive step divides weight_decay by the size of each weight's gradients; in "
        f"{name} it takes between {number_text(low)} and {number_text(high)} of a weight (5 to 95 %, "
        f"ratio {number_text(hit[name])}; limit {number_text(UNEVEN_LIMIT)}), where lr * weight_decay is "
        f"{number_text(worst.pure)}. If even decay is meant, use AdamW; for an L2 penalty, ProxAdam with L2."
    )
    return Alarm("uneven decay", name if len(hit) == 1 else None, hit[name], UNEVEN_LIMIT, said)


def _names(names: Sequence[str]) -> str:
    """The first three names, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _idle(row: DecayRow) -> Alarm | None:
    if not row.decays or not row.idle_rows or not row.rows:
        return None
    said = (
        f"{row.name}: {row.idle_rows:,} of {row.rows:,} rows decay although no gradient reaches them (limit 0), so "
        f"they rot toward zero; freeze them, leave this parameter out of the decay, or set unused gradients to None."
    )
    return Alarm("decay without gradient", row.name, float(row.idle_rows), 0.0, said)


def _doubled(row: DecayRow, loss_has_penalty: bool) -> Alarm | None:
    sources = []
    if row.weight_decay:
        sources.append(f"weight_decay = {number_text(row.weight_decay)}")
    if row.l2:
        sources.append(f"a penalty with l2 = {number_text(row.l2)}")
    if loss_has_penalty and sources and row.role not in USUALLY_FREE:
        sources.append("a penalty in the loss")
    if len(sources) < 2:
        return None
    said = f"{row.name} is decayed {len(sources)} times (limit 1): by {' and by '.join(sources)}; keep one of them."
    return Alarm("double decay", row.name, float(len(sources)), 1.0, said)


def _accidental(rows: Sequence[DecayRow], remedy: str) -> Alarm | None:
    hit = [row for row in rows if row.role in USUALLY_FREE and row.weight_decay and row.decays]
    if not hit:
        return None
    roles = {role: sum(row.role == role for row in hit) for role in dict.fromkeys(row.role for row in hit)}
    counts = ", ".join(f"{role} {count}" for role, count in roles.items())
    said = (
        f"{_names([row.name for row in hit])}: usually left free, and decayed here ({counts}; limit 0). If that is not "
        f"meant, {remedy}."
    )
    return Alarm("accidental decay", hit[0].name if len(hit) == 1 else None, float(len(hit)), 0.0, said)


def _timescales(rows: Sequence[DecayRow], steps_per_epoch: float | None, epochs: float | None) -> list[Alarm]:
    """At most two alarms: on what decays within an epoch, and on what does not within the whole training."""
    spans = {
        row.name: row.peak_timescale / steps_per_epoch
        for row in rows
        if steps_per_epoch and row.decays and row.peak_timescale is not None and math.isfinite(row.peak_timescale)
    }
    found = []
    for limit, short in ((1.0, True), (epochs, False)):
        if limit is None:
            continue
        hit = {name: span for name, span in spans.items() if (span < limit if short else span > limit)}
        if not hit:
            continue
        low, high = min(hit.values()), max(hit.values())
        shown = (
            number_text(low) if number_text(low) == number_text(high) else f"{number_text(low)} to {number_text(high)}"
        )
        advice = "weights forget within an epoch; lower" if short else "training ends before decay acts; raise"
        said = (
            f"{_names(list(hit))}: the timescale of decay is {shown} epochs at the largest learning rate (limit "
            f"{number_text(limit)}): {advice} lr times the decay."
        )
        name = next(iter(hit)) if len(hit) == 1 else None
        found.append(Alarm("timescale", name, low if short else high, limit, said))
    return found
