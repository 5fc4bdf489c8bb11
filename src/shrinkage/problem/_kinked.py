"""Steps on losses that are parabolas between straight parts: their curvature jumps, and is 0 on many rows.

A quadratic model of them says nothing of how far it holds. It gets, where a row is straight, a share of the curvature
of the parabola that touches the loss there and bounds it from above: with the whole of it every step lowers the
objective, with next to none steps are Newton's, which end where the right rows are curved. The share follows from how
far the steps could be gone, and their length from the derivative along them: values drown in rounding long before.
"""

from collections.abc import Callable

import numpy as np

from shrinkage.losses import Huber, Loss, Quantile

LEAST_SHARE = 1e-10
FIRST_SHARE = 1e-3
LEVEL = 0.1  # of the first derivative along a step: where it is no steeper up or down, the step ends
MOST_TRIALS, MOST_STEPS = 40, 200


def is_kinked(loss: Loss) -> bool:
    """Whether the curvature of a loss jumps."""
    return isinstance(loss, Huber | Quantile)


def bounding_curvature(loss: Loss, y: np.ndarray, eta: np.ndarray) -> np.ndarray:
    """(n_samples,) curvatures of parabolas that touch the loss at eta and are nowhere below it.

    The loss is a Huber loss around the residual at which its slope is the middle of its range, plus a straight line.
    """
    low, high = loss.slope_bounds(y)
    most = loss.curvature(y, y)
    apart = np.abs((eta - y) * most - 0.5 * (low + high))
    return most * np.minimum(1.0, 0.5 * (high - low) / np.maximum(apart, 1e-300))


def next_share(share: float, t: float, solved: bool) -> float:
    """The share of the bounding curvature for the next step, after a share t of one to a model, solved or not."""
    if t < 0.3 or not solved:
        return min(10.0 * share, 1.0)
    return max(0.1 * share, LEAST_SHARE) if t == 1 else share


def level_point(rise: Callable[[float], float], fall: float, noise: float) -> float:
    """A share t in [0, 1] of a step at which its convex objective hardly rises or falls any more; 0 if there is none.

    Parameters
    ----------
    rise : callable
        The derivative at t, from the left.
    fall : float > 0
        Minus the derivative at 0, from the right.
    noise : float
        Falls below it are rounding: such a step is gone as it is.
    """
    if fall <= noise:
        return 1.0
    low, high, low_rise, high_rise, t = 0.0, 0.0, -fall, 0.0, 1.0
    for _ in range(MOST_TRIALS):
        slope = rise(t)
        if slope <= LEVEL * fall and (high == 0 or slope >= -LEVEL * fall):
            return t
        if slope < 0:
            low, low_rise = t, slope
        else:
            high, high_rise = t, slope
        t = low + (high - low) * min(max(low_rise / (low_rise - high_rise), 0.1), 0.9)
    return low


def nearest_balanced(
    slope: np.ndarray, Z: np.ndarray, weights: np.ndarray, low: np.ndarray, high: np.ndarray, small: float
) -> np.ndarray:
    """The u with low <= u <= high and Zᵀ(weights ∘ u) = 0 that is nearest to `slope` in the weighted norm.

    u = slope - Zd, cut to its bounds, where d minimizes a convex function with kinks; 0 if no d balances u to `small`.

    Parameters
    ----------
    slope, weights, low, high : ndarray of shape (n,), low <= 0 <= high
    Z : ndarray of shape (n, q), weighted-orthonormal columns
    """
    used = weights > 0
    Z, s, v, low, high = Z[used], slope[used], weights[used], low[used], high[used]
    d, share = np.zeros(Z.shape[1]), FIRST_SHARE
    for _ in range(MOST_STEPS):
        left = s - Z @ d
        u = np.clip(left, low, high)
        wrong = Z.T @ (v * u)
        if np.abs(wrong).max() <= small:
            out = np.zeros(len(slope))
            out[used] = u
            return out
        bound = np.divide(u, left, out=np.ones_like(u), where=left != 0)
        curvature = v * np.where(u == left, 1.0, share * bound)
        step = np.linalg.lstsq(Z.T @ (curvature[:, None] * Z), wrong, rcond=1e-15)[0]
        along = Z @ step

        def rise(t: float) -> float:
            return -float((v * along) @ np.clip(left - t * along, low, high))  # noqa: B023

        t = level_point(rise, float(wrong @ step), 0.0)
        d = d + t * step
        share = next_share(share, t, solved=True)
    return np.zeros(len(slope))
