"""What the correlations of one fit say of a run of its strengths: violations, dual scale, conjugate."""

import numpy as np

from shrinkage import _core


class Reading:
    """Correlations read so far, for T strengths; columns that nobody read must be below every strength.

    Parameters
    ----------
    l1 : ndarray of shape (n_features,)
    l2 : ndarray of shape (n_features,) or None
        None where there is no ridge.
    inverse : ndarray of shape (n_features,)
        1 / l1, 0 where l1 is.
    outside : ndarray of shape (n_features,)
        The same, 0 also in the working set.
    strengths, ridges : ndarray of shape (T,)
    tol : float
        Relative slack of a violation.

    Attributes
    ----------
    ratios, conjugates, kkt : ndarray of shape (T,)
        max_j |c_j| / l1_j or the strength if that is larger; sum_j max(|c_j| - strength l1_j, 0)**2 / l2_j; largest
        violation of the optimality conditions.
    penalties : ndarray of shape (T,)
        Values of the penalty, of the working set.
    first : ndarray of shape (n_features,)
        First strength that a column outside violates, else T.
    excess : ndarray of shape (n_features,)
        Largest |c_j| / (strength l1_j) of its violations.
    """

    def __init__(self, l1, l2, inverse, outside, strengths, ridges, tol: float):
        self._l1, self._l2, self._inverse, self._outside = l1, l2, inverse, outside
        self._strengths, self._ridges, self._tol = strengths, ridges, tol
        self.ratios, self.conjugates, self.kkt = strengths.copy(), np.zeros(len(strengths)), np.zeros(len(strengths))
        self.penalties = np.zeros(len(strengths))
        self.first, self.excess = np.full(len(l1), len(strengths)), np.zeros(len(l1))

    def read_inside(self, features: np.ndarray, c: np.ndarray, coefs: np.ndarray) -> None:
        """The working set: correlations and coefficients (m, T)."""
        l2 = None if self._l2 is None else self._l2[features]
        c, coefs = np.asfortranarray(c), np.asfortranarray(coefs)
        of_features = self._l1[features], l2, self._inverse[features]
        into = self.ratios, self.conjugates, self.kkt, self.penalties
        _core.read_inside(c, coefs, self._strengths, self._ridges, *of_features, *into)

    def read_all(self, at: np.ndarray, c: np.ndarray) -> None:
        """All features at the strengths numbered `at`: correlations (n_features, len(at)), column-major."""
        of_features = self._l1, self._l2, self._outside
        into = self.ratios, self.conjugates, self.kkt, self.first, self.excess
        _core.read_outside(c, at, self._strengths, *of_features, self._tol, *into)

    def read_some(self, features: np.ndarray, at: np.ndarray, c: np.ndarray) -> None:
        """Features outside, at some strengths: correlations (m, len(at))."""
        ratio = np.abs(c) * self._outside[features, None]
        self.ratios[at] = np.maximum(self.ratios[at], ratio.max(axis=0, initial=0.0))
        row, column = np.nonzero(ratio > self._strengths[at])
        self._above(features[row], at[column], np.abs(c[row, column]))

    def _above(self, features: np.ndarray, t: np.ndarray, size: np.ndarray) -> None:
        """Pairs of a feature outside and a strength that its correlation exceeds."""
        over = size - self._strengths[t] * self._l1[features]
        np.maximum.at(self.kkt, t, over)
        if self._l2 is not None:
            np.add.at(self.conjugates, t, over**2 / self._l2[features])
        ratio = size / (self._strengths[t] * self._l1[features])
        violated = ratio > 1 + self._tol
        np.minimum.at(self.first, features[violated], t[violated])
        np.maximum.at(self.excess, features[violated], ratio[violated])
