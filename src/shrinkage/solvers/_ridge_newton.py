"""Ridge for smooth losses by Newton's method on A = [1, free columns, X̃], warm-started down the strengths.

The Hessian is kept across steps and strengths while the steps with it contract (a chord method), and refreshed when
they don't. Large sparse problems never form it: there the step comes from preconditioned conjugate gradients.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy import linalg

from shrinkage.solvers._ridge_columns import Array, Columns
from shrinkage.solvers._ridge_joint import JointColumns, JointSample
from shrinkage.solvers._ridge_squared import pseudo_inverse

MAX_STEPS = 100
"""Newton steps allowed to one strength."""
FEWEST_STEPS = 6
"""Those allowed where the strengths before it have not reached their gap."""
CONTRACTION = 0.12
"""A kept Hessian is refreshed when a step leaves more than this share of the gap."""
ALWAYS_FRESH = 3e6
"""Multiplications of a Hessian below which keeping one saves nothing."""
REACH = 1.25
"""A factor serves strengths down to this share of its own: that costs the chord method less than a factor would."""
NOISE = 1e-14
"""Predicted decrease, relative to the null objective, below which a line search would measure rounding."""


@dataclass(frozen=True)
class Sample:
    """The rows that a fit sees: A and its unpenalized columns, responses, offsets, weights of sum one, the loss."""

    columns: Columns
    free: Array
    y: Array
    offset: Array
    weights: Array
    loss: Any

    def gradient(self, eta: Array) -> Array:
        """Weighted derivative of the loss in every row."""
        return self.weights * self.loss.gradient(self.y, eta)

    def curvature(self, eta: Array) -> Array:
        """Weighted second derivative of the loss in every row."""
        return self.weights * self.loss.curvature(self.y, eta)

    def free_gram(self, curvature: Array) -> Array:
        """The Hessian in the unpenalized columns."""
        return self.free.T @ (curvature[:, None] * self.free)

    def value(self, eta: Array) -> float:
        """Weighted mean loss."""
        return float(self.weights @ self.loss.value(self.y, eta))


class Steps(Protocol):
    """Solves the Newton equations of the last `refresh`, perhaps at another strength."""

    @property
    def keeps(self) -> bool:
        """Whether a Hessian is formed that later steps can use."""
        ...

    def refresh(self, curvature: Array) -> None: ...
    def direction(self, gradient: Array, alpha: float) -> Array: ...


class CholeskySteps:
    """Newton equations through the Gram of A weighted by the curvature; near strengths share a factor."""

    def __init__(self, columns: Columns | JointColumns) -> None:
        self._columns = columns
        self._gram: Array | None = None
        self._factor: tuple[Any, float] | None = None
        self.keeps = True

    def refresh(self, curvature: Array) -> None:
        """Form the Gram anew."""
        self._gram = self._columns.gram(curvature)
        self._factor = None

    def direction(self, gradient: Array, alpha: float) -> Array:
        """-(AᵀWA + alpha I)⁻¹ gradient; the strength is not added to the free block."""
        if self._factor is None or not alpha <= self._factor[1] <= REACH * alpha:
            assert self._gram is not None
            hessian = self._gram.copy()
            diagonal = np.einsum("ii->i", hessian)
            # Columns that repeat one another leave a singular matrix: 1e-12 of each column's own size decides between
            # them. A share of the largest size would hold back the intercept beside columns of size 1e8.
            diagonal += 1e-12 * diagonal + 1e-290
            diagonal[self._columns.n_free :] += alpha
            self._factor = linalg.cho_factor(hessian, lower=True, overwrite_a=True, check_finite=False), alpha
        return -linalg.cho_solve(self._factor[0], gradient, check_finite=False)


class ConjugateSteps:
    """Newton equations by conjugate gradients with the diagonal as preconditioner; nothing is formed."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self.keeps = False

    def refresh(self, curvature: Array) -> None:
        """Keep the curvature and the diagonal of the Hessian."""
        self._curvature = curvature
        self._squares = self._columns.squares(curvature)

    def direction(self, gradient: Array, alpha: float) -> Array:
        """-(AᵀWA + alpha I)⁻¹ gradient to a twentieth of its size; two products of X an iteration."""
        n_free, columns = self._columns.n_free, self._columns
        ridge = np.full(gradient.size, alpha)
        ridge[:n_free] = 0.0
        inverse = 1.0 / (self._squares + ridge + 1e-290)
        solution, residual = np.zeros_like(gradient), -gradient
        step = inverse * residual
        size = first = float(residual @ step)
        for _ in range(500):
            product = columns.adjoint(self._curvature * columns.times(step)) + ridge * step
            steepness = float(step @ product)
            if steepness <= 0.0:
                break
            solution += (size / steepness) * step
            residual -= (size / steepness) * product
            scaled = inverse * residual
            size, before = float(residual @ scaled), size
            if size <= 2.5e-3 * first:
                break
            step = scaled + (size / before) * step
        return solution


@dataclass
class Point:
    """Where Newton's method is: coefficients of A, linear predictor, weighted residual derivative and gradient."""

    coefs: Array
    eta: Array
    slope: Array
    gradient: Array


def point_at(sample: Sample | JointSample, coefs: Array) -> Point:
    """The point with these coefficients."""
    eta = sample.offset + sample.columns.times(coefs)
    slope = sample.gradient(eta)
    return Point(coefs, eta, slope, sample.columns.adjoint(slope))


