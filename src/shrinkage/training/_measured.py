"""One row of a report from weights, gradients and an optimizer's reading, all as NumPy arrays."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from shrinkage.training._alarms import Alarm
from shrinkage.training._plan import PlanRow, penalty_text
from shrinkage.training._readings import StepReading, corner_of, makes_zeros, slope_at, wide
from shrinkage.training._report import ReportRow

INVARIANT_BEFORE_NORM = 1e-1
INVARIANT = 1e-3
"""|cos(gradient, weights)| √n below which a loss does not see the weights' scale; random directions have about 1."""


def measured(
    row: PlanRow,
    w: np.ndarray,
    *,
    penalty: Any = None,
    reading: StepReading | None = None,
    gradient: np.ndarray | None = None,
    source: str = "auto",
    input_axis: int | None = None,
    before_norm: bool = False,
) -> ReportRow:
    """Return all that a report says of one parameter.

    Parameters
    ----------
    row : PlanRow
    w : array
        The weights, in the type they are stored in.
    penalty : Penalty or None
        What acts on them.
    reading : StepReading or None
        What the optimizer's state says.
    gradient : array or None
        The last gradient of the mean loss, without penalty.
    source : {"auto", "average", "grad"}
        What optimality is judged by, as in `Report`.
    input_axis : int or None
        The axis that counts input units; None takes axis 1, or 0 where axis 1 counts outputs.
    before_norm : bool
        Whether a normalization follows, which hides the scale of the weights.

    Returns
    -------
    ReportRow
    """
    stored, w = np.asarray(w), wide(w)
    alpha = getattr(penalty, "alpha", None)
    strength = float(alpha) if isinstance(alpha, (int, float)) else None
    lr = None if reading is None else reading.lr
    draft = ReportRow(
        name=row.name,
        shape=row.shape,
        dtype=str(stored.dtype),
        role=row.role,
        rule=row.rule,
        size=row.n_elements,
        zeros=int((w == 0).sum()),
        norm=float(np.linalg.norm(w.astype(np.float64, copy=False))),
        group=None if reading is None else reading.group,
        penalty=None if penalty is None else penalty_text(penalty),
        strength=strength,
        lr=lr,
        lr_strength=None if lr is None or strength is None else lr * strength,
        weight_decay=None if reading is None else reading.weight_decay,
        **_lines(w, row.output_axis, input_axis),
    )
    last = None if gradient is None else wide(gradient)
    pulls = None
    if penalty is not None and reading is not None and reading.length is not None:
        pulls = np.asarray(reading.length * slope_at(penalty, w))
    return replace(
        draft,
        **_steps(stored, w, penalty, reading, pulls),
        **_optimality(w, penalty, reading, last, source),
        **_angle(w, last, reading, pulls, before_norm),
    )


def _lines(w: np.ndarray, output_axis: int | None, input_axis: int | None) -> dict[str, Any]:
    """How many rows (output units) and columns (input units) hold zeros alone."""
    if w.ndim < 2:
        return {}
    out = 0 if output_axis is None else output_axis
    into = input_axis if input_axis is not None and input_axis != out else (1 if out == 0 else out - 1)
    dead = {axis: int((~(w != 0).any(axis=tuple(k for k in range(w.ndim) if k != axis))).sum()) for axis in (out, into)}
    lines = {"rows": w.shape[out], "zero_rows": dead[out], "columns": w.shape[into], "zero_columns": dead[into]}
    return lines if output_axis is None else lines | {"neurons": w.shape[out], "dead_neurons": dead[out]}


def _steps(
    stored: np.ndarray, w: np.ndarray, penalty: Any, reading: StepReading | None, pulls: np.ndarray | None
) -> dict[str, Any]:
    """The two parts of a step, the penalty's timescale, and what of it rounding loses."""
    found: dict[str, Any] = {}
    if reading is None:
        return found
    if reading.moved is not None:
        moved = reading.moved if penalty is None else np.where(w == 0, 0.0, reading.moved)
        found["gradient_step"] = float(np.linalg.norm(wide(moved)))
    if pulls is None:
        return found
    pace = float(np.abs(pulls).sum(dtype=np.float64))
    found["penalty_step"] = float(np.linalg.norm(pulls))
    if pace > 0:
        found["timescale"] = float(np.abs(w).sum(dtype=np.float64)) / pace
        found["lost"] = int((((w - pulls).astype(stored.dtype) == stored) & (w != 0)).sum())
    return found


