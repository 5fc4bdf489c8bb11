"""Ridge for losses that couple rows: what Newton's method asks of a sample and its columns, with their own Hessian."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkage.losses import Cox
from shrinkage.solvers._native_losses import native_risk_sets
from shrinkage.solvers._ridge_columns import Array


@dataclass(frozen=True)
class JointColumns:
    """A held as one array; where the others take weights of rows, these take η, at which the Hessian is wanted."""

    values: Array
    n_free: int
    sets: Any

    @property
    def width(self) -> int:
        """Number of columns of A."""
        return self.values.shape[1]

    def times(self, coefs: Array) -> Array:
        """A @ coefs."""
        return self.values @ coefs

    def adjoint(self, rows: Array) -> Array:
        """A.T @ rows."""
        return self.values.T @ rows

    def gram(self, eta: Array) -> Array:
        """A.T @ f''(η) @ A, as the Gram of as many rows: those under which f'' is diagonal."""
        roots = np.empty(self.values.shape, order="F")
        self.sets.roots(np.ascontiguousarray(eta), self.values, roots)
        return roots.T @ roots


@dataclass(frozen=True)
class JointSample:
    """The rows that a fit sees, as `Sample` has them."""

    columns: JointColumns
    free: Array
    y: Array
    offset: Array
    weights: Array
    loss: Cox

    def gradient(self, eta: Array) -> Array:
        """Derivative of the mean loss in every η."""
        slopes = np.empty(eta.size)
        self.columns.sets.gradient(np.ascontiguousarray(eta), slopes)
        return slopes

    def curvature(self, eta: Array) -> Array:
        """What `JointColumns.gram` asks for."""
        return eta

    def free_gram(self, eta: Array) -> Array:
        """The Hessian in the unpenalized columns."""
        return JointColumns(np.asfortranarray(self.free), 0, self.columns.sets).gram(eta)

    def value(self, eta: Array) -> float:
        """Mean loss."""
        return self.columns.sets.value(np.ascontiguousarray(eta))


def joint_sample(values: Array, free: Array, y: Array, offset: Array, weights: Array, loss: Cox) -> JointSample:
    """The sample of some rows, A = `values` with the columns of `free` first."""
    columns = JointColumns(np.asfortranarray(values), free.shape[1], native_risk_sets(loss, y, weights))
    return JointSample(columns, free, y, offset, weights, loss)
