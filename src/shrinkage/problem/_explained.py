"""When a null model explains a response: what it leaves of it is rounding."""

import numpy as np

EXPLAINED = 1e-28
"""The share of the squares of y - offset below which what free columns leave of them is rounding.

float64 holds y to 1e-16 of its size, and what is left of it to some tens of that: 1e-14, squared. Were the share
larger, a response that varies by less than that about a large mean would pass for a constant.
"""


def explained_or(left, whole):
    """The squares left by a null model, or 0 where they are rounding of the whole: y is explained."""
    return np.where(left > EXPLAINED * whole, left, 0.0)
