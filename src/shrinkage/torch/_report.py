"""What a penalty did to a network, read from weights, gradients and the optimizer's own state."""

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from shrinkage._check import check_choice, check_positive
from shrinkage._errors import ArgumentError
from shrinkage.torch._local import local
from shrinkage.torch._plan import Plan
from shrinkage.torch._reading import READABLE, Reading, applies_penalties, kind_of, plan_of, readings, unwrapped
from shrinkage.torch._slopes import Slope, is_elastic_net, residuals_of, slope_of
from shrinkage.torch._tally import Tally, count_lines, read
from shrinkage.training import (
    INVARIANT,
    INVARIANT_BEFORE_NORM,
    Report,
    ReportRow,
    alarms_of,
    not_applied,
    penalty_text,
    with_change,
)

CHUNK = {"cpu": 1 << 17}
"""Weights per pass: on the CPU what stays in cache, elsewhere `CHUNK_ELSEWHERE`."""
CHUNK_ELSEWHERE = 1 << 25


def report(
    model: nn.Module | Plan,
    optimizer: Any = None,
    *,
    plan: Plan | None = None,
    before: Report | None = None,
    steps_per_epoch: float | None = None,
    gradient: str = "auto",
) -> Report:
    """Say what penalty and gradients do to every parameter: zeros, movement, optimality, and what looks unmeant.

    Parameters
    ----------
    model : nn.Module or Plan
    optimizer : torch.optim.Optimizer, optional
        Ours, or torch's SGD, Adam, AdamW, NAdam, RAdam, Adagrad, RMSprop; wrappers that keep one as `.optimizer` are
        opened. Of others nothing is guessed: what needs their metric is None. Without an optimizer only weights are
        read.
    plan : Plan, optional
        Says roles, rules and penalties; None takes the optimizer's own, else a fresh one. A penalty in the optimizer's
        groups outweighs the plan's, since it is what acts.
    before : Report, optional
        An earlier one: norms and zeros are compared with it, by name.
    steps_per_epoch : float > 0, optional
        Shows timescales in epochs.
    gradient : {"auto", "average", "grad"}
        What optimality is judged by: the optimizer's own mean gradient (little noise, lags by its memory), the last
        gradient (`.grad`; noisy on mini-batches, must not be scaled), or the mean where there is one, else the last.

    Returns
    -------
    Report
        Text by `print`, `to_frame()`, `to_json()`, `scalars()`; see `ReportRow` for every number.

    Raises
    ------
    ArgumentError
        If an argument is out of range.

    Notes
    -----
    With d, m̂ as of the last step (a floor of d as the next step takes it) and η = lr, the penalty's step is
    η (l1 sign(w) + l2 w) / d and the gradient's η m̂ / d, over weights that are not zero (for SGD d = 1 and momentum
    lengthens both; for other penalties l1 sign(w) + l2 w is their derivative; under `DualAdam` each group has one d).
    Optimality: |g| <= l1 where w = 0, g + l1 sign(w) + l2 w = 0 elsewhere; coupled weight decay
    counts as L2. After a prox the weights are judged with a gradient from before it.

    The scale of weights in front of a normalization is invisible to the loss: then g ⟂ w. It is judged by `.grad`,
    before or after the step; a layer followed by a norm is suspected at |cos| √n < 0.1, others at 0.001.

    Weights are passed over in pieces, without copies of the model; one transfer per device. Of DTensors each process
    reads its part and sums are reduced; only penalties on groups gather their tensor, as their prox does.

    References
    ----------
    van Laarhoven (2017), L2 Regularization versus Batch and Weight Normalization, https://arxiv.org/abs/1706.05350

    Examples
    --------
    >>> import torch
    >>> from shrinkage import L1
    >>> from shrinkage.torch import Plan, ProxAdam, report
    >>> _ = torch.manual_seed(0)
    >>> X = torch.randn(200, 10); y = 3 * X[:, :1] - 2 * X[:, 1:2]
    >>> model = torch.nn.Linear(10, 1)
    >>> optimizer = ProxAdam(Plan(model, L1(0.5)), lr=0.05)
    >>> for _ in range(300):
    ...     optimizer.zero_grad()
    ...     (0.5 * (model(X) - y).square().mean()).backward()
    ...     optimizer.step()
    >>> record = report(model, optimizer)
    >>> record.row("weight").zeros, record.row("weight").kkt_zero < 1
    (8, True)
    """
    check_choice("gradient", gradient, ("auto", "average", "grad"))
    if steps_per_epoch is not None:
        check_positive("steps_per_epoch", steps_per_epoch)
    if before is not None and not isinstance(before, Report):
        raise ArgumentError(f"before must be an earlier Report; got {type(before).__name__}")
    plan = plan_of(model, optimizer, plan)
    inner = None if optimizer is None else unwrapped(optimizer)
    known = {} if inner is None else readings(inner)
    after_norm = followed_by_norm(model) if isinstance(model, nn.Module) else set()
    earlier = {} if before is None else {row.name: row for row in before.rows}
    tallies, drafts = [], []
    with torch.no_grad():
        for row in plan.rows:
            parameter = plan.parameters[row.name]
            tally = Tally(parameter)
            reading = known.get(id(parameter))
            drafts.append(_measure(tally, row, None if reading is None else reading.settled(), gradient))
            tallies.append(tally)
        numbers = read(tallies)
    rows = tuple(
        with_change(_row(draft, found, id(plan.parameters[draft.name]) in after_norm), earlier.get(draft.name))
        for draft, found in zip(drafts, numbers, strict=True)
    )
    steps = [reading.step for reading in known.values() if reading.step is not None]
    record = Report(
        rows=rows,
        notes=tuple(_notes(rows, inner, known)),
        optimizer=None if inner is None else type(inner).__name__,
        step=max(steps, default=None),
        steps_per_epoch=steps_per_epoch,
    )
    carried = []
    if inner is not None and record.step and not applies_penalties(inner):
        carried = [reading.penalty for reading in known.values()]
    remedy = "Use ProxAdam or DualAdam, or wrap the optimizer in Proximal."
    return replace(record, alarms=(*alarms_of(rows, record.total), *not_applied(rows, carried, remedy)))


