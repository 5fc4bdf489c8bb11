"""Penalties in Keras 3, on each of its backends: regularizers, plans, and optimizers that make exact zeros."""

from shrinkage._errors import MissingExtraError

try:
    import keras as _keras  # noqa: F401
except ImportError as error:  # pragma: no cover - tests/test_without.py runs it in a process of its own
    raise MissingExtraError(
        f"shrinkage.keras needs Keras and one of its backends: pip install 'shrinkage[keras]' and torch, jax or "
        f"tensorflow, and set KERAS_BACKEND to that ({error})"
    ) from error

from shrinkage.keras import _namespace as _namespace
from shrinkage.keras._callback import ReportCallback as ReportCallback
from shrinkage.keras._compact import compact as compact
from shrinkage.keras._decay_report import decay_report as decay_report
from shrinkage.keras._plan import Plan as Plan
from shrinkage.keras._proximal import Proximal as Proximal
from shrinkage.keras._regularizer import Regularizer as Regularizer
from shrinkage.keras._report import report as report
from shrinkage.training import CSVLogger as CSVLogger
from shrinkage.training import Logger as Logger
from shrinkage.training import MLflowLogger as MLflowLogger
from shrinkage.training import scalars as scalars

__all__ = [
    "CSVLogger",
    "Logger",
    "MLflowLogger",
    "Plan",
    "Proximal",
    "Regularizer",
    "ReportCallback",
    "compact",
    "decay_report",
    "report",
    "scalars",
]
