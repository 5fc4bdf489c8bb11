"""What a penalty did to a Keras model, read from weights, gradients and the optimizer's own state."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from shrinkage._check import check_choice, check_positive
from shrinkage._errors import ArgumentError
from shrinkage.keras._plan import Plan, regularizer_text
from shrinkage.keras._reading import around, is_known, numbers_of, plan_of, readings
from shrinkage.training import PlanRow, Report, ReportRow, StepReading, alarms_of, measured, not_applied, with_change

REMEDY = "Compile with Proximal(optimizer, plan) of shrinkage.keras."


def report(
    model: Any,
    optimizer: Any = None,
    *,
    plan: Plan | None = None,
    before: Report | None = None,
    steps_per_epoch: float | None = None,
    gradient: str = "auto",
    gradients: Mapping[str, Any] | Sequence[Any] | None = None,
) -> Report:
    """Say what penalty and gradients do to every variable: zeros, movement, optimality, and what looks unmeant.

    Parameters
    ----------
    model : keras.Model that is built, or Plan
    optimizer : keras.optimizers.Optimizer, optional
        None takes that of `model.compile`. A `Proximal`, or Keras' SGD, Adam, AdamW, Nadam, Adagrad, RMSprop; a
        `LossScaleOptimizer` is opened. Of others nothing is guessed: what needs their metric is None. Without an
        optimizer only weights are read.
    plan : Plan, optional
        Says roles, rules and penalties; None takes the optimizer's own, else a fresh one. A penalty of the optimizer
        outweighs the plan's, since it is what acts.
    before : Report, optional
        An earlier one: norms and zeros are compared with it, by name.
    steps_per_epoch : float > 0, optional
        Shows timescales in epochs.
    gradient : {"auto", "average", "grad"}
        What optimality is judged by: the optimizer's own mean gradient (little noise, lags by its memory), the
        `gradients` given (noisy on mini-batches), or the mean where there is one, else those.
    gradients : mapping from path to array, or sequence in the order of `model.trainable_variables`, optional
        Of the mean loss without its penalties, at the weights as they are. Keras keeps none.

    Returns
    -------
    Report
        Text by `print`, `to_frame()`, `to_json()`, `scalars()`; see `ReportRow` for every number.

    Raises
    ------
    ArgumentError
        If an argument is out of range, or the model is not built.

    Notes
    -----
    With h the step of each weight's prox (lr / d for Adam, d = √v̂ + ε as of the last step; lr along the velocity for
    SGD), the penalty's step is h ∂g(w), ∂g the derivative at weights that are not zero, and the gradient's is what the
    last step took because of gradients. Optimality: |g| <= l1 where w = 0, g + l1 sign(w) + l2 w = 0 elsewhere. After
    a prox the weights are judged with a gradient from before it.

    Rows count output units, along `row.output_axis` of the plan, columns input units. A layer followed by a
    normalization is suspected of a scale that the loss does not see at |cos(gradient, weights)| √n < 0.1, others at
    0.001; that needs `gradients`.

    The variables are read one after the other as NumPy arrays: a report costs some passes over the weights on the
    host, and one transfer for each variable.

    References
    ----------
    van Laarhoven (2017), L2 Regularization versus Batch and Weight Normalization, https://arxiv.org/abs/1706.05350

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from shrinkage import L1
    >>> from shrinkage.keras import Proximal, report
    >>> X = np.random.default_rng(0).normal(size=(200, 10)).astype("float32")
    >>> y = 3 * X[:, :1] - 2 * X[:, 1:2]
    >>> model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(1, name="out")], name="net")
    >>> model.compile(Proximal(keras.optimizers.Adam(0.05), L1(0.5)), loss="mse")
    >>> _ = model.fit(X, y, batch_size=200, epochs=300, verbose=0)
    >>> record = report(model)
    >>> record.row("net/out/kernel").zeros, record.row("net/out/kernel").kkt_zero < 1
    (8, True)
    """
    check_choice("gradient", gradient, ("auto", "average", "grad"))
    if steps_per_epoch is not None:
        check_positive("steps_per_epoch", steps_per_epoch)
    if before is not None and not isinstance(before, Report):
        raise ArgumentError(f"before must be an earlier Report; got {type(before).__name__}")
    optimizer = optimizer_of(model, optimizer)
    plan = plan_of(model, optimizer, plan)
    given = gradients_by_id(plan, gradients)
    known = {} if optimizer is None else readings(optimizer, given)
    inner, proximal = (None, None) if optimizer is None else around(optimizer)
    acting = {} if proximal is None else {id(variable): penalty for variable, penalty in proximal.penalized}
    earlier = {} if before is None else {row.name: row for row in before.rows}
    normed = before_norms(plan)
    rows = []
    for row in plan.rows:
        variable = plan.variables[row.name]
        found = measured(
            row,
            numbers_of(variable),
            penalty=acting.get(id(variable), row.penalty),
            reading=known.get(id(variable)),
            gradient=given.get(id(variable)),
            source=gradient,
            input_axis=input_axis_of(row),
            before_norm=row.name in normed,
        )
        rows.append(with_change(found, earlier.get(row.name)))
    record = Report(
        rows=tuple(rows),
        notes=tuple(_notes(rows, plan, inner, known)),
        optimizer=None if inner is None else _name_of(inner, proximal),
        step=max((reading.step or 0 for reading in known.values()), default=None),
        steps_per_epoch=steps_per_epoch,
    )
    carried = [row.penalty for row in plan.rows if not _in_loss(plan, row)] if proximal is None and record.step else []
    names = [row.name for row in rows if row.penalty is not None]
    alarms = (*alarms_of(record.rows, record.total), *not_applied(record.rows, carried, REMEDY), *plan.doubled(names))
    return replace(record, alarms=alarms)


def optimizer_of(model: Any, optimizer: Any) -> Any:
    """Return the optimizer given, else that of a compiled model, else None."""
    if optimizer is not None:
        around(optimizer)
        return optimizer
    return getattr(model, "optimizer", None)


def gradients_by_id(plan: Plan, gradients: Any) -> dict[int, np.ndarray]:
    """Return gradients as arrays, by the id of their variable.

    Raises
    ------
    ArgumentError
        If one is of another shape than its variable, or there are more or fewer than trainable variables.
    """
    if gradients is None:
        return {}
    if not isinstance(gradients, Mapping):
        names = [row.name for row in plan.rows if row.trainable]
        found = list(gradients)
        if len(found) != len(names):
            raise ArgumentError(
                f"gradients must be one for each of the {len(names)} trainable variables, or a dict by path; got "
                f"{len(found)}"
            )
        gradients = dict(zip(names, found, strict=True))
    by_id = {}
    for name, gradient in gradients.items():
        row = plan.row_of(name)
        if gradient is None:
            continue
        array = numbers_of(gradient)
        if array.shape != row.shape:
            raise ArgumentError(f"gradients: that of {name!r} must have shape {row.shape}; got {array.shape}")
        by_id[id(plan.variables[row.name])] = array
    return by_id


def input_axis_of(row: PlanRow) -> int | None:
    """Return the axis of a kernel that counts its inputs: Keras keeps them beside its outputs, in the last two axes."""
    if row.output_axis is None or len(row.shape) < 2:
        return None
    last = len(row.shape) - 1
    return last - 1 if row.output_axis == last else last


def before_norms(plan: Plan) -> set[str]:
    """Return the paths of the weights whose layer is followed, in the order of the rows, by a normalization."""
    layers = list({id(layer): layer for layer in plan.layers.values() if layer is not None}.values())
    hidden = {id(layer) for layer, after in pairwise(layers) if "norm" in type(after).__name__.lower()}
    return {row.name for row in plan.rows if id(plan.layers[row.name]) in hidden and len(row.shape) > 1}


def _in_loss(plan: Plan, row: PlanRow) -> bool:
    return getattr(plan.variables[row.name], "regularizer", None) is not None


def _name_of(inner: Any, proximal: Any) -> str:
    if proximal is None:
        return type(inner).__name__
    return f"Proximal({type(inner).__name__}{', dual' * proximal.dual})"


def _notes(rows: Sequence[ReportRow], plan: Plan, inner: Any, known: dict[int, StepReading]) -> list[str]:
    """What could not be read, and why; what the loss holds."""
    notes = []
    if inner is not None and not any(reading.length is not None for reading in known.values()):
        why = "it took no step yet" if is_known(inner) else "its state is not known"
        notes.append(f"{type(inner).__name__}: {why}, so movement and rounding are not reported.")
    if any(row.penalty and row.kkt_violation is None for row in rows):
        notes.append(
            "Optimality is judged where there is a mean gradient in the optimizer's state: else give gradients=."
        )
    soft = [
        f"{row.name} ({regularizer_text(plan.variables[row.name].regularizer)})"
        for row in plan.rows
        if _in_loss(plan, row)
    ]
    if soft:
        notes.append(f"In the loss, where a slope makes no weight exactly zero: {shown(soft)}.")
    outside = [row.name for row in rows if known and row.group is None and row.rule != "frozen"]
    if outside:
        notes.append(f"Not in the optimizer: {shown(outside)}.")
    return notes


def shown(names: Sequence[str]) -> str:
    """The first three of some names, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
