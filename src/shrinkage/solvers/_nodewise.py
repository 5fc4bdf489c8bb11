"""One column of X against all others by the lasso, for any column, from one matrix of products."""

import numpy as np

from shrinkage import _core


class Nodewise:
    """The lasso of one column on the others, walked down strengths; every column reads the same Gram matrix.

    For H the Gram matrix and j the column, at each strength λ

        minimize  ½ (e_j - c)ᵀ H (e_j - c) + λ Σ_k |c_k|   over c with c_j = 0,

    which for H = XᵀX / n is ½ ‖x_j - Xc‖² / n + λ‖c‖₁. X is not read.

    Parameters
    ----------
    gram : ndarray of shape (n_features, n_features), symmetric, float64
    column : int
    rank : int
        At most this many columns are needed at once: that of `gram`, or an upper bound.
    tol : float > 0
        Largest violation of the optimality conditions, relative to λ.

    Attributes
    ----------
    first_strength : float
        The smallest strength at which all coefficients are 0.

    References
    ----------
    Meinshausen & Bühlmann (2006), Ann. Statist. 34(3), https://doi.org/10.1214/009053606000000281

    Examples
    --------
    >>> gram = np.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> Nodewise(gram, 0, rank=3).residuals(np.array([0.5, 0.2])).round(6)
    array([[ 1. ,  1. ],
           [-0. , -0.3],
           [-0. , -0. ]])
    """

    def __init__(self, gram: np.ndarray, column: int, rank: int, tol: float = 1e-9):
        self._gram, self._column, self._tol = gram, column, tol
        self._linear = np.array(gram[column], dtype=np.float64)
        self._linear[column] = 0.0
        self._l1 = np.ones(len(gram))
        self._l1[column] = np.finfo(float).max / 1e8  # never enters: no gradient is this large
        self._active = _core.ActiveSet(max(1, min(rank, len(gram) - 1)))
        self.first_strength = float(np.abs(self._linear).max(initial=0.0))

    def residuals(self, strengths: np.ndarray) -> np.ndarray:
        """Coefficients (n_features, n_strengths) of what the lasso leaves of the column: e_j - c.

        Strengths fall, and go on from those of the last call.
        """
        strengths = np.ascontiguousarray(strengths, dtype=np.float64)
        p, count = len(self._gram), len(strengths)
        coefs = np.zeros((p, count), order="F")
        unused = np.zeros(count, np.int32), np.zeros(count, np.int32)
        gram, nothing = self._gram.T, np.zeros(count)
        self._active.solve(gram, 1.0, None, self._linear, self._l1, None, strengths, nothing, self._tol, coefs, *unused)
        np.negative(coefs, out=coefs)
        coefs[self._column] += 1.0
        return coefs
