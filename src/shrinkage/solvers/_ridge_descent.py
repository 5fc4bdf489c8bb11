"""Ridge for smooth losses on dense columns by the quasi-Newton steps of the core, as those of several classes."""

from functools import partial
from typing import Any

import numpy as np

from shrinkage import _core
from shrinkage.losses import Gamma, Logistic, NegativeBinomial, Poisson, Tweedie
from shrinkage.solvers._native_losses import native_kind
from shrinkage.solvers._ridge_columns import Array, DenseColumns
from shrinkage.solvers._ridge_newton import Sample

_LOSSES = (Logistic, Poisson, Gamma, Tweedie, NegativeBinomial)


def in_core(sample: Any, alphas: Array) -> bool:
    """Whether the core minimizes this loss at these strengths."""
    known = isinstance(sample, Sample) and isinstance(sample.loss, _LOSSES)
    return known and isinstance(sample.columns, DenseColumns) and bool((alphas > 0).all())


def descend(sample: Sample, alphas: Array, start: Array, tol: float, null: float) -> tuple[Array, Array, Array]:
    """Minimize for every strength, largest first; arguments and answer as `newton_path`, `tol` relative to `null`."""
    columns: Any = sample.columns
    free = columns.n_free
    level = free == 1 and bool(np.ptp(columns.values[:, 0]) == 0)
    fit = _maker(sample.loss)(
        np.ascontiguousarray(sample.y, dtype=np.float64),
        np.ascontiguousarray(sample.weights),
        np.ascontiguousarray(sample.offset, dtype=np.float64),
        np.asfortranarray(columns.values),
        free,
        level,
        null,
    )
    coefs = np.empty((columns.width, alphas.size), order="F")
    gaps, steps = np.empty(alphas.size), np.zeros(alphas.size, np.int32)
    fit.solve(np.ascontiguousarray(start[:, 0]), np.ascontiguousarray(alphas), tol, coefs, gaps, steps)
    return coefs, gaps, steps.astype(np.int64)


def _maker(loss: Any) -> Any:
    if isinstance(loss, Logistic):
        return _core.LogisticRidge
    kind, parameters = native_kind(loss)
    return partial(_core.RowLossRidge, kind, np.array(parameters, dtype=np.float64))