def followed_by_norm(model: nn.Module) -> set[int]:
    """Ids of the weights whose module is followed, in the order of registration, by a normalization."""
    leaves = [module for module in model.modules() if next(module.children(), None) is None]
    with_weights = [module for module in leaves if next(module.parameters(recurse=False), None) is not None]
    return {
        id(parameter)
        for module, after in pairwise(with_weights)
        if "norm" in type(after).__name__.lower()
        for parameter in module.parameters(recurse=False)
        if parameter.ndim > 1
    }


def _measure(tally: Tally, row: Any, reading: Reading | None, source: str) -> ReportRow:
    """Put everything that needs the weights into the tally; return what is known without them."""
    parameter = tally.parameter
    penalty = reading.penalty if reading is not None and reading.penalty is not None else row.penalty
    slope = None if penalty is None or parameter.is_complex() else slope_of(penalty, parameter)
    gradient, said = _gradient_of(parameter, reading, source)
    if reading is not None and not reading.by_metric:
        gradient = said = None  # decoupled shrinking minimizes nothing that could be judged
    if parameter.is_floating_point() and parameter.layout is torch.strided:
        chunk = CHUNK.get(tally.device.type, CHUNK_ELSEWHERE)
        # An empty part takes a pass too: every process must send the same sums.
        for start in range(0, max(local(parameter).numel(), 1), chunk):
            _pass(tally, slice(start, start + chunk), reading, slope, gradient)
        if penalty is not None and not is_elastic_net(penalty) and gradient is not None:
            _judge_groups(tally, penalty, reading, gradient, said)
        for axis in range(min(parameter.ndim, 2) if parameter.ndim > 1 else 0):
            count_lines(tally, axis)
    alpha = getattr(penalty, "alpha", None)
    strength = float(alpha) if isinstance(alpha, (int, float)) else None
    lr = None if reading is None else reading.lr
    return ReportRow(
        name=row.name,
        shape=tuple(row.shape),
        dtype=str(parameter.dtype).removeprefix("torch."),
        role=row.role,
        rule=row.rule,
        size=row.n_elements,
        zeros=0,
        norm=0.0,
        group=None if reading is None else reading.group,
        penalty=None if penalty is None else penalty_text(penalty),
        strength=strength,
        lr=lr,
        lr_strength=None if lr is None or strength is None else lr * strength,
        weight_decay=None if reading is None else reading.weight_decay,
        gradient=said if penalty is not None else None,
        rows=row.output_axis,
    )


