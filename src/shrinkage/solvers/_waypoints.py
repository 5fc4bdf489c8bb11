"""Strengths on the way to one that is asked for far down the path of wide data.

A support that grows by a few features is found sooner than one that was guessed too large and has to shrink: the lasso
of 500 x 5,000 at a hundredth of alpha_max in less than half the time, at a thousandth in a tenth.
"""

import numpy as np

from shrinkage.problem import Problem

LEAST_ENTRIES, LEAST_SHAPE = 500_000, 4  # of X, and columns per row, from which the way is worth its steps (measured)
FAR = 50.0  # the ratio of two strengths from which others are put between them
STRIDE = 0.12  # largest logarithm of the ratio of two strengths there


def with_waypoints(problem: Problem, grid: np.ndarray, top: float) -> np.ndarray:
    """A falling grid of strengths, with more between those far from each other, or far from `top`, alpha_max."""
    n, p = problem.design.shape
    wide = n * p >= LEAST_ENTRIES and p >= LEAST_SHAPE * n
    if not wide or problem.loss.name != "squared" or not 0 < grid[-1] * FAR < max(top, grid[0]):
        return grid
    starts = np.concatenate([[max(top, grid[0])], grid[:-1]])
    parts = []
    for high, low in zip(starts, grid, strict=True):
        if high > FAR * low:
            parts.append(np.geomspace(high, low, int(np.ceil(np.log(high / low) / STRIDE)) + 1)[1:-1])
        parts.append([low])
    return np.concatenate(parts)
