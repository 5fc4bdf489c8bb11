"""The multinomial loss: several classes, one linear predictor for each."""

from dataclasses import dataclass
from typing import ClassVar

from shrinkage._arrays import Array, floating, namespace_of
from shrinkage._errors import DataError
from shrinkage.losses._logs import one_plus_log1p, x_log_x


@dataclass(frozen=True, slots=True)
class Multinomial:
    """Multinomial loss: ℓ(y, η) = log Σ_k exp η_k - Σ_k y_k η_k, for y the unit vector of a class.

    The negative log-likelihood of a class with probabilities exp η_k / Σ_l exp η_l: every class has a linear predictor,
    none is left out as a reference, and adding a number to all of them changes nothing. A row has K predictors, so this
    is not a `Loss` of one predictor for each row; the last axis of y and η holds the classes.

    References
    ----------
    Friedman, Hastie & Tibshirani (2010), J. Stat. Softw. 33(1), section 4, https://doi.org/10.18637/jss.v033.i01

    Examples
    --------
    >>> import numpy as np
    >>> y, eta = np.array([[1.0, 0.0, 0.0]]), np.zeros((1, 3))
    >>> Multinomial().value(y, eta).round(4)
    array([1.0986])
    >>> Multinomial().gradient(y, eta).round(3)
    array([[-0.667,  0.333,  0.333]])
    """

    name: ClassVar[str] = "multinomial"

    def value(self, y: Array, eta: Array) -> Array:
        """Return log Σ_k exp η_k - Σ_k y_k η_k, shape (...); neither overflows nor cancels."""
        eta = floating(eta)
        xp = namespace_of(eta)
        others = xp.where(y > 0, -float("inf") * xp.ones_like(eta), eta)
        own = xp.sum(y * eta, axis=-1)
        top = xp.max(others, axis=-1)
        away = xp.sum(xp.exp(others - top[..., None]), axis=-1)
        d = top + xp.log(away) - own  # log-odds of all other classes
        return 0.5 * (d + xp.abs(d)) + xp.log1p(xp.exp(-xp.abs(d)))

    def gradient(self, y: Array, eta: Array) -> Array:
        """Return p - y, shape (..., K): in the row's own class minus the others' sum, precise where p is near 1."""
        p = self.inverse_link(eta)
        xp = namespace_of(p)
        others = xp.where(y > 0, xp.zeros_like(p), p)
        total = xp.sum(others, axis=-1)[..., None]
        return others - y * xp.where(total < 1, total, xp.ones_like(total))  # a sum may round to above 1

    def curvature(self, y: Array, eta: Array, t: Array) -> Array:
        """Return (diag p - p pᵀ) t, shape (..., K): the second derivative along t."""
        p = self.inverse_link(eta)
        xp = namespace_of(p)
        return p * (t - xp.sum(p * t, axis=-1)[..., None])

    def conjugate(self, y: Array, u: Array) -> Array:
        """Return Σ_k s_k log s_k, s = y + u, shape (...); inf outside s >= 0. u must sum to 0 over the classes."""
        u = floating(u)
        xp = namespace_of(u)
        return xp.sum(xp.where(y > 0, one_plus_log1p(u), x_log_x(u)), axis=-1)

    def inverse_link(self, eta: Array) -> Array:
        """Return the probabilities exp η_k / Σ_l exp η_l, shape (..., K)."""
        eta = floating(eta)
        xp = namespace_of(eta)
        e = xp.exp(eta - xp.max(eta, axis=-1)[..., None])
        return e / xp.sum(e, axis=-1)[..., None]

    def deviance(self, y: Array, eta: Array) -> Array:
        """Return 2 ℓ(y, η), shape (...)."""
        return 2.0 * self.value(y, eta)

    def check(self, y: Array) -> None:
        """Raise `DataError` if a row is not a unit vector of two classes or more, naming it."""
        y = floating(y)
        xp = namespace_of(y)
        if y.ndim != 2 or y.shape[1] < 2:
            raise DataError(f"y must have shape (n_samples, K), K >= 2 classes, for Multinomial; got {tuple(y.shape)}")
        good = xp.all((y == 0) | (y == 1), axis=-1) & (xp.sum(y, axis=-1) == 1)
        if not bool(xp.all(good)):
            row = int(xp.argmax(xp.astype(~good, xp.int32)))
            raise DataError(f"y must hold one 1 and otherwise 0 in every row for Multinomial; row {row} does not")