def _gradient_of(
    parameter: Tensor, reading: Reading | None, source: str
) -> tuple[tuple[Tensor, float] | None, str | None]:
    """The gradient to judge by, as (tensor, factor), and what it is called."""
    if source != "grad" and reading is not None and reading.average is not None:
        return reading.average, "average"
    if source != "average" and parameter.grad is not None and parameter.grad.layout is torch.strided:
        return (parameter.grad, 1.0 if reading is None else reading.sign), "grad"
    return None, None


def _flat(tensor: Any, part: slice) -> Tensor:
    piece = local(tensor).detach().reshape(-1)[part]
    return piece.to(torch.promote_types(piece.dtype, torch.float32))


def _pass(tally: Tally, part: slice, reading: Reading | None, slope: Slope | None, gradient: Any) -> None:
    """One piece of the weights: zeros and norms, the two parts of a step, optimality, the angle to the gradient."""
    stored = local(tally.parameter).detach().reshape(-1)[part]
    w = stored.to(torch.promote_types(stored.dtype, torch.float32))
    zero = w == 0
    tally.add("zeros", zero.sum())
    tally.add("w2", torch.dot(w, w))
    pulls = step = None
    if reading is not None:
        metric = reading.metric(part)
        step = reading.last_step(part, metric) if reading.readable else None
        length = reading.penalty_step(metric)
        if slope is not None and length is not None:
            pulls = slope.at(w, part) * length
            tally.add("p1", torch.linalg.vector_norm(pulls, 1))
            tally.add("w1", torch.linalg.vector_norm(w, 1))
            tally.add("p2", torch.dot(pulls, pulls))
            tally.add("lost", (((w - pulls).to(stored.dtype) == stored) & ~zero).sum())
        if step is not None:
            moved = step if slope is None else step.masked_fill(zero, 0.0)
            tally.add("s2", torch.dot(moved, moved))
    if gradient is not None and slope is not None and slope.fixed is None:
        _judge(tally, w, zero, part, slope, gradient, reading)
    last = tally.parameter.grad
    if last is not None and last.layout is torch.strided and tally.parameter.ndim > 1:
        g = _flat(last, part)
        tally.add("g2", torch.dot(g, g))
        tally.add("gw", torch.dot(g, w))
        if step is not None:
            tally.add("gs", torch.dot(g, step if pulls is None else step + pulls))


def _judge(tally: Tally, w: Tensor, zero: Tensor, part: slice, slope: Slope, gradient: Any, reading: Any) -> None:
    """|g| / l1 at zeros, |g + l1 sign(w) + l2 w| / l1 elsewhere."""
    tensor, factor = gradient
    g = factor * _flat(tensor, part)
    if reading is not None and reading.average is not gradient and reading.decay == "coupled":
        g = g + reading.weight_decay * w  # the mean gradient holds it already
    l1 = slope.l1_of(part)
    off = g + slope.at(w, part)
    size = g.abs()
    distance = torch.where(zero, (size - l1).clamp_min(0.0), off.abs())
    tally.most("violation", _largest(distance))
    if isinstance(l1, Tensor):
        safe = torch.where(l1 > 0, l1, float("inf"))
        tally.most("at zero", _largest(torch.where(zero, size / safe, 0.0)))
        tally.add("off", torch.where(zero, 0.0, off.abs() / safe).sum())
        tally.add("alive", (~zero & (l1 > 0)).sum())
    elif l1 > 0:
        tally.most("at zero", _largest(size.masked_fill(~zero, 0.0)) / l1)
        tally.add("off", off.masked_fill(zero, 0.0).abs().sum() / l1)
        tally.add("alive", (~zero).sum())


