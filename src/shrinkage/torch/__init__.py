"""Penalties in PyTorch: a plan of who gets what, optimizers that reach exact zeros, and reports of what they did."""

from shrinkage._errors import MissingExtraError

try:
    import torch as _torch  # noqa: F401
except ImportError as error:  # pragma: no cover - tests/test_without.py runs it in a process of its own
    raise MissingExtraError("shrinkage.torch needs PyTorch: pip install 'shrinkage[torch]'") from error

from shrinkage.torch._adamw import AdamW as AdamW
from shrinkage.torch._decay_report import decay_report as decay_report
from shrinkage.torch._dual_adam import DualAdam as DualAdam
from shrinkage.torch._dual_sgd import DualSGD as DualSGD
from shrinkage.torch._plan import Plan as Plan
from shrinkage.torch._prox_adam import ProxAdam as ProxAdam
from shrinkage.torch._prox_sgd import ProxSGD as ProxSGD
from shrinkage.torch._proximal import Proximal as Proximal
from shrinkage.torch._report import report as report
from shrinkage.torch._sparsify_like import sparsify_like as sparsify_like

__all__ = [
    "AdamW",
    "DualAdam",
    "DualSGD",
    "Plan",
    "ProxAdam",
    "ProxSGD",
    "Proximal",
    "decay_report",
    "report",
    "sparsify_like",
]
