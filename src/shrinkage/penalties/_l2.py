"""The ridge penalty."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from shrinkage._arrays import Array
from shrinkage._check import check_factors, check_nonnegative
from shrinkage.penalties import _l1l2 as elastic_net
from shrinkage.penalties._algebra import add, multiply, settle


@dataclass(frozen=True, slots=True)
class L2:
    """Ridge penalty: ½ α Σ_j f_j w_j², with α = `alpha`, f = `factors`.

    Shrinks coefficients toward zero and never to it.

    Parameters
    ----------
    alpha : float >= 0, or array of such that broadcasts against the coefficients
        Strength, in the objective's unit per squared unit of coefficient.
    factors : array of the coefficients' shape, or None
        Multipliers >= 0 of the strength; 0 leaves a coordinate free. None stands for all 1.

    Raises
    ------
    ArgumentError
        If alpha is negative, or factors are negative, not finite or all 0.

    Notes
    -----
    With an objective divided by n_samples, scikit-learn's `Ridge(a)` is `L2(a / n_samples)`; keras's `L2(l2=a)`
    has no ½ and is `L2(2 * a)`; the `weight_decay=a` of torch's SGD is `L2(a)`.

    References
    ----------
    Hoerl & Kennard (1970), Technometrics 12(1), https://doi.org/10.1080/00401706.1970.10488634

    Examples
    --------
    >>> import numpy as np
    >>> L2(1.0).prox(np.array([3.0, -0.5]), step=1.0)
    array([ 1.5 , -0.25])
    >>> from shrinkage import L1
    >>> L1(3.0) + L2(1.0)
    L1L2(alpha=4.0, l1_ratio=0.75, factors=None)
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
        """0.0: the elastic net with this ratio is the same penalty."""
        return 0.0

    def value(self, w: Array) -> Array:
        """Return ½ α Σ_j f_j w_j², a 0-d array."""
        return elastic_net.value(self, w)

    def prox(self, v: Array, step: Array) -> Array:
        """Return argmin over u of step · g(u) + ½‖u - v‖²: v / (1 + step·α f).

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
        """Return g*(z) = Σ_j z_j² / (2 α f_j); a free coordinate gives 0 if z_j = 0, else inf."""
        return elastic_net.conjugate(self, z)

    def dual_scale(self, z: Array) -> Array:
        """Return the largest c in [0, 1] with g*(c·z) finite over the penalized coordinates: 1."""
        return elastic_net.dual_scale(self, z)

    def violation(self, w: Array, z: Array) -> Array:
        """Return, coordinate by coordinate, the distance from z to the subdifferential of g at w."""
        return elastic_net.violation(self, w, z)

    def with_alpha(self, alpha: Array) -> "L2":
        """Return the same penalty at another strength."""
        return replace(self, alpha=alpha)

    def __add__(self, other: Any) -> Any:
        """Return the penalty that is the sum, where it has a closed form."""
        return add(self, other, elastic_net.L1L2)

    def __mul__(self, scalar: Any) -> "L2":
        """Return the penalty at `scalar` times the strength."""
        return multiply(self, scalar)

    __rmul__ = __mul__
