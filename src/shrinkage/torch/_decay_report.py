"""How fast the weights of a network really decay, read from the optimizer's own state."""

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from shrinkage._check import check_boolean, check_positive
from shrinkage.torch._local import is_sharded, local
from shrinkage.torch._plan import Plan
from shrinkage.torch._reading import READABLE, Reading, applies_penalties, kind_of, plan_of, readings, unwrapped
from shrinkage.torch._slopes import slope_of
from shrinkage.torch._tally import Tally, over_shards, read, wide_type
from shrinkage.training import LEVELS, DecayReport, DecayRow, decay_alarms_of, has_l2, momentum_decay

SAMPLE = 1 << 16
"""Quantiles are exact up to this many weights of a tensor, else of so many, spread evenly (error about 0.2 %)."""
CHUNK = 1 << 20


def decay_report(
    model: nn.Module | Plan,
    optimizer: Any,
    *,
    plan: Plan | None = None,
    steps_per_epoch: float | None = None,
    epochs: float | None = None,
    loss_has_penalty: bool = False,
) -> DecayReport:
    r"""Say how much of itself each weight loses per step: what `weight_decay` and L2 penalties really do.

    With η = lr, λ = `weight_decay`, d = √v̂ + ε of each weight as of the last step, one step takes the share

        η λ                     AdamW and others with decoupled decay: of every weight alike
        η λ / d                 Adam, NAdam, RAdam, RMSprop, Adagrad: λ in the gradient
        about η λ / (1 - μ)     SGD with momentum μ (exact: `training.momentum_decay`)
        1 - 1 / (1 + η l2 / d)  an L2 penalty by a proximal step

    Parameters
    ----------
    model : nn.Module or Plan
    optimizer : torch.optim.Optimizer
        Ours, or torch's SGD, Adam, AdamW, NAdam, RAdam, Adagrad, RMSprop; decoupled decay is known of Muon and
        Adafactor too. Of others nothing is guessed.
    plan : Plan, optional
        Says roles, and which biases and norms were chosen; None takes the optimizer's own, else a fresh one.
    steps_per_epoch, epochs : float > 0, optional
        Timescales 1 / (share per step) shorter than an epoch or longer than all epochs are alarms. A useful range is
        from one epoch to all of them (Wang & Aitchison, 2025); it is tested at the largest learning rate that the group
        remembers.
    loss_has_penalty : bool, default False
        Whether your loss holds an L2 term. An optimizer cannot see it, and decay comes on top of it.

    Returns
    -------
    DecayReport

    Raises
    ------
    ArgumentError
        If an argument is out of range.

    Notes
    -----
    Only decay is counted, as if gradients of the loss were zero on average. Coupled decay is in v̂ itself: where
    gradients are small, d is about λ|w| and a step takes about η, whatever λ. It holds to first order in the share per
    step.

    References
    ----------
    Loshchilov & Hutter (2019), Decoupled Weight Decay Regularization, https://arxiv.org/abs/1711.05101;
    Wang & Aitchison (2025), How to set AdamW's weight decay as you scale model and dataset size,
    https://arxiv.org/abs/2405.13698

    Examples
    --------
    >>> import torch
    >>> from shrinkage.torch import decay_report
    >>> model = torch.nn.Linear(4, 2)
    >>> optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
    >>> record = decay_report(model, optimizer, steps_per_epoch=100, epochs=10)
    >>> [(row.name, round(row.median, 6), round(row.timescale)) for row in record.rows]
    [('weight', 0.0001, 10000), ('bias', 0.0001, 10000)]
    >>> [alarm.kind for alarm in record.alarms]
    ['accidental decay', 'timescale']
    """
    for name, value in (("steps_per_epoch", steps_per_epoch), ("epochs", epochs)):
        if value is not None:
            check_positive(name, value)
    check_boolean("loss_has_penalty", loss_has_penalty)
    chosen = plan_of(model, optimizer, plan)
    inner = unwrapped(optimizer)
    known = readings(inner)
    applied = applies_penalties(inner)
    with torch.no_grad():
        drafts = [_draft(row, chosen.parameters[row.name], known, applied) for row in chosen.rows]
        numbers = read([tally for _, tally in drafts])
    rows = tuple(
        _row(draft, found, known.get(id(tally.parameter)))
        for (draft, tally), found in zip(drafts, numbers, strict=True)
    )
    empty = {
        draft.name for (draft, _), found in zip(drafts, numbers, strict=True) if math.isnan(found.get("mean", 0.0))
    }
    meant = [row.name for row in chosen.rows if row.selected]
    return DecayReport(
        rows=rows,
        alarms=decay_alarms_of(rows, steps_per_epoch, epochs, loss_has_penalty, meant),
        notes=tuple(_notes(rows, inner, empty)),
        optimizer=type(inner).__name__,
        steps_per_epoch=steps_per_epoch,
        epochs=epochs,
    )


