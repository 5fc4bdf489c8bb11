"""How fast the weights of a Keras model really decay, read from the optimizer's own state."""

from collections.abc import Mapping, Sequence
from typing import Any

from shrinkage._check import check_boolean, check_positive
from shrinkage._errors import ArgumentError
from shrinkage.keras._plan import Plan
from shrinkage.keras._reading import around, is_known, numbers_of, plan_of, readings
from shrinkage.keras._regularizer import l2_in_loss
from shrinkage.keras._report import gradients_by_id, optimizer_of, shown
from shrinkage.training import DecayReport, DecayRow, decay_alarms_of, has_l2, measured_decay

REMEDY = "leave them out, before the first step, with Plan(model).exclude_from_weight_decay(optimizer)"


def decay_report(
    model: Any,
    optimizer: Any = None,
    *,
    plan: Plan | None = None,
    steps_per_epoch: float | None = None,
    epochs: float | None = None,
    loss_has_penalty: bool | None = None,
    gradients: Mapping[str, Any] | Sequence[Any] | None = None,
) -> DecayReport:
    """Say how much of itself each weight loses per step: what `weight_decay` and L2 penalties really do.

    With η = learning rate, λ = `weight_decay`, h = the step of a weight's prox (η / d for Adam, d = √v̂ + ε as of the
    last step), one step takes the share

        η λ                     of every weight alike: in Keras the decay of all optimizers is decoupled, also of Adam
        1 - 1 / (1 + h l2)      an L2 penalty by the proximal step of `Proximal`

    Parameters
    ----------
    model : keras.Model that is built, or Plan
    optimizer : keras.optimizers.Optimizer, optional
        None takes that of `model.compile`. Wrappers are opened. What decays is known of all of Keras' own.
    plan : Plan, optional
        Says roles, and which biases and norms were chosen; None takes the optimizer's own, else a fresh one.
    steps_per_epoch, epochs : float > 0, optional
        Timescales 1 / (share per step) shorter than an epoch or longer than all epochs are alarms. A useful range is
        from one epoch to all of them (Wang & Aitchison, 2025).
    loss_has_penalty : bool, optional
        Whether your loss holds an L2 term, on top of which decay comes. None looks at the regularizers of the
        variables; a term that a custom loss adds is seen by nobody.
    gradients : mapping from path to array, or sequence in the order of `model.trainable_variables`, optional
        Say what rows no gradient reaches; None takes the second moment of the optimizer.

    Returns
    -------
    DecayReport

    Raises
    ------
    ArgumentError
        If an argument is out of range, the model is not built, or there is no optimizer.

    Notes
    -----
    Keras decays every variable, biases and norms too, unless `exclude_from_weight_decay` was called before the first
    step; by `var_names` that looks at `variable.name`, which is "gamma" for every norm, not at the path. Keras applies
    λ once for each variable and step, before the gradient's step. Only decay is counted, as if gradients were zero on
    average.

    References
    ----------
    Loshchilov & Hutter (2019), Decoupled Weight Decay Regularization, https://arxiv.org/abs/1711.05101;
    Wang & Aitchison (2025), How to set AdamW's weight decay as you scale model and dataset size,
    https://arxiv.org/abs/2405.13698

    Examples
    --------
    >>> import keras
    >>> from shrinkage.keras import decay_report
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="out")], name="net")
    >>> optimizer = keras.optimizers.AdamW(1e-3, weight_decay=0.1)
    >>> optimizer.build(model.trainable_variables)
    >>> record = decay_report(model, optimizer, steps_per_epoch=100, epochs=10)
    >>> [(row.name, round(row.median, 6), round(row.timescale)) for row in record.rows]
    [('net/out/kernel', 0.0001, 10000), ('net/out/bias', 0.0001, 10000)]
    >>> [alarm.kind for alarm in record.alarms]
    ['accidental decay', 'timescale']
    """
    for name, value in (("steps_per_epoch", steps_per_epoch), ("epochs", epochs)):
        if value is not None:
            check_positive(name, value)
    if loss_has_penalty is not None:
        check_boolean("loss_has_penalty", loss_has_penalty)
    optimizer = optimizer_of(model, optimizer)
    if optimizer is None:
        raise ArgumentError("optimizer must be given: the model is not compiled, so nothing decays yet")
    plan = plan_of(model, optimizer, plan)
    given = gradients_by_id(plan, gradients)
    known = readings(optimizer, given)
    inner, proximal = around(optimizer)
    acting = {} if proximal is None else {id(variable): penalty for variable, penalty in proximal.penalized}
    rows = []
    for row in plan.rows:
        variable = plan.variables[row.name]
        penalty = acting.get(id(variable))
        found = measured_decay(
            row,
            numbers_of(variable),
            penalty=penalty if penalty is not None and has_l2(penalty) else None,
            reading=known.get(id(variable)),
            gradient=given.get(id(variable)),
        )
        rows.append(found)
    soft = {name for name, variable in plan.variables.items() if l2_in_loss(variable)}
    meant = [row.name for row in plan.rows if row.selected]
    in_loss = soft if loss_has_penalty is None else loss_has_penalty
    return DecayReport(
        rows=tuple(rows),
        alarms=decay_alarms_of(rows, steps_per_epoch, epochs, in_loss, meant, REMEDY),
        notes=tuple(_notes(rows, inner, known)),
        optimizer=type(inner).__name__,
        steps_per_epoch=steps_per_epoch,
        epochs=epochs,
    )


def _notes(rows: Sequence[DecayRow], inner: Any, known: Mapping[int, Any]) -> list[str]:
    notes, name = [], type(inner).__name__
    if not known:
        notes.append(f"{name}: it is not built yet: call fit, or optimizer.build(model.trainable_variables).")
    if any(row.group is not None and row.how is None for row in rows):
        notes.append(f"{name}: how it decays is not known, so nothing is said about it.")
    waiting = [row.name for row in rows if row.decays and row.quantiles is None and row.nonzero]
    if waiting:
        why = "no step was taken yet" if is_known(inner) else "its metric is not known"
        notes.append(f"{name}: {why}, so what decay takes is not reported for {len(waiting)} variables.")
    outside = [row.name for row in rows if known and row.group is None and row.rule != "frozen"]
    if outside:
        notes.append(f"Not in the optimizer: {shown(outside)}.")
    return notes
