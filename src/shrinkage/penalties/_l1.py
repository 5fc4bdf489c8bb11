"""The lasso penalty."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from shrinkage._arrays import Array
from shrinkage._check import check_factors, check_nonnegative
from shrinkage.penalties import _l1l2 as elastic_net
from shrinkage.penalties._algebra import add, multiply, settle


@dataclass(frozen=True, slots=True)
class L1:
    """Lasso penalty: α Σ_j f_j |w_j|, with α = `alpha`, f = `factors`.

    Sets coefficients to exactly zero.

    Parameters
    ----------
    alpha : float >= 0, or array of such that broadcasts against the coefficients
        Strength, in the objective's unit per unit of coefficient.
    factors : array of the coefficients' shape, or None
        Multipliers >= 0 of the strength; 0 leaves a coordinate free. None stands for all 1.

    Raises
    ------
    ArgumentError
        If alpha is negative, or factors are negative, not finite or all 0.

    Notes
    -----
    The same as scikit-learn's `Lasso(alpha)` and keras's `L1(l1=alpha)`.

    References
    ----------
    Tibshirani (1996), J. R. Stat. Soc. B 58(1), https://doi.org/10.1111/j.2517-6161.1996.tb02080.x
    The prox is soft thresholding: Donoho & Johnstone (1994), Biometrika 81(3), eq. 7.

    Examples
    --------
    >>> import numpy as np
    >>> L1(1.0).prox(np.array([3.0, -0.5]), step=1.0)
    array([ 2., -0.])
    >>> L1(1.0) + L1(0.5)
    L1(alpha=1.5, factors=None)
    """

    alpha: Array
    factors: Array | None = None
    kernel: ClassVar[str] = "l1l2"

    def __post_init__(self) -> None:
        check_nonnegative("alpha", self.alpha)
        check_factors(self.factors)
        settle(self, "alpha")

    @property
    def l1_ratio(self) -> float:
        """1.0: the elastic net with this ratio is the same penalty."""
        return 1.0

    def value(self, w: Array) -> Array:
        """Return α Σ_j f_j |w_j|, a 0-d array."""
        return elastic_net.value(self, w)

    def prox(self, v: Array, step: Array) -> Array:
        """Return argmin over u of step · g(u) + ½‖u - v‖²: sign(v) max(|v| - step·α f, 0).

        Parameters
        ----------
        v : array of any shape
        step : float >= 0 or array that broadcasts against `v`

        Returns
        -------
        array of the shape and floating type of `v`; new memory
        """
        return elastic_net.prox(self, v, step)

    def conjugate(self, z: Array) -> Array:
        """Return g*(z) = 0 if |z_j| <= α f_j for all j, else inf."""
        return elastic_net.conjugate(self, z)

    def dual_scale(self, z: Array) -> Array:
        """Return the largest c in [0, 1] with g*(c·z) finite over penalized ones: min_j α f_j / |z_j|, at most 1."""
        return elastic_net.dual_scale(self, z)

    def violation(self, w: Array, z: Array) -> Array:
        """Return, coordinate by coordinate, the distance from z to the subdifferential of g at w."""
        return elastic_net.violation(self, w, z)

    def with_alpha(self, alpha: Array) -> "L1":
        """Return the same penalty at another strength."""
        return replace(self, alpha=alpha)

    def __add__(self, other: Any) -> Any:
        """Return the penalty that is the sum, where it has a closed form."""
        return add(self, other, elastic_net.L1L2)

    def __mul__(self, scalar: Any) -> "L1":
        """Return the penalty at `scalar` times the strength."""
        return multiply(self, scalar)

    __rmul__ = __mul__