def _optimality(
    w: np.ndarray, penalty: Any, reading: StepReading | None, last: np.ndarray | None, source: str
) -> dict[str, Any]:
    """How far -g is from the subdifferential of the penalty, at zeros, elsewhere, and at the worst."""
    if penalty is None or (reading is not None and not reading.judges):
        return {}
    if source != "grad" and reading is not None and reading.average is not None:
        g, said = wide(reading.average), "average"
    elif source != "average" and last is not None:
        g, said = last, "grad"
        if reading is not None and reading.decay == "coupled":
            g = g + reading.weight_decay * w  # the mean gradient holds it already
    else:
        return {}
    distance = np.asarray(penalty.violation(w, -g))
    found: dict[str, Any] = {"gradient": said, "kkt_violation": float(distance.max()) if distance.size else 0.0}
    corner = corner_of(penalty, w)
    if corner is not None:
        at_zero, off = (w == 0) & (corner > 0), (w != 0) & (corner > 0)
        shares, rest = np.abs(g[at_zero]) / corner[at_zero], distance[off] / corner[off]
    elif hasattr(penalty, "elementwise"):
        shares, rest = np.zeros(0), distance[w != 0] / float(np.max(penalty.alpha))
    else:
        shares, rest = _of_groups(penalty, w, g, distance)
    if shares.size:
        found["kkt_zero"] = float(shares.max())
    if rest.size:
        found["kkt_nonzero"] = float(rest.mean(dtype=np.float64))
    return found


def _of_groups(penalty: Any, w: np.ndarray, g: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """‖g‖ / (α ω) of the groups at zero, the distance over α ω of the others."""
    lengths = np.asarray(penalty.norms(w))
    strength = _group_strength(penalty, lengths, np.asarray(penalty.norms(np.ones_like(w))))
    zero, alive = (lengths == 0) & (strength > 0), (lengths != 0) & (strength > 0)
    shares = np.asarray(penalty.norms(g))[zero] / strength[zero]
    return shares, np.asarray(penalty.norms(distance))[alive] / strength[alive]


def _group_strength(penalty: Any, lengths: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """α ω of each group; `unit` holds the norms of ones, which are √(size)."""
    alpha = np.asarray(penalty.alpha, dtype=lengths.dtype)
    if isinstance(penalty.weights, str):
        weights = unit if penalty.weights == "sqrt" else np.ones_like(lengths)
    else:
        weights = np.asarray(penalty.weights, dtype=lengths.dtype).reshape(lengths.shape)
    return np.broadcast_to(alpha.reshape(-1) if alpha.size == lengths.size else alpha, lengths.shape) * weights


def _angle(
    w: np.ndarray, last: np.ndarray | None, reading: StepReading | None, pulls: np.ndarray | None, before_norm: bool
) -> dict[str, Any]:
    """|cos(g, w)| for the weights as they are and as they were before the last step, whichever is smaller."""
    if last is None or w.ndim < 2:
        return {}
    g, flat = last.reshape(-1).astype(np.float64), w.reshape(-1).astype(np.float64)
    lengths = float(np.linalg.norm(g) * np.linalg.norm(flat))
    if not lengths > 0 or not math.isfinite(lengths):
        return {}
    inner = abs(float(g @ flat))
    if reading is not None and reading.moved is not None:
        back = reading.moved if pulls is None else reading.moved + pulls
        inner = min(inner, abs(float(g @ flat + g @ back.reshape(-1))))
    limit = (INVARIANT_BEFORE_NORM if before_norm else INVARIANT) / math.sqrt(w.size)
    return {"cosine": inner / lengths, "cosine_limit": limit}


def with_change(row: ReportRow, before: ReportRow | None) -> ReportRow:
    """Return the row with the change of its norm and zeros since an earlier one."""
    if before is None or before.shape != row.shape:
        return row
    change = row.norm / before.norm - 1.0 if before.norm > 0 else None
    return replace(row, norm_change=change, zeros_change=row.zeros - before.zeros)


def not_applied(rows: Sequence[ReportRow], penalties: Iterable[Any], remedy: str) -> tuple[Alarm, ...]:
    """Return an alarm if an optimizer carries penalties that make zeros, without applying them.

    Parameters
    ----------
    rows : sequence of ReportRow
    penalties : iterable of Penalty or None
        Those that are carried and not applied.
    remedy : str
        What to do, as a sentence.
    """
    idle = sum(makes_zeros(penalty) for penalty in penalties)
    zeros = sum(row.zeros for row in rows if row.penalty is not None)
    if not idle or zeros:
        return ()
    said = (
        f"{idle} parameters have a penalty that makes zeros, and the optimizer carries it without applying it: "
        f"{zeros} weights are zero (limit: at least 1). {remedy}"
    )
    return (Alarm("not applied", None, float(zeros), 1.0, said),)
