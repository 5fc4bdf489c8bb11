"""One row of a decay report from weights and an optimizer's reading, all as NumPy arrays."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from shrinkage.training._decay import LEVELS, DecayRow, momentum_decay
from shrinkage.training._plan import PlanRow
from shrinkage.training._readings import Number, StepReading, l2_of, wide


def measured_decay(
    row: PlanRow,
    w: np.ndarray,
    *,
    penalty: Any = None,
    reading: StepReading | None = None,
    gradient: np.ndarray | None = None,
) -> DecayRow:
    """Return all that a decay report says of one parameter.

    Parameters
    ----------
    row : PlanRow
    w : array
        The weights, in the type they are stored in.
    penalty : Penalty or None
        What a proximal step applies; its L2 part decays.
    reading : StepReading or None
        What the optimizer's state says.
    gradient : array or None
        The last gradient, which says what rows nothing reaches.

    Returns
    -------
    DecayRow
    """
    stored, w = np.asarray(w), wide(w)
    draft = DecayRow(row.name, row.shape, str(stored.dtype), row.role, row.rule, row.n_elements)
    if reading is None:
        return draft
    l2 = 0.0 if penalty is None else l2_of(penalty, w)
    has_l2 = isinstance(l2, np.ndarray) or l2 > 0
    how = None
    if reading.decay is not None or not reading.weight_decay:
        parts = [reading.decay if reading.weight_decay else None, "penalty" if has_l2 else None]
        how = " + ".join(part for part in parts if part) or "none"
    plain = reading.lr * reading.weight_decay
    draft = replace(
        draft,
        group=reading.group,
        how=how,
        lr=reading.lr,
        weight_decay=reading.weight_decay,
        l2=float(np.max(l2)) if has_l2 else None,
        pure=None if reading.decay is None else plain if reading.share is None else reading.share,
    )
    if draft.how == "none":
        zeros = (0.0,) * len(LEVELS)
        return replace(draft, quantiles=zeros, mean=0.0, timescale=math.inf, peak_timescale=math.inf)
    if not draft.decays:
        return draft
    draft = replace(draft, **_idle(w, reading, gradient))
    share = _share(reading, l2, has_l2)
    return draft if share is None or not w.size else replace(draft, **_numbers(stored, w, share, reading))


def _share(reading: StepReading, l2: Number, has_l2: bool) -> Number | None:
    """What one step takes from each weight, as a share of it; None where that needs a state that nobody knows."""
    share: Number = 0.0 if reading.share is None else min(reading.share, 2.0 - reading.share)
    coupled = reading.weight_decay if reading.decay == "coupled" else 0.0
    if not coupled and not has_l2:
        return share
    if reading.length is None:
        return None
    length = reading.length
    if coupled and reading.momentum:
        share = _both(share, momentum_decay(reading.lr * coupled, *reading.momentum))
    elif coupled:
        share = _both(share, length * coupled)
    if has_l2:
        pull = length * l2
        share = _both(share, pull / (1.0 + pull))
    return share


def _both(one: Number, other: Number) -> Number:
    """1 - (1 - one)(1 - other), without cancellation."""
    return other if isinstance(one, float) and one == 0.0 else one + other - one * other


def _numbers(stored: np.ndarray, w: np.ndarray, share: Number, reading: StepReading) -> dict[str, Any]:
    """Quantiles of the share over the weights that are not zero, and how many of these rounding leaves alone."""
    alive = w != 0
    # A share of nothing says nothing: weights at zero are left out.
    shares = np.broadcast_to(np.asarray(share), w.shape)[alive] if isinstance(share, np.ndarray) else None
    numbers: dict[str, Any] = {"nonzero": int(alive.sum())}
    if shares is not None and not shares.size:
        return numbers
    levels = (float(share),) * len(LEVELS) if shares is None else tuple(map(float, np.quantile(shares, LEVELS)))
    span = 1.0 / levels[2] if levels[2] > 0 else math.inf
    after = (w - share * w).astype(stored.dtype)
    return numbers | {
        "quantiles": levels,
        "mean": levels[2] if shares is None else float(shares.mean(dtype=np.float64)),
        "timescale": span,
        "peak_timescale": span * reading.lr / reading.peak_lr if reading.peak_lr else span,
        "lost": int(((after == stored) & alive).sum()),
    }


def _idle(w: np.ndarray, reading: StepReading, gradient: np.ndarray | None) -> dict[str, int]:
    """Rows that are not zero and get no gradient: by the last one, else by a moment without decay in it."""
    evidence = gradient if gradient is not None or reading.decay != "decoupled" else reading.second
    if w.ndim < 2 or evidence is None:
        return {}
    rest = tuple(range(1, w.ndim))
    idle = (w != 0).any(axis=rest) & ~(np.asarray(evidence) != 0).any(axis=rest)
    return {"rows": w.shape[0], "idle_rows": int(idle.sum())}