def _largest(values: Tensor) -> Tensor:
    return values.max() if values.numel() else values.new_zeros(())


def _judge_groups(tally: Tally, penalty: Any, reading: Reading | None, gradient: Any, said: str | None) -> None:
    tensor, factor = gradient
    part = local(tally.parameter).detach()
    g = factor * _flat(tensor, slice(None)).reshape(part.shape)
    if said == "grad" and reading is not None and reading.decay == "coupled":
        g = g + reading.weight_decay * part
    residuals = residuals_of(penalty, tally.parameter, g)
    if residuals.zero is not None:
        tally.know("at zero", residuals.zero)
    tally.know("off", residuals.nonzero)
    tally.know("alive", residuals.count)
    tally.know("violation", residuals.violation)


def _row(draft: ReportRow, found: dict[str, float], after_norm: bool) -> ReportRow:
    """The draft with its numbers."""
    axis = draft.rows
    lines: dict[str, Any] = {"rows": None}
    if "zeros along 0" in found:
        out = 0 if axis is None or axis > 1 else axis
        lines = {
            "rows": draft.shape[out],
            "zero_rows": int(found[f"zeros along {out}"]),
            "columns": draft.shape[1 - out],
            "zero_columns": int(found[f"zeros along {1 - out}"]),
        }
        if axis is not None:
            lines |= {"neurons": lines["rows"], "dead_neurons": lines["zero_rows"]}
    alive = found.get("alive", 0.0)
    cosine, limit = _cosine(draft, found, after_norm)
    return replace(
        draft,
        **lines,
        zeros=int(found.get("zeros", 0)),
        norm=math.sqrt(found.get("w2", math.nan)),
        penalty_step=_root(found.get("p2")),
        gradient_step=_root(found.get("s2")),
        timescale=found["w1"] / found["p1"] if found.get("p1") else None,
        kkt_zero=found.get("at zero") if found.get("zeros") else None,
        kkt_nonzero=found["off"] / alive if alive else None,
        kkt_violation=found.get("violation"),
        lost=int(found["lost"]) if "lost" in found and found.get("p1") else None,
        cosine=cosine,
        cosine_limit=limit,
    )


def _root(square: float | None) -> float | None:
    return None if square is None else math.sqrt(square)


def _cosine(draft: ReportRow, found: dict[str, float], after_norm: bool) -> tuple[float | None, float | None]:
    """|cos(g, w)| for the weights as they are and as they were before the last step, whichever is smaller."""
    lengths = math.sqrt(found.get("g2", 0.0) * found.get("w2", 0.0))
    if not lengths > 0 or not math.isfinite(lengths):
        return None, None
    now, before = found["gw"], found["gw"] + found.get("gs", math.inf)
    limit = (INVARIANT_BEFORE_NORM if after_norm else INVARIANT) / math.sqrt(draft.size)
    return min(abs(now), abs(before)) / lengths, limit


def _notes(rows: tuple[ReportRow, ...], optimizer: Any, known: dict[int, Reading]) -> list[str]:
    """What could not be read, and why."""
    notes = []
    if optimizer is not None and not any(reading.readable for reading in known.values()):
        why = "it took no step yet" if kind_of(optimizer) in READABLE else "its state is not known"
        notes.append(f"{type(optimizer).__name__}: {why}, so movement and rounding are not reported.")
    if any(not reading.by_metric for reading in known.values()):
        notes.append("Decoupled semantics minimize no objective: optimality is not judged.")
    elif any(row.penalty and row.kkt_violation is None for row in rows):
        notes.append("Optimality is judged where there is a gradient: call report between backward() and zero_grad().")
    outside = [row.name for row in rows if optimizer is not None and row.group is None and row.rule != "frozen"]
    if outside:
        more = f" and {len(outside) - 3} more" if len(outside) > 3 else ""
        notes.append(f"Not in the optimizer: {', '.join(outside[:3])}{more}.")
    return notes
