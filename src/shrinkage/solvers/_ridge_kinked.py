"""Ridge for losses whose curvature jumps: Newton steps with a share of a curvature that bounds the loss from above."""

import numpy as np
from scipy import linalg

from shrinkage.problem import FIRST_SHARE, bounding_curvature, level_point, next_share
from shrinkage.solvers._ridge_newton import NOISE, Point, Sample, Steps, gap_at, point_at
from shrinkage.solvers._ridge_squared import pseudo_inverse

MOST_STEPS = 300
"""Steps allowed to one strength."""
MOST_IDLE = 3
"""Steps in a row that promise no more than rounding, after which a strength is left."""


class KinkedDescent:
    """Minimizes at one strength after another; the share of the bounding curvature is all that is carried over.

    With the whole of that curvature every step lowers the objective, with next to none it is Newton's own.

    Parameters
    ----------
    sample, steps, target, null
        As `NewtonDescent` has them.
    """

    def __init__(self, sample: Sample, steps: Steps, target: float, null: float) -> None:
        self._sample, self._steps, self._noise = sample, steps, NOISE * null
        self._target = max(1e-3 * target, 1e-17 * null)
        self._share = FIRST_SHARE

    def minimize(self, point: Point, alpha: float) -> tuple[Point, float, int]:
        """The minimizer from a starting point, its gap, and the steps taken."""
        sample, idle, decrement = self._sample, 0, np.inf
        for count in range(MOST_STEPS):
            inverse = self._refresh(point)
            gap, gradient = gap_at(sample, point, alpha, inverse, decrement)
            if gap <= self._target or idle >= MOST_IDLE:
                return point, gap, count
            try:
                direction = self._steps.direction(gradient, alpha)
            except linalg.LinAlgError:
                self._share = 1.0
                idle += 1
                continue
            decrement = -float(gradient @ direction)
            point, t = self._go(point, direction, decrement, alpha)
            idle = idle + 1 if decrement <= self._noise else 0
            self._share = next_share(self._share, t, solved=True)
        return point, gap_at(sample, point, alpha, self._refresh(point), decrement)[0], MOST_STEPS

    def _refresh(self, point: Point) -> np.ndarray:
        """Take the model at a point; returns the inverse of its unpenalized block."""
        sample = self._sample
        bound = sample.weights * bounding_curvature(sample.loss, sample.y, point.eta)
        curvature = np.maximum(sample.curvature(point.eta), self._share * bound)
        self._steps.refresh(curvature)
        return pseudo_inverse(sample.free_gram(curvature))

    def _go(self, point: Point, direction: np.ndarray, fall: float, alpha: float) -> tuple[Point, float]:
        """Go to where the objective hardly changes along a step; returns the share gone as well."""
        sample, n_free = self._sample, self._sample.columns.n_free
        change = sample.columns.times(direction)
        along, across = (float(direction[n_free:] @ part[n_free:]) for part in (point.coefs, direction))

        def rise(t: float) -> float:
            slope = sample.gradient(point.eta + t * change)
            return float(change @ slope) + alpha * (along + t * across)

        t = level_point(rise, fall, self._noise)
        return (point_at(sample, point.coefs + t * direction), t) if t > 0 else (point, t)
