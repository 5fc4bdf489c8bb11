"""Losses that couple rows: what a problem and its solvers may ask of them."""

from abc import ABC, abstractmethod
from typing import ClassVar

from shrinkage._arrays import Array


class JointLoss(ABC):
    """A convex function f(η) >= 0 of all linear predictors at once, given responses y and row weights.

    Where a `Loss` is a function of one row, which a problem weighs and sums, a joint loss takes the weights itself. It
    offers value, derivative and second derivative along a direction, and no conjugate: for u = ∇f(η) and 0 <= c <= 1

        f*(c u) <= c f*(u) + (1-c) f*(0) <= c (⟨u, η⟩ - f(η)),

    because f* is convex and f*(0) = -min f <= 0. Every gradient is a dual point that carries its own bound.

    `eta` has shape (n,) or (n, k), columns apart from each other; `weights` (n,), of any sum.
    """

    name: ClassVar[str]

    @abstractmethod
    def value(self, y: Array, eta: Array, weights: Array) -> Array:
        """Return f(η) less its least value, shape () or (k,): proportional to the weights."""

    @abstractmethod
    def gradient(self, y: Array, eta: Array, weights: Array) -> Array:
        """Return df/dη in the shape of eta; 0 in rows of weight 0."""

    @abstractmethod
    def curvature_times(self, y: Array, eta: Array, weights: Array, step: Array) -> Array:
        """Return f''(η) step, eta and step of shape (n, k)."""

    @abstractmethod
    def inverse_link(self, eta: Array) -> Array:
        """Return what a linear predictor says of a row."""

    @abstractmethod
    def informative(self, y: Array, weights: Array) -> Array:
        """Return the weight of each row in the count of what was observed, which scores are divided by, shape (n,)."""

    @abstractmethod
    def check(self, y: Array) -> None:
        """Raise `DataError` naming the first row of `y` that this loss cannot take."""
