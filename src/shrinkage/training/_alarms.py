"""What a report warns of: each alarm is a sentence with the number tested and its limit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shrinkage.training._tables import number_text, share_text

if TYPE_CHECKING:
    from shrinkage.training._report import ReportRow

LOST_LIMIT = 0.5
"""Share of weights whose step of penalty or decay vanishes in rounding, from which on that is an alarm."""
DEAD_LIMIT = 0.9
SPARSE_LIMIT = 0.5
REMOVABLE_LIMIT = 0.1


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is probably not meant.

    Attributes
    ----------
    kind : str
        `collapse`, `dead neurons`, `rounding`, `scale invariance`, `no speed-up`, `not applied`; of a decay report
        `rounding`, `timescale`, `double decay`, `accidental decay`, `decay without gradient`, `uneven decay`.
    name : str or None
        The parameter; None for the whole model.
    value, threshold : float
        The number tested and the limit that it passed.
    sentence : str
        What is wrong and what to do.
    """

    kind: str
    name: str | None
    value: float
    threshold: float
    sentence: str

    def __str__(self) -> str:
        return self.sentence


def alarms_of(rows: Sequence["ReportRow"], total: "ReportRow") -> tuple[Alarm, ...]:
    """Every alarm that the rows of a report give reason to, in the order of the rows, then those on the whole."""
    found: list[Alarm | None] = []
    for row in rows:
        found += [_collapse(row), _dead(row), _rounding(row), _invariance(row)]
    found.append(_no_speed_up(rows, total))
    return tuple(alarm for alarm in found if alarm is not None)


def _collapse(row: "ReportRow") -> Alarm | None:
    if row.penalty is None or len(row.shape) < 2 or not row.size or row.zeros < row.size:
        return None
    return Alarm(
        "collapse",
        row.name,
        row.zero_share,
        1.0,
        f"{row.name}: all {row.size:,} weights are zero, so no gradient passes through this layer in either direction; "
        f"lower its strength (now {number_text(row.strength)}) or let the optimizer keep its largest groups.",
    )


def _dead(row: "ReportRow") -> Alarm | None:
    if row.penalty is None or not row.neurons or row.zeros == row.size:
        return None
    share = row.dead_neurons / row.neurons if row.dead_neurons is not None else 0.0
    if share < DEAD_LIMIT:
        return None
    return Alarm(
        "dead neurons",
        row.name,
        share,
        DEAD_LIMIT,
        f"{row.name}: {row.dead_neurons:,} of {row.neurons:,} outputs have no weight left ({share_text(share)}; limit "
        f"{share_text(DEAD_LIMIT)}); if accuracy suffers, lower the strength of this layer, else make it smaller.",
    )


def _rounding(row: "ReportRow") -> Alarm | None:
    share = row.lost_share
    if share is None or share < LOST_LIMIT:
        return None
    return Alarm(
        "rounding",
        row.name,
        share,
        LOST_LIMIT,
        f"{row.name}: the penalty's step changes nothing on {share_text(share)} of the non-zero weights (limit "
        f"{share_text(LOST_LIMIT)}), because it is below half a unit in the last place of {row.dtype}; raise lr "
        f"times the strength (now {number_text(row.lr_strength)}), keep float32 weights, or round stochastically.",
    )


def _invariance(row: "ReportRow") -> Alarm | None:
    if row.penalty is None or row.cosine is None or row.cosine_limit is None or row.cosine >= row.cosine_limit:
        return None
    return Alarm(
        "scale invariance",
        row.name,
        row.cosine,
        row.cosine_limit,
        f"{row.name}: |cos(gradient, weights)| is {row.cosine:.1e} (limit {row.cosine_limit:.1e}), so the loss does "
        f"not see the scale of these weights, as in front of a normalization; there a penalty only changes the "
        f"effective learning rate until the weights collapse. Exclude this layer, or penalize the norm's own weight.",
    )


def _no_speed_up(rows: Sequence["ReportRow"], total: "ReportRow") -> Alarm | None:
    if total.zero_share < SPARSE_LIMIT:
        return None
    removable = sum(row.removable for row in rows) / total.size
    if removable >= REMOVABLE_LIMIT:
        return None
    return Alarm(
        "no speed-up",
        None,
        removable,
        REMOVABLE_LIMIT,
        f"{share_text(total.zero_share)} of the weights are exactly zero, but only {share_text(removable)} lie in rows "
        f"or columns that are wholly zero (limit {share_text(REMOVABLE_LIMIT)}): dense kernels will not run faster and "
        f"the file will not be smaller until compressed. A group penalty (GroupL2, axis=0 or 1) makes layers smaller.",
    )
