"""What a solver, a certificate or an optimizer may ask of a penalty: each capability is a type."""

from typing import Protocol, Self, runtime_checkable

from shrinkage._arrays import Array


class Penalty(Protocol):
    """A function g from coefficients to [0, inf], with its proximal operator.

    Attributes
    ----------
    alpha : float >= 0, or array that broadcasts against the coefficients
        The strength; an array gives one prox for a whole sweep of strengths.
    factors : array or None
        Multipliers of the strength, one per coordinate; 0 leaves a coordinate free. None stands for all 1.
    """

    @property
    def alpha(self) -> Array: ...
    @property
    def factors(self) -> Array | None: ...

    def value(self, w: Array) -> Array:
        """Return g(w)."""
        ...

    def prox(self, v: Array, step: Array) -> Array:
        """Return argmin over u of step · g(u) + ½‖u - v‖²."""
        ...

    def with_alpha(self, alpha: Array) -> Self:
        """Return the same penalty at another strength."""
        ...


@runtime_checkable
class Convex(Penalty, Protocol):
    """A convex penalty: what a duality gap needs."""

    def conjugate(self, z: Array) -> Array:
        """Return g*(z) = sup over w of ⟨z, w⟩ - g(w); inf outside its domain."""
        ...

    def dual_scale(self, z: Array) -> Array:
        """Return the largest c in [0, 1] with g*(c·z) finite, over the penalized coordinates."""
        ...


class Separable(Penalty, Protocol):
    """A sum over coordinates: `step` of its prox may be an array, one step per coordinate."""

    def violation(self, w: Array, z: Array) -> Array:
        """Return, coordinate by coordinate, the distance from z to the subdifferential of g at w."""
        ...


@runtime_checkable
class BlockSeparable(Penalty, Protocol):
    """A sum over disjoint groups of coefficients: an array as `step` of its prox is exact at a root per group."""

    def violation(self, w: Array, z: Array) -> Array:
        """Return, coordinate by coordinate, the vector from the subdifferential of g at w to z, in absolute value."""
        ...

    def norms(self, w: Array) -> Array:
        """Return the Euclidean norm of every group, shape (n_groups,)."""
        ...

    def unpenalized(self, w: Array) -> Array:
        """Return where the penalty does not act, whatever its strength; booleans of the shape of `w`."""
        ...

    def without_l2(self) -> Self:
        """Return the penalty without its squares: the part that holds coefficients at zero."""
        ...


@runtime_checkable
class HasKernel(Protocol):
    """A penalty with a compiled twin; one without is left to the reference solver."""

    @property
    def kernel(self) -> str: ...
