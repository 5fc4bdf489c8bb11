"""A Keras callback that says what penalty and decay do while a model trains."""

from collections.abc import Callable, Mapping
from typing import Any

import keras

from shrinkage._check import check_boolean, check_positive_int
from shrinkage._errors import ArgumentError
from shrinkage.keras._decay_report import decay_report
from shrinkage.keras._plan import Plan
from shrinkage.keras._reading import around, plan_of
from shrinkage.keras._report import report
from shrinkage.training import Alarm, DecayReport, Logger, Report, as_logger, scalars, wrap

TOTALS = ("sparsity/total", "norm/total", "penalty_share/total", "kkt_zero/total", "kkt_nonzero/total", "alarms")
"""What goes into the logs of an epoch, and so into the history that `fit` returns."""


class ReportCallback(keras.callbacks.Callback):
    """A callback for `model.fit` that logs what penalty and weight decay do: zeros, movement, optimality, alarms.

    It changes nothing in the training: what applies a penalty is `Proximal` in `model.compile`, or a `Regularizer`.

    Parameters
    ----------
    plan : Plan, optional
        Says roles, rules and penalties; None takes the optimizer's own, else a fresh one.
    logger : logger, list of these or None, default None
        Where the numbers go: an object with `log(step, values)` such as `CSVLogger` or `MLflowLogger`, or a function
        of these two. The step is the optimizer's count of steps.
    every_n_epochs : int or None, default 1
        Report at the end of every n-th epoch.
    every_n_steps : int or None, default None
        Report after every n-th batch too.
    decay : bool, default True
        Whether to make a decay report as well.
    show : function or None, default print
        Gets the plan as text when training begins, and each alarm as a sentence when it first rings.

    Attributes
    ----------
    last_report : Report or None
    last_decay_report : DecayReport or None
        The latest ones; the next report is compared with the one before.

    Raises
    ------
    ArgumentError
        If an argument is out of range, or the model has no optimizer when training begins.

    Notes
    -----
    The totals (`sparsity/total`, ...) are in the logs of an epoch with a report: in the history that `fit` returns, and
    for callbacks that stand after this one, such as `ModelCheckpoint(monitor="sparsity/total")`. Timescales are in
    steps and, where the number of batches is known, in epochs. A report reads the weights on the host, which takes
    some passes over them: with `every_n_steps` that is time.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from shrinkage import L1
    >>> from shrinkage.keras import Proximal, ReportCallback
    >>> X = np.random.default_rng(0).normal(size=(200, 10)).astype("float32")
    >>> y = 3 * X[:, :1] - 2 * X[:, 1:2]
    >>> model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(1)])
    >>> model.compile(Proximal(keras.optimizers.Adam(0.05), L1(0.5)), loss="mse")
    >>> callback = ReportCallback(every_n_epochs=100, show=None)
    >>> history = model.fit(X, y, batch_size=200, epochs=300, verbose=0, callbacks=[callback])
    >>> round(history.history["sparsity/total"][-1], 3), callback.last_report.total.zeros
    (0.727, 8)
    """

    def __init__(
        self,
        plan: Plan | None = None,
        *,
        logger: Any = None,
        every_n_epochs: int | None = 1,
        every_n_steps: int | None = None,
        decay: bool = True,
        show: Callable[[str], object] | None = print,
    ) -> None:
        super().__init__()
        if plan is not None and not isinstance(plan, Plan):
            raise ArgumentError(f"plan must be a Plan or None; got {type(plan).__name__}")
        for name, every in (("every_n_epochs", every_n_epochs), ("every_n_steps", every_n_steps)):
            if every is not None:
                check_positive_int(name, every)
        check_boolean("decay", decay)
        if show is not None and not callable(show):
            raise ArgumentError(f"show must be a function that takes a text, or None; got {show!r}")
        several = logger if isinstance(logger, (list, tuple)) else () if logger is None else (logger,)
        self.loggers: tuple[Logger, ...] = tuple(as_logger(one) for one in several)
        self.plan, self.decay, self.show = plan, decay, show
        self.every_n_epochs, self.every_n_steps = every_n_epochs, every_n_steps
        self.last_report: Report | None = None
        self.last_decay_report: DecayReport | None = None
        self._begin()

    def _begin(self) -> None:
        self._told: set[tuple[str, str | None]] = set()
        self._introduced, self._batches, self._batch = False, 0, -1

    def on_train_begin(self, logs: Any = None) -> None:
        """Show the plan; where the model is not built yet, that waits for the first batch."""
        self._begin()
        if getattr(self.model, "optimizer", None) is None:
            raise ArgumentError("the model must be compiled with an optimizer before it is reported on")
        model: Any = self.model
        if model.built:
            self._introduce()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Begin to count batches anew."""
        self._batch = -1

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Report after every `every_n_steps`-th batch."""
        before, self._batches = self._batches, self._batches + batch - self._batch  # several under steps_per_execution
        self._batch = batch
        if not self._introduced and self._shows:
            self._introduce()
        if self.every_n_steps is not None and self._batches // self.every_n_steps > before // self.every_n_steps:
            self._report()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Report at the end of every `every_n_epochs`-th epoch, and put the totals into its logs."""
        if self.every_n_epochs is None or (epoch + 1) % self.every_n_epochs:
            return
        values = self._report()
        if logs is not None:
            logs.update({name: values[name] for name in TOTALS if name in values})

    @property
    def _shows(self) -> bool:
        return self.show is not None

    def _introduce(self) -> None:
        self._introduced = True
        if self.show is not None:
            model: Any = self.model
            _, proximal = around(model.optimizer)
            applied = f"\napplied by {proximal!r}" if proximal is not None else ""
            self.show(f"{plan_of(model, model.optimizer, self.plan)}{applied}")

    def _report(self) -> dict[str, float]:
        """Read both reports, hand their numbers to the loggers, say new alarms."""
        model = self.model  # on JAX, asking for it writes the state of the training into its variables
        steps = (self.params or {}).get("steps")
        per_epoch = float(steps) if steps else None
        record = report(model, plan=self.plan, before=self.last_report, steps_per_epoch=per_epoch)
        self.last_report, values = record, scalars(record)
        alarms = record.alarms
        if self.decay:
            epochs = (self.params or {}).get("epochs")
            decays = decay_report(model, plan=self.plan, steps_per_epoch=per_epoch, epochs=float(epochs or 0) or None)
            self.last_decay_report, alarms = decays, (*alarms, *decays.alarms)
            values |= scalars(decays)
        self._tell(record.step or 0, values, alarms)
        return values

    def _tell(self, step: int, values: Mapping[str, float], alarms: tuple[Alarm, ...]) -> None:
        for logger in self.loggers:
            logger.log(step, values)
        for alarm in alarms:
            if self.show is not None and (alarm.kind, alarm.name) not in self._told:
                self._told.add((alarm.kind, alarm.name))
                self.show(wrap(f"! {alarm.sentence}"))