def gap_at(
    sample: Sample | JointSample, point: Point, alpha: float, free_inverse: Array, decrement: float
) -> tuple[float, Array]:
    """Duality gap, to second order in the slopes of the unpenalized columns, and the gradient of the objective.

    With those slopes at zero it is |gradient|²/(2 alpha) over the penalized coefficients, exactly. Without a penalty
    it is half the last Newton decrement, or the objective where that is less (no loss is negative).
    """
    n_free = sample.columns.n_free
    gradient = point.gradient.copy()
    gradient[n_free:] += alpha * point.coefs[n_free:]
    if alpha == 0.0 or n_free == gradient.size:
        return min(sample.value(point.eta), 0.5 * abs(decrement)), gradient
    slopes, rest = gradient[:n_free], gradient[n_free:]
    return float(rest @ rest) / (2.0 * alpha) + 0.5 * float(slopes @ free_inverse @ slopes), gradient


class Descent(Protocol):
    """Minimizes at one strength after another."""

    def minimize(self, point: Point, alpha: float) -> tuple[Point, float, int]: ...


def newton_path(
    sample: Sample | JointSample, descent: Descent, alphas: Array, start: Array
) -> tuple[Array, Array, Array]:
    """Minimize for every strength, largest first.

    Parameters
    ----------
    descent : Descent
        Over the same sample.
    alphas : ndarray of shape (T,), falling
    start : ndarray of shape (width, 1) or (width, T)
        Where to begin: the first strength, or each of them.

    Returns
    -------
    coefs (width, T), gaps (T,), steps taken (T,)
    """
    coefs = np.empty((sample.columns.width, alphas.size))
    gaps, counts = np.empty(alphas.size), np.zeros(alphas.size, dtype=np.int64)
    point = point_at(sample, start[:, 0].copy())
    for t, alpha in enumerate(alphas):
        if t and start.shape[1] > 1:
            point = point_at(sample, start[:, t].copy())
        point, gaps[t], counts[t] = descent.minimize(point, float(alpha))
        coefs[:, t] = point.coefs
    return coefs, gaps, counts


class NewtonDescent:
    """Newton's method with what it carries from strength to strength: the Hessian, and the free block's inverse.

    Parameters
    ----------
    sample : Sample or JointSample
    steps : Steps
    target : float
        Largest duality gap wanted, in the objective's unit.
    null : float
        Objective of the null model: the scale of rounding.
    """

    def __init__(self, sample: Sample | JointSample, steps: Steps, target: float, null: float) -> None:
        self._sample, self._steps, self._noise = sample, steps, NOISE * null
        self._cheap = not steps.keeps or sample.y.size * float(sample.columns.width) ** 2 < ALWAYS_FRESH
        # Newton's last step squares the error, so that asking for much more costs a step or none
        self._target = max(target * (1e-3 if self._cheap and steps.keeps else 1.0), 1e-17 * null)
        self._free_inverse: Array | None = None
        self._allowed = MAX_STEPS

    def minimize(self, point: Point, alpha: float) -> tuple[Point, float, int]:
        """The minimizer from a starting point, its gap, and the steps taken."""
        sample, fresh, before, count = self._sample, False, np.inf, 0
        if self._free_inverse is None:
            self._refresh(point)
            fresh = True
        gap, gradient = gap_at(sample, point, alpha, self._inverse, np.inf)
        while gap > self._target and count < self._allowed:
            if not fresh and (self._cheap or gap > CONTRACTION * before):
                self._refresh(point)
                fresh = True
            count += 1
            try:
                direction = self._steps.direction(gradient, alpha)
            except linalg.LinAlgError:
                break
            moved = _line_search(sample, point, direction, gradient, alpha, self._noise)
            if moved is None and fresh:
                break
            before = gap if moved is not None else 0.0
            fresh = False
            if moved is None:
                continue
            point, decrement = moved, -float(gradient @ direction)
            gap, gradient = gap_at(sample, point, alpha, self._inverse, decrement)
            if decrement <= self._noise and gap > 0.25 * before:
                break
        # where strengths keep missing their target, what stops them is rounding: fewer steps are spent on the next
        self._allowed = MAX_STEPS if gap <= self._target else max(self._allowed // 2, FEWEST_STEPS)
        return point, gap, count

    @property
    def _inverse(self) -> Array:
        assert self._free_inverse is not None
        return self._free_inverse

    def _refresh(self, point: Point) -> None:
        sample = self._sample
        curvature = sample.curvature(point.eta)
        self._steps.refresh(curvature)
        self._free_inverse = pseudo_inverse(sample.free_gram(curvature))


def _line_search(
    sample: Sample | JointSample, point: Point, direction: Array, gradient: Array, alpha: float, noise: float
) -> Point | None:
    """The first step along `direction` at which the objective has stopped falling steeply, by its slope alone."""
    n_free, columns = sample.columns.n_free, sample.columns
    decrease = -float(gradient @ direction)
    if not np.isfinite(decrease) or decrease <= 0.0:
        return None
    change = columns.times(direction)
    along, across = float(direction[n_free:] @ point.coefs[n_free:]), float(direction[n_free:] @ direction[n_free:])
    length = 1.0
    for _ in range(40):
        eta = point.eta + length * change
        slope = sample.gradient(eta)
        rise = float(change @ slope) + alpha * (along + length * across)
        if rise <= 0.5 * decrease or decrease <= noise:
            return Point(point.coefs + length * direction, eta, slope, columns.adjoint(slope))
        length *= min(max(decrease / (decrease + rise), 0.1), 0.5)
    return None
