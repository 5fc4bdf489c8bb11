"""Certifying many dual points by a pass over X for a few of them: the knots."""

import numpy as np

from shrinkage import _core

CLOSE = 0.14  # a knot more is taken while a dual point lies farther from the others' span: bound over strength


class Knots:
    """The dual points of a run of strengths, some of which a pass over X multiplies with every column.

    theta_t = sum_k a_tk theta_k + rest_t, with k over the knots and the last point certified before. So for a column
    |x_j' theta_t| <= |sum_k a_tk c_jk| + |x_j - m_j| |rest_t|, m_j its mean. Residuals follow the strength piecewise
    linearly, and rests are small: few columns are left that have to be multiplied.

    Parameters
    ----------
    theta : ndarray of shape (n_samples, T)
        Orthogonal to the intercept and the free columns.
    before : ndarray of shape (n_samples,)
        A dual point whose correlations are known.
    root : ndarray of shape (n_samples,) or None
        Roots of the sample weights; None for ones.
    strengths : ndarray of shape (T,)
    longest : float
        Largest norm of a column over its l1 weight, measured as the bound does.
    ends : int
        How many of the last points are to be knots in any case.
    close : float, optional
        A knot more is taken while a dual point lies farther from the others' span: bound over strength; `CLOSE`.
    """

    def __init__(self, theta, before, root, strengths, longest: float, ends: int, close: float | None = None):
        self.theta, self.strengths = theta, strengths
        count = theta.shape[1]
        points = np.empty((len(before), 1 + count), order="F")
        points[:, 0], points[:, 1:] = before, theta
        if root is not None:
            points = np.divide(points, root[:, None], out=np.zeros_like(points), where=root[:, None] > 0)
        limits = ((CLOSE if close is None else close) / longest) * strengths if longest > 0 else np.full(count, np.inf)
        order, shares = np.empty(1 + count, np.int64), np.empty((1 + count, 1 + count), order="F")
        order[0], order[1 : 1 + ends] = 0, np.arange(count - ends + 1, count + 1)
        rest = np.empty(1 + count)
        chosen = _core.span(points, np.concatenate([[np.inf], limits]), 1 + ends, order, shares, rest)
        place = np.argsort(order[:chosen])
        self.at = order[place[1:]] - 1
        self.between = np.delete(np.arange(count), self.at)
        self.shares = shares[place][:, 1 + self.between]
        self.rest = rest[1 + self.between]

    def suspects(self, correlations: np.ndarray, norms: np.ndarray, inverse: np.ndarray) -> np.ndarray:
        """Features whose |x_j' theta_t| / l1_j may reach a strength between the knots.

        Parameters
        ----------
        correlations : ndarray of shape (n_features, 1 + n_knots), column-major
            Of `before`, then of the knots.
        norms, inverse : ndarray of shape (n_features,)
            inverse is 1 / l1_j, and 0 for features that nobody asks about.
        """
        reached = np.zeros(len(norms), bool)
        if len(self.between):
            limits = self.strengths[self.between] * (1 - 1e-9)
            _core.reaches(
                correlations,
                np.asfortranarray(self.shares, dtype=np.float64),
                self.rest,
                limits,
                norms,
                inverse,
                reached,
            )
        return np.flatnonzero(reached)
