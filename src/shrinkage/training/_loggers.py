"""Where the numbers of a training go: a protocol of one method, and a writer to MLflow."""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from shrinkage._check import check_positive_int
from shrinkage._errors import ArgumentError, MissingExtraError
from shrinkage.training._decay import DecayReport
from shrinkage.training._report import Report

MOST_PER_CALL = 1000
"""Metrics that MLflow takes at once, https://mlflow.org/docs/latest/rest-api.html#log-batch"""


@runtime_checkable
class Logger(Protocol):
    """Takes numbers by name at a step; anything with this one method will do.

    Examples
    --------
    >>> class Printer:
    ...     def log(self, step, values):
    ...         print(step, dict(values))
    >>> isinstance(Printer(), Logger)
    True
    """

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Keep values, by name, of a step."""
        ...


def scalars(record: Report | DecayReport) -> dict[str, float]:
    """Return the numbers of a report for a logger, by names such as `sparsity/total` or `norm/fc.weight`.

    Parameters
    ----------
    record : Report or DecayReport
        Made by `report` or `decay_report`.

    Returns
    -------
    dict of str to float
        Finite numbers alone. The count of alarms is `alarms`, of a decay report `decay_alarms`, so that both can be
        logged side by side.

    Raises
    ------
    ArgumentError
        If `record` is something else.

    Examples
    --------
    >>> from shrinkage.training import ReportRow
    >>> row = ReportRow("fc.weight", (2, 1), "float32", "linear", "Linear weight", size=2, zeros=1, norm=1.0)
    >>> found = scalars(Report((row,)))
    >>> found["sparsity/fc.weight"], found["alarms"]
    (0.5, 0.0)
    """
    if isinstance(record, DecayReport):
        return {"decay_alarms" if name == "alarms" else name: value for name, value in record.scalars().items()}
    if isinstance(record, Report):
        return record.scalars()
    raise ArgumentError(f"record must be what report or decay_report returned; got {type(record).__name__}")


class MLflowLogger:
    """Writes numbers as metrics of an MLflow run.

    Parameters
    ----------
    run_id : str, optional
        A run that exists. None takes the active run of `mlflow.start_run()`; if there is none, a new run is made, and
        ended by `close`.
    experiment : str, default "Default"
        Where a new run belongs; made if it is not there.
    tracking_uri : str, optional
        None takes MLflow's own setting.

    Raises
    ------
    MissingExtraError
        If mlflow is not installed; `mlflow-skinny` is enough.
    ArgumentError
        At `log`, if the step or a value is no number.

    Notes
    -----
    Each call is one request for 1000 values, sent before it returns. What MLflow does not take in the name of a metric
    becomes an underscore.

    References
    ----------
    https://mlflow.org/docs/latest/api_reference/python_api/mlflow.client.html

    Examples
    --------
    >>> logger = MLflowLogger(experiment="digits")  # doctest: +SKIP
    >>> logger.log(1, {"sparsity/total": 0.5})  # doctest: +SKIP
    """

    def __init__(
        self, run_id: str | None = None, *, experiment: str = "Default", tracking_uri: str | None = None
    ) -> None:
        try:
            import mlflow  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise MissingExtraError("MLflowLogger needs mlflow: pip install 'shrinkage[mlflow]'") from error
        self.client = mlflow.MlflowClient(tracking_uri)
        active = mlflow.active_run() if run_id is None else None
        self._own = run_id is None and active is None
        if active is not None:
            run_id = active.info.run_id
        elif run_id is None:
            known = self.client.get_experiment_by_name(experiment)
            place = self.client.create_experiment(experiment) if known is None else known.experiment_id
            run_id = self.client.create_run(place).info.run_id
        self.run_id: str = self.client.get_run(run_id).info.run_id

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Send every value as a metric."""
        from mlflow.entities import Metric  # pyright: ignore[reportMissingImports]

        now = int(time.time() * 1000)
        metrics = [
            Metric(re.sub(r"[^\w\-. :/]", "_", name), value, now, step)
            for name, value in checked_scalars(step, values).items()
        ]
        for start in range(0, len(metrics), MOST_PER_CALL):
            self.client.log_batch(self.run_id, metrics[start : start + MOST_PER_CALL])

    def close(self) -> None:
        """End the run, if it was made here."""
        if self._own:
            self.client.set_terminated(self.run_id)


class _Call:
    """A function (step, values) as a logger."""

    def __init__(self, function: Callable[[int, dict[str, float]], object]) -> None:
        self.function = function

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self.function(step, dict(values))


class _Metrics:
    """A logger of Lightning, whose method is `log_metrics(values, step)`."""

    def __init__(self, logger: Any) -> None:
        self.logger = logger

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self.logger.log_metrics(dict(values), step=step)


def as_logger(logger: Any) -> Logger:
    """Return a logger from one, from a logger of Lightning, or from a function (step, values).

    Raises
    ------
    ArgumentError
        If it is none of these.

    Examples
    --------
    >>> as_logger(lambda step, values: print(step, values)).log(1, {"a": 0.5})
    1 {'a': 0.5}
    """
    if callable(getattr(logger, "log_metrics", None)):
        return _Metrics(logger)
    if isinstance(logger, Logger) and not isinstance(logger, type):
        return logger
    if callable(logger) and not isinstance(logger, type):
        return _Call(logger)
    raise ArgumentError(
        f"logger must have a method log(step, values) or be a function of these two; got {type(logger).__name__}"
    )


def checked_scalars(step: int, values: Mapping[str, float]) -> dict[str, float]:
    """Return values as numbers; refuse a step or a value that is none."""
    check_positive_int("step", step, least=0)
    found = {}
    for name, value in values.items():
        try:
            found[str(name)] = float(value)
        except (TypeError, ValueError) as error:
            raise ArgumentError(f"values must be numbers by name; got {value!r} for {name!r}") from error
    return found