def _draft(row: Any, parameter: Tensor, known: dict[int, Reading], applied: bool) -> tuple[DecayRow, Tally]:
    """What needs no number from the device, and a tally of what does."""
    reading, tally = known.get(id(parameter)), Tally(parameter)
    reading = None if reading is None else reading.settled()
    draft = DecayRow(
        name=row.name,
        shape=tuple(row.shape),
        dtype=str(parameter.dtype).removeprefix("torch."),
        role=row.role,
        rule=row.rule,
        size=row.n_elements,
    )
    if reading is None:
        return draft, tally
    penalty = reading.penalty if applied and reading.penalty is not None and has_l2(reading.penalty) else None
    pulls = 0.0 if penalty is None else _l2_of(penalty, parameter)
    how = None
    if reading.decay is not None or not reading.weight_decay:
        parts = [reading.decay if reading.weight_decay else None, "penalty" if penalty is not None else None]
        how = " + ".join(part for part in parts if part) or "none"
    draft = replace(
        draft,
        group=reading.group,
        how=how,
        lr=reading.lr,
        weight_decay=reading.weight_decay,
        l2=float(torch.as_tensor(pulls).max()) if penalty is not None else None,
        pure=None
        if reading.decay is None
        else reading.lr * reading.weight_decay
        if reading.share is None
        else reading.share,
    )
    if not draft.decays or not parameter.is_floating_point() or parameter.layout is not torch.strided:
        return draft, tally
    decay = _Decay(reading, pulls)
    if decay.known and parameter.numel():
        _count_lost(tally, decay)
        _take_quantiles(tally, decay)
    _count_idle(tally, reading)
    return draft, tally


def _l2_of(penalty: Any, parameter: Tensor) -> float | Tensor:
    """The multiplier of ½ w², a number or a vector over the local part."""
    return slope_of(getattr(penalty, "elementwise", penalty), parameter).l2


class _Decay:
    """The share that one step takes from each weight of one parameter."""

    def __init__(self, reading: Reading, l2: float | Tensor) -> None:
        self.reading = reading
        self.l2 = l2
        self.coupled = reading.weight_decay if reading.decay == "coupled" else 0.0
        self.has_penalty = isinstance(l2, Tensor) or l2 > 0
        # A decoupled share needs no metric, every other one does.
        self.needs_metric = bool(self.coupled) or (self.has_penalty and reading.by_metric)
        self.known = reading.readable or not self.needs_metric

    def shares(self, at: Any) -> Tensor | float:
        """Return the share at a slice or at indices of the flattened local part; one number where all are alike."""
        reading = self.reading
        share: Tensor | float = 0.0 if reading.share is None else min(reading.share, 2.0 - reading.share)
        metric = reading.metric(at) if self.needs_metric else 1.0
        if self.coupled:
            share = _both(share, self._coupled_share(metric))
        if self.has_penalty:
            l2 = self.l2[at] if isinstance(self.l2, Tensor) else self.l2
            step = reading.penalty_step(metric)
            pull = (0.0 if step is None else step) * l2
            share = _both(share, pull / (1.0 + pull))
        return share

    def _coupled_share(self, metric: Tensor | float) -> Tensor | float:
        reading = self.reading
        if reading.momentum:
            return momentum_decay(reading.lr * self.coupled, *reading.momentum)
        return reading.lr * reading.pull * self.coupled / metric


def _both(one: Tensor | float, other: Tensor | float) -> Tensor | float:
    """1 - (1 - one)(1 - other), without cancellation."""
    return other if isinstance(one, float) and one == 0.0 else one + other - one * other


def _count_lost(tally: Tally, decay: _Decay) -> None:
    """Count the non-zero weights that a step of decay alone rounds back to what they were."""
    stored = local(tally.parameter).detach().reshape(-1)
    for start in range(0, max(stored.numel(), 1), CHUNK):  # every process sends the same sums, empty parts too
        part = slice(start, start + CHUNK)
        w = stored[part]
        alive = w != 0
        share = decay.shares(part)
        wide = w.to(torch.promote_types(w.dtype, torch.float32))
        after = w.mul(1.0 - share) if isinstance(share, float) else (wide - share * wide).to(w.dtype)
        tally.add("nonzero", alive.sum())
        tally.add("lost", ((after == w) & alive).sum())


