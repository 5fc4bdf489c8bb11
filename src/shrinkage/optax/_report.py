"""What a penalty did to a pytree of parameters, read from them, from gradients and from the state of a chain."""

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import optax

from shrinkage._check import check_choice, check_positive
from shrinkage._errors import ArgumentError
from shrinkage.optax._links import _settings, steps_of
from shrinkage.optax._penalized import Behind, PenaltyState, Settings
from shrinkage.optax._penalties import ByPath, by_path, penalties_of
from shrinkage.optax._readers import Buffers, Step
from shrinkage.training import PlanRow, Report, ReportRow, StepReading, alarms_of, measured, wide, with_change

LAST_AXIS = {"kernel", "w"}
"""Names of weights whose last axis counts outputs, as Flax and Haiku have them; `weight` has them first (Equinox)."""


def report(
    params: Any,
    state: Any = None,
    optimizer: Any = None,
    *,
    penalty: Any = None,
    gradients: Any = None,
    before: Report | None = None,
    steps_per_epoch: float | None = None,
    gradient: str = "auto",
) -> Report:
    """Say what penalty and gradients do to every leaf: zeros, movement, optimality, and what looks unmeant.

    Parameters
    ----------
    params : pytree of arrays
    state : optional
        The optimizer's, as of these parameters.
    optimizer : optax.GradientTransformation, optional
        A `shrinkage.optax.chain`, or `prox_adam` and the like, that made `state`. It says how far a step moves each
        weight, and which penalty acts. Without it, or with any other, movement and rounding are not reported.
    penalty : Penalty, pytree of these and None, or callable params -> such a tree, optional
        Who gets what, where the optimizer does not say; `by_path` also says by which rule.
    gradients : pytree of arrays, optional
        Of the mean loss at `params`, without its penalty. The state keeps only averages.
    before : Report, optional
        An earlier one: norms and zeros are compared with it, by name.
    steps_per_epoch : float > 0, optional
        Shows timescales in epochs.
    gradient : {"auto", "average", "grad"}
        What optimality is judged by: the mean gradient in the state of Adam-like links (little noise, lags by its
        memory), the `gradients` given, or the mean where there is one, else those.

    Returns
    -------
    Report
        Text by `print`, `to_frame()`, `to_json()`, `scalars()`; see `ReportRow` for every number. Leaves are named by
        their paths, "dense/kernel".

    Raises
    ------
    ArgumentError
        If an argument is out of range, or does not fit the parameters.

    Notes
    -----
    With h the step of each weight's prox (lr / d for Adam, d = √v̂ + ε as of the last step; lr along the buffer for
    gradient descent), the penalty's step is h ∂g(w), and the gradient's h m̂. Optimality: |g| <= l1 where w = 0,
    g + l1 sign(w) + l2 w = 0 elsewhere. `lr` is the factor of the whole chain, corrections of momentum included.

    Rows count output units: the last axis of leaves named "kernel" or "w", axis 0 of others. Arrays are read on the
    host, one after the other. Not for use inside `jit`.

    Examples
    --------
    >>> import jax, jax.numpy as jnp, optax
    >>> from shrinkage import L1
    >>> from shrinkage.optax import prox_adam, report
    >>> X = jax.random.normal(jax.random.key(0), (200, 10)); y = 3 * X[:, 0] - 2 * X[:, 1]
    >>> optimizer = prox_adam(0.05, {"w": L1(0.5)})
    >>> params = {"w": jnp.ones(10)}
    >>> @jax.jit
    ... def step(params, state):
    ...     slope = jax.grad(lambda p: 0.5 * jnp.mean((X @ p["w"] - y) ** 2))(params)
    ...     updates, state = optimizer.update(slope, state, params)
    ...     return optax.apply_updates(params, updates), state
    >>> state = optimizer.init(params)
    >>> for _ in range(300):
    ...     params, state = step(params, state)
    >>> record = report(params, state, optimizer)
    >>> record.row("w").zeros, record.row("w").kkt_zero < 1
    (8, True)
    """
    check_choice("gradient", gradient, ("auto", "average", "grad"))
    if steps_per_epoch is not None:
        check_positive("steps_per_epoch", steps_per_epoch)
    if before is not None and not isinstance(before, Report):
        raise ArgumentError(f"before must be an earlier Report; got {type(before).__name__}")
    settings, links = _parts_of(optimizer)
    penalty, mask = (settings.penalty, settings.mask) if settings is not None else (penalty, None)
    rows = _rows(params, penalty, mask)
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(params)]
    slopes = _per_leaf(gradients, params)
    steps, own = _steps(links, state, params)
    found = _readings(steps, state, own, params)
    earlier = {} if before is None else {row.name: row for row in before.rows}
    measurements = []
    for row, w, reading, slope in zip(rows, leaves, found, slopes, strict=True):
        one = measured(
            row,
            w,
            penalty=row.penalty,
            reading=reading,
            gradient=slope,
            source=gradient,
            input_axis=_input_axis(row),
        )
        measurements.append(with_change(one, earlier.get(row.name)))
    record = Report(
        rows=tuple(measurements),
        notes=tuple(_notes(measurements, optimizer, state, steps)),
        optimizer=None if settings is None else "chain",
        step=None if own is None else int(own.count),
        steps_per_epoch=steps_per_epoch,
    )
    return replace(record, alarms=alarms_of(record.rows, record.total))


