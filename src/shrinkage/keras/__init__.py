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
from shrinkage.keras._plan import Plan as Plan
from shrinkage.keras._proximal import Proximal as Proximal
from shrinkage.keras._regularizer import Regularizer as Regularizer
