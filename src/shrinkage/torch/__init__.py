"""Penalties in PyTorch: a plan of who gets what, optimizers that reach exact zeros, and reports of what they did."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from shrinkage._errors import MissingExtraError

try:
    import torch as _torch  # noqa: F401
except ImportError as error:  # pragma: no cover - tests/test_without.py runs it in a process of its own
    raise MissingExtraError("shrinkage.torch needs PyTorch: pip install 'shrinkage[torch]'") from error

from shrinkage.torch._adamw import AdamW as AdamW
from shrinkage.torch._compact import compact as compact
from shrinkage.torch._decay_report import decay_report as decay_report
from shrinkage.torch._dual_adam import DualAdam as DualAdam
from shrinkage.torch._dual_sgd import DualSGD as DualSGD
from shrinkage.torch._loggers import TensorBoardLogger as TensorBoardLogger
from shrinkage.torch._path import path as path
from shrinkage.torch._plan import Plan as Plan
from shrinkage.torch._prox_adam import ProxAdam as ProxAdam
from shrinkage.torch._prox_sgd import ProxSGD as ProxSGD
from shrinkage.torch._proximal import Proximal as Proximal
from shrinkage.torch._report import report as report
from shrinkage.torch._sparsify_like import sparsify_like as sparsify_like
from shrinkage.torch._sweep import sweep as sweep
from shrinkage.torch._target_sparsity import TargetSparsity as TargetSparsity
from shrinkage.training import CSVLogger as CSVLogger
from shrinkage.training import Logger as Logger
from shrinkage.training import MLflowLogger as MLflowLogger
from shrinkage.training import scalars as scalars

if TYPE_CHECKING:
    from shrinkage.torch._lightning import LightningPenalty as LightningPenalty
    from shrinkage.torch._transformers import TrainerPenalty as TrainerPenalty

_CALLBACKS = {"LightningPenalty": "_lightning", "TrainerPenalty": "_transformers"}
"""Opened when asked for: their packages take seconds to import."""

__all__ = [
    "AdamW",
    "CSVLogger",
    "DualAdam",
    "DualSGD",
    "LightningPenalty",
    "Logger",
    "MLflowLogger",
    "Plan",
    "ProxAdam",
    "ProxSGD",
    "Proximal",
    "TargetSparsity",
    "TensorBoardLogger",
    "TrainerPenalty",
    "compact",
    "decay_report",
    "path",
    "report",
    "scalars",
    "sparsify_like",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name not in _CALLBACKS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_CALLBACKS[name]}"), name)