def _parts_of(optimizer: Any) -> tuple[Settings | None, tuple[Any, int] | None]:
    """The settings of a chain's last link, and the links before it with their number; None where it is another."""
    if optimizer is None:
        return None, None
    if not hasattr(optimizer, "update"):
        raise ArgumentError(f"optimizer must be a transformation of optax; got {type(optimizer).__name__}")
    cells = _settings(optimizer.update)
    last = cells.get("last")
    if isinstance(last, Behind):
        return _settings(last.update).get("settings"), (cells["before"], cells["n_before"])
    return cells.get("settings") if isinstance(cells.get("settings"), Settings) else None, None


def _rows(params: Any, penalty: Any, mask: Any) -> list[PlanRow]:
    """One row for every leaf: its path, its role, its penalty, and the rule if `by_path` made it."""
    table = penalty.table(params) if isinstance(penalty, ByPath) else by_path().table(params)
    rows = []
    for row, own in zip(table.rows, penalties_of(penalty, mask, params), strict=True):
        name = row.name.rpartition("/")[2]
        axis = None
        if len(row.shape) > 1 and name in (*LAST_AXIS, "weight"):
            axis = len(row.shape) - 1 if name in LAST_AXIS else 0
        rows.append(replace(row, facts=replace(row.facts, output_axis=axis), selected=own is not None, penalty=own))
    return rows


def _input_axis(row: PlanRow) -> int | None:
    if row.output_axis is None or len(row.shape) < 2:
        return None
    return row.output_axis - 1 if row.output_axis else 1


def _per_leaf(tree: Any, params: Any) -> list[np.ndarray | None]:
    """The leaves of a tree of the parameters' structure, as arrays."""
    structure = jax.tree.structure(params)
    if tree is None:
        return [None] * structure.num_leaves
    if jax.tree.structure(tree) != structure:
        raise ArgumentError(f"gradients must have the structure of params, {structure}; got {jax.tree.structure(tree)}")
    found: list[np.ndarray | None] = [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]
    for one, leaf in zip(found, jax.tree.leaves(params), strict=True):
        if one is not None and one.shape != np.shape(leaf):
            raise ArgumentError(f"gradients must have the shapes of params; got {one.shape} for {np.shape(leaf)}")
    return found


def _steps(links: Any, state: Any, params: Any) -> tuple[list[Step] | None, PenaltyState | None]:
    """How far the links of a chain move each leaf, and the state of its last link."""
    if links is None or state is None:
        return None, None
    before, n_before = links
    own = state[-1] if isinstance(state, tuple) and len(state) == n_before + 1 else None
    if not isinstance(own, PenaltyState):
        raise ArgumentError("state must be what optimizer.init made or optimizer.update returned")
    if not int(own.count):
        return None, own
    known = state[:n_before] if n_before else (optax.EmptyState(),)
    return steps_of(before, known, known, params, Buffers(own.buffers)), own


def _readings(steps: list[Step] | None, state: Any, own: PenaltyState | None, params: Any) -> list[StepReading | None]:
    if steps is None or own is None:
        return [None] * len(jax.tree.leaves(params))
    means, found = _means(state, params), []
    for step, mean in zip(steps, means, strict=True):
        number = -float(np.asarray(step.number))
        length: Any = number if step.metric is None else number / np.asarray(step.metric)
        keeps = float(np.asarray(step.momentum))
        average = None if mean is None or keeps >= 1 else mean / (1.0 - keeps ** int(own.count))
        moved = None if average is None else np.asarray(length * average)
        found.append(
            StepReading(
                lr=number, peak_lr=number, decay=None, step=int(own.count), length=length, moved=moved, average=average
            )
        )
    return found


def _means(state: Any, params: Any) -> list[np.ndarray | None]:
    """Means of gradients that Adam-like links keep as `mu`, if there is one for every leaf."""
    structure = jax.tree.structure(params)
    for _, tree in optax.tree_utils.tree_get_all_with_path(state, "mu"):
        if jax.tree.structure(tree) == structure:
            found: list[np.ndarray | None] = [wide(leaf) for leaf in jax.tree.leaves(tree)]
            return found
    return [None] * structure.num_leaves


def _notes(rows: list[ReportRow], optimizer: Any, state: Any, steps: Any) -> list[str]:
    """What could not be read, and why."""
    notes = []
    if optimizer is not None and steps is None:
        why = "it took no step yet" if state is not None else "its state was not given"
        if _parts_of(optimizer)[1] is None:
            why = "its links are not seen: only those of shrinkage.optax.chain are"
        notes.append(f"optimizer: {why}, so movement and rounding are not reported.")
    if any(row.penalty and row.kkt_violation is None for row in rows):
        notes.append("Optimality is judged where the state has a mean gradient: else give gradients=.")
    return notes