def _take_quantiles(tally: Tally, decay: _Decay) -> None:
    part = local(tally.parameter)
    if not (decay.coupled or decay.has_penalty):
        share = torch.as_tensor(decay.shares(slice(0, 0)), device=tally.device, dtype=wide_type(tally.device))
        levels, mean = share.expand(len(LEVELS)), share
    else:
        at = sample(
            part.numel(), max(1, math.ceil(SAMPLE * part.numel() / max(tally.parameter.numel(), 1))), tally.device
        )
        found = decay.shares(at)
        shares = found if isinstance(found, Tensor) else torch.full((len(at),), found, device=tally.device)
        # A share of nothing says nothing: weights at zero are left out.
        shares = shares.float().masked_fill(part.detach().reshape(-1)[at] == 0, math.nan)
        shares = _over_parts(tally.parameter, shares)
        levels = torch.nanquantile(shares, torch.tensor(LEVELS, device=tally.device, dtype=shares.dtype))
        mean = torch.nanmean(shares)
    for k, level in enumerate(levels.unbind()):
        tally.know(f"quantile {k}", level)
    tally.know("mean", mean)


def sample(size: int, count: int, device: torch.device) -> Tensor:
    """Return all indices below `size`, or `count` of them: one from each stretch, where no row length matches."""
    if size <= count:
        return torch.arange(size, device=device)
    stretch = torch.arange(count, dtype=torch.float64)
    within = torch.frac(0.6180339887498949 * stretch)
    return ((stretch + within) * (size / count)).long().clamp_max(size - 1).to(device)


def _over_parts(parameter: Any, shares: Tensor) -> Tensor:
    """The samples of all processes that hold parts of the parameter, NaN where one has fewer."""
    if not is_sharded(parameter):
        return shares
    for k, placement in enumerate(parameter.placements):
        if placement.is_shard():
            group = parameter.device_mesh.get_group(k)
            longest = torch.tensor(len(shares), device=shares.device)
            torch.distributed.all_reduce(longest, op=torch.distributed.ReduceOp.MAX, group=group)
            padded = shares.new_full((int(longest),), math.nan)
            padded[: len(shares)] = shares
            parts = [torch.empty_like(padded) for _ in range(torch.distributed.get_world_size(group))]
            torch.distributed.all_gather(parts, padded, group=group)
            shares = torch.cat(parts)
    return shares


def _count_idle(tally: Tally, reading: Reading) -> None:
    """Count the rows that are not zero and get no gradient: by the last one, else by a moment without decay in it."""
    parameter = tally.parameter
    if parameter.ndim < 2:
        return
    evidence = parameter.grad
    if evidence is None and reading.decay == "decoupled":
        evidence = reading.second
    if evidence is None or evidence.layout is not torch.strided:
        return
    w, g = local(parameter).detach(), local(evidence).detach()
    rest = list(range(1, w.ndim))
    lines = torch.stack([(w != 0).sum(rest) > 0, (g != 0).sum(rest) > 0]).double()
    alive, reached = over_shards(parameter, lines, "max", along=-1)
    tally.know("idle", over_shards(parameter, ((alive > 0) & (reached == 0)).sum(), "sum", along=0))


def _row(draft: DecayRow, found: dict[str, float], reading: Reading | None) -> DecayRow:
    """The draft with its numbers."""
    if reading is None:
        return draft
    if draft.how == "none":
        zeros = (0.0,) * len(LEVELS)
        return replace(draft, quantiles=zeros, mean=0.0, timescale=math.inf, peak_timescale=math.inf)
    idle = {"rows": draft.shape[0], "idle_rows": int(found["idle"])} if "idle" in found else {}
    if "mean" not in found or math.isnan(found["mean"]):
        return replace(draft, **idle, nonzero=int(found.get("nonzero", 0)))
    quantiles = tuple(found[f"quantile {k}"] for k in range(len(LEVELS)))
    span = 1.0 / quantiles[2] if quantiles[2] > 0 else math.inf
    peak = span * reading.lr / reading.peak_lr if reading.peak_lr else span
    return replace(
        draft,
        **idle,
        quantiles=quantiles,
        mean=found["mean"],
        timescale=span,
        peak_timescale=peak,
        nonzero=int(found["nonzero"]),
        lost=int(found["lost"]),
    )


def _notes(rows: tuple[DecayRow, ...], optimizer: torch.optim.Optimizer, empty: set[str]) -> list[str]:
    notes, name = [], type(optimizer).__name__
    if any(row.group is not None and row.how is None for row in rows):
        notes.append(f"{name}: how it decays is not known, so nothing is said about it.")
    waiting = [row.name for row in rows if row.decays and row.quantiles is None and row.name not in empty]
    if waiting:
        why = "its metric is not known" if kind_of(optimizer) not in READABLE else "no step was taken yet"
        notes.append(f"{name}: {why}, so what decay takes is not reported for {len(waiting)} parameters.")
    outside = [row.name for row in rows if row.group is None and row.rule != "frozen"]
    if outside:
        more = f" and {len(outside) - 3} more" if len(outside) > 3 else ""
        notes.append(f"Not in the optimizer: {', '.join(outside[:3])}{more}.")
    return notes
